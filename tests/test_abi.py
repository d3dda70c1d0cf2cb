"""The check that keeps generated packages and the runtime in step."""

from __future__ import annotations

import subprocess
import sys
import tomllib
from contextlib import nullcontext
from pathlib import Path

import pytest
from aoba_gen import pyproject, render
from aoba_runtime import ABI, AbiMismatch, abi, require_abi
from aoba_runtime.extras import require_pydantic
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


def fails(code: str) -> str:
    """What a program that cannot begin says last."""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60)
    assert done.returncode == 1
    return done.stderr.splitlines()[-1]


def test_another_pydantic_is_refused_when_the_runtime_is_imported(root: Path) -> None:
    said = fails("import pydantic; pydantic.VERSION = '2.15.0b1'; import aoba_runtime")
    assert said == (
        "ImportError: aoba-runtime needs pydantic from 2.14.3 to below 2.15, and 2.15.0b1 is installed:"
        " pip install 'pydantic>=2.14.3,<2.15'"
    )
    project = tomllib.loads((root / "runtime" / "pyproject.toml").read_text())["project"]
    assert project["dependencies"] == [said.partition("pip install ")[2].strip("'")]


@pytest.mark.parametrize(("version", "is_known"), [("1.10.26", False), ("2.14.2", False), ("2.14.3", True), ("2.14.10", True), ("2.14.4b1", True), ("3.0", False)])  # fmt: skip
def test_releases_of_pydantic(version: str, is_known: bool) -> None:
    with nullcontext() if is_known else pytest.raises(ImportError, match="is installed: pip"):
        require_pydantic(version)


@pytest.mark.parametrize(
    ("module", "package", "extra"),
    [
        ("rtc", "aiortc", "media"),
        ("audio_wav", "av", "media"),
        ("audio_tones", "numpy", "media"),
        ("websocket", "websockets", "xmpp"),
        ("xmpp", "slixmpp", "xmpp"),
        ("devserver", "websockets", "xmpp"),
        ("tokens", "jwt", "xmpp"),
    ],
)
def test_a_module_names_the_extra_that_it_needs(module: str, package: str, extra: str) -> None:
    said = fails(f"import sys; sys.modules['{package}'] = None; import aoba_runtime.{module}")
    assert said == (
        f"ImportError: aoba_runtime.{module} needs {package}: pip install 'aoba-runtime[{extra}]'"
    )
