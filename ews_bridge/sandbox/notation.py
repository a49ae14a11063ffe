"""The notation of vocabulary.py, read into automata. One line per type:

    Name = PARTICLE ... @attribute ...          what the element contains, in this order, and its attributes
    Name = .TYPE @attribute ...                 text of a simple type
    Name < VALUE VALUE ...                      one of these texts
    %Name = A | B ...                           part of a content, used as %Name
    particle   Child | Child:TYPE | Child{CONTENT} | Child<VALUE|VALUE> | %Name | (P P ...) | (P | P ...); with ? * +
    ^Name      at the beginning of a content: everything of that type comes first
    @attr?     an attribute that may be missing; the rest as for Child

A child without TYPE has the type of its own name, or is a string where there is none. The children of an operation are in
the messages namespace, everything below is in the types namespace.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from collections.abc import Iterable
from collections.abc import Iterator
from dataclasses import dataclass
from dataclasses import field
from functools import cache

from .markup import M
from .markup import T
from .vocabulary import OPERATIONS
from .vocabulary import TYPES

_XS = "http://www.w3.org/2001/XMLSchema"


@dataclass(frozen=True, slots=True)
class Simple:
    """A type of text. `reason` says what is wrong with a text, or nothing; `values` are all there are, if few."""

    name: str
    reason: Callable[[str], str | None]
    values: frozenset[str] = frozenset()


@dataclass(slots=True)
class Complex:
    """A type of element; `text` is None where only children may stand.

    `steps` is the content as an automaton. Its state is the child that was read last (0: none yet); as no schema lets one
    name mean two children at the same place, the next name decides. `tags` and `kinds` describe the child of each state.
    """

    attributes: dict[str, tuple[Simple, bool]] = field(default_factory=dict)
    text: Simple | None = None
    content: Node | None = None
    anything: bool = False
    steps: list[dict[str, int]] = field(default_factory=lambda: [{}])
    tags: list[str] = field(default_factory=lambda: [""])
    kinds: list[str | Complex | Simple] = field(default_factory=lambda: ["str"])
    final: set[int] = field(default_factory=set)


# Simple types


def _pattern(name: str, pattern: str, reason: str) -> Simple:
    matches = re.compile(pattern).fullmatch
    return Simple(f"{_XS}:{name}" if ":" not in name else name, lambda text: None if matches(text) else reason)


def _number(name: str, low: int, high: int, reason: str) -> Simple:
    lexical = re.compile(r"\s*[+-]?\d+\s*").fullmatch

    def check_number(text: str) -> str | None:
        if not lexical(text):
            return reason
        if not low <= int(text) <= high:
            return "The MaxInclusive constraint failed." if int(text) > high else "The MinInclusive constraint failed."
        return None

    return Simple(f"{_XS}:{name}" if name.islower() else f"{T}:{name}Type", check_number)


def _enumeration(name: str, values: Iterable[str]) -> Simple:
    known = frozenset(values)
    reason = "The Enumeration constraint failed."
    return Simple(f"{T}:{name}Type", lambda text: None if text in known else reason, known)


def _list_of(name: str, values: Iterable[str]) -> Simple:
    known = frozenset(values)
    reason = "The Enumeration constraint failed."
    return Simple(f"{T}:{name}Type", lambda text: None if known.issuperset(text.split()) else reason)


def _base64_reason(text: str) -> str | None:
    digits = "".join(text.split())  # attachments come in here: no pattern that counts characters
    if len(digits) % 4 == 0 and _BASE64(digits):
        return None
    return "The string is not a valid Base64 value."


_BASE64 = re.compile(r"[A-Za-z0-9+/]*={0,2}").fullmatch
_DAY = r"-?\d{4,}-(?:0[1-9]|1[0-2])-(?:0[1-9]|[12]\d|3[01])"
_CLOCK = r"(?:(?:[01]\d|2[0-3]):[0-5]\d:[0-5]\d(?:\.\d+)?|24:00:00(?:\.0+)?)"
_ZONE = r"(?:Z|[+-](?:(?:0\d|1[0-3]):[0-5]\d|14:00))?"
_DATE_REASON = "The string is not a valid XsdDateTime value."
_INT_REASON = "The string is not a valid Int32 value."
_PATTERN_REASON = "The Pattern constraint failed."
_INT = 2**31

_SIMPLE = {
    "str": Simple(f"{_XS}:string", lambda _: None),
    "NonEmptyString": Simple(f"{T}:NonEmptyStringType", lambda text: None if text else "The MinLength constraint failed."),
    "bool": _pattern("boolean", r"\s*(?:true|false|0|1)\s*", "The string is not a valid Boolean value."),
    "int": _number("int", -_INT, _INT - 1, _INT_REASON),
    "float": _pattern("double", r"\s*(?:[+-]?(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?|-?INF|NaN)\s*", "Not a Double value."),
    "datetime": _pattern("dateTime", rf"\s*{_DAY}T{_CLOCK}{_ZONE}\s*", _DATE_REASON),
    "date": _pattern("date", rf"\s*{_DAY}{_ZONE}\s*", _DATE_REASON),
    "time": _pattern("time", rf"\s*{_CLOCK}{_ZONE}\s*", _DATE_REASON),
    "duration": _pattern(
        "duration",
        r"\s*-?P(?=\d|T\d)(?:\d+Y)?(?:\d+M)?(?:\d+D)?(?:T(?=\d)(?:\d+H)?(?:\d+M)?(?:\d+(?:\.\d+)?S)?)?\s*",
        "The string is not a valid TimeSpan value.",
    ),
    "base64": Simple(f"{_XS}:base64Binary", _base64_reason),
    "language": _pattern("language", r"\s*[A-Za-z]{1,8}(?:-[A-Za-z0-9]{1,8})*\s*", _PATTERN_REASON),
    "Guid": _pattern(f"{T}:GuidType", r"[0-9A-Fa-f]{8}(?:-[0-9A-Fa-f]{4}){3}-[0-9A-Fa-f]{12}", _PATTERN_REASON),
    "PropertyTag": _pattern(f"{T}:PropertyTagType", r"(?:0x|0X)[0-9A-Fa-f]{1,4}|\s*\+?\d{1,5}\s*", _PATTERN_REASON),
    "Bitmask": _pattern(f"{T}:ExcludesAttributeType", r"0[xX][0-9A-Fa-f]*|[0-9]*", _PATTERN_REASON),
    "MaxSyncChangesReturned": _number("MaxSyncChangesReturned", 1, 512, _INT_REASON),
    "ReminderMinutesBeforeStart": _number("ReminderMinutesBeforeStart", 0, 1525252321, _INT_REASON),
    "MaxItems": _number("MaxItems", 0, 200, _INT_REASON),
    "Minutes": _number("SubscriptionTimeout", 1, 1440, _INT_REASON),
    "StreamMinutes": _number("StreamingSubscriptionConnectionTimeout", 1, 30, _INT_REASON),
    "DaysOfWeek": _list_of(
        "DaysOfWeek",
        ["Sunday", "Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Day", "Weekday", "WeekendDay"],
    ),
    "UserConfigurationProperties": _list_of("UserConfigurationProperty", ("Id", "Dictionary", "XmlData", "BinaryData", "All")),
}


# Reading the tables


@dataclass(frozen=True, slots=True)
class Node:
    """Part of a content: a child (`tag`, `kind`), or a sequence or a choice of parts; `repeat` is "", "?", "*" or "+"."""

    parts: tuple[Node, ...] = ()
    choice: bool = False
    repeat: str = ""
    tag: str = ""
    kind: str | Complex | Simple = "str"


_TOKEN = re.compile(r"(?P<name>[@^%.]?[A-Za-z][\w]*)(?::(?P<type>\w+))?(?:<(?P<values>[^>]*)>)?|(?P<mark>[(){}|?*+])|\s+")


def names(table: str) -> Iterator[str]:
    """What a table defines."""
    return iter(_definitions(table))


@cache
def _definitions(table: str) -> dict[str, str]:
    """Name to definition; a line that is indented continues the one before, # begins a comment."""
    lines: list[str] = []
    for line in table.splitlines():
        line = line.partition("#")[0].rstrip()
        if line.startswith(" "):
            lines[-1] += line
        elif line:
            lines.append(line)
    found = {}
    for line in lines:
        name, sign, definition = re.split(r"\s+([=<])(?:\s+|$)", line, maxsplit=1)
        found[name] = sign + definition
    return found


@cache
def operation_type(name: str) -> Complex | None:
    """The type of an operation's element; None for operations without a table."""
    if name not in _definitions(OPERATIONS):
        return None
    return _finished(_Reader(_definitions(OPERATIONS)[name][1:], M).content())


@cache
def type_named(name: str) -> Complex | Simple:
    """The type of that name, from the tables or the simple ones above. Raises KeyError."""
    if name in _SIMPLE:
        return _SIMPLE[name]
    definition = _definitions(TYPES)[name]
    if definition[0] == "<":
        values = definition[1:].split()
        return _enumeration(name, _prefixed(values))
    return _finished(_Reader(definition[1:], T).content())


def _prefixed(values: Iterable[str]) -> Iterator[str]:
    """`item: Subject Size` stands for item:Subject item:Size."""
    prefix = ""
    for value in values:
        if value.endswith(":"):
            prefix = value
        else:
            yield prefix + value


def _simple(name: str) -> Simple:
    kind = type_named(name)
    assert isinstance(kind, Simple), name
    return kind


class _Reader:
    """Reads one content; `namespace` is that of its outermost children."""

    def __init__(self, text: str, namespace: str) -> None:
        self._tokens = [match for match in _TOKEN.finditer(text) if not match[0].isspace()]
        assert sum(len(each[0]) for each in self._tokens) == len("".join(text.split())), text
        self._namespace = namespace

    def content(self) -> Complex:
        """Everything up to the end, or to the brace that closes it."""
        result = Complex()
        parts: list[Node] = []
        while self._tokens and self._peek() != "}":
            name = self._tokens[0]["name"] or ""
            match name[:1]:
                case "^":
                    base = type_named(self._take()["name"][1:])
                    assert isinstance(base, Complex)
                    result.attributes |= base.attributes
                    result.text = base.text
                    if base.content:
                        parts.append(base.content)
                case ".":
                    result.text = _simple(self._take()["name"][1:])
                case "@":
                    kind, name = self._kind(self._take()), name[1:]
                    optional = self._skip("?")
                    assert isinstance(kind, (str, Simple))
                    result.attributes[name] = (_simple(kind) if isinstance(kind, str) else kind, not optional)
                case _:
                    parts.append(self._alternatives(stop="}"))
        if len(parts) == 1 and parts[0].tag == "anything":
            result.anything = True
        result.content = Node(tuple(parts))
        return result

    def _alternatives(self, stop: str) -> Node:
        """One particle, or within parentheses several in sequence or in choice."""
        if not self._skip("("):
            return self._particle()
        sequences: list[list[Node]] = [[]]
        while not self._skip(")"):
            if self._skip("|"):
                sequences.append([])
            else:
                sequences[-1].append(self._alternatives(stop=")"))
        parts = tuple(each[0] if len(each) == 1 else Node(tuple(each)) for each in sequences)
        return Node(parts, choice=True, repeat=self._repeat())

    def _particle(self) -> Node:
        token = self._take()
        name = token["name"]
        if name[0] == "%":
            group = _Reader(f"({_definitions(TYPES)[name][1:]})", self._namespace)._alternatives(stop="")
            return Node((group,), repeat=self._repeat())
        kind = self._kind(token)
        return Node(tag=name if name == "anything" else f"{{{self._namespace}}}{name}", kind=kind, repeat=self._repeat())

    def _kind(self, token: re.Match[str]) -> str | Complex | Simple:
        name = token["name"].lstrip("@")
        if token["values"] is not None:
            return _enumeration(name, token["values"].split("|"))
        if token["type"]:
            return token["type"]
        if self._skip("{"):
            before, self._namespace = self._namespace, T
            inner = _finished(self.content())
            self._namespace = before
            assert self._skip("}"), name
            return inner
        return name if name in _SIMPLE or name in _definitions(TYPES) else "str"

    def _repeat(self) -> str:
        return self._take()[0] if self._peek() in ("?", "*", "+") else ""

    def _peek(self) -> str:
        return self._tokens[0][0] if self._tokens else ""

    def _take(self) -> re.Match[str]:
        return self._tokens.pop(0)

    def _skip(self, mark: str) -> bool:
        if self._peek() != mark:
            return False
        self._take()
        return True


# Contents as automata (Glushkov's construction)


def _finished(kind: Complex) -> Complex:
    if kind.content is not None and not kind.anything:
        nullable, first, last = _build(kind.content, kind)
        _connect([0], first, kind)
        kind.final = set(last) | ({0} if nullable else set())
    return kind


def _build(node: Node, kind: Complex) -> tuple[bool, list[int], list[int]]:
    """Add the states of `node`: whether it may be empty, the states it can begin with, and those it can end with."""
    if node.tag:
        state = len(kind.steps)
        kind.steps.append({})
        kind.tags.append(node.tag)
        kind.kinds.append(node.kind)
        nullable, first, last = False, [state], [state]
    elif node.choice:
        built = [_build(part, kind) for part in node.parts]
        nullable = any(each[0] for each in built)
        first = [state for each in built for state in each[1]]
        last = [state for each in built for state in each[2]]
    else:
        nullable, first, last = True, [], []
        for part in node.parts:
            empty, begins, ends = _build(part, kind)
            _connect(last, begins, kind)
            first = first + begins if nullable else first
            last = last + ends if empty else ends
            nullable = nullable and empty
    if node.repeat in ("*", "+"):
        _connect(last, first, kind)
    return nullable or node.repeat in ("?", "*"), first, last


def _connect(last: Iterable[int], begins: list[int], kind: Complex) -> None:
    following = {kind.tags[state]: state for state in begins}
    for state in last:
        kind.steps[state].update(following)
