"""How many call ends one process holds, ours against stock aiortc in one run: CPU, memory, frames a second, lateness.

Both ends of each call are in one process, over loopback. A load is held when 99 of 100 frames are less than 30 ms late
and an end hears at least 49 real frames a second, on average over all; concealed ones do not count. Each load is a fresh
process; stock and ours take turns, so that whatever else the machine does hits both. Both are as they come: stock encodes
two channels at 96 kbit/s with Opus's complexity 10, in threads; ours one at 32 kbit/s, in the event loop.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import platform
import subprocess
import sys
import time
from dataclasses import asdict, dataclass
from importlib.metadata import version
from itertools import cycle
from pathlib import Path

import aioice.ice
import av
import numpy as np
from aiortc import RTCConfiguration, RTCPeerConnection, RTCRtpSender
from aiortc.mediastreams import MediaStreamError, MediaStreamTrack
from aiortc.rtp import is_rtcp
from aoba_runtime.audio import FRAME, FRAME_SECONDS, RATE, Voice
from aoba_runtime.rtc import RtcMedia, RtcOptions, RtcSession

LATEST = 0.030
FEWEST = 49.0


@dataclass(frozen=True)
class Load:
    """What one process did with so many call ends; `cpu` of one core and `memory` in MB, both for each end."""

    ends: int
    cpu: float
    memory: float
    frames: float
    lateness: float

    @property
    def held(self) -> bool:
        """Whether a listener would be content."""
        return self.lateness < LATEST and self.frames >= FEWEST


def voice() -> list[bytes]:
    """A second of something as hard to encode as a voice: noise that swells four times, around a tone."""
    time_axis = np.arange(RATE) / RATE
    swell = 0.5 - 0.5 * np.cos(2 * np.pi * 4 * time_axis)
    noise = np.random.default_rng(1).normal(0, 2000, RATE)
    pcm = (swell * (noise + 6000 * np.sin(2 * np.pi * 220 * time_axis))).astype("<i2")
    return [pcm[at : at + FRAME].tobytes() for at in range(0, RATE, FRAME)]


class Talk:
    """Our source."""

    def __init__(self, frames: list[bytes]) -> None:
        self._frames = cycle(frames)

    def read(self) -> bytes:
        return next(self._frames)

    def close(self) -> None:
        """Nothing to let go of."""


class StockTalk(MediaStreamTrack):
    """Stock aiortc's source: paced as its own AudioStreamTrack is."""

    kind = "audio"

    def __init__(self, frames: list[bytes]) -> None:
        super().__init__()
        self._frames = cycle(frames)
        self._count = 0
        self.start = 0.0

    async def recv(self) -> av.AudioFrame:
        if not self._count:
            self.start = time.time()
        due = self.start + self._count * FRAME_SECONDS
        await asyncio.sleep(max(0.0, due - time.time()))
        frame = av.AudioFrame(format="s16", layout="mono", samples=FRAME)
        frame.planes[0].update(next(self._frames))
        frame.sample_rate = RATE
        frame.pts = self._count * FRAME
        self._count += 1
        return frame


class Ours:
    """Calls of this runtime."""

    def __init__(self, complexity: int | None) -> None:
        self._sessions: list[RtcSession] = []
        self._frames = voice()
        options = RtcOptions(local_addresses=("127.0.0.1",), complexity=complexity)
        self._media = RtcMedia(options, lambda call_id: Voice(Talk(self._frames)))
        self.lateness: list[list[float]] = []
        """How late each frame was sent, by end."""

    async def call(self) -> None:
        told = asyncio.Semaphore(0)
        caller, callee = (self._media.session(name, lambda event: told.release()) for name in "ab")
        for session in (caller, callee):
            self._sessions.append(session)
            self._watch(session)
        await caller.accept_answer(await callee.answer(await caller.offer()))
        for _ in range(8):  # two candidates, connected and first audio at each end
            await told.acquire()

    def _watch(self, session: RtcSession) -> None:
        send, clock, lateness = session._outgoing.send, session._clock, list[float]()
        self.lateness.append(lateness)

        def watched(payload: bytes, timestamp: int) -> None:
            lateness.append(time.monotonic() - clock._start - timestamp / RATE)
            send(payload, timestamp)

        setattr(session._outgoing, "send", watched)

    def heard(self) -> int:
        """Frames that were decoded and played in their turn."""
        return sum(
            one._playout.arrivals.received
            - one._playout._buffer.late
            - one._playout._buffer.skipped
            for one in self._sessions
        )

    async def aclose(self) -> None:
        for session in self._sessions:
            await session.aclose()


class Stock:
    """Calls of two bare aiortc peers."""

    def __init__(self) -> None:
        # It leaves loopback out, and the two must be compared over the same path.
        setattr(aioice.ice, "get_host_addresses", lambda use_ipv4, use_ipv6: ["127.0.0.1"])
        self._peers: list[RTCPeerConnection] = []
        self._listeners: list[asyncio.Task[None]] = []
        self._frames = voice()
        self._heard = 0
        self.lateness: list[list[float]] = []
        """How late each frame was sent, by end."""

    async def call(self) -> None:
        first = asyncio.Semaphore(0)
        peers = [RTCPeerConnection(RTCConfiguration(iceServers=[])) for _ in range(2)]
        self._peers += peers
        for peer in peers:
            talk = StockTalk(self._frames)
            self._watch(talk, peer.addTrack(talk))

            def listen(track: MediaStreamTrack) -> None:
                self._listeners.append(asyncio.create_task(self._listen(track, first)))

            peer.on("track", listen)
        caller, callee = peers
        await caller.setLocalDescription(await caller.createOffer())
        await callee.setRemoteDescription(caller.localDescription)
        await callee.setLocalDescription(await callee.createAnswer())
        await caller.setRemoteDescription(callee.localDescription)
        await first.acquire()
        await first.acquire()

    def _watch(self, talk: StockTalk, sender: RTCRtpSender) -> None:
        transport, lateness = sender.transport, list[float]()
        send, origin = transport._send_rtp, None
        self.lateness.append(lateness)

        async def watched(data: bytes) -> None:
            nonlocal origin
            if not is_rtcp(data):
                timestamp = int.from_bytes(data[4:8], "big")
                origin = timestamp if origin is None else origin
                past = (timestamp - origin & 0xFFFFFFFF) / RATE
                lateness.append(time.time() - talk.start - past)
            await send(data)

        setattr(transport, "_send_rtp", watched)

    async def _listen(self, track: MediaStreamTrack, first: asyncio.Semaphore) -> None:
        begun = False
        try:
            while True:
                await track.recv()
                self._heard += 1
                if not begun:
                    begun = True
                    first.release()
        except MediaStreamError:
            pass

    def heard(self) -> int:
        """Frames that came out of the tracks."""
        return self._heard

    async def aclose(self) -> None:
        for peer in self._peers:
            await peer.close()
        await asyncio.gather(*self._listeners)


def resident() -> float:
    """Resident memory of this process in MB."""
    return int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGESIZE") / 1e6


async def hold(kind: str, ends: int, seconds: float, complexity: int | None) -> Load:
    """Hold so many call ends for so long, after two seconds to settle."""
    side: Ours | Stock = Ours(complexity) if kind == "ours" else Stock()
    await side.call()  # what is loaded once for all is loaded now
    before = resident()
    for _ in range(ends // 2 - 1):
        await side.call()
    await asyncio.sleep(2)
    for lateness in side.lateness:
        lateness.clear()
    heard, cpu, began = side.heard(), time.process_time(), time.perf_counter()
    await asyncio.sleep(seconds)
    took = time.perf_counter() - began
    cpu = (time.process_time() - cpu) / took / ends
    frames = (side.heard() - heard) / took / ends
    memory = (resident() - before) / max(1, ends - 2)
    late = sorted(late for lateness in side.lateness for late in lateness)
    load = Load(ends, cpu, memory, frames, late[int(0.99 * len(late))])
    await side.aclose()
    return load


def measure(kind: str, ends: int, seconds: float, complexity: int | None) -> Load:
    """`hold` in a process of its own."""
    command = [sys.executable, __file__, "--hold", kind, str(ends), "--seconds", str(seconds)]
    command += [] if complexity is None else ["--complexity", str(complexity)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=300)
    if done.returncode:
        sys.exit(done.stderr)
    return Load(**json.loads(done.stdout.splitlines()[-1]))


def climb(step: int, seconds: float, tries: int, complexity: int | None) -> dict[str, list[Load]]:
    """Ever more ends, for each side until it holds them in none of so many tries."""
    found: dict[str, list[Load]] = {"stock": [], "ours": []}
    climbing = set(found)
    for ends in range(step, 40 * step, step):
        for kind in sorted(climbing, reverse=True):
            load = measure(kind, ends, seconds, complexity)
            for _ in range(tries - 1):  # the machine may have been busy with something else
                if not load.held:
                    load = min(
                        load, measure(kind, ends, seconds, complexity), key=lambda one: one.lateness
                    )
            found[kind].append(load)
            print(
                f"{kind:6} {ends:4} ends {100 * load.cpu:5.1f} % {load.memory:6.2f} MB"
                f" {load.frames:5.1f} frames/s  p99 {1000 * load.lateness:6.1f} ms"
                f"  {'held' if load.held else 'not held'}",
                flush=True,
            )
            if not load.held:
                climbing.discard(kind)
        if not climbing:
            break
    return found


def main() -> None:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=8.0)
    parser.add_argument("--step", type=int, default=4, help="call ends more at each load")
    parser.add_argument("--tries", type=int, default=2, help="for a load that is not held")
    parser.add_argument(
        "--complexity", type=int, help="of our Opus; without it, as RtcMedia chooses"
    )
    parser.add_argument("--hold", nargs=2, metavar=("KIND", "ENDS"), help=argparse.SUPPRESS)
    chosen = parser.parse_args()
    if chosen.hold:
        kind, ends = chosen.hold
        load = asyncio.run(hold(kind, int(ends), chosen.seconds, chosen.complexity))
        print(json.dumps(asdict(load)))
        return
    print(f"aiortc {version('aiortc')}, Python {platform.python_version()}, {os.cpu_count()} cores")
    found = climb(chosen.step, chosen.seconds, chosen.tries, chosen.complexity)
    best = {
        kind: max((load.ends for load in loads if load.held), default=0)
        for kind, loads in found.items()
    }
    ratio = best["ours"] / best["stock"] if best["stock"] else float("inf")
    print(f"held: stock {best['stock']} ends, ours {best['ours']} ends, {ratio:.1f} times as many")


if __name__ == "__main__":
    main()
