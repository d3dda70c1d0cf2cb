"""Operations of the document -> operations and hooks of the client: whose side it is, what it sends, what answers it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from . import names
from .build_channels import Channels
from .build_messages import Messages, described, expression, fields, sayable
from .build_schemas import Schemas
from .build_servers import security
from .diagnostics import Report, shown
from .model import Channel, Hook, Message, Operation, Reply
from .options import Side
from .resolve import Document, Place

CLIENT_NAMES: Final = frozenset(
    {"aclose", "bytes", "float", "messages", "models", "operations", "property", "str"}
)
"""What the client has or needs under its own name."""
_WAITS: Final = (
    "Returns the reply; raises `aoba_runtime.ReplyTimeout` when none came within `timeout` seconds."
)
_LONG: Final = 3
"""How many messages make a union that is written out, at most."""


class Operations:
    """The operations of the document as the client of one side does them, and the hooks of that client."""

    def __init__(
        self,
        document: Document,
        report: Report,
        schemas: Schemas,
        messages: Messages,
        channels: Channels,
        side: Side,
    ) -> None:
        self._root = document.root
        self._report = report
        self._schemas = schemas
        self._messages = messages
        self._channels = channels
        self._flips = side == "peer"
        self._constants = names.Scope(
            "the operations", report, frozenset({"OPERATIONS", "SERVERS"})
        )
        self._attributes = names.Scope("the client", report, CLIENT_NAMES)
        self._of_messages: dict[Message, str] = {}
        self._of_channels: dict[str, str] = {}
        self.operations: tuple[Operation, ...] = ()

    def collect(self) -> None:
        """Find the operations; their replies may add channels."""
        for channel in self._channels.all():
            self._name_hooks(channel)
        self.operations = tuple(
            self._operation(name, place) for name, place in fields(self._root, "operations")
        )

    def hooks(self) -> tuple[Hook, ...]:
        """A hook for each message of each channel, for each channel without any, for each receiver of several."""
        return (
            *(self._message_hook(message, name) for message, name in self._of_messages.items()),
            *(
                Hook(
                    self._of_channels[channel.pointer],
                    "bytes",
                    None,
                    channel,
                    None,
                    None,
                    channel.doc,
                )
                for channel in self._channels.all()
                if not channel.messages
            ),
            *(
                Hook(made.method, made.type, None, None, made, self._answer([made]), made.docstring)
                for made in self.operations
                if made.action == "receive" and len(made.messages) > 1
            ),
        )

    def _name_hooks(self, channel: Channel) -> None:
        where = self._root.key_location("channels")
        for message in channel.messages:
            if message not in self._of_messages:
                name = names.snake(sayable(message.name))
                qualified = names.snake(f"{channel.name} {message.name}")
                at = self._messages.places[message.pointer].location
                self._of_messages[message] = self._attributes.settle(
                    message.name, at, f"on_{name}", f"on_{qualified}"
                )
        if not channel.messages and channel.pointer not in self._of_channels:
            name = names.snake(sayable(channel.name, "root"))
            self._of_channels[channel.pointer] = self._attributes.settle(
                channel.name, where, f"on_{name}", f"on_{name}_channel"
            )

    def _operation(self, name: str, place: Place) -> Operation:
        place_of_channel = place.get("channel") or place
        channel = self._channels.at(place_of_channel)
        self._name_hooks(channel)
        messages = self._listed(place) or channel.messages
        sends = (place.text("action") == "send") != self._flips
        method = self._method(name, sends, channel, messages, place)
        headers = [message.headers for message in messages if message.headers]
        reply = self._reply(name, place, channel, messages)
        return Operation(
            name=name,
            constant=self._constants.settle(
                name,
                place.location,
                names.constant(sayable(name)),
                names.constant(method),
                quiet=True,
            ),
            method=method,
            action="send" if sends else "receive",
            channel=channel,
            messages=messages,
            type=_type(channel, messages),
            is_empty=any(message.payload is None for message in messages),
            headers=expression(f"models.{record}" for record in headers) or None,
            needs_headers=len(headers) == len(messages)
            and all(self._demands(message, sends and reply is not None) for message in messages),
            takes_address=channel.address is None,
            reply=reply,
            security=security(place),
            doc=described(place),
            docstring=_explained(
                place, channel if sends else None, messages, sends and reply is not None
            ),
        )

    def _method(
        self, name: str, sends: bool, channel: Channel, messages: Sequence[Message], place: Place
    ) -> str:
        """The client's method, or the hook that takes what it receives."""
        python = names.snake(sayable(name))
        if sends:
            qualified = names.snake(f"{name} {channel.name}")
            return self._attributes.settle(name, place.location, python, qualified)
        if len(messages) > 1:
            hook = python if python.startswith("on_") else f"on_{python}"
            return self._attributes.settle(name, place.location, hook, f"{hook}_messages")
        return self._of_messages[messages[0]] if messages else self._of_channels[channel.pointer]

    def _listed(self, place: Place) -> tuple[Message, ...]:
        listed = place.get("messages")
        found = (self._messages.at(item) for item in listed.items()) if listed else ()
        return tuple(dict.fromkeys(message for message in found if message))

    def _reply(
        self, name: str, place: Place, channel: Channel, requests: Sequence[Message]
    ) -> Reply | None:
        reply, asked = place.get("reply"), channel
        if reply is None:
            return None
        place_of_channel = reply.get("channel")
        if place_of_channel is not None:
            self._messages.of_channel(place_of_channel.key, place_of_channel)
            channel = self._channels.at(place_of_channel)
            self._name_hooks(channel)
        others = tuple(message for message in channel.messages if message not in requests)
        messages = self._listed(reply) or others or channel.messages
        if not messages or (place_of_channel is None and not self._listed(reply)):
            self._report.warn(
                "reply-unknown",
                f"the reply to operation {shown(name)} names no message; the operation is generated without it",
                place.key_location("reply"),
                "give the reply a channel with messages",
            )
            return None
        address = reply.get("address")
        location = (address.text("location") or None) if address else None
        known = {parameter.name for parameter in asked.parameters}
        lost = [each.name for each in channel.parameters if each.name not in known]
        if lost and location is None:
            self._report.warn(
                "reply-address",
                f"the reply to operation {shown(name)} goes to {shown(channel.address)}, and the address of its request has no "
                f"{shown(lost[0])}: it is sent without an address",
                place.key_location("reply"),
                "say where a request holds the address: address: {location: '$message.header#/replyTo'}",
            )
        return Reply(
            channel=channel,
            address=location,
            messages=messages,
            type=expression(message.type for message in messages),
        )

    def _demands(self, message: Message, is_request: bool) -> bool:
        """Whether the headers of a message have to be given; the runtime gives a request its correlation id."""
        id = message.correlation if is_request else None
        filled = (id or "").removeprefix("$message.header#/")
        return message.headers is not None and self._schemas.demands(message.headers, filled)

    def _message_hook(self, message: Message, name: str) -> Hook:
        received = [
            made
            for made in self.operations
            if made.action == "receive" and message in made.messages
        ]
        alone = (made.docstring for made in received if len(made.messages) == 1)
        doc = next(alone, message.doc)
        return Hook(name, message.type, message, None, None, self._answer(received), doc)

    def _answer(self, operations: Sequence[Operation]) -> str | None:
        """What a handler returns that answers any of `operations`."""
        replies = (made.reply.type for made in operations if made.reply)
        return expression(kind for reply in replies for kind in reply.split(" | ")) or None


def _type(channel: Channel, messages: Sequence[Message]) -> str:
    """The expression of the messages' payloads: the name of the channel's union where it says the same in less."""
    if channel.union_doc and len(messages) > _LONG and set(messages) == set(channel.messages):
        return f"messages.{channel.union}"
    return expression(message.type for message in messages) or "bytes"


def _explained(
    place: Place, channel: Channel | None, messages: Sequence[Message], is_answered: bool
) -> str:
    """What an operation does, or else what its one message says, and its arguments where it has a method."""
    doc = described(place) or (messages[0].doc if len(messages) == 1 else "")
    known = channel.parameters if channel else ()
    said = (f"`{each.python}`: {each.doc.strip()}" for each in known if each.doc.strip())
    waits = [_WAITS] if is_answered else []
    schemes = " or ".join(f"`{scheme}`" for scheme in security(place))
    asks = [f"Needs the security scheme {schemes}."] if schemes else []
    return "\n\n".join([*([doc] if doc else []), *said, *asks, *waits])
