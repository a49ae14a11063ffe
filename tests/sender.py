"""What the tests of ews-send share: someone who sends, and what the server and the recipient then have."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

from ews_bridge.sandbox.store import Item
from ews_bridge.sandbox.world import Mailbox
from tests.mirror import Ran
from tests.mirror import User
from tests.sandbox_server import Running

ROOT = Path(__file__).parent.parent
SEND = ("-c", "import sys; from ews_bridge.sendmail import main; sys.exit(main())")


class Sender(User):
    """Someone who runs ews-send in a home of their own, as a process of its own."""

    def sets(self, **values: object) -> None:
        """Configure the account, with this [send] section."""
        lines = [f"{key} = {json.dumps(value)}" for key, value in values.items()]  # as TOML has them, too
        self.configure(timeout=5, more="\n".join(["[accounts.work.send]", *lines]))

    def send(self, message: bytes, *words: str, python: Sequence[str] = SEND) -> Ran:
        command = [sys.executable, *python, *words]
        ran = subprocess.run(command, input=message, env=self.environment(), capture_output=True, cwd=ROOT, timeout=120)
        return Ran(ran.returncode, ran.stdout.decode(), ran.stderr.decode())

    def queue(self) -> list[Path]:
        return sorted((self.state / "outbox/queue").glob("*.json"))


def mail(number: object, *, to: str = "bob@example.test", more: str = "", body: str = "Hello.\n") -> bytes:
    """A complete message; `number` makes its Message-ID."""
    return (
        f"From: Alice <alice@example.test>\nTo: {to}\nSubject: message {number}\nDate: Tue, 24 Nov 2026 10:00:00 +0000\n"
        f"Message-ID: <{number}@example.test>\n{more}\n{body}"
    ).encode()


def deliveries(server: Running, number: object) -> int:
    """How often the server sent the message."""
    return sum(each.message_id == f"<{number}@example.test>" for each in server.world.deliveries)


def bob_of(server: Running) -> Mailbox:
    return server.world.users["bob@example.test"]


def arrived(mailbox: Mailbox, folder: str = "inbox") -> list[Item]:
    return list(mailbox.folder(folder).items.values())
