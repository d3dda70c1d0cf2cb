"""What a newcomer runs first: the demo's call, and the programs in the READMEs."""

from __future__ import annotations

import itertools
import os
import re
import runpy
import subprocess
import sys
import uuid
from pathlib import Path
from typing import Any

import pytest
from aoba_runtime import Outgoing, PeerUnavailable
from aoba_voice_call_signaling import AobaVoiceCallSignalingClient, models
from aoba_voice_call_signaling.messages import CALL_ACCEPT, CALL_ICE_CANDIDATE

CLEAN = {"PYTHONDONTWRITEBYTECODE": "1", "PYTHONUTF8": "1"}
RIGHT, LEFT = "►", "◄"
CALL = [
    ("1", "call:initiate", RIGHT),
    ("2", "call:accept", LEFT),
    ("3", "call:offer", RIGHT),
    ("4", "call:answer", LEFT),
    *[("5", "call:ice-candidate", RIGHT)] * 3,
    *[("5", "call:ice-candidate", LEFT)] * 3,
    ("6", "call:mute-change", RIGHT),
    ("7", "call:hangup", RIGHT),
]
ARROW = re.compile(
    r"^  │  (\d)\. (call:[a-z-]+)  (.*?) +\d+\.\d\d ms  │\n  │  (◄?)─{63}(►?)  │$", re.MULTILINE
)


def python(*arguments: str | Path, path: Path, cwd: Path) -> str:
    """What a program with the packages in `path` prints; it must succeed."""
    done = subprocess.run(
        [sys.executable, *map(str, arguments)],
        cwd=cwd,
        env={**os.environ, **CLEAN, "PYTHONPATH": str(path)},
        capture_output=True,
        encoding="utf-8",
        timeout=60,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def fenced(text: str, language: str) -> list[str]:
    """The code blocks of a Markdown text in one language."""
    return re.findall(rf"^```{language}\n(.*?)^```$", text, re.MULTILINE | re.DOTALL)


def test_the_demo_draws_the_whole_call(root: Path, fresh: Path) -> None:
    drawn = python(root / "examples" / "call_flow.py", path=fresh, cwd=fresh)
    arrows = [
        (step, signal, left or right) for step, signal, _, left, right in ARROW.findall(drawn)
    ]
    # Candidates cross each other, so their order is theirs; that of all else is the API page's.
    assert sorted(arrows) == sorted(CALL)
    assert [arrow[0] for arrow in arrows] == [arrow[0] for arrow in CALL]
    assert drawn.count("no more") == 2
    assert "completed, after 0 s" in drawn
    rows = [line for line in drawn.splitlines() if line.startswith("  │")]
    assert {len(row) for row in rows} == {72}


async def test_a_signal_that_nobody_takes_gets_no_arrow(root: Path) -> None:
    demo: dict[str, Any] = runpy.run_path(str(root / "examples" / "call_flow.py"))
    near, far = demo["Drawn"]("alice@localhost/web", 10), demo["Drawn"]("bob@localhost/phone", 10)
    near.join(far)
    accept = models.CallAccept(call_id="3f2b8c1e-0d4a-4c6b-9e7f-5a1d2c3b4e5f")
    with pytest.raises(PeerUnavailable):
        await near.send(Outgoing(CALL_ACCEPT.encode(accept)))
    assert near.diagram == [""]


async def test_a_slow_acknowledgement_has_its_place(
    root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    demo: dict[str, Any] = runpy.run_path(str(root / "examples" / "call_flow.py"))
    near, far = demo["Drawn"]("alice@localhost/web", 10), demo["Drawn"]("bob@localhost/phone", 10)
    near.join(far)
    near.diagram.clear()
    *_, payload, _ = demo["candidates"]("192.0.2.99", "198.51.100.23")
    candidate = models.CallIceCandidate(call_id=str(uuid.uuid4()), payload=payload)
    clock = itertools.count(0, 12.34567)
    monkeypatch.setattr(demo["time"], "perf_counter", lambda: next(clock))
    async with AobaVoiceCallSignalingClient(far) as bob:
        bob.on_call_ice_candidate(print)
        await near.send(Outgoing(CALL_ICE_CANDIDATE.encode(candidate)))
    row = near.diagram[0].splitlines()[0]
    assert row.endswith(" typ srflx 12345.67 ms") and len(row) == 64


def test_the_readme_program_prints_what_the_readme_says(root: Path, tmp_path: Path) -> None:
    text = (root / "README.md").read_text(encoding="utf-8")
    [program], [output] = fenced(text, "python"), fenced(text, "text")
    assert python("-c", program, path=root / "generated", cwd=tmp_path) == output


def test_the_runtime_readme_program_runs(root: Path, tmp_path: Path) -> None:
    [program] = fenced((root / "runtime" / "README.md").read_text(encoding="utf-8"), "python")
    assert python("-c", program, path=tmp_path, cwd=tmp_path) == (
        'alice@localhost/1 b\'{"type": "hello"}\'\n'
    )


def test_the_programs_that_hold_a_call_run(root: Path, tmp_path: Path) -> None:
    text = (root / "docs" / "calls.md").read_text(encoding="utf-8")
    silent, spoken = fenced(text, "python")
    said = python("-c", silent, path=root / "generated", cwd=tmp_path).splitlines()
    assert said[-1] in ("bob: Ended", "alice: completed 0 local")
    assert {"bob: Accepted", "bob: Connected", "bob: Ended", "alice: completed 0 local"} <= set(
        said
    )
    assert python("-c", spoken, path=root / "generated", cwd=tmp_path) == (
        "heard 640 bytes\ncompleted 0 local\n"
    )
