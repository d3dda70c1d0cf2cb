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


@asynccontextmanager
async def bot(
    server: devserver.Server, user: str, name: str, *args: str
) -> AsyncIterator[list[str]]:
    """A bot that is ready; what it printed is in the list once it has ended, by Ctrl-C and without an error."""
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        *(str(ROOT / "examples" / name), *args, server.url),
        env=environment(server.token(user)),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )
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


async def output(server: devserver.Server, user: str, *command: str) -> str:
    """What a program prints; it must succeed."""
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        *command,
        env=environment(server.token(user)),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )
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
            r"completed 4\nconnected +p50 \d+  p95 \d+  max \d+ ms\nfirst audio +p50 .*ms\n",
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
