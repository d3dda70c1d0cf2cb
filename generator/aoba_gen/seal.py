"""Whether an output folder is as generated, by digests alone: no pass has to run for that, and none is imported.

The seal in the manifest is a digest of all that determines the output. The manifest also names the call by which the document
had nothing to tell, and the files beside it that were read; a run that is called the same way, and finds the seal
that these files make today, has nothing to do and nothing to say. A document with warnings has no such call.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterable, Iterator, Mapping
from contextlib import suppress
from dataclasses import astuple, dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Final

from .access import Reach, located
from .diagnostics import Report
from .manifest import digest
from .options import TEMPLATES, Options
from .write import on_disk, sealed

_CALL: Final = "call"
_READ: Final = "read"
"""What the manifest keeps of a run beside the parts of its seal: how it was called, what it read beside the document."""


@dataclass(frozen=True, slots=True)
class Current:
    """An output folder that is as generated, found out without generating."""

    folder: Path
    files: tuple[str, ...]


def current(
    spec: Path, out: Path, package: str | None, report: Report, options: Options
) -> Current | None:
    """The package of `spec` below `out` if nothing has changed; `None` when the passes have to run.

    Of the manifest, which anyone may have written, nothing but paths is used: those that references may read.
    """
    if options.access.hosts:  # what was fetched may have changed
        return None
    call = _call(spec, package, report, options)
    for folder in [out / package] if package else _folders(out):
        known = on_disk(folder).origin
        if known.get(_CALL) == call and _READ in known:
            digests = _read(spec, known[_READ], report, options)
            seal = sealing(parts(digests, folder.name, options, report)) if digests else ""
            files = sealed(folder, seal)
            if files is not None:
                return Current(folder, files)
    return None


def parts(
    digests: Mapping[str, str], package: str, options: Options, report: Report
) -> dict[str, str]:
    """What determines the output, so that it can be said which of it has changed; `digests` are of the files read."""
    own = options.templates
    theirs = {path.relative_to(own).as_posix(): path for path in own.rglob("*")} if own else {}
    flags = (["dist"] if options.dist else []) + (["slow"] if report.slow_patterns else [])
    here = Path(__file__).parent
    ours = [*here.glob("*.py"), *here.glob("*.css"), *TEMPLATES.glob("*.j2")]
    return {
        "document": _digest(*(f"{path} {known}" for path, known in digests.items())),
        "generator": version("aoba-gen"),
        "build": _digest(*_digests({path.name: path for path in ours})),
        "options": _digest(package, options.side or "", *flags),
        "templates": _digest(*_digests(theirs)),
    }


def sealing(parts: Mapping[str, str]) -> str:
    """The seal over these parts."""
    return _digest(*parts.values())


def remembered(
    spec: Path, package: str | None, report: Report, options: Options, read: Iterable[str]
) -> dict[str, str]:
    """What lets the next run see that it has nothing to do, after one that read these files; nothing after warnings."""
    beside = [path for path in read if path]
    if report.diagnostics or any("\n" in path for path in beside):
        return {}
    return {_CALL: _call(spec, package, report, options), _READ: "\n".join(beside)}


def _call(spec: Path, package: str | None, report: Report, options: Options) -> str:
    """All but the bytes of files that decides what a run says of a document."""
    is_json = spec.name.lower().endswith(".json")  # which says how it is read
    asked = (package, options.side, options.dist, report.slow_patterns, sorted(report.disabled))
    return _digest(json.dumps((is_json, asked, astuple(report.limits))))


def _folders(out: Path) -> Iterator[Path]:
    with suppress(OSError), os.scandir(out) as entries:
        yield from sorted(out / entry.name for entry in entries if entry.is_dir())


def _read(spec: Path, beside: str, report: Report, options: Options) -> dict[str, str]:
    """The digests of the document and the files beside it; nothing where one is not there or must not be read."""
    paths = ["", *dict.fromkeys(beside.split("\n") if beside else ())]
    if len(paths) > report.limits.files:
        return {}
    reach = Reach(spec.parent, options.access)
    left, found = report.limits.bytes, {}
    for path in paths:
        try:
            place = reach.real(located(spec.parent, path)) if path else spec
            if place is None or not place.is_file():
                return {}
            with open(place, "rb") as file:
                data = file.read(left + 1)
        except (OSError, ValueError):  # no file can be so named
            return {}
        left -= len(data)
        if left < 0:
            return {}
        found[path] = digest(data)
    return found


def _digest(*parts: str) -> str:
    return digest("\n".join(parts).encode(errors="surrogatepass"))


def _digests(files: Mapping[str, Path]) -> Iterator[str]:
    for name, path in sorted(files.items()):
        if path.is_file():
            yield f"{name} {digest(path.read_bytes())}"
