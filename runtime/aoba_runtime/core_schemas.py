"""pydantic's core schemas made to take what JSON Schema takes, no more and no less; they know no model of ours."""

from __future__ import annotations

import math
from collections.abc import Callable
from enum import Enum
from functools import partial
from typing import Any, Final

from pydantic import ValidatorFunctionWrapHandler
from pydantic_core import CoreSchema, PydanticCustomError, core_schema

from .checks_plain import is_multiple_of

_NO_SCHEMAS: Final = frozenset(
    {"cls", "config", "default", "expected", "function", "metadata", "serialization"}
)
"""The keys of a core schema whose values hold no core schemas."""


def rewritten(
    schema: Any,
    change: Callable[[dict[str, Any]], dict[str, Any]],
    is_done: Callable[[dict[str, Any]], bool] = lambda _: False,
) -> Any:
    """`schema` with `change` made to each core schema in it, the inner ones first; those that `is_done` stay as they are.

    Without recursion: a chain of a thousand classes is as deep.
    """
    found: dict[int, Any] = {}
    waiting = [schema]
    while waiting:
        node = waiting[-1]
        is_schema = isinstance(node, dict) and isinstance(node.get("type"), str)
        if id(node) in found or (is_schema and is_done(node)):
            found.setdefault(id(waiting.pop()), node)
            continue
        inside: dict[Any, Any] = dict(node) if isinstance(node, dict) else dict(enumerate(node))
        inner = {
            key: value
            for key, value in inside.items()
            if isinstance(value, dict | list | tuple) and not (is_schema and key in _NO_SCHEMAS)
        }
        unknown = [value for value in inner.values() if id(value) not in found]
        if unknown:
            waiting += unknown
            continue
        waiting.pop()
        inside |= {key: found[id(value)] for key, value in inner.items()}
        if is_schema:
            found[id(node)] = change(inside)
        else:  # the fields of a model, the choices of a union
            found[id(node)] = inside if isinstance(node, dict) else type(node)(inside.values())
    return found[id(schema)]


def exact_constant(schema: dict[str, Any]) -> dict[str, Any]:
    """`schema` if it is no literal or enum; else one that does not take true for 1, which are equal in Python."""
    match schema:
        case {"type": "function-wrap", "function": {"function": function}} if function is _exact:
            inner: dict[str, Any] = schema["schema"]  # was one already, before it became one again
            return inner
    members = schema.get("expected", schema.get("members", ()))
    if not any(isinstance(_plain(member), int) for member in members):
        return schema
    constant: Any = schema
    wrapped: Any = core_schema.no_info_wrap_validator_function(_exact, constant)
    exact: dict[str, Any] = wrapped
    return exact


def _exact(value: object, constant: ValidatorFunctionWrapHandler) -> object:
    member: object = constant(value)
    if isinstance(_plain(member), bool) != isinstance(_plain(value), bool):
        expected = {"member": _plain(member)}
        raise PydanticCustomError("literal_error", "Input should be {member}", expected)
    return member


def _plain(member: object) -> object:
    return member.value if isinstance(member, Enum) else member


ANY_JSON: Final = "aoba_runtime.any_json"
_EXACT: Final = 2**53
"""Up to here a double holds every integer."""
LARGE_INTEGER: Final = "aoba_runtime.large_integer"
"""Stands in the place of errors that say why a number is no large integer."""


def any_json() -> CoreSchema:
    """The definition of `ANY_JSON`."""
    itself = core_schema.definition_reference_schema(ANY_JSON)
    text, number = core_schema.str_schema(), core_schema.float_schema(allow_inf_nan=False)
    return core_schema.union_schema(
        [
            text,
            core_schema.int_schema(),
            number,
            core_schema.bool_schema(),
            core_schema.none_schema(),
            core_schema.list_schema(itself),
            core_schema.dict_schema(text, itself),
        ],
        mode="left_to_right",
        custom_error_type="not_json",
        custom_error_message="should be JSON, which has no NaN, no Infinity and here no number beyond 1.8e308",
        ref=ANY_JSON,
    )


def as_exact_number(schema: dict[str, Any]) -> dict[str, Any]:
    """A float that keeps large integers, and whose `multiple_of` is exact, which pydantic's is not."""
    schema = dict(schema)
    step = schema.pop("multiple_of", None)
    rounded = {"ge": math.ceil, "gt": math.floor, "le": math.floor, "lt": math.ceil}
    bounds = {name: rounded[name](schema[name]) for name in rounded if name in schema}
    above = {"type": "int", **bounds, "gt": max(bounds.get("gt", _EXACT), _EXACT)}
    below = {"type": "int", **bounds, "lt": min(bounds.get("lt", -_EXACT), -_EXACT)}
    choices: list[Any] = [(above, LARGE_INTEGER), (below, LARGE_INTEGER), schema]
    number: Any = core_schema.union_schema(choices, mode="left_to_right")
    if step is not None:
        number = core_schema.no_info_after_validator_function(
            partial(_refuse_parts, is_multiple_of(step), step), number
        )
    exact: dict[str, Any] = number
    return exact


def _refuse_parts(is_multiple: Callable[[float], bool], step: float, value: float) -> float:
    if not is_multiple(value):
        raise PydanticCustomError(
            "multiple_of", "Input should be a multiple of {step}", {"step": step}
        )
    return value
