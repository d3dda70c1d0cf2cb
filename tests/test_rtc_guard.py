"""What a stranger or a hostile peer sends to the sockets of a call: it goes on, is closed as ever, and the log stays short."""

from __future__ import annotations

import asyncio
import struct
from dataclasses import replace
from typing import Final

import pytest
from aioice import Connection, stun
from aiortc.rtp import AnyRtcpPacket, RtpPacket
from aoba_runtime.media import Connected, Failed, PeerClosed
from aoba_runtime.rtc_guard import MAX_STREAMS
from voices import LOOPBACK, PATIENCE, End, call, make_end, negotiate, pitch

OPUS: Final = 96


def connection_of(end: End) -> Connection:
    return end.session._gatherer._connection


async def goes_on(end: End) -> bool:
    """Whether the peer's 440 Hz are heard yet, and no end was told."""
    heard = pitch(await end.ear.next(25))
    ends = [event for event in end.events if isinstance(event, Failed | PeerClosed)]
    return heard == pytest.approx(440, abs=40) and not ends


def attribute(kind: int, value: bytes) -> bytes:
    return struct.pack("!HH", kind, len(value)) + value + bytes(-len(value) % 4)


def request(*attributes: bytes) -> bytes:
    """A STUN Binding request."""
    body = b"".join(attributes)
    return struct.pack("!HHI12s", 1, len(body), stun.COOKIE, bytes(12)) + body


def check(end: End, **attributes: int | None) -> bytes:
    """A connectivity check that only the peer of this end can make."""
    connection = connection_of(end)
    message = stun.Message(stun.Method.BINDING, stun.Class.REQUEST)
    message.attributes["USERNAME"] = f"{connection.local_username}:{connection.remote_username}"
    message.attributes |= {name.replace("_", "-"): value for name, value in attributes.items()}
    message.add_message_integrity(connection.local_password.encode())
    return bytes(message)


STRANGE: Final = {
    "a packet longer than any": b"\x80\x60" + bytes(1499),
    "a report longer than any": b"\x80\xc8" + bytes(1499),
    "a datagram as long as can be": b"\x80" + bytes(65_000),
    "nothing": b"",
    "a short priority": request(attribute(0x0024, b"\0")),
    "a short tie breaker": request(attribute(0x802A, b"\0")),
    "a short channel": request(attribute(0x000C, b"\0")),
    "half of an attribute": request(b"\0\6\0\x20abcd"),
    "a record of DTLS that says it is longer": b"\x17\xfe\xfd" + bytes(8) + b"\x3f\xff\0",
    "an alert of DTLS in the clear": b"\x15\xfe\xfd" + bytes(8) + b"\0\2\2\x28",
}


@pytest.mark.parametrize("what", STRANGE)
async def test_a_datagram_of_a_stranger_ends_nothing(
    what: str, caplog: pytest.LogCaptureFixture
) -> None:
    async with call() as (caller, callee):
        port = int(connection_of(callee).local_candidates[0].port)
        stranger, _ = await asyncio.get_running_loop().create_datagram_endpoint(
            asyncio.DatagramProtocol, remote_addr=("127.0.0.1", port)
        )
        for _ in range(3):
            stranger.sendto(STRANGE[what])
        stranger.close()
        pair = connection_of(callee)._nominated[1]
        pair.protocol.datagram_received(STRANGE[what], pair.remote_addr)  # forged
        assert await goes_on(callee)
        await caller.session.aclose()
        await callee.told(PeerClosed)
    assert caplog.text == ""


async def test_a_check_without_a_priority_is_dropped() -> None:
    async with call() as (_, callee):
        protocol = connection_of(callee)._protocols[0]
        protocol.datagram_received(check(callee), ("127.0.0.1", 9))
        assert await goes_on(callee)


async def test_addresses_that_a_peer_asks_from_are_bounded() -> None:
    """Each costs a check that is repeated for half a minute, and to whom it goes the peer alone can say."""
    options = replace(LOOPBACK, max_candidates=8)
    async with call(options) as (_, callee):
        connection = connection_of(callee)
        asked = check(callee, PRIORITY=1)
        for port in range(1000, 1100):
            connection._protocols[0].datagram_received(asked, ("127.0.0.1", port))
        assert len(connection._remote_candidates) <= 16
        assert len(connection._check_list) <= 16
        assert await goes_on(callee)


async def test_an_address_that_is_not_allowed_is_not_answered() -> None:
    options = replace(LOOPBACK, allow=lambda address: str(address) == "127.0.0.1")
    async with call(options) as (_, callee):
        connection = connection_of(callee)
        met = len(connection._remote_candidates)
        asked = check(callee, PRIORITY=1, USE_CANDIDATE=None)
        for host in ("127.0.0.2", "192.0.2.1", "224.0.0.1", "fe80::1%1"):
            connection._protocols[0].datagram_received(asked, (host, 9))
        assert len(connection._remote_candidates) == met
        assert await goes_on(callee)


async def test_streams_that_a_peer_makes_are_bounded_before_they_cost_memory() -> None:
    """SRTP keeps a context for each SSRC that was authenticated, of packets and of reports."""
    async with call() as (caller, callee):
        protect = caller.session._transceiver.sender.transport._tx_srtp
        transport = callee.session._transceiver.receiver.transport
        unprotected: set[bytes] = set()
        packets, reports = transport._rx_srtp.unprotect, transport._rx_srtp.unprotect_rtcp

        def packet(data: bytes) -> bytes:
            unprotected.add(data[8:12])
            return packets(data)

        def report(data: bytes) -> bytes:
            unprotected.add(data[4:8])
            return reports(data)

        setattr(transport._rx_srtp, "unprotect", packet)
        setattr(transport._rx_srtp, "unprotect_rtcp", report)
        connection = connection_of(callee)
        for ssrc in range(100):
            made = RtpPacket(payload_type=OPUS, sequence_number=1, ssrc=ssrc, payload=b"\0")
            told = b"\x80\xc9\0\1" + (1000 + ssrc).to_bytes(4, "big")
            for data in (protect.protect(made.serialize()), protect.protect_rtcp(told)):
                connection.data_received(data, 1)
                while connection._queue.qsize():
                    await asyncio.sleep(0)
        assert await goes_on(callee)
        assert len(unprotected) <= MAX_STREAMS


async def test_jitter_beyond_its_field_costs_no_more_than_a_report(
    caplog: pytest.LogCaptureFixture,
) -> None:
    """aiortc's task of reports would end with it, and closing would wait for that task in vain."""
    async with call() as (_, callee):
        receiver = callee.session._transceiver.receiver
        (statistics,) = vars(receiver)["_RTCRtpReceiver__remote_streams"].values()
        reported = asyncio.Event()
        send = receiver._send_rtcp

        async def sent(packet: AnyRtcpPacket) -> None:
            await send(packet)
            reported.set()

        setattr(receiver, "_send_rtcp", sent)
        statistics._jitter_q4 = 1 << 60
        async with asyncio.timeout(PATIENCE):
            await reported.wait()
        assert not vars(receiver)["_RTCRtpReceiver__rtcp_task"].done()
    assert caplog.text == ""


async def test_the_connection_is_made_though_strangers_fill_the_way_before(
    caplog: pytest.LogCaptureFixture,
) -> None:
    caller, callee = make_end(), make_end()
    await callee.session.prepare()
    for data in STRANGE.values():
        connection_of(callee)._protocols[0].datagram_received(data, ("127.0.0.1", 9))
    await negotiate(caller, callee)
    await callee.told(Connected)
    for end in (caller, callee):
        await end.session.aclose()
    assert caplog.text == ""
