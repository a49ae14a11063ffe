"""The fast path: cutting, decoding, halving, and that every item gets its own answer."""

from __future__ import annotations

import base64
import re
import tracemalloc
from collections.abc import Callable
from contextlib import AbstractContextManager

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ews_bridge.errors import Busy
from ews_bridge.errors import Unavailable
from ews_bridge.exchange import asking
from ews_bridge.exchange import bulk
from ews_bridge.exchange import creating
from ews_bridge.exchange import faults
from ews_bridge.exchange import soap
from tests.effort import at_most

from .exchange_relay import Relay
from .exchange_relay import Reply
from .exchange_relay import connection
from .exchange_relay import fault
from .exchange_relay import message
from .exchange_relay import relay
from .exchange_relay import response

_ASKED = re.compile(rb'<t:ItemId Id="([^"]*)"')


def item(ident: str, mime: bytes | None = b"a\r\nb\r\n") -> str:
    content = "" if mime is None else f'<t:MimeContent CharacterSet="UTF-8">{base64.b64encode(mime).decode()}</t:MimeContent>'
    return message("GetItem", f'<m:Items><t:Message>{content}<t:ItemId Id="{ident}" ChangeKey="k"/></t:Message></m:Items>')


def error(code: str) -> str:
    return message("GetItem", "<m:Items/>", code=code, text="It is so.")


def serving(answer: Callable[[list[str]], list[str] | Reply | None]) -> AbstractContextManager[Relay]:
    """A server that answers GetItem by `answer` of the ids, and everything else well."""

    def hook(body: bytes, _: object) -> Reply | None:
        if b"<m:GetItem>" not in body:
            return Reply(200, response("GetFolder", message("GetFolder", "")))
        found = answer([ident.decode() for ident in _ASKED.findall(body)])
        return Reply(200, response("GetItem", *found)) if isinstance(found, list) else found

    return relay("", hook)


def fetch(server: Relay, ids: list[str], size: int = 0) -> dict[str, bulk.Got | bulk.Refusal]:
    with connection(server.url) as conn:
        results = list(bulk.get_items(conn, [(ident, size) for ident in ids], asking.TIME_FIELDS, mime=True))
    assert len(results) == len(ids)
    return {ids[position]: result for position, result in results}


TEN = [f"i{n}" for n in range(10)]


def test_content_arrives_with_lf_line_ends() -> None:
    with serving(lambda ids: [item(i) for i in ids]) as server:
        found = fetch(server, TEN)
    assert all(isinstance(got, bulk.Got) and got.mime == [b"a\nb\n"] for got in found.values())


def test_an_error_stays_with_its_item() -> None:
    with serving(lambda ids: [error("ErrorCorruptData") if i == "i3" else item(i) for i in ids]) as server:
        found = fetch(server, TEN)
        assert len(server.requests) == 1
    assert [i for i, result in found.items() if isinstance(result, bulk.Refusal)] == ["i3"]


@pytest.mark.parametrize(
    "trouble",
    [fault("ErrorInternalServerError"), Reply(500, b"oops"), Reply(200, response("GetItem", item("i0"))[:-40]), None],
    ids=["fault", "500", "truncated", "drop"],
)
def test_a_batch_that_fails_is_halved_down_to_the_item_that_is_the_cause(trouble: Reply | None) -> None:
    with serving(lambda ids: trouble if "i7" in ids else [item(i) for i in ids]) as server:
        found = fetch(server, TEN)
    assert [i for i, result in found.items() if isinstance(result, bulk.Refusal)] == ["i7"]


def test_a_server_that_answers_nothing_at_all_is_not_taken_for_bad_items() -> None:
    with relay("", lambda _, __: Reply(500, b"oops")) as server, pytest.raises(faults.Lost):
        fetch(server, ["i0", "i1"])


def test_a_short_answer_is_no_answer() -> None:
    with serving(lambda ids: [item(i) for i in ids][: max(1, len(ids) - 1)]) as server:
        found = fetch(server, TEN)
    assert all(isinstance(result, bulk.Got) for result in found.values())


def test_answers_out_of_order_go_to_the_items_that_they_name() -> None:
    def answer(ids: list[str]) -> list[str]:
        return [item(i, i.encode()) for i in reversed(ids)]

    with serving(answer) as server:
        found = fetch(server, TEN)
    assert all(isinstance(got, bulk.Got) and got.mime == [i.encode()] for i, got in found.items())


def test_another_item_is_not_taken_for_the_one_asked_for() -> None:
    with serving(lambda ids: [item("stranger" if i == "i2" else i) for i in ids]) as server:
        found = fetch(server, TEN)
    assert [i for i, result in found.items() if isinstance(result, bulk.Refusal)] == ["i2"]


def test_items_that_are_busy_are_asked_for_again_alone() -> None:
    asked: list[list[str]] = []

    def answer(ids: list[str]) -> list[str]:
        asked.append(ids)
        return [error("ErrorServerBusy") if i == "i4" and len(asked) < 3 else item(i) for i in ids]

    with serving(answer) as server:
        found = fetch(server, TEN)
    assert asked == [TEN, ["i4"], ["i4"]]
    assert all(isinstance(result, bulk.Got) for result in found.values())


def test_a_server_that_stays_busy_is_no_bad_item() -> None:
    busy = serving(lambda ids: [error("ErrorServerBusy") if i == "i4" else item(i) for i in ids])
    with busy as server, pytest.raises(Busy):
        fetch(server, TEN)


@pytest.mark.parametrize("content", ["", "####", "YWJ", "YW Jj\nZA=="])
def test_content_that_is_no_base64_is_none(content: str) -> None:
    def answer(ids: list[str]) -> list[str]:
        return [item(i, None).replace("<t:ItemId", f"<t:MimeContent>{content}</t:MimeContent><t:ItemId") for i in ids]

    with serving(answer) as server:
        (got,) = fetch(server, ["i0"]).values()
    assert isinstance(got, bulk.Got)
    assert got.mime == ([b"abcd"] if " " in content else None)


def test_batches_are_bounded_by_bytes_and_a_big_message_goes_alone() -> None:
    asked: list[int] = []

    def answer(ids: list[str]) -> list[str]:
        asked.append(len(ids))
        return [item(i) for i in ids]

    with serving(answer) as server, connection(server.url) as conn:
        sizes = [3_000_000, 3_000_000, 3_000_000, 50_000_000, 10, 10]
        list(bulk.get_items(conn, [(f"i{n}", size) for n, size in enumerate(sizes)], "", mime=True))
    assert asked == [2, 1, 1, 2]


def test_a_lone_surrogate_in_a_subject_costs_nothing() -> None:
    def answer(ids: list[str]) -> list[str]:
        return [item(i).replace("</t:Message>", "<t:Subject>x&#xD800;&#x1;y</t:Subject></t:Message>") for i in ids]

    with serving(answer) as server:
        found = fetch(server, TEN)
    assert {soap.text(got.element, "Subject") for got in found.values() if isinstance(got, bulk.Got)} == {"xy"}
    assert len(found) == 10


def test_a_listing_that_does_not_advance_is_refused() -> None:
    same = message("SyncFolderItems", "<m:SyncState>s</m:SyncState><m:IncludesLastItemInRange>false</m:IncludesLastItemInRange>")
    with relay("", lambda _, __: Reply(200, response("SyncFolderItems", same))) as server, connection(server.url) as conn:
        assert bulk.sync_items(conn, "f", "", "").state == "s"
        with pytest.raises(Unavailable, match="advance"):
            bulk.sync_items(conn, "f", "s", "")


def test_the_probe_pages_by_what_it_has_seen() -> None:
    def page(number: int, last: str) -> Reply:
        folders = f'<t:Folders><t:Folder><t:FolderId Id="f{number}"/></t:Folder></t:Folders>'
        root = f'<m:RootFolder IndexedPagingOffset="0" IncludesLastItemInRange="{last}">{folders}</m:RootFolder>'
        return Reply(200, response("FindFolder", message("FindFolder", root)))

    pages = [page(1, "false"), page(2, "false"), page(3, "true")]
    with relay("", lambda body, __: pages[int(re.findall(rb'Offset="(\d)"', body)[0])]) as server:
        found = list(bulk.find_folders(connection(server.url), ""))
    assert [soap.attribute(e, "FolderId", "Id") for e in found] == ["f1", "f2", "f3"]


def test_a_big_message_is_never_held_three_times() -> None:
    size = 20_000_000
    body = bytearray(response("GetItem", item("i0", b"0123456789abcde\r\n" * (size // 17))))
    tracemalloc.start()
    answer = bulk._Answer(body, ["i0"])
    ((_, got),) = answer.results()
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert isinstance(got, bulk.Got)
    assert sum(map(len, got.mime or ())) == size // 17 * 16
    assert len(body) + peak < 2.5 * size


LINES = st.lists(st.sampled_from([b"a", b"\r", b"\n", b"\r\n", b"bc"]), max_size=12)


@at_most(500)
@given(pieces=st.lists(LINES.map(b"".join), max_size=6))
def test_line_ends_are_the_same_however_the_pieces_fall(pieces: list[bytes]) -> None:
    whole = b"".join(pieces)
    assert b"".join(bulk.to_lf(pieces)) == whole.replace(b"\r\n", b"\n")
    assert b"".join(creating.to_crlf(pieces)) == whole.replace(b"\r\n", b"\n").replace(b"\n", b"\r\n")


@given(text=st.binary(max_size=300), ends=st.booleans())
def test_everything_around_the_content_stays(text: bytes, ends: bool) -> None:
    code = base64.b64encode(text)
    body = bytearray(
        b"<a><t:MimeContent x='1'>" + code + b"</t:MimeContent><b/><MimeContent/>" + (b"<c/>" if ends else b"") + b"</a>"
    )
    skeleton, spans = bulk.cut(body)
    assert [bytes(body[start:end]) for start, end in spans] == [code]
    assert skeleton == bytes(body).replace(b">" + code + b"</t:M", b">0</t:M")
