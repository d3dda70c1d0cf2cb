"""Document -> Model: the one module that knows both AsyncAPI and Python."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Final

from . import names
from .build_calls import build_calls
from .build_schemas import Schemas
from .diagnostics import Report, shown
from .model import Channel, Hook, Message, Model, Operation, Route, Server, Side, Tag
from .resolve import Document, Place

_TLS: Final = frozenset(
    {"amqps", "https", "ibmmq-secure", "kafka-secure", "mqtts", "secure-mqtt", "stomps", "wss"}
)
CLIENT_NAMES: Final = frozenset({"aclose", "messages", "models", "operations", "property", "str"})
"""What the client has or needs under its own name."""


def build(
    document: Document, package: str | None, report: Report, side: Side | None = None
) -> Model:
    """The model of a valid document; raises `Refused` when something in it cannot be generated.

    `package` names the Python package, `None` leaves that to the document's title. `side` is whom it is for, `None`
    leaves that to the document's version.
    """
    builder = _Builder(document, report)
    model = builder.model(package)
    report.raise_errors()
    model = replace(model, calls=build_calls(model, builder.messages(), report))
    report.raise_errors()
    return model


class _Builder:
    """Messages first, then channels, then operations; each finds what it refers to by pointer."""

    def __init__(self, document: Document, report: Report) -> None:
        self._root = document.root
        self._report = report
        self._schemas = Schemas(document, report)
        self._messages: dict[str, Message] = {}
        self._channels: dict[str, Channel] = {}
        self._hooks: dict[str, str] = {}
        self._message_names = names.Scope("messages", report, frozenset({"MESSAGES"}))
        self._operation_names = names.Scope(
            "the client", report, frozenset({"operations", "servers"})
        )
        self._attributes = names.Scope("the client", report, CLIENT_NAMES)

    def model(self, package: str | None) -> Model:
        self._schemas.define_components()
        for place in self._message_places():
            self._message(place)
        for name, place in _fields(self._root, "channels"):
            self._channels[place.pointer] = self._channel(name, place)
        operations = tuple(
            self._operation(name, place) for name, place in _fields(self._root, "operations")
        )
        channels = tuple(self._channels.values())
        if not channels:
            self._unsupported("a document without channels", self._root)
        is_refused = any(not channel.routes for channel in channels)
        unions = channels if len(channels) == 1 or is_refused else (*channels, self._everything())
        info = self._root.get("info") or self._root
        title = info.text("title")
        return Model(
            package=package or self._package(title, info),
            client=names.client(title),
            title=title,
            version=info.text("version"),
            doc=f"{title} {info.text('version')}\n\n{info.text('description')}",
            client_doc=f"{title} {info.text('version')}, as the application that the document describes.",
            servers=tuple(
                self._server(name, place) for name, place in _fields(self._root, "servers")
            ),
            channels=channels,
            unions=unions,
            decoder=unions[-1],
            messages=tuple(self._messages.values()),
            hooks=tuple(self._hook(message, operations) for message in self._messages.values()),
            operations=operations,
            discriminates=any(union.discriminator for union in unions),
            sends=tuple(made for made in operations if made.action == "send"),
            definitions=self._schemas.definitions(),
        )

    def _package(self, title: str, info: Place) -> str:
        """The package's name, made of the title."""
        package = names.package(title)
        if names.is_taken_module(package):
            self._report.error(
                "package-name",
                f"the title {shown(title)} makes the package name {package!r}, which "
                + ("Python or its libraries use" if package.strip("_") else "has no letter in it"),
                info.key_location("title"),
                "choose another name with --package NAME",
            )
        return package

    def _message_places(self) -> Iterator[Place]:
        for _, channel in _fields(self._root, "channels"):
            yield from (place for _, place in _fields(channel, "messages"))
        if components := self._root.get("components"):
            yield from (place for _, place in _fields(components, "messages"))

    def messages(self) -> dict[str, Place]:
        """Where the messages stand, by pointer."""
        return {place.pointer: place for place in self._message_places()}

    def _message(self, place: Place) -> None:
        if place.pointer in self._messages:
            return
        self._refuse(place, "message", ("headers", "correlationId", "traits"))
        name = place.key
        content_type = (
            place.text("contentType") or self._root.text("defaultContentType") or "application/json"
        )
        if not _is_json(content_type):
            self._unsupported(
                f"message {shown(name)} has contentType {shown(content_type)}", place, "contentType"
            )
        self._hooks[place.pointer] = self._attributes.claim(
            f"on_{names.snake(name)}", name, place.location
        )
        payload = place.get("payload")
        if payload is None:
            self._unsupported(f"message {shown(name)} has no payload", place)
        record = self._schemas.record(payload, name) if payload else ""
        self._messages[place.pointer] = Message(
            name=name,
            constant=self._message_names.claim(names.constant(name), name, place.location),
            pointer=place.pointer,
            payload=record,
            title=place.text("title"),
            doc=_doc(place),
            content_type=content_type,
            conversation=self._schemas.conversation(record),
        )

    def _channel(self, name: str, place: Place) -> Channel:
        self._refuse(place, "channel", ("parameters",))
        pointers = dict.fromkeys(message.pointer for _, message in _fields(place, "messages"))
        messages = [self._messages[pointer] for pointer in pointers]
        if not messages:
            self._unsupported(f"channel {shown(name)} has no messages", place)
        address = place.get("address")
        if "{" in place.text("address") and place.raw("parameters") is None:
            self._unsupported(
                f"channel {shown(name)} has an address with parameters", place, "address"
            )
        return self._carrier(
            Channel(
                name=name,
                constant=self._message_names.claim(
                    f"{names.constant(name)}_CHANNEL", name, place.location
                ),
                union=self._message_names.claim(
                    names.pascal(name) + "Message", name, place.location
                ),
                pointer=place.pointer,
                address=place.text("address") if address and address.value() is not None else None,
                doc=_doc(place),
                union_doc=f"Any message of the channel {name}",
            ),
            messages,
            place,
        )

    def _everything(self) -> Channel:
        """All channels as one, for decoding a message without knowing its channel."""
        messages = {
            route.message.pointer: route.message
            for made in self._channels.values()
            for route in made.routes
        }
        where = self._root.key_location("channels")
        everything = Channel(
            name="",
            constant=self._message_names.claim("ANY_CHANNEL", "all channels together", where),
            union=self._message_names.claim("AnyMessage", "all channels together", where),
            pointer="#/channels",
            address=None,
            doc="",
            union_doc="Any message of any channel",
        )
        return self._carrier(everything, list(messages.values()), self._root)

    def _carrier(self, channel: Channel, messages: list[Message], place: Place) -> Channel:
        """`channel` with its messages, and the property that tells them apart."""
        if len(messages) < 2:
            routes = tuple(Route(message, Tag(message.name, None)) for message in messages)
            return replace(channel, routes=routes, union_doc=f"{channel.union_doc}.")
        discriminator, tags = self._schemas.discriminator([message.payload for message in messages])
        if discriminator is None:
            self._unsupported(
                f"the messages of {_named(channel)} cannot be told apart: "
                "they share no required property with a constant text of its own in each",
                place,
                "messages",
                "give each payload a required property such as 'type' with a 'const' of its own",
            )
            return channel
        return replace(
            channel,
            discriminator=discriminator,
            discriminator_field=names.field(discriminator),
            routes=tuple(Route(message, tags[message.payload]) for message in messages),
            union_doc=f"{channel.union_doc}, told apart by `{discriminator}`.",
        )

    def _operation(self, name: str, place: Place) -> Operation:
        self._refuse(place, "operation", ("traits", "reply"))
        place_of_channel = place.get("channel") or place
        channel = self._channels[place_of_channel.pointer]
        listed = place.get("messages")
        of_channel = [message for _, message in _fields(place_of_channel, "messages")]
        messages = tuple(
            self._messages[message.pointer]
            for message in (listed.items() if listed else of_channel)
        )
        sends = place.text("action") == "send"
        if of_channel and len(messages) != 1 and not (sends and messages):
            verb = "sends" if sends else "receives"
            self._unsupported(f"operation {shown(name)} {verb} {len(messages)} messages", place)
        self._operation_names.claim(names.snake(name), name, place.location)
        return Operation(
            name=name,
            constant=names.constant(name),
            method=(
                self._attributes.claim(names.snake(name), name, place.location)
                if sends or not messages
                else self._hooks[messages[0].pointer]
            ),
            action="send" if sends else "receive",
            channel=channel,
            messages=messages,
            doc=_doc(place),
        )

    def _hook(self, message: Message, operations: tuple[Operation, ...]) -> Hook:
        received = (
            made.doc for made in operations if made.action == "receive" and message in made.messages
        )
        return Hook(self._hooks[message.pointer], message, next(received, message.doc))

    def _server(self, name: str, place: Place) -> Server:
        self._refuse(place, "server", ("variables",))
        protocol = place.text("protocol")
        security = place.get("security")
        return Server(
            name=name,
            url=f"{protocol}://{place.text('host')}{place.text('pathname')}",
            protocol=protocol,
            tls=protocol.lower() in _TLS,
            security=tuple(self._scheme(scheme) for scheme in security.items()) if security else (),
            doc=_doc(place),
        )

    def _scheme(self, place: Place) -> str:
        """A security scheme by its name among the components; one written in place goes by its type."""
        return place.text("type") if place.key.isdecimal() else place.key

    def _refuse(self, place: Place, what: str, fields: tuple[str, ...]) -> None:
        for field in fields:
            if place.raw(field) is not None:
                self._unsupported(f"{what} {shown(place.key)} has {field!r}", place, field)

    def _unsupported(
        self,
        what: str,
        place: Place,
        field: str = "",
        hint: str = "say it otherwise; the README lists what is supported",
    ) -> None:
        self._report.error(
            "unsupported-feature",
            f"{what}; this is valid AsyncAPI, but not supported yet",
            place.key_location(field),
            hint,
        )


def _is_json(content_type: str) -> bool:
    kind = content_type.partition(";")[0].strip().lower()
    return kind in ("application/json", "text/json") or kind.endswith("+json")


def _named(channel: Channel) -> str:
    return f"channel {shown(channel.name)}" if channel.name else "all channels together"


def _fields(place: Place, name: str) -> Iterator[tuple[str, Place]]:
    child = place.get(name)
    return child.fields() if child else iter(())


def _doc(place: Place) -> str:
    """Summary and description as one text, the summary first."""
    parts = (place.text("summary") or place.text("title"), place.text("description"))
    return "\n\n".join(part.strip() for part in parts if part.strip())
