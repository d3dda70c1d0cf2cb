"""What a document is read into: nodes that know their place, and the faults common to both readers."""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TypeAlias

from aoba_gen.diagnostics import Location, Report, shown

Json: TypeAlias = "str | int | float | bool | None | list[Json] | dict[str, Json]"


@dataclass(frozen=True, slots=True, eq=False)
class Scalar:
    """A text, number, truth value or null."""

    value: str | int | float | bool | None
    location: Location


@dataclass(frozen=True, slots=True, eq=False)
class Array:
    """Nodes in order."""

    items: tuple[Node, ...]
    location: Location


@dataclass(frozen=True, slots=True, eq=False)
class Object:
    """Nodes by name in document order, and where each name stands."""

    fields: Mapping[str, Node]
    keys: Mapping[str, Location]
    location: Location


Node: TypeAlias = Scalar | Array | Object


def plain(node: Node) -> Json:
    """The same tree as plain Python values."""
    if isinstance(node, Scalar):
        return node.value
    if isinstance(node, Array):
        return [plain(item) for item in node.items]
    return {name: plain(value) for name, value in node.fields.items()}


class Places:
    """Turns an index into a text into a location; lines end with LF, CR or CR LF."""

    def __init__(self, text: str, name: str) -> None:
        self._name = name
        self._starts = [0, *(found.end() for found in re.finditer(r"\r\n?|\n", text))]

    def at(self, index: int) -> Location:
        """The location of the character at `index`."""
        line = bisect_right(self._starts, index)
        return Location(self._name, line, index - self._starts[line - 1] + 1)


def whole_text(value: str, location: Location, report: Report) -> str:
    """The value, with lone surrogates (from escapes such as `\\ud800`) reported and replaced."""
    lone = None if value.isascii() else re.search("[\ud800-\udfff]", value)
    if lone is None:
        return value
    report.error(
        "forbidden-character",
        f"the text holds half of a surrogate pair, {shown(lone[0])}",
        location,
        "write the character itself",
    )
    return re.sub("[\ud800-\udfff]", "\ufffd", value)


def check_text(value: str, location: Location, report: Report, *, is_key: bool = False) -> None:
    """Refuse a key or another text that is longer than may be."""
    limit = "name" if is_key else "text"
    most = report.limits.name if is_key else report.limits.text
    if len(value) > most:
        what = "key" if is_key else "text"
        report.exceed(
            limit, f"the {what} {shown(value)} has more than {most:,} characters", location
        )


def check_fields(count: int, location: Location, report: Report) -> None:
    """Refuse an object that has more fields than may be."""
    if count > report.limits.fields:
        message = f"the object has more than {report.limits.fields:,} fields"
        report.exceed("fields", message, location)


def check_items(count: int, location: Location, report: Report) -> None:
    """Refuse a list that has more items than may be."""
    if count > report.limits.items:
        report.exceed("items", f"the list has more than {report.limits.items:,} items", location)


def duplicate_key(key: str, first: Location, second: Location, report: Report) -> None:
    """Report a key that an object holds twice."""
    report.error(
        "duplicate-key",
        f"the key {shown(key)} is given twice, first at {first}",
        second,
        "remove or rename one of the two",
    )


def not_json(number: str, location: Location, report: Report) -> None:
    """Report a number such as `.nan` or `1e999`."""
    report.error(
        "not-json",
        f"{shown(number)} is not a number that JSON can hold",
        location,
        "put it in quotes if it is meant as text",
    )
