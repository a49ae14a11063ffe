"""Contacts in the sandbox: what exchangelib's ordinary object API sees, and what Exchange derives or refuses."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator

import pytest
import vobject
from exchangelib import EWSDate
from exchangelib import FileAttachment
from exchangelib.errors import ErrorUnsupportedMimeConversion
from exchangelib.indexed_properties import EmailAddress
from exchangelib.indexed_properties import ImAddress
from exchangelib.indexed_properties import PhoneNumber
from exchangelib.indexed_properties import PhysicalAddress
from exchangelib.items import Contact
from exchangelib.protocol import close_connections

from ews_bridge.sandbox import archive
from ews_bridge.sandbox.markup import t
from tests.sandbox_calls import PID
from tests.sandbox_calls import codes
from tests.sandbox_calls import extended
from tests.sandbox_calls import item_ids
from tests.sandbox_calls import new_client
from tests.sandbox_calls import set_field
from tests.sandbox_server import running
from tests.test_sandbox_exchangelib import Office
from tests.test_sandbox_exchangelib import sign_in

JPEG = b"\xff\xd8\xff\xe0" + bytes(range(256)) * 4 + b"\xff\xd9"
EMAIL_1 = '<t:IndexedFieldURI FieldURI="contacts:EmailAddress" FieldIndex="EmailAddress1"/>'


@pytest.fixture
def office() -> Iterator[Office]:
    with running(seed="empty") as server:
        yield Office(server, sign_in(server), sign_in(server))
        close_connections()


def grace(office: Office) -> Contact:
    """A contact with something in every field that can be set."""
    contact = Contact(
        account=office.alice,
        folder=office.alice.contacts,
        display_name="Grace Hopper",
        given_name="Grace",
        middle_name="Brewster",
        surname="Hopper",
        generation="II",
        initials="GBH",
        nickname="Amazing Grace",
        company_name="Navy",
        companies=["Navy", "Remand"],
        department="Computing",
        job_title="Rear admiral",
        manager="Howard",
        assistant_name="Richard",
        office="Room 3",
        profession="Mathematician",
        spouse_name="Vincent",
        children=["None", "at all"],
        mileage="12 miles",
        birthday=EWSDate(1906, 12, 9),
        wedding_anniversary=EWSDate(1930, 6, 15),
        business_homepage="https://example.org/~grace",
        postal_address_index="Home",
        body="First\nsecond line, ümläuts",
        categories=["Compilers", "Bugs & moths"],
        importance="High",
        sensitivity="Private",
        email_addresses=[
            EmailAddress(label="EmailAddress1", email="grace@example.org"),
            EmailAddress(label="EmailAddress3", email="hopper@example.org"),
        ],
        im_addresses=[ImAddress(label=f"ImAddress{number}", im_address=f"xmpp:{number}") for number in (1, 2, 3)],
        phone_numbers=[PhoneNumber(label=label, phone_number=f"+1 {at}") for at, label in enumerate(sorted(PHONES))],
        physical_addresses=[
            PhysicalAddress(label="Home", street="1 Bug Rd\nFlat 2", city="New York", state="NY", zipcode="10001", country="USA"),
            PhysicalAddress(label="Business", city="Arlington"),
            PhysicalAddress(label="Other", street="Elsewhere"),
        ],
    )
    contact.save()
    return contact


PHONES = {choice.value for choice in PhoneNumber.FIELDS[0].choices}
WRITABLE = [
    field.name for field in Contact.FIELDS if not field.is_read_only and field.name not in ("mime_content", "attachments")
]


def comparable(value: object) -> object:
    """Entries in any order, and lines however they end."""
    if isinstance(value, list):
        return sorted(str(one) for one in value)
    return value.replace("\r\n", "\n") if isinstance(value, str) else value


def test_a_contact_comes_back_as_it_was_written(office: Office) -> None:
    written = grace(office)
    read = office.bob.contacts.get(id=written.id)
    for name in WRITABLE:
        if getattr(written, name) is not None and name != "file_as_mapping":
            assert (name, comparable(getattr(read, name))) == (name, comparable(getattr(written, name)))
    assert read.complete_name.full_name == "Grace Hopper" and read.complete_name.suffix == "II"
    assert (read.file_as, read.file_as_mapping) == ("Hopper, Grace Brewster", "LastCommaFirst")
    assert read.contact_source == "Store" and read.item_class == "IPM.Contact" and read.subject == "Grace Hopper"
    assert [found.id for found in office.alice.contacts.filter(surname="Hopper", company_name__contains="av")] == [written.id]
    assert next(iter(office.alice.contacts.all().only("email_addresses"))).email_addresses == written.email_addresses


def test_each_field_is_changed_and_taken_away_by_itself(office: Office) -> None:
    contact = grace(office)
    contact.given_name, contact.nickname, contact.children = "Grazia", None, ["One"]
    contact.email_addresses = [EmailAddress(label="EmailAddress2", email="new@example.org")]
    contact.phone_numbers = [PhoneNumber(label="MobilePhone", phone_number="007")]
    contact.physical_addresses = [PhysicalAddress(label="Home", street="2 Bug Rd", city="New York")]
    contact.im_addresses = None
    contact.birthday = EWSDate(1906, 12, 10)
    contact.save()
    read = office.bob.contacts.get(id=contact.id)
    assert (read.given_name, read.nickname, read.children) == ("Grazia", None, ["One"])
    assert read.email_addresses == contact.email_addresses and read.phone_numbers == contact.phone_numbers
    assert [(one.label, one.street, one.city, one.zipcode) for one in read.physical_addresses] == [
        ("Home", "2 Bug Rd", "New York", None)
    ]
    assert read.im_addresses is None and read.birthday == EWSDate(1906, 12, 10)
    assert read.file_as == "Hopper, Grazia Brewster"


def test_a_picture_is_an_attachment_and_shows_as_one(office: Office) -> None:
    contact = grace(office)
    assert contact.has_picture is None
    contact.attach(FileAttachment(name="ContactPicture.jpg", content=JPEG, is_contact_photo=True))
    contact.attach(FileAttachment(name="notes.txt", content=b"no picture"))
    read = office.bob.contacts.get(id=contact.id)
    assert read.has_picture is True
    assert {one.name: one.is_contact_photo for one in read.attachments} == {"ContactPicture.jpg": True, "notes.txt": False}
    photo = next(one for one in read.attachments if one.is_contact_photo)
    assert photo.content == JPEG
    photo.detach()
    assert office.alice.contacts.get(id=contact.id).has_picture is False


def test_contacts_move_are_copied_and_deleted_like_mail(office: Office) -> None:
    contact = grace(office)
    folder = office.alice.contacts
    list(folder.sync_items())
    state = folder.item_sync_state
    copied_id, _ = contact.copy(folder)
    contact.delete(affected_task_occurrences="AllOccurrences")
    changes = {kind: item if kind == "delete" else item.id for kind, item in folder.sync_items(sync_state=state)}
    assert changes["create"] == copied_id and set(changes) == {"create", "delete"}
    assert folder.get(id=copied_id).phone_numbers == contact.phone_numbers


@pytest.mark.parametrize(
    ("mapping", "expected"),
    [
        ("None", "as I like"),
        ("LastCommaFirst", "Hopper, Grace"),
        ("FirstSpaceLast", "Grace Hopper II"),
        ("Company", "Navy"),
        ("LastCommaFirstCompany", "Hopper, Grace\nNavy"),
        ("CompanyLastCommaFirst", "Navy\nHopper, Grace"),
        ("LastFirst", "HopperGrace"),
        ("LastSpaceFirst", "Hopper Grace"),
        ("LastFirstMiddleSuffix", "Hopper Grace II"),
        ("DisplayName", "Gracie"),
        ("FirstName", "Grace"),
        ("LastName", "Hopper"),
        ("Empty", None),
    ],
)
def test_how_a_contact_is_filed(mapping: str, expected: str | None) -> None:
    client = new_client()
    made = client.create(
        f"<t:Contact><t:FileAs>as I like</t:FileAs><t:FileAsMapping>{mapping}</t:FileAsMapping>"
        "<t:DisplayName>Gracie</t:DisplayName><t:GivenName>Grace</t:GivenName><t:CompanyName>Navy</t:CompanyName>"
        "<t:Generation>II</t:Generation><t:Surname>Hopper</t:Surname></t:Contact>"
    )
    shown = client.get(item_ids(made)[0], base="AllProperties")
    assert (shown.findtext(t("FileAs")) or "").replace("\r", "") == (expected or "")
    assert shown.findtext(t("FileAsMapping")) == mapping


def test_names_are_derived_where_none_is_given() -> None:
    client = new_client()
    one = item_ids(client.create("<t:Contact><t:GivenName>Ada</t:GivenName><t:Surname>Lovelace</t:Surname></t:Contact>"))[0]
    other = item_ids(client.create("<t:Contact><t:CompanyName>Clockwork</t:CompanyName></t:Contact>"))[0]
    assert client.get(one, base="Default").findtext(t("DisplayName")) == "Ada Lovelace"
    shown = client.get(other, base="Default")
    assert (shown.findtext(t("DisplayName")), shown.findtext(t("FileAs"))) == ("Clockwork", "Clockwork")


def test_a_property_and_its_element_are_one_thing() -> None:
    client = new_client()
    made = client.create(
        f"<t:Contact>{extended('0x3A06', 'String', 'Ada')}{extended('0x3A1C', 'String', '007')}"
        f"{extended('0x1000', 'String', 'a note')}</t:Contact>"
    )
    shown = client.get(item_ids(made)[0], PID.format("0x1000", "String"), base="AllProperties")
    assert shown.findtext(t("GivenName")) == "Ada" and shown.findtext(t("Body")) == "a note"
    assert shown.findtext(f"{t('ExtendedProperty')}/{t('Value')}") == "a note"
    assert [(one.get("Key"), one.text) for one in shown.iterfind(f"{t('PhoneNumbers')}/{t('Entry')}")] == [("MobilePhone", "007")]


def test_single_entries_can_be_asked_for() -> None:
    client = new_client()
    made = client.create(
        '<t:Contact><t:EmailAddresses><t:Entry Key="EmailAddress1" Name="Ada L.">a@example.org</t:Entry>'
        '<t:Entry Key="EmailAddress2">b@example.org</t:Entry></t:EmailAddresses><t:PhysicalAddresses><t:Entry Key="Home">'
        "<t:Street>S</t:Street><t:City>C</t:City><t:PostalCode>P</t:PostalCode></t:Entry></t:PhysicalAddresses></t:Contact>"
    )
    wanted = (
        f'{EMAIL_1}<t:IndexedFieldURI FieldURI="contacts:PhysicalAddress:PostalCode" FieldIndex="Home"/>'
        '<t:IndexedFieldURI FieldURI="contacts:PhysicalAddress:Street" FieldIndex="Home"/>'
    )
    shown = client.get(item_ids(made)[0], wanted)
    (entry,) = shown.iterfind(f"{t('EmailAddresses')}/{t('Entry')}")
    assert (entry.text, entry.get("Name"), entry.get("RoutingType")) == ("a@example.org", "Ada L.", "SMTP")
    (home,) = shown.iterfind(f"{t('PhysicalAddresses')}/{t('Entry')}")
    assert [(part.tag, part.text) for part in home] == [(t("Street"), "S"), (t("PostalCode"), "P")]


def test_contacts_can_be_viewed_from_one_name_to_another() -> None:
    client = new_client()
    for name in ("Zoë", "ada", "Ève", "Bob"):
        client.create(f"<t:Contact><t:DisplayName>{name}</t:DisplayName></t:Contact>")
    wanted = '<t:FieldURI FieldURI="contacts:DisplayName"/>'

    def names(view: str) -> list[str | None]:
        found = client.find(f"<m:ContactsView {view}/>", folder="contacts", extra=wanted)
        return [one.findtext(t("DisplayName")) for one in found.iter(t("Contact"))]

    assert names('InitialName="b" FinalName="f"') == ["Bob", "Ève"]
    assert names('MaxEntriesReturned="2"') == ["ada", "Bob"]


@pytest.mark.parametrize(
    ("change", "code"),
    [
        (
            set_field("contacts:EmailAddresses", '<t:EmailAddresses><t:Entry Key="EmailAddress1">x</t:Entry></t:EmailAddresses>'),
            "Set",
        ),
        ('<t:DeleteItemField><t:FieldURI FieldURI="contacts:PhoneNumbers"/></t:DeleteItemField>', "Delete"),
        (set_field("contacts:CompleteName", "<t:CompleteName><t:Title>Dr</t:Title></t:CompleteName>"), "Set"),
        (set_field("contacts:HasPicture", "<t:HasPicture>true</t:HasPicture>"), "Set"),
        (set_field("contacts:Notes", "<t:Notes>n</t:Notes>"), "Request"),
        (set_field("task:Owner", "<t:Owner>n</t:Owner>", "Task"), "Request"),
    ],
)
def test_what_a_contact_does_not_take(change: str, code: str) -> None:
    client = new_client()
    made = item_ids(client.create("<t:Contact><t:GivenName>Ada</t:GivenName></t:Contact>"))[0]
    change = change.replace("t:Message>", "t:Contact>")
    assert codes(client.update(made, change)) == [f"ErrorInvalidProperty{code}"]


def test_a_contact_lives_in_a_folder_for_contacts_only() -> None:
    client = new_client()
    made = client.create("<t:Contact><t:GivenName>Ada</t:GivenName></t:Contact>", "drafts")
    assert codes(made) == ["ErrorCannotCreateContactInNonContactFolder"]


def test_mime_does_not_make_a_contact_but_is_made_of_one(office: Office) -> None:
    with pytest.raises(ErrorUnsupportedMimeConversion):
        Contact(account=office.alice, folder=office.alice.contacts, mime_content=b"BEGIN:VCARD", display_name="x").save()
    made = grace(office)
    made.mime_content = b"BEGIN:VCARD"
    with pytest.raises(ErrorUnsupportedMimeConversion):
        made.save(update_fields=["mime_content"])
    (read,) = office.bob.contacts.all().only("mime_content")
    card = vobject.readOne(read.mime_content.decode())
    assert card.fn.value == "Grace Hopper" and card.bday.value == "1906-12-09" and card.title.value == "Rear admiral"
    assert {one.value for one in card.contents["email"]} == {"grace@example.org", "hopper@example.org"}
    assert card.note.value == "First\nsecond line, ümläuts" and card.adr.value.city == "Arlington"


def test_contacts_survive_a_restart(office: Office, tmp_path_factory: pytest.TempPathFactory) -> None:
    contact = grace(office)
    contact.attach(FileAttachment(name="ContactPicture.jpg", content=JPEG, is_contact_photo=True))
    path = tmp_path_factory.mktemp("world") / "world.db"
    office.server.world.save(path)
    world = archive.load(path, clock=lambda: dt.datetime(2026, 11, 24, tzinfo=dt.UTC))
    kept = world.users["alice@example.test"].items
    assert [(item.key, item.change, item.kind) for item in kept.values()] == [
        (item.key, item.change, item.kind) for item in office.server.alice.items.values()
    ]
    with running(world=world) as server:
        account = sign_in(server)
        read = account.contacts.get(id=contact.id)
        assert read.has_picture and read.physical_addresses and read.birthday == EWSDate(1906, 12, 9)
