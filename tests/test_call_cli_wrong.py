"""aoba-call called in a wrong way: options, tokens and extras that are missing are named, with what to do."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from aoba_runtime import tokens
from softphones import COMMAND, ROOT, Server, server
from voices import write_wav


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


@pytest.mark.parametrize("command", [["dial", "bob@localhost"], ["listen"]])
async def test_a_wrong_token(server: Server, command: list[str]) -> None:
    token = tokens.make_token("alice", "another secret of thirty-two bytes")
    async with await server.phone("alice", *command, "--silence", token=token) as alice:
        assert await alice.end() == 3
        assert alice.events == [] and "not let in" in alice.stderr


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
        (["dial", "bob", "--api", "json.no.such"], "there is no package json.no.such"),
        (["dial", "bob", "--api", "this_needs"], "the package this_needs cannot be used: No module named 'nowhere'"),
        (["dial", "bob", "--api", "this_ends"], "the package this_ends cannot be used: it is a program of its own"),
        (["dial", "bob", "--domain", "a b"], "--domain 'a b' is no XMPP domain"),
        (["dial", "bob", "--domain", "a/b"], "--domain 'a/b' is no XMPP domain"),
        (["dial", "bob", "--url", "ws://me:secret@localhost/"], "--url holds no user name and no password"),
        (["dial", "bob", "--url", "ws://localhost/#x"], "--url is a WebSocket URL"),
        (["dial", "bob", "--play", "/dev/null"], "/dev/null: each call reads it anew; it must be a file"),
        (["dial", "bob", "--play", "a.wav", "--record", "./a.wav"], "a.wav: --record would overwrite what --play says"),
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
def test_wrong_calls(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, args: list[str], said: str
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "this_needs.py").write_text("import nowhere")
    (tmp_path / "this_ends.py").write_text("raise SystemExit(0)")
    write_wav(tmp_path / "a.wav", 440)
    done = run(*args, PYTHONPATH=f"{ROOT / 'generated'}{os.pathsep}{tmp_path}")
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


@pytest.mark.skipif(os.name == "nt", reason="Windows has no signals between processes")
def test_an_interrupt_before_the_call_is_no_success(tmp_path: Path) -> None:
    """What is imported to look at the JID takes a while."""
    (tmp_path / "slixmpp.py").write_text("print('importing', flush=True); input()")
    with subprocess.Popen(
        [*COMMAND, "dial", "bob"],
        env=os.environ
        | {"PYTHONPATH": f"{tmp_path}{os.pathsep}{ROOT / 'generated'}", "AOBA_TOKEN": "x"},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stdout is not None and process.stdout.readline() == "importing\n"
        process.send_signal(signal.SIGINT)
        _, err = process.communicate(timeout=30)
    assert (process.returncode, err) == (1, "")


async def test_a_played_file_that_is_gone_when_it_is_wanted(server: Server, tmp_path: Path) -> None:
    """The call goes on, and all of its events are told."""
    file = write_wav(tmp_path / "a.wav", 440)
    async with await server.listener("--play", str(file), "--once") as bob:
        file.unlink()
        async with await server.caller("--silence", "--duration", "0.5") as alice:
            assert [await alice.end(), await bob.end()] == [0, 0]
    assert bob.stderr == f"aoba-call: {file}: No such file or directory; silence is sent instead\n"
    assert "connected" in bob.names


async def test_a_token_from_a_file(server: Server, tmp_path: Path) -> None:
    file = tmp_path / "token"
    file.write_text(server.server.token("bob") + "\n")
    async with await server.phone("nobody", "listen", "--token-file", str(file)) as bob:
        ready = await bob.event("ready")
        assert ready["jid"].startswith("bob@")
        bob.process.send_signal(signal.SIGTERM)
        assert await bob.end() == 0


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="this system has no named pipes")
async def test_a_token_from_a_pipe_is_read_once(server: Server, tmp_path: Path) -> None:
    """As of `--token-file <(aoba-call token bob)`."""
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    async with await server.phone("nobody", "listen", "--token-file", str(pipe)) as bob:
        await asyncio.to_thread(pipe.write_text, server.server.token("bob"))
        ready = await bob.event("ready")
        assert ready["jid"].startswith("bob@")
        bob.process.send_signal(signal.SIGTERM)
        assert await bob.end() == 0
