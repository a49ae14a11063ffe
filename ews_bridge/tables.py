"""The tables of the state, and a row of `item` as a `model.Row` and back. Pure: statements and values, no connection.

Rows that differ from their base are found by a partial index (`DIFFERS`), so that planning costs what changed, not what there is.
For the same reason `id != ''` stands in every query by collection and id: without it SQLite may not use the indexes, which are
partial, and reads the whole table.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from functools import cache
from functools import lru_cache
from typing import Any

from ews_bridge.model import Entry
from ews_bridge.model import Flag
from ews_bridge.model import Flags
from ews_bridge.model import Hints
from ews_bridge.model import Link
from ews_bridge.model import Row
from ews_bridge.model import Side
from ews_bridge.model import Tags

VERSION = 3

_SIDE = """
    {0}_here INTEGER NOT NULL DEFAULT 0,
    {0}_id TEXT NOT NULL DEFAULT '',
    {0}_collection INTEGER NOT NULL DEFAULT -1,
    {0}_key TEXT NOT NULL DEFAULT '',
    {0}_revision TEXT NOT NULL DEFAULT '',
    {0}_flags TEXT NOT NULL DEFAULT '',
    {0}_place TEXT NOT NULL DEFAULT '',
    {0}_tags TEXT NOT NULL DEFAULT '',
    {0}_looked TEXT NOT NULL DEFAULT '',
    {0}_generation INTEGER NOT NULL DEFAULT 0,
    base_{0}_revision TEXT NOT NULL DEFAULT '',
    base_{0}_tags TEXT NOT NULL DEFAULT '',
"""

#: True for a row that the planner must look at. `folder` rows compare their path, items their collection. A `T` in the base was
#: heard and not granted; the server has none.
DIFFERS = """NOT (linked AND local_here AND remote_here
    AND local_flags = base_flags AND remote_flags = replace(base_flags, 'T', '')
    AND local_tags = base_local_tags AND remote_tags = base_remote_tags
    AND local_revision = base_local_revision AND remote_revision = base_remote_revision
    AND local_collection = base_collection AND remote_collection = base_collection
    AND (NOT folder OR (local_key = base_key AND remote_key = base_key)))"""

#: True for what is outside the window: too large, or old, read and unflagged (`plan` says the same).
OUTSIDE = """(NOT folder AND ((:max_size > 0 AND size > :max_size)
    OR (sent > 0 AND sent < :since AND (:by_uid OR (remote_flags LIKE '%S%' AND remote_flags NOT LIKE '%F%')))))"""

#: What an item showed when it failed, and where. With the flags: of received mail they are all that changes. With its places:
#: what was removed or moved since is no longer what failed.
SEEN = """local_revision || '/' || remote_revision || '/' || local_flags || '/' || remote_flags || local_tags || remote_tags
    || '/' || local_here || local_collection || '/' || remote_here || remote_collection"""

_DIFFERING = f"CREATE INDEX differing ON item (folder, number) WHERE {DIFFERS};"

SCHEMA = f"""
CREATE TABLE item (
    number INTEGER PRIMARY KEY,
    folder INTEGER NOT NULL,
    {_SIDE.format("local")}
    {_SIDE.format("remote")}
    linked INTEGER NOT NULL DEFAULT 0,
    base_collection INTEGER NOT NULL DEFAULT -1,
    base_key TEXT NOT NULL DEFAULT '',
    base_flags TEXT NOT NULL DEFAULT '',
    label TEXT NOT NULL DEFAULT '',
    size INTEGER NOT NULL DEFAULT 0,
    sent INTEGER NOT NULL DEFAULT 0,
    author TEXT NOT NULL DEFAULT '',
    failure TEXT NOT NULL DEFAULT '',
    failed_revision TEXT NOT NULL DEFAULT '',
    failed_at INTEGER NOT NULL DEFAULT 0
);
CREATE UNIQUE INDEX local_item ON item (local_collection, local_id) WHERE local_id != '';
CREATE UNIQUE INDEX remote_item ON item (remote_collection, remote_id) WHERE remote_id != '';
{_DIFFERING}
CREATE INDEX local_name ON item (local_key) WHERE local_key != '';
CREATE INDEX remote_name ON item (remote_key) WHERE remote_key != '';
CREATE INDEX loose ON item (number) WHERE NOT (linked AND local_here AND remote_here);
CREATE INDEX folders ON item (number) WHERE folder = 1;
CREATE INDEX failed ON item (number) WHERE failure != '';
CREATE INDEX unlisted ON item (remote_collection) WHERE remote_generation = 0 AND remote_here AND linked;
CREATE TABLE cursor (
    side TEXT NOT NULL,
    collection INTEGER NOT NULL,
    cursor TEXT NOT NULL DEFAULT '',
    generation INTEGER NOT NULL DEFAULT 0,
    sweeping INTEGER NOT NULL DEFAULT 0,
    stamp TEXT NOT NULL DEFAULT '',
    stamped_at INTEGER NOT NULL DEFAULT 0,
    PRIMARY KEY (side, collection)
) WITHOUT ROWID;
CREATE TABLE journal (
    token TEXT PRIMARY KEY,
    side TEXT NOT NULL,
    collection INTEGER NOT NULL,
    number INTEGER NOT NULL,
    source_revision TEXT NOT NULL,
    source_flags TEXT NOT NULL,
    source_tags TEXT NOT NULL DEFAULT ''
) WITHOUT ROWID;
CREATE TABLE meta (name TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID;
"""


#: What brings a file of each older version to the next one.
UPGRADES = {
    1: "".join(
        f"ALTER TABLE item ADD COLUMN {name} TEXT NOT NULL DEFAULT '';"
        for side in Side
        for name in (f"{side}_tags", f"{side}_looked", f"base_{side}_tags")
    )
    + "ALTER TABLE item ADD COLUMN author TEXT NOT NULL DEFAULT '';"
    + f"ALTER TABLE journal ADD COLUMN source_tags TEXT NOT NULL DEFAULT ''; DROP INDEX differing; {_DIFFERING}",
    2: f"DROP INDEX differing; {_DIFFERING}",
}


#: One side's view of an item, in the order of `entry_of`.
VIEW = ("id", "collection", "key", "revision", "flags", "place", "tags", "looked")


def columns(side: Side) -> str:
    return ", ".join(f"{side}_{name}" for name in VIEW)


#: The base of a row, in the order of `ROW`.
BASE = (
    *("base_local_revision", "base_remote_revision", "base_local_tags", "base_remote_tags"),
    *("base_collection", "base_key", "base_flags"),
)

#: What a row is made of, in the order of `row_of`.
ROW = (
    f"number, folder, linked, label, size, sent, local_here, {columns(Side.LOCAL)}, remote_here, {columns(Side.REMOTE)}, "
    + ", ".join(BASE)
)
_SPAN = len(VIEW)


@cache
def observing(side: Side) -> str:
    """The statement that takes in what a listing shows, from the values of `seen_of`; what it does not say is kept."""
    s = str(side)
    seen = [f"{s}_{name}" for name in (*VIEW, "generation")]
    renewed = ", ".join(f"{name} = excluded.{name}" for name in seen if name not in (f"{s}_id", f"{s}_collection"))
    return f"""INSERT INTO item (folder, {s}_here, {", ".join(seen)}, label, author, size, sent)
        VALUES (?, 1, {", ".join("?" * len(seen))}, ?, ?, ?, ?)
        ON CONFLICT ({s}_collection, {s}_id) WHERE {s}_id != '' DO UPDATE SET {s}_here = 1, {renewed},
            label = CASE excluded.label WHEN '' THEN label ELSE excluded.label END,
            author = CASE WHEN linked OR excluded.author = '' THEN author ELSE excluded.author END,
            size = CASE excluded.size WHEN 0 THEN size ELSE excluded.size END,
            sent = CASE excluded.sent WHEN 0 THEN sent ELSE excluded.sent END"""


def seen_of(entry: Entry, generation: int) -> tuple[object, ...]:
    """A listed entry as the values of `observing`."""
    hints = entry.hints
    return (entry.collection == 0, *view_of(entry), generation, hints.label, hints.author, hints.size, hints.sent)


@cache
def update(*, local: bool, remote: bool, linked: bool) -> str:
    """The statement that writes a row which has these parts; of others what was last said is kept.

    REPLACE: another row with the id of one of its sides is an older look at the same item. A side that is settled as gone was
    deleted by us: it has lost its key and place, or what we see in Deleted Items now would look like a move of it.
    """
    names = [f"{side}_{name}" for side, here in ((Side.LOCAL, local), (Side.REMOTE, remote)) if here for name in VIEW]
    if linked:
        names += list(BASE)
    gone = [side for side, here in ((Side.LOCAL, local), (Side.REMOTE, remote)) if not here and linked]
    fixed = "".join(f"{side}_key = '', {side}_place = '', " for side in gone)
    if linked:
        fixed += "author = '', "  # it is for bringing together what never met
    if remote:  # under another id than before it must show in a listing first: see `unlisted`
        names += ("remote_generation", "sent", "label")
    return f"""UPDATE OR REPLACE item SET linked = {linked:d}, local_here = {local:d}, remote_here = {remote:d}, {fixed}
        failure = '', failed_revision = '', failed_at = 0, {", ".join(map(_assigned, names))} WHERE number = ?"""


def _assigned(name: str) -> str:
    if name == "remote_generation":
        return "remote_generation = CASE WHEN remote_id = ? AND remote_collection = ? THEN remote_generation ELSE 0 END"
    if name == "sent":
        return "sent = COALESCE(NULLIF(?, 0), sent)"
    if name == "label":
        return "label = COALESCE(NULLIF(?, ''), label)"
    return f"{name} = ?"


@lru_cache(maxsize=256)
def letters(flags: Flags) -> str:
    return "".join(sorted(flags))


@lru_cache(maxsize=256)
def flags_of(letters: str) -> Flags:
    return frozenset(map(Flag, letters))


def tags_text(tags: Tags) -> str:
    """Tags as one text, the same for the same tags; "" for no place."""
    return _tags_text(tuple(sorted(tags.items()))) if tags else ""


@lru_cache(maxsize=1024)
def _tags_text(places: tuple[tuple[str, frozenset[str]], ...]) -> str:
    return json.dumps({place: sorted(names) for place, names in places}, ensure_ascii=False, separators=(",", ":"))


@lru_cache(maxsize=1024)
def tags_of(text: str) -> Tags:
    return {place: frozenset(names) for place, names in json.loads(text).items()} if text else {}


def entry_of(view: Sequence[Any], label: str, size: int, sent: int) -> Entry:
    ident, collection, key, revision, flags, place, tags, looked = view
    hints = Hints(place, "", size, sent, label, looked)
    return Entry(ident, key, revision, flags_of(flags), collection, hints, tags_of(tags))


def view_of(entry: Entry) -> tuple[object, ...]:
    """An entry as the values of `VIEW`."""
    hints = entry.hints
    tags = tags_text(entry.tags)
    return (entry.id, entry.collection, entry.key, entry.revision, letters(entry.flags), hints.place, tags, hints.looked)


def base_of(link: Link) -> tuple[object, ...]:
    """A link as the values of `BASE`."""
    local, remote = link.local, link.remote
    tags = (tags_text(local.tags), tags_text(remote.tags))
    return (local.revision, remote.revision, *tags, remote.collection, remote.key, letters(remote.flags))


def row_of(values: Sequence[Any]) -> Row:
    number, folder, linked, label, size, sent, local_here = values[:7]
    remote_here = values[7 + _SPAN]
    local = entry_of(values[7 : 7 + _SPAN], label, size, sent) if linked or local_here else None
    remote = entry_of(values[8 + _SPAN : 8 + 2 * _SPAN], label, size, sent) if linked or remote_here else None
    link = None
    if local and remote and linked:
        mine, theirs, my_tags, their_tags, *shared = values[8 + 2 * _SPAN :]
        link = Link(_base(local, folder, mine, my_tags, shared), _base(remote, folder, theirs, their_tags, shared))
    return Row(number, link, local if local_here else None, remote if remote_here else None)


def _base(now: Entry, folder: int, revision: str, tags: str, shared: Sequence[Any]) -> Entry:
    collection, key, flags = shared
    return Entry(now.id, key if folder else now.key, revision, flags_of(flags), collection, now.hints, tags_of(tags))


def writing(row: Row) -> tuple[str, Sequence[object]]:
    """The statement that writes a row as it now is, with its values."""
    if row.local is None and row.remote is None:
        return "DELETE FROM item WHERE number = ?", (row.number,)
    values: list[object] = []
    for entry in filter(None, (row.local, row.remote)):
        values += view_of(entry)
    if row.link is not None:
        values += base_of(row.link)
    if row.remote is not None:
        values += (row.remote.id, row.remote.collection, row.remote.hints.sent, row.remote.hints.label)
    statement = update(local=row.local is not None, remote=row.remote is not None, linked=row.link is not None)
    return statement, (*values, row.number)
