"""aoba-call serve and token, as processes: what they print, how they end, and that a token opens the server."""

from __future__ import annotations

import asyncio
import logging
import os
import signal
import socket
import stat
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import jwt
import pytest
import websockets
from aoba_runtime.cli_common import Sparse
from websockets.exceptions import InvalidStatus
from websockets.typing import Subprotocol

ROOT = Path(__file__).parents[1]
COMMAND = [sys.executable, "-W", "error", "-m", "aoba_call"]


@pytest.fixture
def environment(tmp_path: Path) -> dict[str, str]:
    """A user who has nothing yet."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("XDG_")}
    return kept | {"HOME": str(tmp_path), "XDG_STATE_HOME": str(tmp_path / "state")}


def run(environment: dict[str, str], *args: str) -> subprocess.CompletedProcess[str]:
    done = subprocess.run(
        [*COMMAND, *args], env=environment, capture_output=True, text=True, timeout=30
    )
    assert "Traceback" not in done.stderr
    return done


class Serving:
    """A server process that listens already."""

    def __init__(self, environment: dict[str, str], *args: str) -> None:
        self.process = subprocess.Popen(
            [*COMMAND, "serve", *args],
            env=environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        assert self.process.stdout is not None
        self.url = self.process.stdout.readline().strip()

    def stop(self, number: int) -> tuple[int, str, str]:
        """Its exit code, and what else it printed."""
        self.process.send_signal(number)
        out, err = self.process.communicate(timeout=30)
        return self.process.returncode, out, err


@pytest.fixture
def serving(environment: dict[str, str]) -> Iterator[Serving]:
    server = Serving(environment, "--port", "0")
    yield server
    server.process.kill()
    server.process.communicate()


async def status(url: str, token: str) -> int:
    """The HTTP status that answers an upgrade request with this token."""
    try:
        async with websockets.connect(
            url,
            subprotocols=[Subprotocol("xmpp")],
            additional_headers={"Cookie": f"auth_token={token}"},
            proxy=None,
        ):
            return 101
    except InvalidStatus as error:
        return error.response.status_code


def test_token_opens_the_server(
    serving: Serving, environment: dict[str, str], tmp_path: Path
) -> None:
    assert serving.url.startswith("ws://localhost:") and serving.url.endswith("/xmpp")
    done = run(environment, "token", "alice")
    assert (done.returncode, done.stderr) == (0, "")
    token = done.stdout.strip()
    assert done.stdout == token + "\n"
    assert asyncio.run(status(serving.url, token)) == 101
    other = run(environment, "token", "alice", "--secret-file", str(tmp_path / "other"))
    assert asyncio.run(status(serving.url, other.stdout.strip())) == 401
    code, out, err = serving.stop(signal.SIGTERM)
    assert (code, out) == (0, "") and token not in err


def test_claims_and_secret_file(environment: dict[str, str], tmp_path: Path) -> None:
    done = run(environment, "token", "alice", "--ttl", "90")
    file = tmp_path / "state" / "aoba" / "dev-secret"
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert list(file.parent.iterdir()) == [file]
    secret = file.read_text()
    assert len(secret) == 64 and secret == secret.strip()
    claims = jwt.decode(done.stdout.strip(), secret, algorithms=["HS256"])
    assert set(claims) == {"sub", "iat", "exp"}
    assert claims["sub"] == "alice" and claims["exp"] - claims["iat"] == 90
    run(environment, "token", "bob")
    assert file.read_text() == secret


def test_processes_that_start_together_agree(environment: dict[str, str]) -> None:
    started = [
        subprocess.Popen([*COMMAND, "token", "alice"], env=environment, stdout=subprocess.PIPE)
        for _ in range(6)
    ]
    made = [process.communicate(timeout=30)[0].decode().strip() for process in started]
    file = Path(environment["XDG_STATE_HOME"]) / "aoba" / "dev-secret"
    for token in made:
        jwt.decode(token, file.read_text(), algorithms=["HS256"])


def test_secret_file_of_ones_own(environment: dict[str, str], tmp_path: Path) -> None:
    file = tmp_path / "secret"
    file.write_text("s" * 40 + "\n")
    file.chmod(0o644)
    done = run(environment, "token", "alice", "--secret-file", str(file))
    assert done.returncode == 0 and "chmod 600" in done.stderr
    jwt.decode(done.stdout.strip(), "s" * 40, algorithms=["HS256"])


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_stops_cleanly_with_clients_on(
    serving: Serving, environment: dict[str, str], number: int
) -> None:
    token = run(environment, "token", "alice").stdout.strip()

    async def stay() -> int | None:
        async with websockets.connect(
            serving.url,
            subprotocols=[Subprotocol("xmpp")],
            additional_headers={"Cookie": f"auth_token={token}"},
            proxy=None,
        ) as client:
            serving.process.send_signal(number)
            await client.wait_closed()
            return client.close_code

    assert asyncio.run(stay()) == 1001
    out, err = serving.process.communicate(timeout=30)
    assert (serving.process.returncode, out) == (0, "")
    assert "Traceback" not in err and "Warning" not in err


def test_port_in_use(environment: dict[str, str]) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        done = run(environment, "serve", "--port", str(port))
    assert (done.returncode, done.stdout) == (3, "")
    assert done.stderr == (
        f"aoba-call: port {port} on 127.0.0.1 is in use; stop what listens there, or choose another --port\n"
    )


def test_address_that_is_not_ours(environment: dict[str, str]) -> None:
    for host in ("192.0.2.1", "nowhere.invalid"):
        done = run(environment, "serve", "--port", "0", "--host", host)
        assert (done.returncode, done.stdout) == (3, "")
        assert done.stderr.startswith(f"aoba-call: cannot listen on {host} port 0: ")


def test_visitors_who_speak_no_websocket(serving: Serving) -> None:
    port = int(serving.url.split(":")[2].split("/")[0])
    for rubbish in (
        b"hello\r\n\r\n",
        b"\x16\x03\x01" * 9 + b"\r\n",
        b"GET / HTTP/1.1\r\n\r\n",
        b"",
    ):
        with socket.create_connection(("127.0.0.1", port)) as visitor:
            visitor.sendall(rubbish)
            visitor.shutdown(socket.SHUT_WR)
            while visitor.recv(4096):
                pass
    code, _, err = serving.stop(signal.SIGINT)
    assert code == 0 and "Traceback" not in err


@pytest.mark.parametrize(
    ("args", "said"),
    [
        (["token"], "Missing argument 'USER'"),
        (["token", "al ice"], "'al ice' is no user name"),
        (["token", "alice/phone"], "is no user name"),
        (["token", "alice", "--ttl", "0"], "a token cannot last 0 s"),
        (["token", "alice", "--ttl", "nan"], "a token cannot last nan s"),
        (["token", "alice", "--ttl", "soon"], "Invalid value for '--ttl'"),
        (["serve", "--port", "70000"], "Invalid value for '--port'"),
        (["serve", "now"], "unexpected extra argument"),
        (["dance"], "No such command 'dance'"),
    ],
)
def test_wrong_call(environment: dict[str, str], args: list[str], said: str) -> None:
    done = run(environment, *args)
    assert (done.returncode, done.stdout) == (2, "")
    assert said in done.stderr


@pytest.mark.parametrize("command", [["serve", "--port", "0"], ["token", "alice"]])
def test_unusable_secret_file(
    environment: dict[str, str], tmp_path: Path, command: list[str]
) -> None:
    short = tmp_path / "short"
    short.write_text("hunter2")
    short.chmod(0o600)
    under = short / "dev-secret"
    for file, said in ((short, "the secret has 7 bytes"), (under, "cannot use the secret file")):
        done = run(environment, *command, "--secret-file", str(file))
        assert (done.returncode, done.stdout) == (2, "")
        assert said in done.stderr and "hunter2" not in done.stderr
        assert done.stderr.count("\n") == 1


@pytest.mark.skipif(os.name == "nt", reason="Windows has no signals between processes")
def test_ctrl_c_while_it_starts(environment: dict[str, str], tmp_path: Path) -> None:
    (tmp_path / "pydantic.py").write_text("print('importing', flush=True); input()\n")
    with subprocess.Popen(
        [*COMMAND, "token", "alice"],
        env=environment | {"PYTHONPATH": f"{tmp_path}{os.pathsep}{ROOT / 'runtime'}"},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stdout is not None and process.stdout.readline() == "importing\n"
        process.send_signal(signal.SIGINT)
        _, err = process.communicate(timeout=30)
    assert (process.returncode, err) == (-signal.SIGINT, "")


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="this system has no /dev/full")
@pytest.mark.parametrize("words", ["token alice", "--help", "--version", "dial --help"])
def test_a_full_disk_behind_what_is_printed(environment: dict[str, str], words: str) -> None:
    command = [*COMMAND, *words.split()]
    with open("/dev/full", "w") as full:
        done = subprocess.run(
            command, env=environment, stdout=full, stderr=subprocess.PIPE, text=True, timeout=30
        )
    assert (done.returncode, done.stderr) == (1, "aoba-call: [Errno 28] No space left on device\n")


@pytest.mark.parametrize("missing", ["click", "jwt", "websockets"])
def test_missing_package(environment: dict[str, str], tmp_path: Path, missing: str) -> None:
    (tmp_path / "hidden.py").write_text(
        f"import sys; sys.modules[{missing!r}] = None; sys.argv[0] = 'aoba-call'\n"
        "from aoba_runtime.cli import main; main()\n"
    )
    done = subprocess.run(
        [sys.executable, str(tmp_path / "hidden.py"), "serve", "--port", "0"],
        env=environment,
        capture_output=True,
        text=True,
        timeout=30,
    )
    assert (done.returncode, done.stdout) == (2, "")
    assert "pip install 'aoba-runtime[xmpp,media]'" in done.stderr
    assert f"no module named {missing}" in done.stderr and "Traceback" not in done.stderr


def test_help(environment: dict[str, str]) -> None:
    for args in (["--help"], ["serve", "-h"], ["token", "-h"], ["dial", "-h"], ["listen", "-h"]):
        done = run(environment, *args)
        assert done.returncode == 0 and done.stdout.startswith("Usage: aoba-call")
        for title in ("Examples", "Exit codes", "Environment", "See also"):
            assert f"\n  {title}:\n    " in done.stdout


def test_a_peer_cannot_fill_the_terminal() -> None:
    sparse = Sparse(most=2, seconds=60)

    def written(at: float) -> str | None:
        record = logging.LogRecord("x", logging.WARNING, "x", 1, "refused %d", (7,), None)
        record.created = at
        return record.getMessage() if sparse.filter(record) else None

    assert [written(at) for at in (1000, 1001, 1002, 1059)] == [
        "refused 7",
        "refused 7",
        None,
        None,
    ]
    assert written(1060) == "refused 7 (and 2 more were not shown before)"
    assert [written(at) for at in (1061, 1062)] == ["refused 7", None]
