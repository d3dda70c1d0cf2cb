"""The two distributions as a stranger gets them: built, installed into empty environments, and used from elsewhere."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
import zipfile
from collections.abc import Iterator
from contextlib import ExitStack
from email.parser import HeaderParser
from importlib.metadata import distribution
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest
from conftest import Cli
from packaging.requirements import Requirement
from softphones import heard

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
        "aoba_gen/docs.css",
        "aoba_gen/py.typed",
    }
    assert any(name.endswith("LICENSE") for name in found)
    assert requirements(generator_wheel) == {
        "black",
        "click",
        "datamodel-code-generator",
        "jinja2",
        "jsonschema",
        "markdown-it-py",
        "packaging",
        "pydantic",
        "pyyaml",
        "rich",
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
        "aoba_call.py",
        "aoba_runtime/py.typed",
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
    assert run(command, "docs", "spec.yaml", "-o", "api", cwd=tmp_path).endswith("2 written\n")
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


# What --dist makes


def with_extras(name: str, *extras: str) -> Iterator[str]:
    """A distribution that is installed here and all that it asks for."""
    yield name
    for line in distribution(name).requires or ():
        wanted = Requirement(line)
        environments = [{"extra": extra} for extra in extras or ("",)]
        if not wanted.marker or any(map(wanted.marker.evaluate, environments)):
            yield from with_extras(wanted.name, *wanted.extras)


def lent(scripts: Path, names: set[str]) -> None:
    """Put distributions that are installed here into an environment, without fetching or copying them."""
    code = "import sysconfig; print(sysconfig.get_path('purelib'))"
    site = Path(run(scripts / "python", "-c", code, cwd=scripts).strip())
    for name in names:
        found = distribution(name)
        for top in {file.parts[0] for file in found.files or ()} - {".."}:
            if not (site / top).exists():
                (site / top).symlink_to(str(found.locate_file(top)))


@pytest.fixture(scope="module")
def shop(runtime_wheel: Path, spec: Path, cli: Cli, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:  # fmt: skip
    """A distribution's folder, built, and the scripts of an environment that has it and the runtime, no generator."""
    top = tmp_path_factory.mktemp("shop")
    assert cli(spec, "-o", top / "out", "--dist", "--package", "shop_calls").exit_code == 0
    run(sys.executable, "-m", "build", "--no-isolation", top / "out", cwd=top)
    run(sys.executable, "-m", "venv", "--without-pip", top / "venv", cwd=top)
    scripts = top / "venv" / ("Scripts" if os.name == "nt" else "bin")
    lent(scripts, {*with_extras("aoba-runtime", "xmpp", "media")} - {"aoba-runtime"})
    wheels = ("--find-links", runtime_wheel.parent, "--find-links", top / "out" / "dist")
    wanted = ("shop-calls", "aoba-runtime[xmpp,media]")
    command = (*pip(scripts / "python"), "install", "--quiet", "--no-index", *wheels, *wanted)
    run(*command, cwd=top)
    return top / "out", scripts


def test_a_distribution_is_whole_and_needs_no_generator(shop: tuple[Path, Path]) -> None:
    out, scripts = shop
    (wheel,) = (out / "dist").glob("*.whl")
    assert wheel.name == "shop_calls-1.0.0-py3-none-any.whl"
    modules = {f"shop_calls/{place.name}" for place in (out / "shop_calls").glob("*.py")}
    inside = {name for name in contents(wheel) if ".dist-info/" not in name}
    assert inside == {*modules, "shop_calls/py.typed"}
    assert requirements(wheel) == {"aoba-runtime"}
    names = installed(scripts)
    assert {"shop-calls", "aoba-runtime", "aiortc"} <= names
    assert names.isdisjoint({*GENERATOR_ONLY} - {"click"})
    (program,) = re.findall("^```python\n(.*?)^```", (out / "README.md").read_text(), re.S | re.M)
    said = run(scripts / "python", "-W", "error", "-c", program, cwd=scripts)
    assert said.startswith('sent: {"callId":') and '"type":"call:initiate"' in said
    assert run(*pip(scripts / "python"), "check", cwd=scripts).strip()


def test_a_distribution_holds_a_call(shop: tuple[Path, Path], tmp_path: Path) -> None:
    """Three processes of the environment: the development server, who listens, and who dials; with sound."""
    _, scripts = shop
    secret = tmp_path / "secret"
    secret.write_text("0123456789abcdef0123456789abcdef")
    secret.chmod(0o600)
    clean = {key: value for key, value in os.environ.items() if not key.startswith("PYTHON")}

    def phone(*words: str | Path, **more: str) -> subprocess.Popen[str]:
        command = [str(word) for word in (scripts / "aoba-call", *words)]
        process = subprocess.Popen(command, env=clean | more, stdout=subprocess.PIPE, text=True)
        ends.enter_context(process)
        ends.callback(process.terminate)
        return process

    def events(process: subprocess.Popen[str]) -> Iterator[dict[str, Any]]:
        assert process.stdout
        yield from map(json.loads, process.stdout)

    def token(user: str) -> str:
        words = ("token", user, "--secret-file", secret)
        return run(scripts / "aoba-call", *words, cwd=tmp_path).strip()

    with ExitStack() as ends:
        server = phone("serve", "--port", "0", "--secret-file", secret)
        assert server.stdout
        options = ("--url", server.stdout.readline().strip(), "--api", "shop_calls", "--json")
        bob = phone("listen", *options, "--tone", "600", "--once", AOBA_TOKEN=token("bob"))
        assert next(events(bob))["event"] == "ready"
        sound = ("--tone", "440", "--record", tmp_path / "heard.wav", "--duration", "2")
        alice = phone("dial", "bob@localhost", *options, *sound, AOBA_TOKEN=token("alice"))
        seen = list(events(alice))
        assert seen[-1]["event"] == "ended" and seen[-1]["reason"] == "completed"
        assert (alice.wait(30), bob.wait(30)) == (0, 0)
    own, peer = heard(tmp_path / "heard.wav")
    assert (own[0], peer[0]) == (440, 600)
