"""What of the state does not agree: the rows that the planner must see, and what the guard must know of them. Only reads.

Works inside the caller's lock, on its connection; every query goes by the partial index of `tables.DIFFERS`.
"""

from __future__ import annotations

import json
import sqlite3
from dataclasses import dataclass
from dataclasses import replace

from ews_bridge import pairing
from ews_bridge import tables
from ews_bridge.model import Policy
from ews_bridge.model import Row
from ews_bridge.model import Side


@dataclass(frozen=True, slots=True)
class Loss:
    """How many of a collection's `total` linked items would be deleted on `side` because the other side lost them."""

    side: Side
    collection: int
    losing: int
    total: int


def rows(db: sqlite3.Connection, *, folders: bool, after: int, limit: int, failed_before: int, policy: Policy) -> list[Row]:
    """Rows whose sides and base do not agree, by number; those that failed since `failed_before` (epoch) and did not change wait.

    Mail that left the policy's window is among them, too; mail outside it that was never fetched is not: there may be very
    much of it.
    """
    differs = tables.DIFFERS
    if policy.since or policy.max_size:
        differs = f"({differs} OR (linked AND local_here AND remote_here AND {tables.OUTSIDE}))"
    found = db.execute(
        f"""SELECT {tables.ROW} FROM item WHERE {differs} AND folder = :folders AND number > :after
              AND NOT (failure != '' AND failed_revision = {tables.SEEN} AND failed_at > :before)
              AND NOT (NOT linked AND NOT local_here AND {tables.OUTSIDE})
            ORDER BY number LIMIT :limit""",
        {"folders": folders, "after": after, "before": failed_before, "limit": limit}
        | {"since": policy.since, "max_size": policy.max_size, "by_uid": policy.by_uid},
    ).fetchall()
    sent = pairing.sent_items(db)
    made = list(map(tables.row_of, found))
    copies = pairing.copies(db, made[0].number, made[-1].number) if made else set()
    return [
        replace(row, twin=twin, again=again) if twin or again else row
        for row in made
        for twin in (pairing.twin(db, row) if row.number in copies else None,)
        for again in (pairing.again(db, row, sent, by_uid=policy.by_uid),)
    ]


def linked_in(db: sqlite3.Connection, collection: int) -> list[Row]:
    """The rows that have anything in this collection."""
    found = db.execute(
        f"SELECT {tables.ROW} FROM item WHERE local_collection = ? AND local_id != '' "
        f"UNION SELECT {tables.ROW} FROM item WHERE remote_collection = ? AND remote_id != ''",
        (collection, collection),
    )
    return list(map(tables.row_of, found))


def losses(db: sqlite3.Connection) -> list[Loss]:
    """Per side and collection, what the other side lost, out of how many."""
    found: list[Loss] = []
    for side in Side:
        counts = db.execute(
            f"""SELECT {side}_collection AS collection, COUNT(*) AS losing FROM item
                WHERE {tables.DIFFERS} AND folder = 0 AND linked AND {side}_here AND NOT {side.other}_here
                GROUP BY {side}_collection"""
        ).fetchall()
        for collection, losing in counts:
            total = db.execute(
                f"SELECT COUNT(*) FROM item WHERE {side}_collection = ? AND {side}_id != '' AND linked AND {side}_here",
                (collection,),
            ).fetchone()[0]
            found.append(Loss(side, collection, losing, total))
    return found


def fingerprint(db: sqlite3.Connection) -> int:
    """A number that is another one as soon as any item that differs shows up, goes or is found elsewhere."""
    found = db.execute(
        "SELECT number, local_here, local_collection, local_id, remote_here, remote_collection, remote_id "
        f"FROM item WHERE {tables.DIFFERS} AND folder = 0 ORDER BY number"
    )
    return hash(tuple(map(tuple, found)))


def lost(db: sqlite3.Connection) -> set[Side]:
    """The sides on which some linked item is missing."""
    query = f"SELECT 1 FROM item WHERE {tables.DIFFERS} AND folder = 0 AND linked AND NOT {{0}}_here LIMIT 1"
    return {side for side in Side if db.execute(query.format(side)).fetchone()}


def doubles(db: sqlite3.Connection) -> list[tuple[int, str, list[str]]]:
    """(collection, key, ids of the files) of items on the server that share a key in one folder."""
    found = db.execute(
        """SELECT remote_collection, remote_key, json_group_array(local_id) FROM item
            WHERE NOT folder AND remote_here AND remote_key != '' GROUP BY remote_collection, remote_key HAVING COUNT(*) > 1"""
    )
    return [(collection, key, sorted(filter(None, json.loads(files)))) for collection, key, files in found]
