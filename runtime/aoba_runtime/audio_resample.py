"""Samples of one rate to another, one channel, signed 16 bits."""

from __future__ import annotations

from .extras import require_extra

require_extra("media", __name__, "av")

import av

from .audio import AudioError


class Resampler:
    """From `source` to `target` samples a second; keeps the last samples of what it was fed to itself for a while."""

    def __init__(self, source: int, target: int) -> None:
        for rate in (source, target):
            if not 4_000 <= rate <= 192_000:
                raise AudioError(f"{rate} samples a second: expected 4000 to 192000")
        self._source = source
        self._resampler = None if source == target else av.AudioResampler("s16", "mono", target)

    def feed(self, pcm: bytes) -> bytes:
        """What comes out for this; `pcm` holds whole samples."""
        if self._resampler is None or not pcm:
            return pcm
        frame = av.AudioFrame("s16", "mono", len(pcm) // 2)
        frame.sample_rate = self._source
        frame.planes[0].update(pcm.ljust(frame.planes[0].buffer_size, b"\0"))
        return b"".join(samples(one) for one in self._resampler.resample(frame))

    def flush(self) -> bytes:
        """What it still keeps; nothing can be fed after that."""
        if self._resampler is None:
            return b""
        return b"".join(samples(one) for one in self._resampler.resample(None))


def samples(frame: av.AudioFrame) -> bytes:
    """The samples of a mono frame of 16 bits, without the padding of its buffer."""
    return bytes(frame.planes[0])[: 2 * frame.samples]
