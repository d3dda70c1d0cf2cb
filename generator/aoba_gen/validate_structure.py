"""Whether a document has the structure that its version's tables say: every object, field and scalar, each place once."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Final, TypeAlias

from . import names
from .diagnostics import Location, Report, shown, suggestion
from .load import Array, Node, Object, Scalar, plain
from .resolve import Document, Place, reference
from .shapes import Shape, Table, Tables, shape_of
from .shapes_2 import V2_0, V2_1, V2_2, V2_3, V2_4, V2_5, V2_6
from .shapes_3 import V3_0, V3_1
from .values_plain import TYPES

VERSIONS: Final[Mapping[str, Tables]] = {
    f"{tables.version}.0": tables
    for tables in (V2_0, V2_1, V2_2, V2_3, V2_4, V2_5, V2_6, V3_0, V3_1)
}
"""The tables by the version that a document states."""

_EXTENSION: Final = re.compile(r"x-[\w.-]+")
_DATA: Final = ("anything", "an object")
_SCHEMAS: Final = ("Schema", "JsonSchema")
_REFERENCE: Final = shape_of("Reference")
_TEXT: Final = shape_of("text")


Found: TypeAlias = dict[str, list[Place]]
"""The places of objects by the names of their tables."""


def check_structure(document: Document, report: Report) -> Found:
    """Report what the tables of the document's version do not allow, and say what stands where.

    `document` is as written, before any lift. A referred file of another version is held against that one's tables.
    """
    found: Found = {}
    structure = _Structure(document.version, report, set(), found)
    structure.check(document.root, shape_of("Document"), "the document")
    return found


class _Structure:
    """Checks every object against its table."""

    def __init__(
        self, version: str, report: Report, seen: set[tuple[str, Shape]], found: Found
    ) -> None:
        self._version = version
        self._tables = VERSIONS[version]
        self._report = report
        self._seen = seen
        self._found = found

    def check(self, raw: Place, shape: Shape, what: str, parent: Object | None = None) -> None:
        """Check what stands at `raw`, in `parent`, and all below; `what` names it in messages."""
        place = raw
        if shape == _REFERENCE:
            self._check_reference(raw, what)
            return
        if shape.kind == "one" and shape.name.endswith(("Items", "Dependency")):
            shape = _listed(shape.name, raw.node)
        if reference(raw.node) is not None and shape.name not in _DATA:
            if not self._may_refer(raw, shape, what):
                return
            place = raw.document.follow(raw)
            if reference(place.node) is not None:  # leads nowhere, which has been reported
                return
            if place.version != self._version:
                other = _Structure(place.version, self._report, self._seen, self._found)
                other.check(place, shape, what, parent)
                return
        if shape.kind == "one":
            shape = shape_of(self._variant(shape.name, place.node, parent))
        if (seen := (place.pointer, shape)) not in self._seen:
            self._seen.add(seen)
            self._check_place(place, shape, what)

    def _variant(self, name: str, node: Node, parent: Object | None) -> str:
        """What stands here where `name` means one of several."""
        fields = node.fields if isinstance(node, Object) else {}
        if name == "AnySchema":
            is_wrapped = "schema" in fields or "schemaFormat" in fields
            return "MultiFormatSchema" if is_wrapped else "Schema"
        if name == "Formatted":
            return _formatted(parent)
        if name == "Message" and "oneOf" in fields and "MessageOneOf" in self._tables.objects:
            return "MessageOneOf"
        if name == "SecurityScheme" and isinstance(kind := fields.get("type"), Scalar):
            return (
                f"{name} {kind.value}" if f"{name} {kind.value}" in self._tables.objects else name
            )
        return name

    def _check_place(self, place: Place, shape: Shape, what: str) -> None:
        node, inner = place.node, shape.inner
        if shape.kind == "map":
            if self._is(
                place, Object, f"{what} should be an object that maps names to {_several(inner)}"
            ):
                kind = _worded(inner)
                for name, child in place.raw_fields():
                    self.check(child, inner, f"{kind} {shown(name)}")
        elif shape.kind == "list":
            if self._is(place, Array, f"{what} should be a list"):
                if shape.filled and not plain(node):
                    self._report.error(
                        "empty-list", f"{what} is empty", place.location, "name at least one"
                    )
                for child in place.raw_items():
                    self.check(child, inner, f"an item of {what}")
        elif shape.name in _DATA:
            if shape.name == "an object":
                self._is(place, Object, f"{what} should be an object")
        elif shape.name == "SchemaType":
            self._check_type(place, what)
        elif shape.name in _SCHEMAS and isinstance(node, Scalar) and isinstance(node.value, bool):
            pass  # true allows anything, false nothing
        elif (fields := self._tables.objects.get(shape.name)) is not None:
            if self._is(place, Object, f"{what} should be an object"):
                self._check_fields(place, shape.name, fields, what)
        elif not (isinstance(node, Scalar) and shape.allows(node.value)):
            self._wrong(place, f"{what} should be {_worded(shape)}", shape)

    def _check_fields(self, place: Place, name: str, table: Table, what: str) -> None:
        node = place.node
        assert isinstance(node, Object)
        self._found.setdefault(name, []).append(place)
        for key, value in node.fields.items():
            if (shape := table.fields.get(key)) is not None:
                is_fine = isinstance(value, Scalar) and _takes(shape, value)
                child = None if is_fine else place.raw(key)  # most fields are scalars, and right
                if child is not None:
                    self.check(child, shape, f"{key!r} of {what}", node)
            elif not (table.open or key == "$ref" or _EXTENSION.fullmatch(key)):
                self._unknown(place, key, name, table, what)
        for key in table.required:
            if key not in node.fields:
                self._report.error(
                    "missing-field",
                    f"{what} has no {key!r}, which is required",
                    place.location,
                    f"add '{key}:'",
                )
        if table.some and not any(key in node.fields for key in table.some):
            listed = " nor ".join(map(repr, table.some))
            self._report.error(
                "missing-field", f"{what} has neither {listed}", place.location, "add one of them"
            )
        for key in table.never:
            if key in node.fields:
                self._report.error(
                    "unknown-field",
                    f"{what} has a field {key!r}, which it cannot have",
                    place.key_location(key),
                    "remove it",
                )

    def _unknown(self, place: Place, key: str, name: str, table: Table, what: str) -> None:
        """Report a field that the version does not know, and take it all the same if a later minor version does."""
        known_by = [
            tables
            for tables in VERSIONS.values()
            if (other := tables.objects.get(name)) and key in other.fields
        ]
        child = place.raw(key)
        for tables in known_by:
            if child and tables.major == self._tables.major:
                self._newer(f"field {shown(key)} of {what}", tables, place.key_location(key))
                self.check(child, tables.objects[name].fields[key], f"{key!r} of {what}")
                return
        near = suggestion(key, table.fields)
        whole = self._tables.objects.get(name.removesuffix("Trait"), table).fields.get(key)
        if child and whole:
            self.check(child, whole, f"{key!r} of {what}")
            near = f"a trait cannot have {key!r}: give it to what uses the trait"
        elif known_by and not near:
            near = f"AsyncAPI {known_by[0].major}.x knows it"
        self._report.error(
            "unknown-field",
            f"{what} has a field {shown(key)}, which AsyncAPI {self._tables.version} does not know",
            place.key_location(key),
            near or f"known are {', '.join(table.fields)}; your own begin with 'x-'",
        )

    def _newer(self, what: str, tables: Tables, location: Location) -> None:
        self._report.warn(
            "newer-version",
            f"{what} came with AsyncAPI {tables.version}, and this is {self._tables.version}",
            location,
            f"write: asyncapi: {tables.version}.0",
        )

    def _check_type(self, place: Place, what: str) -> None:
        value = place.value()
        items = value if isinstance(value, list) else [value]
        if not items:
            self._report.error(
                "empty-list", f"{what} is empty", place.location, "name at least one"
            )
        for item in items:
            if item is None:
                self._report.error(
                    "unknown-type",
                    f"{what} is null, expected text",
                    place.location,
                    "write 'null' in quotes",
                )
            elif not isinstance(item, str) or item not in TYPES:
                self._report.error(
                    "unknown-type",
                    f"{what} is {shown(item)}, expected one of {', '.join(TYPES)}",
                    place.location,
                    suggestion(str(item), TYPES) or "write one of them",
                )

    def _check_reference(self, raw: Place, what: str) -> None:
        if reference(raw.node) is None:
            found = plain(raw.node)
            root = raw.document.root
            named = [
                meant.pointer
                for kind in ("channels", "servers")
                if isinstance(found, str)
                if (holder := root.get(kind)) and (meant := holder.raw(found))
            ]
            self._report.error(
                "not-a-reference",
                f"{what} should be a reference, not {shown(found)}",
                raw.location,
                f"write: $ref: '{(named or ['#/...'])[0]}'",
            )

    def _may_refer(self, raw: Place, shape: Shape, what: str) -> bool:
        if shape.kind == "one" and shape.name in self._tables.referable:
            return True
        if shape == _TEXT and raw.document.follow(raw).pointer.endswith(
            (".md#", ".markdown#", ".txt#")
        ):
            return True  # a text in a file of its own, as bundlers and the reference parser have it
        for tables in VERSIONS.values() if shape.kind == "one" else ():
            if tables.major == self._tables.major and shape.name in tables.referable:
                self._newer(f"a reference as {what}", tables, raw.location)
                return True
        self._report.error(
            "misplaced-reference",
            f"{what} is a reference, which AsyncAPI {self._tables.version} does not allow here",
            raw.location,
            "write it out, or put it in a list" if shape.kind == "list" else "write it out",
        )
        return False

    def _is(self, place: Place, kind: type[Object] | type[Array], expected: str) -> bool:
        if isinstance(place.node, kind):
            return True
        self._wrong(place, expected)
        return False

    def _wrong(self, place: Place, expected: str, shape: Shape | None = None) -> None:
        value = plain(place.node)
        hint = "write that, or remove it"
        if value is None:
            hint = "fill it in, or remove it"
        elif "should be text" in expected and isinstance(value, (int, float)):
            hint = f"put it in quotes: '{shown(value)}'"
        elif shape and shape.choices:
            hint = suggestion(str(value), shape.choices) or "write one of them"
        elif "should be a list" in expected:
            hint = "begin each item with '- '"
        elif "should be an object" in expected:
            hint = "write fields and their values, such as 'name: value'"
        self._report.error("wrong-type", f"{expected}, not {shown(value)}", place.location, hint)


def _takes(shape: Shape, value: Scalar) -> bool:
    """Whether a scalar is all that should stand here."""
    return value.value in TYPES if shape.name == "SchemaType" else shape.allows(value.value)


def _formatted(parent: Object | None) -> str:
    """What stands beside the `schemaFormat` of `parent`; only what is near to JSON Schema is looked into."""
    given = parent.fields.get("schemaFormat") if parent else None
    text = str(given.value).lower() if isinstance(given, Scalar) else "vnd.aai.asyncapi"
    if "vnd.aai.asyncapi" in text:
        return "Schema"
    return "JsonSchema" if re.search(r"schema\+(json|yaml)|vnd\.oai\.openapi", text) else "anything"


def _listed(name: str, node: Node) -> Shape:
    """The shape of a field that may be a list or not."""
    if name.endswith("Items"):
        inner = name.removesuffix("Items")
        return shape_of(f"[{inner}]+" if isinstance(node, Array) else inner)
    return shape_of("[text]" if isinstance(node, Array) else name.removesuffix("Dependency"))


def _worded(shape: Shape) -> str:
    """The shape in words: "server variable", "'send' or 'receive'"."""
    if shape.choices:
        listed = map(repr, shape.choices)
        return " or ".join(listed) if len(shape.choices) < 4 else f"one of {', '.join(listed)}"
    if shape.kind != "one":
        return f"{'list' if shape.kind == 'list' else 'map'} of {_worded(shape.inner)}"
    if shape.name.startswith(("AnySchema", "JsonSchema", "Schema")):
        return "schema"
    return " ".join(names.words(shape.name)).lower() if shape.name.isalpha() else shape.name


def _several(shape: Shape) -> str:
    return "text" if shape.name == "text" else f"{_worded(shape)}s"
