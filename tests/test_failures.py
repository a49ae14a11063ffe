"""What goes wrong around a sync, what is then said, with which exit code, and that the next run makes it good."""

from __future__ import annotations

import base64
import os
import re
import shutil
import ssl
import subprocess
import sys
import time
from collections.abc import Callable
from collections.abc import Iterator
from collections.abc import Sequence
from contextlib import contextmanager
from pathlib import Path

import pytest

from ews_bridge.exchange.session import Connection
from ews_bridge.sandbox import seed
from ews_bridge.sandbox.server import Options
from tests.exchange_relay import Hook
from tests.exchange_relay import Reply
from tests.exchange_relay import Waits
from tests.exchange_relay import envelope
from tests.exchange_relay import relay
from tests.inside import Inside
from tests.mirror import Ran
from tests.mirror import User
from tests.mirror import disk_view
from tests.mirror import message
from tests.mirror import server_view
from tests.sandbox_server import Running
from tests.sandbox_server import running

ROOT = Path(__file__).parent.parent
INBOX = 'folders = ["INBOX"]'
AS_ROOT = os.geteuid() == 0


@pytest.fixture
def server() -> Iterator[Running]:
    with running(mime="keep") as sandbox:
        yield sandbox


@pytest.fixture
def user(server: Running, tmp_path: Path) -> Inside:
    found = Inside(tmp_path, server.url)
    found.configure(more=INBOX)
    return found


@pytest.fixture
def waits(monkeypatch: pytest.MonkeyPatch) -> Waits:
    """Connections whose waits cost no time; what they were is kept."""
    found = Waits()
    defaults = Connection.__init__.__kwdefaults__ or {}
    monkeypatch.setitem(defaults, "sleep", found.sleep)
    monkeypatch.setitem(defaults, "clock", found)
    return found


def fill(server: Running, count: int, *, start: int = 0, size: int = 300) -> None:
    for number in range(start, start + count):
        server.alice.add_mime(server.alice.folder("inbox"), message(number, size=size))


def agree(user: User, server: Running) -> None:
    assert disk_view(user.mail) == {"INBOX": server_view(server.alice)["INBOX"]}


def elsewhere(user: User, *arguments: str, under: Sequence[str] = ()) -> Ran:
    """In a process of its own, run by another program."""
    done = subprocess.run(
        [*under, sys.executable, "-m", "ews_bridge", *arguments],
        env=user.environment(),
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        cwd=ROOT,
        timeout=60,
    )
    return Ran(done.returncode, done.stdout, done.stderr)


# ---- two at once


def test_a_second_run_waits_or_names_the_holder(user: Inside, server: Running) -> None:
    fill(server, 3)
    user.syncs()
    server.faults({"operation": "*", "fault": "hang"})
    with User(user.home, server.url).start("sync") as first:
        lock = user.state / "lock"
        while str(first.pid) not in lock.read_text() or not server.stats()["faults"]:
            assert first.poll() is None
            time.sleep(0.01)
        began = time.monotonic()
        second = user.run("sync", "--wait", "0")
        assert time.monotonic() - began < 1
        assert second.code == 75
        assert f"process {first.pid}" in second.err
        assert user.run("restore", "--list").code == 0, "looking needs no lock"
        with User(user.home, server.url).start("sync", "--wait", "20") as third:
            time.sleep(0.5)
            assert third.poll() is None, "it waits"
            first.kill()
            _, said = third.communicate(timeout=20)
        assert (third.returncode, said) == (0, "")


# ---- the disk


@contextmanager
def mounted(path: Path, *options: str) -> Iterator[None]:
    path.mkdir(parents=True, exist_ok=True)
    done = subprocess.run(["mount", *options, str(path)], capture_output=True, text=True, check=False)
    if done.returncode:
        pytest.skip(f"cannot mount here: {done.stderr.strip()}")
    try:
        yield
    finally:
        subprocess.run(["umount", str(path)], check=True)


def remount(path: Path, options: str) -> None:
    subprocess.run(["mount", "-o", f"remount,{options}", str(path)], check=True)


@pytest.mark.skipif(not AS_ROOT, reason="only root can make a small file system")
@pytest.mark.parametrize("full", ["Mail", ".local/state"])
def test_a_full_disk_is_told_and_the_next_run_goes_on(full: str, user: Inside, server: Running) -> None:
    fill(server, 300, size=20_000)
    with mounted(user.home / full, "-t", "tmpfs", "-o", "size=1m", "tmpfs"):
        if full == ".local/state":
            (user.home / full / "ballast").write_bytes(bytes(800_000))
        ran = user.run("sync")
        assert ran.code in (73, 74), ran
        assert "No space left" in ran.err or "full" in ran.err, ran.err
        had = {path.name for path in (user.mail / "INBOX/new").glob("*")}
        assert len(had) < 300
        if user.mail.exists():
            assert list((user.mail / "INBOX/tmp").glob("*")) == []
            assert disk_view(user.mail)["INBOX"] <= server_view(server.alice)["INBOX"], "something is not whole"
        remount(user.home / full, "size=64m")
        before = server.stats()["requests"].get("GetItem", 0)
        user.syncs()
        agree(user, server)
        assert had <= {path.name for path in (user.mail / "INBOX/new").iterdir()}, "what was there was written again"
        assert server.stats()["requests"]["GetItem"] - before <= 6


@pytest.mark.skipif(not AS_ROOT, reason="only root can mount read-only")
def test_a_read_only_file_system_is_told(user: Inside, server: Running) -> None:
    fill(server, 2)
    with mounted(user.mail, "-t", "tmpfs", "-o", "size=8m", "tmpfs"):
        user.syncs()
        fill(server, 1, start=5)
        remount(user.mail, "ro")
        ran = user.run("sync")
        assert ran.code in (73, 74)
        assert "Read-only file system" in ran.err and str(user.mail) in ran.err
        assert user.run("sync", "--dry-run").code == 0, "looking needs no writing"
        remount(user.mail, "rw")
        user.syncs()
        agree(user, server)


#: Root without the right to pass over permissions; everybody else has none to give up.
NO_OVERRIDE = (
    ("setpriv", "--bounding-set=-dac_override,-dac_read_search", "--inh-caps=-dac_override,-dac_read_search") if AS_ROOT else ()
)


@pytest.mark.skipif(AS_ROOT and not shutil.which("setpriv"), reason="root passes over permissions, and there is no setpriv")
@pytest.mark.parametrize("place", ["Mail/INBOX/new", "Mail/INBOX/cur", "Mail", ".local/state/ews-bridge/work"])
def test_a_directory_without_permission_is_told(place: str, user: Inside, server: Running) -> None:
    fill(server, 2)
    user.syncs()
    fill(server, 1, start=5)
    server.alice.add_mime(server.alice.folder("inbox"), message(6), read=True)
    path = user.home / place
    path.chmod(0o500)
    try:
        ran = elsewhere(user, "sync", under=NO_OVERRIDE)
        assert ran.code in (73, 74), ran
        assert "ermission denied" in ran.err or "readonly" in ran.err, ran.err
        assert str(user.home) in ran.err
        path.chmod(0)
        ran = elsewhere(user, "sync", under=NO_OVERRIDE)
        assert ran.code in (1, 73, 74), ran
        assert str(user.home) in ran.err
    finally:
        path.chmod(0o700)
    user.syncs()
    agree(user, server)


# ---- signing in


@pytest.mark.parametrize("auth", ["basic", "ntlm"])
def test_a_wrong_password_is_sent_once_and_never_again(auth: str, user: Inside, server: Running) -> None:
    fill(server, 5)
    user.configure(auth=auth, password="wrong", more=INBOX)
    ran = user.run("sync")
    assert ran.code == 77
    assert "refused the sign-in" in ran.err
    stats = server.stats()
    assert (stats["refused"], stats["connections"], stats["sign_ins"]) == (1, 1, 0)
    for command in ("sync", "folders"):
        again = user.run(command)
        assert again.code == 77
        assert "it was not sent again" in again.err
    assert server.stats()["http"] == stats["http"], "a known wrong password was sent again"
    user.configure(auth=auth, password="wrong too", more=INBOX)
    assert user.run("sync").code == 77
    assert server.stats()["refused"] == 2
    user.configure(auth=auth, more=INBOX)
    user.syncs()
    agree(user, server)


def test_a_401_in_the_middle_does_not_brand_the_password(user: Inside, server: Running) -> None:
    """Some servers answer 401 when they are under load."""
    fill(server, 5)
    server.faults({"operation": "GetItem", "fault": "unauthorized"})
    assert user.run("sync").code == 77
    server.faults()
    user.syncs()
    agree(user, server)


def test_ntlm_signs_in_once_for_each_connection(user: Inside, server: Running) -> None:
    with seed.earlier(server.world):
        fill(server, 250)
    user.configure(auth="ntlm", more=INBOX)
    user.syncs()
    agree(user, server)
    stats = server.stats()
    assert stats["sign_ins"] <= stats["connections"] <= 4
    server.reset()
    assert user.syncs() == "work: nothing new\n"
    stats = server.stats()
    assert stats["total"] <= 2, stats
    assert stats["http"] <= 5, stats


def test_an_offer_of_ntlm_only_is_no_riddle(tmp_path: Path) -> None:
    with running(options=Options(schemes=frozenset({"ntlm"}))) as server:
        user = Inside(tmp_path, server.url)
        user.configure(auth="basic", more=INBOX)
        ran = user.run("sync")
        assert ran.code == 77
        assert "auth" in ran.err


# ---- the way to the server


def test_an_unreachable_server_is_69(user: Inside, server: Running, waits: Waits) -> None:
    fill(server, 2)
    user.syncs()
    for url in ("http://127.0.0.1:9/EWS/Exchange.asmx", "https://nowhere.invalid/EWS/Exchange.asmx"):
        gone = Inside(user.home, url)
        gone.configure(more=INBOX)
        ran = gone.run("sync")
        assert ran.code == 69, ran
        assert "cannot be reached" in ran.err
        assert len(ran.err.splitlines()) <= 2
    assert waits.slept
    agree(user, server)


@pytest.mark.parametrize(
    ("fault", "words"),
    [("html", "web page"), ("redirect", "redirects to /owa/auth/logon.aspx"), ("http-404", "HTTP 404"), ("http-403", "HTTP 403")],
)
def test_what_is_not_ews_is_said_in_words(fault: str, words: str, user: Inside, server: Running) -> None:
    fill(server, 2)
    user.syncs()
    server.faults({"operation": "*", "times": 100, "fault": fault})
    ran = user.run("sync")
    assert ran.code == (77 if "403" in words else 69)
    assert words in ran.err and "hint:" in ran.err
    server.faults()
    assert user.syncs() == "work: nothing new\n"


def test_tls_where_there_is_none_is_said_in_words(user: Inside, server: Running, waits: Waits) -> None:
    plain = Inside(user.home, server.url.replace("http:", "https:"))
    plain.configure(more=INBOX)
    ran = plain.run("sync")
    assert ran.code == 69
    assert re.search("encrypted|TLS|SSL", ran.err)
    del waits


@pytest.mark.skipif(not shutil.which("openssl"), reason="openssl is not installed")
def test_a_certificate_of_ones_own_is_told_and_can_be_trusted(user: Inside, server: Running, tmp_path: Path) -> None:
    fill(server, 2)
    key, certificate = tmp_path / "key.pem", tmp_path / "cert.pem"
    command = ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", "/CN=127.0.0.1"]
    command += ["-addext", "subjectAltName=IP:127.0.0.1", "-keyout", str(key), "-out", str(certificate)]
    subprocess.run(command, check=True, capture_output=True)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, key)
    with relay(server.url, lambda _, forward: forward(), tls=context) as between:
        distant = Inside(user.home, between.url)
        distant.configure(more=INBOX)
        ran = distant.run("sync")
        assert ran.code == 69
        assert "certificate" in ran.err and "ca_file" in ran.err
        assert between.requests == [], "something was sent to a server that is not trusted"
        config = user.home / ".config/ews-bridge/config.toml"
        config.write_text(config.read_text().replace("email =", f'ca_file = "{certificate}"\nemail ='))
        distant.syncs()
        agree(user, server)


# ---- a server in trouble


def test_the_figure_of_a_busy_server_is_waited_for(user: Inside, server: Running, waits: Waits) -> None:
    fill(server, 120)
    server.faults({"operation": "GetItem", "fault": "busy:7000"}, {"operation": "SyncFolderItems", "fault": "http-429:11"})
    user.syncs()
    agree(user, server)
    assert {7, 11} <= {round(each) for each in waits.slept}, waits.slept


def test_a_server_that_stays_busy_is_75(user: Inside, server: Running, waits: Waits) -> None:
    fill(server, 3)
    server.faults({"operation": "*", "times": 1000, "fault": "busy:60000"})
    ran = user.run("sync")
    assert ran.code == 75
    assert sum(waits.slept) <= 300
    server.faults()
    user.syncs()
    agree(user, server)


def test_a_server_that_fails_is_69_and_nothing_is_lost(user: Inside, server: Running, waits: Waits) -> None:
    fill(server, 3)
    user.syncs()
    for fault in ("http-500", "http-502", "fault:ErrorInternalServerError", "fault:ErrorAccessDenied", "truncate", "drop"):
        server.faults({"operation": "*", "times": 1000, "fault": fault})
        ran = user.run("sync")
        assert ran.code in (69, 75, 77), (fault, ran)
        assert "Traceback" not in ran.err
        server.faults()
        agree(user, server)
        assert user.syncs() == "work: nothing new\n"
    assert waits.slept


# ---- a server that lies

BOMB = (
    '<!DOCTYPE x [<!ENTITY a "aaaaaaaaaa"><!ENTITY b "&a;&a;&a;&a;&a;&a;&a;&a;&a;&a;"><!ENTITY c "&b;&b;&b;&b;&b;&b;&b;&b;">'
    '<!ENTITY f SYSTEM "file:///etc/passwd">]>'
)


def lie(operation: bytes, change: Callable[[bytes], bytes | None]) -> Hook:
    """Change what the sandbox answers to one operation; None: no answer."""

    def hook(request: bytes, forward: Callable[[], Reply]) -> Reply | None:
        reply = forward()
        if b"<m:" + operation not in request:
            return reply
        body = change(reply.body)
        return None if body is None else Reply(reply.status, body)

    return hook


def drop_a_message(body: bytes) -> bytes:
    return re.sub(rb"<m:(\w+)ResponseMessage .*?</m:\1ResponseMessage>", b"", body, count=1, flags=re.DOTALL)


def double_a_message(body: bytes) -> bytes:
    return re.sub(rb"(<m:(\w+)ResponseMessage .*?</m:\2ResponseMessage>)", rb"\1\1", body, count=1, flags=re.DOTALL)


LIES: dict[str, Callable[[bytes], bytes | None]] = {
    "garbage": lambda _: b"\x00\xff garbage <",
    "empty": lambda _: b"",
    "half": lambda body: body[: len(body) // 2],
    "not XML": lambda body: body.replace(b"</m:ResponseMessages>", b"</m:Reply>"),
    "bomb": lambda body: body.replace(b"<s:Envelope", BOMB.encode() + b"<s:Envelope", 1).replace(
        b"<t:Subject>", b"<t:Subject>&c;&f;"
    ),
    "nothing in it": lambda _: envelope("<m:Unknown/>"),
    "one result less": drop_a_message,
    "one result more": double_a_message,
    "other items": lambda body: re.sub(rb'(<t:ItemId Id=")....', rb"\1zzzz", body),
    "the same id for all": lambda body: re.sub(rb'<t:ItemId Id="[^"]*"', b'<t:ItemId Id="AAAA"', body),
    "no ids": lambda body: re.sub(rb"<t:ItemId [^>]*/>", b"", body),
    "no sync state": lambda body: re.sub(rb"<m:SyncState>[^<]*</m:SyncState>", b"", body),
    "never the last page": lambda body: body.replace(b"Range>true", b"Range>false"),
    "numbers that are none": lambda body: re.sub(rb"<t:Size>\d+", b"<t:Size>much", body),
    "times that are none": lambda body: re.sub(rb"(<t:DateTime\w+>)[^<]*", rb"\1soon", body),
    "negative sizes": lambda body: re.sub(rb"<t:Size>", b"<t:Size>-", body),
    "huge sizes": lambda body: re.sub(rb"<t:Size>\d+", b"<t:Size>99999999999999999999", body),
    "no base64": lambda body: re.sub(rb"(<t:MimeContent[^>]*>)[^<]{8}", rb"\1!!!!!!!!", body),
}


@pytest.mark.parametrize("operation", ["SyncFolderHierarchy", "FindFolder", "SyncFolderItems", "GetItem"])
@pytest.mark.parametrize("how", LIES)
def test_a_lying_server_does_no_harm(
    how: str, operation: str, user: Inside, server: Running, waits: Waits, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is told or mended; no bug, no loss; and when it tells the truth again, all is well."""
    fill(server, 4)
    user.syncs()
    before = disk_view(user.mail)["INBOX"]
    fill(server, 3, start=10)
    server.alice.create_folder(server.alice.folder("msgfolderroot"), "New")
    with relay(server.url, lie(operation.encode(), LIES[how])) as between:
        # The same server by another address: the state does not mind.
        liar = Inside(user.home, between.url)
        liar.configure(more=INBOX)
        ran = liar.run("sync")
        assert ran.code in (0, 1, 69, 75), ran
        assert "this is a bug" not in ran.err and "root:" not in ran.out + ran.err
        assert len(between.requests) < 100
    assert before <= disk_view(user.mail)["INBOX"], "lost"
    user.configure(more=INBOX)
    if how in ("other items", "the same id for all") and operation == "SyncFolderItems":
        server.switch(forget_sync_states=True)  # or it would not tell once more what it told wrongly
    # What could not be had is asked for again after a while.
    now = time.time
    monkeypatch.setattr(time, "time", lambda: now() + 2 * 86400)
    user.run("sync", "--allow-deletes")
    built = {file for file in (user.mail / "INBOX/new").iterdir() if b"X-EWS-Bridge" in file.read_bytes()}
    assert not built or how in ("no base64",)
    if built:
        assert disk_view(user.mail)["INBOX"].total() == 7
    else:
        agree(user, server)
    assert waits is not None


def test_ids_of_300_characters_are_ids(user: Inside, server: Running) -> None:
    long = b"L" * 200
    fill(server, 3)

    def hook(request: bytes, forward: Callable[[], Reply]) -> Reply:
        del request
        reply = forward()
        return Reply(reply.status, re.sub(rb'(<t:ItemId Id=")', rb"\1" + long, reply.body))

    def strip(request: bytes) -> bytes:
        return request.replace(b'Id="' + long, b'Id="')

    with relay(server.url, lambda request, _: hook(request, lambda: _forward(server.url, strip(request)))) as between:
        distant = Inside(user.home, between.url)
        distant.configure(more=INBOX)
        distant.syncs()
        agree(user, server)
        assert distant.syncs() == "work: nothing new\n"


def _forward(url: str, body: bytes) -> Reply:
    import requests

    answer = requests.post(
        url, data=body, headers={"Content-Type": "text/xml; charset=utf-8"}, auth=("alice@example.test", "secret"), timeout=10
    )
    return Reply(answer.status_code, answer.content)


# ---- clocks


@pytest.mark.skipif(not shutil.which("faketime"), reason="faketime is not installed")
@pytest.mark.parametrize("jump", ["-400d", "+3d"])
def test_a_clock_that_jumps_hides_no_change(jump: str, user: Inside, server: Running) -> None:
    fill(server, 3)
    ran = elsewhere(user, "sync", under=("faketime", "-f", jump))
    assert ran.code == 0, ran
    agree(user, server)
    fill(server, 2, start=10)
    item = next(iter(server.alice.folder("inbox").items.values()))
    server.alice.remove(item)
    user.syncs()
    agree(user, server)
    fill(server, 1, start=20)
    ran = elsewhere(user, "sync", under=("faketime", "-f", jump))
    assert ran.code == 0, ran
    agree(user, server)
    assert "number 0" in user.run("restore", "--list").out


# ---- secrets


def test_the_secret_is_nowhere(user: Inside, server: Running, monkeypatch: pytest.MonkeyPatch) -> None:
    secret = "Xyzzy-7/plugh"
    server.alice.password = secret
    fill(server, 3)
    said = ""
    configuration = user.home / ".config/ews-bridge/config.toml"
    holder = user.home / "secret"
    for auth in ("basic", "ntlm"):
        for given in (secret, secret + "x"):
            user.configure(auth=auth, more=INBOX)
            configuration.write_text(configuration.read_text().replace("echo secret", f"cat {holder}"))
            holder.write_text(given + "\n")
            for arguments in (("sync", "-v"), ("--json", "sync"), ("folders",), ("status",)):
                ran = user.run(*arguments)
                said += ran.out + ran.err
            server.faults({"operation": "*", "fault": "html"})
            ran = user.run("sync")
            said += ran.out + ran.err
            server.faults()
    holder.write_text(secret + "\n")

    def bug(*_: object, **__: object) -> None:
        raise RuntimeError(f"Authorization: Basic {base64.b64encode(f'alice@example.test:{secret}'.encode()).decode()}")

    monkeypatch.setattr("ews_bridge.onekind._items", bug)
    ran = user.run("sync")
    assert ran.code == 70
    said += ran.out + ran.err
    assert (user.home / ".local/state/ews-bridge/bugs").exists()
    written = said.encode() + b"".join(path.read_bytes() for path in user.home.rglob("*") if path.is_file() and path != holder)
    for form in (
        secret,
        base64.b64encode(secret.encode()).decode(),
        base64.b64encode(f"alice@example.test:{secret}".encode()).decode(),
    ):
        assert form.encode() not in written
