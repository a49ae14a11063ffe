"""What goes up settles in one run: what is deleted here, and drafts that mutt writes anew instead of editing them."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.inside import Inside
from tests.mirror import message
from tests.sandbox_server import Running
from tests.sandbox_server import running


@pytest.fixture
def server() -> Iterator[Running]:
    with running(mime="keep") as sandbox:
        yield sandbox


@pytest.fixture
def user(server: Running, tmp_path: Path) -> Inside:
    found = Inside(tmp_path, server.url)
    found.configure(more='folders = ["INBOX", "Drafts", "Deleted Items"]')
    return found


def only(user: Inside, folder: str) -> Path:
    (file,) = (file for part in ("cur", "new") for file in (user.mail / folder / part).iterdir())
    return file


def test_what_is_deleted_here_lies_in_deleted_items_after_the_same_run(server: Running, user: Inside) -> None:
    inbox = server.alice.folder("inbox")
    for number in (1, 2):
        server.alice.add_mime(inbox, message(number), read=True)
    user.syncs()
    next((user.mail / "INBOX/cur").iterdir()).unlink()
    user.syncs()
    assert len(inbox.items) == len(server.alice.folder("deleteditems").items) == 1
    assert only(user, "Deleted Items").read_bytes() != only(user, "INBOX").read_bytes()
    assert user.syncs() == "work: nothing new\n"


@pytest.mark.parametrize("key", [b"Message-ID: <1@example.test>\r\n", b""])
def test_a_draft_written_anew_without_its_flag_is_the_edited_draft(server: Running, user: Inside, key: bytes) -> None:
    text = message(1).replace(b"Message-ID: <1@example.test>\r\n", key)
    drafts = server.alice.folder("drafts")
    server.alice.add_mime(drafts, text, read=True, draft=True)
    user.syncs()
    file = only(user, "Drafts")
    # As mutt does it, at its worst: another name without D, the inode that has become free.
    again = user.mail / "Drafts/new/1793700099.R1.desk"
    file.write_bytes(file.read_bytes().replace(b"This is message 1.", b"This is not what it was."))
    file.rename(again)
    user.syncs()
    (draft,) = drafts.items.values()
    assert draft.draft and b"This is not what it was." in draft.mime
    assert "D" in only(user, "Drafts").name.partition(":2,")[2]
    assert b"This is not what it was." in only(user, "Drafts").read_bytes()
    assert user.syncs() == "work: nothing new\n"
