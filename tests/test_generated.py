"""The committed client of the Aoba document: as the generator writes it, and as its contract says."""

from __future__ import annotations

import inspect
from collections.abc import Iterator, Mapping
from enum import StrEnum
from pathlib import Path
from typing import Any, get_args, get_type_hints

import aoba_voice_call_signaling as api
import pytest
from aoba_document import COMPONENTS, DOCUMENT, EXAMPLES, HOOKS, ROOT, SIGNALS
from aoba_runtime import Client, Hook, Transport, WireModel, loopback
from aoba_voice_call_signaling import (
    MESSAGES,
    OPERATIONS,
    SERVERS,
    AobaVoiceCallSignalingClient,
    messages,
    models,
)
from aoba_voice_call_signaling.models import EndReason, SignalType
from conftest import Cli


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
