"""What kind of item a message becomes when it enters a mailbox, told from as few of its bytes as possible."""

from __future__ import annotations

import re

from . import headers as hdr

HEAD = 65536
DATE = re.compile(rb"^date:[ \t]*([^\r\n]*)", re.IGNORECASE | re.MULTILINE)
TYPE = re.compile(rb"^content-type:[ \t]*((?:[^\r\n]|\r?\n[ \t])*)", re.IGNORECASE | re.MULTILINE)
CALENDAR_METHOD = re.compile(rb"content-type:\s*text/calendar(?:[^\r\n]|\r?\n[ \t])*?method=\"?([a-z]+)", re.IGNORECASE)
METHODS = {
    b"request": "IPM.Schedule.Meeting.Request",
    b"cancel": "IPM.Schedule.Meeting.Canceled",
    b"reply": "IPM.Schedule.Meeting.Resp.Pos",
    b"counter": "IPM.Schedule.Meeting.Resp.Tent",
}
ANSWERS = {b"declined": "IPM.Schedule.Meeting.Resp.Neg", b"tentative": "IPM.Schedule.Meeting.Resp.Tent"}


def classify(mime: bytes) -> tuple[str, int | None]:
    """The item class of a message (MS-OXCMAIL 2.2.3, in outline) and the time in its Date header."""
    end = hdr.BLANK_LINE.search(mime, 0, HEAD)
    head = mime[: end.start() if end else HEAD]
    found = DATE.search(head)
    date = hdr.date(found[1]) if found else None
    kind = TYPE.search(head)
    value = kind[1].lower() if kind else b""
    item_class = "IPM.Note"
    if value.startswith(b"multipart/report"):
        if b"delivery-status" in value:
            item_class = "REPORT.IPM.Note.NDR"
        elif b"disposition-notification" in value:
            item_class = "REPORT.IPM.Note.IPNRN"
    elif value.startswith(b"multipart/signed"):
        item_class = "IPM.Note.SMIME.MultipartSigned"
    elif value.startswith((b"application/pkcs7-mime", b"application/x-pkcs7-mime")):
        item_class = "IPM.Note.SMIME"
    elif value.startswith((b"text/calendar", b"multipart/alternative", b"multipart/mixed")):
        item_class = _meeting(mime) or item_class
    return item_class, date


def _meeting(mime: bytes) -> str | None:
    if b"text/calendar" not in mime:
        return None
    found = CALENDAR_METHOD.search(mime)
    if found is None:
        return None
    method = found[1].lower()
    if method == b"reply":
        answer = re.search(rb"PARTSTAT=(DECLINED|TENTATIVE)", mime)
        if answer:
            return ANSWERS[answer[1].lower()]
    return METHODS.get(method)
