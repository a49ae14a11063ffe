"""The engine between two worlds in memory: a run can be cut, or meet somebody's act, at any call that it makes.

The state is the real one, on SQLite; each of its transactions can be cut before and after.
"""

from __future__ import annotations

import itertools
import sqlite3
from collections import Counter
from collections.abc import Callable
from collections.abc import Iterable
from collections.abc import Iterator
from collections.abc import Mapping
from collections.abc import Sequence
from concurrent.futures import Executor
from concurrent.futures import Future
from contextlib import contextmanager

from ews_bridge.apply import Tools
from ews_bridge.apply import apply
from ews_bridge.apply import recover
from ews_bridge.converge import Job
from ews_bridge.converge import Place
from ews_bridge.converge import converge
from ews_bridge.errors import EwsBridgeError
from ews_bridge.model import Content
from ews_bridge.model import Policy
from ews_bridge.model import Row
from ews_bridge.model import Side
from ews_bridge.model import Step
from ews_bridge.plan import ANY
from ews_bridge.report import Report
from ews_bridge.state import State
from ews_bridge.tables import SCHEMA
from tests.memory import Crash
from tests.memory import World
from tests.memory import text

COLLECTIONS = (1, 2)
DAY = 86400


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
    doing = "other"

    def observe(self, *args: object, **kwargs: object) -> None:
        self.doing = "observe"
        super().observe(*args, **kwargs)  # type: ignore[arg-type]

    def begin(self, *args: object, **kwargs: object) -> None:
        self.doing = "begin"
        super().begin(*args, **kwargs)  # type: ignore[arg-type]

    def settle(self, *args: object, **kwargs: object) -> None:
        self.doing = "settle"
        super().settle(*args, **kwargs)  # type: ignore[arg-type]

    def pair(self) -> int:
        self.doing = "pair"
        return super().pair()

    @contextmanager
    def _transaction(self) -> Iterator[sqlite3.Connection]:
        doing = self.doing
        self.fuse(f"before {doing}")
        with super()._transaction() as db:
            yield db
        self.fuse(f"after {doing}")


class Bench:
    """Two worlds, a state, and runs of the engine over them.

    `keyed`: see `World`. `stamped`: the server's quiet collections are known by their stamps and not listed. Tags have one place
    on disk and two on the server.
    """

    def __init__(
        self, *, delta_local: bool = False, delta_remote: bool = True, keyed: bool = False, stamped: bool = False
    ) -> None:
        self.left: int | None = None  # calls until the interruption
        self.then: Callable[[], object] | None = None  # what interrupts: None is a crash, else somebody's act
        self.where = ""  # if not empty, only calls of this name count
        self.points: Counter[str] = Counter()
        self.local = World("L", delta=delta_local, fuse=self.fuse, places=("disk",))
        self.remote = World("R", delta=delta_remote, fuse=self.fuse, keyed=keyed, places=("akonadi", "categories"))
        self.worlds = {Side.LOCAL: self.local, Side.REMOTE: self.remote}
        self.stamped = stamped
        database = sqlite3.connect(":memory:", isolation_level=None, check_same_thread=False)
        database.executescript(SCHEMA)
        # folders take the first numbers, as in the real state
        database.executemany("INSERT INTO item (number, folder) VALUES (?, 1)", [(n,) for n in COLLECTIONS])
        self.state = FusedState(database)
        self.state.fuse = self.fuse
        self.tokens = itertools.count()
        self.aside: list[bytes] = []
        self.now = DAY

    def fuse(self, what: str) -> None:
        self.points[what] += 1
        if self.left is None or (self.where and self.where != what):
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

    def stamps(self) -> Mapping[int, str]:
        return {n: self.remote.stamp(n) for n in COLLECTIONS} if self.stamped else {}

    def run(self, policy: Policy = ANY, *, guarded: bool = False) -> tuple[Report, list[Step]]:
        """One run of the engine; what it reports, and the steps that it took."""
        stores = {(side, n): self.worlds[side].store(n) for side in Side for n in COLLECTIONS}
        workers = Inline()
        tools = Tools(
            self.state, stores, workers, 4, lambda: f"t{next(self.tokens)}", self.keep, lambda: self.now, lambda items, size: None
        )
        report = Report()
        taken: list[Step] = []

        def take(pages: Iterable[Sequence[Step]]) -> set[Place]:
            listed = [list(page) for page in pages]
            taken.extend(step for page in listed for step in page)
            return apply(listed, tools, report)

        recover(self.state, stores)
        job = Job(
            state=self.state,
            stores=stores,
            paths={n: f"folder {n}" for n in COLLECTIONS},
            selected=COLLECTIONS,
            policy=policy,
            guard=0.25,
            unguarded=() if guarded else COLLECTIONS,
            take=take,
            workers=workers,
            now=lambda: self.now,
            stamps=self.stamps(),
            probe=self.stamps,
        )
        converge(job, report)
        return report, taken

    def interrupted(self, calls: int, act: Callable[[], object] | None = None, *, at: str = "", policy: Policy = ANY) -> bool:
        """A run that is cut (act is None) or meets an act of somebody after so many calls (`at`: of that name); True if it was
        cut. A side that is away ends it, too.
        """
        self.left, self.then, self.where = calls, act, at
        try:
            self.run(policy)
        except Crash:
            return True
        except EwsBridgeError:
            return False
        finally:
            self.left = None
        return False

    def settle_down(self, policy: Policy = ANY) -> list[Step]:
        """Undisturbed runs until one has nothing to do, with both sides in a good mood; all steps that they took."""
        for world in self.worlds.values():
            world.moods.clear()
            world.unlistable.clear()
        if self.state.failures():
            self.now += 2 * DAY
        steps: list[Step] = []
        for _ in range(6):
            report, taken = self.run(policy)
            assert not report.failures, report.failures
            steps += taken
            if not taken:
                return steps
        raise AssertionError(f"not quiet: {taken}")
