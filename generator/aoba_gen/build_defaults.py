"""What a property is when its sender says nothing: documented defaults, and what constructors fill in."""

from __future__ import annotations

import operator
from collections.abc import Callable, Mapping
from dataclasses import replace
from functools import cache
from typing import Final, TypeAlias

from .diagnostics import Report, shown
from .load import Json
from .model import Alias, Definition, Enum, Fill, Property, Record, Schema
from .resolve import Place

_FILL: Final = "x-aoba-default"
_FILL_TYPES: Final = {Fill.NOW_MILLISECONDS: "integer", Fill.UUID: "string"}
_Bound: TypeAlias = Callable[[Json, int | float | str | bool], bool]
_JSON_TYPES: Final[Mapping[str, tuple[type, ...]]] = {
    "null": (type(None),),
    "boolean": (bool,),
    "integer": (int,),
    "number": (int, float),
    "string": (str,),
    "array": (list,),
    "object": (dict,),
}


def _number(compare: Callable[[float, float], bool]) -> _Bound:
    return lambda value, limit: not isinstance(value, (int, float)) or compare(value, float(limit))


def _size(compare: Callable[[float, float], bool]) -> _Bound:
    return lambda value, limit: not isinstance(value, (str, list)) or compare(
        len(value), float(limit)
    )


_BOUNDS: Final[Mapping[str, _Bound]] = {
    "minimum": _number(operator.ge),
    "maximum": _number(operator.le),
    "exclusiveMinimum": _number(operator.gt),
    "exclusiveMaximum": _number(operator.lt),
    "minLength": _size(operator.ge),
    "maxLength": _size(operator.le),
    "minItems": _size(operator.ge),
    "maxItems": _size(operator.le),
}
"""Whether a value keeps to a bound, for the bounds that are quick to tell."""


def fill_of(
    place: Place, name: str, schema: Schema, is_required: bool, report: Report
) -> Fill | None:
    """What the document asks the constructor to put into the property `name`, if anything."""
    wish = place.get(_FILL)
    if wish is None:
        return None
    if not is_required:
        report.error(
            "unknown-default",
            f"{_FILL} stands on {shown(name)}, which is optional and so may be left out anyway",
            place.key_location(_FILL),
            f"make the property required, or take {_FILL} out",
        )
    for fill, kind in _FILL_TYPES.items():
        if wish.value() == fill.value and kind in schema.types:
            return fill
    expected = " or ".join(f"{fill.value!r} (type {kind})" for fill, kind in _FILL_TYPES.items())
    kind = f"with type {schema.types[0]}" if schema.types else "without a type"
    report.error(
        "unknown-default",
        f"{_FILL} is {shown(wish.value())} on a property {kind}, expected {expected}",
        wish.location,
        "correct the value or the property's type, or take it out",
    )
    return None


def default_of(
    place: Place, schema: Schema, definitions: Mapping[str, Definition], report: Report
) -> tuple[bool, Json]:
    """Whether a documented default can be used, and it; warns of one that cannot."""
    value = place.value()
    if not _fits(value, schema, definitions):
        return False, None  # validation tells
    if _holds_objects(value, schema, definitions):
        report.warn(
            "default-of-objects",
            f"the default {shown(value)} holds objects, of which no default is made",
            place.location,
            "give it where the message is made",
        )
        return False, None
    return True, value


def _holds_objects(value: Json, schema: Schema, definitions: Mapping[str, Definition]) -> bool:
    """Whether a class has to be made of a part of `value`."""
    if isinstance(value, dict) and (schema.ref or schema.any_of):
        return True
    made = definitions.get(schema.ref or "")
    if isinstance(made, Alias):
        return _holds_objects(value, made.schema, definitions)
    if isinstance(value, dict) and schema.values is not None:
        return any(_holds_objects(item, schema.values, definitions) for item in value.values())
    if isinstance(value, list):
        inner = [kind.items for kind in (schema, *schema.any_of) if kind.items is not None]
        return any(_holds_objects(item, kind, definitions) for kind in inner for item in value) or (
            bool(schema.prefix) and any(isinstance(item, dict) for item in value)
        )
    return False


def _fits(value: Json, schema: Schema, definitions: Mapping[str, Definition]) -> bool:
    if value is None and schema.nullable:
        return True
    made = definitions.get(schema.ref or "")
    if schema.const is not None and value != schema.const:
        return False
    if isinstance(made, Enum):
        return value in [member.value for member in made.members]
    if isinstance(made, Alias):
        return _fits(value, made.schema, definitions)
    if schema.ref is not None:
        return isinstance(value, dict)
    if schema.any_of:
        return any(_fits(value, kind, definitions) for kind in schema.any_of)
    if schema.literals and value not in schema.literals:
        return False
    if isinstance(value, list):
        if schema.items is not None:
            items = schema.items
            if not all(_fits(item, items, definitions) for item in value):
                return False
        if schema.prefix and len(value) != len(schema.prefix):
            return False
        for item, kind in zip(value, schema.prefix, strict=False):
            if not _fits(item, kind, definitions):
                return False
    if isinstance(value, dict) and schema.values is not None:
        values = schema.values
        if not all(_fits(item, values, definitions) for item in value.values()):
            return False
    if not all(
        _BOUNDS[bound](value, limit) for bound, limit in schema.constraints if bound in _BOUNDS
    ):
        return False
    kinds = [kind for name in schema.types for kind in _JSON_TYPES[name]]
    return not schema.types or type(value) in kinds


def fill_empty(found: dict[str, Definition]) -> dict[str, Definition]:
    """`found`, with each required object that itself requires nothing marked so that a constructor makes it."""

    @cache
    def all_fields(name: str) -> dict[str, Property]:
        record = found.get(name)
        if not isinstance(record, Record):
            return {}
        inherited = {key: field for base in record.bases for key, field in all_fields(base).items()}
        return inherited | {field.name: field for field in record.properties}

    @cache
    def requires_nothing(name: str) -> bool:
        record = found.get(name)
        return (
            isinstance(record, Record)
            and record.checks is None
            and all(map(_given, all_fields(name).values()))
        )

    def filled(field: Property) -> Property:
        ref = field.schema.ref or ""
        empty = field.required and not _given(field) and requires_nothing(ref)
        return replace(field, fill=Fill.EMPTY) if empty else field

    return {
        name: (
            replace(made, properties=tuple(filled(field) for field in made.properties))
            if isinstance(made, Record)
            else made
        )
        for name, made in found.items()
    }


def _given(field: Property) -> bool:
    return not field.required or field.fill is not None or field.schema.const is not None
