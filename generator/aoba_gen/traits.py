"""Traits merged into messages and operations, in the order of the document's version.

2.x: each trait is patched onto the object in turn, by JSON Merge Patch (RFC 7386), so a trait wins over the object and
the last trait over all. 3.x (Traits Merge Mechanism): a trait never overrides what the object itself says, so the object
is patched last. Either way objects such as headers are merged to their depth, and what a trait adds is never lost.
"""

from __future__ import annotations

from collections.abc import Sequence

from .document import Place, Shape
from .load import Node, Object, Scalar
from .references import step


def merge_traits(place: Place, shape: Shape) -> Node:
    """The object at `place`, a place as written, with its traits merged into it and the field `traits` gone."""
    node = place.node
    if not isinstance(node, Object) or "traits" not in node.fields:
        return node
    listed = place.get("traits")
    traits = [trait for trait in (listed.items() if listed else ()) if _is_object(trait)]
    order = [place, *traits] if place.version.startswith("2.") else [*traits, place]
    return _merged(order, place.pointer, shape, frozenset())


def _merged(
    order: Sequence[Place], pointer: str, shape: Shape, around: frozenset[frozenset[str]]
) -> Object:
    """Objects patched onto each other in order, standing at `pointer`; what one alone says stands where it says it.

    `around` holds what is being merged further out: where two schemas hold themselves, the one that wins is taken.
    """
    places: dict[str, list[Place]] = {}
    keys = {}
    for patch in order:
        for name, child in patch.raw_fields():
            if name == "traits" or _is_null(child):
                places.pop(name, None)
                continue
            below = places.setdefault(name, [])
            if below and not (_is_object(_end(below[-1])) and _is_object(_end(child))):
                below.clear()
            below.append(child)
            keys[name] = patch.key_location(name)
    fields: dict[str, Node] = {}
    for name, found in places.items():
        ends = {end.pointer: end for end in map(_end, found)}
        if len(ends) == 1 or (pointers := frozenset(ends)) in around:
            fields[name] = shape.stand(found[-1].node, found[-1].pointer)
        else:
            inner = step(pointer, name)
            merged = _merged([*ends.values()], inner, shape, around | {pointers})
            fields[name] = shape.stand(merged, inner)
    return Object(fields, keys, order[-1].location)


def _end(place: Place) -> Place:
    return place.document.follow(place)


def _is_object(place: Place) -> bool:
    return isinstance(place.node, Object)


def _is_null(place: Place) -> bool:
    return isinstance(place.node, Scalar) and place.node.value is None
