"""All calls of one endpoint, without I/O: signals and user's wishes in, effects out; `now` is an argument.

    line = Line("alice@localhost", clock=lambda: time.time_ns() // 1_000_000)
    call_id, effects = line.dial("bob@localhost", now, ["bob@localhost/phone"])

Every step returns effects, to be carried out in order (`call_effects`). After each step ask `deadline()` when to call
`timeout()` next. A step of ours that the call's state does not allow raises `LocalCallError`, our mistake; a signal that it
does not allow raises the `Fault` to answer the peer with, the peer's mistake. Either changes nothing. What is allowed
when is a table in `call_states`, and drawn in `docs/call.md`.

`now` is in seconds of one clock that only runs forward. Addresses are those of the transport (JIDs over XMPP).
"""

from __future__ import annotations

import math
import uuid
from collections.abc import Callable, Mapping, Sequence
from types import MappingProxyType
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
    Missed,
    Party,
    RemoteMuted,
    Ring,
    Ringing,
    Send,
    StartOffer,
)
from .call_machine import Call, LocalCallError
from .call_memory import ENDED_SECONDS, Allowance, EndedCalls, Seen, account
from .call_states import Event, Role, State, Wait
from .errors import AckTimeout, Fault, LimitExceeded, UnexpectedMessage, UnknownCall
from .signals import Accept, Answer, Busy, Candidate, Initiate, Offer, Signal

__all__ = [
    "Accepted",
    "ApplyAnswer",
    "ApplyCandidate",
    "ApplyOffer",
    "Became",
    "Call",
    "Connected",
    "Effect",
    "Ended",
    "Line",
    "LineFull",
    "LocalCallError",
    "Missed",
    "Party",
    "PeerIsCalling",
    "RemoteMuted",
    "Ring",
    "Ringing",
    "Role",
    "Send",
    "StartOffer",
    "State",
]

RING_TIME: Final = 30.0
"""Seconds that it rings, at both ends."""
CONNECT_TIME: Final = 15.0
"""Seconds that each step from the accept to the first voice may take: the offer, the answer, the connection."""
GOODBYE_TIME: Final = 3.0
"""Seconds that the hangup may come after the voice was closed."""
SKEW: Final = 5.0
"""Seconds past the ring time that an initiate may be old: one older is stale, and never rings. Clocks of the two ends may so
differ by the ring time and this, less what the signal was under way."""
MAX_ID: Final = 255
"""Characters in a call's id."""


class LineFull(LocalCallError):
    """There are as many calls as the line may have."""


class PeerIsCalling(LocalCallError):
    """Whom we want to call is calling us already: accept `call_id` instead."""

    def __init__(self, call_id: str, peer: str) -> None:
        super().__init__(f"{peer} is calling already: accept {call_id}")
        self.call_id = call_id


class Line:
    """The calls of one endpoint.

    `jid` is our address; `clock` gives milliseconds since the epoch for timestamps. Past `max_calls`, those that ring
    included, callers are told busy at once. Times are in seconds. Raises `ValueError` for a limit under which there is
    no call.
    """

    def __init__(
        self,
        jid: str,
        *,
        clock: Callable[[], int],
        max_calls: int = 1,
        ring_time: float = RING_TIME,
        connect_time: float = CONNECT_TIME,
        goodbye_time: float = GOODBYE_TIME,
        new_id: Callable[[], str] = lambda: str(uuid.uuid4()),
    ) -> None:
        if max_calls < 1:
            raise ValueError(f"max_calls {max_calls}: without any there is no call")
        for name, seconds in (("ring_time", ring_time), ("connect_time", connect_time)):
            if not 0 < seconds < math.inf:
                raise ValueError(f"{name} {seconds}: expected a number of seconds above 0")
        self.account: Final = account(jid)
        self.max_calls = max_calls
        self._limits: Final = {
            Wait.RING: ring_time,
            Wait.CONNECT: connect_time,
            Wait.GOODBYE: goodbye_time,
        }
        self._clock = clock
        self._last_stamp = 0
        self._new_id = new_id
        self._calls: dict[str, Call] = {}
        self._ended = EndedCalls(max(ENDED_SECONDS, ring_time + SKEW))
        self._allowance = Allowance()

    @property
    def calls(self) -> Mapping[str, Call]:
        """The calls that have not ended, by id: to read, never to change."""
        return MappingProxyType(self._calls)

    def dial(
        self,
        peer: str,
        now: float,
        devices: Sequence[str] = (),
        *,
        caller_name: str | None = None,
    ) -> tuple[str, list[Effect]]:
        """Call `peer`: an account, or one device of it. Returns the call's id and sends an initiate to each of `devices`.

        `devices` are the full addresses at which the account can be reached; without them the initiate goes to `peer`
        itself, for a server to route, and then devices that rang in vain learn nothing until their ring time ends. What can
        follow: `Ringing`, `Accepted`, `Became`, `Ended`.

        Raises `LineFull`, and `PeerIsCalling` when a call of that account rings here: two who dial each other want one call.
        """
        for call in self._calls.values():
            if call.state is State.RINGING and account(call.peer) == account(peer):
                raise PeerIsCalling(call.id, call.peer)
        if len(self._calls) >= self.max_calls:
            raise LineFull(f"{len(self._calls)} calls, and {self.max_calls} are allowed")
        call_id = self._new_id()
        call = self._begin(
            call_id,
            Role.CALLER,
            peer,
            now,
            caller_name=caller_name,
            rings=devices or [peer if "/" in peer else account(peer)],
        )
        initiate = Initiate(call_id, self._stamp(), caller_name)
        return call_id, [Send(initiate, each) for each in call.rings]

    def accept(self, call_id: str, now: float) -> list[Effect]:
        """Take a call that rings. `ApplyOffer` or `Ended` follows."""
        return self._do(call_id, Event.ACCEPT, now)

    def reject(self, call_id: str, now: float) -> list[Effect]:
        """Decline a call that rings, on all devices of ours."""
        return self._do(call_id, Event.REJECT, now)

    def busy(self, call_id: str, now: float) -> list[Effect]:
        """Decline a call that rings, at this device: others of ours ring on."""
        return self._do(call_id, Event.BUSY, now)

    def offer(self, call_id: str, sdp: str, now: float) -> list[Effect]:
        """Our session description after `StartOffer`; local candidates held so far follow it. `ApplyAnswer` follows."""
        return self._call(call_id, Event.OFFER).offer(sdp, now)

    def answer(self, call_id: str, sdp: str, now: float) -> list[Effect]:
        """Our session description after `ApplyOffer`; local candidates held so far follow it."""
        return self._call(call_id, Event.ANSWER).answer(sdp, now)

    def candidate(self, call_id: str, candidate: Candidate, now: float) -> list[Effect]:
        """A way to reach us, at any time: held until our session description is out. Nothing once the call has ended."""
        call = self._calls.get(call_id)
        return [] if call is None else call.candidate(candidate, now)

    def mute(self, call_id: str, muted: bool, now: float) -> list[Effect]:
        """We are muted, or not any more: told to the peer once the call is connected, and only if it changes."""
        return self._call(call_id, Event.MUTE).mute(muted, now)

    def hangup(self, call_id: str, now: float) -> list[Effect]:
        """End the call in any state, whatever it is then called: cancelled, rejected or completed."""
        return self._do(call_id, Event.HANGUP, now)

    def media_connected(self, call_id: str, now: float) -> list[Effect]:
        """Voice flows both ways. Nothing once the call has ended."""
        return self._do(call_id, Event.MEDIA_CONNECTED, now) if call_id in self._calls else []

    def media_closed(self, call_id: str, now: float) -> list[Effect]:
        """The peer closed the voice: its hangup is awaited for `goodbye_time`, then the call counts as completed.

        Before the call was connected it is as `media_failed`. Nothing once the call has ended.
        """
        return self._do(call_id, Event.MEDIA_CLOSED, now) if call_id in self._calls else []

    def media_failed(self, call_id: str, now: float) -> list[Effect]:
        """There is no voice and there will be none: the call ends failed. Nothing once it has ended."""
        return self._do(call_id, Event.MEDIA_FAILED, now) if call_id in self._calls else []

    def receive(self, signal: Signal, sender: str, now: float) -> list[Effect]:
        """Take a signal that `sender` sent, which the transport vouches for; no effects if it came before.

        Raises the `Fault` to answer with, having changed nothing: `UnknownCall` for a call that is not known, has ended
        or rang out before the initiate came; `UnexpectedMessage` in the wrong state; `NotAParty` for a stranger;
        `LimitExceeded` for too many.
        """
        call = self._calls.get(signal.call_id)
        if call is not None:
            if isinstance(signal, Initiate) and _is_rival(call, signal, sender):
                return self._glare(call, signal, sender, now)
            return self._after(call, call.hear(signal, sender, now), now)
        seen = self._ended.get(signal.call_id, now)
        if seen is not None and (sender, signal) in seen:
            return []
        if seen is not None or not isinstance(signal, Initiate):
            raise UnknownCall("no such call, or it has ended")
        return self._initiated(signal, sender, now)

    def delivered(self, sent: Send, now: float) -> list[Effect]:
        """The peer's end acknowledged `sent`. `Ringing` follows the first initiate of a call."""
        call = self._calls.get(sent.signal.call_id)
        if call is None or call.state is not State.CALLING or not isinstance(sent.signal, Initiate):
            return []
        return call.do(Event.DELIVERED, now)

    def delivery_failed(self, sent: Send, fault: Fault, now: float) -> list[Effect]:
        """`sent` was refused, or lost: what its `send` raised.

        What may have arrived (`AckTimeout`) is left to the deadlines, and a mute to `reconnected`. A call that cannot
        go on without it ends.
        """
        call = self._calls.get(sent.signal.call_id)
        if call is None:
            return []
        call.lost(sent)
        if isinstance(fault, AckTimeout):
            return []
        event = Event.UNKNOWN_THERE if isinstance(fault, UnknownCall) else Event.REFUSED
        if event is Event.REFUSED and not isinstance(
            sent.signal, Initiate | Accept | Offer | Answer
        ):
            return []
        return self._after(call, call.undeliverable(sent, event, now), now)

    def reconnected(self, now: float) -> list[Effect]:
        """The link to the peers was down and is back: what was lost meanwhile and still counts is said again."""
        return [effect for call in self._calls.values() for effect in call.reconnected(now)]

    def deadline(self) -> float | None:
        """When to call `timeout`; `None` while nothing is waited for."""
        return min(
            (call.deadline for call in self._calls.values() if call.deadline is not None),
            default=None,
        )

    def timeout(self, now: float) -> list[Effect]:
        """Do what is due at `now`: calls that rang or negotiated for too long end."""
        effects: list[Effect] = []
        for call in list(self._calls.values()):
            if call.deadline is not None and call.deadline <= now:
                effects += self._after(call, call.do(Event.DEADLINE, now), now)
        return effects

    def _initiated(self, signal: Initiate, sender: str, now: float) -> list[Effect]:
        """Somebody calls: it rings, unless it is stale, one too many, or crosses a call of ours."""
        if len(signal.call_id) > MAX_ID:
            raise LimitExceeded(f"a callId of {len(signal.call_id)} characters")
        age = (self._clock() - signal.timestamp) / 1000
        if age > self._limits[Wait.RING] + SKEW:
            raise UnknownCall(f"this call rang {age:.0f} s ago")
        if not self._allowance.take(account(sender), now):
            raise LimitExceeded("too many calls")
        rivals = [call for call in self._calls.values() if _is_rival(call, signal, sender)]
        if rivals:
            return self._glare(min(rivals, key=_openness), signal, sender, now)
        if len(self._calls) >= self.max_calls:
            self._forget(signal, sender, now)
            busy = Send(Busy(signal.call_id, self._stamp()), sender)
            return [busy, Missed(signal.call_id, sender, signal.caller_name)]
        call = self._begin(signal.call_id, Role.CALLEE, sender, now, caller_name=signal.caller_name)
        call.seen.add((sender, signal))
        return [Ring(call.id, sender, signal.caller_name)]

    def _glare(self, ours: Call, theirs: Initiate, sender: str, now: float) -> list[Effect]:
        """Both dialed: the lower id goes on, then the lower account; the same at both ends without another word."""
        if (ours.id, self.account) == (theirs.call_id, account(sender)):
            raise UnexpectedMessage("this is the address that the call comes from")
        is_over = ours.state is not State.CALLING
        if is_over or (ours.id, self.account) < (theirs.call_id, account(sender)):
            ours.has_met_rival = True
            ours.seen.add((sender, theirs))
            self._forget(theirs, sender, now)
            return []
        old = ours.id
        effects = ours.yield_to(theirs, sender, now)
        del self._calls[old]
        self._calls[ours.id] = ours
        return effects

    def _begin(
        self,
        call_id: str,
        role: Role,
        peer: str,
        now: float,
        *,
        caller_name: str | None,
        rings: Sequence[str] = (),
    ) -> Call:
        call = Call(
            call_id,
            role,
            peer,
            now,
            limits=self._limits,
            stamp=self._stamp,
            caller_name=caller_name,
            rings=rings,
        )
        self._calls[call_id] = call
        return call

    def _call(self, call_id: str, event: Event) -> Call:
        call = self._calls.get(call_id)
        if call is None:
            raise LocalCallError(f"{event} of {call_id}: no such call, or it has ended", event)
        return call

    def _do(self, call_id: str, event: Event, now: float) -> list[Effect]:
        call = self._call(call_id, event)
        return self._after(call, call.do(event, now), now)

    def _after(self, call: Call, effects: list[Effect], now: float) -> list[Effect]:
        """Forget the call if the step has ended it."""
        if call.state is State.ENDED:
            del self._calls[call.id]
            self._ended.add(call.id, call.seen, now)
        return effects

    def _forget(self, initiate: Initiate, sender: str, now: float) -> None:
        """Remember a call that never rang as ended."""
        seen = Seen()
        seen.add((sender, initiate))
        self._ended.add(initiate.call_id, seen, now)

    def _stamp(self) -> int:
        """A timestamp later than all before: two signals of the same content are still two."""
        self._last_stamp = max(self._clock(), self._last_stamp + 1)
        return self._last_stamp


def _is_rival(call: Call, initiate: Initiate, sender: str) -> bool:
    """Whether `initiate` crosses `call`, which went to its sender too and met no other.

    If it was overtaken by the sender's accept of `call`, that accept is younger.
    """
    if call.has_met_rival:
        return False
    if call.state is not State.CALLING:
        return call.peer == sender and initiate.timestamp < call.accepted_stamp
    return sender in call.rings or account(sender) in call.rings


def _openness(call: Call) -> tuple[bool, str]:
    """Of several crossed calls, one that was accepted is meant first, then the lowest id."""
    return call.state is State.CALLING, call.id
