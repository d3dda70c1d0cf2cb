"""The keywords of JSON Schema, draft 4 to 2020-12, AsyncAPI's and OpenAPI's: which there are, and what they mean here."""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import cache
from typing import Final
from warnings import catch_warnings

from .diagnostics import Report, shown, suggestion
from .resolve import Place
from .values_plain import TYPES

_ANNOTATIONS: Final = frozenset("""
    $anchor $comment $defs $dynamicAnchor $id $schema $vocabulary contentEncoding contentMediaType contentSchema
    default definitions deprecated description discriminator example examples externalDocs id readOnly title
    writeOnly xml
    """.split())
_SHAPES: Final = frozenset("""
    $ref additionalItems additionalProperties allOf anyOf const enum format items nullable oneOf prefixItems properties
    required type
    """.split())
CHECKED: Final = frozenset("""
    contains dependencies dependentRequired dependentSchemas else if maxContains maxProperties minContains
    minProperties not patternProperties propertyNames then uniqueItems
    """.split())
"""What the types of Python cannot say."""
UNCHECKED: Final = frozenset(
    "$dynamicRef $recursiveRef unevaluatedItems unevaluatedProperties".split()
)
"""What nobody checks yet."""

BOUNDS: Final[Mapping[str, Mapping[str, str]]] = {
    "minimum": {"integer": "max", "number": "max"},
    "maximum": {"integer": "min", "number": "min"},
    "exclusiveMinimum": {"integer": "max", "number": "max"},
    "exclusiveMaximum": {"integer": "min", "number": "min"},
    "multipleOf": {"integer": "both", "number": "both"},
    "minLength": {"string": "max"},
    "maxLength": {"string": "min"},
    "pattern": {"string": "both"},
    "minItems": {"array": "max"},
    "maxItems": {"array": "min"},
}
"""Keywords that narrow a value without changing its type; for each type, which of two values holds."""
CONDITIONS: Final = frozenset({"required", "not", "format", *BOUNDS, *CHECKED})
"""What may stand in a member of oneOf or anyOf that says nothing about types."""
KEYWORDS: Final = _ANNOTATIONS | _SHAPES | CHECKED | UNCHECKED | BOUNDS.keys()

_PIECE: Final = re.compile(
    r"\\.|\[\^?\]?(?:\\.|[^\]\\])*\]|\(\?[a-zA-Z]*x|\(\?#?|[()|]|(?:[*+?]|\{\d*,?\d*\})\??",
    re.DOTALL,
)
_OF_REPETITION: Final = 64
_MOST_WAYS: Final = 64**3
"""So many ways to match may a pattern have that Python's `re` runs, as in `aoba_runtime.patterns`."""
_DEEPEST: Final = 100
"""How deep groups may stand in each other there: Python's own compiler recurses."""
_REPEATED_GROUP: Final = re.compile(r"(?<!\\)\)[*+{]")


def is_annotation(keyword: str) -> bool:
    """Whether a keyword leaves open which values are allowed."""
    return keyword in _ANNOTATIONS or keyword.startswith("x-") or keyword not in KEYWORDS


def types_of(place: Place) -> list[str]:
    """The types that a schema names; none where any will do. OpenAPI's `nullable` adds null."""
    kind = place.get("type")
    value = kind.value() if kind else []
    found = [str(item) for item in (value if isinstance(value, list) else [value])]
    found = [item for item in found if item in TYPES]
    nullable = place.get("nullable")
    if found and nullable is not None and nullable.value() is True:
        found.append("null")
    return found


def warn_unknown(place: Place, report: Report) -> None:
    """Report keywords that say nothing, as nobody knows them."""
    for keyword, _ in place.raw_fields():
        if keyword not in KEYWORDS and not keyword.startswith("x-"):
            report.warn(
                "unknown-keyword",
                f"{shown(keyword)} is no keyword of a schema, so it says nothing here",
                place.key_location(keyword),
                suggestion(keyword, KEYWORDS) or "begin its name with 'x-' if it is your own",
            )


UNCHECKED_PATTERN: Final = "say it without lookaround and backreferences"


def is_checked(pattern: str, report: Report) -> bool:
    """Whether messages are checked against `pattern`: by pydantic's engine or, where that is allowed, by Python's."""
    return runs(pattern) or report.slow_patterns and _ends(pattern)


def unchecked(pattern: str, report: Report) -> tuple[str, str]:
    """Why messages are not checked against `pattern`, and what helps."""
    if not report.slow_patterns and _ends(pattern):
        reason = (
            "only Python's own engine runs it, whose time grows with a power of the text's length"
        )
        return reason, f"{UNCHECKED_PATTERN}, or give --allow-slow-patterns"
    return "no engine here runs it, or none that is sure to end", UNCHECKED_PATTERN


def _ends(pattern: str) -> bool:
    """Whether Python's engine runs `pattern` and is sure to end, on a text that is not long."""
    if _REPEATED_GROUP.search(pattern) or _has_too_many_ways(pattern):
        return False
    try:
        with catch_warnings(action="ignore", category=FutureWarning):
            re.compile(re.sub(r"\(\?<(?![=!])", "(?P<", pattern))
    except (re.error, OverflowError, RecursionError):
        return False
    return True


def _has_too_many_ways(pattern: str) -> bool:
    """Whether an engine that tries all ways to match may find too many; of comments and free spacing nobody knows."""
    choices, ways = [1], 1
    for piece in _PIECE.finditer(pattern):
        match piece[0][0]:
            case "(" if piece[0].endswith(("x", "#")) or len(choices) > _DEEPEST:
                return True
            case "(":
                choices.append(1)
            case ")":
                ways *= choices.pop() if len(choices) > 1 else 1
            case "*" | "+" | "{":
                ways *= _OF_REPETITION
            case "?":
                ways *= 2
            case "|":
                choices[-1] += 1
    return ways * choices[0] > _MOST_WAYS


@cache
def runs(pattern: str) -> bool:
    """Whether the engine that will check messages can run `pattern`."""
    # Imported here: only documents with patterns pay for it.
    from pydantic_core import SchemaError, SchemaValidator, core_schema

    try:
        SchemaValidator(core_schema.str_schema(pattern=pattern))
    except SchemaError:
        return False
    return True
