"""A directory that was removed with what was in it: its items go on the server, too, under the guard, and then its folder.

It does not matter how the directory was listed before: a directory of a vdir has no cursor, nor has a Maildir with a draft,
or one whose files hold tags.
"""

from __future__ import annotations

import shutil
from collections.abc import Callable
from collections.abc import Iterator
from pathlib import Path

import pytest

from ews_bridge import signin
from ews_bridge.model import Side
from ews_bridge.sandbox.store import Folder
from tests.desk import Desk
from tests.desk import desk
from tests.itemdesk import ItemDesk
from tests.itemdesk import itemdesk
from tests.itemdesk import todo
from tests.mirror import User
from tests.mirror import message
from tests.test_calendars import event
from tests.test_calendars import ics
from tests.test_contact_codec import card
from tests.test_crash import FUSE
from tests.test_crash import some
from tests.test_tags import tagged_desk

FILES: dict[str, tuple[str, Callable[[str], bytes]]] = {
    "calendar": (".ics", lambda name: ics(event(name, name))),
    "contacts": (".vcf", lambda name: card(f"UID:{name}", f"FN:{name}", f"N:{name};;;;")),
    "tasks": (".ics", lambda name: todo(name, name)),
}
DEFAULTS = {"calendar": "Calendar", "contacts": "Contacts", "tasks": "Tasks"}


@pytest.fixture(params=["calendar", "contacts"])
def kind(request: pytest.FixtureRequest) -> str:
    found: str = request.param
    return found


@pytest.fixture
def it(tmp_path: Path, kind: str) -> Iterator[ItemDesk]:
    with itemdesk(tmp_path, **{kind: ""}) as found:
        found.settle()
        yield found


def put(it: ItemDesk, kind: str, folder: str, *names: str) -> None:
    suffix, content = FILES[kind]
    it.home(kind, folder).mkdir(exist_ok=True)
    for name in names:
        (it.home(kind, folder) / f"{name}{suffix}").write_bytes(content(name))


def fill(it: ItemDesk, kind: str, folder: str, count: int) -> None:
    """A folder with so many items, in agreement."""
    put(it, kind, folder, *(f"item{number}" for number in range(count)))
    assert it.settle().done["upload"] == count


def there(it: ItemDesk | Desk) -> dict[str, int]:
    """Folders of the server with how many items are in them, those in Deleted Items below it."""
    found: dict[str, int] = {}

    def look(folder: Folder, above: str) -> None:
        for child in folder.children:
            found[above + child.name] = len(child.items)
            look(child, f"{above}{child.name}/")

    look(it.server.alice.folder("msgfolderroot"), "")
    return found


# ---- directories of vdirs


@pytest.mark.parametrize("made", ["here", "there"])
def test_few_items_and_their_folder_go_to_deleted_items(made: str, kind: str, it: ItemDesk) -> None:
    fill(it, kind, "Other", 3)
    if made == "there":  # then nothing was ever observed in the directory: all was written by us
        shutil.rmtree(it.user.state)
        shutil.rmtree(it.user.home / kind)
        assert it.settle().done["download"] == 3
    shutil.rmtree(it.home(kind, "Other"))
    told = it.sync(dry_run=True).done
    report = it.sync()
    assert report.done == told == {"delete remote": 3, "removed folder": 1}
    after = there(it)
    assert "Other" not in after
    assert after["Deleted Items"] == 3 and after["Deleted Items/Other"] == 0
    assert not it.sync().done
    assert not it.home(kind, "Other").exists()


def test_many_items_are_refused_until_it_is_said_to_be_right(kind: str, it: ItemDesk) -> None:
    fill(it, kind, "Other", 6)
    shutil.rmtree(it.home(kind, "Other"))
    for _ in range(2):
        report = it.sync()
        assert [refusal.what for refusal in report.refused] == ["Other"]
        assert "6 of 6 items are gone here" in report.refused[0].why
        assert not report.done
        assert not it.sync(dry_run=True).done
    assert there(it)["Other"] == 6
    assert it.sync(allow_deletes=True).done == {"delete remote": 6, "removed folder": 1}
    assert "Other" not in there(it)


def test_refill_brings_the_directory_back(kind: str, it: ItemDesk) -> None:
    fill(it, kind, "Other", 6)
    shutil.rmtree(it.home(kind, "Other"))
    assert it.sync().refused
    assert it.sync(refill=True).done == {"new folder": 1, "download": 6}
    assert [file.parent.name for file in it.files(kind)] == ["Other"] * 6
    assert not it.sync().done
    assert there(it)["Other"] == 6


def test_what_is_put_into_a_directory_of_the_name_later_goes_up(kind: str, it: ItemDesk) -> None:
    fill(it, kind, "Other", 6)
    shutil.rmtree(it.home(kind, "Other"))
    it.sync()
    put(it, kind, "Other", "later")
    report = it.sync()
    assert report.done == {"upload": 1} and report.refused
    assert there(it)["Other"] == 7
    assert it.sync(allow_deletes=True).done == {"delete remote": 6}
    assert [file.stem for file in it.files(kind)] == ["later"]
    assert there(it)["Other"] == 1


def test_the_directory_of_a_default_folder_comes_back_empty_and_is_told(kind: str, it: ItemDesk) -> None:
    default = DEFAULTS[kind]
    fill(it, kind, default, 3)
    shutil.rmtree(it.home(kind, default))
    report = it.sync()
    assert report.done == {"delete remote": 3, "new folder": 1}
    assert len(report.reverted) == 1 and default in report.reverted[0]
    assert it.home(kind, default).is_dir()
    assert there(it)[default] == 0
    assert not it.sync().done


def test_the_items_of_a_default_folder_are_guarded_like_others(kind: str, it: ItemDesk) -> None:
    default = DEFAULTS[kind]
    fill(it, kind, default, 6)
    shutil.rmtree(it.home(kind, default))
    report = it.sync()
    assert [refusal.what for refusal in report.refused] == [default]
    assert there(it)[default] == 6
    assert it.sync(refill=True).done == {"download": 6}
    assert len(it.files(kind)) == 6


def test_what_was_moved_into_it_on_the_server_keeps_the_folder(kind: str, it: ItemDesk) -> None:
    fill(it, kind, "Other", 3)
    other = next(each for each in it.server.alice.folder("msgfolderroot").children if each.name == "Other")
    put(it, kind, DEFAULTS[kind], "moved")
    it.settle()
    moved = next(iter(it.server.alice.folder(kind).items.values()))
    it.server.alice.move(moved, other)
    shutil.rmtree(it.home(kind, "Other"))
    assert "removed folder" not in it.sync(dry_run=True).done
    it.settle()
    assert [(file.parent.name, file.stem) for file in it.files(kind)] == [("Other", "moved")]
    assert there(it)["Other"] == 1


def test_what_was_edited_on_the_server_keeps_the_folder(tmp_path: Path) -> None:
    with itemdesk(tmp_path, tasks="") as it:
        it.settle()
        fill(it, "tasks", "Other", 3)
        shutil.rmtree(it.home("tasks", "Other"))
        task = (it.outlook.msg_folder_root / "Other").get(subject="item1")
        task.subject = "edited there"
        task.save()
        it.settle()
        (file,) = it.files("tasks")
        assert file.parent.name == "Other" and b"SUMMARY:edited there" in file.read_bytes()
        assert there(it)["Other"] == 1


def test_what_is_outside_the_window_keeps_the_folder(tmp_path: Path) -> None:
    """No run removes it, so the folder stays, and its directory comes back."""
    with itemdesk(tmp_path, tasks='since = "1y"') as it:
        it.settle()
        put(it, "tasks", "Other", "open")
        over = todo("over", "Over", "STATUS:COMPLETED", "COMPLETED:20200101T120000Z")
        (it.home("tasks", "Other") / "over.ics").write_bytes(over)
        it.settle()
        shutil.rmtree(it.home("tasks", "Other"))
        assert it.sync().done == {"delete remote": 1, "new folder": 1}
        assert it.home("tasks", "Other").is_dir() and not it.files("tasks")
        assert there(it)["Other"] == 1
        assert not it.sync().done


def test_of_a_folder_that_is_gone_no_cursor_is_left(tmp_path: Path) -> None:
    """Its number may be that of another folder soon."""
    with itemdesk(tmp_path, tasks="") as it:
        it.settle()
        fill(it, "tasks", "Other", 1)
        with signin.opened(it.account, "tasks") as state:
            (number,) = (row.number for row in state.folders() if row.remote and row.remote.key == "Other")
            assert state.cursor(Side.REMOTE, number)[0]
        shutil.rmtree(it.home("tasks", "Other"))
        it.settle()
        with signin.opened(it.account, "tasks") as state:
            assert not state.row(number)
            assert not any(state.cursor(side, number)[0] for side in Side)


# ---- killed anywhere


def test_a_kill_while_a_directory_is_given_up_is_made_good(tmp_path: Path) -> None:
    def prepare(it: ItemDesk) -> None:
        it.settle()
        for kind in FILES:
            put(it, kind, f"Other {kind}", "one", "two")
        assert it.settle().done["upload"] == 6
        for kind in FILES:
            shutil.rmtree(it.home(kind, f"Other {kind}"))

    def check(it: ItemDesk) -> None:
        it.settle()
        after = there(it)
        assert not [name for name in after if name.startswith("Other")]
        assert after["Deleted Items"] == 6
        assert not any(it.home(kind, f"Other {kind}").exists() for kind in FILES)

    with itemdesk(tmp_path / "probe") as probe:
        prepare(probe)
        counting = User(probe.user.home, probe.relay.url)
        assert counting.run("0", str(tmp_path / "points"), "sync", module=FUSE).code == 0
        total = len((tmp_path / "points").read_text().splitlines())
        check(probe)
    for point in some(total, wanted=3, seed=7):
        with itemdesk(tmp_path / f"at{point}") as it:
            prepare(it)
            assert User(it.user.home, it.relay.url).run(str(point), "/dev/null", "sync", module=FUSE).code in (-9, 0)
            check(it)


# ---- Maildirs that have no cursor


@pytest.fixture(params=["draft", "tags"])
def mail(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Desk]:
    """Archive holds 30 and 31; the one is a draft, or all files have their tags in them."""
    draft = request.param == "draft"
    with desk(tmp_path, fill=False) if draft else tagged_desk(tmp_path) as found:
        found.server.alice.add_mime(found.place("Archive"), message(30), draft=draft)
        found.fill("Archive", 31)
        found.settle()
        yield found


def test_a_maildir_that_has_no_cursor_is_given_up_like_others(mail: Desk) -> None:
    shutil.rmtree(mail.directory("Archive"))
    report = mail.sync()
    assert report.done["delete remote"] == 2 and report.done["removed folder"] == 1
    mail.settle()
    assert "Archive" not in there(mail)
    assert there(mail)["Deleted Items"] == 2
    mail.agree()


def test_many_messages_of_a_maildir_without_a_cursor_are_guarded(mail: Desk) -> None:
    mail.fill("Archive", *range(40, 50))
    mail.settle()
    shutil.rmtree(mail.directory("Archive"))
    report = mail.sync()
    assert ["12 of 12 items are gone here" in refusal.why for refusal in report.refused] == [True]
    assert there(mail)["Archive"] == 12
    assert mail.sync(refill=True).done == {"new folder": 1, "download": 12}
    mail.agree()
    shutil.rmtree(mail.directory("Archive"))
    mail.sync(allow_deletes=True)
    mail.settle()
    assert "Archive" not in there(mail)


def test_a_new_message_keeps_the_folder_of_a_maildir_without_a_cursor(mail: Desk) -> None:
    mail.fill("Archive", 32)
    shutil.rmtree(mail.directory("Archive"))
    mail.settle()
    assert [mail.holds(number) for number in (31, 32)] == ["Deleted Items:", "Archive:"]
    mail.agree()


def test_drafts_come_back_without_what_was_in_them(tmp_path: Path) -> None:
    with desk(tmp_path) as it:
        shutil.rmtree(it.directory("Drafts"))
        report = it.sync()
        assert report.done["delete remote"] == 1
        assert len(report.reverted) == 1 and "Drafts" in report.reverted[0]
        it.settle()
        assert it.directory("Drafts").is_dir()
        assert it.holds(9).startswith("Deleted Items:")
        it.agree()


def test_a_directory_that_is_made_anew_after_both_sides_removed_it_is_a_new_folder(tmp_path: Path) -> None:
    with desk(tmp_path, fill=False) as it:
        it.sync()
        shutil.rmtree(it.directory("Archive"))
        it.server.alice.remove_folder(it.place("Archive"))
        it.settle()
        for part in ("tmp", "new", "cur"):
            (it.directory("Archive") / part).mkdir(parents=True)
        assert it.settle().done == {"new folder": 1}
        assert it.directory("Archive").exists() and "Archive" in there(it)
        it.agree()


def test_a_folder_that_the_server_lost_when_all_was_to_be_listed_anew_is_lost_here(tmp_path: Path) -> None:
    """A changed setting of tags takes all cursors back in the run that sees the folder gone."""
    with tagged_desk(tmp_path) as it:
        it.fill("Archive", 30)
        it.settle()
        it.configure(it.more.replace('["akonadi", "categories"]', '["categories"]'))
        it.server.alice.remove_folder(it.place("Archive"))
        it.settle()
        assert not it.files(30) and not it.directory("Archive").exists()
        it.agree()
