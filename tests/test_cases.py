"""What must work, item by item: that each has its case, that versions read alike, that names stay."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final, TypeAlias

import pytest
import yaml
from aoba_gen.versions import SUPPORTED_VERSIONS
from click.testing import Result

Cli: TypeAlias = Callable[..., Result]

TESTS: Final = Path(__file__).parent
CASES: Final = TESTS / "cases"
ROWS: Final = re.findall(r"^\| (.+?) \| (.*) \| (.*) \|$", (CASES / "README.md").read_text(), re.MULTILINE)[1:]  # fmt: skip


@pytest.mark.parametrize(("item", "cases", "run_by"), ROWS, ids=[row[0][:40] for row in ROWS])
def test_an_item_has_its_case_and_a_test_that_runs_it(item: str, cases: str, run_by: str) -> None:
    modules = re.findall(r"`(test_\w+)`", run_by)
    texts = {module: (TESTS / f"{module}.py").read_text() for module in modules}
    assert modules
    for case in re.findall(r"`([^`]+)`", cases):
        assert (CASES / case).exists()
        assert any(f'"{case.partition("/")[0]}"' in text for text in texts.values())


def test_every_case_that_a_person_has_to_find_is_in_the_map() -> None:
    named = {case for _, cases, _ in ROWS for case in re.findall(r"`([^`]+)`", cases)}
    for folder in ("schemas", "documents", "resolve", "warned", "odd"):
        for case in (CASES / folder).iterdir():
            if case.is_dir() or folder == "odd":
                assert f"{folder}/{case.name}" in named


def model(cli: Cli, spec: Path) -> dict[str, Any]:
    result = cli("model", spec)
    assert (result.exit_code, result.stderr) == (0, "")
    found: dict[str, Any] = json.loads(result.stdout)
    return found


@pytest.mark.parametrize("version", SUPPORTED_VERSIONS)
def test_a_version_reads_alike_in_yaml_and_json(cli: Cli, tmp_path: Path, version: str) -> None:
    text = (CASES / "versions" / f"{version[0]}.yaml").read_text()
    tree = yaml.safe_load(text) | {"asyncapi": version}
    (tmp_path / "spec.yaml").write_text(text.replace(f"asyncapi: {version[0]}.0.0", f"asyncapi: {version}"))  # fmt: skip
    (tmp_path / "spec.json").write_text(json.dumps(tree))
    made = model(cli, tmp_path / "spec.yaml")
    assert made == model(cli, tmp_path / "spec.json")
    (operation,) = made["operations"]
    assert (operation["method"], operation["action"]) == ("measure", "send")
    assert (made["servers"][0]["url"], made["channels"][0]["parameters"][0]["name"]) == (
        "mqtt://broker.example.org:1883",
        "id",
    )


def test_names_stay_when_a_neighbour_goes(cli: Cli, tmp_path: Path) -> None:
    tree = yaml.safe_load((CASES / "neighbours" / "spec.yaml").read_text())
    (tmp_path / "spec.json").write_text(json.dumps(tree))
    before = {made["python"]: made for made in model(cli, tmp_path / "spec.json")["definitions"]}
    messages = tree["channels"]["drawings"]["messages"]
    del messages["Shape"]["payload"]["oneOf"][0], messages["Pen"]
    (tmp_path / "spec.json").write_text(json.dumps(tree))
    after = {made["python"] for made in model(cli, tmp_path / "spec.json")["definitions"]}
    assert before.keys() - after == {
        "PenPayload",
        "PenPayloadMode",
        "ShapePayloadWithSquare",
        "ShapePayloadWithSquareSquare",
    }
    assert after <= before.keys()
    members = [member["python"] for member in before["ColourPayloadMode"]["members"]]
    assert members == ["V1M", "CANDLE1M", "NONE", "CR_LF"]
