"""The rules of a call, row by row, between lines in a simulated world; and what a hostile peer can do to one."""

from __future__ import annotations

import tracemalloc
from typing import Final

import pytest
from aoba_runtime import call_machine, call_memory
from aoba_runtime.call import (
    Accepted,
    ApplyAnswer,
    ApplyCandidate,
    ApplyOffer,
    Became,
    Connected,
    Ended,
    Line,
    LineFull,
    Missed,
    Party,
    PeerIsCalling,
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


def test_a_call_from_dial_to_hangup(world: World, alice: Device, bob: Device) -> None:
    call_id = talk(world, alice, bob)
    world.pass_(60)
    bob.run(bob.line.hangup(call_id, world.now))
    world.pass_(1)
    assert signals(alice) == [Initiate, Offer]
    assert signals(bob) == [Accept, Answer, Hangup]
    kinds = [type(effect) for effect in alice.log if not isinstance(effect, Send)]
    assert kinds[:2] == [Ringing, Accepted]
    assert kinds[3:] == [ApplyAnswer, Connected, Ended]
    kinds = [type(effect) for effect in bob.log if not isinstance(effect, Send)]
    assert kinds == [Ring, Accepted, ApplyOffer, Connected, Ended]
    assert how(alice, call_id) == (EndReason.COMPLETED, Party.REMOTE)
    assert how(bob, call_id) == (EndReason.COMPLETED, Party.LOCAL)
    assert bob.ended[call_id].duration in (60, 61)
    hangup = bob.log[-2]
    assert isinstance(hangup, Send)
    assert isinstance(hangup.signal, Hangup)
    assert hangup.signal.duration == bob.ended[call_id].duration
    assert not alice.line.calls
    assert not bob.line.calls
    assert alice.line.deadline() is None


def test_it_rings_for_thirty_seconds_and_the_caller_says_timeout(
    world: World, alice: Device, bob: Device
) -> None:
    call_id = alice.dial("bob@x")
    world.pass_(29.9)
    assert alice.line.calls[call_id].state is State.CALLING
    assert bob.line.calls[call_id].state is State.RINGING
    world.pass_(0.3)
    assert how(alice, call_id) == (EndReason.TIMEOUT, Party.LOCAL)
    assert bob.ended[call_id].reason is EndReason.TIMEOUT
    assert signals(alice) == [Initiate, Hangup]
    assert signals(bob) == []


def test_a_callee_that_hears_nothing_ends_by_itself(
    world: World, alice: Device, bob: Device
) -> None:
    call_id = alice.dial("bob@x")
    world.pass_(1)
    alice.weather.is_cut = True
    world.pass_(40)
    assert how(bob, call_id) == (EndReason.TIMEOUT, Party.LOCAL)
    assert how(alice, call_id) == (EndReason.TIMEOUT, Party.LOCAL)
    assert signals(bob) == []


def test_cancel_before_the_answer(world: World, alice: Device, bob: Device) -> None:
    call_id = alice.dial("bob@x")
    world.pass_(5)
    alice.run(alice.line.hangup(call_id, world.now))
    world.pass_(1)
    assert how(alice, call_id) == (EndReason.CANCELLED, Party.LOCAL)
    assert how(bob, call_id) == (EndReason.CANCELLED, Party.REMOTE)
    assert alice.ended[call_id].duration is None


def test_reject(world: World, alice: Device, bob: Device) -> None:
    call_id = alice.dial("bob@x")
    world.pass_(1)
    bob.run(bob.line.reject(call_id, world.now))
    world.pass_(1)
    assert how(alice, call_id) == (EndReason.REJECTED, Party.REMOTE)
    assert how(bob, call_id) == (EndReason.REJECTED, Party.LOCAL)


def test_no_voice_within_fifteen_seconds_is_failed(
    world: World, alice: Device, bob: Device
) -> None:
    bob.speaks = False
    call_id = alice.dial("bob@x")
    world.pass_(1)
    bob.run(bob.line.accept(call_id, world.now))
    world.pass_(14.5)
    assert alice.line.calls[call_id].state is State.CONNECTING
    world.pass_(1.5)
    assert alice.ended[call_id].reason is bob.ended[call_id].reason is EndReason.FAILED
    assert alice.ended[call_id].duration is None


def test_voice_that_fails_in_the_call(world: World, alice: Device, bob: Device) -> None:
    call_id = talk(world, alice, bob)
    world.pass_(9)
    alice.run(alice.line.media_failed(call_id, world.now))
    world.pass_(1)
    assert how(alice, call_id) == (EndReason.FAILED, Party.LOCAL)
    assert how(bob, call_id) == (EndReason.FAILED, Party.REMOTE)
    assert alice.ended[call_id].duration == bob.ended[call_id].duration == 9


def test_voice_that_the_peer_closes_waits_for_its_reason(
    world: World, alice: Device, bob: Device
) -> None:
    call_id = talk(world, alice, bob)
    alice.run(alice.line.media_closed(call_id, world.now))
    assert alice.line.calls[call_id].state is State.CLOSING
    alice.take(Hangup(call_id, WALL, EndReason.FAILED), bob.address)
    assert how(alice, call_id) == (EndReason.FAILED, Party.REMOTE)


def test_voice_that_the_peer_closes_without_a_word_is_completed(
    world: World, alice: Device, bob: Device
) -> None:
    call_id = talk(world, alice, bob)
    world.pass_(5)
    alice.run(alice.line.media_closed(call_id, world.now))
    world.pass_(4)
    assert how(alice, call_id) == (EndReason.COMPLETED, Party.REMOTE)
    assert alice.ended[call_id].duration == 5


def test_a_second_caller_is_told_busy_and_disturbs_nobody(
    world: World, alice: Device, bob: Device
) -> None:
    carol = world.device("carol@x/1")
    first = talk(world, alice, bob)
    before = len(bob.log)
    second = carol.dial("bob@x")
    world.pass_(1)
    assert how(carol, second) == (EndReason.BUSY, Party.REMOTE)
    assert [type(effect) for effect in bob.log[before:]] == [Send, Missed]
    assert bob.line.calls[first].state is State.CONNECTED
    assert second not in bob.ended


def test_a_line_has_as_many_calls_as_it_may(world: World, alice: Device) -> None:
    bot = world.device("bot@x/1", max_calls=2)
    carol, dora = world.device("carol@x/1"), world.device("dora@x/1")
    talk(world, alice, bot)
    talk(world, carol, bot)
    third = dora.dial("bot@x")
    world.pass_(1)
    assert how(dora, third) == (EndReason.BUSY, Party.REMOTE)
    with pytest.raises(LineFull, match="2 calls, and 2 are allowed"):
        bot.line.dial("erin@x", world.now)


@pytest.mark.parametrize("delay", [0.0, 0.05, 2.0])
def test_two_who_dial_each_other_get_one_call(
    world: World, alice: Device, bob: Device, delay: float
) -> None:
    alice.weather.delay = bob.weather.delay = delay
    low = alice.dial("bob@x")
    high = bob.dial("alice@x")
    assert low < high
    world.pass_(12)
    assert alice.line.calls[low].state is State.CONNECTED
    assert bob.line.calls[low].state is State.CONNECTED
    assert bob.did(Became) == [Became(high, low)]
    assert bob.did(Ring) == alice.did(Ring) == alice.did(Became) == []
    assert Busy not in signals(alice) + signals(bob)
    assert Hangup not in signals(alice) + signals(bob)
    assert high not in bob.ended


def test_glare_of_equal_ids_goes_to_the_lower_account(
    world: World, alice: Device, bob: Device
) -> None:
    world.ids = iter(["same", "same"])
    alice.dial("bob@x")
    bob.dial("alice@x")
    world.pass_(2)
    assert bob.did(Became) == [Became("same", "same")]
    assert alice.line.calls["same"].role == "caller"
    assert bob.line.calls["same"].state is alice.line.calls["same"].state is State.CONNECTED


def test_glare_withdraws_the_lost_call_from_other_devices(
    world: World, alice: Device, bob: Device
) -> None:
    tablet = world.device("alice@x/2")
    low = alice.dial("bob@x")
    high = bob.dial("alice@x")
    world.pass_(2)
    assert how(tablet, high) == (EndReason.CANCELLED, Party.REMOTE)
    assert alice.line.calls[low].state is bob.line.calls[low].state is State.CONNECTED


@pytest.mark.parametrize("other", ["aa", "zz"])
def test_glare_whose_accept_overtakes_its_initiate(alice: Device, other: str) -> None:
    call_id = alice.dial("bob@x/1")
    alice.take(Accept(call_id, WALL + 10), "bob@x/1")
    assert alice.take(Initiate(other, WALL + 5), "bob@x/1") is None
    assert signals(alice) == [Initiate]
    assert alice.did(Missed) == alice.did(Ring) == alice.did(Became) == []
    withdrawn = Hangup(other, WALL + 6, EndReason.CANCELLED)
    assert isinstance(alice.take(withdrawn, "bob@x/1"), UnknownCall)


def test_glare_of_several_calls_is_with_the_one_accepted(world: World) -> None:
    alice = world.device("alice@x/1", max_calls=3)
    ringing, accepted = alice.dial("bob@x/1"), alice.dial("bob@x/1")
    alice.take(Accept(accepted, WALL + 10), "bob@x/1")
    assert alice.take(Initiate("aa", WALL + 5), "bob@x/1") is None
    assert set(alice.line.calls) == {ringing, accepted}
    assert alice.line.calls[ringing].state is State.CALLING


@pytest.mark.parametrize("same", [True, False])
def test_a_glare_is_met_once(world: World, alice: Device, same: bool) -> None:
    ours = alice.dial("bob@x/1")
    lost = Initiate(ours if same else "zz", WALL)
    for _ in range(2):
        assert alice.take(lost, "bob@x/1") is None
    assert len(alice.log) == 1
    alice.take(Accept(ours, WALL + 1), "bob@x/1")
    assert alice.take(lost, "bob@x/1") is None
    assert signals(alice) == [Initiate]
    assert alice.take(Initiate("another", WALL), "bob@x/1") is None
    assert signals(alice) == [Initiate, Busy]


def test_dialing_whom_rings_is_our_mistake(world: World, alice: Device, bob: Device) -> None:
    call_id = alice.dial("bob@x")
    world.pass_(1)
    with pytest.raises(PeerIsCalling, match="accept id-000") as caught:
        bob.dial("alice@x")
    assert caught.value.call_id == call_id


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


def candidate(call_id: str, n: int) -> IceCandidate:
    return IceCandidate(call_id, WALL + n, Candidate(f"candidate:{n}"))


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

    def test_an_endless_call_id(self, bob: Device) -> None:
        assert isinstance(bob.take(Initiate("x" * 300, WALL), "alice@x/1"), LimitExceeded)

    def test_mutes_without_end(self, world: World, alice: Device, bob: Device) -> None:
        call_id = talk(world, alice, bob)
        for n in range(3000):
            bob.take(MuteChange(call_id, WALL + n, bool(n % 2)), alice.address)
        assert len(bob.line.calls[call_id].seen._keys) == call_memory.SIGNALS_KEPT


def test_a_line_made_for_an_account_folds_case() -> None:
    assert call_memory.account("Bob@Example.org/Phone") == "bob@example.org"
