"""A peer that means harm, over real servers and with real voice: nothing dies, memory is bounded, and later calls work.

`AOBA_INITIATES` says how often it calls.
"""

from __future__ import annotations

import asyncio
import gc
import logging
import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import pytest
from interop.calls import Member, Place, Script, both_hear, hears, over, party, script, soon, talk
from voices import End, make_end, pitch

from aoba_runtime import new_uuid
from aoba_runtime.audio_tones import Tone
from aoba_runtime.call_memory import BURST, ENDED_KEPT
from aoba_runtime.errors import Fault, LimitExceeded, NotAParty, UnknownCall
from aoba_runtime.media import FirstAudio
from aoba_runtime.phone import Missed, VoiceCall
from aoba_runtime.phone_events import EndReason, Party
from aoba_runtime.refusals import AT_ONCE
from aoba_runtime.rtc import RtcSession
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
INITIATES = int(os.environ.get("AOBA_INITIATES", "5000"))
NAME = "6d9f4b3a-6f2d-4f0e-9a53-0c7a8be1d2f3.local"

CANDIDATES: Final = [
    "candidate:1 1 udp 2130706431 127.0.0.1 99999 typ host",  # once closed our socket
    "candidate:1 1 udp 2130706431 127.0.0.1 0 typ host",
    "candidate:1 1 udp 2130706431 127.0.0.1 -5 typ host",
    "candidate:1 1 udp 99999999999999999999 127.0.0.1 9 typ host",
    "candidate:1 2 udp 2130706431 127.0.0.1 9 typ host",
    "candidate:1 1 tcp 2130706431 127.0.0.1 9 typ host tcptype active",
    "candidate:1 1 udp 2130706431 224.0.0.1 9 typ host",
    "candidate:1 1 udp 2130706431 255.255.255.255 9 typ host",
    "candidate:1 1 udp 2130706431 example.com 9 typ host",
    f"candidate:1 1 udp 2130706431 {NAME} 9 typ host",
    "candidate:1 1 udp 2130706431 fe80::1%eth0 9 typ host",
    "candidate:1 1 udp 2130706431 127.0.0.1 9 typ none",
    "candidate:1 1 udp 2130706431 127.0.0.1 \u0661\u0662 typ host",
    "candidate:" + "1" * 4000,
    "candidate:",
    "rubbish",
    "\x00\r\na=ice-ufrag:evil",
    "candidate:1 1 udp 1 127.0.0.1 9 typ host\r\na=candidate:1 1 udp 1 127.0.0.1 99999 typ host",
]
RUBBISH: Final = [
    "",
    "v=0",
    "\x00\xff" * 100,
    "{}",
    "v=0\r\n" * 2000,
    "v=0\r\no=- 1 1 IN IP4 0.0.0.0\r\ns=-\r\nt=0 0\r\nm=audio",
    "v=0\r\no=- 1 1 IN IP4 0.0.0.0\r\ns=-\r\nt=0 0\r\nm=audio 99999999 X -1\r\na=mid:0\r\n",
    "v=0\r\no=- 1 1 IN IP4 0.0.0.0\r\ns=-\r\nt=0 0\r\nm=video 9 UDP/TLS/RTP/SAVPF 96\r\n",
]


@dataclass
class Scene:
    """A phone, and a peer that means harm, with a real voice and the protocol in its own hands."""

    alice: Member
    mallory: Script
    voice: End

    async def calls(self) -> VoiceCall:
        """Mallory calls, and Alice accepts."""
        await self.mallory.initiate(self.alice.jid)
        call = await self.alice.rung()
        call.accept()
        await self.mallory.told(Accept)
        return call


@asynccontextmanager
async def scene(place: Place) -> AsyncIterator[Scene]:
    voice = make_end(Tone(1000))
    async with party(place, "alice") as alice, script(place, "mallory") as mallory:
        yield Scene(alice, mallory, voice)
    await voice.session.aclose()


@asynccontextmanager
async def quiet(caplog: pytest.LogCaptureFixture) -> AsyncIterator[None]:
    """Nothing that a user would have to look at is logged, and no task dies."""
    problems: list[object] = []
    asyncio.get_running_loop().set_exception_handler(lambda loop, context: problems.append(context))
    yield
    loud = [each.getMessage() for each in caplog.records if each.levelno > logging.INFO]
    refused = [text for text in loud if text.startswith("refused message ")]
    assert loud == refused and len(refused) < 20 * AT_ONCE  # `Refusals` bounds it
    assert problems == []


def resident() -> int:
    """Bytes of memory of this process."""
    gc.collect()
    return int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")


async def afterwards(place: Place, alice: Member) -> None:
    """An honest call works."""
    async with party(place, "bob", hz=700) as bob:
        ours, theirs = await talk(bob, alice)
        await both_hear(ours, theirs, hz=(700, 440))
        ours.hangup()
        assert await over(theirs) == (EndReason.COMPLETED, Party.REMOTE)


async def test_hostile_candidates(place: Place, caplog: pytest.LogCaptureFixture) -> None:
    """As signals before and after the offer, and in it: all are dropped, the good one is found."""
    async with quiet(caplog), scene(place) as at:
        call = await at.calls()

        async def throw() -> None:
            for text in CANDIDATES:
                for mid, line in (("0", 0), ("9", 9), (None, None)):
                    candidate = Candidate(text, mid, line, None)
                    await at.mallory.say(at.alice.jid, IceCandidate, call.id, candidate)

        await throw()
        offer = await at.voice.session.offer()
        lines = "".join(f"a={text}\r\n" for text in CANDIDATES if text.isprintable())
        hostile = offer.replace("a=candidate:", f"{lines}a=candidate:", 1)
        await at.mallory.say(at.alice.jid, Offer, call.id, hostile)
        await at.voice.session.accept_answer((await at.mallory.told(Answer)).sdp)
        await throw()
        await soon(call.connected())
        await hears(call, 1000)
        await at.voice.told(FirstAudio)
        assert abs(pitch(await at.voice.ear.next(25)) - 440) < 5
        session = call.session
        assert isinstance(session, RtcSession) and session.refused > 20
        await at.mallory.say(at.alice.jid, Hangup, call.id, EndReason.COMPLETED)
        assert await over(call) == (EndReason.COMPLETED, Party.REMOTE)
        await afterwards(place, at.alice)


async def test_session_descriptions_that_are_none(
    place: Place, caplog: pytest.LogCaptureFixture
) -> None:
    """As offers and as answers: each call fails with a reason, at both ends."""
    async with quiet(caplog), scene(place) as at:
        for sdp in RUBBISH:
            call = await at.calls()
            await at.mallory.say(at.alice.jid, Offer, call.id, sdp)
            assert await over(call) == (EndReason.FAILED, Party.LOCAL)
            assert (await call.ended).why
            assert (await at.mallory.told(Hangup)).reason is EndReason.FAILED

            ours = await at.alice.phone.dial(at.mallory.jid)
            await at.mallory.told(Initiate)
            await at.mallory.say(at.alice.jid, Accept, ours.id)
            await at.mallory.told(Offer)
            await at.mallory.say(at.alice.jid, Answer, ours.id, sdp)
            assert await over(ours) == (EndReason.FAILED, Party.LOCAL)
            assert (await at.mallory.told(Hangup)).reason is EndReason.FAILED
        await afterwards(place, at.alice)


async def test_a_thousand_candidates(place: Place, caplog: pytest.LogCaptureFixture) -> None:
    """Past the limit they are refused; the call that they belong to is made all the same."""
    async with quiet(caplog), scene(place) as at:
        call = await at.calls()
        await at.mallory.say(at.alice.jid, Offer, call.id, await at.voice.session.offer())
        answer = await at.mallory.told(Answer)

        async def throw(port: int) -> Fault | None:
            candidate = Candidate(f"candidate:1 1 udp 1 127.0.0.2 {port} typ host", "0", 0)
            try:
                await at.mallory.say(at.alice.jid, IceCandidate, call.id, candidate)
            except Fault as fault:
                return fault
            return None

        outcome: list[Fault | None] = []
        for first in range(1000, 2000, 250):
            outcome += await asyncio.gather(*map(throw, range(first, first + 250)))
        kinds = {type(fault) for fault in outcome if fault is not None}
        assert kinds == {LimitExceeded} and outcome.count(None) == 256
        await at.voice.session.accept_answer(answer.sdp)
        await soon(call.connected())
        await hears(call, 1000)
        call.hangup()
        assert (await at.mallory.told(Hangup)).reason is EndReason.COMPLETED


async def test_thousands_of_initiates_during_a_call(
    place: Place, caplog: pytest.LogCaptureFixture
) -> None:
    """The call that is up is heard all the while; few of them are told busy, the others refused; memory stays."""
    async with (
        quiet(caplog),
        party(place, "alice") as alice,
        party(place, "bob", hz=1000) as bob,
        script(place, "mallory", ack_timeout=60.0) as mallory,
    ):
        missed: list[Missed] = []
        alice.phone.on_missed(missed.append)
        ours, theirs = await talk(alice, bob)
        await both_hear(ours, theirs)

        async def throw() -> type[Fault] | None:
            try:
                await mallory.initiate(alice.jid)
            except Fault as fault:
                return type(fault)
            return None

        loop, grown = asyncio.get_running_loop(), list[int]()
        began, outcome = loop.time(), list[type[Fault] | None]()
        for _ in range(2):
            before = resident()
            for _ in range(INITIATES // 500):
                outcome += await asyncio.gather(*(throw() for _ in range(250)))
                mallory.heard.clear()
            grown.append((resident() - before) // 1024)
        seconds = loop.time() - began
        print(f"{len(outcome)} initiates in {seconds:.1f} s; grown by {grown} KiB in each half")
        assert set(outcome) <= {None, LimitExceeded}
        assert len(missed) <= BURST + 10 * (seconds + 5)
        assert len(alice.phone._line._ended) <= ENDED_KEPT
        assert grown[1] < 4096  # all ends of it are in this process
        assert alice.phone.calls == (ours,)
        await both_hear(ours, theirs)
        ours.hangup()
        assert await over(theirs) == (EndReason.COMPLETED, Party.REMOTE)
        await afterwards(place, alice)


async def test_strangers_in_a_call(place: Place, caplog: pytest.LogCaptureFixture) -> None:
    """Who knows the call's id, but is not in it, ends nothing and mutes nobody."""
    async with (
        quiet(caplog),
        party(place, "alice") as alice,
        party(place, "bob", hz=1000) as bob,
        script(place, "mallory") as mallory,
    ):
        ours, theirs = await talk(alice, bob)
        listening = asyncio.gather(hears(ours, 1000), hears(theirs, 440))
        for _ in range(50):
            for kind, content in (
                (Hangup, (EndReason.COMPLETED,)),
                (MuteChange, (True,)),
                (Initiate, ()),
            ):
                with pytest.raises(NotAParty):
                    await mallory.say(alice.jid, kind, ours.id, *content)
        with pytest.raises(UnknownCall):
            await mallory.say(alice.jid, Hangup, new_uuid(), EndReason.COMPLETED)
        await listening
        assert not ours.remote_muted and not theirs.remote_muted
        ours.hangup()
        assert await over(theirs) == (EndReason.COMPLETED, Party.REMOTE)


async def test_audio_that_nobody_reads(place: Place) -> None:
    """A listener that is forgotten keeps one second; the newest, and the rest is counted."""
    async with party(place, "alice") as alice, party(place, "bob", hz=1000) as bob:
        ours, theirs = await talk(alice, bob)
        session = ours.session
        assert isinstance(session, RtcSession)
        forgotten = session.audio(rate=16_000, seconds=1.0)
        await both_hear(ours, theirs)
        for _ in range(4):
            await hears(ours, 1000)
        ours.hangup()
        await over(theirs)
        kept = [pcm async for pcm in forgotten]
        assert 50 <= len(kept) < 75 and forgotten.dropped > 30  # the end may come while it is read
