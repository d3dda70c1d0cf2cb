"""What several schemas say together: their parts, and each group of keywords merged into one."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Final, TypeAlias

from .build_keywords import (
    BOUNDS,
    CONDITIONS,
    is_annotation,
    is_checked,
    runs,
    types_of,
    unchecked,
)
from .diagnostics import Report, shown
from .load import Json, Object
from .resolve import Place
from .values import pattern_fault
from .values_plain import implied_type

Bound: TypeAlias = tuple[str, int | float | str | bool]
KINDS: Final = ("boolean", "integer", "number", "string", "array", "object")
_LARGE: Final = 2**63


@dataclass(frozen=True, slots=True)
class Part:
    """A schema that is one of several which hold together; `without` names keywords that are told elsewhere.

    `by_ref` says that it was reached by a reference, and so has a name of its own.
    """

    place: Place
    by_ref: bool = False
    without: frozenset[str] = frozenset()

    @property
    def key(self) -> str:
        """What tells this part from others."""
        return " ".join((self.place.pointer, *sorted(self.without)))

    def get(self, keyword: str) -> Place | None:
        """The value of a keyword, references followed."""
        return None if keyword in self.without else self.place.get(keyword)

    def keywords(self) -> Iterator[str]:
        """The keywords that narrow what is allowed."""
        node = self.place.node
        for keyword in node.fields if isinstance(node, Object) else ():
            if keyword not in self.without and not is_annotation(keyword):
                yield keyword


@dataclass(frozen=True, slots=True)
class Group:
    """The members of a oneOf or anyOf, as they stand, and the part that holds them."""

    part: Part
    keyword: str
    members: tuple[Place, ...]


def follow(raw: Place) -> Part:
    """The schema at `raw`, be it a reference."""
    place = raw.document.follow(raw)
    return Part(place, place.pointer != raw.pointer)


def flattened(roots: Iterable[Part], report: Report) -> tuple[Part, ...]:
    """The parts, and what stands in their allOf, and so on."""
    found: dict[str, Part] = {}

    def add(part: Part, trail: tuple[str, ...]) -> None:
        if part.place.pointer in trail:
            report.error(
                "schema-cycle",
                f"the schema {shown(part.place.pointer)} is part of itself through allOf",
                part.place.location,
                "take one of the references in allOf out",
            )
            return
        if found.setdefault(part.key, part) is not part:
            return
        all_of = part.get("allOf")
        for raw in all_of.raw_items() if all_of else ():
            inner = (*trail, part.place.pointer)
            add(_without_ring(follow(raw), inner), inner)

    for root in roots:
        add(root, ())
    return tuple(found.values())


def _without_ring(part: Part, trail: tuple[str, ...]) -> Part:
    """A part whose oneOf or anyOf is not told where one of its members is what the part is in allOf of."""
    for keyword in ("oneOf", "anyOf"):
        listed = part.get(keyword)
        members = [follow(raw).place.pointer for raw in listed.raw_items()] if listed else []
        if set(members) & set(trail):
            part = replace(part, without=part.without | {keyword})
    return part


def essential(roots: Sequence[Part]) -> tuple[Part, ...]:
    """The parts without those that add nothing to the others: only texts, or only a type that another says too."""
    telling = {part.key: part for part in roots if any(part.keywords())}
    kept = list(telling.values())
    for part in telling.values():
        others = [other for other in kept if other is not part]
        if list(part.keywords()) != ["type"]:
            continue
        wide = types_of(part.place)
        if any(_implies(other, wide) for other in others):
            kept.remove(part)
    return tuple(kept) or tuple(roots[:1])


def _implies(part: Part, wide: Sequence[str]) -> bool:
    if "allOf" in part.keywords() and not part.get("type"):
        all_of = part.get("allOf")
        return any(_implies(follow(raw), wide) for raw in (all_of.raw_items() if all_of else ()))
    narrow = types_of(part.place) or (["object"] if part.get("properties") else [])
    return bool(narrow) and set(narrow) <= set(wide)


class Facts:
    """The keywords of parts that hold together; `only` leaves one JSON type of those that they allow."""

    def __init__(self, roots: Sequence[Part], report: Report, only: str | None = None) -> None:
        self.roots = tuple(roots)
        self.parts = flattened(roots, report)
        self._report = report
        self._only = only
        self.is_impossible = False
        """Whether no value is what all parts ask for; known once `kinds` is."""

    @property
    def place(self) -> Place:
        """Where to complain."""
        return self.parts[0].place

    @cached_property
    def kinds(self) -> tuple[str, ...] | None:
        """The JSON types allowed, `None` where any is; "number" stands for "integer" too."""
        named = [(part, types) for part in self.parts if (types := self._types(part))]
        allowed = set(named[0][1]) if named else None
        for part, types in named[1:]:
            assert allowed is not None
            met = _met(allowed, types)
            if not met:
                before = " or ".join(sorted(allowed))
                self.is_impossible = True
                self._report.warn(
                    "schema-conflict",
                    f"a value is asked to be {' or '.join(sorted(types))} here and {before} at "
                    f"{named[0][0].place.location}; no value is both, so none is taken",
                    part.place.key_location("type"),
                    "take one of the two out of allOf",
                )
                break
            allowed = met
        if allowed is None:
            allowed = self._guessed()
        if allowed is None:
            return (self._only,) if self._only else None
        if "number" in allowed:
            allowed.discard("integer")
        found = tuple(kind for kind in (*KINDS, "null") if kind in allowed)
        return (self._only,) if self._only else found

    def _types(self, part: Part) -> set[str]:
        return set() if "type" in part.without else set(types_of(part.place))

    def _guessed(self) -> set[str] | None:
        """The type of a schema that names none, told by its other keywords."""
        if self.values is not None or self.groups:
            return None
        kind = implied_type(self.has)
        return {kind} if kind else None

    def has(self, keyword: str) -> bool:
        """Whether any part has the keyword."""
        return any(part.get(keyword) is not None for part in self.parts)

    def all(self, keyword: str) -> Iterator[Place]:
        """The values of a keyword in the parts that have it."""
        for part in self.parts:
            if (found := part.get(keyword)) is not None:
                yield found

    @cached_property
    def properties(self) -> dict[str, list[Place]]:
        """The properties described, as they stand, by name."""
        found: dict[str, list[Place]] = {}
        for described in self.all("properties"):
            for name, raw in described.raw_fields():
                found.setdefault(name, []).append(raw)
        return found

    @cached_property
    def required(self) -> dict[str, Place]:
        """The names of the properties required, and where that is said."""
        found: dict[str, Place] = {}
        for listed in self.all("required"):
            for item in listed.items():
                if isinstance(name := item.value(), str):
                    found.setdefault(name, item)
        return found

    @cached_property
    def values(self) -> list[Place] | None:
        """The values that const and enum leave, `None` where they are not limited."""
        lists = [[place] for place in self.all("const")]
        lists += [list(place.items()) for place in self.all("enum")]
        if not lists:
            return None
        others = [{json_key(item.value()) for item in items} for items in lists[1:]]
        return [item for item in lists[0] if all(json_key(item.value()) in keys for keys in others)]

    @cached_property
    def groups(self) -> list[Group]:
        """The oneOf and anyOf whose members say what kind of value it is; others only set conditions."""
        return [group for group in self.all_groups if not self._only_conditions(group)]

    @cached_property
    def all_groups(self) -> list[Group]:
        """Every oneOf and anyOf."""
        return [
            Group(part, keyword, tuple(found.raw_items()))
            for part in self.parts
            for keyword in ("oneOf", "anyOf")
            if (found := part.get(keyword)) is not None
        ]

    def _only_conditions(self, group: Group) -> bool:
        described = self.properties
        typed = any(self._types(part) for part in self.parts) or bool(described)
        return typed and all(_is_condition(raw, set(described)) for raw in group.members)

    def bounds(self, kind: str) -> tuple[list[Bound], list[dict[str, Json]]]:
        """The keywords that narrow values of type `kind`, and those that only the runtime can check."""
        merged: dict[str, int | float | str | bool] = {}
        checks: list[dict[str, Json]] = []
        for part in self.parts:
            for keyword, value in bounds_of(part):
                merge = BOUNDS[keyword].get(kind)
                if merge is None:
                    continue
                if keyword == "pattern" and not is_checked(str(value), self._report):
                    reason, hint = unchecked(str(value), self._report)
                    if not pattern_fault(str(value)):  # else the rules tell of it
                        self._report.warn(
                            "not-enforced",
                            f"the pattern {shown(value)} is not checked: {reason}",
                            part.place.key_location(keyword),
                            hint,
                        )
                elif not _is_native(keyword, value, kind):
                    checks.append({keyword: value})
                elif keyword not in merged:
                    merged[keyword] = value
                elif merged[keyword] != value:
                    both = merged[keyword], value
                    if merge == "both":
                        checks.append({keyword: value})
                    else:
                        merged[keyword] = max(both) if merge == "max" else min(both)
        order = list(BOUNDS)
        return sorted(merged.items(), key=lambda item: order.index(item[0])), checks

    def text(self, keyword: str) -> str:
        """The first text that a part gives for a keyword."""
        return next((text for part in self.parts if (text := part.place.text(keyword))), "")

    @property
    def format(self) -> str | None:
        """The format of a text or number; said to be unchecked where the document itself contradicts it."""
        unchecked = any(part.place.pointer in part.place.document.no_uuids for part in self.parts)
        return "uuid, not checked" if unchecked else self.text("format") or None


def bounds_of(part: Part) -> Iterator[Bound]:
    """The bounds of one schema, exclusive ones of draft 4 as numbers."""
    for keyword in BOUNDS:
        found = part.get(keyword)
        value = found.value() if found else None
        if value is None or isinstance(value, (list, dict)):
            continue
        exclusive = part.get("exclusive" + keyword[0].upper() + keyword[1:])
        if exclusive is not None and exclusive.value() is True:
            yield "exclusive" + keyword[0].upper() + keyword[1:], value
        elif not isinstance(value, bool):
            yield keyword, value


def _is_native(keyword: str, value: int | float | str | bool, kind: str) -> bool:
    """Whether pydantic keeps a bound exactly."""
    if keyword == "pattern":
        return isinstance(value, str) and runs(value)
    if isinstance(value, str):
        return False
    if keyword == "multipleOf":
        return kind == "integer" and isinstance(value, int) and value < _LARGE
    return kind == "number" or isinstance(value, int) or value.is_integer()


def _met(some: set[str], others: set[str]) -> set[str]:
    met = some & others
    if "number" in some and "integer" in others or "integer" in some and "number" in others:
        met.add("integer")
    return met


def _is_condition(raw: Place, described: set[str]) -> bool:
    """Whether a member of oneOf or anyOf says nothing that a type could show."""
    part = follow(raw)
    if part.by_ref or not isinstance(part.place.node, Object):
        return False
    for keyword in part.keywords():
        if keyword == "properties":
            found = part.get(keyword)
            if not {name for name, _ in found.raw_fields()} <= described if found else True:
                return False
        elif keyword not in CONDITIONS:
            return False
    return bool(list(part.keywords()))


def json_key(value: Json) -> str:
    """A text that is the same for values which are equal in JSON."""
    return json.dumps(_plain(value), sort_keys=True)


def _plain(value: Json) -> Json:
    if isinstance(value, float) and value.is_integer():
        return int(value)
    if isinstance(value, list):
        return [_plain(item) for item in value]
    if isinstance(value, dict):
        return {name: _plain(item) for name, item in value.items()}
    return value
