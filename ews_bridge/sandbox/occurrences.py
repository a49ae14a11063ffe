"""The occurrences of a series: each an item that is made when it is asked for, shown and changed as any other.

A series is one item that holds its exceptions; `save` puts the changes of an occurrence back into it.
"""

from __future__ import annotations

import datetime as dt
from typing import TypeVar

from . import content
from . import global_ids
from . import timezones
from .appointments import DERIVED
from .appointments import END
from .appointments import GLOBAL_ID
from .appointments import OCCURRENCE_CLASS
from .appointments import START
from .appointments import derive
from .appointments import identifier
from .appointments import moment
from .appointments import recurrence
from .appointments import times
from .store import Item
from .store import Overlay

Key = TypeVar("Key")
Kept = TypeVar("Kept")


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
    derive(shown)
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


def first_and_last(series: Item) -> tuple[Item | None, Item | None]:
    """The first and the last occurrence that is not deleted; no last one where there is no end."""
    found = recurrence(series)
    if found is None:
        return None, None
    ahead = (day for day in found.days() if day.toordinal() not in series.deleted)
    first = next(ahead, None)
    if first is None:
        return None, None
    if found.end is None and found.count is None:
        return occurrence(series, first), None
    last = first
    for day in ahead:
        last = day
    return occurrence(series, first), occurrence(series, last)


def exceptions(series: Item) -> list[Item]:
    """The occurrences that differ from the pattern, in the order of their days."""
    return [occurrence(series, dt.date.fromordinal(day)) for day in sorted(series.exceptions)]


def within(item: Item, begin: int, end: int) -> list[Item]:
    """What of an item touches the time from `begin` to `end`: itself, or occurrences of a series; in order of their begin."""
    found = recurrence(item)
    if found is None:
        return [item] if _touches(item, begin, end) else []
    # A day more on either side, for zones far from Greenwich; moved occurrences are asked about one by one.
    last = (timezones.EPOCH + dt.timedelta(seconds=end, days=1)).date()
    lasting = moment(item, END) - moment(item, START)
    first = (timezones.EPOCH + dt.timedelta(seconds=begin - lasting, days=-1)).date()
    kept = item.deleted | item.exceptions.keys()
    fixed = [day for day in found.between(first, last) if day.toordinal() not in kept]
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


def save(item: Item, *, was_read: bool = True, read_only: bool = False) -> None:
    """Note a change to an item; a changed occurrence goes into its series, and that is what has changed."""
    series = item.master
    if series is None:
        item.mailbox.touch(item, was_read=was_read, read_only=read_only)
        return
    fold(item)
    series.mailbox.touch(series, was_read=series.read, read_only=False)
    item.change = series.change


def delete_occurrence(shown: Item) -> None:
    """Take an occurrence out of its series; nothing goes to Deleted Items."""
    series = shown.master
    if series is None:
        raise ValueError("not an occurrence")
    series.exceptions.pop(shown.occurrence, None)
    series.deleted.add(shown.occurrence)
    series.mailbox.touch(series, was_read=series.read, read_only=False)
