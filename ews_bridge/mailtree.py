"""Tree over the folders of one mail root.

A directory is a folder when it has a `cur/`. The id of a folder is its directory relative to the root ("." for the root
itself, the Inbox of maildir++), its key the path (`names.py`). Must never: follow a symbolic link out of the root to find
folders, remove a directory with a message in it, put a folder over another.
"""

import contextlib
import errno
import os
import time
from collections.abc import Iterator
from collections.abc import Mapping
from dataclasses import replace

from ews_bridge import names
from ews_bridge.disk import disk_error
from ews_bridge.disk import make_directories
from ews_bridge.disk import make_directory
from ews_bridge.disk import named
from ews_bridge.disk import sync_directories
from ews_bridge.disk import sync_directory
from ews_bridge.errors import BadItem
from ews_bridge.errors import DiskError
from ews_bridge.errors import Stale
from ews_bridge.maildir import TMP_AGE
from ews_bridge.maildir import Maildir
from ews_bridge.maildir_tags import Keeper
from ews_bridge.model import Entry
from ews_bridge.model import Hints
from ews_bridge.model import Known
from ews_bridge.model import Scan
from ews_bridge.names import Layout
from ews_bridge.trash import Trash

_ROOT = "."
_PARTS = ("tmp", "new", "cur")  # cur last: it is what makes the directory a folder


class MailTree:
    """The folders below `root`, laid out as `layout` says. `trash` and `host` are for the Maildirs that it opens."""

    def __init__(self, root: str, *, layout: Layout, trash: Trash, host: str, tags: Keeper | None = None) -> None:
        self._tags = tags
        self._root = root.rstrip("/") or "/"
        self._layout = layout
        self._trash = trash
        self._host = host

    def scan(self, cursor: str, known: Known) -> Iterator[Scan]:
        """One page with what differs from `known()`. Nothing is written; there is no cursor, as a tree is small.

        A folder that the state knows keeps its key. One that became a symbolic link is still there. Raises `DiskError` when a
        directory cannot be read, as then nobody knows what is in it.
        """
        before = known()
        found = first = self._found(before)
        if not before.keys() <= found.keys():
            # readdir may miss a directory that is renamed meanwhile: what is gone must be gone twice.
            found = self._found(before)
        known_keys = {id_: entry.key for id_, entry in before.items()}
        fresh = [self._entry(id_, key) for id_, key in names.new_keys(found, known_keys, self._directory)]
        fresh += [
            replace(entry, hints=replace(entry.hints, place=place))
            for id_, entry in before.items()
            if id_ in found and (place := self._place(id_)) != entry.hints.place
        ]
        vanished = tuple(id_ for id_ in before if id_ not in found and id_ not in first and not self._is_folder(id_))
        yield Scan(entries=tuple(fresh), vanished=vanished, last=True)

    def create(self, path: str) -> Entry:
        id_ = self._directory(path)
        with named(path, f"cannot create {self._at(id_)}"):
            make_directories(self._at(id_), _PARTS)
        return self._entry(id_, path)

    def move(self, entry: Entry, path: str) -> Entry:
        """As in `Tree.move`, for this folder alone: those below have moves of their own in every layout and may go elsewhere.

        Raises `Stale` when it is gone, `BadItem` when another folder has the place.
        """
        target = self._directory(path)
        old, new = self._at(entry.id), self._at(target)
        if target != entry.id:
            if not self._is_folder(entry.id):
                if not self._is_folder(target):
                    raise Stale(f"the folder {entry.key} is no longer in {self._root}")
            elif _ROOT in (entry.id, target):
                raise BadItem(f"the Inbox is {self._root} itself in the layout {self._layout}, and cannot be moved")
            elif self._is_folder(target):
                raise BadItem(f"{entry.key} cannot become {path}: there is another folder in {new}", hint="rename one of the two")
            else:
                with named(path, f"cannot rename {old} to {new}"):
                    self._rename(old, new)
        return replace(entry, id=target, key=path, hints=replace(entry.hints, place=self._place(target)))

    def delete(self, entry: Entry) -> None:
        home = self._at(entry.id)
        if entry.id == _ROOT:
            raise BadItem(f"the Inbox is {home} itself in the layout {self._layout}, and is not deleted")
        with named(entry.key, f"cannot remove {home}"):
            self._refuse_if_used(home, entry.key)
            for number, part in enumerate(("new", "tmp", "cur")):
                try:
                    os.rmdir(os.path.join(home, part))
                except FileNotFoundError:
                    continue
                except OSError as error:
                    if error.errno not in (errno.ENOTEMPTY, errno.EEXIST):
                        raise
                    # Delivered between our look and now: give back what was already removed.
                    for removed in ("new", "tmp", "cur")[:number]:
                        make_directory(os.path.join(home, removed))
                    raise BadItem(f"{entry.key} is not empty: {os.path.join(home, part)} has new mail") from error
            self._remove_empty(home)

    def open(self, entry: Entry, collection: int) -> Maildir:
        directory = self._at(entry.id)
        return Maildir(directory, collection=collection, path=entry.key, trash=self._trash, host=self._host, tags=self._tags)

    def _found(self, before: Mapping[str, Entry]) -> dict[str, str]:
        """id → path of every folder below the root."""
        try:
            directories = list(self._walk())
        except OSError as error:
            if isinstance(error, FileNotFoundError) and not os.path.isdir(self._root):
                if before:
                    raise DiskError(f"{self._root} is gone, or not mounted") from error
                return {}
            raise disk_error(error, f"cannot read {error.filename or self._root}") from error
        cut = names.long_names({id_: entry.key for id_, entry in before.items()}, self._layout)
        found = {}
        for directory in directories:
            id_ = directory or _ROOT
            path = before[id_].key if id_ in before else names.path(directory, self._layout, cut)
            if path is not None:
                found[id_] = path
        return found

    def _walk(self) -> Iterator[str]:
        """All directories with a cur/, relative to the root; nested only in the verbatim layout. No links are followed."""
        pending = [""]
        while pending:
            directory = pending.pop()
            top = self._at(directory)
            with os.scandir(top) as found:
                below = {entry.name for entry in found if entry.is_dir(follow_symlinks=False)}
            if "cur" in below and (directory or self._layout == "maildir++"):
                yield directory
            if directory == "" or self._layout == "verbatim":
                hidden = self._layout != "maildir++"
                wanted = (name for name in below - names.RESERVED if name.startswith(".") != hidden)
                pending += [f"{directory}/{name}" if directory else name for name in wanted]

    def _rename(self, old: str, new: str) -> None:
        """Give the folder in `old` the place `new`, which is no folder; folders below it stay, and may be below others then.

        Whole where that takes nothing else along; else what is the folder's own: its three directories, cur/ last, and the
        files and hidden directories of mail readers.
        """
        make_directory(os.path.dirname(new))
        if not (os.path.lexists(new) or new.startswith(f"{old}/") or self._may_be_parent(old)):
            os.rename(old, new)
            sync_directories({os.path.dirname(old), os.path.dirname(new)})
        else:
            make_directory(new)
            with os.scandir(old) as found:
                own = [entry.name for entry in found if entry.name.startswith(".") or not entry.is_dir(follow_symlinks=False)]
            for name in [name for name in own if not os.path.lexists(os.path.join(new, name))] + list(_PARTS):
                with contextlib.suppress(FileNotFoundError):
                    os.rename(os.path.join(old, name), os.path.join(new, name))
            sync_directories((old, new))
        self._remove_empty(old)

    def _may_be_parent(self, home: str) -> bool:
        with os.scandir(home) as found:
            below = {entry.name for entry in found if entry.is_dir(follow_symlinks=False) and not entry.name.startswith(".")}
        return self._layout == "verbatim" and bool(below - names.RESERVED)

    def _remove_empty(self, home: str) -> None:
        """Remove a directory that is no folder (any more) and those above it, as long as nothing is in them."""
        while home.startswith(f"{self._root}/"):
            try:
                os.rmdir(home)
            except FileNotFoundError:
                pass
            except OSError as error:
                if error.errno in (errno.ENOTEMPTY, errno.EEXIST, errno.EBUSY, errno.ENOTDIR):
                    break
                raise
            home = os.path.dirname(home)
        sync_directory(home)

    def _refuse_if_used(self, home: str, path: str) -> None:
        """Raise `BadItem` when a file is left in one of the three; abandoned ones in tmp/ do not count, and go."""
        for part in _PARTS:
            with contextlib.suppress(FileNotFoundError):
                for name in os.listdir(os.path.join(home, part)):
                    file = os.path.join(home, part, name)
                    if part != "tmp" or os.lstat(file).st_ctime > time.time() - TMP_AGE:
                        raise BadItem(f"{path} is not empty: {file}", hint="move or delete what is in it, then run again")
                    os.unlink(file)

    def _directory(self, path: str) -> str:
        return names.directory(path, self._layout) or _ROOT

    def _at(self, id_: str) -> str:
        return self._root if id_ in ("", _ROOT) else f"{self._root}/{id_}"

    def _is_folder(self, id_: str) -> bool:
        return os.path.isdir(f"{self._at(id_)}/cur")

    def _entry(self, id_: str, key: str) -> Entry:
        return Entry(id_, key, hints=Hints(place=self._place(id_)))

    def _place(self, id_: str) -> str:
        # The inode of cur/: it stays when the folder is renamed, whichever way.
        try:
            return str(os.stat(f"{self._at(id_)}/cur").st_ino)
        except OSError:  # gone just now: the next scan says so
            return ""
