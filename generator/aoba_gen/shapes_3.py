"""The objects of AsyncAPI 3.0.0 and 3.1.0 as tables; the specification's "Schema" section in short."""

from __future__ import annotations

from typing import Final

from .shapes import EXPRESSION, Tables, derived, table
from .shapes_common import REFERABLE, common

_TITLES: Final = {"title": "text", "summary": "text", "description": "text"}
_ABOUT: Final = {"tags": "[Tag]", "externalDocs": "ExternalDocs"}
_MESSAGE_TRAIT: Final = {
    "headers": "AnySchema",
    "correlationId": "CorrelationId",
    "contentType": "text",
    "name": "text",
    **_TITLES,
    **_ABOUT,
    "bindings": "Bindings",
    "examples": "[MessageExample]",
    "deprecated": "true or false",
}
_OPERATION_TRAIT: Final = {
    **_TITLES,
    "security": "[SecurityScheme]",
    **_ABOUT,
    "bindings": "Bindings",
}

V3_0: Final = Tables(
    "3.0",
    {
        **common("availableScopes"),
        "Document": table(
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
        "Info": table(
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
        "Server": table(
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
        "Channel": table(
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
        "Parameter": table(
            {
                "enum": "[text]",
                "default": "text",
                "description": "text",
                "examples": "[text]",
                "location": EXPRESSION,
            }
        ),
        "Operation": table(
            {
                "action": "send|receive!",
                "channel": "Reference!",
                **_OPERATION_TRAIT,
                "traits": "[OperationTrait]",
                "messages": "[Reference]",
                "reply": "OperationReply",
            }
        ),
        "OperationTrait": table(_OPERATION_TRAIT),
        "OperationReply": table(
            {
                "address": "OperationReplyAddress",
                "channel": "Reference",
                "messages": "[Reference]",
            }
        ),
        "OperationReplyAddress": table({"description": "text", "location": f"{EXPRESSION}!"}),
        "Message": table({**_MESSAGE_TRAIT, "payload": "AnySchema", "traits": "[MessageTrait]"}),
        "MessageTrait": table(_MESSAGE_TRAIT),
        "MessageExample": table(
            {
                "headers": "an object",
                "payload": "anything",
                "name": "text",
                "summary": "text",
            },
            some=("payload", "headers"),
        ),
        "MultiFormatSchema": table({"schemaFormat": "text", "schema": "Formatted!"}),
        "Components": table(
            {
                "schemas": "{AnySchema}",
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
    },
    frozenset(f"""
    {REFERABLE} AnySchema ExternalDocs Formatted MultiFormatSchema Operation OperationReply OperationReplyAddress Server
    ServerVariable Tag
    """.split()),
)
V3_1: Final = derived(V3_0, "3.1", {})
