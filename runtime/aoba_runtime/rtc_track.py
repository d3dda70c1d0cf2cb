"""The clock of a call's voice: every 20 ms one frame is said and one is heard, for as long as the call lasts."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Final

from aiortc.mediastreams import MediaStreamError, MediaStreamTrack

from .audio import FRAME, FRAME_SECONDS
from .rtc_codec import Encoded

BEHIND: Final = 0.2
"""Seconds; a clock that is later than this leaves frames out instead of sending them all at once."""


class Clock(MediaStreamTrack):
    """The outgoing track: aiortc asks it for the next packet, and it answers when it is time.

    `tick` makes the packet; it gets the RTP timestamp.
    """

    kind = "audio"

    def __init__(self, tick: Callable[[int], Awaitable[Encoded]]) -> None:
        super().__init__()
        self._tick = tick
        self._start: float | None = None
        self._frames = 0
        self.left_out = 0
        """Frames left out because this process was too busy."""

    async def recv(self) -> Encoded:
        """The next packet, at its time."""
        if self.readyState != "live":
            raise MediaStreamError
        loop = asyncio.get_running_loop()
        if self._start is None:
            self._start = loop.time()
        else:
            self._frames += 1
            wait = self._start + self._frames * FRAME_SECONDS - loop.time()
            if wait < -BEHIND:
                missed = int(-wait / FRAME_SECONDS)
                self._frames += missed
                self.left_out += missed
            await asyncio.sleep(max(0.0, wait))
        return await self._tick(self._frames * FRAME)
