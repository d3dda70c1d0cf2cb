"""Signals over one Prosody: the generated client and its transport against plain websockets, in one process and one run.

Both ends of every pair run here, on one event loop; a signal is counted when its answer is back. The raw client is the least
that can hold a conversation: `json`, ElementTree and websockets, no slixmpp, no XEP-0198, nothing checked; with XEP-0198
it counts and confirms as we do, which costs Prosody more than the client. "our transport" goes without the generated client. All take
turns within each round; figures are medians of the rounds, "to raw" the median of the rounds' own ratios, and "CPU" is
this process's alone, both ends together and Prosody not counted. The codec's table needs no server.
"""

from __future__ import annotations

import argparse
import asyncio
import itertools
import json
import os
import platform
import statistics
import sys
import tempfile
import time
from collections import defaultdict
from collections.abc import Awaitable, Callable
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from importlib.metadata import version
from pathlib import Path
from typing import Any
from xml.etree import ElementTree
from xml.sax.saxutils import escape

from aoba_runtime import Incoming, Outgoing, xmpp
from aoba_voice_call_signaling import AobaVoiceCallSignalingClient, models
from signals_codec import codec
from signals_made import KINDS, model, signal

sys.path.insert(0, str(Path(__file__).parents[1] / "tests"))
from interop import raw  # noqa: E402 (found by the line above)
from interop.servers import RunningServer, prosody  # noqa: E402 (found by the line above)

WINDOWS = (1, 32)
TURNS = 5
"""Each round is cut into so many turns, so that whatever else the machine does hits all alike."""

WARM_UP = 0.3
ASK_EVERY = 25
"""After so many stanzas our transport asks for a confirmation; so does the raw client with XEP-0198."""
RATE = 1_000_000
"""kB/s that Prosody lets a client send: its brake is not what is measured."""


class RawEnd:
    """A logged-in raw client that answers each signal, and matches answers to what it sent; with stream management or not."""

    def __init__(self, client: raw.Raw, managed: bool) -> None:
        self.jid = client.jid
        self.heard = 0
        self._socket = client.socket
        self._managed = managed
        self._handled = 0
        self._written = 0
        self._ids = itertools.count(1)
        self._waiting: dict[str, asyncio.Future[None]] = {}

    async def read(self) -> None:
        """Take what arrives, until cancelled."""
        call = f"{{{raw.CALL}}}call"
        async for frame in self._socket:
            element = ElementTree.fromstring(frame)
            if element.tag == f"{{{raw.SM}}}r":
                await self._socket.send(f"<a xmlns='{raw.SM}' h='{self._handled}'/>")
                continue
            if element.tag == f"{{{raw.SM}}}a":
                continue
            self._handled += 1
            kind, id = element.get("type"), element.get("id", "")
            if kind == "set":
                json.loads(element.findtext(call, ""))
                self.heard += 1
                to = element.get("from")
                await self._write(f"<iq xmlns='{raw.CLIENT}' type='result' to='{to}' id='{id}'/>")
            elif kind == "result":
                self._waiting.pop(id).set_result(None)
            else:
                raise RuntimeError(f"the server said {frame!r}")

    async def send(self, to: str, value: dict[str, Any]) -> None:
        """One signal; returns when its answer is back."""
        id = str(next(self._ids))
        answer = self._waiting[id] = asyncio.get_running_loop().create_future()
        text = escape(json.dumps(value))
        await self._write(
            f"<iq xmlns='{raw.CLIENT}' type='set' to='{to}' id='{id}'><call xmlns='{raw.CALL}'>{text}</call></iq>"
        )
        await answer

    async def _write(self, stanza: str) -> None:
        await self._socket.send(stanza)
        self._written += 1
        if self._managed and self._written % ASK_EVERY == 0:
            await self._socket.send(f"<r xmlns='{raw.SM}'/>")


@dataclass(frozen=True)
class Contestant:
    """One way to send a signal, and how many of them arrived at the far end."""

    name: str
    send: Callable[[str, int], Awaitable[None]]
    heard: Callable[[], int]


@dataclass
class Run:
    """What one round measured: seconds each signal took, and seconds on the wall and of CPU."""

    took: list[float] = field(default_factory=list)
    wall: float = 0.0
    cpu: float = 0.0

    @property
    def rate(self) -> float:
        """Signals a second."""
        return len(self.took) / self.wall

    @property
    def cost(self) -> float:
        """CPU microseconds for a signal."""
        return 1e6 * self.cpu / len(self.took)

    def slowest(self, share: float) -> float:
        """Milliseconds within which all but this share of the signals were answered."""
        ordered = sorted(self.took)
        return 1000 * ordered[int((1 - share) * (len(ordered) - 1))]


async def contestants(server: RunningServer, stack: AsyncExitStack) -> list[Contestant]:
    """A pair of connections each."""

    async def raw_pair(managed: bool) -> Contestant:
        ends: list[RawEnd] = []
        for name in ("raw-a", "raw-b"):
            client = await raw.online(server, name)
            if managed:
                await client.enable()
            ends.append(RawEnd(client, managed))
            reading = asyncio.create_task(ends[-1].read())
            stack.callback(reading.cancel)
        there = ends[1].jid
        return Contestant(
            "raw with XEP-0198" if managed else "raw websockets",
            lambda kind, number: ends[0].send(there, signal(kind, number)),
            lambda: ends[1].heard,
        )

    async def connected(name: str) -> xmpp.XmppTransport:
        token = server.token(name)
        return await stack.enter_async_context(
            xmpp.connect(server.url, token, domain=server.domain)
        )

    async def transport_pair() -> Contestant:
        one, other = await connected("transport-a"), await connected("transport-b")
        heard = 0

        def take(incoming: Incoming) -> None:
            nonlocal heard
            json.loads(incoming.data)
            heard += 1

        other.attach(take)
        return Contestant(
            "our transport",
            lambda kind, number: one.send(
                Outgoing(json.dumps(signal(kind, number)).encode(), other.jid)
            ),
            lambda: heard,
        )

    async def client_pair() -> Contestant:
        one, other = await connected("client-a"), await connected("client-b")
        near = await stack.enter_async_context(AobaVoiceCallSignalingClient(one))
        far = await stack.enter_async_context(AobaVoiceCallSignalingClient(other))
        heard = 0

        def take(message: models.CallIceCandidate | models.CallOffer) -> None:
            nonlocal heard
            heard += 1

        far.on_call_ice_candidate(take)
        far.on_call_offer(take)

        async def send(kind: str, number: int) -> None:
            message = model(kind, number)
            if isinstance(message, models.CallOffer):
                await near.send_offer(message, to=other.jid)
            else:
                await near.send_ice_candidate(message, to=other.jid)

        return Contestant("generated client", send, lambda: heard)

    return [
        await raw_pair(False),
        await raw_pair(True),
        await transport_pair(),
        await client_pair(),
    ]


async def measure(
    run: Run,
    who: Contestant,
    kind: str,
    window: int,
    seconds: float,
    numbers: itertools.count[int],
) -> None:
    """Keep `window` signals on their way for so long, and add what was measured to `run`."""
    before, heard = len(run.took), who.heard()
    clock = time.perf_counter
    cpu, begun = time.process_time(), clock()
    until = begun + seconds

    async def work() -> None:
        while (at := clock()) < until:
            await who.send(kind, next(numbers))
            run.took.append(clock() - at)

    async with asyncio.TaskGroup() as workers:
        for _ in range(window):
            workers.create_task(work())
    run.wall += clock() - begun
    run.cpu += time.process_time() - cpu
    sent, arrived = len(run.took) - before, who.heard() - heard
    if sent != arrived:
        sys.exit(f"{who.name}: {sent} signals were answered and {arrived} arrived")


async def race(rounds: int, seconds: float, folder: Path) -> str:
    """All contestants through all cases on one Prosody; the table."""
    cases = [(kind, window) for kind in KINDS for window in WINDOWS]
    runs: dict[tuple[str, int, str, int], Run] = defaultdict(Run)
    numbers = itertools.count()
    async with prosody(folder, rate=RATE) as server, raw.all_closed(), AsyncExitStack() as stack:
        rivals = await contestants(server, stack)
        for who in rivals:
            for kind, window in cases:
                await measure(Run(), who, kind, window, WARM_UP, numbers)
        for number in range(rounds):
            for kind, window in cases:
                for turn in range(TURNS):
                    first = (number + turn) % len(rivals)
                    for who in rivals[first:] + rivals[:first]:
                        run = runs[kind, window, who.name, number]
                        await measure(run, who, kind, window, seconds / TURNS, numbers)
    lines = [
        "| signal | window | client | p50 ms | p99 ms | signals/s | to raw | lowest, highest round | CPU µs |",
        "|---|---|---|---|---|---|---|---|---|",
    ]
    middle = statistics.median
    for kind, window in cases:
        size = len(json.dumps(signal(kind, 0)))
        for who in rivals:
            its = [runs[kind, window, who.name, number] for number in range(rounds)]
            ratios = [
                run.rate / runs[kind, window, rivals[0].name, number].rate
                for number, run in enumerate(its)
            ]
            lines.append(
                f"| {kind}, {size} B | {window} | {who.name} | {middle(run.slowest(0.5) for run in its):.2f} "
                f"| {middle(run.slowest(0.01) for run in its):.2f} | {middle(run.rate for run in its):.0f} "
                f"| {middle(ratios):.2f} | {min(ratios):.2f}, {max(ratios):.2f} "
                f"| {middle(run.cost for run in its):.0f} |"
            )
    return "\n".join(lines)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=3, help="runs of each row (default: 3)")
    parser.add_argument("--seconds", type=float, default=1.3, help="of each run (default: 1.3)")
    parser.add_argument("--only", choices=["race", "codec"], help="one of the two tables")
    options = parser.parse_args()
    names = ", ".join(f"{name} {version(name)}" for name in ("slixmpp", "websockets", "pydantic"))
    print(
        f"{names}, Python {platform.python_version()}, {os.cpu_count()} cores, median of {options.rounds}"
    )
    if options.only != "codec":
        with tempfile.TemporaryDirectory() as folder:
            print(f"\n{asyncio.run(race(options.rounds, options.seconds, Path(folder)))}")
    if options.only != "race":
        print(f"\n{codec(options.rounds)}")


if __name__ == "__main__":
    main()
