"""Channels of the document -> channels of the model: addresses, parameters, and what tells their messages apart."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import replace
from itertools import combinations, islice
from typing import Final

from . import names
from .build_messages import Messages, described, expression, fields, sayable
from .build_schemas import Schemas
from .diagnostics import Report, shown
from .load import Json
from .model import Channel, Message, Parameter, Route
from .resolve import Document, Place

PARAMETER: Final = re.compile(r"\{([^{}]+)\}")
"""A parameter in an address."""
_PAIRS: Final = 2_000
"""How many pairs of messages are compared at most."""
_UNCHECKED: Final = frozenset(
    "allOf anyOf const exclusiveMaximum exclusiveMinimum maxLength maximum minLength minimum multipleOf not oneOf pattern".split()
)
"""What the schema of a parameter may demand of its text, beside its type."""
_ARGUMENTS: Final = frozenset({"address", "headers", "message", "self", "timeout", "to"})
"""What else the methods of a client take."""


class Channels:
    """Every channel by its pointer, in document order: those of the document, then those that only replies name."""

    def __init__(
        self,
        document: Document,
        report: Report,
        schemas: Schemas,
        messages: Messages,
        scope: names.Scope,
    ) -> None:
        self._root = document.root
        self._report = report
        self._schemas = schemas
        self._messages = messages
        self._scope = scope
        self._found: dict[str, Channel] = {}

    def collect(self) -> None:
        """Find the channels of the document."""
        for name, place in fields(self._root, "channels"):
            self.at(place, name)

    def at(self, place: Place, name: str = "") -> Channel:
        """The channel at `place`, which the document calls `name`, else by its key."""
        if place.pointer not in self._found:
            self._found[place.pointer] = self._made(name or place.key, place)
        return self._found[place.pointer]

    def all(self) -> tuple[Channel, ...]:
        """Every channel found so far."""
        return tuple(self._found.values())

    def unions(self) -> tuple[Channel, ...]:
        """Every channel and, where there is not exactly one, all of them as one behind them."""
        channels = self.all()
        return channels if len(channels) == 1 else (*channels, self._everything())

    def _made(self, name: str, place: Place) -> Channel:
        address = place.get("address")
        text = place.text("address") if address and address.value() is not None else None
        called = sayable(name, "root")
        messages = self._messages.of_channel(name, place)
        carried = expression(message.type for message in messages) or "bytes"
        union = f"{names.pascal(called)}Message" if " | " in carried else ""
        made = Channel(
            name=name,
            constant=self._scope.settle(name, place.location, _constant(called)),
            union=self._scope.settle(name, place.location, union) if union else carried,
            type=carried,
            pointer=place.pointer,
            address=text,
            parameters=self._parameters(text or "", called, place),
            messages=messages,
            doc=described(place),
            union_doc=f"Any message of the channel {name}" if union else "",
        )
        return self._told_apart(made, place, f"channel {shown(name)}")

    def _everything(self) -> Channel:
        """All channels as one, for decoding a message without knowing its channel."""
        messages = tuple(dict.fromkeys(message for made in self.all() for message in made.messages))
        messages = messages or self._messages.all()
        carried = expression(message.type for message in messages) or "bytes"
        everything = Channel(
            name="",
            constant="ANY_CHANNEL",
            union="AnyMessage" if " | " in carried else carried,
            type=carried,
            pointer="#/channels",
            address=None,
            parameters=(),
            messages=messages,
            doc="",
            union_doc="Any message of any channel" if " | " in carried else "",
        )
        return self._told_apart(everything, self._root, "")

    def _told_apart(self, channel: Channel, place: Place, what: str) -> Channel:
        """`channel` with the property that tells its messages apart, or a warning where there is none."""
        said = channel.union_doc
        doc = f"{said}." if said else ""
        if len(channel.messages) < 2:
            return replace(channel, union_doc=doc)
        payloads = [message.payload for message in channel.messages]
        classes = [name for name in payloads if name is not None]
        headers = [message.headers for message in channel.messages]
        if found := self._discriminator(payloads, channel.messages):
            discriminator, routes = found
            return replace(
                channel,
                discriminator=discriminator,
                discriminator_field=self._schemas.common_field(classes),
                routes=routes,
                union_doc=f"{said}, told apart by `{discriminator}`." if said else "",
            )
        if found := self._discriminator(headers, channel.messages):
            discriminator, routes = found
            return replace(
                channel,
                discriminator=discriminator,
                in_headers=True,
                routes=routes,
                union_doc=f"{said}, told apart by the header `{discriminator}`." if said else "",
            )
        if what and (confused := list(self._confused(channel.messages))):
            first, second = (shown(message.name) for message in confused[0])
            more = len(confused) - 1
            others = f"; so it is with {more} more pair{'s' * (more > 1)}" if more else ""
            self._report.warn(
                "messages-ambiguous",
                f"nothing tells {second} from {first} in {what}: what is a {second} may be read as a {first}{others}",
                place.key_location("messages"),
                "give each payload a required property such as 'type' with a 'const' of its own",
            )
        return replace(channel, union_doc=doc)

    def _discriminator(
        self, types: list[str | None], messages: tuple[Message, ...]
    ) -> tuple[str, tuple[Route, ...]] | None:
        """The property of `types` that is constant and different in each, and the messages by its values."""
        classes = [name for name in types if name not in (None, "bytes")]
        if len(set(classes)) < len(messages) or any(made.form for made in messages):
            return None
        discriminator, tags = self._schemas.discriminator([str(name) for name in classes])
        if discriminator is None:
            return None
        routes = zip(messages, classes, strict=True)
        return discriminator, tuple(
            Route(message, tag) for message, name in routes for tag in tags[str(name)]
        )

    def _confused(self, messages: Sequence[Message]) -> Iterator[tuple[Message, Message]]:
        """Two messages each, of which the first takes what the second is."""
        for first, second in islice(combinations(messages, 2), _PAIRS):
            if first.form or second.form or first.payload is None or second.payload is None:
                # Bytes and text take anything, and so does no payload, which is tried last.
                is_open = first.form if second.payload is not None else first.payload is None
            else:
                is_open = self._schemas.takes(first.payload, second.payload)
            if is_open:
                yield first, second

    def _parameters(self, address: str, channel: str, place: Place) -> tuple[Parameter, ...]:
        scope = names.Scope(f"the arguments of channel {place.key}", self._report, _ARGUMENTS)
        said = dict(fields(place, "parameters"))
        found: list[Parameter] = []
        for name in dict.fromkeys(PARAMETER.findall(address)):
            where = said.get(name, place)
            default = where.get("default") if name in said else None
            listed = where.get("enum") if name in said else None
            python = names.snake(name)
            enum = tuple(str(item.value()) for item in listed.items()) if listed else ()
            alias = names.pascal(f"{channel} {name}")
            found.append(
                Parameter(
                    name=name,
                    python=scope.settle(name, where.location, python, f"{python}_"),
                    alias=self._scope.settle(name, where.location, alias) if enum else None,
                    enum=enum,
                    pattern=self._pattern(name, where) if name in said and not enum else None,
                    default=str(default.value()) if default else None,
                    has_default=default is not None,
                    doc=where.text("description") if name in said else "",
                )
            )
        return tuple(found)

    def _pattern(self, parameter: str, place: Place) -> str | None:
        """The pattern in the schema of a parameter (2.x), after a warning for each demand there that nothing checks."""
        schema = place.get("schema")
        if schema is None:
            return None
        said = {keyword: child.value() for keyword, child in schema.raw_fields()}
        for keyword, value in said.items():
            if _demands(keyword, value):
                self._report.warn(
                    "not-enforced",
                    f"the {keyword} {shown(value)} is not checked: an address takes any text without '/' for {shown(parameter)}",
                    schema.key_location(keyword),
                    "list the values in an 'enum' if they are few, or check them where addresses are made and read",
                )
        pattern = said.get("pattern")
        return pattern if isinstance(pattern, str) else None


def _demands(keyword: str, value: Json) -> bool:
    """Whether a keyword in the schema of a parameter asks for more than a text that is not empty."""
    if keyword == "type":
        return "string" not in (value if isinstance(value, list) else [value])
    return keyword in _UNCHECKED and (keyword, value) not in (("minLength", 0), ("minLength", 1))


def _constant(channel: str) -> str:
    constant = names.constant(channel)
    return constant if f"_{constant}".endswith("_CHANNEL") else f"{constant}_CHANNEL"
