"""`--watch`: generates again whenever a document changes, one line a run; no error ends it."""

from __future__ import annotations

import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import click

from .access import shared_beside
from .cli_options import tell
from .config import Target
from .diagnostics import Diagnostic, Refused, Report, escaped
from .options import Options
from .pipeline import generate
from .seal import Current
from .watch import NoWatcher, changes
from .write import Unwritable, apply


def watch_targets(jobs: Sequence[tuple[Target, Options]], report: Report, force: bool) -> None:
    """Generate every document now, and again after each change of what it may consist of, until interrupted."""
    outs = [target.out.resolve() for target, _ in jobs]
    own = {target.spec.absolute().parent for target, _ in jobs}

    def folders() -> set[Path]:
        more = {root for _, options in jobs for root in options.access.roots}
        more |= {options.templates for _, options in jobs if options.templates}
        return own | more | {beside for folder in own for beside in shared_beside(folder)}

    def is_ours(place: Path) -> bool:
        return any(out in place.parents for out in outs if out not in own)

    last: dict[Target, _Run] = {}
    try:
        for changed in changes(folders, is_ours):
            runs = {target: _run(target, options, report, force) for target, options in jobs}
            news = [target for target, run in runs.items() if run.wrote or run != last.get(target)]
            for target in news or (runs if changed else ()):
                _tell(runs[target], in_full=bool(news))
            last = runs
    except NoWatcher:
        click.echo("aoba-gen: --watch needs watchfiles: pip install 'aoba-gen[watch]'", err=True)
        sys.exit(2)
    except KeyboardInterrupt:  # between two looks; what is written is written whole
        pass


@dataclass(frozen=True, slots=True)
class _Run:
    """What came of one document: what was found, whether all is as generated now; and what makes no run a new one."""

    found: tuple[Diagnostic, ...]
    is_fine: bool
    wrote: bool = field(compare=False)
    said: str = field(compare=False)
    seconds: float = field(compare=False)


def _run(target: Target, options: Options, first: Report, force: bool) -> _Run:
    start = time.perf_counter()
    report = first.scratch()
    is_fine = wrote = False
    try:
        plan = generate(target.spec, target.out, target.package, report, options)
        if isinstance(plan, Current):
            said, is_fine = f"{plan.folder}: as generated", True
        else:
            outcome = apply(plan, force=force)
            counts = {"written": outcome.written, "removed": outcome.removed, "kept": outcome.kept}
            told = ", ".join(f"{len(paths)} {name}" for name, paths in counts.items() if paths)
            said = f"{plan.folder}: {told or 'as generated'}"
            is_fine, wrote = not outcome.kept, bool(outcome.written or outcome.removed)
        found = report.diagnostics
    except Refused as refused:
        found = refused.diagnostics
        said = f"{target.spec}: refused, {len(found)} problem{'' if len(found) == 1 else 's'}"
    except (Unwritable, OSError) as problem:
        found, said = report.diagnostics, f"aoba-gen: {problem}"
    return _Run(found, is_fine, wrote, said, time.perf_counter() - start)


def _tell(run: _Run, *, in_full: bool) -> None:
    """The line about a run; what was found is told when it is new."""
    if in_full:
        tell(run.found)
    click.echo(escaped(f"{time.strftime('%H:%M:%S')} {run.said} ({run.seconds:.1f} s)"))
    sys.stdout.flush()
