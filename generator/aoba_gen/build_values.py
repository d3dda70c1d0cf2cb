"""const and enum: classes of texts, literals, and values that only the runtime can check."""

from __future__ import annotations

from typing import Final

from . import names
from .build_facts import Facts, json_key
from .diagnostics import Report, shown
from .load import Json
from .model import Enum, EnumMember, Schema

_LARGE: Final = 2**63
_KINDS: Final = {
    bool: "boolean",
    int: "integer",
    float: "number",
    str: "string",
    list: "array",
    dict: "object",
}


def is_enum(facts: Facts) -> bool:
    """Whether the values become a class: texts, which an enum and no constant lists."""
    if facts.values is None or facts.has("const") or facts.groups:
        return False
    values = [item.value() for item in facts.values]
    if len(values) == 1 and facts.place.pointer.rpartition("/")[0].endswith("/properties"):
        return False  # a constant in other words
    texts = [value for value in values if isinstance(value, str)]
    return (
        bool(texts)
        and all(value is None or isinstance(value, str) for value in values)
        and _fits("", facts)
    )


def _fits(value: Json, facts: Facts) -> bool:
    """Whether the type of a value is among those allowed."""
    if facts.kinds is None:
        return True
    kind = "null" if value is None else _KINDS[type(value)]
    if isinstance(value, float) and value.is_integer():
        return bool({"integer", "number"} & set(facts.kinds))
    return kind in facts.kinds or (kind == "integer" and "number" in facts.kinds)


def enum_of(facts: Facts, python: str, doc: str, report: Report) -> Enum:
    """The class of the texts that the facts list."""
    scope = names.Scope(f"the enum {python}", report)
    members: dict[str, EnumMember] = {}
    for item in facts.values or ():
        value = item.value()
        if not isinstance(value, str):
            continue
        if value in members:
            report.warn(
                "enum-duplicate",
                f"the enum value {shown(value)} is given twice",
                item.location,
                "take one out",
            )
            continue
        members[value] = EnumMember(
            value, scope.settle(value, item.location, *names.either(names.member(value), value))
        )
    return Enum(python, facts.place.pointer, tuple(members.values()), doc)


def values_schema(facts: Facts) -> Schema:
    """The type of values that are no class."""
    items = facts.values or []
    values = [
        item.value() for item in items if _fits(item.value(), facts)
    ]  # of others validation tells
    nullable = None in values
    left: dict[str, Json] = {json_key(value): value for value in values if value is not None}
    if not left:
        return Schema(
            types=() if not nullable else ("null",), checks=None if nullable else {"not": {}}
        )
    literals = [value for value in left.values() if _is_literal(value)]
    if len(literals) < len(left):
        kinds = dict.fromkeys(_KINDS[type(value)] for value in left.values())
        types = tuple(kinds) if len(kinds) == 1 else ()
        check: list[Json] = [*left.values(), *([None] if nullable else [])]
        found: dict[str, Json] = {"const": check[0]} if len(check) == 1 else {"enum": check}
        return Schema(types=types, nullable=nullable, checks=found)
    kinds = dict.fromkeys(_KINDS[type(value)] for value in literals)
    types = tuple(kinds)
    if len(literals) == 1:
        (const,) = literals
        assert isinstance(const, str | int)
        return Schema(types=types, const=const, nullable=nullable)
    return Schema(
        types=types,
        literals=tuple(value for value in literals if isinstance(value, str | int)),
        nullable=nullable,
    )


def _is_literal(value: Json) -> bool:
    """Whether Python has a literal type for a value."""
    return isinstance(value, str) or (isinstance(value, int) and abs(value) < _LARGE)
