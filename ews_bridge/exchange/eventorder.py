"""In which order the occurrences of a series are changed, and which order they must keep. Pure.

Exchange lets no occurrence pass the one before or after it, nor be on the same day (MS-OXOCAL 3.1.4.4.2), at no time: also not
between two requests.
"""

from __future__ import annotations

from datetime import date

from ews_bridge.errors import BadItem
from ews_bridge.exchange.form import Occurrence
from ews_bridge.exchange.occasion import Event
from ews_bridge.exchange.occasion import Series


def moves(before: Event, after: Event) -> int:
    """Whether an occurrence moves to a later day (1), an earlier one (-1), or to none (0)."""
    return (after.start.date() > before.start.date()) - (after.start.date() < before.start.date())


def in_order(found: list[tuple[int, Occurrence]]) -> tuple[Occurrence, ...]:
    """In an order in which the server takes them: deletions make room; of those that move to later days the last goes first."""

    def place(pair: tuple[int, Occurrence]) -> tuple[bool, bool, int]:
        move, one = pair
        return bool(one.updates), move <= 0, -one.index if move > 0 else one.index

    return tuple(one for _, one in sorted(found, key=place))


def check(master: Event, series: Series) -> None:
    """`BadItem` where an occurrence would pass the one before or after it, or be on its day."""
    if not series.changed:
        return
    starts = {key.date(): one.start.date() for key, one in series.changed.items()}
    latest = max(starts)
    previous = date.min
    for day in master.days():
        if day in series.deleted:
            continue
        now = starts.get(day, day)
        if now <= previous:
            raise BadItem(f"its occurrence of {day} would be on or before the day of the one before it, which Exchange refuses")
        previous = now
        if day > latest:
            break
