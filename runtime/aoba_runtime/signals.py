"""What the parties of a call tell each other, as the call engine speaks of it: no wire names, no document.

The generated `calls.py` turns these into a document's messages and back.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum
from typing import TypeAlias


class EndReason(StrEnum):
    """Why a call ended."""

    COMPLETED = "completed"
    REJECTED = "rejected"
    TIMEOUT = "timeout"
    BUSY = "busy"
    FAILED = "failed"
    CANCELLED = "cancelled"


@dataclass(frozen=True, slots=True)
class Candidate:
    """An ICE candidate as in W3C's RTCIceCandidateInit; an empty `candidate` says that no more will come."""

    candidate: str
    sdp_mid: str | None = None
    sdp_mline_index: int | None = None
    username_fragment: str | None = None


@dataclass(frozen=True, slots=True)
class _Signal:
    """`call_id` is a UUID in text; `timestamp` counts milliseconds since the epoch and is kept by a resend."""

    call_id: str
    timestamp: int


@dataclass(frozen=True, slots=True)
class Initiate(_Signal):
    """The caller wants to talk."""

    caller_name: str | None = None


@dataclass(frozen=True, slots=True)
class Accept(_Signal):
    """The callee will talk."""


@dataclass(frozen=True, slots=True)
class Reject(_Signal):
    """The callee will not talk."""


@dataclass(frozen=True, slots=True)
class Busy(_Signal):
    """The callee talks to somebody else."""


@dataclass(frozen=True, slots=True)
class Offer(_Signal):
    """The caller's session description (RFC 8866)."""

    sdp: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class Answer(_Signal):
    """The callee's session description (RFC 8866)."""

    sdp: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class IceCandidate(_Signal):
    """A way to reach the sender."""

    candidate: Candidate = field(repr=False)


@dataclass(frozen=True, slots=True)
class Hangup(_Signal):
    """The sender ends the call; `duration` in whole seconds, only of a call that was connected."""

    reason: EndReason
    duration: int | None = None


@dataclass(frozen=True, slots=True)
class MuteChange(_Signal):
    """The sender has muted or unmuted itself."""

    muted: bool


Signal: TypeAlias = (
    Initiate | Accept | Reject | Busy | Offer | Answer | IceCandidate | Hangup | MuteChange
)
