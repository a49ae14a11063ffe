"""Settings → an open connection to one mailbox's server: sign-in, worker connections, back-off, and what is asked again.

The sessions (authentication, headers, one TCP connection each) are made by `opening.py` as exchangelib makes its own. Not so its
pool, which deadlocks under throttling, and its retry loop, which sends writes twice and wrong passwords for an hour.

Must never do: send a write a second time; send a refused password a second time.
"""

from __future__ import annotations

import email.utils
import sys
import threading
import time
from collections.abc import Callable
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from dataclasses import field
from types import TracebackType
from typing import Any
from typing import Literal
from typing import Self
from typing import TypeVar
from urllib.parse import urlsplit

from ews_bridge.errors import AuthError
from ews_bridge.errors import Busy
from ews_bridge.errors import ConfigError
from ews_bridge.errors import EwsBridgeError
from ews_bridge.errors import Unavailable
from ews_bridge.exchange import asking
from ews_bridge.exchange import faults
from ews_bridge.exchange import opening
from ews_bridge.exchange import soap

T = TypeVar("T")

#: Read from the socket in such pieces: large enough to cost little, small enough that a message is not held twice.
PIECE = 1 << 20
#: A connection that idled so long may have been closed by the other end: no write is risked on it.
IDLE = 30.0
#: Seconds to wait for a TCP connection.
CONNECT = 15.0
#: NTLM sends the first body on a connection up to three times: a larger one is preceded by a small one.
SMALL_BODY = 16_384

_HELLO = asking.get_folders(asking.distinguished("msgfolderroot"), "")


@dataclass(frozen=True, slots=True)
class Settings:
    """What it takes to reach one mailbox. Times in seconds; `secret` is asked once, when the first request is made.

    `timeout` bounds each silence of the server, not a whole answer. A read is tried `tries` times, and all its waits together
    last at most `patience`. "" for `ca_file` and `proxy`: what the system and the environment say. `mailbox`: the address of
    the mailbox that is worked on, where it is not that of the user who signs in.
    """

    url: str
    email: str
    username: str
    secret: Callable[[], str] | str = field(repr=False)
    auth: Literal["basic", "ntlm"] = "ntlm"
    user_agent: str = "ews-bridge"
    ca_file: str = ""
    proxy: str = ""
    timeout: float = 120
    connections: int = 4
    tries: int = 5
    patience: float = 300
    mailbox: str = ""


@dataclass(slots=True)
class _Line:
    """One requests session: one TCP connection, signed in on its own."""

    session: Any
    used: float = 0  # when last used; 0: never


class Connection:
    """Opens lines to the server as they are needed, at most `settings.connections`; safe to use from several threads.

    `sleep` and `clock` are for tests. Nothing is sent before the first `ask`. `server_time` is what the server's clock showed, in
    seconds since the epoch, when the last request was sent (0: unknown).
    """

    def __init__(
        self,
        settings: Settings,
        *,
        sleep: Callable[[float], None] = time.sleep,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.settings = settings
        self.requests = 0
        self.server_time = 0.0
        self._sleep = sleep
        self._clock = clock
        self._lock = threading.Lock()
        self._signing_in = threading.Lock()
        self._signed_in = False
        self._refused: AuthError | None = None
        self._free = threading.BoundedSemaphore(settings.connections)
        self._idle: list[_Line] = []
        self._quiet_until = 0.0
        self._version = 0
        self._name = urlsplit(settings.url).hostname or settings.url

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.close()

    @property
    def signed_in(self) -> bool:
        """Whether the server took the password in the life of this connection."""
        return self._signed_in

    def close(self) -> None:
        with self._lock:
            idle, self._idle = self._idle, []
        for line in idle:
            line.session.close()

    def ask(self, operation: bytes, read: Callable[[bytearray], T], *, repeat: bool, tries: int = 0) -> T:
        """Send one operation and return what `read` makes of the answer's body.

        `read` raises what is wrong with the answer (`soap.messages`), so that it counts like any other failure. With
        `repeat`, what passes by itself is asked again, up to `tries` times (0: as the settings say); without, a `Lost`
        leaves the outcome unknown. Raises `AuthError` at once and for good after one refused sign-in.
        """
        tries = (tries or self.settings.tries) if repeat else 1
        patience = self.settings.patience
        attempt = 0
        while True:
            patience -= self._wait_while_quiet(patience)
            attempt += 1
            version = self._version
            try:
                return read(self._post(operation, fresh=not repeat))
            except faults.Fault as error:
                if error.code in soap.TOO_NEW and self._older(version):
                    attempt -= 1
                    continue
                failure: Unavailable = error
            except Unavailable as error:
                failure = error
            wait = self._note(failure, attempt)
            # A first connection that cannot be made is not worth waiting for: the network is down or the address wrong.
            unreached = isinstance(failure, faults.Lost) and not failure.reached and not self._signed_in
            if not faults.passes(failure) or attempt >= (min(tries, 2) if unreached else tries) or wait > patience:
                raise failure
            if not isinstance(failure, Busy):
                self._sleep(wait)
                patience -= wait

    def answers(self) -> bool:
        """Whether the server answers a small question now: tells an item that it chokes on from a server that is down."""
        try:
            self.ask(_HELLO, _hear, repeat=False)
        except Unavailable:
            return False
        return True

    # ---- waiting

    def _note(self, failure: Unavailable, attempt: int) -> float:
        """How long to wait after this failure. A busy server is left alone by all workers until then."""
        growing = float(2 ** (attempt - 1))
        if not isinstance(failure, Busy):
            return growing
        wait = failure.wait or growing * 5
        with self._lock:
            self._quiet_until = max(self._quiet_until, self._clock() + wait)
        return wait

    def _wait_while_quiet(self, patience: float) -> float:
        """Wait until the server wants to hear from us again; returns how long that took."""
        waited = 0.0
        while (wait := self._quiet_until - self._clock()) > 0:
            if waited + wait > patience:
                raise Busy(f"{self._name} asks to be left alone for {wait:.0f} more seconds", wait=wait)
            self._sleep(wait)
            waited += wait
        return waited

    def _older(self, version: int) -> bool:
        """Fall back to an older schema than number `version`; another thread may have done so already."""
        with self._lock:
            if self._version == version:
                self._version += 1
            return self._version < len(soap.VERSIONS)

    # ---- sending

    def _post(self, operation: bytes, *, fresh: bool) -> bytearray:
        """One HTTP exchange. The first one of all goes alone: it decides whether the password is right."""
        if self._signed_in:
            with self._line(fresh=fresh) as line:
                return self._exchange(line, operation)
        with self._signing_in:
            if self._refused:
                raise self._refused
            with self._line(fresh=fresh) as line:
                return self._exchange(line, operation)

    @contextmanager
    def _line(self, *, fresh: bool) -> Iterator[_Line]:
        """A line of one's own while the body is sent and read; one that failed is closed. `fresh`: none that idled long."""
        with self._free:
            with self._lock:
                line = self._idle.pop() if self._idle else None
            if line and fresh and self._clock() - line.used > IDLE:
                line.session.close()
                line = None
            if line is None:
                line = _Line(opening.session(self.settings))
            try:
                yield line
            except BaseException:
                line.session.close()
                raise
            line.used = self._clock()
            with self._lock:
                self._idle.append(line)

    def _exchange(self, line: _Line, operation: bytes) -> bytearray:
        if not line.used and self.settings.auth == "ntlm" and (self._signed_in or len(operation) > SMALL_BODY):
            self._send(line, _HELLO)
            line.used = self._clock()
        return self._send(line, operation)

    def _send(self, line: _Line, operation: bytes) -> bytearray:
        """Post and read to the end. Returns SOAP, whatever it says; anything else is raised (`faults.http`)."""
        try:
            return self._answered(line, operation)
        except AuthError as error:
            self._refused = error
            raise

    def _answered(self, line: _Line, operation: bytes) -> bytearray:
        if self._refused:
            raise self._refused
        data = soap.envelope(operation, soap.VERSIONS[min(self._version, len(soap.VERSIONS) - 1)])
        with _translated(self._name, self.settings):
            self.requests += 1
            began = self._clock()
            response = line.session.post(
                self.settings.url,
                data=data,
                headers={"X-AnchorMailbox": (self.settings.mailbox or self.settings.email).encode()},
                timeout=(min(CONNECT, self.settings.timeout), self.settings.timeout),
                verify=self.settings.ca_file or None,
                proxies={"http": self.settings.proxy, "https": self.settings.proxy} if self.settings.proxy else None,
                allow_redirects=False,
                stream=True,
            )
            body = bytearray()
            while piece := response.raw.read(PIECE, decode_content=True):
                body += piece
        error = faults.http(response.status_code, response.headers, body, name=self._name)
        if error is not None:
            raise error
        self._signed_in = True
        date = email.utils.parsedate_tz(response.headers.get("Date", ""))
        self.server_time = email.utils.mktime_tz(date) - (self._clock() - began) if date else 0.0
        return body


def _hear(body: bytearray) -> None:
    soap.messages(soap.parse(body))


@contextmanager
def _translated(name: str, settings: Settings) -> Iterator[None]:
    """Errors of requests, urllib3 and the NTLM library as ours."""
    import requests.exceptions as theirs
    import urllib3.exceptions

    # Loaded with the sign-in that may raise it; it takes 0.1 s to load, which is much for a program that sends one message.
    ntlm = sys.modules.get("spnego.exceptions")
    handshake = (PermissionError, KeyError, *((ntlm.SpnegoError,) if ntlm else ()))
    try:
        yield
    except theirs.SSLError as error:
        if "certificate" not in str(error).lower():
            raise faults.Lost(f"the encrypted connection to {name} failed: {_reason(error)}", reached=False) from error
        hint = "if the server's certificate comes from your own authority, name its file with `ca_file`"
        raise Unavailable(f"the certificate of {name} is not trusted: {_reason(error)}", hint=hint) from error
    except theirs.ProxyError as error:
        raise faults.Lost(f"the proxy does not lead to {name}: {_reason(error)}", reached=False) from error
    except theirs.ConnectTimeout as error:
        raise faults.Lost(f"{name} cannot be reached: no answer", reached=False) from error
    except (theirs.Timeout, urllib3.exceptions.ReadTimeoutError) as error:
        raise faults.Lost(f"{name} did not answer within {settings.timeout:g} seconds") from error
    except theirs.ConnectionError as error:
        reached = not isinstance(_innermost(error), urllib3.exceptions.NewConnectionError)  # or NameResolutionError, its child
        words = f"the connection to {name} broke off" if reached else f"{name} cannot be reached"
        raise faults.Lost(f"{words}: {_reason(error)}", reached=reached) from error
    except (theirs.InvalidURL, theirs.MissingSchema, theirs.InvalidSchema) as error:
        raise ConfigError(f"server: {settings.url} is not an address: {error}") from error
    except (urllib3.exceptions.HTTPError, theirs.RequestException) as error:
        raise faults.Lost(f"the answer of {name} broke off: {_reason(error)}") from error
    except handshake as error:
        # requests_ntlm raises these where the server takes no part in the handshake.
        hint = 'does the server offer NTLM? Another possibility: auth = "basic"'
        raise AuthError(f"{name} did not complete the NTLM sign-in: {error}", hint=hint) from error
    except OSError as error:
        raise faults.Lost(f"the connection to {name} broke off: {error}") from error


def _innermost(error: BaseException) -> BaseException:
    """What really happened, below what requests and urllib3 wrap around it."""
    while True:
        inner = getattr(error, "reason", None) or next((arg for arg in error.args if isinstance(arg, BaseException)), None)
        if not isinstance(inner, BaseException):
            return error
        error = inner


def _reason(error: EwsBridgeError | BaseException) -> str:
    inner = _innermost(error)
    text = str(inner.args[-1] if inner.args else inner)
    # urllib3 begins with its own object: "<urllib3.connection.HTTPSConnection object at 0x…>: Failed to …"
    return text.rpartition(">: ")[2] or type(inner).__name__
