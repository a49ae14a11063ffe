"""A sandbox for tests: in a thread (`running`) or as a process that can be killed (`process`).

Where EWS_SCHEMA_DIR names the published schemas, every request and every answer that passes through a `running` sandbox is
validated against them; what does not fit, and every bug of the sandbox, fails the test at the end of the block.
"""

from __future__ import annotations

import functools
import importlib.util
import os
import re
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from collections.abc import Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from dataclasses import field
from pathlib import Path
from typing import Any
from typing import Literal

import requests
from lxml import etree

from ews_bridge.sandbox import seed as seeding
from ews_bridge.sandbox.server import Options
from ews_bridge.sandbox.server import Sandbox
from ews_bridge.sandbox.server import running as serving
from ews_bridge.sandbox.world import Mailbox
from ews_bridge.sandbox.world import World

ALICE = ("alice@example.test", "secret")
BOB = ("bob@example.test", "secret")
SOAP = "http://schemas.xmlsoap.org/soap/envelope/"
M = "http://schemas.microsoft.com/exchange/services/2006/messages"
T = "http://schemas.microsoft.com/exchange/services/2006/types"
E = "http://schemas.microsoft.com/exchange/services/2006/errors"
SCHEMA_DIR = os.environ.get("EWS_SCHEMA_DIR")
NAMESPACES = {"s": SOAP, "m": M, "t": T, "e": E}

# What may differ from the published schemas, by a piece of the validator's message. Each with its reason.
TOLERATED = (
    # exchangelib sends it and real servers take it.
    "attribute 'Traversal': The attribute 'Traversal' is not allowed.",
    # The published set has no availability.
    "Element '{http://schemas.microsoft.com/exchange/services/2006/messages}GetUserAvailabilityRe",
    # Its Version names the schema of the server (V2017_07_11), or a newer one than the published set.
    "RequestServerVersion', attribute 'Version'",
    # The published set has this answer without ResponseMessages; servers send it with, and clients look for them there.
    "GetUserConfigurationResponse': The attribute 'ResponseClass' is required",
    "ResponseMessages': This element is not expected. Expected is one of ( {" + M + "}MessageText",
    # The published set does not have these operations.
    "UserOofSettingsResponse': No matching global declaration",
)


@dataclass(frozen=True)
class Answer:
    """What came back from `Running.post`."""

    status: int
    body: bytes
    headers: Mapping[str, str]

    @property
    def root(self) -> etree._Element:
        return etree.fromstring(self.body)

    @property
    def code(self) -> str:
        """The first response code, of a response message or of a fault."""
        found = self.root.find(f".//{{{M}}}ResponseCode")
        return (self.root.findtext(f".//{{{E}}}ResponseCode") if found is None else found.text) or ""

    @property
    def codes(self) -> list[str]:
        """The code of each response message."""
        return [each.text or "" for each in self.root.iter(f"{{{M}}}ResponseCode")]

    def all(self, path: str) -> list[Any]:
        """What an XPath finds in the envelope; the prefixes are s, m, t and e."""
        found: Any = self.root.xpath(path, namespaces=NAMESPACES)
        return list(found)


@dataclass
class Running:
    """A sandbox that serves. `violations` and `bugs` may be emptied by a test that means to cause them."""

    sandbox: Sandbox
    world: World
    alice: Mailbox
    violations: list[str] = field(default_factory=list)

    @property
    def url(self) -> str:
        return self.sandbox.url

    @property
    def bugs(self) -> list[str]:
        return self.sandbox.bugs

    def stats(self) -> dict[str, Any]:
        """The counters, over HTTP as anybody would read them."""
        found: dict[str, Any] = requests.get(self._control("stats"), timeout=10).json()
        return found

    def reset(self) -> None:
        """Set the counters to nothing."""
        requests.delete(self._control("stats"), timeout=10).raise_for_status()

    def faults(self, *faults: Mapping[str, object]) -> None:
        """Replace all faults by these."""
        requests.delete(self._control("faults"), timeout=10).raise_for_status()
        requests.post(self._control("faults"), json=list(faults), timeout=10).raise_for_status()

    def switch(self, **switches: bool) -> None:
        """Switch quirks of the server: `forget_sync_states`, `hierarchy_500`, `ignore_commit_time`, `ignore_change_keys`."""
        requests.post(self._control("world"), json=switches, timeout=10).raise_for_status()

    def post(
        self, content: str, *, user: tuple[str, str] = ALICE, header: str = "", version: str = "Exchange2016", timeout: float = 30
    ) -> Answer:
        """Send one operation, written with the prefixes m: and t:, with Basic sign-in and on a connection of its own."""
        body = envelope(content, header=header, version=version)
        head = {"Content-Type": "text/xml; charset=utf-8"}
        answer = requests.post(self.url, data=body, headers=head, auth=user, timeout=timeout)
        return Answer(answer.status_code, answer.content, answer.headers)

    def _control(self, name: str) -> str:
        return self.url.removesuffix("EWS/Exchange.asmx") + "sandbox/" + name


def envelope(content: str, *, header: str = "", version: str = "Exchange2016") -> bytes:
    """The SOAP envelope around one operation."""
    wanted = f'<t:RequestServerVersion Version="{version}"/>' if version else ""
    return (
        f'<?xml version="1.0" encoding="utf-8"?>\n<s:Envelope xmlns:s="{SOAP}" xmlns:m="{M}" xmlns:t="{T}">'
        f"<s:Header>{wanted}{header}</s:Header><s:Body>{content}</s:Body></s:Envelope>"
    ).encode()


@contextmanager
def running(
    *,
    seed: str = "empty",
    mime: Literal["regenerate", "keep"] = "regenerate",
    language: str = "en",
    options: Options | None = None,
    world: World | None = None,
) -> Iterator[Running]:
    """A sandbox with the mailboxes of ALICE (filled by `seed`) and BOB, or with a `world` that has ALICE already."""
    if world is None:
        world = World(mime=mime, language=language)
        with seeding.earlier(world):
            alice = world.add_user(*ALICE, display_name="Alice Sand")
            world.add_user(*BOB, display_name="Bob Sender")
            seeding.fill(world, alice, seed)
    with serving(world, options) as sandbox:
        found = Running(sandbox, world, world.users[ALICE[0]])
        validator = _validator()
        if validator is not None:
            sandbox.witness = lambda *bodies: found.violations.extend(_violations(validator, bodies))
        yield found
    # Only when the block has gone well: its own failure says more.
    assert not found.bugs, found.bugs[0]
    assert not found.violations, "\n".join(found.violations[:20])


@dataclass
class Process:
    """A sandbox in a process of its own."""

    url: str
    process: subprocess.Popen[str]

    def stop(self) -> int:
        """SIGTERM; the exit code."""
        self.process.send_signal(signal.SIGTERM)
        return self.process.wait(10)

    def kill(self) -> None:
        """SIGKILL."""
        self.process.kill()
        self.process.wait(10)


@contextmanager
def process(*arguments: str) -> Iterator[Process]:
    """`python -m ews_bridge.sandbox ARGUMENTS`, stopped at the end."""
    command = [sys.executable, "-m", "ews_bridge.sandbox", *arguments]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as server:
        try:
            assert server.stdout is not None
            yield Process(server.stdout.readline().strip(), server)
        finally:
            if server.poll() is None:
                server.kill()


#: Two sandboxes may serve at once, and the validator has one list of errors.
_ONE_BY_ONE = threading.Lock()


@functools.cache
def _validator() -> Any:
    """The validator that lies beside the schemas, which take a tenth of a second to read."""
    if not SCHEMA_DIR:
        return None
    spec = importlib.util.spec_from_file_location("ews_schema_check", Path(SCHEMA_DIR, "check.py"))
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module.Validator()


def _violations(validator: Any, bodies: tuple[bytes, bytes]) -> Iterator[str]:
    for side, body in zip(("request", "answer"), bodies, strict=True):
        if side == "request" and b"ErrorSchemaValidation" in bodies[1][:1000]:
            continue  # it was refused, as it should be
        with _ONE_BY_ONE:
            messages = validator.errors(body)
        for message in messages:
            if "No matching global declaration" in message and side == "request":
                continue  # the published set does not have the operation
            if not any(piece in message for piece in TOLERATED):
                found = re.search(rb"<(?:\w+:)?Body[^>]*>\s*<(?:\w+:)?(\w+)", body)
                name = found[1].decode() if found else "?"
                yield f"{side} {name}: {message}".replace("{" + T + "}", "t:").replace("{" + M + "}", "m:")
