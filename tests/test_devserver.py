"""devserver: its limits, its addresses and domains, and that its end leaves nothing."""

from __future__ import annotations

import asyncio
import contextlib
import gc
import logging
import socket
import time
from contextlib import AsyncExitStack

import pytest
from aoba_runtime import devserver, xmpp
from aoba_runtime.devserver import Limits, Server
from aoba_runtime.devserver_session import Session
from aoba_runtime.devserver_stream import Stream
from devserver_peer import (
    AUTH,
    CLOSE,
    NS,
    OPEN,
    Peer,
    again,
    call,
    iq,
    peer,
    peers,
    refused,
    server,
    upgrade,
)

# Limits


async def test_queue_limit() -> None:
    async with AsyncExitStack() as peers:
        server = await peers.enter_async_context(devserver.serve(port=0, limits=Limits(queue=5)))
        alice = await peer(peers, server)
        bob = await peer(peers, server, "bob", sm=True)
        server.cut(bob.jid)
        await bob.socket.wait_closed()
        await alice.send(*(call(f"n{n}", bob.jid) for n in range(7)))
        refusals = await alice.barrier()
        assert [answer.get("id") for answer in refusals] == ["n5", "n6"]
        for answer in refusals:
            refused(answer, "wait", "resource-constraint")
        back = await again(peers, server)
        await back.resume(0, bob.sm_id)
        await back.recv("sm:resumed")
        got = [(await back.recv("c:iq")).get("id") for _ in range(5)]
        assert got == [f"n{n}" for n in range(5)]


async def test_session_limit() -> None:
    async with AsyncExitStack() as peers:
        server = await peers.enter_async_context(devserver.serve(port=0, limits=Limits(sessions=2)))
        bob = await peer(peers, server, "bob", sm=True)
        await peer(peers, server)
        assert await upgrade(server, Cookie=f"auth_token={server.token('eve')}") == 503
        server.cut(bob.jid)
        await bob.socket.wait_closed()
        eve = await peers.enter_async_context(await Peer.connect(server, "eve"))
        await eve.login()
        await eve.send(iq("b", f'<bind xmlns="{NS["bind"]}"/>', kind="set"))
        refused(await eve.recv("c:iq"), "wait", "resource-constraint")


async def test_rate_delays_and_drops_nothing() -> None:
    async with devserver.serve(port=0, limits=Limits(rate=200)) as server:
        async with await Peer.connect(server) as peer:
            await (await peer.login()).bind()
            started = time.monotonic()
            pings = [iq(f"p{n}", '<ping xmlns="urn:xmpp:ping"/>') for n in range(480)]
            await peer.send(*pings)
            assert [(await peer.recv()).get("id") for _ in pings] == [f"p{n}" for n in range(480)]
            assert time.monotonic() - started > 0.25


async def test_client_that_does_not_read() -> None:
    """Its connection is cut after the stall, and nobody else waits for it."""
    async with AsyncExitStack() as peers:
        server = await peers.enter_async_context(
            devserver.serve(port=0, limits=Limits(stall=0.3, queue=100))
        )
        alice = await peer(peers, server)
        bob = await peer(peers, server, "bob")
        bob.socket.transport.pause_reading()
        taken = bob.socket.transport.get_extra_info("socket")
        taken.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 65_536)  # else it may grow to 32 MB
        await alice.send(*(call(f"n{n}", bob.jid, "x" * 200_000) for n in range(80)))
        answers = [await alice.recv("c:iq") for _ in range(3)]
        for answer in answers:
            refused(answer, "wait", "recipient-unavailable")
        assert server.jids == [alice.jid]
        bob.socket.transport.abort()


# The server


async def test_shutdown() -> None:
    async with AsyncExitStack() as stack:
        async with devserver.serve(port=0) as server:
            one = await peer(stack, server, sm=True)
            two = await peer(stack, server, "bob", sm=True)
            half = await stack.enter_async_context(await Peer.connect(server, "eve"))
            deaf = await stack.enter_async_context(await Peer.connect(server, "dave"))
            deaf.socket.transport.pause_reading()
            _, silent = await asyncio.open_connection("127.0.0.1", server.port)
            server.cut(two.jid)
            await two.socket.wait_closed()
            started = time.monotonic()
        assert time.monotonic() - started < 10  # a client may stall for 15
        await one.ended("system-shutdown")
        assert one.socket.close_code == 1001
        await half.ended("system-shutdown")
        deaf.socket.transport.abort()
        await deaf.socket.wait_closed()
        await asyncio.sleep(0)  # the client's own tasks end
        silent.close()
        await silent.wait_closed()
        assert [task for task in asyncio.all_tasks() if task is not asyncio.current_task()] == []
        with pytest.raises(OSError):
            await Peer.connect(server)


async def test_no_debug_lines_of_websockets(caplog: pytest.LogCaptureFixture) -> None:
    """They would hold cookies and payloads."""
    caplog.set_level(logging.DEBUG)
    logging.getLogger("websockets.client").setLevel(logging.WARNING)
    async with devserver.serve(port=0) as server:
        async with await Peer.connect(server) as alice:
            await (await alice.login()).bind(sm=True)
            await alice.send(call("1", alice.jid))
            await alice.recv("c:iq")
    for secret in ("auth_token", "call:offer", "eyJ"):
        assert secret not in caplog.text


async def test_addresses() -> None:
    async with devserver.serve(port=0) as server:
        assert server.url == f"ws://localhost:{server.port}/xmpp" and server.domain == "localhost"
        with pytest.raises(OSError):
            async with devserver.serve(port=server.port):
                pass
    with contextlib.suppress(OSError):  # a machine without IPv6
        async with devserver.serve("::1", 0) as server:
            assert server.url == f"ws://[::1]:{server.port}/xmpp"
            async with await Peer.connect(server) as peer:
                await peer.send(OPEN.replace("localhost", "[::1]"))
                assert (await peer.recv("f:open")).get("from") == "[::1]"
                await peer.recv("stream:features")
            async with xmpp.connect(server.url, server.token("alice")) as transport:
                assert transport.jid.startswith("alice@[::1]/")
    with pytest.raises(ValueError, match="32"):
        async with devserver.serve(port=0, secret="short"):
            pass
    async with devserver.serve(port=0, domains=["aoba.example"]) as server:
        async with await Peer.connect(server) as peer:
            await peer.send(OPEN)
            assert (await peer.recv("f:open")).get("from") == "aoba.example"
            await peer.ended("host-unknown")


async def test_two_domains(server: Server, peers: AsyncExitStack) -> None:
    alice = await peer(peers, server)
    other = await peers.enter_async_context(await Peer.connect(server))
    there = OPEN.replace("localhost", "127.0.0.1")
    await other.send(there, AUTH.format("="), there)
    for expected in ("f:open", "stream:features", "sasl:success", "f:open", "stream:features"):
        await other.recv(expected)
    await other.bind("r")
    assert other.jid == "alice@127.0.0.1/r"
    await alice.send(call("x", other.jid))
    assert (await other.recv("c:iq")).get("from") == alice.jid


async def test_many_connections_leave_nothing() -> None:
    async def visit(server: Server, n: int) -> None:
        async with await Peer.connect(server, f"user{n}") as peer:
            await (await peer.login()).bind(sm=n % 2 == 0)
            await peer.send(CLOSE)
            await peer.recv("f:close")

    async with devserver.serve(port=0) as server:
        for n in range(10):
            await asyncio.gather(*(visit(server, 20 * n + k) for k in range(20)))
        assert server.jids == [] and server.handshakes == {101: 200}
    gc.collect()
    assert [left for left in gc.get_objects() if isinstance(left, (Stream, Session))] == []
