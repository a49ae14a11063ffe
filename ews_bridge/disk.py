"""What makes a write durable: the few operations that the local stores share.

Order is everything here: the file is synced, then renamed, then its directory is synced; only then may a link claim it.
Nothing here ever overwrites a file that it did not write itself.
"""

import contextlib
import errno
import os
import time
from collections.abc import Iterable
from collections.abc import Iterator
from typing import TypeVar

from ews_bridge.errors import BadItem
from ews_bridge.errors import CannotCreate
from ews_bridge.errors import DiskError
from ews_bridge.errors import EwsBridgeError

_BATCH = 100  # results that share one sync of the directories

_Result = TypeVar("_Result")

_HINTS = {
    errno.ENOSPC: "free some space, then run again: it goes on where it stopped",
    errno.EDQUOT: "your quota is used up: free some space, then run again",
    errno.EROFS: "the file system is mounted read-only",
    errno.EACCES: "check owner and permissions",
    errno.EPERM: "check owner and permissions",
    errno.EIO: "the disk reports errors: check it before anything else (dmesg, smartctl)",
}

# What the place or the name of one folder is to blame for; all else concerns the disk.
_ITS_OWN = {
    errno.ENAMETOOLONG,
    errno.ENOTDIR,
    errno.ENOTEMPTY,
    errno.EEXIST,
    errno.EINVAL,
    errno.EXDEV,
    errno.ELOOP,
    errno.EBUSY,
}


def disk_error(error: OSError, doing: str) -> DiskError:
    """Our error for one of the system's, to be raised `from` it. `doing`: what failed, as in "cannot write /home/a/Mail"."""
    kind = CannotCreate if doing.startswith("cannot create") else DiskError
    reason = error.strerror or str(error)
    return kind(f"{doing}: {reason}", hint=_HINTS.get(error.errno or 0, ""))


@contextlib.contextmanager
def named(path: str, doing: str) -> Iterator[None]:
    """Errors of the system as ours, about the one folder or about the disk."""
    try:
        yield
    except OSError as error:
        ours = disk_error(error, doing)
        if error.errno in _ITS_OWN:
            raise BadItem(f"{path}: {ours}") from error
        raise ours from error


def sync_directory(path: str) -> None:
    """Make the names in a directory durable."""
    descriptor = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    except OSError as error:
        # Some network and FUSE file systems cannot sync a directory, and have nothing to sync.
        if error.errno not in (errno.EINVAL, errno.ENOTSUP):
            raise
    finally:
        os.close(descriptor)


def sync_directories(paths: Iterable[str]) -> None:
    """`sync_directory` for each, in a stable order."""
    for path in sorted(paths):
        sync_directory(path)


def make_directory(path: str) -> None:
    """Make a directory (0700) and its missing parents, durably. Already there: nothing is done."""
    make_directories(os.path.dirname(path) or ".", (os.path.basename(path),))


def make_directories(home: str, names: Iterable[str]) -> None:
    """`make_directory` for each of these in `home`, which is synced once for all."""
    missing = [path for name in names if not os.path.isdir(path := os.path.join(home, name))]
    if not missing:
        return
    make_directory(home)
    for path in missing:
        try:
            os.mkdir(path, 0o700)
        except FileExistsError:
            if not os.path.isdir(path):  # else another thread was quicker
                raise
    sync_directory(home)


def relocate(source: str, target: str, *, staging: str) -> None:
    """Rename `source` to `target`, which must not exist; across file systems copy it, durably, and then remove it.

    The caller syncs both directories. `staging` is where a copy is written before it gets its name: a path on the file system of
    `target`. Raises FileExistsError, FileNotFoundError and other OSErrors as they come.
    """
    if os.path.lexists(target):
        raise FileExistsError(errno.EEXIST, os.strerror(errno.EEXIST), target)
    try:
        os.rename(source, target)
        return
    except OSError as error:
        if error.errno != errno.EXDEV:
            raise
    import shutil  # rare, and slow to load for a program that mutt waits for

    try:
        with open(source, "rb") as old, open(os.open(staging, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as new:
            shutil.copyfileobj(old, new, 1 << 20)
            new.flush()
            info = os.fstat(old.fileno())
            os.utime(new.fileno(), ns=(info.st_atime_ns, info.st_mtime_ns))
            os.fsync(new.fileno())
        os.rename(staging, target)
    finally:
        with contextlib.suppress(FileNotFoundError):
            os.unlink(staging)
    sync_directory(os.path.dirname(target))
    os.unlink(source)


def write_whole(path: str, data: bytes) -> None:
    """Replace a small file of ours, so that after a crash it is the old one or the new one."""
    staging = f"{path}.tmp"
    with open(os.open(staging, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600), "wb") as file:
        file.write(data)
        file.flush()
        os.fsync(file.fileno())
    os.rename(staging, path)
    sync_directory(os.path.dirname(path))


def write_new(path: str, pieces: Iterable[bytes], *, modified: float = 0) -> os.stat_result:
    """Write a file of a name that is ours alone, durably, to be renamed; when that fails, nothing is left of it.

    One of that name was left by a run that was cut off, and is replaced. `modified`: the time that the file carries, in whole
    seconds, for a file system that keeps no more would change it when it is mounted again; 0: now. Raises `BadItem` for what is
    too large for the file system, other OSErrors as they come.

    Plain system calls, and no more of them than it takes: each lets another thread run, and this one wait for its turn.
    """
    with removed_on_failure(path):
        descriptor = _new_file(path)
        try:
            for piece in pieces:
                rest = memoryview(piece)
                while rest:
                    rest = rest[os.write(descriptor, rest) :]
            if modified:
                os.utime(descriptor, (time.time(), int(modified)))
            os.fsync(descriptor)
            return os.fstat(descriptor)
        except OSError as error:
            if error.errno == errno.EFBIG:
                raise BadItem(f"{os.path.basename(path)} is too large for the file system of {os.path.dirname(path)}") from error
            raise
        finally:
            os.close(descriptor)


def _new_file(path: str) -> int:
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC
    try:
        return os.open(path, flags, 0o600)
    except FileExistsError:
        os.unlink(path)
        return os.open(path, flags, 0o600)


@contextlib.contextmanager
def removed_on_failure(path: str) -> Iterator[None]:
    """What stands at `path` goes when the block raises."""
    try:
        yield
    except BaseException:
        with contextlib.suppress(FileNotFoundError):
            os.unlink(path)
        raise


def durably(results: Iterator[_Result], touched: set[str]) -> Iterator[_Result]:
    """Give results out only when the directories in `touched`, which grows with them, are synced: once for many.

    A failure comes after what was done before it.
    """
    failure: EwsBridgeError | None = None
    more = True
    while more:
        done = []
        more = False
        try:
            for result in results:
                done.append(result)
                if len(done) == _BATCH:
                    more = True
                    break
        except EwsBridgeError as error:
            failure = error
        try:
            sync_directories(touched)
        except OSError as error:
            raise disk_error(error, f"cannot write {', '.join(sorted(touched))}") from error
        touched.clear()
        yield from done
    if failure is not None:
        raise failure
