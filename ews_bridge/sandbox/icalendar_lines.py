"""The syntax of iCalendar (RFC 5545 section 3.1) and vCard: components of content lines, read leniently and written strictly.

What the lines mean is not known here.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from dataclasses import field

FOLDED = re.compile(r"\r?\n[ \t]")
# A vCard may have a group before the name of a property (RFC 6350 section 3.3), which says nothing here.
LINE = re.compile(r"(?:[A-Za-z0-9-]+\.)?(?P<name>[A-Za-z0-9-]+)(?P<rest>[;:].*)", re.DOTALL)
PARAMETER = re.compile(r';(?P<name>[A-Za-z0-9-]+)=(?P<values>(?:"[^"]*"|[^";:,]*)(?:,(?:"[^"]*"|[^";:,]*))*)')
VALUE = re.compile(r'"([^"]*)"|([^,]+)')
ESCAPED = re.compile(r"\\(.)", re.DOTALL)
WIDTH = 75


@dataclass(frozen=True, slots=True)
class Line:
    """A property: its name in upper case, its parameters by name in upper case, and its value as it stands."""

    name: str
    value: str
    parameters: dict[str, str] = field(default_factory=dict)

    @property
    def text(self) -> str:
        """The value as text, without escapes."""
        return ESCAPED.sub(lambda found: "\n" if found[1] in "nN" else found[1], self.value)

    @property
    def texts(self) -> list[str]:
        """The value as a list of texts."""
        return [Line("", piece).text.strip() for piece in re.split(r"(?<!\\),", self.value) if piece.strip()]


@dataclass(slots=True)
class Component:
    """What stands between BEGIN and END."""

    name: str
    lines: list[Line] = field(default_factory=list)
    components: list[Component] = field(default_factory=list)

    def line(self, name: str) -> Line | None:
        """The first property of that name."""
        return next(self.all(name), None)

    def all(self, name: str) -> Iterator[Line]:
        return (line for line in self.lines if line.name == name)

    def text(self, name: str) -> str:
        """The text of the first property of that name, '' without one."""
        found = self.line(name)
        return "" if found is None else found.text

    def within(self, name: str) -> Iterator[Component]:
        """The components of that name directly within this one."""
        return (one for one in self.components if one.name == name)


def parse(text: str) -> Component:
    """The first component of a text; ValueError if there is none, or if components are not closed as they were opened."""
    open_ones: list[Component] = []
    for raw in FOLDED.sub("", text.lstrip("\ufeff")).splitlines():
        found = LINE.fullmatch(raw.strip("\r"))
        if found is None:
            continue
        line = _line(found)
        if line.name == "BEGIN":
            made = Component(line.value.strip().upper())
            if open_ones:
                open_ones[-1].components.append(made)
            open_ones.append(made)
        elif line.name == "END":
            if not open_ones or open_ones[-1].name != line.value.strip().upper():
                raise ValueError(f"END:{line.value} closes nothing")
            closed = open_ones.pop()
            if not open_ones:
                return closed
        elif open_ones:
            open_ones[-1].lines.append(line)
    raise ValueError("no whole component")


def _line(found: re.Match[str]) -> Line:
    rest = found["rest"]
    parameters: dict[str, str] = {}
    position = 0
    while parameter := PARAMETER.match(rest, position):
        values = ["".join(groups) for groups in VALUE.findall(parameter["values"])]
        name = parameter["name"].upper()
        parameters[name] = ",".join([parameters[name], *values] if name in parameters else values)
        position = parameter.end()
    return Line(found["name"].upper(), rest[position:].removeprefix(":"), parameters)


def write(component: Component) -> str:
    """The component with CRLF and folded lines."""
    return "".join(f"{fold(line)}\r\n" for line in _lines_of(component))


def _lines_of(component: Component) -> Iterator[str]:
    yield f"BEGIN:{component.name}"
    for line in component.lines:
        given = "".join(f";{name}={_quoted(value)}" for name, value in line.parameters.items())
        yield f"{line.name}{given}:{line.value}"
    for inner in component.components:
        yield from _lines_of(inner)
    yield f"END:{component.name}"


def _quoted(value: str) -> str:
    value = value.replace('"', "'")
    return f'"{value}"' if re.search("[,;:]", value) else value


def fold(line: str) -> str:
    """Fold after at most 75 bytes, never within a character."""
    pieces: list[str] = []
    piece, width = "", 0
    for character in line:
        size = len(character.encode("utf-8", "replace"))
        if width + size > WIDTH - (1 if pieces else 0):
            pieces.append(piece)
            piece, width = "", 0
        piece += character
        width += size
    return "\r\n ".join([*pieces, piece])


def escape(text: str) -> str:
    """A text as a value."""
    escaped = text.replace("\\", "\\\\").replace(";", "\\;").replace(",", "\\,")
    return escaped.replace("\r\n", "\n").replace("\r", "\n").replace("\n", "\\n")
