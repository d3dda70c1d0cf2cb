"""Silent media for tests and clients: sessions of one process connect as soon as offer and answer have met.

Nothing is gathered, sent or heard, and no engine is needed. What a real engine does on its own, a test asks for:
`FakeSession.stall`, `resume`, `fail`. A peer that closes is told of as `PeerClosed`, as over a real connection.
"""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import Callable
from typing import Final
from weakref import WeakValueDictionary

from .media import (
    BadMedia,
    Connected,
    Failed,
    FirstAudio,
    LocalCandidate,
    MediaEvent,
    PeerClosed,
    Resumed,
    Stalled,
    Stats,
)
from .signals import Candidate

_HEAD: Final = "v=0\r\no=- 0 0 IN IP4 127.0.0.1\r\ns=fake\r\nt=0 0\r\n"
_MARK: Final = "a=fake-session:"
_numbers: Final = itertools.count(1)
_sessions: Final[WeakValueDictionary[str, FakeSession]] = WeakValueDictionary()


class FakeMedia:
    """Makes silent sessions and keeps them in `sessions` by call id; with `connects=False` they never connect."""

    def __init__(self, *, connects: bool = True) -> None:
        self.sessions: dict[str, FakeSession] = {}
        self._connects = connects

    def session(self, call_id: str, notify: Callable[[MediaEvent], None]) -> FakeSession:
        """The voice of a new call."""
        session = self.sessions[call_id] = FakeSession(notify, connects=self._connects)
        return session


class FakeSession:
    """One call's silence (`MediaSession`). What it was asked to do can be read from its attributes."""

    def __init__(self, notify: Callable[[MediaEvent], None], *, connects: bool = True) -> None:
        self.prepared = False
        self.connected = False
        self.muted = False
        self.closed = False
        self.candidates: list[Candidate] = []
        """What was given to `add_candidate`, in order."""
        self._notify = notify
        self._connects = connects
        self._peer: FakeSession | None = None
        self._name = str(next(_numbers))
        _sessions[self._name] = self

    async def prepare(self) -> None:
        """Nothing to gather."""
        self.prepared = True

    async def offer(self) -> str:
        """A description that names this session."""
        return self._describe()

    async def answer(self, sdp: str) -> str:
        """Take the caller's description and give ours; raises `BadMedia` when it is not a fake session's."""
        self._peer = self._find(sdp)
        return self._describe()

    async def accept_answer(self, sdp: str) -> None:
        """Take the callee's description, and be connected; raises `BadMedia` as `answer`."""
        self._peer = self._find(sdp)
        if self._peer._peer is not self:
            raise BadMedia("this answer belongs to another offer")
        if self._connects and self._peer._connects:
            for session in (self, self._peer):
                session.connected = True
                session._tell(Connected())
                session._tell(FirstAudio())

    async def add_candidate(self, candidate: Candidate) -> None:
        """Keep it."""
        self.candidates.append(candidate)

    def mute(self, muted: bool) -> None:
        """Keep it."""
        self.muted = muted

    def stall(self) -> None:
        """Nothing arrives any more."""
        self._tell(Stalled())

    def resume(self) -> None:
        """The peer's voice arrives again."""
        self._tell(Resumed())

    def fail(self, why: str = "the network is gone") -> None:
        """There will be no voice."""
        self._tell(Failed(why))

    async def stats(self) -> Stats:
        """Nothing was sent and nothing came."""
        return Stats(0, 0, 0, 0.0, None, None, None, 0.0, 0.0)

    async def aclose(self) -> None:
        """End it; a connected peer notices."""
        if not self.closed:
            self.closed = True
            if self.connected and self._peer is not None:
                self._peer._tell(PeerClosed())

    def _describe(self) -> str:
        name = self._name
        self._tell(
            LocalCandidate(Candidate(f"candidate:{name} 1 udp 1 127.0.0.1 9 typ host", "0", 0))
        )
        self._tell(LocalCandidate(Candidate("", "0", 0)))
        return f"{_HEAD}{_MARK}{name}\r\n"

    @staticmethod
    def _find(sdp: str) -> FakeSession:
        lines = [line for line in sdp.splitlines() if line.startswith(_MARK)]
        session = _sessions.get(lines[0].removeprefix(_MARK)) if lines else None
        if session is None or session.closed:
            raise BadMedia("this session description is not of a fake session in this process")
        return session

    def _tell(self, event: MediaEvent) -> None:
        asyncio.get_running_loop().call_soon(self._deliver, event)

    def _deliver(self, event: MediaEvent) -> None:
        if not self.closed:
            self._notify(event)
