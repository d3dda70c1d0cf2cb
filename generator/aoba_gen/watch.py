"""Waits for changes below folders; the only import of watchfiles, which the extra `watch` installs."""

from __future__ import annotations

import stat
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Final

from .history import KINDS

_KINDS: Final = KINDS | {".j2"}
_TICK: Final = 200
"""Milliseconds after which the folders are looked for again."""


class NoWatcher(Exception):
    """watchfiles is not installed."""


def changes(
    folders: Callable[[], Iterable[Path]], ours: Callable[[Path], bool]
) -> Iterator[frozenset[Path]]:
    """Once at once with nothing, when no later change will be missed; then what has changed, until `KeyboardInterrupt`.

    `folders` is asked again and again: one that goes and comes back, or comes first now, is watched from then on, and that
    is told with nothing too. Told are files that a document may consist of, and templates; not those that are `ours`,
    which we write.
    """
    try:
        from watchfiles import Change, DefaultFilter, watch
    except ImportError:
        raise NoWatcher from None
    ignored = DefaultFilter()
    watched: dict[Path, int] = {}
    lost: list[Path] = []

    def matters(change: Change, path: str) -> bool:
        place = Path(path)
        if place in watched and change is Change.deleted:
            lost.append(place)  # another folder may have its inode by the time that we look
        is_part = place.suffix.lower() in _KINDS and not place.name.startswith(".")
        return is_part and ignored(change, path) and not ours(place)

    while True:
        watched = _standing(folders())
        if not watched:
            time.sleep(_TICK / 1000)
            continue
        lost.clear()
        is_first = True
        for found in watch(
            *watched,
            watch_filter=matters,
            yield_on_timeout=True,
            rust_timeout=_TICK,
        ):
            if found or is_first:
                yield frozenset(Path(path) for _, path in found)
            is_first = False
            if lost or _standing(folders()) != watched:
                break


def _standing(folders: Iterable[Path]) -> dict[Path, int]:
    """Those of the folders that are there, with their inodes."""
    found = {}
    for folder in sorted(folders):
        with suppress(OSError):
            about = folder.stat()
            if stat.S_ISDIR(about.st_mode):
                found[folder] = about.st_ino
    return found
