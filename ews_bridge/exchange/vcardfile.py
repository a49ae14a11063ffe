"""vCard files as lines, in 3.0 whatever they came in, and back. Refuses what is no vCard; knows nothing of Exchange.

vobject takes the text apart and writes it. Its components are not used: they cut every text at its first comma, and know one
version only. RFC 2426 (3.0), RFC 6350 (4.0), versit's vCard 2.1.
"""

from __future__ import annotations

import codecs
import io
import re
from collections.abc import Iterable
from collections.abc import Iterator
from collections.abc import Sequence
from dataclasses import replace
from urllib.parse import unquote_to_bytes

import vobject.base

from ews_bridge.errors import BadItem
from ews_bridge.exchange import vcard
from ews_bridge.exchange.vcard import Line
from ews_bridge.exchange.vcard import Params

VERSIONS = ("2.1", "3.0", "4.0")
#: Say nothing about the person: when and by what the file was written.
_ABOUT_THE_FILE = frozenset({"VERSION", "PRODID", "REV"})
#: What XML has no character for cannot be brought to the server: it goes before anything is compared.
_FORBIDDEN = {number: None for number in range(32) if number not in (9, 10, 13)} | {0xFFFE: None, 0xFFFF: None}
#: Octets; a longer line is folded.
_FOLDED = 75
_CHARSET = re.compile(rb"CHARSET=\"?([\w.-]+)", re.IGNORECASE)
_OLD = re.compile(rb"^VERSION:2\.1\s*$", re.IGNORECASE | re.MULTILINE)
_DATA = re.compile(r"data:(?:image|application|audio)/([\w.+-]+)(?:;[\w=.-]+)*;base64,(.*)", re.IGNORECASE | re.DOTALL)


def read(data: bytes) -> list[Line]:
    """The properties of the one card in a file, in their order, without those that are empty. `BadItem` says what is wrong."""
    text = _decode(data).translate(_FORBIDDEN).replace("\r\n", "\n").replace("\r", "\n")
    lines = list(_content_lines(text))
    if not lines or lines[0].name != "BEGIN" or lines[0].value.strip().upper() != "VCARD":
        raise BadItem("it is no vCard: it does not begin with BEGIN:VCARD")
    ends = [number for number, line in enumerate(lines) if line.name == "END"]
    if not ends:
        raise BadItem("the vCard is cut off: it has no END:VCARD")
    inside = lines[1 : ends[-1]]
    if len(ends) > 1 or any(line.name == "BEGIN" for line in inside) or ends[-1] != len(lines) - 1:
        raise BadItem("the file contains more than one vCard", hint="Keep one contact in a file.")
    version = next((line.value.strip() for line in inside if line.name == "VERSION"), "3.0")
    if version not in VERSIONS:
        raise BadItem(f"vCard {version} is unknown")
    return _merged(_grouped([_upgraded(line, version) for line in inside if _says_something(line)]))


def write(lines: Iterable[Line]) -> bytes:
    """A 3.0 file of these properties."""
    inside = (Line("VERSION", "3.0"), Line("PRODID", "-//ews-bridge//contacts//EN"), *_with_groups(_split(lines)))
    return _text((Line("BEGIN", "VCARD"), *inside, Line("END", "VCARD"))).encode()


def dumps(lines: Iterable[Line]) -> str:
    """Lines as text, to be kept somewhere."""
    return _text(_with_groups(lines)).replace("\r\n", "\n").rstrip("\n")


def loads(text: str) -> list[Line]:
    """What `dumps` wrote; what is no line any more is left out: others may write to that place, too."""
    found: list[str] = []
    for each in text.translate(_FORBIDDEN).replace("\r\n", "\n").split("\n"):
        if each[:1] in (" ", "\t") and found:
            found[-1] += each[1:]
        else:
            found.append(each)
    return _grouped([line for each in found if each.strip() for line in _tolerant(each)])


def _decode(data: bytes) -> str:
    if data.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        charset = "utf-16"
    else:
        try:
            return data.decode("utf-8-sig")
        except UnicodeDecodeError:
            declared = _CHARSET.search(data)
            # What Outlook wrote before there was UTF-8 in vCards says no charset at all.
            charset = declared[1].decode() if declared else "cp1252" if _OLD.search(data) else "utf-8"
    try:
        return data.decode(charset)
    except (UnicodeError, LookupError) as error:
        raise BadItem(f"its text cannot be read as {charset}", hint="Save the file as UTF-8.") from error


def _content_lines(text: str) -> Iterator[Line]:
    # Only there a line may end in "=" to say that it goes on.
    printable = "QUOTED-PRINTABLE" in text.upper()
    for logical, _ in vobject.base.getLogicalLines(io.StringIO(text), printable):
        yield _content_line(logical)


def _content_line(logical: str) -> Line:
    try:
        name, given, value, group = _decoded(logical.rstrip("\n"))
    except (vobject.base.VObjectError, LookupError, ValueError, TypeError) as error:
        raise BadItem(f"a line of the vCard cannot be read: {logical[:60].rstrip()!r}") from error
    params: dict[str, list[str]] = {}
    for param, *values in given:
        if values:
            params.setdefault(param.upper(), []).extend(each for value in values for each in _each(param, value))
        else:
            # 2.1: the value alone, where it is clear what it is the value of.
            encoding = param.upper() in ("BASE64", "B", "8BIT", "7BIT")
            params.setdefault("ENCODING" if encoding else "TYPE", []).append(param)
    params.pop("CHARSET", None)
    return Line(
        name.upper(), value.translate(_FORBIDDEN), tuple((param, tuple(params[param])) for param in sorted(params)), group or ""
    )


def _decoded(logical: str) -> tuple[str, list[list[str]], str, str | None]:
    """Name, parameters, value and group, without quoted-printable, which is 2.1's."""
    name, params, value, group = vobject.base.parseLine(logical)
    if not any("QUOTED-PRINTABLE" in map(str.upper, param) for param in params):
        return name, params, value, group
    line = vobject.base.textLineToContentLine(re.sub("(?i)quoted-printable", "QUOTED-PRINTABLE", logical, count=1))
    left = [[param, *values] for param, values in line.params.items()]
    return line.name, [*left, *([each] for each in line.singletonparams)], line.value, line.group


def _each(name: str, value: str) -> list[str]:
    # 4.0 quotes a list of types as if it were one.
    return [each.strip() for each in value.split(",") if each.strip()] if name.upper() == "TYPE" else [value]


def _tolerant(logical: str) -> Iterator[Line]:
    try:
        yield _content_line(logical)
    except BadItem:
        return


def _says_something(line: Line) -> bool:
    return line.name not in _ABOUT_THE_FILE and bool(line.value.strip(" \t\n;,"))


def _upgraded(line: Line, version: str) -> Line:
    """As 3.0 writes it."""
    if version == "2.1":
        line = _from_21(line)
    elif version == "4.0":
        line = _from_40(line)
    return replace(line, value=line.value.replace("\r\n", "\n").replace("\n", "\\n"))


def _from_21(line: Line) -> Line:
    params = dict(line.params)
    encoding = [each.upper() for each in params.pop("ENCODING", ())]
    if "BASE64" in encoding or "B" in encoding:
        return replace(line, value="".join(line.value.split()), params=_sorted(params | {"ENCODING": ("b",)}))
    # A comma is a comma there, except in a list of categories.
    value = line.value if line.name in vcard.LISTS else re.sub(r"(?<!\\),", r"\\,", line.value)
    return replace(line, value=value, params=_sorted(params))


def _from_40(line: Line) -> Line:
    params = dict(line.params)
    if params.get("PREF") == ("1",):
        params["TYPE"] = (*params.get("TYPE", ()), "pref")
        del params["PREF"]
    name, value = line.name, line.value
    if name == "KIND" and value.strip().lower() == "group":
        name = vcard.KIND
    elif name == "MEMBER":
        name = vcard.MEMBER
    elif name == "ANNIVERSARY" and vcard.day(line):
        name = "X-ANNIVERSARY"
    elif name == "TEL" and value.lower().startswith("tel:"):
        params.pop("VALUE", None)
        value = vcard.escaped(value[4:])
    elif name == "RELATED" and params.get("VALUE") == ("text",) and params.get("TYPE") in (("spouse",), ("child",)):
        name = "X-SPOUSE" if params["TYPE"] == ("spouse",) else "X-CHILD"
        params = {}
    elif found := _DATA.fullmatch(value.replace("\\,", ",").replace("\\;", ";")):
        # The comma is no list's: vobject, too, writes it escaped.
        params = {each: params[each] for each in params if each not in ("VALUE", "MEDIATYPE")}
        params |= {
            "ENCODING": ("b",),
            "TYPE": (*params.get("TYPE", ()), found[1].upper().removeprefix("X-").removeprefix("PKIX-")),
        }
        value = "".join(unquote_to_bytes(found[2]).decode(errors="replace").split())
    return replace(line, name=name, value=value, params=_sorted(params))


def _sorted(params: dict[str, tuple[str, ...]]) -> Params:
    return tuple(sorted(params.items()))


def _grouped(lines: Sequence[Line]) -> list[Line]:
    """With the labels put beside what they label, where that is clear: one property in the group, the rest Apple's."""
    groups: dict[str, list[Line]] = {}
    for line in lines:
        if line.group:
            groups.setdefault(line.group.lower(), []).append(line)
    found = []
    for line in lines:
        around = groups.get(line.group.lower(), [])
        heads = [each for each in around if not each.name.startswith("X-AB")]
        if len(heads) != 1:
            found.append(line)
        elif line is heads[0]:
            found.append(replace(line, beside=tuple(replace(each, group="") for each in around if each is not line)))
    return [replace(line, group="") if _alone(line, groups) else line for line in found]


def _alone(line: Line, groups: dict[str, list[Line]]) -> bool:
    return not line.beside and len(groups.get(line.group.lower(), ())) == 1


def _with_groups(lines: Iterable[Line]) -> Iterator[Line]:
    """Each line with what stands beside it, in a group that no other line is in."""
    lines = list(lines)
    used = {line.group.lower() for line in lines if line.group and not line.beside}
    for line in lines:
        if not line.beside:
            yield line
            continue
        wanted = [line.group] if line.group else []
        number = 0
        while not wanted or wanted[-1].lower() in used:
            number += 1
            wanted.append(f"item{number}")
        used.add(wanted[-1].lower())
        yield from (replace(each, group=wanted[-1], beside=()) for each in (line, *line.beside))


def _merged(lines: Sequence[Line]) -> list[Line]:
    """With the lists that stand on several lines on one."""
    found: list[Line] = []
    for line in lines:
        name = vcard.SYNONYMS.get(line.name, line.name)
        first = next((n for n, each in enumerate(found) if each.name == name and not each.params and not each.group), None)
        plain = name in vcard.LISTS and not line.params and not line.group
        if plain and first is not None:
            found[first] = replace(found[first], value=f"{found[first].value},{line.value}")
        else:
            found.append(replace(line, name=name) if plain else line)
    return found


def _split(lines: Iterable[Line]) -> Iterator[Line]:
    """With each child on a line of its own: readers that know the property as a text cut it at the first comma."""
    for line in lines:
        plain = line.name == "X-CHILD" and not (line.params or line.group or line.beside)
        several = vcard.values(line.value) if plain else []
        yield from (replace(line, value=vcard.escaped(each)) for each in several) if len(several) > 1 else (line,)


def _text(lines: Iterable[Line]) -> str:
    return "".join(map(_serialized, lines))


def _serialized(line: Line) -> str:
    params = (f";{name}={','.join(map(vobject.base.dquoteEscape, values))}" for name, values in line.params)
    whole = f"{line.group and line.group + '.'}{line.name}{''.join(params)}:{line.value}"
    if whole.isascii() and len(whole) > _FOLDED:
        # vobject folds letter by letter: a picture takes a second.
        return (
            "\r\n ".join([whole[:_FOLDED], *(whole[n : n + _FOLDED - 1] for n in range(_FOLDED, len(whole), _FOLDED - 1))])
            + "\r\n"
        )
    folded = io.StringIO()
    vobject.base.foldOneLine(folded, whole)
    return folded.getvalue()
