"""`ews-bridge demo`: a sandbox, a first sync, changes on the server, changes on disk; each claim is checked before it is made.

It runs the program as a user would, in processes of its own. Nothing outside its folder is read or written.
"""

from __future__ import annotations

import hashlib
import json
import os
import signal
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from dataclasses import field
from email import message_from_bytes
from email import policy
from pathlib import Path

import click

from ews_bridge.cli import otherclient
from ews_bridge.cli import output
from ews_bridge.cli.options import Given
from ews_bridge.cli.options import shared_options
from ews_bridge.errors import CannotCreate
from ews_bridge.errors import UsageError

ALICE, BOB, PASSWORD = "alice@example.test", "bob@example.test", "secret"
SHOWN, FILED, DELETED = "Zażółć gęślą jaźń", "Prüfung der Zahnräder", "Déjeuner jeudi ?"
NEW = "The tide clock runs"
FLAGGED, REFILED, REMOVED = "Welcome to the sandbox", "Zeichnung: Hemmung (Fassung 3)", "Your order 4711 has been shipped"
DROPPED = "Gnomon: a first sketch"
DROPPED_MAIL = f"""\
From: Carol <carol@example.test>
To: {ALICE}
Subject: {DROPPED}
Date: Mon, 02 Mar 2026 09:30:00 +0000
Message-ID: <gnomon@example.test>

The shadow falls on noon at five past twelve.
"""
TASK, RETITLED = "Order brass wire", "Order steel wire"
#: By kind: what a program such as khal, khard or todoman writes, and what it is called.
FILES = {
    "calendar": (
        "Test of the escapement",
        "sundial.ics",
        """\
BEGIN:VCALENDAR
VERSION:2.0
PRODID:-//demo//
BEGIN:VEVENT
UID:escapement@example.test
DTSTAMP:20260302T090000Z
DTSTART:20260309T090000Z
DTEND:20260309T100000Z
RRULE:FREQ=WEEKLY;COUNT=3
SUMMARY:Test of the escapement
END:VEVENT
END:VCALENDAR
""",
    ),
    "contacts": (
        "Dora Dial",
        "dora.vcf",
        """\
BEGIN:VCARD
VERSION:3.0
UID:dora@example.test
FN:Dora Dial
N:Dial;Dora;;;
EMAIL:dora@example.test
END:VCARD
""",
    ),
    "tasks": (
        TASK,
        "wire.ics",
        f"""\
BEGIN:VCALENDAR
VERSION:2.0
PRODID:-//demo//
BEGIN:VTODO
UID:wire@example.test
DTSTAMP:20260302T090000Z
DUE:20260306T170000Z
SUMMARY:{TASK}
X-SHELF:third from above
END:VTODO
END:VCALENDAR
""",
    ),
}
CONFIG = """\
[accounts.demo]
email = "{address}"
server = "{url}"
auth = "ntlm"
password_command = "echo {password}"

[accounts.demo.mail]
path = "{mail}"
"""


class Unseen(Exception):
    """What the demo would show is not so. A bug, and told as one."""


@dataclass
class Stage:
    """Where the demo plays, and what it has shown."""

    folder: Path
    given: Given
    url: str = ""
    shown: list[str] = field(default_factory=list)

    @property
    def mail(self) -> Path:
        return self.folder / "Mail"

    def owner(self, address: str) -> otherclient.Owner:
        return otherclient.Owner(self.url, address, PASSWORD)

    def say(self, text: str = "") -> None:
        for line in text.split("\n"):
            self.shown.append(line)
            self.given.say(line)

    def seen(self, claim: str, holds: bool) -> None:
        if not holds:
            raise Unseen(f"not so: {claim}")
        self.say(f"   ok: {claim}")


@click.command("demo")
@shared_options
@click.option("--keep", type=click.Path(path_type=Path), metavar="DIR", help="Play in this new directory, and leave it there.")
@click.pass_obj
def command(given: Given, *, keep: Path | None) -> int:
    """See it work: a sandbox and a few syncs, in a folder of its own.

    Ends with 0 only if all that it shows was really there.
    """
    with _folder(keep) as folder:
        stage = Stage(folder, given)
        began = time.monotonic()
        with _sandbox(stage):
            _play(stage)
        stage.say(f"\nAll of this was checked, in {output.duration(time.monotonic() - began)}.")
        if keep is not None:
            stage.say(f"It is left in {folder}; the server has ended.")
    if given.json:
        output.say_json({"shown": stage.shown})
    return 0


@contextmanager
def _folder(keep: Path | None) -> Iterator[Path]:
    if keep is None:
        with tempfile.TemporaryDirectory(prefix="ews-bridge-demo-") as name:
            yield Path(name)
        return
    try:
        keep.mkdir(mode=0o700, parents=True)
    except FileExistsError:
        raise UsageError(f"--keep: {keep} exists already") from None
    except OSError as error:
        raise CannotCreate(f"cannot create {keep}: {error.strerror}") from error
    yield keep.absolute()


@contextmanager
def _sandbox(stage: Stage) -> Iterator[None]:
    """A server in a process of its own, which ends with the block."""
    arguments = [sys.executable, "-m", "ews_bridge", "sandbox", "--seed", "demo"]
    with subprocess.Popen(arguments, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, text=True) as server:
        try:
            assert server.stdout is not None
            stage.url = server.stdout.readline().strip()
            if not stage.url:
                raise Unseen("the sandbox did not start")
            yield
        finally:
            server.send_signal(signal.SIGTERM)


def _play(stage: Stage) -> None:
    alice = stage.owner(ALICE)
    there = otherclient.folders(alice)
    count = sum(number for _, number in there.values())
    stage.say(f"1. An Exchange server: {stage.url}")
    stage.say(f"   {ALICE} has {count} messages in {len(there)} mail folders there.")
    config = CONFIG.format(address=ALICE, url=stage.url, password=PASSWORD, mail=stage.mail)
    (stage.folder / "config.toml").write_text(config)
    _first_sync(stage, count)
    _changes(stage)
    _quiet(stage)
    _restore(stage)
    _way_up(stage)
    _other_kinds(stage)


def _first_sync(stage: Stage, count: int) -> None:
    stage.say("\n2. The first sync makes a Maildir of each folder")
    _program(stage, "sync")
    for line in _tree(stage.mail):
        stage.say(f"   {line}")
    stage.seen(f"all {count} messages are on disk", len(_messages(stage.mail)) == count)
    path = _by_subject(stage.mail, SHOWN)
    message = message_from_bytes(path.read_bytes(), policy=policy.default)
    stage.say(f"\n   {path.relative_to(stage.folder)}:")
    for name in ("From", "To", "Date", "Subject"):
        stage.say(f"   | {name}: {message[name]}")
    body = message.get_body(("plain",))
    for line in body.get_content().strip().splitlines() if body is not None else ():
        stage.say(f"   | {line}".rstrip())
    stage.seen("it was read and answered, and its file says so", path.name.endswith(":2,RS"))


def _changes(stage: Stage) -> None:
    stage.say("\n3. Meanwhile, at other mail programs")
    alice, bob = stage.owner(ALICE), stage.owner(BOB)
    there = otherclient.folders(alice)
    inbox, project = there["Inbox"][0], there["Tide clock"][0]
    filed = _by_subject(stage.mail, FILED)
    filed_content = hashlib.sha256(filed.read_bytes()).digest()
    otherclient.send(bob, ALICE, NEW, "Alice,\r\n\r\nit has kept time since Monday.\r\n\r\nBob")
    stage.say(f"   Bob writes to Alice: {NEW}")
    otherclient.move(alice, otherclient.find(alice, inbox, FILED), project)
    stage.say(f"   Alice files in Tide clock: {FILED}")
    otherclient.delete(alice, otherclient.find(alice, inbox, DELETED))
    stage.say(f"   Alice deletes for good: {DELETED}")
    stage.say("   The next sync follows")
    before = _requests(stage)
    _program(stage, "sync")
    fetched = _requests(stage).get("GetItem", 0) - before.get("GetItem", 0)
    new = _by_subject(stage.mail, NEW)
    stage.seen(f"Bob's message is {new.relative_to(stage.folder)}", new.parent == stage.mail / "INBOX" / "new")
    now = _by_subject(stage.mail, FILED)
    same = hashlib.sha256(now.read_bytes()).digest() == filed_content
    stage.seen(f"the filed message is {now.relative_to(stage.folder)}", now.parent.parent.name == "Tide clock" and same)
    stage.seen("it was moved, not downloaded again: the server was asked for the content of one message", fetched == 1)
    gone = not any(_subject(path) == DELETED for path in _messages(stage.mail / "INBOX"))
    stage.seen("the deleted message is gone from the Inbox", gone and not filed.exists())


def _quiet(stage: Stage) -> None:
    stage.say("\n4. When nothing is new, a sync costs next to nothing")
    before, tree = _requests(stage), _snapshot(stage.mail)
    said = _program(stage, "sync")
    after = _requests(stage)
    asked, fetched = sum(after.values()) - sum(before.values()), after.get("GetItem", 0) - before.get("GetItem", 0)
    # Two, and one for each folder that changed within the last seconds: the server's clock for that has whole seconds.
    cheap = asked <= 5 and fetched == 0 and _snapshot(stage.mail) == tree
    stage.seen(f"{asked} requests, none for a message, and not a file was touched", cheap)
    stage.seen("it says so", "nothing new" in said)


def _restore(stage: Stage) -> None:
    stage.say("\n5. What a sync removed on disk can be brought back")
    said = json.loads(_program(stage, "restore", "--list", shown=False, as_json=True))
    (trashed,) = [item for item in said["accounts"][0]["items"] if item["subject"] == DELETED]
    _program(stage, "restore", "--list")
    _program(stage, "restore", trashed["id"])
    back = _by_subject(stage.mail, DELETED)
    stage.seen(f"it is {back.relative_to(stage.folder)}", back.parent.parent == stage.mail / "INBOX")


def _way_up(stage: Stage) -> None:
    stage.say("\n6. And the other way: Alice works on the files, as mutt, mv and rm do")
    flagged, removed = _by_subject(stage.mail, FLAGGED), _by_subject(stage.mail, REMOVED)
    flagged.rename(flagged.parents[1] / "cur" / f"{flagged.name.partition(':2,')[0]}:2,FS")
    stage.say(f"   she flags: {FLAGGED}")
    removed.unlink()
    stage.say(f"   she deletes: {REMOVED}")
    folder = stage.mail / "Projects" / "Sundial"
    for part in ("cur", "new", "tmp"):
        (folder / part).mkdir(parents=True)
    stage.say("   she makes a folder: Projects/Sundial")
    filed = _by_subject(stage.mail, REFILED)
    filed.rename(folder / "cur" / filed.name)
    stage.say(f"   she files there: {REFILED}")
    (folder / "new" / "1772443800.carol.example").write_text(DROPPED_MAIL)
    stage.say(f"   a script delivers there: {DROPPED}")
    before = _requests(stage)
    _program(stage, "sync")
    after = _requests(stage)
    stage.say("   Another mail program asks the server:")
    alice = stage.owner(ALICE)
    there = otherclient.folders(alice)
    inbox, bin_, sundial = (otherclient.messages(alice, there[name][0]) for name in ("Inbox", "Deleted Items", "Sundial"))
    stage.seen("the message is flagged in Inbox", inbox[FLAGGED] == (True, True))
    stage.seen("the deleted one is in Deleted Items", REMOVED in bin_ and REMOVED not in inbox)
    stage.seen("Sundial is there, with the message that was filed, read as before", sundial.get(REFILED) == (True, False))
    stage.seen("and with the one that was delivered, unread", sundial.get(DROPPED) == (False, False) and len(sundial) == 2)
    stage.seen("the one that was brought back is in Inbox again", DELETED in inbox)
    moved = after.get("MoveItem", 0) > before.get("MoveItem", 0) and REFILED not in inbox
    stage.seen("what was filed was moved there, so the server keeps all that it knows of it", moved)


def _other_kinds(stage: Stage) -> None:
    stage.say("\n7. Calendars, contacts and tasks are files in directories that khal, khard and todoman read")
    config = stage.folder / "config.toml"
    sections = [f'\n[accounts.demo.{kind}]\npath = "{stage.folder / kind}"\n' for kind in FILES]
    config.write_text(config.read_text() + "".join(sections))
    _program(stage, "sync")
    for kind, (title, name, text) in FILES.items():
        (stage.folder / kind / kind.capitalize() / name).write_text(text)
        stage.say(f"   another program writes {kind}/{kind.capitalize()}/{name}: {title}")
    _program(stage, "sync")
    alice = stage.owner(ALICE)
    there = {kind: otherclient.titles(alice, kind) for kind in FILES}
    stage.seen("the server has all of them", all(title in there[kind] for kind, (title, _, _) in FILES.items()))
    otherclient.retitle_task(alice, there["tasks"][TASK], RETITLED)
    stage.say(f"   In Outlook, Alice gives the task another name: {RETITLED}")
    _program(stage, "sync")
    text = (stage.folder / "tasks" / "Tasks" / "wire.ics").read_text()
    stage.seen("its file has the name", f"SUMMARY:{RETITLED}" in text)
    kept = "DUE:20260306T170000Z" in text and "X-SHELF:third from above" in text
    stage.seen("and still says what Exchange has no field for: the time it is due, and a property of its own", kept)


def _program(stage: Stage, *arguments: str, shown: bool = True, as_json: bool = False) -> str:
    """Run ews-bridge as a user would; what it printed."""
    if shown:
        stage.say(f"   $ ews-bridge -c {stage.folder / 'config.toml'} {' '.join(arguments)}")
    # Neither the user's state nor settings of theirs that would lead to it.
    environment = {name: value for name, value in os.environ.items() if not name.startswith(("XDG_", "EWS_BRIDGE_"))}
    environment["XDG_STATE_HOME"] = str(stage.folder / "state")
    environment["PYTHONIOENCODING"] = "utf-8"
    line = [sys.executable, "-m", "ews_bridge", "-c", str(stage.folder / "config.toml"), *arguments]
    line += ["--json"] if as_json else []
    done = subprocess.run(line, env=environment, stdin=subprocess.DEVNULL, capture_output=True, encoding="utf-8", timeout=60)
    for text in (done.stdout + done.stderr).splitlines() if shown else ():
        stage.say(f"   {text}")
    if done.returncode:
        raise Unseen(f"{' '.join(arguments)} ended with {done.returncode}: {done.stderr.strip()}")
    return done.stdout


def _requests(stage: Stage) -> dict[str, int]:
    """How many requests of each operation the server has had, as it says itself."""
    address = stage.url.removesuffix("EWS/Exchange.asmx") + "sandbox/stats"
    with urllib.request.build_opener(urllib.request.ProxyHandler({})).open(address, timeout=30) as answer:
        requests: dict[str, int] = json.load(answer)["requests"]
    return requests


def _messages(folder: Path) -> list[Path]:
    return sorted(path for path in folder.rglob("*") if path.parent.name in ("cur", "new") and path.is_file())


def _subject(path: Path) -> str:
    return str(message_from_bytes(path.read_bytes(), policy=policy.default)["Subject"])


def _by_subject(folder: Path, subject: str) -> Path:
    found = [path for path in _messages(folder) if _subject(path) == subject]
    if len(found) != 1:
        raise Unseen(f"{len(found)} messages on disk are called {subject!r}")
    return found[0]


def _snapshot(folder: Path) -> set[tuple[str, int, int]]:
    return {(str(path), path.stat().st_mtime_ns, path.stat().st_ino) for path in _messages(folder)}


def _tree(mail: Path) -> Iterator[str]:
    """The Maildirs below `mail`, one line each."""
    rows = []
    for place in sorted(path.parent for path in mail.rglob("cur")):
        new, all_of_it = len(_messages(place / "new")), len(_messages(place / "new") + _messages(place / "cur"))
        rows.append([f"{place.relative_to(mail.parent)}/", f"{all_of_it}", f"{new} new" if new else ""])
    yield from output.table(["", "messages", ""], rows, right=(1,))
