"""VALARM (RFC 5545 section 3.6.6) ⇄ the one reminder that Exchange has: so many minutes before the start. Pure.

Of the alarms that Exchange could hold it gets the one that rings last; all others stay in the file as they are.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta

from ews_bridge.errors import BadItem
from ews_bridge.exchange import times
from ews_bridge.exchange.contentline import Component

_KINDS = ("DISPLAY", "AUDIO")
#: Five years; more the server does not take.
_LONGEST = 2629800


def read(event: Component) -> tuple[int | None, tuple[str, ...], list[str]]:
    """(minutes before the start, the lines inside that alarm, the lines of all other alarms)"""
    found = [(minutes(alarm), alarm) for alarm in event.inside("VALARM")]
    able = [number for number, _ in found if number is not None]
    reminder = min(able, default=None)
    chosen = next((alarm for number, alarm in found if number == reminder and number is not None), None)
    others = [line for _, alarm in found if alarm is not chosen for line in alarm]
    return reminder, tuple(chosen)[1:-1] if chosen else (), others


def minutes(alarm: Component) -> int | None:
    """How long before the start it rings; None of an alarm that Exchange cannot hold."""
    trigger = alarm.line("TRIGGER")
    if not trigger or trigger.parameter("RELATED").upper() == "END" or trigger.parameter("VALUE").upper() == "DATE-TIME":
        return None
    if alarm.value("ACTION").strip().upper() not in _KINDS or alarm.line("REPEAT"):
        return None
    try:
        length = -sum(times.duration(trigger.value), timedelta())
    except BadItem:
        return None
    whole = length.total_seconds() / 60
    return int(whole) if whole.is_integer() and 0 <= whole <= _LONGEST else None


def write(reminder: int | None, inside: Sequence[str]) -> list[str]:
    """The alarm of a reminder; `inside` are its lines where it has some of its own."""
    if reminder is None:
        return []
    return ["BEGIN:VALARM", *(inside or default(reminder)), "END:VALARM"]


def default(reminder: int) -> tuple[str, ...]:
    """What an alarm says that comes from the server."""
    return ("ACTION:DISPLAY", "DESCRIPTION:Reminder", f"TRIGGER:-PT{reminder}M")
