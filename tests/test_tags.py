"""Tags on the server and on disk, both ways: Akonadi's store and Outlook's categories, `X-Keywords` and `X-Label`.

Akonadi is played by exchangelib with Akonadi's properties, on the wire as Akonadi writes them.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterable
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from exchangelib import ExtendedProperty
from exchangelib import Message

from ews_bridge import labels
from ews_bridge.exchange import akonadi
from ews_bridge.exchange.akonadi import Listed
from ews_bridge.labels import Kind
from ews_bridge.model import Side
from ews_bridge.sandbox.store import Folder
from ews_bridge.sandbox.store import Item
from tests.desk import AKONADI
from tests.desk import Desk
from tests.desk import Moment
from tests.desk import desk
from tests.desk import key_of
from tests.mirror import message
from tests.test_akonadi import GOLDEN
from tests.test_akonadi import UUID
from tests.test_readers import on_screen

SET = AKONADI[0]
PROJECT = UUID.decode()


class Tags(ExtendedProperty):  # type: ignore[misc]
    property_set_id = SET
    property_name = "Tags"
    property_type = "StringArray"


if "akonadi_tags" not in {each.name for each in Message.FIELDS}:
    Message.register("akonadi_tags", Tags)


SECTION = '\n[accounts.work.tags]\nserver = {server}\nlocal = "{local}"\n'
BOTH = '["akonadi", "categories"]'


@contextmanager
def tagged_desk(home: Path, *, server: str = BOTH, local: str = "x-keywords", more: str = "") -> Iterator[Desk]:
    """A desk whose mailbox has Akonadi's list with the golden records, and whose account has a section for tags."""
    with desk(home, fill=False) as found:
        alice = found.server.alice
        alice.folder("msgfolderroot").props[SET, "GlobalTags"] = ("StringArray", list(GOLDEN))
        alice.folder("msgfolderroot").props[SET, "GlobalTagsVersion"] = ("Integer", 3)
        for number in (1, 2, 3):
            alice.add_mime(alice.folder("inbox"), message(number), read=True)
        found.configure(SECTION.format(server=server, local=local) + more)
        found.settle()
        yield found


@pytest.fixture
def tagged(tmp_path: Path) -> Iterator[Desk]:
    with tagged_desk(tmp_path) as found:
        yield found


def item(desk: Desk, number: int) -> Item:
    return next(each for each in desk.server.alice.items.values() if key_of(each) == str(number) and each.folder)


def on_server(desk: Desk, number: int) -> tuple[list[str], list[str]]:
    """(Akonadi's ids, categories) of a message, in order."""
    found = desk.item(number)
    return list(found.akonadi_tags or []), list(found.categories or [])


def listed(desk: Desk) -> Listed:
    props = desk.server.alice.folder("msgfolderroot").props
    return Listed(tuple(props[SET, "GlobalTags"][1]), int(props[SET, "GlobalTagsVersion"][1]))  # type: ignore[arg-type]


def folders(top: Folder) -> Iterator[Folder]:
    yield top
    for child in top.children:
        yield from folders(child)


def gid(desk: Desk, name: str) -> str:
    (found,) = [each for each, record in listed(desk).records().items() if record.name == name]
    return akonadi.value_of(found)


def akonadi_tags(desk: Desk, number: int, gids: Iterable[str], names: Iterable[str]) -> None:
    """As Akonadi writes them: both lists, whole, without a look at what is there."""
    found = desk.item(number)
    found.akonadi_tags, found.categories = list(gids) or None, list(names) or None
    found.save(update_fields=["akonadi_tags", "categories"], conflict_resolution="AlwaysOverwrite")


def outlook_tags(desk: Desk, number: int, names: Iterable[str]) -> None:
    found = desk.item(number)
    found.categories = list(names) or None
    found.save(update_fields=["categories"])


def on_disk(desk: Desk, number: int, kind: Kind = Kind.KEYWORDS) -> set[str]:
    head = desk.file(number).read_bytes().partition(b"\n\n")[0] + b"\n"
    return set(labels.said(head, kind).tags)


def reader_tags(desk: Desk, number: int, names: Iterable[str], kind: Kind = Kind.KEYWORDS) -> None:
    """As mu4e does it: the field is edited, and the file written in its place."""
    file = desk.file(number)
    data = b"".join(labels.renewed([file.read_bytes()], lambda head: labels.rewritten(head, kind, frozenset(names))))
    file.write_bytes(data)


# ---- down


def test_what_akonadi_tagged_is_in_the_file_and_nothing_else_of_it_changes(tagged: Desk) -> None:
    file = tagged.file(1)
    before, times = file.read_bytes(), os.stat(file).st_mtime_ns
    akonadi_tags(tagged, 1, [PROJECT, "todo"], ["Project X", "todo"])
    tagged.settle()
    after = tagged.file(1)
    assert after == file
    assert on_disk(tagged, 1) == {"Project X", "todo"}
    assert after.read_bytes().replace(b"X-Keywords: Project X, todo\n", b"") == before
    assert os.stat(after).st_mtime_ns == times


def test_a_category_of_outlooks_is_a_tag_on_disk_and_in_akonadi(tagged: Desk) -> None:
    outlook_tags(tagged, 1, ["Red Category", "todo"])
    tagged.settle()
    assert on_disk(tagged, 1) == {"Red Category", "todo"}
    gids, categories = on_server(tagged, 1)
    assert gids == sorted(gids, key=lambda each: [gid(tagged, "Red Category"), "todo"].index(each))
    assert categories == ["Red Category", "todo"]


def test_a_category_that_outlook_removed_does_not_come_back_from_akonadis_list(tagged: Desk) -> None:
    akonadi_tags(tagged, 1, [PROJECT, "todo"], ["Project X", "todo"])
    tagged.settle()
    outlook_tags(tagged, 1, ["todo"])
    tagged.settle()
    assert on_server(tagged, 1) == (["todo"], ["todo"])
    assert on_disk(tagged, 1) == {"todo"}


def test_a_new_message_comes_with_its_tags_and_a_sender_s_own_keywords_are_never_pushed_up(tagged: Desk) -> None:
    with_own = message(7).replace(b"Subject:", b"X-Keywords: spam, list\r\nSubject:")
    tagged.server.alice.add_mime(tagged.server.alice.folder("inbox"), with_own)
    tagged.fill("INBOX", 8)
    akonadi_tags(tagged, 8, ["todo"], ["todo"])
    tagged.settle()
    assert on_disk(tagged, 7) == {"spam", "list"}
    assert on_server(tagged, 7) == ([], [])
    assert on_disk(tagged, 8) == {"todo"}
    reader_tags(tagged, 7, {"spam", "list", "mine"})
    tagged.settle()
    assert on_server(tagged, 7)[1] == ["mine"]
    outlook_tags(tagged, 7, [])
    tagged.settle()
    assert on_disk(tagged, 7) == {"spam", "list"}


def test_a_fresh_machine_has_the_tags(tagged: Desk, tmp_path: Path) -> None:
    reader_tags(tagged, 1, {"Zażółć", "todo", "a, b"})
    tagged.settle()
    (tmp_path / "other").mkdir()
    other = Desk(tagged.server, type(tagged.user)(tmp_path / "other", tagged.server.url), tagged.relay)
    other.configure(tagged.more)
    report = other.settle()
    assert on_disk(other, 1) == {"Zażółć", "todo", "a, b"}
    assert set(report.done) == {"new folder", "download"}, report.done


# ---- up


def test_a_tag_set_in_a_reader_is_in_both_places_with_the_id_that_akonadi_knows(tagged: Desk) -> None:
    reader_tags(tagged, 1, {"Project X"})
    tagged.settle()
    assert on_server(tagged, 1) == ([PROJECT], ["Project X"])
    assert listed(tagged) == Listed(tuple(GOLDEN), 3), "and the list is not written for it"


def test_a_new_tag_gets_a_record_that_akonadi_can_read_and_the_others_stay_byte_for_byte(tagged: Desk) -> None:
    props = tagged.server.alice.folder("msgfolderroot").props
    props[SET, "GlobalTags"] = ("StringArray", [*GOLDEN, "who knows what"])
    reader_tags(tagged, 1, {"Neu (ganz)"})
    tagged.settle()
    after = listed(tagged)
    assert after.version == 4
    assert after.values[:-1] == (*GOLDEN, "who knows what")
    record = akonadi.decoded(after.values[-1])
    assert record and record.name == "Neu (ganz)" and record.attributes == ()
    assert on_server(tagged, 1) == ([record.gid.decode()], ["Neu (ganz)"])


def test_the_last_tag_goes_and_the_property_with_it(tagged: Desk) -> None:
    reader_tags(tagged, 1, {"todo"})
    tagged.settle()
    reader_tags(tagged, 1, set())
    tagged.settle()
    assert on_server(tagged, 1) == ([], [])
    assert (SET, "Tags") not in item(tagged, 1).props


def test_ids_that_nobody_can_name_stay(tagged: Desk) -> None:
    unknown = "00000000-0000-4000-8000-000000000000"
    akonadi_tags(tagged, 1, [unknown, "todo"], ["todo"])
    tagged.settle()
    assert on_disk(tagged, 1) == {"todo"}
    reader_tags(tagged, 1, {"new"})
    tagged.settle()
    assert on_server(tagged, 1) == ([unknown, gid(tagged, "new")], ["new"])


def test_a_message_that_goes_up_takes_its_tags_along_and_not_in_its_text(tagged: Desk) -> None:
    new = tagged.user.mail / "INBOX/cur/1700000000.x.host:2,S"
    new.write_bytes(message(5).replace(b"\r\n", b"\n").replace(b"Subject:", b"X-Keywords: todo, fresh\nSubject:"))
    tagged.settle()
    assert on_server(tagged, 5) == ([gid(tagged, "fresh"), "todo"], ["fresh", "todo"])
    assert item(tagged, 5).mime == message(5)
    assert on_disk(tagged, 5) == {"todo", "fresh"}


def test_neomutts_way_to_edit_a_label_is_an_edit_of_a_label(tmp_path: Path) -> None:
    """It writes another file, with another name, and removes the first."""
    with tagged_desk(tmp_path, local="x-label") as desk:
        file = desk.file(1)
        new = file.with_name(f"1700000000.R99.mutt:2,{file.name.partition(':2,')[2]}")
        new.write_bytes(file.read_bytes().replace(b"Subject:", b"X-Label: todo Project X\nSubject:", 1))
        file.unlink()
        report = desk.settle()
        assert on_server(desk, 1) == ([PROJECT, "todo"], ["Project X", "todo"])
        assert not {"upload", "download", "delete remote"} & report.done.keys(), report.done
        outlook_tags(desk, 1, ["Project X"])
        desk.settle()
        assert b"X-Label: Project%20X\n" in desk.file(1).read_bytes()


@pytest.mark.skipif(not (shutil.which("neomutt") and shutil.which("tmux")), reason="neomutt or tmux is not installed")
def test_a_label_edited_in_neomutt_itself_goes_up_and_one_from_the_server_is_shown_there(tmp_path: Path) -> None:
    with tagged_desk(tmp_path, local="x-label") as desk:
        outlook_tags(desk, 2, ["Project X"])
        desk.settle()
        inbox = desk.user.mail / "INBOX"
        keys = "push <limit>~s<space>1<enter><edit-label>urgent<enter><sync-mailbox><limit>all<enter>"
        setting = "set index_format='%s_is_%y.'"
        shown = on_screen(desk.user, f'neomutt -F /dev/null -e "{setting}" -e "{keys}" -f {inbox}', "number 2_is_", "qy")
        assert "number 2_is_Project%20X." in shown
        desk.settle()
        assert on_server(desk, 1)[1] == ["urgent"]
        assert on_server(desk, 2)[1] == ["Project X"]


def test_a_half_known_label_is_not_pushed_up_as_two_tags(tmp_path: Path) -> None:
    with tagged_desk(tmp_path, local="x-label") as desk:
        file = desk.file(1)
        file.write_bytes(file.read_bytes().replace(b"Subject:", b"X-Label: Project\nSubject:", 1))
        desk.settle()
        assert on_server(desk, 1) == ([], [])
        assert b"X-Label: Project\n" in desk.file(1).read_bytes()


# ---- both, and what is in between


def test_both_sides_tag_and_both_tags_stay(tagged: Desk) -> None:
    reader_tags(tagged, 1, {"mine"})
    outlook_tags(tagged, 1, ["theirs"])
    akonadi_tags(tagged, 2, [PROJECT], ["Project X"])
    reader_tags(tagged, 2, {"Project X", "too"})
    tagged.settle()
    assert on_disk(tagged, 1) == {"mine", "theirs"} == set(on_server(tagged, 1)[1])
    assert on_disk(tagged, 2) == {"Project X", "too"} == set(on_server(tagged, 2)[1])


def test_one_place_alone_leaves_the_other_as_it_is(tmp_path: Path) -> None:
    (tmp_path / "a").mkdir()
    (tmp_path / "b").mkdir()
    with tagged_desk(tmp_path / "a", server='["categories"]') as desk:
        akonadi_tags(desk, 1, ["todo"], [])
        reader_tags(desk, 1, {"mine"})
        desk.settle()
        assert on_server(desk, 1) == (["todo"], ["mine"])
        assert listed(desk).version == 3
    with tagged_desk(tmp_path / "b", server='["akonadi"]') as desk:
        outlook_tags(desk, 1, ["Red Category"])
        reader_tags(desk, 1, {"todo"})
        desk.settle()
        assert on_server(desk, 1) == (["todo"], ["Red Category"])


def test_a_tag_that_changes_between_our_look_and_our_write_is_not_overwritten(tagged: Desk) -> None:
    reader_tags(tagged, 1, {"mine"})
    tagged.act_at(Moment("UpdateItem"), lambda: outlook_tags(tagged, 1, ["theirs"]))
    tagged.settle()
    assert tagged.acted
    assert on_disk(tagged, 1) == {"mine", "theirs"} == set(on_server(tagged, 1)[1])


def test_a_list_that_akonadi_cut_short_and_a_tag_renamed_there(tagged: Desk) -> None:
    akonadi_tags(tagged, 1, [PROJECT, "todo"], ["Project X", "todo"])
    tagged.settle()
    props = tagged.server.alice.folder("msgfolderroot").props
    props[SET, "GlobalTags"] = ("StringArray", [akonadi.encoded(akonadi.Record(b"todo", "to do"))])
    props[SET, "GlobalTagsVersion"] = ("Integer", 4)
    tagged.settle()
    assert on_disk(tagged, 1) == {"Project X", "to do"}
    assert on_server(tagged, 1) == ([PROJECT, "todo"], ["Project X", "to do"])


def test_tags_are_moved_and_copied_with_their_message(tagged: Desk) -> None:
    reader_tags(tagged, 1, {"todo"})
    tagged.settle()
    file = tagged.file(1)
    os.rename(file, tagged.user.mail / "Projects/cur" / file.name)
    tagged.settle()
    assert on_server(tagged, 1) == (["todo"], ["todo"])
    copy = tagged.user.mail / "Archive/cur/1700000001.y.host:2,S"
    copy.write_bytes(tagged.file(1).read_bytes())
    tagged.settle()
    copies = [each for each in tagged.server.alice.items.values() if key_of(each) == "1" and each.folder]
    assert [each.props[SET, "Tags"][1] for each in copies] == [["todo"], ["todo"]]


def test_a_draft_is_tagged_without_being_edited(tagged: Desk) -> None:
    tagged.server.alice.add_mime(tagged.server.alice.folder("drafts"), message(9), draft=True, read=True)
    tagged.settle()
    outlook_tags(tagged, 9, ["todo"])
    tagged.settle()
    assert on_disk(tagged, 9) == {"todo"}
    report = tagged.settle()
    assert report.done == {} and not report.conflicts
    mime = item(tagged, 9).mime
    file = tagged.file(9)
    file.write_bytes(file.read_bytes().replace(b"Subject: ", b"Subject: edited "))
    tagged.settle()
    assert item(tagged, 9).mime == mime.replace(b"Subject: ", b"Subject: edited ")
    assert on_server(tagged, 9)[1] == ["todo"]


def test_a_quiet_run_makes_three_requests_and_without_tags_two(tagged: Desk) -> None:
    def requests() -> dict[str, int]:
        for folder in folders(tagged.server.alice.folder("msgfolderroot")):
            folder.commit -= 10  # what has just changed is looked at once more
        tagged.sync()
        tagged.server.reset()
        tagged.sync()
        found: dict[str, int] = tagged.server.stats()["requests"]
        return found

    assert requests() == {"SyncFolderHierarchy": 1, "GetFolder": 1, "FindFolder": 1}
    tagged.configure()
    tagged.settle()
    assert requests() == {"SyncFolderHierarchy": 1, "FindFolder": 1}


def test_without_the_section_no_file_is_written_and_no_tag_is_touched(tagged: Desk) -> None:
    akonadi_tags(tagged, 1, [PROJECT], ["Project X"])
    tagged.settle()
    tagged.configure()
    before = tagged.file(1).read_bytes()
    tagged.settle()
    outlook_tags(tagged, 1, ["Red Category"])
    outlook_tags(tagged, 2, ["Red Category"])
    report = tagged.settle()
    assert report.done == {}
    assert tagged.file(1).read_bytes() == before
    assert on_disk(tagged, 2) == set()
    tagged.configure(SECTION.format(server=BOTH, local="x-keywords"))
    tagged.settle()
    assert on_disk(tagged, 2) == {"Red Category"} == set(on_server(tagged, 2)[1])
    assert on_disk(tagged, 1) == {"Red Category", "Project X"} == set(on_server(tagged, 1)[1])


def test_another_field_on_disk_gets_all_tags_and_takes_none_away(tagged: Desk) -> None:
    akonadi_tags(tagged, 1, [PROJECT], ["Project X"])
    tagged.settle()
    tagged.configure(SECTION.format(server=BOTH, local="x-label"))
    tagged.settle()
    assert on_disk(tagged, 1, Kind.LABEL) == {"Project X"}
    tagged.configure(SECTION.format(server=BOTH, local="x-label") + 'names = { "Project X" = "px" }\nnever = ["inbox"]\n')
    tagged.settle()
    assert on_disk(tagged, 1, Kind.LABEL) == {"Project X", "px"}
    assert "Project X" in on_server(tagged, 1)[1]


def test_nothing_on_disk_and_both_places_on_the_server_are_alike(tmp_path: Path) -> None:
    with tagged_desk(tmp_path, local="none") as desk:
        before = desk.file(1).read_bytes()
        outlook_tags(desk, 1, ["todo"])
        akonadi_tags(desk, 2, [PROJECT], [])
        desk.settle()
        assert on_server(desk, 1) == (["todo"], ["todo"])
        assert on_server(desk, 2) == ([PROJECT], ["Project X"])
        assert desk.file(1).read_bytes() == before


def test_a_dry_run_says_what_would_be_tagged_and_pull_only_leaves_the_server_alone(tagged: Desk) -> None:
    reader_tags(tagged, 1, {"mine"})
    outlook_tags(tagged, 1, ["theirs"])
    tagged.sync(dry_run=True)
    assert [step for step in tagged.steps if step.startswith("tag ")] == ["tag local number 1: +theirs"]
    assert on_disk(tagged, 1) == {"mine"}
    report = tagged.sync(writes=frozenset({Side.LOCAL}))
    assert report.done == {"tag local": 1} and report.pending == 1
    assert on_disk(tagged, 1) == {"mine", "theirs"}
    assert on_server(tagged, 1) == ([], ["theirs"])
    tagged.settle()
    assert set(on_server(tagged, 1)[1]) == {"mine", "theirs"}


def test_in_a_read_only_folder_tags_come_down_and_none_goes_up(tmp_path: Path) -> None:
    with tagged_desk(tmp_path) as desk:
        desk.configure('read_only = ["INBOX"]\n' + SECTION.format(server=BOTH, local="x-keywords"))
        outlook_tags(desk, 1, ["theirs"])
        reader_tags(desk, 2, {"mine"})
        desk.settle()
        assert on_disk(desk, 1) == {"theirs"} and on_disk(desk, 2) == set()
        assert on_server(desk, 1) == ([], ["theirs"]) and on_server(desk, 2) == ([], [])


def test_tags_that_the_server_refuses_are_named_and_stay_on_disk(tagged: Desk) -> None:
    tagged.user.url = tagged.server.url
    tagged.configure(tagged.more)
    reader_tags(tagged, 1, {"one"})
    tagged.settle()
    tagged.server.faults({"operation": "UpdateItem", "nth": 1, "times": 1, "fault": "error:ErrorItemSave"})
    reader_tags(tagged, 1, {"one", "two"})
    reader_tags(tagged, 2, {"one"})
    tagged.sync()
    failures = tagged.reports[-1].failures
    assert sorted(failure.what for failure in failures) == ["number 1", "number 2"]
    assert all("cannot be tagged" in failure.why for failure in failures)
    assert on_disk(tagged, 1) == {"one", "two"} and on_disk(tagged, 2) == {"one"}
