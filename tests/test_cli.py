"""The command line as a user meets it: processes of their own, a home of their own, a server of their own."""

from __future__ import annotations

import json
import os
import pty
import re
import signal
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

from ews_bridge.cli import COMMANDS
from ews_bridge.cli import boundary
from ews_bridge.cli import output
from ews_bridge.cli import progress
from ews_bridge.cli import sync
from ews_bridge.errors import BadItem
from ews_bridge.report import Failure
from ews_bridge.report import Report

CONFIG = """\
[accounts.{name}]
email = "alice@example.test"
server = "{url}"
auth = "basic"
password_command = "echo {password}"

[accounts.{name}.mail]
path = "~/Mail/{name}"
"""


@dataclass
class User:
    """Someone with a home directory, who types commands."""

    home: Path

    def environment(self) -> dict[str, str]:
        kept = {name: value for name, value in os.environ.items() if not name.startswith(("XDG_", "EWS_"))}
        return {**kept, "HOME": str(self.home), "PYTHONWARNINGS": "error"}

    def line(self, *arguments: str) -> list[str]:
        return [sys.executable, "-m", "ews_bridge", *arguments]

    def types(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            self.line(*arguments), env=self.environment(), stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=60
        )

    def configure(self, *accounts: str) -> None:
        path = self.home / ".config/ews-bridge/config.toml"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("\n".join(accounts))

    def messages(self, account: str = "work") -> list[Path]:
        found = (self.home / "Mail" / account).rglob("*")
        return sorted(path for path in found if path.parent.name in ("cur", "new") and path.is_file())


@pytest.fixture
def user(tmp_path: Path) -> User:
    return User(tmp_path)


@contextmanager
def sandbox(*options: str) -> Iterator[str]:
    """The URL of a server in a process of its own."""
    with subprocess.Popen([sys.executable, "-m", "ews_bridge", "sandbox", *options], stdout=subprocess.PIPE, text=True) as server:
        assert server.stdout is not None
        try:
            yield server.stdout.readline().strip()
        finally:
            server.terminate()
    assert server.returncode == 0


@pytest.fixture
def url() -> Iterator[str]:
    with sandbox("--seed", "demo") as url:
        yield url


@pytest.fixture
def ready(user: User, url: str) -> User:
    """A user whose account is configured and whose server runs."""
    user.configure(CONFIG.format(name="work", url=url, password="secret"))
    return user


# ---- without a server


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ([], "Usage: ews-bridge"),
        (["snyc"], "No such command 'snyc'"),
        (["sync", "--dryrun"], "No such option"),
        (["sync", "--allow-deletes", "--refill"], "exclude each other"),
        (["sync", "--pull-only", "--push-only"], "--push-only and --pull-only exclude each other"),
        (["sync", "--push-only", "--refill"], "--push-only and --refill exclude each other"),
        (["sync", "--wait", "-1"], "--wait"),
        (["-q", "sync", "-v"], "exclude each other"),
        (["restore"], "say what to restore"),
        (["restore", "--run", "x", "y"], "exclude each other"),
        (["sandbox", "--user", "alice"], "ADDRESS:PASSWORD"),
        (["sandbox", "--auth", "kerberos"], "--auth"),
        (["demo", "--keep", "."], "exists already"),
    ],
)
def test_a_wrong_command_line_is_64_and_says_why(arguments: list[str], said: str, user: User) -> None:
    done = user.types(*arguments)
    assert (done.returncode, done.stdout) == (64, "")
    assert said in done.stderr


def test_a_wrong_configuration_is_78_with_a_hint(user: User) -> None:
    done = user.types("sync")
    assert done.returncode == 78
    assert re.fullmatch(r"ews-bridge: there is no configuration: .*\nhint: man ews-bridge\.toml.*\n", done.stderr)
    user.configure(CONFIG.format(name="work", url="https://example.test/EWS/Exchange.asmx", password="x").replace("path", "paht"))
    done = user.types("sync")
    assert done.returncode == 78
    assert "config.toml:8: accounts.work.mail.paht: unknown key (did you mean 'path'?)" in done.stderr
    assert user.types("-a", "wrok", "-c", "/dev/null", "sync").returncode == 78


def test_help_is_at_hand_at_once(user: User) -> None:
    """No command's help waits for the libraries that speak to a server or serve one."""
    heavy = ("exchangelib", "lxml", "aiohttp", "requests", "sqlite3", "spnego")
    for arguments in (["--help"], ["--version"], *([name, "-h"] for name in COMMANDS)):
        code = (
            f"import sys; from ews_bridge.cli import main; main({arguments!r}); print([m for m in {heavy!r} if m in sys.modules])"
        )
        done = subprocess.run([sys.executable, "-c", code], env=user.environment(), capture_output=True, text=True, check=True)
        assert done.stdout.splitlines()[-1] == "[]", arguments
    began = time.monotonic()
    times = []
    for _ in range(5):
        began = time.monotonic()
        assert user.types("--help").returncode == 0
        times.append(time.monotonic() - began)
    assert min(times) < 0.5  # 0.1 s on an idle machine; tests run beside each other


def test_shells_can_complete_commands_and_options(user: User) -> None:
    for shell in ("bash", "zsh", "fish"):
        environment = {**user.environment(), "_EWS_BRIDGE_COMPLETE": f"{shell}_source"}
        script = subprocess.run(user.line(), env=environment, capture_output=True, text=True, timeout=60, check=True).stdout
        assert "_EWS_BRIDGE_COMPLETE" in script
    for words, expected in (("ews-bridge st", "plain,status"), ("ews-bridge sync --pu", "plain,--pull-only\nplain,--push-only")):
        asked = {"_EWS_BRIDGE_COMPLETE": "bash_complete", "COMP_WORDS": words, "COMP_CWORD": str(words.count(" "))}
        done = subprocess.run(
            user.line(), env={**user.environment(), **asked}, capture_output=True, text=True, timeout=60, check=True
        )
        assert done.stdout.strip() == expected


def test_a_sandbox_says_where_it_is_and_ends_when_asked(user: User, tmp_path: Path) -> None:
    ready = tmp_path / "ready"
    line = user.line("sandbox", "--seed", "empty", "--ready-file", str(ready), "--user", "bob@example.test:x")
    for number in (signal.SIGINT, signal.SIGTERM):
        with subprocess.Popen(line, env=user.environment(), stdout=subprocess.PIPE, text=True) as server:
            assert server.stdout is not None
            url = server.stdout.readline().strip()
            assert re.fullmatch(r"http://127\.0\.0\.1:\d+/EWS/Exchange\.asmx", url)
            deadline = time.monotonic() + 5
            while not ready.exists() and time.monotonic() < deadline:
                time.sleep(0.01)
            assert ready.read_text().strip() == url
            server.send_signal(number)
            assert server.wait(10) == 0
        ready.unlink()


# ---- with one


def test_a_first_sync_a_second_and_what_they_print(ready: User) -> None:
    first = ready.types("sync")
    assert (first.returncode, first.stderr) == (0, "")
    match = re.fullmatch(r"work: (\d+) downloaded, \d+ folders made, [\d.]+ [kM]?B in [\d.]+ s\n", first.stdout)
    assert match
    assert len(ready.messages()) == int(match.group(1)) > 10
    second = ready.types("sync")
    assert (second.returncode, second.stdout, second.stderr) == (0, "work: nothing new\n", "")
    quiet = ready.types("sync", "-q")
    assert (quiet.returncode, quiet.stdout, quiet.stderr) == (0, "", "")


def test_a_dry_run_prints_and_leaves_the_mail_alone(ready: User) -> None:
    done = ready.types("sync", "--dry-run")
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.splitlines()[-1].startswith("work: would be: ")
    assert not (ready.home / "Mail").exists()
    ready.types("sync")
    for path in ready.messages():
        path.unlink()
    steps = ready.types("sync", "--dry-run", "--refill").stdout.splitlines()[:-1]
    assert len(steps) > 10
    assert all(step.startswith("work: download ") for step in steps)
    assert ready.messages() == []
    as_json = json.loads(ready.types("sync", "--dry-run", "--refill", "--json").stdout)
    assert sorted(f"work: {step}" for step in as_json["accounts"][0]["steps"]) == sorted(steps)


def test_json_is_one_object_with_a_version(ready: User) -> None:
    done = json.loads(ready.types("--json", "sync").stdout)
    assert done["version"] == 1
    (account,) = done["accounts"]
    assert (account["account"], account["exit_code"], account["error"]) == ("work", 0, None)
    assert account["done"]["download"] == len(ready.messages())
    for command in (["folders"], ["status"], ["restore", "--list"]):
        done = json.loads(ready.types(*command, "--json").stdout)
        assert done["version"] == 1
        assert [each["account"] for each in done["accounts"]] == ["work"]


def test_folders_shows_what_the_server_has_and_where_it_is(ready: User) -> None:
    ready.types("sync")
    done = json.loads(ready.types("folders", "--json").stdout)["accounts"][0]["folders"]
    inbox = next(each for each in done if each["path"] == "INBOX")
    assert inbox["directory"] == str(ready.home / "Mail/work/INBOX")
    assert inbox["items"] == len([path for path in ready.messages() if path.parent.parent.name == "INBOX"])
    text = ready.types("folders").stdout
    assert text.splitlines()[0].split() == ["FOLDER", "KIND", "ITEMS", "UNREAD", "SPECIAL", "DIRECTORY"]
    assert all(each["path"] in text for each in done)


def test_only_the_folders_that_are_named_are_synced(ready: User) -> None:
    assert ready.types("sync", "INBOX").returncode == 0
    assert {path.parent.parent.name for path in ready.messages()} == {"INBOX"}
    done = ready.types("sync", "No/Such")
    assert done.returncode == 64
    assert "No/Such" in done.stderr


def test_status_before_and_after_a_sync(ready: User) -> None:
    assert ready.types("status").returncode == 0
    ready.types("sync")
    done = ready.types("status")
    assert done.returncode == 0
    assert "work" in done.stdout


def test_a_pull_leaves_what_changed_on_disk_pending_and_a_push_what_changed_on_the_server(ready: User) -> None:
    ready.types("sync")
    path = next(path for path in ready.messages() if path.parent.parent.name == "Projects" or path.name.endswith(":2,S"))
    path.rename(f"{path}F".replace(":2,SF", ":2,FS"))
    pulled = ready.types("sync", "--pull-only")
    assert (pulled.returncode, pulled.stdout) == (0, "work: 1 pending\n")
    assert "1 pending" in ready.types("status").stdout
    dry = ready.types("sync", "--dry-run")
    assert re.fullmatch(r"work: mark remote .*: FS\nwork: would be: 1 marked on the server\n", dry.stdout)
    new = path.with_name("1772443800.x.example")
    new.write_bytes(b"From: a@example.test\nSubject: put here\nMessage-ID: <put@example.test>\n\nHello\n")
    pushed = ready.types("sync", "--push-only")
    assert pushed.returncode == 0
    assert re.match(r"work: 1 uploaded, 1 marked on the server", pushed.stdout)
    assert ready.types("sync").stdout == "work: nothing new\n"


def test_a_conflict_is_named_and_status_says_where_the_local_version_is(ready: User, url: str) -> None:
    ready.types("sync")
    draft = next(path for path in ready.messages() if path.parent.parent.name == "Drafts")
    # Another machine with the same mailbox: its edit comes first.
    other = User(ready.home / "elsewhere")
    other.configure(CONFIG.format(name="work", url=url, password="secret"))
    other.types("sync")
    text = draft.read_text()
    (theirs,) = (path for path in other.messages() if path.read_text() == text)
    theirs.write_text(f"{text}\nwritten there\n")
    draft.write_text(f"{text}\nwritten here\n")
    assert other.types("sync").stdout.startswith("work: 1 updated on the server")
    planned = ready.types("sync", "--dry-run").stdout.splitlines()
    assert planned[0].endswith("the local version is kept aside, unless both say the same"), "nobody has compared them yet"
    done = ready.types("sync")
    assert done.returncode == 1
    assert "the local version is kept aside" in done.stderr
    assert "hint: ews-bridge status shows" in done.stderr
    assert "written there" in draft.read_text()
    (account,) = json.loads(ready.types("status", "--json").stdout)["accounts"]
    (kept,) = account["conflicts"]
    assert kept["folder"] == "Drafts"
    assert "written here" in Path(kept["file"]).read_text()
    assert f"conflict: {kept['subject']} in Drafts: your version is {kept['file']}" in ready.types("status").stdout
    Path(kept["file"]).unlink()
    assert "conflict" not in ready.types("status").stdout


def test_what_is_undone_in_a_read_only_folder_is_named(user: User, url: str) -> None:
    user.configure(CONFIG.format(name="work", url=url, password="secret") + 'read_only = ["Projects/*"]\n')
    user.types("sync")
    path = next(path for path in user.messages() if path.parent.parent.name == "Tide clock")
    path.unlink()
    done = user.types("sync")
    assert done.returncode == 0
    assert "undone: download " in done.stderr
    assert "undone by the last sync: download " in user.types("status").stdout
    (account,) = json.loads(user.types("status", "--json").stdout)["accounts"]
    (reverted,) = account["reverted"]
    assert reverted.startswith("download ") and reverted.endswith(": the folder is read-only")
    assert "undone" not in user.types("sync").stderr
    assert "undone" not in user.types("status").stdout


def test_a_refusal_stays_in_status_until_the_next_run(ready: User) -> None:
    ready.types("sync")
    for path in ready.messages():
        if path.parent.parent.name == "INBOX":
            path.unlink()
    done = ready.types("sync")
    assert done.returncode == 1
    assert "refused to delete them on the server" in done.stderr
    status = ready.types("status").stdout
    assert re.search(r"^  refused: INBOX: (\d+) of \1 items are gone here", status, re.MULTILINE)
    assert "sync --refill fetches them again" in status
    assert ready.types("sync", "--refill").returncode == 0
    assert "refused" not in ready.types("status").stdout


def test_one_account_that_fails_does_not_keep_the_others(ready: User, url: str) -> None:
    nowhere = CONFIG.format(name="gone", url="http://127.0.0.1:9/EWS/Exchange.asmx", password="secret")
    refused = CONFIG.format(name="locked", url=url, password="wrong")
    fine = CONFIG.format(name="work", url=url, password="secret")
    ready.configure(nowhere, refused, fine)
    done = ready.types("sync")
    assert done.returncode == 77
    assert re.search(r"^ews-bridge: gone: ", done.stderr, re.MULTILINE)
    assert re.search(r"^ews-bridge: locked: ", done.stderr, re.MULTILINE)
    assert "wrong" not in done.stdout + done.stderr
    assert ready.messages()
    assert ready.types("sync", "-a", "gone").returncode == 69
    assert ready.types("-a", "work", "sync").returncode == 0


def test_the_password_command_that_fails_is_told(user: User, url: str) -> None:
    text = CONFIG.format(name="work", url=url, password="x").replace("echo x", "echo agent is locked >&2; exit 2")
    user.configure(text)
    done = user.types("sync")
    assert done.returncode == 77
    assert "agent is locked" in done.stderr


def test_progress_is_for_terminals_and_gone_at_the_end(ready: User) -> None:
    controller, terminal = pty.openpty()
    with subprocess.Popen(ready.line("sync"), env=ready.environment(), stdout=subprocess.PIPE, stderr=terminal) as process:
        os.close(terminal)
        shown = b""
        while True:
            try:
                part = os.read(controller, 4096)
            except OSError:  # the other end is closed
                break
            if not part:
                break
            shown += part
        assert process.wait(60) == 0
    os.close(controller)
    assert b"work: " in shown
    assert shown.endswith(b"\r\x1b[K")


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_a_run_that_is_stopped_says_so_and_the_next_goes_on(number: int, code: int, user: User) -> None:
    with sandbox("--seed", "bulk:2000", "--rtt-ms", "100") as url:
        user.configure(CONFIG.format(name="work", url=url, password="secret"))
        with subprocess.Popen(user.line("sync"), env=user.environment(), stderr=subprocess.PIPE, text=True) as run:
            while not user.messages() and run.poll() is None:
                time.sleep(0.01)
            run.send_signal(number)
            _, said = run.communicate(timeout=30)
        assert (run.returncode, said) == (code, f"ews-bridge: {'interrupted' if code == 130 else 'terminated'}\n")
        assert 0 < len(user.messages()) < 2000
        assert user.types("-q", "sync").returncode == 0
        assert len(user.messages()) == 2000


def test_a_run_that_waits_for_a_silent_server_can_be_stopped(ready: User, url: str) -> None:
    fault = {"operation": "GetItem", "nth": 1, "times": 9, "fault": "hang"}
    address = url.replace("EWS/Exchange.asmx", "sandbox/faults")
    request = urllib.request.Request(address, json.dumps(fault).encode(), {"Content-Type": "application/json"})
    urllib.request.urlopen(request, timeout=10).close()
    with subprocess.Popen(ready.line("sync"), env=ready.environment(), stderr=subprocess.PIPE, text=True) as run:
        time.sleep(3)
        assert run.poll() is None
        run.send_signal(signal.SIGINT)
        _, said = run.communicate(timeout=2 * boundary.GRACE)
    assert (run.returncode, said) == (130, "ews-bridge: interrupted\n")


def test_a_closed_pipe_is_quiet(ready: User) -> None:
    reader, writer = os.pipe()
    os.close(reader)
    with subprocess.Popen(
        ready.line("folders"), env=ready.environment(), stdout=writer, stderr=subprocess.PIPE, text=True
    ) as run:
        os.close(writer)
        _, said = run.communicate(timeout=30)
    assert (run.returncode, said) == (141, "")


def test_output_that_cannot_be_written_is_told(ready: User) -> None:
    with open("/dev/full", "w") as full:
        done = subprocess.run(
            ready.line("folders"), env=ready.environment(), stdout=full, stderr=subprocess.PIPE, text=True, timeout=60
        )
    assert done.returncode == 74
    assert done.stderr.startswith("ews-bridge: cannot write the output")


def test_the_demo_shows_what_it_says_and_leaves_nothing(user: User) -> None:
    done = user.types("demo")
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.count("   ok: ") >= 14
    assert "\\x" not in done.stdout
    assert list(user.home.iterdir()) == []
    kept = user.types("demo", "-q", "--keep", str(user.home / "kept"))
    assert (kept.returncode, kept.stdout, kept.stderr) == (0, "", "")
    assert (user.home / "kept/Mail/INBOX/cur").is_dir()


# ---- the parts


@pytest.fixture
def state(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))
    return tmp_path / "ews-bridge"


def test_a_bug_leaves_a_log_that_can_be_pasted(state: Path, capsys: pytest.CaptureFixture[str]) -> None:
    def bug() -> int:
        raise RuntimeError("at https://alice:hunter2@example.test/ with Authorization: Basic aHVudGVyMg==")

    assert boundary.guarded(bug, account="work") == 70
    said = capsys.readouterr().err
    (log,) = (state / "bugs").iterdir()
    assert said.startswith("ews-bridge: work: this is a bug in ews-bridge: RuntimeError: at https://***@example.test/")
    assert str(log) in said
    text = log.read_text()
    assert "in bug" in text
    for secret in ("hunter2", "aHVudGVyMg"):
        assert secret not in text + said
    assert log.stat().st_mode & 0o777 == 0o600
    assert log.parent.stat().st_mode & 0o777 == 0o700


def test_an_error_is_one_line_and_a_hint(capsys: pytest.CaptureFixture[str]) -> None:
    def fails() -> int:
        raise BadItem("no\nsuch \x1b[31mthing", hint="look elsewhere")

    assert boundary.guarded(fails) == 1
    assert capsys.readouterr().err == "ews-bridge: no\\x0asuch \\x1b[31mthing\nhint: look elsewhere\n"


@pytest.mark.parametrize(("codes", "code"), [([], 0), ([0, 1, 75], 75), ([69, 77, 78], 78), ([1, 70, 78], 70), ([64, 0], 64)])
def test_the_gravest_code_counts(codes: list[int], code: int) -> None:
    assert boundary.gravest(codes) == code


def test_a_hint_that_several_share_is_given_once(capsys: pytest.CaptureFixture[str]) -> None:
    output.complain_of([Failure("a", "x", "h"), Failure("b", "y"), Failure("c", "z", "h")], account="w")
    assert capsys.readouterr().err == "ews-bridge: w: a: x\news-bridge: w: c: z\nhint: h\news-bridge: w: b: y\n"


@pytest.mark.parametrize(
    ("report", "text"),
    [
        (Report(), "w: nothing new"),
        (
            Report(done={"delete local": 1, "download": 1312, "move local": 2}, bytes=40_100_000),
            "w: 1,312 downloaded, 2 moved, 1 deleted (trash), 40.1 MB in 3.2 s",
        ),
        (Report(done={"new folder": 1, "removed folder": 2}), "w: 1 folder made, 2 folders removed"),
        (Report(failures=[Failure("a", "b")], refused=[Failure("c", "d")], pending=3), "w: 1 failed, 1 refused, 3 pending"),
    ],
)
def test_the_summary_says_what_was_done(report: Report, text: str) -> None:
    assert sync.summary("w", report, 3.2, dry_run=False) == text


def test_progress_tells_rate_and_remaining_time_when_they_mean_something() -> None:
    assert progress.line("w: listing", 0, None, 0, 0.1) == "w: listing"
    assert progress.line("w: listing", 512, None, 0, 2) == "w: listing 512  256/s"
    assert progress.line("w: downloading", 0, 2000, 0, 5) == "w: downloading 0/2,000"
    assert progress.line("w: downloading", 500, 2000, 50_000_000, 0.5) == "w: downloading 500/2,000"
    assert progress.line("w: downloading", 500, 2000, 50_000_000, 5) == "w: downloading 500/2,000  100/s  10.0 MB/s  15 s left"
    assert progress.line("w: downloading", 1, 100, 0, 4) == "w: downloading 1/100  0.2/s  6 min 36 s left"


@pytest.mark.parametrize(
    ("count", "text"), [(0, "0 B"), (999, "999 B"), (1000, "1.0 kB"), (999_960, "1.0 MB"), (2.5e9, "2.5 GB")]
)
def test_sizes_are_told_in_powers_of_1000(count: float, text: str) -> None:
    assert output.size(count) == text


def test_a_table_is_aligned_by_what_a_terminal_shows() -> None:
    lines = output.table(["A", "N"], [["日本", "1"], ["é\u0301x", "10"]], right=(1,))
    assert lines == ["A      N", "日本   1", "é\u0301x    10"]
