"""The check that keeps generated packages and the runtime in step."""

from __future__ import annotations

import tomllib
from pathlib import Path

import pytest
from aoba_gen import pyproject, render
from aoba_runtime import ABI, AbiMismatch, abi, require_abi
from packaging.requirements import Requirement


def test_generator_and_runtime_speak_the_same_abi() -> None:
    assert render.ABI == ABI


def test_a_resolver_finds_the_runtimes_that_speak_it(root: Path) -> None:
    project = tomllib.loads((root / "runtime" / "pyproject.toml").read_text())["project"]
    fitting = Requirement(pyproject.RUNTIME)
    assert fitting.name == project["name"]
    assert project["version"].split(".")[:2] == ["0", str(ABI)]
    assert fitting.specifier.contains(project["version"])
    assert not any(fitting.specifier.contains(f"0.{abi}.9") for abi in (ABI - 1, ABI + 1))


@pytest.mark.parametrize(
    ("installed", "fix"),
    [
        (2, "install an older aoba-runtime, or generate the package again with a newer aoba-gen"),
        (0, "install a newer aoba-runtime: pip install --upgrade aoba-runtime"),
    ],
)
def test_a_mismatch_names_both_versions_and_the_fix(
    monkeypatch: pytest.MonkeyPatch, installed: int, fix: str
) -> None:
    require_abi("shop", ABI)
    monkeypatch.setattr(abi, "ABI", installed)
    with pytest.raises(AbiMismatch) as mismatch:
        require_abi("shop", 1)
    text = str(mismatch.value)
    assert text.startswith("shop was generated for ABI 1 of aoba-runtime, but aoba-runtime 0.2.0")
    assert text.endswith(f"speaks ABI {installed}: {fix}")
