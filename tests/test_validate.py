"""Validation: every rule on a document that breaks it, the structure of every version, and what both leave alone."""

from __future__ import annotations

import ast
import json
import re
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, Final, TypeAlias

import pytest
from aoba_gen.validate import OPTIONAL, RULES, TOLD
from click.testing import Result

Cli: TypeAlias = Callable[..., Result]

ROOT: Final = Path(__file__).parents[1]
CASES: Final = ROOT / "tests" / "cases" / "rules"
STRUCTURE: Final = ROOT / "tests" / "cases" / "structure"
PING: Final = ROOT / "tests" / "cases" / "ping.yaml"
NAMES: Final = sorted(place.name for place in CASES.iterdir())


def alone(rule: str) -> list[str]:
    """Options by which no other pass speaks beside the rules."""
    return [word for other in TOLD if other != rule for word in ("--disable", other)]


def told(result: Result) -> str:
    return f"{result.stdout}exit {result.exit_code}\n"


@pytest.mark.parametrize("rule", NAMES)
def test_a_rule_says_what_breaks_it(cli: Cli, monkeypatch: pytest.MonkeyPatch, rule: str) -> None:
    """Each case is a folder with a document and the words about it; all of them are this rule's."""
    monkeypatch.chdir(CASES / rule)
    result = cli("validate", "spec.yaml", *alone(rule))
    assert told(result) == Path("expected.txt").read_text()
    assert set(re.findall(r"\[([a-z-]+)\]$", result.stdout, re.MULTILINE)) == {rule}


@pytest.mark.parametrize("rule", NAMES)
def test_a_rule_can_be_turned_off(cli: Cli, monkeypatch: pytest.MonkeyPatch, rule: str) -> None:
    monkeypatch.chdir(CASES / rule)
    result = cli("validate", "spec.yaml", "--disable", rule, *alone(rule))
    if rule in OPTIONAL:
        assert (told(result), result.stderr) == ("exit 0\n", "no problems found\n")
    else:  # no package can be made of such a document
        assert result.exit_code == 2
        assert (
            f"there is no rule {rule!r} that can be turned off; no package can be made of what breaks it"
            in result.stderr
        )


def test_every_rule_has_a_case_and_a_sentence() -> None:
    rules = {rule.name for rule in RULES}
    assert rules <= set(NAMES) <= rules | set(OPTIONAL)
    for sentence in (*(rule.sentence for rule in RULES), *OPTIONAL.values()):
        assert re.fullmatch(r"[A-Z][^.\n]*[^\n]*\.", sentence)


def test_the_documentation_lists_every_rule() -> None:
    text = (ROOT / "docs" / "validation.md").read_text()
    for rule in RULES:
        kind = f"{rule.severity}{', always on' if rule.needed else ''}"
        assert f"| `{rule.name}` | {kind} | {rule.sentence} |" in text
    for name in set(OPTIONAL) - {rule.name for rule in RULES}:
        assert f"| `{name}` | warning | {OPTIONAL[name]} |" in text


def warned() -> Iterator[str]:
    """The rules that any module warns of."""
    for place in (ROOT / "generator" / "aoba_gen").glob("*.py"):
        for node in ast.walk(ast.parse(place.read_text())):
            if isinstance(node, ast.Call) and ast.unparse(node.func).endswith("warn"):
                for argument in node.args:
                    text = argument.value if isinstance(argument, ast.Constant) else ""
                    if isinstance(text, str) and re.fullmatch(r"[a-z]+(-[a-z]+)+", text):
                        yield text


def test_every_warning_can_be_turned_off() -> None:
    assert set(warned()) <= set(OPTIONAL)


@pytest.mark.parametrize("case", sorted(place.name for place in STRUCTURE.iterdir()))
def test_structure(cli: Cli, monkeypatch: pytest.MonkeyPatch, case: str) -> None:
    monkeypatch.chdir(STRUCTURE / case)
    (spec,) = Path().glob("spec.*")
    assert told(cli("validate", spec)) == Path("expected.txt").read_text()


# The command


def test_without_a_problem(cli: Cli, spec: Path) -> None:
    result = cli("validate", spec)
    assert (result.exit_code, result.stdout, result.stderr) == (0, "", "no problems found\n")


def test_several_documents(cli: Cli, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(CASES)
    result = cli("validate", "tag-name/spec.yaml", "operation-channel/spec.yaml")
    assert (result.exit_code, result.stderr) == (1, "1 error, 1 warning\n")
    assert [line.partition(":")[0] for line in result.stdout.splitlines() if ":" in line[:40]][
        ::2
    ] == ["tag-name/spec.yaml", "operation-channel/spec.yaml"]


@pytest.mark.parametrize("arguments", [["absent.yaml"], [], ["--format", "xml", "spec.yaml"], ["--disable", "tag-nam", "spec.yaml"]], ids=" ".join)  # fmt: skip
def test_a_wrong_call_is_2(cli: Cli, monkeypatch: pytest.MonkeyPatch, arguments: list[str]) -> None:
    monkeypatch.chdir(CASES / "tag-name")
    result = cli("validate", *arguments)
    assert result.exit_code == 2
    assert "Traceback" not in result.output


def test_an_unknown_rule_gets_a_suggestion(cli: Cli, spec: Path) -> None:
    assert "did you mean 'tag-name'?" in cli("validate", spec, "--disable", "tag-nam").stderr


def test_rules_are_listed(cli: Cli) -> None:
    listed = cli("rules").stdout.splitlines()
    assert len(listed) == len({rule.name for rule in RULES} | set(OPTIONAL))
    assert "W  tag-name             A list of tags has each name once." in listed
    assert any(line.startswith("E* operation-channel ") for line in listed)


def test_generation_validates_first_and_goes_on_after_warnings(cli: Cli, tmp_path: Path) -> None:
    case = tmp_path / "spec.yaml"
    case.write_text(
        PING.read_text().replace("maxLength: 80", "maxLength: 80\n          examples: [1]")
    )
    result = cli(case, "-o", tmp_path / "out")
    assert result.exit_code == 0
    assert result.stderr.count("[schema-example]") == 1
    assert (tmp_path / "out" / "ping" / "models.py").is_file()
    assert cli(case, "-o", tmp_path / "out", "--disable", "schema-example").stderr == ""


# What machines read


@pytest.fixture
def case(monkeypatch: pytest.MonkeyPatch) -> str:
    monkeypatch.chdir(CASES / "channel-parameters")
    return "spec.yaml"


def test_json(cli: Cli, case: str) -> None:
    told = json.loads(cli("validate", case, "--format", "json").stdout)
    assert (told["errors"], told["warnings"]) == (0, 3)
    assert told["diagnostics"][1] == {
        "rule": "channel-parameters",
        "severity": "warning",
        "message": "the parameter 'roomid' is not in the address 'rooms/{roomId}/{side}'",
        "hint": "did you mean 'roomId'?",
        "file": "spec.yaml",
        "line": 7,
        "column": 7,
    }


def test_github(cli: Cli, case: str, tmp_path: Path) -> None:
    _, second, _ = cli("validate", case, "--format", "github").stdout.splitlines()
    assert second == (
        "::warning file=spec.yaml,line=7,col=7,title=channel-parameters::the parameter 'roomid' is not in the address "
        "'rooms/{roomId}/{side}'%0Adid you mean 'roomId'?"
    )
    odd = tmp_path / "a,b:100%.yaml"
    odd.write_text("x: 1\n")
    told = cli("validate", odd, "--format", "github").stdout
    assert "a%2Cb%3A100%25.yaml,line=1,col=1" in told


def test_sarif(cli: Cli, case: str) -> None:
    log: dict[str, Any] = json.loads(cli("validate", case, "--format", "sarif").stdout)
    assert (log["version"], log["$schema"].rpartition("/")[2]) == ("2.1.0", "sarif-2.1.0.json")
    (run,) = log["runs"]
    driver = run["tool"]["driver"]
    assert driver["rules"] == [
        {
            "id": "channel-parameters",
            "shortDescription": {
                "text": "Parameters are those in the braces of the address, and every brace is of a parameter."
            },
        }
    ]
    result = run["results"][1]
    assert (result["ruleId"], result["ruleIndex"], result["level"]) == (
        "channel-parameters",
        0,
        "warning",
    )
    (place,) = result["locations"]
    assert place["physicalLocation"] == {
        "artifactLocation": {"uri": "spec.yaml"},
        "region": {"startLine": 7, "startColumn": 7},
    }


def test_sarif_of_nothing_has_no_results(cli: Cli, spec: Path) -> None:
    (run,) = json.loads(cli("validate", spec, "--format", "sarif").stdout)["runs"]
    assert run["results"] == []


def test_a_document_without_values_imports_no_jsonschema() -> None:
    code = (
        "import sys\nfrom aoba_gen.cli import main\n"
        "try: main(['validate', 'spec.yaml'])\nexcept SystemExit: pass\n"
        "print('jsonschema' in sys.modules)"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=CASES / "tag-name", capture_output=True, text=True
    )
    assert done.stdout.splitlines()[-1] == "False"
