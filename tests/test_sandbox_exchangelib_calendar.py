"""exchangelib's ordinary object API for calendars and meetings, as its documentation shows it, against the sandbox."""

from __future__ import annotations

import datetime as dt

import pytest
from exchangelib import UTC
from exchangelib import Attendee
from exchangelib import CalendarItem
from exchangelib import EWSDate
from exchangelib import EWSDateTime
from exchangelib import EWSTimeZone
from exchangelib import FileAttachment
from exchangelib import Mailbox
from exchangelib.errors import ErrorCalendarIsOrganizerForAccept
from exchangelib.errors import ErrorCalendarOccurrenceIndexIsOutOfRecurrenceRange
from exchangelib.errors import ErrorItemNotFound
from exchangelib.fields import MONDAY
from exchangelib.fields import WEDNESDAY
from exchangelib.items import ALL_OCCURRENCES
from exchangelib.items import SEND_ONLY_TO_ALL
from exchangelib.items import SEND_TO_ALL_AND_SAVE_COPY
from exchangelib.items import MeetingCancellation
from exchangelib.items import MeetingRequest
from exchangelib.items import MeetingResponse
from exchangelib.items.calendar_item import OCCURRENCE
from exchangelib.items.calendar_item import RECURRING_MASTER
from exchangelib.items.calendar_item import SINGLE
from exchangelib.recurrence import Recurrence
from exchangelib.recurrence import WeeklyPattern

from ews_bridge.sandbox.demo_items import EVENTS
from tests.sandbox_server import BOB
from tests.test_sandbox_exchangelib import Office
from tests.test_sandbox_exchangelib import office as office

BERLIN = EWSTimeZone("Europe/Berlin")


def moment(*numbers: int) -> EWSDateTime:
    return EWSDateTime(*numbers, tzinfo=BERLIN)


def series(office: Office) -> CalendarItem:
    """Seven Mondays and Wednesdays, across the end of summer time."""
    made = CalendarItem(
        account=office.alice,
        folder=office.alice.calendar,
        subject="Standup",
        start=moment(2026, 10, 12, 9),
        end=moment(2026, 10, 12, 10),
        recurrence=Recurrence(
            pattern=WeeklyPattern(interval=1, weekdays=[MONDAY, WEDNESDAY]), start=EWSDate(2026, 10, 12), number=7
        ),
    )
    made.save()
    return office.alice.calendar.get(id=made.id)


def meeting(office: Office) -> CalendarItem:
    made = CalendarItem(
        account=office.alice,
        folder=office.alice.calendar,
        subject="Clock",
        start=moment(2026, 12, 1, 9),
        end=moment(2026, 12, 1, 10),
        required_attendees=[Attendee(mailbox=Mailbox(email_address=BOB[0]))],
    )
    made.save(send_meeting_invitations=SEND_TO_ALL_AND_SAVE_COPY)
    return made


def test_an_appointment_is_saved_found_changed_and_deleted(office: Office) -> None:
    calendar = office.alice.calendar
    made = CalendarItem(
        account=office.alice,
        folder=calendar,
        subject="Talk",
        body="About tides",
        start=moment(2026, 7, 1, 9),
        end=moment(2026, 7, 1, 10),
        categories=["Red"],
        location="Attic",
        legacy_free_busy_status="OOF",
        sensitivity="Private",
        importance="High",
        reminder_is_set=True,
        reminder_minutes_before_start=60,
    )
    made.attach(FileAttachment(name="tide.txt", content=b"high"))
    made.save()
    found = calendar.get(subject="Talk")
    assert (found.start, found.end, found.type) == (made.start, made.end, SINGLE)
    assert (found.body, found.categories, found.location) == ("About tides", ["Red"], "Attic")
    assert (found.legacy_free_busy_status, found.sensitivity, found.importance) == ("OOF", "Private", "High")
    assert (found.reminder_is_set, found.reminder_minutes_before_start, found.reminder_due_by) == (True, 60, made.start)
    assert found._start_timezone == BERLIN and len(found.uid) == 112
    assert [one.content for one in found.attachments] == [b"high"]
    assert found.organizer.email_address == office.alice.primary_smtp_address
    uid = found.uid
    found.location = "Cellar"
    found.save()
    found.refresh()
    assert (found.location, found.uid) == ("Cellar", uid)
    assert calendar.filter(start__gte=moment(2026, 7, 1), start__lt=moment(2026, 7, 2)).count() == 1
    found.delete()
    assert not calendar.filter(subject="Talk").exists() and office.server.stats()["sent"] == 0


def test_a_day_is_a_day_in_every_zone(office: Office) -> None:
    for zone in (UTC, BERLIN, EWSTimeZone("America/Los_Angeles"), EWSTimeZone("Australia/Sydney")):
        office.alice.default_timezone = zone
        made = CalendarItem(
            account=office.alice,
            folder=office.alice.calendar,
            subject="Fair",
            start=EWSDate(2026, 7, 3),
            end=EWSDate(2026, 7, 4),
            is_all_day=True,
        )
        made.save()
        found = office.alice.calendar.get(id=made.id)
        assert (found.start, found.end) == (EWSDate(2026, 7, 3), EWSDate(2026, 7, 4))


def test_a_series_is_viewed_as_its_occurrences(office: Office) -> None:
    master = series(office)
    assert (master.type, master.recurrence.boundary.number) == (RECURRING_MASTER, 7)
    assert master.first_occurrence.start == moment(2026, 10, 12, 9) and master.last_occurrence.start == moment(2026, 11, 2, 9)
    seen = list(office.alice.calendar.view(start=moment(2026, 10, 1), end=moment(2026, 12, 1)))
    assert {one.type for one in seen} == {OCCURRENCE}
    assert [one.start for one in seen] == [moment(2026, 10, day, 9) for day in (12, 14, 19, 21, 26, 28)] + [
        moment(2026, 11, 2, 9)
    ]


def test_occurrences_are_changed_and_deleted(office: Office) -> None:
    master = series(office)
    second = master.occurrence(index=2)
    second.refresh()
    second.subject, second.start, second.end = "Later", moment(2026, 10, 14, 11), moment(2026, 10, 14, 12)
    second.save()
    third = master.occurrence(index=3)
    third.delete()
    master.refresh()
    assert [one.original_start for one in master.modified_occurrences] == [moment(2026, 10, 14, 9)]
    assert [one.start for one in master.deleted_occurrences] == [moment(2026, 10, 19, 9)]
    changed = office.alice.calendar.get(id=master.modified_occurrences[0].id)
    assert (changed.subject, changed.start, changed.type) == ("Later", moment(2026, 10, 14, 11), "Exception")
    again = changed.recurring_master()
    again.refresh()
    assert (again.id, again.subject) == (master.id, "Standup")
    with pytest.raises(ErrorCalendarOccurrenceIndexIsOutOfRecurrenceRange):
        master.occurrence(index=8).refresh()
    master.delete(affected_task_occurrences=ALL_OCCURRENCES)
    with pytest.raises(ErrorItemNotFound):
        changed.refresh()


def test_a_calendar_is_synchronised_by_its_series(office: Office) -> None:
    assert [kind for kind, _ in office.alice.calendar.sync_items()] == ["create"] * len(EVENTS)
    master = series(office)
    assert [(kind, item.id) for kind, item in office.alice.calendar.sync_items()] == [("create", master.id)]
    first = master.occurrence(index=1)
    first.refresh()
    first.location = "Attic"
    first.save()
    assert [(kind, item.id) for kind, item in office.alice.calendar.sync_items()] == [("update", master.id)]


def test_an_invitation_is_accepted_changed_and_declined(office: Office) -> None:
    made = meeting(office)
    request = office.bob.inbox.get(subject="Clock")
    assert isinstance(request, MeetingRequest) and request.meeting_request_type == "NewMeetingRequest"
    assert office.bob.calendar.get(id=request.associated_calendar_item_id.id).my_response_type == "NoResponseReceived"
    request.accept(body="With pleasure")
    made.refresh()
    assert made.required_attendees[0].response_type == "Accept"
    response = office.alice.inbox.get(subject="Accepted: Clock")
    assert isinstance(response, MeetingResponse) and "With pleasure" in response.body
    made.start, made.end = moment(2026, 12, 1, 11), moment(2026, 12, 1, 12)
    made.save(update_fields=["start", "end"], send_meeting_invitations=SEND_ONLY_TO_ALL)
    update = office.bob.inbox.get(subject="Clock")
    assert update.meeting_request_type == "FullUpdate" and update.start == moment(2026, 12, 1, 11)
    update.decline(proposed_start=moment(2026, 12, 2, 9), proposed_end=moment(2026, 12, 2, 10))
    made.refresh()
    (attendee,) = made.required_attendees
    assert (attendee.response_type, attendee.proposed_start) == ("Decline", moment(2026, 12, 2, 9))
    assert not office.bob.calendar.filter(subject="Clock").exists()
    counter = office.alice.inbox.get(subject="New Time Proposed: Clock")
    assert (counter.response_type, counter.proposed_end) == ("Decline", moment(2026, 12, 2, 10))
    assert office.server.stats()["sent"] == 4


def test_a_meeting_is_accepted_tentatively_and_cancelled(office: Office) -> None:
    made = meeting(office)
    office.bob.inbox.get(subject="Clock").tentatively_accept()
    entry = office.bob.calendar.get(subject="Clock")
    assert (entry.my_response_type, entry.legacy_free_busy_status) == ("Tentative", "Tentative")
    made.refresh()
    made.cancel()
    assert not office.alice.calendar.filter(subject="Clock").exists()
    assert isinstance(office.bob.inbox.get(subject="Canceled: Clock"), MeetingCancellation)
    entry.refresh()
    assert entry.is_cancelled


def test_the_organizer_cannot_accept(office: Office) -> None:
    made = meeting(office)
    with pytest.raises(ErrorCalendarIsOrganizerForAccept):
        made.accept()


def test_others_see_when_one_is_busy_and_no_more(office: Office) -> None:
    meeting(office)
    start, end = moment(2026, 12, 1, 8), moment(2026, 12, 1, 11)

    def busy(asker: str, view: str) -> object:
        account = getattr(office, asker)
        (found,) = account.protocol.get_free_busy_info(
            accounts=[(office.alice, "Organizer", False)], start=start, end=end, requested_view=view
        )
        return found

    own = busy("alice", "DetailedMerged")
    assert own.view_type == "DetailedMerged" and own.merged == "002200"  # type: ignore[attr-defined]
    (event,) = own.calendar_events  # type: ignore[attr-defined]
    assert (event.start, event.end, event.busy_type) == (start + dt.timedelta(hours=1), end - dt.timedelta(hours=1), "Busy")
    assert event.details.subject == "Clock" and event.details.is_meeting
    other = busy("bob", "DetailedMerged")
    assert other.view_type == "FreeBusyMerged"  # type: ignore[attr-defined]
    assert [event.details for event in other.calendar_events] == [None]  # type: ignore[attr-defined]


def test_times_are_told_by_the_clock_that_the_client_names(office: Office) -> None:
    office.alice.default_timezone = BERLIN  # exchangelib sends it as TimeZoneContext
    made = CalendarItem(
        account=office.alice, folder=office.alice.calendar, start=moment(2026, 7, 1, 9), end=moment(2026, 7, 1, 10)
    )
    made.save()
    seen: list[bytes] = []
    office.server.sandbox.witness = lambda request, answer: seen.append(answer)
    assert office.alice.calendar.get(id=made.id).start == moment(2026, 7, 1, 9)
    assert any(b"<t:Start>2026-07-01T09:00:00+02:00</t:Start>" in answer for answer in seen)
