"""TLS as in production: wss:// on real servers, with certificates that are trusted and that are not."""

from __future__ import annotations

import asyncio
import os
import ssl
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from certificates import certify
from interop.calls import both_hear, over, party, soon
from interop.servers import RunningServer, ejabberd, prosody

from aoba_runtime import devserver, xmpp
from aoba_runtime.links import ConnectFailed
from aoba_runtime.phone_events import EndReason, Party

pytestmark = pytest.mark.interop


@pytest.fixture(scope="module", params=[prosody, ejabberd], ids=["prosody", "ejabberd"])
def server(
    request: pytest.FixtureRequest,
    tmp_path_factory: pytest.TempPathFactory,
    pair: tuple[Path, Path],
) -> Iterator[RunningServer]:
    with request.param(tmp_path_factory.mktemp("server"), tls=pair) as running:
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
