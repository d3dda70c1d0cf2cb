"""Runtime expressions (AsyncAPI, "Runtime Expression"): "$message.header#/id" finds a value in a message, or puts it there."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any


def locate(expression: str, data: bytes, headers: Mapping[str, object] | None) -> object:
    """The value that `expression` finds in a payload (JSON text) or in headers, `None` where there is none."""
    where, steps = _parts(expression)
    value: Any = headers if where == "header" else _json(data)
    for step in steps:
        if isinstance(value, Mapping) and step in value:
            value = value[step]
        elif isinstance(value, list) and step.isdecimal() and int(step) < len(value):
            value = value[int(step)]
        else:
            return None
    return value


def put(
    expression: str, value: object, data: bytes, headers: Mapping[str, object]
) -> tuple[bytes, dict[str, object]]:
    """Payload and headers with `value` where `expression` leads; as they are where there is one, or no place for it.

    A payload is added to as text, so that no number in it changes; that is possible at its root alone.
    """
    where, steps = _parts(expression)
    kept = dict(headers)
    if not steps or locate(expression, data, headers) is not None:
        return data, kept
    if where != "header":
        root = _json(data)
        if not isinstance(root, dict) or len(steps) > 1 or steps[0] in root:
            return data, kept
        pair = json.dumps({steps[0]: value}).encode()[1:]
        return data.rstrip()[:-1] + (b"," if root else b"") + pair, kept
    inner: dict[str, object] = kept
    for step in steps[:-1]:
        below = inner.get(step, {})
        if not isinstance(below, dict):
            return data, dict(headers)
        inner[step] = inner = dict(below)
    inner[steps[-1]] = value
    return data, kept


def _parts(expression: str) -> tuple[str, list[str]]:
    source, _, pointer = expression.partition("#")
    steps = [step.replace("~1", "/").replace("~0", "~") for step in pointer.split("/")[1:]]
    return source.rpartition(".")[2], steps


def _json(data: bytes) -> object:
    try:
        value: object = json.loads(data)
    except ValueError:
        return None
    return value
