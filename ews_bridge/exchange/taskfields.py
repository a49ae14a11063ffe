"""The fields of a task: what each is on the server (MS-OXWSTASK) and as lines of a VTODO. Pure.

Dates are days: Exchange drops the time of a task's dates (MS-OXOTASK 2.2.2.2.4), and reminders are moments. Where iCalendar has
no word there is an X- property: X-EWS-BILLING, -MILEAGE, -COMPANY, -TOTAL-WORK and -ACTUAL-WORK (minutes), and X-EWS-REGENERATE
for a task that comes again so long after it is done. Owner and delegation belong to the server and stay there.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC
from datetime import date
from datetime import datetime
from datetime import timedelta
from xml.sax.saxutils import escape
from zoneinfo import ZoneInfo
from zoneinfo import ZoneInfoNotFoundError

from lxml import etree

from ews_bridge.errors import BadItem
from ews_bridge.exchange import bodytext
from ews_bridge.exchange import contentline
from ews_bridge.exchange import mail
from ews_bridge.exchange import soap
from ews_bridge.exchange import taskrecurrence
from ews_bridge.exchange.contentline import Component
from ews_bridge.exchange.contentline import Line

#: By the element's name; lists as tuples, days as "2026-11-24", moments as "2026-11-24T09:00:00Z"; "" is absent.
Values = dict[str, str | tuple[str, ...]]

#: The elements of `t:ItemType` and `t:TaskType` that are written, in the order of the schema. `Html` is a Body, too.
ITEM = ("Subject", "Sensitivity", "Body", "Categories", "Importance", "ReminderDueBy", "ReminderIsSet")
TASK = (
    *("ActualWork", "BillingInformation", "Companies", "CompleteDate", "Contacts", "DueDate", "Mileage", "PercentComplete"),
    *("Recurrence", "StartDate", "Status", "TotalWork"),
)
PATHS = {key: f"item:{key}" for key in ITEM} | {key: f"task:{key}" for key in TASK}
#: These say one thing in three ways, and the one written last decides: they are written together.
PROGRESS = ("CompleteDate", "PercentComplete", "Status")

_LISTS = frozenset({"Categories", "Companies", "Contacts"})
_DAYS = frozenset({"CompleteDate", "DueDate", "StartDate"})
_COUNTS = frozenset({"ActualWork", "TotalWork"})
#: The longest subject that Exchange takes.
_SUBJECT_MAX = 255
_STATUSES = {"NotStarted": "NEEDS-ACTION", "InProgress": "IN-PROCESS", "Completed": "COMPLETED"} | {
    "WaitingOnOthers": "NEEDS-ACTION",
    "Deferred": "CANCELLED",
}
_CLASSES = {"Normal": "", "Personal": "PRIVATE", "Private": "PRIVATE", "Confidential": "CONFIDENTIAL"}
_DURATION = re.compile(r"([+-]?)P(?:(\d+)W)?(?:(\d+)D)?(?:T(?:(\d+)H)?(?:(\d+)M)?(?:(\d+)S)?)?")


@dataclass(frozen=True, slots=True)
class Field:
    """One thing that a task says. `names`: the properties, or components, of a VTODO; `keys`: the elements of a task."""

    names: tuple[str, ...]
    keys: tuple[str, ...]
    read: Callable[[Component], Values]
    write: Callable[[Values], list[str]]

    def lines_of(self, todo: Component) -> list[str]:
        """What a VTODO says of it, as it stands there."""
        lines = [str(line) for line in todo.lines if line.name in self.names]
        return lines + [line for each in todo.components if each.name in self.names for line in each]


def values(element: etree._Element) -> Values:
    """What the server says."""
    found: Values = {}
    for key in (*ITEM, *TASK):
        child = element.find(f"{{{soap.TYPES}}}{key}")
        if child is None:
            continue
        text = "".join(map(str, child.itertext()))
        if key in _LISTS:
            items = (each.text or "" for each in child if isinstance(each.tag, str))
            found[key] = tuple(sorted({each for each in items if each}))
        elif key in _DAYS:
            found[key] = _day(text)
        elif key == "Body":
            html = child.get("BodyType") == "HTML"
            found |= {"Html": _lf(text), "Body": bodytext.from_html(text)} if html else {"Body": _lf(text)}
        elif key == "Recurrence":
            found[key] = taskrecurrence.of_element(child)
        elif key == "PercentComplete":
            found[key] = f"{float(text or 0):g}"
        elif key not in _COUNTS or text != "0":
            found[key] = text
    if found.get("ReminderIsSet") != "true":
        found |= {"ReminderIsSet": "false", "ReminderDueBy": ""}
    return _complete(found)


def of_file(todo: Component) -> Values:
    """What a file says; `BadItem` for what Exchange cannot hold."""
    found: Values = {}
    for field in FIELDS:
        found |= field.read(todo)
    return _complete(found)


def _complete(found: Values) -> Values:
    defaults: Values = {"Importance": "Normal", "Sensitivity": "Normal", "Status": "NotStarted", "PercentComplete": "0"}
    return defaults | {"ReminderIsSet": "false"} | {key: value for key, value in found.items() if value}


def element(key: str, values_: Mapping[str, str | tuple[str, ...]]) -> str:
    """A field as XML, to be created or set."""
    value = values_.get(key, "")
    if key == "Body":
        html = values_.get("Html", "")
        return f'<t:Body BodyType="{"HTML" if html else "Text"}">{escape(str(html or value))}</t:Body>'
    if isinstance(value, tuple):
        return f"<t:{key}>{''.join(f'<t:String>{escape(each)}</t:String>' for each in value)}</t:{key}>"
    if key == "Recurrence":
        return taskrecurrence.to_xml(value)
    return f"<t:{key}>{escape(f'{value}T00:00:00Z' if key in _DAYS else value)}</t:{key}>"


# ---- days, moments, texts


def _day(text: str) -> str:
    """The day that a date of a task is; a server in another zone may tell it as that day's midnight there."""
    when = mail.seconds(text)
    return (datetime.fromtimestamp(when, UTC) + timedelta(hours=12)).date().isoformat() if when else ""


def day_of(line: Line) -> date:
    """The day of a DATE or DATE-TIME, where it is written; `BadItem` when it is none."""
    try:
        return datetime.strptime(line.value.strip()[:8], "%Y%m%d").date()
    except ValueError as error:
        raise BadItem(f"{line.name} {line.value[:40]!r} is no date") from error


def _moment(line: Line) -> datetime:
    """When that is, in UTC; a date, or a time without a known zone, is taken to be in UTC."""
    text = line.value.strip()
    try:
        when = datetime.strptime(text.rstrip("Zz"), "%Y%m%dT%H%M%S" if "T" in text else "%Y%m%d")
    except ValueError as error:
        raise BadItem(f"{line.name} {line.value[:40]!r} is no date") from error
    try:
        zone = ZoneInfo(line.parameter("TZID")) if line.parameter("TZID") and not text.endswith(("Z", "z")) else UTC
    except (ZoneInfoNotFoundError, ValueError, OSError):
        zone = UTC
    return when.replace(tzinfo=zone).astimezone(UTC)


def _duration(text: str) -> timedelta:
    found = _DURATION.fullmatch(text.strip().upper())
    if not found or not any(found.groups()[1:]):
        raise BadItem(f"{text[:40]!r} is no duration")
    weeks, days, hours, minutes, seconds = (int(each or 0) for each in found.groups()[1:])
    span = timedelta(weeks=weeks, days=days, hours=hours, minutes=minutes, seconds=seconds)
    return -span if found[1] == "-" else span


def _lf(text: str) -> str:
    return text.replace("\r\n", "\n").rstrip("\n")


def _line(name: str, text: str) -> list[str]:
    return [f"{name}:{contentline.escape(text)}"] if text else []


def _text(value: str | tuple[str, ...]) -> str:
    return value if isinstance(value, str) else ""


# ---- the fields


def _simple(name: str, key: str) -> Field:
    return Field((name,), (key,), lambda todo: {key: todo.text(name)}, lambda found: _line(name, _text(found.get(key, ""))))


def _count(name: str, key: str) -> Field:
    def read(todo: Component) -> Values:
        text = todo.value(name).strip()
        return {key: str(int(text)) if text.isdecimal() and int(text) else ""}

    return Field((name,), (key,), read, lambda found: _line(name, _text(found.get(key, ""))))


def _many(name: str, key: str) -> Field:
    """One line for each."""

    def read(todo: Component) -> Values:
        return {key: tuple(sorted({text for line in todo.all(name) if (text := contentline.unescape(line.value))}))}

    return Field((name,), (key,), read, lambda found: [line for each in found.get(key, ()) for line in _line(name, each)])


def _read_summary(todo: Component) -> Values:
    return {"Subject": " ".join(todo.text("SUMMARY").split("\n"))[:_SUBJECT_MAX]}


def _read_body(todo: Component) -> Values:
    """A body in HTML is one when the description is its text; else somebody changed only one of the two."""
    text = _lf(todo.text("DESCRIPTION"))
    other = todo.line("X-ALT-DESC")
    html = _lf(contentline.unescape(other.value)) if other and other.parameter("FMTTYPE").lower() == "text/html" else ""
    return {"Body": text, "Html": html if html and bodytext.from_html(html) == text else ""}


def _write_body(found: Values) -> list[str]:
    return _line("DESCRIPTION", _text(found.get("Body", ""))) + _line(
        "X-ALT-DESC;FMTTYPE=text/html", _text(found.get("Html", ""))
    )


def _read_categories(todo: Component) -> Values:
    return {
        "Categories": tuple(sorted({each for line in todo.all("CATEGORIES") for each in contentline.split(line.value) if each}))
    }


def _write_categories(found: Values) -> list[str]:
    given = found.get("Categories", ())
    return [f"CATEGORIES:{','.join(map(contentline.escape, given))}"] if given else []


def _read_priority(todo: Component) -> Values:
    text = todo.value("PRIORITY").strip()
    number = int(text) if text.isdecimal() else 0
    return {"Importance": "High" if 1 <= number <= 4 else "Low" if 6 <= number <= 9 else "Normal"}


def _write_priority(found: Values) -> list[str]:
    return {"High": ["PRIORITY:1"], "Low": ["PRIORITY:9"]}.get(_text(found["Importance"]), [])


def _read_class(todo: Component) -> Values:
    word = todo.value("CLASS").strip().upper()
    return {"Sensitivity": {"PRIVATE": "Private", "CONFIDENTIAL": "Confidential"}.get(word, "Normal")}


def _write_class(found: Values) -> list[str]:
    return _line("CLASS", _CLASSES.get(_text(found["Sensitivity"]), ""))


def _read_start(todo: Component) -> Values:
    line = todo.line("DTSTART")
    return {"StartDate": day_of(line).isoformat() if line else ""}


def _write_start(found: Values) -> list[str]:
    start = _text(found.get("StartDate", ""))
    if not start and not found.get("DueDate") and found.get("Recurrence"):
        start = taskrecurrence.start_of(_text(found["Recurrence"]))  # a rule counts from somewhere
    return [f"DTSTART;VALUE=DATE:{start.replace('-', '')}"] if start else []


def _read_due(todo: Component) -> Values:
    line, start, span = todo.line("DUE"), todo.line("DTSTART"), todo.line("DURATION")
    if line is None and start is not None and span is not None:
        return {"DueDate": (_moment(start) + _duration(span.value)).date().isoformat()}
    return {"DueDate": day_of(line).isoformat() if line else ""}


def _write_due(found: Values) -> list[str]:
    due = _text(found.get("DueDate", ""))
    return [f"DUE;VALUE=DATE:{due.replace('-', '')}"] if due else []


def _read_progress(todo: Component) -> Values:
    """Status, percentage and day of completion, made to agree as Exchange does."""
    word, done = todo.value("STATUS").strip().upper(), todo.line("COMPLETED")
    number = todo.value("PERCENT-COMPLETE").strip()
    percent = min(100, int(number)) if number.isdecimal() else 0
    status = {"IN-PROCESS": "InProgress", "COMPLETED": "Completed", "CANCELLED": "Deferred"}.get(word, "")
    if not status:
        status = "Completed" if (done and not word) or percent == 100 else "InProgress" if percent else "NotStarted"
    if percent == 100 and status != "Completed":
        percent = 99  # a hundred would make it complete
    day = day_of(done).isoformat() if done and status == "Completed" else ""
    return {"Status": status, "PercentComplete": "100" if status == "Completed" else str(percent), "CompleteDate": day}


def _write_progress(found: Values) -> list[str]:
    percent, day = _text(found["PercentComplete"]), _text(found.get("CompleteDate", ""))
    lines = [f"STATUS:{_STATUSES.get(_text(found['Status']), 'NEEDS-ACTION')}"]
    lines += [f"PERCENT-COMPLETE:{float(percent):.0f}"] if percent != "0" else []
    return lines + ([f"COMPLETED:{day.replace('-', '')}T000000Z"] if day else [])


def _read_recurrence(todo: Component) -> Values:
    for name in ("EXDATE", "RDATE"):
        if todo.line(name):
            raise BadItem(f"Exchange cannot hold a task with {name}")
    first = todo.line("DTSTART") or todo.line("DUE")
    return {"Recurrence": taskrecurrence.of_file(todo, day_of(first) if first else None)}


def _write_recurrence(found: Values) -> list[str]:
    start = _text(found.get("StartDate") or found.get("DueDate", ""))
    return taskrecurrence.to_lines(_text(found.get("Recurrence", "")), start)


def _read_alarm(todo: Component) -> Values:
    """The first alarm that is a moment."""
    for alarm in todo.inside("VALARM"):
        trigger = alarm.line("TRIGGER")
        if trigger is None:
            continue
        if trigger.parameter("VALUE").upper() == "DATE-TIME" or trigger.value[:1].isdigit():
            when = _moment(trigger)
        else:
            late = trigger.parameter("RELATED").upper() == "END"
            start = (todo.line("DUE") if late else todo.line("DTSTART")) or todo.line("DUE") or todo.line("DTSTART")
            if start is None:
                continue
            when = _moment(start) + _duration(trigger.value)
        return {"ReminderIsSet": "true", "ReminderDueBy": when.strftime("%Y-%m-%dT%H:%M:%SZ")}
    return {"ReminderIsSet": "false", "ReminderDueBy": ""}


def _write_alarm(found: Values) -> list[str]:
    due = _text(found.get("ReminderDueBy", ""))
    if found.get("ReminderIsSet") != "true" or not due:
        return []
    when = due[:19].replace("-", "").replace(":", "")
    return ["BEGIN:VALARM", "ACTION:DISPLAY", "DESCRIPTION:Reminder", f"TRIGGER;VALUE=DATE-TIME:{when}Z", "END:VALARM"]


FIELDS: tuple[Field, ...] = (
    Field(("SUMMARY",), ("Subject",), _read_summary, lambda found: _line("SUMMARY", _text(found.get("Subject", "")))),
    Field(("DESCRIPTION", "X-ALT-DESC"), ("Body", "Html"), _read_body, _write_body),
    Field(("CATEGORIES",), ("Categories",), _read_categories, _write_categories),
    Field(("PRIORITY",), ("Importance",), _read_priority, _write_priority),
    Field(("CLASS",), ("Sensitivity",), _read_class, _write_class),
    Field(("DTSTART",), ("StartDate",), _read_start, _write_start),
    Field(("DUE", "DURATION"), ("DueDate",), _read_due, _write_due),
    Field(("STATUS", "PERCENT-COMPLETE", "COMPLETED"), PROGRESS, _read_progress, _write_progress),
    Field(("RRULE", "X-EWS-REGENERATE", "EXDATE", "RDATE"), ("Recurrence",), _read_recurrence, _write_recurrence),
    _many("CONTACT", "Contacts"),
    _many("X-EWS-COMPANY", "Companies"),
    _simple("X-EWS-BILLING", "BillingInformation"),
    _simple("X-EWS-MILEAGE", "Mileage"),
    _count("X-EWS-TOTAL-WORK", "TotalWork"),
    _count("X-EWS-ACTUAL-WORK", "ActualWork"),
    Field(("VALARM",), ("ReminderIsSet", "ReminderDueBy"), _read_alarm, _write_alarm),
)
