"""The calendar's codec: one event or series of the server ⇄ one .ics file. Pure (see `form.Form`).

    eventfile.py   the file → occasion.Series        eventlines.py  occasion.Series → the file
    eventitem.py   the item → occasion.Event         eventxml.py    occasion.Event → fields of the item
    rrule.py       RRULE → recurrence.Rule           recurrence.py  the rule ⇄ t:Recurrence, its days
    zones.py       zones by name and by rules        eventpeople.py, attendees.py, alarms.py, globalid.py
    eventorder.py  occurrences one after the other

An edit is what differs between the file and the file that the item would be rendered to: both have gone the same way, so that
only what somebody changed differs. Exchange drops the changed and deleted occurrences of a series when its recurrence is
written; they are then made again.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from dataclasses import field
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
from ews_bridge.exchange import eventitem
from ews_bridge.exchange import eventlines
from ews_bridge.exchange import eventorder
from ews_bridge.exchange import eventpeople
from ews_bridge.exchange import eventxml
from ews_bridge.exchange import form
from ews_bridge.exchange import soap
from ews_bridge.exchange import zones
from ews_bridge.exchange.eventpeople import Owner
from ews_bridge.exchange.form import Attachment
from ews_bridge.exchange.form import Audience
from ews_bridge.exchange.form import Changes
from ews_bridge.exchange.form import Companions
from ews_bridge.exchange.form import Occurrence
from ews_bridge.exchange.form import Said
from ews_bridge.exchange.form import Snapshot
from ews_bridge.exchange.occasion import Event
from ews_bridge.exchange.occasion import File
from ews_bridge.exchange.occasion import Series
from ews_bridge.exchange.zones import Zone

#: Attachments up to this many bytes are in the file; larger ones are named there.
INLINE = 256 * 1024
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

    def companions(self, element: etree._Element) -> Companions:
        changed = [soap.attribute(one, "ItemId", "Id") for one in element.iterfind(f"{_T}ModifiedOccurrences/{_T}Occurrence")]
        wanted = [
            soap.attribute(one, "AttachmentId", "Id")
            for one in element.iterfind(f"{_T}Attachments/{_T}FileAttachment")
            if int(soap.text(one, "Size") or 0) <= INLINE and soap.text(one, "IsInline") != "true"
        ]
        return Companions(tuple(filter(None, changed)), tuple(filter(None, wanted)))

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
            ended=_ended(series),
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
        for file in first.files:
            if file.data is None:
                raise BadItem(f"its attachment {file.name} is only named, and not in the file")
        xml = eventxml.creation(first, kept, self.owner)
        return eventxml.ELEMENT, Changes(
            xml,
            self._anew(first, series),
            attach=tuple(map(_attachment, first.files)),
            audience=eventaudience.of_start(first, self.owner, ends=_ended(series)),
        )

    def changes(self, snapshot: Snapshot, data: bytes, others: Mapping[str, etree._Element] = form.NOTHING) -> Changes:
        old = eventfile.read(self.render(snapshot), self.home)
        new = eventfile.read(data, self.home).tidy()
        if new.first().uid != old.first().uid:
            raise BadItem("its UID was changed, and on the server it cannot be", hint="make a new file of it")
        same_files = sorted(map(_identity, old.first().files)) == sorted(map(_identity, new.first().files))
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
            gists.append((one.gist(), organizer.address if organizer else "", sorted(map(_sign, one.files))))
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
        attach, detach = self._attachments(snapshot, was, now)
        # Of an attachment nobody is told, but of a field that is written after it.
        anyhow = {eventxml.RECURRENCE} if again else {eventxml.SUBJECT} if attach or detach else set()
        xml = eventxml.updates(before, after, always=frozenset(anyhow))
        occurrences: tuple[Occurrence, ...] = ()
        if again:
            occurrences = self._anew(now, new)
        elif now.rule:
            occurrences = self._edited(snapshot, old, was, new, now)
        files, ends = bool(attach or detach), max(map(_ended, (old, new)), key=_last)
        audience = eventaudience.of_edit((was, before), (now, after), self.owner, element, files=files, ends=ends)
        return Changes(xml, occurrences, attach, detach, audience, self._answer(was, now, element))

    def cancelled(self, snapshot: Snapshot) -> Audience:
        series = self._series(snapshot)
        return eventaudience.of_end(series.first(), self.owner, snapshot.element, ends=_ended(series))

    def _anew(self, master: Event, series: Series) -> tuple[Occurrence, ...]:
        """All changed and deleted occurrences of a series that has none yet."""
        if not master.rule or series.master is None:
            return ()
        eventorder.check(master, series)
        kept = eventxml.kept(master, self.owner)
        found = [(0, self._dropped(master, master.on(day), "", None)) for day in series.deleted]
        for key, one in series.changed.items():
            plain = master.on(key.date())
            texts = ("", eventxml.kept_of_occurrence(one, kept, self.owner))
            updates, audience = self._updates(plain, one, texts, None)
            if updates:
                edit = Occurrence(_index(master, key.date()), updates, audience=audience)
                found.append((eventorder.moves(plain, one), edit))
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
            found.append((0, self._dropped(now, there.get(day) or now.on(day), ident, item)))
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

    def _dropped(self, master: Event, one: Event, ident: str, element: etree._Element | None) -> Occurrence:
        """The deletion of an occurrence, of the item `ident` where it has one."""
        index = _index(master, (one.original or one.start).date())
        return Occurrence(index, "", ident, eventaudience.of_end(one, self.owner, element))

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
        if {file.name for file in after.files} - {file.name for file in before.files}:
            raise BadItem("Exchange cannot attach a file to one occurrence only")
        old = eventxml.fields(before, kept[0], self.owner, element)
        new = eventxml.fields(after, kept[1], self.owner, element)
        always: frozenset[str] = frozenset()
        if series:
            first, second = (dict(eventxml.fields(one, "", self.owner, element)) for one in series)
            always = frozenset(path for path, xml in new if first[path] != second[path] != xml) - {form.LEFTOVER}
        audience = eventaudience.of_edit((before, old), (after, new), self.owner, element)
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
                found.append(Occurrence(0, "", ident, eventaudience.of_end(was, self.owner, element)))
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

    def _attachments(self, snapshot: Snapshot, was: Event, now: Event) -> tuple[tuple[Attachment, ...], tuple[str, ...]]:
        there = eventitem.attached(snapshot.element, snapshot.files)
        wanted = [_identity(file) for file in now.files]
        detach = tuple(ident for ident, file in there if _identity(file) not in wanted)
        known = [_identity(file) for _, file in there]
        new = [file for file in now.files if _identity(file) not in known]
        for file in new:
            if file.data is None:
                raise BadItem(f"its attachment {file.name} is only named, and not in the file")
        return tuple(map(_attachment, new)), detach

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


def _identity(file: File) -> tuple[str, str]:
    return file.name, hashlib.sha256(file.data).hexdigest() if file.data is not None else ""


def _sign(file: File) -> tuple[str, str]:
    """As `_identity`, but of what elsewhere may be only named, its name alone. Exchange counts some bytes more than there are."""
    large = file.data is None or len(file.data) > INLINE - 4096
    return (file.name, "") if large else _identity(file)


def _attachment(file: File) -> Attachment:
    return Attachment(file.name, file.content_type, file.data or b"")


def _with_calendar(kept: str, series: Series) -> str:
    """With the lines of the VCALENDAR that are not ours."""
    around = ["BEGIN:VCALENDAR", *series.calendar, "END:VCALENDAR"] if series.calendar else []
    return "\n".join(filter(None, (kept, *around)))


def _recurrence_id(event: Event) -> str:
    """Which occurrence of a series that is not there a single event is: the server has no field for it that can be written."""
    original = event.original or event.start
    return f"RECURRENCE-ID:{original:%Y%m%d}" if event.all_day else f"RECURRENCE-ID:{original:%Y%m%dT%H%M%S}"


def _last(ended: int) -> tuple[bool, int]:
    """In this order what ends later comes later; 0, which never ends, is the last."""
    return not ended, ended


def _ended(series: Series) -> int:
    """When the last of it is over, in seconds since the epoch; 0 of a series without end."""
    ends = [int(one.ends().timestamp()) for one in series.events()]
    master = series.master
    if master and master.rule:
        last = master.rule.last(master.start.date())
        if last is None:
            return 0
        ends.append(int(master.on(last).ends().timestamp()))
    return max(0, *ends)
