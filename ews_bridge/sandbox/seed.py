"""What a sandbox begins with: the demo mailbox, nothing, a folder of mail files (and of cards and tasks), or made-up messages.

The same seed gives the same mailbox, in the same order. It only ever adds.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC
from datetime import datetime
from datetime import timedelta
from email.utils import parsedate_to_datetime
from pathlib import Path

from . import vcards
from . import vevents
from . import vtodos
from .demo import MONDAY
from .demo import fill_demo
from .demo import subfolder
from .demo_items import fill_items
from .store import Item
from .world import Folder
from .world import Mailbox
from .world import World

_BULK = re.compile(r"bulk:(?P<count>\d+)(?:x(?P<size>\d+)(?P<unit>[kKmM]?))?(?:/(?P<folders>\d+))?")
_UNITS = {"": 1, "k": 1024, "m": 1024**2}
# `:2,` as the Maildir specification has it, and what stands for the colon where file systems or archives refuse it.
_INFO = re.compile(r"[:;!_]2,(?P<flags>[A-Za-z]*)$")
_DATE = re.compile(rb"^Date:[ \t]*(.+(?:\r?\n[ \t].+)*)", re.IGNORECASE | re.MULTILINE)
_OTHER_KINDS = (".ics", ".vcf")
_WELL_KNOWN = {
    "inbox": "inbox",
    "sent items": "sentitems",
    "sent": "sentitems",
    "drafts": "drafts",
    "deleted items": "deleteditems",
    "trash": "deleteditems",
    "junk email": "junkemail",
    "junk": "junkemail",
    "outbox": "outbox",
}
_WORDS = (
    *("brass", "spring", "wheel", "hour", "minute", "moon", "tide", "tower", "bell", "oak", "oil", "case", "dial", "hand"),
    *("chime", "pendulum", "weight", "key", "arbor", "pinion", "quarter", "strike", "repair", "workshop", "drawing"),
    *("Übersicht", "façade", "señal", "łóżko"),
)


@contextmanager
def earlier(world: World, *, seconds: int = 3600) -> Iterator[None]:
    """What is done in the block was done so long ago: a mailbox that is found, not one that is just being filled."""
    clock = world.clock
    world.clock = lambda: clock() - timedelta(seconds=seconds)
    try:
        yield
    finally:
        world.clock = clock


def fill(world: World, mailbox: Mailbox, seed: str) -> None:
    """Fill `mailbox` as the command line's `--seed` says. Raises ValueError for what is none of its forms."""
    if seed == "demo":
        fill_demo(world, mailbox)
        fill_items(mailbox)
    elif seed == "empty":
        return
    elif match := _BULK.fullmatch(seed):
        size = int(match["size"] or 2048) * _UNITS[(match["unit"] or "").lower()]
        count, folders = int(match["count"]), int(match["folders"] or 0)
        if not folders:
            bulk(mailbox, mailbox.folder("inbox"), count, size)
            return
        top = mailbox.folder("msgfolderroot")
        for number in range(folders):
            share = count // folders + (number < count % folders)
            bulk(mailbox, subfolder(mailbox, top, f"Folder {number:04d}"), share, size)
    elif seed and Path(seed).is_dir():
        load_tree(mailbox, Path(seed))
    else:
        raise ValueError(f"no such seed: {seed!r} (demo, empty, bulk:COUNT[xSIZE][/FOLDERS], or a folder)")


def load_tree(mailbox: Mailbox, root: Path) -> None:
    """Load a tree of mail files, plain or Maildir.

    A directory is a folder beside the Inbox; one that is named like a well-known folder is that folder, and what lies
    directly in `root` goes to the Inbox. In a Maildir (a directory with cur/) the time received is the file's time and
    what lies in new/ or has no S is unread; elsewhere it is the Date header's. Files with a leading dot are left alone.

    Files named *.vcf become contacts and lists, the events and tasks in files named *.ics appointments and tasks: those of
    `root` and of a directory that is named like the well-known folder in this folder, others in a folder of the directory's
    name within it. What Exchange cannot hold is left out.
    """
    known: dict[tuple[str, ...], Folder] = {(): mailbox.folder("msgfolderroot")}
    for path, names, in_maildir in _mail_files(root):
        mime = path.read_bytes()
        info = _INFO.search(path.name)
        flags = info["flags"] if info else ""
        mailbox.add_mime(
            _folder(mailbox, names or ("inbox",), known),
            mime,
            read="S" in flags,
            flagged="F" in flags,
            answered="R" in flags,
            forwarded="P" in flags,
            draft="D" in flags,
            received=_modified(path) if in_maildir else _date(mime) or _modified(path),
        )
    _load_contacts(mailbox, root)
    _load_calendars(mailbox, root)


def _load_contacts(mailbox: Mailbox, root: Path) -> None:
    found = [(path, path.read_text("utf-8", "replace")) for path in sorted(root.rglob("*.vcf")) if path.is_file()]
    known: dict[str, Item] = {}
    # Groups come last: they may name any of the others.
    for path, text in sorted(found, key=lambda pair: vcards.is_group(pair[1])):
        vcards.load(_special_folder(mailbox, "contacts", path.parent.relative_to(root)), text, known)


def _load_calendars(mailbox: Mailbox, root: Path) -> None:
    for path in sorted(root.rglob("*.ics")):
        text = path.read_text("utf-8", "replace") if path.is_file() else ""
        if "BEGIN:VTODO" in text:
            vtodos.load(_special_folder(mailbox, "tasks", path.parent.relative_to(root)), text)
        if "BEGIN:VEVENT" in text:
            vevents.load(_special_folder(mailbox, "calendar", path.parent.relative_to(root)), text)


def _special_folder(mailbox: Mailbox, distinguished: str, path: Path) -> Folder:
    """The well-known folder, or the one of that path in it."""
    folder = mailbox.folder(distinguished)
    for name in path.parts[1:] if path.parts[:1] and path.parts[0].lower() == distinguished else path.parts:
        here = next((child for child in folder.children if child.name.lower() == name.lower()), None)
        folder = here or mailbox.create_folder(folder, name, folder.folder_class)
    return folder


def bulk(mailbox: Mailbox, folder: Folder, count: int, size: int) -> None:
    """Add `count` different messages of about `size` bytes each, a minute apart; every fourth is unread."""
    owner = mailbox.address
    where = len(mailbox.address) + sum(map(ord, folder.name))  # so that folders do not hold the same texts
    filler = _filler(max(0, size - 330))
    for number in range(count):
        sent = MONDAY + timedelta(minutes=number)
        first, second = _WORDS[(number + where) % len(_WORDS)], _WORDS[(number // 7) % len(_WORDS)]
        mime = (
            f"From: Robot {number % 50} <robot{number % 50}@clocks.example.test>\r\n"
            f"To: {owner}\r\n"
            f"Subject: {number} =?utf-8?q?{_quoted(first)}_{_quoted(second)}?=\r\n"
            f"Date: {sent:%a, %d %b %Y %H:%M:%S} +0000\r\n"
            f"Message-ID: <{where}.{folder.name.replace(' ', '-')}.{number}@clocks.example.test>\r\n"
            "MIME-Version: 1.0\r\nContent-Type: text/plain; charset=utf-8\r\nContent-Transfer-Encoding: 8bit\r\n\r\n"
            f"Message number {number} about {first} and {second}.\r\n"
        ).encode() + filler
        mailbox.add_mime(
            folder,
            mime,
            read=number % 4 != 3,
            flagged=number % 50 == 0,
            answered=number % 20 == 1,
            forwarded=False,
            draft=False,
            received=sent,
        )


def _mail_files(root: Path, names: tuple[str, ...] = ()) -> Iterator[tuple[Path, tuple[str, ...], bool]]:
    """All mail files below `root`, in a stable order: (path, folder names, whether it lies in a Maildir)."""
    entries = sorted(root.iterdir())
    maildir = (root / "cur").is_dir()
    for path in entries:
        # In a Maildir what lies beside cur/ are indexes and markers of mail programs.
        if not maildir and path.is_file() and path.name[0] != "." and path.suffix.lower() not in _OTHER_KINDS:
            yield path, names, False
    for path in entries:
        if not path.is_dir():
            continue
        if maildir and path.name in ("cur", "new", "tmp"):
            if path.name != "tmp":
                yield from ((each, names, True) for each in sorted(path.iterdir()) if each.is_file())
        elif path.name.startswith("."):
            if (path / "cur").is_dir():  # Maildir++: .a.b is b in a
                yield from _mail_files(path, names + tuple(path.name[1:].split(".")))
        else:
            yield from _mail_files(path, (*names, path.name))


def _folder(mailbox: Mailbox, names: tuple[str, ...], known: dict[tuple[str, ...], Folder]) -> Folder:
    key = tuple(name.lower() for name in names)  # the server's names ignore case
    if key not in known:
        well_known = _WELL_KNOWN.get(key[0]) if len(key) == 1 else None
        if well_known:
            known[key] = mailbox.folder(well_known)
        else:
            known[key] = subfolder(mailbox, _folder(mailbox, names[:-1], known), names[-1])
    return known[key]


def _modified(path: Path) -> datetime:
    return datetime.fromtimestamp(int(path.stat().st_mtime), UTC)


def _date(mime: bytes) -> datetime | None:
    header, _, _ = mime.replace(b"\r\n", b"\n").partition(b"\n\n")
    match = _DATE.search(header)
    if match is None:
        return None
    try:
        date = parsedate_to_datetime(match[1].decode("ascii", "replace"))
    except ValueError:
        return None
    return date.replace(tzinfo=UTC) if date.tzinfo is None else date.astimezone(UTC)


def _filler(size: int) -> bytes:
    line = " ".join(_WORDS[:12]).encode() + b"\r\n"
    return (line * (size // len(line) + 1))[:size].rstrip(b"\xc3\xc5") + b"\r\n"


def _quoted(word: str) -> str:
    return "".join(char if char.isascii() else "".join(f"={byte:02X}" for byte in char.encode()) for char in word)
