"""Calls that meet, over real servers: both dial at once, and a callee with several devices."""

from __future__ import annotations

import asyncio

import pytest
from interop.calls import Member, Place, both_hear, name, over, party, script, soon, told
from interop.servers import RunningServer
from interop.test_xmpp_calls import befriend

from aoba_runtime import new_uuid
from aoba_runtime.fake_media import FakeMedia
from aoba_runtime.phone_events import EndReason, Party, Ringing
from aoba_runtime.signals import Accept, Busy, Hangup, Initiate

pytestmark = pytest.mark.interop
LOCAL, REMOTE = Party.LOCAL, Party.REMOTE


async def meet(place: Place, one: Member, other: Member) -> None:
    """Let `one` see the other's device: on the development server everybody does, on others contacts do."""
    if isinstance(place, RunningServer):
        await befriend(one.transport, other.transport)


async def test_both_dial_at_once_and_talk(place: Place) -> None:
    """Real voice, one call, never busy; with devices that may have one call only. Five times, for the order is chance."""
    async with party(place, "alice") as alice, party(place, "bob", hz=1000) as bob:
        for _ in range(5):
            ours, theirs = await asyncio.gather(
                alice.phone.dial(bob.account), bob.phone.dial(alice.account)
            )
            await soon(asyncio.gather(ours.connected(), theirs.connected()))
            assert ours.id == theirs.id and {ours.role, theirs.role} == {"caller", "callee"}
            assert alice.phone.calls == (ours,) and bob.phone.calls == (theirs,)
            ours.hangup()
            assert await over(theirs) == (EndReason.COMPLETED, REMOTE)
        ours, theirs = await asyncio.gather(
            alice.phone.dial(bob.account), bob.phone.dial(alice.account)
        )
        await soon(asyncio.gather(ours.connected(), theirs.connected()))
        await both_hear(ours, theirs)


@pytest.mark.parametrize("ours_is_lower", [True, False])
async def test_the_lower_id_wins_a_glare(place: Place, ours_is_lower: bool) -> None:
    async with party(place, "alice", media=FakeMedia()) as alice, script(place, "bob") as bob:
        ours = await alice.phone.dial(bob.jid)
        await bob.told(Initiate)
        dialed, number = ours.id, new_uuid()[-12:]
        theirs = f"{'f' * 8 if ours_is_lower else '0' * 8}-0000-4000-8000-{number}"
        await bob.say(alice.jid, Initiate, theirs)
        if ours_is_lower:
            await bob.say(alice.jid, Accept, dialed)
        else:
            assert (await bob.told(Accept)).call_id == theirs
        assert ours.id == min(dialed, theirs) and alice.phone.calls == (ours,)
        await bob.say(alice.jid, Hangup, ours.id, EndReason.CANCELLED)
        assert await over(ours) == (EndReason.CANCELLED, REMOTE)
        assert not [each for each in bob.heard if isinstance(each, Busy)]


async def test_the_first_device_that_accepts_wins(place: Place) -> None:
    """Real voice with the winner; the others hear hangup(cancelled), whoever they are."""
    account = name("bob")
    async with (
        party(place, "alice") as alice,
        party(place, account, hz=700) as desk,
        party(place, account, hz=1000) as mobile,
        party(place, account, media=FakeMedia()) as tablet,
    ):
        for device in (desk, mobile, tablet):
            await meet(place, alice, device)
        ours = await alice.phone.dial(desk.account)
        at_desk, at_mobile, at_tablet = [await each.rung() for each in (desk, mobile, tablet)]
        at_mobile.accept()
        await soon(asyncio.gather(ours.connected(), at_mobile.connected()))
        assert ours.peer == mobile.jid
        for loser in (at_desk, at_tablet):
            assert await over(loser) == (EndReason.CANCELLED, REMOTE)
        await both_hear(ours, at_mobile)
        ours.hangup()
        assert await over(at_mobile) == (EndReason.COMPLETED, REMOTE)


async def test_two_devices_accept_at_once(place: Place) -> None:
    """As strangers, whose server routes the account: the one that comes second is told hangup(cancelled)."""
    account = name("bob")
    async with (
        party(place, "alice", media=(media := FakeMedia())) as alice,
        party(place, account, media=media) as desk,
        party(place, account, media=media) as mobile,
    ):
        ours = await alice.phone.dial(desk.account)
        calls = [await device.rung() for device in (desk, mobile)]
        for call in calls:
            call.accept()
        await soon(ours.connected())
        loser, winner = calls if ours.peer == mobile.jid else reversed(calls)
        assert await over(loser) == (EndReason.CANCELLED, REMOTE)
        ours.hangup()
        assert await over(winner) == (EndReason.COMPLETED, REMOTE)


async def test_one_device_is_busy_and_the_other_takes_it(place: Place) -> None:
    account = name("bob")
    async with (
        party(place, "alice", media=(media := FakeMedia()), max_calls=2) as alice,
        party(place, account, media=media) as desk,
        party(place, account, media=media) as mobile,
    ):
        first = await alice.phone.dial(desk.jid)
        (await desk.rung()).accept()
        await soon(first.connected())
        await meet(place, alice, mobile)
        second = await alice.phone.dial(mobile.account)
        await told(second, Ringing)
        rung = await mobile.rung()
        assert not second.is_over
        rung.accept()
        await soon(second.connected())
        assert second.peer == mobile.jid and not first.is_over
        second.hangup()
        rejected = await alice.phone.dial(mobile.jid)
        (await mobile.rung()).reject()
        assert await over(rejected) == (EndReason.REJECTED, REMOTE)
