"""What is said and heard in a call, without a network: sources, sinks, levels, and those that fail."""

from __future__ import annotations

import asyncio
from array import array
from typing import cast

import pytest
from aoba_runtime.audio import SILENCE, AudioError, Voice
from aoba_runtime.audio_levels import rms
from aoba_runtime.audio_stream import Listener, Speech
from aoba_runtime.audio_tones import Echo, Tone
from voices import Ear, pitch

LOUD = Tone(440).read()


class Counted:
    """A source that is at its end after some frames, and counts how often it was closed."""

    def __init__(self, frames: int = 3) -> None:
        self.frames, self.closed = frames, 0

    def read(self) -> bytes | None:
        self.frames -= 1
        return LOUD if self.frames >= 0 else None

    def close(self) -> None:
        self.closed += 1


class Broken(Counted):
    """Fails at everything."""

    def __init__(self, why: BaseException) -> None:
        super().__init__(0)
        self._why = why

    def read(self) -> bytes:
        raise self._why

    def write(self, frame: bytes) -> None:
        raise self._why

    def close(self) -> None:
        raise self._why


async def test_a_voice_without_a_source_says_silence_for_ever() -> None:
    voice = Voice()
    assert [voice.say() for _ in range(3)] == [SILENCE] * 3


async def test_a_source_ends_and_is_closed_and_silence_follows() -> None:
    source = Counted()
    voice = Voice(source)
    assert [voice.say() for _ in range(5)] == [LOUD] * 3 + [SILENCE] * 2
    assert source.closed == 1


async def test_playing_is_awaited_until_the_end_or_another_source() -> None:
    voice, source = Voice(), Counted(2)
    playing = asyncio.create_task(voice.play(source))
    await asyncio.sleep(0)
    voice.say()
    assert not playing.done()
    voice.say()
    voice.say()
    await playing
    tone = asyncio.create_task(voice.play(Tone(440)))
    await asyncio.sleep(0)
    voice.source = None
    await tone


@pytest.mark.parametrize("why", [OSError("unplugged"), asyncio.CancelledError()], ids=type)
async def test_what_fails_is_left_out_and_the_call_goes_on(
    why: BaseException, caplog: pytest.LogCaptureFixture
) -> None:
    """A cancelled future whose result a source asks for looks like the end of a task, and is none."""
    ear = Ear()
    voice = Voice(Broken(why), Broken(why), ear)
    assert voice.say() == SILENCE
    voice.hear(LOUD)
    voice.hear(LOUD)
    assert ear.frames == [LOUD, LOUD]
    assert [record.getMessage() for record in caplog.records] == [
        "the source failed; silence is sent instead",
        "Broken could not be closed",
        "a sink failed; it hears no more",
        "Broken could not be closed",
    ]
    voice.close()
    voice.close()
    assert ear.closed


async def test_what_comes_after_the_end_is_closed_at_once() -> None:
    """Else who plays, writes or listens just then waits for ever."""
    voice, ear, source = Voice(), Ear(), Counted()
    voice.close()
    async with asyncio.timeout(10):
        await voice.play(source)
    voice.attach(ear)
    assert (source.closed, ear.closed, voice.source) == (1, True, None)
    listener, speech = Listener(), Speech()
    voice.attach(listener)
    voice.source = speech
    assert [pcm async for pcm in listener] == []
    with pytest.raises(AudioError, match="the call has ended"):
        await speech.write(bytes(2))


async def test_what_went_wrong_is_said_in_words(caplog: pytest.LogCaptureFixture) -> None:
    """An `AudioError` is no bug, and has no traceback."""
    voice = Voice(Broken(AudioError("a.wav: damaged")), Broken(AudioError("b.wav: full")))
    voice.hear(voice.say())
    assert [record.getMessage() for record in caplog.records] == [
        "a.wav: damaged; silence is sent instead",
        "a.wav: damaged",
        "b.wav: full",
        "b.wav: full",
    ]
    assert all(record.exc_info is None for record in caplog.records)


async def test_a_muted_source_goes_on_unheard() -> None:
    ear = Ear()
    voice = Voice(Counted(3))
    voice.attach(ear, local=True)
    voice.muted = True
    voice.say()
    voice.muted = False
    assert [voice.say() for _ in range(3)] == [LOUD, LOUD, SILENCE]
    assert ear.frames == [SILENCE, LOUD, LOUD, SILENCE]
    voice.detach(ear)
    assert ear.closed


async def test_frames_of_another_size_are_made_to_fit() -> None:
    class Odd(Counted):
        def read(self) -> bytes:
            return LOUD[:100] if self.closed else LOUD * 2

    source = Odd()
    voice = Voice(source)
    assert voice.say() == LOUD
    source.closed = 1
    assert voice.say() == LOUD[:100] + SILENCE[100:]


async def test_a_source_of_something_else_than_bytes_ends_no_call(
    caplog: pytest.LogCaptureFixture,
) -> None:
    class Numbers(Counted):
        def read(self) -> bytes:
            return cast(bytes, array("h", [1] * 960))

    voice = Voice(Numbers())
    assert (voice.say(), voice.source) == (SILENCE, None)
    assert caplog.messages == ["the source failed; silence is sent instead"]


async def test_levels_are_of_the_last_moment() -> None:
    voice = Voice(Tone(440))
    assert (voice.local_level, voice.remote_level) == (0, 0)
    for _ in range(10):
        voice.say()
        voice.hear(SILENCE)
    assert voice.local_level == pytest.approx(0.2, abs=0.001)
    assert voice.remote_level == 0
    assert rms(array("h", [-32768] * 960).tobytes()) == 1


def test_a_tone_is_whole_over_its_second() -> None:
    tone = Tone(441, level=0.5)
    pcm = b"".join(tone.read() for _ in range(100))
    assert pitch(pcm) == pytest.approx(441, abs=0.6)
    assert rms(pcm) == pytest.approx(0.5, abs=0.001)
    for hz, level in ((0, 0.1), (30_000, 0.1), (440, 0.9)):
        with pytest.raises(AudioError, match="expected 1 to 23999 Hz"):
            Tone(hz, level)


def test_an_echo_says_what_it_heard_and_forgets_what_is_old() -> None:
    echo = Echo()
    assert echo.read() == SILENCE
    echo.write(LOUD)
    assert (echo.read(), echo.read()) == (LOUD, SILENCE)
    for _ in range(100):
        echo.write(LOUD)
    assert sum(echo.read() == LOUD for _ in range(100)) == 10
