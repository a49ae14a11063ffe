"""What happens to folders on the server, in each layout, and which folders are synced at all."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from collections.abc import Iterator
from pathlib import Path

import pytest

from ews_bridge import names
from ews_bridge.names import Layout
from ews_bridge.sandbox import seed
from ews_bridge.sandbox.store import Folder
from ews_bridge.sandbox.world import Mailbox
from tests.inside import Inside
from tests.mirror import View
from tests.mirror import digest
from tests.mirror import disk_view
from tests.mirror import message
from tests.mirror import server_view
from tests.sandbox_server import Running
from tests.sandbox_server import running

LAYOUTS: tuple[Layout, ...] = ("verbatim", "maildir++", "flat")
#: Not those that every mailbox has: each folder costs a dozen calls of fsync.
OURS = '["INBOX", "INBOX/*", "A*", "B*", "C*", "!Calendar*", "!Contacts*", "!Conv*"]'


@pytest.fixture
def server() -> Iterator[Running]:
    with running(mime="keep") as sandbox:
        yield sandbox


@pytest.fixture(params=LAYOUTS)
def layout(request: pytest.FixtureRequest) -> Layout:
    found: Layout = request.param
    return found


@pytest.fixture
def user(server: Running, tmp_path: Path) -> Inside:
    found = Inside(tmp_path, server.url)
    found.configure(more=f"folders = {OURS}")
    return found


def make(mailbox: Mailbox, path: str, *numbers: int) -> Folder:
    """A folder by its path, made with its parents if need be, with these messages in it."""
    parent, _, name = path.rpartition("/")
    above = make(mailbox, parent) if parent else mailbox.folder("msgfolderroot")
    found = mailbox.folder("inbox") if path == "INBOX" else next((c for c in above.children if c.name == name), None)
    folder = found or mailbox.create_folder(above, name)
    for number in numbers:
        mailbox.add_mime(folder, message(number))
    return folder


def laid_out(root: Path, layout: Layout) -> View:
    """As `disk_view`, in any layout. Only what our own names say: none of these is cut."""
    if layout == "verbatim":
        return disk_view(root)
    found: View = {}
    for cur in root.glob("**/cur"):
        home = cur.parent.relative_to(root).as_posix()
        path = names.path("" if home == "." else home, layout)
        assert path is not None, home
        files = [file for part in ("cur", "new") for file in (cur.parent / part).iterdir()]
        found[path] = Counter((digest(file.read_bytes()), file.name.partition(":2,")[2]) for file in files)
    return found


def agree(user: Inside, server: Running, layout: Layout = "verbatim") -> None:
    held = {path: view for path, view in server_view(server.alice).items() if path[0] in "IABC" and not path.startswith("Conv")}
    assert laid_out(user.mail, layout) == held


def inodes(user: Inside) -> set[int]:
    return {file.stat().st_ino for part in ("cur", "new") for file in user.mail.rglob(f"{part}/*") if file.is_file()}


# ---- changes, in each layout


def rename(mailbox: Mailbox) -> None:
    mailbox.rename_folder(make(mailbox, "A"), "B")


def rename_a_child(mailbox: Mailbox) -> None:
    mailbox.rename_folder(make(mailbox, "A/one/deep"), "deeper.still")


def move_up(mailbox: Mailbox) -> None:
    mailbox.move_folder(make(mailbox, "A/one"), mailbox.folder("msgfolderroot"))
    mailbox.rename_folder(next(c for c in mailbox.folder("msgfolderroot").children if c.name == "one"), "Bone")


def move_below_the_inbox(mailbox: Mailbox) -> None:
    mailbox.move_folder(make(mailbox, "A"), mailbox.folder("inbox"))


def swap(mailbox: Mailbox) -> None:
    first, second = make(mailbox, "A"), make(mailbox, "C")
    mailbox.rename_folder(first, "aside")
    mailbox.rename_folder(second, "A")
    mailbox.rename_folder(first, "C")


def swap_parent_and_child(mailbox: Mailbox) -> None:
    """A/one becomes A, and what was A becomes A/one."""
    top, old, child = mailbox.folder("msgfolderroot"), make(mailbox, "A"), make(mailbox, "A/one")
    mailbox.move_folder(child, top)
    mailbox.rename_folder(old, "aside")
    mailbox.rename_folder(child, "A")
    mailbox.move_folder(old, child)
    mailbox.rename_folder(old, "one")


def rotate(mailbox: Mailbox) -> None:
    """Three folders in a ring."""
    first, second, third = make(mailbox, "A"), make(mailbox, "A2"), make(mailbox, "C")
    mailbox.rename_folder(first, "aside")
    mailbox.rename_folder(third, "A")
    mailbox.rename_folder(second, "C")
    mailbox.rename_folder(first, "A2")


def take_over_a_name(mailbox: Mailbox) -> None:
    """Deleted, and another renamed to its name."""
    mailbox.remove_folder(make(mailbox, "A2"))
    mailbox.rename_folder(make(mailbox, "C"), "A2")


def change_case(mailbox: Mailbox) -> None:
    mailbox.rename_folder(make(mailbox, "A/one"), "ONE")


@pytest.mark.parametrize(
    "change",
    [rename, rename_a_child, move_up, move_below_the_inbox, swap, swap_parent_and_child, rotate, take_over_a_name, change_case],
)
def test_a_folder_that_changes_its_place_takes_its_files_along(
    change: Callable[[Mailbox], None], layout: Layout, user: Inside, server: Running
) -> None:
    for number, path in enumerate(("INBOX", "A", "A/one", "A/one/deep", "A2", "C", "C/x")):
        make(server.alice, path, number)
    user.configure(more=f'folders = {OURS}\nlayout = "{layout}"')
    user.syncs()
    agree(user, server, layout)
    before, asked = inodes(user), server.stats()["requests"]["GetItem"]
    change(server.alice)
    user.syncs()
    agree(user, server, layout)
    assert inodes(user) <= before
    assert server.stats()["requests"]["GetItem"] == asked, "something was downloaded again"
    assert user.syncs() == "work: nothing new\n"


def test_folders_come_and_go(layout: Layout, user: Inside, server: Running) -> None:
    user.configure(more=f'folders = {OURS}\nlayout = "{layout}"')
    user.syncs()
    make(server.alice, "A", 1)
    make(server.alice, "A/empty")
    make(server.alice, "A/b.c/d", 2, 3)
    user.syncs()
    agree(user, server, layout)
    server.alice.remove_folder(make(server.alice, "A/b.c"))
    ran = user.run("sync")
    assert ran.code == 0, ran
    agree(user, server, layout)
    assert user.syncs() == "work: nothing new\n"
    kept = user.run("restore", "--list", "--json").json["accounts"][0]["items"]  # type: ignore[index]
    assert {each["folder"] for each in kept} == {"A/b.c/d"}
    assert user.run("restore", *(each["id"] for each in kept)).code == 0
    assert sum(laid_out(user.mail, layout)["A/b.c/d"].values()) == 2


def test_files_in_a_folder_that_is_gone_keep_it(user: Inside, server: Running) -> None:
    """What was never on the server is not thrown away with the folder."""
    folder = make(server.alice, "A", 1)
    user.syncs()
    own = user.mail / "A/new/1700000000.own.host"
    own.write_bytes(message(50).replace(b"\r\n", b"\n"))
    server.alice.remove_folder(folder)
    user.run("sync")
    assert own.read_bytes().startswith(b"From: Bob")
    assert len(list((user.mail / "A/new").iterdir())) == 1
    assert user.run("sync").code == 0


# ---- which folders


@pytest.mark.parametrize(
    ("language", "sent"), [("de", "Gesendete Elemente"), ("pl", "Elementy wysłane"), ("fr", "Éléments envoyés")]
)
def test_special_folders_are_known_by_id_and_the_inbox_is_inbox(language: str, sent: str, tmp_path: Path) -> None:
    with running(mime="keep", language=language) as server:
        user = Inside(tmp_path, server.url)
        user.configure()
        server.alice.add_mime(server.alice.folder("inbox"), message(1))
        item = server.alice.add_mime(server.alice.folder("sentitems"), message(2), read=True)
        item.props[0x0039] = ("SystemTime", 1_800_000_000)
        user.syncs()
        assert disk_view(user.mail) == server_view(server.alice)
        assert disk_view(user.mail)["INBOX"].total() == 1
        (file,) = (user.mail / sent / "cur").iterdir()
        assert file.stat().st_mtime == 1_800_000_000
        listed = user.run("folders")
        assert sent in listed.out
        assert "sentitems" in listed.out


def test_a_change_of_language_is_a_few_renames(user: Inside, server: Running) -> None:
    user.configure()
    make(server.alice, "INBOX", 1)
    server.alice.add_mime(server.alice.folder("sentitems"), message(2))
    user.syncs()
    before = inodes(user)
    for role, name in (("inbox", "Posteingang"), ("sentitems", "Gesendete Elemente"), ("drafts", "Entwürfe")):
        server.alice.rename_folder(server.alice.folder(role), name)
    user.syncs()
    assert disk_view(user.mail) == server_view(server.alice)
    assert (user.mail / "INBOX/new").is_dir() and not (user.mail / "Posteingang").exists()
    assert inodes(user) == before


def test_hidden_and_other_kinds_of_folders_are_left_alone(user: Inside, server: Running) -> None:
    user.configure()
    top = server.alice.folder("msgfolderroot")
    for name, kind in (("Plan", "IPF.Appointment"), ("People", "IPF.Contact"), ("Sticky", "IPF.StickyNote")):
        server.alice.create_folder(top, name, kind)
    server.alice.create_folder(top, "Secret").hidden = True
    below = server.alice.create_folder(server.alice.folder("calendar"), "Mail below the calendar")
    server.alice.add_mime(below, message(1))
    user.syncs()
    agreed = server_view(server.alice)
    assert disk_view(user.mail) == agreed
    assert not {"Plan", "People", "Sticky", "Secret", "Contacts", "Tasks", "Journal"} & agreed.keys()
    assert agreed["Calendar/Mail below the calendar"].total() == 1
    assert not {each.name for each in user.mail.iterdir()} & {"Plan", "People", "Sticky", "Secret", "Contacts", "Tasks"}


def test_patterns_choose_folders(user: Inside, server: Running) -> None:
    for number, path in enumerate(("INBOX", "A/x", "A/y/z", "B", "Clients", "Clients/old")):
        make(server.alice, path, number)
    user.configure(more='folders = ["INBOX", "A/*", "!A/y*", "Clients"]')
    user.syncs()
    assert disk_view(user.mail).keys() == {"INBOX", "A/x", "Clients"}
    shown = {each["path"]: each["synced"] for each in user.run("folders", "--json").json["accounts"][0]["folders"]}  # type: ignore[index]
    assert {path for path, synced in shown.items() if synced} == {"INBOX", "A/x", "Clients"}
    assert shown["A/y/z"] is False


def test_a_folder_that_leaves_the_scope_goes_to_the_trash_and_comes_back(user: Inside, server: Running) -> None:
    make(server.alice, "INBOX", 0)
    make(server.alice, "A", *range(1, 31))
    make(server.alice, "A/below", 40)
    user.syncs()
    user.configure(more='folders = ["INBOX"]')
    ran = user.run("sync")
    assert ran.code == 0, ran
    assert disk_view(user.mail).keys() == {"INBOX"}
    assert not (user.mail / "A").exists()
    assert server_view(server.alice)["A"].total() == 30
    kept = user.run("restore", "--list", "--json").json["accounts"][0]["items"]  # type: ignore[index]
    assert len(kept) == 31
    assert user.syncs() == "work: nothing new\n"
    user.configure(more=f"folders = {OURS}")
    user.syncs()
    agree(user, server)
    assert user.syncs() == "work: nothing new\n"


def test_a_message_that_moves_out_of_the_scope_goes_to_the_trash(user: Inside, server: Running) -> None:
    user.configure(more='folders = ["INBOX"]')
    make(server.alice, "INBOX", 1, 2)
    other = make(server.alice, "A")
    user.syncs()
    server.alice.move(next(iter(server.alice.folder("inbox").items.values())), other)
    user.syncs()
    assert disk_view(user.mail)["INBOX"].total() == 1
    assert "number 1" in user.run("restore", "--list").out


def test_folders_that_are_named_are_synced_and_no_others(user: Inside, server: Running) -> None:
    make(server.alice, "INBOX", 1)
    inner = make(server.alice, "A/b", 2)
    user.syncs("INBOX")
    assert {path: view.total() for path, view in disk_view(user.mail).items() if view} == {"INBOX": 1}
    user.syncs("A/b")
    agree(user, server)
    make(server.alice, "INBOX", 3)
    server.alice.move(next(iter(inner.items.values())), server.alice.folder("inbox"))
    user.syncs("A/b")  # its new place is not selected: nothing may be lost
    assert sum(view.total() for view in disk_view(user.mail).values()) == 2
    user.syncs()
    agree(user, server)
    ran = user.run("sync", "Nowhere")
    assert (ran.code, "Nowhere" in ran.err) == (64, True)


# ---- names


HOSTILE = (
    "../../x",
    "..",
    ".",
    ".hidden",
    "cur",
    "new",
    "tmp",
    "a/b",
    "a.b",
    "trailing dots...",
    "trailing space ",
    "  spaces  inside  ",
    "INBOX",
    "inBoX2",
    "%49",
    "100% sure",
    "x" * 250,
    "日" * 120,
    "🕰️ clocks",
    "Łódź",
    "e\u0301 and \u00e9",
    "back\\slash",
    "colon:2,S",
    "new\nline\ttab",
    "-rf *",
    "~",
    "~user",
    "$HOME `id`",
    "\u202egnp.exe",
    "a&b <c> \"d\" 'e'",
    "CON",
    "lost+found",
    ".ews-bridge",
)


def test_no_name_harms(layout: Layout, user: Inside, server: Running) -> None:
    """They stay below the root, apart from each other, and come back as what they are."""
    top = server.alice.folder("msgfolderroot")
    server.alice.rename_folder(server.alice.folder("inbox"), "Posteingang")  # or nobody could have an INBOX of their own
    made = [server.alice.create_folder(top, name) for name in HOSTILE]
    for number, folder in enumerate(made):
        server.alice.add_mime(folder, message(number))
    server.alice.add_mime(server.alice.create_folder(made[0], "../.."), message(100))
    server.alice.add_mime(server.alice.create_folder(made[7], "y" * 250), message(101))
    everything = '["*", "!Sent*", "!Sync*", "!Junk*", "!Draft*", "!Deleted*", "!Outbox", "!RSS*", "!Conv*", "!Notes"]'
    user.configure(more=f'folders = {everything}\nlayout = "{layout}"')
    ran = user.run("sync")
    assert ran.code == 0, ran
    assert {each.name for each in user.home.iterdir()} <= {"Mail", ".config", ".local"}
    texts = [file.read_bytes() for part in ("cur", "new") for file in user.mail.rglob(f"{part}/*") if file.is_file()]
    assert len(texts) == len(set(texts)) == len(HOSTILE) + 2
    assert not {entry.name for entry in user.mail.iterdir()} & {"cur", "new", "tmp"} or layout == "maildir++"
    again = user.run("sync")
    assert (again.code, again.out, again.err) == (0, "work: nothing new\n", "")
    listed = user.run("folders")
    assert len(listed.out.splitlines()) > len(HOSTILE)
    assert "\x1b" not in listed.out and "\u202e" not in listed.out


def test_a_folder_that_the_user_calls_inbox_is_another(user: Inside, server: Running) -> None:
    server.alice.rename_folder(server.alice.folder("inbox"), "Posteingang")
    make(server.alice, "Archive", 9)
    own = server.alice.create_folder(server.alice.folder("msgfolderroot"), "INBOX")
    server.alice.add_mime(own, message(1))
    server.alice.add_mime(server.alice.folder("inbox"), message(2))
    user.configure(more='folders = ["INBOX", "%49NBOX"]')
    user.syncs()
    held = disk_view(user.mail)
    assert held.keys() == {"INBOX", "%49NBOX"}
    assert [path for path, view in held.items() if view == Counter([(digest(message(1).replace(b"\r\n", b"\n")), "")])] == [
        "%49NBOX"
    ]


# ---- servers that differ


def test_a_server_that_cannot_list_all_properties_is_asked_in_parts(user: Inside, server: Running) -> None:
    server.switch(hierarchy_500=True)
    for number in range(60):
        make(server.alice, f"A/{number}")
    make(server.alice, "A/7", 1)
    user.syncs()
    agree(user, server)
    assert user.syncs() == "work: nothing new\n"
    server.alice.rename_folder(make(server.alice, "A/7"), "seven")
    user.syncs()
    agree(user, server)


def test_many_folders_are_listed_in_pages(user: Inside, server: Running) -> None:
    user.configure(more='folders = ["A/17*"]')
    with seed.earlier(server.world):
        for number in range(1100):
            make(server.alice, f"A/{number}")
        make(server.alice, "A/1717", 1)
    user.syncs()
    assert disk_view(user.mail)["A/1717"].total() == 1
    server.reset()
    make(server.alice, "A/1717", 2)
    user.syncs()
    assert disk_view(user.mail)["A/1717"].total() == 2
    assert server.stats()["total"] <= 6, server.stats()
