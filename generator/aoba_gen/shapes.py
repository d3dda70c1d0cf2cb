"""The notation in which the objects of AsyncAPI stand in tables, and what of it a single value can be held against.

A field is written "Name" (an object of the tables, or a scalar), "[Name]" (a list; "[Name]+" where it may not be empty),
"{Name}" (a map by name), "a|b" (one of these texts), with "!" when required. "Reference" is a place that only a
Reference Object may fill.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cache
from typing import Final, Literal

from .load import Json


@dataclass(frozen=True, slots=True)
class Shape:
    """What a place should hold: an object of the tables, a scalar, or a list or map of the shape that `name` says."""

    name: str
    kind: Literal["one", "list", "map"] = "one"
    filled: bool = False

    @property
    def inner(self) -> Shape:
        """The shape of an item or entry."""
        return shape_of(self.name)

    @property
    def choices(self) -> tuple[str, ...]:
        """The texts that are allowed here, none where the shape is no choice."""
        return tuple(self.name.split("|")) if "|" in self.name else ()

    def allows(self, value: Json) -> bool:
        """Whether a scalar fits."""
        if self.kind != "one":
            return False
        if self.name == "text":
            return isinstance(value, str)
        if self.choices:
            return value in self.choices
        if self.name == EXPRESSION:
            return isinstance(value, str) and _EXPRESSION.match(value) is not None
        if type(value) not in _SCALARS.get(self.name, ()):
            return False
        if isinstance(value, float) and "whole" in self.name and not value.is_integer():
            return False
        return not isinstance(value, (int, float)) or value >= _LEAST.get(self.name, value)


@dataclass(frozen=True, slots=True)
class Table:
    """The fields of an object; an `open` one may have others. Of the fields in `some` one is needed, none in `never`."""

    fields: Mapping[str, Shape]
    required: tuple[str, ...]
    open: bool = False
    some: tuple[str, ...] = ()
    never: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Tables:
    """All objects of one version ("2.4"), and the names of those that a Reference Object may stand for."""

    version: str
    objects: Mapping[str, Table]
    referable: frozenset[str]

    @property
    def major(self) -> str:
        """The part of the version before the dot."""
        return self.version.partition(".")[0]


EXPRESSION: Final = "a runtime expression such as '$message.header#/correlationId'"
_EXPRESSION: Final = re.compile(r"\$message\.(header|payload)#")
_WHOLE: Final = "a whole number of at least 0"
_ABOVE: Final = "a number above 0"
_SCALARS: Final[Mapping[str, tuple[type, ...]]] = {
    "text": (str,),
    "text or null": (str, type(None)),
    "true or false": (bool,),
    "a number": (int, float),
    _WHOLE: (int, float),
    _ABOVE: (int, float),
}
_LEAST: Final = {_WHOLE: 0.0, _ABOVE: 5e-324}


@cache
def shape_of(text: str) -> Shape:
    """The shape that a table's text stands for."""
    text = text.removesuffix("!")
    filled = text.endswith("+")
    text = text.removesuffix("+")
    if text[0] == "[":
        return Shape(text[1:-1], "list", filled)
    if text[0] == "{":
        return Shape(text[1:-1], "map", filled)
    return Shape(text)


def table(
    fields: Mapping[str, str],
    *,
    open: bool = False,
    some: tuple[str, ...] = (),
    never: tuple[str, ...] = (),
) -> Table:
    """A table from its fields in the notation."""
    return Table(
        {name: shape_of(text) for name, text in fields.items()},
        tuple(name for name, text in fields.items() if text.endswith("!")),
        open,
        some,
        never,
    )


def with_fields(base: Table, fields: Mapping[str, str]) -> Table:
    """A table with some fields added or put in place of others."""
    more = table(fields)
    return replace(
        base,
        fields={**base.fields, **more.fields},
        required=tuple(dict.fromkeys((*base.required, *more.required))),
    )


def derived(base: Tables, version: str, changes: Mapping[str, Table], also: str = "") -> Tables:
    """The tables of the version that follows: objects that changed, and further names that may be referred to."""
    return Tables(version, {**base.objects, **changes}, base.referable | set(also.split()))
