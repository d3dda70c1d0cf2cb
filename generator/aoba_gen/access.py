"""What a reference may read beside the document itself: which files, and which hosts.

A document comes from who knows where, and what it refers to ends up in the package and in messages. So a reference reaches
the document's own folder; beside that folder, in the same checkout, the folders in which documents share their parts by
custom, and there nothing but such parts; and what the user names. Hidden files are never read, and a symbolic link
counts as what it leads to.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Final

SHARED: Final = frozenset("""
    channels common components definitions messages models operations parameters schemas servers shared traits types
    """.split())
"""The folders beside the document's own that may be read: those named after what is shared."""
_SHARED_FILES: Final = frozenset({".avsc", ".json", ".yaml", ".yml"})
_PARTS: Final = frozenset("""
    $anchor $comment $defs $id $ref $schema action additionalItems additionalProperties address aliases allOf anyOf bindings
    channel channels const contains contentEncoding contentMediaType contentType correlationId default definitions
    dependencies dependentRequired dependentSchemas deprecated description discriminator doc else enum examples
    exclusiveMaximum exclusiveMinimum externalDocs fields format headers host if items location logicalType maxItems
    maxLength maxProperties maximum message messageId messages minItems minLength minProperties minimum multipleOf name
    namespace not nullable oneOf operationId parameters pathname pattern patternProperties payload prefixItems properties
    propertyNames protocol protocolVersion publish readOnly reply required schema schemaFormat security servers size
    subscribe summary symbols tags then title traits type uniqueItems url values variables writeOnly
    """.split())
"""The fields of schemas, messages, channels, operations, parameters and servers: of what documents share."""


_HOST: Final = r"(?:[\w.-]+|\[[\da-fA-F:.]+\])(?::\d{1,5})?"


@dataclass(frozen=True, slots=True)
class Access:
    """What the user allows in addition: `roots` are folders, `hosts` are names that https may fetch from."""

    roots: tuple[Path, ...] = ()
    hosts: tuple[str, ...] = ()


def host_fault(name: str) -> str:
    """What to write in place of a text that is no name of a host, perhaps with a port; "" where it is one."""
    if re.fullmatch(_HOST, name):
        return ""
    inside = re.match(rf"(?:[a-z]+:)?//(?:[^/@]*@)?({_HOST})(?:[/?#]|$)", name)
    return f"write: {inside[1]}" if inside else "write one such as: schemas.example.org"


def shared_beside(folder: Path) -> tuple[Path, ...]:
    """The folders beside a document's own that it may refer to, as far as there are any."""
    try:
        return tuple(one for one in _real(folder).parent.iterdir() if one.name.lower() in SHARED)
    except OSError:
        return ()


class Reach:
    """Which files the document in `folder` reaches."""

    def __init__(self, folder: Path, access: Access) -> None:
        self._folder = _real(folder)
        self._is_top = os.path.exists(self._folder / ".git")
        self._roots = [self._folder, *map(_real, access.roots)]

    def real(self, place: Path) -> Path | None:
        """Where the file at `place` really lies; `None` where a reference may not read that, be it there or not.

        Raises ValueError and OSError when no file can be so named.
        """
        found = _real(place)
        for root in self._roots:
            if found.is_relative_to(root):
                return None if _is_hidden(found.relative_to(root)) else found
        return found if self._is_shared(found) else None

    def is_shared(self, place: Path) -> bool:
        """Whether a file is reached only as it lies where documents share their parts: it may hold anything else too."""
        found = _real(place)
        return not any(map(found.is_relative_to, self._roots)) and self._is_shared(found)

    def _is_shared(self, found: Path) -> bool:
        around = self._folder.parent
        if self._is_top or around == self._folder or not found.is_relative_to(around):
            return False
        below = found.relative_to(around)
        return (
            len(below.parts) > 1
            and below.parts[0].lower() in SHARED
            and below.suffix.lower() in _SHARED_FILES
            and not _is_hidden(below)
            and not os.path.exists(around / below.parts[0] / ".git")
        )


def located(folder: Path, path: str) -> Path:
    """Where a file of a document in `folder` lies, by its path relative to that, as the user would name it."""
    return Path(os.path.normpath(folder / path.replace("%23", "#")))


def is_part(names: Iterable[str]) -> bool:
    """Whether an object with these fields is what documents share, and nothing else that lies in a file."""
    listed = list(names)
    return bool(listed) and all(name in _PARTS or name.startswith("x-") for name in listed)


def _is_hidden(place: Path) -> bool:
    return any(part.startswith(".") for part in place.parts)


def _real(place: Path) -> Path:
    return Path(os.path.realpath(place))
