"""Calendars from a folder of .ics files, as if somebody had imported them into the mailbox."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from . import calendar_reading
from . import elements
from . import settling
from .errors import ItemError
from .icalendar_lines import Component
from .icalendar_lines import parse
from .meetings import EMPTY
from .timezones import UTC
from .world import Folder
from .world import Mailbox

SUFFIX = ".ics"
DEFAULT = "calendar"


def load_calendars(mailbox: Mailbox, root: Path) -> list[Path]:
    """Load every *.ics file below `root`, in a stable order; returns those of which Exchange cannot hold a part.

    What lies in `root` or in a directory named calendar goes to the default calendar, any other directory that holds such
    files is a calendar in it. Each UID of a file is an item; so is each occurrence of a series that is not in the file.
    """
    refused: list[Path] = []
    folders: dict[Path, Folder] = {}
    for path in sorted(root.rglob(f"*{SUFFIX}")):
        if any(part.startswith(".") for part in path.relative_to(root).parts):
            continue
        if path.parent not in folders:
            folders[path.parent] = _folder(mailbox, root, path.parent)
        if not _load(mailbox, folders[path.parent], path):
            refused.append(path)
    return refused


def _folder(mailbox: Mailbox, root: Path, directory: Path) -> Folder:
    default = mailbox.folder(DEFAULT)
    if directory == root or directory.name.lower() == DEFAULT:
        return default
    same = next((child for child in default.children if child.name.casefold() == directory.name.casefold()), None)
    return same or mailbox.create_folder(default, directory.name, default.folder_class)


def _load(mailbox: Mailbox, folder: Folder, path: Path) -> bool:
    whole = True
    try:
        calendar = parse(path.read_text(encoding="utf-8", errors="replace"))
    except ValueError:
        return False
    if calendar.name != "VCALENDAR":
        calendar = Component("VCALENDAR", [], [calendar])
    for part in _items_of(calendar):
        item = mailbox.new_item(EMPTY, elements.DEFAULT_CLASS["CalendarItem"])
        item.kind, item.read = "CalendarItem", True
        try:
            calendar_reading.apply(item, part, UTC)
            settling.settle(item)
        except ItemError:
            whole = False
            continue
        mailbox.place(item, folder)
    return whole


def _items_of(calendar: Component) -> Iterator[Component]:
    """A calendar for each item: the events of a UID together, but occurrences without their series each for itself."""
    zones = list(calendar.within("VTIMEZONE"))
    by_uid: dict[str, list[Component]] = {}
    for number, event in enumerate(calendar.within("VEVENT")):
        by_uid.setdefault(event.text("UID") or f"without {number}", []).append(event)
    for events in by_uid.values():
        together = any(event.line("RECURRENCE-ID") is None for event in events)
        for group in [events] if together else [[event] for event in events]:
            yield Component("VCALENDAR", list(calendar.lines), [*zones, *group])
