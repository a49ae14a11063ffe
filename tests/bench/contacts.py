"""An address book: up from files, down into another home, and what a few edits cost afterwards."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from tests.bench.running import Run
from tests.bench.running import Server
from tests.bench.running import middle
from tests.bench.user import User
from tests.bench.user import user

#: What an address book of an office holds, one property in ten with nothing to say to Exchange.
CARD = """\
BEGIN:VCARD
VERSION:3.0
UID:{number:08x}-bench
FN:Person {number}
N:{number};Person;;;
ORG:Company {company};Department
TITLE:Engineer
EMAIL;TYPE=work:person{number}@example.org
EMAIL;TYPE=home:{number}@example.net
TEL;TYPE=cell:+1 555 {number:07}
TEL;TYPE=work:+1 556 {number:07}
ADR;TYPE=work:;;Street {number};City;State;12345;Country
CATEGORIES:Bench
X-OWN:{number}
END:VCARD
"""


def costs(server: Server, directory: Path, count: int, repeat: int) -> Iterator[tuple[str, Run, int, int]]:
    """(what, its cost, cards, bytes)"""
    with user(server, directory, kind="contacts") as one, user(server, directory, kind="contacts") as other:
        one.sync()
        book = next(path for path in one.home.joinpath("contacts").iterdir() if path.is_dir() and path.name[0] != ".")
        size = 0
        for number in range(count):
            text = CARD.format(number=number, company=number % 40).replace("\n", "\r\n")
            book.joinpath(f"{number:08x}.vcf").write_text(text, newline="")
            size += len(text)
        yield f"{count:,} files go up", one.sync(), count, size
        yield f"{count:,} contacts come down", other.sync(), count, size
        one.sync()
        yield f"nothing new (median of {repeat})", middle([one.sync() for _ in range(repeat)]), 0, 0
        yield "100 files change", _edited(one, book), 100, size * 100 // count
        yield "100 contacts have changed", other.sync(), 100, size * 100 // count


def _edited(someone: User, book: Path) -> Run:
    for number in range(100):
        path = book / f"{number:08x}.vcf"
        path.write_bytes(path.read_bytes().replace(b"Engineer", b"Director"))
    return someone.sync()
