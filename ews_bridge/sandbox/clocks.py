"""Times in a request that name no zone: which clock they are read from (time zones in EWS, table 2 of Microsoft's article).

With a zone a time is what it says. Without one it is a time in the zone that the same request gives the item, else in the
TimeZoneContext, else UTC.
"""

from __future__ import annotations

import datetime as dt
import re

from . import appointments
from . import timezones
from .mapi import format_time
from .markup import Element
from .markup import local
from .markup import t
from .markup import text_of
from .store import Item
from .timezones import Zone

WITH_ZONE = re.compile(r"(?:Z|[+-]\d\d:\d\d)\s*$")
FRACTION = re.compile(r"\.\d+")
ZONES_OF = {"Start": ("StartTimeZone", "StartTimeZoneId"), "End": ("EndTimeZone", "EndTimeZoneId")}


def context(zone_id: str | None) -> Zone:
    """The zone of a TimeZoneContext; UTC if there is none, or one that is not known."""
    return (timezones.named(zone_id) if zone_id else None) or timezones.UTC


def set_by(item: Item, elements: list[Element], around: Zone) -> None:
    """Make UTC of the times without zone among the elements that are to be set; a new item gets its zones.

    ItemError: ErrorCalendarInvalidTimeZone.
    """
    named = {local(element): element for element in elements}
    old = named.get("MeetingTimeZone")
    both = timezones.read_meeting_zone(old) if old is not None else None
    found = {which: _named_zone(named, which) or both or around for which in ZONES_OF}
    for element in elements:
        if local(element) in ZONES_OF:
            element.text = _with_zone(text_of(element), found[local(element)])
    for which, (name, _) in ZONES_OF.items():
        if name not in item.declared:
            appointments.set_zone(item, name, found[which] if which == "Start" else _named_zone(named, which) or found["Start"])


def shift(before: Item, item: Item, elements: list[Element]) -> None:
    """After a change of the zone alone: the clock shows the same in the new zone, so the moment is another."""
    given = {local(element) for element in elements}
    for which, names in ZONES_OF.items():
        prop = appointments.START if which == "Start" else appointments.END
        if which not in given and given.intersection((*names, "MeetingTimeZone")):
            clock = appointments.zone(before, names[0]).local(appointments.moment(before, prop))
            item.props[prop] = ("SystemTime", appointments.zone(item, names[0]).moment(clock))


def _named_zone(named: dict[str, Element], which: str) -> Zone | None:
    whole, by_id = ZONES_OF[which]
    if whole in named:
        return timezones.read_zone(named[whole])
    return timezones.named(text_of(named[by_id])) if by_id in named else None


def _with_zone(text: str, zone: Zone) -> str:
    if WITH_ZONE.search(text):
        return text
    return format_time(zone.moment(dt.datetime.fromisoformat(FRACTION.sub("", text.strip()))))


def naive_as_utc(element: Element, zone: Zone) -> None:
    """The same for ProposedStart and ProposedEnd of an answer."""
    for name in ("ProposedStart", "ProposedEnd"):
        for found in element.iter(t(name)):
            found.text = _with_zone(text_of(found), zone)
