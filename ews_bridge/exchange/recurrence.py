"""Recurrences: RRULE (RFC 5545 section 3.3.10) ⇄ `t:Recurrence`, and which days a rule falls on. Pure.

`Rule` is what Exchange can hold: a day pattern, every so many days, weeks or months, and an end. A yearly pattern is one of
twelve months, for that is how Exchange counts longer intervals, too. Whatever means the same is read into the same `Rule`; a rule
that means something that Exchange cannot do is refused by name, never bent.

Where the two differ: in a month without the day, Exchange takes the last day, RRULE skips the month. So BYMONTHDAY=31 is
refused, and DayOfMonth 31 is written as BYMONTHDAY=-1, 30 as the last of the days 28 to 30.
"""

from __future__ import annotations

import calendar
from collections.abc import Iterator
from dataclasses import dataclass
from dataclasses import replace
from datetime import date
from datetime import timedelta
from itertools import islice

from lxml import etree

from ews_bridge.errors import BadItem
from ews_bridge.exchange import soap

NAMES = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")
CODES = ("MO", "TU", "WE", "TH", "FR", "SA", "SU")
MONTHS = tuple(calendar.month_name)[1:]
INDEXES = {"First": 1, "Second": 2, "Third": 3, "Fourth": 4, "Last": -1}
EVERY_DAY = frozenset(range(7))
WEEKDAYS = frozenset(range(5))
WEEKEND = frozenset((5, 6))
_SETS = {"Day": EVERY_DAY, "Weekday": WEEKDAYS, "WeekendDay": WEEKEND}
#: The longest intervals that Exchange takes (MS-OXOCAL 2.2.1.44.1), in days, weeks, months.
_LONGEST = {"day": 999, "week": 99, "month": 1188}
#: Exchange's calendar ends here (MS-OXOCAL 2.2.1.44.1: 0x5AE980DF minutes since 1601 stand for "never").
LAST_DAY = date(4500, 8, 31)


@dataclass(frozen=True, slots=True)
class Rule:
    """Every `interval` `unit`s: in a week on `days` (0 is Monday); in a month on day `month_day`, or on the last day where the
    month is shorter; or, where `position` is not 0, on the so-maniest of the days that are one of `days` (-1: the last).

    `first` is the first day of the week (0 is Monday), which tells the weeks apart when they are counted by twos.
    The end: `count` occurrences, or none after `until`, or neither.
    """

    unit: str
    interval: int = 1
    days: frozenset[int] = frozenset()
    position: int = 0
    month_day: int = 0
    first: int = 0
    count: int = 0
    until: date | None = None

    def endless(self) -> Rule:
        return replace(self, count=0, until=None)

    # ---- which days

    def period(self, start: date, number: int) -> list[date]:
        """The days of a series in its day, week or month of this number, from 0; those before its start, too."""
        if self.unit == "day":
            return [start + timedelta(number * self.interval)]
        if self.unit == "week":
            monday = start - timedelta((start.weekday() - self.first) % 7) + timedelta(7 * number * self.interval)
            week = (monday + timedelta(offset) for offset in range(7))
            return [day for day in week if day.weekday() in self.days]
        years, month = divmod(start.month - 1 + number * self.interval, 12)
        return [_day_in(start.year + years, month + 1, self)]

    def occurrences(self, start: date) -> Iterator[date]:
        """The days of the series that begins on `start`, deleted ones included."""
        number = found = 0
        while True:
            try:
                days = self.period(start, number)
            except (ValueError, OverflowError):
                return
            number += 1
            for day in days:
                if day < start:
                    continue
                if (self.until and day > self.until) or (self.count and found >= self.count) or day > LAST_DAY:
                    return
                found += 1
                yield day

    def index(self, start: date, day: date) -> int:
        """The InstanceIndex of the occurrence on this day, from 1; 0 when there is none."""
        for number, found in enumerate(self.occurrences(start), 1):
            if found >= day:
                return number if found == day else 0
        return 0

    def last(self, start: date) -> date | None:
        """The day of the last occurrence; None of a series without end, or without any occurrence."""
        if self.count:
            return next(islice(self.occurrences(start), self.count - 1, None), None)
        if not self.until or self.until < start:
            return None
        span = (self.until - start).days
        months = (self.until.year - start.year) * 12 + self.until.month - start.month
        number = {"day": span, "week": (span + 7) // 7, "month": months}[self.unit] // self.interval
        for candidate in range(number, -1, -1):
            days = [day for day in self.period(start, candidate) if start <= day <= self.until]
            if days:
                return days[-1]
        return None

    def normal(self, start: date) -> Rule:
        """The same series, in the one way of saying it: two rules are alike exactly when their normal forms are equal."""
        rule = self
        if rule.unit == "week" and rule.interval == 1 and rule.days == EVERY_DAY:
            rule = replace(rule, unit="day", days=frozenset(), first=0)
        if rule.unit == "day" and rule.interval % 7 == 0:
            rule = replace(rule, unit="week", interval=rule.interval // 7, days=frozenset((start.weekday(),)), first=0)
        if rule.unit == "week" and (rule.interval == 1 or len(rule.days) == 1):
            rule = replace(rule, first=0)
        if rule.unit == "month" and rule.position and rule.days == EVERY_DAY:
            rule = replace(rule, days=frozenset(), month_day=rule.position if rule.position > 0 else 31, position=0)
        if rule.month_day and rule.month_day >= max(lengths(rule, start)):
            rule = replace(rule, month_day=31)
        if rule.until:
            rule = replace(rule, until=rule.last(start) or rule.until)
        return rule


def lengths(rule: Rule, start: date) -> set[int]:
    """How many days the months of a monthly series have; February has 28 or 29."""
    months = {(start.month - 1 + number * rule.interval) % 12 + 1 for number in range(12)}
    return {calendar.monthrange(year, month)[1] for month in months for year in (2023, 2024)}


def _day_in(year: int, month: int, rule: Rule) -> date:
    length = calendar.monthrange(year, month)[1]
    if not rule.position:
        return date(year, month, min(rule.month_day, length))
    days = [day for day in range(1, length + 1) if calendar.weekday(year, month, day) in rule.days]
    return date(year, month, days[rule.position - 1 if rule.position > 0 else -1])


# ---- Exchange


def from_element(recurrence: etree._Element) -> Rule:
    """A `t:Recurrence`; `BadItem` for a pattern that is not one of an event's."""
    try:
        pattern, ending = [child for child in recurrence if isinstance(child.tag, str)]
        return _from_parts(pattern, ending)
    except ValueError as error:
        raise BadItem(f"the server describes a recurrence that cannot be read: {error}") from error


def _from_parts(pattern: etree._Element, ending: etree._Element) -> Rule:
    name = soap.name(pattern)
    interval = max(1, int(soap.text(pattern, "Interval") or 1))
    days = frozenset[int]().union(*map(_days, soap.text(pattern, "DaysOfWeek").split()))
    month_day = min(31, int(soap.text(pattern, "DayOfMonth") or 0))
    position = INDEXES.get(soap.text(pattern, "DayOfWeekIndex"), 0)
    if "DaysOfWeek" in {soap.name(child) for child in pattern} and not days:
        raise BadItem("its recurrence names no day")
    if name == "DailyRecurrence":
        rule = Rule("day", interval)
    elif name == "WeeklyRecurrence":
        first = soap.text(pattern, "FirstDayOfWeek") or "Sunday"
        rule = Rule("week", interval, days, first=NAMES.index(first))
    elif name in ("AbsoluteMonthlyRecurrence", "AbsoluteYearlyRecurrence"):
        rule = Rule("month", interval if "Monthly" in name else 12, month_day=month_day)
    elif name in ("RelativeMonthlyRecurrence", "RelativeYearlyRecurrence"):
        rule = Rule("month", interval if "Monthly" in name else 12, days, position)
    else:
        raise BadItem(f"the recurrence {name} has no counterpart in iCalendar")
    if number := soap.text(ending, "NumberOfOccurrences"):
        return replace(rule, count=int(number))
    until = soap.text(ending, "EndDate")
    return replace(rule, until=date.fromisoformat(until[:10])) if until else rule


def to_xml(rule: Rule, start: date) -> str:
    """A `t:Recurrence` of a series that begins on this day."""
    return f"<t:Recurrence>{pattern_xml(rule, start)}{_range_xml(rule, start)}</t:Recurrence>"


def pattern_xml(rule: Rule, start: date) -> str:
    interval = f"<t:Interval>{rule.interval}</t:Interval>"
    if rule.unit == "day":
        return f"<t:DailyRecurrence>{interval}</t:DailyRecurrence>"
    if rule.unit == "week":
        days = " ".join(NAMES[day] for day in sorted(rule.days))
        return (
            f"<t:WeeklyRecurrence>{interval}<t:DaysOfWeek>{days}</t:DaysOfWeek>"
            f"<t:FirstDayOfWeek>{NAMES[rule.first]}</t:FirstDayOfWeek></t:WeeklyRecurrence>"
        )
    yearly = rule.interval == 12
    kind = ("Relative" if rule.position else "Absolute") + ("Yearly" if yearly else "Monthly")
    if rule.position:
        index = next(name for name, number in INDEXES.items() if number == rule.position)
        inner = f"<t:DaysOfWeek>{_day_name(rule.days)}</t:DaysOfWeek><t:DayOfWeekIndex>{index}</t:DayOfWeekIndex>"
    else:
        # A day that the month never has is refused.
        inner = f"<t:DayOfMonth>{min(rule.month_day, max(lengths(rule, start)))}</t:DayOfMonth>"
    inner = f"{inner}<t:Month>{MONTHS[start.month - 1]}</t:Month>" if yearly else f"{interval}{inner}"
    return f"<t:{kind}Recurrence>{inner}</t:{kind}Recurrence>"


def _range_xml(rule: Rule, start: date) -> str:
    begins = f"<t:StartDate>{start.isoformat()}</t:StartDate>"
    if rule.count:
        number = f"<t:NumberOfOccurrences>{rule.count}</t:NumberOfOccurrences>"
        return f"<t:NumberedRecurrence>{begins}{number}</t:NumberedRecurrence>"
    if rule.until:
        return f"<t:EndDateRecurrence>{begins}<t:EndDate>{rule.until.isoformat()}</t:EndDate></t:EndDateRecurrence>"
    return f"<t:NoEndRecurrence>{begins}</t:NoEndRecurrence>"


def _days(name: str) -> frozenset[int]:
    return _SETS.get(name) or frozenset((NAMES.index(name),))


def _day_name(days: frozenset[int]) -> str:
    for name, known in _SETS.items():
        if days == known:
            return name
    (day,) = days
    return NAMES[day]


# ---- iCalendar: out (in is `rrule.py`)


def to_rrule(rule: Rule, start: date, until: str) -> str:
    """The value of an RRULE; `until` is the end as its DTSTART wants it (a date, UTC or floating), where there is one."""
    rule = replace(rule.normal(start), until=rule.until)
    parts: list[str] = []
    interval = rule.interval
    if rule.unit == "month" and interval % 12 == 0:
        interval //= 12
        parts = ["FREQ=YEARLY", f"BYMONTH={start.month}", *_month_parts(rule, start)]
    elif rule.unit == "month":
        parts = ["FREQ=MONTHLY", *_month_parts(rule, start)]
    elif rule.unit == "week":
        parts = ["FREQ=WEEKLY", "BYDAY=" + ",".join(CODES[day] for day in sorted(rule.days))]
        if rule.interval > 1 and len(rule.days) > 1:
            parts.append(f"WKST={CODES[rule.first]}")
    else:
        parts = ["FREQ=DAILY"]
    if interval > 1:
        parts.insert(1, f"INTERVAL={interval}")
    if rule.count:
        parts.append(f"COUNT={rule.count}")
    elif rule.until:
        parts.append(f"UNTIL={until}")
    return ";".join(parts)


def _month_parts(rule: Rule, start: date) -> list[str]:
    if rule.position and len(rule.days) == 1:
        return [f"BYDAY={rule.position}{CODES[min(rule.days)]}"]
    if rule.position:
        return ["BYDAY=" + ",".join(CODES[day] for day in sorted(rule.days)), f"BYSETPOS={rule.position}"]
    found = lengths(rule, start)
    day = min(rule.month_day, max(found))
    if day <= min(found):
        return [f"BYMONTHDAY={day}"]
    if day == max(found):
        return ["BYMONTHDAY=-1"]
    return ["BYMONTHDAY=" + ",".join(map(str, range(28, day + 1))), "BYSETPOS=-1"]


def check_interval(rule: Rule) -> Rule:
    if rule.interval > _LONGEST[rule.unit]:
        raise BadItem(f"Exchange cannot repeat after {rule.interval} {rule.unit}s: at most {_LONGEST[rule.unit]}")
    return rule
