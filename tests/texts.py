"""What the tests of loading share: a text's plain values, and what is wrong with it, in the loader's words or by place and rule."""

from __future__ import annotations

from aoba_gen.diagnostics import Diagnostic, Refused, Report
from aoba_gen.load import Json, parse, plain


def tree(text: str | bytes, name: str = "f") -> Json:
    """The plain values of a text that has nothing wrong."""
    report = Report()
    node = parse(text.encode() if isinstance(text, str) else text, name, report)
    assert report.diagnostics == ()
    return plain(node)


def found(text: str | bytes, name: str = "f") -> tuple[Diagnostic, ...]:
    """What is wrong with a text, whether or not a tree comes out."""
    report = Report()
    try:
        parse(text.encode() if isinstance(text, str) else text, name, report)
    except Refused as refused:
        assert refused.diagnostics == report.diagnostics
    return report.diagnostics


def complaints(text: str | bytes, name: str = "f") -> list[str]:
    """The same as the user reads it."""
    return [str(wrong) for wrong in found(text, name)]


def rules(text: str | bytes, name: str = "f") -> list[str]:
    """The same, place and rule only."""
    return [f"{d.location.line}:{d.location.column} {d.rule}" for d in found(text, name)]
