"""What a document offers, as values: operations and servers."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

from .codec import type_name
from .message import Message


@dataclass(frozen=True, eq=False)
class Operation:
    """What the client does on a channel: `action` is its own side ("send": the client sends).

    `method` names the client's method (send) or hook (receive).
    """

    name: str
    action: Literal["send", "receive"]
    channel: str
    address: str | None
    messages: tuple[Message[Any], ...]
    method: str
    reply: tuple[Message[Any], ...] | None = None

    def message_for(self, value: object) -> Message[Any]:
        """The message whose payload `value` is: that of its own class before those of its bases.

        Raises `TypeError` when it is the payload of none.
        """
        takers = [message for message in self.messages if message.takes(value)]
        if not takers:
            expected = " or ".join(type_name(message.payload) for message in self.messages)
            raise TypeError(f"{self.method}() takes {expected}, not {type(value).__name__}")
        bases = type(value).__mro__
        return min(
            takers,
            key=lambda message: (
                bases.index(message.payload) if message.payload in bases else len(bases)
            ),
        )


@dataclass(frozen=True, slots=True)
class Server:
    """Where the API is served: `url` without the channel's address, `security` the names of its schemes."""

    url: str
    protocol: str
    tls: bool
    security: tuple[str, ...] = ()
