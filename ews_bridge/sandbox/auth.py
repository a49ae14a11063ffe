"""Signing in as at an Exchange front end: Basic for each request, NTLM once for each connection.

Passwords are compared here and nowhere else. It sends nothing itself: it says who it is, or which headers the 401 has.
"""

from __future__ import annotations

import base64
import binascii
import hmac
import os
import struct
import tempfile
import threading
from collections.abc import Iterable
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from dataclasses import field

import spnego
from spnego._ntlm_raw.crypto import ntowfv1

from .world import Mailbox
from .world import World

SCHEMES = ("negotiate", "ntlm", "basic")

_NTLM_SIGNATURE = b"NTLMSSP\0"
_AUTHENTICATE = 3
# Not the system's GSSAPI, which would answer for the machine's own accounts.
_PURE_PYTHON = spnego.NegotiateOptions.use_negotiate | spnego.NegotiateOptions.use_ntlm
_UNICODE = 0x1
# pyspnego's acceptor reads its accounts from the file that this variable names; the process has only one environment.
_ACCOUNTS_VARIABLE = "NTLM_USER_FILE"
_ACCOUNTS_LOCK = threading.Lock()


@dataclass(slots=True)
class Connection:
    """What one TCP connection has shown so far."""

    requests: int = 0
    mailbox: Mailbox | None = None
    handshake: spnego.ContextProxy | None = None


@dataclass(frozen=True, slots=True)
class Verdict:
    """Who it is, or None and the headers of the 401. `refused`: credentials were shown, and they are wrong."""

    mailbox: Mailbox | None
    headers: tuple[tuple[str, str], ...] = ()
    fresh: bool = False
    refused: bool = False


@dataclass(slots=True)
class Gate:
    """The sign-in of one server, for the schemes it offers."""

    world: World
    schemes: frozenset[str]
    realm: str
    refusal: tuple[tuple[str, str], ...] = field(init=False)

    def __post_init__(self) -> None:
        unknown = self.schemes - set(SCHEMES)
        if unknown or not self.schemes:
            raise ValueError(f"unknown sign-in: {', '.join(sorted(unknown)) or 'none'} (known: {', '.join(SCHEMES)})")
        self.refusal = tuple(("WWW-Authenticate", value) for value in self._offers())

    def admit(self, authorization: str | None, connection: Connection) -> Verdict:
        """Decide about one request, given its Authorization header and its connection."""
        if authorization is None:
            # NTLM belongs to the connection: after the handshake its requests come without a header.
            return Verdict(connection.mailbox, () if connection.mailbox else self.refusal)
        scheme, _, token = authorization.strip().partition(" ")
        scheme = scheme.lower()
        if scheme not in self.schemes:
            return Verdict(None, self.refusal)
        if scheme == "basic":
            mailbox = self._basic(token)
            if mailbox is None:
                return Verdict(None, self.refusal, refused=True)
            return Verdict(mailbox, fresh=True)
        return self._handshake(scheme, token, connection)

    def _offers(self) -> Iterable[str]:
        if "negotiate" in self.schemes:
            yield "Negotiate"
        if "ntlm" in self.schemes:
            yield "NTLM"
        if "basic" in self.schemes:
            yield f'Basic realm="{self.realm}"'

    def _basic(self, token: str) -> Mailbox | None:
        try:
            pair = base64.b64decode(token, validate=True)
        except (binascii.Error, ValueError):
            return None
        name, _, password = _text(pair).partition(":")
        domain, _, user = name.rpartition("\\")
        mailbox = find_mailbox(self.world, domain, user)
        if mailbox is None or not hmac.compare_digest(mailbox.password.encode(), password.encode()):
            return None
        return mailbox

    def _handshake(self, scheme: str, token: str, connection: Connection) -> Verdict:
        name = "NTLM" if scheme == "ntlm" else "Negotiate"
        try:
            message = base64.b64decode(token, validate=True)
        except (binascii.Error, ValueError):
            return Verdict(None, self.refusal)
        client = _client_name(message)
        mailbox = None if client is None else find_mailbox(self.world, *client)
        if client is not None and (mailbox is None or connection.handshake is None):
            connection.handshake = None
            return Verdict(None, self.refusal, refused=True)
        try:
            with _accounts(client, mailbox):
                if client is None:
                    connection.mailbox = None
                    connection.handshake = spnego.server(protocol=scheme, options=_PURE_PYTHON)
                assert connection.handshake is not None
                reply = connection.handshake.step(message)
                done = connection.handshake.complete
        except (spnego.exceptions.SpnegoError, ValueError, LookupError, struct.error):  # what its parser raises
            connection.handshake = None
            return Verdict(None, self.refusal, refused=client is not None)
        said = "" if reply is None else " " + base64.b64encode(reply).decode()
        if not done:
            return Verdict(None, (("WWW-Authenticate", name + said),))
        connection.handshake = None
        connection.mailbox = mailbox
        headers = [("Persistent-Auth", "true")]
        if said:
            headers.append(("WWW-Authenticate", name + said))
        return Verdict(mailbox, tuple(headers), fresh=True)


def find_mailbox(world: World, domain: str, user: str) -> Mailbox | None:
    """The mailbox of a full address or of an alias; of equal aliases the one whose domain begins with `domain`."""
    wanted = user.lower()
    if "@" in wanted:
        return world.users.get(wanted)
    found = [(address, mailbox) for address, mailbox in world.users.items() if address.partition("@")[0] == wanted]
    first_label = domain.lower().partition(".")[0]
    for address, mailbox in found:
        if address.partition("@")[2].partition(".")[0] == first_label:
            return mailbox
    return found[0][1] if found else None


def _client_name(message: bytes) -> tuple[str, str] | None:
    """Domain and user of an AUTHENTICATE_MESSAGE (MS-NLMP 2.2.1.3), also inside SPNEGO; None for any other message."""
    start = message.find(_NTLM_SIGNATURE)
    ntlm = message[start:]
    if start < 0 or len(ntlm) < 64 or struct.unpack_from("<I", ntlm, 8)[0] != _AUTHENTICATE:
        return None
    (flags,) = struct.unpack_from("<I", ntlm, 60)
    encoding = "utf-16-le" if flags & _UNICODE else "latin-1"
    texts = []
    for header in (28, 36):
        length, _, offset = struct.unpack_from("<HHI", ntlm, header)
        texts.append(ntlm[offset : offset + length].decode(encoding, "replace"))
    return texts[0], texts[1]


@contextmanager
def _accounts(client: tuple[str, str] | None, mailbox: Mailbox | None) -> Iterator[None]:
    """While it is open, pyspnego knows exactly the one account that is signing in, under the name the client used."""
    line = ""
    if client is not None and mailbox is not None:
        domain, user = client
        name = f"{domain}\\{user}" if domain else user
        # The smbpasswd form: its hash has no trouble with a colon in the password. No LM hash: NTLMv2 needs none.
        line = f"{name}:0:{'0' * 32}:{ntowfv1(mailbox.password).hex().upper()}:[U]:LCT-0\n"
    with _ACCOUNTS_LOCK, tempfile.NamedTemporaryFile("w", encoding="utf-8", prefix="ews-sandbox-") as file:  # 0600
        file.write(line)
        file.flush()
        before = os.environ.get(_ACCOUNTS_VARIABLE)
        os.environ[_ACCOUNTS_VARIABLE] = file.name
        try:
            yield
        finally:
            if before is None:
                del os.environ[_ACCOUNTS_VARIABLE]
            else:
                os.environ[_ACCOUNTS_VARIABLE] = before


def _text(raw: bytes) -> str:
    try:
        return raw.decode("utf-8")
    except UnicodeDecodeError:
        return raw.decode("latin-1")
