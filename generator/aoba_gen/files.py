"""The files that a document consists of: each is read once, when the first reference leads there."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, Final
from urllib.parse import unquote, urljoin, urlsplit

from .access import Access, Reach, located
from .diagnostics import Diagnostic, Location, Refused, Report
from .load import Object, Source, load, load_text, source_of, source_of_text
from .versions import version_of

if TYPE_CHECKING:
    from .remote import Fetcher

_TEXTS: Final = frozenset("""
    .adoc .asn1 .avdl .capnp .fbs .graphql .htm .html .markdown .md .proto .raml .rst .thrift .txt .xml .xsd
    """.split())
"""Endings of files that are taken as one text."""


class Files:
    """The main document and, by path relative to its folder, all other files that were read."""

    def __init__(self, main: Source, report: Report, access: Access = Access()) -> None:
        self._report = report
        self._reach = Reach(main.path.parent, access)
        self._fetcher = _fetcher(access, report) if access.hosts else None
        self._bytes = main.size
        self._main = main
        self._folder = main.path.parent
        self._sources: dict[str, Source | None] = {"": main}
        self._versions = {"": version_of(main.root) or ""}
        self._wanted: set[str] = set()

    @property
    def sources(self) -> Mapping[str, Source]:
        """Every file that could be read, by its path; "" is the main document."""
        return {path: source for path, source in self._sources.items() if source is not None}

    @property
    def lasting(self) -> bool:
        """Whether these files give the same document as long as they stay, whatever the main one is called."""
        return not self._wanted and not any(map(is_remote, self._sources))

    def version(self, path: str) -> str:
        """The version of AsyncAPI by which a file is read: its own, or that of the first file that refers to it."""
        return self._versions[path]

    def is_elsewhere(self, reference: str, base: str) -> bool:
        """Whether a reference in the file `base` names what is neither on this machine nor fetched."""
        if not is_remote(reference) and not is_remote(base):
            return False
        return self._fetcher is None or not self._fetcher.allows(_joined(base, reference))

    def path(self, reference: str, base: str) -> str:
        """The path of the file that a reference in the file `base` names, relative to the main document's folder.

        What is fetched has its URL for a path.
        """
        if is_remote(reference) or is_remote(base):
            return _joined(base, reference).partition("#")[0]
        named = unquote(reference)
        if not named:
            return base
        if named != reference:  # which of the two names counts depends on what else is there
            self._wanted.add(reference)
        folder = self._folder / os.path.dirname(base)
        if self._is_file(folder / reference) and not self._is_file(folder / named):
            named = reference  # a file may have '%20' in its name
        place = os.path.normpath(folder / named)
        path = Path(os.path.relpath(place, self._folder)).as_posix()
        if path == self._main.path.name:  # as long as the document has that name
            self._wanted.add(path)
            return ""
        path = path.replace("#", "%23")
        return f"./{path}" if is_remote(path) else path  # a file called 'a:b'

    def file(self, path: str) -> Path:
        """Where the file with that path lies, as the user would name it."""
        return located(self._folder, path)

    def beside(self, path: str) -> list[str]:
        """The names of the files in the folder where that file would lie, as far as they may be read."""
        try:
            entries = sorted(self.file(path).parent.iterdir())
        except (OSError, ValueError):  # no folder can be so named
            return []
        return [entry.name for entry in entries if self._reach.real(entry)]

    def is_out_of_reach(self, path: str) -> bool:
        """Whether that file may not be read, be it there or not."""
        try:
            return not is_remote(path) and self._reach.real(self.file(path)) is None
        except (OSError, ValueError):  # no file can be so named
            return False

    def is_shared(self, path: str) -> bool:
        """Whether that file may hold more than what documents share, so that nothing else of it is to be told."""
        return bool(path) and not is_remote(path) and self._reach.is_shared(self.file(path))

    def read(self, path: str, base: str) -> Source | None:
        """The file with that path, to which the file `base` refers; `None`, and its faults reported, when it is broken.

        Raises FileNotFoundError when there is no such file.
        """
        if path not in self._sources:
            limits = self._report.limits
            left = replace(limits, bytes=max(limits.bytes - self._bytes, 0))
            report = Report(self._report.disabled, left)
            try:
                source = (
                    self._fetched(path, report) if is_remote(path) else self._read(path, report)
                )
            except Refused:
                self._sources[path] = None
            else:
                self._bytes += source.size
                self._sources[path] = source
                own = version_of(source.root) if isinstance(source.root, Object) else None
                self._versions[path] = own or self._versions[base]
            told = report.diagnostics
            if told and self.is_shared(path):  # they may show what it holds
                self._sources[path] = None
                message = "this file is no YAML or JSON that documents could share"
                hint = "--allow-ref-root DIR lets references read that folder, and says what is wrong in it"
                place = Location(str(self.file(path)), 1, 1)
                told = (Diagnostic("ref-outside", message, place, hint),)
            self._report.extend(told)
        return self._sources[path]

    def _read(self, path: str, report: Report) -> Source:
        place = self.file(path)
        if not self._is_file(place):
            self._wanted.add(path)
            raise FileNotFoundError(place)
        real = self._reach.real(place)
        self._count(str(place), report)
        text = place.suffix.lower() in _TEXTS
        return (load_text if text else load)(place, report, real)

    def _fetched(self, url: str, report: Report) -> Source:
        from .remote import Unfetched

        self._count(url, report)
        assert self._fetcher is not None
        try:
            data = self._fetcher.fetch(url, report.limits.bytes)
        except Unfetched as fault:
            message, hint = f"it cannot be fetched: {fault}", "keep a copy beside the document"
            report.error("ref-fetch", message, Location(url, 1, 1), hint)
            raise Refused(report.diagnostics) from None
        text = PurePosixPath(urlsplit(url).path).suffix.lower() in _TEXTS
        return (source_of_text if text else source_of)(data, Path(url), url, report)

    def _count(self, name: str, report: Report) -> None:
        if len(self._sources) >= (most := report.limits.files):
            message = f"the document is made of more than {most} files"
            report.exceed("files", message, Location(name, 1, 1))

    def _is_file(self, place: Path) -> bool:
        try:
            real = self._reach.real(place)
            return real is not None and real.is_file()
        except (OSError, ValueError):  # no file can be so named
            return False


def _fetcher(access: Access, report: Report) -> Fetcher:
    from .remote import Fetcher  # slow to import, and few documents are allowed to fetch

    return Fetcher(access.hosts, report.limits)


def is_remote(reference: str) -> bool:
    """Whether a reference names something by a scheme, such as `https:`."""
    return re.match(r"[A-Za-z][A-Za-z0-9+.-]+:", reference) is not None


def is_absolute(reference: str) -> bool:
    """Whether a reference names a file by its place on one machine."""
    return re.match(r"[/\\]|[A-Za-z]:", unquote(reference)) is not None


def _joined(base: str, reference: str) -> str:
    try:
        return urljoin(base, reference)
    except ValueError:  # such as 'http://['
        return reference
