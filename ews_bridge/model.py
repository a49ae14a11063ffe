"""The values that the engine speaks in: entries, links, rows, steps. Plain frozen data, no I/O, no clock, no paths.

One `Row` is all that is known of one item: the base (`link`: both views when last in agreement) and what each side shows
now. The planner (`plan.py`) turns rows that differ into `Step`s; `apply.py` carries steps out; nothing else decides.
"""

from __future__ import annotations

from collections.abc import Callable
from collections.abc import Iterator
from collections.abc import Mapping
from dataclasses import dataclass
from dataclasses import field
from enum import StrEnum


class Side(StrEnum):
    """The two sides of a collection. They are treated alike wherever they are alike."""

    LOCAL = "local"
    REMOTE = "remote"

    @property
    def other(self) -> Side:
        return Side.REMOTE if self is Side.LOCAL else Side.LOCAL


class Flag(StrEnum):
    """Maildir's flags, by their letter; what each is on Exchange is said in `exchange/mail.py`."""

    DRAFT = "D"
    FLAGGED = "F"
    FORWARDED = "P"
    ANSWERED = "R"
    SEEN = "S"
    TRASHED = "T"


Flags = frozenset[Flag]

#: What an item is tagged with, in each place of its side that keeps tags: names, as people read them. A place that is missing
#: was not looked at, and nothing follows from it.
Tags = Mapping[str, frozenset[str]]
#: The place of tags on disk, whatever keeps them there.
ON_DISK = "disk"
#: In place of `ON_DISK`: it will have a place for tags, and has none yet (a message that notmuch has not indexed).
LATER = "later"


@dataclass(frozen=True, slots=True)
class Hints:
    """What may identify an item when its id has changed. Never trusted without confirmation by the key.

    `place` is PidTagSearchKey 0x300B in base64 on the server (same after a move, and on a copy), the inode on disk (reused by
    the file system). `token` is ours: set when we created the item. `size` in bytes, as the side counts them (0: unknown).
    `sent` is the Date of a mail, or when an event or task was over, in seconds since the epoch (0: unknown). `label` is for
    people: a subject or a path.
    `author` is who wrote a mail, in the form of `headers.author_of`; told while two sides that never met are brought together.
    `looked` is what a file's clocks said when its tags were read, "" where nobody read any.
    """

    place: str = ""
    token: str = ""
    size: int = 0
    sent: int = 0
    label: str = ""
    looked: str = ""
    author: str = ""


@dataclass(frozen=True, slots=True)
class Entry:
    """One side's view of one item, without its content.

    `id` names it on that side (within its collection). `key` is the same on both sides and not always unique: the
    Message-ID, the UID, the path of a folder; "" where there is none. `revision` tells one content from another: a
    change key, (ctime, size) or a digest (`is_meaning`); "" where content never changes. `collection` is the state's number of
    the folder that holds it; 0 for folders themselves, whose place is their key.
    """

    id: str
    key: str
    revision: str = ""
    flags: Flags = frozenset()
    collection: int = 0
    hints: Hints = Hints()
    tags: Tags = field(default_factory=dict, hash=False)


@dataclass(frozen=True, slots=True)
class Scan:
    """One page of a listing of one collection.

    Pages of a full listing begin with `first` and end with `last`: then, and only then, what was not listed is gone. A
    listing of changes has neither `first`; what is gone is named in `vanished`. `marks` are flags that changed on known ids:
    (id, flags now present, flags now absent), all other flags as they were. `cursor` resumes after this page.
    """

    entries: tuple[Entry, ...] = ()
    vanished: tuple[str, ...] = ()
    marks: tuple[tuple[str, Flags, Flags], ...] = ()
    cursor: str = ""
    first: bool = False
    last: bool = False


#: What the state knows of a collection, by id: a store that lists names only compares with it. Called at most once a scan.
Known = Callable[[], Mapping[str, Entry]]


@dataclass(frozen=True, slots=True)
class Content:
    """The content of one item as a file has it, to be read once.

    `pieces()` yields bytes whose concatenation is the file; in pieces, so that a message of 150 MB is never held twice.
    `modified` is the time that its file should carry, in seconds since the epoch.
    """

    pieces: Callable[[], Iterator[bytes]]
    modified: float = 0.0


@dataclass(frozen=True, slots=True)
class Said:
    """What the file of an event, a contact or a task says: its UID, a digest that two files share exactly when they mean the
    same, and a name for people.

    `members`: the UIDs of the items that it refers to, as a group of contacts does. `ended`: when it was over for good (a task
    completed, a series run out), in seconds since the epoch; 0: it is not, or never. What ended long ago may be left out of the
    window that the settings call `since`. `alone`: it holds occurrences whose series is not there (somebody was invited to them
    alone); all of one UID in a folder are one file.
    """

    uid: str
    meaning: str
    label: str
    ended: int = 0
    members: tuple[str, ...] = ()
    alone: bool = False

    @property
    def revision(self) -> str:
        """The revision of what says this, on either side: see `is_meaning`."""
        return f"={self.meaning}"


def is_meaning(revision: str) -> bool:
    """Whether this revision is a digest of what its content says: two that are equal say the same, whatever side they are of."""
    return revision.startswith("=")


@dataclass(frozen=True, slots=True)
class New:
    """An item to be created: its content and what goes with it. `tags` are those that it is to have in every place there."""

    content: Content
    token: str
    key: str
    flags: Flags
    tags: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class Link:
    """The base of the three-way merge: both views of one item as they were when last in agreement."""

    local: Entry
    remote: Entry

    def __getitem__(self, side: Side) -> Entry:
        return self.local if side is Side.LOCAL else self.remote

    @property
    def flags(self) -> Flags:
        """The agreed flags; both views carry the same."""
        return self.local.flags


@dataclass(frozen=True, slots=True)
class Row:
    """One item as the state knows it. `number` is the state's own and means nothing elsewhere."""

    number: int
    link: Link | None
    local: Entry | None
    remote: Entry | None
    #: Of a new entry: the linked item that it looks like a copy of, as both sides show it now.
    twin: Link | None = None
    #: A new file whose key a linked item of the folder has, too: in Sent Items a reader's own copy of what the server keeps; of
    #: what has a UID, a second file with the same.
    again: bool = False

    def __getitem__(self, side: Side) -> Entry | None:
        return self.local if side is Side.LOCAL else self.remote


def all_tags(tags: Tags) -> frozenset[str]:
    """What any of the places has."""
    return frozenset().union(*tags.values())


# ---- steps: one planned change each. `str(step)` is its only wording: in a dry run, a report, a log.


def _name(entry: Entry) -> str:
    if not entry.collection:
        return entry.key
    return entry.hints.label or entry.key or entry.id


@dataclass(frozen=True, slots=True)
class Create:
    """Make `source`, which lives on the other side, also on side `to`. A link left over from a deletion is renewed."""

    row: Row
    to: Side
    source: Entry

    def __str__(self) -> str:
        if not self.source.collection:
            return f"make {self.to} folder {_name(self.source)}"
        return f"{'download' if self.to is Side.LOCAL else 'upload'} {_name(self.source)}"


@dataclass(frozen=True, slots=True)
class Update:
    """Give `target` on side `to` the content of `source`."""

    row: Row
    to: Side
    source: Entry
    target: Entry

    def __str__(self) -> str:
        return f"update {self.to} {_name(self.source)}"


@dataclass(frozen=True, slots=True)
class Mark:
    """Give `target` these flags, all of them and no others."""

    row: Row
    to: Side
    target: Entry
    flags: Flags

    def __str__(self) -> str:
        return f"mark {self.to} {_name(self.target)}: {''.join(sorted(self.flags)) or 'none'}"


@dataclass(frozen=True, slots=True)
class Tag:
    """Give `target` these tags in each place, all of them and no others."""

    row: Row
    to: Side
    target: Entry
    tags: Tags

    def __str__(self) -> str:
        before, after = all_tags(self.target.tags), all_tags(self.tags)
        changes = [f"+{tag}" for tag in sorted(after - before)] + [f"-{tag}" for tag in sorted(before - after)]
        return f"tag {self.to} {_name(self.target)}: {' '.join(changes) or ' '.join(sorted(after))}"


@dataclass(frozen=True, slots=True)
class Move:
    """Bring `target` on side `to` to where `like` is: into its collection, or (folders) to its path."""

    row: Row
    to: Side
    target: Entry
    like: Entry

    def __str__(self) -> str:
        return f"move {self.to} {_name(self.target)}" + (f" to {self.like.key}" if not self.like.collection else "")


@dataclass(frozen=True, slots=True)
class Copy:
    """Make `source` on side `to` by copying `original`, which is there, if `source` proves to be a copy of its counterpart.

    Else it is created. Spares the transfer, and a copy made by the server keeps the server's properties.
    """

    row: Row
    to: Side
    source: Entry
    original: Entry
    counterpart: Entry

    def __str__(self) -> str:
        return f"copy {self.to} {_name(self.source)}"


@dataclass(frozen=True, slots=True)
class Delete:
    """Remove `target` on side `to`, unless it changed: on disk into the trash, on the server into Deleted Items."""

    row: Row
    to: Side
    target: Entry

    def __str__(self) -> str:
        return f"delete {self.to} {_name(self.target)}"


@dataclass(frozen=True, slots=True)
class Settle:
    """Both sides agree: remember it. Nothing is written on either side."""

    row: Row
    link: Link

    def __str__(self) -> str:
        return f"link {_name(self.link.remote)}"


@dataclass(frozen=True, slots=True)
class Forget:
    """Remember it no longer: both sides have lost it; or it left the scope: a file goes to the trash, the server keeps it."""

    row: Row

    def __str__(self) -> str:
        entry = self.row.local or self.row.remote
        return f"forget {_name(entry)}" if entry else "forget what both sides have lost"


@dataclass(frozen=True, slots=True)
class Conflict:
    """Content changed on both sides: keep the local version aside, then the server's version wins."""

    row: Row
    local: Entry
    remote: Entry

    def __str__(self) -> str:
        return f"conflict {_name(self.local)}: the local version is kept aside"


Step = Create | Update | Mark | Tag | Move | Copy | Delete | Settle | Forget | Conflict


@dataclass(frozen=True, slots=True)
class Policy:
    """What a run may do. `writes`: the sides that may be written; steps for the other side stay pending, as do deletions on
    the sides in `hold_deletes`. `refill`: what is missing locally is fetched again instead of deleted on the server.
    `frozen`: collections that the server, or the configuration, lets nobody change: local changes there are undone. `closed`:
    those into which nothing may be put. Outside the
    window, mail is not fetched, and forgotten when it was: read and unflagged mail from before `since` (seconds since the
    epoch), and what is larger than `max_size` bytes (0: no limit). `by_uid`: events, contacts and tasks, of which a folder
    should have one of each UID; they have no flags, and leave the window by their date.
    """

    writes: frozenset[Side] = frozenset(Side)
    hold_deletes: frozenset[Side] = frozenset()
    refill: bool = False
    frozen: frozenset[int] = frozenset()
    closed: frozenset[int] = frozenset()
    since: int = 0
    max_size: int = 0
    by_uid: bool = False
