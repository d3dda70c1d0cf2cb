"""The jitter buffer: packets in as they arrive, one out whenever it is time to play one; sans-I/O, no clock.

aiortc's own waits for each lost packet until 16 more have come, plays them all late, and stays 200 ms late from then on.
This one is asked by a steady clock. What is not there when its turn comes is played as lost and never waited for, so a
loss costs its own length and no delay. When packets come too late it waits a little longer from then on; when more lie
waiting than are needed, one is left out and the delay shrinks.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from typing import Final

SHORTEST: Final = 2
"""Turns that pass before the first packet is played: 20 to 40 ms."""
LONGEST: Final = 10
CALM: Final = 50
"""Packets played (1 s) over which the least number of waiting ones is watched."""
PATIENCE: Final = 500
"""Packets played in time (10 s) after which the wait is shortened again."""
CAPACITY: Final = 64
"""Packets kept at most; more can only be a flood."""
JUMP: Final = 500
"""A larger step of the sequence number is a new stream."""
LONGEST_PACKET: Final = 5760
"""Samples of the longest Opus packet, 120 ms; a larger step of the timestamp without a loss is a pause."""


class Missing(Enum):
    """Why there is no packet to play."""

    LOST = "it did not come in time"
    NOTHING = "nothing is there to be played"


@dataclass(frozen=True, slots=True)
class Packet:
    """A packet to play."""

    timestamp: int
    payload: bytes


class JitterBuffer:
    """Puts packets in order and decides what is played next."""

    def __init__(self) -> None:
        self._waiting: dict[int, Packet] = {}
        self._highest: int | None = None
        self._next = 0
        self._timestamp = 0
        self._playing = False
        self._turns = 0
        self._hold = False
        self._target = SHORTEST
        self._least = CAPACITY
        self._watched = 0
        self._in_time = 0
        self.late = 0
        """Packets that came after their turn, or twice."""
        self.skipped = 0
        """Packets left out so that the delay shrinks."""

    @property
    def waiting(self) -> int:
        """How many packets wait; each is usually 20 ms."""
        return len(self._waiting)

    def add(self, sequence: int, timestamp: int, payload: bytes) -> None:
        """Take an arriving packet; `sequence` and `timestamp` as in its RTP header (RFC 3550 section 5.1)."""
        number = self._extend(sequence)
        if number in self._waiting or number < self._next:
            self.late += 1
            if number >= self._next - LONGEST:
                self._lengthen()
                self._hold = self._playing
            return
        self._waiting[number] = Packet(timestamp, payload)
        if len(self._waiting) > CAPACITY:
            self._skip(len(self._waiting) - self._target)

    def begin_anew(self) -> None:
        """The next packet is of another stream, whose numbers have nothing to do with those so far."""
        self._highest = None

    def pull(self) -> Packet | Missing:
        """What is to be played now."""
        if not self._playing and not self._begin():
            return Missing.NOTHING
        if not self._waiting:
            self._playing, self._turns = False, 0
            return Missing.NOTHING
        if self._hold:
            self._hold = False
            return Missing.LOST
        packet = self._waiting.pop(self._next, None)
        self._next += 1
        self._watch()
        if packet is None:
            return Missing.LOST
        self._timestamp = packet.timestamp
        return packet

    def _extend(self, sequence: int) -> int:
        """The sequence number without its wrapping at 65536; a new stream begins anew."""
        if self._highest is not None:
            step = (sequence - self._highest + 0x8000 & 0xFFFF) - 0x8000
            if abs(step) <= JUMP:
                number = self._highest + step
                self._highest = max(self._highest, number)
                return number
        self._waiting.clear()
        self._playing, self._turns, self._next = False, 0, 0
        self._highest = sequence + 0x10000  # above 0 whatever comes out of order
        return self._highest

    def _begin(self) -> bool:
        """Begin to play, unless it is too early; what went before is given up, so that a long loss adds no delay."""
        if not self._waiting:
            return False
        self._turns += 1
        if self._turns < self._target:
            return False
        first = min(self._waiting)
        if first == self._next and self._step(self._waiting[first]) <= LONGEST_PACKET:
            self._lengthen()  # nothing was lost, it only came too late
        self._playing, self._next = True, first
        return True

    def _step(self, packet: Packet) -> int:
        return packet.timestamp - self._timestamp & 0xFFFFFFFF

    def _lengthen(self) -> None:
        self._target = min(LONGEST, self._target + 1)
        self._in_time = 0

    def _watch(self) -> None:
        self._in_time += 1
        if self._in_time >= PATIENCE:
            self._target, self._in_time = max(SHORTEST, self._target - 1), 0
        self._least = min(self._least, len(self._waiting))
        self._watched += 1
        if self._watched >= CALM:
            if self._least > self._target:
                self._skip(1)
            self._watched, self._least = 0, CAPACITY

    def _skip(self, count: int) -> None:
        for number in sorted(self._waiting)[:count]:
            del self._waiting[number]
            self._next = number + 1
            self.skipped += 1
