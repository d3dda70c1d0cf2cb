"""websocket: deadlines, bounds and stalls: a send ends in time, and what failed is never sent later."""

from __future__ import annotations

import asyncio
from socket import SHUT_WR

import pytest
from aoba_runtime import websocket
from aoba_runtime.errors import AckTimeout, LimitExceeded, PeerUnavailable
from aoba_runtime.websocket import Connected, Reconnecting
from websocket_server import (
    Events,
    Proxy,
    Server,
    fast,
    nothing_left,
    outgoing,
    server,
    serving,
    soon,
)


async def test_nothing_is_sent_after_its_deadline(server: Server, fast: None) -> None:
    transport = websocket.connect(server.url, ack_timeout=0.5)
    events = Events(transport)
    async with transport:
        server.refuse = [503] * 100
        server.connection.transport.abort()
        await events.next(Reconnecting)
        with pytest.raises(AckTimeout, match="not sent"):
            await transport.send(outgoing("stale"))
        server.refuse = []
        await events.next(Connected)
        await transport.send(outgoing("fresh"))
        assert await server.next() == "fresh"
        assert server.received.empty()


async def test_stalled_network() -> None:
    """A frame that the network does not take by its deadline never arrives as a whole."""
    async with serving(max_size=None) as server, Proxy(server.port) as proxy:
        async with websocket.connect(
            f"ws://127.0.0.1:{proxy.port}/", ack_timeout=0.5, max_payload=8_000_000
        ) as transport:
            await server.connected()
            proxy.carry.clear()
            with pytest.raises(AckTimeout, match="did not take"):
                await transport.send(outgoing("x" * 8_000_000))
            proxy.carry.set()
            await server.connected()
            await transport.send(outgoing("after"))
            assert await server.next() == "after"


async def test_send_returns_when_the_frame_is_with_the_network() -> None:
    """Not when it waits in a buffer of ours."""
    async with serving(max_size=None) as server, Proxy(server.port) as proxy:
        async with websocket.connect(f"ws://127.0.0.1:{proxy.port}/", ack_timeout=0.3) as transport:
            await server.connected()
            proxy.carry.clear()
            socket = transport._socket
            assert socket is not None
            with pytest.raises(AckTimeout):
                while True:
                    await transport.send(outgoing("x" * 20_000))
                    assert socket.transport.get_write_buffer_size() == 0


async def test_write_that_fails(server: Server, fast: None) -> None:
    """It is no success for the one who sent it, and what follows goes by the next connection."""
    async with websocket.connect(server.url) as transport:
        await server.connected()
        socket = transport._socket
        assert socket is not None
        socket.transport.get_extra_info("socket").shutdown(SHUT_WR)
        with pytest.raises(AckTimeout, match="broke"):
            await transport.send(outgoing("lost"))
        await transport.send(outgoing("next"))
        assert await server.next() == "next"


async def test_limits(server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(websocket, "MAX_WAITING", 5)
    transport = websocket.connect(server.url, max_payload=10)
    events = Events(transport)
    async with transport:
        await transport.send(outgoing("x" * 10))
        with pytest.raises(LimitExceeded, match="at most 10"):
            await transport.send(outgoing("x" * 11))
        server.refuse = [503] * 100
        server.connection.transport.abort()
        await events.next(Reconnecting)
        waiting = [asyncio.ensure_future(transport.send(outgoing())) for _ in range(5)]
        await asyncio.sleep(0)
        with pytest.raises(LimitExceeded, match="5 messages wait"):
            await transport.send(outgoing())
    results = await asyncio.gather(*waiting, return_exceptions=True)
    assert [type(result) for result in results] == [PeerUnavailable] * 5


async def test_message_too_large_arrives(server: Server, fast: None) -> None:
    transport = websocket.connect(server.url, max_message=1000)
    events = Events(transport)
    async with transport:
        seen: asyncio.Queue[bytes] = asyncio.Queue()
        transport.attach(lambda incoming: seen.put_nowait(incoming.data))
        connection = await server.connected()
        await connection.send("x" * 1001)
        await connection.wait_closed()
        assert connection.close_code == 1009
        await events.next(Reconnecting)
        await (await server.connected()).send("y" * 1000)
        assert await soon(seen.get()) == b"y" * 1000


async def test_cancelled_send(server: Server, fast: None) -> None:
    """A send that is cancelled while it waits is not sent, and holds nobody up."""
    transport = websocket.connect(server.url)
    events = Events(transport)
    async with transport:
        server.refuse = [503] * 3
        server.connection.transport.abort()
        await events.next(Reconnecting)
        sends = [asyncio.ensure_future(transport.send(outgoing(str(n)))) for n in range(4)]
        await asyncio.sleep(0)
        for index in (0, 2):
            sends[index].cancel()
        results = await asyncio.gather(*sends, return_exceptions=True)
        assert [isinstance(r, asyncio.CancelledError) for r in results] == [True, False] * 2
        assert [await server.next() for _ in range(2)] == ["1", "3"]
        await transport.send(outgoing("4"))
        assert await server.next() == "4"
