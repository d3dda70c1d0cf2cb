"""A bound resource of the development server: its queue and its counters (XEP-0198), with or without a connection."""

from __future__ import annotations

import secrets
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Final, Protocol
from xml.etree.ElementTree import Element

from .devserver_xml import CLIENT, Jid

_COUNTER: Final = 2**32


@dataclass(frozen=True, slots=True)
class Limits:
    """What a client may take. Sizes are in bytes, times in seconds; generous, because tests are busy."""

    stanza: int = 262_144
    """A frame; a longer one ends the stream with `policy-violation`."""
    early_stanza: int = 10_000
    """A frame before the client has authenticated."""
    sessions: int = 5_000
    """Connections, and bound resources; past it 503 at the upgrade, or `resource-constraint` at bind."""
    queue: int = 1_000
    """Stanzas that wait for one client; past it requests and messages are answered `resource-constraint`."""
    rate: float = 5_000.0
    """Stanzas a second from one client, twice that at once; past it the server reads slower and drops nothing."""
    hibernation: float = 60.0
    """How long a session that lost its connection can be resumed."""
    login: float = 10.0
    """From the upgrade to a bound resource."""
    stall: float = 15.0
    """How long a client may leave a frame unread until its connection is cut."""


class Link(Protocol):
    """The connection that a session has at the moment."""

    def push(self, stanza: Element) -> None:
        """Write a stanza after all that was pushed before; never blocks."""

    def end(self, condition: str) -> None:
        """Let go of the session and end the stream with a stream error."""


class TooManyUnread(Exception):
    """A client's queue is full."""


class AckTooHigh(Exception):
    """A client acknowledged more stanzas than the `sent` it was sent (XEP-0198, section 4)."""

    def __init__(self, sent: int) -> None:
        super().__init__(sent)
        self.sent = sent


@dataclass(eq=False)
class Session:
    """A bound resource, which may outlive its connection (XEP-0198).

    Without stream management `unsent` holds what is not yet written; with it, `unacked` what the client has not
    acknowledged. `received` counts the client's stanzas since stream management is on, modulo 2**32.
    """

    jid: Jid
    limit: int
    link: Link | None
    presence: Element | None = None
    managed: bool = False
    resume_id: str | None = None
    received: int = 0
    acked: int = 0
    unsent: deque[Element] = field(default_factory=deque)
    unacked: deque[Element] = field(default_factory=deque)
    ended: bool = False
    _forget: Callable[[], None] | None = None

    def deliver(self, stanza: Element) -> None:
        """Queue and push a stanza; `TooManyUnread` when the queue is full."""
        if len(self.unsent) + len(self.unacked) >= self.limit:
            raise TooManyUnread
        if self.managed:
            self.unacked.append(stanza)
        elif self.link is not None:
            self.unsent.append(stanza)
        if self.link is not None:
            self.link.push(stanza)

    def manage(self, resumable: bool) -> None:
        """Turn stream management on: what is delivered from now on is kept until it is acknowledged."""
        self.managed = True
        self.resume_id = secrets.token_urlsafe(16) if resumable else None
        self.received = 0

    def hibernate(self, forget: Callable[[], None]) -> None:
        """The connection is gone; `forget` stops the clock that will end the session."""
        self.link = None
        self._forget = forget

    def wake(self, link: Link | None) -> None:
        """A new connection takes the session over, or, with `None`, nobody ever will."""
        self.link = link
        self.unsent.clear()  # a client that knows the session's id has read what came before it
        if self._forget is not None:
            self._forget()
            self._forget = None

    def acknowledge(self, handled: int) -> None:
        """Forget what the client handled, `handled` being its count modulo 2**32; raises `AckTooHigh`."""
        count = (handled - self.acked) % _COUNTER
        if count > len(self.unacked):
            raise AckTooHigh((self.acked + len(self.unacked)) % _COUNTER)
        for _ in range(count):
            self.unacked.popleft()
        self.acked = handled

    def count(self) -> None:
        """Note that a stanza of the client's was handled."""
        self.received = (self.received + 1) % _COUNTER

    @property
    def priority(self) -> int | None:
        """The priority of the session's presence, `None` while it is not available (RFC 6121, section 4.7.2.3)."""
        if self.presence is None:
            return None
        try:
            return int(self.presence.findtext(f"{{{CLIENT}}}priority") or 0)
        except ValueError:
            return 0
