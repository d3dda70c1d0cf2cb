"""What trying the members of a union may cost, where it holds itself and has no tag: it doubles with each level else."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any, Final

from .core_schemas import ANY_JSON, rewritten
from .limits import LIMITS, values_in

_TRIED: Final = "aoba_runtime.tried"
"""Stands in the place of an error within such a union."""
_LEAST: Final = 10
"""What a try costs at least; else as much as the value has values in it."""
_WRAPPERS: Final = ("function-", "nullable", "default", "lax-or-strict", "json-or-python")
_ARRAYS: Final = ("list", "tuple", "set", "frozenset", "generator")
_SCALARS: Final = ("bool", "enum", "float", "int", "literal", "none", "str")

_left: ContextVar[list[int] | None] = ContextVar("aoba_runtime_tries", default=None)


class TooManyTries(Exception):
    """The budget of a message is used up. No `ValueError`, so it ends the whole validation."""


@contextmanager
def counted(data: bytes) -> Iterator[None]:
    """Let what is validated inside, all together, cost what a message such as `data` may cost."""
    token = _left.set([_LEAST * (LIMITS.tries + values_in(data))])
    try:
        yield
    finally:
        _left.reset(token)


def counting(schema: Any) -> tuple[Any, bool]:
    """`schema`, a "definitions" schema, with its unions that hold themselves counted; and whether there is one."""
    known = {made["ref"]: made for made in schema["definitions"]}
    reached = _reached({ref: _refs(made) for ref, made in known.items()})
    if not any(ref in inner for ref, inner in reached.items() if ref != ANY_JSON):
        return schema, False
    found = False

    def changed(ref: str, made: dict[str, Any]) -> Any:
        def count(node: dict[str, Any]) -> dict[str, Any]:
            nonlocal found
            if node["type"] != "union" or not _is_open(node["choices"], known):
                return node
            if not any(ref == inner or ref in reached.get(inner, ()) for inner in _refs(node)):
                return node
            found = True
            union = {key: value for key, value in node.items() if key != "ref"}
            name = {"ref": node["ref"]} if "ref" in node else {}
            return {
                "type": "tagged-union",
                "choices": {_TRIED: union},
                "discriminator": _try,
            } | name

        return rewritten(made, count)

    definitions = [changed(ref, made) for ref, made in known.items()]
    return (schema | {"definitions": definitions} if found else schema), found


def _try(value: object) -> str:
    """The tag of the only choice; pydantic asks for it each time that the union is tried."""
    left = _left.get()
    if left is not None:
        left[0] -= max(_LEAST, _weight(value, left[0]))
        if left[0] < 0:
            raise TooManyTries
    return _TRIED


def _weight(value: object, most: int) -> int:
    """How many values there are in `value`, itself among them; no more than `most` and a few are counted."""
    count, waiting = 0, [value]
    while waiting and count <= most:
        inner = waiting.pop()
        count += 1
        if isinstance(inner, dict):
            waiting.extend(inner.values())
        elif isinstance(inner, list):
            waiting.extend(inner)
    return count


def _is_open(choices: Iterable[Any], known: dict[str, Any]) -> bool:
    """Whether two of the choices may take the same object, or the same array."""
    kinds = [_kind(choice, known) for choice in choices]
    return any(kind and kinds.count(kind) > 1 for kind in kinds)


def _kind(choice: Any, known: dict[str, Any]) -> str:
    """Of what JSON type a choice is: "array", "" for a scalar, else "object"."""
    seen: set[str] = set()
    while True:
        if isinstance(choice, tuple):
            choice = choice[0]
        kind = choice["type"]
        if kind == "definition-ref" and choice["schema_ref"] not in seen:
            seen.add(choice["schema_ref"])
            choice = known[choice["schema_ref"]]
        elif kind.startswith(_WRAPPERS) and "schema" in choice:
            choice = choice["schema"]
        else:
            return "array" if kind in _ARRAYS else "" if kind in _SCALARS else "object"


def _refs(schema: Any) -> set[str]:
    """The definitions that a schema names."""
    found: set[str] = set()

    def note(node: dict[str, Any]) -> dict[str, Any]:
        if node["type"] == "definition-ref":
            found.add(node["schema_ref"])
        return node

    rewritten(schema, note)
    return found


def _reached(direct: dict[str, set[str]]) -> dict[str, set[str]]:
    """What each definition names, and what those name, and so on."""
    reached: dict[str, set[str]] = {}
    for ref in direct:
        seen: set[str] = set()
        waiting = list(direct[ref])
        while waiting:
            inner = waiting.pop()
            if inner not in seen:
                seen.add(inner)
                waiting.extend(direct.get(inner, ()))
        reached[ref] = seen
    return reached
