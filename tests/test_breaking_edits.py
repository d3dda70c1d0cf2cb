"""Edits of the Aoba document that its owner would make: the verdict on each, the changelog, and the proof over loopback.

The proof of what breaks somebody is that the client of the old document fails with that of the new one; of what is compatible,
that each understands whatever the other one says.
"""

from __future__ import annotations

import importlib
import json
import sys
from collections.abc import Awaitable, Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import Any, Final, TypeAlias

import aoba_voice_call_signaling as api
import pytest
import yaml
from aoba_runtime import BadMessage, UnsupportedMessage, loopback
from click.testing import Result
from pydantic import ValidationError

Cli: TypeAlias = Callable[..., Result]
Proof: TypeAlias = Callable[[ModuleType, ModuleType], Awaitable[None]]

ROOT: Final = Path(__file__).parents[1]
SPEC: Final = ROOT / "spec" / "voice-call-signaling.yaml"
CASES: Final = Path(__file__).parent / "cases" / "edits"
DOCUMENT: Final[dict[str, Any]] = yaml.safe_load(SPEC.read_text())
EXAMPLES: Final = [
    (name, example["payload"])
    for name, message in DOCUMENT["components"]["messages"].items()
    for example in message["examples"]
]
CALL_ID: Final = "3f2b8c1e-0d4a-4c6b-9e7f-5a1d2c3b4e5f"


async def say(sender: ModuleType, receiver: ModuleType, name: str, wire: object) -> Any:
    """Send a message from a client of one package to one of another; what the receiver's program gets, as JSON data."""
    here, there = loopback.pair()
    one = sender.AobaVoiceCallSignalingClient(here)
    other = receiver.AobaVoiceCallSignalingClient(there)
    got: list[object] = []
    operations = sender.OPERATIONS.values()
    method = next(
        each.method
        for each in operations
        if each.action == "send" and [message.name for message in each.messages] == [name]
    )
    hook = f"on_{name[:4].lower()}_{_snake(name[4:])}"
    if hasattr(other, hook):
        getattr(other, hook)(lambda value, incoming: got.append(value))
    await getattr(one, method)(sender.MESSAGES[name].decode(json.dumps(wire)), to="bob@localhost")
    (value,) = got
    return json.loads(receiver.MESSAGES[name].encode(value))


def _snake(name: str) -> str:
    return "".join(f"_{c.lower()}" if c.isupper() else c for c in name).lstrip("_")


def signal(kind: str, **payload: object) -> dict[str, object]:
    return {"type": f"call:{kind}", "callId": CALL_ID, "timestamp": 1, "payload": payload}


async def understand_each_other(old: ModuleType, new: ModuleType) -> None:
    """Every example of every message arrives as it was sent, in both directions."""
    for sender, receiver in ((old, new), (new, old)):
        for name, wire in EXAMPLES:
            assert await say(sender, receiver, name, wire) == wire


async def fails(sender: ModuleType, receiver: ModuleType, name: str, wire: object) -> None:
    """Between two of the sender's kind it works; the receiver refuses it."""
    assert await say(sender, sender, name, wire) == wire
    with pytest.raises(BadMessage):
        await say(sender, receiver, name, wire)


async def optional_field(old: ModuleType, new: ModuleType) -> None:
    await understand_each_other(old, new)
    wire = signal("initiate", callerName="Ann", device="phone")
    assert await say(new, old, "CallInitiate", wire) == wire


async def new_signal(old: ModuleType, new: ModuleType) -> None:
    await understand_each_other(old, new)
    assert await say(new, new, "CallHold", signal("hold")) == signal("hold")
    with pytest.raises(UnsupportedMessage):
        await say(new, old, "CallHold", signal("hold"))


async def renamed_value(old: ModuleType, new: ModuleType) -> None:
    await fails(old, new, "CallHangup", signal("hangup", reason="cancelled"))
    await fails(new, old, "CallHangup", signal("hangup", reason="withdrawn"))
    assert not hasattr(new.models.EndReason, "CANCELLED")


async def required_field(old: ModuleType, new: ModuleType) -> None:
    await fails(old, new, "CallHangup", signal("hangup", reason="timeout"))
    payload = {"reason": old.models.EndReason.TIMEOUT}
    assert old.models.CallHangupPayload(**payload)
    with pytest.raises(ValidationError):
        new.models.CallHangupPayload(**payload)


async def removed_operation(old: ModuleType, new: ModuleType) -> None:
    assert hasattr(old.AobaVoiceCallSignalingClient, "send_mute_change")
    assert not hasattr(new.AobaVoiceCallSignalingClient, "send_mute_change")
    with pytest.raises(UnsupportedMessage):
        await say(old, new, "CallMuteChange", signal("mute-change", muted=True))


async def wider_number(old: ModuleType, new: ModuleType) -> None:
    await understand_each_other(old, new)
    wire = signal("ice-candidate", candidate="", sdpMLineIndex=70_000)
    await fails(new, old, "CallIceCandidate", wire)


async def narrower_number(old: ModuleType, new: ModuleType) -> None:
    wire = signal("ice-candidate", candidate="", sdpMLineIndex=1_024)
    await fails(old, new, "CallIceCandidate", wire)


async def renamed_schema(old: ModuleType, new: ModuleType) -> None:
    await understand_each_other(old, new)
    program = "models.CallHangupPayload(reason=models.EndReason.BUSY)"
    assert eval(program, {"models": old.models})
    with pytest.raises(AttributeError, match="EndReason"):
        eval(program, {"models": new.models})


@dataclass(frozen=True)
class Edit:
    """What is replaced in the document, what comes of it, and the proof."""

    changes: tuple[tuple[str, str], ...]
    verdict: str
    rules: frozenset[str]
    proof: Proof = understand_each_other


HOLD: Final = """\
    CallHold:
      payload:
        $ref: '#/components/schemas/CallHold'

"""
HOLD_SCHEMA: Final = """\
    CallHold:
      allOf:
        - $ref: '#/components/schemas/BaseSignal'
        - type: object
          description: Sent by either party to put the call on hold.
          properties:
            type:
              const: call:hold
            payload:
              $ref: '#/components/schemas/EmptyPayload'

"""
HOLD_OPERATIONS: Final = "".join(f"""\
  {action}Hold:
    action: {action}
    channel:
      $ref: '#/channels/callSignaling'
    messages:
      - $ref: '#/channels/callSignaling/messages/CallHold'

""" for action in ("send", "receive"))
CANDIDATE: Final = (
    SPEC.read_text().partition("    IceCandidatePayload:\n")[2].partition("\n\n    Call")[0]
)


def _operation(name: str) -> str:
    text = SPEC.read_text().partition(f"  {name}:\n")[2]
    head = text.partition("\n\n")[0]
    return f"  {name}:\n{head}\n\n"


def _key(name: str) -> str:
    return f"      {name}:\n        $ref: '#/components/messages/{name}'\n"


EDITS: Final = {
    "optional-field": Edit(
        (
            (
                "      properties:\n        callerName:",
                "      properties:\n        device:\n          type: string\n        callerName:",
            ),
        ),
        "compatible",
        frozenset({"field-added"}),
        optional_field,
    ),
    "new-signal": Edit(
        (
            ("        - call:mute-change\n", "        - call:mute-change\n        - call:hold\n"),
            (_key("CallBusy"), _key("CallHold") + _key("CallBusy")),
            ("  sendMuteChange:\n", f"{HOLD_OPERATIONS}  sendMuteChange:\n"),
            ("    CallMuteChange:\n      name:", f"{HOLD}    CallMuteChange:\n      name:"),
            (
                "    CallMuteChange:\n      allOf:",
                f"{HOLD_SCHEMA}    CallMuteChange:\n      allOf:",
            ),
        ),
        "risky",
        frozenset({"message-added", "operation-added", "class-added", "enum-value-added"}),
        new_signal,
    ),
    "renamed-value": Edit(
        (
            ("        - cancelled\n", "        - withdrawn\n"),
            ("reason: cancelled", "reason: withdrawn"),
            (
                "        - withdrawn\n",
                "        - withdrawn\n      x-aoba-call: {cancelled: withdrawn}\n",
            ),
        ),
        "breaking",
        frozenset({"enum-value-renamed"}),
        renamed_value,
    ),
    "required-field": Edit(
        (
            (
                "      required:\n        - reason\n",
                "      required:\n        - reason\n        - duration\n",
            ),
            (
                "              reason: cancelled\n",
                "              reason: cancelled\n              duration: 0\n",
            ),
        ),
        "breaking",
        frozenset({"field-required"}),
        required_field,
    ),
    "removed-operation": Edit(
        (
            (_operation("sendMuteChange"), ""),
            (_operation("receiveMuteChange").rstrip("\n"), ""),
            (_key("CallMuteChange"), ""),
        ),
        "breaking",
        frozenset({"operation-removed", "channel-message-removed"}),
        removed_operation,
    ),
    "wider-number": Edit(
        (("maximum: 65535", "maximum: 100000"),),
        "breaking",
        frozenset({"constraint-loosened"}),
        wider_number,
    ),
    "narrower-number": Edit(
        (("maximum: 65535", "maximum: 1023"),),
        "breaking",
        frozenset({"constraint-tightened"}),
        narrower_number,
    ),
    "renamed-schema": Edit(
        (
            ("    EndReason:\n", "    HangupReason:\n"),
            ("schemas/EndReason", "schemas/HangupReason"),
        ),
        "breaking",
        frozenset({"class-renamed"}),
        renamed_schema,
    ),
    "moved-file": Edit(
        ((CANDIDATE, "      $ref: parts/schemas.yaml#/IceCandidatePayload\n"),), "", frozenset()
    ),
    "new-server": Edit(
        (
            (
                "  production:\n",
                "  canary:\n    host: canary.aoba.chat\n    protocol: wss\n  production:\n",
            ),
        ),
        "compatible",
        frozenset({"server-added"}),
    ),
    "description-only": Edit(
        (("description: Reason for call ending", "description: Why the call has ended"),),
        "compatible",
        frozenset({"description-changed"}),
    ),
}


@pytest.fixture(params=EDITS)
def edit(request: pytest.FixtureRequest, tmp_path: Path) -> tuple[str, Edit, Path]:
    """An edit by its name, and the edited document."""
    name, made = request.param, EDITS[request.param]
    text = SPEC.read_text()
    for before, after in made.changes:
        assert before in text
        text = text.replace(before, after)
    new = tmp_path / SPEC.name
    new.write_text(text)
    if name == "moved-file":
        (tmp_path / "parts").mkdir()
        (tmp_path / "parts" / "schemas.yaml").write_text(f"IceCandidatePayload:\n{CANDIDATE}\n")
    return name, made, new


def test_the_verdict(cli: Cli, edit: tuple[str, Edit, Path]) -> None:
    _, made, new = edit
    result = cli("breaking", new, "--against", SPEC, "--format", "json")
    changes = json.loads(result.stdout)["changes"]
    assert {change["rule"] for change in changes} == made.rules
    assert (changes[0]["verdict"] if changes else "") == made.verdict
    assert result.exit_code == (1 if made.verdict == "breaking" else 0)


def test_the_changelog(cli: Cli, edit: tuple[str, Edit, Path]) -> None:
    name, _, new = edit
    text = cli("changelog", SPEC, new).stdout
    assert text == (CASES / f"{name}.md").read_text()


@pytest.fixture
def package(
    cli: Cli, edit: tuple[str, Edit, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[ModuleType]:
    """The package of the edited document."""
    name = f"edited_{edit[0].replace('-', '_')}"
    assert cli(edit[2], "-o", tmp_path / "out", "--package", name, "-q").exit_code == 0
    monkeypatch.syspath_prepend(str(tmp_path / "out"))
    yield importlib.import_module(name)
    for module in [key for key in sys.modules if key.partition(".")[0] == name]:
        del sys.modules[module]


async def test_the_proof(edit: tuple[str, Edit, Path], package: ModuleType) -> None:
    await edit[1].proof(api, package)
