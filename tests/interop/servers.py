"""Real XMPP servers for tests: started from deploy/, on free loopback ports, in a folder of the test, and always reaped.

    async with prosody(tmp_path) as server:      # or `with`, in a session fixture: no event loop is held
        xmpp.connect(server.url, token=server.token("alice"))

A server whose packages are missing and may not be installed skips the test and says what to install.
"""

from __future__ import annotations

import asyncio
import atexit
import contextlib
import itertools
import os
import random
import re
import select
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any, Final, Self

import jwt
import pytest

DEPLOY = Path(__file__).resolve().parents[2] / "deploy"
EX_UNAVAILABLE = 69
START_SECONDS = 300.0
"""Enough for a package installation; a plain start takes 0.5 to 5 s."""

STOP_SECONDS = 30.0
TAIL_LINES = 40


class ServerError(RuntimeError):
    """A server did not do as told; the message ends with its logs."""


def _own_ports() -> Iterator[int]:
    """Ports of this test process alone, over and over, from any on: below those that a system gives to who asks for any."""
    worker = int(os.environ.get("PYTEST_XDIST_WORKER", "gw0")[2:])
    first = 20_000 + worker % 8 * 1_500
    begin = random.randrange(1_500)
    return (first + (begin + count) % 1_500 for count in itertools.count())


_PORTS: Final = _own_ports()


def free_ports(count: int) -> list[int]:
    """Loopback ports nobody listens on, all different, and that nobody else takes before their server does."""
    found: list[int] = []
    while len(found) < count:
        with socket.socket() as one, contextlib.suppress(OSError):
            one.bind(("127.0.0.1", port := next(_PORTS)))
            found.append(port)
    return found


class Running:
    """One process that a command of deploy/ holds, its port and its folder; a context manager, with `async with` or `with`."""

    def __init__(self, name: str, folder: Path, command: Path, *options: str) -> None:
        self.name = name
        self.state = folder / name
        self.port = free_ports(1)[0]
        self._process: subprocess.Popen[bytes] | None = None
        self._unread = b""
        self._command = [str(command), "--port", str(self.port), "--state", str(self.state)]
        self._command += options

    def logs(self, lines: int | None = None) -> str:
        """All logs, or the end of each."""
        parts: list[str] = []
        for path in sorted(self.state.glob("*.log")):
            text = path.read_text(errors="replace").splitlines()
            parts += [f"--- {path}", *(text if lines is None else text[-lines:])]
        return "\n".join(parts)

    async def start(self) -> None:
        """Start it and return when clients may connect."""
        await asyncio.to_thread(self._start)

    async def stop(self) -> None:
        """End it as an operator would, with SIGTERM."""
        await asyncio.to_thread(self._stop)

    async def kill(self) -> None:
        """End all its processes at once, with SIGKILL; `start` brings it back on the same ports with the same data."""
        await asyncio.to_thread(self._kill)

    async def restart(self) -> None:
        """Stop and start, on the same ports with the same data."""
        await self.stop()
        await self.start()

    def __enter__(self) -> Self:
        self._start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if error is not None:
            error.add_note(self.logs(TAIL_LINES))
        self._stop()

    async def __aenter__(self) -> Self:
        await self.start()
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        await asyncio.to_thread(self.__exit__, kind, error, trace)

    def _start(self) -> None:
        assert self._process is None, "already started"
        self.state.mkdir(parents=True, exist_ok=True)
        with (self.state / "run.log").open("ab") as log:
            self._process = subprocess.Popen(
                self._command,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=log,
                env=os.environ | {"PYTHON": sys.executable, "AOBA_STOP_AT_EOF": "yes"},
                start_new_session=True,
            )
        atexit.register(self._kill)
        self._unread = b""
        try:
            self._await_line(r" is ready at ", START_SECONDS)
        except BaseException:
            self._kill()
            raise

    def _await_line(self, pattern: str, within: float) -> None:
        """Read what it prints up to a line that matches."""
        process = self._process
        assert process is not None and process.stdout is not None
        deadline = time.monotonic() + within
        while True:
            *lines, self._unread = self._unread.split(b"\n")
            if any(re.search(pattern, line.decode(errors="replace")) for line in lines):
                return
            left = deadline - time.monotonic()
            if left <= 0 or not select.select([process.stdout], [], [], left)[0]:
                raise ServerError(f"{self.name}: no {pattern!r} in {within} s\n{self.logs(40)}")
            if not (chunk := os.read(process.stdout.fileno(), 4096)):
                status = process.wait()
                said = (self.state / "run.log").read_text(errors="replace").strip()
                if status == EX_UNAVAILABLE:
                    pytest.skip(said.splitlines()[-1])
                raise ServerError(f"{self.name}: ended with {status}\n{self.logs(40)}")
            self._unread += chunk

    def _stop(self) -> None:
        if self._process is not None and self._process.poll() is None:
            self._process.terminate()
            with contextlib.suppress(subprocess.TimeoutExpired):
                self._process.wait(STOP_SECONDS)
        self._kill()

    def _kill(self) -> None:
        process, self._process = self._process, None
        if process is None:
            return
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()
        for pipe in (process.stdin, process.stdout):
            if pipe is not None:
                pipe.close()
        atexit.unregister(self._kill)


class RunningServer(Running):
    """An XMPP server, and tokens for it."""

    def __init__(
        self,
        name: str,
        command: Path,
        folder: Path,
        *,
        domain: str = "localhost",
        origins: Sequence[str] = (),
        rate: int = 256,
        tls: tuple[Path, Path] | None = None,
        inner_ports: Sequence[int] = (),
        options: Sequence[str] = (),
    ) -> None:
        chosen = ["--domain", domain, "--rate", str(rate), *options]
        for origin in origins:
            chosen += ["--origin", origin]
        for port in inner_ports:
            chosen += ["--inner-port", str(port)]
        if tls:
            chosen += ["--tls-cert", str(tls[0]), "--tls-key", str(tls[1])]
        super().__init__(name, folder, command, *chosen)
        self.domain = domain
        self.url = f"{'wss' if tls else 'ws'}://127.0.0.1:{self.port}/xmpp"
        self.tokens: list[str] = []

    @property
    def secret(self) -> str:
        """The HS256 secret, made by the first start."""
        return (self.state / "secret").read_text().strip()

    def token(
        self, user: str, *, key: str | None = None, algorithm: str = "HS256", **claims: Any
    ) -> str:
        """A token for an hour. A claim given replaces its default; None leaves it out."""
        now = int(time.time())
        given = {"sub": user, "iat": now, "exp": now + 3600} | claims
        given = {name: value for name, value in given.items() if value is not None}
        token = jwt.encode(given, self.secret if key is None else key, algorithm=algorithm)
        self.tokens.append(token)
        return token


class RunningEjabberd(RunningServer):
    """ejabberd behind its gateway; `plain_url` is ejabberd itself, which knows PLAIN with the token and no cookie."""

    def __init__(self, folder: Path, **options: Any) -> None:
        ports = free_ports(1)
        super().__init__(
            "ejabberd", DEPLOY / "ejabberd" / "run", folder, inner_ports=ports, **options
        )
        self.plain_url = f"ws://127.0.0.1:{ports[0]}/xmpp"


class RunningCluster(RunningServer):
    """Two ejabberd nodes; `url` takes them in turn, `node_urls[0]` and `[1]` are gateways to one node each."""

    def __init__(self, folder: Path, **options: Any) -> None:
        *inner, first, second = free_ports(5)
        super().__init__(
            "ejabberd-cluster",
            DEPLOY / "ejabberd" / "cluster",
            folder,
            inner_ports=inner,
            options=["--node-port", str(first), "--node-port", str(second)],
            **options,
        )
        self.node_urls = tuple(f"ws://127.0.0.1:{port}/xmpp" for port in (first, second))

    async def kill_node(self, number: int) -> None:
        """SIGKILL node 1 or 2; returns when the process is gone."""
        pid = int((self.state / f"node{number}.pid").read_text())
        await asyncio.to_thread(_kill_and_wait, pid)

    async def start_node(self, number: int) -> None:
        """Start a killed node again; returns when it is back in the cluster and its port accepts."""
        assert self._process is not None
        self._process.send_signal(signal.SIGUSR1)
        await asyncio.to_thread(self._await_line, rf"^node{number} is ready", START_SECONDS)


class RunningCoturn(Running):
    """A TURN relay on loopback, with one user; `tls` are certificate and key."""

    user = "aoba"

    def __init__(self, folder: Path, tls: tuple[Path, Path] | None = None) -> None:
        (self.tls_port,) = free_ports(1)
        chosen = ["--relay-ports", "49152-50151"]
        if tls:
            chosen += ["--tls-cert", str(tls[0]), "--tls-key", str(tls[1])]
            chosen += ["--tls-port", str(self.tls_port)]
        super().__init__("coturn", folder, DEPLOY / "coturn" / "run", *chosen)

    @property
    def password(self) -> str:
        """The user's password, made by the first start."""
        return self.password_file.read_text().strip()

    @property
    def password_file(self) -> Path:
        """Where the password stands."""
        return self.state / "password"

    def url(self, transport: str = "udp") -> str:
        """Where clients ask for a relay (RFC 7065), over "udp", "tcp" or "tls"."""
        if transport == "tls":
            return f"turns:127.0.0.1:{self.tls_port}"
        return f"turn:127.0.0.1:{self.port}?transport={transport}"


def _kill_and_wait(pid: int) -> None:
    """SIGKILL, and wait for the end of a process that is not our child."""
    handle = os.pidfd_open(pid)
    try:
        signal.pidfd_send_signal(handle, signal.SIGKILL)
        select.select([handle], [], [], STOP_SECONDS)
    finally:
        os.close(handle)


def prosody(folder: Path, **options: Any) -> RunningServer:
    """Prosody with our modules. Options: domain, origins, rate (kB/s), tls (certificate, key)."""
    return RunningServer("prosody", DEPLOY / "prosody" / "run", folder, **options)


def ejabberd(folder: Path, **options: Any) -> RunningEjabberd:
    """ejabberd with the gateway; options as above."""
    return RunningEjabberd(folder, **options)


def ejabberd_cluster(folder: Path, **options: Any) -> RunningCluster:
    """Two clustered ejabberd nodes behind one address; options as above."""
    return RunningCluster(folder, **options)


def coturn(folder: Path, tls: tuple[Path, Path] | None = None) -> RunningCoturn:
    """coturn, relaying from and to loopback."""
    return RunningCoturn(folder, tls)
