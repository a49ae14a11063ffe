"""The sandbox's mailboxes through its operations: items, their properties, and what becomes of them."""

from __future__ import annotations

import base64
import datetime as dt
from pathlib import Path

import pytest
from lxml import etree

from ews_bridge.sandbox.markup import m
from ews_bridge.sandbox.markup import t
from ews_bridge.sandbox.world import World

from .sandbox_calls import MESSAGE
from .sandbox_calls import PID
from .sandbox_calls import SCHEMA_DIR
from .sandbox_calls import Client
from .sandbox_calls import Clock
from .sandbox_calls import change_key
from .sandbox_calls import codes
from .sandbox_calls import extended
from .sandbox_calls import item_ids
from .sandbox_calls import new_client
from .sandbox_calls import only
from .sandbox_calls import set_extended
from .sandbox_calls import set_field

FLAGS = PID.format("0x0E07", "Integer")


@pytest.mark.skipif(SCHEMA_DIR is None, reason="EWS_SCHEMA_DIR is not set: answers were not validated against the schemas")
def test_answers_are_validated_against_the_published_schemas() -> None:
    client = new_client()
    client.get(client.upload(MESSAGE), base="AllProperties", shape="<t:IncludeMimeContent>true</t:IncludeMimeContent>")


def test_imported_message_keeps_its_dates_and_is_no_draft() -> None:
    client = new_client()
    extra = (
        extended("0x0E07", "Integer", "1")
        + extended("0x0E06", "SystemTime", "2020-05-05T05:05:05Z")
        + extended("0x0039", "SystemTime", "2020-05-05T05:00:00Z")
    )
    shown = client.get(client.upload(MESSAGE, "sentitems", extra), base="Default")
    assert shown.findtext(t("DateTimeReceived")) == "2020-05-05T05:05:05Z"
    assert shown.findtext(t("DateTimeSent")) == "2020-05-05T05:00:00Z"
    assert shown.findtext(t("IsDraft")) == "false"
    assert shown.findtext(t("IsRead")) == "true"


def test_message_saved_into_sent_items_is_received_now_and_elsewhere_at_its_date() -> None:
    client = new_client()
    sent = client.get(client.upload(MESSAGE, "sentitems"), base="Default")
    assert sent.findtext(t("DateTimeReceived")) == "2026-11-24T12:00:00Z"
    assert sent.findtext(t("DateTimeSent")) == "2024-01-01T09:00:00Z"
    elsewhere = client.get(client.upload(MESSAGE, "inbox"), base="Default")
    assert elsewhere.findtext(t("DateTimeReceived")) == "2024-01-01T09:00:00Z"


def test_message_moved_into_sent_items_keeps_its_date() -> None:
    client = new_client()
    draft = client.upload(MESSAGE, "drafts", extended("0x0E07", "Integer", "1"))
    moved = item_ids(client.ok("MoveItem", move_request(draft, "sentitems")))[0]
    assert moved != draft
    assert client.get(moved, base="Default").findtext(t("DateTimeReceived")) == "2024-01-01T09:00:00Z"


def move_request(item_id: str, folder: str) -> str:
    return (
        f'<m:ToFolderId><t:DistinguishedFolderId Id="{folder}"/></m:ToFolderId><m:ItemIds><t:ItemId Id="{item_id}"/></m:ItemIds>'
    )


def test_without_message_flags_a_created_message_stays_a_draft() -> None:
    client = new_client()
    draft = client.upload(MESSAGE)
    assert client.get(draft, base="Default").findtext(t("IsDraft")) == "true"
    client.update(draft, set_extended("0x0E07", "Integer", "1"))
    assert client.get(draft, base="Default").findtext(t("IsDraft")) == "true"


@pytest.mark.parametrize("written", ["0x0E07", "0xe07", "0X0E07", "0x0e07", "3591"])
def test_property_tags_are_echoed_in_lower_case_without_padding(written: str) -> None:
    client = new_client()
    shown = client.get(client.upload(MESSAGE, extra=extended("0x0E07", "Integer", "0")), PID.format(written, "Integer"))
    uri = shown.find(f".//{t('ExtendedFieldURI')}")
    assert uri is not None
    assert uri.get("PropertyTag") == "0xe07"


@pytest.mark.parametrize(
    ("kind", "value"),
    [
        ("Integer", "-5"),
        ("Long", "123456789012345"),
        ("Short", "7"),
        ("Boolean", "true"),
        ("String", "Größe <&>"),
        ("Binary", "AAECAw=="),
        ("SystemTime", "2021-02-03T04:05:06Z"),
        ("CLSID", "9bf757ae-69b5-4d8a-bf1d-2dd0c0871a28"),
        ("Double", "1.5"),
    ],
)
def test_extended_property_comes_back_as_it_was_written(kind: str, value: str) -> None:
    client = new_client()
    uri = f'<t:ExtendedFieldURI PropertySetId="9bf757ae-69b5-4d8a-bf1d-2dd0c0871a28" PropertyName="Thing" PropertyType="{kind}"/>'
    escaped = value.replace("&", "&amp;").replace("<", "&lt;")
    made = client.upload(MESSAGE, extra=f"<t:ExtendedProperty>{uri}<t:Value>{escaped}</t:Value></t:ExtendedProperty>")
    assert client.get(made, uri).findtext(f".//{t('Value')}") == value
    copied = item_ids(client.ok("CopyItem", move_request(made, "drafts")))[0]
    assert client.get(copied, uri).findtext(f".//{t('Value')}") == value


def test_string_array_keeps_order_and_its_absence_is_silent() -> None:
    client = new_client()
    guid = "9BF757AE-69B5-4D8A-BF1D-2DD0C0871A28"
    uri = f'<t:ExtendedFieldURI PropertySetId="{guid}" PropertyName="Tags" PropertyType="StringArray"/>'
    values = "<t:Values><t:Value>b</t:Value><t:Value>a</t:Value></t:Values>"
    made = client.upload(MESSAGE, extra=f"<t:ExtendedProperty>{uri}{values}</t:ExtendedProperty>")
    assert [one.text for one in client.get(made, uri).iter(t("Value"))] == ["b", "a"]
    client.update(made, f"<t:DeleteItemField>{uri}</t:DeleteItemField>")
    assert client.get(made, uri).find(t("ExtendedProperty")) is None


def test_distinguished_set_and_its_guid_name_one_property() -> None:
    client = new_client()
    named = '<t:ExtendedFieldURI DistinguishedPropertySetId="Common" PropertyId="34160" PropertyType="Boolean"/>'
    guid = '<t:ExtendedFieldURI PropertySetId="00062008-0000-0000-C000-000000000046" PropertyId="34160" PropertyType="Boolean"/>'
    made = client.upload(MESSAGE, extra=f"<t:ExtendedProperty>{named}<t:Value>true</t:Value></t:ExtendedProperty>")
    assert client.get(made, guid).findtext(f".//{t('Value')}") == "true"


def test_element_and_tag_are_two_names_of_one_thing() -> None:
    client = new_client()
    made = client.upload(MESSAGE)
    client.update(made, set_extended("0x1090", "Integer", "2"))
    flag = '<t:FieldURI FieldURI="item:Flag"/>'
    assert client.get(made, flag).findtext(f".//{t('FlagStatus')}") == "Flagged"
    client.update(made, set_field("item:Flag", "<t:Flag><t:FlagStatus>Complete</t:FlagStatus></t:Flag>"))
    assert client.get(made, PID.format("0x1090", "Integer")).findtext(f".//{t('Value')}") == "1"
    client.update(made, f"<t:DeleteItemField>{PID.format('0x1090', 'Integer')}</t:DeleteItemField>")
    assert client.get(made, flag).findtext(f".//{t('FlagStatus')}") == "NotFlagged"
    client.update(made, set_extended("0x0037", "String", "Dinner"))
    assert client.get(made, '<t:FieldURI FieldURI="item:Subject"/>').findtext(t("Subject")) == "Dinner"
    keywords = (
        '<t:ExtendedFieldURI DistinguishedPropertySetId="PublicStrings" PropertyName="Keywords" PropertyType="StringArray"/>'
    )
    client.update(made, set_field("item:Categories", "<t:Categories><t:String>red</t:String></t:Categories>"))
    assert client.get(made, keywords).findtext(f".//{t('Value')}") == "red"


def test_tags_that_clients_live_by_are_there() -> None:
    client = new_client()
    first, second = client.upload(MESSAGE), client.upload(MESSAGE)
    tags = {
        "0x0E23": "Integer",
        "0x0E08": "Integer",
        "0x0FF9": "Binary",
        "0x0FFF": "Binary",
        "0x300B": "Binary",
        "0x1035": "String",
        "0x0E1D": "String",
        "0x0070": "String",
        "0x0C1A": "String",
        "0x0E04": "String",
        "0x10F3": "String",
        "0x3008": "SystemTime",
        "0x670E": "String",
    }
    wanted = "".join(PID.format(tag, kind) for tag, kind in tags.items())
    shown = client.get(first, wanted)
    assert len(shown.findall(t("ExtendedProperty"))) == len(tags)
    uid = PID.format("0x0E23", "Integer")
    numbers = [int(client.get(one, uid).findtext(f".//{t('Value')}") or 0) for one in (first, second)]
    assert numbers[0] < numbers[1]


def test_search_key_survives_a_move_and_is_shared_by_a_copy() -> None:
    client = new_client()
    made = client.upload(MESSAGE)
    key = PID.format("0x300B", "Binary")
    before = client.get(made, key).findtext(f".//{t('Value')}")
    copied = item_ids(client.ok("CopyItem", move_request(made, "drafts")))[0]
    moved = item_ids(client.ok("MoveItem", move_request(made, "drafts")))[0]
    assert {client.get(one, key).findtext(f".//{t('Value')}") for one in (copied, moved)} == {before}


def test_id_of_a_moved_or_deleted_item_means_nothing_any_more() -> None:
    client = new_client()
    made = client.upload(MESSAGE)
    client.ok("MoveItem", move_request(made, "drafts"))
    response = client.call("GetItem", client.get_request(made))
    assert codes(response) == ["ErrorItemNotFound"]
    assert response.findtext(f".//{m('MessageText')}") == "The specified object was not found in the store."


@pytest.mark.parametrize("bad", ["DUMMY", "AAMkAD==", "AAAA", "not base64!", "AAMkADU3"])
def test_malformed_ids_are_errors_of_their_items(bad: str) -> None:
    client = new_client()
    good = client.upload(MESSAGE)
    inner = client.get_request(good).replace("<m:ItemIds>", f'<m:ItemIds><t:ItemId Id="{bad}"/>')
    assert codes(client.call("GetItem", inner)) == ["ErrorInvalidIdMalformed", "NoError"]
    dummy = f'<m:SourceIds><t:AlternateId Format="EwsId" Id="{bad}" Mailbox="a@b"/></m:SourceIds>'
    assert codes(client.call("ConvertId", dummy, DestinationFormat="EwsId")) == ["ErrorInvalidIdMalformed"]


@pytest.mark.parametrize("form", ["EwsLegacyId", "EntryId", "HexEntryId", "StoreId", "OwaId"])
def test_ids_convert_to_every_format_and_back(form: str) -> None:
    client = new_client()
    made = client.upload(MESSAGE)

    def convert(source: str, given: str, target: str) -> str:
        inner = f'<m:SourceIds><t:AlternateId Format="{source}" Id="{given}" Mailbox="who@ever"/></m:SourceIds>'
        found = client.ok("ConvertId", inner, DestinationFormat=target).find(f".//{m('AlternateId')}")
        assert found is not None
        assert found.get("Mailbox") == "alice@example.test"
        return found.get("Id") or ""

    assert convert(form, convert("EwsId", made, form), "EwsId") == made


@pytest.mark.parametrize("version", ["DateTimeReceived", "Size", "DateTimeSent", "DateTimeCreated", "DisplayTo"])
def test_read_only_properties_are_refused(version: str) -> None:
    client = new_client()
    value = "3" if version == "Size" else "x" if version == "DisplayTo" else "2020-01-01T00:00:00Z"
    element = f"<t:{version}>{value}</t:{version}>"
    assert codes(client.create(f"<t:Message>{element}</t:Message>")) == ["ErrorInvalidPropertySet"]
    made = client.upload(MESSAGE)
    assert codes(client.update(made, set_field(f"item:{version}", element))) == ["ErrorInvalidPropertySet"]


def test_an_update_is_done_completely_or_not_at_all() -> None:
    client = new_client()
    made = client.upload(MESSAGE)
    good = set_field("item:Subject", "<t:Subject>New</t:Subject>")
    bad = set_field("item:Size", "<t:Size>3</t:Size>")
    assert codes(client.update(made, good + bad)) == ["ErrorInvalidPropertySet"]
    assert client.get(made, base="Default").findtext(t("Subject")) == "Lunch"
    two = set_field("item:Subject", "<t:Subject>New</t:Subject><t:Sensitivity>Private</t:Sensitivity>")
    assert codes(client.update(made, two)) == ["ErrorIncorrectUpdatePropertyCount"]


def test_change_keys_guard_updates() -> None:
    client = new_client()
    made = client.upload(MESSAGE)
    old = change_key(client.get(made))
    change = set_field("item:Subject", "<t:Subject>New</t:Subject>")
    assert codes(client.update(made, change, "NeverOverwrite", old)) == ["NoError"]
    new = change_key(client.get(made))
    assert new != old
    assert codes(client.update(made, change, "NeverOverwrite", old)) == ["ErrorIrresolvableConflict"]
    assert codes(client.update(made, change, "NeverOverwrite")) == ["ErrorChangeKeyRequired"]
    assert codes(client.update(made, change, "AutoResolve", old)) == ["NoError"]
    assert codes(client.update(made, change, "NeverOverwrite", "AAAA")) == ["ErrorInvalidChangeKey"]


@pytest.mark.parametrize(
    ("how", "where"),
    [
        ("HardDelete", "recoverableitemspurges"),
        ("SoftDelete", "recoverableitemsdeletions"),
        ("MoveToDeletedItems", "deleteditems"),
    ],
)
def test_deleted_items_go_where_the_delete_type_says(how: str, where: str) -> None:
    client = new_client()
    made = client.upload(MESSAGE)
    client.ok("DeleteItem", f'<m:ItemIds><t:ItemId Id="{made}"/></m:ItemIds>', DeleteType=how)
    assert len(client.mailbox.folder("inbox").items) == 0
    assert len(client.mailbox.folder(where).items) == 1


def test_quiet_folder_probe_moves_with_every_change() -> None:
    client = new_client()
    seen: list[str | None] = []

    def probe() -> None:
        seen.append(client.folder_value("inbox", "0x670a", "SystemTime"))
        later = client.mailbox.world.clock() + dt.timedelta(seconds=1)
        client.mailbox.world.clock = lambda: later

    probe()
    made = client.upload(MESSAGE)
    probe()
    client.mark_read(made)
    client.mark_read(made, read=False)
    probe()
    client.update(made, set_extended("0x1090", "Integer", "2"))
    probe()
    gone = client.folder_value("inbox", "0x670b", "Integer")
    client.ok("DeleteItem", f'<m:ItemIds><t:ItemId Id="{made}"/></m:ItemIds>', DeleteType="HardDelete")
    probe()
    assert len(set(seen)) == len(seen)
    assert int(client.folder_value("inbox", "0x670b", "Integer") or 0) == int(gone or 0) + 1


def test_marking_read_asks_for_no_more_than_it_says() -> None:
    client = new_client()
    asking = MESSAGE.replace(b"\r\n\r\n", b"\r\nDisposition-Notification-To: bob@example.test\r\n\r\n", 1)
    bob = client.world.users["bob@example.test"].folder("inbox")
    quiet = client.upload(asking, extra=extended("0x0E07", "Integer", "0"))
    client.mark_read(quiet, SuppressReadReceipts="true")
    assert not bob.items
    loud = client.upload(asking, extra=extended("0x0E07", "Integer", "0"))
    client.mark_read(loud)
    client.mark_read(loud, read=False)
    client.mark_read(loud)
    assert only(bob).item_class == "REPORT.IPM.Note.IPNRN"


def test_mark_all_items_as_read_counts() -> None:
    client = new_client()
    for _ in range(3):
        client.upload(MESSAGE, extra=extended("0x0E07", "Integer", "0"))
    assert client.mailbox.folder("inbox").unread == 3
    inner = "<m:ReadFlag>true</m:ReadFlag><m:SuppressReadReceipts>true</m:SuppressReadReceipts>"
    client.ok("MarkAllItemsAsRead", inner + f"<m:FolderIds>{client.id('inbox')}</m:FolderIds>")
    assert client.folder_value("inbox", "0x3603", "Integer") == "0"


def test_mark_as_junk_moves_there_and_back() -> None:
    client = new_client()
    made = client.upload(MESSAGE)
    junk = client.ok("MarkAsJunk", f'<m:ItemIds><t:ItemId Id="{made}"/></m:ItemIds>', IsJunk="true", MoveItem="true")
    moved = junk.find(f".//{m('MovedItemId')}")
    assert moved is not None
    assert len(client.mailbox.folder("junkemail").items) == 1


def test_attachments_come_and_go_and_change_the_item() -> None:
    client = new_client()
    made = client.upload(MESSAGE)
    before = change_key(client.get(made))
    files = "".join(
        f"<t:FileAttachment><t:Name>{name}</t:Name><t:ContentType>text/csv</t:ContentType>"
        f"<t:Content>{base64.b64encode(name.encode()).decode()}</t:Content></t:FileAttachment>"
        for name in ("a.csv", "b.csv")
    )
    letter = "<t:ItemAttachment><t:Name>inner</t:Name><t:Message><t:Subject>Inner</t:Subject></t:Message></t:ItemAttachment>"
    inner = f'<m:ParentItemId Id="{made}"/><m:Attachments>{files}{letter}</m:Attachments>'
    created = client.ok("CreateAttachment", inner)
    names = [one.get("Id") or "" for one in created.iter(t("AttachmentId"))]
    last = list(created.iter(t("AttachmentId")))[-1]
    assert last.get("RootItemId") == made
    assert last.get("RootItemChangeKey") == change_key(client.get(made)) != before
    got = client.ok("GetAttachment", f'<m:AttachmentIds><t:AttachmentId Id="{names[1]}"/></m:AttachmentIds>')
    assert base64.b64decode(got.findtext(f".//{t('Content')}") or "") == b"b.csv"
    got = client.ok("GetAttachment", f'<m:AttachmentIds><t:AttachmentId Id="{names[2]}"/></m:AttachmentIds>')
    assert got.findtext(f".//{t('Message')}/{t('Subject')}") == "Inner"
    client.ok("DeleteAttachment", f'<m:AttachmentIds><t:AttachmentId Id="{names[0]}"/></m:AttachmentIds>')
    shown = client.get(made, '<t:FieldURI FieldURI="item:Attachments"/>')
    assert [one.get("Id") for one in shown.iter(t("AttachmentId"))] == names[1:]
    gone = client.call("GetAttachment", f'<m:AttachmentIds><t:AttachmentId Id="{names[0]}"/></m:AttachmentIds>')
    assert codes(gone) == ["ErrorItemNotFound"]
    assert b"b.csv" in client.mime(made)


def test_item_whose_mime_cannot_be_made_still_shows_its_properties() -> None:
    client = new_client()
    broken = (
        '<t:ExtendedProperty><t:ExtendedFieldURI DistinguishedPropertySetId="PublicStrings" '
        'PropertyName="sandbox-mime-broken" PropertyType="Boolean"/><t:Value>true</t:Value></t:ExtendedProperty>'
    )
    made = client.upload(MESSAGE, extra=broken)
    inner = client.get_request(made, shape="<t:IncludeMimeContent>true</t:IncludeMimeContent>")
    assert codes(client.call("GetItem", inner)) == ["ErrorMimeContentConversionFailed"]
    assert client.get(made, base="AllProperties").findtext(t("Subject")) == "Lunch"


@pytest.mark.parametrize(
    ("item_class", "element"),
    [
        ("IPM.Schedule.Meeting.Request", "MeetingRequest"),
        ("IPM.Schedule.Meeting.Resp.Pos", "MeetingResponse"),
        ("IPM.Schedule.Meeting.Canceled", "MeetingCancellation"),
        ("REPORT.IPM.Note.NDR", "Message"),
        ("IPM.Note.SMIME", "Message"),
        ("IPM.Post", "PostItem"),
    ],
)
def test_item_class_chooses_the_element(item_class: str, element: str) -> None:
    client = new_client()
    made = client.upload(MESSAGE, extra=extended("0x001A", "String", item_class))
    shown = client.get(made, base="AllProperties")
    assert shown.tag == t(element)
    assert shown.findtext(t("ItemClass")) == item_class


def test_post_items_and_other_kinds_are_kept_with_what_they_declare() -> None:
    client = new_client()
    post = client.create("<t:PostItem><t:Subject>Notice</t:Subject></t:PostItem>", "inbox")
    assert client.get(item_ids(post)[0], base="AllProperties").tag == t("PostItem")
    event = (
        "<t:CalendarItem><t:Subject>Talk</t:Subject><t:Start>2026-01-01T10:00:00Z</t:Start>"
        "<t:End>2026-01-01T11:00:00Z</t:End><t:Location>Attic</t:Location></t:CalendarItem>"
    )
    made = client.call("CreateItem", f"<m:Items>{event}</m:Items>", SendMeetingInvitations="SendToNone")
    shown = client.get(item_ids(made)[0], base="AllProperties")
    assert shown.tag == t("CalendarItem")
    assert shown.findtext(t("Location")) == "Attic"
    assert len(client.mailbox.folder("calendar").items) == 1


def test_world_survives_saving_and_loading(tmp_path: Path) -> None:
    clock = Clock()
    client = new_client("keep", clock=clock)
    made = client.upload(MESSAGE, extra=extended("0x1090", "Integer", "2"))
    gone = client.upload(MESSAGE)
    state = client.sync().state
    client.ok("DeleteItem", f'<m:ItemIds><t:ItemId Id="{gone}"/></m:ItemIds>', DeleteType="HardDelete")
    client.mailbox.create_folder(client.mailbox.folder("inbox"), "Jürgen")
    client.world.save(tmp_path / "world")
    client.world.save(tmp_path / "world")
    again = Client(World.load(tmp_path / "world", clock=clock).users["alice@example.test"])
    assert again.mime(made) == MESSAGE
    assert again.get(made, PID.format("0x1090", "Integer")).findtext(f".//{t('Value')}") == "2"
    assert again.sync(state).changes == [("Delete", gone)]
    assert [one.name for one in again.mailbox.folder("inbox").children] == ["Jürgen"]
    assert again.upload(MESSAGE) not in (made, gone)
    assert [one.name for one in tmp_path.iterdir()] == ["world"]
    (tmp_path / "other").write_bytes(b"not one of ours")
    with pytest.raises(ValueError, match="not a sandbox data file"):
        World.load(tmp_path / "other")


def test_seeded_messages_are_as_told() -> None:
    client = new_client()
    inbox = client.mailbox.folder("inbox")
    when = dt.datetime(2025, 1, 2, 3, 4, 5, tzinfo=dt.UTC)
    item = client.mailbox.add_mime(inbox, MESSAGE, read=True, flagged=True, answered=True, received=when)
    verb, icon = PID.format("0x1081", "Integer"), PID.format("0x1080", "Integer")
    shown = client.get(client.mailbox.item_id(item), verb + icon, base="Default")
    assert shown.findtext(t("DateTimeReceived")) == "2025-01-02T03:04:05Z"
    assert shown.findtext(t("IsRead")) == "true"
    assert shown.findtext(t("IsDraft")) == "false"
    assert [one.text for one in shown.iter(t("Value"))] == ["102", "261"]


def test_control_characters_never_make_an_answer_unreadable() -> None:
    client = new_client()
    made = client.upload(b"Subject: a\x01b\x0bc\xff\r\nX-Odd: \xd8\x00\x02\r\nFrom: \x1b <x@y>\r\n\r\n\x00\x01body\r\n")
    text = etree.tostring(client.get(made, base="AllProperties"))
    assert etree.fromstring(text).findtext(t("Subject")) == "a?b?cÿ"
