"""The HTTP side: accept, sign in, carry out, answer; and `/sandbox/`, by which tests and people steer it.

Requests are carried out one at a time, whole, in the thread of the event loop: what happens is what was asked for, in
the order in which it arrived. Nothing here knows what an operation does.
"""

from __future__ import annotations

import asyncio
import gzip
import ipaddress
import sys
import threading
import traceback
import weakref
from collections.abc import Callable
from dataclasses import dataclass
from dataclasses import fields

from aiohttp import web
from lxml import etree

from . import faults
from . import soap
from .auth import Connection
from .auth import Gate
from .errors import RequestFault
from .faults import Fault
from .faults import Faults
from .faults import Quirks
from .faults import Stats
from .grammar import check
from .operations import OPERATIONS
from .operations import perform
from .operations.call import Call
from .world import Mailbox
from .world import World

PATH = "/EWS/Exchange.asmx"
CONTENT_TYPE = "text/xml; charset=utf-8"  # byte for byte: DavMail ignores a body that comes with anything else
REQUEST_LIMIT = 67_108_864  # bytes; Exchange's default maxAllowedContentLength

_LOGON = b"<html><head><title>Sign in</title></head><body><form action='/owa/auth.owa'></form></body></html>"
_SERVICE = b"<html><head><title>Service</title></head><body>This is the address of a web service.</body></html>"
_COOKIE = ("Set-Cookie", "X-BackEndCookie=sandbox; expires=Fri, 31-Dec-2100 23:59:59 GMT; path=/EWS; HttpOnly")
_GZIP_FROM = 1024  # bytes; below, the answer does not get smaller by much


@dataclass(frozen=True, slots=True)
class Options:
    """What is chosen when the server starts. `rate`: bytes a second that each connection carries to the client; 0: all at once.

    `compress` answers with gzip where the client offers it, as Exchange does; it is off because it costs more time than
    the loopback saves. `check_requests` refuses what the schema refuses.
    """

    schemes: frozenset[str] = frozenset(("basic", "ntlm"))
    rtt_ms: float = 0
    rate: float = 0
    request_limit: int = REQUEST_LIMIT
    compress: bool = False
    check_requests: bool = True


class Sandbox:
    """One server on one World.

    `bugs` holds the traceback of every exception that no client should ever cause. `witness`, when set, sees the bodies
    of each EWS request that was signed in and of its answer. Whoever touches `world` from another thread holds `lock`.
    """

    def __init__(self, world: World, options: Options | None = None) -> None:
        self.world = world
        self.options = options or Options()
        self.faults = Faults()
        self.quirks = Quirks()
        self.stats = Stats()
        self.bugs: list[str] = []
        self.witness: Callable[[bytes, bytes], None] | None = None
        self.lock = threading.RLock()
        self.url = ""
        self._sent_before = 0
        self._connections: weakref.WeakKeyDictionary[asyncio.BaseTransport, Connection] = weakref.WeakKeyDictionary()
        self._late: set[asyncio.TimerHandle] = set()
        self._closing = asyncio.Event()
        self._runner: web.ServerRunner | None = None

    async def start(self, host: str = "127.0.0.1", port: int = 0) -> None:
        """Accept connections; `url` is valid afterwards. Raises OSError when the address is not free."""
        self._gate = Gate(self.world, self.options.schemes, host)
        self._runner = web.ServerRunner(web.Server(self._handle), shutdown_timeout=1.0)
        await self._runner.setup()
        site = web.TCPSite(self._runner, host, port)
        await site.start()
        bound = self._runner.addresses[0]
        name = f"[{bound[0]}]" if ":" in str(bound[0]) else str(bound[0])
        self.url = f"http://{name}:{bound[1]}{PATH}"

    async def stop(self) -> None:
        """Close all connections; requests that were to be carried out later are lost, as when a server goes down."""
        self._closing.set()
        for timer in self._late:
            timer.cancel()
        if self._runner is not None:
            await self._runner.cleanup()

    def carry_out(self, request: soap.Request, body: bytes, mailbox: Mailbox) -> tuple[int, bytes]:
        """HTTP status and body of the answer to `request`. Never raises: a bug is noted, and answered as Exchange does."""
        try:
            with self.lock:
                return 200, soap.answer(self._respond(request, body, mailbox))
        except RequestFault as error:
            if error.code == "ErrorSchemaValidation":
                self.stats.schema_violations += 1
            return 500, soap.fault_of(error)
        except Exception:  # noqa: BLE001  (the boundary: a bug must not look like a lost connection)
            return 500, self._bug()

    def _bug(self) -> bytes:
        """Note the exception that is being handled; the fault for it."""
        self.bugs.append(traceback.format_exc())
        print(self.bugs[-1], file=sys.stderr, flush=True)
        return soap.fault("ErrorInternalServerError", "An internal server error occurred. The operation failed.")

    def _respond(self, request: soap.Request, body: bytes, mailbox: Mailbox) -> etree._Element:
        if self.options.check_requests:
            found = check(request.element)
            if found is not None:
                raise soap.schema_fault(body, found.element, found.violation)
        operation = OPERATIONS.get(request.operation)
        if operation is None:
            parent = request.element.getparent()
            assert parent is not None
            raise soap.schema_fault(body, request.element, soap.unexpected_child(parent, request.element, ()))
        user = self._impersonate(request.impersonated, mailbox)
        faults.bend(request.element, self.quirks)
        call = Call(
            world=self.world,
            user=user,
            version=request.version,
            impersonated=request.impersonated is not None,
            time_zone=request.time_zone,
            stamps=self.quirks.stamps,
        )
        response = perform(operation, call, request.element)
        if self.quirks.ignore_commit_time:
            faults.without_commit_time(response)
        return response

    def _impersonate(self, wanted: str | None, mailbox: Mailbox) -> Mailbox:
        if wanted is None or wanted.lower() == mailbox.address.lower():
            return mailbox
        if wanted.lower() not in self.world.users:
            raise RequestFault("ErrorNonExistentMailbox", "No mailbox with such guid.")
        text = "The account does not have permission to impersonate the requested user."
        raise RequestFault("ErrorImpersonateUserDenied", text)

    async def _handle(self, request: web.BaseRequest) -> web.StreamResponse:
        try:
            return await self._route(request)
        except ConnectionError:  # the client has gone
            return web.Response()
        except web.RequestPayloadError:  # a broken chunk or a broken compression
            return web.Response(status=400)
        except Exception:  # noqa: BLE001  (the other boundary: of what happens before and after an operation)
            return web.Response(status=500, body=self._bug(), headers={"Content-Type": CONTENT_TYPE})

    async def _route(self, request: web.BaseRequest) -> web.StreamResponse:
        path = request.path.lower()
        if path.startswith("/sandbox/"):
            return await self._control(request, path.removeprefix("/sandbox/"))
        if path != PATH.lower():
            return web.Response(status=404)
        self.stats.http += 1
        connection = self._connection(request)
        body = await self._body(request)
        if body is None:
            response = web.Response(status=413, text="Request Entity Too Large")
            response.force_close()
            return response
        verdict = self._gate.admit(request.headers.get("Authorization"), connection)
        self.stats.sign_ins += verdict.fresh
        self.stats.refused += verdict.refused
        if verdict.mailbox is None:
            self.stats.challenged += not verdict.refused
            return _finish(web.Response(status=401), verdict.headers)
        if request.method != "POST":
            page = web.Response(body=_SERVICE, content_type="text/html") if request.method in ("GET", "HEAD") else None
            return _finish(page or web.Response(status=405), verdict.headers)
        if request.content_type != "text/xml":
            return _finish(web.Response(status=415, reason="Cannot process the message"), verdict.headers)
        return _finish(await self._exchange(request, connection, body, verdict.mailbox), verdict.headers)

    def _connection(self, request: web.BaseRequest) -> Connection:
        transport = request.transport
        assert transport is not None  # set until the connection is lost, which nothing has awaited yet
        known = self._connections.get(transport)
        if known is None:
            known = self._connections[transport] = Connection()
            self.stats.connections += 1
        known.requests += 1
        return known

    async def _body(self, request: web.BaseRequest) -> bytes | None:
        """The request's body; None when it is larger than the limit."""
        if (request.content_length or 0) > self.options.request_limit:
            return None
        if request.headers.get("Expect", "").lower() == "100-continue" and request.transport is not None:
            # What .NET and curl wait for before they send a body; aiohttp leaves it to its routes.
            request.transport.write(b"HTTP/1.1 100 Continue\r\n\r\n")
        parts, size = [], 0
        async for part in request.content.iter_any():
            size += len(part)
            if size > self.options.request_limit:
                return None
            parts.append(part)
        self.stats.bytes_in += size
        return b"".join(parts)

    async def _exchange(
        self, request: web.BaseRequest, connection: Connection, body: bytes, mailbox: Mailbox
    ) -> web.StreamResponse:
        """Answer one POST of a mailbox that is signed in."""
        # Half of the way there and half back; a new connection costs one round more.
        half = self.options.rtt_ms / 2000
        if half:
            await asyncio.sleep(half * (3 if connection.requests == 1 else 1))
        try:
            parsed = soap.parse(body)
        except RequestFault as error:
            self.stats.requests["(invalid)"] += 1
            return self._reply(request, 500, soap.fault_of(error))
        self.stats.requests[parsed.operation] += 1
        fault = self.faults.next(parsed.operation)
        if fault is not None and (instead := await self._before(request, connection, parsed, body, mailbox, fault)) is not None:
            return instead
        status, answer = self.carry_out(parsed, body, mailbox)
        if self.witness is not None:
            self.witness(body, answer)
        await asyncio.sleep(half + (len(answer) / self.options.rate if self.options.rate else 0))
        if fault is not None:
            return await self._after(request, status, answer, fault)
        return self._reply(request, status, answer)

    def _reply(self, request: web.BaseRequest, status: int, body: bytes) -> web.Response:
        headers = {"Content-Type": CONTENT_TYPE, "Cache-Control": "private"}
        offered = request.headers.get("Accept-Encoding", "")
        if self.options.compress and len(body) >= _GZIP_FROM and "gzip" in offered.lower():
            body = gzip.compress(body, compresslevel=1)
            headers["Content-Encoding"] = "gzip"
            headers["Vary"] = "Accept-Encoding"
        self.stats.bytes_out += len(body)
        return web.Response(status=status, body=body, headers=headers)

    async def _before(
        self,
        request: web.BaseRequest,
        connection: Connection,
        parsed: soap.Request,
        body: bytes,
        mailbox: Mailbox,
        fault: Fault,
    ) -> web.StreamResponse | None:
        """What a fault answers instead of carrying the request out; None when it strikes only afterwards."""
        match fault.kind:
            case "drop":
                return _cut(request)
            case "late":
                self._later(fault.number, parsed, body, mailbox)
                return _cut(request)
            case "hang":
                while request.transport is not None and not request.transport.is_closing():
                    if self._closing.is_set():
                        break
                    await asyncio.sleep(0.02)
                return _cut(request)
            case "busy":
                return self._reply(request, 500, faults.busy_fault(fault.number))
            case "fault":
                return self._reply(request, 500, soap.fault(fault.value, f"{fault.value} was asked for."))
            case "error":
                return self._reply(request, 200, soap.answer(faults.error_response(parsed.element, fault.value)))
            case "unauthorized":
                self.stats.refused += 1
                connection.mailbox = None
                return _finish(web.Response(status=401), self._gate.refusal)
            case "html":
                return web.Response(body=_LOGON, content_type="text/html")
            case "redirect":
                return web.Response(status=302, headers={"Location": "/owa/auth/logon.aspx"})
            case "http":
                headers = {"Retry-After": f"{fault.number:g}"} if fault.value else {}
                return web.Response(status=fault.status, text="The service is unavailable.", headers=headers)
        return None

    async def _after(self, request: web.BaseRequest, status: int, answer: bytes, fault: Fault) -> web.StreamResponse:
        """What becomes of the answer to a request that was carried out."""
        half = answer[: len(answer) // 2]
        match fault.kind:
            case "lost-reply":
                return _cut(request)
            case "truncate-clean":
                return self._reply(request, status, half)
            case "truncate":
                self.stats.bytes_out += len(half)
                response = web.StreamResponse(status=status, headers={"Content-Type": CONTENT_TYPE})
                response.content_length = len(answer)
                await response.prepare(request)
                await response.write(half)
                if request.transport is not None:
                    request.transport.close()  # after what is written has gone out
                return response
        raise AssertionError(fault.kind)

    def _later(self, seconds: float, parsed: soap.Request, body: bytes, mailbox: Mailbox) -> None:
        def run() -> None:
            self._late.discard(timer)
            self.carry_out(parsed, body, mailbox)

        timer = asyncio.get_running_loop().call_later(seconds, run)
        self._late.add(timer)

    async def _control(self, request: web.BaseRequest, name: str) -> web.Response:
        """`/sandbox/NAME`: for loopback only, and without sign-in."""
        if request.remote is None or not ipaddress.ip_address(request.remote).is_loopback:
            return web.Response(status=403)
        try:
            given = await request.json() if request.method == "POST" else None
            return self._steer(request.method, name, given)
        except ValueError as error:
            return web.json_response({"error": str(error)}, status=400)

    def _steer(self, method: str, name: str, given: object) -> web.Response:
        match method, name:
            case "GET", "stats":
                return web.json_response(self.describe())
            case "DELETE", "stats":
                self.reset_stats()
            case "GET", "faults":
                return web.json_response(self.faults.describe())
            case "POST", "faults":
                if not isinstance(given, (dict, list)):
                    raise ValueError("a fault is an object, several are a list")
                self.faults.add(given)
            case "DELETE", "faults":
                self.faults.clear()
            case "POST", "world":
                if not isinstance(given, dict):
                    raise ValueError("an object is wanted")
                self.switch(**given)
            case _, "stats" | "faults" | "world":
                return web.Response(status=405)
            case _:
                return web.Response(status=404)
        return web.json_response({})

    def describe(self) -> dict[str, object]:
        """What GET /sandbox/stats says."""
        return {
            **self.stats.describe(),
            "sent": self.world.sent - self._sent_before,
            "faults": self.faults.struck,
            "late": len(self._late),
            "bugs": len(self.bugs),
        }

    def reset_stats(self) -> None:
        """Count from nothing."""
        self.stats = Stats()
        self.faults.struck = 0
        self._sent_before = self.world.sent

    def switch(self, *, forget_sync_states: bool = False, **quirks: bool) -> None:
        """Switch quirks on or off by name; `forget_sync_states` makes every sync state handed out so far invalid."""
        known = {each.name for each in fields(Quirks)}
        unknown = set(quirks) - known
        if unknown:
            raise ValueError(f"unknown switch: {', '.join(sorted(unknown))} (known: {', '.join(sorted(known))})")
        for name, value in quirks.items():
            setattr(self.quirks, name, bool(value))
        if forget_sync_states:
            with self.lock:
                for mailbox in self.world.users.values():
                    mailbox.forget_sync_states()


def _finish(response: web.StreamResponse, headers: tuple[tuple[str, str], ...]) -> web.StreamResponse:
    """Add what every answer of a front end has."""
    if response.prepared:
        return response
    for name, value in (*headers, _COOKIE, ("Server", "Microsoft-IIS/10.0"), ("X-FEServer", "SANDBOX")):
        response.headers.add(name, value)
    return response


def _cut(request: web.BaseRequest) -> web.Response:
    """Close the connection at once; the response that is returned never arrives."""
    if request.transport is not None:
        request.transport.abort()
    return web.Response()
