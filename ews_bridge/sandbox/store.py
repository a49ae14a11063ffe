"""What a mailbox holds: items, folders, and for each folder the record of changes that synchronisation reads.

Every change gets the next number of one counter.  A folder keeps two lists in that order, one of arrivals and one of
changes; entries that a later change made stale are skipped and swept out now and then.  So a synchronisation costs what
changed since, not what the folder holds.
"""

from __future__ import annotations

import bisect
from dataclasses import dataclass
from typing import TYPE_CHECKING

from . import headers as hdr
from .headers import Address
from .mapi import Bag
from .mapi import PropertyName
from .mapi import Value

if TYPE_CHECKING:
    from .world import Mailbox

# Beyond this many remembered deletions the oldest are forgotten, and with them the states that would need them.
TOMBSTONES = 200_000


@dataclass(frozen=True, slots=True)
class Envelope:
    """What the headers of a message say; strings are decoded, absent ones empty."""

    subject: str
    sender: tuple[Address, ...]
    author: tuple[Address, ...]
    to: tuple[Address, ...]
    cc: tuple[Address, ...]
    bcc: tuple[Address, ...]
    reply_to: tuple[Address, ...]
    message_id: str
    in_reply_to: str
    references: str
    date: int | None
    importance: int
    sensitivity: int
    receipt_to: tuple[Address, ...]
    delivery_receipt: bool
    topic: str
    thread_index: str


def envelope_of(raw: bytes) -> Envelope:
    """Read the headers of a message; never raises."""
    found: dict[str, bytes] = {}
    for name, value in hdr.split_message(raw)[0]:
        found.setdefault(name.lower(), value)
    get = found.get
    importance = hdr.decode(get("importance")).lower() or {"1": "high", "2": "high", "4": "low", "5": "low"}.get(
        hdr.decode(get("x-priority"))[:1], ""
    )
    sensitivity = hdr.decode(get("sensitivity")).lower()
    return Envelope(
        subject=hdr.decode(get("subject")),
        sender=hdr.addresses(get("sender")) or hdr.addresses(get("from")),
        author=hdr.addresses(get("from")) or hdr.addresses(get("sender")),
        to=hdr.addresses(get("to")),
        cc=hdr.addresses(get("cc")),
        bcc=hdr.addresses(get("bcc")),
        reply_to=hdr.addresses(get("reply-to")),
        message_id=hdr.decode(get("message-id")),
        in_reply_to=hdr.decode(get("in-reply-to")),
        references=hdr.decode(get("references")),
        date=hdr.date(get("date")),
        importance={"low": 0, "high": 2}.get(importance, 1),
        sensitivity={"personal": 1, "private": 2, "company-confidential": 3}.get(sensitivity, 0),
        receipt_to=hdr.addresses(get("disposition-notification-to")),
        delivery_receipt="return-receipt-to" in found,
        topic=hdr.decode(get("thread-topic")),
        thread_index=hdr.decode(get("thread-index")),
    )


@dataclass(frozen=True, slots=True)
class Overlay:
    """What one occurrence of a series has otherwise than the series; None is something that it lacks.

    `mime`, with the numbers of the attachments in it, is None if the content is that of the series.
    """

    props: dict[PropertyName, tuple[str, Value] | None]
    declared: dict[str, bytes | None]
    mime: bytes | None = None
    attachment_numbers: tuple[int, ...] = ()


class Item:
    """A message or another item.  `mime` is its content; `props` holds what was set beside and overrides the content,
    `declared` by the names of their elements the parts that are XML: recurrences, attendees, members of lists.

    A series of appointments is one item; its `exceptions` and `deleted` days are known by the ordinal of the day for which
    an occurrence was meant.  An occurrence is an item that is made when it is asked for, with its `master` and `occurrence`.

    `change`, `arrived_change`, `content_change` and `read_change` are change numbers: of the last change at all, of its
    arrival in this folder, of the last change to anything but the read flag, and of the last one to the read flag.
    Times are seconds since 1970.
    """

    __slots__ = (
        "arrived_change",
        "attachment_numbers",
        "change",
        "content_change",
        "created",
        "declared",
        "deleted",
        "draft",
        "edited",
        "exceptions",
        "folder",
        "item_class",
        "key",
        "kind",
        "mailbox",
        "master",
        "mime",
        "mime_broken",
        "modified",
        "next_attachment",
        "occurrence",
        "props",
        "read",
        "read_change",
        "received",
        "search_key",
        "uid",
    )

    def __init__(self, mailbox: Mailbox, *, mime: bytes, item_class: str, created: int, search_key: bytes) -> None:
        self.mailbox = mailbox
        self.key = 0
        self.folder: Folder | None = None
        self.kind = ""
        self.mime = mime
        self.item_class = item_class
        self.received = created
        self.created = created
        self.modified = created
        self.read = False
        self.draft = False
        self.uid = 0
        self.search_key = search_key
        self.props: Bag = {}
        self.declared: dict[str, bytes] = {}
        self.change = self.arrived_change = self.content_change = self.read_change = 0
        self.edited = False
        self.mime_broken = False
        self.attachment_numbers: list[int] | None = None
        self.next_attachment = 0
        self.exceptions: dict[int, Overlay] = {}
        self.deleted: set[int] = set()
        self.master: Item | None = None
        self.occurrence = 0

    def twin(self) -> Item:
        """A copy without a place: same content, same search key."""
        other = Item(self.mailbox, mime=self.mime, item_class=self.item_class, created=self.created, search_key=self.search_key)
        for name in ("kind", "received", "modified", "read", "draft", "edited", "mime_broken", "next_attachment"):
            setattr(other, name, getattr(self, name))
        other.props = dict(self.props)
        other.declared = dict(self.declared)
        other.attachment_numbers = list(self.attachment_numbers) if self.attachment_numbers is not None else None
        other.exceptions = dict(self.exceptions)
        other.deleted = set(self.deleted)
        return other


@dataclass(frozen=True, slots=True)
class Tombstone:
    """A departed item: when it had arrived in the folder, and when it left."""

    arrived: int
    left: int


@dataclass(frozen=True, slots=True)
class Delivery:
    """One submitted message: who sent it, to whom it went, and its Message-ID."""

    sender: str
    recipients: tuple[str, ...]
    message_id: str
    at: int


class Folder:
    """A folder, its items, and its record of changes."""

    def __init__(self, mailbox: Mailbox, parent: Folder | None, key: int, name: str, folder_class: str) -> None:
        self.mailbox = mailbox
        self.parent = parent
        self.key = key
        self.name = name
        self.folder_class = folder_class
        self.distinguished = ""
        self.hidden = False
        self.search = False
        self.props: Bag = {}
        self.children: list[Folder] = []
        self.created = self.modified = 0
        self.commit = 0
        self.change = self.arrived_change = 0
        self.items: dict[int, Item] = {}
        self.unread = 0
        self.removed_total = 0
        self.next_uid = 1
        self.arrivals: list[tuple[int, int]] = []
        self.changes: list[tuple[int, int]] = []
        self.tombstones: dict[int, Tombstone] = {}
        self.oldest_state = 0
        self.first_pages: dict[int, list[tuple[int, int, int]]] = {}

    def under(self, ancestor: Folder) -> bool:
        """Whether this folder lies below `ancestor`."""
        parent = self.parent
        while parent is not None:
            if parent is ancestor:
                return True
            parent = parent.parent
        return False

    def descendants(self) -> list[Folder]:
        """All folders below, parents before their children."""
        found: list[Folder] = []
        for child in self.children:
            found.append(child)
            found.extend(child.descendants())
        return found

    def note_arrival(self, item: Item, change: int) -> None:
        item.change = item.arrived_change = item.content_change = change
        item.read_change = 0
        self.arrivals.append((change, item.key))
        self._note(change, item.key)

    def note_change(self, item: Item, change: int, *, read_only: bool) -> None:
        item.change = change
        if read_only:
            item.read_change = change
        else:
            item.content_change = change
        self._note(change, item.key)

    def note_departure(self, item: Item, change: int) -> None:
        self.tombstones[item.key] = Tombstone(item.arrived_change, change)
        self._note(change, item.key)
        if len(self.tombstones) > TOMBSTONES:
            self._forget_half()

    def _note(self, change: int, key: int) -> None:
        self.changes.append((change, key))
        if len(self.changes) > 1000 + 2 * (len(self.items) + len(self.tombstones)):
            self._sweep()

    def last_change(self, key: int) -> int:
        """The number of the last change to an item that is or was here; 0 if it never was."""
        item = self.items.get(key)
        if item is not None:
            return item.change
        gone = self.tombstones.get(key)
        return gone.left if gone else 0

    def changed_between(self, since: int, until: int, after: int) -> list[tuple[int, int]]:
        """(change, key) of items whose last change lies in (max(since, after), until], in order, stale ones left out."""
        start = bisect.bisect_right(self.changes, (max(since, after), 1 << 62))
        stop = bisect.bisect_right(self.changes, (until, 1 << 62))
        return [pair for pair in self.changes[start:stop] if self.last_change(pair[1]) == pair[0]]

    def arrived_between(self, since: int, until: int, after: int) -> list[tuple[int, int]]:
        """(change, key) of items still here that arrived in (max(since, after), until], in order."""
        start = bisect.bisect_right(self.arrivals, (max(since, after), 1 << 62))
        stop = bisect.bisect_right(self.arrivals, (until, 1 << 62))
        return [pair for pair in self.arrivals[start:stop] if pair[1] in self.items]

    def _sweep(self) -> None:
        self.changes = [pair for pair in self.changes if self.last_change(pair[1]) == pair[0]]
        self.arrivals = [pair for pair in self.arrivals if pair[1] in self.items]

    def _forget_half(self) -> None:
        by_age = sorted(self.tombstones.items(), key=lambda pair: pair[1].left)
        for key, gone in by_age[: TOMBSTONES // 2]:
            del self.tombstones[key]
            self.oldest_state = gone.left
        self._sweep()

    def newest_first(self, until: int) -> list[tuple[int, int, int]]:
        """(-received, -uid, key) of the items that had arrived by change `until`, newest first.

        Kept for the last few values of `until`: a first synchronisation reads it page by page.
        """
        order = self.first_pages.get(until)
        if order is None:
            order = sorted((-item.received, -item.uid, item.key) for item in self.items.values() if item.arrived_change <= until)
            while len(self.first_pages) >= 3:
                del self.first_pages[next(iter(self.first_pages))]
            self.first_pages[until] = order
        return order
