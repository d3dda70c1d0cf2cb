"""What `breaking` tells of two versions, as text, JSON, SARIF, Markdown and to GitHub; and of what is accepted, or accepts nothing."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Final

import pytest
from aoba_gen.compare import RULES
from breaking_pair import pair
from conftest import Cli


def test_json_holds_what_the_text_does(cli: Cli, pair: Path) -> None:
    result = cli("breaking", "new.yaml", "--against", "old.yaml", "--format", "json")
    told = json.loads(result.stdout)
    assert result.exit_code == 1
    assert told["counts"] == {"breaking": 2, "risky": 0, "compatible": 0, "accepted": 0}
    first = told["changes"][0]
    assert (first["rule"], first["verdict"]) == ("field-renamed", "breaking")
    assert first["for"] == ["who calls the Python API"]
    for side, name in (("old", "colour"), ("new", "color")):
        assert first[side]["pointer"] == f"#/components/schemas/Set/properties/{name}"
        lines = (pair / first[side]["file"]).read_text().splitlines()
        assert lines[first[side]["line"] - 1][first[side]["column"] - 1 :] == f"{name}:"


def test_github_and_sarif_name_the_new_place(cli: Cli, pair: Path) -> None:
    github = cli("breaking", "new.yaml", "--against", "old.yaml", "--format", "github").stdout
    assert github.startswith(
        "::error file=new.yaml,line=48,col=9,title=field-renamed::field 'colour'"
    )
    assert github.count("\n") == 2
    log = json.loads(
        cli("breaking", "new.yaml", "--against", "old.yaml", "--format", "sarif").stdout
    )
    result = log["runs"][0]["results"][0]
    assert (result["ruleId"], result["level"]) == ("field-renamed", "error")
    rule = log["runs"][0]["tool"]["driver"]["rules"][0]
    assert rule["shortDescription"]["text"] == RULES["field-renamed"]


def test_markdown_is_a_comment_for_a_pull_request(cli: Cli, pair: Path) -> None:
    text = cli("breaking", "new.yaml", "--against", "old.yaml", "--format", "markdown").stdout
    assert "**2 changes would break clients that are out there.**" in text
    rows = [line for line in text.splitlines() if line.startswith("| ")]
    assert len(rows) == 3
    assert all(len(re.findall(r"(?<!\\)\|", row)) == 5 for row in rows)


ACCEPT: Final = """
[[tool.aoba-gen.breaking.accept]]
rule = "field-renamed"
at = "#/components/schemas/Set"
reason = "no client of ours has lamps in colour"
"""


def test_a_change_is_accepted_by_rule_and_place(cli: Cli, pair: Path) -> None:
    (pair / "pyproject.toml").write_text(ACCEPT)
    result = cli("breaking", "new.yaml", "--against", "old.yaml")
    assert "breaking, accepted: field 'colour' of Set" in result.stdout
    assert "    accepted: no client of ours has lamps in colour\n" in result.stdout
    assert (result.exit_code, result.stderr) == (1, "1 breaking, 1 accepted\n")
    (pair / "pyproject.toml").write_text(ACCEPT + ACCEPT.replace("/Set", "/State"))
    assert cli("breaking", "new.yaml", "--against", "old.yaml").exit_code == 0


def test_a_change_is_accepted_where_it_is_made(cli: Cli, pair: Path) -> None:
    place = pair / "new.yaml"
    accept = (
        "    {0}:\n      x-aoba-accept:\n        field-renamed: nobody minds\n      type: object"
    )
    text = place.read_text()
    for name in ("Set", "State"):
        text = text.replace(f"    {name}:\n      type: object", accept.format(name))
    place.write_text(text)
    result = cli("breaking", "new.yaml", "--against", "old.yaml")
    assert result.stdout.count("    accepted: nobody minds\n") == 2
    assert (result.exit_code, result.stderr) == (0, "2 accepted\n")


def test_what_accepts_nothing_is_told_of(cli: Cli, pair: Path) -> None:
    (pair / "pyproject.toml").write_text(ACCEPT.replace("/Set", "/Sat"))
    result = cli("breaking", "new.yaml", "--against", "old.yaml")
    assert (
        "pyproject.toml:2:1: warning: nothing is accepted by this: no field-renamed at"
        in result.stderr
    )
    (pair / "pyproject.toml").write_text(ACCEPT.replace('"field-renamed"', '"field-renamd"'))
    result = cli("breaking", "new.yaml", "--against", "old.yaml")
    assert result.exit_code == 2
    assert "there is no rule 'field-renamd' [accept]\n    hint: did you mean" in result.stderr
    (pair / "pyproject.toml").write_text(ACCEPT.replace("reason", "reasons"))
    result = cli("breaking", "new.yaml", "--against", "old.yaml")
    assert (result.exit_code, "what is accepted has no 'reason'" in result.stderr) == (2, True)


@pytest.mark.parametrize(
    ("accept", "wanted"),
    [
        (
            "field-renamed",
            "new.yaml:5:18: 'x-aoba-accept' should be an object of rules with reasons, not 'field-renamed' [accept]",
        ),
        (
            "{field-renamed: }",
            "new.yaml:5:19: the reason to accept 'field-renamed' should be text, not null [accept]",
        ),
        (
            "{field-renamd: why not}",
            "new.yaml:5:19: there is no rule 'field-renamd' [accept]\n    hint: did you mean 'field-renamed'?",
        ),
        (
            "{field-renamed: why not}",
            "new.yaml:5:19: warning: nothing is accepted by this: no field-renamed at #/info; there is one at "
            "#/components/schemas/Set/properties/",
        ),
    ],
)
def test_what_is_wrong_with_an_acceptance_is_told(
    cli: Cli, pair: Path, accept: str, wanted: str
) -> None:
    text = (pair / "new.yaml").read_text()
    version = "  version: 1.0.0\n"
    (pair / "new.yaml").write_text(text.replace(version, f"{version}  x-aoba-accept: {accept}\n"))
    result = cli("breaking", "new.yaml", "--against", "old.yaml")
    assert wanted in result.stderr
    assert result.exit_code == (1 if "warning" in wanted else 2)


def test_what_is_wrong_with_an_entry_is_told_at_that_entry(cli: Cli, pair: Path) -> None:
    wrong = ACCEPT.replace('"#/components', '"components')
    (pair / "pyproject.toml").write_text(ACCEPT + wrong)
    result = cli("breaking", "new.yaml", "--against", "old.yaml")
    told = "pyproject.toml:9:1: 'at' should be a pointer, not 'components/schemas/Set' [config]\n"
    assert (result.exit_code, told in result.stderr) == (2, True)
    (pair / "pyproject.toml").unlink()
    result = cli("breaking", "new.yaml", "--against", "")
    assert (result.exit_code, "the old document has no name" in result.stderr) == (2, True)


def test_what_is_accepted_twice_is_not_called_missing(cli: Cli, pair: Path) -> None:
    (pair / "pyproject.toml").write_text(ACCEPT + ACCEPT.replace("/Set", ""))
    result = cli("breaking", "new.yaml", "--against", "old.yaml")
    assert (result.exit_code, result.stderr) == (0, "2 accepted\n")
    (pair / "pyproject.toml").write_text(ACCEPT.replace("/Set", "") + ACCEPT)
    result = cli("breaking", "new.yaml", "--against", "old.yaml")
    assert (result.exit_code, result.stderr) == (0, "2 accepted\n")


@pytest.mark.parametrize("reason", ["", "  "])
def test_nothing_is_accepted_without_a_reason(cli: Cli, pair: Path, reason: str) -> None:
    (pair / "pyproject.toml").write_text(
        ACCEPT.replace("no client of ours has lamps in colour", reason)
    )
    result = cli("breaking", "new.yaml", "--against", "old.yaml")
    assert (result.exit_code, "what is accepted has no 'reason' [config]" in result.stderr) == (
        2,
        True,
    )
