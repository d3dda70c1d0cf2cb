"""What is said and heard in the calls of `aoba-call`: the media, and for each call its sources and sinks."""

from __future__ import annotations

import logging
from pathlib import Path
from typing import Final, TypeVar

from .audio import AudioError, Sink, Source, Voice
from .audio_devices import Microphone, Speaker
from .audio_tones import Echo, Tone
from .audio_wav import CallRecorder, FileSource
from .cli_options import Options
from .phone import VoiceCall
from .rtc import IceServer, RtcMedia, RtcOptions, RtcSession, addresses_for

D = TypeVar("D")

log: Final = logging.getLogger("aoba_runtime.cli")


def media_of(options: Options) -> RtcMedia:
    """The media that the options ask for; `ValueError` for what cannot be."""
    servers = tuple(
        IceServer(
            url,
            None if url.startswith("stun:") else options.turn_user,
            None if url.startswith("stun:") else options.turn_password,
        )
        for url in options.ice_servers
    )
    if options.turn_user is not None and all(one.scheme == "stun" for one in servers):
        raise ValueError("--turn-user is for a TURN server, and no --ice-server is one")
    addresses = options.local_addresses or addresses_for(options.url)
    return RtcMedia(
        RtcOptions(ice_servers=servers, relay_only=options.relay_only, local_addresses=addresses)
    )


class Sound:
    """Gives each call its voice at the moment that it connects: nothing is recorded, and no microphone open, before."""

    def __init__(self, options: Options) -> None:
        """Raises `AudioError` for a file that cannot be played or written."""
        self._options = options
        self._count = 0
        if options.play is not None:
            if options.play.exists() and not options.play.is_file():
                raise AudioError(f"{options.play}: each call reads it anew; it must be a file")
            FileSource(options.play).close()
        if options.record is not None and self._is_played(options.record):
            raise AudioError(f"{options.record}: --record would overwrite what --play says")
        if options.record is not None and not options.record.resolve().parent.is_dir():
            raise AudioError(f"{options.record}: there is no such folder")

    def begin(self, call: VoiceCall) -> None:
        """Let the call be heard and recorded."""
        session = call.session
        assert isinstance(session, RtcSession)
        self._count += 1
        source, sinks = self._ends()
        session.voice.source = source
        for sink in sinks:
            session.voice.attach(sink)
        if self._options.record is not None:
            self._record(session.voice, self._options.record)

    def _ends(self) -> tuple[Source | None, list[Sink]]:
        match self._options.sound:
            case "tone":
                return Tone(self._options.tone), []
            case "play":
                assert self._options.play is not None
                try:
                    return FileSource(self._options.play), []
                except AudioError as error:  # it was there when we began
                    log.warning("%s; silence is sent instead", error)
                    return None, []
            case "echo":
                echo = Echo()
                return echo, [echo]
            case "silence":
                return None, []
        lacks: dict[str, list[str]] = {}
        microphone, speaker = _opened(Microphone, lacks), _opened(Speaker, lacks)
        for reason, names in lacks.items():
            log.warning("%s; going on without %s", reason, " and ".join(names))
        return microphone, [] if speaker is None else [speaker]

    def _record(self, voice: Voice, path: Path) -> None:
        if self._count > 1 and not path.is_char_device():  # /dev/null takes them all
            path = path.with_stem(f"{path.stem}-{self._count}")
        try:
            if self._is_played(path):
                raise AudioError(f"{path}: it is what --play says")
            recorder = CallRecorder(path)
        except AudioError as error:
            log.warning("%s; the call is not recorded", error)
            return
        voice.attach(recorder.local, local=True)
        voice.attach(recorder.remote)

    def _is_played(self, path: Path) -> bool:
        play = self._options.play
        return play is not None and path.exists() and play.exists() and path.samefile(play)


def _opened(device: type[D], lacks: dict[str, list[str]]) -> D | None:
    """The device, or `None`, and its name is noted in `lacks` by the reason."""
    try:
        return device()
    except AudioError as error:
        lacks.setdefault(str(error), []).append(device.__name__.lower())
        return None
