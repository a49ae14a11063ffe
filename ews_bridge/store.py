"""What either side of a collection can do: the contract that `maildir.py` and `exchange/folder.py` keep for mail,
`vdir.py` and `exchange/items.py` for events, contacts and tasks.

Rules for every store (tests/test_stores.py and tests/test_item_stores.py check them on each):

* Methods that take a sequence yield exactly one result for each element, in any order, paired with the element they
  belong to; `Stale` and `BadItem` are results, not raised. What is raised (`Unavailable`, `AuthError`, `DiskError`)
  concerns the whole call; results already yielded stand.
* A returned `Entry` is what that side answered *for this call*, not what a later look shows: a change made by someone else
  right after must show in the next scan.
* What is yielded is durable: on disk, the file and its directory are synced before.
* A write that finds another revision than the entry's writes nothing and yields `Stale`. An item that is already gone is
  deleted: `delete` then yields its entry like any other.
* `create` carries the token into the item, where `find` and a scan see it again: that is how an interrupted creation is
  recognised instead of repeated. (A vdir has no place for it: there the UID, and saying the same, are what is recognised.)
* Methods may be called from several threads at once, for different items.
"""

from collections.abc import Iterable
from collections.abc import Iterator
from collections.abc import Sequence
from typing import Protocol

from ews_bridge.errors import BadItem
from ews_bridge.errors import Stale
from ews_bridge.model import Content
from ews_bridge.model import Entry
from ews_bridge.model import Flags
from ews_bridge.model import Known
from ews_bridge.model import New
from ews_bridge.model import Scan
from ews_bridge.model import Tags

Failed = Stale | BadItem


class Store(Protocol):
    """One side of one collection. `collection` is the state's number for it, carried in every entry."""

    @property
    def collection(self) -> int: ...

    def scan(self, cursor: str, known: Known) -> Iterator[Scan]:
        """List what changed since `cursor` ("" or one no longer understood: everything, with `first` and `last`)."""

    def read(self, entries: Sequence[Entry]) -> Iterator[tuple[Entry, Content | Failed]]:
        """The contents. The entry's revision must still be current, else `Stale`. Each content is consumed before the next."""

    def find(self, token: str) -> Entry | None:
        """The item that carries this token, None when there is none here. Of several (copies), the oldest.

        Its revision is "" where the store can tell that the content is as it was created.
        """

    def create(self, items: Iterable[tuple[Entry, New]]) -> Iterator[tuple[Entry, Entry | Failed]]:
        """Make items; the first of each pair is the source's entry, given back with the result.

        A store that has no place for tags leaves them out; what it made says so.
        """

    def update(self, items: Iterable[tuple[Entry, Content]]) -> Iterator[tuple[Entry, Entry | Failed]]:
        """Replace contents, each only if the entry's revision is still current; flags stay."""

    def mark(self, items: Sequence[tuple[Entry, Flags]]) -> Iterator[tuple[Entry, Entry | Failed]]:
        """Set flags: exactly these of the flags that this side can hold. Others' flags and keywords are kept."""

    def tag(self, items: Sequence[tuple[Entry, Tags]]) -> Iterator[tuple[Entry, Entry | Failed]]:
        """Set tags: in each of the places exactly these. Where a place has others now than the entry says: `Stale`.

        What a place holds beside tags that have a name is kept. The content stays what it is, though its revision may be new.
        """

    def move(self, entries: Sequence[Entry], into: "Store") -> Iterator[tuple[Entry, Entry | Failed]]:
        """Bring items into another collection of the same side; the new entry may have another id."""

    def copy(self, entries: Sequence[Entry], into: "Store") -> Iterator[tuple[Entry, Entry | Failed]]:
        """Make copies in another collection, or the same one; each result is the copy's entry, with the flags it has there."""

    def delete(self, entries: Sequence[Entry]) -> Iterator[tuple[Entry, Entry | Failed]]:
        """Remove, recoverably, what still has the entry's revision."""


class Tree(Protocol):
    """One side's folders: a collection (number 0) whose items are folders. An entry's key is the folder's path.

    A path is the server's display names from below the message root, joined by "/", each name escaped so that no "/" is in it
    (`names.py`); the Inbox is "INBOX" in every language. `hints.label` is its folder class ("IPF.Note") or "" where unknown.
    """

    def scan(self, cursor: str, known: Known) -> Iterator[Scan]:
        """As in `Store.scan`; a folder whose path changed because a parent moved is listed as changed."""

    def create(self, path: str) -> Entry:
        """Make the folder (its parents exist). Already there: its entry."""

    def move(self, entry: Entry, path: str) -> Entry:
        """Rename or move; already there: its entry. Folders below may come along (a server's do) or have moves of their own."""

    def delete(self, entry: Entry) -> None:
        """Remove an empty folder; raises `BadItem` when something is left in it, already gone is done."""

    def open(self, entry: Entry, collection: int) -> Store:
        """The store over this folder's items."""
