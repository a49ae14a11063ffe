"""Who would want to know of a change to a meeting, were meeting mail allowed (`form.Audience`). Pure.

Only the owner's own meetings have an audience: of those of others their organizers tell. What nobody else sees (a reminder, a
category, what is kept of a file) is no news, nor is a role. Who was never invited misses nothing, and is invited by what comes.
"""

from __future__ import annotations

from collections.abc import Iterable

from lxml import etree

from ews_bridge.exchange import asking
from ews_bridge.exchange import attendees
from ews_bridge.exchange import eventpeople
from ews_bridge.exchange import form
from ews_bridge.exchange.eventpeople import Owner
from ews_bridge.exchange.eventxml import MINUTES
from ews_bridge.exchange.eventxml import REMINDER
from ews_bridge.exchange.eventxml import Field
from ews_bridge.exchange.form import Audience
from ews_bridge.exchange.meetingmail import is_unsent
from ews_bridge.exchange.occasion import Event
from ews_bridge.exchange.occasion import Series

_PERSONAL = frozenset(
    (REMINDER, MINUTES, form.LEFTOVER, asking.field("item:Categories"), asking.field("calendar:LegacyFreeBusyStatus"))
)
_PEOPLE = frozenset(asking.field(f"calendar:{name}") for name in attendees.KINDS.values())


def of_start(series: Series, owner: Owner, element: etree._Element | None = None) -> Audience:
    """Of what is new to all of them, or told anew as a whole. Nobody is invited to what is called off, nor by a file that is
    itself a message about a meeting (it has a METHOD, which those of a calendar have not: RFC 4791 section 4.1).
    """
    first = series.first()
    if first.status == "CANCELLED" or series.method not in ("", "PUBLISH"):
        return Audience()
    return _of_all(series, owner, element)


def of_end(series: Series, owner: Owner, element: etree._Element) -> Audience:
    """Of what is deleted as a whole."""
    return Audience() if is_unsent(element) else _of_all(series, owner, element)


def of_lost_occurrence(event: Event, owner: Owner, element: etree._Element) -> Audience:
    """Of an occurrence that is deleted. `element`: the item, or that of its series."""
    return Audience() if is_unsent(element) else Audience(_sorted(_people(event, owner, element)), ends=_ends(event))


def of_edit(
    was: tuple[Event, list[Field]],
    now: tuple[Event, list[Field]],
    owner: Owner,
    element: etree._Element,
    *,
    files: bool = False,
    ends: int | None = None,
) -> Audience:
    """Of an edit: the event before and after it, each with its fields. `files`: its attachments are others, too; `ends`: where
    that is not the end of the event itself.
    """
    before = dict(was[1])
    differing = {path for path, xml in now[1] if before.get(path, "") != xml} - _PERSONAL
    old, new = (_people(event, owner, element) for event, _ in (was, now))
    last = max(_ends(was[0]), _ends(now[0])) if ends is None else ends
    if not files and (not differing or (differing <= _PEOPLE and old == new)):
        return Audience()
    if is_unsent(element):
        return Audience(_sorted(new), ends=last)
    if differing <= _PEOPLE and not files:
        return Audience(_sorted(old ^ new), changed=True, ends=last)
    return Audience(_sorted(old | new), ends=last)


def _of_all(series: Series, owner: Owner, element: etree._Element | None) -> Audience:
    """Who takes part in all of it; those of single occurrences only miss what is said of the whole."""
    people = _people(series.first(), owner, element)
    others = {one for event in series.events() for one in _people(event, owner, element)} - people
    return Audience(_sorted(people), _sorted(others), ends=series.ends())


def _people(event: Event, owner: Owner, element: etree._Element | None) -> set[str]:
    """Whom the owner invites. He must be its organizer by name, in the file or on the server."""
    if element is not None and eventpeople.is_received(element):
        return set()
    named = event.organizer is not None or element is not None
    if not named or not owner.organizes(event) or eventpeople.is_foreign(event, owner, element):
        return set()
    return {one.address for one in eventpeople.invited(event, owner)}


def _sorted(people: Iterable[str]) -> tuple[str, ...]:
    return tuple(sorted(people))


def _ends(event: Event) -> int:
    return max(1, int(event.ends().timestamp()))
