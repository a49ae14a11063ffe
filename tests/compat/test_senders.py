"""What calls sendmail in real life, calling ews-send: a second user's next sync has the mail, with equal headers and parts.

Needs what it calls: neomutt, tmux, git-email, s-nail, msmtp's callers are the same. What is not installed is skipped.
"""

from __future__ import annotations

import os
import shlex
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from email import message_from_bytes
from email import policy
from email.message import EmailMessage
from pathlib import Path

import pytest

from tests.mirror import User
from tests.sandbox_server import Running
from tests.sandbox_server import running
from tests.sender import ROOT
from tests.sender import Sender

pytestmark = pytest.mark.compat


@pytest.fixture
def server() -> Iterator[Running]:
    with running(mime="keep") as sandbox:
        yield sandbox


@pytest.fixture
def alice(server: Running, tmp_path: Path) -> Sender:
    found = Sender(tmp_path / "alice", server.url)
    found.sets(settle=0)
    return found


@pytest.fixture
def program(tmp_path: Path) -> Path:
    """ews-send as a program in a file, as an installation makes it; and what it was given, beside it."""
    path = tmp_path / "bin/sendmail"
    path.parent.mkdir()
    python = shlex.quote(sys.executable)
    path.write_text(
        "#!/bin/sh\n"
        f'cat > {tmp_path}/given.eml\nprintf "%s\\n" "$*" > {tmp_path}/given.words\n'
        # s-nail gives root another HOME than it was given.
        f'export HOME="${{SENDER_HOME:-$HOME}}"\n'
        f'PYTHONPATH={ROOT} PYTHONWARNINGS=error exec {python} -m ews_bridge.sendmail "$@" < {tmp_path}/given.eml\n'
    )
    path.chmod(0o755)
    return path


def needs(*programs: str) -> None:
    for each in programs:
        if not shutil.which(each):
            pytest.skip(f"{each} is not installed")


def received(server: Running, tmp_path: Path) -> bytes:
    """The one message that Bob's next sync brings, without the Received line of the server."""
    bob = User(tmp_path / "bob", server.url)
    bob.configure()
    config = bob.home / ".config/ews-bridge/config.toml"
    config.write_text(config.read_text().replace("alice@", "bob@"))
    bob.syncs()
    (file,) = [path for part in ("new", "cur") for path in (bob.mail / "INBOX" / part).iterdir()]
    return file.read_bytes().partition(b"\n")[2]


def assert_as_composed(got: bytes, composed: bytes) -> EmailMessage:
    """Every header that was composed is there as it was, and all parts are equal."""
    ours, theirs = (message_from_bytes(each, policy=policy.default) for each in (got, composed))
    assert isinstance(ours, EmailMessage)
    for name, value in theirs.items():
        if name.lower() != "bcc":
            assert value in ours.get_all(name, []), name
    assert [part.get_payload(decode=True) for part in ours.walk()] == [part.get_payload(decode=True) for part in theirs.walk()]
    return ours


def call(alice: Sender, *words: str, given: str = "", cwd: Path | None = None) -> subprocess.CompletedProcess[str]:
    environment = {**alice.environment(), "SENDER_HOME": str(alice.home)}
    ran = subprocess.run(words, input=given, env=environment, capture_output=True, text=True, cwd=cwd, timeout=120)
    assert ran.returncode == 0, ran
    return ran


def test_neomutt_in_batch_mode(server: Running, alice: Sender, program: Path, tmp_path: Path) -> None:
    needs("neomutt")
    (tmp_path / "picture.bin").write_bytes(bytes(range(256)))
    rc = tmp_path / "neomuttrc"
    rc.write_text(
        f'set sendmail="{program} -oem -oi"\nset use_8bit_mime\nset from="alice@example.test"\nset copy=no\n'
        'set realname="Alice"\nset use_envelope_from\n'
    )
    call(
        alice, "neomutt", "-F", str(rc), "-s", "gr\u00fc\u00dfe", "-b", "carol@elsewhere.test",
        "-a", str(tmp_path / "picture.bin"), "--", "bob@example.test", given="Hello \u2603.\n.\nbye\n",
    )  # fmt: skip
    ours = assert_as_composed(received(server, tmp_path), (tmp_path / "given.eml").read_bytes())
    assert ours["Subject"] == "gr\u00fc\u00dfe"
    assert "-B8BITMIME" in (tmp_path / "given.words").read_text()
    (delivery,) = server.world.deliveries
    assert sorted(delivery.recipients) == ["bob@example.test", "carol@elsewhere.test"]
    assert "carol" not in str(ours)


def test_neomutt_in_a_terminal_with_a_copy_of_its_own(server: Running, alice: Sender, program: Path, tmp_path: Path) -> None:
    needs("neomutt", "tmux")
    alice.syncs()
    rc = tmp_path / "neomuttrc"
    rc.write_text(
        f'set sendmail="{program} -oem -oi"\nset from="alice@example.test"\nset mbox_type=Maildir\nset folder="{alice.mail}"\n'
        'set spoolfile="+INBOX"\nset record="+Sent Items"\nset editor="true"\nset fast_reply\nset autoedit\n'
        "set abort_unmodified=no\nset abort_nosubject=no\n"
    )
    socket = str(tmp_path / "tmux")
    tmux = ["tmux", "-S", socket, "-f", "/dev/null"]
    environment = {**alice.environment(), "TERM": "xterm", "LANG": "C.UTF-8"}
    command = shlex.join(["neomutt", "-F", str(rc), "-s", "from the terminal", "bob@example.test"])
    subprocess.run([*tmux, "new-session", "-d", "-x", "100", "-y", "30", command], env=environment, check=True)
    try:
        began = time.time()
        while not server.world.deliveries and time.time() - began < 60:
            subprocess.run([*tmux, "send-keys", "y"], env=environment, capture_output=True)
            time.sleep(2)
    finally:
        subprocess.run([*tmux, "kill-server"], env=environment, capture_output=True)
    assert len(server.world.deliveries) == 1
    assert_as_composed(received(server, tmp_path), (tmp_path / "given.eml").read_bytes())
    alice.syncs()
    assert len(list((alice.mail / "Sent Items/cur").iterdir())) == 1, "neomutt's copy and the server's are one"
    assert len(server.alice.folder("sentitems").items) == 1
    assert "nothing new" in alice.syncs()


def test_git_send_email(server: Running, alice: Sender, program: Path, tmp_path: Path) -> None:
    needs("git")
    found = subprocess.run(["git", "--exec-path"], capture_output=True, text=True).stdout.strip()
    if not Path(found, "git-send-email").exists():
        pytest.skip("git-email is not installed")
    repository = tmp_path / "repository"
    call(alice, "git", "init", "-q", str(repository))
    for key, value in {"user.name": "Alice S\u00e4nd", "user.email": "alice@example.test"}.items():
        call(alice, "git", "config", key, value, cwd=repository)
    (repository / "file").write_text("gr\u00fc\u00dfe\n")
    call(alice, "git", "add", "file", cwd=repository)
    call(alice, "git", "commit", "-q", "-m", "a change\n\nwith \u00e4 reason", cwd=repository)
    call(
        alice, "git", "send-email", "--quiet", f"--smtp-server={program}", "--to=bob@example.test", "--cc=carol@elsewhere.test",
        "--confirm=never", "--root", "HEAD", cwd=repository,
    )  # fmt: skip
    assert_as_composed(received(server, tmp_path), (tmp_path / "given.eml").read_bytes())
    (delivery,) = server.world.deliveries
    assert sorted(delivery.recipients) == ["alice@example.test", "bob@example.test", "carol@elsewhere.test"]


def test_s_nail(server: Running, alice: Sender, program: Path, tmp_path: Path) -> None:
    needs("s-nail")
    call(
        alice, "s-nail", "-:/", "-S", f"mta={program}", "-S", "from=alice@example.test", "-S", "ttycharset=utf-8",
        "-S", "v15-compat", "-s", "from the shell", "bob@example.test", given="Hello \u2603\n",
    )  # fmt: skip
    ours = assert_as_composed(received(server, tmp_path), (tmp_path / "given.eml").read_bytes())
    assert ours["Subject"] == "from the shell"


@pytest.mark.parametrize(
    "words",
    ["-FCronDaemon -i -odi -oem -oi -t -f root", "-FCronDaemon -i -B8BITMIME -oem root", "-t -froot", "-i -B 8BITMIME root"],
)
def test_a_daemon_with_the_configuration_of_the_machine(
    words: str, server: Running, alice: Sender, program: Path, tmp_path: Path
) -> None:
    (tmp_path / "aliases").write_text("root: bob@example.test\n")
    alice.sets(settle=0, aliases=str(tmp_path / "aliases"), **{"from": "This Machine <alice@example.test>"})
    config = alice.home / ".config/ews-bridge/config.toml"
    environment = {"PATH": os.environ["PATH"], "HOME": str(tmp_path), "EWS_BRIDGE_CONFIG": str(config), "LOGNAME": "root"}
    message = "From: root (Cron Daemon)\nTo: root\nSubject: Cron <root@box> backup\nAuto-Submitted: auto-generated\n\ndone\n"
    ran = subprocess.run([str(program), *words.split()], input=message, env=environment, capture_output=True, text=True, cwd="/")
    assert (ran.returncode, ran.stdout, ran.stderr) == (0, "", "")
    got = received(server, tmp_path)
    assert b"From: alice@example.test (Cron Daemon)\nTo: bob@example.test\nSubject: Cron <root@box> backup\n" in got
    assert got.endswith(b"\n\ndone\n")
