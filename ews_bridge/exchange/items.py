"""`store.Store` over one Exchange folder of events, contacts or tasks: what its `Form` can convert. Writes: `itemcreating.py`,
`itemwriting.py` and `itemremoving.py`.

An entry's id is the item's EWS id, its revision the digest of what its file says: a change key that rose for nothing is no edit.
`hints.place` is the change key that the revision belongs to, so an item that is listed with the key that is known, after a
write of ours or in a listing from the start, is not fetched again. What is fetched to be digested is kept, within bounds, for
the download that follows.

Must never: mail anybody without `meetingmail.py`; take an item that cannot be converted for one that is gone.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from collections.abc import Iterable
from collections.abc import Iterator
from collections.abc import Mapping
from collections.abc import Sequence
from dataclasses import replace

from ews_bridge.errors import Stale
from ews_bridge.errors import Unavailable
from ews_bridge.exchange import bulk
from ews_bridge.exchange import creating
from ews_bridge.exchange import faults
from ews_bridge.exchange import itemcreating
from ews_bridge.exchange import itemremoving
from ews_bridge.exchange import itemwriting
from ews_bridge.exchange import snapshots
from ews_bridge.exchange import soap
from ews_bridge.exchange.form import Form
from ews_bridge.exchange.meetingmail import MeetingMail
from ews_bridge.exchange.session import Connection
from ews_bridge.exchange.tagging import Tagging
from ews_bridge.model import Content
from ews_bridge.model import Entry
from ews_bridge.model import Flags
from ews_bridge.model import Known
from ews_bridge.model import New
from ews_bridge.model import Scan
from ews_bridge.model import Tags
from ews_bridge.store import Failed
from ews_bridge.store import Store

#: From UIDs to the ids of the items that have them, as far as is known.
Ids = Callable[[Iterable[str]], Mapping[str, str]]


class Kept:
    """Files as they were rendered for a listing, by item; the oldest go when they are too many bytes. For several threads."""

    def __init__(self, limit: int = 64 << 20) -> None:
        self._limit = limit
        self._size = 0
        self._files: dict[str, tuple[str, bytes]] = {}
        self._lock = threading.Lock()

    def put(self, ident: str, revision: str, data: bytes) -> None:
        with self._lock:
            self._drop(ident)
            self._files[ident] = revision, data
            self._size += len(data)
            while self._size > self._limit:
                self._drop(next(iter(self._files)))

    def take(self, ident: str, revision: str) -> bytes | None:
        """The file of an item at this revision, once."""
        with self._lock:
            found = self._files.get(ident)
            self._drop(ident)
            return found[1] if found and found[0] == revision else None

    def _drop(self, ident: str) -> None:
        if found := self._files.pop(ident, None):
            self._size -= len(found[1])


class ItemFolder:
    """One folder. `trash`: the Deleted Items folder's id, where deleted items go.

    `ids`: finds the items that others refer to, by their UIDs; `Stale` while one of them is on its way up: then the other is
    written in a later round.

    `tagging`: the mailbox's tags, where Akonadi's are kept alike with the categories. These are content, too: so a tag comes down
    and goes up as a category of the file, and only the server has places for tags.

    `meetings`: whether the people of meetings are told; by default nobody is.
    """

    def __init__(
        self,
        connection: Connection,
        ident: str,
        collection: int,
        *,
        form: Form,
        trash: str,
        kept: Kept,
        ids: Ids,
        tagging: Tagging | None = None,
        meetings: MeetingMail | None = None,
    ) -> None:
        self.connection = connection
        self.id = ident
        self.form = form
        self.trash = trash
        self.ids = ids
        self.tagging = tagging
        self.meetings = meetings or MeetingMail()
        self._collection = collection
        self._kept = kept

    @property
    def collection(self) -> int:
        return self._collection

    # ---- listing and reading

    def scan(self, cursor: str, known: Known) -> Iterator[Scan]:
        """One `Scan` for each page of SyncFolderItems; the cursor is its SyncState."""
        state, first = cursor, not cursor
        before: dict[str, Entry] | None = None
        while True:
            try:
                try:
                    page = bulk.sync_items(self.connection, self.id, state, "")
                except bulk.StateLost:
                    state, first = "", True
                    page = bulk.sync_items(self.connection, self.id, "", "")
            except faults.Fault as error:
                if error.code in creating.NO_FOLDER:
                    raise Stale("the folder is no longer on the server") from error
                raise
            keys, vanished = _changes(page)
            if before is None and (keys or vanished):
                before = dict(known())
            # From the start: a tag may have another name now, and no item another key.
            entries = self._entries(keys, vanished, before or {}, trusting=not (first and self.tagging))
            if before is not None:
                before |= {entry.id: entry for entry in entries}  # the next page may have more of the same file
            yield Scan(entries, tuple(vanished), (), page.state, first, page.last)
            if page.last:
                return
            state, first = page.state, False

    def _entries(
        self, keys: Mapping[str, str], vanished: dict[str, None], before: Mapping[str, Entry], *, trusting: bool
    ) -> tuple[Entry, ...]:
        """What is listed, as entries. What is gone since is added to `vanished`. `trusting`: a key that is known is enough."""
        owner = {part: was for was in before.values() for part in was.id.split(" ")}
        same = {i: owner[i] for i, key in keys.items() if trusting and key and i in owner and _key_of(owner[i], i) == key}
        found = {was.id: was if self.tagging else replace(was, tags={}) for was in same.values()}
        broken = {owner[i].id for i in (*vanished, *(keys.keys() - same.keys())) if i in owner and " " in owner[i].id}
        alone: dict[str, list[str]] = {}  # by UID: the items that are one file
        for ident in broken:
            found.pop(ident, None)
            alone.setdefault(before[ident].key, []).extend(part for part in ident.split(" ") if part not in vanished)
        looks = [i for i in keys if i not in same and not any(i in several for several in alone.values())]
        for ident, looked in snapshots.look(self, looks):
            if isinstance(looked, snapshots.Seen) and looked.said.alone:
                more = [part for was in before.values() if was.key == looked.said.uid for part in was.id.split(" ")]
                alone.setdefault(looked.said.uid, []).extend((ident, *more))
            else:
                self._take(ident, looked, keys[ident], before.get(ident), found, vanished)
        for several in alone.values():
            vanished |= dict.fromkeys(owner[i].id for i in several if i in owner)
            self._together(list(dict.fromkeys(several)), found, vanished)
        return tuple(found.values())

    def _take(
        self,
        ident: str,
        looked: snapshots.Looked,
        key: str,
        was: Entry | None,
        found: dict[str, Entry],
        vanished: dict[str, None],
    ) -> None:
        match looked:
            case snapshots.Seen():
                found[ident] = itemwriting.entry(self, ident, looked)
                self._kept.put(ident, looked.said.revision, looked.data)
            case snapshots.Odd():
                found[ident] = itemwriting.odd(self, ident, key, looked, was)
            case Stale():
                vanished[ident] = None

    def _together(self, ids: list[str], found: dict[str, Entry], vanished: dict[str, None]) -> None:
        """Single occurrences of one series, which are one file; their series may be there now, or some of them be gone."""
        looked = dict(snapshots.look(self, ids))
        several = [each for each in looked.values() if isinstance(each, snapshots.Seen) and each.said.alone]
        for ident, each in looked.items():
            found.pop(ident, None)
            if each not in several:
                vanished.pop(ident, None)
                self._take(ident, each, "", None, found, vanished)
        if several:
            whole, file = snapshots.together(self.form, several)
            vanished.pop(whole, None)
            self._take(whole, file, "", None, found, vanished)

    def read(self, entries: Sequence[Entry]) -> Iterator[tuple[Entry, Content | Failed]]:
        rest: dict[str, Entry] = {}
        for entry in entries:
            data = self._kept.take(entry.id, entry.revision)
            if data is None:
                rest[entry.id] = entry
            else:
                yield entry, _content(data)
        for ident, looked in snapshots.look(self, list(rest)):
            entry = rest[ident]
            if isinstance(looked, snapshots.Odd):
                yield entry, looked.error
            elif isinstance(looked, Stale):
                yield entry, looked
            elif entry.revision not in ("", looked.said.revision):
                yield entry, Stale(f"{creating.name_of(entry)} was edited meanwhile")
            else:
                yield entry, _content(looked.data)

    # ---- writes

    def find(self, token: str) -> Entry | None:
        """By our token. An item whose making was cut off half-way is removed, to be made anew: it is nobody's but ours."""
        return itemcreating.find(self, token)

    def create(self, items: Iterable[tuple[Entry, New]]) -> Iterator[tuple[Entry, Entry | Failed]]:
        return itemcreating.create(self, items)

    def update(self, items: Iterable[tuple[Entry, Content]]) -> Iterator[tuple[Entry, Entry | Failed]]:
        return itemwriting.update(self, items)

    def mark(self, items: Sequence[tuple[Entry, Flags]]) -> Iterator[tuple[Entry, Entry | Failed]]:
        """There are no flags here: each stays as it is."""
        for entry, _ in items:
            yield entry, entry

    def tag(self, items: Sequence[tuple[Entry, Tags]]) -> Iterator[tuple[Entry, Entry | Failed]]:
        """Where tags are not synced, each stays as it is."""
        return itemwriting.tag(self, self.tagging, items) if self.tagging else ((entry, entry) for entry, _ in items)

    def move(self, entries: Sequence[Entry], into: Store) -> Iterator[tuple[Entry, Entry | Failed]]:
        if not isinstance(into, ItemFolder):
            raise TypeError("items move between folders of one server only")
        return itemremoving.move(self, entries, into)

    def copy(self, entries: Sequence[Entry], into: Store) -> Iterator[tuple[Entry, Entry | Failed]]:
        if not isinstance(into, ItemFolder):
            raise TypeError("items are copied between folders of one server only")
        return itemremoving.copy(self, entries, into)

    def delete(self, entries: Sequence[Entry]) -> Iterator[tuple[Entry, Entry | Failed]]:
        return itemremoving.delete(self, entries)


def _changes(page: bulk.Page) -> tuple[dict[str, str], dict[str, None]]:
    """(id → change key of what is there, ids of what is gone); of several changes of one item the last one counts."""
    keys: dict[str, str] = {}
    vanished: dict[str, None] = {}
    for kind, change in page.changes:
        item = change if kind in ("Delete", "ReadFlagChange") else next((e for e in change if isinstance(e.tag, str)), None)
        ident = soap.attribute(item, "ItemId", "Id") if item is not None else ""
        if not ident or item is None:
            # Left out, it would be missed for good: the next listing goes on after this page.
            raise Unavailable("the server's listing has an item without an id")
        if kind == "Delete":
            keys.pop(ident, None)
            vanished[ident] = None
        elif kind in ("Create", "Update"):
            keys[ident] = soap.attribute(item, "ItemId", "ChangeKey")
            vanished.pop(ident, None)
    return keys, vanished


def _key_of(entry: Entry, part: str) -> str:
    """The change key that is known of an item; an entry may be several."""
    keys = dict(zip(entry.id.split(" "), entry.hints.place.split(" "), strict=False))
    return keys.get(part, "")


def _content(data: bytes) -> Content:
    return Content(lambda: iter((data,)))
