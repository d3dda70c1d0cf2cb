"""A line on the terminal that names the pass under way, once a run takes long; the only import of rich."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from threading import Lock, Timer
from time import monotonic
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from rich.progress import Progress

SECONDS: float = 1.0
"""How long a run may take before it says what it does."""
Tell = Callable[[str], None]
_DUMB: Final = ("", "dumb", "unknown")


def silent(text: str) -> None:
    """Tells nobody."""


@contextmanager
def progress(what: str, *, quiet: bool = False) -> Iterator[Tell]:
    """Show "pass what, seconds" on standard error while the block runs, if a person sees it there; nothing stays.

    The block calls what it gets with the name of each pass as it begins.
    """
    if quiet or not _is_seen():
        yield silent
        return
    line = _Line(what)
    timer = Timer(SECONDS, line.show)
    timer.daemon = True
    timer.start()
    try:
        yield line.tell
    finally:
        timer.cancel()
        line.clear()


def _is_seen() -> bool:
    """Whether a person looks at a terminal that can take a line back."""
    return sys.stderr.isatty() and os.environ.get("TERM", "") not in _DUMB and not os.getenv("CI")


class _Line:
    """The line; shown by a timer's thread while the run's own goes on."""

    def __init__(self, what: str) -> None:
        self._what, self._text = what, ""
        self._begun = monotonic()
        self._shown: Progress | None = None
        self._done = False
        self._lock = Lock()

    def tell(self, text: str) -> None:
        self._text = text
        with self._lock:
            if self._shown is not None:
                self._shown.update(self._shown.task_ids[0], description=self._described())

    def show(self) -> None:
        from rich.console import Console
        from rich.progress import Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

        with self._lock:
            if self._done:
                return
            columns = (SpinnerColumn(), TextColumn("{task.description}", markup=False))
            self._shown = Progress(
                *columns,
                TimeElapsedColumn(),
                console=Console(stderr=True),
                transient=True,  # nothing stays
                redirect_stdout=False,
                redirect_stderr=False,
            )
            task = self._shown.add_task(self._described(), total=None)
            self._shown.tasks[task].start_time = self._begun
            self._shown.start()

    def clear(self) -> None:
        with self._lock:
            self._done = True
            if self._shown is not None:
                self._shown.stop()

    def _described(self) -> str:
        return f"{self._text} {self._what}"
