"""MIME in and out, and sending."""

from __future__ import annotations

import email
import email.policy
import os
import time
from pathlib import Path

import pytest

from ews_bridge.sandbox import headers as hdr
from ews_bridge.sandbox.mimetree import parse
from ews_bridge.sandbox.rendering import render
from ews_bridge.sandbox.world import Mailbox

from .sandbox_calls import MESSAGE
from .sandbox_calls import Client
from .sandbox_calls import change_key
from .sandbox_calls import codes
from .sandbox_calls import extended
from .sandbox_calls import item_ids
from .sandbox_calls import new_client
from .sandbox_calls import only
from .sandbox_calls import set_field

CORPUS = os.environ.get("EWS_BRIDGE_CORPUS")
MIXED = (
    "From: Jörg <j@example.org>\r\nTo: a@example.test\r\nSubject: =?iso-8859-1?Q?Gr=FC=DFe?=\r\nX-Custom:   kept\r\n"
    'MIME-Version: 1.0\r\nContent-Type: multipart/mixed; boundary="old"\r\n\r\nThis is a multi-part message\r\n'
    "--old\r\nContent-Type: text/plain; charset=utf-8\r\nContent-Transfer-Encoding: 8bit\r\n\r\nGrüße aus Köln\r\n"
    "--old\r\nContent-Type: application/pdf; name=a.pdf\r\nContent-Disposition: attachment; filename=a.pdf\r\n"
    "Content-Transfer-Encoding: base64\r\n\r\nJVBERi0xLjQ=\r\n--old--\r\n"
).encode()
SIGNED_BODY = (
    b"--sig\r\nContent-Type: text/plain\r\n\r\nsigned   text \r\n--sig\r\nContent-Type: application/pgp-signature\r\n\r\n"
    b"-----BEGIN PGP SIGNATURE-----\r\n--sig--\r\n"
)
SIGNED = (
    b"Subject: s\r\nFrom: a@b\r\nContent-Type: multipart/signed; micalg=pgp-sha256;\r\n"
    b'\tprotocol="application/pgp-signature"; boundary="sig"\r\n\r\n' + SIGNED_BODY
)


def leaves(raw: bytes) -> list[tuple[str, str | None, bytes]]:
    """Type, name and decoded content of all parts, as Python's own parser sees them; line ends made one."""
    found: list[tuple[str, str | None, bytes]] = []
    for part in email.message_from_bytes(raw).walk():
        if not part.is_multipart():
            content = part.get_payload(decode=True)
            assert isinstance(content, bytes)
            found.append((part.get_content_type(), part.get_filename(), content.replace(b"\r\n", b"\n").rstrip(b"\n")))
    return found


def test_rendering_is_different_in_bytes_and_the_same_in_content() -> None:
    client = new_client()
    made = client.upload(MIXED)
    rendered = client.mime(made)
    assert rendered != MIXED
    assert b"--old" not in rendered
    assert rendered == client.mime(made)
    assert leaves(rendered) == leaves(MIXED)
    headers = email.message_from_bytes(rendered, policy=email.policy.default)
    assert headers["Subject"] == "Grüße"
    assert headers["X-Custom"] == "kept"
    assert headers["Message-ID"] is None
    assert b"\n" not in rendered.replace(b"\r\n", b"")


def test_signed_messages_keep_their_signed_bytes() -> None:
    client = new_client()
    rendered = client.mime(client.upload(SIGNED))
    assert rendered.endswith(b"\r\n\r\n" + SIGNED_BODY)
    nested = MIXED.replace(
        b"--old--", b"--old\r\nContent-Type: multipart/signed; boundary=sig\r\n\r\n" + SIGNED_BODY + b"--old--"
    )
    assert SIGNED_BODY.rstrip() in client.mime(client.upload(nested))


@pytest.mark.parametrize("mode", ["keep", "regenerate"])
def test_kept_mime_is_what_went_up_until_the_message_is_edited(mode: str) -> None:
    client = new_client("keep" if mode == "keep" else "regenerate")
    made = client.upload(MIXED)
    assert (client.mime(made) == MIXED) == (mode == "keep")
    client.mark_read(made, read=False)
    client.update(made, set_field("item:Categories", "<t:Categories><t:String>x</t:String></t:Categories>"))
    assert (client.mime(made) == MIXED) == (mode == "keep")
    client.update(made, set_field("item:Subject", "<t:Subject>Other</t:Subject>"))
    assert email.message_from_bytes(client.mime(made))["Subject"] == "Other"
    client.update(made, set_field("item:Body", '<t:Body BodyType="Text">Neuer Text ü</t:Body>'))
    assert leaves(client.mime(made))[0][2] == "Neuer Text ü".encode()
    assert leaves(client.mime(made))[1] == leaves(MIXED)[1]


BROKEN = [
    b"",
    b"\r\n",
    b"\n\nonly a body",
    b"no header at all",
    b"Subject: x",
    b"Subject: x\r\nnot a header\r\nFrom: a@b\r\n\r\nbody",
    b"From someone Mon Jan  1 00:00:00 2024\r\nSubject: mbox\r\n\r\nbody",
    b"Subject: \xff\xfe\r\nFrom: \x80\r\n\r\n\xff\x00\xfe",
    b'Content-Type: multipart/mixed; boundary="x"\r\n\r\n--x\r\n\r\nno end',
    b'Content-Type: multipart/mixed; boundary="x"\r\n\r\nno part at all',
    b"Content-Type: multipart/mixed\r\n\r\n--x\r\n\r\nno boundary\r\n--x--",
    b'Content-Type: multipart/mixed; boundary="x"\r\n\r\n--x--\r\n--x--\r\n--x',
    b"Content-Transfer-Encoding: base64\r\n\r\n!!! not base64 !!!",
    b"Content-Type: text/plain; charset=nonsense\r\nContent-Transfer-Encoding: quoted-printable\r\n\r\n=ZZ=\r\n=",
    b"Content-Type: text/plain; charset=rot13\r\n\r\nabc",
    b'Subject: =?nonsense?B?w6Q=?= =?utf-8?B?%%%?=\r\nFrom: <<<>>> (((\r\nTo: "open <a@b>\r\nDate: 99 Foo -1\r\n\r\n',
    b"Subject:" + b" =?utf-8?Q?=C3=A4?=" * 2000 + b"\r\n\r\n",
    b"Content-Type: multipart/mixed; boundary=a\r\n\r\n" + b"--a\r\nContent-Type: multipart/mixed; boundary=a\r\n\r\n" * 500,
    b"A: b\r\n" * 5000 + b"\r\n",
    b"Date: Fri, 31 Dec 9999 23:59:59 -1200\r\n\r\n",
    b"Date: Mon, 1 Jan 0001 00:00:00 +0000\r\n\r\n",
]


@pytest.mark.parametrize("raw", BROKEN, ids=range(len(BROKEN)))
def test_broken_messages_are_rendered_as_far_as_they_go(raw: bytes) -> None:
    client = new_client()
    made = client.upload(raw)
    rendered = client.mime(made)
    client.get(made, base="AllProperties", extra='<t:FieldURI FieldURI="item:TextBody"/>')
    again = render(rendered, [], regenerate=True)
    assert again == rendered
    headers = [value for name, value in parse(raw).headers if name != "Content-Transfer-Encoding"]
    words = [word for value in headers for word in value.split() if b"=?" not in word and b"boundary" not in word]
    assert all(word.strip(b'"<>') in rendered for word in words if word.isascii() and len(word) > 3)


@pytest.mark.skipif(CORPUS is None, reason="EWS_BRIDGE_CORPUS is not set: no real mail to render")
def test_real_mail_keeps_its_content_through_rendering() -> None:
    files = sorted(path for path in (Path(CORPUS or "") / "mail").rglob("*") if path.is_file())
    assert files
    for path in files:
        raw = path.read_bytes()
        rendered = render(raw, [], regenerate=True)
        assert leaves(rendered) == leaves(raw), path
        for name in ("Subject", "Message-ID", "Date"):
            before, after = hdr.first(parse(raw).headers, name), hdr.first(parse(rendered).headers, name)
            assert hdr.decode(before) == hdr.decode(after), path


def test_huge_message_goes_in_and_out() -> None:
    client = new_client("regenerate")
    line = b"0123456789abcdef" * 4 + b"\r\n"
    huge = MESSAGE + line * (20 * 1024 * 1024 // len(line))
    item = client.mailbox.add_mime(client.mailbox.folder("inbox"), huge)
    began = time.process_time()
    assert len(client.mime(client.mailbox.item_id(item))) >= len(huge)
    assert time.process_time() - began < 10


# -- sending


def inbox(client: Client, name: str = "bob@example.test") -> Mailbox:
    return client.world.users[name]


def letter(to: str, extra: str = "", subject: str = "Hello") -> str:
    recipients = f"<t:ToRecipients><t:Mailbox><t:EmailAddress>{to}</t:EmailAddress></t:Mailbox></t:ToRecipients>"
    return f'<t:Message><t:Subject>{subject}</t:Subject><t:Body BodyType="Text">Hi</t:Body>{recipients}{extra}</t:Message>'


def test_message_is_delivered_unread_and_a_copy_kept_if_wanted() -> None:
    client = new_client()
    response = client.create(letter("bob@example.test"), disposition="SendAndSaveCopy")
    assert codes(response) == ["NoError"]
    assert item_ids(response) == []
    arrived = only(inbox(client).folder("inbox"))
    assert not arrived.read
    assert not arrived.draft
    copy = only(client.mailbox.folder("sentitems"))
    assert copy.read
    assert not copy.draft
    assert b"Message-ID: <" in arrived.mime
    client.create(letter("bob@example.test"), disposition="SendOnly")
    assert len(client.mailbox.folder("sentitems").items) == 1
    assert client.world.sent == 2


def test_blind_copies_stay_blind() -> None:
    client = new_client()
    client.world.add_user("eve@example.test", "x")
    blind = "<t:BccRecipients><t:Mailbox><t:EmailAddress>eve@example.test</t:EmailAddress></t:Mailbox></t:BccRecipients>"
    client.create(letter("bob@example.test", blind), disposition="SendAndSaveCopy")
    for name in ("bob@example.test", "eve@example.test"):
        assert b"eve@" not in only(inbox(client, name).folder("inbox")).mime.partition(b"\r\n\r\n")[0].partition(b"To:")[2]
    assert b"eve@example.test" in only(client.mailbox.folder("sentitems")).mime


def test_unknown_recipient_comes_back_as_a_report() -> None:
    client = new_client()
    client.create(letter("nobody@example.test", subject="Lost"), disposition="SendOnly")
    report = only(client.mailbox.folder("inbox"))
    assert report.item_class == "REPORT.IPM.Note.NDR"
    shown = client.get(client.mailbox.item_id(report), base="Default")
    assert shown.findtext("{*}Subject") == "Undeliverable: Lost"
    client.create(letter("somebody@elsewhere.example"), disposition="SendOnly")
    assert len(client.mailbox.folder("inbox").items) == 1


def test_sending_is_refused_without_right_or_recipients() -> None:
    client = new_client()
    boss = "<t:From><t:Mailbox><t:EmailAddress>boss@example.test</t:EmailAddress></t:Mailbox></t:From>"
    assert codes(client.create(letter("bob@example.test", boss), disposition="SendOnly")) == ["ErrorSendAsDenied"]
    nobody = "<t:Message><t:Subject>x</t:Subject></t:Message>"
    assert codes(client.create(nobody, disposition="SendOnly")) == ["ErrorInvalidRecipients"]
    assert codes(client.call("CreateItem", f"<m:Items>{nobody}</m:Items>")) == ["ErrorMessageDispositionRequired"]
    assert client.world.sent == 0


def test_draft_is_sent_with_its_current_change_key_and_leaves_drafts() -> None:
    client = new_client()
    draft = item_ids(client.create(letter("bob@example.test")))[0]
    without = f'<m:ItemIds><t:ItemId Id="{draft}"/></m:ItemIds>'
    assert codes(client.call("SendItem", without, SaveItemToFolder="true")) == ["ErrorChangeKeyRequiredForWriteOperations"]
    old = change_key(client.get(draft))
    client.update(draft, set_field("item:Subject", "<t:Subject>Final</t:Subject>"))
    stale = f'<m:ItemIds><t:ItemId Id="{draft}" ChangeKey="{old}"/></m:ItemIds>'
    assert codes(client.call("SendItem", stale, SaveItemToFolder="true")) == ["ErrorStaleObject"]
    current = f'<m:ItemIds><t:ItemId Id="{draft}" ChangeKey="{change_key(client.get(draft))}"/></m:ItemIds>'
    client.ok("SendItem", current, SaveItemToFolder="true")
    assert not client.mailbox.folder("drafts").items
    assert len(client.mailbox.folder("sentitems").items) == 1
    assert b"Subject: Final" in only(inbox(client).folder("inbox")).mime


def test_update_with_a_sending_disposition_sends() -> None:
    client = new_client()
    draft = item_ids(client.create(letter("bob@example.test")))[0]
    change = set_field("item:Subject", "<t:Subject>Final</t:Subject>")
    assert codes(client.update(draft, change, MessageDisposition="SendAndSaveCopy")) == ["NoError"]
    assert len(client.mailbox.folder("sentitems").items) == 1


@pytest.mark.parametrize(
    ("response", "to", "prefix", "verb"),
    [("ReplyToItem", "carol", "RE: ", 102), ("ReplyAllToItem", "carol", "RE: ", 103), ("ForwardItem", "bob", "FW: ", 104)],
)
def test_replies_and_forwards_know_their_original(response: str, to: str, prefix: str, verb: int) -> None:
    client = new_client()
    original = client.upload(MESSAGE, extra=extended("0x0E07", "Integer", "1"))
    bob = "<t:ToRecipients><t:Mailbox><t:EmailAddress>bob@example.test</t:EmailAddress></t:Mailbox></t:ToRecipients>"
    recipients = bob if response == "ForwardItem" else ""
    inner = (
        f'<t:{response}>{recipients}<t:ReferenceItemId Id="{original}"/>'
        f'<t:NewBodyContent BodyType="Text">Fine.</t:NewBodyContent></t:{response}>'
    )
    assert codes(client.create(inner, disposition="SendAndSaveCopy")) == ["NoError"]
    sent = only(client.mailbox.folder("sentitems"))
    headers = email.message_from_bytes(client.mime(client.mailbox.item_id(sent)))
    assert headers["Subject"] == prefix + "Lunch"
    assert to in headers["To"]
    assert headers["In-Reply-To"] == "<lunch@example.org>"
    assert b"Fine." in sent.mime
    assert b"At noon?" in sent.mime
    assert only(client.mailbox.folder("inbox")).props[0x1081] == ("Integer", verb)


def test_header_properties_show_in_the_message() -> None:
    client = new_client()
    uri = '<t:ExtendedFieldURI DistinguishedPropertySetId="InternetHeaders" PropertyName="X-Mark" PropertyType="String"/>'
    made = client.upload(MESSAGE, extra=f"<t:ExtendedProperty>{uri}<t:Value>yes</t:Value></t:ExtendedProperty>")
    assert email.message_from_bytes(client.mime(made))["X-Mark"] == "yes"
    other = '<t:ExtendedFieldURI DistinguishedPropertySetId="InternetHeaders" PropertyName="from" PropertyType="String"/>'
    assert client.get(made, other).findtext(".//{*}Value") == "Carol <carol@example.org>"
    indexed = '<t:IndexedFieldURI FieldURI="item:InternetMessageHeader" FieldIndex="Message-ID"/>'
    assert client.get(made, indexed).findtext(".//{*}InternetMessageHeader") == "<lunch@example.org>"
