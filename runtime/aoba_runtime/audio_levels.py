"""How loud voice is, and how good: RMS levels and the mean opinion score of the E-model."""

from __future__ import annotations

import math

from .extras import require_extra

require_extra("media", __name__, "numpy")

import numpy as np


def rms(pcm: bytes) -> float:
    """The root mean square of signed 16-bit samples in 0..1; a full-scale sine has 0.707."""
    if not pcm:
        return 0.0
    samples = np.frombuffer(pcm, dtype="<i2").astype(np.float32)
    return math.sqrt(float(np.dot(samples, samples)) / len(samples)) / 32768


def mos(loss: float, delay: float) -> float:
    """How a person would rate the voice, 1 (bad) to 4.4 (as good as it gets), by ITU-T G.107.

    `loss` in 0..1; `delay` in seconds from mouth to ear. The impairment of the delay is the usual two-line
    approximation of G.107; Opus counts as a codec without impairment of its own (Ie = 0) that conceals little (Bpl = 10).
    """
    milliseconds = 1000 * delay
    by_delay = 0.024 * milliseconds + 0.11 * max(0.0, milliseconds - 177.3)
    percent = 100 * min(1.0, max(0.0, loss))
    by_loss = 95 * percent / (percent + 10)
    rating = 93.2 - by_delay - by_loss
    if rating <= 0:
        return 1.0
    score = 1 + 0.035 * rating + rating * (rating - 60) * (100 - rating) * 7e-6
    return min(4.5, max(1.0, score))
