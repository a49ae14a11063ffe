"""`ews-bridge invite`: two users of one server; what comes into the Inbox of one is answered from the command line."""

from __future__ import annotations

import io
import json
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from lxml import etree

from ews_bridge.exchange import invite
from ews_bridge.sandbox import appointments
from ews_bridge.sandbox import attendees
from ews_bridge.sandbox.markup import t
from ews_bridge.sandbox.store import Item
from tests.calendar_desk import event
from tests.inside import Inside
from tests.mirror import Ran
from tests.sandbox_calls import item_ids
from tests.sandbox_server import ALICE
from tests.sandbox_server import BOB
from tests.sandbox_server import Running
from tests.sandbox_server import running
from tests.test_readers import needs
from tests.test_readers import on_screen

CONTRIB = Path(__file__).parent.parent / "contrib"
TIMES = "<t:Start>2026-12-01T09:00:00Z</t:Start><t:End>2026-12-01T10:00:00Z</t:End>"
INVITED = (
    f"<t:RequiredAttendees><t:Attendee><t:Mailbox><t:EmailAddress>{BOB[0]}</t:EmailAddress></t:Mailbox></t:Attendee>"
    "</t:RequiredAttendees>"
)
DAILY = (
    "<t:Recurrence><t:DailyRecurrence><t:Interval>1</t:Interval></t:DailyRecurrence><t:NumberedRecurrence>"
    "<t:StartDate>2026-12-01</t:StartDate><t:NumberOfOccurrences>5</t:NumberOfOccurrences></t:NumberedRecurrence></t:Recurrence>"
)
CONFIG = """\
[accounts.work]
email = "{email}"
server = "{url}"
auth = "basic"
password_command = "echo {password}"
[accounts.work.mail]
path = "~/Mail"
"""


class Office:
    """Alice, who invites, and Bob, who answers from the command line."""

    def __init__(self, server: Running, home: Path) -> None:
        self.server, self.home = server, home
        self.bob = server.world.users[BOB[0]]
        self.cli = Inside(home, server.url)
        config = home / ".config/ews-bridge/config.toml"
        config.parent.mkdir(parents=True)
        config.write_text(CONFIG.format(email=BOB[0], url=server.url, password=BOB[1]))

    def ask(self, operation: str, user: tuple[str, str] = ALICE) -> etree._Element:
        answer = self.server.post(operation, user=user)
        assert b'ResponseClass="Error"' not in answer.body, answer.body.decode()
        return etree.fromstring(answer.body)

    def meeting(self, inner: str = "", invited: str = INVITED) -> str:
        """The id of a meeting that Bob was invited to."""
        content = f"<t:Subject>Clock</t:Subject>{TIMES}<t:Location>Attic</t:Location>{invited}{inner}"
        found = self.ask(
            f'<m:CreateItem SendMeetingInvitations="SendToAllAndSaveCopy"><m:Items><t:CalendarItem>{content}</t:CalendarItem>'
            "</m:Items></m:CreateItem>"
        )
        return item_ids(found)[0]

    def move(self, target: str, hour: int = 11) -> None:
        """Alice puts it at another hour, and tells Bob."""
        updates = "".join(
            f'<t:SetItemField><t:FieldURI FieldURI="calendar:{name}"/><t:CalendarItem><t:{name}>{value}</t:{name}>'
            "</t:CalendarItem></t:SetItemField>"
            for name, value in (("Start", f"2026-12-01T{hour}:00:00Z"), ("End", f"2026-12-01T{hour}:30:00Z"))
        )
        self.update(target, updates)

    def update(self, target: str, updates: str) -> None:
        self.ask(
            '<m:UpdateItem ConflictResolution="AlwaysOverwrite" SendMeetingInvitationsOrCancellations="SendToAllAndSaveCopy">'
            f"<m:ItemChanges><t:ItemChange>{target}<t:Updates>{updates}</t:Updates></t:ItemChange></m:ItemChanges></m:UpdateItem>"
        )

    def cancel(self, target: str) -> None:
        self.ask(
            f'<m:DeleteItem DeleteType="MoveToDeletedItems" SendMeetingCancellations="SendToAllAndSaveCopy"><m:ItemIds>{target}'
            "</m:ItemIds></m:DeleteItem>"
        )

    def letters(self, folder: str = "inbox") -> list[Item]:
        return sorted(self.bob.folder(folder).items.values(), key=lambda item: item.key)

    def letter(self, number: int = -1) -> Path:
        """The newest message in Bob's Inbox, as a file."""
        path = self.home / f"letter{number}.eml"
        path.write_bytes(self.letters()[number].mime)
        return path

    def entries(self) -> list[Item]:
        return list(self.bob.folder("calendar").items.values())

    def run(self, *words: object) -> Ran:
        return self.cli.run("invite", *map(str, words))

    def answer(self, meeting: str) -> str | None:
        """What Alice knows of Bob."""
        return self.attendees(meeting).findtext(f".//{t('ResponseType')}")

    def attendees(self, meeting: str) -> etree._Element:
        return self.ask(
            "<m:GetItem><m:ItemShape><t:BaseShape>IdOnly</t:BaseShape><t:AdditionalProperties>"
            '<t:FieldURI FieldURI="calendar:RequiredAttendees"/></t:AdditionalProperties></m:ItemShape>'
            f'<m:ItemIds><t:ItemId Id="{meeting}"/></m:ItemIds></m:GetItem>'
        )

    def answers(self, meeting: str) -> dict[str | None, str | None]:
        """What Alice knows of each."""
        listed = self.attendees(meeting).iter(t("Attendee"))
        return {each.findtext(f"{t('Mailbox')}/{t('EmailAddress')}"): each.findtext(t("ResponseType")) for each in listed}

    @property
    def sent(self) -> int:
        return self.server.world.sent


@pytest.fixture
def office(tmp_path: Path) -> Iterator[Office]:
    with running() as server:
        yield Office(server, tmp_path)


def one(ident: str) -> str:
    return f'<t:ItemId Id="{ident}"/>'


def nth(ident: str, index: int) -> str:
    return f'<t:OccurrenceItemId RecurringMasterId="{ident}" InstanceIndex="{index}"/>'


def test_an_invitation_is_shown_without_the_server_or_any_settings(office: Office) -> None:
    office.meeting("")
    letter = office.letter()
    (office.home / ".config/ews-bridge/config.toml").unlink()
    ran = office.run("show", letter)
    assert ran.code == 0, ran
    assert {"Invitation: Clock", "Where:      Attic"} <= set(ran.out.splitlines())
    assert "alice@example.test" in ran.out


def test_show_speaks_json(office: Office) -> None:
    office.meeting()
    facts = json.loads(office.run("--json", "show", office.letter()).out)
    assert (facts["invitation"], facts["where"]) == ("Clock", "Attic")


@pytest.mark.parametrize(("verb", "known"), [("accept", "Accept"), ("tentative", "Tentative"), ("decline", "Decline")])
def test_an_answer_reaches_the_organizer_once(office: Office, verb: str, known: str) -> None:
    meeting, letter = office.meeting(), office.letter()
    before = office.sent
    ran = office.run(verb, letter)
    assert ran.code == 0, ran
    assert "the organizer is told" in ran.out
    assert office.answer(meeting) == known
    assert office.sent == before + 1
    again = office.run(verb, letter)
    assert again.code == 0
    assert "already" in again.out
    assert office.sent == before + 1
    assert len(office.entries()) == (verb != "decline")


def test_without_a_reply_nobody_is_told(office: Office) -> None:
    meeting, letter = office.meeting(), office.letter()
    before = office.sent
    ran = office.run("accept", "--no-reply", letter)
    assert ran.code == 0
    assert "not told" in ran.out
    assert office.sent == before
    assert office.answer(meeting) != "Accept"
    assert office.run("accept", letter).out.count("already") == 1
    assert not office.letters("drafts")


def test_an_organizer_who_wants_no_answer_gets_none(office: Office) -> None:
    office.meeting()
    (entry,) = office.entries()
    entry.props[0x0063] = ("Boolean", False)  # PidTagResponseRequested
    before = office.sent
    assert "not told" in office.run("accept", office.letter()).out
    assert office.sent == before


def test_a_comment_goes_with_the_answer(office: Office) -> None:
    office.meeting()
    assert office.run("tentative", "--comment", "if the train runs", office.letter()).code == 0
    inbox = office.server.alice.folder("inbox").items.values()
    assert any(b"if the train runs" in item.mime for item in inbox)


def test_the_mind_can_be_changed_even_after_declining(office: Office) -> None:
    meeting, letter = office.meeting(), office.letter()
    for verb, known in (("accept", "Accept"), ("decline", "Decline"), ("accept", "Accept"), ("tentative", "Tentative")):
        ran = office.run(verb, letter)
        assert ran.code == 0, ran
        assert office.answer(meeting) == known
    assert len(office.entries()) == 1


def test_a_pipe_is_read(office: Office, monkeypatch: pytest.MonkeyPatch) -> None:
    meeting = office.meeting()
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(office.letter().read_bytes())))
    assert office.run("accept", "-").code == 0
    assert office.answer(meeting) == "Accept"


@needs("neomutt")
@needs("tmux")
def test_neomutt_shows_an_invitation_and_answers_it_with_two_keys(office: Office) -> None:
    meeting = office.meeting()
    inbox = office.home / "Mail/INBOX"
    for name in ("cur", "new", "tmp"):
        (inbox / name).mkdir(parents=True)
    (inbox / "cur/1:2,S").write_bytes(office.letter().read_bytes().replace(b"\r\n", b"\n"))
    program = office.home / "bin/ews-bridge"
    program.parent.mkdir()
    program.write_text(f'#!/bin/sh\ncd {CONTRIB.parent}\nexec {sys.executable} -m ews_bridge "$@"\n')
    program.chmod(0o755)
    (office.home / ".mailcap").write_text((CONTRIB / "mailcap").read_text())
    shell = f"env PATH={program.parent}:$PATH neomutt -n -F {CONTRIB / 'muttrc-invitations'}"
    shown = on_screen(office.cli, f"{shell} -e 'push <display-message>' -f {inbox}", "Invitation:", "qx")
    assert "Where:      Attic" in shown
    assert office.answer(meeting) != "Accept"
    said = on_screen(office.cli, f"{shell} -e 'push ,a' -f {inbox}", "Press any key", "qx")
    assert "accepted, the organizer is told" in said
    assert office.answer(meeting) == "Accept"


def test_an_ics_alone_is_enough(office: Office) -> None:
    meeting = office.meeting()
    text = office.letter().read_bytes()
    parsed = invite.read(text)
    path = office.home / "plan.ics"
    path.write_text(
        f"BEGIN:VCALENDAR\nMETHOD:REQUEST\nBEGIN:VEVENT\nUID:{parsed.event.uid}\nSEQUENCE:0\nDTSTART:20261201T090000Z\n"
        f"ATTENDEE:mailto:{BOB[0]}\nEND:VEVENT\nEND:VCALENDAR\n"
    )
    assert office.run("accept", path).code == 0
    assert office.answer(meeting) == "Accept"


def test_the_file_in_the_calendar_follows_and_nothing_else_is_uploaded(office: Office) -> None:
    with (office.home / ".config/ews-bridge/config.toml").open("a") as config:
        config.write('[accounts.work.calendar]\npath = "~/Calendars"\n')
    office.meeting()
    assert office.cli.run("sync", "--only", "calendar").code == 0
    (file,) = (office.home / "Calendars").rglob("*.ics")
    assert b"PARTSTAT=NEEDS-ACTION" in file.read_bytes().replace(b"\r\n ", b"")
    mine = file.with_name("mine.ics")
    mine.write_bytes(event("DTSTART:20261212T090000Z", "DTEND:20261212T100000Z"))
    assert office.run("accept", office.letter()).code == 0
    text = file.read_bytes().replace(b"\r\n ", b"")
    assert any(b"PARTSTAT=ACCEPTED" in line for line in text.splitlines() if BOB[0].encode() in line)
    assert len(office.entries()) == 1
    assert office.run("decline", office.letter()).code == 0
    assert not file.exists()
    assert mine.exists()


def test_an_answer_in_the_file_is_given_silently_and_leaves_no_draft(office: Office) -> None:
    with (office.home / ".config/ews-bridge/config.toml").open("a") as config:
        config.write('[accounts.work.calendar]\npath = "~/Calendars"\n')
    meeting = office.meeting()
    assert office.cli.run("sync", "--only", "calendar").code == 0
    (file,) = (office.home / "Calendars").rglob("*.ics")
    file.write_bytes(file.read_bytes().replace(b"\r\n ", b"").replace(b"PARTSTAT=NEEDS-ACTION", b"PARTSTAT=ACCEPTED"))
    before = office.sent
    assert office.cli.run("sync", "--only", "calendar").code == 0
    (entry,) = office.entries()
    assert entry.props[appointments.RESPONSE] == ("Integer", attendees.RESPONSES.index("Accept"))
    assert (office.sent, office.answer(meeting)) == (before, "Unknown")
    assert not office.letters("drafts")


def test_an_old_invitation_is_not_answered_and_the_new_one_is(office: Office) -> None:
    meeting = office.meeting()
    old = office.letter()
    office.move(one(meeting))
    new = office.home / "new.eml"
    new.write_bytes(office.letters()[-1].mime)
    before = office.sent
    ran = office.run("accept", old)
    assert ran.code == 1
    assert "out of date" in ran.err
    assert office.sent == before
    assert office.run("accept", new).code == 0
    assert office.answer(meeting) == "Accept"


def test_one_occurrence_is_answered_for_itself(office: Office) -> None:
    meeting = office.meeting(DAILY)
    assert office.run("accept", office.letter()).code == 0
    place = "<t:CalendarItem><t:Location>Cellar</t:Location></t:CalendarItem>"
    updates = f'<t:SetItemField><t:FieldURI FieldURI="calendar:Location"/>{place}</t:SetItemField>'
    office.update(nth(meeting, 3), updates)
    letter = office.letter()
    assert invite.read(letter.read_bytes()).occurrence is not None
    ran = office.run("decline", letter)
    assert ran.code == 0, ran
    (series,) = office.entries()
    assert len(series.deleted) == 1
    again = office.run("decline", letter)
    assert (again.code, "already" in again.out) == (0, True), again


def test_to_accept_a_cancellation_clears_the_calendar(office: Office) -> None:
    meeting, _ = office.meeting(), office.letter()
    office.run("accept", office.letter())
    office.cancel(one(meeting))
    letter = office.letter()
    before = office.sent
    assert "Cancellation: " in office.run("show", letter).out
    assert office.run("decline", letter).code == 1
    ran = office.run("accept", letter)
    assert (ran.code, "taken out" in ran.out) == (0, True), ran
    assert office.entries() == []
    assert office.run("accept", letter).code == 0
    assert office.sent == before


def test_the_invitation_to_what_was_cancelled_is_not_answered(office: Office) -> None:
    meeting, letter = office.meeting(), office.letter()
    office.cancel(one(meeting))
    ran = office.run("accept", letter)
    assert ran.code == 1
    assert "cancelled" in ran.err or "out of date" in ran.err


def test_what_waits_in_the_inbox_is_answered_when_the_calendar_has_lost_it(office: Office) -> None:
    meeting, letter = office.meeting(), office.letter()
    (entry,) = office.entries()
    ident = office.bob.item_id(entry)
    office.ask(
        f'<m:DeleteItem DeleteType="HardDelete" SendMeetingCancellations="SendToNone"><m:ItemIds>{one(ident)}</m:ItemIds>'
        "</m:DeleteItem>",
        user=BOB,
    )
    ran = office.run("accept", letter)
    assert ran.code == 0, ran
    assert office.answer(meeting) == "Accept"
    assert len(office.entries()) == 1


def test_an_answer_and_a_proposal_are_shown_to_the_organizer_and_not_answered(office: Office) -> None:
    office.meeting()
    request = office.letters()[-1]
    office.ask(
        '<m:CreateItem MessageDisposition="SendAndSaveCopy"><m:Items><t:TentativelyAcceptItem>'
        f'<t:ReferenceItemId Id="{office.bob.item_id(request)}"/><t:ProposedStart>2026-12-01T15:00:00Z</t:ProposedStart>'
        "<t:ProposedEnd>2026-12-01T16:00:00Z</t:ProposedEnd></t:TentativelyAcceptItem></m:Items></m:CreateItem>",
        user=BOB,
    )
    (answer,) = office.server.alice.folder("inbox").items.values()
    path = office.home / "answer.eml"
    path.write_bytes(answer.mime)
    shown = office.run("show", path)
    assert shown.out.startswith("Proposal:"), shown
    assert "perhaps" in shown.out
    ran = office.run("accept", path)
    assert ran.code == 1
    assert "no invitation" in ran.err


@pytest.mark.parametrize(
    ("data", "code", "why"),
    [
        (b"From: a@example.org\n\nHello\n", 1, "no invitation in this message"),
        (b"BEGIN:VCALENDAR\nEND:VCALENDAR\n", 1, "no event"),
        (b"BEGIN:VCALENDAR\nBEGIN:VTODO\nUID:1\nEND:VTODO\nEND:VCALENDAR\n", 1, "VTODO"),
        (
            b"BEGIN:VCALENDAR\nBEGIN:VEVENT\nUID:none\nDTSTART:20261201T090000Z\nEND:VEVENT\nEND:VCALENDAR\n",
            1,
            "neither in the calendar",
        ),
    ],
)
def test_what_is_none_is_said_so(office: Office, data: bytes, code: int, why: str) -> None:
    path = office.home / "x"
    path.write_bytes(data)
    ran = office.run("accept", path)
    assert ran.code == code, ran
    assert why in ran.err


def test_usage(office: Office) -> None:
    assert office.run("accept", office.home / "missing").code == 64
    assert office.run("accept", "--comment", "x", "--no-reply", "-").code == 64
    assert office.run("reject", "-").code == 64


def test_my_own_meeting_is_nobodys_to_answer(office: Office) -> None:
    office.meeting()
    letter = office.letter()
    config = office.home / ".config/ews-bridge/config.toml"
    config.write_text(CONFIG.format(email=ALICE[0], url=office.server.url, password=ALICE[1]))
    ran = office.run("accept", letter)
    assert ran.code == 1
    assert "organise this meeting yourself" in ran.err


def test_a_message_in_another_character_set_is_read() -> None:
    calendar = "BEGIN:VCALENDAR\r\nMETHOD:REQUEST\r\nBEGIN:VEVENT\r\nUID:1\r\nSUMMARY:Café\r\nDTSTART:20261201T090000Z\r\n"
    rule = "RRULE:FREQ=MONTHLY;BYDAY=5MO\r\nEND:VEVENT\r\nEND:VCALENDAR\r\n"
    head = b"Content-Type: multipart/alternative; boundary=b\r\n\r\n--b\r\nContent-Type: text/plain\r\n\r\nHi\r\n--b\r\n"
    part = b"Content-Type: text/calendar; charset=iso-8859-1; method=REQUEST\r\nContent-Transfer-Encoding: 8bit\r\n\r\n"
    found = invite.read(head + part + (calendar + rule).encode("latin-1") + b"--b--\r\n")
    assert (found.event.summary, found.repeats, found.method) == ("Café", "FREQ=MONTHLY;BYDAY=5MO", "REQUEST")
