"""A document in the shape of AsyncAPI 3, and the places in it, which follow references by themselves.

The files are never copied: two tables say what some of their nodes look like in that shape, and where some stand in it.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import PurePosixPath
from typing import Literal

from .diagnostics import Location
from .load import Array, Json, Node, Object, Scalar, Source, plain
from .references import Broken, References, Spot, reference, step, unescaped


@dataclass(frozen=True, slots=True)
class Place:
    """A node of the document, and the pointer of where it really stands once references are followed.

    The pointer is that of the file as written: "#/..." in the main document, "other.yaml#/..." in another file.
    """

    node: Node
    pointer: str
    document: Document = field(repr=False, compare=False)

    @property
    def location(self) -> Location:
        """Where the node begins."""
        return self.node.location

    @property
    def version(self) -> str:
        """The version of AsyncAPI in which the file of this place is written."""
        return self.document.references.files.version(self.pointer.partition("#")[0])

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
        return self.document.place(self.node.fields[name], step(self.pointer, name))

    def fields(self) -> Iterator[tuple[str, Place]]:
        """The fields of this object in document order, references followed; nothing where it is no object."""
        return ((name, self.document.follow(child)) for name, child in self.raw_fields())

    def raw_fields(self) -> Iterator[tuple[str, Place]]:
        """The fields of this object as they stand, be they references."""
        if isinstance(self.node, Object):
            for name, child in self.node.fields.items():
                yield name, self.document.place(child, step(self.pointer, name))

    def items(self) -> Iterator[Place]:
        """The items of this array, references followed; nothing where it is no array."""
        return map(self.document.follow, self.raw_items())

    def raw_items(self) -> Iterator[Place]:
        """The items of this array as they stand, be they references."""
        if isinstance(self.node, Array):
            for index, child in enumerate(self.node.items):
                yield self.document.place(child, step(self.pointer, str(index)))

    def siblings(self) -> Iterator[tuple[str, Place]]:
        """What stands beside the `$ref` of a reference; nothing where it is none. The specification has it ignored."""
        if reference(self.node) is not None:
            yield from ((name, child) for name, child in self.raw_fields() if name != "$ref")

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
        """The last step of the pointer: the name under which the node stands; that of the file for a whole file."""
        last = self.pointer.rpartition("/")[2]
        return PurePosixPath(last[:-1]).stem if last.endswith("#") else unescaped(last)


class Shape:
    """What differs between a document as written and its shape in AsyncAPI 3, by the identity of nodes.

    A node may be shown as another one, and may stand elsewhere than where it is found.
    """

    def __init__(self) -> None:
        self._looks: dict[int, Node] = {}
        self._stands: dict[int, str] = {}
        self._kept: list[Node] = []  # so that no identity is given twice

    def show(self, node: Node, shown: Node) -> None:
        """Show `node` as `shown` from now on."""
        self._looks[id(node)] = shown
        self._kept.append(node)

    def shows(self, node: Node) -> bool:
        """Whether `node` is shown as another one, or was decided to be shown as itself."""
        return id(node) in self._looks

    def stand(self, node: Node, pointer: str) -> Node:
        """Let `node`, wherever it is found, stand at `pointer`."""
        self._stands[id(node)] = pointer
        self._kept.append(node)
        return node

    def seen(self, node: Node, pointer: str) -> tuple[Node, str]:
        """What `node`, found at `pointer`, is shown as, and where it stands."""
        found = id(node)
        return self._looks.get(found, node), self._stands.get(found, pointer)


@dataclass(frozen=True, slots=True)
class Document:
    """A document over all its files; an AsyncAPI 3 one, whatever version it is written in, unless it is `as_written`."""

    source: Source
    references: References = field(repr=False, compare=False)
    shape: Shape = field(default_factory=Shape, repr=False, compare=False)
    no_uuids: frozenset[str] = frozenset()
    """The pointers of schemas whose `format: uuid` the document itself contradicts."""

    @property
    def root(self) -> Place:
        """The document itself."""
        return self.place(self.source.root, "#")

    @property
    def as_written(self) -> Document:
        """The same document in the shape of its own version, traits not merged."""
        return Document(self.source, self.references)

    @property
    def version(self) -> str:
        """The version of AsyncAPI in which the main document is written."""
        return self.references.files.version("")

    @property
    def default_side(self) -> Literal["described", "peer"]:
        """Whom the document speaks to: 3.x to the application it describes, 2.x to that application's clients."""
        return "peer" if self.version.startswith("2.") else "described"

    @property
    def files(self) -> Mapping[str, Source]:
        """Every file read, by its path relative to the main document's folder; the main document is ""."""
        return self.references.files.sources

    @property
    def lasting(self) -> bool:
        """Whether the same files will always be the same document."""
        return self.references.files.lasting

    def place(self, node: Node, pointer: str) -> Place:
        """A node as written, or made by the lift, as it looks in this document; `pointer` unless it stands elsewhere."""
        node, pointer = self.shape.seen(node, pointer)
        return Place(node, pointer, self)

    def follow(self, place: Place) -> Place:
        """Where `place` leads: the target of its reference, of that one's, and so on; itself where it is none.

        A reference that leads nowhere, which `resolve` has reported, stays as it is. A remote one leads to `true`.
        """
        if reference(place.node) is None:
            return place
        try:
            end = self.references.arrive(Spot(place.node, place.pointer))
        except Broken:
            return place
        return self.place(end.node, end.pointer)
