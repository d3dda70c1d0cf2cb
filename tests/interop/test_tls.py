"""TLS as in production: wss:// on real servers and turns: on coturn, with certificates that are trusted and that are not."""

from __future__ import annotations

import asyncio
import os
import ssl
import sys
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from certificates import certify
from interop.calls import both_hear, over, party, soon, talk, voice
from interop.servers import RunningCoturn, RunningServer, coturn, ejabberd, prosody

from aoba_runtime import devserver, xmpp
from aoba_runtime.links import ConnectFailed
from aoba_runtime.phone_events import EndReason, Party
from aoba_runtime.rtc import IceServer, RtcOptions, RtcSession

pytestmark = pytest.mark.interop


@pytest.fixture(scope="module")
def pair(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """Certificate and key of 127.0.0.1, which nobody trusts unasked."""
    return certify(tmp_path_factory.mktemp("tls"), "127.0.0.1")


@pytest.fixture(scope="module", params=[prosody, ejabberd], ids=["prosody", "ejabberd"])
def server(
    request: pytest.FixtureRequest,
    tmp_path_factory: pytest.TempPathFactory,
    pair: tuple[Path, Path],
) -> Iterator[RunningServer]:
    with request.param(tmp_path_factory.mktemp("server"), tls=pair) as running:
        yield running


@pytest.fixture(scope="module")
def relay(
    tmp_path_factory: pytest.TempPathFactory, pair: tuple[Path, Path]
) -> Iterator[RunningCoturn]:
    with coturn(tmp_path_factory.mktemp("relay"), pair) as running:
        yield running


async def test_a_call_over_wss(server: RunningServer, pair: tuple[Path, Path]) -> None:
    trusting = {"ssl": ssl.create_default_context(cafile=str(pair[0]))}
    async with (
        party(server, "alice", link=trusting) as alice,
        party(server, "bob", hz=1000, link=trusting) as bob,
    ):
        assert server.url.startswith("wss://")
        ours = await alice.phone.dial(bob.jid)
        theirs = await bob.rung()
        theirs.accept()
        await soon(asyncio.gather(ours.connected(), theirs.connected()))
        await both_hear(ours, theirs)
        ours.hangup()
        assert await over(theirs) == (EndReason.COMPLETED, Party.REMOTE)


async def test_the_command_over_wss(server: RunningServer, pair: tuple[Path, Path]) -> None:
    """It trusts whom `SSL_CERT_FILE` names, and says so where nobody is trusted."""
    program = str(Path(sys.executable).with_name("aoba-call"))
    trusted = {**os.environ, "AOBA_TOKEN": server.token("alice"), "SSL_CERT_FILE": str(pair[0])}
    found = {}
    for name, environment in (("yes", trusted), ("no", {**trusted, "SSL_CERT_FILE": os.devnull})):
        process = await asyncio.create_subprocess_exec(
            *(program, "dial", "nobody@localhost/x", "--silence"),
            *("--url", server.url, "--domain", "localhost"),
            env=environment,
            stdout=asyncio.subprocess.DEVNULL,
            stderr=asyncio.subprocess.PIPE,
        )
        found[name] = (await process.communicate())[1].decode()
        assert process.returncode == {"yes": 1, "no": 3}[name], found[name]
    assert "cannot be reached" in found["yes"]
    assert f"the certificate of {server.url} is not trusted" in found["no"]


async def test_what_is_wrong_with_the_tls_of_a_server_is_said(
    server: RunningServer, pair: tuple[Path, Path]
) -> None:
    trusting = ssl.create_default_context(cafile=str(pair[0]))
    elsewhere = server.url.replace("127.0.0.1", "localhost")
    plain = server.url.replace("wss", "ws")
    async with devserver.serve(port=0) as without:
        secure = without.url.replace("ws", "wss")
        for url, context, why in (
            (server.url, None, f"the certificate of {server.url} is not trusted: self-signed"),
            (elsewhere, trusting, f"the certificate of {elsewhere} is not trusted: Hostname mis"),
            (plain, None, f"{plain} does not speak HTTP; a server with TLS is reached by wss://"),
            (
                secure,
                None,
                f"{secure} does not speak TLS; a server without TLS is reached by ws://",
            ),
        ):
            with pytest.raises(ConnectFailed) as refused:
                async with xmpp.connect(url, server.token("alice"), ssl=context):
                    pass
            assert str(refused.value).startswith(why)


def relayed(relay: RunningCoturn, transport: str) -> RtcOptions:
    one = IceServer(relay.url(transport), relay.user, relay.password)
    return RtcOptions(ice_servers=(one,), relay_only=True, local_addresses=("127.0.0.1",))


async def test_a_call_through_a_relay_over_tls(
    relay: RunningCoturn, pair: tuple[Path, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SSL_CERT_FILE", str(pair[0]))
    options = relayed(relay, "tls")
    async with (
        devserver.serve(port=0) as place,
        party(place, "alice", media=voice(440, options)) as alice,
        party(place, "bob", media=voice(1000, options)) as bob,
    ):
        began = time.monotonic()
        ours, theirs = await talk(alice, bob)
        print(f"relay only over TLS: connected after {time.monotonic() - began:.2f} s")
        await both_hear(ours, theirs)
        for call in (ours, theirs):
            assert isinstance(session := call.session, RtcSession)
            connection = session._gatherer._connection
            assert [one.type for one in connection.local_candidates] == ["relay"]
        ours.hangup()
        assert await over(theirs) == (EndReason.COMPLETED, Party.REMOTE)


async def test_a_relay_with_a_certificate_that_nobody_trusts(relay: RunningCoturn) -> None:
    async with (
        devserver.serve(port=0) as place,
        party(place, "alice", media=voice(440, relayed(relay, "tls"))) as alice,
        party(place, "bob", hz=1000) as bob,
    ):
        call = await alice.phone.dial(bob.account)
        (await bob.rung()).accept()
        ended = await soon(call.ended)
        assert ended.reason is EndReason.FAILED
        assert ended.why == (
            f"no TURN server gave a relay address: {relay.url('tls')}:"
            " its certificate is not trusted: self-signed certificate"
        )


LOST = "the connection to the TURN server was lost"
SILENT = "nothing came from the peer for 2 s"


@pytest.mark.parametrize("transport, why", [("udp", SILENT), ("tcp", LOST), ("tls", LOST)])
async def test_a_relay_that_dies_in_the_call(
    tmp_path: Path,
    pair: tuple[Path, Path],
    transport: str,
    why: str,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    """The call has failed, however the relay was reached; it is not the peer who ended it."""
    monkeypatch.setenv("SSL_CERT_FILE", str(pair[0]))
    async with coturn(tmp_path, pair) as relay, devserver.serve(port=0) as place:
        options = replace(relayed(relay, transport), fail_after=2.0)
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
