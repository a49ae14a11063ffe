"""An invitation as it comes by mail, or as an .ics file: what it says, and which meeting it is about (RFC 5546, RFC 6047). Pure.

Read more gently than a file of the calendar: a rule that Exchange cannot hold is no reason not to answer. Of a series that comes
with changed occurrences the series is meant.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from email import message_from_bytes
from email import policy
from email.message import Message

from ews_bridge import headers
from ews_bridge.errors import BadItem
from ews_bridge.exchange import contentline
from ews_bridge.exchange import eventfile
from ews_bridge.exchange import zones
from ews_bridge.exchange.contentline import Component
from ews_bridge.exchange.occasion import Event

_TYPES = ("text/calendar", "application/ics")
_RECURRING = frozenset(("RRULE", "RDATE", "EXRULE", "EXDATE"))
#: What a message that carries such a method is, in words.
METHODS = {
    "REQUEST": "invitation",
    "CANCEL": "cancellation",
    "REPLY": "answer",
    "COUNTER": "proposal of another time",
    "DECLINECOUNTER": "refusal of another time",
    "ADD": "further occurrence",
    "REFRESH": "question for the newest version",
    "PUBLISH": "event",
}


@dataclass(frozen=True, slots=True)
class Invitation:
    """What a message says. `repeats`: its RRULE as written. `sequence`: which version of the meeting it is about.

    `event.original` is set where one occurrence of a series is meant. `comment`: what the writer adds.
    """

    method: str
    event: Event
    repeats: str = ""
    sequence: int = 0
    comment: str = ""

    @property
    def kind(self) -> str:
        return METHODS.get(self.method, "event")

    @property
    def occurrence(self) -> datetime | None:
        """The moment at which the one occurrence that is meant was to begin, in UTC."""
        return self.event.zone.moment(self.event.original) if self.event.original else None


def read(data: bytes) -> Invitation:
    """From a message with a calendar part, or an .ics. `BadItem` when there is nothing of the kind in it."""
    if data.lstrip()[:6].upper() == b"BEGIN:":
        return _from_calendar(data, "")
    found = list(_parts(message_from_bytes(data, policy=policy.compat32)))
    if not found:
        raise BadItem("there is no invitation in this message: no part of it is a calendar")
    return _from_calendar(*found[0])


def _parts(message: Message) -> Iterator[tuple[bytes, str]]:
    """(content in UTF-8, the method that its type names) of each calendar in a message."""
    for part in message.walk():
        name = (part.get_filename() or "").lower()
        if part.is_multipart() or (part.get_content_type() not in _TYPES and not name.endswith(".ics")):
            continue
        content = part.get_payload(decode=True)
        if isinstance(content, bytes):
            yield _utf8(content, part.get_content_charset("utf-8")), str(part.get_param("method", "") or "")


def _utf8(content: bytes, charset: str) -> bytes:
    try:
        return content.decode(charset).encode()
    except (LookupError, UnicodeDecodeError):
        return content.decode("utf-8", "replace").encode()


def _from_calendar(data: bytes, method: str) -> Invitation:
    calendars = [one for one in contentline.components(data) if one.name in ("VCALENDAR", "VEVENT")]
    if not calendars:
        raise BadItem("there is no event in this calendar")
    calendar = calendars[0] if calendars[0].name == "VCALENDAR" else Component("VCALENDAR", (), tuple(calendars))
    events = calendar.inside("VEVENT")
    if not events:
        raise BadItem(f"there is no event in this calendar ({', '.join(one.name for one in calendar.components) or 'empty'})")
    event = next((one for one in events if not one.line("RECURRENCE-ID")), events[0])
    repeats, sequence = event.value("RRULE"), event.value("SEQUENCE").strip()
    simple = Component("VEVENT", tuple(line for line in event.lines if line.name not in _RECURRING))
    definitions = tuple(calendar.inside("VTIMEZONE"))
    alone = contentline.fold(Component("VCALENDAR", (), (*definitions, simple)))
    read = eventfile.read(alone, zones.UTC_ZONE).first()
    return Invitation(
        (calendar.value("METHOD") or method).strip().upper(),
        read,
        repeats,
        int(sequence) if sequence.isdecimal() else 0,
        headers.clean(event.text("COMMENT"), 2000),
    )
