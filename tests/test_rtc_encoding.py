"""Encoding for many calls: in a thread of its own, which ends with its last user."""

from __future__ import annotations

import asyncio
import threading

import pytest
from aoba_runtime import rtc_encoding
from aoba_runtime.audio import FRAME, SILENCE
from aoba_runtime.audio_levels import rms
from aoba_runtime.audio_tones import Tone
from aoba_runtime.rtc_codec import Encoded, OpusDecoder, OpusEncoder
from aoba_runtime.rtc_encoding import EncodingThread
from voices import call, pitch


@pytest.fixture(autouse=True)
def many(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rtc_encoding, "FEW", 0)


def threads() -> list[str]:
    return [thread.name for thread in threading.enumerate() if thread.name == "aoba-opus"]


async def test_frames_of_many_calls_come_back_each_in_its_order() -> None:
    thread = EncodingThread()
    thread.join()

    async def talk(hz: int) -> bytes:
        encoder, decoder, tone, heard = OpusEncoder(32_000, 5), OpusDecoder(), Tone(hz), b""
        for number in range(50):
            packet = await thread.encode(encoder, tone.read(), number * FRAME)
            assert packet.pts == number * FRAME
            heard += decoder.decode(bytes(packet)) or b""
        return heard

    pitches = range(400, 1200, 100)
    for hz, heard in zip(pitches, await asyncio.gather(*map(talk, pitches)), strict=True):
        assert pitch(heard[19_200:]) == pytest.approx(hz, abs=3)
        assert rms(heard[19_200:]) == pytest.approx(0.2, rel=0.03)
    assert threads() == ["aoba-opus"]
    thread.leave()
    assert threads() == []


async def test_a_failure_is_its_own_frames_alone() -> None:
    class Broken(OpusEncoder):
        def encode(self, frame: bytes, timestamp: int) -> Encoded:
            raise ValueError("broken")

    thread = EncodingThread()
    thread.join()
    with pytest.raises(ValueError, match="broken"):
        await thread.encode(Broken(32_000, 5), SILENCE, 0)
    assert (await thread.encode(OpusEncoder(32_000, 5), SILENCE, 0)).pts == 0
    thread.leave()


async def test_a_call_that_ends_in_between_takes_nothing_along() -> None:
    thread = EncodingThread()
    thread.join()
    encoder = OpusEncoder(32_000, 5)
    waiting = asyncio.create_task(thread.encode(encoder, SILENCE, 0))
    await asyncio.sleep(0)
    waiting.cancel()
    assert (await thread.encode(encoder, SILENCE, FRAME)).pts == FRAME
    assert waiting.cancelled()
    thread.leave()
    thread.join()  # another call, later
    assert (await thread.encode(encoder, SILENCE, 2 * FRAME)).pts == 2 * FRAME
    thread.leave()
    assert threads() == []


async def test_a_call_is_heard_through_the_thread() -> None:
    async with call() as (caller, callee):
        assert threads()
        assert pitch(await callee.ear.next(50)) == pytest.approx(440, abs=3)
        assert pitch(await caller.ear.next(50)) == pytest.approx(1000, abs=3)
    assert threads() == []
