"""Mute that could not be said: said again when the link is back, and only then."""

from __future__ import annotations

import pytest
from aoba_runtime.call import RemoteMuted
from aoba_runtime.call_effects import Send
from aoba_runtime.errors import AckTimeout, Fault, PeerUnavailable
from aoba_runtime.signals import MuteChange
from call_ends import alice, bob, talk, world
from call_world import ACK_TIMEOUT, Device, World


@pytest.fixture
def call_id(world: World, alice: Device, bob: Device) -> str:
    return talk(world, alice, bob)


def mute(world: World, device: Device, call_id: str, muted: bool) -> None:
    device.run(device.line.mute(call_id, muted, world.now))


def reconnect(world: World, device: Device) -> int:
    """How many signals a link that comes back brings."""
    effects = device.line.reconnected(world.now)
    device.run(effects)
    world.pass_(1)
    return len(effects)


def test_the_last_state_is_said_again(
    world: World, alice: Device, bob: Device, call_id: str
) -> None:
    alice.weather.is_cut = True
    for muted in (True, False, True):
        mute(world, alice, call_id, muted)
    world.pass_(ACK_TIMEOUT + 1)
    alice.weather.is_cut = False
    assert bob.did(RemoteMuted) == []
    assert reconnect(world, alice) == 1
    assert bob.did(RemoteMuted) == [RemoteMuted(call_id, True)]
    assert reconnect(world, alice) == 0


def test_what_was_heard_or_is_under_way_is_not_said_again(
    world: World, alice: Device, bob: Device, call_id: str
) -> None:
    mute(world, alice, call_id, True)
    world.pass_(1)
    assert reconnect(world, alice) == 0
    mute(world, alice, call_id, False)
    assert reconnect(world, alice) == 0
    assert bob.did(RemoteMuted) == [RemoteMuted(call_id, True), RemoteMuted(call_id, False)]


def test_a_younger_one_that_was_heard_settles_it(
    world: World, alice: Device, bob: Device, call_id: str
) -> None:
    alice.weather.is_cut = True
    mute(world, alice, call_id, True)
    alice.weather.is_cut = False
    mute(world, alice, call_id, False)
    world.pass_(ACK_TIMEOUT + 1)
    assert bob.did(RemoteMuted) == [RemoteMuted(call_id, False)]
    assert reconnect(world, alice) == 0


@pytest.mark.parametrize("fault", [AckTimeout("lost"), PeerUnavailable("away")])
def test_a_call_that_has_ended_says_nothing(
    world: World, alice: Device, bob: Device, call_id: str, fault: Fault
) -> None:
    mute(world, alice, call_id, True)
    (sent,) = (
        one
        for one in alice.did(Send)
        if isinstance(one, Send) and isinstance(one.signal, MuteChange)
    )
    assert alice.line.delivery_failed(sent, fault, world.now) == []
    bob.run(bob.line.hangup(call_id, world.now))
    world.pass_(1)
    assert reconnect(world, alice) == 0
