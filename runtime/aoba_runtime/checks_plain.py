"""The keywords of JSON Schema that hold no schemas, as checks of a JSON value."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator, Mapping
from decimal import Decimal
from fractions import Fraction
from itertools import chain
from typing import Any, Final, TypeAlias

from pydantic_core import to_json

from .patterns import searcher

Path: TypeAlias = tuple[int | str, ...]
Failure: TypeAlias = tuple[Path, str]
Check: TypeAlias = Callable[[Any], Iterable[Failure]]
"""Takes a JSON value; gives where in it something is wrong, and what should be there."""
Schema: TypeAlias = Mapping[str, Any]


def run_all(checks: Iterable[Check], value: Any) -> Iterator[Failure]:
    """What any of `checks` finds."""
    return chain.from_iterable(check(value) for check in checks)


def passes(check: Check, value: Any) -> bool:
    """Whether `check` finds nothing."""
    return next(iter(check(value)), None) is None


def under(step: int | str, failures: Iterable[Failure]) -> Iterator[Failure]:
    """`failures` of a member, with the way to it."""
    return (((step, *path), text) for path, text in failures)


_HASHED: Final = 2**53
"""From here on a peer could choose integers that all have one hash, so that each is compared with each other: they are
told apart by their text, whose hash nobody can foresee. Here a float is an integer too."""


def _key(value: Any) -> object:
    """What JSON values share that JSON Schema calls equal: 1 is 1.0, true is not 1."""
    if isinstance(value, bool):
        return bool, value
    if isinstance(value, int | float) and abs(value) >= _HASHED:
        return int, value if value in (math.inf, -math.inf) else hex(int(value))
    if isinstance(value, list):
        return list, *map(_key, value)
    if isinstance(value, dict):
        return dict, frozenset((name, _key(inner)) for name, inner in value.items())
    return value


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


TYPES: Final[dict[str, Callable[[Any], bool]]] = {
    "array": lambda value: isinstance(value, list),
    "boolean": lambda value: isinstance(value, bool),
    "integer": lambda value: _is_number(value) and value == int(value),
    "null": lambda value: value is None,
    "number": _is_number,
    "object": lambda value: isinstance(value, dict),
    "string": lambda value: isinstance(value, str),
}


def demand(fits: Callable[[Any], bool], expected: str) -> Check:
    """A check that a value fits."""

    def check(value: Any) -> Iterable[Failure]:
        return () if fits(value) else [((), f"should be {expected}")]

    return check


def demand_of(kind: Callable[[Any], bool], fits: Callable[[Any], bool], expected: str) -> Check:
    """A check of values of one kind; others pass."""
    return demand(lambda value: not kind(value) or fits(value), expected)


def shown(value: object) -> str:
    text = to_json(value).decode()
    return text if len(text) <= 60 else text[:60] + "..."


def _type(content: Any, schema: Schema) -> Check:
    names = [content] if isinstance(content, str) else content
    tests = [TYPES[name] for name in names if name in TYPES]
    fits_any = len(tests) < len(names)
    return demand(
        lambda value: fits_any or any(test(value) for test in tests),
        "of type " + " or ".join(names),
    )


def _const(content: Any, schema: Schema) -> Check:
    key = _key(content)
    return demand(lambda value: _key(value) == key, shown(content))


def _enum(content: Any, schema: Schema) -> Check:
    keys = set(map(_key, content))
    return demand(lambda value: _key(value) in keys, f"one of {shown(content)[1:-1]}")


def _multiple_of(content: Any, schema: Schema) -> Check:
    return demand_of(_is_number, is_multiple_of(content), f"a multiple of {content}")


def is_multiple_of(step: float) -> Callable[[float], bool]:
    """Whether a number is a multiple of `step`, both taken for the decimal numbers that they are written as."""
    exact = _exact(step)
    return lambda value: (_exact(value) / exact).denominator == 1


def _exact(number: float) -> Fraction:
    return Fraction(Decimal(repr(number)))


def _limit(strict: str, least: bool) -> Callable[[Any, Schema], Check]:
    """A bound of numbers; in draft 4 the keyword `strict` is its flag."""

    def compiled(content: Any, schema: Schema) -> Check:
        excluded = schema.get(strict) is True

        def fits(value: Any) -> bool:
            inside = value > content if least else value < content
            return inside or (value == content and not excluded)

        words = "at least" if least else "at most"
        return demand_of(_is_number, fits, f"{words} {content}" + " and not that itself" * excluded)

    return compiled


def _strict_limit(least: bool) -> Callable[[Any, Schema], Check]:
    def compiled(content: Any, schema: Schema) -> Check:
        if isinstance(content, bool):  # draft 4: said with the bound itself
            return lambda value: ()
        if least:
            return demand_of(_is_number, lambda value: value > content, f"more than {content}")
        return demand_of(_is_number, lambda value: value < content, f"less than {content}")

    return compiled


def _size(name: str, what: str, least: bool) -> Callable[[Any, Schema], Check]:
    kind = TYPES[name]

    def compiled(content: Any, schema: Schema) -> Check:
        if least:
            return demand_of(
                kind, lambda value: len(value) >= content, f"{what} at least {content}"
            )
        return demand_of(kind, lambda value: len(value) <= content, f"{what} at most {content}")

    return compiled


def _unique_items(content: Any, schema: Schema) -> Check:
    def check(value: Any) -> Iterator[Failure]:
        seen: dict[object, int] = {}
        for index, item in enumerate(value if content and isinstance(value, list) else ()):
            first = seen.setdefault(_key(item), index)
            if first != index:
                yield (index,), f"should not be the same as [{first}]"

    return check


def _required(content: Any, schema: Schema) -> Check:
    if isinstance(content, bool):  # draft 3, said of a property
        return lambda value: ()
    return lambda value: missing(value, content, "is required")


def missing(value: Any, names: Iterable[str], text: str) -> Iterator[Failure]:
    """Which of `names` an object has not."""
    if isinstance(value, dict):
        yield from (((name,), text) for name in names if name not in value)


def _pattern(content: Any, schema: Schema) -> Check:
    matches = searcher(content)
    return demand_of(
        TYPES["string"],
        lambda value: matches is None or bool(matches(value)),
        f"text with a match of {content}",
    )


PLAIN: Final[dict[str, Callable[[Any, Schema], Check]]] = {
    "const": _const,
    "enum": _enum,
    "exclusiveMaximum": _strict_limit(least=False),
    "exclusiveMinimum": _strict_limit(least=True),
    "maxItems": _size("array", "an array whose length is", least=False),
    "maxLength": _size("string", "text whose length is", least=False),
    "maxProperties": _size("object", "an object whose number of properties is", least=False),
    "maximum": _limit("exclusiveMaximum", least=False),
    "minItems": _size("array", "an array whose length is", least=True),
    "minLength": _size("string", "text whose length is", least=True),
    "minProperties": _size("object", "an object whose number of properties is", least=True),
    "minimum": _limit("exclusiveMinimum", least=True),
    "multipleOf": _multiple_of,
    "pattern": _pattern,
    "required": _required,
    "type": _type,
    "uniqueItems": _unique_items,
}
