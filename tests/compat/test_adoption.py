"""Maildirs that mbsync and offlineimap really made, through DavMail, are adopted at the first sync: what is there is not fetched.

Needs the Debian packages davmail-server (or davmail), isync and offlineimap3.
"""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Callable
from collections.abc import Iterator
from pathlib import Path

import pytest

from ews_bridge.sandbox.store import Folder
from ews_bridge.sandbox.store import Item
from ews_bridge.state import State
from tests.compat.test_davmail import JAR
from tests.compat.test_davmail import Gateway
from tests.compat.test_davmail import davmail
from tests.inside import Inside
from tests.sandbox_server import ALICE
from tests.sandbox_server import Running
from tests.sandbox_server import running
from tests.test_sandbox_mail import leaves

CORPUS = os.environ.get("EWS_BRIDGE_CORPUS")
#: DavMail gives some folders other names than the server; whoever leaves it renames them before the first sync.
RENAMED = {"Sent": "Sent Items", "Trash": "Deleted Items", "Junk": "Junk Email", "Unsent Messages": "Outbox"}
TRANSFERS = ("GetItem", "CreateItem", "UpdateItem", "MoveItem", "CopyItem", "DeleteItem", "CreateFolder")

pytestmark = [
    pytest.mark.compat,
    pytest.mark.skipif(not JAR.exists() or not shutil.which("java"), reason="DavMail is not installed"),
]


def by_mbsync(gateway: Gateway) -> Path:
    gateway.mbsync()
    return gateway.folder / "mail"


def by_offlineimap(gateway: Gateway) -> Path:
    mail = gateway.folder / "offlineimap"
    mail.mkdir()
    settings = gateway.folder / "offlineimaprc"
    settings.write_text(
        f"[general]\naccounts = a\nmetadata = {gateway.folder}/metadata\nui = quiet\n\n"
        "[Account a]\nlocalrepository = near\nremoterepository = far\n\n"
        f"[Repository near]\ntype = Maildir\nlocalfolders = {mail}\nsep = /\n\n"
        f"[Repository far]\ntype = IMAP\nremotehost = 127.0.0.1\nremoteport = {gateway.imap}\nremoteuser = {ALICE[0]}\n"
        f"remotepass = {ALICE[1]}\nssl = no\nstarttls = no\nauth_mechanisms = LOGIN\n"
    )
    done = subprocess.run(["offlineimap", "-c", settings, "-o"], capture_output=True, text=True, timeout=300, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return mail


MAKERS = [
    pytest.param(by_mbsync, marks=pytest.mark.skipif(not shutil.which("mbsync"), reason="isync is not installed")),
    pytest.param(
        by_offlineimap, marks=pytest.mark.skipif(not shutil.which("offlineimap"), reason="offlineimap3 is not installed")
    ),
]


def adopter(home: Path, server: Running, mail: Path) -> Inside:
    """A user of ews-bridge whose mail directory is the one that the other program made."""
    user = Inside(home, server.url)
    user.configure()
    mail.rename(user.mail)
    for theirs, ours in RENAMED.items():
        if (user.mail / theirs).is_dir():
            (user.mail / theirs).rename(user.mail / ours)
    return user


def messages(user: Inside) -> dict[str, tuple[Path, int]]:
    """By the part of the name that stays: file and inode."""
    found = {}
    for part in ("cur", "new"):
        for file in user.mail.rglob(f"{part}/*"):
            found[file.name.partition(":2,")[0]] = (file, file.stat().st_ino)
    return found


def items_below(folder: Folder) -> Iterator[Item]:
    yield from folder.items.values()
    for child in folder.children:
        yield from items_below(child)


def linked(user: Inside) -> dict[str, str]:
    """File name → id of the item it is linked with."""
    state = State.open(user.state / "state.sqlite3")
    try:
        rows = [row for folder in state.folders() for row in state.linked_in(folder.number)]
        return {row.local.id: row.remote.id for row in rows if row.link and row.local and row.remote}
    finally:
        state.close()


@pytest.mark.parametrize("make", MAKERS)
def test_what_another_program_mirrored_is_adopted(make: Callable[[Gateway], Path], tmp_path: Path) -> None:
    seed = str(Path(CORPUS, "mail")) if CORPUS else "demo"
    with running(seed=seed) as server:
        with davmail(server, tmp_path) as gateway:
            mail = make(gateway)
        user = adopter(tmp_path / "home", server, mail)
        before = messages(user)
        items = {server.alice.item_id(item): item for item in items_below(server.alice.folder("msgfolderroot"))}
        assert len(before) >= (311 if CORPUS else 20)
        server.reset()
        summary = user.syncs()
        requests = server.stats()["requests"]
        found = linked(user)
        print(f"{len(found)} of {len(before)} adopted; {summary.strip()}; {requests}")
        assert not {name: times for name, times in requests.items() if name in TRANSFERS}
        assert {name: inode for name, (_, inode) in messages(user).items()} == {
            name: inode for name, (_, inode) in before.items()
        }, "a file was written"
        # One to one, and each to its own.
        assert found.keys() == before.keys()
        assert len(set(found.values())) == len(found)
        for name, (file, _) in messages(user).items():
            assert leaves(file.read_bytes()) == leaves(items[found[name]].mime), name
        assert user.syncs() == "work: nothing new\n"
