"""Delegates of the sandbox: what they get of the owner's meetings, what they may do with it, and what the owner gets himself."""

from __future__ import annotations

import pytest
from lxml import etree

from ews_bridge.sandbox import rights
from ews_bridge.sandbox.markup import m
from ews_bridge.sandbox.markup import t

from .sandbox_calls import Client
from .sandbox_calls import codes
from .sandbox_calls import item_ids
from .test_sandbox_calendar import get
from .test_sandbox_calendar import one
from .test_sandbox_meetings import Office
from .test_sandbox_meetings import texts

CAROL = "carol@example.test"
OWNER = "<m:Mailbox><t:EmailAddress>bob@example.test</t:EmailAddress></m:Mailbox>"
CALENDAR = (
    '<t:DistinguishedFolderId Id="calendar"><t:Mailbox><t:EmailAddress>bob@example.test</t:EmailAddress></t:Mailbox>'
    "</t:DistinguishedFolderId>"
)
WHOSE = "".join(
    f'<t:FieldURI FieldURI="{name}"/>'
    for name in ("meeting:IsDelegated", "message:ReceivedBy", "message:ReceivedRepresenting", "item:ResponseObjects")
)


def user_id(address: str = CAROL) -> str:
    return f"<t:UserId><t:PrimarySmtpAddress>{address}</t:PrimarySmtpAddress></t:UserId>"


class Delegated(Office):
    """Alice invites Bob, whose delegate is Carol."""

    def __init__(self) -> None:
        super().__init__()
        self.carol = Client(self.alice.world.add_user(CAROL, "secret"))

    def add(self, level: str = "Editor", scope: str = "DelegatesAndMe", who: str = CAROL) -> etree._Element:
        user = (
            f"<t:DelegateUser>{user_id(who)}<t:DelegatePermissions><t:CalendarFolderPermissionLevel>{level}"
            "</t:CalendarFolderPermissionLevel></t:DelegatePermissions>"
            "<t:ReceiveCopiesOfMeetingMessages>true</t:ReceiveCopiesOfMeetingMessages></t:DelegateUser>"
        )
        told = f"<m:DeliverMeetingRequests>{scope}</m:DeliverMeetingRequests>"
        return self.bob.call("AddDelegate", f"{OWNER}<m:DelegateUsers>{user}</m:DelegateUsers>{told}")

    def copy(self) -> etree._Element:
        """The newest message that Carol has, with whose it is."""
        return get(self.carol, one(self.carol.mailbox.item_id(self.messages(self.carol)[-1])), WHOSE, "AllProperties")

    def answers(self, name: str, reference: str, how: str = "SendAndSaveCopy") -> list[str]:
        """Carol answers; the response codes."""
        inner = f'<t:{name}><t:ReferenceItemId Id="{reference}"/></t:{name}>'
        return codes(self.carol.call("CreateItem", f"<m:Items>{inner}</m:Items>", MessageDisposition=how))


@pytest.fixture
def office() -> Delegated:
    return Delegated()


def test_a_delegate_is_shown_with_what_was_given(office: Delegated) -> None:
    assert codes(office.add()) == ["NoError", "NoError"]
    told = office.bob.ok("GetDelegate", OWNER, IncludePermissions="true")
    assert [element.text for element in told.iter(t("PrimarySmtpAddress"))] == [CAROL]
    assert told.findtext(f".//{t('CalendarFolderPermissionLevel')}") == "Editor"
    assert told.findtext(f".//{t('InboxFolderPermissionLevel')}") == "None"
    assert told.findtext(m("DeliverMeetingRequests")) == "DelegatesAndMe"
    assert "ErrorDelegateAlreadyExists" in codes(office.add())
    assert "ErrorDelegateCannotAddOwner" in codes(office.add(who="bob@example.test"))
    assert "ErrorDelegateNoUser" in codes(office.add(who="nobody@example.test"))
    assert codes(office.carol.call("GetDelegate", OWNER, IncludePermissions="true")) == ["ErrorAccessDenied"]
    changed = (
        f"<t:DelegateUser>{user_id()}<t:DelegatePermissions><t:CalendarFolderPermissionLevel>Reviewer"
        "</t:CalendarFolderPermissionLevel></t:DelegatePermissions></t:DelegateUser>"
    )
    told = office.bob.ok("UpdateDelegate", f"{OWNER}<m:DelegateUsers>{changed}</m:DelegateUsers>")
    assert told.findtext(f".//{t('CalendarFolderPermissionLevel')}") == "Reviewer"
    office.bob.ok("RemoveDelegate", f"{OWNER}<m:UserIds>{user_id()}</m:UserIds>")
    told = office.bob.call("GetDelegate", f"{OWNER}<m:UserIds>{user_id()}</m:UserIds>", IncludePermissions="false")
    assert codes(told) == ["NoError", "ErrorNotDelegate"]
    assert office.alice.world.grants == set()


@pytest.mark.parametrize(
    ("scope", "copies", "where", "kind", "buttons"),
    [
        ("DelegatesOnly", 1, "deleteditems", "NewMeetingRequest", True),
        ("DelegatesAndMe", 1, "inbox", "NewMeetingRequest", True),
        ("DelegatesAndSendInformationToMe", 1, "inbox", "PrincipalWantsCopy", False),
        ("NoForward", 0, "inbox", "NewMeetingRequest", True),
    ],
)
def test_a_request_goes_to_the_delegates_and_to_the_owner_as_he_wants_it(
    office: Delegated, scope: str, copies: int, where: str, kind: str, buttons: bool
) -> None:
    office.add(scope=scope)
    office.meeting()
    assert len(office.messages(office.carol)) == copies
    assert not office.messages(office.carol, "calendar")
    owners = office.message(office.bob, where)
    assert owners.findtext(t("MeetingRequestType")) == kind
    assert (owners.find(f"{t('ResponseObjects')}/{t('AcceptItem')}") is not None) == buttons
    assert office.entry(office.bob)
    if copies:
        copy = office.copy()
        assert copy.findtext(t("IsDelegated")) == "true"
        for name, address in (("ReceivedBy", CAROL), ("ReceivedRepresenting", "bob@example.test")):
            assert copy.findtext(f"{t(name)}/{t('Mailbox')}/{t('EmailAddress')}") == address


def test_a_private_request_is_the_owners_alone(office: Delegated) -> None:
    office.add()
    uid = office.meeting()
    assert len(office.messages(office.carol)) == 1
    change = (
        f'<m:ItemChanges><t:ItemChange><t:ItemId Id="{uid}"/><t:Updates><t:SetItemField><t:FieldURI FieldURI="item:Sensitivity"/>'
        "<t:CalendarItem><t:Sensitivity>Private</t:Sensitivity></t:CalendarItem></t:SetItemField></t:Updates></t:ItemChange>"
        "</m:ItemChanges>"
    )
    office.alice.ok(
        "UpdateItem", change, ConflictResolution="AlwaysOverwrite", SendMeetingInvitationsOrCancellations="SendOnlyToAll"
    )
    assert [len(office.messages(who)) for who in (office.bob, office.carol)] == [2, 1]


@pytest.mark.parametrize(
    ("name", "response"), [("AcceptItem", "Accept"), ("TentativelyAcceptItem", "Tentative"), ("DeclineItem", "Decline")]
)
def test_the_copy_cannot_be_answered_and_the_entry_of_the_owner_can(office: Delegated, name: str, response: str) -> None:
    office.add()
    meeting = office.meeting()
    copy = office.carol.mailbox.item_id(office.messages(office.carol)[-1])
    assert office.answers(name, copy) == [f"ErrorCalendarIsDelegatedFor{response}"]
    assert office.answers(name, office.entry(office.bob)) == ["NoError"]
    assert office.state_of_bob(meeting) == response
    answer = office.messages(office.alice)[-1].mime
    assert [line for line in answer.split(b"\r\n") if line.startswith((b"From: ", b"Sender: "))] == [
        b'From: "Bob Brown" <bob@example.test>',
        b'Sender: "Carol" <carol@example.test>',
    ]
    assert len(office.messages(office.carol, "sentitems")) == 1
    assert not office.messages(office.carol, "calendar")
    assert len(office.messages(office.bob, "calendar")) == (response != "Decline")
    assert not office.messages(office.carol, "deleteditems")


def test_without_the_rights_nothing_is_answered(office: Delegated) -> None:
    office.add(level="Reviewer")
    meeting = office.meeting()
    sent = office.sent
    assert office.answers("AcceptItem", office.entry(office.bob)) == ["ErrorAccessDenied"]
    rights.give(office.alice.world, rights.parse(f"{CAROL}:bob@example.test/Calendar:editor"))
    office.bob.ok("RemoveDelegate", f"{OWNER}<m:UserIds>{user_id()}</m:UserIds>")
    rights.give(office.alice.world, rights.parse(f"{CAROL}:bob@example.test/Calendar:editor"))
    assert office.answers("AcceptItem", office.entry(office.bob)) == ["ErrorSendAsDenied"]
    assert office.answers("AcceptItem", office.entry(office.bob), "SaveOnly") == ["NoError"]
    assert (office.sent, office.state_of_bob(meeting)) == (sent, "Unknown")


def test_a_delegate_of_the_command_line_has_all_that_is_needed(office: Delegated) -> None:
    rights.give(office.alice.world, rights.parse(f"{CAROL}:bob@example.test:delegate"))
    meeting = office.meeting()
    shape = "<m:ItemShape><t:BaseShape>IdOnly</t:BaseShape></m:ItemShape>"
    found = office.carol.ok("FindItem", f"{shape}<m:ParentFolderIds>{CALENDAR}</m:ParentFolderIds>", Traversal="Shallow")
    assert office.answers("AcceptItem", item_ids(found)[0]) == ["NoError"]
    assert office.state_of_bob(meeting) == "Accept"
    assert texts(office.copy(), "IsDelegated") == ["true"]
