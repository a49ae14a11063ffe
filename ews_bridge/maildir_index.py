"""Which file of a Maildir is which message: names taken apart, the listing, and a look at one file.

The id of a message is its name before ":2," (";2," and "!2," are read, too), so it outlives every change of flags. When two files
share it (a copy by hand), the second one's id is "BASE/INODE"; a name that is not UTF-8 gets "/HEX": no file name has a "/".
"""

import errno
import json
import os
import re
import stat
import threading
import time
from collections.abc import Iterator
from collections.abc import Mapping
from dataclasses import replace
from functools import lru_cache
from typing import NamedTuple

from ews_bridge.disk import disk_error
from ews_bridge.headers import parse_head
from ews_bridge.headers import read_head
from ews_bridge.maildir_tags import InDatabase
from ews_bridge.maildir_tags import InHead
from ews_bridge.maildir_tags import Keeper
from ews_bridge.maildir_tags import looked
from ews_bridge.model import Entry
from ews_bridge.model import Flag
from ews_bridge.model import Flags
from ews_bridge.model import Hints
from ews_bridge.model import Tags

_OURS = re.compile(r"\d+\.([a-z0-9]{20})\.")
_LETTERS = {flag.value: flag for flag in Flag}
_SET = frozenset("DFPRS")  # the letters that we set; all others, T among them, belong to the readers
_UNREADABLE = "unreadable-"
_COARSE = 2 * 10**9  # ns: the coarsest clock of a file system (FAT)


class Name(NamedTuple):
    """A file name taken apart: `base` + `separator` + `letters` is the name again."""

    base: str
    separator: str
    letters: str


def split(name: str) -> Name:
    """The parts of a file name; without a separator there are no letters."""
    for separator in (":2,", ";2,", "!2,"):
        base, found, letters = name.rpartition(separator)
        if base:
            return Name(base, found, letters)
    return Name(name, "", "")


@lru_cache(maxsize=1024)
def flags_of(letters: str) -> Flags:
    """The flags among the letters; others (Dovecot's keywords) are the readers' own."""
    return frozenset(_LETTERS[letter] for letter in letters if letter in _LETTERS)


def lettered(letters: str, flags: Flags) -> str:
    """The letters with those of ours that stand for `flags`; the readers' stay as they are."""
    return "".join(sorted({letter for letter in letters if letter not in _SET} | {flag.value for flag in flags if flag in _SET}))


def token_of(base: str) -> str:
    """Our token in a name that we made, "" in any other."""
    found = _OURS.match(base)
    return found[1] if found else ""


def revision_of(info: os.stat_result, flags: Flags) -> str:
    """Only drafts are edited. Not the ctime: every change of flags is a rename and would look like an edit."""
    return f"{info.st_mtime_ns}-{info.st_size}" if Flag.DRAFT in flags else ""


class Stamp(NamedTuple):
    """What the directories' clocks said (ns), and when (`at`) that was looked up."""

    new: int
    cur: int
    at: int

    def proves(self, now: "Stamp") -> bool:
        """Whether nothing was renamed since. Not when a change could have followed within one tick of a coarse clock."""
        return (self.new, self.cur) == (now.new, now.cur) and self.at - max(self.new, self.cur) > _COARSE


class Index:
    """The files of one Maildir by base name, as of the last listing and our own renames since. Safe for threads."""

    def __init__(self, directory: str) -> None:
        self._directory = directory
        self._lock = threading.Lock()
        self._files: dict[str, tuple[str, ...]] = {}  # base → its files as "cur/NAME": one, rarely more
        self._stamp = Stamp(0, 0, 0)
        self.listings = 0

    def stamp(self) -> Stamp:
        """Take it before a listing: what happens while listing is then seen by the next scan."""
        at = time.time_ns()
        return Stamp(self._mtime("new"), self._mtime("cur"), at)

    def relist(self) -> None:
        """Look at the directories. new/, cur/, new/: a message that moves either way meanwhile is seen at least once."""
        with self._lock:
            self._stamp = self.stamp()
            before, current, after = self._names("new"), self._names("cur"), self._names("new")
            files: dict[str, tuple[str, ...]] = {}
            for part, names in (("cur", current), ("new", after)):
                for name in names:
                    base = name.rpartition(":2,")[0] or split(name).base  # the first is `split` for most, and fast
                    files[base] = (*files[base], f"{part}/{name}") if base in files else (f"{part}/{name}",)
            for name in set(before).difference(after):
                # It left new/ after cur/ was listed. Where it is now turns out when it is needed.
                files.setdefault(split(name).base, (f"new/{name}",))
            for base, found in files.items():
                if len(found) > 1:  # seen twice because it was renamed while we listed, or really two files
                    files[base] = tuple(sorted(file for file in found if os.path.lexists(self.at(file)))) or found[-1:]
            self._files = files
            self.listings += 1

    def ready(self) -> int:
        """The number of the last listing; makes one when there was none."""
        if not self.listings:
            self.relist()
        return self.listings

    def refresh(self) -> None:
        """List again unless the last listing provably still holds."""
        if not self.listings or not self._stamp.proves(self.stamp()):
            self.relist()

    def messages(self, known: Mapping[str, Entry]) -> Iterator[tuple[str, str]]:
        """(id, file) for all files; `known` keeps ids with their files where one base name is used twice."""
        twins = {id_.rpartition("/")[0] for id_ in known if "/" in id_[1:]}
        for base, files in list(self._files.items()):
            name = id_of(base)
            if len(files) == 1 and name not in twins:
                yield name, files[0]
            else:
                yield from self._twins(name, files, known)

    def locate(self, entry: Entry) -> str | None:
        """The file of an entry as far as the last listing knows, e.g. "cur/1700000000.x.host:2,S"."""
        name, _, inode = entry.id.rpartition("/") if "/" in entry.id[1:] else (entry.id, "", "")
        files = self._files.get(_base(name), ())
        if not inode and len(files) < 2:
            return files[0] if files else None
        found = dict(self._inodes(files))
        if not inode and entry.hints.place not in found:
            return found[min(found, key=int)] if found else None
        return found.get(inode or entry.hints.place)

    def tokens(self, token: str) -> Iterator[tuple[str, str]]:
        """(id, file) for the files that carry a token."""
        for base, files in list(self._files.items()):
            if token in base and token_of(base) == token:
                yield from self._twins(id_of(base), files, {})

    def renamed(self, old: str | None, new: str | None) -> None:
        """Take note of a rename of ours; None: it came from, or went, elsewhere."""
        with self._lock:
            if old is not None:
                base = split(old.partition("/")[2]).base
                left = tuple(file for file in self._files.get(base, ()) if file != old)
                if left:
                    self._files[base] = left
                else:
                    self._files.pop(base, None)
            if new is not None:
                base = split(new.partition("/")[2]).base
                self._files[base] = (*self._files.get(base, ()), new)

    def taken(self, base: str) -> bool:
        """Whether a file here has this base name."""
        return base in self._files

    def look(self, id_: str, file: str, known: Entry | None, collection: int, keeper: Keeper | None = None) -> Entry | None:
        """The entry of a file: `known` itself when nothing changed. None when it is no message; FileNotFoundError when gone."""
        flags = flags_of(split(file.partition("/")[2]).letters)
        in_head = keeper if isinstance(keeper, InHead) else None
        if known is not None and not known.revision and Flag.DRAFT not in flags and not in_head:
            return _again(known, flags, keeper)
        path = self.at(file)
        if known is not None and in_head and _unchanged(known, os.stat(path), flags):
            return _again(known, flags, keeper)
        try:
            descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
        except OSError as error:
            return _unreadable(id_, path, flags, collection, error, known)
        try:
            info = os.fstat(descriptor)
            if not stat.S_ISREG(info.st_mode):
                return None
            revision = revision_of(info, flags)
            if known is not None and known.revision == revision and not in_head:
                return _again(known, flags, keeper)
            lines = read_head(descriptor)
            head = parse_head(lines)
        except OSError as error:
            return _unreadable(id_, path, flags, collection, error, known)
        finally:
            os.close(descriptor)
        token = token_of(split(os.path.basename(file)).base)
        hints = Hints(str(info.st_ino), token, info.st_size, head.sent, head.subject, author=head.author)
        tags: Tags = {}
        if in_head:
            hints, tags = replace(hints, looked=looked(info)), in_head.of(lines + b"\n")
        elif isinstance(keeper, InDatabase):
            tags = keeper.of(head.message_id)
        return Entry(id_, head.message_id, revision, flags, collection, hints, tags)

    def at(self, file: str) -> str:
        """The path of a file given as "cur/NAME"."""
        return f"{self._directory}/{file}"

    def _names(self, part: str) -> list[str]:
        try:
            return [name for name in os.listdir(self.at(part)) if not name.startswith(".")]
        except FileNotFoundError as error:
            if part == "new":
                return []
            raise disk_error(error, f"cannot read {self._directory}") from error
        except OSError as error:
            raise disk_error(error, f"cannot read {self._directory}") from error

    def _mtime(self, part: str) -> int:
        try:
            return os.stat(self.at(part)).st_mtime_ns
        except FileNotFoundError:
            return 0
        except OSError as error:
            raise disk_error(error, f"cannot read {self._directory}") from error

    def _twins(self, name: str, files: tuple[str, ...], known: Mapping[str, Entry]) -> Iterator[tuple[str, str]]:
        found = dict(self._inodes(files))
        free = [inode for inode in sorted(found, key=int) if f"{name}/{inode}" not in known]
        place = known[name].hints.place if name in known else ""
        first = place if place in found else next(iter(free), "")
        for inode, file in found.items():
            yield name if inode == first else f"{name}/{inode}", file

    def _inodes(self, files: tuple[str, ...]) -> Iterator[tuple[str, str]]:
        for file in files:
            try:
                yield str(os.lstat(self.at(file)).st_ino), file
            except FileNotFoundError:
                continue


def _again(known: Entry, flags: Flags, keeper: Keeper | None) -> Entry:
    """A message that is as we know it, but for flags, and tags kept elsewhere; `known` itself if these are the same."""
    match keeper:
        case None:
            tags: Tags = {}
        case InDatabase():
            tags = keeper.of(known.key)
        case InHead():
            tags = known.tags
    if known.flags == flags and known.tags == tags:
        return known
    return replace(known, flags=flags, tags=tags)


def _unchanged(known: Entry, info: os.stat_result, flags: Flags) -> bool:
    return known.hints.looked == looked(info) and bool(known.tags) and known.revision == revision_of(info, flags)


def _unreadable(id_: str, path: str, flags: Flags, collection: int, error: OSError, known: Entry | None) -> Entry | None:
    """It is listed, so that it is not taken for deleted; reading it gives the reason. Looked at again in every scan."""
    info = os.lstat(path)
    if error.errno in (errno.EMFILE, errno.ENFILE, errno.ENOMEM):
        raise disk_error(error, f"cannot read {path}") from error
    if not (stat.S_ISREG(info.st_mode) or stat.S_ISLNK(info.st_mode)):
        return None
    name = os.path.basename(path)
    hints = Hints(place=str(info.st_ino), token=token_of(split(name).base), label=id_of(name))
    entry = Entry(id_, "", f"{_UNREADABLE}{info.st_ctime_ns}", flags, collection, hints)
    return known if known == entry else entry


def id_of(base: str) -> str:
    """The id that a base name gives."""
    if base.isascii():
        return base
    try:
        base.encode()
    except UnicodeEncodeError:  # bytes that are not UTF-8: no database or terminal takes them
        return "/" + os.fsencode(base).hex()
    return base


def _base(name: str) -> str:
    return os.fsdecode(bytes.fromhex(name[1:])) if name.startswith("/") else name


def proven(cursor: str, now: Stamp, tagged: str) -> bool:
    """Whether a cursor says that nothing can have changed: neither the directories, nor the database of tags at `tagged`."""
    try:
        *stamp, revision = json.loads(cursor)
        return revision == tagged and Stamp(*stamp).proves(now)
    except (ValueError, TypeError):
        return False
