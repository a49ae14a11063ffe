"""neomutt, mu and notmuch read what a sync made: the messages, their flags, and a subject in any script."""

from __future__ import annotations

import re
import shutil
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from ews_bridge.sandbox import seed
from tests.inside import Inside
from tests.mirror import disk_view
from tests.sandbox_server import Running
from tests.sandbox_server import running

DATA = Path(__file__).parent / "data/mail"
SUBJECT = "Grüße aus Łódź, 日本語 🕰"
#: What each message is, by a word of its own in the text.
FLAGS = {"plain": "", "seen": "S", "flagged": "FS", "answered": "RS", "forwarded": "PS", "everything": "FRS"}


def needs(program: str) -> pytest.MarkDecorator:
    return pytest.mark.skipif(not shutil.which(program), reason=f"{program} is not installed")


def letter(word: str) -> bytes:
    encoded = SUBJECT.encode().hex().upper()
    quoted = "".join(f"={encoded[at : at + 2]}" for at in range(0, len(encoded), 2))
    return (
        "From: =?utf-8?q?J=C3=BCrgen?= <jk@example.test>\r\nTo: alice@example.test\r\n"
        f"Subject: {word} =?utf-8?q?{quoted}?=\r\nDate: Wed, 04 Nov 2026 09:15:00 +0100\r\nMessage-ID: <{word}@example.test>\r\n"
        f"MIME-Version: 1.0\r\nContent-Type: text/plain; charset=utf-8\r\n\r\nzzword{word} Übersicht\r\n"
    ).encode()


@pytest.fixture(scope="module")
def server() -> Iterator[Running]:
    with running() as sandbox:
        alice = sandbox.alice
        for word, flags in FLAGS.items():
            alice.add_mime(
                alice.folder("inbox"),
                letter(word),
                read="S" in flags,
                flagged="F" in flags,
                answered="R" in flags,
                forwarded="P" in flags,
            )
        alice.add_mime(alice.folder("drafts"), letter("draft"), draft=True, read=True)
        alice.add_mime(alice.create_folder(alice.folder("msgfolderroot"), "Łódź & more"), letter("elsewhere"))
        seed.load_tree(alice, DATA)
        yield sandbox


@pytest.fixture
def reader(server: Running, tmp_path: Path) -> Inside:
    """A mirror of a mailbox with a message for each flag, a draft, another folder, and the odd ones."""
    found = Inside(tmp_path, server.url)
    found.configure(more='folders = ["INBOX", "Drafts", "Ł*"]')
    found.syncs()
    return found


def call(user: Inside, *command: str) -> str:
    environment = {**user.environment(), "LC_ALL": "C.UTF-8", "TERM": "xterm", "MAILDIR": str(user.mail)}
    environment.pop("PYTHONWARNINGS")
    done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=60, stdin=subprocess.DEVNULL)
    assert done.returncode == 0, done
    return done.stdout


def total(user: Inside) -> int:
    return sum(view.total() for view in disk_view(user.mail).values())


@needs("notmuch")
def test_notmuch_finds_every_message_and_its_flags(reader: Inside) -> None:
    config = reader.home / ".notmuch-config"
    config.write_text(
        f"[database]\npath={reader.mail}\n[user]\nname=Alice\nprimary_email=alice@example.test\n"
        "[new]\ntags=unread;inbox\n[maildir]\nsynchronize_flags=true\n"
    )
    before = disk_view(reader.mail)
    call(reader, "notmuch", "new", "--quiet")
    found = call(reader, "notmuch", "search", "--output=files", "--exclude=false", "*").split("\n")
    # Without sender, recipient and subject a file is no mail to notmuch.
    headless = [file for part in ("cur", "new") for file in reader.mail.rglob(f"{part}/*") if not _has_headers(file)]
    assert len([file for file in found if file]) == total(reader) - len(headless)
    tags = {"flagged": "flagged", "replied": "answered", "passed": "forwarded"}
    for tag, word in tags.items():
        assert call(reader, "notmuch", "count", f"tag:{tag} and zzword{word}").strip() == "1", tag
    for word, flags in FLAGS.items():
        assert call(reader, "notmuch", "count", f"tag:unread and zzword{word}").strip() == str(int("S" not in flags)), word
    assert call(reader, "notmuch", "count", "tag:draft").strip() == "1"
    assert call(reader, "notmuch", "count", "folder:INBOX and zzwordelsewhere").strip() == "0"
    assert call(reader, "notmuch", "count", 'folder:"Łódź & more"').strip() == "1"
    assert SUBJECT in call(reader, "notmuch", "search", "zzwordseen")
    # notmuch renamed nothing, and what it keeps beside the mail is no folder and no message.
    assert disk_view(reader.mail) == before
    assert reader.syncs() == "work: nothing new\n"


def _has_headers(file: Path) -> bool:
    head = file.read_bytes().partition(b"\n\n")[0]
    return re.search(rb"^(from|to|subject):", head, re.IGNORECASE | re.MULTILINE) is not None


@needs("mu")
def test_mu_finds_every_message_and_its_flags(reader: Inside) -> None:
    call(reader, "mu", "init", "--quiet", f"--maildir={reader.mail}", "--my-address=alice@example.test")
    call(reader, "mu", "index", "--quiet")
    files = call(reader, "mu", "find", "--fields=l", "").splitlines()
    assert len(set(files)) >= total(reader) - 3  # mu leaves out what has neither headers nor a body
    for flag, word in (
        ("flagged", "flagged"),
        ("replied", "answered"),
        ("passed", "forwarded"),
        ("seen", "seen"),
        ("unread", "plain"),
    ):
        found = call(reader, "mu", "find", "--fields=s", f"flag:{flag}", f"zzword{word}")
        assert found.strip() == f"{word} {SUBJECT}", flag
    assert call(reader, "mu", "find", "--fields=s", "flag:draft").strip() == f"draft {SUBJECT}"
    assert call(reader, "mu", "find", "--fields=s", "maildir:/Drafts").strip() == f"draft {SUBJECT}"
    assert reader.syncs() == "work: nothing new\n"


@needs("neomutt")
@needs("tmux")
def test_neomutt_shows_the_folder_and_a_message(reader: Inside) -> None:
    """In a terminal, as people run it: the index, then one message; then it is read, and the next sync knows."""
    index = on_screen(
        reader, f"neomutt -F /dev/null -e 'set folder={reader.mail} sort=subject' -f {reader.mail}/INBOX", "zero bytes", "q"
    )
    assert f"Msgs:{disk_view(reader.mail)['INBOX'].total()} " in index
    lines = {word: line for word in FLAGS for line in index.splitlines() if f" {word} {SUBJECT}" in line}
    assert {word: line[4:8].replace(" ", "") for word, line in lines.items()} == {
        "plain": "N",
        "seen": "",
        "flagged": "!",
        "answered": "r",
        "forwarded": "",
        "everything": "r!",
    }, index
    one = f"neomutt -F /dev/null -e 'push <limit>~s<space>seen<enter><display-message>' -f {reader.mail}/INBOX"
    message = on_screen(reader, one, "zzwordseen", "qx")
    assert f"seen {SUBJECT[:20]}" in message
    assert "zzwordseen Übersicht" in message
    assert reader.syncs() == "work: nothing new\n"


def on_screen(user: Inside, command: str, last: str, keys: str) -> str:
    """What a terminal shows of a program, once `last` stands on it and nothing moves; `keys` end it."""
    socket = str(user.home / "tmux")
    environment = {**user.environment(), "LC_ALL": "C.UTF-8", "TERM": "xterm-256color"}
    for size in ("LINES", "COLUMNS"):  # where they are set, curses believes them and not the terminal
        environment.pop(size, None)
    tmux = ("tmux", "-S", socket)
    start = (*tmux, "-u", "-f", "/dev/null", "new-session", "-d", "-x", "180", "-y", "60", command)
    subprocess.run(start, env=environment, check=True)
    try:
        shown = ""
        deadline = time.monotonic() + 30
        while time.monotonic() < deadline:
            time.sleep(0.1)
            if time.monotonic() > deadline - 25:  # it was quicker than the terminal, and did not hear of its size
                width = 181 if int(time.monotonic()) % 2 else 180
                subprocess.run((*tmux, "resize-window", "-x", str(width), "-y", "60"), check=True)
            now = subprocess.run((*tmux, "capture-pane", "-p"), capture_output=True, text=True, check=True).stdout
            if now == shown and last in now:
                break
            shown = now
        subprocess.run((*tmux, "send-keys", keys), check=True)
        time.sleep(0.2)
        return shown
    finally:
        subprocess.run((*tmux, "kill-server"), check=False, capture_output=True)
