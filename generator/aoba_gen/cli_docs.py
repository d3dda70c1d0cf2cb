"""`aoba-gen docs`: the pages of an API, with the flags of `generate`."""

from __future__ import annotations

import shlex
import sys
from functools import partial
from pathlib import Path
from typing import TypeAlias

import click

from .cli_complete import SpecPath
from .cli_help import epilog
from .cli_options import (
    access,
    configuration,
    refusals,
    take,
    with_disable,
    with_side,
    with_trust,
)
from .cli_outcome import Wanted, with_writing
from .config import Config
from .diagnostics import Report
from .options import Options, Side
from .pipeline import generate_docs
from .progress import progress
from .write import Plan

_Job: TypeAlias = "tuple[Path, Path, Side | None]"
"""A document, the folder for its pages, and from whose side they are told."""


@click.command(
    "docs",
    epilog=epilog(
        {
            "aoba-gen docs spec/voice-call-signaling.yaml -o docs/api": "write docs/api/index.html and docs/api/api.md",
            "aoba-gen docs spec/voice-call-signaling.yaml -o docs/api --check": "in CI: exit 1 and say what is not as written",
            "aoba-gen docs": "write the pages of every document of [tool.aoba-gen] that has a folder 'docs'",
        },
        {
            0: "all is well",
            1: "the document has errors; the pages are not as written; or a hand-edited file was kept",
            2: "a wrong call: an unknown option, no such file, a folder that cannot be written",
        },
        {"aoba-gen SPEC -o OUT": "generate the package"},
    ),
)
@click.argument("spec", required=False, type=SpecPath())
@click.option(
    "-o",
    "--out",
    type=click.Path(path_type=Path),
    metavar="DIR",
    help="Folder to put the pages in; made where it is missing. Needed with a SPEC.",
)
@with_side
@with_disable
@with_trust
@with_writing
def docs_command(
    spec: Path | None,
    out: Path | None,
    side: Side | None,
    disable: tuple[str, ...],
    roots: tuple[Path, ...],
    hosts: tuple[str, ...],
    limits: dict[str, int],
    check: bool,
    show_diff: bool,
    force: bool,
    quiet: bool,
    form: str,
) -> None:
    """Write the pages of the API in the AsyncAPI document SPEC: index.html and api.md.

    Both say the same and need nothing from the network: servers, the flow of messages, operations, channels, messages with
    their examples, and schemas. DIR is a folder of their own; in it only files that aoba-gen wrote are ever replaced, and
    none that was edited by hand since, unless --force says so.

    Without SPEC: every document of [tool.aoba-gen] in pyproject.toml that has a folder 'docs'.
    """
    with refusals():
        config, report = configuration(disable, limits)
    if spec and not out:
        raise click.UsageError("Missing option '-o' / '--out'.")
    jobs: list[_Job] = [(spec, out, side)] if spec and out else _configured(config, out, side)
    wanted = Wanted(check, show_diff, force, quiet, form)
    codes = []
    taken: dict[Path, Path] = {}
    for document, folder, side in jobs:
        options = Options(side, access=access(config, roots, hosts))
        run = partial(_run, document, folder, options, report.scratch(), wanted, bool(spec), taken)
        codes.append(wanted.ended(run))
    sys.exit(max(codes))


def _configured(config: Config, *given: object) -> list[_Job]:
    """The documents of the project that have a folder for their pages."""
    jobs: list[_Job] = [(each.spec, each.docs, each.side) for each in config.targets if each.docs]
    if not jobs:
        raise click.UsageError(
            "Missing argument 'SPEC': name a document, or give one in [tool.aoba-gen] of pyproject.toml a folder 'docs'."
        )
    if any(one is not None for one in given):
        raise click.UsageError(
            "--out and --side go with a SPEC; [tool.aoba-gen] has its own for each document."
        )
    return jobs


def _run(
    spec: Path,
    folder: Path,
    options: Options,
    report: Report,
    wanted: Wanted,
    is_named: bool,
    taken: dict[Path, Path],
) -> int:
    """Write the pages of one document, or say what that would do; the exit code."""

    def command(plan: Plan) -> str:
        words = ["aoba-gen", "docs"]
        if is_named:
            words += [str(spec), "-o", str(folder)]
            words += ["--side", options.side] if options.side else []
        return shlex.join([*words, "--force"] if plan.outcome().kept else words)

    take(taken, folder, spec, "the documentation goes", "'docs'")
    with progress(str(spec), quiet=wanted.quiet) as report.begins:
        plan = generate_docs(spec, folder, report, options)
    wanted.tell(report.diagnostics)
    return wanted.carry_out(plan, command)
