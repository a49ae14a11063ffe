"""Contacts: their fields, and what Exchange derives from others (MS-OXWSCONT, MS-OXOCNTC).

What only a person of the directory has (alias, manager's mailbox, certificates, …) is not here: a contact of a mailbox never
shows it, and to write it is an error.
"""

from __future__ import annotations

from . import content
from . import properties
from .dictionaries import ADDRESS
from .dictionaries import DICTIONARIES
from .errors import ItemError
from .fields import Field
from .fields import choice
from .fields import shown
from .fields import simple
from .fields import strings
from .mapi import SETS
from .mapi import PropertyName
from .markup import Element
from .markup import put
from .markup import t
from .markup import text_of
from .parts import Look
from .store import Item

COMMON = SETS["Common"]
DISPLAY_NAME = 0x3001
GIVEN_NAME = 0x3A06
SURNAME = 0x3A11
MIDDLE_NAME = 0x3A44
GENERATION = 0x3A05
TITLE = 0x3A45
INITIALS = 0x3A0A
NICKNAME = 0x3A4F
COMPANY = 0x3A16
YOMI_FIRST: PropertyName = (ADDRESS, 0x802C)
YOMI_LAST: PropertyName = (ADDRESS, 0x802D)
FILE_AS: PropertyName = (ADDRESS, 0x8005)
FILE_AS_MAPPING: PropertyName = (ADDRESS, 0x8006)
HAS_PICTURE: PropertyName = (ADDRESS, 0x8015)

# MS-OXOCNTC 2.2.1.1.12, PidLidFileUnderId; -1 is a text of the user's own.
MAPPINGS = {
    "None": -1,
    "LastCommaFirst": 0x8017,
    "FirstSpaceLast": 0x8037,
    "Company": 0x3A16,
    "LastCommaFirstCompany": 0x8019,
    "CompanyLastFirst": 0x8032,
    "LastFirst": 0x8030,
    "LastFirstCompany": 0x8034,
    "CompanyLastCommaFirst": 0x8018,
    "LastFirstSuffix": 0x8036,
    "LastSpaceFirstCompany": 0x8035,
    "CompanyLastSpaceFirst": 0x8033,
    "LastSpaceFirst": 0x8031,
    "DisplayName": 0x3001,
    "FirstName": 0x3A06,
    "LastFirstMiddleSuffix": 0x8038,
    "LastName": 0x3A11,
    "Empty": 0,
}
MAPPING_NAMES = {number: name for name, number in MAPPINGS.items()}


def full_name(item: Item) -> str:
    """Given name, middle name, surname and suffix, as far as there are any."""
    return " ".join(filter(None, (properties.text(item, prop) for prop in (GIVEN_NAME, MIDDLE_NAME, SURNAME, GENERATION))))


def filed_as(item: Item, mapping: str) -> str:
    """What FileAs is under a mapping; between person and company there is a line break (MS-OXOCNTC 2.2.1.1.12)."""
    first = " ".join(filter(None, (properties.text(item, prop) for prop in (GIVEN_NAME, MIDDLE_NAME))))
    last, company, suffix = (properties.text(item, prop) for prop in (SURNAME, COMPANY, GENERATION))
    comma = ", ".join(filter(None, (last, first)))
    space = " ".join(filter(None, (last, first)))
    close = last + first
    lines: dict[str, tuple[str, ...]] = {
        "LastCommaFirst": (comma,),
        "FirstSpaceLast": (full_name(item),),
        "Company": (company,),
        "LastCommaFirstCompany": (comma, company),
        "CompanyLastFirst": (company, close),
        "LastFirst": (close,),
        "LastFirstCompany": (close, company),
        "CompanyLastCommaFirst": (company, comma),
        "LastFirstSuffix": (" ".join(filter(None, (close, suffix))),),
        "LastSpaceFirstCompany": (space, company),
        "CompanyLastSpaceFirst": (company, space),
        "LastSpaceFirst": (space,),
        "DisplayName": (properties.text(item, DISPLAY_NAME),),
        "FirstName": (properties.text(item, GIVEN_NAME),),
        "LastFirstMiddleSuffix": (" ".join(filter(None, (space, suffix))),),
        "LastName": (last,),
        "Empty": (),
    }
    return "\r\n".join(filter(None, lines[mapping]))


def settle(item: Item) -> None:
    """What every save of a contact sees to: a name to show, a name to file it under, and whether there is a picture."""
    if not properties.text(item, DISPLAY_NAME):
        name = full_name(item) or properties.text(item, COMPANY) or properties.text(item, FILE_AS)
        if name:
            properties.write(item, DISPLAY_NAME, "String", name)
    mapping = MAPPING_NAMES.get(properties.number(item, FILE_AS_MAPPING) or 0) if FILE_AS_MAPPING in item.props else None
    if mapping is None and not properties.text(item, FILE_AS):
        mapping = "LastCommaFirst"
        properties.write(item, FILE_AS_MAPPING, "Integer", MAPPINGS[mapping])
    if mapping is not None and mapping != "None":
        text = filed_as(item, mapping)
        if not text and mapping == "LastCommaFirst":
            text = properties.text(item, COMPANY) or properties.text(item, DISPLAY_NAME)
        properties.write(item, FILE_AS, "String", text)
    properties.write(item, HAS_PICTURE, "Boolean", any(one.photo for one in content.attachments(item)))


def _assign_file_as(item: Item, element: Element) -> None:
    properties.write(item, FILE_AS, "String", text_of(element))
    properties.write(item, FILE_AS_MAPPING, "Integer", MAPPINGS["None"])


def _show_mapping(item: Item, parent: Element, look: Look) -> None:
    number = properties.number(item, FILE_AS_MAPPING)
    put(parent, t("FileAsMapping"), MAPPING_NAMES.get(-1 if number is None else number, "None"))


def _assign_mapping(item: Item, element: Element) -> None:
    properties.write(item, FILE_AS_MAPPING, "Integer", MAPPINGS[text_of(element)])


def _show_complete_name(item: Item, parent: Element, look: Look) -> None:
    parts = (
        ("Title", TITLE),
        ("FirstName", GIVEN_NAME),
        ("MiddleName", MIDDLE_NAME),
        ("LastName", SURNAME),
        ("Suffix", GENERATION),
        ("Initials", INITIALS),
        ("FullName", DISPLAY_NAME),
        ("Nickname", NICKNAME),
        ("YomiFirstName", YOMI_FIRST),
        ("YomiLastName", YOMI_LAST),
    )
    found = [(name, properties.text(item, prop)) for name, prop in parts]
    if any(text for _, text in found):
        element = put(parent, t("CompleteName"))
        for name, text in found:
            if text:
                put(element, t(name), text)


def _plain(name: str, prop: PropertyName, kind: str = "String") -> Field:
    return simple(f"contacts:{name}", name, prop, kind)


def _directory(name: str) -> Field:
    """A field that only people of the directory have."""

    def refuse(*_: object) -> None:
        raise ItemError("ErrorInvalidPropertyRequest")

    return Field(f"contacts:{name}", name, lambda item, parent, look: None, refuse, refuse)


FIELDS: tuple[Field, ...] = (
    Field(
        "contacts:FileAs",
        "FileAs",
        _plain("FileAs", FILE_AS).show,
        _assign_file_as,
        lambda item: properties.erase(item, FILE_AS),
        FILE_AS,
    ),
    Field(
        "contacts:FileAsMapping",
        "FileAsMapping",
        _show_mapping,
        _assign_mapping,
        lambda item: properties.erase(item, FILE_AS_MAPPING),
        FILE_AS_MAPPING,
        "Integer",
        parse=lambda text: MAPPINGS.get(text, -1),
    ),
    _plain("DisplayName", DISPLAY_NAME),
    _plain("GivenName", GIVEN_NAME),
    _plain("Initials", INITIALS),
    _plain("MiddleName", MIDDLE_NAME),
    _plain("Nickname", NICKNAME),
    Field("contacts:CompleteName", "CompleteName", _show_complete_name),
    _plain("CompanyName", COMPANY),
    DICTIONARIES["EmailAddresses"].field(),
    DICTIONARIES["PhysicalAddresses"].field(),
    DICTIONARIES["PhoneNumbers"].field(),
    _plain("AssistantName", 0x3A30),
    _plain("Birthday", 0x3A42, "SystemTime"),
    _plain("BusinessHomePage", 0x3A51),
    strings("contacts:Children", "Children", 0x3A58),
    strings("contacts:Companies", "Companies", (COMMON, 0x8539)),
    shown("contacts:ContactSource", "ContactSource", lambda item: "Store"),
    _plain("Department", 0x3A18),
    _plain("Generation", GENERATION),
    DICTIONARIES["ImAddresses"].field(),
    _plain("JobTitle", 0x3A17),
    _plain("Manager", 0x3A4E),
    _plain("Mileage", (COMMON, 0x8534)),
    _plain("OfficeLocation", 0x3A19),
    choice("contacts:PostalAddressIndex", "PostalAddressIndex", (ADDRESS, 0x8022), ("None", "Home", "Business", "Other")),
    _plain("Profession", 0x3A46),
    _plain("SpouseName", 0x3A48),
    _plain("Surname", SURNAME),
    _plain("WeddingAnniversary", 0x3A41, "SystemTime"),
    simple("contacts:HasPicture", "HasPicture", HAS_PICTURE, "Boolean", writable=False),
    *(
        _directory(name)
        for name in (
            *("PhoneticFullName", "PhoneticFirstName", "PhoneticLastName", "Alias", "Notes", "Photo"),
            *("UserSMIMECertificate", "MSExchangeCertificate", "DirectoryId", "ManagerMailbox", "DirectReports"),
        )
    ),
)
