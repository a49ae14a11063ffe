"""Any history of edits on both sides, crashes at any call and edits during a run: converges, loses nothing, duplicates nothing.

Contents are unique, so that each can be followed: `alive` are those that some user made last and nobody removed. Two sides
in memory (tests/memory.py); the state is the real one, on SQLite, and survives each crash because every method of it is
one transaction.
"""

from __future__ import annotations

import itertools
import sqlite3
from collections import Counter
from collections.abc import Callable
from collections.abc import Iterable
from collections.abc import Sequence
from concurrent.futures import Executor
from concurrent.futures import Future

import hypothesis.strategies as st
from hypothesis import settings
from hypothesis.stateful import RuleBasedStateMachine
from hypothesis.stateful import initialize
from hypothesis.stateful import rule

from ews_bridge.apply import Tools
from ews_bridge.apply import apply
from ews_bridge.apply import recover
from ews_bridge.converge import Job
from ews_bridge.converge import Place
from ews_bridge.converge import converge
from ews_bridge.errors import EwsBridgeError
from ews_bridge.model import Content
from ews_bridge.model import Entry
from ews_bridge.model import Flag
from ews_bridge.model import Policy
from ews_bridge.model import Report
from ews_bridge.model import Row
from ews_bridge.model import Side
from ews_bridge.model import Step
from ews_bridge.state import _SCHEMA
from ews_bridge.state import State
from tests.memory import Crash
from tests.memory import World
from tests.memory import text

FLAGS = st.frozensets(st.sampled_from([Flag.SEEN, Flag.FLAGGED, Flag.ANSWERED, Flag.FORWARDED]))
SIDES = st.sampled_from(Side)
COLLECTIONS = (1, 2)


class Inline(Executor):
    """Workers that work at once, in the calling thread: histories stay deterministic."""

    def submit(self, fn: Callable[..., object], /, *args: object, **kwargs: object) -> Future[object]:  # type: ignore[override]
        future: Future[object] = Future()
        try:
            future.set_result(fn(*args, **kwargs))
        except EwsBridgeError as error:
            future.set_exception(error)
        return future


class FusedState(State):
    """The real state; a crash may come before and after each transaction."""

    fuse: Callable[[str], None] = staticmethod(lambda what: None)

    def observe(self, *args: object, **kwargs: object) -> None:
        self._fused(super().observe, *args, **kwargs)

    def begin(self, *args: object, **kwargs: object) -> None:
        self._fused(super().begin, *args, **kwargs)

    def settle(self, *args: object, **kwargs: object) -> None:
        self._fused(super().settle, *args, **kwargs)

    def pair(self) -> int:
        self.fuse("before pair")
        joined = super().pair()
        self.fuse("after pair")
        return joined

    def _fused(self, method: Callable[..., None], *args: object, **kwargs: object) -> None:
        self.fuse(f"before {method.__name__}")
        method(*args, **kwargs)
        self.fuse(f"after {method.__name__}")


class Bench:
    """Two worlds, a state, and a run of the engine over them that can be interrupted at any call."""

    def __init__(self, *, delta_local: bool = False, delta_remote: bool = True) -> None:
        self.left: int | None = None  # calls until the interruption
        self.then: Callable[[], None] | None = None  # what interrupts: None is a crash, else somebody's act
        self.points: Counter[str] = Counter()
        self.worlds = {
            Side.LOCAL: World("L", delta=delta_local, fuse=self.fuse),
            Side.REMOTE: World("R", delta=delta_remote, fuse=self.fuse),
        }
        database = sqlite3.connect(":memory:", isolation_level=None, check_same_thread=False)
        database.executescript(_SCHEMA)
        # folders take the first numbers, as in the real state
        database.executemany("INSERT INTO item (number, folder) VALUES (?, 1)", [(n,) for n in COLLECTIONS])
        self.state = FusedState(database)
        self.state.fuse = self.fuse
        self.tokens = itertools.count()
        self.aside: list[bytes] = []

    def fuse(self, what: str) -> None:
        self.points[what] += 1
        if self.left is None:
            return
        if self.left > 0:
            self.left -= 1
            return
        self.left = None
        if self.then is None:
            raise Crash(what)
        self.then()

    def keep(self, row: Row, content: Content) -> str:
        self.aside.append(text(content))
        return "aside"

    def run(self, *, writes: frozenset[Side] = frozenset(Side)) -> tuple[Report, list[Step]]:
        stores = {(side, n): self.worlds[side].store(n) for side in Side for n in COLLECTIONS}
        workers = Inline()
        tools = Tools(
            self.state, stores, workers, 4, lambda: f"t{next(self.tokens)}", self.keep, lambda: 0, lambda items, size: None
        )
        report = Report()
        taken: list[Step] = []

        def take(pages: Iterable[Sequence[Step]]) -> set[Place]:
            listed = [list(page) for page in pages]
            taken.extend(step for page in listed for step in page)
            return apply(listed, tools, report)

        recover(self.state, stores)
        policy = Policy(writes=writes)
        paths = {n: f"folder {n}" for n in COLLECTIONS}
        job = Job(self.state, stores, paths, COLLECTIONS, policy, 0.25, COLLECTIONS, take, workers, lambda: 0)
        converge(job, report)
        return report, taken

    def interrupted(self, calls: int, act: Callable[[], None] | None) -> bool:
        """A run that is cut (act is None) or meets an act of somebody after so many calls; True if it was cut."""
        self.left, self.then = calls, act
        try:
            self.run()
        except Crash:
            return True
        finally:
            self.left = None
        return False

    def settle_down(self) -> None:
        """Undisturbed runs until one has nothing to do."""
        for _ in range(6):
            report, taken = self.run()
            assert not report.failures, report.failures
            if not taken:
                return
        raise AssertionError(f"not quiet: {taken}")


class Machine(RuleBasedStateMachine):
    @initialize(delta_local=st.booleans(), delta_remote=st.booleans())
    def start(self, delta_local: bool, delta_remote: bool) -> None:
        self.bench = Bench(delta_local=delta_local, delta_remote=delta_remote)
        self.count = itertools.count()
        self.alive: set[bytes] = set()
        self.copied: set[bytes] = set()

    def world(self, side: Side) -> World:
        return self.bench.worlds[side]

    def pick(self, side: Side, index: int) -> str | None:
        ids = sorted(self.world(side).items)
        return ids[index % len(ids)] if ids else None

    @rule(side=SIDES, flags=FLAGS, collection=st.sampled_from(COLLECTIONS), draft=st.booleans(), same_key=st.booleans())
    def user_creates(self, side: Side, flags: frozenset[Flag], collection: int, *, draft: bool, same_key: bool) -> None:
        n = next(self.count)
        content = f"c{n}".encode()
        # two mails of one Message-ID on one side stay two; on both sides they would be one mail by definition
        key = f"<{side}-twin>" if same_key else f"<k{n}>"
        self.world(side).add(content, key, flags, collection, draft=draft, sent=n + 1)
        self.alive.add(content)

    @rule(side=SIDES, index=st.integers(0, 9))
    def user_edits(self, side: Side, index: int) -> None:
        ident = self.pick(side, index)
        if ident and self.world(side).items[ident].revision:
            self.alive.discard(self.world(side).items[ident].content)
            content = f"c{next(self.count)}".encode()
            self.world(side).edit(ident, content)
            self.alive.add(content)

    @rule(side=SIDES, index=st.integers(0, 9), flags=FLAGS)
    def user_marks(self, side: Side, index: int, flags: frozenset[Flag]) -> None:
        ident = self.pick(side, index)
        if ident:
            self.world(side).change(ident, flags=flags)

    @rule(side=SIDES, index=st.integers(0, 9), collection=st.sampled_from(COLLECTIONS))
    def user_moves(self, side: Side, index: int, collection: int) -> None:
        ident = self.pick(side, index)
        if ident and self.world(side).items[ident].collection != collection:
            self.world(side).move(ident, collection)

    @rule(side=SIDES, index=st.integers(0, 9))
    def user_deletes(self, side: Side, index: int) -> None:
        ident = self.pick(side, index)
        if ident:
            content = self.world(side).items[ident].content
            self.alive.discard(content)
            self.world(side).remove(ident)

    @rule(side=SIDES, index=st.integers(0, 9), collection=st.sampled_from(COLLECTIONS))
    def user_copies(self, side: Side, index: int, collection: int) -> None:
        ident = self.pick(side, index)
        if ident and not self.world(side).items[ident].revision:
            self.copied.add(self.world(side).items[ident].content)
            self.world(side).copy(ident, collection)

    @rule(side=SIDES)
    def cursors_go_stale(self, side: Side) -> None:
        self.world(side).epoch += 1

    @rule(
        calls=st.integers(0, 25),
        act=st.sampled_from(["crash", "edit", "delete", "mark", "move", "copy", "create"]),
        side=SIDES,
        index=st.integers(0, 5),
        flags=FLAGS,
        collection=st.sampled_from(COLLECTIONS),
    )
    def sync_interrupted(self, calls: int, act: str, side: Side, index: int, flags: frozenset[Flag], collection: int) -> None:
        acts: dict[str, Callable[[], None] | None] = {
            "crash": None,
            "edit": lambda: self.user_edits(side, index),
            "delete": lambda: self.user_deletes(side, index),
            "mark": lambda: self.user_marks(side, index, flags),
            "move": lambda: self.user_moves(side, index, collection),
            "copy": lambda: self.user_copies(side, index, collection),
            "create": lambda: self.user_creates(side, flags, collection, draft=False, same_key=False),
        }
        self.bench.interrupted(calls, acts[act])

    @rule()
    def converges(self) -> None:
        self.bench.settle_down()
        views = {side: Counter((i.content, i.flags, i.collection) for i in self.world(side).items.values()) for side in Side}
        assert views[Side.LOCAL] == views[Side.REMOTE], views
        have = {content for content, _, _ in views[Side.LOCAL]}
        lost = self.alive - have - set(self.bench.aside)
        assert not lost, f"lost {lost}"
        twice = {content for content, n in Counter(c for c, _, _ in views[Side.LOCAL].elements()).items() if n > 1} - self.copied
        assert not twice, f"twice {twice}"


TestSyncMachine = Machine.TestCase
TestSyncMachine.settings = settings(stateful_step_count=20)


def entries(world: World) -> list[Entry]:
    return [world.entry(ident) for ident in sorted(world.items)]


def test_enough_crash_points_are_hit() -> None:
    """A history with every kind of step passes through every kind of call that can be cut."""
    bench = Bench()
    local, remote = bench.worlds[Side.LOCAL], bench.worlds[Side.REMOTE]
    moved = remote.add(b"a", "<a>", frozenset(), 1)
    marked = remote.add(b"b", "<b>", frozenset(), 1)
    removed = remote.add(b"c", "<c>", frozenset(), 1)
    draft = remote.add(b"d", "<d>", frozenset(), 1, draft=True)
    local.add(b"e", "<e>", frozenset({Flag.SEEN}), 2)
    bench.settle_down()
    remote.move(moved, 2)
    remote.change(marked, flags=frozenset({Flag.SEEN}))
    remote.remove(removed)
    remote.edit(draft, b"d2")
    remote.copy(marked, 2)
    bench.settle_down()
    wanted = {f"{when} {what}" for when in ("before", "after") for what in ("create", "update", "mark", "move", "copy", "delete")}
    wanted |= {f"{when} {what}" for when in ("before", "after") for what in ("observe", "begin", "settle", "pair")}
    assert wanted | {"scan", "read"} <= bench.points.keys()
