"""Sessions and peers of other kinds: names without an answer, floods, a stock peer, a program that talks in PCM."""

from __future__ import annotations

import asyncio
from dataclasses import replace

import aioice.ice
import aioice.mdns
import av
import numpy as np
import pytest
from aiortc import (
    MediaStreamTrack,
    RTCConfiguration,
    RTCPeerConnection,
    RTCSessionDescription,
)
from aiortc.rtcrtpreceiver import RemoteStreamTrack
from aiortc.rtp import RtpPacket
from aoba_runtime import rtc_gather
from aoba_runtime.audio import FRAME, FRAME_SECONDS, RATE
from aoba_runtime.audio_levels import rms
from aoba_runtime.audio_tones import Tone
from aoba_runtime.media import Failed, FirstAudio, PeerClosed
from aoba_runtime.rtc_guard import MAX_STREAMS, MAX_UNREAD
from aoba_runtime.signals import Candidate
from voices import LOOPBACK, call, make_end, pitch

NAME = "candidate:1 1 udp 2113937151 6d9f4b3a-6f2d-4f0e-9a53-0c7a8be1d2f3.local 50000 typ host"


@pytest.mark.parametrize("multicast", [True, False])
async def test_a_name_that_nobody_answers_for_holds_nothing_up(
    multicast: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Neither in the description, where the engine alone would look it up first, nor as a signal."""
    asked = asyncio.Event()

    class Deaf:
        async def resolve(self, name: str) -> None:
            asked.set()
            await asyncio.Event().wait()

        async def close(self) -> None:
            """Nothing to let go of."""

    async def create() -> Deaf:
        if not multicast:
            asked.set()
            raise OSError("no such device")
        return Deaf()

    monkeypatch.setattr(aioice.mdns, "create_mdns_protocol", create)
    caller, callee = make_end(Tone(440)), make_end()
    offer = await caller.session.offer()
    named = offer.replace("a=candidate:", f"a={NAME}\r\na=candidate:")
    named = named.replace("a=end-of-candidates\r\n", "")
    await caller.session.accept_answer(await callee.session.answer(named))
    await callee.session.add_candidate(Candidate(NAME.replace("6d9f", "7d9f"), "0", 0))
    await asked.wait()
    await callee.told(FirstAudio)
    assert callee.session.refused == (0 if multicast else 2)
    for end in (caller, callee):
        await end.session.aclose()


async def test_a_program_listens_and_speaks_in_pcm() -> None:
    async with call() as (caller, callee):
        heard = b""
        async with asyncio.timeout(20):
            async for pcm in caller.session.audio(rate=16_000):
                assert len(pcm) == 640
                heard += pcm
                if len(heard) >= 16_000:
                    break
            assert pitch(heard[3200:], rate=16_000) == pytest.approx(1000, abs=5)
            speech = caller.session.speech(rate=48_000)
            tone = Tone(660)
            await speech.write(b"".join(tone.read() for _ in range(60)))
            listener = callee.session.audio(rate=48_000)
            await speech.wait_for_playout()
            assert speech.said == pytest.approx(1.2)
        await callee.session.aclose()
        spoken = b"".join([pcm async for pcm in listener])
        assert pitch(spoken[24_000:72_000]) == pytest.approx(660, abs=5)


async def test_a_stock_peer_and_we_hear_each_other(monkeypatch: pytest.MonkeyPatch) -> None:
    """aiortc's own encoder, in stereo, and its own decoder."""
    monkeypatch.setattr(aioice.ice, "get_host_addresses", lambda use_ipv4, use_ipv6: ["127.0.0.1"])

    class StockTone(MediaStreamTrack):
        kind = "audio"
        tone, sent, clock = Tone(1000), 0, FRAME_SECONDS

        async def recv(self) -> av.AudioFrame:
            await asyncio.wait([asyncio.get_running_loop().create_future()], timeout=self.clock)
            frame = av.AudioFrame("s16", "stereo", FRAME)
            left = np.frombuffer(self.tone.read(), "<i2")
            frame.planes[0].update(np.repeat(left, 2).tobytes())
            frame.sample_rate, frame.pts = RATE, self.sent
            self.sent += FRAME
            return frame

    stock, ours = RTCPeerConnection(RTCConfiguration(iceServers=[])), make_end(Tone(440))
    stock.addTrack(StockTone())
    await stock.setLocalDescription(await stock.createOffer())
    answer = await ours.session.answer(stock.localDescription.sdp)
    await stock.setRemoteDescription(RTCSessionDescription(answer, "answer"))
    await ours.told(FirstAudio)
    await ours.ear.next(25)
    heard = await ours.ear.next(50)
    assert pitch(heard) == pytest.approx(1000, abs=5)
    track = stock.getReceivers()[0].track
    left = np.empty(0, "<i2")
    for _ in range(75):
        frame = await track.recv()
        assert isinstance(frame, av.AudioFrame)
        left = np.append(left, np.frombuffer(bytes(frame.planes[0]), "<i2", 2 * FRAME)[::2])
    left = left[25 * FRAME :]
    assert pitch(left.tobytes()) == pytest.approx(440, abs=5)
    assert rms(left.tobytes()) == pytest.approx(0.2, rel=0.05)
    await ours.session.aclose()
    await stock.close()


async def test_a_peer_that_only_speaks_is_heard_and_one_that_only_hears_is_not_missed() -> None:
    options = replace(LOOPBACK, stall_after=0.2, fail_after=0.4)
    caller, callee = make_end(Tone(440), options), make_end(Tone(1000), options)
    offer = await caller.session.offer()
    answer = await callee.session.answer(offer.replace("a=sendrecv", "a=sendonly"))
    assert "a=recvonly" in answer
    await caller.session.accept_answer(answer)
    await callee.told(FirstAudio)
    await callee.ear.next(25)
    assert pitch(await callee.ear.next(25)) == pytest.approx(440, abs=5)
    assert rms(await caller.ear.next(25)) == 0
    assert not any(isinstance(event, Failed) for event in caller.events)
    await caller.session.aclose()
    await callee.told(PeerClosed)
    await callee.session.aclose()


async def test_no_audio_is_kept_that_nobody_reads_and_streams_are_bounded() -> None:
    async with call() as (caller, callee):
        track = callee.session._transceiver.receiver.track
        assert isinstance(track, RemoteStreamTrack)
        assert track._queue.qsize() == 0
        transport = callee.session._transceiver.receiver.transport
        for ssrc in range(1000):
            packet = RtpPacket(payload_type=96, sequence_number=1)
            packet.ssrc = ssrc
            await transport._handle_rtp_data(packet.serialize(), 0)
        assert len(transport._rtp_router.ssrc_table) <= MAX_STREAMS + 1


async def test_a_thousand_candidates_are_bounded_and_the_call_is_made() -> None:
    caller, callee = make_end(Tone(440)), make_end()
    offer = await caller.session.offer()
    for port in range(1, 1001):
        text = f"candidate:1 1 udp 1 127.0.0.2 {port} typ host"
        await callee.session.add_candidate(Candidate(text, "0", 0))
    assert callee.session.refused == 1000 - 64
    await caller.session.accept_answer(await callee.session.answer(offer))
    await callee.told(FirstAudio)
    await caller.session.aclose()
    await callee.session.aclose()


async def test_packets_of_strangers_and_malformed_ones_do_not_end_the_call(
    caplog: pytest.LogCaptureFixture,
) -> None:
    loop = asyncio.get_running_loop()
    async with call() as (caller, callee):
        session = callee.session
        port = int(session._gatherer._connection.local_candidates[0].port)
        stranger, _ = await loop.create_datagram_endpoint(
            asyncio.DatagramProtocol, remote_addr=("127.0.0.1", port)
        )
        for first in range(256):
            stranger.sendto(bytes([first]) * (first % 40))
        transport = session._transceiver.receiver.transport
        packet = RtpPacket(payload_type=96, sequence_number=1)
        malformed = bytearray(packet.serialize())
        malformed[0] |= 0x10  # an extension: an audio level of two bytes
        await transport._handle_rtp_data(
            bytes(malformed[:12]) + b"\xbe\xde\x00\x01\x21\x00\x00\x00", 0
        )
        for size in range(40):
            await transport._handle_rtcp_data(b"\x81\xc8\x00\x06" + b"\xff" * size)
        stranger.close()
        assert pitch(await callee.ear.next(50)) == pytest.approx(440, abs=5)
        assert not any(isinstance(event, Failed | PeerClosed) for event in callee.events)
    assert caplog.text == ""


async def test_a_flood_before_the_connection_is_bounded() -> None:
    end = make_end()
    await end.session.prepare()
    connection = end.session._gatherer._connection
    for _ in range(10_000):
        connection.data_received(b"x" * 1000, 1)
    assert connection._queue.qsize() <= MAX_UNREAD
    await end.session.aclose()


@pytest.mark.parametrize("engine", ["aiortc", "aioice"])
async def test_a_release_whose_inside_is_not_known_is_refused(
    engine: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The two are changed from outside where they are weak; see rtc_engine and rtc_gather before the pin is moved."""
    known = {"aiortc": "1.16.0", "aioice": "0.13.0"}
    monkeypatch.setattr(
        rtc_gather, "version", lambda name: "9.0" if name == engine else known[name]
    )
    rtc_gather.require.cache_clear()
    with pytest.raises(ImportError, match=f"{engine} 9.0 is installed, and this runtime knows"):
        make_end()
    rtc_gather.require.cache_clear()
