"""Running a sandbox: in a thread for tests (`running`), as a process of its own (`serve`).

It prints nothing but the URL, and writes nothing but the ready file and the data file.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from . import rights
from . import seed
from .frontend import PATH
from .frontend import Options
from .frontend import Sandbox
from .rights import Grant
from .world import World

__all__ = ["PATH", "Options", "Sandbox", "Settings", "build_world", "running", "serve"]


@dataclass(frozen=True, slots=True)
class Settings:
    """What the command line says.

    `seed` is "demo", "empty", "bulk:COUNT[xSIZE][/FOLDERS]" or a folder of mail files (see seed.py); it counts only when
    `data` does not exist yet. `users` are addresses and passwords; the seed fills the first one's mailbox. `grants` are the
    rights of users in the mailboxes of others.
    """

    host: str = "127.0.0.1"
    port: int = 0
    users: tuple[tuple[str, str], ...] = (("alice@example.test", "secret"),)
    grants: tuple[Grant, ...] = ()
    seed: str = "demo"
    data: Path | None = None
    auth: frozenset[str] = frozenset(("basic", "ntlm"))
    mime: Literal["regenerate", "keep"] = "regenerate"
    rtt_ms: float = 0
    rate: float = 0
    ready_file: Path | None = None
    language: str = "en"


def serve(settings: Settings) -> None:
    """Serve until SIGINT or SIGTERM, then save `data`. Must run in the main thread.

    Raises OSError when the address or a file cannot be used, ValueError for settings that make no sense.
    """
    asyncio.run(_serve(settings))


def build_world(settings: Settings) -> World:
    """The world that `settings` describe: loaded from `data` where that exists, else made and filled."""
    if settings.data is not None and settings.data.exists():
        world = World.load(settings.data)
        for address, password in settings.users:
            if address.lower() not in world.users:
                world.add_user(address, password)
        rights.give(world, settings.grants)
        return world
    world = World(mime=settings.mime, language=settings.language)
    with seed.earlier(world):
        for address, password in settings.users:
            world.add_user(address, password)
        if settings.users:
            seed.fill(world, world.users[settings.users[0][0].lower()], settings.seed)
    rights.give(world, settings.grants)
    return world


@contextmanager
def running(world: World, options: Options | None = None, *, host: str = "127.0.0.1", port: int = 0) -> Iterator[Sandbox]:
    """A server in a thread of its own while the block runs."""
    sandbox = Sandbox(world, options)
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever, name="sandbox", daemon=True)
    thread.start()
    try:
        asyncio.run_coroutine_threadsafe(sandbox.start(host, port), loop).result()
        try:
            yield sandbox
        finally:
            asyncio.run_coroutine_threadsafe(sandbox.stop(), loop).result()
    finally:
        loop.call_soon_threadsafe(loop.stop)
        thread.join()
        loop.close()


async def _serve(settings: Settings) -> None:
    world = build_world(settings)
    sandbox = Sandbox(world, Options(schemes=settings.auth, rtt_ms=settings.rtt_ms, rate=settings.rate))
    asked_to_stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, asked_to_stop.set)
    await sandbox.start(settings.host, settings.port)
    try:
        if settings.ready_file is not None:
            _write_atomically(settings.ready_file, sandbox.url + "\n")
        with contextlib.suppress(BrokenPipeError):  # that nobody reads the first line is no reason to stop
            print(sandbox.url, flush=True)
        await asked_to_stop.wait()
    finally:
        await sandbox.stop()
        if settings.data is not None:
            world.save(settings.data)
    if sandbox.bugs:
        print(f"{len(sandbox.bugs)} requests ran into a bug of the sandbox, see above", file=sys.stderr)


def _write_atomically(path: Path, text: str) -> None:
    temporary = path.with_name(f".{path.name}.{os.getpid()}")
    temporary.write_text(text, encoding="utf-8")
    os.replace(temporary, path)
