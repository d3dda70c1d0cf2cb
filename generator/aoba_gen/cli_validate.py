"""The commands that write nothing: `validate` a document, print its `model`, list the `rules`."""

from __future__ import annotations

import sys
from dataclasses import asdict
from pathlib import Path

import click

from .cli_complete import SpecPath
from .cli_help import epilog
from .cli_options import (
    access,
    configuration,
    exit_code,
    refusals,
    targets,
    tell,
    with_disable,
    with_package,
    with_trust,
)
from .diagnostics import Diagnostic, Refused, Severity
from .formats import FORMATS, json_text
from .limits import deadline, seconds_for
from .options import Options, Side
from .pipeline import compile_model, read
from .progress import progress
from .validate import OPTIONAL, RULES


@click.command(
    "validate",
    epilog=epilog(
        {
            "aoba-gen validate spec.yaml": "say all that is wrong with a document",
            "aoba-gen validate specs/*.yaml --format sarif > found.sarif": "the same for a code scanning service",
            "aoba-gen validate spec.yaml --disable schema-example": "without what one rule warns of",
        },
        {
            0: "there is no error, though there may be warnings",
            1: "there is an error",
            2: "a wrong call, or a document that cannot be read",
        },
        {"aoba-gen rules": "list the rules", "docs/validation.md": "what they mean"},
    ),
)
@click.argument("specs", metavar="SPEC...", nargs=-1, type=SpecPath())
@click.option(
    "--format",
    "form",
    type=click.Choice(tuple(FORMATS)),
    default="text",
    show_default=True,
    help="How to print what is found.",
)
@with_package
@with_disable
@with_trust
def validate_command(
    specs: tuple[Path, ...],
    form: str,
    package: str | None,
    side: Side | None,
    disable: tuple[str, ...],
    roots: tuple[Path, ...],
    hosts: tuple[str, ...],
    limits: dict[str, int],
) -> None:
    """Check AsyncAPI documents: say all that generating their packages would say, and write nothing.

    Without SPEC: the documents of [tool.aoba-gen] in pyproject.toml.
    """
    with refusals():
        config, first = configuration(disable, limits)
    found: list[Diagnostic] = []
    code = 0
    allowed = access(config, roots, hosts)
    for target in targets(specs, config):
        spec, report = target.spec, first.scratch()
        options = Options(side or target.side, access=allowed)
        try:
            with progress(str(spec)) as report.begins, deadline(seconds_for(spec, report.limits)):
                compile_model(read(spec, report), package or target.package, report, options)
            found.extend(report.diagnostics)
        except Refused as refused:
            found.extend(refused.diagnostics)
            code = max(code, exit_code(refused))
    found = list(dict.fromkeys(found))
    click.echo(
        FORMATS[form](found, {**{rule.name: rule.sentence for rule in RULES}, **OPTIONAL}), nl=False
    )
    if form == "text":
        counts = [sum(one.severity is kind for one in found) for kind in Severity]
        texts = (f"{n} {kind}{'' if n == 1 else 's'}" for n, kind in zip(counts, Severity) if n)
        click.echo(", ".join(texts) or "no problems found", err=True)
    sys.exit(code)


@click.command(
    "model",
    epilog=epilog(
        {"aoba-gen model spec.yaml | jq .channels": "print the channels as templates see them"},
        {0: "all is well", 1: "the document has errors", 2: "a wrong call, or no such file"},
        {"docs/templates.md": "what the model holds, and how templates use it"},
    ),
)
@click.argument("spec", type=SpecPath())
@with_package
@with_disable
@with_trust
def model_command(
    spec: Path,
    package: str | None,
    side: Side | None,
    disable: tuple[str, ...],
    roots: tuple[Path, ...],
    hosts: tuple[str, ...],
    limits: dict[str, int],
) -> None:
    """Print what templates read for the document SPEC, as JSON."""
    with refusals():
        config, report = configuration(disable, limits)
        options = Options(side, access=access(config, roots, hosts))
        with progress(str(spec)) as report.begins, deadline(seconds_for(spec, report.limits)):
            model = compile_model(read(spec, report), package, report, options)
    tell(report.diagnostics)
    click.echo(json_text(asdict(model)), nl=False)


@click.command(
    "rules",
    epilog=epilog(
        {"aoba-gen rules | grep '^E'": "the rules whose findings are errors"},
        {0: "always"},
        {
            "aoba-gen validate SPEC...": "check documents",
            "aoba-gen breaking --list-rules": "list the rules of a comparison",
            "docs/validation.md": "what the rules mean",
        },
        {},
    ),
)
def rules_command() -> None:
    """List the rules: E for an error, W for a warning, and a star where it cannot be turned off."""
    for rule in RULES:
        kind = "E" if rule.severity is Severity.ERROR else "W"
        click.echo(f"{kind}{'*' if rule.needed else ' '} {rule.name:20} {rule.sentence}")
    for name in sorted(set(OPTIONAL) - {rule.name for rule in RULES}):
        click.echo(f"W  {name:20} {OPTIONAL[name]}")
