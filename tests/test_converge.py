"""The rounds of a run, where the property machine does not reach: many collections that are listed side by side."""

from __future__ import annotations

import sqlite3
import threading
from collections.abc import Callable
from collections.abc import Iterator
from concurrent.futures import Future
from concurrent.futures import ThreadPoolExecutor
from concurrent.futures import wait

import pytest

from ews_bridge import converge
from ews_bridge.errors import Refused
from ews_bridge.model import Known
from ews_bridge.model import Policy
from ews_bridge.model import Scan
from ews_bridge.model import Side
from ews_bridge.report import Report
from ews_bridge.state import State
from ews_bridge.tables import SCHEMA
from tests.memory import MemoryStore
from tests.memory import World

MANY = range(1, 61)


class Unlistable(MemoryStore):
    def scan(self, cursor: str, known: Known) -> Iterator[Scan]:
        raise Refused("not today")


class Prompt(ThreadPoolExecutor):
    """Work is mostly done before `submit` returns, as with a fast server."""

    def submit(self, fn: Callable[..., object], /, *args: object, **kwargs: object) -> Future[object]:  # type: ignore[override]
        future: Future[object] = super().submit(fn, *args, **kwargs)
        wait([future], timeout=0.01)
        return future


@pytest.mark.parametrize("kind", [MemoryStore, Unlistable])
def test_many_collections_that_are_listed_at_once_do_not_wait_for_each_other(kind: type[MemoryStore]) -> None:
    """Once, a run stood still for ever: whoever empties the queue of pages was told of an end, and waited for room in it."""
    database = sqlite3.connect(":memory:", isolation_level=None, check_same_thread=False)
    database.executescript(SCHEMA)
    database.executemany("INSERT INTO item (number, folder) VALUES (?, 1)", [(number,) for number in MANY])
    world = World("R", delta=True, fuse=lambda _: None)
    for number in MANY:
        world.add(b"x", f"<{number}>", frozenset(), number)
    report = Report()
    with Prompt(4) as workers:
        job = converge.Job(
            state=State(database),
            stores={(Side.REMOTE, number): kind(world, number) for number in MANY},
            paths={number: str(number) for number in MANY},
            selected=MANY,
            policy=Policy(),
            guard=0.25,
            unguarded=(),
            take=lambda _: set(),
            workers=workers,
            now=lambda: 0,
        )
        done = threading.Thread(target=lambda: converge.scan(job, list(job.stores), {}, report), daemon=True)
        done.start()
        done.join(20)
        assert not done.is_alive(), "it stands still"
    assert len(report.failures) == (len(MANY) if kind is Unlistable else 0)
    assert job.state.count_differing() == (0 if kind is Unlistable else len(MANY))
