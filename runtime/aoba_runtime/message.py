"""The messages and channels of a document as values, and the way between bytes and what they say."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import (
    Annotated,
    Any,
    Final,
    Generic,
    Literal,
    TypeAlias,
    TypeVar,
    get_args,
    get_origin,
    overload,
)

from pydantic_core import from_json, to_json

from .addresses import Address, Parameter
from .codec import Codec, as_bytes, bad_at, json_value, type_name
from .errors import BadMessage, Problem, UnsupportedMessage

T = TypeVar("T")
Form: TypeAlias = Literal["json", "text", "bytes"]
"""How a payload becomes bytes."""
Tag: TypeAlias = str | float | bool | None
"""The value of a property that tells messages apart."""


class Message(Generic[T]):
    """A message of the document, and the codec of its payload and headers.

    `name` is its key in the document, `pointer` the file-relative JSON pointer of the message object with every
    reference followed. `payload` and `headers` are the Python types, whatever pydantic takes for one (`Light`,
    `list[Light]`, `Light | None`, `Annotated[...]`); `None` where the document has none. `form` says how a payload
    becomes bytes: "json"; "text", UTF-8 as it is; "bytes", untouched. If it is not given, a payload of `bytes` is
    bytes, and text whose `content_type` is `text/...` is text. `conversation` names the payload's field whose value
    the messages of one conversation share, `correlation` is the runtime expression (AsyncAPI, "Correlation ID") that
    locates the id which ties a reply to its request.
    """

    @overload
    def __init__(
        self,
        name: str,
        pointer: str,
        payload: type[T],
        headers: object = None,
        content_type: str | None = None,
        title: str | None = None,
        conversation: str | None = None,
        correlation: str | None = None,
        form: Form | None = None,
    ) -> None: ...
    @overload
    def __init__(
        self,
        name: str,
        pointer: str,
        payload: object = None,
        headers: object = None,
        content_type: str | None = None,
        title: str | None = None,
        conversation: str | None = None,
        correlation: str | None = None,
        form: Form | None = None,
    ) -> None: ...
    def __init__(
        self,
        name: str,
        pointer: str,
        payload: Any = None,
        headers: Any = None,
        content_type: str | None = None,
        title: str | None = None,
        conversation: str | None = None,
        correlation: str | None = None,
        form: Form | None = None,
    ) -> None:
        self.name: Final = name
        self.pointer: Final = pointer
        self.payload: Final[Any] = payload
        self.headers: Final[Any] = headers
        self.content_type: Final = content_type
        self.title: Final = title
        self.conversation: Final = conversation
        self.correlation: Final = correlation
        self.form: Final = form or _form(payload, content_type)

    def __repr__(self) -> str:
        headers = "" if self.headers is None else f", headers {_outline(self.headers)}"
        payload = "no payload" if self.payload is None else _outline(self.payload)
        return f"<Message {_short(self.name)}: {payload}{headers}>"

    def decode(self, data: bytes | str) -> T:
        """The payload that `data` (JSON text, UTF-8) holds; raises `BadMessage` with the problems and their places.

        A message without a payload takes any data and gives `None`.
        """
        data = as_bytes(data)
        payload: T = self._payload(data)
        return payload

    def encode(self, value: T) -> bytes:
        """`value` as JSON text (UTF-8) with wire names, which `decode` takes; nothing for `None` without a payload.

        Fields that a subclass of the payload adds are sent too. Raises `TypeError` when `value` is not this message's
        payload, `ValueError` when it was changed into what the schema does not allow.
        """
        if self.payload is None or self.form == "bytes":
            if not self.takes(value):
                expected = "bytes" if self.payload else "None"
                raise TypeError(f"{self.name} takes {expected}, not {type(value).__name__}")
            return value if isinstance(value, bytes) else b""
        data = self._codec.encode(value, self.name)
        if self.form == "text":
            text = from_json(data)
            return text.encode() if isinstance(text, str) else data
        return data

    def takes(self, value: object) -> bool:
        """Whether `value` is this message's payload, or of a subclass of it."""
        if self.payload is None:
            return value is None
        return isinstance(value, bytes) if self.form == "bytes" else self._codec.takes(value)

    def decode_headers(self, headers: Mapping[str, object] | None) -> Any:
        """The headers as a value of their type, `None` where the document has none; raises `BadMessage`."""
        if self.headers is None:
            return None
        try:
            return self._headers.decode(to_json(dict(headers or {})), f"{self.name}'s headers")
        except ValueError as error:  # what no JSON can hold
            raise bad_at("", f"should have headers of JSON: {error}") from None

    def encode_headers(self, value: object) -> dict[str, Any]:
        """The headers as JSON by their wire names; raises `TypeError` and `ValueError` as `encode` does."""
        if self.headers is None:
            if value is not None:
                raise TypeError(f"{self.name} has no headers")
            return {}
        headers: dict[str, Any] = from_json(self._headers.encode(value, f"{self.name}'s headers"))
        return headers

    def conversation_of(self, value: T) -> str | None:
        """The id of the conversation that `value` belongs to."""
        id = getattr(value, self.conversation, None) if self.conversation else None
        return None if id is None else str(id)

    def _payload(self, data: bytes) -> Any:
        if self.payload is None:
            return None
        if self.form == "bytes":
            return data
        return (self._from_text if self.form == "text" else self._from_json)(data)

    def _from_json(self, data: bytes) -> Any:
        return self._codec.decode(data, self.name)

    def _from_text(self, data: bytes) -> Any:
        """The text as it is; what the schema refuses as such, but not as a JSON string, is taken for that."""
        try:
            text = data.decode()
        except UnicodeDecodeError as error:
            raise bad_at("", f"should be text in UTF-8: {error}") from None
        try:
            return self._from_json(to_json(text))
        except BadMessage as refused:
            try:
                return self._from_json(data)
            except BadMessage:
                raise refused from None

    @cached_property
    def _codec(self) -> Codec:
        return Codec(self.payload)

    @cached_property
    def _headers(self) -> Codec:
        return Codec(self.headers)


def _form(payload: Any, content_type: str | None) -> Form:
    while get_origin(payload) is Annotated:
        payload = get_args(payload)[0]
    if payload is bytes:
        return "bytes"
    texts = get_args(payload) if get_origin(payload) is Literal else (payload,)
    is_text = all(
        isinstance(it, str) or isinstance(it, type) and issubclass(it, str) for it in texts
    )
    return "text" if is_text and (content_type or "").lower().startswith("text/") else "json"


@dataclass(frozen=True, eq=False)
class Channel(Generic[T]):
    """A channel of the document: where its messages go, and the property that tells them apart.

    `T` is the union of its messages' payloads. `discriminator` is the wire name of the property, of the payload or
    `in_headers`, and `routes` maps its values to messages. `messages` are all of the channel in the order of the
    document, by default those of the routes; the ones that no route leads to are tried in that order, those without a
    payload last since they take anything. `parameters` say what may stand in the address.
    """

    name: str
    address: str | None = None
    discriminator: str | None = None
    routes: Mapping[Any, Message[Any]] = field(default_factory=dict)
    in_headers: bool = False
    messages: Sequence[Message[Any]] = ()
    parameters: Sequence[Parameter] = ()

    def __post_init__(self) -> None:
        messages = tuple(self.messages) or tuple(dict.fromkeys(self.routes.values()))
        object.__setattr__(self, "messages", messages)

    def decode(self, data: bytes | str, headers: Mapping[str, object] | None = None) -> T:
        """The payload of whichever message `data` is.

        Raises `UnsupportedMessage` when the discriminating property names no message of the channel, `BadMessage`
        when it is not there or the payload is not what the schema says.
        """
        return self.read(data, headers)[1]

    def read(
        self, data: bytes | str, headers: Mapping[str, object] | None = None
    ) -> tuple[Message[Any], T]:
        """The message that `data` is, and its payload; raises as `decode` does."""
        return read_first([self], data, headers)

    @cached_property
    def raw(self) -> Message[bytes]:
        """What arrives on a channel that describes no messages: bytes as they are."""
        return Message(self.name, "", payload=bytes)

    def parameters_in(self, address: str) -> dict[str, str] | None:
        """The parameters in an `address` of this channel; `None` when it is another channel's."""
        return self._address.match(address) if self._address else None

    def address_with(self, parameters: Mapping[str, object]) -> str | None:
        """The address with those of its `parameters`; `None` where there is none, or not all of them are known."""
        try:
            return self._address.fill(parameters) if self._address else None
        except (TypeError, ValueError):
            return None

    @cached_property
    def _address(self) -> Address | None:
        return None if self.address is None else Address(self.address, self.parameters)

    @cached_property
    def _by_tag(self) -> dict[tuple[bool, Tag], Message[Any]]:
        return {_key(tag): message for tag, message in self.routes.items()}

    @cached_property
    def _tried(self) -> list[Message[Any]]:
        """The messages that no tag leads to."""
        routed = set(self.routes.values()) if self.discriminator is not None else ()
        return [message for message in self.messages if message not in routed]

    def _message_of(self, root: object) -> Message[Any]:
        """The message that the property names, where `root` holds it."""
        place = self.discriminator or ""
        if not isinstance(root, Mapping):
            raise bad_at("", f"should be an object, not {_json_type(root)}")
        path = f"headers.{place}" if self.in_headers else place
        if place not in root:
            raise bad_at(path, "is required")
        tag = root[place]
        message = None if isinstance(tag, list | dict) else self._by_tag.get(_key(tag))
        if message is not None:
            return message
        expected = dict.fromkeys(map(_json_type, self.routes))
        if (found := _json_type(tag)) not in expected:
            raise bad_at(path, f"should be {' or '.join(expected)}, not {found}")
        known = ", ".join(it if isinstance(it, str) else _short(it) for it in self.routes)
        raise UnsupportedMessage(f"{place} {_short(tag)} is none of {known}")


def read_first(
    channels: Sequence[Channel[Any]],
    data: bytes | str,
    headers: Mapping[str, object] | None = None,
) -> tuple[Message[Any], Any]:
    """The message that `data` is, and its payload, by the first of `channels` that knows it.

    A channel that tells its messages apart by a property is asked before one that does not: when the property names a
    message, `data` is that or a `BadMessage`. When no channel knows it, `UnsupportedMessage` lists what the
    channels know, if the property of one was there at all; else `BadMessage` says why each message refused it. Where
    there are no `headers`, what they would tell apart is tried in order.
    """
    data = as_bytes(data)
    untold = [channel.in_headers and headers is None for channel in channels]
    tried = [
        message
        for channel, is_untold in zip(channels, untold, strict=True)
        for message in (channel.messages if is_untold else channel._tried)
    ]
    tried.sort(key=lambda message: message.payload is None)
    unknown: list[str] = []
    refused: list[BadMessage] = []
    root: object = ...
    for channel, is_untold in zip(channels, untold, strict=True):
        if channel.discriminator is None or is_untold:
            continue
        try:
            if not channel.in_headers and root is ...:
                root = json_value(data)
            message = channel._message_of((headers or {}) if channel.in_headers else root)
        except UnsupportedMessage as fault:
            unknown.append(fault.text)
        except BadMessage as fault:
            refused.append(fault)
        else:
            return message, message.decode(data)
    if tried:
        refused.clear()
    for message in tried:
        try:
            return message, message.decode(data)
        except BadMessage as fault:
            refused.append(fault)
    if unknown or not refused:
        raise UnsupportedMessage("; ".join(dict.fromkeys(unknown)) or "there is no channel")
    raise refused[0] if len(refused) == 1 else _none_of(refused)


def _none_of(refused: Sequence[BadMessage]) -> BadMessage:
    problems: dict[Problem, None] = dict.fromkeys(it for fault in refused for it in fault.problems)
    if len(problems) == 1:  # the same for each, such as what is no JSON
        text = str(*problems)
    else:
        text = "; ".join(dict.fromkeys(fault.text for fault in refused))
    return BadMessage(text, problems=problems)


def _key(tag: Any) -> tuple[bool, Tag]:
    """What finds a tag as JSON compares them: 1 is 1.0, and neither is true."""
    return isinstance(tag, bool), tag


def _json_type(value: object) -> str:
    if value is None:
        return "null"
    if isinstance(value, bool):
        return "a boolean"
    if isinstance(value, int | float):
        return "a number"
    if isinstance(value, str):
        return "text"
    return "an array" if isinstance(value, list | tuple) else "an object"


def _outline(kind: object, fields: int = 4, limit: int = 72) -> str:
    """A type for one short line: its name and its first fields."""
    named = list(getattr(kind, "model_fields", ()))
    shown = ", ".join([*named[:fields], "…"] if len(named) > fields else named)
    text = f"{type_name(kind)}({shown})" if named else type_name(kind)
    return text if len(text) <= limit else text[: limit - 1] + "…"


def _short(tag: object, limit: int = 40) -> str:
    if not isinstance(tag, str):
        return to_json(tag).decode()
    return ascii(tag if len(tag) <= limit else tag[:limit] + "...")
