"""DavMail as IMAP and SMTP server in front of the sandbox, with mbsync behind it: an Exchange client that we did not write.

Needs the Debian packages davmail-server (or davmail) and isync.
"""

from __future__ import annotations

import base64
import imaplib
import os
import re
import shutil
import smtplib
import socket
import subprocess
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from email import message_from_bytes
from email.message import EmailMessage
from pathlib import Path

import pytest

from ews_bridge.sandbox.frontend import Options
from ews_bridge.sandbox.world import Folder
from tests.sandbox_server import ALICE
from tests.sandbox_server import BOB
from tests.sandbox_server import Running
from tests.sandbox_server import running

JAR = Path("/usr/share/davmail/davmail.jar")
CORPUS = os.environ.get("EWS_BRIDGE_CORPUS")
# What DavMail shows of the mailbox apart from the folders that are well known to IMAP.
WELL_KNOWN = {"Inbox": "INBOX", "Sent Items": "Sent", "Deleted Items": "Trash", "Junk Email": "Junk", "Drafts": "Drafts"}

pytestmark = [
    pytest.mark.compat,
    pytest.mark.skipif(not JAR.exists() or not shutil.which("java"), reason="DavMail is not installed"),
    pytest.mark.skipif(not shutil.which("mbsync"), reason="isync is not installed"),
]


@dataclass(frozen=True)
class Gateway:
    """A DavMail that serves; ports on 127.0.0.1."""

    imap: int
    smtp: int
    caldav: int
    folder: Path

    def mbsync(self) -> str:
        """Synchronise all folders with `folder`/mail in both directions; what mbsync said."""
        settings = self.folder / "mbsyncrc"
        mail = self.folder / "mail"
        mail.mkdir(exist_ok=True)
        settings.write_text(
            f"IMAPAccount a\nHost 127.0.0.1\nPort {self.imap}\nUser {ALICE[0]}\nPass {ALICE[1]}\nSSLType None\n"
            f"AuthMechs LOGIN\nTimeout 120\n\nIMAPStore far\nAccount a\n\nMaildirStore near\nPath {mail}/\nInbox {mail}/INBOX\n"
            "SubFolders Verbatim\n\nChannel c\nFar :far:\nNear :near:\nPatterns *\nCreate Near\nExpunge Both\nSync All\n"
            "SyncState *\n"
        )
        done = subprocess.run(["mbsync", "-c", settings, "-a"], capture_output=True, text=True, timeout=300, check=False)
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout + done.stderr

    def ids(self) -> dict[str, Counter[str]]:
        """The Message-IDs in each local folder that is not empty."""
        found: dict[str, Counter[str]] = {}
        for path in self.files():
            name = path.parent.parent.relative_to(self.folder / "mail").as_posix()
            found.setdefault(from_imap(name), Counter())[message_id(path.read_bytes())] += 1
        return found

    def files(self) -> list[Path]:
        """All local messages."""
        return [path for path in (self.folder / "mail").rglob("*") if path.parent.name in ("cur", "new") and path.is_file()]


def from_imap(name: str) -> str:
    """A folder's name out of IMAP's modified UTF-7 (RFC 3501 section 5.1.3), in which mbsync leaves it."""

    def decode(match: re.Match[str]) -> str:
        digits = match[1].replace(",", "/")
        return base64.b64decode(digits + "=" * (-len(digits) % 4)).decode("utf-16-be") if digits else "&"

    return re.sub("&([^-]*)-", decode, name)


def message_id(mime: bytes) -> str:
    return str(message_from_bytes(mime).get("Message-ID", "")).strip()


def server_ids(folder: Folder, path: str = "") -> dict[str, Counter[str]]:
    """The same of the server's folders, by the names that DavMail gives them."""
    found: dict[str, Counter[str]] = {}
    for child in folder.children:
        if not child.folder_class.startswith("IPF.Note"):
            continue
        name = path + (WELL_KNOWN.get(child.name, child.name) if not path else child.name)
        if child.items:
            found[name] = Counter(message_id(item.mime) for item in child.items.values())
        found |= server_ids(child, name + "/")
    return found


@contextmanager
def davmail(server: Running, folder: Path) -> Iterator[Gateway]:
    gateway = Gateway(free_port(), free_port(), free_port(), folder)
    settings = folder / "davmail.properties"
    settings.write_text(
        f"davmail.server=true\ndavmail.mode=EWS\ndavmail.enableEws=true\ndavmail.url={server.url}\ndavmail.allowRemote=false\n"
        "davmail.bindAddress=127.0.0.1\ndavmail.disableUpdateCheck=true\ndavmail.enableKerberos=false\n"
        f"davmail.imapPort={gateway.imap}\ndavmail.smtpPort={gateway.smtp}\ndavmail.caldavPort={gateway.caldav}\n"
        "davmail.ssl.nosecurecaldav=true\ndavmail.ldapPort=\n"
        f"davmail.popPort=\ndavmail.enableKeepAlive=false\ndavmail.logFilePath={folder}/davmail.log\nlog4j.rootLogger=WARN\n"
    )
    command = ["java", "-Djava.awt.headless=true", "-jar", str(JAR), str(settings)]
    with (folder / "davmail.out").open("wb") as log, subprocess.Popen(command, stdout=log, stderr=log) as process:
        try:
            for port in (gateway.imap, gateway.caldav):
                wait_for(port)
            yield gateway
        finally:
            process.terminate()


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def wait_for(port: int) -> None:
    deadline = time.monotonic() + 60
    while True:
        try:
            with socket.create_connection(("127.0.0.1", port), 1):
                return
        except OSError:
            if time.monotonic() > deadline:
                raise
            time.sleep(0.1)


@pytest.mark.parametrize("scheme", ["basic", "ntlm"])
def test_mbsync_mirrors_every_message_through_davmail(tmp_path: Path, scheme: str) -> None:
    seed = str(Path(CORPUS, "mail")) if CORPUS else "demo"
    with running(seed=seed, options=Options(schemes=frozenset({scheme}))) as server, davmail(server, tmp_path) as gateway:
        gateway.mbsync()
        assert gateway.ids() == server_ids(server.alice.folder("msgfolderroot"))
        server.reset()
        gateway.mbsync()
        assert "GetItem" not in server.stats()["requests"]  # the second time there is nothing to fetch


def test_changes_travel_both_ways_through_davmail(tmp_path: Path) -> None:
    with running(seed="demo") as server, davmail(server, tmp_path) as gateway:
        gateway.mbsync()
        assert gateway.ids() == server_ids(server.alice.folder("msgfolderroot"))
        inbox = tmp_path / "mail/INBOX"
        unread, other, third = sorted((inbox / "new").iterdir())[:3]
        # read and flagged; read and answered; to be deleted
        seen = message_id(unread.read_bytes())
        answered = message_id(other.read_bytes())
        gone = message_id(third.read_bytes())
        unread.rename(inbox / "cur" / (unread.name.partition(":")[0] + ":2,FS"))
        other.rename(inbox / "cur" / (other.name.partition(":")[0] + ":2,RS"))
        third.rename(inbox / "cur" / (third.name.partition(":")[0] + ":2,ST"))
        gateway.mbsync()
        items = {message_id(item.mime): item for item in server.alice.folder("inbox").items.values()}
        assert items[seen].read and items[seen].props[0x1090] == ("Integer", 2)
        assert items[answered].read and items[answered].props[0x1081][1] in (102, 103)
        assert gone not in items
        assert gateway.ids() == server_ids(server.alice.folder("msgfolderroot"))


def test_mail_goes_out_over_smtp_through_davmail(tmp_path: Path) -> None:
    message = EmailMessage()
    message["From"], message["To"], message["Message-ID"] = ALICE[0], BOB[0], "<smtp@example.test>"
    message["Subject"] = "Grüße über SMTP"
    message.set_content("Schöne Grüße\n")
    message.add_attachment(b"\0\1\2" * 1000, maintype="application", subtype="octet-stream", filename="zähne.bin")
    with running() as server, davmail(server, tmp_path) as gateway:
        with smtplib.SMTP("127.0.0.1", gateway.smtp) as smtp:
            smtp.ehlo()
            smtp.login(*ALICE)
            smtp.send_message(message, to_addrs=[BOB[0]])
        assert server.stats()["sent"] == 1
        for owner, name in ((BOB[0], "inbox"), (ALICE[0], "sentitems")):
            (item,) = server.world.users[owner].folder(name).items.values()
            assert message_id(item.mime) == "<smtp@example.test>"


def test_folders_and_searches_over_imap_through_davmail(tmp_path: Path) -> None:
    with running(seed="demo") as server, davmail(server, tmp_path) as gateway:
        imap = imaplib.IMAP4("127.0.0.1", gateway.imap)
        imap.login(*ALICE)
        assert imap.create("Werkstatt")[0] == "OK"
        assert imap.rename("Werkstatt", "Projects/Shed")[0] == "OK"
        assert imap.select("INBOX")[0] == "OK"
        for criterion, expected in (("UNSEEN", 6), ("FLAGGED", 2), ('SUBJECT "tide"', 0), ('FROM "bob@example.test"', 4)):
            status, found = imap.search(None, criterion)
            assert (status, len(found[0].split())) == ("OK", expected), criterion
        assert imap.copy("1", "Projects/Shed")[0] == "OK"
        assert imap.delete("Projects/Shed")[0] == "OK"
        # Here and not with mbsync: 1.4.4 does not understand how DavMail 6.0.1 answers its question after an APPEND.
        message = b"From: alice@example.test\r\nSubject: \xc3\xa4\r\nMessage-ID: <appended@example.test>\r\n\r\nnew\r\n"
        assert imap.append("INBOX", "\\Flagged", '" 2-Mar-2026 08:00:00 +0100"', message)[0] == "OK"
        imap.logout()
        assert "Projects/Shed" not in server_ids(server.alice.folder("msgfolderroot"))
        items = {message_id(item.mime): item for item in server.alice.folder("inbox").items.values()}
        appended = items["<appended@example.test>"]
        assert (appended.draft, appended.read, appended.received) == (False, False, 1772434800)
        assert appended.props[0x1090] == ("Integer", 2)
