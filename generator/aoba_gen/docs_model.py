"""What a page shows beside the model: frozen values, texts of the document as they are."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from .model import Json


@dataclass(frozen=True, slots=True)
class Example:
    """An example of a message; `has_payload` and `has_headers` say which of the two it gives."""

    name: str
    summary: str
    payload: Json
    headers: Json
    has_payload: bool
    has_headers: bool


@dataclass(frozen=True, slots=True)
class Scheme:
    """A security scheme; `how` is where the secret goes, or of which kind it is."""

    name: str
    kind: str
    how: str
    doc: str


@dataclass(frozen=True, slots=True)
class Facts:
    """What stands in the document beside the model.

    `about` are a label, a text and an address, either of which may be empty. Operations go by name, messages and
    channels by pointer; a channel that names no server is on all of them.
    """

    description: str
    about: tuple[tuple[str, str, str], ...]
    schemes: tuple[Scheme, ...]
    operations: Mapping[str, str]
    examples: Mapping[str, tuple[Example, ...]]
    servers: Mapping[str, tuple[str, ...]]
