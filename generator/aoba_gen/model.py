"""The IR between a document and its Python package: frozen values with every name already chosen, nothing that acts.

Document names and Python names stand side by side: `name` is the document's, `python` (or what is said) is ours.
Texts of the document are kept as they are; only `render` and `schemas` turn them into code.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import Literal, TypeAlias

from .model_calls import Calls
from .options import Side

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
    apart by the Python field `discriminator` where there is one; an `exclusive` one refuses what two members take. `literals` are the values allowed where they are no
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
    exclusive: bool = False
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
    """A message: `constant` is its Python name, `payload` and `headers` what models.py calls their types.

    `payload` is "bytes" where it is kept as it arrives, `None` where the message has none; `type` is the same as a Python
    expression ("models.Light", "bytes", "None"). `conversation` is the field whose value the messages of one conversation
    share, `form` what it is on the wire if not JSON, `correlation` the runtime expression of its correlation id ("$message.header#/id").
    """

    name: str
    constant: str
    pointer: str
    payload: str | None
    type: str
    headers: str | None
    form: Literal["text", "bytes"] | None
    content_type: str
    title: str
    doc: str
    conversation: str | None
    correlation: str | None


@dataclass(frozen=True, slots=True)
class Tag:
    """A discriminating value, and the enum member that stands for it ("SignalType.CALL_OFFER") where there is one."""

    value: str | int | bool
    member: str | None


@dataclass(frozen=True, slots=True)
class Route:
    """A message of a channel, and the tag that it goes by there."""

    message: Message
    tag: Tag


@dataclass(frozen=True, slots=True)
class Parameter:
    """A part of a channel's address: `python` is the keyword argument, `enum` its only values where not empty.

    `alias` is what the type of those values is called. Nothing checks the `pattern`.
    """

    name: str
    python: str
    alias: str | None
    enum: tuple[str, ...]
    pattern: str | None
    default: str | None
    has_default: bool
    doc: str


@dataclass(frozen=True, slots=True)
class Channel:
    """A channel: `constant` is its Python name, `type` the expression of all that it carries, `union` the name of
    that type where it is one of several, which `union_doc` then describes, else the type again.

    `discriminator` is the property that tells its messages apart, of the headers where `in_headers` says so; it is
    `None`, and `routes` is empty, where there is none. `discriminator_field` is its Python field where the payloads
    themselves have it, so that `type` can be told apart by pydantic too. `address` is `None` where it is not known before
    the message is sent.
    """

    name: str
    constant: str
    union: str
    type: str
    pointer: str
    address: str | None
    parameters: tuple[Parameter, ...]
    messages: tuple[Message, ...]
    doc: str
    union_doc: str
    discriminator: str | None = None
    discriminator_field: str | None = None
    in_headers: bool = False
    routes: tuple[Route, ...] = ()


@dataclass(frozen=True, slots=True)
class Reply:
    """What answers an operation: on `channel`, at the address that `address` (a runtime expression) finds in the request."""

    channel: Channel
    address: str | None
    messages: tuple[Message, ...]
    type: str


@dataclass(frozen=True, slots=True)
class Operation:
    """What the client does: `method` is its method (send) or hook (receive).

    `security` names the schemes of which it asks for one.
    `type` is the expression of its messages' payloads, `is_empty` whether it can be `None`; `headers` is the expression of
    their headers, `None` where there are none, `needs_headers` whether they have to be given; `takes_address` whether the
    document leaves the address to the sender. `doc` is what the document says of it, `docstring` what a caller has to know.
    """

    name: str
    constant: str
    method: str
    action: Literal["send", "receive"]
    channel: Channel
    messages: tuple[Message, ...]
    type: str
    is_empty: bool
    headers: str | None
    needs_headers: bool
    takes_address: bool
    reply: Reply | None
    security: tuple[str, ...]
    doc: str
    docstring: str


@dataclass(frozen=True, slots=True)
class Hook:
    """Where the client takes handlers: of a message, of what arrives on a channel that describes none, or of an operation.

    `type` is the expression of what a handler takes, `returns` of its reply, `None` where there is none.
    `doc` is the receiving operation's where one names the message.
    """

    python: str
    type: str
    message: Message | None
    channel: Channel | None
    operation: Operation | None
    returns: str | None
    doc: str


@dataclass(frozen=True, slots=True)
class Variable:
    """A part of a server's URL, and its only values where `enum` is not empty."""

    name: str
    enum: tuple[str, ...]
    default: str | None


@dataclass(frozen=True, slots=True)
class Server:
    """Where the API is served; `url` has no channel address, and in it the defaults of the variables."""

    name: str
    url: str
    template: str
    variables: tuple[Variable, ...]
    protocol: str
    tls: bool
    security: tuple[str, ...]
    doc: str


@dataclass(frozen=True, slots=True)
class Distribution:
    """What an installable package says of itself: its name, a version of PEP 440, and what the document tells.

    `license` is an SPDX expression, else `license_text` has the licence's name in words. `links` are pairs of what a URL is
    of and the URL. What the document leaves out is "".
    """

    name: str
    version: str
    description: str
    license: str
    license_text: str
    author: str
    email: str
    links: tuple[tuple[str, str], ...]


@dataclass(frozen=True, slots=True)
class Model:
    """A whole package. Everything stands in document order.

    `side` says for whom it is: the application that the document describes, or its peer. `decoder` is what `decode` reads:
    the only channel, or else all of them as one, which then stands in `unions` behind them. `sends` are the
    operations with action "send", `answers` those with action "receive" that have a reply.
    `calls` is how a voice call is said in it, where it is about calls; `distribution` is there with `--dist` alone.
    """

    package: str
    client: str
    title: str
    version: str
    side: Side
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
    answers: tuple[Operation, ...]
    definitions: tuple[Definition, ...]
    calls: Calls | None = None
    distribution: Distribution | None = None
