"""SyncFolderItems and SyncFolderHierarchy.

A synchronisation goes in rounds.  A round covers the changes from change number `since` to `until`, the newest when it
began; its pages first bring the items that arrived in that span, then the changes to older ones.  What changes while
the pages are fetched belongs to the next round, so no page depends on it.  The state a client carries is just these
numbers and how far the round is, with a checksum and the identity of the folder.
"""

from __future__ import annotations

import base64
import binascii
import bisect
import struct
import zlib
from collections.abc import Callable
from dataclasses import dataclass
from dataclasses import replace

from .. import rights
from ..errors import ItemError
from ..ids import entry_id
from ..ids import ews_id
from ..ids import parse_ews_id
from ..markup import Element
from ..markup import children
from ..markup import m
from ..markup import put
from ..markup import t
from ..rights import Right
from ..shapes import ItemShape
from ..shapes import folder_shape
from ..shapes import item_shape
from ..shapes import put_item_id
from ..store import Folder
from .call import Call
from .replies import Answer
from .targets import target_folder

ITEMS, HIERARCHY = 1, 2
FIRST, ARRIVALS, CHANGES = 0, 1, 2
LAYOUT = struct.Struct(">4sB16sIQQQBqq")
MAGIC = b"\x09SB\x01"
PAGE = 512


@dataclass(frozen=True, slots=True)
class State:
    """How far a synchronisation is: the round, its phase, and the position in the phase."""

    kind: int
    replica: bytes
    epoch: int
    folder: int
    since: int = 0
    until: int = 0
    phase: int = CHANGES
    position: tuple[int, int] = (0, 0)

    def text(self) -> str:
        packed = LAYOUT.pack(
            MAGIC,
            self.kind,
            self.replica,
            self.epoch,
            self.folder,
            self.since,
            self.until,
            self.phase,
            *self.position,
        )
        return base64.b64encode(packed + zlib.crc32(packed).to_bytes(4, "big")).decode("ascii")


def read_state(text: str, kind: int, folder: Folder) -> State:
    """The state a client sent back; ErrorInvalidSyncStateData for garbage, another folder's, or an outdated one."""
    try:
        data = base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError) as failure:
        raise ItemError("ErrorInvalidSyncStateData") from failure
    if len(data) != LAYOUT.size + 4 or zlib.crc32(data[:-4]).to_bytes(4, "big") != data[-4:]:
        raise ItemError("ErrorInvalidSyncStateData")
    magic, kind_, replica, epoch, key, since, until, phase, first, second = LAYOUT.unpack(data[:-4])
    state = State(kind_, replica, epoch, key, since, until, phase, (first, second))
    mailbox = folder.mailbox
    if magic != MAGIC or state.kind != kind or replica != mailbox.replica or key != folder.key:
        raise ItemError("ErrorInvalidSyncStateData")
    if epoch != mailbox.epoch or until > mailbox.world.change or (until or since) < folder.oldest_state:
        raise ItemError("ErrorInvalidSyncStateData")
    return state


def sync_folder_items(call: Call, request: Element) -> Element:
    answer = Answer("SyncFolderItems")
    try:
        shape = item_shape(request.find(m("ItemShape")), brief=True, user=call.user)
        folder = target_folder(call, request.find(m("SyncFolderId")), "ErrorSyncFolderNotFound", need=Right.READ)
        state = _begin(call, request, ITEMS, folder)
        maximum = min(PAGE, max(1, int(request.findtext(m("MaxChangesReturned")) or PAGE)))
        ignored = _ignored(request)
    except ItemError as error:
        _refuse(answer, error, "IncludesLastItemInRange")
        return answer.element
    message = answer.success()
    state_element = put(message, m("SyncState"))
    last_element = put(message, m("IncludesLastItemInRange"))
    page = _Page(folder, shape, put(message, m("Changes")), maximum, ignored)
    state = page.fill(state)
    state_element.text = state.text()
    last_element.text = "true" if state.since == state.until else "false"
    return answer.element


def _begin(call: Call, request: Element, kind: int, folder: Folder) -> State:
    """The state to go on from; without one a first round begins, after a finished round the next one."""
    text = request.findtext(m("SyncState"))
    newest = call.world.change
    if not text:
        fresh = State(kind, folder.mailbox.replica, folder.mailbox.epoch, folder.key)
        return replace(fresh, until=newest, phase=FIRST, position=(-(1 << 62), 0))
    state = read_state(text, kind, folder)
    if state.since == state.until:
        return replace(state, until=newest, phase=ARRIVALS, position=(0, 0))
    return state


def _ignored(request: Element) -> frozenset[int]:
    keys = [parse_ews_id(node.get("Id") or "").item for node in children(request.find(m("Ignore")))]
    return frozenset(key for key in keys if key is not None)


def _refuse(answer: Answer, error: ItemError, last: str) -> None:
    """An error message of a synchronisation; for a bad state clients expect these two elements in it."""
    message = answer.error(error)
    if error.code == "ErrorInvalidSyncStateData":
        put(message, m("SyncState"))
        put(message, m(last), "true")


@dataclass(slots=True)
class _Page:
    """One page of changes being filled."""

    folder: Folder
    shape: ItemShape
    changes: Element
    room: int
    ignored: frozenset[int]

    def fill(self, state: State) -> State:
        """Put as many changes as there is room for; returns the state after them."""
        if state.phase == FIRST:
            return self._first(state)
        if state.phase == ARRIVALS:
            state = self._arrivals(state)
        if state.phase == CHANGES:
            state = self._changes(state)
        return state

    def _first(self, state: State) -> State:
        order = self.folder.newest_first(state.until)
        start = bisect.bisect_right(order, (*state.position, 1 << 62)) if state.position != (-(1 << 62), 0) else 0
        at = start
        for at in range(start, len(order)):
            if self.room <= 0:
                return replace(state, position=order[at - 1][:2])
            self._create(order[at][2])
        return _finished(state)

    def _arrivals(self, state: State) -> State:
        for change, key in self.folder.arrived_between(state.since, state.until, state.position[0]):
            if self.room <= 0:
                return state
            self._create(key)
            state = replace(state, position=(change, 0))
        return replace(state, phase=CHANGES, position=(0, 0))

    def _changes(self, state: State) -> State:
        for change, key in self.folder.changed_between(state.since, state.until, state.position[0]):
            kind = self._kind(key, state.since)
            if kind is None or key in self.ignored:
                continue
            if self.room <= 0:
                return state
            self._change(kind, key)
            state = replace(state, position=(change, 0))
        return _finished(state)

    def _kind(self, key: int, since: int) -> str | None:
        """What became of an item since then; None for one that had not been there."""
        item = self.folder.items.get(key)
        if item is None:
            gone = self.folder.tombstones.get(key)
            return "Delete" if gone is not None and gone.arrived <= since else None
        if item.arrived_change > since:
            return None
        return "Update" if item.content_change > since else "ReadFlagChange"

    def _create(self, key: int) -> None:
        item = self.folder.items.get(key)
        if item is not None and key not in self.ignored:
            self.room -= 1
            self.shape.paint(put(self.changes, t("Create")), item)

    def _change(self, kind: str, key: int) -> None:
        self.room -= 1
        element = put(self.changes, t(kind))
        if kind == "Delete":
            mailbox = self.folder.mailbox
            put(element, t("ItemId")).set("Id", ews_id(mailbox.guid, entry_id(mailbox.replica, self.folder.key, key)))
            return
        item = self.folder.items[key]
        if kind == "ReadFlagChange":
            put_item_id(element, t("ItemId"), item)
            put(element, t("IsRead"), "true" if item.read else "false")
        else:
            self.shape.paint(element, item)


def _finished(state: State) -> State:
    return replace(state, since=state.until, phase=CHANGES, position=(0, 0))


def sync_folder_hierarchy(call: Call, request: Element) -> Element:
    answer = Answer("SyncFolderHierarchy")
    try:
        shape = folder_shape(request.find(m("FolderShape")), user=call.user)
        target = request.find(m("SyncFolderId"))
        top = call.user.root if target is None else target_folder(call, target, "ErrorSyncFolderNotFound")
        text = request.findtext(m("SyncState"))
        since = read_state(text, HIERARCHY, top).since if text else 0
    except ItemError as error:
        _refuse(answer, error, "IncludesLastFolderInRange")
        return answer.element
    newest = call.world.change
    message = answer.success()
    state = State(HIERARCHY, top.mailbox.replica, top.mailbox.epoch, top.key, newest, newest)
    put(message, m("SyncState"), state.text())
    put(message, m("IncludesLastFolderInRange"), "true")
    changes = put(message, m("Changes"))
    if not text:
        for folder in top.descendants():
            if rights.on(call.user, folder) & Right.VISIBLE:
                shape.paint(put(changes, t("Create")), folder)
        return answer.element
    for key in _changed_folders(top, since):
        _put_folder_change(call, changes, top, key, since, lambda parent, folder: shape.paint(parent, folder))
    return answer.element


def _changed_folders(top: Folder, since: int) -> list[int]:
    """Keys of the folders changed since, each once, in the order of their last change."""
    log = top.mailbox.folder_changes
    start = bisect.bisect_right(log, (since, 1 << 62))
    return list(dict.fromkeys(key for _, key in reversed(log[start:])))[::-1]


def _put_folder_change(
    call: Call, changes: Element, top: Folder, key: int, since: int, paint: Callable[[Element, Folder], Element]
) -> None:
    mailbox = top.mailbox
    folder = mailbox.folders.get(key)
    if folder is not None and not rights.on(call.user, folder) & Right.VISIBLE:
        return
    if folder is not None and folder.under(top):
        paint(put(changes, t("Create" if folder.arrived_change > since else "Update")), folder)
        return
    if folder is top:
        return
    if folder is None:
        gone, inside = mailbox.folder_tombstones[key]
        if gone.arrived > since or (top.distinguished == "msgfolderroot" and not inside):
            return
    elif folder.change <= since:
        return
    identifier = ews_id(mailbox.guid, entry_id(mailbox.replica, key))
    put(put(changes, t("Delete")), t("FolderId")).set("Id", identifier)
