"""`--watch`: a run after each change, one line about each, and no error that ends it."""

from __future__ import annotations

import shutil
import signal
import subprocess
import sys
import tomllib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Final, TypeAlias

import pytest
from click.testing import Result

Cli: TypeAlias = Callable[..., Result]

PING: Final = Path(__file__).parent / "cases" / "ping.yaml"


@contextmanager
def watching(folder: Path, *arguments: str) -> Iterator[IO[str]]:
    """What a watching program prints; it ends by an interrupt, which is no error."""
    command = [sys.executable, "-m", "aoba_gen", *arguments, "--watch"]
    with subprocess.Popen(
        command, cwd=folder, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as program:
        assert program.stdout and program.stderr
        try:
            yield program.stdout
        finally:
            program.send_signal(signal.SIGINT)
            _, errors = program.communicate(timeout=30)
        assert "Traceback" not in errors
        assert "KeyboardInterrupt" not in errors
        assert program.returncode == 0


@pytest.fixture
def lines(tmp_path: Path) -> Iterator[IO[str]]:
    """What a program prints that watches ping.yaml."""
    shutil.copy(PING, tmp_path)
    with watching(tmp_path, "ping.yaml", "-o", "out") as printed:
        yield printed


def test_each_change_is_one_run_and_one_line(lines: IO[str], tmp_path: Path) -> None:
    assert "out/ping: 6 written" in lines.readline()
    place = tmp_path / "ping.yaml"
    text = place.read_text()
    place.write_text(text.replace("maxLength: 80", "maxLength: 81"))
    assert "out/ping: 1 written" in lines.readline()
    assert "81" in (tmp_path / "out" / "ping" / "models.py").read_text()
    place.write_text("asyncapi: 3.0.0\n")
    assert "ping.yaml: refused, " in lines.readline()
    place.write_text(text)
    assert "out/ping: 1 written" in lines.readline()


def test_folders_that_come_back_or_are_shared_are_watched(tmp_path: Path) -> None:
    """Another branch of git may have neither; and only what has news is told of. What is beside a package follows, too."""
    text = PING.read_text()
    ours, beside, other = (tmp_path / name for name in ("api", "schemas", "other"))
    for folder in (ours, other):
        folder.mkdir()
    (other / "it.yaml").write_text(text.replace("Ping API", "It"))
    (ours / "ping.yaml").write_text(text)
    (tmp_path / "pyproject.toml").write_text(
        "[tool.aoba-gen]\ndocuments = ["
        '{spec = "api/ping.yaml", output = "out"}, {spec = "other/it.yaml", output = "it", dist = true}]\n'
    )
    with watching(tmp_path) as lines:
        assert "out/ping: 6 written" in lines.readline()
        assert "it/it: 8 written" in lines.readline()
        it = (other / "it.yaml").read_text()
        (other / "it.yaml").write_text(it.replace("version: 1.0.0", "version: 1.0.1"))
        assert "it/it: " in lines.readline()
        project = tomllib.loads((tmp_path / "it" / "pyproject.toml").read_text())["project"]
        assert project["version"] == "1.0.1"
        shutil.rmtree(ours)
        assert "api/ping.yaml: refused, 1 problem" in lines.readline()
        ours.mkdir()
        (ours / "ping.yaml").write_text(text.replace("maxLength: 80", "maxLength: 81"))
        assert "out/ping: 1 written" in lines.readline()
        beside.mkdir()
        (beside / "ping.yaml").write_text("{type: object, properties: {text: {maxLength: 82}}}")
        refers = text.replace("'#/components/schemas/Ping'", "'../schemas/ping.yaml'")
        (ours / "ping.yaml").write_text(refers)
        assert "out/ping: " in lines.readline()
        (beside / "ping.yaml").write_text("{type: object, properties: {text: {maxLength: 83}}}")
        while "out/ping: 1 written" not in lines.readline():
            pass  # the folder came, and was looked at on its own
        assert "83" in (tmp_path / "out" / "ping" / "models.py").read_text()


def test_watching_is_no_check(cli: Cli, tmp_path: Path) -> None:
    assert cli(PING, "-o", tmp_path, "--watch", "--check").exit_code == 2
