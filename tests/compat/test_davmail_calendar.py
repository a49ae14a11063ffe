"""DavMail as CalDAV server in front of the sandbox: an Exchange client that we did not write, and its view of a calendar.

Needs the Debian package davmail-server (or davmail).
"""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import icalendar
import pytest
import requests
from lxml import etree

from ews_bridge.sandbox import appointments
from ews_bridge.sandbox import attendees
from ews_bridge.sandbox import occurrences
from ews_bridge.sandbox import properties
from ews_bridge.sandbox.store import Item
from tests.compat.test_davmail import JAR
from tests.compat.test_davmail import davmail
from tests.sandbox_calls import Client
from tests.sandbox_server import ALICE
from tests.sandbox_server import BOB
from tests.sandbox_server import Running
from tests.sandbox_server import running
from tests.test_sandbox_calendar import created

pytestmark = [
    pytest.mark.compat,
    pytest.mark.skipif(not JAR.exists() or not shutil.which("java"), reason="DavMail is not installed"),
]
DAV = "{DAV:}"
BERLIN = """BEGIN:VTIMEZONE
TZID:Europe/Berlin
BEGIN:DAYLIGHT
DTSTART:19810329T020000
RRULE:FREQ=YEARLY;BYMONTH=3;BYDAY=-1SU
TZOFFSETFROM:+0100
TZOFFSETTO:+0200
END:DAYLIGHT
BEGIN:STANDARD
DTSTART:19961027T030000
RRULE:FREQ=YEARLY;BYMONTH=10;BYDAY=-1SU
TZOFFSETFROM:+0200
TZOFFSETTO:+0100
END:STANDARD
END:VTIMEZONE"""
LUNCH = """BEGIN:VEVENT
UID:lunch@example.org
DTSTAMP:20260101T000000Z
SUMMARY:Mittagessen Übung
DTSTART;TZID=Europe/Berlin:20260701T120000
DTEND;TZID=Europe/Berlin:20260701T130000
LOCATION:Attic
DESCRIPTION:with soup
END:VEVENT"""
DAY = """BEGIN:VEVENT
UID:day@example.org
DTSTAMP:20260101T000000Z
SUMMARY:Fair
DTSTART;VALUE=DATE:20260703
DTEND;VALUE=DATE:20260705
END:VEVENT"""
SERIES = """BEGIN:VEVENT
UID:series@example.org
DTSTAMP:20260101T000000Z
SUMMARY:Standup
DTSTART;TZID=Europe/Berlin:20261012T090000
DTEND;TZID=Europe/Berlin:20261012T093000
RRULE:FREQ=WEEKLY;COUNT=4;BYDAY=MO
EXDATE;TZID=Europe/Berlin:20261026T090000
END:VEVENT
BEGIN:VEVENT
UID:series@example.org
DTSTAMP:20260101T000000Z
SUMMARY:Standup, later
RECURRENCE-ID;TZID=Europe/Berlin:20261019T090000
DTSTART;TZID=Europe/Berlin:20261019T100000
DTEND;TZID=Europe/Berlin:20261019T103000
END:VEVENT"""
MEETING = """BEGIN:VEVENT
UID:meeting@example.org
DTSTAMP:20260101T000000Z
SUMMARY:Clock
DTSTART;TZID=Europe/Berlin:20260901T120000
DTEND;TZID=Europe/Berlin:20260901T130000
ORGANIZER;CN=Alice:mailto:alice@example.test
ATTENDEE;PARTSTAT=ACCEPTED;CN=Alice:mailto:alice@example.test
ATTENDEE;PARTSTAT=NEEDS-ACTION;RSVP=TRUE;ROLE=REQ-PARTICIPANT;CN=Bob:mailto:bob@example.test
END:VEVENT"""


@dataclass
class Calendar:
    """A user's calendar as CalDAV shows it."""

    server: Running
    session: requests.Session
    url: str

    def put(self, name: str, event: str) -> None:
        body = f"BEGIN:VCALENDAR\nVERSION:2.0\nPRODID:-//test\n{BERLIN}\n{event}\nEND:VCALENDAR\n".replace("\n", "\r\n")
        headers = {"Content-Type": "text/calendar; charset=utf-8"}
        answer = self.session.put(self.url + name, data=body.encode(), headers=headers, timeout=60)
        assert answer.status_code in (200, 201, 204), answer.text

    def get(self, name: str) -> list[Any]:
        """The events of one resource, as icalendar has them."""
        answer = self.session.get(self.url + name, timeout=60)
        assert answer.status_code == 200, answer.text
        return list(icalendar.Calendar.from_ical(answer.text).walk("VEVENT"))

    def delete(self, name: str) -> None:
        assert self.session.delete(self.url + name, timeout=60).status_code in (200, 204)

    def names(self) -> list[str]:
        """What is in the calendar."""
        body = '<propfind xmlns="DAV:"><prop><getetag/></prop></propfind>'
        answer = self.session.request("PROPFIND", self.url, data=body, headers={"Depth": "1"}, timeout=60)
        found = [one.text or "" for one in etree.fromstring(answer.content).iter(f"{DAV}href")]
        return sorted(one.rsplit("/", 1)[-1] for one in found if not one.endswith("/"))

    @property
    def items(self) -> list[Item]:
        return list(self.server.alice.folder("calendar").items.values())


@pytest.fixture(scope="module")
def gateway(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Calendar]:
    with opened(tmp_path_factory.mktemp("davmail")) as calendar:
        yield calendar


@contextmanager
def opened(folder: Path) -> Iterator[Calendar]:
    with running(seed="empty") as server, davmail(server, folder) as ports, requests.Session() as session:
        session.auth = ALICE
        yield Calendar(server, session, f"http://127.0.0.1:{ports.caldav}/users/{ALICE[0]}/calendar/")


@pytest.fixture
def calendar(gateway: Calendar) -> Calendar:
    """The calendar without anything in it; nor has Bob heard of what was there before."""
    for mailbox in gateway.server.world.users.values():
        for item in list(mailbox.items.values()):
            mailbox.remove(item)
    gateway.server.reset()
    return gateway


def test_an_event_is_created_read_changed_and_deleted(calendar: Calendar) -> None:
    calendar.put("lunch@example.org.ics", LUNCH)
    (item,) = calendar.items
    assert properties.text(item, properties.SUBJECT) == "Mittagessen Übung"
    assert appointments.zone(item).id == "W. Europe Standard Time" and appointments.uid(item) == "lunch@example.org"
    (event,) = calendar.get("lunch@example.org.ics")
    assert str(event["DTSTART"].dt) == "2026-07-01 12:00:00+02:00" and str(event["LOCATION"]) == "Attic"
    assert str(event["DESCRIPTION"]).strip() == "with soup"
    calendar.put("lunch@example.org.ics", LUNCH.replace("Attic", "Cellar").replace("T130000", "T140000"))
    (event,) = calendar.get("lunch@example.org.ics")
    assert str(event["DTEND"].dt) == "2026-07-01 14:00:00+02:00" and str(event["LOCATION"]) == "Cellar"
    assert len(calendar.names()) == 1
    calendar.delete("lunch@example.org.ics")
    assert calendar.items == [] and calendar.names() == []
    assert calendar.server.stats()["sent"] == 0


def test_a_whole_day_stays_a_day(calendar: Calendar) -> None:
    calendar.put("day@example.org.ics", DAY)
    (item,) = calendar.items
    assert appointments.flag(item, appointments.ALL_DAY)
    (event,) = calendar.get("day@example.org.ics")
    assert (str(event["DTSTART"].dt), str(event["DTEND"].dt)) == ("2026-07-03", "2026-07-05")


def test_a_series_keeps_its_exceptions(calendar: Calendar) -> None:
    calendar.put("series@example.org.ics", SERIES)
    (item,) = calendar.items
    assert len(item.deleted) == 1
    (changed,) = occurrences.exceptions(item)
    assert properties.text(changed, properties.SUBJECT) == "Standup, later"
    master, exception = calendar.get("series@example.org.ics")
    assert master["RRULE"]["COUNT"] == [4]
    assert str(exception["DTSTART"].dt) == "2026-10-19 10:00:00+02:00"


def test_a_meeting_made_over_caldav_invites(calendar: Calendar) -> None:
    bob = calendar.server.world.users[BOB[0]]
    calendar.put("meeting@example.org.ics", MEETING)
    (item,) = calendar.items
    assert [one.key for one in attendees.everybody(item)] == [BOB[0]]
    assert calendar.server.stats()["sent"] == 1
    (request,) = bob.folder("inbox").items.values()
    assert request.item_class == "IPM.Schedule.Meeting.Request"
    (entry,) = bob.folder("calendar").items.values()
    assert appointments.uid(entry) == "meeting@example.org"
    (event,) = calendar.get("meeting@example.org.ics")
    assert "bob@example.test" in str(event["ATTENDEE"]).lower()
    calendar.delete("meeting@example.org.ics")
    assert appointments.state(entry) & appointments.IS_CANCELLED
    assert calendar.server.stats()["sent"] == 2


FREE_BUSY = """BEGIN:VCALENDAR
VERSION:2.0
METHOD:REQUEST
BEGIN:VFREEBUSY
UID:fb@example.org
DTSTAMP:20260101T000000Z
DTSTART:20260901T060000Z
DTEND:20260901T160000Z
ORGANIZER:mailto:alice@example.test
ATTENDEE:mailto:bob@example.test
END:VFREEBUSY
END:VCALENDAR
""".replace("\n", "\r\n")


def test_when_others_are_busy_is_seen_over_caldav(calendar: Calendar) -> None:
    calendar.put("meeting@example.org.ics", MEETING)
    outbox = calendar.url.replace("/calendar/", "/outbox/")
    answer = calendar.session.post(outbox, data=FREE_BUSY.encode(), headers={"Content-Type": "text/calendar"}, timeout=60)
    assert answer.status_code == 200 and "FREEBUSY;FBTYPE=BUSY-TENTATIVE:20260901T100000Z/20260901T110000Z" in answer.text


def test_an_answer_given_over_caldav_reaches_the_organizer(calendar: Calendar) -> None:
    # Bob invites; Alice, whose calendar it is here, answers by changing her PARTSTAT.
    bob = Client(calendar.server.world.users[BOB[0]])
    mailbox = f"<t:Mailbox><t:EmailAddress>{ALICE[0]}</t:EmailAddress></t:Mailbox>"
    created(
        bob,
        "<t:Subject>Tide</t:Subject><t:Start>2026-09-01T10:00:00Z</t:Start><t:End>2026-09-01T11:00:00Z</t:End>"
        f"<t:RequiredAttendees><t:Attendee>{mailbox}</t:Attendee></t:RequiredAttendees>",
        "SendOnlyToAll",
    )
    (item,) = calendar.items
    (name,) = calendar.names()
    (event,) = calendar.get(name)
    event["ATTENDEE"].params["PARTSTAT"] = "ACCEPTED"
    calendar.put(name, event.to_ical().decode().strip().replace("\r\n", "\n"))
    (entry,) = bob.mailbox.folder("calendar").items.values()
    assert [one.response for one in attendees.everybody(entry)] == ["Accept"]
    assert appointments.uid(item) == appointments.uid(entry)
