"""What one batch of like steps does: store calls in a worker thread, and the rows as they are after them.

Never touches the state: what comes out is settled by `apply.py`, in one transaction.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from collections.abc import Iterator
from collections.abc import Mapping
from dataclasses import dataclass
from dataclasses import field
from dataclasses import replace

from ews_bridge.errors import BadItem
from ews_bridge.errors import EwsBridgeError
from ews_bridge.errors import Stale
from ews_bridge.model import LATER
from ews_bridge.model import Conflict
from ews_bridge.model import Content
from ews_bridge.model import Copy
from ews_bridge.model import Create
from ews_bridge.model import Delete
from ews_bridge.model import Entry
from ews_bridge.model import Flag
from ews_bridge.model import Flags
from ews_bridge.model import Forget
from ews_bridge.model import Link
from ews_bridge.model import Mark
from ews_bridge.model import Move
from ews_bridge.model import New
from ews_bridge.model import Row
from ews_bridge.model import Settle
from ews_bridge.model import Side
from ews_bridge.model import Step
from ews_bridge.model import Tag
from ews_bridge.model import Update
from ews_bridge.model import all_tags
from ews_bridge.model import is_meaning
from ews_bridge.plan import base_of
from ews_bridge.plan import plan_row
from ews_bridge.plan import with_tags
from ews_bridge.store import Failed
from ews_bridge.store import Store

#: A base revision that no store gives: the side that has it counts as edited (see `apply.recover` and `Conflict`).
EDITED = "edited"

_SECOND = "another file in this folder has the same UID; it was not uploaded: give it a UID of its own, or remove one of the two"

Stores = Mapping[tuple[Side, int], Store]

#: Keeps the content of a row aside, durably, and says where.
Aside = Callable[[Row, Content], str]

#: Whether two contents, one of each side, say the same.
Same = Callable[[bytes, bytes], bool]


@dataclass(frozen=True, slots=True)
class Batch:
    """Like steps against one pair of stores."""

    steps: tuple[Step, ...]
    tokens: Mapping[int, str] = field(default_factory=dict)  # creations only: row number → token
    bytes: int = 0


@dataclass(slots=True)
class Outcome:
    """What a batch came to: the rows as they now are, what failed, what must be listed again; `error` ended it early."""

    rows: list[tuple[Step, Row]] = field(default_factory=list)
    failed: list[tuple[Step, Failed]] = field(default_factory=list)
    error: EwsBridgeError | None = None
    kept: dict[int, str] = field(default_factory=dict)  # conflicts: row number → where the local version is


def perform(batch: Batch, stores: Stores, aside: Aside, same: Same) -> Outcome:
    """In a worker: the store calls of one batch, nothing else."""
    outcome = Outcome()

    def keep(row: Row, content: Content) -> str:
        return outcome.kept.setdefault(row.number, aside(row, content))

    try:
        for step, result in _results(batch, stores, keep, same):
            if isinstance(result, Stale | BadItem):
                outcome.failed.append((step, result))
            else:
                outcome.rows.append((step, _agreed(result)))
    except EwsBridgeError as error:
        outcome.error = error
    return outcome


def _results(batch: Batch, stores: Stores, aside: Aside, same: Same) -> Iterator[tuple[Step, Row | Failed]]:
    """For each step of the batch, the row as it is after it, or why not."""
    match batch.steps[0]:
        case Settle():
            yield from ((step, replace(step.row, link=step.link)) for step in batch.steps if isinstance(step, Settle))
        case Forget(row=row):
            yield from _forgotten(batch, stores[Side.LOCAL, row.local.collection] if row.local else None)
        case Copy(to=to):
            yield from _copied(batch, stores, to)
        case Conflict():
            for step in batch.steps:
                yield step, _set_aside(step, stores, aside, same)
        case Create(to=to, source=source) | Update(to=to, source=source):
            yield from _carry(batch, stores[to.other, source.collection], stores[to, _into(batch.steps[0])])
        case Mark(to=to, target=target):
            by_id = {step.target.id: step for step in batch.steps if isinstance(step, Mark)}
            marks = [(step.target, step.flags) for step in by_id.values()]
            for entry, result in stores[to, target.collection].mark(marks):
                step = by_id[entry.id]
                yield step, result if isinstance(result, Stale | BadItem) else with_entry(step.row, to, result)
        case Tag(to=to, target=target):
            retagged = {step.target.id: step for step in batch.steps if isinstance(step, Tag)}
            for entry, result in stores[to, target.collection].tag([(s.target, s.tags) for s in retagged.values()]):
                tag = retagged[entry.id]
                yield tag, result if isinstance(result, Stale | BadItem) else _tagged(tag, result)
        case Move(to=to, target=target, like=like):
            moves = {step.target.id: step for step in batch.steps if isinstance(step, Move)}
            store, into = stores[to, target.collection], stores[to, like.collection]
            for entry, result in store.move([step.target for step in moves.values()], into):
                move = moves[entry.id]
                yield move, result if isinstance(result, Stale | BadItem) else with_entry(move.row, to, result)
        case Delete(to=to, target=target):
            deletes = {step.target.id: step for step in batch.steps if isinstance(step, Delete)}
            for entry, result in stores[to, target.collection].delete([s.target for s in deletes.values()]):
                delete = deletes[entry.id]
                yield delete, result if isinstance(result, Stale | BadItem) else _without(delete.row, to)


def _into(step: Step) -> int:
    assert isinstance(step, Create | Update)
    return step.target.collection if isinstance(step, Update) else step.source.collection


def _carry(batch: Batch, source: Store, target: Store) -> Iterator[tuple[Step, Row | Failed]]:
    """Contents from one store to the other: creations or updates, read and written as a stream."""
    steps = {step.source.id: step for step in batch.steps if isinstance(step, Create | Update) and not unfit(step)}
    unread: list[tuple[Step, Failed]] = [(step, error) for step in batch.steps if (error := unfit(step))]

    def contents() -> Iterator[tuple[Create | Update, Entry, Content]]:
        for entry, content in source.read([step.source for step in steps.values()]):
            if isinstance(content, Content):
                yield steps[entry.id], entry, content
            else:
                unread.append((steps[entry.id], content))

    if isinstance(batch.steps[0], Create):
        news = (
            (e, New(content, batch.tokens[step.row.number], e.key, e.flags, all_tags(e.tags))) for step, e, content in contents()
        )
        made = target.create(news)
        for entry, result in made:
            step = steps[entry.id]
            yield step, result if isinstance(result, Stale | BadItem) else _created(step, entry, result, entry.flags)
    else:
        updates = {step.target.id: step for step in steps.values() if isinstance(step, Update)}
        changed = target.update((step.target, content) for step, _, content in contents() if isinstance(step, Update))
        for entry, result in changed:
            update = updates[entry.id]
            yield update, result if isinstance(result, Stale | BadItem) else _updated(update, result)
    yield from unread


def unfit(step: Step) -> BadItem | None:
    """Why a step must not be taken: it would make a second item of one UID in a folder."""
    return BadItem(_SECOND) if isinstance(step, Create) and step.row.again and step.source.revision else None


def _created(step: Create | Update | Copy, source: Entry, made: Entry, flags: Flags) -> Row:
    """The new link. `flags` are the agreed ones: those that were carried over; after a copy, those that came with it. So are the
    tags; but where not all places of a side have what one has, nothing is agreed on yet.
    """
    mine, theirs = (each if each.flags == flags else replace(each, flags=flags) for each in (_as_sent(made, source), source))
    if isinstance(step, Copy):
        theirs = replace(theirs, tags=step.counterpart.tags)
    elif all_tags(source.tags) and (LATER in made.tags or len(set(source.tags.values())) > 1):
        theirs = replace(theirs, tags={})
    elif len(set(made.tags.values())) > 1:
        mine = replace(mine, tags={})
    local, remote = (made, source) if step.to is Side.LOCAL else (source, made)
    return Row(step.row.number, link_of(step.to, mine, theirs), local, remote)


def _as_sent(made: Entry, source: Entry) -> Entry:
    """The base for the side that was written. Where it says something else now than what it was told (a finished task that recurs
    becomes the next one), that is the other side's news.
    """
    return replace(made, revision=source.revision) if is_meaning(made.revision) and is_meaning(source.revision) else made


def _tagged(step: Tag, made: Entry) -> Row:
    """The base takes the revision that our own write gave, or it would look like an edit. Where the tags are of the content's
    meaning, it is one.
    """
    row, link = with_entry(step.row, step.to, made), step.row.link
    if link is None or is_meaning(made.revision) or link[step.to].revision != step.target.revision:
        return row
    mine = replace(link[step.to], revision=made.revision)
    return replace(row, link=link_of(step.to, mine, link[step.to.other]))


def _updated(step: Update, made: Entry) -> Row:
    """The base takes the new revisions. Flags, tags and place were not synced by this step and keep theirs; a wish to delete what
    was edited meanwhile is over.
    """
    link = step.row.link or link_of(step.to, made, step.source)
    flags = link.flags | (step.target.flags & {Flag.TRASHED})
    mine = replace(_as_sent(made, step.source), flags=flags, collection=link[step.to].collection)
    theirs = replace(step.source, flags=flags, collection=link[step.to].collection)
    return with_entry(replace(step.row, link=with_tags(link_of(step.to, mine, theirs), step.row.link)), step.to, made)


def _forgotten(batch: Batch, store: Store | None) -> Iterator[tuple[Step, Row | Failed]]:
    """Drop what the state has of them; a file goes to the trash before."""
    steps = {step.row.local.id if step.row.local else str(step.row.number): step for step in batch.steps}
    if store is None:
        yield from ((step, Row(step.row.number, None, None, step.row.remote)) for step in steps.values())
        return
    for entry, result in store.delete([step.row.local for step in steps.values() if step.row.local]):
        step = steps[entry.id]
        yield step, result if isinstance(result, Stale | BadItem) else Row(step.row.number, None, None, step.row.remote)


def _copied(batch: Batch, stores: Stores, to: Side) -> Iterator[tuple[Step, Row | Failed]]:
    """Copy on side `to` what proves to be a copy on the other; create the rest."""
    copies: dict[str, Copy] = {}
    rest: list[Step] = []
    for step in batch.steps:
        assert isinstance(step, Copy)
        there = {(to, step.original.collection), (to.other, step.counterpart.collection)} <= stores.keys()
        if there and step.original.id not in copies and _is_copy(stores, step):
            copies[step.original.id] = step
        else:
            rest.append(Create(step.row, to, step.source))
    if copies:
        some = next(iter(copies.values()))
        store, into = stores[to, some.original.collection], stores[to, some.source.collection]
        for entry, result in store.copy([step.original for step in copies.values()], into):
            step = copies[entry.id]
            yield step, result if isinstance(result, Stale | BadItem) else _created(step, step.source, result, result.flags)
    if rest:
        source = rest[0].row[to.other]
        assert source is not None
        create = Batch(tuple(rest), batch.tokens, batch.bytes)
        yield from _carry(create, stores[to.other, source.collection], stores[to, source.collection])


def _is_copy(stores: Stores, step: Copy) -> bool:
    """The server's search key says so by itself; on disk the bytes must be the same."""
    if step.to is Side.LOCAL:
        return True
    return _same_bytes(stores, (Side.LOCAL, step.source), (Side.LOCAL, step.counterpart))


def _same_bytes(stores: Stores, *places: tuple[Side, Entry]) -> bool:
    """Whether these items can be read and say the same to the byte."""
    digests: set[bytes] = set()
    for side, entry in places:
        for _, content in stores[side, entry.collection].read([entry]):
            if not isinstance(content, Content):
                return False
            digest = hashlib.sha256()
            for piece in content.pieces():
                digest.update(piece)
            digests.add(digest.digest())
    return len(digests) == 1


def _set_aside(step: Step, stores: Stores, aside: Aside, same: Same) -> Row | Failed:
    """Keep the local content, then let the server's version count as the only edit: the next round brings it down.

    The two are compared first. Where there is no base a state may be lost, and nobody edited anything; where there is one, the
    server may have our own edit, and only its answer was lost.
    """
    assert isinstance(step, Conflict)
    flags = step.row.link.flags if step.row.link else step.local.flags & step.remote.flags
    mine, theirs = _whole(stores, Side.LOCAL, step.local), _whole(stores, Side.REMOTE, step.remote)
    if isinstance(mine, Stale | BadItem):
        return mine
    if isinstance(theirs, bytes) and same(mine, theirs):
        return replace(step.row, link=with_tags(base_of(step.local, step.remote, flags), step.row.link))
    aside(step.row, Content(lambda: iter([mine])))
    base = base_of(step.local, replace(step.remote, revision=EDITED), flags)
    return replace(step.row, link=with_tags(base, step.row.link))


def _whole(stores: Stores, side: Side, entry: Entry) -> bytes | Failed:
    found: bytes | Failed = Stale("it is no longer there")
    for _, content in stores[side, entry.collection].read([entry]):  # to be consumed before the listing goes on
        found = b"".join(content.pieces()) if isinstance(content, Content) else content
    return found


def _agreed(row: Row) -> Row:
    """Where nothing but remembering is left to do, remember it in the same transaction."""
    match plan_row(row):
        case [Settle(link=link)]:
            return replace(row, link=link)
    return row


def _without(row: Row, side: Side) -> Row:
    return replace(row, local=None) if side is Side.LOCAL else replace(row, remote=None)


def with_entry(row: Row, side: Side, entry: Entry) -> Row:
    return replace(row, local=entry) if side is Side.LOCAL else replace(row, remote=entry)


def link_of(side: Side, mine: Entry, theirs: Entry) -> Link:
    return Link(mine, theirs) if side is Side.LOCAL else Link(theirs, mine)
