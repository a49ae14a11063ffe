"""One short history for each safety rule, which fails without it (tests/torture/mutants.py takes the rules out one at a time)."""

from __future__ import annotations

import itertools
import re
import shutil
import subprocess
import sys
from collections.abc import Callable
from collections.abc import Iterator
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Literal

import pytest

from ews_bridge.errors import Stale
from ews_bridge.maildir import Maildir
from ews_bridge.model import Content
from ews_bridge.model import Entry
from ews_bridge.model import Flag
from ews_bridge.model import Hints
from ews_bridge.model import New
from ews_bridge.model import Policy
from ews_bridge.model import Scan
from ews_bridge.model import Side
from ews_bridge.sandbox.store import Item
from ews_bridge.state import State
from ews_bridge.trash import Trash
from tests.inside import Inside
from tests.memory import World
from tests.mirror import assert_mirrored
from tests.mirror import message
from tests.sandbox_server import Running
from tests.sandbox_server import running
from tests.torture.engine import Bench

S = frozenset({Flag.SEEN})
F = frozenset({Flag.FLAGGED})
T = frozenset({Flag.TRASHED})
NONE: frozenset[Flag] = frozenset()


def contents(world: World, collection: int = 0) -> list[bytes]:
    return sorted(i.content for i in world.items.values() if collection in (0, i.collection))


def only(world: World) -> str:
    (ident,) = world.items
    return ident


def both(bench: Bench, *, draft: bool = False, key: str = "<a>", flags: frozenset[Flag] = NONE) -> tuple[str, str]:
    """One item that both sides have; its ids."""
    bench.remote.add(b"a", key, flags, 1, draft=draft, sent=5)
    bench.settle_down()
    return only(bench.local), only(bench.remote)


# ---- the merge


def test_an_edit_beats_a_deletion() -> None:
    bench = Bench()
    here, there = both(bench, draft=True)
    bench.local.edit(here, b"b")
    bench.remote.remove(there)
    bench.settle_down()
    assert contents(bench.local) == contents(bench.remote) == [b"b"]


@pytest.mark.parametrize("side", Side)
def test_a_move_beats_a_deletion(side: Side) -> None:
    """Also of a draft, whose new revision would say so by itself."""
    bench = Bench()
    both(bench)
    mine, theirs = bench.worlds[side], bench.worlds[side.other]
    mine.remove(only(mine))
    theirs.move(only(theirs), 2)
    bench.settle_down()
    assert contents(bench.local, 2) == contents(bench.remote, 2) == [b"a"]


def test_a_move_that_this_run_did_not_carry_out_beats_a_deletion() -> None:
    bench = Bench()
    here, there = both(bench)
    bench.remote.move(there, 2)
    bench.run(Policy(writes=frozenset({Side.REMOTE})))
    bench.local.remove(here)
    bench.settle_down()
    assert contents(bench.local, 2) == contents(bench.remote, 2) == [b"a"]


def test_an_edit_beats_the_wish_to_delete() -> None:
    bench = Bench()
    here, there = both(bench, draft=True)
    bench.local.set_flags(here, T)
    bench.remote.edit(there, b"b")
    bench.settle_down()
    assert contents(bench.local) == contents(bench.remote) == [b"b"]
    bench.local.set_flags(here, NONE)
    bench.settle_down()
    bench.local.set_flags(here, T)  # once more: that is a new wish
    bench.settle_down()
    assert not bench.local.items and not bench.remote.items


def test_flags_of_both_sides_meet() -> None:
    bench = Bench()
    here, there = both(bench, flags=S)
    bench.local.set_flags(here, F)
    bench.remote.set_flags(there, S | {Flag.ANSWERED})
    bench.settle_down()
    assert bench.local.items[here].flags == bench.remote.items[there].flags == F | {Flag.ANSWERED}


def test_flags_set_while_contents_go_up_are_not_lost() -> None:
    bench = Bench(delta_local=True)
    here, there = both(bench, draft=True)
    bench.local.edit(here, b"b")
    bench.local.set_flags(here, F)
    bench.settle_down()
    assert bench.remote.items[there].flags == F


def test_of_a_conflict_the_local_version_is_kept() -> None:
    bench = Bench()
    here, there = both(bench, draft=True)
    bench.local.edit(here, b"mine")
    bench.remote.edit(there, b"theirs")
    bench.settle_down()
    assert contents(bench.local) == contents(bench.remote) == [b"theirs"]
    assert bench.aside == [b"mine"]


@pytest.mark.parametrize("side", Side)
def test_what_one_side_edited_and_moved_is_no_conflict(side: Side) -> None:
    """A move gives a draft another change key, which must not look like somebody's edit."""
    bench = Bench(keyed=True)
    both(bench, draft=True)
    world = bench.worlds[side]
    world.edit(only(world), b"b")
    world.move(only(world), 2)
    bench.settle_down()
    assert contents(bench.local, 2) == contents(bench.remote, 2) == [b"b"]
    assert not bench.aside


def test_what_is_frozen_is_as_the_server_has_it() -> None:
    bench = Bench()
    frozen = Policy(frozen=frozenset({1}))
    here, there = both(bench)
    bench.local.set_flags(here, F)
    bench.settle_down(frozen)
    assert bench.local.items[here].flags == bench.remote.items[there].flags == NONE
    bench.local.set_flags(here, T)
    bench.settle_down(frozen)
    bench.local.remove(here)
    bench.settle_down(frozen)
    assert contents(bench.local) == contents(bench.remote) == [b"a"]


def test_nothing_goes_where_nothing_may_be_put() -> None:
    bench = Bench()
    closed = Policy(closed=frozenset({2}))
    here, there = both(bench)
    bench.local.move(here, 2)
    bench.local.add(b"b", "<b>", NONE, 2)
    bench.settle_down(closed)
    assert contents(bench.local, 1) == contents(bench.remote, 1) == [b"a"]
    assert not contents(bench.local, 2) and not contents(bench.remote, 2)
    assert bench.local.thrown == [b"b"]
    bench.remote.move(there, 2)
    bench.settle_down(closed)
    bench.local.set_flags(only(bench.local), F)
    bench.settle_down(closed)
    assert bench.remote.items[only(bench.remote)].flags == F


def test_what_leaves_the_window_is_not_deleted() -> None:
    bench = Bench()
    _, there = both(bench)
    bench.remote.set_flags(there, S)
    bench.settle_down(Policy(since=10))
    assert not bench.local.items
    assert contents(bench.remote) == [b"a"]


@pytest.mark.parametrize("at", ["before delete", "after delete"])
def test_a_window_that_is_taken_back_while_it_is_made_narrower_deletes_nothing(at: str) -> None:
    bench = Bench()
    both(bench, flags=S)
    assert bench.interrupted(0, at=at, policy=Policy(since=10))
    bench.settle_down()
    assert contents(bench.local) == contents(bench.remote) == [b"a"]


def test_what_is_edited_as_it_leaves_the_window_goes_up_first() -> None:
    bench = Bench()
    here, there = both(bench, draft=True)
    bench.remote.set_flags(there, S)
    bench.settle_down()
    bench.interrupted(0, lambda: bench.local.edit(here, b"b"), at="before delete", policy=Policy(since=10))
    bench.settle_down(Policy(since=10))
    assert (contents(bench.local), contents(bench.remote), bench.aside) == ([], [b"b"], [])


def test_what_was_lost_here_is_fetched_again_on_demand() -> None:
    bench = Bench()
    here, _ = both(bench)
    bench.local.remove(here)
    bench.settle_down(Policy(refill=True))
    assert contents(bench.local) == contents(bench.remote) == [b"a"]


# ---- tags


def tagged(bench: Bench) -> list[frozenset[str]]:
    """The tags in every place of the only item."""
    return [names for world in (bench.local, bench.remote) for item in world.items.values() for names in item.tags.values()]


def test_a_category_that_was_removed_does_not_come_back_from_the_other_place() -> None:
    bench = Bench()
    _, there = both(bench)
    bench.remote.set_tags(there, {"akonadi": frozenset("a")})
    bench.settle_down()
    assert tagged(bench) == [frozenset("a")] * 3
    bench.remote.set_tags(there, {"categories": frozenset()})
    bench.settle_down()
    assert tagged(bench) == [frozenset()] * 3


def test_places_that_differ_when_an_item_comes_are_made_alike() -> None:
    bench = Bench()
    there = bench.remote.add(b"a", "<a>", frozenset(), 1)
    bench.remote.set_tags(there, {"akonadi": frozenset("a"), "categories": frozenset("b")})
    bench.settle_down()
    assert tagged(bench) == [frozenset("ab")] * 3


def test_a_place_that_is_new_takes_no_tag_away() -> None:
    bench = Bench()
    bench.remote.places = ("akonadi",)
    _, there = both(bench)
    bench.remote.set_tags(there, {"akonadi": frozenset("a")})
    bench.settle_down()
    bench.remote.places = ("akonadi", "categories")
    bench.remote.change(there, tags={"akonadi": frozenset("a"), "categories": frozenset()})
    bench.settle_down()
    assert tagged(bench) == [frozenset("a")] * 3


def test_what_a_file_says_when_it_is_first_looked_at_goes_nowhere() -> None:
    bench = Bench()
    bench.local.places = bench.remote.places = ()
    both(bench)
    bench.local.places, bench.remote.places = ("disk",), ("akonadi", "categories")
    here, there = only(bench.local), only(bench.remote)
    bench.local.change(here, tags={"disk": frozenset("s")})
    bench.remote.change(there, tags={"akonadi": frozenset("a"), "categories": frozenset("a")})
    bench.settle_down()
    assert tagged(bench) == [frozenset("as"), frozenset("a"), frozenset("a")]


def test_an_edit_that_is_carried_over_agrees_on_no_tags() -> None:
    bench = Bench()
    here, there = both(bench, draft=True)
    bench.remote.edit(there, b"b")
    bench.local.set_tags(here, {"disk": frozenset("a")})
    bench.local.change(here, revision=bench.local.items[here].revision)
    bench.settle_down()
    assert tagged(bench) == [frozenset("a")] * 3


def test_tagging_a_draft_is_no_edit_of_it() -> None:
    bench = Bench(keyed=True)
    here, there = both(bench, draft=True)
    bench.remote.change(there, tags={"akonadi": frozenset("a"), "categories": frozenset("a")})
    steps = bench.settle_down()
    assert [type(step).__name__ for step in steps if type(step).__name__ != "Settle"] == ["Tag"]
    assert bench.local.items[here].revision != "" and not bench.local.replaced and not bench.remote.replaced


# ---- creations


def test_a_deletion_right_after_a_crash_is_honoured() -> None:
    """Without the journal the key alone would join both, and take the change for the server's word."""
    bench = Bench()
    bench.remote.add(b"a", "<a>", NONE, 1, sent=5)
    assert bench.interrupted(0, at="after create")
    bench.local.set_flags(only(bench.local), F)
    bench.settle_down()
    assert bench.remote.items[only(bench.remote)].flags == F


def test_what_has_no_message_id_is_not_doubled_by_a_crash() -> None:
    bench = Bench()
    bench.remote.add(b"a", "", NONE, 1, sent=5)
    assert bench.interrupted(0, at="after create")
    bench.settle_down()
    assert contents(bench.local) == contents(bench.remote) == [b"a"]


def test_what_moved_after_the_crash_is_found_by_its_token() -> None:
    bench = Bench()
    bench.remote.add(b"a", "", NONE, 1, sent=5)
    assert bench.interrupted(0, at="after create")
    bench.local.move(only(bench.local), 2)
    bench.settle_down()
    assert contents(bench.local, 2) == contents(bench.remote, 2) == [b"a"]
    assert len(bench.local.items) == len(bench.remote.items) == 1


def test_an_edit_after_the_crash_is_an_edit() -> None:
    bench = Bench()
    bench.remote.add(b"a", "<a>", NONE, 1, draft=True, sent=5)
    assert bench.interrupted(0, at="after create")
    bench.local.edit(only(bench.local), b"b")
    bench.settle_down()
    assert contents(bench.local) == contents(bench.remote) == [b"b"]


def test_flags_set_after_the_crash_are_changes() -> None:
    bench = Bench()
    bench.remote.add(b"a", "<a>", S, 1, sent=5)
    assert bench.interrupted(0, at="after create")
    bench.local.set_flags(only(bench.local), NONE)
    bench.settle_down()
    assert bench.remote.items[only(bench.remote)].flags == NONE


# ---- what is one item, and what is not


def test_mails_of_one_message_id_are_told_apart_by_date() -> None:
    """Deleted here, and another of its Message-ID come in: no move."""
    bench = Bench()
    here, _ = both(bench)
    bench.local.remove(here)
    bench.local.add(b"b", "<a>", NONE, 2, sent=6)
    bench.settle_down()
    assert contents(bench.local) == contents(bench.remote) == [b"b"]


def test_mails_of_one_message_id_are_adopted_by_date() -> None:
    bench = Bench()
    bench.local.add(b"a", "<a>", NONE, 1, sent=5)
    bench.remote.add(b"b", "<a>", NONE, 1, sent=6)
    bench.settle_down()
    assert contents(bench.local) == contents(bench.remote) == [b"a", b"b"]


def never_met(here: Sequence[Hints], there: Sequence[Hints], key: str) -> int:
    """How many of these files and items, of one collection and with one key, are taken for the same."""
    state = State.in_memory()
    for side, hints in ((Side.LOCAL, here), (Side.REMOTE, there)):
        entries = tuple(Entry(f"{side}{n}", key, collection=1, hints=each) for n, each in enumerate(hints))
        state.observe(side, 1, Scan(entries, first=True, last=True))
    return state.pair()


def test_mails_of_one_message_id_are_adopted_by_author() -> None:
    bob, listed, later = (Hints(sent=5, author=one) for one in ("b@x bob", "list@x bob via list", "b@y bob"))
    assert never_met([bob], [listed], "<a>") == 0
    assert never_met([bob], [later], "<a>") == never_met([bob], [Hints(sent=5)], "<a>") == 1


def test_mails_without_a_message_id_are_adopted_where_there_is_one_of_them() -> None:
    one = Hints(sent=5, label="hello", author="b@x bob")
    assert never_met([one], [one], "") == 1
    assert never_met([one, one], [one], "") == never_met([one], [one, one], "") == 0
    for other in (replace(one, sent=6), replace(one, label="bye"), replace(one, author="c@x"), replace(one, author="")):
        assert never_met([one], [other], "") == 0


def test_what_both_sides_lost_is_over() -> None:
    """Deleted on both sides, and then another copy comes in: that is a new item, not the old one moved."""
    bench = Bench()
    here, there = both(bench)
    bench.local.remove(here)
    bench.remote.remove(there)
    bench.remote.add(b"a2", "<a>", NONE, 1, sent=5)
    bench.settle_down()
    assert contents(bench.local) == contents(bench.remote) == [b"a2"]


def test_an_inode_that_is_used_again_is_no_move() -> None:
    bench = Bench()
    here, _ = both(bench)
    place = bench.local.items[here].place
    bench.local.remove(here)
    new = bench.local.add(b"b", "<b>", NONE, 2, sent=5)
    bench.local.change(new, place=place)
    bench.settle_down()
    assert contents(bench.local) == contents(bench.remote) == [b"b"]


# ---- what is gone


@pytest.mark.parametrize("side", Side)
def test_what_moves_while_we_list_is_not_deleted(side: Side) -> None:
    """Listed in neither folder: it left the second before that was listed, and came to the first after that was."""
    bench = Bench(delta_remote=False)
    world = bench.worlds[side]
    bench.remote.add(b"a", "<a>", NONE, 2, sent=5)
    bench.settle_down()
    before = 0 if side is Side.LOCAL else 2
    bench.interrupted(before + 1, lambda: world.move(only(world), 1), at="list")
    assert not bench.local.thrown and not bench.remote.thrown
    bench.settle_down()
    assert contents(bench.local, 1) == contents(bench.remote, 1) == [b"a"]


def test_what_seems_to_be_in_two_places_is_looked_at_again() -> None:
    """Listed in the first folder, then moved to the second, and listed there: one item, not two."""
    bench = Bench(delta_remote=False)
    both(bench)
    bench.interrupted(3, lambda: bench.remote.move(only(bench.remote), 2), at="list")
    bench.settle_down()
    assert contents(bench.local, 2) == contents(bench.remote, 2) == [b"a"]
    assert bench.points["after create"] == 1, "it was fetched twice"
    assert bench.points["after copy"] == 0


@pytest.mark.parametrize("side", Side)
def test_nothing_is_deleted_while_a_folder_cannot_be_listed(side: Side) -> None:
    bench = Bench()
    both(bench)
    world = bench.worlds[side]
    world.move(only(world), 2)
    world.unlistable[2] = 0
    bench.run()
    assert not bench.local.thrown and not bench.remote.thrown
    bench.settle_down()
    assert contents(bench.local, 2) == contents(bench.remote, 2) == [b"a"]


def test_a_listing_that_was_cut_short_proves_nothing() -> None:
    bench = Bench()
    for n in range(6):
        bench.remote.add(b"%d" % n, f"<{n}>", NONE, 1, sent=5)
    bench.settle_down()
    bench.remote.epoch += 1
    bench.remote.copy(max(bench.remote.items), 2)
    assert bench.interrupted(4, at="after observe")  # four local pages, and the first
    bench.remote.unlistable[1] = 0
    bench.run()
    assert not bench.local.thrown
    assert len(contents(bench.local, 1)) == 6, "a copy was taken for a move of what was not listed yet"
    bench.remote.remove(max(bench.remote.items))
    bench.settle_down()
    assert len(bench.local.items) == 6


def test_a_listing_that_was_resumed_is_proof() -> None:
    bench = Bench()
    for n in range(6):
        bench.remote.add(b"%d" % n, f"<{n}>", NONE, 1, sent=5)
    bench.settle_down()
    bench.remote.epoch += 1
    bench.remote.remove(max(bench.remote.items))
    assert bench.interrupted(4, at="after observe")
    bench.settle_down()
    assert len(bench.local.items) == 5
    assert not bench.remote.thrown


def test_a_cursor_is_never_newer_than_what_came_with_it() -> None:
    for cut in range(12):
        bench = Bench()
        both(bench)
        bench.remote.add(b"b", "<b>", NONE, 1, sent=5)
        bench.interrupted(cut, at="after observe")
        bench.settle_down()
        assert contents(bench.local) == [b"a", b"b"]


def test_many_deletions_are_refused() -> None:
    bench = Bench()
    for n in range(6):
        bench.remote.add(b"%d" % n, f"<{n}>", NONE, 1, sent=5)
    bench.settle_down()
    for ident in list(bench.local.items):
        bench.local.remove(ident)
    report, _ = bench.run(guarded=True)
    assert len(bench.remote.items) == 6
    assert report.refused


def test_what_this_run_may_not_write_it_does_not() -> None:
    bench = Bench()
    here, _ = both(bench)
    bench.local.remove(here)
    bench.run(Policy(writes=frozenset({Side.LOCAL})))
    assert contents(bench.remote) == [b"a"]


def test_a_server_that_failed_half_way_is_listed_again() -> None:
    """A stamp says that all was listed: it is not kept when only the first pages came."""
    bench = Bench(stamped=True)
    for n in range(6):
        bench.remote.add(b"%d" % n, f"<{n}>", NONE, 1, sent=5)
    bench.remote.unlistable[1] = 2
    bench.run()
    bench.settle_down()
    assert len(bench.local.items) == 6


# ---- real stores


@pytest.fixture
def server() -> Iterator[Running]:
    with running(mime="keep") as sandbox:
        yield sandbox


@pytest.fixture
def user(server: Running, tmp_path: Path) -> Inside:
    found = Inside(tmp_path, server.url)
    found.configure()
    return found


def files(user: Inside, folder: str) -> list[Path]:
    return sorted(file for part in ("cur", "new") for file in (user.mail / folder / part).iterdir())


@pytest.fixture
def maildir(tmp_path: Path) -> Maildir:
    found = Maildir(str(tmp_path / "Mail"), collection=1, path="INBOX", trash=Trash(str(tmp_path / "trash"), "run"), host="here")
    source = Entry("x", "<1@example.test>", "", frozenset({Flag.DRAFT}), 1)
    content = Content(lambda: iter([message(1)]), 1_700_000_000.0)
    list(found.create([(source, New(content, "token", source.key, source.flags))]))
    return found


def edited_since_listed(maildir: Maildir) -> tuple[Entry, Path]:
    """The draft as it was listed, and its file, which a reader saved again since then."""
    (entry,) = [entry for page in maildir.scan("", dict) for entry in page.entries]
    (file,) = Path(maildir.directory, "cur").iterdir()
    file.write_bytes(message(2))
    return entry, file


def test_a_file_that_was_edited_meanwhile_is_not_deleted(maildir: Maildir) -> None:
    entry, file = edited_since_listed(maildir)
    ((_, result),) = maildir.delete([entry])
    assert isinstance(result, Stale)
    assert file.read_bytes() == message(2)


def test_a_file_that_was_edited_meanwhile_is_not_replaced(maildir: Maildir) -> None:
    entry, file = edited_since_listed(maildir)
    ((_, result),) = maildir.update([(entry, Content(lambda: iter([message(3)])))])
    assert isinstance(result, Stale)
    assert file.read_bytes() == message(2)


def test_of_two_renames_during_a_run_the_servers_stays(server: Running, user: Inside) -> None:
    """Both give a folder a name, there only after we listed it: the server's is not written over."""
    folder = server.alice.create_folder(server.alice.folder("msgfolderroot"), "Old")
    user.syncs()
    (user.mail / "Old").rename(user.mail / "Mine")
    acting(server, "SyncFolderHierarchy", lambda: server.alice.rename_folder(folder, "Theirs"))
    ran = user.run("sync")
    assert "renamed on the server meanwhile" in ran.err
    user.syncs()
    assert folder.name == "Theirs"
    assert (user.mail / "Theirs/cur").is_dir() and not (user.mail / "Mine").exists()


def a_draft(server: Running, user: Inside) -> tuple[Item, Path]:
    item = server.alice.add_mime(server.alice.folder("drafts"), message(1), draft=True)
    user.syncs()
    (file,) = files(user, "Drafts")
    return item, file


def edit_on_server(server: Running, item: Item, number: int) -> None:
    item.mime = message(number)
    server.alice.touch(item, was_read=item.read, read_only=False)


def acting(server: Running, operation: str, act: Callable[[], object], *, nth: int = 1) -> None:
    """Let somebody act right after the server carried out the n-th request of this kind."""
    seen = itertools.count(1)
    before = server.sandbox.witness

    def witness(request: bytes, answer: bytes) -> None:
        if before:
            before(request, answer)
        if re.search(rf":{operation}[ >]".encode(), request) and next(seen) == nth:
            act()

    server.sandbox.witness = witness


def test_a_draft_that_is_edited_while_it_is_deleted_comes_back(server: Running, user: Inside) -> None:
    """MoveItem asks for no change key: the draft is edited between our look at it and its way to Deleted Items."""
    item, file = a_draft(server, user)
    file.unlink()
    acting(server, "GetItem", lambda: edit_on_server(server, item, 2))
    user.run("sync")
    user.syncs()
    (file,) = files(user, "Drafts")
    assert b"message 2" in file.read_bytes()
    assert_mirrored(user, server.alice)


@pytest.mark.parametrize("mime", ["keep", "regenerate"])
def test_an_edit_whose_answer_was_lost_is_no_conflict_with_itself(mime: Literal["keep", "regenerate"], tmp_path: Path) -> None:
    with running(mime=mime) as server:
        user = Inside(tmp_path, server.url)
        user.configure()
        item, file = a_draft(server, user)
        file.write_bytes(message(3).replace(b"\r\n", b"\n"))
        server.faults({"operation": "UpdateItem", "fault": "lost-reply"})
        user.run("sync")
        server.faults()
        user.syncs()
        (file,) = files(user, "Drafts")
        assert b"message 3" in file.read_bytes() and b"message 3" in item.mime
        assert not (user.state / "conflicts").exists()
        # And another's edit that came after it is one.
        file.write_bytes(message(4).replace(b"\r\n", b"\n"))
        server.faults({"operation": "UpdateItem", "fault": "lost-reply"})
        user.run("sync")
        server.faults()
        edit_on_server(server, item, 5)
        user.run("sync")
        (file,) = files(user, "Drafts")
        assert b"message 5" in file.read_bytes()
        assert [b"message 4" in each.read_bytes() for each in (user.state / "conflicts").iterdir()] == [True]


def test_a_draft_that_was_edited_there_is_not_replaced(server: Running, user: Inside) -> None:
    """Both edit it during one run: the server's version stays, ours is kept aside."""
    item, file = a_draft(server, user)
    file.write_bytes(message(3).replace(b"\r\n", b"\n"))
    acting(server, "SyncFolderItems", lambda: edit_on_server(server, item, 2))
    user.run("sync")
    user.syncs()
    (file,) = files(user, "Drafts")
    assert b"message 2" in file.read_bytes()
    assert [each.read_bytes() for each in (user.state / "conflicts").iterdir()] == [message(3).replace(b"\r\n", b"\n")]


def test_a_draft_that_was_edited_there_is_not_replaced_where_the_server_asks_for_no_key(server: Running, user: Inside) -> None:
    server.switch(ignore_change_keys=True)
    test_a_draft_that_was_edited_there_is_not_replaced(server, user)


def test_a_conflict_that_is_told_twice_is_kept_once(server: Running, user: Inside) -> None:
    """Killed between the copy of our version and the state that knows of it."""
    item, file = a_draft(server, user)
    file.write_bytes(message(3))
    edit_on_server(server, item, 2)
    home = user.home / "kept"
    shutil.copytree(user.mail, home / "Mail")
    shutil.copytree(user.state, home / "work")
    user.run("sync")
    kept = list((user.state / "conflicts").iterdir())
    # The state and the file as they were before, the copy as it is: what such a crash leaves.
    for path, was in ((user.mail, home / "Mail"), (user.state, home / "work")):
        shutil.copytree(path, home / "now" / path.name)
        shutil.rmtree(path)
        shutil.copytree(was, path)
    shutil.copytree(home / "now" / user.state.name / "conflicts", user.state / "conflicts")
    user.run("sync")
    assert list((user.state / "conflicts").iterdir()) == kept


def test_a_tree_that_is_not_ours_is_no_deletion(server: Running, user: Inside) -> None:
    for n in range(3):
        server.alice.add_mime(server.alice.folder("inbox"), message(n))
    user.syncs()
    shutil.rmtree(user.mail)
    assert user.run("sync").code == 1
    assert len(server.alice.folder("inbox").items) == 3


# ---- in which order things become durable (a power cut; SIGKILL cannot tell)


def recorded(user: Inside, log: Path) -> list[str]:
    """The writes, syncs and renames of a sync, in order, each with the files that it is about."""
    calls = "--trace=write,pwrite64,fsync,fdatasync,rename,renameat,renameat2"
    command = ["strace", "-f", "-y", "-s", "0", "-o", str(log), calls, sys.executable, "-m", "ews_bridge", "sync"]
    ran = subprocess.run(command, env=user.environment(), cwd=Path(__file__).parent.parent, capture_output=True, check=False)
    if not log.exists() or b"PTRACE" in ran.stderr:
        pytest.skip("strace may not trace here")
    assert ran.returncode == 0, ran
    return [line.partition(" ")[2].strip() for line in log.read_text().splitlines()]


def in_order(calls: Sequence[str], *wanted: str) -> None:
    """Each of these (regular expressions) comes after the one before it, others in between; the first is the first such."""
    at = -1
    for pattern in wanted:
        at = next((n for n, call in enumerate(calls) if n > at and re.search(pattern, call)), len(calls))
        assert at < len(calls), (pattern, [call for call in calls if "/Mail/" in call or "/trash" in call or "state" in call])


@pytest.mark.skipif(not shutil.which("strace"), reason="needs strace")
def test_a_message_is_durable_before_the_state_claims_it(server: Running, user: Inside, tmp_path: Path) -> None:
    user.syncs()
    server.alice.add_mime(server.alice.folder("inbox"), message(1))
    calls = recorded(user, tmp_path / "calls")
    file = "INBOX/tmp/"
    in_order(
        calls,
        f"^write.*{file}",
        f"^fsync.*{file}",
        f"^rename.*{file}",
        "^fsync.*INBOX/(cur|new)>",
        "^pwrite64.*-wal>",
        "sync.*-wal>",
    )
    # and it is journalled before it is there at all
    in_order(calls, "^pwrite64.*-wal>", "sync.*-wal>", f"^write.*{file}")


@pytest.mark.skipif(not shutil.which("strace"), reason="needs strace")
def test_a_message_is_durable_in_the_trash_before_the_state_forgets_it(server: Running, user: Inside, tmp_path: Path) -> None:
    item = server.alice.add_mime(server.alice.folder("inbox"), message(1))
    user.syncs()
    server.alice.remove(item)
    calls = recorded(user, tmp_path / "calls")
    moved = "^rename.*INBOX/(cur|new)/.*trash/.*/INBOX/cur/"
    for directory in ("Mail/INBOX/(cur|new)>", "trash/.*INBOX/cur>"):
        in_order(calls, moved, f"^fsync.*{directory}", "^pwrite64.*-wal>", "sync.*-wal>")
