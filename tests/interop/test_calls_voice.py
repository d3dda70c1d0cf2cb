"""Calls between two Python phones with real voice: both tones, mute, hangup, over the development server and Prosody."""

from __future__ import annotations

import pytest
from interop.calls import Place, both_hear, hears, hears_nothing, over, party, talk, told

from aoba_runtime.phone_events import EndReason, FirstAudio, Muted, Party

pytestmark = pytest.mark.interop


async def test_python_calls_python(place: Place) -> None:
    async with party(place, "alice", hz=440) as alice, party(place, "bob", hz=1000) as bob:
        ours, theirs = await talk(alice, bob)
        assert (ours.peer, theirs.peer) == (bob.jid, alice.jid)
        await both_hear(ours, theirs)
        ours.mute()
        assert await told(theirs, Muted) == Muted(Party.REMOTE, True)
        await hears_nothing(theirs)
        await hears(ours, 1000)
        ours.mute(False)
        assert await told(theirs, Muted) == Muted(Party.REMOTE, False)
        await hears(theirs, 440)
        stats = await ours.stats()
        assert stats.received_packets > 50 and stats.loss < 0.05
        theirs.hangup()
        assert await over(ours) == (EndReason.COMPLETED, Party.REMOTE)
        assert await over(theirs) == (EndReason.COMPLETED, Party.LOCAL)
        assert [type(event) async for event in ours].count(FirstAudio) == 1
