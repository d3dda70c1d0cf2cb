"""What a phone tells of a call, in order: values to match on, each with nothing in it but news."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, NamedTuple, TypeAlias

from .call_effects import Party
from .signals import EndReason

__all__ = [
    "Accepted",
    "CallEvent",
    "Connected",
    "EndReason",
    "Ended",
    "FirstAudio",
    "Muted",
    "Party",
    "Reconnecting",
    "Resumed",
    "Ringing",
    "Stalled",
    "VoiceBack",
]


@dataclass(frozen=True, slots=True)
class Ringing:
    """A device of `peer`, whom we call, has taken the call's first signal."""

    peer: str


@dataclass(frozen=True, slots=True)
class Accepted:
    """Both want to talk; `peer` is the device that we talk with."""

    peer: str


@dataclass(frozen=True, slots=True)
class Connected:
    """Voice can flow both ways, `setup` seconds after the call began to ring or was dialed."""

    setup: float


@dataclass(frozen=True, slots=True)
class FirstAudio:
    """The first frame of the peer's voice is there, `setup` seconds after the call began."""

    setup: float


@dataclass(frozen=True, slots=True)
class Muted:
    """One end has muted or unmuted itself."""

    by: Party
    muted: bool


@dataclass(frozen=True, slots=True)
class Stalled:
    """Nothing comes from the peer for some seconds; `VoiceBack` or `Ended` follows."""


@dataclass(frozen=True, slots=True)
class VoiceBack:
    """The peer's voice comes again."""


@dataclass(frozen=True, slots=True)
class Reconnecting:
    """The connection that carries signals broke, for this `reason`; the voice goes on."""

    reason: str


@dataclass(frozen=True, slots=True)
class Resumed:
    """Signals can be sent again."""


UNTOLD: Final = {
    Party.LOCAL: "no voice came through in time",
    Party.REMOTE: "the other end says that it failed there",
}
"""Why a call has failed where nothing more is known, by the end that ended it."""


class Ended(NamedTuple):
    """The call is over: why, after how many whole seconds of talking (`None`: it was never connected), ended by whom.

    `why` says more in words for a person where something went wrong.
    """

    reason: EndReason
    duration: int | None
    by: Party
    why: str = ""


CallEvent: TypeAlias = (
    Ringing
    | Accepted
    | Connected
    | FirstAudio
    | Muted
    | Stalled
    | VoiceBack
    | Reconnecting
    | Resumed
    | Ended
)
