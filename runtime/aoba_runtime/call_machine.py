"""One call at one end: looks each event up in the table, and does what it asks for; the line finds it its events."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Final

from .call_effects import (
    Accepted,
    ApplyAnswer,
    ApplyCandidate,
    ApplyOffer,
    Became,
    Connected,
    Effect,
    Ended,
    Party,
    RemoteMuted,
    Ringing,
    Send,
    StartOffer,
)
from .call_memory import Seen, account
from .call_states import HEARD, LIMITS, START, TRANSITIONS, Cell, End, Event, Role, State, Wait
from .errors import LimitExceeded, NotAParty, UnexpectedMessage, UnknownCall
from .signals import (
    Accept,
    Answer,
    Busy,
    Candidate,
    EndReason,
    Hangup,
    IceCandidate,
    Initiate,
    MuteChange,
    Offer,
    Reject,
    Signal,
)

MAX_HELD: Final = 64
"""How many candidates wait for the session description that they belong to."""
MAX_CANDIDATES: Final = 256
"""How many candidates the peer may send in one call."""

_OUT: Final = frozenset({Event.HEARD_BUSY, Event.HEARD_HANGUP, Event.REFUSED})
"""What takes one device of the callee out while others ring; a reject is for all."""


class LocalCallError(Exception):
    """A step of ours that the call's state does not allow: a mistake in the program that uses the line.

    `event` is the step, `state` the call's, `None` for a call that the line does not have.
    """

    def __init__(self, text: str, event: Event | None = None, state: State | None = None) -> None:
        super().__init__(text)
        self.event = event
        self.state = state


class _Gate:
    """Candidates in order, held until it opens."""

    def __init__(self) -> None:
        self._held: list[Candidate] | None = []

    @property
    def is_full(self) -> bool:
        return self._held is not None and len(self._held) >= MAX_HELD

    def take(self, candidate: Candidate) -> list[Candidate]:
        """Those that may go on now; past `MAX_HELD` one is dropped."""
        if self._held is None:
            return [candidate]
        if not self.is_full:
            self._held.append(candidate)
        return []

    def open(self) -> list[Candidate]:
        """Those that were held."""
        held, self._held = self._held or [], None
        return held


class Call:
    """One call, to read: its steps are the line's.

    `id` changes once if glare is lost (`Became`). `peer` is where signals go: the address dialed, then the device that
    speaks. `rings` are the addresses that an initiate went to and that have not said no. `deadline` is when the present
    state is over at the latest. `accepted_stamp` is the timestamp of the accept that we heard.
    """

    def __init__(
        self,
        id: str,
        role: Role,
        peer: str,
        now: float,
        *,
        limits: Mapping[Wait, float],
        stamp: Callable[[], int],
        caller_name: str | None = None,
        rings: Iterable[str] = (),
    ) -> None:
        self.id = id
        self.role = role
        self.peer = peer
        self.caller_name = caller_name
        self.rings = list(dict.fromkeys(rings))
        self.muted = False
        self.remote_muted = False
        self.connected_at: float | None = None
        self.deadline: float | None = None
        self.seen = Seen()
        self.has_met_rival = False
        self.accepted_stamp = 0
        self._limits = limits
        self._stamp = stamp
        self._lost: list[str] = []
        self._is_routed = False
        self._is_reached = False
        self._is_busy_somewhere = False
        self._mute_told: MuteChange | None = None
        self._is_mute_lost = False
        self._closed_at: float | None = None
        self._ours = _Gate()
        self._theirs = _Gate()
        self._candidates_heard = 0
        self._enter(START[role], now)

    def do(self, event: Event, now: float) -> list[Effect]:
        """A step of ours that brings nothing with it, or the passing of time."""
        return self._step(event, now, lambda: _ACTIONS.get(event, _nothing)(self, now))

    def offer(self, sdp: str, now: float) -> list[Effect]:
        """Our session description goes out, and with it the candidates held."""
        return self._step(Event.OFFER, now, lambda: self._describe(Offer, sdp))

    def answer(self, sdp: str, now: float) -> list[Effect]:
        """The same for the callee."""
        return self._step(Event.ANSWER, now, lambda: self._describe(Answer, sdp))

    def candidate(self, candidate: Candidate, now: float) -> list[Effect]:
        """A way to reach us; past `MAX_HELD` those held are dropped, as the session description has them too."""
        return self._step(
            Event.CANDIDATE, now, lambda: list(map(self._trickle, self._ours.take(candidate)))
        )

    def mute(self, muted: bool, now: float) -> list[Effect]:
        """The peer learns it once voice flows."""

        def act() -> list[Effect]:
            is_news = muted != self.muted and self.connected_at is not None
            self.muted = muted
            return [self._tell_mute()] if is_news else []

        return self._step(Event.MUTE, now, act)

    def lost(self, sent: Send) -> None:
        """Nobody knows whether the peer took `sent`."""
        self._is_mute_lost |= sent.signal is self._mute_told

    def reconnected(self, now: float) -> list[Effect]:
        """The link was down and is back: the peer learns whether we are muted, if that may have been lost."""
        if not self._is_mute_lost or self._look_up(Event.MUTE) is None:
            return []
        return self._step(Event.MUTE, now, lambda: [self._tell_mute()])

    def hear(self, signal: Signal, sender: str, now: float) -> list[Effect]:
        """A signal from the peer; raises the `Fault` to answer it with, having changed nothing."""
        if account(sender) != account(self.peer):
            raise NotAParty("this call is with somebody else")
        key = (sender, signal)
        if key in self.seen:
            return []
        event = self._event(signal, sender)
        if self._look_up(event) is None:
            raise UnexpectedMessage(f"{type(signal).__name__} in a call that is {self.state}")
        reason = signal.reason if isinstance(signal, Hangup) else None
        effects = self._step(event, now, lambda: self._act(event, signal, sender), reason)
        self.seen.add(key)
        return effects

    def yield_to(self, initiate: Initiate, sender: str, now: float) -> list[Effect]:
        """Lose a glare: go on as callee of the peer's call, which is accepted; our own is withdrawn from other devices."""

        def act() -> list[Effect]:
            effects: list[Effect] = [
                self._hangup(EndReason.CANCELLED, device)
                for device in self.rings
                if device != sender
            ]
            effects.append(Became(self.id, initiate.call_id))
            self.id, self.peer, self.role = initiate.call_id, sender, Role.CALLEE
            self.caller_name = initiate.caller_name
            self.rings = []
            self.seen = Seen()
            self.seen.add((sender, initiate))
            return effects + self._accept(now)

        return self._step(Event.GLARE_LOST, now, act)

    def undeliverable(self, sent: Send, event: Event, now: float) -> list[Effect]:
        """The peer's end certainly did not take `sent`; `event` says how bad that is."""
        if isinstance(sent.signal, Initiate):
            if sent.to not in self.rings:
                return []
            event = self._of_one_device(Event.REFUSED, sent.to)
        elif sent.to != self.peer or self._look_up(event) is None:
            return []
        return self._step(event, now, lambda: self._drop(sent.to))

    def _event(self, signal: Signal, sender: str) -> Event:
        """What `signal` means to the call, when the callee may have several devices."""
        event = HEARD[type(signal)]
        if self.role is Role.CALLEE:
            return event
        if self.state is State.CALLING:
            if isinstance(signal, Hangup) and signal.reason is EndReason.REJECTED:
                event = Event.HEARD_REJECT
            return self._of_one_device(event, sender)
        if event is Event.HEARD_ACCEPT and sender != self.peer:
            return Event.SECOND_ACCEPT
        if sender in self._lost or (self._is_routed and sender != self.peer):
            raise UnknownCall("another device has taken this call")
        return event

    def _of_one_device(self, event: Event, device: str) -> Event:
        """What `event` of one device means while it rings: the call waits for the others."""
        if event not in _OUT:
            return event
        if self._left_without(device):
            return Event.DEVICE_OUT
        return Event.HEARD_BUSY if self._is_busy_somewhere else event

    def _left_without(self, device: str) -> list[str]:
        """The addresses that still ring when `device` does not.

        A device that comes back under a new address, or was rung as its account, is the only one that rings.
        """
        if device not in self.rings and len(self.rings) == 1:
            return []
        return [each for each in self.rings if each != device]

    def _drop(self, device: str) -> list[Effect]:
        self.rings = self._left_without(device)
        return []

    def _look_up(self, event: Event) -> Cell | None:
        return TRANSITIONS[self.role][self.state].get(event)

    def _step(
        self,
        event: Event,
        now: float,
        act: Callable[[], list[Effect]],
        reason: EndReason | None = None,
    ) -> list[Effect]:
        cell = self._look_up(event)
        if cell is None:
            steps = (each for each in TRANSITIONS[self.role][self.state] if each.endswith("()"))
            raise LocalCallError(
                f"{event} in a call that is {self.state}; possible are {', '.join(steps)}",
                event,
                self.state,
            )
        effects = act()
        if isinstance(cell, End):
            return effects + self._end(cell, cell.reason or reason or EndReason.FAILED, now)
        if cell is not self.state:
            self._enter(cell, now)
        return effects

    def _enter(self, state: State, now: float) -> None:
        self.state = state
        limit = LIMITS.get(state)
        self.deadline = None if limit is None else now + self._limits[limit]

    def _end(self, cell: End, reason: EndReason, now: float) -> list[Effect]:
        duration = None
        if self.connected_at is not None:
            duration = int(
                (now if self._closed_at is None else self._closed_at) - self.connected_at
            )
        effects: list[Effect] = []
        if self.rings:  # a device that says no is not told, and the others only that it is over
            told = reason if cell.by is Party.LOCAL else EndReason.CANCELLED
            effects += [self._hangup(told, device) for device in self.rings]
        elif cell.tell is Hangup:
            effects.append(self._hangup(reason, self.peer, duration))
        elif cell.tell is Reject or cell.tell is Busy:
            effects.append(Send(cell.tell(self.id, self._stamp()), self.peer))
        self._enter(State.ENDED, now)
        self._ours.open()
        self._theirs.open()
        return [*effects, Ended(self.id, reason, duration, cell.by)]

    def _act(self, event: Event, signal: Signal, sender: str) -> list[Effect]:
        """What a signal that is in order brings with it."""
        effects: list[Effect] = []
        match signal:
            case Accept() if event is Event.SECOND_ACCEPT:
                return [self._hangup(EndReason.CANCELLED, sender)]
            case Accept():
                self.accepted_stamp = signal.timestamp
                everywhere = account(sender)
                self._is_routed = sender not in self.rings and everywhere in self.rings
                self._lost = [each for each in self.rings if each not in (sender, everywhere)]
                self.rings = []
                effects += [self._hangup(EndReason.CANCELLED, device) for device in self._lost]
                effects += [Accepted(self.id, sender), StartOffer(self.id)]
            case Offer(sdp=sdp):
                effects.append(ApplyOffer(self.id, sdp))
                effects += [ApplyCandidate(self.id, each) for each in self._theirs.open()]
            case Answer(sdp=sdp):
                effects.append(ApplyAnswer(self.id, sdp))
                effects += [ApplyCandidate(self.id, each) for each in self._theirs.open()]
            case IceCandidate(candidate=candidate):
                if self._theirs.is_full or self._candidates_heard >= MAX_CANDIDATES:
                    raise LimitExceeded(f"{self._candidates_heard} candidates are enough")
                self._candidates_heard += 1
                effects += [ApplyCandidate(self.id, each) for each in self._theirs.take(candidate)]
            case MuteChange(muted=muted):
                self.remote_muted = muted
                effects.append(RemoteMuted(self.id, muted))
            case _:  # the callee's no, or a goodbye
                self._is_busy_somewhere |= isinstance(signal, Busy)
                self._drop(sender)
        if self.state is not State.CALLING or isinstance(signal, Accept):
            self.peer = sender
        return effects

    def _accept(self, now: float) -> list[Effect]:
        return [Send(Accept(self.id, self._stamp()), self.peer), Accepted(self.id, self.peer)]

    def _media_connected(self, now: float) -> list[Effect]:
        self.connected_at = now
        return [Connected(self.id), *([self._tell_mute()] if self.muted else [])]

    def _media_closed(self, now: float) -> list[Effect]:
        self._closed_at = now if self._closed_at is None else self._closed_at
        return []

    def _delivered(self, now: float) -> list[Effect]:
        if self._is_reached:
            return []
        self._is_reached = True
        return [Ringing(self.id, self.peer)]

    def _describe(self, kind: type[Offer] | type[Answer], sdp: str) -> list[Effect]:
        description = Send(kind(self.id, self._stamp(), sdp), self.peer)
        return [description, *map(self._trickle, self._ours.open())]

    def _trickle(self, candidate: Candidate) -> Effect:
        return Send(IceCandidate(self.id, self._stamp(), candidate), self.peer)

    def _tell_mute(self) -> Effect:
        self._mute_told = MuteChange(self.id, self._stamp(), self.muted)
        self._is_mute_lost = False
        return Send(self._mute_told, self.peer)

    def _hangup(self, reason: EndReason, to: str, duration: int | None = None) -> Effect:
        return Send(Hangup(self.id, self._stamp(), reason, duration), to)


def _nothing(call: Call, now: float) -> list[Effect]:
    return []


_ACTIONS: Final[Mapping[Event, Callable[[Call, float], list[Effect]]]] = {
    Event.ACCEPT: Call._accept,
    Event.MEDIA_CONNECTED: Call._media_connected,
    Event.MEDIA_CLOSED: Call._media_closed,
    Event.DELIVERED: Call._delivered,
}
