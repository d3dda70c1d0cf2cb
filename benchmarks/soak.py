"""Connections opened and closed, and signals sent, in steps: memory, tasks and descriptors after each, which should stay flat.

Every figure is taken with nothing connected, after a garbage collection. Step 0 comes after a tenth of a step that fills the
caches. With `--server devserver` the server lives in this process and is counted too.
"""

from __future__ import annotations

import argparse
import asyncio
import gc
import itertools
import os
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

from aoba_voice_call_signaling import AobaVoiceCallSignalingClient as Client
from aoba_voice_call_signaling import models

from aoba_runtime import devserver, new_uuid, xmpp

sys.path.insert(0, str(Path(__file__).parents[1] / "tests"))
from interop.servers import prosody  # noqa: E402 (found by the line above)

AT_ONCE = 8
WINDOW = 32
RATE = 1_000_000


@dataclass(frozen=True)
class Place:
    """A running server."""

    url: str
    token: Callable[[str], str]

    def connect(self, user: str) -> xmpp.XmppTransport:
        return xmpp.connect(self.url, self.token(user), domain="localhost")


@asynccontextmanager
async def place(name: str, folder: Path) -> AsyncIterator[Place]:
    """The server of this name."""
    if name == "devserver":
        limits = devserver.Limits(rate=1_000_000.0)
        async with devserver.serve(port=0, limits=limits) as ours:
            yield Place(ours.url, ours.token)
    else:
        async with prosody(folder, rate=RATE) as server:
            yield Place(server.url, server.token)


@dataclass(frozen=True)
class Reading:
    """What this process holds."""

    memory: float
    objects: int
    tasks: int
    descriptors: int
    sockets: int


def read() -> Reading:
    """Count, now."""
    gc.collect()
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    links: list[str] = []
    for descriptor in os.listdir("/proc/self/fd"):
        try:
            links.append(os.readlink(f"/proc/self/fd/{descriptor}"))
        except FileNotFoundError:  # the one that listed them
            continue
    return Reading(
        pages * os.sysconf("SC_PAGE_SIZE") / 2**20,
        len(gc.get_objects()),
        len(asyncio.all_tasks()),
        len(links),
        sum(link.startswith("socket:") for link in links),
    )


def change(first: Reading, last: Reading) -> str:
    """What became more or less."""
    return (
        f"memory {last.memory - first.memory:+.1f} MiB, objects {last.objects - first.objects:+}, "
        f"tasks {last.tasks - first.tasks:+}, descriptors {last.descriptors - first.descriptors:+}, "
        f"sockets {last.sockets - first.sockets:+}"
    )


async def come_and_go(at: Place, count: int) -> None:
    """Open and close `count` connections, each with a generated client, a few at a time."""
    left = itertools.repeat(None, count)

    async def work(user: str) -> None:
        for _ in left:
            async with at.connect(user) as transport, Client(transport):
                pass

    async with asyncio.TaskGroup() as workers:
        for number in range(AT_ONCE):
            workers.create_task(work(f"visitor-{number}"))


async def talk(at: Place, count: int) -> None:
    """Send `count` signals over one pair of connections; every one has to arrive."""
    heard: list[int] = [0]
    numbers = iter(range(count))
    call_id = new_uuid()
    async with (
        at.connect("alice") as one,
        at.connect("bob") as other,
        Client(one) as alice,
        Client(other) as bob,
    ):

        @bob.on_call_ice_candidate
        def _take(message: models.CallIceCandidate) -> None:
            heard[0] += 1

        async def work() -> None:
            for number in numbers:
                payload = models.IceCandidatePayload(
                    candidate=f"candidate:{number} 1 udp 1 192.0.2.1 9 typ host"
                )
                message = models.CallIceCandidate(call_id=call_id, payload=payload)
                await alice.send_ice_candidate(message, to=other.jid)

        async with asyncio.TaskGroup() as workers:
            for _ in range(WINDOW):
                workers.create_task(work())
    if heard[0] != count:
        raise SystemExit(f"{count} signals were acknowledged and {heard[0]} arrived")


async def soak(name: str, connections: int, signals: int, steps: int, folder: Path) -> None:
    """Do it, and print a row for each step."""
    async with place(name, folder) as at:
        await come_and_go(at, max(1, connections // steps // 10))
        await talk(at, max(1, signals // steps // 10))
        readings = [read()]
        print("| step | connections | signals | s | RSS MiB | objects | tasks | fds | sockets |")
        print("|---|---|---|---|---|---|---|---|---|")
        begun = time.monotonic()
        for step in range(steps + 1):
            made, sent = connections * step // steps, signals * step // steps
            if step:
                await come_and_go(at, made - connections * (step - 1) // steps)
                await talk(at, sent - signals * (step - 1) // steps)
                readings.append(read())
            last = readings[-1]
            print(
                f"| {step} | {made} | {sent} | {time.monotonic() - begun:.0f} | {last.memory:.1f} | {last.objects} "
                f"| {last.tasks} | {last.descriptors} | {last.sockets} |",
                flush=True,
            )
    print()
    for since in sorted({0, steps // 2}):
        print(f"{name}, from step {since} to {steps}: {change(readings[since], readings[-1])}")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--server", choices=["devserver", "prosody"], default="prosody")
    parser.add_argument("--connections", type=int, default=2000)
    parser.add_argument("--signals", type=int, default=100_000)
    parser.add_argument("--steps", type=int, default=10)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        counts = options.connections, options.signals, options.steps
        asyncio.run(soak(options.server, *counts, Path(folder)))


if __name__ == "__main__":
    main()
