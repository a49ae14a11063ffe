"""Tasks in the sandbox: what exchangelib's ordinary object API sees, how progress hangs together, and how tasks recur."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator
from decimal import Decimal

import pytest
from exchangelib import UTC
from exchangelib import EWSDate
from exchangelib import EWSDateTime
from exchangelib import FileAttachment
from exchangelib.items import Task
from exchangelib.protocol import close_connections
from exchangelib.recurrence import TaskRecurrence
from exchangelib.recurrence import WeeklyPattern
from lxml import etree

from ews_bridge.sandbox.markup import t
from tests.sandbox_calls import Client
from tests.sandbox_calls import Clock
from tests.sandbox_calls import codes
from tests.sandbox_calls import item_ids
from tests.sandbox_calls import new_client
from tests.sandbox_calls import set_field
from tests.sandbox_server import running
from tests.test_sandbox_contacts import comparable
from tests.test_sandbox_exchangelib import Office
from tests.test_sandbox_exchangelib import sign_in

MONDAY = EWSDate(2026, 3, 2)


@pytest.fixture
def office() -> Iterator[Office]:
    with running(seed="empty") as server:
        yield Office(server, sign_in(server), sign_in(server))
        close_connections()


def clock_repair(office: Office) -> Task:
    """A task with something in every field that can be set."""
    task = Task(
        account=office.alice,
        folder=office.alice.tasks,
        subject="Repair the clock",
        body="First the spring,\nthen the wheels",
        start_date=MONDAY,
        due_date=MONDAY + dt.timedelta(days=4),
        status=Task.NOT_STARTED,
        percent_complete=Decimal(0),
        actual_work=90,
        total_work=240,
        billing_information="by the hour",
        mileage="3 km",
        companies=["Brass & Gears", "Tower Inc."],
        contacts=["Ada", "Grace"],
        categories=["Workshop"],
        importance="High",
        sensitivity="Personal",
        reminder_is_set=True,
        reminder_due_by=EWSDateTime(2026, 3, 2, 8, 30, tzinfo=UTC),
        reminder_minutes_before_start=0,
    )
    task.save()
    return task


def test_a_task_comes_back_as_it_was_written(office: Office) -> None:
    written = clock_repair(office)
    read = office.bob.tasks.get(id=written.id)
    names = [field.name for field in Task.FIELDS if not field.is_read_only and field.name not in ("mime_content", "attachments")]
    for name in names:
        if getattr(written, name) is not None:
            assert (name, comparable(getattr(read, name))) == (name, comparable(getattr(written, name)))
    assert (read.owner, read.is_complete, read.is_recurring, read.change_count) == ("Alice Sand", False, False, 1)
    assert (read.item_class, read.delegation_state, read.status_description) == ("IPM.Task", "NoMatch", "Not Started")
    assert [found.id for found in office.alice.tasks.filter(due_date=EWSDate(2026, 3, 6))] == [written.id]
    assert not office.alice.tasks.filter(is_complete=True).exists()


def test_a_task_is_changed_completed_and_deleted(office: Office) -> None:
    task = clock_repair(office)
    task.subject, task.due_date, task.mileage, task.companies = "Sell the clock", None, None, ["One"]
    task.status, task.percent_complete = "InProgress", Decimal("12.5")
    task.save()
    read = office.bob.tasks.get(id=task.id)
    assert (read.subject, read.due_date, read.mileage, read.companies) == ("Sell the clock", None, None, ["One"])
    assert (read.status, read.percent_complete, read.change_count) == ("InProgress", Decimal("12.5"), 2)
    read.complete()
    done = office.alice.tasks.get(id=task.id)
    assert (done.is_complete, done.status, done.percent_complete) == (True, "Completed", 100)
    assert done.complete_date is not None and office.alice.tasks.filter(is_complete=True).count() == 1
    done.attach(FileAttachment(name="bill.txt", content=b"12 EUR"))
    assert office.bob.tasks.get(id=task.id).attachments[0].content == b"12 EUR"
    done.move_to_trash(affected_task_occurrences="AllOccurrences")
    assert office.alice.tasks.total_count == 0 and office.alice.trash.get(subject="Sell the clock").percent_complete == 100


def new_task(client: Client, inner: str) -> str:
    made = client.create(f"<t:Task><t:Subject>T</t:Subject>{inner}</t:Task>")
    assert codes(made) == ["NoError"]
    return item_ids(made)[0]


def progress(client: Client, item: str) -> tuple[str | None, ...]:
    shown = client.get(item, base="AllProperties")
    return tuple(shown.findtext(t(name)) for name in ("Status", "PercentComplete", "CompleteDate", "IsComplete"))


TODAY = "2026-11-24T00:00:00Z"
COMPLETED = ("Completed", "100", TODAY, "true")


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ("", ("NotStarted", "0", None, "false")),
        ("<t:Status>Completed</t:Status>", COMPLETED),
        ("<t:PercentComplete>100</t:PercentComplete>", COMPLETED),
        ("<t:CompleteDate>2026-11-20T15:00:00Z</t:CompleteDate>", ("Completed", "100", "2026-11-20T00:00:00Z", "true")),
        ("<t:PercentComplete>25</t:PercentComplete>", ("InProgress", "25", None, "false")),
        ("<t:PercentComplete>25</t:PercentComplete><t:Status>Deferred</t:Status>", ("Deferred", "25", None, "false")),
        ("<t:PercentComplete>100</t:PercentComplete><t:Status>NotStarted</t:Status>", ("NotStarted", "0", None, "false")),
        (
            "<t:CompleteDate>2026-01-01T00:00:00Z</t:CompleteDate><t:PercentComplete>50</t:PercentComplete>",
            ("InProgress", "50", None, "false"),
        ),
    ],
)
def test_the_last_word_on_progress_decides(given: str, expected: tuple[str | None, ...]) -> None:
    client = new_client()
    assert progress(client, new_task(client, given)) == expected


def test_progress_can_be_taken_back() -> None:
    client = new_client()
    task = new_task(client, "<t:Status>Completed</t:Status>")
    client.update(task, set_field("task:Status", "<t:Status>InProgress</t:Status>", "Task"))
    assert progress(client, task) == ("InProgress", "0", None, "false")
    client.update(task, set_field("task:PercentComplete", "<t:PercentComplete>100</t:PercentComplete>", "Task"))
    client.update(task, '<t:DeleteItemField><t:FieldURI FieldURI="task:CompleteDate"/></t:DeleteItemField>')
    assert progress(client, task) == ("NotStarted", "0", None, "false")


@pytest.mark.parametrize(
    ("inner", "code"),
    [
        ("<t:PercentComplete>101</t:PercentComplete>", "ErrorInvalidPercentCompleteValue"),
        ("<t:CompleteDate>2027-01-01T00:00:00Z</t:CompleteDate>", "ErrorInvalidCompleteDate"),
        ("<t:Owner>me</t:Owner>", "ErrorInvalidPropertySet"),
        ("<t:IsComplete>true</t:IsComplete>", "ErrorInvalidPropertySet"),
        (
            "<t:Recurrence><t:DailyRecurrence><t:Interval>0</t:Interval></t:DailyRecurrence><t:NoEndRecurrence>"
            "<t:StartDate>2026-01-01</t:StartDate></t:NoEndRecurrence></t:Recurrence>",
            "ErrorCalendarInvalidRecurrence",
        ),
    ],
)
def test_what_a_task_does_not_take(inner: str, code: str) -> None:
    client = new_client()
    assert codes(client.create(f"<t:Task>{inner}</t:Task>")) == [code]


def test_a_task_lives_in_a_folder_for_tasks_only() -> None:
    made = new_client().create("<t:Task><t:Subject>T</t:Subject></t:Task>", "inbox")
    assert codes(made) == ["ErrorCannotCreateTaskInNonTaskFolder"]


def series(pattern: str, bounds: str) -> str:
    return (
        f"<t:DueDate>2026-11-23T00:00:00Z</t:DueDate><t:Recurrence>{pattern}{bounds}</t:Recurrence>"
        "<t:StartDate>2026-11-22T00:00:00Z</t:StartDate>"
    )


WEEKLY = "<t:WeeklyRecurrence><t:Interval>1</t:Interval><t:DaysOfWeek>Monday Thursday</t:DaysOfWeek></t:WeeklyRecurrence>"
FOR_EVER = "<t:NoEndRecurrence><t:StartDate>2026-11-23</t:StartDate></t:NoEndRecurrence>"
TWICE = (
    "<t:NumberedRecurrence><t:StartDate>2026-11-23</t:StartDate><t:NumberOfOccurrences>2</t:NumberOfOccurrences>"
    "</t:NumberedRecurrence>"
)
DONE = set_field("task:Status", "<t:Status>Completed</t:Status>", "Task")


def dates(client: Client, item: str) -> tuple[str | None, ...]:
    shown = client.get(item, base="AllProperties")
    return tuple((shown.findtext(t(name)) or "")[:10] for name in ("StartDate", "DueDate"))


def finish(client: Client, item: str, change: str = DONE) -> str:
    answer = client.update(item, change)
    assert codes(answer) == ["NoError"]
    return item_ids(answer)[0]


def test_a_finished_occurrence_becomes_a_task_of_its_own_and_the_series_goes_on() -> None:
    client = new_client()
    task = new_task(client, series(WEEKLY, TWICE))
    single = finish(client, task)
    assert single != task and progress(client, single) == COMPLETED and dates(client, single) == ("2026-11-22", "2026-11-23")
    assert client.get(single, base="AllProperties").findtext(t("IsRecurring")) == "false"
    assert progress(client, task)[0] == "NotStarted" and dates(client, task) == ("2026-11-25", "2026-11-26")
    # The last one is not split off: there is nothing to go on to.
    assert finish(client, task) == task and progress(client, task) == COMPLETED


def test_a_moved_occurrence_leaves_the_series() -> None:
    client = new_client()
    task = new_task(client, series(WEEKLY, FOR_EVER))
    single = finish(client, task, set_field("task:DueDate", "<t:DueDate>2026-12-24T00:00:00Z</t:DueDate>", "Task"))
    assert dates(client, single) == ("2026-11-22", "2026-12-24") and progress(client, single)[0] == "NotStarted"
    assert dates(client, task) == ("2026-11-25", "2026-11-26")


@pytest.mark.parametrize(
    ("unit", "due"), [("Daily", "2026-11-28"), ("Weekly", "2026-12-22"), ("Monthly", "2027-03-24"), ("Yearly", "2030-11-24")]
)
def test_a_regenerating_task_comes_again_so_long_after_it_was_done(unit: str, due: str) -> None:
    clock = Clock()
    client = new_client(clock=clock)
    pattern = f"<t:{unit}Regeneration><t:Interval>4</t:Interval></t:{unit}Regeneration>"
    task = new_task(client, series(pattern, TWICE))
    single = finish(client, task)
    assert progress(client, single) == COMPLETED and dates(client, task)[1] == due
    shown = client.get(task, base="AllProperties")
    assert shown.findtext(f"{t('Recurrence')}//{t('NumberOfOccurrences')}") == "1"
    assert finish(client, task) == task


def test_an_update_of_the_pattern_is_no_occurrence() -> None:
    client = new_client()
    task = new_task(client, series(WEEKLY, FOR_EVER))
    changed = f"<t:Recurrence>{WEEKLY}{TWICE}</t:Recurrence>"
    assert finish(client, task, set_field("task:Recurrence", changed, "Task")) == task
    found = client.get(task, '<t:FieldURI FieldURI="task:Recurrence"/>').find(t("Recurrence"))
    assert found is not None and b"NumberedRecurrence" in etree.tostring(found)


def test_a_single_occurrence_is_deleted_by_going_on() -> None:
    client = new_client()
    task = new_task(client, series(WEEKLY, TWICE))
    wanted = f'<m:ItemIds><t:ItemId Id="{task}"/></m:ItemIds>'
    client.ok("DeleteItem", wanted, DeleteType="HardDelete", AffectedTaskOccurrences="SpecifiedOccurrenceOnly")
    assert dates(client, task) == ("2026-11-25", "2026-11-26")
    answer = client.call("DeleteItem", wanted, DeleteType="HardDelete", AffectedTaskOccurrences="SpecifiedOccurrenceOnly")
    assert codes(answer) == ["ErrorCannotDeleteTaskOccurrence"]
    client.ok("DeleteItem", wanted, DeleteType="HardDelete", AffectedTaskOccurrences="AllOccurrences")
    assert codes(client.call("GetItem", client.get_request(task))) == ["ErrorItemNotFound"]


def test_a_recurring_task_without_dates_begins_with_its_pattern(office: Office) -> None:
    weekly = TaskRecurrence(pattern=WeeklyPattern(interval=1, weekdays=["Thursday"]), start=MONDAY, number=3)
    task = Task(account=office.alice, folder=office.alice.tasks, subject="Wind the clock", recurrence=weekly)
    task.save()
    read = office.bob.tasks.get(id=task.id)
    assert (read.is_recurring, read.due_date, read.recurrence.boundary.number) == (True, EWSDate(2026, 3, 5), 3)
    read.complete()
    tasks = list(office.alice.tasks.all().order_by("due_date"))
    assert [(one.due_date.day, one.is_complete, one.is_recurring) for one in tasks] == [(5, True, False), (12, False, True)]
