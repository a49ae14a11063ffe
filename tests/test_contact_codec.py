"""Contacts and vCards: what each field becomes, that nothing a file says is lost, and that only what changed is written."""

from __future__ import annotations

import base64
import os
import re
from collections.abc import Sequence
from datetime import date
from pathlib import Path
from xml.sax.saxutils import escape

import pytest
from hypothesis import given
from hypothesis import strategies as st
from lxml import etree

from ews_bridge.errors import BadItem
from ews_bridge.exchange import asking
from ews_bridge.exchange import contact
from ews_bridge.exchange import form
from ews_bridge.exchange import soap
from ews_bridge.exchange import vcardfile
from tests.contact_server import FORM
from tests.contact_server import Contacts
from tests.effort import at_most

CORPUS = os.environ.get("EWS_BRIDGE_CORPUS")
DATA = Path(__file__).parent / "data" / "contacts"
JPEG = b"\xff\xd8\xff\xe0" + bytes(range(256)) * 4 + b"\xff\xd9"
PNG = b"\x89PNG\r\n\x1a\n" + bytes(range(200))
DER = b"\x30\x82\x01\x00" + bytes(256)


def card(*lines: str, version: str = "3.0") -> bytes:
    return "\r\n".join(("BEGIN:VCARD", f"VERSION:{version}", *lines, "END:VCARD", "")).encode()


def lines(data: bytes) -> list[str]:
    """The unfolded lines of a file, without what every file has."""
    text = data.decode().replace("\r\n ", "")
    return [line for line in text.split("\r\n") if line and not re.match("BEGIN|END|VERSION|PRODID|UID", line)]


def kept(*given: str, version: str = "3.0") -> list[str]:
    """What a card looks like after it was on the server; it must mean the same and be written no more."""
    data = card(*given, version=version)
    server = Contacts()
    ident = server.add(data)
    rendered = server.render(ident)
    assert FORM.read(rendered).meaning == FORM.read(data).meaning
    assert not FORM.changes(server.snapshot(ident), rendered)
    assert not FORM.changes(server.snapshot(ident), data)
    return lines(rendered)


# Golden pairs: a contact as the server has it, and the file it is.


@pytest.mark.parametrize("name", sorted(path.stem for path in DATA.glob("*.xml")))
def test_an_item_of_the_server_is_this_file(name: str) -> None:
    server = Contacts()
    ident = server.make((DATA / f"{name}.xml").read_text())
    rendered = re.sub(rb"UID:[0-9a-f]{32}", b"UID:0", server.render(ident))
    assert rendered.decode().replace("\r\n", "\n") == (DATA / f"{name}.vcf").read_text()
    assert not FORM.changes(server.snapshot(ident), server.render(ident))


# What a file says


@pytest.mark.parametrize(
    "line",
    [
        "X-PHONETIC-FIRST-NAME:ぐれーす",
        "X-PHONETIC-LAST-NAME:ほっぱー",
        "X-PHONETIC-ORG:ねいびー",
        "NICKNAME:Amazing Grace",
        "NICKNAME:Amazing,Grace",
        "ORG:Navy;Computing",
        "ORG:Navy;Computing;Compilers",
        "ORG:ACME\\, Inc.",
        "TITLE:Rear admiral",
        "ROLE:Mathematician",
        "X-MANAGER:Howard Aiken",
        "X-ASSISTANT:Richard Bloch",
        "X-SPOUSE:Vincent",
        "X-CHILD:Ann",
        "X-CUSTOM1:one",
        "X-CUSTOM4:four",
        "BDAY:1906-12-09",
        "BDAY;X-APPLE-OMIT-YEAR=1900:1900-12-09",
        "X-ANNIVERSARY:1930-06-15",
        "URL:https://example.org/~grace?a=b#c",
        "URL;TYPE=home:https://grace.example.org/",
        "NOTE:First\\nSecond\\, with a comma\\; and a semicolon",
        "CATEGORIES:Friends,Navy",
        "IMPP:xmpp:grace@example.org",
        "X-JABBER:grace@example.org",
        "ADR;TYPE=work:;Room 3;Street 1\\nBack door;City;State;12345;Country",
        "ADR;TYPE=home:PO Box 1;Flat 2;Street 1;City;State;12345;Country",
        "ADR:;;Elsewhere;;;;",
        "TEL;TYPE=pref:1",
        "TEL;TYPE=work,fax:1",
        "TEL;TYPE=home,fax:1",
        "TEL;TYPE=fax:1",
        "TEL;TYPE=pager:1",
        "TEL;TYPE=car:1",
        "TEL;TYPE=isdn:1",
        "TEL;TYPE=cell:1",
        "X-NEVER-HEARD-OF;X-A=b:anything;at,all",
        "GEO:46.772673;-71.282945",
        "TZ:-05:00",
        "SORT-STRING:Harten",
        "CLASS:PRIVATE",
        "BDAY;VALUE=text:circa 1800",
        "LOGO;VALUE=uri:https://example.org/logo.png",
        "KEY;TYPE=PGP;VALUE=uri:https://example.org/key.asc",
        "N:Stevenson;John;Philip,Paul;Dr.;Jr.,M.D.,A.C.P.",
        "N:Hopper;Grace;Brewster;Dr.;II",
        "N;LANGUAGE=jp:ほっぱー;ぐれーす;;;",
    ],
)
def test_a_line_comes_back_as_it_was(line: str) -> None:
    assert line in kept("FN:Grace Hopper", line)


@pytest.mark.parametrize("version", ["2.1", "3.0", "4.0"])
def test_a_card_that_was_on_the_server_is_a_full_3_0_card(version: str) -> None:
    server = Contacts()
    rendered = server.render(server.add(card("FN:Grace", "EMAIL:g@example.org", version=version)))
    text = rendered.decode()
    assert text.startswith("BEGIN:VCARD\r\nVERSION:3.0\r\n")
    for name in ("UID", "FN", "N"):
        assert len(re.findall(f"^{name}:", text, re.MULTILINE)) == 1


def test_the_fields_are_those_that_outlook_shows() -> None:
    server = Contacts()
    ident = server.add(
        card(
            "FN:Dr. Grace B. Hopper",
            "N:Hopper;Grace;Brewster;Dr.;II",
            "ORG:Navy;Computing",
            "EMAIL;TYPE=work:work@example.org",
            "EMAIL:home@example.org",
            "TEL;TYPE=cell,voice:+1 555 1",
            "ADR;TYPE=work:;Room 3;Street 1;City;State;12345;Country",
            "X-ANNIVERSARY:1930-06-15",
        )
    )
    element = server.client.get(ident, base="AllProperties")
    texts = {str(each.tag).rpartition("}")[2]: each.text for each in element.iter() if each.text}
    assert texts["DisplayName"] == "Dr. Grace B. Hopper"
    assert (texts["GivenName"], texts["MiddleName"], texts["Surname"], texts["Generation"]) == (
        "Grace",
        "Brewster",
        "Hopper",
        "II",
    )
    assert (texts["Title"], texts["CompanyName"], texts["Department"], texts["OfficeLocation"]) == (
        *("Dr.", "Navy", "Computing"),
        "Room 3",
    )
    assert texts["FileAs"] == "Hopper, Grace Brewster"
    assert (texts["Street"], texts["City"], texts["PostalCode"]) == ("Street 1", "City", "12345")
    assert texts["WeddingAnniversary"] == "1930-06-15T11:59:00Z"
    entries = {each.get("Key"): each.text for each in element.iter() if each.get("Key")}
    assert entries["EmailAddress1"] == "work@example.org"
    assert entries["EmailAddress2"] == "home@example.org"
    assert entries["MobilePhone"] == "+1 555 1"


def test_more_addresses_than_exchange_has_places_for_are_kept_in_their_order() -> None:
    given = [f"EMAIL;TYPE=work:{n}@example.org" for n in range(6)]
    assert [line for line in kept("FN:Many", *given) if line.startswith("EMAIL")] == given


def test_more_telephones_than_exchange_has_places_for_are_kept_with_their_names() -> None:
    given = [f"TEL;TYPE=work:{n}" for n in range(5)] + ["TEL;TYPE=cell:1", "TEL;TYPE=cell:2", "TEL;TYPE=modem:3"]
    assert sorted(line for line in kept("FN:Many", *given) if line.startswith("TEL")) == sorted(given)


@pytest.mark.parametrize("label", ["boat", "Sommer, Haus", "_$!<Work>!$_"])
def test_a_label_as_khard_writes_it_stays_with_what_it_names(label: str) -> None:
    escaped = label.replace(",", "\\,")
    found = kept("FN:Grace", "itemtel1.TEL:1", f"itemtel1.X-ABLABEL:{escaped}", "TEL;TYPE=home:2")
    assert "itemtel1.TEL:1" in found
    assert f"itemtel1.X-ABLABEL:{escaped}" in found


def test_a_label_goes_on_naming_what_the_server_changed() -> None:
    server = Contacts()
    ident = server.add(card("FN:Grace", "item1.EMAIL;TYPE=pref:old@example.org", "item1.X-ABLABEL:boat"))
    entry = '<t:IndexedFieldURI FieldURI="contacts:EmailAddress" FieldIndex="EmailAddress1"/>'
    new = '<t:EmailAddresses><t:Entry Key="EmailAddress1">new@example.org</t:Entry></t:EmailAddresses>'
    server.client.update(ident, f"<t:SetItemField>{entry}<t:Contact>{new}</t:Contact></t:SetItemField>")
    found = lines(server.render(ident))
    assert "item1.EMAIL;TYPE=pref:new@example.org" in found
    assert "item1.X-ABLABEL:boat" in found
    assert not FORM.changes(server.snapshot(ident), server.render(ident))


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("BDAY:--1209", "BDAY;X-APPLE-OMIT-YEAR=1900:1900-12-09"),
        ("BDAY:--12-09", "BDAY;X-APPLE-OMIT-YEAR=1900:1900-12-09"),
        ("BDAY;X-APPLE-OMIT-YEAR=1604:1604-12-09", "BDAY;X-APPLE-OMIT-YEAR=1900:1900-12-09"),
        ("BDAY:1900-12-09", "BDAY;X-APPLE-OMIT-YEAR=1900:1900-12-09"),
        ("BDAY:--0229", "BDAY;X-APPLE-OMIT-YEAR=1604:1604-02-29"),
        ("BDAY:19061209", "BDAY:1906-12-09"),
        ("BDAY:1906-12-09T00:00:00Z", "BDAY:1906-12-09"),
    ],
)
def test_a_day_in_any_notation_is_one_day(line: str, expected: str) -> None:
    server = Contacts()
    rendered = server.render(server.add(card("FN:Grace", line)))
    assert expected in lines(rendered)
    assert FORM.read(rendered).meaning == FORM.read(card("FN:Grace", line)).meaning


@pytest.mark.parametrize(
    "moment", ["1906-12-09T11:59:00Z", "1906-12-08T23:00:00Z", "1906-12-09T05:00:00Z", "1906-12-09T00:00:00"]
)
def test_a_birthday_is_the_day_that_whoever_wrote_it_saw(moment: str) -> None:
    server = Contacts()
    ident = server.make(f"<t:Contact><t:DisplayName>G</t:DisplayName><t:Birthday>{moment}</t:Birthday></t:Contact>")
    assert "BDAY:1906-12-09" in lines(server.render(ident))


def test_the_day_that_outlook_writes_for_none_is_none() -> None:
    server = Contacts()
    ident = server.make("<t:Contact><t:DisplayName>G</t:DisplayName><t:Birthday>4501-01-01T00:00:00Z</t:Birthday></t:Contact>")
    assert "BDAY" not in server.render(ident).decode()


def test_what_other_programs_call_it_is_the_same_thing() -> None:
    expected = FORM.read(card("FN:G", "X-SPOUSE:Ann", "X-ANNIVERSARY:1930-06-15", "X-CHILDREN:A,B")).meaning
    given = ("X-EVOLUTION-SPOUSE:Ann", "X-MS-ANNIVERSARY:19300615", "X-MS-CHILD:B", "X-MS-CHILD:A")
    assert FORM.read(card("FN:G", *given)).meaning == expected
    assert "X-EVOLUTION-SPOUSE:Ann" in kept("FN:G", *given)


# The picture and the certificates


def picture(data: bytes, kind: str) -> str:
    return f"PHOTO;ENCODING=b;TYPE={kind}:{base64.b64encode(data).decode()}"


def test_a_picture_goes_up_comes_back_is_replaced_and_removed() -> None:
    server = Contacts()
    ident = server.add(card("FN:Grace", picture(JPEG, "JPEG")))
    assert picture(JPEG, "JPEG") in lines(server.render(ident))
    assert server.client.get(ident, base="AllProperties").findtext("{*}HasPicture") == "true"
    assert not server.change(ident, card("FN:Grace", picture(JPEG, "jpeg")))
    server.change(ident, card("FN:Grace", picture(PNG, "PNG")))
    assert picture(PNG, "PNG") in lines(server.render(ident))
    server.change(ident, card("FN:Grace"))
    assert "PHOTO" not in server.render(ident).decode()
    assert contact.photo_ids(server.snapshot(ident).element) == ()


def test_a_picture_of_4_0_and_one_of_2_1_are_pictures() -> None:
    data = base64.b64encode(JPEG).decode()
    new = FORM.read(card("FN:Grace", picture(JPEG, "JPEG"))).meaning
    assert FORM.read(card("FN:Grace", f"PHOTO:data:image/jpeg;base64,{data}", version="4.0")).meaning == new
    folded = data[:60] + "\r\n " + data[60:]
    assert FORM.read(card("FN:Grace", f"PHOTO;JPEG;ENCODING=BASE64:{folded}", "", version="2.1")).meaning == new


def test_a_picture_that_is_too_large_is_refused_by_its_size() -> None:
    data = card("FN:Grace", picture(JPEG[:4] + bytes(contact.PHOTO_LIMIT), "JPEG"))
    with pytest.raises(BadItem, match=r"picture has 7\.0 MB"):
        FORM.creation(data)


def test_a_picture_that_is_only_an_address_is_kept_as_such() -> None:
    assert "PHOTO;VALUE=uri:https://example.org/g.jpg" in kept("FN:Grace", "PHOTO;VALUE=uri:https://example.org/g.jpg")


def test_a_certificate_goes_into_the_form_that_outlook_reads() -> None:
    line = f"KEY;ENCODING=b;TYPE=X509:{base64.b64encode(DER).decode()}"
    assert line in kept("FN:Grace", line)
    (field,) = re.findall(r"<t:Values><t:Value>(.*?)</t:Value>", FORM.creation(card("FN:Grace", line))[1].xml)
    assert base64.b64decode(field) == b"\x03\x00" + (len(DER) + 4).to_bytes(2, "little") + DER


def test_more_certificates_than_we_show_stay_and_so_do_those_in_a_form_that_we_do_not_know() -> None:
    blobs = [base64.b64encode(data).decode() for data in (b"?", *(DER[:-1] + bytes([n]) for n in range(6)))]
    values = "".join(f"<t:Value>{blob}</t:Value>" for blob in blobs)
    path = '<t:ExtendedFieldURI PropertyTag="0x3a70" PropertyType="BinaryArray"/>'
    own = f"<t:ExtendedProperty>{path}<t:Values>{values}</t:Values></t:ExtendedProperty>"
    server = Contacts()
    ident = server.make(f"<t:Contact>{own}<t:DisplayName>Grace</t:DisplayName></t:Contact>")
    shown = [line for line in lines(server.render(ident)) if line.startswith("KEY")]
    assert len(shown) == 3
    server.change(ident, card("FN:Grace", *shown[1:]))
    element = server.client.get(ident, path)
    assert [each.text for each in element.iter("{*}Value")] == [blobs[0], *blobs[2:]]


# Changes


FULL = (
    "FN:Grace Hopper",
    "N:Hopper;Grace;;;",
    "EMAIL;TYPE=work:one@example.org",
    "EMAIL;TYPE=home:two@example.org",
    "TEL;TYPE=work:1",
    "TEL;TYPE=work:2",
    "TEL;TYPE=home:3",
    "ADR;TYPE=work:;Room 3;Street 1;City;State;12345;Country",
    "NOTE:A note",
    "X-OWN:kept",
)


def written(server: Contacts, ident: str, *given: str) -> list[str]:
    """What a changed file writes, by the names of the fields; the item then says what the file says."""
    data = card(*given)
    made = server.change(ident, data)
    assert FORM.read(server.render(ident)).meaning == FORM.read(data).meaning
    return re.findall(
        r'(?:FieldURI|FieldIndex|PropertyName|PropertyTag)="([^"]*)"', re.sub(r"(?s)<t:Contact>.*?</t:Contact>", "", made.xml)
    )


def without(*gone: str) -> list[str]:
    return [line for line in FULL if line not in gone]


@pytest.mark.parametrize(
    ("old", "new", "fields"),
    [
        ("NOTE:A note", "NOTE:Another", ["item:Body"]),
        ("NOTE:A note", None, ["item:Body"]),
        (None, "TITLE:Admiral", ["contacts:JobTitle"]),
        ("TEL;TYPE=work:2", "TEL;TYPE=work:9", ["contacts:PhoneNumber", "BusinessPhone2"]),
        ("TEL;TYPE=work:1", None, ["contacts:PhoneNumber", "BusinessPhone"]),
        ("TEL;TYPE=home:3", "TEL;TYPE=cell:3", ["contacts:PhoneNumber", "HomePhone", "contacts:PhoneNumber", "MobilePhone"]),
        (
            "EMAIL;TYPE=home:two@example.org",
            "EMAIL;TYPE=home:new@example.org",
            ["contacts:EmailAddress", "EmailAddress2", "Leftover"],
        ),
        ("EMAIL;TYPE=home:two@example.org", "EMAIL;TYPE=pref:two@example.org", ["Leftover"]),
        (
            "ADR;TYPE=work:;Room 3;Street 1;City;State;12345;Country",
            "ADR;TYPE=work:;Room 3;Street 1;Town;State;12345;Country",
            ["contacts:PhysicalAddress:City", "Business"],
        ),
        ("X-OWN:kept", "X-OWN:changed", ["Leftover"]),
        ("N:Hopper;Grace;;;", "N:Hopper;Grace;Brewster;;", ["contacts:MiddleName"]),
        (None, "CATEGORIES:Friends", ["item:Categories"]),
        (None, "CLASS:PRIVATE", ["item:Sensitivity"]),
    ],
)
def test_only_what_changed_is_written(old: str | None, new: str | None, fields: list[str]) -> None:
    server = Contacts()
    ident = server.add(card(*FULL))
    assert sorted(written(server, ident, *without(*filter(None, (old,))), *filter(None, (new,)))) == sorted(fields)


def test_the_first_address_may_go_and_the_second_keeps_its_place() -> None:
    server = Contacts()
    ident = server.add(card(*FULL))
    assert written(server, ident, *without("EMAIL;TYPE=work:one@example.org")) == [
        "contacts:EmailAddress",
        "EmailAddress1",
        "Leftover",
    ]


def test_what_the_server_alone_knows_is_left_alone() -> None:
    server = Contacts()
    own = (
        "<t:Contact><t:FileAs>The admiral</t:FileAs><t:DisplayName>Grace</t:DisplayName><t:Initials>GH</t:Initials>"
        "<t:GivenName>Grace</t:GivenName><t:Mileage>5</t:Mileage></t:Contact>"
    ).replace(
        "<t:Initials>GH</t:Initials><t:GivenName>Grace</t:GivenName>",
        "<t:GivenName>Grace</t:GivenName><t:Initials>GH</t:Initials>",
    )
    ident = server.make(own)
    assert written(server, ident, "FN:Grace Hopper", "N:Hopper;Grace;;;") == ["contacts:DisplayName", "contacts:Surname"]
    element = server.client.get(ident, base="AllProperties")
    assert [element.findtext(f"{{*}}{name}") for name in ("FileAs", "Initials", "Mileage")] == ["The admiral", "GH", "5"]


def test_a_name_to_file_it_under_that_was_made_of_the_old_name_is_made_of_the_new() -> None:
    server = Contacts()
    ident = server.make(
        "<t:Contact><t:FileAs>Murray, Grace</t:FileAs><t:DisplayName>Grace Murray</t:DisplayName>"
        "<t:GivenName>Grace</t:GivenName><t:Surname>Murray</t:Surname></t:Contact>"
    )
    server.change(ident, card("FN:Grace Hopper", "N:Hopper;Grace;;;"))
    assert server.client.get(ident, base="AllProperties").findtext("{*}FileAs") == "Hopper, Grace"


def test_a_note_with_formatting_is_read_as_text_and_keeps_its_formatting_until_the_file_changes_it() -> None:
    body = (
        "&lt;html&gt;&lt;body&gt;&lt;p&gt;Met &lt;b&gt;her&lt;/b&gt;&lt;/p&gt;&lt;p&gt;twice&lt;/p&gt;&lt;/body&gt;&lt;/html&gt;"
    )
    element = f'<t:Body BodyType="HTML">{body}</t:Body><t:DisplayName>Grace</t:DisplayName>'
    snapshot = form.Snapshot(etree.fromstring(f'<t:Contact xmlns:t="{soap.TYPES}">{element}</t:Contact>'))
    rendered = FORM.render(snapshot)
    assert "NOTE:Met her\\n\\ntwice" in lines(rendered)
    assert not FORM.changes(snapshot, rendered)
    made = FORM.changes(snapshot, rendered.replace(b"twice", b"thrice"))
    assert '<t:Body BodyType="Text">Met her\n\nthrice</t:Body>' in made.xml


def test_the_name_beside_an_address_stays_when_the_address_changes() -> None:
    server = Contacts()
    ident = server.make(
        "<t:Contact><t:DisplayName>Grace</t:DisplayName><t:EmailAddresses>"
        '<t:Entry Key="EmailAddress1" Name="Grace at work (old@example.org)">old@example.org</t:Entry>'
        "</t:EmailAddresses></t:Contact>"
    )
    server.change(ident, card("FN:Grace", "EMAIL:new@example.org"))
    (entry,) = server.client.get(ident, base="AllProperties").iterfind("{*}EmailAddresses/{*}Entry")
    assert (entry.text, entry.get("Name")) == ("new@example.org", "Grace at work (new@example.org)")


def test_an_address_of_the_directorys_own_form_is_shown_as_mail_can_use_it_and_never_overwritten() -> None:
    server = Contacts()
    original = '<t:ExtendedFieldURI DistinguishedPropertySetId="Address" PropertyId="32900" PropertyType="String"/>'
    ident = server.make(
        "<t:Contact><t:DisplayName>Grace</t:DisplayName><t:EmailAddresses>"
        '<t:Entry Key="EmailAddress1" Name="Grace" RoutingType="EX">/o=Example/cn=grace</t:Entry>'
        '<t:Entry Key="EmailAddress2" Name="X" RoutingType="EX">/o=Example/cn=x</t:Entry>'
        "</t:EmailAddresses></t:Contact>"
    )
    value = f"<t:ExtendedProperty>{original}<t:Value>grace@example.org</t:Value></t:ExtendedProperty>"
    server.client.update(ident, f"<t:SetItemField>{original}<t:Contact>{value}</t:Contact></t:SetItemField>")
    assert [line for line in lines(server.render(ident)) if line.startswith("EMAIL")] == ["EMAIL;TYPE=internet:grace@example.org"]
    found = written(server, ident, "FN:Grace", "EMAIL:grace@example.org", "EMAIL:new@example.org")
    assert found == ["contacts:EmailAddress", "EmailAddress3"]


def test_a_uid_that_the_file_gave_stays_and_one_that_nobody_gave_is_always_the_same() -> None:
    server = Contacts()
    ident = server.add(card("UID:urn:uuid:4711", "FN:Grace"))
    assert b"UID:urn:uuid:4711\r\n" in server.render(ident)
    other = server.add(card("FN:Grace"))
    assert server.render(other) == server.render(other)
    uid = FORM.read(server.render(other)).uid
    assert len(uid) > 10
    server.change(other, card("UID:new", "FN:Grace"))
    assert FORM.read(server.render(other)).uid == "new"


def addresses(server: Contacts, ident: str) -> dict[str, str]:
    """The entries of an item by their keys."""
    element = server.client.get(ident, base="AllProperties")
    return {str(each.get("Key")): each.text or "" for each in element.iter("{*}Entry")}


def test_addresses_keep_their_places_when_the_file_has_them_in_another_order() -> None:
    server = Contacts()
    ident = server.add(card("FN:Grace", "EMAIL;TYPE=work:1@example.org", "EMAIL;TYPE=home:2@example.org"))
    server.change(ident, card("FN:Grace", "EMAIL;TYPE=home:new2@example.org", "EMAIL;TYPE=work:new1@example.org"))
    assert addresses(server, ident) == {"EmailAddress1": "new1@example.org", "EmailAddress2": "new2@example.org"}
    server.change(ident, card("FN:Grace", "EMAIL;TYPE=X400:new2@example.org", "EMAIL;TYPE=pref:new1@example.org"))
    assert addresses(server, ident) == {"EmailAddress1": "new1@example.org", "EmailAddress2": "new2@example.org"}


def test_a_telephone_of_outlook_com_that_is_edited_stays_what_it_is() -> None:
    server = Contacts()
    ident = server.make(
        "<t:Contact><t:DisplayName>Grace</t:DisplayName><t:PhoneNumbers>"
        '<t:Entry Key="BusinessMobile">1</t:Entry></t:PhoneNumbers></t:Contact>'
    )
    server.change(ident, card("FN:Grace", "TEL;TYPE=cell,work:2"))
    assert addresses(server, ident) == {"BusinessMobile": "2"}


def test_a_place_that_the_server_frees_is_not_filled_from_what_is_kept() -> None:
    server = Contacts()
    ident = server.add(card("FN:Grace", *(f"EMAIL:{n}@example.org" for n in range(4))))
    path = '<t:IndexedFieldURI FieldURI="contacts:EmailAddress" FieldIndex="EmailAddress2"/>'
    server.client.update(ident, f"<t:DeleteItemField>{path}</t:DeleteItemField>")
    rendered = server.render(ident)
    assert b"3@example.org" in rendered
    assert not FORM.changes(server.snapshot(ident), rendered)


@pytest.mark.parametrize(
    ("line", "element"),
    [
        ("BDAY:1500-01-01", "Birthday"),
        ("BDAY:4501-01-01", "Birthday"),
        ("BDAY:1985-04", "Birthday"),
        ("URL:no address at all", "BusinessHomePage"),
        ("URL::a", "BusinessHomePage"),
    ],
)
def test_what_a_field_cannot_hold_is_kept_and_not_sent_there(line: str, element: str) -> None:
    assert line in kept("FN:Grace", line)
    assert f"<t:{element}>" not in FORM.creation(card("FN:Grace", line))[1].xml


def test_what_4_0_prefers_is_preferred_in_3_0() -> None:
    assert "EMAIL;TYPE=home,pref:g@example.org" in kept("FN:G", "EMAIL;TYPE=home;PREF=1:g@example.org", version="4.0")
    assert "EMAIL;PREF=2:g@example.org" in kept("FN:G", "EMAIL;PREF=2:g@example.org", version="4.0")


def test_a_relative_of_4_0_is_a_relative_of_outlook() -> None:
    given = ("RELATED;VALUE=text;TYPE=spouse:Ann", "RELATED;VALUE=text;TYPE=child:Bob", "RELATED;TYPE=friend:urn:uuid:1")
    found = kept("FN:G", *given, version="4.0")
    assert {"X-SPOUSE:Ann", "X-CHILD:Bob", "RELATED;TYPE=friend:urn:uuid:1"} <= set(found)


def test_a_comma_of_2_1_is_a_comma() -> None:
    found = kept("FN:Hopper, Grace", "N:Hopper, Jr.;Grace", "NOTE;ENCODING=QUOTED-PRINTABLE:a,=0D=0Ab=01c", version="2.1")
    assert {"FN:Hopper\\, Grace", "N:Hopper\\, Jr.;Grace;;;", "NOTE:a\\,\\nbc"} <= set(found)


# Files as they come


@pytest.mark.parametrize(
    ("data", "name"),
    [
        (card("FN:Jürgen").decode().encode("utf-16"), "Jürgen"),
        (b"\xef\xbb\xbf" + card("FN:Jürgen"), "Jürgen"),
        (card("FN;CHARSET=ISO-8859-1:Jürgen", version="2.1").decode().encode("latin-1"), "Jürgen"),
        (card("FN:Jürgen", version="2.1").decode().encode("cp1252"), "Jürgen"),
        (card("FN;CHARSET=ISO-8859-1;ENCODING=QUOTED-PRINTABLE:J=FCrgen", version="2.1"), "Jürgen"),
        (card("FN;CHARSET=UTF-8;QUOTED-PRINTABLE:J=C3=BCr=", "gen", version="2.1"), "Jürgen"),
        (card("FN:Grace").replace(b"\r\n", b"\n"), "Grace"),
        (card("FN:Grace").replace(b"\r\n", b"\r"), "Grace"),
        (card("FN:Gra", " ce"), "Grace"),
        (card("fn:Grace").lower(), "grace"),
        (b"BEGIN:VCARD\nFN:Grace\nEND:VCARD", "Grace"),
        (card("FN:Gra\x00\x0bce\ufffe"), "Grace"),
        (card("N:Hopper;Grace;;Dr.;"), "Dr. Grace Hopper"),
        (card("ORG:ACME;Sales"), "ACME"),
        (card("EMAIL:g@example.org"), "g@example.org"),
        (card("X-ONLY:this"), "Unnamed"),
    ],
)
def test_a_card_is_read_however_it_is_written(data: bytes, name: str) -> None:
    assert FORM.read(data).label == name
    server = Contacts()
    rendered = server.render(server.add(data))
    assert FORM.read(rendered).meaning == FORM.read(data).meaning


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (b"", "no vCard"),
        (b"BEGIN:VCALENDAR\nEND:VCALENDAR\n", "no vCard"),
        (b"BEGIN:VCARD\nVERSION:3.0\nFN:Grace\n", "cut off"),
        (card("FN:One") + card("FN:Two"), "more than one"),
        (card("AGENT:", "BEGIN:VCARD", "FN:Other", "END:VCARD", version="2.1"), "more than one"),
        (card("FN:Grace", "this is no line"), "line .*'this is no line'"),
        (card("FN:Grace", version="9.0"), "vCard 9.0 is unknown"),
        (card("FN:Jürgen").decode().encode("latin-1"), "cannot be read as utf-8"),
        (card("FN;CHARSET=klingon:J\xfc").decode().encode("latin-1"), "cannot be read as klingon"),
        (card("FN;CHARSET=klingon;ENCODING=QUOTED-PRINTABLE:J=FC", version="2.1"), "line .*klingon"),
    ],
)
def test_what_is_broken_is_refused_by_name(data: bytes, reason: str) -> None:
    with pytest.raises(BadItem, match=reason):
        FORM.read(data)


@given(st.binary() | st.text().map(lambda text: card(text)) | st.text().map(lambda text: card(f"FN:x\r\n{text}", version="2.1")))
def test_no_bytes_bring_it_down(data: bytes) -> None:
    try:
        FORM.creation(data)
    except BadItem as error:
        assert str(error)


@pytest.mark.skipif(CORPUS is None, reason="EWS_BRIDGE_CORPUS is not set: no real cards to convert")
def test_every_real_card_comes_back_or_is_refused_with_its_reason() -> None:
    refused = {}
    for path in sorted(Path(str(CORPUS), "vcf").glob("*.vcf")):
        data = path.read_bytes()
        try:
            said = FORM.read(data)
        except BadItem as error:
            refused[path.name] = str(error)
            continue
        server = Contacts()
        ident = server.add(data)
        again = server.render(ident)
        assert FORM.read(again).meaning == said.meaning, path.name
        assert FORM.read(again).uid == (said.uid or FORM.read(again).uid), path.name
        assert not FORM.changes(server.snapshot(ident), data), path.name
    assert refused == {"unparsable.vcf": "the vCard is cut off: it has no END:VCARD"}


# What means the same


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (("TEL;TYPE=home,voice:1",), ("TEL;TYPE=voice;TYPE=home:1",)),
        (("EMAIL;TYPE=internet:a@b.c",), ("EMAIL:a@b.c",)),
        (("NOTE:a", "TITLE:b"), ("TITLE:b", "NOTE:a")),
        (("REV:20200101T000000Z", "PRODID:x"), ()),
        (("CATEGORIES:a,b",), ("CATEGORIES:b", "CATEGORIES:a")),
        (("item1.TEL:1", "item1.X-ABLABEL:boat"), ("itemtel7.TEL:1", "itemtel7.X-ABLabel:boat")),
        (("N:;;;;", "TEL:"), ()),
        (("ORG:ACME;",), ("ORG:ACME",)),
        (("NOTE:a\\, b",), ("NOTE:a, b",)),
    ],
)
def test_this_means_the_same(one: tuple[str, ...], other: tuple[str, ...]) -> None:
    assert FORM.read(card("FN:G", *one)).meaning == FORM.read(card("FN:G", *other)).meaning


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (("TEL;TYPE=home:1",), ("TEL;TYPE=work:1",)),
        (("EMAIL;TYPE=pref:a@b.c",), ("EMAIL:a@b.c",)),
        (("item1.TEL:1", "item1.X-ABLABEL:boat"), ("item1.TEL:1", "item1.X-ABLABEL:ship")),
        (("N:Hopper;Grace;;;",), ("N:Grace;Hopper;;;",)),
        (("NOTE:a",), ("NOTE:A",)),
        (("ORG:ACME;Sales",), ("ORG:ACME,Sales",)),
    ],
)
def test_this_does_not(one: tuple[str, ...], other: tuple[str, ...]) -> None:
    assert FORM.read(card("FN:G", *one)).meaning != FORM.read(card("FN:G", *other)).meaning


# Any card

TEXTS = st.text(st.characters(exclude_categories=("Cs", "Cc")) | st.sampled_from("\n,;:\\\"'"), min_size=1, max_size=12)
TYPES = st.lists(st.sampled_from(["WORK", "HOME", "CELL", "FAX", "PREF", "VOICE", "PAGER", "X-OWN", "internet"]), max_size=3)
DAYS = st.dates().map(str) | st.sampled_from(["--0612", "1604-02-29", "1900-03-01", "unknown", "1985-04"])


def escaped(text: str) -> str:
    return text.replace("\\", "\\\\").replace("\n", "\\n").replace(",", "\\,").replace(";", "\\;")


@st.composite
def one_line(draw: st.DrawFn) -> str:
    types = draw(TYPES)
    params = f";TYPE={','.join(types)}" if types else ""
    name = draw(
        st.sampled_from(
            [
                *("EMAIL", "TEL", "ADR", "IMPP", "URL", "X-JABBER", "X-OWN", "X-FURTHER", "KEY"),
                *("N", "ORG", "NICKNAME", "TITLE", "ROLE", "NOTE", "CATEGORIES", "CLASS", "BDAY", "X-ANNIVERSARY"),
                *("X-SPOUSE", "X-CHILD", "X-CHILDREN", "X-MANAGER", "X-ASSISTANT", "X-CUSTOM1", "X-PHONETIC-FIRST-NAME"),
            ]
        )
    )
    if name in ("N", "ADR", "ORG"):
        most = {"N": 5, "ADR": 7, "ORG": 3}[name]
        value = ";".join(",".join(map(escaped, part)) for part in draw(st.lists(st.lists(TEXTS, max_size=2), max_size=most)))
    elif name in ("BDAY", "X-ANNIVERSARY"):
        value = draw(DAYS)
    elif name in ("CATEGORIES", "X-CHILD", "X-CHILDREN", "NICKNAME"):
        value = ",".join(map(escaped, draw(st.lists(TEXTS, min_size=1, max_size=3))))
    elif name == "CLASS":
        value = draw(st.sampled_from(["PUBLIC", "PRIVATE", "CONFIDENTIAL", "private", "", "X-OURS"]))
    elif name == "URL":
        value = draw(st.sampled_from(["https://example.org/ä%20?x=y#z", "no address at all"]) | TEXTS.map(escaped))
    else:
        value = escaped(draw(TEXTS))
    if draw(st.integers(0, 5)) == 0:
        group = f"g{draw(st.integers(1, 3))}"
        return f"{group}.{name}{params}:{value}\r\n{group}.X-ABLABEL:{escaped(draw(TEXTS))}"
    return f"{name}{params}:{value}"


CARDS = st.lists(one_line(), max_size=12).map(lambda found: card("FN:Grace", *found))


@at_most(250)
@given(CARDS)
def test_any_card_means_the_same_after_it_was_on_the_server(data: bytes) -> None:
    server = Contacts()
    ident = server.add(data)
    rendered = server.render(ident)
    assert FORM.read(rendered).meaning == FORM.read(data).meaning
    assert not FORM.changes(server.snapshot(ident), rendered)
    assert not FORM.changes(server.snapshot(ident), data)
    assert server.render(ident) == rendered


@at_most(250)
@given(CARDS, CARDS)
def test_any_card_can_become_any_other(before: bytes, after: bytes) -> None:
    server = Contacts()
    ident = server.add(before)
    server.change(ident, after)
    assert FORM.read(server.render(ident)).meaning == FORM.read(after).meaning
    assert not FORM.changes(server.snapshot(ident), after)


@at_most(250)
@given(CARDS)
def test_lines_that_are_kept_come_back_as_lines(data: bytes) -> None:
    found = vcardfile.read(data)
    assert sorted(map(repr, contact.signs(vcardfile.loads(vcardfile.dumps(found))))) == sorted(map(repr, contact.signs(found)))


PIECES = st.text(
    st.characters(exclude_categories=("Cs", "Cc"), exclude_characters="\ufffe\uffff") | st.sampled_from(" \n,;:\\\"'<&"),
    max_size=8,
)
MOMENTS = st.dates(date(1601, 1, 2), date(4501, 1, 1)).map(lambda day: f"{day}T11:59:00Z")
#: The schema refuses what is no URI reference, such as ":"; blanks it takes.
PAGES = ("https://example.org/a,b;c", "example.org", "no address at all", "")
SENSITIVITIES = ("Normal", "Personal", "Private", "Confidential")
PHONES = (
    "BusinessFax",
    "BusinessPhone2",
    "Callback",
    "HomePhone",
    "Isdn",
    "MobilePhone",
    "OtherTelephone",
    "PrimaryPhone",
    "Mms",
)


@st.composite
def an_item(draw: st.DrawFn) -> str:
    """A contact as another program may have made it."""

    def some(names: Sequence[str]) -> list[str]:
        return [name for name in names if draw(st.booleans())]

    def texts(*names: str) -> str:
        return "".join(f"<t:{name}>{escape(draw(PIECES))}</t:{name}>" for name in some(names))

    def entries(dictionary: str, keys: Sequence[str]) -> str:
        found = "".join(f'<t:Entry Key="{key}">{escape(draw(PIECES))}</t:Entry>' for key in some(keys))
        return f"<t:{dictionary}>{found}</t:{dictionary}>" if found else ""

    def address(key: str) -> str:
        return f'<t:Entry Key="{key}">{texts("Street", "City", "State", "CountryOrRegion", "PostalCode")}</t:Entry>'

    def moment(name: str) -> str:
        return f"<t:{name}>{draw(MOMENTS)}</t:{name}>" if draw(st.booleans()) else ""

    places = "".join(address(key) for key in some(("Business", "Home", "Other")))
    children = "".join(f"<t:String>{escape(each)}</t:String>" for each in draw(st.lists(PIECES, max_size=3)))
    return "".join(
        (
            f"<t:Contact><t:Sensitivity>{draw(st.sampled_from(SENSITIVITIES))}</t:Sensitivity>",
            f'<t:Body BodyType="Text">{escape(draw(PIECES))}</t:Body>',
            texts("FileAs", "DisplayName", "GivenName", "MiddleName", "Nickname", "CompanyName"),
            entries("EmailAddresses", ("EmailAddress1", "EmailAddress2", "EmailAddress3")),
            f"<t:PhysicalAddresses>{places}</t:PhysicalAddresses>" if places else "",
            entries("PhoneNumbers", PHONES),
            texts("AssistantName"),
            moment("Birthday"),
            f"<t:BusinessHomePage>{draw(st.sampled_from(PAGES))}</t:BusinessHomePage>",
            f"<t:Children>{children}</t:Children>" if children else "",
            texts("Department", "Generation"),
            entries("ImAddresses", ("ImAddress1", "ImAddress3")),
            texts("JobTitle", "Manager", "OfficeLocation", "Profession", "SpouseName", "Surname"),
            moment("WeddingAnniversary"),
            "</t:Contact>",
        )
    )


@pytest.mark.parametrize(
    ("sensitivity", "line"),
    [("Normal", ""), ("Personal", "CLASS:PRIVATE"), ("Private", "CLASS:PRIVATE"), ("Confidential", "CLASS:CONFIDENTIAL")],
)
def test_what_outlook_calls_private_is_private_in_the_file(sensitivity: str, line: str) -> None:
    server = Contacts()
    ident = server.make(f"<t:Contact><t:Sensitivity>{sensitivity}</t:Sensitivity><t:FileAs>A</t:FileAs></t:Contact>")
    rendered = server.render(ident)
    assert [each for each in rendered.decode().splitlines() if each.startswith("CLASS")] == list(filter(None, [line]))
    assert not FORM.changes(server.snapshot(ident), rendered)


def test_a_card_for_everybody_may_become_private_on_the_server() -> None:
    server = Contacts()
    ident = server.add(card("FN:Grace", "CLASS:PUBLIC"))
    assert b"CLASS:PUBLIC" in server.render(ident)
    private = asking.set_field(asking.field("item:Sensitivity"), "Contact", "<t:Sensitivity>Private</t:Sensitivity>")
    server.write(ident, form.Changes(private))
    assert server.render(ident).count(b"CLASS:") == 1 and b"CLASS:PRIVATE" in server.render(ident)
    server.change(ident, card("FN:Grace"))
    assert b"CLASS" not in server.render(ident)


@at_most(250)
@given(an_item())
def test_any_item_of_the_server_is_a_file_that_says_nothing_new(xml: str) -> None:
    server = Contacts()
    ident = server.make(xml)
    rendered = server.render(ident)
    assert not FORM.changes(server.snapshot(ident), rendered)
    other = server.add(rendered)
    assert FORM.read(server.render(other)).meaning == FORM.read(rendered).meaning
