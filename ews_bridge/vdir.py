"""Store over one directory of a vdir: one .ics or .vcf file an item, as khal, khard, todoman and vdirsyncer keep them.

    <UID>.ics       what we create, where the UID may be a file's name; else a digest of it. Any other name is as good.

An entry's id is the file's name, its key the UID, its revision the digest of what it says (`model.Said`): a file that was
touched, sorted or folded anew is no change. A file is parsed only when it is not as it was when it was last looked at
(inode, change time, size: `hints.place`). What cannot be understood has no key and a revision of its bytes; whoever takes it
says why, and it stays where it is. What begins with a dot, or has another ending (editors' and programs' temporary files), is
no item.

A creation carries no token: a file made by a run that was cut off is known by its UID, and by saying what the server says.
Must never: overwrite a file that it was not told of, show one that is not whole and durable, follow a UID out of the directory.
"""

import contextlib
import hashlib
import os
import re
import secrets
import stat
import threading
import time
from collections.abc import Callable
from collections.abc import Iterable
from collections.abc import Iterator
from collections.abc import Sequence
from dataclasses import replace
from functools import partial

from ews_bridge.disk import disk_error
from ews_bridge.disk import durably
from ews_bridge.disk import make_directory
from ews_bridge.disk import relocate
from ews_bridge.disk import removed_on_failure
from ews_bridge.disk import write_new
from ews_bridge.errors import BadItem
from ews_bridge.errors import Stale
from ews_bridge.model import Content
from ews_bridge.model import Entry
from ews_bridge.model import Flags
from ews_bridge.model import Hints
from ews_bridge.model import Known
from ews_bridge.model import New
from ews_bridge.model import Said
from ews_bridge.model import Scan
from ews_bridge.model import Tags
from ews_bridge.store import Failed
from ews_bridge.store import Store
from ews_bridge.trash import Trash

#: Says what a file says; `BadItem` when it is none of its kind.
Read = Callable[[bytes], Said]

#: A file larger than this is no event, contact or task of anybody's.
SIZE_MAX = 64 << 20

_PAGE = 1000
_FRESH_NS = 2_000_000_000  # a file changed so recently may change again without another change time
_ABANDONED = 36 * 3600  # the age in seconds of a temporary file of a run that was cut off
_NAME = re.compile(r"[A-Za-z0-9_+@-][A-Za-z0-9_.+@-]{0,199}")  # as khal and vdirsyncer have it
_TEMPORARY = re.compile(r"\.ews-[0-9a-f]{20}\.tmp")

_Argument = Content | None


class Vdir:
    """The items in `directory` with this ending. `path` is the folder's path, for the trash."""

    def __init__(self, directory: str, *, collection: int, path: str, suffix: str, read: Read, trash: Trash) -> None:
        self.directory = directory
        self._collection = collection
        self._path = path
        self._suffix = suffix
        self._said = read
        self._trash = trash
        self._lock = threading.Lock()
        self._prepared = False

    @property
    def collection(self) -> int:
        return self._collection

    # ---- listing and reading

    def scan(self, cursor: str, known: Known) -> Iterator[Scan]:
        """What differs from `known()`; there is no cursor: all files are looked at, and those that changed are read."""
        before = known()
        fresh: list[Entry] = []
        present: set[str] = set()
        # The second look is for what seems gone: readdir may miss a file that is renamed within its directory meanwhile.
        for _ in range(2):
            for name in self._names():
                if name in present:
                    continue
                was = before.get(name)
                try:
                    entry = self._look(name, was)
                except FileNotFoundError:
                    continue
                except OSError as error:  # whoever takes it is told why
                    key = was.key if was else ""
                    entry = Entry(name, key, f"?{error.errno}", frozenset(), self._collection, Hints(label=name))
                present.add(name)
                if entry != was:
                    fresh.append(entry)
                if len(fresh) == _PAGE:
                    yield Scan(entries=tuple(fresh))
                    fresh = []
            if before.keys() <= present:
                break
        yield Scan(entries=tuple(fresh), vanished=tuple(name for name in before if name not in present), last=True)

    def _names(self) -> list[str]:
        try:
            with os.scandir(self.directory) as found:
                return sorted(e.name for e in found if self._is_name(e.name) and e.is_file(follow_symlinks=True))
        except FileNotFoundError:
            return []
        except OSError as error:
            raise disk_error(error, f"cannot read {self.directory}") from error

    def _is_name(self, name: str) -> bool:
        return name.endswith(self._suffix) and not name.startswith(".")

    def _look(self, name: str, was: Entry | None) -> Entry:
        """The file as it is. Raises FileNotFoundError when it is gone."""
        if was is not None and was.hints.place == _place(os.stat(self._at(name))):
            return was
        data, info = self._bytes(name)
        # A second change within the clock's tick would leave the same traces: such a file is read once more next time.
        place = "" if time.time_ns() - info.st_ctime_ns < _FRESH_NS else _place(info)
        return self._entry(name, data, Hints(place, "", info.st_size, 0, name), key=was.key if was else "")

    def _entry(self, name: str, data: bytes, hints: Hints, *, key: str) -> Entry:
        try:
            said = self._said(data)
        except BadItem:
            # It keeps the key that it had: mended, it is the same item.
            return Entry(name, key, f"?{hashlib.sha256(data).hexdigest()}", frozenset(), self._collection, hints)
        label = said.label or name
        return Entry(name, said.uid, said.revision, frozenset(), self._collection, replace(hints, label=label))

    def _bytes(self, name: str) -> tuple[bytes, os.stat_result]:
        """Content and state of a file, which belong together."""
        with open(os.open(self._at(name), os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC), "rb") as file:
            for _ in range(3):
                info = os.fstat(file.fileno())
                if not stat.S_ISREG(info.st_mode) or info.st_size > SIZE_MAX:
                    return b"", info
                file.seek(0)
                data = file.read()
                if _place(os.fstat(file.fileno())) == _place(info):
                    break
        return data, info

    def _current(self, entry: Entry) -> tuple[bytes | None, os.stat_result]:
        """The file, when it still says what the entry says: its content, None where it was not read as it looks untouched.

        Raises FileNotFoundError, `Stale`.
        """
        info = os.stat(self._at(entry.id))
        if entry.hints.place and entry.hints.place == _place(info):
            return None, info
        data, info = self._bytes(entry.id)
        if entry.revision not in ("", self._entry(entry.id, data, Hints(), key="").revision):
            raise Stale(f"{_name(entry)} was edited since it was listed")
        return data, info

    def read(self, entries: Sequence[Entry]) -> Iterator[tuple[Entry, Content | Failed]]:
        for entry in entries:
            yield entry, self._content(entry)

    def _content(self, entry: Entry) -> Content | Failed:
        try:
            data, _ = self._current(entry)
            if data is None:
                data, info = self._bytes(entry.id)
                if _place(info) != entry.hints.place:
                    return Stale(f"{_name(entry)} was edited since it was listed")
        except FileNotFoundError:
            return _gone(entry, self._path)
        except Stale as stale:
            return stale
        except OSError as error:
            return BadItem(f"{self._at(entry.id)} cannot be read: {error.strerror}", hint="check the file and its permissions")
        return Content(lambda: iter((data,)))

    # ---- writing

    def find(self, token: str) -> Entry | None:
        """Nothing carries a token here: see above."""
        return None

    def create(self, items: Iterable[tuple[Entry, New]]) -> Iterator[tuple[Entry, Entry | Failed]]:
        self._prepare()
        touched: set[str] = set()
        return durably(((source, self._create(source, new, touched)) for source, new in items), touched)

    def update(self, items: Iterable[tuple[Entry, Content]]) -> Iterator[tuple[Entry, Entry | Failed]]:
        self._prepare()
        touched: set[str] = set()
        results = ((entry, self._on_file(entry, partial(self._update, entry, content, touched))) for entry, content in items)
        return durably(results, touched)

    def mark(self, items: Sequence[tuple[Entry, Flags]]) -> Iterator[tuple[Entry, Entry | Failed]]:
        """There are no flags here: each stays as it is."""
        for entry, _ in items:
            yield entry, entry

    def tag(self, items: Sequence[tuple[Entry, Tags]]) -> Iterator[tuple[Entry, Entry | Failed]]:
        """Categories are content here, and no place of tags: each stays as it is."""
        for entry, _ in items:
            yield entry, entry

    def move(self, entries: Sequence[Entry], into: Store) -> Iterator[tuple[Entry, Entry | Failed]]:
        if not isinstance(into, Vdir):
            raise TypeError(f"a file cannot be moved into a {type(into).__name__}")
        into._prepare()
        touched: set[str] = set()
        results = ((entry, self._on_file(entry, partial(self._move, entry, into, touched))) for entry in entries)
        return durably(results, touched)

    def copy(self, entries: Sequence[Entry], into: Store) -> Iterator[tuple[Entry, Entry | Failed]]:
        unread: list[tuple[Entry, Failed]] = []

        def copies() -> Iterator[tuple[Entry, New]]:
            for entry, content in self.read(entries):
                if isinstance(content, Content):
                    yield entry, New(content, "", entry.key, frozenset())
                else:
                    unread.append((entry, content))

        yield from into.create(copies())
        yield from unread

    def delete(self, entries: Sequence[Entry]) -> Iterator[tuple[Entry, Entry | Failed]]:
        touched: set[str] = set()
        results = ((entry, self._on_file(entry, partial(self._delete, entry, touched))) for entry in entries)
        for entry, result in durably(results, touched):
            yield entry, entry if isinstance(result, _Gone) else result

    def _on_file(self, entry: Entry, act: Callable[[], Entry]) -> Entry | Failed:
        try:
            return act()
        except FileNotFoundError:
            return _gone(entry, self._path)
        except (Stale, BadItem) as error:
            return error
        except OSError as error:
            raise disk_error(error, f"cannot write {self.directory}") from error

    def _create(self, source: Entry, new: New, touched: set[str]) -> Entry | Failed:
        try:
            data = b"".join(new.content.pieces())
            staged = self._at(_temporary())
            write_new(staged, [data])
            with removed_on_failure(staged):
                for name in _names_for(new.key, self._suffix):
                    with contextlib.suppress(FileExistsError):
                        relocate(staged, self._at(name), staging=f"{staged}.copy")
                        break
                info = os.stat(self._at(name))
        except (Stale, BadItem) as error:
            return error
        except OSError as error:
            raise disk_error(error, f"cannot create a file in {self.directory}") from error
        touched.add(self.directory)
        return self._entry(name, data, Hints(_place(info), "", len(data), source.hints.sent, name), key=new.key)

    def _update(self, entry: Entry, content: Content, touched: set[str]) -> Entry:
        data = b"".join(content.pieces())
        self._current(entry)
        staged = self._at(_temporary())
        write_new(staged, [data])
        with removed_on_failure(staged):
            # Once more, as writing takes its time.
            _, before = self._current(entry)
            os.chmod(staged, stat.S_IMODE(before.st_mode))
            os.rename(staged, self._at(entry.id))
            info = os.stat(self._at(entry.id))
        touched.add(self.directory)
        return self._entry(entry.id, data, Hints(_place(info), "", len(data), entry.hints.sent, entry.id), key=entry.key)

    def _move(self, entry: Entry, into: "Vdir", touched: set[str]) -> Entry:
        self._current(entry)
        for name in _unused(entry.id):
            with contextlib.suppress(FileExistsError):
                relocate(self._at(entry.id), into._at(name), staging=into._at(_temporary()))
                break
        touched.update((self.directory, into.directory))
        hints = replace(entry.hints, place=_place(os.stat(into._at(name))))
        return replace(entry, id=name, collection=into.collection, hints=hints)

    def _delete(self, entry: Entry, touched: set[str]) -> Entry:
        self._current(entry)
        kept = self._trash.place(self._at(entry.id), self._path, entry.id)
        touched.update((self.directory, os.path.dirname(kept)))
        return entry

    def _prepare(self) -> None:
        """Before the first write: make the directory, and remove temporary files of ours that a run left long ago."""
        with self._lock:
            if self._prepared:
                return
            try:
                make_directory(self.directory)
                for name in filter(_TEMPORARY.match, os.listdir(self.directory)):
                    with contextlib.suppress(FileNotFoundError):
                        if os.lstat(self._at(name)).st_ctime < time.time() - _ABANDONED:
                            os.unlink(self._at(name))
            except OSError as error:
                raise disk_error(error, f"cannot create {self.directory}") from error
            self._prepared = True

    def _at(self, name: str) -> str:
        return os.path.join(self.directory, name)


class _Gone(Stale):
    """The file is no longer there."""


def _names_for(uid: str, suffix: str) -> Iterator[str]:
    """File names for a UID that somebody else chose, the best first."""
    stem = uid if _NAME.fullmatch(uid) else hashlib.sha256(uid.encode("utf-8", "surrogatepass")).hexdigest()[:40]
    return _unused(stem + suffix)


def _unused(name: str) -> Iterator[str]:
    """The name, then the name with a number before its ending."""
    yield name
    stem, ending = os.path.splitext(name)
    number = 2
    while True:
        yield f"{stem}~{number}{ending}"
        number += 1


def _temporary() -> str:
    return f".ews-{secrets.token_hex(10)}.tmp"


def _place(info: os.stat_result) -> str:
    """What changes with the file: a rename or a change of mode looks like a change, too, and costs one look more."""
    return f"{info.st_ino}-{info.st_ctime_ns}-{info.st_size}"


def _gone(entry: Entry, path: str) -> _Gone:
    return _Gone(f"{_name(entry)} is no longer in {path}")


def _name(entry: Entry) -> str:
    return entry.hints.label or entry.key or entry.id
