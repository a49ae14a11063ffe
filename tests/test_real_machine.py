"""Histories on the real stores: Maildir, the sandbox, the state file with faults and acts in between.

Fewer than in tests/test_sync_machine.py, which finds what is wrong in the engine;
this one finds what the stores do not keep.
"""

from __future__ import annotations

import random
import tempfile
from collections import Counter
from contextlib import ExitStack
from pathlib import Path

import hypothesis.strategies as st
from hypothesis import settings
from hypothesis.stateful import RuleBasedStateMachine
from hypothesis.stateful import initialize
from hypothesis.stateful import rule

from tests.effort import TORTURE
from tests.inside import Inside
from tests.mirror import message
from tests.sandbox_server import running
from tests.test_crash import UP_OPERATIONS
from tests.test_crash import edit_somewhere
from tests.test_crash import held
from tests.test_crash import number_of
from tests.test_pinned import acting

FAULTS = ("lost-reply", "drop", "truncate", "busy:20", "http-503")
DOWN = ("SyncFolderItems", "SyncFolderHierarchy", "GetItem", "FindFolder")


class RealMachine(RuleBasedStateMachine):
    """Two folders in which users add, mark, move and delete messages on both sides; `alive`: what nobody deleted."""

    @initialize(seed=st.integers(0, 2**16))
    def start(self, seed: int) -> None:
        self.open = ExitStack()
        home = Path(self.open.enter_context(tempfile.TemporaryDirectory(prefix="machine-")))
        self.server = self.open.enter_context(running(mime="keep"))
        self.user = Inside(home, self.server.url)
        self.user.configure(timeout=10, more='guard = "100%"\nfolders = ["INBOX", "Sent Items"]')
        self.rng = random.Random(seed)
        self.number = 0
        for _ in range(3):
            self.number += 1
            self.server.alice.add_mime(self.server.alice.folder("inbox"), message(self.number))
        self.alive = {str(n + 1) for n in range(3)}
        self.user.syncs()

    def act(self) -> None:
        self.number += 1
        edit_somewhere(self.user, self.server.alice, self.rng, self.number, self.alive)

    @rule()
    def somebody_acts(self) -> None:
        self.act()

    @rule(operation=st.sampled_from(DOWN + UP_OPERATIONS), fault=st.sampled_from(FAULTS), nth=st.integers(1, 2))
    def sync_among_faults(self, operation: str, fault: str, nth: int) -> None:
        self.server.faults({"operation": operation, "nth": nth, "times": 1, "fault": fault})
        assert self.user.run("sync").code in (0, 1, 69, 75)
        self.server.faults()

    @rule(
        operation=st.sampled_from(("SyncFolderItems", "GetItem", "CreateItem", "MoveItem", "UpdateItem")), nth=st.integers(1, 3)
    )
    def sync_while_somebody_acts(self, operation: str, nth: int) -> None:
        before = self.server.sandbox.witness
        acting(self.server, operation, self.act, nth=nth)
        assert self.user.run("sync").code in (0, 1)
        self.server.sandbox.witness = before

    @rule()
    def converges(self) -> None:
        for _ in range(3):
            said = self.user.syncs()
            if "nothing new" in said:
                break
        else:
            raise AssertionError(f"not quiet: {said}")
        held_here = Counter(
            number_of(item) for role in ("inbox", "sentitems") for item in self.server.alice.folder(role).items.values()
        )
        assert self.alive <= held_here.keys(), f"lost {self.alive - held_here.keys()}"
        assert max(held_here.values(), default=1) == 1, f"twice {held_here}"
        assert max(held(self.server.alice).values(), default=1) == 1

    def teardown(self) -> None:
        self.open.close()


TestRealMachine = RealMachine.TestCase
TestRealMachine.settings = settings(max_examples=400 if TORTURE else 30, stateful_step_count=12)
