"""The way between JSON text and the values of one Python type: strict, and nothing lost on the way."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from typing import Any, Final

from pydantic import BaseModel, ConfigDict, TypeAdapter, ValidationError
from pydantic_core import (
    ErrorDetails,
    PydanticSerializationError,
    SchemaValidator,
    from_json,
    to_json,
)

from .core_schemas import LARGE_INTEGER
from .errors import BadMessage, Problem
from .limits import excess
from .tries import TooManyTries, counted, counting
from .wire import note_changed_defaults, received

_MOST_PROBLEMS: Final = 8
"""How many problems the text of a `BadMessage` names; `problems` has all."""
_MOST_TOLD: Final = 10_000
"""With more problems none is told: to find where each is takes twenty times as long as to find that there is one."""
_SURELY_SENT: Final = 80
"""So deep a value can be, whatever its type, and still be sent."""
_LONGEST: Final = 300
"""How long the text of one problem may be, in characters."""


class Codec:
    """JSON text to the values of `kind`, which is whatever pydantic takes for a type, and back.

    Of two members of an object with one name, the last counts. Integers are exact whatever their size (4300 digits at
    most), other numbers are what a double holds. What no Python value can hold is refused as no JSON: NaN and Infinity,
    a number beyond 1.8e308, half of a surrogate pair, more than 200 arrays and objects inside each other.
    """

    def __init__(self, kind: Any) -> None:
        self.kind: Final = kind
        self._is_model = isinstance(kind, type) and issubclass(kind, BaseModel)
        config = ConfigDict(allow_inf_nan=False, ser_json_inf_nan="constants")
        self._adapter: TypeAdapter[Any] = TypeAdapter(
            kind, config=None if self._is_model else config
        )
        # A model's own validator, which knows its constructor only, is not what this one is made of.
        schema = self._adapter.core_schema
        counted_schema, self._is_counted = counting(received(schema))
        self._validator = SchemaValidator(
            counted_schema, {"allow_inf_nan": False}, _use_prebuilt=False
        )
        self._may_be_deep = schema["type"] == "definitions"  # there are references: perhaps back

    def decode(self, data: bytes, what: str) -> Any:
        """The value that `data` holds; raises `BadMessage`, which calls the value `what`."""
        if not self._is_counted:
            return self._decode(data, what)
        try:
            with counted(data):
                return self._decode(data, what)
        except TooManyTries:
            raise bad_at(
                "", "should have fewer levels at which it may be of one type or of another"
            ) from None

    def _decode(self, data: bytes, what: str) -> Any:
        try:
            value = self._validate(data)
            if self._may_be_deep and data.count(b"{") + data.count(b"[") > _SURELY_SENT:
                self._dump(value)
            return value
        except ValidationError as error:
            _bound(error, what)
            refused, integers = error, _with_integers(data, error)
        except (RecursionError, PydanticSerializationError):
            raise bad_at("", "should not be nested so deep") from None
        if integers is not None:
            try:
                return self._validate(integers)
            except ValidationError as error:
                _bound(error, what)
                refused = error
        problems = _by_place(_problems(refused, data))
        raise BadMessage(f"not a {what}: {_listed(problems)}", problems=problems)

    def encode(self, value: object, what: str) -> bytes:
        """`value` as JSON text, which `decode` takes.

        Raises `TypeError` when it is not of the type, `ValueError` when it was changed into what the schema forbids.
        """
        problems = self._misfits(value)
        if problems is not None:
            text = f"{what} takes {type_name(self.kind)}, not {type(value).__name__}"
            raise TypeError(f"{text}: {_listed(problems)}" if problems else text)
        try:
            note_changed_defaults(value)
            data = self._dump(value)
        except (ValueError, TypeError, RecursionError) as error:
            raise ValueError(f"this {what} cannot be sent: {error}") from None
        try:
            self.decode(data, what)
        except BadMessage as fault:
            raise ValueError(f"this {what} cannot be sent: {fault.text}") from None
        return data

    def takes(self, value: object) -> bool:
        """Whether `value` is of the type, or of a subclass of it."""
        return self._misfits(value) is None

    def _misfits(self, value: object) -> list[Problem] | None:
        """What is wrong with `value` as one of the type: `None` if nothing is, empty if there is nothing to explain."""
        if self._is_model:
            return None if isinstance(value, self.kind) else []
        try:
            self._adapter.validator.validate_python(value, strict=True)
        except ValidationError as error:
            return (
                _by_place(_problems(error, None)) if isinstance(value, list | tuple | dict) else []
            )
        except RecursionError:
            return [Problem("", "should not be nested so deep")]
        return None

    def _dump(self, value: object) -> bytes:
        return self._adapter.serializer.to_json(
            value, by_alias=True, exclude_unset=True, serialize_as_any=True, warnings=False
        )

    def _validate(self, data: bytes) -> Any:
        return self._validator.validate_json(data, strict=True, by_alias=True, by_name=False)


def json_value(data: bytes) -> object:
    """The JSON value that `data` holds; raises `BadMessage`."""
    try:
        return from_json(data, allow_inf_nan=False)
    except ValueError as error:
        raise bad_at("", f"should be JSON: {error}") from None


def as_bytes(data: bytes | str) -> bytes:
    """`data` in UTF-8; raises `BadMessage` for half of a surrogate pair, and for what is more than may be."""
    try:
        found = data.encode() if isinstance(data, str) else data
    except UnicodeEncodeError as error:
        raise bad_at("", f"should be text: {error}") from None
    if (wrong := excess(found)) is not None:
        raise bad_at("", wrong)
    return found


def bad_at(path: str, expected: str) -> BadMessage:
    """The fault of a message that is wrong at `path`."""
    problem = Problem(path, expected)
    return BadMessage(str(problem), problems=[problem])


def type_name(kind: object) -> str:
    """What a type is called in a text."""
    return kind.__name__ if isinstance(kind, type) else str(kind)


_ENUM_MEMBER: Final = re.compile(r"<\w+\.\w+: ('[^']*')>")
_OF_ABSENT: Final = frozenset({"missing", "check"})
"""Errors that may be about a member that is not there."""
_INTEGER_ERRORS: Final = frozenset({"int_type", "literal_error", "enum"})


def _bound(error: ValidationError, what: str) -> None:
    """Raise `BadMessage` without a word of each problem where there are too many."""
    if (count := error.error_count()) > _MOST_TOLD:
        raise bad_at("", f"should be a {what}, and is none for {count:,} reasons") from None


def _with_integers(data: bytes, error: ValidationError) -> bytes | None:
    """`data` with 1.0 written as 1, which JSON Schema takes for the same integer; `None` when that cannot help."""
    for problem in error.errors(include_url=False, include_context=False):
        value = problem["input"]
        if problem["type"] == "union_tag_invalid" or (
            problem["type"] in _INTEGER_ERRORS and isinstance(value, float) and value.is_integer()
        ):
            return to_json(_integers(from_json(data)))
    return None


def _integers(value: object) -> object:
    if isinstance(value, float) and value.is_integer():
        return int(value)
    if isinstance(value, list):
        return [_integers(item) for item in value]
    if isinstance(value, dict):
        return {name: _integers(item) for name, item in value.items()}
    return value


def _problems(error: ValidationError, data: bytes | None) -> Iterator[Problem]:
    details: ErrorDetails
    root: object = None
    for details in error.errors(include_url=False, include_context=False):
        kind, text = details["type"], _ENUM_MEMBER.sub(r"\1", details["msg"])
        if LARGE_INTEGER in details["loc"]:
            continue
        if kind == "json_invalid":
            yield Problem("", text.replace("Invalid JSON", "should be JSON"))
            return
        if root is None and data is not None:
            root = from_json(data)
        if details["input"] is None and kind.endswith("_type"):
            text += ", not null"
        yield Problem(_path(details["loc"], root, kind), text)


def _by_place(problems: Iterable[Problem]) -> list[Problem]:
    """`problems` with one for each place, which says what any member of a union expects."""
    places: dict[str, dict[str, None]] = {}
    for problem in problems:
        places.setdefault(problem.path, {})[problem.message] = None
    return [Problem(path, _shortened(" or ".join(_rest(texts)))) for path, texts in places.items()]


def _rest(texts: Iterable[str]) -> Iterator[str]:
    """`texts` without the beginning that all share."""
    for number, text in enumerate(texts):
        yield text.removeprefix("Input should be ") if number else text


def _path(location: Iterable[int | str], root: object, kind: str) -> str:
    """`location` as text, without what pydantic puts in it for the members of a union."""
    path, absent = "", kind in _OF_ABSENT
    value: Any = root
    steps = list(location)
    for number, step in enumerate(steps, 1):
        if isinstance(value, dict) and step in value:
            value = value[step]
        elif isinstance(value, list) and isinstance(step, int) and step < len(value):
            value = value[step]
        elif root is not None and not (absent and number == len(steps)):
            continue
        path += f"[{step}]" if isinstance(step, int) else f".{step}" if path else step
    return path


def _listed(problems: list[Problem]) -> str:
    text = "; ".join(map(str, problems[:_MOST_PROBLEMS]))
    more = len(problems) - _MOST_PROBLEMS
    return f"{text}; and {more} more" if more > 0 else text


def _shortened(text: str) -> str:
    return text if len(text) <= _LONGEST else text[:_LONGEST] + "..."
