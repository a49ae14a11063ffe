"""Rows that differ → steps. Pure: no clock, paths or randomness; the same rows give one plan, mirrored sides a mirrored one.

Every rule of the merge stands here and nowhere else:

* One side lost it and the other left it alone ⇒ delete there. An edit, or a move, beats a deletion: it is created again.
* Moved on one side ⇒ moved on the other; moved to two places ⇒ the server's place wins.
* Content edited on one side ⇒ update the other; on both ⇒ `Conflict`. A revision that is "" on either look is no edit.
* Flags merge as sets against the base: what either side added is added, what either side removed is removed. `D` is the
  server's to say; `T` is the reader's wish to delete.
* Tags merge so, too, each place against its own base (`merge_tags`): an addition beats a removal, and what a place had when it
  was agreed on stays there. What is new to us on the server is news; what a file has when it comes is not: its sender's.
* In a frozen collection the server's view is restored. What leaves the window is forgotten, never deleted.
* One step per row and round; what remains differs still, and is planned in the next round.

A step for a side that this run may not write, or a deletion that is held back, is counted as pending and left for later.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from dataclasses import replace

from ews_bridge.model import LATER
from ews_bridge.model import Conflict
from ews_bridge.model import Copy
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
from ews_bridge.model import Tag
from ews_bridge.model import Tags
from ews_bridge.model import Update
from ews_bridge.model import all_tags
from ews_bridge.model import is_meaning

#: A `T` that is in the base was heard, and not granted: the item was edited meanwhile, or is frozen.
_WISH = frozenset({Flag.TRASHED})

#: Everything may be done, nothing is out of scope.
ANY = Policy()


@dataclass(frozen=True, slots=True)
class Plan:
    """What to do now; how many steps must wait because the policy does not let this run take them; which undo local changes."""

    steps: tuple[Step, ...]
    pending: int = 0
    reverted: tuple[Step, ...] = ()


def plan(rows: Iterable[Row], policy: Policy) -> Plan:
    """The steps for these rows that the policy allows."""
    steps: list[Step] = []
    reverted: list[Step] = []
    pending = 0
    for row in rows:
        undone = restore_row(row) if _frozen(row, policy) else None
        taken = len(steps)
        for step in plan_row(row, policy) if undone is None else undone:
            if not allowed(step, policy):
                pending += 1
                continue
            if isinstance(step, Tag) and len(steps) > taken:
                continue  # the other side has its turn in the next round, when this one is known
            steps.append(step)
            # A conflict is told as such.
            if undone is not None and _touched(row) and not isinstance(step, Settle | Forget | Conflict):
                reverted.append(step)
    return Plan(tuple(steps), pending, tuple(reverted))


def plan_row(row: Row, policy: Policy = ANY) -> list[Step]:
    """All steps that one row asks for, whoever may take them. Empty when both sides and the base agree."""
    link, local, remote = row.link, row.local, row.remote
    if remote is not None and _outside(remote, policy) and (local is None or link is not None):
        return _leave(row, link, local)
    if local is None and remote is None:
        return [Forget(row)]
    if local is None or remote is None:
        dead, live = (Side.LOCAL, remote) if local is None else (Side.REMOTE, local)
        assert live is not None
        if link is None:
            return _create(row, dead, live)
        if Flag.TRASHED not in live.flags and (_edited(link[dead.other], live) or place(live) != place(link[dead.other])):
            return [Create(row, dead, live)]
        if policy.refill and dead is Side.LOCAL:
            return [Create(row, dead, live)]
        return [Delete(row, dead.other, live)]
    if link is None:
        # Of two drafts with one Message-ID nobody knows whether they say the same.
        alike = local.revision == remote.revision and is_meaning(local.revision)
        if local.revision and remote.revision and not alike:
            return [Conflict(row, local, remote)]
        # Of two folders whose names differ in case the server's name is the news.
        agreed = remote if remote.collection else replace(remote, key=local.key)
        return [Settle(row, with_tags(base_of(local, agreed, local.flags & remote.flags), None))]
    if Flag.TRASHED in local.flags - link.flags and not _edited(link.remote, remote):
        return [Delete(row, Side.REMOTE, remote)]
    return _merge(row, link, local, remote)


def _create(row: Row, to: Side, source: Entry) -> list[Step]:
    """What is new on one side only; a message that its reader marked to be deleted stays where it is."""
    if Flag.TRASHED in source.flags:
        return []
    if row.again and not source.revision:
        return [Forget(row)]
    if row.twin is not None:
        return [Copy(row, to, source, row.twin[to], row.twin[to.other])]
    return [Create(row, to, source)]


def _leave(row: Row, link: Link | None, local: Entry | None) -> list[Step]:
    """Outside the window: not fetched; what was fetched is forgotten, once no local change waits."""
    if link is None:
        return []
    changed = local is not None and (
        local.flags != link.flags or _edited(link.local, local) or place(local) != place(link.local) or _tagged(link.local, local)
    )
    return _merge(row, link, local, row.remote) if changed and local and row.remote else [Forget(row)]


def _outside(remote: Entry, policy: Policy) -> bool:
    if policy.max_size and remote.hints.size > policy.max_size:
        return True
    wanted = not policy.by_uid and (Flag.FLAGGED in remote.flags or Flag.SEEN not in remote.flags)
    return 0 < remote.hints.sent < policy.since and not wanted


def _frozen(row: Row, policy: Policy) -> bool:
    """Whether a local change to this row would change what the server keeps frozen, or put something where nothing may be put."""
    link, local = row.link, row.local
    if local and local.collection in policy.closed and (place(local) != place(link.local) if link else row.remote is None):
        return True
    if not policy.frozen:
        return False
    entries = (row.local, row.remote, row.link and row.link.remote)
    if not any(entry and entry.collection in policy.frozen for entry in entries):
        return False
    if link is None:
        return row.remote is None and local is not None and local.collection in policy.frozen
    if local is None:
        return row.remote is not None
    if row.remote is None:
        return _altered(link.local, local)
    return _touched(row) or row.remote.tags != link.remote.tags


def _touched(row: Row) -> bool:
    """Whether anything was done on disk since both sides agreed; else undoing it would only be following the server."""
    link, local = row.link, row.local
    return link is None or local is None or local.flags != link.flags or _altered(link.local, local)


def _altered(then: Entry, now: Entry) -> bool:
    """Whether it says something else, is elsewhere, or has other tags."""
    return _edited(then, now) or place(now) != place(then) or _tagged(then, now)


def restore_row(row: Row) -> list[Step]:
    """Undo a local change in a frozen collection: the server's view stands. Lost files come back, new ones go to the trash."""
    link, local, remote = row.link, row.local, row.remote
    if remote is None:
        return [Delete(row, Side.LOCAL, local)] if local else [Forget(row)]
    if local is None:
        return [Create(row, Side.LOCAL, remote)]
    if place(local) != place(remote):
        return [Move(row, Side.LOCAL, local, remote)]
    if link and _edited(link.local, local):
        return [Conflict(row, local, remote)]
    if link and _edited(link.remote, remote):
        return [Update(row, Side.LOCAL, remote, local)]
    if local.flags - _WISH != remote.flags:
        return [Mark(row, Side.LOCAL, local, remote.flags)]
    fresh = base_of(local, remote, remote.flags | (local.flags & _WISH))
    if LATER in local.tags:
        fresh = with_tags(fresh, link)
    elif link:
        unchanged = {place: link.local.tags.get(place, now) for place, now in local.tags.items()}
        mine, _ = merge_tags(link, replace(local, tags=unchanged), remote)
        if mine != local.tags:
            return [Tag(row, Side.LOCAL, local, mine)]
    return [Settle(row, fresh)] if fresh != link else []


def _merge(row: Row, link: Link, local: Entry, remote: Entry) -> list[Step]:
    """Both sides have it, and there is a base."""
    edited_local, edited_remote = _edited(link.local, local), _edited(link.remote, remote)
    if place(local) != place(remote):
        # What is edited and moved on one side is edited first: a move gives a draft another revision.
        if place(remote) != place(link.remote):
            first = edited_remote and not edited_local and place(local) == place(link.local)
            return [Update(row, Side.LOCAL, remote, local) if first else Move(row, Side.LOCAL, local, remote)]
        first = edited_local and not edited_remote
        return [Update(row, Side.REMOTE, local, remote) if first else Move(row, Side.REMOTE, remote, local)]
    if edited_local and edited_remote:
        return [Conflict(row, local, remote)]
    if edited_remote:
        return [Update(row, Side.LOCAL, remote, local)]
    if edited_local:
        return [Update(row, Side.REMOTE, local, remote)]
    steps: list[Step] = []
    want = merge_flags(link.flags, local.flags, remote.flags)
    if local.flags - _WISH != want:
        steps.append(Mark(row, Side.LOCAL, local, want))
    if remote.flags != want:
        steps.append(Mark(row, Side.REMOTE, remote, want))
    fresh = base_of(local, remote, want | (local.flags & _WISH))
    mine, theirs = merge_tags(link, local, remote)
    if LATER in local.tags:
        fresh = with_tags(fresh, link)
    elif not steps:
        steps += [Tag(row, Side.LOCAL, local, mine)] if local.tags != mine else []
        steps += [Tag(row, Side.REMOTE, remote, theirs)] if remote.tags != theirs else []
    return steps or ([Settle(row, fresh)] if fresh != link else [])


def merge_flags(base: Flags, local: Flags, remote: Flags) -> Flags:
    """What either side added, without what either side removed; `D` as the server has it."""
    merged = (local & remote) | (local - base) | (remote - base)
    return (merged - {Flag.DRAFT, Flag.TRASHED}) | (remote & {Flag.DRAFT})


def merge_tags(link: Link, local: Entry, remote: Entry) -> tuple[Tags, Tags]:
    """What each place of both sides is to hold: what it holds, with what any other added and without what any other removed.

    A place of the server that is not in the base holds nothing but news, and gets what the others of the server have; what is on
    disk then is taken for agreed.
    """
    if not local.tags and not remote.tags:
        return {}, {}
    seen = [(link.remote.tags.get(place, frozenset()), now) for place, now in remote.tags.items()]
    seen += [(link.local.tags.get(place, now), now) for place, now in local.tags.items()]
    added = frozenset().union(*(now - base for base, now in seen))
    removed = frozenset().union(*(base - now for base, now in seen)) - added
    mine = {place: (now | added) - removed for place, now in local.tags.items()}
    known = link.remote.tags
    held = frozenset().union(*(base & remote.tags.get(place, base) for place, base in known.items()))
    theirs = {place: (now | added | (now if place in known else held)) - removed for place, now in remote.tags.items()}
    return mine, theirs


def with_tags(base: Link, known: Link | None) -> Link:
    """`base` with the tags that were agreed on before, as in `known`; None: nothing was.

    Then what the server has is news, unless it has nothing: that is agreed on.
    """
    if known is not None:
        return Link(replace(base.local, tags=known.local.tags), replace(base.remote, tags=known.remote.tags))
    return Link(base.local, replace(base.remote, tags={})) if all_tags(base.remote.tags) else base


def base_of(local: Entry, remote: Entry, flags: Flags) -> Link:
    """The link that remembers these two views as being in agreement, with `flags` as the agreed ones."""
    return Link(*(each if each.flags == flags else replace(each, flags=flags) for each in (local, remote)))


def place(entry: Entry) -> int | str:
    """Where an item is: its collection; a folder (collection 0) is where its path says."""
    return entry.collection or entry.key


def allowed(step: Step, policy: Policy) -> bool:
    """Whether this run may take the step."""
    match step:
        case Settle():
            return True
        case Forget(row=row):
            return row.local is None or Side.LOCAL in policy.writes
        case Conflict():
            return Side.LOCAL in policy.writes
        case Delete(to=to):
            return to in policy.writes and to not in policy.hold_deletes
        case _:
            return step.to in policy.writes


def refused(losing: int, total: int, share: float) -> bool:
    """The guard: would a collection of `total` items that loses `losing` of them look like an accident?

    It would when it loses all of five or more, or more than 20 that are also more than `share` of it.
    """
    return (losing >= total and total >= 5) or (losing > 20 and losing > share * total)


def _tagged(then: Entry, now: Entry) -> bool:
    """Whether a place that both know has other tags now."""
    return any(now.tags[place] != tags for place, tags in then.tags.items() if place in now.tags)


def _edited(then: Entry, now: Entry) -> bool:
    return bool(then.revision and now.revision and then.revision != now.revision)
