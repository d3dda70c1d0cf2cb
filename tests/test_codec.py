"""Codec: what JSON can say survives, what no value can hold is refused, and nothing else is ever raised."""

from __future__ import annotations

import json
import os
import random
from enum import IntEnum
from typing import Annotated, Any, Final, Literal, TypeAlias

import aoba_voice_call_signaling as aoba
import pytest
from aoba_runtime import BadMessage, Checks, Fault, Message, Nullable, UnsupportedMessage, WireModel
from pydantic import Field
from typing_extensions import TypeAliasType


class Level(IntEnum):
    LOW = 1
    HIGH = 2


class Node(WireModel):
    """Fields have the names that pydantic's own schemas use, too."""

    type: int | str | None = None
    default: Literal[1] | None = None
    metadata: Level | None = None
    number: float | None = None
    bounded: Annotated[float | None, Field(gt=-1, multiple_of=5)] = None
    child: Node | None = None
    kids: list[Node | None] = []
    by_name: Annotated[dict[str, Nullable[int]] | None, Field(alias="byName")] = None
    price: Annotated[float | None, Field(multiple_of=0.01)] = None
    pair: tuple[int, str | None] | None = None
    either: Annotated[Nullable[Node | list[Node]], Checks({"maxItems": 2})] = None
    anything: Nullable[Any] = None


Tree = TypeAliasType("Tree", "int | list[Tree] | dict[str, Tree] | None")
NODE = Message("Node", pointer="#/n", payload=Node)
TREE: Final[Message[Tree]] = Message("Tree", pointer="#/t", payload=Tree)
Levels: TypeAlias = list[Literal[1, 2] | Level]
LEVELS: Final[Message[Levels]] = Message("Levels", pointer="#/l", payload=Levels)


@pytest.mark.parametrize(
    "wire",
    [
        {},
        {"kids": [None, {"child": {}}, {"kids": []}]},
        {"byName": {"a": None, "": 3}},
        {"pair": [1, None]},
        {"either": None},
        {"either": [{"type": 1}, {"type": "1"}]},
        {"either": {"either": {"x": None}}},
        {"anything": None},
        {"anything": [None, {"a": None, "b": [{}]}], "unknown": None},
        {"number": 0.1},
        {"number": 1e-320},
        {"number": 2**53 + 1},
        {"number": -(10**30)},
        {"bounded": 5 * 10**20},
        {"anything": 10**4000, "x": -(10**40)},
        {"type": 10**25},
        {"price": 1.15},
        {"type": "\U0001f600 \u2028 \x7f \u0000 \ufffe"},
    ],
)
def test_nothing_is_lost(wire: dict[str, object]) -> None:
    found = NODE.decode(json.dumps(wire))
    again = NODE.encode(found)
    assert json.loads(again) == wire
    assert NODE.decode(again) == found


def test_an_integer_may_be_written_as_a_fraction_wherever_it_stands() -> None:
    data = '{"type":1.0,"default":1e0,"metadata":2.0,"pair":[3.0,null],"either":[{"type":4.0}],"number":1}'
    found = NODE.decode(data)
    assert (found.type, found.default, found.metadata, found.pair) == (1, 1, Level.HIGH, (3, None))
    assert LEVELS.decode("[1.0, 2]") == [1, 2]
    assert NODE.decode('{"number": -0.0}').number == 0


@pytest.mark.parametrize(
    ("wire", "problem"),
    [
        ('{"child":null}', "child: Input should be an object, not null"),
        ('{"kids":[null,{"byName":null}]}', "kids[1].byName: Input should be an object, not null"),
        ('{"byName":{"a":true}}', "byName.a: Input should be a valid integer"),
        ('{"type":[]}', "type: Input should be a valid integer or a valid string"),
        ('{"default":true}', "default: Input should be 1"),
        ('{"metadata":true}', "metadata: Input should be 1"),
        ('{"metadata":3}', "metadata: Input should be 1 or 2"),
        ('{"number":true}', "number: Input should be a valid number"),
        ('{"number":1e400}', "number: Input should be a finite number"),
        ('{"bounded":-1e30}', "bounded: Input should be greater than -1"),
        ('{"bounded":10000000000000000001}', "bounded: Input should be a multiple of 5"),
        ('{"price":1000000000.005}', "price: Input should be a multiple of 0.01"),
        ('{"either":[{},{},{"type":[]}]}', "either: Input should be an object; either[2].type: "),
        ('{"either":[{},{},{}]}', "either: should be an array whose length is at most 2"),
        ('{"pair":[1]}', "pair[1]: Field required"),
        ('{"anything":{"a":[NaN]}}', "anything: should be JSON, which has no NaN"),
        ('{"x":1e999}', "x: should be JSON, which has no NaN"),
        ('{"x":"\\ud800"}', "the message: should be JSON"),
        ("\ufeff{}", "the message: should be JSON: expected value at line 1 column 1"),
        ('{"kids":[' * 90 + "]}" * 90, "the message: should not be nested so deep"),
        ('{"child":' * 150 + "{}" + "}" * 150, "the message: should not be nested so deep"),
        ('{"x":' * 300, "the message: should be JSON: recursion limit exceeded"),
        ('{"type":[' + "[]," * 60000 + "[]]}", "type: Input should be a valid integer or a valid"),
    ],
    ids=lambda value: value[:30],
)
def test_what_is_refused_says_where_and_why(wire: str, problem: str) -> None:
    with pytest.raises(BadMessage) as refused:
        NODE.decode(wire)
    assert refused.value.text.startswith(f"not a Node: {problem}") or problem in refused.value.text


def test_many_problems_are_counted_but_not_all_told() -> None:
    with pytest.raises(BadMessage, match="; and 92 more$") as refused:
        NODE.decode(json.dumps({"kids": [{"type": None}] * 100}))
    assert len(refused.value.problems) == 100
    assert len(refused.value.text) < 1000


def test_true_is_no_level() -> None:
    for wire in ("[true]", "[1, 3]"):
        with pytest.raises(BadMessage):
            LEVELS.decode(wire)


@pytest.mark.parametrize("depth", [1, 50, 199, 200, 250, 100_000])
def test_depth_is_bounded_by_the_parser(depth: int) -> None:
    wire = "[" * depth + "]" * depth
    if depth <= 200:
        assert json.loads(TREE.encode(TREE.decode(wire))) == json.loads(wire)
        return
    with pytest.raises(BadMessage, match="recursion limit exceeded"):
        TREE.decode(wire)


def test_a_value_too_deep_to_send_is_a_value_error() -> None:
    deep: Any = []
    for _ in range(5000):
        deep = [deep]
    around: list[Any] = []
    around.append(around)
    nodes = Node()
    for _ in range(400):
        nodes = Node.model_construct({"child"}, child=nodes)
    for anything in (deep, around):
        with pytest.raises(ValueError, match="this Node cannot be sent"):
            NODE.encode(Node(anything=anything))
        with pytest.raises((TypeError, ValueError)):
            TREE.encode(anything)
    with pytest.raises(ValueError, match="this Node cannot be sent"):
        NODE.encode(nodes)


def test_what_was_constructed_without_a_check_is_checked_before_it_is_sent() -> None:
    node = Node.model_construct({"type", "kids"}, type=[], kids=[Node()])
    with pytest.raises(ValueError, match="type: Input should be a valid integer"):
        NODE.encode(node)


NASTY: Final[list[Any]] = [
    None, True, False, 0, -0.0, 1.0, 1e300, 2**64, -(2**70), "", "call:offer", "\ufffe", "\ud800", [], [[]], {},
    {"type": None}, {"": ""}, ["audio"], float("nan"), float("inf"), "3f2b8c1e-0d4a-4c6b-9e7f-5a1d2c3b4e5f", 10**309,
]  # fmt: skip
PIECES: Final = [
    b'"',
    b"\\u00",
    b"\\ud800",
    b"{",
    b"}",
    b"[",
    b"]",
    b",",
    b":",
    b"e400",
    b"-",
    b".",
    b"null",
    b"\x00",
]


def mutated(value: Any, dice: random.Random) -> Any:
    """`value` with one thing in it changed, taken out, doubled or wrapped."""
    if isinstance(value, dict) and value and dice.random() < 0.8:
        name = dice.choice(list(value))
        change = dice.randrange(5)
        if change == 0:
            return {key: inner for key, inner in value.items() if key != name}
        if change == 1:
            return {
                **value,
                dice.choice(["type", "payload", "extra", "", "callId"]): dice.choice(NASTY),
            }
        return {**value, name: mutated(value[name], dice)}
    if isinstance(value, list) and value and dice.random() < 0.5:
        return value * 2
    for _ in range(dice.choice([0, 0, 0, 1, 250])):
        value = [value] if dice.random() < 0.5 else {"payload": value}
    return dice.choice([*NASTY, [value], {"payload": value}])


def damaged(data: bytes, dice: random.Random) -> bytes:
    """`data` with a few bytes changed."""
    for _ in range(dice.randint(1, 3)):
        at, to = sorted((dice.randrange(len(data) + 1), dice.randrange(len(data) + 1)))
        piece = dice.choice([*PIECES, dice.randbytes(2), data[at:to]])
        data = data[:at] + piece + data[min(to, at + dice.randrange(4)) :]
    return data


def test_a_mutated_message_is_taken_whole_or_refused() -> None:
    dice = random.Random(5)
    examples = [example(message, kind) for kind, message in kinds().items()]
    taken = 0
    for _ in range(int(os.environ.get("AOBA_MUTATIONS", "3000"))):
        value = dice.choice(examples)
        for _ in range(dice.randint(0, 2)):
            value = mutated(value, dice)
        data = json.dumps(value, ensure_ascii=dice.random() < 0.5).encode(errors="surrogatepass")
        if dice.random() < 0.5:
            data = damaged(data, dice)
        for message in (None, dice.choice(list(aoba.MESSAGES.values()))):
            try:
                found: Any = aoba.decode(data) if message is None else message.decode(data)
            except (BadMessage, UnsupportedMessage) as fault:
                assert isinstance(fault, Fault) and fault.text
                assert len(fault.text) < 5000
                continue
            message = message or aoba.MESSAGES[type(found).__name__]
            taken += 1
            assert message.decode(message.encode(found)) == found
            assert json.loads(message.encode(found)) == json.loads(data)
    assert taken > 100


def kinds() -> dict[str, Message[Any]]:
    """The messages by the value of their type."""
    return {
        message.payload.model_fields["type"].default.value: message
        for message in aoba.MESSAGES.values()
    }


def example(message: Message[Any], kind: str) -> dict[str, Any]:
    """A message of the kind, with all of its usual fields."""
    payloads: dict[str, dict[str, Any]] = {
        "call:initiate": {"callerName": "Alice", "media": ["audio"]},
        "call:offer": {"type": "offer", "sdp": "v=0\r\n"},
        "call:answer": {"type": "answer", "sdp": "v=0\r\n"},
        "call:ice-candidate": {"candidate": "candidate:1", "sdpMid": None, "sdpMLineIndex": 0},
        "call:hangup": {"reason": "completed", "duration": 3},
        "call:mute-change": {"muted": True},
    }
    common = {"callId": "3f2b8c1e-0d4a-4c6b-9e7f-5a1d2c3b4e5f", "timestamp": 1_790_000_000_000}
    return {"type": kind, **common, "payload": payloads.get(kind, {})}
