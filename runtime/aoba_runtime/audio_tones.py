"""Sources that need no file: a tone, an echo of the peer."""

from __future__ import annotations

import functools
import itertools
from collections import deque

from .extras import require_extra

require_extra("media", __name__, "numpy")

import numpy as np

from .audio import FRAME, RATE, AudioError


@functools.lru_cache(maxsize=16)
def _second(hz: int, level: float) -> tuple[bytes, ...]:
    """One second in frames; of a whole number of hertz, it ends where it began."""
    phase = np.arange(RATE) * (2 * np.pi * hz / RATE)
    pcm = np.rint(np.sin(phase) * (level * 2**0.5 * 32768)).astype("<i2")
    return tuple(pcm[at : at + FRAME].tobytes() for at in range(0, RATE, FRAME))


class Tone:
    """A sine of `hz` whole hertz for ever; `level` is its RMS in 0..1."""

    def __init__(self, hz: int, level: float = 0.2) -> None:
        if not 0 < hz < RATE // 2 or not 0 <= level <= 0.7:
            raise AudioError(
                f"a tone of {hz} Hz at {level}: expected 1 to 23999 Hz, level 0 to 0.7"
            )
        self._frames = itertools.cycle(_second(hz, level))

    def read(self) -> bytes:
        """The next frame."""
        return next(self._frames)

    def close(self) -> None:
        """Nothing to let go of."""


class Echo:
    """Says what it hears; as a source and as a sink of the same call."""

    def __init__(self) -> None:
        self._frames: deque[bytes] = deque(maxlen=10)

    def write(self, frame: bytes) -> None:
        """Keep it until it is asked for."""
        self._frames.append(frame)

    def read(self) -> bytes:
        """What was heard, or silence."""
        return self._frames.popleft() if self._frames else bytes(2 * FRAME)

    def close(self) -> None:
        """Nothing to let go of."""
