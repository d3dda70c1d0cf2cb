"""Microphone and speaker on a PortAudio that the test plays, and what is said where there is none."""

from __future__ import annotations

import sys
from collections.abc import Callable
from types import SimpleNamespace

import pytest
from aoba_runtime.audio import FRAME_BYTES, SILENCE, AudioError
from aoba_runtime.audio_devices import AHEAD, Microphone, Speaker
from aoba_runtime.audio_tones import Tone

LOUD = Tone(440).read()


class FakeStream:
    """A PortAudio stream whose callback the test calls."""

    def __init__(self, callback: Callable[..., object], **chosen: object) -> None:
        self.callback, self.chosen, self.open = callback, chosen, False

    def start(self) -> None:
        self.open = True

    def close(self) -> None:
        self.open = False


@pytest.fixture
def streams(monkeypatch: pytest.MonkeyPatch) -> list[FakeStream]:
    made: list[FakeStream] = []

    def make(**chosen: object) -> FakeStream:
        if chosen["device"] == "none":
            raise ValueError("no input device matching 'none'")
        callback = chosen.pop("callback")
        assert callable(callback)
        made.append(FakeStream(callback, **chosen))
        return made[-1]

    fake = SimpleNamespace(RawInputStream=make, RawOutputStream=make, PortAudioError=OSError)
    monkeypatch.setitem(sys.modules, "sounddevice", fake)
    return made


def test_a_microphone_says_what_it_hears_and_forgets_what_is_old(
    streams: list[FakeStream],
) -> None:
    microphone = Microphone()
    (stream,) = streams
    assert stream.open and stream.chosen["samplerate"] == 48_000
    assert microphone.read() == SILENCE
    for _ in range(50):
        stream.callback(memoryview(LOUD), 960, None, None)
    assert sum(microphone.read() == LOUD for _ in range(50)) == 10
    microphone.close()
    assert not stream.open


def test_a_speaker_waits_for_a_few_frames_and_then_plays_each(streams: list[FakeStream]) -> None:
    speaker = Speaker("headset")
    (stream,) = streams

    def play() -> bytes:
        data = bytearray(FRAME_BYTES)
        stream.callback(memoryview(data), 960, None, None)
        return bytes(data)

    for _ in range(AHEAD - 1):
        speaker.write(LOUD)
        assert play() == SILENCE
    speaker.write(LOUD)
    assert [play() for _ in range(AHEAD)] == [LOUD] * AHEAD
    assert play() == SILENCE
    speaker.write(LOUD)
    assert play() == SILENCE  # it ran dry, and waits again
    speaker.close()
    assert not stream.open


def test_a_device_that_is_not_there_is_named(streams: list[FakeStream]) -> None:
    with pytest.raises(AudioError, match="'none' cannot be opened: no input device.*lists the dev"):
        Microphone("none")


def test_a_missing_portaudio_is_said_plainly(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "sounddevice", None)
    with pytest.raises(AudioError, match=r"pip install 'aoba-runtime\[audio\]'"):
        Speaker()

    class NoLibrary:
        def find_spec(self, name: str, path: object, target: object = None) -> None:
            if name == "sounddevice":
                raise OSError("PortAudio library not found")

    monkeypatch.delitem(sys.modules, "sounddevice")
    monkeypatch.setattr(sys, "meta_path", [NoLibrary(), *sys.meta_path])
    with pytest.raises(AudioError, match="install the system package libportaudio2"):
        Speaker()
