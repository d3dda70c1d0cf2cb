"""What a line asks of its shell, in order: signals to send, voice to set up, things to tell the user. Values, no code."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum
from typing import TypeAlias

from .signals import Candidate, EndReason, Signal


class Party(StrEnum):
    """An end of the call, as we see it."""

    LOCAL = "local"
    REMOTE = "remote"


@dataclass(frozen=True, slots=True)
class Send:
    """Send `signal` to the address `to`; those of one call in the order given.

    Tell the line what became of it: `Line.delivered` or `Line.delivery_failed`.
    """

    signal: Signal
    to: str


@dataclass(frozen=True, slots=True)
class _Of:
    call_id: str


@dataclass(frozen=True, slots=True)
class Ring(_Of):
    """Somebody calls: `peer` is the caller's device, which the transport vouches for; `caller_name` proves nothing.

    Next: `Line.accept`, `Line.reject` or `Line.busy`. Its voice may be prepared meanwhile.
    """

    peer: str
    caller_name: str | None


@dataclass(frozen=True, slots=True)
class Missed(_Of):
    """Somebody called while no more calls were allowed, and was told so; there is nothing to do."""

    peer: str
    caller_name: str | None


@dataclass(frozen=True, slots=True)
class Ringing(_Of):
    """The first device of the callee has taken our initiate."""

    peer: str


@dataclass(frozen=True, slots=True)
class Became(_Of):
    """We dialed each other at once, and the peer's call is the one that goes on: `call_id` is called `new_id` from now on.

    What the user dialed goes on under the new id, with us as callee; it is accepted already, as both wanted to talk.
    """

    new_id: str


@dataclass(frozen=True, slots=True)
class Accepted(_Of):
    """Whoever was called has accepted; `peer` is the device that we talk with. The voice is negotiated next."""

    peer: str


@dataclass(frozen=True, slots=True)
class StartOffer(_Of):
    """Make a session description. Next: `Line.offer`, or `Line.media_failed`."""


@dataclass(frozen=True, slots=True)
class ApplyOffer(_Of):
    """Take the caller's session description and make ours. Next: `Line.answer`, or `Line.media_failed`."""

    sdp: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class ApplyAnswer(_Of):
    """Take the callee's session description. Next: `Line.media_connected`, or `Line.media_failed`."""

    sdp: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class ApplyCandidate(_Of):
    """Try a way to the peer. Never comes before the peer's session description; apply the two in the order given."""

    candidate: Candidate = field(repr=False)


@dataclass(frozen=True, slots=True)
class Connected(_Of):
    """Both can talk, and the duration counts."""


@dataclass(frozen=True, slots=True)
class RemoteMuted(_Of):
    """The peer has muted or unmuted itself."""

    muted: bool


@dataclass(frozen=True, slots=True)
class Ended(_Of):
    """The call is over and its voice is to be closed; nothing more comes of it but signals that say goodbye.

    `duration` is in whole seconds, `None` unless the call was connected. `by` is the end that ended it.
    """

    reason: EndReason
    duration: int | None
    by: Party


Effect: TypeAlias = (
    Send
    | Ring
    | Missed
    | Ringing
    | Became
    | Accepted
    | StartOffer
    | ApplyOffer
    | ApplyAnswer
    | ApplyCandidate
    | Connected
    | RemoteMuted
    | Ended
)
