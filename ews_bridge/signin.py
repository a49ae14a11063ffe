"""From an account's settings to what is open: the state, with the lock held, and the connection to its server.

A wrong password is tried once and then never again (accounts get locked): what was refused is remembered, as a salted
hash bound to server and user, and nothing is sent until the secret or the settings change.
"""

from __future__ import annotations

import contextlib
import hashlib
import hmac
import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from ews_bridge import config
from ews_bridge import disk
from ews_bridge import lock
from ews_bridge.config import Account
from ews_bridge.config import MailSection
from ews_bridge.errors import CannotCreate
from ews_bridge.errors import ConfigError
from ews_bridge.errors import SignInRefused
from ews_bridge.exchange.session import Connection
from ews_bridge.exchange.session import Settings

# What sends one message does not need it, and should not wait for it.
if TYPE_CHECKING:
    from ews_bridge.state import State


@contextmanager
def connected(account: Account, *, brief: bool = False) -> Iterator[Connection]:
    """A connection that signs in with its first request. Raises SignInRefused for a known refused secret, and asks nobody.

    `brief`: for one request; a busy server is not waited for.
    """
    secret = config.password(account)
    memory = account.state_dir / "refused"
    refused = memory.read_text() if memory.exists() else ""
    if refused and hmac.compare_digest(_digest(account, secret, refused.split("$")[0]), refused):
        raise SignInRefused(
            f"the server refused this password for {account.username} before; it was not sent again",
            hint=f"change what password_command prints; or, if it is right after all, remove {memory}",
        )
    settings = _settings(account, secret)
    settings = replace(settings, patience=2.0) if brief else settings
    with Connection(settings) as connection:
        try:
            yield connection
        except SignInRefused:
            if not connection.signed_in:  # later on it is the server's mood: some answer 401 under load
                disk.make_directory(str(account.state_dir))
                disk.write_whole(str(memory), _digest(account, secret, secrets.token_hex(8)).encode())
            raise
    memory.unlink(missing_ok=True)


def _digest(account: Account, secret: str, salt: str) -> str:
    text = "\0".join((account.server, account.username, account.auth, secret))
    return f"{salt}${hashlib.scrypt(text.encode(), salt=salt.encode(), n=2**14, r=8, p=1).hex()}"


def _settings(account: Account, secret: str) -> Settings:
    return Settings(
        url=account.server,
        email=account.email,
        username=account.username,
        secret=secret,
        auth="basic" if account.auth == "basic" else "ntlm",
        user_agent=account.user_agent,
        ca_file=str(account.ca_file or ""),
        proxy=account.proxy,
        timeout=account.timeout,
        connections=account.connections,
        mailbox=account.mailbox,
    )


def mail_section(account: Account) -> MailSection:
    """The mail of an account, for what is about nothing else. Raises ConfigError where it has none."""
    if account.mail is None:
        raise ConfigError(f"account {account.name} has no [accounts.{account.name}.mail] section")
    return account.mail


@contextmanager
def locked(account: Account, *, wait: float) -> Iterator[None]:
    """The account's lock, for what writes. Waits so many seconds for another run."""
    try:
        account.state_dir.mkdir(mode=0o700, parents=True, exist_ok=True)
    except OSError as error:
        raise CannotCreate(f"cannot create {account.state_dir}: {error.strerror}") from error
    with lock.held(account.state_dir / "lock", wait=wait):
        yield


def state_file(account: Account, kind: str) -> Path:
    """Where the state of one kind of an account ("mail", "tasks") is kept. What breaks one leaves the others."""
    return account.state_dir / ("state.sqlite3" if kind == "mail" else f"{kind}.sqlite3")


@contextmanager
def opened(account: Account, kind: str) -> Iterator[State]:
    """The state of a kind, for who holds the account's lock."""
    from ews_bridge.state import State

    state = State.open(state_file(account, kind))
    try:
        yield state
    finally:
        state.close()


@contextmanager
def copied(account: Account, kind: str) -> Iterator[State]:
    """A copy of the state in memory, as the last commit left it: for what only looks, and waits for nobody."""
    from ews_bridge.state import State

    path = state_file(account, kind)
    with contextlib.ExitStack() as stack:
        if not path.exists():
            memory = State.in_memory()
        else:
            state = State.open(path)
            stack.callback(state.close)
            memory = state.copy()
        stack.callback(memory.close)
        yield memory
