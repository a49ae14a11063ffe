"""From a message on stdin to what is sent, and to whom. Pure: bytes in, bytes out; the body is never touched.

The envelope decides who gets the mail; the server reads recipients from the headers. So they are brought together here:

* who is in the envelope and in no header goes out as Bcc (`bcc`);
* where a header names somebody who is not in the envelope (a message that is resent: mutt's bounce), `exact` asks for the
  recipients to be given one by one, and to be confirmed by the server before the message leaves (`exchange/sending.py`).

What is changed in the head, and nothing else of the message: `Bcc` and `Resent-Bcc` go, and so does a line "From …" of an mbox
before it; a missing `From`, `Date` or `Message-ID` is put before it; in `From`, `Sender`, `To` and `Cc` local names become
addresses, in the place where they stand. A message without a head gets one.
"""

from __future__ import annotations

import re
import time
from collections.abc import Iterable
from collections.abc import Sequence
from dataclasses import dataclass
from dataclasses import field

from ews_bridge import addresses
from ews_bridge import aliases
from ews_bridge.errors import BadMessage
from ews_bridge.errors import UsageError
from ews_bridge.sendargs import Arguments

_FIELD = re.compile(rb"([!-9;-~]+)[ \t]*:")
#: More than any mail program writes, and still nothing to wait for.
_HEAD_MAX = 4 << 20


@dataclass(frozen=True, slots=True)
class Site:
    """Who sends, and what is local here. `hosts`: this machine's own names; `address` and `name` are for a From that we write."""

    address: str
    name: str = ""
    hosts: frozenset[str] = frozenset()
    aliases: aliases.Aliases = field(default_factory=dict)

    @property
    def domain(self) -> str:
        return self.address.rpartition("@")[2]


@dataclass(frozen=True, slots=True)
class Envelope:
    """A message ready to go. `head` + `body` are its bytes, with the line ends that it came with.

    `recipients` is everybody who gets it; `to`, `cc` and `bcc` are the same people, by where the message names them.
    """

    head: bytes
    body: memoryview
    recipients: tuple[str, ...]
    to: tuple[str, ...]
    cc: tuple[str, ...]
    bcc: tuple[str, ...]
    exact: bool
    sender: str
    subject: str

    @property
    def size(self) -> int:
        return len(self.head) + len(self.body)


@dataclass(slots=True)
class _Field:
    """One header field: its name in lower case, and all its bytes with the line end."""

    name: str
    raw: bytes

    @property
    def value(self) -> str:
        """Unfolded; bytes that are no UTF-8 are kept (surrogateescape)."""
        return re.sub(rb"\r?\n", b"", self.raw.partition(b":")[2]).decode("utf-8", "surrogateescape").strip()


def sender_of(message: bytes) -> str:
    """The address in the From header; "" for none. To choose the account by."""
    fields, _ = _split(message)
    found = [box.address for one in fields if one.name == "from" for box in addresses.parse(one.value).mailboxes]
    return found[0] if found else ""


def bare(sender: str) -> str:
    """The address of -f; "" for none, and for the empty one (<>) of bounces."""
    return next((box.address for box in addresses.parse(sender).mailboxes), "")


def prepare(message: bytes, asked: Arguments, site: Site, *, now: float, unique: str) -> Envelope:
    """Raises UsageError without recipients, BadMessage for a message or an address that cannot be sent.

    `unique` is what makes a Message-ID unlike all others.
    """
    fields, body = _split(message)
    fields = _local_names(fields, site)
    recipients = _recipients(fields, asked, site)
    kept = [one for one in fields if one.name not in ("bcc", "resent-bcc")]
    kept = _missing(kept, asked, site, now=now, unique=unique)
    to, cc, bcc, exact = _places(kept, recipients)
    end = b"\r\n" if kept[-1].raw.endswith(b"\r\n") else b"\n"
    return Envelope(
        head=b"".join(one.raw for one in kept) + end,
        body=memoryview(message)[body:],
        recipients=tuple(recipients),
        to=to,
        cc=cc,
        bcc=bcc,
        exact=exact,
        sender=next((one.value for one in kept if one.name == "from"), ""),
        subject=next((one.value for one in kept if one.name == "subject"), ""),
    )


# ---- the head


def _split(message: bytes) -> tuple[list[_Field], int]:
    """The header fields, and where the body begins. Raises BadMessage for what a server may read otherwise than we do."""
    fields: list[_Field] = []
    position = 0
    if message.startswith((b"From ", b">From ")):
        position = message.find(b"\n") + 1 or len(message)
    while position < len(message):
        end = message.find(b"\n", position) + 1 or len(message)
        line = message[position:end]
        if not line.strip(b"\r\n"):
            return _safe(fields), end
        if line[:1] in b" \t" and fields:
            fields[-1].raw += line
        elif found := _FIELD.match(line):
            fields.append(_Field(found[1].decode("ascii").lower(), line))
        else:
            break  # no header: the body begins without an empty line
        if end > _HEAD_MAX:
            raise BadMessage("the head of the message does not end")
        position = end
    return _safe(fields), position


def _safe(fields: list[_Field]) -> list[_Field]:
    """A lone CR or a NUL may end a line for a server: a header would hide in another."""
    for one in fields:
        if b"\r" in one.raw.replace(b"\r\n", b"") or b"\0" in one.raw:
            raise BadMessage(f"the header field {one.name} holds a lone carriage return or a NUL")
        if not one.raw.endswith(b"\n"):
            one.raw += b"\n"
    return fields


def _missing(fields: list[_Field], asked: Arguments, site: Site, *, now: float, unique: str) -> list[_Field]:
    """Before the others, what a message must have (RFC 5322 §3.6) and a recipient would miss."""
    end = "\r\n" if fields and fields[0].raw.endswith(b"\r\n") else "\n"
    fields = [one for one in fields if one.name not in ("from", "date", "message-id") or one.value]
    present = {one.name for one in fields}
    added: list[_Field] = []
    if "from" not in present:
        told = bare(asked.sender)
        author = site.address if not told or _is_local(told, site) else told
        name = asked.name or (site.name if author == site.address else "")
        value = f"{addresses.phrase(name)} <{addresses.plain(author)}>" if name else addresses.plain(author)
        added.append(_Field("from", f"From: {value}{end}".encode()))
    if "date" not in present:
        date = time.strftime("%a, %d %b %Y %H:%M:%S %z", time.localtime(now))
        added.append(_Field("date", f"Date: {date}{end}".encode()))
    if "message-id" not in present:
        added.append(_Field("message-id", f"Message-ID: <{unique}@{addresses.plain(site.domain)}>{end}".encode()))
    return added + fields


# ---- local names


def _is_local(address: str, site: Site) -> bool:
    """A name without a domain, or at this host's own; not where that is the domain of the account."""
    domain = address.rpartition("@")[2].lower()
    return "@" not in address or (domain in site.hosts and domain != site.domain.lower())


def _resolve(address: str, site: Site) -> tuple[str, ...]:
    if not _is_local(address, site):
        return (address,)
    return aliases.expand(address.partition("@")[0], site.aliases, domain=site.domain)


def _local_names(fields: list[_Field], site: Site) -> list[_Field]:
    """From and Sender: the account's address. To and Cc: what the alias says, or the account's domain."""
    done: list[_Field] = []
    for one in fields:
        match one.name:
            case "from" | "sender" | "resent-from" | "resent-sender":
                done.append(_rewritten(one, site, own=True))
            case "to" | "cc" | "bcc" | "resent-to" | "resent-cc" | "resent-bcc":
                done.append(_rewritten(one, site, own=False))
            case _:
                done.append(one)
    return done


def _rewritten(one: _Field, site: Site, *, own: bool) -> _Field:
    """The same bytes but for the local names among the addresses."""
    label, _, raw = one.raw.partition(b":")
    text = raw.decode("utf-8", "surrogateescape")
    for box in reversed(addresses.parse(text).mailboxes):
        if _is_local(box.address, site):
            became = (site.address,) if own else _resolve(box.address, site)
            between = ">, <" if box.angled else ", "
            text = text[: box.start] + between.join(map(addresses.plain, became)) + text[box.end :]
    return _Field(one.name, label + b":" + text.encode("utf-8", "surrogateescape"))


# ---- recipients


def _recipients(fields: Sequence[_Field], asked: Arguments, site: Site) -> list[str]:
    """The envelope: the command line's, and with -t also the headers', each once."""
    found: dict[str, str] = {}
    for word in asked.recipients:
        listed = addresses.parse(word)
        if not listed.clear:
            raise UsageError(f"not a mail address: {word!r}")
        _add(found, (target for box in listed.mailboxes for target in _resolve(box.address, site)))
    if asked.from_headers:
        for one in _addressed(fields):
            listed = addresses.parse(one.value)
            if not listed.clear:
                raise BadMessage(f"cannot understand the addresses in {one.name}: {_shown(one.value)}")
            _add(found, (box.address for box in listed.mailboxes))
    if found:
        return list(found.values())
    if asked.from_headers:
        raise BadMessage("no recipient: neither the headers nor the command line name one")
    raise UsageError("no recipient", hint="name recipients on the command line, or take them from the headers with -t")


def _add(found: dict[str, str], new: Iterable[str]) -> None:
    for address in new:
        found.setdefault(addresses.key(address), addresses.plain(address))


def _addressed(fields: Sequence[_Field]) -> list[_Field]:
    """The fields that -t takes recipients from: those of the latest resending when there is one (RFC 5322 §3.6.6)."""
    block = _resent_block(fields)
    if any(one.name in ("resent-to", "resent-cc", "resent-bcc") for one in block):
        return [one for one in block if one.name in ("resent-to", "resent-cc", "resent-bcc")]
    return [one for one in fields if one.name in ("to", "cc", "bcc")]


def _resent_block(fields: Sequence[_Field]) -> list[_Field]:
    """The first run of Resent- fields: each resending puts its own before the earlier ones."""
    block: list[_Field] = []
    for one in fields:
        if one.name.startswith("resent-") and one.name not in {each.name for each in block}:
            block.append(one)
        elif block:
            break
    return block


Places = tuple[tuple[str, ...], tuple[str, ...], tuple[str, ...], bool]


def _places(fields: Sequence[_Field], recipients: Sequence[str]) -> Places:
    """(to, cc, bcc, exact): where the headers name each recipient, and whether they name anybody else."""
    named: dict[str, set[str]] = {"to": set(), "cc": set()}
    clear = True
    for one in fields:
        if one.name in named:
            listed = addresses.parse(one.value)
            clear &= listed.clear
            named[one.name] |= {addresses.key(box.address) for box in listed.mailboxes}
    exact = not clear or not named["to"] | named["cc"] <= {addresses.key(one) for one in recipients}
    if exact:  # a message that is resent goes to those whom the resending names
        for one in _resent_block(fields):
            if one.name in ("resent-to", "resent-cc"):
                named[one.name[7:]] |= {addresses.key(box.address) for box in addresses.parse(one.value).mailboxes}
    to = tuple(one for one in recipients if addresses.key(one) in named["to"])
    cc = tuple(one for one in recipients if addresses.key(one) in named["cc"] - named["to"])
    bcc = tuple(one for one in recipients if addresses.key(one) not in named["to"] | named["cc"])
    return to, cc, bcc, exact


def _shown(value: str) -> str:
    return value.encode("utf-8", "surrogateescape").decode("utf-8", "replace")[:120]
