"""Traits: in 2.x they win over what they are applied to, in 3.x they do not; nothing that they add is lost."""

from __future__ import annotations

from pathlib import Path

from aoba_gen.load import Json
from aoba_gen.resolve import Place
from test_resolve import CASES, Write, at, read, write

__all__ = ["write"]


def fields(place: Place) -> dict[str, Json]:
    return {name: child.value() for name, child in place.fields()}


def test_in_2_traits_win() -> None:
    document, said = read(CASES / "traits_2" / "spec.yaml")
    assert said == []
    operation = at(document.root, "operations", "say")
    assert operation.text("summary") == operation.text("description") == "Of a trait"
    (message,) = at(operation, "messages").items()
    assert message.pointer == "#/components/messages/Said"
    properties = at(message, "headers", "properties")
    assert properties.pointer == "#/components/messages/Said/headers/properties"
    assert fields(properties) == {
        "own": {"type": "string"},
        "both": {"type": "integer"},
        "trait": {"type": "integer"},
    }
    assert fields(message) | {"headers": None} == {
        "contentType": "application/json",
        "headers": None,
        "payload": {"type": "string"},
        "summary": "Of a trait",
        "description": "Of the last trait",
    }


def test_in_3_the_object_wins() -> None:
    document, said = read(CASES / "traits_3" / "spec.yaml")
    assert said == []
    operation = at(document.root, "operations", "say")
    assert operation.text("summary") == "Of the operation"
    assert operation.text("description") == "Of a trait"
    message = at(document.root, "channels", "room", "messages", "Said")
    assert fields(at(message, "headers", "properties")) == {
        "trait": {"type": "integer"},
        "both": {"type": "string"},
        "own": {"type": "string"},
    }
    assert message.text("contentType") == "text/plain"
    assert message.text("description") == "Of the last trait"
    assert message.raw("traits") is None
    written = document.as_written.root
    assert at(written, "components", "messages", "Said").raw("traits") is not None


def test_what_a_trait_alone_says_stands_where_it_says_it() -> None:
    for case, headers in (
        ("traits_2", "#/components/schemas/Sent"),
        ("traits_3", "parts.yaml#/Headers"),
    ):
        document, _ = read(CASES / case / "spec.yaml")
        heard = at(document.root, "components", "messages", "Heard")
        assert at(heard, "headers").pointer == headers
        assert at(heard, "headers", "properties", "trait").location.line > 1


def test_schemas_that_hold_themselves_are_merged_as_far_as_they_differ(write: Write) -> None:
    spec = write("""
        components:
          messages:
            M:
              headers: {$ref: '#/components/schemas/A'}
              traits: [{headers: {$ref: '#/components/schemas/B'}}]
          schemas:
            A: {properties: {in: {$ref: '#/components/schemas/A'}, a: {type: string}}}
            B: {properties: {in: {$ref: '#/components/schemas/B'}, b: {type: string}}}
        """)
    document, said = read(spec)
    headers = at(document.root, "components", "messages", "M", "headers")
    assert said == []
    assert {name for name, _ in at(headers, "properties").fields()} == {"in", "a", "b"}
    assert at(headers, "properties", "in").pointer == "#/components/schemas/A"


def test_null_in_a_trait_removes(write: Write) -> None:
    spec = write("""
        components:
          messages:
            M: {traits: [{summary: A, title: B}, {summary: null}]}
        """)
    document, _ = read(spec)
    assert fields(at(document.root, "components", "messages", "M")) == {"title": "B"}


def test_a_message_may_be_named_by_a_trait(tmp_path: Path) -> None:
    (tmp_path / "said.yaml").write_text("traits: [{messageId: spoken}]")
    (tmp_path / "heard.yaml").write_text("payload: {type: string}")
    spec = tmp_path / "spec.yaml"
    spec.write_text(
        "asyncapi: 2.4.0\ninfo: {title: T, version: 1.0.0}\nchannels: {room: "
        "{publish: {message: {oneOf: [{$ref: said.yaml}, {$ref: ./heard.yaml}]}}}}"
    )
    document, _ = read(spec)
    assert {
        name: message.pointer
        for name, message in at(document.root, "channels", "room", "messages").fields()
    } == {"spoken": "said.yaml#", "heard": "heard.yaml#"}
