"""`ews-bridge query`, `oof` and `freebusy`: what is looked up on disk, what the server is asked, and what is printed of it."""

from __future__ import annotations

import json
import os
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from ews_bridge import addressbook
from ews_bridge.sandbox import people
from tests.inside import Inside
from tests.sandbox_server import ALICE
from tests.sandbox_server import BOB
from tests.sandbox_server import Running
from tests.sandbox_server import running
from tests.test_sandbox_exchangelib import sign_in

CONTACTS = '\n[accounts.work.contacts]\npath = "~/Contacts"\n'
CARDS = {
    "ada.vcf": "FN:Ada Lovelace\r\nEMAIL;TYPE=INTERNET:ada@example.org\r\nitem1.EMAIL:countess@exam\r\n ple.org\r\n"
    "ORG:Analytical Engines;Programs\r\nTITLE:Countess\\, programmer\r\nUID:ada",
    "ines.vcf": "FN:Ines from the dials\r\nEMAIL:INES@example.test\r\nUID:ines",
    "group.vcf": "FN:Friends\r\nX-ADDRESSBOOKSERVER-KIND:group\r\nX-ADDRESSBOOKSERVER-MEMBER:urn:uuid:ada\r\n"
    "X-ADDRESSBOOKSERVER-MEMBER:mailto:charles@example.org",
}


@pytest.fixture
def server() -> Iterator[Running]:
    with running(seed="empty") as found:
        people.enter(found.world, *people.DEMO)
        yield found


@pytest.fixture
def user(server: Running, tmp_path: Path) -> Inside:
    found = Inside(tmp_path, server.url)
    found.configure(more=CONTACTS)
    for name, text in CARDS.items():
        path = tmp_path / "Contacts/Contacts" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(f"BEGIN:VCARD\r\nVERSION:3.0\r\n{text}\r\nEND:VCARD\r\n")
    return found


def lines(out: str) -> list[list[str]]:
    return [line.split("\t") for line in out.splitlines()]


def test_contacts_come_first_then_the_directory_and_no_address_twice(user: Inside) -> None:
    ran = user.run("query", "ines@")
    message, *found = lines(ran.out)
    assert (ran.code, message) == (0, ["1 found for ines@"])
    assert found == [["INES@example.test", "Ines from the dials", ""]]
    ran = user.run("query", "pet")
    assert lines(ran.out)[1] == ["petra@example.test", "Petra Weiß", "Managing director, Brass & Gears, Tower 9, +1 555 0100"]


def test_contacts_are_found_by_any_words_of_name_organisation_and_address_offline(server: Running, user: Inside) -> None:
    for text in ("lovel", "LOVELACE ada", "engines", "countess@", "programs ada"):
        ran = user.run("query", "--offline", text)
        assert ["countess@example.org", "Ada Lovelace", "Countess, programmer, Analytical Engines, Programs"] in lines(ran.out)
    assert user.run("query", "--offline", "ada", "grace").code == 1
    assert server.stats()["requests"] == {}


def test_nothing_found_is_said_in_the_first_line_and_in_the_exit_code(user: Inside) -> None:
    ran = user.run("query", "nobody at all")
    assert (ran.code, ran.out, ran.err) == (1, "nothing found for nobody at all\n", "")


def test_a_wide_question_is_told_to_be_one(server: Running, user: Inside) -> None:
    people.enter(server.world, *(people.Person(f"x{number}@example.test", f"Xaver {number}") for number in range(130)))
    message, *found = lines(user.run("query", "xaver").out)
    assert message == ["100 found for xaver (the directory has more: say more of the name)"] and len(found) == 100


def test_the_directory_is_asked_once_a_day(server: Running, user: Inside) -> None:
    first = user.run("query", "petra")
    server.reset()
    assert user.run("query", "PETRA").out.splitlines()[1:] == first.out.splitlines()[1:]
    assert server.stats()["requests"] == {}
    memory = user.state / "directory.json"
    assert memory.stat().st_mode & 0o077 == 0
    kept = json.loads(memory.read_text())
    kept["petra"]["at"] = time.time() - 25 * 3600
    memory.write_text(json.dumps(kept))
    user.run("query", "petra")
    assert server.stats()["requests"] == {"ResolveNames": 1}
    memory.write_text("{damaged")
    assert user.run("query", "petra").code == 0


def test_without_the_server_contacts_and_what_is_remembered_are_found(server: Running, user: Inside) -> None:
    user.run("query", "petra")
    kept = json.loads((user.state / "directory.json").read_text())
    kept["petra"]["at"] = 0
    (user.state / "directory.json").write_text(json.dumps(kept))
    server.faults({"operation": "ResolveNames", "fault": "html", "times": 100})
    ran = user.run("query", "petra")
    assert (ran.code, len(lines(ran.out))) == (0, 2) and ran.err.startswith("ews-bridge: work: ")
    ran = user.run("query", "ada")
    assert ran.code == 0 and lines(ran.out)[1][1] == "Ada Lovelace"
    # That nobody is found there cannot be known.
    assert user.run("query", "zoe").code == 69


def test_names_from_outside_cannot_break_the_lines(server: Running, user: Inside) -> None:
    people.enter(server.world, people.Person("odd@example.test", "Odd\tone\nand \x1b[31mred", title="<b>&"))
    _, *found = lines(user.run("query", "odd").out)
    assert len(found) == 1 and len(found[0]) == 3 and "\x1b" not in found[0][1]
    assert user.run("query", "<&\x01>").code == 1


def test_groups_are_taken_apart(server: Running, user: Inside) -> None:
    assert lines(user.run("query", "--expand", "Friends").out)[1:] == [
        ["ada@example.org", "Ada Lovelace", "Countess, programmer, Analytical Engines, Programs"],
        ["charles@example.org", "", ""],
    ]
    found = [line[0] for line in lines(user.run("query", "--expand", "workshop@example.test").out)[1:]]
    assert found == [
        "dialmakers@example.test",
        "petra@example.test",
        "orders@springs.example.org",
        "apprentice@nowhere.example.org",
    ]
    assert user.run("query", "--expand", "petra@example.test").code == 1


def test_json_says_the_same(user: Inside) -> None:
    said = user.run("query", "petra", "--json").json
    assert said["people"] == [
        {
            "address": "petra@example.test",
            "name": "Petra Weiß",
            "other": "Managing director, Brass & Gears, Tower 9, +1 555 0100",
            "group": False,
        }
    ]


def test_an_odd_file_costs_nothing_but_itself(tmp_path: Path) -> None:
    (tmp_path / "binary.vcf").write_bytes(bytes(range(256)) * 10)
    (tmp_path / "cut.vcf").write_text("BEGIN:VCARD\nFN:Cut Off\nEMAIL:cut@example.org")
    card = "BEGIN:VCARD\nFN:{0}\nEMAIL:{0}@x.org\nEND:VCARD\n"
    (tmp_path / "two.vcf").write_text(card.format("one") + card.format("two"))
    (tmp_path / ".hidden").mkdir()
    (tmp_path / ".hidden/no.vcf").write_text(card.format("no"))
    (tmp_path / "none.vcf").mkdir()
    assert [person.address for person in addressbook.search(tmp_path, "")] == ["cut@example.org", "one@x.org", "two@x.org"]


def test_what_is_no_file_is_not_waited_for(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe.vcf")
    os.symlink("/nowhere", tmp_path / "dangling.vcf")
    (tmp_path / "directory.vcf").mkdir()
    assert not addressbook.search(tmp_path, "pipe")


# -- automatic replies


def test_automatic_replies_are_turned_on_shown_and_off(server: Running, user: Inside) -> None:
    account = sign_in(server)
    assert user.run("oof").out == "work: automatic replies are off\n"
    (user.home / "reply").write_text("Am Meer & <fort>\n")
    assert user.run("oof", "on", "--text", str(user.home / "reply"), "--external", "contacts").code == 0
    found = account.oof_settings
    assert (found.state, found.external_audience, found.internal_reply.strip()) == ("Enabled", "Known", "Am Meer & <fort>")
    assert found.external_reply.strip() == "Am Meer & <fort>"
    assert user.run("oof", "off").code == 0
    assert account.oof_settings.state == "Disabled"
    # The texts are still there.
    ran = user.run("oof", "on", "--from", "2099-12-24", "--until", "2099-12-26")
    assert ran.code == 0 and "from 2099-12-24 00:00 until 2099-12-27 00:00" in ran.out and "Am Meer" in ran.out
    assert account.oof_settings.state == "Scheduled"


@pytest.mark.parametrize(
    "arguments",
    [
        ("on",),
        ("on", "--from", "2099-01-01"),
        ("on", "--text", "/nowhere"),
        ("off", "--from", "2099-01-01", "--until", "2099-01-02"),
        ("on", "--from", "soon", "--until", "2099-01-02"),
    ],
)
def test_what_makes_no_sense_is_refused_and_changes_nothing(server: Running, user: Inside, arguments: tuple[str, ...]) -> None:
    assert user.run("oof", *arguments).code == 64
    assert server.alice.oof == people.OutOfOffice()


# -- free and busy


def test_times_that_are_taken_are_listed_by_the_local_clock(
    server: Running, user: Inside, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TZ", "Europe/Berlin")
    time.tzset()
    try:
        server.post(
            '<m:CreateItem SendMeetingInvitations="SendToNone"><m:Items><t:CalendarItem><t:Subject>Tea</t:Subject>'
            "<t:Start>2026-07-01T08:00:00Z</t:Start><t:End>2026-07-01T09:30:00Z</t:End><t:Location>Tower</t:Location>"
            "</t:CalendarItem></m:Items></m:CreateItem>"
        )
        ran = user.run("freebusy", ALICE[0], BOB[0], "nobody@example.test", "--day", "2026-07-01")
    finally:
        monkeypatch.undo()
        time.tzset()
    assert ran.code == 1 and "nobody@example.test" in ran.err
    rows = [line.split() for line in ran.out.splitlines()[1:]]
    assert rows == [
        ["alice@example.test", "2026-07-01", "10:00", "-", "11:30", "busy", "Tea", "Tower"],
        ["bob@example.test", "free"],
    ]
    assert user.run("freebusy", "--day", "2026-07-02").out.splitlines()[1].split() == ["alice@example.test", "free"]
    assert user.run("freebusy", "--day", "tomorrow").code == 64
    assert os.environ.get("TZ") != "Europe/Berlin"
