"""`meeting_mail`: whose meeting it is, who takes part in it, and what is no news to them."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from exchangelib.folders import Calendar
from lxml import etree

from ews_bridge.errors import Refused
from ews_bridge.exchange import soap
from ews_bridge.exchange.event import Events
from ews_bridge.exchange.eventpeople import Owner
from ews_bridge.exchange.form import Snapshot
from ews_bridge.exchange.meetingmail import FIRST
from ews_bridge.report import Notice
from tests.itemdesk import itemdesk
from tests.office import CAROL
from tests.office import DAILY
from tests.office import PEOPLE
from tests.office import SOON
from tests.office import Office
from tests.office import ics
from tests.office import meeting
from tests.office import told
from tests.sandbox_server import BOB

INVITED = (
    '<m:CreateItem SendMeetingInvitations="SendToAllAndSaveCopy"><m:Items><t:CalendarItem><t:Subject>Bob\'s</t:Subject>'
    "<t:Start>{day}T10:00:00Z</t:Start><t:End>{day}T11:00:00Z</t:End><t:RequiredAttendees>{people}</t:RequiredAttendees>"
    "</t:CalendarItem></m:Items></m:CreateItem>"
)
ATTENDEE = "<t:Attendee><t:Mailbox><t:EmailAddress>{}</t:EmailAddress></t:Mailbox></t:Attendee>"


def day(number: int) -> str:
    return time.strftime("%Y%m%d", time.gmtime(time.time() + number * 86_400))


@pytest.fixture
def office(tmp_path: Path) -> Iterator[Office]:
    with itemdesk(tmp_path, calendar="") as it:
        it.settle()
        yield Office(it)


@pytest.fixture
def invited(office: Office) -> Path:
    """The file of a meeting that Bob invites Alice and Carol to."""
    people = "".join(map(ATTENDEE.format, ("alice@example.test", "carol@example.test")))
    date = time.strftime("%Y-%m-%d", time.strptime(SOON, "%Y%m%d"))
    office.it.server.post(INVITED.format(day=date, people=people), user=BOB)
    office.sync()
    (file,) = office.it.files("calendar")
    office.arrived()
    return file


def without(data: bytes, name: str) -> bytes:
    lines = data.replace(b"\r\n ", b"").split(b"\r\n")
    return b"\r\n".join(line for line in lines if not line.startswith(name.encode()))


# ---- whose meeting it is


def test_a_meeting_that_came_by_invitation_stays_that_of_its_organizer(office: Office, invited: Path) -> None:
    before = office.sent()
    invited.write_bytes(without(invited.read_bytes(), "ORGANIZER").replace(b"SUMMARY:Bob", b"SUMMARY:Not Bob"))
    assert not office.sync().meeting_mail
    office.it.settle()
    assert b"ORGANIZER" in invited.read_bytes(), "and its organizer comes back"
    invited.unlink()
    assert not office.sync().meeting_mail
    assert office.sent() == before and not office.arrived()


def test_a_meeting_that_came_by_invitation_is_nobodys_to_cancel_even_if_no_organizer_is_named() -> None:
    person = ATTENDEE.format("carol@example.test")
    xml = (
        f'<t:CalendarItem xmlns:t="{soap.TYPES}"><t:ItemId Id="a" ChangeKey="b"/><t:Subject>S</t:Subject><t:UID>u</t:UID>'
        "<t:Start>2027-01-01T10:00:00Z</t:Start><t:End>2027-01-01T11:00:00Z</t:End><t:CalendarItemType>Single</t:CalendarItemType>"
        f"<t:AppointmentState>{{}}</t:AppointmentState><t:RequiredAttendees>{person}</t:RequiredAttendees></t:CalendarItem>"
    )
    events = Events(owner=Owner(("alice@example.test",)))
    mine, theirs = (events.cancelled(Snapshot(etree.fromstring(xml.format(state)))).people for state in (1, 3))
    assert (mine, theirs) == (("carol@example.test",), ())


def test_a_file_that_loses_its_organizer_is_not_taken_over(office: Office) -> None:
    theirs = (f"ORGANIZER:mailto:{BOB[0]}", "ATTENDEE:mailto:alice@example.test", CAROL, f"ATTENDEE:mailto:{BOB[0]}")
    office.put(meeting(*theirs))
    office.sync()
    file = office.put(meeting(*theirs[1:], summary="Watch"))
    assert not office.sync().meeting_mail
    office.it.settle()
    assert f"ORGANIZER:mailto:{BOB[0]}".encode() in file.read_bytes() and b"SUMMARY:Watch" in file.read_bytes()
    assert office.sent() == 0


def test_nobody_is_invited_by_a_file_without_an_organizer(office: Office) -> None:
    office.put(meeting(PEOPLE[1]))
    assert not office.sync().meeting_mail
    assert office.sent() == 0


@pytest.mark.parametrize("more", ["STATUS:CANCELLED", "METHOD"])
def test_nobody_is_invited_to_what_is_called_off_or_by_a_message(office: Office, more: str) -> None:
    data = ics(meeting(*PEOPLE, *(["STATUS:CANCELLED"] if more != "METHOD" else [])))
    if more == "METHOD":
        data = data.replace(b"VERSION:2.0", b"VERSION:2.0\r\nMETHOD:CANCEL")
    office.it.home("calendar").joinpath("m.ics").write_bytes(data)
    assert not office.sync().meeting_mail
    assert office.calendar() == ["Clock"] and office.sent() == 0


# ---- who was invited


def test_who_was_never_invited_is_invited_by_the_next_change_and_misses_no_end(office: Office) -> None:
    office.put(meeting(*PEOPLE, CAROL))
    office.sync("never")
    office.put(meeting(PEOPLE[0], CAROL))
    assert told(office.sync()) == [("invitation", ("carol@example.test",), True)], "not Bob, who is gone"
    office.put(meeting(*PEOPLE, CAROL, hour=13))
    office.sync("never")
    assert not office.arrived()


def test_one_who_is_added_to_a_meeting_nobody_knows_of_brings_an_invitation_for_all(office: Office) -> None:
    office.put(meeting(*PEOPLE))
    office.sync("never")
    office.put(meeting(*PEOPLE, CAROL))
    assert told(office.sync()) == [("invitation", (BOB[0], "carol@example.test"), True)]
    assert office.arrived() == ["Request"]


def test_a_series_nobody_knows_of_is_told_as_a_whole(office: Office) -> None:
    office.put(meeting(*PEOPLE, DAILY))
    office.sync("never")
    office.put(meeting(*PEOPLE, DAILY), meeting(*PEOPLE, f"RECURRENCE-ID:{day(31)}T100000Z", hour=14, day=day(31)))
    assert told(office.sync()) == [("invitation", (BOB[0],), True)]
    assert office.arrived() == ["Request"]
    (entry,) = office.bob.folder("calendar").items.values()
    assert len(entry.exceptions) == 1


def test_a_series_with_another_rule_is_told_once(office: Office) -> None:
    more = (f"EXDATE:{day(32)}T100000Z", f"EXDATE:{day(33)}T100000Z")
    moved = meeting(*PEOPLE, f"RECURRENCE-ID:{day(31)}T100000Z", hour=14, day=day(31))
    office.put(meeting(*PEOPLE, DAILY, *more), moved)
    office.sync()
    assert office.arrived() == ["Request"]
    office.put(meeting(*PEOPLE, "RRULE:FREQ=DAILY;COUNT=7", *more), moved)
    assert told(office.sync()) == [("update", (BOB[0],), True)]
    assert office.arrived() == ["Request"]
    assert not office.sync().done


def test_who_takes_part_in_one_occurrence_only_is_named_as_not_told(office: Office) -> None:
    extra = meeting(*PEOPLE, CAROL, f"RECURRENCE-ID:{day(31)}T100000Z", hour=14, day=day(31))
    file = office.put(meeting(*PEOPLE, DAILY), extra)
    assert told(office.sync()) == [("invitation", (BOB[0],), True), ("invitation", ("carol@example.test",), False)]
    file.unlink()
    assert told(office.sync()) == [("cancellation", (BOB[0],), True), ("cancellation", ("carol@example.test",), False)]


def test_another_role_is_no_news(office: Office) -> None:
    office.put(meeting(*PEOPLE))
    office.sync()
    office.put(meeting(PEOPLE[0], f"ATTENDEE;ROLE=OPT-PARTICIPANT;RSVP=TRUE:mailto:{BOB[0]}"))
    report = office.sync()
    assert report.done == {"update remote": 1} and not report.meeting_mail
    assert office.sent() == 1


def test_what_was_long_ago_is_over(office: Office) -> None:
    office.put(meeting(*PEOPLE, day="19600301"))
    assert not office.sync().meeting_mail


# ---- the first sync of a calendar


def start(office: Office, how: str) -> None:
    """Runs that brought no file of this calendar to the server."""
    if how == "pull only":
        office.sync(writes=frozenset())
    elif how == "another folder":
        Calendar(parent=office.it.outlook.msg_folder_root, name="Other").save()
        office.sync(folders=("Other",))
    elif how == "refused":
        marker = office.it.home("calendar").parent / ".ews-bridge"
        marker.write_text('{"version": 1, "account": "x", "generation": 3, "mailbox": "somebody@example.test"}')
        with pytest.raises(Refused):
            office.sync()
        marker.unlink()


@pytest.mark.parametrize("how", ["pull only", "another folder", "refused"])
def test_it_is_the_first_sync_that_brings_its_files_up(tmp_path: Path, how: str) -> None:
    with itemdesk(tmp_path, calendar="") as it:
        office = Office(it)
        it.home("calendar").mkdir(parents=True)
        office.put(meeting(*PEOPLE))
        start(office, how)
        assert not office.calendar()
        (notice,) = office.sync().meeting_mail
        assert (notice.told, notice.why) == (False, FIRST)
        assert office.calendar() == ["Clock"] and office.sent() == 0


def test_a_calendar_that_is_put_there_later_has_a_first_sync_of_its_own(office: Office) -> None:
    home = office.it.home("calendar", "Old")
    home.mkdir()
    home.joinpath("m.ics").write_bytes(ics(meeting(*PEOPLE)))
    assert told(office.sync()) == [("invitation", (BOB[0],), False)]
    home.joinpath("m.ics").write_bytes(ics(meeting(*PEOPLE, hour=13)))
    assert told(office.sync()) == [("invitation", (BOB[0],), True)]


# ---- copies, answers, errors


def test_of_copies_of_a_meeting_nobody_is_told(office: Office) -> None:
    home = office.it.home("calendar", "Other")
    home.mkdir()
    file = office.put(meeting(*PEOPLE))
    office.sync()
    assert office.arrived() == ["Request"]
    home.joinpath("m.ics").write_bytes(file.read_bytes())
    assert told(office.sync()) == [("invitation", (BOB[0],), False)]
    file.unlink()
    (notice,) = office.sync().meeting_mail
    assert (notice.what, notice.told) == ("cancellation", False) and "UID" in notice.why
    home.joinpath("m.ics").unlink()
    assert not office.sync().meeting_mail, "to this one nobody was invited"
    assert office.sent() == 1


def test_an_answer_is_for_what_was_asked(office: Office) -> None:
    """The file changes between question and upload: the answer was about what it said."""
    file = office.put(meeting(*PEOPLE))
    asked: list[Notice] = []

    def ask(notice: Notice) -> bool | None:
        asked.append(notice)
        if len(asked) == 1:
            file.write_bytes(ics(meeting(*PEOPLE, summary="Watch")))
            return True
        return None

    office.sync("ask", ask=ask)
    assert len(asked) == 2 and office.sent() == 0 and not office.calendar()


def test_a_run_that_fails_says_whom_it_told(office: Office) -> None:
    home = office.it.home("calendar")
    home.joinpath("one.ics").write_bytes(ics(meeting(*PEOPLE, uid="one")))
    home.joinpath("two.ics").write_bytes(ics(meeting(*PEOPLE, uid="two")))
    told_of = []

    def dies(name: str) -> None:
        if name == "UpdateItem":
            told_of.append(name)
            if len(told_of) == 2:
                raise ConnectionAbortedError("the line is dead")

    office.it.before = dies
    ran = office.it.user.run("sync", "--meeting-mail", "always")
    assert ran.code == 69
    assert ran.out.count("work: mailed bob@example.test: invitation to Clock") == 1
    office.it.before = lambda _: None
    office.sync()
    assert office.arrived() == ["Request", "Request"]


def test_what_was_edited_at_the_last_moment_is_not_cancelled(office: Office) -> None:
    file = office.put(meeting(*PEOPLE))
    office.sync()
    office.arrived()
    file.unlink()
    (item,) = office.it.outlook.calendar.all()
    seen = []

    def meanwhile(name: str) -> None:
        if name == "GetItem":
            seen.append(name)
            if len(seen) == 2:
                item.subject = "Changed by Outlook"
                item.save(update_fields=["subject"], send_meeting_invitations="SendToNone")

    office.it.before = meanwhile
    office.sync()
    office.it.before = lambda _: None
    office.it.settle()
    assert office.calendar() == ["Changed by Outlook"] and not office.arrived()


def test_groups_of_contacts_go_up_whole_whatever_is_asked_about_meetings(tmp_path: Path) -> None:
    def group(uid: str, member: str) -> bytes:
        lines = ("BEGIN:VCARD", "VERSION:3.0", f"UID:{uid}", f"FN:{uid}", f"N:{uid}", "X-ADDRESSBOOKSERVER-KIND:group")
        return "\r\n".join((*lines, f"X-ADDRESSBOOKSERVER-MEMBER:urn:uuid:{member}", "END:VCARD", "")).encode()

    with itemdesk(tmp_path, contacts="") as it:
        it.settle()
        home = it.home("contacts")
        person = "\r\n".join(
            ("BEGIN:VCARD", "VERSION:3.0", "UID:a", "FN:Ann", "N:Ann", "EMAIL:ann@example.test", "END:VCARD", "")
        )
        home.joinpath("a.vcf").write_bytes(person.encode())
        for name, member in (("g1", "a"), ("g2", "g1"), ("g3", "g2")):
            home.joinpath(f"{name}.vcf").write_bytes(group(name, member))
        it.sync(meeting_mail="ask", ask=lambda _: True)
        for name, member in (("g1", "a"), ("g2", "g1"), ("g3", "g2")):
            assert f"MEMBER:urn:uuid:{member}".encode() in home.joinpath(f"{name}.vcf").read_bytes()
        assert not it.sync().done
