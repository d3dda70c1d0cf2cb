"""The command line: options in, diagnostics and a summary out. 0 is fine, 1 has findings, 2 is a wrong call."""

from __future__ import annotations

import errno
import re
import sys
from collections.abc import Mapping
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Final

import click

from .beside import PYPROJECT, place_of
from .cli_complete import SpecPath, offered
from .cli_help import epilog
from .cli_options import (
    access,
    configuration,
    refusals,
    targets,
    with_disable,
    with_package,
    with_trust,
)
from .cli_outcome import Run, Wanted, with_writing
from .config import Config, Target
from .diagnostics import Report, escaped, suggestion
from .options import Options, Side
from .progress import progress
from .seal import Current, current
from .write import Plan

if TYPE_CHECKING:
    from click.shell_completion import CompletionItem

_FIRST: Final = "aoba_gen.first"
"""Of a call that is being typed: whether this is its first word."""
_HELP: Final = epilog(
    {
        "aoba-gen spec/voice-call-signaling.yaml -o generated/": "write the package generated/aoba_voice_call_signaling/",
        "aoba-gen spec/voice-call-signaling.yaml -o generated/ --check": "in CI: exit 1 and say what is not as generated",
        "aoba-gen spec/voice-call-signaling.yaml -o generated/ --diff": "show what a run would change",
        "aoba-gen": "generate every document of [tool.aoba-gen] in pyproject.toml",
    },
    {
        0: "all is well",
        1: "the document has errors; the output is not as generated; or a hand-edited file was kept",
        2: "a wrong call: an unknown option, no such file, an output folder that cannot be written",
    },
    {
        "aoba-gen init": "set a repository up to generate, and to check that in CI",
        "aoba-gen validate SPEC...": "check documents and write nothing",
        "aoba-gen model SPEC": "print what templates read",
        "aoba-gen rules": "list the rules",
        "aoba-gen breaking NEW --against OLD": "say what a new version breaks, and for whom",
        "aoba-gen changelog OLD NEW": "print what has changed, in Markdown",
        "aoba-gen docs SPEC -o DIR": "write a page of the API, in HTML and in Markdown",
        "aoba-gen completion SHELL": "print the script that completes calls in bash, zsh or fish",
    },
)


_FURTHER: Final[Mapping[str, str]] = {
    "validate": "cli_validate",
    "model": "cli_validate",
    "rules": "cli_validate",
    "breaking": "cli_breaking",
    "changelog": "cli_breaking",
    "init": "cli_init",
    "completion": "cli_complete",
    "docs": "cli_docs",
}
"""The commands beside `generate`, and the module in which each is `<name>_command`; only the one that runs is imported."""


class _Commands(click.Group):
    """A group in which what names no command is for the first one."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return sorted((*self.commands, *_FURTHER))

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in _FURTHER:
            return super().get_command(ctx, cmd_name)
        module = import_module(f".{_FURTHER[cmd_name]}", __package__)
        command: click.Command = getattr(module, f"{cmd_name}_command")
        return command

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        known = self.list_commands(ctx)
        if args and args[0] in known:
            return super().parse_args(ctx, args)
        ctx.meta[_FIRST] = not args
        if args and not ctx.resilient_parsing:
            self._check_word(args[0], known)
        return super().parse_args(ctx, ["generate", *args])

    def invoke(self, ctx: click.Context) -> object:
        """What the command returns; a full disk behind standard output is told, a reader who has left (click) and Ctrl-C are not."""
        try:
            return super().invoke(ctx)
        except KeyboardInterrupt:
            sys.exit(130)
        except OSError as problem:
            if problem.errno == errno.EPIPE:
                raise
            told = str(problem)
            if problem.errno == errno.ENOENT and problem.filename is None:
                told = "the current folder is not there any more; go to another one"
            click.echo(escaped(f"aoba-gen: {told}"), err=True)
            sys.exit(2)

    def _check_word(self, word: str, known: list[str]) -> None:
        """Raises for what is neither a file nor a command, and looks like a command."""
        if word == "help" and not Path(word).exists():
            raise click.UsageError(f"no such file: {word!r}; 'aoba-gen --help' lists the commands")
        near = suggestion(word, known) if re.fullmatch("[a-z]+", word, re.IGNORECASE) else ""
        if near and not Path(word).exists():
            hint = near.replace("did you mean", "did you mean the command")
            raise click.UsageError(f"no such file: {word!r}; {hint}")


class _First(SpecPath):
    """The document to generate from, which is the first word of a call, where a command may stand too."""

    def shell_complete(
        self, ctx: click.Context, param: click.Parameter, incomplete: str
    ) -> list[CompletionItem]:
        is_first = ctx.meta.get(_FIRST, False)
        return offered(incomplete, main.list_commands(ctx) if is_first else ())


@click.group(
    cls=_Commands,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
)
def main() -> None:
    """Generate typed Python clients from AsyncAPI documents."""


@main.command("generate", epilog=_HELP, context_settings={"allow_extra_args": True})
@click.argument("spec", required=False, type=_First())
@click.option(
    "-o",
    "--out",
    type=click.Path(path_type=Path),
    metavar="DIR",
    help="Folder to put the package in; made where it is missing. Needed with a SPEC.",
)
@with_package
@click.option(
    "--templates",
    type=click.Path(path_type=Path, exists=True, file_okay=False),
    metavar="DIR",
    help="Folder with templates of your own; one that has the name of ours takes its place.",
)
@click.option(
    "--dist",
    is_flag=True,
    help="Make it installable: write pyproject.toml and README.md beside the package.",
)
@with_disable
@with_trust
@with_writing
@click.option(
    "--watch", is_flag=True, help="Generate again whenever a document changes, until interrupted."
)
@click.version_option(package_name="aoba-gen", message="%(prog)s %(version)s")
def generate_command(
    spec: Path | None,
    out: Path | None,
    package: str | None,
    side: Side | None,
    templates: Path | None,
    dist: bool,
    disable: tuple[str, ...],
    roots: tuple[Path, ...],
    hosts: tuple[str, ...],
    limits: dict[str, int],
    check: bool,
    show_diff: bool,
    force: bool,
    quiet: bool,
    form: str,
    watch: bool,
) -> None:
    """Generate a typed Python client from the AsyncAPI document SPEC.

    The package is named after the document's title and lies in the folder OUT. Only files that aoba-gen wrote are ever
    replaced or deleted, and none that was edited by hand since, unless --force says so.

    Without SPEC: every document that [tool.aoba-gen] in pyproject.toml lists.
    """
    if more := click.get_current_context().args:
        text = f"unexpected {more[0]!r}: -o names the folder, and [tool.aoba-gen] in pyproject.toml several documents"
        raise click.UsageError(text)
    with refusals():
        config, report = configuration(disable, limits)
    given = Target(spec, out, package, side, templates, dist) if spec and out else None
    if spec and not out:
        raise click.UsageError("Missing option '-o' / '--out'.")
    listed = (given,) if given else _configured(config, out, package, side, templates, dist or None)
    allowed = access(config, roots, hosts)
    jobs = [
        (target, Options(target.side, target.templates or config.templates, allowed, target.dist))
        for target in listed
    ]
    if watch:
        if check or show_diff:
            raise click.UsageError("--watch writes; --check and --diff do not.")
        from .cli_watch import watch_targets

        watch_targets(jobs, report, force)
        return
    run = Run(Wanted(check, show_diff, force, quiet, form), is_named=bool(given))
    run.each(jobs, report, _generate)


def _configured(config: Config, *given: object) -> tuple[Target, ...]:
    """The documents of the project; options that are about one document have no place beside them."""
    found = targets((), config)
    if any(one is not None for one in given):
        raise click.UsageError(
            "--out, --package, --side, --templates and --dist go with a SPEC; [tool.aoba-gen] has its own for each document."
        )
    return found


def _generate(run: Run, target: Target, options: Options, report: Report) -> int:
    """Generate a document's package, or say what that would do; the exit code."""
    what = (target.spec, target.out, target.package, report, options)
    plan: Plan | Current | None = current(*what)
    if plan is None:
        from .pipeline import generate  # slow to import

        with progress(str(target.spec), quiet=run.wanted.quiet) as report.begins:
            plan = generate(*what)
    run.wanted.tell(report.diagnostics)
    keys = "'package' or 'output'"
    run.take(plan.folder, target.spec, "the package goes", keys)
    if target.dist:
        place = place_of(plan.folder, PYPROJECT)
        run.take(place, target.spec, "its distribution goes", keys)

    def command(plan: Plan) -> str:
        from .cli_drift import command_of

        return command_of(target if run.is_named else None, plan)

    return run.wanted.carry_out(plan, command)
