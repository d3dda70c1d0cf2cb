"""Adds to files that are somebody's: every byte of theirs stays, and what cannot be added in safety is not."""

from __future__ import annotations

import re
import tomllib
from typing import Final

from .diagnostics import Refused, Report
from .load import Array, Json, Node, Object, parse, plain

PRE_COMMIT: Final = ".pre-commit-config.yaml"
HOOKS: Final = frozenset({"aoba-gen", "aoba-gen-check", "aoba-gen-validate"})
"""The hooks that .pre-commit-hooks.yaml of our repository offers."""


def has_table(text: str) -> bool:
    """Whether a pyproject.toml, which can be parsed, has [tool.aoba-gen]."""
    tools = tomllib.loads(text).get("tool")
    return isinstance(tools, dict) and "aoba-gen" in tools


def with_table(text: str, ours: str) -> str | None:
    """A pyproject.toml with our table behind all that is there; `None` where that would not be TOML or change the rest."""
    added = _appended(text, ours)
    try:
        before, now = tomllib.loads(text), tomllib.loads(added)
    except tomllib.TOMLDecodeError:
        return None
    del now["tool"]["aoba-gen"]
    return added if now == {**before, "tool": before.get("tool", {})} else None


def has_hook(text: str) -> bool:
    """Whether a .pre-commit-config.yaml has one of our hooks; raises `Refused` where it is no YAML."""
    return any(
        isinstance(hook, dict) and hook.get("id") in HOOKS
        for repo in _list(_parsed(text), "repos")
        for hook in _list(repo, "hooks")
    )


def with_hook(text: str, ours: str) -> str | None:
    """A .pre-commit-config.yaml with our entry as the last of its `repos`; `None` where there is no safe place for it."""
    before = _parsed(text)
    place = _behind_repos(text)
    if place is None:
        if isinstance(before, dict) and "repos" in before:
            return None
        added = _appended(text, f"repos:\n{ours}", "")
    else:
        line, indent = place
        lines = re.findall(".*\n|.+", text)
        if not lines[line - 1].endswith("\n"):
            lines[line - 1] += _ending(text)
        entry = "".join(f"{indent}{one}" for one in ours.splitlines(keepends=True))
        lines.insert(line, entry.replace("\n", _ending(text)))
        added = "".join(lines)
    wanted: Json = {
        **(before if isinstance(before, dict) else {}),
        "repos": [*_list(before, "repos"), *_list(_parsed(f"repos:\n{ours}"), "repos")],
    }
    try:
        return added if _parsed(added) == wanted else None
    except Refused:
        return None


def _behind_repos(text: str) -> tuple[int, str] | None:
    """After how many lines the list `repos` ends, and how far its items are indented; `None` where it is no such list."""
    root = _tree(text)
    repos = root.fields.get("repos") if isinstance(root, Object) else None
    if not isinstance(root, Object) or not isinstance(repos, Array) or not repos.items:
        return None
    lines = text.split("\n")
    first = repos.items[0].location.line
    dash = re.match(r"( *)-\s", lines[first - 1])
    if dash is None:
        return None
    end = min((at.line - 1 for at in root.keys.values() if at.line > first), default=len(lines))
    # blank lines and comments before the next key are that key's, unless they stand deeper than the items
    between = re.compile(rf" {{0,{len(dash[1])}}}(#.*)?\s*|\.\.\.\s*")
    while end > first and between.fullmatch(lines[end - 1]):
        end -= 1
    return end, dash[1]


def _appended(text: str, ours: str, gap: str = "\n") -> str:
    """A text and ours behind it, with line ends as it has them."""
    start = "" if not text or text.endswith("\n") else "\n"
    more = f"{start}{gap if text.strip() else ''}{ours}"
    return text + more.replace("\n", _ending(text))


def _ending(text: str) -> str:
    return "\r\n" if "\r\n" in text else "\n"


def _tree(text: str) -> Node | None:
    """What a YAML text holds, if anything; raises `Refused`."""
    try:
        return parse(text.encode(), PRE_COMMIT, Report())
    except Refused as refused:
        if refused.diagnostics[0].rule == "empty-document":
            return None
        raise


def _parsed(text: str) -> Json:
    tree = _tree(text)
    return None if tree is None else plain(tree)


def _list(table: object, name: str) -> list[Json]:
    found = table.get(name) if isinstance(table, dict) else None
    return found if isinstance(found, list) else []
