"""websocket: how it connects: token, handshake, URLs, TLS, and what is told where that fails."""

from __future__ import annotations

import asyncio
import ssl
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import pytest
from aoba_runtime import websocket
from aoba_runtime.errors import AckTimeout
from aoba_runtime.websocket import AuthRefused, ConnectFailed, InsecureUrl
from certificates import certify
from websocket_server import TOKEN, Server, nothing_left, outgoing, server, serving


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
    with pytest.raises(ConnectFailed, match="does not speak HTTP"):
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
    certificate, key = certify(tmp_path)
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
