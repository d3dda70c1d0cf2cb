"""Whether a JSON value is of a type of the model, as the types alone say; checks beside them are not asked."""

from __future__ import annotations

import operator
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Final, TypeAlias

from .model import Alias, Definition, Enum, Json, Property, Record, Schema
from .values_plain import TYPES, UUID

Definitions: TypeAlias = Mapping[str, Definition]
_Bound: TypeAlias = Callable[[Json, int | float | str | bool], bool]


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


def fits(value: Json, schema: Schema, known: Definitions) -> bool:
    """Whether `value` is what `schema` says."""
    if value is None and schema.nullable:
        return True
    if schema.const is not None and value != schema.const:
        return False
    if schema.literals and value not in schema.literals:
        return False
    made = known.get(schema.ref or "")
    if isinstance(made, Enum):
        return value in [member.value for member in made.members]
    if isinstance(made, Alias):
        return fits(value, made.schema, known)
    if isinstance(made, Record):
        return isinstance(value, dict) and _fits_record(value, made, known)
    if schema.any_of:
        return any(fits(value, kind, known) for kind in schema.any_of)
    if isinstance(value, list) and not _fits_list(value, schema, known):
        return False
    if isinstance(value, dict) and schema.values is not None:
        if not all(fits(item, schema.values, known) for item in value.values()):
            return False
    if isinstance(value, str) and schema.format == "uuid" and not UUID.fullmatch(value):
        return False
    if not all(
        _BOUNDS[bound](value, limit) for bound, limit in schema.constraints if bound in _BOUNDS
    ):
        return False
    kinds = [kind for name in schema.types for kind in TYPES[name]]
    return not schema.types or type(value) in kinds


def kinds_of(schema: Schema, known: Definitions) -> Iterator[Schema]:
    """A schema, or what it is a choice of, through aliases."""
    made = known.get(schema.ref or "")
    if isinstance(made, Alias):
        yield from kinds_of(made.schema, known)
    elif schema.any_of:
        for member in schema.any_of:
            yield from kinds_of(member, known)
    else:
        yield schema


def kind_of(value: Json, schema: Schema, known: Definitions) -> Schema:
    """Which of the kinds of `schema` a value is: the first that takes it, else anything."""
    kinds = kinds_of(schema, known)
    return next((kind for kind in kinds if fits(value, kind, known)), Schema())


def objects_in(
    value: Json, schema: Schema, known: Definitions
) -> Iterator[tuple[Record, dict[str, Json]]]:
    """The objects of classes that a value is made of, itself among them."""
    kind = kind_of(value, schema, known)
    made = known.get(kind.ref or "")
    if isinstance(value, list):
        inner = kind.prefix or [kind.items or Schema()] * len(value)
        for item, each in zip(value, inner, strict=False):
            yield from objects_in(item, each, known)
    elif isinstance(value, dict):
        fields = {}
        if isinstance(made, Record):
            yield made, value
            fields = {name: field.schema for name, field in properties_of(made, known).items()}
        for name, item in value.items():
            yield from objects_in(item, fields.get(name) or kind.values or Schema(), known)


def lineage(record: Record, known: Definitions) -> Iterable[Record]:
    """A class behind its bases, each once: who inherits from two that share a base does not walk it twice."""
    found: dict[str, Record] = {}

    def visit(made: Definition | None) -> None:
        if isinstance(made, Record) and made.python not in found:
            for base in made.bases:
                visit(known.get(base))
            found[made.python] = made

    visit(record)
    return found.values()


def properties_of(record: Record, known: Definitions) -> dict[str, Property]:
    """All properties of a class by their names on the wire, those of its bases first."""
    return {field.name: field for made in lineage(record, known) for field in made.properties}


def _fits_list(value: list[Json], schema: Schema, known: Definitions) -> bool:
    if schema.items is not None and not all(fits(item, schema.items, known) for item in value):
        return False
    if not schema.prefix:
        return True
    return len(value) == len(schema.prefix) and all(
        fits(item, kind, known) for item, kind in zip(value, schema.prefix, strict=True)
    )


def _fits_record(value: dict[str, Json], record: Record, known: Definitions) -> bool:
    fields = properties_of(record, known)
    for name, field in fields.items():
        if field.required if name not in value else not fits(value[name], field.schema, known):
            return False
    others = [item for name, item in value.items() if name not in fields]
    if record.closed:
        return not others
    extras = record.extras
    return extras is None or all(fits(item, extras, known) for item in others)
