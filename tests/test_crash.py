"""Killed anywhere, with a server that fails in every way: the next run converges, nothing is lost, doubled or fetched again."""

from __future__ import annotations

import random
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from ews_bridge.sandbox.world import Mailbox
from tests.mirror import User
from tests.mirror import assert_mirrored
from tests.mirror import disk_view
from tests.mirror import message
from tests.sandbox_server import Running
from tests.sandbox_server import running

FUSE = ("tests.fuse",)
BATCH = 100  # items of one download batch


@pytest.fixture
def server() -> Iterator[Running]:
    with running(mime="keep") as sandbox:
        yield sandbox


@pytest.fixture
def user(server: Running, tmp_path: Path) -> User:
    found = User(tmp_path, server.url)
    found.configure(timeout=5)
    return found


def fill(mailbox: Mailbox) -> None:
    """A small mailbox with a bit of everything."""
    projects = mailbox.create_folder(mailbox.folder("msgfolderroot"), "Projects")
    for number in range(12):
        where = (mailbox.folder("inbox"), projects, mailbox.folder("sentitems"))[number % 3]
        mailbox.add_mime(where, message(number), read=number % 2 == 0, flagged=number % 5 == 0)
    mailbox.add_mime(mailbox.folder("drafts"), message(12), draft=True)


def change(mailbox: Mailbox) -> None:
    """What happens on the server between two runs: new, moved, read, flagged, deleted, renamed."""
    inbox = mailbox.folder("inbox")
    items = list(inbox.items.values())
    projects = next(each for each in mailbox.folder("msgfolderroot").children if each.name == "Projects")
    mailbox.add_mime(inbox, message(20))
    mailbox.move(items[0], projects)
    items[1].read = not items[1].read
    mailbox.touch(items[1], was_read=not items[1].read, read_only=True)
    items[2].props[0x1090] = ("Integer", 2)
    mailbox.touch(items[2], was_read=items[2].read, read_only=False)
    mailbox.remove(items[3])
    mailbox.rename_folder(projects, "Projekte")


def points(user: User, count_file: Path) -> int:
    """How many fuse points a whole run has."""
    assert user.run("0", str(count_file), "sync", module=FUSE).code == 0
    return len(count_file.read_text().splitlines())


def downloads(server: Running) -> int:
    """Messages that were downloaded, as GetItem requests times what they asked for is not counted by the server: requests."""
    return int(server.stats()["requests"].get("GetItem", 0))


def some(total: int, *, wanted: int, seed: int) -> list[int]:
    return sorted(random.Random(seed).sample(range(1, total + 1), min(total, wanted)))


@pytest.mark.parametrize("share", range(4))
def test_a_kill_during_the_first_mirror_is_made_good(share: int, server: Running, tmp_path: Path) -> None:
    """At fuse points spread over the run (all of them in torture)."""
    fill(server.alice)
    probe = User(tmp_path / "probe", server.url)
    probe.configure()
    total = points(probe, tmp_path / "points")
    assert total > 100, "too few points to mean anything"
    for point in some(total, wanted=24, seed=1)[share::4]:
        user = User(tmp_path / f"user{point}", server.url)
        user.configure()
        killed = user.run(str(point), "/dev/null", "sync", module=FUSE)
        assert killed.code in (-9, 0)
        had = {file for folder in user.mail.rglob("cur") for file in folder.iterdir()} if user.mail.exists() else set()
        user.syncs()
        assert_mirrored(user, server.alice)
        assert all(file.exists() for file in had), "what was there was written again"
        assert "nothing new" in user.syncs()


@pytest.mark.parametrize("share", range(4))
def test_a_kill_while_changes_come_down_is_made_good(share: int, tmp_path: Path) -> None:
    with running(mime="keep") as server:
        fill(server.alice)
        probe = User(tmp_path / "probe", server.url)
        probe.configure()
        probe.syncs()
        change(server.alice)
        total = points(probe, tmp_path / "points")
    for point in some(total, wanted=16, seed=2)[share::4]:
        with running(mime="keep") as server:
            fill(server.alice)
            user = User(tmp_path / f"user{point}", server.url)
            user.configure()
            user.syncs()
            before = downloads(server)
            change(server.alice)
            assert user.run(str(point), "/dev/null", "sync", module=FUSE).code in (-9, 0)
            user.syncs()
            assert_mirrored(user, server.alice)
            assert downloads(server) - before <= 2, "a moved message was downloaded, or a batch twice"
            assert "nothing new" in user.syncs()


FAULTS = ("drop", "lost-reply", "truncate", "truncate-clean", "busy:50", "http-503", "hang")


@pytest.mark.parametrize("fault", FAULTS)
@pytest.mark.parametrize("operation", ["SyncFolderHierarchy", "SyncFolderItems", "GetItem", "FindFolder"])
def test_a_fault_in_any_request_is_survived(fault: str, operation: str, server: Running, user: User) -> None:
    fill(server.alice)
    user.configure(timeout=1)
    server.faults({"operation": operation, "nth": 1, "times": 1, "fault": fault})
    ran = user.run("sync")
    assert ran.code in (0, 69, 75), ran
    server.faults()
    user.syncs()
    assert_mirrored(user, server.alice)
    assert "nothing new" in user.syncs()


@pytest.mark.torture
def test_kills_at_random_moments_among_faults(server: Running, user: User) -> None:
    """100 runs killed at a random moment of a mirror, with a random fault in a random request, and edits in between."""
    fill(server.alice)
    rng = random.Random(3)
    for round_ in range(100):
        operation = rng.choice(["SyncFolderHierarchy", "SyncFolderItems", "GetItem", "FindFolder", "GetFolder"])
        server.faults({"operation": operation, "nth": rng.randint(1, 3), "times": rng.randint(1, 2), "fault": rng.choice(FAULTS)})
        inbox = server.alice.folder("inbox")
        server.alice.add_mime(inbox, message(100 + round_, size=rng.choice([10, 5_000, 100_000])), read=rng.random() < 0.5)
        with user.start("sync") as process:
            time.sleep(rng.uniform(0.3, 1.2))
            process.kill()
        server.faults()
    user.syncs()
    assert_mirrored(user, server.alice)
    assert "nothing new" in user.syncs()
    assert disk_view(user.mail)["INBOX"].total() == len(server.alice.folder("inbox").items)


@pytest.mark.torture
def test_a_kill_at_every_point_of_a_run(server: Running, tmp_path: Path) -> None:
    fill(server.alice)
    probe = User(tmp_path / "probe", server.url)
    probe.configure()
    total = points(probe, tmp_path / "points")
    for point in range(1, total + 1):
        user = User(tmp_path / f"user{point}", server.url)
        user.configure()
        assert user.run(str(point), "/dev/null", "sync", module=FUSE).code in (-9, 0)
        user.syncs()
        assert_mirrored(user, server.alice)
        assert "nothing new" in user.syncs()
