"""Documents as parsers are tested with: valid, and odd in every way; each generates, imports and is typed."""

from __future__ import annotations

import importlib
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from click.testing import Result

CASES = sorted((Path(__file__).parent / "cases" / "odd").iterdir())
ROOT = Path(__file__).parents[1]


def name_of(case: Path) -> str:
    """The package of a case."""
    return "odd_" + case.stem.replace("-", "_").replace(".", "")


@pytest.fixture(scope="module")
def out(tmp_path_factory: pytest.TempPathFactory, cli: Callable[..., Result]) -> Path:
    folder = tmp_path_factory.mktemp("odd")
    for case in CASES:
        result = cli(case, "-o", folder, "--package", name_of(case), "-q")
        assert result.exit_code == 0, result.stderr
    return folder


@pytest.mark.parametrize("case", CASES, ids=lambda case: str(case.stem))
def test_imports(out: Path, monkeypatch: pytest.MonkeyPatch, case: Path) -> None:
    monkeypatch.syspath_prepend(out)
    package = importlib.import_module(name_of(case))
    for message in package.MESSAGES.values():
        assert message.pointer


def test_is_typed(out: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "mypy", "--strict", "--config-file=", "."],
        cwd=out,
        env=os.environ | {"MYPYPATH": str(ROOT / "runtime")},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stdout + done.stderr


def test_names_itself_where_the_title_gives_no_name(
    tmp_path: Path, cli: Callable[..., Result]
) -> None:
    made = {}
    for case in ("components-only", "minimal-3"):
        result = cli(CASES[0].with_name(f"{case}.yaml"), "-o", tmp_path / case)
        assert result.exit_code == 0 and "[package-name]" in result.stderr
        made[case] = [place.name for place in (tmp_path / case).iterdir()]
    assert made == {"components-only": ["email_api"], "minimal-3": ["api"]}


@pytest.mark.parametrize(
    ("title", "name"),
    [
        ("Lights " + "that go on " * 90, "lights" + "_that_go_on" * 8 + "_that"),
        ("x" * 999, "x" * 100),
        ("灯" * 999, "灯" * 33),
    ],
)
def test_a_title_longer_than_the_name_of_a_folder(
    tmp_path: Path, cli: Callable[..., Result], title: str, name: str
) -> None:
    spec = tmp_path / "spec.yaml"
    spec.write_text(
        f"asyncapi: 3.0.0\ninfo: {{title: {title}, version: '1'}}\nchannels: {{}}\n",
        encoding="utf-8",
    )
    result = cli(spec, "-o", tmp_path / "out")
    assert result.exit_code == 0, result.stderr
    assert "spec.yaml:2:8: warning: " in result.stderr and "[package-name]" in result.stderr
    assert [place.name for place in (tmp_path / "out").iterdir()] == [name]
    refused = cli(spec, "-o", tmp_path / "out", "--package", "x" * 201)
    assert refused.exit_code == 2 and "is too long for the name of a folder" in refused.stderr
