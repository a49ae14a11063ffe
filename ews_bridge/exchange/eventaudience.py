"""Who would want to know of a change to a meeting, were meeting mail allowed (`form.Audience`). Pure.

Only the owner's own meetings have an audience: of those of others their organizers tell. What nobody else sees (a reminder, a
category, what is kept of a file) is no news.
"""

from __future__ import annotations

from lxml import etree

from ews_bridge.exchange import asking
from ews_bridge.exchange import attendees
from ews_bridge.exchange import eventpeople
from ews_bridge.exchange import form
from ews_bridge.exchange import soap
from ews_bridge.exchange.eventpeople import Owner
from ews_bridge.exchange.eventxml import MINUTES
from ews_bridge.exchange.eventxml import REMINDER
from ews_bridge.exchange.eventxml import Field
from ews_bridge.exchange.form import Audience
from ews_bridge.exchange.occasion import Event

_PERSONAL = frozenset(
    (REMINDER, MINUTES, form.LEFTOVER, asking.field("item:Categories"), asking.field("calendar:LegacyFreeBusyStatus"))
)
_PEOPLE = frozenset(asking.field(f"calendar:{name}") for name in attendees.KINDS.values())


def of_start(event: Event, owner: Owner, *, ends: int) -> Audience:
    """Of an event that is new. `ends`: when the last of its series is over."""
    return Audience(tuple(sorted(_people(event, owner, None))), ends=ends)


def of_end(event: Event, owner: Owner, element: etree._Element | None, *, ends: int | None = None) -> Audience:
    """Of an event, or one occurrence, that is deleted; where nobody was invited yet, nobody misses it."""
    if element is not None and soap.text(element, "MeetingRequestWasSent") == "false":
        return Audience()
    return Audience(tuple(sorted(_people(event, owner, element))), ends=_ends(event) if ends is None else ends)


def of_edit(
    was: tuple[Event, list[Field]],
    now: tuple[Event, list[Field]],
    owner: Owner,
    element: etree._Element | None,
    *,
    files: bool = False,
    ends: int | None = None,
) -> Audience:
    """Of an edit: the event before and after it, each with its fields. `files`: attachments are other ones, too."""
    before = dict(was[1])
    differing = {path for path, xml in now[1] if before.get(path, "") != xml} - _PERSONAL
    if not differing and not files:
        return Audience()
    old, new = (_people(event, owner, element) for event, _ in (was, now))
    last = max(_ends(was[0]), _ends(now[0])) if ends is None else ends
    if differing <= _PEOPLE and not files and old != new:
        return Audience(tuple(sorted(old ^ new)), changed=True, ends=last)
    return Audience(tuple(sorted(old | new)), ends=last)


def _people(event: Event, owner: Owner, element: etree._Element | None) -> set[str]:
    if eventpeople.is_foreign(event, owner, element) or not owner.organizes(event):
        return set()
    return {one.address for one in eventpeople.invited(event, owner)}


def _ends(event: Event) -> int:
    return max(1, int(event.ends().timestamp()))
