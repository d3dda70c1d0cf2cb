"""Voice for programs that listen and speak, such as bots: PCM of a rate of their choice, in and out, bounded."""

from __future__ import annotations

import asyncio
from collections import deque
from typing import Final

from .audio import FRAME_BYTES, FRAME_SECONDS, RATE, SILENCE, AudioError
from .audio_resample import Resampler

PER_SECOND: Final = round(1 / FRAME_SECONDS)


class Listener:
    """What the peer says, as an async iterator of 20 ms of PCM: 16-bit mono of `rate` samples a second.

    A sink, to be attached to a `Voice`; the iteration ends with the call. At most `seconds` wait for a slow reader; then
    the oldest are dropped and counted in `dropped`, since what was said long ago helps nobody.
    """

    def __init__(self, rate: int = 16_000, seconds: float = 5.0) -> None:
        if rate % PER_SECOND:
            raise AudioError(f"{rate} samples a second: expected a multiple of {PER_SECOND}")
        self._resampler = Resampler(RATE, rate)
        self._size = 2 * rate // PER_SECOND
        self._pcm = bytearray()
        self._frames: deque[bytes] = deque(maxlen=max(1, round(seconds * PER_SECOND)))
        self._news = asyncio.Event()
        self._closed = False
        self.dropped = 0
        """Frames that nobody read in time."""

    def __aiter__(self) -> Listener:
        return self

    async def __anext__(self) -> bytes:
        while not self._frames:
            if self._closed:
                raise StopAsyncIteration
            self._news.clear()
            await self._news.wait()
        return self._frames.popleft()

    def write(self, frame: bytes) -> None:
        """Take a frame of the call."""
        self._pcm += self._resampler.feed(frame)
        while len(self._pcm) >= self._size:
            self.dropped += len(self._frames) == self._frames.maxlen
            self._frames.append(bytes(self._pcm[: self._size]))
            del self._pcm[: self._size]
        self._news.set()

    def close(self) -> None:
        """End the iteration, once all was read."""
        self._closed = True
        self._news.set()


class Speech:
    """A source that is pushed to: `await speech.write(pcm)`, 16-bit mono of `rate` samples a second, any length.

    At most `seconds` wait to be said; a writer with more waits. Between writes there is silence.
    """

    def __init__(self, rate: int = 16_000, seconds: float = 10.0) -> None:
        self._resampler = Resampler(rate, RATE)
        self._rate = rate
        self._limit = max(FRAME_BYTES, round(seconds * RATE) * 2)
        self._half = b""
        self._pcm = bytearray()
        self._changed = asyncio.Event()
        self._round = 0
        self._closed = False
        self.said = 0.0
        """Seconds that were said so far, without the silence between."""

    @property
    def waiting(self) -> float:
        """Seconds that wait to be said."""
        return len(self._pcm) / (2 * RATE)

    async def write(self, pcm: bytes) -> None:
        """Say this after what waits already; returns when all of it waits, or when `clear` has dropped it.

        Raises `AudioError` when the call has ended.
        """
        pcm, turn = self._half + pcm, self._round
        whole = len(pcm) // 2 * 2
        self._half = pcm[whole:]
        step = 2 * (self._rate // PER_SECOND)
        for at in range(0, whole, step):
            while len(self._pcm) >= self._limit and not self._closed and turn == self._round:
                await self._change()
            if self._closed:
                raise AudioError(
                    "nothing more can be said: the call has ended, or another source has taken over"
                )
            if turn != self._round:
                return
            self._pcm += self._resampler.feed(pcm[at : min(at + step, whole)])

    def clear(self) -> None:
        """Drop at once all that was not said yet, when the peer interrupts for example."""
        self._round += 1
        self._half = b""
        self._resampler = Resampler(self._rate, RATE)
        self._pcm.clear()
        self._wake()

    async def wait_for_playout(self) -> None:
        """Wait until all was said, cleared, or the call has ended."""
        while self._pcm and not self._closed:
            await self._change()

    def read(self) -> bytes:
        """The next frame for the call."""
        if not self._pcm:
            return SILENCE
        frame = bytes(self._pcm[:FRAME_BYTES])
        del self._pcm[:FRAME_BYTES]
        self.said += len(frame) / (2 * RATE)
        self._wake()
        return frame

    def close(self) -> None:
        """Wake those who wait."""
        self._closed = True
        self._wake()

    async def _change(self) -> None:
        await self._changed.wait()

    def _wake(self) -> None:
        self._changed.set()
        self._changed = asyncio.Event()
