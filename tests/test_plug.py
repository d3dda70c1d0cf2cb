"""The plug between calls and documents: which messages are signals, and every signal there and back through real bytes."""

from __future__ import annotations

import dataclasses
import importlib
import json
import re
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from types import ModuleType
from typing import Any, Final, TypeAlias

import aoba_voice_call_signaling as aoba
import pytest
import yaml
from aoba_gen import call_names
from aoba_runtime import BadMessage, Client, Incoming, loopback, signals
from aoba_runtime.signals import Candidate, EndReason, Signal
from click.testing import Result

Cli: TypeAlias = Callable[..., Result]

ROOT: Final = Path(__file__).parents[1]
CASES: Final = ROOT / "tests" / "cases" / "calls"
CALL: Final = "3f2b8c1e-0d4a-4c6b-9e7f-5a1d2c3b4e5f"
LINE: Final = "candidate:1 1 udp 2130706431 192.0.2.17 54609 typ host"
SIGNALS: Final[tuple[Signal, ...]] = (
    signals.Initiate(CALL, 1, caller_name="Alice"),
    signals.Accept(CALL, 2),
    signals.Reject(CALL, 3),
    signals.Busy(CALL, 4),
    signals.Offer(CALL, 5, sdp="v=0\r\n"),
    signals.Answer(CALL, 6, sdp="v=0\r\n"),
    signals.IceCandidate(CALL, 7, candidate=Candidate(LINE, "0", 0)),
    *(signals.Hangup(CALL, 8, reason=reason) for reason in EndReason),
    signals.MuteChange(CALL, 9, muted=True),
)


@pytest.fixture(scope="module")
def packages(tmp_path_factory: pytest.TempPathFactory, cli: Cli) -> Iterator[dict[str, ModuleType]]:
    """The packages of the documents that bind, and that of the one that does not."""
    out = tmp_path_factory.mktemp("plug")
    made = {place.stem: f"plug_{place.stem}" for place in CASES.glob("*.yaml")}
    for stem, package in made.items():
        result = cli(CASES / f"{stem}.yaml", "-o", out, "--package", package, "--quiet")
        assert result.exit_code == 0, result.stderr
    sys.path.insert(0, str(out))
    yield {stem: importlib.import_module(package) for stem, package in made.items()} | {
        "aoba": aoba
    }
    sys.path.remove(str(out))
    for name in [name for name in sys.modules if name.partition(".")[0] in made.values()]:
        del sys.modules[name]


def client_of(package: ModuleType, transport: loopback.Endpoint) -> Client:
    found = [each for each in vars(package).values() if isinstance(each, type)]
    [client] = [each for each in found if issubclass(each, Client)]
    return client(transport)  # type: ignore[call-arg]  # a generated client knows its channels


class Watched(loopback.Endpoint):
    """An end of a link that keeps what it sent."""

    def __init__(self, name: str) -> None:
        super().__init__(name)
        self.sent: list[Any] = []

    async def send(self, message: Any) -> None:
        self.sent.append(json.loads(message.data))
        await super().send(message)


async def carried(package: ModuleType) -> tuple[list[Signal], list[Any]]:
    """What comes out at the other end when every signal is sent, and what was on the wire."""
    near, far = Watched("alice@localhost/1"), loopback.Endpoint("bob@localhost/1")
    near.join(far)
    out: list[Signal] = []
    async with client_of(package, near) as alice, client_of(package, far) as bob:
        say, hear = alice._call_plug(), bob._call_plug()
        assert say is not None and hear is not None
        end = hear.listen(lambda signal, incoming: out.append(signal))
        for signal in SIGNALS:
            await say.send(signal, "bob@localhost")
        end()
    return out, near.sent


@pytest.mark.parametrize("name", ["aoba", "sessions", "numbered", "marked"])
async def test_every_signal_arrives_as_it_was_said(
    packages: dict[str, ModuleType], name: str
) -> None:
    out, _ = await carried(packages[name])
    assert tuple(out) == SIGNALS


async def test_the_aoba_wire_is_as_decided(packages: dict[str, ModuleType]) -> None:
    _, wire = await carried(aoba)
    base = {"callId": CALL}
    assert wire[0] == {
        **base, "type": "call:initiate", "timestamp": 1, "payload": {"callerName": "Alice"}
    }  # fmt: skip
    assert wire[4]["payload"] == {"type": "offer", "sdp": "v=0\r\n"}
    assert wire[6]["payload"] == {
        "candidate": LINE, "sdpMid": "0", "sdpMLineIndex": 0, "usernameFragment": None
    }  # fmt: skip
    assert [each["payload"]["reason"] for each in wire[7:13]] == list(EndReason)


async def test_other_names_on_the_wire(packages: dict[str, ModuleType]) -> None:
    _, wire = await carried(packages["sessions"])
    assert wire[4] == {
        "kind": "session.sdp-offer",
        "sessionId": CALL,
        "sent_at": 5,
        "data": {"description": {"type": "offer", "sdp": "v=0\r\n"}},
    }
    assert wire[-1] == {"kind": "session.mute", "sessionId": CALL, "sent_at": 9, "isMuted": True}
    _, wire = await carried(packages["marked"])
    assert wire[5] == {
        "was": "antwort",
        "gespraech": CALL,
        "kopf": {"uhr": 6, "fassung": 2},
        "inhalt": {"sitzung": {"art": "antwort", "text": "v=0\r\n"}},
    }


def test_a_reason_that_nobody_knows_is_a_failure(packages: dict[str, ModuleType]) -> None:
    heard = packages["sessions"].calls.HEARD
    assert heard["network_error"] is EndReason.FAILED
    package = packages["numbered"]
    message = package.models.End(
        call_uuid=CALL, ts="2026-01-05T14:30:06.731Z", reason="cosmic rays"
    )
    assert package.calls.hear_hangup(message).reason is EndReason.FAILED


async def test_a_timestamp_in_words(packages: dict[str, ModuleType]) -> None:
    package = packages["numbered"]
    said = package.calls.say_accept(signals.Accept(CALL, 1767623406731))
    assert said.ts == "2026-01-05T14:30:06.731Z"
    for text in (said.ts, "2026-01-05T15:30:06.731999+01:00"):
        heard = package.calls.hear_accept(package.models.Accept(call_uuid=CALL, ts=text))
        assert heard.timestamp == 1767623406731
    for text in ("yesterday", "2026-01-05T14:30:06", "2026-13-05T14:30:06Z"):
        with pytest.raises(BadMessage, match="the timestamp is no date-time with an offset"):
            package.calls.hear_accept(package.models.Accept(call_uuid=CALL, ts=text))


async def test_what_is_not_said_is_filled_where_it_is_required(
    packages: dict[str, ModuleType],
) -> None:
    package = packages["numbered"]
    said = package.calls.say_initiate(signals.Initiate(CALL, 1))
    assert said.caller.display_name == "Unknown"
    candidate = signals.IceCandidate(CALL, 1, candidate=Candidate(""))
    assert package.calls.say_ice_candidate(candidate).line_index == 0


async def test_a_refusal_reaches_the_sender(packages: dict[str, ModuleType]) -> None:
    near, far = loopback.pair()
    async with client_of(aoba, near) as alice, client_of(aoba, far) as bob:
        say, hear = alice._call_plug(), bob._call_plug()
        assert say is not None and hear is not None

        def refuse(signal: Signal, incoming: Incoming) -> None:
            raise BadMessage(f"no, {incoming.sender}")

        hear.listen(refuse)
        with pytest.raises(BadMessage, match="no, alice@localhost/1"):
            await say.send(SIGNALS[0], "bob@localhost")


UNBOUND: Final = """\
unbound.yaml:4:1: warning: no calls.py is made: no message stands for the signal 'reject' of a call [call-signal]
    hint: mark the message that does with x-aoba-call: {signal: reject}, or add one
unbound.yaml:10:9: warning: no calls.py is made: 'sdp' of 'Offer' may be 'ours.sdp' or 'theirs.sdp' [call-field]
    hint: say where it is: x-aoba-call: {sdp: ours.sdp}
unbound.yaml:12:9: warning: no calls.py is made: 'sdp' of 'Answer' may be absent or null, and a call needs it as 'sdp' [call-field]
    hint: require it, and every object that it lies in
unbound.yaml:12:9: warning: no calls.py is made: 'Answer' requires 'token', which no signal of a call knows [call-required]
    hint: let it be optional, or say what it is: x-aoba-call: {values: {token: <a constant>}}
unbound.yaml:15:9: warning: no calls.py is made: none of 'completed', 'declined', 'timeout', 'failed', 'cancelled' is a word for the end reason 'busy' [call-reason]
    hint: say which one is: x-aoba-call: {reasons: {busy: <one of them>}}
unbound.yaml:18:9: warning: no calls.py is made: no operation sends 'Busy', which stands for the signal 'busy' of a call [call-operation]
    hint: add an operation with action: send for it
unbound.yaml:20:9: warning: no calls.py is made: 'Mute' has no 'muted': no true or false in it is called muted, isMuted, mute, micMuted, microphoneMuted, audioMuted [call-field]
    hint: say where it is: x-aoba-call: {muted: isSilent}
"""


def test_what_cannot_be_bound_says_what_to_add(
    cli: Cli, tmp_path: Path, packages: dict[str, ModuleType], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(CASES)
    result = cli("unbound.yaml", "-o", tmp_path, "--quiet")
    assert (result.exit_code, result.stderr) == (0, UNBOUND)
    package = packages["unbound"]
    assert "Invite" in package.MESSAGES and not hasattr(package, "calls")
    near, _ = loopback.pair()
    assert client_of(package, near)._call_plug() is None


# The table of usual names


def test_the_table_begins_with_the_spec(spec: Path) -> None:
    schemas = yaml.safe_load(spec.read_text())["components"]["schemas"]
    values = [value.removeprefix("call:") for value in schemas["SignalType"]["enum"]]
    assert [kind.key for kind in call_names.SIGNALS] == [
        value for value in values if value not in ("busy", "hangup", "mute-change")
    ] + ["hangup", "busy", "mute-change"]
    for kind in call_names.SIGNALS:
        guess = call_names.signal_of(f"call:{kind.key}")
        assert guess == (kind, 0)
        for field in kind.fields:
            assert field.key == field.usual[0]
    assert list(call_names.REASONS) == schemas["EndReason"]["enum"] == list(EndReason)
    assert all(words[0] == reason for reason, words in call_names.REASONS.items())


def test_the_table_is_that_of_the_runtime() -> None:
    for kind in call_names.SIGNALS:
        fields = {field.name for field in dataclasses.fields(getattr(signals, kind.python))}
        assert {field.source[0] for field in kind.fields} == fields
    candidate = {field.name for field in dataclasses.fields(Candidate)}
    [ice] = [kind for kind in call_names.SIGNALS if kind.python == "IceCandidate"]
    assert {field.source[1] for field in ice.fields if len(field.source) == 2} == candidate


def test_the_table_is_documented() -> None:
    text = (ROOT / "docs" / "calls.md").read_text()
    rows = dict(re.findall(r"^\| ([\w-]+) \|.*?\|? ?([\w, ]+)(?:;[^|]*)? \|$", text, re.MULTILINE))
    wanted = {kind.key: kind.usual for kind in call_names.SIGNALS}
    wanted |= {field.key: field.usual for kind in call_names.SIGNALS for field in kind.fields}
    for name, usual in (*wanted.items(), *call_names.REASONS.items()):
        assert any(
            line.startswith(f"| {name} |") and f"| {', '.join(usual)}" in line
            for line in text.splitlines()
        ), name
    assert rows


@pytest.mark.parametrize(
    ("name", "key"),
    [
        ("CALL_OFFER", "offer"), ("webrtc.sdp_offer", "offer"), ("OfferMessage", "offer"),
        ("call:hang-up", "hangup"), ("session-initiate", "initiate"), ("VoiceCallMuteState", "mute-change"),
        ("call", None), ("offering", None), ("", None),
    ],
)  # fmt: skip
def test_what_a_name_stands_for(name: str, key: str | None) -> None:
    guess = call_names.signal_of(name)
    assert (guess[0].key if guess else None) == key


def test_the_other_side_is_told_of_its_own_operations(cli: Cli, tmp_path: Path, spec: Path) -> None:
    """The document says of its own application alone that it accepts, rejects and is busy."""
    result = cli(spec, "-o", tmp_path, "--quiet", "--side", "peer")
    assert result.exit_code == 0
    assert result.stderr.count("[call-operation]") == 3
    assert "hint: add an operation with action: receive for it" in result.stderr
