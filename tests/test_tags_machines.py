"""Two machines, Akonadi and Outlook tag the same messages, and the machines sync at once: all agree, and no tag is lost."""

from __future__ import annotations

import tempfile
from collections import defaultdict
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from dataclasses import field
from pathlib import Path

import hypothesis.strategies as st
from hypothesis import HealthCheck
from hypothesis import given
from hypothesis import settings

from ews_bridge.exchange import akonadi
from ews_bridge.labels import Kind
from tests.desk import Desk
from tests.inside import Inside
from tests.test_tags import BOTH
from tests.test_tags import SECTION
from tests.test_tags import akonadi_tags
from tests.test_tags import item
from tests.test_tags import listed
from tests.test_tags import on_disk
from tests.test_tags import on_server
from tests.test_tags import outlook_tags
from tests.test_tags import reader_tags
from tests.test_tags import tagged_desk

NUMBERS = (1, 2)
#: One that Akonadi knows, one with a space that it knows, one that nobody knows yet.
NAMES = ("todo", "Project X", "neu é")


@dataclass
class House:
    """The desk with mu4e's field, a second one with neomutt's, on one mailbox; what was added and removed since all agreed."""

    first: Desk
    second: Desk
    added: dict[int, set[str]] = field(default_factory=lambda: defaultdict(set))
    removed: dict[int, set[str]] = field(default_factory=lambda: defaultdict(set))

    def places(self, number: int) -> dict[str, set[str]]:
        """What each place says of a message."""
        gids, categories = on_server(self.first, number)
        names = akonadi.names_of(listed(self.first), {})
        return {
            "akonadi": set(names.of(gids)),
            "categories": set(categories),
            "first": on_disk(self.first, number),
            "second": on_disk(self.second, number, Kind.LABEL),
        }

    def act(self, who: str, number: int, name: str) -> None:
        """Somebody adds a tag that is not there, or removes one that is, in the own way."""
        before = self.places(number)
        wanted = before[who] ^ {name}
        match who:
            case "akonadi":
                names = akonadi.names_of(listed(self.first), {})
                known = [each for each in sorted(wanted) if names.gid(each)]
                gids = [akonadi.value_of(gid) for each in known if (gid := names.gid(each))]
                akonadi_tags(self.first, number, gids, known)
            case "categories":
                outlook_tags(self.first, number, sorted(wanted))
            case "first":
                reader_tags(self.first, number, wanted)
            case "second":
                reader_tags(self.second, number, wanted, Kind.LABEL)
        after = self.places(number)
        for place in before:
            self.added[number] |= after[place] - before[place]
            self.removed[number] |= before[place] - after[place]

    def sync(self, who: str) -> None:
        if who == "both":
            with ThreadPoolExecutor(2) as workers:
                for done in [workers.submit(self.first.sync), workers.submit(self.second.sync)]:
                    report = done.result()
                    assert not report.failures and not report.refused, report
        else:
            (self.first if who == "first" else self.second).sync()

    def converge(self) -> None:
        before = {number: self.places(number) for number in NUMBERS}
        for _ in range(6):
            if not self.first.settle().done and not self.second.settle().done:
                break
        for number in NUMBERS:
            after = self.places(number)
            assert len(set(map(frozenset, after.values()))) == 1, (number, before[number], after)
            tags = after["first"]
            assert self.added[number] - self.removed[number] <= tags, (number, self.added, self.removed, tags)
            assert not (self.removed[number] - self.added[number]) & tags, (number, self.added, self.removed, tags)
            assert item(self.first, number).mime.count(b"X-Keywords") == 0
        self.added.clear()
        self.removed.clear()


@contextmanager
def house(home: Path) -> Iterator[House]:
    (home / "first").mkdir()
    (home / "second").mkdir()
    with tagged_desk(home / "first") as first:
        second = Desk(first.server, Inside(home / "second", first.server.url), first.relay)
        second.configure(SECTION.format(server=BOTH, local="x-label"))
        second.settle()
        yield House(first, second)


PLACES = st.sampled_from(["akonadi", "categories", "first", "second"])
ACTS = st.tuples(PLACES, st.sampled_from(NUMBERS), st.sampled_from(NAMES))
SYNCS = st.sampled_from(["first", "second", "both", "both", "converge"])
HISTORIES = st.lists(ACTS | ACTS | SYNCS, min_size=6, max_size=16)


@settings(max_examples=8, deadline=None, suppress_health_check=list(HealthCheck))
@given(HISTORIES)
def test_any_history_of_tags_converges_with_no_tag_lost(history: list[tuple[str, int, str] | str]) -> None:
    with tempfile.TemporaryDirectory() as home, house(Path(home)) as at:
        for each in history:
            if isinstance(each, tuple):
                at.act(*each)
            elif each == "converge":
                at.converge()
            else:
                at.sync(each)
        at.converge()
        assert listed(at.first).version >= 3
        assert len(listed(at.first).records()) == len(listed(at.first).values), "no record is lost and none is there twice"
