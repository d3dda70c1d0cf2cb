"""Microphone and speaker through PortAudio (the extra `audio`). There is no echo cancellation: use a headset."""

from __future__ import annotations

from collections import deque
from typing import Final, Protocol, cast

from .audio import FRAME, RATE, SILENCE, AudioError

DEEPEST: Final = 10
"""Frames (200 ms) between the device's thread and the call; more would only be delay."""
AHEAD: Final = 3
"""Frames that wait before the speaker begins, so that a late one is not heard."""


class _Stream(Protocol):
    def start(self) -> None: ...

    def close(self) -> None: ...


def _open(kind: str, device: int | str | None, callback: object) -> _Stream:
    """`kind` is the class of sounddevice; raises `AudioError` with what to install or choose."""
    try:
        import sounddevice  # type: ignore[import-untyped]  # it has no types
    except ImportError:
        raise AudioError(
            "microphone and speaker need the extra audio: pip install 'aoba-runtime[audio]'"
        ) from None
    except OSError:
        raise AudioError(
            "microphone and speaker need PortAudio: install the system package libportaudio2"
            " (Debian, Ubuntu), portaudio (Fedora, Arch, Homebrew)"
        ) from None
    make = getattr(sounddevice, kind)
    try:
        stream = make(
            samplerate=RATE,
            channels=1,
            dtype="int16",
            blocksize=FRAME,
            device=device,
            callback=callback,
        )
        stream.start()
    except (sounddevice.PortAudioError, ValueError) as error:
        name = "the default device" if device is None else repr(device)
        raise AudioError(
            f"{name} cannot be opened: {error}; `python -m sounddevice` lists the devices"
        ) from None
    return cast(_Stream, stream)


class Microphone:
    """Says what the microphone hears; `device` as sounddevice names it, by number or a part of its name."""

    def __init__(self, device: int | str | None = None) -> None:
        self._frames: deque[bytes] = deque(maxlen=DEEPEST)
        self._stream = _open("RawInputStream", device, self._record)

    def read(self) -> bytes:
        """What was heard last, or silence."""
        return self._frames.popleft() if self._frames else SILENCE

    def close(self) -> None:
        """Let go of the device."""
        self._stream.close()

    def _record(self, data: memoryview, frames: int, when: object, status: object) -> None:
        """Called by PortAudio in its thread."""
        self._frames.append(bytes(data))


class Speaker:
    """Plays what it hears; `device` as sounddevice names it, by number or a part of its name."""

    def __init__(self, device: int | str | None = None) -> None:
        self._frames: deque[bytes] = deque(maxlen=DEEPEST)
        self._playing = False
        self._stream = _open("RawOutputStream", device, self._play)

    def write(self, frame: bytes) -> None:
        """Play it after what waits; the oldest is dropped when the device is too slow."""
        self._frames.append(frame)

    def close(self) -> None:
        """Let go of the device."""
        self._stream.close()

    def _play(self, data: memoryview, frames: int, when: object, status: object) -> None:
        """Called by PortAudio in its thread."""
        self._playing = len(self._frames) >= (1 if self._playing else AHEAD)
        frame = self._frames.popleft() if self._playing else SILENCE
        data[:] = frame[: len(data)].ljust(len(data), b"\0")
