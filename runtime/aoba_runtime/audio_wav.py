"""Files: anything that FFmpeg reads is said, what is heard is written as WAV, and whole calls in stereo."""

from __future__ import annotations

import contextlib
import os
import stat
import sys
import time
import wave
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from io import FileIO
from pathlib import Path
from typing import Final

from .extras import require_extra

if sys.platform != "win32":
    import fcntl

require_extra("media", __name__, "av", "numpy")

import av
import numpy as np
from av.error import FFmpegError, InvalidDataError

from .audio import FRAME_BYTES, FRAME_SECONDS, RATE, SILENCE, AudioError
from .audio_resample import samples

LARGEST: Final = 2**32 - 2**16
"""Bytes of samples that a WAV file can hold; its sizes have 32 bits."""


class FileSource:
    """Says what a sound file holds, of any rate and channels; with `loop` again and again.

    The file is read as it is said. Raises `AudioError` where it cannot be opened or holds no sound.
    """

    def __init__(self, path: Path | str, *, loop: bool = False) -> None:
        self._path = path
        self._loop = loop
        self._pcm = bytearray()
        try:
            self._container = av.open(os.path.abspath(path))  # else `12:30.wav` is a protocol
        except (FFmpegError, OSError) as error:
            raise AudioError(f"{path}: {_why(error)}") from None
        if not self._container.streams.audio:
            self._container.close()
            raise AudioError(f"{path}: there is no sound in this file")
        self._chunks = self._decode()
        try:
            self._more()
        except AudioError:
            self.close()
            raise
        if not self._pcm:
            self.close()
            raise AudioError(f"{path}: there is no sound in this file")

    def read(self) -> bytes | None:
        """The next frame; `None` at the end of a file that is not looped."""
        while len(self._pcm) < FRAME_BYTES:
            if not self._more():
                break
        frame = bytes(self._pcm[:FRAME_BYTES])
        del self._pcm[:FRAME_BYTES]
        return frame or None

    def close(self) -> None:
        """Close the file."""
        self._chunks = iter(())
        self._loop = False
        self._container.close()

    def _more(self) -> bool:
        """Decode some more; false at the end."""
        chunk = next(self._chunks, None)
        if chunk is None and self._loop:
            self._container.seek(0)
            self._chunks = self._decode()
            chunk = next(self._chunks, None)
        self._pcm += chunk or b""
        return chunk is not None

    def _decode(self) -> Iterator[bytes]:
        resampler = av.AudioResampler("s16", "mono", RATE)
        try:
            for frame in self._container.decode(audio=0):
                yield b"".join(samples(one) for one in resampler.resample(frame))
        except FFmpegError as error:
            raise AudioError(f"{self._path}: {_why(error)}") from None
        yield b"".join(samples(one) for one in resampler.resample(None))


def _why(error: FFmpegError | OSError) -> str:
    if isinstance(error, InvalidDataError):
        return "this is no sound file that FFmpeg can read, or it is damaged"
    return error.strerror or str(error)


def _emptied(path: Path | str) -> FileIO:
    """The file, which nobody else records into; without a buffer, so that what fails is known at once."""
    keep = ~os.O_TRUNC
    file = open(path, "wb", buffering=0, opener=lambda name, how: os.open(name, how & keep, 0o666))
    if stat.S_ISREG(os.fstat(file.fileno()).st_mode):
        try:
            if sys.platform != "win32":
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            file.close()
            raise AudioError(f"{path}: another call is being recorded into it") from None
        except OSError:
            pass  # a file system without locks
        file.truncate()
    return file


class WavSink:
    """Writes what it hears: 48 kHz, 16 bits, one channel or, for `CallRecorder`, two."""

    def __init__(self, path: Path | str, *, channels: int = 1) -> None:
        try:
            if Path(path).is_fifo():
                raise AudioError(f"{path}: a pipe takes no WAV file, whose head is written last")
            self._file = _emptied(path)
        except OSError as error:
            raise AudioError(f"{path}: {error.strerror}") from None
        self._path = path
        self._wave = wave.open(self._file, "wb")
        self._wave.setnchannels(channels)
        self._wave.setsampwidth(2)
        self._wave.setframerate(RATE)
        self._written = 0
        self._closed = False

    def write(self, frame: bytes) -> None:
        """Write it, unless the file is closed.

        Raises `AudioError` when no more can be written: the disk is full, or the file as large as a WAV file can be,
        after six hours in stereo. What is there can be read.
        """
        if self._closed:
            return
        self._written += len(frame)
        if self._written > LARGEST:
            self.close()
            raise AudioError(f"{self._path}: a WAV file holds 4 GB at most; the rest is left out")
        try:
            self._wave.writeframesraw(frame)
        except OSError as error:
            with contextlib.suppress(AudioError):
                self.close()
            raise AudioError(f"{self._path}: {error.strerror}; the rest is left out") from None

    def close(self) -> None:
        """Write the sizes into the head of the file, and close it; `AudioError` when that fails."""
        if self._closed:
            return
        self._closed = True
        try:
            with self._file:
                self._wave.close()
        except OSError as error:
            raise AudioError(f"{self._path}: {error.strerror}; it may be damaged") from None


class CallRecorder:
    """Records a call in stereo: what we say on the left, what the peer says on the right, in step.

    Attach its two sinks: `voice.attach(recorder.local, local=True)` and `voice.attach(recorder.remote)`. Time that the
    call's clock left out, because the process was too busy, is silence on both sides.
    """

    def __init__(self, path: Path | str, clock: Callable[[], float] = time.monotonic) -> None:
        self._wav = WavSink(path, channels=2)
        self._clock = clock
        self._start: float | None = None
        self._frames = 0
        self._left: bytes | None = None
        self.local = _Side(self._say, self.close)
        """Hears what we say."""
        self.remote = _Side(self._hear, self.close)
        """Hears the peer."""

    def close(self) -> None:
        """Close the file; safe to call twice."""
        self._wav.close()

    def _say(self, frame: bytes) -> None:
        if self._left is not None:
            self._put(self._left, SILENCE)
        self._left = frame

    def _hear(self, frame: bytes) -> None:
        self._put(self._left or SILENCE, frame)
        self._left = None

    def _put(self, left: bytes, right: bytes) -> None:
        now = self._clock()
        if self._start is None:
            self._start = now
        missed = int((now - self._start) / FRAME_SECONDS) - self._frames
        if missed > 10:  # up to 200 ms the call's clock catches up by itself
            self._wav.write(missed * 2 * SILENCE)
            self._frames += missed
        pair = np.stack([np.frombuffer(one, dtype="<i2") for one in (left, right)], axis=1)
        self._wav.write(pair.tobytes())
        self._frames += 1


@dataclass(frozen=True, slots=True, eq=False)
class _Side:
    """A `Sink` of two functions."""

    write: Callable[[bytes], None]
    close: Callable[[], None]
