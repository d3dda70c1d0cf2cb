"""Diagnostics: what a user reads, in which order, and that hostile text cannot break a line."""

from __future__ import annotations

from enum import Enum

import pytest
from aoba_gen.diagnostics import (
    Diagnostic,
    Location,
    Refused,
    Report,
    Severity,
    shown,
    suggestion,
)

HERE = Location("spec.yaml", 3, 7)


def test_text_of_a_diagnostic() -> None:
    error = Diagnostic("dangling-ref", "'#/a' leads nowhere", HERE, "did you mean '#/b'?")
    warning = Diagnostic("unused", "'x' is unused", HERE, severity=Severity.WARNING)
    assert str(error) == (
        "spec.yaml:3:7: '#/a' leads nowhere [dangling-ref]\n    hint: did you mean '#/b'?"
    )
    assert str(warning) == "spec.yaml:3:7: warning: 'x' is unused [unused]"


@pytest.mark.parametrize(
    ("raw", "seen"),
    [
        ("a\nb\r\tc", "a\\nb\\r\\tc"),
        ("\x1b[31mred", "\\x1b[31mred"),
        ("\u202eevil\u2066", "\\u202eevil\\u2066"),
        ("line\u2028end\x85", "line\\u2028end\\x85"),
        ("half \ud800", "half \\ud800"),
        ("青葉 – ça va", "青葉 – ça va"),
    ],
)
def test_nothing_breaks_the_lines_of_a_diagnostic(raw: str, seen: str) -> None:
    found = Diagnostic("rule", raw, Location(raw, 1, 1), raw)
    assert str(found) == f"{seen}:1:1: {seen} [rule]\n    hint: {seen}"


def test_a_report_sorts_by_place_and_drops_repetitions() -> None:
    report = Report()
    for line, column in [(10, 1), (2, 5), (2, 1), (10, 1)]:
        report.warn("rule", "message", Location("f", line, column), "hint")
    report.raise_errors()
    assert [str(d.location) for d in report.diagnostics] == ["f:2:1", "f:2:5", "f:10:1"]


def test_raise_errors_carries_everything() -> None:
    report = Report()
    report.error("late", "second", Location("f", 2, 1), "mend it")
    report.warn("early", "first", Location("f", 1, 1), "or not")
    with pytest.raises(Refused) as caught:
        report.raise_errors()
    assert caught.value.diagnostics == report.diagnostics
    assert str(caught.value) == (
        "f:1:1: warning: first [early]\n    hint: or not\nf:2:1: second [late]\n    hint: mend it"
    )


def test_a_report_takes_over_what_another_found() -> None:
    first, second = Report(), Report()
    first.error("rule", "message", HERE, "hint")
    second.extend(first.diagnostics)
    assert second.diagnostics == first.diagnostics


class Colour(Enum):
    RED = "a\nb"


@pytest.mark.parametrize(
    ("value", "text"),
    [
        ("abc", "'abc'"),
        ("it's\n", '"it\'s\\n"'),
        ("\u202e", "'\\u202e'"),
        (Severity.ERROR, "'error'"),
        (None, "null"),
        (True, "true"),
        (3.0, "3.0"),
        ({"a": [1, None]}, "{'a': [1, null]}"),
        ([], "[]"),
        ([[[[1]]]], "[[[[…]]]]"),
        (list(range(9)), "[0, 1, 2, 3, 4, 5, 6, 7, …]"),
        (b"x", "b'x'"),
        ("a" * 10**6 + "z" * 99, f"'{'a' * 39}…{'z' * 18}'"),
    ],
)
def test_shown(value: object, text: str) -> None:
    seen = shown(value)
    assert len(seen) <= 60
    assert "\n" not in seen
    assert seen == text


@pytest.mark.parametrize("value", ["x" * 500, ["x" * 50] * 50, {"k" * 99: "v" * 99}, 10**400])
@pytest.mark.parametrize("limit", [10, 60, 200])
def test_shown_keeps_to_its_limit_and_both_ends(value: object, limit: int) -> None:
    seen = shown(value, limit)
    assert len(seen) <= limit
    assert "…" in seen


@pytest.mark.parametrize(
    ("word", "text"),
    [
        ("paylod", "did you mean 'payload'?"),
        ("PAYLOAD", "did you mean 'payload'?"),
        ("zzz", ""),
        ("payload" * 50, ""),
    ],
)
def test_suggestion(word: str, text: str) -> None:
    assert suggestion(word, ["payload", "headers"]) == text
