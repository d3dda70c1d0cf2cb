"""The bots among the examples, as programs on a development server with real voice, called as their docstrings say."""

from __future__ import annotations

import asyncio
import os
import re
import signal
import subprocess
import sys
import wave
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Final

import numpy as np
import pytest
import pytest_asyncio
from aoba_runtime import devserver

ROOT: Final = Path(__file__).parents[1]


@pytest_asyncio.fixture
async def server() -> AsyncIterator[devserver.Server]:
    async with devserver.serve(port=0) as running:
        yield running


def environment(token: str) -> dict[str, str]:
    return {
        **os.environ,
        "PYTHONPATH": str(ROOT / "generated"),
        "PYTHONWARNINGS": "error",
        "AOBA_TOKEN": token,
    }


async def started(token: str, *words: str) -> asyncio.subprocess.Process:
    """A program of Python, or a module of it, at whose outputs we listen."""
    return await asyncio.create_subprocess_exec(
        sys.executable,
        *words,
        env=environment(token),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )


def example(name: str) -> str:
    return str(ROOT / "examples" / name)


def silent(file: Path, seconds: int) -> Path:
    """A file in which nothing is said."""
    with wave.open(str(file), "wb") as written:
        written.setparams((1, 2, 16_000, 0, "NONE", ""))
        written.writeframes(bytes(32_000 * seconds))
    return file


@asynccontextmanager
async def bot(
    server: devserver.Server, user: str, name: str, *args: str
) -> AsyncIterator[list[str]]:
    """A bot that is ready; what it printed is in the list once it has ended, by Ctrl-C and without an error."""
    process = await started(server.token(user), example(name), *args, server.url)
    assert process.stdout is not None
    try:
        async with asyncio.timeout(20):
            said = [(await process.stdout.readline()).decode().strip()]
        yield said
        process.send_signal(signal.SIGINT)
        async with asyncio.timeout(20):
            out, err = await process.communicate()
        assert (process.returncode, err) == (0, b"")
        said += out.decode().splitlines()
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()


async def failure(token: str, name: str, *args: str) -> tuple[int | None, str, str]:
    """How a program ends that cannot work: its exit code, what it prints, and its complaint."""
    process = await started(token, example(name), *args)
    async with asyncio.timeout(60):
        out, err = await process.communicate()
    return process.returncode, out.decode(), err.decode()


async def output(server: devserver.Server, user: str, *command: str) -> str:
    """What a program prints; it must succeed."""
    process = await started(server.token(user), *command)
    async with asyncio.timeout(60):
        out, err = await process.communicate()
    assert process.returncode == 0, err.decode()
    return out.decode()


async def test_load_on_the_echo_bot(server: devserver.Server) -> None:
    async with bot(server, "echo", "echo_bot.py") as said:
        program = str(ROOT / "examples" / "load_generator.py")
        options = ["--url", server.url, "--calls", "4", "--at-once", "2", "--seconds", "0.5"]
        printed = await output(server, "load", program, "echo@localhost", *options)
        assert re.fullmatch(
            r"4 completed\nconnected +p50 \d+  p95 \d+  max \d+ ms\nfirst audio +p50 .*ms\n",
            printed,
        )
    assert said[0].startswith("ready as echo@localhost/")
    assert len(said) == 5


async def test_an_announcement_is_heard_to_its_end(
    server: devserver.Server, tmp_path: Path
) -> None:
    news, record = tmp_path / "news.wav", tmp_path / "heard.wav"
    with wave.open(str(news), "wb") as file:
        file.setparams((1, 2, 16_000, 0, "NONE", ""))
        tone = np.sin(np.arange(16_000 * 2) * (2 * np.pi * 700 / 16_000)) * 8000
        file.writeframes(tone.astype("<i2").tobytes())
    async with bot(server, "news", "announcement_bot.py", str(news)) as said:
        options = ["--url", server.url, "--silence", "--json", "--record", str(record)]
        printed = await output(
            server, "alice", "-m", "aoba_runtime.cli", "dial", "news@localhost", *options
        )
        assert re.search('"reason": "completed", "duration": [12], "by": "remote"', printed)
    assert re.fullmatch(r"alice@localhost/\S+ completed [12]", said[1])
    with wave.open(str(record)) as file:
        pcm = np.frombuffer(file.readframes(file.getnframes()), dtype="<i2").reshape(-1, 2)[:, 1]
    second = pcm[24_000:72_000]
    assert int(np.argmax(np.abs(np.fft.rfft(second)))) == 700


NEWS: Final = ["announcement_bot.py", str(ROOT / "tests" / "test_example_bots.py")]
WRONG: Final = {
    "no token": (["echo_bot.py"], 2, "there is no token in AOBA_TOKEN; aoba-call token echo prints one"),
    "no file": (["announcement_bot.py"], 2, "the following arguments are required: file"),
    "no such file": (["announcement_bot.py", "nowhere.wav"], 1, "nowhere.wav: No such file or directory"),
    "no sound": (NEWS, 1, "this is no sound file that FFmpeg can read, or it is damaged"),
    "no URL": (["echo_bot.py", "rubbish"], 1, "a WebSocket URL is ws://host or wss://host"),
    "no server": (["echo_bot.py", "ws://localhost:9/xmpp"], 1, "cannot be reached"),
    "no calls": (["load_generator.py", "echo", "--calls", "0"], 2, "0 is too few; 1 is the least"),
    "not encrypted": (["load_generator.py", "echo", "--url", "ws://192.0.2.1"], 1, "use wss://"),
}  # fmt: skip


@pytest.mark.parametrize("case", WRONG)
async def test_a_wrong_call_of_a_program_is_answered_in_a_sentence(case: str) -> None:
    command, code, complaint = WRONG[case]
    returned, out, err = await failure("" if case == "no token" else "token", *command)
    assert (returned, out) == (code, "")
    assert err.rstrip().endswith(complaint) or complaint in err.splitlines()[-1]
    assert "Traceback" not in err


async def test_load_on_nobody_fails_and_says_why(server: devserver.Server) -> None:
    options = ["nobody@localhost", "--url", server.url, "--calls", "2"]
    returned, out, err = await failure(server.token("load"), "load_generator.py", *options)
    assert (returned, err) == (1, "")
    assert out.startswith("2 failed: nobody@localhost cannot be reached")


@pytest.mark.parametrize("name", ["echo_bot.py", "announcement_bot.py"])
async def test_a_bot_ends_that_is_not_let_in_again(tmp_path: Path, name: str) -> None:
    """The server comes back with another secret: the bot would stand there for ever, and nobody could call it."""
    news = silent(tmp_path / "news.wav", 1)
    files = [str(news)] if name == "announcement_bot.py" else []
    async with devserver.serve(port=0) as server:
        process = await started(server.token("bot"), example(name), *files, server.url)
        assert process.stdout is not None
        async with asyncio.timeout(30):
            assert (await process.stdout.readline()).startswith(b"ready as ")
    try:
        async with devserver.serve(port=int(server.url.rpartition(":")[2].partition("/")[0])):
            async with asyncio.timeout(30):
                _, err = await process.communicate()
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
    assert process.returncode == 1
    assert re.fullmatch(rf"{name}: \S+ refused the token .*\n", err.decode())


@pytest.mark.parametrize("stop", [signal.SIGINT, signal.SIGTERM])
@pytest.mark.parametrize("name", ["echo_bot.py", "announcement_bot.py"])
async def test_a_bot_that_is_stopped_in_a_call_hangs_up(
    server: devserver.Server, tmp_path: Path, name: str, stop: signal.Signals
) -> None:
    """Service managers send SIGTERM: the caller would hear nothing for 15 s, and then a failure."""
    news = silent(tmp_path / "news.wav", 60)
    files = [str(news)] if name == "announcement_bot.py" else []
    running = await started(server.token("bot"), example(name), *files, server.url)
    dial = ["-m", "aoba_runtime.cli", "dial", "bot@localhost", "--silence", "--json"]
    programs = [running]
    try:
        assert running.stdout is not None
        async with asyncio.timeout(60):
            assert (await running.stdout.readline()).startswith(b"ready as ")
            caller = await started(server.token("alice"), *dial, "--url", server.url)
            programs.append(caller)
            assert caller.stdout is not None
            while b"first-audio" not in (line := await caller.stdout.readline()):
                assert line
            running.send_signal(stop)
            out, _ = await caller.communicate()
            _, err = await running.communicate()
    finally:
        for process in programs:
            if process.returncode is None:
                process.kill()
                await process.wait()
    assert re.search(rb'"reason": "completed", "duration": \d+, "by": "remote"', out)
    assert (caller.returncode, running.returncode, err) == (0, 0, b"")


async def test_a_file_that_goes_does_not_end_the_bot(
    server: devserver.Server, tmp_path: Path
) -> None:
    news = silent(tmp_path / "news.wav", 1)
    process = await started(
        server.token("news"), example("announcement_bot.py"), str(news), server.url
    )
    assert process.stdout is not None
    try:
        async with asyncio.timeout(30):
            assert (await process.stdout.readline()).startswith(b"ready as ")
        news.unlink()
        dial = ["-m", "aoba_runtime.cli", "dial", "news@localhost", "--silence"]
        for _ in range(2):
            await output(server, "alice", *dial, "--url", server.url)
        process.send_signal(signal.SIGINT)
        async with asyncio.timeout(30):
            out, err = await process.communicate()
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
    assert process.returncode == 0
    assert err.decode() == f"{news}: No such file or directory\n" * 2
    assert len(out.decode().splitlines()) == 2
