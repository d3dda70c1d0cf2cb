"""Stream management (XEP-0198): counts stanzas both ways and keeps what the server has not confirmed; no I/O."""

from __future__ import annotations

import asyncio
import xml.etree.ElementTree as ET
from collections import deque
from typing import Any, Final

from . import xml

_MODULUS: Final = 2**32
_ASK_EVERY: Final = 25
ENABLE: Final = f"<enable xmlns='{xml.MANAGEMENT}' resume='true'/>"
REQUEST: Final = f"<r xmlns='{xml.MANAGEMENT}'/>"


class StreamManagement:
    """The counters of one session, over all of its connections.

    `sent` for each stanza that is written, `received` for each that arrived; `resume` after the server has taken the
    session up again gives what must be written again. A stanza is a frame, and where it waits for an answer the future of
    it: when that is done, nobody waits any more, and the frame is not written again.
    """

    def __init__(self) -> None:
        self.id: str | None = None
        self.enabled = False
        self.handled = 0
        self.unconfirmed: deque[tuple[str, asyncio.Future[Any] | None]] = deque()
        self._confirmed = 0
        self._since_request = 0

    def start(self, enabled: ET.Element) -> None:
        """Take the server's `<enabled/>`: count from here."""
        self.enabled = True
        if enabled.get("resume") in ("true", "1"):
            self.id = enabled.get("id") or None

    @property
    def resumable(self) -> bool:
        """Whether the session can outlive its connection."""
        return self.id is not None

    def sent(self, frame: str, waiter: asyncio.Future[Any] | None = None) -> bool:
        """Count a stanza on its way out; True when it is time to send `REQUEST`."""
        if not self.enabled:
            return False
        self.unconfirmed.append((frame, waiter))
        self._since_request += 1
        if self._since_request < _ASK_EVERY:
            return False
        self._since_request = 0
        return True

    def received(self) -> None:
        """Count a stanza that was dealt with."""
        if self.enabled:
            self.handled = (self.handled + 1) % _MODULUS

    def confirmed(self, element: ET.Element) -> None:
        """Take the server's count from `<a/>` or `<resumed/>`; a count that cannot be is ignored."""
        try:
            count = int(element.get("h", ""))
        except ValueError:
            return
        done = (count - self._confirmed) % _MODULUS
        if done > len(self.unconfirmed):
            return
        for _ in range(done):
            self.unconfirmed.popleft()
        self._confirmed = count

    def resume(self, resumed: ET.Element) -> list[str]:
        """Take the server's `<resumed/>`; the frames to write again, in order, without those nobody waits for."""
        self.confirmed(resumed)
        self.unconfirmed = deque(
            (frame, waiter)
            for frame, waiter in self.unconfirmed
            if waiter is None or not waiter.done()
        )
        self._since_request = 0
        return [frame for frame, _ in self.unconfirmed]

    def acknowledgement(self) -> str:
        """The answer to the server's `<r/>`."""
        return f"<a xmlns='{xml.MANAGEMENT}' h='{self.handled}'/>"

    def resumption(self) -> str:
        """The request to take the session up again."""
        return f"<resume xmlns='{xml.MANAGEMENT}' h='{self.handled}' previd='{xml.attribute(self.id or '')}'/>"
