"""Run the program and kill it at its n-th call that touches disk, database or network.

`python -m tests.fuse N COUNT_FILE ARG...`, and with `ews-send` as the first ARG that program

SIGKILL, so nothing is cleaned up. Nothing in the program knows of it: the interpreter's profiling hook sees every call of a
C function, and the ones below count, in all threads. With N = 0 nothing is killed; the number of calls, and each call's
name in order, go to COUNT_FILE.
"""

from __future__ import annotations

import os
import signal
import sys
import threading
from types import FrameType
from typing import Any

POINTS = {
    "open",
    "write",
    "fsync",
    "rename",
    "replace",
    "unlink",
    "rmdir",
    "mkdir",
    "utime",
    "link",
    "sendall",
    "recv_into",
    "execute",
    "executemany",
}
MODULES = {"posix", "_io", "io", None}


def main(argv: list[str]) -> int:
    stop, count_file, arguments = int(argv[0]), argv[1], argv[2:]
    names: list[str] = []
    lock = threading.Lock()

    def hook(frame: FrameType, event: str, function: Any) -> None:
        if event != "c_call" or function.__name__ not in POINTS or function.__module__ not in MODULES:
            return
        if "importlib" in frame.f_code.co_filename or "/tests/" in frame.f_code.co_filename:
            return
        with lock:
            names.append(f"{function.__qualname__} in {os.path.basename(frame.f_code.co_filename)}:{frame.f_code.co_name}")
            if len(names) == stop:
                os.kill(os.getpid(), signal.SIGKILL)

    if arguments[:1] == ["ews-send"]:
        from ews_bridge.sendmail import main as send
    else:
        from ews_bridge.cli import main as program

    threading.setprofile(hook)
    sys.setprofile(hook)
    sys.argv = ["ews-bridge", *arguments]
    try:
        if arguments[:1] == ["ews-send"]:
            sys.argv = arguments
            return send()
        return program(arguments)
    finally:
        sys.setprofile(None)
        if not stop:
            with open(count_file, "w", encoding="utf-8") as file:
                file.write("\n".join(names))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
