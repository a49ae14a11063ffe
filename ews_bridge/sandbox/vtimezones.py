"""VTIMEZONE (RFC 5545 section 3.6.5) as rules: a zone that this server knows by name, or else a custom one."""

from __future__ import annotations

import datetime as dt
import re
from functools import cache
from itertools import pairwise
from zoneinfo import ZoneInfo
from zoneinfo import ZoneInfoNotFoundError

from .icalendar_lines import Component
from .rrules import DAYS
from .timezones import Change
from .timezones import Era
from .timezones import Zone
from .timezones import last_day
from .timezones import like
from .timezones import named

WEEKDAY = re.compile(r"(?P<ordinal>[+-]?\d+)?(?P<day>[A-Z]{2})")
YEAR = 2026


def zones_in(calendar: Component) -> dict[str, Zone]:
    """The zones that a calendar describes, by their TZID; descriptions that cannot be read are left out."""
    found: dict[str, Zone] = {}
    for component in calendar.within("VTIMEZONE"):
        identifier = component.text("TZID")
        zone = named(identifier) or _described(component, identifier)
        if zone is not None:
            found[identifier] = zone
    return found


@cache
def in_database(identifier: str) -> Zone | None:
    """The zone of an IANA name, which newer servers know without a description: by its changes in YEAR."""
    try:
        where = ZoneInfo(identifier)
    except (ValueError, OSError, ZoneInfoNotFoundError):
        return None

    def offset(moment: dt.datetime) -> int:
        found = moment.astimezone(where).utcoffset()
        return int(found.total_seconds()) // 60 if found is not None else 0

    first = dt.datetime(YEAR, 1, 1, tzinfo=dt.UTC)
    hours = [first + dt.timedelta(hours=number) for number in range(366 * 24)]
    changes = [(before, offset(before), offset(after)) for before, after in pairwise(hours) if offset(before) != offset(after)]
    base = min(offset(first), offset(first + dt.timedelta(days=182)))
    era = Era(0, base, base)
    if len(changes) == 2:
        (summer, _, daylight), (winter, *_) = sorted(changes, key=lambda change: change[1] - change[2])
        era = Era(0, base, daylight, _rule(summer, base), _rule(winter, daylight))
    return like((era,), identifier, identifier)


def _rule(last_hour: dt.datetime, offset: int) -> Change:
    """The rule of a change at the end of that hour."""
    clock = last_hour.replace(tzinfo=None) + dt.timedelta(hours=1, minutes=offset)
    return _by_weekday(clock.date(), clock.hour * 60 + clock.minute)


def _by_weekday(day: dt.date, clock: int) -> Change:
    # Only the day in one year is told: what it has in common with those of other years is the day of the week.
    last = last_day(day.year, day.month).day - day.day < 7
    return Change(day.month, -1 if last else (day.day - 1) // 7 + 1, day.weekday(), clock)


def _described(component: Component, identifier: str) -> Zone | None:
    try:
        standard = _current(component, "STANDARD")
        daylight = _current(component, "DAYLIGHT")
        if standard is None:
            return None
        base = _minutes(standard.text("TZOFFSETTO"))
        era = Era(0, base, base)
        if daylight is not None:
            summer = _minutes(daylight.text("TZOFFSETTO"))
            if summer != base:
                era = Era(0, base, summer, _change(daylight), _change(standard))
    except (ValueError, KeyError):
        return None
    return like((era,), identifier, identifier)


def _current(component: Component, name: str) -> Component | None:
    """The half that holds today: of those with a rule that does not end the last, else the last of all."""
    halves = sorted(component.within(name), key=lambda half: half.text("DTSTART"))
    endless = [half for half in halves if half.line("RRULE") is not None and "UNTIL" not in half.text("RRULE").upper()]
    chosen = endless or halves
    return chosen[-1] if chosen else None


def _minutes(text: str) -> int:
    found = re.fullmatch(r"([+-])(\d\d)(\d\d)(?:\d\d)?", text.strip())
    if found is None:
        raise ValueError(text)
    total = int(found[2]) * 60 + int(found[3])
    return -total if found[1] == "-" else total


def _change(half: Component) -> Change:
    parts = dict(piece.split("=", 1) for piece in half.text("RRULE").upper().split(";") if "=" in piece)
    start = half.text("DTSTART")
    clock = int(start[9:11]) * 60 + int(start[11:13])
    month = int(parts.get("BYMONTH") or start[4:6])
    days = [int(day) for day in parts.get("BYMONTHDAY", "").split(",") if day]
    found = WEEKDAY.fullmatch(parts.get("BYDAY", ""))
    if not parts:
        return _by_weekday(dt.date(int(start[:4]), int(start[4:6]), int(start[6:8])), clock)
    if found is None:
        return Change(month, 0, 0, clock, days[0] if days else int(start[6:8]))
    weekday = DAYS.index(found["day"])
    if found["ordinal"]:
        occurrence = int(found["ordinal"])
    elif days:
        # The Sunday on or after the eighth is the second one.
        occurrence = -1 if min(days) > 21 and max(days) > 28 else (min(days) - 1) // 7 + 1
    else:
        raise ValueError("a weekday without a place")
    return Change(month, -1 if occurrence in (-1, 5) else occurrence, weekday, clock)
