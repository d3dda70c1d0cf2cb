"""The check that keeps generated packages and the runtime in step."""

from __future__ import annotations

import pytest
from aoba_gen import render
from aoba_runtime import ABI, AbiMismatch, abi, require_abi


def test_generator_and_runtime_speak_the_same_abi() -> None:
    assert render.ABI == ABI


@pytest.mark.parametrize(
    ("installed", "fix"),
    [
        (2, "install an older aoba-runtime, or generate the package again with a newer aoba-gen"),
        (0, "install a newer aoba-runtime: pip install --upgrade aoba-runtime"),
    ],
)
def test_a_mismatch_names_both_versions_and_the_fix(
    monkeypatch: pytest.MonkeyPatch, installed: int, fix: str
) -> None:
    require_abi("shop", ABI)
    monkeypatch.setattr(abi, "ABI", installed)
    with pytest.raises(AbiMismatch) as mismatch:
        require_abi("shop", 1)
    text = str(mismatch.value)
    assert text.startswith("shop was generated for ABI 1 of aoba-runtime, but aoba-runtime 0.1.0")
    assert text.endswith(f"speaks ABI {installed}: {fix}")
