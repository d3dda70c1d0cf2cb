"""Two endpoints in one process that carry bytes to each other, and misbehave on demand: for tests and trying out."""

from __future__ import annotations

import asyncio
import itertools
import json
from collections import deque
from collections.abc import Iterable
from dataclasses import dataclass
from types import TracebackType
from typing import Self

from .errors import (
    INTERNAL_ERROR,
    AckTimeout,
    Fault,
    PeerUnavailable,
    remote_fault,
    travelling,
)
from .transport import Incoming, Outgoing, Receiver


@dataclass(frozen=True, slots=True)
class _Delivery:
    incoming: Incoming
    acknowledged: asyncio.Future[None]


def pair(
    first: str = "alice@localhost/1", second: str = "bob@localhost/1", *, ack_timeout: float = 10.0
) -> tuple[Endpoint, Endpoint]:
    """Two endpoints joined by a link, named `first` and `second`; `ack_timeout` is in seconds.

    Every message crosses as bytes, with its headers and address, is acknowledged, and arrives in the order sent, until told otherwise.
    """
    one, two = Endpoint(first, ack_timeout), Endpoint(second, ack_timeout)
    one.join(two)
    return one, two


class Endpoint:
    """One end of a loopback link: a `Transport`, and the switches for what its outgoing direction shall do wrong.

    `delay` is in seconds and holds for every message sent from then on; `drop`, `duplicate` and `reorder` concern the
    next ones only.
    """

    carries_headers = True

    def __init__(self, name: str, ack_timeout: float = 10.0) -> None:
        self.name = name
        self.ack_timeout = ack_timeout
        self.delay = 0.0
        self._peer: Endpoint = self
        self._receiver: Receiver | None = None
        self._closed = False
        self._ids = itertools.count(1)
        self._drops = 0
        self._duplicates = 0
        self._hold = 0
        self._held: list[_Delivery] = []
        self._wire: deque[_Delivery] = deque()
        self._due = 0.0
        self._waiting: set[asyncio.Future[None]] = set()

    def join(self, peer: Endpoint) -> None:
        """Make this end and `peer` the two ends of one link; `pair` does so."""
        self._peer, peer._peer = peer, self

    def drop(self, count: int = 1) -> None:
        """Lose the next `count` messages: their sends end with `AckTimeout`."""
        self._drops += count

    def duplicate(self, count: int = 1) -> None:
        """Deliver each of the next `count` messages twice, under one id."""
        self._duplicates += count

    def reorder(self, count: int = 2) -> None:
        """Hold the next `count` messages back and deliver them last first once all are there."""
        self._hold += count

    def attach(self, receiver: Receiver) -> None:
        """Give every message that arrives to `receiver`; `RuntimeError` when there is one already."""
        if self._receiver is not None:
            raise RuntimeError(f"{self.name} has a receiver already")
        self._receiver = receiver

    def detach(self, receiver: Receiver) -> None:
        """Stop giving messages to `receiver`."""
        if self._receiver == receiver:
            self._receiver = None

    async def send(self, message: Outgoing) -> None:
        """Deliver to the peer and return when it has acknowledged; raises as `Transport.send` does."""
        if self._closed:
            raise PeerUnavailable(f"{self.name} is closed")
        if message.to not in (None, self._peer.name, self._peer.name.partition("/")[0]):
            raise PeerUnavailable(f"{message.to} is not on this link", remote=True)
        incoming = Incoming(
            bytes(message.data),
            self.name,
            self._peer.name,
            str(next(self._ids)),
            message.address,
            json.loads(json.dumps(dict(message.headers or {}))),
        )
        acknowledged: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiting.add(acknowledged)
        try:
            self._transmit(_Delivery(incoming, acknowledged))
            async with asyncio.timeout(self.ack_timeout):
                await acknowledged
        except TimeoutError:
            raise AckTimeout(
                f"no answer from {self._peer.name} within {self.ack_timeout:g} s"
            ) from None
        finally:
            self._waiting.discard(acknowledged)
            acknowledged.cancel()

    async def aclose(self) -> None:
        """Close this end: sends that wait fail with `PeerUnavailable`, and so does what the peer sends from now on."""
        self._closed = True
        for waiting in self._waiting:
            if not waiting.done():
                waiting.set_exception(PeerUnavailable(f"{self.name} was closed"))

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        await self.aclose()

    def _transmit(self, delivery: _Delivery) -> None:
        if self._drops:
            self._drops -= 1
            return
        copies = 1
        if self._duplicates:
            self._duplicates -= 1
            copies = 2
        if not self._hold:
            self._enqueue([delivery] * copies)
            return
        self._held += [delivery] * copies
        self._hold -= 1
        if not self._hold:
            self._enqueue(reversed(self._held))
            self._held = []

    def _enqueue(self, deliveries: Iterable[_Delivery]) -> None:
        loop = asyncio.get_running_loop()
        for delivery in deliveries:
            self._due = max(self._due, loop.time() + self.delay)
            self._wire.append(delivery)
            loop.call_at(self._due, self._arrive)

    def _arrive(self) -> None:
        # Timers of one moment fire in any order; the queue is what keeps the messages in theirs.
        delivery = self._wire.popleft()
        fault = self._peer._take(delivery.incoming)
        if delivery.acknowledged.done():
            return
        if fault is None:
            delivery.acknowledged.set_result(None)
        else:
            delivery.acknowledged.set_exception(fault)

    def _take(self, incoming: Incoming) -> Fault | None:
        if self._closed or self._receiver is None:
            return PeerUnavailable(f"nobody listens at {self.name}", remote=True)
        try:
            self._receiver(incoming)
        except Fault as fault:
            condition, kind = travelling(fault)
            return remote_fault(condition, fault.text, kind)
        except Exception as error:
            asyncio.get_running_loop().call_exception_handler(
                {"message": f"the receiver at {self.name} failed", "exception": error}
            )
            return remote_fault(INTERNAL_ERROR, f"the receiver at {self.name} failed", "cancel")
        return None
