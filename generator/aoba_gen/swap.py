"""A folder for another at one stroke: whoever looks sees the old one or the new one, and never some of each."""

from __future__ import annotations

import errno
import os
import shutil
import stat
from collections.abc import Collection
from contextlib import suppress
from pathlib import Path
from typing import Final

NEW: Final = "new"
OLD: Final = "old"
"""What stands in a staging folder: the folder to come, and the one that was, where two steps are needed."""

_AT_FDCWD: Final = -100
_RENAME_EXCHANGE: Final = 2
_UNABLE: Final = frozenset({errno.ENOSYS, errno.EINVAL, errno.EOPNOTSUPP})


def mirror(source: Path, target: Path, without: Collection[str]) -> None:
    """Make `target` a folder with all that is in `source`, but for the files at these paths below it.

    Files are linked, which needs no room and keeps whatever is special about them; where there are no links, copied.
    """
    os.mkdir(target)
    with os.scandir(source) as entries:
        for entry in entries:
            place = target / entry.name
            if entry.is_dir(follow_symlinks=False):
                mirror(Path(entry.path), place, _below(entry.name, without))
            elif entry.name not in without:
                try:
                    os.link(entry.path, place, follow_symlinks=False)
                except OSError:
                    shutil.copy2(entry.path, place, follow_symlinks=False)
    with suppress(OSError):  # times and modes; on some systems there are none
        shutil.copystat(source, target)


def put_in_place(staging: Path, folder: Path) -> None:
    """Let `staging`/new be `folder`, and what was there be in `staging`.

    One step on Linux, if the file system can; else two, and a run killed between them leaves no folder until `heal`.
    """
    new = staging / NEW
    if not os.path.lexists(folder):
        os.rename(new, folder)
    elif not _exchanged(new, folder):
        os.rename(folder, staging / OLD)
        try:
            os.rename(new, folder)
        except BaseException:
            os.rename(staging / OLD, folder)
            raise


def take_back(staging: Path, folder: Path) -> None:
    """Undo `put_in_place`."""
    new, old = staging / NEW, staging / OLD
    if os.path.lexists(new):
        _exchanged(new, folder)
        return
    os.rename(folder, new)
    if os.path.lexists(old):
        os.rename(old, folder)


def heal(staging: Path, folder: Path) -> None:
    """Put the old folder back, where a run was killed before the new one was in its place."""
    if not os.path.lexists(folder) and os.path.lexists(staging / OLD):
        os.rename(staging / OLD, folder)


def rescue(old: Path, folder: Path, without: Collection[str]) -> None:
    """Take over into `folder` what somebody put into `old` while it was being replaced."""
    with suppress(OSError), os.scandir(old) as entries:
        for entry in entries:
            place = folder / entry.name
            if entry.is_dir(follow_symlinks=False):
                if os.path.lexists(place):
                    rescue(Path(entry.path), place, _below(entry.name, without))
            elif entry.name not in without and not _is_same(Path(entry.path), place):
                os.replace(entry.path, place)


def _below(name: str, paths: Collection[str]) -> list[str]:
    """Those of the paths that lead through the folder of that name, from there on."""
    return [path.removeprefix(f"{name}/") for path in paths if path.startswith(f"{name}/")]


def _is_same(one: Path, other: Path) -> bool:
    """Whether both are one file, or a copy that has not been changed since."""
    try:
        first, second = os.lstat(one), os.lstat(other)
    except OSError:
        return False
    if first.st_ino == second.st_ino:
        return True
    return stat.S_IFMT(first.st_mode) == stat.S_IFMT(second.st_mode) and (
        (first.st_size, first.st_mtime_ns) == (second.st_size, second.st_mtime_ns)
    )


def _exchanged(one: Path, other: Path) -> bool:
    """Whether the two have changed places at one stroke; raises OSError where that is known and failed."""
    import ctypes  # slow to import; here we write

    try:
        rename = ctypes.CDLL(None, use_errno=True).renameat2
    except (AttributeError, OSError, TypeError):  # another system
        return False
    names = os.fsencode(one), os.fsencode(other)
    if rename(_AT_FDCWD, names[0], _AT_FDCWD, names[1], _RENAME_EXCHANGE) == 0:
        return True
    number = ctypes.get_errno()
    if number in _UNABLE:
        return False
    raise OSError(number, os.strerror(number), str(other))
