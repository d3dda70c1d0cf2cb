"""Which node takes a login, and how fast a client may send; no I/O."""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from collections.abc import Sequence

from deploy.launch import RESUME_SECONDS

BURST_SECONDS = 4.0
DOWN_SECONDS = 5.0
MAX_REMEMBERED = 100_000


class Throttle:
    """A token bucket: `rate` bytes a second, bursts of a few seconds' worth."""

    def __init__(self, rate: float) -> None:
        self._rate = rate
        self._left = self._size = rate * BURST_SECONDS
        self._at = asyncio.get_running_loop().time()

    async def spend(self, size: int) -> None:
        """Return when these bytes are within the rate; meanwhile nothing more is read."""
        now = asyncio.get_running_loop().time()
        self._left = min(self._size, self._left + (now - self._at) * self._rate) - size
        self._at = now
        if self._left < 0:
            await asyncio.sleep(-self._left / self._rate)


class Nodes:
    """The ejabberd nodes, taken in turn; a user who may have a session to resume goes back to its node.

    ejabberd resumes through another node too, but ends the resumed session with `conflict` when the lost one began within the
    same second: it orders sessions by the second, then by a counter of each node's own.
    """

    def __init__(self, urls: Sequence[str]) -> None:
        self._urls = list(urls)
        self._next = 0
        self._down: dict[str, float] = {}
        self._homes: OrderedDict[str, tuple[str, float]] = OrderedDict()

    def turn(self, jid: str) -> list[str]:
        """All nodes, best first; one that failed a moment ago is last."""
        now = asyncio.get_running_loop().time()
        home, until = self._homes.get(jid, ("", 0.0))
        first = self._next
        if now < until:
            first = self._urls.index(home)
        else:
            self._next = (self._next + 1) % len(self._urls)
        order = self._urls[first:] + self._urls[:first]
        return sorted(order, key=lambda url: self._down.get(url, 0) > now)

    def failed(self, url: str) -> None:
        """A node did not answer, or not as it should."""
        self._down[url] = asyncio.get_running_loop().time() + DOWN_SECONDS

    def joined(self, jid: str, url: str) -> None:
        """A user's session is on this node."""
        self._remember(jid, url, float("inf"))

    def left(self, jid: str, url: str) -> None:
        """A user's connection to this node has ended; what was lost can be resumed for a while."""
        self._remember(jid, url, asyncio.get_running_loop().time() + RESUME_SECONDS)

    def _remember(self, jid: str, url: str, until: float) -> None:
        self._homes[jid] = (url, until)
        self._homes.move_to_end(jid)
        if len(self._homes) > MAX_REMEMBERED:
            self._homes.popitem(last=False)
