"""The lines of a vCard 3.0 and what two of them must share to mean the same. Knows neither files nor Exchange.

A line keeps its value as it stands in a file, with its escapes, so that what nobody understands goes through as it is.
RFC 2426 (3.0), RFC 6350 (4.0).
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import re
from collections.abc import Iterable
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date

import vobject.base
import vobject.icalendar

Params = tuple[tuple[str, tuple[str, ...]], ...]
#: Name, value, parameters, group, what stands beside.
Key = tuple[str, object, Params, str, tuple[object, ...]]

#: The year that means "no year" on the server: Apple's, whose telephones write there.
NO_YEAR = 1604
#: The same in a file, as khard has it: it takes no "--12-09" in 3.0, and Apple's programs are told by their parameter.
_OMITTED = 1900
KIND = "X-ADDRESSBOOKSERVER-KIND"
MEMBER = "X-ADDRESSBOOKSERVER-MEMBER"
LABEL = "X-ABLABEL"
#: Before a UID, where it is written as a URI.
URN = "urn:uuid:"
#: What other programs call a property that 3.0 has no name for.
SYNONYMS = {
    "ANNIVERSARY": "X-ANNIVERSARY",
    "X-EVOLUTION-ANNIVERSARY": "X-ANNIVERSARY",
    "X-KADDRESSBOOK-X-ANNIVERSARY": "X-ANNIVERSARY",
    "X-MS-ANNIVERSARY": "X-ANNIVERSARY",
    "X-EVOLUTION-ASSISTANT": "X-ASSISTANT",
    "X-KADDRESSBOOK-X-ASSISTANTSNAME": "X-ASSISTANT",
    "X-MS-ASSISTANT": "X-ASSISTANT",
    "X-EVOLUTION-MANAGER": "X-MANAGER",
    "X-KADDRESSBOOK-X-MANAGERSNAME": "X-MANAGER",
    "X-MS-MANAGER": "X-MANAGER",
    "X-EVOLUTION-SPOUSE": "X-SPOUSE",
    "X-KADDRESSBOOK-X-SPOUSESNAME": "X-SPOUSE",
    "X-MS-SPOUSE": "X-SPOUSE",
    "X-CHILDREN": "X-CHILD",
    "X-MS-CHILD": "X-CHILD",
    "X-MS-TEL": "TEL",
}
#: Several lines of these say the same as one with all their values.
LISTS = ("CATEGORIES", "NICKNAME", "X-CHILD")
_STRUCTURED = frozenset({"N", "ADR", "ORG"})
_DATES = frozenset({"BDAY", "X-ANNIVERSARY"})
#: Parameters that say how a value is written, not what it is.
NOTATION = frozenset({"VALUE", "ENCODING", "CHARSET", "X-APPLE-OMIT-YEAR"})
_CASELESS = frozenset({"TYPE", "LANGUAGE", "MEDIATYPE", "CALSCALE"})
#: Said for people, or told by the value itself. The directory names a member of a group by its own name.
_COMMENTS = {"PHOTO": ("TYPE", "MEDIATYPE"), MEMBER: ("CN", "X-CN")}
#: The types that a line has anyway.
_IMPLIED = {"EMAIL": {"internet"}, "TEL": {"voice"}, "KEY": {"x509"}}
_DATE = re.compile(r"(?:(\d{4})-?|--)(\d\d)-?(\d\d)(?:[T ].*)?")


@dataclass(frozen=True, slots=True)
class Line:
    """One property. `beside`: what stands in its group and belongs to it alone (`X-ABLABEL`, `X-ABADR`)."""

    name: str
    value: str
    params: Params = ()
    group: str = ""
    beside: tuple[Line, ...] = ()


def key(line: Line) -> Key:
    """What two lines share exactly when they mean the same. The name of a group means nothing when one property is in it."""
    name = SYNONYMS.get(line.name, line.name)
    implied = _IMPLIED.get(name, set())
    params: list[tuple[str, tuple[str, ...]]] = []
    for param, values in line.params:
        if param in NOTATION or param in _COMMENTS.get(name, ()):
            continue
        kept = {value.lower() for value in values} - implied if param in _CASELESS else set(values)
        if kept:
            params.append((param, tuple(sorted(kept))))
    group = "" if line.beside or not line.group else line.group.lower()
    return name, _meaning(name, line), tuple(sorted(params)), group, tuple(sorted(map(key, line.beside), key=repr))


def digest(lines: Iterable[Line]) -> str:
    """A digest that two cards share exactly when they mean the same, whatever the order of their lines."""
    keys = sorted(repr(key(line)) for line in lines)
    return hashlib.sha256("\n".join(keys).encode(errors="surrogatepass")).hexdigest()


def types(line: Line) -> frozenset[str]:
    """The TYPE values, in lower case."""
    return frozenset(value.lower() for param, values in line.params if param == "TYPE" for value in values)


def label(line: Line) -> str:
    """The X-ABLABEL beside a line: without Apple's brackets around its own words."""
    given = next((text(each.value) for each in line.beside if each.name == LABEL), "")
    return given.removeprefix("_$!<").removesuffix(">!$_")


def text(value: str) -> str:
    """A value without its escapes, as one text: commas in it are commas."""
    return str(vobject.icalendar.stringToTextValues(value, listSeparator="\0")[0])


def values(value: str) -> list[str]:
    """The texts of a list that commas separate."""
    return list(vobject.icalendar.stringToTextValues(value))


def components(value: str) -> list[list[str]]:
    """The components of a structured value, each a list of texts."""
    return [values(each) for each in vobject.icalendar.stringToTextValues(value, listSeparator=";", charList=";")]


def escaped(text: str) -> str:
    return str(vobject.base.backslashEscape(text))


def structured(parts: Sequence[str]) -> str:
    """A value of these components, each one text."""
    return ";".join(map(escaped, parts))


def binary(line: Line) -> bytes | None:
    """The bytes of an ENCODING=b value; None when it is none, or no base64."""
    if not any(param == "ENCODING" and values and values[0].lower() in ("b", "base64") for param, values in line.params):
        return None
    try:
        return base64.b64decode("".join(line.value.split()), validate=True)
    except binascii.Error:
        return None


def day(line: Line) -> date | None:
    """The day that a date property names, in `NO_YEAR` when it names no year; None for what is no day (a text, a month)."""
    found = _DATE.fullmatch(line.value.strip())
    if not found:
        return None
    omitted = next((values[0] for param, values in line.params if param == "X-APPLE-OMIT-YEAR" and values), "")
    year = int(found[1] or _OMITTED)
    if year == _OMITTED or str(year) == omitted:
        year = NO_YEAR
    try:
        return date(year, int(found[2]), int(found[3]))
    except ValueError:
        return None


def dated(name: str, when: date) -> Line:
    """A date property. 3.0 has no way to leave the year out: `_OMITTED`."""
    if when.year != NO_YEAR:
        return Line(name, when.isoformat())
    # 1900 was no leap year.
    year = NO_YEAR if (when.month, when.day) == (2, 29) else _OMITTED
    return Line(name, f"{year}-{when:%m-%d}", (("X-APPLE-OMIT-YEAR", (str(year),)),))


def _meaning(name: str, line: Line) -> object:
    data = binary(line)
    if data is not None:
        return hashlib.sha256(data).hexdigest()
    if name in _DATES:
        when = day(line)
        return when.isoformat() if when else text(line.value)
    if name in _STRUCTURED:
        parts = [tuple(filter(None, map(str.strip, part))) for part in components(line.value)]
        while parts and not parts[-1]:
            parts.pop()
        return tuple(parts)
    if name in LISTS:
        return tuple(sorted({each.strip() for each in values(line.value)} - {""}))
    said = text(line.value).strip()
    if name in (KIND, "KIND"):
        return said.lower()
    if name == MEMBER:
        return said.removeprefix(URN)
    return re.sub(r"(?i)^tel:", "", said) if name == "TEL" else said
