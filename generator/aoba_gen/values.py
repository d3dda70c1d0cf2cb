"""Whether a value fits a schema: the only import of jsonschema. Formats are not asserted, nothing remote is read."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import cache, cached_property
from typing import TYPE_CHECKING, Any, Final, TypeAlias
from warnings import catch_warnings

from .diagnostics import shown
from .load import Array, Json, Node, Object, Scalar, plain
from .resolve import Place, reference
from .values_avro import avro_schema
from .values_plain import TYPES, UUID, surely_fits

if TYPE_CHECKING:
    from jsonschema import Draft7Validator
    from jsonschema.exceptions import ValidationError

_SCHEMAS: Final = frozenset(
    "not if then else contains propertyNames additionalProperties additionalItems items".split()
)
_LISTS: Final = frozenset("allOf anyOf oneOf items".split())
_MAPS: Final = frozenset("properties patternProperties dependencies".split())
_KEPT: Final = frozenset("""
    type enum const multipleOf minimum maximum exclusiveMinimum exclusiveMaximum minLength maxLength pattern minItems
    maxItems uniqueItems minProperties maxProperties required
    """.split())
_STRICT: Final = {"exclusiveMinimum": "minimum", "exclusiveMaximum": "maximum"}
_SHOWN: Final = 3
_ENDLESS: Final = re.compile(r"[*+|}].*\)[*+{]", re.DOTALL)
"""A group that may repeat or choose, itself repeated: on some texts that takes for ever."""

Path: TypeAlias = "tuple[str | int, ...]"


@dataclass(frozen=True, slots=True)
class Fault:
    """What of a value does not fit: where in it, and why."""

    path: Path
    message: str


@cache
def compiled(pattern: str) -> re.Pattern[str] | str:
    """The pattern as Python reads it, or why it does not; "" where only Python is at fault."""
    if re.search(r"\\[pP]\{", pattern):
        return ""
    try:
        with catch_warnings(action="ignore", category=FutureWarning):  # of '[[' and the like
            return re.compile(
                pattern.replace("(?<", "(?P<").replace("(?P<=", "(?<=").replace("(?P<!", "(?<!")
            )
    except (re.error, RecursionError, OverflowError) as fault:
        return str(fault)


def pattern_fault(pattern: str) -> str:
    """Why a pattern is no regular expression; "" where it is one."""
    found = compiled(pattern)
    return "" if isinstance(found, re.Pattern) else found


def runnable(pattern: object) -> str | None:
    """The pattern as Python has it; `None` where Python cannot read it, or a repetition in it is itself repeated."""
    found = compiled(pattern) if isinstance(pattern, str) else ""
    return (
        found.pattern
        if isinstance(found, re.Pattern) and not _ENDLESS.search(found.pattern)
        else None
    )


class Values:
    """Holds values against the schemas of one document; a schema is made ready once, when a value first needs it."""

    def __init__(self) -> None:
        self._ends: dict[str, Place] = {}
        self._ready: dict[str, Json] = {}

    def faults(self, schema: Place, value: Json) -> list[Fault]:
        """The first few reasons why `value` does not fit what stands at `schema`; none where it does."""
        try:
            plain_schema = self._schema(schema)
            if surely_fits(plain_schema, value, self._end):
                return []
            errors = self._validator.evolve(schema=plain_schema).iter_errors(value)
            return [self._fault(error) for error, _ in zip(errors, range(_SHOWN))]
        except RecursionError:  # a schema that is its own part allows what its other parts do
            return []
        except OverflowError:  # an integer that no double holds, held against one: nobody can tell
            return []

    def no_uuids(self, schema: Place, value: Json) -> Iterator[tuple[str, Path, Json]]:
        """Each schema with `format: uuid`, by its pointer, for which `value` has another text, where in it, and that text."""
        try:
            plain_schema = self._schema(schema)
            if surely_fits(plain_schema, value, self._end):
                return
            waiting = list(self._strict.evolve(schema=plain_schema).iter_errors(value))
        except (RecursionError, OverflowError):
            return
        for error in waiting:
            waiting += error.context or ()
            if error.validator == "format":
                yield str(error.validator_value), (*error.absolute_path,), error.instance

    @cached_property
    def _strict(self) -> Draft7Validator:
        """The validator that asserts the one format, whose value here is where it stands."""
        from jsonschema import validators
        from jsonschema.exceptions import ValidationError

        def uuid(
            _: Draft7Validator, pointer: str, value: Json, schema: object
        ) -> Iterator[ValidationError]:
            if isinstance(value, str) and not UUID.fullmatch(value):
                yield ValidationError("no UUID")

        extend: Callable[..., type[Draft7Validator]] = validators.extend
        return extend(type(self._validator), {"format": uuid})({})

    @cached_property
    def _validator(self) -> Draft7Validator:
        from jsonschema import Draft7Validator  # slow to import, and most values surely fit
        from jsonschema import validators

        def follow(
            validator: Draft7Validator, pointer: str, value: Json, schema: object
        ) -> Iterator[ValidationError]:
            yield from validator.descend(value, self._end(pointer))

        extend: Callable[..., type[Draft7Validator]] = validators.extend
        return extend(Draft7Validator, {"$ref": follow})({})

    def _end(self, pointer: str) -> Any:
        if pointer not in self._ready:
            self._ready[pointer] = self._schema(self._ends[pointer])
        return self._ready[pointer]

    def _schema(self, place: Place) -> Any:
        """What stands at a place as plain JSON Schema, in which a `$ref` is the pointer of where it ends."""
        node = place.node
        if isinstance(node, Scalar):
            return node.value if isinstance(node.value, bool) else True
        if not isinstance(node, Object):
            return True
        if reference(node) is not None:
            end = place.document.follow(place)
            if reference(end.node) is not None:  # leads nowhere, which has been reported
                return True
            self._ends[end.pointer] = end
            return {"$ref": end.pointer}
        wrapped = place.raw("schema")
        if wrapped is not None and "schemaFormat" in node.fields:
            return self._formatted(wrapped, place.text("schemaFormat").lower())
        return _openapi(
            node.fields,
            {name: made for name, child in place.raw_fields() for made in self._field(name, child)},
        )

    def _formatted(self, wrapped: Place, form: str) -> Any:
        if "avro" in form:
            end = wrapped.document.follow(wrapped)
            return avro_schema(end.value(), f"avro {end.pointer} ", self._ready)
        return self._schema(wrapped) if re.search(r"asyncapi|openapi|schema\+", form) else True

    def _field(self, name: str, place: Place) -> Iterator[Any]:
        """What a keyword becomes, nothing where it does not count."""
        node = place.node
        if name in _MAPS and isinstance(node, Object):
            yield {
                made: self._entry(name, child)
                for key, child in place.raw_fields()
                if (made := runnable(key) if name == "patternProperties" else key) is not None
            }
        elif name in _LISTS and isinstance(node, Array):
            yield [self._schema(item) for item in place.raw_items()]
        elif name in _SCHEMAS:
            yield self._schema(place)
        elif name == "pattern":
            pattern = runnable(plain(node))
            if pattern is not None:
                yield pattern
        elif name == "format" and plain(node) == "uuid":
            yield place.pointer.removesuffix("/format")
        elif name in _KEPT and _is_sound(name, node):
            yield plain(node)

    def _entry(self, name: str, place: Place) -> Any:
        """An entry of a map: a schema, or the names that a property depends on."""
        if name == "dependencies" and isinstance(place.node, Array):
            return [item for item in map(plain, place.node.items) if isinstance(item, str)]
        return self._schema(place)

    def _fault(self, error: ValidationError) -> Fault:
        given: Any = error.instance
        say = _WORDS.get(str(error.validator), _nothing)
        if error.validator in ("required", "additionalProperties", "dependencies"):
            return Fault((*error.absolute_path,), error.message)
        return Fault((*error.absolute_path,), say(given, error.validator_value))


def _is_sound(name: str, node: Node) -> bool:
    """Whether a keyword's value is of a kind that jsonschema can work with; what is not has been reported."""
    value = plain(node)
    if name == "required":
        return isinstance(value, list) and all(isinstance(item, str) for item in value)
    if name == "type":
        listed = value if isinstance(value, list) else [value]
        return all(isinstance(item, str) and item in TYPES for item in listed)
    if name in ("enum", "const"):
        return name == "const" or isinstance(value, list)
    if name == "uniqueItems" or isinstance(value, bool):  # OpenAPI has true for exclusiveMinimum
        return isinstance(value, bool) and name in ("uniqueItems", *_STRICT)
    return isinstance(value, (int, float)) and (name != "multipleOf" or value > 0)


def _openapi(fields: Mapping[str, Node], schema: dict[str, Any]) -> dict[str, Any]:
    """OpenAPI 3.0's own keywords in terms of JSON Schema."""
    nullable = fields.get("nullable")
    if isinstance(nullable, Scalar) and nullable.value is True and "type" in schema:
        listed = schema["type"] if isinstance(schema["type"], list) else [schema["type"]]
        schema["type"] = [*listed, "null"]
        if "enum" in schema:
            schema["enum"] = [*schema["enum"], None]
    for strict, limit in _STRICT.items():
        if isinstance(schema.get(strict), bool):
            is_strict = schema.pop(strict)
            if is_strict and limit in schema:
                schema[strict] = schema.pop(limit)
    return schema


def _listed(values: Json) -> str:
    return ", ".join(map(shown, values[:8])) if isinstance(values, list) else shown(values)


def _nothing(given: Json, wanted: Json) -> str:
    return "nothing is allowed here"


def _types(wanted: Json) -> str:
    return " or ".join(map(str, wanted)) if isinstance(wanted, list) else str(wanted)


_WORDS: Final[Mapping[str, Callable[[Json, Any], str]]] = {
    "type": lambda given, wanted: f"expected {_types(wanted)}, not {shown(given)}",
    "enum": lambda given, wanted: f"expected one of {_listed(wanted)}, not {shown(given)}",
    "const": lambda given, wanted: f"expected {shown(wanted)}, not {shown(given)}",
    "minimum": lambda given, wanted: f"expected at least {shown(wanted)}, not {shown(given)}",
    "maximum": lambda given, wanted: f"expected at most {shown(wanted)}, not {shown(given)}",
    "exclusiveMinimum": lambda given, wanted: f"expected more than {shown(wanted)}, not {shown(given)}",
    "exclusiveMaximum": lambda given, wanted: f"expected less than {shown(wanted)}, not {shown(given)}",
    "multipleOf": lambda given, wanted: f"expected a multiple of {shown(wanted)}, not {shown(given)}",
    "minLength": lambda given, wanted: f"expected at least {wanted} characters, not {shown(given)}",
    "maxLength": lambda given, wanted: f"expected at most {wanted} characters, not {shown(given)}",
    "pattern": lambda given, wanted: f"expected a match of {shown(wanted)}, not {shown(given)}",
    "minItems": lambda given, wanted: f"expected at least {wanted} items, not {shown(given)}",
    "maxItems": lambda given, wanted: f"expected at most {wanted} items, not {shown(given)}",
    "uniqueItems": lambda given, wanted: f"expected no item twice, not {shown(given)}",
    "contains": lambda given, wanted: f"expected an item that fits 'contains', not {shown(given)}",
    "minProperties": lambda given, wanted: f"expected at least {wanted} properties, not {shown(given)}",
    "maxProperties": lambda given, wanted: f"expected at most {wanted} properties, not {shown(given)}",
    "anyOf": lambda given, wanted: f"{shown(given)} fits none of 'anyOf'",
    "oneOf": lambda given, wanted: f"{shown(given)} does not fit exactly one of 'oneOf'",
    "not": lambda given, wanted: f"{shown(given)} is what 'not' forbids",
}
