"""An XMPP session that is up: presence, discovery, frames, chat, and that its end and its logs leave nothing."""

from __future__ import annotations

import asyncio
import base64
import logging
from typing import Any

import pytest
from aoba_runtime import xmpp
from aoba_runtime.errors import PeerUnavailable
from aoba_runtime.transport import Outgoing
from slixmpp import JID
from test_xmpp_fake import BOB, TOKEN, WITHIN, FakeServer, Inbox, numbered, session


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
            caplog.set_level(logging.DEBUG, name)
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
