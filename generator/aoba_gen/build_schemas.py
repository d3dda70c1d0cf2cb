"""Schemas of the document -> definitions of the model: every object and enum becomes a class with a name."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Final

from . import names
from .build_defaults import default_of, fill_empty, fill_of
from .diagnostics import Location, Report, shown, suggestion
from .load import Object
from .model import Definition, Enum, EnumMember, Property, Record, Schema, Tag
from .resolve import Document, Place, reference

_ANNOTATIONS: Final = frozenset(
    "$comment $id $schema default deprecated description examples externalDocs readOnly title writeOnly".split()
)
_CONSTRAINTS: Final = (
    "minimum",
    "maximum",
    "exclusiveMinimum",
    "exclusiveMaximum",
    "multipleOf",
    "minLength",
    "maxLength",
    "pattern",
    "minItems",
    "maxItems",
)
_KEYWORDS: Final = _ANNOTATIONS.union(
    _CONSTRAINTS,
    "type enum const format items properties required allOf additionalProperties".split(),
)


class Schemas:
    """The definitions found so far, by class, in the order in which their code stands; and each pointer's class."""

    def __init__(self, document: Document, report: Report) -> None:
        self._document = document
        self._report = report
        self._definitions: dict[str, Definition] = {}
        self._classes: dict[str, str] = {}
        self._scope = names.Scope("models", report)

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
        schema = self.schema(payload, f"{message}Payload")
        if isinstance(self._definitions.get(schema.ref or ""), Record):
            return schema.ref or ""
        self._unsupported("a payload that is no object", payload, "")
        return ""

    def discriminator(self, classes: Sequence[str]) -> tuple[str | None, dict[str, Tag]]:
        """The property that holds a different constant text in each of the classes, and the tag of each class."""
        constants = [dict(self._constants(name)) for name in classes]
        for name in constants[0]:
            tags = [found[name] for found in constants if name in found]
            if len({tag.value for tag in tags}) == len(classes):
                return name, dict(zip(classes, tags, strict=True))
        return None, {}

    def schema(self, place: Place, name: str) -> Schema:
        """What `place` allows; an object or an enum is defined as a class `name` and referred to."""
        if not isinstance(place.node, Object):
            if place.value() is False:
                self._unsupported("a schema that allows nothing", place, "")
            return Schema()
        is_record = (
            "allOf" in place.node.fields
            or "properties" in place.node.fields
            or self._is_component_object(place)
        )
        if not is_record and "enum" not in place.node.fields:
            self._check_keywords(place)
            return self._plain(place, name)
        if place.pointer not in self._classes:
            self._check_keywords(place)
            self._classes[place.pointer] = self._scope.claim(
                names.pascal(name), name, place.location
            )
            if is_record:
                self._define_record(place, self._classes[place.pointer])
            else:
                self._define_enum(place, self._classes[place.pointer])
        return Schema(ref=self._classes[place.pointer], nullable="null" in self._types(place))

    def _plain(self, place: Place, name: str) -> Schema:
        types = self._types(place)
        items = place.get("items")
        const = place.get("const")
        value = const.value() if const else None
        if const and not isinstance(value, (str, int, float, bool)):
            self._unsupported(f"the constant {shown(value)}", place, "const")
            value = None
        return Schema(
            types=tuple(kind for kind in types if kind != "null"),
            items=self.schema(items, name) if items else None,
            format=place.text("format") or None,
            constraints=tuple(self._constraints(place)),
            const=value if isinstance(value, (str, int, float, bool)) else None,
            nullable="null" in types,
        )

    def _define_enum(self, place: Place, python: str) -> None:
        scope = names.Scope(f"the enum {python}", self._report)
        members = []
        listed = place.get("enum")
        for item in listed.items() if listed else ():
            value = item.value()
            if not isinstance(value, str):
                self._unsupported(f"the enum value {shown(value)}, which is no text", place, "enum")
                continue
            members.append(
                EnumMember(value, scope.claim(names.constant(value), value, item.location))
            )
        self._definitions[python] = Enum(python, place.pointer, tuple(members), _class_doc(place))

    def _define_record(self, place: Place, python: str) -> None:
        bases, parts = self._parts(place)
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
        bases, parts = [], [place]
        all_of = place.get("allOf")
        for item in all_of.raw_items() if all_of else ():
            part = self._document.follow(item)
            if reference(item.node) is None:
                self._check_keywords(part)
                parts.append(part)
                continue
            base = self.schema(part, part.key)
            if base.ref and base.ref not in self._definitions:
                self._unsupported(
                    f"a recursion through allOf with {shown(part.pointer)}", place, "allOf"
                )
            elif isinstance(self._definitions.get(base.ref or ""), Record) and base.ref:
                bases.append(base.ref)
            else:
                self._unsupported(
                    f"allOf with {shown(part.pointer)}, which is no object", place, "allOf"
                )
        return tuple(bases), parts

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
        fill = fill_of(place, schema, self._report) or (inherited.fill if inherited else None)
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
        definition = self._definitions.get(enum or "")
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
        record = self._definitions.get(name or "")
        if isinstance(record, Record):
            yield record
            for base in record.bases:
                yield from self._lineage(base)

    def _is_component_object(self, place: Place) -> bool:
        is_component = place.pointer.rpartition("/")[0] == "#/components/schemas"
        return is_component and self._types(place) == ["object"]

    def _types(self, place: Place) -> list[str]:
        kind = place.get("type")
        value = kind.value() if kind else []
        return [str(item) for item in (value if isinstance(value, list) else [value])]

    def _constraints(self, place: Place) -> Iterator[tuple[str, int | float | str | bool]]:
        for keyword in _CONSTRAINTS:
            found = place.get(keyword)
            value = found.value() if found else None
            if isinstance(value, (int, float, str)):
                yield keyword, value

    def _check_keywords(self, place: Place) -> None:
        for keyword, child in place.fields():
            if keyword == "additionalProperties" and child.value() is not True:
                self._unsupported("additionalProperties other than true", place, keyword)
            elif keyword not in _KEYWORDS and not keyword.startswith("x-"):
                self._unsupported(f"the schema keyword {shown(keyword)}", place, keyword)

    def _unsupported(self, what: str, place: Place, keyword: str) -> None:
        location: Location = place.key_location(keyword)
        self._report.error(
            "unsupported-schema",
            f"{what} is valid, but not supported yet",
            location,
            "say it otherwise; the README lists what is supported",
        )


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
