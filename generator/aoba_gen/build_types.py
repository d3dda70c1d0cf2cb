"""Schemas that are no class: texts and numbers with bounds, lists, tuples, maps, unions."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Final

from . import names
from .build_checks import Checks, NotPlain, json_schema, merged
from .build_facts import Facts, Group, Part, flattened, follow, json_key
from .build_keywords import BOUNDS
from .build_unions import Discriminated
from .build_values import values_schema
from .diagnostics import Report, shown, suggestion
from .load import Array, Json, Object
from .model import Enum, Schema
from .resolve import Place

if TYPE_CHECKING:
    from .build_schemas import Schemas

_TITLE_WORDS: Final = 4


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
        checks = Checks(self._report).of(facts)
        if facts.groups:
            schema = self._union(facts.groups[0])
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
        return _checked(schema, checks)

    def _untyped(self, kind: str) -> list[dict[str, Json]]:
        native, checks = self._facts.bounds(kind)
        found: list[dict[str, Json]] = [{keyword: value} for keyword, value in native]
        return found + checks

    def _values(self) -> Schema:
        """Literals; a constant among the values of a named enum is one of its members."""
        facts = self._facts
        if not facts.values and facts.has("const"):
            self._refuse_constant()
        schema = values_schema(facts, self._report)
        if isinstance(schema.const, str) or all(
            isinstance(value, str) for value in schema.literals
        ):
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
        self._report.error(
            "const-not-in-enum",
            f"{shown(const.value())} is not among the values of {enum}, which the property also has to be",
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
            format=(facts.text("format") or None) if kind == "string" else None,
            constraints=tuple(bounds),
        )
        return _checked(schema, merged(checks))

    def _map(self) -> Schema:
        """A JSON object that describes no properties."""
        found = [
            *self._facts.all("additionalProperties"),
            *(raw for kept in self._facts.all("patternProperties") for _, raw in kept.raw_fields()),
        ]
        described = [raw for raw in found if isinstance(follow(raw).place.node, Object)]
        if len(described) == 1 and not any(raw.value() is True for raw in found):
            values = self._schemas.at(described[0], f"{self._name}Value")
            is_only = not self._facts.has("patternProperties")
            return _lifted(
                Schema(types=("object",), values=values), "additionalProperties" if is_only else ""
            )
        closed = any(raw.value() is False for raw in self._facts.all("additionalProperties"))
        check: dict[str, Json] | None = (
            {"maxProperties": 0} if closed and not self._facts.has("patternProperties") else None
        )
        return _checked(Schema(types=("object",), values=Schema()), check)

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
        return _checked(_lifted(schema, "items"), merged(checks))

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
            checks["prefixItems"] = [json_schema(raw) for raw in raws]
            if rest is not None:
                checks["items"] = json_schema(rest)
        except NotPlain:
            Checks(self._report).not_enforced(listed, "")
            checks = {}
        if is_closed and bounds.get("minItems") == len(raws) and not any(m.checks for m in members):
            return Schema(types=("array",), prefix=tuple(members))
        open_end = (
            []
            if is_closed
            else [Schema() if rest is None else self._schemas.at(rest, f"{self._name}Item")]
        )
        kinds = _distinct([*members, *open_end])
        if is_closed:
            bounds.setdefault("maxItems", len(raws))
        kinds = [replace(kind, checks=None) for kind in kinds]
        items = Schema() if Schema() in kinds else _union_of(kinds)
        schema = Schema(types=("array",), items=items, constraints=tuple(bounds.items()))
        return _checked(schema, checks or None)

    def _union(self, group: Group) -> Schema:
        """The members of a oneOf or anyOf, each together with what stands beside it."""
        facts = self._facts
        holder = group.part
        is_root = any(root.key == holder.key for root in facts.roots)
        told = {group.keyword} if is_root else {group.keyword, "allOf"}
        beside = [
            (
                replace(part, without=part.without | told)
                if part.key == holder.key or not is_root
                else part
            )
            for part in (facts.roots if is_root else facts.parts)
        ]
        beside = [part for part in beside if any(part.keywords())]
        members: list[Schema] = []
        tags: dict[str, tuple[str, ...]] = {}
        nullable = False
        for raw in group.members:
            part = follow(raw)
            name = self._name + self._member_suffix(part)
            if not isinstance(part.place.node, Object):
                schema = Schema(checks={"not": {}}) if part.place.value() is False else Schema()
                if part.place.value() is not False and beside:
                    schema = self._schemas.together(beside, name)
            elif beside and not _is_null(part) and not _includes(part, holder, self._report):
                schema = self._schemas.together((*beside, part), name)
            else:
                schema = self._schemas.at(raw, name)
            nullable = nullable or schema.nullable or schema.types == ("null",)
            members.append(replace(schema, nullable=False))
            if schema.ref is not None and part.by_ref:
                tags[schema.ref] = _mapped(group.part, part)
        members = [
            inner
            for member in members
            for inner in (member.any_of if member.any_of and not member.checks else (member,))
            if inner.types != ("null",) and inner.checks != {"not": {}}
        ]
        members = [self._with_name(member, part) for member, part in _paired(members, group)]
        prop = _discriminating(group.part)
        if prop:
            self._schemas.discriminated.append(Discriminated(prop, tags))
        kinds = _distinct(members)
        if not kinds:
            return Schema(types=("null",)) if nullable else Schema(checks={"not": {}})
        if Schema() in kinds:
            return self._exclusive(Schema(), group)
        return self._exclusive(replace(_union_of(kinds), nullable=nullable), group)

    def _with_name(self, member: Schema, suffix: str) -> Schema:
        """A member with a check, named, so that the check stands with it."""
        if not member.checks or member.ref:
            return member
        name = self._schemas.define_alias(self._name + suffix, self._facts.place, member)
        return Schema(ref=name)

    def _exclusive(self, schema: Schema, group: Group) -> Schema:
        """The union, with a check that only one of its members takes a value, unless their types say so already."""
        if group.keyword != "oneOf" or _is_disjoint(schema):
            return schema
        check = Checks(self._report).group(group)
        return _checked(schema, check)

    def _member_suffix(self, part: Part) -> str:
        """What tells a member of a union from others by name, whatever stands before it."""
        if part.by_ref:
            return names.pascal(part.place.key)
        title = names.pascal(part.place.text("title")) if part.place.text("title") else ""
        if title and len(names.words(part.place.text("title"))) <= _TITLE_WORDS:
            return title.removeprefix(self._name)
        described = part.get("properties")
        for _, found in described.fields() if described else ():
            const = found.get("const")
            listed = found.get("enum")
            values = (
                [const.value()]
                if const
                else [item.value() for item in listed.items()] if listed else []
            )
            if len(values) == 1 and isinstance(values[0], str):
                return names.pascal(values[0])
        required = part.get("required")
        wanted = [item.value() for item in required.items()] if required else []
        wanted += [name for name, _ in described.raw_fields()] if described else []
        if wanted:
            return "With" + names.pascal(str(wanted[0]))
        return names.pascal(part.place.text("type") or "Option")


def _discriminating(part: Part) -> str:
    """The property that `discriminator` names: as text in AsyncAPI, in an object in OpenAPI."""
    found = part.place.get("discriminator")
    return part.place.text("discriminator") or (found.text("propertyName") if found else "")


def _mapped(holder: Part, member: Part) -> tuple[str, ...]:
    """The values of the discriminating property that stand for a member: those mapped to it, else its name."""
    found = holder.place.get("discriminator")
    mapping = found.get("mapping") if found else None
    pointer = member.place.pointer
    values = [
        value
        for value, target in (mapping.fields() if mapping else ())
        if pointer.endswith(str(target.value()))
        or pointer.endswith("/" + str(target.value()).rpartition("/")[2])
    ]
    return tuple(values) or (member.place.key,)


def _is_null(part: Part) -> bool:
    return list(part.keywords()) == ["type"] and part.place.text("type") == "null"


def _includes(part: Part, holder: Part, report: Report) -> bool:
    """Whether a member of a union has what stands beside the union in its own allOf."""
    return any(inner.place.pointer == holder.place.pointer for inner in flattened((part,), report))


def _paired(members: list[Schema], group: Group) -> list[tuple[Schema, str]]:
    return [
        (member, names.pascal("".join(member.types)) if member.types else "Option")
        for member in members
    ]


def _union_of(kinds: list[Schema]) -> Schema:
    kinds = _with_literals_joined(kinds)
    if len(kinds) == 1:
        return kinds[0]
    if all(
        kind == Schema(types=kind.types) and kind.types and "object" not in kind.types
        for kind in kinds
    ):
        return Schema(types=tuple(dict.fromkeys(name for kind in kinds for name in kind.types)))
    return Schema(any_of=tuple(kinds))


def _with_literals_joined(kinds: list[Schema]) -> list[Schema]:
    """The members, with one literal type for all constants."""
    constants = [kind for kind in kinds if _values_of(kind)]
    if len(constants) < 2:
        return kinds
    values = {json_key(value): value for kind in constants for value in _values_of(kind)}
    types = tuple(dict.fromkeys(name for kind in constants for name in kind.types))
    joined = Schema(types=types, literals=tuple(values.values()))
    return [joined, *(kind for kind in kinds if kind not in constants)]


def _values_of(kind: Schema) -> tuple[str | int | bool, ...]:
    """The values of a literal type."""
    if kind.ref is not None or kind.checks:
        return ()
    return (kind.const,) if isinstance(kind.const, str | int) else kind.literals


def _distinct(members: Sequence[Schema]) -> list[Schema]:
    found: list[Schema] = []
    for member in members:
        if member not in found:
            found.append(member)
    return found


def _is_disjoint(schema: Schema) -> bool:
    """Whether no value is of two of the members, as far as their JSON types show; unions of classes are looked at later."""
    seen: set[str] = set()
    if not schema.any_of:
        different = len(schema.literals) != 1 and schema != Schema()
        return different and not {"integer", "number"} <= set(schema.types)
    for member in schema.any_of:
        if member.ref is not None or not member.types or seen & set(member.types):
            return False
        seen |= set(member.types)
        if {"integer", "number"} & set(member.types):
            seen |= {"integer", "number"}
    return True


def _checked(schema: Schema, check: dict[str, Json] | None) -> Schema:
    found = merged(part for part in (schema.checks, check) if part)
    return replace(schema, checks=found)


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
