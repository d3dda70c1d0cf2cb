"""How the members of a union are told apart: by a tag, or left to right; and which cannot be."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, replace
from itertools import combinations
from typing import Final, TypeAlias

from .diagnostics import Report
from .model import Alias, Definition, Enum, Property, Record, Schema, Tag
from .model_values import properties_of
from .resolve import Place

Found: TypeAlias = dict[str, Definition]
_PAIRS: Final = 400
"""How many pairs of members are compared at most."""


@dataclass(frozen=True, slots=True)
class Discriminated:
    """A union whose `discriminator` names a property, and the values of it that stand for each class."""

    prop: str
    tags: dict[str, tuple[str, ...]]


def narrow_tags(found: Found, unions: Sequence[Discriminated]) -> None:
    """Let the property that a `discriminator` names hold, in each class, only the values that stand for the class."""
    wanted: dict[tuple[str, str], set[tuple[str, ...]]] = {}
    for union in unions:
        for name, values in union.tags.items():
            wanted.setdefault((name, union.prop), set()).add(values)
    for (name, prop), several in wanted.items():
        record = found.get(name)
        field = fields_of(name, found).get(prop)
        if (
            len(several) > 1
            or field is None
            or not field.required
            or not isinstance(record, Record)
        ):
            continue
        values = several.pop()
        schema = field.schema
        enum = found.get(schema.ref or "")
        is_open = schema == Schema(types=("string",)) or isinstance(enum, Enum)
        known = [member.value for member in enum.members] if isinstance(enum, Enum) else values
        if (
            not is_open
            or schema.const is not None
            or schema.literals
            or not set(values) <= set(known)
        ):
            continue
        narrow = (
            replace(schema, const=values[0])
            if len(values) == 1
            else replace(schema, literals=values)
        )
        found[name] = _with(record, replace(field, schema=narrow))


def _with(record: Record, field: Property) -> Record:
    """The class with its own, or the inherited, property of that name described anew."""
    others = [known for known in record.properties if known.name != field.name]
    if len(others) < len(record.properties):
        own = [field if known.name == field.name else known for known in record.properties]
    else:
        own = [field, *others]
    return replace(record, properties=tuple(own))


def _spell_tags(classes: Sequence[str], found: Found) -> None:
    """List the values of an enum that a class may have in full where they tell it from the others: pydantic wants them."""
    each = [tags_of(name, found) for name in classes]
    for prop in each[0]:
        values = [tag.value for tags in each for tag in tags.get(prop, ())]
        if not all(prop in tags for tags in each) or len(set(values)) < len(values):
            continue
        for name in classes:
            record, field = found[name], fields_of(name, found)[prop]
            enum = found.get(field.schema.ref or "")
            if isinstance(record, Record) and field.schema == Schema(ref=field.schema.ref):
                if isinstance(enum, Enum):
                    spelled = replace(field.schema, literals=tuple(m.value for m in enum.members))
                    found[name] = _with(record, replace(field, schema=spelled))
        return


def finish_unions(
    found: Found, report: Report, places: Mapping[str, Place], exclusive: AbstractSet[str]
) -> None:
    """Say of every union how its members are told apart; warn of two of which that is not known.

    `exclusive` are the pointers of those that refuse what two members take.
    """
    for name, made in list(found.items()):
        if not isinstance(made, Alias) or not made.schema.any_of:
            continue
        schema = made.schema
        classes = [_class_of(member, found) for member in schema.any_of]
        if None not in classes:
            members = [name for name in classes if name is not None]
            _spell_tags(members, found)
            tag = common_tag(members, found)
            if tag is not None:
                found[name] = replace(made, schema=replace(schema, discriminator=tag))
                continue
        place = places.get(name)
        if place is None:
            continue
        if place.pointer in exclusive:
            found[name] = replace(made, schema=replace(schema, exclusive=True))
        elif "oneOf" not in (schema.checks or {}):
            _warn_ambiguous(schema, found, report, place, name)


def tags_of(name: str, found: Mapping[str, Definition]) -> dict[str, list[Tag]]:
    """The required properties that hold constants in a class, or in all classes of a union, and these."""
    made = found.get(name)
    if isinstance(made, Alias):
        schema = made.schema
        members = [ref for kind in (schema.any_of or (schema,)) if (ref := kind.ref)]
        if not members or len(members) < len(schema.any_of):
            return {}
        each = [tags_of(member, found) for member in members]
        return {
            prop: list({tag.value: tag for tags in each for tag in tags[prop]}.values())
            for prop in each[0]
            if all(prop in tags for tags in each)
        }
    return {
        field.name: tags
        for field in fields_of(name, found).values()
        if field.required and (tags := list(_tags(field.schema, found)))
    }


def fields_of(name: str, found: Mapping[str, Definition]) -> dict[str, Property]:
    """The properties of a class with those that it inherits, by wire name."""
    record = found.get(name)
    return properties_of(record, found) if isinstance(record, Record) else {}


def _tags(schema: Schema, found: Mapping[str, Definition]) -> Iterator[Tag]:
    made = found.get(schema.ref or "")
    while isinstance(made, Alias) and not schema.nullable and schema.const is None:
        schema = made.schema
        made = found.get(schema.ref or "")
    if schema.nullable:
        return
    if isinstance(made, Enum):
        for member in made.members:
            if schema.const in (None, member.value) and (
                not schema.literals or member.value in schema.literals
            ):
                yield Tag(member.value, f"{made.python}.{member.python}")
    elif isinstance(schema.const, str | int):
        yield Tag(schema.const, None)
    else:
        yield from (Tag(value, None) for value in schema.literals)


def _class_of(schema: Schema, found: Mapping[str, Definition]) -> str | None:
    """The class that a member of a union is, through names that stand for no more than that."""
    while schema == Schema(ref=schema.ref) and schema.ref is not None:
        made = found.get(schema.ref)
        if isinstance(made, Record):
            return made.python
        if not isinstance(made, Alias):
            return None
        schema = made.schema
    return None


def common_tag(classes: list[str], found: Mapping[str, Definition]) -> str | None:
    """The Python field that holds other constants in each of the classes."""
    each = [tags_of(name, found) for name in classes]
    for prop in each[0]:
        if not all(prop in tags for tags in each):
            continue
        pythons = {fields_of(name, found)[prop].python for name in classes}
        fields = [fields_of(name, found)[prop] for name in classes]
        if any(field.schema.const is None and not field.schema.literals for field in fields):
            continue  # an enum in full, which pydantic does not take for tags
        values = [(type(tag.value), tag.value) for tags in each for tag in tags[prop]]
        if len(pythons) == 1 and len(set(values)) == len(values):
            return pythons.pop()
    return None


def _warn_ambiguous(
    schema: Schema, found: Mapping[str, Definition], report: Report, place: Place, name: str
) -> None:
    for number, (first, second) in enumerate(combinations(schema.any_of, 2)):
        if number >= _PAIRS:
            return
        if takes(first, second, found):
            report.warn(
                "union-ambiguous",
                f"a value of {_said(second)} is also one of {_said(first)}, which stands before it in {name}",
                place.location,
                "give each a required property with a 'const' of its own",
            )
            return


def _said(schema: Schema) -> str:
    if schema.items is not None:
        return f"array of {_said(schema.items)}"
    return schema.ref or " or ".join(schema.types) or "any kind"


def takes(first: Schema, second: Schema, found: Mapping[str, Definition]) -> bool:
    """Whether a plain value of `second` is one of `first` too, so that the first in order takes it."""
    kinds, others = _kinds(first, found), _kinds(second, found)
    if kinds is None or others is None:
        return True
    if not kinds & others and not ("number" in kinds and "integer" in others):
        return False
    one, other = _class_of(first, found), _class_of(second, found)
    if one is None or other is None:
        return first.any_of == () and second.any_of == () and "object" not in kinds & others
    fields, known = fields_of(one, found), fields_of(other, found)
    if any(field.required and field.name not in known for field in fields.values()):
        return False
    record = found[one]
    if isinstance(record, Record) and record.closed and known.keys() - fields.keys():
        return False
    shared = fields.keys() & known.keys()
    return all(_overlap(fields[field].schema, known[field].schema, found) for field in shared)


def _overlap(first: Schema, second: Schema, found: Mapping[str, Definition]) -> bool:
    kinds, others = _kinds(first, found), _kinds(second, found)
    if kinds is not None and others is not None:
        kinds = kinds | {"integer"} if "number" in kinds else kinds
        others = others | {"integer"} if "number" in others else others
        if not kinds & others:
            return False
    tags = {tag.value for tag in _tags(first, found)}
    values = {tag.value for tag in _tags(second, found)}
    return not tags or not values or bool(tags & values)


def _kinds(schema: Schema, found: Mapping[str, Definition]) -> set[str] | None:
    """The JSON types of a schema's values, `None` where any is."""
    made = found.get(schema.ref or "")
    if isinstance(made, Record):
        kinds: set[str] | None = {"object"}
    elif isinstance(made, Enum):
        kinds = {"string"}
    elif isinstance(made, Alias):
        kinds = None if made.recursive else _kinds(made.schema, found)
    elif schema.any_of:
        inner = [_kinds(member, found) for member in schema.any_of]
        kinds = (
            None if None in inner else {kind for found_kinds in inner for kind in found_kinds or ()}
        )
    else:
        kinds = set(schema.types) or None
    return kinds | {"null"} if kinds is not None and schema.nullable else kinds
