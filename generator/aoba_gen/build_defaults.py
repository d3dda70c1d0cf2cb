"""What a property is when its sender says nothing: documented defaults, and what constructors fill in."""

from __future__ import annotations

import operator
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Final, TypeAlias

from .diagnostics import Report, shown
from .load import Json
from .model import Definition, Enum, Fill, Property, Record, Schema
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
) -> Json:
    """A documented default; reports one that its own schema does not allow."""
    value = place.value()
    if _holds_objects(schema, definitions):
        report.error(
            "unsupported-schema",
            "a default that holds objects is not supported yet",
            place.location,
            "describe the default in words instead",
        )
    elif not _fits(value, schema, definitions):
        report.error(
            "default-type",
            f"the default {shown(value)} is not what its own schema allows: {_expected(schema, definitions)}",
            place.location,
            "correct the default or the schema",
        )
    return value


def _holds_objects(schema: Schema, definitions: Mapping[str, Definition]) -> bool:
    if schema.items is not None:
        return _holds_objects(schema.items, definitions)
    return schema.ref is not None and not isinstance(definitions.get(schema.ref), Enum)


def _fits(value: Json, schema: Schema, definitions: Mapping[str, Definition]) -> bool:
    if value is None and schema.nullable:
        return True
    enum = definitions.get(schema.ref or "")
    if isinstance(enum, Enum):
        return value in [member.value for member in enum.members]
    if schema.const is not None and value != schema.const:
        return False
    if isinstance(value, list) and schema.items is not None:
        items = schema.items
        if not all(_fits(item, items, definitions) for item in value):
            return False
    if not all(
        _BOUNDS[bound](value, limit) for bound, limit in schema.constraints if bound in _BOUNDS
    ):
        return False
    kinds = [kind for name in schema.types for kind in _JSON_TYPES[name]]
    return not schema.types or type(value) in kinds


def _expected(schema: Schema, definitions: Mapping[str, Definition]) -> str:
    enum = definitions.get(schema.ref or "")
    if isinstance(enum, Enum):
        return "expected one of " + ", ".join(shown(member.value) for member in enum.members)
    if schema.const is not None:
        return f"expected {shown(schema.const)}"
    bounds = [f"{bound} {limit}" for bound, limit in schema.constraints if bound in _BOUNDS]
    kind = " or ".join((*schema.types, *(["null"] if schema.nullable else []))) or "anything"
    if schema.items is not None:
        return (
            f"expected {kind} of {_expected(schema.items, definitions).removeprefix('expected ')}"
        )
    return " with ".join(filter(None, (f"expected {kind}", ", ".join(bounds))))


def fill_empty(found: dict[str, Definition]) -> dict[str, Definition]:
    """`found`, with each required object that itself requires nothing marked so that a constructor makes it."""

    def all_fields(name: str) -> dict[str, Property]:
        record = found.get(name)
        if not isinstance(record, Record):
            return {}
        inherited = {key: field for base in record.bases for key, field in all_fields(base).items()}
        return inherited | {field.name: field for field in record.properties}

    def requires_nothing(name: str) -> bool:
        return isinstance(found.get(name), Record) and all(map(_given, all_fields(name).values()))

    order = {name: index for index, name in enumerate(found)}

    def filled(field: Property, owner: str) -> Property:
        ref = field.schema.ref or ""
        # A default factory is looked up when the class is made: what it makes must stand before.
        empty = (
            field.required
            and not _given(field)
            and requires_nothing(ref)
            and order[ref] < order[owner]
        )
        return replace(field, fill=Fill.EMPTY) if empty else field

    return {
        name: (
            replace(made, properties=tuple(filled(field, name) for field in made.properties))
            if isinstance(made, Record)
            else made
        )
        for name, made in found.items()
    }


def _given(field: Property) -> bool:
    return not field.required or field.fill is not None or field.schema.const is not None
