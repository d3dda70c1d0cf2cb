"""What the tests of plain WebSockets share: a server that can be made to misbehave, a proxy that stops to carry, events to await."""

from __future__ import annotations

import asyncio
import contextlib
import gc
import socket
from collections.abc import AsyncIterator, Awaitable
from contextlib import asynccontextmanager
from typing import Any, TypeVar

import pytest
from aoba_runtime import links
from aoba_runtime.sockets import WatchedSocket
from aoba_runtime.transport import Outgoing
from aoba_runtime.websocket import Event, WebSocketTransport
from websockets.asyncio.server import ServerConnection, serve
from websockets.exceptions import ConnectionClosed
from websockets.http11 import Request, Response

T = TypeVar("T")
TOKEN = "eyJ0.secret-token.c2ln"


class Server:
    """A server that notes what it gets. `refuse` answers the next upgrades, `greet` is sent at once on a connection."""

    def __init__(self) -> None:
        self.url = ""
        self.port = 0
        self.requests: list[Request] = []
        self.received: asyncio.Queue[str | bytes] = asyncio.Queue()
        self.connections: asyncio.Queue[ServerConnection] = asyncio.Queue()
        self.refuse: list[int] = []
        self.greet: list[str | bytes] = []
        self.close_with: list[int] = []
        self.connection: ServerConnection

    def admit(self, connection: ServerConnection, request: Request) -> Response | None:
        self.requests.append(request)
        if not self.refuse:
            return None
        response = connection.respond(self.refuse.pop(0), "no\n")
        response.headers["Location"] = "ws://127.0.0.1:1/elsewhere"
        return response

    async def handle(self, connection: ServerConnection) -> None:
        self.connection = connection
        for frame in self.greet:
            await connection.send(frame)
        if self.close_with:
            await connection.close(self.close_with.pop(0))
            return
        self.connections.put_nowait(connection)
        with contextlib.suppress(ConnectionClosed):
            async for frame in connection:
                self.received.put_nowait(frame)

    async def next(self) -> str | bytes:
        async with asyncio.timeout(30):
            return await self.received.get()

    async def connected(self) -> ServerConnection:
        async with asyncio.timeout(30):
            return await self.connections.get()


@asynccontextmanager
async def serving(**options: Any) -> AsyncIterator[Server]:
    server = Server()
    async with serve(
        server.handle,
        "127.0.0.1",
        options.pop("port", 0),
        process_request=server.admit,
        close_timeout=0.2,
        **options,
    ) as listener:
        server.port = list(listener.sockets)[0].getsockname()[1]
        server.url = f"ws://127.0.0.1:{server.port}/sync"
        yield server


@pytest.fixture
async def server() -> AsyncIterator[Server]:
    async with serving() as server:
        yield server


@pytest.fixture(autouse=True)
async def nothing_left(request: pytest.FixtureRequest) -> AsyncIterator[None]:
    """No task of ours may outlive a test."""
    yield
    gc.collect()
    names = [t.get_name() for t in asyncio.all_tasks() if t is not asyncio.current_task()]
    assert "aoba_runtime.websocket" not in names


class Events:
    """The events of a transport, to be awaited."""

    def __init__(self, transport: WebSocketTransport) -> None:
        self.all: list[Event] = []
        self._queue: asyncio.Queue[Event] = asyncio.Queue()
        transport.on_event(self._put)

    def _put(self, event: Event) -> None:
        self.all.append(event)
        self._queue.put_nowait(event)

    async def next(self, kind: type[Any], within: float = 30.0) -> Any:
        """The next event of a kind; others are passed over."""
        async with asyncio.timeout(within):
            while not isinstance(event := await self._queue.get(), kind):
                pass
        return event


async def soon(awaitable: Awaitable[T]) -> T:
    """What is awaited, or a failed test."""
    return await asyncio.wait_for(awaitable, 30)


def outgoing(text: str = "{}") -> Outgoing:
    return Outgoing(text.encode())


@pytest.fixture
def fast(monkeypatch: pytest.MonkeyPatch) -> None:
    """Reconnects at once, keepalive in a fraction of a second."""
    monkeypatch.setattr(links, "FIRST_DELAY", 0.02)
    monkeypatch.setattr(links, "LONGEST_DELAY", 0.1)
    monkeypatch.setattr(WatchedSocket, "ping_after", 0.2)
    monkeypatch.setattr(WatchedSocket, "dead_after", 0.4)
    monkeypatch.setattr(WatchedSocket, "tick", 0.05)


# Half-open links


class Proxy:
    """A TCP proxy that can stop to carry anything without closing anything."""

    def __init__(self, port: int) -> None:
        self.target = port
        self.port = 0
        self.carry = asyncio.Event()
        self.carry.set()
        self._tasks: set[asyncio.Task[None]] = set()

    async def __aenter__(self) -> Proxy:
        listening = socket.socket()
        listening.setsockopt(
            socket.SOL_SOCKET, socket.SO_RCVBUF, 65_536
        )  # else it may grow to 32 MB
        listening.bind(("127.0.0.1", 0))
        self.port = listening.getsockname()[1]
        self._listener = await asyncio.start_server(self._visit, sock=listening)
        return self

    async def __aexit__(self, *_: object) -> None:
        self._listener.close()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def _visit(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._tasks.add(task)
        there, back = await asyncio.open_connection("127.0.0.1", self.target)
        try:
            async with asyncio.TaskGroup() as group:
                group.create_task(self._pump(reader, back))
                group.create_task(self._pump(there, writer))
        except* (ConnectionError, asyncio.CancelledError):
            pass
        finally:
            for end in (writer, back):
                end.transport.abort()

    async def _pump(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while data := await reader.read(65_536):
            await self.carry.wait()
            writer.write(data)
            await writer.drain()
        writer.close()
