"""The contacts in a directory of .vcf files, as an address book: found by words, offline. Only looks, and only at what it needs.

A file is read line by line instead of as a whole card (RFC 2426, RFC 6350): one that is odd costs itself at most, and thousands
are looked through while somebody waits for a completion.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

_FOLDED = re.compile(r"\r?\n[ \t]")
_LINE = re.compile(
    r"^(?:[\w-]+\.)?(?P<name>BEGIN|FN|NICKNAME|EMAIL|ORG|TITLE|UID|(?:X-ADDRESSBOOKSERVER-)?(?:KIND|MEMBER))"
    r'(?P<parameters>(?:;(?:"[^"]*"|[^":\r\n])*)*):(?P<value>[^\r\n]*)',
    re.IGNORECASE | re.MULTILINE,
)
_ESCAPED = re.compile(r"\\(.)")
_FIELD_END = re.compile(r"(?<!\\);")


@dataclass(frozen=True, slots=True)
class Person:
    """Somebody who can be written to. `other` says more, for people; a `group` stands for several."""

    address: str
    name: str
    other: str = ""
    group: bool = False


@dataclass(slots=True)
class Card:
    """What was read of one vCard; `members` are URIs as they stand in it."""

    name: str = ""
    words: str = ""
    other: tuple[str, ...] = ()
    uid: str = ""
    group: bool = False
    addresses: tuple[str, ...] = ()
    members: tuple[str, ...] = ()


def search(directory: Path, text: str) -> list[Person]:
    """Who fits: each word of the text is part of a name, an organisation or the address. In the order of their names."""
    words = plain(text).split()
    found: list[Person] = []
    for card in cards(directory):
        known = plain(card.words)
        for address in () if card.group else card.addresses:
            here = f"{known} {plain(address)}"
            if all(word in here for word in words):
                found.append(Person(address, card.name, ", ".join(card.other)))
    return sorted(found, key=lambda person: (plain(person.name), person.address))


def members(directory: Path, name: str) -> list[Person] | None:
    """Who is in the group of that name, or of that UID; None if there is no such group."""
    every = list(cards(directory))
    group = next((card for card in every if card.group and name in (card.name, card.uid)), None)
    if group is None:
        return None
    by_uid = {card.uid: card for card in every if card.uid and not card.group}
    found: list[Person] = []
    for member in group.members:
        scheme, _, rest = member.partition(":")
        card = by_uid.get(rest.removeprefix("uuid:")) or by_uid.get(member)
        if card is not None and card.addresses:
            found.append(Person(card.addresses[0], card.name, ", ".join(card.other)))
        elif scheme.lower() == "mailto":
            found.append(Person(rest, ""))
    return found


def cards(directory: Path) -> Iterator[Card]:
    """The cards of all files below the directory; a file that cannot be read holds none."""
    for path in sorted(directory.rglob("*.vcf"), key=str):
        if any(part.startswith(".") for part in path.relative_to(directory).parts):
            continue
        try:
            if not path.is_file():  # a pipe would be waited for
                continue
            text = path.read_text("utf-8", "replace")
        except OSError:
            continue
        yield from _read(_FOLDED.sub("", text))


def _read(text: str) -> Iterator[Card]:
    lines: list[tuple[str, str]] = []
    for found in _LINE.finditer(text):
        if found["name"].upper() == "BEGIN":
            if lines:
                yield _card(lines)
            lines = []
        else:
            lines.append((found["name"].upper().removeprefix("X-ADDRESSBOOKSERVER-"), found["value"].strip()))
    if lines:
        yield _card(lines)


def _card(lines: Iterable[tuple[str, str]]) -> Card:
    values: dict[str, list[str]] = {}
    for name, value in lines:
        values.setdefault(name, []).append(value)

    def texts(name: str) -> list[str]:
        return [_unescaped(value) for value in values.get(name, ())]

    organisation = [_unescaped(part) for value in values.get("ORG", ()) for part in _FIELD_END.split(value) if part]
    name = next(iter(texts("FN")), "")
    return Card(
        name=name,
        words=" ".join([name, *texts("NICKNAME"), *organisation]),
        other=tuple(filter(None, [*texts("TITLE"), *organisation])),
        uid=next(iter(texts("UID")), "").removeprefix("urn:uuid:"),
        group="group" in (one.lower() for one in texts("KIND")),
        addresses=tuple(address for address in texts("EMAIL") if "@" in address),
        members=tuple(texts("MEMBER")),
    )


def _unescaped(value: str) -> str:
    return " ".join(_ESCAPED.sub(lambda found: " " if found[1] in "nN" else found[1], value).split())


def plain(text: str) -> str:
    """Without case and accents: so names are compared."""
    if text.isascii():
        return text.casefold()
    return "".join(one for one in unicodedata.normalize("NFKD", text) if not unicodedata.combining(one)).casefold()
