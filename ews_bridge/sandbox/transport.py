"""Sending: from a submitted message to new items in the recipients' inboxes, reports of failure, and read receipts."""

from __future__ import annotations

from dataclasses import dataclass

from . import content
from . import delegates
from . import headers as hdr
from . import meetings
from . import people
from . import properties
from . import rights
from .classify import classify
from .document import make_boundary
from .document import with_header
from .document import write_headers
from .errors import ItemError
from .headers import Address
from .headers import Header
from .store import Envelope
from .store import Item
from .world import Delivery
from .world import Mailbox


@dataclass(frozen=True, slots=True)
class Submission:
    """A message ready to go: its MIME without Bcc, and whom it goes to."""

    mime: bytes
    recipients: tuple[str, ...]
    message_id: str


def prepare(sender: Mailbox, item: Item) -> Submission:
    """Complete a message for sending: sender, date, Message-ID.

    ItemError: ErrorInvalidRecipients without recipients or with one that is no address, ErrorSendAsDenied if its From or
    Sender is somebody else's who has not granted it.  Whether it goes out as From itself or on its behalf is the server's to
    say, by the rights (PidTagSentRepresentingEmailAddress 0x0065, PidTagSenderEmailAddress 0x0C1F).  The item itself is
    completed too: it may become the copy in Sent Items.
    """
    seen = properties.envelope(item)
    everybody = [*seen.to, *seen.cc, *seen.bcc]
    if not everybody or not all("@" in one.address for one in everybody):
        raise ItemError("ErrorInvalidRecipients")
    how = _sending(sender, seen)
    own = hdr.encode_address(properties.own_address(sender))
    now = sender.world.time()
    if not seen.author:
        item.mime = with_header(item.mime, "From", own)
    elif how:
        item.mime = with_header(item.mime, "Sender", own if how == "send-on-behalf" else None)
    if seen.date is None and properties.SUBMIT_TIME not in item.props:
        item.mime = with_header(item.mime, "Date", hdr.format_date(now))
    if not properties.text(item, properties.MESSAGE_ID):
        item.mime = with_header(item.mime, "Message-ID", new_message_id(sender))
    sender.world.forget(item)
    mime = with_header(content.transport_mime(item), "Bcc", None)
    recipients = tuple(dict.fromkeys(one.address.lower() for one in everybody))
    return Submission(mime, recipients, properties.text(item, properties.MESSAGE_ID))


def _sending(sender: Mailbox, seen: Envelope) -> str:
    """ "" for a message of the sender's own; else the right by which it goes out in another's name."""
    users = sender.world.users
    named = dict.fromkeys(one.address.lower() for one in (*seen.author, *seen.sender))
    others = [users.get(address) for address in named if address != sender.address.lower()]
    if not others:
        return ""
    how = rights.sends_for(sender, others[0]) if len(others) == 1 and others[0] is not None else ""
    if not how:
        raise ItemError("ErrorSendAsDenied")
    return how


def send(sender: Mailbox, submission: Submission) -> None:
    """Deliver a message to those recipients who have a mailbox here; the others get it outside this world.

    A group of the directory is its members. For an unknown address in a domain that has mailboxes here a report comes back
    to the sender.
    """
    world = sender.world
    domains = {address.partition("@")[2] for address in world.users}
    world.note_delivery(Delivery(sender.address, submission.recipients, submission.message_id, world.time()))
    failed: list[str] = []
    for recipient in people.reached(world, submission.recipients):
        mailbox = world.users.get(recipient)
        if mailbox is not None:
            deliver(mailbox, submission.mime)
        elif recipient.partition("@")[2] in domains and recipient not in world.directory:
            failed.append(recipient)
    if failed:
        deliver(sender, non_delivery_report(sender, submission, failed))


def deliver(mailbox: Mailbox, mime: bytes) -> Item:
    """Put a message into a mailbox's Inbox, unread, as it arrives from outside; one of a meeting reaches the delegates, too."""
    item, described = _arrived(mailbox, mime)
    if described is not None:
        meetings.process(item, described)
        for delegate in delegates.pass_on(item, described):
            copy, _ = _arrived(delegate, mime)
            delegates.mark(copy, mailbox)
    return item


def _arrived(mailbox: Mailbox, mime: bytes) -> tuple[Item, Item | None]:
    """The message in the Inbox, and the calendar item that it describes, which is nowhere yet."""
    now = mailbox.world.time()
    domain = mailbox.address.partition("@")[2].encode("ascii", "replace")
    trace = b"from mail." + domain + b" by sandbox." + domain + b" with ESMTP; " + hdr.format_date(now)
    mime = b"Received: " + trace + b"\r\n" + mime
    item = mailbox.new_item(mime, classify(mime)[0])
    item.received = now
    item.props[properties.RECEIVED_ADDRESS] = ("String", mailbox.address)
    item.props[properties.RECEIVED_NAME] = ("String", mailbox.display_name)
    described = meetings.absorb(item) if meetings.is_meeting_message(item) else None
    mailbox.place(item, mailbox.folder("inbox"))
    return item, described


def new_message_id(mailbox: Mailbox) -> bytes:
    domain = mailbox.address.partition("@")[2] or "localhost"
    return f"<{mailbox.world.bytes16().hex().upper()}@{domain}>".encode("ascii", "replace")


def non_delivery_report(sender: Mailbox, submission: Submission, failed: list[str]) -> bytes:
    """The report of failed recipients (RFC 3464), which appears as REPORT.IPM.Note.NDR."""
    listed = "".join(f"{one}\r\nThe email address you entered couldn't be found.\r\n\r\n" for one in failed)
    domain = sender.address.partition("@")[2]
    status = f"Reporting-MTA: dns;sandbox.{domain}\r\n" + "".join(
        f"\r\nFinal-recipient: RFC822;{one}\r\nAction: failed\r\nStatus: 5.1.10\r\n"
        "Diagnostic-code: smtp;550 5.1.10 RESOLVER.ADR.RecipientNotFound; Recipient not found by SMTP address lookup\r\n"
        for one in failed
    )
    subject = hdr.first(hdr.split_message(submission.mime)[0], "Subject") or b""
    original, _ = hdr.split_message(submission.mime)
    return _report(
        sender,
        "delivery-status",
        [("To", hdr.encode_address(properties.own_address(sender))), ("Subject", b"Undeliverable: " + hdr.unfold(subject))],
        f"Delivery has failed to these recipients or groups:\r\n\r\n{listed}",
        status,
        write_headers(original),
        submission.message_id,
    )


def answer_receipt(item: Item, *, read: bool) -> None:
    """Send the read receipt (or, for a message deleted unread, the opposite) somebody waits for; only once."""
    if not properties.receipt_due(item):
        return
    mailbox = item.mailbox
    wanted = properties.envelope(item).receipt_to or properties.envelope(item).author
    item.props[properties.RECEIPT_ANSWERED] = ("Boolean", False)
    if not wanted:
        return
    subject = properties.text(item, properties.SUBJECT)
    message_id = properties.text(item, properties.MESSAGE_ID)
    disposition = "displayed" if read else "deleted"
    status = (
        f"Reporting-UA: sandbox\r\nFinal-recipient: RFC822;{mailbox.address}\r\n"
        f"Original-message-id: {message_id}\r\nDisposition: automatic-action/MDN-sent-automatically; {disposition}\r\n"
    )
    mime = _report(
        mailbox,
        "disposition-notification",
        [
            ("From", hdr.encode_address(properties.own_address(mailbox))),
            ("To", hdr.encode_address(wanted[0])),
            ("Subject", hdr.encode(("Read: " if read else "Not read: ") + subject)),
        ],
        f"Your message\r\n\r\n   Subject: {subject}\r\n\r\nwas {'read' if read else 'deleted without being read'}.\r\n",
        status,
        None,
        message_id,
    )
    world = mailbox.world
    world.note_delivery(Delivery(mailbox.address, (wanted[0].address.lower(),), message_id, world.time()))
    receiver = world.users.get(wanted[0].address.lower())
    if receiver is not None:
        arrived = deliver(receiver, mime)
        if not read:
            arrived.item_class = "REPORT.IPM.Note.IPNNRN"


def _report(
    mailbox: Mailbox, kind: str, headers: list[Header], text: str, status: str, original: bytes | None, answers: str
) -> bytes:
    domain = mailbox.address.partition("@")[2]
    parts = [
        b"Content-Type: text/plain; charset=utf-8\r\nContent-Transfer-Encoding: 8bit\r\n\r\n" + text.encode(),
        f"Content-Type: message/{kind}\r\n\r\n".encode() + status.encode("ascii", "replace"),
    ]
    if original is not None:
        parts.append(b"Content-Type: text/rfc822-headers\r\n\r\n" + original)
    boundary = make_boundary(parts)
    body = b"".join(b"--" + boundary + b"\r\n" + part + b"\r\n" for part in parts) + b"--" + boundary + b"--\r\n"
    names = [name for name, _ in headers]
    if "From" not in names:
        postmaster = Address("Microsoft Outlook", f"postmaster@{domain}")
        headers = [("From", hdr.encode_address(postmaster)), *headers]
    top: list[Header] = [
        *headers,
        ("Date", hdr.format_date(mailbox.world.time())),
        ("Message-ID", new_message_id(mailbox)),
        ("MIME-Version", b"1.0"),
        ("Content-Type", f"multipart/report; report-type={kind};\r\n boundary=".encode() + b'"' + boundary + b'"'),
    ]
    if answers:
        top.append(("In-Reply-To", answers.encode("ascii", "replace")))
    return write_headers(top) + b"\r\n" + body
