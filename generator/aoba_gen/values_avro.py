"""Avro schemas as JSON Schema, as far as a value that stands in a document can be held against them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from .load import Json

_PRIMITIVES: Final[Mapping[str, dict[str, Any]]] = {
    "null": {"type": "null"},
    "boolean": {"type": "boolean"},
    "int": {"type": "integer", "minimum": -(2**31), "maximum": 2**31 - 1},
    "long": {"type": "integer", "minimum": -(2**63), "maximum": 2**63 - 1},
    "float": {"type": "number"},
    "double": {"type": "number"},
    "bytes": {"type": "string"},
    "string": {"type": "string"},
}


def avro_schema(avro: Json, scope: str, ready: dict[str, Any]) -> Any:
    """What an Avro schema allows, as plain JSON Schema; named types go into `ready` below the name of the `scope`.

    A value of a union may carry the name of its branch, as Avro's own JSON encoding has it, or stand alone.
    """
    if isinstance(avro, str):
        name = avro.rpartition(".")[2]
        return _PRIMITIVES.get(avro) or ({"$ref": scope + name} if scope + name in ready else True)
    if isinstance(avro, list):
        return {"anyOf": [one for branch in avro for one in _branch(branch, scope, ready)]}
    if not isinstance(avro, dict):
        return True
    kind, key = avro.get("type"), f"{scope}{str(avro.get('name')).rpartition('.')[2]}"
    if kind == "array":
        return {"type": "array", "items": avro_schema(avro.get("items"), scope, ready)}
    if kind == "map":
        inner = avro_schema(avro.get("values"), scope, ready)
        return {"type": "object", "additionalProperties": inner}
    if kind == "enum" and isinstance(avro.get("symbols"), list):
        ready[key] = {"enum": avro["symbols"]}
    elif kind == "fixed":
        ready[key] = {"type": "string"}
    elif kind in ("record", "error"):
        ready[key] = made = {"type": "object"}
        made.update(_record(avro.get("fields"), scope, ready))
    else:
        return avro_schema(kind, scope, ready)
    return {"$ref": key}


def _record(fields: Json, scope: str, ready: dict[str, Any]) -> dict[str, Any]:
    listed = (
        [field for field in fields if isinstance(field, dict)] if isinstance(fields, list) else []
    )
    return {
        "required": [str(field.get("name")) for field in listed if "default" not in field],
        "properties": {
            str(field.get("name")): avro_schema(field.get("type"), scope, ready) for field in listed
        },
    }


def _branch(avro: Json, scope: str, ready: dict[str, Any]) -> list[Any]:
    """The value alone, and the value below its branch's name."""
    alone = avro_schema(avro, scope, ready)
    label = avro.get("name", avro.get("type")) if isinstance(avro, dict) else avro
    named = {
        "type": "object",
        "required": [str(label)],
        "properties": {str(label): alone},
        "additionalProperties": False,
    }
    return [alone, named] if label != "null" else [alone]
