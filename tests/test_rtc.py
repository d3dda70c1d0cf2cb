"""Two sessions over loopback with real media: tones, mute, stalls, peers that vanish, and nothing left behind."""

from __future__ import annotations

import asyncio
import gc
import logging
import os
import threading
from pathlib import Path
from typing import cast

import aioice.ice
import pytest
from aioice import stun
from aoba_runtime import rtc, rtc_engine
from aoba_runtime.audio import AudioError, Voice
from aoba_runtime.audio_levels import rms
from aoba_runtime.audio_tones import Tone
from aoba_runtime.media import (
    BadMedia,
    Connected,
    Failed,
    FirstAudio,
    PeerClosed,
    Resumed,
    Stalled,
)
from aoba_runtime.rtc import IceServer, RtcOptions, RtcSession
from aoba_runtime.signals import Candidate
from voices import call, make_end, negotiate, pitch


def connection_of(session: RtcSession) -> aioice.Connection:
    return session._transceiver.receiver.transport.transport._connection


def cut(session: RtcSession) -> None:
    """Let nothing in any more."""
    setattr(connection_of(session), "data_received", lambda data, component: None)


def mend(session: RtcSession) -> None:
    delattr(connection_of(session), "data_received")


async def test_both_ends_hear_each_other() -> None:
    async with call() as (caller, callee):
        for end, hz in ((caller, 1000), (callee, 440)):
            heard = await end.ear.next(50)
            assert pitch(heard) == pytest.approx(hz, abs=3)
            assert rms(heard) == pytest.approx(0.2, rel=0.05)  # not 3 dB less
        for end in (caller, callee):
            kinds = [type(event) for event in end.events]
            assert kinds.count(Connected) == kinds.count(FirstAudio) == 1
            assert end.candidates[-1] == ""
            assert all("127.0.0.1" in text for text in end.candidates[:-1])
            stats = await end.session.stats()
            assert stats.received_packets > 40
            assert stats.local_level == pytest.approx(0.2, abs=0.01)
            assert stats.remote_level == pytest.approx(0.2, abs=0.02)
            assert stats.jitter is not None and stats.jitter < 1
            assert stats.mos is not None and 1 <= stats.mos <= 4.5


async def test_a_connection_does_not_wait_for_the_pace_of_its_checks(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(rtc_engine, "PACE", 3600)
    async with call() as (caller, callee):
        await asyncio.gather(caller.told(Connected), callee.told(Connected))


async def test_candidates_are_in_the_description_too_and_come_one_by_one() -> None:
    caller = make_end()
    await caller.session.prepare()
    offer = await caller.session.offer()
    while "" not in caller.candidates:
        await asyncio.sleep(0)
    *texts, end = caller.candidates
    assert texts and all(f"a={text}\r\n" in offer for text in texts)
    await caller.session.aclose()


async def test_a_peer_that_only_sends_candidates_as_signals_is_reached() -> None:
    caller, callee = make_end(Tone(440)), make_end()
    offer = await caller.session.offer()
    bare = "".join(
        line
        for line in offer.splitlines(keepends=True)
        if not line.startswith(("a=candidate", "a=end-of-candidates"))
    )
    early = Candidate(offer.split("a=candidate:")[1].splitlines()[0], "0", 0)
    await callee.session.add_candidate(early)  # before the offer: it waits for it
    await caller.session.accept_answer(await callee.session.answer(bare))
    await callee.told(FirstAudio)
    assert callee.session.refused == 0
    await callee.session.aclose()
    await caller.session.aclose()


async def test_mute_sends_silence_and_frames_go_on() -> None:
    async with call() as (caller, callee):
        caller.session.mute(True)
        await callee.ear.until(lambda: rms(b"".join(callee.ear.frames[-10:])) < 1e-4)
        before = (await callee.session.stats()).received_packets
        assert rms(await callee.ear.next(25)) < 1e-4
        assert (await callee.session.stats()).received_packets - before >= 15
        assert (await caller.session.stats()).local_level == 0
        caller.session.mute(False)
        await callee.ear.until(lambda: rms(b"".join(callee.ear.frames[-10:])) > 0.15)
        assert pitch(await callee.ear.next(25)) == pytest.approx(440, abs=3)


async def test_the_end_of_a_source_is_silence_and_another_can_follow() -> None:
    class Short(Tone):
        left = 10

        def read(self) -> bytes | None:  # type: ignore[override]  # a tone that ends
            self.left -= 1
            return super().read() if self.left >= 0 else None

    async with call() as (caller, callee):
        async with asyncio.timeout(20):
            await caller.session.voice.play(Short(600))
        await callee.ear.until(lambda: rms(b"".join(callee.ear.frames[-5:])) < 1e-3)
        caller.session.voice.source = Tone(700)
        await callee.ear.until(lambda: rms(b"".join(callee.ear.frames[-5:])) > 0.1)
        assert pitch(await callee.ear.next(25)) == pytest.approx(700, abs=3)


async def test_a_peer_that_closes_is_told_of() -> None:
    async with call() as (caller, callee):
        await caller.session.aclose()
        await callee.told(PeerClosed)
        assert not any(isinstance(event, Failed) for event in callee.events)
        assert caller.ear.closed


async def test_a_silent_peer_is_stalled_then_resumed_then_failed() -> None:
    async with call(stall_after=0.4, fail_after=1.2) as (caller, callee):
        cut(callee.session)
        await callee.told(Stalled)
        mend(callee.session)
        await callee.told(Resumed)
        cut(callee.session)
        failed = await callee.told(Failed)
        assert failed.why == "nothing came from the peer for 1.2 s"
        kinds = [type(event) for event in callee.events if not isinstance(event, FirstAudio)]
        assert kinds[-4:] == [Stalled, Resumed, Stalled, Failed]


async def test_a_vanished_peer_has_failed_and_not_closed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(aioice.ice, "CONSENT_INTERVAL", 0.1)
    monkeypatch.setattr(aioice.ice, "CONSENT_FAILURES", 1)
    monkeypatch.setattr(rtc, "QUIET", 0.3)
    async with call(stall_after=60, fail_after=90) as (caller, callee):
        for protocol in connection_of(caller.session)._protocols:
            setattr(protocol.transport, "sendto", lambda data, addr: None)
        assert (await callee.told(Failed)).why == "the peer vanished"


async def test_an_offer_that_ends_without_a_candidate_fails_soon_and_is_answered() -> None:
    """aioice alone would gather nothing for it, and say nothing."""
    caller, callee = make_end(), make_end()
    offer = await caller.session.offer()
    empty = "".join(line for line in offer.splitlines(True) if not line.startswith("a=candidate"))
    assert "a=candidate" in await callee.session.answer(empty)
    assert (await callee.told(Failed)).why == "no way to the peer was found"
    await callee.session.aclose()
    await caller.session.aclose()


async def test_a_wrong_fingerprint_fails_with_its_reason() -> None:
    caller, callee = make_end(), make_end()
    offer = await caller.session.offer()
    answer = await callee.session.answer(offer)
    kept = [line for line in answer.splitlines(True) if not line.startswith("a=fingerprint")]
    forged = "".join([*kept, "a=fingerprint:sha-256 " + ":".join(["AB"] * 32) + "\r\n"])
    await caller.session.accept_answer(forged)
    assert "DTLS" in (await caller.told(Failed)).why
    await caller.session.aclose()
    await callee.session.aclose()


async def test_no_candidate_anywhere_fails_at_once() -> None:
    caller = make_end(options=RtcOptions(local_addresses=("192.0.2.1",)))
    await caller.session.offer()
    failed = await caller.told(Failed)
    assert failed.why.startswith("there is no address to be reached at: 192.0.2.1 cannot be used:")
    await caller.session.aclose()


async def test_a_host_with_loopback_only_is_told_what_to_choose(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(aioice.ice, "get_host_addresses", lambda use_ipv4, use_ipv6: [])
    caller = make_end(options=RtcOptions())
    await caller.session.offer()
    assert "choose 127.0.0.1" in (await caller.told(Failed)).why
    await caller.session.aclose()


@pytest.mark.parametrize("server", ["stun", "turn"])
async def test_closing_while_a_dead_server_is_asked_is_quick_and_quiet(
    server: str, caplog: pytest.LogCaptureFixture
) -> None:
    """aioice alone goes on asking through the closed socket, and logs a traceback."""
    loop = asyncio.get_running_loop()
    heard = asyncio.Event()

    class Deaf(asyncio.DatagramProtocol):
        def datagram_received(self, data: bytes, addr: object) -> None:
            heard.set()

    deaf, _ = await loop.create_datagram_endpoint(Deaf, local_addr=("127.0.0.1", 0))
    port = deaf.get_extra_info("sockname")[1]
    options = RtcOptions(
        ice_servers=(IceServer(f"{server}:127.0.0.1:{port}", "user", "secret"),),
        local_addresses=("127.0.0.1",),
    )
    caller = make_end(options=options)
    before = asyncio.all_tasks()
    offering = asyncio.create_task(caller.session.offer())
    with caplog.at_level(logging.WARNING):
        await heard.wait()
        began = loop.time()
        await caller.session.aclose()
        assert loop.time() - began < 2
        with pytest.raises(BadMedia, match="the call has ended meanwhile"):
            await offering
    assert asyncio.all_tasks() <= before
    assert caplog.text == ""
    deaf.close()


class Server(asyncio.DatagramProtocol):
    """STUN and TURN (RFC 8489, RFC 8656), as far as a candidate needs; gone when the allocation is to be ended."""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast(asyncio.DatagramTransport, transport)

    def datagram_received(self, data: bytes, addr: tuple[str, int]) -> None:
        asked = stun.parse_message(data)
        reply = stun.Message(asked.message_method, stun.Class.RESPONSE, asked.transaction_id)
        reply.attributes["XOR-MAPPED-ADDRESS"] = ("203.0.113.9", 4444)
        if asked.message_method == stun.Method.ALLOCATE:
            reply.attributes["XOR-RELAYED-ADDRESS"] = ("203.0.113.10", 5555)
            reply.attributes["LIFETIME"] = 600
        if asked.message_method != stun.Method.REFRESH:
            self.transport.sendto(bytes(reply), addr)

    @classmethod
    async def start(cls) -> tuple[asyncio.DatagramTransport, int]:
        """Its socket and its port."""
        loop = asyncio.get_running_loop()
        server, _ = await loop.create_datagram_endpoint(cls, local_addr=("127.0.0.1", 0))
        return server, server.get_extra_info("sockname")[1]


async def test_a_relay_that_is_gone_does_not_hold_up_the_end(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """The goodbye to it would be tried for a minute."""
    monkeypatch.setattr(rtc, "CLOSING", 0.3)
    server, port = await Server.start()
    before = asyncio.all_tasks()
    url = f"turn:127.0.0.1:{port}"
    caller = make_end(options=RtcOptions((IceServer(url, "user", "secret"),), relay_only=True))
    assert "203.0.113.10 5555 typ relay" in await caller.session.offer()
    async with asyncio.timeout(30):
        await caller.session.aclose()
        while not asyncio.all_tasks() <= before:
            await asyncio.sleep(0)
    server.close()
    assert caplog.text == ""


async def test_what_a_server_sees_is_a_candidate_too() -> None:
    server, port = await Server.start()
    url = f"stun:127.0.0.1:{port}"
    # The first gives nothing, which is no reason not to ask the second.
    servers = (IceServer("stun:127.0.0.1:9"), IceServer(url))
    options = RtcOptions(servers, local_addresses=("127.0.0.1",), gather_timeout=1)
    caller, callee = make_end(options=options), make_end()
    await negotiate(caller, callee)
    await caller.told(Connected)
    found = [text.split()[4:8] for text in caller.candidates[:-1]]
    assert ["203.0.113.9", "4444", "typ", "srflx"] in found
    await caller.session.aclose()
    await callee.session.aclose()
    server.close()


async def test_a_dead_server_is_named_and_the_call_goes_on_without_it() -> None:
    loop = asyncio.get_running_loop()
    deaf, _ = await loop.create_datagram_endpoint(
        asyncio.DatagramProtocol, local_addr=("127.0.0.1", 0)
    )
    url = f"stun:127.0.0.1:{deaf.get_extra_info('sockname')[1]}"
    options = RtcOptions((IceServer(url),), local_addresses=("127.0.0.1",), gather_timeout=0.3)
    caller, callee = make_end(options=options), make_end()
    await negotiate(caller, callee)
    await caller.told(Connected)
    assert caller.session._gatherer.problems == [f"{url}: no answer"]
    await caller.session.aclose()
    await callee.session.aclose()
    deaf.close()


async def test_relay_only_without_a_relay_says_why() -> None:
    loop = asyncio.get_running_loop()
    deaf, _ = await loop.create_datagram_endpoint(
        asyncio.DatagramProtocol, local_addr=("127.0.0.1", 0)
    )
    url = f"turn:127.0.0.1:{deaf.get_extra_info('sockname')[1]}"
    servers = (IceServer(url, "user", "secret"),)
    caller = make_end(options=RtcOptions(servers, relay_only=True, gather_timeout=0.3))
    offer = await caller.session.offer()
    assert "a=candidate" not in offer
    assert (
        await caller.told(Failed)
    ).why == f"no TURN server gave a relay address: {url}: no answer"
    await caller.session.aclose()
    deaf.close()


@pytest.mark.parametrize("moment", ["new", "offered", "answered", "applied"])
async def test_closing_at_any_moment_leaves_nothing(
    moment: str, caplog: pytest.LogCaptureFixture
) -> None:
    before = asyncio.all_tasks()
    caller, callee = make_end(), make_end()
    if moment != "new":
        offer = await caller.session.offer()
        if moment != "offered":
            answer = await callee.session.answer(offer)
            if moment == "applied":
                await caller.session.accept_answer(answer)
    for end in (caller, callee):
        await end.session.aclose()
        await end.session.aclose()
    for _ in range(5):
        await asyncio.sleep(0)
    assert asyncio.all_tasks() <= before
    with pytest.raises(BadMedia, match="the call has ended meanwhile"):
        await caller.session.offer()
    gc.collect()
    assert caplog.text == ""


async def test_calls_in_sequence_leave_no_task_thread_or_socket(
    caplog: pytest.LogCaptureFixture,
) -> None:
    def open_files() -> int:
        return len(os.listdir("/proc/self/fd")) if Path("/proc/self/fd").is_dir() else 0

    async def hold_a_call() -> None:
        caller, callee = make_end(Tone(440)), make_end()
        await negotiate(caller, callee)
        await callee.told(FirstAudio)
        await caller.session.aclose()
        await callee.told(PeerClosed)
        await callee.session.aclose()

    await hold_a_call()  # what is made once for all is made now
    tasks, threads, files = asyncio.all_tasks(), threading.active_count(), open_files()
    for _ in range(20):
        await hold_a_call()
    for _ in range(5):
        await asyncio.sleep(0)
    assert asyncio.all_tasks() <= tasks
    assert threading.active_count() <= threads
    assert open_files() <= files
    assert caplog.text == ""


async def test_a_voice_is_of_one_call() -> None:
    """Its sources were closed with the first; the second would be silent, and nobody would know why."""
    voice = Voice()
    media = rtc.RtcMedia(RtcOptions(local_addresses=("127.0.0.1",)), lambda call_id: voice)
    session = media.session("a", lambda event: None)
    await session.aclose()
    with pytest.raises(AudioError, match="give each its own"):
        media.session("b", lambda event: None)
