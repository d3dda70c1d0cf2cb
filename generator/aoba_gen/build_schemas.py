"""Schemas of the document -> definitions of the model: objects, enums and whatever is referred to get a name."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Final

from . import names
from .build_avro import Avro
from .build_defaults import Default, fill_empty, settle_defaults
from .build_facts import Facts, Part, essential, follow
from .build_formats import format_of
from .build_keywords import warn_unknown
from .build_order import mark_recursive, ordered
from .build_records import Records
from .build_types import NOTHING, is_map, plain_schema, takes_id
from .build_unions import (
    Discriminated,
    common_tag,
    finish_unions,
    narrow_tags,
    tags_of,
    takes,
)
from .build_values import enum_of, is_enum
from .diagnostics import Report, shown
from .load import Object, Scalar
from .model import Alias, Definition, Enum, Property, Record, Schema, Tag
from .resolve import Document, Place, reference

_MAPS: Final = ("schemas", "definitions", "$defs")
"""What holds schemas by name."""


class Schemas:
    """The definitions found so far, by Python name, and what each schema of the document is called."""

    def __init__(self, document: Document, report: Report) -> None:
        self._document = document
        self.report = report
        self.found: dict[str, Definition] = {}
        self._known: dict[tuple[str, ...], Schema] = {}
        self._components: dict[str, str] = {}
        self._scope = names.Scope("models", report)
        self.exclusive: set[str] = set()
        self.discriminated: list[Discriminated] = []
        self._first: list[str] = []
        self._looked: set[str] = set()
        self._avro_known: dict[str, Schema] = {}
        self._avro_types: dict[tuple[str, str], Schema] = {}
        self._records = Records(self)

    def define_components(self) -> None:
        """Define every schema among the components, used or not, under its own name."""
        components = self._document.root.get("components")
        schemas = components.get("schemas") if components else None
        listed = list(schemas.raw_fields()) if schemas else []
        for name, raw in sorted(listed, key=lambda item: names.pascal(item[0]) != item[0]):
            python = self._scope.settle(name, raw.location, names.pascal(name))
            self._components[raw.pointer] = python
        for (
            _,
            raw,
        ) in listed:  # what stands elsewhere, as in another file, has the name that it has here
            target = self._document.follow(raw).pointer
            self._components.setdefault(target, self._components[raw.pointer])
        self._first = [self._components[raw.pointer] for _, raw in listed]
        for name, raw in listed:
            python = self._components[raw.pointer]
            schema = self.at(raw, python, is_record=True)
            if schema.ref != python:  # a reference to another, or true or false
                self.found[python] = Alias(python, raw.pointer, schema, raw.text("description"))

    def definitions(self) -> tuple[Definition, ...]:
        """Every definition in the order of its code, with what only shows when all are known."""
        self._records.complete_all()
        mark_recursive(self.found, self.report, self.places)
        narrow_tags(self.found, self.discriminated)
        finish_unions(self.found, self.report, self.places, self.exclusive)
        self.found = settle_defaults(self.found, self._records.defaults, self.report)
        while (filled := fill_empty(self.found)) != self.found:
            self.found = filled
        return ordered({name: self.found[name] for name in (*self._first, *self.found)})

    def payload(self, raw: Place, name: str) -> str:
        """The Python name in `models` of the payload at `raw`, a schema or {schemaFormat, schema}.

        `name` is what to call it where it stands inline; one that is referred to has a name of its own, in whatever
        file it stands. "bytes", after a warning, for a format that is not read.
        """
        place = follow(raw).place
        if format_of(place) == "":
            self._warn_format(place)
            return "bytes"
        schema = self.at(raw, names.pascal(name), is_record=True)
        inner = place.raw("schema") if format_of(place) != "plain" else None
        return self._named(schema, place, name, _unread(inner or raw))

    def headers(self, raw: Place, name: str) -> str:
        """The Python name in `models` of the record of the headers at `raw`."""
        return self.payload(raw, name)

    def _named(self, schema: Schema, place: Place, name: str, doc: str) -> str:
        """A name for `schema`: its own, where it is no more than that."""
        if schema == Schema(ref=schema.ref) and schema.ref is not None:
            return schema.ref
        wanted = f"{schema.ref}OrNull" if schema == Schema(ref=schema.ref, nullable=True) else name
        for made in self.found.values():
            if isinstance(made, Alias) and made.pointer == place.pointer and made.schema == schema:
                return made.python
        return self.define_alias(wanted, place, schema, doc)

    def define_alias(self, wanted: str, place: Place, schema: Schema, doc: str = "") -> str:
        """Give a type a name; returns that."""
        python = self._scope.settle(wanted, place.location, names.pascal(wanted))
        self.found[python] = Alias(python, place.pointer, schema, class_doc(place) or doc)
        self.places[python] = place
        return python

    def conversation(self, name: str) -> str | None:
        """The required field of a class whose value the messages of one conversation share."""
        fields = (field for record in self._records.lineage(name) for field in record.properties)
        return next(
            (field.python for field in fields if field.conversation and field.required), None
        )

    def demands(self, name: str, filled: str = "") -> bool:
        """Whether a class cannot be made without arguments; not if all it requires is `filled`, and that takes any id."""
        fields: dict[str, Property] = {}
        for record in self._records.lineage(name):
            for field in record.properties:
                fields.setdefault(field.name, field)
        required = [field for field in fields.values() if field.required]
        if [field.name for field in required] == [filled] and takes_id(required[0].schema):
            return False
        return any(
            field.required and field.fill is None and field.schema.const is None
            for field in fields.values()
        )

    def discriminator(self, classes: Sequence[str]) -> tuple[str | None, dict[str, list[Tag]]]:
        """The property that holds other constants in each of the classes, and the tags of each class."""
        self._records.complete_all()
        found = [tags_of(name, self.found) for name in classes]
        for prop in found[0] if found else ():
            tags = [tags[prop] for tags in found if prop in tags]
            values = [(isinstance(tag.value, bool), tag.value) for each in tags for tag in each]
            if len(tags) == len(classes) and len(set(values)) == len(values):
                return prop, dict(zip(classes, tags, strict=True))
        return None, {}

    def common_field(self, classes: Sequence[str]) -> str | None:
        """The Python field by which pydantic tells the classes apart."""
        is_class = all(isinstance(self.found.get(name), Record) for name in classes)
        return common_tag(list(classes), self.found) if is_class else None

    def takes(self, first: str, second: str) -> bool:
        """Whether a plain value of the type `second` is one of `first` too."""
        return takes(Schema(ref=first), Schema(ref=second), self.found)

    def field_at(self, name: str, pointer: str) -> str | None:
        """The Python fields ("a.b") to which the JSON pointer "/a/b" leads inside of `name`; `None` if nowhere."""
        self._records.complete_all()
        fields = []
        for step in pointer.split("/")[1:]:
            step = step.replace("~1", "/").replace("~0", "~")
            name = self._class_of(name)
            known = (f for record in self._records.lineage(name) for f in record.properties)
            found = next((field for field in known if field.name == step), None)
            if found is None:
                return None
            fields.append(found.python)
            name = found.schema.ref or ""
        return ".".join(fields) or None

    def _class_of(self, name: str) -> str:
        made = self.found.get(name)
        while isinstance(made, Alias) and made.schema.ref:
            name = made.schema.ref
            made = self.found.get(name)
        return name

    def is_text(self, name: str) -> bool:
        """Whether every value of the type `name` is text."""
        made = self.found.get(self._class_of(name))
        if isinstance(made, Alias):
            return made.schema.types == ("string",) and not made.schema.nullable
        return isinstance(made, Enum)

    def at(self, raw: Place, name: str, *, is_record: bool = False) -> Schema:
        """What the schema at `raw` allows; `name` is what to call it where it stands inline and needs a name.

        An object that describes no properties becomes a class among the components, or where `is_record` says so.
        """
        part = follow(raw)
        kind = format_of(part.place)
        if kind == "":
            self._warn_format(part.place)
            return Schema()
        if kind == "avro":
            return self._avro(raw, part.place, name)
        if kind == "wrapped":
            inner = part.place.raw("schema")
            assert inner is not None
            if raw.pointer in self._components:
                self._components[inner.pointer] = self._components[raw.pointer]
            return self.at(inner, name, is_record=is_record)
        if not isinstance(part.place.node, Object):
            return NOTHING if part.place.value() is False else Schema()
        return self.together((part,), name, is_record=is_record)

    def together(
        self, roots: Sequence[Part], name: str, *, is_record: bool = False, only: str | None = None
    ) -> Schema:
        """What several schemas allow together; `only` leaves one of the JSON types that they allow."""
        roots = essential(roots)
        component = None if only else self._component(roots)
        if len(roots) == 1 and component is None and not roots[0].by_ref and not only:
            inner = _passed_through(roots[0])
            if inner is not None:
                return self.at(inner, name, is_record=is_record)
        key = (*(root.key for root in roots), only or "")
        if key in self._known:
            return self._known[key]
        facts = Facts(roots, self.report, only)
        for part in facts.parts:
            if part.place.pointer not in self._looked:
                self._looked.add(part.place.pointer)
                warn_unknown(part.place, self.report)
        place = roots[0].place
        by_ref = len(roots) == 1 and roots[0].by_ref and not roots[0].without and not only
        is_named = component is not None or by_ref
        if is_named and component is None:
            name = _own_name(place, self._components)
        nullable = "null" in (facts.kinds or ())
        if self.is_class(facts, is_record=is_record or component is not None):
            python = component or self._scope.settle(name, place.location, names.pascal(name))
            self._known[key] = Schema(ref=python, nullable=nullable)
            self._records.define_later(python, facts)
        elif not facts.is_impossible and is_enum(facts):
            python = component or self._scope.settle(name, place.location, names.pascal(name))
            made = enum_of(facts, python, class_doc(place), self.report)
            self.found[python] = made
            nullable = any(item.value() is None for item in facts.values or ())
            self._known[key] = Schema(ref=python, nullable=nullable)
        elif is_named:
            python = component or self._scope.settle(name, place.location, names.pascal(name))
            self._known[key] = Schema(ref=python)
            self.places[python] = place
            schema = plain_schema(self, facts, python)
            self.found[python] = Alias(python, place.pointer, schema, place.text("description"))
        else:
            self._known[key] = self.held(plain_schema(self, facts, name), place, name)
        return self._known[key]

    def bare(self, schema: Schema) -> Schema:
        """The schema behind names that stand for no more than a type."""
        made = self.found.get(schema.ref or "")
        return self.bare(made.schema) if isinstance(made, Alias) else schema

    def known(self, part: Part) -> str | None:
        """What a schema is called, if anything."""
        if part.by_ref and (part.key, "") not in self._known:
            self.together((part,), "")
        found = self._known.get((part.key, ""))
        return found.ref if found else None

    def needs_name(self, schema: Schema) -> bool:
        """Whether a union is of classes, so that how they are told apart has to be said."""
        refs = [self.found.get(member.ref or "") for member in schema.any_of]
        return (
            sum(
                member.ref is not None and not isinstance(made, Enum)
                for member, made in zip(schema.any_of, refs, strict=True)
            )
            > 1
        )

    def kinds(self, schema: Schema) -> set[str]:
        """The JSON types of a schema's values, as far as they are known yet."""
        if schema.ref is None:
            return set(schema.types)
        made = self.found.get(schema.ref)
        if isinstance(made, Enum):
            return {"string"}
        if isinstance(made, Alias):
            return self.kinds(made.schema)
        return {"object"} if schema.ref in self.places else set()

    def is_class(self, facts: Facts, *, is_record: bool = False) -> bool:
        """Whether what the facts describe becomes a class."""
        if facts.groups or facts.values is not None:
            return False
        if set(facts.kinds or ()) - {"null"} != {"object"} or facts.is_impossible:
            return False
        return bool(facts.properties or facts.required) or (is_record and not is_map(facts))

    def is_base(self, part: Part) -> bool:
        """Whether a schema in allOf becomes a base class."""
        if not part.by_ref or not isinstance(part.place.node, Object):
            return False
        facts = Facts((part,), self.report)
        return self.is_class(facts, is_record=True) and "null" not in (facts.kinds or ())

    def _component(self, roots: Sequence[Part]) -> str | None:
        """The name of a component of the main document."""
        if len(roots) != 1 or roots[0].without:
            return None
        return self._components.get(roots[0].place.pointer)

    def _warn_format(self, place: Place) -> None:
        self.report.warn(
            "schema-format",
            f"schemas of the format {shown(place.text('schemaFormat'))} are not read: the payload is bytes as they are",
            place.key_location("schemaFormat"),
            "describe the payload in JSON Schema or Avro to get a model of it",
        )

    def _avro(self, raw: Place, place: Place, name: str) -> Schema:
        if place.pointer in self._avro_known:
            return self._avro_known[place.pointer]
        inner = place.get("schema")
        component = name if raw.pointer in self._components else ""
        schema = Avro(self, self._avro_types).schema(inner, component) if inner else Schema()
        self._avro_known[place.pointer] = self.held(schema, place, name)
        return self._avro_known[place.pointer]

    def claim(self, wanted: str, place: Place) -> str:
        """A name in models for what stands at `place`."""
        return self._scope.settle(wanted, place.location, names.pascal(wanted))

    def held(self, schema: Schema, place: Place, name: str) -> Schema:
        """`schema` as it may stand inside of another: a union of classes by a name."""
        if not self.needs_name(schema):
            return schema
        alias = self.define_alias(name, place, replace(schema, nullable=False))
        return Schema(ref=alias, nullable=schema.nullable)

    def note_default(self, owner: str, name: str, default: Default) -> None:
        """Say where the default of a property stands, which is looked at when all classes are known."""
        self._records.defaults[owner, name] = default

    @property
    def places(self) -> dict[str, Place]:
        """Where each definition stands."""
        return self._records.places


def _unread(raw: Place) -> str:
    """What to say of a schema that was not read, because it lies elsewhere."""
    ref = reference(raw.node)
    remote = ref is not None and isinstance(follow(raw).place.node, Scalar)
    return f"Any value: {ref} was not read." if remote else ""


def class_doc(place: Place) -> str:
    """The description of a class; that of an inline schema stands at the property instead."""
    return "" if "/properties/" in place.pointer else place.text("description")


def _passed_through(root: Part) -> Place | None:
    """The one schema that an inline one with nothing but texts around it stands for."""
    keywords = list(root.keywords())
    if len(keywords) == 1 and keywords[0] in ("allOf", "anyOf", "oneOf"):
        listed = root.get(keywords[0])
        members = list(listed.raw_items()) if listed else []
        return members[0] if len(members) == 1 else None
    return None


def _own_name(place: Place, components: dict[str, str]) -> str:
    """What a schema is called that stands where `place` says and is referred to from elsewhere."""
    file, _, path = place.pointer.partition("#")
    parents = path.split("/")[1:-1]
    if not parents or parents[-1] in _MAPS:
        return names.pascal(place.key or "Root")
    steps: list[str] = []
    pointer = place.pointer
    while pointer != f"{file}#" and pointer not in components:
        pointer, _, token = pointer.rpartition("/")
        steps.append(token)
        if len(steps) > 1 and token in ("messages", *_MAPS):
            steps.pop()
            break
    owner = components.get(pointer, "")
    words = [
        "Item" if step == "items" else step for step in reversed(steps) if step != "properties"
    ]
    return owner + "".join(names.pascal(word.replace("~1", "/")) for word in words)
