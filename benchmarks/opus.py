"""What Opus's complexity costs and gives: time for each frame, and the quality of speech by PESQ (ITU-T P.862.2).

Give it recordings of speech as sound files, some seconds each; the package `pesq` judges them. The score is the mean
over the files, from 1 to 4.6, in wideband; the time is the median over all frames, encoding alone.
"""

from __future__ import annotations

import argparse
import statistics
import sys
import time
from collections.abc import Callable
from importlib import import_module
from pathlib import Path

import numpy as np
import numpy.typing as npt
from aoba_runtime.audio import FRAME_BYTES, RATE
from aoba_runtime.audio_resample import Resampler
from aoba_runtime.audio_wav import FileSource
from aoba_runtime.rtc_codec import OpusDecoder, OpusEncoder

WIDE = 16_000
"""Samples a second that PESQ listens to."""


def frames_of(path: Path) -> list[bytes]:
    """The whole frames of a sound file."""
    source = FileSource(path)
    return [frame for frame in iter(source.read, None) if len(frame) == FRAME_BYTES]


def wide(pcm: bytes) -> npt.NDArray[np.int16]:
    """Samples as PESQ takes them."""
    resampler = Resampler(RATE, WIDE)
    return np.frombuffer(resampler.feed(pcm) + resampler.flush(), dtype="<i2")


def main() -> None:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("files", type=Path, nargs="+", metavar="FILE")
    parser.add_argument("--bitrate", type=int, nargs="+", default=[32_000])
    parser.add_argument("--complexity", type=int, nargs="+", default=[0, 1, 3, 5, 7, 10])
    chosen = parser.parse_args()
    try:
        score: Callable[..., float] = import_module("pesq").pesq
    except ModuleNotFoundError:
        sys.exit("this needs the package pesq: pip install pesq")
    print("| bit/s | complexity | PESQ | least | us a frame |\n|---|---|---|---|---|")
    for bitrate in chosen.bitrate:
        for complexity in chosen.complexity:
            scores, took = [], []
            for path in chosen.files:
                frames = frames_of(path)
                encoder, decoder, heard = OpusEncoder(bitrate, complexity), OpusDecoder(), b""
                for frame in frames:
                    began = time.perf_counter()
                    packet = encoder.encode(frame)
                    took.append(time.perf_counter() - began)
                    heard += decoder.decode(packet) or b""
                scores.append(score(WIDE, wide(b"".join(frames)), wide(heard), "wb"))
            mean, least = statistics.mean(scores), min(scores)
            median = 1e6 * statistics.median(took)
            print(f"| {bitrate} | {complexity} | {mean:.2f} | {least:.2f} | {median:.0f} |")


if __name__ == "__main__":
    main()
