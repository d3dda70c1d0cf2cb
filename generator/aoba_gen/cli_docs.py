"""`aoba-gen docs`: the pages of an API, with the flags of `generate`."""

from __future__ import annotations

import shlex
from dataclasses import replace
from pathlib import Path

import click

from .cli_complete import SpecPath
from .cli_help import epilog
from .cli_options import (
    access,
    configuration,
    refusals,
    with_disable,
    with_side,
    with_trust,
)
from .cli_outcome import Run, Wanted, with_writing
from .config import Config, Target
from .diagnostics import Report
from .options import Options, Side
from .pipeline import generate_docs
from .progress import progress
from .write import Plan


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
    given = Target(spec, out, side=side) if spec and out else None
    listed = [given] if given else _configured(config, out, side)
    allowed = access(config, roots, hosts)
    jobs = [(target, Options(target.side, access=allowed)) for target in listed]
    run = Run(Wanted(check, show_diff, force, quiet, form), is_named=bool(given))
    run.each(jobs, report, _write_pages)


def _configured(config: Config, *given: object) -> list[Target]:
    """The documents of the project that have a folder for their pages, which is where they go."""
    found = [replace(each, out=each.docs) for each in config.targets if each.docs]
    if not found:
        raise click.UsageError(
            "Missing argument 'SPEC': name a document, or give one in [tool.aoba-gen] of pyproject.toml a folder 'docs'."
        )
    if any(one is not None for one in given):
        raise click.UsageError(
            "--out and --side go with a SPEC; [tool.aoba-gen] has its own for each document."
        )
    return found


def _write_pages(run: Run, target: Target, options: Options, report: Report) -> int:
    """Write the pages of one document, or say what that would do; the exit code."""

    def command(plan: Plan) -> str:
        words = ["aoba-gen", "docs"]
        if run.is_named:
            words += [str(target.spec), "-o", str(target.out)]
            words += ["--side", options.side] if options.side else []
        return shlex.join([*words, "--force"] if plan.outcome().kept else words)

    run.take(target.out, target.spec, "the documentation goes", "'docs'")
    with progress(str(target.spec), quiet=run.wanted.quiet) as report.begins:
        plan = generate_docs(target.spec, target.out, report, options)
    run.wanted.tell(report.diagnostics)
    return run.wanted.carry_out(plan, command)
