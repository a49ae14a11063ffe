"""MAPI properties of items and folders, read and written: the one place that knows what a property means.

What EWS calls item:Subject and MAPI calls 0x0037 is one thing, so both go through `read`, `write` and `erase` here.
Properties without a meaning of their own are simply kept.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
from collections.abc import Callable
from dataclasses import dataclass

from . import headers as hdr
from . import ids
from .errors import ItemError
from .headers import Address
from .mapi import HEADERS_SET
from .mapi import SETS
from .mapi import PropertyName
from .mapi import Value
from .store import Envelope
from .store import Item
from .world import Mailbox

# Names from MS-OXPROPS.
ITEM_CLASS = 0x001A
IMPORTANCE = 0x0017
DELIVERY_RECEIPT = 0x0023
READ_RECEIPT = 0x0029
SENSITIVITY = 0x0036
SUBJECT = 0x0037
SUBMIT_TIME = 0x0039
RECEIVED_NAME = 0x0040
REPRESENTED_NAME = 0x0044
SENT_FOR_NAME = 0x0042
TOPIC = 0x0070
CONVERSATION_INDEX = 0x0071
RECEIVED_ADDRESS = 0x0076
REPRESENTED_ADDRESS = 0x0078
TRANSPORT_HEADERS = 0x007D
SENDER_NAME = 0x0C1A
DELIVERY_TIME = 0x0E06
MESSAGE_FLAGS = 0x0E07
SIZE = 0x0E08
HAS_ATTACHMENTS = 0x0E1B
IMAP_UID = 0x0E23
READ = 0x0E69
BODY = 0x1000
MESSAGE_ID = 0x1035
REFERENCES = 0x1039
IN_REPLY_TO = 0x1042
ICON = 0x1080
LAST_VERB = 0x1081
FLAG_STATUS = 0x1090
CREATED = 0x3007
MODIFIED = 0x3008
SEARCH_KEY = 0x300B
RECEIPT_ANSWERED: PropertyName = 0x0C06
MIME_BROKEN: PropertyName = (SETS["PublicStrings"], "sandbox-mime-broken")

UNSENT = 0x08


@dataclass(frozen=True, slots=True)
class Computed:
    """A property with a meaning: how it is read, and how written; without `set` it is read-only."""

    type: str
    get: Callable[[Item], Value | None]
    set: Callable[[Item, Value], None] | None = None


def read(item: Item, name: PropertyName, kind: str) -> Value | None:
    """The value of a property, None if the item has none of that name and type."""
    computed = COMPUTED.get(name)
    if computed is not None and computed.type == kind:
        kept = item.props.get(name)
        if kept is not None and computed.set is keep:
            return kept[1]
        return computed.get(item)
    kept = item.props.get(name)
    if kept is not None:
        return kept[1] if kept[0] == kind else None
    if isinstance(name, tuple) and name[0] == HEADERS_SET and isinstance(name[1], str) and kind == "String":
        return _header(item, name[1])
    return None


def write(item: Item, name: PropertyName, kind: str, value: Value) -> None:
    """Set a property; ErrorInvalidPropertySet if it is read-only."""
    if name == MIME_BROKEN:
        item.mime_broken = value is True or str(value).lower() in ("true", "1")
    computed = COMPUTED.get(name)
    if computed is None:
        item.props[name] = (kind, value)
        return
    if computed.set is None or computed.type != kind:
        raise ItemError("ErrorInvalidPropertySet")
    if computed.set is keep:
        item.props[name] = (kind, value)
    else:
        computed.set(item, value)


def erase(item: Item, name: PropertyName) -> None:
    """Remove a property; ErrorInvalidPropertyDelete for those an item cannot be without."""
    computed = COMPUTED.get(name)
    if name == BODY and computed is not None and computed.set is not None:
        computed.set(item, "")
        return
    if computed is not None and computed.set is not keep:
        raise ItemError("ErrorInvalidPropertyDelete")
    if name in BLANKS:
        item.props[name] = BLANKS[name]
    else:
        item.props.pop(name, None)
    if name == MIME_BROKEN:
        item.mime_broken = False


def text(item: Item, name: PropertyName) -> str:
    value = read(item, name, "String")
    return value if isinstance(value, str) else ""


def number(item: Item, name: PropertyName) -> int | None:
    value = read(item, name, "Integer")
    return value if isinstance(value, int) else None


def sent_time(item: Item) -> int:
    """When the message was sent: its submit time, else its Date header, else when it was made."""
    kept = item.props.get(SUBMIT_TIME)
    if kept is not None and isinstance(kept[1], int):
        return kept[1]
    date = envelope(item).date
    return date if date is not None else item.created


def has_attachments(item: Item) -> bool:
    """Whether there is an attachment other than pictures shown inside the text."""
    kind = hdr.first(hdr.split_message(item.mime)[0], "Content-Type") or b""
    if kind.lower().startswith((b"text/", b"multipart/alternative")) or not kind:
        return False
    if kind.lower().startswith((b"application/pkcs7-mime", b"multipart/signed")):
        return True
    found = item.mailbox.world.outline(item)
    return any(not (part.content_id and part.disposition != "attachment") for part in found.attachments)


def envelope(item: Item) -> Envelope:
    return item.mailbox.world.envelope(item)


def header_changes(item: Item) -> list[tuple[str, bytes | None]]:
    """Header fields whose value in the MIME is overridden by a property of the item."""
    changes: list[tuple[str, bytes | None]] = []
    for name, header in HEADER_OF.items():
        kept = item.props.get(name)
        if kept is not None:
            changes.append((header, hdr.encode(str(kept[1])) if kept[1] != "" else None))
    importance = item.props.get(IMPORTANCE)
    if importance is not None:
        changes.append(("X-Priority", None))
        changes.append(("Importance", {0: b"low", 2: b"high"}.get(_int(importance[1]))))
    sensitivity = item.props.get(SENSITIVITY)
    if sensitivity is not None:
        named = {1: b"personal", 2: b"private", 3: b"company-confidential"}
        changes.append(("Sensitivity", named.get(_int(sensitivity[1]))))
    submitted = item.props.get(SUBMIT_TIME)
    if submitted is not None and _int(submitted[1]) != envelope(item).date:
        changes.append(("Date", hdr.format_date(_int(submitted[1]))))
    for header, name in (("Disposition-Notification-To", READ_RECEIPT), ("Return-Receipt-To", DELIVERY_RECEIPT)):
        wanted = item.props.get(name)
        if wanted is not None and not wanted[1]:
            changes.append((header, None))
        elif wanted is not None and not envelope(item).receipt_to:
            asker = envelope(item).author or (own_address(item.mailbox),)
            changes.append((header, hdr.encode_addresses(list(asker))))
    for key, (_, value) in item.props.items():
        if isinstance(key, tuple) and key[0] == HEADERS_SET and isinstance(key[1], str) and _is_header_name(key[1]):
            changes.append((_spelled(item, key[1]), hdr.encode(str(value))))
    return changes


def received_for(item: Item) -> Mailbox:
    """Whose message it is: of the mailbox that it lies in or, of a delegate's copy, of the one that is represented."""
    address = text(item, REPRESENTED_ADDRESS).lower()
    return item.mailbox.world.users.get(address, item.mailbox)


def is_delegated(item: Item) -> bool:
    return received_for(item) is not item.mailbox


def own_address(mailbox: Mailbox) -> Address:
    return Address(mailbox.display_name, mailbox.address)


def keep(item: Item, value: Value) -> None:
    """The setter of properties that are kept beside the content and override it; `write` keeps them with their type."""


def _int(value: Value) -> int:
    return value if isinstance(value, int) else 0


def _is_header_name(name: str) -> bool:
    return hdr.NAME.match(name.encode("utf-8", "replace")) is not None and name.lower() not in ("content-type", "bcc")


def _spelled(item: Item, lower: str) -> str:
    for name, _ in hdr.split_message(item.mime)[0]:
        if name.lower() == lower:
            return name
    return "-".join(word.capitalize() for word in lower.split("-"))


def _header(item: Item, name: str) -> str | None:
    value = hdr.first(hdr.split_message(item.mime)[0], name)
    return None if value is None else hdr.decode(value)


def _flags(item: Item) -> int:
    value = int(item.read) | (UNSENT if item.draft else 0)
    if has_attachments(item):
        value |= 0x10
    if item.read_change == 0 and item.content_change == item.arrived_change:
        value |= 0x02
    if receipt_due(item):
        value |= 0x100
    return value


def _set_flags(item: Item, value: Value) -> None:
    flags = _int(value)
    item.read = bool(flags & 1)
    # The unsent bit can be set before the first save only (MS-OXCMSG 2.2.1.6).
    if item.key == 0:
        item.draft = bool(flags & UNSENT)


def receipt_due(item: Item) -> bool:
    """Whether somebody still waits for a read receipt of this message."""
    return read(item, READ_RECEIPT, "Boolean") is True and RECEIPT_ANSWERED not in item.props and not item.draft


def _set_class(item: Item, value: Value) -> None:
    item.item_class = str(value)


def _set_read(item: Item, value: Value) -> None:
    item.read = bool(value)


def _set_received(item: Item, value: Value) -> None:
    item.received = _int(value)


def _set_created(item: Item, value: Value) -> None:
    item.created = _int(value)


def _names(addresses: tuple[Address, ...]) -> str:
    return "; ".join(one.name or one.address for one in addresses)


def _normalized(subject: str) -> str:
    """PidTagNormalizedSubject: without a prefix of up to three letters, a colon and a space (MS-OXCMSG 2.2.1.9)."""
    head, colon, rest = subject.partition(": ")
    return rest if colon and 1 <= len(head) <= 3 and head.isalpha() else subject


def _topic(item: Item) -> str:
    return envelope(item).topic or _normalized(text(item, SUBJECT))


def conversation_id(item: Item) -> bytes:
    """The same for all messages of one topic."""
    return hashlib.md5(text(item, TOPIC).casefold().encode("utf-8", "replace"), usedforsecurity=False).digest()


def _conversation_index(item: Item) -> bytes:
    given = envelope(item).thread_index
    if given:
        try:
            return base64.b64decode(given, validate=True)
        except (binascii.Error, ValueError):
            pass
    stamp = (item.created + 11644473600) * 10_000_000
    return b"\x01" + stamp.to_bytes(8, "big")[:5] + conversation_id(item)


def _entry(item: Item) -> bytes:
    return ids.entry_id(item.mailbox.replica, item.folder.key if item.folder else 0, item.key)


def _transport_headers(item: Item) -> str | None:
    if item.draft or not item.mime:
        return None
    headers, body = hdr.split_message(item.mime)
    return hdr.to_text(item.mime[:body]).rstrip("\r\n") + "\r\n" if headers else None


def _url_name(item: Item) -> str:
    return hdr.to_text(text(item, SUBJECT).encode("utf-8", "replace"))[:200].replace("/", "_xF8FF_") + ".EML"


def _first_name(addresses: tuple[Address, ...]) -> str | None:
    return (addresses[0].name or addresses[0].address) if addresses else None


def _first_address(addresses: tuple[Address, ...]) -> str | None:
    return addresses[0].address if addresses else None


def _subject(item: Item) -> str:
    """The subject; of a contact or a list without one, its name (MS-OXOCNTC 2.2.1.1)."""
    name = text(item, 0x3001) if item.kind in ("Contact", "DistributionList") else ""
    return envelope(item).subject or name


def _icon(item: Item) -> int:
    return 256 if item.read else -1


def _change_bytes(item: Item) -> bytes:
    return item.mailbox.replica + item.change.to_bytes(6, "big")


COMPUTED: dict[PropertyName, Computed] = {
    ITEM_CLASS: Computed("String", lambda item: item.item_class, _set_class),
    IMPORTANCE: Computed("Integer", lambda item: envelope(item).importance, keep),
    DELIVERY_RECEIPT: Computed("Boolean", lambda item: envelope(item).delivery_receipt, keep),
    READ_RECEIPT: Computed("Boolean", lambda item: bool(envelope(item).receipt_to), keep),
    SENSITIVITY: Computed("Integer", lambda item: envelope(item).sensitivity, keep),
    SUBJECT: Computed("String", _subject, keep),
    SUBMIT_TIME: Computed("SystemTime", sent_time, keep),
    SENT_FOR_NAME: Computed("String", lambda item: _first_name(envelope(item).author), keep),
    0x0065: Computed("String", lambda item: _first_address(envelope(item).author), keep),
    TOPIC: Computed("String", _topic, keep),
    CONVERSATION_INDEX: Computed("Binary", _conversation_index, keep),
    TRANSPORT_HEADERS: Computed("String", _transport_headers, keep),
    SENDER_NAME: Computed("String", lambda item: _first_name(envelope(item).sender), keep),
    0x0C1F: Computed("String", lambda item: _first_address(envelope(item).sender), keep),
    0x0E02: Computed("String", lambda item: _names(envelope(item).bcc)),
    0x0E03: Computed("String", lambda item: _names(envelope(item).cc)),
    0x0E04: Computed("String", lambda item: _names(envelope(item).to)),
    DELIVERY_TIME: Computed("SystemTime", lambda item: item.received, _set_received),
    MESSAGE_FLAGS: Computed("Integer", _flags, _set_flags),
    SIZE: Computed("Integer", lambda item: len(item.mime)),
    HAS_ATTACHMENTS: Computed("Boolean", has_attachments),
    0x0E1D: Computed("String", lambda item: _normalized(text(item, SUBJECT)), keep),
    IMAP_UID: Computed("Integer", lambda item: item.uid),
    READ: Computed("Boolean", lambda item: item.read, _set_read),
    0x0FF6: Computed("Binary", lambda item: item.key.to_bytes(8, "big")),
    0x0FF9: Computed("Binary", _entry),
    0x0FFF: Computed("Binary", _entry),
    0x0E0B: Computed("Binary", lambda item: ids.entry_id(item.mailbox.replica, item.folder.key if item.folder else 0)),
    MESSAGE_ID: Computed("String", lambda item: envelope(item).message_id or None, keep),
    REFERENCES: Computed("String", lambda item: envelope(item).references or None, keep),
    IN_REPLY_TO: Computed("String", lambda item: envelope(item).in_reply_to or None, keep),
    ICON: Computed("Integer", _icon, keep),
    0x10F3: Computed("String", _url_name, keep),
    CREATED: Computed("SystemTime", lambda item: item.created, _set_created),
    MODIFIED: Computed("SystemTime", lambda item: item.modified),
    SEARCH_KEY: Computed("Binary", lambda item: item.search_key),
    0x3FFA: Computed("String", lambda item: item.mailbox.display_name),
    0x65E2: Computed("Binary", _change_bytes),
    0x670E: Computed("String", lambda item: _url_name(item), keep),
}

# Properties shown in the MIME as header fields.
HEADER_OF: dict[PropertyName, str] = {
    SUBJECT: "Subject",
    MESSAGE_ID: "Message-ID",
    REFERENCES: "References",
    IN_REPLY_TO: "In-Reply-To",
}
# What a deleted property falls back to, where the content would otherwise shine through.
BLANKS: dict[PropertyName, tuple[str, Value]] = {
    SUBJECT: ("String", ""),
    REFERENCES: ("String", ""),
    IN_REPLY_TO: ("String", ""),
    IMPORTANCE: ("Integer", 1),
    SENSITIVITY: ("Integer", 0),
    READ_RECEIPT: ("Boolean", False),
    DELIVERY_RECEIPT: ("Boolean", False),
}
