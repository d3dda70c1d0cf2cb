"""websocket: broken, refused and half-open links: when it connects again, with which token, and when it gives up."""

from __future__ import annotations

import asyncio
import time
from contextlib import AsyncExitStack

import pytest
from aoba_runtime import websocket
from aoba_runtime.errors import AckTimeout
from aoba_runtime.sockets import WatchedSocket
from aoba_runtime.websocket import AuthRefused, Connected, Lost, Reconnecting
from websocket_server import (
    TOKEN,
    Events,
    Proxy,
    Server,
    fast,
    nothing_left,
    outgoing,
    server,
    serving,
)

# Reconnecting


async def test_reconnect_reads_the_token_again(server: Server, fast: None) -> None:
    tokens = iter(["one", "two", "three"])

    async def token() -> str:
        await asyncio.sleep(0)
        return next(tokens)

    transport = websocket.connect(server.url, token)
    events = Events(transport)
    async with transport:
        await transport.send(outgoing("1"))
        assert await server.next() == "1"
        (await server.connected()).transport.abort()
        event = await events.next(Reconnecting)
        assert event.attempt == 1 and 0 < event.delay <= 0.02
        await transport.send(outgoing("2"))
        assert await server.next() == "2"
        await (await server.connected()).close(1011)
        await events.next(Reconnecting)
        await transport.send(outgoing("3"))
        assert await server.next() == "3"
    assert [request.headers["Cookie"] for request in server.requests] == [
        "auth_token=one",
        "auth_token=two",
        "auth_token=three",
    ]
    assert [type(event) for event in events.all] == [Connected, Reconnecting] * 2 + [Connected]


async def test_server_away_for_a_while(fast: None) -> None:
    async with AsyncExitStack() as stack:
        first = await stack.enter_async_context(serving())
        transport = websocket.connect(first.url)
        events = Events(transport)
        await stack.enter_async_context(transport)
        first.connection.transport.abort()
        first.refuse = [500, 404, 429]
        while (await events.next(Reconnecting)).attempt < 4:
            pass
        assert "HTTP 429" in events.all[-1].reason  # type: ignore[union-attr]
        sends = [asyncio.ensure_future(transport.send(outgoing(str(n)))) for n in range(20)]
        await asyncio.gather(*sends)
        assert [await first.next() for _ in range(20)] == [str(n) for n in range(20)]
        assert len(first.requests) == 5


def test_delays() -> None:
    """What the issue asks for; the tests above use shorter ones."""
    assert (websocket.FIRST_DELAY, websocket.LONGEST_DELAY) == (0.2, 5.0)
    assert websocket.PING_AFTER + websocket.PONG_WITHIN < 6


async def test_no_storm_against_a_server_that_hangs_up(server: Server) -> None:
    """A connection that is closed at once does not start the delays anew."""
    server.close_with = [1011] * 50
    transport = websocket.connect(server.url)
    events = Events(transport)
    async with transport:
        delays = [(await events.next(Reconnecting)).delay for _ in range(3)]
    assert 0.1 <= delays[0] <= 0.2 <= delays[1] <= 0.4 <= delays[2] <= 0.8
    assert len(server.requests) <= 4


@pytest.mark.parametrize("first", [True, False])
async def test_close_code_4001(server: Server, fast: None, first: bool) -> None:
    if first:
        server.close_with = [4001]
    transport = websocket.connect(server.url, TOKEN)
    events = Events(transport)
    async with transport:
        if not first:
            await (await server.connected()).close(4001, "bad token")
        lost = await events.next(Lost)
        assert isinstance(lost.error, AuthRefused) and lost.error.condition == "4001"
        for _ in range(2):
            with pytest.raises(AuthRefused, match="4001"):
                await transport.send(outgoing())
        with pytest.raises(AuthRefused):
            await transport.wait()
    assert len(server.requests) == 1
    assert TOKEN not in str(lost.error)
    assert Reconnecting not in [type(event) for event in events.all]


async def test_token_refused_later(server: Server, fast: None) -> None:
    """Sends that wait for the connection learn it at once, not after their timeout."""
    transport = websocket.connect(server.url, TOKEN)
    events = Events(transport)
    async with transport:
        server.refuse = [500, 401, 401]
        server.connection.transport.abort()
        await events.next(Reconnecting)
        waiting = [asyncio.ensure_future(transport.send(outgoing())) for _ in range(3)]
        results = await asyncio.gather(*waiting, return_exceptions=True)
        assert [type(result) for result in results] == [AuthRefused] * 3
        assert server.refuse == [401]
        await events.next(Lost)


async def test_token_that_cannot_be_had(server: Server, fast: None) -> None:
    answers: list[str | Exception] = ["one", OSError("disk"), AuthRefused("signed out", "")]

    def token() -> str:
        answer = answers.pop(0)
        if isinstance(answer, Exception):
            raise answer
        return answer

    transport = websocket.connect(server.url, token)
    events = Events(transport)
    async with transport:
        server.connection.transport.abort()
        await events.next(Reconnecting)
        assert "OSError" in (await events.next(Reconnecting)).reason
        assert str((await events.next(Lost)).error) == "signed out"


# Half-open links


async def test_half_open_link_is_found_within_6_seconds(server: Server) -> None:
    async with Proxy(server.port) as proxy:
        transport = websocket.connect(f"ws://127.0.0.1:{proxy.port}/")
        events = Events(transport)
        async with transport:
            await transport.send(outgoing("1"))
            assert await server.next() == "1"
            proxy.carry.clear()
            stalled = time.monotonic()
            event = await events.next(Reconnecting)
            assert time.monotonic() - stalled > 2
            assert (
                WatchedSocket.dead_after + WatchedSocket.tick < 6
            )  # a loop that slept adds its own
            assert event.reason == "nothing arrived for 5 s"
            proxy.carry.set()
            await transport.send(outgoing("2"))
            assert await server.next() == "2"


async def test_half_open_link_with_a_full_buffer(server: Server, fast: None) -> None:
    """A ping that waits for room in the buffer would never find out; nor may what is stuck there go out later."""
    async with Proxy(server.port) as proxy:
        transport = websocket.connect(f"ws://127.0.0.1:{proxy.port}/", max_payload=8_000_000)
        events = Events(transport)
        async with transport:
            await server.connected()
            proxy.carry.clear()
            big = asyncio.ensure_future(transport.send(outgoing("x" * 8_000_000)))
            small = asyncio.ensure_future(transport.send(outgoing("small")))
            await events.next(Reconnecting)
            with pytest.raises(AckTimeout, match="broke"):
                await big
            proxy.carry.set()
            await small
            assert await server.next() == "small"


async def test_idle_link_stays(server: Server, fast: None) -> None:
    transport = websocket.connect(server.url)
    events = Events(transport)
    async with transport:
        with pytest.raises(TimeoutError):
            await events.next(Reconnecting, within=1.2)
        assert len(server.requests) == 1
