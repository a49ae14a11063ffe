"""Identifiers as a real server makes them: opaque to clients, and each of the six formats convertible to the others.

The bytes of an EwsId (observed on Exchange, and in MS-OXWSCVTID): format byte 0, kind 3, the length-prefixed mailbox
GUID as ASCII, a 0, the length-prefixed MAPI entry id (46 bytes for a folder, 70 for a message), and for attachments a
count with length-prefixed attachment ids.  Entry ids follow MS-OXCDATA 2.2.4.
"""

from __future__ import annotations

import base64
import binascii
import struct
from dataclasses import dataclass

from .errors import ItemError

PROVIDER = bytes.fromhex("c9e2b2a1d04b4f3c8a5e7b1f6d2c9a40")
FOLDER_LENGTH = 46
ITEM_LENGTH = 70
FORMATS = ("EwsId", "EwsLegacyId", "EntryId", "HexEntryId", "StoreId", "OwaId")


@dataclass(frozen=True, slots=True)
class Reference:
    """What an id names: a folder, an item in a folder, an occurrence of a series, or an attachment of any of these.

    An occurrence is known by the ordinal of the day it was meant for.
    """

    mailbox: str
    folder: int
    item: int | None = None
    attachment: int | None = None
    occurrence: int | None = None


def counter(number: int) -> bytes:
    """A MAPI global counter: six bytes big-endian, padded to eight."""
    return number.to_bytes(6, "big") + b"\0\0"


def entry_id(replica: bytes, folder: int, item: int | None = None) -> bytes:
    """PidTagEntryId of a folder (46 bytes) or of a message (70 bytes); `replica` is the mailbox's 16-byte GUID."""
    if item is None:
        return bytes(4) + PROVIDER + b"\x01\x00" + replica + counter(folder)
    return bytes(4) + PROVIDER + b"\x07\x00" + replica + counter(folder) + replica + counter(item)


def ews_id(mailbox: str, entry: bytes, attachment: int | None = None, occurrence: int | None = None) -> str:
    """The id on the wire for an entry id in the mailbox whose GUID is the 36-character string `mailbox`."""
    head = b"\x00\x03\x24\x00" + mailbox.encode("ascii") + b"\x00" + struct.pack("<H", len(entry)) + entry
    if occurrence is not None:
        head += b"\x02" + struct.pack("<H", 4) + occurrence.to_bytes(4, "big")
    if attachment is not None:
        head += b"\x01" + struct.pack("<H", 16) + attachment.to_bytes(16, "big")
    return base64.b64encode(head).decode("ascii")


def parse_ews_id(text: str) -> Reference:
    """What an id names; ItemError ErrorInvalidIdMalformed or ErrorInvalidIdEmpty for anything not made here."""
    if not text:
        raise ItemError("ErrorInvalidIdEmpty")
    try:
        data = base64.b64decode(text, validate=True)
        mailbox = data[4:40].decode("ascii")
    except (binascii.Error, ValueError) as failure:
        raise ItemError("ErrorInvalidIdMalformed") from failure
    if data[:4] != b"\x00\x03\x24\x00" or len(data) < 43 + FOLDER_LENGTH or data[40] != 0:
        raise ItemError("ErrorInvalidIdMalformed")
    length = int.from_bytes(data[41:43], "little")
    rest = data[43 + length :]
    occurrence = attachment = None
    if len(rest) >= 7 and rest[:3] == b"\x02\x04\x00":
        occurrence = int.from_bytes(rest[3:7], "big")
        rest = rest[7:]
    if rest:
        if len(rest) != 19 or rest[:3] != b"\x01\x10\x00":
            raise ItemError("ErrorInvalidIdMalformed")
        attachment = int.from_bytes(rest[3:], "big")
    folder, item = parse_entry_id(data[43 : 43 + length])
    return Reference(mailbox, folder, item, attachment, occurrence)


def parse_entry_id(entry: bytes) -> tuple[int, int | None]:
    """Folder and item number in an entry id; ItemError ErrorInvalidIdMalformed if it is not one."""
    if len(entry) == FOLDER_LENGTH and entry[:22] == bytes(4) + PROVIDER + b"\x01\x00":
        return int.from_bytes(entry[38:44], "big"), None
    if len(entry) == ITEM_LENGTH and entry[:22] == bytes(4) + PROVIDER + b"\x07\x00":
        return int.from_bytes(entry[38:44], "big"), int.from_bytes(entry[62:68], "big")
    raise ItemError("ErrorInvalidIdMalformed")


def change_key(kind: int, replica: bytes, change: int) -> str:
    """A change key: the object kind (9 for mail, hence CQAAABYAAAB…), and PidTagChangeKey's GUID and counter."""
    packed = struct.pack("<II", kind, 22) + replica + change.to_bytes(6, "big")
    return base64.b64encode(packed).decode("ascii")


def parse_change_key(text: str) -> int:
    """The change number in a change key; ItemError ErrorInvalidChangeKey if it does not parse."""
    try:
        data = base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError) as failure:
        raise ItemError("ErrorInvalidChangeKey") from failure
    if len(data) != 30 or data[4:8] != b"\x16\0\0\0":
        raise ItemError("ErrorInvalidChangeKey")
    return int.from_bytes(data[24:30], "big")


def to_format(form: str, mailbox: str, entry: bytes) -> str:
    """The id in one of the FORMATS of ConvertId."""
    if form == "HexEntryId":
        return entry.hex().upper()
    if form == "EntryId":
        return base64.b64encode(entry).decode("ascii")
    if form == "StoreId":
        return base64.b64encode(entry + bytes([len(entry)])).decode("ascii")
    text = ews_id(mailbox, entry)
    return text.replace("/", "-").replace("+", "_") if form == "OwaId" else text


def from_format(form: str, text: str, mailbox: str) -> Reference:
    """Read an id in one of the FORMATS; formats without a mailbox in them are taken to mean `mailbox`."""
    if not text:
        raise ItemError("ErrorInvalidIdEmpty")
    if form == "OwaId":
        return parse_ews_id(text.replace("-", "/").replace("_", "+"))
    if form in ("EwsId", "EwsLegacyId"):
        return parse_ews_id(text)
    try:
        entry = bytes.fromhex(text) if form == "HexEntryId" else base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError) as failure:
        raise ItemError("ErrorInvalidIdMalformed") from failure
    if form == "StoreId":
        entry = entry[:-1]
    folder, item = parse_entry_id(entry)
    return Reference(mailbox, folder, item)
