"""Rules on schemas that need no value: patterns that compile, limits that leave room, properties that exist."""

from __future__ import annotations

from typing import Final

from .diagnostics import shown, suggestion
from .load import Json, Scalar
from .resolve import Place
from .validate_parts import Finding, Findings, Written, keys, repeated, text_of, texts
from .values import pattern_fault
from .values_plain import accepts_type

_PATTERN_HINT: Final = "mend it; as it stands nothing is checked against it"
_KINDS: Final = ("Schema", "JsonSchema")
_LIMITS: Final = (
    ("minimum", "maximum"),
    ("minLength", "maxLength"),
    ("minItems", "maxItems"),
    ("minProperties", "maxProperties"),
)


def schema_pattern(written: Written) -> Findings:
    """A pattern is a regular expression."""
    for schema in written.of(*_KINDS):
        pattern = schema.get("pattern")
        text = text_of(pattern)
        if pattern and text is not None and (reason := pattern_fault(text)):
            message = f"the pattern {shown(text)} is no regular expression: {reason}"
            yield Finding(message, pattern.location, _PATTERN_HINT)
        patterns = schema.get("patternProperties")
        for text in keys(patterns):
            if patterns and (reason := pattern_fault(text)):
                message = f"the pattern {shown(text)} is no regular expression: {reason}"
                yield Finding(message, patterns.key_location(text), _PATTERN_HINT)


def schema_limits(written: Written) -> Findings:
    """A lower limit is not above the upper one."""
    for schema in written.of(*_KINDS):
        for lower, upper in _LIMITS:
            least, most = _number(schema, lower), _number(schema, upper)
            if least is not None and most is not None and least > most:
                message = f"{lower!r} is {least} and {upper!r} is {most}: no value fits"
                yield Finding(message, schema.key_location(lower), "swap the two")


def schema_required(written: Written) -> Findings:
    """A required property is one that the schema describes, and is listed once."""
    for schema in written.of(*_KINDS):
        properties = schema.get("properties")
        named = [(text, item.location) for text, item in texts(schema.get("required"))]
        for name, location, first in repeated(named):
            yield Finding(
                f"{shown(name)} is required twice, first at {first}",
                location,
                "remove one of the two",
            )
        known = keys(properties)
        rest = schema.get("additionalProperties")
        is_closed = rest is not None and rest.value() is False
        for name, location in named if properties and not _is_open(schema) else ():
            near = suggestion(name, known)
            if name not in known and (near or is_closed):
                message = f"the required property {shown(name)} is not described"
                yield Finding(
                    message, location, near or "describe it, as the schema allows no other"
                )


def schema_enum(written: Written) -> Findings:
    """The allowed values and the constant of a schema are of its type."""
    for schema in written.of(*_KINDS):
        types = _types(schema)
        listed, const = schema.get("enum"), schema.get("const")
        given = [*(listed.items() if listed else ()), *([const] if const else ())]
        for item in given if types else ():
            value = item.value()
            if not accepts_type(types, value):
                message = f"{shown(value)} is never allowed: 'type' is {' or '.join(types)}"
                hint = (
                    "say so: nullable"
                    if value is None
                    else "write it as such a value, or correct the type"
                )
                yield Finding(message, item.location, hint)


def headers_object(written: Written) -> Findings:
    """The headers of a message are an object."""
    for message in written.of("Message", "MessageTrait"):
        headers = message.get("headers")
        types = _types(headers) if headers else ()
        if headers and types and "object" not in types:
            text = f"the headers are of type {' or '.join(types)}, expected object"
            yield Finding(text, headers.key_location("type"), "describe each header as a property")


def _number(schema: Place, name: str) -> float | None:
    found = schema.get(name)
    value = found.node.value if found and isinstance(found.node, Scalar) else None
    return value if isinstance(value, (int, float)) and not isinstance(value, bool) else None


def _types(schema: Place) -> tuple[str, ...]:
    """The types that a schema states, none where it states none that are known."""
    found = schema.get("type")
    value: Json = found.value() if found else []
    listed = tuple(map(str, value if isinstance(value, list) else [value]))
    nullable = schema.get("nullable")
    return (*listed, "null") if listed and nullable and nullable.value() is True else listed


def _is_open(schema: Place) -> bool:
    """Whether properties may be described elsewhere."""
    return any(
        name in keys(schema)
        for name in ("allOf", "anyOf", "oneOf", "if", "patternProperties", "$ref")
    )
