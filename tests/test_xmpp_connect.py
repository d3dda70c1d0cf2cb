"""xmpp.connect: handshake, SASL, refusals, presence, frames, events, closing."""

from __future__ import annotations

import asyncio
import base64
import logging
import shutil
import ssl
import subprocess
import sys
from http import HTTPStatus
from pathlib import Path
from typing import Any

import pytest
from slixmpp import JID
from test_xmpp_fake import BOB, TOKEN, WITHIN, FakeServer, Inbox, jwt_of, numbered, session

from aoba_runtime import xmpp
from aoba_runtime.errors import PeerUnavailable
from aoba_runtime.transport import Outgoing


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


async def test_initial_presence_has_capabilities_and_disco_lists_the_feature() -> None:
    async with FakeServer() as server, session(server) as (_, account):
        presence = await account.next("presence")
        caps = presence.find("{http://jabber.org/protocol/caps}c")
        assert caps is not None and caps.get("hash") == "sha-1"
        node = f"{caps.get('node')}#{caps.get('ver')}"
        for about in ("", f" node='{node}'"):
            query = f"<query xmlns='http://jabber.org/protocol/disco#info'{about}/>"
            await account.request(inner=query, kind="get")
            answer = await account.next()
            features = {
                item.get("var")
                for item in answer.iter("{http://jabber.org/protocol/disco#info}feature")
            }
            assert answer.get("type") == "result" and "urn:xmpp:call:0" in features


async def test_pings_are_answered() -> None:
    async with FakeServer() as server, session(server) as (_, account):
        await account.request(inner="<ping xmlns='urn:xmpp:ping'/>", kind="get")
        assert (await account.next()).get("type") == "result"


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


async def test_a_session_that_was_replaced_is_not_fought_for() -> None:
    async with FakeServer() as server, session(server) as (transport, account):
        events = transport.events()
        await account.send(
            "<stream:error xmlns:stream='http://etherx.jabber.org/streams'>"
            "<conflict xmlns='urn:ietf:params:xml:ns:xmpp-streams'/></stream:error>"
        )
        await account.send("<close xmlns='urn:ietf:params:xml:ns:xmpp-framing'/>")
        async with asyncio.timeout(WITHIN):
            (lost,) = [event async for event in events]
        assert isinstance(lost, xmpp.Lost) and isinstance(lost.error, xmpp.SessionReplaced)
        assert len(server.requests) == 1


async def test_frames_stand_alone_and_are_never_white_space() -> None:
    async with FakeServer() as server, session(server) as (transport, account):
        client = transport.client
        client.send_raw(" ")
        client.send_raw("\n")
        client.send_message(mto=JID(BOB), mbody="hello <&> xmlns=")
        client.send_raw(
            "<iq type='get' id='mine' to='localhost' xmlns='jabber:client'><ping xmlns='urn:xmpp:ping'/></iq>"
        )
        client.send_raw(
            "<iq type='get' id='no xmlns=' to='localhost'><ping xmlns='urn:xmpp:ping'/></iq>"
        )
        assert [(await account.next()).get("id") for _ in range(2)] == ["mine", "no xmlns="]
        assert (await account.next("message")).findtext("{jabber:client}body") == "hello <&> xmlns="
        assert not any(frame.isspace() for frame in account.raw)


async def test_chat_goes_over_the_same_connection() -> None:
    async with FakeServer() as server, session(server) as (transport, account):
        heard: asyncio.Future[Any] = asyncio.get_running_loop().create_future()
        transport.client.add_event_handler("message", heard.set_result)
        await account.send(
            f"<message xmlns='jabber:client' from='{BOB}' to='{account.jid}' type='chat'><body>hi</body></message>"
        )
        async with asyncio.timeout(WITHIN):
            assert (await heard)["body"] == "hi"


async def test_closing_ends_the_stream_and_leaves_nothing() -> None:
    before = asyncio.all_tasks()
    async with FakeServer() as server:
        running = asyncio.all_tasks()
        events: list[xmpp.Event] = []
        async with session(server) as (transport, account):
            transport.on_event(events.append)
            waiting = asyncio.create_task(transport.send(numbered(1)))
            await account.next()
        with pytest.raises(PeerUnavailable, match="closed"):
            await waiting
        with pytest.raises(PeerUnavailable, match="closed"):
            await transport.send(numbered(2))
        assert server.closes == [account.jid] and events == []
        await transport.aclose()
        with pytest.raises(RuntimeError, match="once"):
            await transport.__aenter__()
        left = {
            task
            for task in asyncio.all_tasks() - running
            if "aoba" in repr(task) or "slixmpp" in repr(task)
        }
        assert not left
    assert asyncio.all_tasks() == before


async def test_closing_while_disconnected() -> None:
    server = FakeServer()
    async with server:
        transport = xmpp.connect(server.url, TOKEN, domain="localhost")
        await transport.__aenter__()
        events = transport.events()
        waiting = asyncio.ensure_future(anext(events))
        await asyncio.sleep(0)
    async with asyncio.timeout(WITHIN):
        assert isinstance(await waiting, xmpp.Reconnecting)
        await transport.aclose()
    await events.aclose()
    assert asyncio.all_tasks() == {asyncio.current_task()}


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


async def test_slixmpp_requests_end_when_the_transport_closes() -> None:
    from slixmpp.exceptions import IqTimeout

    async with FakeServer() as server, session(server) as (transport, account):
        asking = asyncio.ensure_future(
            transport.client.plugin["xep_0030"].get_info(jid=JID(BOB), timeout=100)
        )
        await account.next()
    with pytest.raises(IqTimeout):
        await asking


async def test_logs_hold_no_token_and_no_payload(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    for name in list(logging.root.manager.loggerDict):
        if not name.startswith("asyncio"):
            logging.getLogger(name).setLevel(logging.DEBUG)
    secret = "candidate:1 1 udp 2122260223 192.0.2.7 54321 typ host"
    async with FakeServer() as server:
        server.mechanisms = ["PLAIN"]
        async with session(server) as (transport, account):
            transport.attach(Inbox())
            sending = asyncio.create_task(
                transport.send(Outgoing(b'{"c":"%s"}' % secret.encode(), BOB))
            )
            iq = await account.next()
            await account.send(
                f"<iq xmlns='jabber:client' type='error' id='{iq.get('id')}' from='{BOB}'>"
                f"<call xmlns='urn:xmpp:call:0'>{secret}</call>"
                "<error type='cancel'><service-unavailable xmlns='urn:ietf:params:xml:ns:xmpp-stanzas'/></error></iq>"
            )
            with pytest.raises(PeerUnavailable):
                await sending
            await account.request('{"c":"%s"}' % secret)
            await account.next()
            late = f"<call xmlns='urn:xmpp:call:0'>{secret}</call>"
            await account.request(inner=late, kind="result", id="late")
            await account.send(f"<message xmlns='jabber:client' from='{BOB}'>{late}</message>")
            broken = "<iq xmlns='jabber:client'><call xmlns='urn:xmpp:call:0'>" + secret
            await account.send(broken)
            await server.account()
    logged = "\n".join(
        [
            caplog.text,
            *(
                str(record.__dict__)
                for record in caplog.records
                if record.name != "websockets.server"
            ),
        ]
    )
    logged = "\n".join(line for line in logged.splitlines() if "websockets.server" not in line)
    assert "session started" in logged and "slixmpp" in logged
    assert (
        TOKEN not in logged
        and base64.b64encode(f"\0alice\0{TOKEN}".encode()).decode() not in logged
    )
    assert "192.0.2.7" not in logged


def test_the_import_error_says_what_to_install() -> None:
    code = "import sys; sys.modules['slixmpp'] = None\ntry: import aoba_runtime.xmpp\nexcept ImportError as e: print(e)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert "pip install 'aoba-runtime[xmpp]'" in done.stdout


@pytest.fixture
def certificate(tmp_path: Path) -> Path:
    """A certificate for 127.0.0.1 that signs itself, and its key, in one file."""
    openssl = shutil.which("openssl")
    if openssl is None:
        pytest.skip("openssl is missing")
    place = tmp_path / "both.pem"
    command = [
        openssl,
        "req",
        "-x509",
        "-newkey",
        "ec",
        "-pkeyopt",
        "ec_paramgen_curve:prime256v1",
        "-nodes",
    ]
    command += [
        "-subj",
        "/CN=x",
        "-addext",
        "subjectAltName=IP:127.0.0.1",
        "-keyout",
        str(place),
        "-out",
        str(tmp_path / "cert.pem"),
    ]
    subprocess.run(command, check=True, capture_output=True)
    with place.open("ab") as both:
        both.write((tmp_path / "cert.pem").read_bytes())
    return place


async def test_tls_is_verified_and_carries_plain(certificate: Path) -> None:
    server = FakeServer()
    server.mechanisms = ["PLAIN"]
    server.tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    server.tls.load_cert_chain(certificate)
    async with server:
        error = await refused(server)
        assert isinstance(error, xmpp.ConnectFailed) and "not trusted" in str(error)
        assert server.requests == []
        trusting = ssl.create_default_context(cafile=str(certificate))
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
