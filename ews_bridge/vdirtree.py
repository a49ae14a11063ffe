"""Tree over the collections of one root of vdirs (calendars, address books, lists of tasks).

Every folder is one directory right below the root, whatever it is nested in on the server ("Calendar/Team" is `Calendar.Team`:
the flat layout of `names.py`): programs that look for collections with `*` find each, and none takes one for a mere parent. A
directory is a folder when the state knows it, or when there is an item or one of the vdir's own files in it; so a stray empty
directory makes nothing on the server. `displayname` says what the folder is called; one that somebody changed is left as it is,
as is `color`.

Must never: follow a symbolic link to find folders, remove a directory with anything in it that is not the vdir's own, put a
folder over another.
"""

import contextlib
import os
from collections.abc import Iterator
from collections.abc import Mapping
from dataclasses import replace

from ews_bridge import names
from ews_bridge.disk import disk_error
from ews_bridge.disk import make_directory
from ews_bridge.disk import named
from ews_bridge.disk import sync_directories
from ews_bridge.disk import sync_directory
from ews_bridge.disk import write_whole
from ews_bridge.errors import BadItem
from ews_bridge.errors import DiskError
from ews_bridge.errors import Stale
from ews_bridge.model import Entry
from ews_bridge.model import Hints
from ews_bridge.model import Known
from ews_bridge.model import Scan
from ews_bridge.trash import Trash
from ews_bridge.vdir import Read
from ews_bridge.vdir import Vdir

LAYOUT: names.Layout = "flat"

_NAME_FILE = "displayname"
#: What a vdir says of itself (vdirsyncer's documentation, "the vdir storage format").
_OWN = frozenset({_NAME_FILE, "color", "description", "order"})


class VdirTree:
    """The folders below `root`. `suffix`, `read` and `trash` are for the directories that it opens."""

    def __init__(self, root: str, *, suffix: str, read: Read, trash: Trash) -> None:
        self._root = root.rstrip("/") or "/"
        self._suffix = suffix
        self._read = read
        self._trash = trash

    def scan(self, cursor: str, known: Known) -> Iterator[Scan]:
        """One page with what differs from `known()`. Nothing is written; there is no cursor, as a tree is small.

        A folder that the state knows keeps its key. Raises `DiskError` when the root or a directory cannot be read.
        """
        before = known()
        found = self._found(before)
        known_keys = {id_: entry.key for id_, entry in before.items()}
        fresh = [
            self._entry(id_, key) for id_, key in names.new_keys(found, known_keys, lambda path: names.directory(path, LAYOUT))
        ]
        fresh += [
            replace(entry, hints=replace(entry.hints, place=place))
            for id_, entry in before.items()
            if id_ in found and (place := self._place(id_)) != entry.hints.place
        ]
        vanished = tuple(id_ for id_ in before if id_ not in found and not os.path.isdir(self._at(id_)))
        yield Scan(entries=tuple(fresh), vanished=vanished, last=True)

    def create(self, path: str) -> Entry:
        id_ = names.directory(path, LAYOUT)
        home = self._at(id_)
        with named(path, f"cannot create {home}"):
            make_directory(home)
            if not os.path.lexists(os.path.join(home, _NAME_FILE)):
                write_whole(os.path.join(home, _NAME_FILE), _title(path))
        return self._entry(id_, path)

    def move(self, entry: Entry, path: str) -> Entry:
        """As in `Tree.move`, for this folder alone: those below have moves of their own.

        Raises `Stale` when it is gone, `BadItem` when another directory has the place.
        """
        target = names.directory(path, LAYOUT)
        old, new = self._at(entry.id), self._at(target)
        if target != entry.id:
            if not os.path.isdir(old):
                if not os.path.isdir(new):
                    raise Stale(f"the folder {entry.key} is no longer in {self._root}")
            elif os.path.lexists(new):
                raise BadItem(f"{entry.key} cannot become {path}: {new} is there already", hint="rename one of the two")
            else:
                with named(path, f"cannot rename {old} to {new}"):
                    os.rename(old, new)
                    sync_directory(self._root)
        with named(path, f"cannot write in {new}"), contextlib.suppress(FileNotFoundError):
            with open(os.path.join(new, _NAME_FILE), "rb") as file:
                said = file.read()
            if said == _title(entry.key) != _title(path):
                write_whole(os.path.join(new, _NAME_FILE), _title(path))
        return replace(entry, id=target, key=path, hints=replace(entry.hints, place=self._place(target)))

    def delete(self, entry: Entry) -> None:
        home = self._at(entry.id)
        with named(entry.key, f"cannot remove {home}"), contextlib.suppress(FileNotFoundError):
            others = sorted(set(os.listdir(home)) - _OWN)
            if others:
                raise BadItem(
                    f"{entry.key} is not empty: {os.path.join(home, others[0])}",
                    hint="move or delete what is in it, then run again",
                )
            for name in _OWN:
                with contextlib.suppress(FileNotFoundError):
                    os.unlink(os.path.join(home, name))
            os.rmdir(home)
            sync_directories([self._root])

    def open(self, entry: Entry, collection: int) -> Vdir:
        home = self._at(entry.id)
        return Vdir(home, collection=collection, path=entry.key, suffix=self._suffix, read=self._read, trash=self._trash)

    def _found(self, before: Mapping[str, Entry]) -> dict[str, str]:
        """id → path of every folder below the root."""
        try:
            with os.scandir(self._root) as there:
                directories = [e.name for e in there if not e.name.startswith(".") and e.is_dir(follow_symlinks=False)]
            known = [each for each in directories if each in before or self._is_collection(each)]
        except OSError as error:
            if isinstance(error, FileNotFoundError) and not os.path.isdir(self._root):
                if before:
                    raise DiskError(f"{self._root} is gone, or not mounted") from error
                return {}
            raise disk_error(error, f"cannot read {error.filename or self._root}") from error
        cut = names.long_names({id_: entry.key for id_, entry in before.items()}, LAYOUT)
        found = {}
        for id_ in known:
            path = before[id_].key if id_ in before else names.path(id_, LAYOUT, cut)
            if path is not None:
                found[id_] = path
        return found

    def _is_collection(self, id_: str) -> bool:
        with contextlib.suppress(FileNotFoundError), os.scandir(self._at(id_)) as there:
            return any(e.name in _OWN or (e.name.endswith(self._suffix) and not e.name.startswith(".")) for e in there)
        return False

    def _at(self, id_: str) -> str:
        return f"{self._root}/{id_}"

    def _entry(self, id_: str, key: str) -> Entry:
        return Entry(id_, key, hints=Hints(place=self._place(id_)))

    def _place(self, id_: str) -> str:
        try:
            return str(os.stat(self._at(id_)).st_ino)
        except OSError:  # gone just now: the next scan says so
            return ""


def _title(path: str) -> bytes:
    """What a folder is called, for people: the server's names, those of the folders around it first."""
    return "/".join(map(names.unescape, path.split("/"))).encode("utf-8", "replace")
