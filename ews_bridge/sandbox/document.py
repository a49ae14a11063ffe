"""What a message holds as a mail program sees it: bodies and attachments; taken from MIME and put back into MIME."""

from __future__ import annotations

import hashlib
import html as html_entities
import re
from dataclasses import dataclass
from dataclasses import field

import pybase64

from . import headers as hdr
from .headers import Header
from .mimetree import Part
from .mimetree import parse

TAGS = re.compile(r"<(?:style|script|head)\b.*?</(?:style|script|head)\s*>|<!--.*?-->|<[^>]*>", re.IGNORECASE | re.DOTALL)
LONG_LINE = re.compile(rb"\n[^\n]{990}")
BREAKS = re.compile(r"<br\s*/?>|</p\s*>|</div\s*>|</tr\s*>|</h\d\s*>", re.IGNORECASE)
# Marks the picture of a contact in the content kept here: MIME has no word for PidTagAttachmentContactPhoto.
PHOTO = "X-Sandbox-Contact-Photo"
CONTENT_HEADERS = ("content-type", "content-transfer-encoding", "content-disposition", "content-id", "mime-version")


@dataclass(frozen=True, slots=True)
class Attachment:
    """A file, or (`message`) a whole message in `content`; `photo`: the picture of a contact."""

    name: str
    content_type: str
    content: bytes
    content_id: str = ""
    location: str = ""
    inline: bool = False
    message: bool = False
    photo: bool = False


@dataclass(frozen=True, slots=True)
class Outline:
    """Where a message's bodies and attachments are: parts of its tree, not yet decoded."""

    text: Part | None
    html: Part | None
    calendar: Part | None
    attachments: tuple[Part, ...]


@dataclass(slots=True)
class Document:
    """A message taken apart; `headers` are those which do not concern the MIME structure.

    `calendar` is what makes it a message of a meeting: the method and the iCalendar text.
    """

    headers: list[Header] = field(default_factory=list)
    text: str | None = None
    html: str | None = None
    calendar: tuple[str, bytes] | None = None
    attachments: list[Attachment] = field(default_factory=list)


def outline(root: Part) -> Outline:
    """Choose the bodies (first plain text, first HTML text) and call every other leaf an attachment."""
    chosen: dict[str, Part] = {}
    attached: list[Part] = []
    _gather(root, chosen, attached)
    return Outline(chosen.get("text/plain"), chosen.get("text/html"), chosen.get("text/calendar"), tuple(attached))


def _gather(part: Part, chosen: dict[str, Part], attached: list[Part]) -> None:
    if part.children and part.type != "multipart/signed":
        for child in part.children:
            _gather(child, chosen, attached)
        return
    if part.type == "multipart/signed" and part.children:
        _gather(part.children[0], chosen, attached)
        attached.extend(part.children[1:])
        return
    meeting = part.type == "text/calendar" and "method" in part.parameters
    bodily = (part.type in ("text/plain", "text/html") or meeting) and part.disposition != "attachment" and not part.filename
    if part.type.startswith("multipart/"):
        if part.end > part.body and "text/plain" not in chosen:
            chosen["text/plain"] = part
        return
    if bodily and part.type not in chosen:
        chosen[part.type] = part
    else:
        attached.append(part)


def attachment_of(part: Part, number: int) -> Attachment:
    """A leaf of the tree as an attachment; nameless ones get a name as Exchange gives it (ATT00001)."""
    if part.type == "message/rfc822":
        content = part.content()
        name = hdr.decode(hdr.first(hdr.split_message(content)[0], "Subject")) or part.filename
        return Attachment(name or "(no subject)", part.type, content, part.content_id, message=True)
    extension = {"text/plain": ".txt", "text/html": ".htm", "text/calendar": ".ics", "image/png": ".png"}
    name = part.filename or f"ATT{number + 1:05}{extension.get(part.type, '.dat')}"
    inline = part.disposition == "inline" or (bool(part.content_id) and part.disposition != "attachment")
    location = hdr.decode(hdr.first(part.headers, "Content-Location"))
    photo = hdr.first(part.headers, PHOTO) is not None
    return Attachment(name, part.type, part.content(), part.content_id, location, inline, photo=photo)


def read_document(raw: bytes) -> Document:
    """Take a message apart."""
    root = parse(raw)
    found = outline(root)
    kept = [(name, value) for name, value in root.headers if name.lower() not in CONTENT_HEADERS]
    return Document(
        kept,
        found.text.text() if found.text else None,
        found.html.text() if found.html else None,
        (found.calendar.parameters["method"], found.calendar.content()) if found.calendar else None,
        [attachment_of(part, number) for number, part in enumerate(found.attachments)],
    )


def write_document(document: Document) -> bytes:
    """The message as MIME, headers and parts in a fixed order; the inverse of `read_document` in content."""
    content_headers, body = _body_of(document)
    names = [*document.headers, ("MIME-Version", b"1.0"), *content_headers]
    return write_headers(names) + b"\r\n" + body


def write_headers(headers: list[Header]) -> bytes:
    lines: list[bytes] = []
    for name, value in headers:
        lines.append(name.encode("ascii", "replace") + b": " + hdr.LINE_END.sub(b"\r\n", value).rstrip() + b"\r\n")
    return b"".join(lines)


def with_header(raw: bytes, name: str, value: bytes | None) -> bytes:
    """The message with one header set or (None) removed; the body is not touched."""
    headers, body = hdr.split_message(raw)
    return write_headers(hdr.replaced(headers, name, value)) + b"\r\n" + raw[body:]


def _body_of(document: Document) -> tuple[list[Header], bytes]:
    bodies: list[tuple[list[Header], bytes]] = []
    if document.text is not None or document.html is None:
        bodies.append(_text_part("plain", document.text or ""))
    if document.html is not None:
        bodies.append(_text_part("html", document.html))
    if document.calendar is not None:
        method, content = document.calendar
        kind = f'text/calendar; charset="utf-8"; method={method}'.encode("ascii", "replace")
        bodies.append(([("Content-Type", kind), ("Content-Transfer-Encoding", b"base64")], base64_lines(content)))
    result = bodies[0] if len(bodies) == 1 else _multipart("alternative", bodies)
    inline = [one for one in document.attachments if one.inline and one.content_id and document.html is not None]
    others = [one for one in document.attachments if one not in inline]
    if inline:
        result = _multipart("related", [result, *map(_attachment_part, inline)])
    if others:
        result = _multipart("mixed", [result, *map(_attachment_part, others)])
    return result


def _text_part(subtype: str, text: str) -> tuple[list[Header], bytes]:
    content = with_crlf(text.encode("utf-8", "replace"))
    headers: list[Header] = [("Content-Type", f'text/{subtype}; charset="utf-8"'.encode())]
    if content.isascii() and not has_long_line(content):
        return [*headers, ("Content-Transfer-Encoding", b"7bit")], content
    return [*headers, ("Content-Transfer-Encoding", b"base64")], base64_lines(content)


def _attachment_part(attachment: Attachment) -> tuple[list[Header], bytes]:
    name = hdr.encode(attachment.name).replace(b'"', b"'")
    kind = attachment.content_type or "application/octet-stream"
    if attachment.message:
        return [("Content-Type", b"message/rfc822"), ("Content-Disposition", b"attachment")], attachment.content
    headers: list[Header] = [
        ("Content-Type", kind.encode("ascii", "replace") + b';\r\n name="' + name + b'"'),
        (
            "Content-Disposition",
            (b"inline" if attachment.inline else b"attachment") + b';\r\n filename="' + name + b'"',
        ),
    ]
    if attachment.content_id:
        headers.append(("Content-ID", b"<" + attachment.content_id.encode("utf-8", "replace") + b">"))
    if attachment.location:
        headers.append(("Content-Location", hdr.encode(attachment.location)))
    if attachment.photo:
        headers.append((PHOTO, b"1"))
    return [*headers, ("Content-Transfer-Encoding", b"base64")], base64_lines(attachment.content)


def _multipart(subtype: str, parts: list[tuple[list[Header], bytes]]) -> tuple[list[Header], bytes]:
    rendered = [write_headers(headers) + b"\r\n" + body for headers, body in parts]
    boundary = make_boundary(rendered)
    pieces = b"".join(b"--" + boundary + b"\r\n" + part + b"\r\n" for part in rendered)
    kind = f"multipart/{subtype};\r\n boundary=".encode() + b'"' + boundary + b'"'
    return [("Content-Type", kind)], pieces + b"--" + boundary + b"--\r\n"


def make_boundary(parts: list[bytes]) -> bytes:
    """A boundary in Exchange's style that occurs in none of the parts, the same for the same parts."""
    digest = hashlib.sha256()
    for part in parts:
        # The ends are enough to tell messages apart, and parts may be very large.
        digest.update(len(part).to_bytes(8, "big") + part[:4096] + part[-4096:])
    while True:
        boundary = f"_000_{digest.hexdigest()[:32].upper()}sandbox_".encode()
        if not any(boundary in part for part in parts):
            return boundary
        digest.update(b"again")


def has_long_line(content: bytes) -> bool:
    """Whether a line is too long to be sent as it is (RFC 5322 2.1.1: 998 characters)."""
    # The pattern begins with a literal: without it the search would begin anew at every byte of every line.
    return (len(content) > 990 and content.find(b"\n", 0, 991) < 0) or LONG_LINE.search(content) is not None


def with_crlf(content: bytes) -> bytes:
    """The content with CRLF for every line end, be it CR, LF or both."""
    if content.count(b"\n") == content.count(b"\r") == content.count(b"\r\n"):
        return content
    return content.replace(b"\r\n", b"\n").replace(b"\r", b"\n").replace(b"\n", b"\r\n")


def base64_lines(content: bytes) -> bytes:
    """Base64 in lines of 76 with CRLF."""
    return bytes(pybase64.encodebytes(content)).replace(b"\n", b"\r\n")


def plain_from_html(markup: str) -> str:
    text = TAGS.sub("", BREAKS.sub("\n", markup))
    text = html_entities.unescape(text).replace("\xa0", " ")
    return re.sub(r"\n[ \t]*\n\s*\n", "\n\n", text).strip()


def html_from_plain(text: str) -> str:
    escaped = html_entities.escape(text, quote=False).replace("\r\n", "\n").replace("\n", "<br>\r\n")
    return f"<html><head></head><body><div>{escaped}</div></body></html>"
