"""`ews-bridge tags`: by file and by Message-ID, offline, and carried up by the next sync."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.desk import Desk
from tests.mirror import message
from tests.test_tags import PROJECT
from tests.test_tags import akonadi_tags
from tests.test_tags import listed
from tests.test_tags import on_disk
from tests.test_tags import on_server
from tests.test_tags import outlook_tags
from tests.test_tags import tagged_desk


@pytest.fixture
def tagged(tmp_path: Path) -> Iterator[Desk]:
    with tagged_desk(tmp_path) as found:
        yield found


def test_tags_are_added_and_removed_on_files_and_message_ids_and_the_next_sync_carries_them_up(tagged: Desk) -> None:
    file = str(tagged.file(1))
    tagged.server.reset()
    assert tagged.user.run("tags", "add", "Project X", file, "<2@example.test>").code == 0
    assert tagged.user.run("tags", "add", "todo", file).code == 0
    assert tagged.user.run("tags", "remove", "Project X", file).code == 0
    shown = tagged.user.run("tags", "show", file, "<2@example.test>")
    assert shown.out.splitlines() == [f"{file}: todo", f"{tagged.file(2)}: Project X"]
    assert tagged.server.stats()["requests"] == {}, "offline"
    tagged.settle()
    assert on_server(tagged, 1) == (["todo"], ["todo"])
    assert on_server(tagged, 2) == ([PROJECT], ["Project X"])


def test_the_tags_of_one_message_are_a_line_each(tagged: Desk) -> None:
    file = str(tagged.file(1))
    assert tagged.user.run("tags", "show", file).out == ""
    for tag in ("two words", "one"):
        tagged.user.run("tags", "add", tag, file)
    assert tagged.user.run("tags", "show", file).out == "one\ntwo words\n"


def test_a_rename_changes_every_item_and_the_mailboxes_list(tagged: Desk) -> None:
    for number in (1, 2):
        akonadi_tags(tagged, number, [PROJECT], ["Project X"])
    tagged.settle()
    # one that is not synced here
    elsewhere = tagged.server.alice.create_folder(tagged.server.alice.folder("msgfolderroot"), "Elsewhere")
    tagged.server.alice.add_mime(elsewhere, message(20))
    akonadi_tags(tagged, 20, [PROJECT], ["Project X"])
    ran = tagged.user.run("tags", "rename", "Project X", "Project (new)")
    assert (ran.code, ran.out) == (0, "work: 2 renamed\n")
    assert on_disk(tagged, 1) == {"Project (new)"}
    tagged.settle()
    assert on_server(tagged, 1) == on_server(tagged, 2) == ([PROJECT], ["Project (new)"])
    assert listed(tagged).records()[PROJECT.encode()].name == "Project (new)"
    assert on_server(tagged, 20)[0] == [PROJECT], "renamed with the list"


def test_a_rename_to_a_tag_that_is_there_already_makes_one_of_two(tagged: Desk) -> None:
    akonadi_tags(tagged, 1, [PROJECT, "todo"], ["Project X", "todo"])
    akonadi_tags(tagged, 2, [PROJECT], ["Project X"])
    tagged.settle()
    assert tagged.user.run("tags", "rename", "Project X", "todo").code == 0
    tagged.settle()
    assert on_server(tagged, 1) == on_server(tagged, 2) == (["todo"], ["todo"])


def test_a_tag_renamed_twice_before_the_sync_and_then_into_another_leaves_nothing_behind(tagged: Desk) -> None:
    akonadi_tags(tagged, 1, [PROJECT, "todo"], ["Project X", "todo"])
    tagged.settle()
    assert tagged.user.run("tags", "rename", "Project X", "px").code == 0
    assert tagged.user.run("tags", "rename", "px", "todo").code == 0
    tagged.settle()
    assert on_disk(tagged, 1) == {"todo"}
    assert on_server(tagged, 1) == (["todo"], ["todo"])


def test_the_list_counts_messages_and_knows_the_colours_of_the_server(tagged: Desk) -> None:
    outlook_tags(tagged, 1, ["Red Category", "todo"])
    outlook_tags(tagged, 2, ["todo"])
    tagged.settle()
    rows = [line.split("  ") for line in tagged.user.run("tags", "list").out.splitlines()]
    table = {row[0].strip(): [cell.strip() for cell in row[1:] if cell.strip()] for row in rows}
    assert table["Red Category"] == ["1", "red", "work"]
    assert table["todo"] == ["2", "work"]
    assert table["Project X"] == ["0", "work"]
    assert table["Blue Category"] == ["0", "blue", "work"]
    told = json.loads(tagged.user.run("--json", "tags", "list").out)["tags"]
    assert {"account": "work", "tag": "todo", "messages": 2, "color": ""} in told


def test_the_list_is_there_without_the_server(tagged: Desk) -> None:
    outlook_tags(tagged, 1, ["todo"])
    tagged.settle()
    tagged.server.faults({"operation": "GetUserConfiguration", "times": 9, "fault": "error:ErrorInternalServerError"})
    ran = tagged.user.run("tags", "list")
    assert ran.code == 0
    assert "todo" in ran.out and "cannot be read" in ran.err


@pytest.mark.parametrize(
    ("arguments", "code", "said"),
    [
        (("show",), 64, "usage: ews-bridge tags show FILE..."),
        (("add", "x"), 64, "usage: ews-bridge tags add TAG FILE..."),
        (("rename", "a"), 64, "usage: ews-bridge tags rename OLD NEW"),
        (("show", "/etc/passwd"), 64, "there is no message /etc/passwd"),
        (("show", "<nobody@example.test>"), 64, "there is no message <nobody@example.test>"),
        (("paint", "x"), 64, "paint"),
    ],
)
def test_what_makes_no_sense_is_refused(tagged: Desk, arguments: tuple[str, ...], code: int, said: str) -> None:
    ran = tagged.user.run("tags", *arguments)
    assert ran.code == code
    assert said in ran.err


def test_an_account_without_tags_says_so(tagged: Desk) -> None:
    tagged.configure()
    ran = tagged.user.run("tags", "list")
    assert ran.code == 78
    assert "no account has tags" in ran.err
