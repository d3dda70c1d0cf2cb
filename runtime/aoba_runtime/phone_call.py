"""One call as a program holds it: what can be done with it, what is told of it, how it ended."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import AsyncIterator, Callable
from types import TracebackType
from typing import TYPE_CHECKING, Any, Final, Self

from .call import Line
from .call_effects import Party
from .call_states import Role
from .links import tell
from .media import MediaSession, Stats
from .phone_events import CallEvent, Connected, Ended, Muted
from .phone_voice import VoiceWork

if TYPE_CHECKING:
    from .phone import Phone

EVENTS_KEPT: Final = 100
"""How many events a slow reader may be behind; older ones are dropped."""


class CallEnded(Exception):
    """The call is over, so what was asked of it cannot be; `ended` says how it ended."""

    def __init__(self, ended: Ended) -> None:
        super().__init__(f"the call has ended: {ended.reason}")
        self.ended = ended


class VoiceCall:
    """A call, from its first signal to its end.

    `id` is the call's, `peer` whom we talk with (a full JID once a device has accepted), `role` which end we are and
    `caller_name` what the caller calls itself, which proves nothing. `muted` and `remote_muted` say who is muted.

        async with await phone.dial("bob@localhost") as call:
            await call.connected()
            ...

    Leaving the block hangs up. `async for event in call` gives each event from the call's first on.
    """

    def __init__(
        self, phone: Phone, id: str, role: Role, peer: str, caller_name: str | None, began: float
    ) -> None:
        self.id = id
        self.role = role
        self.peer = peer
        self.caller_name = caller_name
        self.muted = False
        self.remote_muted = False
        self.why = ""
        self._phone = phone
        self._began = began
        self._has_rung = False
        self._over: asyncio.Future[Ended] = asyncio.get_running_loop().create_future()
        self._up: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._listeners: list[Callable[[CallEvent], object]] = []
        self._news: deque[CallEvent] = deque(maxlen=EVENTS_KEPT)
        self._has_news = asyncio.Event()
        self._voice: VoiceWork | None = None

    def __repr__(self) -> str:
        return f"<VoiceCall {self.id} with {self.peer}>"

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.hangup()
        await self.ended

    # What can be done with it

    def accept(self) -> None:
        """Take the call that rings; `LocalCallError` when it does not ring (any more)."""
        self._phone._decide(self, Line.accept)

    def reject(self) -> None:
        """Decline the call that rings, on all devices of ours; `LocalCallError` when it does not ring."""
        self._phone._decide(self, Line.reject)

    def busy(self) -> None:
        """Decline the call that rings, at this device alone; `LocalCallError` when it does not ring."""
        self._phone._decide(self, Line.busy)

    def hangup(self) -> None:
        """End the call, whatever it is doing; nothing if it has ended."""
        self._phone._hangup(self)

    def mute(self, muted: bool = True) -> None:
        """Send silence and tell the peer so, or end that; nothing if the call has ended."""
        self._phone._mute(self, muted)

    # What comes of it

    @property
    def ended(self) -> asyncio.Future[Ended]:
        """Await it for the end: `reason, duration, by, why = await call.ended`. Cancelling that does not end the call."""
        return asyncio.shield(self._over)

    @property
    def is_over(self) -> bool:
        """Whether the call has ended."""
        return self._over.done()

    @property
    def is_connected(self) -> bool:
        """Whether voice can flow, or could before the end."""
        return self._up.done()

    async def connected(self) -> None:
        """Wait until voice can flow; raises `CallEnded` when the call ends before."""
        either: set[asyncio.Future[Any]] = {self._up, self._over}
        await asyncio.wait(either, return_when=asyncio.FIRST_COMPLETED)
        if not self._up.done():
            raise CallEnded(self._over.result())

    @property
    def session(self) -> MediaSession:
        """The voice of the call, as the phone's `media` made it."""
        if self._voice is None:
            raise RuntimeError("the call has no voice yet")
        return self._voice.session

    async def stats(self) -> Stats:
        """How the voice is at this moment."""
        return await self.session.stats()

    def on_event(self, listener: Callable[[CallEvent], object]) -> Callable[[CallEvent], object]:
        """Call `listener` with each event from now on; usable as a decorator."""
        self._listeners.append(listener)
        return listener

    async def __aiter__(self) -> AsyncIterator[CallEvent]:
        """Each event, up to `Ended`; for one reader. A slow one misses all but the last 100."""
        while True:
            while self._news:
                event = self._news.popleft()
                yield event
                if isinstance(event, Ended):
                    return
            if self.is_over:
                return
            self._has_news.clear()
            await self._has_news.wait()

    def _tell(self, event: CallEvent) -> None:
        """Called by the phone: something has happened."""
        match event:
            case Connected():
                self._up.set_result(None)
            case Muted(by=Party.LOCAL, muted=muted):
                self.muted = muted
            case Muted(muted=muted):
                self.remote_muted = muted
            case Ended():
                self._over.set_result(event)
            case _:
                pass
        self._news.append(event)
        self._has_news.set()
        tell(self._listeners, event)
