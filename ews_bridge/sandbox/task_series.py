"""Tasks that recur: which day comes next, and the one-off task that a finished or moved occurrence becomes.

A recurring task is one item that stands for its current occurrence. The pattern is counted from the start of its range; a
regenerating task comes again so long after it was done, and its range moves along.
"""

from __future__ import annotations

import calendar
import datetime as dt

from lxml import etree

from . import properties
from . import recurrence
from . import tasks
from .errors import ItemError
from .markup import Element
from .markup import children
from .markup import local
from .markup import t
from .store import Item
from .tasks import DAY
from .tasks import DONE
from .tasks import DUE
from .tasks import START

UNITS = {"DailyRegeneration": "day", "WeeklyRegeneration": "week", "MonthlyRegeneration": "month", "YearlyRegeneration": "year"}


def regenerates(series: Element) -> bool:
    """Whether the task comes again after it was done, instead of by the calendar."""
    return local(children(series)[0]) in UNITS


def recurs(item: Item) -> bool:
    """Whether this is a task that recurs."""
    return item.kind == "Task" and "Recurrence" in item.declared


def begin(item: Item) -> None:
    """Give a recurring task without dates the first of its days. ItemError for a recurrence that Exchange does not take."""
    series = tasks.recurrence(item)
    if series is None:
        return
    first = _check(series)
    if DUE in item.props or START in item.props:
        return
    for prop in (START, DUE):
        properties.write(item, prop, "SystemTime", _seconds(first))


def split(item: Item, before: Item) -> Item | None:
    """The one-off task that an update made of the current occurrence, with the series moved on to its next day.

    It has all the properties of the series, and PidLidTaskDeadOccurrence; so has the last occurrence of a series.

    `before` is the task as it was. None if the update concerns the series, or if there is no further occurrence: then the
    task itself has changed (UpdateItem operation (task), Remarks).
    """
    series = tasks.recurrence(item)
    if series is None or item.declared.get("Recurrence") != before.declared.get("Recurrence"):
        return None
    done = tasks.status(item) == DONE and tasks.status(before) != DONE
    moved = not regenerates(series) and any(item.props.get(prop) != before.props.get(prop) for prop in (START, DUE))
    if not done and not moved:
        return None
    following = _next_day(before, series, item)
    if following is None:
        _bury(item)
        return None
    single = item.twin()
    single.created = item.mailbox.world.time()
    _bury(single)
    del single.declared["Recurrence"]
    item.props, item.declared, item.mime = before.props, before.declared, before.mime
    item.mailbox.world.forget(item)
    _move_on(item, series, following)
    return single


def _bury(item: Item) -> None:
    """Note that no occurrence follows on this task."""
    properties.write(item, tasks.DEAD, "Boolean", value=True)


def skip(item: Item) -> bool:
    """Go on to the next occurrence of a recurring task; False if there is none."""
    series = tasks.recurrence(item)
    following = None if series is None else _next_day(item, series, item)
    if series is None or following is None:
        return False
    _move_on(item, series, following)
    return True


def _move_on(item: Item, series: Element, following: dt.date) -> None:
    start, due = (properties.read(item, prop, "SystemTime") for prop in (START, DUE))
    if isinstance(due, int):
        properties.write(item, DUE, "SystemTime", _seconds(following))
    if isinstance(start, int):
        lead = due - start if isinstance(due, int) else 0
        properties.write(item, START, "SystemTime", _seconds(following) - lead)
    tasks.set_progress(item, tasks.NOT_STARTED, 0, None)
    if regenerates(series):
        _shorten(series, following)
        item.declared["Recurrence"] = etree.tostring(series)


def _next_day(before: Item, series: Element, after: Item) -> dt.date | None:
    if regenerates(series):
        return _regenerated(series, after)
    current = properties.read(before, DUE, "SystemTime") or properties.read(before, START, "SystemTime")
    if not isinstance(current, int):
        return None
    today = _day(current)
    return next((day for day in recurrence.read(series).days() if day > today), None)


def _regenerated(series: Element, item: Item) -> dt.date | None:
    pattern, bounds = children(series)
    if local(bounds) == "NumberedRecurrence" and int(bounds.findtext(t("NumberOfOccurrences")) or 1) <= 1:
        return None
    done = properties.read(item, tasks.COMPLETED, "SystemTime")
    since = _day(done if isinstance(done, int) else item.mailbox.world.time())
    following = _later(since, UNITS[local(pattern)], int(pattern.findtext(t("Interval")) or 1))
    end = bounds.findtext(t("EndDate"))
    return None if end and following > recurrence.read_date(end) else following


def _later(day: dt.date, unit: str, count: int) -> dt.date:
    if unit in ("day", "week"):
        return day + dt.timedelta(days=count * (7 if unit == "week" else 1))
    months = day.year * 12 + day.month - 1 + count * (12 if unit == "year" else 1)
    year, month = months // 12, months % 12 + 1
    return dt.date(year, month, min(day.day, calendar.monthrange(year, month)[1]))


def _shorten(series: Element, following: dt.date) -> None:
    """Let the range of a regenerating task begin at its next day, with one occurrence less."""
    bounds = children(series)[1]
    start = bounds.find(t("StartDate"))
    count = bounds.find(t("NumberOfOccurrences"))
    if start is not None:
        start.text = following.isoformat() + "Z"
    if count is not None:
        count.text = str(int(count.text or 1) - 1)


def _check(series: Element) -> dt.date:
    """The first day of a series; ItemError for numbers that Exchange does not take."""
    if not regenerates(series):
        return next(recurrence.read(series).days())
    pattern, bounds = children(series)
    if not 1 <= int(pattern.findtext(t("Interval")) or 1) <= recurrence.MOST_DAYS:
        raise ItemError("ErrorCalendarInvalidRecurrence")
    return recurrence.read_date(bounds.findtext(t("StartDate")) or "")


def _day(seconds: int) -> dt.date:
    return dt.date(1970, 1, 1) + dt.timedelta(days=seconds // DAY)


def _seconds(day: dt.date) -> int:
    return (day - dt.date(1970, 1, 1)).days * DAY
