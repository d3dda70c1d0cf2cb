"""The silent fake: it connects when offer and answer meet, and a test can make it stall and fail."""

from __future__ import annotations

import asyncio

import pytest
from aoba_runtime.fake_media import FakeMedia, FakeSession
from aoba_runtime.media import (
    BadMedia,
    Connected,
    Failed,
    FirstAudio,
    LocalCandidate,
    Media,
    MediaEvent,
    PeerClosed,
    Resumed,
    Stalled,
)
from aoba_runtime.signals import Candidate


async def settle() -> None:
    for _ in range(3):
        await asyncio.sleep(0)


def pair(connects: bool = True) -> tuple[FakeSession, FakeSession, list[tuple[str, MediaEvent]]]:
    told: list[tuple[str, MediaEvent]] = []
    media = FakeMedia(connects=connects)
    typed: Media = media
    typed.session("a", lambda event: told.append(("a", event)))
    typed.session("b", lambda event: told.append(("b", event)))
    return media.sessions["a"], media.sessions["b"], told


async def negotiate(caller: FakeSession, callee: FakeSession) -> None:
    await callee.prepare()
    await caller.accept_answer(await callee.answer(await caller.offer()))
    await settle()


async def test_two_sessions_connect_when_offer_and_answer_have_met() -> None:
    caller, callee, told = pair()
    await negotiate(caller, callee)
    for name in "ab":
        kinds = [type(event) for who, event in told if who == name]
        assert kinds == [LocalCandidate, LocalCandidate, Connected, FirstAudio]
    last = [event.candidate for _, event in told if isinstance(event, LocalCandidate)][-1]
    assert last.candidate == ""
    assert callee.prepared and not caller.prepared


async def test_what_it_is_asked_is_kept_and_what_it_should_tell_is_told() -> None:
    caller, callee, told = pair()
    await negotiate(caller, callee)
    await callee.add_candidate(Candidate("x"))
    callee.mute(True)
    assert (callee.candidates, callee.muted) == ([Candidate("x")], True)
    assert (await callee.stats()).mos is None
    told.clear()
    callee.stall()
    callee.resume()
    callee.fail("why")
    await settle()
    assert told == [("b", Stalled()), ("b", Resumed()), ("b", Failed("why"))]


async def test_closing_is_told_to_the_peer_and_nothing_follows() -> None:
    caller, callee, told = pair()
    await negotiate(caller, callee)
    told.clear()
    await caller.aclose()
    await caller.aclose()
    caller.fail()
    await settle()
    assert told == [("b", PeerClosed())]


async def test_it_can_be_kept_from_connecting() -> None:
    caller, callee, told = pair(connects=False)
    await negotiate(caller, callee)
    assert not any(isinstance(event, Connected) for _, event in told)


async def test_only_its_own_descriptions_are_taken() -> None:
    caller, callee, _ = pair()
    for sdp in ("", "v=0\r\n", "v=0\r\na=fake-session:0\r\n"):
        with pytest.raises(BadMedia, match="not of a fake session"):
            await callee.answer(sdp)
    with pytest.raises(BadMedia, match="another offer"):
        await caller.accept_answer(await callee.offer())
    await callee.aclose()
    with pytest.raises(BadMedia, match="not of a fake session"):
        await caller.answer(await callee.offer())
