"""One letter of the outbox, or all of them, to the server: what to do with each outcome, so that it leaves exactly once.

An outcome is unknown when no answer came, or when the process was killed while it waited. Then only the token counts: it is
looked for at once, and by every later run; when the settling time has passed and it is nowhere, the message is sent again,
with the same token. Nothing is guessed: where the token cannot be looked for, the message stays unknown, and after a few
attempts without an answer it is set aside for the user to decide.
"""

from __future__ import annotations

import contextlib
import time
from dataclasses import dataclass
from dataclasses import field

from ews_bridge import addresses
from ews_bridge import signin
from ews_bridge.config import Account
from ews_bridge.envelope import Envelope
from ews_bridge.errors import AuthError
from ews_bridge.errors import ConfigError
from ews_bridge.errors import DiskError
from ews_bridge.errors import EwsBridgeError
from ews_bridge.errors import Unavailable
from ews_bridge.exchange import sending
from ews_bridge.exchange.session import Connection
from ews_bridge.outbox import Claim
from ews_bridge.outbox import Letter
from ews_bridge.outbox import Outbox
from ews_bridge.outbox import new_letter

#: So often a message is given to the server without an answer before it is set aside.
ATTEMPTS = 3


@dataclass(frozen=True, slots=True)
class Kept:
    """A message that stays in the outbox, and why. Not `known`: the server may have it."""

    reason: str
    known: bool


@dataclass(slots=True)
class Flushed:
    """What became of an outbox: how many left, which failed for good and why, how many are still there, what ended it early."""

    sent: int = 0
    failed: list[tuple[Letter, EwsBridgeError]] = field(default_factory=list)
    waiting: int = 0
    stopped: EwsBridgeError | None = None


def outbox_of(account: Account) -> Outbox:
    return Outbox(account.state_dir / "outbox")


def post(account: Account, envelope: Envelope) -> Kept | None:
    """Take a message in, durably, and send it if it can be; None when the server has it.

    Raises the server's no (`sending.NO`), AuthError and ConfigError, and, where the account keeps nothing, `sending.NotTaken`:
    then nothing was sent, and the message is the caller's again.
    """
    letter = new_letter(envelope, state="sending")
    with outbox_of(account).added((envelope.head, envelope.body), letter) as claim:
        try:
            with signin.connected(account, brief=True) as connection:
                return _give(claim, connection, None)
        except sending.NotTaken as error:
            if account.send.queue == "never":
                claim.gone()
                raise
            claim.become("queued", attempts=0, reason=str(error))
            return Kept(str(error), known=True)
        except (*sending.NO, AuthError, ConfigError):
            claim.gone()
            raise


def flush(account: Account, connection: Connection) -> Flushed:
    """Send what is in the outbox, in order. What another process works on is left to it. Raises DiskError."""
    done = Flushed()
    outbox = outbox_of(account)
    outbox.tidy()
    for letter in outbox.letters():
        with outbox.claimed(letter.id) as claim:
            if claim is None:
                continue
            try:
                kept = _advance(claim, connection, settle=account.send.settle)
            except sending.NO as error:
                claim.fail(f"{error}" + (f" ({error.hint})" if error.hint else ""))
                done.failed.append((letter, error))
            except (AuthError, Unavailable) as error:
                done.stopped = error
                break
            else:
                done.sent += kept is None
    done.waiting = len(outbox.letters())
    return done


def _advance(claim: Claim, connection: Connection, *, settle: float) -> Kept | None:
    """The next step for a letter: look for it, send it, or wait. Raises `sending.NO`, AuthError and Unavailable."""
    if claim.letter.state == "queued":
        return _again(claim, connection, None)
    if claim.letter.state == "sending":  # whoever sent it is no longer there; the server may be at it only now
        claim.become("unknown", reason="the program was interrupted while it waited for the server's answer")
    asked = time.time()
    held = sending.look(connection, claim.letter.token)
    if held is not None and held.place in sending.SENT:
        claim.gone()
        return None
    if asked < claim.letter.since:  # the clock was set back: wait once more
        claim.become("unknown", reason=claim.letter.reason)
    if asked - claim.letter.since < settle:
        return Kept(claim.letter.reason, known=False)
    if claim.letter.attempts >= ATTEMPTS:
        raise sending.Declined(
            f"the server did not say in {ATTEMPTS} attempts whether it takes the message, and it is not in Sent Items",
            hint="perhaps it is larger than the server takes" if claim.letter.size > sending.LARGE else "",
        )
    return _again(claim, connection, held)


def _again(claim: Claim, connection: Connection, draft: sending.Held | None) -> Kept | None:
    before = claim.letter
    claim.become("sending", attempts=before.attempts + 1)
    try:
        return _give(claim, connection, draft)
    except (*sending.NO, AuthError, sending.NotTaken) as error:
        # Where an earlier attempt had no answer, its token is looked for first the next time, too.
        claim.become("unknown" if before.attempts else "queued", attempts=before.attempts, reason=str(error))
        raise


def _give(claim: Claim, connection: Connection, draft: sending.Held | None) -> Kept | None:
    """Give a letter in the state `sending` to the server, or have the draft sent that it made of it. None when it has left."""
    letter = claim.letter
    wanted = sending.Wanted(claim.pieces, letter.token, letter.to, letter.cc, letter.bcc, letter.exact, _home(connection, letter))
    try:
        if draft is None:
            sending.send(connection, wanted)
        else:
            sending.send_draft(connection, draft, wanted)
    except sending.Unclear as error:
        claim.become("unknown", reason=str(error))
        if not _arrived(connection, letter.token):
            return Kept(str(error), known=False)
    # A disk that fails now must not make the caller send it again: the letter that stays is found out by its token.
    with contextlib.suppress(DiskError):
        claim.gone()
    return None


def _home(connection: Connection, letter: Letter) -> str:
    """Whose Sent Items get the copy: the shared mailbox's that the account is for, but of what its user sends as themselves."""
    sender = next((addresses.key(box.address) for box in addresses.parse(letter.sender).mailboxes), "")
    return "" if sender == addresses.key(connection.settings.email) else connection.settings.mailbox


def _arrived(connection: Connection, token: str) -> bool:
    """A first look: most answers that are lost are lost after the deed. That it is not there yet says nothing."""
    try:
        held = sending.look(connection, token, tries=1)
    except (Unavailable, AuthError):
        return False
    return held is not None and held.place in sending.SENT
