"""An account with `mailbox`: a shared mailbox is mirrored and sent from, with the rights of who signs in, and with no others."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from ews_bridge.sandbox import rights
from ews_bridge.sandbox import seed as seeding
from ews_bridge.sandbox.rights import Grant
from ews_bridge.sandbox.store import Folder
from ews_bridge.sandbox.world import Mailbox
from ews_bridge.sandbox.world import World
from tests.mirror import assert_mirrored
from tests.mirror import disk_view
from tests.mirror import message
from tests.mirror import server_view
from tests.sandbox_server import ALICE
from tests.sandbox_server import BOB
from tests.sandbox_server import Running
from tests.sandbox_server import running
from tests.sender import Sender
from tests.sender import arrived
from tests.sender import bob_of

OFFICE = "office@example.test"


@pytest.fixture
def server() -> Iterator[Running]:
    world = World(mime="keep")
    with seeding.earlier(world):
        for address, password in (ALICE, BOB, (OFFICE, "unknown")):
            world.add_user(address, password)
    with running(world=world) as sandbox:
        yield sandbox


@pytest.fixture
def office(server: Running) -> Mailbox:
    return server.world.users[OFFICE]


class Clerk(Sender):
    """Alice, with an account for the shared mailbox."""

    def sets(self, **values: object) -> None:
        self.configure(timeout=5)
        text = self.config.read_text().replace("[accounts.work.mail]", f'mailbox = "{OFFICE}"\n\n[accounts.work.mail]')
        more = [f"{key} = {json.dumps(value)}" for key, value in values.items()]
        self.config.write_text("\n".join([text, "[accounts.work.send]", *more, ""]))

    @property
    def config(self) -> Path:
        return self.home / ".config/ews-bridge/config.toml"


@pytest.fixture
def clerk(server: Running, tmp_path: Path) -> Clerk:
    found = Clerk(tmp_path / "alice", server.url)
    found.sets(settle=0)
    return found


def grant(server: Running, *texts: str) -> None:
    """Give Alice rights: OFFICE[/FOLDER]:RIGHT,…"""
    with server.sandbox.lock:
        rights.give(server.world, [one for text in texts for one in rights.parse(f"{ALICE[0]}:{OFFICE}{text}")])


def revoke(server: Running) -> None:
    with server.sandbox.lock:
        server.world.grants.clear()


def letter(number: int, sender: str = f"Office <{OFFICE}>") -> bytes:
    return (
        f"From: {sender}\nTo: bob@example.test\nSubject: {number}\nDate: Tue, 24 Nov 2026 10:00:00 +0000\n"
        f"Message-ID: <{number}@example.test>\n\nHello.\n"
    ).encode()


def copies(server: Running) -> dict[str, int]:
    """How many are in whose Sent Items."""
    return {address: len(arrived(mailbox, "sentitems")) for address, mailbox in server.world.users.items()}


# ---- the mirror


def test_a_shared_mailbox_is_mirrored_whole_and_both_ways(server: Running, clerk: Clerk, office: Mailbox) -> None:
    grant(server, ":full")
    with server.sandbox.lock, seeding.earlier(server.world):
        clients = office.create_folder(office.folder("msgfolderroot"), "Clients")
        for number in range(3):
            office.add_mime(office.folder("inbox"), message(number))
            office.add_mime(clients, message(10 + number), read=True)
        server.alice.add_mime(server.alice.folder("inbox"), message(99))
    clerk.syncs()
    assert_mirrored(clerk, office)
    server.reset()
    clerk.syncs()
    assert sum(server.stats()["requests"].values()) <= 2, server.stats()

    inbox = clerk.mail / "INBOX"
    first, second, third = sorted((inbox / "new").iterdir())
    first.rename(inbox / "cur" / f"{first.name}:2,FS")
    second.rename(clerk.mail / "Clients/cur" / f"{second.name}:2,S")
    third.unlink()
    (clerk.mail / "Fresh/cur").mkdir(parents=True)
    for part in ("new", "tmp"):
        (clerk.mail / "Fresh" / part).mkdir()
    (clerk.mail / "Fresh/cur/mine:2,S").write_bytes(message(50).replace(b"\r\n", b"\n"))
    (clerk.mail / "Drafts/cur/draft:2,DS").write_bytes(message(51).replace(b"\r\n", b"\n"))
    clerk.syncs()
    clerk.syncs()
    assert_mirrored(clerk, office)
    assert len(office.folder("deleteditems").items) == 1
    assert {name: len(server.alice.folder(name).items) for name in ("inbox", "drafts", "deleteditems")} == {
        "inbox": 1,
        "drafts": 0,
        "deleteditems": 0,
    }


def test_its_calendars_contacts_and_tasks_are_the_shared_ones(server: Running, clerk: Clerk, office: Mailbox) -> None:
    grant(server, ":full")
    more = [f'[accounts.work.{kind}]\npath = "~/{kind}"\n' for kind in ("calendar", "contacts", "tasks")]
    clerk.config.write_text(clerk.config.read_text() + "\n".join(more))
    clerk.syncs()
    task = "BEGIN:VTODO\r\nUID:u1\r\nDTSTAMP:20260101T000000Z\r\nSUMMARY:do it\r\nEND:VTODO\r\n"
    file = clerk.home / "tasks/Tasks/u1.ics"
    file.write_bytes(f"BEGIN:VCALENDAR\r\nVERSION:2.0\r\nPRODID:x\r\n{task}END:VCALENDAR\r\n".encode())
    clerk.syncs()
    assert (len(office.folder("tasks").items), len(server.alice.folder("tasks").items)) == (1, 0)
    file.unlink()
    clerk.syncs()
    assert [len(each.folder("deleteditems").items) for each in (office, server.alice)] == [1, 0]


def test_a_mailbox_without_access_is_told_as_that(server: Running, clerk: Clerk) -> None:
    ran = clerk.run("sync")
    assert (ran.code, OFFICE in ran.err) == (77, True), ran
    server.world.grants.add(Grant(ALICE[0], OFFICE, "", "full"))
    clerk.syncs()
    revoke(server)
    ran = clerk.run("sync")
    assert (ran.code, OFFICE in ran.err) == (77, True), ran


def test_a_mailbox_that_changes_is_another_account(server: Running, clerk: Clerk, office: Mailbox) -> None:
    grant(server, ":full")
    office.add_mime(office.folder("inbox"), message(1))
    clerk.syncs()
    clerk.config.write_text(clerk.config.read_text().replace(f'mailbox = "{OFFICE}"', ""))
    ran = clerk.run("sync")
    assert (ran.code, "mailbox was" in ran.err + ran.out) == (1, True), ran
    assert office.folder("inbox").items


# ---- sending


def test_what_is_sent_from_a_shared_mailbox_is_kept_in_its_sent_items(server: Running, clerk: Clerk, office: Mailbox) -> None:
    grant(server, ":full,send-as")
    for number, words in ((1, ()), (2, ("carol@example.org",))):  # the second one's envelope is narrower than its headers
        assert clerk.send(letter(number), *(words or ("bob@example.test",))).code == 0
    assert copies(server) == {ALICE[0]: 0, BOB[0]: 0, OFFICE: 2}
    (found,) = arrived(bob_of(server))
    assert OFFICE.encode() in found.mime and b"\nSender:" not in found.mime
    clerk.syncs()
    assert_mirrored(clerk, office)


def test_a_message_without_a_from_goes_out_in_the_name_of_the_shared_mailbox(server: Running, clerk: Clerk) -> None:
    grant(server, ":full,send-on-behalf")
    assert clerk.send(b"Subject: hello\n\nHello.\n", "bob@example.test").code == 0
    (found,) = arrived(bob_of(server))
    assert b"From: " + OFFICE.encode() in found.mime and b"Sender:" in found.mime
    assert copies(server) == {ALICE[0]: 0, BOB[0]: 0, OFFICE: 1}


def test_what_the_user_sends_as_themselves_is_kept_in_their_own_sent_items(server: Running, clerk: Clerk) -> None:
    grant(server, ":full,send-as")
    assert clerk.send(letter(1, "alice@example.test"), "bob@example.test").code == 0
    assert copies(server) == {ALICE[0]: 1, BOB[0]: 0, OFFICE: 0}


def test_another_from_in_an_account_of_ones_own_leaves_the_copy_where_outlook_does(server: Running, tmp_path: Path) -> None:
    """In the sender's own Sent Items, which is Exchange's default: a copy elsewhere is the server's to make."""
    grant(server, ":send-as")
    alice = Sender(tmp_path / "own", server.url)
    alice.sets(settle=0)
    assert alice.send(letter(1), "bob@example.test").code == 0
    assert copies(server) == {ALICE[0]: 1, BOB[0]: 0, OFFICE: 0}


def test_of_two_accounts_the_one_whose_mailbox_the_from_names_sends(server: Running, clerk: Clerk) -> None:
    grant(server, ":full,send-as")
    own = clerk.config.read_text().replace(f'mailbox = "{OFFICE}"\n', "").replace("accounts.work", "accounts.own")
    clerk.config.write_text(clerk.config.read_text() + own.replace("~/Mail", "~/Own"))
    for number, sender in ((1, OFFICE), (2, ALICE[0])):
        assert clerk.send(letter(number, sender), "bob@example.test").code == 0
    assert copies(server) == {ALICE[0]: 1, BOB[0]: 0, OFFICE: 1}
    assert (clerk.home / ".local/state/ews-bridge/own/outbox").exists()


@pytest.mark.parametrize(("granted", "code"), [((":full",), "ErrorSendAsDenied"), ((":send-as",), "ErrorAccessDenied")])
def test_sending_without_the_right_is_refused_and_nothing_leaves(
    server: Running, clerk: Clerk, granted: tuple[str, ...], code: str
) -> None:
    grant(server, *granted)
    ran = clerk.send(letter(1), "bob@example.test")
    assert (ran.code, code in ran.err, ran.err.count("\n")) == (77, True, 1), ran
    assert server.world.sent == 0 and not clerk.queue() and set(copies(server).values()) == {0}


@pytest.mark.parametrize("operation", ["CreateItem", "SendItem"])
def test_a_lost_reply_is_settled_by_the_token_in_the_shared_sent_items(server: Running, clerk: Clerk, operation: str) -> None:
    grant(server, ":full,send-as")
    words = ("bob@example.test",) if operation == "CreateItem" else ("carol@example.org",)
    server.faults({"operation": operation, "fault": "lost-reply"})
    assert clerk.send(letter(1), *words).code == 0
    assert clerk.send(b"", "-q").code == 0
    assert (server.world.sent, copies(server)[OFFICE], clerk.queue()) == (1, 1, [])


def test_a_copy_that_the_server_put_into_the_users_own_sent_items_counts_as_sent(
    server: Running, clerk: Clerk, office: Mailbox
) -> None:
    grant(server, ":full,send-as")
    server.faults({"operation": "CreateItem", "fault": "lost-reply"}, {"operation": "FindItem", "fault": "drop", "times": 9})
    assert clerk.send(letter(1), "bob@example.test").code == 0
    with server.sandbox.lock:
        (copy,) = arrived(office, "sentitems")
        office.move(copy, server.alice.folder("sentitems"))
    server.faults()
    assert clerk.send(b"", "-q").code == 0
    assert (server.world.sent, clerk.queue()) == (1, [])


def test_where_the_shared_sent_items_cannot_be_looked_into_nothing_is_guessed(server: Running, clerk: Clerk) -> None:
    grant(server, ":full,send-as")
    server.faults({"operation": "CreateItem", "fault": "lost-reply"}, {"operation": "FindItem", "fault": "drop", "times": 9})
    assert clerk.send(letter(1), "bob@example.test").code == 0
    server.faults()
    revoke(server)
    for _ in range(3):
        assert clerk.send(b"", "-q").code == 69
    assert (server.world.sent, len(clerk.queue())) == (1, 1)
    grant(server, ":full,send-as")
    assert clerk.send(b"", "-q").code == 0
    assert (server.world.sent, clerk.queue()) == (1, [])


# ---- folders in which less is allowed


WRITES = {
    "CreateItem",
    "UpdateItem",
    "MoveItem",
    "CopyItem",
    "DeleteItem",
    "CreateFolder",
    "UpdateFolder",
    "MoveFolder",
    "DeleteFolder",
}


@pytest.fixture
def clients(server: Running, office: Mailbox) -> Folder:
    with server.sandbox.lock, seeding.earlier(server.world):
        found = office.create_folder(office.folder("msgfolderroot"), "Clients")
        for number in range(3):
            office.add_mime(found, message(number), read=True)
    return found


def new_folder(clerk: Clerk, path: str) -> Path:
    for part in ("cur", "new", "tmp"):
        (clerk.mail / path / part).mkdir(parents=True)
    return clerk.mail / path


def trashed(clerk: Clerk) -> list[bytes]:
    return sorted(file.read_bytes() for file in (clerk.state / "trash").rglob("*") if file.is_file() and "/cur/" in str(file))


def test_where_nothing_may_be_changed_local_changes_are_undone_before_they_are_tried(
    server: Running, clerk: Clerk, office: Mailbox, clients: Folder
) -> None:
    grant(server, "/Clients:reviewer", "/Inbox:editor")
    clerk.syncs()
    assert len(disk_view(clerk.mail)["Clients"]) == 3
    marked, moved, deleted = sorted((clerk.mail / "Clients/cur").iterdir())
    marked.rename(f"{marked}F")
    moved.rename(clerk.mail / "INBOX/cur" / moved.name)
    deleted.unlink()
    mine = b"Subject: mine\n\nx\n"
    (clerk.mail / "Clients/cur/mine:2,S").write_bytes(mine)
    (new_folder(clerk, "Clients/2026") / "cur/more:2,S").write_bytes(mine.replace(b"mine", b"more"))
    server.reset()
    ran = clerk.run("sync")
    assert (ran.code, ran.err.count("undone")) == (0, 5), ran
    assert not server.stats()["requests"].keys() & WRITES
    assert trashed(clerk) == [mine, mine.replace(b"mine", b"more")]
    clerk.syncs()
    assert disk_view(clerk.mail)["Clients"] == server_view(office)["Clients"]
    assert "Clients/2026" not in disk_view(clerk.mail)


def test_who_may_not_write_the_list_of_tags_is_told_so_and_the_rest_is_synced(
    server: Running, clerk: Clerk, office: Mailbox, clients: Folder
) -> None:
    grant(server, "/Clients:editor")
    clerk.config.write_text(clerk.config.read_text() + "[accounts.work.tags]\n")
    before = len(clients.items)
    assert clerk.run("sync").code == 0
    file = next(path for path in clerk.mail.rglob("*.*") if path.is_file() and path.parent.name in ("cur", "new"))
    assert clerk.run("tags", "add", "todo", str(file)).code == 0
    (file.parent.parent / "cur/new.host:2,S").write_bytes(b"X-Keywords: other\n" + message(92))
    office.add_mime(clients, message(93))
    ran = clerk.run("sync")
    assert ran.code == 1
    assert "cannot be tagged todo: you may not add to the list of tags of this mailbox" in ran.err
    assert len(clients.items) == before + 2, "the new one went up"
    assert len([path for path in file.parent.parent.rglob("*.*") if path.is_file()]) == before + 2, "and the other came down"
    clerk.run("sync")
    ran = clerk.run("sync")
    assert (ran.code, ran.err) == (0, ""), "told once"


def test_a_list_of_tags_that_may_not_be_read_is_none_and_the_rest_is_synced(
    server: Running, clerk: Clerk, office: Mailbox, clients: Folder
) -> None:
    grant(server, "/Clients:editor")
    clerk.config.write_text(clerk.config.read_text() + "[accounts.work.tags]\n")
    clerk.syncs()
    office.add_mime(clients, message(93))
    server.faults({"operation": "GetFolder", "times": 99, "fault": "error:ErrorAccessDenied"})
    clerk.syncs()
    assert len(disk_view(clerk.mail)["Clients"]) == 4
    file = next(path for path in (clerk.mail / "Clients/cur").iterdir())
    assert clerk.run("tags", "add", "todo", str(file)).code == 0
    ran = clerk.run("sync")
    assert ran.code == 1 and "cannot be tagged todo: you may not add to the list of tags of this mailbox" in ran.err, ran


def test_colours_that_may_not_be_read_are_told_calmly(server: Running, clerk: Clerk, clients: Folder) -> None:
    grant(server, "/Clients:editor")
    clerk.config.write_text(clerk.config.read_text() + '[accounts.work.tags]\nserver = ["categories"]\n')
    clerk.syncs()
    assert clerk.run("tags", "add", "todo", str(next((clerk.mail / "Clients/cur").iterdir()))).code == 0
    clerk.syncs()
    ran = clerk.run("tags", "list")
    assert (ran.code, ran.err) == (0, ""), ran
    assert "todo" in ran.out and "work: the colours of its tags are not yours to see" in ran.out
    assert json.loads(clerk.run("tags", "list", "--json").out)["tags"][0]["tag"] == "todo"


def test_who_may_edit_the_items_may_not_rename_the_folder(
    server: Running, clerk: Clerk, office: Mailbox, clients: Folder
) -> None:
    grant(server, "/Clients:editor", "/Deleted Items:editor")
    clerk.syncs()
    marked, deleted, _ = sorted((clerk.mail / "Clients/cur").iterdir())
    marked.rename(f"{marked}F".replace(":2,SF", ":2,FS"))
    deleted.unlink()
    (clerk.mail / "Clients/cur/mine:2,S").write_bytes(message(9).replace(b"\r\n", b"\n"))
    (clerk.mail / "Clients").rename(clerk.mail / "Customers")
    ran = clerk.run("sync")
    assert (ran.code, "move local Customers to Clients: you may not change the folder itself" in ran.err) == (0, True), ran
    clerk.syncs()
    assert disk_view(clerk.mail)["Clients"] == server_view(office)["Clients"]
    assert sum(item.props.get(0x1090, ("", 0))[1] == 2 for item in clients.items.values()) == 1
    assert "Customers" not in disk_view(clerk.mail)


def test_rights_are_those_of_now(server: Running, clerk: Clerk, office: Mailbox, clients: Folder) -> None:
    grant(server, "/Clients:reviewer")
    clerk.syncs()
    revoke(server)
    grant(server, "/Clients:editor")
    (first, *_) = sorted((clerk.mail / "Clients/cur").iterdir())
    first.rename(f"{first}".replace(":2,S", ":2,FS"))
    clerk.syncs()
    assert sum(item.props.get(0x1090, ("", 0))[1] == 2 for item in clients.items.values()) == 1


def test_the_list_of_folders_names_those_that_are_read_only(server: Running, clerk: Clerk, clients: Folder) -> None:
    grant(server, "/Clients:reviewer", "/Inbox:editor")
    ran = clerk.run("folders", "--json")
    (account,) = json.loads(ran.out)["accounts"]
    assert {each["path"]: each["read_only"] for each in account["folders"]} == {"Clients": True, "INBOX": False}
    assert "read-only" in next(line for line in clerk.run("folders").out.splitlines() if line.startswith("Clients"))


def test_a_quiet_run_asks_for_the_rights_with_a_request_that_it_needs_anyway(
    server: Running, clerk: Clerk, clients: Folder
) -> None:
    grant(server, "/Clients:reviewer")
    clerk.syncs()
    server.reset()
    clerk.syncs()
    assert server.stats()["requests"] == {"FindFolder": 1, "SyncFolderHierarchy": 1}
