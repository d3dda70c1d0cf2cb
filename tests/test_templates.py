"""The templates by Jinja's own syntax tree: they read and loop and decide nothing, and text enters by one of two filters."""

from __future__ import annotations

import ast
import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, Final, TypeAlias

import pytest
import yaml
from aoba_gen import render
from aoba_gen.diagnostics import Report
from aoba_gen.load import load
from aoba_gen.model import Model
from aoba_gen.pipeline import compile_model
from click.testing import Result
from jinja2 import Environment, UndefinedError, meta, nodes

Cli: TypeAlias = Callable[..., Result]

FOLDER: Final = Path(__file__).parents[1] / "templates"
TEMPLATES: Final = sorted(place.name for place in FOLDER.iterdir())
ALLOWED: Final = (
    nodes.Template,
    nodes.Output,
    nodes.TemplateData,
    nodes.For,
    nodes.If,
    nodes.Name,
    nodes.Getattr,
    nodes.Getitem,
    nodes.Filter,
    nodes.Keyword,
    nodes.Const,
)
FILTERS: Final = {"docstring", "literal", "map", "join"}
IDENTIFIERS: Final = {
    *("client", "constant", "headers", "member", "method", "payload", "python", "returns"),
    *("alias", "type", "union", "enum_member", "hook", "reason_payload", "snake", "variable"),
}
"""Attributes of the model that hold a Python name or type, which the generator made; only they may stand bare."""


def parsed(name: str) -> nodes.Template:
    environment = Environment()
    environment.filters.update(docstring=str, literal=str)
    return environment.parse((FOLDER / name).read_text())


def outputs(name: str) -> Iterator[nodes.Expr]:
    for output in parsed(name).find_all(nodes.Output):
        yield from (one for one in output.nodes if not isinstance(one, nodes.TemplateData))


def is_read(node: nodes.Node | None) -> bool:
    """A bare value: a name, an attribute of one, or an item with a constant index."""
    if isinstance(node, nodes.Getitem):
        return isinstance(node.arg, nodes.Const) and is_read(node.node)
    return isinstance(node, nodes.Name) or (isinstance(node, nodes.Getattr) and is_read(node.node))


def is_identifier(node: nodes.Node | None) -> bool:
    """A Python name that the model made, several of them joined, or the ABI number."""
    if isinstance(node, nodes.Filter) and node.name == "join":
        names = node.node
        return (
            isinstance(names, nodes.Filter)
            and names.name == "map"
            and is_read(names.node)
            and [keyword.key for keyword in names.kwargs] == ["attribute"]
            and str(names.kwargs[0].value.as_const()).rpartition(".")[2] in IDENTIFIERS
        )
    if isinstance(node, nodes.Name):
        return node.name == "abi"
    return isinstance(node, nodes.Getattr) and node.attr in IDENTIFIERS and is_read(node)


@pytest.fixture
def model(root: Path) -> Model:
    return compile_model(load(root / "tests" / "cases" / "ping.yaml", Report()), None, Report())


def test_there_are_templates() -> None:
    assert {"__init__.py.j2", "client.py.j2", "messages.py.j2", "operations.py.j2"} <= set(
        TEMPLATES
    )
    assert all(name.endswith(".j2") for name in TEMPLATES)


@pytest.mark.parametrize("name", TEMPLATES)
def test_a_template_only_reads_loops_and_tests(name: str) -> None:
    tree = parsed(name)
    assert [node for node in tree.find_all(nodes.Node) if not isinstance(node, ALLOWED)] == []
    assert {node.name for node in tree.find_all(nodes.Filter)} <= FILTERS
    assert all(is_read(node) for node in tree.find_all(nodes.Getitem))
    assert all(is_read(node.test) for node in tree.find_all(nodes.If))
    for loop in tree.find_all(nodes.For):
        assert is_read(loop.iter)
        assert (loop.test, loop.else_, loop.recursive) == (None, [], False)
    assert meta.find_undeclared_variables(tree) <= {"model", "abi"}


@pytest.mark.parametrize("name", TEMPLATES)
def test_text_enters_through_a_filter(name: str) -> None:
    written = list(outputs(name))
    assert written
    for node in written:
        if isinstance(node, nodes.Filter) and node.name in ("docstring", "literal"):
            assert is_read(node.node)
            assert all(isinstance(argument, nodes.Const) for argument in node.args)
        else:
            assert is_identifier(node), f"{name}:{node.lineno}: a text without a filter"


@pytest.mark.parametrize(
    "text",
    ["{{ f() }}", "{% set x = 1 %}", "{{ 1 + 2 }}", "{{ a ~ b }}", "{% if a == b %}{% endif %}", "{% if a is defined %}{% endif %}", "{% if not a %}{% endif %}", "{% macro m() %}{% endmacro %}", "{% include 'x' %}", "{{ a if b else c }}"],
)  # fmt: skip
def test_what_decides_would_be_found(text: str) -> None:
    assert [
        node
        for node in Environment().parse(text).find_all(nodes.Node)
        if not isinstance(node, ALLOWED)
    ]


@pytest.mark.parametrize("text", ["{{ model.doc }}", "{{ message.name }}", "{{ messages | join(', ') }}", "{{ messages | map(attribute='doc') | join }}", "{{ model.doc | upper }}", "{{ model }}"])  # fmt: skip
def test_bare_text_would_be_found(text: str) -> None:
    (output,) = Environment().parse(text).find_all(nodes.Output)
    assert not is_identifier(output.nodes[0])


@pytest.mark.parametrize("text", ["{{ model.nope }}", "{{ nope }}", "{{ model.nope | literal }}", "{% if model.nope %}{% endif %}", "{% for x in model.nope %}{% endfor %}", "{{ model.messages | map(attribute='nope') | join }}"])  # fmt: skip
def test_a_misspelt_attribute_raises(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, model: Model, text: str
) -> None:
    (tmp_path / "x.py.j2").write_text(text)
    monkeypatch.setattr(render, "TEMPLATES", tmp_path)
    with pytest.raises(UndefinedError, match="nope"):
        render.render(model)


def test_every_template_becomes_a_file(model: Model) -> None:
    made = {name.removesuffix(".j2") for name in TEMPLATES} | {"models.py", "py.typed"}
    assert set(render.render(model)) == made - {"calls.py"}  # it is not about calls


HOSTILE: Final = [
    '"""\nimport os\nEVIL = 1\n"""',
    "'''\nEVIL = 1",
    '\\"""\nEVIL = 1',
    '\\\\"""; EVIL = 1 #',
    'ends with "',
    "ends with \\",
    "{{ EVIL }}{% set EVIL = 1 %}{# EVIL",
    "_DOC_0_",
    "x\r\nEVIL = 1\x0b\x0c\x85\u2028EVIL\u2029",
    "\u202eEVIL\u2066",
    "#' \" ` \\N{BULLET} \\x41 \\u0041 \\101 {x!r} %s $x",
    "# fmt: off\n# type: ignore",
    "  indented\n\tand tabbed\n      deep  \n",
    "x" * 300,
]


@pytest.mark.parametrize("evil", HOSTILE, ids=range(len(HOSTILE)))
def test_hostile_text_stays_text(
    cli: Cli, spec: Path, fresh: Path, tmp_path: Path, evil: str
) -> None:
    """The document with a hostile text at every free text: the same code as before but for its texts."""

    def spoil(node: Any) -> Any:
        if isinstance(node, list):
            return [spoil(item) for item in node]
        if not isinstance(node, dict):
            return node
        texts = {key: evil for key in ("description", "summary") if isinstance(node.get(key), str)}
        return {key: spoil(value) for key, value in node.items()} | texts

    document = spoil(yaml.safe_load(spec.read_text()))
    document["info"]["version"] = evil
    for message in document["components"]["messages"].values():
        message["title"] = evil
    document["channels"]["callSignaling"]["address"] = evil.translate(
        {ord("{"): "(", ord("}"): ")"}
    )
    for server in document["servers"].values():
        server |= {"pathname": f"/{evil}", "protocol": evil}
    (tmp_path / "spec.json").write_text(json.dumps(document))
    command = (tmp_path / "spec.json", "-o", tmp_path / "out", "--disable", "channel-address")
    assert cli(*command).output.endswith("7 written\n")
    (package,) = (tmp_path / "out").iterdir()
    for place in package.glob("*.py"):
        assert shape(place) == shape(fresh / package.name / place.name), place.name
        compile(place.read_text(), place.name, "exec")


def shape(place: Path) -> str:
    """The code of a module without its texts."""
    tree = ast.parse(place.read_text())
    for node in ast.walk(tree):
        if isinstance(node, ast.Constant) and isinstance(node.value, (str, bool)):
            node.value = ""
    return ast.unparse(tree)
