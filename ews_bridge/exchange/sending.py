"""Giving a message to the server to send, once, and finding out afterwards whether it has it.

The request carries the message byte for byte (MimeContent), our token as an extended property, and beside the message only
the recipients that no header names (BccRecipients): the server's conversion of MIME decides about everything else.
Elements for recipients override what the MIME says, also when they are empty; that is how
evolution-ews resends. Where the headers name people who must not get the message, a server that did otherwise would mail
them: such a message is first saved as a draft, its recipients are read back, and only if they are those of the envelope it is
sent (SendItem).

In whose name a message goes out is said by its From, and whether that is as the mailbox itself or on its behalf, by the rights
that the server knows; neither can be asked for. The copy goes where it is told to (SavedItemFolderId).

    raised                                 means
    BadMessage, RecipientRefused,          the server's no: nothing was sent, and never will be as it is
    NotAllowed, Declined
    NotTaken                               the server certainly did not carry it out: later
    Unclear                                no answer, or one that says nothing: only the token can tell

Must never do: send a request a second time; call an unclear outcome a clear one.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from collections.abc import Iterable
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from xml.sax.saxutils import escape

from ews_bridge import addresses
from ews_bridge.errors import AuthError
from ews_bridge.errors import BadMessage
from ews_bridge.errors import Busy
from ews_bridge.errors import EwsBridgeError
from ews_bridge.errors import RecipientRefused
from ews_bridge.errors import Unavailable
from ews_bridge.exchange import asking
from ews_bridge.exchange import bulk
from ews_bridge.exchange import creating
from ews_bridge.exchange import faults
from ews_bridge.exchange import soap
from ews_bridge.exchange.session import Connection

#: Where a message with our token has been taken for sending.
SENT = ("sentitems", "outbox")
PLACES = (*SENT, "drafts")

#: So many bytes may be more than the server takes.
LARGE = creating.LARGE

_RECIPIENTS = frozenset(
    {"ErrorInvalidRecipients", "ErrorInvalidRecipientSubfilter", "ErrorInvalidSmtpAddress", "ErrorMessageRecipientNotFound"}
)
_SENDER = frozenset({"ErrorSendAsDenied", "ErrorSendOnBehalfDenied"})
_ACCESS = frozenset({"ErrorAccessDenied", "ErrorCreateItemAccessDenied"})
_NOT_THERE = frozenset({"ErrorItemNotFound", "ErrorFolderNotFound"})
_NO_MAILBOX = frozenset({"ErrorNonExistentMailbox", "ErrorMissingEmailAddress"})
#: What is said of the folder for the copy where nothing of the mailbox may be seen.
_NO_HOME = _NOT_THERE | _NO_MAILBOX | {"ErrorSavedItemFolderNotFound"}
_MESSAGE = frozenset(
    {
        "ErrorMessageSizeExceeded",
        "ErrorMimeContentConversionFailed",
        "ErrorMimeContentInvalid",
        "ErrorMimeContentInvalidBase64String",
        "ErrorDataSizeLimitExceeded",
        "ErrorContentConversionFailed",
    }
)
#: Said before anything is carried out.
_NOT_NOW = frozenset({faults.BUSY, "ErrorExceededConnectionCount", "ErrorMailboxMoveInProgress", "ErrorConnectionFailed"})
#: The server does not know itself what became of it.
_SAYS_NOTHING = (faults.PASSING - _NOT_NOW) | {"ErrorInternalServerError", "ErrorBatchProcessingStopped"}
#: What IIS says to a body that is beyond its limit, among other things (404.13).
_SIZES = ("HTTP 404", "HTTP 400")


class Declined(Unavailable):
    """The server's no, for a reason that lies neither in the message nor in the recipients."""


class NotAllowed(AuthError):
    """The server refuses the right to send this message; the sign-in was good."""


class NotTaken(Busy):
    """The server certainly did not carry the request out, or never had it."""


class Unclear(Unavailable):
    """Whether the server carries, or will carry, the request out is not known: only the token can tell."""


#: The server's no: the message will not be taken as it is.
NO = (BadMessage, RecipientRefused, NotAllowed, Declined)


@dataclass(frozen=True, slots=True)
class Wanted:
    """A message to be sent. `pieces` yields its bytes, anew at each call; the recipients as in `envelope.Envelope`.

    `home`: the mailbox whose Sent Items get the copy; "" for that of the user who signs in.
    """

    pieces: Callable[[], Iterator[bytes]]
    token: str
    to: tuple[str, ...]
    cc: tuple[str, ...]
    bcc: tuple[str, ...]
    exact: bool
    home: str = ""


@dataclass(frozen=True, slots=True)
class Held:
    """Where the server has the message with a token, and under which id."""

    place: str
    id: str
    key: str


def send(connection: Connection, wanted: Wanted) -> None:
    """Have the message sent, with a copy in Sent Items. Raises as the module says."""
    size, mime = creating.mime_content(wanted.pieces())
    token = asking.extended(asking.TOKEN, wanted.token)
    if not wanted.exact:
        extra = _recipients("BccRecipients", wanted.bcc) if wanted.bcc else ""
        _create(connection, "SendAndSaveCopy", wanted, mime, token + extra, size)
        return
    everybody = (("ToRecipients", wanted.to), ("CcRecipients", wanted.cc), ("BccRecipients", wanted.bcc))
    lists = "".join(_recipients(name, some) for name, some in everybody)
    ident, key = creating.new_id(_create(connection, "SaveOnly", wanted, mime, token + lists, size))
    if not ident:
        raise Unclear("the server saved a draft and did not say which")
    send_draft(connection, Held("drafts", ident, key), wanted)


def send_draft(connection: Connection, draft: Held, wanted: Wanted) -> None:
    """Have a draft of ours sent, if its recipients are those of the envelope; else remove it. Raises like `send`."""
    try:
        there, key = _read_back(connection, draft)
        meant = sorted(addresses.key(one) for one in (*wanted.to, *wanted.cc, *wanted.bcc))
        if there != meant:
            others = ", ".join(sorted(set(there) - set(meant))) or "fewer people"
            hint = "its headers name people whom it is not meant for: send it with headers of its own, or forward it"
            raise BadMessage(f"this server would mail {others}", hint=hint)
        _submit(connection, wanted, Held(draft.place, draft.id, key))
    except NO:
        # Not to Deleted Items: what carries the token there would look sent.
        with contextlib.suppress(Unavailable):
            bulk.call(connection, asking.delete_items([draft.id], "HardDelete"), repeat=True)
        raise
    except NotTaken as error:
        raise Unclear(f"a draft waits to be sent: {error}", hint=error.hint) from error


def look(connection: Connection, token: str, *, tries: int = 2) -> Held | None:
    """Where the server has the message with this token: among what was sent before anywhere else. Raises Unavailable.

    For a shared mailbox both its folders and the user's own are looked into: through which of them a message goes on its way
    is the server's business.
    """
    shared = connection.settings.mailbox
    places = [(place, mailbox) for mailbox in ((shared, "") if shared else ("",)) for place in PLACES]
    answers = bulk.call(connection, _find(token, places), repeat=True, tries=tries)
    if len(answers) != len(places):
        raise faults.Lost(f"the server answered for {len(answers)} of {len(places)} folders")
    for (place, mailbox), answer in sorted(zip(places, answers, strict=True), key=lambda each: PLACES.index(each[0][0])):
        if not answer.ok and answer.code not in _NOT_THERE and not _closed(place, mailbox, answer.code, shared=shared):
            raise faults.fault(answer.code, answer.text, answer.wait)
        for element in answer.element.iter(f"{{{soap.TYPES}}}ExtendedProperty"):
            # A server that ignores the restriction must not make us take another's message for ours.
            if element.findtext(f"{{{soap.TYPES}}}Value") == token:
                item = element.getparent()
                assert item is not None
                return Held(place, soap.attribute(item, "ItemId", "Id"), soap.attribute(item, "ItemId", "ChangeKey"))
    return None


def _closed(place: str, mailbox: str, code: str, *, shared: str) -> bool:
    """Whether a folder cannot be looked into, and for the same reason nothing of ours can be there.

    Not so in Sent Items of the mailbox that is sent from: what is not seen there proves nothing.
    """
    if mailbox:
        return code == "ErrorAccessDenied" and place != "sentitems"
    return bool(shared) and code in _NO_MAILBOX


# ---- requests


def _create(
    connection: Connection, disposition: str, wanted: Wanted, mime: Iterable[bytes], rest: str, size: int
) -> soap.Message:
    folder = asking.distinguished("drafts" if disposition == "SaveOnly" else "sentitems", wanted.home)
    head = f'<m:CreateItem MessageDisposition="{disposition}"><m:SavedItemFolderId>{folder}</m:SavedItemFolderId><m:Items>'
    tail = f"{rest}</t:Message></m:Items></m:CreateItem>"
    return _once(connection, b"".join((head.encode(), b"<t:Message>", *mime, tail.encode())), size, home=wanted.home)


def _submit(connection: Connection, wanted: Wanted, draft: Held) -> None:
    operation = (
        '<m:SendItem SaveItemToFolder="true">'
        f"<m:ItemIds>{asking.item_id(draft.id, draft.key)}</m:ItemIds>"
        f"<m:SavedItemFolderId>{asking.distinguished('sentitems', wanted.home)}</m:SavedItemFolderId></m:SendItem>"
    )
    _once(connection, operation.encode(), 0, home=wanted.home)


def _read_back(connection: Connection, draft: Held) -> tuple[list[str], str]:
    """(the keys of all recipients that a draft has on the server, sorted; its change key)."""
    fields = "".join(map(asking.field, ("message:ToRecipients", "message:CcRecipients", "message:BccRecipients")))
    try:
        answer = bulk.single(connection, asking.get_items([(draft.id, "")], fields), repeat=True, tries=2)
    except Unavailable as error:
        raise Unclear(f"the draft cannot be read back: {error}") from error
    items = answer.element.find(f".//{{{soap.MESSAGES}}}Items")
    if items is None or not len(items):
        raise Unclear("the draft cannot be read back: the server's answer holds none")
    found = [each.text or "" for each in items[0].iter(f"{{{soap.TYPES}}}EmailAddress")]
    return sorted(map(addresses.key, found)), soap.attribute(items[0], "ItemId", "ChangeKey")


def _find(token: str, places: Iterable[tuple[str, str]]) -> bytes:
    folders = "".join(asking.distinguished(*place) for place in places)
    constant = f'<t:Constant Value="{asking.attribute(token)}"/>'
    return (
        '<m:FindItem Traversal="Shallow"><m:ItemShape><t:BaseShape>IdOnly</t:BaseShape>'
        f"<t:AdditionalProperties>{asking.TOKEN}</t:AdditionalProperties></m:ItemShape>"
        f"<m:Restriction><t:IsEqualTo>{asking.TOKEN}<t:FieldURIOrConstant>{constant}</t:FieldURIOrConstant></t:IsEqualTo>"
        f"</m:Restriction><m:ParentFolderIds>{folders}</m:ParentFolderIds></m:FindItem>"
    ).encode()


def _recipients(element: str, some: Iterable[str]) -> str:
    inner = "".join(f"<t:Mailbox><t:EmailAddress>{escape(one)}</t:EmailAddress></t:Mailbox>" for one in some)
    return f"<t:{element}>{inner}</t:{element}>"


# ---- what an answer means


def _once(connection: Connection, operation: bytes, size: int, *, home: str) -> soap.Message:
    """One write, sent once. Returns the answer of a server that did it; raises as the module says."""

    def read(body: bytearray) -> soap.Message | EwsBridgeError:
        try:
            answers = soap.messages(soap.parse(body))
        except Busy as error:
            return NotTaken(str(error), wait=error.wait)
        except faults.Fault as error:
            if error.code in soap.TOO_NEW:
                raise
            return _no(error.code, str(error), size, home=home)
        if not answers:
            return Unclear("the server's answer is empty")
        return answers[0] if answers[0].ok else _no(answers[0].code, answers[0].why(), size, home=home)

    with _translated(size, home):
        answer = connection.ask(operation, read, repeat=False)
    if isinstance(answer, EwsBridgeError):
        raise answer
    return answer


@contextmanager
def _translated(size: int, home: str) -> Iterator[None]:
    """What `Connection.ask` raises, by what it says about the outcome."""
    try:
        yield
    except faults.Fault as error:
        raise _no(error.code, str(error), size, home=home, hint=error.hint) from error
    except faults.Lost as error:
        raise (Unclear if error.reached else NotTaken)(str(error), hint=error.hint) from error
    except Busy as error:
        # A front end may say 503 when what is behind it went away in the middle.
        raise (Unclear if "HTTP 503" in str(error) else NotTaken)(str(error), hint=error.hint) from error
    except Unavailable as error:
        raise NotTaken(str(error), hint=error.hint) from error


def _no(code: str, why: str, size: int, *, home: str, hint: str = "") -> EwsBridgeError:
    """The error for what the server says instead of doing it."""
    kind: Callable[..., EwsBridgeError] = Declined
    if code in _NOT_NOW:
        kind = NotTaken
    elif code in _SAYS_NOTHING:
        kind = Unclear
    elif code in _RECIPIENTS:
        kind = RecipientRefused
    elif code in _SENDER | _ACCESS or (home and code in _NO_HOME):
        kind = NotAllowed
        hint = "the server lets you send only from addresses that are yours or granted to you: see the From header of the message"
        if home and code not in _SENDER:
            hint = f"the copy goes to Sent Items of {home}: the right to write there must be granted, too"
    elif code in _MESSAGE or code == "HTTP 413" or (code in _SIZES and size > LARGE):
        kind = BadMessage
        hint = f"it has {size:,} bytes; servers take messages of 10 MB to 64 MB"
    return kind(why, hint=hint)
