"""Every way in which a call ends, at both ends, over real servers; voice is real where it has a part in the end."""

from __future__ import annotations

import asyncio

import pytest
from interop.calls import Place, both_hear, hears, over, party, script, soon, talk, told, voice

from aoba_runtime import phone_events
from aoba_runtime.fake_media import FakeMedia
from aoba_runtime.phone import CallEnded, Missed
from aoba_runtime.phone_events import EndReason, Party, Ringing, Stalled
from aoba_runtime.rtc import RtcOptions, RtcSession
from aoba_runtime.signals import Accept, Hangup, Reject

pytestmark = pytest.mark.interop
LOCAL, REMOTE = Party.LOCAL, Party.REMOTE


async def test_completed_by_either_end_with_its_duration(place: Place) -> None:
    """Real voice; the hangup says how long it was."""
    async with party(place, "alice") as alice, party(place, "bob", hz=1000) as bob:
        for ends_it, is_told in ((0, 1), (1, 0)):
            calls = await talk(alice, bob)
            await both_hear(*calls)
            calls[ends_it].hangup()
            assert await over(calls[ends_it]) == (EndReason.COMPLETED, LOCAL)
            assert await over(calls[is_told]) == (EndReason.COMPLETED, REMOTE)
            durations = [(await call.ended).duration for call in calls]
            assert None not in durations and all(0 <= (each or 0) <= 10 for each in durations)


async def test_rejected(place: Place) -> None:
    async with party(place, "alice") as alice, party(place, "bob") as bob:
        ours = await alice.phone.dial(bob.account)
        assert (await told(ours, Ringing)).peer.startswith(bob.account)
        theirs = await bob.rung()
        theirs.reject()
        assert await over(ours) == (EndReason.REJECTED, REMOTE)
        assert await over(theirs) == (EndReason.REJECTED, LOCAL)
        with pytest.raises(CallEnded, match="rejected"):
            await ours.connected()


async def test_rejected_by_hangup_while_it_rings(place: Place) -> None:
    async with party(place, "alice") as alice, script(place, "bob") as bob:
        ours = await alice.phone.dial(bob.jid)
        await told(ours, Ringing)
        await bob.say(alice.jid, Hangup, ours.id, EndReason.REJECTED)
        assert await over(ours) == (EndReason.REJECTED, REMOTE)


async def test_timeout_at_both_ends(place: Place) -> None:
    media = FakeMedia()
    async with (
        party(place, "alice", media=media, ring_time=1.0) as alice,
        party(place, "bob", media=media) as bob,
        party(place, "carol", media=media, ring_time=1.0) as carol,
        script(place, "dave") as dave,
    ):
        ours = await alice.phone.dial(bob.account)
        theirs = await bob.rung()
        assert await over(ours) == (EndReason.TIMEOUT, LOCAL)
        assert await over(theirs) == (EndReason.TIMEOUT, REMOTE)  # told by hangup(timeout)
        # A callee that hears nothing ends it by itself.
        await dave.initiate(carol.jid)
        assert await over(await carol.rung()) == (EndReason.TIMEOUT, LOCAL)
        assert dave.heard == []
        late = await alice.phone.dial(dave.jid)
        assert await over(late) == (EndReason.TIMEOUT, LOCAL)
        assert (await dave.told(Hangup)).reason is EndReason.TIMEOUT


async def test_busy_at_once_and_the_call_that_is_up_goes_on(place: Place) -> None:
    """Real voice: it is heard before, during and after."""
    async with (
        party(place, "alice") as alice,
        party(place, "bob", hz=1000) as bob,
        party(place, "carol") as carol,
    ):
        ours, theirs = await talk(alice, bob)
        await both_hear(ours, theirs)
        missed: asyncio.Queue[Missed] = asyncio.Queue()
        bob.phone.on_missed(missed.put_nowait)
        listening = asyncio.gather(hears(ours, 1000), hears(theirs, 440))
        third = await carol.phone.dial(bob.account)
        assert await over(third) == (EndReason.BUSY, REMOTE)
        assert (await soon(missed.get())).peer == carol.jid
        await listening
        assert bob.phone.calls == (theirs,) and not ours.is_over
        await both_hear(ours, theirs)
        ours.hangup()
        assert await over(theirs) == (EndReason.COMPLETED, REMOTE)
        again = await carol.phone.dial(bob.account)
        (await bob.rung()).busy()
        assert await over(again) == (EndReason.BUSY, REMOTE)


async def test_failed_when_there_is_no_way_to_the_peer(place: Place) -> None:
    """Real voice of two who may send to nobody: the engines say so, one of them first."""
    deaf = RtcOptions(local_addresses=("127.0.0.1",), allow=lambda address: False)
    async with (
        party(place, "alice", media=voice(440, deaf)) as alice,
        party(place, "bob", media=voice(1000, deaf)) as bob,
    ):
        ours = await alice.phone.dial(bob.account)
        theirs = await bob.rung()
        theirs.accept()
        ends = [await over(ours), await over(theirs)]
        assert sorted(ends) == [(EndReason.FAILED, LOCAL), (EndReason.FAILED, REMOTE)]
        assert "no way to the peer" in (await ours.ended).why + (await theirs.ended).why


async def test_failed_when_the_voice_takes_too_long(place: Place) -> None:
    media = FakeMedia(connects=False)
    async with (
        party(place, "alice", media=media, connect_time=1.0) as alice,
        party(place, "bob", media=media) as bob,
    ):
        ours = await alice.phone.dial(bob.account)
        theirs = await bob.rung()
        theirs.accept()
        assert await over(ours) == (EndReason.FAILED, LOCAL)
        assert await over(theirs) == (EndReason.FAILED, REMOTE)
        assert (await ours.ended).why == phone_events.UNTOLD[LOCAL]
        assert (await theirs.ended).why == phone_events.UNTOLD[REMOTE]


async def test_failed_when_the_peer_vanishes(place: Place) -> None:
    """Real voice whose packets end without a word, while signals still pass."""
    quick = RtcOptions(local_addresses=("127.0.0.1",), stall_after=0.5, fail_after=1.5)
    async with (
        party(place, "alice", media=voice(440, quick)) as alice,
        party(place, "bob", hz=1000) as bob,
    ):
        ours, theirs = await talk(alice, bob)
        await both_hear(ours, theirs)
        assert isinstance(session := theirs.session, RtcSession)
        for protocol in session._gatherer._connection._protocols:
            setattr(protocol.transport, "sendto", lambda data, addr: None)
        await told(ours, Stalled)
        assert await over(ours) == (EndReason.FAILED, LOCAL)
        assert (await ours.ended).why == "nothing came from the peer for 1.5 s"
        assert (await over(theirs))[0] is EndReason.FAILED


async def test_failed_because_nobody_is_there(place: Place) -> None:
    async with party(place, "alice") as alice:
        for nobody in ("nobody@localhost", "nobody@localhost/nowhere", "not a jid"):
            call = await alice.phone.dial(nobody)
            assert await over(call) == (EndReason.FAILED, REMOTE)
            assert (await call.ended).why


async def test_cancelled_while_it_rings_and_while_it_connects(place: Place) -> None:
    async with (
        party(place, "alice", media=FakeMedia(connects=False)) as alice,
        party(place, "bob", media=FakeMedia()) as bob,
    ):
        async with await alice.phone.dial(bob.account) as ours:
            theirs = await bob.rung()
        assert await over(ours) == (EndReason.CANCELLED, LOCAL)
        assert await over(theirs) == (EndReason.CANCELLED, REMOTE)
        for ends_it, is_told in ((0, 1), (1, 0)):
            ours = await alice.phone.dial(bob.account)
            theirs = await bob.rung()
            theirs.accept()
            calls = ours, theirs
            calls[ends_it].hangup()
            assert await over(calls[ends_it]) == (EndReason.CANCELLED, LOCAL)
            assert await over(calls[is_told]) == (EndReason.CANCELLED, REMOTE)


async def test_leaving_a_phone_ends_its_calls_and_tells_the_peers(place: Place) -> None:
    async with party(place, "bob", hz=1000, max_calls=2) as bob:
        async with party(place, "alice", max_calls=2) as alice:
            ours, theirs = await talk(alice, bob)
            ringing = await alice.phone.dial(bob.account)
            rung = await bob.rung()
        assert await over(theirs) == (EndReason.COMPLETED, REMOTE)
        assert await over(rung) == (EndReason.CANCELLED, REMOTE)
        assert await over(ours) == (EndReason.COMPLETED, LOCAL)
        assert await over(ringing) == (EndReason.CANCELLED, LOCAL)


async def test_what_each_end_is_told_by_signal(place: Place) -> None:
    """The reject and the reasons of hangups, as a scripted peer reads them."""
    async with party(place, "alice", media=FakeMedia()) as alice, script(place, "bob") as bob:
        ours = await alice.phone.dial(bob.jid)
        await told(ours, Ringing)
        ours.hangup()
        hangup = await bob.told(Hangup)
        assert (hangup.reason, hangup.duration) == (EndReason.CANCELLED, None)
        await bob.initiate(alice.jid)
        (await alice.rung()).reject()
        await bob.told(Reject)
        call_id = await bob.initiate(alice.jid)
        theirs = await alice.rung()
        theirs.accept()
        assert (await bob.told(Accept)).call_id == call_id
        await bob.say(alice.jid, Hangup, call_id, EndReason.FAILED)
        assert await over(theirs) == (EndReason.FAILED, REMOTE)
