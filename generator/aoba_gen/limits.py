"""Every limit on what a document may cost: its name, what it bounds, how it is raised (SECURITY.md lists them)."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Final


@dataclass(frozen=True, slots=True)
class Limits:
    """What one document with all its files may cost. `--limit NAME=N` sets a field to another value."""

    bytes: int = 16 * 1024**2
    """The bytes of all files together."""
    files: int = 200
    """The files that are read, the document among them."""
    nodes: int = 1_000_000
    """The values in a file, aliases expanded."""
    depth: int = 200
    """How deep objects and lists stand inside each other."""
    name: int = 1_000
    """The characters of a key."""
    text: int = 500_000
    """The characters of any other text."""
    fields: int = 5_000
    """The fields of one object, such as the properties of a schema or the schemas of the components."""
    items: int = 5_000
    """The items of one list, such as the values of an enum; examples and the like, which make no code, may hold more."""
    recursion: int = 5_000
    """How far Python may recurse while it follows schemas from one to the next; some 1,000 schemas."""
    seconds: int = 4
    """The processor time for understanding a document, until it is known what is to be generated, and as much again for
    each full MiB of its file; then for writing the code, and as much again for each full 16 KiB."""
    parts: int = 100_000
    """What the package is made of: classes, fields, enum members, messages, operations, parameters."""
    characters: int = 16 * 1024**2
    """The characters of all texts and names that the package repeats."""
    remote: int = 20
    """The files that are fetched from hosts which --allow-remote names."""
    wait: int = 10
    """The seconds for fetching one of them."""


NAMES: Final = tuple(field.name for field in fields(Limits))


def seconds_for(document: Path, limits: Limits) -> int:
    """The processor time that the document in a file may take to understand."""
    return limits.seconds * (1 + min(_size(document), limits.bytes) // 2**20)


def seconds_for_writing(document: Path, limits: Limits) -> int:
    """The processor time that the package of the document in a file may take to write out.

    Code takes a hundred times as long as the text that asks for it, so this grows with each 16 KiB of the file.
    """
    return limits.seconds * (1 + min(_size(document), limits.bytes) // 2**14)


def _size(document: Path) -> int:
    """How large a file is; nothing where it cannot be asked, which is told once it is read."""
    try:
        return os.path.getsize(document) if os.path.isfile(document) else 0
    except OSError:
        return 0


def raising(name: str) -> str:
    """The hint of a message about that limit."""
    return f"--limit {name}=N raises it, for a document that you trust"


class TooSlow(BaseException):
    """The time is used up; no `except Exception` on the way is to catch it."""


@contextmanager
def deadline(seconds: int) -> Iterator[None]:
    """Raises `TooSlow` after so much time of the processor, where the system can tell; only in the main thread.

    One within another counts for nothing: the outer one runs on.
    """
    if getattr(signal, "SIGPROF", None) and signal.getsignal(signal.SIGPROF) is _too_slow:
        yield
        return
    try:
        before = signal.signal(signal.SIGPROF, _too_slow)
        signal.setitimer(signal.ITIMER_PROF, seconds, 1)  # again, where something swallows it
    except (AttributeError, ValueError):  # Windows; another thread
        yield
        return
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_PROF, 0)
        signal.signal(signal.SIGPROF, before)


def _too_slow(*_: object) -> None:
    raise TooSlow
