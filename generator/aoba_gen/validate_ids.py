"""Rules on names that must be there once: operations, messages, tags, servers of a channel."""

from __future__ import annotations

import re
from collections.abc import Iterator

from .diagnostics import Location, shown
from .resolve import Place
from .validate_parts import Finding, Findings, Written, repeated, text_of

_TAGGED = "Document Info Server Channel Operation OperationTrait Message MessageTrait".split()


def operation_id(written: Written) -> Findings:
    """Every operationId is there once."""
    return _unique(written, "operationId", "Operation")


def message_id(written: Written) -> Findings:
    """Every messageId is there once."""
    return _unique(written, "messageId", "Message")


def tag_name(written: Written) -> Findings:
    """A list of tags has each name once."""
    for holder in written.of(*_TAGGED):
        tags = holder.get("tags")
        named = (
            (name, found.location)
            for tag in (tags.items() if tags else ())
            if (found := tag.get("name")) and (name := text_of(found)) is not None
        )
        for name, location, first in repeated(named):
            message = f"the tag {shown(name)} is listed twice, first at {first}"
            yield Finding(message, location, "remove one of the two")


def component_name(written: Written) -> Findings:
    """A component's name is made of letters, digits, '.', '-' and '_'."""
    for components in written.of("Components"):
        for kind, entries in components.fields():
            for name, _ in entries.raw_fields() if not kind.startswith("x-") else ():
                if not re.fullmatch(r"[A-Za-z0-9._-]+", name):
                    message = f"{shown(name)} is no name for one of the {kind}"
                    hint = "use letters, digits, '.', '-' and '_'"
                    yield Finding(message, entries.key_location(name), hint)


def _unique(written: Written, field: str, kind: str) -> Findings:
    for name, location, first in repeated(_named(written.of(kind), field)):
        message = f"the {field} {shown(name)} is given twice, first at {first}"
        yield Finding(message, location, "give each its own")


def _named(places: Iterator[Place], field: str) -> Iterator[tuple[str, Location]]:
    """The names that objects go by: a trait's wins over their own, the last trait's over others'."""
    for place in places:
        traits = place.get("traits")
        for holder in [*(traits.items() if traits else ())][::-1] + [place]:
            found = holder.get(field)
            if found and (name := text_of(found)) is not None:
                yield name, found.location
                break
