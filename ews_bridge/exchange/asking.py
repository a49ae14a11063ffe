"""The text of the requests. Pure: ids, names and values in, XML out, in the order that the schema wants.

Written as text instead of with exchangelib's models, which add fields that override those of a message.
"""

from __future__ import annotations

from collections.abc import Iterable
from collections.abc import Sequence
from xml.sax.saxutils import escape

#: The token of an item that we created, as a named property in a set of our own: it says which creation an item came from.
#: CopyItem copies it, MoveItem keeps it. Random (RFC 4122 version 4), fixed for ever, lower case as Akonadi writes its own.
TOKEN_SET = "5b0c1e52-94f3-4c0e-8a7d-3f6b1f0d2ac7"
#: Where Akonadi's EWS resource keeps the flags that Exchange has no field for.
AKONADI_SET = "9bf757ae-69b5-4d8a-bf1d-2dd0c0871a28"

TOKEN = f'<t:ExtendedFieldURI PropertySetId="{TOKEN_SET}" PropertyName="Token" PropertyType="String"/>'
#: On an item that takes several requests to make, until the last of them is answered.
UNFINISHED = f'<t:ExtendedFieldURI PropertySetId="{TOKEN_SET}" PropertyName="Unfinished" PropertyType="String"/>'
FLAGS = f'<t:ExtendedFieldURI PropertySetId="{AKONADI_SET}" PropertyName="Flags" PropertyType="StringArray"/>'
#: Where it keeps the tags of an item, and on msgfolderroot the list of all tags with its version (see `akonadi.py`).
TAGS = f'<t:ExtendedFieldURI PropertySetId="{AKONADI_SET}" PropertyName="Tags" PropertyType="StringArray"/>'
TAG_LIST = f'<t:ExtendedFieldURI PropertySetId="{AKONADI_SET}" PropertyName="GlobalTags" PropertyType="StringArray"/>'
TAG_LIST_VERSION = f'<t:ExtendedFieldURI PropertySetId="{AKONADI_SET}" PropertyName="GlobalTagsVersion" PropertyType="Integer"/>'

#: Nobody is mailed about a meeting: the value of the Send… attributes of CreateItem, UpdateItem and DeleteItem (MS-OXWSMTGS).
SILENT = "SendToNone"


def tag(number: int, kind: str) -> str:
    """A property by its tag, spelt as Akonadi and Exchange do: lower case, no padding."""
    return f'<t:ExtendedFieldURI PropertyTag="{number:#x}" PropertyType="{kind}"/>'


def field(uri: str) -> str:
    return f'<t:FieldURI FieldURI="{uri}"/>'


FLAG_STATUS = tag(0x1090, "Integer")  # PidTagFlagStatus: 2 flagged, 1 done
LAST_VERB = tag(0x1081, "Integer")  # PidTagLastVerbExecuted: 102 replied, 103 to all, 104 forwarded
ICON = tag(0x1080, "Integer")  # PidTagIconIndex: 261 replied, 262 forwarded: what Outlook draws
SEARCH_KEY = tag(0x300B, "Binary")  # PidTagSearchKey: the same after a move, and on a copy
MESSAGE_FLAGS = tag(0x0E07, "Integer")  # PidTagMessageFlags: 1 read, 8 unsent; settable at creation only
DELIVERY_TIME = tag(0x0E06, "SystemTime")  # PidTagMessageDeliveryTime: item:DateTimeReceived
SUBMIT_TIME = tag(0x0039, "SystemTime")  # PidTagClientSubmitTime: item:DateTimeSent

#: What the flags of an item are made of.
FLAG_FIELDS = "".join((field("message:IsRead"), field("item:IsDraft"), FLAG_STATUS, LAST_VERB, ICON, FLAGS))
#: What an `Entry` is made of, beside the id.
ENTRY_FIELDS = "".join(
    (
        field("item:Subject"),
        field("item:Size"),
        field("item:DateTimeSent"),
        field("message:InternetMessageId"),
        FLAG_FIELDS,
        SEARCH_KEY,
        TOKEN,
    )
)
#: What is asked for beside, where files are there already that may be these items.
AUTHOR = field("message:From")
#: What belongs to a downloaded file.
TIME_FIELDS = field("item:DateTimeReceived") + field("item:DateTimeSent")

#: Hidden, stamp of the last change, counts, deletions, rights: see `survey.py`.
HIDDEN = tag(0x10F4, "Boolean")
COMMIT_TIME = tag(0x670A, "SystemTime")  # PidTagLocalCommitTimeMax
SURVEY_FIELDS = "".join(
    (field("folder:EffectiveRights"), COMMIT_TIME, tag(0x3602, "Integer"), tag(0x3603, "Integer"), tag(0x670B, "Integer"))
)
FOLDER_FIELDS = "".join(map(field, ("folder:ParentFolderId", "folder:DisplayName", "folder:FolderClass"))) + HIDDEN


def item_ids(refs: Iterable[tuple[str, str]]) -> str:
    """From pairs (id, change key or "")."""
    return "".join(item_id(ident, key) for ident, key in refs)


def item_id(ident: str, key: str = "") -> str:
    return f'<t:ItemId Id="{attribute(ident)}"' + (f' ChangeKey="{attribute(key)}"/>' if key else "/>")


def folder_id(ident: str) -> str:
    return f'<t:FolderId Id="{attribute(ident)}"/>'


def distinguished(name: str, mailbox: str = "") -> str:
    """A folder by its role, in the mailbox of who signs in or, where one is given, in that of somebody else.

    Only names need that: the ids of folders and items say by themselves whose they are.
    """
    if not mailbox:
        return f'<t:DistinguishedFolderId Id="{name}"/>'
    owner = f"<t:Mailbox><t:EmailAddress>{escape(mailbox)}</t:EmailAddress></t:Mailbox>"
    return f'<t:DistinguishedFolderId Id="{name}">{owner}</t:DistinguishedFolderId>'


def attribute(value: str) -> str:
    return escape(value, {'"': "&quot;"})


def sync_items(folder: str, state: str, fields: str, page: int) -> bytes:
    return (
        f"<m:SyncFolderItems><m:ItemShape><t:BaseShape>IdOnly</t:BaseShape>{_additional(fields)}</m:ItemShape>"
        f"<m:SyncFolderId>{folder_id(folder)}</m:SyncFolderId>{_state(state)}"
        f"<m:MaxChangesReturned>{page}</m:MaxChangesReturned></m:SyncFolderItems>"
    ).encode()


def sync_hierarchy(state: str, fields: str, mailbox: str) -> bytes:
    return (
        f"<m:SyncFolderHierarchy><m:FolderShape><t:BaseShape>IdOnly</t:BaseShape>{_additional(fields)}</m:FolderShape>"
        f"<m:SyncFolderId>{distinguished('msgfolderroot', mailbox)}</m:SyncFolderId>{_state(state)}</m:SyncFolderHierarchy>"
    ).encode()


def get_items(
    refs: Sequence[tuple[str, str]], fields: str, *, mime: bool = False, shape: str = "IdOnly", body: str = ""
) -> bytes:
    return (
        f"<m:GetItem><m:ItemShape><t:BaseShape>{shape}</t:BaseShape>"
        + f"<t:IncludeMimeContent>{'true' if mime else 'false'}</t:IncludeMimeContent>"
        + (f"<t:BodyType>{body}</t:BodyType>" if body else "")
        + f"{_additional(fields)}</m:ItemShape><m:ItemIds>{item_ids(refs)}</m:ItemIds></m:GetItem>"
    ).encode()


def get_folders(ids: str, fields: str) -> bytes:
    return (
        f"<m:GetFolder><m:FolderShape><t:BaseShape>IdOnly</t:BaseShape>{_additional(fields)}</m:FolderShape>"
        f"<m:FolderIds>{ids}</m:FolderIds></m:GetFolder>"
    ).encode()


def find_folders(fields: str, offset: int, page: int, mailbox: str) -> bytes:
    return (
        f'<m:FindFolder Traversal="Deep"><m:FolderShape><t:BaseShape>IdOnly</t:BaseShape>{_additional(fields)}</m:FolderShape>'
        f'<m:IndexedPageFolderView MaxEntriesReturned="{page}" Offset="{offset}" BasePoint="Beginning"/>'
        f"<m:ParentFolderIds>{distinguished('msgfolderroot', mailbox)}</m:ParentFolderIds></m:FindFolder>"
    ).encode()


def find_by_tokens(folder: str, tokens: Sequence[str], fields: str) -> bytes:
    """The items in a folder that carry one of these tokens, the oldest first."""
    tests = [
        f'<t:IsEqualTo>{TOKEN}<t:FieldURIOrConstant><t:Constant Value="{attribute(token)}"/></t:FieldURIOrConstant></t:IsEqualTo>'
        for token in tokens
    ]
    restriction = tests[0] if len(tests) == 1 else f"<t:Or>{''.join(tests)}</t:Or>"
    return (
        f'<m:FindItem Traversal="Shallow"><m:ItemShape><t:BaseShape>IdOnly</t:BaseShape>{_additional(fields)}</m:ItemShape>'
        f"<m:Restriction>{restriction}</m:Restriction>"
        f'<m:SortOrder><t:FieldOrder Order="Ascending">{field("item:DateTimeCreated")}</t:FieldOrder></m:SortOrder>'
        f"<m:ParentFolderIds>{folder_id(folder)}</m:ParentFolderIds></m:FindItem>"
    ).encode()


def create_items(folder: str, items: Iterable[bytes]) -> bytes:
    """Nobody is mailed: no invitations to a meeting."""
    head = (
        f'<m:CreateItem MessageDisposition="SaveOnly" SendMeetingInvitations="{SILENT}">'
        f"<m:SavedItemFolderId>{folder_id(folder)}</m:SavedItemFolderId><m:Items>"
    )
    return b"".join((head.encode(), *items, b"</m:Items></m:CreateItem>"))


def update_items(changes: Iterable[str], *, overwrite: bool, tell: str = SILENT) -> bytes:
    """`overwrite`: whatever the change key; else a change key that is no longer current makes the item's change fail.

    `tell`: the people of a meeting, see `meetingmail.Telling`. Nobody else is mailed: no read receipts.
    """
    resolution = "AlwaysOverwrite" if overwrite else "NeverOverwrite"
    return (
        f'<m:UpdateItem ConflictResolution="{resolution}" MessageDisposition="SaveOnly"'
        f' SendMeetingInvitationsOrCancellations="{tell}" SuppressReadReceipts="true">'
        f"<m:ItemChanges>{''.join(changes)}</m:ItemChanges></m:UpdateItem>"
    ).encode()


def item_change(ref: tuple[str, str], updates: str) -> str:
    return change_of(item_id(*ref), updates)


def change_of(item: str, updates: str) -> str:
    """`item`: the element that names it, an occurrence of a series too."""
    return f"<t:ItemChange>{item}<t:Updates>{updates}</t:Updates></t:ItemChange>"


def occurrence_id(master: str, index: int) -> str:
    """The occurrence of a series at this place, from 1; the deleted ones count."""
    return f'<t:OccurrenceItemId RecurringMasterId="{attribute(master)}" InstanceIndex="{index}"/>'


def set_field(path: str, element: str, content: str) -> str:
    return f"<t:SetItemField>{path}<t:{element}>{content}</t:{element}></t:SetItemField>"


def delete_field(path: str) -> str:
    return f"<t:DeleteItemField>{path}</t:DeleteItemField>"


def extended(path: str, value: str | Sequence[str]) -> str:
    """An ExtendedProperty element; several values for the array types."""
    several = "".join(f"<t:Value>{escape(v)}</t:Value>" for v in ([value] if isinstance(value, str) else value))
    values = several if isinstance(value, str) else f"<t:Values>{several}</t:Values>"
    return f"<t:ExtendedProperty>{path}{values}</t:ExtendedProperty>"


def move_items(ids: Sequence[str], folder: str, *, operation: str = "MoveItem") -> bytes:
    """MoveItem, or CopyItem, which is asked in the same way."""
    return (
        f"<m:{operation}><m:ToFolderId>{folder}</m:ToFolderId><m:ItemIds>{item_ids((i, '') for i in ids)}</m:ItemIds>"
        f"<m:ReturnNewItemIds>true</m:ReturnNewItemIds></m:{operation}>"
    ).encode()


def delete_items(ids: Sequence[str], how: str) -> bytes:
    return delete_named(item_ids((i, "") for i in ids), how)


def delete_named(items: str, how: str, *, tell: str = SILENT) -> bytes:
    """`items`: the elements that name them, occurrences of series too. `tell`: as for `update_items`.

    The two attributes about meetings and tasks are demanded for such items and ignored for others. Nobody else is mailed: what
    is deleted unread, and wants a receipt, would tell its sender so.
    """
    return (
        f'<m:DeleteItem DeleteType="{how}" SendMeetingCancellations="{tell}" AffectedTaskOccurrences="AllOccurrences"'
        f' SuppressReadReceipts="true">'
        f"<m:ItemIds>{items}</m:ItemIds></m:DeleteItem>"
    ).encode()


def respond(answer: str, ident: str, key: str = "", *, comment: str = "", mailed: bool = False) -> bytes:
    """The answer to an invitation ("AcceptItem" …), given on the item itself. The message that the server makes of it is sent,
    or saved where it is in nobody's way: in the Deleted Items of who signs in, whosever calendar it is, for a delegate has a
    mailbox, and may have no other rights there.
    """
    disposition = "SendAndSaveCopy" if mailed else "SaveOnly"
    folder = "" if mailed else f"<m:SavedItemFolderId>{distinguished('deleteditems')}</m:SavedItemFolderId>"
    body = f'<t:Body BodyType="Text">{escape(comment)}</t:Body>' if comment else ""
    reference = item_id(ident, key).replace("<t:ItemId", "<t:ReferenceItemId", 1)
    items = f"<m:Items><t:{answer}>{body}{reference}</t:{answer}></m:Items>"
    return f'<m:CreateItem MessageDisposition="{disposition}">{folder}{items}</m:CreateItem>'.encode()


def get_attachments(ids: Iterable[str]) -> bytes:
    return f"<m:GetAttachment><m:AttachmentIds>{_attachment_ids(ids)}</m:AttachmentIds></m:GetAttachment>".encode()


def delete_attachments(ids: Iterable[str]) -> bytes:
    return f"<m:DeleteAttachment><m:AttachmentIds>{_attachment_ids(ids)}</m:AttachmentIds></m:DeleteAttachment>".encode()


def create_attachments(item: str, attachments: Iterable[bytes]) -> bytes:
    head = f'<m:CreateAttachment><m:ParentItemId Id="{attribute(item)}"/><m:Attachments>'
    return b"".join((head.encode(), *attachments, b"</m:Attachments></m:CreateAttachment>"))


def _attachment_ids(ids: Iterable[str]) -> str:
    return "".join(f'<t:AttachmentId Id="{attribute(ident)}"/>' for ident in ids)


def create_folder(parent: str, name: str, *, folder_class: str = "IPF.Note", element: str = "Folder") -> bytes:
    return (
        f"<m:CreateFolder><m:ParentFolderId>{parent}</m:ParentFolderId><m:Folders>"
        f"<t:{element}><t:FolderClass>{folder_class}</t:FolderClass><t:DisplayName>{escape(name)}</t:DisplayName></t:{element}>"
        "</m:Folders></m:CreateFolder>"
    ).encode()


def rename_folder(ident: str, name: str) -> bytes:
    return (
        f"<m:UpdateFolder><m:FolderChanges><t:FolderChange>{folder_id(ident)}<t:Updates>"
        f"<t:SetFolderField>{field('folder:DisplayName')}<t:Folder><t:DisplayName>{escape(name)}</t:DisplayName></t:Folder>"
        "</t:SetFolderField></t:Updates></t:FolderChange></m:FolderChanges></m:UpdateFolder>"
    ).encode()


def update_tag_list(ident: str, key: str, values: Sequence[str], version: int) -> bytes:
    """Akonadi's list of tags, on the folder `ident`; `values` are not empty. Refused when the change key is an old one."""
    updates = "".join(
        f"<t:SetFolderField>{path}<t:Folder>{extended(path, value)}</t:Folder></t:SetFolderField>"
        for path, value in ((TAG_LIST, values), (TAG_LIST_VERSION, str(version)))
    )
    folder = f'<t:FolderId Id="{attribute(ident)}" ChangeKey="{attribute(key)}"/>'
    return (
        f"<m:UpdateFolder><m:FolderChanges><t:FolderChange>{folder}<t:Updates>{updates}</t:Updates></t:FolderChange>"
        "</m:FolderChanges></m:UpdateFolder>"
    ).encode()


def category_list(mailbox: str) -> bytes:
    """The master category list: a configuration of the calendar folder (MS-OXOCFG 2.2.5.2)."""
    return (
        f'<m:GetUserConfiguration><m:UserConfigurationName Name="CategoryList">{distinguished("calendar", mailbox)}'
        "</m:UserConfigurationName><m:UserConfigurationProperties>XmlData</m:UserConfigurationProperties></m:GetUserConfiguration>"
    ).encode()


def move_folder(ident: str, parent: str) -> bytes:
    return (
        f"<m:MoveFolder><m:ToFolderId>{parent}</m:ToFolderId><m:FolderIds>{folder_id(ident)}</m:FolderIds></m:MoveFolder>"
    ).encode()


def delete_folder(ident: str) -> bytes:
    ids = f"<m:FolderIds>{folder_id(ident)}</m:FolderIds>"
    return f'<m:DeleteFolder DeleteType="MoveToDeletedItems">{ids}</m:DeleteFolder>'.encode()


def _additional(fields: str) -> str:
    return f"<t:AdditionalProperties>{fields}</t:AdditionalProperties>" if fields else ""


def _state(state: str) -> str:
    return f"<m:SyncState>{escape(state)}</m:SyncState>" if state else ""
