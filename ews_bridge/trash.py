"""What a sync takes away locally: kept as Maildirs that any mail reader opens, listed, put back, and dropped after a while.

    DIRECTORY/RUN/FOLDER/{cur,new,tmp}/FILE      RUN: the run that removed it; FOLDER: its path; FILE: its name, flags and all
    DIRECTORY/RUN/.KIND/FOLDER/FILE              events, contacts and tasks, as they lay in their vdirs

No mail folder's directory begins with a dot (`names.py`): the two cannot meet. Nothing here overwrites a file, and
nothing but `prune` removes one that is nowhere else.
"""

import contextlib
import hashlib
import os
import re
import time
from collections.abc import Callable
from collections.abc import Iterator
from dataclasses import dataclass

from ews_bridge import names
from ews_bridge.disk import disk_error
from ews_bridge.disk import make_directory
from ews_bridge.disk import relocate
from ews_bridge.disk import sync_directory
from ews_bridge.disk import write_whole
from ews_bridge.errors import BadItem
from ews_bridge.headers import parse_head
from ews_bridge.headers import read_head

_DAY = 86400
_SUBDIRECTORIES = ("tmp", "new", "cur")
_MAIL = "mail"
_FOLDER_FILE = ".folder"  # the path, where the directory's name was cut and does not tell it


class Trash:
    """What one run sets aside of one kind ("mail", "tasks") below `directory`. Made on the disk when the first file comes."""

    def __init__(self, directory: str, run_id: str, *, kind: str = _MAIL) -> None:
        self._root = os.path.join(directory, run_id) if kind == _MAIL else os.path.join(directory, run_id, f".{kind}")
        self._kind = kind

    def put(self, file: str, folder: str, name: str) -> str:
        """Bring a file here, durably; its new place. `folder` is its folder's path, `name` its name with flags."""
        target = self.place(file, folder, name)
        try:
            sync_directory(os.path.dirname(target))
            sync_directory(os.path.dirname(file))
        except OSError as error:
            raise disk_error(error, f"cannot write {target}") from error
        return target

    def place(self, file: str, folder: str, name: str) -> str:
        """As `put`, for many at once: the caller syncs the directories of both places before it claims anything.

        Raises FileNotFoundError when the file is gone, `DiskError` when it cannot be kept: then it stays where it was.
        """
        try:
            home = self._folder(folder)
            for unique in _unique_names(name):
                with contextlib.suppress(FileExistsError):
                    mail = self._kind == _MAIL
                    target = os.path.join(home, "cur", unique) if mail else os.path.join(home, unique)
                    relocate(file, target, staging=os.path.join(home, "tmp", unique) if mail else _hidden(target))
                    return target
        except OSError as error:
            if isinstance(error, FileNotFoundError) and not os.path.lexists(file):
                raise
            raise disk_error(error, f"cannot create a file in the trash ({self._root})") from error
        raise AssertionError("there is always another name")

    def _folder(self, folder: str) -> str:
        layout, parts = _form(self._kind)
        relative = names.directory(folder, layout)
        home = os.path.join(self._root, relative)
        if not os.path.isdir(os.path.join(home, parts[-1])):
            for subdirectory in parts:
                make_directory(os.path.join(home, subdirectory))
            if names.path(relative, layout) != folder:
                write_whole(os.path.join(home, _FOLDER_FILE), folder.encode("utf-8", "surrogateescape"))
        return home


def _form(kind: str) -> tuple[names.Layout, tuple[str, ...]]:
    """How the folders of a kind lie in the trash, and the directories that each has."""
    return ("verbatim", _SUBDIRECTORIES) if kind == _MAIL else ("flat", ("",))


@dataclass(frozen=True, slots=True)
class Kept:
    """One file in the trash. `id` is short and stays; `removed` and `date` are seconds since the epoch (0: unknown). `subject` is
    what people call it: of an event or task its summary, of a contact its name.
    """

    id: str
    run: str
    kind: str
    folder: str
    name: str
    subject: str
    sender: str
    date: int
    size: int
    removed: int
    file: str


def entries(directory: str) -> Iterator[Kept]:
    """What is there, run by run, in the order of names. A trash that was never used is empty."""
    for run, kind, folder, file in _files(directory):
        with contextlib.suppress(FileNotFoundError):  # restored or pruned by someone else just now
            yield _kept(directory, run, kind, folder, file)


def restore(kept: Kept, resolve: Callable[[str], str]) -> str:
    """Put one back into the folder it came from; its new place. `resolve` gives the directory for a folder's path.

    The folder is made when it is gone. A name that is taken there gets another; a "T" is left off, or the mail would be
    deleted once more. Raises `BadItem` when it is no longer in the trash.
    """
    home = resolve(kept.folder)
    if kept.kind != _MAIL:
        return _restore_item(kept, home)
    base, _, letters = kept.name.partition(":2,")
    flags = "".join(sorted(set(letters) - {"T"}))
    try:
        for subdirectory in _SUBDIRECTORIES:
            make_directory(os.path.join(home, subdirectory))
        taken = {name.partition(":2,")[0] for part in ("new", "cur") for name in os.listdir(os.path.join(home, part))}
        for unique in _unique_names(base):
            if unique not in taken:
                target = os.path.join(home, "cur", f"{unique}:2,{flags}")
                relocate(kept.file, target, staging=os.path.join(home, "tmp", unique))
                sync_directory(os.path.dirname(target))
                sync_directory(os.path.dirname(kept.file))
                return target
    except FileNotFoundError as error:
        raise BadItem(f"{kept.name} is no longer in the trash") from error
    except OSError as error:
        raise disk_error(error, f"cannot create a file in {home}") from error
    raise AssertionError("there is always another name")


def _hidden(target: str) -> str:
    """Where a copy grows before it has its name: what begins with a dot is no item to anybody."""
    return os.path.join(os.path.dirname(target), f".{hashlib.sha256(os.fsencode(target)).hexdigest()[:20]}.tmp")


def _restore_item(kept: Kept, home: str) -> str:
    try:
        make_directory(home)
        for unique in _unique_names(kept.name):
            with contextlib.suppress(FileExistsError):
                target = os.path.join(home, unique)
                relocate(kept.file, target, staging=_hidden(target))
                sync_directory(home)
                sync_directory(os.path.dirname(kept.file))
                return target
    except FileNotFoundError as error:
        raise BadItem(f"{kept.name} is no longer in the trash") from error
    except OSError as error:
        raise disk_error(error, f"cannot create a file in {home}") from error
    raise AssertionError("there is always another name")


def prune(directory: str, *, days: float = 30, now: float | None = None) -> int:
    """Drop for good what was removed more than `days` ago; how many files that were."""
    limit = (time.time() if now is None else now) - days * _DAY
    count = 0
    try:
        for _, _, _, file in list(_files(directory)):
            with contextlib.suppress(FileNotFoundError):
                if os.lstat(file).st_ctime < limit:
                    os.unlink(file)
                    count += 1
        if count:
            _drop_empty(directory)
    except OSError as error:
        raise disk_error(error, f"cannot prune {directory}") from error
    return count


def _unique_names(name: str) -> Iterator[str]:
    """The name, then the name with a number before its flags, or its ending."""
    yield name
    base, separator, letters = name.partition(":2,")
    base, ending = (base, f"{separator}{letters}") if separator else os.path.splitext(base)
    number = 1
    while True:
        yield f"{base}~{number}{ending}"
        number += 1


def _files(directory: str) -> Iterator[tuple[str, str, str, str]]:
    """(run, kind, folder, file) of all that is kept."""
    for run in _subdirectories(directory):
        top = os.path.join(directory, run)
        for home, below, _ in os.walk(top):
            below[:] = sorted(each for each in set(below) - names.RESERVED if not each.startswith("."))
            for part in ("cur", "new"):
                with contextlib.suppress(FileNotFoundError, NotADirectoryError):
                    folder = _folder_of(home, os.path.relpath(home, top), "verbatim")
                    for name in sorted(os.listdir(os.path.join(home, part))):
                        yield run, _MAIL, folder, os.path.join(home, part, name)
        for kind in (each for each in _subdirectories(top) if each.startswith(".")):
            for folder in _subdirectories(os.path.join(top, kind)):
                home = os.path.join(top, kind, folder)
                path = _folder_of(home, folder, "flat")
                for name in sorted(each for each in os.listdir(home) if not each.startswith(".")):
                    yield run, kind[1:], path, os.path.join(home, name)


def _subdirectories(directory: str) -> list[str]:
    try:
        with os.scandir(directory) as found:
            return sorted(entry.name for entry in found if entry.is_dir(follow_symlinks=False))
    except FileNotFoundError:
        return []


def _folder_of(home: str, relative: str, layout: names.Layout) -> str:
    try:
        with open(os.path.join(home, _FOLDER_FILE), "rb") as file:
            return file.read().decode("utf-8", "surrogateescape")
    except FileNotFoundError:
        return names.path(relative, layout) or relative


def _kept(directory: str, run: str, kind: str, folder: str, file: str) -> Kept:
    # The change time is when it was renamed to here: nobody can set it back, and a copy from a backup counts as fresh.
    info = os.lstat(file)
    start = _head(file)
    head = parse_head(start if kind == _MAIL else b"")
    digest = hashlib.sha256(os.fsencode(os.path.relpath(file, directory))).hexdigest()[:12]
    return Kept(
        id=digest,
        run=run,
        kind=kind,
        folder=folder,
        name=os.path.basename(file),
        subject=head.subject if kind == _MAIL else title(start),
        sender=head.sender,
        date=head.sent,
        size=info.st_size,
        removed=int(info.st_ctime),
        file=file,
    )


def title(start: bytes) -> str:
    """SUMMARY or FN of an .ics or .vcf, for people: what its lines say, unfolded (RFC 5545 §3.1, RFC 6350 §3.2)."""
    text = re.sub(r"\r?\n[ \t]", "", start.decode(errors="replace"))
    found = re.search(r"^(?:SUMMARY|FN)(?:;[^:\r\n]*)?:(.*?)\r?$", text, re.IGNORECASE | re.MULTILINE)
    return re.sub(r"\\[nN]", " ", found[1]).replace("\\", "") if found else ""


def _head(file: str) -> bytes:
    try:
        descriptor = os.open(file, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    except OSError:  # unreadable: it can be listed and put back all the same
        return b""
    try:
        return read_head(descriptor)
    except OSError:
        return b""
    finally:
        os.close(descriptor)


def _drop_empty(directory: str) -> None:
    """Remove the Maildirs and runs in which nothing is left."""
    for run in _subdirectories(directory):
        for home, _, files in os.walk(os.path.join(directory, run), topdown=False):
            if os.path.basename(home) in names.RESERVED or any(os.listdir(os.path.join(home, part)) for part in _parts(home)):
                continue
            for part in _parts(home):
                os.rmdir(os.path.join(home, part))
            if files == [_FOLDER_FILE]:
                os.unlink(os.path.join(home, _FOLDER_FILE))
            with contextlib.suppress(OSError):  # folders below it are not empty
                os.rmdir(home)


def _parts(home: str) -> list[str]:
    return [part for part in _SUBDIRECTORIES if os.path.isdir(os.path.join(home, part))]
