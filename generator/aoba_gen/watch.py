"""Waits for changes below folders; the only import of watchfiles, which the extra `watch` installs."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

from .history import KINDS


class NoWatcher(Exception):
    """watchfiles is not installed."""


def changes(folders: Iterable[Path], ours: Callable[[Path], bool]) -> Iterator[frozenset[Path]]:
    """Once at once with nothing, when no later change will be missed; then what has changed, until interrupted.

    Told are files that a document may consist of; not those that are `ours`, which we write.
    """
    try:
        from watchfiles import Change, DefaultFilter, watch
    except ImportError:
        raise NoWatcher from None
    ignored = DefaultFilter()

    def matters(change: Change, path: str) -> bool:
        place = Path(path)
        is_part = place.suffix.lower() in KINDS and not place.name.startswith(".")
        return is_part and ignored(change, path) and not ours(place)

    is_first = True
    for found in watch(
        *folders,
        watch_filter=matters,
        raise_interrupt=False,
        yield_on_timeout=True,
        rust_timeout=200,
    ):
        if found or is_first:
            yield frozenset(Path(path) for _, path in found)
        is_first = False
