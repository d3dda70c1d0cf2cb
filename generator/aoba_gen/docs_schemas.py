"""Definitions of the model -> what a page says of them: fields, values, members, each in one place, linked from all others."""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Final

from .docs_anchors import Anchors
from .docs_prose import prose
from .docs_types import checked, code, demands, joined, notes, type_of
from .element import Child, Element, element
from .limits import Limits
from .model import Alias, Definition, Enum, Model, Property, Record, Schema
from .model_values import lineage

_DEEPEST: Final = 4
"""How deep fields of fields are shown in one table."""
_MEMBERS: Final = 12
"""How many values an enum without a name of its own has at most to be shown where it is used."""
_NAMED: Final = re.compile(r".*#/(?:components/schemas|definitions|\$defs)/([^/]+)")


class TooLong(Exception):
    """The page would be longer than the limit `name` allows."""

    def __init__(self, name: str) -> None:
        super().__init__(name)
        self.name = name


class Schemas:
    """Where each definition of a model is shown, and what is said there."""

    def __init__(self, model: Model, anchors: Anchors, limits: Limits) -> None:
        self._limits = limits
        self._parts = self._characters = 0
        self._known: dict[str, Definition] = {made.python: made for made in model.definitions}
        self.names: Mapping[str, str] = {made.python: _name(made) for made in model.definitions}
        self._anchors = {name: anchors.give("schema", name) for name in self._known}
        uses = Counter(ref for made in model.definitions for ref in _refs(made))
        carried = Counter(
            name
            for message in model.messages
            for name in (message.payload, message.headers)
            if name in self._known
        )
        self._in_messages = {
            name for name, count in carried.items() if count == 1 and not uses[name]
        }
        self._nested = {
            name
            for name, made in self._known.items()
            if uses[name] == 1 and not carried[name] and _can_be_nested(made)
        }
        self._placed: set[str] = set()
        self._heirs: dict[str, list[str]] = {}
        for made in model.definitions:
            for base in made.bases if isinstance(made, Record) else ():
                self._heirs.setdefault(base, []).append(made.python)
        self._unnest()

    def own(self) -> Iterator[Definition]:
        """The definitions that have a section of their own."""
        elsewhere = self._in_messages | self._nested
        return (made for name, made in self._known.items() if name not in elsewhere)

    def all(self) -> Iterator[tuple[str, str]]:
        """The name and the anchor of every definition that a reader can go to."""
        shown = (made for made in self._known.values() if not self._is_inline(made))
        return ((self.names[made.python], self._anchors[made.python]) for made in shown)

    def anchor(self, python: str) -> str:
        """Where a definition is shown."""
        return self._anchors[python]

    def link(self, python: str) -> Child:
        """A link to where a definition is shown."""
        return element("a", code(self.names[python]), href=f"#{self._anchors[python]}")

    def is_in_message(self, python: str) -> bool:
        """Whether a definition is shown with the one message that carries it."""
        return python in self._in_messages

    def body(self, python: str, level: int) -> Iterator[Element]:
        """What is said of a definition below its heading."""
        made = self._known[python]
        yield from prose(made.doc, level)
        match made:
            case Enum():
                values = [element("li", code(member.value)) for member in made.members]
                yield element("p", "One of:", class_="aside")
                yield element("ul", *values, class_="values")
            case Alias():
                yield from self._alias(made)
            case Record():
                yield from self._record(made)

    def spend(self, parts: int, characters: int = 0) -> None:
        """Count what is about to be said again; raises `TooLong`."""
        self._parts += parts
        self._characters += characters
        if self._parts > self._limits.parts:
            raise TooLong("parts")
        if self._characters > self._limits.characters:
            raise TooLong("characters")

    def _alias(self, made: Alias) -> Iterator[Element]:
        schema = self._shown(made.schema)
        if schema.any_of:
            which = "Exactly one" if schema.exclusive else "One"
            by: list[Child] = (
                [", told apart by ", code(schema.discriminator)] if schema.discriminator else []
            )
            yield element("p", f"{which} of these", *by, ":", class_="aside")
            members = (element("li", *self._member(each)) for each in schema.any_of)
            null = [element("li", "null")] if schema.nullable else []
            yield element("ul", *members, *null)
        else:
            yield element("p", *type_of(schema, self.link), *self._also(schema), class_="aside")
        yield from checked(schema)

    def _member(self, schema: Schema) -> Iterator[Child]:
        shown = self._shown(schema)
        yield from (*type_of(shown, self.link), *self._also(shown))

    def _also(self, schema: Schema) -> Iterator[Child]:
        if phrases := list(demands(schema)):
            yield ", "
            yield from joined(phrases, ", ")

    def _record(self, made: Record) -> Iterator[Element]:
        if made.bases:
            bases = [[self.link(base)] for base in made.bases]
            yield element("p", "Extends ", *joined(bases, ", ", " and "), ".", class_="aside")
        if heirs := self._heirs.get(made.python):
            links = [[self.link(heir)] for heir in heirs]
            yield element("p", "Extended by ", *joined(links, ", ", " and "), ".", class_="aside")
        rows = list(self._rows(made, (), 0))
        if rows:
            yield _table(rows)
        else:
            yield element("p", "It has no fields of its own.", class_="aside")
        if made.closed:
            yield element("p", "Other fields are refused.", class_="aside")
        elif made.extras is not None and made.extras != Schema():
            extras = self._shown(made.extras)
            what = (*type_of(extras, self.link), *self._also(extras))
            yield element("p", "Any other field is ", *what, ".", class_="aside")
        yield from checked(Schema(checks=made.checks))

    def _rows(self, record: Record, path: tuple[str, ...], depth: int) -> Iterator[Element]:
        for field in self._fields(record):
            schema = self._shown(field.schema)
            inner, step = self._inner(field.schema)
            named = inner or self._known.get(field.schema.ref or "")
            doc = field.doc or (_first(named.doc) if named and schema.const is None else "")
            parts, characters = _size(schema)
            self.spend(parts, characters + len(doc) + sum(map(len, path)))
            yield element(
                "tr",
                element("th", _path(path, field.name), scope="row", class_=f"d{depth}"),
                element("td", *self._typed(schema)),
                element("td", _needed(field)),
                element("td", *prose(doc), *_noted(field), *checked(schema)),
                id=self._place(inner.python) if inner else None,
            )
            if inner:
                yield from self._rows(inner, (*path, f"{field.name}{step}"), depth + 1)

    def _place(self, python: str) -> str | None:
        """The anchor of a nested object, in the first table that shows it: heirs repeat the fields of their bases."""
        if python in self._placed:
            return None
        self._placed.add(python)
        return self._anchors[python]

    def _typed(self, schema: Schema) -> Iterator[Child]:
        yield element("span", *type_of(schema, self._named), class_="type")
        for phrase in demands(schema):
            yield element("small", *phrase)

    def _named(self, python: str) -> Child:
        return "object" if python in self._nested else self.link(python)

    def _inner(self, schema: Schema) -> tuple[Record | None, str]:
        """The object whose fields are shown below the field's own, and what leads there."""
        for each, step in ((schema, "."), (schema.items, "[]."), (schema.values, ".*.")):
            made = self._known.get(each.ref or "") if each and each.const is None else None
            if isinstance(made, Record) and made.python in self._nested:
                return made, step
        return None, ""

    def _shown(self, schema: Schema) -> Schema:
        """A schema in which an enum that has no name of its own stands as its values."""
        made = self._known.get(schema.ref or "")
        if made and self._is_inline(made) and isinstance(made, Enum) and schema.const is None:
            literals = tuple(member.value for member in made.members)
            return replace(schema, ref=None, types=("string",), literals=literals)
        return replace(
            schema,
            items=self._shown(schema.items) if schema.items else None,
            values=self._shown(schema.values) if schema.values else None,
            prefix=tuple(map(self._shown, schema.prefix)),
            any_of=tuple(map(self._shown, schema.any_of)),
        )

    def _is_inline(self, made: Definition) -> bool:
        return isinstance(made, Enum) and made.python in self._nested

    def _fields(self, record: Record) -> list[Property]:
        """The fields of the bases and its own; one that is described again stands where it stood."""
        found: dict[str, Property] = {}
        for made in lineage(record, self._known):
            for field in made.properties:
                doc = field.doc or (found[field.name].doc if field.name in found else "")
                found[field.name] = replace(field, doc=doc)
        return list(found.values())

    def _unnest(self) -> None:
        """Give what would be shown nowhere, or too deep in a table, a section of its own."""
        for made in list(self._known.values()):
            if made.python not in self._nested:
                self._reach(made, 0, set())
        reached: set[str] = set()
        for made in self._known.values():
            if made.python not in self._nested:
                self._collect(made, reached)
        self._nested &= reached

    def _reach(self, made: Definition, depth: int, seen: set[str]) -> None:
        for field in self._fields(made) if isinstance(made, Record) else ():
            inner, _ = self._inner(field.schema)
            if inner is None:
                continue
            if depth >= _DEEPEST or inner.python in seen:
                self._nested.discard(inner.python)
            else:
                self._reach(inner, depth + 1, seen | {inner.python})

    def _collect(self, made: Definition, reached: set[str]) -> None:
        """Note what the section of `made` shows: enums wherever they are named, objects below their field."""
        for name in _refs(made):
            if self._is_inline(self._known[name]):
                reached.add(name)
        for field in self._fields(made) if isinstance(made, Record) else ():
            inner, _ = self._inner(field.schema)
            if inner is not None:
                reached.add(inner.python)
                self._collect(inner, reached)


def _table(rows: list[Element]) -> Element:
    names = ("Field", "Type", "Presence", "Description")
    head = (element("th", name, scope="col") for name in names)
    return element(
        "table",
        element("thead", element("tr", *head)),
        element("tbody", *rows),
        class_="fields",
    )


def _name(made: Definition) -> str:
    """What the document calls it, else what its class is called."""
    found = _NAMED.fullmatch(made.pointer)
    return found[1].replace("~1", "/").replace("~0", "~") if found else made.python


def _path(path: tuple[str, ...], name: str) -> Element:
    before = [element("span", "".join(path), class_="path")] if path else []
    return element("code", *before, name)


def _needed(field: Property) -> Element:
    """Whether a field has to be there."""
    word = "required" if field.required else "optional"
    return element("span", word, class_=word)


def _noted(field: Property) -> Iterator[Element]:
    for phrase in notes(field):
        first, *rest = phrase
        yield element("p", f"{str(first)[:1].upper()}{str(first)[1:]}", *rest, ".", class_="note")


def _first(doc: str) -> str:
    """The first paragraph of a description."""
    return re.split(r"\n\s*\n", doc.strip(), maxsplit=1)[0]


def _can_be_nested(made: Definition) -> bool:
    if isinstance(made, Enum):
        is_named = _NAMED.fullmatch(made.pointer) is not None
        return not is_named and len(made.members) <= _MEMBERS
    return (
        isinstance(made, Record)
        and not made.checks
        and not made.closed
        and made.extras is None
        and bool(made.properties)
    )


def _refs(made: Definition) -> Iterator[str]:
    """The definitions that another one names, as often as it does."""
    match made:
        case Record():
            for field in made.properties:
                yield from _refs_of(field.schema)
            if made.extras:
                yield from _refs_of(made.extras)
            for base in made.bases:  # it is shown with its name: two uses, so that it has a section
                yield from (base, base)
        case Alias():
            yield from _refs_of(made.schema)


def _refs_of(schema: Schema) -> Iterator[str]:
    if schema.ref is not None and schema.const is None:
        yield schema.ref
    for inner in (schema.items, schema.values, *schema.prefix, *schema.any_of):
        if inner is not None:
            yield from _refs_of(inner)


def _size(schema: Schema) -> tuple[int, int]:
    """How many parts a type has, and about how many characters."""
    parts = 1 + len(schema.literals)
    said = (schema.const, *schema.literals, *schema.constraints, schema.format)
    characters = sum(len(str(each)) for each in said)
    characters += len(json.dumps(schema.checks)) if schema.checks else 0
    for inner in (schema.items, schema.values, *schema.prefix, *schema.any_of):
        if inner is not None:
            more, letters = _size(inner)
            parts, characters = parts + more, characters + letters
    return parts, characters
