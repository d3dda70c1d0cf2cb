"""The document that another one is compared with: a file, one of the same name in a folder, or a commit of git."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from tempfile import TemporaryDirectory
from typing import Final

KINDS: Final = frozenset(
    ".adoc .asn1 .avdl .avsc .capnp .fbs .graphql .htm .html .json .markdown .md .proto .raml .rst .thrift .txt .xml"
    " .xsd .yaml .yml".split()
)
"""Endings of the files that a document may refer to."""


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
        yield Past(place / spec.name if place.is_dir() else place)
        return
    reference, _, path = given.removeprefix("git:").partition(":")
    with TemporaryDirectory(prefix="aoba-gen-") as folder:
        target = Path(folder)
        top = Path(
            git(spec.absolute().parent, "rev-parse", "--show-toplevel").decode().rstrip("\n")
        )
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
            raise NoHistory(f"{reference} has no file {inside!r}; name it as git:{reference}:PATH")
        yield Past(target / inside, f"{target}/", f"{reference}:")


def _export(top: Path, commit: str, target: Path) -> None:
    """Write every file of a commit that a document may refer to below `target`."""
    listed = git(top, "ls-tree", "-r", "-z", "--full-tree", commit).decode(
        "utf-8", "surrogateescape"
    )
    blobs: list[tuple[str, str]] = []
    for line in listed.split("\0"):
        about, _, name = line.partition("\t")
        mode, _, blob = about.partition(" blob ")
        if mode.startswith("100") and PurePosixPath(name).suffix.lower() in KINDS:
            blobs.append((blob, name))
    answer = git(top, "cat-file", "--batch", given="".join(f"{blob}\n" for blob, _ in blobs))
    start = 0
    for _, name in blobs:
        end = answer.index(b"\n", start)
        size = int(answer[start:end].rpartition(b" ")[2])
        place = target / name
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_bytes(answer[end + 1 : end + 1 + size])
        start = end + size + 2


def git(folder: Path, *words: str, given: str = "") -> bytes:
    """What git prints to these words in a folder; raises NoHistory with the last line of what it says is wrong."""
    try:
        done = subprocess.run(
            ["git", *words], cwd=folder, input=given.encode(), capture_output=True, check=False
        )
    except OSError as fault:
        raise NoHistory(f"git cannot be run: {fault.strerror}") from None
    if done.returncode:
        told = done.stderr.decode(errors="replace").strip().splitlines()
        raise NoHistory(f"git {words[0]}: {told[-1] if told else done.returncode}")
    return done.stdout
