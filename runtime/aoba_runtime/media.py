"""The border between a call and its voice: what a phone asks of an engine such as aiortc, and what it is told back."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol, TypeAlias

from .signals import Candidate


@dataclass(frozen=True, slots=True)
class Connected:
    """Voice can flow both ways."""


@dataclass(frozen=True, slots=True)
class FirstAudio:
    """The first frame of the peer's voice arrived."""


@dataclass(frozen=True, slots=True)
class LocalCandidate:
    """A way to reach us, to be told to the peer; an empty one is the last."""

    candidate: Candidate


@dataclass(frozen=True, slots=True)
class Stalled:
    """Nothing has arrived from the peer for some seconds; `Resumed` or `Failed` follows."""


@dataclass(frozen=True, slots=True)
class Resumed:
    """The peer's voice arrives again."""


@dataclass(frozen=True, slots=True)
class Failed:
    """There is no voice and there will be none; `why` says it in words for a person."""

    why: str


@dataclass(frozen=True, slots=True)
class PeerClosed:
    """The peer's engine said goodbye (DTLS close_notify) before its signal did."""


MediaEvent: TypeAlias = (
    Connected | FirstAudio | LocalCandidate | Stalled | Resumed | Failed | PeerClosed
)


@dataclass(frozen=True, slots=True)
class Stats:
    """How the voice of a call is at this moment; levels are RMS in 0..1, times in seconds, `None` where not known yet."""

    sent_packets: int
    received_packets: int
    lost_packets: int
    loss: float
    jitter: float | None
    round_trip_time: float | None
    mos: float | None
    local_level: float
    remote_level: float


class MediaSession(Protocol):
    """The voice of one call. Every method but `aclose` is called at most in the order prepare, offer or answer."""

    async def prepare(self) -> None:
        """Gather candidates ahead, while it rings; may be left out."""

    async def offer(self) -> str:
        """The caller's session description; local candidates follow as events, and are in it too."""
        ...

    async def accept_answer(self, sdp: str) -> None:
        """Take the callee's session description; raises `BadMedia` when it is none we can use."""

    async def answer(self, sdp: str) -> str:
        """Take the caller's session description and give ours; raises `BadMedia` when it is none we can use."""
        ...

    async def add_candidate(self, candidate: Candidate) -> None:
        """Try a way to the peer; what is hostile or useless is dropped and counted, never an error."""

    def mute(self, muted: bool) -> None:
        """Send silence, or the source again."""

    async def stats(self) -> Stats:
        """How it goes."""
        ...

    async def aclose(self) -> None:
        """End it; nothing is left running. Safe to call twice."""


class Media(Protocol):
    """Makes the voice of each call."""

    def session(self, call_id: str, notify: Callable[[MediaEvent], None]) -> MediaSession:
        """The voice of a new call; `notify` is called on the event loop and never blocks."""
        ...


class BadMedia(Exception):
    """A session description of the peer's that cannot be used; the text says why."""
