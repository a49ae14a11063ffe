"""A first sync of much and odd mail: every message once, equal to what the server serves; a second sync does nothing."""

from __future__ import annotations

import base64
import os
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest
from lxml import etree

from ews_bridge.sandbox import seed
from ews_bridge.sandbox.store import Folder
from tests.inside import Inside
from tests.mirror import digest
from tests.mirror import disk_view
from tests.mirror import server_view
from tests.sandbox_server import Running
from tests.sandbox_server import running

CORPUS = os.environ.get("EWS_BRIDGE_CORPUS")
DATA = Path(__file__).parent / "data/mail"

Views = dict[str, Counter[str]]
Snapshot = dict[str, tuple[int, int, int, int]]

GET = (
    "<m:GetItem><m:ItemShape><t:BaseShape>IdOnly</t:BaseShape><t:IncludeMimeContent>true</t:IncludeMimeContent></m:ItemShape>"
    "<m:ItemIds>{}</m:ItemIds></m:GetItem>"
)


@pytest.fixture(params=["keep", "regenerate"])
def server(request: pytest.FixtureRequest) -> Iterator[Running]:
    with running(mime=request.param) as sandbox:
        yield sandbox


@pytest.fixture
def user(server: Running, tmp_path: Path) -> Inside:
    found = Inside(tmp_path, server.url)
    found.configure()
    return found


def served(server: Running) -> Views:
    """What GetItem gives for every message of every mail folder, with LF line ends, by path."""
    mailbox = server.alice
    found: Views = {}

    def look(folder: Folder, above: str) -> None:
        for child in folder.children:
            path = "INBOX" if child.distinguished == "inbox" else f"{above}{child.name}"
            found[path] = Counter(digest(mime) for mime in mimes(server, child))
            look(child, f"{path}/")

    look(mailbox.folder("msgfolderroot"), "")
    return {path: found[path] for path in server_view(mailbox)}


def mimes(server: Running, folder: Folder) -> Iterator[bytes]:
    ids = [server.alice.item_id(item) for item in folder.items.values()]
    for start in range(0, len(ids), 100):
        wanted = "".join(f'<t:ItemId Id="{each}"/>' for each in ids[start : start + 100])
        answer = server.post(GET.format(wanted))
        assert set(answer.codes) == {"NoError"}
        root = etree.fromstring(answer.body, etree.XMLParser(huge_tree=True))
        for element in root.iter("{http://schemas.microsoft.com/exchange/services/2006/types}MimeContent"):
            yield base64.b64decode(element.text or "").replace(b"\r\n", b"\n")


def on_disk(user: Inside) -> Views:
    """By content alone; what we built ourselves, for want of anything to take, counts as the empty message."""
    built = [
        digest(file.read_bytes())
        for file in user.mail.rglob("*")
        if file.is_file() and b"\nX-EWS-Bridge: built" in file.read_bytes()
    ]
    views: Views = {}
    for folder, messages in disk_view(user.mail).items():
        views[folder] = Counter()
        for (content, _), count in messages.items():
            views[folder][digest(b"") if content in built else content] += count
    return views


def snapshot(root: Path) -> Snapshot:
    """Every file and directory: inode, size, and when it or what is said of it was last changed (ns)."""
    found = {}
    for path in (root, *root.rglob("*")):
        info = path.lstat()
        found[str(path.relative_to(root))] = (info.st_ino, info.st_size, info.st_mtime_ns, info.st_ctime_ns)
    return found


def mirrored_once(user: Inside, server: Running, count: int) -> None:
    first = user.syncs()
    assert first.startswith(f"work: {count:,} downloaded"), first
    wanted = served(server)
    assert wanted == served(server), "the server's rendering is not stable"
    found = on_disk(user)
    assert found.keys() == wanted.keys()
    for folder, messages in wanted.items():
        assert found[folder] == messages, folder
    before = snapshot(user.mail)
    server.reset()
    assert user.syncs() == "work: nothing new\n"
    assert server.stats()["total"] <= 2, server.stats()
    assert snapshot(user.mail) == before


@pytest.mark.skipif(CORPUS is None, reason="EWS_BRIDGE_CORPUS is not set: no real mail to mirror")
def test_the_corpus_comes_down_once_and_as_it_is(user: Inside, server: Running) -> None:
    root = Path(CORPUS or "") / "mail"
    with seed.earlier(server.world):
        seed.load_tree(server.alice, root)
    count = sum(1 for path in root.rglob("*") if path.is_file())
    assert count > 300
    mirrored_once(user, server, count)


def test_odd_messages_come_down_once_and_as_they_are(user: Inside, server: Running) -> None:
    with seed.earlier(server.world):
        seed.load_tree(server.alice, DATA)
    mirrored_once(user, server, len(list(DATA.iterdir())))


def test_odd_messages_follow_their_items(user: Inside, server: Running) -> None:
    """Without a Message-ID, with the same one, with a wrong Date: each is moved, read and deleted as its item is."""
    with seed.earlier(server.world):
        seed.load_tree(server.alice, DATA)
    inbox, archive = server.alice.folder("inbox"), server.alice.create_folder(server.alice.folder("msgfolderroot"), "Archive")
    user.syncs()
    before = server.stats()["requests"]["GetItem"]
    for number, item in enumerate(list(inbox.items.values())):
        if number % 2:
            server.alice.move(item, archive)
        else:
            item.read = True
            server.alice.touch(item, was_read=False, read_only=True)
    user.syncs()
    assert server.stats()["requests"]["GetItem"] == before, "a move was downloaded"
    assert on_disk(user) == served(server)
    assert {flags for _, flags in disk_view(user.mail)["INBOX"]} == {"S"}
    assert user.syncs() == "work: nothing new\n"
    for item in list(archive.items.values()):
        server.alice.remove(item)
    user.run("sync", "--allow-deletes")
    assert on_disk(user) == served(server)
