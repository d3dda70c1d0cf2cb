"""A bot that takes every call and says what it hears.

    PYTHONPATH=generated AOBA_TOKEN=$(aoba-call token echo) python examples/echo_bot.py [URL]

Then call it: `AOBA_TOKEN=$(aoba-call token alice) aoba-call dial echo`.
"""

import asyncio
import os
import sys

from aoba_runtime import xmpp
from aoba_runtime.audio import Voice
from aoba_runtime.audio_tones import Echo
from aoba_runtime.phone import Phone
from aoba_runtime.rtc import RtcMedia, RtcOptions, addresses_for
from aoba_voice_call_signaling import AobaVoiceCallSignalingClient


def voice(call_id: str) -> Voice:
    """What is said in a call is what is heard in it."""
    echo = Echo()
    return Voice(echo, echo)


async def main(url: str, token: str) -> None:
    """Take calls until interrupted; leaving the block hangs up what is still up."""
    media = RtcMedia(RtcOptions(local_addresses=addresses_for(url)), voice)
    async with (
        xmpp.connect(url, token) as transport,
        AobaVoiceCallSignalingClient(transport) as client,
        Phone(client, media, max_calls=10) as phone,
    ):
        print("ready as", transport.jid, flush=True)
        async for call in phone:
            print(call.peer, "calls", flush=True)
            call.accept()


if __name__ == "__main__":
    if "AOBA_TOKEN" not in os.environ:
        sys.exit(__doc__)
    try:
        asyncio.run(
            main((sys.argv[1:] or ["ws://localhost:8082/xmpp"])[0], os.environ["AOBA_TOKEN"])
        )
    except KeyboardInterrupt:
        pass
