"""Is it the tree that we know? State, mailbox and mail directory belong together.

The state remembers path, layout and mailbox; the marker at the root of the tree carries the state's random id and a
generation that each writing run raises: so a root that vanished, another file system in its place, a swapped tree or a
restored backup is not taken for deletions. Must never: write into a tree that was not checked before.
"""

from __future__ import annotations

import secrets

from ews_bridge import mailtree
from ews_bridge.config import Account
from ews_bridge.config import MailSection
from ews_bridge.errors import Refused
from ews_bridge.mailtree import MARKER
from ews_bridge.mailtree import Marker
from ews_bridge.state import State


def check(account: Account, mail: MailSection, state: State, *, refill: bool) -> None:
    """Raises Refused where nothing would be safe. With `refill`, a tree that is gone or older than the state will do."""
    facts = _facts(account, mail)
    known = {name: state.get(name) for name in facts}
    marker = mailtree.read_marker(str(mail.path))
    if known["mailbox"] and known != facts:
        changed = ", ".join(f"{n} was {known[n]!r} and is {facts[n]!r}" for n in facts if known[n] != facts[n])
        raise Refused(
            f"account {account.name} is not the one that was synced before: {changed}",
            hint=f"put it back; or, to begin anew with both sides as they are, move {account.state_dir} away",
        )
    if not state.linked():
        if marker is not None and marker.account != state.get("identity") and marker.mailbox != facts["mailbox"]:
            raise Refused(
                f"the mail directory {mail.path} mirrors another mailbox ({marker.mailbox or 'not known'})",
                hint=f"choose another path; or, if its mail is to go into this mailbox, remove {mail.path}/{MARKER}",
            )
        return
    if marker is not None and marker.account != state.get("identity"):
        raise Refused(
            f"the mail directory {mail.path} belongs to another account or state",
            hint=f"bring the right one back; if it is the right one, remove {MARKER} in it and sync --refill",
        )
    if not refill:
        _refuse_missing(mail, marker, int(state.get("generation") or 0))


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


def bind(account: Account, mail: MailSection, state: State, *, refill: bool) -> None:
    """Remember the account, and mark the tree as its own."""
    identity = state.get("identity") or secrets.token_hex(8)
    marker = mailtree.read_marker(str(mail.path))
    facts = _facts(account, mail)
    state.put(facts | {"identity": identity})
    if marker is None or marker.account != identity or refill:
        mailtree.write_marker(str(mail.path), Marker(identity, int(state.get("generation") or 0), facts["mailbox"]))


def raise_generation(mail: MailSection, state: State) -> None:
    """Before the first write: the tree first, so that a crash in between leaves it newer than the state, never older."""
    generation = int(state.get("generation") or 0) + 1
    mailtree.write_marker(str(mail.path), Marker(state.get("identity"), generation, state.get("mailbox")))
    state.put({"generation": str(generation)})


def _facts(account: Account, mail: MailSection) -> dict[str, str]:
    return {"mailbox": account.email.lower(), "path": str(mail.path), "layout": mail.layout}
