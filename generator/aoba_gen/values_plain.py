"""Whether a value surely fits a schema, by the plain keywords alone: jsonschema, slow to import, judges all the rest."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Any, Final

from .model import Json

TYPES: Final[Mapping[str, tuple[type, ...]]] = {
    "null": (type(None),),
    "boolean": (bool,),
    "integer": (int,),
    "number": (int, float),
    "string": (str,),
    "array": (list,),
    "object": (dict,),
}
"""The types of JSON Schema, and those of their values here."""
UUID: Final = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", re.IGNORECASE | re.ASCII)
"""A UUID (RFC 9562) as text."""
_ABOUT: Final[Mapping[str, type]] = {
    "required": dict,
    "properties": dict,
    "additionalProperties": dict,
    "minLength": str,
    "maxLength": str,
    "pattern": str,
    "items": list,
    "minItems": list,
    "maxItems": list,
}
"""Keywords that say nothing of values of other types."""
_IMPLIED: Final = (
    ("object", ("properties", "required")),
    ("array", ("items", "prefixItems")),
    ("object", ("additionalProperties", "patternProperties")),
)


def implied_type(says: Callable[[str], bool]) -> str | None:
    """The type that generated code gives to a schema that names none, by what its keywords describe, if it `says` any."""
    return next((kind for kind, keywords in _IMPLIED if any(map(says, keywords))), None)


def accepts_type(types: tuple[str, ...], value: Json) -> bool:
    """Whether a value is of one of the JSON Schema types; unknown types take anything."""
    if isinstance(value, float) and value.is_integer() and "integer" in types:
        return True
    return any(type(value) in TYPES.get(name, (type(value),)) for name in types)


def surely_fits(schema: Any, value: Json, end: Callable[[str], Any]) -> bool:
    """Whether `value` fits beyond doubt; false where it does not, or where only jsonschema can tell.

    `schema` is sound JSON Schema of draft 7, in which `end` says what a `$ref` leads to, and the only `format` is that of
    UUIDs, of which other texts are in doubt. Raises RecursionError where `end` leads in a circle.
    """
    if isinstance(schema, bool):
        return schema
    return all(_keeps(name, wanted, schema, value, end) for name, wanted in schema.items())


def _keeps(
    name: str, wanted: Any, schema: Mapping[str, Any], value: Json, end: Callable[[str], Any]
) -> bool:
    if name in _ABOUT and not isinstance(value, _ABOUT[name]):
        return True
    match name, value:
        case "$ref", _:
            return surely_fits(end(wanted), value, end)
        case "allOf", _:
            return all(surely_fits(part, value, end) for part in wanted)
        case "anyOf", _:
            return any(surely_fits(part, value, end) for part in wanted)
        case "type", _:
            return accepts_type((wanted,) if isinstance(wanted, str) else tuple(wanted), value)
        case ("enum" | "const"), (None | bool() | int() | str()):
            among = wanted if name == "enum" else [wanted]
            return any(type(one) is type(value) and one == value for one in among)
        case "required", dict():
            return all(key in value for key in wanted)
        case "properties", dict():
            known = [key for key in wanted if key in value]
            return all(surely_fits(wanted[key], value[key], end) for key in known)
        case "additionalProperties", dict():  # of which this has none
            return value.keys() <= {*schema.get("properties", ())}
        case "items", list():
            one_for_all = not isinstance(wanted, list)
            return one_for_all and all(surely_fits(wanted, item, end) for item in value)
        case "format", _:
            return not isinstance(value, str) or UUID.fullmatch(value) is not None
        case "pattern", str():
            return re.search(wanted, value) is not None
        case ("minLength" | "minItems"), ((str() | list()) as sized):
            return bool(len(sized) >= wanted)
        case ("maxLength" | "maxItems"), ((str() | list()) as sized):
            return bool(len(sized) <= wanted)
        case ("minimum" | "maximum"), ((int() | float()) as number) if not isinstance(number, bool):
            return bool(number >= wanted if name == "minimum" else number <= wanted)
    return False
