"""Sound files said and written, and calls recorded in step."""

from __future__ import annotations

import os
import sys
import wave
from pathlib import Path

import pytest
from aoba_runtime.audio import FRAME_BYTES, FRAME_SECONDS, SILENCE, AudioError, Voice
from aoba_runtime.audio_levels import rms
from aoba_runtime.audio_tones import Tone
from aoba_runtime.audio_wav import CallRecorder, FileSource, WavSink
from voices import pitch, write_wav


def read_all(source: FileSource) -> bytes:
    return b"".join(iter(source.read, None))


@pytest.mark.parametrize(
    ("rate", "channels"), [(48_000, 1), (8_000, 1), (16_000, 1), (44_100, 2), (96_000, 2)]
)
def test_a_file_of_any_rate_and_channels_keeps_pitch_length_and_level(
    tmp_path: Path, rate: int, channels: int
) -> None:
    source = FileSource(write_wav(tmp_path / "a.wav", 440, rate=rate, channels=channels))
    pcm = read_all(source)
    assert pitch(pcm) == pytest.approx(440, abs=2)
    assert rms(pcm) == pytest.approx(0.2, rel=0.02)
    assert len(pcm) / 96_000 == pytest.approx(1, abs=0.01)
    source.close()
    source.close()


def test_a_looped_file_never_ends(tmp_path: Path) -> None:
    source = FileSource(write_wav(tmp_path / "a.wav", 400, seconds=0.25), loop=True)
    frames = [source.read() for _ in range(100)]
    pcm = b"".join(frame for frame in frames if frame)
    assert len(pcm) == 100 * FRAME_BYTES
    assert pitch(pcm) == pytest.approx(400, abs=2)
    source.close()
    source.read()  # says what is left
    assert source.read() is None


def test_a_file_that_is_none_is_refused_with_its_name(tmp_path: Path) -> None:
    (tmp_path / "text.wav").write_text("no sound at all")
    (tmp_path / "empty.wav").write_bytes(b"")
    write_wav(tmp_path / "short.wav", 440, seconds=0)
    for name in ("missing.wav", "text.wav", "empty.wav", "short.wav", "."):
        with pytest.raises(AudioError) as caught:
            FileSource(tmp_path / name)
        assert str(caught.value).startswith(f"{tmp_path / name}: ")
    with pytest.raises(AudioError, match="No such file or directory"):
        WavSink(tmp_path / "no" / "a.wav")


def test_what_is_written_can_be_read(tmp_path: Path) -> None:
    sink, tone = WavSink(tmp_path / "a.wav"), Tone(440)
    for _ in range(50):
        sink.write(tone.read())
    sink.close()
    sink.close()
    with wave.open(str(tmp_path / "a.wav")) as file:
        assert file.getparams()[:4] == (1, 2, 48_000, 48_000)
    assert pitch(read_all(FileSource(tmp_path / "a.wav"))) == pytest.approx(440, abs=1)


def test_a_recording_keeps_both_sides_in_step_and_in_time(tmp_path: Path) -> None:
    now = 0.0
    recorder = CallRecorder(tmp_path / "call.wav", clock=lambda: now)
    left, right = Tone(440), Tone(1000)
    for turn in range(200):
        recorder.local.write(left.read())
        recorder.remote.write(right.read() if turn >= 100 else SILENCE)
        now += FRAME_SECONDS if turn != 149 else 1.0  # the process was busy for a second
    recorder.local.close()
    recorder.remote.close()
    with wave.open(str(tmp_path / "call.wav")) as file:
        assert file.getnchannels() == 2
        pcm = file.readframes(file.getnframes())
    assert len(pcm) / 4 / 48_000 == pytest.approx(4.98, abs=0.03)
    assert pitch(pcm[: 4 * 96_000], channels=2) == pytest.approx(440, abs=1)
    second = 4 * 48_000
    assert rms(pcm[:second]) == pytest.approx(0.2 / 2**0.5, rel=0.01)  # the right is silent
    assert pitch(pcm[2 * second : 3 * second], channel=1, channels=2) == pytest.approx(1000, abs=1)
    assert rms(pcm[3 * second + 9600 : 4 * second - 9600]) == 0


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="no /dev/full")
async def test_a_full_disk_is_said_in_words_once(caplog: pytest.LogCaptureFixture) -> None:
    voice, recorder = Voice(Tone(440)), CallRecorder("/dev/full")
    voice.attach(recorder.local, local=True)
    voice.attach(recorder.remote)
    for _ in range(20):
        voice.hear(voice.say())
    voice.close()
    [record] = caplog.records
    assert record.getMessage() == "/dev/full: No space left on device; the rest is left out"
    assert record.exc_info is None


def test_what_a_full_disk_took_can_be_read(tmp_path: Path) -> None:
    """A limit on the size of files is as good as a full disk; the process ignores SIGXFSZ, as Python does."""
    resource = pytest.importorskip("resource")
    file = tmp_path / "a.wav"
    sink, before = WavSink(file), resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, before[1]))
    try:
        with pytest.raises(AudioError, match="a.wav: File too large; the rest is left out"):
            for _ in range(100):
                sink.write(Tone(440).read())
        sink.write(SILENCE)
        sink.close()
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
    assert len(read_all(FileSource(file))) == pytest.approx(100_000, abs=FRAME_BYTES)


def test_a_file_that_looks_like_a_url_is_a_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    write_wav(tmp_path / "12:30.wav", 440)
    assert pitch(read_all(FileSource("12:30.wav"))) == pytest.approx(440, abs=2)


@pytest.mark.skipif(sys.platform == "win32", reason="Windows locks no files")
def test_two_calls_are_not_recorded_into_one_file(tmp_path: Path) -> None:
    """Each would write over what the other has heard."""
    file = tmp_path / "a.wav"
    first = WavSink(file)
    first.write(SILENCE)
    with pytest.raises(AudioError, match="a.wav: another call is being recorded into it"):
        WavSink(file)
    first.close()
    assert file.stat().st_size == 44 + FRAME_BYTES
    WavSink(file).close()
    assert file.stat().st_size == 44


def test_nothing_is_recorded_into_a_pipe(tmp_path: Path) -> None:
    """To open one waits for its reader, and the head of a WAV file is written last."""
    if not hasattr(os, "mkfifo"):
        pytest.skip("no named pipes")
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(AudioError, match="a pipe takes no WAV file"):
        WavSink(tmp_path / "pipe")
