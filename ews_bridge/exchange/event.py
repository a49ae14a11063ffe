"""The calendar's codec: one event or series of the server ⇄ one .ics file. Pure (see `form.Form`).

    eventfile.py   the file → occasion.Series        eventlines.py  occasion.Series → the file
    eventitem.py   the item → occasion.Event         eventxml.py    occasion.Event → fields of the item
    rrule.py       RRULE → recurrence.Rule           recurrence.py  the rule ⇄ t:Recurrence, its days
    zones.py       zones by name and by rules        eventpeople.py, attendees.py, alarms.py, globalid.py
    eventorder.py  occurrences one after the other    eventfiles.py  attachments

An edit is what differs between the file and the file that the item would be rendered to: both have gone the same way, so that
only what somebody changed differs. Exchange drops the changed and deleted occurrences of a series when its recurrence is
written; they are then made again.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from dataclasses import field
from dataclasses import replace
from datetime import date
from datetime import datetime
from types import MappingProxyType

from lxml import etree

from ews_bridge import headers
from ews_bridge.errors import BadItem
from ews_bridge.exchange import attendees
from ews_bridge.exchange import contentline
from ews_bridge.exchange import eventaudience
from ews_bridge.exchange import eventfile
from ews_bridge.exchange import eventfiles
from ews_bridge.exchange import eventitem
from ews_bridge.exchange import eventlines
from ews_bridge.exchange import eventorder
from ews_bridge.exchange import eventpeople
from ews_bridge.exchange import eventxml
from ews_bridge.exchange import form
from ews_bridge.exchange import soap
from ews_bridge.exchange import zones
from ews_bridge.exchange.eventpeople import Owner
from ews_bridge.exchange.form import Audience
from ews_bridge.exchange.form import Changes
from ews_bridge.exchange.form import Companions
from ews_bridge.exchange.form import Occurrence
from ews_bridge.exchange.form import Said
from ews_bridge.exchange.form import Snapshot
from ews_bridge.exchange.meetingmail import is_unsent
from ews_bridge.exchange.occasion import Event
from ews_bridge.exchange.occasion import Series
from ews_bridge.exchange.zones import Zone

_INVITE = "ews-bridge invite gives it, with the invitation to that occurrence"
_T = f"{{{soap.TYPES}}}"


@dataclass(frozen=True, slots=True)
class Events:
    """`form.Form` of events. `home`: the zone of the mailbox's owner (floating times, all-day events); `owner`: who he is."""

    home: Zone = zones.UTC_ZONE
    owner: Owner = field(default_factory=Owner)
    folder_class: str = "IPF.Appointment"
    suffix: str = ".ics"
    of_meetings: bool = True

    def fields(self) -> str:
        return eventitem.FIELDS

    def companions(self, element: etree._Element, series: etree._Element | None = None) -> Companions:
        changed = [soap.attribute(one, "ItemId", "Id") for one in element.iterfind(f"{_T}ModifiedOccurrences/{_T}Occurrence")]
        return Companions(tuple(filter(None, changed)), eventfiles.shown(element, series))

    def render(self, snapshot: Snapshot) -> bytes:
        return eventlines.write(self._series(snapshot))

    def read(self, data: bytes) -> Said:
        series = eventfile.read(data, self.home).tidy()
        first = series.first()
        label = headers.clean(first.summary) or "an event without a title"
        return Said(
            first.uid,
            self._meaning(series),
            f"{label} ({first.start:%Y-%m-%d})",
            ended=series.ends(),
            alone=series.master is None,
        )

    def creation(self, data: bytes, others: Mapping[str, etree._Element] = form.NOTHING) -> tuple[str, Changes]:
        series = eventfile.read(data, self.home).tidy()
        first = series.first()
        if series.master is None and len(series.changed) > 1:
            raise BadItem("it holds single occurrences of a series that is not there", hint="each must be a file of its own")
        kept = _with_calendar(eventxml.kept(first, self.owner), series)
        if first.original and series.master is None:
            kept = "\n".join(filter(None, (_recurrence_id(first), kept)))
        xml = eventxml.creation(first, kept, self.owner)
        return eventxml.ELEMENT, Changes(
            xml,
            self._anew(first, series),
            attach=eventfiles.to_attach(first.files),
            audience=eventaudience.of_start(series, self.owner),
        )

    def changes(self, snapshot: Snapshot, data: bytes, others: Mapping[str, etree._Element] = form.NOTHING) -> Changes:
        old = eventfile.read(self.render(snapshot), self.home)
        new = eventfile.read(data, self.home).tidy()
        if new.first().uid != old.first().uid:
            raise BadItem("its UID was changed, and on the server it cannot be", hint="make a new file of it")
        same_files = sorted(map(eventfiles.identity, old.first().files)) == sorted(map(eventfiles.identity, new.first().files))
        if same_files and self._meaning(old.tidy()) == self._meaning(new):
            return Changes()
        if new.master is None or old.master is None:
            return self._of_single_ones(snapshot, old, new)
        return self._of_master(snapshot, old, old.master, new, eventxml.settled(old.master, new.master))

    # ---- the item and its series

    def _series(self, snapshot: Snapshot) -> Series:
        """All that is on the server of one file."""
        reading = eventitem.Reading(self.home, self.owner, snapshot.files)
        master = reading.event(snapshot.element)
        kept = eventitem.kept_text(snapshot.element)
        around = contentline.nest(kept.split("\n")).inside("VCALENDAR")
        calendar = tuple(str(line) for one in around for line in one.lines)
        if master.original is not None:
            alone = [master, *map(reading.event, snapshot.parts)]
            return Series(None, MappingProxyType({one.original: one for one in alone if one.original}), calendar=calendar)
        changed: dict[datetime, Event] = {}
        for part in snapshot.parts:
            one = reading.event(part, master, kept)
            if one.original:
                changed[one.original] = one
        deleted = eventitem.deleted(snapshot.element, master)
        return Series(master, MappingProxyType(changed), deleted, calendar).tidy()

    def _meaning(self, series: Series) -> str:
        """No difference whether the owner's own name stands behind ORGANIZER: an event without one is his, too."""
        gists = []
        for one in series.events():
            organizer = None if self.owner.organizes(one) else one.organizer
            gists.append((one.gist(), organizer.address if organizer else "", sorted(map(eventfiles.sign, one.files))))
        said = (series.first().uid, gists, sorted(series.deleted), sorted(series.calendar))
        return hashlib.sha256(repr(said).encode()).hexdigest()

    # ---- what must be written

    def _of_master(self, snapshot: Snapshot, old: Series, was: Event, new: Series, now: Event) -> Changes:
        """The changes of a single event, or of a series with all its occurrences."""
        element = snapshot.element
        old_kept = _with_calendar(eventxml.kept(was, self.owner, element), old)
        new_kept = _with_calendar(eventxml.kept(now, self.owner, element), new)
        self._check_people(was, now, element)
        eventxml.check(now)
        before = eventxml.fields(was, old_kept, self.owner, element)
        after = eventxml.fields(now, new_kept, self.owner, element)
        again = bool(now.rule) and _times(was) != _times(now)
        attach, detach = eventfiles.changes(snapshot, now)
        # Of an attachment nobody is told, but of a field that is written after it.
        anyhow = {eventxml.RECURRENCE} if again else {eventxml.SUBJECT} if attach or detach else set()
        xml = eventxml.updates(before, after, always=frozenset(anyhow))
        occurrences: tuple[Occurrence, ...] = ()
        cleared: tuple[str, ...] = ()
        if again:
            occurrences = self._anew(now, new)
        elif now.rule:
            occurrences = self._edited(snapshot, old, was, new, now)
            items = {day: item for day, (_, item) in self._items(snapshot).items() if day not in new.deleted}
            cleared = eventfiles.cleared(items, snapshot.files, was, now, new)
        files, ends = bool(attach or detach), 0 if 0 in (old.ends(), new.ends()) else max(old.ends(), new.ends())
        audience = eventaudience.of_edit((was, before), (now, after), self.owner, element, files=files, ends=ends)
        closing = ""
        if again or (is_unsent(element) and any(one.audience.people for one in occurrences)):
            audience = eventaudience.of_start(new, self.owner, element)
            occurrences = tuple(replace(one, audience=Audience()) for one in occurrences)
            lost = set(eventaudience.of_end(old, self.owner, element).people) - set(audience.people)
            audience = replace(audience, miss=(*audience.miss, *sorted(lost)))
            closing = eventxml.update(eventxml.SUBJECT, after)
        return Changes(xml, occurrences, attach, detach, closing, audience, self._answer(was, now, element), cleared)

    def cancelled(self, snapshot: Snapshot) -> Audience:
        series = self._series(snapshot)
        audience = eventaudience.of_end(series, self.owner, snapshot.element)
        if series.master is None and len(series.changed) > 1:
            # No request says it of several items.
            return replace(audience, people=(), miss=audience.people + audience.miss)
        return audience

    def _anew(self, master: Event, series: Series) -> tuple[Occurrence, ...]:
        """All changed and deleted occurrences of a series that has none yet. They are part of what is told of it."""
        if not master.rule or series.master is None:
            return ()
        eventorder.check(master, series)
        kept = eventxml.kept(master, self.owner)
        found = [(0, Occurrence(_index(master, day), "")) for day in series.deleted]
        for key, one in series.changed.items():
            plain = master.on(key.date())
            texts = ("", eventxml.kept_of_occurrence(one, kept, self.owner))
            updates, _ = self._updates(plain, one, texts, None)
            if updates:
                found.append((eventorder.moves(plain, one), Occurrence(_index(master, key.date()), updates)))
        return eventorder.in_order(found)

    def _edited(self, snapshot: Snapshot, old: Series, was: Event, new: Series, now: Event) -> tuple[Occurrence, ...]:
        """The occurrences that differ from what they are on the server. One no longer mentioned is as its series has it."""
        if gone := old.deleted - new.deleted:
            raise BadItem(f"Exchange cannot bring back a deleted occurrence (of {min(gone)})", hint="make it an event of its own")
        eventorder.check(now, new)
        items = self._items(snapshot)
        there = {key.date(): one for key, one in old.changed.items()}
        found = []
        for day in new.deleted - old.deleted:
            ident, item = items.get(day, ("", snapshot.element))
            audience = eventaudience.of_lost_occurrence(there.get(day) or now.on(day), self.owner, item)
            found.append((0, Occurrence(_index(now, day), "", ident, audience)))
        wanted = {key.date(): one for key, one in new.changed.items()}
        then, later = (eventxml.kept(one, self.owner, snapshot.element) for one in (was, now))
        for day in sorted((set(there) | set(wanted)) - new.deleted):
            ident, element = items.get(day, ("", None))
            context = snapshot.element if element is None else element
            series = now.on(day)
            # What is no item of its own follows its series.
            before = there.get(day) or series
            after = eventxml.settled(before, wanted.get(day) or series)
            self._check_people(before, after, context)
            if self._answer(before, after, context):
                raise BadItem(f"the answer for one occurrence (of {day}) cannot be given in the file", hint=_INVITE)
            first = eventxml.kept_of_occurrence(before, then if day in there else later, self.owner, context)
            second = eventxml.kept_of_occurrence(after, later, self.owner, context)
            given_up = (was.on(day), series) if day in there else None
            updates, audience = self._updates(before, after, (first, second), context, given_up)
            if updates:
                found.append((eventorder.moves(before, after), Occurrence(_index(now, day), updates, ident, audience)))
        return eventorder.in_order(found)

    def _updates(
        self,
        before: Event,
        after: Event,
        kept: tuple[str, str],
        element: etree._Element | None,
        series: tuple[Event, Event] | None = None,
    ) -> tuple[str, Audience]:
        """The updates of one occurrence, and whom they concern.

        `series`: how its series has it before and after an edit of its own: what the series gives up and the occurrence keeps is
        written, too.
        """
        eventfiles.check_occurrence(before, after)
        old = eventxml.fields(before, kept[0], self.owner, element)
        new = eventxml.fields(after, kept[1], self.owner, element)
        always: frozenset[str] = frozenset()
        if series:
            first, second = (dict(eventxml.fields(one, "", self.owner, element)) for one in series)
            always = frozenset(path for path, xml in new if first[path] != second[path] != xml) - {form.LEFTOVER}
        edit = ((before, old), (after, new))
        audience = eventaudience.of_edit(*edit, self.owner, element) if element is not None else Audience()
        return eventxml.updates(old, new, always=always), audience

    def _of_single_ones(self, snapshot: Snapshot, old: Series, new: Series) -> Changes:
        """The changes of single occurrences, each of which is an item."""
        if (new.master is None) != (old.master is None) or set(new.changed) - set(old.changed):
            raise BadItem("its series is not in this calendar, only single occurrences of it: no other can be made")
        items = self._alone(snapshot)
        found = []
        main = said = ""
        concerned = Audience()
        for key, was in old.changed.items():
            ident, element = items[key]
            if key not in new.changed:
                found.append(Occurrence(0, "", ident, eventaudience.of_lost_occurrence(was, self.owner, element)))
                continue
            now = eventxml.settled(was, new.changed[key])
            self._check_people(was, now, element)
            before = eventxml.fields(was, eventxml.kept(was, self.owner, element), self.owner, element)
            after = eventxml.fields(now, eventxml.kept(now, self.owner, element), self.owner, element)
            updates = eventxml.updates(before, after)
            answer = self._answer(was, now, element)
            audience = eventaudience.of_edit((was, before), (now, after), self.owner, element)
            if element is snapshot.element:
                main, said, concerned = updates, answer, audience
            elif answer:
                raise BadItem(f"the answer for one occurrence (of {key:%Y-%m-%d}) cannot be given in the file", hint=_INVITE)
            elif updates:
                found.append(Occurrence(0, updates, ident, audience))
        return Changes(main, tuple(found), audience=concerned, answer=said)

    def _items(self, snapshot: Snapshot) -> dict[date, tuple[str, etree._Element]]:
        """(id, item) of the changed occurrences, by the day on which they were to begin."""
        reading = eventitem.Reading(self.home, self.owner, {})
        master = reading.event(snapshot.element)
        found = {}
        for part in snapshot.parts:
            original = reading.event(part, master).original
            if original:
                found[original.date()] = (soap.attribute(part, "ItemId", "Id"), part)
        return found

    def _alone(self, snapshot: Snapshot) -> dict[datetime, tuple[str, etree._Element]]:
        reading = eventitem.Reading(self.home, self.owner, {})
        found = {}
        for element in (snapshot.element, *snapshot.parts):
            original = reading.event(element).original
            if original:
                found[original] = (soap.attribute(element, "ItemId", "Id"), element)
        return found

    # ---- meetings

    def _check_people(self, was: Event, now: Event, element: etree._Element) -> None:
        """The people of somebody else's meeting are his to change, and an organizer cannot be exchanged."""
        before = sorted((one.address, one.kind) for one in was.attendees if not self.owner.is_me(one))
        after = sorted((one.address, one.kind) for one in now.attendees if not self.owner.is_me(one))
        if eventpeople.is_received(element):
            if before != after or (now.organizer and was.organizer and now.organizer.address != was.organizer.address):
                raise BadItem("only its organizer can change who takes part in this meeting")
        elif before != after and any(one.address == attendees.NO_ADDRESS for one in attendees.attendees(element)):
            raise BadItem("its attendees cannot be changed here: the server tells no mail address of some of them")
        elif self.owner.organizes(was) and not self.owner.organizes(now) and eventpeople.invited(was, self.owner):
            raise BadItem("the organizer of a meeting cannot be exchanged")

    def _answer(self, was: Event, now: Event, element: etree._Element) -> str:
        """What the owner says now to the meeting of somebody else, if he says something new."""
        if not eventpeople.is_received(element):
            return ""
        before = {one.partstat for one in was.attendees if self.owner.is_me(one)}
        after = {one.partstat for one in now.attendees if self.owner.is_me(one)} - before
        return next((attendees.ANSWERS[one] for one in sorted(after) if one in attendees.ANSWERS), "")


def _index(master: Event, day: date) -> int:
    return master.rule.index(master.start.date(), day) if master.rule else 0


def _times(event: Event) -> tuple[object, ...]:
    return (event.start, event.end, event.zone.windows, event.end_zone.windows, event.all_day, event.rule)


def _with_calendar(kept: str, series: Series) -> str:
    """With the lines of the VCALENDAR that are not ours."""
    around = ["BEGIN:VCALENDAR", *series.calendar, "END:VCALENDAR"] if series.calendar else []
    return "\n".join(filter(None, (kept, *around)))


def _recurrence_id(event: Event) -> str:
    """Which occurrence of a series that is not there a single event is: the server has no field for it that can be written."""
    original = event.original or event.start
    return f"RECURRENCE-ID:{original:%Y%m%d}" if event.all_day else f"RECURRENCE-ID:{original:%Y%m%dT%H%M%S}"
