"""The line that names the pass under way: on a terminal that can take it back, and nowhere else."""

from __future__ import annotations

import os
import pty
import re
import subprocess
import sys
from pathlib import Path
from typing import Final

import pytest

AT_ONCE: Final = (
    "import sys; from aoba_gen import cli, progress; progress.SECONDS = 0; cli.main(sys.argv[1:])"
)
"""The program, its patience at an end as it begins."""


def on_a_terminal(*words: str | Path, **environment: str) -> tuple[int, str]:
    """The exit code of a run and all that its terminal got."""
    kept = {key: value for key, value in os.environ.items() if key not in ("CI", "NO_COLOR")}
    near, far = pty.openpty()
    run = subprocess.Popen(
        [sys.executable, "-c", AT_ONCE, *map(str, words)],
        env=kept | {"TERM": "xterm-256color", "COLUMNS": "200", **environment},
        stdin=far,
        stdout=far,
        stderr=far,
    )
    os.close(far)
    said = b""
    try:
        while part := os.read(near, 65_536):
            said += part
    except OSError:  # Linux says so that the other end is closed
        pass
    os.close(near)
    return run.wait(), said.decode().replace("\r\n", "\n")


def test_a_long_run_says_which_pass_it_is_at_and_takes_it_back(spec: Path, tmp_path: Path) -> None:
    code, said = on_a_terminal(spec, "-o", tmp_path)
    assert code == 0
    assert re.search(r"\b(load|resolve|validate|build|render|write) \S*voice-call-signaling", said)
    assert "render" in said and re.search(r"\d:\d\d:\d\d", said) and "\x1b[3" in said
    rest = said[said.rindex("\x1b[2K") :].removeprefix(
        "\x1b[2K"
    )  # the line is gone, the cursor is back
    assert rest.startswith("wrote ") and "\x1b" not in rest
    assert "\x1b[?25h" in said


@pytest.mark.parametrize("environment", [{"TERM": "dumb"}, {"TERM": ""}, {"CI": "true"}], ids=str)
def test_where_nobody_looks_there_is_no_line(spec: Path, environment: dict[str, str]) -> None:
    assert on_a_terminal("validate", spec, **environment) == (0, "no problems found\n")


def test_a_quiet_run_has_none(spec: Path, fresh: Path) -> None:
    assert on_a_terminal(spec, "-o", fresh, "--check", "-q") == (0, "")


def test_without_colours(spec: Path) -> None:
    code, said = on_a_terminal("validate", spec, NO_COLOR="1")
    assert code == 0
    assert not re.search(r"\x1b\[\d*(;\d+)*m", said.replace("\x1b[0m", ""))


def test_a_pipe_gets_no_byte_of_it(spec: Path) -> None:
    words = [sys.executable, "-c", AT_ONCE, "validate", str(spec)]
    done = subprocess.run(words, capture_output=True, env={**os.environ, "TERM": "xterm"})
    assert (done.returncode, done.stdout, done.stderr) == (0, b"", b"no problems found\n")
