"""One side of the world in memory, for the engine's own tests: it can be edited, cut and made to lie at any call."""

from __future__ import annotations

import itertools
import json
from collections.abc import Callable
from collections.abc import Iterable
from collections.abc import Iterator
from collections.abc import Sequence
from dataclasses import dataclass
from dataclasses import replace

from ews_bridge.errors import Stale
from ews_bridge.model import Content
from ews_bridge.model import Entry
from ews_bridge.model import Flags
from ews_bridge.model import Hints
from ews_bridge.model import Known
from ews_bridge.model import New
from ews_bridge.model import Scan
from ews_bridge.store import Failed
from ews_bridge.store import Store


class Crash(BaseException):
    """The process is gone."""


@dataclass(frozen=True)
class Item:
    content: bytes
    key: str
    revision: str
    flags: Flags
    token: str
    place: str
    sent: int
    collection: int


def text(content: Content) -> bytes:
    return b"".join(content.pieces())


class World:
    """All collections of one side. `delta`: scans answer from a change log (a server), else with everything (a disk)."""

    def __init__(self, name: str, *, delta: bool, fuse: Callable[[str], None], page: int = 2) -> None:
        self.name = name
        self.delta = delta
        self.fuse = fuse
        self.page = page
        self.items: dict[str, Item] = {}
        self.log: list[tuple[int, str]] = []  # (collection, id) touched, in order
        self.numbers = itertools.count(1)
        self.epoch = 0  # raised: all cursors are stale

    def store(self, collection: int) -> MemoryStore:
        return MemoryStore(self, collection)

    def put(self, item: Item) -> str:
        ident = f"{self.name}{next(self.numbers)}"
        self.items[ident] = item
        self.log.append((item.collection, ident))
        return ident

    def add(
        self, content: bytes, key: str, flags: Flags, collection: int, *, draft: bool = False, token: str = "", sent: int = 0
    ) -> str:
        number = next(self.numbers)
        revision = f"r{number}" if draft else ""
        return self.put(Item(content, key, revision, flags, token, f"p{number}", sent, collection))

    def change(self, ident: str, **changes: object) -> None:
        item = self.items[ident]
        self.items[ident] = replace(item, **changes)  # type: ignore[arg-type]
        self.log.append((item.collection, ident))

    def edit(self, ident: str, content: bytes) -> None:
        self.change(ident, content=content, revision=f"r{next(self.numbers)}")

    def remove(self, ident: str) -> None:
        item = self.items.pop(ident)
        self.log.append((item.collection, ident))

    def move(self, ident: str, collection: int) -> str:
        """As a server does: the old id is gone, the new one carries the same search key and token."""
        item = self.items[ident]
        self.remove(ident)
        return self.put(replace(item, collection=collection))

    def copy(self, ident: str, collection: int) -> str:
        """As a server does: a new id, the same search key and token; a disk gives a new inode."""
        item = self.items[ident]
        place = item.place if self.name == "R" else f"p{next(self.numbers)}"
        return self.put(replace(item, collection=collection, place=place))

    def entry(self, ident: str) -> Entry:
        i = self.items[ident]
        return Entry(ident, i.key, i.revision, i.flags, i.collection, Hints(i.place, i.token, len(i.content), i.sent))


class MemoryStore:
    def __init__(self, world: World, collection: int) -> None:
        self.world = world
        self.number = collection

    @property
    def collection(self) -> int:
        return self.number

    def scan(self, cursor: str, known: Known) -> Iterator[Scan]:
        world = self.world
        epoch, at = json.loads(cursor) if cursor else (-1, 0)
        if not world.delta or epoch != world.epoch:
            at = len(world.log)
            listed = sorted(i for i, item in world.items.items() if item.collection == self.number)
            pages = [listed[n : n + world.page] for n in range(0, len(listed), world.page)] or [[]]
            for n, page in enumerate(pages):
                world.fuse("scan")
                last = n == len(pages) - 1
                entries = tuple(world.entry(i) for i in page if i in world.items)
                yield Scan(entries, cursor=json.dumps([world.epoch, at]) if last else "", first=n == 0, last=last)
            return
        world.fuse("scan")
        touched = {i for c, i in world.log[at:] if c == self.number}
        here = tuple(sorted(i for i in touched if i in world.items))
        gone = tuple(sorted(i for i in touched if i not in world.items))
        yield Scan(tuple(map(world.entry, here)), gone, cursor=json.dumps([world.epoch, len(world.log)]), last=True)

    def _current(self, entry: Entry) -> Item | None:
        item = self.world.items.get(entry.id)
        return item if item and item.collection == self.number and item.revision == entry.revision else None

    def read(self, entries: Sequence[Entry]) -> Iterator[tuple[Entry, Content | Failed]]:
        for entry in entries:
            self.world.fuse("read")
            item = self._current(entry)
            if item is None:
                yield entry, Stale(f"{entry.id} changed")
            else:
                content = item.content
                yield entry, Content(lambda content=content: iter([content]))  # type: ignore[misc]

    def find(self, token: str) -> Entry | None:
        self.world.fuse("find")
        mine = (i for i, item in self.world.items.items() if item.token == token and item.collection == self.number)
        return next((self.world.entry(i) for i in mine), None)

    def create(self, items: Iterable[tuple[Entry, New]]) -> Iterator[tuple[Entry, Entry | Failed]]:
        for source, new in items:
            self.world.fuse("before create")
            ident = self.world.add(
                text(new.content),
                new.key,
                new.flags,
                self.number,
                draft=bool(source.revision),
                token=new.token,
                sent=source.hints.sent,
            )
            made = self.world.entry(ident)
            self.world.fuse("after create")
            yield source, made

    def update(self, items: Iterable[tuple[Entry, Content]]) -> Iterator[tuple[Entry, Entry | Failed]]:
        for entry, content in items:
            self.world.fuse("before update")
            if self._current(entry) is None:
                yield entry, Stale(f"{entry.id} changed")
                continue
            self.world.edit(entry.id, text(content))
            made = self.world.entry(entry.id)
            self.world.fuse("after update")
            yield entry, made

    def mark(self, items: Sequence[tuple[Entry, Flags]]) -> Iterator[tuple[Entry, Entry | Failed]]:
        for entry, flags in items:
            self.world.fuse("before mark")
            item = self.world.items.get(entry.id)
            if item is None or item.collection != self.number or item.flags != entry.flags:
                yield entry, Stale(f"{entry.id} changed")
                continue
            self.world.change(entry.id, flags=flags)
            made = self.world.entry(entry.id)
            self.world.fuse("after mark")
            yield entry, made

    def move(self, entries: Sequence[Entry], into: Store) -> Iterator[tuple[Entry, Entry | Failed]]:
        for entry in entries:
            self.world.fuse("before move")
            item = self.world.items.get(entry.id)
            if item is None or item.collection != self.number:
                yield entry, Stale(f"{entry.id} is gone")
                continue
            made = self.world.entry(self.world.move(entry.id, into.collection))
            self.world.fuse("after move")
            yield entry, made

    def copy(self, entries: Sequence[Entry], into: Store) -> Iterator[tuple[Entry, Entry | Failed]]:
        for entry in entries:
            self.world.fuse("before copy")
            item = self.world.items.get(entry.id)
            if item is None or item.collection != self.number:
                yield entry, Stale(f"{entry.id} is gone")
                continue
            made = self.world.entry(self.world.copy(entry.id, into.collection))
            self.world.fuse("after copy")
            yield entry, made

    def delete(self, entries: Sequence[Entry]) -> Iterator[tuple[Entry, Entry | Failed]]:
        for entry in entries:
            self.world.fuse("before delete")
            item = self.world.items.get(entry.id)
            if item is not None and item.collection == self.number:
                if item.revision != entry.revision:
                    yield entry, Stale(f"{entry.id} changed")
                    continue
                self.world.remove(entry.id)
            self.world.fuse("after delete")
            yield entry, entry
