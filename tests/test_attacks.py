"""No text of a document becomes code, opens a file or calls out: every place where text flows, with every break-out."""

from __future__ import annotations

import ast
import json
import os
import subprocess
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
from aoba_gen import render as rendering
from aoba_gen.diagnostics import Refused, Report
from aoba_gen.load import Source, load
from aoba_gen.pipeline import compile_model
from conftest import Cli
from attacks import BREAK_OUTS, CANARY, name_documents, text_documents

TEXTS = list(text_documents())
USE = """
import importlib, sys, pydantic
package = importlib.import_module(sys.argv[1])
for message in package.MESSAGES.values():
    for data in (b"{}", b"[]", b'"x"', b'{"constant": "x", "choice": "x", "a": "x"}'):
        try:
            message.decode(data)
        except Exception as fault:
            assert type(fault).__module__ == "aoba_runtime.errors", repr(fault)
"""


def files_of(document: Mapping[str, Any], folder: Path) -> dict[str, str]:
    """What is generated from a document; raises `Refused`."""
    spec = folder / "spec.json"
    spec.write_text(json.dumps(document))
    report = Report()
    source: Source = load(spec, report)
    return rendering.render(compile_model(source, "attacked", report))


def used(files: Mapping[str, str], folder: Path) -> None:
    """Write a package, import it, and let it decode; then there must be no canary."""
    package = folder / "attacked"
    package.mkdir(parents=True, exist_ok=True)
    for path, text in files.items():
        (package / path).write_text(text, encoding="utf-8")
    done = subprocess.run(
        [sys.executable, "-c", USE, "attacked"],
        cwd=folder,
        env=os.environ | {"PYTHONPATH": str(folder), "PYTHONDONTWRITEBYTECODE": "1"},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    assert not list(folder.rglob(f"*{CANARY}*"))


def code_of(files: Mapping[str, str]) -> Iterator[str]:
    """What the code calls, and from where it imports."""
    for text in files.values():
        for node in ast.walk(ast.parse(text)):
            if isinstance(node, ast.Call):
                yield from ast.unparse(node.func).split(".")
            elif isinstance(node, ast.ImportFrom):
                yield from (node.module or "").split(".")


def texts_of(files: Mapping[str, str]) -> set[str]:
    found = set()
    for text in files.values():
        for node in ast.walk(ast.parse(text)):
            if isinstance(node, ast.Constant) and isinstance(node.value, str):
                found.add(node.value)
    return found


def test_there_are_many_combinations() -> None:
    names = len(BREAK_OUTS) * len(name_documents("x"))
    assert sum(number for _, number in TEXTS) + names >= 2_000


@pytest.mark.parametrize("index", range(len(TEXTS)))
def test_text_stays_text(index: int, tmp_path: Path) -> None:
    """Titles, descriptions, values, defaults, extensions and the like: it generates, and says what the document says."""
    document, _ = TEXTS[index]
    files = files_of(document, tmp_path)
    used(files, tmp_path / "out")
    assert not {CANARY, "open", "system", "eval", "os", "this"} & set(code_of(files))
    texts = texts_of(files)
    for schema in document["components"]["schemas"].values():
        value = schema["properties"]["text"]["default"]
        assert value in texts
        assert any(squeezed(value) in squeezed(text) for text in texts if text != value)
    assert all(line.isprintable() for text in files.values() for line in text.split("\n"))


def squeezed(text: str) -> str:
    """A text without its white space and as far as it shows, for docstrings are filled and show the rest escaped."""
    return "".join(c for c in text if c.isprintable() and not c.isspace())[:40]


@pytest.mark.parametrize("first", range(0, len(BREAK_OUTS), 8))
def test_names_stay_names(first: int, tmp_path: Path) -> None:
    """Keys, patterns, addresses, references and the like: it generates, or is refused with a place."""
    made = 0
    for number, text in enumerate(BREAK_OUTS[first : first + 8]):
        for place, document in name_documents(text).items():
            try:
                spec = tmp_path / "spec.json"
                spec.write_text(json.dumps(document))
                report = Report()
                model = compile_model(load(spec, report), "attacked", report)
            except Refused as refused:
                assert all(found.location.line for found in refused.diagnostics), place
                assert str(refused).count("\n") < 40
                continue
            if made % 12 == number % 12:  # the others differ in little
                files = rendering.render(model)
                assert not {CANARY, "open", "system", "eval", "os", "this"} & set(
                    code_of(files)
                ), place
            made += 1
    assert not list(tmp_path.rglob(f"*{CANARY}*"))


@pytest.mark.parametrize("name", ["é\u0301", "Événement", "イベント", "ﬁ", "\u0e2d\u0e31"])
def test_names_of_any_script_are_no_attack(tmp_path: Path, name: str) -> None:
    """Where nothing tells messages apart, and so each is tried, and where calls are held."""
    payloads: dict[str, Any] = {name: {"type": "null"}, f"{name}2": {}}
    messages = {key: {"payload": payload} for key, payload in payloads.items()}
    document = {
        "asyncapi": "3.0.0",
        "info": {"title": name, "version": "1"},
        "channels": {name: {"address": "a", "messages": messages}},
        "operations": {name: {"action": "send", "channel": {"$ref": f"#/channels/{name}"}}},
    }
    files = files_of(document, tmp_path)
    used(files, tmp_path / "out")


@pytest.mark.parametrize(
    "template",
    [
        "{{ cycler.__init__.__globals__.os.system('touch RAN') }}",
        "{{ model.__class__.__mro__[-1].__subclasses__() }}",
        "{{ self._TemplateReference__context.environment.loader.searchpath.append('/') }}",
        "{{ joiner.__init__.__builtins__['open']('RAN', 'w') }}",
        "{{ ''|attr('__class__') }}",
        "{% include '../../../etc/passwd' %}",
        "{{ range(10 ** 9)|list }}",
    ],
)
def test_the_templates_of_a_project_run_nothing_either(
    cli: Cli, tmp_path: Path, root: Path, monkeypatch: pytest.MonkeyPatch, template: str
) -> None:
    """They come with a checkout, as its pyproject.toml does."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "own").mkdir()
    (tmp_path / "own" / "client.py.j2").write_text(template)
    (tmp_path / "pyproject.toml").write_text('[tool.aoba-gen]\ntemplates = "own"\n')
    result = cli(root / "tests" / "cases" / "ping.yaml", "-o", "out")
    assert result.exit_code == 1
    assert "client.py.j2:1:1: the template fails" in result.stderr
    assert not (tmp_path / "RAN").exists() and not (tmp_path / "out").exists()
