"""Unions that hold themselves and have no tag: what a message may make of them is bounded, and what they mean is not changed."""

from __future__ import annotations

import time
from typing import Annotated, TypeAlias

import pytest

from aoba_runtime import BadMessage, Message, OneOf, WireModel, limits


class Leaf(WireModel):
    a: int
    child: Either | None = None
    children: list[Either] | None = None


class Twig(WireModel):
    b: int
    child: Either | None = None


class Only(WireModel):
    a: int
    child: Exclusive | None = None


class Other(WireModel):
    b: int
    child: Exclusive | None = None


Either: TypeAlias = Leaf | Twig
Exclusive: TypeAlias = Annotated[Only | Other, OneOf()]
for made in (Leaf, Twig, Only, Other):
    made.model_rebuild()

EITHER: Message[Leaf | Twig] = Message("Either", "#/either", payload=Leaf | Twig)
ONE: Message[Only | Other] = Message("One", "#/one", payload=Exclusive)


def nested(level: bytes, depth: int, leaf: bytes) -> bytes:
    return level * depth + leaf + b"}" * depth


@pytest.mark.parametrize("message", [EITHER, ONE])
@pytest.mark.parametrize("level", [b'{"child":', b'{"a":1,"b":1,"child":'])
@pytest.mark.parametrize("leaf", [b"5", b'{"a":1}', b"[" + b"0," * 10**5 + b"0]"])
def test_a_deep_message_ends_soon(message: Message[Leaf | Twig], level: bytes, leaf: bytes) -> None:
    """One try doubles with each level: 180 levels would take for ever."""
    begun = time.process_time()
    with pytest.raises(BadMessage):
        message.decode(nested(level, 180, leaf))
    assert time.process_time() - begun < 10
    with pytest.raises(
        BadMessage, match="fewer levels at which it may be of one type or of another"
    ):
        message.decode(nested(b'{"child":', 180, leaf))


def test_what_can_be_told_apart_is_as_before() -> None:
    level = nested(b'{"b":1,"child":', 10, b'{"a":1}')
    found = EITHER.decode(level)
    for _ in range(10):
        assert isinstance(found, Twig)
        assert found.child is not None
        found = found.child
    assert found == Leaf(a=1)
    assert EITHER.encode(EITHER.decode(level)) == level
    with pytest.raises(BadMessage, match=r"child\.child\.b: Field required"):
        EITHER.decode(b'{"b":1,"child":{"b":1,"child":{}}}')
    assert ONE.decode(b'{"a":1,"child":{"b":2}}') == Only(a=1, child=Other(b=2))
    with pytest.raises(BadMessage, match="child: Input should be only one of what it may be"):
        ONE.decode(b'{"a":1,"child":{"a":1,"b":2}}')


def test_a_wide_message_costs_no_more_than_its_values() -> None:
    many = b",".join([b'{"a":1,"children":[{"b":2},{"a":3}]}'] * 20_000)
    found = EITHER.decode(b'{"a":0,"children":[' + many + b"]}")
    assert isinstance(found, Leaf) and found.children is not None and len(found.children) == 20_000


def test_a_program_sets_the_limit(monkeypatch: pytest.MonkeyPatch) -> None:
    data = nested(b'{"b":1,"child":', 9, b'{"a":1}')
    monkeypatch.setattr(limits.LIMITS, "tries", 100)
    with pytest.raises(BadMessage, match="fewer levels"):
        EITHER.decode(data)
    with pytest.raises(ValueError, match="cannot be sent: .*fewer levels"):
        EITHER.encode(Twig.model_validate_json(data))
