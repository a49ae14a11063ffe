"""Mailboxes that begin with the contacts of .vcf files and the tasks of .ics files."""

from __future__ import annotations

from pathlib import Path

from . import vcards
from . import vtodos
from .store import Folder
from .store import Item
from .world import Mailbox


def load_contacts(mailbox: Mailbox, root: Path) -> None:
    """Load the *.vcf files below `root` as contacts and lists.

    Those of `root` and of a directory that is named like the well-known folder go to that folder, others to a folder of the
    directory's name within it.
    """
    found = [(path, path.read_text("utf-8", "replace")) for path in sorted(root.rglob("*.vcf")) if path.is_file()]
    known: dict[str, Item] = {}
    # Groups come last: they may name any of the others.
    for path, text in sorted(found, key=lambda pair: vcards.is_group(pair[1])):
        vcards.load(_special_folder(mailbox, "contacts", path.parent.relative_to(root)), text, known)


def load_tasks(mailbox: Mailbox, root: Path) -> None:
    """Load the tasks in *.ics files below `root`, into folders as contacts."""
    for path in sorted(root.rglob("*.ics")):
        text = path.read_text("utf-8", "replace") if path.is_file() else ""
        if "BEGIN:VTODO" in text:
            vtodos.load(_special_folder(mailbox, "tasks", path.parent.relative_to(root)), text)


def _special_folder(mailbox: Mailbox, distinguished: str, path: Path) -> Folder:
    """The well-known folder, or the one of that path in it."""
    folder = mailbox.folder(distinguished)
    for name in path.parts[1:] if path.parts[:1] and path.parts[0].lower() == distinguished else path.parts:
        here = next((child for child in folder.children if child.name.lower() == name.lower()), None)
        folder = here or mailbox.create_folder(folder, name, folder.folder_class)
    return folder
