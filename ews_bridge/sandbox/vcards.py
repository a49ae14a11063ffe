"""vCards (RFC 2426, RFC 6350) as contacts and distribution lists, for mailboxes that begin with some.

What a contact has no place for is left out: this is how a mailbox gets its content, not how anything is kept.
"""

from __future__ import annotations

import binascii
import re
from collections.abc import Iterator

import pybase64
from lxml import etree

from . import contacts
from . import content
from . import dictionaries
from . import kinds
from . import lists
from . import properties
from .dictionaries import PHONES
from .dictionaries import STREETS
from .document import Attachment
from .icalendar_lines import Component
from .icalendar_lines import Line
from .icalendar_lines import parse
from .mapi import KEYWORDS
from .mapi import PropertyName
from .mapi import parse_time
from .markup import NSMAP
from .markup import put
from .markup import t
from .store import Folder
from .store import Item

EMPTY = b"MIME-Version: 1.0\r\n\r\n"
CARD = re.compile(r"^BEGIN:VCARD\s*$.*?^END:VCARD\s*$", re.IGNORECASE | re.MULTILINE | re.DOTALL)
FIELD_END = re.compile(r"(?<!\\);")
DAY = re.compile(r"(\d{4})-?(\d\d)-?(\d\d)")
NAME_PARTS: tuple[PropertyName, ...] = (
    contacts.SURNAME,
    contacts.GIVEN_NAME,
    contacts.MIDDLE_NAME,
    contacts.TITLE,
    contacts.GENERATION,
)
TEXTS: dict[str, PropertyName] = {
    "FN": contacts.DISPLAY_NAME,
    "NICKNAME": contacts.NICKNAME,
    "TITLE": 0x3A17,
    "ROLE": 0x3A46,
    "URL": 0x3A51,
    "X-SPOUSE": 0x3A48,
    "X-MANAGER": 0x3A4E,
    "X-ASSISTANT": 0x3A30,
    "X-PHONETIC-FIRST-NAME": contacts.YOMI_FIRST,
    "X-PHONETIC-LAST-NAME": contacts.YOMI_LAST,
}
DAYS: dict[str, PropertyName] = {"BDAY": 0x3A42, "ANNIVERSARY": 0x3A41, "X-ANNIVERSARY": 0x3A41}
ADDRESS_PARTS = {2: "Street", 3: "City", 4: "State", 5: "PostalCode", 6: "CountryOrRegion"}
# Which telephones a number may become: the first of the line whose words are all among its types, and that is free.
TELEPHONES: tuple[tuple[set[str], tuple[str, ...]], ...] = (
    ({"fax", "home"}, ("HomeFax",)),
    ({"fax", "work"}, ("BusinessFax",)),
    ({"fax"}, ("OtherFax", "BusinessFax")),
    ({"pager"}, ("Pager",)),
    ({"car"}, ("CarPhone",)),
    ({"isdn"}, ("Isdn",)),
    ({"cell"}, ("MobilePhone", "BusinessMobile")),
    ({"main"}, ("CompanyMainPhone",)),
    ({"home"}, ("HomePhone", "HomePhone2")),
    ({"work"}, ("BusinessPhone", "BusinessPhone2")),
    ({"pref"}, ("PrimaryPhone",)),
    (set(), ("OtherTelephone", "RadioPhone")),
)
GROUPS = ("KIND", "X-ADDRESSBOOKSERVER-KIND")
MEMBERS = ("MEMBER", "X-ADDRESSBOOKSERVER-MEMBER")


def load(folder: Folder, text: str, known: dict[str, Item]) -> None:
    """Put the cards of a text into a folder; `known` are the contacts by their UID, for lists that name them."""
    for found in CARD.finditer(text):
        card = parse(found[0])
        group = any(card.text(name).lower() == "group" for name in GROUPS)
        item = folder.mailbox.new_item(EMPTY, "IPM.DistList" if group else "IPM.Contact")
        item.kind, item.read = ("DistributionList", True) if group else ("Contact", True)
        if group:
            _write(item, contacts.DISPLAY_NAME, card.text("FN"))
            lists.set_members(item, _members(card, known))
        else:
            _fill(item, card)
            known[card.text("UID")] = item
        kinds.settle(item)
        folder.mailbox.place(item, folder)


def is_group(text: str) -> bool:
    """Whether there is a group among the cards of a text."""
    return re.search(r"^(?:X-ADDRESSBOOKSERVER-)?KIND:group\s*$", text, re.IGNORECASE | re.MULTILINE) is not None


def _members(card: Component, known: dict[str, Item]) -> etree._Element:
    element = etree.Element(t("Members"), nsmap=NSMAP)
    for line in card.lines:
        if line.name not in MEMBERS:
            continue
        scheme, _, name = line.value.strip().partition(":")
        contact = known.get(name.removeprefix("uuid:")) or known.get(line.value.strip())
        mailbox = put(put(element, t("Member")), t("Mailbox"))
        if contact is not None:
            put(mailbox, t("ItemId")).set("Id", contact.mailbox.item_id(contact))
        elif scheme.lower() == "mailto":
            put(mailbox, t("EmailAddress"), name)
        else:
            element.remove(element[-1])
    return element


def _write(item: Item, prop: PropertyName, text: str) -> None:
    if text:
        properties.write(item, prop, "String", text)


def _fill(item: Item, card: Component) -> None:
    name = card.line("N")
    for prop, text in zip(NAME_PARTS, _fields(name) if name is not None else (), strict=False):
        _write(item, prop, text)
    for key, prop in TEXTS.items():
        _write(item, prop, card.text(key))
    organisation = card.line("ORG")
    for prop, text in zip((contacts.COMPANY, 0x3A18), _fields(organisation) if organisation is not None else (), strict=False):
        _write(item, prop, text)
    for key, prop in DAYS.items():
        day = DAY.match(card.text(key))
        if day is not None:
            properties.write(item, prop, "SystemTime", parse_time(f"{day[1]}-{day[2]}-{day[3]}T11:59:00Z"))
    for key, line in zip(dictionaries.EMAILS, card.all("EMAIL"), strict=False):
        dictionaries.set_email(item, key, "", "SMTP", line.text.strip())
    for line in card.all("TEL"):
        _add_phone(item, _types(line), line.text.removeprefix("tel:").strip())
    for line in card.all("ADR"):
        _add_address(item, _types(line), _fields(line))
    for prop, line in zip(dictionaries.MESSENGERS.values(), card.all("IMPP"), strict=False):
        _write(item, prop, line.text)
    categories = [text for line in card.all("CATEGORIES") for text in line.texts]
    if categories:
        properties.write(item, KEYWORDS, "StringArray", [*categories])
    content.set_body(item, "Text", card.text("NOTE"))
    for line in card.all("PHOTO"):
        _add_photo(item, line)


def _fields(line: Line) -> Iterator[str]:
    """The parts of a structured value, without escapes."""
    return (Line("", part).text.strip() for part in FIELD_END.split(line.value))


def _types(line: Line) -> set[str]:
    return set(line.parameters.get("TYPE", "").lower().split(","))


def _add_phone(item: Item, types: set[str], number: str) -> None:
    keys = next(keys for words, keys in TELEPHONES if words <= types)
    free = next((key for key in (*keys, "OtherTelephone") if not properties.text(item, PHONES[key])), None)
    if free is not None:
        _write(item, PHONES[free], number)


def _add_address(item: Item, types: set[str], fields: Iterator[str]) -> None:
    key = "Home" if "home" in types else "Business" if "work" in types else "Other"
    for place, text in enumerate(fields):
        if place in ADDRESS_PARTS:
            _write(item, STREETS[key][ADDRESS_PARTS[place]], text)


def _add_photo(item: Item, line: Line) -> None:
    """A picture within the card; one that is elsewhere is not fetched."""
    head, comma, data = line.value.partition(",")
    if not comma and line.parameters.get("ENCODING", "").lower() not in ("b", "base64"):
        return
    kind = line.parameters.get("TYPE", "").lower() or head.partition("/")[2].partition(";")[0] or "jpeg"
    try:
        picture = bytes(pybase64.b64decode("".join((data if comma else line.value).split()), validate=True))
    except (binascii.Error, ValueError):
        return
    content.add_attachment(item, Attachment("ContactPicture.jpg", f"image/{kind}", picture, photo=True))
