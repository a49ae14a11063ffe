"""What the tests of `ews_bridge/exchange` need: a connection whose waits cost nothing, and a relay that spoils answers.

The relay stands between the client and a sandbox. A hook sees each request and may answer itself, change what the sandbox
answers, or do something on the server first.
"""

from __future__ import annotations

import ssl
import threading
from collections.abc import Callable
from collections.abc import Iterator
from collections.abc import Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from dataclasses import field
from http.server import BaseHTTPRequestHandler
from http.server import ThreadingHTTPServer
from typing import Any

import requests

from ews_bridge.exchange.session import Connection
from ews_bridge.exchange.session import Settings

from .sandbox_server import ALICE
from .sandbox_server import E
from .sandbox_server import M
from .sandbox_server import T


@dataclass
class Waits:
    """A clock that only sleeping moves; `slept` is what was asked for."""

    now: float = 1000.0
    slept: list[float] = field(default_factory=list)

    def __call__(self) -> float:
        return self.now

    def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        self.now += seconds


def connection(url: str, waits: Waits | None = None, **changes: Any) -> Connection:
    """As ALICE, with Basic sign-in and a short timeout, where `changes` says nothing else."""
    given: dict[str, Any] = {"secret": ALICE[1], "auth": "basic", "timeout": 10} | changes
    waits = waits or Waits()
    return Connection(Settings(url, ALICE[0], given.pop("username", ALICE[0]), **given), sleep=waits.sleep, clock=waits)


@dataclass(frozen=True)
class Reply:
    status: int
    body: bytes
    headers: Mapping[str, str] = field(default_factory=lambda: {"Content-Type": "text/xml; charset=utf-8"})


#: (request body, forward to the sandbox) → reply; None: the connection dies.
Hook = Callable[[bytes, Callable[[], Reply]], Reply | None]


@dataclass
class Relay:
    url: str
    hook: Hook
    requests: list[bytes] = field(default_factory=list)
    authorizations: list[str] = field(default_factory=list)


@contextmanager
def relay(target: str, hook: Hook, *, tls: ssl.SSLContext | None = None) -> Iterator[Relay]:
    """A relay to the sandbox at `target` ("": there is none, and the hook answers everything)."""

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            found.requests.append(body)
            found.authorizations.append(self.headers.get("Authorization", ""))

            def forward() -> Reply:
                answer = requests.post(target, data=body, headers=dict(self.headers), timeout=30)
                return Reply(answer.status_code, answer.content)

            reply = found.hook(body, forward)
            if reply is None:
                self.close_connection = True
                return
            self.send_response(reply.status)
            for name, value in reply.headers.items():
                self.send_header(name, value)
            self.send_header("Content-Length", str(len(reply.body)))
            self.end_headers()
            self.wfile.write(reply.body)

        def log_message(self, format: str, *args: Any) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    if tls:
        server.socket = tls.wrap_socket(server.socket, server_side=True)
    found = Relay(f"http{'s' if tls else ''}://127.0.0.1:{server.server_port}/EWS/Exchange.asmx", hook)
    thread = threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True)
    thread.start()
    try:
        yield found
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def envelope(content: str) -> bytes:
    return (
        f'<?xml version="1.0" encoding="utf-8"?><s:Envelope xmlns:s="http://schemas.xmlsoap.org/soap/envelope/" xmlns:m="{M}"'
        f' xmlns:t="{T}"><s:Body>{content}</s:Body></s:Envelope>'
    ).encode()


def message(operation: str, content: str, *, code: str = "NoError", text: str = "") -> str:
    """One response message."""
    kind = "Success" if code == "NoError" else "Error"
    words = f"<m:MessageText>{text}</m:MessageText>" if text else ""
    return (
        f'<m:{operation}ResponseMessage ResponseClass="{kind}">{words}<m:ResponseCode>{code}</m:ResponseCode>'
        f"{content}</m:{operation}ResponseMessage>"
    )


def response(operation: str, *messages: str) -> bytes:
    return envelope(
        f"<m:{operation}Response><m:ResponseMessages>{''.join(messages)}</m:ResponseMessages></m:{operation}Response>"
    )


def fault(code: str, values: str = "") -> Reply:
    return Reply(
        500,
        envelope(
            f"<s:Fault><faultcode>a:{code}</faultcode><faultstring>It is so.</faultstring><detail>"
            f'<e:ResponseCode xmlns:e="{E}">{code}</e:ResponseCode><t:MessageXml>{values}</t:MessageXml></detail></s:Fault>'
        ),
    )


def is_operation(body: bytes, name: str) -> bool:
    return f"<m:{name}".encode() in body
