"""UIDs, and what Exchange makes of them: PidLidGlobalObjectId (MS-OXOCAL 2.2.1.27; MS-OXCICAL 2.1.3.1.1.20.26). Pure..

An Exchange-made UID is the id's hexadecimal form. A foreign UID is wrapped in one behind `vCal-Uid`. The id of a single
occurrence carries its date, in four bytes that are nought in the id of the series.
"""

from __future__ import annotations

import re
from datetime import date

_PREFIX = "040000008200E00074C5B7101A82E008"
_HEXADECIMAL = re.compile(rf"{_PREFIX}(?:[0-9A-F]{{2}}){{24,}}")
_FOREIGN = b"vCal-Uid\x01\x00\x00\x00"
_HEAD = 40


def uid(text: str) -> str:
    """The UID of the series, as its files have it; any other UID as it is."""
    if not _HEXADECIMAL.fullmatch(text.upper()):
        return text
    data = bytes.fromhex(text)
    rest = data[_HEAD:]
    if rest.startswith(_FOREIGN):
        return rest[len(_FOREIGN) :].rstrip(b"\x00").decode("utf-8", "replace")
    return (data[:16] + bytes(4) + data[20:]).hex().upper()


def instance(text: str) -> date | None:
    """The day of the one occurrence that an id, in hexadecimal, names; None of a series or a single event."""
    if not _HEXADECIMAL.fullmatch(text.upper()):
        return None
    data = bytes.fromhex(text)
    try:
        return date(int.from_bytes(data[16:18], "big"), data[18], data[19])
    except ValueError:
        return None


def forms(text: str) -> tuple[str, str]:
    """(the hexadecimal id that Exchange gives to an event of this UID, the UID itself): what to look for on the server."""
    if _HEXADECIMAL.fullmatch(text.upper()):
        return uid(text), text
    wrapped = _FOREIGN + text.encode() + b"\x00"
    data = bytes.fromhex(_PREFIX) + bytes(20) + len(wrapped).to_bytes(4, "little") + wrapped
    return data.hex().upper(), text
