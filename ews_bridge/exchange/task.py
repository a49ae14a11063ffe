"""Tasks: `t:Task` ⇄ an .ics file with one VTODO (RFC 5545 section 3.6.2). Pure; the contract is `form.Form`.

What Exchange has a field for, and how a file says it, is `taskfields.py`. A file may say it more finely than Exchange can hold (a
due *time*, PRIORITY:3, an alarm relative to the start), or say what Exchange has no field for: those lines travel in
`form.LEFTOVER`, and stand in the file again for as long as they agree with the field. So an edit in Outlook shows, and an
edit elsewhere in the task loses nothing. Attachments on the server stay there and are not shown.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable
from collections.abc import Mapping
from datetime import datetime

from lxml import etree

from ews_bridge.errors import BadItem
from ews_bridge.exchange import asking
from ews_bridge.exchange import contentline
from ews_bridge.exchange import form
from ews_bridge.exchange import mail
from ews_bridge.exchange import soap
from ews_bridge.exchange import taskfields
from ews_bridge.exchange.contentline import Component
from ews_bridge.exchange.form import NOTHING
from ews_bridge.exchange.form import Audience
from ews_bridge.exchange.form import Changes
from ews_bridge.exchange.form import Companions
from ews_bridge.exchange.form import Snapshot
from ews_bridge.exchange.taskfields import FIELDS
from ews_bridge.exchange.taskfields import Values
from ews_bridge.model import Said

#: Every writer makes these anew: they are neither kept nor part of what a file means.
_ANEW = frozenset({"DTSTAMP", "LAST-MODIFIED", "UID"})
#: Kept as they were written, but no part of what a file means.
_COUNTED = ("SEQUENCE:", "CREATED:")
#: The properties and components that a field stands for.
_KNOWN = frozenset(name for field in FIELDS for name in field.names)
#: PidLidTaskDeadOccurrence 0x8109: true of what was one day of a recurring task and is a task of its own, and of the last day.
_DEAD_NAME = ("00062003-0000-0000-c000-000000000046", str(0x8109))
_DEAD = '<t:ExtendedFieldURI PropertySetId="{}" PropertyId="{}" PropertyType="Boolean"/>'.format(*_DEAD_NAME)


class TaskForm:
    """`form.Form` for tasks."""

    folder_class = "IPF.Task"
    suffix = ".ics"
    of_meetings = False

    def fields(self) -> str:
        uris = (*taskfields.PATHS.values(), "item:DateTimeCreated", "item:LastModifiedTime")
        return "".join(map(asking.field, uris)) + form.LEFTOVER + _DEAD + form.UID_FIELDS

    def companions(self, element: etree._Element, series: etree._Element | None = None) -> Companions:
        return Companions()

    def render(self, snapshot: Snapshot) -> bytes:
        element = snapshot.element
        if soap.name(element) != "Task":
            raise BadItem(f"it is a {soap.name(element)}, not a task")
        values, (kept, zones) = taskfields.values(element), _kept(element)
        changed = _stamp(element, "LastModifiedTime")
        lines = [f"UID:{contentline.escape(_uid(element))}", f"DTSTAMP:{changed}", f"LAST-MODIFIED:{changed}"]
        if not kept.line("CREATED"):
            lines.append(f"CREATED:{_stamp(element, 'DateTimeCreated')}")
        for field in FIELDS:
            lines += _said(field, values, kept, lines)
        lines += _unknown(kept)
        used = [line for zone in zones if _uses(lines, zone) for line in zone]
        head = ["BEGIN:VCALENDAR", "VERSION:2.0", "PRODID:-//ews-bridge//EN"]
        return contentline.fold([*head, *used, "BEGIN:VTODO", *lines, "END:VTODO", "END:VCALENDAR"])

    def read(self, data: bytes) -> Said:
        todo, _ = _todo(data)
        values, uid = taskfields.of_file(todo), todo.text("UID").strip()
        lines = sorted(line for line in _leftover(todo, values, ()) if not line.startswith(_COUNTED))
        told = json.dumps([uid, sorted(values.items()), lines])
        done = str(values.get("CompleteDate", "")) if not values.get("Recurrence") else ""
        ended = int(datetime.fromisoformat(f"{done}T00:00:00+00:00").timestamp()) if done else 0
        return Said(uid, hashlib.sha256(told.encode()).hexdigest(), todo.text("SUMMARY").replace("\n", " "), ended)

    def creation(self, data: bytes, others: Mapping[str, etree._Element] = NOTHING) -> tuple[str, Changes]:
        todo, zones = _todo(data)
        values = taskfields.of_file(todo)
        kept = "\n".join(_leftover(todo, values, zones))
        own = asking.extended(form.UID, todo.text("UID").strip()) + (asking.extended(form.LEFTOVER, kept) if kept else "")
        item = "".join(taskfields.element(key, values) for key in taskfields.ITEM if values.get(key))
        task = "".join(taskfields.element(key, values) for key in taskfields.TASK if values.get(key))
        return "Task", Changes(item + own + task)

    def changes(self, snapshot: Snapshot, data: bytes, others: Mapping[str, etree._Element] = NOTHING) -> Changes:
        """What the file says otherwise than the file that the server's item makes."""
        (was, was_zones), (now, zones) = _todo(self.render(snapshot)), _todo(data)
        before, after = taskfields.of_file(was), taskfields.of_file(now)
        parts = [_update(key, after) for key in _differing(before, after)]
        kept = "\n".join(_leftover(now, after, zones))
        if kept != "\n".join(_leftover(was, before, was_zones)):
            new = asking.set_field(form.LEFTOVER, "Task", asking.extended(form.LEFTOVER, kept))
            parts.append(new if kept else asking.delete_field(form.LEFTOVER))
        if (uid := now.text("UID").strip()) != was.text("UID").strip():
            parts.append(asking.set_field(form.UID, "Task", asking.extended(form.UID, uid)))
        return Changes("".join(parts))

    def cancelled(self, snapshot: Snapshot) -> Audience:
        return Audience()


# ---- files


def _todo(data: bytes) -> tuple[Component, list[Component]]:
    """The one VTODO of a file, and the time zones that it may use; `BadItem` when it is no such file."""
    calendars = [each for each in contentline.components(data) if each.name == "VCALENDAR"]
    if not calendars:
        raise BadItem("the file holds no VCALENDAR")
    inner = [each for calendar in calendars for each in calendar.components]
    for kind, words in (("VEVENT", "an event, which belongs into a calendar"), ("VJOURNAL", "a journal entry")):
        if any(each.name == kind for each in inner):
            raise BadItem(f"the file holds {words}")
    todos = [each for each in inner if each.name == "VTODO"]
    if len(todos) != 1:
        raise BadItem("the file holds several tasks: give each a file of its own" if todos else "the file holds no task")
    if not todos[0].text("UID").strip():
        raise BadItem("the task has no UID")
    return todos[0], [each for each in inner if each.name == "VTIMEZONE"]


def _leftover(todo: Component, values: Values, zones: Iterable[Component]) -> list[str]:
    """The lines of a VTODO that its fields, as Exchange has them, would not bring back, with the zones that they use."""
    kept = [line for field in FIELDS if (said := field.lines_of(todo)) != field.write(values) for line in said]
    kept += _unknown(todo)
    return kept + [line for zone in zones if _uses(kept, zone) for line in zone]


def _unknown(todo: Component) -> list[str]:
    """What no field stands for."""
    lines = [str(line) for line in todo.lines if line.name not in _KNOWN and line.name not in _ANEW]
    return lines + [line for each in todo.components if each.name not in _KNOWN for line in each]


def _said(field: taskfields.Field, values: Values, kept: Component, before: list[str]) -> list[str]:
    """A field as it was written, if that still means what the server says, behind the lines `before` it; else as we write it."""
    if said := field.lines_of(kept):
        try:
            meant = field.read(contentline.nest([*before, *said]))
        except BadItem:
            return field.write(values)
        if all(meant.get(key, "") == values.get(key, "") for key in field.keys):
            return said
    return field.write(values)


def _kept(element: etree._Element) -> tuple[Component, list[Component]]:
    """What came with a file and was kept: lines of its VTODO, and time zones."""
    text = mail.first(mail.extended(element), (asking.TOKEN_SET, "Leftover"))
    try:
        found = contentline.nest(contentline.unfold(text))
    except BadItem:  # somebody else wrote there
        found = Component("")
    inner = tuple(each for each in found.components if each.name != "VTIMEZONE")
    return Component("VTODO", found.lines, inner), [each for each in found.components if each.name == "VTIMEZONE"]


def _uses(lines: Iterable[str], zone: Component) -> bool:
    tzid = zone.value("TZID")
    return any(f"TZID={tzid}:" in line or f'TZID="{tzid}":' in line for line in lines)


def _stamp(element: etree._Element, name: str) -> str:
    when = soap.text(element, name)[:19]
    return when.replace("-", "").replace(":", "") + "Z" if when else "19700101T000000Z"


# ---- XML


def _uid(element: etree._Element) -> str:
    """The UID. Exchange makes a day of a recurring task that is done, or has other dates, a task of its own, with a copy of all
    properties, our UID and the search key, too: but that is the task's that goes on. When an item was made is its own.
    """
    dead = mail.first(mail.extended(element), _DEAD_NAME) in ("true", "1")
    return f"{form.uid(element)}-{_stamp(element, 'DateTimeCreated')}" if dead else form.uid(element)


def _differing(before: Values, after: Values) -> list[str]:
    """The fields to be written, in the order of the schema; what says one thing together is written together."""
    keys = {key for key in before.keys() | after.keys() if before.get(key, "") != after.get(key, "")}
    if "Html" in keys:
        keys.add("Body")
    if keys & set(taskfields.PROGRESS):
        keys |= {key for key in taskfields.PROGRESS if before.get(key) or after.get(key)}
    if "ReminderDueBy" in keys and not after.get("ReminderDueBy"):
        keys.discard("ReminderDueBy")  # that there is none says ReminderIsSet
    return [key for key in (*taskfields.ITEM, *taskfields.TASK) if key in keys]


def _update(key: str, after: Values) -> str:
    path = asking.field(taskfields.PATHS[key])
    return asking.set_field(path, "Task", taskfields.element(key, after)) if after.get(key) else asking.delete_field(path)
