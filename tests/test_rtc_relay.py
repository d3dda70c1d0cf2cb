"""Calls through a TURN server, by UDP and TCP: they are heard, and what becomes of them when the server dies."""

from __future__ import annotations

import asyncio
import struct
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest
from aioice import stun
from aoba_runtime import rtc
from aoba_runtime.media import Failed, PeerClosed
from aoba_runtime.rtc import IceServer, RtcOptions
from relay import Relay, relay
from voices import PATIENCE, End, call, pitch

TRANSPORTS = pytest.mark.parametrize("transport", ["udp", "tcp"])


@asynccontextmanager
async def relayed(transport: str) -> AsyncIterator[tuple[Relay, End, End]]:
    async with relay(transport) as server:
        url = f"turn:127.0.0.1:{server.port}?transport={transport}"
        options = RtcOptions(
            (IceServer(url, "user", "secret"),),
            relay_only=True,
            local_addresses=("127.0.0.1",),
            stall_after=0.2,
            fail_after=0.5,
        )
        async with call(options) as (caller, callee):
            yield server, caller, callee


@TRANSPORTS
async def test_a_call_through_a_relay_is_heard_and_closed(transport: str) -> None:
    async with relayed(transport) as (_, caller, callee):
        assert "typ relay" in caller.candidates[0]
        assert pitch(await callee.ear.next(25)) == pytest.approx(440, abs=5)
        assert pitch(await caller.ear.next(25)) == pytest.approx(1000, abs=5)
        await caller.session.aclose()
        await callee.told(PeerClosed)


@TRANSPORTS
async def test_a_malformed_message_through_a_relay_ends_nothing(
    transport: str, caplog: pytest.LogCaptureFixture
) -> None:
    async with relayed(transport) as (_, caller, callee):
        pair = caller.session._gatherer._connection._nominated[1]
        header = struct.pack("!HHI12s", 1, 8, stun.COOKIE, bytes(12))
        pair.protocol.transport.sendto(header + b"\0\x24\0\1\0\0\0\0", pair.remote_addr)
        pair.protocol.transport.sendto(b"\x80" + bytes(1500), pair.remote_addr)
        assert pitch(await callee.ear.next(50)) == pytest.approx(440, abs=40)
        assert not any(isinstance(event, Failed | PeerClosed) for event in callee.events)
    assert caplog.text == ""


@TRANSPORTS
async def test_a_call_whose_relay_falls_silent_leaves_nothing_behind(
    transport: str, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """Each packet that it does not take asks anew for a channel that has expired, for half a minute."""
    monkeypatch.setattr(rtc, "CLOSING", 0.2)
    before = asyncio.all_tasks()
    async with relayed(transport) as (server, caller, callee):
        for end in (caller, callee):
            pair = end.session._gatherer._connection._nominated[1]
            client = vars(pair.protocol.transport)["_TurnTransport__inner_protocol"]
            client.channel_refresh_at = dict.fromkeys(client.channel_refresh_at, 0)
        server.fall_silent()
        assert (await caller.told(Failed)).why == "nothing came from the peer for 0.5 s"
        await callee.told(Failed)
    async with asyncio.timeout(PATIENCE):
        while not asyncio.all_tasks() <= before:
            await asyncio.sleep(0)
    assert caplog.text == ""


async def test_a_relay_that_hangs_up_is_not_the_peer() -> None:
    async with relayed("tcp") as (server, caller, callee):
        for link in server.links:
            link.abort()
        for end in (caller, callee):
            assert (await end.told(Failed)).why == "the connection to the TURN server was lost"
