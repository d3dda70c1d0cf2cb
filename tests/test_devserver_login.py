"""devserver: who is let in, as an independent client sees it: the upgrade, the stream, SASL and binding."""

from __future__ import annotations

import base64
import logging
from contextlib import AsyncExitStack

import pytest
import websockets
from aoba_runtime import devserver
from aoba_runtime.devserver import Limits, Server
from devserver_peer import (
    AUTH,
    BAD_TOKENS,
    CLOSE,
    NS,
    OPEN,
    SM,
    Peer,
    call,
    iq,
    peer,
    peers,
    refused,
    server,
    tag,
    upgrade,
)
from websockets.exceptions import ConnectionClosed, InvalidStatus
from websockets.typing import Subprotocol

# The upgrade


@pytest.mark.parametrize("token", BAD_TOKENS.values(), ids=BAD_TOKENS)
async def test_bad_token(server: Server, token: str, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    logging.getLogger("websockets.client").setLevel(logging.WARNING)
    assert await upgrade(server, Cookie=f"auth_token={token}") == 401
    assert server.handshakes == {401: 1}
    assert not token or token not in caplog.text


async def test_upgrade_refused(server: Server) -> None:
    good = f"auth_token={server.token('alice')}"
    assert await upgrade(server) == 401
    assert await upgrade(server, Cookie=f"token={server.token('alice')}") == 401
    assert await upgrade(server, Cookie=f"{good}; auth_token={server.token('bob')}") == 401
    assert await upgrade(server, "/", Cookie=good) == 404
    assert await upgrade(server, "/xmpp/", Cookie=good) == 404
    for origin in ("https://evil.example", "null", "http://localhost.evil.example", "http://[x"):
        assert await upgrade(server, Cookie=good, Origin=origin) == 403
    for offered in ([], [Subprotocol("xmpp2")]):
        with pytest.raises(InvalidStatus) as info:
            await websockets.connect(
                server.url, subprotocols=offered, additional_headers={"Cookie": good}, proxy=None
            )
        assert info.value.response.status_code == 400
    assert server.handshakes == {401: 3, 404: 2, 403: 4, 400: 2}


async def test_upgrade_accepted(server: Server) -> None:
    cookies = f'theme=dark; auth_token="{server.token("alice")}"; auth_token2=x'
    for origin in ("http://localhost:3000", "https://127.0.0.1"):
        async with await Peer.connect(server, Cookie=cookies, Origin=origin) as peer:
            assert peer.socket.subprotocol == "xmpp"
            await peer.login()
    async with devserver.serve(port=0, origins=["https://app.example"]) as other:
        async with await Peer.connect(other, Origin="https://app.example"):
            pass


# Login


async def test_login_frame_by_frame(server: Server) -> None:
    async with await Peer.connect(server) as peer:
        features = await peer.open()
        assert [m.text for m in features.iter(tag("sasl:mechanism"))] == ["EXTERNAL"]
        assert features.find("bind:bind", NS) is None
        await peer.send(AUTH.format("="))
        await peer.recv("sasl:success")
        features = await peer.open()
        assert features.find("sasl:mechanisms", NS) is None
        await peer.bind()
        assert peer.jid.startswith("alice@localhost/") and server.jids == [peer.jid]
        await peer.send(
            iq("s", '<session xmlns="urn:ietf:params:xml:ns:xmpp-session"/>', kind="set")
        )
        assert (await peer.recv("c:iq")).get("type") == "result"
        await peer.send(CLOSE)
        await peer.recv("f:close")
        with pytest.raises(ConnectionClosed):
            await peer.recv()
        assert peer.socket.close_code == 1000
        assert server.jids == []


async def test_prefix_of_features_and_errors(server: Server) -> None:
    """Browser clients compare names with their prefix."""
    async with await Peer.connect(server) as peer:
        await peer.send(OPEN)
        await peer.socket.recv()
        assert str(await peer.socket.recv()).startswith("<stream:features ")


@pytest.mark.parametrize("authzid", ["", "alice@localhost", "Alice@LOCALHOST"])
async def test_authzid_accepted(server: Server, authzid: str) -> None:
    async with await Peer.connect(server) as peer:
        await peer.open()
        await peer.send(AUTH.format(base64.b64encode(authzid.encode()).decode() or "="))
        await peer.recv("sasl:success")


async def test_sasl_without_initial_response(server: Server) -> None:
    async with await Peer.connect(server) as peer:
        await peer.open()
        await peer.send(AUTH.format(""))
        await peer.recv("sasl:challenge")
        await peer.send(f'<response xmlns="{NS["sasl"]}"/>')
        await peer.recv("sasl:success")


@pytest.mark.parametrize(
    ("frame", "condition"),
    [
        (AUTH.format(base64.b64encode(b"bob@localhost").decode()), "not-authorized"),
        (AUTH.format(base64.b64encode(b"alice@127.0.0.1").decode()), "not-authorized"),
        (AUTH.format("%%%"), "incorrect-encoding"),
        (AUTH.format("=").replace("EXTERNAL", "PLAIN"), "invalid-mechanism"),
        (f'<abort xmlns="{NS["sasl"]}"/>', "aborted"),
        (f'<response xmlns="{NS["sasl"]}"/>', "malformed-request"),
    ],
)
async def test_sasl_refused(server: Server, frame: str, condition: str) -> None:
    async with await Peer.connect(server) as peer:
        await peer.open()
        for _ in range(3):
            await peer.send(frame)
            failure = await peer.recv("sasl:failure")
            assert [child.tag for child in failure] == [tag(f"sasl:{condition}")]
        await peer.ended("policy-violation")
    async with await Peer.connect(server) as peer:
        await peer.open()
        await peer.send(frame)
        await peer.recv("sasl:failure")
        await peer.send(AUTH.format("="))
        await peer.recv("sasl:success")


@pytest.mark.parametrize(
    ("frames", "condition"),
    [
        ([iq("1", "<x/>")], "bad-format"),
        ([OPEN.replace("localhost", "elsewhere.example")], "host-unknown"),
        ([OPEN.replace('to="localhost"', "")], "host-unknown"),
        ([OPEN.replace("1.0", "0.9")], "unsupported-version"),
        ([OPEN, OPEN], "bad-format"),
        ([OPEN, iq("1", "<x/>")], "not-authorized"),
        ([OPEN, f'<enable xmlns="{SM}"/>'], "unsupported-stanza-type"),
        ([OPEN, AUTH.format("="), iq("1", "<x/>")], "bad-format"),
        ([OPEN, AUTH.format("="), OPEN, call("1", "bob@localhost/x")], "not-authorized"),
        ([OPEN, AUTH.format("="), OPEN.replace("localhost", "127.0.0.1")], "host-unknown"),
        ([OPEN, AUTH.format("="), OPEN, f'<r xmlns="{SM}"/>'], "unsupported-stanza-type"),
        ([OPEN, "<a>" + "x" * 10_000 + "</a>"], "policy-violation"),
    ],
)
async def test_stream_error_before_bind(server: Server, frames: list[str], condition: str) -> None:
    async with await Peer.connect(server) as peer:
        await peer.send(*frames)
        await peer.recv("f:open")
        await peer.ended(condition)


async def test_token_for_one_domain(server: Server) -> None:
    async with await Peer.connect(server, "Alice@LocalHost") as peer:
        await (await peer.login()).bind("r")
        assert peer.jid == "alice@localhost/r"
    async with await Peer.connect(server, "alice@127.0.0.1") as peer:
        await peer.send(OPEN)
        await peer.ended("not-authorized")


async def test_login_takes_too_long() -> None:
    async with devserver.serve(port=0, limits=Limits(login=0.5)) as server:
        async with await Peer.connect(server) as peer:
            await peer.send(OPEN)
            await peer.ended("connection-timeout")


async def test_bind(server: Server, peers: AsyncExitStack) -> None:
    one, two = await peer(peers, server), await peer(peers, server)
    assert one.jid != two.jid
    third = await peers.enter_async_context(await Peer.connect(server))
    await third.login()
    bad = iq("b", f'<bind xmlns="{NS["bind"]}"><resource>a&#9;b</resource></bind>', kind="set")
    await third.send(bad)
    refused(await third.recv("c:iq"), "modify", "bad-request")
    await third.bind("phone")
    assert third.jid == "alice@localhost/phone"
    fourth = await peer(peers, server, resource="phone")
    await third.ended("conflict")
    assert await fourth.barrier() == []
    assert sorted([one.jid, two.jid, fourth.jid]) == server.jids
