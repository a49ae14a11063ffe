"""Content lines and components of iCalendar (RFC 5545 section 3.1), exactly as they stand. Pure.

A line that nobody here understands comes out as it went in, with its escapes and the order of its parameters; a library that
decodes and encodes every value cannot promise that. Parameter values may be encoded as in RFC 6868.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from collections.abc import Iterator
from dataclasses import dataclass
from dataclasses import field

from ews_bridge.errors import BadItem

_NAME = re.compile(r"[A-Za-z0-9-]+")
_PARAMETER = re.compile(r';([A-Za-z0-9-]+)=((?: *"[^"]*"|[^";:,]*)(?:,(?: *"[^"]*"|[^";:,]*))*)')
_VALUES = re.compile(r' *"([^"]*)"|([^",]+)')
_ESCAPE = re.compile(r"\\(.)", re.DOTALL)
_CARET = {"^n": "\n", "^N": "\n", "^'": '"', "^^": "^"}
_FORBIDDEN = re.compile(r"[\x00-\x08\x0b-\x1f\x7f\ufffe\uffff]")


@dataclass(frozen=True, slots=True)
class Line:
    """One content line: name in upper case, parameters in order, the value as it is written."""

    name: str
    value: str
    parameters: tuple[tuple[str, str], ...] = ()

    def parameter(self, name: str) -> str:
        """The first value of a parameter, decoded; "" when absent."""
        return next((_first(value) for key, value in self.parameters if key == name), "")

    def without(self, *names: str) -> Line:
        return Line(self.name, self.value, tuple(one for one in self.parameters if one[0] not in names))

    def __str__(self) -> str:
        return "".join((self.name, *(f";{key}={value}" for key, value in self.parameters), ":", self.value))


@dataclass(frozen=True, slots=True)
class Component:
    """A component: its name, its own lines and the components in it."""

    name: str
    lines: tuple[Line, ...] = ()
    components: tuple[Component, ...] = ()

    def line(self, name: str) -> Line | None:
        return next((line for line in self.lines if line.name == name), None)

    def all(self, name: str) -> list[Line]:
        return [line for line in self.lines if line.name == name]

    def value(self, name: str) -> str:
        """The first value of a property as it is written; "" when absent."""
        line = self.line(name)
        return line.value if line else ""

    def text(self, name: str) -> str:
        """The first value of a TEXT property, decoded."""
        return unescape(self.value(name))

    def inside(self, name: str) -> list[Component]:
        return [component for component in self.components if component.name == name]

    def __iter__(self) -> Iterator[str]:
        """Its lines, unfolded, with BEGIN and END."""
        yield f"BEGIN:{self.name}"
        yield from map(str, self.lines)
        for component in self.components:
            yield from component
        yield f"END:{self.name}"


@dataclass(slots=True)
class _Open:
    name: str
    lines: list[Line] = field(default_factory=list)
    components: list[Component] = field(default_factory=list)

    def close(self) -> Component:
        return Component(self.name, tuple(self.lines), tuple(self.components))


def components(data: bytes) -> list[Component]:
    """The outermost components of a file. Lines that are none, as broken clients write them, are an error: `BadItem`."""
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise BadItem(f"the file is not UTF-8 (byte {error.start})") from error
    root = nest(unfold(text))
    if root.lines:
        raise BadItem(f"the file begins with {str(root.lines[0])[:40]!r}, not with BEGIN:VCALENDAR")
    return list(root.components)


def nest(lines: Iterable[str]) -> Component:
    """Unfolded lines, of which empty ones do not count, as a component without a name, which holds what they hold."""
    stack = [_Open("")]
    for text in filter(None, lines):
        line = parse(text)
        if line.name == "BEGIN":
            stack.append(_Open(line.value.strip().upper()))
        elif line.name == "END":
            name = line.value.strip().upper()
            if len(stack) == 1 or stack[-1].name != name:
                raise BadItem(f"END:{name} where no {name} is open")
            done = stack.pop().close()
            stack[-1].components.append(done)
        else:
            stack[-1].lines.append(line)
    if len(stack) > 1:
        raise BadItem(f"{stack[-1].name} has no end: the file is cut off")
    return stack[0].close()


def parse(text: str) -> Line:
    """One unfolded line; `BadItem` when it is no content line."""
    name = _NAME.match(text)
    position = name.end() if name else 0
    parameters: list[tuple[str, str]] = []
    while found := _PARAMETER.match(text, position):
        parameters.append((found[1].upper(), found[2]))
        position = found.end()
    if not name or text[position : position + 1] != ":":
        raise BadItem(f"no iCalendar line: {text[:60]!r}")
    return Line(name[0].upper(), text[position + 1 :], tuple(parameters))


def unfold(text: str) -> Iterator[str]:
    """The lines of a text, folded ones made whole, empty ones and control characters (no server takes them) left out."""
    held = ""
    for line in text.replace("\r\n", "\n").split("\n"):
        if line[:1] in (" ", "\t"):
            held += line[1:]
            continue
        if held.strip():
            yield _FORBIDDEN.sub("", held)
        held = line
    if held.strip():
        yield _FORBIDDEN.sub("", held)


def fold(lines: Iterable[str]) -> bytes:
    """A file: CRLF line ends, no line longer than 75 bytes, no character torn apart."""
    pieces: list[bytes] = []
    for line in lines:
        data = line.encode()
        limit = 75
        while len(data) > limit:
            cut = limit
            while data[cut] & 0xC0 == 0x80:
                cut -= 1
            pieces += [data[:cut], b"\r\n "]
            data = data[cut:]
            limit = 74
        pieces += [data, b"\r\n"]
    return b"".join(pieces)


def escape(text: str) -> str:
    """A TEXT value (section 3.3.11)."""
    text = text.replace("\\", "\\\\").replace(";", "\\;").replace(",", "\\,")
    return text.replace("\r\n", "\n").replace("\r", "\n").replace("\n", "\\n")


def unescape(value: str) -> str:
    return _ESCAPE.sub(lambda found: "\n" if found[1] in "nN" else found[1], value)


def split(value: str) -> list[str]:
    """The parts of a TEXT list, decoded: at commas that are not escaped."""
    return [unescape(part) for part in re.findall(r"(?:\\.|[^,\\])+", value, re.DOTALL)]


def quote(value: str) -> str:
    """A parameter value: encoded (RFC 6868), in quotes where it must be."""
    value = value.replace("^", "^^").replace("\r\n", "\n").replace("\n", "^n").replace('"', "^'")
    return f'"{value}"' if re.search(r"[,;:]", value) else value


def _first(value: str) -> str:
    found = _VALUES.match(value)
    text = (found[1] or found[2] or "") if found else ""
    return re.sub(r"\^[nN'^]", lambda one: _CARET[one[0]], text)
