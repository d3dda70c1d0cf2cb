"""Messages of the document -> messages of the model: what they carry, in which form, and what they are called."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Final, Literal, TypeAlias

from . import names
from .build_schemas import Schemas
from .diagnostics import Report, shown
from .model import Message
from .resolve import Document, Place, reference

Form: TypeAlias = Literal["text", "bytes"] | None

_OPAQUE: Final = re.compile(
    r".*[+/](xml|html|csv|yaml|x-yaml|octet-stream|pdf|zip|gzip|cbor|msgpack|x-msgpack|protobuf|x-protobuf)"
    r"|.*\+(protobuf|proto|zip|cbor|yaml)|.*protobuf.*|(image|audio|video|multipart|font)/.*"
    r"|application/x-www-form-urlencoded"
)
"""Content types whose data is certainly no JSON."""
_LOCATION: Final = re.compile(r"\$message\.(header|payload)(?:#(/.*)?)?")
_TRAIT: Final = re.compile(r".*/messageTraits/([^/]+)/headers")
_COMPONENT: Final = re.compile(r".*#/components/messages/[^/]+")


def fields(place: Place, name: str) -> Iterator[tuple[str, Place]]:
    """The fields of the object in field `name` of `place`, references followed."""
    child = place.get(name)
    return child.fields() if child else iter(())


def described(place: Place) -> str:
    """Summary and description as one text, the summary first."""
    parts = (place.text("summary") or place.text("title"), place.text("description"))
    return "\n\n".join(part.strip() for part in parts if part.strip())


def sayable(name: str, instead: str = "unnamed") -> str:
    """`name` where a Python name can be made of it: one without any letter or digit is none."""
    return name if names.words(name) else instead


def expression(types: Iterator[str]) -> str:
    """Types as one: a union in the order given, each once, `None` last."""
    each = dict.fromkeys(types)
    return " | ".join(sorted(each, key=lambda kind: kind == "None"))


def _adopted(root: Place) -> Mapping[str, Mapping[str, Place]]:
    """By channel, the messages of the components that its operations name as if they were its own."""
    found: dict[str, dict[str, Place]] = {}
    for _, operation in fields(root, "operations"):
        channel, messages = operation.get("channel"), operation.get("messages")
        for raw in messages.raw_items() if channel and messages else ():
            if channel and _COMPONENT.fullmatch(reference(raw.node) or ""):
                message = raw.document.follow(raw)
                found.setdefault(channel.pointer, {})[message.pointer] = message
    return found


class Messages:
    """Every message of the channels and of the components, once each, by its pointer, in document order."""

    def __init__(
        self, document: Document, report: Report, schemas: Schemas, scope: names.Scope
    ) -> None:
        self._root = document.root
        self._report = report
        self._schemas = schemas
        self._scope = scope
        self._keys = {
            place.pointer: key
            for components in [self._root.get("components")]
            if components and (listed := components.get("messages"))
            for key, place in listed.raw_fields()
        }
        self._adopted = _adopted(self._root)
        self.places: dict[str, Place] = {}
        self._found: dict[str, Message] = {}
        self._taken: set[str] = set()

    def collect(self) -> None:
        """Find the messages of all channels, then those of the components."""
        for channel, place in fields(self._root, "channels"):
            self.of_channel(channel, place)
        if components := self._root.get("components"):
            for key, place in fields(components, "messages"):
                self._message(key, "", place)

    def of_channel(self, channel: str, place: Place) -> tuple[Message, ...]:
        """The messages of one channel, each once."""
        found = [self._message(key, channel, message) for key, message in fields(place, "messages")]
        adopted = self._adopted.get(place.pointer, {}).values()
        found += [self._message(message.key, channel, message) for message in adopted]
        return tuple(dict.fromkeys(found))

    def at(self, place: Place) -> Message | None:
        """The message that stands at `place`, if it is one that was found."""
        return self._found.get(place.pointer)

    def all(self) -> tuple[Message, ...]:
        """Every message found."""
        return tuple(self._found.values())

    def _message(self, key: str, channel: str, place: Place) -> Message:
        if place.pointer not in self._found:
            self.places[place.pointer] = place
            self._found[place.pointer] = self._made(self._name(key, channel, place), channel, place)
        return self._found[place.pointer]

    def _name(self, key: str, channel: str, place: Place) -> str:
        """The message's key in the document; one that another message has already is qualified by the channel."""
        if _COMPONENT.fullmatch(place.pointer):
            key = self._keys.get(place.pointer, key if channel else place.key)
        name = key
        if name in self._taken and channel:
            name = f"{channel}.{key}"
        number = 2
        while name in self._taken:
            name, number = f"{key}.{number}", number + 1
        if name != key:
            self._report.warn(
                "message-name-taken",
                f"the document has another message {shown(key)}; this one is called {shown(name)}",
                place.location,
                "give one of them another name in the document",
            )
        self._taken.add(name)
        return name

    def _made(self, name: str, channel: str, place: Place) -> Message:
        content_type = (
            place.text("contentType") or self._root.text("defaultContentType") or "application/json"
        )
        payload, form = self._payload(name, content_type, place)
        headers = place.raw("headers")
        record = self._schemas.headers(headers, _headers_name(name, headers)) if headers else None
        record = None if record == "bytes" else record
        constant = names.constant(sayable(name))
        return Message(
            name=name,
            constant=self._scope.settle(
                name, place.location, constant, names.constant(f"{sayable(channel)} {name}")
            ),
            pointer=place.pointer,
            payload=payload,
            type=f"models.{payload}" if payload not in (None, "bytes") else str(payload),
            headers=record,
            form=form,
            content_type=content_type,
            title=place.text("title"),
            doc=described(place),
            conversation=self._schemas.conversation(payload) if payload else None,
            correlation=self._correlation(name, payload, record, place),
        )

    def _payload(self, name: str, content_type: str, place: Place) -> tuple[str | None, Form]:
        """What models.py calls the payload, and its form on the wire."""
        raw, schema = place.raw("payload"), place.get("payload")
        if raw is None or schema is None:
            return None, None
        kind = content_type.partition(";")[0].strip().lower()
        if _OPAQUE.fullmatch(kind):
            if schema.text("type") != "string":
                self._not_json(name, content_type, "is kept as bytes", place)
            return "bytes", "bytes"
        payload = self._schemas.payload(raw, f"{name}Payload")
        if payload == "bytes":
            return "bytes", "bytes"
        if kind.startswith("text/") and self._schemas.is_text(payload):
            return payload, "text"
        if not (kind in ("application/json", "*/*") or kind.endswith(("+json", "/json"))):
            self._not_json(name, content_type, "is sent and read as JSON all the same", place)
        return payload, None

    def _not_json(self, name: str, content_type: str, what: str, place: Place) -> None:
        self._report.warn(
            "content-type",
            f"the payload of message {shown(name)} {what}: its contentType is {shown(content_type)}",
            place.key_location("contentType"),
            "JSON (application/json, *+json) and text (text/*) are what generated code reads and writes",
        )

    def _correlation(
        self, name: str, payload: str | None, headers: str | None, place: Place
    ) -> str | None:
        """The runtime expression of the correlation id, checked against the schemas."""
        correlation = place.get("correlationId")
        location = correlation.text("location") if correlation else ""
        if correlation is None or not location:
            return None
        found = _LOCATION.fullmatch(location)
        where = correlation.key_location("location")
        if found is None:
            self._report.error(
                "correlation-id",
                f"the correlation id of message {shown(name)} is at {shown(location)}, which is no runtime expression",
                where,
                "write it as '$message.header#/id' or '$message.payload#/id'",
            )
            return None
        record = headers if found[1] == "header" else payload
        if record in (None, "bytes") or not self._schemas.field_at(str(record), found[2] or ""):
            self._report.warn(
                "correlation-id",
                f"the correlation id of message {shown(name)} is at {shown(location)}, "
                f"which its {'headers' if found[1] == 'header' else 'payload'} do not describe",
                where,
                "describe that property in the schema",
            )
        return location


def _headers_name(name: str, headers: Place) -> str:
    """What to call the headers of the message `name`: after the trait, where they are a trait's."""
    trait = _TRAIT.fullmatch(headers.pointer)
    name = trait[1] if trait else name
    return name if trait and name.lower().endswith("headers") else f"{name}Headers"
