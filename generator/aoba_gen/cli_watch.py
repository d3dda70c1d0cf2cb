"""`--watch`: generates again whenever a document changes, one line a run; no error ends it."""

from __future__ import annotations

import sys
import time
from collections.abc import Sequence
from pathlib import Path

import click

from .cli_options import tell
from .config import Target
from .diagnostics import Refused, Report
from .options import Options
from .pipeline import generate
from .seal import Current
from .watch import NoWatcher, changes
from .write import Unwritable, apply


def watch_targets(jobs: Sequence[tuple[Target, Options]], report: Report, force: bool) -> None:
    """Generate every document now, and again after each change of a file beside it, until interrupted."""
    outs = [target.out.resolve() for target, _ in jobs]
    folders = {target.spec.absolute().parent for target, _ in jobs}
    roots = {root for _, options in jobs for root in options.access.roots}

    def is_ours(place: Path) -> bool:
        return any(out in place.parents for out in outs if out not in folders)

    try:
        for _ in changes(sorted(folders | roots), is_ours):
            for target, options in jobs:
                _run(target, options, report.scratch(), force)
    except NoWatcher:
        click.echo("aoba-gen: --watch needs watchfiles: pip install 'aoba-gen[watch]'", err=True)
        sys.exit(2)


def _run(target: Target, options: Options, report: Report, force: bool) -> None:
    """One run, and the line about it."""
    start = time.perf_counter()
    try:
        plan = generate(target.spec, target.out, target.package, report, options)
        tell(report.diagnostics)
        if isinstance(plan, Current):
            said = f"{plan.folder}: as generated"
        else:
            outcome = apply(plan, force=force)
            counts = {"written": outcome.written, "removed": outcome.removed, "kept": outcome.kept}
            told = ", ".join(f"{len(paths)} {name}" for name, paths in counts.items() if paths)
            said = f"{plan.folder}: {told or 'as generated'}"
    except Refused as refused:
        tell(refused.diagnostics)
        count = len(refused.diagnostics)
        said = f"{target.spec}: refused, {count} problem{'' if count == 1 else 's'}"
    except (Unwritable, OSError) as problem:
        said = f"aoba-gen: {problem}"
    seconds = time.perf_counter() - start
    click.echo(f"{time.strftime('%H:%M:%S')} {said} ({seconds:.1f} s)")
    sys.stdout.flush()
