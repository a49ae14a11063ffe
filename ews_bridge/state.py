"""What a run remembers, in one SQLite file per account: how each item *is* on each side, and the base of the merge.

The only home of sqlite3. Every method is one transaction, durable when it returns (synchronous=FULL). Nothing here decides: the
planner reads rows that differ and the applier writes back what came of it.

One row of `item` is one `model.Row`. A side that lost the item keeps its last id with `here` = 0, so that a deletion and a
creation elsewhere can be recognised as one move (`pair`). Rows that differ from their base are found by a partial index,
so that planning costs what changed, not what there is. For the same reason `id != ''` stands in every query by collection
and id: without it SQLite may not use the indexes, which are partial, and reads the whole table.

Must never do: forget a link while its item exists on both sides, or let a cursor be newer than the entries that came with it.
"""

from __future__ import annotations

import json
import sqlite3
import threading
from collections.abc import Collection
from collections.abc import Iterable
from collections.abc import Iterator
from collections.abc import Mapping
from collections.abc import Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from dataclasses import replace
from functools import cache
from functools import lru_cache
from pathlib import Path
from typing import Any

from ews_bridge.errors import ConfigError
from ews_bridge.errors import DiskError
from ews_bridge.model import Entry
from ews_bridge.model import Flag
from ews_bridge.model import Flags
from ews_bridge.model import Hints
from ews_bridge.model import Link
from ews_bridge.model import Policy
from ews_bridge.model import Row
from ews_bridge.model import Scan
from ews_bridge.model import Side
from ews_bridge.plan import ANY

VERSION = 1

_SIDE = """
    {0}_here INTEGER NOT NULL DEFAULT 0,
    {0}_id TEXT NOT NULL DEFAULT '',
    {0}_collection INTEGER NOT NULL DEFAULT -1,
    {0}_key TEXT NOT NULL DEFAULT '',
    {0}_revision TEXT NOT NULL DEFAULT '',
    {0}_flags TEXT NOT NULL DEFAULT '',
    {0}_place TEXT NOT NULL DEFAULT '',
    {0}_generation INTEGER NOT NULL DEFAULT 0,
    base_{0}_revision TEXT NOT NULL DEFAULT '',
"""

#: True for a row that the planner must look at. `folder` rows compare their path, items their collection.
_DIFFERS = """NOT (linked AND local_here AND remote_here
    AND local_flags = base_flags AND remote_flags = base_flags
    AND local_revision = base_local_revision AND remote_revision = base_remote_revision
    AND local_collection = base_collection AND remote_collection = base_collection
    AND (NOT folder OR (local_key = base_key AND remote_key = base_key)))"""

#: True for what is outside the window: too large, or old, read and unflagged (`plan` says the same).
_OUTSIDE = """(NOT folder AND ((:max_size > 0 AND size > :max_size)
    OR (sent > 0 AND sent < :since AND (:by_date_alone OR (remote_flags LIKE '%S%' AND remote_flags NOT LIKE '%F%')))))"""

#: What an item showed when it failed. With the flags: of received mail they are all that changes.
_SEEN = "local_revision || '/' || remote_revision || '/' || local_flags || '/' || remote_flags"

_SCHEMA = f"""
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
    failure TEXT NOT NULL DEFAULT '',
    failed_revision TEXT NOT NULL DEFAULT '',
    failed_at INTEGER NOT NULL DEFAULT 0
);
CREATE UNIQUE INDEX local_item ON item (local_collection, local_id) WHERE local_id != '';
CREATE UNIQUE INDEX remote_item ON item (remote_collection, remote_id) WHERE remote_id != '';
CREATE INDEX differing ON item (folder, number) WHERE {_DIFFERS};
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
    source_flags TEXT NOT NULL
) WITHOUT ROWID;
CREATE TABLE meta (name TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID;
"""


@dataclass(frozen=True, slots=True)
class Intent:
    """A creation that was begun: on which side and where, for which row, and how the source was at that moment."""

    token: str
    side: Side
    collection: int
    row: Row
    source: Entry


@dataclass(frozen=True, slots=True)
class Loss:
    """How many of a collection's `total` linked items would be deleted on `side` because the other side lost them."""

    side: Side
    collection: int
    losing: int
    total: int


class State:
    """The open file. Methods may be called from any thread; each is one transaction."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._db = connection
        self._lock = threading.RLock()

    @classmethod
    def open(cls, path: Path) -> State:
        """Open or make the file. Raises DiskError when it cannot be, ConfigError when a newer program wrote it."""
        try:
            connection = sqlite3.connect(path, isolation_level=None, check_same_thread=False)
            path.chmod(0o600)
            connection.execute(
                "PRAGMA journal_mode = WAL"
            )  # where the file system cannot, SQLite stays with its rollback journal
            connection.execute("PRAGMA synchronous = FULL")
            version = connection.execute("PRAGMA user_version").fetchone()[0]
            if version == 0:
                connection.executescript(f"BEGIN; {_SCHEMA} PRAGMA user_version = {VERSION}; COMMIT;")
        except (sqlite3.Error, OSError) as error:
            raise DiskError(f"cannot open the state file {path}: {error}") from error
        if version > VERSION:
            raise ConfigError(f"{path} was written by a newer ews-bridge", hint="install the version that wrote it")
        return cls(connection)

    @classmethod
    def in_memory(cls) -> State:
        """A new state that leaves no trace."""
        connection = sqlite3.connect(":memory:", isolation_level=None, check_same_thread=False)
        connection.executescript(_SCHEMA)
        return cls(connection)

    def copy(self) -> State:
        """The same state in memory, for a dry run: what happens to it changes nothing here."""
        with self._lock:
            memory = sqlite3.connect(":memory:", isolation_level=None, check_same_thread=False)
            self._db.backup(memory)
            return State(memory)

    def close(self) -> None:
        self._db.close()

    @contextmanager
    def _transaction(self) -> Iterator[sqlite3.Connection]:
        with self._lock:
            try:
                self._db.execute("BEGIN IMMEDIATE")
                try:
                    yield self._db
                except BaseException:
                    self._db.execute("ROLLBACK")
                    raise
                self._db.execute("COMMIT")
            except sqlite3.OperationalError as error:
                raise DiskError(f"cannot write the state file: {error}") from error

    # ---- what was seen

    def observe(self, side: Side, collection: int, scan: Scan, *, stamp: str = "", now: int = 0) -> None:
        """Take in one page of a listing together with its cursor. At the last page of a full listing, what was not in it is gone.

        `stamp` is the collection's change stamp as read before the scan began; it is kept once the last page is in.
        """
        with self._transaction() as db:
            generation, sweeping = db.execute(
                "SELECT generation, sweeping FROM cursor WHERE side = ? AND collection = ?", (side, collection)
            ).fetchone() or (0, 0)
            if scan.first:
                generation, sweeping = generation + 1, 1
            self._observe_entries(side, scan.entries, generation)
            db.executemany(
                f"UPDATE item SET {side}_here = 0 WHERE {side}_collection = ? AND {side}_id = ? AND {side}_id != ''",
                [(collection, vanished) for vanished in scan.vanished],
            )
            for ident, added, removed in scan.marks:
                found = db.execute(
                    f"SELECT number, {side}_flags FROM item WHERE {side}_collection = ? AND {side}_id = ? AND {side}_id != ''",
                    (collection, ident),
                ).fetchone()
                if found:
                    flags = _letters((_flags(found[1]) | added) - removed)
                    db.execute(f"UPDATE item SET {side}_flags = ? WHERE number = ?", (flags, found[0]))
            if scan.last and sweeping:
                db.execute(
                    f"""UPDATE item SET {side}_here = 0
                        WHERE {side}_collection = ? AND {side}_id != '' AND {side}_generation < ? AND {side}_here""",
                    (collection, generation),
                )
                sweeping = 0
            db.execute(
                "INSERT INTO cursor VALUES (?, ?, ?, ?, ?, ?, ?) ON CONFLICT DO UPDATE SET cursor = excluded.cursor, "
                "generation = excluded.generation, sweeping = excluded.sweeping, stamp = excluded.stamp, "
                "stamped_at = excluded.stamped_at",
                (side, collection, scan.cursor, generation, sweeping, stamp if scan.last else "", now if scan.last else 0),
            )

    def _observe_entries(self, side: Side, entries: Iterable[Entry], generation: int) -> None:
        s = str(side)
        self._db.executemany(
            f"""INSERT INTO item (folder, {s}_here, {s}_id, {s}_collection, {s}_key, {s}_revision, {s}_flags, {s}_place,
                                  {s}_generation, label, size, sent)
                VALUES (?, 1, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
                ON CONFLICT ({s}_collection, {s}_id) WHERE {s}_id != '' DO UPDATE SET
                    {s}_here = 1, {s}_key = excluded.{s}_key, {s}_revision = excluded.{s}_revision,
                    {s}_flags = excluded.{s}_flags, {s}_place = excluded.{s}_place, {s}_generation = excluded.{s}_generation,
                    label = CASE excluded.label WHEN '' THEN label ELSE excluded.label END,
                    size = CASE excluded.size WHEN 0 THEN size ELSE excluded.size END,
                    sent = CASE excluded.sent WHEN 0 THEN sent ELSE excluded.sent END""",
            [
                (
                    e.collection == 0,
                    e.id,
                    e.collection,
                    e.key,
                    e.revision,
                    _letters(e.flags),
                    e.hints.place,
                    generation,
                    e.hints.label,
                    e.hints.size,
                    e.hints.sent,
                )
                for e in entries
            ],
        )

    def unlisted(self, collection: int) -> list[Entry]:
        """What we made or moved into this collection of the server and no listing has shown since.

        A server that lists changes is silent about what came and went between two listings: it may be gone.
        """
        with self._lock:
            rows = self._db.execute(
                f"SELECT {_ROW} FROM item WHERE remote_collection = ? AND remote_generation = 0 AND remote_here AND linked",
                (collection,),
            ).fetchall()
            return [entry for row in map(_row, rows) if (entry := row.remote)]

    def confirm(self, collection: int, gone: Collection[str]) -> None:
        """Of what was `unlisted` these are gone, and the others are there."""
        with self._transaction() as db:
            db.executemany(
                "UPDATE item SET remote_here = 0 WHERE remote_collection = ? AND remote_id = ?",
                [(collection, ident) for ident in gone],
            )
            db.execute(
                "UPDATE item SET remote_generation = 1 WHERE remote_collection = ? AND remote_generation = 0 AND remote_here "
                "AND linked AND NOT folder",
                (collection,),
            )

    def lose(self, side: Side, collection: int) -> None:
        """The folder itself is gone on that side, and so is all that was in it. Its cursor is forgotten."""
        with self._transaction() as db:
            db.execute(
                f"UPDATE item SET {side}_here = 0 WHERE {side}_collection = ? AND {side}_id != '' AND NOT folder AND {side}_here",
                (collection,),
            )
            db.execute("DELETE FROM cursor WHERE side = ? AND collection = ?", (side, collection))

    def known(self, side: Side, collection: int) -> Mapping[str, Entry]:
        """What that side showed when last seen, by id."""
        with self._lock:
            rows = self._db.execute(
                f"""SELECT label, size, sent, {_columns(side)} FROM item
                    WHERE {side}_collection = ? AND {side}_id != '' AND {side}_here""",
                (collection,),
            )
            return {view[0]: _entry(view, label, size, sent) for label, size, sent, *view in rows}

    def cursor(self, side: Side, collection: int) -> tuple[str, str, int]:
        """(cursor, stamp, time of the stamp) of a collection; empty when it was never listed to its end."""
        with self._lock:
            found = self._db.execute(
                "SELECT cursor, stamp, stamped_at FROM cursor WHERE side = ? AND collection = ?", (side, collection)
            ).fetchone()
            return (found[0], found[1], found[2]) if found else ("", "", 0)

    # ---- moves and adoptions: two rows that are one item

    def pair(self) -> int:
        """Join what is one item: a loss and a new entry of one side (a move), a new entry of each side (the same item).

        Returns how many were joined. Candidates must have the same key, and the same Date where both are known; hints decide
        between several, then they are taken one to one. Without a key only an equal hint counts. What
        both sides lost is over, and what one of them has new under its key is another item.
        """
        with self._transaction():
            folders = sum(self._pair_folders(side) for side in Side)
            moves = sum(self._pair_moves(side) for side in Side)
            return folders + moves + self._pair_moves_of_both() + self._adopt() + self._adopt_folders()

    def _pair_folders(self, side: Side) -> int:
        """A folder that is gone and a new one that is it: renamed on disk (the inode of its cur/), or made again under its path.

        The latter is also how a mailbox looks that was moved to another server: all ids are new. What is in the folder is
        listed anew and matched message by message.
        """
        s = str(side)
        pairs = self._db.execute(
            f"""SELECT a.number AS old, b.number AS new FROM item a JOIN item b
                  ON b.folder = 1 AND NOT b.linked AND b.{s}_here AND NOT b.{side.other}_here
                 AND (b.{s}_key = a.{s}_key OR (a.{s}_place != '' AND b.{s}_place = a.{s}_place))
                WHERE a.folder = 1 AND a.linked AND NOT a.{s}_here AND a.{side.other}_here
                ORDER BY (b.{s}_place = a.{s}_place AND a.{s}_place != '') DESC, a.number, b.number"""
        ).fetchall()
        used: set[int] = set()
        for old, new in pairs:
            if not used & {old, new}:
                used |= {old, new}
                self._db.execute("DELETE FROM cursor WHERE side = ? AND collection IN (?, ?)", (side, old, new))
                # The listing that begins anew counts from one: what it does not show must be older.
                self._db.execute(f"UPDATE item SET {s}_generation = 0 WHERE {s}_collection = ? AND NOT folder", (old,))
                self._join(side, old, new)
        return len(used) // 2

    def _pair_moves(self, side: Side) -> int:
        """What one side lost, and the other still has, with what is new on that side."""
        joined = 0
        for old, new in self._candidates(side, f"a.{side.other}_here"):
            self._join(side, old, new)
            joined += 1
        return joined

    def _pair_moves_of_both(self) -> int:
        """What both sides lost, where both have something new that it may be: moved here and moved there."""
        new_here = dict(self._candidates(Side.LOCAL, "NOT a.remote_here"))
        new_there = dict(self._candidates(Side.REMOTE, "NOT a.local_here"))
        both = new_here.keys() & new_there.keys()
        for old in both:
            self._join(Side.LOCAL, old, new_here[old])
            self._join(Side.REMOTE, old, new_there[old])
        return 2 * len(both)

    def _candidates(self, side: Side, lost: str) -> list[tuple[int, int]]:
        """(a linked row that `side` lost, a new row of that side that it may be): each once, the likeliest first."""
        loose = "NOT (a.linked AND a.local_here AND a.remote_here)"
        which = f"{loose} AND a.linked AND NOT a.{side}_here AND {lost} AND a.folder = 0"
        used: set[int] = set()
        pairs: list[tuple[int, int]] = []
        for old, new, _ in self._db.execute(_alike(side, which)).fetchall():
            if not used & {old, new}:
                used |= {old, new}
                pairs.append((old, new))
        return pairs

    def twins(self) -> set[tuple[Side, int]]:
        """Where a linked item stands whose key a new entry of the same side also has, elsewhere.

        A copy looks like this, and so does a move that happened while we listed: those collections want a second look.
        """
        found: set[tuple[Side, int]] = set()
        with self._lock:
            for side in Side:
                rows = self._db.execute(
                    f"""SELECT DISTINCT b.{side}_collection FROM item a JOIN item b
                          ON b.{side}_key = a.{side}_key AND b.{side}_key != '' AND b.linked AND b.{side}_here AND b.folder = 0
                         AND b.{side}_collection != a.{side}_collection
                        WHERE NOT (a.linked AND a.local_here AND a.remote_here) AND NOT a.linked AND a.{side}_here
                          AND a.folder = 0"""
                )
                found |= {(side, row[0]) for row in rows}
        return found

    def _adopt(self) -> int:
        """A new entry on each side, in one collection, of one key: the same item seen twice.

        Mailing lists make several of one Message-ID and Date, which differ in the Subject: those of one subject are one, then
        those that are nearest in size. Of events and tasks those that say the same come first. In Sent Items the server may have
        rewritten the Date.
        """
        pairs = self._db.execute(
            """SELECT a.number AS old, b.number AS new FROM item a CROSS JOIN item b
                 ON b.remote_key = a.local_key AND b.remote_key != '' AND b.remote_collection = a.local_collection
                WHERE NOT (a.linked AND a.local_here AND a.remote_here)
                  AND NOT a.linked AND a.local_here AND NOT a.remote_here
                  AND NOT b.linked AND b.remote_here AND NOT b.local_here
                  AND a.local_key != '' AND (a.sent = 0 OR b.sent = 0 OR a.sent = b.sent OR a.local_collection = ?)
                ORDER BY (a.local_revision = b.remote_revision) DESC, (a.sent = b.sent AND a.sent != 0) DESC,
                         (a.label = b.label) DESC, abs(a.size - b.size),
                         a.number, b.number""",
            (self._sent_items(),),
        ).fetchall()
        used: set[int] = set()
        joined = 0
        for old, new in pairs:
            if old not in used and new not in used:
                used |= {old, new}
                self._join(Side.LOCAL, new, old)
                joined += 1
        return joined

    def _adopt_folders(self) -> int:
        """A new folder on each side whose paths differ in case only: to a server that is one name."""
        query = """SELECT number, {0}_key FROM item WHERE folder = 1 AND NOT linked AND {0}_here AND NOT {1}_here
                     AND NOT (linked AND local_here AND remote_here) ORDER BY number"""
        there = {key.casefold(): number for number, key in self._db.execute(query.format("remote", "local"))}
        joined = 0
        for number, key in self._db.execute(query.format("local", "remote")).fetchall():
            if other := there.pop(key.casefold(), None):
                self._join(Side.LOCAL, other, number)
                joined += 1
        return joined

    def _join(self, side: Side, number: int, donor: int) -> None:
        """Row `number` takes over what `donor` shows on `side`; the donor, which had nothing else, is dropped."""
        names = [f"{side}_{name}" for name in ("here", "id", "collection", "key", "revision", "flags", "place", "generation")]
        values = self._db.execute(f"SELECT {', '.join(names)} FROM item WHERE number = ?", (donor,)).fetchone()
        self._db.execute("DELETE FROM item WHERE number = ?", (donor,))
        self._db.execute(f"UPDATE item SET {', '.join(f'{n} = ?' for n in names)} WHERE number = ?", (*values, number))
        if values[2] == 0:  # a folder: what was listed in the donor's collection is in this one now
            self._db.execute(
                f"UPDATE item SET {side}_collection = ? WHERE {side}_collection = ? AND {side}_id != ''", (number, donor)
            )
            self._db.execute("UPDATE cursor SET collection = ? WHERE side = ? AND collection = ?", (number, side, donor))

    # ---- what to do

    def differing(
        self, *, folders: bool, after: int = 0, limit: int = 1000, now: int = 0, retry: int = 3600, policy: Policy = ANY
    ) -> list[Row]:
        """Rows whose sides and base do not agree, by number. Items that failed and did not change since wait `retry` seconds.

        Mail that left the policy's window is among them, too; mail outside it that was never fetched is not: there may be very
        much of it.
        """
        window = policy.since or policy.max_size
        differs = f"({_DIFFERS} OR (linked AND local_here AND remote_here AND {_OUTSIDE}))" if window else _DIFFERS
        with self._lock:
            rows = self._db.execute(
                f"""SELECT {_ROW} FROM item WHERE {differs} AND folder = :folders AND number > :after
                      AND NOT (failure != '' AND failed_revision = {_SEEN} AND failed_at > :before)
                      AND NOT (NOT linked AND NOT local_here AND {_OUTSIDE})
                    ORDER BY number LIMIT :limit""",
                {"folders": folders, "after": after, "before": now - retry, "limit": limit}
                | {"since": policy.since, "max_size": policy.max_size, "by_date_alone": policy.by_date_alone},
            ).fetchall()
            sent = self._sent_items()
            return [replace(row, twin=self._twin(row), again=self._again(row, sent)) for row in map(_row, rows)]

    def _sent_items(self) -> int:
        """The number of Sent Items; -1 where it is not known."""
        ident = json.loads(self.get("special") or "{}").get("sentitems", "")
        found = self._db.execute(
            "SELECT number FROM item WHERE folder AND remote_id = ? AND remote_id != ''", (ident,)
        ).fetchone()
        return int(found[0]) if found else -1

    def _again(self, row: Row, sent: int) -> bool:
        """Whether a reader wrote its own copy of a message that the server keeps in Sent Items, and that is here already.

        There one Message-ID is one message, though the server rewrote the Date when it was sent.
        """
        new = row.local
        if row.link or row.remote or new is None or new.collection != sent or not new.key:
            return False
        found = self._db.execute(
            """SELECT 1 FROM item WHERE local_key = ? AND local_key != '' AND local_collection = ? AND remote_collection = ?
                  AND linked AND local_here AND remote_here AND number != ? LIMIT 1""",
            (new.key, sent, sent, row.number),
        ).fetchone()
        return found is not None

    def _twin(self, row: Row) -> Link | None:
        """Of an item that is new on one side: the linked one that it may be a copy of.

        On the server a copy has its original's search key. On disk it has the same Message-ID and Date, which duplicates of
        a mailing list have, too: there the contents are compared before it is copied (`apply`).
        """
        new = row.local or row.remote
        if row.link or (row.local and row.remote) or new is None or not new.collection or not new.key or new.revision:
            return None
        side, other = ("local", "remote") if row.local else ("remote", "local")
        same = "sent = ?" if row.local else "remote_place = ?"
        value = new.hints.sent if row.local else new.hints.place
        if not value:
            return None
        found = self._db.execute(
            f"""SELECT {_ROW} FROM item WHERE {side}_key = ? AND {side}_key != '' AND {same} AND linked
                  AND {side}_here AND {other}_here AND local_revision = '' AND remote_revision = '' AND number != ?
                ORDER BY number LIMIT 1""",
            (new.key, value, row.number),
        ).fetchone()
        twin = _row(found) if found else None
        return Link(twin.local, twin.remote) if twin and twin.local and twin.remote else None

    def count_differing(self) -> int:
        """How many items (not folders) differ."""
        with self._lock:
            return int(self._db.execute(f"SELECT COUNT(*) FROM item WHERE {_DIFFERS} AND folder = 0").fetchone()[0])

    def losses(self) -> list[Loss]:
        """For the guard: per side and collection, what the other side lost, out of how many."""
        found: list[Loss] = []
        with self._lock:
            for side in Side:
                rows = self._db.execute(
                    f"""SELECT {side}_collection AS collection, COUNT(*) AS losing FROM item
                        WHERE {_DIFFERS} AND folder = 0 AND linked AND {side}_here AND NOT {side.other}_here
                        GROUP BY {side}_collection"""
                ).fetchall()
                for collection, losing in rows:
                    total = self._db.execute(
                        f"SELECT COUNT(*) FROM item WHERE {side}_collection = ? AND {side}_id != '' AND linked AND {side}_here",
                        (collection,),
                    ).fetchone()[0]
                    found.append(Loss(side, collection, losing, total))
        return found

    def fingerprint(self) -> int:
        """A number that is another one as soon as any item that differs shows up, goes or is found elsewhere."""
        with self._lock:
            rows = self._db.execute(
                "SELECT number, local_here, local_collection, local_id, remote_here, remote_collection, remote_id "
                f"FROM item WHERE {_DIFFERS} AND folder = 0 ORDER BY number"
            )
            return hash(tuple(map(tuple, rows)))

    def lost(self) -> set[Side]:
        """The sides on which some linked item is missing."""
        with self._lock:
            return {
                side
                for side in Side
                if self._db.execute(
                    f"SELECT 1 FROM item WHERE {_DIFFERS} AND folder = 0 AND linked AND NOT {side}_here LIMIT 1"
                ).fetchone()
            }

    def folders(self) -> list[Row]:
        """All folder rows; a folder's number is the number of its collection."""
        with self._lock:
            return [_row(row) for row in self._db.execute(f"SELECT {_ROW} FROM item WHERE folder = 1 ORDER BY number")]

    def linked_in(self, collection: int) -> list[Row]:
        """All rows that have anything in this collection."""
        with self._lock:
            rows = self._db.execute(
                f"SELECT {_ROW} FROM item WHERE local_collection = ? AND local_id != '' "
                f"UNION SELECT {_ROW} FROM item WHERE remote_collection = ? AND remote_id != ''",
                (collection, collection),
            )
            return [_row(row) for row in rows]

    def row(self, number: int) -> Row | None:
        with self._lock:
            found = self._db.execute(f"SELECT {_ROW} FROM item WHERE number = ?", (number,)).fetchone()
            return _row(found) if found else None

    # ---- what was done

    def begin(self, side: Side, intents: Sequence[tuple[str, Row, Entry]]) -> None:
        """Note creations on `side` before they are tried: (token, row, source entry as it was read)."""
        with self._transaction() as db:
            db.executemany(
                "INSERT INTO journal VALUES (?, ?, ?, ?, ?, ?)",
                [(t, side, e.collection, row.number, e.revision, _letters(e.flags)) for t, row, e in intents],
            )

    def intents(self) -> list[Intent]:
        """Creations that were begun and whose end was not noted. Those whose row is gone are dropped."""
        with self._lock:
            rows = self._db.execute(
                "SELECT token, side, collection, number, source_revision, source_flags FROM journal"
            ).fetchall()
            found: list[Intent] = []
            for token, side_name, collection, number, revision, flags in rows:
                side, row = Side(side_name), self.row(number)
                source = row[side.other] if row else None
                if row is None or source is None:
                    continue
                at_start = replace(source, revision=revision, flags=_flags(flags))
                found.append(Intent(token, side, collection, row, at_start))
            return found

    def settle(self, rows: Iterable[Row], *, tokens: Iterable[str] = ()) -> None:
        """Write these rows as they now are, and strike out finished intents, in one transaction."""
        with self._transaction() as db:
            for row in rows:
                if row.local is None and row.remote is None:
                    db.execute("DELETE FROM item WHERE number = ?", (row.number,))
                else:
                    self._write(row)
            db.executemany("DELETE FROM journal WHERE token = ?", [(token,) for token in tokens])

    def _write(self, row: Row) -> None:
        values: list[object] = []
        for entry in (row.local, row.remote):
            if entry is not None:
                flags = _letters(entry.flags)
                values += (entry.id, entry.collection, entry.key, entry.revision, flags, entry.hints.place)
        if row.link is not None:
            base = row.link.remote
            values += (row.link.local.revision, base.revision, base.collection, base.key, _letters(base.flags))
        if row.remote is not None:
            values += (row.remote.id, row.remote.collection)
        statement = _update(local=row.local is not None, remote=row.remote is not None, linked=row.link is not None)
        self._db.execute(statement, (*values, row.number))

    def fail(self, failures: Iterable[tuple[Row, str]], *, now: int = 0) -> set[int]:
        """Set items aside with the reason until they change, or an hour has passed.

        Returns the numbers of those of which this is news: they did not fail before as they are, for this reason.
        """
        news: set[int] = set()
        with self._transaction() as db:
            for row, why in failures:
                known = db.execute(
                    f"SELECT 1 FROM item WHERE number = ? AND failure = ? AND failed_revision = {_SEEN}", (row.number, why)
                ).fetchone()
                news |= set() if known else {row.number}
                db.execute(
                    f"UPDATE item SET failure = ?, failed_at = ?, failed_revision = {_SEEN} WHERE number = ?",
                    (why, now, row.number),
                )
        return news

    def failures(self) -> list[tuple[Row, str]]:
        """Items that are set aside, with the reason."""
        with self._lock:
            rows = self._db.execute(f"SELECT failure, {_ROW} FROM item WHERE failure != '' ORDER BY number").fetchall()
            return [(_row(row), failure) for failure, *row in rows]

    # ---- facts about the whole account

    def get(self, name: str) -> str:
        """A remembered fact; "" where there is none."""
        with self._lock:
            found = self._db.execute("SELECT value FROM meta WHERE name = ?", (name,)).fetchone()
            return str(found[0]) if found else ""

    def put(self, facts: Mapping[str, str]) -> None:
        """Remember facts, all or none."""
        with self._transaction() as db:
            db.executemany("INSERT OR REPLACE INTO meta VALUES (?, ?)", list(facts.items()))

    def any_linked(self) -> bool:
        """Whether any item (not folder) is linked."""
        with self._lock:
            return bool(self._db.execute("SELECT EXISTS (SELECT 1 FROM item WHERE folder = 0 AND linked)").fetchone()[0])

    def linked(self) -> int:
        """How many items (not folders) are linked."""
        with self._lock:
            return int(self._db.execute("SELECT COUNT(*) FROM item WHERE folder = 0 AND linked").fetchone()[0])


#: One side's view of an item, in the order of `_entry`.
_VIEW = ("id", "collection", "key", "revision", "flags", "place")


def _columns(side: Side) -> str:
    return ", ".join(f"{side}_{name}" for name in _VIEW)


#: What a row is made of, in the order of `_row`.
_ROW = (
    f"number, folder, linked, label, size, sent, local_here, {_columns(Side.LOCAL)}, remote_here, {_columns(Side.REMOTE)}, "
    "base_local_revision, base_remote_revision, base_collection, base_key, base_flags"
)


@cache
def _update(*, local: bool, remote: bool, linked: bool) -> str:
    """The statement that writes a row which has these parts; of others what was last said is kept.

    REPLACE: another row with the id of one of its sides is an older look at the same item. A side that is settled as gone was
    deleted by us: it has lost its key and place, or what we see in Deleted Items now would look like a move of it.
    """
    names = [f"{side}_{name}" for side, here in ((Side.LOCAL, local), (Side.REMOTE, remote)) if here for name in _VIEW]
    if linked:
        names += ["base_local_revision", "base_remote_revision", "base_collection", "base_key", "base_flags"]
    gone = [side for side, here in ((Side.LOCAL, local), (Side.REMOTE, remote)) if not here and linked]
    fixed = "".join(f"{side}_key = '', {side}_place = '', " for side in gone)
    if remote:  # under another id than before it must show in a listing first: see `unlisted`
        names.append("remote_generation")
    return f"""UPDATE OR REPLACE item SET linked = {linked:d}, local_here = {local:d}, remote_here = {remote:d}, {fixed}
        failure = '', failed_revision = '', failed_at = 0, {", ".join(map(_assigned, names))} WHERE number = ?"""


def _assigned(name: str) -> str:
    if name == "remote_generation":
        return "remote_generation = CASE WHEN remote_id = ? AND remote_collection = ? THEN remote_generation ELSE 0 END"
    return f"{name} = ?"


@cache
def _alike(side: Side, which: str) -> str:
    """The query for new entries of one side that may be the same item as one of the rows `a` that `which` chooses.

    It gives (number of `a`, number of the new entry, likeness), the most alike first. By key and, without keys, by place: two
    queries, each with its index. What can be edited and what cannot are not one: a draft that was sent, or that mutt wrote
    anew, has other content. CROSS JOIN: SQLite, which does not know how few rows `a` are, may not begin with `b`.
    """
    s = str(side)
    new = f"b.folder = 0 AND NOT b.linked AND b.{s}_here AND NOT b.{side.other}_here"
    by_key = f"item b ON a.{s}_key != '' AND b.{s}_key != '' AND b.{s}_key = a.{s}_key"
    by_place = f"""item b INDEXED BY loose ON NOT (b.linked AND b.local_here AND b.remote_here)
        AND a.{s}_key = '' AND b.{s}_key = '' AND a.{s}_place != '' AND b.{s}_place = a.{s}_place AND a.label = b.label"""
    likeness = f"(a.{s}_id = b.{s}_id) + (a.{s}_place != '' AND a.{s}_place = b.{s}_place)"
    halves = (
        f"""SELECT a.number AS old, b.number AS new, {likeness} AS likeness FROM item a CROSS JOIN {same} AND {new}
            AND (a.sent = 0 OR b.sent = 0 OR a.sent = b.sent) AND (a.{s}_revision = '') = (b.{s}_revision = '')
            WHERE {which}"""
        for same in (by_key, by_place)
    )
    return " UNION ALL ".join(halves) + " ORDER BY likeness DESC, old, new"


@lru_cache(maxsize=256)
def _letters(flags: Flags) -> str:
    return "".join(sorted(flags))


@lru_cache(maxsize=256)
def _flags(letters: str) -> Flags:
    return frozenset(map(Flag, letters))


def _entry(view: Sequence[Any], label: str, size: int, sent: int) -> Entry:
    ident, collection, key, revision, flags, place = view
    return Entry(ident, key, revision, _flags(flags), collection, Hints(place, "", size, sent, label))


def _row(values: Sequence[Any]) -> Row:
    number, folder, linked, label, size, sent = values[:6]
    local, remote = _entry(values[7:13], label, size, sent), _entry(values[14:20], label, size, sent)
    link = None
    if linked:
        base = values[22:]
        link = Link(_base(local, folder, values[20], base), _base(remote, folder, values[21], base))
    return Row(number, link, local if values[6] else None, remote if values[13] else None)


def _base(now: Entry, folder: int, revision: str, base: Sequence[Any]) -> Entry:
    collection, key, flags = base
    return Entry(now.id, key if folder else now.key, revision, _flags(flags), collection, now.hints)
