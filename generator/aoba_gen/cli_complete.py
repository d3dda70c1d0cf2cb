"""What a shell offers while a call is typed: documents, rules, limits; `completion` prints the script for it."""

from __future__ import annotations

import os
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Final

import click

from .cli_help import epilog

if TYPE_CHECKING:
    from click.shell_completion import CompletionItem

KINDS: Final = (".yaml", ".yml", ".json")
"""Endings of documents."""


class SpecPath(click.Path):
    """The path of a document: a shell offers files with the endings of documents, and the folders on the way."""

    def __init__(self) -> None:
        super().__init__(path_type=Path)

    def shell_complete(
        self, ctx: click.Context, param: click.Parameter, incomplete: str
    ) -> list[CompletionItem]:
        return offered(incomplete)


def documents(ctx: click.Context, param: click.Parameter, incomplete: str) -> list[CompletionItem]:
    """Documents that begin so, and folders."""
    return offered(incomplete)


def offered(incomplete: str, more: Iterable[str] = ()) -> list[CompletionItem]:
    """Documents that begin so, folders, and what of `more` does; of folders alone, the shell makes the list itself."""
    from click.shell_completion import CompletionItem

    folder, name = os.path.split(incomplete)
    try:
        with os.scandir(folder or ".") as listed:
            found = sorted(
                (not each.is_dir(), os.path.join(folder, each.name))
                for each in listed
                if each.name.startswith(name)
                and (name.startswith(".") or not each.name.startswith("."))
                and (each.is_dir() or each.name.lower().endswith(KINDS))
            )
    except OSError:
        found = []
    others = words(more, incomplete)
    if not others and not any(is_file for is_file, _ in found):
        return [CompletionItem(incomplete, type="dir")]
    paths = (CompletionItem(path if is_file else f"{path}/") for is_file, path in found)
    return [*others, *paths]


def words(known: Iterable[str], incomplete: str) -> list[CompletionItem]:
    """Those of the known words that begin so."""
    from click.shell_completion import CompletionItem

    return [CompletionItem(word) for word in known if word.startswith(incomplete)]


@click.command(
    "completion",
    epilog=epilog(
        {
            'eval "$(aoba-gen completion bash)"': "in ~/.bashrc",
            'eval "$(aoba-gen completion zsh)"': "in ~/.zshrc, after compinit",
            "aoba-gen completion fish > ~/.config/fish/completions/aoba-gen.fish": "once",
        },
        {0: "it is printed", 2: "a wrong call, such as another shell"},
        {},
        {},
    ),
)
@click.argument("shell", type=click.Choice(("bash", "zsh", "fish")))
@click.pass_context
def completion_command(ctx: click.Context, shell: str) -> None:
    """Print the script that completes calls of aoba-gen in SHELL.

    It completes commands, options, their values, names of rules and documents (.yaml, .yml, .json). It is short, and
    asks aoba-gen itself, so a new version needs no new script.
    """
    from click.shell_completion import get_completion_class

    kind = get_completion_class(shell)
    if kind is not None:
        program = ctx.find_root().command
        click.echo(kind(program, {}, "aoba-gen", "_AOBA_GEN_COMPLETE").source())
