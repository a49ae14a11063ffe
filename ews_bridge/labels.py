"""Tags in the head of a mail file, where mail readers look for them: `X-Keywords` and `X-Label`. Pure.

    X-Keywords: todo, Project X       mu4e, OfflineIMAP: separated by commas
    X-Label: todo Project%20X         neomutt, mu4e: separated by spaces

What would separate two tags is written as %XX within one, and so is a "%" that would be read so; in X-Label that is the
space, in X-Keywords the comma. What is not ASCII is written by RFC 2047, and read in either spelling.

Somebody may write "Project X" into an X-Label by hand. That is one tag if we know such a tag; and while only a part of a
known name stands there, its words are no tags at all: they stay in the file, and nobody is told of them.

Must never do: change a byte of the file beside this field.
"""

from __future__ import annotations

import base64
import re
from collections.abc import Callable
from collections.abc import Collection
from collections.abc import Iterable
from collections.abc import Iterator
from dataclasses import dataclass
from enum import Enum

from ews_bridge import headers

_QUOTED = re.compile(r"%([0-9A-Fa-f]{2})")
_CONTROLS = "".join(map(chr, (*range(0x20), 0x7F)))


class Kind(Enum):
    """Which field, what stands between two tags, and what therefore cannot stand in one."""

    KEYWORDS = ("X-Keywords", ", ", ",")
    LABEL = ("X-Label", " ", " ")

    @property
    def field(self) -> str:
        return self.value[0]

    @property
    def pattern(self) -> re.Pattern[bytes]:
        """Every such field with its continuation lines and its last line end, where it has one."""
        return _PATTERNS[self]


_PATTERNS = {
    kind: re.compile(rb"^%s[ \t]*:((?:.*(?:\n[ \t].*)*))(?:\n|\Z)" % kind.field.encode(), re.IGNORECASE | re.MULTILINE)
    for kind in Kind
}


@dataclass(frozen=True, slots=True)
class Said:
    """What a head says: its tags, and words that may be a part of a tag that we know."""

    tags: frozenset[str] = frozenset()
    half_known: tuple[str, ...] = ()


def said(head: bytes, kind: Kind, known: Collection[str] = ()) -> Said:
    """The tags in a head. `known`: names of tags that may stand in an X-Label with spaces in them."""
    fields = [headers.decoded(headers.unfolded(found[1])) for found in kind.pattern.finditer(head)]
    if kind is Kind.KEYWORDS:
        words = [word.strip(" \t") for field in fields for word in field.split(",")]
        return Said(frozenset(_unquoted(word) for word in words if word))
    tags: set[str] = set()
    half: list[str] = []
    spaced = sorted((tuple(name.split()) for name in known if " " in name.strip()), key=len, reverse=True)
    parts = {word for name in spaced for word in name}
    for field in fields:
        words = [word for word in re.split(r"[ \t]", field) if word]
        while words:
            name = next((name for name in spaced if tuple(words[: len(name)]) == name), None)
            word = words[0]
            del words[: len(name) if name else 1]
            if name:
                tags.add(next(each for each in known if tuple(each.split()) == name))
            elif word in parts and word not in known:
                half.append(word)
            else:
                tags.add(_unquoted(word))
    return Said(frozenset(tags), tuple(half))


def rewritten(head: bytes, kind: Kind, tags: Collection[str], known: Collection[str] = ()) -> bytes:
    """The head with these tags. Unchanged when it says so already; half-known words stay."""
    now = said(head, kind, known)
    if now.tags == frozenset(tags):
        return head
    end = b"\r\n" if head.find(b"\r\n") >= 0 else b"\n"
    line = _line(kind, [_quoted(tag, kind) for tag in sorted(tags)] + list(now.half_known), end)
    found = kind.pattern.search(head)
    if found is None:
        return head + (end if head and not head.endswith(b"\n") else b"") + line
    rest = kind.pattern.sub(b"", head[found.end() :])
    return head[: found.start()] + line + rest


def renewed(pieces: Iterable[bytes], head: Callable[[bytes], bytes]) -> Iterator[bytes]:
    """A file in pieces, with what `head` makes of its head. One whose head does not end is given as it is."""
    source = iter(pieces)
    start = b""
    for piece in source:
        start += piece
        if (at := head_end(start)) >= 0:
            yield head(start[:at]) + start[at:]
            break
        if len(start) > headers.HEAD_MAX:
            yield start
            break
    else:
        yield start
    yield from source


def head_end(data: bytes) -> int:
    """Where the empty line after the head begins; -1 where there is none in what may be a head."""
    if data.startswith((b"\n", b"\r\n")):
        return 0
    found = _EMPTY.search(data, 0, headers.HEAD_MAX)
    return found.start(1) if found else -1


_EMPTY = re.compile(rb"\n(\r?\n)")


def _line(kind: Kind, words: list[str], end: bytes) -> bytes:
    """The field, folded at 76 columns, between tags where that can be."""
    if not words:
        return b""
    separator = kind.value[1]
    if all(word.isascii() for word in words) and not any("=?" in word for word in words):
        pieces = [word + separator.rstrip() for word in words[:-1]] + words[-1:]
    else:
        # As one text, cut anywhere: between two encoded words no space counts.
        pieces = _encoded_words(separator.join(words))
    lines = [f"{kind.field}:"]
    for piece in pieces:
        if len(lines[-1]) + len(piece) > 75 and lines[-1] != f"{kind.field}:":
            lines.append("")
        lines[-1] += f" {piece}"
    return end.join(line.encode("ascii") for line in lines) + end


def _encoded_words(text: str) -> list[str]:
    """RFC 2047, in base64; no word cuts a character."""
    found: list[str] = []
    some = b""
    for character in text:
        more = character.encode()
        if len(some) + len(more) > 42:
            found.append(_encoded_word(some))
            some = b""
        some += more
    return [*found, _encoded_word(some)]


def _encoded_word(data: bytes) -> str:
    return f"=?utf-8?b?{base64.b64encode(data).decode('ascii')}?="


def _quoted(tag: str, kind: Kind) -> str:
    """A tag as one word of the field. A space at its ends would be taken for one around it."""
    text = _QUOTED.sub(lambda found: f"%25{found[1]}", tag)
    text = "".join(f"%{ord(c):02X}" if c in _CONTROLS or c == kind.value[2] else c for c in text)
    inner = text.strip(" ")
    before, after = len(text) - len(text.lstrip(" ")), len(text) - len(text.rstrip(" "))
    return "%20" * before + inner + "%20" * after if inner else "%20" * len(text)


def _unquoted(word: str) -> str:
    return _QUOTED.sub(lambda found: chr(int(found[1], 16)), word)
