"""What a line remembers beyond its calls: signals seen, calls ended, and how often somebody called. All of it is bounded."""

from __future__ import annotations

from collections import OrderedDict
from typing import Final

from .signals import Signal

SIGNALS_KEPT: Final = 256
"""How many signals of one call are told from their resends."""
ENDED_SIGNALS_KEPT: Final = 16
"""The same after its end."""
ENDED_KEPT: Final = 1000
"""How many ended calls are remembered; the oldest are forgotten first."""
ENDED_SECONDS: Final = 600.0
"""How long an ended call is remembered at least, and as long as its initiate is not stale."""
CALLERS_KEPT: Final = 1000
"""How many accounts are counted; the one silent for longest is forgotten first."""
BURST: Final = 100.0
"""How many times one account may call at once."""
PER_SECOND: Final = 10.0
"""How many more times in each second."""


def account(address: str) -> str:
    """The account of an address such as a JID: "bob@localhost" of "Bob@localhost/phone" (RFC 7622 folds case)."""
    return address.partition("/")[0].lower()


class Seen:
    """The last signals that were acted on, each with its sender, so that a resend is known: all fields are the same,
    timestamp included. What is sent again from another address the transport knows by its id."""

    def __init__(self, kept: int = SIGNALS_KEPT) -> None:
        self._kept = kept
        self._keys: OrderedDict[int, None] = OrderedDict()

    def __contains__(self, signal: tuple[str, Signal]) -> bool:
        return hash(signal) in self._keys

    def add(self, signal: tuple[str, Signal]) -> None:
        """Remember one."""
        self._keys[hash(signal)] = None
        self.shorten(self._kept)

    def shorten(self, kept: int) -> None:
        """Keep the last `kept`."""
        self._kept = kept
        while len(self._keys) > kept:
            self._keys.popitem(last=False)


class EndedCalls:
    """The calls that are over: their ids never ring again, and a resend to them is known as one."""

    def __init__(self, seconds: float = ENDED_SECONDS) -> None:
        self._calls: OrderedDict[str, tuple[float, Seen]] = OrderedDict()
        self._seconds = seconds

    def __len__(self) -> int:
        return len(self._calls)

    def add(self, call_id: str, seen: Seen, now: float) -> None:
        """Remember that `call_id` ended; `seen` are its signals."""
        seen.shorten(ENDED_SIGNALS_KEPT)
        self._calls[call_id] = (now, seen)
        self._calls.move_to_end(call_id)
        while len(self._calls) > ENDED_KEPT or self._oldest() < now - self._seconds:
            self._calls.popitem(last=False)

    def get(self, call_id: str, now: float) -> Seen | None:
        """The signals of an ended call that is remembered."""
        ended, seen = self._calls.get(call_id, (now, None))
        return seen if ended >= now - self._seconds else None

    def _oldest(self) -> float:
        return next(iter(self._calls.values()))[0]


class Allowance:
    """How many calls each account may still make: a bucket of `BURST` that fills by `PER_SECOND`."""

    def __init__(self) -> None:
        self._left: OrderedDict[str, tuple[float, float]] = OrderedDict()

    def __len__(self) -> int:
        return len(self._left)

    def take(self, caller: str, now: float) -> bool:
        """Count a call of the account `caller`; False if it has none left, which changes nothing."""
        left, since = self._left.get(caller, (BURST, now))
        left = min(BURST, left + (now - since) * PER_SECOND)
        if left < 1.0:
            return False
        self._left[caller] = (left - 1.0, now)
        self._left.move_to_end(caller)
        if len(self._left) > CALLERS_KEPT:
            self._left.popitem(last=False)
        return True
