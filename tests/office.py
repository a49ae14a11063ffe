"""An office with meetings: Alice's calendar as files, `sync` with a wish about mail, and what arrives at Bob's."""

from __future__ import annotations

import os
import time
from pathlib import Path

from ews_bridge.report import Report
from tests.itemdesk import ItemDesk
from tests.sandbox_server import BOB

SOON = time.strftime("%Y%m%d", time.gmtime(time.time() + 30 * 86_400))
PEOPLE = ("ORGANIZER:mailto:alice@example.test", f"ATTENDEE;RSVP=TRUE:mailto:{BOB[0]}")
CAROL = "ATTENDEE;RSVP=TRUE:mailto:carol@example.test"
ATTACH = "ATTACH;VALUE=BINARY;ENCODING=BASE64;FMTTYPE=text/plain;FILENAME=a.txt:aGVsbG8="
DAILY = "RRULE:FREQ=DAILY;COUNT=5"


def meeting(*more: str, summary: str = "Clock", hour: int = 10, day: str = SOON, uid: str = "m") -> list[str]:
    times = (f"DTSTART:{day}T{hour:02}0000Z", f"DTEND:{day}T{hour + 1:02}0000Z")
    return ["BEGIN:VEVENT", f"UID:{uid}", "DTSTAMP:20261101T090000Z", *times, f"SUMMARY:{summary}", *more, "END:VEVENT"]


def ics(*events: list[str]) -> bytes:
    lines = ("BEGIN:VCALENDAR", "VERSION:2.0", "PRODID:-//test//", *(line for each in events for line in each), "END:VCALENDAR")
    return "\r\n".join((*lines, "")).encode()


class Office:
    """Alice's calendar as files, and what arrives at Bob's."""

    def __init__(self, it: ItemDesk) -> None:
        self.it = it
        self.bob = it.server.world.users[BOB[0]]

    def put(self, *events: list[str]) -> Path:
        home = self.it.home("calendar")
        (home / ".new").write_bytes(ics(*events))
        os.rename(home / ".new", home / "m.ics")
        return home / "m.ics"

    def sync(self, wish: str = "always", **options: object) -> Report:
        return self.it.sync(meeting_mail=wish, **options)

    def arrived(self) -> list[str]:
        """The classes of what came to Bob since the last time, the ending alone."""
        inbox = self.bob.folder("inbox")
        found = [item.item_class.rpartition(".")[2] for item in inbox.items.values()]
        inbox.items.clear()
        return found

    def sent(self) -> int:
        return int(self.it.server.stats()["sent"])

    def calendar(self) -> list[str]:
        return sorted(item.subject for item in self.it.outlook.calendar.all())


def told(report: Report) -> list[tuple[str, tuple[str, ...], bool | None]]:
    return [(each.what, each.people, each.told) for each in report.meeting_mail]
