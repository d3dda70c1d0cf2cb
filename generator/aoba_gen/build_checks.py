"""What the types of Python cannot say of a value: a subset of JSON Schema, without references, for the runtime to check."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Final

from .build_facts import Facts, Group, Part, bounds_of, follow
from .build_keywords import (
    CHECKED,
    UNCHECKED,
    is_annotation,
    is_checked,
    types_of,
    unchecked,
)
from .diagnostics import Location, Report, shown
from .load import Json, Object
from .resolve import Place

_SIZE: Final = 80
"""How many keywords of other schemas may be repeated in a check, so that models stay readable."""
_LISTS: Final = frozenset({"allOf", "anyOf", "oneOf", "prefixItems"})
_MAPS: Final = frozenset({"dependentSchemas", "patternProperties", "properties"})
_SINGLE: Final = frozenset({
    "additionalProperties", "additionalItems", "contains", "else", "if", "items", "not", "propertyNames", "then",
})  # fmt: skip
_TRIVIAL: Final[dict[str, tuple[Json, ...]]] = {
    "uniqueItems": (False,),
    "minProperties": (0,),
    "minContains": (),
    "patternProperties": ({},),
}


class NotPlain(Exception):
    """A schema cannot be written as a check: the reason, and how to mend it."""

    def __init__(self, reason: str, hint: str) -> None:
        super().__init__(reason)
        self.reason = reason
        self.hint = hint


class Checks:
    """Writes checks; reports what cannot be checked."""

    def __init__(self, report: Report) -> None:
        self._report = report

    def of(self, facts: Facts, *, record: bool = False) -> dict[str, Json] | None:
        """The check of what the parts say beyond types; `record` says that they make a class."""
        found: list[dict[str, Json]] = []
        for part in facts.parts:
            keywords = set(part.keywords())
            for keyword in sorted(keywords & UNCHECKED):
                if not (keyword == "unevaluatedProperties" and record):
                    where = part.place.key_location(keyword)
                    self.not_enforced(where, keyword, _unchecked(keyword))
            check = self._checked(part, keywords, record=record)
            if check:
                found.append(check)
        typed = facts.groups
        for group in facts.all_groups:
            if group.part.key not in {known.part.key for known in typed} or group not in typed[:1]:
                choice = self.group(group)
                if choice:
                    found.append(choice)
        return merged(found)

    def group(self, group: Group) -> dict[str, Json] | None:
        """The check of a oneOf or anyOf; `None` after a warning where it cannot be written."""
        try:
            return {group.keyword: [_plain(raw, (), _Left(self._report)) for raw in group.members]}
        except NotPlain as fault:
            where = group.part.place.key_location(group.keyword)
            self.not_enforced(where, group.keyword, fault)
            return None

    def _checked(self, part: Part, keywords: set[str], *, record: bool) -> dict[str, Json]:
        check: dict[str, Json] = {}
        for keyword in sorted(keywords & CHECKED):
            where = part.place.key_location(keyword)
            found = part.get(keyword)
            if found is None or keyword in _TRIVIAL and found.value() in _TRIVIAL[keyword]:
                continue
            if keyword in ("then", "else") and "if" not in keywords:
                continue
            if keyword == "if" and not keywords & {"then", "else"}:
                continue
            try:
                check.update(_keyword(keyword, found, (), _Left(self._report)))
            except NotPlain as fault:
                self.not_enforced(where, keyword, fault)
        if "if" in keywords and "if" not in check:
            check.pop("then", None)
            check.pop("else", None)
        extra = part.get("additionalProperties")
        if extra is not None and extra.value() is not True and ("patternProperties" in check):
            described = part.get("properties")
            names = [name for name, _ in described.raw_fields()] if described else []
            try:
                check["additionalProperties"] = _plain(extra, (), _Left(self._report))
                check["properties"] = {name: True for name in names}
            except NotPlain as fault:
                where = part.place.key_location("additionalProperties")
                self.not_enforced(where, "additionalProperties", fault)
        return check

    def not_enforced(self, location: Location, keyword: str, fault: NotPlain) -> None:
        """Report that nothing will check a keyword."""
        self._report.warn(
            "not-enforced",
            f"{shown(keyword)} is not checked, as {fault.reason}: values that it forbids are taken",
            location,
            f"{fault.hint}, or check it where the message is used",
        )


def merged(found: Iterable[dict[str, Json]]) -> dict[str, Json] | None:
    """One check that holds when all of `found` do."""
    check: dict[str, Json] = {}
    others: list[Json] = []
    for item in found:
        if (
            item.keys() & check.keys() - {"allOf"}
            or {"if", "then", "else", "properties"} & item.keys()
            and check
        ):
            others.append(item)
        elif "allOf" in item and isinstance(item["allOf"], list):
            others += item["allOf"]
        else:
            check.update(item)
    if others:
        check["allOf"] = others
    return check or None


@dataclass(slots=True)
class _Left:
    """How many keywords may still be said."""

    report: Report
    count: int = _SIZE


def json_schema(raw: Place, report: Report) -> Json:
    """The schema at `raw` without references; raises `NotPlain`."""
    return _plain(raw, (), _Left(report))


def _plain(raw: Place, trail: tuple[str, ...], left: _Left) -> Json:
    part = follow(raw)
    place = part.place
    if not isinstance(place.node, Object):
        return place.value() is not False
    if place.pointer in trail:
        raise NotPlain("it leads back to itself", "say it without references that lead back")
    trail = (*trail, place.pointer)
    plain: dict[str, Json] = {}
    for keyword in part.keywords():
        if keyword in UNCHECKED:
            raise _unchecked(keyword)
        found = place.get(keyword)
        if found is not None and keyword not in ("nullable", "format", "type"):
            left.count -= 1
            if left.count < 0:
                raise NotPlain(f"it takes more than {_SIZE} keywords to say", "say it in fewer")
            plain.update(_keyword(keyword, found, trail, left))
    plain.update(bounds_of(part))
    _demand_checked([str(plain.get("pattern", ""))], left.report)
    types = types_of(place)
    if types:
        kind: Json = types[0] if len(types) == 1 else [*types]
        plain = {"type": kind, **plain}
    for exclusive in ("exclusiveMinimum", "exclusiveMaximum"):
        if isinstance(plain.get(exclusive), bool):
            del plain[exclusive]
        elif exclusive in plain:
            bound = place.get(exclusive)
            if bound is not None and bound.value() is True:
                plain.pop("m" + exclusive.removeprefix("exclusiveM"), None)
    rest = plain.pop("additionalItems", None)
    if isinstance(plain.get("items"), list):
        plain["prefixItems"] = plain.pop("items")
        if rest is not None:
            plain["items"] = rest
    return plain


def _unchecked(keyword: str) -> NotPlain:
    return NotPlain(f"nothing here can check {shown(keyword)}", "say it with other keywords")


def _demand_checked(patterns: Iterable[str], report: Report) -> None:
    for pattern in patterns:
        if not is_checked(pattern, report):
            reason, hint = unchecked(pattern, report)
            raise NotPlain(f"of the pattern {shown(pattern)}, {reason}", hint)


def _keyword(
    keyword: str, found: Place, trail: tuple[str, ...], left: _Left
) -> Iterator[tuple[str, Json]]:
    if keyword in _SINGLE and not (keyword == "items" and isinstance(found.value(), list)):
        raw = found
        yield keyword, _plain(raw, trail, left)
    elif keyword in _LISTS or keyword == "items":
        yield keyword, [_plain(raw, trail, left) for raw in found.raw_items()]
    elif keyword in _MAPS:
        if keyword == "patternProperties":
            _demand_checked([pattern for pattern, _ in found.raw_fields()], left.report)
        yield keyword, {name: _plain(raw, trail, left) for name, raw in found.raw_fields()}
    elif keyword == "dependencies":
        yield from _dependencies(found, trail, left)
    elif not is_annotation(keyword):
        yield keyword, found.value()


def _dependencies(found: Place, trail: tuple[str, ...], left: _Left) -> Iterator[tuple[str, Json]]:
    """`dependencies` of draft 7 and before as the two keywords of 2019-09."""
    names: dict[str, Json] = {}
    schemas: dict[str, Json] = {}
    for name, raw in found.raw_fields():
        value = raw.value()
        if isinstance(value, list):
            names[name] = value
        elif isinstance(value, str):
            names[name] = [value]
        else:
            schemas[name] = _plain(raw, trail, left)
    if names:
        yield "dependentRequired", names
    if schemas:
        yield "dependentSchemas", schemas
