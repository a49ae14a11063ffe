"""Any history of edits on both sides, crashes at any call, sides that lie or fail, and edits during a run: converges, loses
nothing, duplicates nothing, and deletes nothing that no user deleted.

Two sides in memory (tests/memory.py); the state is the real one, on SQLite. Contents are unique, so that each can be followed.
"""

from __future__ import annotations

import itertools
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass

import hypothesis.strategies as st
from hypothesis import settings
from hypothesis.stateful import RuleBasedStateMachine
from hypothesis.stateful import initialize
from hypothesis.stateful import rule

from ews_bridge.model import Flag
from ews_bridge.model import Flags
from ews_bridge.model import Policy
from ews_bridge.model import Side
from tests.memory import MOODS
from tests.memory import TRASHED
from tests.memory import World
from tests.torture.engine import COLLECTIONS
from tests.torture.engine import Bench

FLAGS = st.frozensets(st.sampled_from([Flag.SEEN, Flag.FLAGGED, Flag.ANSWERED, Flag.FORWARDED]))
SIDES = st.sampled_from(Side)
ACTS = ("crash", "crash", "edit", "delete", "mark", "tag", "move", "copy", "create", "trash", "touch", "stale")
NAMES = st.frozensets(st.sampled_from(["a", "b", "c"]))


@dataclass(frozen=True)
class Intent:
    """What a user of one side alone did to an item that both sides had: it must come out so. `flags` None: deleted."""

    side: Side
    content: bytes
    flags: Flags | None
    collection: int


class Machine(RuleBasedStateMachine):
    """`alive`: contents that some user made last and nobody removed. `gone`: those that a user deleted or replaced. `copied`:
    those that a user copied. `origin`: the content that an edited one had when both sides agreed last. `intents`: see there; by
    that content, None where both sides were at it, or nobody can tell any more. `tagged` and `untagged`: by content, the tags
    that some user added to it and nobody removed since, and those that one removed that both sides had and nobody added since.
    """

    @initialize(
        delta_local=st.booleans(),
        delta_remote=st.booleans(),
        keyed=st.booleans(),
        stamped=st.booleans(),
        frozen=st.sampled_from([(), (), (), (2,)]),
        closed=st.sampled_from([(), (), (), (2,)]),
    )
    def start(
        self,
        *,
        delta_local: bool,
        delta_remote: bool,
        keyed: bool,
        stamped: bool,
        frozen: tuple[int, ...],
        closed: tuple[int, ...],
    ) -> None:
        self.bench = Bench(delta_local=delta_local, delta_remote=delta_remote, keyed=keyed, stamped=stamped)
        self.count = itertools.count()
        self.policy = Policy(frozen=frozenset(frozen), closed=frozenset(closed))
        self.alive: set[bytes] = set()
        self.gone: set[bytes] = set()
        self.copied: set[bytes] = set()
        self.origin: dict[bytes, bytes] = {}
        self.intents: dict[bytes, Intent | None] = {}
        self.agreed: set[bytes] = set()
        self.tagged: dict[bytes, set[str]] = {}
        self.untagged: dict[bytes, set[str]] = {}
        self.clear = True  # nothing came between since both sides agreed: what a user does now is seen for what it is

    def world(self, side: Side) -> World:
        return self.bench.worlds[side]

    def pick(self, side: Side, index: int) -> str | None:
        ids = sorted(self.world(side).items)
        return ids[index % len(ids)] if ids else None

    def note(self, side: Side, content: bytes, ident: str | None, *, wish: bool = False) -> None:
        """A user of that side did something to the item, which is now under that id there."""
        first = self.origin.get(content, content)
        before = self.intents.get(first)
        known = first in self.agreed and self.clear and not {first, content} & self.copied
        if not known or (first in self.intents and (before is None or before.side is not side)):
            self.intents[first] = None
            return
        item = self.world(side).items[ident] if ident else None
        if item and Flag.TRASHED in item.flags and not wish:
            self.intents[first] = None  # the wish to delete may have been heard before, and outweighed by an edit
            return
        flags = None if item is None or wish else item.flags
        self.intents[first] = Intent(side, item.content if item else content, flags, item.collection if item else 0)

    # ---- what users do

    @rule(
        side=SIDES,
        flags=FLAGS,
        tags=NAMES,
        collection=st.sampled_from(COLLECTIONS),
        draft=st.booleans(),
        key=st.sampled_from(["own", "own", "twin", "none"]),
    )
    def user_creates(
        self, *, side: Side, flags: Flags, collection: int, draft: bool, key: str, tags: frozenset[str] = frozenset()
    ) -> None:
        n = next(self.count)
        content = f"c{n}".encode()
        # two mails of one Message-ID on one side stay two; on both sides they would be one mail by definition
        keys = {"own": f"<k{n}>", "twin": f"<{side}-twin>", "none": ""}
        self.world(side).add(content, keys[key], flags, collection, draft=draft, sent=n + 1, tags=tags)
        self.tagged[content] = set(tags)
        self.alive.add(content)

    @rule(side=SIDES, index=st.integers(0, 9))
    def user_edits(self, side: Side, index: int) -> None:
        ident = self.pick(side, index)
        if ident and self.world(side).items[ident].revision:
            old = self.world(side).items[ident].content
            content = f"c{next(self.count)}".encode()
            self.alive.discard(old)
            self.gone.add(old)
            self.world(side).edit(ident, content)
            # what is marked to be deleted is so with its edits
            (self.gone if Flag.TRASHED in self.world(side).items[ident].flags else self.alive).add(content)
            self.origin[content] = self.origin.get(old, old)
            self.tagged[content] = self.tagged.pop(old, set())
            self.untagged.pop(old, None)  # where both edited it, the other may win
            self.note(side, content, ident)

    @rule(side=SIDES, index=st.integers(0, 9), flags=FLAGS)
    def user_marks(self, side: Side, index: int, flags: Flags) -> None:
        ident = self.pick(side, index)
        if ident:
            item = self.world(side).items[ident]
            self.world(side).set_flags(ident, flags | (item.flags & TRASHED))
            self.note(side, item.content, ident)

    @rule(side=SIDES, index=st.integers(0, 9), names=NAMES, place=st.integers(0, 1))
    def user_tags(self, side: Side, index: int, names: frozenset[str], place: int) -> None:
        """On the server: in one of its two places."""
        ident = self.pick(side, index)
        if ident:
            world = self.world(side)
            item = world.items[ident]
            where = world.places[place % len(world.places)]
            before = item.tags[where]
            world.set_tags(ident, {where: names})
            new, old = names - before, before - names
            origin = self.origin.get(item.content, item.content)
            for content in [each for each, first in self.origin.items() if first == origin and each in self.tagged]:
                self.tagged[content] -= old  # the same item, which the other side edited meanwhile
            self.tagged[item.content] = (self.tagged.get(item.content, set()) | new) - old
            known = self.clear and item.content in self.agreed
            self.untagged[item.content] = (self.untagged.get(item.content, set()) | (old if known else set())) - new
            self.note(side, item.content, ident)

    @rule(index=st.integers(0, 9), wanted=st.booleans())
    def user_trashes(self, index: int, *, wanted: bool) -> None:
        """On disk: mutt's way to delete, and to change its mind."""
        ident = self.pick(Side.LOCAL, index)
        if ident:
            item = self.bench.local.items[ident]
            wish = wanted and Flag.TRASHED not in item.flags
            self.bench.local.set_flags(ident, item.flags | TRASHED if wanted else item.flags - TRASHED)
            if wanted:
                self.alive.discard(item.content)
                self.gone.add(item.content)
            self.note(Side.LOCAL, item.content, ident, wish=wish)

    @rule(side=SIDES, index=st.integers(0, 9), collection=st.sampled_from(COLLECTIONS))
    def user_moves(self, side: Side, index: int, collection: int) -> None:
        ident = self.pick(side, index)
        if ident and self.world(side).items[ident].collection != collection:
            content = self.world(side).items[ident].content
            self.note(side, content, self.world(side).move(ident, collection))

    @rule(side=SIDES, index=st.integers(0, 9))
    def user_deletes(self, side: Side, index: int) -> None:
        ident = self.pick(side, index)
        if ident:
            content = self.world(side).items[ident].content
            self.alive.discard(content)
            self.gone.add(content)
            self.tagged.pop(content, None)  # where the other side moved it, it comes back as that side has it
            self.untagged.pop(content, None)
            self.world(side).remove(ident)
            self.note(side, content, None)

    @rule(side=SIDES, index=st.integers(0, 9), collection=st.sampled_from(COLLECTIONS))
    def user_copies(self, side: Side, index: int, collection: int) -> None:
        ident = self.pick(side, index)
        if ident and not self.world(side).items[ident].revision:
            content = self.world(side).items[ident].content
            self.copied.add(content)
            self.tagged.pop(content, None)
            self.untagged.pop(content, None)
            self.intents[self.origin.get(content, content)] = None
            self.world(side).copy(ident, collection)

    # ---- how sides fail

    @rule(side=SIDES, index=st.integers(0, 9))
    def revision_changes_for_nothing(self, side: Side, index: int) -> None:
        ident = self.pick(side, index)
        if ident and self.world(side).items[ident].revision:
            self.world(side).change(ident, revision=self.world(side).fresh())
            self.note(side, self.world(side).items[ident].content, ident)

    @rule(side=SIDES)
    def cursors_go_stale(self, side: Side) -> None:
        self.world(side).epoch += 1

    @rule(side=SIDES, moods=st.lists(st.sampled_from(MOODS), min_size=1, max_size=5))
    def side_is_moody(self, side: Side, moods: list[str]) -> None:
        self.world(side).moods.extend(moods)

    @rule(side=SIDES, collection=st.sampled_from(COLLECTIONS), pages=st.integers(0, 2))
    def listing_fails(self, side: Side, collection: int, pages: int) -> None:
        self.world(side).unlistable[collection] = pages

    @rule(side=SIDES)
    def listing_works_again(self, side: Side) -> None:
        self.world(side).unlistable.clear()

    # ---- runs

    def sync(self, calls: int = 10_000, act: Callable[[], None] | None = None, *, policy: Policy | None = None) -> None:
        self.clear = False
        self.bench.interrupted(calls, act, policy=policy or self.policy)

    @rule(writes=st.sampled_from([frozenset({Side.LOCAL}), frozenset({Side.REMOTE}), frozenset(Side)]), refill=st.booleans())
    def sync_in_part(self, writes: frozenset[Side], *, refill: bool) -> None:
        if refill:
            self.intents = dict.fromkeys(self.intents)  # what was deleted comes back
            self.untagged.clear()
        self.sync(policy=Policy(writes=writes, refill=refill, frozen=self.policy.frozen, closed=self.policy.closed))

    @rule(
        calls=st.integers(0, 50),
        act=st.sampled_from(ACTS),
        side=SIDES,
        index=st.integers(0, 5),
        flags=FLAGS,
        collection=st.sampled_from(COLLECTIONS),
    )
    def sync_interrupted(self, calls: int, act: str, side: Side, index: int, flags: Flags, collection: int) -> None:
        acts: dict[str, Callable[[], None] | None] = {
            "crash": None,
            "edit": lambda: self.user_edits(side, index),
            "delete": lambda: self.user_deletes(side, index),
            "mark": lambda: self.user_marks(side, index, flags),
            "tag": lambda: self.user_tags(side, index, frozenset("ab"), len(flags)),
            "move": lambda: self.user_moves(side, index, collection),
            "copy": lambda: self.user_copies(side, index, collection),
            "create": lambda: self.user_creates(side=side, flags=flags, collection=collection, draft=False, key="own"),
            "trash": lambda: self.user_trashes(index, wanted=True),
            "touch": lambda: self.revision_changes_for_nothing(side, index),
            "stale": lambda: self.cursors_go_stale(side),
        }
        self.sync(calls, acts[act])

    @rule()
    def converges(self) -> None:
        self.bench.settle_down(self.policy)
        local, remote = self.bench.local, self.bench.remote
        views = [
            Counter((i.content, i.flags, i.collection) for i in world.items.values() if Flag.TRASHED not in i.flags)
            for world in (local, remote)
        ]
        # What its reader marked to be deleted before it went up stays where it is; a `T` that was not granted stays as well.
        for item in local.items.values():
            view = (item.content, item.flags - TRASHED, item.collection)
            if Flag.TRASHED in item.flags and views[0][view] < views[1][view]:
                views[0][view] += 1
        assert views[0] == views[1], views
        have = Counter(content for content, _, _ in views[0].elements())
        thrown = set(local.thrown) if self.policy.frozen or self.policy.closed else set()
        lost = self.alive - have.keys() - set(self.bench.aside) - thrown
        assert not lost, f"lost {lost}"
        twice = {content for content, n in have.items() if n > 1} - self.copied
        assert not twice, f"twice {twice}"
        if not (self.policy.frozen or self.policy.closed):
            wrong = (set(local.thrown) | set(remote.thrown)) - self.gone
            assert not wrong, f"deleted, and no user did {wrong}"
            for intent in filter(None, self.intents.values()):
                found = [(flags, where) for content, flags, where in views[0].elements() if content == intent.content]
                assert found == ([] if intent.flags is None else [(intent.flags, intent.collection)]), (intent, views[0])
            self.tags_converged()
        self.tagged.clear()
        self.untagged.clear()
        self.intents.clear()
        self.origin.clear()
        self.agreed = set(have)
        self.clear = True

    def tags_converged(self) -> None:
        """All places of an item have the same tags; what was added is there, what was removed is not."""
        for world in (self.bench.local, self.bench.remote):
            for item in world.items.values():
                if Flag.TRASHED in item.flags:
                    continue
                (names,) = set(item.tags.values())
                if item.content in self.copied:  # of two with one content nobody can tell which was tagged
                    continue
                assert self.tagged.get(item.content, set()) <= names, (item, self.tagged)
                assert not self.untagged.get(item.content, set()) & names, (item, self.untagged)
        everywhere = [
            Counter((item.content, names) for item in world.items.values() for names in set(item.tags.values()))
            for world in (self.bench.local, self.bench.remote)
        ]
        trashed = {item.content for item in self.bench.local.items.values() if Flag.TRASHED in item.flags}
        mine, theirs = ({view for view in views if view[0] not in trashed} for views in everywhere)
        assert mine == theirs, (mine, theirs)


TestSyncMachine = Machine.TestCase
TestSyncMachine.settings = settings(stateful_step_count=20)


def test_enough_crash_points_are_hit() -> None:
    """A history with every kind of step passes through every kind of call that can be cut."""
    bench = Bench()
    local, remote = bench.local, bench.remote
    moved = remote.add(b"a", "<a>", frozenset(), 1)
    marked = remote.add(b"b", "<b>", frozenset(), 1)
    removed = remote.add(b"c", "<c>", frozenset(), 1)
    draft = remote.add(b"d", "<d>", frozenset(), 1, draft=True)
    local.add(b"e", "<e>", frozenset({Flag.SEEN}), 2)
    bench.settle_down()
    remote.set_tags(remote.move(moved, 2), {"categories": frozenset("x")})
    remote.change(marked, flags=frozenset({Flag.SEEN}))
    remote.remove(removed)
    remote.edit(draft, b"d2")
    remote.copy(marked, 2)
    bench.settle_down()
    wanted = {
        f"{when} {what}" for when in ("before", "after") for what in ("create", "update", "mark", "tag", "move", "copy", "delete")
    }
    wanted |= {f"{when} {what}" for when in ("before", "after") for what in ("observe", "begin", "settle", "pair")}
    assert wanted | {"scan", "read"} <= bench.points.keys()
