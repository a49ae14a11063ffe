"""todoman, khal and khard over vdirs that ews-bridge keeps: what they list, add, edit and remove, the server shows, and back.

Needs the programs `todo`, `khal` and `khard` (PyPI: todoman, khal, khard) on PATH, or in directories that EWS_BRIDGE_CLIENTS
names, as PATH does: each may have a virtual environment of its own.
"""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from exchangelib import CalendarItem
from exchangelib import Contact
from exchangelib import EWSDate
from exchangelib import EWSDateTime
from exchangelib import EWSTimeZone
from exchangelib import Task
from exchangelib.indexed_properties import EmailAddress
from exchangelib.recurrence import Recurrence
from exchangelib.recurrence import WeeklyPattern

from tests.itemdesk import ItemDesk
from tests.itemdesk import itemdesk

PLACES = os.pathsep.join([os.environ.get("EWS_BRIDGE_CLIENTS", ""), os.environ.get("PATH", "")])
BERLIN = EWSTimeZone("Europe/Berlin")

pytestmark = pytest.mark.compat

TODOMAN = """\
path = "~/tasks/*"
date_format = "%Y-%m-%d"
time_format = "%H:%M"
default_list = "Tasks"
"""
KHAL = """\
[calendars]
[[work]]
path = ~/calendar/*
type = discover
[locale]
timeformat = %H:%M
dateformat = %Y-%m-%d
longdateformat = %Y-%m-%d
datetimeformat = %Y-%m-%d %H:%M
longdatetimeformat = %Y-%m-%d %H:%M
local_timezone = Europe/Berlin
default_timezone = Europe/Berlin
[default]
default_calendar = Calendar
"""
KHARD = """\
[addressbooks]
[[work]]
path = ~/contacts/*
type = discover
[general]
editor = vim
merge_editor = vimdiff
"""


@pytest.fixture
def it(tmp_path: Path) -> Iterator[ItemDesk]:
    with itemdesk(tmp_path) as found:
        for name, text in (("todoman/config.py", TODOMAN), ("khal/config", KHAL), ("khard/khard.conf", KHARD)):
            path = tmp_path / ".config" / name
            path.parent.mkdir(parents=True)
            path.write_text(text)
        found.settle()
        yield found


def run(it: ItemDesk, program: str, *arguments: str, typed: str = "") -> str:
    """What a program prints."""
    found = shutil.which(program, path=PLACES)
    if not found:
        pytest.skip(f"{program} is not installed")
    environment = it.user.environment() | {"TZ": "Europe/Berlin", "LC_ALL": "C.UTF-8", "PYTHONWARNINGS": "ignore"}
    ran = subprocess.run(
        [found, *arguments], env=environment, input=typed, capture_output=True, text=True, timeout=60, cwd=it.user.home
    )
    assert ran.returncode == 0, (ran.args, ran.stdout, ran.stderr)
    return ran.stdout


# ---- todoman


def test_todoman_lists_adds_edits_finishes_and_removes(it: ItemDesk) -> None:
    run(it, "todo", "--version")
    alice = it.server.alice
    alice.create_folder(alice.folder("tasks"), "Garden", "IPF.Task")
    Task(account=it.outlook, folder=it.outlook.tasks, subject="Call the plumber", due_date=EWSDate(2026, 12, 1)).save()
    it.settle()
    assert "Call the plumber" in run(it, "todo", "list")
    run(it, "todo", "new", "-l", "Tasks", "--due", "2026-12-24", "--priority", "high", "Buy a tree")
    run(it, "todo", "new", "-l", "Tasks/Garden", "Rake leaves")
    assert it.settle().done == {"upload": 2}
    tasks = {task.subject: task for task in it.outlook.tasks.all()}
    assert (tasks["Buy a tree"].due_date, tasks["Buy a tree"].importance) == (EWSDate(2026, 12, 24), "High")
    assert [task.subject for task in (it.outlook.tasks / "Garden").all()] == ["Rake leaves"]
    number = next(line.split()[2] for line in run(it, "todo", "list").splitlines() if "tree" in line)
    run(it, "todo", "edit", number, "--due", "2026-12-23")
    it.settle()
    assert it.outlook.tasks.get(subject="Buy a tree").due_date == EWSDate(2026, 12, 23)
    run(it, "todo", "done", number)
    it.settle()
    done = it.outlook.tasks.get(subject="Buy a tree")
    assert (done.status, done.percent_complete) == ("Completed", 100)
    number = next(line.split()[2] for line in run(it, "todo", "list").splitlines() if "plumber" in line)
    run(it, "todo", "delete", "--yes", number)
    assert it.settle().done == {"delete remote": 1}
    assert [task.subject for task in it.outlook.trash.all()] == ["Call the plumber"]
    done.refresh()
    done.subject = "Sell the tree"
    done.save()
    it.settle()
    assert "Sell the tree" in run(it, "todo", "list", "--status", "ANY")


# ---- khal


def test_khal_lists_adds_edits_and_deletes(it: ItemDesk) -> None:
    run(it, "khal", "--version")
    alice = it.server.alice
    alice.create_folder(alice.folder("calendar"), "Team", "IPF.Appointment")
    CalendarItem(
        account=it.outlook,
        folder=it.outlook.calendar,
        subject="Standup",
        start=EWSDateTime(2026, 11, 24, 9, 0, tzinfo=BERLIN),
        end=EWSDateTime(2026, 11, 24, 9, 15, tzinfo=BERLIN),
        recurrence=Recurrence(
            pattern=WeeklyPattern(interval=1, weekdays=["Tuesday"], first_day_of_week="Monday"),
            start=EWSDate(2026, 11, 24),
            number=3,
        ),
    ).save(send_meeting_invitations="SendToNone")
    CalendarItem(
        account=it.outlook,
        folder=it.outlook.calendar,
        subject="Holiday",
        start=EWSDate(2026, 12, 24),
        end=EWSDate(2026, 12, 26),
        is_all_day=True,
    ).save(send_meeting_invitations="SendToNone")
    it.settle()
    assert {"Calendar", "Calendar/Team"} <= set(run(it, "khal", "printcalendars").splitlines())
    shown = run(it, "khal", "list", "2026-11-24", "40d")
    assert shown.count("09:00-09:15 Standup") == 3
    assert "Holiday" in shown
    run(it, "khal", "new", "-a", "Calendar", "2026-12-01", "10:00", "11:00", "Lunch :: with Bob")
    run(it, "khal", "new", "-a", "Calendar/Team", "2026-12-02", "Planning day")
    assert it.settle().done == {"upload": 2}
    lunch = it.outlook.calendar.get(subject="Lunch")
    assert lunch.start == EWSDateTime(2026, 12, 1, 10, 0, tzinfo=BERLIN)
    assert lunch.text_body.strip() == "with Bob"
    assert [(each.subject, each.is_all_day) for each in (it.outlook.calendar / "Team").all()] == [("Planning day", True)]
    run(it, "khal", "edit", "Lunch", typed="s\nDinner\nn\n")
    assert it.settle().done == {"update remote": 1}
    dinner = it.outlook.calendar.get(subject="Dinner")
    dinner.location = "Canteen"
    dinner.save(send_meeting_invitations="SendToNone")
    it.settle()
    assert "Canteen" in run(it, "khal", "list", "--format", "{title} {location}", "2026-12-01", "2d")
    run(it, "khal", "edit", "Dinner", typed="D\ny\nn\n")
    assert it.settle().done == {"delete remote": 1}
    assert not list(it.outlook.calendar.filter(subject="Dinner"))
    assert it.server.stats().get("sent", 0) == 0, "nobody was mailed"


# ---- khard


def test_khard_lists_adds_edits_and_removes(it: ItemDesk) -> None:
    run(it, "khard", "--version")
    address = EmailAddress(label="EmailAddress1", email="carol@example.test")
    Contact(
        account=it.outlook,
        folder=it.outlook.contacts,
        display_name="Carol Chen",
        given_name="Carol",
        surname="Chen",
        email_addresses=[address],
    ).save()
    it.settle()
    assert "carol@example.test" in run(it, "khard", "list")
    card = it.user.home / "bob.yaml"
    lines = ("Formatted name : Bob Builder", "First name : Bob", "Last name : Builder", "Email :", "    work : bob@example.test")
    card.write_text("\n".join((*lines, "Note : builds", "")))
    run(it, "khard", "new", "-a", "Contacts", "-i", str(card))
    assert it.settle().done == {"upload": 1}
    bob = next(each for each in it.outlook.contacts.all() if each.surname == "Builder")
    assert [each.email for each in bob.email_addresses if each.email] == ["bob@example.test"]
    card.write_text(card.read_text().replace("Builder", "Baumeister"))
    run(it, "khard", "edit", "-i", str(card), "Bob", typed="y\n")
    it.settle()
    assert {each.surname for each in it.outlook.contacts.all()} == {"Baumeister", "Chen"}
    bob.refresh()
    bob.job_title = "Foreman"
    bob.save()
    it.settle()
    assert "Foreman" in run(it, "khard", "show", "Baumeister")
    run(it, "khard", "remove", "--force", "Carol")
    assert it.settle().done == {"delete remote": 1}
    assert [each.surname for each in it.outlook.contacts.all()] == ["Baumeister"]
