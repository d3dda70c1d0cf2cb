"""Signals on slixmpp clients that the application owns: stock ones, over TCP to a Prosody of the test."""

from __future__ import annotations

import asyncio
import shutil
import ssl
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from aoba_voice_call_signaling import AobaVoiceCallSignalingClient as Client
from aoba_voice_call_signaling import models
from slixmpp import ClientXMPP

from aoba_runtime import Incoming, Outgoing, xmpp
from aoba_runtime.errors import AckTimeout, PeerUnavailable

from .proxy import Proxy
from .servers import free_ports

pytestmark = pytest.mark.interop

CONFIG = """
daemonize = false
run_as_root = true
pidfile = "{folder}/prosody.pid"
data_path = "{folder}/data"
log = {{ info = "{folder}/prosody.log" }}
modules_enabled = {{ "saslauth"; "roster"; "disco"; "ping"; "smacks"; "presence"; "message"; "iq" }}
modules_disabled = {{ "s2s"; "offline" }}
interfaces = {{ "127.0.0.1" }}
c2s_ports = {{ {port} }}
c2s_require_encryption = false
allow_unencrypted_plain_auth = true
authentication = "internal_plain"
VirtualHost "localhost"
"""


@pytest.fixture
async def port(tmp_path: Path) -> AsyncIterator[int]:
    program = shutil.which("prosody")
    if program is None:
        pytest.skip("prosody is missing: apt-get install prosody")
    (port,) = free_ports(1)
    accounts = tmp_path / "data" / "localhost" / "accounts"
    accounts.mkdir(parents=True)
    for user in ("alice", "bob"):
        (accounts / f"{user}.dat").write_text('return { ["password"] = "secret"; };\n')
    config = tmp_path / "prosody.cfg.lua"
    config.write_text(CONFIG.format(folder=tmp_path, port=port))
    process = await asyncio.create_subprocess_exec(
        program,
        "--config",
        config,
        stdout=asyncio.subprocess.DEVNULL,
        stderr=asyncio.subprocess.DEVNULL,
    )
    try:
        async with asyncio.timeout(20):
            while True:
                try:
                    _, writer = await asyncio.open_connection("127.0.0.1", port)
                    break
                except OSError:
                    assert process.returncode is None
                    await asyncio.sleep(0.05)
            writer.close()
            await writer.wait_closed()
        yield port
    finally:
        process.terminate()
        await process.wait()


def stock(user: str, port: int) -> ClientXMPP:
    """A client as its user would write it; it connects again by itself."""
    client = ClientXMPP(
        f"{user}@localhost", "secret", ssl_context=ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    )
    client.enable_starttls = client.enable_direct_tls = False
    client.enable_plaintext = True
    for mechanism in ("unencrypted_plain", "unencrypted_scram"):
        setattr(client.plugin["feature_mechanisms"], mechanism, True)
    client.register_plugin("xep_0198")
    client.add_event_handler("session_start", lambda _: client.send_presence())
    client.connect("127.0.0.1", port)
    return client


async def end(client: ClientXMPP) -> None:
    if client.is_connected():
        await client.disconnect(wait=1)
    if client._run_out_filters is not None:
        client._run_out_filters.cancel()


async def test_stock_clients_call_each_other(port: int) -> None:
    clients = [stock("alice", port), stock("bob", port)]
    transports = [xmpp.XmppTransport.on(client) for client in clients]
    try:
        async with asyncio.timeout(20), transports[0] as one, transports[1] as other:
            async with Client(one) as alice, Client(other) as bob:
                got: asyncio.Queue[tuple[models.CallInitiate, Incoming]] = asyncio.Queue()
                bob.on_call_initiate(lambda message, incoming: got.put_nowait((message, incoming)))
                message = models.CallInitiate()
                await alice.initiate_call(message, to=other.jid)
                received, incoming = await got.get()
                assert (
                    received == message and incoming.sender == one.jid == clients[0].boundjid.full
                )
            with pytest.raises(PeerUnavailable) as info:
                await one.send(Outgoing(b"{}", other.jid))
            assert info.value.remote
        with pytest.raises(PeerUnavailable, match="closed"):
            await one.send(Outgoing(b"{}", other.jid))
        assert all(client.is_connected() for client in clients)
    finally:
        for client in clients:
            await end(client)


async def test_what_expired_while_disconnected_is_not_sent_at_resumption(port: int) -> None:
    async with Proxy(f"tcp://127.0.0.1:{port}") as proxy, asyncio.timeout(30):
        proxy_port = int(proxy.url.rpartition(":")[2])
        clients = [stock("alice", proxy_port), stock("bob", port)]
        got: asyncio.Queue[bytes] = asyncio.Queue()
        transports = [
            xmpp.XmppTransport.on(clients[0], ack_timeout=0.5),
            xmpp.XmppTransport.on(clients[1]),
        ]
        try:
            async with transports[0] as one, transports[1] as other:
                other.attach(lambda incoming: got.put_nowait(incoming.data))
                await one.send(Outgoing(b"1", other.jid))
                events = one.events()
                proxy.stall()
                lost = [
                    asyncio.create_task(one.send(Outgoing(b"%d" % n, other.jid))) for n in (2, 3)
                ]
                await asyncio.wait(lost)
                proxy.cut()
                assert isinstance(await anext(events), xmpp.Reconnecting)
                with pytest.raises(AckTimeout, match="not sent"):
                    await one.send(Outgoing(b"4", other.jid))
                for task in lost:
                    with pytest.raises(AckTimeout):
                        await task
                proxy.flow()
                clients[0].connect("127.0.0.1", proxy_port)
                assert isinstance(await anext(events), xmpp.Resumed)
                await one.send(Outgoing(b"5", other.jid))
                assert [got.get_nowait() for _ in range(got.qsize())] == [b"1", b"5"]
                await events.aclose()
        finally:
            for client in clients:
                await end(client)
