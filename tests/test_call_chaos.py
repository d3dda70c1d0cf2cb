"""Lines over a link that loses, delays and repeats, driven at random: what must hold whatever happens.

Right, at the end of time, means for each call and each device that took part in it:

- it has ended exactly once, and nothing came after that;
- a goodbye that arrived while the other end was in the call decides: both name its reason, one as ours, one as the
  peer's; devices that lost a call to another, or to a reject, were told `cancelled`;
- two goodbyes that cross, or are lost, leave each end with its own reason, and with nobody waiting;
- a call in which nothing was lost ends for the same reason at both ends unless both ended it at once.
"""

from __future__ import annotations

import itertools
import random
from functools import partial
from typing import Final

from aoba_runtime import call_memory
from aoba_runtime.call import (
    Accepted,
    Became,
    Ended,
    LineFull,
    Party,
    PeerIsCalling,
    Ring,
    Send,
    State,
)
from aoba_runtime.signals import Candidate, EndReason, Hangup, Initiate
from call_world import Device, World
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

DEVICES: Final = ("alice@x/1", "bob@x/1", "bob@x/2")
devices = st.sampled_from(DEVICES)
accounts = st.sampled_from(["alice@x", "bob@x"])


class Chaos(RuleBasedStateMachine):
    """Two accounts, one of them with two devices, that do whatever they may."""

    def __init__(self) -> None:
        super().__init__()
        self.world = World()

    @initialize(max_calls=st.sampled_from([1, 3]), seed=st.integers(0, 1000))
    def begin(self, max_calls: int, seed: int) -> None:
        ids = random.Random(seed)
        self.world.ids = (f"{ids.getrandbits(64):016x}" for _ in itertools.count())
        for address in DEVICES:
            self.world.device(address, max_calls)

    @rule(address=devices, is_routed=st.booleans())
    def dial(self, address: str, is_routed: bool) -> None:
        peer = "bob@x" if address.startswith("alice") else "alice@x"
        try:
            self.world.devices[address].dial(peer, is_routed=is_routed)
        except PeerIsCalling as error:
            device = self.world.devices[address]
            device.run(device.line.accept(error.call_id, self.world.now))
        except LineFull:
            pass

    @rule(address=devices, what=st.sampled_from(["accept", "accept", "reject", "busy"]))
    def decide(self, address: str, what: str) -> None:
        device = self.world.devices[address]
        for call in list(device.line.calls.values()):
            if call.state is State.RINGING:
                step = {
                    "accept": device.line.accept,
                    "reject": device.line.reject,
                    "busy": device.line.busy,
                }[what]
                device.run(step(call.id, self.world.now))
                return

    @rule(address=devices)
    def hang_up(self, address: str) -> None:
        device = self.world.devices[address]
        for call_id in list(device.line.calls)[:1]:
            device.run(device.line.hangup(call_id, self.world.now))

    @rule(address=devices, muted=st.booleans())
    def mute_and_trickle(self, address: str, muted: bool) -> None:
        device = self.world.devices[address]
        for call_id in list(device.line.calls)[:1]:
            device.run(device.line.mute(call_id, muted, self.world.now))
            device.run(device.line.candidate(call_id, Candidate(str(muted)), self.world.now))

    @rule(address=devices)
    def break_voice(self, address: str) -> None:
        device = self.world.devices[address]
        for call_id in list(device.line.calls)[:1]:
            device.run(device.line.media_failed(call_id, self.world.now))

    @rule(address=devices, speaks=st.booleans())
    def unplug(self, address: str, speaks: bool) -> None:
        self.world.devices[address].speaks = speaks

    @rule(address=devices, delay=st.sampled_from([0.0, 0.05, 0.3, 2.0]))
    def delay(self, address: str, delay: float) -> None:
        self.world.devices[address].weather.delay = delay

    @rule(address=devices, what=st.sampled_from(["lose", "lose_answers", "repeat"]))
    def spoil(self, address: str, what: str) -> None:
        setattr(self.world.devices[address].weather, what, 1)

    @rule(address=devices, seconds=st.sampled_from([1.0, 12.0]))
    def cut(self, address: str, seconds: float) -> None:
        weather = self.world.devices[address].weather
        weather.is_cut = True
        self.world.at(seconds, partial(setattr, weather, "is_cut", False))

    @rule(address=devices)
    def talk(self, address: str) -> None:
        """What most calls do; trouble may come at any later step."""
        self.dial(address, False)
        self.world.pass_(0.5)
        for callee in DEVICES:
            self.decide(callee, "accept")
        self.world.pass_(1.0)

    @rule(seconds=st.sampled_from([0.02, 0.1, 0.5, 3.0, 16.0, 31.0]))
    def wait(self, seconds: float) -> None:
        self.world.pass_(seconds)

    @invariant()
    def no_deadline_is_missed(self) -> None:
        for device in self.world.devices.values():
            due = device.line.deadline()
            assert due is None or due > self.world.now - 0.001

    @invariant()
    def memory_is_bounded(self) -> None:
        for device in self.world.devices.values():
            assert len(device.line.calls) <= device.line.max_calls
            assert len(device.line._ended) <= call_memory.ENDED_KEPT

    def teardown(self) -> None:
        self.world.pass_(60)
        for device in self.world.devices.values():
            for call_id in list(device.line.calls):
                assert device.line.calls[call_id].state is State.CONNECTED
                device.run(device.line.hangup(call_id, self.world.now))
                self.world.pass_(20)
        for device in self.world.devices.values():
            check_ends(device)
        for goodbye in self.world.goodbyes:
            if goodbye.fate == "ok" and isinstance(goodbye.signal, Hangup):
                check_hangup(self.world, goodbye.signal, goodbye.sender, goodbye.to)
        for call_id in {call_id for each in self.world.devices.values() for call_id in each.ended}:
            if call_id not in self.world.lossy:
                check_agreement(self.world, call_id)


def check_ends(device: Device) -> None:
    """Whatever began has ended once."""
    assert not device.line.calls
    dialed = dials(device)
    rang = {each.call_id for each in device.log if isinstance(each, Ring)}
    became = {each.call_id: each.new_id for each in device.log if isinstance(each, Became)}
    ended = [each.call_id for each in device.log if isinstance(each, Ended)]
    assert len(ended) == len(set(ended))
    assert set(ended) == (dialed | rang | set(became.values())) - set(became)


def check_hangup(world: World, signal: Hangup, sender: str, to: str) -> None:
    """A hangup that was taken decides, unless it only took one of several ringing devices out."""
    device = world.devices.get(to)
    if device is None:  # a server routed it to all devices, and some may not have known the call
        return
    is_callee = signal.call_id not in dials(device)
    if is_callee or Accepted(signal.call_id, sender) in device.log:
        ended = device.ended[signal.call_id]
        assert (ended.reason, ended.by) == (signal.reason, Party.REMOTE)


def check_agreement(world: World, call_id: str) -> None:
    """A call in which nothing was lost ended alike at both ends."""
    (caller,) = (each for each in world.devices.values() if call_id in dials(each))
    ours = caller.ended.get(call_id)
    won = {
        each.peer for each in caller.log if isinstance(each, Accepted) and each.call_id == call_id
    }
    for device in world.devices.values():
        theirs = device.ended.get(call_id)
        if device is caller or theirs is None:
            continue
        if ours is None:  # it lost a glare: other devices were told, the one that won it knows
            continue
        if won and device.address not in won:
            told = EndReason.CANCELLED
        elif won or ours.by is Party.LOCAL:
            told = ours.reason
        else:  # another device's no
            told = EndReason.CANCELLED
        assert theirs.reason is told or theirs.by is Party.LOCAL
        has_crossed = theirs.by is ours.by is Party.LOCAL
        assert ours.reason is theirs.reason or has_crossed or device.address not in won


def dials(device: Device) -> set[str]:
    """The calls that a device made."""
    return {
        each.signal.call_id
        for each in device.log
        if isinstance(each, Send) and isinstance(each.signal, Initiate)
    }


TestChaos = Chaos.TestCase
TestChaos.settings = settings(max_examples=150, stateful_step_count=40)
