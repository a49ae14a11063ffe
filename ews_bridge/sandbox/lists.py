"""Distribution lists in a mailbox (MS-OXWSDLIST): a name, and members that are people, contacts, lists or bare addresses."""

from __future__ import annotations

import base64
import hashlib

from lxml import etree

from . import contacts
from . import dictionaries
from . import ids
from . import people
from . import properties
from .errors import ItemError
from .fields import Field
from .fields import shown
from .mapi import PropertyName
from .markup import NSMAP
from .markup import Element
from .markup import children
from .markup import put
from .markup import set_attribute
from .markup import t
from .parts import Look
from .store import Item

MEMBER = "distributionlist:Members:Member"
LIST_NAME: PropertyName = (dictionaries.ADDRESS, 0x8053)
PRIVATE = "PrivateDL"


def members(item: Item) -> list[Element]:
    """The t:Member elements of a list."""
    kept = item.declared.get("Members")
    return [] if kept is None else children(etree.fromstring(kept))


def settle(item: Item) -> None:
    """What every save of a list sees to: the name stands in all the places where it is looked for."""
    name = properties.text(item, contacts.DISPLAY_NAME)
    properties.write(item, LIST_NAME, "String", name)
    if not properties.text(item, contacts.FILE_AS):
        properties.write(item, contacts.FILE_AS, "String", name)


def put_reference(parent: Element, item: Item) -> Element:
    """Append a t:Mailbox that means a contact or a list of the mailbox."""
    mailbox = put(parent, t("Mailbox"))
    name = properties.text(item, contacts.DISPLAY_NAME)
    if item.kind == "DistributionList":
        _fill(mailbox, name, name, "MAPIPDL", PRIVATE)
    else:
        address = next((found[2] for key in dictionaries.EMAILS if (found := dictionaries.email(item, key))[2]), "")
        _fill(mailbox, name, address, "SMTP", people.OUTSIDE)
    identifier = put(mailbox, t("ItemId"))
    identifier.set("Id", item.mailbox.item_id(item))
    identifier.set("ChangeKey", item.mailbox.item_change_key(item))
    return mailbox


def put_person(parent: Element, person: people.Person, name: str = "Mailbox") -> Element:
    """Append an element that means an entry of the directory."""
    mailbox = put(parent, t(name))
    _fill(mailbox, person.name, person.address, "SMTP", person.kind)
    return mailbox


def _fill(mailbox: Element, name: str, address: str, routing: str, kind: str) -> None:
    put(mailbox, t("Name"), name)
    if address:
        put(mailbox, t("EmailAddress"), address)
    put(mailbox, t("RoutingType"), routing)
    put(mailbox, t("MailboxType"), kind)


def _show_members(item: Item, parent: Element, look: Look) -> None:
    kept = item.declared.get("Members")
    if kept is not None:
        parent.append(etree.fromstring(kept))


def set_members(item: Item, element: Element) -> None:
    """Give a list the members of a t:Members, and no others."""
    _keep(item, [_member(item, given) for given in children(element)])


def _append_members(item: Item, element: Element) -> None:
    _keep(item, [*members(item), *(_member(item, given) for given in children(element))])


def _remove_members(item: Item) -> None:
    item.declared.pop("Members", None)


def remove_member(item: Item, key: str) -> None:
    """Take out the member of a key; ErrorDistributionListMemberNotExist if there is none."""
    here = members(item)
    left = [one for one in here if one.get("Key") != key]
    if len(left) == len(here):
        raise ItemError("ErrorDistributionListMemberNotExist")
    _keep(item, left)


def _keep(item: Item, found: list[Element]) -> None:
    """Remember the members, each once."""
    element = etree.Element(t("Members"), nsmap=NSMAP)
    element.extend({one.get("Key"): one for one in found}.values())
    if len(element):
        item.declared["Members"] = etree.tostring(element)
    else:
        _remove_members(item)


def _member(item: Item, given: Element) -> Element:
    """A member as Exchange keeps it: looked up among the contacts by its id, or in the directory by its address."""
    element = etree.Element(t("Member"), nsmap=NSMAP)
    wanted = given.find(t("Mailbox"))
    identifier = None if wanted is None else wanted.find(t("ItemId"))
    address = "" if wanted is None else (wanted.findtext(t("EmailAddress")) or "").strip()
    name = "" if wanted is None else wanted.findtext(t("Name")) or ""
    person = people.by_address(item.mailbox.world, address) if address else None
    if identifier is not None:
        made = put_reference(element, _referenced(item, identifier.get("Id") or ""))
    elif person is not None:
        made = put_person(element, person)
    elif address:
        made = put(element, t("Mailbox"))
        _fill(made, name or address, address, "SMTP", "OneOff")
    else:
        raise ItemError("ErrorMissingInformationEmailAddress")
    put(element, t("Status"), "Normal")
    set_attribute(element, "Key", _key(made, identifier))
    return element


def _referenced(item: Item, text: str) -> Item:
    reference = ids.parse_ews_id(text)
    found = item.mailbox.items.get(reference.item or 0)
    if found is None or found.kind not in ("Contact", "DistributionList"):
        raise ItemError("ErrorItemNotFound")
    return found


def _key(mailbox: Element, identifier: Element | None) -> str:
    """What a member is known by; the same member has the same."""
    meant = (identifier.get("Id") or "") if identifier is not None else (mailbox.findtext(t("EmailAddress")) or "").lower()
    digest = hashlib.md5(meant.encode("utf-8", "replace"), usedforsecurity=False).digest()
    return base64.b64encode(bytes(4) + digest).decode("ascii")


_OF_CONTACTS = {one.name: one for one in contacts.FIELDS}
FIELDS: tuple[Field, ...] = (
    _OF_CONTACTS["DisplayName"],
    _OF_CONTACTS["FileAs"],
    shown("contacts:ContactSource", "ContactSource", lambda item: "Store"),
    Field(
        "distributionlist:Members",
        "Members",
        _show_members,
        set_members,
        _remove_members,
        listed=False,
        append=_append_members,
    ),
)
