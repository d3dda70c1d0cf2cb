"""PCM for programs that listen and speak: rates, bounds, clearing, and the end of the call."""

from __future__ import annotations

import asyncio
import wave
from pathlib import Path

import pytest
from aoba_runtime.audio import SILENCE, AudioError
from aoba_runtime.audio_levels import rms
from aoba_runtime.audio_stream import Listener, Speech
from aoba_runtime.audio_tones import Tone
from voices import pitch, write_wav

LOUD = Tone(440).read()


async def test_a_listener_gives_pcm_of_its_rate(tmp_path: Path) -> None:
    listener, tone = Listener(rate=16_000), Tone(440)
    for _ in range(60):
        listener.write(tone.read())
    listener.close()
    frames = [pcm async for pcm in listener]
    assert {len(pcm) for pcm in frames} == {640}
    assert len(frames) >= 59
    heard = b"".join(frames)
    assert pitch(heard, rate=16_000) == pytest.approx(440, abs=2)
    assert rms(heard[3200:]) == pytest.approx(0.2, rel=0.02)


async def test_a_listener_waits_for_the_call_and_drops_what_nobody_reads() -> None:
    listener = Listener(rate=48_000, seconds=0.1)
    reading = asyncio.ensure_future(anext(listener))
    await asyncio.sleep(0)
    assert not reading.done()
    listener.write(LOUD)
    assert await reading == LOUD
    for _ in range(20):
        listener.write(LOUD)
    listener.write(SILENCE)
    assert listener.dropped == 16
    listener.close()
    assert [pcm async for pcm in listener] == [LOUD] * 4 + [SILENCE]
    with pytest.raises(AudioError, match="expected a multiple of 50"):
        Listener(rate=11_025)


async def test_speech_is_said_in_order_at_any_chunk_size() -> None:
    speech = Speech(rate=48_000)
    pcm = b"".join(Tone(440).read() for _ in range(4))
    for at in range(0, len(pcm), 777):  # odd, so that samples are cut in two
        await speech.write(pcm[at : at + 777])
    assert speech.waiting == pytest.approx(0.08)
    assert b"".join(speech.read() for _ in range(4)) == pcm
    assert speech.read() == SILENCE
    assert speech.said == pytest.approx(0.08)


async def test_speech_of_another_rate_keeps_its_pitch(tmp_path: Path) -> None:
    speech = Speech(rate=24_000)
    path = write_wav(tmp_path / "a.wav", 440, rate=24_000)
    with wave.open(str(path)) as file:
        await speech.write(file.readframes(24_000))
    pcm = b"".join(speech.read() for _ in range(48))
    assert pitch(pcm) == pytest.approx(440, abs=2)


async def test_a_writer_waits_while_too_much_is_unsaid_and_playout_is_awaited() -> None:
    speech = Speech(rate=48_000, seconds=0.1)
    writing = asyncio.create_task(speech.write(LOUD * 10))
    waiting = asyncio.create_task(speech.wait_for_playout())
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    assert not writing.done() and speech.waiting == pytest.approx(0.1)
    said = 0
    while not (writing.done() and waiting.done()):
        said += speech.read() != SILENCE
        await asyncio.sleep(0)
    assert said == 10


async def test_clear_drops_at_once_what_was_not_said() -> None:
    speech = Speech(rate=48_000, seconds=0.1)
    writing = asyncio.create_task(speech.write(LOUD * 10))
    await asyncio.sleep(0)
    speech.read()
    speech.clear()
    await writing  # the rest of it is dropped too
    await speech.wait_for_playout()
    assert speech.read() == SILENCE
    await speech.write(LOUD)
    assert speech.read() == LOUD


async def test_a_writer_learns_of_the_end_of_the_call() -> None:
    speech = Speech(rate=48_000, seconds=0.1)
    writing = asyncio.create_task(speech.write(LOUD * 10))
    await asyncio.sleep(0)
    waiting = asyncio.create_task(speech.wait_for_playout())
    await asyncio.sleep(0)
    speech.close()
    await waiting
    with pytest.raises(AudioError, match="nothing more can be said"):
        await writing
