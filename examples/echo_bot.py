"""A bot that takes every call and says what it hears.

    PYTHONPATH=generated AOBA_TOKEN=$(aoba-call token echo) python examples/echo_bot.py [URL]

Then call it: `AOBA_TOKEN=$(aoba-call token alice) aoba-call dial echo`.
"""

import argparse
import asyncio
import os
import signal
import sys

from aoba_runtime import xmpp
from aoba_runtime.audio import Voice
from aoba_runtime.audio_tones import Echo
from aoba_runtime.links import LinkError
from aoba_runtime.phone import Phone, VoiceCall
from aoba_runtime.rtc import RtcMedia, RtcOptions, addresses_for
from aoba_voice_call_signaling import AobaVoiceCallSignalingClient


def voice(call_id: str) -> Voice:
    """What is said in a call is what is heard in it."""
    echo = Echo()
    return Voice(echo, echo)


async def main(url: str, token: str) -> None:
    """Take calls until stopped, or the connection is lost; leaving the block hangs up what is still up."""
    media = RtcMedia(RtcOptions(local_addresses=addresses_for(url)), voice)
    async with (
        xmpp.connect(url, token) as transport,
        AobaVoiceCallSignalingClient(transport) as client,
        Phone(client, media, max_calls=10) as phone,
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
            print(call.peer, "calls", flush=True)
            if not call.is_over:  # the caller may have thought better of it
                call.accept()

        print("ready as", transport.jid, flush=True)
        await lost


if __name__ == "__main__":
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("url", nargs="?", default="ws://localhost:8082/xmpp")
    given = parser.parse_args()
    if not (token := os.environ.get("AOBA_TOKEN", "")):
        parser.error("there is no token in AOBA_TOKEN; aoba-call token echo prints one")
    try:
        asyncio.run(main(given.url, token))
    except (LinkError, ValueError) as error:  # no connection, or no URL
        sys.exit(f"{parser.prog}: {error}")
    except (KeyboardInterrupt, asyncio.CancelledError):  # Ctrl-C, SIGTERM
        pass
