"""Folder names of the server ⇄ directories. Pure text: no I/O, and nothing that could name a place outside the mail root.

Two stages. `escape` turns one server name, whatever is in it, into one path component, reversibly; components joined by
"/" are the *path*, the key of a folder (`store.Tree`). `directory` lays a path out as a directory below the mail root:

    layout       Inbox     A/b.c       Inbox/x      a folder that the user named INBOX
    verbatim     INBOX     A/b.c       INBOX/x      %49NBOX
    maildir++    (root)    .A.b%2Ec    .INBOX.x     .%49NBOX
    flat         INBOX     A.b%2Ec     INBOX.x      %49NBOX

Nothing here folds case or normalises Unicode: what the server calls a folder is kept code point by code point.
"""

import base64
import hashlib
import re
from collections.abc import Callable
from collections.abc import Iterator
from collections.abc import Mapping
from typing import Literal

Layout = Literal["verbatim", "maildir++", "flat"]

INBOX = "INBOX"

#: The directories of a Maildir itself: no folder may be called so, and no directory called so is a folder.
RESERVED = frozenset({"cur", "new", "tmp"})

# "" must be spelt somehow; a "%" that is not followed by two hexadecimal digits is otherwise an ordinary character.
_EMPTY = "%_"
_NAME_MAX = 255
_DIGEST = 16

# "/", control characters (C0, DEL, C1), the two separators that some terminals take for line ends, lone surrogates; a leading
# ".", which hides a file and spells ".."; a trailing space, which file managers and SMB servers drop.
_ESCAPED = re.compile(r"[/\x00-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff]|^\.| \Z|%(?=[0-9A-Fa-f]{2})")
_RUN = re.compile(r"(?:%[0-9A-Fa-f]{2})+")
_SHIFTED = re.compile(r"&([^-]*)-")
_CUT = re.compile(rf"~[0-9a-f]{{{_DIGEST}}}\Z")


def escape(name: str) -> str:
    """One folder name as one path component: never empty, ".", "..", "cur", "new", "tmp", nor with "/" or NUL in it."""
    if name == "":
        return _EMPTY
    if name == _EMPTY or name in RESERVED:
        return _percent(name[0]) + name[1:]
    return _ESCAPED.sub(lambda found: _percent(found[0]), name)


def unescape(component: str) -> str:
    """The name that `escape` spelt so. What `escape` never makes ("%FF") stands for itself."""
    return "" if component == _EMPTY else _RUN.sub(lambda run: _unpercent(run[0]), component)


def from_imap(path: str) -> str:
    """What a path means that was named by an IMAP program: "Entw&APw-rfe" is "Entwürfe" (RFC 3501 §5.1.3); another as it is."""
    try:
        return _SHIFTED.sub(lambda found: _unshifted(found[1]), path)
    except ValueError:
        return path


def _unshifted(text: str) -> str:
    """The characters between "&" and "-": UTF-16 in a base64 of its own. Raises ValueError."""
    if not text:
        return "&"
    data = base64.b64decode(text.replace(",", "/") + "=" * (-len(text) % 4), validate=True)
    return data.decode("utf-16-be")


def path_of(parent_path: str, name: str, *, is_inbox: bool = False) -> str:
    """The path of a folder from its parent's ("" at the top). The Inbox is "INBOX" whatever its display name."""
    if is_inbox:
        return INBOX
    component = escape(name)
    if not parent_path and name.lower() == "inbox":
        component = _percent(name[0]) + name[1:]
    return f"{parent_path}/{component}" if parent_path else component


def directory(path: str, layout: Layout) -> str:
    """The directory of a folder, relative to the mail root; "" is the root itself.

    Components (in the other layouts than verbatim: whole names) that would pass 255 bytes are cut, see `is_cut`.
    """
    if layout == "verbatim":
        return "/".join(_cut(component) for component in path.split("/"))
    dotted = ".".join(component.replace(".", "%2E") for component in path.split("/"))
    if layout == "flat":
        return _cut(dotted)
    return "" if path == INBOX else _cut("." + dotted)


def path(directory: str, layout: Layout, long_names: Mapping[str, str] | None = None) -> str | None:
    """The path of a directory, None when it is not a folder's: hidden, reserved, or cut and not in `long_names`.

    `long_names` says what the state remembers of cut names: component → component in the verbatim layout, else directory
    → path. A directory that someone else named, with an odd character or another spelling of an escape, gets the path
    that stands for its name.
    """
    known = long_names or {}
    if layout == "verbatim":
        return _nested(directory, known)
    if directory in known:
        return known[directory]
    if directory == "" and layout == "maildir++":
        return INBOX
    if "/" in directory or is_cut(directory) or directory in RESERVED or directory.startswith(".") != (layout == "maildir++"):
        return None
    parts = directory.removeprefix(".").split(".")
    if "" in parts:
        return None
    # In maildir++ the Inbox has no name of its own: ".INBOX" is somebody's folder, ".INBOX.x" is below the Inbox.
    inbox = parts[0] == INBOX and (layout == "flat" or len(parts) > 1)
    result = path_of("", unescape(parts[0]), is_inbox=inbox)
    for part in parts[1:]:
        result = path_of(result, unescape(part))
    return result


def is_cut(component: str) -> bool:
    """Whether this is a name cut to fit: 252 to 255 bytes that end in "~" and 16 hexadecimal digits of the whole's SHA-256.

    A name that looks so by itself is cut, too: so no text can be mistaken for another's.
    """
    return len(component) > 60 and bool(_CUT.search(component)) and _NAME_MAX - 3 <= len(_bytes(component)) <= _NAME_MAX


def long_names(directories: Mapping[str, str], layout: Layout) -> dict[str, str]:
    """What is known of cut names, as `path` wants it, from what is known of directories: directory → path."""
    result = {}
    for directory, whole in directories.items():
        pairs = zip(directory.split("/"), whole.split("/"), strict=False) if layout == "verbatim" else ((directory, whole),)
        result.update({cut: full for cut, full in pairs if is_cut(cut)})
    return result


def new_keys(found: Mapping[str, str], known: Mapping[str, str], ours: Callable[[str], str]) -> Iterator[tuple[str, str]]:
    """(id, key) of each directory in `found` (id → path) that is not in `known` (id → key).

    Where two stand for one path, the one that we would have made (`ours` of the path) comes first and has it for its key;
    the others get a number.
    """
    taken = {key for id_, key in known.items() if id_ in found}
    for id_ in sorted(set(found).difference(known), key=lambda each: (ours(found[each]) != each, each)):
        key, number = found[id_], 1
        while key in taken:
            number += 1
            key = f"{found[id_]}~{number}"
        taken.add(key)
        yield id_, key


def _nested(directory: str, known: Mapping[str, str]) -> str | None:
    result = ""
    for part in directory.split("/"):
        if part in known:
            result = f"{result}/{known[part]}" if result else known[part]
        elif part == "" or part in RESERVED or part.startswith(".") or is_cut(part):
            return None
        else:
            result = path_of(result, unescape(part), is_inbox=not result and part == INBOX)
    return result


def _cut(component: str) -> str:
    whole = _bytes(component)
    if len(whole) <= _NAME_MAX and not is_cut(component):
        return component
    head = whole[: _NAME_MAX - 1 - _DIGEST].decode("utf-8", "ignore")
    return f"{head}~{hashlib.sha256(whole).hexdigest()[:_DIGEST]}"


def _bytes(text: str) -> bytes:
    return text.encode("utf-8", "surrogateescape")


def _percent(character: str) -> str:
    return "".join(f"%{byte:02X}" for byte in character.encode("utf-8", "surrogatepass"))


def _unpercent(run: str) -> str:
    try:
        return bytes.fromhex(run.replace("%", "")).decode("utf-8", "surrogatepass")
    except UnicodeDecodeError:
        return run
