"""The fast path: pages of changes, folder listings and batches of MIME, straight from the bytes of the answer.

MIME is cut out of an answer by a byte scan before XML parsing, decoded once in pieces and given LF line ends on the way
(58 times faster than models). A batch never fails as a whole: what goes wrong for one item stays
with that item, and a batch that the server cannot answer is halved until the item is found.

Must never do: lose an item without a word; take a short answer for a whole one.
"""

from __future__ import annotations

import binascii
import re
from collections.abc import Iterable
from collections.abc import Iterator
from collections.abc import Sequence
from dataclasses import dataclass

import pybase64
from lxml import etree

from ews_bridge.errors import BadItem
from ews_bridge.errors import Busy
from ews_bridge.errors import EwsBridgeError
from ews_bridge.errors import Stale
from ews_bridge.errors import Unavailable
from ews_bridge.exchange import asking
from ews_bridge.exchange import faults
from ews_bridge.exchange import soap
from ews_bridge.exchange.session import Connection

#: A download batch holds at most so many items and so many bytes of content; a larger message is asked for alone.
BATCH_ITEMS = 100
BATCH_BYTES = 8_000_000
#: What an item is taken to weigh when the listing did not say.
UNKNOWN_SIZE = 64_000
#: The most that SyncFolderItems gives in one page.
SYNC_PAGE = 512
#: The most that FindFolder gives in one page.
FIND_PAGE = 1000
#: GetFolder in batches of so many (as Akonadi's EWS resource does since its bug #2).
FOLDER_BATCH = 50

GONE = frozenset({"ErrorItemNotFound", "ErrorObjectNotFound"})

# Item by item: may be answered a little later.
_PASSING = faults.PASSING | {faults.BUSY, "ErrorBatchProcessingStopped"}
_ROUNDS = 4

_OPEN = re.compile(rb"<(?:[A-Za-z][\w.-]*:)?MimeContent(?:\s[^<>]*)?>")
_DECODED = 3 << 16  # a piece of content; its base64 is 256 KiB
_BLANK = b" \t\r\n"

#: What to ask for: (id, bytes of content or 0).
Wanted = tuple[str, int]


@dataclass(frozen=True, slots=True)
class Got:
    """One item as answered. `mime`: its content in pieces with LF line ends; None when there was none or it was garbage."""

    element: etree._Element
    mime: list[bytes] | None


@dataclass(frozen=True, slots=True)
class Refusal:
    """The server's word on one item instead of the item."""

    code: str
    text: str

    def error(self, what: str) -> BadItem | Stale:
        if self.code in GONE:
            return Stale(f"{what} is no longer there")
        return BadItem(f"{what}: {self.text}")


@dataclass(frozen=True, slots=True)
class Page:
    """One page of a synchronisation: changes as (kind, element), the state after it, and whether it is the last."""

    changes: list[tuple[str, etree._Element]]
    state: str
    last: bool


class StateLost(EwsBridgeError):
    """The server no longer understands the synchronisation state: list everything again."""


def call(connection: Connection, operation: bytes, *, repeat: bool, tries: int = 0) -> list[soap.Message]:
    """One operation and its response messages. A fault of the whole request is raised (`Connection.ask`)."""

    def read(body: bytearray) -> list[soap.Message]:
        answers = soap.messages(soap.parse(body))
        _raise_if_all_busy(answers)
        return answers

    return connection.ask(operation, read, repeat=repeat, tries=tries)


def single(connection: Connection, operation: bytes, *, repeat: bool, tries: int = 0) -> soap.Message:
    """One operation that is answered by one message; an error in it is raised."""

    def read(body: bytearray) -> soap.Message:
        answer = soap.messages(soap.parse(body))[0]
        if not answer.ok:
            raise faults.fault(answer.code, answer.text, answer.wait)
        return answer

    return connection.ask(operation, read, repeat=repeat, tries=tries)


# ---- synchronisation


def sync_items(connection: Connection, folder: str, state: str, fields: str) -> Page:
    """One page of at most 512 changes of a folder since `state` ("": everything). Raises `StateLost`."""
    return _sync(connection, asking.sync_items(folder, state, fields, SYNC_PAGE), state, "IncludesLastItemInRange")


def sync_hierarchy(connection: Connection, state: str, fields: str, *, tries: int = 0) -> Page:
    """One page of the changes below the message root since `state`. Raises `StateLost`."""
    return _sync(
        connection, asking.sync_hierarchy(state, fields, connection.settings.mailbox), state, "IncludesLastFolderInRange", tries
    )


def _sync(connection: Connection, operation: bytes, state: str, last_name: str, tries: int = 0) -> Page:
    try:
        answer = single(connection, operation, repeat=True, tries=tries).element
    except faults.Fault as error:
        if error.code == "ErrorInvalidSyncStateData" and state:
            raise StateLost(str(error)) from error
        raise
    m = f"{{{soap.MESSAGES}}}"
    after = (answer.findtext(f"{m}SyncState") or "").strip()
    if not after:
        if state:
            raise StateLost("the server gave no synchronisation state")
        raise Unavailable("the server gave no synchronisation state")
    found = answer.find(f"{m}Changes")
    changes = [(soap.name(c), c) for c in found if isinstance(c.tag, str)] if found is not None else []
    last = (answer.findtext(f"{m}{last_name}") or "true").strip().lower() != "false"
    if not last and after == state:
        # It would go on for ever.
        raise Unavailable("the server's listing does not advance")
    return Page(changes, after, last)


# ---- folders


def get_folders(connection: Connection, ids: Sequence[str], fields: str) -> list[soap.Message]:
    """GetFolder for ids already spelt as elements (`asking.folder_id`, `asking.distinguished`); one message for each."""
    found: list[soap.Message] = []
    for start in range(0, len(ids), FOLDER_BATCH):
        some = ids[start : start + FOLDER_BATCH]
        answers = call(connection, asking.get_folders("".join(some), fields), repeat=True)
        if len(answers) != len(some):
            raise Unavailable(f"the server answered {len(answers)} of {len(some)} folders")
        found += answers
    return found


def find_folders(connection: Connection, fields: str) -> Iterator[etree._Element]:
    """All folders below the message root, in pages of 1,000."""
    offset = 0
    while True:
        answer = single(
            connection, asking.find_folders(fields, offset, FIND_PAGE, connection.settings.mailbox), repeat=True
        ).element
        root = answer.find(f"{{{soap.MESSAGES}}}RootFolder")
        if root is None:
            raise Unavailable("the server's list of folders is empty of everything")
        found = root.find(f"{{{soap.TYPES}}}Folders")
        folders = [f for f in found if isinstance(f.tag, str)] if found is not None else []
        yield from folders
        if root.get("IncludesLastItemInRange", "true") != "false" or not folders:
            return
        # Some servers count the offset oddly: always forward, by what was really seen.
        offset += len(folders)


# ---- items


def get_items(
    connection: Connection, wanted: Sequence[Wanted], fields: str, *, mime: bool
) -> Iterator[tuple[int, Got | Refusal]]:
    """The items, each with its position in `wanted`; exactly one result for each, as they come.

    Raises only what concerns the server as a whole: it is down, or too busy, or refuses the account.
    """
    for batch in _batches(wanted, mime=mime):
        yield from _get_batch(connection, wanted, batch, fields, mime=mime)


def _batches(wanted: Sequence[Wanted], *, mime: bool) -> Iterator[list[int]]:
    some: list[int] = []
    total = 0
    for position, (_, size) in enumerate(wanted):
        weight = (size or UNKNOWN_SIZE) if mime else 0
        if some and (len(some) >= BATCH_ITEMS or total + weight > BATCH_BYTES):
            yield some
            some, total = [], 0
        some.append(position)
        total += weight
    if some:
        yield some


def _get_batch(
    connection: Connection, wanted: Sequence[Wanted], batch: Sequence[int], fields: str, *, mime: bool
) -> Iterator[tuple[int, Got | Refusal]]:
    open_positions = list(batch)
    for attempt in range(_ROUNDS):
        later: list[int] = []
        for position, result in _halving(connection, wanted, open_positions, fields, mime=mime):
            if isinstance(result, Refusal) and result.code in _PASSING and attempt < _ROUNDS - 1:
                later.append(position)
            elif isinstance(result, Refusal) and result.code == faults.BUSY:
                raise Busy(f"the server says: {result.text}")
            else:
                yield position, result
        if not later:
            return
        open_positions = later


def _halving(
    connection: Connection, wanted: Sequence[Wanted], batch: Sequence[int], fields: str, *, mime: bool
) -> Iterator[tuple[int, Got | Refusal]]:
    """Ask for a batch; when there is no sound answer, for its halves, down to the one item that is the cause."""
    alone = len(batch) == 1
    operation = asking.get_items([(wanted[p][0], "") for p in batch], fields, mime=mime)
    ids = [wanted[p][0] for p in batch]
    try:
        # Decoded as a whole before the first is written: the answer is free then, and threads get in each other's way less.
        answered = connection.ask(
            operation, lambda body: list(_Answer(body, ids).results()), repeat=True, tries=0 if alone else 2
        )
    except (faults.Lost, faults.Fault) as error:
        if isinstance(error, faults.Lost) and not error.reached:
            raise
        if alone:
            if not connection.answers():
                raise
            yield batch[0], Refusal(getattr(error, "code", "") or "Lost", str(error))
            return
        half = len(batch) // 2
        yield from _halving(connection, wanted, batch[:half], fields, mime=mime)
        yield from _halving(connection, wanted, batch[half:], fields, mime=mime)
        return
    for index, result in answered:
        yield batch[index], result


class _Answer:
    """The parsed answer to a GetItem, with the MIME still in it as base64."""

    def __init__(self, body: bytearray, ids: Sequence[str]) -> None:
        skeleton, self._spans = cut(body)
        self._messages = soap.messages(soap.parse(skeleton))
        self._body = body
        self._ids = ids
        _raise_if_all_busy(self._messages)
        if len(self._messages) != len(ids):
            raise faults.Lost(f"the server answered {len(self._messages)} of {len(ids)} items")

    def results(self) -> Iterator[tuple[int, Got | Refusal]]:
        """One for each id: by the id that came back, otherwise by position."""
        places = {ident: place for place, ident in enumerate(self._ids)}
        taken = [self._element(message) for message in self._messages]
        told = [soap.attribute(e, "ItemId", "Id") if e is not None else "" for e in taken]
        named = {places[ident]: index for index, ident in enumerate(told) if ident in places}
        nameless = iter([index for index, ident in enumerate(told) if named.get(places.get(ident, -1)) != index])
        for place in range(len(self._ids)):
            index = named[place] if place in named else next(nameless)
            message, element = self._messages[index], taken[index]
            if not message.ok:
                yield place, Refusal(message.code, message.why())
            elif element is None:
                yield place, Refusal("ErrorItemNotReturned", "the server returned no item")
            elif told[index] and told[index] != self._ids[place]:
                yield place, Refusal("ErrorOtherItem", "the server answered with another item")
            else:
                yield place, Got(element, self._mime(element))

    @staticmethod
    def _element(message: soap.Message) -> etree._Element | None:
        if not message.ok:
            return None
        items = message.element.find(f"{{{soap.MESSAGES}}}Items")
        return next((e for e in items if isinstance(e.tag, str)), None) if items is not None else None

    def _mime(self, element: etree._Element) -> list[bytes] | None:
        place = soap.text(element, "MimeContent")
        if not place.isdigit():
            return None
        start, end = self._spans[int(place)]
        try:
            pieces = list(to_lf(_decoded(self._body, start, end)))
        except (binascii.Error, ValueError):
            return None
        return pieces if any(pieces) else None


def cut(body: bytearray) -> tuple[bytes, list[tuple[int, int]]]:
    """The answer with a number in the place of each MimeContent's text, and where these texts are in `body`."""
    spans: list[tuple[int, int]] = []
    kept: list[bytes] = []
    position = 0
    view = memoryview(body)
    while found := _OPEN.search(body, position):
        start = found.end()
        if body[start - 2 : start] == b"/>":
            kept.append(bytes(view[position:start]))
            position = start
            continue
        end = body.find(b"<", start)
        if end < 0:
            raise faults.Lost("the server's answer ends inside a message")
        kept.append(bytes(view[position:start]) + str(len(spans)).encode())
        spans.append((start, end))
        position = end
    kept.append(bytes(view[position:]))
    return b"".join(kept), spans


def to_lf(pieces: Iterable[bytes]) -> Iterator[bytes]:
    """CRLF becomes LF, also where it lies across two pieces; a lone CR stays."""
    held = b""
    for piece in pieces:
        if held:
            piece = held + piece
        held = b"\r" if piece.endswith(b"\r") else b""
        piece = piece[:-1] if held else piece
        if piece:
            yield _lines(piece)
    if held:
        yield held


def _lines(text: bytes) -> bytes:
    """The same with LF for CRLF. To drop every CR and see whether that was right takes a third of the time of the plain way."""
    bare = text.replace(b"\r", b"")
    return bare if bare.replace(b"\n", b"\r\n") == text else text.replace(b"\r\n", b"\n")


def _decoded(body: bytearray, start: int, end: int) -> Iterator[bytes]:
    """base64 between two places, in pieces; raises binascii.Error for what is not base64."""
    step = _DECODED // 3 * 4
    with memoryview(body) as view:
        if body.find(b"\n", start, end) < 0 and body.find(b" ", start, end) < 0:
            for at in range(start, end, step):
                yield pybase64.b64decode(view[at : min(at + step, end)], validate=True)
            return
        rest = b""
        for at in range(start, end, step):
            text = rest + bytes(view[at : min(at + step, end)]).translate(None, _BLANK)
            whole = len(text) // 4 * 4
            rest = text[whole:]
            yield pybase64.b64decode(text[:whole], validate=True)
        if rest:
            raise binascii.Error("cut short")


def _raise_if_all_busy(answers: Sequence[soap.Message]) -> None:
    """When every message says so, it is the request that was refused."""
    if answers and all(not answer.ok and answer.code in (faults.PASSING | {faults.BUSY}) for answer in answers):
        worst = max(answers, key=lambda answer: (answer.code == faults.BUSY, answer.wait))
        raise faults.fault(worst.code, worst.text, worst.wait)
