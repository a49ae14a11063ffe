"""Which rows of the state are one item: moves, adoptions, copies and readers' own copies. Works inside the caller's transaction.

Candidates must have the same key; hints decide between several, and then they are taken one to one. Nothing here is a change: it
only says that what was seen twice is one thing.
"""

from __future__ import annotations

import json
import sqlite3
from collections import Counter
from functools import cache

from ews_bridge import headers
from ews_bridge import names
from ews_bridge import tables
from ews_bridge.model import Link
from ews_bridge.model import Row
from ews_bridge.model import Side


def pair(db: sqlite3.Connection) -> int:
    """Join what is one item: a loss and a new entry of one side (a move), a new entry of each side (the same item).

    Returns how many were joined. Candidates must have the same key, and the same Date where both are known; hints decide
    between several, then they are taken one to one. Without a key only an equal hint counts. What
    both sides lost is over, and what one of them has new under its key is another item.
    """
    folders = sum(_pair_folders(db, side) for side in Side)
    moves = sum(_pair_moves(db, side) for side in Side)
    return folders + moves + _pair_moves_of_both(db) + _adopt(db) + _adopt_nameless(db) + _adopt_folders(db)


def _pair_folders(db: sqlite3.Connection, side: Side) -> int:
    """A folder that is gone and a new one that is it: renamed on disk (the inode of its cur/), or made again under its path.

    The latter is also how a mailbox looks that was moved to another server: all ids are new. What is in the folder is
    listed anew and matched message by message.
    """
    s = str(side)
    pairs = db.execute(
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
            db.execute("DELETE FROM cursor WHERE side = ? AND collection IN (?, ?)", (side, old, new))
            # The listing that begins anew counts from one: what it does not show must be older.
            db.execute(f"UPDATE item SET {s}_generation = 0 WHERE {s}_collection = ? AND NOT folder", (old,))
            _join(db, side, old, new)
    return len(used) // 2


def _pair_moves(db: sqlite3.Connection, side: Side) -> int:
    """What one side lost, and the other still has, with what is new on that side."""
    joined = 0
    for old, new in _candidates(db, side, f"a.{side.other}_here"):
        _join(db, side, old, new)
        joined += 1
    return joined


def _pair_moves_of_both(db: sqlite3.Connection) -> int:
    """What both sides lost, where both have something new that it may be: moved here and moved there."""
    new_here = dict(_candidates(db, Side.LOCAL, "NOT a.remote_here"))
    new_there = dict(_candidates(db, Side.REMOTE, "NOT a.local_here"))
    both = new_here.keys() & new_there.keys()
    for old in both:
        _join(db, Side.LOCAL, old, new_here[old])
        _join(db, Side.REMOTE, old, new_there[old])
    return 2 * len(both)


def _candidates(db: sqlite3.Connection, side: Side, lost: str) -> list[tuple[int, int]]:
    """(a linked row that `side` lost, a new row of that side that it may be): each once, the likeliest first."""
    loose = "NOT (a.linked AND a.local_here AND a.remote_here)"
    which = f"{loose} AND a.linked AND NOT a.{side}_here AND {lost} AND a.folder = 0"
    used: set[int] = set()
    pairs: list[tuple[int, int]] = []
    for old, new, _ in db.execute(_alike(side, which)).fetchall():
        if not used & {old, new}:
            used |= {old, new}
            pairs.append((old, new))
    return pairs


def _adopt(db: sqlite3.Connection) -> int:
    """A new entry on each side, in one collection, of one key: the same item seen twice.

    Its Date and From must be the same where both are known. Mailing lists make several of one Message-ID and Date, which differ
    in the From or the Subject: those of one author are one, then those of one subject, then those that are nearest in size. Of
    events and tasks those that say the same come first. In Sent Items the server may have rewritten Date and From.
    """
    pairs = db.execute(
        """SELECT a.number AS old, b.number AS new FROM item a CROSS JOIN item b
             ON b.remote_key = a.local_key AND b.remote_key != '' AND b.remote_collection = a.local_collection
            WHERE NOT (a.linked AND a.local_here AND a.remote_here)
              AND NOT a.linked AND a.local_here AND NOT a.remote_here
              AND NOT b.linked AND b.remote_here AND NOT b.local_here
              AND a.local_key != '' AND (a.local_collection = ? OR b.remote_revision LIKE '=%'
                   OR ((a.sent = 0 OR b.sent = 0 OR a.sent = b.sent) AND author_likeness(a.author, b.author) > 0))
            ORDER BY (a.local_revision = b.remote_revision) DESC, (a.sent = b.sent AND a.sent != 0) DESC,
                     author_likeness(a.author, b.author) DESC, (a.label = b.label) DESC, abs(a.size - b.size),
                     a.number, b.number""",
        (sent_items(db),),
    ).fetchall()
    used: set[int] = set()
    joined = 0
    for old, new in pairs:
        if old not in used and new not in used:
            used |= {old, new}
            _join(db, Side.LOCAL, new, old)
            joined += 1
    return joined


def _adopt_nameless(db: sqlite3.Connection) -> int:
    """Mail without a Message-ID, on each side, in one collection, of one Date, Subject and author: the same where there is no
    second such on either side. Else nobody can tell which is which.
    """
    query = """SELECT number, {0}_collection, sent, label, author FROM item
        WHERE NOT (linked AND local_here AND remote_here) AND NOT linked AND {0}_here AND NOT {1}_here AND NOT folder
          AND {0}_key = '' AND {0}_revision = '' AND sent != 0 AND author != ''"""
    here = db.execute(query.format("local", "remote")).fetchall()
    there: dict[tuple[object, ...], list[tuple[int, str]]] = {}
    for number, *same, author in db.execute(query.format("remote", "local")) if here else ():
        there.setdefault(tuple(same), []).append((number, author))
    pairs = [
        (old, new)
        for old, *same, author in here
        for new, other in there.get(tuple(same), ())
        if headers.author_likeness(author, other) == 2
    ]
    mine, theirs = (Counter(pair[end] for pair in pairs) for end in (0, 1))
    clear = [(old, new) for old, new in pairs if mine[old] == theirs[new] == 1]
    for old, new in clear:
        _join(db, Side.LOCAL, new, old)
    return len(clear)


def _adopt_folders(db: sqlite3.Connection) -> int:
    """A new folder on each side whose paths differ in case only: to a server that is one name.

    Or that an IMAP program made here and named in its own way: in modified UTF-7, or a special folder by its usual name.
    """
    query = """SELECT number, {0}_key FROM item WHERE folder = 1 AND NOT linked AND {0}_here AND NOT {1}_here
                 AND NOT (linked AND local_here AND remote_here) ORDER BY number"""
    there = {key.casefold(): number for number, key in db.execute(query.format("remote", "local"))}
    left = db.execute(query.format("local", "remote")).fetchall()
    usual = _usual_names(db)
    joined = 0
    for named in (str, names.from_imap, lambda key: usual.get(key.casefold(), "")):
        here, left = left, []
        for number, key in here:
            if other := there.pop(named(key).casefold(), None):
                _join(db, Side.LOCAL, other, number)
                joined += 1
            else:
                left.append((number, key))
    return joined


#: What IMAP servers and programs call special folders (RFC 6154 names the roles, nobody the folders), in small letters.
_USUAL = {
    "sentitems": ("sent", "sent messages", "sent-mail", "sent items"),
    "deleteditems": ("trash", "deleted messages", "deleted items"),
    "junkemail": ("junk", "spam", "junk e-mail", "junk email"),
    "drafts": ("drafts", "draft"),
}


def _usual_names(db: sqlite3.Connection) -> dict[str, str]:
    """Usual name → the path of the special folder on this server."""
    paths = dict(db.execute("SELECT remote_id, remote_key FROM item WHERE folder = 1 AND remote_here"))
    return {name: paths[ident] for role, ident in specials(db).items() if ident in paths for name in _USUAL.get(role, ())}


def _join(db: sqlite3.Connection, side: Side, number: int, donor: int) -> None:
    """Row `number` takes over what `donor` shows on `side`; the donor, which had nothing else, is dropped."""
    fields = [f"{side}_{name}" for name in ("here", "generation", *tables.VIEW)]
    values = db.execute(f"SELECT {', '.join(fields)} FROM item WHERE number = ?", (donor,)).fetchone()
    db.execute("DELETE FROM item WHERE number = ?", (donor,))
    db.execute(f"UPDATE item SET {', '.join(f'{n} = ?' for n in fields)} WHERE number = ?", (*values, number))
    if values[fields.index(f"{side}_collection")] == 0:  # a folder: what was listed in the donor's collection is in this one now
        db.execute(f"UPDATE item SET {side}_collection = ? WHERE {side}_collection = ? AND {side}_id != ''", (number, donor))
        db.execute("UPDATE cursor SET collection = ? WHERE side = ? AND collection = ?", (number, side, donor))


def twins(db: sqlite3.Connection) -> set[tuple[Side, int]]:
    """Where a linked item stands whose key a new entry of the same side also has, elsewhere.

    A copy looks like this, and so does a move that happened while we listed: those collections want a second look.
    """
    found: set[tuple[Side, int]] = set()
    for side in Side:
        rows = db.execute(
            f"""SELECT DISTINCT b.{side}_collection FROM item a JOIN item b
                  ON b.{side}_key = a.{side}_key AND b.{side}_key != '' AND b.linked AND b.{side}_here AND b.folder = 0
                 AND b.{side}_collection != a.{side}_collection
                WHERE NOT (a.linked AND a.local_here AND a.remote_here) AND NOT a.linked AND a.{side}_here
                  AND a.folder = 0"""
        )
        found |= {(side, row[0]) for row in rows}
    return found


def specials(db: sqlite3.Connection) -> dict[str, str]:
    """Distinguished name → FolderId, as the server told once."""
    known = db.execute("SELECT value FROM meta WHERE name = 'special'").fetchone()
    return dict(json.loads(known[0] if known and known[0] else "{}"))


def sent_items(db: sqlite3.Connection) -> int:
    """The number of Sent Items; -1 where it is not known."""
    ident = specials(db).get("sentitems", "")
    found = db.execute("SELECT number FROM item WHERE folder AND remote_id = ? AND remote_id != ''", (ident,)).fetchone()
    return int(found[0]) if found else -1


def again(db: sqlite3.Connection, row: Row, sent: int, *, by_uid: bool) -> bool:
    """Whether a new file has the key of what is in its folder already, there and here.

    In Sent Items one Message-ID is one message, though the server rewrote the Date when it was sent: a reader's own copy. What
    has a UID may be in a folder once: of several new files the first goes up.
    """
    new = row.local
    if row.link or row.remote or new is None or not (by_uid or new.collection == sent) or not new.key:
        return False
    found = db.execute(
        """SELECT 1 FROM item WHERE local_key = ? AND local_key != '' AND local_collection = ? AND remote_collection = ?
              AND linked AND local_here AND remote_here AND number != ?
           UNION ALL
           SELECT 1 FROM item WHERE ? AND local_key = ? AND local_key != '' AND local_collection = ?
              AND NOT linked AND local_here AND NOT remote_here AND number < ? LIMIT 1""",
        (new.key, new.collection, new.collection, row.number, by_uid, new.key, new.collection, row.number),
    ).fetchone()
    return found is not None


def copies(db: sqlite3.Connection, first: int, last: int) -> set[int]:
    """Which of the rows with these numbers are new and have the key of a linked one: of no other `twin` need be asked."""
    found: set[int] = set()
    for side in Side:
        found |= {
            number
            for (number,) in db.execute(
                f"""SELECT number FROM item a WHERE NOT linked AND {side}_here AND {side}_key != '' AND number BETWEEN ? AND ?
                      AND {tables.DIFFERS} AND EXISTS (SELECT 1 FROM item b
                        WHERE b.{side}_key = a.{side}_key AND b.{side}_key != '' AND b.linked)""",
                (first, last),
            )
        }
    return found


def twin(db: sqlite3.Connection, row: Row) -> Link | None:
    """Of an item that is new on one side: the linked one that it may be a copy of.

    On the server a copy has its original's search key. On disk it has the same Message-ID and Date, which duplicates of
    a mailing list have, too: there the contents are compared before it is copied (`apply`). One whose tags are not in agreement
    now is none: the copy would take that for agreed.
    """
    new = row.local or row.remote
    if row.link or (row.local and row.remote) or new is None or not new.collection or not new.key or new.revision:
        return None
    side, other = ("local", "remote") if row.local else ("remote", "local")
    same = "sent = ?" if row.local else "remote_place = ?"
    value = new.hints.sent if row.local else new.hints.place
    if not value:
        return None
    found = db.execute(
        f"""SELECT {tables.ROW} FROM item WHERE {side}_key = ? AND {side}_key != '' AND {same} AND linked
              AND {side}_here AND {other}_here AND local_revision = '' AND remote_revision = '' AND number != ?
              AND local_tags = base_local_tags AND remote_tags = base_remote_tags
            ORDER BY number LIMIT 1""",
        (new.key, value, row.number),
    ).fetchone()
    twin = tables.row_of(found) if found else None
    return Link(twin.local, twin.remote) if twin and twin.local and twin.remote else None


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
            AND (a.sent = 0 OR b.sent = 0 OR a.sent = b.sent OR b.{s}_revision LIKE '=%')
            AND (a.{s}_revision = '') = (b.{s}_revision = '')
            WHERE {which}"""
        for same in (by_key, by_place)
    )
    return " UNION ALL ".join(halves) + " ORDER BY likeness DESC, old, new"


def id_of(db: sqlite3.Connection, side: Side, key: str) -> str:
    """The id of the item with this key that is on that side; of several the oldest; "" where there is none."""
    found = db.execute(
        f"""SELECT {side}_id FROM item WHERE {side}_key = ? AND {side}_key != '' AND {side}_here AND NOT folder
            ORDER BY number LIMIT 1""",
        (key,),
    ).fetchone()
    return str(found[0]) if found else ""


def has_other(db: sqlite3.Connection, side: Side, key: str, ident: str) -> bool:
    """Whether an item with this key is on that side beside the one with this id."""
    same = f"{side}_key = ? AND {side}_key != '' AND {side}_id != ? AND {side}_here AND NOT folder"
    return bool(db.execute(f"SELECT EXISTS (SELECT 1 FROM item WHERE {same})", (key, ident)).fetchone()[0])
