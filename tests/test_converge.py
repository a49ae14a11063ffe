"""The rounds of a run, where the property machine does not reach: many collections that are listed side by side."""

from __future__ import annotations

import sqlite3
import threading
from collections.abc import Callable
from collections.abc import Iterator
from concurrent.futures import Executor
from concurrent.futures import Future
from concurrent.futures import ThreadPoolExecutor
from concurrent.futures import wait
from dataclasses import replace

import pytest

from ews_bridge import converge
from ews_bridge.batch import Stores
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


def job_over(state: State, stores: Stores, workers: Executor) -> converge.Job:
    return converge.Job(
        state=state,
        stores=stores,
        paths={number: str(number) for _, number in stores},
        selected=MANY,
        policy=Policy(),
        guard=0.25,
        unguarded=(),
        take=lambda _: set(),
        workers=workers,
        now=lambda: 0,
    )


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
        job = job_over(State(database), {(Side.REMOTE, number): kind(world, number) for number in MANY}, workers)
        done = threading.Thread(target=lambda: converge.scan(job, list(job.stores), {}, report), daemon=True)
        done.start()
        done.join(20)
        assert not done.is_alive(), "it stands still"
    assert len(report.failures) == (len(MANY) if kind is Unlistable else 0)
    assert job.state.count_differing() == (0 if kind is Unlistable else len(MANY))


def test_a_server_that_counts_nothing_in_a_folder_makes_nobody_lose_what_was_seen_there() -> None:
    state = State.in_memory()
    world = World("R", delta=True, fuse=lambda _: None)
    world.add(b"x", "<1>", frozenset(), 1)
    with ThreadPoolExecutor(1) as workers:
        job = job_over(state, {(Side.REMOTE, 1): MemoryStore(world, 1)}, workers)
        converge.converge(job, Report())
        assert len(state.known(Side.REMOTE, 1)) == 1
        state.relist(Side.REMOTE)
        converge.converge(replace(job, stamps={1: "stamp"}, empty={1}), Report())
    assert len(state.known(Side.REMOTE, 1)) == 1
