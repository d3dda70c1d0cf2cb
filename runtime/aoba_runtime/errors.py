"""Why a message was refused: one exception per fault, the same class at both ends; nothing here does I/O.

The receiving end raises a fault, its transport answers the sender with it, and the sender's `await` raises the same
class with `remote` set. Conditions and types are those of stanza errors (RFC 6120, section 8.3), which other
transports carry as they are.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final


@dataclass(frozen=True, slots=True)
class Problem:
    """One place in a message that its schema does not allow.

    `path` is the way from the root in wire names ("payload.sdpMLineIndex", "" for the root itself); `message` says
    what was expected. The offending text is left out: it may hold session descriptions and addresses.
    """

    path: str
    message: str

    def __str__(self) -> str:
        return f"{self.path or 'the message'}: {self.message}"


class Fault(Exception):
    """A message was not accepted. Catch this one for all of them.

    `condition` and `kind` are the stanza error's condition and type (RFC 6120, 8.3.2 and 8.3.3). A subclass has its
    own; they are `None` where none was given, or no answer came at all. `text` is for people; `remote` tells whether
    the peer's end found it (True) or ours (False).
    """

    condition: str | None = None
    kind: str | None = None

    def __init__(
        self,
        text: str = "",
        *,
        condition: str | None = None,
        kind: str | None = None,
        remote: bool = False,
    ) -> None:
        super().__init__(text)
        self.text = text
        self.remote = remote
        self.condition = condition or self.condition
        self.kind = kind or self.kind

    def __str__(self) -> str:
        what = ": ".join(part for part in (self.condition, self.text) if part)
        return f"{'the peer answered ' if self.remote else ''}{what or type(self).__name__}"


class BadMessage(Fault):
    """Not JSON, or not what the schema says: the sender's program is wrong.

    `problems` lists every place at the end that found them. Only the text crosses the link: a remote one has none.
    """

    condition = "bad-request"
    kind = "modify"

    def __init__(
        self,
        text: str = "",
        *,
        condition: str | None = None,
        kind: str | None = None,
        remote: bool = False,
        problems: Iterable[Problem] = (),
    ) -> None:
        super().__init__(text, condition=condition, kind=kind, remote=remote)
        self.problems = tuple(problems)


class UnsupportedMessage(Fault):
    """A type of message that the receiver does not know or does not handle: the two ends differ in version."""

    condition = "feature-not-implemented"
    kind = "cancel"


class UnknownCall(Fault):
    """The call that the message belongs to is not known, or has ended: the message came late."""

    condition = "item-not-found"
    kind = "cancel"


class UnexpectedMessage(Fault):
    """A known message at the wrong moment, such as an answer before an offer: the sender broke the protocol."""

    condition = "unexpected-request"
    kind = "wait"


class NotAParty(Fault):
    """The sender has no part in the call that the message belongs to."""

    condition = "forbidden"
    kind = "auth"


class LimitExceeded(Fault):
    """Too large, or too many."""

    condition = "resource-constraint"
    kind = "wait"


class PeerUnavailable(Fault):
    """The peer is offline or does not exist; nothing was delivered."""

    condition = "service-unavailable"
    kind = "cancel"


class AckTimeout(Fault):
    """No answer came in time; the message may or may not have arrived."""


class ReplyTimeout(Fault):
    """No reply came in time; the request was delivered, as far as the transport can tell."""


class NotCarried(Fault):
    """The transport cannot carry this: it has no headers, or the message is for another address than the connection's."""


FAULTS: dict[str, type[Fault]] = {
    fault.condition: fault
    for fault in (
        BadMessage,
        UnsupportedMessage,
        UnknownCall,
        UnexpectedMessage,
        NotAParty,
        LimitExceeded,
        PeerUnavailable,
    )
    if fault.condition is not None
}
"""The classes of the conditions that we know."""

INTERNAL_ERROR: Final = "internal-server-error"
"""The condition of a receiver that failed, or refused without a condition."""


def travelling(fault: Fault) -> tuple[str, str]:
    """The condition and kind that a transport answers the sender with, whatever `fault` has of them."""
    return fault.condition or INTERNAL_ERROR, fault.kind or "cancel"


def remote_fault(condition: str, text: str = "", kind: str | None = None) -> Fault:
    """The fault that a peer answered with; a condition that we have no class for stays in a plain `Fault`."""
    return FAULTS.get(condition, Fault)(text, condition=condition, kind=kind, remote=True)
