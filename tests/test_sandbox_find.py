"""FindItem, FindFolder and the operations on folders."""

from __future__ import annotations

import datetime as dt

import pytest
from lxml import etree

from ews_bridge.sandbox.markup import m
from ews_bridge.sandbox.markup import t

from .sandbox_calls import MESSAGE
from .sandbox_calls import PID
from .sandbox_calls import Client
from .sandbox_calls import codes
from .sandbox_calls import new_client

SUBJECT = '<t:FieldURI FieldURI="item:Subject"/>'
TITLES = ("apple", "Äpfel und Birnen", "banana split", "cherry", "Re: apple")


@pytest.fixture
def client() -> Client:
    made = new_client()
    for number, title in enumerate(TITLES):
        mime = MESSAGE.replace(b"Subject: Lunch", b"Subject: " + title.encode())
        when = dt.datetime(2024, 1, 1 + number, tzinfo=dt.UTC)
        made.mailbox.add_mime(made.mailbox.folder("inbox"), mime, read=number % 2 == 0, flagged=number == 1, received=when)
    return made


def titles(root: etree._Element) -> list[str]:
    return [one.text or "" for one in root.iter(t("Subject"))]


def where(expression: str) -> str:
    return f"<m:Restriction>{expression}</m:Restriction>"


def compare(name: str, path: str, value: str) -> str:
    return f'<t:{name}>{path}<t:FieldURIOrConstant><t:Constant Value="{value}"/></t:FieldURIOrConstant></t:{name}>'


def contains(mode: str, comparison: str, value: str) -> str:
    return (
        f'<t:Contains ContainmentMode="{mode}" ContainmentComparison="{comparison}">{SUBJECT}'
        f'<t:Constant Value="{value}"/></t:Contains>'
    )


READ = '<t:FieldURI FieldURI="message:IsRead"/>'
RECEIVED = '<t:FieldURI FieldURI="item:DateTimeReceived"/>'
CASES = [
    (compare("IsEqualTo", SUBJECT, "APPLE"), {0}),
    (compare("IsNotEqualTo", SUBJECT, "apple"), {1, 2, 3, 4}),
    (compare("IsEqualTo", READ, "true"), {0, 2, 4}),
    (compare("IsGreaterThan", RECEIVED, "2024-01-03T00:00:00Z"), {3, 4}),
    (compare("IsLessThanOrEqualTo", RECEIVED, "2024-01-02T00:00:00Z"), {0, 1}),
    (compare("IsGreaterThanOrEqualTo", PID.format("0x0E23", "Integer"), "4"), {3, 4}),
    (contains("Substring", "IgnoreCase", "APPLE"), {0, 4}),
    (contains("Substring", "Exact", "APPLE"), set()),
    (contains("Prefixed", "IgnoreCase", "app"), {0}),
    (contains("PrefixOnWords", "IgnoreCase", "spl"), {2}),
    (contains("ExactPhrase", "Exact", "apple"), {0, 4}),
    (contains("FullString", "Loose", "apfel und birnen"), {1}),
    (f"<t:Exists>{PID.format('0x1090', 'Integer')}</t:Exists>", {1}),
    (f"<t:Not><t:Exists>{PID.format('0x1090', 'Integer')}</t:Exists></t:Not>", {0, 2, 3, 4}),
    (f'<t:Excludes>{PID.format("0x0E07", "Integer")}<t:Bitmask Value="1"/></t:Excludes>', {1, 3}),
    (f"<t:And>{compare('IsEqualTo', READ, 'true')}{contains('Substring', 'IgnoreCase', 'apple')}</t:And>", {0, 4}),
    (f"<t:Or>{contains('Prefixed', 'Exact', 'che')}{contains('Prefixed', 'Exact', 'ban')}</t:Or>", {2, 3}),
]


@pytest.mark.parametrize(("expression", "expected"), CASES)
def test_restrictions_find_what_they_say(client: Client, expression: str, expected: set[int]) -> None:
    root = client.find(where(expression), extra=SUBJECT)
    assert set(titles(root)) == {TITLES[number] for number in expected}
    assert root.get("TotalItemsInView") == str(len(expected))


def test_computed_properties_cannot_be_searched(client: Client) -> None:
    expression = compare("IsEqualTo", '<t:FieldURI FieldURI="item:EffectiveRights"/>', "x")
    response = client.call(
        "FindItem",
        "<m:ItemShape><t:BaseShape>IdOnly</t:BaseShape></m:ItemShape>"
        f"{where(expression)}<m:ParentFolderIds>{client.id('inbox')}</m:ParentFolderIds>",
        Traversal="Shallow",
    )
    assert codes(response) == ["ErrorUnsupportedPathForQuery"]


def test_query_strings_find_words(client: Client) -> None:
    assert set(titles(client.find(extra=SUBJECT, after="<m:QueryString>subject:apple</m:QueryString>"))) == {
        "apple",
        "Re: apple",
    }
    assert len(titles(client.find(extra=SUBJECT, after='<m:QueryString>from:carol subject:"banana split"</m:QueryString>'))) == 1
    assert titles(client.find(extra=SUBJECT, after="<m:QueryString>from:nobody</m:QueryString>")) == []


def test_results_are_sorted_and_paged(client: Client) -> None:
    order = f'<m:SortOrder><t:FieldOrder Order="Ascending">{PID.format("0x0E23", "Integer")}</t:FieldOrder></m:SortOrder>'
    found: list[str] = []
    offset = 0
    while True:
        view = f'<m:IndexedPageItemView MaxEntriesReturned="2" Offset="{offset}" BasePoint="Beginning"/>'
        root = client.find(view + order, extra=SUBJECT)
        found += titles(root)
        offset = int(root.get("IndexedPagingOffset") or 0)
        if root.get("IncludesLastItemInRange") == "true":
            break
    assert found == list(TITLES)
    assert titles(client.find(extra=SUBJECT)) == list(reversed(TITLES))
    end = client.find('<m:IndexedPageItemView MaxEntriesReturned="2" Offset="0" BasePoint="End"/>' + order, extra=SUBJECT)
    assert titles(end) == list(TITLES[-2:])
    half = client.find('<m:FractionalPageItemView MaxEntriesReturned="9" Numerator="1" Denominator="2"/>' + order, extra=SUBJECT)
    assert titles(half) == list(TITLES[2:])


def test_pages_hold_no_more_than_a_thousand() -> None:
    client = new_client()
    for _ in range(1005):
        client.mailbox.add_mime(client.mailbox.folder("inbox"), MESSAGE)
    root = client.find()
    assert len(list(root.iter(t("Message")))) == 1000
    assert root.get("IncludesLastItemInRange") == "false"


@pytest.mark.parametrize("bad", ['MaxEntriesReturned="0" Offset="0"', 'MaxEntriesReturned="5" Offset="-1"'])
def test_impossible_pages_are_errors(client: Client, bad: str) -> None:
    response = client.call(
        "FindItem",
        "<m:ItemShape><t:BaseShape>IdOnly</t:BaseShape></m:ItemShape>"
        f'<m:IndexedPageItemView {bad} BasePoint="Beginning"/><m:ParentFolderIds>{client.id("inbox")}</m:ParentFolderIds>',
        Traversal="Shallow",
    )
    assert codes(response)[0] in ("ErrorInvalidPagingMaxRows", "ErrorInvalidIndexedPagingParameters")


def test_long_strings_are_cut_in_lists_only() -> None:
    client = new_client()
    item = client.mailbox.add_mime(client.mailbox.folder("inbox"), MESSAGE.replace(b"Lunch", b"x" * 400))
    assert len(titles(client.find(extra=SUBJECT))[0]) == 255
    assert len(client.get(client.mailbox.item_id(item), SUBJECT).findtext(t("Subject")) or "") == 400


# -- folders


def make(client: Client, name: str, parent: str = "msgfolderroot") -> etree._Element:
    folder = f"<t:Folder><t:DisplayName>{name}</t:DisplayName></t:Folder>"
    inner = f"<m:ParentFolderId>{client.id(parent)}</m:ParentFolderId><m:Folders>{folder}</m:Folders>"
    return client.call("CreateFolder", inner)


def folder_id(response: etree._Element) -> str:
    found = response.find(f".//{t('FolderId')}")
    assert found is not None
    return f'<t:FolderId Id="{found.get("Id")}"/>'


def test_folder_names_are_unique_whatever_their_case(client: Client) -> None:
    assert codes(make(client, "Projects")) == ["NoError"]
    again = make(client, "PROJECTS")
    assert codes(again) == ["ErrorFolderExists"]
    assert again.findtext(f".//{m('MessageText')}") == "A folder with the specified name already exists."
    assert again.find(f".//{m('Folders')}") is not None


def test_folder_is_renamed_moved_copied_and_deleted(client: Client) -> None:
    made = folder_id(make(client, "Projects"))
    update = (
        '<t:SetFolderField><t:FieldURI FieldURI="folder:DisplayName"/><t:Folder><t:DisplayName>Work</t:DisplayName></t:Folder>'
        "</t:SetFolderField>"
    )
    change = f"<m:FolderChanges><t:FolderChange>{made}<t:Updates>{update}</t:Updates></t:FolderChange></m:FolderChanges>"
    assert folder_id(client.ok("UpdateFolder", change)) == made
    into = f"<m:ToFolderId>{client.id('inbox')}</m:ToFolderId><m:FolderIds>{made}</m:FolderIds>"
    assert folder_id(client.ok("MoveFolder", into)) == made
    drafts = f"<m:ToFolderId>{client.id('drafts')}</m:ToFolderId><m:FolderIds>{made}</m:FolderIds>"
    copied = folder_id(client.ok("CopyFolder", drafts))
    assert copied != made
    client.ok("DeleteFolder", f"<m:FolderIds>{copied}</m:FolderIds>", DeleteType="MoveToDeletedItems")
    assert [one.name for one in client.mailbox.folder("deleteditems").children] == ["Work"]
    client.ok("DeleteFolder", f"<m:FolderIds>{made}</m:FolderIds>", DeleteType="HardDelete")
    gone = client.call(
        "GetFolder", f"<m:FolderShape><t:BaseShape>IdOnly</t:BaseShape></m:FolderShape><m:FolderIds>{made}</m:FolderIds>"
    )
    assert codes(gone) == ["ErrorFolderNotFound"]


def test_distinguished_folders_stay(client: Client) -> None:
    response = client.call("DeleteFolder", f"<m:FolderIds>{client.id('inbox')}</m:FolderIds>", DeleteType="HardDelete")
    assert codes(response) == ["ErrorDeleteDistinguishedFolder"]
    inner = f"<m:ToFolderId>{client.id('drafts')}</m:ToFolderId><m:FolderIds>{client.id('inbox')}</m:FolderIds>"
    assert codes(client.call("MoveFolder", inner)) == ["ErrorMoveDistinguishedFolder"]


def test_absent_distinguished_folder_is_an_error_of_its_own(client: Client) -> None:
    shape = "<m:FolderShape><t:BaseShape>Default</t:BaseShape></m:FolderShape>"
    response = client.call("GetFolder", f"{shape}<m:FolderIds>{client.id('archiveinbox')}{client.id('inbox')}</m:FolderIds>")
    assert codes(response) == ["ErrorFolderNotFound", "NoError"]


def test_emptied_folder_loses_items_and_if_told_its_subfolders(client: Client) -> None:
    make(client, "Sub", "inbox")
    inner = f"<m:FolderIds>{client.id('inbox')}</m:FolderIds>"
    client.ok("EmptyFolder", inner, DeleteType="MoveToDeletedItems", DeleteSubFolders="false")
    assert len(client.mailbox.folder("deleteditems").items) == 5
    assert len(client.mailbox.folder("inbox").children) == 1
    client.ok("EmptyFolder", inner, DeleteType="HardDelete", DeleteSubFolders="true")
    assert not client.mailbox.folder("inbox").children


def test_whole_tree_is_found_with_every_property(client: Client) -> None:
    tags = "".join(
        PID.format(tag, kind)
        for tag, kind in (
            ("0x670A", "SystemTime"),
            ("0x670B", "Integer"),
            ("0x3602", "Integer"),
            ("0x3603", "Integer"),
            ("0x3613", "String"),
            ("0x360A", "Boolean"),
            ("0x10F3", "String"),
            ("0x10F4", "Boolean"),
            ("0x0FFF", "Binary"),
            ("0x3008", "SystemTime"),
            ("0x6751", "Integer"),
            ("0x6752", "Integer"),
        )
    )
    response = client.ok(
        "FindFolder",
        f"<m:FolderShape><t:BaseShape>AllProperties</t:BaseShape><t:AdditionalProperties>{tags}</t:AdditionalProperties>"
        '</m:FolderShape><m:IndexedPageFolderView MaxEntriesReturned="500" Offset="0" BasePoint="Beginning"/>'
        f"<m:ParentFolderIds>{client.id('msgfolderroot')}</m:ParentFolderIds>",
        Traversal="Deep",
    )
    names = [one.text for one in response.iter(t("DisplayName"))]
    assert "Conversation Action Settings" in names
    assert "Sync Issues" in names
    inbox = next(one for one in response.iter(t("Folder")) if one.findtext(t("DisplayName")) == "Inbox")
    assert inbox.findtext(t("UnreadCount")) == "2"


def test_folders_are_found_by_class(client: Client) -> None:
    expression = compare("IsEqualTo", PID.format("0x3613", "String"), "IPF.Contact")
    response = client.ok(
        "FindFolder",
        f"<m:FolderShape><t:BaseShape>Default</t:BaseShape></m:FolderShape>{where(expression)}"
        f"<m:ParentFolderIds>{client.id('msgfolderroot')}</m:ParentFolderIds>",
        Traversal="Shallow",
    )
    assert [one.text for one in response.iter(t("DisplayName"))] == ["Contacts"]


def test_folder_keeps_the_global_tags_of_other_programs(client: Client) -> None:
    uri = (
        '<t:ExtendedFieldURI PropertySetId="9bf757ae-69b5-4d8a-bf1d-2dd0c0871a28" PropertyName="GlobalTags" '
        'PropertyType="StringArray"/>'
    )
    values = f"<t:ExtendedProperty>{uri}<t:Values><t:Value>one</t:Value><t:Value>two</t:Value></t:Values></t:ExtendedProperty>"
    update = f"<t:SetFolderField>{uri}<t:Folder>{values}</t:Folder></t:SetFolderField>"
    root = client.id("msgfolderroot")
    client.ok(
        "UpdateFolder",
        f"<m:FolderChanges><t:FolderChange>{root}<t:Updates>{update}</t:Updates></t:FolderChange></m:FolderChanges>",
    )
    shown = client.ok(
        "GetFolder",
        f"<m:FolderShape><t:BaseShape>IdOnly</t:BaseShape><t:AdditionalProperties>{uri}</t:AdditionalProperties></m:FolderShape>"
        f"<m:FolderIds>{root}</m:FolderIds>",
    )
    assert [one.text for one in shown.iter(t("Value"))] == ["one", "two"]


@pytest.mark.parametrize(
    ("language", "name"), [("de", "Posteingang"), ("fr", "Boîte de réception"), ("pl", "Skrzynka odbiorcza")]
)
def test_folders_have_the_names_of_the_users_language(language: str, name: str) -> None:
    assert new_client(language=language).mailbox.folder("inbox").name == name


# -- the surroundings


def test_names_resolve_to_users(client: Client) -> None:
    def resolve(entry: str) -> etree._Element:
        return client.call("ResolveNames", f"<m:UnresolvedEntry>{entry}</m:UnresolvedEntry>", ReturnFullContactData="true")

    one = resolve("bob")
    assert codes(one) == ["NoError"]
    assert one.findtext(f".//{t('EmailAddress')}") == "bob@example.test"
    assert codes(resolve("nobody")) == ["ErrorNameResolutionNoResults"]
    client.world.add_user("bobby@example.test", "x", "Bobby Tables")
    assert codes(resolve("bob")) == ["ErrorNameResolutionMultipleResults"]
    assert codes(resolve("smtp:bob@example.test")) == ["NoError"]


def test_time_zones_and_settings_are_served(client: Client) -> None:
    zones = client.ok("GetServerTimeZones", "", ReturnFullTimeZoneData="true")
    assert len(list(zones.iter(t("TimeZoneDefinition")))) > 20
    one = "<m:Ids><t:Id>W. Europe Standard Time</t:Id></m:Ids>"
    assert len(list(client.ok("GetServerTimeZones", one).iter(t("TimeZoneDefinition")))) == 1

    def configuration(name: str) -> etree._Element:
        return client.call(
            "GetUserConfiguration",
            f'<m:UserConfigurationName Name="{name}">{client.id("root")}</m:UserConfigurationName>'
            "<m:UserConfigurationProperties>All</m:UserConfigurationProperties>",
        )

    assert codes(configuration("OWA.UserOptions")) == ["NoError"]
    assert codes(configuration("CategoryList")) == ["ErrorItemNotFound"]
    group = "<m:Mailbox><t:EmailAddress>all@example.test</t:EmailAddress></m:Mailbox>"
    assert codes(client.call("ExpandDL", group)) == ["ErrorNameResolutionNoResults"]
