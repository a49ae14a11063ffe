"""A readable message from the properties of an item that has no usable MIME. Pure.

For mail that the server cannot convert, and for what is no mail but lies in a mail folder (an appointment, a contact): the user
sees that it is there, and what it says. It names itself in a header and in its first line.
"""

from __future__ import annotations

import re
from email.header import Header
from email.message import Message
from email.mime.text import MIMEText
from email.utils import formataddr
from email.utils import formatdate

from lxml import etree

from ews_bridge.exchange import mail
from ews_bridge.exchange import soap

_LINE = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff]+")
#: Shown elsewhere in the message, or of no use to a reader.
_HIDDEN = frozenset(
    (
        "MimeContent",
        "ItemId",
        "ParentFolderId",
        "ItemClass",
        "Subject",
        "Body",
        "Attachments",
        "ToRecipients",
        "CcRecipients",
        "BccRecipients",
        "From",
        "Sender",
        "InternetMessageId",
        "InternetMessageHeaders",
        "ResponseObjects",
        "EffectiveRights",
        "ConversationId",
        "ConversationIndex",
        "InstanceKey",
        "ExtendedProperty",
        "UniqueBody",
        "NormalizedBody",
        "Preview",
        "TextBody",
        "Size",
        "Culture",
        "WebClientReadFormQueryString",
        "WebClientEditFormQueryString",
        "LastModifiedName",
        "IsRead",
        "IsDraft",
        "IsSubmitted",
        "IsUnmodified",
        "IsResend",
        "IsFromMe",
    )
)


def message(element: etree._Element, reason: str) -> bytes:
    """The item (GetItem, AllProperties) as a file with LF line ends; `reason` says why it is not the original."""
    text, subtype = _body(element)
    note = f"[ews-bridge: not the original message, but built from the properties of this item: {_line(reason)}]"
    facts = _facts(element)
    head = [_html(fact) for fact in (note, *facts)] if subtype == "html" else [note, *facts, ""]
    made = MIMEText("\n".join([*head, text]), subtype, "utf-8")
    for name, value in _headers(element):
        _add(made, name, value)
    _add(made, "X-EWS-Bridge", f"built from properties ({_line(reason)})")
    return made.as_bytes()


def _headers(element: etree._Element) -> list[tuple[str, str]]:
    found = [("Subject", soap.text(element, "Subject"))]
    sender = _mailboxes(element, "From") or _mailboxes(element, "Sender") or _mailboxes(element, "Organizer")
    found.append(("From", sender))
    for name, path in (("To", "ToRecipients"), ("Cc", "CcRecipients"), ("Bcc", "BccRecipients")):
        found.append((name, _mailboxes(element, path)))
    for path in ("DateTimeSent", "DateTimeReceived", "DateTimeCreated"):
        if when := mail.seconds(soap.text(element, path)):
            found.append(("Date", formatdate(when)))
            break
    found.append(("Message-ID", soap.text(element, "InternetMessageId")))
    return [(name, value) for name, value in found if value]


def _mailboxes(element: etree._Element, path: str) -> str:
    """As an address list. A server's internal address (/o=…/cn=…) is no mail address: only the name is kept then."""
    parent = element.find(f"{{{soap.TYPES}}}{path}")
    if parent is None:
        return ""
    found = []
    for box in parent.iter(f"{{{soap.TYPES}}}Mailbox"):
        name, address = _line(soap.text(box, "Name")), _line(soap.text(box, "EmailAddress"))
        if "@" in address and address.isascii() and " " not in address:
            found.append(formataddr((name, address)))
        elif name or address:
            found.append(formataddr((name or address, "unknown@address.invalid")))
    return ", ".join(found)


def _body(element: etree._Element) -> tuple[str, str]:
    body = element.find(f"{{{soap.TYPES}}}Body")
    if body is None or not body.text:
        return "", "plain"
    text = body.text.replace("\r\n", "\n").replace("\r", "\n")
    return text, "html" if body.get("BodyType") == "HTML" else "plain"


def _facts(element: etree._Element) -> list[str]:
    """What else there is to read: attachments by name, and of what is no mail all its simple properties."""
    facts = [f"Attachment: {_line(soap.text(a, 'Name'))}" for a in element.iterfind(f"{{{soap.TYPES}}}Attachments/*")]
    if soap.name(element) in mail.MAIL:
        return facts
    for child in element:
        if not isinstance(child.tag, str) or soap.name(child) in _HIDDEN:
            continue
        value = " ".join(_line(piece) for piece in child.itertext() if isinstance(piece, str) and piece.strip())
        if value:
            facts.append(f"{soap.name(child)}: {value}")
    return facts


def _add(made: Message, name: str, value: str) -> None:
    line = _line(value)
    made[name] = line if line.isascii() else Header(line, "utf-8", header_name=name).encode()


def _line(text: str) -> str:
    return " ".join(_LINE.sub(" ", text).split())


def _html(text: str) -> str:
    return "<p>" + text.replace("&", "&amp;").replace("<", "&lt;") + "</p>"
