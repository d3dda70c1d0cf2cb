"""What a property is when its sender says nothing: documented defaults, and what constructors fill in."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from functools import cache
from itertools import islice
from typing import Final

from .diagnostics import Report, shown
from .model import Definition, Fill, Property, Record, Schema
from .model_values import properties_of, fits, objects_in
from .resolve import Place
from .values import Values

_FILL: Final = "x-aoba-default"
_FILL_TYPES: Final = {Fill.NOW_MILLISECONDS: "integer", Fill.UUID: "string"}
_MOST_OBJECTS: Final = 200


@dataclass(frozen=True, slots=True)
class Default:
    """Where a default stands, and its schema; `None` for Avro's, which no rule looks at."""

    place: Place
    schema: Place | None


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


def settle_defaults(
    found: dict[str, Definition], places: Mapping[tuple[str, str], Default], report: Report
) -> dict[str, Definition]:
    """`found` without the defaults that are not of their type; warns of those of which no rule has told.

    `places` says where the default of a property of a class stands, unless it is inherited.
    """
    values = Values()

    def made(field: Property) -> Iterator[Record]:
        """The classes of the objects that a default takes to make, without end where it takes itself."""
        for record, given in objects_in(field.default, field.schema, found):
            yield record
            for name, other in properties_of(record, found).items():
                if other.has_default and name not in given:
                    yield from made(other)

    def settled(owner: str, field: Property) -> Property:
        if not field.has_default:
            return field
        where = places.get((owner, field.name))
        wrong = "" if fits(field.default, field.schema, found) else "is not of its type"
        is_large = isinstance(field.default, dict | list)
        if not wrong and any(islice(made(field), _MOST_OBJECTS, None)):
            wrong = f"takes more than {_MOST_OBJECTS} objects to make"
        if not wrong and not is_large:
            return field
        told = values.faults(where.schema, field.default) if where and where.schema else []
        if not wrong and not told:
            return field
        if where and not told:
            report.warn(
                "default-type",
                f"the default {shown(field.default)} of {shown(field.name)} {wrong} in generated code, so there is none",
                where.place.location,
                "mend it, or give the value where the message is made",
            )
        return replace(field, has_default=False, default=None)

    return {
        name: (
            replace(kept, properties=tuple(settled(name, field) for field in kept.properties))
            if isinstance(kept, Record)
            else kept
        )
        for name, kept in found.items()
    }


def fill_empty(found: dict[str, Definition]) -> dict[str, Definition]:
    """`found`, with each required object that itself requires nothing marked so that a constructor makes it."""

    @cache
    def requires_nothing(name: str) -> bool:
        record = found.get(name)
        return (
            isinstance(record, Record)
            and record.checks is None
            and all(map(_given, properties_of(record, found).values()))
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
