"""websocket: a generated client over plain JSON WebSockets, the messages of the transport below it, and how it closes."""

from __future__ import annotations

import asyncio
import gc
import importlib
import json
import logging
import sys
import time
from collections.abc import Iterator
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

import pytest
from aoba_gen.diagnostics import Report
from aoba_gen.pipeline import generate
from aoba_gen.write import Plan, apply
from aoba_runtime import websocket
from aoba_runtime.errors import AckTimeout, PeerUnavailable
from aoba_runtime.sockets import WatchedSocket
from aoba_runtime.transport import Incoming, Transport
from aoba_runtime.websocket import Connected, Lost, Reconnecting, WebSocketTransport
from websocket_server import TOKEN, Events, Proxy, Server, nothing_left, outgoing, server, soon

SPEC = Path(__file__).parent / "cases" / "plain_websocket" / "spec.yaml"


@pytest.fixture(scope="module")
def api(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    """The package generated from the case's document."""
    out = tmp_path_factory.mktemp("generated")
    plan = generate(SPEC, out, "plain_websocket_api", Report())
    assert isinstance(plan, Plan)
    apply(plan)
    sys.path.insert(0, str(out))
    try:
        yield importlib.import_module("plain_websocket_api")
    finally:
        sys.path.remove(str(out))
        for name in [name for name in sys.modules if name.startswith("plain_websocket_api")]:
            del sys.modules[name]


# The generated client


async def test_generated_client(server: Server, api: Any) -> None:
    async with websocket.connect(server.url, TOKEN) as transport:
        typed: Transport = transport
        async with api.SyncClient(typed) as client:
            notices: asyncio.Queue[tuple[Any, Incoming]] = asyncio.Queue()
            client.on_notice(lambda notice, incoming: notices.put_nowait((notice, incoming)))
            await client.subscribe(api.models.Subscribe(topic="caf\u00e9 \U0001f600"))
            frame = await server.next()
            assert isinstance(frame, str)
            assert json.loads(frame) == {"type": "subscribe", "topic": "caf\u00e9 \U0001f600"}
            for number in range(50):
                text = json.dumps({"type": "notice", "number": number})
                await server.connection.send(text if number % 2 else text.encode())
            for number in range(50):
                notice, incoming = await soon(notices.get())
                assert isinstance(notice, api.models.Notice) and notice.number == number
                assert (incoming.sender, incoming.id) == ("127.0.0.1", str(number + 1))
            assert (transport.refused, transport.unheard) == (0, 0)
    assert server.requests[0].headers["Cookie"] == f"auth_token={TOKEN}"


async def test_greeting_waits_for_the_handlers(server: Server, api: Any) -> None:
    server.greet = [json.dumps({"type": "notice", "number": n}) for n in range(3)]
    async with websocket.connect(server.url) as transport:
        await server.connected()
        await outcome_of(server, transport)
        seen: asyncio.Queue[int] = asyncio.Queue()
        async with api.SyncClient(transport) as client:
            client.on_notice(lambda notice: seen.put_nowait(notice.number))
            await server.connection.send('{"type": "notice", "number": 3}')
            assert [await soon(seen.get()) for _ in range(4)] == [0, 1, 2, 3]
    assert "Cookie" not in server.requests[0].headers


async def outcome_of(server: Server, transport: WebSocketTransport) -> None:
    """Wait until all that the server has sent was read here: a ping comes back behind it."""
    async with asyncio.timeout(30):
        await (await server.connection.ping())


async def test_refused_messages_are_counted(
    server: Server, api: Any, caplog: pytest.LogCaptureFixture
) -> None:
    async with websocket.connect(server.url) as transport:
        async with api.SyncClient(transport) as client:
            seen: asyncio.Queue[int] = asyncio.Queue()
            client.on_notice(lambda notice: seen.put_nowait(notice.number))
            await server.connected()
            for bad in (
                "not json at all, my password",
                '{"type": "notice", "number": "my password"}',
                '{"type": "subscribe", "topic": "my password"}',
                "[]",
                b"\xff\xfe",
            ):
                await server.connection.send(bad)
            await server.connection.send('{"type": "notice", "number": 1}')
            assert await soon(seen.get()) == 1
            assert transport.refused == 5
        await server.connection.send('{"type": "notice", "number": 2}')
        await outcome_of(server, transport)
        assert transport.unheard == 1
    assert "my password" not in caplog.text
    assert "message 2 from 127.0.0.1 was refused: bad-request" in caplog.text


async def test_receiver_with_a_bug(server: Server) -> None:
    problems: list[dict[str, Any]] = []
    asyncio.get_running_loop().set_exception_handler(lambda _, problem: problems.append(problem))
    seen: asyncio.Queue[bytes] = asyncio.Queue()

    def receiver(incoming: Incoming) -> None:
        if incoming.data == b"1":
            raise ZeroDivisionError
        seen.put_nowait(incoming.data)

    async with websocket.connect(server.url, address="/sync") as transport:
        transport.attach(receiver)
        with pytest.raises(RuntimeError):
            transport.attach(receiver)
        transport.on_event(lambda event: 1 / 0)
        await server.connected()
        await server.connection.send("1")
        await server.connection.send("2")
        assert await soon(seen.get()) == b"2"
    assert [type(problem["exception"]) for problem in problems] == [ZeroDivisionError]


async def test_early_messages_are_bounded(server: Server) -> None:
    server.greet = [str(n) for n in range(130)]
    async with websocket.connect(server.url) as transport:
        await server.connected()
        await outcome_of(server, transport)
        seen: list[bytes] = []
        transport.attach(lambda incoming: seen.append(incoming.data))
        await server.connection.send("last")
        await outcome_of(server, transport)
        assert seen == [str(n).encode() for n in range(100)] + [b"last"]
        assert transport.unheard == 30


# Closing


async def test_use_outside_of_the_block(server: Server) -> None:
    transport = websocket.connect(server.url)
    with pytest.raises(PeerUnavailable, match="async with"):
        await transport.send(outgoing())
    async with transport:
        pass
    with pytest.raises(PeerUnavailable, match="closed"):
        await transport.send(outgoing())
    await transport.wait()
    await transport.aclose()
    with pytest.raises(RuntimeError):
        async with transport:
            pass


async def test_close_is_a_closing_handshake(server: Server) -> None:
    async with websocket.connect(server.url) as transport:
        connection = await server.connected()
        for n in range(100):
            await transport.send(outgoing(str(n)))
    await connection.wait_closed()
    assert connection.close_code == 1000
    assert [await server.next() for _ in range(100)] == [str(n) for n in range(100)]


@pytest.mark.parametrize("state", ["up", "between attempts", "connecting", "stalled"])
async def test_cancelled_and_closed(server: Server, state: str) -> None:
    """Whatever it is doing: closing waits for nobody and leaves nothing."""
    async with Proxy(server.port) as proxy:
        transport = websocket.connect(f"ws://127.0.0.1:{proxy.port}/", max_payload=8_000_000)
        events = Events(transport)
        inside = asyncio.Event()

        async def use() -> None:
            async with transport:
                inside.set()
                await asyncio.Event().wait()

        using = asyncio.ensure_future(use())
        await inside.wait()
        connection = await server.connected()
        sending: asyncio.Future[None] | None = None
        if state == "between attempts":
            server.refuse = [503] * 100
            connection.transport.abort()
            while (await events.next(Reconnecting)).attempt < 3:
                pass
        elif state == "connecting":
            connection.transport.abort()
            await events.next(Reconnecting)
            proxy.carry.clear()
            requests = len(proxy._tasks)
            while len(proxy._tasks) == requests:
                await asyncio.sleep(0)
        elif state == "stalled":
            proxy.carry.clear()
            sending = asyncio.ensure_future(transport.send(outgoing("x" * 8_000_000)))
            await asyncio.sleep(0)
        started = time.monotonic()
        using.cancel()
        with pytest.raises(asyncio.CancelledError):
            await using
        assert time.monotonic() - started < 5  # a send may take 10
        if sending is not None:
            with pytest.raises((AckTimeout, PeerUnavailable)):
                await sending
        names = [task.get_name() for task in asyncio.all_tasks()]
        assert "aoba_runtime.websocket" not in names


async def test_many_connections_leave_nothing(server: Server) -> None:
    for _ in range(10):
        async with AsyncExitStack() as stack:
            for _ in range(20):
                transport = await stack.enter_async_context(websocket.connect(server.url, TOKEN))
                await transport.send(outgoing())
    gc.collect()
    left = [thing for thing in gc.get_objects() if type(thing) is WatchedSocket]
    assert len(left) <= 1


async def test_logs_hold_nothing_secret(server: Server, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    logging.getLogger("websockets.server").setLevel(logging.INFO)
    for auth in ("cookie", "query"):
        transport = websocket.connect(server.url, TOKEN, auth=auth)
        assert TOKEN not in repr(transport._settings)
        events = Events(transport)
        async with transport:
            await transport.send(outgoing("my password"))
            server.connection.transport.abort()
            await events.next(Connected)
            await events.next(Connected)
            server.refuse = [401]
            server.connection.transport.abort()
            await events.next(Lost)
    assert "connection given up" in caplog.text
    assert TOKEN not in caplog.text and "my password" not in caplog.text
