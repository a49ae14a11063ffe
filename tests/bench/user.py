"""Someone with a home of their own, who runs the real command line in it."""

from __future__ import annotations

import json
import os
import shutil
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

from tests.bench.running import Run
from tests.bench.running import Server
from tests.bench.running import measured

_CONFIG = """\
[accounts.bench]
email = {email}
server = {url}
username = {user}
auth = {auth}
password_command = {password_command}

[accounts.bench.{kind}]
path = "~/{path}"
"""


class User:
    """`sync` is the whole of it. `kind`: what is synced, a section of the settings."""

    def __init__(self, home: Path, server: Server, *, kind: str = "mail") -> None:
        self.home = home
        self.server = server
        config = home / ".config/ews-bridge/config.toml"
        config.parent.mkdir(parents=True)
        values = ("email", "url", "user", "auth", "password_command")
        path = "Mail" if kind == "mail" else kind
        config.write_text(_CONFIG.format(kind=kind, path=path, **{name: json.dumps(getattr(server, name)) for name in values}))

    def sync(self, *options: str) -> Run:
        """One run, measured from outside; a failure ends the bench."""
        kept = {name: value for name, value in os.environ.items() if not name.startswith(("XDG_", "EWS_"))}
        self.server.reset()
        run = measured([sys.executable, "-m", "ews_bridge", "sync", *options], env={**kept, "HOME": str(self.home)})
        return replace(run, requests=self.server.requests())

    def messages(self) -> tuple[int, int]:
        """(files, bytes) in the Maildir tree."""
        sizes = [file.stat().st_size for part in ("cur", "new") for file in self.home.glob(f"Mail/**/{part}/*")]
        return len(sizes), sum(sizes)


@contextmanager
def user(server: Server, directory: Path, *, kind: str = "mail") -> Iterator[User]:
    """For the length of a block."""
    with home(directory) as place:
        yield User(place, server, kind=kind)


@contextmanager
def home(directory: Path) -> Iterator[Path]:
    """A new directory on the disk that is measured, removed at the end."""
    place = Path(tempfile.mkdtemp(prefix="ews-bridge-bench-", dir=directory))
    try:
        yield place
    finally:
        shutil.rmtree(place)
