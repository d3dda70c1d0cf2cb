"""calls.py: what a document says of its calls that cannot be bound, or makes no sense, is told with its place."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Final

import pytest
from click.testing import Result
from conftest import Cli
from test_plug import CALL, CASES


def edited(cli: Cli, folder: Path, edits: Mapping[str, str], times: int = 1) -> Result:
    """What is said of sessions.yaml with something else in place of some of its words, `times` each or (-1) everywhere."""
    text = (CASES / "sessions.yaml").read_text()
    for before, after in edits.items():
        assert before in text
        text = text.replace(before, after, times)
    spec = folder / "spec.yaml"
    spec.write_text(text)
    return cli(spec, "-o", folder / "out", "--quiet")


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
    payload = "Offer: {payload: {$ref: '#/components/schemas/Offer'}"
    result = edited(cli, tmp_path, {payload: f"{payload}, x-aoba-call: {mark}"})
    assert result.exit_code == 1
    assert complaint in result.stderr


def test_a_message_can_be_told_to_be_none(cli: Cli, tmp_path: Path) -> None:
    payload = "Busy: {payload: {$ref: '#/components/schemas/Busy'}"
    result = edited(cli, tmp_path, {payload: f"{payload}, x-aoba-call: false"})
    assert result.exit_code == 0
    assert "no message stands for the signal 'busy'" in result.stderr


@pytest.mark.parametrize("is_apart", [True, False])
def test_two_messages_for_one_signal_are_told_of(cli: Cli, tmp_path: Path, is_apart: bool) -> None:
    busy = "      Busy: {payload: {$ref: '#/components/schemas/Busy'}}\n"
    other = busy.replace("Busy:", "busy:")
    before, after = busy, busy + other
    hint = "mark the message that does with x-aoba-call: {signal: busy}, or the other with x-aoba-call: false"
    if is_apart:
        before = "channels:\n"
        after = f"channels:\n  heard:\n    address: heard\n    messages:\n{other}"
        hint = "say and hear it by one message: let both channels refer to the same"
    result = edited(cli, tmp_path, {before: after})
    assert result.exit_code == 0, result.stderr
    said = f"both stand for the signal 'busy' of a call [call-signal]\n    hint: {hint}"
    assert said in result.stderr


def test_an_extension_of_no_signal(cli: Cli, tmp_path: Path) -> None:
    other = "Weather: {x-aoba-call: {callId: id}, payload: {type: object}}"
    result = edited(cli, tmp_path, {"    messages:\n": f"    messages:\n      {other}\n"})
    assert result.exit_code == 1
    complaint = "spec.yaml:8:17: x-aoba-call does not say which signal 'Weather' stands for, nor does its name"
    assert (
        f"{complaint} [call-extension]\n    hint: add signal, one of initiate, accept"
        in result.stderr
    )


def test_an_extension_of_a_message_without_a_payload(cli: Cli, tmp_path: Path) -> None:
    payload = "Busy: {payload: {$ref: '#/components/schemas/Busy'}}"
    result = edited(cli, tmp_path, {payload: "Busy: {x-aoba-call: {signal: busy}}"})
    assert result.exit_code == 1
    complaint = "spec.yaml:11:14: 'Busy' is no signal of a call: it has no payload in JSON, or is in no channel"
    assert f"{complaint} [call-extension]" in result.stderr


def test_a_payload_that_is_a_choice_is_told_of(cli: Cli, tmp_path: Path) -> None:
    payload = "Busy: {payload: {$ref: '#/components/schemas/Busy'}}"
    choice = "{oneOf: [{$ref: '#/components/schemas/Busy'}, {type: array, items: {type: string}}]}"
    result = edited(cli, tmp_path, {payload: f"Busy: {{payload: {choice}}}"})
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
    result = edited(cli, tmp_path, {before: after}, times=-1)
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
    result = edited(cli, tmp_path, edits)
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
