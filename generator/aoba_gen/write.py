"""{path: text} against the disk: a Plan and its writing; never outside the package, but for two files beside it.

The manifest names what is ours, with the digest of what we wrote. A run builds the whole package
folder anew in a staging folder beside it, where files that stay are linked, then lets the two change
places (`swap`). So what fails or is killed has changed nothing; the next run sweeps its staging folder.
What stands beside the package follows it (`beside`): what fails is undone, and after a run that was killed
in between the manifest still knows the old files as ours.
"""

from __future__ import annotations

import errno
import os
import re
import shutil
import stat
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from enum import StrEnum
from pathlib import Path

from .beside import BESIDE, Followers, place_of
from .manifest import MANIFEST, RESERVED, Manifest, digest, is_ours_to_write, read_manifest
from .swap import NEW, OLD, heal, mirror, put_in_place, rescue, take_back

_PLAIN: int = sum(getattr(os, f"O_{flag}", 0) for flag in ("NOFOLLOW", "NONBLOCK", "BINARY"))


class State(StrEnum):
    """What the disk holds at a path, compared with what this run generated."""

    MISSING = "missing"  # generated, not on the disk
    STALE = "stale"  # ours, untouched by hand, differs
    UNCHANGED = "unchanged"  # the bytes are already right, whoever wrote them
    EXTRA = "extra"  # ours, untouched by hand, no longer generated
    EDITED = "edited"  # ours, but not the bytes that the manifest records
    FOREIGN = "foreign"  # not ours, in the way of a generated file


_KEPT = (State.EDITED, State.FOREIGN)


class Unwritable(Exception):
    """The output cannot be written; the message is one line: the path, the reason, what to do."""


@dataclass(frozen=True, slots=True)
class Change:
    """One path: `new` is None if the file is to go, `old` if it is absent or not UTF-8."""

    path: str
    state: State
    new: str | None
    old: str | None


@dataclass(frozen=True, slots=True)
class Outcome:
    """The paths that were written, already right, removed, and left alone as the user's."""

    written: tuple[str, ...]
    unchanged: tuple[str, ...]
    removed: tuple[str, ...]
    kept: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Plan:
    """What writing would do, in path order. Next: `diff` it, or `apply` it."""

    folder: Path
    changes: tuple[Change, ...]
    manifest: str  # the new manifest's text, without force
    seal: str
    origin: Mapping[str, str]  # what was generated from and by what, in parts
    before: Mapping[str, str]  # the same of what is on the disk, as far as it says so
    ours: Mapping[str, str]  # path on the disk -> the digest by which it is known as ours
    listed: bool  # the manifest on the disk lists just what was generated
    settled: bool  # that manifest is on the disk, and no killed run left anything

    @property
    def clean(self) -> bool:
        """Whether every file is there as generated and listed; the manifest may still want a new seal."""
        return self.listed and all(change.state is State.UNCHANGED for change in self.changes)

    def paths(self, *states: State) -> tuple[str, ...]:
        """The paths in one of these states, in order."""
        return tuple(change.path for change in self.changes if change.state in states)

    def touched(self, *, force: bool = False) -> tuple[Change, ...]:
        """The changes that writing makes to the disk, in order."""
        safe = (State.UNCHANGED,) if force else (State.UNCHANGED, *_KEPT)
        return tuple(change for change in self.changes if change.state not in safe)

    def outcome(self, *, force: bool = False) -> Outcome:
        """What `apply` returns if the disk stays as it is."""
        touched = self.touched(force=force)
        return Outcome(
            written=tuple(change.path for change in touched if change.new is not None),
            unchanged=self.paths(State.UNCHANGED),
            removed=tuple(change.path for change in touched if change.new is None),
            kept=() if force else self.paths(*_KEPT),
        )


def sealed(folder: Path, seal: str) -> tuple[str, ...] | None:
    """The files of a whole, unedited output with this seal; None when `plan` has to look."""
    try:
        said = read_manifest(_read(folder, MANIFEST))
        found = {p: digest(data) for p in said.files if (data := _read(folder, p)) is not None}
    except Unwritable:
        return None
    whole = seal and said.seal == seal and found == said.files and not _stagings(folder)
    return tuple(sorted(found)) if whole else None


def on_disk(folder: Path) -> Manifest:
    """What the manifest in a folder says; nothing where none can be read."""
    with suppress(Unwritable):
        return read_manifest(_read(folder, MANIFEST))
    return Manifest()


def plan(
    files: Mapping[str, str], folder: Path, seal: str, origin: Mapping[str, str] | None = None
) -> Plan:
    """Compare `files` (POSIX path in the package, or one of `BESIDE` -> text) with the disk. Raises Unwritable.

    The manifest holds `origin`, so that a later run can say what has changed since.
    """
    origin = origin or {}
    if odd := [path for path in files if not is_ours_to_write(path)]:
        raise _refusal(folder, f"{odd[0]!r} is not a plain path inside the package")
    around = next(filter(os.path.lexists, (folder.parent, *folder.parent.parents)), folder.parent)
    if not around.is_dir():
        raise _refusal(around, f"it is {_kind(around)}, not a folder; choose another folder")
    found = _read(folder, MANIFEST)
    said = read_manifest(found)
    changes: list[Change] = []
    ours: dict[str, str] = {}
    for path in sorted({*files, *said.files, *said.pending}):
        new = files.get(path)
        data = _read(folder, path)
        if data is None:
            if new is not None:
                changes.append(Change(path, State.MISSING, new, None))
            continue
        held, known = digest(data), said.files.get(path, said.pending.get(path))
        if new is not None and data == new.encode():
            state, ours[path] = State.UNCHANGED, held
        elif said.is_ours(path, held):
            state, ours[path] = State.EXTRA if new is None else State.STALE, held
        elif known is not None:
            # Kept under the digest of what was edited: it stays an edit until it is undone.
            state, ours[path] = State.EDITED, known
        else:
            state = State.FOREIGN
        old = None
        with suppress(UnicodeDecodeError):
            old = data.decode()
        changes.append(Change(path, state, new, old))
    manifest = _manifest(changes, ours, seal, origin, force=False).text()
    settled = found == manifest.encode() and not _stagings(folder)
    listed = said.files == {path: digest(text.encode()) for path, text in files.items()}
    return Plan(folder, tuple(changes), manifest, seal, origin, said.origin, ours, listed, settled)


def apply(plan: Plan, *, force: bool = False) -> Outcome:
    """Write all, with `force` over the user's changes too, or change nothing: Unwritable."""
    if not plan.touched(force=force) and plan.settled:
        return plan.outcome(force=force)
    run = _Run(plan.folder)
    try:
        run.begin()
        return run.write(plan, force)
    except OSError as error:
        raise _failure(run.at, error) from error
    finally:
        run.end()


class _Run:
    """One writing: its lock, its staging folder beside the package, and the folders it made."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.at = folder  # what is being worked on, for the message of a failure
        self.staging = folder.parent / f"{RESERVED}-{folder.name}-{os.urandom(8).hex()}"
        self.made: list[Path] = []  # folders, outermost first
        self.lock: int | None = None

    def begin(self) -> None:
        """Make the folder around the package, wait for other runs there, sweep up after killed ones."""
        self._make(self.folder.parent)
        with suppress(ImportError, OSError):  # no locks here: unique names still part the runs
            import fcntl

            self.lock = os.open(self.folder.parent, os.O_RDONLY)
            fcntl.flock(self.lock, fcntl.LOCK_EX)
            for staging in _stagings(self.folder):
                heal(staging, self.folder)
                shutil.rmtree(staging, ignore_errors=True)
        self.at = self.folder
        os.mkdir(self.staging, 0o700)

    def write(self, planned: Plan, force: bool) -> Outcome:
        """Plan again under the lock; build the whole folder anew beside the old one; let them change places."""
        files = {c.path: c.new for c in planned.changes if c.new is not None}
        now = plan(files, self.folder, planned.seal, planned.origin)
        touched, outcome = now.touched(force=force), now.outcome(force=force)
        replaced = [change.path for change in touched if change.path not in BESIDE] + [MANIFEST]
        new = self.staging / NEW
        if self.folder.is_dir():
            mirror(self.folder, new, replaced)
        else:
            os.mkdir(new)
        for path in self._gone(now):
            with suppress(OSError):  # not empty: it stays
                for place in list(Path(path).parents)[:-1]:
                    os.rmdir(new / place)
        texts = {c.path: c.new for c in touched if c.new is not None and c.path not in BESIDE}
        manifest = _manifest(now.changes, now.ours, now.seal, now.origin, force=force)
        beside = {change.path: change.new for change in touched if change.path in BESIDE}
        texts[MANIFEST] = (self._until(manifest, beside) if beside else manifest).text()
        for path, text in texts.items():
            self.at = self.folder / path
            (new / path).parent.mkdir(parents=True, exist_ok=True)
            create(new / path, text.encode())
        self.at = self.folder
        if beside:
            self._put_all(Followers(self.staging, self.folder, beside), manifest)
        else:
            put_in_place(self.staging, self.folder)
        for old in (new, self.staging / OLD):
            rescue(old, self.folder, replaced)
        return outcome

    def _until(self, manifest: Manifest, beside: Iterable[str]) -> Manifest:
        """What the manifest says until the files beside the package have followed it: both are ours."""
        found = {path: _read(self.folder, path) for path in beside}
        pending = {path: digest(data) for path, data in found.items() if data is not None}
        return replace(manifest, seal="", pending=pending)

    def _put_all(self, followers: Followers, manifest: Manifest) -> None:
        """The package, what stands beside it, and the manifest as it is to stay; all of them, or none."""
        settled = self.staging / MANIFEST
        for place, text in (followers.waiting() | {settled: manifest.text()}).items():
            create(place, text.encode())
        followers.keep()
        put_in_place(self.staging, self.folder)
        try:
            self.at = self.folder.parent
            followers.follow()
            os.replace(settled, self.folder / MANIFEST)
        except BaseException:
            followers.undo()
            take_back(self.staging, self.folder)
            raise

    def _gone(self, now: Plan) -> list[str]:
        """The files that stood in the folder once and are no longer generated."""
        recorded = read_manifest(_read(self.folder, MANIFEST)).files
        coming = {change.path for change in now.changes if change.new is not None}
        return [path for path in recorded if path not in coming | BESIDE]

    def end(self) -> None:
        """Remove the staging folder, and folders made for nothing; let the next run in."""
        try:
            heal(self.staging, self.folder)
            shutil.rmtree(self.staging, ignore_errors=True)
            with suppress(OSError):  # not empty: it stays
                for place in reversed(self.made):
                    os.rmdir(place)
        finally:
            if self.lock is not None:
                os.close(self.lock)

    def _make(self, place: Path) -> None:
        if not place.is_dir():
            self._make(place.parent)
            self.at = place
            with suppress(FileExistsError):  # another run was quicker
                os.mkdir(place)
                self.made.append(place)


def _manifest(
    changes: Sequence[Change],
    ours: Mapping[str, str],
    seal: str,
    origin: Mapping[str, str],
    *,
    force: bool,
) -> Manifest:
    """The manifest after writing; with kept files it has no seal, so that every run names them."""
    files: dict[str, str] = {}
    for change in changes:
        if not force and change.state in _KEPT:
            seal = ""
            if change.state is State.EDITED:
                files[change.path] = ours[change.path]
        elif change.new is not None:
            files[change.path] = digest(change.new.encode())
    return Manifest(seal, files, origin)


def _read(folder: Path, path: str) -> bytes | None:
    """The bytes of a file in the package or beside it, None if absent; Unwritable if it is no plain file."""
    place = target = place_of(folder, path)
    way = [] if path in BESIDE else [folder / part for part in reversed(Path(path).parents)]
    try:
        for place in (*way, target):
            mode = os.lstat(place).st_mode
            if not (stat.S_ISREG(mode) if place is target else stat.S_ISDIR(mode)):
                wanted = "a file" if place is target else "a folder"
                raise _refusal(place, f"it is {_kind(place)}, not {wanted}; move it away")
        with open(os.open(target, os.O_RDONLY | _PLAIN), "rb") as file:
            return file.read()
    except FileNotFoundError:
        return None
    except OSError as error:
        raise _failure(place, error) from error


def create(place: Path, data: bytes) -> None:
    """Write a file that must not exist yet, down to the disk."""
    handle = os.open(place, os.O_WRONLY | os.O_CREAT | os.O_EXCL | _PLAIN, 0o644)
    with open(handle, "wb") as file:
        file.write(data)
        file.flush()
        os.fsync(handle)


def _stagings(folder: Path) -> list[Path]:
    """The staging folders of runs on that package that are under way or were killed."""
    name = re.compile(rf"{re.escape(RESERVED)}-{re.escape(folder.name)}-[0-9a-f]{{16}}")
    with suppress(OSError), os.scandir(folder.parent) as entries:
        folders = (entry.name for entry in entries if entry.is_dir(follow_symlinks=False))
        return [folder.parent / found for found in folders if name.fullmatch(found)]
    return []


def _kind(place: Path) -> str:
    kinds = {stat.S_IFLNK: "a symbolic link", stat.S_IFDIR: "a folder", stat.S_IFREG: "a file"}
    return kinds.get(stat.S_IFMT(os.lstat(place).st_mode), "a pipe, socket or device")


def reason_of(error: OSError) -> str:
    """What the system says of an error, as part of a sentence."""
    return (error.strerror or type(error).__name__).lower()


def _failure(place: Path, error: OSError) -> Unwritable:
    """The complaint for a system error."""
    advice = "make room" if error.errno in (errno.ENOSPC, errno.EDQUOT) else "make it writable"
    reason = f"{reason_of(error)}; nothing was changed; {advice} or choose another folder"
    return _refusal(place, reason)


def _refusal(place: Path, reason: str) -> Unwritable:
    shown = str(place) if str(place).isprintable() else repr(str(place))
    return Unwritable(f"{shown}: cannot write here: {reason}")
