"""The files that a document consists of: each is read once, when the first reference leads there."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Final
from urllib.parse import unquote

from .diagnostics import Refused, Report
from .load import Object, Source, load, load_text
from .versions import version_of

_TEXTS: Final = frozenset("""
    .adoc .asn1 .avdl .capnp .fbs .graphql .htm .html .markdown .md .proto .raml .rst .thrift .txt .xml .xsd
    """.split())
"""Endings of files that are taken as one text."""


class Files:
    """The main document and, by path relative to its folder, all other files that were read."""

    def __init__(self, main: Source, report: Report) -> None:
        self._report = report
        self._main = main
        self._folder = main.path.parent
        self._sources: dict[str, Source | None] = {"": main}
        self._versions = {"": version_of(main.root) or ""}

    @property
    def sources(self) -> Mapping[str, Source]:
        """Every file that could be read, by its path; "" is the main document."""
        return {path: source for path, source in self._sources.items() if source is not None}

    def version(self, path: str) -> str:
        """The version of AsyncAPI by which a file is read: its own, or that of the first file that refers to it."""
        return self._versions[path]

    def path(self, reference: str, base: str) -> str:
        """The path of the file that a reference in the file `base` names, relative to the main document's folder."""
        named = unquote(reference)
        if not named:
            return base
        folder = self._folder / os.path.dirname(base)
        if named != reference and not _is_file(folder / named):
            named = reference  # a file may have '%20' in its name
        place = os.path.normpath(folder / named)
        path = Path(os.path.relpath(place, self._folder)).as_posix()
        return "" if path == self._main.path.name else path.replace("#", "%23")

    def file(self, path: str) -> Path:
        """Where the file with that path lies, as the user would name it."""
        return Path(os.path.normpath(self._folder / path.replace("%23", "#")))

    def beside(self, path: str) -> list[str]:
        """The names of the files in the folder where that file would lie."""
        try:
            return sorted(entry.name for entry in self.file(path).parent.iterdir())
        except OSError:
            return []

    def read(self, path: str, base: str) -> Source | None:
        """The file with that path, to which the file `base` refers; `None`, and its faults reported, when it is broken.

        Raises FileNotFoundError when there is no such file.
        """
        if path not in self._sources:
            place = self.file(path)
            if not _is_file(place):
                raise FileNotFoundError(place)
            report = Report()
            try:
                text = place.suffix.lower() in _TEXTS
                source = load_text(place, report) if text else load(place, report)
            except Refused:
                self._sources[path] = None
            else:
                self._sources[path] = source
                own = version_of(source.root) if isinstance(source.root, Object) else None
                self._versions[path] = own or self._versions[base]
            self._report.extend(report.diagnostics)
        return self._sources[path]


def is_remote(reference: str) -> bool:
    """Whether a reference names something by a scheme, such as `https:`."""
    return re.match(r"[A-Za-z][A-Za-z0-9+.-]+:", reference) is not None


def is_absolute(reference: str) -> bool:
    """Whether a reference names a file by its place on one machine."""
    return re.match(r"[/\\]|[A-Za-z]:", unquote(reference)) is not None


def _is_file(place: Path) -> bool:
    try:
        return place.is_file()
    except (OSError, ValueError):  # no file can be so named
        return False
