"""The IR between a document and its Python package: frozen values with every name already chosen, nothing that acts.

Document names and Python names stand side by side: `name` is the document's, `python` (or what is said) is ours.
Texts of the document are kept as they are; only `render` and `schemas` turn them into code.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import Literal, TypeAlias

from .model_calls import Calls

Side: TypeAlias = Literal["described", "peer"]
"""Whom a package is for: the application that the document describes, or who talks to it."""
Json: TypeAlias = "None | bool | int | float | str | list[Json] | dict[str, Json]"


class Fill(StrEnum):
    """What a constructor puts into a required property that its caller leaves out."""

    EMPTY = "empty"
    NOW_MILLISECONDS = "now-milliseconds"
    UUID = "uuid"


@dataclass(frozen=True, slots=True)
class EnumMember:
    """One allowed value of an enum and its Python member."""

    value: str
    python: str


@dataclass(frozen=True, slots=True)
class Schema:
    """What a value may be: JSON Schema, with references by Python name and objects and enums always named.

    `constraints` holds the keywords that narrow a value without changing its Python type ("minimum", "maxLength", ...).
    A list has `items`, a tuple of fixed length `prefix`, a map `values`. `any_of` is a union in document order, told
    apart by the Python field `discriminator` where there is one. `literals` are the values allowed where they are no
    enum. `checks` is JSON Schema for what Python types cannot say; the runtime checks it. An empty schema allows
    anything.
    """

    types: tuple[str, ...] = ()
    ref: str | None = None
    items: Schema | None = None
    prefix: tuple[Schema, ...] = ()
    values: Schema | None = None
    any_of: tuple[Schema, ...] = ()
    discriminator: str | None = None
    format: str | None = None
    constraints: tuple[tuple[str, int | float | str | bool], ...] = ()
    const: str | int | float | bool | None = None
    literals: tuple[str | int | bool, ...] = ()
    nullable: bool = False
    checks: dict[str, Json] | None = None


@dataclass(frozen=True, slots=True)
class Property:
    """A property of an object; `default` is meaningful when `has_default` says so."""

    name: str
    python: str
    schema: Schema
    required: bool
    doc: str = ""
    has_default: bool = False
    default: Json = None
    fill: Fill | None = None
    conversation: bool = False


@dataclass(frozen=True, slots=True)
class Enum:
    """A class of allowed texts."""

    python: str
    pointer: str
    members: tuple[EnumMember, ...]
    doc: str = ""


@dataclass(frozen=True, slots=True)
class Record:
    """A class of JSON objects: its bases' properties and its own.

    A `closed` one refuses other properties; where there are `extras`, others have to be that. `checks` is as in Schema.
    """

    python: str
    pointer: str
    properties: tuple[Property, ...]
    bases: tuple[str, ...] = ()
    doc: str = ""
    closed: bool = False
    extras: Schema | None = None
    checks: dict[str, Json] | None = None


@dataclass(frozen=True, slots=True)
class Alias:
    """A name for a type that is no class: a union, a list, a map, a text with bounds.

    A `recursive` one leads back to itself with no class between.
    """

    python: str
    pointer: str
    schema: Schema
    doc: str = ""
    recursive: bool = False


Definition: TypeAlias = Enum | Record | Alias


@dataclass(frozen=True, slots=True)
class Message:
    """A message: `constant` is its Python name, `payload` the class.

    `conversation` is the field whose value the messages of one conversation share.
    """

    name: str
    constant: str
    pointer: str
    payload: str
    title: str
    doc: str
    content_type: str
    conversation: str | None


@dataclass(frozen=True, slots=True)
class Tag:
    """A discriminating value, and the enum member that stands for it ("SignalType.CALL_OFFER") where there is one."""

    value: str | int | bool
    member: str | None


@dataclass(frozen=True, slots=True)
class Route:
    """A message of a channel, and the tag that it goes by there: its name where the channel has but one message."""

    message: Message
    tag: Tag


@dataclass(frozen=True, slots=True)
class Channel:
    """A channel: `constant` is its Python name, `union` the type of everything that it carries.

    `discriminator` is the property that tells its messages apart, on the wire and as a Python field; `None` where it
    has one message.
    """

    name: str
    constant: str
    union: str
    pointer: str
    address: str | None
    doc: str
    union_doc: str
    discriminator: str | None = None
    discriminator_field: str | None = None
    routes: tuple[Route, ...] = ()


@dataclass(frozen=True, slots=True)
class Operation:
    """What the client does: `method` is its method (send) or hook (receive)."""

    name: str
    constant: str
    method: str
    action: Literal["send", "receive"]
    channel: Channel
    messages: tuple[Message, ...]
    doc: str


@dataclass(frozen=True, slots=True)
class Hook:
    """Where the client takes handlers of a message; `doc` is the receiving operation's where one names the message."""

    python: str
    message: Message
    doc: str


@dataclass(frozen=True, slots=True)
class Server:
    """Where the API is served; `url` has no channel address."""

    name: str
    url: str
    protocol: str
    tls: bool
    security: tuple[str, ...]
    doc: str


@dataclass(frozen=True, slots=True)
class Model:
    """A whole package. Everything stands in document order.

    `decoder` is what `decode` reads: the only channel, or, where there are several, all of them as one, which then
    stands in `unions` behind them. `sends` are the operations with action "send"; `discriminates` says
    whether any union has a discriminator. `calls` is how a voice call is said in it, where it is about calls.
    """

    package: str
    client: str
    title: str
    version: str
    doc: str
    client_doc: str
    servers: tuple[Server, ...]
    channels: tuple[Channel, ...]
    unions: tuple[Channel, ...]
    decoder: Channel
    messages: tuple[Message, ...]
    hooks: tuple[Hook, ...]
    operations: tuple[Operation, ...]
    sends: tuple[Operation, ...]
    discriminates: bool
    definitions: tuple[Definition, ...]
    calls: Calls | None = None
