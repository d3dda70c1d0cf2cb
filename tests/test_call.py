"""The rules of a call, row by row, from dial to the end, and when both dial at once."""

from __future__ import annotations

import pytest
from aoba_runtime.call import (
    Accepted,
    ApplyAnswer,
    ApplyOffer,
    Became,
    Connected,
    Ended,
    LineFull,
    Missed,
    Party,
    PeerIsCalling,
    Ring,
    Ringing,
    Send,
    State,
)
from aoba_runtime.errors import UnknownCall
from aoba_runtime.signals import Accept, Answer, Busy, EndReason, Hangup, Initiate, Offer
from call_ends import WALL, alice, bob, how, signals, talk, world
from call_world import Device, World


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


def test_a_call_to_our_own_address_is_no_glare(world: World, alice: Device) -> None:
    call_id = alice.dial(alice.address)
    world.pass_(2)
    assert alice.line.calls == {} and alice.did(Became) == []
    assert how(alice, call_id) == (EndReason.FAILED, Party.REMOTE)
    [(initiate, fault)] = world.refusals
    assert isinstance(initiate, Initiate) and "the address that the call comes from" in str(fault)


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
