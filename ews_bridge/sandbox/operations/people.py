"""Operations on people: names resolved in the directory and among the contacts, groups expanded, rooms, pictures."""

from __future__ import annotations

import base64
from dataclasses import dataclass

from lxml import etree

from .. import contacts
from .. import dictionaries
from .. import ids
from .. import lists
from .. import people
from .. import properties
from ..errors import ItemError
from ..markup import NSMAP
from ..markup import Element
from ..markup import children
from ..markup import is_true
from ..markup import m
from ..markup import put
from ..markup import t
from ..people import Person
from ..store import Folder
from ..store import Item
from .call import Call
from .replies import Answer
from .replies import lone_answer
from .targets import find_item
from .targets import folder_of

MOST_NAMES = 100
# In which order the two places are searched.
SCOPES = {
    "ActiveDirectory": ("directory",),
    "ActiveDirectoryContacts": ("directory", "contacts"),
    "Contacts": ("contacts",),
    "ContactsActiveDirectory": ("contacts", "directory"),
}


@dataclass(frozen=True, slots=True)
class Hit:
    """What a name may mean: an entry of the directory, or an item of a contacts folder (with one of its addresses)."""

    person: Person | None = None
    item: Item | None = None
    key: str = ""


def resolve_names(call: Call, request: Element) -> Element:
    """ResolveNames: at most 100 candidates, of which the answer says whether they are all (MS-OXWSRSLNM)."""
    answer = Answer("ResolveNames")
    entry = (request.findtext(m("UnresolvedEntry")) or "").strip()
    try:
        if not entry:
            raise ItemError("ErrorInvalidNameForNameResolution")
        folder = _contacts_folder(call, children(request.find(m("ParentFolderIds"))))
        hits: list[Hit] = []
        for place in SCOPES[request.get("SearchScope") or "ActiveDirectoryContacts"]:
            if place == "directory":
                hits += [Hit(person=one) for one in people.found(call.world, entry)]
            else:
                hits += contact_hits(folder, entry)
        if not hits:
            raise ItemError("ErrorNameResolutionNoResults")
    except ItemError as error:
        answer.error(error)
        return answer.element
    several = len(hits) > 1
    message = answer.warning(ItemError("ErrorNameResolutionMultipleResults")) if several else answer.success()
    resolved = put(message, m("ResolutionSet"))
    resolved.set("TotalItemsInView", str(len(hits)))
    resolved.set("IncludesLastItemInRange", "true" if len(hits) <= MOST_NAMES else "false")
    full = is_true(request.get("ReturnFullContactData"))
    shape = request.get("ContactDataShape") or "Default"
    for hit in hits[:MOST_NAMES]:
        resolution = put(resolved, t("Resolution"))
        if hit.item is not None:
            _put_item(resolution, hit.item, hit.key)
        elif hit.person is not None:
            lists.put_person(resolution, hit.person)
            # Of private contacts only the id is told, whatever was asked for: the rest is in the mailbox.
            if full and shape != "IdOnly":
                put_contact(resolution, call, hit.person, everything=shape == "AllProperties")
    return answer.element


def _contacts_folder(call: Call, nodes: list[Element]) -> Folder:
    """The folder whose contacts are searched."""
    if len(nodes) > 1:
        raise ItemError("ErrorResolveNamesOnlyOneContactsFolderAllowed")
    if not nodes:
        return call.user.folder("contacts")
    folder = folder_of(call, nodes[0])
    if not folder.folder_class.startswith("IPF.Contact"):
        raise ItemError("ErrorResolveNamesInvalidFolderType")
    return folder


def contact_hits(folder: Folder, entry: str) -> list[Hit]:
    """The contacts and lists of a folder that a text may mean; a contact once for each of its addresses."""
    hits: list[Hit] = []
    for item in folder.items.values():
        names = [properties.text(item, prop) for prop in (contacts.DISPLAY_NAME, contacts.FILE_AS, contacts.NICKNAME)]
        keys = [key for key in dictionaries.EMAILS if dictionaries.email(item, key)[2]]
        if item.kind == "DistributionList" and people.matches(entry, names, ()):
            hits.append(Hit(item=item))
        elif item.kind == "Contact":
            names.append(f"{properties.text(item, contacts.GIVEN_NAME)} {properties.text(item, contacts.SURNAME)}")
            named = people.matches(entry, filter(str.strip, names), ())
            meant = [key for key in keys if named or people.matches(entry, (), (dictionaries.email(item, key)[2],))]
            hits += [Hit(item=item, key=key) for key in meant]
    return sorted(hits, key=lambda hit: people.folded(properties.text(hit.item, contacts.DISPLAY_NAME) if hit.item else ""))


def _put_item(parent: Element, item: Item, key: str) -> None:
    mailbox = lists.put_reference(parent, item)
    address = mailbox.find(t("EmailAddress"))
    if key and address is not None:
        address.text = dictionaries.email(item, key)[2]


def put_contact(parent: Element, call: Call, person: Person, *, everything: bool) -> None:
    """Append the t:Contact of an entry of the directory; `everything` adds what only AllProperties shows."""
    contact = put(parent, t("Contact"))
    manager = people.by_address(call.world, person.manager) if person.manager else None
    _put_text(contact, ("DisplayName", person.name), ("GivenName", person.given), ("CompanyName", person.company))
    addresses = put(contact, t("EmailAddresses"))
    for number, address in enumerate(person.addresses[:3], 1):
        put(addresses, t("Entry"), f"SMTP:{address}").set("Key", f"EmailAddress{number}")
    if person.postal:
        entry = put(put(contact, t("PhysicalAddresses")), t("Entry"))
        entry.set("Key", "Business")
        _put_text(entry, *sorted(person.postal, key=lambda part: dictionaries.STREET_PARTS.index(part[0])))
    if person.phones:
        numbers = put(contact, t("PhoneNumbers"))
        for key, number_ in person.phones:
            put(numbers, t("Entry"), number_).set("Key", key)
    _put_text(contact, ("AssistantName", person.assistant), ("ContactSource", "ActiveDirectory"))
    _put_text(contact, ("Department", person.department), ("JobTitle", person.title))
    _put_text(contact, ("Manager", manager.name if manager else ""), ("OfficeLocation", person.office))
    _put_text(contact, ("Surname", person.surname))
    if everything:
        _put_rest(contact, call, person, manager)


def _put_rest(contact: Element, call: Call, person: Person, manager: Person | None) -> None:
    put(contact, t("HasPicture"), "true" if person.photo else "false")
    _put_text(contact, ("PhoneticFirstName", person.yomi_given), ("PhoneticLastName", person.yomi_surname))
    _put_text(contact, ("Alias", person.alias), ("Notes", person.notes))
    if person.photo:
        put(contact, t("Photo"), base64.b64encode(person.photo).decode("ascii"))
    if person.certificate:
        encoded = base64.b64encode(person.certificate).decode("ascii")
        put(put(contact, t("UserSMIMECertificate")), t("Base64Binary"), encoded)
    put(contact, t("DirectoryId"), f"CN={person.alias or person.address}")
    if manager is not None:
        lists.put_person(put(contact, t("ManagerMailbox")), manager)
    reports = [one for one in people.everybody(call.world) if one.manager and one.manager.lower() == person.address.lower()]
    if reports:
        element = put(contact, t("DirectReports"))
        for one in reports:
            lists.put_person(element, one)


def _put_text(parent: Element, *named: tuple[str, str]) -> None:
    for name, text in named:
        if text:
            put(parent, t(name), text)


def expand_dl(call: Call, request: Element) -> Element:
    """ExpandDL: the members of a group of the directory or of a list of the mailbox, groups in it unexpanded."""
    answer = Answer("ExpandDL")
    given = request.find(m("Mailbox"))
    try:
        if given is None:
            raise ItemError("ErrorNameResolutionNoResults")
        identifier = given.find(t("ItemId"))
        found = _public_members(call, given) if identifier is None else _private_members(call, identifier.get("Id") or "")
    except ItemError as error:
        answer.error(error)
        return answer.element
    expansion = put(answer.success(), m("DLExpansion"))
    expansion.set("TotalItemsInView", str(len(found)))
    expansion.set("IncludesLastItemInRange", "true")
    expansion.extend(found)
    return answer.element


def _private_members(call: Call, text: str) -> list[Element]:
    item = find_item(call, ids.parse_ews_id(text))
    if item.kind != "DistributionList":
        raise ItemError("ErrorInvalidItemForOperationExpandDL")
    return [mailbox for one in lists.members(item) if (mailbox := one.find(t("Mailbox"))) is not None]


def _public_members(call: Call, given: Element) -> list[Element]:
    address = (given.findtext(t("EmailAddress")) or "").strip()
    group = people.by_address(call.world, address)
    if group is None:
        named = [one for one in people.everybody(call.world) if one.name == (given.findtext(t("Name")) or address)]
        group = named[0] if len(named) == 1 else None
    if group is None or group.kind != people.GROUP:
        raise ItemError("ErrorNameResolutionNoResults")
    made = etree.Element("members", nsmap=NSMAP)
    return [lists.put_person(made, one) for one in people.members(call.world, group)]


def get_user_photo(call: Call, request: Element) -> Element:
    """GetUserPhoto; there is one size of each picture, whatever size is asked for."""
    address = (request.findtext(m("Email")) or "").strip()
    person = people.by_address(call.world, address)
    if "@" not in address:
        failure = ItemError("ErrorInvalidSmtpAddress")
    elif person is None:
        failure = ItemError("ErrorMailRecipientNotFound")
    else:
        failure = ItemError("ErrorItemNotFound", "The user has no picture.")
    if person is None or not person.photo:
        element = lone_answer("GetUserPhotoResponse", failure)
        put(element, m("HasChanged"), "false")
        return element
    element = lone_answer("GetUserPhotoResponse")
    put(element, m("HasChanged"), "true")
    put(element, m("PictureData"), base64.b64encode(person.photo).decode("ascii"))
    put(element, m("ContentType"), "image/png" if person.photo.startswith(b"\x89PNG") else "image/jpeg")
    return element


def get_room_lists(call: Call, request: Element) -> Element:
    """GetRoomLists: the groups of rooms."""
    element = lone_answer("GetRoomListsResponse")
    found = put(element, m("RoomLists"))
    for one in people.everybody(call.world):
        if one.room and one.kind == people.GROUP:
            lists.put_person(found, one, "Address")
    return element


def get_rooms(call: Call, request: Element) -> Element:
    """GetRooms: the rooms of one list."""
    group = people.by_address(call.world, request.findtext(f"{m('RoomList')}/{t('EmailAddress')}") or "")
    if group is None or not group.room or group.kind != people.GROUP:
        return lone_answer("GetRoomsResponse", ItemError("ErrorNameResolutionNoResults"))
    element = lone_answer("GetRoomsResponse")
    found = put(element, m("Rooms"))
    for one in people.members(call.world, group):
        lists.put_person(put(found, t("Room")), one, "Id")
    return element
