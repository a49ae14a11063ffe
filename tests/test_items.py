"""Tasks between Outlook and files, from end to end, case by case. What is said here of tasks holds for all that has a UID."""

from __future__ import annotations

import os
import shutil
import stat
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path

import pytest
from exchangelib import EWSDate
from exchangelib import Task

from ews_bridge.exchange.task import TaskForm
from ews_bridge.model import Side
from ews_bridge.sandbox import seed as seeding
from ews_bridge.sandbox.store import Folder
from tests.itemdesk import ItemDesk
from tests.itemdesk import itemdesk
from tests.itemdesk import todo

FORM = TaskForm()


@pytest.fixture
def it(tmp_path: Path) -> Iterator[ItemDesk]:
    with itemdesk(tmp_path, tasks="") as found:
        yield found


def add(it: ItemDesk, subject: str, **more: object) -> Task:
    task = Task(account=it.outlook, folder=it.outlook.tasks, subject=subject, **more)
    task.save()
    return task


def there(it: ItemDesk) -> dict[str, Task]:
    return {task.subject: task for task in it.outlook.tasks.all()}


def put(it: ItemDesk, name: str, data: bytes, folder: str = "Tasks") -> Path:
    """As programs write: a temporary file, renamed."""
    home = it.home("tasks", folder)
    home.mkdir(parents=True, exist_ok=True)
    (home / ".new").write_bytes(data)
    os.rename(home / ".new", home / name)
    return home / name


def edit(file: Path, old: str, new: str) -> None:
    data = file.read_bytes()
    assert old.encode() in data, data
    file.with_name(".new").write_bytes(data.replace(old.encode(), new.encode()))
    os.rename(file.with_name(".new"), file)


def lists(it: ItemDesk) -> list[str]:
    return sorted(path.name for path in (it.user.home / "tasks").iterdir() if path.is_dir())


def new_list(it: ItemDesk, name: str, *, parent: Folder | None = None) -> Folder:
    alice = it.server.alice
    return alice.create_folder(parent or alice.folder("msgfolderroot"), name, "IPF.Task")


# ---- both ways


def test_what_is_new_edited_and_deleted_on_the_server_comes_down(it: ItemDesk) -> None:
    task = add(it, "Buy milk", body="two litres", due_date=EWSDate(2026, 12, 1), categories=["Home"])
    add(it, "Other")
    assert it.settle().done["download"] == 2
    file = it.file("tasks", "Buy milk")
    text = file.read_bytes().decode()
    for line in ("DESCRIPTION:two litres", "DUE;VALUE=DATE:20261201", "CATEGORIES:Home", "STATUS:NEEDS-ACTION"):
        assert f"\r\n{line}\r\n" in text
    task.refresh()
    task.subject, task.status, task.percent_complete = "Buy cream", "InProgress", Decimal(50)
    task.save()
    assert it.settle().done == {"update local": 1}
    assert it.file("tasks", "SUMMARY:Buy cream") == file
    assert b"PERCENT-COMPLETE:50" in file.read_bytes()
    task.delete()
    assert it.settle().done == {"delete local": 1}
    assert not file.exists()


def test_what_is_new_edited_and_deleted_on_disk_goes_up(it: ItemDesk) -> None:
    it.settle()
    file = put(it, "any name.ics", todo("abc", "Write", "DUE;VALUE=DATE:20261224", "PRIORITY:1", "X-OWN;A=b:kept"))
    assert it.settle().done == {"upload": 1}
    task = there(it)["Write"]
    assert (task.due_date, task.importance) == (EWSDate(2026, 12, 24), "High")
    edit(file, "SUMMARY:Write", "SUMMARY:Rewrite\r\nDESCRIPTION:at once")
    assert it.settle().done == {"update remote": 1}
    assert there(it)["Rewrite"].text_body.strip() == "at once"
    task = there(it)["Rewrite"]
    task.subject = "Done with it"
    task.save()
    assert it.settle().done == {"update local": 1}
    assert file.exists(), "an existing name is kept"
    assert b"X-OWN;A=b:kept" in file.read_bytes()
    file.unlink()
    assert it.settle().done == {"delete remote": 1}
    assert not there(it)
    assert [item.subject for item in it.outlook.trash.all()] == ["Done with it"]


def test_a_quiet_run_asks_for_no_item_and_touches_no_file(it: ItemDesk) -> None:
    for number in range(20):
        add(it, f"Task {number}")
    it.settle()
    os.utime(it.files("tasks")[0])
    before = it.requests(), [file.stat() for file in it.files("tasks")]
    report = it.sync()
    asked = it.requests() - before[0]
    assert not report.done
    assert sum(asked.values()) <= 4 and not asked["GetItem"], asked
    assert [file.stat().st_ino for file in it.files("tasks")] == [info.st_ino for info in before[1]]


def test_a_change_key_that_rises_for_nothing_is_no_edit(it: ItemDesk) -> None:
    add(it, "Same")
    it.settle()
    file = it.file("tasks", "Same")
    inode = file.stat().st_ino
    for item in it.server.alice.folder("tasks").items.values():
        it.server.alice.touch(item, was_read=item.read, read_only=False)
    assert not it.sync().done
    file.write_bytes(file.read_bytes().replace(b"DTSTAMP:2", b"DTSTAMP:1"))
    assert not it.sync().done
    assert file.stat().st_ino == inode


def test_files_are_the_owners_alone(it: ItemDesk) -> None:
    add(it, "Private")
    it.settle()
    file = it.file("tasks", "Private")
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert stat.S_IMODE(file.parent.stat().st_mode) == 0o700
    os.chmod(file, 0o640)
    task = there(it)["Private"]
    task.subject = "Shared"
    task.save()
    it.settle()
    assert stat.S_IMODE(file.stat().st_mode) == 0o640, "what the user set is kept"


# ---- names that somebody else chose


@pytest.mark.parametrize("uid", ["../../../escaped", "a/b", "..", ".hidden", "x" * 300, "ümläut \N{SNOWMAN}", "a\tb", "CON|<>*?"])
def test_no_uid_leads_out_of_the_directory(uid: str, it: ItemDesk) -> None:
    it.settle()
    other = put(it, "first.ics", todo(uid.replace("\t", " "), "Odd"))
    it.settle()
    other.unlink()
    shutil.rmtree(it.user.state)
    outside = {path for path in it.user.home.rglob("*") if "tasks" not in path.parts}
    it.settle()
    (file,) = it.files("tasks")
    assert file.parent == it.home("tasks")
    assert FORM.read(file.read_bytes()).uid == uid.replace("\t", " ").strip()
    assert file.name == "first.ics" or len(file.name) <= 204
    assert {path for path in it.user.home.rglob("*") if "tasks" not in path.parts and ".local" not in path.parts} <= outside


# ---- what is no item


def test_files_that_are_no_task_are_named_once_and_left_alone(it: ItemDesk) -> None:
    it.settle()
    whole = todo("one", "One")
    odd = {
        "broken.ics": whole[:60],
        "event.ics": whole.replace(b"VTODO", b"VEVENT"),
        "two.ics": whole.replace(b"END:VCALENDAR", b"BEGIN:VTODO\r\nUID:two\r\nEND:VTODO\r\nEND:VCALENDAR"),
        "nouid.ics": whole.replace(b"UID:one\r\n", b""),
        "latin.ics": whole.replace(b"One", b"\xfcber"),
        "empty.ics": b"",
    }
    for name, data in odd.items():
        put(it, name, data)
    put(it, "fine.ics", todo("fine", "Fine"))
    report = it.sync()
    assert {failure.what for failure in report.failures} == odd.keys()
    why = {failure.what: failure.why for failure in report.failures}
    assert "event" in why["event.ics"] and "several" in why["two.ics"] and "UID" in why["nouid.ics"]
    assert report.done["upload"] == 1
    assert list(there(it)) == ["Fine"]
    again = it.sync()
    assert not again.failures and not again.done
    assert {name: (it.home("tasks") / name).read_bytes() for name in odd} == odd
    assert "nouid.ics" in it.user.run("status").out
    put(it, "broken.ics", todo("mended", "Mended"))
    assert it.sync().done == {"upload": 1}


def test_a_file_that_failed_is_not_told_of_when_it_is_gone(it: ItemDesk) -> None:
    it.settle()
    odd = put(it, "nouid.ics", todo("x", "X").replace(b"UID:x\r\n", b""))
    it.sync()
    odd.unlink()
    it.settle()
    out = it.user.run("status").out
    assert "failed" not in out and "pending" not in out


def test_a_file_that_is_removed_after_it_failed_is_removed_there(it: ItemDesk) -> None:
    add(it, "Whole")
    it.settle()
    file = it.file("tasks", "Whole")
    file.write_bytes(file.read_bytes()[:50])
    assert it.sync().failures
    file.unlink()
    assert it.settle().done == {"delete remote": 1}


def test_a_refused_edit_that_is_taken_back_is_no_failure(it: ItemDesk) -> None:
    add(it, "Whole")
    it.settle()
    file = it.file("tasks", "Whole")
    good = file.read_bytes()
    file.write_bytes(good[:50])
    assert it.sync().failures
    file.write_bytes(good)
    it.settle()
    assert "failed" not in it.user.run("status").out


def test_what_editors_and_programs_leave_beside_is_no_item(it: ItemDesk) -> None:
    it.settle()
    for name in (".x.ics.swp", "x.ics~", "#x.ics#", ".#x.ics", "x.icsab12", "x.ics.tmp", "4913", ".hidden.ics", "notes.txt"):
        put(it, name, todo("never", "Never"))
    report = it.sync()
    assert not report.done and not report.failures
    assert not there(it)


def test_a_file_that_breaks_keeps_its_item_and_heals(it: ItemDesk) -> None:
    add(it, "Whole")
    it.settle()
    file = it.file("tasks", "Whole")
    good = file.read_bytes()
    file.write_bytes(good[:50])
    report = it.sync()
    assert [failure.what for failure in report.failures] == [file.name]
    assert list(there(it)) == ["Whole"]
    put(it, "second.ics", good)
    assert "same UID" in it.sync().failures[0].why, "it is still the item, and another file is a second one"
    (it.home("tasks") / "second.ics").unlink()
    file.write_bytes(good.replace(b"Whole", b"Healed"))
    assert it.settle().done == {"update remote": 1}
    assert list(there(it)) == ["Healed"]


def test_a_file_that_cannot_be_read_is_named(it: ItemDesk) -> None:
    if os.geteuid() == 0:
        pytest.skip("root reads everything")
    it.settle()
    put(it, "secret.ics", todo("s", "Secret")).chmod(0)
    assert [failure.what for failure in it.sync().failures] == ["secret.ics"]


# ---- one UID, several items


def test_a_second_file_with_the_same_uid_is_named_and_not_uploaded(it: ItemDesk) -> None:
    it.settle()
    file = put(it, "a.ics", todo("same", "First"))
    it.settle()
    put(it, "b.ics", todo("same", "Second"))
    report = it.sync()
    (failure,) = report.failures
    assert "same UID" in failure.why
    assert list(there(it)) == ["First"]
    assert not it.sync().failures
    file.unlink()
    it.settle()
    assert list(there(it)) == ["Second"], "now it is the item"


def test_of_two_new_files_with_one_uid_one_goes_up(it: ItemDesk) -> None:
    it.settle()
    put(it, "a.ics", todo("same", "First"))
    put(it, "b.ics", todo("same", "Second"))
    report = it.sync()
    assert [(failure.what, "same UID" in failure.why) for failure in report.failures] == [("Second", True)]
    assert list(there(it)) == ["First"]
    put(it, "b.ics", todo("other", "Second"))
    assert it.settle().done == {"upload": 1}


def test_items_of_one_uid_on_the_server_have_a_file_each_and_are_told_once(it: ItemDesk) -> None:
    it.settle()
    put(it, "a.ics", todo("same", "Twin"))
    it.settle()
    it.outlook.tasks.get(subject="Twin").copy(it.outlook.tasks)
    report = it.sync()
    assert report.done == {"download": 1}
    assert sorted(file.name for file in it.files("tasks")) == ["a.ics", "same.ics"]
    (note,) = report.notes
    assert "several tasks have the UID same" in note
    again = it.settle()
    assert not again.notes and not again.done
    edit(it.home("tasks") / "same.ics", "Twin", "Other twin")
    assert it.settle().done == {"update remote": 1}
    assert sorted(task.subject for task in it.outlook.tasks.all()) == ["Other twin", "Twin"]


# ---- the first sync over what is there


def test_what_says_the_same_on_both_sides_is_linked_and_not_sent(it: ItemDesk) -> None:
    it.settle()
    for number in range(5):
        put(it, f"{number}.ics", todo(f"uid-{number}", f"Task {number}", "X-KEPT:yes"))
    it.settle()
    shutil.rmtree(it.user.state)
    before = it.requests()
    report = it.settle()
    assert not report.done and not report.conflicts
    assert not (it.requests() - before).keys() & {"CreateItem", "UpdateItem"}
    assert len(there(it)) == len(it.files("tasks")) == 5
    assert any("matched" in note for note in report.notes)


def test_what_differs_under_one_uid_is_a_conflict_and_never_a_double(it: ItemDesk) -> None:
    it.settle()
    file = put(it, "a.ics", todo("same", "Here"))
    it.settle()
    shutil.rmtree(it.user.state)
    edit(file, "Here", "Mine")
    report = it.settle()
    assert len(report.conflicts) == 1
    assert list(there(it)) == ["Here"]
    assert b"SUMMARY:Here" in file.read_bytes()
    (aside,) = (it.user.state / "conflicts").iterdir()
    assert b"SUMMARY:Mine" in aside.read_bytes()
    assert "Mine" in it.user.run("status").out


# ---- both at once


def test_an_edit_on_both_sides_keeps_the_local_one_aside(it: ItemDesk) -> None:
    add(it, "Base")
    it.settle()
    file, task = it.file("tasks", "Base"), there(it)["Base"]
    task.subject = "Theirs"
    task.save()
    edit(file, "Base", "Mine")
    report = it.settle()
    assert len(report.conflicts) == 1
    assert b"SUMMARY:Theirs" in file.read_bytes()
    (aside,) = (it.user.state / "conflicts").iterdir()
    assert b"SUMMARY:Mine" in aside.read_bytes() and aside.suffix == ".ics"


def test_an_edit_beats_a_deletion_on_either_side(it: ItemDesk) -> None:
    one, two = add(it, "One"), add(it, "Two")
    it.settle()
    edit(it.file("tasks", "One"), "One", "One edited")
    one.delete()
    it.file("tasks", "Two").unlink()
    two.refresh()
    two.subject = "Two edited"
    two.save()
    it.settle()
    assert sorted(there(it)) == ["One edited", "Two edited"]
    assert it.file("tasks", "One edited") and it.file("tasks", "Two edited")


def test_an_edit_on_disk_during_the_download_is_not_lost(it: ItemDesk) -> None:
    add(it, "Base")
    it.settle()
    file, task = it.file("tasks", "Base"), there(it)["Base"]
    task.subject = "Theirs"
    task.save()
    acted: list[str] = []

    def act(name: str) -> None:
        if name == "GetItem" and not acted:
            acted.append(name)
            edit(file, "Base", "Mine, meanwhile")

    it.after = act
    report = it.settle()
    assert acted
    kept = [path.read_bytes() for path in (it.user.state / "conflicts").iterdir()] + [file.read_bytes()]
    assert any(b"Mine, meanwhile" in data for data in kept)
    assert list(there(it)) == ["Theirs"]
    assert len(report.conflicts) == 1


def test_an_edit_in_outlook_during_the_upload_is_not_lost(it: ItemDesk) -> None:
    task = add(it, "Base")
    it.settle()
    edit(it.file("tasks", "Base"), "Base", "Mine")
    acted: list[str] = []

    def act(name: str) -> None:
        if name == "UpdateItem" and not acted:
            acted.append(name)
            task.refresh()
            task.subject = "Theirs, meanwhile"
            task.save()

    it.before = act
    report = it.settle()
    assert acted
    assert list(there(it)) == ["Theirs, meanwhile"]
    assert len(report.conflicts) == 1
    (aside,) = (it.user.state / "conflicts").iterdir()
    assert b"SUMMARY:Mine" in aside.read_bytes()


# ---- lists


def test_every_list_is_a_directory_with_its_name(it: ItemDesk) -> None:
    work = new_list(it, "Work")
    new_list(it, "Sub: a/b", parent=work)
    it.settle()
    assert lists(it) == ["Tasks", "Work", "Work.Sub: a%2Fb"]
    assert (it.home("tasks", "Work.Sub: a%2Fb") / "displayname").read_text() == "Work/Sub: a/b"
    other = it.home("tasks", "Own")
    other.mkdir()
    assert not it.sync().done, "an empty directory is nobody's list"
    put(it, "x.ics", todo("x", "In it"), "Own")
    it.settle()
    assert [each.name for each in it.server.alice.folder("msgfolderroot").children if each.folder_class == "IPF.Task"] == [
        "Tasks",
        "Work",
        "Own",
    ]


def test_a_renamed_list_is_renamed_on_the_other_side_and_keeps_its_colour(it: ItemDesk) -> None:
    work = new_list(it, "Work")
    it.settle()
    put(it, "a.ics", todo("a", "A"), "Work")
    (it.home("tasks", "Work") / "color").write_text("#ff0000")
    it.settle()
    it.server.alice.rename_folder(work, "Job")
    it.settle()
    assert lists(it) == ["Job", "Tasks"]
    assert (it.home("tasks", "Job") / "displayname").read_text() == "Job"
    assert (it.home("tasks", "Job") / "color").read_text() == "#ff0000"
    (it.home("tasks", "Job") / "displayname").write_text("My own words")
    it.home("tasks", "Job").rename(it.home("tasks", "Trade"))
    before = it.requests()
    it.settle()
    assert work.name == "Trade"
    assert (it.home("tasks", "Trade") / "displayname").read_text() == "My own words"
    assert not (it.requests() - before)["CreateItem"]


def test_a_task_moved_between_lists_is_moved_and_not_sent_again(it: ItemDesk) -> None:
    new_list(it, "Work")
    add(it, "Here"), add(it, "There")
    it.settle()
    file = it.file("tasks", "Here")
    before = it.requests()
    file.rename(it.home("tasks", "Work") / file.name)
    assert it.settle().done == {"move remote": 1}
    it.outlook.root.clear_cache()
    there(it)["There"].move(it.outlook.msg_folder_root / "Work")
    assert it.settle().done == {"move local": 1}
    assert {file.parent.name for file in it.files("tasks")} == {"Work"}
    assert not (it.requests() - before)["DeleteItem"]
    assert len(it.files("tasks")) == 2


def test_a_list_in_deleted_items_is_gone_and_its_files_can_be_had_back(it: ItemDesk) -> None:
    work = new_list(it, "Work")
    it.settle()
    put(it, "a.ics", todo("a", "A"), "Work")
    it.settle()
    it.server.alice.move_folder(work, it.server.alice.folder("deleteditems"))
    it.settle()
    assert lists(it) == ["Tasks"]
    assert "A" in it.user.run("restore", "--list").out


def test_a_directory_that_has_the_name_of_a_mail_folder_is_told(it: ItemDesk) -> None:
    it.server.alice.create_folder(it.server.alice.folder("msgfolderroot"), "Projects")
    it.settle()
    put(it, "a.ics", todo("a", "A"), "Projects")
    report = it.sync()
    assert any("something else" in failure.why for failure in report.failures), report


def test_mail_and_other_folders_are_none_of_its_business(it: ItemDesk) -> None:
    it.settle()
    assert lists(it) == ["Tasks"]
    assert it.user.run("folders").out.count("\n") == 2


# ---- policies


def test_in_a_read_only_list_the_servers_view_is_restored(it: ItemDesk) -> None:
    it.configure(tasks='read_only = ["Tasks"]')
    add(it, "Fixed")
    it.settle()
    file = it.file("tasks", "Fixed")
    edit(file, "Fixed", "Changed")
    put(it, "new.ics", todo("n", "New"))
    report = it.sync()
    assert (len(report.conflicts), len(report.reverted)) == (1, 1), report
    it.settle()
    assert list(there(it)) == ["Fixed"]
    assert [path.name for path in it.files("tasks")] == [file.name]
    assert b"SUMMARY:Fixed" in file.read_bytes()
    assert "New" in it.user.run("restore", "--list").out


def test_what_was_over_before_the_window_is_forgotten_and_never_deleted(it: ItemDesk) -> None:
    it.configure(tasks='since = "1y"')
    it.settle()
    put(it, "old.ics", todo("old", "Old", "STATUS:COMPLETED", "COMPLETED:20200101T120000Z"))
    put(it, "open.ics", todo("open", "Open since ever", "DTSTART;VALUE=DATE:20190101"))
    it.settle()
    assert sorted(there(it)) == ["Old", "Open since ever"]
    assert [file.name for file in it.files("tasks")] == ["open.ics"]
    assert "Old" in it.user.run("restore", "--list").out
    task = there(it)["Old"]
    task.status, task.percent_complete = "InProgress", Decimal(10)
    task.save()
    it.settle()
    assert it.file("tasks", "SUMMARY:Old"), "reopened, it is back"


def test_pull_only_and_push_only_leave_the_other_side_waiting(it: ItemDesk) -> None:
    add(it, "Theirs")
    it.settle()
    put(it, "mine.ics", todo("mine", "Mine"))
    assert it.sync(writes=frozenset({Side.LOCAL})).pending == 1
    assert list(there(it)) == ["Theirs"]
    add(it, "Another")
    report = it.sync(writes=frozenset({Side.REMOTE}))
    assert (report.done, report.pending) == ({"upload": 1}, 1)


def test_a_dry_run_says_what_would_be_and_does_nothing(it: ItemDesk) -> None:
    it.settle()
    add(it, "Theirs")
    put(it, "mine.ics", todo("mine", "Mine"))
    before = it.requests()
    ran = it.user.run("sync", "--dry-run")
    assert "tasks: download Theirs" in ran.out and "tasks: upload Mine" in ran.out
    assert not (it.requests() - before)["CreateItem"]
    assert [file.name for file in it.files("tasks")] == ["mine.ics"]


def test_losing_a_whole_list_is_refused_until_it_is_said_to_be_right(it: ItemDesk) -> None:
    for number in range(6):
        add(it, f"Task {number}")
    it.settle()
    for file in it.files("tasks"):
        file.unlink()
    report = it.sync()
    assert report.refused and len(there(it)) == 6
    assert it.sync(refill=True).done == {"download": 6}
    for file in it.files("tasks"):
        file.unlink()
    it.sync(allow_deletes=True)
    assert not there(it)


def test_a_root_that_is_gone_is_refused_and_other_kinds_go_on(it: ItemDesk) -> None:
    it.configure(tasks="", contacts="")
    add(it, "Kept")
    it.settle()
    shutil.rmtree(it.user.home / "tasks")
    ran = it.user.run("sync")
    assert ran.code == 1 and ran.err.startswith("ews-bridge: work: tasks: the tasks directory ")
    assert list(there(it)) == ["Kept"]
    put(it, "x.ics", todo("x", "X"))
    assert it.user.run("sync", "--only", "contacts").code == 0


# ---- the command line


def test_only_takes_the_kinds_that_are_named(it: ItemDesk) -> None:
    it.configure(tasks="", contacts="")
    add(it, "Task")
    assert it.user.run("sync", "--only", "contacts").code == 0
    assert not it.files("tasks")
    assert it.user.run("sync", "--only", "calendar").code == 78
    assert it.user.run("sync", "--only", "nonsense").code == 64
    assert it.user.run("sync", "Tasks").code == 0
    assert it.files("tasks")
    assert it.user.run("sync", "No/Such").code == 64


def test_status_folders_restore_and_json_know_of_tasks(it: ItemDesk) -> None:
    add(it, "One"), add(it, "Two")
    done = it.user.run("sync", "--json").json["accounts"][0]  # type: ignore[index]
    assert done["kinds"] == {"tasks": {"new folder": 1, "download": 2}}
    status = it.user.run("status", "--json").json["accounts"][0]  # type: ignore[index]
    assert [(each["kind"], each["linked"]) for each in status["kinds"]] == [("tasks", 2)]
    assert "2 tasks are kept in step" in it.user.run("status").out
    (folder,) = it.user.run("folders", "--json").json["accounts"][0]["folders"]  # type: ignore[index]
    assert (folder["kind"], folder["items"], folder["directory"]) == ("tasks", 2, str(it.home("tasks")))
    there(it)["One"].delete()
    it.settle()
    (kept,) = it.user.run("restore", "--list", "--json").json["accounts"][0]["items"]  # type: ignore[index]
    assert (kept["kind"], kept["folder"], kept["subject"]) == ("tasks", "Tasks", "One")
    assert it.user.run("restore", kept["id"]).code == 0
    it.settle()
    assert sorted(there(it)) == ["One", "Two"]


# ---- what only tasks do


def test_a_finished_task_that_recurs_becomes_the_next_one_here_as_well(it: ItemDesk) -> None:
    it.settle()
    file = put(it, "w.ics", todo("w", "Weekly", "DTSTART;VALUE=DATE:20261124", "DUE;VALUE=DATE:20261124", "RRULE:FREQ=WEEKLY"))
    it.settle()
    edit(file, "SUMMARY", "STATUS:COMPLETED\r\nPERCENT-COMPLETE:100\r\nSUMMARY")
    it.settle()
    here = {FORM.read(path.read_bytes()).revision for path in it.files("tasks")}
    assert len(here) == len(list(it.outlook.tasks.all())) == 2
    assert b"STATUS:NEEDS-ACTION" in file.read_bytes(), "the one that comes next"


def test_a_day_that_is_done_is_a_task_of_its_own_and_nothing_to_tell_of(it: ItemDesk) -> None:
    it.settle()
    file = put(it, "w.ics", todo("w", "Weekly", "DTSTART;VALUE=DATE:20261124", "DUE;VALUE=DATE:20261124", "RRULE:FREQ=WEEKLY"))
    it.settle()
    with seeding.earlier(it.server.world):
        there(it)["Weekly"].complete()
    assert it.settle().notes == []
    next(task for task in it.outlook.tasks.all() if task.is_recurring).complete()
    report = it.settle()
    assert (report.done, report.notes) == ({"update local": 1, "download": 1}, [])
    uids = [FORM.read(path.read_bytes()).uid for path in it.files("tasks")]
    assert len(set(uids)) == 3 and FORM.read(file.read_bytes()).uid == "w"
    before = [path.read_bytes() for path in it.files("tasks")]
    for item in list(it.outlook.tasks.all()):
        item.move(it.outlook.trash), item.move(it.outlook.tasks)
    it.settle()
    assert [path.read_bytes() for path in it.files("tasks")] == before, "wherever it is moved"


def test_the_last_day_of_a_series_keeps_its_file(it: ItemDesk) -> None:
    it.settle()
    rule = "RRULE:FREQ=DAILY;UNTIL=20261124"
    file = put(it, "w.ics", todo("w", "Daily", "DTSTART;VALUE=DATE:20261124", "DUE;VALUE=DATE:20261124", rule, "X-OWN:kept"))
    it.settle()
    there(it)["Daily"].complete()
    it.settle()
    assert it.files("tasks") == [file] and b"X-OWN:kept" in file.read_bytes() and b"STATUS:COMPLETED" in file.read_bytes()
    edit(file, "SUMMARY:Daily", "SUMMARY:Done")
    assert it.settle().done == {"update remote": 1}
    assert list(there(it)) == ["Done"] and it.files("tasks") == [file]


def test_nobody_is_mailed(it: ItemDesk) -> None:
    add(it, "One")
    it.settle()
    edit(it.file("tasks", "One"), "One", "Two")
    it.settle()
    it.file("tasks", "Two").unlink()
    it.settle()
    assert it.server.stats().get("sent_mail", it.server.stats().get("sent", 0)) == 0


# ---- clocks


def test_an_edit_in_place_of_the_same_length_right_after_a_sync_is_seen(it: ItemDesk) -> None:
    add(it, "Base")
    it.settle()
    file = it.file("tasks", "Base")
    before = file.stat()
    with file.open("r+b") as opened:
        opened.write(file.read_bytes().replace(b"Base", b"Edit"))
    os.utime(file, ns=(before.st_atime_ns, before.st_mtime_ns))
    assert it.settle().done == {"update remote": 1}
    assert list(there(it)) == ["Edit"]
