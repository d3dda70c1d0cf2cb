"""A whole call as applications hold it, by hooks that answer, on every server there is: ours, Prosody, ejabberd, its cluster."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from aoba_voice_call_signaling import AobaVoiceCallSignalingClient as Client
from aoba_voice_call_signaling import models
from slixmpp import JID
from slixmpp.exceptions import IqError

from aoba_runtime import Incoming, devserver, new_uuid, xmpp

from .servers import ejabberd, ejabberd_cluster, prosody
from .test_xmpp_calls import SDP

pytestmark = pytest.mark.interop

WITHIN = 30.0


@dataclass
class Place:
    """Where alice connects, where bob does, and what lets them in."""

    urls: tuple[str, str]
    token: Callable[[str], str]


@asynccontextmanager
async def place(name: str, folder: Path) -> AsyncIterator[Place]:
    """The server of this name, just started."""
    if name == "devserver":
        async with devserver.serve(port=0) as ours:
            yield Place((ours.url, ours.url), ours.token)
    elif name == "cluster":
        async with ejabberd_cluster(folder) as nodes:
            first, second = nodes.node_urls
            yield Place((first, second), nodes.token)
    else:
        async with {"prosody": prosody, "ejabberd": ejabberd}[name](folder) as server:
            yield Place((server.url, server.url), server.token)


async def acquaint(one: xmpp.XmppTransport, other: xmpp.XmppTransport) -> None:
    """Return when `one` reaches `other`: an ejabberd node tells the other of a new session without waiting for it.

    Until then what is sent there bounces, as it does for somebody who is not online. That bounce is what tells us to ask
    again; a question about features is harmless.
    """
    async with asyncio.timeout(WITHIN):
        while True:
            try:
                await one.client.plugin["xep_0030"].get_info(jid=JID(other.jid))
                return
            except IqError as bounced:
                assert bounced.condition == "service-unavailable"


@dataclass
class End:
    """A party: all that it said and all that it heard, in order."""

    transport: xmpp.XmppTransport
    client: Client
    sent: list[Any] = field(default_factory=list)
    heard: list[Any] = field(default_factory=list)
    senders: set[str | None] = field(default_factory=set)

    def __post_init__(self) -> None:
        for name in dir(self.client):
            if name.startswith("on_"):
                getattr(self.client, name)(self._note)

    def _note(self, message: Any, incoming: Incoming) -> None:
        self.heard.append(message)
        self.senders.add(incoming.sender)

    async def say(self, send: Callable[[Any], Awaitable[None]], message: Any) -> None:
        self.sent.append(message)
        await send(message)

    async def trickle(self, call_id: str) -> None:
        """Two candidates, and that there are no more."""
        for line in ("candidate:1 1 udp 1 192.0.2.1 9 typ host", "candidate:2 1 tcp 1 ::1 9", ""):
            payload = models.IceCandidatePayload(
                candidate=line, sdp_mid=None, sdp_m_line_index=0, username_fragment="é"
            )
            message = models.CallIceCandidate(call_id=call_id, payload=payload)
            await self.say(self.client.send_ice_candidate, message)


def answer_the_phone(bob: End) -> asyncio.Event:
    """Bob's application. Nothing it sends is addressed: it goes to the device that the call came from."""
    over = asyncio.Event()

    @bob.client.on_call_initiate
    async def _ring(heard: models.CallInitiate) -> None:
        await bob.say(bob.client.accept_call, models.CallAccept(call_id=heard.call_id))

    @bob.client.on_call_offer
    async def _offered(heard: models.CallOffer) -> None:
        payload = models.SdpPayload(type=models.SdpPayloadType.ANSWER, sdp=SDP)
        answer = models.CallAnswer(call_id=heard.call_id, payload=payload)
        await bob.say(bob.client.send_answer, answer)

    @bob.client.on_call_ice_candidate
    async def _candidate(heard: models.CallIceCandidate) -> None:
        if not heard.payload.candidate:
            await bob.trickle(heard.call_id)

    @bob.client.on_call_mute_change
    async def _muted(heard: models.CallMuteChange) -> None:
        payload = models.CallHangupPayload(reason=models.EndReason.COMPLETED, duration=3)
        hangup = models.CallHangup(call_id=heard.call_id, payload=payload)
        await bob.say(bob.client.send_hangup, hangup)
        over.set()

    return over


def answer_the_callee(alice: End) -> None:
    """Alice's application, once it has rung."""

    @alice.client.on_call_accept
    async def _accepted(heard: models.CallAccept) -> None:
        payload = models.SdpPayload(type=models.SdpPayloadType.OFFER, sdp=SDP)
        offer = models.CallOffer(call_id=heard.call_id, payload=payload)
        await alice.say(alice.client.send_offer, offer)

    @alice.client.on_call_answer
    async def _answered(heard: models.CallAnswer) -> None:
        await alice.trickle(heard.call_id)

    @alice.client.on_call_ice_candidate
    async def _candidate(heard: models.CallIceCandidate) -> None:
        if not heard.payload.candidate:
            payload = models.CallMuteChangePayload(muted=True)
            mute = models.CallMuteChange(call_id=heard.call_id, payload=payload)
            await alice.say(alice.client.send_mute_change, mute)


@pytest.mark.parametrize("name", ["devserver", "prosody", "ejabberd", "cluster"])
async def test_a_call_from_ring_to_hangup(name: str, tmp_path: Path) -> None:
    async with (
        place(name, tmp_path) as at,
        xmpp.connect(at.urls[0], at.token("alice"), domain="localhost") as one,
        xmpp.connect(at.urls[1], at.token("bob"), domain="localhost") as other,
        Client(one) as calling,
        Client(other) as called,
    ):
        if name == "cluster":
            await acquaint(one, other)
            await acquaint(other, one)
        alice, bob = End(one, calling), End(other, called)
        answer_the_callee(alice)
        over = answer_the_phone(bob)
        initiate = models.CallInitiate(call_id=new_uuid())
        alice.sent.append(initiate)
        await calling.initiate_call(initiate, to=other.jid)
        async with asyncio.timeout(WITHIN):
            await over.wait()
        assert bob.heard == alice.sent and alice.heard == bob.sent
        assert (len(bob.heard), len(alice.heard)) == (6, 6)
        assert bob.senders == {one.jid} and alice.senders == {other.jid}
