"""The keywords of one schema: which are known, its types, bounds and constant."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from .diagnostics import Report, shown, suggestion
from .resolve import Place

_ANNOTATIONS: Final = frozenset(
    "$comment $id $schema default deprecated description examples externalDocs readOnly title writeOnly".split()
)
_CONSTRAINTS: Final = (
    "minimum",
    "maximum",
    "exclusiveMinimum",
    "exclusiveMaximum",
    "multipleOf",
    "minLength",
    "maxLength",
    "pattern",
    "minItems",
    "maxItems",
)
_LARGE: Final = 2**63
NO_OBJECT: Final = frozenset({"const", "enum", "items", *_CONSTRAINTS})
_OTHERWISE: Final = {
    "nullable": "write: type: [string, 'null']",
    "example": "write: examples: [...]",
    "schemaFormat": "describe the payload as a plain schema",
}
_KEYWORDS: Final = _ANNOTATIONS.union(
    _CONSTRAINTS,
    "type enum const format items properties required allOf additionalProperties".split(),
)


def types_of(place: Place) -> list[str]:
    """The types that a schema names; none where any will do."""
    kind = place.get("type")
    value = kind.value() if kind else []
    return [str(item) for item in (value if isinstance(value, list) else [value])]


def bounds_of(place: Place, report: Report) -> Iterator[tuple[str, int | float | str | bool]]:
    """The keywords that narrow a value without changing its type."""
    for keyword in _CONSTRAINTS:
        found = place.get(keyword)
        value = found.value() if found else None
        if keyword == "pattern" and isinstance(value, str) and not _compiles(value):
            unsupported(
                report,
                f"the pattern {shown(value)}, which the regex engine cannot run,",
                place,
                keyword,
            )
        elif isinstance(value, (int, float, str)):
            yield keyword, value


def constant_of(place: Place, report: Report) -> str | int | None:
    """The constant that a schema allows; only what Python has a literal type for."""
    const = place.get("const")
    if const is None:
        return None
    value = const.value()
    if isinstance(value, str) or (isinstance(value, int) and abs(value) < _LARGE):
        return value
    unsupported(report, f"the constant {shown(value)}", place, "const")
    return None


def check_keywords(place: Place, report: Report) -> None:
    """Report every keyword that is not understood yet."""
    for keyword, child in place.fields():
        if keyword == "additionalProperties" and child.value() is not True:
            unsupported(report, "additionalProperties other than true", place, keyword)
        elif keyword not in _KEYWORDS and not keyword.startswith("x-"):
            hint = suggestion(keyword, _KEYWORDS) or _OTHERWISE.get(keyword, "")
            unsupported(report, f"the schema keyword {shown(keyword)}", place, keyword, hint)


def unsupported(report: Report, what: str, place: Place, keyword: str, hint: str = "") -> None:
    """Report a part of a schema that is not understood yet, at its keyword."""
    report.error(
        "unsupported-schema",
        f"{what} is not supported yet",
        place.key_location(keyword),
        hint or "say it otherwise; the README lists what is supported",
    )


def _compiles(pattern: str) -> bool:
    """Whether the engine that will check messages can run `pattern`."""
    # Imported here: only documents with patterns pay for it.
    from pydantic_core import SchemaError, SchemaValidator, core_schema

    try:
        SchemaValidator(core_schema.str_schema(pattern=pattern))
    except SchemaError:
        return False
    return True
