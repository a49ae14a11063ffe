"""The planner's rules: a named table of presence × change cases, and what must hold for any rows."""

from __future__ import annotations

from dataclasses import replace

import hypothesis.strategies as st
import pytest
from hypothesis import assume
from hypothesis import given

from ews_bridge.model import Conflict
from ews_bridge.model import Create
from ews_bridge.model import Delete
from ews_bridge.model import Entry
from ews_bridge.model import Flag
from ews_bridge.model import Flags
from ews_bridge.model import Forget
from ews_bridge.model import Hints
from ews_bridge.model import Link
from ews_bridge.model import Mark
from ews_bridge.model import Move
from ews_bridge.model import Policy
from ews_bridge.model import Row
from ews_bridge.model import Settle
from ews_bridge.model import Side
from ews_bridge.model import Step
from ews_bridge.model import Update
from ews_bridge.plan import base_of
from ews_bridge.plan import merge_flags
from ews_bridge.plan import plan
from ews_bridge.plan import plan_row
from ews_bridge.plan import refused


def entry(change: str, side: str) -> Entry | None:
    """A view of one draft: "same", or what was changed: "gone", "edited", "moved", flags "+F", "-S"."""
    base = Entry(side, "<k>", "r1", frozenset({Flag.SEEN}), 1)
    match change:
        case "gone" | "none":
            return None
        case "edited":
            return replace(base, revision="r2")
        case "moved":
            return replace(base, collection=2)
        case "moved elsewhere":
            return replace(base, collection=3)
        case "+F":
            return replace(base, flags=base.flags | {Flag.FLAGGED})
        case "-S":
            return replace(base, flags=base.flags - {Flag.SEEN})
        case "same":
            return base
    raise AssertionError(change)


def said(step: Step) -> str:
    """A step in the table's words."""
    match step:
        case Mark(to=to, flags=flags):
            return f"mark {to} {''.join(sorted(flags))}"
        case Move(to=to, like=like):
            return f"move {to} {like.collection}"
        case Create(to=to) | Update(to=to) | Delete(to=to):
            return f"{type(step).__name__.lower()} {to}"
        case _:
            return type(step).__name__.lower()


#: (local, remote) → steps, with a link whose both views are "same".
LINKED = {
    ("same", "same"): [],
    ("gone", "gone"): ["forget"],
    ("gone", "same"): ["delete remote"],
    ("same", "gone"): ["delete local"],
    ("gone", "edited"): ["create local"],
    ("edited", "gone"): ["create remote"],
    ("gone", "moved"): ["create local"],
    ("moved", "gone"): ["create remote"],
    ("gone", "+F"): ["delete remote"],
    ("+F", "gone"): ["delete local"],
    ("edited", "same"): ["update remote"],
    ("same", "edited"): ["update local"],
    ("edited", "edited"): ["conflict"],
    ("moved", "same"): ["move remote 2"],
    ("same", "moved"): ["move local 2"],
    ("moved", "moved"): ["settle"],
    ("moved", "moved elsewhere"): ["move local 3"],
    ("moved elsewhere", "moved"): ["move local 2"],
    ("moved", "edited"): ["move remote 2"],
    ("edited", "moved"): ["move local 2"],
    ("moved", "+F"): ["move remote 2"],
    ("+F", "moved"): ["move local 2"],
    ("+F", "same"): ["mark remote FS"],
    ("same", "+F"): ["mark local FS"],
    ("-S", "same"): ["mark remote "],
    ("same", "-S"): ["mark local "],
    ("+F", "+F"): ["settle"],
    ("-S", "-S"): ["settle"],
    ("+F", "-S"): ["mark local F", "mark remote F"],
    ("-S", "+F"): ["mark local F", "mark remote F"],
    ("edited", "+F"): ["update remote"],
    ("+F", "edited"): ["update local"],
}


@pytest.mark.parametrize(("local", "remote"), LINKED)
def test_what_is_planned_for_a_linked_item(local: str, remote: str) -> None:
    base = base_of(entry("same", "l"), entry("same", "r"), frozenset({Flag.SEEN}))  # type: ignore[arg-type]
    row = Row(1, base, entry(local, "l"), entry(remote, "r"))
    assert [said(step) for step in plan_row(row)] == LINKED[local, remote]


@pytest.mark.parametrize(
    ("local", "remote", "steps"),
    [
        ("same", "none", ["create remote"]),
        ("none", "same", ["create local"]),
        ("same", "+F", ["conflict"]),
        ("none", "none", ["forget"]),
    ],
)
def test_what_is_planned_for_an_item_without_a_base(local: str, remote: str, steps: list[str]) -> None:
    assert [said(step) for step in plan_row(Row(1, None, entry(local, "l"), entry(remote, "r")))] == steps


def test_refill_fetches_what_the_disk_lost_and_still_deletes_what_the_server_lost() -> None:
    base = base_of(entry("same", "l"), entry("same", "r"), frozenset())  # type: ignore[arg-type]
    assert [said(s) for s in plan_row(Row(1, base, None, entry("same", "r")), Policy(refill=True))] == ["create local"]
    assert [said(s) for s in plan_row(Row(1, base, entry("same", "l"), None), Policy(refill=True))] == ["delete local"]


def test_a_revision_that_comes_or_goes_is_no_edit() -> None:
    """A reader that sets or clears D makes a file count as editable or not; its content is the same."""
    plain, draft = entry("same", "l"), entry("same", "r")
    assert plain and draft
    base = base_of(replace(plain, revision=""), draft, plain.flags)
    assert [said(s) for s in plan_row(Row(1, base, plain, draft))] == ["settle"]


def test_two_received_mails_of_one_key_are_one() -> None:
    mine, theirs = entry("same", "l"), entry("+F", "r")
    assert mine and theirs
    assert [said(s) for s in plan_row(Row(1, None, replace(mine, revision=""), replace(theirs, revision="")))] == ["settle"]


def test_drafts_are_the_servers_to_say_and_trashed_the_readers() -> None:
    base = base_of(entry("same", "l"), entry("same", "r"), frozenset({Flag.SEEN}))  # type: ignore[arg-type]
    local, remote = base.local, base.remote
    drafted = replace(local, flags=local.flags | {Flag.DRAFT})
    assert [said(s) for s in plan_row(Row(1, base, drafted, remote))] == ["mark local S"]
    trashed = replace(local, flags=local.flags | {Flag.TRASHED})
    assert [said(s) for s in plan_row(Row(1, base, trashed, remote))] == ["delete remote"]
    assert [said(s) for s in plan_row(Row(1, base, trashed, None))] == ["delete local"]
    edited = replace(remote, revision="r2")
    assert [said(s) for s in plan_row(Row(1, base, trashed, edited))] == ["update local"]
    assert plan_row(Row(1, None, trashed, None)) == []


def test_what_the_policy_forbids_is_pending() -> None:
    base = base_of(entry("same", "l"), entry("same", "r"), frozenset({Flag.SEEN}))  # type: ignore[arg-type]
    rows = [
        Row(1, base, None, entry("same", "r")),
        Row(2, base, entry("same", "l"), None),
        Row(3, base, entry("+F", "l"), entry("-S", "r")),
    ]
    down = plan(rows, Policy(writes=frozenset({Side.LOCAL})))
    assert [said(s) for s in down.steps] == ["delete local", "mark local F"]
    assert down.pending == 2
    held = plan(rows, Policy(hold_deletes=frozenset(Side)))
    assert [said(s) for s in held.steps] == ["mark local F", "mark remote F"]
    assert held.pending == 2


def test_what_sent_items_has_already_is_not_uploaded_again() -> None:
    mine = entry("same", "l")
    assert mine
    new = replace(mine, revision="")
    assert [said(s) for s in plan_row(Row(1, None, new, None, again=True))] == ["forget"]
    assert [said(s) for s in plan_row(Row(1, None, new, None))] == ["create remote"]


def test_what_leaves_the_window_is_forgotten_unless_it_is_wanted_or_the_disk_may_not_be_written() -> None:
    old = Policy(since=1000)
    base = base_of(entry("same", "l"), entry("same", "r"), frozenset({Flag.SEEN}))  # type: ignore[arg-type]
    mine, theirs = (replace(each, hints=Hints(sent=10)) for each in (base.local, base.remote))
    row = Row(1, base, mine, theirs)
    assert [said(s) for s in plan([row], old).steps] == ["forget"]
    only_up = plan([row], replace(old, writes=frozenset({Side.REMOTE})))
    assert (only_up.steps, only_up.pending) == ((), 1)
    assert plan([replace(row, remote=replace(theirs, flags=frozenset()))], old).steps != only_up.steps, "unread: it stays"
    flagged = replace(mine, flags=mine.flags | {Flag.FLAGGED})
    assert [said(s) for s in plan([replace(row, local=flagged)], old).steps] == ["mark remote FS"]
    assert [said(s) for s in plan([Row(1, None, None, theirs)], old).steps] == []
    assert [said(s) for s in plan([Row(1, None, None, None)], replace(old, writes=frozenset())).steps] == ["forget"]


@pytest.mark.parametrize(
    ("losing", "total", "verdict"),
    [
        (4, 4, False),
        (5, 5, True),
        (4, 5, False),
        (20, 30, False),
        (21, 30, True),
        (25, 100, False),
        (26, 100, True),
        (25, 1000, False),
    ],
)
def test_the_guard_refuses_what_looks_like_an_accident(losing: int, total: int, verdict: bool) -> None:
    assert refused(losing, total, 0.25) is verdict


# ---- properties


def test_nothing_is_put_into_a_closed_collection_and_what_is_there_may_change() -> None:
    closed = Policy(closed=frozenset({2}))
    base = base_of(entry("same", "l"), entry("same", "r"), frozenset({Flag.SEEN}))  # type: ignore[arg-type]
    there = replace(base.remote, collection=2)

    def undone(link: Link | None, local: Entry | None, remote: Entry | None) -> list[str]:
        made = plan([Row(1, link, local, remote)], closed)
        return [str(step) for step in (made.reverted or made.steps)] + ["undone"] * len(made.reverted)

    assert undone(None, replace(base.local, collection=2), None) == ["delete local <k>", "undone"]
    assert undone(base, replace(base.local, collection=2), base.remote) == ["move local <k>", "undone"]
    inside = Link(replace(base.local, collection=2), there)
    flagged = replace(inside.local, flags=frozenset({Flag.SEEN, Flag.FLAGGED}))
    assert undone(inside, flagged, there) == ["mark remote <k>: FS"]
    assert undone(inside, None, there) == ["delete remote <k>"]
    assert undone(inside, replace(inside.local, collection=1), there) == ["move remote <k>"]


FLAGS: st.SearchStrategy[Flags] = st.frozensets(st.sampled_from([Flag.SEEN, Flag.FLAGGED, Flag.ANSWERED, Flag.FORWARDED]))
REVISIONS = st.sampled_from(["", "1", "2"])
ENTRIES = st.builds(Entry, st.sampled_from("abc"), st.just("<k>"), REVISIONS, FLAGS, st.sampled_from([1, 2, 3]))


@st.composite
def rows(draw: st.DrawFn) -> Row:
    link = None
    if draw(st.booleans()):
        mine, theirs = draw(ENTRIES), draw(ENTRIES)
        link = base_of(mine, replace(theirs, collection=mine.collection), draw(FLAGS))
    local, remote = draw(st.none() | ENTRIES), draw(st.none() | ENTRIES)
    if link is None and local and remote:  # only what is in one collection is ever taken for one item
        remote = replace(remote, collection=local.collection)
    return Row(1, link, local, remote)


def mirrored(row: Row) -> Row:
    return Row(row.number, row.link and Link(row.link.remote, row.link.local), row.remote, row.local)


def mirrored_word(word: str) -> str:
    return word.replace("local", "x").replace("remote", "local").replace("x", "remote")


@given(rows())
def test_the_plan_is_deterministic_and_says_one_thing(row: Row) -> None:
    steps = plan_row(row)
    assert steps == plan_row(row)
    assert len(steps) <= 1 or all(isinstance(step, Mark) for step in steps)
    assert len({getattr(step, "to", None) for step in steps}) == len(steps)


@given(rows())
def test_mirrored_sides_give_a_mirrored_plan(row: Row) -> None:
    """Except where both sides moved it: there the server decides."""
    if row.link and row.local and row.remote:
        places = {row.link.local.collection, row.local.collection, row.remote.collection}
        assume(len(places) < 3)
    words = sorted(mirrored_word(said(step)) for step in plan_row(row))
    assert words == sorted(said(step) for step in plan_row(mirrored(row)))


@given(FLAGS, FLAGS, FLAGS)
def test_merged_flags_lose_no_intent(base: Flags, local: Flags, remote: Flags) -> None:
    merged = merge_flags(base, local, remote)
    for side in (local, remote):
        assert side - base <= merged
        assert not (base - side) & merged


@given(rows())
def test_a_settled_row_is_quiet(row: Row) -> None:
    match plan_row(row):
        case [Settle(link=link)]:
            after = plan_row(replace(row, link=link))
            assert all(isinstance(step, Mark) for step in after)
        case [Conflict()] | [Forget()]:
            pass
