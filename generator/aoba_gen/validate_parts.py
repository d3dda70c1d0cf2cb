"""What the rules look at: a document as written, its parts by kind, and how a rule says what it found."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Final, TypeAlias

from .diagnostics import Location
from .load import Array, Object, Scalar
from .resolve import Document, Place, reference

_VARIABLE: Final = re.compile(r"\{([^{}]+)\}")


@dataclass(frozen=True, slots=True)
class Finding:
    """One breach of a rule: what is wrong, where, and how to mend it."""

    message: str
    location: Location
    hint: str


Findings: TypeAlias = Iterator[Finding]


@dataclass(frozen=True, slots=True)
class Written:
    """A document of any version as written and as lifted, and the places of its objects by the names of their tables."""

    document: Document
    lifted: Document
    objects: Mapping[str, Sequence[Place]]

    @property
    def is_2(self) -> bool:
        """Whether the version is 2.x."""
        return self.document.root.text("asyncapi").startswith("2.")

    def of(self, *names: str) -> Iterator[Place]:
        """Every object of these tables, each once, references followed."""
        for name in names:
            yield from self.objects.get(name, ())

    def entries(self, name: str) -> Iterator[tuple[str, Place, Location]]:
        """What stands in the map `name` of the document and of its components, with the place of its key."""
        for holder in (self.document.root, self.document.root.get("components")):
            found = holder.get(name) if holder else None
            for key, place in found.fields() if found else ():
                assert found
                yield key, place, found.key_location(key)

    def messages(self) -> Iterator[Place]:
        """Every message in the shape of AsyncAPI 3, traits merged, each once."""
        seen: set[str] = set()
        root = self.lifted.root
        components = root.get("components")
        channels = [
            channel
            for holder in (root, components)
            if holder and (found := holder.get("channels"))
            for _, channel in found.fields()
        ]
        for holder in (components, *channels):
            messages = holder.get("messages") if holder else None
            for _, message in messages.fields() if messages else ():
                if message.pointer not in seen:
                    seen.add(message.pointer)
                    yield message

    def addresses(self) -> Iterator[tuple[str, Place, Location]]:
        """The address of each channel, the channel, and where the address stands; its key where it states none."""
        for key, channel, location in self.entries("channels"):
            if not self.is_2:
                address = channel.get("address")
                text = text_of(address) if address else key
                if address and address.value() is None:
                    text = ""  # known at run time only, and made of no parameters
                if text is not None:
                    yield text, channel, address.location if address else location
            elif not channel.pointer.startswith("#/components/") or key != channel.key:
                yield key, channel, location


def text_of(place: Place | None) -> str | None:
    """The text at a place; `None` where there is something else."""
    if place and isinstance(place.node, Scalar) and isinstance(place.node.value, str):
        return place.node.value
    return None


def is_object(place: Place | None) -> bool:
    """Whether an object stands here that is no reference."""
    return place is not None and isinstance(place.node, Object) and reference(place.node) is None


def pointed(raw: Place) -> Location:
    """Where the text of a reference stands."""
    target = raw.raw("$ref")
    return target.location if target else raw.location


def variables(template: str) -> list[str]:
    """The names in braces, each once, in their order."""
    return list(dict.fromkeys(_VARIABLE.findall(template)))


def keys(place: Place | None) -> list[str]:
    """The names of an object's fields."""
    return list(place.node.fields) if place and isinstance(place.node, Object) else []


def texts(place: Place | None) -> Iterator[tuple[str, Place]]:
    """The texts in a list, and where each stands."""
    for item in place.items() if place and isinstance(place.node, Array) else ():
        if (text := text_of(item)) is not None:
            yield text, item


def repeated(
    named: Iterable[tuple[str, Location]],
) -> Iterator[tuple[str, Location, Location]]:
    """The names that come again, where each does, and where it stood first."""
    first: dict[str, Location] = {}
    for name, location in named:
        if name in first:
            yield name, location, first[name]
        else:
            first[name] = location
