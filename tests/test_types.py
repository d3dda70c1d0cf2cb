"""Types as a user's checker sees them: everything is clean, and a wrong client is told on exactly its wrong lines."""

from __future__ import annotations

import json
import re
import runpy
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from click.testing import Result

CASES = Path(__file__).parent / "cases"
WRONG = "wrong_client.py"
CLEAN: set[tuple[str, int]] = set()


def mypy(cwd: Path, cache: Path, *arguments: str) -> set[tuple[str, int]]:
    """The (file, line) of every error that mypy --strict finds in `cwd`."""
    done = subprocess.run(
        [
            sys.executable,
            "-m",
            "mypy",
            "--strict",
            f"--cache-dir={cache}",
            "--no-error-summary",
            *arguments,
        ],
        cwd=cwd,
        capture_output=True,
        text=True,
        timeout=300,
    )
    print(done.stdout, done.stderr)
    assert done.returncode in (0, 1), done.stderr
    found = re.findall(r"^(.+?):(\d+)(?::\d+)?: error: ", done.stdout, re.MULTILINE)
    assert bool(found) == bool(done.returncode)
    return {(file, int(line)) for file, line in found}


def pyright(cwd: Path, *arguments: str) -> set[tuple[str, int]]:
    """The (file, line) of every error that pyright finds in `cwd`."""
    done = subprocess.run(
        [
            sys.executable,
            "-m",
            "pyright",
            "--outputjson",
            "--pythonpath",
            sys.executable,
            *arguments,
        ],
        cwd=cwd,
        capture_output=True,
        text=True,
        timeout=300,
    )
    print(done.stdout, done.stderr)
    assert done.returncode in (0, 1), done.stderr
    report = json.loads(done.stdout)
    assert report["summary"]["filesAnalyzed"] > 0
    return {
        (str(Path(found["file"]).relative_to(cwd)), found["range"]["start"]["line"] + 1)
        for found in report["generalDiagnostics"]
        if found["severity"] == "error"
    }


@pytest.fixture(scope="module")
def client(
    tmp_path_factory: pytest.TempPathFactory, fresh: Path, cli: Callable[..., Result]
) -> Path:
    """The folder of a user: three packages in `out/`, one client that is right and one that is wrong."""
    folder = tmp_path_factory.mktemp("client").resolve()
    shutil.copytree(fresh, folder / "out")
    for document in (CASES / "library", CASES / "schemas" / "recursion"):
        assert cli(document / "spec.yaml", "-o", folder / "out").exit_code == 0
    for name in ("right_client.py", WRONG):
        shutil.copy(CASES / name, folder)
    settings = {
        "include": [".", "out"],
        "extraPaths": ["out"],
        "strict": ["."],
        "reportUnusedExpression": "none",
    }
    (folder / "pyrightconfig.json").write_text(json.dumps(settings))
    return folder


@pytest.fixture(scope="module")
def marked() -> set[tuple[str, int]]:
    lines = (CASES / WRONG).read_text().splitlines()
    found = {(WRONG, number) for number, line in enumerate(lines, 1) if "# expect-error" in line}
    assert len(found) > 20
    return found


def test_mypy_is_content_with_the_project(root: Path) -> None:
    folders = ("benchmarks", "deploy", "examples", "generated", "generator", "runtime", "tests")
    assert mypy(root, root / ".mypy_cache", "--exclude=^tests/cases/", *folders) == CLEAN


def test_pyright_is_content_with_the_project(root: Path) -> None:
    assert pyright(root, "--project", str(root)) == CLEAN


def test_mypy_tells_a_right_client_from_a_wrong_one(
    client: Path, root: Path, marked: set[tuple[str, int]], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MYPYPATH", str(client / "out"))
    assert (
        mypy(
            client,
            root / ".mypy_cache" / "client",
            "-p",
            "aoba_voice_call_signaling",
            "-p",
            "library_api_desk",
            "-p",
            "recursion",
            "-m",
            "right_client",
            "-m",
            "wrong_client",
        )
        == marked
    )


def test_pyright_tells_a_right_client_from_a_wrong_one(
    client: Path, marked: set[tuple[str, int]]
) -> None:
    assert pyright(client) == marked


def test_the_right_client_runs() -> None:
    import asyncio

    main = runpy.run_path(str(CASES / "right_client.py"))["main"]
    assert asyncio.run(main()) == ["alice@localhost/1: Alice", "v=0", "-", "completed", "busy"]
