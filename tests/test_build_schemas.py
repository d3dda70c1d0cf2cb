"""What schemas become: each case's document is generated, type-checked, and given values that JSON Schema judges too."""

from __future__ import annotations

import importlib
import json
import re
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeAlias

import pytest
import yaml
from aoba_runtime import BadMessage, Message
from click.testing import Result
from jsonschema import Draft202012Validator

Cli: TypeAlias = Callable[..., Result]
CASES = sorted((Path(__file__).parent / "cases" / "schemas").glob("*/"))


@dataclass(frozen=True)
class Generated:
    """The packages of all cases, in one folder, and what was said while they were made."""

    folder: Path
    said: dict[str, str]


@pytest.fixture(scope="module")
def generated(tmp_path_factory: pytest.TempPathFactory) -> Generated:
    """Every case as a package `case_<name>`."""
    from aoba_gen.cli import main
    from click.testing import CliRunner

    folder = tmp_path_factory.mktemp("schemas")
    said = {}
    for case in CASES:
        arguments = [str(case / "spec.yaml"), "-o", str(folder), "--package", f"case_{case.name}"]
        arguments.append("--allow-slow-patterns")
        result = CliRunner().invoke(main, arguments)
        assert result.exit_code == 0, result.output
        said[case.name] = re.sub(r"[^\s(]*spec\.yaml", "spec.yaml", result.stderr)
    return Generated(folder, said)


def validator(document: dict[str, Any], message: str) -> Draft202012Validator | None:
    """A validator of the message's payload; `None` where that is not JSON Schema."""
    payload = document["components"]["messages"][message]["payload"]
    if "avro" in payload.get("schemaFormat", ""):
        return None
    payload = payload.get("schema", payload)
    return Draft202012Validator(_modern({"components": document["components"], "allOf": [payload]}))


def _modern(schema: Any) -> Any:
    """Draft 4 to 7 and OpenAPI as 2020-12."""
    if isinstance(schema, list):
        return [_modern(item) for item in schema]
    if not isinstance(schema, dict):
        return schema
    if isinstance(schema.get("$ref"), str):
        return {"$ref": schema["$ref"]}
    made = {name: _modern(value) for name, value in schema.items()}
    if made.pop("nullable", None) is True:
        made["type"] = [made["type"], "null"]
    if made.get("exclusiveMinimum") is True:
        made["exclusiveMinimum"] = made.pop("minimum")
    if isinstance(made.get("items"), list):
        made["prefixItems"] = made.pop("items")
    for name, value in made.pop("dependencies", {}).items():
        kind = "dependentRequired" if isinstance(value, list) else "dependentSchemas"
        made.setdefault(kind, {})[name] = value
    return made


def values(kind: str) -> list[Any]:
    """The values of one kind, each with its case and message."""
    return [
        pytest.param(case, message, value, id=f"{case.name}-{message}-{json.dumps(value)[:60]}")
        for case in CASES
        for message, listed in json.loads((case / "values.json").read_text()).items()
        for value in listed[kind]
    ]


def message_of(
    generated: Generated, case: Path, name: str, patch: pytest.MonkeyPatch
) -> Message[Any]:
    patch.syspath_prepend(generated.folder)
    messages: dict[str, Message[Any]] = importlib.import_module(f"case_{case.name}").MESSAGES
    return messages[name]


@pytest.mark.parametrize(("case", "name", "value"), values("valid"))
def test_takes(
    generated: Generated, monkeypatch: pytest.MonkeyPatch, case: Path, name: str, value: Any
) -> None:
    judge = validator(yaml.safe_load((case / "spec.yaml").read_text()), name)
    assert judge is None or judge.is_valid(value)
    message = message_of(generated, case, name, monkeypatch)
    made = message.decode(json.dumps(value))
    data = message.encode(made)
    assert json.loads(data) == value
    assert message.decode(data) == made


@pytest.mark.parametrize(("case", "name", "value"), values("invalid"))
def test_refuses(
    generated: Generated, monkeypatch: pytest.MonkeyPatch, case: Path, name: str, value: Any
) -> None:
    judge = validator(yaml.safe_load((case / "spec.yaml").read_text()), name)
    assert judge is None or not judge.is_valid(value)
    with pytest.raises(BadMessage):
        message_of(generated, case, name, monkeypatch).decode(json.dumps(value))


def test_a_uuid_is_checked_where_the_document_gives_no_other_text(
    generated: Generated, monkeypatch: pytest.MonkeyPatch
) -> None:
    case = next(case for case in CASES if case.name == "formats")
    with pytest.raises(BadMessage, match="Input should be a UUID"):
        message_of(generated, case, "Checked", monkeypatch).decode('{"id": "nobody"}')


def test_a_default_of_objects_is_made_anew_and_sent_once_changed(
    generated: Generated, monkeypatch: pytest.MonkeyPatch
) -> None:
    case = next(case for case in CASES if case.name == "default_objects")
    message = message_of(generated, case, "Drawing", monkeypatch)
    models = importlib.import_module("case_default_objects.models")
    drawing = models.Drawing()
    assert message.encode(drawing) == b"{}"
    circle, label = message.decode(b"{}").shapes
    assert circle == models.ShapeCircle(class_=models.Pen.FINE, centre=models.Point(x=1, y=2.5))
    assert isinstance(label, models.ShapeLabel)
    assert (drawing.ends, drawing.inside.by_default_) == ((models.Point(x=9, y=9), "round"), True)
    assert drawing.named["title"].pen is models.Pen.NONE
    assert drawing.size.model_dump() == {"x": 4, "y": 3, "unit-of": "mm"}
    drawing.origin.x = 7
    assert json.loads(message.encode(drawing)) == {"origin": {"x": 7, "y": 0}}
    assert models.Drawing().origin.x == 0


def test_a_message_is_held_against_the_member_that_its_enum_names(
    generated: Generated, monkeypatch: pytest.MonkeyPatch
) -> None:
    case = next(case for case in CASES if case.name == "defects")
    message = message_of(generated, case, "D3", monkeypatch)
    with pytest.raises(BadMessage, match=r"^bad-request: not a D3: n: Field required$"):
        message.decode(b'{"kind": "c"}')


@pytest.mark.parametrize("case", CASES, ids=lambda case: str(case.name))
def test_says(generated: Generated, case: Path, cli: Cli, monkeypatch: pytest.MonkeyPatch) -> None:
    """What is warned of stands in `said.txt`, to the letter; nothing is where that is not there. Validation says no less."""
    place = case / "said.txt"
    expected = place.read_text() if place.exists() else ""
    assert generated.said[case.name] == expected
    monkeypatch.chdir(case)
    assert (
        cli("validate", "spec.yaml", "--package", "x", "--allow-slow-patterns").stdout == expected
    )


def test_checkers_are_content(generated: Generated, tmp_path: Path) -> None:
    models = [f"case_{case.name}/models.py" for case in CASES]
    command = [sys.executable, "-m", "mypy", "--strict", f"--cache-dir={tmp_path}", *models]
    done = subprocess.run(
        command, cwd=generated.folder, capture_output=True, text=True, timeout=300
    )
    assert done.returncode == 0, done.stdout + done.stderr
