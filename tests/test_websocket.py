"""websocket: a generated client over plain JSON WebSockets, against a real server that can be made to misbehave."""

from __future__ import annotations

import asyncio
import contextlib
import gc
import importlib
import json
import logging
import ssl
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Awaitable, Iterator
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from socket import SHUT_WR
from typing import Any, TypeVar
from urllib.parse import parse_qs, urlsplit

import pytest
from websockets.asyncio.server import ServerConnection, serve
from websockets.exceptions import ConnectionClosed
from websockets.http11 import Request, Response

from aoba_gen.diagnostics import Report
from aoba_gen.pipeline import generate
from aoba_gen.write import Plan, apply
from aoba_runtime import links, websocket
from aoba_runtime.errors import AckTimeout, LimitExceeded, PeerUnavailable
from aoba_runtime.sockets import WatchedSocket
from aoba_runtime.transport import Incoming, Outgoing, Transport
from aoba_runtime.websocket import (
    AuthRefused,
    Connected,
    ConnectFailed,
    Event,
    InsecureUrl,
    Lost,
    Reconnecting,
    WebSocketTransport,
)

SPEC = Path(__file__).parent / "cases" / "plain_websocket" / "spec.yaml"
T = TypeVar("T")
TOKEN = "eyJ0.secret-token.c2ln"


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
        async with asyncio.timeout(5):
            return await self.received.get()

    async def connected(self) -> ServerConnection:
        async with asyncio.timeout(8):
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

    async def next(self, kind: type[Any], within: float = 8.0) -> Any:
        """The next event of a kind; others are passed over."""
        async with asyncio.timeout(within):
            while not isinstance(event := await self._queue.get(), kind):
                pass
        return event


async def soon(awaitable: Awaitable[T]) -> T:
    """What is awaited, or a failed test."""
    return await asyncio.wait_for(awaitable, 8)


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
    async with asyncio.timeout(5):
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


# Token and handshake


async def test_token_in_the_query(server: Server) -> None:
    odd = "a b&c=d/%\u00e9"
    async with websocket.connect(
        server.url + "?v=1", lambda: odd, auth="query", query_name="to ken", headers={"X-A": "1"}
    ):
        pass
    [request] = server.requests
    assert parse_qs(urlsplit(request.path).query) == {"v": ["1"], "to ken": [odd]}
    assert "Cookie" not in request.headers and request.headers["X-A"] == "1"


async def test_cookie_and_subprotocol(server: Server) -> None:
    async with websocket.connect(
        server.url, TOKEN, cookie_name="jwt", headers={"cookie": "theme=dark"}
    ):
        pass
    assert server.requests[0].headers.get_all("Cookie") == [f"theme=dark; jwt={TOKEN}"]
    assert "Sec-WebSocket-Protocol" not in server.requests[0].headers
    assert "Sec-WebSocket-Extensions" not in server.requests[0].headers


@pytest.mark.parametrize("status", [401, 403])
async def test_refused_handshake(server: Server, status: int) -> None:
    server.refuse = [status] * 9
    with pytest.raises(AuthRefused, match=f"HTTP {status}") as info:
        async with websocket.connect(server.url + "?key=hidden", TOKEN, auth="query"):
            pass
    assert info.value.condition == str(status)
    assert "hidden" not in str(info.value) and TOKEN not in str(info.value)
    assert len(server.requests) == 1


@pytest.mark.parametrize("status", [302, 404, 500, 503])
async def test_failed_handshake(server: Server, status: int) -> None:
    server.refuse = [status] * 9
    with pytest.raises(ConnectFailed, match=f"HTTP {status}"):
        async with websocket.connect(server.url, TOKEN):
            pass
    assert len(server.requests) == 1


@pytest.mark.parametrize("token", ["", "a b", 'a"b', "a;b", "\u00e9", "a\r\nX-Evil: 1"])
async def test_token_that_fits_no_cookie(server: Server, token: str) -> None:
    with pytest.raises(AuthRefused, match="cookie"):
        async with websocket.connect(server.url, token):
            pass
    assert server.requests == []


async def test_nobody_there() -> None:
    async with serving() as server:
        url = server.url
    with pytest.raises(ConnectFailed, match="cannot be reached"):
        async with websocket.connect(url):
            pass
    with pytest.raises(ConnectFailed, match="does not open a WebSocket|did not answer"):
        listener = await asyncio.start_server(lambda _, w: w.close(), "127.0.0.1", 0)
        async with listener:
            port = listener.sockets[0].getsockname()[1]
            async with websocket.connect(f"ws://127.0.0.1:{port}/"):
                pass


async def test_server_that_does_not_answer() -> None:
    writers: list[asyncio.StreamWriter] = []
    listener = await asyncio.start_server(lambda _, w: writers.append(w), "127.0.0.1", 0)
    async with listener:
        url = f"ws://127.0.0.1:{listener.sockets[0].getsockname()[1]}/"
        with pytest.raises(ConnectFailed, match="did not answer in time"):
            async with websocket.connect(url, open_timeout=0.1):
                pass
        entering = asyncio.ensure_future(websocket.connect(url).__aenter__())
        while len(writers) < 2:
            await asyncio.sleep(0)
        entering.cancel()
        with pytest.raises(asyncio.CancelledError):
            await entering
        for writer in writers:
            writer.close()
            await writer.wait_closed()


def test_urls() -> None:
    for url in ("ws://example.com/", "ws://192.0.2.1/", "ws://localhost.example.com/"):
        with pytest.raises(InsecureUrl):
            websocket.connect(url, TOKEN)
        websocket.connect(url, TOKEN, insecure=True)
    for url in ("ws://localhost/", "ws://127.9.9.9:1/", "ws://[::1]/", "wss://example.com/"):
        websocket.connect(url, TOKEN)
    for url in ("http://localhost/", "ws:///x", "localhost", "ws://localhost/#a"):
        with pytest.raises(ValueError):
            websocket.connect(url)
    blind = ssl.create_default_context()
    blind.check_hostname = False
    with pytest.raises(InsecureUrl):
        websocket.connect("wss://example.com/", ssl=blind)
    websocket.connect("wss://example.com/", ssl=blind, insecure=True)
    with pytest.raises(ValueError):
        websocket.connect("ws://localhost/", ssl=ssl.create_default_context())
    with pytest.raises(ValueError):
        websocket.connect("ws://localhost/", TOKEN, auth=None)


def contexts(tmp_path: Path) -> tuple[ssl.SSLContext, ssl.SSLContext]:
    """A server's context with a certificate for localhost, and a client's that trusts it."""
    key, certificate = tmp_path / "key.pem", tmp_path / "cert.pem"
    subprocess.run(
        ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "1"]
        + ["-keyout", str(key), "-out", str(certificate), "-subj", "/CN=localhost"]
        + ["-addext", "subjectAltName=DNS:localhost"],
        check=True,
        capture_output=True,
    )
    inside = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    inside.load_cert_chain(certificate, key)
    trusting = ssl.create_default_context(cafile=str(certificate))
    return inside, trusting


async def test_tls(tmp_path: Path) -> None:
    inside, trusting = contexts(tmp_path)
    async with serving(ssl=inside) as server:
        url = f"wss://localhost:{server.port}/sync"
        async with websocket.connect(url, TOKEN, ssl=trusting) as transport:
            await transport.send(outgoing("over TLS"))
            assert await server.next() == "over TLS"
        with pytest.raises(ConnectFailed, match="is not trusted"):
            async with websocket.connect(url, TOKEN):
                pass
        with pytest.raises(ConnectFailed, match="is not trusted"):
            async with websocket.connect(f"wss://127.0.0.1:{server.port}/", TOKEN, ssl=trusting):
                pass
    assert len(server.requests) == 1


async def test_a_tls_connection_that_failed_below_takes_nothing(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """Python 3.11's TLS says that it is open while the socket below has failed; asyncio would log each write."""
    inside, trusting = contexts(tmp_path)
    async with serving(ssl=inside) as server:
        url = f"wss://localhost:{server.port}/sync"
        async with websocket.connect(url, TOKEN, ssl=trusting) as transport:
            socket = transport._socket
            assert socket is not None and not socket.is_closing()
            socket.transport._ssl_protocol._transport.abort()  # type: ignore[attr-defined]
            assert socket.is_closing()
            for _ in range(20):
                socket.protocol.send_ping(b"")
                socket.send_data()
            with pytest.raises(AckTimeout, match="broke"):
                await transport.send(outgoing("lost"))
    assert "socket.send()" not in caplog.text


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


class Proxy:
    """A TCP proxy that can stop to carry anything without closing anything."""

    def __init__(self, port: int) -> None:
        self.target = port
        self.port = 0
        self.carry = asyncio.Event()
        self.carry.set()
        self._tasks: set[asyncio.Task[None]] = set()

    async def __aenter__(self) -> Proxy:
        self._listener = await asyncio.start_server(self._visit, "127.0.0.1", 0)
        self.port = self._listener.sockets[0].getsockname()[1]
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
            assert 2 < time.monotonic() - stalled < 6
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
            await events.next(Reconnecting, within=2)
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


# Deadlines, limits, closing


async def test_nothing_is_sent_after_its_deadline(server: Server, fast: None) -> None:
    transport = websocket.connect(server.url, ack_timeout=0.15)
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
            f"ws://127.0.0.1:{proxy.port}/", ack_timeout=0.2, max_payload=8_000_000
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
    """Whatever it is doing: closing takes under two seconds and leaves nothing."""
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
        assert time.monotonic() - started < 2
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
