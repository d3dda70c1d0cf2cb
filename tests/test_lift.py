"""The lift: a 2.x document in the shape of 3.x, every part at the place where it is written."""

from __future__ import annotations

from pathlib import Path

import pytest
from aoba_gen.load import Json
from aoba_gen.resolve import Place
from test_resolve import CASES, HEAD, at, read

SPEC = CASES / "version_2" / "spec.yaml"
STATE = "#/channels/lamps~1{lamp}~1state"


@pytest.fixture(scope="module")
def root() -> Place:
    document, said = read(SPEC)
    assert said == []
    return document.root


def pointers(place: Place) -> dict[str, str]:
    return {name: child.pointer for name, child in place.fields()}


def test_channels_have_their_addresses(root: Place) -> None:
    channels = at(root, "channels")
    assert pointers(channels) == {
        "lamps/{lamp}/state": STATE,
        "lamps/all": "#/channels/lamps~1all",
        "lamps/other": "#/channels/lamps~1other",
    }
    for address, channel in channels.fields():
        assert channel.text("address") == address
    state = at(channels, "lamps/{lamp}/state")
    assert state.text("description") == "What a lamp says of itself"
    assert [server.pointer for server in at(state, "servers").items()] == ["#/servers/cloud"]


def test_messages_are_called_by_id_or_name_or_key_or_operation(root: Place) -> None:
    channels = at(root, "channels")
    assert pointers(at(channels, "lamps/{lamp}/state", "messages")) == {
        "Turned": "#/components/messages/Turned",
        "dimmed": f"{STATE}/subscribe/message/oneOf/1",
        "Lamp broke": f"{STATE}/subscribe/message/oneOf/2",
        "onState Silence": f"{STATE}/subscribe/message/oneOf/3",
    }
    assert pointers(at(channels, "lamps/all", "messages")) == {
        "publish lamps/all message": "#/channels/lamps~1all/publish/message"
    }
    assert pointers(at(root, "components", "messages")) == {
        "Turned": "#/components/messages/Turned",
        "spare": "#/components/messages/Spare",
    }


def test_what_several_messages_are_called_names_none_of_them(tmp_path: Path) -> None:
    spec = tmp_path / "spec.yaml"
    spec.write_text(
        HEAD.replace("3.0.0", "2.6.0")
        + "channels: {on: {publish: {message: {oneOf: [{name: A}, {name: A}, {name: A}]}}}}\n"
        "components: {messages: {A: {name: B}, B: {name: B}, C: {name: B}}}"
    )
    document, said = read(spec)
    item = "#/channels/on/publish/message/oneOf"
    assert pointers(at(document.root, "channels", "on", "messages")) == {
        "publish on 1": f"{item}/0",
        "publish on 2": f"{item}/1",
        "publish on 3": f"{item}/2",
    }
    components = at(document.root, "components", "messages")
    assert pointers(components) == {
        "A": "#/components/messages/A",
        "B": "#/components/messages/B",
        "C": "#/components/messages/C",
    }
    assert components.key_location("C").column == 53
    assert said == []


def test_a_channel_may_stand_in_a_file_of_its_own(tmp_path: Path) -> None:
    (tmp_path / "channels").mkdir()
    (tmp_path / "channels" / "on.yaml").write_text(
        "parameters: {lamp: {schema: {type: string, enum: [a]}}}\n"
        "publish: {message: {payload: {$ref: ../bool.yaml}}}\n"
        "subscribe: {message: {$ref: '#/publish/message'}}"
    )
    (tmp_path / "bool.yaml").write_text("type: boolean")
    spec = tmp_path / "spec.yaml"
    spec.write_text(
        HEAD.replace("3.0.0", "2.1.0") + "channels: {'on/{lamp}': {$ref: channels/on.yaml}}"
    )
    document, said = read(spec)
    channel = at(document.root, "channels", "on/{lamp}")
    assert (channel.pointer, said) == ("#/channels/on~1{lamp}", [])
    message = "channels/on.yaml#/publish/message"
    assert pointers(at(channel, "messages")) == {"publish on/{lamp} message": message}
    (sent,) = at(document.root, "operations", "publish on/{lamp}", "messages").items()
    assert at(sent, "payload").pointer == "bool.yaml#"
    assert at(sent, "payload").key == "bool"
    assert at(channel, "parameters", "lamp", "enum").value() == ["a"]


def test_operations_are_called_by_id_or_by_verb_and_address(root: Place) -> None:
    operations = at(root, "operations")
    assert {
        name: (operation.pointer, operation.text("action"), at(operation, "channel").pointer)
        for name, operation in operations.fields()
    } == {
        "onState": (f"{STATE}/subscribe", "send", STATE),
        "publish lamps/{lamp}/state": (f"{STATE}/publish", "receive", STATE),
        "publish lamps/all": ("#/channels/lamps~1all/publish", "receive", "#/channels/lamps~1all"),
        "subscribe lamps/all": (
            "#/channels/lamps~1all/subscribe",
            "send",
            "#/channels/lamps~1all",
        ),
        "publish lamps/other": (
            "#/channels/lamps~1other/publish",
            "receive",
            "#/channels/lamps~1other",
        ),
    }
    assert operations.key_location("onState").line == 32
    assert list(at(operations, "subscribe lamps/all", "messages").items()) == []
    schemes = at(operations, "publish lamps/{lamp}/state", "security").items()
    assert [scheme.pointer for scheme in schemes] == ["#/components/securitySchemes/token"]


def test_a_payload_of_another_format_is_wrapped(root: Place) -> None:
    (message,) = at(root, "operations", "publish lamps/other", "messages").items()
    payload = at(message, "payload")
    assert payload.value() == {
        "schemaFormat": "application/vnd.apache.avro;version=1.9.0",
        "schema": {"type": "string"},
    }
    assert at(payload, "schema").pointer == f"{message.pointer}/payload"
    assert message.raw("schemaFormat") is None


def test_a_parameter_says_what_its_schema_says_of_a_text(root: Place) -> None:
    lamp = at(root, "channels", "lamps/{lamp}/state", "parameters", "lamp")
    said: dict[str, Json] = {name: child.value() for name, child in lamp.fields()}
    schema = said.pop("schema")
    assert said == {
        "description": "Its number",
        "location": "$message.payload#/lamp",
        "enum": ["1", "2"],
        "default": "1",
    }
    assert schema == {"type": "integer", "enum": [1, 2], "default": 1}


def test_a_server_has_a_host_and_names_its_schemes(root: Place) -> None:
    cloud, house = at(root, "servers", "cloud"), at(root, "servers", "house")
    assert cloud.text("host") == "{region}.example.com:8443"
    assert cloud.text("pathname") == "/lamps/v1"
    assert cloud.text("url") == "wss://{region}.example.com:8443/lamps/v1"
    assert at(cloud, "host").location.line == 9
    assert [scheme.pointer for scheme in at(cloud, "security").items()] == [
        "#/components/securitySchemes/token",
        "#/components/securitySchemes/nobody",  # which the components lack
    ]
    assert (house.text("host"), house.raw("pathname")) == ("lamp.local", None)


def test_what_3_has_in_info_stands_there(root: Place) -> None:
    assert root.raw("tags") is None
    assert at(root, "info", "tags").pointer == "#/tags"
    assert root.raw("components") is not None
    assert at(root, "components").raw("channels") is None


def test_the_document_stays_as_it_was_written_too() -> None:
    document, _ = read(SPEC)
    assert document.default_side == "peer"
    written = document.as_written.root
    assert at(written, "channels", "lamps/all", "publish", "message").value() == {
        "payload": {"type": "boolean"}
    }
    assert written.raw("operations") is None


@pytest.mark.parametrize("version", ["3.0.0", "3.1.0"])
def test_a_3_document_is_as_it_was_written(tmp_path: Path, version: str) -> None:
    spec = tmp_path / "spec.yaml"
    spec.write_text(HEAD.replace("3.0.0", version) + "channels: {room: {address: null}}")
    document, said = read(spec)
    assert (document.default_side, document.version, said) == ("described", version, [])
    assert document.root.value() == document.as_written.root.value()


@pytest.mark.parametrize(
    "channels",
    [
        "null",
        "[]",
        "{room: null}",
        "{room: {publish: null, subscribe: 5}}",
        "{room: {publish: {message: {oneOf: {}}}, servers: [1], parameters: []}}",
        "{room: {publish: {message: {traits: 1}, traits: [5]}}}",
        "{room: {$ref: '#/channels/room'}}",
    ],
)
def test_a_malformed_document_is_lifted_as_far_as_it_goes(tmp_path: Path, channels: str) -> None:
    spec = tmp_path / "spec.yaml"
    spec.write_text(HEAD.replace("3.0.0", "2.6.0") + f"channels: {channels}")
    document, _ = read(spec)
    operations = document.root.get("operations")
    for _, operation in operations.fields() if operations else ():
        assert len(list(at(operation, "messages").items())) <= 1
