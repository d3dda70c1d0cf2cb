"""aoba-call where an end, the server or the link goes away, or nobody is there: the call ends or goes on, and says so."""

from __future__ import annotations

import asyncio
import signal
from pathlib import Path

import pytest
from softphones import Server, heard, server


async def test_a_peer_that_vanishes_is_a_failure(server: Server) -> None:
    async with (
        await server.listener("--silence") as bob,
        await server.caller("--silence") as alice,
    ):
        await alice.event("connected")
        bob.process.kill()
        assert await alice.end() == 1
        assert alice.ended[0] == "failed" and alice.ended[2] == "local"
        assert "the call failed" in alice.stderr


async def test_nobody_is_there(server: Server) -> None:
    async with await server.caller("--silence") as alice:
        assert await alice.end() == 1
        assert alice.ended == ("failed", None, "remote")
        assert "service-unavailable" in alice.stderr


async def test_a_cut_is_told_and_the_call_goes_on(server: Server, tmp_path: Path) -> None:
    near = tmp_path / "near.wav"
    async with (
        await server.listener("--tone", "600", "--once") as bob,
        await server.caller("--silence", "--record", str(near)) as alice,
    ):
        await alice.event("first-audio")
        assert server.server.cut() == 2
        await asyncio.gather(alice.event("resumed"), bob.event("resumed"))
        await asyncio.gather(alice.event("stats"), bob.event("stats"))
        await alice.event("stats")
        alice.process.send_signal(signal.SIGINT)
        assert [await alice.end(), await bob.end()] == [0, 0]
        assert "reconnecting" in alice.names
        assert bob.ended[0] == "completed"
    assert heard(near, 0.2, 0.7)[1][0] == 600


async def test_no_server(server: Server) -> None:
    async with await server.phone(
        "alice", "dial", "bob@localhost", "--url", "ws://localhost:9/xmpp"
    ) as alice:
        assert await alice.end() == 3
        assert "aoba-call serve" in alice.stderr


async def test_no_such_domain(server: Server) -> None:
    async with await server.phone("alice", "dial", "bob", "--domain", "elsewhere.example") as alice:
        assert await alice.end() == 3
        assert "host-unknown" in alice.stderr and "--domain" in alice.stderr
        assert "running" not in alice.stderr


@pytest.mark.parametrize("moment", ["ready", "ringing"])
async def test_a_cut_while_it_rings(server: Server, moment: str) -> None:
    """Signals that were under way when the connection broke arrive once it is there again."""
    async with (
        await server.listener("--ignore") as bob,
        await server.caller("--silence", "--ring-timeout", "3") as alice,
    ):
        await alice.event(moment)
        server.server.cut()
        assert await alice.end() == 1
        assert alice.ended == ("timeout", None, "local")
        ended = await bob.event("ended")
        assert ended["reason"] == "timeout"
        bob.process.send_signal(signal.SIGINT)
        assert await bob.end() == 0


async def test_a_cut_while_it_is_negotiated(server: Server) -> None:
    async with (
        await server.listener("--silence", "--once") as bob,
        await server.caller("--silence", "--duration", "1") as alice,
    ):
        await bob.event("incoming")
        server.server.cut()
        assert [await alice.end(), await bob.end()] == [0, 0]
        assert alice.ended[0] == bob.ended[0] == "completed"


async def test_a_reader_that_goes_away_ends_the_call(server: Server) -> None:
    async with (
        await server.listener("--silence", "--once") as bob,
        await server.caller("--silence") as alice,
    ):
        await alice.event("connected")
        assert alice.process.stdout is not None
        alice.process.stdout._transport.close()  # type: ignore[attr-defined]  # closes our end of the pipe
        assert await bob.end() == 0
        assert bob.ended[0] == "completed" and bob.ended[2] == "remote"
        assert alice.process.stderr is not None
        assert await alice.process.stderr.read() == b""
        assert await alice.process.wait() == 0


async def test_a_second_interrupt_does_not_wait(server: Server) -> None:
    async with (
        await server.listener("--silence") as bob,
        await server.caller("--silence") as alice,
    ):
        await alice.event("connected")
        bob.process.send_signal(signal.SIGSTOP)
        alice.process.send_signal(signal.SIGINT)
        await alice.event("ended")
        alice.process.send_signal(signal.SIGINT)
        assert await alice.end() in (0, 1)
        bob.process.send_signal(signal.SIGCONT)
