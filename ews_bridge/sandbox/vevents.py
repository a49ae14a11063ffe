"""The events of an iCalendar text as items of a calendar folder, as if somebody had imported them."""

from __future__ import annotations

from collections.abc import Iterator

from . import calendar_reading
from . import elements
from . import settling
from .errors import ItemError
from .icalendar_lines import Component
from .icalendar_lines import parse
from .meetings import EMPTY
from .store import Folder
from .timezones import UTC


def load(folder: Folder, text: str) -> bool:
    """Put the events of a text into a calendar; whether Exchange could hold them all.

    Each UID is an item, and so is each occurrence of a series that is not in the text. A lone event without a calendar around
    it is taken, too. What Exchange cannot hold is left out.
    """
    try:
        calendar = parse(text)
    except ValueError:
        return False
    if calendar.name != "VCALENDAR":
        calendar = Component("VCALENDAR", [], [calendar])
    whole = True
    for part in _items_of(calendar):
        item = folder.mailbox.new_item(EMPTY, elements.DEFAULT_CLASS["CalendarItem"])
        item.kind, item.read = "CalendarItem", True
        try:
            calendar_reading.apply(item, part, UTC)
            settling.settle(item)
        except ItemError:
            whole = False
        else:
            folder.mailbox.place(item, folder)
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
