"""The commands that hold two versions of a document against each other: `breaking` and `changelog`."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import click

from .changelog import changelog
from .cli_complete import SpecPath, documents
from .cli_help import epilog
from .cli_options import access, configuration, targets, tell, with_package, with_trust
from .compare import RULES
from .compare_formats import BEGINNINGS, FORMATS, NO_PAST, summary
from .compare_result import Comparison, compared
from .compare_places import acceptances
from .compare_version import advise
from .config import Accept, Config
from .diagnostics import Diagnostic, Location, Refused, Report, escaped, shown, suggestion
from .history import NoHistory, Past, past
from .document import Document
from .model import Model
from .options import Options, Side
from .pipeline import check_and_compile, read
from .progress import progress


@click.command(
    "breaking",
    epilog=epilog(
        {
            "aoba-gen breaking spec.yaml --against git:main": "what this branch breaks, beside what is on main",
            "aoba-gen breaking spec.yaml --against released/": "beside the document of the same name in a folder",
            "aoba-gen breaking spec.yaml --against git:v1.4.0 --suggest-version": "and whether info.version has moved far enough",
            "aoba-gen breaking new.yaml --against old.yaml --format markdown": "as a comment for a pull request",
        },
        {
            0: "nobody breaks",
            1: "somebody does; or, with --suggest-version, info.version is behind",
            2: "a wrong call, or documents that cannot be compared",
        },
        {
            "aoba-gen changelog OLD NEW": "the same as a section of a changelog",
            "docs/breaking.md": "what each rule means, how a change is accepted",
        },
    ),
)
@click.argument("new", required=False, metavar="NEW", type=SpecPath())
@click.option(
    "--against",
    metavar="OLD",
    shell_complete=documents,
    help="The document as clients know it: a file, a folder with one of the same name, or git:REF[:PATH].",
)
@click.option(
    "--format",
    "form",
    type=click.Choice(tuple(FORMATS)),
    default="text",
    show_default=True,
    help="How to print what is found.",
)
@click.option(
    "--suggest-version",
    is_flag=True,
    help="Say which version comes next, and exit 1 unless info.version is at least that.",
)
@click.option("--list-rules", is_flag=True, help="List the rules, and compare nothing.")
@with_package
@with_trust
def breaking_command(
    new: Path | None,
    against: str | None,
    form: str,
    suggest_version: bool,
    list_rules: bool,
    package: str | None,
    side: Side | None,
    roots: tuple[Path, ...],
    hosts: tuple[str, ...],
    limits: dict[str, int],
) -> None:
    """Say what the document NEW breaks for clients that were made from OLD.

    Compares what the documents mean, not their text. A change is accepted, with a reason, by [tool.aoba-gen.breaking] in
    pyproject.toml or by an x-aoba-accept in NEW, at the place of the change or around it.

    Without NEW: the document of [tool.aoba-gen] in pyproject.toml, if there is but one.
    """
    if list_rules:
        for rule, sentence in sorted(RULES.items()):
            click.echo(f"{rule:28} {sentence}")
        return
    if against is None:
        raise click.UsageError(
            "Missing option '--against': name the old document, such as git:main."
        )
    with _findings():
        config, report = configuration((), limits)
        if not new and not config.targets:
            raise click.UsageError(
                "Missing argument 'NEW': name a document, or list one in [tool.aoba-gen] of pyproject.toml."
            )
        listed = targets((new,) if new else (), config)
        spec, *others = dict.fromkeys(target.spec for target in listed)
        if others:
            raise click.UsageError("Missing argument 'NEW': the project has several documents.")
        package, side = _as_listed(spec, package, side, config)
        options = Options(side, access=access(config, roots, hosts))
        try:
            found = _compared(spec, against, package, options, config, report)
        except _PastRefused as refused:
            if form in BEGINNINGS:
                click.echo(BEGINNINGS[form](refused.diagnostics), nl=False)
            raise
    click.echo(FORMATS[form](found), nl=False)
    for idle in found.idle:
        click.echo(_idle(idle, found), err=True)
    if form == "text":
        click.echo(summary(found), err=True)
    behind = suggest_version and _tell_version(found)
    sys.exit(1 if behind or any(one.breaks for one in found.changes) else 0)


@click.command(
    "changelog",
    epilog=epilog(
        {
            "aoba-gen changelog git:v1.4.0 spec.yaml": "what has changed since a tag",
            "aoba-gen changelog old.yaml new.yaml >> CHANGES.md": "beside another file",
        },
        {
            0: "it is printed, whatever has changed",
            2: "a wrong call, or documents that cannot be compared",
        },
        {"aoba-gen breaking NEW --against OLD": "the same as findings, with places and hints"},
    ),
)
@click.argument("old", metavar="OLD", shell_complete=documents)
@click.argument("new", metavar="NEW", type=SpecPath())
@with_package
@with_trust
def changelog_command(
    old: str,
    new: Path,
    package: str | None,
    side: Side | None,
    roots: tuple[Path, ...],
    hosts: tuple[str, ...],
    limits: dict[str, int],
) -> None:
    """Print what has changed from OLD to NEW, as a section of a changelog in Markdown.

    OLD is a file, a folder with a document of the same name, or git:REF[:PATH].
    """
    with _findings():
        config, report = configuration((), limits)
        package, side = _as_listed(new, package, side, config)
        options = Options(side, access=access(config, roots, hosts))
        found = _compared(new, old, package, options, config, report)
    click.echo(changelog(found), nl=False)


def _idle(one: Accept, found: Comparison) -> str:
    """The warning about an acceptance of which nothing came, with a place where its rule does find something."""
    text = f"{one.place}: warning: nothing is accepted by this: no {one.rule} at {escaped(one.at)}"
    near = [each.pointer for each in found.changes if each.rule == one.rule and each.breaks]
    return f"{text}; there is one at {escaped(near[0])}" if near else text


def _tell_version(found: Comparison) -> bool:
    """Print which version comes next; whether the document's own is behind."""
    advice = advise(found.old.version, found.new.version, found.changes)
    if advice.version:
        click.echo(f"next version: {advice.version} ({advice.part}: {advice.reason})", err=True)
    if advice.fault:
        place = found.new_version if advice.version else found.old_version
        hint = f"set info.version to {advice.version}" if advice.version else ""
        tell([Diagnostic("version-behind", advice.fault, place, hint)])
    return bool(advice.fault)


class _PastRefused(Refused):
    """The document that another is compared with cannot be used."""


def _as_listed(
    spec: Path, package: str | None, side: Side | None, config: Config
) -> tuple[str | None, Side | None]:
    """The package and the side that are given, else those of [tool.aoba-gen] for that document."""
    listed = [one for one in config.targets if one.spec.resolve() == spec.resolve()]
    packages = {one.package for one in listed}
    sides: set[Side | None] = {one.side for one in listed}
    if side is None and len(sides) > 1:
        text = f"{spec}: warning: [tool.aoba-gen] lists it for both sides, and one is compared: say which with --side"
        click.echo(escaped(text), err=True)
    if package is None and len(packages) == 1:
        package = packages.pop()
    if side is None and len(sides) == 1:
        side = sides.pop()
    return package, side


def _compared(
    spec: Path, against: str, package: str | None, options: Options, config: Config, report: Report
) -> Comparison:
    """Both documents, read and compared; what stands in an exported folder goes by its commit."""
    with past(against, spec) as before, progress(f"{spec} against {against}") as report.begins:
        wider = replace(options.access, roots=(*options.access.roots, *before.roots))
        try:
            old = _compiled(before.path, package, replace(options, access=wider), report.scratch())
        except Refused as refused:
            raise _PastRefused(
                replace(one, location=_named(one.location, before)) for one in refused.diagnostics
            ) from None
        new = _compiled(spec, package, replace(options, side=old[1].side), report.scratch())
        report.begins("compare")
        try:
            accepts = (*config.accepts, *acceptances(new[0], report))
            _check_rules(accepts, report)
            found = compared(old, new, accepts)
        except RecursionError:
            message = "a schema holds another one too many times to be compared"
            hint = "--limit recursion=N lets it be followed further"
            report.error("too-deep", message, new[0].root.location, hint)
            raise Refused(report.diagnostics) from None
    if options.side is None and new[0].default_side != old[1].side:
        text = f"{spec}: warning: AsyncAPI {new[0].version} speaks to the other side than {old[0].version}: "
        text += f"generate with --side {old[1].side}, as it is compared here"
        click.echo(text, err=True)
    changes = tuple(replace(one, old=_named(one.old, before)) for one in found.changes)
    return replace(found, changes=changes, old_version=_named(found.old_version, before))


def _compiled(
    spec: Path, package: str | None, options: Options, report: Report
) -> tuple[Document, Model]:
    return check_and_compile(read(spec, report), package, report, options)


def _named(location: Location, before: Past) -> Location:
    return replace(location, file=before.named(location.file))


def _check_rules(accepts: Iterable[Accept], report: Report) -> None:
    for one in accepts:
        if one.rule not in RULES:
            near = suggestion(one.rule, RULES) or "'aoba-gen breaking --list-rules' lists them"
            report.error("accept", f"there is no rule {shown(one.rule)}", one.place, near)
    report.raise_errors()


@contextmanager
def _findings() -> Iterator[None]:
    """Tells what is refused, with exit code 2, so that 1 means a change that breaks and nothing else."""
    try:
        yield
    except Refused as refused:
        tell(refused.diagnostics)
        if isinstance(refused, _PastRefused):
            click.echo(f"aoba-gen: nothing was compared: {NO_PAST}", err=True)
        sys.exit(2)
    except NoHistory as problem:
        click.echo(escaped(f"aoba-gen: {problem}"), err=True)
        sys.exit(2)
