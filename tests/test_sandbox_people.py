"""The sandbox's directory, lists, pictures, personas and automatic replies, as exchangelib and raw calls see them."""

from __future__ import annotations

import base64
import datetime as dt
import warnings
from collections.abc import Iterator
from pathlib import Path

import pytest
from exchangelib import UTC
from exchangelib import EWSDateTime
from exchangelib import Mailbox
from exchangelib import Message
from exchangelib import OofSettings
from exchangelib.errors import ErrorAccessDenied
from exchangelib.errors import ErrorInvalidScheduledOofDuration
from exchangelib.errors import ErrorNameResolutionNoResults
from exchangelib.indexed_properties import EmailAddress
from exchangelib.items import Contact
from exchangelib.items import DistributionList
from exchangelib.items import Persona
from exchangelib.properties import DLMailbox
from exchangelib.properties import ItemId
from exchangelib.properties import Member
from exchangelib.protocol import close_connections
from exchangelib.services import GetPersona
from lxml import etree

from ews_bridge.sandbox import archive
from ews_bridge.sandbox import people
from ews_bridge.sandbox.markup import m
from ews_bridge.sandbox.markup import t
from tests.sandbox_calls import Client
from tests.sandbox_calls import codes
from tests.sandbox_calls import item_ids
from tests.sandbox_calls import new_client
from tests.sandbox_server import ALICE
from tests.sandbox_server import BOB
from tests.sandbox_server import running
from tests.test_sandbox_exchangelib import Office
from tests.test_sandbox_exchangelib import sign_in


@pytest.fixture
def office() -> Iterator[Office]:
    with running(seed="empty") as server:
        people.enter(server.world, *people.DEMO)
        alice, bob = sign_in(server), sign_in(server, BOB)
        assert alice.version is not None  # exchangelib cannot begin with ResolveNames
        yield Office(server, alice, bob)
        close_connections()


def contact(office: Office, name: str, *addresses: str) -> Contact:
    given, _, surname = name.partition(" ")
    made = Contact(
        account=office.alice,
        folder=office.alice.contacts,
        display_name=name,
        given_name=given,
        surname=surname,
        email_addresses=[EmailAddress(label=f"EmailAddress{at}", email=one) for at, one in enumerate(addresses, 1)],
    )
    made.save()
    return made


# -- names


def test_people_are_found_by_the_beginnings_of_their_names_and_addresses(office: Office) -> None:
    resolve = office.alice.protocol.resolve_names
    for entry in ("Inès", "ines", "lef", "LEFÈVRE i", "i.lef", "smtp:ines@example.test", "Tower 2"):
        assert [one.email_address for one in resolve([entry])] == ["ines@example.test"], entry
    assert [one.mailbox_type for one in resolve(["dial"])] == ["PublicDL"]
    assert {one.email_address for one in resolve(["Room"])} == {
        "room-tower@example.test",
        "room-cellar@example.test",
        "rooms@example.test",
    }
    for entry in ("nes", "smtp:ines", "nobody"):
        assert isinstance(next(iter(resolve([entry]))), ErrorNameResolutionNoResults), entry


def test_full_data_of_a_person(office: Office) -> None:
    ((mailbox, found),) = office.alice.protocol.resolve_names(
        ["ines"], return_full_contact_data=True, search_scope="ActiveDirectory", shape="AllProperties"
    )
    assert (mailbox.name, mailbox.routing_type, mailbox.mailbox_type) == ("Inès Lefèvre", "SMTP", "Mailbox")
    assert (found.display_name, found.given_name, found.surname, found.job_title) == (
        "Inès Lefèvre",
        "Inès",
        "Lefèvre",
        "Head of dials",
    )
    assert [one.email for one in found.email_addresses] == ["SMTP:ines@example.test", "SMTP:i.lefevre@example.test"]
    assert {one.label: one.phone_number for one in found.phone_numbers}["MobilePhone"] == "+1 555 0102"
    assert found.physical_addresses[0].city == "Tidewater" and found.contact_source == "ActiveDirectory"
    assert (found.manager, found.manager_mailbox.email_address) == ("Petra Weiß", "petra@example.test")
    assert found.notes == "Speaks French and brass." and found.has_picture


def test_only_so_much_of_a_person_is_shown_as_is_asked_for() -> None:
    client = new_client()
    people.enter(client.world, *people.DEMO)

    def shown(**more: str) -> set[str]:
        response = client.ok("ResolveNames", "<m:UnresolvedEntry>ines</m:UnresolvedEntry>", **more)
        return {etree.QName(one).localname for one in response.iterfind(f".//{t('Contact')}/*")}

    assert shown(ReturnFullContactData="false") == set()
    assert shown(ReturnFullContactData="true", ContactDataShape="IdOnly") == set()
    assert "Surname" in shown(ReturnFullContactData="true") and "Alias" not in shown(ReturnFullContactData="true")
    assert {"Alias", "Photo", "DirectoryId"} <= shown(ReturnFullContactData="true", ContactDataShape="AllProperties")


def test_where_names_are_looked_up_and_in_which_order(office: Office) -> None:
    made = contact(office, "Ines Martin", "martin@example.org", "ines.m@example.org")
    resolve = office.alice.protocol.resolve_names

    def found(scope: str) -> list[str]:
        return [one.email_address for one in resolve(["ines"], search_scope=scope)]

    own, gal = ["martin@example.org", "ines.m@example.org"], ["ines@example.test"]
    assert found("ActiveDirectory") == gal and found("Contacts") == own
    assert found("ActiveDirectoryContacts") == gal + own and found("ContactsActiveDirectory") == own + gal
    assert [one.email_address for one in resolve(["ines.m"], search_scope="Contacts")] == ["ines.m@example.org"]
    (private, full), _ = resolve(["martin"], return_full_contact_data=True, search_scope="Contacts")
    assert (private.mailbox_type, private.item_id.id, full) == ("Contact", made.id, None)


def test_there_are_never_more_than_a_hundred_candidates(office: Office) -> None:
    people.enter(office.server.world, *(people.Person(f"x{number}@example.test", f"Xaver {number}") for number in range(130)))
    with pytest.warns(UserWarning, match="at most 100"):
        assert len(list(office.alice.protocol.resolve_names(["xaver"]))) == 100
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert len(list(office.alice.protocol.resolve_names(["Xaver 12"]))) == 11


def test_several_candidates_are_a_warning_and_none_an_error() -> None:
    client = new_client()
    people.enter(client.world, *people.DEMO)
    several = client.call("ResolveNames", "<m:UnresolvedEntry>room</m:UnresolvedEntry>", ReturnFullContactData="false")
    assert codes(several) == ["ErrorNameResolutionMultipleResults"]
    assert [one.get("ResponseClass") for one in several.iter(m("ResolveNamesResponseMessage"))] == ["Warning"]
    none = client.call("ResolveNames", "<m:UnresolvedEntry>zz</m:UnresolvedEntry>", ReturnFullContactData="false")
    assert codes(none) == ["ErrorNameResolutionNoResults"]
    assert [one.get("ResponseClass") for one in none.iter(m("ResolveNamesResponseMessage"))] == ["Error"]


@pytest.mark.parametrize(
    ("folders", "entry", "code"),
    [
        ("", "  ", "ErrorInvalidNameForNameResolution"),
        ('<t:DistinguishedFolderId Id="inbox"/>', "a", "ErrorResolveNamesInvalidFolderType"),
        (2 * '<t:DistinguishedFolderId Id="contacts"/>', "a", "ErrorResolveNamesOnlyOneContactsFolderAllowed"),
    ],
)
def test_what_resolvenames_refuses(folders: str, entry: str, code: str) -> None:
    inner = f"<m:ParentFolderIds>{folders}</m:ParentFolderIds>" if folders else ""
    answer = new_client().call(
        "ResolveNames", f"{inner}<m:UnresolvedEntry>{entry}</m:UnresolvedEntry>", ReturnFullContactData="false"
    )
    assert codes(answer) == [code]


# -- groups and lists


def test_a_group_of_the_directory_is_expanded_one_level(office: Office) -> None:
    expand = office.alice.protocol.expand_dl
    assert [(one.email_address, one.mailbox_type) for one in expand("workshop@example.test")] == [
        ("dialmakers@example.test", "PublicDL"),
        ("petra@example.test", "Mailbox"),
        ("orders@springs.example.org", "Contact"),
        ("apprentice@nowhere.example.org", "Contact"),
    ]
    with pytest.raises(ErrorNameResolutionNoResults):
        list(expand("ines@example.test"))


def test_a_list_of_the_mailbox_holds_every_kind_of_member(office: Office) -> None:
    one = contact(office, "Ada Lovelace", "ada@example.org")
    inner = DistributionList(account=office.alice, folder=office.alice.contacts, display_name="Inner")
    inner.save()
    members = [
        Member(mailbox=Mailbox(email_address="ines@example.test"), status="Normal"),
        Member(mailbox=Mailbox(email_address="workshop@example.test", mailbox_type="PublicDL")),
        Member(mailbox=Mailbox(name="Total stranger", email_address="stranger@example.org", mailbox_type="OneOff")),
        Member(mailbox=Mailbox(item_id=ItemId(one.id, one.changekey), mailbox_type="Contact")),
        Member(mailbox=Mailbox(item_id=ItemId(inner.id, inner.changekey), mailbox_type="PrivateDL")),
    ]
    made = DistributionList(
        account=office.alice, folder=office.alice.contacts, display_name="Friends", members=members, categories=["Club"]
    )
    made.save()
    read = office.alice.contacts.get(id=made.id)
    assert isinstance(read, DistributionList) and (read.display_name, read.file_as, read.subject) == ("Friends",) * 3
    expected = [
        ("Inès Lefèvre", "ines@example.test", "Mailbox"),
        ("Workshop", "workshop@example.test", "PublicDL"),
        ("Total stranger", "stranger@example.org", "OneOff"),
        ("Ada Lovelace", "ada@example.org", "Contact"),
        ("Inner", "Inner", "PrivateDL"),
    ]
    shown = [(member.mailbox.name, member.mailbox.email_address, member.mailbox.mailbox_type) for member in read.members]
    assert shown == expected and {member.status for member in read.members} == {"Normal"}
    (found,) = office.alice.protocol.resolve_names(["friends"], search_scope="Contacts")
    assert (found.mailbox_type, found.item_id.id) == ("PrivateDL", made.id)
    expanded = office.alice.protocol.expand_dl(DLMailbox(item_id=ItemId(made.id, made.changekey), mailbox_type="PrivateDL"))
    assert [(each.name, each.email_address, each.mailbox_type) for each in expanded] == expected
    read.members = read.members[:1]
    read.save()
    assert [member.mailbox.name for member in office.alice.contacts.get(id=made.id).members] == ["Inès Lefèvre"]
    read.delete()
    assert not office.alice.contacts.filter(display_name="Friends").exists()


def change_members(client: Client, item: str, change: str) -> list[str]:
    return codes(client.update(item, change))


def member(address: str) -> str:
    return f"<t:Member><t:Mailbox><t:EmailAddress>{address}</t:EmailAddress></t:Mailbox></t:Member>"


def test_members_are_added_and_taken_out_one_by_one() -> None:
    client = new_client()
    made = client.create(
        f"<t:DistributionList><t:DisplayName>L</t:DisplayName><t:Members>{member('a@x.org')}</t:Members></t:DistributionList>"
    )
    item = item_ids(made)[0]
    uri = '<t:FieldURI FieldURI="distributionlist:Members"/>'
    more = f"<t:DistributionList><t:Members>{member('b@x.org')}{member('A@x.org')}</t:Members></t:DistributionList>"
    assert change_members(client, item, f"<t:AppendToItemField>{uri}{more}</t:AppendToItemField>") == ["NoError"]

    def here() -> dict[str, str]:
        shown = client.get(item, uri).iter(t("Member"))
        return {one.findtext(f"{t('Mailbox')}/{t('EmailAddress')}") or "": one.get("Key") or "" for one in shown}

    keys = here()
    assert {one.lower() for one in keys} == {"a@x.org", "b@x.org"}
    single = (
        '<t:DeleteItemField><t:IndexedFieldURI FieldURI="distributionlist:Members:Member" FieldIndex="{}"/></t:DeleteItemField>'
    )
    assert change_members(client, item, single.format(keys["b@x.org"])) == ["NoError"]
    assert len(here()) == 1
    assert change_members(client, item, single.format(keys["b@x.org"])) == ["ErrorDistributionListMemberNotExist"]
    assert change_members(client, item, f"<t:DeleteItemField>{uri}</t:DeleteItemField>") == ["NoError"]
    assert here() == {}


def test_mail_to_a_group_reaches_its_members_once(office: Office) -> None:
    people.enter(
        office.server.world,
        people.Person("inner@example.test", "Inner", people.GROUP, members=("bob@example.test", "outer@example.test")),
        people.Person("outer@example.test", "Outer", people.GROUP, members=("inner@example.test", "BOB@example.test")),
    )
    to = ["outer@example.test", "petra@example.test"]
    Message(account=office.alice, subject="All of you", to_recipients=[Mailbox(email_address=one) for one in to]).send()
    assert [item.subject for item in office.bob.inbox.all()] == ["All of you"]
    assert office.alice.inbox.total_count == 0  # nothing came back: Petra is in the directory


def test_rooms_are_listed(office: Office) -> None:
    (rooms,) = office.alice.protocol.get_roomlists()
    assert (rooms.name, rooms.email_address) == ("All rooms", "rooms@example.test")
    assert {one.name for one in office.alice.protocol.get_rooms("rooms@example.test")} == {"Room Tower", "Room Cellar"}


# -- pictures and personas


def photo(client: Client, address: str) -> etree._Element:
    return client.call("GetUserPhoto", f"<m:Email>{address}</m:Email><m:SizeRequested>HR96x96</m:SizeRequested>")


def test_pictures_of_people() -> None:
    client = new_client()
    people.enter(client.world, *people.DEMO)
    found = photo(client, "ines@example.test")
    assert base64.b64decode(found.findtext(m("PictureData")) or "") == people.PIXEL
    assert (found.findtext(m("HasChanged")), found.findtext(m("ContentType"))) == ("true", "image/jpeg")
    assert codes(photo(client, "petra@example.test")) == ["ErrorItemNotFound"]
    assert codes(photo(client, "nobody@example.test")) == ["ErrorMailRecipientNotFound"]
    assert codes(photo(client, "ines")) == ["ErrorInvalidSmtpAddress"]


def test_personas_of_contacts_and_of_the_directory(office: Office) -> None:
    contact(office, "Ada Lovelace", "ada@example.org", "lovelace@example.org")
    contact(office, "Grace Hopper", "grace@example.org")
    found = list(office.alice.contacts.people())
    assert [one.display_name for one in found] == ["Ada Lovelace", "Grace Hopper"]
    ada = next(iter(office.alice.contacts.people().filter(display_name="Ada Lovelace")))
    assert ada.email_address.email_address == "ada@example.org" and len(ada.email_addresses) == 2
    (full,) = GetPersona(account=office.alice).call([ada])
    assert isinstance(full, Persona) and full.display_names[0].value == "Ada Lovelace"
    assert full.emails2[0].value.email_address == "lovelace@example.org"
    directory = '<m:ParentFolderId><t:DistinguishedFolderId Id="directory"/></m:ParentFolderId>'
    answer = office.server.post(
        '<m:FindPeople><m:IndexedPageItemView MaxEntriesReturned="10" Offset="0" BasePoint="Beginning"/>'
        f"{directory}<m:QueryString>room</m:QueryString></m:FindPeople>"
    )
    assert answer.all("//t:Persona/t:PersonaType/text()") == ["DistributionList", "Room", "Room"]
    assert answer.all("//m:TotalNumberOfPeopleInView/text()") == ["3"]


# -- automatic replies


def test_automatic_replies_are_set_and_shown(office: Office) -> None:
    assert office.alice.oof_settings.state == "Disabled"
    start = EWSDateTime(2030, 1, 1, 8, 0, tzinfo=UTC)
    wanted = OofSettings(
        state="Scheduled",
        external_audience="Known",
        start=start,
        end=start + dt.timedelta(days=3),
        internal_reply="Am Meer, bis später <b>☼</b>",
        external_reply="Away",
    )
    office.alice.oof_settings = wanted
    assert office.alice.oof_settings == wanted
    assert office.bob.oof_settings.state == "Disabled"
    office.alice.oof_settings = OofSettings(state="Disabled", external_audience="None", internal_reply="", external_reply="")
    assert (office.alice.oof_settings.state, office.alice.oof_settings.external_audience) == ("Disabled", "None")


def test_automatic_replies_that_end_before_they_begin_are_refused(office: Office) -> None:
    body = (
        "<m:SetUserOofSettingsRequest><t:Mailbox><t:Address>{}</t:Address></t:Mailbox><t:UserOofSettings>"
        "<t:OofState>Scheduled</t:OofState><t:ExternalAudience>All</t:ExternalAudience><t:Duration><t:StartTime>{}</t:StartTime>"
        "<t:EndTime>2030-01-02T00:00:00Z</t:EndTime></t:Duration></t:UserOofSettings></m:SetUserOofSettingsRequest>"
    )
    assert office.server.post(body.format(ALICE[0], "2030-01-03T00:00:00Z")).code == ErrorInvalidScheduledOofDuration.__name__
    assert office.server.post(body.format(BOB[0], "2030-01-01T00:00:00Z")).code == ErrorAccessDenied.__name__
    assert office.server.post(body.format(ALICE[0], "tomorrow")).code == "ErrorSchemaValidation"
    assert office.server.post(body.format(ALICE[0], "2030-01-01T00:00:00Z")).code == "NoError"


def test_the_directory_and_automatic_replies_survive_a_restart(office: Office, tmp_path: Path) -> None:
    office.alice.oof_settings = OofSettings(state="Enabled", internal_reply="in", external_reply="out")
    office.server.world.save(tmp_path / "world.db")
    world = archive.load(tmp_path / "world.db", clock=office.server.world.clock)
    assert world.directory == office.server.world.directory
    assert world.users[ALICE[0]].oof == office.server.alice.oof != people.OutOfOffice()


# -- mailboxes that begin with cards and tasks


CARD = """BEGIN:VCARD
VERSION:3.0
UID:ada
N:Lovelace;Ada;Augusta;Lady;
FN:Ada Lovelace
ORG:Analytical Engines;Programs
item1.EMAIL;TYPE=INTERNET:ada@example.org
item1.X-ABLABEL:Desk
TEL;TYPE=CELL:007
TEL;TYPE=WORK;TYPE=FAX:008
TEL;TYPE=HOME:009
TEL;TYPE=HOME:010
ADR;TYPE=HOME:;;St James\\, 12;London;;SW1;England
BDAY:18151210
CATEGORIES:Maths,Poets\\, too
NOTE:first\\nsecond
PHOTO;ENCODING=b;TYPE=JPEG:/9j/2Q==
END:VCARD
"""
GROUP = """BEGIN:VCARD
VERSION:3.0
FN:Friends
X-ADDRESSBOOKSERVER-KIND:group
X-ADDRESSBOOKSERVER-MEMBER:urn:uuid:ada
X-ADDRESSBOOKSERVER-MEMBER:mailto:charles@example.org
END:VCARD
"""
TODO = """BEGIN:VCALENDAR
VERSION:2.0
BEGIN:VTODO
UID:clock-1
SUMMARY:Wind the clock
DTSTART;VALUE=DATE:20260302
DUE;TZID=Europe/Berlin:20260305T170000
RRULE:FREQ=WEEKLY;BYDAY=TH
STATUS:IN-PROCESS
PERCENT-COMPLETE:40
PRIORITY:1
CATEGORIES:Workshop
DESCRIPTION:gently
END:VTODO
END:VCALENDAR
"""


def test_a_folder_of_cards_and_tasks_becomes_contacts_lists_and_tasks(tmp_path: Path) -> None:
    for name, text in {"contacts/a group.vcf": GROUP, "contacts/b.vcf": CARD, "Work/c.vcf": CARD * 2, "todo.ics": TODO}.items():
        path = tmp_path / name
        path.parent.mkdir(exist_ok=True)
        path.write_text(text.replace("\n", "\r\n"))
    with running(seed=str(tmp_path)) as server:
        account = sign_in(server)
        ada = account.contacts.get(surname="Lovelace")
        assert (ada.given_name, ada.middle_name, ada.company_name, ada.department) == (
            "Ada",
            "Augusta",
            "Analytical Engines",
            "Programs",
        )
        assert {one.label: one.phone_number for one in ada.phone_numbers} == {
            "MobilePhone": "007",
            "BusinessFax": "008",
            "HomePhone": "009",
            "HomePhone2": "010",
        }
        assert (ada.physical_addresses[0].label, ada.physical_addresses[0].street) == ("Home", "St James, 12")
        assert ada.email_addresses[0].email == "ada@example.org" and ada.birthday == dt.date(1815, 12, 10)
        assert ada.categories == ["Maths", "Poets, too"] and ada.body == "first\r\nsecond" and ada.has_picture
        friends = account.contacts.get(display_name="Friends")
        assert [(one.mailbox.mailbox_type, one.mailbox.email_address) for one in friends.members] == [
            ("Contact", "ada@example.org"),
            ("OneOff", "charles@example.org"),
        ]
        assert (account.contacts / "Work").total_count == 2
        (task,) = account.tasks.all()
        assert (task.subject, task.due_date, task.status, task.percent_complete) == (
            "Wind the clock",
            dt.date(2026, 3, 5),
            "InProgress",
            40,
        )
        assert task.is_recurring and task.importance == "High" and task.categories == ["Workshop"]
        close_connections()
