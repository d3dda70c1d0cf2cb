"""Signaling that is cut while it rings, while voice is negotiated, and in the call: audio goes on, and the call ends right.

Voice is real. `AOBA_CUTS` says how many calls are set up through links that are cut at chance moments.
"""

from __future__ import annotations

import asyncio
import os
import random
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass

import pytest
from interop.calls import Member, Place, both_hear, hears, over, party, soon, talk, told
from interop.proxy import Proxy

from aoba_runtime import devserver
from aoba_runtime.phone import VoiceCall
from aoba_runtime.phone_events import Accepted, EndReason, Muted, Party, Reconnecting, Resumed

pytestmark = pytest.mark.interop
CALLS = int(os.environ.get("AOBA_CUTS", "6"))
LOCAL, REMOTE = Party.LOCAL, Party.REMOTE


@dataclass
class Scene:
    """Two phones, and the network between each and the server."""

    alice: Member
    bob: Member
    near: Proxy
    far: Proxy


@asynccontextmanager
async def scene(place: Place, ack_timeout: float = 10.0) -> AsyncIterator[Scene]:
    async with (
        Proxy(place.url) as near,
        Proxy(place.url) as far,
        party(place, "alice", link={"url": near.url, "ack_timeout": ack_timeout}) as alice,
        party(place, "bob", hz=1000, link={"url": far.url}) as bob,
    ):
        yield Scene(alice, bob, near, far)


def gone(proxy: Proxy) -> None:
    """No network until `flow`: what is there breaks, and nothing new comes through."""
    proxy.stall()
    proxy.cut()


WHO: list[Callable[[Scene], list[Proxy]]] = [
    lambda at: [at.near],
    lambda at: [at.far],
    lambda at: [at.near, at.far],
]


@pytest.mark.parametrize("cut", WHO, ids=["caller", "callee", "both"])
async def test_cut_while_it_rings(place: Place, cut: Callable[[Scene], list[Proxy]]) -> None:
    """The accept is said while the network is away; all goes on when it is back."""
    async with scene(place) as at:
        ours = await at.alice.phone.dial(at.bob.account)
        theirs = await at.bob.rung()
        for proxy in cut(at):
            gone(proxy)
        affected = ours if at.near in cut(at) else theirs
        await told(affected, Reconnecting)
        theirs.accept()
        for proxy in cut(at):
            proxy.flow()
        await soon(asyncio.gather(ours.connected(), theirs.connected()))
        await both_hear(ours, theirs)
        ours.hangup()
        assert await over(ours) == (EndReason.COMPLETED, LOCAL)
        assert await over(theirs) == (EndReason.COMPLETED, REMOTE)


@pytest.mark.parametrize("cut", WHO, ids=["caller", "callee", "both"])
async def test_cut_while_voice_is_negotiated(
    place: Place, cut: Callable[[Scene], list[Proxy]]
) -> None:
    async with scene(place) as at:
        ours = await at.alice.phone.dial(at.bob.account)
        theirs = await at.bob.rung()

        @ours.on_event
        def at_the_accept(event: object) -> None:
            if isinstance(event, Accepted):  # the offer is on its way from now on
                for proxy in cut(at):
                    proxy.cut()

        theirs.accept()
        await soon(asyncio.gather(ours.connected(), theirs.connected()))
        await both_hear(ours, theirs)
        theirs.hangup()
        assert await over(theirs) == (EndReason.COMPLETED, LOCAL)
        assert await over(ours) == (EndReason.COMPLETED, REMOTE)


async def back_and_told(call: VoiceCall) -> list[Muted]:
    """How the peer muted and unmuted, once the link is back too: what waited there may arrive before that is told."""
    mutes: list[Muted] = []
    back = False
    async for event in call:
        back |= isinstance(event, Resumed)
        mutes += [event] if isinstance(event, Muted) else []
        if back and len(mutes) == 2:
            break
    return mutes


async def test_cut_in_the_call(place: Place) -> None:
    """Both hear each other while nobody can signal; what was said meanwhile arrives afterwards."""
    async with scene(place) as at:
        ours, theirs = await talk(at.alice, at.bob)
        await both_hear(ours, theirs)
        gone(at.near)
        gone(at.far)
        await asyncio.gather(told(ours, Reconnecting), told(theirs, Reconnecting))
        await both_hear(ours, theirs)
        theirs.mute()
        theirs.mute(False)
        at.near.flow()  # soon: what is said has a deadline
        at.far.flow()
        mutes, _ = await asyncio.gather(soon(back_and_told(ours)), told(theirs, Resumed))
        assert mutes == [Muted(REMOTE, True), Muted(REMOTE, False)]
        await both_hear(ours, theirs)
        ours.hangup()
        assert await over(ours) == (EndReason.COMPLETED, LOCAL)
        assert await over(theirs) == (EndReason.COMPLETED, REMOTE)


async def test_muted_in_a_cut_longer_than_signals_wait(place: Place) -> None:
    async with scene(place, ack_timeout=0.5) as at:
        ours, theirs = await talk(at.alice, at.bob)
        gone(at.near)
        await told(ours, Reconnecting)
        ours.mute()
        await asyncio.sleep(1)
        assert not theirs.remote_muted
        at.near.flow()
        assert await told(theirs, Muted) == Muted(REMOTE, True)
        ours.hangup()
        assert await over(theirs) == (EndReason.COMPLETED, REMOTE)


async def test_hung_up_while_cut(place: Place) -> None:
    """The hangup cannot be said, but the voice that closes says it, within some seconds."""
    async with scene(place) as at:
        for ends_it, is_told in ((0, 1), (1, 0)):
            calls = await talk(at.alice, at.bob)
            await both_hear(*calls)
            for proxy in (at.near, at.far):
                gone(proxy)
            await asyncio.gather(*(told(call, Reconnecting) for call in calls))
            calls[ends_it].hangup()
            assert await over(calls[ends_it]) == (EndReason.COMPLETED, LOCAL)
            assert await over(calls[is_told]) == (EndReason.COMPLETED, REMOTE)
            for proxy in (at.near, at.far):
                proxy.flow()
        ours, theirs = await talk(at.alice, at.bob)  # and later calls work
        await hears(ours, 1000)


async def test_cancelled_while_cut(place: Place) -> None:
    """It rings on at the callee's until the network is back, and no longer."""
    async with scene(place) as at:
        ours = await at.alice.phone.dial(at.bob.account)
        theirs = await at.bob.rung()
        gone(at.near)
        await told(ours, Reconnecting)
        ours.hangup()
        assert await over(ours) == (EndReason.CANCELLED, LOCAL)
        assert not theirs.is_over
        at.near.flow()
        assert await over(theirs) == (EndReason.CANCELLED, REMOTE)


async def test_the_server_restarts_in_the_call() -> None:
    """Its sessions are lost, and with them the addresses of both; the voice goes on, and its end is the call's."""
    secret = b"a secret for tests, of 32 bytes or more"
    async with AsyncExitStack() as stack:
        first = await stack.enter_async_context(devserver.serve(port=0, secret=secret))
        alice = await stack.enter_async_context(party(first, "alice"))
        bob = await stack.enter_async_context(party(first, "bob", hz=1000))
        ours, theirs = await talk(alice, bob)
        await first.aclose()
        await asyncio.gather(told(ours, Reconnecting), told(theirs, Reconnecting))
        await both_hear(ours, theirs)
        async with devserver.serve(port=first.port, secret=secret):
            await asyncio.gather(told(ours, Resumed), told(theirs, Resumed))
            await both_hear(ours, theirs)
            ours.hangup()
            assert await over(ours) == (EndReason.COMPLETED, LOCAL)
            assert await over(theirs) == (EndReason.COMPLETED, REMOTE)
            again = await talk(bob, alice)
            await both_hear(*again, hz=(1000, 440))
            await stack.aclose()


async def test_what_could_not_be_said_in_time_is_never_said(place: Place) -> None:
    """A call dialed without a network times out, and does not ring when the network is back."""
    async with Proxy(place.url) as near, party(place, "bob", hz=1000) as bob:
        link = {"url": near.url, "ack_timeout": 1.0}
        async with party(place, "alice", link=link, ring_time=1.0) as alice:
            down = asyncio.Event()
            alice.phone.on_link(lambda event: down.set())
            gone(near)
            await soon(down.wait())
            lost = await alice.phone.dial(bob.account)
            assert await over(lost) == (EndReason.TIMEOUT, LOCAL)
            near.flow()
            ours, theirs = await talk(alice, bob)
            assert ours.id == theirs.id != lost.id
            await both_hear(ours, theirs)


async def test_calls_through_links_that_break_at_any_moment(place: Place) -> None:
    chance = random.Random(4)
    async with scene(place) as at:
        for _ in range(CALLS):
            moments = [chance.uniform(0, 0.3) for _ in range(3)]
            loop = asyncio.get_running_loop()
            for moment in moments:
                loop.call_later(moment, chance.choice((at.near, at.far)).cut)
            ours: VoiceCall = await at.alice.phone.dial(at.bob.account)
            theirs = await at.bob.rung()
            theirs.accept()
            await soon(asyncio.gather(ours.connected(), theirs.connected()))
            await both_hear(ours, theirs)
            theirs.hangup()
            assert await over(theirs) == (EndReason.COMPLETED, LOCAL)
            assert await over(ours) == (EndReason.COMPLETED, REMOTE)
