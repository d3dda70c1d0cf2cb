"""Object schemas -> classes: what they inherit, their own properties, and what else may stand in them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Final

from . import names
from .build_checks import Checks
from .build_defaults import Default, fill_of
from .build_facts import Facts, Part, follow
from .diagnostics import Report, shown
from .load import Object
from .model import Enum, Property, Record, Schema
from .resolve import Place

if TYPE_CHECKING:
    from .build_schemas import Schemas

_CONVERSATION: Final = "x-aoba-conversation"


class Records:
    """Defines classes when somebody needs to know what is in them, at the latest when all are asked for."""

    def __init__(self, schemas: Schemas) -> None:
        self._schemas = schemas
        self._report: Report = schemas.report
        self._later: dict[str, Facts] = {}
        self._described: dict[str, dict[str, list[Place]]] = {}
        self.places: dict[str, Place] = {}
        self.defaults: dict[tuple[str, str], Default] = {}

    def define_later(self, python: str, facts: Facts) -> None:
        """Note that `facts` become the class `python`."""
        self._later[python] = facts
        self.places[python] = facts.place

    def complete_all(self) -> None:
        """Define every class noted, and those met on the way."""
        while self._later:
            self.complete(next(iter(self._later)))

    def complete(self, python: str) -> bool:
        """Define a class; false where it is being defined already."""
        facts = self._later.pop(python, None)
        if facts is not None:
            self._define(python, facts)
        return python in self._schemas.found

    def lineage(self, python: str) -> Iterator[Record]:
        """A class and those it inherits from, nearest first."""
        self.complete(python)
        record = self._schemas.found.get(python)
        if isinstance(record, Record):
            yield record
            for base in record.bases:
                yield from self.lineage(base)

    def _define(self, python: str, facts: Facts) -> None:
        bases, parts = self._parts(facts)
        if not self._agree(bases):
            bases, parts = [], list(facts.parts)
        found = self._schemas.found
        inherited = {field.name: field for base in bases for field in self._fields(base).values()}
        scope = names.Scope(f"the class {python}", self._report)
        for known in inherited.values():
            scope.reserve(known.python, known.name, facts.place.location)
        described: dict[str, list[Place]] = {}
        required: dict[str, Place] = {}
        for part in parts:
            for name, raw in _described(part):
                described.setdefault(name, []).append(raw)
            listed = part.get("required")
            for item in listed.items() if listed else ():
                if isinstance(wanted := item.value(), str):
                    required.setdefault(wanted, item)
        self._described[python] = dict(described)
        for base in bases:
            for name, places in self._described[base].items():
                self._described[python].setdefault(name, places)
        order = sorted(described, key=lambda name: names.field(name) != name)
        pythons = {
            name: (
                inherited[name].python
                if name in inherited
                else scope.settle(
                    name, described[name][0].location, *names.either(names.field(name), name)
                )
            )
            for name in order
        }
        properties = [
            self._property(name, raws, python, pythons[name], inherited.get(name), required, bases)
            for name, raws in described.items()
        ]
        for name in sorted(required.keys() - described.keys()):
            above = inherited.get(name)
            if above is None:
                field = scope.settle(
                    name, required[name].location, *names.either(names.field(name), name)
                )
                properties.append(Property(name, field, Schema(), required=True))
            elif not above.required:
                properties.append(replace(above, required=True, has_default=False, default=None))
        closed, extras = self._extras(parts, python, bool(inherited), facts)
        own = Facts(
            [replace(part, without=part.without | {"allOf"}) for part in parts], self._report
        )
        found[python] = Record(
            python,
            facts.place.pointer,
            tuple(properties),
            tuple(bases),
            next((text for part in parts if (text := _class_doc(part.place))), ""),
            closed,
            extras,
            Checks(self._report).of(own, record=True),
        )

    def _parts(self, facts: Facts) -> tuple[list[str], list[Part]]:
        """The base classes, and the schemas whose properties are the class's own."""
        bases: dict[str, None] = {}
        parts: dict[str, Part] = {}

        def gather(part: Part, trail: tuple[str, ...]) -> None:
            if part.key in parts or part.place.pointer in trail:
                return
            parts[part.key] = part
            all_of = part.get("allOf")
            for raw in all_of.raw_items() if all_of else ():
                inner = follow(raw)
                if not self._is_base(inner, bases):
                    gather(inner, (*trail, part.place.pointer))

        for root in facts.roots:
            if len(facts.roots) == 1 or not self._is_base(root, bases):
                gather(root, ())
        known = facts.parts  # without what leads round
        own = [part for part in known if part.key in parts]
        above = {
            record.python
            for base in bases
            for record in self.lineage(base)
            if record.python != base
        }
        return [base for base in bases if base not in above], own

    def _is_base(self, part: Part, bases: dict[str, None]) -> bool:
        if part.without or not self._schemas.is_base(part):
            return False
        base = self._schemas.together((part,), "", is_record=True).ref
        if base is None or not self.complete(base):
            return False
        bases[base] = None
        return True

    def _agree(self, bases: Sequence[str]) -> bool:
        """Whether several bases say the same of what they share."""
        seen: dict[str, Property] = {}
        taken: dict[str, str] = {}
        for base in bases:
            for name, field in self._fields(base).items():
                known = seen.setdefault(name, field)
                if (known.schema, known.required, known.python) != (
                    field.schema,
                    field.required,
                    field.python,
                ):
                    return False
                if taken.setdefault(field.python, name) != name:
                    return False
        return True

    def _fields(self, python: str) -> dict[str, Property]:
        lineage = reversed(list(self.lineage(python)))
        return {field.name: field for record in lineage for field in record.properties}

    def _property(
        self,
        name: str,
        raws: list[Place],
        owner: str,
        python: str,
        inherited: Property | None,
        required: dict[str, Place],
        bases: Sequence[str],
    ) -> Property:
        schema = self._schema(name, raws, owner, inherited, bases)
        places = [follow(raw).place for raw in raws]
        is_required = name in required or (inherited is not None and inherited.required)
        fill = next(
            (
                fill
                for place in places
                if (
                    fill := fill_of(
                        place, name, self._schemas.bare(schema), is_required, self._report
                    )
                )
            ),
            inherited.fill if inherited else None,
        )
        described = ((found, place) for place in places if (found := place.get("default")))
        default, has_default, value = next(described, None), False, None
        if default is not None and not is_required:
            self.defaults[owner, name] = Default(*default)
            has_default, value = True, default[0].value()
        elif inherited is not None and inherited.has_default and not is_required:
            has_default, value = True, inherited.default
        enum = self._schemas.found.get(schema.ref or "")
        if (
            is_required
            and isinstance(enum, Enum)
            and len(enum.members) == 1
            and not schema.nullable
        ):
            schema = replace(schema, const=enum.members[0].value)
        return Property(
            name=name,
            python=python,
            schema=schema,
            required=is_required,
            doc=next((text for raw in raws if (text := raw.text("description"))), ""),
            has_default=has_default,
            default=value,
            fill=fill if is_required else None,
            conversation=any(self._is_conversation(place) for place in places)
            or (inherited is not None and inherited.conversation),
        )

    def _schema(
        self,
        name: str,
        raws: list[Place],
        owner: str,
        inherited: Property | None,
        bases: Sequence[str],
    ) -> Schema:
        inner = owner + names.pascal(name)
        above = [raw for base in bases for raw in self._described[base].get(name, [])]
        own = [part for part in map(follow, raws)]
        booleans = [part for part in own if not isinstance(part.place.node, Object)]
        if any(part.place.value() is False for part in booleans):
            return Schema(checks={"not": {}})
        telling = [part for part in own if part not in booleans and any(part.keywords())]
        if inherited is not None and not telling:
            return inherited.schema
        if len(raws) == 1 and not above:
            return self._schemas.at(raws[0], inner)
        others = [part for part in map(follow, above) if isinstance(part.place.node, Object)]
        roots = {part.key: part for part in (*others, *own) if part not in booleans}
        if not roots:
            return Schema()
        return self._schemas.together(list(roots.values()), inner)

    def _extras(
        self, parts: Sequence[Part], python: str, inherits: bool, facts: Facts
    ) -> tuple[bool, Schema | None]:
        """Whether properties that are not described are refused, and what they have to be."""
        described = {name for part in parts for name, _ in _described(part)}
        closed, extras = False, None
        for part in parts:
            raw = part.get("additionalProperties")
            patterns = part.get("patternProperties")
            if raw is None:
                found = part.get("unevaluatedProperties")
                closed = closed or (found is not None and found.value() is False)
                continue
            if patterns is not None and raw.value() is not True:
                continue  # a check says so
            beyond = described - {name for name, _ in _described(part)}
            if raw.value() is False:
                closed = True
                if beyond or inherits:
                    self._report.warn(
                        "closed-base",
                        f"additionalProperties: false forbids what allOf adds to it: {python} takes those properties",
                        part.place.key_location("additionalProperties"),
                        "leave additionalProperties out of schemas that allOf combines",
                    )
            elif isinstance(raw.node, Object) and not beyond and not inherits:
                schema = self._schemas.at(
                    part.place.raw("additionalProperties") or raw, f"{python}Value"
                )
                extras = None if schema == Schema() else schema
        return closed, extras

    def _is_conversation(self, place: Place) -> bool:
        mark = place.get(_CONVERSATION)
        if mark is not None and not isinstance(mark.value(), bool):
            self._report.error(
                "unknown-conversation",
                f"{_CONVERSATION} is {shown(mark.value())}, expected true or false",
                mark.location,
                "true on the property whose value the messages of one conversation share",
            )
        return mark is not None and mark.value() is True


def _described(part: Part) -> Iterator[tuple[str, Place]]:
    found = part.get("properties")
    return found.raw_fields() if found else iter(())


def _class_doc(place: Place) -> str:
    """The description of a class; that of an inline schema stands at the property instead."""
    return "" if "/properties/" in place.pointer else place.text("description")
