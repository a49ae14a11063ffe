"""VTODO (RFC 5545 section 3.6.2) as tasks, for mailboxes that begin with some.

What a task has no place for is left out, a rule for which Exchange has no pattern too.
"""

from __future__ import annotations

import datetime as dt
import re

from . import content
from . import kinds
from . import properties
from . import recurrence
from . import rrules
from . import tasks
from .icalendar_lines import Component
from .icalendar_lines import parse
from .mapi import KEYWORDS
from .mapi import SETS
from .mapi import PropertyName
from .store import Folder
from .tasks import DAY

EMPTY = b"MIME-Version: 1.0\r\n\r\n"
UID: PropertyName = (SETS["PublicStrings"], "urn:schemas:calendar:uid")
STATUSES = {"IN-PROCESS": tasks.IN_PROGRESS, "COMPLETED": tasks.DONE, "CANCELLED": tasks.STATUSES.index("Deferred")}
CLASSES = {"PRIVATE": 2, "CONFIDENTIAL": 3}
EPOCH = dt.date(1970, 1, 1)
UNTIL = re.compile(r"UNTIL=(\d{8})", re.IGNORECASE)


def load(folder: Folder, text: str) -> None:
    """Put the tasks of a calendar into a folder. ValueError for what is no calendar."""
    for todo in parse(text).within("VTODO"):
        item = folder.mailbox.new_item(EMPTY, "IPM.Task")
        item.kind, item.read = "Task", True
        properties.write(item, properties.SUBJECT, "String", todo.text("SUMMARY")[:255])
        properties.write(item, UID, "String", todo.text("UID"))
        properties.write(item, properties.SENSITIVITY, "Integer", CLASSES.get(todo.text("CLASS").upper(), 0))
        properties.write(item, properties.IMPORTANCE, "Integer", _importance(todo))
        content.set_body(item, "Text", todo.text("DESCRIPTION"))
        categories = [text for line in todo.all("CATEGORIES") for text in line.texts]
        if categories:
            properties.write(item, KEYWORDS, "StringArray", [*categories])
        for name, prop in (("DTSTART", tasks.START), ("DUE", tasks.DUE)):
            day = _day(todo.text(name))
            if day is not None:
                properties.write(item, prop, "SystemTime", (day - EPOCH).days * DAY)
        status = STATUSES.get(todo.text("STATUS").upper(), tasks.NOT_STARTED)
        percent = todo.text("PERCENT-COMPLETE")
        completed = _day(todo.text("COMPLETED"))
        if status == tasks.DONE or completed is not None:
            moment = folder.mailbox.world.time() if completed is None else (completed - EPOCH).days * DAY
            tasks.set_progress(item, tasks.DONE, 100, moment)
        else:
            tasks.set_progress(item, status, float(percent) if percent.isdigit() and status else 0, None)
        series = _series(todo)
        if series is not None:
            item.declared["Recurrence"] = recurrence.pack(series)
        kinds.settle(item)
        folder.mailbox.place(item, folder)


def _importance(todo: Component) -> int:
    priority = todo.text("PRIORITY")
    level = int(priority) if priority.isdigit() else 0
    return 2 if 1 <= level <= 4 else 0 if level >= 6 else 1


def _day(text: str) -> dt.date | None:
    """The day of a DATE or DATE-TIME as it is written, in whatever zone."""
    digits = text.strip()[:8]
    return dt.date(int(digits[:4]), int(digits[4:6]), int(digits[6:])) if len(digits) == 8 and digits.isdigit() else None


def _series(todo: Component) -> recurrence.Recurrence | None:
    rule = todo.text("RRULE")
    start = _day(todo.text("DTSTART")) or _day(todo.text("DUE"))
    if not rule or start is None:
        return None
    until = UNTIL.search(rule)
    try:
        return rrules.read(rule, start, _day(until[1]) if until else None)
    except rrules.Unheld:
        return None
