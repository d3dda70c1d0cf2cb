"""Messages, servers and parameters of 2.x in the shape of 3.x; each by the version of the file that it stands in."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Mapping
from typing import Final

from .diagnostics import Location
from .document import Document, Place, Shape
from .load import Array, Node, Object, Scalar
from .references import reference, step
from .traits import merge_traits

_INLINE: Final = re.compile(r"/(publish|subscribe)/message$|/oneOf/\d+$")
"""The pointers of messages that stand in an operation or in a list, and have no key of their own."""


class Parts:
    """Lifts single objects, each once."""

    def __init__(self, written: Document, document: Document, shape: Shape) -> None:
        self._written = written
        self.document = document
        self._shape = shape
        self._called: dict[str, list[tuple[str, str]]] = {}  # by the message's pointer
        self._callers: Counter[tuple[str, str]] = Counter()

    def message(self, raw: Place) -> Place:
        """The message at `raw`, a place as written, with traits merged and its payload's format around the payload."""
        end = self._written.follow(raw)
        if self._is_new(end):
            node = merge_traits(end, self._shape)
            if end.version.startswith("2.") and isinstance(node, Object):
                called = [
                    (field, str(own.value))
                    for field in ("messageId", "name")
                    if isinstance(own := node.fields.get(field), Scalar) and own.value
                ]
                self._called[end.pointer] = called
                self._callers.update(called)
                node = self._message(node, end.pointer)
            self._shape.show(end.node, node)
        return self.document.place(end.node, end.pointer)

    def names(self, raw: Place) -> Iterator[str]:
        """What the message at `raw` is called, best first: its id, its name, its key where a reference names it.

        What several messages are called names none of them. To be asked when all messages have been seen.
        """
        message = self.message(raw)
        called = self._called.get(message.pointer, [("name", message.text("name"))])
        yield from (name for field, name in called if name and self._callers[field, name] <= 1)
        if reference(raw.node) is not None and not _INLINE.search(message.pointer):
            yield message.key

    def server(self, raw: Place) -> None:
        """Lift the server at `raw`: `url` in parts beside itself, `security` as a list of schemes."""
        end = self._written.follow(raw)
        if self._is_new(end) and end.version.startswith("2."):
            fields: dict[str, Node] = {}
            for name, child in end.raw_fields():
                if name == "url":
                    fields |= {name: child.node, **_address(child)}
                elif name == "security":
                    fields[name] = self.schemes(child)
                else:
                    fields[name] = child.node
            self._shape.show(end.node, make(fields, end.node))

    def parameter(self, raw: Place) -> None:
        """Lift the parameter at `raw`: what its schema says of a text; the schema stays beside it."""
        end = self._written.follow(raw)
        if self._is_new(end) and end.version.startswith("2."):
            fields = {name: child.node for name, child in end.raw_fields()}
            schema = end.get("schema")
            for name in ("enum", "examples", "default", "description"):
                found = schema.get(name) if schema else None
                if found is not None and name not in fields:
                    fields[name] = _texts(found.node)
            self._shape.show(end.node, make(fields, end.node))

    def schemes(self, requirements: Place) -> Node:
        """The security schemes that a list of security requirements names; of one that is not defined, the name is known."""
        components = self._written.root.get("components")
        known = components.get("securitySchemes") if components else None
        schemes: dict[str, Node] = {}
        for requirement in requirements.items():
            for name, needed in requirement.raw_fields():
                scheme = known.raw(name) if known else None
                if scheme is None:
                    pointer = step("#/components/securitySchemes", name)
                    schemes[name] = self._shape.stand(make({}, needed.node), pointer)
                else:
                    schemes[name] = self._shape.stand(scheme.node, scheme.pointer)
        return Array(tuple(schemes.values()), requirements.location)

    def _is_new(self, end: Place) -> bool:
        return (
            isinstance(end.node, Object)
            and reference(end.node) is None
            and not self._shape.shows(end.node)
        )

    def _message(self, node: Object, pointer: str) -> Object:
        fields = {
            name: child
            for name, child in node.fields.items()
            if name not in ("messageId", "schemaFormat")
        }
        format, payload = node.fields.get("schemaFormat"), node.fields.get("payload")
        if format is not None and payload is not None:
            _, standing = self._shape.seen(payload, step(pointer, "payload"))
            self._shape.stand(payload, standing)
            at = node.keys.get("schemaFormat", node.location)
            keys = {"schemaFormat": at, "schema": node.keys.get("payload", node.location)}
            wrapper = Object({"schemaFormat": format, "schema": payload}, keys, payload.location)
            # The wrapper needs a pointer that is not its payload's.
            self._shape.stand(wrapper, step(pointer, "schemaFormat"))
            fields["payload"] = wrapper
        return make(fields, node)


def make(
    fields: Mapping[str, Node], node: Node, keys: Mapping[str, Location] | None = None
) -> Object:
    """An object with these fields in the place of `node`, whose keys it keeps."""
    if keys is None:
        keys = node.keys if isinstance(node, Object) else {}
    return Object(fields, keys, node.location)


def _address(url: Place) -> dict[str, Node]:
    """A server's `url` as `host` and `pathname`; its scheme, for which 3.x has `protocol` alone, stays in the `url`."""
    node = url.node
    if not isinstance(node, Scalar) or not isinstance(node.value, str):
        return {"host": node}
    host, slash, path = re.sub(r"^[^/:]*://", "", node.value).partition("/")
    found: dict[str, Node] = {"host": Scalar(host, node.location)}
    if path:
        found["pathname"] = Scalar(slash + path, node.location)
    return found


def _texts(node: Node) -> Node:
    """A value, or each of a list, as the text that stands for it in an address."""
    if isinstance(node, Array):
        return Array(tuple(map(_texts, node.items)), node.location)
    if isinstance(node, Scalar) and isinstance(node.value, (int, float)):
        value = str(node.value).lower() if isinstance(node.value, bool) else f"{node.value}"
        return Scalar(value, node.location)
    return node
