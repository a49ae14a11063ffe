"""neomutt, driven on a terminal of its own (tmux), over a Maildir that ews-bridge keeps: what its user did, the server shows.

Needs the Debian packages neomutt and tmux.
"""

from __future__ import annotations

import shutil
import subprocess
import time
from collections.abc import Callable
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC
from datetime import datetime
from pathlib import Path

import pytest

from ews_bridge.sandbox.mapi import KEYWORDS
from ews_bridge.sandbox.store import Folder
from ews_bridge.sandbox.store import Item
from tests.inside import Inside
from tests.mirror import item_flags
from tests.mirror import message
from tests.sandbox_server import Running
from tests.sandbox_server import running

pytestmark = [
    pytest.mark.compat,
    pytest.mark.skipif(not shutil.which("neomutt"), reason="neomutt is not installed"),
    pytest.mark.skipif(not shutil.which("tmux"), reason="tmux is not installed"),
]

SETTINGS = """\
set mbox_type=Maildir folder={mail} spoolfile="=INBOX" record="=Sent Items" postponed="=Drafts"
set from=alice@example.test realname="Alice Sand" use_from=yes hostname=example.test
set sendmail={home}/sendmail editor="{home}/editor" sendmail_wait=0
set sort=date delete=yes quit=yes move=no confirmappend=no confirmcreate=no copy=yes fast_reply=yes include=yes recall=yes
set postpone=yes abort_unmodified=no abort_nosubject=no mark_old=no sleep_time=0 wait_key=no timeout=1
set mail_check=1 beep=no header_cache=""
set read_inc=0 write_inc=0 auto_tag=no use_threads=flat pager_index_lines=0 help=no
"""
#: What stands for the editor adds the text in the file `words`; no mail leaves, as if it had.
EDITOR = '#!/bin/sh\ncat "{home}/words" >> "$1"\n'
SENDMAIL = '#!/bin/sh\nexec cat > "{home}/sent"\n'


@pytest.fixture(params=["keep", "regenerate"])
def server(request: pytest.FixtureRequest) -> Iterator[Running]:
    with running(mime=request.param) as sandbox:
        sandbox.alice.create_folder(sandbox.alice.folder("msgfolderroot"), "Projects")
        yield sandbox


@pytest.fixture
def user(server: Running, tmp_path: Path) -> Inside:
    found = Inside(tmp_path, server.url)
    found.configure(more='folders = ["INBOX", "Projects", "Drafts", "Sent Items", "Deleted Items"]')
    (tmp_path / "neomuttrc").write_text(SETTINGS.format(mail=found.mail, home=tmp_path))
    for name, text in (("editor", EDITOR), ("sendmail", SENDMAIL)):
        (tmp_path / name).write_text(text.format(home=tmp_path))
        (tmp_path / name).chmod(0o700)
    return found


@dataclass(frozen=True)
class Terminal:
    """neomutt in a terminal."""

    socket: Path

    def type(self, *keys: str) -> None:
        """Keys by tmux's names; anything else is typed as it is."""
        self._tmux("send-keys", "-t", "mail", *keys)

    def screen(self) -> str:
        return self._tmux("capture-pane", "-p", "-t", "mail")

    def shows(self, text: str) -> None:
        """Wait for it. Not for the status line: on a busy machine neomutt leaves it out until it draws anew."""
        deadline = time.monotonic() + 20
        while text not in (seen := self.screen()):
            assert time.monotonic() < deadline, f"{text!r} does not appear:\n{seen}"
            time.sleep(0.05)

    def ends(self) -> None:
        """Wait until neomutt has ended."""
        deadline = time.monotonic() + 20
        while self._alive():
            assert time.monotonic() < deadline, f"it does not end:\n{self.screen()}"
            time.sleep(0.05)

    def _alive(self) -> bool:
        return subprocess.run(["tmux", "-S", self.socket, "has-session"], capture_output=True, check=False).returncode == 0

    def _tmux(self, *arguments: str) -> str:
        done = subprocess.run(["tmux", "-S", self.socket, *arguments], capture_output=True, text=True, timeout=20, check=False)
        assert done.returncode == 0, (arguments, done.stderr)
        return done.stdout


@contextmanager
def neomutt(user: Inside, *arguments: str) -> Iterator[Terminal]:
    """neomutt for the length of a block, which must end it."""
    socket = user.home / "tmux"
    command = ["neomutt", "-n", "-F", str(user.home / "neomuttrc"), *arguments]
    environment = {**user.environment(), "TERM": "screen", "LANG": "C.UTF-8"}
    new = ["tmux", "-S", str(socket), "-f", "/dev/null", "new-session", "-d", "-s", "mail", "-x", "120", "-y", "40", *command]
    subprocess.run(new, env=environment, check=True, timeout=20)
    terminal = Terminal(socket)
    try:
        yield terminal
        terminal.ends()
    finally:
        subprocess.run(["tmux", "-S", socket, "kill-server"], capture_output=True, check=False)


def words(user: Inside, text: str) -> None:
    """What the editor will add."""
    (user.home / "words").write_text(text)


def quiet(user: Inside) -> None:
    assert user.syncs() == "work: nothing new\n"


def of(folder: Folder, number: int) -> Item:
    """The message of that number."""
    (found,) = (item for item in folder.items.values() if f"Message-ID: <{number}@example.test>".encode() in item.mime)
    return found


def files(user: Inside, folder: str) -> list[Path]:
    return sorted(file for part in ("cur", "new") for file in (user.mail / folder / part).iterdir())


def jump(terminal: Terminal, number: int) -> None:
    """To that message of the index."""
    terminal.type(str(number), "Enter")


def in_the_inbox(user: Inside, act: Callable[[Terminal], None]) -> None:
    with neomutt(user) as terminal:
        terminal.shows("about 5")
        act(terminal)
        terminal.type("q")


@pytest.fixture
def inbox(server: Running, user: Inside) -> Folder:
    """Five messages, mirrored."""
    folder = server.alice.folder("inbox")
    for number in range(1, 6):
        server.alice.add_mime(folder, message(number, subject=f"about {number}"))
    of(folder, 4).props[KEYWORDS] = ("StringArray", ["Green category"])
    user.syncs()
    return folder


def folder_named(server: Running, name: str) -> Folder:
    return next(each for each in server.alice.folder("msgfolderroot").children if each.name == name)


def test_an_hour_in_neomutt_is_what_the_server_shows(server: Running, user: Inside, inbox: Folder) -> None:
    """Read, reply with a copy in Sent Items, flag, save to another folder, delete: in one session, then one sync."""
    words(user, "My answer.\n")
    search_key = of(inbox, 4).props.get(0x300B)

    def session(terminal: Terminal) -> None:
        jump(terminal, 1)
        terminal.type("Enter")
        terminal.shows("This is message 1.")
        terminal.type("i")
        terminal.shows("about 5")
        jump(terminal, 2)
        terminal.type("r")
        terminal.shows("Re: about 2")
        terminal.type("y")
        terminal.shows("2 r")
        jump(terminal, 3)
        terminal.type("F")
        jump(terminal, 4)
        terminal.type("s", "C-a", "C-k", "=Projects", "Enter")
        terminal.shows("4 ND")
        jump(terminal, 5)
        terminal.type("d")
        terminal.shows("5 ND")

    began = int(time.time())
    in_the_inbox(user, session)
    assert (user.home / "sent").exists()
    done = user.syncs()
    # What was deleted comes down as what lies in Deleted Items; nothing else does.
    assert "1 downloaded" in done and "1 uploaded" in done, done
    assert {item_flags(of(inbox, number)) for number in (1,)} == {"S"}
    assert set(item_flags(of(inbox, 2))) >= {"R"} and of(inbox, 2).props[0x1081] == ("Integer", 102)
    assert set(item_flags(of(inbox, 3))) >= {"F"}
    assert sorted(inbox.items.values(), key=id) == sorted((of(inbox, number) for number in (1, 2, 3)), key=id)
    # Saved: the same item, not another one like it.
    moved = of(folder_named(server, "Projects"), 4)
    assert moved.props[KEYWORDS] == ("StringArray", ["Green category"])
    assert moved.props.get(0x300B) == search_key
    # Deleted: in Deleted Items, with nothing else.
    (binned,) = server.alice.folder("deleteditems").items.values()
    assert binned is of(server.alice.folder("deleteditems"), 5)
    # The copy of the reply: once, read, no draft, at its time.
    (sent,) = server.alice.folder("sentitems").items.values()
    assert b"My answer." in sent.mime and item_flags(sent) == "S"
    assert began - 1 <= sent.received <= time.time()
    assert sent.props[0x0039] == ("SystemTime", sent.received)
    assert len(files(user, "Sent Items")) == 1
    quiet(user)


def test_a_draft_that_is_edited_in_neomutt_stays_one_draft(server: Running, user: Inside) -> None:
    """Postponed, synced, recalled, postponed again, synced: one draft with the new text; also when it came from Outlook."""
    drafts = server.alice.folder("drafts")
    server.alice.add_mime(drafts, message(9, subject="from Outlook"), read=True, draft=True)
    user.syncs()
    words(user, "Added in neomutt.\n")
    for _ in range(2):
        with neomutt(user, "-p") as terminal:
            terminal.shows("from Outlook")
            terminal.type("P")
        user.syncs()
        (draft,) = drafts.items.values()
        assert len(files(user, "Drafts")) == 1
        quiet(user)
    assert draft.draft, "a draft in Drafts that is none cannot be edited in Outlook"
    assert draft.mime.count(b"Added in neomutt.") == 2


def test_what_is_postponed_in_neomutt_is_a_draft_on_the_server(server: Running, user: Inside) -> None:
    user.syncs()
    words(user, "To be continued.\n")
    with neomutt(user, "-s", "my draft", "bob@example.test") as terminal:
        terminal.shows("-- Attachments")
        terminal.type("P")
    user.syncs()
    (draft,) = server.alice.folder("drafts").items.values()
    assert b"To be continued." in draft.mime
    assert draft.draft
    quiet(user)
    assert len(files(user, "Drafts")) == 1


def test_neomutt_reads_while_a_sync_brings_and_takes(server: Running, user: Inside, inbox: Folder) -> None:
    """An open mailbox in which files appear, move and go: it goes on, and both agree afterwards."""
    with neomutt(user) as terminal:
        terminal.shows("about 5")
        server.alice.add_mime(inbox, message(6, subject="about 6"), received=datetime(2026, 11, 24, tzinfo=UTC))
        server.alice.move(of(inbox, 1), folder_named(server, "Projects"))
        of(inbox, 2).read = True
        server.alice.touch(of(inbox, 2), was_read=False, read_only=True)
        user.syncs()
        time.sleep(1.2)  # it compares whole seconds: what came in the second of its last look waits for the next mail
        server.alice.add_mime(inbox, message(7, subject="about 7"), received=datetime(2026, 11, 24, tzinfo=UTC))
        user.syncs()
        terminal.shows("about 7")
        terminal.type("/", "about 3", "Enter", "F", "$")
        terminal.shows("about 3")
        terminal.type("q")
    user.syncs()
    assert {number: item_flags(of(inbox, number)) for number in (2, 3, 6, 7)} == {2: "S", 3: "F", 6: "", 7: ""}
    assert len(files(user, "INBOX")) == 6
    quiet(user)
