"""Much and odd mail goes up from a Maildir into an empty mailbox, and comes down on another machine: the same set of messages.

In a mailbox that keeps MIME the bytes are the same (with LF line ends); in one that renders it anew, what a reader sees.
"""

from __future__ import annotations

import email
import os
import re
import time
from collections import Counter
from collections.abc import Callable
from collections.abc import Hashable
from collections.abc import Iterator
from email.utils import mktime_tz
from email.utils import parseaddr
from email.utils import parsedate_tz
from pathlib import Path

import pytest

from ews_bridge.headers import parse_head
from tests.inside import Inside
from tests.mirror import digest
from tests.sandbox_server import Running
from tests.sandbox_server import running
from tests.test_sandbox_mail import leaves

CORPUS = os.environ.get("EWS_BRIDGE_CORPUS")
DATA = Path(__file__).parent / "data/mail"
FLAGS = ("", "S", "F", "RS", "PS", "FRS", "PRS", "DS", "D")

#: By folder: what there is of a message, its flags and the time of its file, as often as it is there.
Found = dict[str, Counter[tuple[Hashable, str, int]]]
#: What of a file must be the same at the end.
What = Callable[[bytes, Path], Hashable]


@pytest.fixture(params=["keep", "regenerate"])
def server(request: pytest.FixtureRequest) -> Iterator[Running]:
    with running(mime=request.param) as sandbox:
        yield sandbox


@pytest.fixture
def machines(server: Running, tmp_path: Path) -> tuple[Inside, Inside]:
    """Two homes of one user."""
    found = Inside(tmp_path / "one", server.url), Inside(tmp_path / "two", server.url)
    for each in found:
        each.configure()
    return found


def drop(user: Inside, folder: str, files: list[Path], *, flags: tuple[str, ...] = FLAGS) -> None:
    """Put mail files into a Maildir as somebody else's program would: its own names, unread mail in new/."""
    for part in ("cur", "new", "tmp"):
        (user.mail / folder / part).mkdir(parents=True, exist_ok=True)
    for number, file in enumerate(files):
        letters = flags[number % len(flags)]
        name = f"cur/{number}.elsewhere:2,{letters}" if letters else f"new/{number}.elsewhere"
        placed = user.mail / folder / name
        placed.write_bytes(file.read_bytes())
        os.utime(placed, (1_500_000_000 + number, 1_500_000_000 + number))


def held(user: Inside, what: What, *, when: Callable[[Path], int]) -> Found:
    """What a Maildir has, in its folders that are not empty. What did not come from the server is given LF line ends, once."""
    found: Found = {}
    for part in ("cur", "new"):
        for file in user.mail.rglob(f"{part}/*"):
            folder = file.parent.parent.relative_to(user.mail).as_posix()
            data = file.read_bytes()
            data = data.replace(b"\r\n", b"\n") if file.name.partition(":2,")[0].endswith(".elsewhere") else data
            found.setdefault(folder, Counter())[what(data, file), file.name.partition(":2,")[2], when(file)] += 1
    return found


def modified(file: Path) -> int:
    return int(file.stat().st_mtime)


def is_draft(file: Path) -> bool:
    return "D" in file.name.partition(":2,")[2]


def received(file: Path) -> int:
    """What an upload is to say: the topmost Received, else the Date, else the file's time. A draft has not been received."""
    message = email.message_from_bytes(file.read_bytes())
    topmost = re.sub(r"\s+", " ", str(message.get("Received", ""))).rpartition(";")[2]
    for value in (topmost, str(message.get("Date", ""))):
        parts = parsedate_tz(value)
        if parts and mktime_tz(parts) > 0:
            return int(mktime_tz(parts))
    return modified(file)


def same_bytes(data: bytes, _: Path) -> Hashable:
    """Of nothing the server makes nothing: what is built for want of anything to take counts as the empty message."""
    return digest(b"" if b"\nX-EWS-Bridge: built" in data else data)


def same_to_a_reader(data: bytes, file: Path) -> Hashable:
    """Message-ID, Date, Subject and From (whether in quotes or not), and the decoded parts. To Exchange a bare CR ends a line,
    and every mail was sent at some time: what says none, when it was received.
    """
    head = parse_head(data.partition(b"\n\n")[0])
    parts = ((kind, name, re.sub(rb"[\r\n]+", b"\n", content)) for kind, name, content in leaves(data))
    return head.message_id, head.sent or received(file), head.subject, parseaddr(head.sender), tuple(parts)


def goes_up_and_comes_down(server: Running, one: Inside, two: Inside, count: int, what: What) -> None:
    before = held(one, what, when=lambda file: 0 if is_draft(file) else received(file))
    assert one.syncs().startswith(f"work: {count:,} uploaded"), "not all of it"
    requests = server.stats()["requests"]
    assert requests.get("GetItem", 0) <= requests["CreateItem"], "beside the dates of what was made something came down again"
    assert one.syncs() == "work: nothing new\n"
    assert held(one, what, when=lambda _: 0) == {
        folder: Counter(((seen, flags, 0) for (seen, flags, _), times in each.items() for _ in range(times)))
        for folder, each in before.items()
    }, "the Maildir itself was changed"
    assert two.syncs().startswith(f"work: {count:,} downloaded")
    after = held(two, what, when=lambda file: 0 if is_draft(file) else modified(file))
    assert after.keys() == before.keys()
    for folder in before:
        assert after[folder] == before[folder], folder
    time.sleep(2.1)
    for each in (one, two, one):
        assert each.syncs() == "work: nothing new\n"


@pytest.mark.skipif(CORPUS is None, reason="EWS_BRIDGE_CORPUS is not set: no real mail to upload")
def test_the_corpus_goes_up_and_comes_down_elsewhere_as_it_was(server: Running, machines: tuple[Inside, Inside]) -> None:
    one, two = machines
    count = 0
    for folder in sorted((Path(CORPUS or "") / "mail").iterdir()):
        files = sorted(path for path in folder.rglob("*") if path.is_file())
        drop(one, folder.name, files)
        count += len(files)
    assert count > 300
    kept = server.world.mime == "keep"
    goes_up_and_comes_down(server, one, two, count, same_bytes if kept else same_to_a_reader)


def test_odd_messages_go_up_and_come_down_elsewhere_as_they_were(server: Running, machines: tuple[Inside, Inside]) -> None:
    """No Message-ID, or the same; no Date, or nonsense; NUL bytes, bare CR, nothing but headers, nothing at all."""
    one, two = machines
    files = sorted(DATA.iterdir())
    drop(one, "INBOX", files, flags=("S",))
    kept = server.world.mime == "keep"
    goes_up_and_comes_down(server, one, two, len(files), same_bytes if kept else same_to_a_reader)
