"""`aoba-gen init`: finds the documents of a repository, and plans and writes what makes it generate and check them."""

from __future__ import annotations

import os
import re
import secrets
import stat
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from os.path import relpath
from pathlib import Path, PurePosixPath
from typing import Final

from . import init_texts as texts
from .config import FILE, read_config
from .diagnostics import Refused, Report
from .history import NoHistory, git, top_of
from .init_edits import PRE_COMMIT, has_hook, has_table, with_hook, with_table
from .load import load
from .manifest import RESERVED
from .validate import why_on
from .versions import check_version
from .write import Unwritable, create, reason_of

WORKFLOW: Final = ".github/workflows/aoba-gen.yml"
_HEAD: Final = 65_536
"""In how many bytes of a file its first key is looked for."""
_FIRST_KEY: Final = re.compile(
    rb"(?:\xef\xbb\xbf)?(?:[ \t]*(?:[#%][^\n]*|---[ \t]*)?\r?\n)*(?:---[ \t]+)?\s*(?:\{\s*)?([\"']?)asyncapi\1\s*:\s"
)


class NoSetup(Exception):
    """There is nothing that could be set up; the message is one line."""


class State(StrEnum):
    """What becomes of a file; the value is the word for it."""

    CREATED = "created"
    EXTENDED = "extended"
    REPLACED = "replaced"
    FINE = "unchanged"
    KEPT = "kept"
    BY_HAND = "to do"


@dataclass(frozen=True, slots=True)
class Step:
    """A file by its path below the top of the repository, and what becomes of it.

    `new` is what it shall hold, where it is to be written; `paste` is for the user to put in.
    """

    path: str
    state: State
    told: str = ""
    old: str | None = None
    new: str | None = None
    paste: str = ""


@dataclass(frozen=True, slots=True)
class Setup:
    """A repository's top folder, its documents by their paths below that, and what is to be done."""

    top: Path
    documents: tuple[str, ...]
    steps: tuple[Step, ...]

    @property
    def writes(self) -> tuple[Step, ...]:
        """The steps that change a file."""
        return tuple(step for step in self.steps if step.new is not None)

    @property
    def is_done(self) -> bool:
        """Whether nothing is left to the user."""
        return not any(step.state in (State.KEPT, State.BY_HAND) for step in self.steps)


def set_up(specs: Sequence[Path], out: Path, source: str | None, *, force: bool) -> Setup:
    """What makes the repository around the current folder generate and check `specs`, or all documents that it has.

    Raises `NoSetup`; `Refused` for what is no document and for a pyproject.toml with errors; `Unwritable`.
    """
    try:
        top = top_of(Path.cwd())
    except NoHistory as fault:
        hint = "go to where your repository is, or run 'git init' first"
        raise NoSetup(f"{fault}; {hint}") from None
    documents = _given(specs, top) if specs else _found(top)
    outputs = _outputs(documents, _below(top, out))
    steps = (
        _pyproject(top, outputs, is_given=bool(specs)),
        _pre_commit(top, source),
        _workflow(top, source, force),
    )
    return Setup(top, documents, steps)


def write(setup: Setup) -> None:
    """Write what is to be written, all of it ready before the first file is put in its place; raises `Unwritable`."""
    ready: dict[Path, Path] = {}
    place = setup.top
    try:
        for step in setup.writes:
            place = setup.top / step.path
            place.parent.mkdir(parents=True, exist_ok=True)
            staged = place.with_name(f"{RESERVED}-{secrets.token_hex(8)}")
            ready[staged] = place
            create(staged, (step.new or "").encode())
            if place.exists():
                staged.chmod(stat.S_IMODE(place.stat().st_mode))
        for staged, place in ready.items():
            os.replace(staged, place)
    except OSError as fault:
        raise _unwritable(place, reason_of(fault)) from fault
    finally:
        for staged in ready:
            staged.unlink(missing_ok=True)


def _given(specs: Sequence[Path], top: Path) -> tuple[str, ...]:
    report = Report()
    for spec in specs:
        try:
            check_version(load(spec, report.scratch()), report)
        except Refused as refused:
            report.extend(refused.diagnostics)
    report.raise_errors()
    return tuple(dict.fromkeys(_below(top, spec) for spec in specs))


def _found(top: Path) -> tuple[str, ...]:
    """The YAML and JSON files whose first key is `asyncapi`, as far as git does not ignore them."""
    kinds = ("*.yaml", "*.yml", "*.json")
    listed = git(top, "ls-files", "-z", "--cached", "--others", "--exclude-standard", "--", *kinds)
    names = sorted({os.fsdecode(name) for name in listed.split(b"\0") if name})
    found = tuple(name for name in names if name.isprintable() and _is_document(top / name))
    if not found:
        told = f"{len(names)} YAML and JSON file{'' if len(names) == 1 else 's'}"
        raise NoSetup(
            f"there is no AsyncAPI document in {top}: none of {told} has 'asyncapi' as its first key; "
            "name it: aoba-gen init SPEC"
        )
    return found


def _is_document(place: Path) -> bool:
    try:
        if not stat.S_ISREG(os.lstat(place).st_mode):
            return False
        with open(place, "rb") as file:
            return _FIRST_KEY.match(file.read(_HEAD)) is not None
    except OSError:  # gone, or not ours to read
        return False


def _below(top: Path, path: Path) -> str:
    """A path as the files of the repository name it: from its top."""
    try:
        return path.resolve().relative_to(top.resolve()).as_posix()
    except ValueError:
        raise NoSetup(f"{path} is not in the repository {top}") from None


def _outputs(documents: Sequence[str], out: str) -> dict[str, str]:
    """The folder of each document's package, below `out`: of its own where there are several, as one is one distribution."""
    if out == ".":
        raise NoSetup(
            "the packages cannot lie at the top, where your own pyproject.toml is; name a folder: -o generated"
        )
    if len(documents) == 1:
        return {documents[0]: out}
    stems = [PurePosixPath(one).stem for one in documents]
    whole = [re.sub("[/.]", "-", one) for one in documents]
    names = stems if len(set(stems)) == len(stems) else whole
    return {one: f"{out}/{name}" for one, name in zip(documents, names)}


def _pyproject(top: Path, outputs: Mapping[str, str], *, is_given: bool) -> Step:
    old = _current(top, FILE)
    listed = texts.documents(outputs)
    ours = f"{texts.TABLE}{listed}{texts.ACCEPT}"
    if old is None:
        return Step(FILE, State.CREATED, "with [tool.aoba-gen]", None, ours)
    config = read_config(Path(relpath(top / FILE)), why_on, Report())
    if not has_table(old):
        new = with_table(old, ours)
        if new is None:
            told = "[tool.aoba-gen] cannot be put behind what is there; put this in"
            return Step(FILE, State.BY_HAND, told, paste=ours)
        return Step(FILE, State.EXTENDED, "by [tool.aoba-gen]", old, new)
    there = {target.spec.resolve() for target in config.targets}
    missing = [one for one in outputs if (top / one).resolve() not in there]
    told = "it has [tool.aoba-gen] already"
    if missing and (is_given or not there):
        what = "this document; put it" if len(missing) == 1 else "these documents; put them"
        is_inline = re.search(r"\bdocuments\s*=\s*\[", old)
        paste = texts.documents({one: outputs[one] for one in missing}, is_inline=bool(is_inline))
        return Step(FILE, State.BY_HAND, f"{told}, without {what} into it", paste=paste)
    if missing:
        told += f"; not listed there: {', '.join(missing)}"
    return Step(FILE, State.FINE, told)


def _pre_commit(top: Path, source: str | None) -> Step:
    old = _current(top, PRE_COMMIT)
    ours = texts.hook(source)
    if old is None:
        return Step(PRE_COMMIT, State.CREATED, "", None, f"{texts.HOOKS}repos:\n{ours}")
    try:
        if has_hook(old):
            return Step(PRE_COMMIT, State.FINE, "it has a hook of aoba-gen already")
        new = with_hook(old, ours)
    except Refused as refused:
        told = f"it cannot be read: {refused.diagnostics[0]}"
        return Step(PRE_COMMIT, State.BY_HAND, f"{told}\nput this into its 'repos'", paste=ours)
    if new is None:
        told = "its 'repos' is no list that could be added to in safety; put this in"
        return Step(PRE_COMMIT, State.BY_HAND, told, paste=ours)
    return Step(PRE_COMMIT, State.EXTENDED, "by our hook", old, new)


def _workflow(top: Path, source: str | None, force: bool) -> Step:
    old = _current(top, WORKFLOW)
    new = texts.workflow(source)
    if old is None:
        return Step(WORKFLOW, State.CREATED, "", None, new)
    wanted = {new}
    if source is None:  # told before, or put in by hand
        for used in re.findall(r"uses: (?!actions/)(\S+)", old)[:1]:
            wanted |= {texts.workflow(used), new.replace(texts.PLACEHOLDER, used)}
    if old.replace("\r\n", "\n") in wanted:
        return Step(WORKFLOW, State.FINE)
    if force:
        return Step(WORKFLOW, State.REPLACED, "", old, new)
    told = "it is not what would be written; --force overwrites it, --force --diff shows how"
    return Step(WORKFLOW, State.KEPT, told)


def _current(top: Path, path: str) -> str | None:
    """What a file holds, if it is there; raises `Unwritable` where it is none, or where a link leads to it."""
    place = top / path
    for part in (*(top / one for one in reversed(Path(path).parents) if one.name), place):
        try:
            mode = os.lstat(part).st_mode
        except FileNotFoundError:
            return None
        except OSError as fault:
            raise _unwritable(part, reason_of(fault)) from None
        if not (stat.S_ISREG(mode) if part == place else stat.S_ISDIR(mode)):
            wanted = "a file" if part == place else "a folder"
            is_link = "a link" if stat.S_ISLNK(mode) else "something else"
            raise _unwritable(part, f"it is {is_link}, and not {wanted}")
    try:
        return place.read_bytes().decode()
    except OSError as fault:
        raise _unwritable(place, reason_of(fault)) from None
    except UnicodeDecodeError as fault:
        raise _unwritable(
            place, f"the byte 0x{fault.object[fault.start]:02X} is not UTF-8"
        ) from None


def _unwritable(place: Path, reason: str) -> Unwritable:
    return Unwritable(f"{relpath(place)}: cannot add to this: {reason}; nothing was changed")
