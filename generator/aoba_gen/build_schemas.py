"""Schemas of the document -> definitions of the model: every object and enum becomes a class with a name."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from itertools import islice
from typing import Final

from . import names
from .build_defaults import default_of, fill_empty, fill_of
from .build_keywords import (
    NO_OBJECT,
    bounds_of,
    check_keywords,
    constant_of,
    types_of,
    unsupported,
)
from .diagnostics import Report, shown, suggestion
from .load import Object
from .model import Alias, Definition, Enum, EnumMember, Property, Record, Schema, Tag
from .resolve import Document, Place, reference

_CONVERSATION: Final = "x-aoba-conversation"


class Schemas:
    """The definitions found so far, by class, in the order in which their code stands; and each pointer's class."""

    def __init__(self, document: Document, report: Report) -> None:
        self._document = document
        self._report = report
        self._definitions: dict[str, Definition] = {}
        self._classes: dict[str, str] = {}
        self._scope = names.Scope("models", report)
        self._open: set[str] = set()

    def define_components(self) -> None:
        """Define a class for every object and enum among the components, used or not."""
        components = self._document.root.get("components")
        schemas = components.get("schemas") if components else None
        for _, place in schemas.fields() if schemas else ():
            self.schema(place, place.key)

    def definitions(self) -> tuple[Definition, ...]:
        """Every definition, and with it which constructor arguments may be left out."""
        found = self._definitions
        while (filled := fill_empty(found)) != found:
            found = filled
        return tuple(found.values())

    def record(self, payload: Place, message: str) -> str:
        """The class of a message's payload; "" after a complaint when it is no object."""
        schema = self.schema(
            payload, f"{message}Payload", is_record=types_of(payload) == ["object"]
        )
        if isinstance(self._definitions.get(schema.ref or ""), Record):
            return schema.ref or ""
        unsupported(self._report, "a payload that is no object", payload, "")
        return ""

    def payload(self, place: Place, name: str) -> str:
        """The Python name in `models` of the payload at `place`, a schema or {schemaFormat, schema}.

        `name` is what to call it where it stands inline and is neither class nor enum of another name. "bytes", after
        a warning, for a format that is not read.
        """
        return self.record(place, name.removesuffix("Payload"))

    def headers(self, place: Place, name: str) -> str:
        """The Python name in `models` of the record of the headers at `place`."""
        return self.record(place, name.removesuffix("Payload"))

    def field_at(self, name: str, pointer: str) -> str | None:
        """The Python fields ("a.b") to which the JSON pointer "/a/b" leads inside of `name`; `None` if nowhere."""
        fields = []
        for step in pointer.split("/")[1:]:
            step = step.replace("~1", "/").replace("~0", "~")
            found = next(
                (f for r in self._lineage(name) for f in r.properties if f.name == step), None
            )
            if found is None:
                return None
            fields.append(found.python)
            name = found.schema.ref or ""
        return ".".join(fields) or None

    def is_text(self, name: str) -> bool:
        """Whether every value of the type `name` is text."""
        found = self._definitions.get(name)
        return (
            isinstance(found, Alias)
            and found.schema.types == ("string",)
            or isinstance(found, Enum)
        )

    def conversation(self, name: str) -> str | None:
        """The required field of a class whose value the messages of one conversation share."""
        fields = (field for record in self._lineage(name) for field in record.properties)
        return next(
            (field.python for field in fields if field.conversation and field.required), None
        )

    def discriminator(self, classes: Sequence[str]) -> tuple[str | None, dict[str, Tag]]:
        """The property that holds a different constant text in each of the classes, and the tag of each class."""
        constants = [dict(self._constants(name)) for name in classes]
        for name in constants[0]:
            tags = [found[name] for found in constants if name in found]
            if len({tag.value for tag in tags}) == len(classes):
                return name, dict(zip(classes, tags, strict=True))
        return None, {}

    def schema(self, place: Place, name: str, *, is_record: bool = False) -> Schema:
        """What `place` allows; an object or an enum is defined as a class `name` and referred to.

        An object that describes no properties becomes a class among the components, or where `is_record` says so.
        """
        if not isinstance(place.node, Object):
            if place.value() is False:
                unsupported(self._report, "a schema that allows nothing", place, "")
            return Schema()
        if self._is_component(place):
            name = place.key  # whoever uses it first
        is_record = (
            is_record
            or "allOf" in place.node.fields
            or "properties" in place.node.fields
            or (self._is_component(place) and types_of(place) == ["object"])
        )
        if not is_record and "enum" not in place.node.fields:
            return self._unnamed(place, name)
        if place.pointer not in self._classes:
            check_keywords(place, self._report)
            python = self._scope.claim(names.pascal(name), name, place.location)
            self._classes[place.pointer] = python
            if is_record:
                self._define_record(place, python)
            else:
                self._define_enum(place, python)
        return Schema(ref=self._classes[place.pointer], nullable="null" in types_of(place))

    def _unnamed(self, place: Place, name: str) -> Schema:
        if place.pointer in self._open:
            unsupported(self._report, "a list that holds itself", place, "items")
            return Schema()
        self._open.add(place.pointer)
        check_keywords(place, self._report)
        schema = self._plain(place, name)
        self._open.discard(place.pointer)
        return schema

    def _plain(self, place: Place, name: str) -> Schema:
        types = tuple(kind for kind in types_of(place) if kind != "null")
        items = place.get("items")
        if items and (not isinstance(items.node, Object) or types not in ((), ("array",))):
            unsupported(
                self._report, "'items' that is a list, or on what is no array,", place, "items"
            )
            items = None
        constraints = tuple(bounds_of(place, self._report))
        if constraints and len(types) != 1:
            unsupported(
                self._report,
                "a bound on a value that has not exactly one type",
                place,
                constraints[0][0],
            )
        return Schema(
            types=types,
            items=self.schema(items, name) if items else None,
            format=place.text("format") or None,
            constraints=constraints,
            const=constant_of(place, self._report),
            nullable="null" in types_of(place),
        )

    def _define_enum(self, place: Place, python: str) -> None:
        scope = names.Scope(f"the enum {python}", self._report)
        members: dict[str, EnumMember] = {}
        listed = place.get("enum")
        values = list(listed.items()) if listed else []
        if not values:
            unsupported(self._report, "an enum without values", place, "enum")
        if "const" in _keys(place) or not set(types_of(place)) <= {"string", "null"}:
            unsupported(
                self._report,
                "an enum beside a constant or of a type other than string",
                place,
                "enum",
            )
        for item in values:
            value = item.value()
            if isinstance(value, str) and value in members:
                self._report.error(
                    "enum-duplicate",
                    f"the enum value {shown(value)} is given twice",
                    item.location,
                    "take one out",
                )
                continue
            if not isinstance(value, str):
                unsupported(
                    self._report, f"the enum value {shown(value)}, which is no text,", place, "enum"
                )
                continue
            python_member = scope.claim(names.constant(value), value, item.location)
            members[value] = EnumMember(value, python_member)
        self._definitions[python] = Enum(
            python, place.pointer, tuple(members.values()), _class_doc(place)
        )

    def _define_record(self, place: Place, python: str) -> None:
        named, parts = self._parts(place)
        above = {record.python for base in named for record in islice(self._lineage(base), 1, None)}
        bases = tuple(base for base in dict.fromkeys(named) if base not in above)
        self._check_bases(bases, place)
        required = {item for part in parts for item in _texts(part, "required")}
        scope = names.Scope(f"the class {python}", self._report)
        properties = tuple(
            self._property(key, part, python, bases, required, scope)
            for part in parts
            for key in _keys(part.get("properties"))
        )
        doc = next((text for part in parts if (text := _class_doc(part))), "")
        known = {field.name for field in properties}
        properties += tuple(
            self._only_required(name, bases, scope, place) for name in sorted(required - known)
        )
        # Classes met inside were defined on the way: the code of what is used stands before its user.
        self._definitions[python] = Record(python, place.pointer, properties, bases, doc)

    def _parts(self, place: Place) -> tuple[tuple[str, ...], list[Place]]:
        """The base classes of an object schema, and the schemas whose properties are its own."""
        bases: list[str] = []
        parts = [place]
        if not set(types_of(place)) <= {"object", "null"} or NO_OBJECT & set(_keys(place)):
            unsupported(self._report, "an object that is also something else", place, "type")
        all_of = place.get("allOf")
        for item in all_of.raw_items() if all_of else ():
            part = self._document.follow(item)
            if not isinstance(part.node, Object):
                unsupported(self._report, "true or false in allOf", place, "allOf")
                continue
            if reference(item.node) is None:
                check_keywords(part, self._report)
                inner_bases, inner_parts = self._parts(part)
                bases += inner_bases
                parts += inner_parts
                continue
            base = self.schema(part, part.key)
            if base.ref and base.ref not in self._definitions:
                unsupported(
                    self._report,
                    f"a recursion through allOf with {shown(part.pointer)}",
                    place,
                    "allOf",
                )
            elif isinstance(self._definitions.get(base.ref or ""), Record) and base.ref:
                bases.append(base.ref)
            else:
                unsupported(
                    self._report,
                    f"allOf with {shown(part.pointer)}, which is no object",
                    place,
                    "allOf",
                )
        return tuple(bases), parts

    def _check_bases(self, bases: tuple[str, ...], place: Place) -> None:
        """Refuse two bases that say different things of one property."""
        seen: dict[str, Property] = {}
        for base in bases:
            lineage = reversed(list(self._lineage(base)))
            for name, field in {f.name: f for record in lineage for f in record.properties}.items():
                known = seen.setdefault(name, field)
                if (known.schema, known.required) != (field.schema, field.required):
                    unsupported(
                        self._report,
                        f"a property {shown(name)} that two bases describe",
                        place,
                        "allOf",
                    )

    def _property(
        self,
        name: str,
        part: Place,
        owner: str,
        bases: tuple[str, ...],
        required: set[str],
        scope: names.Scope,
    ) -> Property:
        properties = part.get("properties") or part
        raw = properties.raw(name) or part
        place = self._document.follow(raw)
        inherited = self._inherited(name, bases)
        schema = self.schema(place, owner + names.pascal(name))
        if schema.const is not None and inherited and inherited.schema.ref:
            schema = self._enum_constant(schema, inherited.schema.ref, place)
        is_required = name in required or (inherited is not None and inherited.required)
        default = place.get("default")
        fill = fill_of(place, name, schema, is_required, self._report) or (
            inherited.fill if inherited else None
        )
        return Property(
            name=name,
            python=scope.claim(names.field(name), name, properties.key_location(name)),
            schema=schema,
            required=is_required,
            doc=place.text("description") if place.pointer == raw.pointer else "",
            has_default=default is not None and not is_required,
            default=(
                default_of(default, schema, self._definitions, self._report) if default else None
            ),
            fill=fill if is_required else None,
            conversation=self._is_conversation(place)
            or (inherited is not None and inherited.conversation),
        )

    def _only_required(
        self, name: str, bases: tuple[str, ...], scope: names.Scope, place: Place
    ) -> Property:
        """A property that the schema requires without describing it: its base's, or one of any type."""
        python = scope.claim(names.field(name), name, place.key_location("required"))
        inherited = self._inherited(name, bases)
        if inherited is None:
            return Property(name, python, Schema(), required=True)
        return replace(inherited, required=True, has_default=False, default=None)

    def _enum_constant(self, schema: Schema, enum: str, place: Place) -> Schema:
        definition = self._definitions.get(enum)
        if not isinstance(definition, Enum):
            return schema
        values = [member.value for member in definition.members]
        if schema.const not in values:
            const = place.get("const") or place
            self._report.error(
                "const-not-in-enum",
                f"{shown(schema.const)} is not among the values of {enum}, which the property also has to be",
                const.location,
                suggestion(str(schema.const), values)
                or f"expected one of {', '.join(map(shown, values))}",
            )
        return replace(schema, ref=enum)

    def _is_conversation(self, place: Place) -> bool:
        mark = place.get(_CONVERSATION)
        if mark is not None and not isinstance(mark.value(), bool):
            self._report.error(
                "unknown-conversation",
                f"{_CONVERSATION} is {shown(mark.value())}, expected true or false",
                mark.location,
                "true on the property whose value the messages of one conversation share",
            )
        return mark is not None and mark.value() is True

    def _constants(self, name: str) -> Iterator[tuple[str, Tag]]:
        for record in self._lineage(name):
            for found in record.properties:
                if found.required and isinstance(found.schema.const, str):
                    yield found.name, Tag(found.schema.const, self._member(found.schema))

    def _member(self, schema: Schema) -> str | None:
        enum = self._definitions.get(schema.ref or "")
        if not isinstance(enum, Enum):
            return None
        return next(
            (
                f"{enum.python}.{member.python}"
                for member in enum.members
                if member.value == schema.const
            ),
            None,
        )

    def _inherited(self, name: str, bases: tuple[str, ...]) -> Property | None:
        lineage = (record for base in bases for record in self._lineage(base))
        return next(
            (found for record in lineage for found in record.properties if found.name == name), None
        )

    def _lineage(self, name: str) -> Iterator[Record]:
        record = self._definitions.get(name)
        if isinstance(record, Record):
            yield record
            for base in record.bases:
                yield from self._lineage(base)

    def _is_component(self, place: Place) -> bool:
        return place.pointer.rpartition("/")[0] == "#/components/schemas"


def _keys(place: Place | None) -> Iterator[str]:
    return iter(place.node.fields) if place and isinstance(place.node, Object) else iter(())


def _class_doc(place: Place) -> str:
    """The description of a class; that of an inline schema stands at the property instead."""
    return "" if "/properties/" in place.pointer else place.text("description")


def _texts(place: Place, name: str) -> Iterator[str]:
    listed = place.get(name)
    for item in listed.items() if listed else ():
        if isinstance(value := item.value(), str):
            yield value
