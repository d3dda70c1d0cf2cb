"""Two versions of a document held against each other: every rule, on a pair of documents that shows it."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from typing import Final, TypeAlias

import pytest
from aoba_gen.compare import RULES
from click.testing import Result

Cli: TypeAlias = Callable[..., Result]

CASES: Final = Path(__file__).parent / "cases" / "breaking"
NAMES: Final = sorted(place.name for place in CASES.iterdir())


@pytest.mark.parametrize("rule", NAMES)
def test_a_rule_says_what_has_changed(cli: Cli, monkeypatch: pytest.MonkeyPatch, rule: str) -> None:
    """Each case is a folder with two documents and the words about them."""
    monkeypatch.chdir(CASES / rule)
    result = cli("breaking", "new.yaml", "--against", "old.yaml")
    assert f"{result.stdout}exit {result.exit_code}\n" == Path("expected.txt").read_text()
    assert f"[{rule}]" in result.stdout


@pytest.mark.parametrize("rule", NAMES)
def test_a_document_is_its_own_next_version(
    cli: Cli, monkeypatch: pytest.MonkeyPatch, rule: str
) -> None:
    monkeypatch.chdir(CASES / rule)
    result = cli("breaking", "new.yaml", "--against", "new.yaml")
    assert (result.stdout, result.stderr, result.exit_code) == ("", "no changes\n", 0)


def test_every_rule_has_a_case_and_a_sentence() -> None:
    assert set(NAMES) == set(RULES)
    for sentence in RULES.values():
        assert re.fullmatch(r"[A-Z][^\n]*\.", sentence)
