"""Small documents, one for each feature, and programs that use what they become: both sides of one document, over loopback."""

from __future__ import annotations

import importlib
import shutil
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Final

import pytest
from click.testing import Result
from test_types import CLEAN, mypy, pyright

DOCUMENTS: Final = Path(__file__).parent / "cases" / "documents"
CASES: Final = sorted(place.parent.name for place in DOCUMENTS.glob("*/use.py"))


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory, cli: Callable[..., Result]) -> Iterator[Path]:
    """Packages for both sides of each document, `x` and `x_peer`, and beside them the program `use_x.py`."""
    out = tmp_path_factory.mktemp("documents").resolve()
    for case in CASES:
        spec = next(DOCUMENTS.joinpath(case).glob("spec.*"))
        for name, side in ((case, "described"), (f"{case}_peer", "peer")):
            result = cli(spec, "-o", out, "--package", name, "--side", side)
            assert result.exit_code == 0, result.stderr
            if side == "described":
                said = DOCUMENTS / case / "expected.txt"
                expected = said.read_text() if said.exists() else ""
                assert result.stderr.replace(f"{spec}:", "spec.yaml:") == expected
        shutil.copy(DOCUMENTS / case / "use.py", out / f"use_{case}.py")
    before = set(sys.modules)
    sys.path.insert(0, str(out))
    yield out
    sys.path.remove(str(out))
    for name in set(sys.modules) - before:
        if name.partition(".")[0].removeprefix("use_").removesuffix("_peer") in CASES:
            del sys.modules[name]


def test_mypy_is_content(folder: Path) -> None:
    assert mypy(folder, folder / ".mypy_cache", ".") == CLEAN


def test_pyright_is_content(folder: Path) -> None:
    assert pyright(folder, ".") == CLEAN


@pytest.mark.parametrize("case", CASES)
async def test_it_works(folder: Path, case: str) -> None:
    await importlib.import_module(f"use_{case}").main()
