"""ews-send as its callers meet it: who gets what, which exit code, and each message exactly once whatever goes wrong."""

from __future__ import annotations

import base64
import json
import random
import re
import subprocess
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from email import message_from_bytes
from email import policy
from pathlib import Path

import pytest

from ews_bridge.errors import BadMessage
from ews_bridge.exchange import asking
from ews_bridge.exchange import sending
from ews_bridge.exchange.session import Connection
from ews_bridge.exchange.session import Settings
from tests.mirror import User
from tests.sandbox_server import Running
from tests.sandbox_server import running
from tests.sender import ROOT
from tests.sender import Sender
from tests.sender import arrived
from tests.sender import bob_of
from tests.sender import deliveries
from tests.sender import mail

CORPUS = sorted((ROOT / "tests/data/mail").rglob("*.eml"))


@pytest.fixture
def server() -> Iterator[Running]:
    with running(mime="keep") as sandbox:
        yield sandbox


@pytest.fixture
def alice(server: Running, tmp_path: Path) -> Sender:
    found = Sender(tmp_path / "alice", server.url)
    found.sets(settle=0)
    return found


# ---- the message


def sent_mime(server: Running) -> list[bytes]:
    return [item.mime for item in arrived(server.alice, "sentitems")]


ODD = [
    mail(
        1,
        more='Content-Type: multipart/signed; boundary="=-odd \' (b)"; micalg=pgp-sha256\n',
        body="--=-odd ' (b)\n\nx \n--=-odd ' (b)--\n",
    ),
    mail(2, more="Content-Type: text/plain; charset=utf-8\nContent-Transfer-Encoding: 8bit\n", body="gr\u00fc\u00df \u2603\n"),
    mail(3, more="Content-Type: text/plain; format=flowed; delsp=yes\n", body="flowed \nflowed \n-- \nsig\n"),
    mail(4, body="one\n.\ntwo\n..\nFrom me\n\n\n"),
    mail(5, more="Importance: high\nX-Priority: 1\nSensitivity: Private\nDisposition-Notification-To: alice@example.test\n"),
    mail(6, body="no line end"),
    mail(7, more="X-Long: " + "y" * 2000 + "\n", body="z" * 5000 + "\n"),
    mail(8, more="Subject: twice\nX-8bit: \u00e9\n", body=""),
    mail(9, body="\r\nbare \r in the body\n"),
]


@pytest.mark.parametrize("message", ODD, ids=range(len(ODD)))
def test_the_server_gets_the_bytes_of_stdin(message: bytes, server: Running, alice: Sender) -> None:
    assert alice.send(message, "-i", "bob@example.test").code == 0
    assert sent_mime(server) == [message.replace(b"\r\n", b"\n").replace(b"\n", b"\r\n")]


def test_a_message_of_many_megabytes_arrives_as_it_was(server: Running, alice: Sender) -> None:
    message = mail(1, body=("0123456789abcdef" * 4 + "\n") * 100_000)
    assert alice.send(message, "bob@example.test").code == 0
    assert sent_mime(server) == [message.replace(b"\n", b"\r\n")]


@pytest.mark.parametrize("lines", [1, 5000])
def test_signing_in_by_ntlm(lines: int, server: Running, alice: Sender) -> None:
    alice.configure(auth="ntlm")
    message = mail(1, body="a line\n" * lines)
    assert alice.send(message, "bob@example.test").code == 0
    assert sent_mime(server) == [message.replace(b"\n", b"\r\n")]


def test_a_wrong_password_is_sent_once(server: Running, alice: Sender) -> None:
    alice.configure(password="wrong")
    assert [alice.send(mail(1), "bob@example.test").code for _ in range(2)] == [77, 77]
    assert server.stats()["http"] == 1
    assert alice.queue() == []


def test_bob_has_it_with_equal_headers_and_parts(server: Running, alice: Sender, tmp_path: Path) -> None:
    bob = User(tmp_path / "bob", server.url)
    bob.configure()
    config = bob.home / ".config/ews-bridge/config.toml"
    config.write_text(config.read_text().replace("alice@", "bob@"))
    assert alice.send(ODD[1], "-t").code == 0
    bob.syncs()
    (file,) = [path for part in ("new", "cur") for path in (bob.mail / "INBOX" / part).iterdir()]
    received = file.read_bytes()
    assert received.partition(b"\n")[2] == ODD[1], "all but the Received line"
    parsed, composed = (message_from_bytes(each, policy=policy.default) for each in (received, ODD[1]))
    assert parsed.get_content() == composed.get_content()


def test_only_what_is_needed_stands_beside_the_mime(server: Running, alice: Sender) -> None:
    bodies: list[bytes] = []
    before = server.sandbox.witness
    server.sandbox.witness = lambda request, answer: (bodies.append(request), before and before(request, answer))  # type: ignore[assignment,func-returns-value]
    alice.send(mail(1), "bob@example.test", "carol@example.test")
    (request,) = [body for body in bodies if b"CreateItem" in body]
    elements = re.findall(rb"<t:(\w+)", request.partition(b"<t:Message>")[2])
    assert elements == [
        b"MimeContent",
        b"ExtendedProperty",
        b"ExtendedFieldURI",
        b"Value",
        b"BccRecipients",
        b"Mailbox",
        b"EmailAddress",
    ]


def test_the_copy_in_sent_items_is_one_read_and_no_draft(server: Running, alice: Sender) -> None:
    alice.send(mail(1), "bob@example.test")
    (copy,) = arrived(server.alice, "sentitems")
    assert copy.read
    assert not copy.draft
    assert abs(copy.received - time.time()) < 60
    assert arrived(server.alice, "drafts") == []


def test_the_next_sync_brings_the_copy_once_and_adopts_the_one_of_the_mail_reader(server: Running, alice: Sender) -> None:
    alice.syncs()
    sent = alice.mail / "Sent Items"
    assert alice.send(mail(1), "bob@example.test").code == 0
    alice.syncs()
    # mutt's record: it has a Date of its own, which is later.
    (sent / "cur/fcc.1:2,S").write_bytes(mail(2).replace(b"10:00:00", b"10:00:07"))
    alice.sets(settle=0, queue="always")
    assert alice.send(mail(2), "bob@example.test").code == 0
    assert deliveries(server, 2) == 0
    alice.syncs()  # the outbox first, then the copies
    assert deliveries(server, 2) == 1
    assert len(list((sent / "cur").iterdir())) == 2
    assert len(arrived(server.alice, "sentitems")) == 2
    assert "nothing new" in alice.syncs()


# ---- recipients


def test_bcc_is_used_and_never_leaves_visibly(server: Running, alice: Sender) -> None:
    message = mail(1, more="Bcc: bob@example.test, eve@elsewhere.test\n", to="carol@elsewhere.test")
    assert alice.send(message, "-t").code == 0
    (delivery,) = server.world.deliveries
    assert sorted(delivery.recipients) == ["bob@example.test", "carol@elsewhere.test", "eve@elsewhere.test"]
    (got,) = arrived(bob_of(server))
    assert b"eve" not in got.mime
    assert b"bcc" not in got.mime.lower()


def test_argv_only_recipients_are_bcc(server: Running, alice: Sender) -> None:
    assert alice.send(mail(1, to="carol@elsewhere.test"), "-oi", "--", "carol@elsewhere.test", "bob@example.test").code == 0
    (delivery,) = server.world.deliveries
    assert sorted(delivery.recipients) == ["bob@example.test", "carol@elsewhere.test"]
    assert b"bob" not in arrived(bob_of(server))[0].mime


def test_nobody_outside_the_envelope_is_mailed(server: Running, alice: Sender) -> None:
    message = mail(1, to="carol@elsewhere.test", more="Cc: dave@elsewhere.test\nResent-To: bob@example.test\n")
    assert alice.send(message, "-oi", "--", "bob@example.test").code == 0
    assert [each.recipients for each in server.world.deliveries] == [("bob@example.test",)]
    assert arrived(server.alice, "drafts") == []
    assert len(arrived(server.alice, "sentitems")) == 1


def test_a_bounce_of_what_another_wrote_is_refused_and_nothing_is_left(server: Running, alice: Sender) -> None:
    message = mail(1, to="alice@example.test").replace(b"From: Alice <alice@", b"From: Carol <carol@")
    ran = alice.send(message, "--", "bob@example.test")
    assert (ran.code, ran.out, ran.err.count("\n")) == (77, "", 1)
    assert "From header" in ran.err
    assert server.world.deliveries == []
    assert arrived(server.alice, "drafts") == [] == arrived(server.alice, "deleteditems")
    assert alice.queue() == []


TOKEN = "<t:ExtendedProperty>{}<t:Value>mine</t:Value></t:ExtendedProperty>"


def test_a_server_that_would_mail_others_sends_nothing(server: Running) -> None:
    """As one would that takes the recipients from the headers whatever the request says."""
    mime = base64.b64encode(mail(1, to="carol@elsewhere.test").replace(b"\n", b"\r\n")).decode()
    token = TOKEN.format(asking.TOKEN)
    item = f"<t:Message><t:MimeContent>{mime}</t:MimeContent>{token}</t:Message>"
    server.post(f'<m:CreateItem MessageDisposition="SaveOnly"><m:Items>{item}</m:Items></m:CreateItem>')
    settings = Settings(server.url, "alice@example.test", "alice@example.test", "secret", auth="basic")
    with Connection(settings) as connection:
        draft = sending.look(connection, "mine")
        assert draft is not None
        assert draft.place == "drafts"
        wanted = sending.Wanted(lambda: iter(()), "mine", ("bob@example.test",), (), (), exact=True)
        with pytest.raises(BadMessage, match="would mail carol@"):
            sending.send_draft(connection, draft, wanted)
    assert server.world.deliveries == []
    assert arrived(server.alice, "drafts") == [] == arrived(server.alice, "deleteditems")


def test_five_hundred_recipients(server: Running, alice: Sender) -> None:
    many = [f"user{number}@elsewhere.test" for number in range(500)]
    assert alice.send(mail(1, to=many[0]), *many).code == 0
    (delivery,) = server.world.deliveries
    assert sorted(delivery.recipients) == sorted(many)


def test_mail_of_cron_goes_to_whom_the_alias_says(server: Running, alice: Sender, tmp_path: Path) -> None:
    (tmp_path / "aliases").write_text("root: bob@example.test\n")
    alice.sets(aliases=str(tmp_path / "aliases"))
    message = b"From: root (Cron Daemon)\nTo: root\nSubject: Cron <root@box> true\n\noutput\n"
    assert alice.send(message, "-FCronDaemon", "-i", "-odi", "-oem", "-oi", "-t", "-f", "root").code == 0
    (got,) = arrived(bob_of(server))
    head = message_from_bytes(got.mime, policy=policy.default)
    assert b"From: alice@example.test (Cron Daemon)\r\n" in got.mime
    assert head["To"] == "bob@example.test"
    assert head["Date"]
    assert head["Message-ID"]


# ---- exit codes


@pytest.mark.parametrize(
    ("words", "code"),
    [
        ("-bs", 64),
        ("--what", 64),
        ("", 64),
        ("-t", 65),
        ("-a nobody bob@example.test", 64),
        ("-C /nonexistent bob@example.test", 78),
    ],
)
def test_what_is_wrong_here_has_its_code_and_one_line(words: str, code: int, alice: Sender) -> None:
    ran = alice.send(b"Subject: s\n\nbody\n", *words.split())
    assert (ran.code, ran.out, ran.err.count("\n")) == (code, "", 1)


@pytest.mark.parametrize(
    ("fault", "code"),
    [
        ("error:ErrorInvalidRecipients", 67),
        ("error:ErrorSendAsDenied", 77),
        ("error:ErrorMessageSizeExceeded", 65),
        ("error:ErrorQuotaExceeded", 69),
        ("fault:ErrorSchemaValidation", 69),
        ("unauthorized", 77),
        ("http-404", 69),
        ("http-413", 65),
    ],
)
@pytest.mark.parametrize("queue", ["on-failure", "never"])
def test_a_no_of_the_server_is_not_queued(fault: str, code: int, queue: str, server: Running, alice: Sender) -> None:
    alice.sets(queue=queue)
    server.faults({"operation": "CreateItem", "fault": fault})
    ran = alice.send(mail(1), "bob@example.test")
    assert (ran.code, ran.out, ran.err.count("\n")) == (code, "", 1)
    assert alice.queue() == []


def test_a_from_that_is_somebody_elses_is_refused(server: Running, alice: Sender) -> None:
    ran = alice.send(mail(1).replace(b"alice@", b"carol@"), "-t")
    assert (ran.code, ran.err.count("\n")) == (77, 1)
    assert "ErrorSendAsDenied" in ran.err


def test_offline_it_is_kept_and_sent_later_in_order(server: Running, alice: Sender) -> None:
    nowhere = Sender(alice.home, "http://127.0.0.1:9/EWS/Exchange.asmx")
    nowhere.sets()
    for number in range(3):
        ran = nowhere.send(mail(number), "bob@example.test")
        assert (ran.code, ran.err.count("\n")) == (0, 1)
        assert "kept in the outbox" in ran.err
    listed = nowhere.send(b"", "-bp")
    assert listed.code == 0
    assert listed.out.count("queued") == 3
    assert "message 2" in listed.out
    flushed = nowhere.send(b"", "-q")
    assert (flushed.code, len(nowhere.queue())) == (75, 3)
    status = nowhere.run("status")
    assert "3 in the outbox" in status.out
    alice.sets()
    assert alice.send(b"", "-q").code == 0
    assert [each.message_id for each in server.world.deliveries] == [f"<{number}@example.test>" for number in range(3)]
    assert "empty" in alice.send(b"", "-bp").out


def test_with_never_the_message_stays_the_callers(alice: Sender) -> None:
    nowhere = Sender(alice.home, "http://127.0.0.1:9/EWS/Exchange.asmx")
    nowhere.sets(queue="never")
    ran = nowhere.send(mail(1), "bob@example.test")
    assert (ran.code, ran.err.count("\n"), nowhere.queue()) == (75, 1, [])


def test_always_returns_at_once_and_sync_flushes(server: Running, alice: Sender) -> None:
    alice.sets(queue="always")
    assert alice.send(mail(1), "bob@example.test").code == 0
    assert server.stats()["http"] == 0
    assert "1 sent" in alice.syncs()
    assert deliveries(server, 1) == 1


def test_what_fails_in_the_outbox_is_kept_with_its_reason_and_said(server: Running, alice: Sender) -> None:
    alice.sets(queue="always")
    alice.send(mail(1), "bob@example.test")
    alice.send(mail(2), "bob@example.test")
    server.faults({"operation": "CreateItem", "fault": "error:ErrorInvalidRecipients"})
    ran = alice.send(b"", "-q")
    assert (ran.code, ran.err.count("\n")) == (67, 1)
    assert (deliveries(server, 1), deliveries(server, 2)) == (0, 1)
    assert "not sent: message 1" in alice.run("status").out
    unsent = alice.run("--json", "status").json["accounts"][0]["unsent"]  # type: ignore[index]
    assert [each["state"] for each in unsent] == ["failed"]
    (kept,) = (alice.state / "outbox/failed").glob("*.eml")
    assert kept.read_bytes() == mail(1)


def test_a_dry_run_and_pull_only_send_nothing(server: Running, alice: Sender) -> None:
    alice.sets(queue="always")
    alice.send(mail(1), "bob@example.test")
    alice.run("sync", "--dry-run")
    alice.run("sync", "--pull-only")
    assert (deliveries(server, 1), len(alice.queue())) == (0, 1)


# ---- which account


def test_the_account_is_chosen_by_option_from_default_and_order(server: Running, alice: Sender) -> None:
    config = alice.home / ".config/ews-bridge/config.toml"
    text = config.read_text()
    second = text.replace("accounts.work", "accounts.bob").replace("alice@", "bob@").replace("~/Mail", "~/Bob")
    config.write_text(text + second.replace("settle = 0", "default = true"))
    for words, message in [
        ("-t", mail(1)),
        ("-t -a bob", mail(2).replace(b"alice@", b"bob@")),
        ("-t", mail(3).replace(b"alice@", b"bob@")),
        ("-t", b"To: alice@example.test\nMessage-ID: <4@example.test>\n\nx\n"),
        ("-t -f alice@example.test", b"To: bob@example.test\nMessage-ID: <5@example.test>\n\nx\n"),
    ]:
        assert alice.send(message, *words.split()).code == 0
    senders = {each.message_id[1]: each.sender[0] for each in server.world.deliveries}
    assert senders == {"1": "a", "2": "b", "3": "b", "4": "b", "5": "a"}


# ---- exactly once


def settled(sender: Sender, *, runs: int = 6) -> None:
    """Flush until nothing is left."""
    for _ in range(runs):
        if not sender.queue():
            return
        sender.send(b"", "-q")
    assert not sender.queue(), [json.loads(path.read_text()) for path in sender.queue()]


@pytest.mark.parametrize(
    "fault", ["drop", "lost-reply", "busy", "busy:50", "http-503", "truncate", "truncate-clean", "http-500", "http-502"]
)
@pytest.mark.parametrize("message", ["plain", "resent"])
def test_whatever_goes_wrong_it_is_sent_once(fault: str, message: str, server: Running, alice: Sender) -> None:
    more = "Resent-To: bob@example.test\n" if message == "resent" else ""
    to = "carol@elsewhere.test" if message == "resent" else "bob@example.test"
    operation = "SendItem" if message == "resent" and fault != "drop" else "CreateItem"
    server.faults({"operation": operation, "fault": fault})
    ran = alice.send(mail(1, to=to, more=more), "bob@example.test")
    assert ran.code == 0, ran
    settled(alice)
    assert deliveries(server, 1) == 1
    assert len(arrived(bob_of(server))) == 1
    assert len(arrived(server.alice, "sentitems")) == 1
    assert arrived(server.alice, "drafts") == []


def test_a_lost_reply_is_found_at_once(server: Running, alice: Sender) -> None:
    server.faults({"operation": "CreateItem", "fault": "lost-reply"})
    ran = alice.send(mail(1), "bob@example.test")
    assert (ran.code, ran.err, alice.queue(), deliveries(server, 1)) == (0, "", [], 1)


@pytest.mark.parametrize("late", [0.5, 2])
def test_what_is_carried_out_late_is_waited_for(late: float, server: Running, alice: Sender) -> None:
    alice.sets(settle=late + 3)
    server.faults({"operation": "CreateItem", "fault": f"late:{late}"})
    ran = alice.send(mail(1), "bob@example.test")
    assert (ran.code, len(alice.queue())) == (0, 1)
    assert "may have it" in ran.err
    began = time.time()
    while alice.queue() and time.time() - began < 60:
        alice.send(b"", "-q")
    assert deliveries(server, 1) == 1
    assert alice.queue() == []


def test_while_it_settles_nothing_is_sent_again_and_after_it_once(server: Running, alice: Sender) -> None:
    alice.sets(settle=4)
    server.faults({"operation": "CreateItem", "fault": "drop"})
    alice.send(mail(1), "bob@example.test")
    ran = alice.send(b"", "-q")
    assert (ran.code, deliveries(server, 1)) == (75, 0)
    time.sleep(4)
    assert alice.send(b"", "-q").code == 0
    assert deliveries(server, 1) == 1


def test_where_the_token_cannot_be_looked_for_nothing_is_guessed(server: Running, alice: Sender) -> None:
    server.faults(
        {"operation": "CreateItem", "fault": "lost-reply"},
        {"operation": "FindItem", "times": 9, "fault": "error:ErrorAccessDenied"},
    )
    assert alice.send(mail(1), "bob@example.test").code == 0
    alice.send(b"", "-q")
    assert len(alice.queue()) == 1
    server.faults()
    settled(alice)
    assert deliveries(server, 1) == 1


def test_a_server_that_never_answers_is_asked_a_few_times_and_the_user_told(server: Running, alice: Sender) -> None:
    server.faults({"operation": "CreateItem", "times": 99, "fault": "drop"})
    alice.send(mail(1), "bob@example.test")
    for _ in range(4):
        ran = alice.send(b"", "-q")
    assert alice.queue() == []
    assert "did not say" in alice.run("status").out
    assert server.stats()["requests"]["CreateItem"] == 3
    assert ran.code == 0


def test_what_the_user_sends_again_is_sent_again(server: Running, alice: Sender) -> None:
    assert [alice.send(mail(1), "bob@example.test").code for _ in range(2)] == [0, 0]
    assert deliveries(server, 1) == 2


def test_two_senders_and_two_flushers_at_once(server: Running, alice: Sender) -> None:
    alice.sets(queue="always")
    for number in range(4):
        alice.send(mail(number), "bob@example.test")
    alice.sets()
    with ThreadPoolExecutor(6) as pool:
        flushes = [pool.submit(alice.send, b"", "-q") for _ in range(3)]
        sends = [pool.submit(alice.send, mail(10 + number), "bob@example.test") for number in range(3)]
        assert all(each.result().code == 0 for each in sends)
        assert all(each.result().code in (0, 75) for each in flushes)
    settled(alice)
    assert {number: deliveries(server, number) for number in (0, 1, 2, 3, 10, 11, 12)} == dict.fromkeys(
        (0, 1, 2, 3, 10, 11, 12), 1
    )


FUSE = ("-m", "tests.fuse")


def killed_at(point: int, number: object, server: Running, alice: Sender, *words: str, more: str = "") -> bool:
    """Send, killed at a point; what was accepted then leaves by flushing, what was not is given back. True: it was killed."""
    to = "carol@elsewhere.test" if more else "bob@example.test"
    ran = alice.send(mail(number, to=to, more=more), str(point), "/dev/null", "ews-send", *words, python=FUSE)
    assert ran.code in (0, -9), ran
    accepted = bool(alice.queue()) or ran.code == 0 or deliveries(server, number) == 1
    settled(alice)
    assert deliveries(server, number) == accepted, (point, ran)
    return ran.code == -9


def points(alice: Sender, file: Path, *words: str, message: bytes) -> int:
    """How many there are in a run. The first run makes directories, and says less."""
    for _ in range(2):
        assert alice.send(message, "0", str(file), "ews-send", *words, python=FUSE).code == 0
    return len(file.read_text().splitlines())


def test_a_kill_at_any_point_loses_nothing_and_doubles_nothing(server: Running, alice: Sender, tmp_path: Path) -> None:
    total = points(alice, tmp_path / "points", "bob@example.test", message=mail("probe"))
    # What is written and sent comes last: the beginning is the reading of modules and settings.
    some = range(max(1, total - 45), total + 1, 3)
    killed = sum(killed_at(point, point, server, alice, "bob@example.test") for point in some)
    assert killed >= len(some) - 2


RESENT = "Resent-To: bob@example.test\n"


@pytest.mark.torture
@pytest.mark.parametrize("more", ["", RESENT], ids=["plain", "resent"])
def test_a_kill_at_every_point_of_sending(more: str, server: Running, alice: Sender, tmp_path: Path) -> None:
    to = "carol@elsewhere.test" if more else "bob@example.test"
    total = points(alice, tmp_path / "points", "bob@example.test", message=mail("probe", to=to, more=more))
    killed = sum(killed_at(point, point, server, alice, "bob@example.test", more=more) for point in range(1, total + 1))
    assert killed >= total - 5
    assert arrived(server.alice, "drafts") == []
    assert {each.recipients for each in server.world.deliveries} == {("bob@example.test",)}


@pytest.mark.torture
def test_a_kill_at_every_point_of_flushing(server: Running, alice: Sender, tmp_path: Path) -> None:
    point, killed = 1, True
    while killed:
        alice.sets(settle=0, queue="always")
        for each in range(2):
            assert alice.send(mail(f"{point}.{each}"), "bob@example.test").code == 0
        alice.sets(settle=0)
        killed = alice.send(b"", str(point), "/dev/null", "ews-send", "-q", python=FUSE).code == -9
        settled(alice)
        assert [deliveries(server, f"{point}.{each}") for each in range(2)] == [1, 1], point
        point += 1
    assert point > 60


@pytest.mark.torture
def test_kills_among_faults_and_late_executions(server: Running, alice: Sender, tmp_path: Path) -> None:
    """200 messages, each with a random fault, half of them killed at a random point; the runs after them are killed, too."""
    total = points(alice, tmp_path / "points", "bob@example.test", message=mail("probe"))
    rng = random.Random(7)
    settle = 8
    alice.sets(settle=settle)
    for batch in range(8):
        accepted: dict[str, bool] = {}
        for each in range(25):
            number = f"{batch}.{each}"
            fault = rng.choice(["drop", "lost-reply", "late:1", "late:3", "busy:10", "http-503", "truncate", "http-500"])
            server.faults({"operation": rng.choice(["CreateItem", "CreateItem", "FindItem"]), "fault": fault})
            before = len(alice.queue())
            point = rng.choice([total * 2, rng.randint(total - 40, total + 10)])
            ran = alice.send(mail(number), str(point), "/dev/null", "ews-send", "bob@example.test", python=FUSE)
            accepted[number] = ran.code == 0 or len(alice.queue()) > before
            assert ran.code in (0, -9), ran
            if rng.random() < 0.2:
                alice.send(b"", str(rng.randint(total - 40, total + 40)), "/dev/null", "ews-send", "-q", python=FUSE)
        server.faults()
        for _ in range(4):
            alice.send(b"", "-q")
            if not alice.queue():
                break
            time.sleep(settle)
        assert not alice.queue()
        for number, taken in accepted.items():
            count = deliveries(server, number)
            assert count == 1 if taken else count <= 1, number


# ---- time, as far as a busy machine lets one see it


def test_nothing_heavy_is_loaded_before_it_is_needed(alice: Sender) -> None:
    code = (
        "import sys; from ews_bridge import sendmail; code = sendmail.main();"
        "heavy = {'click', 'exchangelib', 'lxml', 'requests', 'sqlite3', 'subprocess', 'email'} & set(sys.modules);"
        "print(*sorted(heavy)); sys.exit(code)"
    )
    alice.sets(queue="always")
    assert alice.send(mail(1), "bob@example.test", python=("-c", code)).out.split() == []
    alice.sets()
    assert alice.send(mail(1), "bob@example.test", python=("-c", code)).out.split() == ["email", "lxml", "requests", "subprocess"]


def test_the_installed_program_is_this_one() -> None:
    found = Path(sys.executable).with_name("ews-send")
    if not found.exists():
        pytest.skip("ews-send is not installed in this environment")
    ran = subprocess.run([found, "--version"], capture_output=True, text=True)
    assert ran.stdout.startswith("ews-send ")
