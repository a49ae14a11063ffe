"""What must hold of every calendar item that is saved, and what a change to a series does to its exceptions (MS-OXOCAL)."""

from __future__ import annotations

import datetime as dt

from . import attendees
from . import content
from . import global_ids
from . import properties
from . import recurrence as recurring
from .appointments import ALL_DAY
from .appointments import BUSY
from .appointments import BUSY_STATUS
from .appointments import CLEAN_ID
from .appointments import END
from .appointments import GLOBAL_ID
from .appointments import IS_MEETING
from .appointments import ORGANIZER
from .appointments import REMINDER_MINUTES
from .appointments import REMINDER_SET
from .appointments import RESPONSE
from .appointments import SEQUENCE
from .appointments import START
from .appointments import STATE
from .appointments import derive
from .appointments import flag
from .appointments import identifier
from .appointments import is_organizer
from .appointments import moment
from .appointments import recurrence
from .appointments import set_recurrence
from .appointments import state
from .appointments import times
from .appointments import zone
from .errors import ItemError
from .occurrences import occurrence
from .recurrence import Recurrence
from .store import Item

HALF_HOUR = 1800
LONGEST = 5 * 366 * 86_400
DEFAULT_REMINDER = 15


def settle(item: Item) -> None:
    """See to what must hold of a calendar item, before it is saved.

    ItemError: ErrorCalendarEndDateIsEarlierThanStartDate, ErrorCalendarDurationIsTooLong, ErrorOccurrenceTimeSpanTooBig,
    ErrorRecurrenceHasNoOccurrence, ErrorOccurrenceCrossingBoundary.
    """
    _settle_times(item)
    found = recurrence(item)
    if found is not None:
        _settle_series(item, found)
    elif item.master is not None:
        _check_neighbours(item)
    _settle_identity(item)
    _settle_meeting(item)
    derive(item)


def _settle_times(item: Item) -> None:
    if START not in item.props:
        now = item.mailbox.world.time()
        item.props[START] = ("SystemTime", now - now % HALF_HOUR + HALF_HOUR)
    if END not in item.props:
        item.props[END] = ("SystemTime", moment(item, START) + HALF_HOUR)
    begin, end = moment(item, START), moment(item, END)
    if end < begin:
        raise ItemError("ErrorCalendarEndDateIsEarlierThanStartDate")
    if end - begin > LONGEST:
        raise ItemError("ErrorCalendarDurationIsTooLong")
    if flag(item, ALL_DAY):
        where, there = zone(item), zone(item, "EndTimeZone")
        begin = where.midnight(begin)
        if there.midnight(end) != end or end <= begin:
            next_day = there.local(end).date() + recurring.DAY
            end = there.moment(dt.datetime.combine(next_day, dt.time()))
        item.props[START], item.props[END] = ("SystemTime", begin), ("SystemTime", end)


def _settle_series(item: Item, found: Recurrence) -> None:
    """A series begins with its first occurrence, and no occurrence lasts into the next."""
    first = next(found.days(), None)
    if first is None:
        raise ItemError("ErrorRecurrenceHasNoOccurrence")
    begin, end = times(item, first)
    item.props[START], item.props[END] = ("SystemTime", begin), ("SystemTime", end)
    second = found.nth(2)
    if second is not None and end - begin > times(item, second)[0] - begin:
        raise ItemError("ErrorOccurrenceTimeSpanTooBig")


def _check_neighbours(shown: Item) -> None:
    """An occurrence may not pass the one before or after it, nor be on the same day (MS-OXOCAL 3.1.4.4.2)."""
    series = shown.master
    found = recurrence(series) if series is not None else None
    if series is None or found is None:
        return
    where = zone(series)
    own = dt.date.fromordinal(shown.occurrence)
    day = where.local(moment(shown, START)).date()
    before = after = None
    for one in found.days():
        if one.toordinal() in series.deleted or one == own:
            continue
        if one > own:
            after = one
            break
        before = one
    for other, sign in ((before, -1), (after, 1)):
        if other is not None:
            neighbour = where.local(moment(occurrence(series, other), START)).date()
            if (day - neighbour).days * sign >= 0:
                raise ItemError("ErrorOccurrenceCrossingBoundary")


def _settle_identity(item: Item) -> None:
    world = item.mailbox.world
    if not identifier(item, GLOBAL_ID):
        made = global_ids.made(item.created, world.bytes16())
        item.props[GLOBAL_ID] = ("Binary", made)
    item.props[CLEAN_ID] = ("Binary", global_ids.clean(identifier(item, GLOBAL_ID)))


def _settle_meeting(item: Item) -> None:
    if is_organizer(item):
        invited = any(name in item.declared for name in attendees.LISTS)
        item.props[STATE] = ("Integer", state(item) & ~IS_MEETING | (IS_MEETING if invited else 0))
        item.props.setdefault(RESPONSE, ("Integer", ORGANIZER))
        if not properties.envelope(item).author:
            content.set_addresses(item, "From", [properties.own_address(item.mailbox)])
    item.props.setdefault(SEQUENCE, ("Integer", 0))
    item.props.setdefault(BUSY_STATUS, ("Integer", BUSY))
    item.props.setdefault(REMINDER_SET, ("Boolean", True))
    item.props.setdefault(REMINDER_MINUTES, ("Integer", DEFAULT_REMINDER))


def revise(before: Item, item: Item) -> None:
    """After a change to a series: other times or another pattern make a new series, and exceptions to the old one are gone."""
    found = recurrence(item)
    if found is None:
        item.exceptions, item.deleted = {}, set()
        return
    old = recurrence(before)
    same_times = all(before.props.get(name) == item.props.get(name) for name in (START, END))
    if found == old and same_times and zone(before) == zone(item):
        return
    item.exceptions, item.deleted = {}, set()
    if found == old and before.props.get(START) != item.props.get(START):
        set_recurrence(item, moved(found, zone(item).local(moment(item, START)).date()))


def moved(found: Recurrence, start: dt.date) -> Recurrence:
    """The same pattern from another day on."""
    end = found.end if found.end is None or found.end >= start else start
    return Recurrence(found.pattern, start, end, found.count)
