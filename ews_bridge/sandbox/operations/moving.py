"""MoveItem, CopyItem, DeleteItem, MarkAsJunk: items that go from one folder to another."""

from __future__ import annotations

from .. import elements
from .. import kinds
from .. import occurrences
from .. import task_series
from .. import transport
from ..errors import ItemError
from ..markup import Element
from ..markup import children
from ..markup import is_true
from ..markup import m
from ..markup import put
from ..markup import t
from ..rights import Right
from ..shapes import put_item_id
from ..store import Item
from . import inviting
from . import responding
from . import scheduling
from .call import Call
from .folders import dispose
from .replies import Answer
from .targets import item_of
from .targets import target_folder


def move_item(call: Call, request: Element) -> Element:
    return _move_or_copy(call, request, "MoveItem")


def copy_item(call: Call, request: Element) -> Element:
    return _move_or_copy(call, request, "CopyItem")


def _move_or_copy(call: Call, request: Element, operation: str) -> Element:
    answer = Answer(operation, "Items")
    # "ignored by server" says OXWSCORE R2011 of true; an explicit false is honoured, as clients use it to save bytes.
    told = request.findtext(m("ReturnNewItemIds"))
    for node in children(request.find(m("ItemIds"))):
        try:
            target = target_folder(call, request.find(m("ToFolderId")), "ErrorToFolderNotFound", need=Right.CREATE)
            item = item_of(call, node, need=Right.DELETE if operation == "MoveItem" else Right.READ)
            if elements.folder_kind(target.folder_class, search=target.search) == "SearchFolder":
                raise ItemError("ErrorMoveCopyFailed")
            placed = call.user.move(item, target) if operation == "MoveItem" else call.user.copy(item, target)
            into = answer.success()
            if told is None or is_true(told):
                kind = placed.kind or elements.kind_of(placed.item_class)
                put_item_id(put(into, t(kind)), t("ItemId"), placed)
        except ItemError as error:
            answer.error(error)
    return answer.element


def delete_item(call: Call, request: Element) -> Element:
    answer = Answer("DeleteItem")
    how = request.get("DeleteType") or "HardDelete"
    quiet = is_true(request.get("SuppressReadReceipts"))
    for node in children(request.find(m("ItemIds"))):
        try:
            item = item_of(call, node, need=Right.DELETE)
            kind = item.kind or elements.kind_of(item.item_class)
            if kind == "Task" and request.get("AffectedTaskOccurrences") is None:
                raise ItemError("ErrorAffectedTaskOccurrencesRequired", "AffectedTaskOccurrences attribute is required.")
            if kind == "CalendarItem":
                told = scheduling.told(request, "SendMeetingCancellations")
                inviting.send(item, inviting.for_end(item, told))
                responding.decline(item, told)
            if not item.read and not quiet:
                transport.answer_receipt(item, read=False)
            if item.master is not None:
                occurrences.delete_occurrence(item)
            elif request.get("AffectedTaskOccurrences") == "SpecifiedOccurrenceOnly" and task_series.recurs(item):
                _skip(call, item)
            elif item.folder is not None:
                dispose(call, item.folder, item.key, how)
            answer.success()
        except ItemError as error:
            answer.error(error)
    return answer.element


def _skip(call: Call, item: Item) -> None:
    """Delete the current occurrence of a recurring task: it goes on to the next one, and the last one stays."""
    if not task_series.skip(item):
        raise ItemError("ErrorCannotDeleteTaskOccurrence")
    kinds.settle(item)
    call.user.touch(item, was_read=item.read, read_only=False)


def mark_as_junk(call: Call, request: Element) -> Element:
    """MarkAsJunk: moves to Junk Email, or from there to the Inbox, if asked to; the sender lists are not kept."""
    answer = Answer("MarkAsJunk")
    junk = is_true(request.get("IsJunk"))
    moving = is_true(request.get("MoveItem"))
    target = call.user.folder("junkemail" if junk else "inbox")
    for node in children(request.find(m("ItemIds"))):
        try:
            item = item_of(call, node, need=Right.DELETE if moving else Right.READ)
            if moving and item.folder is not target:
                item = call.user.move(item, target)
            message = answer.success()
            if moving:
                put_item_id(message, m("MovedItemId"), item)
        except ItemError as error:
            answer.error(error)
    return answer.element
