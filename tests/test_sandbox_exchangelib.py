"""exchangelib's ordinary object API, as its documentation shows it, against the sandbox: a client that we did not write."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator
from dataclasses import dataclass

import pytest
from exchangelib import BASIC
from exchangelib import DELEGATE
from exchangelib import NTLM
from exchangelib import UTC
from exchangelib import Account
from exchangelib import Configuration
from exchangelib import Credentials
from exchangelib import EWSDateTime
from exchangelib import ExtendedProperty
from exchangelib import FileAttachment
from exchangelib import HTMLBody
from exchangelib import ItemAttachment
from exchangelib import Mailbox
from exchangelib import Message
from exchangelib.errors import DoesNotExist
from exchangelib.errors import ErrorDeleteDistinguishedFolder
from exchangelib.errors import ErrorFolderExists
from exchangelib.errors import ErrorInvalidSyncStateData
from exchangelib.errors import ErrorItemNotFound
from exchangelib.errors import ErrorNameResolutionNoResults
from exchangelib.errors import ErrorSchemaValidation
from exchangelib.errors import UnauthorizedError
from exchangelib.folders import FolderCollection
from exchangelib.folders import Messages
from exchangelib.items import HARD_DELETE
from exchangelib.protocol import close_connections

from ews_bridge.sandbox import rights
from ews_bridge.sandbox.frontend import Options
from tests.sandbox_server import ALICE
from tests.sandbox_server import BOB
from tests.sandbox_server import Running
from tests.sandbox_server import running


@dataclass
class Office:
    """A server and two people who use it."""

    server: Running
    alice: Account
    bob: Account


def sign_in(server: Running, user: tuple[str, str] = ALICE, auth_type: str | None = BASIC) -> Account:
    settings = Configuration(service_endpoint=server.url, credentials=Credentials(*user), auth_type=auth_type)
    return Account(user[0], config=settings, access_type=DELEGATE, autodiscover=False, default_timezone=UTC)


@pytest.fixture
def office() -> Iterator[Office]:
    with running(seed="demo") as server:
        yield Office(server, sign_in(server), sign_in(server, BOB))
        close_connections()


@pytest.mark.parametrize("auth_type", [BASIC, NTLM, None])
def test_every_way_to_sign_in(auth_type: str | None) -> None:
    with running(seed="demo") as server:
        account = sign_in(server, auth_type=auth_type)
        assert account.inbox.total_count == 18
        assert account.version.build.major_version == 15
        assert account.version.api_version == "Exchange2016"
        close_connections()


@pytest.mark.parametrize("scheme", ["basic", "ntlm"])
def test_a_wrong_password_is_an_error(scheme: str) -> None:
    with running(options=Options(schemes=frozenset({scheme}))) as server:
        with pytest.raises(UnauthorizedError):
            assert sign_in(server, (ALICE[0], "wrong"), None).inbox
        assert server.stats()["sign_ins"] == 0
        close_connections()


def test_the_tree_can_be_walked(office: Office) -> None:
    account = office.alice
    names = {folder.name for folder in account.msg_folder_root.walk()}
    assert {"Inbox", "Projects", "Tide clock", "Überholung Turmuhr", "Семья"} <= names
    assert (account.root // "Top of Information Store" // "Projects" // "Tide clock").total_count == 5
    assert (account.msg_folder_root / "Archive" / "2025").total_count == 4
    assert "Tide clock" in account.root.tree()
    assert [folder.name for folder in account.msg_folder_root.glob("Pro*/T*")] == ["Tide clock"]
    for known in (account.inbox, account.drafts, account.sent, account.trash, account.junk, account.outbox):
        assert known.total_count is not None
    assert account.calendar and account.contacts and account.tasks


def test_items_are_found_sorted_filtered_and_counted(office: Office) -> None:
    inbox = office.alice.inbox
    every = list(inbox.all())
    assert len(every) == inbox.total_count == inbox.all().count() == 18
    newest = [item.datetime_received for item in inbox.all().order_by("-datetime_received").only("datetime_received")]
    assert newest == sorted(newest, reverse=True)
    assert inbox.filter(is_read=False).count() == inbox.unread_count
    assert [item.subject for item in inbox.filter(subject__contains="Zahnräder")] == ["Prüfung der Zahnräder"]
    assert [item.subject for item in inbox.filter(subject__icontains="zahnRÄDER")] == ["Prüfung der Zahnräder"]
    assert inbox.filter(subject__startswith="RE: Déj").count() == 1
    later = EWSDateTime(2026, 3, 8, tzinfo=UTC)
    assert inbox.filter(datetime_received__gte=later).count() == sum(item.datetime_received >= later for item in every)
    assert inbox.exclude(is_read=True).count() == inbox.unread_count
    assert inbox.filter(has_attachments=True).exists() and not inbox.filter(subject="nothing like it").exists()
    assert inbox.filter("subject:Zahnräder").count() == 1
    rows = list(inbox.all().order_by("subject").values("subject", "size")[:3])
    assert all(row["size"] > 0 for row in rows)
    both = FolderCollection(account=office.alice, folders=[office.alice.inbox, office.alice.sent])
    assert both.filter(subject="RE: Déjeuner jeudi ?").count() == 2
    with pytest.raises(DoesNotExist):
        inbox.get(subject="nothing like it")


def test_an_item_is_read_in_full(office: Office) -> None:
    item = office.alice.inbox.get(subject="Your order 4711 has been shipped")
    assert isinstance(item.body, HTMLBody) and "<b>brass</b>" in item.body
    assert item.text_body.strip() == "Two pallets of brass are on their way to you."
    assert item.sender.email_address == "shop@clocks.example.test"
    assert item.to_recipients[0].email_address == ALICE[0]
    assert item.message_id == "<0016.shop@clocks.example.test>"
    assert item.datetime_sent == EWSDateTime(2026, 3, 8, 12, 48, tzinfo=UTC)
    assert b"Two pallets" in item.mime_content
    assert {header.name for header in item.headers} >= {"From", "To", "Subject", "Message-ID"}
    drawing = office.alice.inbox.get(subject__startswith="Zeichnung")
    names = {attachment.name: attachment.content for attachment in drawing.attachments}
    assert set(names) == {"Hemmung.png", "Maße für Größe 7.csv"}
    assert names["Maße für Größe 7.csv"].decode() == "Rad;Zähne\nA;36\nB;12\n"


def test_a_draft_is_saved_changed_and_sent(office: Office) -> None:
    draft = Message(account=office.alice, folder=office.alice.drafts, subject="Grüße", body="Hallo", to_recipients=[BOB[0]])
    draft.save()
    key = draft.changekey
    draft.subject, draft.importance, draft.categories = "Grüße 2", "High", ["rot", "blau"]
    draft.save()
    assert draft.changekey != key
    draft.refresh()
    assert (draft.subject, draft.importance, draft.categories, draft.is_draft) == ("Grüße 2", "High", ["rot", "blau"], True)
    draft.categories = None
    draft.save(update_fields=["categories"])
    draft.refresh()
    assert not draft.categories
    draft.send()
    assert not office.alice.drafts.filter(subject="Grüße 2").exists()
    assert not office.alice.sent.get(subject="Grüße 2").is_draft
    received = office.bob.inbox.get(subject="Grüße 2")
    assert (received.is_read, received.is_draft, received.sender.email_address) == (False, False, ALICE[0])
    assert office.server.stats()["sent"] == 1


def test_mail_is_sent_with_and_without_a_copy_and_answered(office: Office) -> None:
    Message(account=office.alice, subject="only sent", body="x", to_recipients=[Mailbox(email_address=BOB[0])]).send(
        save_copy=False
    )
    assert not office.alice.sent.filter(subject="only sent").exists()
    question = Message(
        account=office.alice, folder=office.alice.sent, subject="Which oil?", body=HTMLBody("<i>Hm.</i>"), to_recipients=[BOB[0]]
    )
    question.attach(FileAttachment(name="Öl.txt", content=b"thin"))
    question.send_and_save()
    assert office.alice.sent.filter(subject="Which oil?").count() == 1
    received = office.bob.inbox.get(subject="Which oil?")
    assert [attachment.content for attachment in received.attachments] == [b"thin"]
    received.reply(subject="RE: Which oil?", body="The thin one.")
    answer = office.alice.inbox.get(subject="RE: Which oil?")
    assert "The thin one." in answer.body and answer.in_reply_to == received.message_id
    received.forward(subject="FW: Which oil?", body="See below.", to_recipients=[ALICE[0]])
    assert office.alice.inbox.filter(subject="FW: Which oil?").count() == 1
    saved = received.create_reply_all(subject="RE: later", body="Later.").save(office.bob.drafts)
    assert office.bob.drafts.get(id=saved.id, changekey=saved.changekey).subject == "RE: later"


def test_items_are_moved_copied_and_deleted(office: Office) -> None:
    account = office.alice
    item = account.inbox.get(subject="Маятник готов")
    before = item.id
    item.move(account.msg_folder_root / "Archive")
    assert item.id != before and item.subject == "Маятник готов"
    copied = item.copy(account.inbox)
    assert copied[0] != item.id and account.inbox.filter(subject="Маятник готов").count() == 1
    item.move_to_trash()
    assert account.trash.filter(subject="Маятник готов").count() == 1
    account.trash.get(subject="Маятник готов").soft_delete()
    assert account.recoverable_items_deletions.filter(subject="Маятник готов").count() == 1
    gone = account.inbox.get(subject="Маятник готов")
    before = gone.id
    gone.delete()
    assert not account.inbox.filter(subject="Маятник готов").exists()
    assert isinstance(next(account.fetch([(before, None)])), ErrorItemNotFound)


def test_attachments_come_and_go(office: Office) -> None:
    item = Message(account=office.alice, folder=office.alice.drafts, subject="with things").save()
    item.attach(FileAttachment(name="data.bin", content=bytes(range(256)) * 50))
    item.attach(ItemAttachment(name="inner", item=Message(subject="inner", body="inside")))
    again = office.alice.drafts.get(subject="with things")
    assert again.has_attachments
    held = {attachment.name: attachment for attachment in again.attachments}
    assert held["data.bin"].content == bytes(range(256)) * 50
    assert held["inner"].item.subject == "inner"
    again.detach(held["data.bin"])
    again.refresh()
    assert [attachment.name for attachment in again.attachments] == ["inner"]


def test_items_are_kept_in_step(office: Office) -> None:
    inbox = office.alice.inbox
    assert [change for change, _ in inbox.sync_items()] == ["create"] * 18
    assert list(inbox.sync_items()) == []
    read, moved, deleted = inbox.filter(is_read=False)[:3]
    read.is_read = True
    read.save(update_fields=["is_read"])
    moved.move(office.alice.trash)
    deleted.delete()
    Message(account=office.alice, folder=inbox, subject="new").save()
    changes = sorted(change for change, _ in inbox.sync_items(max_changes_returned=2))
    assert changes == ["create", "delete", "delete", "read_flag_change"]
    office.server.switch(forget_sync_states=True)
    with pytest.raises(ErrorInvalidSyncStateData):
        list(inbox.sync_items())


def test_folders_are_kept_in_step(office: Office) -> None:
    root = office.alice.root
    seen = [change for change, _ in root.sync_hierarchy()]
    assert len(seen) > 20 and set(seen) == {"create"}
    folder = Messages(parent=office.alice.inbox, name="New").save()
    assert [(change, item.name) for change, item in root.sync_hierarchy()] == [("create", "New")]
    folder.name = "Newer"
    folder.save(update_fields=["name"])
    assert [(change, item.name) for change, item in root.sync_hierarchy()] == [("update", "Newer")]
    folder.delete()
    assert [change for change, _ in root.sync_hierarchy()] == ["delete"]


def test_folders_are_made_renamed_moved_emptied_and_removed(office: Office) -> None:
    account = office.alice
    folder = Messages(parent=account.inbox, name="Werkstatt").save()
    with pytest.raises(ErrorFolderExists):
        Messages(parent=account.inbox, name="werkstatt").save()
    folder.name = "Shed"
    folder.save()
    folder.refresh()
    assert folder.name == "Shed"
    folder.move(account.msg_folder_root)
    assert (account.msg_folder_root / "Shed").id == folder.id
    account.bulk_create(folder, [Message(subject=str(number)) for number in range(5)])
    assert folder.all().count() == 5
    folder.empty(delete_type=HARD_DELETE)
    assert folder.all().count() == 0
    folder.delete()
    account.root.clear_cache()
    assert "Shed" not in [child.name for child in account.msg_folder_root.children]
    with pytest.raises(ErrorDeleteDistinguishedFolder):
        account.inbox.delete()


def test_many_items_at_once(office: Office) -> None:
    account = office.alice
    made = account.bulk_create(account.drafts, [Message(subject=f"many {n}", body="x") for n in range(30)])
    items = list(account.fetch(made))
    assert [item.subject for item in items] == [f"many {n}" for n in range(30)]
    for item in items:
        item.importance = "High"
    assert len(account.bulk_update([(item, ["importance"]) for item in items])) == 30
    assert account.drafts.filter(subject__startswith="many", importance="High").count() == 30
    moved = account.bulk_move(account.drafts.filter(subject__startswith="many"), to_folder=account.inbox)
    assert len(account.bulk_copy(moved, to_folder=account.junk)) == 30
    assert account.bulk_delete(moved) == [True] * 30
    assert account.inbox.filter(subject__startswith="many").count() == 0
    # One id that is wrong spoils only itself.
    mixed = list(account.fetch([account.inbox.all()[0], moved[0], account.inbox.all()[1]]))
    assert [isinstance(each, ErrorItemNotFound) for each in mixed] == [False, True, False]


class Token(ExtendedProperty):  # type: ignore[misc]
    property_set_id = "c11ff724-aa03-4555-9952-8fa248a11c3e"
    property_name = "sandbox-token"
    property_type = "String"


class FlagStatus(ExtendedProperty):  # type: ignore[misc]
    property_tag = 0x1090
    property_type = "Integer"


class Keywords(ExtendedProperty):  # type: ignore[misc]
    distinguished_property_set_id = "PublicStrings"
    property_name = "Keywords"
    property_type = "StringArray"


class Received(ExtendedProperty):  # type: ignore[misc]
    property_tag = 0x0E06
    property_type = "SystemTime"


class Flags(ExtendedProperty):  # type: ignore[misc]
    property_tag = 0x0E07
    property_type = "Integer"


REGISTERED = {"token": Token, "flag_status": FlagStatus, "keywords": Keywords, "received": Received, "message_flags": Flags}


@pytest.fixture
def extended() -> Iterator[None]:
    for name, kind in REGISTERED.items():
        Message.register(name, kind)
    yield
    for name in REGISTERED:
        Message.deregister(name)


@pytest.mark.usefixtures("extended")
def test_extended_properties_are_kept_and_searched(office: Office) -> None:
    drafts = office.alice.drafts
    Message(account=office.alice, folder=drafts, subject="tagged", token="hällo", flag_status=2, keywords=["a", "ö"]).save()
    item = drafts.get(subject="tagged")
    assert (item.token, item.flag_status, item.keywords) == ("hällo", 2, ["a", "ö"])
    assert [found.id for found in drafts.filter(token="hällo")] == [item.id]
    item.token = None
    item.save(update_fields=["token"])
    item.refresh()
    assert item.token is None and item.flag_status == 2


@pytest.mark.usefixtures("extended")
def test_mail_is_imported_as_received(office: Office) -> None:
    mime = b"From: x@y.test\r\nSubject: old\r\nMessage-ID: <old@y.test>\r\nDate: Mon, 02 Mar 2020 08:00:00 +0000\r\n\r\nb\r\n"
    when = EWSDateTime(2020, 3, 2, 9, 30, tzinfo=UTC)
    Message(
        account=office.alice, folder=office.alice.inbox, mime_content=mime, message_flags=1, received=when, is_read=True
    ).save()
    item = office.alice.inbox.get(subject="old")
    assert (item.is_draft, item.is_read, item.datetime_received, item.message_id) == (False, True, when, "<old@y.test>")
    assert item.datetime_sent == dt.datetime(2020, 3, 2, 8, tzinfo=dt.UTC)


def test_names_are_resolved(office: Office) -> None:
    protocol = office.alice.protocol
    assert protocol.version  # exchangelib looks for it only when asked
    ((mailbox, contact),) = protocol.resolve_names(["bob"], return_full_contact_data=True)
    assert mailbox.email_address == BOB[0] and contact.display_name == "Bob Sender"
    (nobody,) = protocol.resolve_names(["nobody"])
    assert isinstance(nobody, ErrorNameResolutionNoResults)
    assert list(protocol.get_timezones(return_full_timezone_data=True))


def test_delegates_are_read(office: Office) -> None:
    rights.give(office.server.world, rights.parse(f"{BOB[0]}:{ALICE[0]}:delegate"))
    (found,) = office.alice.delegates
    assert (found.user_id.primary_smtp_address, found.receive_copies_of_meeting_messages) == (BOB[0], True)
    assert found.delegate_permissions.calendar_folder_permission_level == "Editor"


def test_the_master_category_list_is_read(office: Office) -> None:
    found = office.alice.calendar.get_user_configuration("CategoryList", properties="XmlData")
    assert b'<category name="Red Category" color="0"/>' in found.xml_data


def test_what_exchangelib_gets_wrong_is_refused_as_exchange_refuses_it(office: Office) -> None:
    assert office.alice.version
    with pytest.raises(ErrorSchemaValidation):
        list(office.alice.protocol.resolve_names(["bob", "alice"]))  # the schema allows one entry
