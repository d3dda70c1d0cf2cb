"""The passes in order, and the question whether they have to run at all."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from pathlib import Path

from .build import build
from .diagnostics import Refused, Report
from .load import Source, load
from .model import Model
from .render import TEMPLATES, render
from .resolve import resolve
from .validate import validate
from .write import Plan, plan, sealed


def compile_model(source: Source, package: str | None, report: Report) -> Model:
    """The model of a loaded document; raises `Refused` with everything that is wrong with it."""
    try:
        document = resolve(source, report)
        validate(document, report)
        return build(document, package, report)
    except RecursionError:
        report.error(
            "too-deep",
            "the document refers from one place to the next too many times",
            source.root.location,
            "let schemas stand closer to where they are used",
        )
        raise Refused(report.diagnostics) from None


@dataclass(frozen=True, slots=True)
class Current:
    """An output folder that is as generated, found out without generating."""

    folder: Path
    files: tuple[str, ...]


def generate(spec: Path, out: Path, package: str | None, report: Report) -> Plan | Current:
    """What writing the package of `spec` below `out` would change, if anything.

    Reads `spec` and the output folder, writes nothing. Raises `Refused` for a document that cannot be used and
    `Unwritable` for an output folder that cannot.
    """
    source = load(spec, report)
    model = compile_model(source, package, report)
    folder = out / model.package
    seal = _seal(source, model.package)
    unchanged = sealed(folder, seal)
    if unchanged is not None:
        return Current(folder, unchanged)
    return plan(render(model), folder, seal)


def _seal(source: Source, package: str) -> str:
    """A digest of what determines the output: the document, the options and the generator itself."""
    parts = [source.digest, package, *_generator()]
    return hashlib.sha256("\n".join(parts).encode()).hexdigest()


def _generator() -> list[str]:
    files = [*Path(__file__).parent.glob("*.py"), *TEMPLATES.glob("*.j2")]
    return [
        hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(files, key=lambda path: path.name)
    ]
