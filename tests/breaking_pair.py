"""What the tests of breaking share: the cases of its rules, and a folder with a document that breaks its predecessor."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Final

import pytest

CASES: Final = Path(__file__).parent / "cases" / "breaking"


@pytest.fixture
def pair(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder, the current one, with a document that breaks its predecessor in one place for three kinds of people."""
    shutil.copytree(CASES / "field-renamed", tmp_path, dirs_exist_ok=True)
    monkeypatch.chdir(tmp_path)
    return tmp_path
