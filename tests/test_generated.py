"""The committed client of the Aoba document: as the generator writes it, and as its contract says."""

from __future__ import annotations

import inspect
import json
import time
import uuid
from collections.abc import Callable, Iterator, Mapping
from enum import StrEnum
from pathlib import Path
from typing import Any, Final, TypeAlias, get_args, get_type_hints

import aoba_voice_call_signaling as api
import pytest
import yaml
from aoba_runtime import (
    BadMessage,
    Client,
    Hook,
    Transport,
    UnsupportedMessage,
    WireModel,
    loopback,
)
from aoba_voice_call_signaling import (
    MESSAGES,
    OPERATIONS,
    SERVERS,
    AobaVoiceCallSignalingClient,
    decode,
    messages,
    models,
)
from aoba_voice_call_signaling.models import EndReason, SignalType
from click.testing import Result
from pydantic import ValidationError

Cli: TypeAlias = Callable[..., Result]

ROOT = Path(__file__).parents[1]
DOCUMENT: Final[dict[str, Any]] = yaml.safe_load(
    (ROOT / "spec" / "voice-call-signaling.yaml").read_text()
)
COMPONENTS: Final = DOCUMENT["components"]
SIGNALS: Final = list(COMPONENTS["messages"])
EXAMPLES: Final = {
    f"{name}-{example['name']}": (name, example["payload"])
    for name, message in COMPONENTS["messages"].items()
    for example in message["examples"]
}
CALL_ID: Final = "3f2b8c1e-0d4a-4c6b-9e7f-5a1d2c3b4e5f"
SDP: Final = models.SdpPayload(type=models.SdpPayloadType.OFFER, sdp="v=0\r\n")


def wire(name: str, payload: object = None, **fields: object) -> dict[str, object]:
    """A signal as JSON data; its payload is that of the minimal example unless one is given."""
    minimal = EXAMPLES[f"{name}-minimal"][1]
    return {**minimal, **({} if payload is None else {"payload": payload}), **fields}


def members(enum: type[StrEnum]) -> dict[str, str]:
    return {member.name: member.value for member in enum}


# The files


def test_is_what_the_generator_writes(fresh: Path) -> None:
    ours, new = ROOT / "generated", {
        place.relative_to(fresh): place for place in fresh.rglob("*") if place.is_file()
    }
    assert {
        place.relative_to(ours)
        for place in ours.rglob("*")
        if place.is_file() and place.suffix != ".pyc"
    } == set(new)
    for name, place in new.items():
        assert (
            ours / name
        ).read_bytes() == place.read_bytes(), f"generate again: {name} is not current"


def test_is_what_was_wished_for() -> None:
    """The golden files are the code as we want it, read line by line; a change of theirs is a decision."""
    wish = Path(__file__).parent / "cases" / "golden" / "aoba_voice_call_signaling"
    written = Path(api.__file__).parent
    names = {place.name for place in written.iterdir() if place.suffix == ".py"}
    assert {place.name for place in wish.iterdir() if place.suffix == ".py"} == names
    for name in sorted(names):
        assert (written / name).read_text() == (wish / name).read_text(), name


def test_check_says_so_too(cli: Cli, spec: Path) -> None:
    result = cli(spec, "-o", ROOT / "generated", "--check")
    assert (result.exit_code, result.stderr) == (0, "")


# The contract, attribute by attribute


def test_package() -> None:
    assert api.__version__ == DOCUMENT["info"]["version"] == "1.0.0"
    assert (api.__doc__ or "").startswith(
        "Aoba Voice Call Signaling API 1.0.0\n\nWebRTC voice call"
    )
    assert sorted(api.__all__) == [
        "AobaVoiceCallSignalingClient",
        "CallSignalingMessage",
        "MESSAGES",
        "OPERATIONS",
        "SERVERS",
        "__version__",
        "decode",
        "models",
    ]
    assert all(hasattr(api, name) for name in api.__all__)
    assert issubclass(AobaVoiceCallSignalingClient, Client)


@pytest.mark.parametrize("table", [MESSAGES, OPERATIONS, SERVERS])
def test_tables_cannot_be_changed(table: Mapping[str, object]) -> None:
    with pytest.raises(TypeError):
        table["x"] = 1  # type: ignore[index] # pyright: ignore[reportIndexIssue]  # the mistake under test


def test_messages() -> None:
    assert list(MESSAGES) == SIGNALS
    for name, message in MESSAGES.items():
        said = COMPONENTS["messages"][name]
        assert message.name == name
        assert message.pointer == f"#/components/messages/{name}"
        assert message.payload is getattr(models, name)
        assert message.headers is None
        assert message.content_type == "application/json"
        assert message.title == said["title"]


def test_a_message_shows_its_name_and_what_is_in_it() -> None:
    assert [repr(each) for each in (messages.CALL_ACCEPT, messages.CALL_INITIATE)] == [
        "<Message 'CallAccept': CallAccept(call_id, timestamp, type, payload)>",
        "<Message 'CallInitiate': CallInitiate(call_id, timestamp, type, payload)>",
    ]


def test_operations() -> None:
    said: dict[str, dict[str, Any]] = DOCUMENT["operations"]
    assert list(OPERATIONS) == list(said)
    assert len(OPERATIONS) == 15
    for name, operation in OPERATIONS.items():
        (ref,) = (message["$ref"] for message in said[name]["messages"])
        message = MESSAGES[ref.rpartition("/")[2]]
        assert operation.name == name
        assert operation.action == said[name]["action"]
        assert (operation.channel, operation.address) == ("callSignaling", "/xmpp")
        assert operation.messages == (message,)
        assert operation.reply is None
        method = inspect.getattr_static(AobaVoiceCallSignalingClient, operation.method)
        assert said[name]["summary"] in (inspect.getdoc(method) or "")
        if operation.action == "send":
            assert inspect.iscoroutinefunction(method)
            assert get_type_hints(method) == {
                "message": message.payload,
                "to": str | None,
                "return": type(None),
            }
        else:
            assert isinstance(method, property)
            assert operation.method == HOOKS[message.name]


def test_methods_are_named_after_the_operations() -> None:
    assert {name: operation.method for name, operation in OPERATIONS.items()} == {
        "initiateCall": "initiate_call",
        "receiveCallInitiate": "on_call_initiate",
        "acceptCall": "accept_call",
        "rejectCall": "reject_call",
        "sendBusy": "send_busy",
        "sendOffer": "send_offer",
        "receiveOffer": "on_call_offer",
        "sendAnswer": "send_answer",
        "receiveAnswer": "on_call_answer",
        "sendIceCandidate": "send_ice_candidate",
        "receiveIceCandidate": "on_call_ice_candidate",
        "sendHangup": "send_hangup",
        "receiveHangup": "on_call_hangup",
        "sendMuteChange": "send_mute_change",
        "receiveMuteChange": "on_call_mute_change",
    }


def test_servers() -> None:
    assert {
        name: (server.url, server.protocol, server.tls, server.security)
        for name, server in SERVERS.items()
    } == {
        "development": ("ws://localhost:8082", "ws", False, ()),
        "staging": ("wss://staging.aoba.chat", "wss", True, ()),
        "production": ("wss://api.aoba.chat", "wss", True, ()),
    }
    assert list(SERVERS) == list(DOCUMENT["servers"])


HOOKS: Final = {
    "CallInitiate": "on_call_initiate",
    "CallAccept": "on_call_accept",
    "CallReject": "on_call_reject",
    "CallOffer": "on_call_offer",
    "CallAnswer": "on_call_answer",
    "CallIceCandidate": "on_call_ice_candidate",
    "CallHangup": "on_call_hangup",
    "CallBusy": "on_call_busy",
    "CallMuteChange": "on_call_mute_change",
}


def test_one_hook_for_each_message() -> None:
    client = AobaVoiceCallSignalingClient(loopback.pair()[0])
    found = {hook.message.name: name for name, hook in _hooks(client)}
    assert found == HOOKS
    assert list(HOOKS) == SIGNALS
    for name, attribute in HOOKS.items():
        hook = getattr(client, attribute)
        assert hook is getattr(client, attribute)
        assert hook.message is MESSAGES[name]
        getter = inspect.getattr_static(AobaVoiceCallSignalingClient, attribute).fget
        assert get_args(get_type_hints(getter)["return"]) == (MESSAGES[name].payload,)


def _hooks(client: Client) -> Iterator[tuple[str, Hook[Any]]]:
    for name, _ in inspect.getmembers_static(
        type(client), lambda found: isinstance(found, property)
    ):
        yield name, getattr(client, name)


def test_client_takes_a_transport() -> None:
    hints = get_type_hints(AobaVoiceCallSignalingClient.__init__)
    assert hints == {"transport": Transport, "return": type(None)}


# The models


def test_every_component_schema_keeps_its_name() -> None:
    for name, schema in COMPONENTS["schemas"].items():
        kind = StrEnum if "enum" in schema else WireModel
        assert issubclass(getattr(models, name), kind)
    extra = {
        name
        for name, found in vars(models).items()
        if inspect.isclass(found) and found.__module__ == models.__name__
    } - set(COMPONENTS["schemas"])
    assert extra == {"CallInitiatePayloadMedia", "SdpPayloadType"}


def test_enums() -> None:
    assert members(SignalType) == {
        "CALL_INITIATE": "call:initiate",
        "CALL_ACCEPT": "call:accept",
        "CALL_REJECT": "call:reject",
        "CALL_OFFER": "call:offer",
        "CALL_ANSWER": "call:answer",
        "CALL_ICE_CANDIDATE": "call:ice-candidate",
        "CALL_HANGUP": "call:hangup",
        "CALL_BUSY": "call:busy",
        "CALL_MUTE_CHANGE": "call:mute-change",
    }
    assert members(EndReason) == {
        name.upper(): name for name in COMPONENTS["schemas"]["EndReason"]["enum"]
    }
    assert members(models.SdpPayloadType) == {"OFFER": "offer", "ANSWER": "answer"}
    assert members(models.CallInitiatePayloadMedia) == {"AUDIO": "audio"}


@pytest.mark.parametrize("name", SIGNALS)
def test_each_signal_has_its_type(name: str) -> None:
    field = MESSAGES[name].payload.model_fields["type"]
    value = EXAMPLES[f"{name}-minimal"][1]["type"]
    assert get_args(field.annotation) == (SignalType(value),)
    assert field.default is SignalType(value)
    assert messages.CALL_SIGNALING_CHANNEL.routes[value] is MESSAGES[name]


@pytest.mark.parametrize("name", COMPONENTS["schemas"])
def test_descriptions_become_docstrings(name: str) -> None:
    schema = COMPONENTS["schemas"][name]
    text = schema.get("description") or schema["allOf"][1]["description"]
    assert (inspect.getdoc(getattr(models, name)) or "").split() == text.split()


def test_one_union_for_the_channel() -> None:
    union, field = get_args(messages.CallSignalingMessage)
    assert get_args(union) == tuple(message.payload for message in MESSAGES.values())
    assert field.discriminator == "type"


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
