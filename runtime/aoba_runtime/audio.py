"""Voice as a program meets it: frames of 20 ms, sources that give them, sinks that take them, and both in one call.

A frame is 20 ms of one channel at 48 kHz: 960 signed 16-bit samples, little-endian, 1920 bytes. Every `Source` gives
one each time it is asked and every `Sink` is given one, 50 times a second, on the event loop, in step with each other.
"""

from __future__ import annotations

import asyncio
import logging
from collections import deque
from typing import Final, Protocol

from .audio_levels import rms

RATE: Final = 48_000
"""Samples a second inside; sources and sinks of another rate convert."""
FRAME: Final = 960
"""Samples of a frame."""
FRAME_BYTES: Final = 2 * FRAME
FRAME_SECONDS: Final = FRAME / RATE
SILENCE: Final = bytes(FRAME_BYTES)

_FAILURES: Final = (Exception, asyncio.CancelledError)
"""What a source or sink may raise; a cancelled future that it asks for its result cancels nobody."""

logger = logging.getLogger(__name__)


class AudioError(Exception):
    """Audio that cannot be had: a file that is none, a device that is not there; the text says what to do."""


class Source(Protocol):
    """Something to be said."""

    def read(self) -> bytes | None:
        """The next frame; `None` when there is nothing more to come, ever. Must not block."""

    def close(self) -> None:
        """Let go of files and devices; safe to call twice."""


class Sink(Protocol):
    """Something that listens."""

    def write(self, frame: bytes, /) -> None:
        """Take the next frame. Must not block."""

    def close(self) -> None:
        """Let go of files and devices; safe to call twice."""


class Voice:
    """What is said and heard in one call: a source that can be changed at any time, and sinks on either side.

    Without a source, or after its end, it says silence, so that the voice of a call never stops. A source or sink that
    raises is logged and left out; the call goes on. What was handed in is closed with the call, and what comes later at
    once.
    """

    def __init__(self, source: Source | None = None, *sinks: Sink) -> None:
        self.muted = False
        self._source = source
        self._ended = asyncio.Event()
        self._remote = list(sinks)
        self._local: list[Sink] = []
        self._said: deque[bytes] = deque(maxlen=10)
        self._heard: deque[bytes] = deque(maxlen=10)
        self._taken = False
        self._closed = False

    @property
    def source(self) -> Source | None:
        """What is being said; setting it closes the one before."""
        return self._source

    @source.setter
    def source(self, source: Source | None) -> None:
        if self._closed and source is not None:
            _close(source)
            source = None
        before, self._source = self._source, source
        self._ended.set()
        self._ended = asyncio.Event()
        if before is not None and before is not source:
            _close(before)

    async def play(self, source: Source) -> None:
        """Say it, and wait until its end, until something else is said, or until the call has ended."""
        self.source = source
        if self._source is not None:
            await self._ended.wait()

    def attach(self, sink: Sink, *, local: bool = False) -> None:
        """Let it hear the peer, or with `local` what we say ourselves."""
        if self._closed:
            _close(sink)
        else:
            (self._local if local else self._remote).append(sink)

    def detach(self, sink: Sink) -> None:
        """Let it hear no more, and close it."""
        for sinks in (self._local, self._remote):
            if sink in sinks:
                sinks.remove(sink)
                _close(sink)

    @property
    def local_level(self) -> float:
        """RMS of the last 200 ms that we said, in 0..1."""
        return rms(b"".join(self._said))

    @property
    def remote_level(self) -> float:
        """RMS of the last 200 ms that the peer said, in 0..1."""
        return rms(b"".join(self._heard))

    def for_a_call(self) -> Voice:
        """Itself; for engines, as each call begins. `AudioError` the second time: what it had was closed with its call."""
        if self._taken:
            raise AudioError("a Voice is what is said and heard in one call: give each its own")
        self._taken = True
        return self

    def say(self) -> bytes:
        """The next frame to send; for engines, every 20 ms. A muted source goes on unheard, as a microphone does."""
        frame = self._read()
        if self.muted:
            frame = SILENCE
        self._said.append(frame)
        self._give(self._local, frame)
        return frame

    def hear(self, frame: bytes) -> None:
        """Take the next frame of the peer's; for engines, every 20 ms."""
        self._heard.append(frame)
        self._give(self._remote, frame)

    def close(self) -> None:
        """Close the source and all sinks; safe to call twice."""
        self._closed = True
        self.source = None
        sinks = [*self._local, *self._remote]
        self._local.clear()
        self._remote.clear()
        for sink in sinks:
            _close(sink)

    def _read(self) -> bytes:
        if self._source is None:
            return SILENCE
        try:
            frame = self._source.read()
            if frame is not None:
                return bytes(frame[:FRAME_BYTES].ljust(FRAME_BYTES, b"\0"))
        except AudioError as error:
            logger.warning("%s; silence is sent instead", error)
        except _FAILURES:
            logger.exception("the source failed; silence is sent instead")
        self.source = None
        return SILENCE

    @staticmethod
    def _give(sinks: list[Sink], frame: bytes) -> None:
        for sink in tuple(sinks):
            try:
                sink.write(frame)
            except _FAILURES as error:
                if isinstance(error, AudioError):
                    logger.warning("%s", error)
                else:
                    logger.exception("a sink failed; it hears no more")
                sinks.remove(sink)
                _close(sink)


def _close(end: Source | Sink) -> None:
    try:
        end.close()
    except AudioError as error:
        logger.warning("%s", error)
    except _FAILURES:
        logger.exception("%s could not be closed", type(end).__name__)
