"""A bot that plays a sound file to everybody who calls, and hangs up.

PYTHONPATH=generated AOBA_TOKEN=$(aoba-call token news) python examples/announcement_bot.py FILE [URL]
"""

import asyncio
import os
import sys

from aoba_runtime import xmpp
from aoba_runtime.audio import Voice
from aoba_runtime.audio_wav import FileSource
from aoba_runtime.phone import CallEnded, Phone, VoiceCall
from aoba_runtime.rtc import RtcMedia, RtcOptions, addresses_for
from aoba_voice_call_signaling import AobaVoiceCallSignalingClient


async def announce(call: VoiceCall, voice: Voice, file: str) -> None:
    """Play the file once the caller can hear it."""
    call.accept()
    try:
        await call.connected()
    except CallEnded:
        return
    await voice.play(FileSource(file))  # to its end, or to the call's
    call.hangup()
    print(call.peer, *(await call.ended)[:2], flush=True)


async def main(file: str, url: str, token: str) -> None:
    """Take calls until interrupted, each in a task of its own."""
    voices: dict[str, Voice] = {}

    def voice(call_id: str) -> Voice:
        return voices.setdefault(call_id, Voice())

    media = RtcMedia(RtcOptions(local_addresses=addresses_for(url)), voice)
    async with (
        asyncio.TaskGroup() as calls,
        xmpp.connect(url, token) as transport,
        AobaVoiceCallSignalingClient(transport) as client,
        Phone(client, media, max_calls=10) as phone,
    ):
        print("ready as", transport.jid, flush=True)
        async for call in phone:
            calls.create_task(announce(call, voices.pop(call.id), file))


if __name__ == "__main__":
    if len(sys.argv) < 2 or "AOBA_TOKEN" not in os.environ:
        sys.exit(__doc__)
    try:
        asyncio.run(
            main(
                sys.argv[1],
                (sys.argv[2:] or ["ws://localhost:8082/xmpp"])[0],
                os.environ["AOBA_TOKEN"],
            )
        )
    except KeyboardInterrupt:
        pass
