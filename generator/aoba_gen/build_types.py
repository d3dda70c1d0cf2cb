"""Schemas that are no class: texts and numbers with bounds, lists, tuples, maps, unions."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Final

from . import names
from .build_checks import Checks, NotPlain, json_schema, merged
from .build_choice import checked, choice, distinct, union_of
from .build_facts import Facts, Part, follow
from .build_keywords import BOUNDS
from .build_values import values_schema
from .diagnostics import Report, shown, suggestion
from .load import Array, Json, Object
from .model import Enum, Schema
from .resolve import Place

if TYPE_CHECKING:
    from .build_schemas import Schemas


_ANY_NAME: Final = frozenset({"", ".", ".*", ".+", "^", "^.", "^.*", "^.+", "^.*$", "^.+$"})
"""Patterns for the names of properties that fit every one."""
NOTHING: Final = Schema(checks={"not": {}})
"""What `false` allows."""


def is_map(facts: Facts) -> bool:
    """Whether an object that describes no properties says of what kind all of them are."""
    return any(
        isinstance(found.node, Object) and bool(found.node.fields)
        for found in (*facts.all("additionalProperties"), *facts.all("patternProperties"))
    )


def plain_schema(schemas: Schemas, facts: Facts, name: str) -> Schema:
    """What the facts allow, which is no class; `name` is what to name inner classes after."""
    return _Types(schemas, facts, name).schema()


class _Types:
    """One schema on its way to a type."""

    def __init__(self, schemas: Schemas, facts: Facts, name: str) -> None:
        self._schemas = schemas
        self._facts = facts
        self._name = name
        self._report: Report = schemas.report

    def schema(self) -> Schema:
        """The type, with a check for what it does not say."""
        facts = self._facts
        if facts.is_impossible:
            return NOTHING
        checks = Checks(self._report).of(facts)
        if facts.groups:
            schema = choice(self._schemas, facts, self._name)
        elif facts.values is not None:
            schema = self._values()
        else:
            kinds = [kind for kind in facts.kinds or () if kind != "null"]
            nullable = "null" in (facts.kinds or ())
            if len(kinds) > 1:
                schema = replace(self._several(kinds), nullable=nullable)
            elif kinds:
                schema = replace(self._of_kind(kinds[0]), nullable=nullable)
            elif nullable:
                schema = Schema(types=("null",))
            else:
                schema = Schema()
                untyped = [
                    check for kind in ("number", "string", "array") for check in self._untyped(kind)
                ]
                checks = merged([*untyped, *([checks] if checks else [])])
        return checked(schema, checks)

    def _untyped(self, kind: str) -> list[dict[str, Json]]:
        native, checks = self._facts.bounds(kind)
        found: list[dict[str, Json]] = [{keyword: value} for keyword, value in native]
        return found + checks

    def _values(self) -> Schema:
        """Literals; a constant among the values of a named enum is one of its members."""
        facts = self._facts
        if not facts.values and facts.has("const"):
            self._refuse_constant()
        schema = values_schema(facts)
        texts = schema.literals if schema.const is None else (schema.const,)
        if texts and all(isinstance(value, str) for value in texts):
            for part in facts.parts:
                if part.get("enum") is None or not (part.by_ref or part.place.key):
                    continue
                known = self._schemas.known(part)
                if known is not None and isinstance(self._schemas.found.get(known), Enum):
                    return replace(schema, ref=known)
        return schema

    def _refuse_constant(self) -> None:
        facts = self._facts
        const = next(facts.all("const"))
        part = next((part for part in facts.parts if part.get("enum") is not None), None)
        listed = part.get("enum") if part else None
        if part is None or listed is None:
            return
        values = [item.value() for item in listed.items()]
        enum = self._schemas.known(part) or "the enum"
        self._report.warn(
            "const-not-in-enum",
            f"{shown(const.value())} is not among the values of {enum}, which the property also has to be, "
            "so no value is taken",
            const.location,
            suggestion(str(const.value()), map(str, values))
            or f"expected one of {', '.join(map(shown, values))}",
        )

    def _several(self, kinds: Sequence[str]) -> Schema:
        """A value of one of several JSON types."""
        facts = self._facts
        simple = not any(
            facts.has(keyword) for keyword in (*BOUNDS, "items", "prefixItems", "format")
        )
        if simple and not {"array", "object"} & set(kinds):
            return Schema(types=tuple(kinds))
        members = [
            self._schemas.together(
                facts.roots,
                self._name + (names.pascal(kind) if kind in ("object", "array") else ""),
                only=kind,
            )
            for kind in kinds
        ]
        return Schema(any_of=tuple(members))

    def _of_kind(self, kind: str) -> Schema:
        facts = self._facts
        if kind == "object":
            return self._map()
        if kind == "array":
            return self._array()
        bounds, checks = facts.bounds(kind)
        schema = Schema(
            types=(kind,),
            format=facts.format if kind in ("integer", "number", "string") else None,
            constraints=tuple(bounds),
        )
        return checked(schema, merged(checks))

    def _map(self) -> Schema:
        """A JSON object that describes no properties."""
        found = [
            *self._facts.all("additionalProperties"),
            *(raw for kept in self._facts.all("patternProperties") for _, raw in kept.raw_fields()),
        ]
        described = [raw for raw in found if isinstance(follow(raw).place.node, Object)]
        if len(described) == 1 and not any(raw.value() is True for raw in found) and self._is_map():
            values = self._schemas.at(described[0], f"{self._name}Value")
            is_only = not self._facts.has("patternProperties")
            return _lifted(
                Schema(types=("object",), values=values), "additionalProperties" if is_only else ""
            )
        closed = any(raw.value() is False for raw in self._facts.all("additionalProperties"))
        check: dict[str, Json] | None = (
            {"maxProperties": 0} if closed and not self._facts.has("patternProperties") else None
        )
        return checked(Schema(types=("object",), values=Schema()), check)

    def _is_map(self) -> bool:
        """Whether no property is left that may be anything, because no pattern fits its name."""
        patterns = self._facts.all("patternProperties")
        return self._facts.has("additionalProperties") or any(
            name in _ANY_NAME for kept in patterns for name, _ in kept.raw_fields()
        )

    def _array(self) -> Schema:
        facts = self._facts
        bounds, checks = facts.bounds("array")
        tuples = [
            found
            for keyword in ("prefixItems", "items")
            for found in facts.all(keyword)
            if isinstance(found.node, Array)
        ]
        if tuples:
            return self._tuple(tuples[0], dict(bounds))
        roots = [follow(raw) for raw in self._raw_items()]
        telling = [part for part in roots if isinstance(part.place.node, Object)]
        if any(part.place.value() is False for part in roots):
            return Schema(types=("array",), items=Schema(), checks={"maxItems": 0})
        raws = list(self._raw_items())
        if len(telling) == 1:
            items = self._schemas.at(
                next(raw for raw in raws if isinstance(follow(raw).place.node, Object)),
                self._item_name(telling),
            )
        elif telling:
            items = self._schemas.together(telling, self._item_name(telling))
        else:
            items = None
        schema = Schema(types=("array",), items=items, constraints=tuple(bounds))
        return checked(_lifted(schema, "items"), merged(checks))

    def _raw_items(self) -> list[Place]:
        found = []
        for part in self._facts.parts:
            raw = None if "items" in part.without else part.place.raw("items")
            if raw is not None and not isinstance(raw.node, Array):
                found.append(raw)
        return found

    def _item_name(self, roots: Sequence[Part]) -> str:
        """An enum of a list's items is called like the list, a class or union like one of them."""
        return (
            self._name
            if any(part.get("enum") is not None for part in roots)
            else f"{self._name}Item"
        )

    def _tuple(self, listed: Place, bounds: dict[str, int | float | str | bool]) -> Schema:
        """A list whose items differ by their position: a tuple where its length is fixed."""
        raws = list(listed.raw_items())
        members = [
            self._schemas.at(raw, f"{self._name}Item{position}")
            for position, raw in enumerate(raws, start=1)
        ]
        rest = next(
            (
                found
                for keyword in ("additionalItems", "items")
                for found in self._facts.all(keyword)
                if not isinstance(found.node, Array)
            ),
            None,
        )
        is_closed = (rest is not None and rest.value() is False) or bounds.get("maxItems") == len(
            raws
        )
        checks: dict[str, Json] = {}
        try:
            checks["prefixItems"] = [json_schema(raw, self._report) for raw in raws]
            if rest is not None:
                checks["items"] = json_schema(rest, self._report)
        except NotPlain as fault:
            Checks(self._report).not_enforced(listed.location, "the order of the items", fault)
            checks = {}
        if is_closed and bounds.get("minItems") == len(raws) and not any(m.checks for m in members):
            return Schema(types=("array",), prefix=tuple(members))
        open_end = (
            []
            if is_closed
            else [Schema() if rest is None else self._schemas.at(rest, f"{self._name}Item")]
        )
        kinds = distinct([*members, *open_end])
        if is_closed:
            bounds.setdefault("maxItems", len(raws))
        kinds = [replace(kind, checks=None) for kind in kinds]
        items = Schema() if Schema() in kinds else union_of(kinds)
        schema = Schema(types=("array",), items=items, constraints=tuple(bounds.items()))
        return checked(schema, checks or None)


def _lifted(schema: Schema, keyword: str) -> Schema:
    """A list or map whose inner checks stand with it."""
    inner = schema.items if schema.items is not None else schema.values
    if inner is None or not inner.checks:
        return schema
    bare = replace(inner, checks=None)
    lifted: dict[str, Json] | None = {keyword: inner.checks} if keyword else None
    if schema.items is not None:
        return replace(schema, items=bare, checks=lifted)
    return replace(schema, values=bare, checks=lifted)


def takes_id(schema: Schema) -> bool:
    """Whether a schema surely takes an id that the runtime makes: a UUID as text, else a number of 31 bits."""
    plain = Schema(schema.types, constraints=schema.constraints, nullable=schema.nullable)
    return (
        replace(schema, format=None if schema.format == "uuid" else schema.format) == plain
        and bool({"string", "integer", "number"}.intersection(schema.types or ["string"]))
        and all(
            not isinstance(bound, str)
            and (bound <= 36 if name == "minLength" else name == "maxLength" and bound >= 36)
            for name, bound in schema.constraints
        )
    )
