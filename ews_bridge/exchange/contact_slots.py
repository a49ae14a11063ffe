"""Which line of a vCard stands for which fields of a contact, and what it looks like. A table, and the few shapes it needs.

A *slot* is one place for one line. A line that finds none, or says more than the fields can, is kept beside them (`contact.py`).
Names: RFC 2426, RFC 4770 (IMPP), and where these have none what Apple, Evolution and khard write.
"""

from __future__ import annotations

import base64
import re
from collections.abc import Iterable
from collections.abc import Iterator
from collections.abc import Mapping
from dataclasses import dataclass
from dataclasses import replace
from datetime import date

from ews_bridge.exchange import contact_fields as fields
from ews_bridge.exchange import vcard
from ews_bridge.exchange.contact_fields import Field
from ews_bridge.exchange.contact_fields import Value
from ews_bridge.exchange.vcard import Line

Values = Mapping[Field, Value]

#: The picture: an attachment of the item, as base64.
PHOTO = Field("Photo", "")
#: One certificate of the list that the server has, as base64.
CERTIFICATES = tuple(Field("Certificate", "", str(number)) for number in range(4))
_URL = re.compile(r"(?:[\w.~:/?@!$&'()*+,;=-]|%[0-9A-Fa-f]{2})+(?:#(?:[\w.~:/?@!$&'()*+,;=-]|%[0-9A-Fa-f]{2})*)?")
_SCHEME = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*:\S+")
_MAGIC = {b"\xff\xd8\xff": "JPEG", b"\x89PNG": "PNG", b"GIF8": "GIF", b"BM": "BMP", b"RIFF": "WEBP", b"II*\x00": "TIFF"}


@dataclass(frozen=True, slots=True)
class Slot:
    """`name` of the line, `shape` of its value, the TYPE values and the label that it is written with."""

    key: str
    name: str
    shape: str
    fields: tuple[Field, ...]
    types: tuple[str, ...] = ()
    label: str = ""


def _text(name: str, field: Field) -> Slot:
    return Slot(name, name, "text", (field,))


def _phone(key: str, *types: str, label: str = "") -> Slot:
    return Slot(key, "TEL", "text", (fields.entry("PhoneNumbers", "PhoneNumber", key),), types, label)


def _address(key: str, *types: str, label: str = "") -> Slot:
    office = (fields.OFFICE,) if key == "Business" else ()
    return Slot(f"{key}Address", "ADR", "address", (*fields.street(key), *office), types, label)


SLOTS = (
    _text("FN", fields.DISPLAY_NAME),
    Slot("N", "N", "name", (fields.SURNAME, fields.GIVEN, fields.MIDDLE, fields.PREFIX, fields.SUFFIX)),
    _text("X-PHONETIC-FIRST-NAME", fields.address(0x802C)),  # PidLidYomiFirstName
    _text("X-PHONETIC-LAST-NAME", fields.address(0x802D)),
    _text("X-PHONETIC-ORG", fields.address(0x802E)),
    Slot("NICKNAME", "NICKNAME", "joined", (fields.plain("Nickname"),)),
    Slot("ORG", "ORG", "organisation", (fields.COMPANY, fields.plain("Department"))),
    _text("TITLE", fields.plain("JobTitle")),
    _text("ROLE", fields.plain("Profession")),
    _text("X-MANAGER", fields.plain("Manager")),
    _text("X-ASSISTANT", fields.plain("AssistantName")),
    *(Slot(field.key, "EMAIL", "text", (field,), ("internet",)) for field in fields.EMAILS),
    _phone("BusinessPhone", "work"),
    _phone("BusinessPhone2", "work"),
    _phone("HomePhone", "home"),
    _phone("HomePhone2", "home"),
    _phone("MobilePhone", "cell"),
    _phone("OtherTelephone", "voice"),
    _phone("PrimaryPhone", "pref"),
    _phone("BusinessFax", "work", "fax"),
    _phone("HomeFax", "home", "fax"),
    _phone("OtherFax", "fax"),
    _phone("Pager", "pager"),
    _phone("CarPhone", "car"),
    _phone("Isdn", "isdn"),
    _phone("AssistantPhone", label="Assistant"),
    _phone("Callback", label="Callback"),
    _phone("CompanyMainPhone", label="Company"),
    _phone("RadioPhone", label="Radio"),
    _phone("Telex", label="Telex"),
    _phone("TtyTddPhone", label="TTY"),
    # Of Outlook.com: never written there, since other servers refuse them.
    _phone("BusinessMobile", "work", "cell"),
    _phone("IPPhone", label="IP phone"),
    _phone("Mms", label="MMS"),
    _phone("Msn", label="MSN"),
    *(Slot(field.key, "IMPP", "messenger", (field,)) for field in fields.MESSENGERS),
    _address("Business", "work"),
    _address("Home", "home"),
    _address("Other", label="Other"),  # khard takes one without a type for home
    Slot("BDAY", "BDAY", "day", fields.DAYS[:1]),
    Slot("X-ANNIVERSARY", "X-ANNIVERSARY", "day", fields.DAYS[1:]),
    Slot("URL", "URL", "url", (fields.plain("BusinessHomePage"),)),
    Slot("PersonalHomePage", "URL", "url", (fields.tagged(0x3A50),), ("home",)),  # PidTagPersonalHomePage
    _text("X-SPOUSE", fields.plain("SpouseName")),
    Slot("X-CHILD", "X-CHILD", "list", (fields.plain("Children", many=True),)),
    *(_text(f"X-CUSTOM{n}", fields.address(0x804E + n)) for n in (1, 2, 3, 4)),  # PidLidContactUserField1 …
    _text("NOTE", fields.BODY),
    Slot("CATEGORIES", "CATEGORIES", "list", (fields.CATEGORIES,)),
    Slot("CLASS", "CLASS", "class", (fields.SENSITIVITY,)),
    *(Slot(f"Certificate{field.key}", "KEY", "certificate", (field,)) for field in CERTIFICATES),
    Slot("PHOTO", "PHOTO", "photo", (PHOTO,)),
)
BY_KEY = {slot.key: slot for slot in SLOTS}
#: What any of the slots holds, apart from what is made of other things.
FIELDS = tuple(field for slot in SLOTS for field in slot.fields if field.path)
#: Their slots are alike: a line with the same value is the same address, whatever else it says.
ALIKE = frozenset({"EMAIL", "IMPP"})

#: The word that settles what a telephone is, before home and work do.
_KINDS = {
    "assistant": "AssistantPhone",
    "callback": "Callback",
    "company": "CompanyMainPhone",
    "main": "CompanyMainPhone",
    "radio": "RadioPhone",
    "telex": "Telex",
    "tty": "TtyTddPhone",
    "ttytdd": "TtyTddPhone",
    "textphone": "TtyTddPhone",
    "pager": "Pager",
    "car": "CarPhone",
    "isdn": "Isdn",
}
_MESSENGERS = (
    *("IMPP", "X-MS-IMADDRESS", "X-JABBER", "X-SKYPE", "X-SKYPE-USERNAME", "X-AIM", "X-ICQ", "X-MSN", "X-YAHOO"),
    *("X-GADUGADU", "X-GROUPWISE", "X-GOOGLE-TALK", "X-GTALK", "X-SIP", "X-TWITTER", "X-QQ"),
)
#: RFC 2426 section 3.7.1. Outlook's Personal is private, too, and Normal needs no line.
_CLASSES = {"PRIVATE": "Private", "CONFIDENTIAL": "Confidential", "PUBLIC": "Normal"}
_PRIVATE = {"Personal": "PRIVATE", "Private": "PRIVATE", "Confidential": "CONFIDENTIAL"}
#: What is said of nearly every item, and only by a line that was there.
USUAL: Values = {fields.SENSITIVITY: "Normal"}
_SINGLE = {slot.name: (slot.key,) for slot in SLOTS if slot.name not in ("EMAIL", "TEL", "IMPP", "ADR", "URL", "KEY")}
_SEVERAL = {
    "EMAIL": tuple(field.key for field in fields.EMAILS),
    "KEY": tuple(f"Certificate{field.key}" for field in CERTIFICATES),
    **dict.fromkeys(_MESSENGERS, tuple(field.key for field in fields.MESSENGERS)),
}


def candidates(line: Line) -> Iterable[str]:
    """The keys of the slots that a line may take, the best first."""
    name = vcard.SYNONYMS.get(line.name, line.name)
    kinds = vcard.types(line)
    if name == "TEL":
        return _telephone(kinds, vcard.label(line))
    if name == "ADR":
        own = "BusinessAddress" if "work" in kinds else "HomeAddress" if "home" in kinds else ""
        return (own, "OtherAddress") if own else ("OtherAddress",)
    if name == "URL":
        return ("PersonalHomePage",) if "home" in kinds else ("URL",)
    return _SINGLE.get(name) or _SEVERAL.get(name, ())


def _telephone(kinds: frozenset[str], label: str) -> Iterator[str]:
    words = {re.sub(r"^x-(?:evolution-)?|[^a-z]", "", word.lower()) for word in (*kinds, label)}
    for word, key in _KINDS.items():
        if word in words:
            yield key
            return
    if "fax" in words:
        if words & {"work", "home"}:
            yield "BusinessFax" if "work" in words else "HomeFax"
        yield "OtherFax"
        return
    if words & {"cell", "iphone", "mobile", "pcs"}:
        yield "MobilePhone"
    elif "work" in words:
        yield from ("BusinessPhone", "BusinessPhone2")
    elif "home" in words:
        yield from ("HomePhone", "HomePhone2")
    elif "pref" in words:
        yield "PrimaryPhone"
    if not words & {"bbs", "modem", "video"}:
        yield "OtherTelephone"


def values(slot: Slot, line: Line) -> Values | None:
    """What a line says in a slot's fields, without what is empty; None when the fields cannot hold it."""
    match slot.shape:
        case "text":
            said = [re.sub(r"(?i)^tel:", "", vcard.text(line.value)) if slot.name == "TEL" else vcard.text(line.value)]
        case "messenger":
            said = [vcard.text(line.value)]
        case "joined":
            said = [", ".join(vcard.values(line.value))]
        case "list":
            several = tuple(filter(None, (each.strip() for each in vcard.values(line.value))))
            return {slot.fields[0]: several} if several else {}
        case "name":
            said = [" ".join(filter(None, part)) for part in vcard.components(line.value)]
        case "organisation":
            parts = [", ".join(filter(None, part)) for part in vcard.components(line.value)]
            said = [parts[0], ", ".join(filter(None, parts[1:]))]
        case "address":
            said = list(_address_values(slot, line))
        case "day":
            when = vcard.day(line)
            # Exchange counts from 1601 (FILETIME), and 4501 means none.
            if when is None or not 1601 < when.year < 4500:
                return None
            said = [when.isoformat()]
        case "class":
            word = vcard.text(line.value).strip().upper()
            return {slot.fields[0]: _CLASSES[word]} if word in _CLASSES else None
        case "url":
            said = [vcard.text(line.value)]
            if not _URL.fullmatch(said[0]) or said[0].startswith(":"):
                return None
        case _:
            return _binary_values(slot, line)
    return {field: text.strip() for field, text in zip(slot.fields, said, strict=False) if text.strip()}


def line(slot: Slot, said: Values) -> Line:
    """The line that a slot with these values is written as."""
    texts = [value if isinstance(value := said.get(field, ""), str) else "" for field in slot.fields]
    params = (("TYPE", slot.types),) if slot.types else ()
    match slot.shape:
        case "name":
            value = vcard.structured(texts)
        case "organisation":
            value = vcard.structured(texts if texts[1] else texts[:1])
        case "address":
            way, city, region, code, country, *office = texts
            value = vcard.structured(("", *(office or ("",)), way, city, region, code, country))
        case "list":
            value = ",".join(vcard.escaped(each) for each in said[slot.fields[0]])
        case "class":
            value = _PRIVATE.get(texts[0], "")
        case "day":
            return vcard.dated(slot.name, date.fromisoformat(texts[0]))
        case "certificate":
            return Line("KEY", texts[0], (("ENCODING", ("b",)), ("TYPE", ("X509",))))
        case "photo":
            return Line("PHOTO", texts[0], (("ENCODING", ("b",)), ("TYPE", (picture(texts[0]),))))
        case "messenger":
            name = "IMPP" if _SCHEME.fullmatch(texts[0]) else "X-MS-IMADDRESS"
            return Line(name, vcard.escaped(texts[0]))
        case _:
            value = vcard.escaped(texts[0])
    beside = (Line(vcard.LABEL, vcard.escaped(slot.label)),) if slot.label else ()
    return Line(slot.name, value, params, beside=beside)


def lent(slot: Slot, kept: Line, said: Values) -> Line:
    """The line of a slot whose value the server knows and whose parameters, group and label only the file did."""
    if values(slot, kept) == said:
        return kept
    own = line(slot, said)
    notation = tuple(each for each in own.params if each[0] in vcard.NOTATION or slot.shape in ("photo", "certificate"))
    borrowed = tuple(
        each for each in kept.params if each[0] not in vcard.NOTATION and each[0] not in {name for name, _ in notation}
    )
    return replace(kept, value=own.value, params=tuple(sorted((*notation, *borrowed))))


def picture(data: str) -> str:
    """The kind of a picture by its first bytes ("JPEG"), from base64."""
    start = base64.b64decode(data[:16] + "=" * (-len(data[:16]) % 4))
    return next((kind for magic, kind in _MAGIC.items() if start.startswith(magic)), "JPEG")


def _address_values(slot: Slot, line: Line) -> Iterator[str]:
    """What Exchange has no field for stands in the street; the office is where Outlook puts it, in the address at work."""
    parts = ["\n".join(filter(None, part)) for part in vcard.components(line.value)]
    box, extended, way, city, region, code, country = (*parts, *[""] * 7)[:7]
    office = fields.OFFICE in slot.fields
    yield "\n".join(filter(None, (box, "" if office else extended, way)))
    yield from (re.sub(r"\n", ", ", each) for each in (city, region, code, country))
    if office:
        yield extended


def _binary_values(slot: Slot, line: Line) -> Values | None:
    data = vcard.binary(line)
    kinds = vcard.types(line) - {"x509", "pkcs7-mime", "cert", "x-x509"}
    if not data or (slot.shape == "certificate" and (kinds or data[:1] != b"\x30")):
        return None
    return {slot.fields[0]: base64.b64encode(data).decode()}
