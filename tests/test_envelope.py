"""Who gets a message, and which of its bytes change: only those that the manual names."""

from __future__ import annotations

import re
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ews_bridge import addresses
from ews_bridge import aliases
from ews_bridge.envelope import Envelope
from ews_bridge.envelope import Site
from ews_bridge.envelope import prepare
from ews_bridge.errors import BadMessage
from ews_bridge.errors import ConfigError
from ews_bridge.errors import EwsBridgeError
from ews_bridge.errors import UsageError
from ews_bridge.sendargs import Arguments

SITE = Site(
    "alice@example.test", "Alice Sand", frozenset({"box", "box.lan", "localhost"}), {"root": ("carol@example.test", "bob")}
)
HEAD = b"From: alice@example.test\nDate: Tue, 24 Nov 2026 10:00:00 +0000\nMessage-ID: <1@example.test>\n"
T = Arguments(from_headers=True)


def ready(message: bytes, asked: Arguments = T, site: Site = SITE) -> Envelope:
    return prepare(message, asked, site, now=1_795_500_000.0, unique="unique")


def to(*recipients: str) -> Arguments:
    return Arguments(recipients=recipients)


def whole(envelope: Envelope) -> bytes:
    return envelope.head + bytes(envelope.body)


# ---- the bytes


def test_a_complete_message_goes_out_as_it_came() -> None:
    for end in (b"\n", b"\r\n"):
        message = (
            HEAD + b"To: bob@example.test\nX-Odd:  folded\n\t  value  \nsubject : \xe9\xff\n\nbody\n.\nmore\r\rx\0\n"
        ).replace(b"\n", end)
        assert whole(ready(message)) == message


@given(st.binary(max_size=300), st.sampled_from([b"\n", b"\r\n"]))
def test_the_body_is_never_touched(body: bytes, end: bytes) -> None:
    envelope = ready((HEAD + b"To: bob@example.test\n\n").replace(b"\n", end) + body)
    assert bytes(envelope.body) == body


@given(st.text(alphabet='ab@<>,;:"\\() .[]=?\r\n\t\u00e9', max_size=40))
def test_any_address_header_is_understood_or_refused(value: str) -> None:
    """Whatever stands there: either everybody named is in the envelope, or the envelope says exactly who, or it is an error."""
    message = HEAD + b"To: " + re.sub(r"\r?\n", "\n ", value).encode() + b"\n\nx\n"
    try:
        envelope = ready(message, to("bob@example.test"))
    except EwsBridgeError:
        return
    named = {addresses.key(box.address) for box in addresses.parse(value).mailboxes}
    assert envelope.exact or named <= {"bob@example.test"}
    assert envelope.recipients == ("bob@example.test",)


@pytest.mark.parametrize(
    ("message", "became"),
    [
        (b"From alice Tue Nov 24\n" + HEAD + b"To: bob@x.test\n\nb\n", HEAD + b"To: bob@x.test\n\nb\n"),
        (HEAD + b"To: bob@x.test\nBcc: eve@x.test,\n mal@x.test\nSubject: s\n\nb", HEAD + b"To: bob@x.test\nSubject: s\n\nb"),
        (HEAD + b"To: bob@x.test\nBCC:eve@x.test\n\n", HEAD + b"To: bob@x.test\n\n"),
        (HEAD + b"To: bob@x.test", HEAD + b"To: bob@x.test\n\n"),
        (HEAD + b"To: bob@x.test\nnot a header\n", HEAD + b"To: bob@x.test\n\nnot a header\n"),
        (HEAD + b"To: root\n\n", HEAD + b"To: carol@example.test, bob@example.test\n\n"),
        (HEAD + b"To: Admin <root>, x@y.test\n\n", HEAD + b"To: Admin <carol@example.test>, <bob@example.test>, x@y.test\n\n"),
        (HEAD + b"Cc: dave (Dave), x@y.test\n\n", HEAD + b"Cc: dave@example.test (Dave), x@y.test\n\n"),
        (HEAD + b"To: dave@box.lan\n\n", HEAD + b"To: dave@example.test\n\n"),
        (
            HEAD.replace(b"alice@example.test", b"root (Cron Daemon)", 1) + b"To: bob@x.test\n\n",
            HEAD.replace(b"alice@example.test", b"alice@example.test (Cron Daemon)", 1) + b"To: bob@x.test\n\n",
        ),
        (
            HEAD.replace(b"alice@example.test", b'"A. \xc3\xa9" <al@box>', 1) + b"To: bob@x.test\n\n",
            HEAD.replace(b"alice@example.test", b'"A. \xc3\xa9" <alice@example.test>', 1) + b"To: bob@x.test\n\n",
        ),
    ],
)  # fmt: skip
def test_what_changes_is_what_the_manual_names(message: bytes, became: bytes) -> None:
    assert whole(ready(message)) == became
    assert whole(ready(message.replace(b"\n", b"\r\n"))).replace(b"\r\n", b"\n") == became


def test_what_is_missing_is_put_before_the_rest() -> None:
    added = (
        rb"From: Alice Sand <alice@example.test>\nDate: \w{3}, \d\d \w{3} 2026 [\d:]{8} [+-]\d{4}\n"
        rb"Message-ID: <unique@example.test>\n"
    )
    assert re.fullmatch(added + rb"To: bob@x\.test\n\nb\n", whole(ready(b"To: bob@x.test\n\nb\n")))
    assert re.fullmatch(
        added + rb"\njust text\nTo: nobody@x\.test\n", whole(ready(b"just text\nTo: nobody@x.test\n", to("bob@x.test")))
    )
    assert re.fullmatch(added + rb"\n", whole(ready(b"", to("bob@x.test"))))
    named = Arguments(recipients=("bob@x.test",), name="Cr\u00f6n, D.", sender="other@y.test")
    assert whole(ready(b"\nb", named)).startswith(b"From: =?utf-8?B?Q3LDtm4sIEQu?= <other@y.test>\n")
    assert whole(ready(b"\nb", replace(named, name="Cron, D.", sender="root"))).startswith(
        b'From: "Cron, D." <alice@example.test>\n'
    )


def test_a_domain_of_the_account_is_not_local_even_where_the_host_is_called_so() -> None:
    site = replace(SITE, hosts=frozenset({"example.test"}))
    assert b"From: shared@example.test" in whole(ready(b"From: shared@example.test\nTo: bob@example.test\n\n", T, site))


# ---- the recipients


@pytest.mark.parametrize(
    ("headers", "asked", "recipients", "bcc", "exact"),
    [
        ("To: a@x.test", T, "a@x.test", "", False),
        ("To: A <a@x.test>, b@x.test\nCc: c@x.test\nBcc: d@x.test", T, "a@x.test b@x.test c@x.test d@x.test", "d@x.test", False),
        ("To: a@x.test", Arguments(from_headers=True, recipients=("b@x.test",)), "b@x.test a@x.test", "b@x.test", False),
        ("To: a@x.test", to("a@x.test", "A@X.TEST", "b@x.test,c@x.test"), "a@x.test b@x.test c@x.test", "b@x.test c@x.test", 0),
        ("To: a@x.test", to("Name <a@x.test>"), "a@x.test", "", False),
        ("To: a@x.test\nBcc: d@x.test", to("a@x.test"), "a@x.test", "", False),
        ("To: undisclosed-recipients:;", to("a@x.test"), "a@x.test", "a@x.test", False),
        ("To: Friends: a@x.test, B <b@x.test>;, c@x.test", T, "a@x.test b@x.test c@x.test", "", False),
        ("To: a@x.test, b@x.test", to("a@x.test"), "a@x.test", "", True),
        ("To: a@x.test\nResent-To: b@x.test\nResent-Cc: c@x.test", T, "b@x.test c@x.test", "", True),
        ("Resent-To: b@x.test\nResent-To: old@x.test\nTo: a@x.test", T, "b@x.test", "", True),
        ("To: a@x.test\nResent-To: b@x.test", to("b@x.test"), "b@x.test", "", True),
        ("To: two words", to("a@x.test"), "a@x.test", "a@x.test", True),
        ("To: a@x.test\nTo: b@x.test", T, "a@x.test b@x.test", "", False),
        ("To : a@x.test", T, "a@x.test", "", False),
        ("To: u@b\u00fccher.test", to("u@xn--bcher-kva.test"), "u@xn--bcher-kva.test", "", False),
        ("To: \u00fc@x.test", T, "\u00fc@x.test", "", False),
        ("To: \"a, b\"@x.test, <@r.test,@s.test:c@x.test>, d @ x . test", T, '"a, b"@x.test c@x.test d@x.test', "", False),
        ("To: a@[192.0.2.1], b@[IPv6:2001:db8::1]", T, "a@[192.0.2.1] b@[IPv6:2001:db8::1]", "", False),
        ("To: a@x.test (a, (nested\\) b@y.test)) , c@x.test", T, "a@x.test c@x.test", "", False),
    ],
)  # fmt: skip
def test_the_envelope_decides(headers: str, asked: Arguments, recipients: str, bcc: str, exact: bool) -> None:
    envelope = ready(HEAD + headers.encode() + b"\n\nbody\n", asked)
    assert " ".join(envelope.recipients) == recipients
    assert " ".join(envelope.bcc) == bcc
    assert envelope.exact == exact
    assert sorted(envelope.to + envelope.cc + envelope.bcc) == sorted(envelope.recipients)
    assert b"bcc" not in envelope.head.lower()


def test_five_hundred_recipients_are_all_there_once() -> None:
    many = [f"user{number}@x.test" for number in range(500)]
    headers = "To: " + ",\n ".join(many[:250]) + "\nCc: " + ",\n\t".join(f'"U {one}" <{one}>' for one in many[200:400])
    envelope = ready(HEAD + headers.encode() + b"\n\n", replace(T, recipients=tuple(many[400:])))
    assert sorted(envelope.recipients) == sorted(many)
    assert sorted(envelope.bcc) == sorted(many[400:])
    assert not envelope.exact


@pytest.mark.parametrize(
    ("message", "asked", "error"),
    [
        (HEAD + b"Subject: s\n\nTo: a@x.test\n", T, BadMessage),
        (HEAD + b"To:\n\n", T, BadMessage),
        (HEAD + b"To: undisclosed-recipients:;\n\n", T, BadMessage),
        (HEAD + b"\n", Arguments(), UsageError),
        (HEAD + b"To: two words\n\n", T, BadMessage),
        (HEAD + b"To: a@x.test <b@x.test> c\n\n", T, BadMessage),
        (HEAD + b"To: a@x.test (never closed\n\n", T, BadMessage),
        (HEAD + b"To: a@x..test\n\n", T, BadMessage),
        (HEAD + b"To: a@x.test\rBcc: eve@x.test\n\n", T, BadMessage),
        (HEAD + b"Subject: s\rBcc: eve@x.test\nTo: a@x.test\n\n", T, BadMessage),
        (HEAD + b"To: a@x.test\0\n\n", T, BadMessage),
        (HEAD + b"\n", to("not an address"), UsageError),
        (HEAD + b"\n", to("a@"), UsageError),
        (HEAD + b"\n", to(""), UsageError),
        (b"X: " + b"y" * 5_000_000 + b"\n\n", to("a@x.test"), BadMessage),
    ],
)  # fmt: skip
def test_what_cannot_be_sent_is_refused(message: bytes, asked: Arguments, error: type[EwsBridgeError]) -> None:
    with pytest.raises(error):
        ready(message, asked)


# ---- aliases


def test_aliases_are_those_of_sendmail_and_of_msmtp(tmp_path: object) -> None:
    from pathlib import Path

    file = Path(str(tmp_path), "aliases")
    file.write_text(
        "# who\nroot: Admins@x.test,\n  bob\nBob: bob@y.test\nloop: pool\npool: loop, z@z.test\npipe: |/bin/cat\ndefault: dave\n"
    )
    known = aliases.read(file)
    assert aliases.expand("root", known, domain="d.test") == ("Admins@x.test", "bob@y.test")
    assert aliases.expand("ROOT", known, domain="d.test") == ("Admins@x.test", "bob@y.test")
    assert aliases.expand("loop", known, domain="d.test") == ("dave@d.test", "z@z.test")
    assert aliases.expand("nobody", known, domain="d.test") == ("dave@d.test",)
    assert aliases.expand("nobody", {}, domain="d.test") == ("nobody@d.test",)
    with pytest.raises(ConfigError):
        aliases.expand("pipe", known, domain="d.test")
    file.write_text("root\n")
    with pytest.raises(ConfigError, match=":1: "):
        aliases.read(file)
