"""The fields of a message, and of all objects in it: finding one by name and kind, walking to one by its path."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Final, TypeAlias

from .call_names import COMMON, Field, SignalKind, matches
from .model import Alias, Definition, Enum, Json, Property, Record, Schema
from .model_values import fits, properties_of
from .values import runnable

Way: TypeAlias = tuple[Property, ...]
"""The properties from a payload down to a value."""

_DEEPEST: Final = 6
_TYPES: Final = {"text": "string", "integer": "integer", "boolean": "boolean"}


class Fields:
    """The definitions of a package, as far as calls ask for them."""

    def __init__(self, definitions: Sequence[Definition]) -> None:
        self._found: Mapping[str, Definition] = {each.python: each for each in definitions}

    def of(self, record: str) -> tuple[Property, ...]:
        """The properties of a class, inherited ones first."""
        return tuple(self._all(record).values())

    def is_record(self, name: str) -> bool:
        """Whether there is a class of objects called so."""
        return isinstance(self._found.get(name), Record)

    def is_given(self, each: Property) -> bool:
        """Whether a constructor does without the property."""
        return not each.required or each.fill is not None or each.schema.const is not None

    def may_be_constant(self, each: Property) -> bool:
        """Whether text, a number, true or false may stand there."""
        schema = self._schema(each)
        return schema.values is None and not {"array", "object"}.issuperset(
            schema.types or ("array",)
        )

    def is_sure(self, way: Way) -> bool:
        """Whether the value is there in every message, and not null."""
        return not any(self._is_nullable(each) for each in way) and all(
            each.required or each.has_default for each in way
        )

    def holds(self, way: Way, field: Field) -> bool:
        """Whether the value is of the field's kind."""
        schema = self._schema(way[-1])
        if schema.const is not None:
            return False
        if schema.ref is not None:
            return field.is_reason and isinstance(self._found.get(schema.ref), Enum)
        return schema.types == (_TYPES[field.kind],) or self.is_date_time(way, field)

    def is_date_time(self, way: Way, field: Field) -> bool:
        """Whether the value is a timestamp in words (RFC 3339)."""
        schema = self._schema(way[-1])
        is_text = schema.types == ("string",) and schema.format == "date-time"
        return field.source == ("timestamp",) and is_text

    def find(self, record: str, field: Field) -> list[Way]:
        """Where a field may be, best first: by how usual the name is, then by how deep it lies."""
        found = [way for way in self._ways(record, ()) if self.holds(way, field)]
        ranked = [(rank, way) for way in found if (rank := _rank(way, field)) is not None]
        return [way for _, way in sorted(ranked, key=lambda each: (each[0], len(each[1])))]

    def named(self, record: str, field: Field) -> list[Way]:
        """Where something is called as the field is, and is of another kind."""
        found = [way for way in self._ways(record, ()) if _rank(way, field) is not None]
        return [way for way in found if not self.is_record(way[-1].schema.ref or "")]

    def possible(self, record: str, field: Field) -> list[Way]:
        """Where a field may be, whatever it is called: every value of its kind that is no other field of a call."""
        found = [way for way in self._ways(record, ()) if self.holds(way, field)]
        return [way for way in found if not any(_rank(way, other) is not None for other in COMMON)]

    def is_tied(self, ways: Sequence[Way], field: Field) -> bool:
        """Whether the first two of `ways` are equally good."""
        return len({(_rank(way, field), len(way)) for way in ways[:2]}) < len(ways[:2])

    def walk(self, record: str, path: str) -> tuple[Way | None, str]:
        """The way that a path of wire names with dots goes; or `None`, and what is not there."""
        way: list[Property] = []
        for name in path.split("."):
            known = self._all(record)
            if name not in known:
                what = record or way[-1].name
                return None, f"{what} has {', '.join(known)}" if known else f"{what} is no object"
            way.append(known[name])
            record = known[name].schema.ref or ""
        return tuple(way), ""

    def takes(self, way: Way, value: Json) -> bool:
        """Whether the value may stand there."""
        schema = self._schema(way[-1])
        return fits(value, schema, self._found) and _matches_patterns(value, schema)

    def is_free(self, way: Way, word: str) -> bool:
        """Whether a text takes the word among others: what is a choice of constants is typed as no text."""
        return not self._schema(way[-1]).literals and self.takes(way, word)

    def refused(self, way: Way, field: Field) -> Json:
        """Of the values that calls say in a field one that its schema does not take; `None` where it takes all."""
        if self.is_date_time(way, field):
            return None
        is_filled = not field.is_required and way[-1].required and not self._is_nullable(way[-1])
        said = (*field.said, field.otherwise) if is_filled else field.said
        return next((value for value in said if not self.takes(way, value)), None)

    def enum(self, way: Way) -> str | None:
        """The class of the words that may stand there."""
        ref = self._schema(way[-1]).ref
        return ref if isinstance(self._found.get(ref or ""), Enum) else None

    def values(self, enum: str) -> list[str]:
        """The allowed texts of an enum."""
        found = self._found.get(enum)
        return [member.value for member in found.members] if isinstance(found, Enum) else []

    def member(self, enum: str, value: str) -> str | None:
        """The enum's member for a text, as in "SignalType.CALL_OFFER"."""
        found = self._found.get(enum)
        members = found.members if isinstance(found, Enum) else ()
        return next(
            (f"{enum}.{member.python}" for member in members if member.value == value), None
        )

    def obvious(self, each: Property, kind: SignalKind) -> str | None:
        """The member of a required enum that a signal must mean: its only one, or the one called like the signal."""
        values = self.values(each.schema.ref or "")
        same = [value for value in values if matches(value, kind.usual) is not None]
        only = same if len(values) > 1 else values
        return self.member(each.schema.ref or "", only[0]) if len(only) == 1 else None

    def _schema(self, each: Property) -> Schema:
        """The schema of a property, or of what it is a name for."""
        schema = each.schema
        while (
            isinstance(made := self._found.get(schema.ref or ""), Alias) and made.schema != schema
        ):
            schema = made.schema
        return schema

    def _is_nullable(self, each: Property) -> bool:
        return each.schema.nullable or self._schema(each).nullable

    def _all(self, name: str) -> dict[str, Property]:
        record = self._found.get(name)
        return properties_of(record, self._found) if isinstance(record, Record) else {}

    def _ways(self, record: str, before: Way) -> Iterator[Way]:
        for each in self.of(record):
            way = (*before, each)
            yield way
            inner = each.schema.ref or ""
            if len(way) < _DEEPEST and inner not in {step.schema.ref for step in before}:
                yield from self._ways(inner, way)


def _matches_patterns(value: Json, schema: Schema) -> bool:
    """Whether a text is what its patterns say; those that could take for ever are not asked."""
    said = [*schema.constraints, *(schema.checks or {}).items()]
    patterns = [runnable(limit) for name, limit in said if name == "pattern"]
    if not isinstance(value, str):
        return True
    return all(re.search(each, value) for each in patterns if each is not None)


def _rank(way: Way, field: Field) -> int | None:
    """How usual the name is, the least being the best; the conversation's mark makes a call's id of any name."""
    if field.source == ("call_id",) and way[-1].conversation:
        return -1
    return matches(way[-1].name, field.usual)


def dotted(way: Way) -> str:
    """The way in wire names, as `x-aoba-call` has it."""
    return ".".join(step.name for step in way)


def kind_name(field: Field) -> str:
    """What a field's values are, for a person."""
    return {"integer": "whole number", "boolean": "true or false"}.get(field.kind, field.kind)


def other_kind(way: Way, field: Field) -> str:
    """That what is there is not of the field's kind, for a person."""
    is_constant = way[-1].schema.const is not None
    return f"{'a constant and ' if is_constant else ''}no {kind_name(field)}"
