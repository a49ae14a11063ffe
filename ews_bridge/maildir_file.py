"""One file of a Maildir against what an entry says of it: is it still the same, what is in it, and how it is written anew.

Must never: give out content that was edited while it was read, or overwrite a file that is not as it was when it was opened.
"""

from __future__ import annotations

import contextlib
import os
import stat
import time
from collections.abc import Iterator

from ews_bridge.disk import removed_on_failure
from ews_bridge.disk import write_new
from ews_bridge.errors import BadItem
from ews_bridge.errors import Stale
from ews_bridge.maildir_index import flags_of
from ews_bridge.maildir_index import revision_of
from ews_bridge.maildir_index import split
from ews_bridge.maildir_tags import looked
from ews_bridge.model import Content
from ews_bridge.model import Entry
from ews_bridge.model import Flag
from ews_bridge.store import Failed

_CHUNK = 1 << 20


def opened(path: str, entry: Entry) -> int | Failed:
    """A descriptor to read from, if this is what the entry says. Raises FileNotFoundError."""
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    except OSError as error:
        if isinstance(error, FileNotFoundError) and not os.path.lexists(path):
            raise
        return BadItem(f"{path} cannot be read: {error.strerror}", hint="check the file and its permissions")
    info = os.fstat(descriptor)
    if stat.S_ISREG(info.st_mode) and current(entry, info):
        return descriptor
    os.close(descriptor)
    return edited(entry)


def content(descriptor: int, entry: Entry) -> Content:
    """What can be read from an open file; to be read while it is open."""
    info = os.fstat(descriptor)
    return Content(lambda: _pieces(descriptor, info, name_of(entry)), info.st_mtime)


def renew(path: str, descriptor: int, entry: Entry, new: Content, *, staged: str) -> None:
    """Put a file with this content into the place of the open one, with its mode and times; `staged`: a name in tmp/.

    Raises Stale when that was edited or renamed meanwhile.
    """
    info = os.fstat(descriptor)
    write_new(staged, new.pieces(), modified=new.modified)
    with removed_on_failure(staged):
        os.chmod(staged, stat.S_IMODE(info.st_mode))
        os.utime(staged, ns=(info.st_atime_ns, info.st_mtime_ns))
        if looked(os.stat(path)) != looked(info):
            raise edited(entry)
        os.rename(staged, path)


def current(entry: Entry, info: os.stat_result) -> bool:
    """Whether a file is as it was listed."""
    return entry.revision in ("", revision_of(info, frozenset({Flag.DRAFT})))


def wished(file: str) -> bool:
    """Whether its reader marked it to be deleted."""
    return Flag.TRASHED in flags_of(split(os.path.basename(file)).letters)


def edited(entry: Entry) -> Stale:
    return Stale(f"{name_of(entry)} was edited or replaced since it was listed")


def name_of(entry: Entry) -> str:
    """As people are told."""
    return entry.hints.label or entry.key or entry.id


def remove_abandoned(directory: str, age: float) -> None:
    """Remove files older than `age` seconds. That is told by the ctime, as ours carry the mtime of their message."""
    for name in os.listdir(directory):
        path = os.path.join(directory, name)
        with contextlib.suppress(FileNotFoundError, IsADirectoryError):
            if os.lstat(path).st_ctime < time.time() - age:
                os.unlink(path)


def _pieces(descriptor: int, before: os.stat_result, name: str) -> Iterator[bytes]:
    try:
        while piece := os.read(descriptor, _CHUNK):
            yield piece
        after = os.fstat(descriptor)
    except OSError as error:
        raise BadItem(f"{name} cannot be read: {error.strerror}") from error
    if (after.st_mtime_ns, after.st_size) != (before.st_mtime_ns, before.st_size):
        raise Stale(f"{name} was edited while it was read")
