"""The sandbox's calendars through its operations: appointments, series, their occurrences and exceptions."""

from __future__ import annotations

import base64
import os
from pathlib import Path

import pytest
from lxml import etree

from ews_bridge.sandbox import appointments
from ews_bridge.sandbox import vevents
from ews_bridge.sandbox.markup import m
from ews_bridge.sandbox.markup import t
from ews_bridge.sandbox.seed import fill
from ews_bridge.sandbox.world import World

from .sandbox_calls import Client
from .sandbox_calls import change_key
from .sandbox_calls import codes
from .sandbox_calls import item_ids
from .sandbox_calls import new_client
from .sandbox_calls import set_field

CORPUS = os.environ.get("EWS_BRIDGE_CORPUS")
BERLIN = '<t:StartTimeZone Id="W. Europe Standard Time"/><t:EndTimeZone Id="W. Europe Standard Time"/>'
NAMES = (
    *("Start", "End", "CalendarItemType", "Recurrence", "FirstOccurrence", "LastOccurrence", "ModifiedOccurrences"),
    "DeletedOccurrences",
)
FIELDS = "".join(f'<t:FieldURI FieldURI="calendar:{name}"/>' for name in NAMES)
WEEKLY = (
    "<t:Recurrence><t:WeeklyRecurrence><t:Interval>1</t:Interval><t:DaysOfWeek>Monday</t:DaysOfWeek></t:WeeklyRecurrence>"
    "<t:NumberedRecurrence><t:StartDate>2026-10-12</t:StartDate><t:NumberOfOccurrences>4</t:NumberOfOccurrences>"
    "</t:NumberedRecurrence></t:Recurrence>"
)


@pytest.fixture
def client() -> Client:
    return new_client()


def create(client: Client, inner: str, send: str = "SendToNone", folder: str = "") -> etree._Element:
    saved = f"<m:SavedItemFolderId>{client.id(folder)}</m:SavedItemFolderId>" if folder else ""
    content = f"{saved}<m:Items><t:CalendarItem>{inner}</t:CalendarItem></m:Items>"
    return client.call("CreateItem", content, SendMeetingInvitations=send)


def created(client: Client, inner: str, send: str = "SendToNone") -> str:
    response = create(client, inner, send)
    assert codes(response) == ["NoError"], etree.tostring(response).decode()
    return item_ids(response)[0]


def weekly(client: Client, extra: str = "") -> str:
    """Four Mondays at nine in Berlin, across the end of summer time."""
    return created(
        client,
        f"<t:Subject>Standup</t:Subject>{extra}<t:Start>2026-10-12T09:00:00+02:00</t:Start>"
        f"<t:End>2026-10-12T09:30:00+02:00</t:End>{WEEKLY}{BERLIN}",
    )


def change(
    client: Client, target: str, *updates: str, send: str = "SendToNone", resolution: str = "AlwaysOverwrite"
) -> etree._Element:
    inner = f"<m:ItemChanges><t:ItemChange>{target}<t:Updates>{''.join(updates)}</t:Updates></t:ItemChange></m:ItemChanges>"
    return client.call("UpdateItem", inner, ConflictResolution=resolution, SendMeetingInvitationsOrCancellations=send)


def calendar(name: str, value: str) -> str:
    return set_field(f"calendar:{name}", f"<t:{name}>{value}</t:{name}>", "CalendarItem")


def one(item_id: str) -> str:
    return f'<t:ItemId Id="{item_id}"/>'


def nth(item_id: str, index: int) -> str:
    return f'<t:OccurrenceItemId RecurringMasterId="{item_id}" InstanceIndex="{index}"/>'


def get(client: Client, target: str, extra: str = FIELDS, base: str = "IdOnly") -> etree._Element:
    added = f"<t:AdditionalProperties>{extra}</t:AdditionalProperties>" if extra else ""
    shape = f"<m:ItemShape><t:BaseShape>{base}</t:BaseShape>{added}</m:ItemShape>"
    response = client.ok("GetItem", f"{shape}<m:ItemIds>{target}</m:ItemIds>")
    found = response.find(f".//{m('Items')}")
    assert found is not None
    return found[0]


def delete(client: Client, target: str, how: str = "MoveToDeletedItems", send: str = "SendToNone") -> etree._Element:
    return client.call("DeleteItem", f"<m:ItemIds>{target}</m:ItemIds>", DeleteType=how, SendMeetingCancellations=send)


def view(client: Client, start: str, end: str, extra: str = "") -> list[etree._Element]:
    added = '<t:FieldURI FieldURI="calendar:Start"/><t:FieldURI FieldURI="calendar:CalendarItemType"/>' + extra
    root = client.find(f'<m:CalendarView StartDate="{start}" EndDate="{end}"/>', "calendar", added)
    found = root.find(t("Items"))
    return [] if found is None else list(found)


def starts(elements: list[etree._Element]) -> list[str]:
    return [element.findtext(t("Start")) or "" for element in elements]


def test_an_appointment_is_kept_with_what_exchange_adds(client: Client) -> None:
    item_id = created(
        client,
        '<t:Subject>Talk</t:Subject><t:Body BodyType="HTML">&lt;p&gt;About tides&lt;/p&gt;</t:Body>'
        "<t:Start>2026-01-01T10:00:00Z</t:Start><t:End>2026-01-01T11:30:00Z</t:End><t:Location>Attic</t:Location>",
    )
    shown = get(client, one(item_id), "", "AllProperties")
    expected = {
        "Start": "2026-01-01T10:00:00Z",
        "End": "2026-01-01T11:30:00Z",
        "Location": "Attic",
        "CalendarItemType": "Single",
        "LegacyFreeBusyStatus": "Busy",
        "MyResponseType": "Organizer",
        "IsMeeting": "false",
        "IsCancelled": "false",
        "Duration": "PT1H30M",
        "AppointmentState": "0",
        "ReminderIsSet": "true",
        "ReminderMinutesBeforeStart": "15",
        "ReminderDueBy": "2026-01-01T10:00:00Z",
        "ReminderNextTime": "2026-01-01T09:45:00Z",
        "StartTimeZoneId": "UTC",
        "ItemClass": "IPM.Appointment",
    }
    assert {name: shown.findtext(t(name)) for name in expected} == expected
    uid = shown.findtext(t("UID")) or ""
    assert len(uid) == 112 and uid.startswith("040000008200E00074C5B7101A82E008")
    organizer = shown.find(f"{t('Organizer')}/{t('Mailbox')}/{t('EmailAddress')}")
    assert organizer is not None and organizer.text == client.mailbox.address


def test_every_operation_on_the_calendar_must_say_whom_it_tells(client: Client) -> None:
    item_id = created(client, "<t:Subject>Talk</t:Subject>")
    inner = "<m:Items><t:CalendarItem><t:Subject>x</t:Subject></t:CalendarItem></m:Items>"
    assert codes(client.call("CreateItem", inner)) == ["ErrorSendMeetingInvitationsRequired"]
    changes = (
        f"<m:ItemChanges><t:ItemChange>{one(item_id)}<t:Updates>{calendar('Location', 'Attic')}</t:Updates></t:ItemChange>"
        "</m:ItemChanges>"
    )
    response = client.call("UpdateItem", changes, ConflictResolution="AlwaysOverwrite")
    assert codes(response) == ["ErrorSendMeetingInvitationsOrCancellationsRequired"]
    response = client.call("DeleteItem", f"<m:ItemIds>{one(item_id)}</m:ItemIds>", DeleteType="HardDelete")
    assert codes(response) == ["ErrorSendMeetingCancellationsRequired"]
    assert get(client, one(item_id), '<t:FieldURI FieldURI="calendar:Location"/>').find(t("Location")) is None


def test_calendar_items_live_in_calendar_folders_only(client: Client) -> None:
    response = create(client, "<t:Subject>Talk</t:Subject>", folder="inbox")
    assert codes(response) == ["ErrorCannotCreateCalendarItemInNonCalendarFolder"]


@pytest.mark.parametrize(
    ("start", "end", "code"),
    [
        ("2026-01-02T00:00:00Z", "2026-01-01T00:00:00Z", "ErrorCalendarEndDateIsEarlierThanStartDate"),
        ("2026-01-02T00:00:00Z", "2032-01-01T00:00:00Z", "ErrorCalendarDurationIsTooLong"),
    ],
)
def test_impossible_times_are_refused(client: Client, start: str, end: str, code: str) -> None:
    assert codes(create(client, f"<t:Start>{start}</t:Start><t:End>{end}</t:End>")) == [code]


def test_a_foreign_uid_is_kept_and_cannot_be_changed(client: Client) -> None:
    item_id = created(client, "<t:Subject>Talk</t:Subject><t:UID>tide@example.org</t:UID>")
    ids = (
        '<t:ExtendedFieldURI DistinguishedPropertySetId="Meeting" PropertyId="3" PropertyType="Binary"/>'
        '<t:ExtendedFieldURI DistinguishedPropertySetId="Meeting" PropertyId="35" PropertyType="Binary"/>'
    )
    shown = get(client, one(item_id), '<t:FieldURI FieldURI="calendar:UID"/>' + ids)
    assert shown.findtext(t("UID")) == "tide@example.org"
    first, second = [value.text for value in shown.iter(t("Value"))]
    assert first == second
    assert codes(change(client, one(item_id), calendar("UID", "other"))) == ["ErrorInvalidPropertySet"]


def test_all_day_means_midnight_in_the_zone_of_the_item(client: Client) -> None:
    item_id = created(
        client,
        "<t:Start>2026-07-03T10:00:00+02:00</t:Start><t:End>2026-07-04T11:00:00+02:00</t:End>"
        f"<t:IsAllDayEvent>true</t:IsAllDayEvent>{BERLIN}",
    )
    shown = get(client, one(item_id))
    assert (shown.findtext(t("Start")), shown.findtext(t("End"))) == ("2026-07-02T22:00:00Z", "2026-07-04T22:00:00Z")


def test_a_time_without_a_zone_is_read_by_the_clock_of_the_item(client: Client) -> None:
    times = "<t:Start>2026-07-03T10:00:00</t:Start><t:End>2026-07-03T11:00:00</t:End>"
    assert get(client, one(created(client, times))).findtext(t("Start")) == "2026-07-03T10:00:00Z"
    assert get(client, one(created(client, times + BERLIN))).findtext(t("Start")) == "2026-07-03T08:00:00Z"


def test_a_series_keeps_its_clock_across_the_end_of_summer_time(client: Client) -> None:
    series = weekly(client)
    shown = get(client, one(series))
    assert shown.findtext(t("CalendarItemType")) == "RecurringMaster"
    first, last = shown.find(t("FirstOccurrence")), shown.find(t("LastOccurrence"))
    assert first is not None and first.findtext(t("Start")) == "2026-10-12T07:00:00Z"
    assert last is not None and last.findtext(t("Start")) == "2026-11-02T08:00:00Z"
    assert shown.find(t("ModifiedOccurrences")) is None and shown.find(t("DeletedOccurrences")) is None
    assert starts(view(client, "2026-10-01T00:00:00Z", "2026-12-01T00:00:00Z")) == [
        "2026-10-12T07:00:00Z",
        "2026-10-19T07:00:00Z",
        "2026-10-26T08:00:00Z",
        "2026-11-02T08:00:00Z",
    ]


def test_an_occurrence_is_found_by_its_index_and_leads_back_to_its_series(client: Client) -> None:
    series = weekly(client)
    shown = get(client, nth(series, 3), FIELDS + '<t:FieldURI FieldURI="calendar:OriginalStart"/>')
    assert shown.findtext(t("CalendarItemType")) == "Occurrence"
    assert shown.findtext(t("OriginalStart")) == shown.findtext(t("Start")) == "2026-10-26T08:00:00Z"
    assert shown.find(t("Recurrence")) is None
    (own_id,) = item_ids(shown)
    assert own_id != series and get(client, one(own_id)).findtext(t("Start")) == "2026-10-26T08:00:00Z"
    master = get(client, f'<t:RecurringMasterItemId OccurrenceId="{own_id}"/>')
    assert item_ids(master)[0] == series


def test_wrong_ids_of_occurrences_are_refused(client: Client) -> None:
    series, single = weekly(client), created(client, "<t:Subject>Talk</t:Subject>")
    request = "<m:ItemShape><t:BaseShape>IdOnly</t:BaseShape></m:ItemShape><m:ItemIds>{}</m:ItemIds>"
    for target, code in (
        (nth(series, 5), "ErrorCalendarOccurrenceIndexIsOutOfRecurrenceRange"),
        (nth(series, 0), "ErrorCalendarOccurrenceIndexIsOutOfRecurrenceRange"),
        (nth(single, 1), "ErrorCalendarCannotUseIdForOccurrenceId"),
        (f'<t:RecurringMasterItemId OccurrenceId="{series}"/>', "ErrorCalendarCannotUseIdForRecurringMasterId"),
    ):
        assert codes(client.call("GetItem", request.format(target))) == [code]


def test_a_changed_occurrence_is_an_exception_of_its_series(client: Client) -> None:
    series = weekly(client)
    state = client.sync(folder="calendar").state
    response = change(
        client,
        nth(series, 2),
        calendar("Start", "2026-10-20T07:00:00Z"),
        calendar("End", "2026-10-20T08:00:00Z"),
        set_field("item:Subject", "<t:Subject>Standup (moved)</t:Subject>", "CalendarItem"),
    )
    assert codes(response) == ["NoError"]
    (own_id,) = item_ids(response)
    shown = get(
        client, one(own_id), FIELDS + '<t:FieldURI FieldURI="item:Subject"/><t:FieldURI FieldURI="calendar:OriginalStart"/>'
    )
    assert shown.findtext(t("CalendarItemType")) == "Exception"
    assert shown.findtext(t("Subject")) == "Standup (moved)"
    assert shown.findtext(t("OriginalStart")) == "2026-10-19T07:00:00Z"
    modified = get(client, one(series)).find(f"{t('ModifiedOccurrences')}/{t('Occurrence')}")
    assert modified is not None and item_ids(modified) == [own_id]
    assert [modified.findtext(t(name)) for name in ("Start", "End", "OriginalStart")] == [
        "2026-10-20T07:00:00Z",
        "2026-10-20T08:00:00Z",
        "2026-10-19T07:00:00Z",
    ]
    # The series is what has changed, for a synchronisation knows no occurrences.
    assert client.sync(state, "calendar").changes == [("Update", series)]
    assert "2026-10-20T07:00:00Z" in starts(view(client, "2026-10-01T00:00:00Z", "2026-12-01T00:00:00Z"))


def test_an_exception_follows_its_series_in_what_is_not_its_own(client: Client) -> None:
    series = weekly(client)
    change(client, nth(series, 2), calendar("Location", "Attic"))
    change(client, one(series), set_field("item:Subject", "<t:Subject>Round</t:Subject>", "CalendarItem"))
    shown = get(client, nth(series, 2), '<t:FieldURI FieldURI="item:Subject"/><t:FieldURI FieldURI="calendar:Location"/>')
    assert (shown.findtext(t("Subject")), shown.findtext(t("Location"))) == ("Round", "Attic")
    assert get(client, nth(series, 1), '<t:FieldURI FieldURI="calendar:Location"/>').find(t("Location")) is None


def test_an_occurrence_may_not_pass_its_neighbours(client: Client) -> None:
    series = weekly(client)
    for start, end in (("2026-10-26T12:00:00Z", "2026-10-26T13:00:00Z"), ("2026-10-12T02:00:00Z", "2026-10-12T03:00:00Z")):
        response = change(client, nth(series, 2), calendar("Start", start), calendar("End", end))
        assert codes(response) == ["ErrorOccurrenceCrossingBoundary"]
    assert get(client, one(series)).find(t("ModifiedOccurrences")) is None


def test_a_deleted_occurrence_is_listed_and_counted_but_goes_nowhere(client: Client) -> None:
    series = weekly(client)
    state = client.sync(folder="calendar").state
    assert codes(delete(client, nth(series, 2))) == ["NoError"]
    shown = get(client, one(series))
    assert [one.findtext(t("Start")) for one in shown.iter(t("DeletedOccurrence"))] == ["2026-10-19T07:00:00Z"]
    assert len(client.mailbox.folder("deleteditems").items) == 0
    assert client.sync(state, "calendar").changes == [("Update", series)]
    assert codes(delete(client, nth(series, 2))) == ["ErrorCalendarOccurrenceIsDeletedFromRecurrence"]
    assert get(client, nth(series, 3)).findtext(t("Start")) == "2026-10-26T08:00:00Z"
    assert len(view(client, "2026-10-01T00:00:00Z", "2026-12-01T00:00:00Z")) == 3


def test_an_occurrence_cannot_leave_its_series(client: Client) -> None:
    series = weekly(client)
    (own_id,) = item_ids(get(client, nth(series, 1)))
    inner = f"<m:ToFolderId>{client.id('deleteditems')}</m:ToFolderId><m:ItemIds>{one(own_id)}</m:ItemIds>"
    for operation in ("MoveItem", "CopyItem"):
        assert codes(client.call(operation, inner)) == ["ErrorCalendarCannotMoveOrCopyOccurrence"]


def test_another_pattern_makes_a_new_series_without_the_old_exceptions(client: Client) -> None:
    series = weekly(client)
    change(client, nth(series, 2), calendar("Location", "Attic"))
    delete(client, nth(series, 3))
    same = set_field("calendar:Recurrence", WEEKLY, "CalendarItem")
    assert codes(change(client, one(series), same)) == ["NoError"]
    assert get(client, one(series)).find(t("ModifiedOccurrences")) is not None
    assert codes(change(client, one(series), same.replace(">4<", ">5<"))) == ["NoError"]
    shown = get(client, one(series))
    assert shown.find(t("ModifiedOccurrences")) is None and shown.find(t("DeletedOccurrences")) is None


def test_a_series_begins_with_its_first_occurrence(client: Client) -> None:
    series = created(
        client, f"<t:Start>2026-10-07T09:00:00Z</t:Start><t:End>2026-10-07T10:00:00Z</t:End>{WEEKLY.replace('-12<', '-07<')}"
    )
    assert get(client, one(series)).findtext(t("Start")) == "2026-10-12T09:00:00Z"


def test_a_series_is_one_item_for_lists_and_synchronisation(client: Client) -> None:
    series, single = weekly(client), created(client, "<t:Subject>Talk</t:Subject>")
    assert {item_id for _, item_id in client.sync(folder="calendar").changes} == {series, single}
    listed = client.find("", "calendar", '<t:FieldURI FieldURI="calendar:CalendarItemType"/>')
    assert {element.text for element in listed.iter(t("CalendarItemType"))} == {"RecurringMaster", "Single"}


def test_a_view_has_what_touches_it_in_order(client: Client) -> None:
    for name, start, end in (
        ("ends", "2026-03-01T08:00:00Z", "2026-03-01T09:00:00Z"),
        ("begins", "2026-03-01T10:00:00Z", "2026-03-01T11:00:00Z"),
        ("inside", "2026-03-01T09:10:00Z", "2026-03-01T09:20:00Z"),
    ):
        created(client, f"<t:Subject>{name}</t:Subject><t:Start>{start}</t:Start><t:End>{end}</t:End>")
    found = view(client, "2026-03-01T09:00:00Z", "2026-03-01T10:00:00Z", '<t:FieldURI FieldURI="item:Subject"/>')
    assert [element.findtext(t("Subject")) for element in found] == ["ends", "inside"]


def test_views_that_exchange_does_not_give(client: Client) -> None:
    def ask(start: str, end: str, folder: str = "calendar", extra: str = "") -> list[str]:
        inner = (
            "<m:ItemShape><t:BaseShape>IdOnly</t:BaseShape></m:ItemShape>"
            f'<m:CalendarView StartDate="{start}" EndDate="{end}"/>{extra}'
            f"<m:ParentFolderIds>{client.id(folder)}</m:ParentFolderIds>"
        )
        return codes(client.call("FindItem", inner, Traversal="Shallow"))

    assert ask("2026-01-01T00:00:00Z", "2028-02-01T00:00:00Z") == ["ErrorCalendarViewRangeTooBig"]
    assert ask("2026-01-02T00:00:00Z", "2026-01-01T00:00:00Z") == ["ErrorCalendarEndDateIsEarlierThanStartDate"]
    assert ask("2026-01-01T00:00:00Z", "2026-02-01T00:00:00Z", "inbox") == ["ErrorCalendarFolderIsInvalidForCalendarView"]
    order = '<m:SortOrder><t:FieldOrder Order="Ascending"><t:FieldURI FieldURI="item:Subject"/></t:FieldOrder></m:SortOrder>'
    assert ask("2026-01-01T00:00:00Z", "2026-02-01T00:00:00Z", extra=order) == ["ErrorInvalidOperation"]


def test_a_conflict_is_seen_through_an_occurrence(client: Client) -> None:
    series = weekly(client)
    shown = get(client, nth(series, 1))
    key = change_key(shown)
    target = f'<t:ItemId Id="{item_ids(shown)[0]}" ChangeKey="{key}"/>'
    assert codes(change(client, target, calendar("Location", "Attic"), resolution="NeverOverwrite")) == ["NoError"]
    response = change(client, target, calendar("Location", "Cellar"), resolution="NeverOverwrite")
    assert codes(response) == ["ErrorIrresolvableConflict"]


def test_a_saved_world_remembers_exceptions(client: Client, tmp_path: Path) -> None:
    series = weekly(client)
    body = '<t:Body BodyType="Text">Bring the key</t:Body>'
    change(client, nth(series, 2), calendar("Location", "Attic"), set_field("item:Body", body, "CalendarItem"))
    delete(client, nth(series, 4))
    client.world.save(tmp_path / "world")
    again = Client(World.load(tmp_path / "world").users[client.mailbox.address])
    before = etree.tostring(get(client, one(series), "", "AllProperties"))
    assert etree.tostring(get(again, one(series), "", "AllProperties")) == before
    shown = get(again, nth(series, 2), '<t:FieldURI FieldURI="item:Body"/><t:FieldURI FieldURI="calendar:Location"/>')
    assert (shown.findtext(t("Location")), (shown.findtext(t("Body")) or "").strip()) == ("Attic", "Bring the key")


def test_days_of_a_view_are_those_of_the_clock(client: Client) -> None:
    weekly(client)
    found = starts(view(client, "2026-10-26T08:30:00Z", "2026-10-26T09:00:00Z"))
    assert found == ["2026-10-26T08:00:00Z"]


def ics(client: Client, target: str) -> str:
    shape = "<m:ItemShape><t:BaseShape>IdOnly</t:BaseShape><t:IncludeMimeContent>true</t:IncludeMimeContent></m:ItemShape>"
    response = client.ok("GetItem", f"{shape}<m:ItemIds>{target}</m:ItemIds>")
    return base64.b64decode(response.findtext(f".//{t('MimeContent')}") or "").decode()


def mime(text: str) -> str:
    return f"<t:MimeContent>{base64.b64encode(text.encode()).decode()}</t:MimeContent>"


def calendar_of(*lines: str) -> str:
    body = "\r\n".join(("BEGIN:VCALENDAR", "VERSION:2.0", "BEGIN:VEVENT", *lines, "END:VEVENT", "END:VCALENDAR", ""))
    return mime(body)


def test_the_mime_of_an_appointment_is_icalendar_with_windows_zones(client: Client) -> None:
    series = weekly(client, '<t:Body BodyType="Text">One; two, three</t:Body>')
    change(client, nth(series, 2), calendar("Location", "Attic"))
    delete(client, nth(series, 3))
    text = ics(client, one(series))
    lines = text.replace("\r\n ", "").split("\r\n")
    assert lines[:4] == ["BEGIN:VCALENDAR", "METHOD:PUBLISH", "PRODID:Microsoft Exchange Server 2010", "VERSION:2.0"]
    for wanted in (
        "TZID:W. Europe Standard Time",
        "RRULE:FREQ=YEARLY;INTERVAL=1;BYDAY=-1SU;BYMONTH=10",
        "RRULE:FREQ=WEEKLY;COUNT=4;INTERVAL=1;BYDAY=MO;WKST=SU",
        "EXDATE;TZID=W. Europe Standard Time:20261026T090000",
        "DTSTART;TZID=W. Europe Standard Time:20261012T090000",
        "RECURRENCE-ID;TZID=W. Europe Standard Time:20261019T090000",
        "DESCRIPTION;LANGUAGE=en-US:One\\; two\\, three",
        "X-MICROSOFT-CDO-ALLDAYEVENT:FALSE",
        "TRIGGER;RELATED=START:-PT15M",
    ):
        assert wanted in lines, wanted
    assert "LAST-MODIFIED" not in text and lines.count("BEGIN:VEVENT") == 2
    assert all(len(line.encode()) <= 75 for line in text.split("\r\n"))


def test_an_item_made_from_its_own_mime_is_the_same_again(client: Client) -> None:
    series = weekly(client, '<t:Body BodyType="Text">One; two, three</t:Body>')
    change(client, nth(series, 2), calendar("Location", "Attic"), calendar("Start", "2026-10-19T08:00:00Z"))
    delete(client, nth(series, 3))
    text = ics(client, one(series))
    again = created(client, mime(text))
    ignored = ("DTSTAMP:",)

    def lines(text: str) -> list[str]:
        return [line for line in text.split("\r\n") if not line.startswith(ignored)]

    assert lines(ics(client, one(again))) == lines(text)


def test_an_icalendar_text_makes_an_appointment(client: Client) -> None:
    item_id = created(
        client,
        calendar_of(
            *("UID:x@example.org", "SUMMARY:Übung\\, heute", "DTSTART:20260301T100000Z", "DURATION:PT90M", "LOCATION:Keller"),
            *("CLASS:PRIVATE", "PRIORITY:1", "TRANSP:TRANSPARENT", "CATEGORIES:Red,Blue\\, dark", "SEQUENCE:3"),
            *("X-ALT-DESC;FMTTYPE=text/html:<b>bold</b>", "BEGIN:VALARM", "TRIGGER:-PT1H", "END:VALARM"),
        ),
    )
    shown = get(client, one(item_id), "", "AllProperties")
    expected = {
        "Subject": "Übung, heute",
        "UID": "x@example.org",
        "Start": "2026-03-01T10:00:00Z",
        "End": "2026-03-01T11:30:00Z",
        "Location": "Keller",
        "Sensitivity": "Private",
        "Importance": "High",
        "LegacyFreeBusyStatus": "Free",
        "ReminderIsSet": "true",
        "ReminderMinutesBeforeStart": "60",
        "AppointmentSequenceNumber": "3",
    }
    assert {name: shown.findtext(t(name)) for name in expected} == expected
    assert [one.text for one in shown.iter(t("String"))] == ["Red", "Blue, dark"]
    assert "<b>bold</b>" in (shown.findtext(t("Body")) or "")


def test_an_icalendar_zone_is_known_by_its_rules(client: Client) -> None:
    zone = (
        *("BEGIN:VTIMEZONE", "TZID:Europe/Berlin", "BEGIN:DAYLIGHT", "DTSTART:19810329T020000"),
        *("RRULE:FREQ=YEARLY;BYMONTH=3;BYDAY=-1SU", "TZOFFSETFROM:+0100", "TZOFFSETTO:+0200", "END:DAYLIGHT"),
        *("BEGIN:STANDARD", "DTSTART:19961027T030000", "RRULE:FREQ=YEARLY;BYMONTH=10;BYDAY=-1SU"),
        *("TZOFFSETFROM:+0200", "TZOFFSETTO:+0100", "END:STANDARD", "END:VTIMEZONE"),
    )
    event = ("BEGIN:VEVENT", "UID:z", "DTSTART;TZID=Europe/Berlin:20260701T100000", "DTEND:20260701T090000Z", "END:VEVENT")
    item_id = created(client, mime("\r\n".join(("BEGIN:VCALENDAR", *zone, *event, "END:VCALENDAR"))))
    shown = get(client, one(item_id), FIELDS + '<t:FieldURI FieldURI="calendar:StartTimeZoneId"/>')
    assert (shown.findtext(t("Start")), shown.findtext(t("StartTimeZoneId"))) == (
        "2026-07-01T08:00:00Z",
        "W. Europe Standard Time",
    )


@pytest.mark.parametrize(
    "lines",
    [
        ("DTSTART:20260301T100000Z", "RRULE:FREQ=HOURLY"),
        ("DTSTART:20260301T100000Z", "RRULE:FREQ=MONTHLY;BYMONTHDAY=1,15"),
        ("DTSTART:20260301T100000Z", "RDATE:20260401T100000Z"),
        ("DTSTART:soon",),
        ("SUMMARY:without a time",),
    ],
)
def test_what_exchange_cannot_hold_is_refused(client: Client, lines: tuple[str, ...]) -> None:
    assert codes(create(client, calendar_of("UID:x", *lines))) == ["ErrorMimeContentConversionFailed"]
    assert codes(create(client, mime("no calendar at all"))) == ["ErrorMimeContentConversionFailed"]
    assert len(client.mailbox.folder("calendar").items) == 0


def test_a_zone_is_known_by_its_iana_name_too(client: Client) -> None:
    for name, expected, summer in (
        ("Europe/Berlin", "W. Europe Standard Time", "2026-07-01T08:00:00Z"),
        ("America/New_York", "Eastern Standard Time", "2026-07-01T14:00:00Z"),
        ("Asia/Tokyo", "Tokyo Standard Time", "2026-07-01T01:00:00Z"),
        ("Australia/Sydney", "AUS Eastern Standard Time", "2026-07-01T00:00:00Z"),
    ):
        item_id = created(client, calendar_of("UID:x", f"DTSTART;TZID={name}:20260701T100000"))
        shown = get(client, one(item_id), FIELDS + '<t:FieldURI FieldURI="calendar:StartTimeZoneId"/>')
        assert (shown.findtext(t("StartTimeZoneId")), shown.findtext(t("Start"))) == (expected, summer)


def test_a_folder_of_ics_files_seeds_calendars(client: Client, tmp_path: Path) -> None:
    event = "BEGIN:VCALENDAR\nBEGIN:VEVENT\nUID:{}\nDTSTART:20260701T100000Z\n{}END:VEVENT\nEND:VCALENDAR\n"
    files = {
        "a.ics": event.format("a", ""),
        "Calendar/b.ics": event.format("b", "RRULE:FREQ=DAILY;COUNT=3\n"),
        "Holidays/c.ics": event.format("c", ""),
        "Holidays/hourly.ics": event.format("hourly", "RRULE:FREQ=HOURLY\n"),
        "broken.ics": "BEGIN:VCALENDAR\n",
        "Tasks/todo.ics": "BEGIN:VCALENDAR\nBEGIN:VTODO\nUID:t\nEND:VTODO\nEND:VCALENDAR\n",
        "Inbox/letter.eml": "Subject: x\n\nx\n",
    }
    for name, text in files.items():
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(text)
    fill(client.world, client.mailbox, str(tmp_path))
    folder = client.mailbox.folder("calendar")
    (holidays,) = folder.children
    assert (holidays.name, holidays.folder_class) == ("Holidays", "IPF.Appointment")
    assert sorted(appointments.uid(item) for item in folder.items.values()) == ["a", "b"]
    assert [appointments.uid(item) for item in holidays.items.values()] == ["c"]
    assert len(client.mailbox.folder("inbox").items) == 1
    assert [vevents.load(folder, files[f"Holidays/{name}.ics"]) for name in ("c", "hourly")] == [True, False]


@pytest.mark.skipif(not CORPUS, reason="EWS_BRIDGE_CORPUS is not set: no corpus of calendars")
def test_a_corpus_of_calendars_can_be_shown_in_full(client: Client) -> None:
    root = Path(CORPUS or "", "ics")
    folder = client.mailbox.folder("calendar")
    refused = {path.name for path in root.glob("*.ics") if not vevents.load(folder, path.read_text("utf-8", "replace"))}
    assert len(refused) < len(list(root.iterdir())) / 4
    for item in list(folder.items.values()):
        target = one(client.mailbox.item_id(item))
        get(client, target, "", "AllProperties")
        again = created(client, mime(ics(client, target)))
        assert get(client, one(again)).findtext(t("Start")) == get(client, target).findtext(t("Start"))


def test_a_time_without_a_zone_needs_the_zone_in_the_same_request(client: Client) -> None:
    item_id = created(client, f"<t:Start>2026-07-03T08:00:00Z</t:Start><t:End>2026-07-03T09:00:00Z</t:End>{BERLIN}")
    change(client, one(item_id), calendar("Start", "2026-07-03T07:00:00"))
    assert get(client, one(item_id)).findtext(t("Start")) == "2026-07-03T07:00:00Z"


def test_another_zone_alone_keeps_the_clock_and_moves_the_moment(client: Client) -> None:
    item_id = created(client, f"<t:Start>2026-07-03T08:00:00Z</t:Start><t:End>2026-07-03T09:00:00Z</t:End>{BERLIN}")

    def zone(name: str) -> list[str]:
        ids = ("StartTimeZone", "EndTimeZone")
        return [set_field(f"calendar:{one}", f'<t:{one} Id="{name}"/>', "CalendarItem") for one in ids]

    assert codes(change(client, one(item_id), *zone("Eastern Standard Time"))) == ["NoError"]
    shown = get(client, one(item_id))
    assert (shown.findtext(t("Start")), shown.findtext(t("End"))) == ("2026-07-03T14:00:00Z", "2026-07-03T15:00:00Z")
    times = (calendar("Start", "2026-07-03T08:00:00Z"), calendar("End", "2026-07-03T09:00:00Z"))
    change(client, one(item_id), *zone("Tokyo Standard Time"), *times)
    assert get(client, one(item_id)).findtext(t("Start")) == "2026-07-03T08:00:00Z"


def test_the_zone_of_old_servers_is_read_and_told_of_series(client: Client) -> None:
    old = '<t:MeetingTimeZone TimeZoneName="W. Europe Standard Time"/>'
    times = "<t:Start>2026-10-12T09:00:00</t:Start><t:End>2026-10-12T10:00:00</t:End>"
    series = created(client, times + WEEKLY + old)
    shown = get(client, one(series), FIELDS + '<t:FieldURI FieldURI="calendar:MeetingTimeZone"/>')
    assert shown.findtext(t("Start")) == "2026-10-12T07:00:00Z"
    zone = shown.find(t("MeetingTimeZone"))
    assert zone is not None and zone.get("TimeZoneName") == "W. Europe Standard Time"
    assert (zone.findtext(t("BaseOffset")), zone.findtext(f"{t('Daylight')}/{t('Offset')}")) == ("-PT1H", "-PT1H")


def test_a_zone_of_its_own_is_kept_with_its_rules(client: Client) -> None:
    zone = (
        '<t:StartTimeZone Id="tzone://Microsoft/Custom" Name="Island"><t:Periods><t:Period Bias="-PT4H" Name="Standard" Id="s"/>'
        '<t:Period Bias="-PT5H30M" Name="Daylight" Id="d"/></t:Periods><t:TransitionsGroups><t:TransitionsGroup Id="0">'
        '<t:RecurringDayTransition><t:To Kind="Period">d</t:To><t:TimeOffset>PT1H</t:TimeOffset><t:Month>5</t:Month>'
        "<t:DayOfWeek>Friday</t:DayOfWeek><t:Occurrence>2</t:Occurrence></t:RecurringDayTransition>"
        '<t:RecurringDateTransition><t:To Kind="Period">s</t:To><t:TimeOffset>PT0S</t:TimeOffset><t:Month>9</t:Month>'
        "<t:Day>1</t:Day></t:RecurringDateTransition></t:TransitionsGroup></t:TransitionsGroups><t:Transitions>"
        '<t:Transition><t:To Kind="Group">0</t:To></t:Transition></t:Transitions></t:StartTimeZone>'
    )
    for start, expected in (("2026-04-01T12:00:00", "T08:00:00Z"), ("2026-07-01T12:00:00", "T06:30:00Z")):
        item_id = created(client, f"<t:Start>{start}</t:Start><t:End>2026-10-01T09:00:00Z</t:End>{zone}")
        shown = get(client, one(item_id), FIELDS + '<t:FieldURI FieldURI="calendar:StartTimeZone"/>')
        assert (shown.findtext(t("Start")) or "").endswith(expected)
        kept = shown.find(t("StartTimeZone"))
        assert kept is not None and len(list(kept.iter(t("RecurringDateTransition")))) == 1
    wrong = "<t:Subject>x</t:Subject><t:StartTimeZone Id='Nowhere Standard Time'/>"
    assert codes(create(client, wrong)) == ["ErrorCalendarInvalidTimeZone"]


def test_an_exception_has_attachments_of_its_own(client: Client) -> None:
    series = weekly(client)
    (own_id,) = item_ids(change(client, nth(series, 2), calendar("Location", "Attic")))
    attached = "<t:FileAttachment><t:Name>a.txt</t:Name><t:Content>aGk=</t:Content></t:FileAttachment>"
    response = client.ok("CreateAttachment", f'<m:ParentItemId Id="{own_id}"/><m:Attachments>{attached}</m:Attachments>')
    found = next(response.iter(t("AttachmentId")))
    assert found.get("RootItemId") == own_id
    inner = f'<m:AttachmentIds><t:AttachmentId Id="{found.get("Id")}"/></m:AttachmentIds>'
    assert client.ok("GetAttachment", inner).findtext(f".//{t('Content')}") == "aGk="
    fields = '<t:FieldURI FieldURI="item:HasAttachments"/>'
    shown = [get(client, target, fields).findtext(t("HasAttachments")) for target in (nth(series, 1), nth(series, 2))]
    assert shown == ["false", "true"]
    client.ok("DeleteAttachment", inner)
    assert get(client, nth(series, 2), fields).findtext(t("HasAttachments")) == "false"


def test_an_exception_keeps_properties_that_only_clients_know(client: Client) -> None:
    series = weekly(client)
    uri = '<t:ExtendedFieldURI PropertySetId="11111111-2222-3333-4444-555555555555" PropertyName="X-MOON" PropertyType="String"/>'
    value = f"<t:ExtendedProperty>{uri}<t:Value>full</t:Value></t:ExtendedProperty>"
    update = f"<t:SetItemField>{uri}<t:CalendarItem>{value}</t:CalendarItem></t:SetItemField>"
    assert codes(change(client, nth(series, 2), update)) == ["NoError"]
    assert [get(client, nth(series, index), uri).findtext(f".//{t('Value')}") for index in (1, 2)] == [None, "full"]


def test_meetings_at_the_same_time_are_counted(client: Client) -> None:
    times = "<t:Start>2026-03-01T{}:00:00Z</t:Start><t:End>2026-03-01T{}:00:00Z</t:End>"
    middle = created(client, times.format("09", "10"))
    for begin, end in (("08", "09"), ("10", "11"), ("08", "12"), ("13", "14")):
        created(client, times.format(begin, end))
    names = ("ConflictingMeetingCount", "AdjacentMeetingCount")
    shown = get(client, one(middle), "".join(f'<t:FieldURI FieldURI="calendar:{name}"/>' for name in names))
    assert [shown.findtext(t(name)) for name in names] == ["1", "2"]


def test_an_item_is_found_by_its_global_id_but_not_by_its_uid(client: Client) -> None:
    item_id = created(client, "<t:UID>tide@example.org</t:UID>")
    created(client, "<t:UID>other@example.org</t:UID>")
    uri = '<t:ExtendedFieldURI DistinguishedPropertySetId="Meeting" PropertyId="35" PropertyType="Binary"/>'
    value = get(client, one(item_id), uri).findtext(f".//{t('Value')}")
    test = (
        "<m:Restriction><t:IsEqualTo>{}<t:FieldURIOrConstant><t:Constant Value='{}'/></t:FieldURIOrConstant>"
        "</t:IsEqualTo></m:Restriction>"
    )
    assert item_ids(client.find(test.format(uri, value), "calendar")) == [item_id]
    inner = (
        "<m:ItemShape><t:BaseShape>IdOnly</t:BaseShape></m:ItemShape>"
        + test.format('<t:FieldURI FieldURI="calendar:UID"/>', "tide@example.org")
        + f"<m:ParentFolderIds>{client.id('calendar')}</m:ParentFolderIds>"
    )
    assert codes(client.call("FindItem", inner, Traversal="Shallow")) == ["ErrorUnsupportedPathForQuery"]


def test_an_occurrence_that_clocks_skip_lasts_as_long_as_the_others(client: Client) -> None:
    sunday = WEEKLY.replace("Monday", "Sunday").replace("2026-10-12", "2026-03-22")
    times = "<t:Start>2026-03-22T02:30:00</t:Start><t:End>2026-03-22T03:00:00</t:End>"
    series = created(client, times + sunday + BERLIN)
    shown = get(client, nth(series, 2))
    assert (shown.findtext(t("Start")), shown.findtext(t("End"))) == ("2026-03-29T01:30:00Z", "2026-03-29T02:00:00Z")
    assert get(client, nth(series, 3)).findtext(t("Start")) == "2026-04-05T00:30:00Z"
