"""PidLidGlobalObjectId, by which all copies of a meeting know each other, and the UID that stands for it.

MS-OXOCAL 2.2.1.27: 16 fixed bytes, the day of the one occurrence meant (zeros for the series or a single meeting), when it
was made, 8 zeros, and data with its length. A UID that is not such an id in hexadecimal is wrapped in it
(MS-OXCICAL 2.1.3.1.1.20.26).
"""

from __future__ import annotations

import datetime as dt
import struct

HEAD = bytes.fromhex("040000008200E00074C5B7101A82E008")
FOREIGN = b"vCal-Uid\x01\0\0\0"
_SHORTEST = 40


def made(created: int, data: bytes) -> bytes:
    """A new id from 16 random bytes; `created` is seconds since 1970."""
    stamp = (created + 11_644_473_600) * 10_000_000
    return HEAD + bytes(4) + stamp.to_bytes(8, "little") + bytes(8) + struct.pack("<I", len(data)) + data


def of_uid(uid: str) -> bytes:
    """The id that a UID stands for, without the day of an occurrence."""
    try:
        packed = bytes.fromhex(uid)
    except ValueError:
        packed = b""
    if packed.startswith(HEAD) and len(packed) >= _SHORTEST:
        return clean(packed)
    data = FOREIGN + uid.encode("utf-8") + b"\0"
    return HEAD + bytes(20) + struct.pack("<I", len(data)) + data


def uid_of(identifier: bytes) -> str:
    """The UID of an id: the foreign one in it, or the id in hexadecimal."""
    data = identifier[_SHORTEST:]
    if data.startswith(FOREIGN):
        return data[len(FOREIGN) :].rstrip(b"\0").decode("utf-8", "replace")
    return clean(identifier).hex().upper()


def clean(identifier: bytes) -> bytes:
    """PidLidCleanGlobalObjectId: the same without the day of an occurrence."""
    return identifier[:16] + bytes(4) + identifier[20:]


def of_day(identifier: bytes, day: dt.date) -> bytes:
    """The id of one occurrence."""
    return identifier[:16] + struct.pack(">HBB", day.year, day.month, day.day) + identifier[20:]


def day_of(identifier: bytes) -> dt.date | None:
    """The day of the occurrence that an id means; None for a series or a single meeting."""
    year, month, day = struct.unpack(">HBB", identifier[16:20])
    return dt.date(year, month, day) if year else None
