"""The passes in order."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from .access import Access
from .beside import PAGES, PYPROJECT, README
from .build import build
from .diagnostics import Location, Refused, Report
from .limits import TooSlow, deadline, seconds_for, seconds_for_writing
from .load import Scalar, Source, load
from .model import Model
from .options import Options
from .render import Flawed, render
from .resolve import Document, resolve
from .seal import Current, parts, remembered, sealing
from .validate import check_rules
from .validate_parts import Written
from .validate_structure import check_structure
from .weight import exceeded
from .write import Plan, Unwritable, plan, sealed


def check(source: Source, report: Report, access: Access = Access()) -> Document:
    """The document in `source`, once it is valid; raises `Refused` with everything that is wrong with it."""
    with _bounded(source, report):
        report.begins("resolve")
        document = resolve(source, report, access)
        report.begins("validate")
        found = check_structure(document.as_written, report)
        document = check_rules(Written(document.as_written, document, found), report)
        report.raise_errors()
        return document


def compile_model(
    source: Source, package: str | None, report: Report, options: Options = Options()
) -> Model:
    """The model of a loaded document; raises `Refused` with everything that is wrong with it."""
    return check_and_compile(source, package, report, options)[1]


def check_and_compile(
    source: Source, package: str | None, report: Report, options: Options = Options()
) -> tuple[Document, Model]:
    """The document in `source` and its model; raises `Refused` with everything that is wrong with it."""
    document = check(source, report, options.access)
    return document, _compile(document, package, report, options)


def generate(
    spec: Path, out: Path, package: str | None, report: Report, options: Options = Options()
) -> Plan | Current:
    """What writing the package of `spec` below `out` would change, if anything.

    Reads `spec` and the output folder, writes nothing. Raises `Refused` for a document that cannot be used and
    `Unwritable` for an output folder that cannot.
    """
    source, document, model = _understood(spec, package, report, options)
    digests = {path: source.digest for path, source in document.files.items()}
    origin = parts(digests, model.package, options, report)
    more = remembered(spec, package, report, options, digests) if document.lasting else {}

    def files() -> dict[str, str]:
        try:
            return _files(model, options)
        except Flawed as flaw:
            report.error(
                "unsafe-output",
                f"nothing was written, as the package would not be what is allowed: {flaw}",
                source.root.location,
                "this is a bug of aoba-gen: please report it with the document",
            )
            raise Refused(report.diagnostics) from flaw

    made = _planned(source, out / model.package, origin, files, report, more)
    pages = [] if isinstance(made, Current) else [c.path for c in made.changes if c.path in PAGES]
    if pages:
        text = f"{pages[0]} is a page of 'aoba-gen docs'; choose another folder for one of the two"
        raise Unwritable(f"{made.folder}: {text}")
    return made


def generate_docs(spec: Path, folder: Path, report: Report, options: Options) -> Plan | Current:
    """What writing the pages of `spec` into `folder` would change, if anything; raises as `generate` does."""
    from .docs import TooLong, documentation  # most runs write none

    source, document, model = _understood(spec, None, report, options)

    def files() -> dict[str, str]:
        try:
            with _bounded(source, report):
                return documentation(document, model, report.limits)
        except TooLong as long:
            message = (
                f"the page would have more than {getattr(report.limits, long.name):,} {long.name}"
            )
            report.exceed(long.name, message, source.root.location)

    if folder.resolve() in (here := Path.cwd().resolve(), *here.parents):
        raise Unwritable(f"{folder}: the pages need a folder of their own, such as docs/api")
    digests = {path: source.digest for path, source in document.files.items()}
    made = _planned(source, folder, parts(digests, "docs", options, report), files, report)
    others = [] if isinstance(made, Current) else [c for c in made.changes if c.path not in PAGES]
    if others:
        raise Unwritable(f"{folder}: {others[0].path} was generated there; choose another folder")
    return made


def _understood(
    spec: Path, package: str | None, report: Report, options: Options
) -> tuple[Source, Document, Model]:
    with deadline(seconds_for(spec, report.limits)):
        source = read(spec, report)
        return source, *check_and_compile(source, package, report, options)


def _planned(
    source: Source,
    folder: Path,
    origin: dict[str, str],
    files: Callable[[], dict[str, str]],
    report: Report,
    more: Mapping[str, str] = {},
) -> Plan | Current:
    seal = sealing(origin)
    unchanged = sealed(folder, seal)
    if unchanged is not None:
        return Current(folder, unchanged)
    try:
        report.begins("render")
        with deadline(seconds_for_writing(source.path, report.limits)):
            made = files()
        report.begins("write")
        return plan(made, folder, seal, origin | {**more})
    except TooSlow:
        message = "the package takes too long to write, for a document of that size"
        report.exceed("seconds", message, source.root.location)
    except RecursionError:
        message = "what the package consists of stands too deep inside each other"
        report.exceed("recursion", message, source.root.location)


def _files(model: Model, options: Options) -> dict[str, str]:
    files = render(model, options.templates)
    if model.distribution:
        from .pyproject import pyproject
        from .readme import readme

        files |= {PYPROJECT: pyproject(model.package, model.title, model.distribution)}
        files |= {README: readme(model, model.distribution)}
    return files


def _compile(document: Document, package: str | None, report: Report, options: Options) -> Model:
    with _bounded(document.source, report):
        report.begins("build")
        model = build(document, package, report, options.side, with_distribution=options.dist)
        limit = exceeded(model, report.limits)
    if limit:
        message = f"the package would have more than {getattr(report.limits, limit):,} {limit}"
        report.exceed(limit, message, document.source.root.location)
    return model


def read(spec: Path, report: Report) -> Source:
    """The document in the file `spec`; raises `Refused`."""
    with _bounded(Source(spec, str(spec), "", Scalar(None, Location(str(spec), 1, 1))), report):
        report.begins("load")
        return load(spec, report)


@contextmanager
def _bounded(source: Source, report: Report) -> Iterator[None]:
    """Turns what only a document can cause, recursion or work without end, into a refusal."""
    limits, start = report.limits, source.root.location
    seconds = seconds_for(source.path, limits)
    try:
        with deadline(seconds):
            yield
    except RecursionError:
        message = "the document refers from one place to the next too many times"
        report.exceed("recursion", message, start)
    except TooSlow:
        message = f"the document takes more than {seconds} seconds of work to understand"
        report.exceed("seconds", message, start)
