"""The document that another one is compared with: a file, one of the same name in a folder, or a commit of git."""

from __future__ import annotations

import os
import re
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from tempfile import TemporaryDirectory, TemporaryFile
from typing import Final

KINDS: Final = frozenset(
    ".adoc .asn1 .avdl .avsc .capnp .fbs .graphql .htm .html .json .markdown .md .proto .raml .rst .thrift .txt .xml"
    " .xsd .yaml .yml".split()
)
"""Endings of the files that a document may refer to."""
_BYTES: Final = 64 * 2**20
"""What the documents of one commit may have together."""
_SAFE: Final = ("--no-pager", "-c", "core.fsmonitor=false", "-c", "safe.bareRepository=explicit")
_CLOSED: Final = {
    "GIT_ALLOW_PROTOCOL": "",
    "GIT_NO_LAZY_FETCH": "1",
    "GIT_OPTIONAL_LOCKS": "0",
    "GIT_TERMINAL_PROMPT": "0",
}
"""A checkout may come from a stranger, and its configuration name programs for git to run, as where an object is missing."""


class NoHistory(Exception):
    """There is no such document; the message is one line."""


@dataclass(frozen=True, slots=True)
class Past:
    """Where a document can be read, and what to call the folder it lies in: "main:spec/" for a commit."""

    path: Path
    folder: str = ""
    name: str = ""

    @property
    def roots(self) -> tuple[Path, ...]:
        """What its references may read beside their own folder: the same commit."""
        return (Path(self.folder),) if self.folder else ()

    def named(self, file: str) -> str:
        """What to call a file of this document."""
        return f"{self.name}{file.removeprefix(self.folder)}" if self.folder else file


@contextmanager
def past(given: str, spec: Path) -> Iterator[Past]:
    """The document that `given` names beside `spec`; raises NoHistory."""
    if not given:
        raise NoHistory("the old document has no name; expected a file, a folder or git:REF[:PATH]")
    if not given.startswith("git:"):
        place = Path(given)
        if (
            re.fullmatch(r"[^\s:{-][^\s:{]*", given)
            and not place.suffix
            and not os.path.lexists(place)
        ):
            text = f"there is no file or folder {given!r}; a version that git knows is written git:{given}"
            raise NoHistory(text)
        yield Past(place / spec.name if os.path.isdir(place) else place)
        return
    reference, _, path = given.removeprefix("git:").partition(":")
    with TemporaryDirectory(prefix="aoba-gen-") as folder:
        target = Path(folder)
        top = top_of(spec.absolute().parent)
        inside = path or spec.resolve().relative_to(top.resolve()).as_posix()
        try:
            commit = git(
                top, "rev-parse", "--verify", "-q", "--end-of-options", f"{reference}^{{commit}}"
            )
        except NoHistory:
            text = f"git knows no branch, tag or commit {reference!r} here; where not all is checked out, fetch it first"
            raise NoHistory(text) from None
        _export(top, commit.decode().strip(), target)
        if not (target / inside).is_file():
            text = f"{reference} has no file {inside!r}; name it as git:{reference}:PATH, from the top of the repository on"
            raise NoHistory(text)
        yield Past(target / inside, f"{target}/", f"{reference}:")


def _export(top: Path, commit: str, target: Path) -> None:
    """Write every file of a commit that a document may refer to below `target`."""
    listed = git(top, "ls-tree", "-r", "-l", "-z", "--full-tree", commit)
    blobs: list[tuple[str, str]] = []
    room = _BYTES
    for line in listed.decode("utf-8", "surrogateescape").split("\0"):
        about, _, name = line.partition("\t")
        if not re.fullmatch(r"100\d+ blob [0-9a-f]+ +\d+", about) or not _is_document(name):
            continue
        _, _, blob, size = about.split()
        room -= int(size)
        if room < 0:
            raise NoHistory(f"the documents of {commit} have more than {_BYTES // 2**20} MiB")
        blobs.append((blob, name))
    answer = git(top, "cat-file", "--batch", given="".join(f"{blob}\n" for blob, _ in blobs))
    start = 0
    for blob, name in blobs:
        end = answer.index(b"\n", start)
        length = answer[start:end].rpartition(b" ")[2]
        if not length.isdigit():
            raise NoHistory(f"git has no {name!r} of {commit} here; fetch it first")
        place = target / name
        try:
            place.parent.mkdir(parents=True, exist_ok=True)
            place.write_bytes(answer[end + 1 : end + 1 + int(length)])
        except OSError as fault:  # no file system takes every name
            raise NoHistory(f"{name!r} cannot be looked at: {fault.strerror}") from None
        start = end + int(length) + 2


def _is_document(name: str) -> bool:
    """Whether a document may refer to the file of that name, and it lies in its commit: git itself takes any name."""
    parts = name.split("/")
    return PurePosixPath(name).suffix.lower() in KINDS and not {"", ".", "..", ".git"} & {*parts}


def top_of(folder: Path) -> Path:
    """The top folder of the checkout around `folder`; raises NoHistory where there is none."""
    return Path(os.fsdecode(git(folder, "rev-parse", "--show-toplevel")).rstrip("\r\n"))


def git(folder: Path, *words: str, given: str = "") -> bytes:
    """What git prints to these words in a folder; raises NoHistory with the last line of what it says is wrong.

    It runs no program and connects to nothing, whatever the checkout's own configuration asks for.
    """
    with TemporaryFile() as asked, TemporaryFile() as wrong:
        asked.write(given.encode())
        asked.seek(0)
        try:
            process = subprocess.Popen(
                ["git", *_SAFE, *words],
                cwd=folder,
                env={**os.environ, **_CLOSED},
                stdin=asked,
                stdout=subprocess.PIPE,
                stderr=wrong,
            )
        except OSError as fault:
            raise NoHistory(f"git cannot be run: {fault.strerror}") from None
        with process:
            assert process.stdout
            said = process.stdout.read(2 * _BYTES)
            if len(said) == 2 * _BYTES:
                process.kill()
                raise NoHistory(f"git {words[0]}: there is too much to look at")
        if process.returncode:
            wrong.seek(0)
            told = wrong.read().decode(errors="replace").strip().splitlines()
            raise NoHistory(f"git {words[0]}: {told[-1] if told else process.returncode}")
        return said
