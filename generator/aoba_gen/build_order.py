"""In which order definitions stand as code: what is used before its user, in document order where that is free."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Final

from .diagnostics import Report, shown
from .model import Alias, Definition, Enum, Fill, Record, Schema
from .resolve import Place

_DEEPEST: Final = 150
"""How many types may stand inside each other with no class between; JSON text of 200 levels is refused when it arrives."""


def inner_schemas(made: Definition) -> Iterator[Schema]:
    """The schemas that a definition is made of."""
    if isinstance(made, Alias):
        yield made.schema
    elif isinstance(made, Record):
        yield from (field.schema for field in made.properties)
        if made.extras is not None:
            yield made.extras


def refs(schema: Schema, *, direct: bool = False) -> Iterator[str]:
    """The definitions that a schema names; `direct`: those that its value is, and not only holds."""
    if schema.ref is not None:
        yield schema.ref
    inner = list(schema.any_of)
    if not direct:
        inner += [
            kind for kind in (*schema.prefix, schema.items, schema.values) if kind is not None
        ]
    for kind in inner:
        yield from refs(kind, direct=direct)


def ordered(found: Mapping[str, Definition]) -> tuple[Definition, ...]:
    """The definitions, each behind what must exist before it, and if possible behind all that it uses."""
    wanted = {name: list(dict.fromkeys(_uses(made))) for name, made in found.items()}
    needed = {name: list(dict.fromkeys(_needs(made, found))) for name, made in found.items()}
    first = [name for name, made in found.items() if isinstance(made, Alias) and made.recursive]
    done: dict[str, None] = {}
    for name in [*first, *_depth_first(list(found), wanted)]:
        for step in _depth_first([name], needed, done):
            done[step] = None
    return tuple(found[name] for name in done)


def _depth_first(
    names: list[str], edges: Mapping[str, list[str]], done: Mapping[str, None] | None = None
) -> list[str]:
    """The names and all that they lead to, each behind what it leads to unless that leads back."""
    seen = set(done or ())
    order: list[str] = []
    for name in names:
        if name in seen:
            continue
        seen.add(name)
        stack = [(name, iter(edges[name]))]
        while stack:
            current, inner = stack[-1]
            following = next((step for step in inner if step not in seen), None)
            if following is None:
                order.append(current)
                stack.pop()
            else:
                seen.add(following)
                stack.append((following, iter(edges[following])))
    return order


def _uses(made: Definition) -> Iterator[str]:
    if isinstance(made, Record):
        yield from made.bases
    for schema in inner_schemas(made):
        yield from refs(schema)


def _needs(made: Definition, found: Mapping[str, Definition]) -> Iterator[str]:
    """What has to exist when the code of `made` runs."""
    if isinstance(made, Record):
        yield from made.bases
        for field in made.properties:
            if field.fill is Fill.EMPTY:
                yield from refs(field.schema)
            elif field.has_default or field.schema.const is not None:
                yield from _enums(field.schema, found)
    elif isinstance(made, Alias) and not made.recursive:
        yield from refs(made.schema)


def _enums(schema: Schema, found: Mapping[str, Definition]) -> Iterator[str]:
    """The enums of whose members a value of `schema` may be made."""
    waiting = list(refs(schema))
    seen = set(waiting)
    while waiting:
        made = found.get(name := waiting.pop())
        if isinstance(made, Enum):
            yield name
        elif isinstance(made, Alias):
            inner = set(refs(made.schema)) - seen
            seen |= inner
            waiting += sorted(inner)


def mark_recursive(
    found: dict[str, Definition], report: Report, places: Mapping[str, Place]
) -> None:
    """Mark the aliases that lead back to themselves with no class between; refuse those that never hold a value.

    Also refuse those inside of which too many others stand.
    """
    aliases = {name: made for name, made in found.items() if isinstance(made, Alias)}
    holds = {
        name: [ref for ref in refs(made.schema) if ref in aliases] for name, made in aliases.items()
    }
    is_only = {
        name: [ref for ref in refs(made.schema, direct=True) if ref in aliases]
        for name, made in aliases.items()
    }
    for name in _on_rings(is_only):
        place = places.get(name)
        if place is not None:
            report.error(
                "schema-cycle",
                f"{shown(name)} is a choice that leads back to itself with no object or list between",
                place.location,
                "let one of the references on the way be the value itself",
            )
    for name in _on_rings(holds):
        found[name] = replace(aliases[name], recursive=True)
    depths: dict[str, int] = {}
    for name in _depth_first(list(holds), holds):
        schema, place = aliases[name].schema, places.get(name)
        below = max((depths.get(ref, 0) for ref in holds[name]), default=0)
        depths[name] = below + (schema != Schema(ref=schema.ref))
        if place is not None and below == _DEEPEST < depths[name]:
            report.error(
                "too-deep",
                f"in {shown(name)} more than {_DEEPEST} lists, maps or choices stand inside each other",
                place.location,
                "put an object between some of them, or take levels out",
            )


def _on_rings(edges: Mapping[str, list[str]]) -> list[str]:
    """The names from which a way leads back to them: Tarjan's strongly connected components."""
    index: dict[str, int] = {}
    low: dict[str, int] = {}
    open_names: list[str] = []
    is_open: set[str] = set()
    rings: set[str] = set()
    for root in edges:
        if root in index:
            continue
        stack = [(root, iter(edges[root]))]
        index[root] = low[root] = len(index)
        open_names.append(root)
        is_open.add(root)
        while stack:
            name, inner = stack[-1]
            for step in inner:
                if step not in index:
                    index[step] = low[step] = len(index)
                    open_names.append(step)
                    is_open.add(step)
                    stack.append((step, iter(edges[step])))
                    break
                if step in is_open:
                    low[name] = min(low[name], index[step])
            else:
                stack.pop()
                if stack:
                    above = stack[-1][0]
                    low[above] = min(low[above], low[name])
                if low[name] == index[name]:
                    ring = open_names[open_names.index(name) :]
                    del open_names[-len(ring) :]
                    is_open.difference_update(ring)
                    if len(ring) > 1 or name in edges[name]:
                        rings.update(ring)
    return [name for name in edges if name in rings]
