"""The one place where errors become words, a hint and an exit code.

`run` is around the program, `guarded` around each account of a command that serves several. A bug is told as such, with
the file that its traceback went to; nothing secret may get into that file: it is meant to be pasted.
"""

from __future__ import annotations

import os
import platform
import re
import signal
import sys
import time
import traceback
from collections.abc import Callable
from collections.abc import Iterable
from types import FrameType

import click

from ews_bridge import __version__
from ews_bridge import config
from ews_bridge.cli import output
from ews_bridge.errors import GRAVITY
from ews_bridge.errors import EwsBridgeError
from ews_bridge.errors import UsageError

CLOSED_PIPE = 128 + signal.SIGPIPE
GRACE = 3.0  # seconds that a run may take to end after a signal; what it has not finished then, the next run finds


class Stopped(BaseException):
    """SIGINT or SIGTERM: end in good order. No Exception, so that nothing takes it for a failure of its own."""

    def __init__(self, number: int) -> None:
        super().__init__()
        self.code = 128 + number
        self.word = "interrupted" if number == signal.SIGINT else "terminated"


def run(action: Callable[[], int]) -> int:
    """Carry the program out; its exit code, whatever happens."""
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, _stop)
    try:
        code = guarded(action)
        sys.stdout.flush()
    except Stopped as stopped:
        signal.setitimer(signal.ITIMER_REAL, 0)  # it did end in good order
        output.complain(stopped.word)
        return stopped.code
    except BrokenPipeError:
        # Whoever read our output has seen enough. Python would complain once more when it flushes at exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return CLOSED_PIPE
    return code


def _stop(number: int, frame: FrameType | None) -> None:
    """Unwind, so that what is open is closed. Workers that wait for a server, or a second signal, end it where it stands."""

    stopped = Stopped(number)

    def give_up(again: int, frame: FrameType | None) -> None:
        os.write(sys.stderr.fileno(), f"ews-bridge: {stopped.word}\n".encode())
        os._exit(stopped.code)  # as safe as a crash, which is what the state is made for

    for each in (signal.SIGINT, signal.SIGTERM, signal.SIGALRM):
        signal.signal(each, give_up)
    signal.setitimer(signal.ITIMER_REAL, GRACE)
    raise stopped


def guarded(action: Callable[[], int], *, account: str = "", failed: Callable[[EwsBridgeError], None] | None = None) -> int:
    """Carry `action` out; its exit code, or that of the error that it raised, which is told (and handed to `failed`)."""
    try:
        return action()
    except EwsBridgeError as error:
        output.complain(str(error), hint=error.hint, account=account)
        if failed is not None:
            failed(error)
        return error.exit_code
    except click.ClickException as error:
        error.show()
        return UsageError.exit_code
    except (BrokenPipeError, click.exceptions.Exit):
        raise
    except Exception:  # noqa: BLE001  (the boundary)
        _tell_bug(account)
        return EwsBridgeError.exit_code


def gravest(codes: Iterable[int]) -> int:
    """The exit code for several accounts. One that has no place in GRAVITY (usage) comes before all that have."""
    return min(codes, key=lambda code: GRAVITY.index(code) if code in GRAVITY else -1, default=0)


def _tell_bug(account: str) -> None:
    text = redacted(
        f"ews-bridge {__version__}, Python {platform.python_version()}, {platform.platform()}\n"
        f"{time.strftime('%Y-%m-%d %H:%M:%S %z')}\n\n{traceback.format_exc()}"
    )
    last = text.rstrip().rsplit("\n", 1)[-1]
    output.complain(f"this is a bug in ews-bridge: {last}", account=account)
    path = config.state_home() / "bugs" / f"{time.strftime('%Y%m%d-%H%M%S')}-{os.getpid()}.log"
    try:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        with open(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600), "w", encoding="utf-8") as file:
            file.write(text)
    except OSError:
        sys.stderr.write(text)
    else:
        sys.stderr.write(f"hint: please report it with {path}\n")


def redacted(text: str) -> str:
    """Without what could be a secret in a message of a library: passwords in addresses, authorization headers."""
    text = re.sub(r"(\w+://)[^/\s@]+@", r"\1***@", text)
    return re.sub(r"(?i)\b(authorization\W{1,4}|basic |ntlm |negotiate |bearer )[A-Za-z0-9+/=._~-]{8,}.*", r"\1***", text)
