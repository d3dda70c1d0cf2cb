"""Opus by libopus: one encoder and one decoder of 20 ms mono frames, and what is played instead of a lost one.

aiortc's encoder makes stereo at 96 kbit/s and sends mono at -3 dB; this one keeps the level, costs half and adds what
a receiver needs to mend a loss (in-band FEC, RFC 6716 section 2.1.7). DTX stays off: it suppresses steady tones.
"""

from __future__ import annotations

import av
import numpy as np
from av.audio.codeccontext import AudioCodecContext
from av.error import FFmpegError

from .audio import FRAME, FRAME_BYTES, RATE, SILENCE


class OpusEncoder:
    """Frames to packets of `bitrate` bits a second; `complexity` 0..10."""

    def __init__(self, bitrate: int, complexity: int) -> None:
        codec = av.CodecContext.create("libopus", "w")
        assert isinstance(codec, AudioCodecContext)
        codec.bit_rate = bitrate
        codec.format = "s16"
        codec.layout = "mono"
        codec.sample_rate = RATE
        codec.options = {
            "application": "voip",
            "compression_level": str(complexity),
            "fec": "1",
            "packet_loss": "10",
            "dtx": "0",
        }
        self._codec = codec

    def encode(self, frame: bytes) -> bytes:
        """The packet of the next frame."""
        raw = av.AudioFrame(format="s16", layout="mono", samples=FRAME)
        raw.sample_rate = RATE
        raw.planes[0].update(frame)
        (packet,) = self._codec.encode(raw)
        return bytes(packet)


class OpusDecoder:
    """Packets of any length, mono or stereo, to mono samples."""

    def __init__(self) -> None:
        codec = av.CodecContext.create("libopus", "r")
        assert isinstance(codec, AudioCodecContext)
        codec.format = "s16"
        codec.layout = "mono"
        codec.sample_rate = RATE
        self._codec = codec

    def decode(self, payload: bytes) -> bytes | None:
        """Samples as in a frame, any number of them; `None` when the payload is not Opus."""
        if not payload:  # to FFmpeg this would be the end of the stream
            return None
        try:
            frames = self._codec.decode(av.Packet(payload))
        except FFmpegError:
            return None
        return b"".join([bytes(one.planes[0])[: 2 * one.samples] for one in frames]) or None


def faded(frame: bytes) -> bytes:
    """What is heard in the place of a lost frame: the one before at half its level."""
    if frame is SILENCE or len(frame) != FRAME_BYTES:
        return SILENCE
    return (np.frombuffer(frame, dtype="<i2") >> 1).astype("<i2").tobytes()
