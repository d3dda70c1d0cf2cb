"""Message, Channel and Operation where the payload is no class, or a class of a class, or in several channels."""

from __future__ import annotations

import json
from typing import Any, Literal, cast

import pytest
from aoba_runtime import (
    BadMessage,
    Channel,
    Client,
    Message,
    Operation,
    Outgoing,
    UnsupportedMessage,
    WireModel,
    loopback,
)


class Base(WireModel):
    number: int = 0


class Derived(Base):
    more: list[str] = ["a"]


class Leaf(Derived):
    pass


class Holder(WireModel):
    one: Base
    many: list[Base] = []


BASE = Message("Base", pointer="#/b", payload=Base)
DERIVED = Message("Derived", pointer="#/d", payload=Derived)
HOLDER = Message("Holder", pointer="#/h", payload=Holder)


def test_nothing_of_a_derived_payload_is_lost() -> None:
    derived = Derived(number=1, more=["x"])
    assert json.loads(BASE.encode(derived)) == {"number": 1, "more": ["x"]}
    held = {"one": {"number": 1, "more": ["x"]}, "many": [{"number": 1, "more": ["x"]}]}
    assert json.loads(HOLDER.encode(Holder(one=derived, many=[derived]))) == held


@pytest.mark.parametrize("messages", [(BASE, DERIVED), (DERIVED, BASE)])
@pytest.mark.parametrize(
    ("value", "expected"), [(Base(number=1), BASE), (Derived(number=1), DERIVED), (Leaf(), DERIVED)]
)
def test_an_operation_sends_the_most_specific_message(
    messages: tuple[Message[Any], ...], value: Base, expected: Message[Any]
) -> None:
    operation = Operation("o", "send", "c", None, messages, "o")
    assert operation.message_for(value) is expected


NUMBERS = Message("Numbers", pointer="#/n", payload=list[int])
EITHER = Message("Either", pointer="#/e", payload=cast(type[Base | None], Base | None))


def test_a_payload_may_be_no_class() -> None:
    assert NUMBERS.decode("[1, 2.0]") == [1, 2]
    assert NUMBERS.encode([1, 2]) == b"[1,2]"
    with pytest.raises(TypeError, match=r"Numbers takes list\[int\], not list"):
        NUMBERS.encode(cast(Any, ["x"]))
    with pytest.raises(BadMessage, match=r"\[1\]"):
        NUMBERS.decode('[1, "x"]')
    assert EITHER.encode(None) == b"null"
    assert EITHER.encode(Base(number=1)) == b'{"number":1}'
    with pytest.raises(TypeError, match="Either takes"):
        EITHER.encode(cast(Any, 3))
    operation = Operation("o", "send", "c", None, (BASE, NUMBERS), "o")
    assert operation.message_for([1]) is NUMBERS
    with pytest.raises(TypeError, match=r"o\(\) takes Base or list\[int\], not str"):
        operation.message_for("x")


class Ping(WireModel):
    type: Literal["ping"] = "ping"
    number: int


class Bye(WireModel):
    kind: Literal["bye"] = "bye"


class Note(WireModel):
    text: str


class Sum(WireModel):
    sum: int


PING = Message("Ping", pointer="#/p", payload=Ping)
BYE = Message("Bye", pointer="#/y", payload=Bye)
NOTE = Message("Note", pointer="#/t", payload=Note)
SUM = Message("Sum", pointer="#/s", payload=Sum)
PINGS: Channel[Any] = Channel("pings", "/a", "type", {"ping": PING})
BYES: Channel[Any] = Channel("byes", "/a", "kind", {"bye": BYE})
NOTES: Channel[Any] = Channel("notes", "/n", None, {"note": NOTE})
SUMS: Channel[Any] = Channel("sums", "/s", None, {"sum": SUM})


@pytest.mark.parametrize("address", [None, "/a", "/elsewhere"])
@pytest.mark.parametrize(
    ("data", "expected"),
    [
        ({"type": "ping", "number": 1}, "Ping"),
        ({"kind": "bye"}, "Bye"),
        ({"text": "x"}, "Note"),
        ({"sum": 1}, "Sum"),
        ({"type": "ping", "number": "x"}, "bad-request: not a Ping: number: "),
        ({"type": "ping", "text": "x"}, "bad-request: not a Ping: number: "),
        ({"type": "pong", "sum": "x"}, "unsupported: type 'pong' is none of ping"),
        ({"type": "pong", "kind": "hi"}, "unsupported: type 'pong' is none of ping; kind 'hi' is"),
        ({"sum": "x"}, "bad-request: not a Sum: sum: "),
        ({}, "bad-request: not a Sum: sum: "),
        (..., "bad-request: the message: should be JSON"),
    ],
)
async def test_the_channel_that_knows_a_message_reads_it(
    address: str | None, data: object, expected: str
) -> None:
    link, other = loopback.pair()
    channels = [NOTES, SUMS, PINGS, BYES]
    client, seen = Client(other, channels), []
    for message in (message for channel in channels for message in channel.messages):
        client._hook(message)(lambda value: seen.append(type(value).__name__))
    text = b"{" if data is ... else json.dumps(data).encode()
    untagged = "Note" in expected or "Sum" in expected
    if address == "/a" and untagged:
        expected = "bad-request: [a-z]+: is required"  # no channel at that address takes it
    if ":" not in expected:
        await link.send(Outgoing(text, address=address))
        assert seen == [expected]
        return
    fault = UnsupportedMessage if expected.startswith("unsupported") else BadMessage
    with pytest.raises(fault, match=expected.partition(": ")[2]):
        await link.send(Outgoing(text, address=address))


async def test_an_untagged_channel_is_found_by_its_address() -> None:
    link, other = loopback.pair()
    client, seen = Client(other, [NOTES, SUMS, PINGS]), []
    client._hook(NOTE)(lambda note: seen.append(note.text))
    await link.send(Outgoing(b'{"type": "ping", "number": 1, "text": "x"}', address="/n"))
    assert seen == ["x"]
    with pytest.raises(BadMessage, match="not a Note"):
        await link.send(Outgoing(b'{"sum": 1}', address="/n"))


async def test_a_client_without_channels_takes_nothing() -> None:
    link, other = loopback.pair()
    Client(other, [])
    with pytest.raises(UnsupportedMessage, match="there is no channel"):
        await link.send(Outgoing(b"{}"))
