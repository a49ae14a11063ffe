"""Operations about the mailbox and its surroundings rather than its content: ids, names, time zones, settings."""

from __future__ import annotations

from .. import ids
from ..errors import ItemError
from ..headers import Address
from ..ids import Reference
from ..markup import XSI
from ..markup import Element
from ..markup import children
from ..markup import is_true
from ..markup import local
from ..markup import m
from ..markup import put
from ..markup import set_attribute
from ..markup import t
from ..shapes import put_folder_id
from ..timezones import put_zones
from ..world import Mailbox
from .call import Call
from .replies import Answer
from .targets import target_folder

MOST_NAMES = 100


def convert_id(call: Call, request: Element) -> Element:
    """ConvertId; the Mailbox of the answer is the user's address, whatever the request said."""
    answer = Answer("ConvertId")
    wanted = request.get("DestinationFormat") or "EwsId"
    for node in children(request.find(m("SourceIds"))):
        try:
            converted = _convert(call, node, wanted)
        except ItemError as error:
            answer.error(error)
            continue
        element = put(answer.success(), m("AlternateId"))
        element.set(f"{{{XSI}}}type", "t:AlternateIdType")
        element.set("Format", wanted)
        element.set("Id", converted)
        set_attribute(element, "Mailbox", call.user.address)
    return answer.element


def _convert(call: Call, node: Element, wanted: str) -> str:
    if local(node) != "AlternateId":
        raise ItemError("ErrorInvalidIdMalformed")
    user = call.user
    reference: Reference = ids.from_format(node.get("Format") or "EwsId", node.get("Id") or "", user.guid)
    if reference.mailbox != user.guid:
        raise ItemError("ErrorInvalidIdMalformed")
    return ids.to_format(wanted, user.guid, ids.entry_id(user.replica, reference.folder, reference.item))


def resolve_names(call: Call, request: Element) -> Element:
    """ResolveNames among the users of this world and the contacts in the user's Contacts folder."""
    answer = Answer("ResolveNames")
    entry = (request.findtext(m("UnresolvedEntry")) or "").strip()
    scope = request.get("SearchScope") or "ActiveDirectoryContacts"
    found: list[tuple[Address, str]] = []
    if scope != "Contacts":
        found += [(Address(user.display_name, user.address), "Mailbox") for user in _matching(call, entry)]
    if scope != "ActiveDirectory":
        found += [(one, "Contact") for one in _contacts(call, entry)]
    if not found:
        answer.error(ItemError("ErrorNameResolutionNoResults"))
        return answer.element
    several = len(found) > 1
    message = answer.warning(ItemError("ErrorNameResolutionMultipleResults")) if several else answer.success()
    resolved = put(message, m("ResolutionSet"))
    resolved.set("TotalItemsInView", str(len(found)))
    resolved.set("IncludesLastItemInRange", "true" if len(found) <= MOST_NAMES else "false")
    for address, kind in found[:MOST_NAMES]:
        resolution = put(resolved, t("Resolution"))
        mailbox = put(resolution, t("Mailbox"))
        put(mailbox, t("Name"), address.name)
        put(mailbox, t("EmailAddress"), address.address)
        put(mailbox, t("RoutingType"), "SMTP")
        put(mailbox, t("MailboxType"), kind)
        if is_true(request.get("ReturnFullContactData")):
            _put_contact(resolution, address)
    return answer.element


def _matching(call: Call, entry: str) -> list[Mailbox]:
    exact = entry.lower().startswith("smtp:")
    wanted = entry.lower().removeprefix("smtp:")
    users = list(call.world.users.values())
    if exact:
        return [user for user in users if user.address.lower() == wanted]
    return [user for user in users if _names_match(wanted, user.display_name, user.address)]


def _names_match(wanted: str, name: str, address: str) -> bool:
    words = [name.lower(), address.lower(), *name.lower().split()]
    return any(word.startswith(wanted) for word in words)


def _contacts(call: Call, entry: str) -> list[Address]:
    wanted = entry.lower().removeprefix("smtp:")
    found: list[Address] = []
    for item in call.user.folder("contacts").items.values():
        name = _text(item.declared.get("DisplayName"))
        address = _text(item.declared.get("EmailAddresses")).strip()
        if address and _names_match(wanted, name, address):
            found.append(Address(name, address))
    return found


def _text(kept: bytes | None) -> str:
    from lxml import etree

    return "" if kept is None else "".join(str(piece) for piece in etree.fromstring(kept).itertext())


def _put_contact(resolution: Element, address: Address) -> None:
    contact = put(resolution, t("Contact"))
    put(contact, t("DisplayName"), address.name)
    given, _, family = address.name.partition(" ")
    put(contact, t("GivenName"), given)
    put(put(contact, t("EmailAddresses")), t("Entry"), f"SMTP:{address.address}").set("Key", "EmailAddress1")
    put(contact, t("ContactSource"), "ActiveDirectory")
    if family:
        put(contact, t("Surname"), family)


def expand_dl(call: Call, request: Element) -> Element:
    """ExpandDL: there are no distribution groups in this world."""
    answer = Answer("ExpandDL")
    answer.error(ItemError("ErrorNameResolutionNoResults"))
    return answer.element


def get_server_time_zones(call: Call, request: Element) -> Element:
    answer = Answer("GetServerTimeZones", "TimeZoneDefinitions")
    wanted = [node.text or "" for node in children(request.find(m("Ids")))]
    full = request.get("ReturnFullTimeZoneData")
    put_zones(answer.success(), wanted, full=full is None or is_true(full))
    return answer.element


def get_user_configuration(call: Call, request: Element) -> Element:
    """GetUserConfiguration: of those a mailbox may have only OWA.UserOptions exists, with the user's time zone."""
    answer = Answer("GetUserConfiguration")
    given = request.find(m("UserConfigurationName"))
    name = (given.get("Name") if given is not None else "") or ""
    wanted = (request.findtext(m("UserConfigurationProperties")) or "").split()
    try:
        folder = target_folder(call, given, "ErrorFolderNotFound")
        entries = call.user.configurations.get((folder.key, name))
        if entries is None:
            raise ItemError("ErrorItemNotFound")
    except ItemError as error:
        answer.error(error)
        return answer.element
    configuration = put(answer.success(), m("UserConfiguration"))
    title = put(configuration, t("UserConfigurationName"))
    set_attribute(title, "Name", name)
    put_folder_id(title, "FolderId", folder)
    if "Dictionary" in wanted or "All" in wanted:
        dictionary = put(configuration, t("Dictionary"))
        for key, value in entries.items():
            entry = put(dictionary, t("DictionaryEntry"))
            for part, text in (("DictionaryKey", key), ("DictionaryValue", value)):
                element = put(entry, t(part))
                put(element, t("Type"), "String")
                put(element, t("Value"), text)
    return answer.element
