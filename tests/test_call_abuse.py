"""What a hostile peer can do to a line: floods are bounded, and what is remembered of them stays small."""

from __future__ import annotations

import tracemalloc

from aoba_runtime import call_machine, call_memory
from aoba_runtime.call import Line, Send, State
from aoba_runtime.errors import LimitExceeded
from aoba_runtime.signals import Initiate, MuteChange
from call_ends import WALL, alice, bob, candidate, talk, world
from call_world import Device, World


class TestAbuse:
    def test_a_thousand_candidates(self, world: World, alice: Device, bob: Device) -> None:
        call_id = talk(world, alice, bob)
        faults = [bob.take(candidate(call_id, n), alice.address) for n in range(1000)]
        assert faults[: call_machine.MAX_CANDIDATES] == [None] * call_machine.MAX_CANDIDATES
        assert all(isinstance(fault, LimitExceeded) for fault in faults[-500:])
        assert bob.line.calls[call_id].state is State.CONNECTED

    def test_five_thousand_initiates(self) -> None:
        line = Line("bob@x/1", clock=lambda: WALL)
        assert line.receive(Initiate("first", WALL), "alice@x/1", 0.0)
        refused = 0
        for n in range(5000):
            try:
                line.receive(Initiate(f"flood-{n}", WALL), "mallory@x/1", n / 5000)
            except LimitExceeded:
                refused += 1
        assert refused >= 4800
        assert list(line.calls) == ["first"]
        assert isinstance(line.receive(Initiate("later", WALL), "carol@x/1", 1.0)[0], Send)
        assert line.receive(Initiate("much later", WALL), "mallory@x/1", 20.0)

    def test_memory_stays_flat(self) -> None:
        """Calls of ever new accounts, each ended, each with signals that are remembered for a while."""
        line = Line("bob@x/1", clock=lambda: WALL)

        def calls(start: int) -> None:
            for n in range(start, start + 1500):
                caller = f"user-{n}@x/1"
                line.receive(Initiate(str(n), WALL), caller, float(n))
                for k in range(20):
                    line.receive(candidate(str(n), k), caller, float(n))
                line.reject(str(n), float(n))

        calls(0)
        tracemalloc.start()
        calls(1500)
        grown, _ = tracemalloc.get_traced_memory()
        tracemalloc.stop()
        assert len(line._ended) <= call_memory.ENDED_KEPT
        assert len(line._allowance) <= call_memory.CALLERS_KEPT
        # All that is remembered was replaced while it was traced: this is the whole of it.
        assert grown < 4_000_000

    def test_ended_calls_are_forgotten_in_time(self, bob: Device) -> None:
        line = bob.line
        line.receive(Initiate("a", WALL), "alice@x/1", 0.0)
        line.reject("a", 0.0)
        assert line.receive(Initiate("a", WALL), "alice@x/1", 1.0) == []
        assert line._ended.get("a", call_memory.ENDED_SECONDS + 1) is None

    def test_ended_calls_are_remembered_while_their_initiate_would_ring(self) -> None:
        """A ring time of an hour makes an initiate of an hour ago a good one."""
        now = 0.0
        line = Line("bob@x/1", clock=lambda: WALL + round(1000 * now), ring_time=3600)
        initiate = Initiate("a", WALL)
        line.receive(initiate, "alice@x/1", now)
        line.reject("a", now)
        for now in (601.0, 3600.0):
            assert line.receive(initiate, "alice@x/1", now) == []
        assert line.calls == {}

    def test_an_endless_call_id(self, bob: Device) -> None:
        assert isinstance(bob.take(Initiate("x" * 300, WALL), "alice@x/1"), LimitExceeded)

    def test_mutes_without_end(self, world: World, alice: Device, bob: Device) -> None:
        call_id = talk(world, alice, bob)
        for n in range(3000):
            bob.take(MuteChange(call_id, WALL + n, bool(n % 2)), alice.address)
        assert len(bob.line.calls[call_id].seen._keys) == call_memory.SIGNALS_KEPT
