"""The folder tree of a kind: itself a collection, planned and applied before what is in the folders.

A folder's row number is the number of its collection, for good: renames on either side do not touch what is in it. Folders
of other kinds (calendars among the mail folders), hidden ones and those that the configuration leaves out are not looked at;
a linked folder that leaves the scope is forgotten: its files go to the trash, the server keeps everything.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from collections.abc import Iterable
from collections.abc import Mapping
from collections.abc import Sequence
from dataclasses import dataclass
from dataclasses import replace
from fnmatch import fnmatchcase

from ews_bridge.errors import BadItem
from ews_bridge.errors import Stale
from ews_bridge.model import Create
from ews_bridge.model import Delete
from ews_bridge.model import Entry
from ews_bridge.model import Forget
from ews_bridge.model import Move
from ews_bridge.model import Policy
from ews_bridge.model import Row
from ews_bridge.model import Scan
from ews_bridge.model import Settle
from ews_bridge.model import Side
from ews_bridge.model import Step
from ews_bridge.plan import allowed
from ews_bridge.plan import base_of
from ews_bridge.plan import plan
from ews_bridge.plan import restore_row
from ews_bridge.report import Failure
from ews_bridge.report import Report
from ews_bridge.state import State
from ews_bridge.store import Store
from ews_bridge.store import Tree

Trees = Mapping[Side, Tree]

#: A rename may have to wait for another to make room, and a ring of renames for a detour.
ROUNDS = 6


def included(path: str, patterns: Iterable[str]) -> bool:
    """Whether the configuration's `folders` cover this path: the last pattern that matches decides, `!` excludes."""
    verdict = False
    for pattern in patterns:
        if fnmatchcase(path, pattern.removeprefix("!")):
            verdict = not pattern.startswith("!")
    return verdict


@dataclass(frozen=True, slots=True)
class Scope:
    """Which folders are to be synced: of this class (PidTagContainerClass 0x3613), or one derived from it, and covered by these
    patterns.
    """

    patterns: Sequence[str] = ("*",)
    folder_class: str = "IPF.Note"

    def holds(self, label: str) -> bool:
        """Whether a folder of this class is of the kind; unknown ("", a local folder) counts."""
        return label in ("", self.folder_class) or label.startswith(f"{self.folder_class}.")

    def covers(self, row: Row) -> bool:
        """Whether this folder is to be synced."""
        entry = row.remote or row.local
        return entry is not None and self.holds(entry.hints.label) and included(entry.key, self.patterns)


def observe(state: State, trees: Trees) -> None:
    """List both trees into the state. What was in a folder that is gone on a side is gone there, too."""
    for side, tree in trees.items():
        cursor, _, _ = state.cursor(side, 0)
        for page in tree.scan(cursor, lambda side=side: state.known(side, 0)):  # type: ignore[misc]
            if page.entries or page.vanished or page.first or page.cursor != state.cursor(side, 0)[0]:
                state.observe(side, 0, page)
    state.pair()
    for row in state.folders():
        for side in trees:
            if row[side] is None and state.cursor(side, row.number)[0]:
                state.lose(side, row.number)


@dataclass(frozen=True, slots=True)
class Job:
    """What is to be made alike, and how. `fixed`: the numbers of the folders that stay as the server has them, and why.

    `take` carries steps out and returns those of which something came; a dry run only counts.
    """

    state: State
    trees: Trees
    scope: Scope
    policy: Policy
    fixed: Mapping[int, str]
    take: Callable[[State, Trees, Iterable[Step], Report], list[Step]]

    def plan(self) -> list[Step]:
        rows = [row for row in self.state.differing(folders=True, limit=1_000_000) if self.scope.covers(row)]
        policy = replace(self.policy, frozen=frozenset())
        free = plan([row for row in rows if row.number not in self.fixed], policy).steps
        return [*free, *(step for row in rows if row.number in self.fixed for step in restore_row(row) if allowed(step, policy))]


def converge(job: Job, report: Report) -> list[Failure]:
    """Create and move folders until both trees are alike; what is in the way at the end. Deletions wait until what is in the
    folders is dealt with: only then is the name of a folder that is gone free for another.
    """
    failures: list[Failure] = []
    for _ in range(ROUNDS):
        steps = sorted((step for step in job.plan() if not isinstance(step, Delete)), key=_depth)
        renamed = _renamed(job.state)
        told = Report()
        taken = job.take(job.state, job.trees, (_below(renamed, step) for step in steps), told)
        undone = [step for step in taken if step.row.number in job.fixed and _undoes(step)]
        report.reverted += [f"{step}: {job.fixed[step.row.number]}" for step in undone]
        done = len(taken)
        report.done = dict(Counter(report.done) + Counter(told.done))
        failures = told.failures
        if not done:
            break
    return failures


def _renamed(state: State) -> dict[str, str]:
    """Path on disk → path on the server, where the latter is the news."""
    both = [(row.link, row.local, row.remote) for row in state.folders() if row.local and row.remote]
    return {local.key: remote.key for link, local, remote in both if remote.key not in (local.key, link and link.remote.key)}


def _below(renamed: Mapping[str, str], step: Step) -> Step:
    """What is new in a directory that gets the name that its folder has on the server is made in that folder."""
    if not (isinstance(step, Create) and step.to is Side.REMOTE):
        return step
    above = step.source.key
    while "/" in above:
        above = above.rpartition("/")[0]
        if above in renamed:
            return replace(step, source=replace(step.source, key=renamed[above] + step.source.key.removeprefix(above)))
    return step


def taken_for(state: State) -> list[tuple[str, str]]:
    """Folders that were on disk before the first run and are the server's under another name: (path on disk, path there)."""
    rows = ((row.local.key, row.remote.key) for row in state.folders() if row.link is None and row.local and row.remote)
    return [(here, there) for here, there in rows if here.casefold() != there.casefold()]


def _undoes(step: Step) -> bool:
    """Whether it brings back what was done on disk to a folder that stays as the server has it."""
    link, local = step.row.link, step.row.local
    return link is not None and getattr(step, "to", None) is Side.LOCAL and (local is None or local.key != link.local.key)


def dying(job: Job) -> list[Step]:
    """The folders that one side lost, from the bottom up."""
    return sorted((step for step in job.plan() if isinstance(step, Delete | Forget)), key=_depth, reverse=True)


def revive(job: Job, items: Policy, report: Report) -> bool:
    """Make folders again that one side lost, when the other has something new in them, or folders that live; whether any was.

    An edit beats a deletion, for folders, too. `items`: the policy for what is in them.
    """
    again: list[Step] = []
    doomed = {step.row.number for step in dying(job)}
    for step in dying(job):  # from the bottom up: a folder that stays keeps those above it
        if not isinstance(step, Delete):
            continue
        dead, below = step.to.other, f"{step.target.key}/"
        others = (entry for row in job.state.folders() if row.number not in doomed and (entry := row[step.to]))
        within = plan(job.state.linked_in(step.row.number), items).steps
        news = any(isinstance(each, Create) and each.to is dead for each in within)
        # Only a server's folders need one that they are in; on disk a directory will do, and may be another folder's soon.
        if news or (step.to is Side.REMOTE and any(entry.key.startswith(below) for entry in others)):
            doomed.discard(step.row.number)
            again.append(Create(step.row, dead, step.target))
    return bool(job.take(job.state, job.trees, sorted(again, key=_depth), report))


def delete(job: Job, report: Report) -> None:
    """Remove the folders that one side lost and in which nothing is left."""
    job.take(job.state, job.trees, [step for step in dying(job) if not job.state.linked_in(step.row.number)], report)


def take(state: State, trees: Trees, steps: Iterable[Step], report: Report) -> list[Step]:
    """Carry steps out; those of which something came. They are settled together, also when an error ends them early: the next
    run would find the folders where they are now.
    """
    taken: list[tuple[Step, Row]] = []
    try:
        for step in steps:
            try:
                if isinstance(step, Create) and step.to is Side.REMOTE:
                    _create_parents(state, trees[step.to], step)
                taken.append((step, _taken(trees, step)))
            except (BadItem, Stale) as error:
                entry = step.row.remote or step.row.local
                report.failures.append(Failure(entry.key if entry else "a folder", str(error), error.hint))
    finally:
        if taken:
            state.settle([row for _, row in taken])
    report.count(said for step, _ in taken for said in word(step))
    return [step for step, _ in taken]


def _create_parents(state: State, tree: Tree, step: Create) -> None:
    """A Maildir may lie in a directory that is none itself; on the server each folder has a parent that is a folder."""
    known = {entry.key for entry in state.known(step.to, 0).values()}
    parts = step.source.key.split("/")
    for depth in range(1, len(parts)):
        path = "/".join(parts[:depth])
        if path not in known:
            state.observe(step.to, 0, Scan(entries=(tree.create(path),), cursor=state.cursor(step.to, 0)[0]))


def word(step: Step) -> list[str]:
    """What the summary counts this step as, if it counts at all."""
    return [f"{_VERBS[type(step)]} folder"] if type(step) in _VERBS else []


_VERBS: dict[type, str] = {Create: "new", Move: "renamed", Delete: "removed"}


def _taken(trees: Trees, step: Step) -> Row:
    match step:
        case Settle(row=row, link=link):
            return replace(row, link=link)
        case Forget(row=row):
            return Row(row.number, None, None, None)
        case Create(row=row, to=to, source=source):
            made, other = trees[to].create(source.key), row[to.other] or source
            if other.key != source.key:  # made elsewhere (`_below`): the directory follows it in the next round
                return Row(row.number, base_of(other, replace(made, key=other.key), frozenset()), other, made)
            return _linked(row, to, made, other)
        case Move(row=row, to=to, target=target, like=like):
            return _moved(trees, row, to, target, like)
        case Delete(row=row, to=to, target=target):
            trees[to].delete(target)
            return Row(row.number, None, None, None)
        case _:
            raise AssertionError(step)


def _moved(trees: Trees, row: Row, to: Side, target: Entry, like: Entry) -> Row:
    """Rename; where another folder still has the name, step aside so that it can move first (two folders that swap names)."""
    try:
        return _linked(row, to, trees[to].move(target, like.key), like)
    except BadItem:
        aside = f"{like.key}~{row.number}"
        if target.key == aside:
            raise
        made = trees[to].move(target, aside)
        return replace(row, local=made) if to is Side.LOCAL else replace(row, remote=made)


def _linked(row: Row, side: Side, made: Entry, other: Entry) -> Row:
    """Both are one folder now. A server takes names that differ in case for one: the spelling that was there first goes round."""
    agreed = replace(made, key=other.key)
    made = made if made.key.casefold() == other.key.casefold() else agreed
    base = base_of(agreed, other, frozenset()) if side is Side.LOCAL else base_of(other, agreed, frozenset())
    return Row(row.number, base, *((made, other) if side is Side.LOCAL else (other, made)))


def _depth(step: Step) -> tuple[int, str]:
    """Parents first, by the path that the folder is to have."""
    entry = step.like if isinstance(step, Move) else step.row.remote or step.row.local
    path = entry.key if entry else ""
    return path.count("/"), path


def leaving(state: State, scope: Scope) -> list[Row]:
    """Folders on disk that the configuration no longer covers."""
    return [row for row in state.folders() if row.link and row.local and not scope.covers(row)]


def forget(state: State, row: Row, store: Store, tree: Tree) -> int:
    """A folder that is no longer to be synced: its files go to the trash, its rows are dropped; returns how many files."""
    rows = state.linked_in(row.number)
    entries = [each.local for each in rows if each.local is not None]
    for _ in store.delete(entries):
        continue
    state.settle([Row(each.number, None, None, None) for each in rows])
    for side in Side:
        state.lose(side, row.number)
    if row.local is not None:
        tree.delete(row.local)
    state.settle([replace(row, link=None, local=None)])
    return len(entries)
