"""The rules of a call against a peer that breaks them, over real servers: what is refused, with what, and that nothing changes.

Voice is fake: these rows are about signals alone.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from typing import Any

import pytest
from interop.calls import Member, Place, Script, over, party, script, told

from aoba_runtime import Outgoing, new_uuid
from aoba_runtime.call_machine import MAX_HELD
from aoba_runtime.errors import (
    BadMessage,
    LimitExceeded,
    NotAParty,
    UnexpectedMessage,
    UnknownCall,
    UnsupportedMessage,
)
from aoba_runtime.fake_media import FakeMedia, FakeSession
from aoba_runtime.phone import VoiceCall
from aoba_runtime.phone_events import EndReason, Muted, Party
from aoba_runtime.signals import (
    Accept,
    Answer,
    Candidate,
    Hangup,
    IceCandidate,
    Initiate,
    MuteChange,
    Offer,
)

pytestmark = pytest.mark.interop


@dataclass
class Scene:
    """A phone, and a scripted peer with a voice of its own."""

    alice: Member
    media: FakeMedia
    bob: Script
    voice: FakeSession

    async def says(self, kind: Any, call_id: str, *content: Any) -> None:
        """Bob says something to Alice."""
        await self.bob.say(self.alice.jid, kind, call_id, *content)

    async def calls(self) -> VoiceCall:
        """Bob calls and Alice accepts."""
        await self.bob.initiate(self.alice.jid)
        call = await self.alice.rung()
        call.accept()
        await self.bob.told(Accept)
        return call

    async def talks(self) -> VoiceCall:
        """Bob calls, and the two are connected."""
        call = await self.calls()
        await self.says(Offer, call.id, await self.voice.offer())
        await self.voice.accept_answer((await self.bob.told(Answer)).sdp)
        await call.connected()
        return call


@asynccontextmanager
async def scene(place: Place, **options: Any) -> AsyncIterator[Scene]:
    media = FakeMedia()
    async with (
        party(place, "alice", media=media, **options) as alice,
        script(place, "bob") as bob,
    ):
        yield Scene(alice, media, bob, FakeMedia().session("bob", lambda event: None))


async def test_early_candidates_are_kept_in_order_and_bounded(place: Place) -> None:
    async with scene(place) as at:
        call = await at.calls()
        for number in range(MAX_HELD):
            await at.says(IceCandidate, call.id, Candidate(f"candidate:{number}", "0", 0))
        with pytest.raises(LimitExceeded):
            await at.says(IceCandidate, call.id, Candidate("candidate:more", "0", 0))
        session = at.media.sessions[call.id]
        assert session.candidates == []
        await at.says(Offer, call.id, await at.voice.offer())
        await at.voice.accept_answer((await at.bob.told(Answer)).sdp)
        await call.connected()
        texts = [each.candidate for each in session.candidates]
        assert texts == [f"candidate:{number}" for number in range(MAX_HELD)]
        call.hangup()
        hangup = await at.bob.told(Hangup)
        assert (hangup.reason, hangup.duration) == (EndReason.COMPLETED, 0)


async def test_the_same_signal_again_is_acted_on_once(place: Place) -> None:
    async with scene(place) as at:
        rings: list[VoiceCall] = []
        at.alice.phone.on_incoming(rings.append)
        initiate = Initiate(new_uuid(), at.bob.stamp())
        for _ in range(3):
            await at.bob.plug.send(initiate, at.alice.jid)
        assert [call.id for call in rings] == [initiate.call_id]
        rings[0].hangup()
        for _ in range(2):  # a resend is answered with a result also after the end
            await at.bob.plug.send(initiate, at.alice.jid)
        with pytest.raises(UnknownCall):  # a new initiate of an ended call never rings
            await at.bob.plug.send(replace(initiate, timestamp=at.bob.stamp()), at.alice.jid)
        assert len(rings) == 1

        call = await at.talks()
        mute = MuteChange(call.id, at.bob.stamp(), True)
        for _ in range(3):
            await at.bob.plug.send(mute, at.alice.jid)
        await at.bob.plug.send(replace(mute, timestamp=at.bob.stamp()), at.alice.jid)
        call.hangup()
        assert [event async for event in call if isinstance(event, Muted)] == [
            Muted(Party.REMOTE, True),
            Muted(Party.REMOTE, True),
        ]


async def test_signals_of_an_ended_call_change_nothing(place: Place) -> None:
    async with scene(place) as at:
        call = await at.talks()
        call.hangup()
        ended = await call.ended
        for kind, content in (
            (Accept, ()),
            (Offer, ("v=0",)),
            (IceCandidate, (Candidate(""),)),
            (MuteChange, (True,)),
            (Hangup, (EndReason.FAILED,)),
        ):
            for call_id in (call.id, new_uuid()):
                with pytest.raises(UnknownCall):
                    await at.says(kind, call_id, *content)
        assert await call.ended == ended and at.alice.phone.calls == ()


async def test_a_stale_initiate_never_rings(place: Place) -> None:
    async with scene(place, ring_time=5.0) as at:
        rings: list[VoiceCall] = []
        at.alice.phone.on_incoming(rings.append)
        for age, is_stale in ((60_000, True), (10_500, True), (1_000, False)):
            initiate = Initiate(new_uuid(), at.bob.stamp() - age)
            if is_stale:
                with pytest.raises(UnknownCall):
                    await at.bob.plug.send(initiate, at.alice.jid)
            else:
                await at.bob.plug.send(initiate, at.alice.jid)
        assert [call.id for call in rings] == [initiate.call_id]


async def test_a_refused_step_leaves_the_call_as_it_was(place: Place) -> None:
    """Wrong state at each stage, rubbish and unknown types; then the call goes on to its end."""
    async with scene(place) as at:
        call_id = await at.bob.initiate(at.alice.jid)
        call = await at.alice.rung()
        early: list[tuple[Any, tuple[Any, ...]]] = [
            (Accept, ()), (Offer, ("v=0",)), (Answer, ("v=0",)), (MuteChange, (True,))
        ]  # fmt: skip
        for kind, content in early:
            with pytest.raises(UnexpectedMessage):
                await at.says(kind, call_id, *content)
        call.accept()
        await at.bob.told(Accept)
        for kind, content in ((Accept, ()), (Answer, ("v=0",))):
            with pytest.raises(UnexpectedMessage):
                await at.says(kind, call_id, *content)
        await at.says(Offer, call_id, offer := await at.voice.offer())
        answer = await at.bob.told(Answer)
        for kind, content in ((Offer, (offer,)), (Answer, (answer.sdp,))):
            with pytest.raises(UnexpectedMessage):
                await at.says(kind, call_id, *content)
        for data, fault in (
            (b"rubbish", BadMessage),
            (b'{"type":"call:hangup"}', BadMessage),
            (b'{"type":"call:transfer","callId":"%s"}' % call_id.encode(), UnsupportedMessage),
        ):
            with pytest.raises(fault):
                await at.bob.transport.send(Outgoing(data, at.alice.jid))
        await at.voice.accept_answer(answer.sdp)
        await call.connected()
        call.hangup()
        assert (await at.bob.told(Hangup)).reason is EndReason.COMPLETED


async def test_a_third_party_changes_nothing(place: Place) -> None:
    async with scene(place) as at, script(place, "mallory") as mallory:
        call = await at.talks()
        for kind, content in (
            (Hangup, (EndReason.COMPLETED,)),
            (MuteChange, (True,)),
            (IceCandidate, (Candidate("candidate:x"),)),
            (Offer, ("v=0",)),
            (Initiate, ()),
        ):
            with pytest.raises((NotAParty, UnexpectedMessage)) as refused:
                await mallory.say(at.alice.jid, kind, call.id, *content)
            assert type(refused.value) is NotAParty
        assert not call.is_over and not call.remote_muted
        await at.says(MuteChange, call.id, True)
        assert await told(call, Muted) == Muted(Party.REMOTE, True)
        await at.says(Hangup, call.id, EndReason.COMPLETED, 1)
        assert await over(call) == (EndReason.COMPLETED, Party.REMOTE)


async def test_signals_of_one_call_arrive_in_the_order_sent(place: Place) -> None:
    """From a phone: none waits for the one before to be acknowledged."""
    async with scene(place) as at:
        call = await at.talks()
        at.bob.heard.clear()
        wanted = [number % 2 == 0 for number in range(60)]
        for muted in wanted:
            call.mute(muted)
        call.hangup()
        await at.bob.told(Hangup)
        assert [each.muted for each in at.bob.heard if isinstance(each, MuteChange)] == wanted


async def test_many_signals_at_once_from_the_peer_are_taken_in_order(place: Place) -> None:
    async with scene(place) as at:
        call = await at.talks()
        wanted = [number % 2 == 0 for number in range(60)]
        await asyncio.gather(*(at.says(MuteChange, call.id, muted) for muted in wanted))
        await at.says(Hangup, call.id, EndReason.COMPLETED)
        assert [
            event.muted async for event in call if isinstance(event, Muted)
        ] == wanted  # fmt: skip
