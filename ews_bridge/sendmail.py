"""`ews-send`: a sendmail that sends through Exchange. argv → account → envelope → outbox → server.

No click, and nothing of requests or lxml before a request is made: mutt waits for this program. One line on stderr for
each thing that is to be said, since mail readers show it as it comes; exit codes as in sysexits.h. 0 says that the server has
the message, or that it is safely on disk and will be sent: never less.
"""

from __future__ import annotations

import os
import signal
import sys
import time
from collections.abc import Sequence
from pathlib import Path

from ews_bridge import __version__
from ews_bridge import addresses
from ews_bridge import aliases
from ews_bridge import config
from ews_bridge import envelope
from ews_bridge import sendargs
from ews_bridge.config import Account
from ews_bridge.errors import Busy
from ews_bridge.errors import EwsBridgeError
from ews_bridge.outbox import Outbox
from ews_bridge.outbox import new_letter

USAGE = "usage: ews-send [sendmail options] [--] RECIPIENT...    (the message on stdin; man ews-send)"


def main() -> int:
    """Run, and return the exit code. Whatever kills it, the outbox knows how far it came."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    try:
        return run(sys.argv[0], sys.argv[1:])
    except EwsBridgeError as error:
        _complain(error)
        return error.exit_code
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 128 + signal.SIGPIPE
    except Exception as bug:  # noqa: BLE001  (the boundary of this program)
        return _told(bug)


def run(program: str, words: Sequence[str]) -> int:
    """The exit code. Raises EwsBridgeError."""
    asked = sendargs.parse(program, words)
    match asked.mode:
        case "help":
            print(USAGE)
        case "version":
            print(f"ews-send {__version__}")
        case "aliases":
            pass  # the file is read each time: there is no database to make
        case "list":
            _list(_accounts(asked))
        case "flush":
            return max((_flush(account) for account in _accounts(asked)), default=0)
        case "send":
            return _send(asked)
    return 0


def _accounts(asked: sendargs.Arguments) -> tuple[Account, ...]:
    return _load(asked).select([asked.account] if asked.account else [])


def _load(asked: sendargs.Arguments) -> config.Config:
    return config.load(Path(asked.config) if asked.config else None)


# ---- sending


def _send(asked: sendargs.Arguments) -> int:
    # To its end, before anything can fail: a caller whose pipe breaks reports that instead of our reason.
    message = sys.stdin.buffer.read()
    account = chosen(_load(asked), asked, message)
    ready = envelope.prepare(message, asked, site(account, asked, message), now=time.time(), unique=os.urandom(12).hex())
    if account.send.queue == "always":
        with _outbox(account).added((ready.head, ready.body), new_letter(ready, state="queued")):
            return 0
    from ews_bridge import delivery

    kept = delivery.post(account, ready)
    if kept is not None:
        state = "it will be sent later" if kept.known else "the server may have it; it is looked for before it is sent again"
        _say(f"{account.name}: kept in the outbox: {kept.reason}: {state}")
    elif asked.verbose:
        _say(f"{account.name}: sent to {', '.join(ready.recipients)}")
    return 0


def chosen(accounts: config.Config, asked: sendargs.Arguments, message: bytes) -> Account:
    """Who sends: the account of -a, of the From address, of -f, the default one, the first. Raises UsageError."""
    if asked.account:
        return accounts.select([asked.account])[0]
    for address in filter(None, (envelope.sender_of(message), envelope.bare(asked.sender))):
        key = addresses.key(address)
        its = [each for each in accounts.accounts if key in (addresses.key(each.address), addresses.key(_from(each)[1]))]
        # Who signs in for a shared mailbox sends as themselves through it where they have no account of their own.
        its += [each for each in accounts.accounts if key == addresses.key(each.email)]
        if its:
            return its[0]
    return next((account for account in accounts.accounts if account.send.default), accounts.accounts[0])


def site(account: Account, asked: sendargs.Arguments, message: bytes) -> envelope.Site:
    """What is local to the machine, and who the account is."""
    name, address = _from(account)
    host = os.uname().nodename.lower()
    hosts = {host, "localhost", "localhost.localdomain"}
    if f"@{host}.".encode() in message.lower() or any(f"@{host}." in word.lower() for word in (*asked.recipients, asked.sender)):
        import socket  # the full name may have to be asked for

        hosts.add(socket.getfqdn().lower())
    known = aliases.read(account.send.aliases) if account.send.aliases and not asked.no_aliases else {}
    return envelope.Site(address, name, frozenset(hosts), known)


def _from(account: Account) -> tuple[str, str]:
    """(display name, address) that stand in a From that is written here."""
    told = account.send.sender
    if not told:
        return "", account.address
    box = addresses.parse(told).mailboxes[0]
    return (told[: box.start - 1].strip().strip('"') if box.angled else ""), box.address


# ---- the outbox


def _flush(account: Account) -> int:
    """Send what is there, name what failed; the exit code."""
    if not _outbox(account).letters():
        return 0
    from ews_bridge import delivery
    from ews_bridge import signin

    with signin.connected(account, brief=True) as connection:
        done = delivery.flush(account, connection)
    for letter, error in done.failed:
        _say(f"{account.name}: not sent: {letter.label}: {_words(error)}")
    if done.stopped is not None:
        raise done.stopped
    if done.failed:
        return done.failed[0][1].exit_code
    if done.waiting:
        _say(f"{account.name}: {done.waiting} in the outbox; `ews-send -bp` says why")
        return Busy.exit_code
    return 0


def _list(accounts: Sequence[Account]) -> None:
    for account in accounts:
        letters = [*_outbox(account).letters(), *_outbox(account).failed()]
        for letter in letters:
            when = time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(letter.added))
            print(f"{account.name}  {letter.id}  {letter.state:8}{letter.size:>10}  {when}  {_printable(letter.sender)}")
            print(f"    to {_printable(', '.join(letter.recipients))}")
            print(f"    {_printable(letter.label)}")
            if letter.reason:
                print(f"    {_printable(letter.reason)}")
        if not letters:
            print(f"{account.name}: the outbox is empty")
    sys.stdout.flush()


def _outbox(account: Account) -> Outbox:
    return Outbox(account.state_dir / "outbox")


# ---- words


def _complain(error: EwsBridgeError) -> None:
    _say(_words(error))


def _words(error: EwsBridgeError) -> str:
    return f"{error} ({error.hint})" if error.hint else str(error)


def _say(text: str) -> None:
    """One line; what a server or a message says cannot steer the terminal."""
    print(_printable(f"ews-send: {text}"), file=sys.stderr)


def _printable(text: str) -> str:
    text = text.encode("utf-8", "surrogateescape").decode("utf-8", "replace")
    return "".join(letter if letter.isprintable() else f"\\x{ord(letter):02x}" for letter in text)


def _told(bug: Exception) -> int:
    """By the boundary of the other program: a line, and a file with the traceback to paste."""
    from ews_bridge.cli import boundary

    def again() -> int:
        raise bug

    return boundary.guarded(again)


if __name__ == "__main__":
    sys.exit(main())
