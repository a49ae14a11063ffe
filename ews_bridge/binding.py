"""Is it the tree that we know? State, mailbox and directory are bound to each other before anything is taken for a change."""

from __future__ import annotations

import secrets
from dataclasses import dataclass

from ews_bridge import mailtree
from ews_bridge.config import Account
from ews_bridge.config import MailSection
from ews_bridge.errors import Refused
from ews_bridge.mailtree import Marker
from ews_bridge.state import State


@dataclass(frozen=True, slots=True)
class Bound:
    """They belong together. `notes`: what the user should know; `refill`: what is missing locally proves nothing in this run."""

    notes: tuple[str, ...] = ()
    refill: bool = False


def check(state: State, account: Account, mail: MailSection, *, refill: bool, write: bool) -> Bound:
    """Make sure that state, mailbox and directory belong together; raises Refused where nothing would be safe.

    The state remembers path, layout and mailbox; the marker at the root of the tree carries the state's random id and a
    generation that each writing run raises: a root that vanished, another file system in its place, a swapped tree
    or a restored backup is not taken for deletions.
    """
    facts = {"mailbox": account.address.lower(), "path": str(mail.path), "layout": mail.layout}
    known = {name: state.get(name) for name in facts}
    identity = state.get("identity") or secrets.token_hex(8)
    marker = mailtree.read_marker(str(mail.path))
    if known["mailbox"] and known != facts:
        changed = ", ".join(f"{n} was {known[n]!r} and is {facts[n]!r}" for n in facts if known[n] != facts[n])
        raise Refused(
            f"account {account.name} is not the one that was synced before: {changed}",
            hint=f"put it back; or, to begin anew with both sides as they are, move {account.state_dir} away",
        )
    generation = int(state.get("generation") or 0)
    if state.any_linked():
        _refuse_strange(mail, marker, identity)
    if state.any_linked() and not refill:
        _refuse_missing(mail, marker, generation)
    if not state.any_linked() and marker is not None and marker.mailbox != facts["mailbox"]:
        raise Refused(
            f"the mail directory {mail.path} mirrors another mailbox ({marker.mailbox or 'not known'})",
            hint=f"choose another path; or, if its mail is to go into this mailbox, remove {mail.path}/{mailtree.MARKER}",
        )
    bound = _told(state, account, mail, marker, identity)
    if write:
        if marker is not None and marker.account == identity:
            generation = max(generation, marker.generation)
        state.put(facts | {"identity": identity, "generation": str(generation)})
        if marker is None or marker.account != identity or refill:
            mailtree.write_marker(str(mail.path), Marker(identity, generation, facts["mailbox"]))
    return bound


def _told(state: State, account: Account, mail: MailSection, marker: Marker | None, identity: str) -> Bound:
    """What is odd and can be lived with: a state that is lost, or older than the tree."""
    if marker is None:
        return Bound()
    if not state.any_linked() and marker.account != identity:
        what = (
            f"{mail.path} was synced before, with a state that is not in {account.state_dir} (lost, or the account was renamed)"
        )
        return Bound((f"{what}: messages are matched by Message-ID, Date and From, and none is deleted for being missing",))
    # One more than the state's is a run that was cut off between the two.
    if marker.account == identity and marker.generation > int(state.get("generation") or 0) + 1:
        what = f"{account.state_dir} is older than the mail in {mail.path} (a restored backup?)"
        return Bound((f"{what}: what is missing here is fetched again in this run instead of being deleted",), refill=True)
    return Bound()


def _refuse_strange(mail: MailSection, marker: Marker | None, identity: str) -> None:
    if marker is not None and marker.account != identity:
        raise Refused(
            f"the mail directory {mail.path} belongs to another account or state",
            hint=f"bring the right one back; if it is the right one, remove {mailtree.MARKER} in it and sync --refill",
        )


def _refuse_missing(mail: MailSection, marker: Marker | None, generation: int) -> None:
    hint = "bring it back (is it mounted?), or fetch everything that is missing again with sync --refill"
    if marker is None:
        raise Refused(
            f"the mail directory {mail.path} is not the one that was synced before: it is gone or has no marker", hint=hint
        )
    if marker.generation < generation:
        raise Refused(
            f"the mail directory {mail.path} is older than the last sync (a restored backup?): "
            f"generation {marker.generation} instead of {generation}",
            hint=hint,
        )


def raise_generation(state: State, mail: MailSection) -> None:
    """Before the first write: the tree first, so that a crash in between leaves it newer than the state, never older."""
    generation = int(state.get("generation") or 0) + 1
    mailtree.write_marker(str(mail.path), Marker(state.get("identity"), generation, state.get("mailbox")))
    state.put({"generation": str(generation)})
