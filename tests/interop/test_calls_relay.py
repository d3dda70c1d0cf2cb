"""Calls through a TURN relay alone (coturn, over UDP, TCP and TLS), and ICE servers that do not help: what users see, and when.

Real voice throughout; the development server carries the signals. `-s` prints the times that were measured.
"""

from __future__ import annotations

import asyncio
import socket
import time
from collections.abc import AsyncIterator, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Final

import pytest
import pytest_asyncio
from interop.browser import browser
from interop.calls import Member, both_hear, hears, over, party, soon, talk, voice
from interop.servers import RunningCoturn, coturn

from aoba_runtime import devserver
from aoba_runtime.phone_events import Ended, EndReason, Party
from aoba_runtime.rtc import IceServer, RtcOptions, RtcSession

pytestmark = pytest.mark.interop
HERE: Final = ("127.0.0.1",)


@pytest.fixture(scope="module")
def relay(
    tmp_path_factory: pytest.TempPathFactory, pair: tuple[Path, Path]
) -> Iterator[RunningCoturn]:
    with coturn(tmp_path_factory.mktemp("relay"), pair) as running:
        yield running


@pytest_asyncio.fixture
async def place() -> AsyncIterator[devserver.Server]:
    async with devserver.serve(port=0) as running:
        yield running


@pytest.fixture
def silent() -> Iterator[int]:
    """A UDP port that takes what comes and never answers."""
    with socket.socket(type=socket.SOCK_DGRAM) as one:
        one.bind(("127.0.0.1", 0))
        yield one.getsockname()[1]


def server(relay: RunningCoturn, transport: str = "udp", password: str | None = None) -> IceServer:
    return IceServer(relay.url(transport), relay.user, password or relay.password)


def relayed(one: IceServer) -> RtcOptions:
    return RtcOptions(ice_servers=(one,), relay_only=True, local_addresses=HERE)


async def fails(caller: Member, callee: Member) -> tuple[float, Ended]:
    """Seconds from dialing to the end of a call that is accepted at once, and how it ended for the caller."""
    began = time.monotonic()
    call = await caller.phone.dial(callee.account)
    (theirs := await callee.rung()).accept()
    assert (await over(theirs))[0] is EndReason.FAILED
    return time.monotonic() - began, await soon(call.ended)


@pytest.fixture
def trusting(pair: tuple[Path, Path], monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever looks up whom to trust finds the relay's certificate."""
    monkeypatch.setenv("SSL_CERT_FILE", str(pair[0]))


@pytest.mark.parametrize("transport", ["udp", "tcp", "tls"])
@pytest.mark.usefixtures("trusting")
async def test_both_ends_through_the_relay_alone(
    place: devserver.Server, relay: RunningCoturn, transport: str
) -> None:
    options = relayed(server(relay, transport))
    async with (
        party(place, "alice", media=voice(440, options)) as alice,
        party(place, "bob", media=voice(1000, options)) as bob,
    ):
        began = time.monotonic()
        ours, theirs = await talk(alice, bob)
        print(f"relay only over {transport}: connected after {time.monotonic() - began:.2f} s")
        await both_hear(ours, theirs)
        for call in (ours, theirs):
            assert isinstance(session := call.session, RtcSession)
            connection = session._gatherer._connection
            assert [one.type for one in connection.local_candidates] == ["relay"]
            assert {one.type for one in connection.remote_candidates} == {"relay"}
            assert "host" not in session._peer.localDescription.sdp
        ours.hangup()
        assert await over(theirs) == (EndReason.COMPLETED, Party.REMOTE)


async def test_one_end_through_the_relay(place: devserver.Server, relay: RunningCoturn) -> None:
    async with (
        party(place, "alice", media=voice(440, relayed(server(relay)))) as alice,
        party(place, "bob", hz=1000) as bob,
    ):
        ours, theirs = await talk(alice, bob)
        await both_hear(ours, theirs)
        theirs.hangup()
        assert await over(ours) == (EndReason.COMPLETED, Party.REMOTE)


async def test_a_browser_and_the_relay(place: devserver.Server, relay: RunningCoturn) -> None:
    """Python shows its relay alone; Chromium comes from loopback, which the relay may lead to."""
    media = voice(1000, relayed(server(relay)))
    async with browser() as chromium, party(place, "bob", media=media) as bob:
        page = await chromium.phone(place.url, place.token("tab"), tone=600)
        await page.dial(bob.account)
        theirs = await bob.rung()
        theirs.accept()
        await page.state("connected")
        await hears(theirs, 600)
        frequency, level = await page.hears()
        assert abs(frequency - 1000) < 5 and level > 0.1
        theirs.hangup()
        await page.state("idle")


@pytest.mark.parametrize("transport", ["udp", "tcp"])
async def test_a_wrong_turn_password_is_named_at_once(
    place: devserver.Server, relay: RunningCoturn, transport: str
) -> None:
    options = relayed(server(relay, transport, "wrong"))
    async with (
        party(place, "alice", media=voice(440, options)) as alice,
        party(place, "bob", hz=1000) as bob,
    ):
        seconds, ended = await fails(alice, bob)
        print(f"wrong TURN password over {transport}: ended after {seconds:.2f} s, {ended.why!r}")
        assert ended.why == (
            f"no TURN server gave a relay address: {relay.url(transport)}: "
            "the user name or the password is wrong"
        )
        assert seconds < 3


async def test_a_turn_server_that_never_answers(place: devserver.Server, silent: int) -> None:
    url = f"turn:127.0.0.1:{silent}"
    async with (
        party(place, "alice", media=voice(440, relayed(IceServer(url, "aoba", "secret")))) as alice,
        party(place, "bob", hz=1000) as bob,
    ):
        seconds, ended = await fails(alice, bob)
        print(f"dead TURN server, relay only: ended after {seconds:.2f} s, {ended.why!r}")
        assert ended.why == f"no TURN server gave a relay address: {url}: no answer"
        assert seconds < 8


async def test_a_dead_stun_server_costs_five_seconds_or_none_if_it_rings_so_long(
    place: devserver.Server, silent: int
) -> None:
    options = RtcOptions(ice_servers=(IceServer(f"stun:127.0.0.1:{silent}"),), local_addresses=HERE)
    async with (
        party(place, "alice", media=voice(440, options), max_calls=2) as alice,
        party(place, "bob", hz=1000, max_calls=2) as bob,
    ):
        began = time.monotonic()
        ours, theirs = await talk(alice, bob)
        at_once = time.monotonic() - began
        await both_hear(ours, theirs)
        ours.hangup()
        assert await over(theirs) == (EndReason.COMPLETED, Party.REMOTE)

        late = await alice.phone.dial(bob.account)
        rung = await bob.rung()
        gathering = late._voice
        assert gathering is not None
        await soon(gathering.session.prepare())  # it rings as long as gathering takes
        began = time.monotonic()
        rung.accept()
        await soon(asyncio.gather(late.connected(), rung.connected()))
        after_ringing = time.monotonic() - began
        print(
            f"dead STUN server: connected {at_once:.2f} s after dialing when accepted at once, "
            f"{after_ringing:.2f} s after the accept when it rang for longer"
        )
        assert 4 < at_once < 9 and after_ringing < 3


async def test_a_server_that_does_not_help_holds_nothing_up(
    place: devserver.Server, relay: RunningCoturn
) -> None:
    options = RtcOptions(
        ice_servers=(server(relay, "udp", "wrong"), server(relay, "tcp")), local_addresses=HERE
    )
    async with (
        party(place, "alice", media=voice(440, options)) as alice,
        party(place, "bob", hz=1000) as bob,
    ):
        began = time.monotonic()
        ours, theirs = await talk(alice, bob)
        seconds = time.monotonic() - began
        print(f"one TURN password wrong, another right: connected after {seconds:.2f} s")
        await both_hear(ours, theirs)
        assert seconds < 4


async def test_a_relay_with_a_certificate_that_nobody_trusts(
    place: devserver.Server, relay: RunningCoturn
) -> None:
    async with (
        party(place, "alice", media=voice(440, relayed(server(relay, "tls")))) as alice,
        party(place, "bob", hz=1000) as bob,
    ):
        _, ended = await fails(alice, bob)
        assert ended.reason is EndReason.FAILED
        assert ended.why == (
            f"no TURN server gave a relay address: {relay.url('tls')}:"
            " its certificate is not trusted: self-signed certificate"
        )


LOST = "the connection to the TURN server was lost"
SILENT = "nothing came from the peer for 2 s"


@pytest.mark.parametrize("transport, why", [("udp", SILENT), ("tcp", LOST), ("tls", LOST)])
@pytest.mark.usefixtures("trusting")
async def test_a_relay_that_dies_in_the_call(
    place: devserver.Server,
    tmp_path: Path,
    pair: tuple[Path, Path],
    transport: str,
    why: str,
    caplog: pytest.LogCaptureFixture,
) -> None:
    """The call has failed, however the relay was reached; it is not the peer who ended it."""
    async with coturn(tmp_path, pair) as relay:
        options = replace(relayed(server(relay, transport)), fail_after=2.0)
        async with (
            party(place, "alice", media=voice(440, options)) as alice,
            party(place, "bob", media=voice(1000, options)) as bob,
        ):
            ours, theirs = await talk(alice, bob)
            await both_hear(ours, theirs)
            began = time.monotonic()
            await relay.kill()
            ended = [await soon(call.ended) for call in (ours, theirs)]
            print(f"the relay died ({transport}): over after {time.monotonic() - began:.2f} s")
            assert {one.reason for one in ended} == {EndReason.FAILED}
            assert why in {one.why for one in ended}
    assert {record.name for record in caplog.records} <= {"aoba_runtime"}
