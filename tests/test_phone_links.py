"""Phones on links of several kinds, and their listeners: what is told of a broken connection, and who may act on it."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

import pytest
from aoba_runtime import Client, Incoming, PeerUnavailable, links, loopback
from aoba_runtime.fake_media import FakeMedia
from aoba_runtime.phone import NoCalls, Phone, VoiceCall
from aoba_runtime.phone_events import Accepted, CallEvent, EndReason, Reconnecting, Resumed
from aoba_voice_call_signaling import AobaVoiceCallSignalingClient
from phone_pair import BOB, LOCAL, REMOTE, Link, phones, told


async def test_calls_are_told_to_callbacks_too() -> None:
    async with phones() as pair:
        rang: list[VoiceCall] = []
        seen: list[CallEvent] = []

        @pair.bob.on_incoming
        def take(call: VoiceCall) -> None:
            rang.append(call)
            call.accept()

        ours = await pair.alice.dial(BOB)
        ours.on_event(seen.append)
        await ours.connected()
        assert [call.id for call in rang] == [ours.id]
        assert Accepted("bob@localhost/1") in seen


class Telling(Link):
    """A link that tells of its connection and knows devices, as XMPP does."""

    def __init__(self, name: str) -> None:
        super().__init__(name)
        self.listeners: list[Callable[[Any], object]] = []

    def on_event(self, listener: Callable[[Any], object]) -> object:
        self.listeners.append(listener)
        return listener

    async def devices(self, account: str) -> tuple[str, ...]:
        if account != BOB:
            raise PeerUnavailable("nobody")
        return ("bob@localhost/1", "bob@localhost/2")


async def test_a_broken_connection_is_told_of() -> None:
    near, far = Telling("alice@localhost/1"), Link("bob@localhost/1")
    near.join(far)
    seen: list[object] = []
    async with (
        AobaVoiceCallSignalingClient(near) as alice,
        AobaVoiceCallSignalingClient(far) as bob,
        Phone(alice, FakeMedia()) as phone,
        Phone(bob, FakeMedia()) as other,
    ):
        phone.on_link(seen.append)
        other.on_incoming(VoiceCall.accept)
        call = await phone.dial(BOB)
        await call.connected()
        assert near.sent.count("initiate") == 2  # one to each device
        [tell] = near.listeners
        broken = links.Reconnecting(1, 0.1, "the cable is out")
        for event in (broken, broken, links.Connected(), links.Connected()):
            tell(event)
        call.hangup()
        events = await told(call)
        assert [event for event in events if isinstance(event, Reconnecting | Resumed)] == [
            Reconnecting("the cable is out"),
            Resumed(),
        ]
        assert len(seen) == 4


async def test_a_sender_that_nobody_vouches_for_is_the_peer() -> None:
    """Plain WebSockets join two ends, and messages name no sender."""
    heard: list[Incoming] = []

    class Plain(Link):
        def attach(self, receiver: Callable[[Incoming], None]) -> None:
            def without(incoming: Incoming) -> None:
                heard.append(incoming)
                receiver(Incoming(incoming.data, None, None, incoming.id))

            super().attach(without)

    near, far = Plain("alice@localhost/1"), Plain("bob@localhost/1")
    near.join(far)
    async with (
        AobaVoiceCallSignalingClient(near) as alice,
        AobaVoiceCallSignalingClient(far) as bob,
        Phone(alice, FakeMedia()) as phone,
        Phone(bob, FakeMedia()) as other,
    ):
        other.on_incoming(VoiceCall.accept)
        call = await phone.dial(BOB)
        await call.connected()
        assert heard


async def test_a_document_without_calls() -> None:
    near, _ = loopback.pair()
    with pytest.raises(NoCalls, match="docs/calls.md"):
        Phone(Client(near, []), FakeMedia())


async def test_a_listener_may_take_steps_itself() -> None:
    """What it does comes after all that its event came with."""
    problems: list[object] = []
    asyncio.get_running_loop().set_exception_handler(lambda _, problem: problems.append(problem))
    async with phones() as pair:
        ours = await pair.alice.dial(BOB)
        theirs = await pair.rung()

        @ours.on_event
        def give_up(event: CallEvent) -> None:
            if isinstance(event, Accepted):
                ours.hangup()

        theirs.accept()
        assert await ours.ended == (EndReason.CANCELLED, None, LOCAL, "")
        assert await theirs.ended == (EndReason.CANCELLED, None, REMOTE, "")
    assert problems == []
