"""What the tests of a call's rules share: Alice and Bob in a simulated world, a call that is connected, what an end sent and how it ended."""

from __future__ import annotations

from typing import Final

import pytest
from aoba_runtime.call import Party, Send, State
from aoba_runtime.signals import Candidate, EndReason, IceCandidate, Signal
from call_world import Device, World

WALL: Final = 1_700_000_000_000


@pytest.fixture
def world() -> World:
    return World()


@pytest.fixture
def alice(world: World) -> Device:
    return world.device("alice@x/1")


@pytest.fixture
def bob(world: World) -> Device:
    return world.device("bob@x/1")


def talk(world: World, caller: Device, callee: Device) -> str:
    """A call that is connected."""
    call_id = caller.dial(callee.address)
    world.pass_(1)
    callee.run(callee.line.accept(call_id, world.now))
    world.pass_(1)
    assert caller.line.calls[call_id].state is State.CONNECTED
    assert callee.line.calls[call_id].state is State.CONNECTED
    return call_id


def how(device: Device, call_id: str) -> tuple[EndReason, Party]:
    ended = device.ended[call_id]
    return ended.reason, ended.by


def signals(device: Device) -> list[type[Signal]]:
    return [type(sent.signal) for sent in device.log if isinstance(sent, Send)]


def candidate(call_id: str, n: int) -> IceCandidate:
    return IceCandidate(call_id, WALL + n, Candidate(f"candidate:{n}"))
