"""docs/templates.md says what the model holds, word for word; `python tests/test_template_docs.py` writes that part anew."""

from __future__ import annotations

import dataclasses
import json
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, Final, TypeAlias

import pytest
from aoba_gen import model, model_calls
from click.testing import Result

Cli: TypeAlias = Callable[..., Result]

PAGE: Final = Path(__file__).parents[1] / "docs" / "templates.md"
HEADING: Final = "## What the model holds\n"
CLASSES: Final[dict[str, Any]] = {
    name: found
    for module in (model, model_calls)
    for name, found in vars(module).items()
    if dataclasses.is_dataclass(found)
}


def reached(name: str, seen: set[str]) -> Iterator[str]:
    """The class and those that its fields hold, each once, in the order of first use."""
    if name not in seen:
        seen.add(name)
        yield name
        for field in dataclasses.fields(CLASSES[name]):
            for word in re.findall(r"\w+", _written(field)):
                if word in CLASSES:
                    yield from reached(word, seen)


def _written(field: dataclasses.Field[Any]) -> str:
    kind = str(field.type)
    return kind.replace("Definition", "Enum | Record | Alias") if "Definition" in kind else kind


def described() -> str:
    """Every class with its docstring and its fields."""
    parts = []
    for name in reached("Model", set()):
        text = re.sub(r"\s*\n\s*", " ", (CLASSES[name].__doc__ or "").strip())
        rows = [
            f"    {field.name}: {_written(field)}" for field in dataclasses.fields(CLASSES[name])
        ]
        parts.append("\n".join([f"### {name}", "", text, "", *rows, ""]))
    return "\n" + "\n".join(parts)


def test_the_page_holds_the_model() -> None:
    _, _, told = PAGE.read_text().partition(HEADING)
    assert told == described(), "run: python tests/test_template_docs.py"


def test_the_printed_model_has_these_fields(cli: Cli, spec: Path) -> None:
    result = cli("model", spec)
    assert (result.exit_code, result.stderr) == (0, "")
    printed = json.loads(result.stdout)
    assert list(printed) == [field.name for field in dataclasses.fields(model.Model)]
    assert list(printed["messages"][0]) == [f.name for f in dataclasses.fields(model.Message)]
    assert printed["client"] == "AobaVoiceCallSignalingClient"


def test_the_printed_model_is_of_the_side_asked_for(cli: Cli, spec: Path) -> None:
    one, other = (
        json.loads(cli("model", spec, "--side", side).stdout) for side in ("described", "peer")
    )
    assert (one["side"], other["side"]) == ("described", "peer")
    assert one["package"] == other["package"]
    assert json.loads(cli("model", spec, "--package", "calls").stdout)["package"] == "calls"


def test_a_refused_document_has_no_model(cli: Cli, tmp_path: Path) -> None:
    (tmp_path / "x.yaml").write_text("asyncapi: 3.0.0\n")
    result = cli("model", tmp_path / "x.yaml")
    assert (result.exit_code, result.stdout) == (1, "")
    assert "[missing-field]" in result.stderr


# Templates of one's own

PING: Final = Path(__file__).parent / "cases" / "ping.yaml"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """An empty folder for templates."""
    (tmp_path / "mine").mkdir()
    return tmp_path / "mine"


def test_one_file_is_replaced_and_the_others_stay(cli: Cli, tmp_path: Path, folder: Path) -> None:
    assert cli(PING, "-o", tmp_path / "ours").exit_code == 0
    (folder / "parts.jinja").write_text("NAMES = [{{ model.messages[0].name | literal }}]\n")
    (folder / "operations.py.j2").write_text('"""Mine."""\n\n{% include "parts.jinja" %}')
    command = (PING, "-o", tmp_path / "out", "--templates", folder)
    result = cli(*command)
    assert (result.exit_code, result.stderr) == (0, "")
    package, ours = tmp_path / "out" / "ping", tmp_path / "ours" / "ping"
    assert (package / "operations.py").read_text() == '"""Mine."""\n\nNAMES = ["Ping"]\n'
    assert (package / "client.py").read_text() == (ours / "client.py").read_text()
    assert cli(*command).stdout.endswith("6 unchanged\n")
    (folder / "parts.jinja").write_text(
        "NAMES = []\n"
    )  # a change in any file of the folder is seen
    assert "operations.py" in cli(*command, "--check").stdout


@pytest.mark.parametrize(
    ("text", "line", "words"),
    [
        ("x = 1\n{% for %}\n", 2, "Expected"),
        ("x = 1\ny = {{ model.nope }}\n", 2, "has no attribute 'nope'"),
        ("x = 1\ny = {{ 'a' | nope }}\n", 2, "No filter named 'nope'"),
        ("x = (\n", 1, "no Python"),
        ('{% include "gone.jinja" %}', 1, "gone.jinja"),
        ("x = 1\n{{ 1 / 0 }}\n", 2, "division by zero"),
        ('{% extends "operations.py.j2" %}', 1, "fails: it comes back to itself [template]"),
        ('x = 1\n{% include "operations.py.j2" %}', 2, "fails: it comes back to itself [template]"),
    ],
)
def test_a_fault_in_a_template_has_a_place(
    cli: Cli, tmp_path: Path, folder: Path, text: str, line: int, words: str
) -> None:
    (folder / "operations.py.j2").write_text(text)
    result = cli(PING, "-o", tmp_path / "out", "--templates", folder)
    assert (result.exit_code, result.stdout) == (1, "")
    assert result.stderr.startswith(f"{folder / 'operations.py.j2'}:{line}:1: ")
    assert words in result.stderr
    assert "[template]" in result.stderr
    assert not (tmp_path / "out").exists()


def test_a_template_that_replaces_nothing_is_refused(
    cli: Cli, tmp_path: Path, folder: Path
) -> None:
    (folder / "clint.py.j2").write_text("")
    result = cli(PING, "-o", tmp_path / "out", "--templates", folder)
    assert result.exit_code == 1
    assert "did you mean 'client.py.j2'?" in result.stderr


@pytest.mark.parametrize("kind", ["folder", "dangling link"])
def test_a_template_that_is_no_file_is_refused(
    cli: Cli, tmp_path: Path, folder: Path, kind: str
) -> None:
    if kind == "folder":
        (folder / "client.py.j2").mkdir()
    else:
        (folder / "client.py.j2").symlink_to("gone")
    result = cli(PING, "-o", tmp_path / "out", "--templates", folder)
    assert (result.exit_code, result.stdout) == (1, "")
    assert f"{folder / 'client.py.j2'}:1:1: a template should be a file [template]" in result.stderr


def test_a_folder_of_templates_has_to_exist(cli: Cli, tmp_path: Path) -> None:
    assert cli(PING, "-o", tmp_path / "out", "--templates", tmp_path / "gone").exit_code == 2


if __name__ == "__main__":
    before, heading, _ = PAGE.read_text().partition(HEADING)
    PAGE.write_text(before + heading + described())
