"""What the sandbox promises on the HTTP level: sign-in, faults, counters, and running as a process."""

from __future__ import annotations

import base64
import socket
import threading
import time
from collections.abc import Callable
from pathlib import Path

import pytest
import requests
from requests.auth import AuthBase
from requests.auth import HTTPBasicAuth
from requests_ntlm import HttpNtlmAuth

from ews_bridge.sandbox.faults import read_fault
from ews_bridge.sandbox.frontend import Options
from ews_bridge.sandbox.world import World
from tests.sandbox_server import ALICE
from tests.sandbox_server import BOB
from tests.sandbox_server import SCHEMA_DIR
from tests.sandbox_server import Running
from tests.sandbox_server import envelope
from tests.sandbox_server import process
from tests.sandbox_server import running

HEAD = {"Content-Type": "text/xml; charset=utf-8"}
GET_INBOX = (
    "<m:GetFolder><m:FolderShape><t:BaseShape>Default</t:BaseShape></m:FolderShape>"
    '<m:FolderIds><t:DistinguishedFolderId Id="inbox"/></m:FolderIds></m:GetFolder>'
)
CREATE_FOLDER = (
    '<m:CreateFolder><m:ParentFolderId><t:DistinguishedFolderId Id="inbox"/></m:ParentFolderId>'
    "<m:Folders><t:Folder><t:DisplayName>New</t:DisplayName></t:Folder></m:Folders></m:CreateFolder>"
)
SYNC = (
    "<m:SyncFolderItems><m:ItemShape><t:BaseShape>IdOnly</t:BaseShape></m:ItemShape>"
    '<m:SyncFolderId><t:DistinguishedFolderId Id="inbox"/></m:SyncFolderId>'
    "<m:MaxChangesReturned>100</m:MaxChangesReturned></m:SyncFolderItems>"
)
NAMES = ("alice@example.test", "EXAMPLE\\alice", "\\alice", "alice", "ALICE@example.test")


def folders(server: Running) -> list[str]:
    return [child.name for child in server.alice.folder("inbox").children]


# Sign-in


@pytest.mark.parametrize("scheme", [HTTPBasicAuth, HttpNtlmAuth])
@pytest.mark.parametrize("name", NAMES)
def test_every_spelling_of_the_user_signs_in(name: str, scheme: Callable[[str, str], AuthBase]) -> None:
    with running() as server:
        answer = requests.post(server.url, data=envelope(GET_INBOX), headers=HEAD, auth=scheme(name, "secret"), timeout=10)
        assert answer.status_code == 200, answer.text
        assert answer.headers["Content-Type"] == "text/xml; charset=utf-8"


@pytest.mark.parametrize("scheme", [HTTPBasicAuth, HttpNtlmAuth])
def test_a_wrong_password_is_refused_and_counted_once(scheme: Callable[[str, str], AuthBase]) -> None:
    with running() as server:
        for user, password in (("alice@example.test", "Secret"), ("nobody@example.test", "secret"), ("carol", "secret")):
            server.reset()
            answer = requests.post(server.url, data=envelope(GET_INBOX), headers=HEAD, auth=scheme(user, password), timeout=10)
            assert answer.status_code == 401
            stats = server.stats()
            assert (stats["refused"], stats["sign_ins"], stats["total"]) == (1, 0, 0)


def test_passwords_of_any_characters_work() -> None:
    password = "p:ä s\\w@rd/€"
    world = World()
    world.add_user(ALICE[0], password)
    with running(world=world) as server:
        basic = "Basic " + base64.b64encode(f"{ALICE[0]}:{password}".encode()).decode()
        answer = requests.post(server.url, data=envelope(GET_INBOX), headers={**HEAD, "Authorization": basic}, timeout=10)
        assert answer.status_code == 200
        answer = requests.post(
            server.url, data=envelope(GET_INBOX), headers=HEAD, auth=HttpNtlmAuth(ALICE[0], password), timeout=10
        )
        assert answer.status_code == 200


def test_ntlm_signs_a_connection_in_once() -> None:
    with running() as server, requests.Session() as session:
        first = session.post(server.url, data=envelope(GET_INBOX), headers=HEAD, auth=HttpNtlmAuth(*ALICE), timeout=10)
        assert first.headers["Persistent-Auth"] == "true"
        for _ in range(3):
            assert session.post(server.url, data=envelope(GET_INBOX), headers=HEAD, timeout=10).status_code == 200
        stats = server.stats()
        assert (stats["sign_ins"], stats["connections"], stats["total"]) == (1, 1, 4)
        # Another connection is nobody's.
        assert requests.post(server.url, data=envelope(GET_INBOX), headers=HEAD, timeout=10).status_code == 401


@pytest.mark.parametrize(
    "token", ["", "!", "AAAA", "TlRMTVNTUAAD", base64.b64encode(b"NTLMSSP\0\3\0\0\0" + b"\xff" * 80).decode()]
)
def test_garbage_instead_of_a_token_is_refused(token: str) -> None:
    with running(options=Options(schemes=frozenset({"negotiate", "ntlm", "basic"}))) as server:
        for scheme in ("NTLM", "Negotiate", "Basic", "Bearer"):
            head = {**HEAD, "Authorization": f"{scheme} {token}"}
            assert requests.post(server.url, data=envelope(GET_INBOX), headers=head, timeout=10).status_code == 401


def test_only_the_chosen_schemes_are_offered() -> None:
    for schemes, offered in ((("ntlm",), ["NTLM"]), (("basic", "ntlm"), ["NTLM", 'Basic realm="127.0.0.1"'])):
        with running(options=Options(schemes=frozenset(schemes))) as server:
            answer = requests.post(server.url, data=envelope(GET_INBOX), headers=HEAD, timeout=10)
            assert answer.status_code == 401
            assert answer.raw.headers.getlist("WWW-Authenticate") == offered
            assert requests.post(
                server.url, data=envelope(GET_INBOX), headers=HEAD, auth=HTTPBasicAuth(*ALICE), timeout=10
            ).status_code == (200 if "basic" in schemes else 401)
    with pytest.raises(ValueError, match="kerberos"), running(options=Options(schemes=frozenset({"kerberos"}))):
        pass


# HTTP


def test_the_path_ignores_case_and_a_get_is_answered() -> None:
    with running() as server:
        assert requests.get(server.url, timeout=10).status_code == 401
        assert requests.get(server.url.lower(), auth=ALICE, timeout=10).status_code == 200
        assert requests.get(server.url.replace("Exchange.asmx", "services.wsdl"), auth=ALICE, timeout=10).status_code == 404
        assert requests.put(server.url, auth=ALICE, timeout=10).status_code == 405
        assert requests.post(server.url, data=b"{}", auth=ALICE, timeout=10).status_code == 415


def test_a_request_beyond_the_limit_is_turned_away() -> None:
    with running(options=Options(request_limit=10_000)) as server:
        assert server.post(GET_INBOX).status == 200
        for send in (b" " * 20_000, (b" " * 5_000 for _ in range(4))):  # with a length, and in chunks
            answer = requests.post(server.url, data=send, headers=HEAD, auth=HTTPBasicAuth(*ALICE), timeout=10)
            assert answer.status_code == 413


def test_answers_are_compressed_only_when_both_sides_want_it() -> None:
    for compress in (False, True):
        with running(options=Options(compress=compress)) as server:
            for encoding in ("gzip, deflate", "identity"):
                head = {**HEAD, "Accept-Encoding": encoding}
                answer = requests.post(server.url, data=envelope(GET_INBOX), headers=head, auth=ALICE, timeout=10)
                assert ("Content-Encoding" in answer.headers) == (compress and "gzip" in encoding)
                assert answer.content.startswith(b"<?xml")


def test_the_round_trip_time_is_added_without_blocking_others() -> None:
    with running(options=Options(rtt_ms=300)) as server, requests.Session() as session:
        session.auth = ALICE
        session.post(server.url, data=envelope(GET_INBOX), headers=HEAD, timeout=10)
        begin = time.monotonic()
        session.post(server.url, data=envelope(GET_INBOX), headers=HEAD, timeout=10)
        assert time.monotonic() - begin >= 0.3
        begin = time.monotonic()
        threads = [threading.Thread(target=server.post, args=(GET_INBOX,)) for _ in range(16)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        # A new connection costs one round more; one after the other they would take 9.6 s.
        assert 0.6 <= time.monotonic() - begin < 5


def test_connections_are_kept_alive() -> None:
    with running() as server, requests.Session() as session:
        session.auth = ALICE
        for _ in range(5):
            session.post(server.url, data=envelope(GET_INBOX), headers=HEAD, timeout=10)
        assert server.stats()["connections"] == 1


def talk(server: Running, *parts: bytes) -> bytes:
    """Send bytes as they are, each part after something came back for the one before; everything that came back."""
    host, port = server.url.split("/")[2].split(":")
    heard = b""
    with socket.create_connection((host, int(port)), 5) as line:
        for part in parts:
            line.sendall(part)
            heard += line.recv(10_000)
    return heard


def raw_head(*lines: str) -> bytes:
    token = base64.b64encode(":".join(ALICE).encode()).decode()
    common = ("POST /EWS/Exchange.asmx HTTP/1.1", "Host: x", "Content-Type: text/xml", f"Authorization: Basic {token}")
    return "\r\n".join((*common, *lines, "", "")).encode()


def test_a_client_that_asks_whether_to_go_on_is_told_to() -> None:
    body = envelope(GET_INBOX)
    with running() as server:
        heard = talk(server, raw_head("Expect: 100-continue", f"Content-Length: {len(body)}"), body)
        assert heard.startswith(b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\n")


def test_broken_requests_and_clients_that_leave_are_no_bugs() -> None:
    body = envelope(GET_INBOX)
    with running() as server:
        assert b" 400 " in talk(server, raw_head("Content-Encoding: gzip", "Content-Length: 5") + b"abcde")
        assert b" 400 " in talk(server, raw_head("Transfer-Encoding: chunked") + b"zz\r\nabc")
        host, port = server.url.split("/")[2].split(":")
        for sent in (body[:20], body[:-3], body):
            with socket.create_connection((host, int(port)), 5) as line:
                line.sendall(raw_head(f"Content-Length: {len(body)}") + sent)
        assert server.post(GET_INBOX).status == 200


# Faults


def test_drop_loses_the_request_and_lost_reply_only_the_answer() -> None:
    with running() as server:
        server.faults({"operation": "CreateFolder", "fault": "drop"})
        with pytest.raises(requests.ConnectionError):
            server.post(CREATE_FOLDER)
        assert folders(server) == []
        server.faults({"operation": "CreateFolder", "fault": "lost-reply"})
        with pytest.raises(requests.ConnectionError):
            server.post(CREATE_FOLDER)
        assert folders(server) == ["New"]
        assert server.post(CREATE_FOLDER).code == "ErrorFolderExists"


def test_late_carries_the_request_out_after_the_connection_died() -> None:
    with running() as server:
        server.faults({"operation": "CreateFolder", "fault": "late:1"})
        with pytest.raises(requests.ConnectionError):
            server.post(CREATE_FOLDER)
        assert folders(server) == []
        assert server.stats()["late"] == 1
        deadline = time.monotonic() + 10
        while not folders(server) and time.monotonic() < deadline:
            time.sleep(0.02)
        assert folders(server) == ["New"]
        assert server.stats()["late"] == 0


def test_nth_and_times_choose_the_requests() -> None:
    with running() as server:
        server.faults({"operation": "GetFolder", "nth": 2, "times": 2, "fault": "http-503"})
        assert [server.post(GET_INBOX).status for _ in range(4)] == [200, 503, 503, 200]
        server.faults({"operation": "*", "nth": 1, "fault": "http-429:7"}, {"operation": "GetItem", "fault": "drop"})
        answer = server.post(GET_INBOX)
        assert (answer.status, answer.headers["Retry-After"]) == (429, "7")
        assert server.post(GET_INBOX).status == 200
        assert server.stats()["faults"] == 3


def test_busy_says_how_long_when_asked_to() -> None:
    with running() as server:
        server.faults({"fault": "busy", "times": 1}, {"fault": "busy:1500", "nth": 2})
        first, second = server.post(GET_INBOX), server.post(GET_INBOX)
        assert (first.status, first.code) == (500, "ErrorServerBusy")
        assert first.all("//faultstring/text()") == ["The server cannot service this request right now. Try again later."]
        assert not first.all("//t:Value[@Name='BackOffMilliseconds']")
        assert second.all("//t:MessageXml/t:Value[1][@Name='BackOffMilliseconds']/text()") == ["1500"]


def test_truncated_answers_arrive_in_part() -> None:
    with running() as server:
        whole = server.post(GET_INBOX).body
        server.faults({"fault": "truncate-clean"})
        assert server.post(GET_INBOX).body == whole[: len(whole) // 2]
        server.faults({"fault": "truncate"})
        with pytest.raises(requests.exceptions.ChunkedEncodingError):
            server.post(GET_INBOX)


def test_hang_answers_nothing_and_does_nothing() -> None:
    with running() as server:
        server.faults({"fault": "hang"})
        with pytest.raises(requests.ReadTimeout):
            server.post(CREATE_FOLDER, timeout=0.3)
        assert folders(server) == []
        assert server.post(GET_INBOX).status == 200


def test_unauthorized_ends_an_ntlm_connection() -> None:
    with running() as server, requests.Session() as session:
        session.post(server.url, data=envelope(GET_INBOX), headers=HEAD, auth=HttpNtlmAuth(*ALICE), timeout=10)
        server.faults({"fault": "unauthorized"})
        assert session.post(server.url, data=envelope(GET_INBOX), headers=HEAD, timeout=10).status_code == 401
        assert session.post(server.url, data=envelope(GET_INBOX), headers=HEAD, timeout=10).status_code == 401
        assert server.stats()["refused"] == 1


def test_pages_instead_of_soap() -> None:
    with running() as server:
        server.faults({"fault": "html"}, {"fault": "redirect", "nth": 2})
        answer = server.post(GET_INBOX)
        assert answer.status == 200 and answer.headers["Content-Type"].startswith("text/html")
        sent = requests.post(server.url, data=envelope(GET_INBOX), headers=HEAD, auth=ALICE, allow_redirects=False, timeout=10)
        assert (sent.status_code, sent.headers["Location"]) == (302, "/owa/auth/logon.aspx")


def test_error_answers_each_item_and_does_nothing() -> None:
    get_two = (
        "<m:GetItem><m:ItemShape><t:BaseShape>IdOnly</t:BaseShape></m:ItemShape>"
        '<m:ItemIds><t:ItemId Id="AAAA"/><t:ItemId Id="BBBB"/></m:ItemIds></m:GetItem>'
    )
    with running() as server:
        server.faults({"fault": "error:ErrorMailboxStoreUnavailable", "times": 3})
        assert server.post(get_two).codes == ["ErrorMailboxStoreUnavailable"] * 2
        assert server.post(CREATE_FOLDER).codes == ["ErrorMailboxStoreUnavailable"]
        assert folders(server) == []
        assert server.post(SYNC).codes == ["ErrorMailboxStoreUnavailable"]
        server.faults({"fault": "fault:ErrorAccessDenied"})
        answer = server.post(GET_INBOX)
        assert (answer.status, answer.code) == (500, "ErrorAccessDenied")


@pytest.mark.parametrize(
    "wrong",
    [
        {},
        {"fault": "explode"},
        {"fault": "late"},
        {"fault": "late:soon"},
        {"fault": "drop:3"},
        {"fault": "http"},
        {"fault": "http-200"},
        {"fault": "drop-503"},
        {"fault": "error:"},
        {"fault": "error:NoError!"},
        {"fault": "drop", "nth": 0},
        {"fault": "drop", "times": "many"},
        {"fault": "drop", "operations": "GetItem"},
    ],
)
def test_a_fault_that_makes_no_sense_is_refused_and_none_is_set(wrong: dict[str, object]) -> None:
    with pytest.raises(ValueError):
        read_fault(wrong)
    with running() as server:
        control = server.url.replace("EWS/Exchange.asmx", "sandbox/faults")
        answer = requests.post(control, json=[{"fault": "drop"}, wrong], timeout=10)
        assert answer.status_code == 400 and answer.json()["error"]
        assert requests.get(control, timeout=10).json() == []


# Counters and quirks


def test_stats_count_requests_by_operation_and_start_again() -> None:
    with running() as server:
        server.post(GET_INBOX)
        server.post(GET_INBOX)
        server.post(CREATE_FOLDER)
        requests.post(server.url, data=envelope(GET_INBOX), headers=HEAD, timeout=10)
        stats = server.stats()
        assert stats["requests"] == {"CreateFolder": 1, "GetFolder": 2}
        assert (stats["total"], stats["http"], stats["challenged"], stats["connections"]) == (3, 4, 1, 4)
        assert stats["bytes_in"] > 1000 and stats["bytes_out"] > 1000
        server.reset()
        assert server.stats()["total"] == 0


def test_control_answers_only_what_it_knows() -> None:
    with running() as server:
        top = server.url.replace("EWS/Exchange.asmx", "sandbox/")
        assert requests.get(top + "nothing", timeout=10).status_code == 404
        assert requests.put(top + "stats", timeout=10).status_code == 405
        assert requests.post(top + "world", json={"gravity": True}, timeout=10).status_code == 400
        assert requests.post(top + "world", json=[], timeout=10).status_code == 400
        assert requests.post(top + "faults", data=b"{", timeout=10).status_code == 400


def test_hierarchy_syncs_can_fail_for_rich_shapes_and_states_be_forgotten() -> None:
    sync = "<m:SyncFolderHierarchy><m:FolderShape><t:BaseShape>{}</t:BaseShape></m:FolderShape>{}</m:SyncFolderHierarchy>"
    with running() as server:
        (state,) = server.post(sync.format("AllProperties", "")).all("//m:SyncState/text()")
        server.switch(hierarchy_500=True)
        assert server.post(sync.format("AllProperties", "")).status == 500
        assert server.post(sync.format("IdOnly", "")).status == 200
        known = f"<m:SyncState>{state}</m:SyncState>"
        assert server.post(sync.format("IdOnly", known)).code == "NoError"
        server.switch(hierarchy_500=False, forget_sync_states=True)
        assert server.post(sync.format("IdOnly", known)).code == "ErrorInvalidSyncStateData"


def test_commit_times_can_be_withheld() -> None:
    find = (
        '<m:FindFolder Traversal="Shallow"><m:FolderShape><t:BaseShape>IdOnly</t:BaseShape><t:AdditionalProperties>'
        '<t:ExtendedFieldURI PropertyTag="0x670a" PropertyType="SystemTime"/>'
        '<t:ExtendedFieldURI PropertyTag="0x3602" PropertyType="Integer"/></t:AdditionalProperties></m:FolderShape>'
        '<m:ParentFolderIds><t:DistinguishedFolderId Id="msgfolderroot"/></m:ParentFolderIds></m:FindFolder>'
    )
    with running() as server:
        tags = {int(tag, 0) for tag in server.post(find).all("//t:ExtendedFieldURI/@PropertyTag")}
        assert tags == {0x670A, 0x3602}
        server.switch(ignore_commit_time=True)
        tags = {int(tag, 0) for tag in server.post(find).all("//t:ExtendedFieldURI/@PropertyTag")}
        assert tags == {0x3602}


# As a process


def test_the_process_tells_its_address_and_keeps_its_data(tmp_path: Path) -> None:
    data, ready = tmp_path / "data", tmp_path / "ready"
    common = ["--seed", "empty", "--data", str(data), "--ready-file", str(ready), "--user", "carol@example.test:x:y"]
    with process(*common) as server:
        assert server.url.startswith("http://127.0.0.1:") and server.url.endswith("/EWS/Exchange.asmx")
        assert ready.read_text().strip() == server.url
        user = HTTPBasicAuth("carol@example.test", "x:y")
        answer = requests.post(server.url, data=envelope(CREATE_FOLDER), headers=HEAD, auth=user, timeout=10)
        assert answer.status_code == 200, answer.text
        assert server.stop() == 0
    with process(*common) as server:
        answer = requests.post(server.url, data=envelope(CREATE_FOLDER), headers=HEAD, auth=user, timeout=10)
        assert b"ErrorFolderExists" in answer.content
        assert server.stop() == 0


def test_the_process_says_what_is_wrong(tmp_path: Path) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        for arguments, code, words in (
            (["--seed", str(tmp_path / "nowhere")], 64, "no such seed"),
            (["--auth", "magic"], 64, "magic"),
            (["--user", "alice"], 64, "ADDRESS:PASSWORD"),
            (["--seed", "empty", "--port", str(taken.getsockname()[1])], 69, ""),
        ):
            with process(*arguments) as server:
                assert server.process.wait(10) == code
                assert server.process.stderr is not None
                said = server.process.stderr.read()
                assert words in said and "Traceback" not in said


def test_the_answers_are_validated_where_there_are_schemas() -> None:
    if not SCHEMA_DIR:
        pytest.skip("EWS_SCHEMA_DIR is not set: nothing of what the sandbox says is validated in these tests")
    with running(seed="demo") as server:
        assert server.sandbox.witness is not None
        assert server.post(GET_INBOX, user=BOB).code == "NoError"
