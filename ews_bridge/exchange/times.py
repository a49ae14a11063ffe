"""Dates and times as iCalendar writes them (RFC 5545 section 3.3): DATE, DATE-TIME in all its forms, DURATION. Pure."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC
from datetime import datetime
from datetime import timedelta

from ews_bridge.errors import BadItem
from ews_bridge.exchange import zones
from ews_bridge.exchange.contentline import Component
from ews_bridge.exchange.contentline import Line
from ews_bridge.exchange.contentline import quote
from ews_bridge.exchange.zones import Zone

_TIME = re.compile(r"(\d{8})(?:T(\d{6})(Z?))?")
_DURATION = re.compile(r"([+-]?)P(?:(\d+)W)?(?:(\d+)D)?(?:T(?:(\d+)H)?(?:(\d+)M)?(?:(\d+)S)?)?")
#: Outside of these years no server and no reader agrees on what a date is.
_YEARS = (1601, 4500)


@dataclass(frozen=True, slots=True)
class Time:
    """One value: a wall clock time in a zone; `zone` is None of a floating time; `day` of a mere date (at midnight)."""

    wall: datetime
    zone: Zone | None = None
    day: bool = False

    def moment(self, home: Zone) -> datetime:
        return (self.zone or home).moment(self.wall)

    def within(self, zone: Zone, home: Zone) -> datetime:
        """On the wall clock of a zone; of a floating time and a date just itself."""
        if self.day or self.zone is None or self.zone == zone:
            return self.wall
        return zone.local(self.moment(home)).replace(fold=0)


@dataclass(frozen=True, slots=True)
class Reader:
    """Reads the times of one file: `definitions` are its VTIMEZONEs, `years` those of its events."""

    definitions: Mapping[str, Component]
    years: tuple[int, int]

    def times(self, line: Line) -> list[Time]:
        """The values of a property: one, or a list (EXDATE, RDATE)."""
        return [self._time(value.strip(), line) for value in line.value.split(",")]

    def time(self, line: Line) -> Time:
        return self._time(line.value.strip(), line)

    def _time(self, value: str, line: Line) -> Time:
        found = _TIME.fullmatch(value)
        if not found:
            raise BadItem(f"{line.name} is no time that can be read: {value!r}")
        try:
            wall = datetime.strptime(found[1] + (found[2] or "000000"), "%Y%m%d%H%M%S")
        except ValueError as error:
            raise BadItem(f"{line.name} is no time of the calendar: {value}") from error
        if not _YEARS[0] <= wall.year < _YEARS[1]:
            raise BadItem(f"{line.name} lies outside of Exchange's calendar: {value}")
        if not found[2]:
            return Time(wall, day=True)
        if found[3]:
            return Time(wall, zones.UTC_ZONE)
        tzid = line.parameter("TZID")
        return Time(wall, zones.from_tzid(tzid, self.definitions, self.years) if tzid else None)


def years(events: list[Component]) -> tuple[int, int]:
    """The years in which these events take place, as far as it can be told before their times are read; at most ten."""
    found = [int(event.value("DTSTART")[:4]) for event in events if event.value("DTSTART")[:4].isdecimal()]
    if not found:
        return zones.TODAY
    first = min(max(min(found), 1900), 2100)
    last = first + 10 if any(event.line("RRULE") for event in events) else min(max(found), first + 10)
    return first, last


def duration(value: str) -> tuple[timedelta, timedelta]:
    """(days, which the wall clock counts; hours and less, which pass). `BadItem` for a length below nothing."""
    found = _DURATION.fullmatch(value.strip().upper())
    if not found or value.strip().upper().endswith(("P", "T")):
        raise BadItem(f"a length of time that cannot be read: {value!r}")
    sign, weeks, days, hours, minutes, seconds = found.groups()
    nominal = timedelta(days=7 * int(weeks or 0) + int(days or 0))
    exact = timedelta(hours=int(hours or 0), minutes=int(minutes or 0), seconds=int(seconds or 0))
    return (-nominal, -exact) if sign == "-" else (nominal, exact)


def line(name: str, wall: datetime, zone: Zone, *, day: bool, floating: bool) -> Line:
    """A time as a property. The second of two like hours has no other form than UTC."""
    if day:
        return Line(name, f"{wall:%Y%m%d}", (("VALUE", "DATE"),))
    if floating:
        return Line(name, f"{wall:%Y%m%dT%H%M%S}")
    if zone.windows == "UTC":
        return Line(name, f"{wall:%Y%m%dT%H%M%SZ}")
    return Line(name, f"{wall:%Y%m%dT%H%M%S}", (("TZID", quote(zone.tzid)),))


def utc(moment: datetime) -> str:
    return f"{moment.astimezone(UTC):%Y%m%dT%H%M%SZ}"
