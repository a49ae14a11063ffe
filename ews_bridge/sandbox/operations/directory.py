"""Operations about the mailbox and its surroundings rather than its content: ids, time zones, settings."""

from __future__ import annotations

import base64

from .. import ids
from ..errors import ItemError
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
from .call import Call
from .replies import Answer
from .targets import target_folder


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


def get_server_time_zones(call: Call, request: Element) -> Element:
    answer = Answer("GetServerTimeZones", "TimeZoneDefinitions")
    wanted = [node.text or "" for node in children(request.find(m("Ids")))]
    full = request.get("ReturnFullTimeZoneData")
    put_zones(answer.success(), wanted, full=full is None or is_true(full))
    return answer.element


def get_user_configuration(call: Call, request: Element) -> Element:
    """GetUserConfiguration: of those a mailbox may have two exist: OWA.UserOptions, with the user's time zone, and CategoryList,
    whose XML is its entry "".
    """
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
        for key, value in ((key, value) for key, value in entries.items() if key):
            entry = put(dictionary, t("DictionaryEntry"))
            for part, text in (("DictionaryKey", key), ("DictionaryValue", value)):
                element = put(entry, t(part))
                put(element, t("Type"), "String")
                put(element, t("Value"), text)
    if entries.get("") and ("XmlData" in wanted or "All" in wanted):
        put(configuration, t("XmlData"), base64.b64encode(entries[""].encode()).decode())
    return answer.element
