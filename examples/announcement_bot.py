"""A bot that plays a sound file to everybody who calls, and hangs up.

PYTHONPATH=generated AOBA_TOKEN=$(aoba-call token news) python examples/announcement_bot.py FILE [URL]
"""

import argparse
import asyncio
import os
import signal
import sys

from aoba_runtime import xmpp
from aoba_runtime.audio import AudioError, Voice
from aoba_runtime.audio_wav import FileSource
from aoba_runtime.links import LinkError
from aoba_runtime.phone import CallEnded, Phone, VoiceCall
from aoba_runtime.rtc import RtcMedia, RtcOptions, addresses_for
from aoba_voice_call_signaling import AobaVoiceCallSignalingClient


async def announce(call: VoiceCall, voice: Voice, file: str) -> None:
    """Play the file once the caller can hear it."""
    try:
        await call.connected()
        await voice.play(FileSource(file))  # to its end, or to the call's
    except CallEnded:
        return
    except AudioError as error:  # it has gone since the bot was started
        print(error, file=sys.stderr, flush=True)
    call.hangup()
    print(call.peer, *(await call.ended)[:2], flush=True)


async def main(file: str, url: str, token: str) -> None:
    """Take calls until stopped, or the connection is lost; each in a task of its own."""
    voices: dict[str, Voice] = {}

    def voice(call_id: str) -> Voice:
        return voices.setdefault(call_id, Voice())

    FileSource(file).close()  # one that cannot be played is told of before anybody calls
    media = RtcMedia(RtcOptions(local_addresses=addresses_for(url)), voice)
    async with (
        xmpp.connect(url, token) as transport,
        AobaVoiceCallSignalingClient(transport) as client,
        Phone(client, media, max_calls=10) as phone,
        asyncio.TaskGroup() as calls,
    ):
        loop = asyncio.get_running_loop()
        lost = loop.create_future()
        loop.add_signal_handler(signal.SIGTERM, lost.cancel)

        @phone.on_link
        def link(event: object) -> None:
            if isinstance(event, xmpp.Lost):
                lost.set_exception(event.error)

        @phone.on_incoming
        def take(call: VoiceCall) -> None:
            voice = voices.pop(call.id)
            if not call.is_over:  # the caller may have thought better of it
                call.accept()
                calls.create_task(announce(call, voice, file))

        print("ready as", transport.jid, flush=True)
        await asyncio.wait([lost])
        if lost.cancelled():
            await phone.aclose()  # else the calls that are up are heard to their end
    lost.result()  # raises what ended the connection


if __name__ == "__main__":
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("file", help="WAV, or anything else that FFmpeg reads")
    parser.add_argument("url", nargs="?", default="ws://localhost:8082/xmpp")
    given = parser.parse_args()
    if not (token := os.environ.get("AOBA_TOKEN", "")):
        parser.error("there is no token in AOBA_TOKEN; aoba-call token news prints one")
    try:
        asyncio.run(main(given.file, given.url, token))
    except (AudioError, LinkError, ValueError) as error:  # no sound, no connection, or no URL
        sys.exit(f"{parser.prog}: {error}")
    except (KeyboardInterrupt, asyncio.CancelledError):  # Ctrl-C, SIGTERM
        pass
