"""What a document offers, as values: operations and servers."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, Generic, Literal, TypeVar

from .addresses import Address, Parameter
from .codec import type_name
from .message import Channel, Message

R = TypeVar("R")


@dataclass(frozen=True, eq=False)
class Operation(Generic[R]):
    """What the client does on a channel: `action` is its own side ("send": the client sends). `R` is the reply's payload.

    `method` names the client's method (send) or hook (receive). `address` is the channel's, with `parameters` in it, and
    `None` where the document leaves it to the sender. Where there is a `reply`, it is one of these messages and comes
    on `reply_channel`, at the address that the runtime expression `reply_address` finds in the request. `security`
    names the security schemes of the document of which one has to be satisfied, beside those of the server.
    """

    name: str
    action: Literal["send", "receive"]
    channel: str
    address: str | None
    messages: tuple[Message[Any], ...]
    method: str
    reply: tuple[Message[Any], ...] | None = None
    reply_channel: Channel[Any] | None = None
    reply_address: str | None = None
    parameters: Sequence[Parameter] = ()
    security: tuple[str, ...] = ()

    def message_for(self, value: object) -> Message[Any]:
        """The message whose payload `value` is: that of its own class before those of its bases.

        Raises `TypeError` when it is the payload of none.
        """
        return message_for(value, self.messages, f"{self.method}() takes")

    def address_with(self, parameters: Mapping[str, object]) -> str | None:
        """The address with `parameters`; raises `TypeError` or `ValueError`, which name the parameter."""
        return self._address.fill(parameters) if self._address else None

    def is_at(self, address: str | None) -> bool:
        """Whether a message that came on `address` may belong to this operation."""
        if address is None or self._address is None:
            return True
        return self._address.match(address) is not None

    @cached_property
    def _address(self) -> Address | None:
        return None if self.address is None else Address(self.address, self.parameters)


def answered(
    operations: Sequence[Operation[Any]], value: object
) -> tuple[Operation[Any], Message[Any]]:
    """The one of `operations` that `value` answers, and the message of that reply.

    Raises `TypeError` when it answers none.
    """
    names = " or ".join(operation.name for operation in operations)
    replies = tuple(reply for operation in operations for reply in operation.reply or ())
    found = message_for(value, replies, f"a handler of {names} returns")
    return next(made for made in operations if found in (made.reply or ())), found


def message_for(value: object, messages: tuple[Message[Any], ...], said: str) -> Message[Any]:
    """The one of `messages` whose payload `value` is; `said` begins the text of the `TypeError`."""
    takers = [message for message in messages if message.takes(value)]
    if not takers:
        expected = " or ".join(type_name(message.payload) for message in messages)
        raise TypeError(f"{said} {expected}, not {type(value).__name__}")
    bases = type(value).__mro__
    return min(
        takers,
        key=lambda message: (
            bases.index(message.payload) if message.payload in bases else len(bases)
        ),
    )


@dataclass(frozen=True, slots=True)
class Variable:
    """A part of a server's URL; `enum` are its only values where it is not empty."""

    default: str | None = None
    enum: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Server:
    """Where the API is served: `url` without the channel's address, `security` the names of its schemes.

    In `url` stand the defaults of the `variables`; one without a default stays as it is in the `template`: "{port}".
    """

    url: str
    protocol: str
    tls: bool
    security: tuple[str, ...] = ()
    template: str = ""
    variables: Mapping[str, Variable] = field(default_factory=dict)

    def url_with(self, **values: str) -> str:
        """The URL with `values` for its variables, the default for one that is not among them.

        Raises `ValueError` for a variable that the server does not have, for one that has no value, and for a value
        that is not among those allowed.
        """
        if unknown := values.keys() - self.variables.keys():
            raise ValueError(f"this server has no variable {', '.join(sorted(unknown))}")
        url = self.template or self.url
        for name, variable in self.variables.items():
            value = values.get(name, variable.default)
            if value is None:
                raise ValueError(f"variable {name!r} has no default; give it a value")
            if variable.enum and value not in variable.enum:
                raise ValueError(
                    f"variable {name!r} is one of {', '.join(variable.enum)}, not {value!r}"
                )
            url = url.replace(f"{{{name}}}", value)
        return url
