"""The command `init`: says what it finds in a repository, writes what is missing there, and says what comes next."""

from __future__ import annotations

import re
import sys
from pathlib import Path

import click

from .cli_complete import SpecPath
from .cli_help import epilog
from .cli_options import refusals
from .diagnostics import escaped
from .diff import diff_of
from .init import NoSetup, Setup, State, set_up, write
from .init_texts import PLACEHOLDER
from .write import Unwritable


def _source(context: click.Context, parameter: click.Parameter, value: str | None) -> str | None:
    if value is None or re.fullmatch(r"[\w.-]+/[\w.-]+@[\w./-]+", value, re.ASCII):
        return value
    raise click.BadParameter(
        f"{value!r} should be such as {PLACEHOLDER!r}, a repository and a commit or tag of it"
    )


@click.command(
    "init",
    epilog=epilog(
        {
            "aoba-gen init": "set up all documents of this repository",
            "aoba-gen init spec.yaml -o generated/ --diff": "show what that would write for one of them",
        },
        {
            0: "all is in place",
            1: "something is left to be done by hand",
            2: "a wrong call, or nothing can be set up",
        },
        {"docs/ci.md": "what the workflow and the hook do"},
        {},
    ),
)
@click.argument("specs", metavar="[SPEC]...", nargs=-1, type=SpecPath())
@click.option(
    "-o",
    "--out",
    default="generated",
    show_default=True,
    type=click.Path(path_type=Path),
    help="Folder to put the packages in.",
)
@click.option(
    "--source",
    callback=_source,
    metavar="OWNER/NAME@REF",
    help="Where aoba-gen is kept on GitHub, for the workflow and the hook; else the workflow has a place to fill in, "
    "and the hook calls the aoba-gen that is installed.",
)
@click.option(
    "--diff",
    "--dry-run",
    "show_diff",
    is_flag=True,
    help="Write nothing; print what would change as a unified diff.",
)
@click.option(
    "--force", is_flag=True, help="Overwrite a workflow that is not as it would be written."
)
def init_command(
    specs: tuple[Path, ...], out: Path, source: str | None, show_diff: bool, force: bool
) -> None:
    """Set a git repository up to generate from the AsyncAPI documents SPEC, and to check that in CI.

    Writes [tool.aoba-gen] into pyproject.toml, a hook into .pre-commit-config.yaml and the workflow
    .github/workflows/aoba-gen.yml for GitHub. What is there already stays as it is.

    Without SPEC: for every YAML and JSON file of the repository whose first key is 'asyncapi'.
    """
    with refusals():
        try:
            setup = set_up(specs, out, source, force=force)
            if show_diff:
                for step in setup.writes:
                    click.echo(diff_of(step.path, step.old, step.new), nl=False)
            else:
                write(setup)
        except (NoSetup, Unwritable) as problem:
            click.echo(escaped(f"aoba-gen: {problem}"), err=True)
            sys.exit(2)
    _tell(setup, to_stderr=show_diff)
    sys.exit(0 if setup.is_done else 1)


def _tell(setup: Setup, *, to_stderr: bool) -> None:
    """What was found and done, and what comes next; beside a diff this is no part of the output."""
    for name in setup.documents:
        click.echo(escaped(f"found {name}"), err=to_stderr)
    for step in setup.steps:
        word = f"would be {step.state}" if to_stderr and step.new is not None else step.state
        is_left = step.state in (State.KEPT, State.BY_HAND)
        told = f"{' ' if step.new else '; '}{step.told}" if step.told else ""
        click.echo(f"{step.path}: {word}{told}", err=to_stderr or is_left)
        if step.paste:
            click.echo("\n" + step.paste, err=True)
    if any(PLACEHOLDER in (step.new or "") for step in setup.steps):
        click.echo(
            f"next: in the workflow, put where aoba-gen is kept in place of {PLACEHOLDER}",
            err=to_stderr,
        )
    if setup.writes:
        click.echo("next: run 'aoba-gen' and commit all of it", err=to_stderr)
