"""The border between a client and the network: what is sent, what arrives, and who carries it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Protocol, TypeAlias


@dataclass(frozen=True, slots=True)
class Outgoing:
    """An encoded message on its way out.

    `to` names the peer where the transport addresses peers (a JID over XMPP), `address` the channel that the document
    gives the message.
    """

    data: bytes = field(repr=False)
    to: str | None = None
    address: str | None = None


@dataclass(frozen=True, slots=True)
class Incoming:
    """An encoded message that arrived, with what the transport vouches for.

    `sender` is stamped by the transport (the stanza's `from` over XMPP), never taken from the message itself.
    `id` is the transport's own name for this delivery (the stanza's `id`).
    """

    data: bytes = field(repr=False)
    sender: str | None = None
    recipient: str | None = None
    id: str | None = None
    address: str | None = None


Receiver: TypeAlias = Callable[[Incoming], None]
"""Takes one message and returns once it is decoded and routed; raises a `Fault` to refuse it. Never blocks."""


class Transport(Protocol):
    """Carries encoded messages between two ends and acknowledges each."""

    async def send(self, message: Outgoing) -> None:
        """Hand one message to the peer; return when the peer's end has acknowledged it.

        Raises the `Fault` that the peer answered with, `PeerUnavailable` when there is nobody, `AckTimeout` when no
        answer came in time.
        """

    def attach(self, receiver: Receiver) -> None:
        """Give every message that arrives to `receiver`, in the order sent; acknowledge what it accepts.

        A transport has one receiver; a second call is a `RuntimeError`.
        """

    def detach(self, receiver: Receiver) -> None:
        """Stop giving messages to `receiver`; what arrives later is answered `PeerUnavailable`."""
