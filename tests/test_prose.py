"""prose.py: whatever a text holds, it comes out of its literal unchanged and never out of its docstring."""

from __future__ import annotations

import ast
import inspect
import json
import re
from pathlib import Path

import black
import pytest
from aoba_gen.prose import WIDTH, docstring, literal
from black.mode import Mode, TargetVersion
from hypothesis import example, given
from hypothesis import strategies as st

# Characters and pieces that end or bend a string, more often than chance would bring them.
PIECES = st.sampled_from(
    ['"', '""', '"""', "'", "'''", "\\", "\\\\", '\\"', "\n", "\r", "\r\n", "\t", " ", "  ", "\0", "\x85", "\u2028", "\u202e", "#", "{", "}", "{{", "%}", "- ", "1. ", "> ", "```", "~~~", "|", "\\N{DASH}", "\\u0041", "青", "é", "a", "word", "x" * 120]
)  # fmt: skip
TEXTS = st.one_of(st.text(), st.lists(PIECES, max_size=12).map("".join))
SCALARS = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False, allow_infinity=False)
    | TEXTS
)
MODE = Mode(line_length=WIDTH, target_versions={TargetVersion.PY311})


def wrapped(text: str, indent: int) -> str:
    """A module whose only text is the docstring of `text`, `indent` spaces deep."""
    header = {0: "", 4: "class A:\n", 8: "class A:\n    def f(self) -> None:\n"}[indent]
    return f"{header}{' ' * indent}{docstring(text, indent)}\n"


def told(module: ast.Module) -> str:
    node: ast.Module | ast.ClassDef | ast.FunctionDef = module
    while isinstance(inner := node.body[0], (ast.ClassDef, ast.FunctionDef)):
        node = inner
    return ast.get_docstring(node) or ""


@example("\ud800")
@given(SCALARS)
def test_a_literal_says_the_same(value: object) -> None:
    text = literal(value)
    again = ast.literal_eval(text)
    assert (again, json.dumps(again)) == (value, json.dumps(value))
    assert "\n" not in text
    assert all(char.isprintable() for char in text)


@pytest.mark.parametrize(
    ("value", "text"),
    [
        ("call:offer", '"call:offer"'),
        ("青葉 \N{LEAFY GREEN}", '"青葉 \N{LEAFY GREEN}"'),
        ("it's", '"it\'s"'),
        ("\u202e", "'\\u202e'"),
        ("a\nb", "'a\\nb'"),
        (None, "None"),
        (True, "True"),
        (1.0, "1.0"),
    ],
)
def test_literals(value: object, text: str) -> None:
    assert literal(value) == text


@pytest.mark.parametrize("value", [["a"], {"a": 1}, ("a",), b"a", Path("a"), object()])
def test_only_a_scalar_has_a_literal(value: object) -> None:
    with pytest.raises(TypeError):
        literal(value)


@example('say """', 0)
@example('"""', 4)
@example('say "', 0)
@example("back\\", 8)
@example("a\\\n", 0)
@example("x" * 94, 0)
@example("x" * 95 + '"', 4)
@example("\u2028", 0)
@given(TEXTS, st.sampled_from([0, 4, 8]))
def test_a_docstring_is_one_string_and_nothing_else(text: str, indent: int) -> None:
    code = wrapped(text, indent)
    module = ast.parse(code)
    statements = [node for node in ast.walk(module) if isinstance(node, ast.stmt)]
    assert len(statements) == 1 + indent // 4
    space: dict[str, object] = {}
    exec(compile(code, "module", "exec"), space)
    assert set(space) <= {"__builtins__", "__doc__", "A", "__annotations__"}
    assert all(char.isprintable() or char == "\n" for char in code)


@example('say """', 0)
@example("-\t0", 0)
@given(TEXTS, st.sampled_from([0, 4, 8]))
def test_black_leaves_a_docstring_as_it_reads(text: str, indent: int) -> None:
    code = wrapped(text, indent)
    once = black.format_str(code, mode=MODE)
    assert black.format_str(once, mode=MODE) == once
    assert told(ast.parse(once)).split() == told(ast.parse(code)).split()


@pytest.mark.parametrize("indent", [0, 4, 8])
def test_a_paragraph_is_filled_and_loses_no_word(indent: int) -> None:
    wide = {}
    for length in range(80, 110):
        words = [*("a" * (length // 2)), "aa" if length % 2 else "a"]
        code = black.format_str(wrapped("\n".join(words), indent), mode=MODE)
        assert told(ast.parse(code)).split() == words
        wide[length] = max(map(len, code.splitlines()))
    assert {length: width for length, width in wide.items() if width > WIDTH} == {}


@pytest.mark.parametrize(
    "text",
    [
        "One line.",
        "A paragraph that says what.\n\nAnother one.",
        "- a list\n- of two",
        "1. first\n2. second",
        "| a | b |\n| --- | --- |\n| 1 | 2 |",
        "# Title\n\nText.",
        "```\nCaller      Callee\n  │ ────────► │\n\n  text   as it stands\n```",
        "> quoted\n> twice",
        'He says "hi" to \\w and \\\\server.',
    ],
)
def test_what_has_a_shape_keeps_it(text: str) -> None:
    assert inspect.cleandoc(told(ast.parse(wrapped(text, 4)))) == text


@pytest.mark.parametrize("text", ["", " ", "\n\n", "\t", "\0"])
def test_an_empty_text_is_a_docstring_still(text: str) -> None:
    assert re.fullmatch(r'"""[\w\\ ]*"""', docstring(text))
