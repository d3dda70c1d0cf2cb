"""names.py: names an engineer would choose, that are names, and that two things never share in silence."""

from __future__ import annotations

import importlib
import itertools
import json
import keyword
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeAlias

import pytest
import yaml
from aoba_gen import names
from aoba_gen.diagnostics import Location, Report
from click.testing import Result
from hypothesis import example, given
from hypothesis import strategies as st

Cli: TypeAlias = Callable[..., Result]
Edit: TypeAlias = Callable[[Any], None]

COUNT = itertools.count()
HERE, THERE = Location("spec.yaml", 3, 5), Location("spec.yaml", 9, 5)
MAKERS = [
    names.snake,
    names.constant,
    names.member,
    names.pascal,
    names.field,
    names.package,
    names.client,
]


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("sendIceCandidate", "send Ice Candidate"),
        ("sdpMLineIndex", "sdp M Line Index"),
        ("HTTPServer", "HTTP Server"),
        ("userID", "user ID"),
        ("v2Beta", "v2 Beta"),
        ("call:ice-candidate", "call ice candidate"),
        ("call.ice/candidate", "call ice candidate"),
        ("__dunder__", "dunder"),
        ("snake_case", "snake case"),
        ("UPPER_CASE", "UPPER CASE"),
        ("", ""),
        ("!?", ""),
        ("Straßen-Übersicht", "Straßen Übersicht"),
    ],
)
def test_words(text: str, words: str) -> None:
    assert names.words(text) == words.split()


@pytest.mark.parametrize(
    ("make", "text", "name"),
    [
        (names.snake, "sendIceCandidate", "send_ice_candidate"),
        (names.snake, "sdpMLineIndex", "sdp_m_line_index"),
        (names.snake, "callId", "call_id"),
        (names.snake, "class", "class_"),
        (names.snake, "3d", "_3d"),
        (names.snake, "!", "_"),
        (names.snake, "type", "type"),
        (names.constant, "call:ice-candidate", "CALL_ICE_CANDIDATE"),
        (names.constant, "CallInitiate", "CALL_INITIATE"),
        (names.constant, "completed", "COMPLETED"),
        (names.constant, "2.0", "_2_0"),
        (names.member, "1m", "V1M"),
        (names.member, "-1", "MINUS_1"),
        (names.member, "+", "PLUS_SIGN"),
        (names.member, "\r\n", "CR_LF"),
        (names.member, "", "EMPTY"),
        (names.member, "None", "NONE"),
        (names.member, "__x__", "X"),
        (names.member, "2.0", "V2_0"),
        (names.member, "call:ice-candidate", "CALL_ICE_CANDIDATE"),
        (names.pascal, "CallInitiate", "CallInitiate"),
        (names.pascal, "call-initiate", "CallInitiate"),
        (names.pascal, "callInitiate", "CallInitiate"),
        (names.pascal, "HTTPError", "HTTPError"),
        (names.pascal, "none", "None_"),
        (names.pascal, "Exception", "Exception"),
        (names.field, "callerName", "caller_name"),
        (names.field, "schema", "schema_"),
        (names.field, "modelName", "model_name_"),
        (names.field, "from", "from_"),
        (names.package, "Aoba Voice Call Signaling API", "aoba_voice_call_signaling"),
        (names.package, "Ping", "ping"),
        (names.package, "API", "api"),
        (names.package, "rapi", "rapi"),
        (names.client, "Aoba Voice Call Signaling API", "AobaVoiceCallSignalingClient"),
        (names.client, "ping api", "PingClient"),
    ],
)
def test_a_name_as_an_engineer_would_choose_it(
    make: Callable[[str], str], text: str, name: str
) -> None:
    assert make(text) == name


@example("class")
@example("None")
@example("ﬁ")
@example("٣")
@example("·")
@example("ªº")
@example("µ")
@example("ſ")
@example("İ")
@example("ŉ")
@given(st.text(max_size=20))
def test_every_name_is_a_name(text: str) -> None:
    for make in MAKERS:
        name = make(text)
        assert name.isidentifier(), make
        assert not keyword.iskeyword(name), make
        assert not name.startswith("__"), make


@given(st.text(max_size=20))
def test_python_reads_a_name_as_we_wrote_it(text: str) -> None:
    """Python normalises identifiers (NFKC); a name that changed by it would not be found by its own text."""
    for make in MAKERS:
        space: dict[str, object] = {}
        exec(f"{make(text)} = 1", space)
        assert make(text) in space, make


def test_a_clash_is_reported_with_both_places() -> None:
    report = Report()
    scope = names.Scope("the client", report)
    assert scope.claim("send_ping", "sendPing", HERE) == "send_ping"
    scope.claim("send_ping", "send_ping", THERE)
    (found,) = report.diagnostics
    assert (found.rule, found.location) == ("name-clash", THERE)
    assert (
        found.message
        == "'send_ping' and 'sendPing' (spec.yaml:3:5) both become 'send_ping' in the client"
    )
    assert found.hint


def test_the_same_thing_may_claim_its_name_again() -> None:
    report = Report()
    scope = names.Scope("models", report)
    scope.claim("Ping", "Ping", HERE)
    scope.claim("Ping", "Ping", HERE)
    names.Scope("another", report).claim("Ping", "Ping", THERE)
    assert report.diagnostics == ()


def test_a_reserved_name_is_reported() -> None:
    report = Report()
    names.Scope("the client", report, frozenset({"aclose"})).claim("aclose", "aclose", HERE)
    (found,) = report.diagnostics
    assert (found.rule, found.location) == ("name-clash", HERE)
    assert "'aclose'" in found.message


# Any name that a document may use, all the way to a package that imports and works


def _schema(name: str) -> Edit:
    def edit(document: Any) -> None:
        schemas, messages = document["components"]["schemas"], document["components"]["messages"]
        schemas[name] = schemas.pop("Ping")
        messages["Ping"]["payload"] = {"$ref": f"#/components/schemas/{name}"}

    return edit


def _property(name: str) -> Edit:
    """A property of this name, before and behind others of the types that its Python name might hide."""

    def edit(document: Any) -> None:
        ping = document["components"]["schemas"]["Ping"]
        others = {"n1": {"type": "integer"}, "n2": {"type": "string", "minLength": 1}, "n3": {"type": "array", "items": {"type": "string"}}}  # fmt: skip
        ping["properties"] = (
            {name: {"type": "string"}} | others | ping["properties"] | {name: {"type": "string"}}
        )
        ping["required"].append(name)

    return edit


def _value(name: str) -> Edit:
    def edit(document: Any) -> None:
        document["components"]["schemas"]["Ping"]["properties"]["text"] = {
            "type": "string",
            "enum": ["a", name],
        }

    return edit


def _message(name: str) -> Edit:
    def edit(document: Any) -> None:
        messages = document["components"]["messages"]
        messages[name] = messages.pop("Ping")
        document["channels"]["room"]["messages"] = {name: {"$ref": f"#/components/messages/{name}"}}

    return edit


def _operation(name: str) -> Edit:
    def edit(document: Any) -> None:
        document["operations"][name] = document["operations"].pop("sendPing")

    return edit


NAMES: dict[Callable[[str], Edit], list[str]] = {
    _schema: ["Field", "Literal", "Annotated", "StrEnum", "WireModel", "Nullable", "Uuid", "Any", "BaseModel", "Exception", "ping-pong", "Caf\u00e9", "Cafe\u0301", "K\u212b", "_x"],
    _property: ["int", "str", "list", "bool", "None", "class", "self", "cls", "schema", "model_config", "model_fields", "copy", "__class__", "_private", "Field", "Annotated", "models", "x-y", "1", "type", "Ping"],
    _value: ["name", "value", "mro", "", "None", "__x__", "_ignore_", "1", "-1", "*", "title", "\u00e9", "'", '"', "\\"],
    _message: ["room", "Room", "Final", "Mapping", "Message", "Channel", "models", "decode", "Field", "Annotated", "123"],
    _operation: ["_send", "_hook", "__init__", "self", "class", "transport", "_transport", "Final", "Operation"],
}  # fmt: skip


@pytest.mark.parametrize(
    ("edit", "name"),
    [
        pytest.param(edit, name, id=f"{edit.__name__[1:]}-{name}")
        for edit, some in NAMES.items()
        for name in some
    ],
)
def test_a_document_may_use_any_name(
    cli: Cli,
    root: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    edit: Callable[[str], Edit],
    name: str,
) -> None:
    document = yaml.safe_load((root / "tests" / "cases" / "ping.yaml").read_text())
    edit(name)(document)
    (tmp_path / "spec.json").write_text(json.dumps(document))
    package = f"named_{next(COUNT)}"
    result = cli(tmp_path / "spec.json", "-o", tmp_path, "--package", package)
    assert result.exit_code == 0, result.stderr
    monkeypatch.syspath_prepend(tmp_path)
    made = importlib.import_module(package)
    data = {"text": "a", "extra": 1} | ({name: "b"} if edit is _property else {})
    ((key, message),) = made.MESSAGES.items()
    assert json.loads(message.encode(made.decode(json.dumps(data)))) == data
    (operation,) = made.OPERATIONS
    assert (key, operation) == (
        name if edit is _message else "Ping",
        name if edit is _operation else "sendPing",
    )
