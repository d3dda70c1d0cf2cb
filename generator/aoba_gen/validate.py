"""What a document must be to be an AsyncAPI 3.0 document: structure first, then named rules, one function each."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping, Set
from typing import Final

from . import names
from .diagnostics import Report, shown, suggestion
from .load import Array, Object, Scalar, plain
from .resolve import Document, Place, reference
from .shapes import OBJECTS, REFERABLE, Shape, shape_of

_REFERENCE: Final = shape_of("Reference")


_TYPES: Final = ("null", "boolean", "integer", "number", "string", "array", "object")


def check_structure(document: Document, report: Report) -> None:
    """Report what the tables of `shapes` do not allow."""
    _Structure(report).check(document.root, shape_of("Document"), "the document")


def check_rules(document: Document, report: Report, disabled: Set[str] = frozenset()) -> None:
    """Report what the rules that are not `disabled` find."""
    for rule in RULES:
        rule(document, report)


class _Structure:
    """Checks every object against its table in `shapes`, each place once."""

    def __init__(self, report: Report) -> None:
        self._report = report
        self._seen: set[tuple[str, Shape]] = set()

    def check(self, raw: Place, shape: Shape, what: str) -> None:
        """Check what stands at `raw` and all below; `what` names it in messages."""
        place = raw.document.follow(raw)
        if shape == _REFERENCE:
            self._check_reference(raw, what)
        elif reference(raw.node) is not None and (
            shape.kind != "one" or shape.name not in REFERABLE
        ):
            self._report.error(
                "misplaced-reference",
                f"{what} is a reference, which AsyncAPI 3.0 does not allow here",
                raw.location,
                "write it out, or put it in a list" if shape.kind == "list" else "write it out",
            )
        elif (place.pointer, shape) not in self._seen and reference(place.node) is None:
            self._seen.add((place.pointer, shape))
            self._check_place(place, shape, what)

    def _check_place(self, place: Place, shape: Shape, what: str) -> None:
        if shape.kind == "map":
            if self._is(
                place, Object, f"{what} should be an object that maps names to {_worded(shape)}s"
            ):
                for name, child in place.raw_fields():
                    self.check(child, shape.inner, f"{_worded(shape)} {shown(name)}")
        elif shape.kind == "list":
            if self._is(place, Array, f"{what} should be a list"):
                for child in place.raw_items():
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
        for key, child in place.raw_fields():
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
        if name == "Schema":
            self._check_type(place, what)

    def _check_type(self, place: Place, what: str) -> None:
        kind = place.get("type")
        value = kind.value() if kind else []
        for item in value if isinstance(value, list) else [value]:
            if kind and item is None:
                self._report.error(
                    "unknown-type",
                    f"'type' of {what} is null, expected text",
                    kind.location,
                    "write 'null' in quotes",
                )
            elif kind and item not in _TYPES:
                self._report.error(
                    "unknown-type",
                    f"'type' of {what} is {shown(item)}, expected one of {', '.join(_TYPES)}",
                    kind.location,
                    suggestion(str(item), _TYPES),
                )

    def _check_reference(self, raw: Place, what: str) -> None:
        if reference(raw.node) is None:
            found = shown(plain(raw.node))
            self._report.error(
                "not-a-reference",
                f"{what} should be a reference, not {found}",
                raw.location,
                "write: $ref: '#/...'",
            )

    def _is(self, place: Place, kind: type[Object] | type[Array], expected: str) -> bool:
        if isinstance(place.node, kind):
            return True
        self._wrong(place, expected)
        return False

    def _wrong(self, place: Place, expected: str) -> None:
        value = plain(place.node)
        is_number = isinstance(value, (int, float)) and not isinstance(value, bool)
        quotes = (
            f"put it in quotes: '{value}'" if "should be text" in expected and is_number else ""
        )
        self._report.error("wrong-type", f"{expected}, not {shown(value)}", place.location, quotes)


def _worded(shape: Shape) -> str:
    """The shape's name in words: "server variable"."""
    return " ".join(names.words(shape.name)).lower()


def _channels(document: Document) -> Iterator[tuple[str, Place]]:
    channels = document.root.get("channels")
    return channels.fields() if channels else iter(())


def _operations(document: Document) -> Iterator[tuple[str, Place]]:
    operations = document.root.get("operations")
    return operations.fields() if operations else iter(())


def operation_action(document: Document, report: Report) -> None:
    """An operation's action is 'send' or 'receive'."""
    for name, operation in _operations(document):
        given = operation.get("action")
        action = operation.text("action")
        if given and isinstance(given.value(), str) and action not in ("send", "receive"):
            report.error(
                "operation-action",
                f"operation {shown(name)} has action {shown(action)}, expected 'send' or 'receive'",
                given.location,
                suggestion(action, ("send", "receive"))
                or "'send' when this application sends the message",
            )


def operation_channel(document: Document, report: Report) -> None:
    """An operation's channel is one of the document's channels."""
    known = {channel.pointer: name for name, channel in _channels(document)}
    for name, operation in _operations(document):
        channel, raw = operation.get("channel"), operation.raw("channel")
        if channel and raw and _leads_elsewhere(channel, raw, known):
            report.error(
                "operation-channel",
                f"operation {shown(name)} uses {shown(channel.pointer)}, which is no channel of this document",
                raw.location,
                f"write: $ref: '#/channels/{next(iter(known.values()), 'name')}'",
            )


def operation_messages(document: Document, report: Report) -> None:
    """An operation's messages are messages of its channel."""
    for name, operation in _operations(document):
        channel, messages = operation.get("channel"), operation.get("messages")
        of_channel = channel.get("messages") if channel else None
        known = {message.pointer: key for key, message in of_channel.fields()} if of_channel else {}
        for raw in messages.raw_items() if messages and channel else ():
            message = document.follow(raw)
            if channel and _leads_elsewhere(message, raw, known):
                report.error(
                    "operation-message",
                    f"operation {shown(name)} names {shown(message.pointer)}, "
                    f"which is no message of its channel {shown(channel.key)}",
                    raw.location,
                    (
                        f"the channel has {', '.join(map(shown, known.values()))}"
                        if known
                        else "add it to the channel"
                    ),
                )


def channel_servers(document: Document, report: Report) -> None:
    """A channel's servers are servers of the document."""
    servers = document.root.get("servers")
    known = {server.pointer: name for name, server in servers.fields()} if servers else {}
    for name, channel in _channels(document):
        listed = channel.get("servers")
        for raw in listed.raw_items() if listed else ():
            server = document.follow(raw)
            if _leads_elsewhere(server, raw, known):
                report.error(
                    "channel-server",
                    f"channel {shown(name)} is on {shown(server.pointer)}, which is no server of this document",
                    raw.location,
                    f"write: $ref: '#/servers/{next(iter(known.values()), 'name')}'",
                )


def _leads_elsewhere(target: Place, raw: Place, known: Mapping[str, str]) -> bool:
    """Whether a reference leads to something, and to none of the `known`; others have been reported already."""
    return (
        reference(raw.node) is not None
        and reference(target.node) is None
        and target.pointer not in known
    )


def server_address(document: Document, report: Report) -> None:
    """A server's host is a host, with a port perhaps; its pathname begins with a slash."""
    servers = document.root.get("servers")
    for name, server in servers.fields() if servers else ():
        host, path = server.get("host"), server.text("pathname")
        if (
            host
            and isinstance(host.value(), str)
            and not re.fullmatch(r"[^\s/\"'<>{}]+", server.text("host"))
        ):
            report.error(
                "server-host",
                f"the host of server {shown(name)} is {shown(host.value())}, expected a name or address and perhaps a port",
                host.location,
                "such as 'api.example.com:8443'; scheme and path have fields of their own",
            )
        if path and not path.startswith("/"):
            report.error(
                "server-pathname",
                f"the pathname of server {shown(name)} is {shown(path)}, expected it to begin with '/'",
                server.key_location("pathname"),
                f"write: pathname: /{path}",
            )


RULES: Final[tuple[Callable[[Document, Report], None], ...]] = (
    operation_action,
    operation_channel,
    operation_messages,
    channel_servers,
    server_address,
)
