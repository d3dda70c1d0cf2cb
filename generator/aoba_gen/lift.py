"""Any version -> the shape of AsyncAPI 3, with traits merged: nothing after this pass knows versions.

What stands where it stood keeps its pointer and place; see `document.Shape`. A malformed part is left as it is.
"""

from __future__ import annotations

from collections.abc import Iterator

from .document import Document, Place, Shape
from .lift_channels import Channels
from .lift_parts import Parts, make
from .load import Node, Object
from .traits import merge_traits


def lift(written: Document) -> Document:
    """The document `written` in the shape of AsyncAPI 3; silent, as other passes tell what is wrong with it."""
    shape = Shape()
    document = Document(written.source, written.references, shape)
    parts = Parts(written, document, shape)
    root = written.root
    components = root.get("components")
    for holder in (root, components) if components else (root,):
        for server in _entries(holder, "servers"):
            parts.server(server)
        for operation in _entries(holder, "operations"):
            _merge_operation(operation, parts, shape)
        for channel in _entries(holder, "channels"):
            _lift_channel(written.follow(channel), parts)
    for message in _entries(components, "messages"):
        parts.message(message)
    for parameter in _entries(components, "parameters"):
        parts.parameter(parameter)
    if document.version.startswith("2."):
        shape.show(root.node, _root(root, components, parts, shape))
    return document


def _merge_operation(raw: Place, parts: Parts, shape: Shape) -> None:
    """Merge an operation's traits, and reach the messages that it and its reply name."""
    end = raw.document.follow(raw)
    if not shape.shows(end.node):
        shape.show(end.node, merge_traits(end, shape))
    reply = end.get("reply")
    for holder in (end, reply) if reply else (end,):
        listed = holder.get("messages")
        for message in listed.raw_items() if listed else ():
            parts.message(message)


def _lift_channel(channel: Place, parts: Parts) -> None:
    """Reach the messages and parameters of a channel."""
    for message in _entries(channel, "messages"):
        parts.message(message)
    for parameter in _entries(channel, "parameters"):
        parts.parameter(parameter)


def _root(root: Place, components: Place | None, parts: Parts, shape: Shape) -> Node:
    """A 2.x document: its root with channels and operations apart, and what 3.x has in `info` there."""
    channels = Channels(root, parts, shape)
    fields: dict[str, Node] = {}
    keys = {}
    for name, child in root.raw_fields():
        keys[name] = root.key_location(name)
        if name == "channels":
            fields["channels"] = channels.channels()
            fields["operations"] = channels.operations()
        elif name == "components" and components:
            fields[name] = shape.stand(_components(components, channels, shape), components.pointer)
        elif name == "info":
            fields[name] = _info(root, child, shape)
        elif name not in ("tags", "externalDocs"):
            fields[name] = child.node
    return make(fields, root.node, keys)


def _info(root: Place, info: Place, shape: Shape) -> Node:
    end = root.document.follow(info)
    if not isinstance(end.node, Object):
        return info.node
    fields = {name: shape.stand(child.node, child.pointer) for name, child in end.raw_fields()}
    for name in ("tags", "externalDocs"):
        child = root.raw(name)
        if child is not None and name not in fields:
            fields[name] = shape.stand(child.node, child.pointer)
    return make(fields, end.node)


def _components(components: Place, channels: Channels, shape: Shape) -> Node:
    """The components: messages by their own names, and no channels, which stand at the addresses that use them."""
    fields = {}
    for name, child in components.raw_fields():
        if name == "messages":
            fields[name] = channels.component_messages(child)
        elif name != "channels":
            fields[name] = shape.stand(child.node, child.pointer)
    return make(fields, components.node)


def _entries(holder: Place | None, name: str) -> Iterator[Place]:
    """The entries of a map, as they stand."""
    found = holder.get(name) if holder else None
    return (child for _, child in found.raw_fields()) if found else iter(())
