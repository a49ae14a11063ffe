"""The whole world in one SQLite file: `save` writes it beside and renames it into place, `load` reads it back.

Values are JSON or bytes; nothing in the file is ever executed.  What synchronisation states depend on is kept too, so
clients can go on where they were.
"""

from __future__ import annotations

import base64
import datetime as dt
import json
import os
import sqlite3
from collections.abc import Callable
from contextlib import closing
from dataclasses import asdict
from os import PathLike
from pathlib import Path
from typing import Any

from . import people
from .mapi import Bag
from .mapi import PropertyName
from .mapi import Value
from .mapi import format_value
from .mapi import parse_value
from .people import OutOfOffice
from .people import Person
from .rights import Grant
from .store import Folder
from .store import Item
from .store import Overlay
from .store import Tombstone
from .world import Delivery
from .world import Mailbox
from .world import World

APPLICATION = 0x45575342  # "EWSB"
FORMAT = 2
TABLES = """
CREATE TABLE world (key TEXT PRIMARY KEY, value TEXT NOT NULL);
CREATE TABLE mailboxes (address TEXT PRIMARY KEY, data TEXT NOT NULL);
CREATE TABLE folders (address TEXT NOT NULL, key INTEGER PRIMARY KEY, parent INTEGER, data TEXT NOT NULL);
CREATE TABLE tombstones (folder INTEGER NOT NULL, key INTEGER NOT NULL, arrived INTEGER NOT NULL, left INTEGER NOT NULL);
CREATE TABLE items (folder INTEGER NOT NULL, key INTEGER PRIMARY KEY, mime BLOB NOT NULL, data TEXT NOT NULL);
"""
ITEM_FIELDS = (
    *("item_class", "kind", "received", "created", "modified", "read", "draft", "uid", "change", "arrived_change"),
    *("content_change", "read_change", "edited", "mime_broken", "attachment_numbers", "next_attachment"),
)
FOLDER_FIELDS = (
    *("name", "folder_class", "distinguished", "hidden", "search", "created", "modified", "commit", "change"),
    *("arrived_change", "removed_total", "next_uid", "oldest_state"),
)


def save(world: World, path: str | PathLike[str]) -> None:
    """Write `world` to `path`, completely or not at all."""
    target = Path(path)
    draft = target.with_name(f"{target.name}.{os.getpid()}.tmp")
    draft.unlink(missing_ok=True)
    try:
        with closing(sqlite3.connect(draft, isolation_level=None)) as database:
            database.executescript(f"PRAGMA journal_mode = OFF; PRAGMA application_id = {APPLICATION}; BEGIN; {TABLES}")
            _write(world, database)
            database.execute("COMMIT")
        descriptor = os.open(draft, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
        os.replace(draft, target)
    except BaseException:
        draft.unlink(missing_ok=True)
        raise
    directory = os.open(target.parent, os.O_RDONLY)
    try:
        os.fsync(directory)
    finally:
        os.close(directory)


def _write(world: World, database: sqlite3.Connection) -> None:
    state = world.random.getstate()
    facts = {
        "format": FORMAT,
        "mime": world.mime,
        "language": world.language,
        "change": world.change,
        "number": world.number,
        "sent": world.sent,
        "grants": sorted([one.user, one.owner, one.path, one.name] for one in world.grants),
        "random": [state[0], list(state[1]), state[2]],
        "directory": [_pack_person(one) for one in world.directory.values()],
        "deliveries": [[one.sender, list(one.recipients), one.message_id, one.at] for one in world.deliveries],
    }
    database.executemany("INSERT INTO world VALUES (?, ?)", [(key, json.dumps(value)) for key, value in facts.items()])
    for key, mailbox in world.users.items():
        data = {
            "address": mailbox.address,
            "password": mailbox.password,
            "display_name": mailbox.display_name,
            "guid": mailbox.guid,
            "epoch": mailbox.epoch,
            "oof": asdict(mailbox.oof),
            "root": mailbox.root.key,
            "folder_changes": mailbox.folder_changes,
            "folder_tombstones": [
                [number, gone.arrived, gone.left, inside] for number, (gone, inside) in mailbox.folder_tombstones.items()
            ],
            "configurations": [[where, name, entries] for (where, name), entries in mailbox.configurations.items()],
        }
        database.execute("INSERT INTO mailboxes VALUES (?, ?)", (key, json.dumps(data)))
        for folder in [mailbox.root, *mailbox.root.descendants()]:
            _write_folder(key, folder, database)


def _write_folder(address: str, folder: Folder, database: sqlite3.Connection) -> None:
    data = {name: getattr(folder, name) for name in FOLDER_FIELDS} | {"props": _pack(folder.props)}
    parent = folder.parent.key if folder.parent else None
    database.execute("INSERT INTO folders VALUES (?, ?, ?, ?)", (address, folder.key, parent, json.dumps(data)))
    database.executemany(
        "INSERT INTO tombstones VALUES (?, ?, ?, ?)",
        [(folder.key, key, gone.arrived, gone.left) for key, gone in folder.tombstones.items()],
    )
    database.executemany(
        "INSERT INTO items VALUES (?, ?, ?, ?)",
        ((folder.key, one.key, one.mime, _pack_item(one)) for one in folder.items.values()),
    )


def _pack_item(item: Item) -> str:
    data = {name: getattr(item, name) for name in ITEM_FIELDS}
    data["search_key"] = item.search_key.hex()
    data["props"] = _pack(item.props)
    data["declared"] = {name: xml.decode("utf-8") for name, xml in item.declared.items()}
    data["deleted"] = sorted(item.deleted)
    data["exceptions"] = [[day, _pack_overlay(one)] for day, one in item.exceptions.items()]
    return json.dumps(data)


def _pack_overlay(overlay: Overlay) -> dict[str, object]:
    return {
        "props": _pack({name: kept for name, kept in overlay.props.items() if kept is not None}),
        "no_props": [name for name, kept in overlay.props.items() if kept is None],
        "declared": {name: xml and xml.decode("utf-8") for name, xml in overlay.declared.items()},
        "mime": base64.b64encode(overlay.mime).decode("ascii") if overlay.mime is not None else None,
        "attachment_numbers": overlay.attachment_numbers,
    }


def _unpack_overlay(data: dict[str, Any]) -> Overlay:
    kept: dict[PropertyName, tuple[str, Value] | None] = {**_unpack(data["props"])}
    kept |= {name if isinstance(name, int) else (str(name[0]), name[1]): None for name in data["no_props"]}
    declared = {name: xml and xml.encode("utf-8") for name, xml in data["declared"].items()}
    mime = base64.b64decode(data["mime"]) if data["mime"] is not None else None
    return Overlay(kept, declared, mime, tuple(data["attachment_numbers"]))


def _pack_person(person: Person) -> dict[str, object]:
    return asdict(person) | {"photo": person.photo.hex(), "certificate": person.certificate.hex()}


def _unpack_person(packed: dict[str, Any]) -> Person:
    pairs = {name: tuple((key, text) for key, text in packed[name]) for name in ("phones", "postal")}
    lists = {name: tuple(packed[name]) for name in ("other_addresses", "members")}
    contents = {name: bytes.fromhex(packed[name]) for name in ("photo", "certificate")}
    return Person(**packed | pairs | lists | contents)


def _pack(bag: Bag) -> list[list[object]]:
    return [[name, kind, format_value(kind, value)] for name, (kind, value) in bag.items()]


def _unpack(packed: list[tuple[int | list[str | int], str, list[str]]]) -> Bag:
    bag: Bag = {}
    for name, kind, texts in packed:
        key: PropertyName = name if isinstance(name, int) else (str(name[0]), name[1])
        bag[key] = (kind, parse_value(kind, texts))
    return bag


def load(path: str | PathLike[str], *, clock: Callable[[], dt.datetime]) -> World:
    """Read what `save` wrote; ValueError if the file is not such a file, FileNotFoundError if there is none."""
    if not Path(path).exists():
        raise FileNotFoundError(f"no such file: {os.fspath(path)}")
    try:
        with closing(sqlite3.connect(f"file:{Path(path).absolute().as_posix()}?mode=ro", uri=True)) as database:
            if database.execute("PRAGMA application_id").fetchone()[0] != APPLICATION:
                raise ValueError(f"not a sandbox data file: {os.fspath(path)}")
            return _read(database, clock)
    except sqlite3.DatabaseError as failure:
        raise ValueError(f"not a sandbox data file: {os.fspath(path)}") from failure


def _read(database: sqlite3.Connection, clock: Callable[[], dt.datetime]) -> World:
    facts = {key: json.loads(value) for key, value in database.execute("SELECT key, value FROM world")}
    if facts["format"] != FORMAT:
        raise ValueError(f"a sandbox data file of format {facts['format']}, this version reads {FORMAT}")
    world = World(mime=facts["mime"], language=facts["language"], clock=clock)
    world.change, world.number, world.sent = facts["change"], facts["number"], facts["sent"]
    world.grants = {Grant(*one) for one in facts.get("grants", [])}
    version, numbers, gauss = facts["random"]
    world.random.setstate((version, tuple(numbers), gauss))
    world.deliveries = [Delivery(sender, tuple(to), message, at) for sender, to, message, at in facts["deliveries"]]
    people.enter(world, *map(_unpack_person, facts.get("directory", ())))
    for key, text in database.execute("SELECT address, data FROM mailboxes ORDER BY rowid"):
        data = json.loads(text)
        mailbox = Mailbox(world, data["address"], data["password"], data["display_name"], data["guid"])
        world.users[key] = mailbox
        mailbox.epoch = data["epoch"]
        mailbox.oof = OutOfOffice(**data.get("oof", {}))
        mailbox.folder_changes = [(change, number) for change, number in data["folder_changes"]]
        mailbox.folder_tombstones = {
            number: (Tombstone(arrived, left), inside) for number, arrived, left, inside in data["folder_tombstones"]
        }
        mailbox.configurations = {(where, name): entries for where, name, entries in data["configurations"]}
        _read_folders(database, key, mailbox)
        mailbox.root = mailbox.folders[data["root"]]
    return world


def _read_folders(database: sqlite3.Connection, address: str, mailbox: Mailbox) -> None:
    # Parents were written before their children.
    rows = database.execute("SELECT key, parent, data FROM folders WHERE address = ? ORDER BY key", (address,)).fetchall()
    for key, _, text in rows:
        data = json.loads(text)
        folder = Folder(mailbox, None, key, data["name"], data["folder_class"])
        for name in FOLDER_FIELDS:
            setattr(folder, name, data[name])
        folder.props = _unpack(data["props"])
        mailbox.folders[key] = folder
        if folder.distinguished:
            mailbox.distinguished[folder.distinguished] = folder
    for key, parent, _ in rows:
        if parent is not None:
            mailbox.folders[key].parent = mailbox.folders[parent]
            mailbox.folders[parent].children.append(mailbox.folders[key])
    for folder in mailbox.folders.values():
        for key, arrived, left in database.execute("SELECT key, arrived, left FROM tombstones WHERE folder = ?", (folder.key,)):
            folder.tombstones[key] = Tombstone(arrived, left)
        for key, mime, text in database.execute("SELECT key, mime, data FROM items WHERE folder = ?", (folder.key,)):
            item = _read_item(mailbox, mime, json.loads(text))
            item.key, item.folder = key, folder
            folder.items[key] = item
            mailbox.items[key] = item
        folder.unread = sum(not item.read for item in folder.items.values())
        folder.arrivals = sorted((item.arrived_change, item.key) for item in folder.items.values())
        gone = [(tombstone.left, key) for key, tombstone in folder.tombstones.items()]
        folder.changes = sorted([(item.change, item.key) for item in folder.items.values()] + gone)


def _read_item(mailbox: Mailbox, mime: bytes, data: dict[str, Any]) -> Item:
    search_key, props, declared = data["search_key"], data["props"], data["declared"]
    if not isinstance(search_key, str) or not isinstance(props, list) or not isinstance(declared, dict):
        raise ValueError("damaged sandbox data file")
    item = Item(mailbox, mime=mime, item_class="", created=0, search_key=bytes.fromhex(search_key))
    for name in ITEM_FIELDS:
        setattr(item, name, data[name])
    item.props = _unpack(props)
    item.declared = {str(name): str(xml).encode("utf-8") for name, xml in declared.items()}
    item.deleted = set(data["deleted"])
    item.exceptions = {day: _unpack_overlay(one) for day, one in data["exceptions"]}
    return item
