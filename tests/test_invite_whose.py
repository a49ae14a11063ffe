"""Whose invitation it is: of several accounts the one that has the meeting, and the principal's where it came to a delegate."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from ews_bridge.sandbox import delegates
from ews_bridge.sandbox import people
from ews_bridge.sandbox import rights
from ews_bridge.sandbox.people import Person
from tests.sandbox_server import ALICE
from tests.sandbox_server import BOB
from tests.sandbox_server import Running
from tests.sandbox_server import running
from tests.test_invite import CONFIG
from tests.test_invite import DAILY
from tests.test_invite import INVITED
from tests.test_invite import Office
from tests.test_invite import nth
from tests.test_invite import one

CARLA = ("carla@example.test", "secret")


class Three(Office):
    """Alice invites Bob, and Carla is Bob's delegate; who answers from the command line is configured."""

    def __init__(self, server: Running, home: Path) -> None:
        super().__init__(server, home)
        with server.sandbox.lock:
            self.carla = server.world.add_user(*CARLA)
        self.has_accounts(CARLA)

    def has_accounts(self, *users: tuple[str, str]) -> None:
        """Each called by the first part of its address."""
        text = ""
        for email, password in users:
            name = email.partition("@")[0]
            one = CONFIG.format(email=email, url=self.server.url, password=password)
            text += one.replace("accounts.work", f"accounts.{name}").replace("~/Mail", f"~/Mail/{name}")
        self.config.write_text(text)

    @property
    def config(self) -> Path:
        return self.home / ".config/ews-bridge/config.toml"

    def may(self, *grants: str) -> None:
        """What Carla has in Bob's mailbox, and nothing else."""
        with self.server.sandbox.lock:
            self.server.world.grants.clear()
            rights.give(self.server.world, [one for text in grants for one in rights.parse(f"{CARLA[0]}:{BOB[0]}{text}")])

    def copy(self) -> Path:
        """The newest message in Carla's Inbox, as a file."""
        path = self.home / "copy.eml"
        path.write_bytes(max(self.carla.folder("inbox").items.values(), key=lambda item: item.key).mime)
        return path

    def series(self) -> set[int]:
        """The days on which Bob's one series does not take place."""
        (entry,) = self.entries()
        return entry.deleted


@pytest.fixture
def office(tmp_path: Path) -> Iterator[Three]:
    with running() as server:
        yield Three(server, tmp_path)


# ---- a delegate


@pytest.mark.parametrize(("verb", "known"), [("accept", "Accept"), ("tentative", "Tentative"), ("decline", "Decline")])
def test_a_delegate_answers_for_the_principal_once(office: Three, verb: str, known: str) -> None:
    office.may(":delegate")
    meeting = office.meeting()
    before = office.sent
    ran = office.run(verb, office.copy())
    assert ran.code == 0, ran
    assert ran.out.startswith("carla: ")
    assert f"for {BOB[0]}, the organizer is told" in ran.out
    assert office.answer(meeting) == known
    (answer,) = office.server.alice.folder("inbox").items.values()
    assert b"Sender: " in answer.mime
    assert office.run(verb, office.copy()).code == 0
    assert office.sent == before + 1
    assert not office.carla.folder("calendar").items
    assert len(office.entries()) == (verb != "decline")


def test_a_delegate_answers_silently(office: Three) -> None:
    office.may(":delegate")
    meeting = office.meeting()
    before = office.sent
    ran = office.run("accept", "--no-reply", office.copy())
    assert (ran.code, "not told" in ran.out) == (0, True), ran
    assert (office.sent, office.answer(meeting)) == (before, "Unknown")
    assert not office.carla.folder("drafts").items
    assert "already" in office.run("accept", office.copy()).out


def test_a_delegate_answers_for_one_occurrence_and_clears_what_was_cancelled(office: Three) -> None:
    office.may(":delegate")
    meeting = office.meeting(DAILY)
    place = "<t:CalendarItem><t:Location>Cellar</t:Location></t:CalendarItem>"
    updates = f'<t:SetItemField><t:FieldURI FieldURI="calendar:Location"/>{place}</t:SetItemField>'
    office.update(nth(meeting, 3), updates)
    for _ in range(2):
        assert office.run("decline", office.copy()).code == 0
        assert len(office.series()) == 1
    office.cancel(one(meeting))
    before = office.sent
    ran = office.run("accept", office.copy())
    assert (ran.code, f"taken out of the calendar of {BOB[0]}" in ran.out) == (0, True), ran
    assert office.entries() == []
    assert office.run("accept", office.copy()).code == 0
    assert office.sent == before


def test_what_the_principal_declined_is_not_accepted_behind_his_back(office: Three) -> None:
    office.may(":delegate")
    meeting = office.meeting()
    office.run("decline", office.copy())
    ran = office.run("accept", office.copy())
    assert (ran.code, BOB[0] in ran.err) == (1, True), ran
    assert office.answer(meeting) == "Decline"
    office.may(":delegate,full")
    assert office.run("accept", office.copy()).code == 0
    assert office.answer(meeting) == "Accept"
    assert len(office.entries()) == 1


@pytest.mark.parametrize(
    ("left", "why"),
    [
        ((), "closed to you"),
        ((":send-on-behalf", "/Calendar:reviewer"), "does not let you answer"),
        (("/Calendar:editor",), "does not let you answer"),
    ],
)
def test_without_the_rights_the_delegate_is_told_whose_meeting_it_is(office: Three, left: tuple[str, ...], why: str) -> None:
    office.may(":delegate")
    meeting = office.meeting()
    office.may(*left)
    before = office.sent
    ran = office.run("accept", office.copy())
    assert ran.code == 1, ran
    assert ran.err.startswith(f"ews-bridge: carla: this invitation is for {BOB[0]}, whose delegate you are, and ")
    assert why in ran.err
    assert "hint: " in ran.err
    assert (office.sent, office.answer(meeting)) == (before, "Unknown")


def test_who_is_invited_himself_answers_for_himself_and_names_the_account_to_answer_for_the_other(office: Three) -> None:
    office.may(":delegate")
    both = INVITED.replace(
        "</t:RequiredAttendees>",
        f"<t:Attendee><t:Mailbox><t:EmailAddress>{CARLA[0]}</t:EmailAddress></t:Mailbox></t:Attendee></t:RequiredAttendees>",
    )
    meeting = office.meeting(invited=both)
    assert office.run("tentative", office.copy()).code == 0
    assert office.answers(meeting) == {BOB[0]: "Unknown", CARLA[0]: "Tentative"}
    text = office.config.read_text()
    shared = text.replace("accounts.carla", "accounts.boss").replace("~/Mail/carla", "~/Mail/boss")
    shared = shared.replace('auth = "basic"', f'auth = "basic"\nmailbox = "{BOB[0]}"')
    office.config.write_text(text + shared)
    ran = office.run("accept", office.copy())
    assert (ran.code, "carla and boss" in ran.err, "-a" in ran.err) == (64, True, True), ran
    assert office.run("-a", "boss", "accept", office.copy()).code == 0
    assert office.answers(meeting) == {BOB[0]: "Accept", CARLA[0]: "Tentative"}


def test_the_files_of_the_principals_calendar_follow(office: Three) -> None:
    office.may(":delegate")
    shared = CONFIG.format(email=CARLA[0], url=office.server.url, password=CARLA[1]).partition("[accounts.work.mail]")[0]
    shared = shared.replace("accounts.work", "accounts.boss").replace('auth = "basic"', f'auth = "basic"\nmailbox = "{BOB[0]}"')
    office.config.write_text(office.config.read_text() + shared + '[accounts.boss.calendar]\npath = "~/Calendars"\n')
    office.meeting()
    assert office.run("-a", "carla", "-a", "boss", "accept", office.copy()).code == 0
    (file,) = (office.home / "Calendars").rglob("*.ics")
    assert b"PARTSTAT=ACCEPTED" in file.read_bytes().replace(b"\r\n ", b"")


# ---- several accounts


def test_of_several_accounts_the_one_that_is_invited_answers(office: Three) -> None:
    office.has_accounts(ALICE, BOB, CARLA)
    meeting = office.meeting()
    ran = office.run("decline", office.letter())
    assert (ran.code, ran.out.startswith("bob: declined")) == (0, True), ran
    assert office.answer(meeting) == "Decline"


def test_where_a_list_was_invited_the_account_that_has_the_meeting_answers(office: Three) -> None:
    with office.server.sandbox.lock:
        people.enter(office.server.world, Person("dials@example.test", "Dials", people.GROUP, members=(BOB[0],)))
    office.has_accounts(ALICE, CARLA, BOB)
    office.meeting(invited=INVITED.replace(BOB[0], "dials@example.test"))
    before = office.sent
    ran = office.run("accept", office.letter())
    assert (ran.code, ran.out.startswith("bob: accepted")) == (0, True), ran
    assert office.sent == before + 1


def test_a_meeting_that_no_account_has_is_said_so_with_their_names(office: Three) -> None:
    office.meeting()
    office.has_accounts(ALICE, CARLA, ("dora@example.test", "secret"))
    with office.server.sandbox.lock:
        office.server.world.add_user("dora@example.test", "secret")
    ran = office.run("accept", office.letter())
    assert (ran.code, "carla, dora" in ran.err) == (1, True), ran


def test_an_account_that_cannot_be_asked_is_named_and_nobody_answers(office: Three) -> None:
    office.may(":delegate")
    office.meeting()
    office.has_accounts(CARLA, ("dora@example.test", "wrong"))
    before = office.sent
    ran = office.run("accept", office.copy())
    assert (ran.code, "dora" in ran.err) == (77, True), ran
    assert office.sent == before


def test_what_goes_wrong_names_the_account(office: Three) -> None:
    office.has_accounts(BOB, CARLA)
    meeting = office.meeting()
    old = office.letter()
    office.move(one(meeting))
    ran = office.run("accept", old)
    assert (ran.code, ran.err.startswith("ews-bridge: bob: this invitation is out of date")) == (1, True), ran


def test_nobody_elses_calendar_is_looked_into(office: Three) -> None:
    """What Carla was merely forwarded is not hers to answer, whatever rights she has."""
    office.may(":full,send-as")
    meeting = office.meeting()
    before = office.sent
    ran = office.run("accept", office.letter())
    assert (ran.code, "forwarded" in ran.err) == (1, True), ran
    assert (office.sent, office.answer(meeting)) == (before, "Unknown")
    assert not delegates.of(office.bob)
