"""Times in a request that name no zone: which clock they are read from (time zones in EWS, table 2 of Microsoft's article).

With a zone a time is what it says. Without one it is a time in the item's zone, else in the TimeZoneContext, else UTC.
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
    begin = timezones.read_meeting_zone(old) if old is not None else None
    found = _named_zone(named, "Start") or begin
    if found is None:
        found = appointments.zone(item) if "StartTimeZone" in item.declared else around
    last = _named_zone(named, "End") or begin
    if last is None:
        last = appointments.zone(item, "EndTimeZone") if "EndTimeZone" in item.declared else found
    for element in elements:
        if local(element) in ("Start", "End"):
            element.text = _with_zone(text_of(element), found if local(element) == "Start" else last)
    if "StartTimeZone" not in item.declared:
        appointments.set_zone(item, "StartTimeZone", found)
        appointments.set_zone(item, "EndTimeZone", last)


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
