"""Where a pointer of the model stands in the files that were read: file, line, column."""

from __future__ import annotations

from collections.abc import Iterator

from .diagnostics import Location
from .document import Document
from .load import Array, Node, Object, Scalar
from .references import Spot, unescaped


def standing(document: Document, pointer: str) -> str:
    """The pointer of an operation in the file as written, as 2.x has them in channels; any other pointer as it is."""
    name = pointer.removeprefix("#/operations/")
    listed = document.root.get("operations") if name != pointer else None
    place = listed.raw(unescaped(name)) if listed else None
    return place.pointer if place else pointer


def locate(document: Document, pointer: str) -> Location:
    """Where what a pointer names begins, at its key where it has one; of what is not there, what is around it."""
    return _trail(document, pointer)[-1][1]


def accepted(document: Document, pointer: str, rule: str) -> tuple[str, Location] | None:
    """The reason, and its place, for which `x-aoba-accept` at a pointer or around it accepts what a rule finds."""
    for node, _ in reversed(_trail(document, pointer)):
        if isinstance(node, Object) and isinstance(
            listed := node.fields.get("x-aoba-accept"), Object
        ):
            reason = listed.fields.get(rule)
            if isinstance(reason, Scalar) and isinstance(reason.value, str) and reason.value:
                return reason.value, listed.keys[rule]
    return None


def field_pointer(document: Document, pointer: str, name: str) -> str:
    """The pointer of the field `name` of the object schema at `pointer`, which may stand in a part of it."""
    node = _trail(document, pointer)[-1][0]
    steps = next(_fields(node, name, 8), None)
    return pointer if steps is None else f"{pointer}{steps}"


def _fields(node: Node, name: str, depth: int) -> Iterator[str]:
    """The steps to the description of a property, its own before those of the parts."""
    if not isinstance(node, Object) or not depth:
        return
    listed = node.fields.get("properties")
    if isinstance(listed, Object) and name in listed.fields:
        yield f"/properties/{name.replace('~', '~0').replace('/', '~1')}"
    avro = node.fields.get("fields")
    if isinstance(avro, Array):
        for index, item in enumerate(avro.items):
            told = item.fields.get("name") if isinstance(item, Object) else None
            if isinstance(told, Scalar) and told.value == name:
                yield f"/fields/{index}"
    for group in ("allOf", "oneOf", "anyOf"):
        if isinstance(parts := node.fields.get(group), Array):
            for index, part in enumerate(parts.items):
                yield from (f"/{group}/{index}{steps}" for steps in _fields(part, name, depth - 1))
    for inner in ("schema", "then", "else"):
        if inner in node.fields:
            yield from (
                f"/{inner}{steps}" for steps in _fields(node.fields[inner], name, depth - 1)
            )


def _trail(document: Document, pointer: str) -> list[tuple[Node, Location]]:
    """The nodes from the root of the file to what a pointer names, as far as they are there, and their places."""
    path, _, steps = pointer.partition("#")
    source = document.files.get(path) or document.source
    spot = Spot(source.root, f"{path}#")
    found = [(spot.node, spot.node.location)]
    for token in steps.split("/")[1:]:
        name = unescaped(token)
        child = spot.child(name)
        if child is None:
            break
        keys = spot.node.keys if isinstance(spot.node, Object) else {}
        spot = child
        found.append((child.node, keys.get(name, child.node.location)))
    return found
