"""Remembers which signals were accepted, so that one that comes again is acted on once; bounded in number and time."""

from __future__ import annotations

import hashlib
from collections import OrderedDict
from functools import lru_cache
from typing import Final

SENDERS: Final = 1000
"""How many senders are remembered; past that the one that was silent longest is forgotten."""
PER_SENDER: Final = 1000
"""How many signals of one sender are remembered."""
SECONDS: Final = 60.0
"""How long a signal is remembered."""


class Duplicates:
    """Accepted signals, by sender.

    A signal is the same again when its bytes are the same and it comes from the same full JID; or, since a sender whose
    session broke comes back under another resource, from the same bare JID under the same stanza id. An id alone says
    nothing: simple clients count from 1 at each start. Times are in seconds of any clock that only runs forward.
    """

    def __init__(self) -> None:
        self._senders: OrderedDict[str, OrderedDict[bytes, float]] = OrderedDict()

    def seen(self, sender: str, id: str, data: bytes, now: float) -> bool:
        """Whether this signal was accepted before."""
        known = self._senders.get(sender.partition("/")[0])
        if known is None:
            return False
        return any(
            (at := known.get(key)) is not None and now - at <= SECONDS
            for key in _keys(sender, id, data)
        )

    def add(self, sender: str, id: str, data: bytes, now: float) -> None:
        """Remember a signal that was accepted."""
        bare = sender.partition("/")[0]
        known = self._senders.setdefault(bare, OrderedDict())
        self._senders.move_to_end(bare)
        for key in _keys(sender, id, data):
            known[key] = now
            known.move_to_end(key)
        while len(known) > 2 * PER_SENDER or now - next(iter(known.values())) > SECONDS:
            known.popitem(last=False)
        while len(self._senders) > SENDERS:
            self._senders.popitem(last=False)


@lru_cache(maxsize=1)  # a signal is looked up, and then added
def _keys(sender: str, id: str, data: bytes) -> tuple[bytes, bytes]:
    whole = hashlib.blake2b(data, digest_size=16)
    by_resource, by_id = whole.copy(), whole
    by_resource.update(b"\0/" + sender.encode())
    by_id.update(b"\0#" + id.encode())
    return by_resource.digest(), by_id.digest()
