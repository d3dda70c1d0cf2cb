"""Avro schemas (specification 1.9 to 1.12) -> definitions of the model.

Values are plain JSON: a field of a union holds the value alone, without the branch's name that Avro's own JSON encoding
puts around it; bytes and fixed are text with one character a byte; logical types are what they are made of, but a uuid.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Final

from . import names
from .build_choice import distinct, union_of
from .build_defaults import Default
from .build_facts import json_key
from .diagnostics import shown, suggestion
from .load import Array, Object, Scalar
from .model import Enum, EnumMember, Property, Record, Schema
from .resolve import Place

if TYPE_CHECKING:
    from .build_schemas import Schemas


def _integer(bits: int) -> Schema:
    limits = (("minimum", -(2 ** (bits - 1))), ("maximum", 2 ** (bits - 1) - 1))
    return Schema(types=("integer",), constraints=limits)


_PRIMITIVES: Final[Mapping[str, Schema]] = {
    "null": Schema(types=("null",)),
    "boolean": Schema(types=("boolean",)),
    "int": _integer(32),
    "long": _integer(64),
    "float": Schema(types=("number",)),
    "double": Schema(types=("number",)),
    "bytes": Schema(types=("string",)),
    "string": Schema(types=("string",)),
}
_NAMED: Final = frozenset({"enum", "error", "fixed", "record"})


class Avro:
    """Reads one Avro schema; `known` has the named types of all, by full name and text."""

    def __init__(self, schemas: Schemas, known: dict[tuple[str, str], Schema]) -> None:
        self._schemas = schemas
        self._report = schemas.report
        self._known = known
        self._types: dict[str, Schema] = {}
        self._component = ""

    def schema(self, place: Place, component: str) -> Schema:
        """What the schema at `place` allows; `component` is the name taken for it, if any."""
        self._component = component
        return self._schema(place, "")

    def _schema(self, place: Place, namespace: str) -> Schema:
        if isinstance(place.node, Array):
            return self._union(place, namespace)
        if isinstance(place.node, Scalar):  # true: what a remote reference stands for
            return Schema() if place.value() is True else self._called(place, namespace)
        kind = place.raw("type")
        if kind is None:
            return self._unknown(place, place.value())
        name = place.text("type")
        if name == "enum" and not _symbols(place):
            message = "an enum lists its 'symbols', and here are none: any value is taken"
            self._report.warn("avro-type", message, place.location, "add: symbols: [A, B]")
            return Schema()
        if name in _NAMED:
            return self._named(name, place, namespace)
        if name in ("array", "map"):
            inner = place.raw("items" if name == "array" else "values")
            held = self._schema(inner, namespace) if inner else Schema()
            if name == "array":
                return Schema(types=("array",), items=held)
            return Schema(types=("object",), values=held)
        found = self._schema(kind, namespace)
        if place.text("logicalType") == "uuid" and found.types == ("string",):
            return replace(found, format="uuid")
        return found

    def _called(self, place: Place, namespace: str) -> Schema:
        name = str(place.value())
        if name in _PRIMITIVES:
            return _PRIMITIVES[name]
        found = self._types.get(_full(name, namespace)) or self._types.get(name)
        return self._unknown(place, name) if found is None else found

    def _unknown(self, place: Place, value: object) -> Schema:
        self._report.warn(
            "avro-type",
            f"{shown(value)} is no type of Avro and none defined before: any value is taken",
            place.location,
            suggestion(str(value), [*_PRIMITIVES, *_NAMED, "array", "map", *self._types])
            or "define the type where it is first used",
        )
        return Schema()

    def _union(self, place: Place, namespace: str) -> Schema:
        members = [self._schema(raw, namespace) for raw in place.raw_items()]
        kinds = distinct([member for member in members if member.types != ("null",)])
        nullable = len(kinds) < len(members)
        if not kinds:
            return _PRIMITIVES["null"]
        whole = union_of(kinds)
        return replace(whole, nullable=nullable) if whole != Schema() else whole

    def _named(self, kind: str, place: Place, namespace: str) -> Schema:
        name = place.text("name") or place.key
        full = _full(name, place.text("namespace") or namespace)
        inner = full.rpartition(".")[0]
        key = (full, json_key(place.value()))
        if key in self._known:
            self._types[full] = self._known[key]
            return self._known[key]
        if kind == "fixed":
            size = place.raw("size")
            length = size.value() if size else 0
            limits = tuple((bound, length) for bound in ("minLength", "maxLength"))
            found = Schema(
                types=("string",),
                constraints=tuple((bound, size) for bound, size in limits if isinstance(size, int)),
            )
            self._types[full] = self._known[key] = found
            return found
        wanted = names.pascal(name.rpartition(".")[2])
        if wanted == self._component:
            python, self._component = wanted, ""
        else:
            python = self._schemas.claim(wanted, place)
        self._types[full] = self._known[key] = Schema(ref=python)
        self._schemas.places[python] = place
        if kind == "enum":
            self._schemas.found[python] = self._enum(python, place)
        else:
            self._schemas.found[python] = self._record(python, place, inner)
        return self._known[key]

    def _enum(self, python: str, place: Place) -> Enum:
        scope = names.Scope(f"the enum {python}", self._report)
        members = {}
        for item in _symbols(place):
            symbol = str(item.value())
            candidates = names.either(names.member(symbol), symbol)
            members[symbol] = EnumMember(symbol, scope.settle(symbol, item.location, *candidates))
        return Enum(python, place.pointer, tuple(members.values()), place.text("doc"))

    def _record(self, python: str, place: Place, namespace: str) -> Record:
        scope = names.Scope(f"the class {python}", self._report)
        listed = place.raw("fields")
        fields = [
            self._field(field, python, scope, namespace)
            for field in (listed.raw_items() if listed else ())
            if isinstance(field.node, Object)
        ]
        return Record(python, place.pointer, tuple(fields), doc=place.text("doc"))

    def _field(self, place: Place, owner: str, scope: names.Scope, namespace: str) -> Property:
        name = place.text("name")
        kind = place.raw("type")
        schema = self._schemas.held(
            self._schema(kind, namespace) if kind else Schema(), place, owner + names.pascal(name)
        )
        default = place.raw("default")
        if default:
            self._schemas.note_default(owner, name, Default(default, None))
        return Property(
            name=name,
            python=scope.settle(name, place.location, *names.either(names.field(name), name)),
            schema=schema,
            required=default is None,
            doc=place.text("doc"),
            has_default=default is not None,
            default=default.value() if default else None,
        )


def _symbols(place: Place) -> list[Place]:
    """What an enum lists; nothing where it is none."""
    listed = place.raw("symbols")
    return list(listed.raw_items()) if listed else []


def _full(name: str, namespace: str) -> str:
    return name if "." in name or not namespace else f"{namespace}.{name}"
