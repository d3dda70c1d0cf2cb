"""Public AsyncAPI documents of every version: each one generates, imports, type-checks, keeps the contract and its examples.

The documents lie beside the checkout and not in it; without them these tests are skipped and say so.
"""

from __future__ import annotations

import filecmp
import json
import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import corpus
import pytest

ROOT = Path(__file__).parents[1]
UNSUPPORTED = re.compile(r"\[(unsupported-[a-z-]+|ref-outside)\]$", re.MULTILINE)
"""The official schema follows no reference, and so takes documents whose references lead nowhere."""
MAX_REFUSED = 3

pytestmark = [
    pytest.mark.corpus,
    pytest.mark.skipif(
        not corpus.DOCUMENTS.exists(),
        reason="no public documents at ../shared/corpus/documents beside the checkout",
    ),
]


def generate_all(out: Path, seed: str, paths: list[str]) -> list[dict[str, Any]]:
    """Each document's outcome, of programs with their own hash seed; one program a core."""
    lanes = os.cpu_count() or 1
    programs = [
        subprocess.Popen(
            [sys.executable, str(ROOT / "tests" / "corpus.py"), str(out), *paths[lane::lanes]],
            env=os.environ | {"PYTHONHASHSEED": seed, "PYTHONDONTWRITEBYTECODE": "1"},
            stdout=subprocess.PIPE,
            text=True,
        )
        for lane in range(lanes)
    ]
    found: list[dict[str, Any]] = []
    for program in programs:  # a full pipe makes the other program wait, no more
        output, _ = program.communicate()
        assert program.returncode == 0
        found += map(json.loads, output.splitlines())
    return found


@pytest.fixture(scope="module")
def out(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("corpus")


@pytest.fixture(scope="module")
def found(out: Path) -> list[dict[str, Any]]:
    return generate_all(out, "1", corpus.valid_documents())


def test_every_valid_document_generates_or_says_what_is_unsupported(
    found: list[dict[str, Any]],
) -> None:
    refused = {each["path"]: each["output"] for each in found if each["exit"]}
    wrongly = {path: text for path, text in refused.items() if not UNSUPPORTED.search(text)}
    assert not wrongly, json.dumps(wrongly, indent=1)
    assert len(refused) <= MAX_REFUSED, json.dumps(refused, indent=1)
    assert len(found) == len(corpus.valid_documents())


def test_every_package_keeps_the_contract_and_its_examples(found: list[dict[str, Any]]) -> None:
    broken = {each["path"]: each["complaints"] for each in found if each["complaints"]}
    assert not broken, json.dumps(broken, indent=1)
    assert sum(each["examples"] for each in found) >= 30


def test_every_package_is_typed(found: list[dict[str, Any]], out: Path) -> None:
    packages = [each["package"] for each in found if each["exit"] == 0]
    done = subprocess.run(
        [sys.executable, "-m", "mypy", "--strict", "--config-file=", *packages],
        cwd=out,
        env=os.environ | {"MYPYPATH": str(ROOT / "runtime")},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stdout[-5000:] + done.stderr


def test_the_same_document_gives_the_same_bytes(
    found: list[dict[str, Any]], out: Path, tmp_path: Path
) -> None:
    some = {each["path"]: each["package"] for each in found[::3] if each["exit"] == 0}
    generate_all(tmp_path, "2", list(some))
    for package in some.values():
        names = sorted(path.name for path in (out / package).iterdir() if path.is_file())
        again = sorted(path.name for path in (tmp_path / package).iterdir() if path.is_file())
        assert again == names
        _, differ, missing = filecmp.cmpfiles(
            out / package, tmp_path / package, names, shallow=False
        )
        assert not differ and not missing, package
