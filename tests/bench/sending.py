"""One message, from the call to the exit code: ews-send, a script with exchangelib, msmtp to an SMTP server that only nods."""

from __future__ import annotations

import os
import shutil
import socketserver
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.bench.running import Run
from tests.bench.running import Server
from tests.bench.running import measured
from tests.bench.running import middle
from tests.bench.user import User
from tests.bench.user import user

MESSAGE = "From: alice@example.test\nTo: alice@example.test\nSubject: bench\n\n" + "Hello, this is a line.\n" * 100

#: What anybody would write.
SCRIPT = """\
import sys
from exchangelib import Account, Configuration, Credentials, DELEGATE, Message, Version
from exchangelib.transport import BASIC
from exchangelib.version import EXCHANGE_2016
url, address = sys.argv[1:3]
config = Configuration(
    service_endpoint=url, credentials=Credentials(address, "secret"), auth_type=BASIC, version=Version(build=EXCHANGE_2016)
)
account = Account(address, config=config, autodiscover=False, access_type=DELEGATE)
Message(account=account, mime_content=sys.stdin.buffer.read()).send(save_copy=True)
"""
# As the installed program begins.
_PROGRAM = "import sys; from ews_bridge.sendmail import main; sys.exit(main())"


def costs(server: Server, directory: Path, repeat: int) -> Iterator[tuple[str, Run]]:
    """(who, medians)."""
    with user(server, directory) as someone:
        yield "ews-send", middle([_ours(someone) for _ in range(repeat)])
        config = someone.home / ".config/ews-bridge/config.toml"
        config.write_text(config.read_text() + '\n[accounts.bench.send]\nqueue = "always"\n')
        yield "ews-send, into the outbox", middle([_ours(someone) for _ in range(repeat)])
    script = [sys.executable, "-c", SCRIPT, server.url, server.email]
    yield "a script with exchangelib", middle([measured(script, stdin=MESSAGE) for _ in range(repeat)])
    if shutil.which("msmtp"):
        with _smtp() as port:
            command = ["msmtp", "--host=127.0.0.1", f"--port={port}", "--from=alice@example.test", "alice@example.test"]
            yield "msmtp, over SMTP", middle([measured(command, stdin=MESSAGE) for _ in range(repeat)])


def _ours(someone: User) -> Run:
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("XDG_", "EWS_"))}
    command = [sys.executable, "-c", _PROGRAM, "-oi", "-t"]
    return measured(command, env={**kept, "HOME": str(someone.home)}, stdin=MESSAGE)


class _Nods(socketserver.StreamRequestHandler):
    """As much of SMTP (RFC 5321) as takes a message in and forgets it."""

    def handle(self) -> None:
        self.wfile.write(b"220 bench\r\n")
        while line := self.rfile.readline():
            if line.upper().startswith(b"DATA"):
                self.wfile.write(b"354 go on\r\n")
                while self.rfile.readline() not in (b".\r\n", b""):
                    pass
            self.wfile.write(b"250 yes\r\n" if not line.upper().startswith(b"QUIT") else b"221 bye\r\n")


@contextmanager
def _smtp() -> Iterator[int]:
    with socketserver.ThreadingTCPServer(("127.0.0.1", 0), _Nods) as server:
        server.daemon_threads = True
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield server.server_address[1]
        server.shutdown()
