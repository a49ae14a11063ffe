"""A `Series` as an .ics file (RFC 5545), for khal, vdirsyncer and Emacs. Pure; the way in is `eventfile.py`.

The zones stand first, then the master, then its changed occurrences by time; the same series gives the same bytes.
"""

from __future__ import annotations

import base64
from collections.abc import Iterator
from datetime import datetime
from datetime import time

from ews_bridge.exchange import alarms
from ews_bridge.exchange import contentline
from ews_bridge.exchange import recurrence
from ews_bridge.exchange import times
from ews_bridge.exchange import zones
from ews_bridge.exchange.contentline import escape
from ews_bridge.exchange.eventfile import BUSY_STATUS
from ews_bridge.exchange.eventfile import NAMED
from ews_bridge.exchange.eventfile import TEXTS
from ews_bridge.exchange.occasion import Event
from ews_bridge.exchange.occasion import File
from ews_bridge.exchange.occasion import Series
from ews_bridge.exchange.zones import Zone

PRODID = "-//ews-bridge//EN"


def write(series: Series) -> bytes:
    """The file."""
    lines = ["BEGIN:VCALENDAR", "VERSION:2.0", f"PRODID:{PRODID}", *series.calendar]
    events = series.events()
    for zone, year in _zones(events).items():
        lines += zones.vtimezone(zone, year)
    for event in events:
        lines += _vevent(event, series)
    return contentline.fold([*lines, "END:VCALENDAR"])


def _zones(events: list[Event]) -> dict[Zone, int]:
    """The zones that the times name, with the first year that is meant."""
    found: dict[Zone, int] = {}
    for event in events:
        if not event.all_day and not event.floating:
            for zone in (event.zone, event.end_zone):
                if zone.windows != "UTC":
                    found[zone] = min(found.get(zone, 9999), event.start.year)
    return found


def _vevent(event: Event, series: Series) -> Iterator[str]:
    master = series.master if series.master is not event else None
    yield "BEGIN:VEVENT"
    yield f"UID:{escape(event.uid)}"
    yield f"DTSTAMP:{event.modified or event.created or '19700101T000000Z'}"
    if event.original:
        like = master or event
        yield str(times.line("RECURRENCE-ID", event.original, like.zone, day=like.all_day, floating=like.floating))
    yield str(times.line("DTSTART", event.start, event.zone, day=event.all_day, floating=event.floating))
    yield str(times.line("DTEND", event.end, event.end_zone, day=event.all_day, floating=event.floating))
    if event.rule:
        yield f"RRULE:{recurrence.to_rrule(event.rule, event.start.date(), _until_text(event))}"
    if not master:
        for day in sorted(series.deleted):
            wall = datetime.combine(day, time() if event.all_day else event.start.time())
            yield str(times.line("EXDATE", wall, event.zone, day=event.all_day, floating=event.floating))
    yield from _texts(event)
    yield from _states(event)
    yield from _people(event)
    for file in event.files:
        yield _attachment(file)
    yield from event.other
    yield from alarms.write(event.reminder, event.alarm)
    yield "END:VEVENT"


def _until_text(event: Event) -> str:
    last = event.rule.last(event.start.date()) if event.rule and event.rule.until else None
    if not last:
        return ""
    wall = datetime.combine(last, event.start.time())
    if event.all_day:
        return f"{last:%Y%m%d}"
    return f"{wall:%Y%m%dT%H%M%S}" if event.floating else times.utc(event.zone.moment(wall))


def _texts(event: Event) -> Iterator[str]:
    parameters = dict(event.parameters)
    for name, text in zip(TEXTS, (event.summary, event.description, event.location), strict=True):
        if text:
            yield f"{name}{parameters.get(name, '')}:{escape(text)}"
    if event.html:
        yield f"X-ALT-DESC;FMTTYPE=text/html:{escape(event.html)}"
    if event.categories:
        yield f"CATEGORIES:{','.join(map(escape, event.categories))}"
    if event.link:
        yield f"URL:{event.link}"


def _states(event: Event) -> Iterator[str]:
    if event.privacy:
        yield f"CLASS:{event.privacy}"
    if event.priority:
        yield f"PRIORITY:{event.priority}"
    yield f"TRANSP:{'TRANSPARENT' if event.busy == 'Free' else 'OPAQUE'}"
    if event.status:
        yield f"STATUS:{event.status}"
    if event.busy not in ("Free", "Tentative" if event.status == "TENTATIVE" else "Busy"):
        yield f"{BUSY_STATUS}:{event.busy.upper()}"
    for name, value in (("CREATED", event.created), ("LAST-MODIFIED", event.modified), ("SEQUENCE", event.sequence)):
        if value:
            yield f"{name}:{value}"


def _people(event: Event) -> Iterator[str]:
    if event.organizer:
        yield str(event.organizer.line("ORGANIZER"))
    for person in event.attendees:
        yield str(person.line("ATTENDEE"))


def _attachment(file: File) -> str:
    kind = f";FMTTYPE={contentline.quote(file.content_type)}" if file.content_type else ""
    name = f";FILENAME={contentline.quote(file.name)}"
    if file.data is None:
        address = file.name.encode().hex()[:40]
        return f"ATTACH{kind}{name};SIZE={file.size}:{NAMED}-{address}"
    return f"ATTACH{kind}{name};ENCODING=BASE64;VALUE=BINARY:{base64.b64encode(file.data).decode()}"
