"""Broken links on real servers: cuts, stalls, killed servers; nothing lost, doubled or out of order.

`AOBA_CUTS` and `AOBA_SIGNALS` set the length of the long run, for example 300 and 20000; a line per run says what happened.
"""

from __future__ import annotations

import asyncio
import os
import random
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from aoba_runtime import Incoming, Outgoing, xmpp
from aoba_runtime.errors import AckTimeout, Fault, PeerUnavailable

from .proxy import Proxy
from .servers import RunningServer, ejabberd, prosody

pytestmark = pytest.mark.interop

CUTS = int(os.environ.get("AOBA_CUTS", "30"))
SIGNALS = int(os.environ.get("AOBA_SIGNALS", "1000"))
WINDOW = 8
SERVERS = [prosody, ejabberd]


@pytest.fixture(scope="module", params=SERVERS, ids=["prosody", "ejabberd"])
def server(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[RunningServer]:
    with request.param(tmp_path_factory.mktemp("server"), rate=100_000) as running:
        yield running


def connect(server: RunningServer, url: str, user: str, **options: Any) -> xmpp.XmppTransport:
    return xmpp.connect(url, token=lambda: server.token(user), domain=server.domain, **options)


class Numbers:
    """A receiver of numbered signals from one peer."""

    def __init__(self) -> None:
        self.got: list[int] = []
        self.came = asyncio.Event()

    def __call__(self, incoming: Incoming) -> None:
        self.got.append(int(incoming.data))
        self.came.set()


class Count:
    """How often each event came, over all transports."""

    def __init__(self, *transports: xmpp.XmppTransport) -> None:
        self.of: dict[str, int] = {}
        for transport in transports:
            transport.on_event(self._note)

    def _note(self, event: xmpp.Event) -> None:
        name = type(event).__name__
        self.of[name] = self.of.get(name, 0) + 1


async def numbered(
    source: xmpp.XmppTransport, to: Callable[[], str], numbers: range, pace: float
) -> int:
    """Send the numbers in order, `WINDOW` in flight; one per `pace` seconds. How many faults there were."""
    faults = 0
    flying: set[asyncio.Task[None]] = set()
    began = time.monotonic()
    for count, number in enumerate(numbers):
        await asyncio.sleep(max(0.0, began + count * pace - time.monotonic()))
        if len(flying) >= WINDOW:
            done, flying = await asyncio.wait(flying, return_when=asyncio.FIRST_COMPLETED)
            faults += sum(task.exception() is not None for task in done)
        flying.add(asyncio.create_task(source.send(Outgoing(b"%d" % number, to()))))
    outcomes = await asyncio.gather(*flying, return_exceptions=True)
    return faults + sum(outcome is not None for outcome in outcomes)


async def test_cuts_lose_double_and_reorder_nothing(server: RunningServer) -> None:
    rng = random.Random(7)
    async with Proxy(server.url) as left, Proxy(server.url) as right:
        async with (
            connect(server, left.url, "alice") as one,
            connect(server, right.url, "bob") as other,
        ):
            ends = one.jid, other.jid
            at_one, at_other = Numbers(), Numbers()
            one.attach(at_one)
            other.attach(at_other)
            count = Count(one, other)
            each = SIGNALS // 2
            pace = 0.6 * CUTS / each
            began = time.monotonic()
            sending = asyncio.gather(
                numbered(one, lambda: ends[1], range(each), pace),
                numbered(other, lambda: ends[0], range(each), pace),
            )
            for _ in range(CUTS):
                await asyncio.sleep(rng.uniform(0.1, 1.1))
                rng.choice([left, right]).cut()
            faults = sum(await sending)
            seconds = time.monotonic() - began
            print(
                f"\n{server.name}: {CUTS} cuts, {2 * each} signals in {seconds:.0f} s: faults {faults}, "
                f"lost {2 * each - len(set(at_one.got)) - len(set(at_other.got))}, "
                f"doubled {len(at_one.got) - len(set(at_one.got)) + len(at_other.got) - len(set(at_other.got))}, "
                f"events {count.of}"
            )
            assert faults == 0
            assert at_one.got == at_other.got == list(range(each))
            assert (one.jid, other.jid) == ends


async def test_a_stall_of_eight_seconds(server: RunningServer) -> None:
    async with Proxy(server.url) as proxy:
        async with (
            connect(server, proxy.url, "alice") as one,
            connect(server, server.url, "bob") as other,
        ):
            at_other = Numbers()
            other.attach(at_other)
            events = one.events()
            began = time.monotonic()
            proxy.stall()
            sending = asyncio.gather(
                *(one.send(Outgoing(b"%d" % n, other.jid)) for n in range(5)),
                return_exceptions=True,
            )
            event = await anext(events)
            found = time.monotonic() - began
            assert isinstance(event, xmpp.Reconnecting) and found < 8
            await asyncio.sleep(8 - found)
            proxy.flow()
            outcomes = await sending
            print(
                f"\n{server.name}: stall found after {found:.1f} s, outcomes {outcomes}, got {at_other.got}"
            )
            # Ten seconds after it was sent a signal has failed; whichever came through came once, in order.
            assert at_other.got == sorted(set(at_other.got))
            sent = [n for n, outcome in enumerate(outcomes) if outcome is None]
            assert set(sent) <= set(at_other.got)
            assert all(outcome is None or isinstance(outcome, AckTimeout) for outcome in outcomes)
            await events.aclose()


@pytest.mark.parametrize("start", SERVERS, ids=["prosody", "ejabberd"])
async def test_a_server_that_is_killed_and_comes_back(
    start: Callable[[Path], RunningServer], tmp_path: Path
) -> None:
    async with start(tmp_path) as server:
        async with (
            connect(server, server.url, "alice") as one,
            connect(server, server.url, "bob") as other,
        ):
            at_other = Numbers()
            other.attach(at_other)
            await one.send(Outgoing(b"0", other.jid))
            one_events, other_events = one.events(), other.events()
            await server.kill()
            down = asyncio.gather(one.send(Outgoing(b"1", other.jid)), return_exceptions=True)
            await server.start()
            for events in (one_events, other_events):
                async for event in events:
                    if isinstance(event, xmpp.Connected):
                        break
                await events.aclose()
            (outcome,) = await down
            # The peer has another JID now: what was meant for the old one is refused, not lost in silence.
            assert isinstance(outcome, PeerUnavailable), outcome
            await one.send(Outgoing(b"2", other.jid))
            assert at_other.got == [0, 2]


async def test_a_peer_that_vanishes_is_a_fault_in_time(server: RunningServer) -> None:
    async with Proxy(server.url) as proxy:
        async with connect(server, server.url, "alice", ack_timeout=2.0) as one:
            async with connect(server, proxy.url, "bob") as other:
                jid = other.jid
                proxy.stall()
                proxy.cut()
                began = time.monotonic()
                with pytest.raises(Fault):
                    await one.send(Outgoing(b"1", jid))
                assert time.monotonic() - began < 8  # without a limit of its own it takes ten
                proxy.flow()


async def test_connections_that_come_and_go_leave_nothing(server: RunningServer) -> None:
    before = len(os.listdir("/proc/self/fd"))
    for _ in range(20):
        async with connect(server, server.url, "alice") as one:
            assert one.jid
    assert asyncio.all_tasks() == {asyncio.current_task()}
    assert len(os.listdir("/proc/self/fd")) <= before + 2
