"""The keywords of JSON Schema that hold schemas, as checks of a JSON value."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from itertools import chain
from typing import Any, Final, TypeAlias

from .checks_plain import (
    TYPES,
    Check,
    Failure,
    Schema,
    demand,
    demand_of,
    missing,
    passes,
    run_all,
    shown,
    under,
)
from .patterns import searcher

Compile: TypeAlias = Callable[[Any], Check]
"""Makes a check of a schema in a keyword."""


def _each(check: Check, members: Iterable[tuple[int | str, Any]]) -> Iterator[Failure]:
    for step, inner in members:
        yield from under(step, check(inner))


def _items(content: Any, schema: Schema, compiled: Compile) -> Check:
    """`items`, `prefixItems` and `additionalItems`: each says what the others leave to it."""
    if isinstance(content, list):
        checks = [compiled(inner) for inner in content]
        return lambda value: chain.from_iterable(
            under(index, checks[index](item))
            for index, item in enumerate(value[: len(checks)] if isinstance(value, list) else ())
        )
    first = len(schema.get("prefixItems", ()))
    return _rest_of_items(content, first, compiled)


def _additional_items(content: Any, schema: Schema, compiled: Compile) -> Check:
    tuples = schema.get("items")
    if not isinstance(tuples, list):
        return lambda value: ()
    return _rest_of_items(content, len(tuples), compiled)


def _rest_of_items(content: Any, first: int, compiled: Compile) -> Check:
    check = compiled(content)
    return lambda value: _each(
        check, enumerate(value[first:], first) if isinstance(value, list) else ()
    )


def _contains(content: Any, schema: Schema, compiled: Compile) -> Check:
    check = compiled(content)
    least, most = schema.get("minContains", 1), schema.get("maxContains")

    def fits(value: Any) -> bool:
        found = sum(passes(check, item) for item in value)
        return bool(least <= found and (most is None or found <= most))

    wanted = f"at least {least}" if most is None else f"{least} to {most}"
    return demand_of(TYPES["array"], fits, f"an array with {wanted} of {shown(content)}")


def _properties(content: Any, schema: Schema, compiled: Compile) -> Check:
    checks = {name: compiled(inner) for name, inner in content.items()}

    def check(value: Any) -> Iterator[Failure]:
        for name in value if isinstance(value, dict) else ():
            if name in checks:
                yield from under(name, checks[name](value[name]))

    return check


def _pattern_properties(content: Any, schema: Schema, compiled: Compile) -> Check:
    checks = [(searcher(pattern), compiled(inner)) for pattern, inner in content.items()]

    def check(value: Any) -> Iterator[Failure]:
        for name, inner in value.items() if isinstance(value, dict) else ():
            for matches, fits in checks:
                if matches is not None and matches(name):
                    yield from under(name, fits(inner))

    return check


def _additional_properties(content: Any, schema: Schema, compiled: Compile) -> Check:
    named = schema.get("properties", {})
    patterns = [searcher(pattern) for pattern in schema.get("patternProperties", ())]
    check = compiled(content)
    if None in patterns:  # which names are additional cannot be told
        return lambda value: ()
    return lambda value: _each(
        check,
        [
            (name, inner)
            for name, inner in (value.items() if isinstance(value, dict) else ())
            if name not in named and not any(matches and matches(name) for matches in patterns)
        ],
    )


def _property_names(content: Any, schema: Schema, compiled: Compile) -> Check:
    check = compiled(content)

    def checked(value: Any) -> Iterator[Failure]:
        for name in value if isinstance(value, dict) else ():
            yield from (((name,), f"its name {text}") for _, text in check(name))

    return checked


def _dependencies(content: Any, schema: Schema, compiled: Compile) -> Check:
    """`dependencies`, `dependentRequired` and `dependentSchemas`: what must hold where a property is there."""
    checks = {
        name: _needing(name, inner) if isinstance(inner, list) else compiled(inner)
        for name, inner in content.items()
    }

    def check(value: Any) -> Iterator[Failure]:
        for name in value if isinstance(value, dict) else ():
            if name in checks:
                yield from checks[name](value)

    return check


def _needing(name: str, others: Iterable[str]) -> Check:
    return lambda value: missing(value, others, f"is required where {name} is there")


def _all_of(content: Any, schema: Schema, compiled: Compile) -> Check:
    checks = [compiled(inner) for inner in content]
    return lambda value: run_all(checks, value)


def _any_of(content: Any, schema: Schema, compiled: Compile) -> Check:
    checks = [compiled(inner) for inner in content]
    expected = f"one of the {len(checks)} things that anyOf lists"
    return demand(lambda value: any(passes(check, value) for check in checks), expected)


def _one_of(content: Any, schema: Schema, compiled: Compile) -> Check:
    checks = [compiled(inner) for inner in content]

    def check(value: Any) -> Iterator[Failure]:
        fitting = [number for number, fits in enumerate(checks, 1) if passes(fits, value)]
        if len(fitting) != 1:
            found = "both number " + " and ".join(map(str, fitting)) if fitting else "none"
            yield (), f"should be exactly one of the {len(checks)} things that oneOf lists, is {found}"

    return check


def _not(content: Any, schema: Schema, compiled: Compile) -> Check:
    check = compiled(content)
    return demand(lambda value: not passes(check, value), f"anything but {shown(content)}")


def _if(content: Any, schema: Schema, compiled: Compile) -> Check:
    condition = compiled(content)
    then, otherwise = compiled(schema.get("then", True)), compiled(schema.get("else", True))
    return lambda value: (then if passes(condition, value) else otherwise)(value)


NESTED: Final[dict[str, Callable[[Any, Schema, Compile], Check]]] = {
    "additionalItems": _additional_items,
    "additionalProperties": _additional_properties,
    "allOf": _all_of,
    "anyOf": _any_of,
    "contains": _contains,
    "dependencies": _dependencies,
    "dependentRequired": _dependencies,
    "dependentSchemas": _dependencies,
    "if": _if,
    "items": _items,
    "not": _not,
    "oneOf": _one_of,
    "patternProperties": _pattern_properties,
    "prefixItems": _items,
    "properties": _properties,
    "propertyNames": _property_names,
}
