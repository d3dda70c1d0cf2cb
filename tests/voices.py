"""What the tests of voice share: sessions over loopback, an ear that counts and hears, and the pitch of what it heard."""

from __future__ import annotations

import asyncio
import math
import wave
from array import array
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Final, TypeVar

import numpy as np
from aoba_runtime.audio import RATE, Source, Voice
from aoba_runtime.audio_levels import rms
from aoba_runtime.audio_tones import Tone
from aoba_runtime.media import LocalCandidate, MediaEvent
from aoba_runtime.rtc import RtcMedia, RtcOptions, RtcSession

LOOPBACK: Final = RtcOptions(local_addresses=("127.0.0.1",))
PATIENCE: Final = 20.0
"""Seconds for anything to happen on a busy machine."""
E = TypeVar("E", bound=MediaEvent)


class Ear:
    """A sink that keeps what it hears and can be awaited."""

    def __init__(self) -> None:
        self.frames: list[bytes] = []
        self.closed = False
        self._change = asyncio.Event()

    def write(self, frame: bytes) -> None:
        self.frames.append(frame)
        self._wake()

    def close(self) -> None:
        self.closed = True
        self._wake()

    async def until(self, reached: Callable[[], bool]) -> None:
        """Wait until it is so, looking again at each frame."""
        async with asyncio.timeout(PATIENCE):
            while not reached():
                await self._change.wait()

    async def next(self, count: int = 25) -> bytes:
        """The samples of the next frames."""
        begin = len(self.frames)
        await self.until(lambda: len(self.frames) >= begin + count)
        return b"".join(self.frames[begin : begin + count])

    def _wake(self) -> None:
        self._change.set()
        self._change = asyncio.Event()


def pitch(pcm: bytes, rate: int = RATE, channel: int = 0, channels: int = 1) -> float:
    """The loudest frequency in Hz."""
    samples = np.frombuffer(pcm, dtype="<i2")[channel::channels].astype(float)
    spectrum = np.abs(np.fft.rfft(samples * np.hanning(len(samples))))
    return float(np.argmax(spectrum)) * rate / len(samples)


def write_wav(
    path: Path, hz: int, *, rate: int = 48_000, channels: int = 1, seconds: float = 1.0
) -> Path:
    """A file with a tone of RMS 0.2 on each channel."""
    with wave.open(str(path), "wb") as file:
        file.setnchannels(channels)
        file.setsampwidth(2)
        file.setframerate(rate)
        tone = (
            round(9268 * math.sin(2 * math.pi * hz * at / rate))
            for at in range(int(rate * seconds))
        )
        file.writeframes(array("h", (value for value in tone for _ in range(channels))).tobytes())
    return path


@dataclass
class End:
    """One end of a call: its session, what it hears, and what it is told."""

    session: RtcSession
    ear: Ear
    events: list[MediaEvent] = field(default_factory=list)
    _change: asyncio.Event = field(default_factory=asyncio.Event)

    def notify(self, event: MediaEvent) -> None:
        self.events.append(event)
        self._change.set()

    async def told(self, kind: type[E]) -> E:
        """The first event of this kind, as soon as it comes."""
        async with asyncio.timeout(PATIENCE):
            while True:
                for event in self.events:
                    if isinstance(event, kind):
                        return event
                self._change.clear()
                await self._change.wait()

    @property
    def candidates(self) -> list[str]:
        return [one.candidate.candidate for one in self.events if isinstance(one, LocalCandidate)]


def make_end(source: Source | None = None, options: RtcOptions = LOOPBACK) -> End:
    ear = Ear()
    told: list[End] = []
    media = RtcMedia(options, lambda call_id: Voice(source, ear))
    end = End(media.session("call", lambda event: told[0].notify(event)), ear)
    told.append(end)
    return end


async def negotiate(caller: End, callee: End) -> None:
    offer = await caller.session.offer()
    await caller.session.accept_answer(await callee.session.answer(offer))


@asynccontextmanager
async def call(options: RtcOptions = LOOPBACK, **changes: float) -> AsyncIterator[tuple[End, End]]:
    """Two ends that hear each other: the first says 440 Hz, the second 1000 Hz."""
    chosen = replace(options, **changes)  # type: ignore[arg-type]  # all of them are floats
    caller, callee = make_end(Tone(440), chosen), make_end(Tone(1000), chosen)
    try:
        await negotiate(caller, callee)
        await caller.ear.until(lambda: rms(b"".join(caller.ear.frames[-5:])) > 0.1)
        await callee.ear.until(lambda: rms(b"".join(callee.ear.frames[-5:])) > 0.1)
        yield caller, callee
    finally:
        await caller.session.aclose()
        await callee.session.aclose()
