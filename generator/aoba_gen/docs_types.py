"""A schema of the model in words: what type a value has, as elements with links, and what else is demanded of it."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Sequence
from itertools import groupby
from typing import Final, TypeAlias

from .docs_prose import preformatted
from .element import Child, Element, element
from .model import Fill, Property, Schema

Link: TypeAlias = "Callable[[str], Child]"
"""What a definition's Python name becomes where another one refers to it."""

MOST: Final = 24
"""How many values or members are listed in a line at most."""
_BOUNDS: Final = (
    ("Length", "character"),
    ("Items", "item"),
    ("Properties", "field"),
)
_FILLED: Final = {
    Fill.EMPTY: "an empty object",
    Fill.NOW_MILLISECONDS: "the time of sending",
    Fill.UUID: "a new UUID",
}
_DONE: Final = frozenset(
    {"exclusiveMaximum", "exclusiveMinimum", "maximum", "minimum", "pattern"}
    | {f"{side}{what}" for what, _ in _BOUNDS for side in ("min", "max")}
)


def code(text: str) -> Element:
    """A text as code."""
    return element("code", text)


def value(given: object) -> Element:
    """A JSON value as code, on one line."""
    return code(json.dumps(given, ensure_ascii=False))


def joined(
    parts: Sequence[Sequence[Child]], between: str, last: str | None = None
) -> Iterator[Child]:
    """Parts with texts between them; `last` stands before the last one."""
    for index, part in enumerate(parts):
        if index:
            yield last if last is not None and index == len(parts) - 1 else between
        yield from part


def type_of(schema: Schema, link: Link) -> list[Child]:
    """The type of a value: "integer", "list of Light", "Light or Lamp or null"."""
    found = list(_type(schema, link))
    return [*found, " or null"] if schema.nullable else found


def _type(schema: Schema, link: Link) -> Iterator[Child]:
    if schema.const is not None or schema.literals:
        yield " or ".join(schema.types) or "constant"
    elif schema.ref is not None:
        yield link(schema.ref)
    elif schema.any_of:
        parts: list[list[Child]] = [
            [element("span", *type_of(each, link))] for each in schema.any_of[:MOST]
        ]
        rest = len(schema.any_of) - MOST
        yield from joined([*parts, [f"{rest} more"]] if rest > 0 else parts, " or ")
    elif schema.prefix:
        yield "list of "
        yield from joined([type_of(each, link) for each in schema.prefix], ", then ")
    elif schema.items is not None:
        yield from ("list of ", *_grouped(schema.items, link))
    elif schema.values is not None:
        anything = not type_of(schema.values, link) or schema.values == Schema()
        yield from ("object",) if anything else ("map of ", *_grouped(schema.values, link))
    elif schema.types:
        yield " or ".join("list" if kind == "array" else kind for kind in schema.types)
        if schema.format:
            yield f" ({schema.format})"
    else:
        yield "any value"


def _grouped(schema: Schema, link: Link) -> Iterator[Child]:
    """A type within another one, in brackets where it is a choice."""
    inner = type_of(schema, link)
    yield from ("(", *inner, ")") if schema.any_of or schema.nullable else inner


def demands(schema: Schema) -> Iterator[list[Child]]:
    """What else is demanded of a value, one phrase after the other."""
    if schema.const is not None:
        yield ["always ", value(schema.const)]
    if schema.literals:
        yield ["one of ", *listed(schema.literals)]
    said = dict(schema.constraints)
    yield from _range(said)
    for what, unit in _BOUNDS:
        if words := _count(said.get(f"min{what}"), said.get(f"max{what}"), unit):
            yield [words]
    if (pattern := said.get("pattern")) is not None:
        yield ["matches ", code(str(pattern))]
    for name, given in schema.constraints:
        if name not in _DONE:
            yield _other(name, given)
    if _is_unique(schema):
        yield ["no item twice"]
    if schema.exclusive:
        yield ["exactly one of them"]
    for inner, what in ((schema.items, "each item"), (schema.values, "each value")):
        for phrase in demands(inner) if inner is not None else ():
            yield [f"{what} ", *phrase]


def listed(values: tuple[str | int | float | bool, ...]) -> Iterator[Child]:
    """Values one after the other, and how many more there are."""
    parts: list[list[Child]] = [[value(each)] for each in values[:MOST]]
    rest = len(values) - MOST
    yield from joined([*parts, [f"{rest} more"]] if rest > 0 else parts, ", ")


def checked(schema: Schema) -> Iterator[Element]:
    """What types cannot say, as JSON Schema."""
    checks = dict(schema.checks or {})
    if _is_unique(schema):
        del checks["uniqueItems"]
    if checks:
        yield element("p", "It also has to satisfy:")
        yield preformatted(json.dumps(checks, indent=2, ensure_ascii=False))
    for inner in (schema.items, schema.values):
        yield from checked(inner) if inner is not None else ()


def _is_unique(schema: Schema) -> bool:
    return schema.checks is not None and schema.checks.get("uniqueItems") is True


def notes(field: Property) -> Iterator[list[Child]]:
    """What holds for a field beside its type: its default, who fills it, that a conversation shares it."""
    if field.has_default:
        yield ["default ", value(field.default)]
    if field.fill is not None:
        yield [f"a generated client fills in {_FILLED[field.fill]}"]
    if field.conversation:
        yield ["the same in all messages of a conversation"]


def _range(said: dict[str, int | float | str | bool]) -> Iterator[list[Child]]:
    low, high = said.get("minimum"), said.get("maximum")
    above, below = said.get("exclusiveMinimum"), said.get("exclusiveMaximum")
    if low is not None and high is not None and above is below is None:
        yield [f"{low} to {high}"]
        return
    for limit, words in ((low, "≥"), (above, ">"), (high, "≤"), (below, "<")):
        if limit is not None:
            yield [f"{words} {limit}"]


def _count(low: object, high: object, unit: str) -> str:
    if low == high is not None:
        return f"{high} {unit}{'' if high == 1 else 's'}"
    if low is not None and high is not None:
        return f"{low} to {high} {unit}s"
    if high is not None:
        return f"at most {high} {unit}{'' if high == 1 else 's'}"
    if low is not None and low != 0:
        return f"at least {low} {unit}{'' if low == 1 else 's'}"
    return ""


def _other(name: str, given: int | float | str | bool) -> list[Child]:
    if name == "multipleOf":
        return ["a multiple of ", value(given)]
    return [code(name), " ", value(given)]


def example(given: object, level: int = 0) -> Iterator[Child]:
    """A JSON value over as many lines as it needs, its names and texts marked."""
    pad = "  " * (level + 1)
    if isinstance(given, dict) and given:
        yield "{"
        for index, (name, inner) in enumerate(given.items()):
            yield ",\n" if index else "\n"
            key = json.dumps(name, ensure_ascii=False)
            yield from (pad, element("span", key, class_="key"), ": ", *example(inner, level + 1))
        yield f"\n{pad[2:]}}}"
    elif isinstance(given, list) and given:
        simple = all(isinstance(each, (int, float)) for each in given)
        yield "["
        for index, inner in enumerate(given):
            space = " " if index and simple else "" if simple else f"\n{pad}"
            yield ("," if index else "") + space
            yield from example(inner, level + 1)
        yield "]" if simple else f"\n{pad[2:]}]"
    else:
        kind = "text" if isinstance(given, str) else "value"
        yield element("span", json.dumps(given, ensure_ascii=False), class_=kind)


def merged(children: Iterator[Child]) -> tuple[Child, ...]:
    """The same with texts that follow each other as one."""
    found: list[Child] = []
    for is_text, run in groupby(children, lambda child: isinstance(child, str)):
        found += ["".join(map(str, run))] if is_text else run
    return tuple(found)
