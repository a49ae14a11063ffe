"""What an event is, on either side: plain values between the server's item (`eventitem.py`) and the file (`eventfile.py`).

Times are wall clock times with their zone, because that is what a series repeats. An `Event` is one VEVENT; a `Series` is all
that one file holds: one event, or a master with its changed and deleted occurrences, or single occurrences without a master.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from collections.abc import Mapping
from dataclasses import dataclass
from dataclasses import field
from dataclasses import replace
from datetime import date
from datetime import datetime
from datetime import time
from types import MappingProxyType

from ews_bridge.errors import BadItem
from ews_bridge.exchange.attendees import Person
from ews_bridge.exchange.recurrence import Rule
from ews_bridge.exchange.zones import Zone

_HEAD = re.compile(r"<head\b.*?</head>|<!--.*?-->|</?(?:html|body|meta)\b[^>]*>", re.DOTALL | re.IGNORECASE)
#: Alarms are told apart by when they ring, and what they do: their names and what somebody did with them is not part of it.
_ALARM_NOISE = re.compile(r"(UID|X-WR-ALARMUID|ACKNOWLEDGED|X-MOZ-|X-LIC-|DESCRIPTION[;:])")


@dataclass(frozen=True, slots=True)
class File:
    """An attached file. `data` is None of one that is only named."""

    name: str
    content_type: str
    data: bytes | None
    size: int = 0

    def is_copy(self, other: File) -> bool:
        """Whether it is the same file, as far as can be told: of one that is only named, by its size."""
        if self.data is None or other.data is None:
            return (self.name, self.size) == (other.name, other.size)
        return (self.name, self.data) == (other.name, other.data)


@dataclass(frozen=True, slots=True)
class Event:
    """One VEVENT. Texts have LF line ends; "" stands for what is absent.

    `original`: of one occurrence, the wall clock time (in its own zone; midnight for all-day) at which it was to begin.
    `floating`: its times belong to no zone; `zone` is then where the mailbox's owner is, and so it is of all-day events.
    `busy`: as LegacyFreeBusyStatus names it. `reminder`: minutes before the start. `alarm`: the lines inside the VALARM that
    `reminder` was read from. `parameters`: of texts, by property, as written. `other`: whole lines and components that nothing
    here understands. `modified`, `created`, `sequence`: as written, for people only. `files`: of an occurrence, those that its
    series does not have.
    """

    uid: str
    start: datetime
    end: datetime
    zone: Zone
    end_zone: Zone
    all_day: bool = False
    floating: bool = False
    original: datetime | None = None
    rule: Rule | None = None
    summary: str = ""
    description: str = ""
    html: str = ""
    location: str = ""
    categories: tuple[str, ...] = ()
    privacy: str = ""
    priority: int = 0
    busy: str = "Busy"
    status: str = ""
    reminder: int | None = None
    alarm: tuple[str, ...] = ()
    organizer: Person | None = None
    attendees: tuple[Person, ...] = ()
    files: tuple[File, ...] = ()
    link: str = ""
    parameters: tuple[tuple[str, str], ...] = ()
    created: str = ""
    modified: str = ""
    sequence: str = ""
    other: tuple[str, ...] = ()

    def begins(self) -> datetime:
        """The moment, in UTC."""
        return self.zone.moment(self.start)

    def ends(self) -> datetime:
        return self.end_zone.moment(self.end)

    def days(self) -> Iterator[date]:
        """The days on which the occurrences of a series begin, deleted and changed ones included."""
        return self.rule.occurrences(self.start.date()) if self.rule else iter((self.start.date(),))

    def on(self, day: date) -> Event:
        """The occurrence of a series on this day, as the series has it (and with no files of its own)."""
        start = datetime.combine(day, self.start.time())
        end = start + (self.end - self.start)
        return replace(self, start=start, end=end, original=start, rule=None, files=())

    def inside(self, master: Event | None) -> Event:
        """As an occurrence of its series, if it has one: servers and programs copy the files of the series into it."""
        copied = master.files if master else ()
        return replace(self, files=tuple(one for one in self.files if not any(map(one.is_copy, copied))))

    def gist(self) -> tuple[object, ...]:
        """What two events share exactly when they mean the same: no order, no names of people, no notes of when it was made."""
        same_zone = self.all_day or self.floating
        return (
            self.start,
            self.end,
            "" if same_zone else self.zone.windows or self.zone.tzid,
            "" if same_zone else self.end_zone.windows or self.end_zone.tzid,
            self.all_day,
            self.floating,
            self.original,
            self.rule.normal(self.start.date()) if self.rule else None,
            self.summary.strip(),
            plain(self.description),
            markup(self.html),
            self.location.strip(),
            tuple(sorted(set(self.categories))),
            self.privacy,
            self.priority,
            self.busy,
            self.status,
            self.reminder,
            tuple(sorted(line for line in self.alarm if not _ALARM_NOISE.match(line) and not line.startswith("TRIGGER"))),
            tuple(sorted((one.address, one.kind, one.partstat) for one in self.attendees)),
            self.link,
            tuple(sorted(_noiseless(self.other))),
        )


@dataclass(frozen=True, slots=True)
class Series:
    """All that one file holds. `changed` by the original start (see `Event.original`); `deleted` days; `calendar`: the lines of
    the VCALENDAR itself that are not ours; `method`: what a message about a meeting is (RFC 5546), "" in a calendar.
    """

    master: Event | None
    changed: Mapping[datetime, Event] = field(default_factory=lambda: MappingProxyType({}))
    deleted: frozenset[date] = frozenset()
    calendar: tuple[str, ...] = ()
    method: str = ""

    def events(self) -> list[Event]:
        """All, the master first."""
        return ([self.master] if self.master else []) + [self.changed[key] for key in sorted(self.changed)]

    def first(self) -> Event:
        return self.events()[0]

    def ends(self) -> int:
        """When the last of it is over, in seconds since the epoch, and after that; 0 of a series without end."""
        ends = [int(one.ends().timestamp()) for one in self.events()]
        if self.master and self.master.rule:
            last = self.master.rule.last(self.master.start.date())
            if last is None:
                return 0
            ends.append(int(self.master.on(last).ends().timestamp()))
        return max(1, *ends)

    def tidy(self) -> Series:
        """Without changed occurrences that say nothing but what the series says."""
        master = self.master
        if master is None:
            return self
        told = {key: one for key, one in self.changed.items() if one.files or one.gist() != master.on(key.date()).gist()}
        return replace(self, changed=MappingProxyType(told))


def key_of(master: Event, original: datetime) -> date:
    """The day of the series that an original start names; `BadItem` when the series has no such occurrence."""
    day = original.date()
    expected = time() if master.all_day else master.start.time()
    if not master.rule or original.time() != expected or not master.rule.index(master.start.date(), day):
        raise BadItem(f"it changes an occurrence of {original:%Y-%m-%d %H:%M}, and the series has none there")
    return day


def plain(text: str) -> str:
    """A text without what servers and editors do to its white space."""
    return "\n".join(line.rstrip() for line in text.replace("\r\n", "\n").split("\n")).strip()


def markup(html: str) -> str:
    """HTML without the head that servers put around it."""
    return " ".join(_HEAD.sub(" ", html).split())


def _noiseless(lines: tuple[str, ...]) -> Iterator[str]:
    """Components as one text each, alarms without their noise; lines as they are."""
    depth, held = 0, []
    for line in lines:
        depth += line.startswith("BEGIN:")
        if not depth:
            yield line
            continue
        if not _ALARM_NOISE.match(line):
            held.append(line)
        depth -= line.startswith("END:")
        if not depth:
            yield "\n".join((held[0], *sorted(held[1:-1])))
            held = []
