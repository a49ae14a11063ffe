"""The folders of a mailbox, against the sandbox."""

from __future__ import annotations

import re
from collections.abc import Callable
from collections.abc import Iterator
from collections.abc import Mapping

import pytest

from ews_bridge.errors import BadItem
from ews_bridge.exchange import soap
from ews_bridge.exchange.survey import Refusal
from ews_bridge.exchange.tree import ExchangeTree
from ews_bridge.model import Entry
from ews_bridge.model import Scan

from . import sandbox_server
from .exchange_relay import Reply
from .exchange_relay import connection
from .exchange_relay import fault
from .exchange_relay import is_operation
from .exchange_relay import message
from .exchange_relay import relay
from .exchange_relay import response
from .sandbox_server import Running
from .test_exchange_folder import mail


@pytest.fixture
def server() -> Iterator[Running]:
    with sandbox_server.running() as found:
        yield found


def tree_of(server: Running, url: str = "") -> ExchangeTree:
    return ExchangeTree(connection(url or server.url))


def full(tree: ExchangeTree) -> tuple[dict[str, Entry], str]:
    (scan,) = tree.scan("", dict)
    assert scan.first
    assert scan.last
    return {entry.key: entry for entry in scan.entries}, scan.cursor


def by_id(entries: Mapping[str, Entry]) -> dict[str, Entry]:
    return {entry.id: entry for entry in entries.values()}


def changes(tree: ExchangeTree, cursor: str, known: Mapping[str, Entry]) -> Scan:
    (scan,) = tree.scan(cursor, lambda: by_id(known))
    return scan


def never() -> dict[str, Entry]:
    raise AssertionError("nothing changed: what is known is not needed")


def test_a_quiet_mailbox_costs_two_requests(server: Running) -> None:
    first = tree_of(server)
    _, cursor = full(first)
    special = first.special()
    server.reset()
    tree = ExchangeTree(connection(server.url), special=special)
    (scan,) = tree.scan(cursor, never)
    tree.survey()
    assert (scan.entries, scan.vanished, scan.first) == ((), (), False)
    assert server.stats()["requests"] == {"SyncFolderHierarchy": 1, "FindFolder": 1}
    assert server.stats()["connections"] == 1


@pytest.mark.parametrize("language", ["en", "de"])
def test_the_inbox_is_inbox_in_every_language(language: str) -> None:
    with sandbox_server.running(language=language) as server:
        tree = tree_of(server)
        found, _ = full(tree)
        assert found["INBOX"].id == tree.special()["inbox"]
        assert by_id(found)[tree.special()["sentitems"]].hints.label == "IPF.Note"


def test_labels_tell_mail_from_the_rest(server: Running) -> None:
    tree = tree_of(server)
    found, _ = full(tree)
    labels = {entry.hints.label for entry in found.values()}
    assert {"IPF.Note", "IPF.Appointment", "IPF.Contact", "IPF.Task", "hidden"} <= labels


def test_odd_names_become_paths(server: Running) -> None:
    root = server.alice.folder("msgfolderroot")
    parent = server.alice.create_folder(root, "a/b")
    server.alice.create_folder(parent, "INBOX")
    found, _ = full(tree_of(server))
    assert "a%2Fb" in found
    assert "a%2Fb/INBOX" in found


def test_a_renamed_parent_changes_the_paths_of_all_below(server: Running) -> None:
    alice = server.alice
    top = alice.create_folder(alice.folder("msgfolderroot"), "top")
    middle = alice.create_folder(top, "middle")
    alice.create_folder(middle, "leaf")
    other = alice.create_folder(alice.folder("msgfolderroot"), "other")
    tree = tree_of(server)
    known, cursor = full(tree)
    alice.rename_folder(top, "TOP 2")
    alice.move_folder(other, middle)
    scan = changes(tree, cursor, known)
    assert not scan.first
    assert {entry.key for entry in scan.entries} == {"TOP 2", "TOP 2/middle", "TOP 2/middle/leaf", "TOP 2/middle/other"}
    assert {e.id for e in scan.entries} == {known[k].id for k in ("top", "top/middle", "top/middle/leaf", "other")}
    assert scan.entries[0].key == "TOP 2"
    assert all(entry.hints.label == "IPF.Note" for entry in scan.entries)


def test_new_and_removed_folders(server: Running) -> None:
    alice = server.alice
    old = alice.create_folder(alice.folder("msgfolderroot"), "old")
    tree = tree_of(server)
    known, cursor = full(tree)
    alice.remove_folder(old)
    alice.create_folder(alice.folder("inbox"), "fresh")
    scan = changes(tree, cursor, known)
    assert [entry.key for entry in scan.entries] == ["INBOX/fresh"]
    assert scan.vanished == (known["old"].id,)


def test_a_server_that_chokes_on_the_full_request_is_asked_in_parts(server: Running) -> None:
    expected, _ = full(tree_of(server))
    server.switch(hierarchy_500=True)
    found, cursor = full(tree_of(server))
    assert found == expected
    server.alice.create_folder(server.alice.folder("inbox"), "fresh")
    scan = changes(tree_of(server), cursor, found)
    assert [entry.key for entry in scan.entries] == ["INBOX/fresh"]
    assert not scan.first


def test_a_forgotten_state_lists_everything(server: Running) -> None:
    tree = tree_of(server)
    _, cursor = full(tree)
    server.switch(forget_sync_states=True)
    (scan,) = tree.scan(cursor, never)
    assert scan.first


def test_a_change_below_an_unknown_parent_lists_everything(server: Running) -> None:
    tree = tree_of(server)
    known, cursor = full(tree)
    alice = server.alice
    alice.create_folder(alice.create_folder(alice.folder("msgfolderroot"), "a"), "b")

    def hook(body: bytes, forward: Callable[[], Reply]) -> Reply:
        reply = forward()
        if b"<m:SyncState>" in body and is_operation(body, "SyncFolderHierarchy"):
            start = reply.body.find(b"<t:Create>")
            return Reply(200, reply.body[:start] + reply.body[reply.body.find(b"</t:Create>", start) + 11 :])
        return reply

    with relay(server.url, hook) as between:
        scan = changes(ExchangeTree(connection(between.url), special=tree.special()), cursor, known)
    assert scan.first
    assert {"a", "a/b"} <= {entry.key for entry in scan.entries}


def test_cycles_and_orphans_end(server: Running) -> None:
    def folder(ident: str, parent: str) -> str:
        ids = f'<t:FolderId Id="{ident}"/><t:ParentFolderId Id="{parent}"/>'
        return f"<t:Create><t:Folder>{ids}<t:DisplayName>{ident}</t:DisplayName></t:Folder></t:Create>"

    listed = "".join((folder("a", "b"), folder("b", "a"), folder("c", "nowhere"), folder("d", "d"), folder("root", "root")))
    last = "<m:IncludesLastFolderInRange>true</m:IncludesLastFolderInRange>"
    page = f"<m:SyncState>s</m:SyncState>{last}<m:Changes>{listed}</m:Changes>"
    answer = Reply(200, response("SyncFolderHierarchy", message("SyncFolderHierarchy", page)))
    with relay("", lambda _, __: answer) as between:
        found, _ = full(ExchangeTree(connection(between.url), special={"msgfolderroot": "root", "inbox": "i"}))
    assert len(found) == 4
    assert {"c", "d"} <= set(found)


# ---- the probe


def test_the_stamp_of_a_folder_moves_with_what_is_in_it(server: Running) -> None:
    tree = tree_of(server)
    before = tree.survey().stamps
    inbox = tree.special()["inbox"]
    assert before[inbox]
    server.alice.add_mime(
        server.alice.folder("inbox"), mail(1), read=False, flagged=False, answered=False, forwarded=False, draft=False
    )
    after = tree.survey().stamps
    assert {ident for ident in after if after[ident] != before[ident]} == {inbox}


def test_a_server_without_stamps_says_so(server: Running) -> None:
    server.switch(ignore_commit_time=True)
    assert set(tree_of(server).survey().stamps.values()) == {""}


def test_the_probe_sees_more_folders_than_a_page_holds() -> None:
    with sandbox_server.running(seed="bulk:0/1050") as server:
        assert len(tree_of(server).survey().stamps) > 1050


# ---- changes


def test_folders_are_made_once(server: Running) -> None:
    tree = tree_of(server)
    made = tree.create("a%2Fb")
    below = tree.create("a%2Fb/c")
    assert tree.create("a%2Fb").id == made.id
    assert tree_of(server).create("A%2Fb/C").id == below.id
    found, _ = full(tree)
    assert found["a%2Fb/c"].id == below.id


def test_a_folder_without_parent_is_not_made(server: Running) -> None:
    with pytest.raises(BadItem, match="no folder x"):
        tree_of(server).create("x/y")


def test_folders_are_renamed_and_moved_and_that_once(server: Running) -> None:
    tree = tree_of(server)
    tree.create("a")
    b = tree.create("b")
    c = tree.move(b, "c")
    assert (c.id, c.key) == (b.id, "c")
    assert tree.move(c, "a/d").id == b.id
    server.reset()
    assert tree.move(b, "a/d").key == "a/d"
    assert "MoveFolder" not in server.stats()["requests"]
    found, _ = full(tree_of(server))
    assert found["a/d"].id == b.id


def test_only_an_empty_folder_is_deleted_and_it_can_be_found_in_deleted_items(server: Running) -> None:
    tree = tree_of(server)
    parent = tree.create("a")
    child = tree.create("a/b")
    with pytest.raises(BadItem, match="not empty"):
        tree.delete(parent)
    tree.delete(child)
    tree.delete(parent)
    found, _ = full(tree_of(server))
    assert "Deleted Items/a" in found


def test_a_folder_with_mail_is_not_deleted(server: Running) -> None:
    tree = tree_of(server)
    made = tree.create("a")
    inbox = server.alice.folder("inbox")
    item = server.alice.add_mime(inbox, mail(1), read=True, flagged=False, answered=False, forwarded=False, draft=False)
    there = next(folder for folder in server.alice.folder("msgfolderroot").descendants() if folder.name == "a")
    server.alice.move(item, there)
    with pytest.raises(BadItem, match="not empty"):
        tree.delete(made)


@pytest.mark.parametrize("name", ["inbox", "sentitems"])
def test_the_folders_that_make_the_mailbox_stay(server: Running, name: str) -> None:
    tree = tree_of(server)
    entry = Entry(tree.special()[name], "x")
    with pytest.raises(BadItem):
        tree.delete(entry)
    with pytest.raises(BadItem):
        tree.move(entry, "y")


def test_special_folders_that_a_mailbox_does_not_have_are_left_out(server: Running) -> None:
    def hook(body: bytes, forward: Callable[[], Reply]) -> Reply:
        reply = forward()
        root = soap.parse(reply.body)
        answers = root.findall(f".//{{{soap.MESSAGES}}}GetFolderResponseMessage")
        found = answers[-1].find(f"{{{soap.MESSAGES}}}ResponseCode")
        assert found is not None
        found.text = "ErrorFolderNotFound"
        answers[-1].set("ResponseClass", "Error")
        from lxml import etree

        return Reply(200, etree.tostring(root))

    with relay(server.url, hook) as between:
        special = tree_of(server, between.url).special()
    assert "tasks" not in special
    assert "inbox" in special


def test_a_refusal_says_what_the_server_says(server: Running) -> None:
    def hook(body: bytes, forward: Callable[[], Reply]) -> Reply:
        return fault("ErrorAccessDenied") if is_operation(body, "CreateFolder") else forward()

    with relay(server.url, hook) as between, pytest.raises(BadItem, match="ErrorAccessDenied"):
        tree_of(server, between.url).create("x")


def test_a_stamp_is_not_trusted_while_the_folder_may_change_within_its_second(server: Running) -> None:
    """PidTagLocalCommitTimeMax has whole seconds: the next change may hide behind the one that was seen."""
    tree = tree_of(server)
    inbox, drafts = server.alice.folder("inbox"), server.alice.folder("drafts")
    server.alice.add_mime(inbox, mail(1))
    before, after = tree.survey().stamps, tree.survey().stamps
    assert before[server.alice.folder_id(inbox)] != after[server.alice.folder_id(inbox)], "something happened just now"
    assert before[server.alice.folder_id(drafts)] == after[server.alice.folder_id(drafts)], "nothing happened for an hour"


def test_a_server_that_refuses_everything_in_ones_own_mailbox_does_not_know_rights(server: Running) -> None:
    def hook(body: bytes, forward: Callable[[], Reply]) -> Reply:
        answer = forward()
        part = re.compile(rb"(<t:(?:Create\w+|Delete|Modify)>)true")
        return Reply(200, part.sub(rb"\1false", answer.body))

    with relay(server.url, hook) as between:
        own = ExchangeTree(connection(between.url)).survey()
        shared = ExchangeTree(connection(between.url, mailbox="alice@example.test")).survey()
    assert own.stamps and not own.refused
    assert all(Refusal.CHANGE in refused for refused in shared.refused.values()) and shared.refused.keys() == shared.stamps.keys()
    assert not tree_of(server).survey().refused
