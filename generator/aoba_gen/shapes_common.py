"""The objects that all versions of AsyncAPI share: who stands behind an API, its texts, security schemes, schemas."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from .shapes import EXPRESSION, Table, table

_FLOW: Final = {"authorizationUrl": "text", "tokenUrl": "text", "refreshUrl": "text"}


def common(scopes: str) -> dict[str, Table]:
    """The shared objects; `scopes` is what an OAuth flow calls the scopes that it has."""
    return {
        "Contact": table({"name": "text", "url": "text", "email": "text"}),
        "License": table({"name": "text!", "url": "text"}),
        "Tag": table({"name": "text!", "description": "text", "externalDocs": "ExternalDocs"}),
        "ExternalDocs": table({"description": "text", "url": "text!"}),
        "ServerVariable": table(
            {"enum": "[text]", "default": "text", "description": "text", "examples": "[text]"}
        ),
        "CorrelationId": table({"description": "text", "location": f"{EXPRESSION}!"}),
        "Bindings": table({}, open=True),
        **_security(scopes),
        **_schemas("Schema", _DISCRIMINATED),
        **_schemas("JsonSchema", {}),
    }


_PLAIN: Final = """
    userPassword X509 symmetricEncryption asymmetricEncryption plain scramSha256 scramSha512 gssapi
    """.split()
_KINDS: Final = (*_PLAIN, "apiKey", "http", "httpApiKey", "oauth2", "openIdConnect")


def _security(scopes: str) -> dict[str, Table]:
    flow = {**_FLOW, scopes: "{text}!"}
    url, token = {"authorizationUrl": "text!"}, {"tokenUrl": "text!"}
    about = {"type": f"{'|'.join(_KINDS)}!", "description": "text"}
    special: dict[str, dict[str, str]] = {
        "apiKey": {"in": "user|password!"},
        "http": {"scheme": "text!", "bearerFormat": "text"},
        "httpApiKey": {"name": "text!", "in": "header|query|cookie!"},
        "oauth2": {"flows": "Flows!", "scopes": "[text]"},
        "openIdConnect": {"openIdConnectUrl": "text!", "scopes": "[text]"},
    }
    return {
        "SecurityScheme": table(about, open=True),
        **{f"SecurityScheme {kind}": table({**about, **special.get(kind, {})}) for kind in _KINDS},
        "Flows": table(
            {
                "implicit": "FlowImplicit",
                "password": "FlowPassword",
                "clientCredentials": "FlowPassword",
                "authorizationCode": "FlowCode",
            }
        ),
        "FlowImplicit": table({**flow, **url}, never=("tokenUrl",)),
        "FlowPassword": table({**flow, **token}, never=("authorizationUrl",)),
        "FlowCode": table({**flow, **url, **token}),
    }


_DISCRIMINATED: Final = {
    "discriminator": "text",
    "externalDocs": "ExternalDocs",
    "deprecated": "true or false",
}
_WHOLE: Final = "a whole number of at least 0"


def _schemas(name: str, more: Mapping[str, str]) -> dict[str, Table]:
    """A schema object, named so that its subschemas are of its own kind."""
    return {
        name: table(
            {
                "$id": "text",
                "$schema": "text",
                "$comment": "text",
                "type": "SchemaType",
                "title": "text",
                "description": "text",
                "pattern": "text",
                "format": "text",
                "minimum": "a number",
                "maximum": "a number",
                "exclusiveMinimum": "a number" if more else "anything",
                "exclusiveMaximum": "a number" if more else "anything",
                "multipleOf": "a number above 0",
                "minLength": _WHOLE,
                "maxLength": _WHOLE,
                "minItems": _WHOLE,
                "maxItems": _WHOLE,
                "minProperties": _WHOLE,
                "maxProperties": _WHOLE,
                "uniqueItems": "true or false",
                "readOnly": "true or false",
                "writeOnly": "true or false",
                "contentMediaType": "text",
                "contentEncoding": "text",
                "required": "[text]",
                "enum": "[anything]+",
                "examples": "[anything]",
                "properties": f"{{{name}}}",
                "patternProperties": f"{{{name}}}",
                "definitions": f"{{{name}}}",
                "dependencies": f"{{{name}Dependency}}",
                "allOf": f"[{name}]+",
                "anyOf": f"[{name}]+",
                "oneOf": f"[{name}]+",
                "not": name,
                "if": name,
                "then": name,
                "else": name,
                "contains": name,
                "propertyNames": name,
                "additionalProperties": name,
                "additionalItems": name,
                "items": f"{name}Items",
                **more,
            },
            open=True,
        )
    }


REFERABLE: Final = """
    Bindings Channel CorrelationId JsonSchema Message MessageTrait OperationTrait Parameter Schema SecurityScheme
    """
"""The objects that a Reference Object may stand for in every version."""
