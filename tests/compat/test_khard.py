"""khard over cards that ews-bridge rendered: it reads all of them, and what its user edits is what is written to the server.

Needs khard (PyPI) on PATH, or in a directory that EWS_BRIDGE_CLIENTS names.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.contact_server import FORM
from tests.contact_server import Contacts
from tests.test_contact_codec import card

KHARD = shutil.which("khard", path=os.pathsep.join([os.environ.get("EWS_BRIDGE_CLIENTS", ""), os.environ.get("PATH", "")]))
pytestmark = [pytest.mark.compat, pytest.mark.skipif(KHARD is None, reason="khard is not installed")]

DATA = Path(__file__).parent.parent / "data" / "contacts"
SETTINGS = """\
[addressbooks]
[[work]]
path = {book}
[general]
editor = /bin/false
merge_editor = /bin/false
[vcard]
private_objects = Manager, Assistant, Spouse, Child, Custom1, Ms-Imaddress
"""


@dataclass(frozen=True)
class Khard:
    """khard with one address book, whose files are named by the ids of the items."""

    home: Path

    @property
    def book(self) -> Path:
        return self.home / "book"

    def __call__(self, *arguments: str, text: str = "") -> str:
        command = [str(KHARD), "-c", str(self.home / "khard.conf"), *arguments]
        done = subprocess.run(command, input=text, capture_output=True, text=True, cwd=self.home, timeout=60)
        assert done.returncode == 0, done.stdout + done.stderr
        assert "UID" not in done.stderr, done.stderr
        return done.stdout

    def edit(self, name: str, old: str, new: str) -> None:
        """Edit a contact as text, as its user does."""
        template = self("show", "--format", "yaml", name)
        assert old in template, template
        (self.home / "edited.yaml").write_text(template.replace(old, new))
        self("edit", "-i", str(self.home / "edited.yaml"), name, text="y\n")

    def file(self, ident: str) -> bytes:
        return (self.book / f"{ident}.vcf").read_bytes()


@pytest.fixture
def khard(tmp_path: Path) -> Khard:
    found = Khard(tmp_path)
    found.book.mkdir()
    (tmp_path / "khard.conf").write_text(SETTINGS.format(book=found.book))
    return found


def put(khard: Khard, server: Contacts, *idents: str) -> None:
    for number, ident in enumerate(idents):
        (khard.book / f"{number}.vcf").write_bytes(server.render(ident))


@pytest.fixture
def grace(khard: Khard) -> tuple[Contacts, str]:
    """A contact with something in every field, on the server and in the book."""
    server = Contacts()
    ident = server.make((DATA / "full.xml").read_text())
    put(khard, server, ident)
    return server, ident


def test_khard_lists_and_shows_what_the_server_has(khard: Khard) -> None:
    server = Contacts()
    anna = server.add(card("UID:anna", "FN:Anna", "EMAIL:anna@example.org"))
    group = ("FN:Friends", "X-ADDRESSBOOKSERVER-KIND:group", "X-ADDRESSBOOKSERVER-MEMBER:urn:uuid:anna")
    idents = [server.make((DATA / f"{name}.xml").read_text()) for name in ("full", "company")]
    put(khard, server, *idents, anna, server.add(card(*group)), server.add(card("X-ONLY:this")))
    listed = khard("list")
    for name in ("Grace Brewster Hopper", "ACME, Inc.", "Anna", "Friends", "Unnamed"):
        assert name in listed
    shown = khard("show", "Grace Brewster")
    for said in (
        *("Rear admiral", "Navy", "Computing", "Amazing Grace", "grace@example.org", "old@example.org", "Mathematician"),
        *("Assistant", "TTY", "Room 3", "Back door", "22202", "navy.example.org", "Friends", "Navy, retired"),
        *("Owes me a bug; or two.", "Howard", "Vincent", "badge 17"),
    ):
        assert said in shown, said
    assert "anna@example.org\tAnna\t" in khard("email", "--parsable", "--remove-first-line", "Anna")


@pytest.mark.parametrize(
    ("old", "new", "fields"),
    [
        ("Rear admiral", "Admiral", {"contacts:JobTitle"}),
        ("old@example.org", "hopper@example.org", {"contacts:EmailAddress"}),
        ("'03'", "'0300'", {"contacts:PhoneNumber"}),
        ("Arlington", "Washington", {"contacts:PhysicalAddress:City"}),
        ("1906-12-09", "1906-12-10", {"contacts:Birthday"}),
        ("Howard", "Aiken", {"contacts:Manager"}),
        ("badge 17", "badge 18", {"PropertyId"}),
        ("Owes me a bug; or two.", "Paid.", {"item:Body"}),
    ],
)
def test_an_edit_in_khard_changes_that_field_and_no_other(
    khard: Khard, grace: tuple[Contacts, str], old: str, new: str, fields: set[str]
) -> None:
    server, ident = grace
    khard.edit("Grace Brewster", old, new)
    data = khard.file("0")
    assert new.strip("'") in data.decode()
    made = server.change(ident, data)
    assert set(re.findall('FieldURI="([^"]*)"|(PropertyId)', made.xml)) == {
        (each, "") if ":" in each else ("", each) for each in fields
    }
    assert FORM.read(server.render(ident)).meaning == FORM.read(data).meaning


def test_a_label_given_in_khard_names_the_address_ever_after(khard: Khard, grace: tuple[Contacts, str]) -> None:
    server, ident = grace
    khard.edit("Grace Brewster", "internet", "boat")
    server.change(ident, khard.file("0"))
    put(khard, server, ident)
    assert "boat" in khard("show", "Grace Brewster")


def test_a_contact_made_in_khard_is_one_on_the_server_and_comes_back_the_same(khard: Khard) -> None:
    template = "First name: Ada\nLast name: Lovelace\nEmail:\n  work: ada@example.org\n  home: [a@example.org, b@example.org]\n"
    template += "Phone:\n  cell: '1'\n  yacht: '2'\nAnniversary: 1900-07-08\nBirthday: 1815-12-10\nCategories: [Poets]\n"
    (khard.home / "new.yaml").write_text(template)
    khard("new", "-a", "work", "-i", str(khard.home / "new.yaml"), text="y\n")
    (path,) = khard.book.iterdir()
    data = path.read_bytes()
    server = Contacts()
    ident = server.add(data)
    assert FORM.read(server.render(ident)) == FORM.read(data)
    before = khard("show", "Ada")
    path.write_bytes(server.render(ident))
    assert khard("show", "Ada") == before
    element = server.client.get(ident, base="AllProperties")
    assert {each.text for each in element.iter("{*}Entry")} == {
        *("ada@example.org", "a@example.org", "b@example.org"),
        *("1", "2"),
    }
