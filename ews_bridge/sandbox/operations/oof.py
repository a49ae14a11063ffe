"""GetUserOofSettings and SetUserOofSettings: what a mailbox answers while its owner is away (MS-OXWOOF)."""

from __future__ import annotations

from lxml import etree

from ..errors import ItemError
from ..mapi import format_time
from ..mapi import parse_time
from ..markup import NSMAP
from ..markup import Element
from ..markup import m
from ..markup import put
from ..markup import t
from ..people import OutOfOffice
from ..world import Mailbox
from .call import Call
from .replies import fill

DAY = 86_400
HOUR = 3_600
LANGUAGE = "{http://www.w3.org/XML/1998/namespace}lang"


def get_user_oof_settings(call: Call, request: Element) -> Element:
    """The settings, and which audience outside the organisation the server allows; a duration is always told."""
    element, message = _answer("GetUserOofSettingsResponse")
    try:
        mailbox = _own(call, request)
    except ItemError as error:
        fill(message, error)
        return element
    fill(message, None)
    settings = mailbox.oof
    shown = put(element, t("OofSettings"))
    put(shown, t("OofState"), settings.state)
    put(shown, t("ExternalAudience"), settings.audience)
    duration = put(shown, t("Duration"))
    start = settings.start if settings.end else call.world.time() // HOUR * HOUR
    put(duration, t("StartTime"), format_time(start))
    put(duration, t("EndTime"), format_time(settings.end or start + DAY))
    for name, text in (("InternalReply", settings.internal), ("ExternalReply", settings.external)):
        reply = put(shown, t(name))
        reply.set(LANGUAGE, "en-US")
        put(reply, t("Message"), text)
    put(element, m("AllowExternalOof"), "All")
    return element


def set_user_oof_settings(call: Call, request: Element) -> Element:
    """Replace the settings; ErrorInvalidScheduledOofDuration for a time that ends before it begins or has passed."""
    element, message = _answer("SetUserOofSettingsResponse")
    try:
        mailbox = _own(call, request)
        mailbox.oof = _read(call, request.find(t("UserOofSettings")))
    except ItemError as error:
        fill(message, error)
        return element
    fill(message, None)
    return element


def _answer(name: str) -> tuple[Element, Element]:
    element = etree.Element(m(name), nsmap=NSMAP)
    return element, put(element, m("ResponseMessage"))


def _own(call: Call, request: Element) -> Mailbox:
    """The mailbox asked about, which must be the user's own."""
    address = (request.findtext(f"{t('Mailbox')}/{t('Address')}") or "").strip().lower()
    if address == call.user.address.lower():
        return call.user
    raise ItemError("ErrorAccessDenied" if address in call.world.users else "ErrorMailRecipientNotFound")


def _read(call: Call, given: Element | None) -> OutOfOffice:
    if given is None:
        raise ItemError("ErrorInvalidUserOofSettings")
    duration = given.find(t("Duration"))
    start = end = 0
    if duration is not None:
        start, end = (parse_time(duration.findtext(t(name)) or "") for name in ("StartTime", "EndTime"))
    state = given.findtext(t("OofState")) or ""
    if state == "Scheduled" and (end <= start or end <= call.world.time()):
        raise ItemError("ErrorInvalidScheduledOofDuration")
    internal, external = (given.findtext(f"{t(name)}/{t('Message')}") or "" for name in ("InternalReply", "ExternalReply"))
    return OutOfOffice(state, given.findtext(t("ExternalAudience")) or "", start, end, internal, external)
