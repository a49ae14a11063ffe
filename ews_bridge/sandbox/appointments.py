"""Appointments: what the properties of a calendar item mean, the occurrences of a series, and what holds of every item saved.

MS-OXOCAL, MS-OXWSMTGS. A series is one item that holds its exceptions; `occurrence` makes an item of one of its days, which
can be shown and changed as any other, and `fold` puts its changes back into the series. Moments are seconds since 1970.
"""

from __future__ import annotations

import datetime as dt
from functools import lru_cache
from typing import TypeVar

from lxml import etree

from . import attendees
from . import content
from . import global_ids
from . import properties
from . import recurrence as recurring
from . import timezones
from .errors import ItemError
from .mapi import SETS
from .mapi import PropertyName
from .recurrence import Recurrence
from .store import Item
from .store import Overlay
from .timezones import Zone

APPOINTMENT = SETS["Appointment"]
MEETING = SETS["Meeting"]
COMMON = SETS["Common"]
# The names of MS-OXPROPS without PidLid.
SEQUENCE: PropertyName = (APPOINTMENT, 0x8201)
BUSY_STATUS: PropertyName = (APPOINTMENT, 0x8205)
LOCATION: PropertyName = (APPOINTMENT, 0x8208)
START: PropertyName = (APPOINTMENT, 0x820D)
END: PropertyName = (APPOINTMENT, 0x820E)
ALL_DAY: PropertyName = (APPOINTMENT, 0x8215)
STATE: PropertyName = (APPOINTMENT, 0x8217)
RESPONSE: PropertyName = (APPOINTMENT, 0x8218)
REPLY_TIME: PropertyName = (APPOINTMENT, 0x8220)
RECURRING: PropertyName = (APPOINTMENT, 0x8223)
INTENDED_STATUS: PropertyName = (APPOINTMENT, 0x8224)
INVITED: PropertyName = (APPOINTMENT, 0x8229)
GLOBAL_ID: PropertyName = (MEETING, 0x03)
CLEAN_ID: PropertyName = (MEETING, 0x23)
OWNER_CHANGE: PropertyName = (MEETING, 0x1A)
COMMON_START: PropertyName = (COMMON, 0x8516)
COMMON_END: PropertyName = (COMMON, 0x8517)
REMINDER_MINUTES: PropertyName = (COMMON, 0x8501)
REMINDER_TIME: PropertyName = (COMMON, 0x8502)
REMINDER_SET: PropertyName = (COMMON, 0x8503)
REMINDER_SIGNAL: PropertyName = (COMMON, 0x8560)
# Bits of AppointmentStateFlags.
IS_MEETING, IS_RECEIVED, IS_CANCELLED = 1, 2, 4
FREE, TENTATIVE, BUSY = 0, 1, 2
ORGANIZER, ACCEPTED, DECLINED, NOT_RESPONDED = 1, 3, 4, 5
OCCURRENCE_CLASS = "IPM.Appointment.Occurrence"

HALF_HOUR = 1800
LONGEST = 5 * 366 * 86_400
DEFAULT_REMINDER = 15
# What follows from other properties and is never an occurrence's own.
DERIVED = frozenset((COMMON_START, COMMON_END, RECURRING, REMINDER_TIME, REMINDER_SIGNAL))
Key = TypeVar("Key")
Kept = TypeVar("Kept")


# -- what an item says


def moment(item: Item, name: PropertyName) -> int:
    value = properties.read(item, name, "SystemTime")
    return value if isinstance(value, int) else 0


def flag(item: Item, name: PropertyName) -> bool:
    return properties.read(item, name, "Boolean") is True


def state(item: Item) -> int:
    return properties.number(item, STATE) or 0


def is_organizer(item: Item) -> bool:
    return not state(item) & IS_RECEIVED


def identifier(item: Item, name: PropertyName = CLEAN_ID) -> bytes:
    value = properties.read(item, name, "Binary")
    return value if isinstance(value, bytes) else b""


@lru_cache(maxsize=4096)
def _zone(kept: bytes) -> Zone:
    return timezones.read_zone(etree.fromstring(kept))


def zone(item: Item, name: str = "StartTimeZone") -> Zone:
    """The time zone in which the item begins; or ends."""
    kept = item.declared.get(name) or item.declared.get("StartTimeZone")
    return timezones.UTC if kept is None else _zone(kept)


def set_zone(item: Item, name: str, wanted: Zone) -> None:
    parent = etree.Element("kept")
    timezones.put_zone(parent, name, wanted, full=True)
    item.declared[name] = etree.tostring(parent[0])


@lru_cache(maxsize=4096)
def _recurrence(kept: bytes) -> Recurrence:
    return recurring.unpack(kept)


def recurrence(item: Item) -> Recurrence | None:
    """The recurrence of a series; None for a single appointment and for an occurrence."""
    kept = item.declared.get("Recurrence")
    return None if kept is None else _recurrence(kept)


def set_recurrence(item: Item, wanted: Recurrence | None) -> None:
    if wanted is None:
        item.declared.pop("Recurrence", None)
    else:
        item.declared["Recurrence"] = recurring.pack(wanted)


def item_type(item: Item) -> str:
    """The CalendarItemType."""
    if item.master is not None:
        return "Exception" if item.occurrence in item.master.exceptions else "Occurrence"
    return "RecurringMaster" if "Recurrence" in item.declared else "Single"


# -- the occurrences of a series


def times(series: Item, day: dt.date) -> tuple[int, int]:
    """Begin and end of the occurrence of a day, as the pattern has it: by the clock on the wall."""
    where = zone(series)
    begin, end = where.local(moment(series, START)), where.local(moment(series, END))
    local = dt.datetime.combine(day, begin.time())
    return where.moment(local), where.moment(local + (end - begin))


def occurrence(series: Item, day: dt.date) -> Item:
    """The occurrence meant for a day; whether the series has one is not asked here."""
    shown = _by_pattern(series, day)
    kept = series.exceptions.get(shown.occurrence)
    if kept is not None:
        for name, value in kept.props.items():
            _set_or_drop(shown.props, name, value)
        for key, xml in kept.declared.items():
            _set_or_drop(shown.declared, key, xml)
        if kept.mime is not None:
            shown.mime = kept.mime
            shown.attachment_numbers = list(kept.attachment_numbers)
    _derive(shown)
    return shown


def _by_pattern(series: Item, day: dt.date) -> Item:
    shown = series.twin()
    shown.exceptions, shown.deleted = {}, set()
    shown.master, shown.occurrence = series, day.toordinal()
    shown.key, shown.folder, shown.uid = series.key, series.folder, series.uid
    shown.change, shown.arrived_change = series.change, series.arrived_change
    shown.content_change, shown.read_change = series.content_change, series.read_change
    shown.item_class = OCCURRENCE_CLASS
    shown.declared.pop("Recurrence", None)
    begin, end = times(series, day)
    shown.props[START], shown.props[END] = ("SystemTime", begin), ("SystemTime", end)
    shown.props[GLOBAL_ID] = ("Binary", global_ids.of_day(identifier(series), day))
    return shown


def _set_or_drop(bag: dict[Key, Kept], name: Key, value: Kept | None) -> None:
    if value is None:
        bag.pop(name, None)
    else:
        bag[name] = value


def original_start(shown: Item) -> int:
    """When an occurrence would be by the pattern of its series."""
    if shown.master is None:
        raise ValueError("not an occurrence")
    return times(shown.master, dt.date.fromordinal(shown.occurrence))[0]


def days(series: Item, *, deleted: bool = False) -> list[dt.date]:
    """All days of a series that has an end; `deleted` ones too if wanted."""
    found = recurrence(series)
    if found is None or found.last() is None:
        return []
    return [day for day in found.days() if deleted or day.toordinal() not in series.deleted]


def first_and_last(series: Item) -> tuple[Item | None, Item | None]:
    """The first and the last occurrence that is not deleted; no last one where there is no end."""
    found = recurrence(series)
    if found is None:
        return None, None
    ahead = (day for day in found.days() if day.toordinal() not in series.deleted)
    first = next(ahead, None)
    if first is None:
        return None, None
    last = days(series)[-1:] if found.last() is not None else []
    return occurrence(series, first), occurrence(series, last[0]) if last else None


def exceptions(series: Item) -> list[Item]:
    """The occurrences that differ from the pattern, in the order of their days."""
    return [occurrence(series, dt.date.fromordinal(day)) for day in sorted(series.exceptions)]


def within(item: Item, begin: int, end: int) -> list[Item]:
    """What of an item touches the time from `begin` to `end`: itself, or occurrences of a series; in order of their begin."""
    found = recurrence(item)
    if found is None:
        return [item] if _touches(item, begin, end) else []
    # A day more, for zones far from Greenwich; moved occurrences are asked about one by one.
    last = (timezones.EPOCH + dt.timedelta(seconds=end, days=1)).date()
    fixed = [day for day in found.until(last) if day.toordinal() not in item.deleted | item.exceptions.keys()]
    near = [day for day in fixed if _overlap(*times(item, day), begin, end)]
    shown = [occurrence(item, day) for day in near] + [one for one in exceptions(item) if _touches(one, begin, end)]
    return sorted(shown, key=lambda one: moment(one, START))


def _touches(item: Item, begin: int, end: int) -> bool:
    return _overlap(moment(item, START), moment(item, END), begin, end)


def _overlap(start: int, stop: int, begin: int, end: int) -> bool:
    # What ends where a view begins is in it; what begins where it ends is not.
    return start < end and stop >= begin


def fold(shown: Item) -> None:
    """Put what an occurrence has of its own into its series, as an exception."""
    series = shown.master
    if series is None:
        raise ValueError("not an occurrence")
    plain = _by_pattern(series, dt.date.fromordinal(shown.occurrence))
    names = (plain.props.keys() | shown.props.keys()) - DERIVED
    keys = plain.declared.keys() | shown.declared.keys()
    own = shown.mime != plain.mime
    series.exceptions[shown.occurrence] = Overlay(
        {name: shown.props.get(name) for name in names if shown.props.get(name) != plain.props.get(name)},
        {key: shown.declared.get(key) for key in keys if shown.declared.get(key) != plain.declared.get(key)},
        shown.mime if own else None,
        tuple(content.attachment_numbers(shown)) if own else (),
    )
    series.next_attachment = max(series.next_attachment, shown.next_attachment)


def delete_occurrence(shown: Item) -> None:
    """Take an occurrence out of its series."""
    series = shown.master
    if series is None:
        raise ValueError("not an occurrence")
    series.exceptions.pop(shown.occurrence, None)
    series.deleted.add(shown.occurrence)


# -- saving


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
    _derive(item)


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


def _derive(item: Item) -> None:
    """The properties that say again what others say."""
    begin, end = moment(item, START), moment(item, END)
    item.props[COMMON_START], item.props[COMMON_END] = ("SystemTime", begin), ("SystemTime", end)
    item.props[RECURRING] = ("Boolean", "Recurrence" in item.declared)
    item.props[REMINDER_TIME] = ("SystemTime", begin)
    minutes = properties.number(item, REMINDER_MINUTES) or 0
    item.props[REMINDER_SIGNAL] = ("SystemTime", begin - minutes * 60)


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
