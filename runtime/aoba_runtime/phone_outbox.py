"""The one way out of a phone: signals go in the order given, and each waits for its own acknowledgement alone."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from pydantic import ValidationError

from .call_effects import Send
from .errors import AckTimeout, BadMessage, Fault
from .phone_tasks import Tasks
from .plug import CallPlug
from .signals import Initiate


class Outbox:
    """Sends signals, and tells `settled` what became of each: the fault, or `None` when the peer took it.

    A signal is of use for `ring_time` seconds if it is an initiate, else for `connect_time`; the transport does not
    deliver it later.
    """

    def __init__(
        self,
        plug: CallPlug,
        settled: Callable[[Send, Fault | None], None],
        *,
        ring_time: float,
        connect_time: float,
    ) -> None:
        self._plug = plug
        self._settled = settled
        self._ring_time = ring_time
        self._connect_time = connect_time
        self._tasks = Tasks()
        self._initiates: dict[asyncio.Task[None], str] = {}

    def put(self, send: Send) -> None:
        """Send it now: tasks begin in the order in which they are made, and a transport writes before it waits."""
        task = self._tasks.start(self._deliver(send), f"a signal to {send.to}")
        if isinstance(send.signal, Initiate):
            self._initiates[task] = send.signal.call_id
            task.add_done_callback(lambda done: self._initiates.pop(task, None))

    def withdraw(self, call_id: str) -> None:
        """Let the initiates of a call that are still on their way ring nowhere."""
        for task, initiated in list(self._initiates.items()):
            if initiated == call_id:
                task.cancel()

    async def aclose(self, within: float) -> None:
        """Wait `within` seconds at most for what is on its way, and drop the rest."""
        try:
            await self._tasks.settle(within)
        finally:
            await self._tasks.aclose()

    async def _deliver(self, send: Send) -> None:
        within = self._ring_time if isinstance(send.signal, Initiate) else self._connect_time
        fault: Fault | None = None
        try:
            async with asyncio.timeout(within):
                await self._plug.send(send.signal, send.to or None)
        except TimeoutError:
            fault = AckTimeout(f"no answer from {send.to} within {within:g} s")
        except Fault as refused:
            fault = refused
        except ValidationError as error:  # a caller's name that is too long, for example
            problems = (
                f"{'.'.join(map(str, each['loc']))}: {each['msg']}" for each in error.errors()
            )
            fault = BadMessage(f"this API cannot say it: {'; '.join(problems)}")
        self._settled(send, fault)
