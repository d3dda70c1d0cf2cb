"""The two distributions as a stranger gets them: built, installed into empty environments, and used from elsewhere."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import zipfile
from email.parser import HeaderParser
from importlib.util import find_spec
from pathlib import Path

import pytest

PACKAGE = "aoba_voice_call_signaling"
OFFLINE = re.compile(
    "NewConnectionError|NameResolutionError|ConnectTimeoutError|ReadTimeoutError|Network is unreachable"
)
GENERATOR_ONLY = ["black", "click", "datamodel-code-generator", "jinja2", "pyyaml", "aoba-gen"]
ROUND_TRIP = """
import asyncio
from aoba_runtime import loopback
from aoba_voice_call_signaling import AobaVoiceCallSignalingClient, models

async def main():
    alice, bob = map(AobaVoiceCallSignalingClient, loopback.pair())
    got = []
    bob.on_call_initiate(got.append)
    sent = models.CallInitiate(payload=models.CallInitiatePayload(caller_name="Alice"))
    await alice.initiate_call(sent, to="bob@localhost")
    assert got == [sent], got

asyncio.run(main())
"""


def run(*command: str | Path, cwd: Path, expected: int = 0, **more: str) -> str:
    """What a command prints, in an environment that knows nothing of this checkout."""
    clean = {key: value for key, value in os.environ.items() if not key.startswith("PYTHON")}
    done = subprocess.run(
        [str(word) for word in command],
        cwd=cwd,
        env=clean | more,
        capture_output=True,
        text=True,
        timeout=600,
    )
    if (
        done.returncode
        and "install" in command
        and (fault := OFFLINE.search(done.stdout + done.stderr))
    ):
        pytest.skip(f"the package registry cannot be reached: {fault[0]}")
    assert done.returncode == expected, done.stdout + done.stderr
    return done.stdout


def environment(folder: Path, wheel: Path) -> Path:
    """The scripts of a new environment that has the wheel and what it asks for, nothing else."""
    run(sys.executable, "-m", "venv", "--without-pip", folder, cwd=folder.parent)
    scripts = folder / ("Scripts" if os.name == "nt" else "bin")
    run(*pip(scripts / "python"), "install", "--quiet", wheel, cwd=folder.parent)
    return scripts


def pip(python: Path) -> tuple[str | Path, ...]:
    return (sys.executable, "-m", "pip", "--disable-pip-version-check", "--python", python)


def installed(scripts: Path) -> set[str]:
    listed = run(*pip(scripts / "python"), "list", "--format=freeze", cwd=scripts).lower()
    return {line.split("==")[0].replace("_", "-") for line in listed.splitlines()}


def built(project: Path, out: Path) -> Path:
    options: list[str | Path] = ["--no-deps", "--quiet", "--wheel-dir", out]
    if find_spec("hatchling"):
        options += ["--no-build-isolation", "--no-index"]  # else pip installs it for the build
    run(sys.executable, "-m", "pip", "wheel", *options, project, cwd=out)
    (wheel,) = out.glob("*.whl")
    return wheel


@pytest.fixture(scope="module")
def generator_wheel(root: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return built(root, tmp_path_factory.mktemp("generator-wheel"))


@pytest.fixture(scope="module")
def runtime_wheel(root: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return built(root / "runtime", tmp_path_factory.mktemp("runtime-wheel"))


@pytest.fixture(scope="module")
def generator(generator_wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return environment(tmp_path_factory.mktemp("generator") / "venv", generator_wheel)


@pytest.fixture(scope="module")
def runtime(runtime_wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return environment(tmp_path_factory.mktemp("runtime") / "venv", runtime_wheel)


def contents(wheel: Path) -> list[str]:
    with zipfile.ZipFile(wheel) as archive:
        return archive.namelist()


def requirements(wheel: Path) -> set[str]:
    with zipfile.ZipFile(wheel) as archive:
        (name,) = (name for name in archive.namelist() if name.endswith(".dist-info/METADATA"))
        metadata = HeaderParser().parsestr(archive.read(name).decode())
    wanted = metadata.get_all("Requires-Dist") or []
    return {re.split(r"[^\w.-]", line)[0].lower() for line in wanted if "extra ==" not in line}


def test_the_generators_wheel(generator_wheel: Path, root: Path) -> None:
    found = contents(generator_wheel)
    modules = {f"aoba_gen/{place.name}" for place in (root / "generator" / "aoba_gen").glob("*.py")}
    templates = {f"aoba_gen/templates/{place.name}" for place in (root / "templates").glob("*.j2")}
    assert templates
    assert {name for name in found if ".dist-info/" not in name} == modules | templates | {
        "aoba_gen/py.typed"
    }
    assert any(name.endswith("LICENSE") for name in found)
    assert requirements(generator_wheel) == {
        "black",
        "click",
        "datamodel-code-generator",
        "jinja2",
        "jsonschema",
        "packaging",
        "pydantic",
        "pyyaml",
    }


def test_the_source_distribution_builds_the_same_wheel(
    generator_wheel: Path, root: Path, tmp_path: Path
) -> None:
    if not find_spec("hatchling"):
        pytest.skip("hatchling is not installed here; it makes the source distribution")
    run(sys.executable, "-m", "hatchling", "build", "-t", "sdist", "-d", tmp_path, cwd=root)
    (archive,) = tmp_path.glob("*.tar.gz")
    (tmp_path / "wheel").mkdir()
    assert sorted(contents(built(archive, tmp_path / "wheel"))) == sorted(contents(generator_wheel))


def test_the_runtimes_wheel(runtime_wheel: Path, root: Path) -> None:
    found = contents(runtime_wheel)
    sources = root / "runtime" / "aoba_runtime"
    modules = {f"aoba_runtime/{place.relative_to(sources)}" for place in sources.rglob("*.py")}
    assert {name for name in found if ".dist-info/" not in name} == modules | {
        "aoba_runtime/py.typed"
    }
    assert any(name.endswith("LICENSE") for name in found)
    assert requirements(runtime_wheel) == {"pydantic"}


def test_the_installed_generator_does_the_main_job(
    generator: Path, spec: Path, root: Path, tmp_path: Path
) -> None:
    shutil.copy(spec, tmp_path / "spec.yaml")
    command = generator / "aoba-gen"
    assert run(command, "--version", cwd=tmp_path).startswith("aoba-gen ")
    assert run(command, "spec.yaml", "-o", "out", cwd=tmp_path).endswith(
        f"out/{PACKAGE}: 7 written\n"
    )
    run(command, "spec.yaml", "-o", "out", "--check", cwd=tmp_path)
    run(generator / "python", "-m", "aoba_gen", "spec.yaml", "-o", "out", "--check", cwd=tmp_path)
    (tmp_path / "out" / PACKAGE / "client.py").unlink()
    run(command, "spec.yaml", "-o", "out", "--check", cwd=tmp_path, expected=1)
    run(command, "spec.yaml", "-o", "out", cwd=tmp_path)
    ours = root / "generated" / PACKAGE
    for place in (*ours.glob("*.py"), ours / "py.typed"):
        assert (tmp_path / "out" / PACKAGE / place.name).read_bytes() == place.read_bytes()


def test_a_client_needs_the_runtime_only(runtime: Path, root: Path, tmp_path: Path) -> None:
    names = installed(runtime)
    assert {"aoba-runtime", "pydantic"} <= names
    assert names.isdisjoint(GENERATOR_ONLY)
    shutil.copytree(root / "generated" / PACKAGE, tmp_path / PACKAGE)
    run(runtime / "python", "-W", "error", "-c", ROUND_TRIP, cwd=tmp_path)


def test_the_generator_needs_no_runtime(generator: Path) -> None:
    names = installed(generator)
    assert {"aoba-gen", "black"} <= names
    assert "aoba-runtime" not in names
