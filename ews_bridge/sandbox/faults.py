"""What a test can do to the server: let chosen requests go wrong, switch quirks of real servers on, read the counters.

A fault only ever concerns requests that have signed in; it is counted per fault, from the moment it was set.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable
from collections.abc import Mapping
from collections.abc import Sequence
from dataclasses import asdict
from dataclasses import dataclass
from dataclasses import field

from lxml import etree

from .errors import RequestFault
from .markup import NSMAP
from .markup import T
from .markup import m
from .markup import t
from .soap import fault

# kind -> what may stand behind its colon: nothing, a number (perhaps left out), or an error code
_KINDS = {
    "drop": "",  # the connection dies before the request is carried out
    "lost-reply": "",  # ... after it was carried out
    "late": "number",  # ... at once, and the request is carried out so many seconds later
    "busy": "number?",  # HTTP 500 ErrorServerBusy, with BackOffMilliseconds when a number is given
    "truncate": "",  # carried out; half of the answer arrives, then the connection closes
    "truncate-clean": "",  # the same, but the Content-Length fits the half
    "hang": "",  # never answered nor carried out; ends when the client leaves
    "unauthorized": "",  # 401, although the password is right
    "html": "",  # 200 with a sign-in page, as behind a form-based proxy
    "redirect": "",  # 302 to the sign-in page
    "error": "code",  # every response message is an error with this code; nothing is carried out
    "fault": "code",  # HTTP 500 and a SOAP fault with this code
    "http": "status",  # http-503, http-429:SECONDS (Retry-After)
}
_SPELLING = re.compile(r"(?P<kind>http(?=-)|[a-z]+(?:-[a-z]+)*)(?:-(?P<status>[45]\d\d))?(?::(?P<value>\S+))?")

# Which child of a request has one response message for each of its own children; other requests are answered once.
_COUNTED = (
    *("ItemIds", "Items", "ItemChanges", "FolderIds", "Folders", "FolderChanges", "ParentFolderIds"),
    *("Attachments", "AttachmentIds", "SourceIds"),
)
# What an error message still contains: containers, empty. exchangelib reads a SyncState before it looks at the code.
_CONTENT: dict[str, tuple[tuple[str, str], ...]] = {
    **dict.fromkeys(("GetItem", "CreateItem", "UpdateItem", "MoveItem", "CopyItem"), (("Items", ""),)),
    **dict.fromkeys(("GetFolder", "CreateFolder", "UpdateFolder", "MoveFolder", "CopyFolder"), (("Folders", ""),)),
    **dict.fromkeys(("CreateAttachment", "GetAttachment"), (("Attachments", ""),)),
    "SyncFolderItems": (("SyncState", ""), ("IncludesLastItemInRange", "true")),
    "SyncFolderHierarchy": (("SyncState", ""), ("IncludesLastFolderInRange", "true")),
}


@dataclass(slots=True)
class Fault:
    """One fault: strikes the `nth` matching request (from 1) and the `times` - 1 that follow."""

    operation: str
    kind: str
    value: str = ""
    status: int = 0
    nth: int = 1
    times: int = 1
    seen: int = 0

    @property
    def number(self) -> float:
        """Seconds of `late`, milliseconds of `busy`, seconds of Retry-After; 0 when not given."""
        return float(self.value or 0)

    def strikes(self, operation: str) -> bool:
        """Count a request; true when this is one that it hits."""
        if self.operation not in ("*", operation):
            return False
        self.seen += 1
        return self.nth <= self.seen < self.nth + self.times


@dataclass(slots=True)
class Faults:
    """The faults that are set, in order; the first that strikes wins, all of them count."""

    active: list[Fault] = field(default_factory=list)
    struck: int = 0

    def next(self, operation: str) -> Fault | None:
        """The fault for this request, if any."""
        hits = [each for each in self.active if each.strikes(operation)]
        if not hits:
            return None
        self.struck += 1
        return hits[0]

    def add(self, given: Mapping[str, object] | Sequence[Mapping[str, object]]) -> None:
        """Set one fault or several, as POST /sandbox/faults has them. Raises ValueError, and then sets none."""
        several = [given] if isinstance(given, Mapping) else list(given)
        self.active += [read_fault(each) for each in several]

    def clear(self) -> None:
        """Forget all faults."""
        self.active.clear()

    def describe(self) -> list[dict[str, object]]:
        """All faults, with how many matching requests each has seen."""
        return [asdict(each) for each in self.active]


@dataclass(slots=True)
class Quirks:
    """How some servers differ from the others; POST /sandbox/world switches them."""

    hierarchy_500: bool = False  # SyncFolderHierarchy with any shape but IdOnly: HTTP 500
    ignore_commit_time: bool = False  # no folder has 0x670A
    ignore_change_keys: bool = False  # UpdateItem overwrites, whatever the ConflictResolution
    stamp_sent_items: bool = False  # what is created in Sent Items was sent and received now, whatever was said
    stamp_everywhere: bool = False  # the same in all folders

    @property
    def stamps(self) -> str:
        """See `Call.stamps`."""
        return "*" if self.stamp_everywhere else "sentitems" if self.stamp_sent_items else ""


@dataclass(slots=True)
class Stats:
    """Counters since the start or the last reset. Bytes are those of the bodies.

    `http` counts every HTTP request to the EWS path, the 401 rounds of the sign-in among them; `requests` only what
    signed in, by operation. `sign_ins` are credentials that were right (with Basic: each request; with NTLM: each
    handshake), `refused` those that were wrong, `challenged` requests that were sent away because they had none.
    """

    requests: Counter[str] = field(default_factory=Counter)
    http: int = 0
    connections: int = 0
    bytes_in: int = 0
    bytes_out: int = 0
    sign_ins: int = 0
    refused: int = 0
    challenged: int = 0
    schema_violations: int = 0

    def describe(self) -> dict[str, object]:
        """All counters, ready for JSON."""
        return {**asdict(self), "requests": dict(sorted(self.requests.items())), "total": sum(self.requests.values())}


def read_fault(given: Mapping[str, object]) -> Fault:
    """One fault as a test writes it. Raises ValueError, saying what is wrong."""
    unknown = set(given) - {"operation", "nth", "times", "fault"}
    if unknown:
        raise ValueError(f"unknown key: {', '.join(sorted(unknown))}")
    spelling = str(given.get("fault", ""))
    match = _SPELLING.fullmatch(spelling)
    kind = match["kind"] if match else ""
    if match is None or kind not in _KINDS:
        raise ValueError(f"unknown fault: {spelling!r} (known: {', '.join(_KINDS)})")
    value = match["value"] or ""
    _check_value(spelling, _KINDS[kind], value, match["status"])
    counts = []
    for name in ("nth", "times"):
        count = given.get(name, 1)
        if not isinstance(count, int) or count < 1:
            raise ValueError(f"{name} must be a number from 1, not {count!r}")
        counts.append(count)
    operation = str(given.get("operation", "*"))
    return Fault(operation, kind, value, int(match["status"] or 0), nth=counts[0], times=counts[1])


def error_response(request: etree._Element, code: str) -> etree._Element:
    """The response to `request` in which every message is the error `code`."""
    operation = etree.QName(request).localname.removesuffix("Request")
    response = etree.Element(m(operation + "Response"), nsmap=NSMAP)
    messages = etree.SubElement(response, m("ResponseMessages"))
    for _ in range(_message_count(request)):
        message = etree.SubElement(messages, m(operation + "ResponseMessage"), ResponseClass="Error")
        etree.SubElement(message, m("MessageText")).text = f"{code} was asked for."
        etree.SubElement(message, m("ResponseCode")).text = code
        etree.SubElement(message, m("DescriptiveLinkKey")).text = "0"
        for name, text in _CONTENT.get(operation, ()):
            etree.SubElement(message, m(name)).text = text or None
    return response


def busy_fault(back_off: float) -> bytes:
    """ErrorServerBusy in the words by which clients know it; with BackOffMilliseconds as the first value if not 0."""
    values = [("BackOffMilliseconds", str(int(back_off)))] if back_off else []
    values += [("Policy", "MaxConcurrency"), ("MaxConcurrencyLimit", "27")]
    values += [("ErrorMessage", "This operation exceeds the throttling budget for policy part 'MaxConcurrency'.")]
    text = "The server cannot service this request right now. Try again later."
    return fault("ErrorServerBusy", text, values=values)


def without_commit_time(response: etree._Element) -> None:
    """Take 0x670A PidTagLocalCommitTimeMax out of a response, as servers answer that do not keep it."""
    for name in list(response.iter(t("ExtendedFieldURI"))):
        tag = name.get("PropertyTag")
        owner = name.getparent()
        if tag is not None and int(tag, 0) == 0x670A and owner is not None:
            container = owner.getparent()
            if container is not None:
                container.remove(owner)


def bend(request: etree._Element, quirks: Quirks) -> None:
    """Change a request to what an odd server makes of it; raises RequestFault for what it does not take."""
    if quirks.hierarchy_500 and _is_rich_hierarchy_sync(request):
        raise RequestFault("ErrorInternalServerError", "An internal server error occurred.")
    if quirks.ignore_change_keys and request.tag == m("UpdateItem"):
        request.set("ConflictResolution", "AlwaysOverwrite")


def _is_rich_hierarchy_sync(request: etree._Element) -> bool:
    """Whether it is a SyncFolderHierarchy that asks for anything but bare ids."""
    if request.tag != m("SyncFolderHierarchy"):
        return False
    base = request.find(f".//{{{T}}}BaseShape")
    extra = request.find(f".//{{{T}}}AdditionalProperties")
    return extra is not None or (base is not None and base.text != "IdOnly")


def _check_value(spelling: str, wanted: str, value: str, status: str | None) -> None:
    checks: dict[str, Callable[[], bool]] = {
        "": lambda: not value and not status,
        "number": lambda: _is_number(value) and not status,
        "number?": lambda: (not value or _is_number(value)) and not status,
        "code": lambda: value.startswith("Error") and value.isalnum() and not status,
        "status": lambda: status is not None and (not value or _is_number(value)),
    }
    if not checks[wanted]():
        raise ValueError(f"not a complete fault: {spelling!r}")


def _is_number(text: str) -> bool:
    return re.fullmatch(r"\d+(\.\d+)?", text) is not None


def _message_count(request: etree._Element) -> int:
    for name in _COUNTED:
        container = request.find(m(name))
        if container is not None:
            return max(1, len(container))
    return 1
