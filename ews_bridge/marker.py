"""The marker file at the root of a tree: it tells this root from another, and from an older copy of itself.

Must never be written before the tree is known to be ours, nor hold anything that a stranger may not read.
"""

import json
import os
from dataclasses import dataclass

from ews_bridge.disk import disk_error
from ews_bridge.disk import make_directory
from ews_bridge.disk import write_whole
from ews_bridge.errors import DiskError

MARKER = ".ews-bridge"


@dataclass(frozen=True, slots=True)
class Marker:
    """What the root says of itself: whose it is (a random id), how many runs have written it, and which mailbox it mirrors."""

    account: str
    generation: int
    mailbox: str = ""


def read_marker(root: str) -> Marker | None:
    """The marker, None where there is none. Raises `DiskError` for one that cannot be read or understood."""
    path = os.path.join(root, MARKER)
    try:
        with open(path, "rb") as file:
            data = json.load(file)
        return Marker(str(data["account"]), int(data["generation"]), str(data.get("mailbox", "")))
    except FileNotFoundError:
        return None
    except OSError as error:
        raise disk_error(error, f"cannot read {path}") from error
    except (ValueError, KeyError, TypeError) as error:
        raise DiskError(
            f"{path} is damaged", hint="look whether this is the right directory; if it is, remove that file"
        ) from error


def write_marker(root: str, marker: Marker) -> None:
    """Make the root if need be and write the marker, durably, in the place of the old one."""
    data = {"version": 1, "account": marker.account, "generation": marker.generation, "mailbox": marker.mailbox}
    try:
        make_directory(root)
        write_whole(os.path.join(root, MARKER), json.dumps(data).encode() + b"\n")
    except OSError as error:
        raise disk_error(error, f"cannot write {os.path.join(root, MARKER)}") from error
