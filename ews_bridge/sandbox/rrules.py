"""RRULE (RFC 5545 section 3.3.10) and the patterns of Exchange, which are fewer: one in the words of the other."""

from __future__ import annotations

import datetime as dt

from .recurrence import WORKDAYS
from .recurrence import Pattern
from .recurrence import Recurrence

DAYS = ("MO", "TU", "WE", "TH", "FR", "SA", "SU")
UNITS = {"DAILY": "Day", "WEEKLY": "Week", "MONTHLY": "Month", "YEARLY": "Year"}
EVERY_DAY = frozenset(range(7))
KNOWN = frozenset(("FREQ", "INTERVAL", "COUNT", "UNTIL", "WKST", "BYDAY", "BYMONTHDAY", "BYMONTH", "BYSETPOS"))


class Unheld(ValueError):
    """A rule that no pattern of Exchange is."""


def write(recurrence: Recurrence, until: dt.datetime | None) -> str:
    """The rule; `until` is the last occurrence in UTC, for a recurrence with an end date."""
    pattern = recurrence.pattern
    freq = next(name for name, unit in UNITS.items() if unit == pattern.unit)
    parts = [f"FREQ={freq}"]
    if until is not None:
        parts.append(f"UNTIL={until:%Y%m%dT%H%M%SZ}")
    elif recurrence.count is not None:
        parts.append(f"COUNT={recurrence.count}")
    parts.append(f"INTERVAL={pattern.interval}")
    if pattern.day:
        parts += _write_day(pattern.day)
    elif pattern.weekdays:
        parts.append("BYDAY=" + ",".join(DAYS[number] for number in sorted(pattern.weekdays)))
    if pattern.month:
        parts.append(f"BYMONTH={pattern.month}")
    if pattern.index:
        parts.append(f"BYSETPOS={pattern.index}")
    if pattern.unit == "Week":
        parts.append(f"WKST={DAYS[pattern.first]}")
    return ";".join(parts)


def _write_day(day: int) -> list[str]:
    # A month that has no such day ends with its last one.
    if day <= 28:
        return [f"BYMONTHDAY={day}"]
    if day == 31:
        return ["BYMONTHDAY=-1"]
    return ["BYMONTHDAY=" + ",".join(str(number) for number in range(28, day + 1)), "BYSETPOS=-1"]


def read(text: str, start: dt.date, until: dt.date | None) -> Recurrence:
    """The recurrence of a rule that begins on a day; `until` is the local day of its UNTIL.

    Raises Unheld for what Exchange has no pattern for: other frequencies and parts, and combinations of them.
    """
    parts = dict(piece.upper().split("=", 1) for piece in text.strip().split(";") if "=" in piece)
    unit = UNITS.get(parts.get("FREQ", ""))
    if unit is None or not parts.keys() <= KNOWN:
        raise Unheld(text)
    try:
        pattern = _pattern(unit, parts, start)
        count = int(parts["COUNT"]) if "COUNT" in parts else None
    except ValueError as failure:
        raise Unheld(text) from failure
    if until is not None and until < start:
        raise Unheld(text)
    return Recurrence(pattern, start, until, count)


def _numbers(parts: dict[str, str], name: str) -> list[int]:
    return [int(number) for number in parts[name].split(",")] if name in parts else []


def _pattern(unit: str, parts: dict[str, str], start: dt.date) -> Pattern:
    interval = int(parts.get("INTERVAL", "1"))
    days = [(int(day[:-2] or 0), DAYS.index(day[-2:])) for day in parts["BYDAY"].split(",")] if "BYDAY" in parts else []
    weekdays = frozenset(day for _, day in days)
    month_days, months, positions = (_numbers(parts, name) for name in ("BYMONTHDAY", "BYMONTH", "BYSETPOS"))
    if unit in ("Day", "Week"):
        return _in_weeks(unit, parts, interval, weekdays, start, plain=not (month_days or months or positions or _ordinals(days)))
    month = months[0] if months else start.month if unit == "Year" else 0
    if len(months) > 1 or (months and unit == "Month"):
        raise Unheld(str(parts))
    if unit == "Year" and interval > 1:
        # Every second year is every 24th month; Exchange knows no other yearly interval than one.
        if month != start.month:
            raise Unheld(str(parts))
        unit, month, interval = "Month", 0, interval * 12
    if days:
        if month_days or (unit == "Year" and not months and _ordinals(days)):
            raise Unheld(str(parts))
        return Pattern(unit, interval, weekdays, index=_index(days, positions), month=month)
    return Pattern(unit, interval, day=_month_day(month_days, positions, start), month=month)


def _ordinals(days: list[tuple[int, int]]) -> bool:
    return any(ordinal for ordinal, _ in days)


def _in_weeks(
    unit: str, parts: dict[str, str], interval: int, weekdays: frozenset[int], start: dt.date, *, plain: bool
) -> Pattern:
    if not plain or (unit == "Day" and weekdays and interval != 1):
        raise Unheld(str(parts))
    if unit == "Day" and not weekdays:
        return Pattern("Day", interval)
    first = DAYS.index(parts.get("WKST", "MO"))
    return Pattern("Week", interval, weekdays or frozenset((start.weekday(),)), first)


def _index(days: list[tuple[int, int]], positions: list[int]) -> int:
    """Which of the days: by BYSETPOS, or by the ordinal of a single day."""
    weekdays = frozenset(day for _, day in days)
    ordinals = {ordinal for ordinal, _ in days}
    if positions:
        index = positions[0]
        if len(positions) > 1 or ordinals != {0}:
            raise Unheld("BYSETPOS")
    else:
        index = ordinals.pop()
        if ordinals or len(days) > 1:
            raise Unheld("BYDAY")
    sets = (EVERY_DAY, WORKDAYS, EVERY_DAY - WORKDAYS)
    if index not in (1, 2, 3, 4, -1) or (len(weekdays) > 1 and weekdays not in sets):
        raise Unheld("BYDAY")
    return index


def _month_day(month_days: list[int], positions: list[int], start: dt.date) -> int:
    if not month_days and not positions:
        return start.day
    if month_days == [-1] and not positions:
        return 31
    if positions == [-1] and month_days == list(range(28, max(month_days) + 1)):
        return max(month_days)
    if len(month_days) == 1 and not positions and month_days[0] > 0:
        return month_days[0]
    raise Unheld("BYMONTHDAY")
