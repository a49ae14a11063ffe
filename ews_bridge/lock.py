"""One run at a time for each account: an advisory lock that names its holder, and ends with the process that holds it."""

from __future__ import annotations

import fcntl
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from ews_bridge.errors import Busy
from ews_bridge.errors import CannotCreate


@contextmanager
def held(path: Path, *, wait: float) -> Iterator[None]:
    """Hold the lock for the block. Raises Busy, with the holder's process number, when it is not free within `wait` seconds."""
    try:
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    except OSError as error:
        raise CannotCreate(f"cannot make the lock {path}: {error.strerror}") from error
    try:
        end = time.monotonic() + wait
        while not _taken(descriptor):
            if time.monotonic() >= end:
                holder = os.pread(descriptor, 200, 0).decode(errors="replace").strip() or "unknown"
                raise Busy(f"another run holds the lock: {holder}", hint="wait for it, or give more time with --wait")
            time.sleep(0.05)
        os.ftruncate(descriptor, 0)
        os.pwrite(descriptor, f"process {os.getpid()} since {time.strftime('%Y-%m-%d %H:%M:%S')}\n".encode(), 0)
        yield
    finally:
        os.close(descriptor)


def _taken(descriptor: int) -> bool:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True
