"""The short way of packets: what goes out is what aiortc would send, and nothing comes in that it would refuse."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from itertools import pairwise
from typing import Final, TypeAlias

import pytest
from aiortc.rtp import (
    HeaderExtensions,
    HeaderExtensionsMap,
    RtcpReceiverInfo,
    RtcpRrPacket,
    RtpPacket,
)
from aoba_runtime import rtc
from aoba_runtime.audio import FRAME, FRAME_BYTES, RATE, SILENCE, Voice
from aoba_runtime.audio_tones import Tone
from aoba_runtime.media import Failed, PeerClosed
from aoba_runtime.rtc import RtcMedia, RtcSession
from aoba_runtime.rtc_clock import BEHIND, Clock
from aoba_runtime.rtc_codec import OpusEncoder
from aoba_runtime.rtc_options import ALONE, FEW, TOGETHER
from aoba_runtime.rtc_packets import payload_of
from hypothesis import given
from hypothesis import strategies as st
from voices import LOOPBACK, PATIENCE, End, call, make_end, negotiate, pitch

OPUS: Final = 96
Receive: TypeAlias = Callable[[bytes, int], None]


@st.composite
def packets(draw: st.DrawFn) -> bytes:
    packet = RtpPacket(payload_type=OPUS, payload=draw(st.binary(max_size=40)))
    packet.csrc = draw(st.lists(st.integers(0, 2**32 - 1), max_size=15))
    packet.padding_size = draw(st.integers(0, 255))
    data = bytearray(packet.serialize())
    if draw(st.booleans()):
        length = draw(st.integers(0, 5))
        words = draw(st.binary(min_size=4 * length, max_size=4 * length))
        data[0] |= 0x10
        at = 12 + 4 * len(packet.csrc)
        data[at:at] = b"\x00\x01" + length.to_bytes(2, "big") + words  # a profile nobody reads
    if draw(st.booleans()):
        del data[draw(st.integers(12, len(data))) :]
    if draw(st.booleans()):
        data[draw(st.integers(0, len(data) - 1))] ^= 1 << draw(st.integers(0, 7))
    data[0] = data[0] & 0x3F | 0x80
    return bytes(data)


@given(packets())
def test_a_packet_carries_what_aiortc_reads_in_it(data: bytes) -> None:
    try:
        wanted = RtpPacket.parse(data).payload
    except ValueError:
        with pytest.raises(ValueError):
            payload_of(data)
    else:
        assert payload_of(data) == wanted


class Wire:
    """The datagrams that come to an end, and how many packets of them arrive."""

    def __init__(self, end: End) -> None:
        self.session = end.session
        self.connection = self.session._gatherer._connection
        self.datagrams: list[bytes] = []
        self._take = self.connection.data_received
        self._change = asyncio.Event()
        setattr(self.connection, "data_received", self._received)

    def _received(self, data: bytes, component: int) -> None:
        self._take(data, component)
        if 127 < data[0] < 192 and not 192 <= data[1] <= 208:
            self.datagrams.append(data)
            self._change.set()

    async def collect(self, count: int) -> list[bytes]:
        self.datagrams.clear()
        async with asyncio.timeout(PATIENCE):
            while len(self.datagrams) < count:
                self._change.clear()
                await self._change.wait()
        return self.datagrams[:count]

    def arrives(self, data: bytes) -> bool:
        """Whether this datagram counts as a packet of the call."""
        before = self.session._playout.arrivals.received
        self._take(data, 1)
        return self.session._playout.arrivals.received > before


async def test_packets_are_those_of_a_steady_voice() -> None:
    async with call() as (caller, callee):
        sender, transport = (
            caller.session._transceiver.sender,
            callee.session._transceiver.receiver.transport,
        )
        read: list[bytes] = []
        unprotect = transport._rx_srtp.unprotect

        def seen(data: bytes) -> bytes:
            read.append(unprotect(data))
            return read[-1]

        setattr(transport._rx_srtp, "unprotect", seen)
        await Wire(callee).collect(50)
        extensions = HeaderExtensionsMap()
        setattr(extensions, "_HeaderExtensionsMap__ids", HeaderExtensions(mid=1))
        found = [RtpPacket.parse(data, extensions) for data in read]
    assert {(one.ssrc, one.payload_type, one.marker) for one in found} == {(sender._ssrc, OPUS, 0)}
    assert {one.extensions.mid for one in found} == {"0"}
    left_out = 0
    for before, after in pairwise(found):
        assert (after.sequence_number - before.sequence_number) & 0xFFFF == 1
        frames, rest = divmod((after.timestamp - before.timestamp) & 0xFFFFFFFF, FRAME)
        assert frames >= 1 and rest == 0
        left_out += frames - 1
    assert left_out <= caller.session._clock.left_out  # none, unless this machine had no time


async def test_a_peer_that_knows_no_header_extension_gets_none() -> None:
    caller, callee = make_end(Tone(440)), make_end()
    offer = await caller.session.offer()
    plain = "".join(line for line in offer.splitlines(True) if not line.startswith("a=extmap"))
    await caller.session.accept_answer(await callee.session.answer(plain))
    datagrams = await Wire(callee).collect(10)
    assert {data[0] for data in datagrams} == {0x80}
    assert pitch(await callee.ear.next(25)) == pytest.approx(440, abs=5)
    for end in (caller, callee):
        await end.session.aclose()


async def test_a_repeated_or_forged_packet_is_dropped_and_the_call_goes_on() -> None:
    async with call() as (caller, callee):
        wire = Wire(callee)
        *_, last = await wire.collect(5)
        assert not wire.arrives(last)
        for at in range(len(last)):
            assert not wire.arrives(last[:at] + bytes([last[at] ^ 1]) + last[at + 1 :])
        for size in range(len(last)):
            assert not wire.arrives(last[:size])
        assert not wire.arrives(last.ljust(1501, b"\0"))
        assert pitch(await callee.ear.next(25)) == pytest.approx(440, abs=5)
        assert not any(isinstance(event, Failed) for event in callee.events)


async def test_what_the_peer_may_not_send_does_not_arrive() -> None:
    async with call() as (caller, callee):
        wire = Wire(callee)
        callee.session._transceiver.receiver._enabled = False
        await wire.collect(1)
        before = callee.session._playout.arrivals.received
        await wire.collect(10)
        assert callee.session._playout.arrivals.received == before


async def test_a_call_goes_on_where_its_numbers_begin_again() -> None:
    """After 65,536 packets, 22 minutes, and 2**32 samples, 25 hours; the packets just there may be lost."""
    ends = make_end(Tone(440)), make_end(Tone(1000))
    for end in ends:
        end.session._outgoing._sequence = 0x10000 - 50
        end.session._outgoing._origin = 2**32 - 60 * FRAME
        wire, lost = Wire(end).connection, {0xFFFF, 0}
        receive = wire.data_received

        def lossy(data: bytes, component: int, receive: Receive = receive) -> None:
            if int.from_bytes(data[2:4], "big") not in lost or not 127 < data[0] < 192:
                receive(data, component)

        setattr(wire, "data_received", lossy)
    await negotiate(*ends)
    for end, hz in zip(ends, (1000, 440), strict=True):
        playout = end.session._playout
        await end.ear.until(lambda: playout.arrivals.received >= 110)
        assert pitch(b"".join(end.ear.frames[-25:])) == pytest.approx(hz, abs=5)
        assert sum(frame == SILENCE for frame in end.ear.frames) < 10
        assert playout.arrivals.lost == 2
        (told,) = vars(end.session._transceiver.receiver)[
            "_RTCRtpReceiver__remote_streams"
        ].values()
        assert (told.packets_lost, told.cycles) == (2, 0x10000)
        assert told.jitter < RATE
    for end in ends:
        assert end.session._outgoing._sequence < 1000
        await end.session.aclose()


@pytest.mark.parametrize("step", [-300, 300, 2500, 20_000])
async def test_another_stream_in_the_middle_is_heard_at_once(step: int) -> None:
    """Its numbers have nothing to do with those before, and may lie close to them by chance."""
    async with call() as (caller, callee):
        outgoing = caller.session._outgoing
        outgoing._sender._ssrc ^= 1
        outgoing._sequence = outgoing._sequence + step & 0xFFFF
        outgoing._origin ^= 0x55555555
        heard = await callee.ear.next(40)
        assert pitch(heard[-20 * FRAME_BYTES :]) == pytest.approx(440, abs=5)
        assert callee.session._playout.arrivals.lost < 5


async def test_nothing_arrives_after_the_goodbye_of_the_peer() -> None:
    async with call() as (caller, callee):
        wire = Wire(callee)
        await wire.collect(1)
        kept: list[bytes] = []
        receive = wire.connection.data_received
        setattr(
            wire.connection,
            "data_received",
            lambda data, component: (
                kept.append(data) if data[0] > 127 else receive(data, component)
            ),
        )
        while len(kept) < 3:
            await callee.ear.next(1)
        await caller.session.aclose()
        await callee.told(PeerClosed)
        assert not any(wire.arrives(data) for data in kept)


async def test_the_reports_count_what_was_sent() -> None:
    async with call() as (caller, callee):
        async with asyncio.timeout(PATIENCE):
            while (stats := await caller.session.stats()).round_trip_time is None:
                await caller.ear.next(5)
        assert stats.sent_packets > 20
        reported = (await callee.session._transceiver.receiver.getStats()).values()
        (told,) = (one for one in reported if one.type == "remote-outbound-rtp")
        assert 0 < told.packetsSent <= (await caller.session.stats()).sent_packets
        assert abs(told.remoteTimestamp.timestamp() - time.time()) < PATIENCE


async def test_a_report_that_came_before_it_was_asked_for_is_no_time() -> None:
    """A peer's clock may be anything, and ours may be set back."""
    async with call() as (caller, _):
        sender = caller.session._transceiver.sender
        vars(sender)["_RTCRtpSender__lsr"] = 1
        vars(sender)["_RTCRtpSender__lsr_time"] = time.time()
        told = RtcpReceiverInfo(sender._ssrc, 0, 0, 0, 0, lsr=1, dlsr=2**32 - 1)
        await sender._handle_rtcp_packet(RtcpRrPacket(ssrc=1, reports=[told]))
        stats = await caller.session.stats()
        assert stats.round_trip_time == 0
        assert stats.mos is not None and stats.mos > 4


async def test_a_clock_that_was_held_up_leaves_frames_out() -> None:
    timestamps: list[int] = []
    done = asyncio.Event()

    def tick(timestamp: int) -> None:
        timestamps.append(timestamp)
        if len(timestamps) == 3:
            until = time.monotonic() + 2 * BEHIND  # the process has no time for us
            while time.monotonic() < until:
                pass
        if len(timestamps) == 6:
            clock.stop()
            done.set()

    clock = Clock(tick)
    clock.start()
    clock.start()
    await asyncio.wait_for(done.wait(), PATIENCE)
    assert timestamps[:3] == [0, FRAME, 2 * FRAME]
    assert timestamps[3] == (3 + clock.left_out) * FRAME
    assert clock.left_out >= 0.8 * BEHIND * 50
    clock.start()
    assert clock._timer is not None and clock._timer.cancelled()


async def test_a_tick_that_breaks_off_is_not_repeated() -> None:
    timestamps: list[int] = []
    done = asyncio.Event()

    def tick(timestamp: int) -> None:
        timestamps.append(timestamp)
        if len(timestamps) == 3:
            clock.stop()
            done.set()
        raise asyncio.CancelledError

    clock = Clock(tick)
    clock.start()
    asyncio.get_running_loop().set_exception_handler(lambda loop, context: None)
    await asyncio.wait_for(done.wait(), PATIENCE)
    assert timestamps == sorted(set(timestamps))


@pytest.fixture
def chosen(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """The complexity of each encoder that is made."""
    found: list[int] = []

    class Encoder(OpusEncoder):
        def __init__(self, bitrate: int, complexity: int) -> None:
            super().__init__(bitrate, complexity)
            found.append(complexity)

    monkeypatch.setattr(rtc, "OpusEncoder", Encoder)
    return found


async def test_the_many_are_encoded_with_less_work(chosen: list[int]) -> None:
    media = RtcMedia(LOOPBACK, lambda call_id: Voice())

    def session() -> RtcSession:
        return media.session("call", lambda event: None)

    sessions = [session() for _ in range(FEW + 1)]
    assert chosen == FEW * [ALONE] + [TOGETHER]
    await sessions.pop().aclose()
    await sessions.pop().aclose()
    sessions.append(session())
    assert chosen[-1] == ALONE
    await asyncio.gather(*(one.aclose() for one in sessions))


async def test_a_call_that_was_never_made_is_not_counted(chosen: list[int]) -> None:
    found: list[Voice] = []
    media = RtcMedia(LOOPBACK, lambda call_id: found.pop())
    for _ in range(FEW + 1):
        with pytest.raises(IndexError):  # a program that has no voice for it
            media.session("call", lambda event: None)
    found.append(Voice())
    await media.session("call", lambda event: None).aclose()
    assert chosen[-1] == ALONE


async def test_a_voice_that_cannot_be_encoded_ends_the_call_with_words() -> None:
    async with call() as (caller, callee):

        def broken(frame: bytes) -> bytes:
            raise ValueError("no more packets")

        setattr(caller.session._encoder, "encode", broken)
        failed = await caller.told(Failed)
        assert failed.why == "the engine gave up: no more packets"
