"""The objects of AsyncAPI 2.0.0 to 2.6.0 as tables: those of 2.0, and what each later version changed."""

from __future__ import annotations

from typing import Final

from .shapes import EXPRESSION, Tables, derived, table, with_fields
from .shapes_common import REFERABLE, common

_ABOUT: Final = {"tags": "[Tag]", "externalDocs": "ExternalDocs"}
_MESSAGE: Final = {
    "schemaFormat": "text",
    "contentType": "text",
    "headers": "Schema",
    "correlationId": "CorrelationId",
    "name": "text",
    "title": "text",
    "summary": "text",
    "description": "text",
    **_ABOUT,
    "deprecated": "true or false",
    "bindings": "Bindings",
}
_OPERATION: Final = {
    "operationId": "text",
    "summary": "text",
    "description": "text",
    **_ABOUT,
    "bindings": "Bindings",
}

V2_0: Final = Tables(
    "2.0",
    {
        **common("scopes"),
        "Document": table(
            {
                "asyncapi": "text!",
                "id": "text",
                "info": "Info!",
                "servers": "{Server}",
                "defaultContentType": "text",
                "channels": "{Channel}!",
                "components": "Components",
                **_ABOUT,
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
            }
        ),
        "Server": table(
            {
                "url": "text!",
                "protocol": "text!",
                "protocolVersion": "text",
                "description": "text",
                "variables": "{ServerVariable}",
                "security": "[{[text]}]",
                "bindings": "Bindings",
            }
        ),
        "Channel": table(
            {
                "description": "text",
                "subscribe": "Operation",
                "publish": "Operation",
                "parameters": "{Parameter}",
                "deprecated": "true or false",
                "bindings": "Bindings",
            }
        ),
        "Parameter": table({"description": "text", "schema": "Schema", "location": EXPRESSION}),
        "Operation": table({**_OPERATION, "traits": "[OperationTrait]", "message": "Message"}),
        "OperationTrait": table(_OPERATION),
        "Message": table(
            {
                **_MESSAGE,
                "payload": "Formatted",
                "traits": "[MessageTrait]",
                "examples": "[MessageExample]",
            }
        ),
        "MessageOneOf": table({"oneOf": "[Message]!"}),
        "MessageTrait": table({**_MESSAGE, "examples": "[an object]"}),
        "MessageExample": table({"headers": "an object", "payload": "anything"}),
        "Components": table(
            {
                "schemas": "{Schema}",
                "messages": "{Message}",
                "securitySchemes": "{SecurityScheme}",
                "parameters": "{Parameter}",
                "correlationIds": "{CorrelationId}",
                "operationTraits": "{OperationTrait}",
                "messageTraits": "{MessageTrait}",
                "serverBindings": "{Bindings}",
                "channelBindings": "{Bindings}",
                "operationBindings": "{Bindings}",
                "messageBindings": "{Bindings}",
            }
        ),
    },
    frozenset(f"{REFERABLE} Formatted".split()),
)

_EXAMPLE: Final = {
    "headers": "an object",
    "payload": "anything",
    "name": "text",
    "summary": "text",
}
V2_1: Final = derived(V2_0, "2.1", {"MessageExample": table(_EXAMPLE, some=("payload", "headers"))})
V2_2: Final = derived(
    V2_1, "2.2", {"Channel": with_fields(V2_1.objects["Channel"], {"servers": "[text]"})}
)
V2_3: Final = derived(
    V2_2,
    "2.3",
    {
        "Components": with_fields(
            V2_2.objects["Components"], {"servers": "{Server}", "channels": "{Channel}"}
        )
    },
    "Server",
)
_SECURITY: Final = {"security": "[{[text]}]"}
_IDENTIFIED: Final = {"messageId": "text"}
V2_4: Final = derived(
    V2_3,
    "2.4",
    {
        "Operation": with_fields(V2_3.objects["Operation"], _SECURITY),
        "OperationTrait": with_fields(V2_3.objects["OperationTrait"], _SECURITY),
        "Message": with_fields(V2_3.objects["Message"], _IDENTIFIED),
        "MessageTrait": with_fields(V2_3.objects["MessageTrait"], _IDENTIFIED),
        "Components": with_fields(
            V2_3.objects["Components"], {"serverVariables": "{ServerVariable}"}
        ),
    },
    "ServerVariable",
)
V2_5: Final = derived(
    V2_4, "2.5", {"Server": with_fields(V2_4.objects["Server"], {"tags": "[Tag]"})}
)
V2_6: Final = derived(
    V2_5,
    "2.6",
    {"MessageTrait": with_fields(V2_5.objects["MessageTrait"], {"examples": "[MessageExample]"})},
)
