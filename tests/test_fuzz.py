"""Mutated documents end well: exit 0, or exit 1 with a place and an untouched output; nothing crashes, nothing hangs."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

COUNT = 3_000
SEEDS = (1, 2)
"""Always the same here; `make fuzz` takes new ones."""


def test_mutated_documents(root: Path, tmp_path: Path) -> None:
    programs = [
        subprocess.Popen(
            [sys.executable, str(root / "tests" / "fuzz.py"), str(COUNT // len(SEEDS)), str(seed)],
            cwd=tmp_path,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        for seed in SEEDS
    ]
    for program in programs:
        said, _ = program.communicate()
        print(said)
        assert program.returncode == 0, said


def test_every_limit_is_told_of(root: Path) -> None:
    from aoba_gen.limits import NAMES, Limits

    text = (root / "SECURITY.md").read_text()
    for name in NAMES:
        assert f"| `{name}` | {getattr(Limits(), name):,} |" in text
