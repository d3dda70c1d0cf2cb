"""What every start command shares: options, state folder, secret, packages and child processes."""

from __future__ import annotations

import argparse
import asyncio
import base64
import contextlib
import ctypes
import fcntl
import json
import os
import re
import secrets
import shutil
import signal
import socket
import subprocess
import sys
from collections.abc import Coroutine, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

PATH = "/xmpp"
RESUME_SECONDS = 60
MIN_SECRET_BYTES = 32
TAIL_LINES = 20
NOT_READY = "Not ready: "
"""What our own module logs when the server is up and could serve nobody."""

EX_UNAVAILABLE = 69
"""Exit status when a program is missing and may not be installed."""


class StartError(Exception):
    """A server could not be started; the message says what to do."""


class Missing(StartError):
    """A program is not installed, and we may not install it."""


@dataclass(frozen=True)
class Options:
    """What the operator chose; `state` holds all that is written."""

    bind: str
    port: int
    domain: str
    state: Path
    secret_file: Path
    origins: tuple[str, ...]
    issuer: str | None
    audience: str | None
    rate: int
    tls_cert: Path | None
    tls_key: Path | None
    inner_ports: tuple[int, ...] = ()
    node_ports: tuple[int, ...] = ()

    @property
    def url(self) -> str:
        """Where clients connect."""
        return f"{'wss' if self.tls_cert else 'ws'}://{self.bind}:{self.port}{PATH}"


def add_tls(parser: argparse.ArgumentParser, scheme: str) -> None:
    """The options of a server that can speak TLS, which its URLs then say by `scheme`."""
    parser.add_argument("--tls-cert", type=Path, help=f"certificate chain, for {scheme}")
    parser.add_argument("--tls-key", type=Path, help="its private key")


def tls_of(parser: argparse.ArgumentParser, chosen: argparse.Namespace) -> tuple[Path, Path] | None:
    """Certificate chain and private key, where both were given; ends the program where one was."""
    if (chosen.tls_cert is None) != (chosen.tls_key is None):
        parser.error("--tls-cert and --tls-key belong together")
    return (chosen.tls_cert.absolute(), chosen.tls_key.absolute()) if chosen.tls_cert else None


def options(name: str, description: str, *, inner: int = 0, cluster: bool = False) -> Options:
    """Read the command line and the AOBA_ variables; create the state folder and, where missing, the secret."""
    env = os.environ.get
    cache = Path(env("XDG_CACHE_HOME") or Path.home() / ".cache")
    parser = argparse.ArgumentParser(prog=name, description=description)
    add = parser.add_argument
    add("--bind", default=env("AOBA_BIND", "127.0.0.1"), help="address to listen on [AOBA_BIND]")
    add("--port", type=int, default=int(env("AOBA_PORT", "8082")), help="[AOBA_PORT]")
    add("--domain", default=env("AOBA_DOMAIN", "localhost"), help="XMPP host [AOBA_DOMAIN]")
    add(
        "--state",
        type=Path,
        default=Path(env("AOBA_STATE") or cache / "aoba" / name),
        help="folder for everything that is written [AOBA_STATE]",
    )
    add(
        "--secret-file",
        type=Path,
        default=Path(env("AOBA_SECRET_FILE", "")) if env("AOBA_SECRET_FILE") else None,
        help="HS256 secret; generated in the state folder where not given [AOBA_SECRET_FILE]",
    )
    add(
        "--origin",
        action="append",
        default=None,
        metavar="URL",
        help="web page origin that may connect, repeatable [AOBA_ORIGINS, comma separated]",
    )
    add("--issuer", default=env("AOBA_ISSUER"), help="demanded `iss` claim [AOBA_ISSUER]")
    add("--audience", default=env("AOBA_AUDIENCE"), help="demanded `aud` claim [AOBA_AUDIENCE]")
    add(
        "--rate",
        type=int,
        default=int(env("AOBA_RATE", "256")),
        help="kB/s one client may send [AOBA_RATE]",
    )
    add_tls(parser, "wss://")
    if inner:
        add(
            "--inner-port",
            type=int,
            action="append",
            default=[],
            help=f"loopback port for our own use, {inner} of them; default: those after --port",
        )
    if cluster:
        add(
            "--node-port",
            type=int,
            action="append",
            default=[],
            help="also give each node an address of its own, for tests; repeat per node",
        )
    chosen = parser.parse_args()
    tls_cert, tls_key = tls_of(parser, chosen) or (None, None)
    inner_ports: list[int] = chosen.inner_port if inner else []
    if inner and not inner_ports:
        inner_ports = list(range(chosen.port + 1, chosen.port + 1 + inner))
    if len(inner_ports) != inner:
        parser.error(f"--inner-port is needed {inner} times, or never")
    state: Path = chosen.state.absolute()
    state.mkdir(parents=True, exist_ok=True, mode=0o700)
    origins = chosen.origin
    if origins is None:
        origins = [origin.strip() for origin in env("AOBA_ORIGINS", "").split(",")]
    return Options(
        bind=chosen.bind,
        port=chosen.port,
        domain=chosen.domain,
        state=state,
        secret_file=(chosen.secret_file or state / "secret").absolute(),
        origins=tuple(origin for origin in origins if origin),
        issuer=chosen.issuer,
        audience=chosen.audience,
        rate=chosen.rate,
        tls_cert=tls_cert,
        tls_key=tls_key,
        inner_ports=tuple(inner_ports),
        node_ports=tuple(chosen.node_port) if cluster else (),
    )


def demand_free(chosen: Options) -> None:
    """Raises StartError for a port that cannot be listened on."""
    wanted = [(chosen.bind, port) for port in (chosen.port, *chosen.node_ports)]
    wanted += [("127.0.0.1", port) for port in chosen.inner_ports]
    for host, port in wanted:
        try:
            family, kind, protocol, _, address = socket.getaddrinfo(
                host, port, type=socket.SOCK_STREAM
            )[0]
            with socket.socket(family, kind, protocol) as probe:
                probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
                probe.bind(address)
        except OSError as error:
            raise StartError(
                f"cannot listen on {host} port {port}: {error.strerror}; see --port"
            ) from error


def write_private(path: Path, text: str) -> None:
    """Write a file that only we can read."""
    path.unlink(missing_ok=True)
    with open(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
        file.write(text)


def read_secret(path: Path) -> bytes:
    """The HS256 key: the file's bytes without white space at the end, at least 32 of them (RFC 7518, 3.2)."""
    try:
        key = path.read_bytes().rstrip()
    except OSError as error:
        raise StartError(f"cannot read the secret: {error}") from error
    if len(key) < MIN_SECRET_BYTES:
        raise StartError(f"{path}: the secret has {len(key)} bytes, at least 32 are needed")
    return key


def secret(chosen: Options) -> bytes:
    """The operator's secret, or a new one for development in the state folder."""
    if not chosen.secret_file.exists() and chosen.secret_file.parent == chosen.state:
        write_private(chosen.secret_file, secrets.token_urlsafe(48) + "\n")
    return read_secret(chosen.secret_file)


def jwk(key: bytes) -> str:
    """The key as a JSON Web Key (RFC 7517), the form ejabberd reads."""
    k = base64.urlsafe_b64encode(key).rstrip(b"=").decode()
    return json.dumps({"kty": "oct", "alg": "HS256", "k": k})


def program(name: str, package: str) -> str:
    """Path of a program; installs its Debian package when we are root, else says what to install."""
    places = os.pathsep.join([os.environ.get("PATH", os.defpath), "/usr/sbin", "/sbin"])
    if found := shutil.which(name, path=places):
        return found
    hint = f"{name} is missing: run `apt-get install {package}` as root"
    if os.geteuid() != 0 or not shutil.which("apt-get"):
        raise Missing(hint)
    # RUNLEVEL=1 keeps the package from starting a service of its own.
    env = os.environ | {"DEBIAN_FRONTEND": "noninteractive", "RUNLEVEL": "1"}
    with open("/run/aoba-gen-apt.lock", "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)  # apt-get refuses to run beside another one
        for step in (["update"], ["install", "-y", "--no-install-recommends", package]):
            done = subprocess.run(["apt-get", "-q", *step], env=env, stdout=sys.stderr, check=False)
            if done.returncode and step != ["update"]:
                raise Missing(hint)
    if found := shutil.which(name, path=places):
        return found
    raise Missing(hint)


def die_with_parent() -> None:
    """In a child on Linux: be told to stop when the launcher is killed outright (prctl(2), PR_SET_PDEATHSIG)."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(1, signal.SIGTERM)


class Child:
    """One server process: its output goes to a log file, and lines of it, in any order, say that the server is ready."""

    def __init__(
        self, name: str, command: Sequence[str | Path], log: Path, *ready: str, **env: str
    ) -> None:
        self.name = name
        self.log = log
        self._command = [str(part) for part in command]
        self._env: Mapping[str, str] = {**os.environ, "AOBA_STOP_AT_EOF": "", **env}
        self._ready = [re.compile(line) for line in ready]
        self._process: asyncio.subprocess.Process | None = None
        self._reader: asyncio.Task[None] | None = None

    @property
    def pid(self) -> int | None:
        """Its process id while it runs."""
        process = self._process
        return process.pid if process and process.returncode is None else None

    async def start(self, within: float) -> None:
        """Start it and return when it is ready. Raises StartError with the end of its log, or the time that passed."""
        self._process = await asyncio.create_subprocess_exec(
            *self._command,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            env=self._env,
            limit=1 << 20,
            preexec_fn=die_with_parent,
        )
        ready = asyncio.get_running_loop().create_future()
        self._reader = asyncio.create_task(self._read(self._process, ready))
        try:
            async with asyncio.timeout(within):
                up: bool = await ready
        except TimeoutError:
            await self.stop()
            raise StartError(f"{self.name} was not ready in {within:g} s; see {self.log}") from None
        except BaseException:
            await self.stop()
            raise
        if not up:
            await self.stop()
            tail = self.log.read_text(errors="replace").splitlines()[-TAIL_LINES:]
            raise StartError("\n".join([f"{self.name} did not start:", *tail]))

    async def _read(self, process: asyncio.subprocess.Process, ready: asyncio.Future[bool]) -> None:
        assert process.stdout is not None
        awaited = list(self._ready)
        with self.log.open("ab", buffering=0) as log:
            while line := await process.stdout.readline():
                log.write(line)
                text = line.decode(errors="replace")
                if NOT_READY in text and not ready.done():
                    break
                if seen := next((known for known in awaited if known.search(text)), None):
                    awaited.remove(seen)
                    if not awaited and not ready.done():
                        ready.set_result(True)
        if not ready.done():
            ready.set_result(False)

    async def stop(self, grace: float = 10) -> None:
        """End it: SIGTERM, and SIGKILL for what is left after the grace."""
        process = self._process
        if process is None:
            return
        with contextlib.suppress(ProcessLookupError):
            process.terminate()
        try:
            async with asyncio.timeout(grace):
                await process.wait()
        except TimeoutError:
            with contextlib.suppress(ProcessLookupError):
                process.kill()
            await process.wait()
        if self._reader is not None:
            await self._reader

    async def ended(self) -> Child:
        """Wait until it ends by itself or by another's hand."""
        assert self._process is not None
        await self._process.wait()
        return self


def stop_on_signals() -> None:
    """Make the first SIGTERM, SIGINT or SIGHUP cancel the calling task; further ones are ignored.

    With AOBA_STOP_AT_EOF set, so does the end of standard input: whoever holds the other end cannot leave us behind.
    """
    task = asyncio.current_task()
    assert task is not None
    stopping = False

    def stop() -> None:
        nonlocal stopping
        if not stopping:
            stopping = True
            task.cancel()

    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        loop.add_signal_handler(number, stop)
    if os.environ.get("AOBA_STOP_AT_EOF"):

        def end_of_input() -> None:
            loop.remove_reader(0)
            stop()

        loop.add_reader(0, end_of_input)


async def hold(children: Iterable[Child]) -> None:
    """Wait, until cancelled. Raises StartError as soon as a child ends."""
    waits = [asyncio.create_task(child.ended()) for child in children]
    try:
        done, _ = await asyncio.wait(waits, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for task in waits:
            task.cancel()
    child = done.pop().result()
    raise StartError(f"{child.name} ended; see {child.log}")


def announce(name: str, chosen: Options) -> None:
    """The one line on standard output."""
    print(
        f"{name} is ready at {chosen.url} "
        f"(domain {chosen.domain}, secret {chosen.secret_file}, logs in {chosen.state})",
        flush=True,
    )


def run(main: Coroutine[Any, Any, None]) -> None:
    """Run a start command to its exit status; cancelled by a signal is a clean end."""
    try:
        asyncio.run(main)
    except asyncio.CancelledError:
        pass
    except StartError as error:
        print(error, file=sys.stderr)
        sys.exit(EX_UNAVAILABLE if isinstance(error, Missing) else 1)
