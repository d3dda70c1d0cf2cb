"""The clock of a call's voice: every 20 ms one frame is said and one is heard, for as long as the call lasts."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Final

from .audio import FRAME, FRAME_SECONDS

BEHIND: Final = 0.2
"""Seconds; a clock that is later than this leaves frames out instead of making them all at once."""


class Clock:
    """Calls `tick` for each frame at its time, with the RTP timestamp: the samples that went before."""

    def __init__(self, tick: Callable[[int], None]) -> None:
        self._tick = tick
        self._start = 0.0
        self._frames = 0
        self._timer: asyncio.TimerHandle | None = None
        self._stopped = False
        self.left_out = 0
        """Frames left out because this process was too busy."""

    @property
    def due(self) -> float:
        """When the next frame is due, in the event loop's time."""
        return self._start + self._frames * FRAME_SECONDS

    def start(self) -> None:
        """Begin now, unless it has begun or was stopped."""
        if self._timer is None and not self._stopped:
            loop = asyncio.get_running_loop()
            self._start = loop.time()
            self._timer = loop.call_at(self._start, self._turn, loop)

    def stop(self) -> None:
        """Never tick again."""
        self._stopped = True
        if self._timer is not None:
            self._timer.cancel()

    def _turn(self, loop: asyncio.AbstractEventLoop) -> None:
        late = loop.time() - self.due
        if late > BEHIND:
            missed = int(late / FRAME_SECONDS)
            self._frames += missed
            self.left_out += missed
        timestamp = self._frames * FRAME
        self._frames += 1  # before the tick, which may break off or stop us
        self._timer = loop.call_at(self.due, self._turn, loop)
        self._tick(timestamp)
