"""The parts of a contact that come several times under fixed names: addresses of mail and post, telephones, IM.

Each entry is MAPI properties (MS-OXOCNTC 2.2.1). A whole dictionary is given at creation only; later each entry is changed by
an IndexedFieldURI of its own, a postal address even by parts.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from . import properties
from .errors import ItemError
from .fields import Field
from .mapi import SETS
from .mapi import PropertyName
from .markup import Element
from .markup import children
from .markup import put
from .markup import set_attribute
from .markup import t
from .markup import text_of
from .parts import Look
from .store import Item

ADDRESS = SETS["Address"]
AIRSYNC = "71035549-0739-4dcb-9163-00f0580dbbdf"
# The first of five properties of each address: its name for people, type, address, name as it came, entry id.
EMAILS: dict[str, int] = {"EmailAddress1": 0x8080, "EmailAddress2": 0x8090, "EmailAddress3": 0x80A0}
MESSENGERS: dict[str, PropertyName] = {
    "ImAddress1": (ADDRESS, 0x8062),
    "ImAddress2": (AIRSYNC, "AirSync:IMAddress2"),
    "ImAddress3": (AIRSYNC, "AirSync:IMAddress3"),
}
PHONES: dict[str, PropertyName] = {
    "AssistantPhone": 0x3A2E,
    "BusinessFax": 0x3A24,
    "BusinessPhone": 0x3A08,
    "BusinessPhone2": 0x3A1B,
    "Callback": 0x3A02,
    "CarPhone": 0x3A1E,
    "CompanyMainPhone": 0x3A57,
    "HomeFax": 0x3A25,
    "HomePhone": 0x3A09,
    "HomePhone2": 0x3A2F,
    "Isdn": 0x3A2D,
    "MobilePhone": 0x3A1C,
    "OtherFax": 0x3A23,
    "OtherTelephone": 0x3A1F,
    "Pager": 0x3A21,
    "PrimaryPhone": 0x3A1A,
    "RadioPhone": 0x3A1D,
    "Telex": 0x3A2C,
    "TtyTddPhone": 0x3A4B,
    # Of Outlook.com; MAPI has no tags for them.
    **{name: (SETS["PublicStrings"], f"sandbox-phone-{name}") for name in ("BusinessMobile", "IPPhone", "Mms", "Msn")},
}
STREET_PARTS = ("Street", "City", "State", "CountryOrRegion", "PostalCode")
STREETS: dict[str, dict[str, PropertyName]] = {
    "Business": {
        "Street": (ADDRESS, 0x8045),
        "City": (ADDRESS, 0x8046),
        "State": (ADDRESS, 0x8047),
        "PostalCode": (ADDRESS, 0x8048),
        "CountryOrRegion": (ADDRESS, 0x8049),
    },
    "Home": {"Street": 0x3A5D, "City": 0x3A59, "State": 0x3A5C, "CountryOrRegion": 0x3A5A, "PostalCode": 0x3A5B},
    "Other": {"Street": 0x3A63, "City": 0x3A5F, "State": 0x3A62, "CountryOrRegion": 0x3A60, "PostalCode": 0x3A61},
}


@dataclass(frozen=True, slots=True)
class Entry:
    """What an IndexedFieldURI means: how to show its entry inside the dictionary, to set it from one, and to remove it."""

    dictionary: str
    prop: PropertyName
    show: Callable[[Item, Element], None]
    assign: Callable[[Item, Element], None]
    remove: Callable[[Item], None]


@dataclass(frozen=True, slots=True)
class Dictionary:
    """An element whose children t:Entry have keys; `entries` are all there can be, in the order they are shown."""

    name: str
    entries: dict[str, Entry]

    def field(self) -> Field:
        """The element as a whole: it can be set at creation only."""

        def show(item: Item, parent: Element, look: Look) -> None:
            element = put(parent, t(self.name))
            for entry in self.entries.values():
                entry.show(item, element)
            if len(element) == 0:
                parent.remove(element)

        def assign(item: Item, element: Element) -> None:
            for given in children(element):
                self.entries[given.get("Key") or ""].assign(item, given)

        return Field(f"contacts:{self.name}", self.name, show, assign, at_creation=True)


def email(item: Item, key: str) -> tuple[str, str, str]:
    """(name for people, routing type, address) of one of a contact's addresses, empty where there is none."""
    first = EMAILS[key]
    name, kind, address = (properties.text(item, (ADDRESS, first + offset)) for offset in (0, 2, 3))
    return name, kind, address


def set_email(item: Item, key: str, name: str, kind: str, address: str) -> None:
    first = EMAILS[key]
    for offset, text in ((0, name or address), (2, kind or "SMTP"), (3, address), (4, name or address)):
        properties.write(item, (ADDRESS, first + offset), "String", text)


def _email_entry(key: str) -> Entry:
    def show(item: Item, parent: Element) -> None:
        name, kind, address = email(item, key)
        if address:
            element = put(parent, t("Entry"), address)
            element.set("Key", key)
            if name and name != address:
                set_attribute(element, "Name", name)
            set_attribute(element, "RoutingType", kind or "SMTP")
            element.set("MailboxType", "Contact")

    def assign(item: Item, given: Element) -> None:
        address = text_of(given).strip()
        if not address:
            remove(item)
            return
        set_email(item, key, given.get("Name") or "", given.get("RoutingType") or "", address)

    def remove(item: Item) -> None:
        for offset in range(6):
            properties.erase(item, (ADDRESS, EMAILS[key] + offset))

    return Entry("EmailAddresses", (ADDRESS, EMAILS[key] + 3), show, assign, remove)


def _text_entry(dictionary: str, key: str, prop: PropertyName) -> Entry:
    def show(item: Item, parent: Element) -> None:
        text = properties.text(item, prop)
        if text:
            put(parent, t("Entry"), text).set("Key", key)

    def assign(item: Item, given: Element) -> None:
        properties.write(item, prop, "String", text_of(given))

    return Entry(dictionary, prop, show, assign, lambda item: properties.erase(item, prop))


def _address_entry(key: str, parts: dict[str, PropertyName]) -> Entry:
    """A postal address, or of one only the given parts."""

    def show(item: Item, parent: Element) -> None:
        found = [(part, properties.text(item, parts[part])) for part in STREET_PARTS if part in parts]
        if any(text for _, text in found):
            element = _entry(parent, key)
            for part, text in found:
                if text:
                    _put_part(element, part, text)

    def assign(item: Item, given: Element) -> None:
        for child in children(given):
            part = str(child.tag).rpartition("}")[2]
            if part not in parts:
                raise ItemError("ErrorUpdatePropertyMismatch")
            properties.write(item, parts[part], "String", text_of(child))

    def remove(item: Item) -> None:
        for prop in parts.values():
            properties.erase(item, prop)

    return Entry("PhysicalAddresses", next(iter(parts.values())), show, assign, remove)


def _entry(parent: Element, key: str) -> Element:
    """The t:Entry of this key: several parts of one address share it."""
    for child in parent:
        if child.get("Key") == key:
            return child
    element = put(parent, t("Entry"))
    element.set("Key", key)
    return element


def _put_part(element: Element, part: str, text: str) -> None:
    """Add a part of a postal address at its place in the schema."""
    place = STREET_PARTS.index(part)
    later = [child for child in element if STREET_PARTS.index(str(child.tag).rpartition("}")[2]) > place]
    made = put(element, t(part), text)
    if later:
        later[0].addprevious(made)


DICTIONARIES = {
    one.name: one
    for one in (
        Dictionary("EmailAddresses", {key: _email_entry(key) for key in EMAILS}),
        Dictionary("PhysicalAddresses", {key: _address_entry(key, parts) for key, parts in STREETS.items()}),
        Dictionary("PhoneNumbers", {key: _text_entry("PhoneNumbers", key, prop) for key, prop in PHONES.items()}),
        Dictionary("ImAddresses", {key: _text_entry("ImAddresses", key, prop) for key, prop in MESSENGERS.items()}),
    )
}
ENTRIES: dict[tuple[str, str], Entry] = {
    (uri, key): entry
    for uri, name in (
        ("contacts:EmailAddress", "EmailAddresses"),
        ("contacts:PhoneNumber", "PhoneNumbers"),
        ("contacts:ImAddress", "ImAddresses"),
    )
    for key, entry in DICTIONARIES[name].entries.items()
} | {
    (f"contacts:PhysicalAddress:{part}", key): _address_entry(key, {part: prop})
    for key, parts in STREETS.items()
    for part, prop in parts.items()
}


def entry_of(path: Element) -> Entry:
    """What an IndexedFieldURI of a contact means; ItemError for a key that there is not."""
    found = ENTRIES.get((path.get("FieldURI") or "", path.get("FieldIndex") or ""))
    if found is None:
        raise ItemError(
            "ErrorInvalidContactEmailIndex" if "Email" in (path.get("FieldURI") or "") else "ErrorInvalidPropertyRequest"
        )
    return found
