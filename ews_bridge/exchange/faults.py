"""The one error map: what a server or the way to it can do wrong, as our errors.

    status or code                                      becomes                 a read is asked again
    401, 403                                            AuthError               no
    429, 503, ErrorServerBusy (all its shapes)          Busy(wait)              after the server's own figure
    200 or 3xx with a web page                          Unavailable             no
    302 to genericerrorpage, 400 without SOAP, 440,
    500 without SOAP, 502, 504, cut, truncated, silent  Lost                    with growing waits
    404, 405, 413, other statuses                       Fault("HTTP 404")       no
    SOAP fault that passes (`PASSING`)                  Fault, passing          with growing waits
    any other SOAP fault                                Fault                   no

`Lost` says that nothing, or not everything, came back: after a write its outcome is unknown. `Fault` is the server's own
word on the whole request.
"""

from __future__ import annotations

import email.utils
import time
from collections.abc import Mapping
from urllib.parse import urlsplit
from urllib.parse import urlunsplit

from ews_bridge.errors import AuthError
from ews_bridge.errors import Busy
from ews_bridge.errors import EwsBridgeError
from ews_bridge.errors import SignInRefused
from ews_bridge.errors import Unavailable

#: Codes that pass by themselves: the same request may succeed a little later.
PASSING = frozenset(
    {
        "ErrorConnectionFailed",
        "ErrorConnectionFailedTransientError",
        "ErrorExceededConnectionCount",
        "ErrorInternalServerTransientError",
        "ErrorMailboxMoveInProgress",
        "ErrorMailboxStoreUnavailable",
        "ErrorTimeoutExpired",
        "ErrorTooManyObjectsOpened",
    }
)
BUSY = "ErrorServerBusy"

_CHECK_URL = "is `server` the address of EWS (https://HOST/EWS/Exchange.asmx)?"


class Lost(Unavailable):
    """No whole answer came back. `reached`: a connection was open, so the request may have been carried out."""

    def __init__(self, message: str, *, reached: bool = True) -> None:
        super().__init__(message)
        self.reached = reached


class Fault(Unavailable):
    """The server refused a whole request. `code` is its ResponseCode, or "HTTP 404" and the like."""

    def __init__(self, message: str, *, code: str, hint: str = "") -> None:
        super().__init__(message, hint=hint)
        self.code = code


def passes(error: EwsBridgeError) -> bool:
    """Whether a read that ended so is worth asking again."""
    return isinstance(error, Busy | Lost) or (isinstance(error, Fault) and error.code in PASSING)


def fault(code: str, text: str, wait: float = 0) -> Unavailable:
    """The error for a code that concerns a whole request. Whatever it is called: with a time to wait it is about load."""
    words = f"the server says: {text or code}" + (f" ({code})" if text and code else "")
    return Busy(words, wait=wait) if code == BUSY or wait else Fault(words, code=code)


def http(status: int, headers: Mapping[str, str], body: bytes | bytearray, *, name: str) -> EwsBridgeError | None:
    """The error for an HTTP answer that is not SOAP; None for one that is, whatever it says. `name`: the server's, for people."""
    page = _is_page(headers, body)
    if status in (401, 403):
        return _unauthorized(status, name)
    if status in (429, 503):
        return Busy(f"{name} is too busy (HTTP {status})", wait=retry_after(headers.get("Retry-After", "")))
    if 300 <= status < 400:
        return _redirected(headers.get("Location", ""), name)
    if _is_soap(body):
        return None
    if status == 200:
        if page:
            return _not_ews(name, "")
        return Lost(f"{name} sent something that is not an answer, or not all of it")
    if status in (400, 440, 500, 502, 504):
        return Lost(f"{name} answered HTTP {status} and no reason")
    hint = "the request or the message is larger than the server takes" if status == 413 else _CHECK_URL
    return Fault(f"{name} answered HTTP {status}", code=f"HTTP {status}", hint=hint)


def retry_after(value: str) -> float:
    """Seconds from a Retry-After header: a number or a date (RFC 9110 §10.2.3); 0 when there is none."""
    if value.strip().isdigit():
        return float(value)
    try:
        return max(0.0, email.utils.parsedate_to_datetime(value).timestamp() - time.time())
    except (TypeError, ValueError):
        return 0.0


def _unauthorized(status: int, name: str) -> AuthError:
    if status == 401:
        # One attempt only: accounts get locked after a few.
        hint = "check username and password; some servers want DOMAIN\\user, or another `auth`"
        return SignInRefused(f"{name} refused the sign-in", hint=hint)
    hint = "the administrator may have to allow EWS, or this program's user_agent"
    return AuthError(f"{name} refuses this account the use of EWS (HTTP 403)", hint=hint)


def _redirected(location: str, name: str) -> EwsBridgeError:
    # IIS sends busy or broken requests to this page; the next one may well be served.
    if "genericerrorpage" in location.lower():
        return Lost(f"{name} redirected to its error page")
    parts = urlsplit(location)
    # Without the query, which may hold the name of the user.
    return _not_ews(name, f", it redirects to {urlunsplit((parts.scheme, parts.netloc, parts.path, '', ''))}")


def _not_ews(name: str, where: str) -> Unavailable:
    return Unavailable(f"{name} answered with a web page (an OWA login?) instead of EWS{where}", hint=_CHECK_URL)


def _is_page(headers: Mapping[str, str], body: bytes | bytearray) -> bool:
    start = bytes(body[:500]).lstrip().lower()
    return "html" in headers.get("Content-Type", "") or start.startswith((b"<!doctype", b"<html"))


def _is_soap(body: bytes | bytearray) -> bool:
    return b"Envelope" in bytes(body[:1000]) and bytes(body[-200:]).rstrip().endswith(b"Envelope>")
