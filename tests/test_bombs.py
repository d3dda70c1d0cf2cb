"""Every bomb ends soon, in little memory and with a place: a limit by its name, another refusal, or a package."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path

import pytest
from bombs import BOMBS, Run

SECONDS = 5
MIB = 128


@pytest.fixture(scope="module")
def ended(root: Path) -> dict[str, Run]:
    """What came of each."""
    words = [sys.executable, str(root / "tests" / "bombs.py"), "--json", "--quick"]
    done = subprocess.run(words, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return {run.name: run for run in (Run(**json.loads(line)) for line in done.stdout.splitlines())}


@pytest.mark.parametrize("name", BOMBS)
def test_a_bomb_ends(ended: dict[str, Run], name: str) -> None:
    told, run = BOMBS[name][0], ended[name]
    print(f"{run.seconds:.2f} s, {run.mib} MiB")
    if told == "limit-parts" and "[limit-seconds]" in run.said:
        told = "limit-seconds"  # on a busy machine the time is over before all are counted
    assert run.exit in ({1} if told else {0, 1}), run.said
    assert (run.seconds < SECONDS, run.mib < MIB) == (True, True), run
    if run.exit:
        assert re.search(r"^[\w.]+:\d+:\d+: .+ \[[\w-]+\]$", run.said, re.MULTILINE), run.said
        assert f"[{told}]" in run.said or not told
    if told.startswith("limit-"):
        assert f"--limit {told.removeprefix('limit-')}=N raises it" in run.said


def test_every_limit_of_a_document_has_a_bomb() -> None:
    """`remote` and `wait` need a host, and are in test_remote."""
    from aoba_gen.limits import NAMES

    told = {rule.removeprefix("limit-") for rule, _ in BOMBS.values() if rule.startswith("limit-")}
    assert told == set(NAMES) - {"remote", "wait"}
