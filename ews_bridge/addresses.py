"""Lists of mail addresses as headers and command lines have them (RFC 5322 §3.4), and where in the text each one stands. Pure.

Tolerant of what is seen in the wild (bare names, comments, routes, groups, missing commas' spaces), and honest about the rest:
what cannot be understood makes the list unclear, so that nobody takes it for a list without recipients.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

# Comments are taken out by `_tokens`: they nest.
_TOKEN = re.compile(r'\s+|"(?:[^"\\]|\\.)*"|\[[^\[\]]*\]|[<>,;:@]|[^\s"\[<>,;:@()]+|.', re.DOTALL)
_LOCAL = re.compile(r'"(?:[^"\\\x00-\x1f\x7f]|\\[^\x00-\x1f\x7f])*"|[^\s"(),:;<>@\[\\\]\x00-\x1f\x7f]+')
_DOMAIN = re.compile(r"\[[0-9A-Za-z.:-]+\]|[^\s\"(),:;<>@\[\\\]\x00-\x1f\x7f.]+(?:\.[^\s\"(),:;<>@\[\\\]\x00-\x1f\x7f.]+)*\.?")


@dataclass(frozen=True, slots=True)
class Mailbox:
    """One address, without a name; `start` and `end`: its place in the text. One without "@" is a local name."""

    address: str
    start: int
    end: int
    angled: bool = False


@dataclass(frozen=True, slots=True)
class Found:
    """The addresses of a list, in its order. Not `clear`: part of it could not be understood."""

    mailboxes: tuple[Mailbox, ...]
    clear: bool


_Token = tuple[str, int]


def parse(text: str) -> Found:
    """All addresses in a list, those inside groups, too."""
    mailboxes: list[Mailbox] = []
    clear = True
    for element in _elements(text):
        one = _mailbox(element)
        if one is not None:
            mailboxes.append(one)
        elif any(not token.isspace() for token, _ in element):
            clear = False
    return Found(tuple(mailboxes), clear)


def valid(address: str) -> bool:
    """Whether it has the form of an address, or of a local name. Also of one in UTF-8 (RFC 6531)."""
    local, at, domain = address.rpartition("@")
    return bool(_LOCAL.fullmatch(local) and _DOMAIN.fullmatch(domain)) if at else bool(_LOCAL.fullmatch(domain))


def plain(address: str) -> str:
    """As it goes to the server: an international domain in ASCII (RFC 5890); the part before "@" stays."""
    local, at, domain = address.rpartition("@")
    if domain.isascii():
        return address
    try:
        return local + at + domain.encode("idna").decode()
    except UnicodeError:
        return address


def key(address: str) -> str:
    """Two addresses with one key are one mailbox: Exchange ignores case in all of it."""
    return plain(address).lower().removesuffix(".")


def phrase(name: str) -> str:
    """A display name for a header: as it is, quoted, or in RFC 2047 words."""
    if re.fullmatch(r"[A-Za-z0-9!#$%&'*+/=?^_`{|}~-]+(?: [A-Za-z0-9!#$%&'*+/=?^_`{|}~-]+)*", name) and "=?" not in name:
        return name
    if name.isascii() and "=?" not in name:
        return '"' + name.replace("\\", "\\\\").replace('"', '\\"') + '"'
    from binascii import b2a_base64

    words: list[bytes] = [b""]
    for letter in name:
        raw = letter.encode()
        if len(words[-1]) + len(raw) > 42:  # an encoded word has 75 characters at most
            words.append(b"")
        words[-1] += raw
    return " ".join(f"=?utf-8?B?{b2a_base64(word, newline=False).decode()}?=" for word in words)


def _elements(text: str) -> Iterator[list[_Token]]:
    """The tokens between commas; the name of a group and its end belong to none."""
    element: list[_Token] = []
    angled = False
    for token, start in _tokens(text):
        angled = token == "<" or (angled and token != ">")
        if not angled and token in (",", ";"):
            yield element
            element = []
        elif not angled and token == ":":
            element = []
        else:
            element.append((token, start))
    yield element


def _tokens(text: str) -> Iterator[_Token]:
    """Words and signs with their places; comments left out. What is never closed is a token of one letter."""
    position, depth = 0, 0
    while position < len(text):
        letter = text[position]
        if letter == "(":
            depth += 1
        if depth:
            position += 2 if letter == "\\" else 1
            depth -= letter == ")"
            continue
        found = _TOKEN.match(text, position)
        assert found is not None
        yield found[0], position
        position = found.end()
    if depth:
        yield "(", len(text)


def _mailbox(element: list[_Token]) -> Mailbox | None:
    signs = [token for token, _ in element]
    angled = "<" in signs
    if angled:
        opened = signs.index("<")
        if signs.count("<") > 1 or ">" not in signs[opened:]:
            return None
        closed = signs.index(">", opened)
        if any(not token.isspace() for token in signs[closed + 1 :]):
            return None
        element = element[opened + 1 : closed]
        if ":" in (tokens := [token for token, _ in element]):  # a route (obs-route)
            element = element[len(tokens) - tokens[::-1].index(":") :]
    while element and element[0][0].isspace():
        element = element[1:]
    while element and element[-1][0].isspace():
        element = element[:-1]
    if not element or not _is_joined(element):
        return None
    address = "".join(token for token, _ in element if not token.isspace())
    end = element[-1][1] + len(element[-1][0])
    return Mailbox(address, element[0][1], end, angled) if valid(address) else None


def _is_joined(element: list[_Token]) -> bool:
    """White space stands only around "@" and dots (obs-domain): two words are not an address."""
    for place in range(1, len(element) - 1):
        if element[place][0].isspace():
            before, after = element[place - 1][0], element[place + 1][0]
            if not (before[-1] in "@." or after[0] in "@."):
                return False
    return True
