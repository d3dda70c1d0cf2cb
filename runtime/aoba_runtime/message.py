"""What a document says, as values: messages, channels, operations, servers; and the way between bytes and models."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Final, Generic, Literal, TypeVar

from pydantic import TypeAdapter, ValidationError
from pydantic_core import ErrorDetails, from_json

from .errors import BadMessage, Problem, UnsupportedMessage
from .wire import WireModel, absent_fields

T = TypeVar("T")


@dataclass(frozen=True, eq=False)
class Message(Generic[T]):
    """A message of the document, and the codec of its payload.

    `name` is its key in the document, `pointer` the file-relative JSON pointer of the message object with every
    reference followed; `payload` and `headers` are the Python types, `None` where the document has none.
    """

    name: str
    pointer: str
    payload: type[T]
    headers: type[object] | None = None
    content_type: str | None = None
    title: str | None = None

    def decode(self, data: bytes | str) -> T:
        """The payload that `data` (JSON text, UTF-8) holds; raises `BadMessage` with the problems and their places."""
        data = _bytes(data)
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
        """`value` as JSON text (UTF-8) with wire names; `TypeError` when it is not this message's payload."""
        if not self.takes(value):
            raise TypeError(
                f"{self.name} takes {self.payload.__name__}, not {type(value).__name__}"
            )
        return self._adapter.dump_json(value, by_alias=True, exclude_unset=True)

    def takes(self, value: object) -> bool:
        """Whether `value` is this message's payload."""
        return isinstance(value, self.payload)

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
        message = self._message_of(data)
        payload: T = message.decode(data)
        return message, payload

    def _message_of(self, data: bytes | str) -> Message[Any]:
        if self.discriminator is None:
            return next(iter(self.routes.values()))
        try:
            root = from_json(_bytes(data))
        except ValueError as error:
            raise _not_json(error) from None
        if not isinstance(root, dict):
            raise _bad_at("", f"should be an object, not {_json_type(root)}")
        tag = root.get(self.discriminator)
        if not isinstance(tag, str):
            expected = (
                "is required"
                if self.discriminator not in root
                else f"should be text, not {_json_type(tag)}"
            )
            raise _bad_at(self.discriminator, expected)
        message = self.routes.get(tag)
        if message is None:
            known = ", ".join(self.routes)
            raise UnsupportedMessage(f"{self.discriminator} {_short(tag)} is none of {known}")
        return message


@dataclass(frozen=True, eq=False)
class Operation:
    """What the client does on a channel: `action` is its own side ("send": the client sends).

    `method` names the client's method (send) or hook (receive).
    """

    name: str
    action: Literal["send", "receive"]
    channel: str
    address: str | None
    messages: tuple[Message[Any], ...]
    method: str
    reply: tuple[Message[Any], ...] | None = None


@dataclass(frozen=True, slots=True)
class Server:
    """Where the API is served: `url` without the channel's address, `security` the names of its schemes."""

    url: str
    protocol: str
    tls: bool
    security: tuple[str, ...] = ()


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


def _problems(error: ValidationError, payload: type[object], data: bytes) -> Iterator[Problem]:
    details: ErrorDetails
    is_json = True
    for details in error.errors(include_url=False, include_input=False):
        is_json &= details["type"] != "json_invalid"
        yield Problem(_path(details["loc"]), _ENUM_MEMBER.sub(r"\1", details["msg"]))
    if is_json and issubclass(payload, WireModel):
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
