"""Which folder or item an id in a request means."""

from __future__ import annotations

import datetime as dt

from .. import appointments
from .. import ids
from .. import occurrences
from .. import rights
from ..errors import ItemError
from ..markup import Element
from ..markup import children
from ..markup import local
from ..markup import t
from ..rights import Right
from ..store import Folder
from ..store import Item
from .call import Call

#: What a right that is missing is called where it is not simply ErrorAccessDenied.
_DENIED = {Right.CREATE: "ErrorCreateItemAccessDenied", Right.SUBFOLDERS: "ErrorCreateSubfolderAccessDenied"}


def folder_of(call: Call, element: Element, missing: str = "ErrorFolderNotFound", *, need: Right = Right.VISIBLE) -> Folder:
    """The folder a FolderId or DistinguishedFolderId means; ItemError with the code `missing` if there is none.

    The user must have the right `need` to it, which counts in the mailboxes of others only.
    """
    folder = (
        _distinguished(call, element, missing) if local(element) == "DistinguishedFolderId" else _by_id(call, element, missing)
    )
    if not rights.on(call.user, folder) & Right.VISIBLE:
        raise ItemError("ErrorAccessDenied")
    check(call, folder, need)
    return folder


def check(call: Call, folder: Folder, need: Right) -> None:
    """ItemError where the user does not have this right to the folder and what is in it."""
    if need not in rights.on(call.user, folder):
        raise ItemError(_DENIED.get(need, "ErrorAccessDenied"))


def _by_id(call: Call, element: Element, missing: str) -> Folder:
    reference = ids.parse_ews_id(element.get("Id") or "")
    if reference.item is not None:
        raise ItemError("ErrorCannotUseItemIdForFolderId")
    change_key = element.get("ChangeKey")
    if change_key:
        ids.parse_change_key(change_key)
    mailbox = call.world.mailbox(reference.mailbox)
    folder = mailbox.folders.get(reference.folder) if mailbox is not None else None
    if folder is None:
        raise ItemError(missing)
    return folder


def _distinguished(call: Call, element: Element, missing: str) -> Folder:
    mailbox = call.user
    owner = element.findtext(f"{t('Mailbox')}/{t('EmailAddress')}")
    if owner is not None:
        if owner.lower() not in call.world.users:
            raise ItemError("ErrorNonExistentMailbox")
        mailbox = call.world.users[owner.lower()]
    folder = mailbox.distinguished.get(element.get("Id") or "")
    if folder is None:
        raise ItemError(missing)
    return folder


def target_folder(call: Call, parent: Element | None, missing: str, *, need: Right = Right.VISIBLE) -> Folder:
    """The folder inside a ParentFolderId, ToFolderId, SyncFolderId or SavedItemFolderId."""
    inner = children(parent)
    if not inner:
        raise ItemError(missing)
    return folder_of(call, inner[0], missing, need=need)


def item_of(call: Call, element: Element, *, need: Right = Right.READ) -> Item:
    """The item an ItemId, OccurrenceItemId or RecurringMasterItemId means; the user must have the right `need` in its folder."""
    if local(element) == "OccurrenceItemId":
        return _occurrence(call, element, need)
    if local(element) == "RecurringMasterItemIdRanges":
        raise ItemError("ErrorInvalidOperation")  # several items for one id: not served here
    if local(element) == "RecurringMasterItemId":
        found = find_item(call, ids.parse_ews_id(element.get("OccurrenceId") or ""), need=need)
        if found.master is None:
            raise ItemError("ErrorCalendarCannotUseIdForRecurringMasterId")
        return found.master
    return find_item(call, ids.parse_ews_id(element.get("Id") or ""), need=need)


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


def _occurrence(call: Call, element: Element, need: Right) -> Item:
    """The occurrence of an index; deleted ones are counted too (OXWSCORE R141)."""
    series = find_item(call, ids.parse_ews_id(element.get("RecurringMasterId") or ""), need=need)
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


def find_item(call: Call, reference: ids.Reference, *, need: Right = Right.READ) -> Item:
    """The item of a reference; an id from before a move means nothing any more."""
    if reference.item is None:
        raise ItemError("ErrorCannotUseFolderIdForItemId")
    mailbox = call.world.mailbox(reference.mailbox)
    item = mailbox.items.get(reference.item) if mailbox is not None else None
    if item is None or item.folder is None or item.folder.key != reference.folder:
        raise ItemError("ErrorItemNotFound")
    if not rights.on(call.user, item.folder) & Right.READ:
        raise ItemError("ErrorItemNotFound")  # as if it were not there
    check(call, item.folder, need)
    if reference.occurrence is None:
        return item
    found = appointments.recurrence(item)
    day = dt.date.fromordinal(reference.occurrence)
    if found is None or found.index(day) is None:
        raise ItemError("ErrorItemNotFound")
    return _of_day(item, day)
