"""From the peer's packets to frames that are heard: one each 20 ms, whatever the network does, and how well it goes."""

from __future__ import annotations

import time
from collections import deque

from .audio import FRAME_BYTES, RATE, SILENCE
from .rtc_codec import OpusDecoder, faded
from .rtc_jitter import JitterBuffer, Missing

_WINDOW = 5.0


class Playout:
    """One call's incoming voice. `arrived` counts packets of any kind, so that a watch can see whether any come."""

    def __init__(self) -> None:
        self._stream: int | None = None
        self._buffer = JitterBuffer()
        self._decoder = OpusDecoder()
        self._pcm = b""
        self._last = SILENCE
        self.arrivals = Arrivals()
        self.heard = False
        """Whether anything of the peer was played yet."""
        self.broken = 0
        """Packets that were not Opus."""

    @property
    def waiting(self) -> int:
        """Packets that wait for their turn."""
        return self._buffer.waiting

    def arrive(self, stream: int, sequence: int, timestamp: int, payload: bytes) -> None:
        """Take an RTP packet; `stream` is its SSRC."""
        if stream != self._stream:  # numbered anew, maybe not far from the one before
            self._stream = stream
            self._buffer.begin_anew()
            self.arrivals.begin_anew()
        self.arrivals.add(sequence, timestamp, time.monotonic())
        self._buffer.add(sequence, timestamp, payload)

    def frame(self) -> bytes:
        """The next frame to be heard; silence where there is none."""
        while len(self._pcm) < FRAME_BYTES:
            packet = self._buffer.pull()
            if isinstance(packet, Missing):
                self._last = faded(self._last) if packet is Missing.LOST else SILENCE
                self._pcm += self._last
                break
            pcm = self._decoder.decode(packet.payload)
            self.heard |= pcm is not None
            self.broken += pcm is None
            pcm = pcm or SILENCE
            self._pcm = self._pcm + pcm if self._pcm else pcm
            self._last = self._pcm[-FRAME_BYTES:]
        frame, self._pcm = self._pcm[:FRAME_BYTES], self._pcm[FRAME_BYTES:]
        return frame.ljust(FRAME_BYTES, b"\0")


class Arrivals:
    """What arrived and what did not, counted as in RFC 3550 (sections 6.4.1 and A.8)."""

    def __init__(self) -> None:
        self.received = 0
        self._first = 0
        self._highest = 0
        self._anew = True
        self._transit: float | None = None
        self._jitter = 0.0
        self._snapshots: deque[tuple[float, int, int]] = deque(maxlen=8)

    @property
    def lost(self) -> int:
        """Packets that did not come, 0 at least: some may have come twice."""
        return max(0, self._highest - self._first + 1 - self.received) if self.received else 0

    @property
    def jitter(self) -> float | None:
        """The mean deviation of the packets' spacing, in seconds."""
        return self._jitter / RATE if self.received > 1 else None

    def begin_anew(self) -> None:
        """The next packet is of another stream: what went before is settled."""
        self._anew, self._transit = True, None

    def add(self, sequence: int, timestamp: int, now: float) -> None:
        """Count a packet; `now` in seconds, monotonic."""
        step = (sequence - self._highest + 0x8000 & 0xFFFF) - 0x8000
        if self._anew or abs(step) > 3000:
            self._first = sequence - self.received - self.lost
            self._highest, self._anew = sequence, False
        else:
            self._highest = max(self._highest, self._highest + step)
        self.received += 1
        transit = now * RATE - timestamp
        if self._transit is not None:
            change = abs(transit - self._transit)
            if change < RATE:  # not a wrap of the timestamp, nor a pause
                self._jitter += (change - self._jitter) / 16
        self._transit = transit

    def loss(self, now: float) -> float:
        """The part that was lost of late, over five seconds or since the start, in 0..1."""
        lost = self.lost
        if not self._snapshots or now - self._snapshots[-1][0] >= 1:
            self._snapshots.append((now, self.received, lost))
        while len(self._snapshots) > 1 and now - self._snapshots[1][0] >= _WINDOW:
            self._snapshots.popleft()
        _, received_then, lost_then = self._snapshots[0] if len(self._snapshots) > 1 else (0, 0, 0)
        came, went = self.received - received_then, max(0, lost - lost_then)
        return went / (came + went) if came + went else 0.0
