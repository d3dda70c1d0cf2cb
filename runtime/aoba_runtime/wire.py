"""The base of generated models: Python names inside, wire names outside, and absent never confused with null."""

from __future__ import annotations

import re
import time
import uuid
from collections.abc import Callable, Hashable, Iterable, Mapping
from dataclasses import dataclass
from functools import cache
from types import NoneType
from typing import (
    TYPE_CHECKING,
    Annotated,
    Any,
    ClassVar,
    Final,
    Generic,
    Literal,
    Self,
    TypeAlias,
    TypeVar,
    cast,
    get_args,
    get_origin,
)

from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    GetCoreSchemaHandler,
    PrivateAttr,
    ValidationInfo,
    model_validator,
)
from pydantic.fields import FieldInfo
from pydantic_core import CoreSchema, PydanticCustomError, core_schema

from .checks import Checks
from .core_schemas import ANY_JSON, any_json, as_exact_number, exact_constant, rewritten

T = TypeVar("T")


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
class _Default(Generic[T]):
    """Makes the default of a field that may be absent; any other factory fills one that must not be."""

    make: Callable[[], T]

    def __call__(self) -> T:
        return self.make()


def by_default(make: Callable[[], T]) -> T:
    """What an optional field holds that was not set: made anew for each object, and sent once it was changed."""
    field: T = Field(default_factory=_Default(make))
    return field


@dataclass(frozen=True, slots=True)
class _Fields:
    """Which fields are on every message, which are put in by a constructor alone, for which `None` means absent, and whose
    default can be changed in place."""

    always: frozenset[str]
    offered: frozenset[str]
    omitted: frozenset[str]
    changeable: frozenset[str]


def _is_always_sent(field: FieldInfo) -> bool:
    if field.is_required():
        return True
    if field.default_factory is not None:
        return not isinstance(field.default_factory, _Default)
    return _is_constant(field.annotation, field.default)


def _is_offered(field: FieldInfo) -> bool:
    members = [kind for kind in get_args(field.annotation) if kind is not NoneType]
    return len(members) == 1 and _is_constant(members[0], field.default)


def _is_constant(annotation: object, value: object) -> bool:
    return get_origin(annotation) is Literal and get_args(annotation) == (value,)


def _is_omitted_when_none(field: FieldInfo) -> bool:
    null_allowed = any(isinstance(mark, _NullAllowed) for mark in field.metadata)
    may_be_none = field.default is None or _is_offered(field)
    return not field.is_required() and may_be_none and not null_allowed


@cache
def _fields(model: type[BaseModel]) -> _Fields:
    fields = model.model_fields.items()
    return _Fields(
        always=frozenset(name for name, field in fields if _is_always_sent(field)),
        offered=frozenset(name for name, field in fields if _is_offered(field)),
        omitted=frozenset(name for name, field in fields if _is_omitted_when_none(field)),
        changeable=frozenset(
            name
            for name, field in fields
            if isinstance(field.default_factory, _Default)
            or not isinstance(field.default, Hashable)
        ),
    )


@cache
def _checks(model: type[BaseModel]) -> list[Checks]:
    """Those of the class and of its bases."""
    found = [vars(base).get("__checks__") for base in model.__mro__]
    return [checks for checks in found if checks is not None]


class WireModel(BaseModel):
    """A JSON object of a message.

    Built with Python names, sent with wire names. Extra fields are kept and passed on. What is on the wire is what was
    set; `Message.encode` sends it:

    - a field without a default is on every message;
    - so is one that is a constant (`type: Literal[T.A] = T.A`) or that a `default_factory` fills when the caller
      does not, unless it is `by_default`: the default only saves typing, a decoded message must have it;
    - a constant that may be `None` (`type: Literal[T.A] | None = T.A`) is put in by a constructor, unless it is told `None`;
      a decoded message may lack it, and has `None` then;
    - any other field is sent if it was set, or if its default was changed in place (`x.media.append(...)`). For
      `x: int | None = None`, `None` means absent, and null is refused; for `x: Nullable[int] = None`, setting `None`
      sends null.

    NaN and infinity, which JSON does not have, are refused. `__checks__` is what the schema says beyond the types of the
    fields; a subclass keeps those of its bases.
    """

    __checks__: ClassVar[Checks]
    if TYPE_CHECKING:
        __pydantic_extra__: Any = (
            PrivateAttr()
        )  # so that a class may say of what type its extra fields are

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
        def is_done(schema: dict[str, Any]) -> bool:
            model = schema.get("cls", source)
            return model is not source and issubclass(model, WireModel)  # it was itself a source

        exact: CoreSchema = rewritten(handler(source), exact_constant, is_done)
        return exact

    @model_validator(mode="after")
    def _settle_presence(self, info: ValidationInfo) -> Self:
        fields = _fields(type(self))
        present = self.__pydantic_fields_set__
        if info.mode != "json":
            present.update(fields.offered)
        present.difference_update(
            [name for name in fields.omitted & present if getattr(self, name) is None]
        )
        present.update(fields.always)
        if info.mode == "json":
            for checks in _checks(type(self)):
                checks.demand(self)
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
            field = type(value).model_fields[name]
            if getattr(value, name) != field.get_default(call_default_factory=True):
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


def received(schema: CoreSchema) -> CoreSchema:
    """`schema` for JSON that arrives, all of it in pydantic's own code.

    A field that is on every message has no default and so is required, null is refused where `None` means absent,
    what may be anything is JSON (no NaN, no Infinity), and an integer that no double holds exactly stays an integer
    where the type is `float`.
    """
    inside: Any = rewritten(schema, _as_received)
    definitions = inside["definitions"] if inside["type"] == "definitions" else []
    whole = inside["schema"] if definitions else inside
    return core_schema.definitions_schema(whole, [*definitions, any_json()])


def _as_received(schema: dict[str, Any]) -> dict[str, Any]:
    match schema:
        case {"type": "any"}:
            return {"type": "definition-ref", "schema_ref": ANY_JSON}
        case {"type": "float"}:
            return as_exact_number(schema)
        case {"type": "literal" | "enum" | "function-wrap"}:
            return exact_constant(schema)
        case {"type": "function-after"} if _only_settles(schema):
            return {**schema["schema"], **({"ref": schema["ref"]} if "ref" in schema else {})}
        case {"type": "model", "cls": type() as model} if issubclass(model, WireModel):
            return {**schema, "schema": _with_presence(schema["schema"], model)}
    return schema


def _only_settles(schema: dict[str, Any]) -> bool:
    """Whether a validator does what the schema for JSON that arrives does by itself."""
    if schema["function"]["function"] is not WireModel._settle_presence:
        return False
    inner = schema["schema"]
    while inner["type"] != "model":
        inner = inner["schema"]
    return not _checks(inner["cls"])


def _with_presence(schema: dict[str, Any], model: type[WireModel]) -> dict[str, Any]:
    if schema["type"] != "model-fields":  # a validator of the model
        return {**schema, "schema": _with_presence(schema["schema"], model)}
    presence, fields = _fields(model), {}
    for name, field in schema["fields"].items():
        value = field["schema"]
        if value["type"] == "default" and name in presence.always:
            value = value["schema"]
        elif value["type"] == "default" and name in presence.omitted:
            value = {**value, "schema": _not_null(value["schema"]), "default": None}
        fields[name] = {**field, "schema": value}
    settled = {**schema, "fields": fields}
    if model.model_config.get("extra") == "allow":
        settled.setdefault("extras_schema", {"type": "definition-ref", "schema_ref": ANY_JSON})
    return settled


def _not_null(schema: dict[str, Any]) -> dict[str, Any]:
    """`schema` without null."""
    if schema["type"] == "nullable":
        inner: dict[str, Any] = schema["schema"]
        return inner
    if schema["type"].startswith("function-") and "schema" in schema:
        return schema | {"schema": _not_null(schema["schema"])}
    refusing: Any = core_schema.no_info_after_validator_function(_refuse_null, cast(Any, schema))
    checked: dict[str, Any] = refusing
    return checked


def _refuse_null(value: object) -> object:
    if value is None:
        raise PydanticCustomError(
            "null_not_allowed", "Input should not be null; leave the field out instead"
        )
    return value
