"""Whether two renderings of a message say the same: what makes an edit on both sides a conflict, or none."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from ews_bridge.meaning import same_message

PLAIN = (
    b"From: Bob <bob@example.test>\nTo: alice@example.test, Carol <carol@example.test>\nSubject: =?utf-8?q?caf=C3=A9?=\n"
    b"Message-ID: <1@example.test>\nMIME-Version: 1.0\nContent-Type: text/plain; charset=utf-8\n\nGr\xc3\xbc\xc3\x9fe \n\n"
)
AGAIN = (
    b"MIME-Version: 1.0\r\nMessage-ID:\r\n <1@example.test>\r\nSubject: =?iso-8859-1?b?Y2Fm6Q==?=\r\n"
    b'From: "Bob Brown" <BOB@example.test>\r\nTo: <carol@example.test>, <alice@example.test>\r\nX-Mailer: x\r\n'
    b"Content-Type: text/plain; charset=iso-8859-1\r\nContent-Transfer-Encoding: quoted-printable\r\n\r\nGr=FC=DFe\r\n"
)
MIXED = (
    b"From: bob@example.test\nSubject: x\nMIME-Version: 1.0\nContent-Type: multipart/mixed; boundary=b\n\n--b\n\ntext\n--b\n"
    b"Content-Type: application/pdf\nContent-Disposition: attachment; filename=a.pdf\nContent-Transfer-Encoding: base64\n\n"
    b"AAEC\n--b--\n"
)


def test_another_rendering_says_the_same() -> None:
    assert same_message(PLAIN, AGAIN) and same_message(AGAIN, PLAIN)


@pytest.mark.parametrize(
    ("whole", "was", "now"),
    [
        (PLAIN, b"Carol <carol@", b"Carol <dora@"),
        (PLAIN, b"caf", b"Caf"),
        (PLAIN, b"Message-ID", b"Importance: high\nMessage-ID"),
        (PLAIN, b"Message-ID", b"Bcc: eve@example.test\nMessage-ID"),
        (PLAIN, b"<1@", b"<2@"),
        (PLAIN, b"e \n\n", b"e\n\n!\n"),
        (PLAIN, b"text/plain", b"text/html"),
        (PLAIN, b"charset=utf-8", b"charset=no-such"),
        (MIXED, b"AAEC", b"AAED"),
        (MIXED, b"a.pdf", b"b.pdf"),
        (MIXED, b"--b--\n", b""),
    ],
)
def test_what_a_writer_changed_is_another_message(whole: bytes, was: bytes, now: bytes) -> None:
    assert was in whole
    assert not same_message(whole, whole.replace(was, now))


@pytest.mark.parametrize("junk", [b"", b"no header at all", b"BEGIN:VCALENDAR\nEND:VCALENDAR\n"])
def test_what_is_no_message_is_the_same_only_to_the_byte(junk: bytes) -> None:
    assert same_message(junk, junk)
    assert not same_message(junk, junk + b"x")


@pytest.mark.skipif("EWS_BRIDGE_CORPUS" not in os.environ, reason="EWS_BRIDGE_CORPUS is not set: no real mail to compare")
def test_of_real_mail_no_two_are_the_same() -> None:
    files = sorted(Path(os.environ["EWS_BRIDGE_CORPUS"]).rglob("*.eml"))[:300]
    texts = {path.read_bytes() for path in files}
    for one, other in zip(sorted(texts), sorted(texts)[1:], strict=False):
        assert not same_message(one, other)
