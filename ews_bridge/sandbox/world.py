"""All mailboxes of the sandbox: the state of the server, and every change that can be made to it.

Single-threaded: an operation runs to its end before the next begins.  Nothing here knows of XML or HTTP.
"""

from __future__ import annotations

import datetime as dt
import random
import uuid
from collections import OrderedDict
from collections.abc import Callable
from os import PathLike
from typing import Literal

from . import ids
from . import people
from . import places
from .classify import classify
from .document import Outline
from .document import outline
from .errors import ItemError
from .mimetree import parse
from .rights import Grant
from .store import Delivery as Delivery
from .store import Envelope
from .store import Folder as Folder
from .store import Item as Item
from .store import Tombstone
from .store import envelope_of

Mode = Literal["regenerate", "keep"]

ENVELOPES = 32_768
RENDERED_BYTES = 32 * 1024 * 1024
DELIVERIES = 10_000


def now() -> dt.datetime:
    return dt.datetime.now(dt.UTC)


class World:
    """All users of this server."""

    def __init__(
        self, *, mime: Mode = "regenerate", language: str = "en", clock: Callable[[], dt.datetime] = now, seed: int = 0
    ) -> None:
        self.mime: Mode = mime
        self.language = language
        self.clock = clock
        self.random = random.Random(seed)
        self.users: dict[str, Mailbox] = {}
        self.grants: set[Grant] = set()
        self.sent = 0
        self.deliveries: list[Delivery] = []
        self.directory: dict[str, people.Person] = {}
        self.change = 1
        self.number = 0x1000
        self._envelopes: OrderedDict[int, Envelope] = OrderedDict()
        self._rendered: OrderedDict[tuple[int, int], bytes] = OrderedDict()
        self._rendered_bytes = 0
        self._outline: tuple[bytes, Outline] | None = None

    def add_user(self, address: str, password: str, display_name: str | None = None) -> Mailbox:
        """Give `address` a mailbox with the folders a new one has; ValueError if there is one already."""
        key = address.lower()
        if key in self.users:
            raise ValueError(f"there is a mailbox for {address} already")
        name = display_name or address.partition("@")[0].replace(".", " ").title()
        guid = str(uuid.UUID(int=self.random.getrandbits(128), version=4))
        mailbox = Mailbox(self, address, password, name, guid)
        mailbox.furnish(self.language)
        self.users[key] = mailbox
        return mailbox

    def mailbox(self, guid: str) -> Mailbox | None:
        """The mailbox with this GUID, which stands in all its ids."""
        return next((one for one in self.users.values() if one.guid == guid), None)

    def save(self, path: str | PathLike[str]) -> None:
        """Write all mailboxes to `path`: an SQLite database, written beside and renamed into place when complete."""
        from . import archive

        archive.save(self, path)

    @classmethod
    def load(cls, path: str | PathLike[str], *, clock: Callable[[], dt.datetime] = now) -> World:
        """Read what `save` wrote; ValueError if the file is something else.  Only data is read, no code."""
        from . import archive

        return archive.load(path, clock=clock)

    def time(self) -> int:
        return int(self.clock().timestamp())

    def next_change(self) -> int:
        self.change += 1
        return self.change

    def next_number(self) -> int:
        self.number += 1
        return self.number

    def bytes16(self) -> bytes:
        return self.random.getrandbits(128).to_bytes(16, "big")

    def envelope(self, item: Item) -> Envelope:
        """What the item's headers say; the last few thousand are remembered."""
        if not item.key or item.master is not None:
            return envelope_of(item.mime)
        found = self._envelopes.get(item.key)
        if found is None:
            found = envelope_of(item.mime)
            self._envelopes[item.key] = found
            if len(self._envelopes) > ENVELOPES:
                self._envelopes.popitem(last=False)
        return found

    def outline(self, item: Item) -> Outline:
        """Bodies and attachments of the item; only the last one is remembered, a tree holds on to its message."""
        if self._outline is None or self._outline[0] is not item.mime:
            self._outline = (item.mime, outline(parse(item.mime)))
        return self._outline[1]

    def forget(self, item: Item) -> None:
        """Drop what was derived from the item's content."""
        self._envelopes.pop(item.key, None)

    def rendered(self, item: Item, make: Callable[[], bytes]) -> bytes:
        """The item's rendered MIME, from a cache of bounded size."""
        key = (item.key, item.content_change)
        found = self._rendered.get(key) if item.master is None else None
        if found is not None:
            self._rendered.move_to_end(key)
            return found
        made = make()
        if item.key and item.master is None and len(made) < RENDERED_BYTES // 8:
            self._rendered[key] = made
            self._rendered_bytes += len(made)
            while self._rendered_bytes > RENDERED_BYTES:
                self._rendered_bytes -= len(self._rendered.popitem(last=False)[1])
        return made

    def forget_sync_states(self) -> None:
        """Make every synchronisation state of every mailbox invalid."""
        for mailbox in self.users.values():
            mailbox.forget_sync_states()

    def note_delivery(self, delivery: Delivery) -> None:
        self.sent += 1
        self.deliveries.append(delivery)
        if len(self.deliveries) > DELIVERIES:
            del self.deliveries[: DELIVERIES // 2]


class Mailbox:
    """One user's mailbox: its folders and items, and the only methods that change them.

    What a method is asked to change may lie in another user's mailbox: it is changed there.
    """

    def __init__(self, world: World, address: str, password: str, display_name: str, guid: str) -> None:
        self.world = world
        self.address = address
        self.password = password
        self.display_name = display_name
        self.guid = guid
        self.replica = uuid.UUID(guid).bytes_le
        self.epoch = 0
        self.folders: dict[int, Folder] = {}
        self.items: dict[int, Item] = {}
        self.distinguished: dict[str, Folder] = {}
        self.folder_changes: list[tuple[int, int]] = []
        self.folder_tombstones: dict[int, tuple[Tombstone, bool]] = {}
        self.configurations: dict[tuple[int, str], dict[str, str]] = {}
        self.oof = people.OutOfOffice()
        self.root: Folder

    def furnish(self, language: str) -> None:
        """Make the folders of a new mailbox."""
        self.root = self._new_folder(None, "", "")
        self.root.distinguished = "root"
        self.distinguished["root"] = self.root
        for place in places.PLACES:
            parent = self.distinguished[place.parent]
            folder = self._new_folder(parent, places.name_of(place, language), place.folder_class)
            folder.hidden = place.hidden
            folder.search = place.search
            if place.id:
                folder.distinguished = place.id
                self.distinguished[place.id] = folder
        self.configurations[(self.root.key, "OWA.UserOptions")] = {"timezone": "UTC"}
        self.configurations[(self.distinguished["calendar"].key, "CategoryList")] = {"": places.CATEGORIES}

    def folder(self, distinguished: str) -> Folder:
        """A folder by its DistinguishedFolderId; ItemError ErrorFolderNotFound if this mailbox has none of that id."""
        found = self.distinguished.get(distinguished)
        if found is None:
            raise ItemError("ErrorFolderNotFound")
        return found

    def forget_sync_states(self) -> None:
        """Make every synchronisation state handed out so far invalid, as a move to another server does."""
        self.epoch += 1

    # -- folders

    def create_folder(self, parent: Folder, name: str, folder_class: str = "IPF.Note") -> Folder:
        """Make a folder; ItemError ErrorFolderExists if `parent` has one of that name, case apart."""
        self._check_name(parent, name, None)
        return self._new_folder(parent, name, folder_class)

    def rename_folder(self, folder: Folder, name: str) -> None:
        if folder.parent is not None:
            self._check_name(folder.parent, name, folder)
        folder.name = name
        self.touch_folder(folder)

    def move_folder(self, folder: Folder, parent: Folder) -> None:
        """Move a folder; its id survives, its change key does not."""
        if folder is parent or parent.under(folder) or folder.parent is None:
            raise ItemError("ErrorMoveCopyFailed")
        if folder.distinguished:
            raise ItemError("ErrorMoveDistinguishedFolder")
        if folder.parent is parent:
            return
        self._check_name(parent, folder.name, None)
        if parent.mailbox is not folder.mailbox:
            raise ItemError("ErrorMoveCopyFailed")
        top = folder.mailbox.distinguished["msgfolderroot"]
        was_inside = folder.under(top)
        folder.parent.children.remove(folder)
        folder.parent = parent
        parent.children.append(folder)
        for one in [folder, *folder.descendants()]:
            self.touch_folder(one)
            if was_inside != one.under(top):
                one.arrived_change = one.change

    def remove_folder(self, folder: Folder) -> None:
        """Remove a folder and everything in it for good."""
        if folder.distinguished:
            raise ItemError("ErrorDeleteDistinguishedFolder")
        for child in list(folder.children):
            self.remove_folder(child)
        for item in list(folder.items.values()):
            self.remove(item)
        if folder.parent is not None:
            folder.parent.children.remove(folder)
        home = folder.mailbox
        del home.folders[folder.key]
        change = self.world.next_change()
        inside = folder.under(home.distinguished["msgfolderroot"])
        home.folder_tombstones[folder.key] = (Tombstone(folder.arrived_change, change), inside)
        home.folder_changes.append((change, folder.key))

    def touch_folder(self, folder: Folder) -> None:
        """Note a change to the folder itself."""
        folder.change = self.world.next_change()
        folder.modified = self.world.time()
        self._commit(folder)
        folder.mailbox.folder_changes.append((folder.change, folder.key))

    def _new_folder(self, parent: Folder | None, name: str, folder_class: str) -> Folder:
        home = self if parent is None else parent.mailbox
        folder = Folder(home, parent, self.world.next_number(), name, folder_class)
        folder.created = self.world.time()
        home.folders[folder.key] = folder
        if parent is not None:
            parent.children.append(folder)
        self.touch_folder(folder)
        folder.arrived_change = folder.change
        return folder

    def _check_name(self, parent: Folder, name: str, but: Folder | None) -> None:
        if not name.strip():
            raise ItemError("ErrorFolderSavePropertyError", "The folder name is invalid.")
        if any(child.name.casefold() == name.casefold() and child is not but for child in parent.children):
            raise ItemError("ErrorFolderExists")

    def _commit(self, folder: Folder) -> None:
        # PidTagLocalCommitTimeMax: whole seconds on the wire, yet a second change within one must show all the same.
        folder.commit = self.world.time()

    # -- items

    def add_mime(
        self,
        folder: Folder,
        mime: bytes,
        *,
        read: bool = False,
        flagged: bool = False,
        answered: bool = False,
        forwarded: bool = False,
        draft: bool = False,
        received: dt.datetime | None = None,
    ) -> Item:
        """Put a message into a folder; `received` is its Date, or now, if not given.  The MIME is read only in part."""
        item_class, date = classify(mime)
        item = self.new_item(mime, item_class)
        if item_class.startswith("IPM.Schedule.Meeting."):
            from . import meetings

            meetings.absorb(item)
        item.read = read
        item.draft = draft
        item.received = int(received.timestamp()) if received else date if date is not None else item.created
        if flagged:
            item.props[0x1090] = ("Integer", 2)
        if answered or forwarded:
            item.props[0x1081] = ("Integer", 102 if answered else 104)
            item.props[0x1080] = ("Integer", 261 if answered else 262)
        self.place(item, folder)
        return item

    def new_item(self, mime: bytes, item_class: str) -> Item:
        """An item that is nowhere yet."""
        created = self.world.time()
        return Item(self, mime=mime, item_class=item_class, created=created, search_key=self.world.bytes16())

    def place(self, item: Item, folder: Folder) -> None:
        """Put a new item into a folder: it gets its id here."""
        item.key = self.world.next_number()
        item.mailbox = folder.mailbox
        item.folder = folder
        item.uid = folder.next_uid
        folder.next_uid += 1
        folder.items[item.key] = item
        item.mailbox.items[item.key] = item
        if not item.read:
            folder.unread += 1
        folder.note_arrival(item, self.world.next_change())
        self._commit(folder)

    def touch(self, item: Item, *, was_read: bool, read_only: bool) -> None:
        """Note a change to an item; `read_only` says that nothing but its read flag changed."""
        folder = item.folder
        if folder is None:
            return
        if was_read != item.read:
            folder.unread += -1 if item.read else 1
        item.modified = self.world.time()
        folder.note_change(item, self.world.next_change(), read_only=read_only)
        if not read_only:
            self.world.forget(item)
        self._commit(folder)

    def move(self, item: Item, folder: Folder) -> Item:
        """Move an item; what arrives is a new item with a new id and the old search key."""
        moved = self._twin(item)
        self.remove(item)
        self.place(moved, folder)
        return moved

    def copy(self, item: Item, folder: Folder) -> Item:
        copied = self._twin(item)
        copied.created = copied.modified = self.world.time()
        self.place(copied, folder)
        return copied

    def _twin(self, item: Item) -> Item:
        if item.master is not None:
            raise ItemError("ErrorCalendarCannotMoveOrCopyOccurrence")
        return item.twin()

    def remove(self, item: Item) -> None:
        """Take an item out for good."""
        folder = item.folder
        if folder is None:
            return
        del folder.items[item.key]
        del item.mailbox.items[item.key]
        if not item.read:
            folder.unread -= 1
        folder.removed_total += 1
        folder.note_departure(item, self.world.next_change())
        self.world.forget(item)
        self._commit(folder)
        item.folder = None

    # -- ids

    def item_id(self, item: Item) -> str:
        folder_key = item.folder.key if item.folder else 0
        return ids.ews_id(self.guid, ids.entry_id(self.replica, folder_key, item.key), occurrence=item.occurrence or None)

    def item_change_key(self, item: Item) -> str:
        kind = {"CalendarItem": 0x0F, "Contact": 0x11, "DistributionList": 0x12, "Task": 0x13}.get(item.kind, 0x09)
        return ids.change_key(kind, self.replica, item.change)

    def folder_id(self, folder: Folder) -> str:
        return ids.ews_id(self.guid, ids.entry_id(self.replica, folder.key))

    def folder_change_key(self, folder: Folder) -> str:
        return ids.change_key(FOLDER_KINDS.get(folder.folder_class[:8], 1), self.replica, folder.change)


FOLDER_KINDS = {"IPF.Appo": 2, "IPF.Cont": 3, "IPF.Task": 4}
