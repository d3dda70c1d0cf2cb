"""Rules on the values that a document holds: examples and defaults fit their schemas."""

from __future__ import annotations

import json
from collections.abc import Iterator
from functools import partial
from typing import Final

from .diagnostics import shown
from .load import Array, Json, Node, Object
from .resolve import Place
from .validate_parts import Finding, Findings, Written
from .values import Path, Values
from .values_plain import TYPES, accepts_type, implied_type

_HINT = "mend the one or the other"
_TYPING: Final = ("type", "const", "enum", "allOf", "anyOf", "oneOf")
"""Keywords by which a schema says what its values are."""
_A: Final = {"object": "an object", "array": "a list"}


def message_example(written: Written) -> Findings:
    """The examples of a message fit its payload and its headers."""
    values = Values()
    for message, field, schema, given in _exchanged(written):
        what = f"an example of the {field} of message {shown(_name(message))}"
        yield from _misfits(values, schema, given, what)


def schema_example(written: Written) -> Findings:
    """The examples of a schema fit it."""
    values = Values()
    for schema in written.of("Schema", "JsonSchema"):
        examples = schema.raw("examples")
        for example in examples.raw_items() if examples else ():
            yield from _misfits(values, schema, example, f"an example of {shown(schema.key)}")


def schema_default(written: Written) -> Findings:
    """The default of a schema fits it."""
    values = Values()
    for schema in written.of("Schema", "JsonSchema"):
        default = schema.raw("default")
        if default is not None:
            yield from _misfits(values, schema, default, f"the default of {shown(schema.key)}")


def schema_type(written: Written) -> Findings:
    """An example of a schema without a type is of the type that its keywords describe."""
    held = [
        (schema.document.follow(schema), given, f"the {field} of message {shown(_name(message))}")
        for message, field, schema, given in _exchanged(written)
    ]
    for schema in written.of("Schema", "JsonSchema"):
        examples = schema.raw("examples")
        listed = examples.raw_items() if examples else ()
        held += [(schema, given, shown(schema.key)) for given in listed]
    for schema, given, whose in held:
        kind = None if any(map(schema.raw, _TYPING)) else implied_type(partial(_says, schema))
        value = given.value()
        meant = _parsed(value) if isinstance(value, str) else value
        if kind and not any(accepts_type((kind,), one) for one in (value, meant)):
            other = next(name for name, types in TYPES.items() if type(value) in types)
            yield Finding(
                f"an example of {whose} is {shown(value)}, and generated code takes {_A[kind]} alone, "
                "as the schema describes one and names no type",
                given.location,
                f"name the types, such as type: [{kind}, {other}], or mend the example",
            )


def _says(schema: Place, keyword: str) -> bool:
    return schema.raw(keyword) is not None


def no_uuids(written: Written) -> dict[str, Finding]:
    """The schemas with `format: uuid`, by their pointers, that the document itself gives another text."""
    schemas = list(written.of("Schema", "JsonSchema"))
    if not any(schema.text("format") == "uuid" for schema in schemas):
        return {}
    held = [(schema, given) for _, _, schema, given in _exchanged(written)]
    for schema in schemas:
        examples = schema.raw("examples")
        listed = [*(examples.raw_items() if examples else ()), schema.raw("default")]
        held += [(schema, given) for given in (*listed, schema.raw("example")) if given is not None]
    values = Values()
    found: dict[str, Finding] = {}
    for schema, given in held:
        value = given.value()
        meant = _parsed(value) if isinstance(value, str) else value
        if not isinstance(meant, (dict, list)):
            meant = value
        for pointer, path, text in values.no_uuids(schema, meant):
            message = f"{shown(text)} is no UUID, so {shown(pointer)} takes any text in spite of its 'format: uuid'"
            hint = "give a UUID here, or take the format out"
            found.setdefault(pointer, Finding(message, _node(given, path).location, hint))
    return found


def _exchanged(written: Written) -> Iterator[tuple[Place, str, Place, Place]]:
    """The examples of messages: the message, "payload" or "headers", the schema of that, and the example of it."""
    for message in written.messages():
        examples = message.get("examples")
        for example in examples.items() if examples else ():
            for field in ("payload", "headers"):
                schema, given = message.raw(field), example.raw(field)
                if schema is not None and given is not None:
                    yield message, field, schema, given


def _name(message: Place) -> str:
    return message.text("messageId") or message.text("name") or message.key


def _misfits(values: Values, schema: Place, given: Place, what: str) -> Findings:
    value = given.value()
    faults = values.faults(schema, value)
    if faults and isinstance(value, str):
        meant = _parsed(value)
        if isinstance(meant, (dict, list)) or not values.faults(schema, meant):
            faults = values.faults(schema, meant)  # JSON text stands for what it says
    for fault in faults:
        where = "".join(f"/{step}" for step in fault.path)
        at = f" at {shown(where)}" if where else ""
        yield Finding(
            f"{what} does not fit its schema{at}: {fault.message}",
            _node(given, fault.path).location,
            _HINT,
        )


def _parsed(text: str) -> Json:
    """The value of a JSON text, or the text."""
    try:
        value: Json = json.loads(text)
    except (ValueError, RecursionError):
        return text
    return value


def _node(given: Place, path: Path) -> Node:
    """Where in the document the part of a value stands; as near as there is."""
    node = given.node
    for step in path:
        if isinstance(node, Object) and step in node.fields:
            node = node.fields[str(step)]
        elif isinstance(node, Array) and isinstance(step, int) and step < len(node.items):
            node = node.items[step]
    return node
