"""oneOf and anyOf: what each member allows, and all of them together."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Final

from . import names
from .build_checks import Checks, merged
from .build_facts import Facts, Group, Part, flattened, follow, json_key
from .build_unions import Discriminated
from .diagnostics import Report
from .load import Json, Object
from .model import Schema

if TYPE_CHECKING:
    from .build_schemas import Schemas

_TITLE_WORDS: Final = 4


def choice(schemas: Schemas, facts: Facts, name: str) -> Schema:
    """What a oneOf or anyOf allows together with what stands beside it; `name` is what to name members after."""
    return _Choice(schemas, facts, name).union(facts.groups[0])


class _Choice:
    """One oneOf or anyOf on its way to a union."""

    def __init__(self, schemas: Schemas, facts: Facts, name: str) -> None:
        self._schemas = schemas
        self._facts = facts
        self._name = name
        self._report: Report = schemas.report

    def union(self, group: Group) -> Schema:
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
                if self._is_impossible((*beside, part)):
                    continue
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
        kinds = distinct(members)
        if not kinds:
            return Schema(types=("null",)) if nullable else Schema(checks={"not": {}})
        if Schema() in kinds:
            return self._exclusive(Schema(), group)
        return self._exclusive(replace(union_of(kinds), nullable=nullable), group)

    def _is_impossible(self, roots: Sequence[Part]) -> bool:
        """Whether a member asks for another JSON type than what stands beside the union, after a warning."""
        scratch = self._report.scratch()
        facts = Facts(roots, scratch)
        kinds = facts.kinds
        if facts.is_impossible:
            place = roots[-1].place
            self._report.warn(
                "impossible-member",
                f"no value is of this member: what stands beside the choice asks for {' or '.join(kinds or ())}",
                place.location,
                "take the member out, or say the type in the members alone",
            )
        return facts.is_impossible

    def _with_name(self, member: Schema, suffix: str) -> Schema:
        """A member with a check, named, so that the check stands with it."""
        if not member.checks or member.ref:
            return member
        name = self._schemas.define_alias(self._name + suffix, self._facts.place, member)
        return Schema(ref=name)

    def _exclusive(self, schema: Schema, group: Group) -> Schema:
        """The union, with a check that only one of its members takes a value, unless their types say so already."""
        if group.keyword != "oneOf" or self._is_disjoint(schema):
            return schema
        if self._schemas.needs_name(schema):
            self._schemas.exclusive.add(group.part.place.pointer)  # unless it has a tag
            return schema
        return checked(schema, Checks(self._report).group(group))

    def _is_disjoint(self, schema: Schema) -> bool:
        """Whether no value is of two of the members, as far as their JSON types show."""
        if not schema.any_of:
            different = len(schema.literals) != 1 and schema != Schema()
            return different and not {"integer", "number"} <= set(schema.types)
        seen: set[str] = set()
        for member in schema.any_of:
            kinds = self._schemas.kinds(member)
            if not kinds or seen & kinds:
                return False
            seen |= kinds | ({"integer", "number"} if {"integer", "number"} & kinds else set())
        return True

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


def union_of(kinds: list[Schema]) -> Schema:
    """One schema for any of `kinds`."""
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


def distinct(members: Sequence[Schema]) -> list[Schema]:
    """The members, each once."""
    found: list[Schema] = []
    for member in members:
        if member not in found:
            found.append(member)
    return found


def checked(schema: Schema, check: dict[str, Json] | None) -> Schema:
    """`schema`, with one more thing to check."""
    found = merged(part for part in (schema.checks, check) if part)
    return replace(schema, checks=found)
