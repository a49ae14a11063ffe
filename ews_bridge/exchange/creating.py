"""New items in an Exchange folder (`folder.ExchangeFolder`), and finding by token those that we made before.

A creation is sent once. Where the server refuses a request as a whole, our tokens tell which of its items were made all the
same, and only the others are sent again; where the outcome is unknown (`faults.Lost`), the journal's `recover` looks later.
"""

from __future__ import annotations

from collections.abc import Iterable
from collections.abc import Iterator
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING
from typing import Protocol

import pybase64
from lxml import etree

from ews_bridge.errors import BadItem
from ews_bridge.errors import Busy
from ews_bridge.errors import Stale
from ews_bridge.errors import Unavailable
from ews_bridge.exchange import asking
from ews_bridge.exchange import bulk
from ews_bridge.exchange import faults
from ews_bridge.exchange import mail
from ews_bridge.exchange import soap
from ews_bridge.exchange.session import Connection
from ews_bridge.model import Entry
from ews_bridge.store import Failed

if TYPE_CHECKING:  # ews-send, which mutt waits for, tags nothing
    from ews_bridge.exchange.tagging import Tagging

Results = Iterator[tuple[Entry, Entry | Failed]]

CREATE_ITEMS = 50
CREATE_BYTES = 4_000_000
#: FindItem with a restriction gives at most 250 results.
FIND_TOKENS = 50
TRIES = 4
#: So many bytes may be beyond what the server takes (limits from 10 MB to 64 MB are usual).
LARGE = 8_000_000

#: What passes by itself, said of one item.
PASSING = faults.PASSING | {faults.BUSY, "ErrorBatchProcessingStopped"}
#: Somebody removed the folder since the tree was listed; the next listing says so.
NO_FOLDER = frozenset({"ErrorFolderNotFound", "ErrorSavedItemFolderNotFound", "ErrorSyncFolderNotFound", "ErrorToFolderNotFound"})
#: The mailbox takes nothing more: no fault of the item.
FULL = frozenset({"ErrorNotEnoughMemory", "ErrorQuotaExceeded"})


@dataclass(slots=True)
class Dates:
    """Whether a folder keeps the dates that its items were created with: how many were looked at, and how many had others."""

    seen: int = 0
    odd: int = 0


class Place(Protocol):
    """What is needed of any folder."""

    @property
    def connection(self) -> Connection: ...

    @property
    def id(self) -> str: ...

    @property
    def collection(self) -> int: ...


class Folder(Place, Protocol):
    """What is needed of a folder of mail."""

    @property
    def drafts(self) -> bool: ...

    @property
    def trash(self) -> str: ...

    @property
    def delete_type(self) -> str: ...

    @property
    def tagging(self) -> Tagging | None: ...

    @property
    def staging(self) -> str: ...

    @property
    def dates(self) -> Dates: ...

    @property
    def entry_fields(self) -> str: ...

    def entry(self, element: etree._Element) -> Entry: ...


def elements(folder: Place, tokens: Sequence[str], fields: str) -> dict[str, etree._Element]:
    """The items in the folder that carry these tokens, with `fields`, to which the token belongs; of several the oldest."""
    found: dict[str, etree._Element] = {}
    for start in range(0, len(tokens), FIND_TOKENS):
        operation = asking.find_by_tokens(folder.id, tokens[start : start + FIND_TOKENS], fields)
        answer = bulk.single(folder.connection, operation, repeat=True).element
        for items in answer.iter(f"{{{soap.TYPES}}}Items"):
            for element in items:
                # A server that ignores the restriction must not make us take another's item for ours.
                if (token := mail.token(element)) in tokens:
                    found.setdefault(token, element)
    return found


@dataclass(frozen=True, slots=True)
class Draft:
    """An item on its way up: where it comes from, its token, the XML, and the bytes that it weighs."""

    source: Entry
    token: str
    xml: bytes
    size: int


#: (id, change key), or why not.
Made = tuple[str, str] | Failed


def send(folder: Place, drafts: Iterable[Draft]) -> Iterator[tuple[Draft, Made]]:
    """Make these items, in batches bounded by number and bytes; exactly one result for each."""
    some: list[Draft] = []
    for one in drafts:
        if some and (len(some) >= CREATE_ITEMS or sum(d.size for d in some) + one.size > CREATE_BYTES):
            yield from _create(folder, some)
            some = []
        some.append(one)
    if some:
        yield from _create(folder, some)


def _create(folder: Place, batch: Sequence[Draft]) -> Iterator[tuple[Draft, Made]]:
    rest = list(batch)
    for attempt in range(1, TRIES + 1):
        try:
            answers = bulk.call(folder.connection, asking.create_items(folder.id, (one.xml for one in rest)), repeat=False)
        except (Busy, faults.Fault, faults.Lost) as error:
            if not isinstance(error, Busy) and not _is_final(error, rest):
                raise
            made = elements(folder, [one.token for one in rest], asking.TOKEN)
            yield from ((one, _id_of(made[one.token])) for one in rest if one.token in made)
            rest = [one for one in rest if one.token not in made]
            if rest and not isinstance(error, Busy):
                yield from _refused(folder, rest, error)
                return
            if rest and attempt == TRIES:
                raise
        else:
            if len(answers) != len(rest):
                raise faults.Lost(f"the server answered {len(answers)} of {len(rest)} new items")
            later = [one for one, answer in zip(rest, answers, strict=True) if not answer.ok and answer.code in PASSING]
            yield from _results(rest, answers)
            rest = later
            if rest and attempt == TRIES:
                raise Unavailable(f"the server does not take {name_of(rest[0].source)} now")
        if not rest:
            return


def _id_of(element: etree._Element) -> tuple[str, str]:
    return soap.attribute(element, "ItemId", "Id"), soap.attribute(element, "ItemId", "ChangeKey")


def _is_final(error: Unavailable, rest: Sequence[Draft]) -> bool:
    """Whether the server will not carry the request out later: it said no, or hung up on a body too large for it to read."""
    if isinstance(error, faults.Fault):
        return error.code not in PASSING
    return isinstance(error, faults.Lost) and error.reached and len(rest) == 1 and rest[0].size > LARGE


def _results(batch: Sequence[Draft], answers: Sequence[soap.Message]) -> Iterator[tuple[Draft, Made]]:
    """What became of each; what is to be sent again is left out. A full mailbox is raised after the others are told."""
    full: Unavailable | None = None
    for one, answer in zip(batch, answers, strict=True):
        ident, key = new_id(answer)
        if answer.ok and ident:
            yield one, (ident, key)
        elif answer.ok:
            full = faults.Lost("the server created an item and did not say which")
        elif answer.code in FULL:
            full = faults.fault(answer.code, answer.text)
        elif answer.code in NO_FOLDER:
            yield one, Stale(f"{name_of(one.source)} cannot be uploaded: its folder is no longer on the server")
        elif answer.code not in PASSING:
            yield one, BadItem(f"{name_of(one.source)} cannot be uploaded: {answer.why()}")
    if full:
        raise full


def _refused(folder: Place, rest: Sequence[Draft], refusal: Unavailable) -> Iterator[tuple[Draft, Made]]:
    """A batch that the server does not take as a whole: one by one, to find out which it is."""
    if len(rest) > 1:
        for one in rest:
            yield from _create(folder, [one])
        return
    (one,) = rest
    if isinstance(refusal, faults.Fault) and refusal.code in NO_FOLDER:
        yield one, Stale(f"{name_of(one.source)} cannot be uploaded: its folder is no longer on the server")
        return
    if isinstance(refusal, faults.Lost) and not folder.connection.answers():
        raise refusal
    # IIS says 404 to what is beyond its limit (404.13), or hangs up.
    hint = "the message is probably larger than the server takes" if one.size > LARGE else refusal.hint
    yield one, BadItem(f"{name_of(one.source)} cannot be uploaded: {refusal}", hint=hint)


def mime_content(pieces: Iterable[bytes]) -> tuple[int, list[bytes]]:
    """(bytes, MimeContent element in pieces): CRLF line ends, base64."""
    parts = [b"<t:MimeContent>"]
    size, held = 0, b""
    for piece in to_crlf(pieces):
        size += len(piece)
        piece = held + piece
        whole = len(piece) // 3 * 3
        held = piece[whole:]
        parts.append(pybase64.b64encode(piece[:whole]))
    parts += [pybase64.b64encode(held), b"</t:MimeContent>"]
    return size, parts


def to_crlf(pieces: Iterable[bytes]) -> Iterator[bytes]:
    """Every line end becomes CRLF, also where one lies across two pieces; a lone CR stays."""
    held = b""
    for piece in pieces:
        if held:
            piece = held + piece
        held = b"\r" if piece.endswith(b"\r") else b""
        piece = piece[:-1] if held else piece
        if piece:
            yield piece.replace(b"\r\n", b"\n").replace(b"\n", b"\r\n")
    if held:
        yield held


def new_id(answer: soap.Message) -> tuple[str, str]:
    """(id, change key) of the item in a message; empty where the server gives none."""
    item_id = answer.element.find(f".//{{{soap.TYPES}}}ItemId")
    return ("", "") if item_id is None else (str(item_id.get("Id", "")), str(item_id.get("ChangeKey", "")))


def name_of(entry: Entry) -> str:
    return entry.hints.label or entry.key or entry.id
