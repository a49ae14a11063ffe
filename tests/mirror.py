"""What the mirror tests share: a user with a home, what the server holds, what the disk holds, and whether they agree."""

from __future__ import annotations

import hashlib
import json
import os
import subprocess
import sys
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from ews_bridge.names import path
from ews_bridge.names import path_of
from ews_bridge.sandbox.store import Folder
from ews_bridge.sandbox.store import Item
from ews_bridge.sandbox.world import Mailbox

#: One message: a digest of its bytes with LF line ends, and its Maildir flags.
Message = tuple[str, str]
View = dict[str, Counter[Message]]

CONFIG = """\
[accounts.work]
email = "alice@example.test"
server = "{url}"
auth = "{auth}"
password_command = "echo {password}"
timeout = {timeout}

[accounts.work.mail]
path = "~/Mail"
{more}
"""


@dataclass
class User:
    """Someone with a home of their own, who runs ews-bridge in it."""

    home: Path
    url: str

    def configure(self, *, password: str = "secret", auth: str = "basic", timeout: int = 20, more: str = "") -> None:
        config = self.home / ".config/ews-bridge/config.toml"
        config.parent.mkdir(parents=True, exist_ok=True)
        config.write_text(CONFIG.format(url=self.url, auth=auth, password=password, timeout=timeout, more=more))

    @property
    def mail(self) -> Path:
        return self.home / "Mail"

    @property
    def state(self) -> Path:
        return self.home / ".local/state/ews-bridge/work"

    def environment(self) -> dict[str, str]:
        kept = {name: value for name, value in os.environ.items() if not name.startswith(("XDG_", "EWS_"))}
        return {**kept, "HOME": str(self.home), "PYTHONWARNINGS": "error"}

    def start(self, *arguments: str, module: Sequence[str] = ("ews_bridge",)) -> subprocess.Popen[str]:
        command = [sys.executable, "-m", *module, *arguments]
        return subprocess.Popen(
            command,
            env=self.environment(),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            cwd=Path(__file__).parent.parent,
        )

    def run(self, *arguments: str, module: Sequence[str] = ("ews_bridge",), timeout: float = 120) -> Ran:
        with self.start(*arguments, module=module) as process:
            out, err = process.communicate(timeout=timeout)
        return Ran(process.returncode, out, err)

    def syncs(self, *arguments: str) -> str:
        """A sync that must go well; its summary."""
        ran = self.run("sync", *arguments)
        assert ran.code == 0, ran
        return ran.out


@dataclass(frozen=True)
class Ran:
    """What a command did."""

    code: int
    out: str
    err: str

    @property
    def json(self) -> dict[str, object]:
        found: dict[str, object] = json.loads(self.out)
        return found


def digest(data: bytes) -> str:
    """Of a file on disk. What the server holds is to be given LF line ends first, once: CR CR LF becomes CR LF."""
    return hashlib.sha256(data).hexdigest()[:16]


def server_view(mailbox: Mailbox) -> View:
    """What the server holds in its mail folders (of a sandbox that keeps MIME as it came)."""
    found: View = {}
    root = mailbox.folder("msgfolderroot")

    def look(folder: Folder, above: str) -> None:
        here = path_of(above, folder.name, is_inbox=folder is mailbox.folder("inbox"))
        if folder.folder_class.startswith("IPF.Note") and not folder.hidden:
            found[here] = Counter((digest(item.mime.replace(b"\r\n", b"\n")), item_flags(item)) for item in folder.items.values())
        for child in folder.children:
            look(child, here)

    for child in root.children:
        look(child, "")
    return found


def item_flags(item: Item) -> str:
    verb = item.props.get(0x1081, ("", 0))[1]
    letters = {"S": item.read, "D": item.draft, "F": item.props.get(0x1090, ("", 0))[1] == 2}
    letters |= {"R": verb in (102, 103), "P": verb == 104}
    return "".join(sorted(letter for letter, set_ in letters.items() if set_))


def disk_view(root: Path) -> View:
    """What a Maildir tree in the verbatim layout holds; a reader's view: new/ and cur/, dot-files left out."""
    found: View = {}
    for cur in sorted(root.rglob("cur")):
        folder = path(str(cur.parent.relative_to(root)), "verbatim")
        assert folder is not None, cur
        messages: Counter[Message] = Counter()
        for part in ("cur", "new"):
            for file in (cur.parent / part).iterdir():
                info = file.name.partition(":2,")[2]
                messages[digest(file.read_bytes()), info] += 1
        found[folder] = messages
    return found


def assert_mirrored(user: User, mailbox: Mailbox) -> None:
    """Every message of the server is on disk, once, with its flags, and nothing else is."""
    server, disk = server_view(mailbox), disk_view(user.mail)
    assert disk.keys() == server.keys()
    for folder in server:
        assert disk[folder] == server[folder], folder


def message(number: int, *, size: int = 300, subject: str = "") -> bytes:
    """A plain message; `number` makes it unlike all others."""
    body = (f"This is message {number}.\r\n" * (size // 24 + 1))[:size]
    return (
        f"From: Bob <bob@example.test>\r\nTo: alice@example.test\r\nSubject: {subject or f'number {number}'}\r\n"
        f"Date: Tue, 03 Nov 2026 10:{number // 60 % 60:02}:{number % 60:02} +0000\r\n"
        f"Message-ID: <{number}@example.test>\r\nMIME-Version: 1.0\r\nContent-Type: text/plain; charset=utf-8\r\n\r\n{body}\r\n"
    ).encode()
