"""Server properties ⇄ flags and entries, and messages built from properties. No server."""

from __future__ import annotations

import email
import email.policy

import pytest
from hypothesis import given
from hypothesis import strategies as st
from lxml import etree

from ews_bridge.exchange import asking
from ews_bridge.exchange import mail
from ews_bridge.exchange import rebuilt
from ews_bridge.exchange import soap
from ews_bridge.model import Flag

OURS = frozenset({Flag.SEEN, Flag.FLAGGED, Flag.ANSWERED, Flag.FORWARDED, Flag.DRAFT})
FLAGS = st.frozensets(st.sampled_from(sorted(OURS)))


def element(content: str, kind: str = "Message") -> etree._Element:
    return etree.fromstring(f'<t:{kind} xmlns:t="{soap.TYPES}">{content}</t:{kind}>')


def prop(tag: str, value: str) -> str:
    path = f'<t:ExtendedFieldURI PropertyTag="{tag}" PropertyType="Integer"/>'
    return f"<t:ExtendedProperty>{path}<t:Value>{value}</t:Value></t:ExtendedProperty>"


def seen(xml: str, kind: str = "Message") -> set[str]:
    made = element(xml, kind)
    return set(mail.flags(made, mail.extended(made)))


@pytest.mark.parametrize(
    ("xml", "flags"),
    [
        ("<t:IsRead>true</t:IsRead>", "S"),
        ("<t:IsRead>false</t:IsRead><t:IsDraft>true</t:IsDraft>", "D"),
        (prop("0x1090", "2"), "F"),
        (prop("0x1090", "1"), ""),
        (prop("4240", "2"), "F"),
        (prop("0x00001081", "102"), "R"),
        (prop("0X1081", "103"), "R"),
        (prop("0x1081", "104"), "P"),
        (prop("0x1081", "108"), ""),
        (asking.extended(asking.FLAGS, ["\\Answered", "$forwarded"]), "RP"),
        (asking.extended(asking.FLAGS, ["$REPLIED", "$TODO"]).replace(asking.AKONADI_SET, asking.AKONADI_SET.upper()), "R"),
    ],
)
def test_what_is_which_flag(xml: str, flags: str) -> None:
    assert seen(xml) == set(flags)


def test_what_is_no_message_counts_as_read_and_is_no_draft() -> None:
    assert seen("<t:IsDraft>true</t:IsDraft>", "CalendarItem") == {"S"}


@given(flags=FLAGS)
def test_what_is_created_is_seen_again(flags: frozenset[Flag]) -> None:
    xml = mail.creation(flags, "token", sent=1, received=1)
    draft = "<t:IsDraft>true</t:IsDraft>" if Flag.DRAFT in flags else ""
    assert seen(xml + draft) == flags
    assert (">8<" in xml or ">9<" in xml) == (Flag.DRAFT in flags)


@given(before=FLAGS, wanted=FLAGS, words=st.lists(st.sampled_from(["$TODO", "\\ANSWERED", "$FORWARDED", "x"]), unique=True))
def test_an_update_writes_what_differs_and_keeps_others_words(
    before: frozenset[Flag], wanted: frozenset[Flag], words: list[str]
) -> None:
    xml = mail.updates(before, wanted, words, "Message")
    assert (xml == "") == (before - {Flag.DRAFT} == wanted - {Flag.DRAFT})
    assert ("message:IsRead" in xml) == (Flag.SEEN in before ^ wanted)
    assert ("0x1090" in xml) == (Flag.FLAGGED in before ^ wanted)
    if mail.needs_reading(before, wanted):
        kept = {"$TODO", "x"} & set(words)
        assert all(f"<t:Value>{word}</t:Value>" in xml for word in kept)
        if not kept and not wanted & {Flag.ANSWERED, Flag.FORWARDED}:
            assert f"<t:DeleteItemField>{asking.FLAGS}" in xml
    assert "<t:Values></t:Values>" not in xml


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("2023-11-14T22:13:20Z", 1_700_000_000),
        ("2023-11-14T22:13:20.123456789Z", 1_700_000_000),
        ("2023-11-15T00:13:20+02:00", 1_700_000_000),
        ("2023-11-14T22:13:20", 1_700_000_000),
        ("", 0),
        ("2023-99-14T22:13:20Z", 0),
        ("0001-01-01T00:00:00+14:00", 0),
    ],
)
def test_times(text: str, seconds: int) -> None:
    assert mail.seconds(text) == seconds


def test_a_built_message_is_readable_and_says_that_it_is_built() -> None:
    item = element(
        "<t:Subject>Grüße\r\nX-Evil: 1</t:Subject><t:Body BodyType='HTML'>&lt;b&gt;hällo&lt;/b&gt;\r\n</t:Body>"
        "<t:Attachments><t:FileAttachment><t:Name>a.pdf</t:Name></t:FileAttachment></t:Attachments>"
        "<t:DateTimeSent>2023-11-14T22:13:20Z</t:DateTimeSent>"
        "<t:From><t:Mailbox><t:Name>Bób</t:Name><t:EmailAddress>/o=x/cn=bob</t:EmailAddress></t:Mailbox></t:From>"
        "<t:ToRecipients><t:Mailbox><t:Name>A, B</t:Name><t:EmailAddress>a@example.test</t:EmailAddress></t:Mailbox>"
        "</t:ToRecipients><t:InternetMessageId>&lt;1@example.test&gt;</t:InternetMessageId>"
    )
    raw = rebuilt.message(item, "ErrorCorruptData")
    assert b"\r" not in raw
    made = email.message_from_bytes(raw, policy=email.policy.default)
    assert made["Subject"] == "Grüße X-Evil: 1"
    assert made["X-Evil"] is None
    assert made["To"] == '"A, B" <a@example.test>'
    assert made["From"].addresses[0].display_name == "Bób"
    assert made["Date"].datetime.timestamp() == 1_700_000_000
    assert "ErrorCorruptData" in made["X-EWS-Bridge"]
    body = made.get_content()
    assert "<b>hällo</b>" in body
    assert "a.pdf" in body
    assert made.get_content_type() == "text/html"


def test_an_appointment_in_a_mail_folder_can_be_read() -> None:
    item = element(
        "<t:Subject>Lunch</t:Subject><t:Start>2023-11-14T12:00:00Z</t:Start><t:Location>Café</t:Location>"
        "<t:Organizer><t:Mailbox><t:Name>Bob</t:Name><t:EmailAddress>bob@example.test</t:EmailAddress></t:Mailbox></t:Organizer>",
        "CalendarItem",
    )
    made = email.message_from_bytes(rebuilt.message(item, "it is a CalendarItem"), policy=email.policy.default)
    assert "Location: Café" in made.get_content()
    assert "2023-11-14T12:00:00Z" in made.get_content()
    assert "bob@example.test" in made["From"]


@given(st.text(alphabet=st.characters(blacklist_categories=["Cs", "Cc"]), max_size=60))
def test_any_text_makes_a_message(text: str) -> None:
    item = element("<t:Subject/><t:Body BodyType='Text'/><t:From><t:Mailbox><t:Name/><t:EmailAddress/></t:Mailbox></t:From>")
    for place in item.iter():
        if len(place) == 0:
            place.text = text.replace("\ufffe", "").replace("\uffff", "")
    made = email.message_from_bytes(rebuilt.message(item, text))
    assert made["X-EWS-Bridge"]


def test_the_token_property_never_changes() -> None:
    # Another set would make every interrupted creation of older versions unrecognisable.
    assert asking.TOKEN_SET == "5b0c1e52-94f3-4c0e-8a7d-3f6b1f0d2ac7"
