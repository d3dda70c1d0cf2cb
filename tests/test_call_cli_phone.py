"""aoba-call dial and listen as processes, with real voice: events, sound, exit codes, signals."""

from __future__ import annotations

import asyncio
import contextlib
import os
import re
import signal
import subprocess
import wave
from pathlib import Path

import numpy as np
import pytest
from softphones import COMMAND, Server, heard, server


async def test_two_phones_hear_each_other(server: Server, tmp_path: Path) -> None:
    near, far = tmp_path / "near.wav", tmp_path / "far.wav"
    async with (
        await server.listener("--tone", "600", "--record", str(far), "--once") as bob,
        await server.caller("--tone", "440", "--record", str(near), "--duration", "2.5") as alice,
    ):
        assert [await alice.end(), await bob.end()] == [0, 0]
        assert alice.ended[::2] == ("completed", "local") and alice.ended[1] in (2, 3)
        assert bob.ended[::2] == ("completed", "remote")
        assert sorted(alice.names[3:5]) == ["connected", "first-audio"]
        assert alice.names[:3] == ["ready", "ringing", "accepted"] and len(alice.names) == 6
        assert bob.names[:3] == ["ready", "incoming", "accepted"] and len(bob.names) == 6
        incoming = bob.events[1]
        assert incoming["from"].startswith("alice@localhost/")
        assert {each["call_id"] for each in alice.events[1:]} == {incoming["call_id"]}
        [ringing] = [each for each in alice.events if each["event"] == "ringing"]
        assert ringing["to"] == "bob@localhost"
        for each in (*alice.events, *bob.events):
            if each["event"] in ("connected", "first-audio"):
                assert 0 < each["setup_ms"] < 10_000
        stats = [each for each in alice.events if each["event"] == "stats"]
        assert stats and stats[-1]["received_packets"] > 30 and stats[-1]["mos"] > 3
    (left, _), (right, level) = heard(near)
    assert (left, right) == (440, 600) and 0.1 < level < 0.3
    (left, _), (right, level) = heard(far)
    assert (left, right) == (600, 440) and 0.1 < level < 0.3


async def test_an_echo_comes_back_and_a_file_is_played(server: Server, tmp_path: Path) -> None:
    song, near = tmp_path / "song.wav", tmp_path / "near.wav"
    with wave.open(str(song), "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(8000)
        ramp = np.sin(np.arange(8000 * 5) * (2 * np.pi * 500 / 8000)) * 8000
        file.writeframes(ramp.astype("<i2").tobytes())
    async with (
        await server.listener("--echo") as bob,
        await server.caller(
            "--play", str(song), "--record", str(near), "--duration", "2.5"
        ) as alice,
    ):
        assert await alice.end() == 0
        bob.process.send_signal(signal.SIGTERM)
        assert await bob.end() == 0
    (left, _), (right, level) = heard(near, 1.0)
    assert (left, right) == (500, 500) and level > 0.05


async def test_mute_is_silence_at_the_other_end(server: Server, tmp_path: Path) -> None:
    far = tmp_path / "far.wav"
    async with (
        await server.listener("--silence", "--record", str(far), "--once") as bob,
        await server.caller("--tone", "440", "--mute-after", "1", "--duration", "3") as alice,
    ):
        assert [await alice.end(), await bob.end()] == [0, 0]
        said = [{**each} for each in alice.events if each["event"] == "muted"]
        assert [(each["by"], each["muted"]) for each in said] == [("local", True)]
        told = [each for each in bob.events if each["event"] == "muted"]
        assert [(each["by"], each["muted"]) for each in told] == [("remote", True)]
    assert heard(far, 0.3, 0.4)[1][1] > 0.1
    assert heard(far, 1.8, 0.8)[1][1] < 0.001


@pytest.mark.parametrize(("answer", "reason"), [("reject", "rejected"), ("busy", "busy")])
async def test_no(server: Server, answer: str, reason: str) -> None:
    async with (
        await server.listener(f"--{answer}", "--once") as bob,
        await server.caller("--silence") as alice,
    ):
        assert [await alice.end(), await bob.end()] == [1, 0]
        assert alice.ended == (reason, None, "remote")
        assert bob.ended == (reason, None, "local")


async def test_nobody_answers(server: Server) -> None:
    async with (
        await server.listener("--ignore", "--once") as bob,
        await server.caller("--silence", "--ring-timeout", "1") as alice,
    ):
        assert [await alice.end(), await bob.end()] == [1, 0]
        assert alice.ended == ("timeout", None, "local")
        assert bob.ended == ("timeout", None, "remote")
        assert alice.names == ["ready", "ringing", "ended"]


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
async def test_an_interrupt_while_it_rings_cancels(server: Server, number: int) -> None:
    async with (
        await server.listener("--ignore", "--once") as bob,
        await server.caller("--silence") as alice,
    ):
        await alice.event("ringing")
        alice.process.send_signal(number)
        assert [await alice.end(), await bob.end()] == [1, 0]
        assert alice.ended == ("cancelled", None, "local")
        assert bob.ended == ("cancelled", None, "remote")


@pytest.mark.parametrize(
    ("who", "number"),
    [
        ("caller", signal.SIGINT),
        ("callee", signal.SIGINT),
        ("caller", signal.SIGTERM),
        ("callee", signal.SIGTERM),
        ("caller", getattr(signal, "SIGHUP", signal.SIGTERM)),  # its terminal is closed
    ],
)
async def test_an_interrupt_in_a_call_completes_it(server: Server, who: str, number: int) -> None:
    async with (
        await server.listener("--tone", "600", "--once") as bob,
        await server.caller("--tone", "440") as alice,
    ):
        await asyncio.gather(alice.event("first-audio"), bob.event("first-audio"))
        (alice if who == "caller" else bob).process.send_signal(number)
        assert [await alice.end(), await bob.end()] == [0, 0]
        by = ("local", "remote") if who == "caller" else ("remote", "local")
        assert (alice.ended[0], bob.ended[0]) == ("completed", "completed")
        assert (alice.ended[2], bob.ended[2]) == by


async def test_a_second_caller_hears_busy_and_disturbs_nobody(server: Server) -> None:
    async with (
        await server.listener("--silence") as bob,
        await server.caller("--silence") as alice,
    ):
        await alice.event("connected")
        async with await server.phone("carol", "dial", "bob", "--silence") as carol:
            assert await carol.end() == 1
            assert carol.ended == ("busy", None, "remote")
        alice.process.send_signal(signal.SIGINT)
        assert await alice.end() == 0
        await bob.event("ended")
        await bob.event("ended")
        bob.process.send_signal(signal.SIGINT)
        assert await bob.end() == 0
        assert [each["reason"] for each in bob.events if each["event"] == "ended"] == [
            "busy", "completed"
        ]  # fmt: skip


async def test_several_calls_at_a_time(server: Server, tmp_path: Path) -> None:
    record = tmp_path / "calls.wav"
    async with await server.listener(
        "--tone", "600", "--max-calls", "2", "--record", str(record)
    ) as bob:
        async with (
            await server.caller("--tone", "440", "--duration", "2") as alice,
            await server.phone("carol", "dial", "bob", "--tone", "350", "--duration", "2") as carol,
        ):
            assert [await alice.end(), await carol.end()] == [0, 0]
        await bob.event("ended")
        bob.process.send_signal(signal.SIGINT)
        assert await bob.end() == 0
    found = {heard(path)[1][0] for path in (record, tmp_path / "calls-2.wav")}
    assert found == {440, 350}


def test_a_new_user_hears_himself(tmp_path: Path) -> None:
    """Three commands: the server with its echo, a token, a call. Nothing but the checkout says where the API is."""
    kept = {key: value for key, value in os.environ.items() if key != "PYTHONPATH"}
    environment = kept | {"XDG_STATE_HOME": str(tmp_path), "PYTHONUNBUFFERED": "1"}
    record = tmp_path / "heard.wav"
    serving = subprocess.Popen(
        [*COMMAND, "serve", "--port", "0", "--echo"],
        env=environment, cwd=tmp_path, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
    )  # fmt: skip
    try:
        assert serving.stdout is not None
        url = serving.stdout.readline().strip()
        token = subprocess.run(
            [*COMMAND, "token", "alice"], env=environment, capture_output=True, text=True
        ).stdout.strip()
        done = subprocess.run(
            [*COMMAND, "dial", "echo", "--url", url, "--tone", "440", "--duration", "2", "--record", str(record)],
            env=environment | {"AOBA_TOKEN": token},
            cwd=tmp_path, capture_output=True, text=True, timeout=60,
        )  # fmt: skip
        assert (done.returncode, done.stdout) == (0, ""), done.stderr
        said = done.stderr.splitlines()
        assert said[0].startswith("ready as alice@localhost/")
        assert said[1] == "echo@localhost rings"
        assert said[-1] == "the call is over: completed after 0:02, by this end"
        assert heard(record)[1][0] == 440
        serving.send_signal(signal.SIGINT)
        out, err = serving.communicate(timeout=20)
        assert serving.returncode == 0 and "Traceback" not in err
    finally:
        serving.kill()
        serving.communicate()


def test_a_terminal_gets_a_live_line(tmp_path: Path) -> None:
    environment = os.environ | {"XDG_STATE_HOME": str(tmp_path), "TERM": "xterm"}
    with subprocess.Popen(
        [*COMMAND, "serve", "--port", "0", "--echo"],
        env=environment, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True,
    ) as serving:  # fmt: skip
        assert serving.stdout is not None
        url = serving.stdout.readline().strip()
        token = subprocess.run(
            [*COMMAND, "token", "alice"], env=environment, capture_output=True, text=True
        ).stdout.strip()
        ours, theirs = os.openpty()
        with subprocess.Popen(
            [*COMMAND, "dial", "echo", "--url", url, "--tone", "440", "--duration", "2"],
            env=environment | {"AOBA_TOKEN": token}, stdout=subprocess.PIPE, stderr=theirs,
        ) as dialing:  # fmt: skip
            os.close(theirs)
            shown = b""
            with contextlib.suppress(OSError):  # the terminal ends with the program
                while part := os.read(ours, 4096):
                    shown += part
            assert dialing.wait() == 0
        serving.terminate()
    text = shown.decode()
    assert re.search(
        r"\r\x1b\[Kecho@localhost  talking  0:01  you .  they .  loss 0.0%  MOS 4\.\d", text
    )
    assert "connected after" in text and text.strip().endswith("by this end")


async def test_the_first_device_to_accept_has_the_call(server: Server) -> None:
    async with (
        await server.listener("--ignore", "--once") as slow,
        await server.listener("--silence", "--once") as quick,
        await server.caller("--silence", "--duration", "1") as alice,
    ):
        assert [await alice.end(), await quick.end(), await slow.end()] == [0, 0, 0]
        assert slow.ended == ("cancelled", None, "remote")
        assert slow.names == ["ready", "incoming", "ended"]
        assert quick.ended[0] == "completed"
