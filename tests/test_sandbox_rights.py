"""The sandbox's rights in the mailboxes of others: what is refused without them, and with which code."""

from __future__ import annotations

import base64
import re
from pathlib import Path

import pytest
from lxml import etree

from ews_bridge.sandbox import rights
from ews_bridge.sandbox.markup import local
from ews_bridge.sandbox.markup import t
from ews_bridge.sandbox.world import World

from .sandbox_calls import MESSAGE
from .sandbox_calls import Client
from .sandbox_calls import codes
from .sandbox_calls import item_ids
from .sandbox_calls import new_client
from .sandbox_calls import set_field

OFFICE = "office@example.test"
SHOWN = "<t:AdditionalProperties>{}</t:AdditionalProperties>"
RIGHTS = SHOWN.format('<t:FieldURI FieldURI="{}:EffectiveRights"/>')


def office(*grants: str) -> tuple[Client, Client]:
    """(alice, the owner of a shared mailbox in which she has these rights)"""
    alice = new_client()
    owner = Client(alice.world.add_user(OFFICE, "secret"))
    alice.world.add_user("carol@example.test", "secret")
    rights.give(alice.world, [one for text in grants for one in rights.parse(f"{alice.mailbox.address}:{text}")])
    return alice, owner


def theirs(name: str) -> str:
    owner = f"<t:Mailbox><t:EmailAddress>{OFFICE}</t:EmailAddress></t:Mailbox>"
    return f'<t:DistinguishedFolderId Id="{name}">{owner}</t:DistinguishedFolderId>'


def folder_id(owner: Client, name: str) -> str:
    return f'<t:FolderId Id="{owner.mailbox.folder_id(owner.mailbox.folder(name))}"/>'


def sent(client: Client, sender: str, *, copy: str = "", more: str = "") -> list[str]:
    """Send a message from `sender`; the response codes."""
    mime = f"From: {sender}\r\n{more}To: carol@example.test\r\nSubject: x\r\nMessage-ID: <x@example.test>\r\n\r\nx\r\n".encode()
    item = f"<t:Message><t:MimeContent>{base64.b64encode(mime).decode()}</t:MimeContent></t:Message>"
    into = f"<m:SavedItemFolderId>{copy}</m:SavedItemFolderId>" if copy else ""
    return codes(client.call("CreateItem", f"{into}<m:Items>{item}</m:Items>", MessageDisposition="SendAndSaveCopy"))


def arrived(client: Client) -> bytes:
    (item,) = client.world.users["carol@example.test"].folder("inbox").items.values()
    return item.mime


def rights_of(element: etree._Element) -> set[str]:
    found = element.find(f".//{t('EffectiveRights')}")
    assert found is not None
    return {local(each) for each in found if each.text == "true"}


def get_folder(client: Client, folder: str) -> etree._Element:
    shape = f"<m:FolderShape><t:BaseShape>IdOnly</t:BaseShape>{RIGHTS.format('folder')}</m:FolderShape>"
    return client.call("GetFolder", f"{shape}<m:FolderIds>{folder}</m:FolderIds>")


def test_nothing_of_another_mailbox_can_be_reached_without_a_grant() -> None:
    alice, owner = office()
    letter = owner.upload(MESSAGE)
    assert codes(get_folder(alice, theirs("inbox"))) == ["ErrorAccessDenied"]
    assert codes(get_folder(alice, folder_id(owner, "inbox"))) == ["ErrorAccessDenied"]
    assert codes(alice.call("GetItem", alice.get_request(letter))) == ["ErrorItemNotFound"]


def test_full_access_reads_and_changes_everything_and_the_ids_are_the_owners() -> None:
    alice, owner = office(f"{OFFICE}:full")
    letter = owner.upload(MESSAGE)
    assert b"At noon?" in alice.mime(letter)
    moved = alice.ok(
        "MoveItem", f"<m:ToFolderId>{theirs('junkemail')}</m:ToFolderId><m:ItemIds><t:ItemId Id='{letter}'/></m:ItemIds>"
    )
    assert b"At noon?" in owner.mime(item_ids(moved)[0])
    assert [len(owner.mailbox.folder(name).items) for name in ("inbox", "junkemail")] == [0, 1]
    new = "<m:Folders><t:Folder><t:DisplayName>New</t:DisplayName></t:Folder></m:Folders>"
    inner = f"<m:ParentFolderId>{theirs('msgfolderroot')}</m:ParentFolderId>{new}"
    alice.ok("CreateFolder", inner)
    assert "New" in [each.name for each in owner.mailbox.folder("msgfolderroot").children]
    assert "New" not in [each.name for each in alice.mailbox.folder("msgfolderroot").children]


def test_a_message_moved_into_another_mailbox_belongs_to_it() -> None:
    alice, owner = office(f"{OFFICE}:full")
    letter = alice.upload(MESSAGE)
    moved = alice.ok(
        "MoveItem", f"<m:ToFolderId>{theirs('inbox')}</m:ToFolderId><m:ItemIds><t:ItemId Id='{letter}'/></m:ItemIds>"
    )
    assert b"At noon?" in owner.mime(item_ids(moved)[0])
    assert not alice.mailbox.folder("inbox").items


def test_a_reviewer_reads_and_may_change_nothing() -> None:
    alice, owner = office(f"{OFFICE}/Inbox:reviewer")
    letter = owner.upload(MESSAGE)
    assert b"At noon?" in alice.mime(letter)
    ids = f"<m:ItemIds><t:ItemId Id='{letter}'/></m:ItemIds>"
    assert codes(alice.update(letter, set_field("message:IsRead", "<t:IsRead>true</t:IsRead>"))) == ["ErrorAccessDenied"]
    assert codes(alice.call("DeleteItem", ids, DeleteType="HardDelete")) == ["ErrorAccessDenied"]
    assert codes(alice.call("MoveItem", f"<m:ToFolderId>{alice.id('inbox')}</m:ToFolderId>{ids}")) == ["ErrorAccessDenied"]
    assert codes(alice.call("MoveItem", f"<m:ToFolderId>{theirs('inbox')}</m:ToFolderId>{ids}")) == [
        "ErrorCreateItemAccessDenied"
    ]
    assert set(codes(alice.call("CopyItem", f"<m:ToFolderId>{alice.id('inbox')}</m:ToFolderId>{ids}"))) == {"NoError"}
    assert rights_of(get_folder(alice, theirs("inbox"))) == {"Read"}
    assert rights_of(alice.get(letter, '<t:FieldURI FieldURI="item:EffectiveRights"/>')) == {"Read"}


def test_an_editor_changes_items_but_not_the_folder() -> None:
    """PidTagAccess of a folder speaks of the folder: Modify and Delete are its owner's."""
    alice, owner = office(f"{OFFICE}/Inbox:editor")
    letter = owner.upload(MESSAGE)
    assert rights_of(get_folder(alice, theirs("inbox"))) == {"CreateContents", "Read"}
    assert rights_of(alice.get(letter, '<t:FieldURI FieldURI="item:EffectiveRights"/>')) == {"Delete", "Modify", "Read"}
    ids = f"<m:ItemIds><t:ItemId Id='{letter}'/></m:ItemIds>"
    assert codes(alice.call("DeleteItem", ids, DeleteType="HardDelete")) == ["NoError"]
    assert codes(
        alice.call("DeleteFolder", f"<m:FolderIds>{folder_id(owner, 'inbox')}</m:FolderIds>", DeleteType="HardDelete")
    ) == ["ErrorAccessDenied"]


def test_only_what_may_be_seen_is_listed() -> None:
    alice, owner = office()
    top = owner.mailbox.folder("msgfolderroot")
    clients = owner.mailbox.create_folder(top, "Clients")
    owner.mailbox.create_folder(owner.mailbox.create_folder(clients, "Smith"), "2026")
    owner.mailbox.create_folder(clients, "Jones")
    rights.give(alice.world, rights.parse(f"{alice.mailbox.address}:{OFFICE}/Clients/Smith:reviewer"))
    found = alice.ok(
        "FindFolder",
        f"<m:FolderShape><t:BaseShape>Default</t:BaseShape></m:FolderShape><m:ParentFolderIds>{theirs('msgfolderroot')}</m:ParentFolderIds>",
        Traversal="Deep",
    )
    assert [each.text for each in found.iter(t("DisplayName"))] == ["Clients", "Smith", "2026"]
    listed = alice.ok(
        "SyncFolderHierarchy",
        f"<m:FolderShape><t:BaseShape>Default</t:BaseShape></m:FolderShape><m:SyncFolderId>{theirs('msgfolderroot')}</m:SyncFolderId>",
    )
    assert [each.text for each in listed.iter(t("DisplayName"))] == ["Clients", "Smith", "2026"]


def test_full_access_alone_does_not_send_in_the_owners_name() -> None:
    alice, _ = office(f"{OFFICE}:full")
    assert sent(alice, OFFICE, copy=theirs("sentitems")) == ["ErrorSendAsDenied"]


def test_who_may_send_as_a_mailbox_is_not_named_and_on_behalf_is() -> None:
    alice, owner = office(f"{OFFICE}:full,send-as")
    assert sent(alice, OFFICE, copy=theirs("sentitems"), more=f"Sender: {alice.mailbox.address}\r\n") == ["NoError"]
    assert b"Sender:" not in arrived(alice) and OFFICE.encode() in arrived(alice)
    assert [len(each.mailbox.folder("sentitems").items) for each in (alice, owner)] == [0, 1]
    alice, owner = office(f"{OFFICE}:send-on-behalf")
    assert sent(alice, OFFICE) == ["NoError"]
    assert re.search(rb"(?m)^Sender: .*" + re.escape(alice.mailbox.address.encode()), arrived(alice))
    assert [len(each.mailbox.folder("sentitems").items) for each in (alice, owner)] == [1, 0]


def test_a_copy_goes_only_where_items_may_be_created() -> None:
    alice, _ = office(f"{OFFICE}:send-as", f"{OFFICE}/Sent Items:reviewer")
    assert sent(alice, OFFICE, copy=theirs("sentitems")) == ["ErrorCreateItemAccessDenied"]
    assert alice.world.sent == 0


def test_rights_outlive_a_restart(tmp_path: Path) -> None:
    alice, _ = office(f"{OFFICE}:full,send-as")
    alice.world.save(tmp_path / "world")
    again = World.load(tmp_path / "world")
    assert again.grants == alice.world.grants
    assert rights.sends_for(again.users[alice.mailbox.address], again.users[OFFICE]) == "send-as"


@pytest.mark.parametrize("text", ["alice", "alice:office:full", "a@x.test:b@x.test:all", "a@x.test:b@x.test/Inbox:send-as"])
def test_a_grant_that_makes_no_sense_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="--grant"):
        rights.parse(text)
    with pytest.raises(ValueError, match="no mailbox"):
        rights.give(World(), rights.parse("a@x.test:b@x.test:full"))
