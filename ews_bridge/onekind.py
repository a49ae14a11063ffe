"""One kind of an account (its mail, its calendars, its tasks), from folder trees to report.

The order: make sure that the tree on disk is the one we know → ask which folders of the server changed, and what may be done
there (`survey`) → list both folder trees and make them alike → finish what an earlier run began (`recover`) → list the folders
that changed and the local ones → rounds of plan and apply (`converge.py`) → remove folders that are gone → report. Every kind
has a state of its own; what differs between kinds is said in `kinds.py`.

A dry run is the same code on a copy of the state in memory; only what carries steps out is exchanged for what prints them.
"""

from __future__ import annotations

import hashlib
import json
import time
from collections.abc import Callable
from collections.abc import Iterable
from collections.abc import Iterator
from collections.abc import Sequence
from concurrent.futures import Executor
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import asdict
from dataclasses import dataclass
from dataclasses import field
from dataclasses import replace
from functools import partial

from ews_bridge import apply
from ews_bridge import binding
from ews_bridge import converge
from ews_bridge import disk
from ews_bridge import folders as folder_trees
from ews_bridge import kinds
from ews_bridge import signin
from ews_bridge import trash
from ews_bridge.batch import Stores
from ews_bridge.config import Account
from ews_bridge.errors import BadItem
from ews_bridge.errors import Refused
from ews_bridge.exchange.meetingmail import Policies
from ews_bridge.exchange.meetingmail import Telling
from ews_bridge.exchange.session import Connection
from ews_bridge.exchange.survey import Survey
from ews_bridge.exchange.tree import ExchangeTree
from ews_bridge.kinds import Kind
from ews_bridge.limits import limits as limits_of
from ews_bridge.model import Content
from ews_bridge.model import Entry
from ews_bridge.model import Policy
from ews_bridge.model import Row
from ews_bridge.model import Side
from ews_bridge.model import Step
from ews_bridge.report import WAITS
from ews_bridge.report import Failure
from ews_bridge.report import Report
from ews_bridge.runs import Options
from ews_bridge.runs import Progress
from ews_bridge.state import State
from ews_bridge.store import Store
from ews_bridge.store import Tree

#: Folders in which losing everything is ordinary: no guard stands before them.
UNGUARDED = ("deleteditems", "junkemail")


@dataclass(frozen=True, slots=True)
class Run:
    """What is open while one account is synced."""

    account: Account
    kind: Kind
    options: Options
    progress: Progress
    state: State
    trees: dict[Side, Tree]
    remote: ExchangeTree
    meetings: Policies
    workers: Executor
    name: str
    report: Report
    survey: Survey = field(default_factory=Survey)


def keep(
    account: Account, kind: Kind, *, options: Options, progress: Progress, connection: Connection, name: str, report: Report
) -> tuple[str, ...]:
    """Bring one kind of an account together, under the account's lock, into the report; the FOLDERs that it does not know.

    Raises EwsBridgeError for what concerns the whole kind. `name`: the run's, for the trash.
    """
    with (signin.copied if options.dry_run else signin.opened)(account, kind.name) as state:
        began = time.time()
        with _opened(account, kind, options, progress, state, connection, name, report) as run:
            run = replace(_bound(run), survey=run.remote.survey())
            with kinds.tags(
                kind, account, state, run.remote.tagging, write=not options.dry_run and Side.REMOTE in options.writes
            ):
                in_the_way = _trees(run)
                unknown = tuple(path for path in options.folders if path not in _by_path(run))
                run = _items(run)
                if folder_trees.revive(_folder_job(run), _policy(run, run.state.folders()), run.report):
                    _items(replace(run, survey=run.remote.survey()))
                    run.report.refused[:] = dict.fromkeys(run.report.refused)  # told twice
            if kind.name != "mail":
                run.report.notes += kinds.doubles(kind, state, remember=not options.dry_run)
            _finish(run, began, in_the_way)
            return unknown


def _bound(run: Run) -> Run:
    """The run, once it is sure that it has to do with the tree it knows; `status` can tell when it has not."""
    dry = run.options.dry_run
    try:
        bound = binding.check(run.state, run.account, run.kind.root, refill=run.options.refill, write=not dry)
    except Refused as refusal:
        if not dry:
            refused = [asdict(Failure(str(run.kind.section.path), str(refusal), refusal.hint))]
            run.state.put({"last": json.dumps({"run": run.name, "report": {"refused": refused}})})
        raise
    run.report.notes.extend(bound.notes)
    return replace(run, options=replace(run.options, refill=run.options.refill or bound.refill))


@contextmanager
def _opened(
    account: Account,
    kind: Kind,
    options: Options,
    progress: Progress,
    state: State,
    connection: Connection,
    name: str,
    report: Report,
) -> Iterator[Run]:
    kept = trash.Trash(str(account.state_dir / "trash"), name, kind=kind.name)
    meetings = kinds.meetings(kind, state, options.meeting_mail, report.meeting_mail)
    remote = kinds.remote_tree(kind, account, connection, state, meetings.of)
    trees: dict[Side, Tree] = {Side.LOCAL: kinds.local_tree(kind, account, state, kept), Side.REMOTE: remote}
    with ThreadPoolExecutor(_width(account)) as workers:
        yield Run(account, kind, options, progress, state, trees, remote, meetings, workers, name, report)


def _width(account: Account) -> int:
    """Batches at work at once: one for each connection, and two whose files are being written. More cost memory (an arena of the
    allocator for each thread) and gain nothing.
    """
    return account.connections + 2


# ---- the two parts of a run


def _policy(run: Run, rows: Sequence[Row] = ()) -> Policy:
    """What this run may do, with these folders."""
    limits = limits_of(rows, run.survey, run.kind.section.read_only)
    return Policy(
        writes=run.options.writes,
        refill=run.options.refill,
        frozen=limits.frozen,
        closed=limits.closed,
        since=_now() - run.kind.section.since if run.kind.section.since else 0,
        max_size=run.kind.max_size,
        by_uid=run.kind.form is not None,
    )


def _trees(run: Run) -> list[Failure]:
    """Make the folder trees alike; returns what was in the way."""
    run.progress.phase("listing folders", None)
    if not run.state.get("special"):  # by which a folder of an IMAP program is recognised
        run.state.put({"special": json.dumps(run.remote.special())})
    folder_trees.observe(run.state, run.trees)
    taken = folder_trees.taken_for(run.state)
    run.report.notes += [f"{here} on disk is {there} on the server, and gets that name" for here, there in taken]
    if special := run.remote.special():
        run.state.put({"special": json.dumps(special)})
    return folder_trees.converge(_folder_job(run), run.report)


def _folder_job(run: Run) -> folder_trees.Job:
    special = set(json.loads(run.state.get("special") or "{}").values())
    rows = run.state.folders()
    default = {row.number: "a default folder keeps its name and place" for row in rows if row.remote and row.remote.id in special}
    fixed = {**limits_of(rows, run.survey, run.kind.section.read_only).fixed, **default}
    take = partial(_show_folders, run.progress) if run.options.dry_run else folder_trees.take
    return folder_trees.Job(run.state, run.trees, run.kind.scope, _policy(run), fixed, take)


def _show_folders(
    progress: Progress, state: State, trees: folder_trees.Trees, steps: Iterable[Step], report: Report
) -> list[Step]:
    for step in steps:
        report.count(folder_trees.word(step))
        if folder_trees.word(step):
            progress.step(str(step))
    return []


def _items(run: Run) -> Run:
    """Bring together what is in the folders. The run that is returned knows those that were made in it."""
    rows = [row for row in run.state.folders() if run.kind.scope.covers(row)]
    if any(row.remote and row.remote.id not in run.survey.stamps for row in rows):
        run = replace(run, survey=run.remote.survey())
    stores: dict[tuple[Side, int], Store] = {
        (side, row.number): run.trees[side].open(entry, row.number) for row in rows for side in Side if (entry := row[side])
    }
    paths = {row.number: entry.key for row in run.state.folders() if (entry := row.remote or row.local)}
    selected = _selected(run, rows)
    tools = _tools(run, stores)
    run.state.retry(WAITS)
    if not run.options.dry_run:
        apply.recover(run.state, stores)
    special = {ident: name for name, ident in json.loads(run.state.get("special") or "{}").items()}
    roots = [row.remote.key for row in rows if row.remote and special.get(row.remote.id) in UNGUARDED]
    unguarded = {number for number, path in paths.items() if any(f"{path}/".startswith(f"{root}/") for root in roots)}
    if run.options.allow_deletes:
        unguarded |= selected
    job = converge.Job(
        state=run.state,
        stores=stores,
        paths=paths,
        selected=selected,
        policy=_policy(run, rows),
        guard=run.kind.section.guard,
        unguarded=unguarded,
        take=_shower(run, stores) if run.options.dry_run else _taker(run, tools),
        coming=_coming(rows) if run.options.dry_run else set(),
        workers=run.workers,
        now=_now,
        stamps=_stamps(run.survey, rows),
        empty={row.number for row in rows if row.remote and row.remote.id in run.survey.empty},
        probe=lambda: _stamps(run.remote.survey(), rows),
    )
    run.progress.phase(f"listing {run.kind.items}", None)
    converge.converge(job, run.report)
    run.report.pending += sum(why.startswith(WAITS) for _, why in run.state.failures())
    return run


def _coming(rows: Sequence[Row]) -> set[converge.Place]:
    """The folders that a dry run did not make, and a real one would have made by now."""
    return {(side, row.number) for row in rows for side in Side if row[side] is None and row.link is None}


def _stamps(survey: Survey, rows: Sequence[Row]) -> dict[int, str]:
    """Collection → the server's change stamp of it."""
    return {row.number: survey.stamps.get(row.remote.id, "") for row in rows if row.remote}


def _selected(run: Run, rows: Sequence[Row]) -> set[int]:
    """The folders that the command line asks for; all when it names none."""
    by_path = _by_path(run)
    chosen: set[int] = set().union(*(by_path.get(path, set()) for path in run.options.folders or by_path))
    return chosen & {row.number for row in rows}


def _by_path(run: Run) -> dict[str, set[int]]:
    # Of two folders with one path, one is gone and the other has taken its name.
    found: dict[str, set[int]] = {}
    for row in run.state.folders():
        if (entry := row.remote or row.local) and run.kind.scope.covers(row):
            found.setdefault(entry.key, set()).add(row.number)
    return found


def _tools(run: Run, stores: Stores) -> apply.Tools:
    return apply.Tools(
        state=run.state,
        stores=stores,
        workers=run.workers,
        width=_width(run.account),
        new_token=partial(next, apply.tokens()),
        aside=lambda row, content: _keep_aside(run, row, content),
        now=_now,
        advance=run.progress.advance,
        same=run.kind.same,
    )


def _taker(run: Run, tools: apply.Tools) -> Callable[[Iterable[Sequence[Step]]], set[converge.Place]]:
    """Carries steps out; the generation of the tree is raised before the first."""
    raised: list[bool] = []

    def pages(planned: Iterable[Sequence[Step]]) -> Iterator[Sequence[Step]]:
        for steps in planned:
            if steps and not raised:
                binding.raise_generation(run.state, run.kind.root)
                raised.append(True)
            _ask(run, tools.stores, steps)
            for word in apply.words(steps):
                run.progress.step(word)
            yield steps

    def take(planned: Iterable[Sequence[Step]]) -> set[converge.Place]:
        run.progress.phase("syncing", run.state.count_differing())
        before = run.report.done.get("delete remote", 0)
        again = apply.apply(pages(planned), tools, run.report)
        if run.report.done.get("delete remote", 0) > before:
            again |= _bin(run) & tools.stores.keys()
        return again

    return take


def _ask(run: Run, stores: Stores, steps: Sequence[Step]) -> None:
    """Ask whether people are told, before the steps are carried out by threads that nobody can talk to."""
    ask = run.options.ask if run.meetings.usual.wish == "ask" else None
    for _, telling in _foretold(run, stores, steps) if ask else ():
        if ask and isinstance(telling, Telling) and telling.told is None:
            run.meetings.usual.answer(telling, told=ask(telling.notices[0]))


def _foretold(run: Run, stores: Stores, steps: Sequence[Step]) -> Iterator[tuple[Step, Telling | BadItem]]:
    """What steps would come to on the server; of mail nothing more is known."""
    if run.kind.form is None:
        return iter(())
    from ews_bridge import foretell  # and all that only items need

    # Of a folder that is not on the server yet, a store with nothing in it.
    return foretell.foretold(steps, stores, lambda number: run.remote.open(Entry("", "", "", frozenset(), 0), number))


def _bin(run: Run) -> set[converge.Place]:
    """Deleted Items: what we delete is there then, and belongs to this run, too."""
    ident = json.loads(run.state.get("special") or "{}").get("deleteditems")
    return {(Side.REMOTE, row.number) for row in run.state.folders() if row.remote and row.remote.id == ident}


def _shower(run: Run, stores: Stores) -> Callable[[Iterable[Sequence[Step]]], set[converge.Place]]:
    """Prints steps instead of taking them: the first round is all there is."""
    shown: list[bool] = []

    def take(planned: Iterable[Sequence[Step]]) -> set[converge.Place]:
        for steps in planned:
            if shown:
                continue
            foretold = list(_foretold(run, stores, steps))
            failures = {step.row.number: apply.failure(step, bad) for step, bad in foretold if isinstance(bad, BadItem)}
            run.report.failures += failures.values()
            possible = [step for step in steps if step.row.number not in failures]
            run.report.meeting_mail += [each for _, told in foretold if isinstance(told, Telling) for each in told.notices]
            run.report.count(said for step in possible if (said := apply.word(step)))
            for line in apply.words(possible):
                run.progress.step(line)
        shown.append(True)
        return set()

    return take


def _keep_aside(run: Run, row: Row, content: Content) -> str:
    """The local version of a conflict, under a name that is the same when the step is repeated."""
    data = b"".join(content.pieces())
    name = f"{row.number}-{hashlib.sha256(data).hexdigest()[:12]}"
    name = name if run.kind.form is None else f"{run.kind.name}-{name}{run.kind.form.suffix}"
    path = run.account.state_dir / "conflicts" / name
    disk.make_directory(str(path.parent))
    disk.write_whole(str(path), data)
    return str(path)


def _now() -> int:
    return int(time.time())


def _finish(run: Run, began: float, in_the_way: list[Failure]) -> None:
    """Folders that are gone, those that waited for their names, the trash, and what `status` will say of this run."""
    if run.options.dry_run:
        _show_folders(run.progress, run.state, run.trees, folder_trees.dying(_folder_job(run)), run.report)
        for row in folder_trees.leaving(run.state, run.kind.scope):
            run.progress.step(f"forget {row.local.key if row.local else ''}: no longer synced, its files go to the trash")
        return
    run.report.notes += [
        f"{path}: {dates.odd} of {dates.seen} new messages looked at have other dates on the server"
        for path, dates in run.remote.dates.items()
        if dates.odd
    ]
    if Side.REMOTE in run.options.writes:
        kinds.brought(run.state, _selected(run, [row for row in run.state.folders() if run.kind.scope.covers(row)]))
    folder_trees.delete(_folder_job(run), run.report)
    run.report.failures += folder_trees.converge(_folder_job(run), run.report) if in_the_way else []
    for row in folder_trees.leaving(run.state, run.kind.scope) if Side.LOCAL in run.options.writes else ():
        assert row.local is not None
        store = run.trees[Side.LOCAL].open(row.local, row.number)
        count = folder_trees.forget(run.state, row, store, run.trees[Side.LOCAL])
        run.report.done["forgotten"] = run.report.done.get("forgotten", 0) + count
    last = {"run": run.name, "began": began, "seconds": time.time() - began, "report": asdict(run.report)}
    run.state.put({"last": json.dumps(last)})
