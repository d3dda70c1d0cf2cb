"""Phones over real servers, with silent voice: who is rung, who is told that it is over, what a cut does."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import AsyncExitStack, asynccontextmanager

import pytest
from aoba_voice_call_signaling import AobaVoiceCallSignalingClient as Client

from aoba_runtime import xmpp
from aoba_runtime.fake_media import FakeMedia
from aoba_runtime.phone import Phone, VoiceCall
from aoba_runtime.phone_events import EndReason, Party, Reconnecting, Resumed

from .servers import RunningServer, prosody

pytestmark = pytest.mark.interop


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningServer]:
    with prosody(tmp_path_factory.mktemp("server")) as running:
        yield running


@asynccontextmanager
async def phones(
    server: RunningServer, *users: str
) -> AsyncIterator[list[tuple[Phone, xmpp.XmppTransport]]]:
    async with AsyncExitStack() as stack, asyncio.timeout(30):
        made = []
        for user in users:
            link = xmpp.connect(server.url, server.token(user), domain=server.domain)
            transport = await stack.enter_async_context(link)
            client = await stack.enter_async_context(Client(transport))
            phone = await stack.enter_async_context(Phone(client, FakeMedia(), max_calls=2))
            made.append((phone, transport))
        yield made


async def next_call(phone: Phone) -> VoiceCall:
    return await anext(aiter(phone))


async def test_the_server_tells_the_devices_of_a_stranger(server: RunningServer) -> None:
    async with phones(server, "alice", "bob", "bob") as ((_, alice), (_, one), (_, other)):
        assert await alice.devices("bob@localhost") == tuple(sorted([one.jid, other.jid]))
        assert await alice.devices(one.jid) == (one.jid,)
        assert await alice.devices("nobody@localhost") == ("nobody@localhost",)


async def test_the_devices_that_rang_in_vain_are_told(server: RunningServer) -> None:
    async with phones(server, "alice", "bob", "bob") as ((alice, _), (quick, _), (slow, _)):
        call = await alice.dial("bob@localhost")
        missed = await next_call(slow)
        (await next_call(quick)).accept()
        await call.connected()
        assert (await missed.ended)[:3] == (EndReason.CANCELLED, None, Party.REMOTE)
        call.hangup()
        assert (await call.ended).reason is EndReason.COMPLETED


async def test_a_connection_that_breaks_in_a_call(server: RunningServer) -> None:
    async with phones(server, "alice", "bob") as ((alice, link), (bob, _)):
        call = await alice.dial("bob@localhost")
        theirs = await next_call(bob)
        theirs.accept()
        await call.connected()
        link.client.abort()
        call.mute()
        while not theirs.remote_muted:
            await asyncio.sleep(0.01)
        theirs.hangup()
        assert (await call.ended).reason is EndReason.COMPLETED
        kinds = [type(event) for event in [event async for event in call]]
        assert kinds.count(Reconnecting) == kinds.count(Resumed) == 1


async def test_nobody_is_there(server: RunningServer) -> None:
    async with phones(server, "alice") as ((alice, _),):
        call = await alice.dial("nobody@localhost")
        assert (await call.ended)[:3] == (EndReason.FAILED, None, Party.REMOTE)
        assert "service-unavailable" in (await call.ended).why
