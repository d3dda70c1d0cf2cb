"""The asyncio shell of calls: many calls, one transport, one timer, every signal out through one place.

    async with Phone(client, media) as phone:
        call = await phone.dial("bob@localhost")
        reason, duration, by, why = await call.ended

        async for call in phone:      # those who call us
            call.accept()

What is allowed when is the engine's matter (`call.Line`); how voice gets through is the media's (`media.Media`).
"""

from __future__ import annotations

import asyncio
import time
from collections import deque
from collections.abc import AsyncIterator, Callable, Iterable
from types import TracebackType
from typing import Final, Self

from . import call as engine
from . import links, media, phone_events
from .call import CONNECT_TIME, RING_TIME, Line, LineFull, LocalCallError, PeerIsCalling, State
from .call_states import Role
from .client import Client
from .errors import Fault, PeerUnavailable
from .phone_call import CallEnded, VoiceCall
from .phone_client import NoCalls, plug_of, take
from .phone_events import Ended
from .phone_outbox import Outbox
from .phone_tasks import Tasks
from .phone_voice import VoiceWork
from .plug import together
from .signals import EndReason, Initiate, Signal
from .transport import Incoming, Locating, Telling

__all__ = [
    "CallEnded",
    "Ended",
    "LineFull",
    "LocalCallError",
    "Missed",
    "NoCalls",
    "Phone",
    "VoiceCall",
]

GOODBYE: Final = 3.0
"""Seconds that a phone which closes waits for its hangups to be acknowledged."""

Missed = engine.Missed


class Phone:
    """Places and takes the calls of one generated client over its transport.

    `media` makes their voice (`rtc.RtcMedia`, or the silent `fake_media.FakeMedia`). Past `max_calls`, those that ring
    included, callers are told busy at once. `caller_name` is shown to those we call. Times are in seconds; `jid` is our
    own address where the transport does not say it.

    Leaving `async with` hangs up all calls, and leaves client and transport to their owners. Raises `NoCalls` when the
    client's document has none, `ValueError` for limits under which there is no call.
    """

    def __init__(
        self,
        client: Client,
        media: media.Media,
        *,
        max_calls: int = 1,
        caller_name: str | None = None,
        jid: str | None = None,
        ring_time: float = RING_TIME,
        connect_time: float = CONNECT_TIME,
    ) -> None:
        self._plug = plug_of(client)
        self._client = client
        self._transport: object = client._transport
        self._media = media
        self._caller_name = caller_name
        name = jid or getattr(self._transport, "jid", "") or getattr(self._transport, "name", "")
        self._line: Final = Line(
            str(name),
            clock=lambda: time.time_ns() // 1_000_000,
            max_calls=max_calls,
            ring_time=ring_time,
            connect_time=connect_time,
        )
        self._calls: dict[str, VoiceCall] = {}
        self._effects: deque[engine.Effect] = deque()
        self._is_acting = False
        useful = max(connect_time, CONNECT_TIME)
        self._outbox = Outbox(self._plug, self._settled, ring_time=ring_time, connect_time=useful)
        self._tasks = Tasks()
        self._closing = Tasks()
        self._work: dict[VoiceCall, asyncio.Task[None]] = {}
        self._timer: asyncio.TimerHandle | None = None
        self._end_listening: Callable[[], None] | None = None
        self._is_closed = False
        self._is_down = False
        self._waiting: deque[VoiceCall] = deque()
        self._has_waiting = asyncio.Event()
        self._on_incoming: list[Callable[[VoiceCall], object]] = []
        self._on_missed: list[Callable[[engine.Missed], object]] = []
        self._on_link: list[Callable[[object], object]] = []

    @property
    def calls(self) -> tuple[VoiceCall, ...]:
        """The calls that have not ended."""
        return tuple(self._calls.values())

    async def __aenter__(self) -> Self:
        if self._end_listening is not None or self._is_closed:
            raise RuntimeError("a phone is entered once; make another one")
        self._end_listening = together(take(self._client), self._plug.listen(self._hear))
        if isinstance(self._transport, Telling):
            self._transport.on_event(self._link_event)
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        await self.aclose()

    async def aclose(self) -> None:
        """Hang up everything, wait 3 s at most until the peers know, and leave nothing running."""
        if self._is_closed:
            return
        self._is_closed = True
        for call in self.calls:
            self._hangup(call)
        try:
            await self._outbox.aclose(GOODBYE)
            await self._tasks.aclose()
            await self._closing.settle(2 * GOODBYE)
            await self._closing.aclose()
        finally:
            if self._end_listening is not None:
                self._end_listening()
            if self._timer is not None:
                self._timer.cancel()
            self._has_waiting.set()

    async def dial(self, peer: str) -> VoiceCall:
        """Call `peer`, an account or one device of it. The call rings by itself; whatever goes wrong ends it.

        Who is calling us at this moment is answered instead: both want to talk. Raises `LineFull` when there are as
        many calls as there may be.
        """
        self._check_open()
        devices: tuple[str, ...] = ()
        if isinstance(self._transport, Locating):
            try:
                devices = await self._transport.devices(peer)
            except Fault:
                pass  # then the initiate finds nobody either, and says so
            self._check_open()
        try:
            call_id, effects = self._line.dial(peer, _now(), devices, caller_name=self._caller_name)
        except PeerIsCalling as crossed:
            call = self._calls[crossed.call_id]
            call.accept()
            return call
        call = self._new_call(call_id, Role.CALLER, peer, self._caller_name)
        self._do(effects)
        return call

    async def __aiter__(self) -> AsyncIterator[VoiceCall]:
        """Each call that rings here, until the phone is closed; one that has ended meanwhile is left out."""
        if not self._is_closed:
            self._check_open()
        while True:
            while self._waiting:
                call = self._waiting.popleft()
                if not call.is_over:
                    yield call
            if self._is_closed:
                return
            self._has_waiting.clear()
            await self._has_waiting.wait()

    def on_incoming(self, listener: Callable[[VoiceCall], object]) -> Callable[[VoiceCall], object]:
        """Call `listener` with each call at the moment it begins to ring; usable as a decorator."""
        self._on_incoming.append(listener)
        return listener

    def on_missed(self, listener: Callable[[Missed], object]) -> Callable[[Missed], object]:
        """Call `listener` with each call that was told busy because there were enough; usable as a decorator."""
        self._on_missed.append(listener)
        return listener

    def on_link(self, listener: Callable[[object], object]) -> Callable[[object], object]:
        """Call `listener` with each event of the transport (`links`), `Lost` among them; usable as a decorator."""
        self._on_link.append(listener)
        return listener

    # Steps of the user's, by way of VoiceCall

    def _decide(
        self, call: VoiceCall, step: Callable[[Line, str, float], list[engine.Effect]]
    ) -> None:
        self._do(step(self._line, call.id, _now()))

    def _hangup(self, call: VoiceCall) -> None:
        if call.id in self._line.calls:
            self._do(self._line.hangup(call.id, _now()))

    def _mute(self, call: VoiceCall, muted: bool) -> None:
        if call.id not in self._line.calls or call.muted == muted:
            return
        if call._voice is not None:
            call._voice.session.mute(muted)
        self._do(self._line.mute(call.id, muted, _now()))
        call._tell(phone_events.Muted(engine.Party.LOCAL, muted))

    def _check_open(self) -> None:
        if self._is_closed or self._end_listening is None:
            raise RuntimeError("a phone is used inside 'async with phone:'")

    # What arrives

    def _hear(self, signal: Signal, incoming: Incoming) -> None:
        """Take a signal before it is acknowledged; the fault that the engine raises is the answer."""
        if self._is_closed and isinstance(signal, Initiate):
            raise PeerUnavailable("this phone is being put away")
        known = self._line.calls.get(signal.call_id)
        sender = incoming.sender or (known.peer if known else "")
        self._do(self._line.receive(signal, sender, _now()))

    def _link_event(self, event: object) -> None:
        if self._is_closed:
            return
        if isinstance(event, links.Reconnecting) and not self._is_down:
            self._is_down = True
            for call in self.calls:
                call._tell(phone_events.Reconnecting(event.reason))
        elif self._is_down and not isinstance(event, links.Reconnecting | links.Lost):
            self._is_down = False
            self._do(self._line.reconnected(_now()))
            for call in self.calls:
                call._tell(phone_events.Resumed())
        links.tell(self._on_link, event)

    def _media_event(self, call: VoiceCall, event: media.MediaEvent) -> None:
        if call.is_over:
            return
        match event:
            case media.Connected():
                self._connect(call)
            case media.FirstAudio():
                call._tell(phone_events.FirstAudio(_now() - call._began))
            case media.LocalCandidate(candidate=candidate):
                self._do(self._line.candidate(call.id, candidate, _now()))
            case media.Stalled():
                call._tell(phone_events.Stalled())
            case media.Resumed():
                call._tell(phone_events.VoiceBack())
            case media.Failed(why=why):
                self._fail(call, why)
            case media.PeerClosed():
                self._do(self._line.media_closed(call.id, _now()))

    def _connect(self, call: VoiceCall) -> None:
        if self._line.calls[call.id].state is State.CONNECTING:
            self._do(self._line.media_connected(call.id, _now()))

    def _fail(self, call: VoiceCall, why: str) -> None:
        call.why = call.why or why
        self._do(self._line.media_failed(call.id, _now()))

    # What the engine asks for

    def _do(self, effects: Iterable[engine.Effect]) -> None:
        """Carry out effects in order, then set the timer anew."""
        self._effects.extend(effects)
        if self._is_acting:
            return  # a listener took a step: what comes of it follows what is being done
        self._is_acting = True
        try:
            while self._effects:
                self._one(self._effects.popleft())
        finally:
            self._is_acting = False
        if self._timer is not None:
            self._timer.cancel()
        deadline = self._line.deadline()
        loop = asyncio.get_running_loop()
        self._timer = None if deadline is None else loop.call_at(deadline, self._timeout)

    def _timeout(self) -> None:
        self._do(self._line.timeout(_now()))

    def _one(self, effect: engine.Effect) -> None:
        match effect:
            case engine.Send():
                self._outbox.put(effect)
            case engine.Missed():
                links.tell(self._on_missed, effect)
            case engine.Ring():
                self._rings(effect)
            case engine.Became():
                call = self._calls.pop(effect.call_id)
                call.id, call.role = effect.new_id, Role.CALLEE
                self._calls[effect.new_id] = call
            case _:
                self._of_call(self._calls[effect.call_id], effect)

    def _of_call(self, call: VoiceCall, effect: engine.Effect) -> None:
        match effect:
            case engine.Ringing():
                self._rang(call, effect.peer)
            case engine.Accepted():
                self._rang(call, call.peer)
                call.peer = effect.peer
                call._tell(phone_events.Accepted(effect.peer))
            case engine.Connected():
                call._tell(phone_events.Connected(_now() - call._began))
            case engine.RemoteMuted():
                call._tell(phone_events.Muted(engine.Party.REMOTE, effect.muted))
            case engine.Ended():
                self._end(call, effect)
            case (
                engine.StartOffer()
                | engine.ApplyOffer()
                | engine.ApplyAnswer()
                | engine.ApplyCandidate()
            ):
                if call._voice is not None:
                    call._voice.put(effect)
            case _:
                raise AssertionError(effect)

    def _rang(self, call: VoiceCall, peer: str) -> None:
        """Tell once that it rings; an accept may be read before the acknowledgement that says so."""
        if call.role is Role.CALLER and not call._has_rung:
            call._has_rung = True
            call._tell(phone_events.Ringing(peer))

    def _rings(self, ring: engine.Ring) -> None:
        call = self._new_call(ring.call_id, Role.CALLEE, ring.peer, ring.caller_name)
        self._waiting.append(call)
        self._has_waiting.set()
        # Later, so that whoever accepts does so after all effects of this step.
        asyncio.get_running_loop().call_soon(links.tell, self._on_incoming, call)

    def _new_call(self, id: str, role: Role, peer: str, caller_name: str | None) -> VoiceCall:
        call = VoiceCall(self, id, role, peer, caller_name, _now())
        self._calls[id] = call
        try:
            session = self._media.session(id, lambda event: self._media_event(call, event))
        except Exception as error:
            # The engine must first finish what it is doing.
            asyncio.get_running_loop().call_soon(self._fail, call, f"there is no voice: {error}")
            return call
        call._voice = VoiceWork(
            session,
            offered=lambda sdp: self._do(self._line.offer(call.id, sdp, _now())),
            answered=lambda sdp: self._do(self._line.answer(call.id, sdp, _now())),
            failed=lambda why: self._fail(call, why),
        )
        self._work[call] = self._tasks.start(call._voice.run(), f"the voice of call {id}")
        return call

    def _end(self, call: VoiceCall, ended: engine.Ended) -> None:
        del self._calls[call.id]
        self._outbox.withdraw(call.id)
        self._closing.start(self._close_voice(call), f"the end of call {call.id}")
        why = ""
        if ended.reason is EndReason.FAILED:
            why = call.why or phone_events.UNTOLD[ended.by]
        call._tell(Ended(ended.reason, ended.duration, ended.by, why))

    async def _close_voice(self, call: VoiceCall) -> None:
        """End the work before the session, which it uses."""
        if (work := self._work.pop(call, None)) is not None:
            work.cancel()
            await asyncio.wait([work])
        if call._voice is not None:
            await call._voice.aclose()

    def _settled(self, send: engine.Send, fault: Fault | None) -> None:
        if fault is None:
            self._do(self._line.delivered(send, _now()))
            return
        call = self._calls.get(send.signal.call_id)
        if call is not None:
            unreached = isinstance(fault, PeerUnavailable)
            call.why = call.why or (
                f"{call.peer} cannot be reached: {fault}" if unreached else str(fault)
            )
        self._do(self._line.delivery_failed(send, fault, _now()))


def _now() -> float:
    return asyncio.get_running_loop().time()
