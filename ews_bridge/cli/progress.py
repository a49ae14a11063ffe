"""Progress: one line on a terminal, rewritten in place, gone at the end. Nothing where stderr is no terminal.

work: downloading 3,120/20,000  410/s  14.2 MB/s  41 s left
"""

from __future__ import annotations

import os
import sys
import threading
import time
from collections.abc import Callable
from types import TracebackType

import click

from ews_bridge.cli import output

SECONDS_BETWEEN = 0.1  # ten lines a second are smooth; more cost more than they tell
SETTLED = 1.0  # seconds after which a rate means something


class Progress:
    """The engine's `sync.Progress`, to be left with `with`. May be told of progress by several threads.

    `on_step` gets what `step` is told, while no line stands in its way. `shown`: nobody asked for silence.
    """

    def __init__(self, account: str, *, shown: bool, on_step: Callable[[str], None] | None = None) -> None:
        self._account = account
        self._shown = shown and sys.stderr.isatty()
        self._on_step = on_step
        self._lock = threading.Lock()
        self._name = ""
        self._total: int | None = None
        self._items = self._bytes = 0
        self._began = self._drawn = 0.0
        self._visible = False

    def phase(self, name: str, total: int | None) -> None:
        """Something new begins: what it is, and of how many items, if that is known."""
        with self._lock:
            self._name, self._total = name, total
            self._items = self._bytes = 0
            self._began = time.monotonic()
            self._draw(time.monotonic())

    def advance(self, items: int, bytes: int) -> None:
        """So many more items are done, of so many bytes."""
        with self._lock:
            self._items += items
            self._bytes += bytes
            now = time.monotonic()
            if now - self._drawn >= SECONDS_BETWEEN:
                self._draw(now)

    def step(self, text: str) -> None:
        """One change that is, or would be, made."""
        if self._on_step is not None:
            with self._lock:
                self._clear()
                self._on_step(text)

    def ask(self, question: str) -> bool | None:
        """Yes, no, or later (None), as the user says on the terminal."""
        with self._lock:
            self._clear()
            try:
                asked = f"{question} Yes, no, later"
                said = click.prompt(asked, default="later", value_proc=_answer, err=True, prompt_suffix="? ")
            except click.Abort as abort:
                if isinstance(abort.__context__, EOFError):  # ^D
                    return None
                raise
            return {"yes": True, "no": False}.get(said)

    def __enter__(self) -> Progress:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        with self._lock:
            self._clear()
            self._shown = False  # a worker that is late must not draw below the summary

    def _draw(self, now: float) -> None:
        if not self._shown or not self._name or self._total == 0:
            return
        self._drawn, self._visible = now, True
        text = line(f"{self._account}: {self._name}", self._items, self._total, self._bytes, now - self._began)
        try:
            columns = os.get_terminal_size(sys.stderr.fileno()).columns
        except OSError:
            columns = 80
        sys.stderr.write(f"\r\x1b[K{_cut(output.printable(text), (columns or 80) - 1)}")
        sys.stderr.flush()

    def _clear(self) -> None:
        if self._visible:
            sys.stderr.write("\r\x1b[K")
            sys.stderr.flush()
            self._visible = False


def line(what: str, items: int, total: int | None, bytes: int, seconds: float) -> str:
    """What the terminal shows after so many seconds of a phase."""
    parts = [f"{what} {items:,}/{total:,}" if total is not None else f"{what} {items:,}" if items else what]
    if items and seconds >= SETTLED:
        parts.append(f"{items / seconds:,.0f}/s" if items >= 10 * seconds else f"{items / seconds:.1f}/s")
        if bytes:
            parts.append(f"{output.size(bytes / seconds)}/s")
        if total is not None and total > items:
            left = (total - items) * seconds / items
            parts.append(f"{output.duration(left) if left >= 60 else f'{left:.0f} s'} left")
    return "  ".join(parts)


def _answer(said: str) -> str:
    """One of the words of which this is a beginning."""
    found = next((word for word in ("yes", "no", "later") if said and word.startswith(said.lower())), None)
    if found is None:
        raise click.BadParameter("yes, no or later?")
    return found


def _cut(text: str, columns: int) -> str:
    while output.width(text) > columns:
        text = text[:-1]
    return text
