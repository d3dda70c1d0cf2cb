"""What aoba-call writes where nobody can read it, on odd terminals, and of calls that cross its own."""

from __future__ import annotations

import asyncio
import contextlib
import fcntl
import json
import logging
import os
import struct
import subprocess
import termios
from dataclasses import replace
from pathlib import Path
from typing import cast

import pytest
from aoba_runtime import PeerUnavailable, xmpp
from aoba_runtime.cli_common import Sparse
from aoba_runtime.cli_options import Options
from aoba_runtime.cli_phone import _Softphone
from aoba_runtime.cli_sound import Sound
from aoba_runtime.phone_call import VoiceCall
from aoba_runtime.phone_events import EndReason
from aoba_voice_call_signaling import AobaVoiceCallSignalingClient
from phone_pair import BOB, REMOTE, phones
from softphones import COMMAND, Server, server
from voices import call


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="this system has no /dev/full")
@pytest.mark.parametrize("closed", [True, False], ids=["closed", "full"])
async def test_words_that_cannot_be_written_stop_no_call(server: Server, closed: bool) -> None:
    async with await server.listener("--silence", "--once") as bob:
        words = [
            *COMMAND,
            "dial",
            "bob",
            "--url",
            server.server.url,
            "--silence",
            "--duration",
            "0",
        ]
        with open("/dev/full", "w") as full:
            shell = ["sh", "-c", 'exec "$@" 2>&-', "sh"] if closed else []
            alice = await asyncio.create_subprocess_exec(
                *shell,
                *words,
                env=server.environment | {"AOBA_TOKEN": server.server.token("alice")},
                stderr=full,
            )
        async with asyncio.timeout(60):
            assert await alice.wait() == 0
        assert await bob.end() == 0


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="this system has no /dev/full")
@pytest.mark.parametrize(("terminal", "columns"), [("xterm", 20), ("dumb", 80)])
async def test_the_live_line_is_as_wide_as_its_terminal(
    server: Server, terminal: str, columns: int
) -> None:
    """Standard output goes elsewhere; a terminal that knows no escapes gets none. What is logged has a line of its own."""
    async with await server.listener("--silence", "--once") as bob:
        ours, theirs = os.openpty()
        fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", 24, columns, 0, 0))
        words = ["dial", "bob", "--url", server.server.url, "--silence", "--duration", "1"]
        words += ["--record", "/dev/full"]
        token = server.server.token("alice")
        alice = await asyncio.create_subprocess_exec(
            *(*COMMAND, *words),
            env=server.environment | {"AOBA_TOKEN": token, "TERM": terminal, "COLUMNS": ""},
            stdout=subprocess.DEVNULL,
            stderr=theirs,
        )
        os.close(theirs)
        async with asyncio.timeout(60):
            assert await alice.wait() == 0
        shown = b""
        with contextlib.suppress(OSError):  # the terminal ends with the program
            while part := os.read(ours, 4096):
                shown += part
        os.close(ours)
        assert await bob.end() == 0
    drawn = [each for each in shown.decode().split("\r\x1b[K")[1:] if "\n" not in each]
    if terminal == "dumb":
        assert drawn == [] and "connected after" in shown.decode()
    else:
        assert "bob@localhost" in drawn and max(map(len, drawn)) < columns
        assert "\r\x1b[Kaoba-call: /dev/full: No space left on device" in shown.decode()


async def test_what_a_peer_says_cannot_steer_the_terminal(server: Server) -> None:
    """XML lets control characters of Unicode through, and line ends."""

    def refuse(message: object, incoming: object) -> None:
        raise PeerUnavailable("\x9b31mgone\u202e\nready as root")

    async with (
        xmpp.connect(server.server.url, server.server.token("bob")) as transport,
        AobaVoiceCallSignalingClient(transport) as bob,
        await server.caller("--silence") as alice,
    ):
        bob.on_call_initiate(refuse)
        assert await alice.end() == 1
    assert alice.stderr == (
        "the call failed: bob@localhost cannot be reached: "
        "the peer answered service-unavailable: \\x9b31mgone\\u202e\\nready as root\n"
    )


def test_what_a_server_says_cannot_steer_the_terminal() -> None:
    record = logging.LogRecord("x", logging.WARNING, "", 0, "it said %s", ("\x1b[2Jé\n",), None)
    assert Sparse().filter(record)
    assert record.getMessage() == "it said \\x1b[2Jé\\n"


def options() -> Options:
    return Options(
        url="ws://localhost/",
        domain=None,
        client=AobaVoiceCallSignalingClient,
        token=str,
        json=True,
        sound="silence",
        tone=0,
        play=None,
        record=None,
        mute_after=None,
        ice_servers=(),
        turn_user=None,
        turn_password=None,
        relay_only=False,
        local_addresses=(),
    )


async def test_what_takes_everything_takes_every_recording(tmp_path: Path) -> None:
    (null := tmp_path / "null").symlink_to("/dev/null")
    sound = Sound(replace(options(), record=null))
    async with call() as (caller, callee):
        for end in (caller, callee):
            sound.begin(cast(VoiceCall, end))
    assert os.listdir(tmp_path) == ["null"]


async def test_who_rings_while_we_dial_somebody_else_hears_busy() -> None:
    async with phones(lines=1) as pair:
        theirs = await pair.alice.dial(BOB)
        await pair.rung()
        softphone = _Softphone(options(), Sound(options()), pair.bob, BOB, asyncio.Event())
        assert await softphone.dial("carol@localhost", None) == 1
        await softphone.aclose()
        assert (await theirs.ended)[:3] == (EndReason.BUSY, None, REMOTE)


async def test_who_rings_while_we_dial_him_is_answered(capsys: pytest.CaptureFixture[str]) -> None:
    async with phones(lines=1, connects=False, connect_time=0.2) as pair:
        await pair.alice.dial(BOB)
        await pair.rung()
        softphone = _Softphone(options(), Sound(options()), pair.bob, BOB, asyncio.Event())
        assert await softphone.dial("alice@localhost", None) == 1
        await softphone.aclose()
    told = [json.loads(line)["event"] for line in capsys.readouterr().out.splitlines()]
    assert told == ["ready", "accepted", "ended"]
