"""The places where aiortc is taken hold of from outside; all that is private of it is named here and in `rtc_packets`.

Each is looked up when a connection is made, on that one connection: nothing of aiortc is changed for others in the
process. Another minor release may move them, so the version is checked first.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import struct
from collections.abc import Callable, Coroutine, Iterator
from typing import Final

from aioice import Connection
from aiortc import (
    RTCConfiguration,
    RTCIceTransportPolicy,
    RTCPeerConnection,
    RTCRtpReceiver,
    RTCRtpTransceiver,
)
from aiortc.rtp import RtpPacket

from .rtc_gather import Gatherer, require
from .rtc_options import RtcOptions
from .rtc_packets import Incoming

logger = logging.getLogger(__name__)
TESTED: Final = "1.16."
_CONNECT: Final = "_RTCPeerConnection__connect"
_GOODBYE: Final = "_TurnTransport__close_task"
_BUFFER: Final = "_RTCRtpReceiver__jitter_buffer"
MAX_UNREAD: Final = 500
"""Datagrams kept until they are read; before the connection is made none of them is needed."""
PACE: Final = 0.02
"""Seconds from one connectivity check to the next, the timer Ta of RFC 8445 section 14."""
MAX_STREAMS: Final = 4
"""RTP streams (SSRCs) that a peer may send; each costs memory for good."""


class Tap:
    """Stands in for a receiver's `JitterBuffer`: hands every packet on and never gives the decoder thread a frame."""

    def __init__(self, arrive: Callable[[int, int, bytes], None]) -> None:
        self._arrive = arrive

    def add(self, packet: RtpPacket) -> tuple[bool, None]:
        """As in aiortc: whether to ask for a key frame, and a complete frame."""
        self._arrive(packet.sequence_number, packet.timestamp, packet.payload)
        return False, None


def connect(
    options: RtcOptions,
    arrive: Callable[[int, int, bytes], None],
    spawn: Callable[[Coroutine[None, None, None]], asyncio.Task[None]],
) -> tuple[RTCPeerConnection, RTCRtpTransceiver, Gatherer]:
    """A connection for one voice each way as Opus, which gathers as `options` say and gives `arrive` each packet.

    `arrive` is called with the sequence number, the timestamp and the payload; `spawn` makes and owns the task that
    runs ICE and DTLS, of which aiortc itself lets go.
    """
    require("aiortc", TESTED)
    policy = RTCIceTransportPolicy.RELAY if options.relay_only else RTCIceTransportPolicy.ALL
    # No servers here: without a list aiortc asks Google, and the gatherer asks those of the options.
    peer = RTCPeerConnection(RTCConfiguration(iceServers=[], iceTransportPolicy=policy))
    transceiver = peer.addTransceiver("audio", direction="sendrecv")
    codecs = RTCRtpReceiver.getCapabilities("audio")
    assert codecs is not None
    transceiver.setCodecPreferences([one for one in codecs.codecs if one.mimeType == "audio/opus"])
    establish = getattr(peer, _CONNECT)
    setattr(peer, _CONNECT, lambda: spawn(establish()))
    receiver = transceiver.receiver
    assert hasattr(receiver, _BUFFER)
    setattr(receiver, _BUFFER, Tap(arrive))
    connection = receiver.transport.transport.iceGatherer._connection
    _guard(transceiver, connection, Incoming(transceiver, arrive))
    _pace(connection, spawn)
    return peer, transceiver, Gatherer(connection, options)


def _guard(transceiver: RTCRtpTransceiver, connection: Connection, incoming: Incoming) -> None:
    """Drop what aiortc would stumble over: from a stranger one empty datagram ends the call, a flood fills the memory."""
    transport = transceiver.receiver.transport
    receive, rtp, rtcp = (
        connection.data_received,
        transport._handle_rtp_data,
        transport._handle_rtcp_data,
    )
    streams: set[bytes] = set()

    def received(data: bytes, component: int) -> None:
        if data and not incoming.take(data) and connection._queue.qsize() < MAX_UNREAD:
            receive(data, component)

    async def bounded(data: bytes, arrival_time_ms: int) -> None:
        stream = data[8:12]
        if stream not in streams and len(streams) >= MAX_STREAMS:
            return
        streams.add(stream)
        with _dropping("RTP"):
            await rtp(data, arrival_time_ms)

    async def understood(data: bytes) -> None:
        with _dropping("RTCP"):
            await rtcp(data)

    setattr(connection, "data_received", received)
    setattr(transport, "_handle_rtp_data", bounded)
    setattr(transport, "_handle_rtcp_data", understood)


def _pace(
    connection: Connection, spawn: Callable[[Coroutine[None, None, None]], asyncio.Task[None]]
) -> None:
    """Let a task of its own start the checks one by one: aioice sleeps after each, even when that one has connected."""
    check = connection._check_periodic

    async def go_on() -> None:
        await asyncio.sleep(PACE)
        while check():
            await asyncio.sleep(PACE)

    def begin() -> bool:
        more = check()
        if more and not connection._check_list:
            return True  # nothing to wait for yet: without a pair, connect() would give up
        if more:
            spawn(go_on())
        return False

    setattr(connection, "_check_periodic", begin)


def let_go(transceiver: RTCRtpTransceiver) -> None:
    """Close the sockets of a connection whose orderly end takes too long, for one when its TURN server is gone."""
    for protocol in transceiver.receiver.transport.transport._connection._protocols:
        protocol.transport.close()
        goodbye = getattr(protocol.transport, _GOODBYE, None)
        if goodbye is not None:
            goodbye.cancel()


@contextlib.contextmanager
def _dropping(what: str) -> Iterator[None]:
    """The peer's packets are parsed by code that raises more than it says; none of that may end the call."""
    try:
        yield
    except (ArithmeticError, AssertionError, LookupError, TypeError, ValueError, struct.error):
        logger.debug("a malformed %s packet was dropped", what, exc_info=True)
