"""Where a pointer of the model stands in the files that were read: file, line, column."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from .config import Accept
from .diagnostics import Location, Report, shown
from .document import Document
from .load import Array, Node, Object, Scalar, plain
from .references import Spot, step, unescaped

_ACCEPT: Final = "x-aoba-accept"
_DATA: Final = frozenset({"const", "default", "enum", "example", "examples"})
"""Keys below which a document holds values, and says nothing of itself."""


def standing(document: Document, pointer: str) -> str:
    """The pointer of an operation in the file as written, as 2.x has them in channels; any other pointer as it is."""
    name = pointer.removeprefix("#/operations/")
    listed = document.root.get("operations") if name != pointer else None
    place = listed.raw(unescaped(name)) if listed else None
    return place.pointer if place else pointer


def locate(document: Document, pointer: str) -> Location:
    """Where what a pointer names begins, at its key where it has one; of what is not there, what is around it."""
    return _trail(document, pointer)[-1][1]


def acceptances(document: Document, report: Report) -> list[Accept]:
    """What `x-aoba-accept` accepts where it stands, the innermost first; what is wrong with one is reported."""
    found: list[Accept] = []
    for path, source in document.files.items():
        rest: list[tuple[Node, str]] = [(source.root, f"{path}#")]
        while rest:
            node, pointer = rest.pop()
            if isinstance(node, Array):
                rest += ((item, step(pointer, str(index))) for index, item in enumerate(node.items))
            elif isinstance(node, Object):
                for name, child in node.fields.items():
                    if name == _ACCEPT:
                        found += _accepted(child, pointer, report)
                    elif name not in _DATA:
                        rest.append((child, step(pointer, name)))
    return sorted(found, key=lambda one: (-len(one.at), one.place))


def _accepted(node: Node, pointer: str, report: Report) -> Iterator[Accept]:
    if not isinstance(node, Object):
        message = f"{_ACCEPT!r} should be an object of rules with reasons, not {shown(plain(node))}"
        report.error("accept", message, node.location, "such as: field-removed: nobody has sent it")
        return
    for rule, reason in node.fields.items():
        if isinstance(reason, Scalar) and isinstance(reason.value, str) and reason.value.strip():
            yield Accept(rule, pointer, reason.value, node.keys[rule])
        else:
            message = (
                f"the reason to accept {shown(rule)} should be text, not {shown(plain(reason))}"
            )
            report.error("accept", message, node.keys[rule], "say in words why nobody minds")


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
