"""Which folder or item an id in a request means."""

from __future__ import annotations

import datetime as dt

from .. import appointments
from .. import ids
from .. import occurrences
from ..errors import ItemError
from ..markup import Element
from ..markup import children
from ..markup import local
from ..markup import t
from ..store import Folder
from ..store import Item
from .call import Call


def folder_of(call: Call, element: Element, missing: str = "ErrorFolderNotFound") -> Folder:
    """The folder a FolderId or DistinguishedFolderId means; ItemError with the code `missing` if there is none."""
    if local(element) == "DistinguishedFolderId":
        return _distinguished(call, element, missing)
    reference = ids.parse_ews_id(element.get("Id") or "")
    if reference.item is not None:
        raise ItemError("ErrorCannotUseItemIdForFolderId")
    change_key = element.get("ChangeKey")
    if change_key:
        ids.parse_change_key(change_key)
    folder = call.user.folders.get(reference.folder) if reference.mailbox == call.user.guid else None
    if folder is None:
        raise ItemError(missing)
    return folder


def _distinguished(call: Call, element: Element, missing: str) -> Folder:
    mailbox = call.user
    owner = element.findtext(f"{t('Mailbox')}/{t('EmailAddress')}")
    if owner is not None and owner.lower() != call.user.address.lower():
        if owner.lower() not in call.world.users:
            raise ItemError("ErrorNonExistentMailbox")
        raise ItemError("ErrorAccessDenied")
    folder = mailbox.distinguished.get(element.get("Id") or "")
    if folder is None:
        raise ItemError(missing)
    return folder


def target_folder(call: Call, parent: Element | None, missing: str) -> Folder:
    """The folder inside a ParentFolderId, ToFolderId, SyncFolderId or SavedItemFolderId."""
    inner = children(parent)
    if not inner:
        raise ItemError(missing)
    return folder_of(call, inner[0], missing)


def item_of(call: Call, element: Element) -> Item:
    """The item an ItemId, OccurrenceItemId or RecurringMasterItemId means."""
    if local(element) == "OccurrenceItemId":
        return _occurrence(call, element)
    if local(element) == "RecurringMasterItemIdRanges":
        raise ItemError("ErrorInvalidOperation")  # several items for one id: not served here
    if local(element) == "RecurringMasterItemId":
        found = find_item(call, ids.parse_ews_id(element.get("OccurrenceId") or ""))
        if found.master is None:
            raise ItemError("ErrorCalendarCannotUseIdForRecurringMasterId")
        return found.master
    return find_item(call, ids.parse_ews_id(element.get("Id") or ""))


def referenced(call: Call, node: Element) -> Item:
    """The item that a response object refers to; ErrorMissingInformationReferenceItemId, ErrorInvalidReferenceItem."""
    reference = node.find(t("ReferenceItemId"))
    if reference is None:
        raise ItemError("ErrorMissingInformationReferenceItemId")
    try:
        return find_item(call, ids.parse_ews_id(reference.get("Id") or ""))
    except ItemError as error:
        if error.code == "ErrorItemNotFound":
            raise
        raise ItemError("ErrorInvalidReferenceItem") from error


def _occurrence(call: Call, element: Element) -> Item:
    """The occurrence of an index; deleted ones are counted too (OXWSCORE R141)."""
    series = find_item(call, ids.parse_ews_id(element.get("RecurringMasterId") or ""))
    found = appointments.recurrence(series)
    if found is None:
        raise ItemError("ErrorCalendarCannotUseIdForOccurrenceId")
    day = found.nth(int(element.get("InstanceIndex") or 0))
    if day is None:
        raise ItemError("ErrorCalendarOccurrenceIndexIsOutOfRecurrenceRange")
    return _of_day(series, day)


def _of_day(series: Item, day: dt.date) -> Item:
    if day.toordinal() in series.deleted:
        raise ItemError("ErrorCalendarOccurrenceIsDeletedFromRecurrence")
    return occurrences.occurrence(series, day)


def find_item(call: Call, reference: ids.Reference) -> Item:
    """The item of a reference; an id from before a move means nothing any more."""
    if reference.item is None:
        raise ItemError("ErrorCannotUseFolderIdForItemId")
    item = call.user.items.get(reference.item) if reference.mailbox == call.user.guid else None
    if item is None or item.folder is None or item.folder.key != reference.folder:
        raise ItemError("ErrorItemNotFound")
    if reference.occurrence is None:
        return item
    found = appointments.recurrence(item)
    day = dt.date.fromordinal(reference.occurrence)
    if found is None or found.index(day) is None:
        raise ItemError("ErrorItemNotFound")
    return _of_day(item, day)
