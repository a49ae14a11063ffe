"""Synchronisation of items and of the folder tree."""

from __future__ import annotations

import datetime as dt
import random

import pytest
from lxml import etree

from ews_bridge.sandbox.mapi import Bag
from ews_bridge.sandbox.markup import M
from ews_bridge.sandbox.markup import T
from ews_bridge.sandbox.markup import m
from ews_bridge.sandbox.markup import t
from ews_bridge.sandbox.operations import OPERATIONS
from ews_bridge.sandbox.operations import Call
from ews_bridge.sandbox.store import Item

from .sandbox_calls import MESSAGE
from .sandbox_calls import Client
from .sandbox_calls import Sync
from .sandbox_calls import codes
from .sandbox_calls import extended
from .sandbox_calls import item_ids
from .sandbox_calls import new_client
from .sandbox_calls import set_field

UNREAD = extended("0x0E07", "Integer", "0")


def delete(client: Client, item_id: str) -> None:
    client.ok("DeleteItem", f'<m:ItemIds><t:ItemId Id="{item_id}"/></m:ItemIds>', DeleteType="HardDelete")


def retitle(client: Client, item_id: str) -> None:
    client.update(item_id, set_field("item:Subject", "<t:Subject>New</t:Subject>"))


def test_first_synchronisation_brings_the_newest_first() -> None:
    client = new_client()
    inbox = client.mailbox.folder("inbox")
    days = [3, 1, 5, 2, 4]
    made = {
        day: client.mailbox.item_id(client.mailbox.add_mime(inbox, MESSAGE, received=dt.datetime(2024, 1, day, tzinfo=dt.UTC)))
        for day in days
    }
    pages: list[tuple[str, str]] = []
    answer = client.sync(most=2)
    while True:
        pages += answer.changes
        if answer.last:
            break
        assert len(answer.changes) == 2
        answer = client.sync(answer.state, most=2)
    assert pages == [("Create", made[day]) for day in (5, 4, 3, 2, 1)]
    assert client.sync(answer.state).changes == []


def test_each_item_has_one_change_however_often_it_changed() -> None:
    client = new_client()
    kept, read, gone = (client.upload(MESSAGE, extra=UNREAD) for _ in range(3))
    state = client.sync().state
    retitle(client, kept)
    client.mark_read(kept)
    retitle(client, kept)
    client.mark_read(read)
    delete(client, gone)
    fresh = client.upload(MESSAGE)
    retitle(client, fresh)
    passing = client.upload(MESSAGE)
    delete(client, passing)
    answer = client.sync(state)
    assert sorted(answer.changes) == sorted([("Update", kept), ("ReadFlagChange", read), ("Delete", gone), ("Create", fresh)])
    changed = next(one for one in answer.elements if one.tag == t("ReadFlagChange"))
    assert changed.findtext(t("IsRead")) == "true"
    assert client.sync(answer.state).changes == []
    assert sorted(client.sync(state).changes) == sorted(answer.changes)


def test_a_moved_item_is_deleted_here_and_created_there() -> None:
    client = new_client()
    made = client.upload(MESSAGE)
    here, there = client.sync().state, client.sync(folder="drafts").state
    request = f'<m:ToFolderId>{client.id("drafts")}</m:ToFolderId><m:ItemIds><t:ItemId Id="{made}"/></m:ItemIds>'
    moved = item_ids(client.ok("MoveItem", request))[0]
    assert client.sync(here).changes == [("Delete", made)]
    assert client.sync(there, folder="drafts").changes == [("Create", moved)]


@pytest.mark.parametrize("seed", range(20))
def test_a_mirror_follows_a_folder_that_changes_between_pages(seed: int) -> None:
    chance = random.Random(seed)
    client = new_client()
    mirror: dict[str, tuple[str, bool]] = {}
    state = ""
    for _ in range(30):
        for _ in range(chance.randrange(4)):
            alive = item_ids(client.find(folder="inbox"))
            action = chance.randrange(5)
            if action < 2 or not alive:
                client.upload(MESSAGE, extra=UNREAD)
            elif action == 2:
                delete(client, chance.choice(alive))
            elif action == 3:
                retitle(client, chance.choice(alive))
            else:
                client.mark_read(chance.choice(alive), read=chance.random() < 0.5)
        state = follow(client, state, mirror, chance.randrange(1, 4))
    for _ in range(100):
        answer = client.sync(state, most=7, extra=SHOWN)
        apply(answer, mirror)
        state = answer.state
        if answer.last and not answer.changes:
            break
    assert mirror == {client.mailbox.item_id(item): (subject(item.props), item.read) for item in inbox_items(client)}


SHOWN = '<t:FieldURI FieldURI="item:Subject"/><t:FieldURI FieldURI="message:IsRead"/>'


def inbox_items(client: Client) -> list[Item]:
    return list(client.mailbox.folder("inbox").items.values())


def subject(props: Bag) -> str:
    return str(props[0x0037][1]) if 0x0037 in props else "Lunch"


def follow(client: Client, state: str, mirror: dict[str, tuple[str, bool]], most: int) -> str:
    answer = client.sync(state, most=most, extra=SHOWN)
    assert answer.code == "NoError"
    assert len(answer.changes) <= most
    apply(answer, mirror)
    return answer.state


def apply(answer: Sync, mirror: dict[str, tuple[str, bool]]) -> None:
    for (kind, item_id), element in zip(answer.changes, answer.elements, strict=True):
        if kind == "Delete":
            mirror.pop(item_id, None)
        elif kind == "ReadFlagChange":
            mirror[item_id] = (mirror[item_id][0], element.findtext(t("IsRead")) == "true")
        else:
            assert (item_id in mirror) == (kind == "Update")
            shown = element[0]
            mirror[item_id] = (shown.findtext(t("Subject")) or "", shown.findtext(t("IsRead")) == "true")


def test_states_that_are_garbage_foreign_or_forgotten_are_refused() -> None:
    client = new_client()
    client.upload(MESSAGE)
    good = client.sync().state
    other = client.sync(folder="drafts").state
    tree = hierarchy(client).state
    for bad in ("garbage", good[:-4], good[:-8] + "AAAAAAA=", other, tree):
        answer = client.sync(bad)
        assert answer.code == "ErrorInvalidSyncStateData"
        assert answer.state == ""
        assert answer.last
    client.mailbox.forget_sync_states()
    assert client.sync(good).code == "ErrorInvalidSyncStateData"
    assert hierarchy(client, tree).code == "ErrorInvalidSyncStateData"
    assert client.sync(client.sync().state).code == "NoError"


def test_ignored_items_are_passed_over_and_mime_is_refused() -> None:
    client = new_client()
    first, second = client.upload(MESSAGE), client.upload(MESSAGE)
    assert client.sync(ignore=f'<t:ItemId Id="{first}"/>').changes == [("Create", second)]
    mime = "<t:IncludeMimeContent>true</t:IncludeMimeContent>"
    assert client.sync(shape=mime).code == "ErrorInvalidPropertyForOperation"


def test_cost_follows_the_changes_and_not_the_size_of_the_folder() -> None:
    client = new_client()
    inbox = client.mailbox.folder("inbox")
    items = [client.mailbox.add_mime(inbox, MESSAGE) for _ in range(3000)]
    state = ""
    while True:
        answer = client.sync(state)
        state = answer.state
        if answer.last:
            break
    client.mark_read(client.mailbox.item_id(items[5]))
    since = client.world.change - 1
    assert len(inbox.changed_between(since, client.world.change, 0)) == 1
    for _ in range(5):
        for item in items[:1500]:
            client.mailbox.touch(item, was_read=item.read, read_only=False)
    assert len(inbox.changes) < 8000
    assert len(client.sync(state, most=512).changes) == 512


def hierarchy(client: Client, state: str = "", top: str = "msgfolderroot") -> Sync:
    given = f"<m:SyncState>{state}</m:SyncState>" if state else ""
    return Sync(
        client.call(
            "SyncFolderHierarchy",
            "<m:FolderShape><t:BaseShape>Default</t:BaseShape></m:FolderShape>"
            f"<m:SyncFolderId>{client.id(top)}</m:SyncFolderId>{given}",
        )
    )


def test_hierarchy_reports_folders_made_changed_and_gone() -> None:
    client = new_client()
    user = client.mailbox
    first = hierarchy(client)
    assert {kind for kind, _ in first.changes} == {"Create"}
    assert len(first.changes) == len(user.folder("msgfolderroot").descendants())
    made = user.create_folder(user.folder("inbox"), "Projects")
    renamed = user.folder("notes")
    user.rename_folder(renamed, "Papers")
    passing = user.create_folder(user.folder("inbox"), "Passing")
    user.remove_folder(passing)
    answer = hierarchy(client, first.state)
    assert sorted(answer.changes) == sorted([("Create", user.folder_id(made)), ("Update", user.folder_id(renamed))])
    user.move_folder(made, user.folder("drafts"))
    later = hierarchy(client, answer.state)
    assert later.changes == [("Update", user.folder_id(made))]
    user.remove_folder(made)
    assert hierarchy(client, later.state).changes == [("Delete", user.folder_id(made))]
    assert hierarchy(client, top="inbox").code == "NoError"


def test_hierarchy_of_the_root_needs_no_folder_id() -> None:

    client = new_client()
    request = etree.fromstring(
        f'<m:SyncFolderHierarchy xmlns:m="{M}" xmlns:t="{T}"><m:FolderShape><t:BaseShape>IdOnly</t:BaseShape>'
        "</m:FolderShape></m:SyncFolderHierarchy>"
    )
    response = OPERATIONS["SyncFolderHierarchy"](Call(client.world, client.mailbox), request)
    assert codes(response) == ["NoError"]
    assert len(list(response.iter(t("Create")))) == len(client.mailbox.folders) - 1
    assert response.findtext(f".//{m('IncludesLastFolderInRange')}") == "true"


def test_sync_of_an_unknown_folder_is_refused() -> None:
    client = new_client()
    assert client.sync(folder="archiveinbox").code == "ErrorSyncFolderNotFound"
