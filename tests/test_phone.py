"""Phones with silent media: every way in which a call goes, what both ends are told, what is left."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

import pytest
from aoba_runtime import loopback, phone as phone_module
from aoba_runtime.call import Role
from aoba_runtime.media import MediaEvent, MediaSession
from aoba_runtime.phone import CallEnded, Ended, LineFull, LocalCallError, Missed, Phone, VoiceCall
from aoba_runtime.phone_events import (
    Accepted,
    Connected,
    EndReason,
    FirstAudio,
    Muted,
    Ringing,
    Stalled,
    VoiceBack,
)
from aoba_voice_call_signaling import AobaVoiceCallSignalingClient
from phone_pair import BOB, LOCAL, REMOTE, phones, told


async def test_a_call_from_the_first_ring_to_the_end() -> None:
    async with phones() as pair:
        ours = await pair.alice.dial(BOB)
        theirs = await pair.rung()
        assert (theirs.peer, theirs.caller_name) == ("alice@localhost/1", "Alice")
        assert (ours.role, theirs.role) == (Role.CALLER, Role.CALLEE)
        assert ours.id == theirs.id
        theirs.accept()
        await asyncio.gather(ours.connected(), theirs.connected())
        assert ours.peer == "bob@localhost/1"
        assert (await ours.stats()).lost_packets == 0
        assert pair.alice.calls == (ours,)
        theirs.hangup()
        assert await ours.ended == (EndReason.COMPLETED, 0, REMOTE, "")
        assert await theirs.ended == (EndReason.COMPLETED, 0, LOCAL, "")
        assert pair.alice.calls == pair.bob.calls == ()
        ours.hangup()
        ours.mute()
        kinds = [type(event) for event in await told(ours)]
        assert kinds == [Ringing, Accepted, Connected, FirstAudio, Ended]
        assert [type(event) for event in await told(theirs)] == [
            Accepted, Connected, FirstAudio, Ended
        ]  # fmt: skip


async def test_signals_go_in_order_and_none_waits_for_another(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(phone_module, "GOODBYE", 0.05)
    async with phones() as pair:
        pair.near.held.add("ice-candidate")
        ours, _ = await pair.up()
        ours.hangup()
        await ours.ended
        await pair.alice._outbox._tasks.settle(0.05)
        assert pair.near.sent == [
            "initiate", "offer", "ice-candidate", "ice-candidate", "hangup"
        ]  # fmt: skip
        assert pair.far.sent == ["accept", "answer", "ice-candidate", "ice-candidate"]
        session = pair.voices[0].sessions[ours.id]
        assert [each.candidate for each in session.candidates][-1] == ""


@pytest.mark.parametrize(
    ("act", "reason"),
    [(VoiceCall.reject, EndReason.REJECTED), (VoiceCall.busy, EndReason.BUSY)],
)
async def test_no(act: Callable[[VoiceCall], None], reason: EndReason) -> None:
    async with phones() as pair:
        ours = await pair.alice.dial(BOB)
        act(await pair.rung())
        assert await ours.ended == (reason, None, REMOTE, "")
        with pytest.raises(CallEnded) as raised:
            await ours.connected()
        assert raised.value.ended.reason is reason


async def test_a_second_caller_is_told_busy_at_once() -> None:
    async with phones() as pair:
        missed: list[Missed] = []
        pair.bob.on_missed(missed.append)
        first, theirs = await pair.up()
        second = await pair.alice.dial(BOB)
        assert await second.ended == (EndReason.BUSY, None, REMOTE, "")
        assert [each.peer for each in missed] == ["alice@localhost/1"]
        assert pair.bob.calls == (theirs,)
        with pytest.raises(LineFull):
            await asyncio.gather(pair.alice.dial(BOB), pair.alice.dial(BOB))
        assert not first.is_over


async def test_nobody_answers() -> None:
    async with phones(ring_time=0.5) as pair:
        ours = await pair.alice.dial(BOB)
        theirs = await pair.rung()
        assert (await ours.ended)[:3] == (EndReason.TIMEOUT, None, LOCAL)
        assert (await theirs.ended)[0] is EndReason.TIMEOUT
        with pytest.raises(LocalCallError):
            theirs.accept()


async def test_the_caller_gives_up() -> None:
    async with phones() as pair:
        async with await pair.alice.dial(BOB) as ours:
            theirs = await pair.rung()
        assert await ours.ended == (EndReason.CANCELLED, None, LOCAL, "")
        assert await theirs.ended == (EndReason.CANCELLED, None, REMOTE, "")


async def test_an_initiate_that_is_still_on_its_way_is_withdrawn() -> None:
    async with phones() as pair:
        pair.near.held.add("initiate")
        ours = await pair.alice.dial(BOB)
        await asyncio.sleep(0)
        ours.hangup()
        await ours.ended
        await pair.alice._outbox._tasks.settle(1)
        assert pair.near.cancelled == ["initiate"]
        assert pair.bob.calls == ()


async def test_voice_that_never_comes() -> None:
    async with phones(connects=False, connect_time=0.05) as pair:
        ours = await pair.alice.dial(BOB)
        theirs = await pair.rung()
        theirs.accept()
        ends = [await ours.ended, await theirs.ended]
        assert [end.reason for end in ends] == [EndReason.FAILED, EndReason.FAILED]
        assert "no voice came through in time" in [end.why for end in ends]


async def test_voice_that_fails() -> None:
    async with phones() as pair:
        ours, theirs = await pair.up()
        session = pair.voices[0].sessions[ours.id]
        session.stall()
        session.resume()
        session.fail("the cable is out")
        assert await ours.ended == (EndReason.FAILED, 0, LOCAL, "the cable is out")
        assert (await theirs.ended)[:3] == (EndReason.FAILED, 0, REMOTE)
        assert [event for event in await told(ours) if isinstance(event, Stalled | VoiceBack)] == [
            Stalled(),
            VoiceBack(),
        ]


async def test_a_description_that_cannot_be_used() -> None:
    async with phones() as pair:
        ours = await pair.alice.dial(BOB)
        theirs = await pair.rung()
        theirs.accept()
        pair.voices[0].sessions[ours.id].closed = True  # so the callee finds no such session
        assert (await theirs.ended).reason is EndReason.FAILED
        assert "not of a fake session" in (await theirs.ended).why
        assert (await ours.ended).reason is EndReason.FAILED


async def test_an_engine_that_gives_no_session() -> None:
    class NoMedia:
        def session(self, call_id: str, notify: Callable[[MediaEvent], None]) -> MediaSession:
            raise OSError("no such file")

    near, far = loopback.pair()
    async with AobaVoiceCallSignalingClient(near) as alice, Phone(alice, NoMedia()) as phone:
        call = await phone.dial(BOB)
        assert await call.ended == (
            EndReason.FAILED, None, LOCAL, "there is no voice: no such file"
        )  # fmt: skip


async def test_both_dial_at_once() -> None:
    async with phones(lines=2) as pair:
        ours, theirs = await asyncio.gather(pair.alice.dial(BOB), pair.bob.dial("alice@localhost"))
        await asyncio.gather(ours.connected(), theirs.connected())
        assert ours.id == theirs.id
        assert {ours.role, theirs.role} == {Role.CALLER, Role.CALLEE}
        assert len(pair.alice.calls) == len(pair.bob.calls) == 1
        ours.hangup()
        assert (await theirs.ended).reason is EndReason.COMPLETED


async def test_who_calls_already_is_answered_by_dialing() -> None:
    async with phones() as pair:
        ours = await pair.alice.dial(BOB)
        theirs = await pair.rung()
        assert await pair.bob.dial("alice@localhost") is theirs
        await ours.connected()


async def test_mute_is_told_and_heard() -> None:
    async with phones() as pair:
        ours, theirs = await pair.up()
        ours.mute()
        ours.mute()
        ours.mute(False)
        theirs.mute()
        while not ours.remote_muted:
            await asyncio.sleep(0)
        assert not ours.muted and theirs.muted and not theirs.remote_muted
        assert pair.voices[1].sessions[ours.id].muted
        ours.hangup()
        mutes = [event for event in await told(ours) if isinstance(event, Muted)]
        assert mutes == [Muted(LOCAL, True), Muted(LOCAL, False), Muted(REMOTE, True)]
        mutes = [event for event in await told(theirs) if isinstance(event, Muted)]
        assert sorted(mutes, key=lambda event: event.by) == [
            Muted(LOCAL, True),
            Muted(REMOTE, True),
            Muted(REMOTE, False),
        ]


async def test_leaving_hangs_up_and_tells_the_peer() -> None:
    async with phones() as pair:
        ours, theirs = await pair.up()
        await pair.alice.aclose()
        await pair.alice.aclose()
        assert (await ours.ended)[:3] == (EndReason.COMPLETED, 0, LOCAL)
        assert (await theirs.ended)[:3] == (EndReason.COMPLETED, 0, REMOTE)
        with pytest.raises(RuntimeError, match="inside"):
            await pair.alice.dial(BOB)


async def test_somebody_who_is_not_there() -> None:
    async with phones() as pair:
        call = await pair.alice.dial("carol@localhost")
        ended = await call.ended
        assert ended[:3] == (EndReason.FAILED, None, REMOTE)
        assert "carol@localhost is not on this link" in ended.why


async def test_a_call_that_ended_is_not_given_out() -> None:
    async with phones() as pair:
        first = await pair.alice.dial(BOB)
        while not pair.bob.calls:
            await asyncio.sleep(0)
        first.hangup()
        await pair.bob.calls[0].ended
        second = await pair.alice.dial(BOB)
        assert (await pair.rung()).id == second.id
