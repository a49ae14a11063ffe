"""`meeting_mail`: who is mailed of what a sync does to a meeting, who would be, and that nobody is where nobody asked for it."""

from __future__ import annotations

import contextlib
import json
import os
import pty
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from ews_bridge.errors import EwsBridgeError
from ews_bridge.report import Notice
from tests.itemdesk import ItemDesk
from tests.itemdesk import itemdesk
from tests.office import ATTACH
from tests.office import CAROL
from tests.office import DAILY
from tests.office import PEOPLE
from tests.office import SOON
from tests.office import Office
from tests.office import ics
from tests.office import meeting
from tests.office import told
from tests.sandbox_server import BOB


@pytest.fixture
def office(tmp_path: Path) -> Iterator[Office]:
    with itemdesk(tmp_path, calendar="") as it:
        it.settle()
        yield Office(it)


def test_always_invites_updates_and_cancels_each_once(office: Office) -> None:
    office.put(meeting(*PEOPLE))
    assert told(office.sync()) == [("invitation", (BOB[0],), True)]
    assert office.arrived() == ["Request"]
    assert not office.sync().meeting_mail

    file = office.put(meeting(*PEOPLE, hour=12))
    assert told(office.sync()) == [("update", (BOB[0],), True)]
    assert office.arrived() == ["Request"]
    assert not office.sync().done

    file.unlink()
    assert told(office.sync()) == [("cancellation", (BOB[0],), True)]
    assert office.arrived() == ["Canceled"]
    assert not office.sync().done
    assert not office.calendar() and len(list(office.it.outlook.trash.all())) == 1
    assert office.sent() == 3


@pytest.mark.parametrize("wish", ["never", "ask", ""])
def test_unless_it_is_asked_for_nobody_is_mailed_and_the_report_says_who_would_be(office: Office, wish: str) -> None:
    office.put(meeting(*PEOPLE))
    report = office.sync(wish)
    if wish == "ask":
        (failure,) = report.failures
        assert "it waits until you were asked: bob@example.test would be mailed" in failure.why
        assert not office.calendar()
        again = office.sync(wish)
        assert (again.failures, again.pending) == ([], 1), "told once, and counted"
        office.sync("never")
    else:
        assert told(report) == [("invitation", (BOB[0],), False)]
    assert office.calendar() == ["Clock"]
    file = office.put(meeting(*PEOPLE, summary="Watch"))
    if wish != "ask":
        assert told(office.sync(wish)) == [("invitation", (BOB[0],), False)]
        file.unlink()
        assert not office.sync(wish).meeting_mail, "who was never invited misses nothing"
    assert office.sent() == 0 and not office.arrived()


@pytest.mark.parametrize("answer", [True, False])
def test_ask_does_as_the_user_says(office: Office, answer: bool) -> None:
    asked: list[Notice] = []

    def ask(notice: Notice) -> bool | None:
        asked.append(notice)
        return answer

    office.put(meeting(*PEOPLE))
    assert not office.sync("ask", ask=lambda _: None).meeting_mail
    assert not office.calendar(), "later is later"
    assert told(office.sync("ask", ask=ask)) == [("invitation", (BOB[0],), answer)]
    office.put(meeting(*PEOPLE, summary="Watch"))
    what = "update" if answer else "invitation"
    assert told(office.sync("ask", ask=ask)) == [(what, (BOB[0],), answer)]
    office.it.home("calendar").joinpath("m.ics").unlink()
    office.sync("ask", ask=ask)
    assert [each.what for each in asked] == ["invitation", what, *(["cancellation"] if answer else [])]
    assert office.arrived() == (["Request", "Request", "Canceled"] if answer else [])
    assert not office.sync("ask", ask=ask).done


def test_a_deletion_that_waits_to_be_asked_is_no_deletion(office: Office) -> None:
    file = office.put(meeting(*PEOPLE))
    office.sync()
    file.unlink()
    (failure,) = office.sync("ask").failures
    assert "it waits until you were asked" in failure.why
    assert office.calendar() == ["Clock"] and office.sent() == 1
    assert office.sync("never").done == {"delete remote": 1}
    assert office.sent() == 1


def test_a_dry_run_says_who_would_be_mailed_and_mails_nobody(office: Office) -> None:
    office.put(meeting(*PEOPLE))
    for wish, expected in (("always", True), ("never", False), ("ask", None)):
        assert told(office.sync(wish, dry_run=True)) == [("invitation", (BOB[0],), expected)]
    assert not office.calendar()
    office.sync("always")
    file = office.put(meeting(*PEOPLE, CAROL))
    assert told(office.sync("always", dry_run=True)) == [("update", ("carol@example.test",), True)]
    file.unlink()
    assert told(office.sync("always", dry_run=True)) == [("cancellation", (BOB[0],), True)]
    assert office.sent() == 1


def test_a_dry_run_names_what_the_server_could_not_take(office: Office) -> None:
    office.put(meeting("RRULE:FREQ=HOURLY;COUNT=3"))
    report = office.sync("never", dry_run=True)
    (failure,) = report.failures
    assert "HOURLY" in failure.why and "upload" not in report.done


def test_the_first_sync_of_a_calendar_mails_nobody(tmp_path: Path) -> None:
    with itemdesk(tmp_path, calendar='meeting_mail = "always"') as it:
        office = Office(it)
        it.home("calendar").mkdir(parents=True)
        office.put(meeting(*PEOPLE))
        assert told(it.sync()) == [("invitation", (BOB[0],), False)]
        assert office.calendar() == ["Clock"] and office.sent() == 0
        office.put(meeting(*PEOPLE, hour=12))
        assert told(it.sync()) == [("invitation", (BOB[0],), True)]


def test_nobody_is_told_of_what_is_over(office: Office) -> None:
    file = office.put(meeting(*PEOPLE, day="20200301"))
    assert not office.sync().meeting_mail
    office.put(meeting(*PEOPLE, day="20200301", hour=13))
    assert not office.sync().meeting_mail
    file.unlink()
    assert not office.sync().meeting_mail
    assert office.sent() == 0


def test_what_nobody_else_sees_is_no_news(office: Office) -> None:
    office.put(meeting(*PEOPLE))
    office.sync()
    alarm = ("BEGIN:VALARM", "ACTION:DISPLAY", "TRIGGER:-PT10M", "DESCRIPTION:x", "END:VALARM")
    office.put(meeting(*PEOPLE, "CATEGORIES:Blue", "X-NOTE:mine", *alarm))
    report = office.sync()
    assert report.done == {"update remote": 1} and not report.meeting_mail
    assert office.sent() == 1


def test_who_comes_or_goes_is_told_alone(office: Office) -> None:
    office.put(meeting(*PEOPLE))
    office.sync()
    office.arrived()
    office.put(meeting(*PEOPLE, CAROL))
    assert told(office.sync()) == [("update", ("carol@example.test",), True)]
    assert not office.arrived()
    office.put(meeting(PEOPLE[0], CAROL))
    assert told(office.sync()) == [("update", (BOB[0],), True)]
    assert office.arrived() == ["Canceled"]


def test_occurrences_are_told_of_each_for_itself(office: Office) -> None:
    office.put(meeting(*PEOPLE, DAILY))
    office.sync()
    office.arrived()
    second = time.strftime("%Y%m%d", time.gmtime(time.time() + 31 * 86_400))
    moved = meeting(*PEOPLE, f"RECURRENCE-ID:{second}T100000Z", hour=14, day=second)
    office.put(meeting(*PEOPLE, DAILY), moved)
    assert told(office.sync()) == [("update", (BOB[0],), True)]
    assert office.arrived() == ["Request"]
    third = time.strftime("%Y%m%d", time.gmtime(time.time() + 32 * 86_400))
    office.put(meeting(*PEOPLE, DAILY, f"EXDATE:{third}T100000Z"), moved)
    assert told(office.sync()) == [("update", (BOB[0],), True)]
    assert office.arrived() == ["Canceled"]
    assert not office.sync().done


def test_invited_people_get_all_of_it(office: Office) -> None:
    """Attachments and changed occurrences have requests of their own; the invitation goes out after them."""
    office.put(meeting(*PEOPLE, ATTACH))
    office.sync()
    (entry,) = office.bob.folder("calendar").items.values()
    assert b"aGVsbG8=" in entry.mime
    office.arrived()
    office.put(meeting(*PEOPLE))
    assert told(office.sync()) == [("update", (BOB[0],), True)]
    assert office.arrived() == ["Request"]
    (entry,) = office.bob.folder("calendar").items.values()
    assert b"aGVsbG8=" not in entry.mime
    assert office.sent() == 2


def test_the_meeting_of_somebody_else_is_his_to_tell_of(office: Office) -> None:
    theirs = (f"ORGANIZER:mailto:{BOB[0]}", "ATTENDEE:mailto:alice@example.test", CAROL)
    file = office.put(meeting(*theirs))
    office.sync()
    office.put(meeting(*theirs, hour=15))
    office.sync()
    file.unlink()
    assert not office.sync().meeting_mail
    assert office.sent() == 0 and not office.arrived()


def fall_silent(it: ItemDesk, lost: str, number: int) -> list[str]:
    """Cut the line at that write, before it is carried out or after; the names of those that were made. Reads are repeated."""
    made: list[str] = []

    def dies(name: str) -> None:
        if name.startswith(("Create", "Update", "Delete", "Move")):
            made.append(name)
            if len(made) == number + 1:
                raise ConnectionAbortedError("the line is dead")

    setattr(it, "before" if lost == "request" else "after", dies)
    return made


@pytest.mark.parametrize("lost", ["request", "reply"])
@pytest.mark.parametrize("what", ["invitation", "invitation with a file", "update", "cancellation"])
def test_a_sync_that_is_cut_off_anywhere_tells_nobody_twice_nor_forgets_to(office: Office, what: str, lost: str) -> None:
    for number in range(9):
        uid, more = f"m{number}", ((ATTACH,) if what == "invitation with a file" else ())
        file = office.put(meeting(*PEOPLE, *more, uid=uid))
        if what in ("update", "cancellation"):
            office.sync()
        if what == "update":
            office.put(meeting(*PEOPLE, *more, uid=uid, hour=14))
        elif what == "cancellation":
            file.unlink()
        office.arrived()
        made = fall_silent(office.it, lost, number)
        with contextlib.suppress(EwsBridgeError):
            office.sync()
        office.it.before = office.it.after = lambda _: None
        office.sync()
        assert office.arrived() == (["Canceled"] if what == "cancellation" else ["Request"]), made
        assert office.calendar() == ([] if what == "cancellation" else ["Clock"]), made
        assert not office.sync().done
        file.unlink(missing_ok=True)
        office.sync("never")
        office.bob.folder("calendar").items.clear()
        if len(made) <= number:
            assert number > 0, "there was something to be cut"
            return
    raise AssertionError("not all requests were tried")


def test_a_shared_answer_is_for_this_change_alone(office: Office) -> None:
    asked: list[Notice] = []

    def ask(notice: Notice) -> bool | None:
        asked.append(notice)
        return notice.uid == "one"

    home = office.it.home("calendar")
    for uid in ("one", "two"):
        home.joinpath(f"{uid}.ics").write_bytes(ics(meeting(*PEOPLE, uid=uid)))
    report = office.sync("ask", ask=ask)
    assert sorted((each.uid, each.told) for each in report.meeting_mail) == [("one", True), ("two", False)]
    assert sorted(replace(each, told=None).uid for each in asked) == ["one", "two"]
    assert office.arrived() == ["Request"]


@pytest.mark.parametrize(
    ("typed", "said", "code"),
    [
        (b"y\n", "work: mailed bob@example.test: invitation to Clock", 0),
        (b"\n", "waits until you were asked", 1),
        (b"\x04", "waits until you were asked", 1),
    ],
    ids=["yes", "later by default", "end of input"],
)
def test_on_a_terminal_the_user_is_asked(office: Office, typed: bytes, said: str, code: int) -> None:
    office.it.configure(calendar='meeting_mail = "ask"')
    office.put(meeting(*PEOPLE))
    user = office.it.user
    controller, terminal = pty.openpty()
    with subprocess.Popen(
        [sys.executable, "-m", "ews_bridge", "sync"],
        env=user.environment(),
        stdin=terminal,
        stdout=terminal,
        stderr=terminal,
    ) as run:
        os.close(terminal)
        shown, asked = b"", False
        with contextlib.suppress(OSError):  # the other end is closed
            while part := os.read(controller, 4096):
                shown += part
                if not asked and b"[later]? " in shown:
                    asked = bool(os.write(controller, typed))
        assert run.wait(60) == code, shown
    os.close(controller)
    assert "mail bob@example.test: invitation to Clock" in shown.decode()
    assert said in shown.decode()
    assert office.sent() == (1 if typed == b"y\n" else 0)


def test_the_command_line_says_who_would_be_mailed(office: Office) -> None:
    office.put(meeting(*PEOPLE))
    label = time.strftime("invitation to Clock (%Y-%m-%d)", time.strptime(SOON, "%Y%m%d"))
    dry = office.it.user.run("sync", "--dry-run", "--meeting-mail", "always").out
    assert f"work: would mail bob@example.test: {label}\n" in dry
    assert f"work: did not mail bob@example.test: {label}\n" in office.it.user.run("sync").out
    office.put(meeting(*PEOPLE, hour=16))
    found = json.loads(office.it.user.run("--json", "sync", "--meeting-mail", "always").out)
    (notice,) = found["accounts"][0]["meeting_mail"]
    assert (notice["what"], notice["people"], notice["told"]) == ("invitation", [BOB[0]], True)
