"""RRULE values as other programs write them, read into what Exchange can hold. Pure.

The same series can be written in many ways: `BYDAY=2TU`, `BYDAY=TU;BYSETPOS=2` and `BYDAY=TU;BYMONTHDAY=8,9,10,11,12,13,14` are
one rule. What is read here means exactly what was written; everything else raises `BadItem`, which names the part of the rule
that Exchange cannot hold.
"""

from __future__ import annotations

import re
from dataclasses import replace
from datetime import date
from datetime import datetime
from itertools import pairwise

from ews_bridge.errors import BadItem
from ews_bridge.exchange import recurrence
from ews_bridge.exchange.recurrence import CODES
from ews_bridge.exchange.recurrence import EVERY_DAY
from ews_bridge.exchange.recurrence import WEEKDAYS
from ews_bridge.exchange.recurrence import WEEKEND
from ews_bridge.exchange.recurrence import Rule

_BYDAY = re.compile(r"([+-]?\d{1,2})?(MO|TU|WE|TH|FR|SA|SU)")
#: RFC 7529.
_EXTENSION = ("RSCALE", "SKIP")
_KNOWN = frozenset(
    (
        "FREQ",
        "INTERVAL",
        "COUNT",
        "UNTIL",
        "WKST",
        "BYDAY",
        "BYMONTHDAY",
        "BYMONTH",
        "BYSETPOS",
        "BYHOUR",
        "BYMINUTE",
        "BYSECOND",
        *_EXTENSION,
    )
)


def parts(value: str) -> dict[str, str]:
    """The parts of an RRULE by name. Unknown parts, and parts that are given twice, make it unreadable."""
    found: dict[str, str] = {}
    for part in filter(None, value.strip().upper().split(";")):
        name, _, text = part.partition("=")
        if name in found or not text:
            raise BadItem(f"its recurrence rule {value} cannot be read")
        found[name] = text
    return found


def read(value: str, start: date | datetime) -> Rule:
    """A rule without its end, for a series that begins at `start` (its local time); `BadItem` for what Exchange cannot hold."""
    try:
        rule = _read(parts(value), start)
    except ValueError as error:
        raise BadItem(f"its recurrence rule {value} cannot be read") from error
    except BadItem as error:
        raise BadItem(f"Exchange cannot hold its recurrence rule {value}: {error}") from error
    day = start.date() if isinstance(start, datetime) else start
    if day not in rule.period(day, 0):
        raise BadItem(f"it begins on {day}, which is no day of its recurrence rule {value}")
    return recurrence.check_interval(rule)


def _read(part: dict[str, str], start: date | datetime) -> Rule:
    for name in part:
        if name not in _KNOWN:
            raise BadItem(f"it has no {name}")
    _same_time(part, start)
    frequency = part.get("FREQ", "")
    interval = int(part.get("INTERVAL", "1"))
    if interval < 1:
        raise BadItem("an interval of nothing")
    day = start.date() if isinstance(start, datetime) else start
    if part.get("RSCALE", "GREGORIAN") != "GREGORIAN":
        raise BadItem(f"it has no calendar {part['RSCALE']}")
    if part.get("SKIP", "OMIT") == "FORWARD" or ("SKIP" in part and frequency != "MONTHLY"):
        raise BadItem("it has no SKIP")
    if frequency == "DAILY":
        return _daily(part, interval)
    if frequency == "WEEKLY":
        return _weekly(part, interval, day)
    if frequency == "MONTHLY":
        return _monthly(part, interval, day)
    if frequency == "YEARLY":
        return _yearly(part, interval, day)
    raise BadItem(f"it has no {frequency or 'rule without FREQ'}")


def _same_time(part: dict[str, str], start: date | datetime) -> None:
    """BYHOUR and its like say nothing new where they name the time of the start."""
    now = (start.hour, start.minute, start.second) if isinstance(start, datetime) else (-1, -1, -1)
    for name, number in zip(("BYHOUR", "BYMINUTE", "BYSECOND"), now, strict=True):
        if name in part and _numbers(part, name) != [number]:
            raise BadItem(f"several times a day ({name}={part[name]})")


def _daily(part: dict[str, str], interval: int) -> Rule:
    _none_of(part, "BYMONTHDAY", "BYMONTH", "BYSETPOS")
    if "BYDAY" not in part:
        return Rule("day", interval)
    if interval > 1:
        raise BadItem(f"every {interval} days, but on certain days of the week only")
    return Rule("week", 1, _plain_days(part))


def _weekly(part: dict[str, str], interval: int, day: date) -> Rule:
    _none_of(part, "BYMONTHDAY", "BYMONTH", "BYSETPOS")
    days = _plain_days(part) if "BYDAY" in part else frozenset((day.weekday(),))
    return Rule("week", interval, days, first=CODES.index(part.get("WKST", "MO")))


def _monthly(part: dict[str, str], interval: int, day: date) -> Rule:
    if "BYMONTH" in part:
        if interval > 1:
            raise BadItem(f"every {interval} months, but in certain months only")
        return _yearly(part, 1, day)
    return _in_month(part, interval, day)


def _yearly(part: dict[str, str], interval: int, day: date) -> Rule:
    months = sorted(set(_numbers(part, "BYMONTH"))) if "BYMONTH" in part else [day.month]
    if not all(1 <= month <= 12 for month in months) or day.month not in months:
        raise BadItem(f"it begins in month {day.month}, and is in {part.get('BYMONTH', '')}")
    if "BYMONTH" not in part and "BYDAY" in part:
        if interval == 1 and not set(part) & {"BYMONTHDAY", "BYSETPOS"} and not re.search(r"\d", part["BYDAY"]):
            return Rule("week", 1, _plain_days(part))
        raise BadItem("days of the week counted over the whole year")
    if "BYMONTH" not in part and "BYMONTHDAY" in part:
        months = list(range(1, 13)) if interval == 1 else []
    steps = {later - sooner for sooner, later in pairwise([*months, months[0] + 12])} if months else set()
    if len(steps) != 1 or (len(months) > 1 and interval > 1):
        raise BadItem(f"months that are not evenly apart ({part.get('BYMONTH', 'all')}, every {interval} years)")
    if len(months) > 1 and "BYSETPOS" in part and part.get("FREQ") == "YEARLY":
        raise BadItem("a choice (BYSETPOS) out of several months")
    return _in_month(part, steps.pop() * interval, day)


def _in_month(part: dict[str, str], interval: int, day: date) -> Rule:
    """A rule for the months that the interval gives."""
    position = _numbers(part, "BYSETPOS") if "BYSETPOS" in part else []
    if len(position) > 1:
        raise BadItem(f"several of a month's days (BYSETPOS={part['BYSETPOS']})")
    chosen = position[0] if position else 0
    if "BYDAY" in part:
        return _week_days(part, interval, chosen, day)
    numbers = sorted(set(_numbers(part, "BYMONTHDAY"))) if "BYMONTHDAY" in part else [day.day]
    if len(numbers) == 1 and chosen in (0, 1, -1):
        return _month_day(numbers[0], interval, day, backward=part.get("SKIP") == "BACKWARD")
    # The last of the days 28 to n, where they exist: what Exchange does with day n.
    if chosen == -1 and numbers == list(range(28, numbers[-1] + 1)) and numbers[-1] <= 31:
        return Rule("month", interval, month_day=numbers[-1])
    if chosen > 0 and numbers == list(range(1, numbers[-1] + 1)) and chosen <= min(28, numbers[-1]):
        return Rule("month", interval, month_day=chosen)
    if chosen == -1 and numbers == list(range(1, 32)):
        return Rule("month", interval, month_day=31)
    raise BadItem(f"several days of a month (BYMONTHDAY={part.get('BYMONTHDAY', day.day)})")


def _month_day(number: int, interval: int, day: date, *, backward: bool) -> Rule:
    if number == -1:
        return Rule("month", interval, month_day=31)
    if not 1 <= number <= 31:
        raise BadItem(f"days counted from the end of a month (BYMONTHDAY={number})")
    rule = Rule("month", interval, month_day=number)
    if number > min(recurrence.lengths(rule, day)) and not backward:
        raise BadItem(f"months without a day {number} are left out, and Exchange would take their last day")
    return rule


def _week_days(part: dict[str, str], interval: int, chosen: int, day: date) -> Rule:
    found = _days(part)
    ordinals = {ordinal for ordinal, _ in found}
    days = frozenset(number for _, number in found)
    if "BYMONTHDAY" in part:
        return _within(part, interval, chosen, days if ordinals == {0} else frozenset())
    if ordinals == {0} and not chosen:
        if interval == 1:
            return Rule("week", 1, days)
        if len(days) == 7:
            raise BadItem(f"every day of every {interval}. month")
        raise BadItem(f"all such days of a month (BYDAY={part['BYDAY']})")
    if ordinals != {0}:
        if len(found) > 1 or chosen not in (0, 1, -1):
            raise BadItem(f"several days of a month (BYDAY={part['BYDAY']})")
        chosen = ordinals.pop()
    if chosen not in (1, 2, 3, 4, -1):
        raise BadItem(f"the day number {chosen} of a month: it has the first four and the last")
    if len(days) > 1 and days not in (EVERY_DAY, WEEKDAYS, WEEKEND):
        raise BadItem(f"a choice out of {part['BYDAY']}: it can choose of all days, weekdays or weekend days")
    return Rule("month", interval, days, chosen)


def _within(part: dict[str, str], interval: int, chosen: int, days: frozenset[int]) -> Rule:
    """A day of the week that falls on one of seven days of the month: another way to say which one."""
    numbers = sorted(set(_numbers(part, "BYMONTHDAY")))
    weeks = {1: (1, 7), 2: (8, 14), 3: (15, 21), 4: (22, 28), -1: (-7, -1)}
    for position, (lowest, highest) in weeks.items():
        if len(days) == 1 and chosen in (0, 1, -1) and numbers == list(range(lowest, highest + 1)):
            return Rule("month", interval, days, position)
    raise BadItem(f"days of the week on certain days of the month (BYMONTHDAY={part['BYMONTHDAY']})")


def _plain_days(part: dict[str, str]) -> frozenset[int]:
    found = _days(part)
    if any(ordinal for ordinal, _ in found):
        raise BadItem(f"numbered days of the week in a rule that is not monthly (BYDAY={part['BYDAY']})")
    return frozenset(day for _, day in found)


def _days(part: dict[str, str]) -> list[tuple[int, int]]:
    """(ordinal or 0, day of the week) of each day in BYDAY."""
    found = []
    for text in part["BYDAY"].split(","):
        match = _BYDAY.fullmatch(text.strip())
        if not match:
            raise ValueError(text)
        found.append((int(match[1] or 0), CODES.index(match[2])))
    return found


def _numbers(part: dict[str, str], name: str) -> list[int]:
    return [int(text) for text in part[name].split(",")]


def _none_of(part: dict[str, str], *names: str) -> None:
    for name in names:
        if name in part:
            raise BadItem(f"a {part['FREQ'].lower()} rule with {name}")


def with_end(rule: Rule, value: str, start: date, until: date | None) -> Rule:
    """A rule with the end that its RRULE names: COUNT, or the last day on which UNTIL lets it occur.

    `BadItem` for a series that is over before it begins, which Exchange refuses.
    """
    part = parts(value)
    count = part.get("COUNT", "")
    if count and not (count.isdecimal() and int(count)):
        raise BadItem(f"its recurrence rule {value} cannot be read")
    if count and until:
        raise BadItem(f"its recurrence rule {value} has two ends")
    # One count more than the server's limit of 999 would be cut off there; it is given as the day it ends.
    ended = replace(rule, count=int(count or 0), until=until)
    if ended.count > 999:
        ended = replace(ended, count=0, until=ended.last(start))
    if until and ended.last(start) is None:
        raise BadItem(f"it never takes place: its recurrence rule {value} ends before it begins")
    return ended
