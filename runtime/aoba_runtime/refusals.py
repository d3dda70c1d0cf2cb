"""The log of refused messages, which a peer that sends rubbish for hours cannot fill: some at once, then one a second."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from typing import Final

from .errors import Fault
from .transport import Incoming

AT_ONCE: Final = 20


class Refusals:
    """Warns of each refusal, or tells later how many there were besides."""

    def __init__(self, log: logging.Logger, clock: Callable[[], float] = time.monotonic) -> None:
        self._log = log
        self._clock = clock
        self._since = clock()
        self._left = float(AT_ONCE)
        self._untold = 0

    def add(self, incoming: Incoming, fault: Fault) -> None:
        """`incoming` was refused with `fault`."""
        now = self._clock()
        self._left = min(AT_ONCE, self._left + now - self._since)
        self._since = now
        if self._left < 1:
            self._untold += 1
            return
        besides = f" (and {self._untold} more before it)" if self._untold else ""
        self._left, self._untold = self._left - 1, 0
        # As text: a handler that keeps records would keep all that the traceback leads to.
        self._log.warning(
            "refused message %s from %s: %s%s", incoming.id, incoming.sender, str(fault), besides
        )
