"""MAPI properties on the wire: which property an ExtendedFieldURI names, and its value as text and as a Python value.

A property is known by `PropertyName`: the number of its tag, or (property set GUID, name or number).  The distinguished
property sets are only other names for GUIDs, so both spellings name one property.  Values: SystemTime is whole seconds
since 1970 in UTC, Binary is bytes, integers are int, booleans bool, everything else str; arrays are lists of these.
"""

from __future__ import annotations

import base64
import binascii
import datetime as dt
import re
import time
import uuid
from collections.abc import Callable
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass

from .errors import ItemError
from .markup import Element
from .markup import put
from .markup import set_attribute
from .markup import t

PropertyName = int | tuple[str, str | int]
Scalar = str | int | bool | bytes
Value = Scalar | list[Scalar]
Bag = dict[PropertyName, tuple[str, Value]]

# MS-OXPROPS 1.3.2: the property sets which EWS calls by a name.
SETS = {
    "Meeting": "6ed8da90-450b-101b-98da-00aa003f1305",
    "Appointment": "00062002-0000-0000-c000-000000000046",
    "Common": "00062008-0000-0000-c000-000000000046",
    "PublicStrings": "00020329-0000-0000-c000-000000000046",
    "Address": "00062004-0000-0000-c000-000000000046",
    "InternetHeaders": "00020386-0000-0000-c000-000000000046",
    "CalendarAssistant": "11000e07-b51b-40d6-af21-caa85edab1d0",
    "UnifiedMessaging": "4442858e-a9e3-4e80-b900-317a210cc15b",
    "Task": "00062003-0000-0000-c000-000000000046",
    "Sharing": "00062040-0000-0000-c000-000000000046",
}
HEADERS_SET = SETS["InternetHeaders"]
KEYWORDS: PropertyName = (SETS["PublicStrings"], "Keywords")
INTEGERS = ("Integer", "Short", "Long")
FIELD_URI = t("ExtendedFieldURI")
PROPERTY = t("ExtendedProperty")


@dataclass(frozen=True, slots=True)
class PropertyPath:
    """An ExtendedFieldURI: the property, the type asked for, and the attributes to echo."""

    name: PropertyName
    type: str
    echo: tuple[tuple[str, str], ...]


def path_of(element: Element) -> PropertyPath:
    """Read an ExtendedFieldURI; ErrorInvalidExtendedProperty for a combination of attributes that names nothing.

    Tags are echoed in lower case and without padding (`0xe07`), as Exchange does: clients compare them as strings.
    """
    get = element.get
    kind = get("PropertyType") or ""
    tag, guid, distinguished = get("PropertyTag"), get("PropertySetId"), get("DistinguishedPropertySetId")
    name, number = get("PropertyName"), get("PropertyId")
    if tag is not None:
        if guid or distinguished or name is not None or number is not None:
            raise ItemError("ErrorInvalidExtendedProperty")
        value = int(tag, 0) if tag[:2].lower() == "0x" else int(tag)
        if value >= 0x8000:
            raise ItemError("ErrorNoPropertyTagForCustomProperties", "Custom properties have no property tag.")
        return PropertyPath(value, kind, (("PropertyTag", f"0x{value:x}"), ("PropertyType", kind)))
    if bool(guid) == bool(distinguished) or (name is None) == (number is None):
        raise ItemError("ErrorInvalidExtendedProperty")
    echo: list[tuple[str, str]] = []
    if distinguished:
        set_id = SETS.get(distinguished, "")
        echo.append(("DistinguishedPropertySetId", distinguished))
    else:
        set_id = (guid or "").lower()
        echo.append(("PropertySetId", set_id))
    key: str | int
    if name is not None:
        # Names in this set are mail header names, and those have no case (MS-OXPROPS 2.1.2).
        key = name.lower() if set_id == HEADERS_SET else name
        echo.append(("PropertyName", name))
    else:
        key = int(number or "0")
        echo.append(("PropertyId", str(key)))
    echo.append(("PropertyType", kind))
    return PropertyPath((set_id, key), kind, tuple(echo))


def parse_value(kind: str, texts: list[str]) -> Value:
    """The value of a property of this type; ErrorInvalidExtendedPropertyValue if a text does not fit it."""
    try:
        if kind.endswith("Array"):
            return [_parse(kind[:-5], text) for text in texts]
        return _parse(kind, texts[0] if texts else "")
    except (ValueError, binascii.Error, OverflowError) as failure:
        raise ItemError("ErrorInvalidExtendedPropertyValue") from failure


def format_value(kind: str, value: Value) -> list[str]:
    """The inverse of `parse_value`."""
    if isinstance(value, list):
        return [_format(kind.removesuffix("Array"), one) for one in value]
    return [_format(kind, value)]


def _parse(kind: str, text: str) -> Scalar:
    if kind in INTEGERS:
        return int(text.strip(), 0) if text.strip()[:2].lower() == "0x" else int(text.strip())
    if kind == "Boolean":
        if text.strip() not in ("true", "false", "1", "0", "True", "False"):
            raise ValueError(text)
        return text.strip() in ("true", "1", "True")
    if kind == "SystemTime":
        return parse_time(text)
    if kind == "Binary":
        return base64.b64decode(re.sub(r"\s+", "", text), validate=True)
    if kind == "CLSID":
        return str(uuid.UUID(text.strip()))
    if kind in ("Double", "Float", "Currency", "ApplicationTime"):
        float(text)
        return text.strip()
    return text


def _format(kind: str, value: Scalar) -> str:
    if isinstance(value, bytes):
        return base64.b64encode(value).decode("ascii")
    if isinstance(value, bool):
        return "true" if value else "false"
    if kind == "SystemTime" and isinstance(value, int):
        return format_time(value)
    return str(value)


def parse_time(text: str) -> int:
    """xs:dateTime as seconds since 1970; without a zone it is UTC; fractions of a second are dropped."""
    text = text.strip()
    plain = re.sub(r"\.\d+", "", text)
    moment = dt.datetime.fromisoformat(plain)
    if moment.tzinfo is None:
        moment = moment.replace(tzinfo=dt.UTC)
    return int(moment.timestamp())


@contextmanager
def told_in(offset: Callable[[int], int]) -> Iterator[None]:
    """In the block `format_time` tells times with an offset, which is in minutes east of Greenwich at a moment."""
    token = _OFFSET.set(offset)
    try:
        yield
    finally:
        _OFFSET.reset(token)


_OFFSET: ContextVar[Callable[[int], int]] = ContextVar("_OFFSET", default=lambda moment: 0)


def format_time(seconds: int) -> str:
    """Whole seconds with a Z, or with the offset of the zone that the request told as TimeZoneContext: Exchange's forms.

    Other forms break clients (DavMail, exchangelib).
    """
    minutes = _OFFSET.get()(seconds)
    moment = time.gmtime(seconds + minutes * 60)
    clock = f"{moment[0]:04}-{moment[1]:02}-{moment[2]:02}T{moment[3]:02}:{moment[4]:02}:{moment[5]:02}"
    return clock + offset_text(minutes)


def offset_text(minutes: int) -> str:
    """Z, or an offset as ISO 8601 has it."""
    if minutes == 0:
        return "Z"
    return f"{'+' if minutes > 0 else '-'}{abs(minutes) // 60:02}:{abs(minutes) % 60:02}"


def append_property(parent: Element, path: PropertyPath, value: Value) -> None:
    """Append an ExtendedProperty; an empty array is left out, the schema has no form for it."""
    if isinstance(value, list) and not value:
        return
    element = put(parent, PROPERTY)
    uri = put(element, FIELD_URI)
    for name, text in path.echo:
        set_attribute(uri, name, text)
    texts = format_value(path.type, value)
    if isinstance(value, list):
        values = put(element, t("Values"))
        for text in texts:
            put(values, t("Value"), text)
    else:
        put(element, t("Value"), texts[0])


def read_property(element: Element) -> tuple[PropertyPath, Value]:
    """The path and value of an ExtendedProperty of a request."""
    uri = element.find(FIELD_URI)
    if uri is None:
        raise ItemError("ErrorInvalidExtendedProperty")
    path = path_of(uri)
    single = element.find(t("Value"))
    values = element.find(t("Values"))
    if path.type.endswith("Array") != (values is not None):
        raise ItemError("ErrorInvalidExtendedPropertyValue")
    texts = [one.text or "" for one in values] if values is not None else [single.text or "" if single is not None else ""]
    return path, parse_value(path.type, texts)
