"""A world for lines to call each other in: devices, a link that can lose, delay and repeat, voice, and simulated time."""

from __future__ import annotations

import heapq
import itertools
from collections import defaultdict
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from functools import partial
from typing import Final

from aoba_runtime.call import (
    ApplyAnswer,
    ApplyOffer,
    Became,
    Effect,
    Ended,
    Line,
    Send,
    StartOffer,
    State,
)
from aoba_runtime.call_memory import account
from aoba_runtime.errors import AckTimeout, Fault, PeerUnavailable
from aoba_runtime.signals import Busy, Hangup, Reject, Signal

ACK_TIMEOUT: Final = 10.0


@dataclass(slots=True)
class Goodbye:
    """A signal that ends a call, and what became of it: "sent", "ok", "lost", or the name of the fault."""

    signal: Signal
    sender: str
    to: str
    fate: str = "sent"


@dataclass
class Weather:
    """What the link does to the next signals: how many it loses, repeats, or only loses the answers of; delay in seconds."""

    delay: float = 0.05
    lose: int = 0
    lose_answers: int = 0
    repeat: int = 0
    is_cut: bool = False


class Device:
    """A line with a plain shell: makes descriptions when asked, keeps a log, and checks that nothing follows an end."""

    def __init__(self, world: World, address: str, max_calls: int) -> None:
        self.world = world
        self.address = address
        self.line = Line(
            address,
            clock=lambda: 1_700_000_000_000 + round(world.now * 1000),
            max_calls=max_calls,
            new_id=lambda: next(world.ids),
        )
        self.log: list[Effect] = []
        self.ended: dict[str, Ended] = {}
        self.over: set[str] = set()
        self.weather = Weather()
        self.speaks = True
        """Whether its voice connects."""

    def did(self, kind: type[Effect]) -> list[Effect]:
        """The effects of one kind so far."""
        return [effect for effect in self.log if isinstance(effect, kind)]

    def dial(self, peer: str, *, is_routed: bool = False) -> str:
        """Call an account, on all devices of it, or by a server that routes to them."""
        devices = [] if is_routed else self.world.devices_of(peer)
        call_id, effects = self.line.dial(peer, self.world.now, devices)
        self.run(effects)
        return call_id

    def run(self, effects: list[Effect]) -> None:
        for effect in effects:
            self.log.append(effect)
            if isinstance(effect, Send):
                self.world.send(self, effect)
                continue
            assert effect.call_id not in self.over, f"{effect} after the end"
            if isinstance(effect, Ended):
                self.over.add(effect.call_id)
                self.ended[effect.call_id] = effect
                self.world.voice_closed(self, effect.call_id)
            elif isinstance(effect, Became):
                if effect.call_id != effect.new_id:
                    self.over.add(effect.call_id)
            elif isinstance(effect, StartOffer):
                self._later(effect.call_id, State.OFFERING, self._offer)
            elif isinstance(effect, ApplyOffer):
                self._later(effect.call_id, State.ANSWERING, self._answer)
            elif isinstance(effect, ApplyAnswer):
                self.world.voice_open(self, effect.call_id)
        self.world.wake(self)

    def take(self, signal: Signal, sender: str) -> Fault | None:
        """A signal arrives; returns what it is answered with."""
        try:
            effects = self.line.receive(signal, sender, self.world.now)
        except Fault as fault:
            self.world.refusals.append((signal, fault))
            return fault
        self.run(effects)
        return None

    def delivered(self, sent: Send) -> None:
        self.run(self.line.delivered(sent, self.world.now))

    def failed(self, sent: Send, fault: Fault) -> None:
        self.run(self.line.delivery_failed(sent, fault, self.world.now))

    def run_timeout(self) -> None:
        due = self.line.deadline()
        if due is not None and due <= self.world.now:
            self.run(self.line.timeout(self.world.now))

    def voice_up(self, call_id: str) -> None:
        call = self.line.calls.get(call_id)
        if call is not None and call.state in (State.CONNECTING, State.ABANDONED):
            self.run(self.line.media_connected(call_id, self.world.now))

    def voice_gone(self, call_id: str) -> None:
        call = self.line.calls.get(call_id)
        if call is not None and call.connected_at is not None:
            self.run(self.line.media_closed(call_id, self.world.now))

    def _later(self, call_id: str, state: State, step: Callable[[str], list[Effect]]) -> None:
        def act() -> None:
            call = self.line.calls.get(call_id)
            if call is not None and call.state is state:
                self.run(step(call_id))

        self.world.at(0.01, act)

    def _offer(self, call_id: str) -> list[Effect]:
        return self.line.offer(call_id, "the offer", self.world.now)

    def _answer(self, call_id: str) -> list[Effect]:
        return self.line.answer(call_id, "the answer", self.world.now)


@dataclass
class World:
    """Devices by address, and what is going to happen."""

    now: float = 0.0
    devices: dict[str, Device] = field(default_factory=dict)
    goodbyes: list[Goodbye] = field(default_factory=list)
    refusals: list[tuple[Signal, Fault]] = field(default_factory=list)
    ids: Iterator[str] = field(default_factory=lambda: (f"id-{n:03}" for n in itertools.count()))
    lossy: set[str] = field(default_factory=set)
    """The calls that lost a signal or an answer."""
    _due: list[tuple[float, int, Callable[[], None]]] = field(default_factory=list)
    _order: Iterator[int] = field(default_factory=itertools.count)
    _arrivals: dict[tuple[str, str, str], float] = field(default_factory=lambda: defaultdict(float))

    def device(self, address: str, max_calls: int = 1) -> Device:
        """A new device at `address`."""
        self.devices[address] = Device(self, address, max_calls)
        return self.devices[address]

    def devices_of(self, peer: str) -> list[str]:
        """The addresses that `peer` stands for."""
        return [each for each in self.devices if peer in (each, account(each))]

    def at(self, delay: float, act: Callable[[], None]) -> None:
        """Do something `delay` seconds from now."""
        heapq.heappush(self._due, (self.now + delay, next(self._order), act))

    def pass_(self, seconds: float) -> None:
        """Let time pass."""
        until = self.now + seconds
        while self._due and self._due[0][0] <= until:
            self.now, _, act = heapq.heappop(self._due)
            act()
        self.now = until

    def wake(self, device: Device) -> None:
        """Keep the device's timer."""
        due = device.line.deadline()
        if due is not None:
            self.at(max(0.0, due - self.now) + 1e-6, device.run_timeout)

    def send(self, device: Device, sent: Send) -> None:
        """Carry one signal as a transport does: in order within a call, answered once, at most once lost."""
        goodbye = Goodbye(sent.signal, device.address, sent.to)
        if isinstance(sent.signal, Hangup | Reject | Busy):
            self.goodbyes.append(goodbye)
        targets = self.devices_of(sent.to)
        weather = device.weather
        is_lost = weather.is_cut or weather.lose > 0
        weather.lose = max(0, weather.lose - 1)
        if is_lost or not targets:
            self.lossy.add(sent.signal.call_id)
            goodbye.fate = "lost"
            fault: Fault = AckTimeout() if is_lost else PeerUnavailable(remote=True)
            self.at(ACK_TIMEOUT if is_lost else weather.delay, partial(device.failed, sent, fault))
            return
        answers: list[Fault | None] = []
        copies = 2 if weather.repeat else 1
        weather.repeat = max(0, weather.repeat - 1)
        mute = weather.lose_answers > 0
        weather.lose_answers = max(0, weather.lose_answers - 1)
        if mute:
            self.lossy.add(sent.signal.call_id)
        for to in targets:
            key = (device.address, to, sent.signal.call_id)
            self._arrivals[key] = max(self._arrivals[key], self.now + weather.delay)
            for copy in range(copies):
                is_last = to is targets[-1] and copy == copies - 1
                arrive = partial(self._arrive, device, sent, goodbye, to, answers, is_last, mute)
                self.at(self._arrivals[key] - self.now, arrive)

    def _arrive(
        self,
        device: Device,
        sent: Send,
        goodbye: Goodbye,
        to: str,
        answers: list[Fault | None],
        is_last: bool,
        is_mute: bool,
    ) -> None:
        answers.append(self.devices[to].take(sent.signal, device.address))
        if not is_last:
            return
        fault = None if None in answers else answers[0]
        goodbye.fate = "ok" if fault is None else type(fault).__name__
        if is_mute:
            fault = AckTimeout()
        delay = ACK_TIMEOUT if is_mute else device.weather.delay
        if fault is None:
            self.at(delay, partial(device.delivered, sent))
        else:
            self.at(delay, partial(device.failed, sent, fault))

    def voice_open(self, caller: Device, call_id: str) -> None:
        """The caller knows both descriptions: voice connects, at one end a little earlier, if both ends can."""
        callee = self.devices.get(caller.line.calls[call_id].peer)
        if caller.speaks and callee is not None and callee.speaks:
            self.at(0.1, partial(callee.voice_up, call_id))
            self.at(0.2, partial(caller.voice_up, call_id))

    def voice_closed(self, ended: Device, call_id: str) -> None:
        """One end has closed its voice; the other notices, sooner than the watchdog of the real one."""
        for device in self.devices.values():
            call = device.line.calls.get(call_id)
            if call is not None and call.peer == ended.address:
                self.at(1.0, partial(device.voice_gone, call_id))
