"""The rules of a call as a table: in which state what may happen, and what comes of it. Nothing here runs.

A call has a role, a state, and between steps nothing else that decides what is allowed. `TRANSITIONS[role][state][event]`
is the next state, or how the call ends; an event that has no entry is refused, and then nothing changes. `docs/call.md` is
drawn from this table.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from types import MappingProxyType
from typing import Final, TypeAlias

from .call_effects import Party
from .signals import (
    Accept,
    Answer,
    Busy,
    EndReason,
    Hangup,
    IceCandidate,
    Initiate,
    MuteChange,
    Offer,
    Reject,
    Signal,
)


class Role(StrEnum):
    """Which end of a call we are."""

    CALLER = "caller"
    CALLEE = "callee"


class State(StrEnum):
    """Where a call stands at our end."""

    CALLING = "calling"
    """Caller: the initiate is out; nobody has accepted."""
    OFFERING = "offering"
    """Caller: accepted; our session description is being made."""
    OFFERED = "offered"
    """Caller: our session description is out; the answer is not there."""
    RINGING = "ringing"
    """Callee: the user has not decided."""
    ACCEPTED = "accepted"
    """Callee: accepted; the offer is not there."""
    ANSWERING = "answering"
    """Callee: the offer is there; our session description is being made."""
    CONNECTING = "connecting"
    """Both session descriptions are known; voice does not flow."""
    CONNECTED = "connected"
    """Voice flows."""
    CLOSING = "closing"
    """The peer has left a connected call; the hangup that says why is awaited for a moment."""
    ABANDONED = "abandoned"
    """The same before it was connected: the peer knows no such call."""
    ENDED = "ended"


class Event(StrEnum):
    """What can happen to a call; the text is the label in the diagrams."""

    ACCEPT = "accept()"
    REJECT = "reject()"
    BUSY = "busy()"
    OFFER = "offer()"
    ANSWER = "answer()"
    CANDIDATE = "candidate()"
    MUTE = "mute()"
    HANGUP = "hangup()"
    MEDIA_CONNECTED = "media_connected()"
    MEDIA_CLOSED = "media_closed()"
    MEDIA_FAILED = "media_failed()"
    HEARD_INITIATE = "receive initiate"
    HEARD_ACCEPT = "receive accept"
    HEARD_REJECT = "receive reject"
    HEARD_BUSY = "receive busy"
    HEARD_OFFER = "receive offer"
    HEARD_ANSWER = "receive answer"
    HEARD_CANDIDATE = "receive candidate"
    HEARD_HANGUP = "receive hangup"
    HEARD_MUTE = "receive mute"
    GLARE_LOST = "glare lost"
    """The peer dialed us too, and its call goes on."""
    DEVICE_OUT = "one of several devices is out"
    """It is busy, has hung up or cannot be reached, and others still ring."""
    SECOND_ACCEPT = "another device accepts"
    DELIVERED = "initiate delivered"
    REFUSED = "signal refused"
    """The peer refused what the call needs, or cannot be reached."""
    UNKNOWN_THERE = "peer knows no such call"
    """It has ended the call, and its hangup may be under way still."""
    DEADLINE = "deadline"


HEARD: Final[Mapping[type[Signal], Event]] = MappingProxyType(
    {
        Initiate: Event.HEARD_INITIATE,
        Accept: Event.HEARD_ACCEPT,
        Reject: Event.HEARD_REJECT,
        Busy: Event.HEARD_BUSY,
        Offer: Event.HEARD_OFFER,
        Answer: Event.HEARD_ANSWER,
        IceCandidate: Event.HEARD_CANDIDATE,
        Hangup: Event.HEARD_HANGUP,
        MuteChange: Event.HEARD_MUTE,
    }
)
"""The event that a signal from the peer is."""


@dataclass(frozen=True, slots=True)
class End:
    """How a call ends: why (`None`: as the peer's hangup says), by whom, and what the peer is told."""

    reason: EndReason | None
    by: Party
    tell: type[Hangup] | type[Reject] | type[Busy] | None = None


Cell: TypeAlias = State | End
Rows: TypeAlias = Mapping[State, Mapping[Event, Cell]]

_CANCELLED: Final = End(EndReason.CANCELLED, Party.LOCAL, Hangup)
_COMPLETED: Final = End(EndReason.COMPLETED, Party.LOCAL, Hangup)
_FAILED: Final = End(EndReason.FAILED, Party.LOCAL, Hangup)
_REJECTED: Final = End(EndReason.REJECTED, Party.LOCAL, Reject)
_TOLD: Final = End(None, Party.REMOTE)
_UNWANTED: Final = End(EndReason.FAILED, Party.REMOTE, Hangup)
_UNREACHED: Final = End(EndReason.FAILED, Party.REMOTE)


def _stay(state: State, *events: Event) -> dict[Event, Cell]:
    return dict.fromkeys(events, state)


_ONGOING: Final[dict[Event, Cell]] = {
    Event.HEARD_HANGUP: _TOLD,
    Event.MEDIA_FAILED: _FAILED,
}
"""Once both have agreed to talk."""
_NEGOTIATING: Final[dict[Event, Cell]] = {
    **_ONGOING,
    Event.HANGUP: _CANCELLED,
    Event.MEDIA_CLOSED: _FAILED,
    Event.REFUSED: _UNWANTED,
    Event.DEADLINE: _FAILED,
}
_WHILE_TALKING: Final = (Event.CANDIDATE, Event.MUTE, Event.HEARD_CANDIDATE, Event.HEARD_MUTE)

_PEER_LEFT: Final = (Event.MEDIA_CLOSED, Event.MEDIA_FAILED, Event.UNKNOWN_THERE)

_TALK: Final[dict[State, dict[Event, Cell]]] = {
    State.CONNECTING: {
        Event.MEDIA_CONNECTED: State.CONNECTED,
        Event.UNKNOWN_THERE: State.ABANDONED,
        **_NEGOTIATING,
        **_stay(State.CONNECTING, *_WHILE_TALKING),
    },
    State.CONNECTED: {
        Event.HANGUP: _COMPLETED,
        Event.MEDIA_CLOSED: State.CLOSING,
        Event.UNKNOWN_THERE: State.CLOSING,
        **_ONGOING,
        **_stay(State.CONNECTED, *_WHILE_TALKING),
    },
    State.CLOSING: {
        Event.HEARD_HANGUP: _TOLD,
        Event.HANGUP: _COMPLETED,
        Event.DEADLINE: End(EndReason.COMPLETED, Party.REMOTE, Hangup),
        **_stay(State.CLOSING, *_PEER_LEFT, *_WHILE_TALKING),
    },
    State.ABANDONED: {
        Event.MEDIA_CONNECTED: State.CLOSING,
        Event.HEARD_HANGUP: _TOLD,
        Event.HANGUP: End(EndReason.CANCELLED, Party.LOCAL),
        Event.DEADLINE: End(EndReason.CANCELLED, Party.REMOTE),
        **_stay(State.ABANDONED, *_PEER_LEFT, *_WHILE_TALKING),
    },
    State.ENDED: {},
}

_CALLER: Final[Rows] = {
    State.CALLING: {
        Event.DELIVERED: State.CALLING,
        Event.HEARD_ACCEPT: State.OFFERING,
        Event.GLARE_LOST: State.ACCEPTED,
        Event.DEVICE_OUT: State.CALLING,
        Event.HANGUP: _CANCELLED,
        Event.DEADLINE: End(EndReason.TIMEOUT, Party.LOCAL, Hangup),
        Event.HEARD_REJECT: End(EndReason.REJECTED, Party.REMOTE),
        Event.HEARD_BUSY: End(EndReason.BUSY, Party.REMOTE),
        Event.HEARD_HANGUP: _TOLD,
        Event.MEDIA_FAILED: _FAILED,
        Event.MEDIA_CLOSED: _FAILED,
        Event.REFUSED: _UNREACHED,
        **_stay(State.CALLING, Event.CANDIDATE, Event.MUTE),
    },
    State.OFFERING: {
        Event.OFFER: State.OFFERED,
        **_NEGOTIATING,
        **_stay(State.OFFERING, Event.SECOND_ACCEPT, *_WHILE_TALKING),
    },
    State.OFFERED: {
        Event.HEARD_ANSWER: State.CONNECTING,
        Event.UNKNOWN_THERE: State.ABANDONED,
        **_NEGOTIATING,
        **_stay(State.OFFERED, Event.SECOND_ACCEPT, *_WHILE_TALKING),
    },
    **{
        state: {**cells, **_stay(state, *([Event.SECOND_ACCEPT] if cells else ()))}
        for state, cells in _TALK.items()
    },
}

_CALLEE: Final[Rows] = {
    State.RINGING: {
        Event.ACCEPT: State.ACCEPTED,
        Event.REJECT: _REJECTED,
        Event.HANGUP: _REJECTED,
        Event.BUSY: End(EndReason.BUSY, Party.LOCAL, Busy),
        Event.DEADLINE: End(EndReason.TIMEOUT, Party.LOCAL),
        Event.HEARD_HANGUP: _TOLD,
        Event.MEDIA_FAILED: _FAILED,
        Event.MEDIA_CLOSED: _FAILED,
        **_stay(State.RINGING, Event.CANDIDATE, Event.MUTE, Event.HEARD_CANDIDATE),
    },
    State.ACCEPTED: {
        Event.HEARD_OFFER: State.ANSWERING,
        Event.UNKNOWN_THERE: State.ABANDONED,
        **_NEGOTIATING,
        **_stay(State.ACCEPTED, *_WHILE_TALKING),
    },
    State.ANSWERING: {
        Event.ANSWER: State.CONNECTING,
        **_NEGOTIATING,
        **_stay(State.ANSWERING, *_WHILE_TALKING),
    },
    **_TALK,
}

TRANSITIONS: Final[Mapping[Role, Rows]] = MappingProxyType(
    {Role.CALLER: _CALLER, Role.CALLEE: _CALLEE}
)
START: Final[Mapping[Role, State]] = MappingProxyType(
    {Role.CALLER: State.CALLING, Role.CALLEE: State.RINGING}
)
"""Where a call begins."""


class Wait(StrEnum):
    """The time limits that a state can have."""

    RING = "ring time"
    CONNECT = "connect time"
    GOODBYE = "goodbye time"


LIMITS: Final[Mapping[State, Wait]] = MappingProxyType(
    {
        State.CALLING: Wait.RING,
        State.RINGING: Wait.RING,
        State.OFFERING: Wait.CONNECT,
        State.OFFERED: Wait.CONNECT,
        State.ACCEPTED: Wait.CONNECT,
        State.ANSWERING: Wait.CONNECT,
        State.CONNECTING: Wait.CONNECT,
        State.CLOSING: Wait.GOODBYE,
        State.ABANDONED: Wait.GOODBYE,
    }
)
"""The limit that begins when a state is entered; a connected call has none."""
