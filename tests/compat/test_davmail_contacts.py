"""DavMail as CardDAV and LDAP server in front of the sandbox: contacts and the directory, by a client that we did not write."""

from __future__ import annotations

import base64
import os
import re
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import quote
from urllib.parse import unquote

import pytest
import requests
import vobject
from lxml import etree

from ews_bridge.sandbox import content
from ews_bridge.sandbox import people
from ews_bridge.sandbox import properties
from ews_bridge.sandbox import tasks
from tests.compat.test_davmail import JAR
from tests.compat.test_davmail import free_port
from tests.compat.test_davmail import wait_for
from tests.sandbox_server import ALICE
from tests.sandbox_server import Running
from tests.sandbox_server import running

pytestmark = [
    pytest.mark.compat,
    pytest.mark.skipif(not JAR.exists() or not shutil.which("java"), reason="DavMail is not installed"),
]
CARD = (
    "BEGIN:VCARD\r\nVERSION:3.0\r\nUID:grace\r\nN:Hopper;Grace;Brewster;Dr;II\r\nFN:Grace Hopper\r\nNICKNAME:Amazing\r\n"
    "EMAIL;TYPE=work:grace@example.org\r\nEMAIL;TYPE=home:hopper@example.org\r\nTEL;TYPE=cell:+1 007\r\n"
    "TEL;TYPE=work:+1 008\r\nADR;TYPE=home:;;1 Bug Rd;New York;NY;10001;USA\r\nORG:Navy;Computing\r\nTITLE:Admiral\r\n"
    "BDAY:1906-12-09\r\nNOTE:Found the first bug\r\nCATEGORIES:Compilers,Bugs\r\nURL:https://example.org/grace\r\n"
    f"PHOTO;TYPE=JPEG;ENCODING=b:{base64.b64encode(people.PIXEL).decode()}\r\nEND:VCARD\r\n"
)


@dataclass(frozen=True)
class Gateway:
    """A DavMail that serves; ports on 127.0.0.1."""

    dav: int
    ldap: int

    def request(self, method: str, path: str, body: str = "", folder: str = "contacts", **headers: str) -> requests.Response:
        """A CardDAV or CalDAV request below a folder of ALICE."""
        url = f"http://127.0.0.1:{self.dav}/users/{ALICE[0]}/{folder}/{path}"
        return requests.request(method, url, data=body.encode(), headers=headers, auth=ALICE, timeout=60)

    def names(self) -> list[str]:
        """The cards there are."""
        found = self.request("PROPFIND", "", '<propfind xmlns="DAV:"><prop><getetag/></prop></propfind>', Depth="1")
        assert found.status_code == 207, found.text
        hrefs = [unquote(one.text or "") for one in etree.fromstring(found.content).iter("{DAV:}href")]
        return [href.rpartition("/")[2] for href in hrefs if not href.endswith("/")]

    def card(self, name: str) -> Any:
        found = self.request("GET", quote(name))
        assert found.status_code == 200, found.text
        return vobject.readOne(found.text)

    def search(self, expression: str, base: str = "ou=people") -> list[dict[str, list[str]]]:
        """What ldapsearch finds: the attributes of each entry."""
        command = ["ldapsearch", "-x", "-LLL", "-o", "ldif-wrap=no", "-H", f"ldap://127.0.0.1:{self.ldap}"]
        command += ["-D", ALICE[0], "-w", ALICE[1], "-b", base, expression]
        done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
        assert done.returncode == 0, done.stdout + done.stderr
        return [_entry(block) for block in done.stdout.split("\n\n") if block.strip()]


def _entry(block: str) -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    for name, encoded, value in re.findall(r"^([\w;-]+):(:?) (.*)$", block, re.MULTILINE):
        found.setdefault(name, []).append(base64.b64decode(value).decode() if encoded else value)
    return found


@contextmanager
def davmail(server: Running, folder: Path) -> Iterator[Gateway]:
    gateway = Gateway(free_port(), free_port())
    settings = folder / "davmail.properties"
    settings.write_text(
        f"davmail.server=true\ndavmail.mode=EWS\ndavmail.enableEws=true\ndavmail.url={server.url}\ndavmail.allowRemote=false\n"
        "davmail.bindAddress=127.0.0.1\ndavmail.disableUpdateCheck=true\ndavmail.enableKerberos=false\n"
        f"davmail.imapPort=\ndavmail.smtpPort=\ndavmail.caldavPort={gateway.dav}\ndavmail.ldapPort={gateway.ldap}\n"
        f"davmail.popPort=\ndavmail.enableKeepAlive=false\ndavmail.logFilePath={folder}/davmail.log\n"
        f"log4j.rootLogger=WARN\nlog4j.logger.davmail={os.environ.get('DAVMAIL_LOG', 'WARN')}\n"
    )
    command = ["java", "-Djava.awt.headless=true", "-jar", str(JAR), str(settings)]
    with (folder / "davmail.out").open("wb") as log, subprocess.Popen(command, stdout=log, stderr=log) as process:
        try:
            wait_for(gateway.ldap)
            yield gateway
        finally:
            process.terminate()


def test_a_card_travels_both_ways_through_carddav(tmp_path: Path) -> None:
    with running(seed="empty") as server, davmail(server, tmp_path) as gateway:
        assert gateway.names() == []
        assert gateway.request("PUT", "grace.vcf", CARD, **{"Content-Type": "text/vcard"}).status_code == 201
        (item,) = server.alice.folder("contacts").items.values()
        assert item.kind == "Contact" and properties.text(item, 0x3A06) == "Grace"
        (name,) = gateway.names()
        card = gateway.card(name)
        assert card.fn.value == "Grace Hopper"
        assert (card.n.value.family, card.n.value.given, card.n.value.additional) == ("Hopper", "Grace", "Brewster")
        assert {one.value for one in card.contents["email"]} == {"grace@example.org", "hopper@example.org"}
        assert {one.value for one in card.contents["tel"]} >= {"+1 007", "+1 008"}
        assert card.adr.value.city == "New York" and card.org.value[0] == "Navy" and card.title.value == "Admiral"
        assert card.bday.value.startswith("1906-12-09") and card.note.value == "Found the first bug"
        assert set(card.categories.value) == {"Compilers", "Bugs"}
        # DavMail encodes pictures anew.
        (picture,) = content.attachments(item)
        assert picture.photo and card.photo.value == picture.content
        changed = CARD.replace("+1 007", "+1 700").replace("NICKNAME:Amazing\r\n", "")
        assert gateway.request("PUT", quote(name), changed, **{"Content-Type": "text/vcard"}).ok
        assert gateway.names() == [name]
        card = gateway.card(name)
        assert "+1 700" in {one.value for one in card.contents["tel"]} and "nickname" not in card.contents
        assert gateway.request("DELETE", quote(name)).ok
        assert gateway.names() == [] and not server.alice.folder("contacts").items


def test_a_group_becomes_a_distribution_list_through_carddav(tmp_path: Path) -> None:
    group = (
        "BEGIN:VCARD\r\nVERSION:4.0\r\nUID:friends\r\nKIND:group\r\nFN:Friends\r\nMEMBER:mailto:ada@example.org\r\n"
        "MEMBER:mailto:grace@example.org\r\nEND:VCARD\r\n"
    )
    with running(seed="empty") as server, davmail(server, tmp_path) as gateway:
        assert gateway.request("PUT", "friends.vcf", group, **{"Content-Type": "text/vcard"}).status_code == 201
        (item,) = server.alice.folder("contacts").items.values()
        assert item.kind == "DistributionList" and b"ada@example.org" in item.declared["Members"]
        (name,) = gateway.names()
        text = gateway.request("GET", quote(name)).text
        assert "KIND:group" in text and "ada@example.org" in text and "grace@example.org" in text


def test_a_task_travels_both_ways_through_caldav(tmp_path: Path) -> None:
    todo = (
        "BEGIN:VCALENDAR\r\nVERSION:2.0\r\nPRODID:-//x//y//EN\r\nBEGIN:VTODO\r\nUID:wind\r\nDTSTAMP:20260301T000000Z\r\n"
        "SUMMARY:Wind the clock\r\nDTSTART;VALUE=DATE:20260302\r\nDUE;VALUE=DATE:20260305\r\nSTATUS:IN-PROCESS\r\n"
        "PERCENT-COMPLETE:40\r\nPRIORITY:1\r\nDESCRIPTION:gently\r\nEND:VTODO\r\nEND:VCALENDAR\r\n"
    )
    with running(seed="empty") as server, davmail(server, tmp_path) as gateway:
        assert gateway.request("PUT", "wind.ics", todo, "calendar", **{"Content-Type": "text/calendar"}).ok
        (item,) = server.alice.folder("tasks").items.values()
        assert (tasks.status(item), tasks.percent(item), properties.text(item, properties.SUBJECT)) == (1, 40, "Wind the clock")
        text = gateway.request("GET", "wind.ics", folder="calendar").text
        assert "SUMMARY:Wind the clock" in text and "PERCENT-COMPLETE:40" in text and "STATUS:IN-PROCESS" in text
        assert re.search("^DUE.*20260305", text, re.MULTILINE) and "DESCRIPTION:gently" in text
        done = todo.replace("IN-PROCESS", "COMPLETED").replace("COMPLETE:40", "COMPLETE:100\r\nCOMPLETED:20260304T120000Z")
        assert gateway.request("PUT", "wind.ics", done, "calendar", **{"Content-Type": "text/calendar"}).ok
        assert tasks.status(item) == tasks.DONE
        # DavMail looks for a task that is to be deleted by the name that it gave it.
        assert gateway.request("DELETE", "wind.EML", folder="calendar").ok
        assert not server.alice.folder("tasks").items


@pytest.mark.skipif(not shutil.which("ldapsearch"), reason="ldap-utils is not installed")
def test_the_directory_answers_over_ldap(tmp_path: Path) -> None:
    with running(seed="empty") as server, davmail(server, tmp_path) as gateway:
        people.enter(server.world, *people.DEMO)
        assert gateway.request("PUT", "grace.vcf", CARD, **{"Content-Type": "text/vcard"}).status_code == 201
        (ines,) = gateway.search("(cn=Inès*)")
        assert ines["mail"] == ["ines@example.test"] and ines["sn"] == ["Lefèvre"] and ines["title"] == ["Head of dials"]
        assert ines["telephoneNumber"] == ["+1 555 0101"] and ines["mobile"] == ["+1 555 0102"]
        (petra,) = gateway.search("(sn=Weiß)")
        assert (petra["cn"], petra["mail"]) == (["Petra Weiß"], ["petra@example.test"])
        (grace,) = gateway.search("(cn=*hopper*)")
        assert "grace@example.org" in grace["mail"]
        assert gateway.search("(cn=Nobody*)") == []
