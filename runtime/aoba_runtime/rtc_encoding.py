"""Where the frames of all calls are encoded: in the event loop while they are few, in one thread when they are many.

Encoding is most of a call's work, and FFmpeg lets other threads run meanwhile; but handing a frame to a thread and back
costs a third of that work again, unless many share a wake-up. A thread for each call would cost it always.
"""

from __future__ import annotations

import asyncio
import threading
from collections import deque
from queue import SimpleQueue
from typing import Final, TypeAlias

from .rtc_codec import Encoded, OpusEncoder

FEW: Final = 12
"""Calls whose encoding takes less than a quarter of a core, so that it keeps nobody waiting."""
_Job: TypeAlias = tuple["asyncio.Future[Encoded]", OpusEncoder, bytes, int]


class EncodingThread:
    """Runs while anybody has `join`ed; to be used from one event loop at a time."""

    def __init__(self) -> None:
        self._users = 0
        self._jobs: SimpleQueue[_Job | None] = SimpleQueue()
        self._done: deque[tuple[asyncio.Future[Encoded], Encoded | Exception]] = deque()
        self._woken = False
        self._thread: threading.Thread | None = None

    def join(self) -> None:
        """Use it; `leave` must follow."""
        self._users += 1

    def leave(self) -> None:
        """Use it no more; with its last user the thread ends."""
        self._users -= 1
        if not self._users and self._thread is not None:
            self._jobs.put(None)
            self._thread.join()  # a frame takes less than a millisecond
            self._thread = None

    async def encode(self, encoder: OpusEncoder, frame: bytes, timestamp: int) -> Encoded:
        """`OpusEncoder.encode` where it is best done; one frame of an encoder at a time."""
        if self._users <= FEW:
            return encoder.encode(frame, timestamp)
        loop = asyncio.get_running_loop()
        if self._thread is None:
            self._thread = threading.Thread(target=self._run, args=(loop,), name="aoba-opus")
            self._thread.daemon = True  # a program that forgets to close its calls can still end
            self._thread.start()
        result: asyncio.Future[Encoded] = loop.create_future()
        self._jobs.put((result, encoder, frame, timestamp))
        return await result

    def _run(self, loop: asyncio.AbstractEventLoop) -> None:
        while (job := self._jobs.get()) is not None:
            result, encoder, frame, timestamp = job
            try:
                self._done.append((result, encoder.encode(frame, timestamp)))
            except Exception as error:
                self._done.append((result, error))
            if not self._woken:  # one wake-up for all that are done by then
                self._woken = True
                try:
                    loop.call_soon_threadsafe(self._deliver)
                except RuntimeError:  # the loop was closed before its calls
                    return

    def _deliver(self) -> None:
        self._woken = False
        while self._done:
            result, encoded = self._done.popleft()
            if result.done():  # the call ended meanwhile
                continue
            if isinstance(encoded, Exception):
                result.set_exception(encoded)
            else:
                result.set_result(encoded)
