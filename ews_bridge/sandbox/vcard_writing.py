"""The vCard that Exchange shows as the MIME of a contact: version 3.0, and less of the contact than its elements say."""

from __future__ import annotations

from . import contacts
from . import content
from . import dictionaries
from . import properties
from .icalendar_lines import escape
from .icalendar_lines import fold
from .mapi import KEYWORDS
from .mapi import PropertyName
from .mapi import format_time
from .store import Item

TELEPHONES = {
    "BusinessPhone": "WORK,VOICE",
    "BusinessPhone2": "WORK,VOICE",
    "HomePhone": "HOME,VOICE",
    "HomePhone2": "HOME,VOICE",
    "MobilePhone": "CELL,VOICE",
    "CarPhone": "CAR,VOICE",
    "PrimaryPhone": "PREF",
    "OtherTelephone": "VOICE",
    "Isdn": "ISDN",
    "Pager": "PAGER",
    "BusinessFax": "WORK,FAX",
    "HomeFax": "HOME,FAX",
    "OtherFax": "FAX",
}
ADDRESSES = {"Business": "WORK", "Home": "HOME", "Other": "POSTAL"}
STREET_ORDER = ("Street", "City", "State", "PostalCode", "CountryOrRegion")
TEXTS: dict[str, PropertyName] = {"NICKNAME": contacts.NICKNAME, "TITLE": 0x3A17, "ROLE": 0x3A46, "URL;WORK": 0x3A51}


def vcard(item: Item) -> bytes:
    """The contact as a vCard; lines are folded and end with CRLF."""

    def text(prop: PropertyName) -> str:
        return escape(properties.text(item, prop))

    names = (contacts.SURNAME, contacts.GIVEN_NAME, contacts.MIDDLE_NAME, contacts.TITLE, contacts.GENERATION)
    lines = ["BEGIN:VCARD", "PROFILE:VCARD", "VERSION:3.0", "MAILER:Microsoft Exchange", "PRODID:Microsoft Exchange"]
    lines += [f"FN:{text(contacts.DISPLAY_NAME)}", "N:" + ";".join(text(prop) for prop in names)]
    for key in dictionaries.EMAILS:
        address = dictionaries.email(item, key)[2]
        if address:
            lines.append(f"EMAIL;TYPE=INTERNET:{escape(address)}")
    lines.append(f"NOTE:{escape(content.plain_text(item))}")
    if text(contacts.COMPANY) or text(0x3A18):
        lines.append(f"ORG:{text(contacts.COMPANY)};{text(0x3A18)}")
    lines.append(
        "CLASS:" + ("PUBLIC", "PRIVATE", "PRIVATE", "CONFIDENTIAL")[properties.number(item, properties.SENSITIVITY) or 0]
    )
    for key, kind in ADDRESSES.items():
        parts = [text(dictionaries.STREETS[key][part]) for part in STREET_ORDER]
        if any(parts):
            lines.append(f"ADR;TYPE={kind}:;;" + ";".join(parts))
    numbers = [(kind, text(dictionaries.PHONES[key])) for key, kind in TELEPHONES.items()]
    lines += [f"TEL;TYPE={kind}:{number}" for kind, number in numbers if number]
    lines += [f"{name}:{text(prop)}" for name, prop in TEXTS.items() if text(prop)]
    for name, prop in (("BDAY", 0x3A42), ("X-MS-ANNIVERSARY", 0x3A41)):
        day = properties.read(item, prop, "SystemTime")
        if isinstance(day, int):
            lines.append(f"{name};VALUE=DATE:{format_time(day)[:10]}")
    categories = properties.read(item, KEYWORDS, "StringArray")
    if isinstance(categories, list) and categories:
        lines.append("CATEGORIES:" + ",".join(escape(str(one)) for one in categories))
    lines += [f"REV;VALUE=DATE-TIME:{format_time(item.modified)}", "END:VCARD"]
    return "".join(fold(line) + "\r\n" for line in lines).encode("utf-8", "replace")
