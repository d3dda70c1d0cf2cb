"""Tasks with an owner: each is waited for in the end, and what fails in one is told."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine


class Tasks:
    """What is under way; `aclose` ends it."""

    def __init__(self) -> None:
        self._running: set[asyncio.Task[None]] = set()

    def start(self, work: Coroutine[None, None, None], name: str) -> asyncio.Task[None]:
        """Run `work` as a task; it begins in the order of the calls."""
        task = asyncio.create_task(work, name=name)
        self._running.add(task)
        task.add_done_callback(self._done)
        return task

    async def settle(self, within: float) -> None:
        """Wait until all have ended, `within` seconds at most."""
        if others := self._others():
            await asyncio.wait(others, timeout=within)

    async def aclose(self) -> None:
        """Cancel what still runs, and wait for its end."""
        others = self._others()
        for task in others:
            task.cancel()
        await asyncio.gather(*others, return_exceptions=True)

    def _others(self) -> list[asyncio.Task[None]]:
        return [task for task in self._running if task is not asyncio.current_task()]

    def _done(self, task: asyncio.Task[None]) -> None:
        self._running.discard(task)
        if not task.cancelled() and (error := task.exception()) is not None:
            task.get_loop().call_exception_handler(
                {"message": f"{task.get_name()} failed", "exception": error, "task": task}
            )
