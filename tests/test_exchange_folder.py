"""One Exchange folder as a store, against the sandbox."""

from __future__ import annotations

import email
from collections.abc import Callable
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from typing import Any

import pytest

from ews_bridge.errors import BadItem
from ews_bridge.errors import Busy
from ews_bridge.errors import Stale
from ews_bridge.errors import Unavailable
from ews_bridge.exchange import faults
from ews_bridge.exchange.folder import ExchangeFolder
from ews_bridge.exchange.tree import ExchangeTree
from ews_bridge.model import Content
from ews_bridge.model import Entry
from ews_bridge.model import Flag
from ews_bridge.model import Flags
from ews_bridge.model import Hints
from ews_bridge.model import New
from ews_bridge.model import Scan

from . import sandbox_server
from .exchange_relay import Hook
from .exchange_relay import Reply
from .exchange_relay import connection
from .exchange_relay import fault
from .exchange_relay import is_operation
from .exchange_relay import relay
from .sandbox_server import Running

SENT = 1_700_000_000
RECEIVED = 1_700_000_100.0
S, F, R, P, D = Flag.SEEN, Flag.FLAGGED, Flag.ANSWERED, Flag.FORWARDED, Flag.DRAFT


@pytest.fixture
def server() -> Iterator[Running]:
    with sandbox_server.running(mime="keep") as found:
        yield found


def folder(server: Running, name: str = "inbox", *, url: str = "", **settings: Any) -> ExchangeFolder:
    conn = connection(url or server.url, **settings)
    tree = ExchangeTree(conn)
    numbers = {"inbox": 1, "drafts": 2, "sentitems": 3, "deleteditems": 4}
    found = tree.open(Entry(tree.special()[name], name), numbers[name])
    assert isinstance(found, ExchangeFolder)
    return found


def mail(number: int, text: str = "hello\nworld\n") -> bytes:
    return (
        f"From: Bob <bob@example.test>\nTo: alice@example.test\nSubject: Number {number}\nMessage-ID: <{number}@example.test>\n"
        f"Date: Tue, 14 Nov 2023 22:13:20 +0000\n\n{text}"
    ).encode()


def new(number: int, flags: str = "S", content: bytes = b"") -> tuple[Entry, New]:
    key = f"<{number}@example.test>"
    text = content or mail(number)
    wanted: Flags = frozenset(map(Flag, flags))
    source = Entry(f"local{number}", key, hints=Hints(sent=SENT, label=f"Number {number}"))
    return source, New(Content(lambda: iter([text]), RECEIVED), f"token{number}", key, wanted)


def put(store: ExchangeFolder, *items: tuple[Entry, New]) -> list[Entry]:
    made = [result for _, result in store.create(items)]
    assert all(isinstance(entry, Entry) for entry in made), made
    return made  # type: ignore[return-value]


def listing(store: ExchangeFolder, cursor: str = "") -> list[Scan]:
    return list(store.scan(cursor, dict))


def entries(store: ExchangeFolder) -> dict[str, Entry]:
    return {entry.key: entry for scan in listing(store) for entry in scan.entries}


def text(content: object) -> bytes:
    assert isinstance(content, Content), content
    return b"".join(content.pieces())


# ---- scan


def test_an_empty_folder_is_listed_to_its_end(server: Running) -> None:
    (scan,) = listing(folder(server))
    assert (scan.entries, scan.first, scan.last) == ((), True, True)
    assert scan.cursor


def test_a_big_folder_comes_in_pages_of_which_each_has_a_cursor() -> None:
    with sandbox_server.running(seed="bulk:1100x400") as server:
        store = folder(server)
        scans = listing(store)
        assert [len(scan.entries) for scan in scans] == [512, 512, 76]
        assert [(scan.first, scan.last) for scan in scans] == [(True, False), (False, False), (False, True)]
        rest = listing(store, scans[0].cursor)
        assert [(len(scan.entries), scan.first, scan.last) for scan in rest] == [(512, False, False), (76, False, True)]


def test_nothing_new_is_one_request_and_an_empty_scan(server: Running) -> None:
    store = folder(server)
    put(store, new(1))
    (scan,) = listing(store)
    server.reset()
    (quiet,) = listing(store, scan.cursor)
    assert (quiet.entries, quiet.vanished, quiet.marks, quiet.first, quiet.last) == ((), (), (), False, True)
    assert server.stats()["requests"] == {"SyncFolderItems": 1}


def test_every_flag_is_seen(server: Running) -> None:
    inbox = server.alice.folder("inbox")
    server.alice.add_mime(inbox, mail(1), read=True, flagged=True, answered=True, forwarded=False, draft=False)
    server.alice.add_mime(inbox, mail(2), read=False, flagged=False, answered=False, forwarded=True, draft=False)
    server.alice.add_mime(inbox, mail(3), read=False, flagged=False, answered=False, forwarded=False, draft=True)
    found = entries(folder(server))
    assert [found[f"<{n}@example.test>"].flags for n in (1, 2)] == [{S, F, R}, {P}]
    draft = found["<3@example.test>"]
    assert D in draft.flags
    assert draft.revision
    assert found["<1@example.test>"].revision == ""


def test_an_entry_says_what_an_item_is(server: Running) -> None:
    store = folder(server)
    (made,) = put(store, new(1, "SF"))
    entry = entries(store)["<1@example.test>"]
    assert entry.id == made.id
    assert entry.flags == {S, F}
    assert entry.collection == 1
    assert (entry.hints.token, entry.hints.label, entry.hints.sent) == ("token1", "Number 1", SENT)
    assert entry.hints.place
    assert entry.hints.size > 0


def test_changes_since_a_cursor(server: Running) -> None:
    store = folder(server)
    one, two, three = put(store, new(1, ""), new(2), new(3))
    cursor = listing(store)[-1].cursor
    (four,) = put(store, new(4))
    list(store.mark([(one, frozenset({S})), (three, frozenset({S, F}))]))
    list(store.delete([two]))
    scans = listing(store, cursor)
    assert not any(scan.first for scan in scans)
    seen = {e.id: e.flags for scan in scans for e in scan.entries}
    marks = {ident: (present, absent) for scan in scans for ident, present, absent in scan.marks}
    assert seen == {four.id: {S}, three.id: {S, F}}
    assert marks == {one.id: (frozenset({S}), frozenset())}
    assert [ident for scan in scans for ident in scan.vanished] == [two.id]


def test_a_forgotten_state_starts_the_listing_anew(server: Running) -> None:
    store = folder(server)
    put(store, new(1))
    cursor = listing(store)[-1].cursor
    server.switch(forget_sync_states=True)
    (scan,) = listing(store, cursor)
    assert (scan.first, scan.last, len(scan.entries)) == (True, True, 1)


@pytest.mark.parametrize("answer", ["message", "fault", "no state"])
def test_a_state_is_lost_in_many_ways(server: Running, answer: str) -> None:
    bad = {
        "message": b"<m:SyncFolderItemsResponse><m:ResponseMessages><m:SyncFolderItemsResponseMessage ResponseClass='Error'>"
        b"<m:ResponseCode>ErrorInvalidSyncStateData</m:ResponseCode></m:SyncFolderItemsResponseMessage>"
        b"</m:ResponseMessages></m:SyncFolderItemsResponse>",
        "no state": b"<m:SyncFolderItemsResponse><m:ResponseMessages><m:SyncFolderItemsResponseMessage ResponseClass='Success'>"
        b"<m:ResponseCode>NoError</m:ResponseCode><m:SyncState/></m:SyncFolderItemsResponseMessage>"
        b"</m:ResponseMessages></m:SyncFolderItemsResponse>",
    }

    def hook(body: bytes, forward: Callable[[], Reply]) -> Reply:
        if b"<m:SyncState>old" not in body:
            return forward()
        if answer == "fault":
            return fault("ErrorInvalidSyncStateData")
        return Reply(200, fault("X").body.split(b"<s:Fault>")[0] + bad[answer] + b"</s:Body></s:Envelope>")

    put(folder(server), new(1))
    with relay(server.url, hook) as between:
        (scan,) = listing(folder(server, url=between.url), "old")
    assert (scan.first, scan.last, len(scan.entries)) == (True, True, 1)


def test_properties_that_the_listing_refuses_are_asked_for_by_id(server: Running) -> None:
    def hook(body: bytes, forward: Callable[[], Reply]) -> Reply:
        if is_operation(body, "SyncFolderItems") and b"ExtendedFieldURI" in body:
            return fault("ErrorInvalidPropertyForOperation")
        return forward()

    put(folder(server), new(1, "SF"))
    with relay(server.url, hook) as between:
        (entry,) = entries(folder(server, url=between.url)).values()
    assert entry.key == "<1@example.test>"
    assert entry.flags == {S, F}


def test_a_message_id_too_long_for_a_listing_is_asked_for(server: Running) -> None:
    key = f"<{'x' * 400}@example.test>"
    text = mail(1).replace(b"<1@example.test>", key.encode())
    server.alice.add_mime(
        server.alice.folder("inbox"), text, read=True, flagged=False, answered=False, forwarded=False, draft=False
    )
    (entry,) = entries(folder(server)).values()
    assert entry.key == key


# ---- read


@pytest.mark.parametrize("name", ["inbox", "sentitems"])
def test_the_file_is_what_went_up_and_carries_its_time(server: Running, name: str) -> None:
    """The topmost Received says when it was received."""
    trace = (
        b"Received: from a.example.test\n by b.example.test; Tue, 14 Nov 2023 23:15:00 +0100 (CET)\nReceived: by a; 1 Jan 2001\n"
    )
    store = folder(server, name)
    put(store, new(1, content=trace + mail(1)))
    ((_, content),) = store.read(list(entries(store).values()))
    assert text(content) == trace + mail(1)
    assert isinstance(content, Content)
    assert content.modified == (SENT if name == "sentitems" else RECEIVED)


def test_what_is_made_in_drafts_is_a_draft(server: Running) -> None:
    """mutt does not say D of what it postpones. Outlook is to edit and send it."""
    (made,) = put(folder(server, "drafts"), new(1, ""))
    assert made.flags == {D} and made.revision
    (item,) = server.alice.folder("drafts").items.values()
    assert item.draft
    (listed,) = entries(folder(server, "drafts")).values()
    assert (listed.flags, listed.revision) == (made.flags, made.revision)


@pytest.mark.parametrize("sent", [SENT, 0])
def test_mail_without_a_trace_was_received_at_its_date_or_else_when_its_file_says(server: Running, sent: int) -> None:
    store = folder(server)
    source, one = new(1)
    put(store, (replace(source, hints=Hints(sent=sent)), one))
    ((_, content),) = store.read(list(entries(store).values()))
    assert isinstance(content, Content)
    assert content.modified == (sent or RECEIVED)


def test_what_went_is_stale_and_the_others_arrive(server: Running) -> None:
    store = folder(server)
    made = put(store, *(new(n) for n in range(5)))
    list(store.delete([made[2]]))
    results = dict(zip(range(5), [r for _, r in sorted(store.read(made), key=lambda pair: made.index(pair[0]))], strict=True))
    assert isinstance(results.pop(2), Stale)
    assert all(isinstance(result, Content) for result in results.values())


def test_a_draft_that_was_edited_is_stale(server: Running) -> None:
    store = folder(server, "drafts")
    (draft,) = put(store, new(1, "D"))
    ((_, edited),) = store.update([(draft, Content(lambda: iter([mail(1, "other")])))])
    assert isinstance(edited, Entry)
    ((_, old),) = store.read([draft])
    ((_, now),) = store.read([edited])
    assert isinstance(old, Stale)
    assert b"other" in text(now)


@pytest.mark.parametrize("code", ["ErrorMimeContentConversionFailed", "ErrorCorruptData", "no MIME"])
def test_what_has_no_mime_is_built_from_its_properties(server: Running, code: str) -> None:
    def hook(body: bytes, forward: Callable[[], Reply]) -> Reply:
        reply = forward()
        if not is_operation(body, "GetItem") or b">true</t:IncludeMimeContent>" not in body:
            return reply
        start, end = reply.body.find(b"<t:MimeContent"), reply.body.find(b"<t:ItemId")
        without = reply.body[:start] + reply.body[end:]
        if code == "no MIME":
            return Reply(200, without)
        return Reply(200, without.replace(b"NoError", code.encode()).replace(b'"Success"', b'"Error"'))

    put(folder(server), new(1))
    with relay(server.url, hook) as between:
        store = folder(server, url=between.url)
        ((_, content),) = store.read(list(entries(store).values()))
    shown = email.message_from_bytes(text(content))
    assert (shown["Subject"], shown["Message-ID"]) == ("Number 1", "<1@example.test>")
    assert "bob@example.test" in shown["From"]
    assert "built from properties" in shown["X-EWS-Bridge"]
    body = shown.get_payload(decode=True)
    assert isinstance(body, bytes)
    assert b"hello" in body
    assert b"\r" not in text(content)


def test_what_cannot_be_read_at_all_is_named(server: Running) -> None:
    def hook(body: bytes, forward: Callable[[], Reply]) -> Reply:
        return fault("ErrorInternalServerError") if is_operation(body, "GetItem") else forward()

    put(folder(server), new(1))
    with relay(server.url, hook) as between:
        store = folder(server, url=between.url)
        ((_, result),) = store.read(list(entries(store).values()))
    assert isinstance(result, BadItem)
    assert "Number 1" in str(result)


def test_several_threads_read_at_once() -> None:
    with sandbox_server.running(seed="bulk:200x3000", mime="keep") as server:
        store = folder(server)
        found = list(entries(store).values())
        with ThreadPoolExecutor(4) as pool:
            parts = pool.map(lambda start: list(store.read(found[start : start + 50])), range(0, 200, 50))
            contents = [content for part in parts for _, content in part]
        assert len({text(content) for content in contents}) == 200


# ---- create and find


@pytest.mark.parametrize("flags", ["", "S", "F", "SR", "SP", "SFRP", "D", "DS"])
def test_flags_are_right_from_the_first_moment(server: Running, flags: str) -> None:
    store = folder(server)
    (made,) = put(store, new(1, flags))
    (seen,) = entries(store).values()
    assert seen.flags == made.flags == frozenset(map(Flag, flags))
    assert bool(made.revision) == ("D" in flags)
    assert made.revision == seen.revision


def test_a_creation_is_found_by_its_token(server: Running) -> None:
    store = folder(server)
    made = put(store, new(1), new(2))
    found = store.find("token2")
    assert found is not None
    assert (found.id, found.key) == (made[1].id, "<2@example.test>")
    assert store.find("token9") is None


def test_creations_refused_for_now_are_sent_again_when_the_server_likes(server: Running) -> None:
    store = folder(server)
    server.faults({"operation": "CreateItem", "fault": "busy:5000", "times": 2})
    put(store, new(1), new(2))
    assert len(entries(store)) == 2


def test_creations_whose_end_is_unknown_are_not_repeated(server: Running) -> None:
    store = folder(server)
    server.faults({"operation": "CreateItem", "fault": "lost-reply"})
    with pytest.raises(faults.Lost):
        list(store.create([new(1), new(2)]))
    assert len(entries(store)) == 2
    assert store.find("token1") is not None
    assert server.stats()["requests"]["CreateItem"] == 1


def refusing(text: bytes, code: str, *, carry_out: bool) -> Hook:
    def hook(body: bytes, forward: Callable[[], Reply]) -> Reply:
        if not is_operation(body, "CreateItem") or text not in body:
            return forward()
        if carry_out:
            forward()
        return fault(code)

    return hook


def test_one_message_that_the_server_cannot_swallow_does_not_stop_the_others(server: Running) -> None:
    with relay(server.url, refusing(b"token2", "ErrorInternalServerError", carry_out=False)) as between:
        results = list(folder(server, url=between.url).create([new(1), new(2), new(3)]))
    assert [isinstance(result, BadItem) for _, result in sorted(results, key=lambda pair: pair[0].id)] == [False, True, False]
    assert set(entries(folder(server))) == {"<1@example.test>", "<3@example.test>"}


def test_what_was_made_in_spite_of_a_refusal_is_not_made_twice(server: Running) -> None:
    with relay(server.url, refusing(b"token", "ErrorInternalServerError", carry_out=True)) as between:
        results = list(folder(server, url=between.url).create([new(1), new(2)]))
    assert all(isinstance(result, Entry) for _, result in results)
    assert len(entries(folder(server))) == 2


@pytest.mark.parametrize("answer", [Reply(404, b"<html>404.13</html>", {}), None], ids=["404", "hangs up"])
def test_a_message_too_large_for_the_server_is_named_and_the_others_go_up(server: Running, answer: Reply | None) -> None:
    def hook(body: bytes, forward: Callable[[], Reply]) -> Reply | None:
        return answer if len(body) > 10_000_000 else forward()

    with relay(server.url, hook) as between:
        items = [new(1), new(2, content=mail(2, "x" * 9_000_000)), new(3)]
        results = {source.key: result for source, result in folder(server, url=between.url).create(items)}
    bad = results.pop("<2@example.test>")
    assert isinstance(bad, BadItem)
    assert "larger" in bad.hint
    assert all(isinstance(result, Entry) for result in results.values())


@pytest.mark.parametrize("busy", ["error:ErrorServerBusy", "busy:1000"])
def test_a_creation_that_is_refused_for_ever_ends_the_run_but_makes_nothing_twice(server: Running, busy: str) -> None:
    store = folder(server)
    server.faults({"operation": "CreateItem", "fault": busy, "times": 99})
    with pytest.raises(Unavailable):
        list(store.create([new(1), new(2)]))
    assert not entries(store)


def test_contents_are_taken_one_after_the_other(server: Running) -> None:
    alive: list[int] = []

    def items() -> Iterator[tuple[Entry, New]]:
        for number in range(3):
            source, one = new(number)

            def pieces(number: int = number) -> Iterator[bytes]:
                assert alive == [number]
                yield mail(number)

            alive[:] = [number]
            yield source, replace(one, content=Content(pieces, RECEIVED))

    assert len(list(folder(server).create(items()))) == 3


def test_line_ends_survive_up_and_down(server: Running) -> None:
    store = folder(server)
    odd = mail(1, "a\r\nb\nc\rd\n" + "x" * 100_000 + "\n")
    put(store, new(1, content=odd))
    ((_, content),) = store.read(list(entries(store).values()))
    assert text(content) == odd.replace(b"\r\n", b"\n")


# ---- update


def test_a_draft_is_replaced_only_when_nobody_else_did(server: Running) -> None:
    store = folder(server, "drafts")
    (draft,) = put(store, new(1, "D"))
    ((_, once),) = store.update([(draft, Content(lambda: iter([mail(1, "mine")])))])
    assert isinstance(once, Entry)
    assert once.revision == entries(store)["<1@example.test>"].revision != draft.revision
    ((_, twice),) = store.update([(draft, Content(lambda: iter([mail(1, "late")])))])
    assert isinstance(twice, Stale)
    ((_, content),) = store.read([once])
    assert b"mine" in text(content)


def test_received_mail_cannot_be_replaced(server: Running) -> None:
    store = folder(server)
    (made,) = put(store, new(1))
    ((_, result),) = store.update([(made, Content(lambda: iter([mail(1)])))])
    assert isinstance(result, BadItem)


# ---- mark


def test_flags_are_changed_to_exactly_these(server: Running) -> None:
    store = folder(server)
    wanted = ["", "S", "F", "SR", "P", "SFRP", "S"]
    (entry,) = put(store, new(1, ""))
    for flags in wanted:
        ((_, result),) = store.mark([(entry, frozenset(map(Flag, flags)))])
        assert isinstance(result, Entry), result
        entry = result
        assert entries(store)["<1@example.test>"].flags == entry.flags == frozenset(map(Flag, flags))


def test_only_the_flags_that_we_changed_are_written(server: Running) -> None:
    store = folder(server)
    (entry,) = put(store, new(1, ""))
    list(store.mark([(entry, frozenset({F}))]))
    ((_, result),) = store.mark([(entry, frozenset({S}))])
    assert isinstance(result, Entry)
    assert entries(store)["<1@example.test>"].flags == {S, F}


def test_words_of_others_in_akonadis_list_are_kept(server: Running) -> None:
    store = folder(server)
    (entry,) = put(store, new(1))
    from ews_bridge.exchange import asking
    from ews_bridge.exchange import bulk
    from ews_bridge.exchange import mail as codec

    values = asking.extended(asking.FLAGS, ["$TODO", "\\ANSWERED"])
    change = asking.item_change((entry.id, ""), asking.set_field(asking.FLAGS, "Message", values))
    bulk.call(store.connection, asking.update_items([change], overwrite=True), repeat=False)
    seen = entries(store)["<1@example.test>"]
    assert seen.flags == {S, R}
    list(store.mark([(seen, frozenset({S, P}))]))
    ((_, got),) = bulk.get_items(store.connection, [(entry.id, 0)], asking.FLAG_FIELDS, mime=False)
    assert isinstance(got, bulk.Got)
    assert set(codec.words_of(codec.extended(got.element))) == {"$TODO", "$FORWARDED"}


def test_a_draft_stays_a_draft_and_an_edited_one_is_not_marked(server: Running) -> None:
    store = folder(server, "drafts")
    (draft,) = put(store, new(1, "D"))
    ((_, marked),) = store.mark([(draft, frozenset({S, F}))])
    assert isinstance(marked, Entry)
    assert marked.flags == {S, F, D}
    assert entries(store)["<1@example.test>"] == replace(marked, hints=entries(store)["<1@example.test>"].hints)
    ((_, again),) = store.mark([(draft, frozenset({F}))])
    assert isinstance(again, Stale)


def test_marks_are_repeated_after_a_lost_reply(server: Running) -> None:
    store = folder(server)
    made = put(store, *(new(n, "") for n in range(3)))
    server.faults({"operation": "UpdateItem", "fault": "lost-reply"})
    results = list(store.mark([(entry, frozenset({S})) for entry in made]))
    assert all(isinstance(result, Entry) and result.flags == {S} for _, result in results)
    assert len(results) == 3


def test_marking_what_is_gone_is_stale(server: Running) -> None:
    store = folder(server)
    one, two = put(store, new(1, ""), new(2, ""))
    list(store.delete([one]))
    results = {entry.id: result for entry, result in store.mark([(one, frozenset({S})), (two, frozenset({S}))])}
    assert isinstance(results[one.id], Stale)
    assert isinstance(results[two.id], Entry)


@pytest.mark.parametrize("code", ["ErrorUpdatePropertyMismatch", "ErrorChangeKeyRequired"])
def test_an_item_that_is_no_message_is_marked_under_its_own_name(server: Running, code: str) -> None:
    def hook(body: bytes, forward: Callable[[], Reply]) -> Reply:
        reply = forward()
        if is_operation(body, "UpdateItem") and b"<t:Message>" in body:
            failed = reply.body.replace(b"NoError", code.encode()).replace(b'"Success"', b'"Error"')
            return Reply(200, failed)
        if is_operation(body, "GetItem"):
            return Reply(200, reply.body.replace(b"t:Message>", b"t:MeetingRequest>"))
        return reply

    (entry,) = put(folder(server), new(1, ""))
    with relay(server.url, hook) as between:
        ((_, result),) = folder(server, url=between.url).mark([(entry, frozenset({S}))])
        assert isinstance(result, Entry)
        assert result.flags == {S}
        assert any(b"<t:MeetingRequest><t:IsRead>true" in body for body in between.requests)


# ---- move and delete


def test_a_move_keeps_the_item_and_says_its_new_id(server: Running) -> None:
    store = folder(server)
    target = folder(server, "sentitems")
    made = put(store, new(1, "SF"), new(2))
    place = entries(store)["<1@example.test>"].hints.place
    results = [result for _, result in store.move(made, target)]
    moved = entries(target)["<1@example.test>"]
    assert isinstance(results[0], Entry)
    assert (results[0].id, results[0].collection) == (moved.id, 3)
    assert moved.flags == {S, F}
    assert (moved.hints.place, moved.hints.token) == (place, "token1")
    assert not entries(store)


def test_moving_what_is_gone_is_stale(server: Running) -> None:
    store = folder(server)
    one, two = put(store, new(1), new(2))
    list(store.delete([one]))
    results = {entry.id: result for entry, result in store.move([one, two], folder(server, "sentitems"))}
    assert isinstance(results[one.id], Stale)
    assert isinstance(results[two.id], Entry)


def test_what_is_deleted_lies_in_deleted_items(server: Running) -> None:
    store = folder(server)
    made = put(store, new(1), new(2))
    assert [result for _, result in store.delete(made)] == made
    assert not entries(store)
    assert len(entries(folder(server, "deleteditems"))) == 2


def test_what_is_gone_already_is_deleted(server: Running) -> None:
    store = folder(server)
    made = put(store, new(1), new(2, "D"))
    list(store.delete(made))
    assert sorted(result.id for _, result in store.delete(made) if isinstance(result, Entry)) == sorted(e.id for e in made)


def test_deleting_in_deleted_items_makes_it_recoverable(server: Running) -> None:
    trash = folder(server, "deleteditems")
    made = put(trash, new(1), new(2, "D"))
    assert len([result for _, result in trash.delete(made) if isinstance(result, Entry)]) == 2
    assert not entries(trash)


def test_a_draft_that_was_edited_is_not_deleted(server: Running) -> None:
    store = folder(server, "drafts")
    (draft,) = put(store, new(1, "D"))
    list(store.update([(draft, Content(lambda: iter([mail(1, "edited")])))]))
    ((_, result),) = store.delete([draft])
    assert isinstance(result, Stale)
    assert len(entries(store)) == 1


@pytest.mark.parametrize("edited", [True, False])
def test_a_draft_edited_while_it_is_deleted_comes_back(server: Running, edited: bool) -> None:
    store = folder(server, "drafts")
    (draft,) = put(store, new(1, "D"))
    moves: list[bytes] = []

    def hook(body: bytes, forward: Callable[[], Reply]) -> Reply:
        if is_operation(body, "MoveItem"):
            moves.append(body)
            if len(moves) == 1 and edited:
                list(store.update([(draft, Content(lambda: iter([mail(1, "edited")])))]))
        return forward()

    with relay(server.url, hook) as between:
        ((_, result),) = folder(server, "drafts", url=between.url).delete([draft])
    assert isinstance(result, Stale if edited else Entry)
    assert len(entries(store)) == edited


def test_a_busy_server_only_delays_a_deletion(server: Running) -> None:
    store = folder(server)
    made = put(store, new(1))
    server.faults({"operation": "MoveItem", "fault": "busy:3000", "times": 2})
    ((_, result),) = store.delete(made)
    assert isinstance(result, Entry)
    assert not entries(store)


@pytest.mark.parametrize("error", ["error:ErrorTimeoutExpired", "error:ErrorQuotaExceeded"])
def test_trouble_that_passes_is_no_bad_item(server: Running, error: str) -> None:
    store = folder(server)
    made = put(store, new(1))
    server.faults({"operation": "MoveItem", "fault": error, "times": 9})
    with pytest.raises(Unavailable):
        list(store.delete(made))


def test_a_server_that_stays_busy_ends_the_writes(server: Running) -> None:
    store = folder(server)
    server.faults({"operation": "CreateItem", "fault": "busy:2000", "times": 99})
    with pytest.raises(Busy):
        list(store.create([new(1)]))
