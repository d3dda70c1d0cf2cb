"""Puts signals back in order that a server mixed up while it moved our session to a new connection; no I/O, no clock.

ejabberd routes again what was in the old connection's queue, behind what already came for the new one. Our stanza ids
are `<sender>.<receiver>-<number>`, numbered without gaps for each receiver, so that a gap shows what is still to come;
ids of other programs say nothing, and their signals never wait.
"""

from __future__ import annotations

import re
from collections import OrderedDict
from typing import Final, Generic, TypeVar

T = TypeVar("T")

HOLD: Final = 0.5
"""Seconds that a signal waits for the ones before it."""
SETTLES: Final = 2.0
"""Seconds after a resumption in which signals may have to wait at all."""
MAX_STREAMS: Final = 1000
MAX_HELD: Final = 100

_NUMBERED: Final = re.compile(r"([0-9a-f]{12}\.[0-9]{1,15})-([0-9]{1,15})")


class Numbers:
    """The ids of the signals that we send."""

    def __init__(self, prefix: str) -> None:
        self._prefix = prefix
        self._streams: OrderedDict[str, tuple[int, int]] = OrderedDict()
        self._count = 0

    def next(self, to: str) -> str:
        """The id of the next signal to a JID."""
        stream, number = self._streams.pop(to, (0, 0))
        if not stream:
            self._count += 1
            stream = self._count
            if len(self._streams) >= MAX_STREAMS:
                self._streams.popitem(last=False)
        self._streams[to] = stream, number + 1
        return f"{self._prefix}{stream}-{number + 1}"


class Ordering(Generic[T]):
    """The signals that wait for earlier ones."""

    def __init__(self) -> None:
        self._last: OrderedDict[tuple[str, str], int] = OrderedDict()
        self._held: dict[tuple[str, str], dict[int, T]] = {}

    @property
    def waiting(self) -> bool:
        """Whether anything is held; `release` it within `HOLD` seconds."""
        return bool(self._held)

    def arrived(self, sender: str, id: str, signal: T, may_wait: bool) -> list[T]:
        """What is to be dealt with now that `signal` came, in order: nothing if it has to wait."""
        found = _NUMBERED.fullmatch(id)
        if found is None:
            return [signal]
        stream, number = (sender, found[1]), int(found[2])
        last = self._last.get(stream)
        held = self._held.get(stream, {})
        if last is not None and number <= last:
            return [signal]
        if last is not None and number > last + 1 and may_wait and len(held) < MAX_HELD:
            self._held.setdefault(stream, {})[number] = signal
            return []
        ready = [held.pop(each) for each in sorted(held) if each < number] + [signal]
        while (following := number + 1) in held:
            ready.append(held.pop(following))
            number = following
        if not held:
            self._held.pop(stream, None)
        self._note(stream, number)
        return ready

    def release(self) -> list[T]:
        """Everything that waits, in order: what is missing will not come."""
        ready: list[T] = []
        for stream, held in self._held.items():
            ready += (held[number] for number in sorted(held))
            self._note(stream, max(held))
        self._held.clear()
        return ready

    def _note(self, stream: tuple[str, str], number: int) -> None:
        self._last[stream] = number
        self._last.move_to_end(stream)
        if len(self._last) > MAX_STREAMS:
            self._last.popitem(last=False)
