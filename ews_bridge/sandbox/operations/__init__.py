"""The operations of the sandbox: each takes a call and its request element and returns the response element."""

from __future__ import annotations

from collections.abc import Callable

from ..markup import Element
from . import folders
from . import reading
from .call import Call as Call

Operation = Callable[[Call, Element], Element]

OPERATIONS: dict[str, Operation] = {
    "GetFolder": folders.get_folder,
    "FindFolder": folders.find_folder,
    "CreateFolder": folders.create_folder,
    "UpdateFolder": folders.update_folder,
    "MoveFolder": folders.move_folder,
    "CopyFolder": folders.copy_folder,
    "DeleteFolder": folders.delete_folder,
    "EmptyFolder": folders.empty_folder,
    "GetItem": reading.get_item,
    "FindItem": reading.find_item,
}
