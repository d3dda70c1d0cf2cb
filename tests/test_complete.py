"""What the shells offer while a call is typed: bash, zsh and fish, each really asked."""

from __future__ import annotations

import os
import pty
import re
import select
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Final, TypeAlias

import pytest
from click.testing import Result

Cli: TypeAlias = Callable[..., Result]

DEPLOY: Final = Path(__file__).parents[1] / "deploy"
PATIENCE: Final = 60.0
"""Seconds until a shell has to have answered; it takes one."""
TYPED: Final = {
    "aoba-gen vali": "validate",
    "aoba-gen sp": "spec.yaml",
    "aoba-gen spec.yaml --che": "--check",
    "aoba-gen validate spec.yaml --disable name-cl": "name-clash-resolved",
    "aoba-gen breaking spec.yaml --against in": "inner/old.json",
    "aoba-gen model spec.yaml --side pe": "peer",
}
"""What is typed before the tab, and the word that the shell makes of it."""
START: Final = {
    "bash": ["bash", "--rcfile", "set-up", "--noprofile", "-i"],
    "zsh": ["zsh", "-i"],
}
SET_UP: Final = {
    "bash": "PS1='ready> '\nbind 'set enable-bracketed-paste off'\n",
    "zsh": "autoload -U compinit\ncompinit -D -u\nunsetopt ZLE_BRACKETED_PASTE\nPS1='ready> '\n",
}


@pytest.fixture
def folder(cli: Cli, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The current folder, with documents and with what is none."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "inner").mkdir()
    for name in ("spec.yaml", "spare.txt", "inner/old.json", "inner/old.txt"):
        (tmp_path / name).touch()
    for shell in ("bash", "zsh", "fish"):
        (tmp_path / f"for-{shell}").write_text(cli("completion", shell).stdout)
    return tmp_path


def needed(shell: str) -> None:
    """Have a shell, installed where we may; else skip and say how to get it."""
    ask = f"import launch; launch.program({shell!r}, {shell!r})"
    done = subprocess.run(
        [sys.executable, "-c", ask], cwd=DEPLOY, capture_output=True, text=True, timeout=300
    )
    if done.returncode:
        pytest.skip(done.stderr.strip().splitlines()[-1])


def environment(folder: Path) -> dict[str, str]:
    """A plain terminal, a home of its own, and our aoba-gen first."""
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    home = {"HOME": str(folder), "ZDOTDIR": str(folder)}
    return {**os.environ, **home, "PATH": path, "TERM": "dumb", "COLUMNS": "200"}


class Typist:
    """Somebody at an interactive shell."""

    def __init__(self, shell: str, folder: Path) -> None:
        self._near, far = pty.openpty()
        self._run = subprocess.Popen(
            START[shell],
            stdin=far, stdout=far, stderr=far,
            cwd=folder, env=environment(folder), start_new_session=True,
        )  # fmt: skip
        os.close(far)
        self._said = ""

    def type(self, keys: str, wanted: str) -> None:
        """Press keys, then read until `wanted` stands on the terminal."""
        self._said = ""
        os.write(self._near, keys.encode())
        end = time.monotonic() + PATIENCE
        while wanted not in re.sub(
            ".\x08", "", self._said
        ):  # zsh takes a slash back and sets it again
            ready, _, _ = select.select([self._near], [], [], max(0.0, end - time.monotonic()))
            assert ready, f"{keys!r} gave {self._said!r}"
            self._said += os.read(self._near, 65_536).decode(errors="replace")

    def leave(self) -> None:
        os.killpg(self._run.pid, signal.SIGKILL)  # with what it runs to complete a word
        self._run.wait()
        os.close(self._near)


@pytest.mark.parametrize("shell", START)
def test_a_tab_completes_the_word(folder: Path, shell: str) -> None:
    needed(shell)
    set_up = f"{SET_UP[shell]}source {folder / f'for-{shell}'}\n"
    for name in ("set-up", ".zshrc"):
        (folder / name).write_text(set_up)
    typist = Typist(shell, folder)
    try:
        typist.type("", "ready> ")
        for typed, wanted in TYPED.items():
            keys = typed if "/" not in wanted else f"{typed}\told"
            before, _, _ = keys.rpartition(" ")
            typist.type(f"{keys}\t", f"{before.rpartition(' ')[2]} {wanted}".strip())
            typist.type("\x15\r", "ready> ")  # another line
    finally:
        typist.leave()


def test_fish_offers_the_word(folder: Path) -> None:
    needed("fish")
    for typed, wanted in TYPED.items():
        typed = f"{typed}ner/" if "/" in wanted else typed
        asked = f"source for-fish; complete --do-complete '{typed}'"
        done = subprocess.run(
            ["fish", "--no-config", "-c", asked],
            cwd=folder, env=environment(folder), capture_output=True, text=True, timeout=PATIENCE,
        )  # fmt: skip
        assert wanted in done.stdout.split(), (typed, done.stdout, done.stderr)


def test_the_first_word_may_be_a_command_or_a_document(folder: Path, cli: Cli) -> None:
    asked = {"_AOBA_GEN_COMPLETE": "bash_complete", "COMP_WORDS": "aoba-gen ", "COMP_CWORD": "1"}
    done = subprocess.run(
        [sys.executable, "-m", "aoba_gen"],
        cwd=folder, env={**os.environ, **asked}, capture_output=True, text=True, timeout=PATIENCE,
    )  # fmt: skip
    offered = {line.partition(",")[2] for line in done.stdout.splitlines()}
    assert {"validate", "breaking", "completion", "spec.yaml", "inner/"} <= offered
    assert not {"spare.txt", "for-bash"} & offered
