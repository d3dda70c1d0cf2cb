"""The messages and channels of a document as values, and the way between bytes and models."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Final, Generic, TypeVar

from pydantic import TypeAdapter, ValidationError
from pydantic_core import ErrorDetails, from_json

from .errors import BadMessage, Problem, UnsupportedMessage
from .wire import WireModel, absent_fields, note_changed_defaults

T = TypeVar("T")


@dataclass(frozen=True, eq=False)
class Message(Generic[T]):
    """A message of the document, and the codec of its payload.

    `name` is its key in the document, `pointer` the file-relative JSON pointer of the message object with every
    reference followed; `payload` and `headers` are the Python types, `None` where the document has none.
    `conversation` names the payload's field whose value the messages of one conversation share.
    """

    name: str
    pointer: str
    payload: type[T]
    headers: type[object] | None = None
    content_type: str | None = None
    title: str | None = None
    conversation: str | None = None

    def decode(self, data: bytes | str) -> T:
        """The payload that `data` (JSON text, UTF-8) holds; raises `BadMessage` with the problems and their places."""
        data = _bytes(data)
        if b"NaN" in data or b"Infinity" in data:
            _root(data)  # refuses them outside of text, which pydantic does not
        return self._decode_strict(data)

    def _decode_strict(self, data: bytes) -> T:
        """`decode` for data that has no NaN and no Infinity."""
        try:
            return self._validate(data)
        except ValidationError as error:
            refused, integers = error, _with_integers(data, error)
        if integers is not None:
            try:
                return self._validate(integers)
            except ValidationError as error:
                refused = error
        problems = {problem.path: problem for problem in _problems(refused, self.payload, data)}
        text = f"not a {self.name}: " + "; ".join(map(str, problems.values()))
        raise BadMessage(text, problems=problems.values())

    def encode(self, value: T) -> bytes:
        """`value` as JSON text (UTF-8) with wire names, which `decode` takes.

        Fields that a subclass of the payload adds are sent too. Raises `TypeError` when `value` is not this message's
        payload, `ValueError` when it was changed into what the schema does not allow.
        """
        if not self.takes(value):
            raise TypeError(
                f"{self.name} takes {type_name(self.payload)}, not {type(value).__name__}"
            )
        try:
            note_changed_defaults(value)
            data = self._adapter.dump_json(
                value, by_alias=True, exclude_unset=True, serialize_as_any=True
            )
        except (ValueError, TypeError, RecursionError) as error:
            raise ValueError(f"this {self.name} cannot be sent: {error}") from None
        try:
            self.decode(data)
        except BadMessage as fault:
            raise ValueError(f"this {self.name} cannot be sent: {fault.text}") from None
        return data

    def takes(self, value: object) -> bool:
        """Whether `value` is this message's payload, or of a subclass of it."""
        if isinstance(self.payload, type):
            return isinstance(value, self.payload)
        try:  # a payload such as list[int] or A | B, which has no instances
            self._adapter.validate_python(value, strict=True)
        except ValidationError:
            return False
        return True

    def conversation_of(self, value: T) -> str | None:
        """The id of the conversation that `value` belongs to."""
        return str(getattr(value, self.conversation)) if self.conversation else None

    def _validate(self, data: bytes) -> T:
        return self._adapter.validate_json(data, strict=True, by_alias=True, by_name=False)

    @cached_property
    def _adapter(self) -> TypeAdapter[T]:
        return TypeAdapter(self.payload)


@dataclass(frozen=True, eq=False)
class Channel(Generic[T]):
    """A channel of the document: where its messages go, and the property that tells them apart.

    `T` is the union of its messages' payloads. `discriminator` is the wire name of the property and `routes` maps its
    values to messages; where the channel has a single message, there is no discriminator and any key will do.
    """

    name: str
    address: str | None
    discriminator: str | None
    routes: Mapping[str, Message[Any]]

    @property
    def messages(self) -> tuple[Message[Any], ...]:
        """The channel's messages, in document order."""
        return tuple(self.routes.values())

    def decode(self, data: bytes | str) -> T:
        """The payload of whichever message `data` is.

        Raises `UnsupportedMessage` when the discriminating property names no message of the channel, `BadMessage`
        when it is not there or the payload is not what the schema says.
        """
        return self.read(data)[1]

    def read(self, data: bytes | str) -> tuple[Message[Any], T]:
        """The message that `data` is, and its payload; raises as `decode` does."""
        return read_first([self], data)

    def _message_of(self, root: object) -> Message[Any]:
        if not isinstance(root, dict):
            raise _bad_at("", f"should be an object, not {_json_type(root)}")
        place = self.discriminator or ""
        tag = root.get(place)
        if not isinstance(tag, str):
            missing = place not in root
            raise _bad_at(
                place, "is required" if missing else f"should be text, not {_json_type(tag)}"
            )
        message = self.routes.get(tag)
        if message is None:
            known = ", ".join(self.routes)
            raise UnsupportedMessage(f"{place} {_short(tag)} is none of {known}")
        return message


def read_first(channels: Sequence[Channel[Any]], data: bytes | str) -> tuple[Message[Any], Any]:
    """The message that `data` is, and its payload, by the first of `channels` that knows it.

    A channel that tells its messages apart by a property is asked before one that does not: when the property names a
    message, `data` is that or a `BadMessage`. When no channel knows it, `UnsupportedMessage` lists what the
    channels know, if the property of one was there at all; else the `BadMessage` of the last one asked is raised.
    """
    tagged = [channel for channel in channels if channel.discriminator is not None]
    data = _bytes(data)
    root = _root(data) if tagged else None
    unknown: list[str] = []
    refused: BadMessage | None = None
    for channel in tagged:
        try:
            message = channel._message_of(root)
        except UnsupportedMessage as fault:
            unknown.append(fault.text)
        except BadMessage as fault:
            refused = fault
        else:
            return message, message._decode_strict(data)
    for channel in channels:
        for message in channel.messages if channel.discriminator is None else ():
            try:
                return message, message.decode(data)
            except BadMessage as fault:
                refused = fault
    if unknown or refused is None:
        raise UnsupportedMessage("; ".join(dict.fromkeys(unknown)) or "there is no channel")
    raise refused


def type_name(payload: object) -> str:
    """What a payload's type is called in a text."""
    return payload.__name__ if isinstance(payload, type) else str(payload)


def _root(data: bytes) -> object:
    """The JSON value that `data` holds; raises `BadMessage`."""
    try:
        return from_json(data, allow_inf_nan=False)
    except ValueError as error:
        raise _not_json(error) from None


def _bytes(data: bytes | str) -> bytes:
    try:
        return data.encode() if isinstance(data, str) else data
    except UnicodeEncodeError as error:  # a lone surrogate
        raise _not_json(error) from None


_ENUM_MEMBER: Final = re.compile(r"<\w+\.\w+: ('[^']*')>")
_INTEGER_ERRORS: Final = frozenset({"int_type", "literal_error"})


def _with_integers(data: bytes, error: ValidationError) -> bytes | None:
    """`data` with 1.0 written as 1, which JSON Schema takes for the same integer; `None` when that cannot help."""
    if not any(
        problem["type"] in _INTEGER_ERRORS
        and isinstance(problem["input"], float)
        and problem["input"].is_integer()
        for problem in error.errors(include_url=False, include_context=False)
    ):
        return None
    return json.dumps(_integers(json.loads(data))).encode()


def _integers(value: object) -> object:
    if isinstance(value, float) and value.is_integer():
        return int(value)
    if isinstance(value, list):
        return [_integers(item) for item in value]
    if isinstance(value, dict):
        return {name: _integers(item) for name, item in value.items()}
    return value


def _not_json(error: ValueError) -> BadMessage:
    return _bad_at("", f"should be JSON: {error}")


def _bad_at(path: str, expected: str) -> BadMessage:
    problem = Problem(path, expected)
    return BadMessage(str(problem), problems=[problem])


def _problems(error: ValidationError, payload: object, data: bytes) -> Iterator[Problem]:
    details: ErrorDetails
    is_json = True
    for details in error.errors(include_url=False, include_input=False):
        is_json &= details["type"] != "json_invalid"
        yield Problem(_path(details["loc"]), _ENUM_MEMBER.sub(r"\1", details["msg"]))
    if is_json and isinstance(payload, type) and issubclass(payload, WireModel):
        for path in absent_fields(payload, from_json(data)):
            yield Problem(_path(path), "Field required")


def _path(location: tuple[int | str, ...]) -> str:
    path = ""
    for step in location:
        path += f"[{step}]" if isinstance(step, int) else f".{step}" if path else step
    return path


def _json_type(value: object) -> str:
    names: dict[type[object], str] = {
        type(None): "null",
        bool: "a boolean",
        int: "a number",
        float: "a number",
        str: "text",
        list: "an array",
    }
    return names.get(type(value), "an object")


def _short(text: str, limit: int = 40) -> str:
    return ascii(text if len(text) <= limit else text[:limit] + "...")
