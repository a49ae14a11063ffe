"""neomutt completes an address through query_command: a client that we did not write, on a terminal of its own."""

from __future__ import annotations

import shutil
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from ews_bridge.sandbox import people
from tests.compat.test_neomutt import EDITOR
from tests.compat.test_neomutt import SENDMAIL
from tests.compat.test_neomutt import SETTINGS
from tests.compat.test_neomutt import neomutt
from tests.compat.test_neomutt import words
from tests.inside import Inside
from tests.sandbox_server import running

ROOT = Path(__file__).resolve().parents[2]

pytestmark = [
    pytest.mark.compat,
    pytest.mark.skipif(not shutil.which("neomutt"), reason="neomutt is not installed"),
    pytest.mark.skipif(not shutil.which("tmux"), reason="tmux is not installed"),
]


@pytest.fixture
def user(tmp_path: Path) -> Iterator[Inside]:
    with running(seed="empty") as server:
        people.enter(server.world, *people.DEMO)
        found = Inside(tmp_path, server.url)
        found.configure(more='folders = ["INBOX"]\n[accounts.work.contacts]\npath = "~/Contacts"')
        card = tmp_path / "Contacts/Contacts/ada.vcf"
        card.parent.mkdir(parents=True)
        card.write_text("BEGIN:VCARD\nVERSION:3.0\nFN:Ada Lovelace\nEMAIL:ada@example.org\nEND:VCARD\n")
        (found.mail / "INBOX/cur").mkdir(parents=True)
        for part in ("new", "tmp"):
            (found.mail / "INBOX" / part).mkdir()
        query = f"set query_command=\"env PYTHONPATH={ROOT} {sys.executable} -m ews_bridge query '%s'\"\n"
        settings = SETTINGS.format(mail=found.mail, home=tmp_path) + query + "bind editor <Tab> complete-query\n"
        (tmp_path / "neomuttrc").write_text(settings)
        for name, text in (("editor", EDITOR), ("sendmail", SENDMAIL)):
            (tmp_path / name).write_text(text.format(home=tmp_path))
            (tmp_path / name).chmod(0o700)
        yield found


@pytest.mark.parametrize(("typed", "address"), [("lovel", "ada@example.org"), ("petra", "petra@example.test")])
def test_an_address_is_completed_from_contacts_and_from_the_directory(user: Inside, typed: str, address: str) -> None:
    words(user, "Hello.\n")
    with neomutt(user) as terminal:
        terminal.type("m")
        terminal.shows("To:")
        terminal.type(typed, "Tab")
        terminal.shows(address)
        terminal.type("Enter")
        terminal.shows("Subject:")
        terminal.type("Tea", "Enter")
        terminal.shows("-- NeoMutt: Compose")
        terminal.type("y")
        terminal.type("q")
    assert address in (user.home / "sent").read_text()


def test_several_are_offered(user: Inside) -> None:
    with neomutt(user) as terminal:
        terminal.type("Q")
        terminal.shows("Query:")
        terminal.type("room", "Enter")
        terminal.shows("room-tower@example.test")
        terminal.shows("Room Cellar")
        terminal.type("q")
        terminal.type("q")
