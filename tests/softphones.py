"""What the tests of aoba-call share: phones as processes on a development server, their events, and what a recording holds."""

from __future__ import annotations

import asyncio
import json
import os
import subprocess
import sys
import wave
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any, Final, Self

import numpy as np
import pytest_asyncio
from aoba_runtime import devserver

ROOT: Final = Path(__file__).parents[1]
COMMAND: Final = [sys.executable, "-W", "error", "-m", "aoba_runtime.cli"]
SECRET: Final = "0123456789abcdef0123456789abcdef"
RATE: Final = 48_000
PATIENCE: Final = 60.0
"""Seconds for anything to happen on a busy machine."""


class Softphone:
    """A running `aoba-call`, and the events that it has printed."""

    def __init__(self, process: asyncio.subprocess.Process, token: str) -> None:
        self.process = process
        self.events: list[dict[str, Any]] = []
        self._token = token

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        if self.process.returncode is None:
            self.process.kill()
            await self.process.wait()

    async def event(self, name: str) -> dict[str, Any]:
        """The next event `name`; those before it are kept in `events`."""
        assert self.process.stdout is not None
        async with asyncio.timeout(PATIENCE):
            while line := await self.process.stdout.readline():
                event: dict[str, Any] = json.loads(line)
                assert isinstance(event["at"], float | int)
                self.events.append(event)
                if event["event"] == name:
                    return event
        raise AssertionError(f"no {name} among {self.events}")

    async def end(self) -> int:
        """Its exit code; what else it printed is read, and standard error is looked at."""
        assert self.process.stdout is not None and self.process.stderr is not None
        async with asyncio.timeout(PATIENCE):
            rest = await self.process.stdout.read()
            self.events += [json.loads(line) for line in rest.splitlines()]
            self.stderr = (await self.process.stderr.read()).decode()
            code = await self.process.wait()
        assert "Traceback" not in self.stderr and self._token not in self.stderr
        return code

    @property
    def names(self) -> list[str]:
        return [each["event"] for each in self.events if each["event"] != "stats"]

    @property
    def ended(self) -> tuple[object, object, object]:
        [event] = [each for each in self.events if each["event"] == "ended"]
        return event["reason"], event["duration"], event["by"]


class Server:
    """A development server, and phones that come to it."""

    def __init__(self, server: devserver.Server, home: Path) -> None:
        self.server = server
        self.environment = {
            **os.environ,
            "PYTHONPATH": str(ROOT / "generated"),
            "XDG_STATE_HOME": str(home),
        }

    async def phone(self, user: str, command: str, *args: str, token: str = "") -> Softphone:
        token = token or self.server.token(user)
        process = await asyncio.create_subprocess_exec(
            *COMMAND,
            *(command, "--url", self.server.url, "--json", *args),
            env=self.environment | {"AOBA_TOKEN": token},
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
        )
        return Softphone(process, token)

    def put_first(self, folder: Path) -> None:
        """Let phones from now on find the modules in a folder before all others."""
        self.environment["PYTHONPATH"] = f"{folder}{os.pathsep}{self.environment['PYTHONPATH']}"

    async def listener(self, *args: str) -> Softphone:
        """Bob, who is ready."""
        bob = await self.phone("bob", "listen", *args)
        ready = await bob.event("ready")
        assert ready["jid"].startswith("bob@localhost/")
        return bob

    async def caller(self, *args: str) -> Softphone:
        return await self.phone("alice", "dial", "bob@localhost", *args)


@pytest_asyncio.fixture
async def server(tmp_path: Path) -> AsyncIterator[Server]:
    async with devserver.serve(port=0, secret=SECRET) as running:
        yield Server(running, tmp_path)


def heard(path: Path, begin: float = 0.5, length: float = 1.0) -> list[tuple[int, float]]:
    """The loudest frequency and the level (RMS in 0..1) of each side of a recording, left first."""
    with wave.open(str(path)) as file:
        assert (file.getnchannels(), file.getframerate(), file.getsampwidth()) == (2, RATE, 2)
        pcm = np.frombuffer(file.readframes(file.getnframes()), dtype="<i2").reshape(-1, 2)
    part = pcm[round(begin * RATE) : round((begin + length) * RATE)].astype(float) / 32768
    assert len(part) >= RATE * length * 0.9
    found = []
    for side in part.T:
        spectrum = np.abs(np.fft.rfft(side))
        loudest = int(np.argmax(spectrum) * RATE / len(side) + 0.5)
        found.append((loudest, float(np.sqrt(np.mean(side**2)))))
    return found
