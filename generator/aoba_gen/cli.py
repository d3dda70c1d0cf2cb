"""The command line: options in, diagnostics and a summary out. 0 is fine, 1 has findings, 2 is a wrong call."""

from __future__ import annotations

import gc
import keyword
import sys
from pathlib import Path
from typing import Final, get_args

import click

from . import names
from .diagnostics import Diagnostic, Refused, Report
from .model import Side
from .pipeline import Current, Options, generate
from .write import MANIFEST, Outcome, Plan, State, Unwritable, apply, diff

_USAGE_RULES: Final = frozenset({"file-missing", "file-is-folder", "file-unreadable"})
_STATES: Final = {
    State.MISSING: "missing",
    State.STALE: "stale",
    State.EXTRA: "extra",
    State.EDITED: "edited by hand",
    State.FOREIGN: "not ours",
}
_EXAMPLES: Final = """
\b
Examples:
  aoba-gen spec/voice-call-signaling.yaml -o generated/
      write the package generated/aoba_voice_call_signaling/
  aoba-gen spec/voice-call-signaling.yaml -o generated/ --check
      in CI: exit 1 and say what is not as generated
  aoba-gen spec/voice-call-signaling.yaml -o generated/ --diff
      show what a run would change
\b
Exit codes: 0 all is well; 1 the document has errors, or the output is not as generated; 2 a wrong call.
"""


def _package(context: click.Context, parameter: click.Parameter, value: str | None) -> str | None:
    if value is not None and (not value.isidentifier() or keyword.iskeyword(value)):
        raise click.BadParameter(
            f"{value!r} is no name for a Python package; write letters, digits and '_'"
        )
    if value is not None and (names.is_taken_module(value) or value.startswith("__")):
        raise click.BadParameter(f"{value!r} is a name that Python or its libraries use")
    return value


@click.command(
    epilog=_EXAMPLES,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
)
@click.argument("spec", type=click.Path(path_type=Path))
@click.option(
    "-o",
    "--out",
    required=True,
    type=click.Path(path_type=Path),
    help="Folder to put the package in.",
)
@click.option(
    "--package",
    callback=_package,
    metavar="NAME",
    help="Name of the package; else made from the title.",
)
@click.option(
    "--side",
    type=click.Choice(get_args(Side)),
    help="Whom to generate for: the application that the document describes (default from 3.0 on), or its peer "
    "(default in 2.x).",
)
@click.option(
    "--templates",
    type=click.Path(path_type=Path, exists=True, file_okay=False),
    metavar="DIR",
    help="Folder with templates of your own; one that has the name of ours takes its place.",
)
@click.option(
    "--check", is_flag=True, help="Write nothing; exit 1 unless the output is as generated."
)
@click.option(
    "--diff",
    "show_diff",
    is_flag=True,
    help="Write nothing; print what would change as a unified diff.",
)
@click.option(
    "--force", is_flag=True, help="Overwrite files that were edited by hand or are not ours."
)
@click.option("-q", "--quiet", is_flag=True, help="Print errors only.")
@click.version_option(package_name="aoba-gen", message="%(prog)s %(version)s")
def main(
    spec: Path,
    out: Path,
    package: str | None,
    side: Side | None,
    templates: Path | None,
    check: bool,
    show_diff: bool,
    force: bool,
    quiet: bool,
) -> None:
    """Generate a typed Python client from the AsyncAPI document SPEC.

    The package is named after the document's title and lies in the folder OUT. Only files that aoba-gen wrote are ever
    replaced or deleted, and none that was edited by hand since, unless --force says so.
    """
    # A short run that builds much and drops little spends a tenth of its time on collecting.
    gc.set_threshold(20_000, 50, 1000)
    sys.setrecursionlimit(5_000)  # schemas may refer to each other in long chains
    report = Report()
    try:
        plan = generate(spec, out, package, report, Options(side, templates))
        _tell(report.diagnostics)
        if isinstance(plan, Current):
            _summarize(plan.folder, Outcome((), plan.files, (), ()), quiet or show_diff)
            return
        if show_diff:
            click.echo(diff(plan, force=force), nl=False)
            _tell_kept(plan.folder, plan.outcome(force=force))
        if check:
            _check(plan, quiet)
        elif not show_diff:
            _write(plan, force, quiet)
    except Refused as refused:
        _tell(refused.diagnostics)
        sys.exit(2 if all(found.rule in _USAGE_RULES for found in refused.diagnostics) else 1)
    except (Unwritable, OSError) as problem:  # the output folder, or where the summary goes
        click.echo(f"aoba-gen: {problem}", err=True)
        sys.exit(2)


def _check(plan: Plan, quiet: bool) -> None:
    if plan.clean:
        _summarize(plan.folder, plan.outcome(), quiet)
        return
    for change in plan.changes:
        if change.state is not State.UNCHANGED:
            click.echo(f"{_STATES[change.state]}: {plan.folder / change.path}")
    if not plan.listed and not plan.paths(*_STATES):
        click.echo(f"missing or stale: {plan.folder / MANIFEST}")
    force = " (and with --force, to drop what was edited by hand)" if plan.outcome().kept else ""
    click.echo(
        f"{plan.folder} is not as generated: run aoba-gen without --check{force} and commit the result",
        err=True,
    )
    sys.exit(1)


def _write(plan: Plan, force: bool, quiet: bool) -> None:
    outcome = apply(plan, force=force)
    _summarize(plan.folder, outcome, quiet)
    _tell_kept(plan.folder, outcome)
    if outcome.kept:
        sys.exit(1)


def _tell_kept(folder: Path, outcome: Outcome) -> None:
    for path in outcome.kept:
        click.echo(
            f"{folder / path}: kept, because it was edited by hand or is not ours; --force overwrites it",
            err=True,
        )


def _tell(diagnostics: tuple[Diagnostic, ...]) -> None:
    for found in diagnostics:
        click.echo(str(found), err=True)


def _summarize(folder: Path, outcome: Outcome, quiet: bool) -> None:
    if quiet:
        return
    for verb, paths in (("wrote", outcome.written), ("removed", outcome.removed)):
        for path in paths:
            click.echo(f"{verb} {folder / path}")
    counts = {
        "written": outcome.written,
        "unchanged": outcome.unchanged,
        "removed": outcome.removed,
        "kept": outcome.kept,
    }
    click.echo(
        f"{folder}: " + ", ".join(f"{len(paths)} {name}" for name, paths in counts.items() if paths)
    )
