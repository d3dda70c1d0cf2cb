"""The places where aiortc is taken hold of from outside; its private names stand here, in `rtc_guard` and `rtc_packets`.

Each is looked up when a connection is made, on that one connection: nothing of aiortc is changed for others in the
process. Another minor release may move them, so the version is checked first.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
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
from .rtc_guard import guard
from .rtc_options import RtcOptions
from .rtc_packets import Arrive, Incoming

TESTED: Final = "1.16."
_CONNECT: Final = "_RTCPeerConnection__connect"
_MONITOR: Final = "_RTCIceTransport__monitor_task"
_GOODBYE: Final = "_TurnTransport__close_task"
_SENDING: Final = "_TurnTransport__send_tasks"
_BUFFER: Final = "_RTCRtpReceiver__jitter_buffer"
PACE: Final = 0.02
"""Seconds from one connectivity check to the next, the timer Ta of RFC 8445 section 14."""


class Tap:
    """Stands in for a receiver's `JitterBuffer`: hands every packet on and never gives the decoder thread a frame."""

    def __init__(self, arrive: Arrive) -> None:
        self._arrive = arrive

    def add(self, packet: RtpPacket) -> tuple[bool, None]:
        """As in aiortc: whether to ask for a key frame, and a complete frame."""
        self._arrive(packet.ssrc, packet.sequence_number, packet.timestamp, packet.payload)
        return False, None


def connect(
    options: RtcOptions,
    arrive: Arrive,
    spawn: Callable[[Coroutine[None, None, None]], asyncio.Task[None]],
) -> tuple[RTCPeerConnection, RTCRtpTransceiver, Gatherer]:
    """A connection for one voice each way as Opus, which gathers as `options` say and gives `arrive` each packet.

    `arrive` is called with its SSRC, sequence number, timestamp and payload; `spawn` makes and owns the task that runs
    ICE and DTLS, of which aiortc itself lets go.
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
    guard(transceiver, connection, Incoming(transceiver, arrive), options)
    _pace(connection, spawn)
    return peer, transceiver, Gatherer(connection, options)


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
    ice = transceiver.receiver.transport.transport
    tasks = [getattr(ice, _MONITOR)]
    for protocol in ice._connection._protocols:
        protocol.transport.close()
        # Each packet that was not sent would ask the server for its channel for half a minute.
        tasks += [getattr(protocol.transport, _GOODBYE, None)]
        tasks += getattr(protocol.transport, _SENDING, ())
    for task in tasks:
        if task is not None:
            task.cancel()
