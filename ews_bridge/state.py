"""What a run remembers, in one SQLite file per kind of an account: how each item *is* on each side, and the base of the merge.

The home of sqlite3. Every method is one transaction (or part of one: `together`), durable when it returns (synchronous=FULL).
Nothing here decides: the planner reads rows that differ and the applier writes back what came of it. Tables: `tables.py`.

One row of `item` is one `model.Row`. A side that lost the item keeps its last id with `here` = 0, so that a deletion and a
creation elsewhere can be recognised as one move (`pairing.py`).

Must never do: forget a link while its item exists on both sides, or let a cursor be newer than the entries that came with it.
"""

from __future__ import annotations

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
from itertools import groupby
from operator import itemgetter
from pathlib import Path

from ews_bridge import differences
from ews_bridge import headers
from ews_bridge import pairing
from ews_bridge import tables
from ews_bridge.errors import ConfigError
from ews_bridge.errors import DiskError
from ews_bridge.model import Entry
from ews_bridge.model import Policy
from ews_bridge.model import Row
from ews_bridge.model import Scan
from ews_bridge.model import Side
from ews_bridge.model import all_tags
from ews_bridge.plan import ANY


@dataclass(frozen=True, slots=True)
class Intent:
    """A creation that was begun: on which side and where, for which row, and how the source was at that moment."""

    token: str
    side: Side
    collection: int
    row: Row
    source: Entry


class State:
    """The open file. Methods may be called from any thread; each is one transaction."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._db = connection
        connection.create_function("author_likeness", 2, headers.author_likeness, deterministic=True)
        self._lock = threading.RLock()

    @classmethod
    def open(cls, path: Path) -> State:
        """Open or make the file. Raises DiskError when it cannot be, ConfigError when a newer program wrote it."""
        try:
            connection = sqlite3.connect(path, isolation_level=None, check_same_thread=False)
            path.chmod(0o600)
            # Where the file system cannot, SQLite stays with its rollback journal.
            connection.execute("PRAGMA journal_mode = WAL")
            connection.execute("PRAGMA synchronous = FULL")
            version = connection.execute("PRAGMA user_version").fetchone()[0]
            if version == 0:
                connection.executescript(f"BEGIN; {tables.SCHEMA} PRAGMA user_version = {tables.VERSION}; COMMIT;")
            for older in range(version or tables.VERSION, tables.VERSION):
                connection.executescript(f"BEGIN; {tables.UPGRADES[older]} PRAGMA user_version = {older + 1}; COMMIT;")
        except (sqlite3.Error, OSError) as error:
            raise DiskError(f"cannot open the state file {path}: {error}") from error
        if version > tables.VERSION:
            raise ConfigError(f"{path} was written by a newer ews-bridge", hint="install the version that wrote it")
        return cls(connection)

    @classmethod
    def in_memory(cls) -> State:
        """A new state that leaves no trace."""
        connection = sqlite3.connect(":memory:", isolation_level=None, check_same_thread=False)
        connection.executescript(tables.SCHEMA)
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
    def together(self) -> Iterator[None]:
        """What is written in the block is one transaction, all or none. Other threads wait meanwhile: do not wait for them."""
        with self._transaction():
            yield

    @contextmanager
    def _transaction(self) -> Iterator[sqlite3.Connection]:
        with self._lock:
            if self._db.in_transaction:  # in `together`
                yield self._db
                return
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
            db.executemany(tables.observing(side), [tables.seen_of(entry, generation) for entry in scan.entries])
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
                    flags = tables.letters((tables.flags_of(found[1]) | added) - removed)
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

    def adopting(self, collection: int) -> bool:
        """Whether there are files in this collection that the server may have, too: nobody has brought them together yet."""
        with self._lock:
            query = "SELECT 1 FROM item WHERE local_collection = ? AND local_id != '' AND NOT linked AND local_here LIMIT 1"
            return self._db.execute(query, (collection,)).fetchone() is not None

    def unlisted(self, collection: int) -> list[Entry]:
        """What we made or moved into this collection of the server and no listing has shown since.

        A server that lists changes is silent about what came and went between two listings: it may be gone.
        """
        with self._lock:
            rows = self._db.execute(
                f"SELECT {tables.ROW} FROM item WHERE remote_collection = ? AND remote_generation = 0 AND remote_here AND linked",
                (collection,),
            ).fetchall()
            return [entry for row in map(tables.row_of, rows) if (entry := row.remote)]

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

    def relist(self, side: Side) -> None:
        """All items of that side are listed anew by the next scans, and looked at; what is known of them stays."""
        with self._transaction() as db:
            db.execute(f"UPDATE item SET {side}_looked = '' WHERE {side}_looked != ''")
            db.execute("UPDATE cursor SET cursor = '', stamp = '' WHERE side = ? AND collection != 0", (side,))

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
                f"""SELECT label, size, sent, {tables.columns(side)} FROM item
                    WHERE {side}_collection = ? AND {side}_id != '' AND {side}_here""",
                (collection,),
            )
            return {view[0]: tables.entry_of(view, label, size, sent) for label, size, sent, *view in rows}

    def cursor(self, side: Side, collection: int) -> tuple[str, str, int]:
        """(cursor, stamp, time of the stamp) of a collection; empty when it was never listed to its end."""
        with self._lock:
            found = self._db.execute(
                "SELECT cursor, stamp, stamped_at FROM cursor WHERE side = ? AND collection = ?", (side, collection)
            ).fetchone()
            return (found[0], found[1], found[2]) if found else ("", "", 0)

    # ---- two rows that are one item: see `pairing`

    def pair(self) -> int:
        """Join what is one item; returns how many were joined."""
        with self._transaction() as db:
            return pairing.pair(db)

    def twins(self) -> set[tuple[Side, int]]:
        """Collections that want a second look: where a linked item stands whose key a new entry of the same side also has."""
        with self._lock:
            return pairing.twins(self._db)

    # ---- what to do

    def differing(
        self, *, folders: bool, after: int = 0, limit: int = 1000, now: int = 0, retry: int = 3600, policy: Policy = ANY
    ) -> list[Row]:
        """Rows whose sides and base do not agree, by number: see `differences.rows`."""
        with self._lock:
            return differences.rows(self._db, folders=folders, after=after, limit=limit, failed_before=now - retry, policy=policy)

    def count_differing(self) -> int:
        """How many items (not folders) differ."""
        with self._lock:
            return int(self._db.execute(f"SELECT COUNT(*) FROM item WHERE {tables.DIFFERS} AND folder = 0").fetchone()[0])

    def losses(self) -> list[differences.Loss]:
        """For the guard: per side and collection, what the other side lost, out of how many."""
        with self._lock:
            return differences.losses(self._db)

    def fingerprint(self) -> int:
        """A number that is another one as soon as any item that differs shows up, goes or is found elsewhere."""
        with self._lock:
            return differences.fingerprint(self._db)

    def lost(self) -> set[Side]:
        """The sides on which some linked item is missing."""
        with self._lock:
            return differences.lost(self._db)

    def folders(self) -> list[Row]:
        """All folder rows; a folder's number is the number of its collection."""
        with self._lock:
            return [
                tables.row_of(row) for row in self._db.execute(f"SELECT {tables.ROW} FROM item WHERE folder = 1 ORDER BY number")
            ]

    def linked_in(self, collection: int) -> list[Row]:
        """All rows that have anything in this collection."""
        with self._lock:
            return differences.linked_in(self._db, collection)

    def ids(self, side: Side, keys: Iterable[str]) -> Mapping[str, str]:
        """The ids of the items with these keys, as far as that side has them."""
        with self._lock:
            return {key: ident for key in keys if (ident := pairing.id_of(self._db, side, key))}

    def has_other(self, side: Side, key: str, ident: str) -> bool:
        """Whether that side has another item with this key than that with this id."""
        with self._lock:
            return pairing.has_other(self._db, side, key, ident)

    def doubles(self) -> list[tuple[int, str, list[str]]]:
        """(collection, key, ids of the files) of items on the server that share a key in one folder."""
        with self._lock:
            return differences.doubles(self._db)

    def row(self, number: int) -> Row | None:
        with self._lock:
            found = self._db.execute(f"SELECT {tables.ROW} FROM item WHERE number = ?", (number,)).fetchone()
            return tables.row_of(found) if found else None

    # ---- what was done

    def begin(self, side: Side, intents: Sequence[tuple[str, Row, Entry]]) -> None:
        """Note creations on `side` before they are tried: (token, row, source entry as it was read)."""
        with self._transaction() as db:
            db.executemany(
                "INSERT INTO journal VALUES (?, ?, ?, ?, ?, ?, ?)",
                [
                    (t, side, e.collection, row.number, e.revision, tables.letters(e.flags), tables.tags_text(e.tags))
                    for t, row, e in intents
                ],
            )

    def intents(self) -> list[Intent]:
        """Creations that were begun and whose end was not noted. Those whose row is gone are dropped."""
        with self._lock:
            rows = self._db.execute(
                "SELECT token, side, collection, number, source_revision, source_flags, source_tags FROM journal"
            ).fetchall()
            found: list[Intent] = []
            for token, side_name, collection, number, revision, flags, tags in rows:
                side, row = Side(side_name), self.row(number)
                source = row[side.other] if row else None
                if row is None or source is None:
                    continue
                at_start = replace(source, revision=revision, flags=tables.flags_of(flags), tags=tables.tags_of(tags))
                found.append(Intent(token, side, collection, row, at_start))
            return found

    def settle(self, rows: Iterable[Row], *, tokens: Iterable[str] = ()) -> None:
        """Write these rows as they now are, and strike out finished intents, in one transaction."""
        with self._transaction() as db:
            for statement, written in groupby(map(tables.writing, rows), key=itemgetter(0)):
                db.executemany(statement, [values for _, values in written])
            db.executemany("DELETE FROM journal WHERE token = ?", [(token,) for token in tokens])

    def fail(self, failures: Iterable[tuple[Row, str]], *, now: int = 0) -> set[int]:
        """Set items aside with the reason until they change, or an hour has passed.

        Returns the numbers of those of which this is news: they did not fail before as they are, for this reason.
        """
        news: set[int] = set()
        with self._transaction() as db:
            for row, why in failures:
                known = db.execute(
                    f"SELECT 1 FROM item WHERE number = ? AND failure = ? AND failed_revision = {tables.SEEN}", (row.number, why)
                ).fetchone()
                news |= set() if known else {row.number}
                db.execute(
                    f"UPDATE item SET failure = ?, failed_at = ?, failed_revision = {tables.SEEN} WHERE number = ?",
                    (why, now, row.number),
                )
        return news

    def retry(self, reason: str) -> None:
        """What failed for a reason that begins like this is tried again at once; the failure is still no news."""
        with self._transaction() as db:
            db.execute("UPDATE item SET failed_at = 0 WHERE failure != '' AND substr(failure, 1, ?) = ?", (len(reason), reason))

    def failures(self) -> list[tuple[Row, str]]:
        """Items that are set aside, with the reason; not those that changed since."""
        current = f"failure != '' AND failed_revision = {tables.SEEN}"
        with self._lock:
            rows = self._db.execute(f"SELECT failure, {tables.ROW} FROM item WHERE {current} ORDER BY number").fetchall()
            return [(tables.row_of(row), failure) for failure, *row in rows]

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

    def forget_tags(self) -> None:
        """No tags are agreed on any more, for any item."""
        with self._transaction() as db:
            db.execute(
                "UPDATE item SET base_local_tags = '', base_remote_tags = '' WHERE base_local_tags || base_remote_tags != ''"
            )

    def tags(self) -> list[tuple[frozenset[str], int]]:
        """Which tags items have together, on either side, and how many items have them."""
        with self._lock:
            query = "SELECT local_tags, remote_tags, COUNT(*) FROM item WHERE folder = 0 GROUP BY local_tags, remote_tags"
            found = self._db.execute(query).fetchall()
            return [(all_tags(tables.tags_of(mine)) | all_tags(tables.tags_of(theirs)), count) for mine, theirs, count in found]

    def any_linked(self) -> bool:
        """Whether any item (not folder) is linked."""
        with self._lock:
            return bool(self._db.execute("SELECT EXISTS (SELECT 1 FROM item WHERE folder = 0 AND linked)").fetchone()[0])

    def linked(self) -> int:
        """How many items (not folders) are linked."""
        with self._lock:
            return int(self._db.execute("SELECT COUNT(*) FROM item WHERE folder = 0 AND linked").fetchone()[0])
