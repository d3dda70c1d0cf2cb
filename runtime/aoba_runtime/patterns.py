"""Regular expressions of JSON Schema, run so that no text takes for ever."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Final
from warnings import catch_warnings

from pydantic_core import SchemaError, SchemaValidator, core_schema

from .limits import LIMITS

_PIECE: Final = re.compile(
    r"\\.|\[\^?\]?(?:\\.|[^\]\\])*\]|\(\?<(?![=!])|\(\?|[$()|*+]|\{\d*,\d*\}", re.DOTALL
)
"""What counts in a pattern: escapes and classes to pass over, groups, choices, repetitions."""

_MOST_REPETITIONS: Final = 3
"""So often may a pattern that `re` runs repeat something: the time it takes grows with a power of the text's length."""


def searcher(pattern: str) -> Callable[[str], object] | None:
    """A function that tells whether a text holds a match of `pattern`; `None` where that might take for ever.

    pydantic's engine takes time in proportion to the text. What it does not understand (lookaround, backreferences) is
    left to `re`, which tries all ways to cut a text up: a pattern that repeats a repetition, or has more than three
    without end, is not run; any other is run on short texts, and a longer one does not match it.
    Raises `ValueError` when neither understands the pattern.
    """
    try:
        validator = SchemaValidator(core_schema.str_schema(pattern=pattern))
    except SchemaError:
        pass
    else:
        return validator.isinstance_python
    try:
        with catch_warnings(action="ignore", category=FutureWarning):  # of '[[' and the like
            search = re.compile(_for_python(pattern)).search
    except re.error as error:
        raise ValueError(f"no engine here runs the pattern {pattern!r}: {error}") from None
    if _may_take_for_ever(pattern):
        return None
    return lambda text: len(text) <= LIMITS.pattern_text and search(text)


def _for_python(pattern: str) -> str:
    """ECMA 262's dialect in Python's: `$` is the very end, and groups are named otherwise."""
    dialect = {"$": r"\Z", "(?<": "(?P<"}
    text = _PIECE.sub(lambda piece: dialect.get(piece[0], piece[0]), pattern)
    return re.sub(r"\\k<(\w+)>", r"(?P=\1)", text)


def _may_take_for_ever(pattern: str) -> bool:
    """Whether a group that repeats or chooses something is itself repeated."""
    if sum(piece[0][0] in "*+{" for piece in _PIECE.finditer(pattern)) > _MOST_REPETITIONS:
        return True
    groups, end = [False], -1
    for piece in _PIECE.finditer(pattern):
        match piece[0][0]:
            case "(":
                groups.append(False)
            case ")":
                inner = groups.pop() if len(groups) > 1 else False
                groups[-1] |= inner
                end = piece.end() if inner else -1
            case "*" | "+" | "{":
                if piece.start() == end:
                    return True
                groups[-1] = True
            case "|":
                groups[-1] = True
    return False
