"""Distribution lists and groups: members of every kind stay what they are, and only who comes or goes is written."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st
from lxml import etree

from ews_bridge.errors import BadItem
from ews_bridge.exchange import asking
from ews_bridge.exchange import form
from ews_bridge.exchange import soap
from tests.contact_server import FORM
from tests.contact_server import Contacts
from tests.effort import at_most
from tests.sandbox_calls import check
from tests.test_contact_codec import card
from tests.test_contact_codec import lines

GROUP = ("FN:Friends", "X-ADDRESSBOOKSERVER-KIND:group")
ANNA = "X-ADDRESSBOOKSERVER-MEMBER:urn:uuid:anna"
BOB = "X-ADDRESSBOOKSERVER-MEMBER;CN=Bob:mailto:bob@example.org"


def element(xml: str) -> etree._Element:
    return etree.fromstring(f'<t:{xml.split()[0]} xmlns:t="{soap.TYPES}">{xml.partition(" ")[2]}</t:{xml.split()[0]}>')


def contact(uid: str, ident: str, address: str = "") -> etree._Element:
    entries = f'<t:EmailAddresses><t:Entry Key="EmailAddress1">{address}</t:Entry></t:EmailAddresses>' if address else ""
    own = asking.extended(form.UID, uid)
    return element(f'Contact <t:ItemId Id="{ident}"/>{own}<t:DisplayName>{uid.title()}</t:DisplayName>{entries}')


def member(key: str = "k", **parts: str) -> str:
    """A t:Member; `ItemId` by its id."""
    item = f'<t:ItemId Id="{parts.pop("ItemId")}"/>' if "ItemId" in parts else ""
    inner = "".join(f"<t:{name}>{text}</t:{name}>" for name, text in parts.items())
    mark = f' Key="{key}"' if key else ""
    return f"<t:Member{mark}><t:Mailbox>{inner}{item}</t:Mailbox><t:Status>Normal</t:Status></t:Member>"


def listed(*members: str, parts: tuple[etree._Element, ...] = (), extra: str = "") -> form.Snapshot:
    name = "<t:DisplayName>Friends</t:DisplayName>"
    found = f'DistributionList <t:ItemId Id="L"/>{extra}{name}<t:Members>{"".join(members)}</t:Members>'
    return form.Snapshot(element(found), parts)


PLAIN = member("k1", Name="Bob", EmailAddress="bob@example.org", RoutingType="SMTP", MailboxType="OneOff")
CONTACT = member("k2", Name="Anna", EmailAddress="anna@example.org", RoutingType="SMTP", MailboxType="Contact", ItemId="A")
DIRECTORY = member("k3", Name="Staff, all", EmailAddress="/o=Example/cn=staff", RoutingType="EX", MailboxType="PublicDL")


def valid(xml: str, *, new: bool) -> None:
    """By the schema, where there is one."""
    if new:
        request = asking.create_items("F", [f"<t:DistributionList>{xml}</t:DistributionList>".encode()])
    else:
        request = asking.update_items([asking.item_change(("L", ""), xml)], overwrite=True)
    check(etree.fromstring(soap.envelope(request, "Exchange2013_SP1"))[1][0])


def test_a_list_with_members_of_every_kind_is_a_group() -> None:
    snapshot = listed(PLAIN, CONTACT, DIRECTORY, parts=(contact("anna", "A"),))
    assert FORM.companions(snapshot.element).members == ("A",)
    assert lines(FORM.render(snapshot)) == [
        "FN:Friends",
        "N:Friends;;;;",
        "X-ADDRESSBOOKSERVER-KIND:group",
        BOB,
        ANNA,
        'X-ADDRESSBOOKSERVER-MEMBER;CN="Staff, all":x-exchange:%2Fo%3DExample%2Fcn%3Dstaff',
    ]
    assert not FORM.changes(snapshot, FORM.render(snapshot))


@pytest.mark.parametrize(
    "odd",
    [
        member(""),
        member(Name="Nobody"),
        member(Name='Say "hi"\n twice', EmailAddress="x@example.org"),
        member(EmailAddress="no address at all"),
        member(EmailAddress="a@example.org", RoutingType="FAX"),
        member(Name="Gone", MailboxType="Contact", ItemId="gone"),
        member(Name="Öl &amp; Gas", EmailAddress="ö@exämple.org", RoutingType="SMTP"),
        '<t:Member Key="k"/>',
        '<t:Member Key="k"><t:Mailbox/></t:Member>',
        member("", Name="Anna", EmailAddress="anna@example.org") * 2,
    ],
)
def test_no_member_brings_it_down_and_each_stays(odd: str) -> None:
    snapshot = listed(PLAIN, odd)
    rendered = FORM.render(snapshot)
    assert FORM.read(rendered).label == "Friends"
    assert not FORM.changes(snapshot, rendered)
    made = FORM.changes(snapshot, rendered.replace(b"FN:Friends", b"FN:Pals"))
    assert re.findall('FieldURI="([^"]*)"', made.xml) == ["contacts:DisplayName"]


def test_a_new_group_names_contacts_by_their_items_and_others_by_their_addresses() -> None:
    data = card(*GROUP, ANNA, BOB, "X-ADDRESSBOOKSERVER-MEMBER:urn:uuid:nested", "NOTE:All of them", "X-OWN:kept")
    said = FORM.read(data)
    assert said.members == ("anna", "urn:uuid:anna", "nested", "urn:uuid:nested")
    nested = element('DistributionList <t:ItemId Id="N"/><t:DisplayName>Nested</t:DisplayName>')
    kind, made = FORM.creation(data, {"anna": contact("anna", "A", "anna@example.org"), "nested": nested})
    assert kind == "DistributionList"
    valid(made.xml, new=True)
    root = element(f"DistributionList {made.xml}")
    found = [[(soap.name(part), part.text or part.get("Id")) for part in mailbox] for mailbox in root.iter("{*}Mailbox")]
    assert found == [
        [
            ("Name", "Anna"),
            ("EmailAddress", "anna@example.org"),
            ("RoutingType", "SMTP"),
            ("MailboxType", "Contact"),
            ("ItemId", "A"),
        ],
        [("Name", "Bob"), ("EmailAddress", "bob@example.org"), ("RoutingType", "SMTP"), ("MailboxType", "OneOff")],
        [("Name", "Nested"), ("MailboxType", "PrivateDL"), ("ItemId", "N")],
    ]
    back = form.Snapshot(root, (contact("anna", "A"), contact("nested", "N")))
    assert FORM.read(FORM.render(back)).meaning == said.meaning


def test_a_member_that_is_not_on_the_server_yet_waits_and_is_written_when_it_is() -> None:
    data = card(*GROUP, ANNA)
    _, made = FORM.creation(data)
    snapshot = form.Snapshot(element(f"DistributionList {made.xml}"))
    assert FORM.read(FORM.render(snapshot)).meaning == FORM.read(data).meaning
    assert not FORM.changes(snapshot, data)
    later = FORM.changes(snapshot, data, {"anna": contact("anna", "A", "anna@example.org")})
    valid(later.xml, new=False)
    assert "<t:AppendToItemField>" in later.xml
    assert '<t:ItemId Id="A"/>' in later.xml
    assert "<t:DeleteItemField><t:ExtendedFieldURI" in later.xml


def test_kind_and_member_of_4_0_are_read() -> None:
    four = card("FN:Friends", "KIND:group", "MEMBER:urn:uuid:anna", "MEMBER;CN=Bob:mailto:bob@example.org", version="4.0")
    assert FORM.read(four) == FORM.read(card(*GROUP, ANNA, BOB))
    assert FORM.creation(four)[0] == "DistributionList"


def test_who_comes_is_added_and_who_goes_is_removed_by_the_key_of_the_server() -> None:
    snapshot = listed(PLAIN, CONTACT, DIRECTORY, parts=(contact("anna", "A"),))
    new = "X-ADDRESSBOOKSERVER-MEMBER:mailto:new@example.org"
    made = FORM.changes(snapshot, FORM.render(snapshot).replace(BOB.encode(), new.encode()))
    valid(made.xml, new=False)
    assert made.xml == (
        '<t:DeleteItemField><t:IndexedFieldURI FieldURI="distributionlist:Members:Member" FieldIndex="k1"/></t:DeleteItemField>'
        '<t:AppendToItemField><t:FieldURI FieldURI="distributionlist:Members"/><t:DistributionList><t:Members>'
        "<t:Member><t:Mailbox>"
        "<t:Name>new@example.org</t:Name><t:EmailAddress>new@example.org</t:EmailAddress><t:RoutingType>SMTP</t:RoutingType>"
        "<t:MailboxType>OneOff</t:MailboxType></t:Mailbox></t:Member></t:Members></t:DistributionList></t:AppendToItemField>"
    )


def test_where_members_have_no_keys_the_list_is_written_as_a_whole() -> None:
    snapshot = listed(
        *(each.replace(' Key="k', ' Was="k') for each in (PLAIN, CONTACT, DIRECTORY)), parts=(contact("anna", "A"),)
    )
    made = FORM.changes(snapshot, FORM.render(snapshot).replace(f"{BOB}\r\n".encode(), b""))
    valid(made.xml, new=False)
    assert made.xml.startswith('<t:SetItemField><t:FieldURI FieldURI="distributionlist:Members"/>')
    assert "bob@example.org" not in made.xml
    assert "<t:EmailAddress>/o=Example/cn=staff</t:EmailAddress><t:RoutingType>EX</t:RoutingType>" in made.xml
    assert '<t:ItemId Id="A"/>' in made.xml


def test_what_is_a_contact_there_and_a_group_here_is_refused() -> None:
    with pytest.raises(BadItem, match="a contact on the server and a group in the file"):
        FORM.changes(form.Snapshot(contact("anna", "A")), card(*GROUP))
    with pytest.raises(BadItem, match="a distribution list on the server and a contact in the file"):
        FORM.changes(listed(PLAIN), card("FN:Anna"))


def test_what_lies_in_a_contacts_folder_and_is_neither_is_named() -> None:
    with pytest.raises(BadItem, match="a Message in a contacts folder"):
        FORM.render(form.Snapshot(element("Message <t:Subject>x</t:Subject>")))


# On a server


def members(server: Contacts, ident: str) -> list[tuple[str, str]]:
    """What kind each member is and its address, as the server has them."""
    found = server.client.get(ident, FORM.fields()).iter("{*}Mailbox")
    return [(soap.text(each, "MailboxType"), soap.text(each, "EmailAddress")) for each in found]


def test_a_group_lives_on_the_server() -> None:
    server = Contacts()
    anna = server.add(card("UID:anna", "FN:Anna", "EMAIL:anna@example.org"))
    data = card("UID:friends", *GROUP, ANNA, BOB, "NOTE:All", "CATEGORIES:Club", "X-OWN:kept")
    ident = server.add(data)
    assert members(server, ident) == [("Contact", "anna@example.org"), ("OneOff", "bob@example.org")]
    assert FORM.read(server.render(ident)) == FORM.read(data)
    assert not server.change(ident, data)
    more = card("UID:friends", "FN:Pals", *GROUP[1:], ANNA, "X-ADDRESSBOOKSERVER-MEMBER:mailto:carol@example.org")
    assert server.change(ident, more)
    assert members(server, ident) == [("Contact", "anna@example.org"), ("OneOff", "carol@example.org")]
    assert FORM.read(server.render(ident)) == FORM.read(more)
    server.client.ok("DeleteItem", f'<m:ItemIds><t:ItemId Id="{anna}"/></m:ItemIds>', DeleteType="HardDelete")
    assert FORM.read(server.render(ident)).label == "Pals"


def test_a_contact_whose_uid_is_a_urn_is_a_member_like_any_other() -> None:
    server = Contacts()
    server.add(card("UID:urn:uuid:anna", "FN:Anna", "EMAIL:anna@example.org", version="4.0"))
    data = card("UID:urn:uuid:friends", "FN:Friends", "KIND:group", "MEMBER:urn:uuid:anna", version="4.0")
    ident = server.add(data)
    assert members(server, ident) == [("Contact", "anna@example.org")]
    assert FORM.read(server.render(ident)) == FORM.read(data)


def test_a_group_may_lose_all_its_members() -> None:
    server = Contacts()
    ident = server.add(card(*GROUP, BOB))
    server.change(ident, card(*GROUP))
    assert members(server, ident) == []
    assert not FORM.changes(server.snapshot(ident), card(*GROUP))


def test_a_colleague_in_a_group_is_somebody_of_the_directory_and_stays_it_whatever_the_file_calls_him() -> None:
    server = Contacts()
    data = card(*GROUP, "X-ADDRESSBOOKSERVER-MEMBER:mailto:bob@example.test")
    ident = server.add(data)
    assert members(server, ident) == [("Mailbox", "bob@example.test")]
    assert "X-ADDRESSBOOKSERVER-MEMBER;CN=Bob Brown:mailto:bob@example.test" in lines(server.render(ident))
    assert FORM.read(server.render(ident)).meaning == FORM.read(data).meaning
    assert not FORM.changes(server.snapshot(ident), data)


MEMBERS = st.lists(
    st.sampled_from(
        [
            *(ANNA, BOB, "X-ADDRESSBOOKSERVER-MEMBER:mailto:c@example.org", "X-ADDRESSBOOKSERVER-MEMBER:urn:uuid:unknown"),
            *("X-ADDRESSBOOKSERVER-MEMBER:x-exchange:%2Fo%3DExample", "X-ADDRESSBOOKSERVER-MEMBER:x-exchange:nobody"),
            *("X-ADDRESSBOOKSERVER-MEMBER:mailto:", "X-ADDRESSBOOKSERVER-MEMBER:http://example.org/", "NOTE:a", "CATEGORIES:a,b"),
            *("EMAIL:x@example.org", "TEL:1", "X-OWN:1"),
        ]
    ),
    max_size=8,
)


@at_most(250)
@given(MEMBERS)
def test_any_group_means_the_same_after_it_was_on_the_server(more: list[str]) -> None:
    data = card(*GROUP, *more)
    known = {"anna": contact("anna", "A", "anna@example.org")}
    _, made = FORM.creation(data, known)
    valid(made.xml, new=True)
    back = form.Snapshot(element(f"DistributionList {made.xml}"), tuple(known.values()))
    assert FORM.read(FORM.render(back)).meaning == FORM.read(data).meaning
    assert not FORM.changes(back, data, known)
