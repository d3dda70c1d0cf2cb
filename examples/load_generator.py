"""Calls somebody again and again, several times at once, and says how long calls take to be there.

export PYTHONPATH=generated AOBA_TOKEN=$(aoba-call token load)
python examples/load_generator.py echo@localhost --calls 100 --at-once 10
"""

import argparse
import asyncio
import os
import sys
from collections import Counter
from statistics import quantiles

from aoba_runtime import xmpp
from aoba_runtime.audio import Voice
from aoba_runtime.audio_tones import Tone
from aoba_runtime.links import LinkError
from aoba_runtime.phone import CallEnded, Phone
from aoba_runtime.phone_events import CallEvent, Connected, EndReason, FirstAudio
from aoba_runtime.rtc import RtcMedia, RtcOptions, addresses_for
from aoba_voice_call_signaling import AobaVoiceCallSignalingClient


class Load:
    """What came of the calls so far."""

    def __init__(self, phone: Phone, peer: str, seconds: float) -> None:
        self.ended: Counter[str] = Counter()
        self.connected: list[float] = []
        self.first_audio: list[float] = []
        self._phone = phone
        self._peer = peer
        self._seconds = seconds

    async def one(self) -> None:
        """Call, talk for a while, hang up."""
        async with await self._phone.dial(self._peer) as call:
            call.on_event(self._note)
            try:
                await call.connected()
                await asyncio.wait({call.ended}, timeout=self._seconds)
            except CallEnded:
                pass
        ended = await call.ended
        self.ended[f"{ended.reason}: {ended.why}" if ended.why else ended.reason] += 1

    def _note(self, event: CallEvent) -> None:
        match event:
            case Connected(setup=setup):
                self.connected.append(setup)
            case FirstAudio(setup=setup):
                self.first_audio.append(setup)


def shown(name: str, seconds: list[float]) -> str:
    """The median, the 95th percentile and the longest of times, in milliseconds."""
    if len(seconds) < 2:
        return f"{name:<12} too few"
    parts = quantiles(seconds, n=100, method="inclusive")
    return f"{name:<12} p50 {parts[49] * 1000:.0f}  p95 {parts[94] * 1000:.0f}  max {max(seconds) * 1000:.0f} ms"


async def main(peer: str, url: str, token: str, calls: int, at_once: int, seconds: float) -> bool:
    """Keep `at_once` calls up until `calls` are over; whether all of them were completed."""
    media = RtcMedia(RtcOptions(local_addresses=addresses_for(url)), lambda _: Voice(Tone(440)))
    async with (
        xmpp.connect(url, token) as transport,
        AobaVoiceCallSignalingClient(transport) as client,
        Phone(client, media, max_calls=at_once) as phone,
    ):
        load = Load(phone, peer, seconds)
        left = iter(range(calls))

        async def work() -> None:
            for _ in left:
                await load.one()

        await asyncio.gather(*(work() for _ in range(at_once)))
    for how, count in load.ended.most_common():
        print(count, how)
    print(shown("connected", load.connected))
    print(shown("first audio", load.first_audio))
    return load.ended[EndReason.COMPLETED] == calls


def number(text: str) -> int:
    """A count of calls."""
    if (count := int(text)) < 1:
        raise argparse.ArgumentTypeError(f"{count} is too few; 1 is the least")
    return count


if __name__ == "__main__":
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("peer", help="whom to call: echo@localhost")
    parser.add_argument("--url", default="ws://localhost:8082/xmpp")
    parser.add_argument("--calls", type=number, default=20)
    parser.add_argument("--at-once", type=number, default=4)
    parser.add_argument("--seconds", type=float, default=2.0, help="how long each call talks")
    given = parser.parse_args()
    if not (token := os.environ.get("AOBA_TOKEN", "")):
        parser.error("there is no token in AOBA_TOKEN; aoba-call token load prints one")
    try:
        fine = asyncio.run(
            main(given.peer, given.url, token, given.calls, given.at_once, given.seconds)
        )
    except (LinkError, ValueError) as error:  # no connection, or no URL
        sys.exit(f"{parser.prog}: {error}")
    except KeyboardInterrupt:
        sys.exit(1)
    sys.exit(not fine)
