"""Is it the tree that we know? State, mailbox and directory are bound to each other before anything is taken for a change."""

from __future__ import annotations

import secrets
from dataclasses import dataclass
from pathlib import Path

from ews_bridge import marker as markers
from ews_bridge.config import Account
from ews_bridge.errors import Refused
from ews_bridge.marker import Marker
from ews_bridge.state import State


@dataclass(frozen=True, slots=True)
class Bound:
    """They belong together. `notes`: what the user should know; `refill`: what is missing locally proves nothing in this run."""

    notes: tuple[str, ...] = ()
    refill: bool = False


@dataclass(frozen=True, slots=True)
class Root:
    """A tree on disk: the directory, how folders are laid out in it, and of what kind they are ("mail", "tasks")."""

    path: Path
    layout: str
    kind: str

    def __str__(self) -> str:
        return f"the {self.kind} directory {self.path}"


#: By what the items of a kind are recognised when there is no state.
_MATCHED = {"mail": "messages are matched by Message-ID, Date and From"}


def check(state: State, account: Account, root: Root, *, refill: bool, write: bool) -> Bound:
    """Make sure that state, mailbox and directory belong together; raises Refused where nothing would be safe.

    The state remembers path, layout and mailbox; the marker at the root of the tree carries the state's random id and a
    generation that each writing run raises: a root that vanished, another file system in its place, a swapped tree
    or a restored backup is not taken for deletions.
    """
    facts = {"mailbox": account.address.lower(), "path": str(root.path), "layout": root.layout}
    known = {name: state.get(name) for name in facts}
    identity = state.get("identity") or secrets.token_hex(8)
    marker = markers.read_marker(str(root.path))
    if known["mailbox"] and known != facts:
        changed = ", ".join(f"{n} was {known[n]!r} and is {facts[n]!r}" for n in facts if known[n] != facts[n])
        raise Refused(
            f"account {account.name} is not the one that was synced before: {changed}",
            hint=f"put it back; or, to begin anew with both sides as they are, move {account.state_dir} away",
        )
    generation = int(state.get("generation") or 0)
    if state.any_linked():
        _refuse_strange(root, marker, identity)
    if state.any_linked() and not refill:
        _refuse_missing(root, marker, generation)
    if not state.any_linked() and marker is not None and marker.mailbox != facts["mailbox"]:
        raise Refused(
            f"{root} mirrors another mailbox ({marker.mailbox or 'not known'})",
            hint=f"choose another path; or, if what is in it is to go into this mailbox, remove {root.path}/{markers.MARKER}",
        )
    bound = _told(state, account, root, marker, identity)
    if write:
        if marker is not None and marker.account == identity:
            generation = max(generation, marker.generation)
        state.put(facts | {"identity": identity, "generation": str(generation)})
        if marker is None or marker.account != identity or refill:
            markers.write_marker(str(root.path), Marker(identity, generation, facts["mailbox"]))
    return bound


def _told(state: State, account: Account, root: Root, marker: Marker | None, identity: str) -> Bound:
    """What is odd and can be lived with: a state that is lost, or older than the tree."""
    if marker is None:
        return Bound()
    if not state.any_linked() and marker.account != identity:
        what = (
            f"{root.path} was synced before, with a state that is not in {account.state_dir} (lost, or the account was renamed)"
        )
        matched = _MATCHED.get(root.kind, "what has one UID is matched")
        return Bound((f"{what}: {matched}, and none is deleted for being missing",))
    # One more than the state's is a run that was cut off between the two.
    if marker.account == identity and marker.generation > int(state.get("generation") or 0) + 1:
        what = f"{account.state_dir} is older than what is in {root.path} (a restored backup?)"
        return Bound((f"{what}: what is missing here is fetched again in this run instead of being deleted",), refill=True)
    return Bound()


def _refuse_strange(root: Root, marker: Marker | None, identity: str) -> None:
    if marker is not None and marker.account != identity:
        raise Refused(
            f"{root} belongs to another account or state",
            hint=f"bring the right one back; if it is the right one, remove {markers.MARKER} in it and sync --refill",
        )


def _refuse_missing(root: Root, marker: Marker | None, generation: int) -> None:
    hint = "bring it back (is it mounted?), or fetch everything that is missing again with sync --refill"
    if marker is None:
        raise Refused(f"{root} is not the one that was synced before: it is gone or has no marker", hint=hint)
    if marker.generation < generation:
        raise Refused(
            f"{root} is older than the last sync (a restored backup?): generation {marker.generation} instead of {generation}",
            hint=hint,
        )


def raise_generation(state: State, root: Root) -> None:
    """Before the first write: the tree first, so that a crash in between leaves it newer than the state, never older."""
    generation = int(state.get("generation") or 0) + 1
    markers.write_marker(str(root.path), Marker(state.get("identity"), generation, state.get("mailbox")))
    state.put({"generation": str(generation)})
