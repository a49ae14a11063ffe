"""One mailbox, two machines; a mailbox that is moved or made anew; a state that is lost, restored, renamed or led elsewhere."""

from __future__ import annotations

import os
import shutil
import uuid
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest

from ews_bridge.errors import Refused
from ews_bridge.sandbox.content import mime_of
from ews_bridge.sandbox.world import Mailbox
from tests.desk import Desk
from tests.desk import desk
from tests.desk import key_of
from tests.desk import letters_of
from tests.desk import lf
from tests.desk import rename
from tests.inside import Inside


@pytest.fixture
def it(tmp_path: Path) -> Iterator[Desk]:
    with desk(tmp_path / "one") as found:
        found.fill("Projects", *range(20, 30))
        found.sync()
        yield found


def transfers(it: Desk) -> Counter[str]:
    """Requests that carry contents."""
    asked = it.server.stats()["requests"]
    return Counter({name: asked.get(name, 0) for name in ("GetItem", "CreateItem")})


# ---- two machines


def other_machine(it: Desk, home: Path) -> Desk:
    """The same mailbox, mirrored in another home."""
    found = Desk(it.server, Inside(home, it.relay.url), it.relay)
    found.configure(it.more)
    found.sync()
    return found


def test_two_machines_converge(it: Desk, tmp_path: Path) -> None:
    two = other_machine(it, tmp_path / "two")
    two.agree()
    rename(it.file(1), letters="F")
    rename(two.file(1), letters="RS")
    rename(it.file(2), it.user.mail / "Projects")
    rename(two.file(2), letters="FS")
    rename(it.file(20), it.user.mail / "Archive")
    rename(two.file(20), two.user.mail / "INBOX")
    it.file(21).unlink()
    rename(two.file(21), letters="S")
    it.file(22).unlink()
    two.file(22).unlink()
    (it.user.mail / "Projects/new/1.a.x").write_bytes(lf(50))
    (two.user.mail / "Projects/new/1.b.x").write_bytes(lf(51))
    for desk_, subject in ((it, "from one"), (two, "from two")):
        draft = desk_.file(9)
        draft.write_bytes(lf(9, subject=subject))
        os.utime(draft, (1_800_000_000, 1_800_000_000))
    for part in ("tmp", "new", "cur"):
        (two.user.mail / "Projects/Made" / part).mkdir(parents=True)
    for _ in range(2):
        for desk_ in (it, two):
            desk_.settle()
    for desk_ in (it, two):
        desk_.agree()
        assert not desk_.sync().done
    assert it.holds(1) == "INBOX:FRS"
    assert it.holds(2) == "Projects:FS"
    assert it.holds(20) == "Archive:", "the first to come decides"
    assert it.holds(21).startswith("Deleted Items:")
    assert it.holds(22) == "Deleted Items:"
    assert (it.holds(50), it.holds(51)) == ("Projects:", "Projects:")
    assert it.item(9).subject == "from one"
    (aside,) = (two.user.state / "conflicts").iterdir()
    assert b"from two" in aside.read_bytes()
    assert (it.user.mail / "Projects/Made/cur").is_dir()


# ---- a mailbox that is moved, or made anew


def move_to_another_server(it: Desk) -> None:
    """All ids of items and folders are new, and no state is understood; search keys stay."""
    mailbox = it.server.alice
    mailbox.guid = str(uuid.UUID(int=7))
    mailbox.replica = uuid.UUID(mailbox.guid).bytes_le
    mailbox.forget_sync_states()


def make_anew(it: Desk) -> None:
    """Another mailbox with the same mail in it, as after an export and import: search keys are new, too."""
    old = it.server.alice
    it.server.world.users.pop(old.address.lower())
    new = it.server.world.add_user(old.address, old.password, old.display_name)
    it.server.alice = new

    def copy(source_path: str, source: object, target: object) -> None:
        for item in source.items.values():  # type: ignore[attr-defined]
            letters = letters_of(item)
            new.add_mime(target, mime_of(item), read="S" in letters, flagged="F" in letters, draft="D" in letters)  # type: ignore[arg-type]

    for folder in old.folder("msgfolderroot").children:
        if folder.distinguished:
            copy(folder.name, folder, new.folder(folder.distinguished))
        elif not folder.hidden and folder.folder_class == "IPF.Note" and folder.name in ("Projects", "Archive"):
            copy(folder.name, folder, new.create_folder(new.folder("msgfolderroot"), folder.name))
    assert isinstance(new, Mailbox)


@pytest.mark.parametrize("change", [move_to_another_server, make_anew])
def test_a_mailbox_whose_ids_are_all_new_is_healed(change: object, it: Desk) -> None:
    before, disk = transfers(it), it.local()
    change(it)  # type: ignore[operator]
    rename(it.file(1), letters="F")
    it.file(20).unlink()
    it.settle()
    it.agree()
    assert len(it.local()) == len(disk)
    assert it.holds(1) == "INBOX:F"
    assert transfers(it)["CreateItem"] == before["CreateItem"]
    assert transfers(it)["GetItem"] <= before["GetItem"] + 2, "only what was deleted here comes again, and drafts are compared"
    assert not it.sync().done


# ---- the state


def test_a_lost_state_is_told_and_everything_adopted(it: Desk) -> None:
    before, disk = transfers(it), it.local()
    shutil.rmtree(it.user.state)
    rename(it.file(1), letters="F")
    report = it.sync()
    (note,) = report.notes
    assert str(it.user.mail) in note and "matched by Message-ID" in note
    it.settle()
    it.agree()
    assert len(it.local()) == len(disk)
    assert it.holds(1) == "INBOX:F"
    before["GetItem"] += 1  # the draft, to compare
    assert transfers(it) == before
    assert not it.sync().notes


def test_a_renamed_account_section_is_told_and_adopted(it: Desk) -> None:
    config = it.user.home / ".config/ews-bridge/config.toml"
    config.write_text(config.read_text().replace("accounts.work", "accounts.job"))
    before = transfers(it)
    ran = it.user.run("sync")
    assert ran.code == 0
    assert "account was renamed" in ran.err
    it.agree()
    before["GetItem"] += 1  # the draft, to compare
    assert transfers(it) == before
    assert it.user.run("sync").out == "job: nothing new\n"


def test_a_state_older_than_the_tree_deletes_nothing_here_or_there(it: Desk) -> None:
    shutil.copytree(it.user.state, it.user.home / "backup")
    for number in (1, 2, 3):
        rename(it.file(number), it.user.mail / "Projects", letters="FS")
        it.settle()
    it.fill("Archive", 60, 61)
    it.settle()
    it.server.alice.remove(next(item for item in it.place("Projects").items.values() if key_of(item) == "25"))
    it.settle()
    shutil.rmtree(it.user.state)
    (it.user.home / "backup").rename(it.user.state)
    it.file(60).unlink()
    it.file(20).unlink()
    before, held = transfers(it)["CreateItem"], it.remote()
    report = it.sync()
    (note,) = report.notes
    assert "older than what is in" in note
    it.settle()
    it.agree()
    assert it.remote() == held, "nothing was deleted, doubled or marked on the server"
    assert transfers(it)["CreateItem"] == before
    assert not it.sync().notes
    it.file(60).unlink()
    it.settle()
    assert it.holds(60) == "Deleted Items:", "from then on deletions count again"


@pytest.mark.parametrize(("setting", "word"), [('layout = "flat"', "layout"), ('path = "~/Other"', "path")])
def test_a_changed_path_or_layout_is_refused_with_words_and_status_tells(setting: str, word: str, it: Desk) -> None:
    config = it.user.home / ".config/ews-bridge/config.toml"
    text = config.read_text()
    config.write_text(text.replace('path = "~/Mail"', setting if word == "path" else f'path = "~/Mail"\n{setting}'))
    it.__dict__.pop("account")
    before, held = it.server.stats()["requests"].get("MoveItem", 0), it.remote()
    with pytest.raises(Refused, match=word):
        it.sync()
    assert it.remote() == held and before == it.server.stats()["requests"].get("MoveItem", 0)
    assert word in it.user.run("status").out
    config.write_text(text)
    it.__dict__.pop("account")
    assert not it.sync().done
