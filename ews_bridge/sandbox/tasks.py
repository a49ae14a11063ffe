"""Tasks: their fields, and what Exchange makes of them (MS-OXWSTASK, MS-OXOTASK).

Status, percentage and date of completion are one thing said in three ways, and the one set last decides. Start and due date
are days: the time of day is dropped.
"""

from __future__ import annotations

from lxml import etree

from . import properties
from .errors import ItemError
from .fields import Field
from .fields import shown
from .fields import simple
from .fields import strings
from .mapi import SETS
from .mapi import PropertyName
from .mapi import format_time
from .mapi import parse_time
from .markup import Element
from .markup import put
from .markup import t
from .markup import text_of
from .parts import Look
from .store import Item

TASK = SETS["Task"]
COMMON = SETS["Common"]
# MS-OXPROPS: PidLidTaskStatus, PercentComplete, StartDate, DueDate, DateCompleted, Complete, Owner, Version, DeadOccurrence
STATUS: PropertyName = (TASK, 0x8101)
PERCENT: PropertyName = (TASK, 0x8102)
START: PropertyName = (TASK, 0x8104)
DUE: PropertyName = (TASK, 0x8105)
COMPLETED: PropertyName = (TASK, 0x810F)
COMPLETE: PropertyName = (TASK, 0x811C)
OWNER: PropertyName = (TASK, 0x811F)
VERSION: PropertyName = (TASK, 0x8112)
DEAD: PropertyName = (TASK, 0x8109)
STATUSES = ("NotStarted", "InProgress", "Completed", "WaitingOnOthers", "Deferred")
NOT_STARTED, IN_PROGRESS, DONE = 0, 1, 2
DAY = 86_400


def status(item: Item) -> int:
    """PidLidTaskStatus, as an index of STATUSES."""
    value = properties.number(item, STATUS) or 0
    return value if 0 <= value < len(STATUSES) else 0


def percent(item: Item) -> float:
    """How much is done, from 0 to 100; the property counts to 1."""
    value = properties.read(item, PERCENT, "Double")
    return round(float(value) * 100, 6) if isinstance(value, str) else 0.0


def recurrence(item: Item) -> Element | None:
    """The t:Recurrence of a task that recurs."""
    kept = item.declared.get("Recurrence")
    return None if kept is None else etree.fromstring(kept)


def set_progress(item: Item, status_: int, percent_: float, completed: int | None) -> None:
    """Set the three that belong together; `completed` is seconds since 1970, for a task that is done."""
    properties.write(item, STATUS, "Integer", status_)
    properties.write(item, PERCENT, "Double", f"{percent_ / 100:g}")
    properties.write(item, COMPLETE, "Boolean", status_ == DONE)
    if completed is None:
        properties.erase(item, COMPLETED)
    else:
        properties.write(item, COMPLETED, "SystemTime", completed // DAY * DAY)


def settle(item: Item) -> None:
    """What every save of a task sees to: it has an owner, and a count of its versions."""
    if not properties.text(item, OWNER):
        properties.write(item, OWNER, "String", item.mailbox.display_name)
    version = properties.number(item, VERSION)
    properties.write(item, VERSION, "Integer", 1 if version is None else version + 1)


def _show_percent(item: Item, parent: Element, look: Look) -> None:
    put(parent, t("PercentComplete"), f"{percent(item):g}")


def _assign_percent(item: Item, element: Element) -> None:
    value = float(text_of(element))
    if not 0 <= value <= 100:
        raise ItemError("ErrorInvalidPercentCompleteValue")
    if value == 100:
        _complete(item, None)
    elif value == 0 and status(item) in (IN_PROGRESS, DONE):
        set_progress(item, NOT_STARTED, 0, None)
    elif value > 0 and status(item) in (NOT_STARTED, DONE):
        set_progress(item, IN_PROGRESS, value, None)
    else:
        set_progress(item, status(item), value, None)


def _show_status(item: Item, parent: Element, look: Look) -> None:
    put(parent, t("Status"), STATUSES[status(item)])


def _assign_status(item: Item, element: Element) -> None:
    wanted = STATUSES.index(text_of(element))
    if wanted == DONE:
        _complete(item, None)
    elif wanted == NOT_STARTED or status(item) == DONE:
        set_progress(item, wanted, 0, None)
    else:
        set_progress(item, wanted, percent(item), None)


def _assign_completed(item: Item, element: Element) -> None:
    moment = parse_time(text_of(element))
    # A day of grace: the sender's clock and day may be ahead.
    if moment > item.mailbox.world.time() + DAY:
        raise ItemError("ErrorInvalidCompleteDate")
    _complete(item, moment)


def _complete(item: Item, moment: int | None) -> None:
    kept = properties.read(item, COMPLETED, "SystemTime")
    if moment is None:
        moment = kept if isinstance(kept, int) else item.mailbox.world.time()
    set_progress(item, DONE, 100, moment)


def _reopen(item: Item) -> None:
    set_progress(item, NOT_STARTED, 0, None)


def _day(uri: str, name: str, prop: PropertyName) -> Field:
    """A field that is a day, written as its midnight in UTC; the day is that of the moment given, in UTC."""
    known = simple(uri, name, prop, "SystemTime")

    def assign(item: Item, element: Element) -> None:
        properties.write(item, prop, "SystemTime", parse_time(text_of(element)) // DAY * DAY)

    return Field(uri, name, known.show, assign, known.remove, prop, "SystemTime")


def _show_completed(item: Item, parent: Element, look: Look) -> None:
    value = properties.read(item, COMPLETED, "SystemTime")
    if isinstance(value, int) and status(item) == DONE:
        put(parent, t("CompleteDate"), format_time(value))


def _show_recurrence(item: Item, parent: Element, look: Look) -> None:
    found = recurrence(item)
    if found is not None:
        parent.append(found)


def _assign_recurrence(item: Item, element: Element) -> None:
    """Keep it as Exchange shows it: a time zone stands after the dates of the range."""
    kept = etree.fromstring(etree.tostring(element, with_tail=False))
    for day in kept.iter(t("StartDate"), t("EndDate")):
        day.text = text_of(day).strip()[:10] + "Z"
    item.declared["Recurrence"] = etree.tostring(kept)


def _remove_recurrence(item: Item) -> None:
    item.declared.pop("Recurrence", None)


def _description(item: Item) -> str:
    """StatusDescription: what Outlook shows for the status."""
    return ("Not Started", "In Progress", "Completed", "Waiting on someone else", "Deferred")[status(item)]


def _number(name: str, prop: PropertyName, *, writable: bool = True) -> Field:
    """A count, not below 0; 0 is shown where there is none."""
    known = simple(f"task:{name}", name, prop, "Integer")
    tag = t(name)

    def show(item: Item, parent: Element, look: Look) -> None:
        put(parent, tag, str(properties.number(item, prop) or 0))

    return Field(known.uri, name, show, known.assign, known.remove, prop, "Integer") if writable else Field(known.uri, name, show)


FIELDS: tuple[Field, ...] = (
    _number("ActualWork", (TASK, 0x8110)),
    simple("task:AssignedTime", "AssignedTime", (TASK, 0x8115), "SystemTime", writable=False),
    simple("task:BillingInformation", "BillingInformation", (COMMON, 0x8535), "String"),
    _number("ChangeCount", VERSION, writable=False),
    strings("task:Companies", "Companies", (COMMON, 0x8539)),
    Field("task:CompleteDate", "CompleteDate", _show_completed, _assign_completed, _reopen, COMPLETED, "SystemTime"),
    strings("task:Contacts", "Contacts", (COMMON, 0x853A)),
    shown("task:DelegationState", "DelegationState", lambda item: "NoMatch"),
    simple("task:Delegator", "Delegator", (TASK, 0x8121), "String", writable=False),
    _day("task:DueDate", "DueDate", DUE),
    shown("task:IsAssignmentEditable", "IsAssignmentEditable", lambda item: "0"),
    Field(
        "task:IsComplete",
        "IsComplete",
        shown("task:IsComplete", "IsComplete", lambda item: "true" if status(item) == DONE else "false").show,
        prop=COMPLETE,
        type="Boolean",
    ),
    shown("task:IsRecurring", "IsRecurring", lambda item: "true" if "Recurrence" in item.declared else "false"),
    shown("task:IsTeamTask", "IsTeamTask", lambda item: "false"),
    simple("task:Mileage", "Mileage", (COMMON, 0x8534), "String"),
    simple("task:Owner", "Owner", OWNER, "String", writable=False),
    Field("task:PercentComplete", "PercentComplete", _show_percent, _assign_percent),
    Field("task:Recurrence", "Recurrence", _show_recurrence, _assign_recurrence, _remove_recurrence, listed=False),
    _day("task:StartDate", "StartDate", START),
    Field("task:Status", "Status", _show_status, _assign_status),
    shown("task:StatusDescription", "StatusDescription", _description),
    _number("TotalWork", (TASK, 0x8111)),
)
