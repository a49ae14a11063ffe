"""Meetings between two users of the sandbox: what is mailed, and what it does to their calendars."""

from __future__ import annotations

import base64
from email import message_from_bytes

import pytest
from lxml import etree

from ews_bridge.sandbox import transport
from ews_bridge.sandbox.markup import m
from ews_bridge.sandbox.markup import t
from ews_bridge.sandbox.store import Item

from .sandbox_calls import Client
from .sandbox_calls import codes
from .sandbox_calls import item_ids
from .sandbox_calls import new_client
from .sandbox_calls import set_field
from .test_sandbox_calendar import WEEKLY
from .test_sandbox_calendar import calendar
from .test_sandbox_calendar import change
from .test_sandbox_calendar import created
from .test_sandbox_calendar import delete
from .test_sandbox_calendar import get
from .test_sandbox_calendar import ics
from .test_sandbox_calendar import nth
from .test_sandbox_calendar import one
from .test_sandbox_calendar import starts
from .test_sandbox_calendar import view

TIMES = "<t:Start>2026-12-01T09:00:00Z</t:Start><t:End>2026-12-01T10:00:00Z</t:End>"
INVITED = (
    "<t:RequiredAttendees><t:Attendee><t:Mailbox><t:EmailAddress>bob@example.test</t:EmailAddress></t:Mailbox></t:Attendee>"
    "</t:RequiredAttendees>"
)
TO_ALL = "SendToAllAndSaveCopy"


class Office:
    """Alice, who invites, and Bob."""

    def __init__(self) -> None:
        self.alice = new_client()
        self.bob = Client(self.alice.world.users["bob@example.test"])

    @property
    def sent(self) -> int:
        return self.alice.world.sent

    def meeting(self, send: str = TO_ALL, recurrence: str = "") -> str:
        """A meeting of Alice with Bob."""
        inner = f"<t:Subject>Clock</t:Subject>{TIMES}<t:Location>Attic</t:Location>{INVITED}{recurrence}"
        return created(self.alice, inner, send)

    def messages(self, who: Client, folder: str = "inbox") -> list[Item]:
        return sorted(who.mailbox.folder(folder).items.values(), key=lambda item: item.key)

    def message(self, who: Client, folder: str = "inbox") -> etree._Element:
        """The newest message, with all its properties."""
        return get(who, one(who.mailbox.item_id(self.messages(who, folder)[-1])), PROPOSED, "AllProperties")

    def entry(self, who: Client) -> str:
        """The id of the one entry in a calendar."""
        (item,) = who.mailbox.folder("calendar").items.values()
        return who.mailbox.item_id(item)

    def answer(self, name: str, reference: str, how: str = "SendAndSaveCopy", inner: str = "") -> etree._Element:
        referred = inner.replace("{ref}", f'<t:ReferenceItemId Id="{reference}"/>')
        content = f"<m:Items><t:{name}>{referred}</t:{name}></m:Items>"
        return self.bob.call("CreateItem", content, MessageDisposition=how)

    def respond(self, name: str, how: str = "SendAndSaveCopy", proposed: str = "") -> etree._Element:
        """Bob answers the newest request."""
        request = self.bob.mailbox.item_id(self.messages(self.bob)[-1])
        response = self.answer(name, request, how, "{ref}" + proposed)
        assert codes(response) == ["NoError"], etree.tostring(response).decode()
        return response

    def state_of_bob(self, meeting: str) -> str | None:
        shown = get(self.alice, one(meeting), '<t:FieldURI FieldURI="calendar:RequiredAttendees"/>')
        return shown.findtext(f".//{t('ResponseType')}")


PROPOSED = '<t:FieldURI FieldURI="meeting:ProposedStart"/><t:FieldURI FieldURI="meeting:ProposedEnd"/>'
ALL = "".join(
    f'<t:FieldURI FieldURI="calendar:{name}"/>'
    for name in ("Start", "End", "Location", "MyResponseType", "LegacyFreeBusyStatus", "AppointmentState", "IsCancelled", "UID")
)


@pytest.fixture
def office() -> Office:
    return Office()


def texts(element: etree._Element, *names: str) -> list[str | None]:
    return [element.findtext(t(name)) for name in names]


@pytest.mark.parametrize("send", ["SendToNone", "SendOnlyToAll", "SendToAllAndSaveCopy"])
def test_an_invitation_goes_out_when_it_is_asked_for(office: Office, send: str) -> None:
    meeting = office.meeting(send)
    shown = get(office.alice, one(meeting), "", "AllProperties")
    asked = send != "SendToNone"
    assert texts(shown, "IsMeeting", "MeetingRequestWasSent", "AppointmentState", "MyResponseType") == [
        "true",
        "true" if asked else "false",
        "1",
        "Organizer",
    ]
    assert office.sent == len(office.messages(office.bob)) == len(office.messages(office.bob, "calendar")) == int(asked)
    assert len(office.messages(office.alice, "sentitems")) == (send == TO_ALL)
    assert len(office.messages(office.alice)) == 0


def test_a_request_is_a_message_with_a_tentative_entry_in_the_calendar(office: Office) -> None:
    meeting = office.meeting()
    request = office.message(office.bob)
    assert request.tag == t("MeetingRequest")
    assert texts(request, "Subject", "Start", "Location", "MeetingRequestType", "IsOutOfDate", "ResponseType") == [
        "Clock",
        "2026-12-01T09:00:00Z",
        "Attic",
        "NewMeetingRequest",
        "false",
        "NoResponseReceived",
    ]
    found = request.find(t("AssociatedCalendarItemId"))
    assert found is not None and found.get("Id") == office.entry(office.bob)
    message = message_from_bytes(office.bob.mime(item_ids(request)[0]))
    parts = {part.get_content_type(): part for part in message.walk()}
    assert set(parts) == {"multipart/alternative", "text/plain", "text/calendar"}
    text = bytes(parts["text/calendar"].get_payload(decode=True)).decode()
    assert parts["text/calendar"].get_param("method") == "REQUEST" and "METHOD:REQUEST" in text
    assert "ATTENDEE;ROLE=REQ-PARTICIPANT;PARTSTAT=NEEDS-ACTION;RSVP=TRUE;CN=bob" in text.replace("\r\n ", "")
    # What a server makes of the entry itself lacks the attendees.
    own = ics(office.alice, one(meeting))
    assert "ORGANIZER" in own and "ATTENDEE" not in own
    entry = get(office.bob, one(office.entry(office.bob)), ALL + '<t:FieldURI FieldURI="calendar:Organizer"/>')
    assert texts(entry, "Start", "MyResponseType", "LegacyFreeBusyStatus", "AppointmentState") == [
        "2026-12-01T09:00:00Z",
        "NoResponseReceived",
        "Tentative",
        "3",
    ]
    assert entry.findtext(f"{t('Organizer')}//{t('EmailAddress')}") == "alice@example.test"
    uid = get(office.alice, one(meeting), '<t:FieldURI FieldURI="calendar:UID"/>').findtext(t("UID"))
    assert entry.findtext(t("UID")) == uid


@pytest.mark.parametrize(
    ("name", "response", "busy", "subject"),
    [
        ("AcceptItem", "Accept", "Busy", "Accepted: Clock"),
        ("TentativelyAcceptItem", "Tentative", "Tentative", "Tentative: Clock"),
    ],
)
def test_an_answer_is_noted_on_both_sides(office: Office, name: str, response: str, busy: str, subject: str) -> None:
    meeting = office.meeting()
    returned = office.respond(name)
    made = returned.find(f".//{m('Items')}")
    assert made is not None and [element.tag for element in made] == [t("CalendarItem"), t("MeetingRequest")]
    assert texts(get(office.bob, one(office.entry(office.bob)), ALL), "MyResponseType", "LegacyFreeBusyStatus") == [
        response,
        busy,
    ]
    assert office.messages(office.bob) == [] and len(office.messages(office.bob, "deleteditems")) == 1
    assert office.state_of_bob(meeting) == response
    message = office.message(office.alice)
    assert message.tag == t("MeetingResponse")
    assert texts(message, "ResponseType", "Subject") == [response, subject]
    assert office.sent == 2 and len(office.messages(office.bob, "sentitems")) == 1


def test_a_declined_meeting_leaves_the_calendar(office: Office) -> None:
    meeting = office.meeting()
    office.respond("DeclineItem", "SendOnly")
    assert office.messages(office.bob, "calendar") == [] and office.messages(office.bob, "sentitems") == []
    assert {item.item_class for item in office.messages(office.bob, "deleteditems")} == {
        "IPM.Appointment",
        "IPM.Schedule.Meeting.Request",
    }
    assert office.state_of_bob(meeting) == "Decline"


def test_an_answer_can_be_given_in_silence(office: Office) -> None:
    meeting = office.meeting()
    office.respond("AcceptItem", "SaveOnly")
    assert office.sent == 1 and office.state_of_bob(meeting) == "Unknown"
    assert get(office.bob, one(office.entry(office.bob)), ALL).findtext(t("MyResponseType")) == "Accept"


def test_another_time_can_be_proposed(office: Office) -> None:
    meeting = office.meeting()
    proposed = "<t:ProposedStart>2026-12-02T09:00:00Z</t:ProposedStart><t:ProposedEnd>2026-12-02T10:00:00Z</t:ProposedEnd>"
    office.respond("TentativelyAcceptItem", proposed=proposed)
    message = office.message(office.alice)
    assert texts(message, "ResponseType", "ProposedStart", "ProposedEnd") == [
        "Tentative",
        "2026-12-02T09:00:00Z",
        "2026-12-02T10:00:00Z",
    ]
    shown = get(office.alice, one(meeting), '<t:FieldURI FieldURI="calendar:RequiredAttendees"/>')
    assert shown.findtext(f".//{t('ProposedStart')}") == "2026-12-02T09:00:00Z"
    assert get(office.alice, one(meeting)).findtext(t("Start")) == "2026-12-01T09:00:00Z"


def test_another_time_is_a_new_version_to_which_everybody_is_asked_again(office: Office) -> None:
    meeting = office.meeting()
    office.respond("AcceptItem")
    later = (calendar("Start", "2026-12-01T11:00:00Z"), calendar("End", "2026-12-01T12:00:00Z"))
    assert codes(change(office.alice, one(meeting), *later, send="SendToAllAndSaveCopy")) == ["NoError"]
    shown = get(office.alice, one(meeting), '<t:FieldURI FieldURI="calendar:AppointmentSequenceNumber"/>')
    assert shown.findtext(t("AppointmentSequenceNumber")) == "1" and office.state_of_bob(meeting) == "Unknown"
    request = office.message(office.bob)
    assert texts(request, "MeetingRequestType", "Start") == ["FullUpdate", "2026-12-01T11:00:00Z"]
    assert request.findtext(f"{t('ChangeHighlights')}/{t('HasStartTimeChanged')}") == "true"
    entry = get(office.bob, one(office.entry(office.bob)), ALL)
    assert texts(entry, "Start", "MyResponseType") == ["2026-12-01T11:00:00Z", "NoResponseReceived"]


def test_a_new_place_informs_and_asks_nothing(office: Office) -> None:
    meeting = office.meeting()
    office.respond("AcceptItem")
    change(office.alice, one(meeting), calendar("Location", "Cellar"), send="SendOnlyToAll")
    assert office.message(office.bob).findtext(t("MeetingRequestType")) == "InformationalUpdate"
    entry = get(office.bob, one(office.entry(office.bob)), ALL)
    assert texts(entry, "Location", "MyResponseType", "LegacyFreeBusyStatus") == ["Cellar", "Accept", "Busy"]
    assert office.state_of_bob(meeting) == "Accept"


def test_a_change_in_silence_reaches_nobody(office: Office) -> None:
    meeting = office.meeting()
    change(office.alice, one(meeting), calendar("Location", "Cellar"))
    delete(office.alice, one(meeting))
    assert office.sent == 1
    assert get(office.bob, one(office.entry(office.bob)), ALL).findtext(t("Location")) == "Attic"


def test_only_those_who_come_or_go_are_told_if_that_is_asked(office: Office) -> None:
    carol = Client(office.alice.world.add_user("carol@example.test", "secret"))
    meeting = office.meeting()
    both = INVITED.replace("</t:RequiredAttendees>", INVITED.removeprefix("<t:RequiredAttendees>").replace("bob@", "carol@"))
    everybody = set_field("calendar:RequiredAttendees", both, "CalendarItem")
    assert codes(change(office.alice, one(meeting), everybody, send="SendOnlyToChanged")) == ["NoError"]
    assert (len(office.messages(office.bob)), len(office.messages(carol))) == (1, 1)
    alone = set_field("calendar:RequiredAttendees", INVITED, "CalendarItem")
    change(office.alice, one(meeting), alone, send="SendToChangedAndSaveCopy")
    assert len(office.messages(office.bob)) == 1
    assert office.message(carol).tag == t("MeetingCancellation")
    assert get(carol, one(office.entry(carol)), ALL).findtext(t("IsCancelled")) == "true"


@pytest.mark.parametrize("way", ["DeleteItem", "CancelCalendarItem"])
def test_a_cancelled_meeting_is_marked_until_it_is_removed(office: Office, way: str) -> None:
    meeting = office.meeting()
    if way == "DeleteItem":
        assert codes(delete(office.alice, one(meeting), send=TO_ALL)) == ["NoError"]
    else:
        inner = f'<m:Items><t:CancelCalendarItem><t:ReferenceItemId Id="{meeting}"/></t:CancelCalendarItem></m:Items>'
        assert codes(office.alice.call("CreateItem", inner, MessageDisposition="SendAndSaveCopy")) == ["NoError"]
    assert office.messages(office.alice, "calendar") == []
    message = office.message(office.bob)
    assert message.tag == t("MeetingCancellation") and message.findtext(t("Subject")) == "Canceled: Clock"
    entry = office.entry(office.bob)
    assert texts(get(office.bob, one(entry), ALL), "AppointmentState", "LegacyFreeBusyStatus") == ["7", "Free"]
    assert codes(office.answer("AcceptItem", entry, inner="{ref}")) == ["ErrorCalendarIsCancelledForAccept"]
    assert codes(office.answer("RemoveItem", item_ids(message)[0], "SaveOnly", "{ref}")) == ["NoError"]
    assert office.messages(office.bob, "calendar") == []


def test_an_old_request_changes_nothing_and_cannot_be_answered(office: Office) -> None:
    meeting = office.meeting()
    old = office.bob.mailbox.item_id(office.messages(office.bob)[0])
    change(office.alice, one(meeting), calendar("End", "2026-12-01T12:00:00Z"), send="SendOnlyToAll")
    shown = get(office.bob, one(old), "", "AllProperties")
    assert texts(shown, "IsOutOfDate", "MeetingRequestType") == ["true", "Outdated"]
    assert codes(office.answer("AcceptItem", old, inner="{ref}")) == ["ErrorCalendarMeetingRequestIsOutOfDate"]
    assert office.state_of_bob(meeting) == "Unknown"


def test_an_answer_to_an_old_version_is_not_noted(office: Office) -> None:
    meeting = office.meeting()
    change(office.alice, one(meeting), calendar("End", "2026-12-01T12:00:00Z"), send="SendOnlyToAll")
    reply = (
        "From: bob@example.test\r\nTo: alice@example.test\r\nSubject: Accepted\r\n"
        "Content-Type: text/calendar; method=REPLY\r\n\r\n"
        "BEGIN:VCALENDAR\r\nMETHOD:REPLY\r\nBEGIN:VEVENT\r\nUID:{}\r\nSEQUENCE:{}\r\nDTSTART:20261201T090000Z\r\n"
        "ORGANIZER:mailto:alice@example.test\r\nATTENDEE;PARTSTAT=ACCEPTED:mailto:bob@example.test\r\n"
        "END:VEVENT\r\nEND:VCALENDAR\r\n"
    )
    uid = get(office.alice, one(meeting), '<t:FieldURI FieldURI="calendar:UID"/>').findtext(t("UID"))
    for sequence, expected in ((0, "Unknown"), (1, "Accept")):
        content = reply.format(uid, sequence).encode()
        office.bob.create(f"<t:Message>{_mime(content)}</t:Message>", disposition="SendOnly")
        assert office.state_of_bob(meeting) == expected


def _mime(content: bytes) -> str:
    return f"<t:MimeContent>{base64.b64encode(content).decode()}</t:MimeContent>"


def test_the_organizer_answers_nothing_and_nobody_else_cancels(office: Office) -> None:
    meeting = office.meeting()
    for name, suffix in (("AcceptItem", "Accept"), ("DeclineItem", "Decline"), ("TentativelyAcceptItem", "Tentative")):
        inner = f'<m:Items><t:{name}><t:ReferenceItemId Id="{meeting}"/></t:{name}></m:Items>'
        response = office.alice.call("CreateItem", inner, MessageDisposition="SendOnly")
        assert codes(response) == [f"ErrorCalendarIsOrganizerFor{suffix}"]
        assert codes(office.alice.call("CreateItem", inner)) == ["ErrorMessageDispositionRequired"]
    assert codes(office.answer("CancelCalendarItem", office.entry(office.bob), inner="{ref}")) == ["ErrorCalendarIsNotOrganizer"]
    assert codes(office.answer("AcceptItem", "", inner="")) == ["ErrorMissingInformationReferenceItemId"]
    assert office.sent == 1


def test_a_series_is_invited_to_as_a_whole(office: Office) -> None:
    series = office.meeting(recurrence=WEEKLY.replace("2026-10-12", "2026-12-07"))
    entry = get(office.bob, one(office.entry(office.bob)), '<t:FieldURI FieldURI="calendar:Recurrence"/>')
    assert entry.find(f"{t('Recurrence')}/{t('WeeklyRecurrence')}") is not None
    office.respond("AcceptItem")
    assert office.state_of_bob(series) == "Accept"
    span = ("2026-12-01T00:00:00Z", "2027-01-01T00:00:00Z")
    assert starts(view(office.bob, *span)) == starts(view(office.alice, *span)) != []


def test_one_occurrence_can_be_moved_and_cancelled_for_all(office: Office) -> None:
    series = office.meeting(recurrence=WEEKLY.replace("2026-10-12", "2026-12-07"))
    office.respond("AcceptItem")
    moved = (calendar("Start", "2026-12-15T09:00:00Z"), calendar("End", "2026-12-15T10:00:00Z"))
    assert codes(change(office.alice, nth(series, 2), *moved, send=TO_ALL)) == ["NoError"]
    request = office.message(office.bob)
    assert texts(request, "RecurrenceId", "Start", "MeetingRequestType") == [
        "2026-12-14T09:00:00Z",
        "2026-12-15T09:00:00Z",
        "FullUpdate",
    ]
    mine = get(office.bob, one(office.entry(office.bob)))
    modified = mine.find(f"{t('ModifiedOccurrences')}/{t('Occurrence')}")
    assert modified is not None and modified.findtext(t("Start")) == "2026-12-15T09:00:00Z"
    office.respond("TentativelyAcceptItem")
    assert get(office.bob, nth(office.entry(office.bob), 2), ALL).findtext(t("MyResponseType")) == "Tentative"
    assert get(office.bob, nth(office.entry(office.bob), 1), ALL).findtext(t("MyResponseType")) == "Accept"
    assert codes(delete(office.alice, nth(series, 3), send=TO_ALL)) == ["NoError"]
    assert texts(get(office.bob, nth(office.entry(office.bob), 3), ALL), "IsCancelled") == ["true"]
    assert texts(get(office.bob, nth(office.entry(office.bob), 1), ALL), "IsCancelled") == ["false"]


def test_who_is_invited_to_single_occurrences_has_single_entries_of_one_uid(office: Office) -> None:
    inner = f"<t:Subject>Clock</t:Subject>{TIMES}{WEEKLY.replace('2026-10-12', '2026-12-07')}"
    series = created(office.alice, inner)
    for index in (1, 3):
        update = set_field("calendar:RequiredAttendees", INVITED, "CalendarItem")
        assert codes(change(office.alice, nth(series, index), update, send="SendOnlyToAll")) == ["NoError"]
    found = office.messages(office.bob, "calendar")
    assert len(found) == 2
    fields = ALL + '<t:FieldURI FieldURI="calendar:RecurrenceId"/><t:FieldURI FieldURI="calendar:CalendarItemType"/>'
    shown = [get(office.bob, one(office.bob.mailbox.item_id(item)), fields) for item in found]
    assert len({element.findtext(t("UID")) for element in shown}) == 1
    assert [texts(element, "RecurrenceId", "CalendarItemType") for element in shown] == [
        ["2026-12-07T09:00:00Z", "Single"],
        ["2026-12-21T09:00:00Z", "Single"],
    ]
    office.respond("AcceptItem")
    third = get(office.alice, nth(series, 3), '<t:FieldURI FieldURI="calendar:RequiredAttendees"/>')
    assert third.findtext(f".//{t('ResponseType')}") == "Accept"
    first = get(office.alice, nth(series, 1), '<t:FieldURI FieldURI="calendar:RequiredAttendees"/>')
    assert first.findtext(f".//{t('ResponseType')}") == "Unknown"


def test_meeting_messages_cannot_be_made_by_hand(office: Office) -> None:
    for name in ("MeetingRequest", "MeetingResponse", "MeetingCancellation"):
        inner = f"<m:Items><t:{name}><t:Subject>x</t:Subject></t:{name}></m:Items>"
        assert codes(office.alice.call("CreateItem", inner, MessageDisposition="SaveOnly")) == [
            "ErrorInvalidItemForOperationCreateItem"
        ]
    assert office.alice.mailbox.folder("inbox").items == {}


@pytest.mark.parametrize(("send", "mails"), [("SendToNone", 1), ("SendOnlyToAll", 2)])
def test_an_attendee_who_deletes_a_meeting_declines_if_others_are_to_be_told(office: Office, send: str, mails: int) -> None:
    meeting = office.meeting()
    assert codes(delete(office.bob, one(office.entry(office.bob)), send=send)) == ["NoError"]
    assert office.sent == mails
    assert office.state_of_bob(meeting) == ("Decline" if mails == 2 else "Unknown")
    assert office.messages(office.bob, "calendar") == []


def test_only_a_cancellation_can_be_removed(office: Office) -> None:
    office.meeting()
    response = office.answer("RemoveItem", office.entry(office.bob), "SaveOnly", "{ref}")
    assert codes(response) == ["ErrorInvalidItemForOperationRemoveItem"]


def test_attendees_can_be_appended(office: Office) -> None:
    meeting = office.meeting()
    office.respond("AcceptItem")
    more = INVITED.replace("bob@", "carol@")
    update = (
        '<t:AppendToItemField><t:FieldURI FieldURI="calendar:RequiredAttendees"/>'
        f"<t:CalendarItem>{more}</t:CalendarItem></t:AppendToItemField>"
    )
    assert codes(change(office.alice, one(meeting), update)) == ["NoError"]
    shown = get(office.alice, one(meeting), '<t:FieldURI FieldURI="calendar:RequiredAttendees"/>')
    assert [one.text for one in shown.iter(t("ResponseType"))] == ["Accept", "Unknown"]


def test_a_request_that_arrives_late_changes_nothing(office: Office) -> None:
    meeting = office.meeting()
    (first,) = office.messages(office.bob)
    late = first.mime
    change(office.alice, one(meeting), calendar("End", "2026-12-01T12:00:00Z"), send="SendOnlyToAll")
    transport.deliver(office.bob.mailbox, late)
    assert get(office.bob, one(office.entry(office.bob)), ALL).findtext(t("End")) == "2026-12-01T12:00:00Z"
    assert office.message(office.bob).findtext(t("IsOutOfDate")) == "true"


def test_an_occurrence_that_was_declined_is_there_again_when_it_is_moved(office: Office) -> None:
    series = office.meeting(recurrence=WEEKLY.replace("2026-10-12", "2026-12-07"))
    office.respond("AcceptItem")
    mine = office.entry(office.bob)
    (third,) = item_ids(get(office.bob, nth(mine, 3), ALL))
    assert codes(office.answer("DeclineItem", third, inner="{ref}")) == ["NoError"]
    theirs = get(office.alice, nth(series, 3), '<t:FieldURI FieldURI="calendar:RequiredAttendees"/>')
    assert theirs.findtext(f".//{t('ResponseType')}") == "Decline"
    span = ("2026-12-20T00:00:00Z", "2026-12-24T00:00:00Z")
    assert view(office.bob, *span) == []
    moved = (calendar("Start", "2026-12-22T09:00:00Z"), calendar("End", "2026-12-22T10:00:00Z"))
    assert codes(change(office.alice, nth(series, 3), *moved, send="SendOnlyToAll")) == ["NoError"]
    assert starts(view(office.bob, *span)) == ["2026-12-22T09:00:00Z"]
    assert get(office.bob, nth(mine, 3), ALL).findtext(t("MyResponseType")) == "NoResponseReceived"


def test_what_the_series_says_anew_goes_to_its_exceptions_too(office: Office) -> None:
    series = office.meeting(recurrence=WEEKLY.replace("2026-10-12", "2026-12-07"))
    change(office.alice, nth(series, 2), calendar("Location", "Cellar"), send="SendOnlyToAll")
    delete(office.alice, nth(series, 3))
    subject = set_field("item:Subject", "<t:Subject>Big clock</t:Subject>", "CalendarItem")
    assert codes(change(office.alice, one(series), subject, send="SendOnlyToAll")) == ["NoError"]
    mine = office.entry(office.bob)
    names = ALL + '<t:FieldURI FieldURI="item:Subject"/>'
    assert texts(get(office.bob, nth(mine, 2), names), "Subject", "Location") == ["Big clock", "Cellar"]
    assert texts(get(office.bob, nth(mine, 1), names), "Subject", "Location") == ["Big clock", "Attic"]
    assert len(list(get(office.bob, one(mine)).iter(t("DeletedOccurrence")))) == 1
