"""Carry steps out: one batch = journal (creations) → one Store call → durable on its side → one transaction of the state.

Batches run in worker threads, which only read and write stores; the state is touched by the calling thread alone. What
a batch returns is settled in one transaction (in which the next is journalled), so that a crash at any moment leaves the state as
it was before the batch or as it is after it, and `recover` finds the items of a creation whose end was not noted by their tokens.

Must never do: settle what a store did not say it did; repeat a creation whose outcome is unknown.
"""

from __future__ import annotations

import operator
import secrets
from collections.abc import Callable
from collections.abc import Iterable
from collections.abc import Iterator
from collections.abc import Mapping
from collections.abc import Sequence
from concurrent.futures import FIRST_COMPLETED
from concurrent.futures import Executor
from concurrent.futures import Future
from concurrent.futures import wait
from dataclasses import dataclass
from dataclasses import replace

from ews_bridge.batch import EDITED
from ews_bridge.batch import Aside
from ews_bridge.batch import Batch
from ews_bridge.batch import Outcome
from ews_bridge.batch import Same
from ews_bridge.batch import Stores
from ews_bridge.batch import link_of
from ews_bridge.batch import perform
from ews_bridge.batch import with_entry
from ews_bridge.errors import BadItem
from ews_bridge.errors import EwsBridgeError
from ews_bridge.errors import Stale
from ews_bridge.model import Conflict
from ews_bridge.model import Copy
from ews_bridge.model import Create
from ews_bridge.model import Delete
from ews_bridge.model import Entry
from ews_bridge.model import Forget
from ews_bridge.model import Mark
from ews_bridge.model import Move
from ews_bridge.model import Row
from ews_bridge.model import Settle
from ews_bridge.model import Side
from ews_bridge.model import Step
from ews_bridge.model import Tag
from ews_bridge.model import Update
from ews_bridge.report import Failure
from ews_bridge.report import Report
from ews_bridge.state import State

#: A batch holds at most so many items and so many bytes (one larger item is a batch of its own).
BATCH_ITEMS = 100
BATCH_BYTES = 4_000_000
#: Bytes of content that all batches at work may hold together; one batch is always let through.
IN_FLIGHT_BYTES = 24_000_000


@dataclass(frozen=True, slots=True)
class Tools:
    """What applying needs beside the steps. `aside` keeps a content in the conflicts directory and says where; `same` tells
    whether two contents are a conflict at all.
    """

    state: State
    stores: Stores
    workers: Executor
    width: int
    new_token: Callable[[], str]
    aside: Aside
    now: Callable[[], int]
    advance: Callable[[int, int], None]
    same: Same = operator.eq


def tokens() -> Iterator[str]:
    """20 random characters each. Many at once: whoever asks the system lets other threads run, and waits for its turn."""
    while True:
        many = secrets.token_hex(1000)
        yield from (many[at : at + 20] for at in range(0, len(many), 20))


def recover(state: State, stores: Stores) -> int:
    """Finish what an earlier run began: link the creations that happened, strike out those that did not.

    An item of ours may have been edited, marked or moved since; only what the journal says is taken as the base, so that
    such a change counts as a change. Which tags it was made with nobody knows. Returns how many were found.
    """
    found = 0
    for intent in state.intents():
        made = _find(stores, intent.side, intent.collection, intent.token)
        rows: list[Row] = []
        if made is not None:
            base = replace(
                made,
                # Equal to the source's: both are digests of one meaning.
                revision=made.revision if made.revision in ("", intent.source.revision) else EDITED,
                collection=intent.source.collection,
                flags=intent.source.flags,
                tags={},
            )
            link = link_of(intent.side, base, intent.source)
            rows.append(with_entry(replace(intent.row, link=link), intent.side, made))
            found += 1
        state.settle(rows, tokens=[intent.token])
    return found


def _find(stores: Stores, side: Side, collection: int, token: str) -> Entry | None:
    """By its token: first where it was made, then everywhere (it may have been moved since)."""
    order = sorted((c for s, c in stores if s is side), key=lambda c: c != collection)
    return next((made for c in order if (made := stores[side, c].find(token))), None)


def apply(pages: Iterable[Sequence[Step]], tools: Tools, report: Report) -> set[tuple[Side, int]]:
    """Take the steps, all of them or as many as can be; returns the collections that must be listed again.

    The pages are asked for as the work goes on: a first mirror of 100,000 messages never stands in memory as a whole. An
    error that concerns a whole side ends it, after what was done is settled.
    """
    again: set[tuple[Side, int]] = set()
    running: dict[Future[Outcome], Batch] = {}
    error: EwsBridgeError | None = None
    for batch in (batch for steps in pages for batch in _batches(steps)):
        ended: list[tuple[Batch, Outcome]] = []
        while running and (len(running) >= tools.width or _held(running) + batch.bytes > IN_FLIGHT_BYTES):
            ended += _ended(running)
        with tools.state.together():
            error = _settle(ended, tools, report, again)
            if error:
                break
            batch = _begin(batch, tools)
        running[tools.workers.submit(perform, batch, tools.stores, tools.aside, tools.same)] = batch
    while running:
        ended = _ended(running)
        with tools.state.together():
            error = _settle(ended, tools, report, again) or error
    if error:
        raise error
    return again


def _held(running: Mapping[Future[Outcome], Batch]) -> int:
    return sum(batch.bytes for batch in running.values())


def _begin(batch: Batch, tools: Tools) -> Batch:
    """Journal what the batch will create; give up the base of what it will forget.

    A file that is gone, and a base that is still there, would be a deletion to a run that knows nothing of the window.
    """
    if forgets := [step.row for step in batch.steps if isinstance(step, Forget) and step.row.local and step.row.remote]:
        tools.state.settle(replace(row, link=None) for row in forgets)
    creates = [step for step in batch.steps if isinstance(step, Create | Copy)]
    if not creates:
        return batch
    tokens = {step.row.number: tools.new_token() for step in creates}
    tools.state.begin(creates[0].to, [(tokens[step.row.number], step.row, step.source) for step in creates])
    return replace(batch, tokens=tokens)


def _ended(running: dict[Future[Outcome], Batch]) -> list[tuple[Batch, Outcome]]:
    """Wait for batches to end, one at least."""
    done, _ = wait(running, return_when=FIRST_COMPLETED)
    return [(running.pop(future), future.result()) for future in done]


def _settle(
    ended: Iterable[tuple[Batch, Outcome]], tools: Tools, report: Report, again: set[tuple[Side, int]]
) -> EwsBridgeError | None:
    """Settle batches that have ended; returns the error that ended one early, if one did."""
    error: EwsBridgeError | None = None
    for batch, outcome in ended:
        rows = [row for _, row in outcome.rows] + [step.row for step, _ in outcome.failed if isinstance(step, Forget)]
        tried = [step for step, _ in outcome.rows] + [step for step, _ in outcome.failed]
        tokens = [batch.tokens[step.row.number] for step in tried if step.row.number in batch.tokens]
        tools.state.settle(rows, tokens=tokens)
        bad = [(step, why) for step, why in outcome.failed if isinstance(why, BadItem)]
        # Told once. It is tried again now and then: what the server could not give may have been its bad hour.
        news = tools.state.fail([(step.row, _why(step, why)) for step, why in bad], now=tools.now()) if bad else set()
        # Of two drafts without a base it turns out only now whether they differ.
        taken = [s for s, _ in outcome.rows if not isinstance(s, Conflict) or s.row.number in outcome.kept]
        report.count(said for step in taken if (said := word(step)))
        report.failures += [failure(step, why) for step, why in bad if step.row.number in news]
        report.conflicts += [f"{step}: {outcome.kept[step.row.number]}" for step in taken if isinstance(step, Conflict)]
        size = sum(step.source.hints.size for step, _ in outcome.rows if isinstance(step, Create | Update))
        report.bytes += size
        tools.advance(len(tried), size)
        for step, why in outcome.failed:
            if isinstance(why, Stale):
                again |= {(side, entry.collection) for side in Side if (entry := step.row[side])}
        error = outcome.error or error
    return error


def _batches(steps: Sequence[Step]) -> Iterator[Batch]:
    """Like steps together, in order, bounded in items and bytes."""
    groups: dict[object, list[Step]] = {}
    for step in steps:
        groups.setdefault(_group(step), []).append(step)
    for group in groups.values():
        some: list[Step] = []
        size = 0
        for step in group:
            more = step.source.hints.size if isinstance(step, Create | Update) else 0
            if some and (len(some) >= BATCH_ITEMS or size + more > BATCH_BYTES):
                yield Batch(tuple(some), {}, size)
                some, size = [], 0
            some.append(step)
            size += more
        yield Batch(tuple(some), {}, size)


def _group(step: Step) -> object:
    match step:
        case Create(to=to, source=source):
            return Create, to, source.collection
        case Update(to=to, source=source, target=target):
            return Update, to, source.collection, target.collection
        case Move(to=to, target=target, like=like):
            return Move, to, target.collection, like.collection
        case Copy(to=to, source=source, original=original):
            return Copy, to, source.collection, original.collection
        case Mark(to=to, target=target) | Tag(to=to, target=target) | Delete(to=to, target=target):
            return type(step), to, target.collection
        case Forget(row=row):
            return Forget, row.local and row.local.collection
        case Settle() | Conflict():
            return type(step)


def word(step: Step) -> str:
    """What the summary counts this step as; "" for what only the state sees."""
    match step:
        case Settle():
            return ""
        case Forget(row=row):
            return "forgotten" if row.local else ""
        case Create(to=to):
            return "download" if to is Side.LOCAL else "upload"
        case Conflict():
            return "conflict"
        case Copy(to=to):
            return f"copy {to}"
        case Update(to=to) | Mark(to=to) | Tag(to=to) | Move(to=to) | Delete(to=to):
            return f"{type(step).__name__.lower()} {to}"


def failure(step: Step, error: BadItem) -> Failure:
    """A step that could not be taken, as the report has it."""
    return Failure(_label(step), _why(step, error), error.hint)


def _label(step: Step) -> str:
    entry = step.row.remote or step.row.local
    return (entry.hints.label or entry.key or entry.id) if entry else f"row {step.row.number}"


def _why(step: Step, error: BadItem) -> str:
    """The reason without the name: the report says that first."""
    return str(error).removeprefix(_label(step)).lstrip(": ")


def words(steps: Iterable[Step]) -> list[str]:
    """One line for each step that writes something, as a dry run shows it: before it is known how two versions compare."""
    return [f"{step}, unless both say the same" if isinstance(step, Conflict) else str(step) for step in steps if word(step)]
