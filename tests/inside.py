"""Commands in the test's own process: same settings, files and sockets as in a process of their own, half a second earlier.

What is about processes (signals, locks, users, environment) is not for here.
"""

from __future__ import annotations

import contextlib
import io
import os
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from ews_bridge.cli import main
from tests.mirror import Ran
from tests.mirror import User


@dataclass
class Inside(User):
    """A user whose commands run here."""

    def run(self, *arguments: str, **_: object) -> Ran:
        out, err = io.StringIO(), io.StringIO()
        handler = signal.getsignal(signal.SIGTERM)
        with self._environment(), contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
            try:
                code = main(list(arguments))
            finally:
                signal.signal(signal.SIGTERM, handler)
        return Ran(code, out.getvalue(), err.getvalue())

    @contextmanager
    def _environment(self) -> Iterator[None]:
        before = dict(os.environ)
        wanted = self.environment()
        try:
            for name in before.keys() - wanted.keys():
                del os.environ[name]
            os.environ.update(wanted)
            yield
        finally:
            for name in os.environ.keys() - before.keys():
                del os.environ[name]
            os.environ.update(before)
