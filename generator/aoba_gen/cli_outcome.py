"""What a plan comes to, as the flags of a command say: written, shown, or held against the disk; and what is told of it."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import NoReturn

import click

from .beside import BESIDE, place_of
from .cli_options import Command, exit_code, tell
from .config import Target
from .diagnostics import Diagnostic, Location, Refused, Report, escaped
from .diff import diff
from .options import Options
from .seal import Current
from .write import Outcome, Plan, Unwritable, apply, on_disk


def with_writing(command: Command) -> Command:
    """The options that say what is to become of what was generated."""
    for option in (
        click.option("-q", "--quiet", is_flag=True, help="Print errors only."),
        click.option(
            "--format",
            "form",
            type=click.Choice(("text", "github")),
            default="text",
            show_default=True,
            help="How --check prints what it finds, and errors: for people, or as annotations for GitHub.",
        ),
        click.option(
            "--force",
            is_flag=True,
            help="Overwrite files that were edited by hand or are not ours.",
        ),
        click.option(
            "--diff",
            "show_diff",
            is_flag=True,
            help="Write nothing; print what would change as a unified diff.",
        ),
        click.option(
            "--check", is_flag=True, help="Write nothing; exit 1 unless the output is as generated."
        ),
    ):
        command = option(command)
    return command


@dataclass(frozen=True, slots=True)
class Wanted:
    """What a command is to do with its plan, and how it tells of it: `form` is "text" or "github"."""

    check: bool
    diff: bool
    force: bool
    quiet: bool
    form: str

    def tell(self, diagnostics: Sequence[Diagnostic]) -> None:
        """Print diagnostics."""
        if self.form == "github" and diagnostics:
            from .formats import as_github  # like the next, what most runs need not import

            click.echo(as_github(diagnostics, {}), nl=False)
        else:
            tell(diagnostics)

    def ended(self, run: Callable[[], int]) -> int:
        """The exit code of a run; what is refused and what cannot be written is told."""
        try:
            return run()
        except Refused as refused:
            self.tell(refused.diagnostics)
            return exit_code(refused)
        except BrokenPipeError:  # who read what we print has left
            raise
        except (Unwritable, OSError) as problem:  # the output folder, or where the summary goes
            click.echo(escaped(f"aoba-gen: {problem}"), err=True)
            return 2

    def carry_out(self, plan: Plan | Current, command: Callable[[Plan], str]) -> int:
        """Write, show or check; the exit code. `command` is what to run where the output is not as generated."""
        if isinstance(plan, Current):
            _summarize(plan.folder, Outcome((), plan.files, (), ()), self.quiet or self.diff)
            return 0
        if self.diff:
            click.echo(diff(plan, force=self.force), nl=False)
            _tell_kept(plan.folder, plan.outcome(force=self.force))
        if self.check:
            if plan.clean:
                _summarize(plan.folder, plan.outcome(), self.quiet)
                return 0
            from .cli_drift import tell_drift

            tell_drift(plan, command(plan), self.form)
            return 1
        return 0 if self.diff else _write(plan, self.force, self.quiet)


@dataclass(frozen=True, slots=True)
class Run:
    """The documents of a call, one after the other, as its flags say."""

    wanted: Wanted
    is_named: bool  # the document was named in the call, and not by the project
    _taken: dict[Path, Path] = field(default_factory=dict)

    def each(
        self,
        jobs: Iterable[tuple[Target, Options]],
        report: Report,
        make: Callable[[Run, Target, Options, Report], int],
    ) -> NoReturn:
        """End with the worst exit code of `make`, which is called for every document and raises what `Wanted.ended` tells."""
        runs = (partial(make, self, *job, report.scratch()) for job in jobs)
        sys.exit(max([self.wanted.ended(run) for run in runs]))

    def take(self, place: Path, spec: Path, what: str, keys: str) -> None:
        """Keep a folder or a file for one document; raises `Refused` where `what` goes to another's of this run."""
        other = self._taken.setdefault(place.resolve(), spec)
        if other is not spec:
            text = f"{what} to {place}, where that of {other} is"
            hint = f"give one of the two another {keys} in [tool.aoba-gen]"
            raise Refused([Diagnostic("package-name", text, Location(str(spec), 1, 1), hint)])


def _write(plan: Plan, force: bool, quiet: bool) -> int:
    outcome = apply(plan, force=force)
    _summarize(plan.folder, outcome, quiet)
    _tell_kept(plan.folder, outcome)
    return 1 if outcome.kept else 0


def _tell_kept(folder: Path, outcome: Outcome) -> None:
    for path in outcome.kept:
        other = _owner(folder, path) if path in BESIDE else None
        why = "it was edited by hand or is not ours; --force overwrites it"
        if other:  # the document may have had another title
            why = (
                f"it is of the package {other}; where that is of the same document, remove {other}"
            )
            why += " and run again with --force, else give each a folder of its own"
        click.echo(escaped(f"{place_of(folder, path)}: kept, because {why}"), err=True)


def _owner(folder: Path, path: str) -> Path | None:
    """The package beside that in `folder` which has the file of `BESIDE` for its own."""
    others = sorted(place for place in folder.parent.iterdir() if place.is_dir())
    return next((o for o in others if o != folder and path in on_disk(o).files), None)


def _summarize(folder: Path, outcome: Outcome, quiet: bool) -> None:
    if quiet:
        return
    for verb, paths in (("wrote", outcome.written), ("removed", outcome.removed)):
        for path in paths:
            click.echo(escaped(f"{verb} {place_of(folder, path)}"))
    counts = {
        "written": outcome.written,
        "unchanged": outcome.unchanged,
        "removed": outcome.removed,
        "kept": outcome.kept,
    }
    told = ", ".join(f"{len(paths)} {name}" for name, paths in counts.items() if paths)
    click.echo(escaped(f"{folder}: {told}"))
