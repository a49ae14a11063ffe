"""FindPeople and GetPersona: people as clients of Exchange 2013 and later show them, of the directory and of contacts alike.

Exchange links contacts that mean the same person to one persona. Here each contact is a persona of its own.
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import Callable
from dataclasses import dataclass

from lxml import etree

from .. import contacts
from .. import dictionaries
from .. import people
from .. import properties
from ..errors import ItemError
from ..mapi import Value
from ..markup import NSMAP
from ..markup import Element
from ..markup import children
from ..markup import m
from ..markup import put
from ..markup import t
from ..people import Person
from ..query import Page
from ..query import expression
from ..store import Folder
from ..store import Item
from .call import Call
from .people import contact_hits
from .replies import fill
from .replies import lone_answer
from .targets import folder_of

ATTRIBUTION = "0"
# Telephones of a persona: the key in a contact, and the type of number.
PHONES = {
    "BusinessPhoneNumbers": ("BusinessPhone", "Business"),
    "BusinessPhoneNumbers2": ("BusinessPhone2", "Business"),
    "HomePhones": ("HomePhone", "Home"),
    "MobilePhones": ("MobilePhone", "Mobile"),
}


@dataclass(frozen=True, slots=True)
class Persona:
    """Somebody: the id, and what is shown. `source` is where it comes from, `origin` an id there."""

    id: str
    kind: str
    source: str
    origin: str
    texts: dict[str, str]
    emails: tuple[tuple[str, str, str], ...]
    phones: dict[str, str]


def find_people(call: Call, request: Element) -> Element:
    """FindPeople: in a contacts folder, in the directory (folder id `directory`), or without a folder in both."""
    try:
        parent = children(request.find(m("ParentFolderId")))
        found = _found(call, parent[0] if parent else None, (request.findtext(m("QueryString")) or "").strip())
        for restriction in children(request.find(m("Restriction"))):
            test = expression(restriction, _getter)
            found = [one for one in found if test(one)]
        page = Page.of_request(request, "Item")
        chosen = page.cut(_sorted(found, request.find(m("SortOrder"))))
    except ItemError as error:
        return lone_answer("FindPeopleResponse", error)
    element = lone_answer("FindPeopleResponse")
    shown = put(element, m("People"))
    only = _wanted(request.find(m("PersonaShape")))
    for one in chosen:
        _put(shown, t("Persona"), one, everything=False, only=only)
    put(element, m("TotalNumberOfPeopleInView"), str(page.total))
    put(element, m("FirstMatchingRowIndex"), "0")
    put(element, m("FirstLoadedRowIndex"), str(page.offset))
    return element


def _wanted(shape: Element | None) -> frozenset[str] | None:
    """The names of what is to be shown besides the id; None means all."""
    if shape is None or shape.findtext(t("BaseShape")) != "IdOnly":
        return None
    return frozenset((path.get("FieldURI") or "").partition(":")[2] for path in children(shape.find(t("AdditionalProperties"))))


def _getter(path: Element) -> tuple[Callable[[Persona], Value | None], Callable[[str], Value]]:
    """How a restriction or an order reads a persona."""
    name = (path.get("FieldURI") or "").partition(":")[2]
    if name == "EmailAddress":
        return lambda one: one.emails[0][1] if one.emails else None, str
    if name == "PersonaType":
        return lambda one: one.kind, str
    if name not in SINGLE:
        raise ItemError("ErrorUnsupportedPathForQuery")
    return lambda one: one.texts.get(name) or None, str


def _sorted(found: list[Persona], order: Element | None) -> list[Persona]:
    """In the order asked for, else by name."""
    result = sorted(found, key=lambda one: people.folded(one.texts.get("DisplayName", "")))
    for wanted in reversed(children(order)):
        get, _ = _getter(children(wanted)[0])
        result.sort(key=lambda one: people.folded(str(get(one) or "")), reverse=wanted.get("Order") == "Descending")
    return result


def _found(call: Call, parent: Element | None, text: str) -> list[Persona]:
    in_directory = parent is None or parent.get("Id") == "directory"
    result: list[Persona] = []
    if parent is None or not in_directory:
        folder = call.user.folder("contacts") if parent is None else folder_of(call, parent)
        result += _of_folder(folder, text)
    if in_directory:
        known = people.found(call.world, text) if text else people.everybody(call.world)
        result += [_of_person(one) for one in known]
    return result


def _of_folder(folder: Folder, text: str) -> list[Persona]:
    if not text:
        return [_of_item(item) for item in folder.items.values() if item.kind in ("Contact", "DistributionList")]
    hits = {id(hit.item): hit.item for hit in contact_hits(folder, text) if hit.item is not None}
    return [_of_item(item) for item in hits.values()]


def get_persona(call: Call, request: Element) -> Element:
    """GetPersona: everything of one person, each value with its origin."""
    element = etree.Element(m("GetPersonaResponseMessage"), nsmap=NSMAP)
    try:
        found = _asked_for(call, request)
    except ItemError as error:
        fill(element, error)
        return element
    fill(element, None)
    _put(element, m("Persona"), found, everything=True, only=None)
    return element


def _asked_for(call: Call, request: Element) -> Persona:
    given = request.find(m("PersonaId"))
    if given is None:
        address = request.findtext(f"{m('EmailAddress')}/{t('EmailAddress')}") or ""
        person = people.by_address(call.world, address)
        if person is None:
            raise ItemError("ErrorItemNotFound")
        return _of_person(person)
    try:
        kind, _, name = base64.b64decode(given.get("Id") or "", validate=True).decode("utf-8").partition(":")
    except (binascii.Error, ValueError) as failure:
        raise ItemError("ErrorInvalidIdMalformed") from failure
    if kind == "person" and (found := people.by_address(call.world, name)) is not None:
        return _of_person(found)
    item = call.user.items.get(int(name)) if kind == "item" and name.isdecimal() else None
    if item is None:
        raise ItemError("ErrorItemNotFound")
    return _of_item(item)


def _id(text: str) -> str:
    return base64.b64encode(text.encode("utf-8")).decode("ascii")


def _of_person(person: Person) -> Persona:
    kind = "DistributionList" if person.kind == people.GROUP else "Room" if person.room else "Person"
    texts = {
        "DisplayName": person.name,
        "GivenName": person.given,
        "Surname": person.surname,
        "YomiFirstName": person.yomi_given,
        "YomiLastName": person.yomi_surname,
        "Title": person.title,
        "Department": person.department,
        "CompanyName": person.company,
        "OfficeLocation": person.office,
    }
    emails = tuple((person.name, address, person.kind) for address in person.addresses[:3])
    return Persona(_id(f"person:{person.address}"), kind, "GAL", _id(person.address), texts, emails, dict(person.phones))


def _of_item(item: Item) -> Persona:
    props = {
        "DisplayName": contacts.DISPLAY_NAME,
        "FileAs": contacts.FILE_AS,
        "GivenName": contacts.GIVEN_NAME,
        "MiddleName": contacts.MIDDLE_NAME,
        "Surname": contacts.SURNAME,
        "Nickname": contacts.NICKNAME,
        "YomiFirstName": contacts.YOMI_FIRST,
        "YomiLastName": contacts.YOMI_LAST,
        "Title": 0x3A17,
        "Department": 0x3A18,
        "CompanyName": contacts.COMPANY,
        "OfficeLocation": 0x3A19,
    }
    texts = {name: properties.text(item, prop) for name, prop in props.items()}
    every = [dictionaries.email(item, key) for key in dictionaries.EMAILS]
    emails = tuple((name or address, address, people.OUTSIDE) for name, _, address in every if address)
    phones = {key: properties.text(item, prop) for key, prop in dictionaries.PHONES.items()}
    kind = "Person" if item.kind == "Contact" else item.kind
    return Persona(_id(f"item:{item.key}"), kind, "Outlook", item.mailbox.item_id(item), texts, emails, phones)


# In the order of the schema; what is not a text of the persona has a function of its own.
SINGLE = (
    *("DisplayName", "FileAs", "GivenName", "MiddleName", "Surname", "Nickname", "YomiFirstName", "YomiLastName", "Title"),
    *("Department", "CompanyName"),
)
REPEATED = (
    ("DisplayNames", "DisplayName"),
    ("FileAses", "FileAs"),
    ("GivenNames", "GivenName"),
    ("MiddleNames", "MiddleName"),
    ("Surnames", "Surname"),
    ("Nicknames", "Nickname"),
    ("YomiFirstNames", "YomiFirstName"),
    ("YomiLastNames", "YomiLastName"),
)
REPEATED_LATE = (
    ("OfficeLocations", "OfficeLocation"),
    ("Titles", "Title"),
    ("Departments", "Department"),
    ("CompanyNames", "CompanyName"),
)


def _put(parent: Element, tag: str, persona: Persona, *, everything: bool, only: frozenset[str] | None) -> None:
    """Append a persona; `only` names what to show besides the id, None shows all, `everything` what GetPersona adds."""
    element = put(parent, tag)
    put(element, t("PersonaId")).set("Id", persona.id)
    wanted = (lambda name: True) if only is None else only.__contains__
    if wanted("PersonaType"):
        put(element, t("PersonaType"), persona.kind)
    for name in SINGLE:
        if persona.texts.get(name) and wanted(name):
            put(element, t(name), persona.texts[name])
    if persona.emails and wanted("EmailAddress"):
        _fill_email(put(element, t("EmailAddress")), persona.emails[0])
    if persona.emails and wanted("EmailAddresses"):
        addresses = put(element, t("EmailAddresses"))
        for email in persona.emails:
            _fill_email(put(addresses, t("Address")), email)
    if everything:
        _put_repeated(element, persona)


def _put_repeated(element: Element, persona: Persona) -> None:
    """Everything once more, as values with their origin."""
    attribution = put(put(element, t("Attributions")), t("Attribution"))
    put(attribution, t("Id"), ATTRIBUTION)
    put(attribution, t("SourceId")).set("Id", persona.origin)
    put(attribution, t("DisplayName"), persona.source)
    _put_texts(element, persona, REPEATED)
    for name, (key, kind) in PHONES.items():
        if persona.phones.get(key):
            value = _value(element, name, "PhoneNumberAttributedValue")
            put(value, t("Number"), persona.phones[key])
            put(value, t("Type"), kind)
    for number, email in enumerate(persona.emails, 1):
        _fill_email(_value(element, f"Emails{number}", "EmailAddressAttributedValue"), email)
    _put_texts(element, persona, REPEATED_LATE)


def _put_texts(element: Element, persona: Persona, names: tuple[tuple[str, str], ...]) -> None:
    for name, single in names:
        if persona.texts.get(single):
            _value(element, name, "StringAttributedValue").text = persona.texts[single]


def _value(element: Element, name: str, kind: str) -> Element:
    """Append a list with one value of this kind; returns its t:Value, which is empty."""
    holder = put(put(element, t(name)), t(kind))
    value = put(holder, t("Value"))
    put(put(holder, t("Attributions")), t("Attribution"), ATTRIBUTION)
    return value


def _fill_email(element: Element, email: tuple[str, str, str]) -> None:
    for name, text in zip(("Name", "EmailAddress", "MailboxType"), email, strict=True):
        if name == "MailboxType":
            put(element, t("RoutingType"), "SMTP")
        put(element, t(name), text)
