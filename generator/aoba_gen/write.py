"""{path: text} against the disk: a Plan, its writing, the manifest; never outside the package.

The manifest names what is ours, with the digest of what we wrote. A run stages all in a temporary
folder inside the package folder, then moves into place a journal (the manifest plus the `pending`
digests), each file, and the new manifest. What fails is undone. What a killed run left half-way is
known by its journal: the next run clears it up, and takes none of it for hand-edited.
"""

from __future__ import annotations

import errno
import hashlib
import json
import os
import re
import stat
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

MANIFEST = ".aoba-gen.json"
_RESERVED = ".aoba-gen"
_STAGING = re.compile(r"\.aoba-gen-[0-9a-f]{16}")
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
        known, files, _ = _record(_read(folder, MANIFEST))
        found = {path: _digest(data) for path in files if (data := _read(folder, path)) is not None}
    except Unwritable:
        return None
    whole = seal and known == seal and found == files and not _stagings(folder)
    return tuple(sorted(files)) if whole else None


def plan(files: Mapping[str, str], folder: Path, seal: str) -> Plan:
    """Compare `files` (POSIX path in the package -> text) with the disk. Raises Unwritable."""
    if odd := [path for path in files if not _inside(path)]:
        raise _refusal(folder, f"{odd[0]!r} is not a plain path inside the package")
    around = next(filter(os.path.lexists, (folder.parent, *folder.parent.parents)), folder.parent)
    if not around.is_dir():
        raise _refusal(around, f"it is {_kind(around)}, not a folder; choose another folder")
    found = _read(folder, MANIFEST)
    _, recorded, pending = _record(found)
    changes: list[Change] = []
    ours: dict[str, str] = {}
    for path in sorted({*files, *recorded, *pending}):
        new = files.get(path)
        data = _read(folder, path)
        if data is None:
            if new is not None:
                changes.append(Change(path, State.MISSING, new, None))
            continue
        digest, known = _digest(data), recorded.get(path)
        if new is not None and data == new.encode():
            state, ours[path] = State.UNCHANGED, digest
        elif digest in (known, pending.get(path)):
            state, ours[path] = State.EXTRA if new is None else State.STALE, digest
        elif known is not None:
            # Kept under the digest of what was edited: it stays an edit until it is undone.
            state, ours[path] = State.EDITED, known
        elif new is not None:
            state = State.FOREIGN
        else:
            continue  # a killed run meant to write here; what stands here is someone else's
        old = None
        with suppress(UnicodeDecodeError):
            old = data.decode()
        changes.append(Change(path, state, new, old))
    manifest = _manifest(changes, ours, seal, force=False)
    settled = found == manifest.encode() and not _stagings(folder)
    listed = recorded == {path: _digest(text.encode()) for path, text in files.items()}
    return Plan(folder, tuple(changes), manifest, seal, ours, listed, settled)


def diff(plan: Plan, *, force: bool = False) -> str:
    """What `apply` would change, in git's form of a diff; kept files with `force` only."""
    import difflib

    text: list[str] = []
    for change in plan.touched(force=force):
        a, b = f"a/{change.path}", f"b/{change.path}"
        text.append(f"diff --git {a} {b}\n")
        if change.state is State.MISSING:
            text.append("new file mode 100644\n")
            a = "/dev/null"
        elif change.new is None:
            text.append("deleted file mode 100644\n")
            b = "/dev/null"
        if change.old is None and change.state is not State.MISSING:
            text.append(f"Binary files {a} and {b} differ\n")
            continue
        old, new = (re.findall(".*\n|.+", side or "") for side in (change.old, change.new))
        for line in difflib.unified_diff(old, new, a, b):
            text.append(line if line.endswith("\n") else f"{line}\n\\ No newline at end of file\n")
    return "".join(text)


def apply(plan: Plan, *, force: bool = False) -> Outcome:
    """Write all, with `force` over the user's changes too, or change nothing: Unwritable."""
    if not plan.touched(force=force) and plan.settled:
        return plan.outcome(force=force)
    run = _Run(plan.folder)
    try:
        run.begin()
        return run.write(plan, force)
    except BaseException as error:
        run.undo()
        if isinstance(error, OSError):
            raise _failure(run.at, error, run.staging if run.stuck else None) from error
        raise
    finally:
        run.end()


class _Run:
    """One writing: its lock, its staging folder, and what it takes to undo it."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.at = folder  # what is being worked on, for the message of a failure
        self.staging = folder / f"{_RESERVED}-{os.urandom(8).hex()}"
        self.made: list[Path] = []  # folders, outermost first
        self.steps: list[tuple[Path, str | None, Path, Path]] = []  # target, text, new, old
        self.reached = 0
        self.stuck = False  # the old files could not all be put back
        self.lock: int | None = None

    def begin(self) -> None:
        """Make the package folder, wait for other runs on it, sweep up after killed ones."""
        self._make(self.folder)
        with suppress(ImportError, OSError):  # no locks here: unique names still part the runs
            import fcntl

            self.lock = os.open(self.folder, os.O_RDONLY)
            fcntl.flock(self.lock, fcntl.LOCK_EX)
            _clear(*_stagings(self.folder))
        os.mkdir(self.staging, 0o700)

    def write(self, planned: Plan, force: bool) -> Outcome:
        """Plan again under the lock; stage; save the old; move: journal, files, manifest."""
        files = {c.path: c.new for c in planned.changes if c.new is not None}
        now = plan(files, self.folder, planned.seal)
        _, recorded, pending = _record(_read(self.folder, MANIFEST))
        touched, outcome = now.touched(force=force), now.outcome(force=force)
        if touched:
            coming = {path: _digest(files[path].encode()) for path in outcome.written}
            self._add(MANIFEST, _dump({"seal": "", "files": now.ours, "pending": coming}))
        for change in sorted(touched, key=lambda change: change.new is not None):
            self._add(change.path, change.new)
        self._add(MANIFEST, _manifest(now.changes, now.ours, now.seal, force=force))
        for self.at, text, new, old in self.steps:
            if text is not None:
                _create(new, text.encode())
            _save(self.at, old)
        for target, text, new, _ in self.steps:
            self.reached += 1
            self._make(target.parent)
            self.at = target
            if text is None:
                os.unlink(target)
            else:
                os.replace(new, target)
        for path in {*recorded, *pending} - files.keys():
            with suppress(OSError):  # not empty: it stays
                for place in list(Path(path).parents)[:-1]:
                    os.rmdir(self.folder / place)
        return outcome

    def undo(self) -> None:
        """Put the old files back, newest first; the journal last, and only if all are back."""
        for target, _, new, old in reversed(self.steps[: self.reached]):
            if os.path.lexists(new) or (self.stuck and target.name == MANIFEST):
                continue  # the step that failed, or the journal that the next run needs
            try:
                if os.path.lexists(old):
                    os.replace(old, target)
                else:
                    target.unlink(missing_ok=True)
            except OSError:
                self.stuck = True

    def end(self) -> None:
        """Remove the staging folder, and folders made for nothing; let the next run in."""
        try:
            if not self.stuck:
                _clear(self.staging)
            with suppress(OSError):  # not empty: it stays
                for place in reversed(self.made):
                    os.rmdir(place)
        finally:
            if self.lock is not None:
                os.close(self.lock)

    def _add(self, path: str, text: str | None) -> None:
        staged = self.staging / str(len(self.steps))
        new, old = staged.with_suffix(".new"), staged.with_suffix(".old")
        self.steps.append((self.folder / path, text, new, old))

    def _make(self, place: Path) -> None:
        if not place.is_dir():
            self._make(place.parent)
            self.at = place
            with suppress(FileExistsError):  # another run was quicker
                os.mkdir(place)
                self.made.append(place)


def _record(data: bytes | None) -> tuple[str, dict[str, str], dict[str, str]]:
    """A manifest's seal, files and journal: none if it is damaged, no seal if an entry is odd."""
    tree: object = None
    with suppress(ValueError, RecursionError):
        tree = json.loads(data or b"")
    if not isinstance(tree, dict):
        return "", {}, {}
    seal, tables = tree.get("seal"), [tree.get("files"), tree.get("pending", {})]
    files, pending = good = [
        {k: v for k, v in table.items() if _inside(k) and isinstance(v, str)}
        for table in (table if isinstance(table, dict) else {} for table in tables)
    ]
    return seal if isinstance(seal, str) and good == tables else "", files, pending


def _manifest(changes: Sequence[Change], ours: Mapping[str, str], seal: str, *, force: bool) -> str:
    """The manifest after writing; with kept files it has no seal, so that every run names them."""
    files: dict[str, str] = {}
    for change in changes:
        if not force and change.state in _KEPT:
            seal = ""
            if change.state is State.EDITED:
                files[change.path] = ours[change.path]
        elif change.new is not None:
            files[change.path] = _digest(change.new.encode())
    return _dump({"seal": seal, "files": files})


def _dump(tree: Mapping[str, object]) -> str:
    return json.dumps(tree, indent=2, sort_keys=True) + "\n"


def _inside(path: str) -> bool:
    """Whether a path is relative, plain, printable and not reserved, on any system."""
    odd = {"", ".", ".."} & {*path.split("/")} or {"\\", ":"} & {*path}
    return path.isprintable() and not odd and not path.casefold().startswith(_RESERVED)


def _read(folder: Path, path: str) -> bytes | None:
    """The bytes of a file in the package, None if absent; Unwritable if it is no plain file."""
    place = target = folder / path
    try:
        for place in (*(folder / part for part in reversed(Path(path).parents)), target):
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


def _create(place: Path, data: bytes) -> None:
    """Write a file that must not exist yet, down to the disk."""
    handle = os.open(place, os.O_WRONLY | os.O_CREAT | os.O_EXCL | _PLAIN, 0o644)
    with open(handle, "wb") as file:
        file.write(data)
        file.flush()
        os.fsync(handle)


def _save(target: Path, place: Path) -> None:
    """Keep what is at `target`, if anything, at `place` too; as a link, which needs no room."""
    if os.path.lexists(target):
        try:
            os.link(target, place)
        except OSError:  # no links here
            _create(place, target.read_bytes())


def _stagings(folder: Path) -> list[Path]:
    """The staging folders of runs that are under way or were killed."""
    with suppress(OSError), os.scandir(folder) as entries:
        folders = (entry.name for entry in entries if entry.is_dir(follow_symlinks=False))
        return [folder / name for name in folders if _STAGING.fullmatch(name)]
    return []


def _clear(*stagings: Path) -> None:
    """Remove staging folders and what runs put there, nothing else."""
    for staging in stagings:
        with suppress(OSError):
            for place in (*staging.glob("*.new"), *staging.glob("*.old")):
                os.unlink(place)
            os.rmdir(staging)


def _digest(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


def _kind(place: Path) -> str:
    mode = stat.S_IFMT(os.lstat(place).st_mode)
    kinds = {stat.S_IFLNK: "a symbolic link", stat.S_IFDIR: "a folder", stat.S_IFREG: "a file"}
    return kinds.get(mode, "a pipe, socket or device")


def _failure(place: Path, error: OSError, left: Path | None = None) -> Unwritable:
    """The complaint for a system error; `left` holds old files that could not be put back."""
    reason = (error.strerror or type(error).__name__).lower()
    state = f"the old files are in {left.name}" if left else "nothing was changed"
    advice = "make room" if error.errno in (errno.ENOSPC, errno.EDQUOT) else "make it writable"
    return _refusal(place, f"{reason}; {state}; {advice} or choose another folder")


def _refusal(place: Path, reason: str) -> Unwritable:
    shown = str(place) if str(place).isprintable() else repr(str(place))
    return Unwritable(f"{shown}: cannot write here: {reason}")
