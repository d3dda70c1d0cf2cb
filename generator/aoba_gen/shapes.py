"""The objects of AsyncAPI 3.0.0 and their fields, as tables; the specification's "Schema" section in short.

A field is written "Name" (an object below), "[Name]" (a list), "{Name}" (a map by name), with "!" when required.
"Reference" is a place that only a Reference Object may fill.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from types import EllipsisType
from typing import Final, Literal

from .load import Json


@dataclass(frozen=True, slots=True)
class Shape:
    """What a place should hold: an object of the tables, a scalar, or a list or map of a shape."""

    name: str
    kind: Literal["one", "list", "map"] = "one"

    @property
    def inner(self) -> Shape:
        """The shape of an item or entry."""
        return Shape(self.name)

    def allows(self, value: Json | EllipsisType) -> bool:
        """Whether a scalar fits; `...` stands for what is no scalar."""
        if self.name == "anything":
            return True
        if value is ... or type(value) not in _SCALARS[self.name]:
            return False
        return not isinstance(value, (int, float)) or value >= _LEAST.get(self.name, value)


@dataclass(frozen=True, slots=True)
class Table:
    """The fields of an object; an `open` one may have others."""

    fields: Mapping[str, Shape]
    required: tuple[str, ...]
    open: bool


_SCALARS: Final[Mapping[str, tuple[type, ...]]] = {
    "text": (str,),
    "text or null": (str, type(None)),
    "true or false": (bool,),
    "a number": (int, float),
    "a whole number of at least 0": (int,),
    "a number above 0": (int, float),
}
_LEAST: Final = {"a whole number of at least 0": 0.0, "a number above 0": 5e-324}


@cache
def shape_of(text: str) -> Shape:
    """The shape that a table's text stands for."""
    text = text.removesuffix("!")
    if text[0] == "[":
        return Shape(text[1:-1], "list")
    if text[0] == "{":
        return Shape(text[1:-1], "map")
    return Shape(text)


def _table(fields: dict[str, str], *, open: bool = False) -> Table:
    return Table(
        {name: shape_of(text) for name, text in fields.items()},
        tuple(name for name, text in fields.items() if text.endswith("!")),
        open,
    )


_TITLES: Final = {"title": "text", "summary": "text", "description": "text"}
_ABOUT: Final = {"tags": "[Tag]", "externalDocs": "ExternalDocs"}
_MESSAGE_TRAIT: Final = {
    "headers": "Schema",
    "correlationId": "CorrelationId",
    "contentType": "text",
    "name": "text",
    **_TITLES,
    **_ABOUT,
    "bindings": "Bindings",
    "examples": "[MessageExample]",
}
_OPERATION_TRAIT: Final = {
    **_TITLES,
    "security": "[SecurityScheme]",
    **_ABOUT,
    "bindings": "Bindings",
}

OBJECTS: Final[Mapping[str, Table]] = {
    "Document": _table(
        {
            "asyncapi": "text!",
            "id": "text",
            "info": "Info!",
            "servers": "{Server}",
            "defaultContentType": "text",
            "channels": "{Channel}",
            "operations": "{Operation}",
            "components": "Components",
        }
    ),
    "Info": _table(
        {
            "title": "text!",
            "version": "text!",
            "description": "text",
            "termsOfService": "text",
            "contact": "Contact",
            "license": "License",
            **_ABOUT,
        }
    ),
    "Contact": _table({"name": "text", "url": "text", "email": "text"}),
    "License": _table({"name": "text!", "url": "text"}),
    "Server": _table(
        {
            "host": "text!",
            "protocol": "text!",
            "protocolVersion": "text",
            "pathname": "text",
            **_TITLES,
            "variables": "{ServerVariable}",
            "security": "[SecurityScheme]",
            **_ABOUT,
            "bindings": "Bindings",
        }
    ),
    "ServerVariable": _table(
        {"enum": "[text]", "default": "text", "description": "text", "examples": "[text]"}
    ),
    "Channel": _table(
        {
            "address": "text or null",
            "messages": "{Message}",
            **_TITLES,
            "servers": "[Reference]",
            "parameters": "{Parameter}",
            **_ABOUT,
            "bindings": "Bindings",
        }
    ),
    "Parameter": _table(
        {
            "enum": "[text]",
            "default": "text",
            "description": "text",
            "examples": "[text]",
            "location": "text",
        }
    ),
    "Operation": _table(
        {
            "action": "text!",
            "channel": "Reference!",
            **_OPERATION_TRAIT,
            "traits": "[OperationTrait]",
            "messages": "[Reference]",
            "reply": "OperationReply",
        }
    ),
    "OperationTrait": _table(_OPERATION_TRAIT),
    "OperationReply": _table(
        {"address": "OperationReplyAddress", "channel": "Reference", "messages": "[Reference]"}
    ),
    "OperationReplyAddress": _table({"description": "text", "location": "text!"}),
    "Message": _table({**_MESSAGE_TRAIT, "payload": "Schema", "traits": "[MessageTrait]"}),
    "MessageTrait": _table(_MESSAGE_TRAIT),
    "MessageExample": _table(
        {"headers": "anything", "payload": "anything", "name": "text", "summary": "text"}
    ),
    "CorrelationId": _table({"description": "text", "location": "text!"}),
    "Tag": _table({"name": "text!", "description": "text", "externalDocs": "ExternalDocs"}),
    "ExternalDocs": _table({"description": "text", "url": "text!"}),
    "SecurityScheme": _table({"type": "text!", "description": "text"}, open=True),
    "Bindings": _table({}, open=True),
    "Components": _table(
        {
            "schemas": "{Schema}",
            "servers": "{Server}",
            "channels": "{Channel}",
            "operations": "{Operation}",
            "messages": "{Message}",
            "securitySchemes": "{SecurityScheme}",
            "serverVariables": "{ServerVariable}",
            "parameters": "{Parameter}",
            "correlationIds": "{CorrelationId}",
            "replies": "{OperationReply}",
            "replyAddresses": "{OperationReplyAddress}",
            "externalDocs": "{ExternalDocs}",
            "tags": "{Tag}",
            "operationTraits": "{OperationTrait}",
            "messageTraits": "{MessageTrait}",
            "serverBindings": "{Bindings}",
            "channelBindings": "{Bindings}",
            "operationBindings": "{Bindings}",
            "messageBindings": "{Bindings}",
        }
    ),
    "Schema": _table(
        {
            "title": "text",
            "description": "text",
            "pattern": "text",
            "format": "text",
            "minimum": "a number",
            "maximum": "a number",
            "exclusiveMinimum": "a number",
            "exclusiveMaximum": "a number",
            "multipleOf": "a number above 0",
            "minLength": "a whole number of at least 0",
            "maxLength": "a whole number of at least 0",
            "minItems": "a whole number of at least 0",
            "maxItems": "a whole number of at least 0",
            "minProperties": "a whole number of at least 0",
            "maxProperties": "a whole number of at least 0",
            "uniqueItems": "true or false",
            "deprecated": "true or false",
            "readOnly": "true or false",
            "writeOnly": "true or false",
            "required": "[text]",
            "enum": "[anything]",
            "examples": "[anything]",
            "properties": "{Schema}",
            "patternProperties": "{Schema}",
            "definitions": "{Schema}",
            "allOf": "[Schema]",
            "anyOf": "[Schema]",
            "oneOf": "[Schema]",
            "not": "Schema",
            "if": "Schema",
            "then": "Schema",
            "else": "Schema",
            "contains": "Schema",
            "propertyNames": "Schema",
            "additionalProperties": "Schema",
            "additionalItems": "Schema",
            "discriminator": "text",
            "externalDocs": "ExternalDocs",
        },
        open=True,
    ),
}

REFERABLE: Final = frozenset("""
    Bindings Channel CorrelationId ExternalDocs Message MessageTrait Operation OperationReply OperationReplyAddress
    OperationTrait Parameter Schema SecurityScheme Server ServerVariable Tag anything
    """.split())
"""The objects that a Reference Object may stand for."""
