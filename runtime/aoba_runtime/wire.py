"""The base of generated models: Python names inside, wire names outside, and absent never confused with null."""

from __future__ import annotations

import re
import time
import uuid
from collections.abc import Hashable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from types import NoneType
from typing import Annotated, Any, Final, Literal, Self, TypeAlias, TypeVar, get_args, get_origin

from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    GetCoreSchemaHandler,
    ValidationError,
    ValidationInfo,
    ValidatorFunctionWrapHandler,
    model_validator,
)
from pydantic.fields import FieldInfo
from pydantic_core import CoreSchema, InitErrorDetails, PydanticCustomError, core_schema

T = TypeVar("T")
Path: TypeAlias = tuple[int | str, ...]


@dataclass(frozen=True, slots=True)
class _NullAllowed:
    """Marks a field whose schema allows null."""


Nullable: TypeAlias = Annotated[T | None, _NullAllowed()]
"""A value or null: `None` is null on the wire; a field that was never set is absent."""

_UUID: Final = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", re.IGNORECASE | re.ASCII)


def _uuid_text(value: object) -> object:
    if isinstance(value, uuid.UUID):
        return str(value)
    if isinstance(value, str) and not _UUID.fullmatch(value):
        raise PydanticCustomError(
            "uuid_text", "Input should be a UUID such as 3f2b8c1e-0d4a-4c6b-9e7f-5a1d2c3b4e5f"
        )
    return value


Uuid: TypeAlias = Annotated[str, BeforeValidator(_uuid_text)]
"""A UUID (RFC 9562) as the text that was sent: letter case and all survive a round trip."""


def new_uuid() -> str:
    """A random UUID (RFC 9562, version 4) as text."""
    return str(uuid.uuid4())


def now_milliseconds() -> int:
    """The time now, in milliseconds since 1970-01-01T00:00:00Z."""
    return time.time_ns() // 1_000_000


@dataclass(frozen=True, slots=True)
class _Fields:
    """Which fields are on every message, for which `None` means absent, and whose default can be changed in place."""

    always: frozenset[str]
    omitted: frozenset[str]
    changeable: frozenset[str]


def _is_always_sent(field: FieldInfo) -> bool:
    if field.is_required() or field.default_factory is not None:
        return True
    return get_origin(field.annotation) is Literal and get_args(field.annotation) == (
        field.default,
    )


def _is_omitted_when_none(field: FieldInfo) -> bool:
    null_allowed = any(isinstance(mark, _NullAllowed) for mark in field.metadata)
    return not field.is_required() and field.default is None and not null_allowed


@cache
def _fields(model: type[BaseModel]) -> _Fields:
    fields = model.model_fields.items()
    return _Fields(
        always=frozenset(name for name, field in fields if _is_always_sent(field)),
        omitted=frozenset(name for name, field in fields if _is_omitted_when_none(field)),
        changeable=frozenset(
            name for name, field in fields if not isinstance(field.default, Hashable)
        ),
    )


def _with_exact_literals(schema: Any) -> Any:
    """`schema` with literals that do not take true for 1 and 1 for true, which are equal in Python."""
    if isinstance(schema, list | tuple):
        return type(schema)(map(_with_exact_literals, schema))
    if not isinstance(schema, dict):
        return schema
    literal: Any = schema
    if literal.get("type") == "literal":
        exact = any(isinstance(member, int) for member in literal["expected"])
        wrap = core_schema.no_info_wrap_validator_function
        return wrap(_exact, literal) if exact else literal
    return {
        key: inner if key in ("default", "metadata") else _with_exact_literals(inner)
        for key, inner in schema.items()
    }


def _exact(value: object, literal: ValidatorFunctionWrapHandler) -> object:
    member: object = literal(value)
    if isinstance(member, bool) != isinstance(value, bool):
        raise PydanticCustomError("literal_error", "Input should be {member}", {"member": member})
    return member


class WireModel(BaseModel):
    """A JSON object of a message.

    Built with Python names, sent with wire names. Extra fields are kept and passed on. What is on the wire is what was
    set; `Message.encode` sends it:

    - a field without a default is on every message;
    - so is one that is a constant (`type: Literal[T.A] = T.A`) or that a `default_factory` fills when the caller
      does not: the default only saves typing, a decoded message must have it;
    - any other field is sent if it was set, or if its default was changed in place (`x.media.append(...)`). For
      `x: int | None = None`, `None` means absent, and null is refused; for `x: Nullable[int] = None`, setting `None`
      sends null.

    NaN and infinity, which JSON does not have, are refused.
    """

    model_config = ConfigDict(
        allow_inf_nan=False,
        extra="allow",
        protected_namespaces=(),
        ser_json_inf_nan="constants",
        serialize_by_alias=True,
        validate_assignment=True,
        validate_by_alias=True,
        validate_by_name=True,
    )

    @classmethod
    def __get_pydantic_core_schema__(
        cls, source: type[BaseModel], handler: GetCoreSchemaHandler
    ) -> CoreSchema:
        exact: CoreSchema = _with_exact_literals(handler(source))
        return exact

    @model_validator(mode="after")
    def _settle_presence(self, info: ValidationInfo) -> Self:
        fields = _fields(type(self))
        present = self.__pydantic_fields_set__
        nulls = [name for name in fields.omitted & present if getattr(self, name) is None]
        if info.mode == "json":
            missing = fields.always - present
            if missing or nulls:
                raise _refusal(type(self), sorted(missing), sorted(nulls))
        else:
            present.difference_update(nulls)
            present.update(fields.always)
        return self

    def model_copy(self, *, update: Mapping[str, object] | None = None, deep: bool = False) -> Self:
        """A copy with the fields in `update` changed, which are checked like those of a constructor."""
        copy = super().model_copy(deep=deep)
        for name, value in (update or {}).items():
            setattr(copy, name, value)
        return copy


def note_changed_defaults(value: object) -> None:
    """Count as set every default that was changed in place, in `value` and all that it holds."""
    children: Iterable[object]
    if isinstance(value, WireModel):
        present = value.__pydantic_fields_set__
        for name in _fields(type(value)).changeable - present:
            if getattr(value, name) != type(value).model_fields[name].default:
                present.add(name)
        children = [*value.__dict__.values(), *(value.__pydantic_extra__ or {}).values()]
    elif isinstance(value, dict):
        children = value.values()
    elif isinstance(value, list | tuple):
        children = value
    else:
        return
    for child in children:
        if not isinstance(child, _LEAVES):
            note_changed_defaults(child)


_LEAVES: Final = (str, int, float, NoneType)


def absent_fields(model: type[BaseModel], wire: object, path: Path = ()) -> Iterator[Path]:
    """Where in the JSON value `wire` a field is absent that the default of `model` or of one inside would hide."""
    if not isinstance(wire, dict):
        return
    for name, field in model.model_fields.items():
        key = field.alias or name
        inner = field.annotation
        if key in wire:
            if isinstance(inner, type) and issubclass(inner, WireModel):
                yield from absent_fields(inner, wire[key], (*path, key))
        elif _is_always_sent(field) and not field.is_required():
            yield (*path, key)


def _refusal(model: type[BaseModel], missing: list[str], nulls: list[str]) -> ValidationError:
    def detail(name: str, kind: str | PydanticCustomError) -> InitErrorDetails:
        return {"type": kind, "loc": (model.model_fields[name].alias or name,), "input": None}

    not_null = PydanticCustomError(
        "null_not_allowed", "Input should not be null; leave the field out instead"
    )
    return ValidationError.from_exception_data(
        model.__name__,
        [detail(name, "missing") for name in missing] + [detail(name, not_null) for name in nulls],
    )
