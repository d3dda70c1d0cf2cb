"""The rules of each signal of a call: what waits, what comes twice, late, from strangers, or not at all."""

from __future__ import annotations

import pytest
from aoba_runtime import call_machine, call_memory
from aoba_runtime.call import (
    ApplyCandidate,
    ApplyOffer,
    Ended,
    Party,
    RemoteMuted,
    Ring,
    Ringing,
    Send,
    State,
)
from aoba_runtime.errors import (
    AckTimeout,
    BadMessage,
    LimitExceeded,
    NotAParty,
    PeerUnavailable,
    UnexpectedMessage,
    UnknownCall,
)
from aoba_runtime.signals import (
    Accept,
    Answer,
    Candidate,
    EndReason,
    Hangup,
    IceCandidate,
    Initiate,
    MuteChange,
    Offer,
    Signal,
)
from call_ends import WALL, alice, bob, candidate, how, signals, talk, world
from call_world import Device, World


def test_candidates_of_the_caller_wait_for_the_offer(bob: Device) -> None:
    bob.take(Initiate("c", WALL), "alice@x/1")
    bob.take(candidate("c", 1), "alice@x/1")
    bob.run(bob.line.accept("c", 0))
    bob.take(candidate("c", 2), "alice@x/1")
    assert bob.did(ApplyCandidate) == []
    bob.take(Offer("c", WALL, "sdp"), "alice@x/1")
    bob.take(candidate("c", 3), "alice@x/1")
    applied = [effect for effect in bob.log if isinstance(effect, ApplyOffer | ApplyCandidate)]
    assert applied == [
        ApplyOffer("c", "sdp"),
        *(ApplyCandidate("c", Candidate(f"candidate:{n}")) for n in (1, 2, 3)),
    ]


def test_candidates_of_the_callee_wait_for_the_answer(world: World, alice: Device) -> None:
    call_id = alice.dial("bob@x/1")
    alice.take(Accept(call_id, WALL), "bob@x/1")
    alice.run(alice.line.offer(call_id, "offer", world.now))
    for n in range(call_machine.MAX_HELD):
        assert alice.take(candidate(call_id, n), "bob@x/1") is None
    assert isinstance(alice.take(candidate(call_id, 999), "bob@x/1"), LimitExceeded)
    alice.take(Answer(call_id, WALL, "answer"), "bob@x/1")
    assert len(alice.did(ApplyCandidate)) == call_machine.MAX_HELD


def test_our_candidates_wait_for_our_description(world: World, alice: Device) -> None:
    call_id = alice.dial("bob@x/1")
    alice.run(alice.line.candidate(call_id, Candidate("early"), 0))
    alice.take(Accept(call_id, WALL), "bob@x/1")
    alice.run(alice.line.candidate(call_id, Candidate("while offering"), 0))
    assert signals(alice) == [Initiate]
    alice.run(alice.line.offer(call_id, "sdp", 0))
    alice.run(alice.line.candidate(call_id, Candidate(""), 0))
    assert signals(alice) == [Initiate, Offer, IceCandidate, IceCandidate, IceCandidate]


def test_mute_is_told_once_there_is_voice(world: World, alice: Device, bob: Device) -> None:
    call_id = alice.dial("bob@x")
    alice.run(alice.line.mute(call_id, True, 0))
    world.pass_(1)
    bob.run(bob.line.accept(call_id, world.now))
    world.pass_(1)
    for muted in (True, False, False, True):
        alice.run(alice.line.mute(call_id, muted, world.now))
    world.pass_(1)
    assert bob.did(RemoteMuted) == [RemoteMuted(call_id, muted) for muted in (True, False, True)]
    assert bob.line.calls[call_id].remote_muted


def test_the_same_signal_again_is_acted_on_once(world: World, bob: Device) -> None:
    initiate = Initiate("c", WALL, "Alice")
    hangup = Hangup("c", WALL + 1, EndReason.CANCELLED)
    for _ in range(3):
        assert bob.take(initiate, "alice@x/1") is None
    assert len(bob.did(Ring)) == 1
    for _ in range(3):
        assert bob.take(hangup, "alice@x/1") is None
    assert len(bob.did(Ended)) == 1
    assert bob.take(initiate, "alice@x/1") is None
    assert len(bob.log) == 2
    assert isinstance(bob.take(hangup, "mallory@x/1"), UnknownCall)


def test_the_same_content_at_another_time_is_another_signal(
    world: World, alice: Device, bob: Device
) -> None:
    call_id = talk(world, alice, bob)
    for stamp in (1, 2):
        alice.take(MuteChange(call_id, WALL + stamp, True), bob.address)
    assert len(alice.did(RemoteMuted)) == 2
    assert isinstance(alice.take(Accept(call_id, WALL + 3), bob.address), UnexpectedMessage)


def test_our_own_signals_never_look_like_resends(world: World, alice: Device, bob: Device) -> None:
    call_id = talk(world, alice, bob)
    for muted in (True, False) * 3:  # within one millisecond
        alice.run(alice.line.mute(call_id, muted, world.now))
    world.pass_(1)
    assert len(bob.did(RemoteMuted)) == 6


def test_an_ended_call_knows_no_signals_and_never_rings_again(
    world: World, alice: Device, bob: Device
) -> None:
    call_id = talk(world, alice, bob)
    alice.run(alice.line.hangup(call_id, world.now))
    world.pass_(1)
    late: list[Signal] = [
        Initiate(call_id, WALL + 9_000),
        Accept(call_id, WALL + 9_000),
        Answer(call_id, WALL + 9_000, "sdp"),
        MuteChange(call_id, WALL + 9_000, True),
        Hangup(call_id, WALL + 9_000, EndReason.COMPLETED),
    ]
    for signal in late:
        for sender in (alice.address, "mallory@x/1"):
            assert isinstance(bob.take(signal, sender), UnknownCall)
    assert len(bob.did(Ring)) == 1
    assert bob.log[-1] == bob.ended[call_id]


def test_an_accept_after_the_end(world: World, alice: Device, bob: Device) -> None:
    call_id = alice.dial("bob@x")
    world.pass_(29.98)
    bob.run(bob.line.accept(call_id, world.now))
    world.pass_(1)
    (refusal,) = world.refusals
    assert isinstance(refusal[0], Accept)
    assert isinstance(refusal[1], UnknownCall)
    assert how(alice, call_id) == (EndReason.TIMEOUT, Party.LOCAL)
    assert how(bob, call_id) == (EndReason.TIMEOUT, Party.REMOTE)


@pytest.mark.parametrize(("age", "rings"), [(-3600, True), (29, True), (34, True), (36, False)])
def test_a_stale_initiate_never_rings(bob: Device, age: int, rings: bool) -> None:
    fault = bob.take(Initiate("c", WALL - age * 1000), "alice@x/1")
    assert isinstance(fault, UnknownCall) is not rings
    assert bool(bob.log) is rings


def test_who_is_no_party_is_refused(world: World, alice: Device, bob: Device) -> None:
    call_id = talk(world, alice, bob)
    foreign: list[Signal] = [
        Hangup(call_id, WALL, EndReason.COMPLETED),
        Initiate(call_id, WALL),
        MuteChange(call_id, WALL, True),
        candidate(call_id, 1),
    ]
    for signal in foreign:
        for device in (alice, bob):
            assert isinstance(device.take(signal, "mallory@x/1"), NotAParty)
    assert alice.line.calls[call_id].peer == bob.address
    assert alice.did(Ended) == bob.did(Ended) == []


class TestDelivery:
    def test_nobody_there(self, world: World, alice: Device) -> None:
        call_id = alice.dial("nobody@x")
        world.pass_(1)
        assert how(alice, call_id) == (EndReason.FAILED, Party.REMOTE)
        assert alice.did(Ringing) == []

    def test_an_initiate_without_an_answer_may_have_arrived(
        self, world: World, alice: Device, bob: Device
    ) -> None:
        alice.weather.lose_answers = 1
        call_id = alice.dial("bob@x")
        world.pass_(15)
        bob.run(bob.line.accept(call_id, world.now))
        world.pass_(1)
        assert alice.line.calls[call_id].state is State.CONNECTED

    def test_an_accept_that_is_lost(self, world: World, alice: Device, bob: Device) -> None:
        call_id = alice.dial("bob@x")
        world.pass_(1)
        bob.weather.lose = 1
        bob.run(bob.line.accept(call_id, world.now))
        world.pass_(16)
        assert how(bob, call_id) == (EndReason.FAILED, Party.LOCAL)
        assert how(alice, call_id) == (EndReason.FAILED, Party.REMOTE)

    @pytest.mark.parametrize("fault", [BadMessage, LimitExceeded, PeerUnavailable])
    def test_an_offer_that_is_refused(
        self, alice: Device, fault: type[BadMessage | LimitExceeded | PeerUnavailable]
    ) -> None:
        call_id = alice.dial("bob@x/1")
        alice.take(Accept(call_id, WALL), "bob@x/1")
        (offer,) = alice.line.offer(call_id, "sdp", 0)
        assert isinstance(offer, Send)
        assert alice.line.delivery_failed(offer, AckTimeout(), 10) == []
        alice.run(alice.line.delivery_failed(offer, fault(remote=True), 10))
        assert how(alice, call_id) == (EndReason.FAILED, Party.REMOTE)

    def test_a_candidate_or_mute_that_is_refused_harms_nobody(
        self, world: World, alice: Device, bob: Device
    ) -> None:
        call_id = talk(world, alice, bob)
        for signal in (candidate(call_id, 1), MuteChange(call_id, WALL, True)):
            sent = Send(signal, bob.address)
            assert alice.line.delivery_failed(sent, LimitExceeded(remote=True), 10) == []
        assert alice.line.calls[call_id].state is State.CONNECTED

    def test_a_peer_that_forgot_the_call(self, world: World, alice: Device, bob: Device) -> None:
        call_id = talk(world, alice, bob)
        sent = Send(MuteChange(call_id, WALL, True), bob.address)
        alice.run(alice.line.delivery_failed(sent, UnknownCall(remote=True), world.now))
        assert alice.line.calls[call_id].state is State.CLOSING
        world.pass_(4)
        assert how(alice, call_id) == (EndReason.COMPLETED, Party.REMOTE)

    def test_what_fails_after_the_end_is_of_no_matter(self, alice: Device) -> None:
        call_id = alice.dial("bob@x/1")
        (initiate,) = alice.log
        assert isinstance(initiate, Send)
        alice.run(alice.line.hangup(call_id, 0))
        assert alice.line.delivery_failed(initiate, UnknownCall(), 1) == []
        assert alice.line.delivered(initiate, 1) == []


def test_a_line_made_for_an_account_folds_case() -> None:
    assert call_memory.account("Bob@Example.org/Phone") == "bob@example.org"
