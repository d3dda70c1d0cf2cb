"""The rules of a call to an account with several devices: who rings, who wins, who is told."""

from __future__ import annotations

import pytest
from aoba_runtime.call import Accepted, Party, Ringing, Send, State
from aoba_runtime.errors import UnknownCall
from aoba_runtime.signals import Accept, Busy, EndReason, Hangup, MuteChange, Reject, Signal
from call_ends import WALL, alice, how, world
from call_world import Device, World


class TestDevices:
    @pytest.fixture
    def bobs(self, world: World) -> list[Device]:
        return [world.device(f"bob@x/{n}") for n in (1, 2, 3)]

    def test_the_first_accept_wins(self, world: World, alice: Device, bobs: list[Device]) -> None:
        call_id = alice.dial("bob@x")
        world.pass_(1)
        assert all(bob.line.calls[call_id].state is State.RINGING for bob in bobs)
        bobs[1].run(bobs[1].line.accept(call_id, world.now))
        world.pass_(1)
        assert alice.did(Ringing) == [Ringing(call_id, "bob@x")]
        assert alice.did(Accepted) == [Accepted(call_id, "bob@x/2")]
        assert alice.line.calls[call_id].peer == "bob@x/2"
        for bob in (bobs[0], bobs[2]):
            assert how(bob, call_id) == (EndReason.CANCELLED, Party.REMOTE)
        assert bobs[1].line.calls[call_id].state is State.CONNECTED

    def test_two_accept_at_once(self, world: World, alice: Device, bobs: list[Device]) -> None:
        call_id = alice.dial("bob@x")
        world.pass_(1)
        for bob in bobs:
            bob.run(bob.line.accept(call_id, world.now))
        world.pass_(3)
        assert bobs[0].line.calls[call_id].state is State.CONNECTED
        for bob in bobs[1:]:
            assert how(bob, call_id) == (EndReason.CANCELLED, Party.REMOTE)
        assert alice.line.calls[call_id].state is State.CONNECTED

    def test_a_server_routes(self, world: World, alice: Device, bobs: list[Device]) -> None:
        call_id = alice.dial("bob@x", is_routed=True)
        world.pass_(1)
        bobs[2].run(bobs[2].line.accept(call_id, world.now))
        world.pass_(1)
        bobs[0].run(bobs[0].line.accept(call_id, world.now))
        world.pass_(1)
        assert how(bobs[0], call_id) == (EndReason.CANCELLED, Party.REMOTE)
        stray = Hangup(call_id, WALL, EndReason.FAILED)  # its accept was lost, so it was never told
        assert isinstance(alice.take(stray, bobs[1].address), UnknownCall)
        assert alice.line.calls[call_id].state is State.CONNECTED
        assert bobs[2].line.calls[call_id].state is State.CONNECTED

    def test_one_that_lost_cannot_end_the_call(
        self, world: World, alice: Device, bobs: list[Device]
    ) -> None:
        call_id = alice.dial("bob@x")
        world.pass_(1)
        bobs[0].run(bobs[0].line.accept(call_id, world.now))
        world.pass_(1)
        late: list[Signal] = [
            Reject(call_id, WALL),
            Busy(call_id, WALL),
            Hangup(call_id, WALL, EndReason.FAILED),
        ]
        for signal in late:
            assert isinstance(alice.take(signal, "bob@x/2"), UnknownCall)
        assert alice.line.calls[call_id].state is State.CONNECTED

    def test_a_hangup_may_be_a_reject(self, alice: Device) -> None:
        call_id, _ = alice.line.dial("bob@x", 0, ["bob@x/1", "bob@x/2"])
        alice.take(Hangup(call_id, WALL, EndReason.REJECTED), "bob@x/1")
        assert how(alice, call_id) == (EndReason.REJECTED, Party.REMOTE)
        (cancel,) = alice.did(Send)
        assert isinstance(cancel, Send)
        assert (type(cancel.signal), cancel.to) == (Hangup, "bob@x/2")

    def test_a_reject_is_for_all(self, world: World, alice: Device, bobs: list[Device]) -> None:
        call_id = alice.dial("bob@x")
        world.pass_(1)
        bobs[0].run(bobs[0].line.reject(call_id, world.now))
        world.pass_(1)
        assert how(alice, call_id) == (EndReason.REJECTED, Party.REMOTE)
        assert how(bobs[0], call_id) == (EndReason.REJECTED, Party.LOCAL)
        for bob in bobs[1:]:
            assert how(bob, call_id) == (EndReason.CANCELLED, Party.REMOTE)

    def test_a_busy_one_leaves_the_others_ringing(
        self, world: World, alice: Device, bobs: list[Device]
    ) -> None:
        call_id = alice.dial("bob@x")
        world.pass_(1)
        bobs[0].run(bobs[0].line.busy(call_id, world.now))
        world.pass_(1)
        assert alice.line.calls[call_id].rings == ["bob@x/2", "bob@x/3"]
        bobs[1].run(bobs[1].line.accept(call_id, world.now))
        world.pass_(1)
        assert alice.line.calls[call_id].state is State.CONNECTED

    def test_when_all_are_out_one_busy_counts_most(
        self, world: World, alice: Device, bobs: list[Device]
    ) -> None:
        call_id, effects = alice.line.dial("bob@x", 0, ["bob@x/1", "bob@x/2", "bob@x/9"])
        alice.run(effects)
        world.pass_(1)
        assert alice.line.calls[call_id].rings == ["bob@x/1", "bob@x/2"]
        bobs[0].run(bobs[0].line.busy(call_id, world.now))
        world.pass_(1)
        bobs[1].run(bobs[1].line.media_failed(call_id, world.now))
        world.pass_(1)
        assert how(alice, call_id) == (EndReason.BUSY, Party.REMOTE)

    def test_timeout_and_cancel_reach_each(
        self, world: World, alice: Device, bobs: list[Device]
    ) -> None:
        first = alice.dial("bob@x")
        world.pass_(31)
        second = alice.dial("bob@x")
        world.pass_(1)
        alice.run(alice.line.hangup(second, world.now))
        world.pass_(1)
        for bob in bobs:
            assert bob.ended[first].reason is EndReason.TIMEOUT
            assert how(bob, second) == (EndReason.CANCELLED, Party.REMOTE)

    def test_a_device_that_comes_back_under_a_new_address(self, alice: Device) -> None:
        call_id = alice.dial("bob@x/1")
        alice.take(Accept(call_id, WALL), "bob@x/1")
        alice.take(MuteChange(call_id, WALL, True), "bob@x/new")
        assert alice.line.calls[call_id].peer == "bob@x/new"
        alice.take(Hangup(call_id, WALL, EndReason.COMPLETED), "bob@x/new")
        assert how(alice, call_id) == (EndReason.COMPLETED, Party.REMOTE)
