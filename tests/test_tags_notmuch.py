"""Tags in notmuch's database: given to messages once notmuch knows them, carried up, and never those that it sets by itself."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from ews_bridge.notmuch import Notmuch
from tests.desk import Desk
from tests.test_tags import PROJECT
from tests.test_tags import akonadi_tags
from tests.test_tags import on_server
from tests.test_tags import outlook_tags
from tests.test_tags import tagged_desk

pytestmark = pytest.mark.skipif(not shutil.which("notmuch"), reason="notmuch is not installed")


def notmuch(desk: Desk, *arguments: str, given: str = "") -> str:
    environment = {**desk.user.environment(), "NOTMUCH_CONFIG": str(desk.user.home / ".notmuch-config")}
    done = subprocess.run(["notmuch", *arguments], env=environment, input=given, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done
    return done.stdout


@pytest.fixture
def indexed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Desk]:
    """Three messages that notmuch knows."""
    monkeypatch.setenv("NOTMUCH_CONFIG", str(tmp_path / ".notmuch-config"))
    (tmp_path / "Mail").mkdir()
    (tmp_path / ".notmuch-config").write_text(
        f"[database]\npath={tmp_path}/Mail\n[user]\nname=Alice\nprimary_email=alice@example.test\n"
        "[new]\ntags=unread;inbox;fresh\nignore=.ews-bridge\n[maildir]\nsynchronize_flags=true\n"
    )
    subprocess.run(["notmuch", "new", "--quiet"], check=True)
    with tagged_desk(tmp_path, local="notmuch") as found:
        notmuch(found, "new", "--quiet")
        found.settle()
        yield found


def tags(desk: Desk, number: int) -> set[str]:
    return set(notmuch(desk, "search", "--output=tags", "--exclude=false", f"id:{number}@example.test").split("\n")) - {""}


def own(desk: Desk, number: int) -> set[str]:
    return tags(desk, number) - {"unread", "inbox", "fresh"}


def test_tags_go_both_ways_and_what_notmuch_sets_by_itself_goes_nowhere(indexed: Desk) -> None:
    assert all(on_server(indexed, number) == ([], []) for number in (1, 2, 3))
    notmuch(indexed, "tag", "+Project X", "-inbox", "--", "id:1@example.test")
    akonadi_tags(indexed, 2, ["todo"], ["todo"])
    indexed.settle()
    assert on_server(indexed, 1) == ([PROJECT], ["Project X"])
    assert own(indexed, 2) == {"todo"}
    assert "inbox" in tags(indexed, 2)
    notmuch(indexed, "tag", "-todo", "+Zażółć (x)", "--", "id:2@example.test")
    outlook_tags(indexed, 1, [])
    indexed.settle()
    assert on_server(indexed, 2)[1] == ["Zażółć (x)"]
    assert own(indexed, 1) == set()


def test_a_message_that_notmuch_does_not_know_yet_gets_its_tags_when_it_does(indexed: Desk) -> None:
    indexed.fill("INBOX", 5)
    akonadi_tags(indexed, 5, ["todo"], ["todo"])
    indexed.settle()
    assert on_server(indexed, 5) == (["todo"], ["todo"])
    notmuch(indexed, "new", "--quiet")
    assert own(indexed, 5) == set()
    indexed.settle()
    assert own(indexed, 5) == {"todo"}
    assert on_server(indexed, 5) == (["todo"], ["todo"])


def test_another_database_takes_no_tag_away(indexed: Desk) -> None:
    notmuch(indexed, "tag", "+mine", "--", "id:1@example.test")
    indexed.settle()
    shutil.rmtree(indexed.user.mail / ".notmuch")
    notmuch(indexed, "new", "--quiet")
    assert own(indexed, 1) == set()
    indexed.settle()
    assert on_server(indexed, 1)[1] == ["mine"]
    assert own(indexed, 1) == {"mine"}


def test_tagging_is_no_change_of_flags_and_a_quiet_run_is_quiet(indexed: Desk) -> None:
    before = indexed.local()
    notmuch(indexed, "tag", "+mine", "--", "*")
    outlook_tags(indexed, 1, ["theirs"])
    indexed.settle()
    assert [(place, number, letters) for place, number, letters, _ in indexed.local()] == [
        (place, number, letters) for place, number, letters, _ in before
    ]
    assert indexed.local() == before, "and no file was written"
    assert indexed.sync().done == {}


def test_the_command_tags_in_the_database(indexed: Desk) -> None:
    assert indexed.user.run("tags", "add", "mine", "<1@example.test>", str(indexed.file(2))).code == 0
    assert own(indexed, 1) == own(indexed, 2) == {"mine"}
    assert indexed.user.run("tags", "show", "<1@example.test>").out == "mine\n"
    refused = indexed.user.run("tags", "add", "inbox", "<3@example.test>")
    assert refused.code == 1 and "no tag that is synced" in refused.err
    indexed.settle()
    assert on_server(indexed, 1)[1] == ["mine"]


def test_odd_names_and_ids_survive_the_dump(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "m/cur").mkdir(parents=True)
    (tmp_path / "config").write_text(f"[database]\npath={tmp_path}/m\n[user]\nname=A\nprimary_email=a@b\n[new]\ntags=\n")
    monkeypatch.setenv("NOTMUCH_CONFIG", str(tmp_path / "config"))
    ids = ["plain@x", 'quote"d@x', "spa%ce@x", "paren(s)@x", "plus+/=@x"]
    for number, ident in enumerate(ids):
        text = f"From: a@b\nTo: a@b\nSubject: x\nMessage-ID: <{ident}>\nDate: Tue, 03 Nov 2026 10:00:00 +0000\n\nx{number}\n"
        (tmp_path / f"m/cur/{number}.x.h:2,S").write_text(text)
    subprocess.run(["notmuch", "new", "--quiet"], check=True)
    database = Notmuch()
    before = database.revision()
    names = frozenset({"a b", "100%", "Zażółć", "(paren)", '"quote"', "a,b"})
    known = database.tags()
    assert set(known) == set(ids)
    database.write({f"<{ident}>": (names, frozenset()) for ident in ids})
    assert database.tags() == dict.fromkeys(ids, names)
    assert database.revision() != before
    database.write({ids[0]: (frozenset(), names)})
    assert database.tags()[ids[0]] == frozenset()
