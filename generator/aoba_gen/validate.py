"""What a document must be to be an AsyncAPI 3.0 document: structure first, then named rules, one function each."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Final

from .diagnostics import Report, shown, suggestion
from .load import Array, Object, Scalar, plain
from .resolve import Document, Place
from .shapes import OBJECTS, Shape, shape_of


def validate(document: Document, report: Report) -> None:
    """Report everything that is wrong with `document`; raises `Refused` when something is."""
    _Structure(report).check(document.root, shape_of("Document"), "the document")
    report.raise_errors()
    for rule in RULES:
        rule(document, report)
    report.raise_errors()


class _Structure:
    """Checks every object against its table in `shapes`, each place once."""

    def __init__(self, report: Report) -> None:
        self._report = report
        self._seen: set[tuple[str, str]] = set()

    def check(self, place: Place, shape: Shape, what: str) -> None:
        if (place.pointer, shape.name) in self._seen:
            return
        self._seen.add((place.pointer, shape.name))
        if shape.kind == "map":
            if self._is(
                place, Object, f"{what} should be an object that maps names to {shape.name}s"
            ):
                for name, child in place.fields():
                    self.check(child, shape.inner, f"{shape.name} {shown(name)}")
        elif shape.kind == "list":
            if self._is(place, Array, f"{what} should be a list"):
                for child in place.items():
                    self.check(child, shape.inner, f"an item of {what}")
        elif (
            shape.name == "Schema"
            and isinstance(place.node, Scalar)
            and isinstance(place.node.value, bool)
        ):
            pass  # true allows anything, false nothing
        elif shape.name in OBJECTS:
            if self._is(place, Object, f"{what} should be an object"):
                self._check_fields(place, shape.name, what)
        elif not shape.allows(place.value() if isinstance(place.node, Scalar) else ...):
            self._wrong(place, f"{what} should be {shape.name}")

    def _check_fields(self, place: Place, name: str, what: str) -> None:
        table = OBJECTS[name]
        for key, child in place.fields():
            if (shape := table.fields.get(key)) is not None:
                self.check(child, shape, f"{key!r} of {what}")
            elif not (table.open or key.startswith("x-")):
                near = suggestion(key, table.fields)
                self._report.error(
                    "unknown-field",
                    f"{what} has a field {shown(key)}, which AsyncAPI 3.0 does not know",
                    place.key_location(key),
                    near or f"known are {', '.join(table.fields)}; your own begin with 'x-'",
                )
        for key in table.required:
            if place.raw(key) is None:
                self._report.error(
                    "missing-field",
                    f"{what} has no {key!r}, which is required",
                    place.location,
                    f"add '{key}:'",
                )

    def _is(self, place: Place, kind: type[Object] | type[Array], expected: str) -> bool:
        if isinstance(place.node, kind):
            return True
        self._wrong(place, expected)
        return False

    def _wrong(self, place: Place, expected: str) -> None:
        value = plain(place.node)
        quotes = (
            f"put it in quotes: '{value}'"
            if "text" in expected and isinstance(value, (int, float))
            else ""
        )
        self._report.error("wrong-type", f"{expected}, not {shown(value)}", place.location, quotes)


def _channels(document: Document) -> Iterator[tuple[str, Place]]:
    channels = document.root.get("channels")
    return channels.fields() if channels else iter(())


def _operations(document: Document) -> Iterator[tuple[str, Place]]:
    operations = document.root.get("operations")
    return operations.fields() if operations else iter(())


def operation_action(document: Document, report: Report) -> None:
    """An operation's action is 'send' or 'receive'."""
    for name, operation in _operations(document):
        action = operation.text("action")
        if action not in ("send", "receive"):
            place = operation.get("action") or operation
            report.error(
                "operation-action",
                f"operation {shown(name)} has action {shown(action)}, expected 'send' or 'receive'",
                place.location,
                suggestion(action, ("send", "receive"))
                or "'send' when this application sends the message",
            )


def operation_channel(document: Document, report: Report) -> None:
    """An operation's channel is one of the document's channels."""
    known = {channel.pointer: name for name, channel in _channels(document)}
    for name, operation in _operations(document):
        channel = operation.get("channel")
        if channel is not None and channel.pointer not in known:
            raw = operation.raw("channel") or channel
            report.error(
                "operation-channel",
                f"operation {shown(name)} uses {shown(channel.pointer)}, which is no channel of this document",
                raw.location,
                "write: $ref: '#/channels/" + (next(iter(known.values()), "name")) + "'",
            )


def operation_messages(document: Document, report: Report) -> None:
    """An operation's messages are messages of its channel."""
    for name, operation in _operations(document):
        channel = operation.get("channel")
        messages = operation.get("messages")
        of_channel = channel.get("messages") if channel else None
        if messages is None or channel is None:
            continue
        known = {message.pointer for _, message in of_channel.fields()} if of_channel else set()
        for message in messages.items():
            if message.pointer not in known:
                report.error(
                    "operation-message",
                    f"operation {shown(name)} names the message {shown(message.pointer)}, "
                    f"which is not among the messages of channel {shown(channel.key)}",
                    messages.location,
                    (
                        f"add it to the channel, or name one of {', '.join(shown(key) for key, _ in of_channel.fields())}"
                        if of_channel
                        else "add it to the channel"
                    ),
                )


def channel_servers(document: Document, report: Report) -> None:
    """A channel's servers are servers of the document."""
    servers = document.root.get("servers")
    known = {server.pointer for _, server in servers.fields()} if servers else set()
    for name, channel in _channels(document):
        listed = channel.get("servers")
        for server in listed.items() if listed else ():
            if server.pointer not in known:
                report.error(
                    "channel-server",
                    f"channel {shown(name)} is on {shown(server.pointer)}, which is no server of this document",
                    listed.location if listed else channel.location,
                    "write: $ref: '#/servers/name'",
                )


RULES: Final[tuple[Callable[[Document, Report], None], ...]] = (
    operation_action,
    operation_channel,
    operation_messages,
    channel_servers,
)
