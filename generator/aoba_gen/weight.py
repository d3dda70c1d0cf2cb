"""How much a model would make, told before it is made: a short document can ask for a very long package."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import fields, is_dataclass

from .limits import Limits
from .model import Channel, Model


def exceeded(model: Model, limits: Limits) -> str | None:
    """The name of the limit that the package of `model` would exceed; `None` where it exceeds none.

    What is said at several places counts as often, since it is written as often.
    """
    parts = characters = 0
    for value in _values(model):
        if isinstance(value, str):
            characters += len(value)
            if characters > limits.characters:
                return "characters"
        else:
            parts += 1
            if parts > limits.parts:
                return "parts"
    return None


def _values(value: object) -> Iterator[object]:
    """Every object and text in a model; a channel once, as operations only name theirs."""
    todo = [value]
    channels: set[int] = set()
    while todo:
        match todo.pop():
            case Channel() as known if id(known) in channels:
                pass
            case str() as text:
                yield text
            case tuple() | list() as items:
                todo.extend(items)
            case Mapping() as pairs:
                todo.extend(pairs)
                todo.extend(pairs.values())
            case made if is_dataclass(made):
                if isinstance(made, Channel):
                    channels.add(id(made))
                yield made
                todo.extend(getattr(made, field.name) for field in fields(made))
