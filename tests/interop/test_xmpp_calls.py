"""Calls between generated clients over real servers: the whole flow, every row of the fault table, a user's own client."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import AsyncExitStack, asynccontextmanager
from typing import Any

import pytest
from aoba_voice_call_signaling import AobaVoiceCallSignalingClient as Client
from aoba_voice_call_signaling import models

from aoba_runtime import Fault, Incoming, Outgoing, new_uuid, xmpp
from aoba_runtime.errors import (
    AckTimeout,
    BadMessage,
    LimitExceeded,
    NotAParty,
    PeerUnavailable,
    UnexpectedMessage,
    UnknownCall,
    UnsupportedMessage,
)

from .servers import RunningServer, ejabberd, prosody

pytestmark = pytest.mark.interop

SDP = "v=0\r\no=- 1 2 IN IP4 127.0.0.1\r\ns=é<&>]]>\U0001f600\r\n" + "a=candidate:x\r\n" * 300
WITHIN = 30.0


@pytest.fixture(scope="module", params=[prosody, ejabberd], ids=["prosody", "ejabberd"])
def server(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[RunningServer]:
    with request.param(tmp_path_factory.mktemp("server")) as running:
        yield running


def connect(server: RunningServer, user: str, **options: Any) -> xmpp.XmppTransport:
    return xmpp.connect(
        options.pop("url", server.url),
        token=lambda: server.token(user),
        domain=server.domain,
        **options,
    )


class Heard:
    """Everything that a client's hooks get, in order."""

    def __init__(self, client: Client) -> None:
        self._got: asyncio.Queue[tuple[Any, Incoming]] = asyncio.Queue()
        self.fault: Fault | None = None
        for name in dir(client):
            if name.startswith("on_"):
                getattr(client, name)(self._take)

    def _take(self, message: Any, incoming: Incoming) -> None:
        if self.fault is not None:
            raise self.fault
        self._got.put_nowait((message, incoming))

    async def next(self) -> tuple[Any, Incoming]:
        async with asyncio.timeout(WITHIN):
            return await self._got.get()


@asynccontextmanager
async def two(
    server: RunningServer, **options: Any
) -> AsyncIterator[tuple[xmpp.XmppTransport, xmpp.XmppTransport]]:
    async with (
        connect(server, "alice", **options) as alice,
        connect(server, "bob", **options) as bob,
    ):
        yield alice, bob


@pytest.mark.parametrize("bare", [False, True])
async def test_the_whole_flow(server: RunningServer, bare: bool) -> None:
    async with two(server) as (one, other):
        async with Client(one) as alice, Client(other) as bob:
            if (
                bare and server.name == "ejabberd"
            ):  # routes no bare JID, and the two are not each other's contacts
                with pytest.raises(PeerUnavailable):
                    await alice.initiate_call(models.CallInitiate(), to="bob@localhost")
                return
            at_alice, at_bob = Heard(alice), Heard(bob)
            call_id = new_uuid()
            candidate = models.IceCandidatePayload(
                candidate="candidate:1 1 udp 1 192.0.2.1 9 typ host",
                sdp_mid=None,
                sdp_m_line_index=0,
            )
            offer = models.SdpPayload(type=models.SdpPayloadType.OFFER, sdp=SDP)
            answer = models.SdpPayload(type=models.SdpPayloadType.ANSWER, sdp=SDP)
            to_bob = other.jid.partition("/")[0] if bare else other.jid
            steps: list[tuple[Any, Heard, xmpp.XmppTransport, Any]] = [
                (alice.initiate_call, at_bob, one, models.CallInitiate(call_id=call_id)),
                (bob.accept_call, at_alice, other, models.CallAccept(call_id=call_id)),
                (alice.send_offer, at_bob, one, models.CallOffer(call_id=call_id, payload=offer)),
                (
                    bob.send_answer,
                    at_alice,
                    other,
                    models.CallAnswer(call_id=call_id, payload=answer),
                ),
                (
                    alice.send_ice_candidate,
                    at_bob,
                    one,
                    models.CallIceCandidate(call_id=call_id, payload=candidate),
                ),
                (
                    bob.send_ice_candidate,
                    at_alice,
                    other,
                    models.CallIceCandidate(call_id=call_id, payload=candidate),
                ),
                (
                    alice.send_mute_change,
                    at_bob,
                    one,
                    models.CallMuteChange(
                        call_id=call_id, payload=models.CallMuteChangePayload(muted=True)
                    ),
                ),
                (
                    bob.send_hangup,
                    at_alice,
                    other,
                    models.CallHangup(
                        call_id=call_id,
                        payload=models.CallHangupPayload(
                            reason=models.EndReason.COMPLETED, duration=3
                        ),
                    ),
                ),
            ]
            for send, heard, sender, message in steps:
                await send(message, to=to_bob if sender is one else one.jid)
                got, incoming = await heard.next()
                assert got == message and incoming.sender == sender.jid
            reject, busy = models.CallReject(call_id=new_uuid()), models.CallBusy(
                call_id=new_uuid()
            )
            await bob.reject_call(reject, to=one.jid)
            await bob.send_busy(busy, to=one.jid)
            assert [(await at_alice.next())[0] for _ in range(2)] == [reject, busy]


@pytest.mark.parametrize(
    "kind", [UnsupportedMessage, UnknownCall, UnexpectedMessage, NotAParty, LimitExceeded]
)
async def test_what_a_receiver_refuses(server: RunningServer, kind: type[Fault]) -> None:
    async with two(server) as (one, other):
        async with Client(one) as alice, Client(other) as bob:
            heard = Heard(bob)
            heard.fault = kind("because")
            with pytest.raises(kind, match="because") as info:
                await alice.initiate_call(models.CallInitiate(), to=other.jid)
            assert type(info.value) is kind and info.value.remote
            heard.fault = None
            await alice.initiate_call(models.CallInitiate(), to=other.jid)


async def test_faults_that_nobody_raises(server: RunningServer) -> None:
    async with two(server, ack_timeout=1.0) as (one, other):
        async with Client(other):
            for data, kind in (
                (b"rubbish", BadMessage),
                (b'{"type":"call:initiate"}', BadMessage),
                (b'{"type":"call:later"}', UnsupportedMessage),
            ):
                with pytest.raises(kind) as info:
                    await one.send(Outgoing(data, other.jid))
                assert type(info.value) is kind and info.value.remote
        for to in (other.jid, "bob@localhost/nowhere", "nobody@localhost/x"):
            with pytest.raises(PeerUnavailable) as gone:
                await one.send(Outgoing(b"{}", to))
            assert gone.value.remote
        with pytest.raises(PeerUnavailable):
            await one.send(Outgoing(b"{}", "nobody@localhost"))
        with pytest.raises(LimitExceeded) as large:
            await one.send(Outgoing(b'"' + b"x" * 65536 + b'"', other.jid))
        assert not large.value.remote
        other._delivery.link = None  # bob takes signals and never answers
        with pytest.raises(AckTimeout) as silent:
            await one.send(Outgoing(b"{}", other.jid))
        assert not silent.value.remote


@pytest.mark.parametrize("case", ["garbage", "expired", "wrong key", "alg none"])
async def test_a_bad_token_is_refused_once(server: RunningServer, case: str) -> None:
    token = {
        "garbage": "a.b.c",
        "expired": server.token("alice", exp=1),
        "wrong key": server.token("alice", key="x" * 40),
        "alg none": server.token("alice", key="", algorithm="none"),
    }[case]
    with pytest.raises(xmpp.AuthRefused, match="refused the token"):
        async with xmpp.connect(server.url, token, domain=server.domain):
            pass


async def test_plain_with_the_token_where_there_is_no_external(
    tmp_path_factory: pytest.TempPathFactory,
) -> None:
    with ejabberd(tmp_path_factory.mktemp("plain")) as server:
        async with connect(server, "alice@localhost", url=server.plain_url) as one:
            async with connect(server, "bob") as other, Client(other) as bob:
                heard = Heard(bob)
                async with Client(one) as alice:
                    await alice.initiate_call(models.CallInitiate(), to=other.jid)
                    assert (await heard.next())[1].sender == one.jid


async def befriend(one: xmpp.XmppTransport, other: xmpp.XmppTransport) -> None:
    """Make two accounts each other's contacts, and wait until they see each other (RFC 6121, section 3)."""
    seen = []
    for transport, peer in ((one, other), (other, one)):
        online = asyncio.get_running_loop().create_future()
        seen.append(online)

        def note(presence: Any, peer: str = peer.jid, online: Any = online) -> None:
            if presence["from"].full == peer and not online.done():
                online.set_result(None)

        transport.client.add_event_handler("presence_available", note)
        transport.client.auto_authorize = transport.client.auto_subscribe = True
        transport.client.send_presence_subscription(pto=peer.jid)
    async with asyncio.timeout(WITHIN):
        await asyncio.gather(*seen)


async def test_a_contact_is_called_on_every_device_that_takes_calls(server: RunningServer) -> None:
    async with AsyncExitStack() as stack:
        one = await stack.enter_async_context(connect(server, "carol"))
        first = await stack.enter_async_context(connect(server, "dave"))
        await befriend(one, first)
        second = await stack.enter_async_context(connect(server, "dave"))
        boxes = [Heard(await stack.enter_async_context(Client(each))) for each in (first, second)]
        alice = await stack.enter_async_context(Client(one))
        async with asyncio.timeout(WITHIN):
            while len(one._addressing._online.get("dave@localhost", {})) < 2:
                await asyncio.sleep(0.01)
        initiate = models.CallInitiate()
        await alice.initiate_call(initiate, to="dave@localhost")
        assert [(await box.next())[0] for box in boxes] == [initiate, initiate]
