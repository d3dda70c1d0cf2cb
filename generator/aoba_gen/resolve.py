"""Source -> Document: one version's shape for all, every reference checked here and followed from here on."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Final
from urllib.parse import unquote

from .diagnostics import Location, Report, shown, suggestion
from .load import Array, Json, Node, Object, Scalar, Source, plain

SUPPORTED_VERSIONS: Final = ("3.0.0",)
_KNOWN_VERSIONS: Final = (
    *(f"2.{minor}.0" for minor in range(7)),
    "3.0.0",
    "3.1.0",
)

_DATA: Final = frozenset({"const", "default", "enum", "examples"})
"""Fields that hold values: a `$ref` in there is no reference."""
_MAPS: Final = frozenset("""
    channels correlationIds definitions externalDocs messageTraits messages operationTraits operations parameters
    patternProperties properties replies replyAddresses schemas securitySchemes serverVariables servers tags variables
    """.split())
"""Fields whose keys are names that the document chose: a property called "default" is no default."""


@dataclass(frozen=True, slots=True)
class Place:
    """A node of the document, and the pointer of where it really stands once references are followed."""

    node: Node
    pointer: str
    document: Document = field(repr=False, compare=False)

    @property
    def location(self) -> Location:
        """Where the node begins."""
        return self.node.location

    def key_location(self, name: str) -> Location:
        """Where the key `name` of this object stands; the object's own place when it has no such key."""
        return (
            self.node.keys.get(name, self.location)
            if isinstance(self.node, Object)
            else self.location
        )

    def get(self, name: str) -> Place | None:
        """The field `name` of this object, references followed; `None` where there is none."""
        child = self.raw(name)
        return None if child is None else self.document.follow(child)

    def raw(self, name: str) -> Place | None:
        """The field `name` of this object as it stands, be it a reference."""
        if not isinstance(self.node, Object) or name not in self.node.fields:
            return None
        return Place(self.node.fields[name], _step(self.pointer, name), self.document)

    def fields(self) -> Iterator[tuple[str, Place]]:
        """The fields of this object in document order, references followed; nothing where it is no object."""
        return ((name, self.document.follow(child)) for name, child in self.raw_fields())

    def raw_fields(self) -> Iterator[tuple[str, Place]]:
        """The fields of this object as they stand, be they references."""
        if isinstance(self.node, Object):
            for name, child in self.node.fields.items():
                yield name, Place(child, _step(self.pointer, name), self.document)

    def items(self) -> Iterator[Place]:
        """The items of this array, references followed; nothing where it is no array."""
        return map(self.document.follow, self.raw_items())

    def raw_items(self) -> Iterator[Place]:
        """The items of this array as they stand, be they references."""
        if isinstance(self.node, Array):
            for index, child in enumerate(self.node.items):
                yield Place(child, _step(self.pointer, str(index)), self.document)

    def value(self) -> Json:
        """The node as plain data."""
        return plain(self.node)

    def text(self, name: str) -> str:
        """The text in field `name`, "" where there is none."""
        child = self.get(name)
        return (
            child.node.value
            if child and isinstance(child.node, Scalar) and isinstance(child.node.value, str)
            else ""
        )

    @property
    def key(self) -> str:
        """The last step of the pointer: the name under which the node stands."""
        return _unescaped(self.pointer.rpartition("/")[2])


@dataclass(frozen=True, slots=True)
class Document:
    """An AsyncAPI 3 document, whatever version its source is written in."""

    source: Source

    @property
    def root(self) -> Place:
        """The document itself."""
        return Place(self.source.root, "#", self)

    def follow(self, place: Place) -> Place:
        """Where `place` leads: the target of its reference, of that one's, and so on; itself where it is none.

        A reference that leads nowhere, which `resolve` has reported, stays as it is.
        """
        try:
            return _arrive(place, set())
        except (_Lost, _Cycle):
            return place


class _Lost(Exception):
    """A pointer that leads nowhere: `place` has no `name`."""

    def __init__(self, place: Place, name: str) -> None:
        self.place = place
        self.name = name


class _Cycle(Exception):
    """References that lead round and round; `pointer` is one of the places."""

    def __init__(self, pointer: str) -> None:
        self.pointer = pointer


def _arrive(place: Place, trail: set[str]) -> Place:
    """The end of the references from `place`; `trail` holds where they have led already."""
    while (pointer := reference(place.node)) is not None:
        if place.pointer in trail:
            raise _Cycle(place.pointer)
        trail.add(place.pointer)
        place = _walk(place.document.root, pointer, trail)
    return place


def _walk(root: Place, pointer: str, trail: set[str]) -> Place:
    place = root
    for token in pointer.removeprefix("#").split("/")[1:]:
        if reference(place.node) is not None:  # on the way, where it may be passed again
            place = _arrive(place, set(trail))
        name = _unescaped(token)
        child = _child(place, name)
        if child is None:
            raise _Lost(place, name)
        place = child
    return place


def reference(node: Node) -> str | None:
    """The pointer in `node`'s `$ref`, `None` where it is no reference."""
    if (
        isinstance(node, Object)
        and isinstance(ref := node.fields.get("$ref"), Scalar)
        and isinstance(ref.value, str)
    ):
        return ref.value
    return None


def resolve(source: Source, report: Report) -> Document:
    """The document in `source`, its broken references reported; raises `Refused` when it is no such document."""
    _check_version(source, report)
    report.raise_errors()
    document = Document(source)
    for place in _references(document.root, names=False):
        _check_reference(place, report)
    return document


def _check_version(source: Source, report: Report) -> None:
    root = source.root
    if not isinstance(root, Object):
        report.error(
            "not-asyncapi",
            f"expected an AsyncAPI document, an object that begins with 'asyncapi', found {shown(plain(root))}",
            root.location,
            f"begin with: asyncapi: {SUPPORTED_VERSIONS[-1]}",
        )
        return
    node = root.fields.get("asyncapi")
    if node is None:
        other = next((name for name in ("openapi", "swagger") if name in root.fields), None)
        found = (
            f"this is an OpenAPI document ({other!r})" if other else "there is no 'asyncapi' field"
        )
        report.error(
            "not-asyncapi",
            f"expected an AsyncAPI document, but {found}",
            root.keys.get(other, root.location) if other else root.location,
            f"an AsyncAPI document says its version first: asyncapi: {SUPPORTED_VERSIONS[-1]}",
        )
        return
    version = plain(node)
    if version in SUPPORTED_VERSIONS:
        return
    if version in _KNOWN_VERSIONS:
        report.error(
            "unsupported-version",
            f"AsyncAPI {version} is not supported yet, expected {' or '.join(SUPPORTED_VERSIONS)}",
            node.location,
            (
                "write 3.0.0 if the document uses nothing that is new in 3.1.0"
                if version == "3.1.0"
                else "convert the document, for example with 'asyncapi convert'"
            ),
        )
        return
    near = (
        suggestion(version, SUPPORTED_VERSIONS)
        if isinstance(version, str)
        else "write it as text: '3.0.0'"
    )
    report.error(
        "unknown-version",
        f"{shown(version)} is no version of AsyncAPI, expected {' or '.join(SUPPORTED_VERSIONS)}",
        node.location,
        near or f"write: asyncapi: {SUPPORTED_VERSIONS[-1]}",
    )


def _references(place: Place, *, names: bool) -> Iterator[Place]:
    """Every reference below `place`; `names` says that its keys are names and not fields."""
    node = place.node
    for item in place.raw_items():
        yield from _references(item, names=False)
    if not isinstance(node, Object):
        return
    if "$ref" in node.fields and not names:
        yield place
        return
    for name, inner in place.raw_fields():
        if names or not (name in _DATA or name.startswith("x-")):
            yield from _references(inner, names=not names and name in _MAPS)


def _check_reference(place: Place, report: Report) -> None:
    assert isinstance(place.node, Object)
    location = place.node.fields["$ref"].location
    pointer = reference(place.node)
    if pointer is None:
        found = shown(plain(place.node.fields["$ref"]))
        report.error(
            "ref-not-text",
            f"a $ref is a pointer in text such as '#/components/schemas/X', not {found}",
            location,
            "put it in quotes: outside of them '#' begins a comment",
        )
        return
    if (
        pointer != "#"
        and not pointer.startswith("#/")
        and not re.search(r"[./]", pointer.partition("#")[0])
    ):
        report.error(
            "ref-dangling",
            f"$ref {shown(pointer)} is no pointer, expected one such as '#/components/schemas/X'",
            location,
            (
                f"did you mean {shown('#/' + pointer.lstrip('#'))}?"
                if pointer.startswith("#")
                else "begin with '#/'"
            ),
        )
        return
    if not pointer.startswith("#"):
        report.error(
            "unsupported-ref",
            f"$ref {shown(pointer)} leads out of this file, which is not supported yet",
            location,
            "bundle the document into one file first",
        )
        return
    try:
        _arrive(place, set())
    except _Cycle as cycle:
        if cycle.pointer == place.pointer:  # else it only leads into the cycle
            report.error(
                "ref-cycle",
                f"$ref {shown(pointer)} leads back to itself and never to a value",
                location,
                "let one of the references on the way be the value itself",
            )
    except _Lost as lost:
        known = list(lost.place.node.fields) if isinstance(lost.place.node, Object) else []
        where = "the document" if lost.place.pointer == "#" else shown(lost.place.pointer)
        listed = f"{where} has {', '.join(map(shown, known[:8]))}" if known else ""
        report.error(
            "ref-dangling",
            f"$ref {shown(pointer)} leads nowhere: {where} has no {shown(lost.name)}",
            location,
            suggestion(lost.name, known) or listed,
        )


def _child(place: Place, name: str) -> Place | None:
    node = place.node
    if isinstance(node, Object) and name in node.fields:
        return Place(node.fields[name], _step(place.pointer, name), place.document)
    if isinstance(node, Array) and name.isdecimal() and int(name) < len(node.items):
        return Place(node.items[int(name)], _step(place.pointer, name), place.document)
    return None


def _step(pointer: str, name: str) -> str:
    return f"{pointer}/{name.replace('~', '~0').replace('/', '~1')}"


def _unescaped(token: str) -> str:
    return unquote(token).replace("~1", "/").replace("~0", "~")
