"""The short way of RTP packets through aiortc: what it does for each of them costs more than their encryption.

aiortc makes the connection, keeps the keys and speaks RTCP; it meets the first packet of every stream. The packets of
streams that it knows go from here to the socket and from the socket to here, each in one call. Like `rtc_engine`, this
names what is private of aiortc and changes one connection alone.
"""

from __future__ import annotations

import asyncio
import secrets
import struct
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final, TypeAlias

import pylibsrtp
from aiortc import RTCRtpTransceiver
from aiortc.rtcdtlstransport import State
from aiortc.rtcrtpparameters import RTCRtpCodecParameters
from aiortc.rtp import HeaderExtensions

_SENDER: Final = "_RTCRtpSender__"
_NTP_TIMESTAMP: Final = f"{_SENDER}ntp_timestamp"
_RTP_TIMESTAMP: Final = f"{_SENDER}rtp_timestamp"
_OCTET_COUNT: Final = f"{_SENDER}octet_count"
_PACKET_COUNT: Final = f"{_SENDER}packet_count"
_RECEIVER: Final = "_RTCRtpReceiver__"
_HEADER: Final = struct.Struct("!BBHLL")
"""RFC 3550 section 5.1: version and flags, marker and payload type, sequence number, timestamp, SSRC."""
_LONG: Final = struct.Struct("!HH")
"""RFC 3550 section 5.3.1: the profile of a header extension, and its length in words."""
Arrive: TypeAlias = Callable[[int, int, int, bytes], None]
_EPOCH: Final = 2_208_988_800
"""Seconds from 1900, where NTP begins, to 1970."""


class Outgoing:
    """Sends packets in the place of a transceiver's sender; `begin` is called when its connection is made."""

    def __init__(self, transceiver: RTCRtpTransceiver, begin: Callable[[], None]) -> None:
        self._begin = begin
        self._sender = transceiver.sender
        self._transport = transceiver.sender.transport
        self._private = vars(self._sender)
        self._open = False
        self._flags, self._kind = 0x80, 0
        self._extension = b""
        # The lower half only: a wrap within the first packets confuses SRTP when one of them is lost.
        self._sequence = secrets.randbelow(0x8000)
        self._origin = secrets.randbits(32)
        assert _PACKET_COUNT in self._private
        setattr(self._sender, "_run_rtp", self._run)  # looked up there when the connection is made

    @property
    def open(self) -> bool:
        """Whether packets can go out, and the peer wants them."""
        return self._open and self._sender._enabled and self._transport._state is State.CONNECTED

    def send(self, payload: bytes, timestamp: int) -> None:
        """Send the Opus packet of the frame that begins at `timestamp`, in samples from the start; when `open`."""
        pair = self._transport.transport._connection._nominated.get(1)
        if pair is None:
            return
        timestamp = self._origin + timestamp & 0xFFFFFFFF
        header = _HEADER.pack(
            self._flags, self._kind, self._sequence, timestamp, self._sender._ssrc
        )
        packet = self._transport._tx_srtp.protect(header + self._extension + payload)
        pair.protocol.transport.sendto(packet, pair.remote_addr)
        self._sequence = self._sequence + 1 & 0xFFFF
        private = self._private  # what the sender tells in its reports (RFC 3550 section 6.4.1)
        private[_NTP_TIMESTAMP] = int((time.time() + _EPOCH) * 2**32)
        private[_RTP_TIMESTAMP] = timestamp
        private[_OCTET_COUNT] += len(payload)
        private[_PACKET_COUNT] += 1

    async def _run(self, codec: RTCRtpCodecParameters) -> None:
        """Stands in for the loop of the sender, which ends when it is cancelled."""
        assert codec.payloadType is not None  # it was negotiated
        self._kind = codec.payloadType
        extensions = HeaderExtensions(mid=self._private[f"{_SENDER}mid"])
        profile, value = self._private[f"{_SENDER}rtp_header_extensions_map"].set(extensions)
        if value:
            self._flags = 0x90
            self._extension = _LONG.pack(profile, len(value) // 4) + value
        self._private[f"{_SENDER}rtp_started"].set()
        self._open = True
        self._begin()
        try:
            await asyncio.get_running_loop().create_future()
        finally:
            self._open = False
            self._private[f"{_SENDER}rtp_exited"].set()


@dataclass(slots=True)
class _Seen:
    """What the statistics of a stream look at."""

    sequence_number: int = 0
    timestamp: int = 0


class Incoming:
    """Takes the packets of a transceiver's receiver; `arrive` gets each one's SSRC, sequence number, timestamp, payload."""

    def __init__(self, transceiver: RTCRtpTransceiver, arrive: Arrive) -> None:
        self._receiver = transceiver.receiver
        self._transport = self._receiver.transport
        self._arrive = arrive
        self._seen = _Seen()
        private = vars(self._receiver)
        self._codecs: dict[int, object] = private[f"{_RECEIVER}codecs"]
        self._streams = private[f"{_RECEIVER}remote_streams"]

    def take(self, datagram: bytes) -> bool:
        """Whether it was the packet of a stream that aiortc has met before, and needs no more care."""
        if len(datagram) < _HEADER.size:
            return False
        flags, kind, sequence, timestamp, ssrc = _HEADER.unpack_from(datagram)
        statistics = self._streams.get(ssrc)
        if statistics is None or flags >> 6 != 2 or kind & 0x7F not in self._codecs:
            return False
        if self._transport._state is not State.CONNECTED:
            return False
        try:
            payload = payload_of(self._transport._rx_srtp.unprotect(datagram))
        except (pylibsrtp.Error, ValueError):  # forged, repeated, too long or malformed
            return True
        if self._receiver._enabled:
            before = statistics._last_timestamp  # continued beyond 2**32, where aiortc sees a jump
            self._seen.timestamp = before + (timestamp - before + 2**31 & 0xFFFFFFFF) - 2**31
            self._seen.sequence_number = sequence
            statistics.add(self._seen)
            self._arrive(ssrc, sequence, timestamp, payload)
        return True


def payload_of(packet: bytes) -> bytes:
    """What an RTP packet carries; raises `ValueError` where its header says more than there is."""
    flags, start, end = packet[0], _HEADER.size, len(packet)
    start += 4 * (flags & 0x0F)
    if flags & 0x10:
        if start + _LONG.size > end:
            raise ValueError("truncated extension")
        start += _LONG.size + 4 * _LONG.unpack_from(packet, start)[1]
    if flags & 0x20:
        padding = packet[-1]
        if not padding:
            raise ValueError("no length of the padding")
        end -= padding
    if start > end:
        raise ValueError("truncated packet")
    return packet[start:end]
