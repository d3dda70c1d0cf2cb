"""The passes in order, and the question whether they have to run at all."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from .build import build
from .diagnostics import Refused, Report
from .load import Source, load
from .model import Model, Side
from .render import TEMPLATES, render
from .resolve import Document, resolve
from .validate import check_rules
from .validate_parts import Written
from .validate_structure import check_structure
from .write import Plan, plan, sealed


@dataclass(frozen=True, slots=True)
class Options:
    """What a run may be told beside the document and where its package goes.

    `side` is whom the package is for, `templates` a folder of the user's own.
    """

    side: Side | None = None
    templates: Path | None = None


def check(source: Source, report: Report) -> Document:
    """The document in `source`, once it is valid; raises `Refused` with everything that is wrong with it."""
    with _shallow(source, report):
        document = resolve(source, report)
        found = check_structure(document.as_written, report)
        check_rules(Written(document.as_written, document, found), report)
        report.raise_errors()
        return document


def compile_model(
    source: Source, package: str | None, report: Report, options: Options = Options()
) -> Model:
    """The model of a loaded document; raises `Refused` with everything that is wrong with it."""
    return _compile(check(source, report), package, report, options)


@dataclass(frozen=True, slots=True)
class Current:
    """An output folder that is as generated, found out without generating."""

    folder: Path
    files: tuple[str, ...]


def generate(
    spec: Path, out: Path, package: str | None, report: Report, options: Options = Options()
) -> Plan | Current:
    """What writing the package of `spec` below `out` would change, if anything.

    Reads `spec` and the output folder, writes nothing. Raises `Refused` for a document that cannot be used and
    `Unwritable` for an output folder that cannot.
    """
    source = load(spec, report)
    document = check(source, report)
    model = _compile(document, package, report, options)
    folder = out / model.package
    seal = _seal(document, model.package, options)
    unchanged = sealed(folder, seal)
    if unchanged is not None:
        return Current(folder, unchanged)
    return plan(render(model, options.templates), folder, seal)


def _compile(document: Document, package: str | None, report: Report, options: Options) -> Model:
    with _shallow(document.source, report):
        return build(document, package, report, side=options.side)


@contextmanager
def _shallow(source: Source, report: Report) -> Iterator[None]:
    """Turns recursion without end, which only a document can cause, into a refusal."""
    try:
        yield
    except RecursionError:
        report.error(
            "too-deep",
            "the document refers from one place to the next too many times",
            source.root.location,
            "let schemas stand closer to where they are used",
        )
        raise Refused(report.diagnostics) from None


def _seal(document: Document, package: str, options: Options) -> str:
    """A digest of what determines the output: the document's files, the options and the generator itself."""
    own = options.templates.rglob("*") if options.templates else ()
    read = [f"{path} {source.digest}" for path, source in document.files.items()]
    parts = [*read, package, options.side or "", *_digests(own), *_generator()]
    return hashlib.sha256("\n".join(parts).encode()).hexdigest()


def _generator() -> list[str]:
    return _digests([*Path(__file__).parent.glob("*.py"), *TEMPLATES.glob("*.j2")])


def _digests(files: Iterable[Path]) -> list[str]:
    return [
        hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(files, key=lambda path: path.name)
        if path.is_file()
    ]
