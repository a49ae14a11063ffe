"""The address book of the organisation: people, rooms and groups, whether they have a mailbox here or not.

Who has a mailbox is in it anyway; `World.directory` adds people and says more about those with a mailbox.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from .world import World

DOMAIN = "example.test"
MAILBOX, GROUP, OUTSIDE = "Mailbox", "PublicDL", "Contact"


@dataclass(frozen=True, slots=True)
class Person:
    """One entry. `kind` is MAILBOX, GROUP or OUTSIDE; `members` are the addresses in a group, `manager` is an address too.

    Telephones and the parts of the postal address are named as in EWS.
    """

    address: str
    name: str
    kind: str = MAILBOX
    given: str = ""
    surname: str = ""
    alias: str = ""
    title: str = ""
    department: str = ""
    company: str = ""
    office: str = ""
    assistant: str = ""
    manager: str = ""
    notes: str = ""
    yomi_given: str = ""
    yomi_surname: str = ""
    other_addresses: tuple[str, ...] = ()
    phones: tuple[tuple[str, str], ...] = ()
    postal: tuple[tuple[str, str], ...] = ()
    members: tuple[str, ...] = ()
    room: bool = False
    photo: bytes = b""
    certificate: bytes = b""

    @property
    def names(self) -> tuple[str, ...]:
        """By what the entry is found; each of them is there."""
        return tuple(filter(str.strip, (self.name, f"{self.given} {self.surname}", self.alias, self.office)))

    @property
    def addresses(self) -> tuple[str, ...]:
        return (self.address, *self.other_addresses)


@dataclass(frozen=True, slots=True)
class OutOfOffice:
    """What a mailbox answers while its owner is away; without an `end` there is no schedule."""

    state: str = "Disabled"
    audience: str = "All"
    start: int = 0
    end: int = 0
    internal: str = ""
    external: str = ""


def everybody(world: World) -> list[Person]:
    """All entries, by name."""
    known = dict(world.directory)
    for key, mailbox in world.users.items():
        if key not in known:
            given, _, surname = mailbox.display_name.rpartition(" ")
            alias = mailbox.address.partition("@")[0]
            known[key] = Person(mailbox.address, mailbox.display_name, given=given or surname, surname=surname, alias=alias)
    return sorted(known.values(), key=lambda person: (folded(person.name), person.address))


def by_address(world: World, address: str) -> Person | None:
    """The entry that one of its addresses names."""
    wanted = address.lower()
    return next((one for one in everybody(world) if wanted in (each.lower() for each in one.addresses)), None)


def enter(world: World, *people: Person) -> None:
    """Add entries; one of the same address is replaced."""
    for person in people:
        world.directory[person.address.lower()] = person


def matches(entry: str, names: Iterable[str], addresses: Iterable[str]) -> bool:
    """Ambiguous name resolution: every word of the entry begins a word of a name, or the entry begins an address.

    `smtp:` before it means exactly this address.
    """
    wanted = folded(entry)
    if wanted.startswith("smtp:"):
        return wanted.removeprefix("smtp:").strip() in (folded(one) for one in addresses)
    if any(folded(one).startswith(wanted) for one in addresses):
        return True
    words = wanted.split()
    for name in names:
        here = folded(name)
        if here.startswith(wanted) or all(
            any(part.startswith(word) for part in here.replace(",", " ").split()) for word in words
        ):
            return True
    return False


def found(world: World, entry: str) -> list[Person]:
    """The entries that a text may mean, by name."""
    return [one for one in everybody(world) if matches(entry, one.names, one.addresses)]


def members(world: World, group: Person) -> list[Person]:
    """Who is in a group, groups in it unexpanded; an address that is not in the directory stands for itself."""
    return [by_address(world, address) or Person(address, address, OUTSIDE) for address in group.members]


def reached(world: World, addresses: Iterable[str]) -> list[str]:
    """Whom mail to these addresses reaches, in lower case and each once: groups are taken apart, down to the last."""
    found: dict[str, None] = {}
    waiting = [address.lower() for address in addresses]
    while waiting:
        address = waiting.pop(0)
        person = world.directory.get(address)
        if address not in found and person is not None and person.kind == GROUP:
            waiting += [one.lower() for one in person.members]
        found[address] = None
    return [address for address in found if address not in world.directory or world.directory[address].kind != GROUP]


def folded(text: str) -> str:
    """The text without case and accents, as names are compared."""
    plain = unicodedata.normalize("NFKD", text)
    return "".join(one for one in plain if not unicodedata.combining(one)).casefold().strip()


def _at(name: str) -> str:
    return f"{name}@{DOMAIN}"


_WORKSHOP = (("Street", "Pendulum Lane 7"), ("City", "Tidewater"), ("CountryOrRegion", "Utopia"), ("PostalCode", "12345"))
# The smallest JPEG there is: one grey pixel.
PIXEL = bytes.fromhex(
    "ffd8ffdb004300010101010101010101010101010101010101010101010101010101010101010101010101010101010101010101010101010101"
    "010101010101010101010101010101ffc2000b080001000101011100ffc40014000100000000000000000000000000000003ffda00080101000000"
    "013fffd9"
)
DEMO = (
    Person(
        _at("ines"),
        "Inès Lefèvre",
        given="Inès",
        surname="Lefèvre",
        alias="ines",
        title="Head of dials",
        department="Dials",
        company="Brass & Gears",
        office="Tower 2",
        assistant="Noam Braq",
        manager=_at("petra"),
        notes="Speaks French and brass.",
        other_addresses=(_at("i.lefevre"),),
        phones=(("BusinessPhone", "+1 555 0101"), ("MobilePhone", "+1 555 0102")),
        postal=_WORKSHOP,
        photo=PIXEL,
    ),
    Person(
        _at("petra"),
        "Petra Weiß",
        given="Petra",
        surname="Weiß",
        alias="petra",
        title="Managing director",
        company="Brass & Gears",
        office="Tower 9",
        phones=(("BusinessPhone", "+1 555 0100"),),
        postal=_WORKSHOP,
    ),
    Person(
        _at("haruka"),
        "佐藤 遥",
        given="遥",
        surname="佐藤",
        alias="haruka",
        yomi_given="はるか",
        yomi_surname="さとう",
        department="Export",
        company="Brass & Gears",
        manager=_at("petra"),
    ),
    Person("orders@springs.example.org", "Springs & Sons", OUTSIDE, company="Springs & Sons"),
    Person(_at("room-tower"), "Room Tower", alias="room-tower", office="Tower 1", room=True),
    Person(_at("room-cellar"), "Room Cellar", alias="room-cellar", office="Cellar", room=True),
    Person(_at("rooms"), "All rooms", GROUP, alias="rooms", members=(_at("room-tower"), _at("room-cellar")), room=True),
    Person(_at("dialmakers"), "Dial makers", GROUP, alias="dialmakers", members=(_at("ines"), _at("haruka"))),
    Person(
        _at("workshop"),
        "Workshop",
        GROUP,
        alias="workshop",
        notes="Everybody with oil on their hands",
        members=(_at("dialmakers"), _at("petra"), "orders@springs.example.org", "apprentice@nowhere.example.org"),
    ),
)
