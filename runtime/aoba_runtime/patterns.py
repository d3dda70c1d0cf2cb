"""Regular expressions of JSON Schema, run so that no text takes for ever."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Final
from warnings import catch_warnings

from pydantic_core import SchemaError, SchemaValidator, core_schema

from .limits import LIMITS

_PIECE: Final = re.compile(
    r"\\.|\[\^?\]?(?:\\.|[^\]\\])*\]|\(\?<(?![=!])|\(\?[a-zA-Z]*x|\(\?#?|[$()|]|(?:[*+?]|\{\d*,?\d*\})\??",
    re.DOTALL,
)
"""What counts in a pattern: escapes and classes to pass over, groups, choices, repetitions."""

_OF_REPETITION: Final = 64
_MOST_WAYS: Final = 64**3
"""So many ways to match may a pattern have that `re` runs, which tries them all: three repetitions, or two and six choices
between two things. A repetition counts for what it is on the longest text that is searched."""


def searcher(pattern: str) -> Callable[[str], object] | None:
    """A function that tells whether a text holds a match of `pattern`; `None` where that might take for ever.

    pydantic's engine takes time in proportion to the text. What it does not understand (lookaround, backreferences) is
    left to `re`, which tries all ways to cut a text up: a pattern that repeats a repetition or a choice, or has more than
    three repetitions or too many choices, is not run; any other is run on short texts, and a longer one does not match it.
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
    except (re.error, OverflowError, RecursionError) as error:
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
    """Whether a group that repeats or chooses something is itself repeated, or there are too many ways to match.

    What is written with comments, or with spaces that do not count, is not looked at.
    """
    groups, choices, ways, end = [False], [1], 1, -1
    for piece in _PIECE.finditer(pattern):
        match piece[0][0]:
            case "(" if piece[0].endswith(("x", "#")):
                return True
            case "(":
                groups.append(False)
                choices.append(1)
            case ")":
                inner = groups.pop() if len(groups) > 1 else False
                ways *= choices.pop() if len(choices) > 1 else 1
                groups[-1] |= inner
                end = piece.end() if inner else -1
            case "*" | "+" | "{":
                if piece.start() == end:
                    return True
                if "," in piece[0] or piece[0][0] != "{":
                    groups[-1] = True
                    ways *= _OF_REPETITION
            case "?":
                groups[-1] = True
                ways *= 2
            case "|":
                groups[-1] = True
                choices[-1] += 1
    return ways * choices[0] > _MOST_WAYS
