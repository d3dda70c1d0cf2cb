"""The border between a client and the network: what is sent, what arrives, and who carries it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Protocol, TypeAlias, TypeVar, runtime_checkable

H = TypeVar("H")


@dataclass(frozen=True, slots=True)
class Outgoing:
    """An encoded message on its way out.

    `to` names the peer where the transport addresses peers (a JID over XMPP), `address` is that of the message's channel,
    its parameters filled in. `headers` are JSON values by their wire names, `None` where the message has none.
    """

    data: bytes = field(repr=False)
    to: str | None = None
    address: str | None = None
    headers: Mapping[str, object] | None = field(default=None, repr=False, hash=False)


@dataclass(frozen=True, slots=True)
class Incoming:
    """An encoded message that arrived, with what the transport vouches for.

    `sender` is stamped by the transport (the stanza's `from` over XMPP), never taken from the message itself.
    `id` is the transport's own name for this delivery (the stanza's `id`). `headers` are JSON values by their wire names,
    `None` where the transport carries none. The client adds `parameters`, those of the channel's address.
    """

    data: bytes = field(repr=False)
    sender: str | None = None
    recipient: str | None = None
    id: str | None = None
    address: str | None = None
    headers: Mapping[str, object] | None = field(default=None, repr=False, hash=False)
    parameters: Mapping[str, str] = field(default_factory=dict, hash=False)
    typed_headers: object = field(default=None, repr=False, hash=False, compare=False)

    def headers_as(self, kind: type[H]) -> H:
        """The headers as a model: `incoming.headers_as(models.LightMeasuredHeaders)`.

        Raises `TypeError` when the message that arrived has others, or the transport carries none.
        """
        if not isinstance(self.typed_headers, kind):
            raise TypeError(
                f"the headers are {type(self.typed_headers).__name__}, not {kind.__name__}"
            )
        return self.typed_headers


Receiver: TypeAlias = Callable[[Incoming], None]
"""Takes one message and returns once it is decoded and routed; raises a `Fault` to refuse it. Never blocks."""


class Transport(Protocol):
    """Carries encoded messages between two ends and acknowledges each.

    One that carries headers too has an attribute `carries_headers = True`; clients send no headers over others.
    """

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


@runtime_checkable
class Locating(Protocol):
    """What a transport may offer besides: it knows at which devices an account can be reached."""

    async def devices(self, account: str) -> tuple[str, ...]:
        """Their addresses, or the account's own where servers find them; raises `PeerUnavailable` when there is none."""
        ...


@runtime_checkable
class Telling(Protocol):
    """What a transport may offer besides: it tells of its connection (`links`)."""

    def on_event(self, listener: Callable[[object], object]) -> object:
        """Call `listener` with each event from now on."""
        ...
