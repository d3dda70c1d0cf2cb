"""How long a call takes to be there, beside two bare aiortc peers in one run; and whether call after call leaves anything behind.

Ours is the whole way: initiate, accept, offer, answer and candidates through the generated client, over the development server
in the same process. The bare peers hand each other their descriptions directly, so they have no signaling at all. Both go over
loopback and take turns, and times count from the caller's first step: to connected, and to the first frame of voice.
`benchmarks/media.py` tells how many calls one process holds.
"""

from __future__ import annotations

import argparse
import asyncio
import gc
import os
import platform
import statistics
import threading
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from unittest.mock import patch

from aiortc import RTCConfiguration, RTCPeerConnection
from aiortc.mediastreams import AudioStreamTrack, MediaStreamTrack
from aoba_voice_call_signaling import AobaVoiceCallSignalingClient
from media import resident

from aoba_runtime import devserver, xmpp
from aoba_runtime.audio import Voice
from aoba_runtime.audio_tones import Tone
from aoba_runtime.phone import Phone
from aoba_runtime.phone_events import CallEvent, Connected, FirstAudio
from aoba_runtime.rtc import RtcMedia, RtcOptions

LOOPBACK = "127.0.0.1"


@dataclass(frozen=True)
class SetUp:
    """Seconds from the caller's first step."""

    connected: float
    first_audio: float


@asynccontextmanager
async def phones() -> AsyncIterator[tuple[Phone, Phone]]:
    """Two phones on a development server; the second one accepts every call."""
    media = RtcMedia(RtcOptions(local_addresses=(LOOPBACK,)), lambda _: Voice(Tone(440)))
    async with (
        devserver.serve(port=0) as server,
        xmpp.connect(server.url, server.token("alice")) as near,
        xmpp.connect(server.url, server.token("bob")) as far,
        AobaVoiceCallSignalingClient(near) as alice,
        AobaVoiceCallSignalingClient(far) as bob,
        Phone(alice, media) as caller,
        Phone(bob, media) as callee,
    ):

        async def answer() -> None:
            async for incoming in callee:
                incoming.accept()

        answering = asyncio.create_task(answer())
        try:
            yield caller, callee
        finally:
            answering.cancel()


async def our_call(phone: Phone) -> SetUp:
    """One call of ours."""
    times: dict[type[CallEvent], float] = {}
    heard = asyncio.Event()
    begun = time.perf_counter()
    async with await phone.dial("bob@localhost") as call:

        def note(event: CallEvent) -> None:
            if isinstance(event, Connected | FirstAudio):
                times.setdefault(type(event), time.perf_counter() - begun)
            if len(times) == 2:
                heard.set()

        call.on_event(note)
        await asyncio.wait_for(heard.wait(), 20)
    await call.ended
    return SetUp(times[Connected], times[FirstAudio])


async def bare_call() -> SetUp:
    """One call of two bare peers, which say their names to each other by hand."""
    caller, callee = (RTCPeerConnection(RTCConfiguration(iceServers=[])) for _ in range(2))
    connected, heard = asyncio.Event(), asyncio.Event()
    for peer in (caller, callee):
        peer.addTrack(AudioStreamTrack())
    tracks: list[asyncio.Task[None]] = []

    async def listen(track: MediaStreamTrack, first: asyncio.Event) -> None:
        await track.recv()
        first.set()

    caller.on("track", lambda track: tracks.append(asyncio.create_task(listen(track, heard))))
    callee.on(
        "track", lambda track: tracks.append(asyncio.create_task(listen(track, asyncio.Event())))
    )

    def changed() -> None:
        if caller.connectionState == "connected":
            connected.set()

    caller.on("connectionstatechange", changed)
    begun = time.perf_counter()
    await caller.setLocalDescription(await caller.createOffer())
    await callee.setRemoteDescription(caller.localDescription)
    await callee.setLocalDescription(await callee.createAnswer())
    await caller.setRemoteDescription(callee.localDescription)
    await asyncio.wait_for(connected.wait(), 20)
    to_connected = time.perf_counter() - begun
    await asyncio.wait_for(heard.wait(), 20)
    to_audio = time.perf_counter() - begun
    for peer in (caller, callee):
        await peer.close()
    await asyncio.gather(*tracks, return_exceptions=True)
    return SetUp(to_connected, to_audio)


async def set_up(calls: int) -> None:
    """Print the table of both, which take turns; one call of each comes first, not counted."""
    ours: list[SetUp] = []
    bare: list[SetUp] = []
    async with phones() as (caller, _):
        for _ in range(calls + 1):
            ours.append(await our_call(caller))
            # Bare aioice leaves loopback out, and the two must be compared over the same path.
            with patch("aioice.ice.get_host_addresses", return_value=[LOOPBACK]):
                bare.append(await bare_call())
    print(
        "| to | ours p50 ms | max | bare p50 ms | max | ratio of p50 |\n|---|---|---|---|---|---|"
    )
    for name in ("connected", "first_audio"):
        mine, theirs = ([getattr(one, name) * 1000 for one in each[1:]] for each in (ours, bare))
        middle, other = statistics.median(mine), statistics.median(theirs)
        print(
            f"| {name.replace('_', ' ')} | {middle:.0f} | {max(mine):.0f} | {other:.0f} | {max(theirs):.0f} | {middle / other:.2f} |"
        )


async def one_after_another(calls: int) -> None:
    """Print what the process holds after each tenth of so many calls."""
    print("\n| calls | RSS MB | threads | files | tasks |\n|---|---|---|---|---|")
    async with phones() as (caller, _):
        begun = time.perf_counter()
        for number in range(1, calls + 1):
            await our_call(caller)
            # Somebody who calls more often than ten times a second is refused as a flood.
            await asyncio.sleep(max(0.0, begun + number / 9 - time.perf_counter()))
            if number % max(1, calls // 10) == 0:
                gc.collect()
                files = len(list(Path("/proc/self/fd").iterdir()))
                print(
                    f"| {number} | {resident():.1f} | {threading.active_count()} | {files} | {len(asyncio.all_tasks())} |",
                    flush=True,
                )


def main() -> None:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--calls", type=int, default=20, help="for the set-up times")
    parser.add_argument("--sequence", type=int, default=500, help="calls one after another")
    chosen = parser.parse_args()
    print(
        f"aiortc {version('aiortc')}, Python {platform.python_version()}, {os.cpu_count()} cores\n"
    )
    asyncio.run(set_up(chosen.calls))
    if chosen.sequence:
        asyncio.run(one_after_another(chosen.sequence))


if __name__ == "__main__":
    main()
