"""`[tool.aoba-gen]`: several documents in one run, and every mistake in it where it stands."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Final, TypeAlias

import pytest
from click.testing import Result

Cli: TypeAlias = Callable[..., Result]

CASES: Final = Path(__file__).parent / "cases"
PING: Final = CASES / "ping.yaml"
TABLE: Final = """
[project]
name = "ours"

[tool.aoba-gen]
disable = ["schema-example"]

[[tool.aoba-gen.documents]]
spec = "spec/ping.yaml"
output = "out"

[[tool.aoba-gen.documents]]
spec = "spec/pong.yaml"
output = "out"
package = "other"
side = "described"
"""


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A project of two documents, which is the current directory."""
    (tmp_path / "spec").mkdir()
    shutil.copy(PING, tmp_path / "spec" / "ping.yaml")
    text = PING.read_text().replace("maxLength: 80", "examples: [1]")
    (tmp_path / "spec" / "pong.yaml").write_text(text)
    (tmp_path / "pyproject.toml").write_text(TABLE)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_one_run_generates_every_document(cli: Cli, project: Path) -> None:
    first = cli()
    assert (first.exit_code, first.stderr) == (0, "")
    assert sorted(place.name for place in (project / "out").iterdir()) == ["other", "ping"]
    assert [line for line in first.stdout.splitlines() if line.endswith(" written")] == [
        "out/ping: 6 written",
        "out/other: 6 written",
    ]
    assert cli("--check", "-q").exit_code == 0
    (project / "out" / "other" / "client.py").unlink()
    again = cli("--check")
    assert again.exit_code == 1
    assert "missing: out/other/client.py" in again.stdout


def test_two_documents_do_not_share_a_package(cli: Cli, project: Path) -> None:
    table = TABLE.replace('package = "other"\n', "")
    (project / "pyproject.toml").write_text(table)
    result = cli()
    assert result.exit_code == 1
    assert "spec/pong.yaml:1:1: the package goes to out/" in result.stderr
    assert "ping.yaml is [package-name]" in result.stderr
    assert cli("--check").exit_code == 1


def test_two_documents_do_not_share_a_distribution(cli: Cli, project: Path) -> None:
    table = TABLE.replace('output = "out"', 'output = "out"\ndist = true')
    (project / "pyproject.toml").write_text(table)
    result = cli()
    assert result.exit_code == 1
    assert "spec/pong.yaml:1:1: its distribution goes to out/pyproject.toml, where" in result.stderr
    (project / "pyproject.toml").write_text(table.replace("\ndist = true", "", 1))
    assert cli("--force").exit_code == 0
    assert 'name = "other"' in (project / "out" / "pyproject.toml").read_text()


def test_paths_are_those_of_the_file(
    cli: Cli, project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (project / "deep" / "er").mkdir(parents=True)
    monkeypatch.chdir(project / "deep" / "er")
    assert cli("-q").exit_code == 0
    assert (project / "out" / "ping").is_dir()


def test_a_document_that_is_refused_stops_no_other(cli: Cli, project: Path) -> None:
    (project / "spec" / "ping.yaml").write_text("asyncapi: 3.0.0\n")
    result = cli()
    assert result.exit_code == 1
    assert "spec/ping.yaml:1:1: the document has no 'info'" in result.stderr
    assert "out/other: 6 written" in result.stdout


def test_a_spec_on_the_command_line_is_the_only_one(cli: Cli, project: Path) -> None:
    result = cli("spec/pong.yaml", "-o", "elsewhere", "-q")
    assert (result.exit_code, result.output) == (0, "")  # and the rules are off as everywhere
    assert not (project / "out").exists()


def test_validate_reads_it_too(cli: Cli, project: Path) -> None:
    assert (cli("validate").exit_code, cli("validate").stdout) == (0, "")
    (project / "pyproject.toml").write_text(TABLE.replace('"schema-example"', ""))
    told = cli("validate").stdout
    assert told.startswith("spec/pong.yaml:")
    assert "[schema-example]" in told


@pytest.mark.parametrize("arguments", [["--side", "peer"], ["-o", "x"], ["--package", "x"], ["spec/ping.yaml"]], ids=" ".join)  # fmt: skip
def test_options_of_one_document_need_one(cli: Cli, project: Path, arguments: list[str]) -> None:
    result = cli(*arguments)
    assert result.exit_code == 2
    assert not (project / "out").exists()


def test_without_a_table(cli: Cli, project: Path) -> None:
    for text in ("", "[tool.other]\nx = 1\n", "[tool.aoba-gen]\n"):
        (project / "pyproject.toml").write_text(text)
        result = cli()
        assert result.exit_code == 2
        assert "Missing argument 'SPEC'" in result.stderr


@pytest.mark.parametrize("case", sorted(place.name for place in (CASES / "config").iterdir()))
def test_a_mistake_has_a_place(
    cli: Cli, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, case: str
) -> None:
    """Each case is a folder with a pyproject.toml and what is said about it."""
    shutil.copy(CASES / "config" / case / "pyproject.toml", tmp_path)
    monkeypatch.chdir(tmp_path)
    result = cli()
    expected = (CASES / "config" / case / "expected.txt").read_text()
    assert f"{result.stderr}exit {result.exit_code}\n" == expected
    assert [place.name for place in tmp_path.iterdir()] == ["pyproject.toml"]
