"""What the commands share: their options, the groundwork of a run, and how diagnostics are told."""

from __future__ import annotations

import atexit
import gc
import re
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final, TypeVar, get_args

import click

from .access import Access, host_fault
from .cli_complete import words
from .config import Config, Target, find_config, package_fault, read_config
from .diagnostics import Diagnostic, Refused, Report, suggestion
from .limits import NAMES, Limits
from .options import Side

_LIMITS: Final = tuple(f"{name}={getattr(Limits(), name)}" for name in NAMES)
"""Every limit with its default, as --limit takes it."""
Command = TypeVar("Command", bound=Callable[..., Any])

_SLOW: Final = "aoba_gen.slow_patterns"
_USAGE_RULES: Final = frozenset({"config", "file-missing", "file-is-folder", "file-unreadable"})


def _package(context: click.Context, parameter: click.Parameter, value: str | None) -> str | None:
    if value is not None and (reason := package_fault(value)):
        raise click.BadParameter(reason)
    return value


def _rules(
    context: click.Context, parameter: click.Parameter, values: tuple[str, ...]
) -> tuple[str, ...]:
    for value in values:
        if hint := _why_on(value):
            raise click.BadParameter(f"there is no rule {value!r} that can be turned off; {hint}")
    return values


def _why_on(rule: str) -> str | None:
    from .validate import why_on

    return why_on(rule)


def _optional() -> Mapping[str, str]:
    from .validate import OPTIONAL  # slow to import, and most runs turn nothing off

    return OPTIONAL


def with_side(command: Command) -> Command:
    """The option that says for whom a document is read."""
    return click.option(
        "--side",
        type=click.Choice(get_args(Side)),
        help="Whom to generate for: the application that the document describes (default from 3.0 on), "
        "or its peer (default in 2.x).",
    )(command)


def with_package(command: Command) -> Command:
    """The options that say what package a document gives."""
    named = click.option(
        "--package",
        callback=_package,
        metavar="NAME",
        help="Name of the package; by default the document's title in snake_case.",
    )
    return named(with_side(command))


def with_disable(command: Command) -> Command:
    """The option that turns rules off."""
    return click.option(
        "--disable",
        multiple=True,
        callback=_rules,
        metavar="RULE",
        shell_complete=lambda ctx, param, typed: words(sorted(_optional()), typed),
        help="Turn a rule off; can be given again. 'aoba-gen rules' lists them; by default all are on.",
    )(command)


def with_trust(command: Command) -> Command:
    """The options by which a document may read more or cost more."""
    for option in (
        click.option(
            "--limit",
            "limits",
            multiple=True,
            callback=_limits,
            metavar="NAME=N",
            shell_complete=lambda ctx, param, typed: words(_LIMITS, typed),
            help=f"Raise a limit on what a document may cost; can be given again. As it is: {', '.join(_LIMITS)}.",
        ),
        click.option(
            "--allow-slow-patterns",
            is_flag=True,
            expose_value=False,
            callback=_slow_patterns,
            help="Check messages also against patterns with lookaround or backreferences, which only Python's own engine runs.",
        ),
        click.option(
            "--allow-remote",
            "hosts",
            multiple=True,
            callback=_hosts,
            metavar="HOST",
            help="Fetch what references name on that host, by https; can be given again. Else nothing is fetched.",
        ),
        click.option(
            "--allow-ref-root",
            "roots",
            multiple=True,
            type=click.Path(path_type=Path, exists=True, file_okay=False),
            metavar="DIR",
            help="Let references read files below DIR, beside those below the document's folder; can be given again.",
        ),
    ):
        command = option(command)
    return command


def _hosts(
    context: click.Context, parameter: click.Parameter, values: tuple[str, ...]
) -> tuple[str, ...]:
    for value in values:
        if hint := host_fault(value):
            raise click.BadParameter(f"{value!r} is no name of a host; {hint}")
    return values


def _slow_patterns(context: click.Context, parameter: click.Parameter, value: bool) -> None:
    context.meta[_SLOW] = value


def _limits(
    context: click.Context, parameter: click.Parameter, values: tuple[str, ...]
) -> dict[str, int]:
    found = {}
    for value in values:
        name, _, number = value.partition("=")
        if name not in NAMES:
            near = suggestion(name, NAMES) or f"there are {', '.join(NAMES)}"
            raise click.BadParameter(f"there is no limit {name!r}; {near}")
        if not re.fullmatch("[1-9][0-9]{0,11}", number):
            raise click.BadParameter(
                f"{value!r} should be such as '{name}={getattr(Limits(), name)}'"
            )
        found[name] = int(number)
    return found


def configuration(
    disabled: Iterable[str], limits: Mapping[str, int] | None = None
) -> tuple[Config, Report]:
    """What the project's pyproject.toml says, and a report with its rules and `disabled` off and the limits as told.

    Sets the interpreter up for a short run that builds much and follows long chains of schemas.
    """
    file = find_config()
    config = read_config(file, _why_on, Report()) if file else Config()
    slow = config.slow_patterns or click.get_current_context().meta.get(_SLOW, False)
    report = Report(
        (*config.disabled, *disabled), Limits(**{**config.limits, **(limits or {})}), slow
    )
    gc.set_threshold(20_000, 50, 1000)  # else a tenth of the time goes into collecting
    atexit.register(gc.freeze)  # and another one into looking for garbage at the very end
    sys.setrecursionlimit(report.limits.recursion)
    return config, report


def access(config: Config, roots: Iterable[Path] = (), hosts: Iterable[str] = ()) -> Access:
    """What references may read, as the project and the call say."""
    return Access((*config.roots, *roots), (*config.hosts, *hosts))


def tell(diagnostics: Iterable[Diagnostic]) -> None:
    """Print diagnostics to standard error."""
    for found in diagnostics:
        click.echo(str(found), err=True)


def exit_code(refused: Refused) -> int:
    """2 where the call is wrong, as it names no file that can be read; else 1."""
    return 2 if all(found.rule in _USAGE_RULES for found in refused.diagnostics) else 1


@contextmanager
def refusals() -> Iterator[None]:
    """Tells what is refused, and ends the program with the code for it."""
    try:
        yield
    except Refused as refused:
        tell(refused.diagnostics)
        sys.exit(exit_code(refused))


def targets(given: tuple[Path, ...], config: Config) -> tuple[Target, ...]:
    """The documents that a call is about: those given, else those of the project."""
    found = tuple(Target(spec, Path()) for spec in given) or config.targets
    if not found:
        raise click.UsageError(
            "Missing argument 'SPEC': name a document, or list them in [tool.aoba-gen] of pyproject.toml."
        )
    return found
