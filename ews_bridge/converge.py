"""Rounds of scan → plan → apply over the items of all collections of one kind, until both sides are quiet.

Knows stores only through their contract: the engine's tests run it on stores in memory. Deletions need proof: while any
collection of an account was not listed to its end in this run, what is missing may have moved there, and nothing is deleted
on the other side. Everybody goes on working while we list: see `look`.
"""

from __future__ import annotations

import queue
import threading
from collections.abc import Callable
from collections.abc import Collection
from collections.abc import Iterable
from collections.abc import Iterator
from collections.abc import Mapping
from collections.abc import Sequence
from concurrent.futures import Executor
from concurrent.futures import Future
from dataclasses import dataclass
from dataclasses import field
from dataclasses import replace
from functools import partial

from ews_bridge.batch import Stores
from ews_bridge.errors import BadItem
from ews_bridge.errors import DiskError
from ews_bridge.errors import Refused
from ews_bridge.errors import Stale
from ews_bridge.model import Copy
from ews_bridge.model import Create
from ews_bridge.model import Delete
from ews_bridge.model import Move
from ews_bridge.model import Policy
from ews_bridge.model import Scan
from ews_bridge.model import Settle
from ews_bridge.model import Side
from ews_bridge.model import Step
from ews_bridge.plan import plan
from ews_bridge.plan import refused
from ews_bridge.report import READ_ONLY
from ews_bridge.report import Failure
from ews_bridge.report import Report
from ews_bridge.state import State

#: Rounds at most; what is not quiet then (a reader that edits all the time) is left for the next run.
ROUNDS = 6

#: So many local files (and folders) are taken in by one transaction.
PAGE = 1000

#: Looks at most after the first; each follows from something that changed during the one before.
LOOKS = 4

Place = tuple[Side, int]


@dataclass(frozen=True, slots=True)
class Job:
    """What is to converge, and how.

    `paths` names each collection for people. `selected`: the collections whose items may be touched. `guard`: the share that may
    be lost (see `plan.refused`); `unguarded`: collections without it (Deleted Items, Junk, those of --allow-deletes).
    `take` carries out pages of steps and says which collections must be listed again; a dry run prints them instead.
    """

    state: State
    stores: Stores
    paths: Mapping[int, str]
    selected: Collection[int]
    policy: Policy
    guard: float
    unguarded: Collection[int]
    take: Callable[[Iterable[Sequence[Step]]], set[Place]]
    workers: Executor
    now: Callable[[], int]
    #: Places that are not there but will be when the plan is carried out (a dry run).
    coming: Collection[Place] = ()
    #: Change stamps of the server's collections, as read before this run's scans, and as they are now; absent or "": not known.
    stamps: Mapping[int, str] = field(default_factory=dict)
    #: The server's collections that held nothing when the stamps were read, by its own count.
    empty: Collection[int] = ()
    probe: Callable[[], Mapping[int, str]] = dict


def converge(job: Job, report: Report) -> None:
    """Bring both sides together. Failures of single collections and items go into the report; graver errors are raised."""
    due = [place for place in job.stores if _due(job, place, job.stamps)]
    unused = [place for place in due if _unused(job, place)]
    _observe_all(job, [(place, Scan(first=True, last=True)) for place in unused], job.stamps)
    unseen = look(job, [place for place in due if place not in unused], report)
    held = frozenset(side.other for side, _ in unseen)
    job = replace(job, policy=replace(job.policy, hold_deletes=job.policy.hold_deletes | held))
    for number in range(ROUNDS):
        job.state.pair()
        guarded = guard(job, report if number == 0 else Report())
        counted = Report()
        took = [0]
        again = job.take(_pages(job, guarded, counted, took))
        report.pending = counted.pending
        report.reverted += counted.reverted
        if not took[0]:
            return
        if again:
            look(job, [place for place in job.stores if place in again], report)


def _unused(job: Job, place: Place) -> bool:
    """Whether a collection of the server holds nothing, and nobody ever saw anything in it: then it need not be listed before its
    stamp moves. So nothing is ever taken for deleted because of a count.
    """
    side, number = place
    empty = side is Side.REMOTE and number in job.empty and job.stamps.get(number)
    return bool(empty) and not job.state.cursor(*place)[0] and not job.state.known(*place)


def look(job: Job, places: Sequence[Place], report: Report) -> set[Place]:
    """List these collections, and look again where somebody may have been at work meanwhile, until nothing new shows.

    An item that one collection lost may be in another, listed before it came; one that seems to be in two places may have been
    moved after the first was listed. Returns the places that could not be listed to their end.
    """
    unseen = scan(job, places, job.stamps, report)
    looked = set(places)
    for _ in range(LOOKS):
        second = job.state.twins()
        lost = job.state.lost()
        if Side.LOCAL in lost:
            second |= {place for place in job.stores if place[0] is Side.LOCAL}
        stamps = job.stamps
        if Side.REMOTE in lost:
            stamps = job.probe()
            second |= {place for place in job.stores if place[0] is Side.REMOTE and _due(job, place, stamps)}
        again = [place for place in job.stores if place in second]
        if not again:
            break
        before = job.state.fingerprint()
        unseen |= scan(job, again, stamps, Report())
        looked |= second
        if job.state.fingerprint() == before:
            break
    for place in looked - unseen:
        _confirm(job, place)
    return unseen


def _confirm(job: Job, place: Place) -> None:
    """What we put there and no listing shows: is it gone already? The listing would not say so."""
    side, collection = place
    if side is Side.LOCAL or place not in job.stores:
        return
    unlisted = [replace(entry, revision="") for entry in job.state.unlisted(collection)]
    if unlisted:
        found = list(job.stores[place].read(unlisted))
        job.state.confirm(collection, [entry.id for entry, content in found if isinstance(content, Stale)])


def _due(job: Job, place: Place, stamps: Mapping[int, str], *, day: int = 86400) -> bool:
    """A server's collection whose stamp has not moved is not listed, except once a day."""
    side, collection = place
    stamp = stamps.get(collection, "")
    if side is Side.LOCAL or not stamp:
        return True
    _, seen, at = job.state.cursor(side, collection)
    return seen != stamp or job.now() - at > day


def _pages(job: Job, guarded: Collection[Place], report: Report, took: list[int]) -> Iterator[list[Step]]:
    """The steps of one round, a page of rows at a time; counts what is taken and what must wait."""
    after = 0
    while rows := job.state.differing(folders=False, after=after, now=job.now(), policy=job.policy):
        after = rows[-1].number
        planned = plan(rows, job.policy)
        steps = [step for step in planned.steps if _possible(job, step, guarded)]
        report.pending += planned.pending + len(planned.steps) - len(steps)
        took[0] += len(steps)
        report.reverted += [f"{step}: {READ_ONLY}" for step in planned.reverted if step in steps]
        yield steps


def _possible(job: Job, step: Step, guarded: Collection[Place]) -> bool:
    """Whether the stores are there, the collection is selected, and no guard stands before a deletion."""
    entries = [entry for side in Side if (entry := step.row[side])]
    if not all(entry.collection in job.selected for entry in entries):
        return False
    if isinstance(step, Delete) and (step.to, step.target.collection) in guarded:
        return False
    needed = [(side, entry.collection) for side in Side if (entry := step.row[side])]
    if isinstance(step, Create | Copy):
        needed.append((step.to, step.source.collection))
    if isinstance(step, Move):
        needed.append((step.to, step.like.collection))
    return isinstance(step, Settle) or all(place in job.stores or place in job.coming for place in needed)


def guard(job: Job, report: Report) -> set[Place]:
    """The places where deletions are refused, each told with its numbers."""
    places: set[Place] = set()
    for loss in job.state.losses():
        # What this run would not delete anyhow needs no guard.
        meant = loss.side in job.policy.writes and not (job.policy.refill and loss.side is Side.REMOTE)
        frozen = loss.side is Side.REMOTE and loss.collection in job.policy.frozen
        if not meant or frozen or loss.collection in job.unguarded or not refused(loss.losing, loss.total, job.guard):
            continue
        places.add((loss.side, loss.collection))
        path = job.paths.get(loss.collection, str(loss.collection))
        gone, kept = ("on the server", "here") if loss.side is Side.LOCAL else ("here", "on the server")
        why = f"{loss.losing} of {loss.total} items are gone {gone}; refused to delete them {kept}"
        hint = f"if that is right: sync --allow-deletes {path!r}"
        if loss.side is Side.REMOTE:
            hint += "; if not: sync --refill fetches them again"
        report.refused.append(Failure(path, why, hint))
    return places


# ---- listing


def scan(job: Job, places: Sequence[Place], stamps: Mapping[int, str], report: Report) -> set[Place]:
    """List these collections into the state; returns those that could not be listed to their end, told in the report.

    The server's collections are listed side by side; the pages that have come are taken in together, each with its cursor.
    """
    failed: set[Place] = set()
    local = [place for place in places if place[0] is Side.LOCAL]
    remote = [place for place in places if place[0] is Side.REMOTE]
    pages: list[tuple[Place, Scan]] = []
    waiting = 0
    for place in local:
        try:
            for page in _listing(job, place):
                pages.append((place, page))
                waiting += 1 + len(page.entries)
                if waiting > PAGE:
                    _observe_all(job, pages, stamps)
                    waiting = 0
        except (BadItem, DiskError, Refused) as error:
            failed.add(place)
            report.failures.append(Failure(job.paths[place[1]], str(error), error.hint))
    _observe_all(job, pages, stamps)
    if remote:
        failed |= _scan_side_by_side(job, remote, stamps, report)
    return failed


def _listing(job: Job, place: Place) -> Iterator[Scan]:
    cursor, _, _ = job.state.cursor(*place)
    return job.stores[place].scan(cursor, lambda: job.state.known(*place))


def _observe_all(job: Job, pages: list[tuple[Place, Scan]], stamps: Mapping[int, str]) -> None:
    """Take in what was listed, in one transaction."""
    with job.state.together():
        for place, page in pages:
            _observe(job, place, page, stamps)
    pages.clear()


def _observe(job: Job, place: Place, page: Scan, stamps: Mapping[int, str]) -> None:
    stamp = stamps.get(place[1], "") if place[0] is Side.REMOTE else ""
    if page.entries or page.vanished or page.marks or page.first or page.cursor != job.state.cursor(*place)[0] or stamp:
        job.state.observe(*place, page, stamp=stamp, now=job.now())


def _scan_side_by_side(job: Job, places: Sequence[Place], stamps: Mapping[int, str], report: Report) -> set[Place]:
    pages: queue.SimpleQueue[tuple[Place, Scan | Future[None]]] = queue.SimpleQueue()
    # Bounds the pages alone: that a listing has ended is told from whatever thread notices it, ours too, which must not wait.
    room = threading.Semaphore(16)
    stop = threading.Event()

    def work(place: Place) -> None:
        for page in _listing(job, place):
            while not room.acquire(timeout=0.5):
                if stop.is_set():
                    return
            pages.put((place, page))
            if stop.is_set():
                return

    def ended(place: Place, how: Future[None]) -> None:
        pages.put((place, how))

    failed: set[Place] = set()
    try:
        for place in places:
            job.workers.submit(work, place).add_done_callback(partial(ended, place))
        running = len(places)
        while running:
            came = [pages.get()]
            while not pages.empty():
                came.append(pages.get())
            found = [(place, what) for place, what in came if isinstance(what, Scan)]
            for _ in found:
                room.release()
            _observe_all(job, found, stamps)
            for place, how in ((place, what) for place, what in came if not isinstance(what, Scan)):
                running -= 1
                try:
                    how.result()
                except Stale:  # the folder is gone since the tree was listed: the next run sees it
                    failed.add(place)
                except (BadItem, Refused) as error:
                    failed.add(place)
                    report.failures.append(Failure(job.paths[place[1]], str(error), error.hint))
    finally:
        stop.set()
    return failed
