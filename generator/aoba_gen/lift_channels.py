"""Channel items of 2.x -> channels, messages and operations of 3.x.

`publish` is what a client of the described application sends, so the application receives it; `subscribe` the reverse.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from .diagnostics import Location
from .document import Place, Shape
from .lift_parts import Parts, make
from .load import Array, Node, Object, Scalar
from .references import reference, step
from .traits import merge_traits

_ACTIONS: Final = {"publish": "receive", "subscribe": "send"}


class Channels:
    """The channels and operations of a 2.x document, with keys as its authors would call them."""

    def __init__(self, root: Place, parts: Parts, shape: Shape) -> None:
        self._root = root
        self._parts = parts
        self._shape = shape
        self._operations: dict[str, Node] = {}
        self._keys: dict[str, Location] = {}

    def channels(self) -> Node:
        """The channels by their addresses."""
        channels = self._root.get("channels")
        if channels is None or not isinstance(channels.node, Object):
            raw = self._root.raw("channels")
            return raw.node if raw else Scalar(None, self._root.location)
        for _, item in channels.fields():
            for verb in _ACTIONS:
                operation = item.get(verb)
                message = operation.raw("message") if operation else None
                for one in _messages(message) if message else ():
                    self._parts.message(one)
        made = {}
        for address, raw in channels.raw_fields():
            found = self._channel(address, raw, channels.key_location(address))
            made[address] = self._shape.stand(found, step("#/channels", address))
            if not self._shape.shows(raw.node):
                self._shape.show(raw.node, found)
        return make(made, channels.node)

    def operations(self) -> Node:
        """The operations of the channels made so far."""
        return Object(self._operations, self._keys, self._root.key_location("channels"))

    def component_messages(self, raw: Place) -> Node:
        """The messages of the components by their names: their ids, their own names, or their keys."""
        messages = raw.document.follow(raw)
        made: dict[str, Node] = {}
        keys = {}
        for key, child in messages.raw_fields():
            names = (*self._parts.names(child), key, child.pointer)
            name = next(name for name in names if name not in made)
            made[name] = self._shape.stand(child.node, child.pointer)
            keys[name] = messages.key_location(key)
        return make(made, messages.node, keys)

    def _channel(self, address: str, raw: Place, at: Location) -> Node:
        end = raw.document.follow(raw)
        item = {**dict(end.raw_fields()), **dict(raw.siblings())}
        item.pop("$ref", None)
        messages: dict[str, Node] = {}
        fields: dict[str, Node] = {"address": Scalar(address, at)}
        keys = {"address": at}
        for holder in (end, raw):
            keys.update((name, holder.key_location(name)) for name, _ in holder.raw_fields())
        channel = Object(fields, keys, raw.location)
        pointer = step("#/channels", address)
        self._shape.stand(channel, pointer)
        for name, child in item.items():
            if name in _ACTIONS:
                self._operation(name, address, child, keys[name], channel, messages)
            elif name == "servers":
                fields[name] = self._servers(child)
            else:
                fields[name] = self._shape.stand(child.node, child.pointer)
        fields["messages"] = Object(messages, {}, raw.location)
        return channel

    def _servers(self, listed: Place) -> Node:
        """The servers that a list names; names without a server are left out."""
        servers = self._root.get("servers")
        found = [
            server
            for item in listed.items()
            if servers and (server := servers.raw(str(item.value()))) is not None
        ]
        nodes = (self._shape.stand(server.node, server.pointer) for server in found)
        return Array(tuple(nodes), listed.location)

    def _operation(
        self,
        verb: str,
        address: str,
        raw: Place,
        at: Location,
        channel: Node,
        messages: dict[str, Node],
    ) -> None:
        """Note the operation, and among `messages` of its channel those of its own that are not there yet."""
        end = raw.document.follow(raw)
        if not isinstance(end.node, Object) or reference(end.node) is not None:
            return
        pointer = step(step("#/channels", address), verb)
        merged = Place(merge_traits(end, self._shape), end.pointer, self._parts.document)
        keys = (merged.text("operationId"), f"{verb} {address}", pointer)
        key = next(key for key in keys if key and key not in self._operations)
        message = end.raw("message")
        listed = list(_messages(message)) if message else []
        known = {self._shape.seen(node, "")[1]: name for name, node in messages.items()}
        nodes = []
        for index, one in enumerate(listed, 1):
            place = self._parts.message(one)
            made = _made_name(key, place, index if len(listed) > 1 else 0)
            if place.pointer not in known:
                names = (*self._parts.names(one), made, f"{key} {index}", place.pointer)
                known[place.pointer] = next(name for name in names if name not in messages)
            node = self._shape.stand(one.document.follow(one).node, place.pointer)
            messages[known[place.pointer]] = node
            nodes.append(node)
        fields: dict[str, Node] = {
            "action": Scalar(_ACTIONS[verb], at),
            "channel": channel,
            "messages": Array(tuple(nodes), message.location if message else raw.location),
        }
        for name, child in merged.raw_fields():
            if name == "security":
                fields[name] = self._parts.schemes(child)
            elif name not in ("operationId", "message"):
                fields[name] = self._shape.stand(child.node, child.pointer)
        self._operations[key] = self._shape.stand(make(fields, end.node), pointer)
        self._keys[key] = at


def _messages(raw: Place) -> Iterator[Place]:
    """The messages that stand for one: itself, or those in its `oneOf`."""
    end = raw.document.follow(raw)
    choice = end.raw("oneOf")
    if choice is None or not isinstance(choice.node, Array):
        if isinstance(end.node, Object) and reference(end.node) is None:
            yield raw
        return
    for item in choice.raw_items():
        yield from _messages(item)


def _made_name(operation: str, message: Place, index: int) -> str:
    """The name of a message that stands in its operation and has none: of several, one with what tells them apart."""
    if not index:
        return f"{operation} message"
    payload = message.raw("payload")
    schema = (payload.raw("schema") or payload) if payload else None
    named = reference(schema.node) if schema else None
    word = message.text("title") or (named.rpartition("/")[2] if named else "") or str(index)
    return f"{operation} {word}"
