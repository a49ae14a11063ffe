"""One side of the world in memory, for the engine's own tests: it can be edited, cut and made to lie at any call.

What a real side does is here as well: a server's listing comes in pages that can be resumed, its ids and change keys change
with a move, it tells a change of the read flag alone as such, keeps no `T`; a disk gives a copy another inode and keeps `T`.
"""

from __future__ import annotations

import itertools
import json
from collections import deque
from collections.abc import Callable
from collections.abc import Iterable
from collections.abc import Iterator
from collections.abc import Sequence
from dataclasses import dataclass
from dataclasses import field
from dataclasses import replace

from ews_bridge.errors import BadItem
from ews_bridge.errors import Stale
from ews_bridge.errors import Unavailable
from ews_bridge.model import Content
from ews_bridge.model import Entry
from ews_bridge.model import Flag
from ews_bridge.model import Flags
from ews_bridge.model import Hints
from ews_bridge.model import Known
from ews_bridge.model import New
from ews_bridge.model import Scan
from ews_bridge.model import Tags
from ews_bridge.store import Failed
from ews_bridge.store import Store

SEEN = frozenset({Flag.SEEN})
TRASHED = frozenset({Flag.TRASHED})

#: What a side in a bad mood answers for one item. `deaf`: it is done, and said not to be. `lost`: done, and no answer comes.
MOODS = ("", "stale", "bad", "away", "deaf", "lost")


class Crash(BaseException):
    """The process is gone."""


@dataclass(frozen=True, slots=True)
class Item:
    content: bytes
    key: str
    revision: str
    flags: Flags
    token: str
    place: str
    sent: int
    collection: int
    tags: Tags = field(default_factory=dict, hash=False)


def text(content: Content) -> bytes:
    return b"".join(content.pieces())


class World:
    """All collections of one side. `delta`: scans answer from a change log (a server), else with everything (a disk).

    `keyed`: flags, tags and moves give a draft another revision, as Exchange does with its change key. `places` keep tags.
    """

    def __init__(
        self,
        name: str,
        *,
        delta: bool,
        fuse: Callable[[str], None] = lambda what: None,
        page: int = 2,
        keyed: bool = False,
        places: tuple[str, ...] = (),
    ) -> None:
        self.name = name
        self.delta = delta
        self.keyed = keyed
        self.places = places
        self.fuse = fuse
        self.page = page
        self.items: dict[str, Item] = {}
        self.log: list[tuple[int, str, bool]] = []  # (collection, id, nothing but its read flag) touched, in order
        self.numbers = itertools.count(1)
        self.epoch = 0  # raised: all cursors are stale
        self.moods: deque[str] = deque()  # one for each item of a call, then good
        self.unlistable: dict[int, int] = {}  # collection: pages until its listing fails
        self.thrown: list[bytes] = []  # contents that the engine deleted; a real store keeps them
        self.replaced: list[bytes] = []  # contents that the engine overwrote

    @property
    def is_disk(self) -> bool:
        return self.name == "L"

    def store(self, collection: int) -> MemoryStore:
        return MemoryStore(self, collection)

    def stamp(self, collection: int) -> str:
        """Another one whenever something in the collection was touched; one that went through a restored backup knows nothing."""
        return f"{self.epoch}-{sum(c == collection for c, _, _ in self.log)}"

    def put(self, item: Item) -> str:
        ident = f"{self.name}{next(self.numbers)}"
        self.items[ident] = item
        self.log.append((item.collection, ident, False))
        return ident

    def add(
        self,
        content: bytes,
        key: str,
        flags: Flags,
        collection: int,
        *,
        draft: bool = False,
        token: str = "",
        sent: int = 0,
        tags: Iterable[str] = (),
    ) -> str:
        number = next(self.numbers)
        revision = f"r{number}" if draft else ""
        kept = flags if self.is_disk else flags - TRASHED
        here = {place: frozenset(tags) for place in self.places}
        return self.put(Item(content, key, revision, kept, token, f"p{number}", sent, collection, here))

    def change(self, ident: str, **changes: object) -> None:
        item = self.items[ident]
        fresh = replace(item, **changes)  # type: ignore[arg-type]
        only_read = replace(item, flags=item.flags ^ SEEN) == fresh and not item.revision
        self.items[ident] = fresh
        self.log.append((item.collection, ident, only_read))

    def edit(self, ident: str, content: bytes) -> None:
        self.change(ident, content=content, revision=self.fresh())

    def fresh(self) -> str:
        return f"r{next(self.numbers)}"

    def set_flags(self, ident: str, flags: Flags) -> None:
        """As a user or the engine sets them."""
        item = self.items[ident]
        kept = flags if self.is_disk else flags - TRASHED
        if kept != item.flags:
            self.change(ident, flags=kept, revision=self.fresh() if item.revision and self.keyed else item.revision)

    def set_tags(self, ident: str, tags: Tags) -> None:
        """As a user or the engine sets them; a place that is not named keeps its own. A disk writes its file anew."""
        item = self.items[ident]
        fresh = {**item.tags, **{place: names for place, names in tags.items() if place in item.tags}}
        if fresh != item.tags:
            again = item.revision and (self.is_disk or self.keyed)
            self.change(ident, tags=fresh, revision=self.fresh() if again else item.revision)

    def remove(self, ident: str) -> None:
        item = self.items.pop(ident)
        self.log.append((item.collection, ident, False))

    def move(self, ident: str, collection: int) -> str:
        """As a server does: the old id is gone, the new one carries the same search key and token."""
        item = self.items[ident]
        self.remove(ident)
        return self.put(
            replace(item, collection=collection, revision=self.fresh() if item.revision and self.keyed else item.revision)
        )

    def copy(self, ident: str, collection: int) -> str:
        """As a server does: a new id, the same search key and token; a disk gives a new inode."""
        item = self.items[ident]
        place = f"p{next(self.numbers)}" if self.is_disk else item.place
        return self.put(replace(item, collection=collection, place=place))

    def entry(self, ident: str) -> Entry:
        i = self.items[ident]
        hints = Hints(i.place, i.token, len(i.content), i.sent)
        return Entry(ident, i.key, i.revision, i.flags, i.collection, hints, i.tags)


class MemoryStore:
    def __init__(self, world: World, collection: int) -> None:
        self.world = world
        self.number = collection

    @property
    def collection(self) -> int:
        return self.number

    # ---- listing

    def scan(self, cursor: str, known: Known) -> Iterator[Scan]:
        """A cursor is [epoch, place in the log, last id listed of a listing that was cut short]."""
        pages = self.world.unlistable.get(self.number)
        for number, page in enumerate(self._pages(cursor)):
            if number == pages:
                raise BadItem(f"folder {self.number} cannot be listed")
            yield page
        if pages is not None:
            raise BadItem(f"folder {self.number} cannot be listed")

    def _pages(self, cursor: str) -> Iterator[Scan]:
        world = self.world
        world.fuse("list")
        epoch, at, after = json.loads(cursor) if cursor else (-1, 0, "")
        if not world.delta or epoch != world.epoch:
            yield from self._all(world.epoch, len(world.log), "")
        elif after:
            yield from self._all(epoch, at, after)
        else:
            world.fuse("scan")
            yield self._since(at)

    def _all(self, epoch: int, at: int, after: str) -> Iterator[Scan]:
        """Everything, from after that id; what was touched since `at` is for the next listing."""
        world = self.world
        listed = sorted(i for i, item in world.items.items() if item.collection == self.number and i > after)
        pages = [listed[n : n + world.page] for n in range(0, len(listed), world.page)] or [[]]
        for n, page in enumerate(pages):
            world.fuse("scan")
            last = n == len(pages) - 1
            entries = tuple(world.entry(i) for i in page if i in world.items)
            resume = page[-1] if page and not last else ""
            cursor = json.dumps([epoch, at, resume]) if last or world.delta else ""
            yield Scan(entries, cursor=cursor, first=n == 0 and not after, last=last)

    def _since(self, at: int) -> Scan:
        world = self.world
        touched: dict[str, bool] = {}
        for collection, ident, only_read in world.log[at:]:
            if collection == self.number:
                touched[ident] = touched.get(ident, True) and only_read
        here = [i for i in sorted(touched) if i in world.items]
        marks = tuple((i, world.items[i].flags & SEEN, SEEN - world.items[i].flags) for i in here if touched[i])
        gone = tuple(i for i in sorted(touched) if i not in world.items)
        entries = tuple(world.entry(i) for i in here if not touched[i])
        return Scan(entries, gone, marks, cursor=json.dumps([world.epoch, len(world.log), ""]), last=True)

    # ---- items

    def _current(self, entry: Entry) -> Item | None:
        item = self.world.items.get(entry.id)
        return item if item and item.collection == self.number and item.revision == entry.revision else None

    def _mood(self, entry: Entry) -> Failed | None:
        """What this side says instead of doing it, if it is not willing."""
        match self.world.moods and self.world.moods[0]:
            case "stale":
                self.world.moods.popleft()
                return Stale(f"{entry.id} changed, or so it is said")
            case "bad":
                self.world.moods.popleft()
                return BadItem(f"{entry.id} cannot be had")
            case "away":
                self.world.moods.popleft()
                raise Unavailable("the server is away")
        return None

    def _after(self, entry: Entry, result: Entry) -> Entry | Failed:
        """What this side says of what it did. Only who moves or copies may not hear what came of it (`deaf`)."""
        match self.world.moods.popleft() if self.world.moods else "":
            case "deaf":
                return Stale(f"{entry.id}: the server did not say what it is called now")
            case "lost":
                raise Unavailable("the answer got lost")
        return result

    def read(self, entries: Sequence[Entry]) -> Iterator[tuple[Entry, Content | Failed]]:
        for entry in entries:
            self.world.fuse("read")
            item = self._current(entry)
            refusal = self._mood(entry)
            if refusal is not None:
                yield entry, refusal
            elif item is None:
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
            if refusal := self._mood(source):
                yield source, refusal
                continue
            ident = self.world.add(
                text(new.content),
                new.key,
                new.flags,
                self.number,
                draft=bool(source.revision),
                token=new.token,
                sent=source.hints.sent,
                tags=new.tags,
            )
            made = self.world.entry(ident)
            self.world.fuse("after create")
            self._heard()
            yield source, made

    def _heard(self) -> None:
        """Of all but moves and copies either the answer comes, or none does."""
        if self.world.moods and self.world.moods.popleft() == "lost":
            raise Unavailable("the answer got lost")

    def update(self, items: Iterable[tuple[Entry, Content]]) -> Iterator[tuple[Entry, Entry | Failed]]:
        for entry, content in items:
            self.world.fuse("before update")
            if refusal := self._mood(entry):
                yield entry, refusal
                continue
            item = self._current(entry)
            if item is None:
                yield entry, Stale(f"{entry.id} changed")
                continue
            self.world.replaced.append(item.content)
            self.world.edit(entry.id, text(content))
            made = replace(self.world.entry(entry.id), flags=entry.flags, tags=entry.tags)
            self.world.fuse("after update")
            self._heard()
            yield entry, made

    def mark(self, items: Sequence[tuple[Entry, Flags]]) -> Iterator[tuple[Entry, Entry | Failed]]:
        """A disk renames the file that has the flags it knows; a server sets what differs, and minds the key of drafts only."""
        for entry, flags in items:
            self.world.fuse("before mark")
            if refusal := self._mood(entry):
                yield entry, refusal
                continue
            item = self._current(entry)
            if item is None or (self.world.is_disk and item.flags - TRASHED != entry.flags - TRASHED):
                yield entry, Stale(f"{entry.id} changed")
                continue
            wanted = flags - TRASHED
            answer = wanted | (item.flags & TRASHED)
            self.world.set_flags(entry.id, (item.flags | (wanted - entry.flags)) - ((entry.flags - wanted) - TRASHED))
            made = replace(self.world.entry(entry.id), flags=answer, tags=entry.tags)
            self.world.fuse("after mark")
            self._heard()
            yield entry, made

    def tag(self, items: Sequence[tuple[Entry, Tags]]) -> Iterator[tuple[Entry, Entry | Failed]]:
        for entry, tags in items:
            self.world.fuse("before tag")
            if refusal := self._mood(entry):
                yield entry, refusal
                continue
            item = self._current(entry)
            if item is None or item.tags != entry.tags:
                yield entry, Stale(f"{entry.id} changed")
                continue
            self.world.set_tags(entry.id, tags)
            made = replace(self.world.entry(entry.id), flags=entry.flags)
            self.world.fuse("after tag")
            self._heard()
            yield entry, made

    def move(self, entries: Sequence[Entry], into: Store) -> Iterator[tuple[Entry, Entry | Failed]]:
        for entry in entries:
            self.world.fuse("before move")
            if refusal := self._mood(entry):
                yield entry, refusal
                continue
            if self._current(entry) is None:
                yield entry, Stale(f"{entry.id} is gone or changed")
                continue
            made = replace(self.world.entry(self.world.move(entry.id, into.collection)), flags=entry.flags, tags=entry.tags)
            self.world.fuse("after move")
            yield entry, self._after(entry, made)

    def copy(self, entries: Sequence[Entry], into: Store) -> Iterator[tuple[Entry, Entry | Failed]]:
        for entry in entries:
            self.world.fuse("before copy")
            if refusal := self._mood(entry):
                yield entry, refusal
                continue
            item = self.world.items.get(entry.id)
            if item is None or item.collection != self.number:
                yield entry, Stale(f"{entry.id} is gone")
                continue
            made = self.world.entry(self.world.copy(entry.id, into.collection))
            self.world.fuse("after copy")
            yield entry, self._after(entry, made)

    def delete(self, entries: Sequence[Entry]) -> Iterator[tuple[Entry, Entry | Failed]]:
        for entry in entries:
            self.world.fuse("before delete")
            if refusal := self._mood(entry):
                yield entry, refusal
                continue
            item = self.world.items.get(entry.id)
            if item is not None and item.collection == self.number:
                if entry.revision and item.revision != entry.revision:
                    yield entry, Stale(f"{entry.id} changed")
                    continue
                self.world.thrown.append(item.content)
                self.world.remove(entry.id)
            self.world.fuse("after delete")
            self._heard()
            yield entry, entry
