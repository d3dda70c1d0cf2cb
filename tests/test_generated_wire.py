"""The committed client of the Aoba document on the wire: what is taken, refused, kept, built and sent."""

from __future__ import annotations

import json
import time
import uuid
from collections.abc import Callable
from typing import Any, Final

import pytest
from aoba_document import CALL_ID, COMPONENTS, EXAMPLES, HOOKS, SDP, SIGNALS, wire
from aoba_runtime import BadMessage, UnsupportedMessage, loopback
from aoba_voice_call_signaling import (
    MESSAGES,
    OPERATIONS,
    AobaVoiceCallSignalingClient,
    decode,
    models,
)
from aoba_voice_call_signaling.models import EndReason, SignalType
from pydantic import ValidationError

# The wire


@pytest.mark.parametrize("example", EXAMPLES)
def test_examples_survive_the_round_trip(example: str) -> None:
    name, data = EXAMPLES[example]
    text = json.dumps(data)
    message = MESSAGES[name]
    value = message.decode(text)
    assert type(value) is message.payload
    assert json.loads(message.encode(value)) == data
    assert message.decode(message.encode(value)) == value
    either = decode(text.encode())
    assert (type(either), either) == (type(value), value)


def test_every_message_has_two_examples() -> None:
    assert {
        name: len(message["examples"]) >= 2 for name, message in COMPONENTS["messages"].items()
    } == dict.fromkeys(SIGNALS, True)


@pytest.mark.parametrize("example", EXAMPLES)
def test_no_other_message_takes_an_example(example: str) -> None:
    name, data = EXAMPLES[example]
    for other, message in MESSAGES.items():
        if other != name:
            with pytest.raises(BadMessage):
                message.decode(json.dumps(data))


def test_unknown_fields_are_kept_at_every_level() -> None:
    data = wire("CallOffer", {"type": "offer", "sdp": "", "x": [1, {"y": None}]}, z={"callId": 1.5})
    assert json.loads(MESSAGES["CallOffer"].encode(decode(json.dumps(data)))) == data


@pytest.mark.parametrize(
    ("payload", "seen"),
    [
        ({"candidate": ""}, {"candidate": ""}),
        ({"candidate": "", "sdpMid": None}, {"candidate": "", "sdpMid": None}),
        ({"candidate": "", "sdpMLineIndex": 65535}, {"candidate": "", "sdpMLineIndex": 65535}),
        ({"candidate": "", "sdpMLineIndex": 1.0}, {"candidate": "", "sdpMLineIndex": 1}),
    ],
)  # fmt: skip
def test_absent_stays_absent_and_null_stays_null(payload: object, seen: object) -> None:
    value = decode(json.dumps(wire("CallIceCandidate", payload)))
    assert isinstance(value, models.CallIceCandidate)
    assert json.loads(MESSAGES["CallIceCandidate"].encode(value))["payload"] == seen


def test_absent_and_null_when_built_by_hand() -> None:
    candidate = models.IceCandidatePayload(candidate="", sdp_mid=None)
    assert candidate.sdp_m_line_index is None
    assert _payload(models.CallIceCandidate(call_id=CALL_ID, payload=candidate)) == {
        "candidate": "",
        "sdpMid": None,
    }
    hangup = models.CallHangupPayload(reason=EndReason.CANCELLED, duration=None)
    signal = models.CallHangup(call_id=CALL_ID, payload=hangup)
    assert _payload(signal) == {"reason": "cancelled"}
    signal.payload.duration = 3
    assert _payload(signal) == {"reason": "cancelled", "duration": 3}
    signal.payload.duration = None
    assert _payload(signal) == {"reason": "cancelled"}
    media = models.CallInitiate()
    assert _payload(media) == {}
    assert media.payload.media == ["audio"]


def _payload(value: models.BaseSignal) -> object:
    (message,) = (message for message in MESSAGES.values() if message.takes(value))
    return json.loads(message.encode(value))["payload"]


BAD: Final[list[tuple[str, dict[str, object], list[str]]]] = [
    ("CallInitiate", wire("CallInitiate", {"callerName": ""}), ["payload.callerName"]),
    ("CallInitiate", wire("CallInitiate", {"callerName": "x" * 256}), ["payload.callerName"]),
    ("CallInitiate", wire("CallInitiate", {"callerName": None}), ["payload.callerName"]),
    ("CallInitiate", wire("CallInitiate", {"media": ["video"]}), ["payload.media[0]"]),
    ("CallInitiate", wire("CallInitiate", {"media": "audio"}), ["payload.media"]),
    ("CallInitiate", wire("CallInitiate", {"media": None}), ["payload.media"]),
    ("CallInitiate", wire("CallInitiate", []), ["payload"]),
    ("CallInitiate", wire("CallInitiate", callId="3F2B8C1E0D4A4C6B9E7F5A1D2C3B4E5F"), ["callId"]),
    ("CallInitiate", wire("CallInitiate", callId=f"{{{CALL_ID}}}"), ["callId"]),
    ("CallInitiate", wire("CallInitiate", callId=f"{CALL_ID}\n"), ["callId"]),
    ("CallInitiate", wire("CallInitiate", callId=7), ["callId"]),
    ("CallInitiate", wire("CallInitiate", timestamp="1767537026588"), ["timestamp"]),
    ("CallInitiate", wire("CallInitiate", timestamp=True), ["timestamp"]),
    ("CallInitiate", wire("CallInitiate", timestamp=1.5), ["timestamp"]),
    ("CallInitiate", wire("CallInitiate", timestamp=None), ["timestamp"]),
    ("CallAccept", {"type": "call:accept"}, ["callId", "payload", "timestamp"]),
    ("CallAccept", wire("CallAccept", call_id=CALL_ID) | {"callId": None}, ["callId"]),
    ("CallOffer", wire("CallOffer", {"type": "pranswer", "sdp": ""}), ["payload.type"]),
    ("CallOffer", wire("CallOffer", {"sdp": 1}), ["payload.sdp", "payload.type"]),
    ("CallIceCandidate", wire("CallIceCandidate", {"candidate": "", "sdpMLineIndex": 65536}), ["payload.sdpMLineIndex"]),
    ("CallIceCandidate", wire("CallIceCandidate", {"candidate": "", "sdpMLineIndex": -1}), ["payload.sdpMLineIndex"]),
    ("CallIceCandidate", wire("CallIceCandidate", {"candidate": "", "sdpMLineIndex": "0"}), ["payload.sdpMLineIndex"]),
    ("CallIceCandidate", wire("CallIceCandidate", {"candidate": "", "sdpMLineIndex": False}), ["payload.sdpMLineIndex"]),
    ("CallIceCandidate", wire("CallIceCandidate", {"candidate": "", "sdpMid": 0}), ["payload.sdpMid"]),
    ("CallIceCandidate", wire("CallIceCandidate", {}), ["payload.candidate"]),
    ("CallHangup", wire("CallHangup", {"reason": "completed", "duration": -1}), ["payload.duration"]),
    ("CallHangup", wire("CallHangup", {"reason": "completed", "duration": None}), ["payload.duration"]),
    ("CallHangup", wire("CallHangup", {"reason": "bored"}), ["payload.reason"]),
    ("CallHangup", wire("CallHangup", {"reason": "COMPLETED"}), ["payload.reason"]),
    ("CallMuteChange", wire("CallMuteChange", {"muted": 1}), ["payload.muted"]),
    ("CallMuteChange", wire("CallMuteChange", {"muted": "true"}), ["payload.muted"]),
]  # fmt: skip


@pytest.mark.parametrize(("name", "data", "places"), BAD)
def test_what_the_schema_forbids_is_refused_with_its_place(
    name: str, data: object, places: list[str]
) -> None:
    for read in (MESSAGES[name].decode, decode):
        with pytest.raises(BadMessage) as info:
            read(json.dumps(data))
        assert sorted(problem.path for problem in info.value.problems) == places
        assert (info.value.condition, info.value.remote) == ("bad-request", False)


@pytest.mark.parametrize(
    ("name", "data"),
    [
        ("CallInitiate", wire("CallInitiate", {"callerName": "x"})),
        ("CallInitiate", wire("CallInitiate", {"callerName": "\N{LEAFY GREEN}" * 255})),
        ("CallInitiate", wire("CallInitiate", callId=CALL_ID.upper())),
        ("CallInitiate", wire("CallInitiate", timestamp=0)),
        ("CallInitiate", wire("CallInitiate", timestamp=-(2**60))),
        ("CallInitiate", wire("CallInitiate", timestamp=1767537026588.0)),
        ("CallInitiate", wire("CallInitiate", {"media": []})),
        ("CallIceCandidate", wire("CallIceCandidate", {"candidate": "", "sdpMLineIndex": 0})),
        ("CallHangup", wire("CallHangup", {"reason": "completed", "duration": 0})),
        ("CallHangup", wire("CallHangup", {"reason": "completed", "duration": 754.0})),
    ],
)
def test_what_the_schema_allows_is_taken(name: str, data: object) -> None:
    value = decode(json.dumps(data))
    assert type(value) is MESSAGES[name].payload
    assert json.loads(MESSAGES[name].encode(value)) == data


@pytest.mark.parametrize(
    "text", ["", "{", "nul", "[]", '"call:busy"', "{}", '{"type": 1}', '{"type": null}', b"\xff"]
)
def test_what_is_no_signal_is_a_bad_message(text: str | bytes) -> None:
    with pytest.raises(BadMessage):
        decode(text)


def test_an_unknown_type_is_unsupported() -> None:
    with pytest.raises(UnsupportedMessage, match="call:hold"):
        decode(json.dumps(wire("CallBusy", type="call:hold")))


# Building signals


def test_a_constructor_asks_only_for_what_the_caller_knows() -> None:
    before = time.time_ns() // 1_000_000
    first, second = models.CallInitiate(), models.CallInitiate()
    assert before <= first.timestamp <= time.time_ns() // 1_000_000
    assert uuid.UUID(first.call_id).version == 4
    assert first.call_id != second.call_id
    assert first.payload is not second.payload
    assert json.loads(MESSAGES["CallInitiate"].encode(first)) == {
        "type": "call:initiate",
        "callId": first.call_id,
        "timestamp": first.timestamp,
        "payload": {},
    }
    for kind in (models.CallAccept, models.CallReject, models.CallBusy):
        assert kind(call_id=first.call_id).payload == models.EmptyPayload()
    assert models.CallOffer(call_id=first.call_id, payload=SDP).type is SignalType.CALL_OFFER


@pytest.mark.parametrize("name", [name for name in SIGNALS if name != "CallInitiate"])
def test_a_constructor_asks_for_the_call(name: str) -> None:
    payload: Any = getattr(models, name).model_fields["payload"]
    required = {"callId"} | ({"payload"} if payload.is_required() else set())
    with pytest.raises(ValidationError) as info:
        getattr(models, name)()
    assert {error["loc"][0] for error in info.value.errors()} == required


@pytest.mark.parametrize("call", [lambda: models.CallBusy(call_id="me"), lambda: models.CallInitiatePayload(caller_name=""), lambda: models.CallHangupPayload(reason=EndReason.BUSY, duration=-1), lambda: models.IceCandidatePayload(candidate="", sdp_m_line_index=65536)])  # fmt: skip
def test_a_constructor_checks(call: Callable[[], object]) -> None:
    with pytest.raises(ValidationError):
        call()


@pytest.mark.parametrize(
    ("attribute", "value"),
    [
        ("call_id", "me"),
        ("timestamp", "now"),
        ("type", "call:busy"),
        ("type", SignalType.CALL_BUSY),
        ("payload", None),
        ("payload.duration", -1),
        ("payload.duration", "x"),
        ("payload.reason", "bored"),
        ("payload.reason", None),
    ],
)
def test_assigning_an_invalid_value_raises(attribute: str, value: object) -> None:
    signal = models.CallHangup(
        call_id=CALL_ID, payload=models.CallHangupPayload(reason=EndReason.FAILED)
    )
    before = signal.model_dump_json()
    *inner, name = attribute.split(".")
    owner = getattr(signal, inner[0]) if inner else signal
    with pytest.raises(ValidationError):
        setattr(owner, name, value)
    assert signal.model_dump_json() == before


@pytest.mark.parametrize("name", SIGNALS)
def test_a_message_encodes_its_own_payload_only(name: str) -> None:
    value = decode(json.dumps(wire(name)))
    for other, message in MESSAGES.items():
        if other == name:
            continue
        with pytest.raises(TypeError, match=rf"{other} takes {other}, not {name}"):
            message.encode(value)


async def test_a_method_sends_its_own_message_only() -> None:
    client = AobaVoiceCallSignalingClient(loopback.pair()[0])
    offer: Any = models.CallOffer(call_id=CALL_ID, payload=SDP)
    with pytest.raises(TypeError, match=r"send_busy\(\) takes CallBusy, not CallOffer"):
        await client.send_busy(offer)


@pytest.mark.parametrize(
    "name", [name for name, operation in OPERATIONS.items() if operation.action == "send"]
)
async def test_what_a_method_sends_the_peers_hook_gets(name: str) -> None:
    operation = OPERATIONS[name]
    (message,) = operation.messages
    here, there = loopback.pair()
    caller, callee = AobaVoiceCallSignalingClient(here), AobaVoiceCallSignalingClient(there)
    got: list[tuple[object, str | None, str | None]] = []
    getattr(callee, HOOKS[message.name])(
        lambda value, incoming: got.append((value, incoming.sender, incoming.address))
    )
    value = decode(json.dumps(wire(message.name)))
    await getattr(caller, operation.method)(value, to="bob@localhost")
    assert got == [(value, "alice@localhost/1", "/xmpp")]
