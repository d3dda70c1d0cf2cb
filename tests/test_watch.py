"""`--watch`: a run after each change, one line about each, and no error that ends it."""

from __future__ import annotations

import shutil
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import IO, Final, TypeAlias

import pytest
from click.testing import Result

Cli: TypeAlias = Callable[..., Result]

PING: Final = Path(__file__).parent / "cases" / "ping.yaml"


@pytest.fixture
def lines(tmp_path: Path) -> Iterator[IO[str]]:
    """What a watching program prints; it watches ping.yaml, and ends by an interrupt, which is no error."""
    shutil.copy(PING, tmp_path)
    command = [sys.executable, "-m", "aoba_gen", "ping.yaml", "-o", "out", "--watch"]
    with subprocess.Popen(
        command, cwd=tmp_path, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as program:
        assert program.stdout and program.stderr
        try:
            yield program.stdout
        finally:
            program.send_signal(signal.SIGINT)
            _, errors = program.communicate(timeout=30)
        assert "Traceback" not in errors
        assert program.returncode == 0


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


def test_watching_is_no_check(cli: Cli, tmp_path: Path) -> None:
    assert cli(PING, "-o", tmp_path, "--watch", "--check").exit_code == 2
