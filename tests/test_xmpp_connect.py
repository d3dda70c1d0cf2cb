"""xmpp.connect: handshake, token, SASL, TLS, proxies, and what is told where one of them fails."""

from __future__ import annotations

import asyncio
import base64
import ssl
import subprocess
import sys
from http import HTTPStatus
from pathlib import Path
from typing import Any

import pytest
from aoba_runtime import xmpp
from aoba_runtime.errors import PeerUnavailable
from certificates import certify
from test_xmpp_fake import TOKEN, WITHIN, FakeServer, jwt_of, numbered, session


async def refused(server: FakeServer, **options: Any) -> xmpp.XmppError:
    with pytest.raises(xmpp.XmppError) as info:
        async with session(server, **options):
            pass
    assert TOKEN not in str(info.value)
    return info.value


async def test_handshake_carries_cookie_and_subprotocol() -> None:
    async with FakeServer() as server, session(server) as (transport, _):
        (request,) = server.requests
        assert request.headers["Cookie"] == f"auth_token={TOKEN}"
        assert request.headers["Sec-WebSocket-Protocol"] == "xmpp"
        assert "Sec-WebSocket-Extensions" not in request.headers
        assert server.auths == [("EXTERNAL", "=")]
        assert transport.jid == "alice@localhost/1"
        assert transport.client.boundjid.full == transport.jid


async def test_plain_sends_the_token_only_without_external() -> None:
    async with FakeServer() as server:
        server.mechanisms = ["SCRAM-SHA-1", "PLAIN"]
        async with session(server):
            ((mechanism, response),) = server.auths
        assert mechanism == "PLAIN"
        assert base64.b64decode(response) == f"\0alice\0{TOKEN}".encode()


async def test_plain_takes_the_local_part_of_a_jid_in_sub() -> None:
    async with FakeServer() as server:
        server.mechanisms = ["PLAIN"]
        token = jwt_of("alice@localhost")
        async with session(server, token=token):
            assert base64.b64decode(server.auths[0][1]) == f"\0alice\0{token}".encode()


@pytest.mark.parametrize("offered", [["SCRAM-SHA-1"], ["DIGEST-MD5", "ANONYMOUS"], []])
async def test_nothing_weaker_than_plain(offered: list[str]) -> None:
    async with FakeServer() as server:
        server.mechanisms = offered
        error = await refused(server)
        assert isinstance(error, xmpp.AuthRefused) and server.auths == []


async def test_plain_is_never_sent_over_a_link_that_is_not_private(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("aoba_runtime.xmpp.connection.is_loopback", lambda url: False)
    async with FakeServer() as server:
        server.mechanisms = ["PLAIN"]
        error = await refused(server, insecure=True)
        assert "not private" in str(error) and server.auths == []


async def test_external_refused_is_not_tried_again_with_plain() -> None:
    async with FakeServer() as server:
        server.mechanisms = ["PLAIN", "EXTERNAL"]
        server.failure = "not-authorized"
        error = await refused(server)
        assert isinstance(error, xmpp.AuthRefused) and error.condition == "not-authorized"
        assert len(server.auths) == len(server.requests) == 1


@pytest.mark.parametrize(
    "url", ["ws://example.com/xmpp", "ws://192.0.2.1/xmpp", "ws://localhost.example/xmpp"]
)
async def test_ws_to_another_machine_is_refused(url: str) -> None:
    with pytest.raises(xmpp.InsecureUrl):
        xmpp.connect(url, TOKEN)
    xmpp.connect(url, TOKEN, insecure=True)


@pytest.mark.parametrize("url", ["http://localhost/", "ws:///x", "ws://alice:secret@localhost/"])
async def test_a_url_that_makes_no_sense_is_refused_without_repeating_it(url: str) -> None:
    with pytest.raises(ValueError) as info:
        xmpp.connect(url, TOKEN)
    assert "secret" not in str(info.value)


async def test_401_is_final_and_says_why() -> None:
    async with FakeServer() as server:
        server.status = HTTPStatus.UNAUTHORIZED
        error = await refused(server)
        assert isinstance(error, xmpp.AuthRefused) and error.condition == "401"
        assert "refused the token" in str(error)
        assert len(server.requests) == 1


async def test_another_status_is_a_failure_to_connect() -> None:
    async with FakeServer() as server:
        server.status = HTTPStatus.SERVICE_UNAVAILABLE
        assert type(await refused(server)) is xmpp.ConnectFailed


async def test_redirects_are_not_followed() -> None:
    async with FakeServer() as server:
        server.status = HTTPStatus.FOUND
        assert type(await refused(server)) is xmpp.ConnectFailed
        assert len(server.requests) == 1


async def test_nobody_listens() -> None:
    async with FakeServer() as server:
        url = server.url
    with pytest.raises(xmpp.ConnectFailed, match="cannot be reached"):
        async with xmpp.connect(url, TOKEN):
            pass


@pytest.mark.parametrize("token", ["", "a b", "a;b", "a\r\nX: y", "ü"])
async def test_a_token_that_no_cookie_can_carry(token: str) -> None:
    async with FakeServer() as server:
        with pytest.raises(xmpp.AuthRefused):
            async with session(server, token=token):
                pass
        assert server.requests == []


async def test_the_token_is_read_again_at_each_connect() -> None:
    tokens = iter([jwt_of("alice"), jwt_of("alice2"), jwt_of("alice3")])

    async def fresh() -> str:
        await asyncio.sleep(0)
        return next(tokens)

    async with FakeServer() as server, session(server, token=fresh) as (_, account):
        await account.cut()
        await server.account()
        cookies = [request.headers["Cookie"] for request in server.requests]
        assert cookies == [f"auth_token={jwt_of('alice')}", f"auth_token={jwt_of('alice2')}"]


async def test_a_token_source_that_fails() -> None:
    def broken() -> str:
        raise KeyError("no token today")

    async with FakeServer() as server:
        assert type(await refused(server, token=broken)) is xmpp.ConnectFailed


async def test_401_at_reconnect_ends_it_without_a_storm() -> None:
    async with FakeServer() as server, session(server) as (transport, account):
        events = transport.events()
        waiting = asyncio.create_task(transport.send(numbered(1)))
        await account.next()
        server.status = HTTPStatus.UNAUTHORIZED
        await account.cut()
        async with asyncio.timeout(WITHIN):
            seen = [event async for event in events]
        assert [type(event) for event in seen] == [xmpp.Reconnecting, xmpp.Lost]
        lost = seen[-1]
        assert isinstance(lost, xmpp.Lost) and isinstance(lost.error, xmpp.AuthRefused)
        with pytest.raises(PeerUnavailable, match="refused the token"):
            await waiting
        with pytest.raises(PeerUnavailable, match="refused the token"):
            await transport.send(numbered(2))
        assert len(server.requests) == 2


async def test_cancelling_a_connect() -> None:
    async with await asyncio.start_server(lambda reader, writer: None, "127.0.0.1", 0) as silent:
        port = silent.sockets[0].getsockname()[1]
        before = asyncio.all_tasks()
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.1), xmpp.connect(f"ws://127.0.0.1:{port}/", TOKEN):
                pass
        assert asyncio.all_tasks() == before


async def test_a_server_that_says_nothing_is_given_up_in_time() -> None:
    async with await asyncio.start_server(lambda reader, writer: None, "127.0.0.1", 0) as silent:
        port = silent.sockets[0].getsockname()[1]
        with pytest.raises(xmpp.ConnectFailed, match="in time"):
            async with xmpp.connect(f"ws://127.0.0.1:{port}/", TOKEN, open_timeout=0.1):
                pass


def test_the_import_error_says_what_to_install() -> None:
    code = "import sys; sys.modules['slixmpp'] = None\ntry: import aoba_runtime.xmpp\nexcept ImportError as e: print(e)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert "pip install 'aoba-runtime[xmpp]'" in done.stdout


async def test_tls_is_verified_and_carries_plain(tmp_path: Path) -> None:
    certificate, key = certify(tmp_path, "127.0.0.1")
    server = FakeServer()
    server.mechanisms = ["PLAIN"]
    server.tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    server.tls.load_cert_chain(certificate, key)
    async with server:
        error = await refused(server)
        assert isinstance(error, xmpp.ConnectFailed) and "not trusted" in str(error)
        assert server.requests == []
        trusting = ssl.create_default_context(cafile=certificate)
        async with session(server, ssl=trusting) as (transport, account):
            assert server.auths[0][0] == "PLAIN"
            assert isinstance(transport.client.socket, (ssl.SSLObject, ssl.SSLSocket))
            await account.cut()
            await server.account()


async def test_a_proxy_is_used(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[bytes] = []

    async def pump(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while data := await reader.read(4096):
            writer.write(data)
        writer.close()
        await writer.wait_closed()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        asked.append((await reader.readuntil(b"\r\n\r\n")).split(b"\r\n")[0])
        writer.write(b"HTTP/1.1 200 OK\r\n\r\n")
        there = await asyncio.open_connection("127.0.0.1", server.port)
        await asyncio.gather(pump(reader, there[1]), pump(there[0], writer))

    async with FakeServer() as server, await asyncio.start_server(serve, "127.0.0.1", 0) as proxy:
        url = f"http://127.0.0.1:{proxy.sockets[0].getsockname()[1]}"
        async with session(server, proxy=url):
            assert asked == [b"CONNECT 127.0.0.1:%d HTTP/1.1" % server.port]
        monkeypatch.setenv("http_proxy", url)
        async with session(server):
            assert len(asked) == 1
