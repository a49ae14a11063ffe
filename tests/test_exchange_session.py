"""The connection: signing in, waiting, asking again, and which error becomes which."""

from __future__ import annotations

import base64
import itertools
import socket
import ssl
import subprocess
import sys
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC
from datetime import datetime
from datetime import timedelta
from ipaddress import IPv4Address
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from ews_bridge.errors import AuthError
from ews_bridge.errors import Busy
from ews_bridge.errors import ConfigError
from ews_bridge.errors import EwsBridgeError
from ews_bridge.errors import Unavailable
from ews_bridge.exchange import asking
from ews_bridge.exchange import bulk
from ews_bridge.exchange import faults
from ews_bridge.exchange import soap
from ews_bridge.exchange.session import Connection

from . import sandbox_server
from .exchange_relay import Reply
from .exchange_relay import Waits
from .exchange_relay import connection
from .exchange_relay import envelope
from .exchange_relay import fault
from .exchange_relay import message
from .exchange_relay import relay
from .exchange_relay import response

DAY = timedelta(days=1)
HELLO = asking.get_folders(asking.distinguished("inbox"), "")


def hello(conn: Connection, *, repeat: bool = True) -> list[soap.Message]:
    return bulk.call(conn, HELLO, repeat=repeat)


@pytest.mark.parametrize("auth", ["basic", "ntlm"])
def test_a_refused_password_is_sent_once_however_many_ask(auth: str) -> None:
    with sandbox_server.running() as server, connection(server.url, auth=auth, secret="wrong") as conn:
        with ThreadPoolExecutor(8) as pool:
            outcomes = [pool.submit(hello, conn).exception() for _ in range(8)]
        assert all(isinstance(outcome, AuthError) for outcome in outcomes)
        assert server.stats()["refused"] == 1


@pytest.mark.parametrize("auth", ["basic", "ntlm"])
def test_the_first_real_request_signs_in(auth: str) -> None:
    with sandbox_server.running() as server, connection(server.url, auth=auth) as conn:
        hello(conn)
        hello(conn)
        assert server.stats()["requests"] == {"GetFolder": 2}
        assert server.stats()["connections"] == 1


def test_with_ntlm_a_big_first_request_is_preceded_by_a_small_one() -> None:
    big = asking.get_folders(asking.distinguished("inbox") * 600, "")
    with sandbox_server.running() as server, connection(server.url, auth="ntlm") as conn:
        bulk.call(conn, big, repeat=True)
        assert server.stats()["bytes_in"] < len(big) + 5000


def test_no_more_lines_than_connections_are_opened() -> None:
    with sandbox_server.running() as server, connection(server.url, connections=2) as conn:
        with ThreadPoolExecutor(8) as pool:
            list(pool.map(lambda _: hello(conn), range(40)))
        assert server.stats()["connections"] <= 2
        assert server.stats()["total"] == 40


def test_the_secret_is_asked_for_once_and_only_when_needed() -> None:
    asked = []

    def secret() -> str:
        asked.append(1)
        return "secret"

    with sandbox_server.running() as server, connection(server.url, secret=secret) as conn:
        assert not asked
        hello(conn)
        hello(conn)
        assert asked == [1]


PASSING = {
    "drop": "drop",
    "lost-reply": "lost-reply",
    "truncate": "truncate",
    "truncate-clean": "truncate-clean",
    "busy": "busy",
    "busy with a figure": "busy:90000",
    "503": "http-503",
    "503 with Retry-After": "http-503:70",
    "429": "http-429:70",
    "500 without a word": "http-500",
    "502": "http-502",
    "400 without a word": "http-400",
    "transient": "fault:ErrorInternalServerTransientError",
    "timeout expired": "error:ErrorTimeoutExpired",
    "busy in the message": "error:ErrorServerBusy",
}


@pytest.mark.parametrize("kind", PASSING.values(), ids=PASSING.keys())
def test_a_read_is_asked_again_when_the_trouble_may_pass(kind: str) -> None:
    with sandbox_server.running() as server, connection(server.url) as conn:
        server.faults({"operation": "GetFolder", "fault": kind, "times": 1})
        assert hello(conn)[0].ok
        assert server.stats()["faults"] == 1


@pytest.mark.parametrize("kind", PASSING.values(), ids=PASSING.keys())
def test_a_write_is_never_sent_twice(kind: str) -> None:
    with sandbox_server.running() as server, connection(server.url) as conn:
        hello(conn)
        server.reset()
        server.faults({"operation": "GetFolder", "fault": kind, "times": 1})
        with pytest.raises(Unavailable):
            hello(conn, repeat=False)
        assert server.stats()["total"] == 1


@pytest.mark.parametrize(
    ("kind", "figure"), [("busy:90000", 90), ("http-503:70", 70), ("http-429:80", 80)], ids=["soap", "503", "429"]
)
def test_the_servers_figure_is_waited_for_by_all_workers(kind: str, figure: float) -> None:
    waits = Waits()
    with sandbox_server.running() as server, connection(server.url, waits) as conn:
        hello(conn)
        server.faults({"operation": "GetFolder", "fault": kind, "times": 1})
        with pytest.raises(Busy) as caught:
            hello(conn, repeat=False)
        assert caught.value.wait == figure
        hello(conn)
        assert sum(waits.slept) == pytest.approx(figure)


def test_a_figure_beyond_our_patience_is_reported_instead_of_waited_for() -> None:
    waits = Waits()
    with sandbox_server.running() as server, connection(server.url, waits, patience=60) as conn:
        server.faults({"operation": "GetFolder", "fault": "busy:900000", "times": 1})
        with pytest.raises(Busy) as caught:
            hello(conn)
        assert caught.value.wait == 900
        with pytest.raises(Busy):
            hello(conn)
        assert waits.slept == []
        assert server.stats()["total"] == 1


BACK_OFF = '<t:Value Name="Policy">x</t:Value><t:Value Name="BackOffMilliseconds">42000</t:Value>'
INNER = f'<m:MessageXml><t:Value Name="InnerErrorResponseCode">ErrorServerBusy</t:Value>{BACK_OFF}</m:MessageXml>'


@pytest.mark.parametrize(
    "busy",
    [
        fault("ErrorServerBusy", BACK_OFF),
        Reply(200, response("GetFolder", message("GetFolder", INNER, code="ErrorInternalServerError"))),
        Reply(200, fault("ErrorServerBusy", BACK_OFF).body),
    ],
    ids=["fault", "inner", "fault with 200"],
)
def test_every_shape_of_busy_is_understood_wherever_its_figure_stands(busy: Reply) -> None:
    with relay("", lambda _, __: busy) as server, connection(server.url) as conn:
        with pytest.raises(Busy) as caught:
            hello(conn, repeat=False)
        assert caught.value.wait == 42


def test_a_server_that_is_often_busy_never_stops_the_workers_for_good() -> None:
    numbers = itertools.count()

    def hook(_: bytes, forward: Callable[[], Reply]) -> Reply | None:
        number = next(numbers)
        if number % 3 == 1:
            return fault("ErrorServerBusy", BACK_OFF) if number % 2 else None
        return forward()

    waits = Waits()
    with sandbox_server.running() as server, relay(server.url, hook) as between:
        conn = connection(between.url, waits, connections=4, tries=20, patience=1e9)
        with ThreadPoolExecutor(8) as pool:
            answers = list(pool.map(lambda _: hello(conn), range(100), timeout=60))
    assert all(answer[0].ok for answer in answers)


def test_tries_are_bounded() -> None:
    waits = Waits()
    with sandbox_server.running() as server, connection(server.url, waits, tries=4) as conn:
        server.faults({"operation": "*", "fault": "http-500", "times": 99})
        with pytest.raises(faults.Lost):
            hello(conn)
        assert server.stats()["faults"] == 4
        assert waits.slept == [1, 2, 4]


def test_a_silent_server_is_given_up_after_the_timeout() -> None:
    with sandbox_server.running() as server, connection(server.url, timeout=0.3, tries=2) as conn:
        server.faults({"operation": "GetFolder", "fault": "hang", "times": 2})
        with pytest.raises(faults.Lost, match=r"0\.3 seconds"):
            hello(conn)


LASTING = {
    "html": ("html", Unavailable, "web page"),
    "redirect": ("redirect", Unavailable, "redirects to"),
    "unauthorized": ("unauthorized", AuthError, "refused the sign-in"),
    "403": ("http-403", AuthError, "403"),
    "404": ("http-404", faults.Fault, "404"),
    "413": ("http-413", faults.Fault, "413"),
    "schema": ("fault:ErrorSchemaValidation", faults.Fault, "ErrorSchemaValidation"),
}


@pytest.mark.parametrize(("kind", "error", "words"), LASTING.values(), ids=LASTING.keys())
def test_what_does_not_pass_is_said_at_once_and_in_words(kind: str, error: type[EwsBridgeError], words: str) -> None:
    with sandbox_server.running() as server, connection(server.url) as conn:
        server.faults({"operation": "GetFolder", "fault": kind, "times": 9})
        with pytest.raises(error, match=words):
            hello(conn)
        assert server.stats()["faults"] == 1


def test_the_redirect_is_named_without_its_query() -> None:
    there = Reply(302, b"", {"Location": "https://mail.example.test/owa/auth/logon.aspx?user=alice"})
    with (
        relay("", lambda _, __: there) as server,
        connection(server.url) as conn,
        pytest.raises(Unavailable, match=r"redirects to https://mail\.example\.test/owa/auth/logon\.aspx$"),
    ):
        hello(conn)


def test_the_error_page_of_a_busy_web_server_passes() -> None:
    pages = [Reply(302, b"", {"Location": "/ews/genericerrorpage.htm"})]
    with sandbox_server.running() as server, relay(server.url, lambda _, go: pages.pop() if pages else go()) as between:
        assert hello(connection(between.url))[0].ok


def test_an_older_server_is_spoken_to_in_its_own_version() -> None:
    def old(body: bytes, forward: object) -> Reply:
        if b'Version="Exchange2010_SP1"' not in body:
            return fault("ErrorInvalidServerVersion")
        assert b"SuppressReadReceipts" not in body
        return Reply(200, response("GetFolder", message("GetFolder", "")))

    with relay("", old) as server, connection(server.url) as conn:
        marked = asking.update_items([], overwrite=True)
        assert bulk.call(conn, marked, repeat=False)[0].ok
        assert len(server.requests) == 4
        hello(conn)
        assert len(server.requests) == 5


def test_no_server_there() -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{free.getsockname()[1]}/EWS/Exchange.asmx"
    waits = Waits()
    with pytest.raises(faults.Lost, match="cannot be reached"):
        hello(connection(url, waits))
    assert sum(waits.slept) <= 1


def test_an_address_that_is_none_is_a_matter_of_configuration() -> None:
    with pytest.raises(ConfigError, match="not an address"):
        hello(connection("mail.example.test/EWS"))


def test_a_missing_ca_file_is_a_matter_of_configuration() -> None:
    with pytest.raises(ConfigError, match="ca_file"):
        hello(connection("https://127.0.0.1:1/EWS", ca_file="/nowhere.pem"))


def test_tls_to_a_server_that_speaks_none() -> None:
    with sandbox_server.running() as server, pytest.raises(faults.Lost):
        hello(connection(server.url.replace("http:", "https:"), tries=1))


def certificate(folder: Path) -> tuple[ssl.SSLContext, Path]:
    """A server's context with a certificate of its own for 127.0.0.1, and that certificate."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "mail.example.test")])
    now = datetime.now(UTC)
    made = (
        x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number(), now - DAY, now + DAY)
        .add_extension(x509.SubjectAlternativeName([x509.IPAddress(IPv4Address("127.0.0.1"))]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    encoded = made.public_bytes(serialization.Encoding.PEM)
    secret = key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    (folder / "both.pem").write_bytes(secret + encoded)
    (folder / "ca.pem").write_bytes(encoded)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(folder / "both.pem")
    return context, folder / "ca.pem"


def test_a_certificate_is_trusted_only_when_its_authority_is(tmp_path: Path) -> None:
    context, ca_file = certificate(tmp_path)
    waits = Waits()
    answer = Reply(200, response("GetFolder", message("GetFolder", "")))
    with relay("", lambda _, __: answer, tls=context) as server:
        with pytest.raises(Unavailable, match="not trusted") as caught:
            hello(connection(server.url, waits))
        assert "ca_file" in caught.value.hint
        assert not waits.slept
        assert not server.requests
        assert hello(connection(server.url, ca_file=str(ca_file)))[0].ok


def test_the_proxy_is_used() -> None:
    answer = Reply(200, response("GetFolder", message("GetFolder", "")))
    with relay("", lambda _, __: answer) as proxy:
        conn = connection("http://mail.example.invalid/EWS/Exchange.asmx", proxy=proxy.url.removesuffix("/EWS/Exchange.asmx"))
        assert hello(conn)[0].ok


def test_names_and_passwords_beyond_latin_1_arrive_as_utf_8() -> None:
    with relay("", lambda _, __: Reply(200, response("GetFolder", message("GetFolder", "")))) as server:
        hello(connection(server.url, username="zażółć", secret="пароль"))
        assert base64.b64decode(server.authorizations[0].removeprefix("Basic ")).decode() == "zażółć:пароль"


def test_a_user_agent_of_ones_own_is_sent_and_the_mailbox_is_named() -> None:
    seen: list[bytes] = []
    with socket.create_server(("127.0.0.1", 0)) as listening:

        def serve() -> None:
            peer, _ = listening.accept()
            with peer:
                seen.append(peer.recv(65536))

        thread = threading.Thread(target=serve)
        thread.start()
        with pytest.raises(Unavailable):
            hello(connection(f"http://127.0.0.1:{listening.getsockname()[1]}/EWS", user_agent="Outlook 16"), repeat=False)
        thread.join()
    assert b"User-Agent: Outlook 16\r\n" in seen[0]
    assert b"X-AnchorMailbox: alice@example.test\r\n" in seen[0]


def test_the_secret_is_in_no_representation() -> None:
    assert "secret" not in repr(connection("https://mail.example.test/EWS").settings)


def test_the_library_is_not_imported_before_a_request_is_made() -> None:
    code = "import sys, ews_bridge.exchange.tree; assert not {'exchangelib', 'requests'} & set(sys.modules)"
    subprocess.run([sys.executable, "-c", code], check=True)


@pytest.mark.parametrize(
    "odd",
    [
        b"a&#x1;b&#xD83D;c&#xFFFE;",
        b"a\x01b\xed\xa0\xbdc",
        b"a&nbsp;b",
        b"R&D",
    ],
    ids=["references", "raw", "entity", "ampersand"],
)
def test_an_odd_character_does_not_cost_the_page(odd: bytes) -> None:
    page = envelope("<m:X><t:Subject>HERE</t:Subject></m:X>").replace(b"HERE", odd)
    found = soap.parse(page).find(f".//{{{soap.TYPES}}}Subject")
    assert found is not None
    assert (found.text or "")[0] in "aR"


def test_a_pair_of_surrogate_references_is_one_character() -> None:
    page = envelope("<m:X><t:Subject>&#xD83D;&#xDE00;</t:Subject></m:X>")
    found = soap.parse(page).find(f".//{{{soap.TYPES}}}Subject")
    assert found is not None
    assert found.text == "\N{GRINNING FACE}"


def test_no_entity_is_expanded() -> None:
    bomb = b'<!DOCTYPE x [<!ENTITY a "aaaa"><!ENTITY b "&a;&a;">]>' + envelope("<m:X>&b;</m:X>").partition(b"?>")[2]
    with pytest.raises(faults.Lost):
        soap.parse(bomb)
