"""Which language a schema is written in: `schemaFormat` of a multi-format schema object."""

from __future__ import annotations

import re
from typing import Final, Literal, TypeAlias

from .resolve import Place

Format: TypeAlias = Literal["plain", "wrapped", "avro", ""]
_JSON_SCHEMA: Final = re.compile(
    r"application/(vnd\.aai\.asyncapi|vnd\.oai\.openapi|schema)\s*(\+(json|yaml))?\s*(;.*)?",
    re.IGNORECASE,
)
_AVRO: Final = re.compile(
    r"application/vnd\.apache\.avro\s*(\+(json|yaml))?\s*(;.*)?", re.IGNORECASE
)


def format_of(place: Place) -> Format:
    """How to read a schema: as JSON Schema, plain or in a wrapper, as Avro in a wrapper; "" for any other."""
    kind = place.text("schemaFormat").strip()
    if not kind:
        return "plain"
    if place.raw("schema") is None:
        return "plain"
    if _JSON_SCHEMA.fullmatch(kind):
        return "wrapped"
    return "avro" if _AVRO.fullmatch(kind) else ""
