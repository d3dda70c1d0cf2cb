"""What the tests of the command line share: a generated package, what an older document left in it, a run as a process."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

PACKAGE = "aoba_voice_call_signaling"
FILES = [
    *("__init__.py", "calls.py", "client.py", "messages.py", "models.py", "operations.py"),
    "py.typed",
]
SMALL = Path(__file__).parent / "cases" / "ping.yaml"


def process(
    *arguments: str | Path, cwd: Path, **environment: str
) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "aoba_gen", *map(str, arguments)],
        cwd=cwd,
        env={**os.environ, **environment},
        capture_output=True,
        text=True,
        timeout=60,
    )


def add_ours(package: Path, name: str, text: str) -> Path:
    """A file that an older document had generated."""
    manifest = package / ".aoba-gen.json"
    record = json.loads(manifest.read_text())
    record["seal"] = "older"
    record["files"][name] = hashlib.sha256(text.encode()).hexdigest()
    manifest.write_text(json.dumps(record))
    (package / name).write_text(text)
    return package / name


@pytest.fixture
def out(tmp_path: Path, fresh: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A copy of the generated package at `out/`, in the current directory."""
    monkeypatch.chdir(tmp_path)
    shutil.copytree(fresh, tmp_path / "out")
    return Path("out")
