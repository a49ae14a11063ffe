"""The planner's rules for tags: one place on disk, two on the server, each with a base of its own."""

from __future__ import annotations

import hypothesis.strategies as st
import pytest
from hypothesis import given

from ews_bridge.model import LATER
from ews_bridge.model import Entry
from ews_bridge.model import Link
from ews_bridge.model import Policy
from ews_bridge.model import Row
from ews_bridge.model import Settle
from ews_bridge.model import Side
from ews_bridge.model import Tag
from ews_bridge.model import Tags
from ews_bridge.plan import merge_tags
from ews_bridge.plan import plan
from ews_bridge.plan import plan_row

PLACES = ("disk", "akonadi", "categories")


def split(text: str) -> list[frozenset[str]]:
    """ "ab a -" as three sets."""
    return [frozenset(word.strip("-")) for word in text.split()]


def local(tags: frozenset[str] | None) -> Entry:
    return Entry("l", "<k>", "", frozenset(), 1, tags={} if tags is None else {"disk": tags})


def remote(akonadi: frozenset[str], categories: frozenset[str]) -> Entry:
    return Entry("r", "<k>", "", frozenset(), 1, tags={"akonadi": akonadi, "categories": categories})


def row(base: str, now: str) -> Row:
    disk, akonadi, categories = split(base)
    link = Link(local(disk), remote(akonadi, categories))
    disk, akonadi, categories = split(now)
    return Row(1, link, local(disk), remote(akonadi, categories))


def said(tags: Tags) -> str:
    return " ".join("".join(sorted(tags[place])) or "-" for place in PLACES if place in tags)


#: base of (disk, akonadi, categories); now; wanted
MERGED = {
    ("- - -", "- - -"): "- - -",
    ("- - -", "a - -"): "a a a",
    ("- - -", "- a -"): "a a a",
    ("- - -", "- - a"): "a a a",
    ("- - -", "a b c"): "abc abc abc",
    ("a a a", "- a a"): "- - -",
    # removed in Outlook: it does not come back from Akonadi's list, nor the reverse
    ("a a a", "a a -"): "- - -",
    ("a a a", "a - a"): "- - -",
    # one added, another removed, in different places
    ("a a a", "a ab -"): "b b b",
    # an addition beats a removal of the same tag
    ("a - a", "a a -"): "a a a",
    # what a place had when it was agreed on stays there, and goes nowhere: a sender's keyword, a category nobody else can hold
    ("s - -", "s a -"): "sa a a",
    ("s - -", "- - -"): "- - -",
    ("- - c", "a - c"): "a a ca",
}


@pytest.mark.parametrize(("base", "now"), MERGED)
def test_tags_merge_against_the_base_of_each_place(base: str, now: str) -> None:
    found = row(base, now)
    assert found.link and found.local and found.remote
    mine, theirs = merge_tags(found.link, found.local, found.remote)
    assert split(said({**mine, **theirs})) == split(MERGED[base, now])


def test_what_the_server_has_is_news_the_first_time_and_what_a_file_has_is_not() -> None:
    link = Link(local(None), Entry("r", "<k>", "", frozenset(), 1))
    mine, theirs = merge_tags(link, local(frozenset("s")), remote(frozenset("a"), frozenset("b")))
    assert said({**mine, **theirs}) == "abs ab ab"


def test_one_side_is_written_in_a_round_and_then_the_other() -> None:
    changed = row("- - -", "a b -")
    assert [(step.to, said(step.tags)) for step in plan_row(changed) if isinstance(step, Tag)] == [
        (Side.LOCAL, "ab"),
        (Side.REMOTE, "ab ab"),
    ]
    (first,) = plan([changed], Policy()).steps
    assert isinstance(first, Tag) and first.to is Side.LOCAL
    up = plan([changed], Policy(writes=frozenset({Side.REMOTE})))
    assert [step.to for step in up.steps if isinstance(step, Tag)] == [Side.REMOTE]
    assert up.pending == 1


def test_nothing_is_agreed_on_while_the_disk_has_no_place_yet() -> None:
    base = Link(local(None), Entry("r", "<k>", "", frozenset(), 1))
    waiting = Row(
        1, base, Entry("l", "<k>", "", frozenset(), 1, tags={LATER: frozenset()}), remote(frozenset("a"), frozenset("a"))
    )
    assert plan_row(waiting) == []


def test_a_place_that_is_no_longer_looked_at_takes_nothing_with_it() -> None:
    before = row("a a a", "a a a")
    now = Row(1, before.link, before.local, Entry("r", "<k>", "", frozenset(), 1, tags={"akonadi": frozenset("a")}))
    (step,) = plan_row(now)
    assert isinstance(step, Settle) and step.link.remote.tags == {"akonadi": frozenset("a")}


def test_in_a_frozen_collection_the_servers_tags_stand() -> None:
    frozen = Policy(frozen=frozenset({1}))
    (step,) = plan([row("a a a", "ab a a")], frozen).steps
    assert isinstance(step, Tag) and (step.to, said(step.tags)) == (Side.LOCAL, "a")
    (step,) = plan([row("a a a", "a ab a")], frozen).steps
    assert isinstance(step, Tag) and (step.to, said(step.tags)) == (Side.LOCAL, "ab"), "and the other place is not written"
    (settled,) = plan([row("a a a", "ab ab a")], frozen).steps
    assert isinstance(settled, Settle)


def test_in_a_frozen_collection_only_what_was_done_on_disk_counts_as_undone() -> None:
    frozen = Policy(frozen=frozenset({1}))
    assert plan([row("a a a", "ab a a")], frozen).reverted
    followed = plan([row("a a a", "a ab ab")], frozen)
    assert followed.steps and not followed.reverted, "the server's tags came down"


# ---- properties

#: Bases of the three places, then what they hold now.
SIX = st.lists(st.frozensets(st.sampled_from("abcd")), min_size=6, max_size=6)


@given(SIX)
def test_no_tag_that_somebody_added_is_lost_and_none_comes_back_by_itself(sets: list[frozenset[str]]) -> None:
    bases, now = sets[:3], sets[3:]
    link = Link(local(bases[0]), remote(bases[1], bases[2]))
    mine, theirs = merge_tags(link, local(now[0]), remote(now[1], now[2]))
    after = [{**mine, **theirs}[place] for place in PLACES]
    added = frozenset().union(*(n - b for b, n in zip(bases, now, strict=True)))
    removed = frozenset().union(*(b - n for b, n in zip(bases, now, strict=True)))
    for before, wanted in zip(now, after, strict=True):
        assert added <= wanted
        assert not (removed - added) & wanted
        assert before - removed <= wanted <= before | added


@given(SIX)
def test_the_steps_for_tags_end_in_peace(sets: list[frozenset[str]]) -> None:
    mine, *theirs = sets[3:]
    at = Row(1, Link(local(sets[0]), remote(sets[1], sets[2])), local(mine), remote(*theirs))
    for _ in range(4):
        match plan([at], Policy()).steps:
            case (Tag(to=Side.LOCAL, tags=tags),):
                at = Row(1, at.link, local(tags["disk"]), at.remote)
            case (Tag(tags=tags),):
                at = Row(1, at.link, at.local, remote(tags["akonadi"], tags["categories"]))
            case (Settle(link=link),):
                at = Row(1, link, at.local, at.remote)
            case steps:
                assert steps == ()
                return
    raise AssertionError(at)
