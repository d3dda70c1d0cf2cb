"""What comes from the network is dropped here where the engine would stumble over it; nothing of it may end a call.

Anybody who knows an address of ours can send to it, and a peer can send what it likes. Of aiortc and aioice, this changes
one connection alone, like `rtc_engine`.
"""

from __future__ import annotations

import contextlib
import ipaddress
import logging
import struct
from collections.abc import Iterator
from typing import Final

from aioice import Connection, stun
from aioice.ice import StunProtocol
from aiortc import RTCRtpTransceiver
from aiortc.rtp import AnyRtcpPacket, is_rtcp

from .rtc_candidates import may_be_tried
from .rtc_options import RtcOptions
from .rtc_packets import Incoming

logger = logging.getLogger(__name__)
MAX_UNREAD: Final = 500
"""Datagrams kept until they are read; before the connection is made none of them is needed."""
MAX_STREAMS: Final = 8
"""Streams (SSRCs) that a peer may send, of packets and reports; each costs memory for good."""
LONGEST: Final = 1500
"""Bytes of a datagram; a longer one has no room in pylibsrtp, and nobody sends it: networks do not carry it whole."""


class Protocol(StunProtocol):
    """Tells media from STUN by the first byte (RFC 7983), and takes it from addresses alone that the peer is known by.

    aioice tries to read each packet as STUN and takes it from anybody: an alert of DTLS that a stranger sent while it
    rang would end the handshake.
    """

    def __init__(self, receiver: Connection) -> None:
        super().__init__(receiver)
        self._peers: set[tuple[object, ...]] = set()

    def datagram_received(self, data: bytes | str, addr: tuple[object, ...]) -> None:
        if isinstance(data, bytes) and data[:1] > b"\x03":
            if addr[:2] in self._peers or self._is_peer(addr[:2]):
                self.receiver.data_received(data, self.local_candidate.component)
        else:
            with _dropping("STUN"):
                super().datagram_received(data, addr)

    def _is_peer(self, addr: tuple[object, ...]) -> bool:
        if any((one._network_host, one.port) == addr for one in self.receiver._remote_candidates):
            self._peers.add(addr)
            return True
        return False


def guard(
    transceiver: RTCRtpTransceiver, connection: Connection, incoming: Incoming, options: RtcOptions
) -> None:
    """Let `incoming` take the packets that it knows, and drop what would harm: too long, too many, malformed."""
    transport = transceiver.receiver.transport
    receive, rtp, rtcp = (
        connection.data_received,
        transport._handle_rtp_data,
        transport._handle_rtcp_data,
    )
    streams: set[bytes] = set()  # that were authenticated, so that a stranger cannot use them up

    def may_be_met(stream: bytes) -> bool:
        return stream in streams or len(streams) < MAX_STREAMS

    def received(data: bytes, component: int) -> None:
        if not 0 < len(data) <= LONGEST or incoming.take(data):
            return
        if 127 < data[0] < 192 and not may_be_met(data[4:8] if is_rtcp(data) else data[8:12]):
            return
        if connection._queue.qsize() < MAX_UNREAD:
            receive(data, component)

    async def bounded(data: bytes, arrival_time_ms: int) -> None:
        if may_be_met(data[8:12]):
            streams.add(data[8:12])
            with _dropping("RTP"):
                await rtp(data, arrival_time_ms)

    async def understood(data: bytes) -> None:
        if may_be_met(data[4:8]):
            streams.add(data[4:8])
            with _dropping("RTCP"):
                await rtcp(data)

    setattr(connection, "data_received", received)
    setattr(transport, "_handle_rtp_data", bounded)
    setattr(transport, "_handle_rtcp_data", understood)
    _guard_reports(transceiver)
    _guard_addresses(connection, options)


def _guard_reports(transceiver: RTCRtpTransceiver) -> None:
    """A jitter that a report has no room for ends the task of aiortc's that reports; closing waits for it in vain."""
    receiver = transceiver.receiver
    send = receiver._send_rtcp

    async def reported(packet: AnyRtcpPacket) -> None:
        with _dropping("report"):
            await send(packet)

    setattr(receiver, "_send_rtcp", reported)


def _guard_addresses(connection: Connection, options: RtcOptions) -> None:
    """An address from which the peer asks is checked for half a minute, so it must be one that may be tried."""
    ask = connection.request_received

    def asked(message: stun.Message, addr: tuple[str, int], protocol: StunProtocol) -> None:
        met = connection._remote_candidates
        if any((one._network_host, one.port) == addr for one in met) or (
            len(met) < 2 * options.max_candidates
            and may_be_tried(ipaddress.ip_address(addr[0]), options)
        ):
            ask(message, addr, protocol)

    setattr(connection, "request_received", asked)


@contextlib.contextmanager
def _dropping(what: str) -> Iterator[None]:
    """Packets are parsed and made by code that raises more than it says; none of that may end the call."""
    try:
        yield
    except (ArithmeticError, AssertionError, LookupError, TypeError, ValueError, struct.error):
        logger.debug("a malformed %s packet was dropped", what, exc_info=True)
