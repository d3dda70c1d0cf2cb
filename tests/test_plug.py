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


@pytest.mark.parametrize(
    ("mark", "complaint"),
    [
        ("{signal: ofer}", "there is no signal 'ofer' [call-extension]\n    hint: did you mean 'offer'?"),
        ("{sdb: x}", "x-aoba-call knows no 'sdb' [call-extension]\n    hint: did you mean 'sdp'?"),
        ("{sdp: data.x}", "'data.x' leads nowhere in 'Offer': Negotiation has description [call-extension]"),
        ("{sdp: sent_at}", "'sent_at' is no text, which 'sdp' is [call-extension]"),
        ("{sdp: 7}", "x-aoba-call: sdp is 7, expected text [call-extension]"),
        ("{reasons: {ok: normal}}", "there is no end reason 'ok' [call-extension]"),
        ("{values: {data: {}}}", "{} is no constant, expected text, a number, true or false [call-extension]"),
        ("[offer]", "x-aoba-call is ['offer'], expected an object [call-extension]"),
        ("{sdp: data.description.sdp.x}", "leads nowhere in 'Offer': sdp is no object [call-extension]"),
        ("{sdp: kind}", "'kind' is a constant and no text, which 'sdp' is [call-extension]"),
        ("{muted: kind}", "the signal 'offer' has no 'muted' [call-extension]\n    hint: it has callId, timestamp, sdp"),
        ("{reasons: {busy: user_busy}}", "the signal 'offer' has no end reason [call-extension]"),
        ("{values: {data.description.type: often}}", "'type' does not take 'often' [call-extension]"),
        ("{values: {sent_at: 7}}", "'sent_at' is 'timestamp' of the call, and no constant [call-extension]"),
    ],
)  # fmt: skip
def test_an_extension_that_makes_no_sense(
    cli: Cli, tmp_path: Path, mark: str, complaint: str
) -> None:
    text = (CASES / "sessions.yaml").read_text()
    payload = "Offer: {payload: {$ref: '#/components/schemas/Offer'}"
    assert payload in text
    spec = tmp_path / "spec.yaml"
    spec.write_text(text.replace(payload, f"{payload}, x-aoba-call: {mark}"))
    result = cli(spec, "-o", tmp_path / "out")
    assert result.exit_code == 1
    assert complaint in result.stderr


def test_a_message_can_be_told_to_be_none(cli: Cli, tmp_path: Path) -> None:
    text = (CASES / "sessions.yaml").read_text()
    payload = "Busy: {payload: {$ref: '#/components/schemas/Busy'}"
    spec = tmp_path / "spec.yaml"
    spec.write_text(text.replace(payload, f"{payload}, x-aoba-call: false"))
    result = cli(spec, "-o", tmp_path / "out", "--quiet")
    assert result.exit_code == 0
    assert "no message stands for the signal 'busy'" in result.stderr


@pytest.mark.parametrize("is_apart", [True, False])
def test_two_messages_for_one_signal_are_told_of(cli: Cli, tmp_path: Path, is_apart: bool) -> None:
    text = (CASES / "sessions.yaml").read_text()
    busy = "      Busy: {payload: {$ref: '#/components/schemas/Busy'}}\n"
    assert busy in text
    other = busy.replace("Busy:", "busy:")
    before, after = busy, busy + other
    hint = "mark the message that does with x-aoba-call: {signal: busy}, or the other with x-aoba-call: false"
    if is_apart:
        before = "channels:\n"
        after = f"channels:\n  heard:\n    address: heard\n    messages:\n{other}"
        hint = "say and hear it by one message: let both channels refer to the same"
    spec = tmp_path / "spec.yaml"
    spec.write_text(text.replace(before, after, 1))
    result = cli(spec, "-o", tmp_path / "out", "--quiet")
    assert result.exit_code == 0, result.stderr
    said = f"both stand for the signal 'busy' of a call [call-signal]\n    hint: {hint}"
    assert said in result.stderr


def test_an_extension_of_no_signal(cli: Cli, tmp_path: Path) -> None:
    text = (CASES / "sessions.yaml").read_text()
    spec = tmp_path / "spec.yaml"
    other = "Weather: {x-aoba-call: {callId: id}, payload: {type: object}}"
    spec.write_text(text.replace("    messages:\n", f"    messages:\n      {other}\n", 1))
    result = cli(spec, "-o", tmp_path / "out")
    assert result.exit_code == 1
    complaint = "spec.yaml:8:17: x-aoba-call does not say which signal 'Weather' stands for, nor does its name"
    assert (
        f"{complaint} [call-extension]\n    hint: add signal, one of initiate, accept"
        in result.stderr
    )


def test_an_extension_of_a_message_without_a_payload(cli: Cli, tmp_path: Path) -> None:
    text = (CASES / "sessions.yaml").read_text()
    spec = tmp_path / "spec.yaml"
    payload = "Busy: {payload: {$ref: '#/components/schemas/Busy'}}"
    assert payload in text
    spec.write_text(text.replace(payload, "Busy: {x-aoba-call: {signal: busy}}"))
    result = cli(spec, "-o", tmp_path / "out")
    assert result.exit_code == 1
    complaint = "spec.yaml:11:14: 'Busy' is no signal of a call: it has no payload in JSON, or is in no channel"
    assert f"{complaint} [call-extension]" in result.stderr


def test_a_payload_that_is_a_choice_is_told_of(cli: Cli, tmp_path: Path) -> None:
    text = (CASES / "sessions.yaml").read_text()
    spec = tmp_path / "spec.yaml"
    payload = "Busy: {payload: {$ref: '#/components/schemas/Busy'}}"
    choice = "{oneOf: [{$ref: '#/components/schemas/Busy'}, {type: array, items: {type: string}}]}"
    spec.write_text(text.replace(payload, f"Busy: {{payload: {choice}}}"))
    result = cli(spec, "-o", tmp_path / "out", "--quiet")
    assert result.exit_code == 0
    [told] = [line for line in result.stderr.splitlines() if "no calls.py is made" in line]
    assert "the payload of 'Busy' is no class of objects" in told


NARROW: Final = {
    "a call's id of 32 characters": (
        "sessionId: {type: string}", "sessionId: {type: string, maxLength: 32}", 9,
        f"'sessionId' of 'Invite' does not take '{CALL}', and calls say such in 'callId' [call-field]",
    ),
    "a call's id of another form": (
        "sessionId: {type: string}", "sessionId: {type: string, pattern: '^[0-9A-Z]{26}$'}", 9,
        f"'sessionId' of 'Invite' does not take '{CALL}', and calls say such in 'callId' [call-field]",
    ),
    "a call's id that is a number": (
        "sessionId: {type: string}", "sessionId: {type: integer}", 9,
        "'sessionId' of 'Invite' is no text, which 'callId' is [call-field]\n"
        "    hint: correct its schema, or say where else it is: x-aoba-call: {callId: <the way to it>}",
    ),
    "seconds": (
        "sent_at: {type: integer}", "sent_at: {type: integer, maximum: 4102444800}", 9,
        "'sent_at' of 'Invite' does not take 1767623406731, and calls say such in 'timestamp' [call-field]",
    ),
    "no end of candidates": (
        "candidate: {type: string}", "candidate: {type: string, minLength: 1}", 1,
        "'candidate.candidate' of 'Candidate' does not take '', and calls say such in 'candidate' [call-field]",
    ),
    "a short description": (
        "sdp: {type: string}", "sdp: {type: string, maxLength: 255}", 2,
        "'data.description.sdp' of 'Offer' does not take 'v=0",
    ),
    "always muted": (
        "isMuted: {type: boolean}", "isMuted: {type: boolean, enum: [true]}", 1,
        "[call-field]",
    ),
    "a reason of four letters": (
        "enum: [normal, declined, no-answer, user_busy, error, network_error, canceled]", "maxLength: 4", 1,
        "'cause' does not take 'completed', which is said for an end reason [call-reason]",
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", NARROW)
def test_a_field_that_does_not_take_what_calls_say_is_told_of(
    cli: Cli, tmp_path: Path, name: str
) -> None:
    """It would be bound, and each call would end in an error of pydantic as it begins."""
    before, after, count, complaint = NARROW[name]
    text = (CASES / "sessions.yaml").read_text()
    assert before in text
    spec = tmp_path / "spec.yaml"
    spec.write_text(text.replace(before, after))
    result = cli(spec, "-o", tmp_path / "out", "--quiet")
    assert result.exit_code == 0
    assert complaint in result.stderr
    assert result.stderr.count("no calls.py is made") == count
    assert not list(tmp_path.rglob("calls.py"))


NEEDY: Final = {
    "a parameter": (
        {"  signals:\n": "  signals:\n    parameters: {room: {}}\n", "/signals": "/signals/{room}"},
        "operation 'send' needs 'room' for its address to send 'Invite', which stands for the signal 'initiate'",
    ),
    "a reply": (
        {"action: send, ": "action: send, reply: {channel: {$ref: '#/channels/signals'}}, "},
        "operation 'send' needs a reply to send 'Invite', which stands for the signal 'initiate'",
    ),
    "an answer": (
        {"operations:\n": "operations:\n  hear: {action: receive, channel: {$ref: '#/channels/signals'}, reply: {channel: {$ref: '#/channels/signals'}}}\n"},
        "no call replies to 'Invite', which stands for the signal 'initiate'",
    ),
    "headers": (
        {"Invite: {payload": "Invite: {headers: {type: object, required: [trace], properties: {trace: {type: string}}}, payload"},
        "operation 'send' needs the headers 'trace' to send 'Invite', which stands for the signal 'initiate'",
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", NEEDY)
def test_an_operation_that_needs_more_than_the_message_is_told_of(
    cli: Cli, tmp_path: Path, name: str
) -> None:
    """It would be bound, and no signal could be sent by it."""
    edits, complaint = NEEDY[name]
    text = (CASES / "sessions.yaml").read_text()
    for before, after in edits.items():
        assert before in text
        text = text.replace(before, after, 1)
    spec = tmp_path / "spec.yaml"
    spec.write_text(text)
    result = cli(spec, "-o", tmp_path / "out", "--quiet")
    assert result.exit_code == 0, result.stderr
    assert f"{complaint} of a call [call-operation]" in result.stderr
    assert not list(tmp_path.rglob("calls.py"))


def test_types_with_names_of_their_own_are_looked_through(cli: Cli, tmp_path: Path) -> None:
    """An id, a time, a description and a reason that the document describes once, under components."""
    named = {"sessionId: {type: string}": "Id", "sent_at: {type: integer}": "Time", "sdp: {type: string}": "Sdp",
             "isMuted: {type: boolean}": "Muted", "cause: {type: string, enum": "Cause"}  # fmt: skip
    text = (CASES / "sessions.yaml").read_text()
    for before, type_name in named.items():
        assert before in text
        reference = f"{before.partition(':')[0]}: {{$ref: '#/components/schemas/{type_name}'"
        text = text.replace(before, reference if before.endswith("enum") else f"{reference}}}")
    text = re.sub(r"(schemas/Cause'): \[.*?\]", r"\1", text)
    text += """\
    Id: {type: string, format: uuid}
    Time: {type: string, format: date-time}
    Sdp: {type: string, minLength: 1}
    Muted: {type: boolean, description: No sound.}
    Cause: {type: string, maxLength: 40}
"""
    spec = tmp_path / "spec.yaml"
    spec.write_text(text)
    result = cli(spec, "-o", tmp_path, "--package", "plug_named", "--quiet")
    assert (result.exit_code, result.stderr) == (0, "")
    made = (tmp_path / "plug_named" / "calls.py").read_text()
    assert "sent_at=date_time(signal.timestamp)" in made
    assert "EndReason.COMPLETED: 'completed'" in made.replace('"', "'")


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
