"""Which classes, fields and types of two models stand for the same, found from the messages on; each once.

What several messages share is compared once, and its values go every way in which one of the messages goes.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Final

from .compare_match import matched, near
from .compare_model import Context, Flow
from .model import Alias, Definition, Enum, Property, Record, Schema
from .model_values import lineage

_INTEGERS: Final = frozenset({"integer", "number"})


@dataclass(frozen=True, slots=True)
class Held:
    """A field as a class holds it: `owner` is the class that declares it, `closed` whether the holder refuses others."""

    field: Property
    owner: Record
    closed: bool


@dataclass(frozen=True, slots=True)
class Value:
    """An allowed value, and its Python member where it has one."""

    value: str | int | float | bool
    python: str | None = None


@dataclass(frozen=True, slots=True)
class Twins:
    """Two schemas at the same place, their aliases opened; `where` is the place in words."""

    old: Schema
    new: Schema
    where: str = ""


def fields(name: str, found: Mapping[str, Definition]) -> dict[str, Held]:
    """The fields of a class and of its bases, by wire name."""
    record = found.get(name)
    if not isinstance(record, Record):
        return {}
    shut = is_closed(record, found)
    return {
        each.name: Held(each, owner, shut)
        for owner in lineage(record, found)
        for each in owner.properties
    }


def is_closed(record: Record, found: Mapping[str, Definition]) -> bool:
    """Whether a class, or one of its bases, refuses other properties."""
    return any(one.closed for one in lineage(record, found))


def opened(schema: Schema, found: Mapping[str, Definition]) -> Schema:
    """The schema that an alias stands for; a recursive one stays."""
    seen: set[str] = set()
    while schema.ref is not None and schema.ref not in seen:
        seen.add(schema.ref)
        made = found.get(schema.ref)
        if not isinstance(made, Alias):
            break
        schema = replace(made.schema, nullable=made.schema.nullable or schema.nullable)
    return schema


def kinds(schema: Schema, found: Mapping[str, Definition]) -> frozenset[str] | None:
    """The JSON types of a schema's values beside null, `None` where any will do; an integer is a number too."""
    schema = opened(schema, found)
    made = found.get(schema.ref or "")
    if isinstance(made, Record):
        return frozenset({"object"})
    if isinstance(made, Enum):
        return frozenset({"string"})
    if schema.any_of:
        each = [kinds(member, found) for member in schema.any_of]
        return None if None in each else frozenset(kind for some in each for kind in some or ())
    if schema.const is not None or schema.literals:
        listed = (schema.const,) if schema.const is not None else schema.literals
        return frozenset(map(_kind, listed))
    types = frozenset(schema.types)
    if not types:
        return None
    return (types | _INTEGERS if "number" in types else types) - {"null"}


def values(schema: Schema, found: Mapping[str, Definition]) -> tuple[Value, ...] | None:
    """The only values that a schema allows, `None` where there is no such list."""
    made = found.get(schema.ref or "")
    members = made.members if isinstance(made, Enum) else ()
    python = {member.value: f"{made.python}.{member.python}" for member in members if made}
    listed: tuple[str | int | float | bool, ...]
    if schema.const is not None:
        listed = (schema.const,)
    elif schema.literals:
        listed = schema.literals
    elif members:
        return tuple(Value(member.value, member.python) for member in members)
    else:
        return None
    return tuple(Value(each, python.get(str(each))) for each in listed)


class Walk:
    """Everything that both models describe, as pairs, from the payloads and headers of messages on."""

    def __init__(self, context: Context) -> None:
        self._olds, self._news = context.olds, context.news
        self.classes: dict[tuple[str, str], Flow] = {}
        self.fields: dict[tuple[str, str, str, str], tuple[Held | None, Held | None, Flow]] = {}

    def visit(self, old: str, new: str, flow: Flow) -> None:
        """Take over that two definitions stand for the same, and what follows from it."""
        known = self.classes.get((old, new))
        if known is not None and known | flow == known:
            return
        self.classes[old, new] = flow = flow if known is None else known | flow
        before, after = self._olds.get(old), self._news.get(new)
        if isinstance(before, Record) and isinstance(after, Record):
            self._fields(before, after, flow)
            if before.extras is not None and after.extras is not None:
                self._follow(before.extras, after.extras, flow)
        elif isinstance(before, Alias) and isinstance(after, Alias):
            self._follow(before.schema, after.schema, flow)

    def twins(self, old: Schema, new: Schema) -> Iterator[Twins]:
        """Two schemas and what they hold, down to what has a name of its own on both sides."""
        yield from _twins(old, new, "", self._olds, self._news)

    def _fields(self, old: Record, new: Record, flow: Flow) -> None:
        before, after = fields(old.python, self._olds), fields(new.python, self._news)
        for was, now in same_fields(before, after):
            key = (
                was.owner.python if was else "",
                was.field.name if was else "",
                now.owner.python if now else new.python,
                now.field.name if now else "",
            )
            if was is None and now is not None:
                was_closed = is_closed(old, self._olds)
                now = replace(now, closed=was_closed)
            elif was is not None and now is None:
                was = replace(was, closed=is_closed(new, self._news))
                key = (*key[:2], "", "")
            known = self.fields.get(key)
            if known is not None:
                was, now = _stricter(known[0], was), _stricter(known[1], now)
            self.fields[key] = (was, now, flow if known is None else known[2] | flow)
            if was is not None and now is not None:
                self._follow(was.field.schema, now.field.schema, flow)

    def _follow(self, old: Schema, new: Schema, flow: Flow) -> None:
        for twins in self.twins(old, new):
            before, after = twins.old.ref, twins.new.ref
            if before is not None and after is not None:
                # Of an enum that is narrowed to some values, the others go nowhere.
                narrowed = is_narrowed(twins.old) and is_narrowed(twins.new)
                self.visit(before, after, Flow() if narrowed else flow)


def is_narrowed(schema: Schema) -> bool:
    """Whether a schema that names an enum allows only some of its values."""
    return schema.const is not None or bool(schema.literals)


def same_fields(
    old: Mapping[str, Held], new: Mapping[str, Held]
) -> list[tuple[Held | None, Held | None]]:
    """Fields by name; of those left, two with the same schema, presence and text, or nearly the same name."""
    pairs = matched(
        list(old.values()),
        list(new.values()),
        lambda held: held.field.name,
        lambda held, _: (_essence(held), held.field.doc) if held.field.doc else None,
    )
    gone = [was for was, now in pairs if was is not None and now is None]
    for number, (was, now) in enumerate(pairs):
        if was is None and now is not None:
            like = [
                one
                for one in gone
                if _essence(one) == _essence(now) and near(one.field.name, now.field.name)
            ]
            if len(like) == 1:
                gone.remove(like[0])
                pairs[number] = (like[0], now)
    return [pair for pair in pairs if pair[1] is not None or any(pair[0] is one for one in gone)]


def _essence(held: Held) -> str:
    return repr((held.field.schema, held.field.required))


def _stricter(known: Held | None, other: Held | None) -> Held | None:
    return known if known is None or other is None or not other.closed else other


def _twins(
    old: Schema,
    new: Schema,
    where: str,
    olds: Mapping[str, Definition],
    news: Mapping[str, Definition],
) -> Iterator[Twins]:
    both = isinstance(olds.get(old.ref or ""), Alias) and isinstance(news.get(new.ref or ""), Alias)
    if not both:
        old, new = opened(old, olds), opened(new, news)
    yield Twins(old, new, where)
    if both or (old.ref is not None and new.ref is not None):
        return
    if old.items is not None and new.items is not None:
        yield from _twins(old.items, new.items, f"{where}, each item", olds, news)
    if old.values is not None and new.values is not None:
        yield from _twins(old.values, new.values, f"{where}, each value", olds, news)
    for number, (first, second) in enumerate(zip(old.prefix, new.prefix), start=1):
        yield from _twins(first, second, f"{where}, item {number}", olds, news)
    if old.any_of or new.any_of:
        for was, now in same_members(old, new, olds, news):
            if was is not None and now is not None and (old.any_of and new.any_of):
                yield from _twins(was, now, f"{where}, as {name_of(now)}", olds, news)
            elif was is not None and now is not None and was.ref and now.ref:
                yield from _twins(was, now, where, olds, news)


def same_members(
    old: Schema, new: Schema, olds: Mapping[str, Definition], news: Mapping[str, Definition]
) -> list[tuple[Schema | None, Schema | None]]:
    """The members of two unions, of which one may be no union: by name, then by tag, then by type."""
    return matched(
        old.any_of or (replace(old, nullable=False),),
        new.any_of or (replace(new, nullable=False),),
        name_of,
        lambda one, is_old: _tag(one, olds if is_old else news),
        lambda one, is_old: kinds(one, olds if is_old else news) or None,
    )


def name_of(schema: Schema) -> str:
    """What to call a schema that is part of another one."""
    if schema.ref is not None and schema.const is None and not schema.literals:
        return schema.ref
    if schema.const is not None or schema.literals:
        listed = (schema.const,) if schema.const is not None else schema.literals
        return " or ".join(map(repr, listed))
    if schema.items is not None:
        return f"list of {name_of(schema.items)}"
    if schema.any_of:
        return " or ".join(map(name_of, schema.any_of))
    return " or ".join(schema.types) or "anything"


def _tag(schema: Schema, found: Mapping[str, Definition]) -> tuple[tuple[str, str], ...] | None:
    constants = [
        (held.field.name, repr(held.field.schema.const))
        for held in fields(schema.ref or "", found).values()
        if held.field.required and held.field.schema.const is not None
    ]
    return tuple(constants) or None


def _kind(value: object) -> str:
    if isinstance(value, bool):
        return "boolean"
    if isinstance(value, str):
        return "string"
    return "integer" if isinstance(value, int) else "number"
