"""The fields of t:Contact: where each stands in the element, how it is asked for, set and deleted. Knows nothing of vCards.

Values are texts; of a field with several values (`many`) tuples of them. A day is an ISO date. Order and names: types.xsd,
ContactItemType; MAPI names: MS-OXOCNTC.
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import Iterable
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC
from datetime import datetime
from datetime import timedelta
from xml.sax.saxutils import escape

from lxml import etree

from ews_bridge.exchange import asking
from ews_bridge.exchange import bodytext
from ews_bridge.exchange import form
from ews_bridge.exchange import mail
from ews_bridge.exchange import soap

Value = str | tuple[str, ...]
#: What an item says, by element, key and part as a `Field` has them.
Contents = Mapping[tuple[str, str, str], tuple[str, ...]]

ADDRESS_SET = "00062004-0000-0000-c000-000000000046"
#: KeyExchangeCertificate, SignCertificate: settings that hold a certificate (MS-OXOABK 2.2.4.36).
_CERTIFICATES = (0x0003, 0x0008)


@dataclass(frozen=True, slots=True)
class Field:
    """`element` below t:Contact; `key` of its t:Entry, `part` within that. `path`: the XML that names it in a request."""

    element: str
    path: str
    key: str = ""
    part: str = ""
    many: bool = False


def plain(name: str, *, many: bool = False) -> Field:
    return Field(name, asking.field(f"contacts:{name}"), many=many)


def entry(element: str, uri: str, key: str, part: str = "") -> Field:
    return Field(element, f'<t:IndexedFieldURI FieldURI="contacts:{uri}" FieldIndex="{key}"/>', key, part)


def tagged(number: int, kind: str = "String") -> Field:
    return Field("ExtendedProperty", asking.tag(number, kind), str(number), many=kind.endswith("Array"))


def address(number: int) -> Field:
    """A text among the named properties of contacts (PSETID_Address)."""
    path = f'<t:ExtendedFieldURI DistinguishedPropertySetId="Address" PropertyId="{number}" PropertyType="String"/>'
    return Field("ExtendedProperty", path, str(number), "Address")


BODY = Field("Body", asking.field("item:Body"))
SENSITIVITY = Field("Sensitivity", asking.field("item:Sensitivity"))
CATEGORIES = Field("Categories", asking.field("item:Categories"), many=True)
FILE_AS = plain("FileAs")
FILE_AS_MAPPING = plain("FileAsMapping")
DISPLAY_NAME = plain("DisplayName")
GIVEN = plain("GivenName")
MIDDLE = plain("MiddleName")
SURNAME = plain("Surname")
PREFIX = tagged(0x3A45)  # PidTagDisplayNamePrefix: CompleteName/Title, which nobody can write
SUFFIX = plain("Generation")
COMPANY = plain("CompanyName")
OFFICE = plain("OfficeLocation")
EMAILS = tuple(entry("EmailAddresses", "EmailAddress", f"EmailAddress{n}") for n in (1, 2, 3))
#: PidLidEmail1OriginalDisplayName …: the SMTP address where the slot holds one of the directory's own form.
ORIGINALS = (address(0x8084), address(0x8094), address(0x80A4))
MESSENGERS = tuple(entry("ImAddresses", "ImAddress", f"ImAddress{n}") for n in (1, 2, 3))
DAYS = (plain("Birthday"), plain("WeddingAnniversary"))
CERTIFICATES = tagged(0x3A70, "BinaryArray")  # PidTagUserX509Certificate
LEFTOVER = Field("ExtendedProperty", form.LEFTOVER, "Leftover", asking.TOKEN_SET)
UID = Field("ExtendedProperty", form.UID, "Uid", asking.TOKEN_SET)
PARTS = ("Street", "City", "State", "PostalCode", "CountryOrRegion")

#: Of what is written, in the order of the schema.
ORDER = (
    *("Sensitivity", "Body", "Categories", "ExtendedProperty"),
    *("FileAs", "FileAsMapping", "DisplayName", "GivenName", "MiddleName", "Nickname", "CompanyName"),
    *("EmailAddresses", "PhysicalAddresses", "PhoneNumbers", "AssistantName", "Birthday", "BusinessHomePage", "Children"),
    *("Department", "Generation", "ImAddresses", "JobTitle", "Manager", "OfficeLocation", "Profession", "SpouseName"),
    *("Surname", "WeddingAnniversary"),
)
_PART_ORDER = ("Street", "City", "State", "CountryOrRegion", "PostalCode")


def street(key: str) -> tuple[Field, ...]:
    """The parts of one postal address, as `PARTS`."""
    return tuple(entry("PhysicalAddresses", f"PhysicalAddress:{part}", key, part) for part in PARTS)


def asked(fields: Iterable[Field]) -> str:
    """As AdditionalProperties; a dictionary is asked for as a whole."""
    dictionaries = {field.element: asking.field(f"contacts:{field.element}") for field in fields if "Indexed" in field.path}
    return "".join(dict.fromkeys(dictionaries.get(field.element, field.path) for field in fields))


def contents(element: etree._Element) -> Contents:
    """All that an item says, read once."""
    found: dict[tuple[str, str, str], tuple[str, ...]] = {}
    for child in element.iterchildren(etree.Element):
        name = soap.name(child)
        if name == "ExtendedProperty":
            path = child.find(f"{{{soap.TYPES}}}ExtendedFieldURI")
            if path is not None:
                found[name, *_property(path)] = tuple(value.text or "" for value in child.iter(f"{{{soap.TYPES}}}Value"))
        elif name == "Body":
            found[name, "", ""] = (_note(child),)
        elif len(child):
            found[name, "", ""] = tuple(each.text or "" for each in child.iterchildren(f"{{{soap.TYPES}}}String"))
            for one in child.iterchildren(f"{{{soap.TYPES}}}Entry"):
                key = str(one.get("Key", ""))
                found[name, key, ""] = (one.text or "",)
                found |= {(name, key, soap.name(part)): (part.text or "",) for part in one.iterchildren(etree.Element)}
        else:
            found[name, "", ""] = (child.text or "",)
    return found


def read(field: Field, said: Contents) -> Value:
    """One field of an item's `contents`; "" or () when it says nothing."""
    values = said.get((field.element, field.key, field.part), ())
    if field.many:
        return values
    text = values[0].replace("\r\n", "\n") if values else ""
    return _day(text) if field in DAYS else text


def find_entry(element: etree._Element, field: Field) -> etree._Element | None:
    for each in element.iterfind(f"{{{soap.TYPES}}}{field.element}/{{{soap.TYPES}}}Entry"):
        if each.get("Key") == field.key:
            return each
    return None


def whole(values: Mapping[Field, Value]) -> str:
    """The content of a new contact, or of a new list as far as these are its fields."""
    found: dict[str, list[str]] = {}
    addresses: dict[str, list[tuple[int, str]]] = {}
    for field, value in values.items():
        if field.part in _PART_ORDER:
            addresses.setdefault(field.key, []).append((_PART_ORDER.index(field.part), _inner(field, value)))
        else:
            found.setdefault(field.element, []).append(_inner(field, value))
    for key, parts in sorted(addresses.items()):
        inner = "".join(text for _, text in sorted(parts))
        found.setdefault("PhysicalAddresses", []).append(f'<t:Entry Key="{key}">{inner}</t:Entry>')
    return "".join(_wrapped(name, "".join(found[name])) for name in ORDER if name in found)


def update(field: Field, value: Value, element: etree._Element) -> str:
    """What takes one field of an item, a contact or a list, to this value; an empty value deletes it, where it can be deleted."""
    value = "Normal" if field is SENSITIVITY and not value else value
    if not value:
        return asking.delete_field(field.path)
    inner = _inner(field, value, find_entry(element, field) if field in EMAILS else None)
    if field.part in _PART_ORDER:
        inner = f'<t:Entry Key="{field.key}">{inner}</t:Entry>'
    return asking.set_field(field.path, soap.name(element), _wrapped(field.element, inner))


def certificate(blob: str) -> str:
    """The certificate in one value of PidTagUserX509Certificate, both as base64; "" when there is none."""
    try:
        data = base64.b64decode(blob)
    except binascii.Error:
        return ""
    if data[:1] == b"\x30":  # DER as it is
        return base64.b64encode(data).decode()
    at = 0
    while len(data) - at > 4:
        tag, length = int.from_bytes(data[at : at + 2], "little"), int.from_bytes(data[at + 2 : at + 4], "little")
        if tag in _CERTIFICATES:
            return base64.b64encode(data[at + 4 : at + length]).decode()
        at += max(length, 4)
    return ""


def certificate_blob(der: str) -> str:
    """A value of PidTagUserX509Certificate for a certificate: one setting, whose length counts its head of four bytes."""
    data = base64.b64decode(der)
    return base64.b64encode(b"".join((b"\x03\x00", (len(data) + 4).to_bytes(2, "little"), data))).decode()


def _inner(field: Field, value: Value, old: etree._Element | None = None) -> str:
    """The content of the element; of an extended property the whole."""
    if field.element == "ExtendedProperty":
        return asking.extended(field.path, value)
    if not isinstance(value, str):
        return "".join(f"<t:String>{escape(each)}</t:String>" for each in value)
    if field.part:
        return f"<t:{field.part}>{escape(value)}</t:{field.part}>"
    if field.key:
        return f'<t:Entry Key="{field.key}"{_called(old, value)}>{escape(value)}</t:Entry>'
    # As Exchange itself writes a day: so near to noon that it is the same day in nearly every zone.
    return f"{value}T11:59:00Z" if field in DAYS else escape(value)


def _called(old: etree._Element | None, new: str) -> str:
    """The name for people beside an address stays when the address changes, with the new address where it names the old one."""
    name = str(old.get("Name", "")) if old is not None else ""
    before = (old.text or "").strip() if old is not None else ""
    if not name or not before or name == before or str(old.get("RoutingType", "SMTP")).upper() != "SMTP":  # type: ignore[union-attr]
        return ""
    return f' Name="{asking.attribute(name.replace(before, new))}" RoutingType="SMTP"'


def _wrapped(name: str, inner: str) -> str:
    if name == "ExtendedProperty":
        return inner
    return f'<t:Body BodyType="Text">{inner}</t:Body>' if name == "Body" else f"<t:{name}>{inner}</t:{name}>"


def _property(path: etree._Element) -> tuple[str, str]:
    """Key and part of a `Field`, from an ExtendedFieldURI."""
    if tag := str(path.get("PropertyTag", "")):
        return str(mail.number(tag)), ""
    given = str(path.get("DistinguishedPropertySetId") or path.get("PropertySetId", "")).lower()
    name = str(path.get("PropertyId") or path.get("PropertyName"))
    return name, "Address" if given in ("address", ADDRESS_SET) else given


def _note(body: etree._Element) -> str:
    said = body.text or ""
    if body.get("BodyType") == "HTML":
        said = bodytext.from_html(said)
    return said.replace("\r\n", "\n").strip()


def _day(moment: str) -> str:
    """The day of an xs:dateTime. Exchange writes 11:59 UTC, Outlook its own midnight: half a day later it is the day meant."""
    try:
        when = datetime.fromisoformat(moment.strip())
        found = ((when.astimezone(UTC) if when.tzinfo else when) + timedelta(hours=12)).date()
    except (ValueError, OverflowError):
        return ""
    # What Outlook writes for "none" is the year 4501.
    return found.isoformat() if found.year < 4500 else ""
