"""Recurrence patterns as Exchange has them (MS-OXWSCDATA 2.2.4.55, MS-OXOCAL 2.2.1.44), and the days they mean.

A day of the month that a month does not have means the last day of it. Nothing here knows of items or time zones.
"""

from __future__ import annotations

import bisect
import datetime as dt
from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from itertools import islice

from lxml import etree

from .errors import ItemError
from .markup import NSMAP
from .markup import Element
from .markup import children
from .markup import local
from .markup import put
from .markup import t
from .timezones import DAYS
from .timezones import MONTHS
from .timezones import ORDINALS
from .timezones import last_day

DAY = dt.timedelta(days=1)
# Exchange counts on to 4500-08-31 where a range has no end (MS-OXOCAL 2.2.1.44.1); no calendar needs more.
LAST = dt.date(4500, 8, 31)
WORKDAYS = frozenset(range(5))
GROUPS = {"Day": frozenset(range(7)), "Weekday": WORKDAYS, "WeekendDay": frozenset((5, 6))}
MOST_OCCURRENCES = 999
MOST_DAYS = 999
MOST_OTHERS = 99


@dataclass(frozen=True, slots=True)
class Pattern:
    """Which days: `unit` is Day, Week, Month or Year.

    Of a week the `weekdays` (Monday is 0; weeks begin with `first`); of a month or of `month` in a year either the
    `day`-th, or the `index`-th (-1 the last) of the days that are among `weekdays`.
    """

    unit: str
    interval: int = 1
    weekdays: frozenset[int] = frozenset()
    first: int = 6
    day: int = 0
    index: int = 0
    month: int = 0


@dataclass(frozen=True, slots=True)
class Recurrence:
    """A pattern and its range: from `start`, until `end` or for `count` occurrences, if either is given."""

    pattern: Pattern
    start: dt.date
    end: dt.date | None = None
    count: int | None = None

    def days(self) -> Iterator[dt.date]:
        """The days on which it happens, in order."""
        found = (day for day in _DAYS_OF[self.pattern.unit](self.pattern, self.start) if day >= self.start)
        for day in islice(found, self.count):
            if day > (self.end or LAST):
                return
            yield day

    def until(self, last: dt.date) -> Iterator[dt.date]:
        """The days up to and including `last`."""
        return self.between(self.start, last)

    def between(self, first: dt.date, last: dt.date) -> Iterator[dt.date]:
        """The days from `first` to `last`, both included."""
        if self.count is not None:
            known = _counted(self)
            yield from known[bisect.bisect_left(known, first) : bisect.bisect_right(known, last)]
            return
        for day in self.days():
            if day > last:
                return
            if day >= first:
                yield day

    def nth(self, index: int) -> dt.date | None:
        """The day of an index, which counts from 1."""
        return next(islice(self.days(), index - 1, None), None) if index > 0 else None

    def index(self, wanted: dt.date) -> int | None:
        """The index of a day, None if it does not happen on it."""
        return next((number for number, day in enumerate(self.until(wanted), 1) if day == wanted), None)

    def last(self) -> dt.date | None:
        """The last day; None if there is no end."""
        if self.end is None and self.count is None:
            return None
        found = deque(self.days(), maxlen=1)
        return found[0] if found else None


@lru_cache(maxsize=4096)
def _counted(recurrence: Recurrence) -> tuple[dt.date, ...]:
    """The days of a recurrence that ends by their number, of which there are few."""
    return tuple(recurrence.days())


def _daily(pattern: Pattern, start: dt.date) -> Iterator[dt.date]:
    day = start
    while day <= LAST:
        yield day
        day += DAY * pattern.interval


def _weekly(pattern: Pattern, start: dt.date) -> Iterator[dt.date]:
    week = start - DAY * ((start.weekday() - pattern.first) % 7)
    while week <= LAST:
        yield from (day for day in (week + DAY * number for number in range(7)) if day.weekday() in pattern.weekdays)
        week += DAY * 7 * pattern.interval


def _monthly(pattern: Pattern, start: dt.date) -> Iterator[dt.date]:
    number = start.year * 12 + start.month - 1
    while number // 12 <= LAST.year:
        yield _day_in_month(pattern, number // 12, number % 12 + 1)
        number += pattern.interval


def _yearly(pattern: Pattern, start: dt.date) -> Iterator[dt.date]:
    for year in range(start.year, LAST.year + 1, pattern.interval):
        yield _day_in_month(pattern, year, pattern.month)


def _day_in_month(pattern: Pattern, year: int, month: int) -> dt.date:
    last = last_day(year, month)
    if pattern.day:
        return last.replace(day=min(pattern.day, last.day))
    days = [day for day in (last.replace(day=number) for number in range(1, last.day + 1)) if day.weekday() in pattern.weekdays]
    return days[pattern.index if pattern.index < 0 else pattern.index - 1]


_DAYS_OF = {"Day": _daily, "Week": _weekly, "Month": _monthly, "Year": _yearly}


# -- as XML


def read(element: Element) -> Recurrence:
    """A t:Recurrence of a request; ErrorCalendarInvalidRecurrence for numbers that Exchange does not take."""
    pattern_element, range_element = children(element)
    pattern = _read_pattern(pattern_element)
    start = read_date(range_element.findtext(t("StartDate")) or "")
    kind = local(range_element)
    if kind == "EndDateRecurrence":
        end = read_date(range_element.findtext(t("EndDate")) or "")
        if end < start:
            raise ItemError("ErrorCalendarEndDateIsEarlierThanStartDate")
        found = Recurrence(pattern, start, end=end)
    elif kind == "NumberedRecurrence":
        count = int(range_element.findtext(t("NumberOfOccurrences")) or 0)
        if not 1 <= count <= MOST_OCCURRENCES:
            raise ItemError("ErrorCalendarInvalidRecurrence")
        found = Recurrence(pattern, start, count=count)
    else:
        found = Recurrence(pattern, start)
    if next(found.days(), None) is None:
        raise ItemError("ErrorRecurrenceHasNoOccurrence")
    return found


def read_date(text: str) -> dt.date:
    """An xs:date; a time zone after it changes nothing about the day."""
    return dt.date.fromisoformat(text.strip()[:10])


def _read_pattern(element: Element) -> Pattern:
    kind = local(element)
    interval = int(element.findtext(t("Interval")) or 1)
    if not 1 <= interval <= (MOST_DAYS if kind == "DailyRecurrence" else MOST_OTHERS):
        raise ItemError("ErrorCalendarInvalidRecurrence")
    words = (element.findtext(t("DaysOfWeek")) or "").split()
    weekdays = frozenset(number for word in words for number in GROUPS.get(word) or {DAYS.index(word)})
    day = int(element.findtext(t("DayOfMonth")) or 0)
    month = element.findtext(t("Month"))
    month_number = MONTHS.index(month) + 1 if month else 0
    if kind == "DailyRecurrence":
        return Pattern("Day", interval)
    if kind == "WeeklyRecurrence":
        if not words or any(word in GROUPS for word in words):
            raise ItemError("ErrorCalendarInvalidDayForWeeklyRecurrence")
        first = element.findtext(t("FirstDayOfWeek")) or "Sunday"
        return Pattern("Week", interval, weekdays, DAYS.index(first))
    unit = "Year" if "Yearly" in kind else "Month"
    if kind.startswith("Absolute"):
        if not 1 <= day <= 31 or (unit == "Year" and day > last_day(2000, month_number).day):
            raise ItemError("ErrorCalendarInvalidRecurrence")
        return Pattern(unit, interval, day=day, month=month_number)
    index = ORDINALS[element.findtext(t("DayOfWeekIndex")) or "First"]
    return Pattern(unit, interval, weekdays, index=index, month=month_number)


def append(parent: Element, recurrence: Recurrence, zone: str) -> None:
    """Append a t:Recurrence; `zone` is what stands after its dates: Z, or an offset."""
    element = put(parent, t("Recurrence"))
    _append_pattern(element, recurrence.pattern)
    if recurrence.end is not None:
        bounds = put(element, t("EndDateRecurrence"))
    elif recurrence.count is not None:
        bounds = put(element, t("NumberedRecurrence"))
    else:
        bounds = put(element, t("NoEndRecurrence"))
    put(bounds, t("StartDate"), recurrence.start.isoformat() + zone)
    if recurrence.end is not None:
        put(bounds, t("EndDate"), recurrence.end.isoformat() + zone)
    elif recurrence.count is not None:
        put(bounds, t("NumberOfOccurrences"), str(recurrence.count))


def _append_pattern(parent: Element, pattern: Pattern) -> None:
    name = {"Day": "DailyRecurrence", "Week": "WeeklyRecurrence"}.get(pattern.unit)
    if name is None:
        name = f"{'Absolute' if pattern.day else 'Relative'}{pattern.unit}lyRecurrence"
    element = put(parent, t(name))
    if pattern.unit != "Year":
        put(element, t("Interval"), str(pattern.interval))
    if pattern.unit == "Week":
        put(element, t("DaysOfWeek"), " ".join(DAYS[number] for number in sorted(pattern.weekdays, key=_from_sunday)))
        put(element, t("FirstDayOfWeek"), DAYS[pattern.first])
    elif pattern.day:
        put(element, t("DayOfMonth"), str(pattern.day))
    elif pattern.index:
        put(element, t("DaysOfWeek"), weekday_word(pattern.weekdays))
        put(element, t("DayOfWeekIndex"), next(word for word, number in ORDINALS.items() if number == pattern.index))
    if pattern.month:
        put(element, t("Month"), MONTHS[pattern.month - 1])


def _from_sunday(weekday: int) -> int:
    return (weekday + 1) % 7


def weekday_word(weekdays: frozenset[int]) -> str:
    """The word for a set of weekdays of which the n-th is meant."""
    group = next((word for word, days in GROUPS.items() if days == weekdays), None)
    return group or DAYS[min(weekdays)]


def pack(recurrence: Recurrence) -> bytes:
    """As it is kept with an item."""
    parent = etree.Element("kept", nsmap=NSMAP)
    append(parent, recurrence, "")
    return etree.tostring(parent[0])


def unpack(kept: bytes) -> Recurrence:
    """The inverse of `pack`."""
    return read(etree.fromstring(kept))
