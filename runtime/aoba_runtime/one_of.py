"""Unions of which one member alone may take a value: `oneOf` of JSON Schema."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any, Final, get_args

from pydantic import GetCoreSchemaHandler, TypeAdapter, ValidationError, ValidationInfo
from pydantic_core import (
    CoreSchema,
    PydanticCustomError,
    SchemaSerializer,
    SchemaValidator,
    core_schema,
)

from .tries import counting
from .wire import received

_WIRE: Final = SchemaSerializer(core_schema.any_schema())


class OneOf:
    """Metadata of `Annotated[A | B, OneOf()]`: a received value that both A and B take is refused.

    It is run when a message is decoded or encoded, not when a value is constructed.
    """

    def __get_pydantic_core_schema__(
        self, source: Any, handler: GetCoreSchemaHandler
    ) -> CoreSchema:
        members: list[SchemaValidator] = []  # made when first needed: they may not be complete yet

        def only(value: object, info: ValidationInfo) -> object:
            if info.mode == "json":
                members.extend(map(_received, () if members else get_args(source)))
                _demand_one(value, members)
            return value

        return core_schema.with_info_after_validator_function(only, handler(source))

    def __repr__(self) -> str:
        return "OneOf()"


def _received(kind: Any) -> SchemaValidator:
    """What decodes a member: it fills nothing in, as a constructor does."""
    schema, _ = counting(received(TypeAdapter(kind).core_schema))
    return SchemaValidator(schema, {"allow_inf_nan": False}, _use_prebuilt=False)


def _demand_one(value: object, members: Sequence[SchemaValidator]) -> None:
    wire = _WIRE.to_python(value, mode="json", by_alias=True, exclude_unset=True)
    data = json.dumps(wire)
    if sum(_takes(member, data) for member in members) > 1:
        raise PydanticCustomError("one_of", "Input should be only one of what it may be")


def _takes(member: SchemaValidator, data: str) -> bool:
    try:
        member.validate_json(data, strict=True, by_alias=True, by_name=False)
    except ValidationError:
        return False
    return True
