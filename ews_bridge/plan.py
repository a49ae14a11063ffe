"""Rows that differ → steps. Pure: no clock, paths or randomness; the same rows give one plan, mirrored sides a mirrored one.

Every rule of the merge stands here and nowhere else:

* One side lost it and the other left it alone ⇒ delete there. An edit, or a move, beats a deletion: it is created again.
* Moved on one side ⇒ moved on the other; moved to two places ⇒ the server's place wins.
* Content edited on one side ⇒ update the other; on both ⇒ `Conflict`. A revision that is "" on either look is no edit.
* Flags merge as sets against the base: what either side added is added, what either side removed is removed. `D` is the
  server's to say, `T` the reader's.
* One step per row and round; what remains differs still, and is planned in the next round.

A step for a side that this run may not write, or a deletion that is held back, is counted as pending and left for later.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from dataclasses import replace

from ews_bridge.model import Conflict
from ews_bridge.model import Create
from ews_bridge.model import Delete
from ews_bridge.model import Entry
from ews_bridge.model import Flag
from ews_bridge.model import Flags
from ews_bridge.model import Forget
from ews_bridge.model import Link
from ews_bridge.model import Mark
from ews_bridge.model import Move
from ews_bridge.model import Policy
from ews_bridge.model import Row
from ews_bridge.model import Settle
from ews_bridge.model import Side
from ews_bridge.model import Step
from ews_bridge.model import Update


@dataclass(frozen=True, slots=True)
class Plan:
    """What to do now, and how many steps must wait because the policy does not let this run take them."""

    steps: tuple[Step, ...]
    pending: int = 0


def plan(rows: Iterable[Row], policy: Policy) -> Plan:
    """The steps for these rows that the policy allows."""
    steps: list[Step] = []
    pending = 0
    for row in rows:
        for step in plan_row(row, refill=policy.refill):
            if allowed(step, policy):
                steps.append(step)
            else:
                pending += 1
    return Plan(tuple(steps), pending)


def plan_row(row: Row, *, refill: bool = False) -> list[Step]:
    """All steps that one row asks for, whoever may take them. Empty when both sides and the base agree.

    With `refill`, what the local side lost is fetched again instead of deleted on the server.
    """
    link, local, remote = row.link, row.local, row.remote
    if local is None and remote is None:
        return [Forget(row)]
    if local is None or remote is None:
        dead, live = (Side.LOCAL, remote) if local is None else (Side.REMOTE, local)
        assert live is not None
        if link is None or _edited(link[dead.other], live) or place(live) != place(link[dead.other]):
            return [Create(row, dead, live)]
        if refill and dead is Side.LOCAL:
            return [Create(row, dead, live)]
        return [Delete(row, dead.other, live)]
    if link is None:
        return [Settle(row, base_of(local, remote, local.flags & remote.flags))]
    return _merge(row, link, local, remote)


def _merge(row: Row, link: Link, local: Entry, remote: Entry) -> list[Step]:
    """Both sides have it, and there is a base."""
    if place(local) != place(remote):
        if place(remote) != place(link.remote):
            return [Move(row, Side.LOCAL, local, remote)]
        return [Move(row, Side.REMOTE, remote, local)]
    edited_local, edited_remote = _edited(link.local, local), _edited(link.remote, remote)
    if edited_local and edited_remote:
        return [Conflict(row, local, remote)]
    if edited_remote:
        return [Update(row, Side.LOCAL, remote, local)]
    if edited_local:
        return [Update(row, Side.REMOTE, local, remote)]
    steps: list[Step] = []
    want = merge_flags(link.flags, local.flags, remote.flags)
    want_local = (want - {Flag.TRASHED}) | (local.flags & {Flag.TRASHED})
    want_remote = want - {Flag.TRASHED}
    if local.flags != want_local:
        steps.append(Mark(row, Side.LOCAL, local, want_local))
    if remote.flags != want_remote:
        steps.append(Mark(row, Side.REMOTE, remote, want_remote))
    fresh = base_of(local, remote, remote.flags)
    return steps or ([Settle(row, fresh)] if fresh != link else [])


def merge_flags(base: Flags, local: Flags, remote: Flags) -> Flags:
    """What either side added, without what either side removed; `D` as the server has it."""
    merged = (local & remote) | (local - base) | (remote - base)
    return (merged - {Flag.DRAFT}) | (remote & {Flag.DRAFT})


def base_of(local: Entry, remote: Entry, flags: Flags) -> Link:
    """The link that remembers these two views as being in agreement, with `flags` as the agreed ones."""
    return Link(replace(local, flags=flags), replace(remote, flags=flags))


def place(entry: Entry) -> int | str:
    """Where an item is: its collection; a folder (collection 0) is where its path says."""
    return entry.collection or entry.key


def allowed(step: Step, policy: Policy) -> bool:
    """Whether this run may take the step."""
    match step:
        case Settle() | Forget():
            return True
        case Conflict():
            return Side.LOCAL in policy.writes
        case Delete(to=to):
            return to in policy.writes and to not in policy.hold_deletes
        case _:
            return step.to in policy.writes


def refused(losing: int, total: int, share: float) -> bool:
    """The guard: would a collection of `total` items that loses `losing` of them look like an accident?

    It would when it loses all of five or more, or more than 20 that are also more than `share` of it (design: Guards).
    """
    return (losing >= total and total >= 5) or (losing > 20 and losing > share * total)


def _edited(then: Entry, now: Entry) -> bool:
    return bool(then.revision and now.revision and then.revision != now.revision)
