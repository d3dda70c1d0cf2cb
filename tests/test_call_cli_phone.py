"""aoba-call dial and listen as processes on a development server, with real voice: events, sound, exit codes, signals."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import re
import signal
import subprocess
import sys
import wave
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any, Final, Self

import numpy as np
import pytest
import pytest_asyncio
from aoba_runtime import devserver, tokens

ROOT: Final = Path(__file__).parents[1]
COMMAND: Final = [sys.executable, "-W", "error", "-m", "aoba_runtime.cli"]
SECRET: Final = "0123456789abcdef0123456789abcdef"
RATE: Final = 48_000


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
        async with asyncio.timeout(20):
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
        async with asyncio.timeout(20):
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
        self._environment = {
            **os.environ,
            "PYTHONPATH": str(ROOT / "generated"),
            "XDG_STATE_HOME": str(home),
        }

    async def phone(self, user: str, command: str, *args: str, token: str = "") -> Softphone:
        token = token or self.server.token(user)
        process = await asyncio.create_subprocess_exec(
            *COMMAND,
            *(command, "--url", self.server.url, "--json", *args),
            env=self._environment | {"AOBA_TOKEN": token},
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
        )
        return Softphone(process, token)

    def put_first(self, folder: Path) -> None:
        """Let phones from now on find the modules in a folder before all others."""
        self._environment["PYTHONPATH"] = f"{folder}{os.pathsep}{self._environment['PYTHONPATH']}"

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


@pytest.mark.parametrize(
    ("library", "said"),
    [
        (
            "raise OSError('PortAudio library not found')",
            "microphone and speaker need PortAudio: install the system package libportaudio2"
            " (Debian, Ubuntu), portaudio (Fedora, Arch, Homebrew); going on without microphone and speaker",
        ),
        (
            "def RawInputStream(**_): raise ValueError('no input device')\n"
            "def RawOutputStream(**_): raise ValueError('no output device')\n"
            "class PortAudioError(Exception): ...",
            "the default device cannot be opened: no input device; `python -m sounddevice` lists the devices;"
            " going on without microphone\naoba-call: "
            "the default device cannot be opened: no output device; `python -m sounddevice` lists the devices;"
            " going on without speaker",
        ),
    ],
    ids=["no library", "no devices"],
)
async def test_what_microphone_and_speaker_both_lack_is_said_once(
    server: Server, tmp_path: Path, library: str, said: str
) -> None:
    (tmp_path / "sounddevice.py").write_text(library)
    async with await server.listener("--tone", "600"):
        server.put_first(tmp_path)
        async with await server.caller("--duration", "0.1") as alice:
            assert await alice.end() == 0
    assert alice.stderr == f"aoba-call: {said}\n"


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


@pytest.mark.parametrize("who", ["caller", "callee"])
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
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


@pytest.mark.parametrize("command", [["dial", "bob@localhost"], ["listen"]])
async def test_a_wrong_token(server: Server, command: list[str]) -> None:
    token = tokens.make_token("alice", "another secret of thirty-two bytes")
    async with await server.phone("alice", *command, "--silence", token=token) as alice:
        assert await alice.end() == 3
        assert alice.events == [] and "not let in" in alice.stderr


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


def run(*args: str, **environment: str) -> subprocess.CompletedProcess[str]:
    kept = {key: value for key, value in os.environ.items() if key != "AOBA_TOKEN"}
    return subprocess.run(
        [*COMMAND, *args],
        env=kept | {"PYTHONPATH": str(ROOT / "generated"), "AOBA_TOKEN": "x"} | environment,
        capture_output=True,
        text=True,
        timeout=30,
    )


@pytest.mark.parametrize(
    ("args", "said"),
    [
        (["dial"], "Missing argument 'JID'"),
        (["dial", "@localhost"], "'@localhost' is no JID; write it as bob@localhost"),
        (["dial", "bob@"], "'bob@' is no JID"),
        (["dial", "bob@@localhost"], "'bob@@localhost' is no JID"),
        (["dial", "bob@localhost/"], "'bob@localhost/' is no JID"),
        (["dial", "../x"], "'../x' is no JID"),
        (["dial", "bob", "--duration", "nan"], "'nan' is no number of seconds"),
        (["listen", "--mute-after", "nan"], "'nan' is no number of seconds"),
        (["dial", "bob", "--api", "nowhere_to_be_found"], "there is no package nowhere_to_be_found"),
        (["dial", "bob", "--api", "json"], "json is no package that aoba-gen made"),
        (["dial", "bob", "--api", "a/b"], "--api 'a/b' is no name of a Python package"),
        (["dial", "bob", "--url", "http://localhost"], "--url is a WebSocket URL"),
        (["dial", "bob", "--url", "ws://example.com/xmpp"], "can be read on the way, the token too: use wss://"),
        (["dial", "bob", "--tone", "440", "--echo"], "--tone and --echo exclude each other"),
        (["dial", "bob", "--tone", "0"], "Invalid value for '--tone'"),
        (["dial", "bob", "--play", "nowhere.wav"], "nowhere.wav: No such file"),
        (["dial", "bob", "--record", "nowhere/x.wav"], "there is no such folder"),
        (["dial", "bob", "--ice-server", "turn:x"], "a TURN server asks for a user name and a password"),
        (["dial", "bob", "--ice-server", "x"], "'x' is no ICE server"),
        (["dial", "bob", "--relay-only"], "no ICE server is one"),
        (["dial", "bob", "--turn-user", "me"], "no --ice-server is one"),
        (["dial", "bob", "--local-address", "here"], "local address 'here'"),
        (["dial", "bob", "--token-file", "nowhere"], "nowhere cannot be read: No such file"),
        (["listen", "--accept", "--busy"], "--accept and --busy exclude each other"),
        (["listen", "--max-calls", "0"], "Invalid value for '--max-calls'"),
    ],
)  # fmt: skip
def test_wrong_calls(args: list[str], said: str) -> None:
    done = run(*args)
    assert (done.returncode, done.stdout) == (2, "")
    assert said in " ".join(done.stderr.split()) and "Traceback" not in done.stderr


def test_there_has_to_be_a_token() -> None:
    done = run("dial", "bob", AOBA_TOKEN="")
    assert done.returncode == 2
    assert "export AOBA_TOKEN=$(aoba-call token alice)" in done.stderr


@pytest.mark.parametrize("missing", ["aiortc", "av", "slixmpp"])
def test_a_missing_extra_is_named(tmp_path: Path, missing: str) -> None:
    (tmp_path / "hidden.py").write_text(
        f"import sys; sys.modules[{missing!r}] = None; sys.argv[0] = 'aoba-call'\n"
        "from aoba_runtime.cli import main; main()\n"
    )
    done = subprocess.run(
        [sys.executable, str(tmp_path / "hidden.py"), "dial", "bob"],
        env={**os.environ, "PYTHONPATH": str(ROOT / "generated"), "AOBA_TOKEN": "x"},
        capture_output=True,
        text=True,
        timeout=30,
    )
    assert done.returncode == 2
    assert "pip install 'aoba-runtime[xmpp,media]'" in done.stderr
    assert f"no module named {missing}" in done.stderr and "Traceback" not in done.stderr


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


async def test_a_token_from_a_file(server: Server, tmp_path: Path) -> None:
    file = tmp_path / "token"
    file.write_text(server.server.token("bob") + "\n")
    async with await server.phone("nobody", "listen", "--token-file", str(file)) as bob:
        ready = await bob.event("ready")
        assert ready["jid"].startswith("bob@")
        bob.process.send_signal(signal.SIGTERM)
        assert await bob.end() == 0


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
