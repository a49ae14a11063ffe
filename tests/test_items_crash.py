"""Killed anywhere (SIGKILL, see `fuse`) while tasks, contacts and events go both ways: the next run makes both sides the same,
with nothing lost, doubled or cut in half.
"""

from __future__ import annotations

import base64
from pathlib import Path

import pytest
from exchangelib import Task

from tests.effort import TORTURE
from tests.itemdesk import ItemDesk
from tests.itemdesk import itemdesk
from tests.itemdesk import todo
from tests.mirror import User
from tests.test_calendars import ATTACH
from tests.test_calendars import event
from tests.test_calendars import ics
from tests.test_contact_codec import JPEG
from tests.test_crash import FUSE
from tests.test_crash import some


def prepare(it: ItemDesk) -> None:
    """Both sides agree; then something is new, edited and deleted on each."""
    for name in ("Theirs", "Edited there", "Deleted there", "Edited here", "Deleted here"):
        Task(account=it.outlook, folder=it.outlook.tasks, subject=name).save()
    it.settle()
    tasks = {task.subject: task for task in it.outlook.tasks.all()}
    tasks["Deleted there"].delete()
    tasks["Edited there"].body = "edited"
    tasks["Edited there"].save()
    Task(account=it.outlook, folder=it.outlook.tasks, subject="New there").save()
    it.file("tasks", "Deleted here").unlink()
    edited = it.file("tasks", "Edited here")
    edited.write_bytes(edited.read_bytes().replace(b"SUMMARY:Edited here", b"SUMMARY:Edited here\r\nX-MINE:yes"))
    (it.home("tasks") / "new.ics").write_bytes(todo("new", "New here", "X-OWN:1"))
    picture = base64.b64encode(JPEG).decode()
    card = [
        "BEGIN:VCARD",
        "VERSION:3.0",
        "UID:grace",
        "FN:Grace",
        "N:;Grace;;;",
        f"PHOTO;ENCODING=b;TYPE=JPEG:{picture}",
        "END:VCARD",
        "",
    ]
    (it.home("contacts") / "grace.vcf").write_bytes("\r\n".join(card).encode())
    (it.home("calendar") / "e.ics").write_bytes(ics(event("e", "With a file", ATTACH)))


def check(it: ItemDesk) -> None:
    it.settle()
    names = sorted(task.subject for task in it.outlook.tasks.all())
    assert names == ["Edited here", "Edited there", "New here", "New there", "Theirs"]
    assert len(it.files("tasks")) == 5
    assert b"X-MINE:yes" in it.file("tasks", "Edited here").read_bytes()
    (grace,) = it.outlook.contacts.all()
    assert [each.content for each in grace.attachments] == [JPEG]
    (meeting,) = it.outlook.calendar.all()
    assert [each.content for each in meeting.attachments] == [b"hello"]
    assert b"ATTACH" in it.file("calendar", "With a file").read_bytes()
    assert b"PHOTO" in it.file("contacts", "Grace").read_bytes()


@pytest.mark.parametrize("share", range(2))
def test_a_kill_at_any_point_is_made_good(share: int, tmp_path: Path) -> None:
    with itemdesk(tmp_path / "probe") as probe:
        prepare(probe)
        counting = User(probe.user.home, probe.relay.url)
        assert counting.run("0", str(tmp_path / "points"), "sync", module=FUSE).code == 0
        total = len((tmp_path / "points").read_text().splitlines())
        check(probe)
    assert total > 100, "too few points to mean anything"
    for point in some(total, wanted=total if TORTURE else 6, seed=3)[share::2]:
        with itemdesk(tmp_path / f"at{point}") as it:
            prepare(it)
            killed = User(it.user.home, it.relay.url).run(str(point), "/dev/null", "sync", module=FUSE)
            assert killed.code in (-9, 0)
            check(it)
