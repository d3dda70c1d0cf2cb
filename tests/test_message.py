"""Message, Channel and Operation where the payload is no class, or a class of a class, or in several channels."""

from __future__ import annotations

import json
from typing import Annotated, Any, Final, Literal, TypeAlias, cast

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
from pydantic import Field


class Base(WireModel):
    number: int = 0


class Derived(Base):
    more: list[str] = ["a"]


class Leaf(Derived):
    pass


class Wide(Base):
    a: int = 0
    b: int = 0
    c: int = 0
    d: int = 0


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
    operation: Operation[None] = Operation("o", "send", "c", None, messages, "o")
    assert operation.message_for(value) is expected


NUMBERS = Message("Numbers", pointer="#/n", payload=list[int])
EITHER = Message("Either", pointer="#/e", payload=cast(type[Base | None], Base | None))


@pytest.mark.parametrize(
    ("message", "shown"),
    [
        (BASE, "<Message 'Base': Base(number)>"),
        (
            Message("Wide", pointer="#/w", payload=Wide),
            "<Message 'Wide': Wide(number, a, b, c, …)>",
        ),
        (NUMBERS, "<Message 'Numbers': list[int]>"),
        (EITHER, "<Message 'Either': test_message.Base | None>"),
        (Message("Empty", pointer="#/x"), "<Message 'Empty': no payload>"),
        (
            Message("Hea\x1b[31mder", pointer="#/x", headers=Base),
            r"<Message 'Hea\x1b[31mder': no payload, headers Base(number)>",
        ),
        (
            Message("n" * 1000, pointer="#/x", payload=Literal["v" * 500, "w"]),
            f"<Message '{'n' * 40}...': typing.Literal['{'v' * 55}…>",
        ),
    ],
)
def test_a_message_is_shown_on_a_short_line(message: Message[Any], shown: str) -> None:
    assert repr(message) == shown


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
    operation: Operation[None] = Operation("o", "send", "c", None, (BASE, NUMBERS), "o")
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


LIGHTS: Final[Message[list[Note | Sum]]] = Message(
    "Lights", pointer="#/li", payload=list[Note | Sum]
)
MAYBE: Final[Message[Note | None]] = Message("Maybe", pointer="#/m", payload=Note | None)
SHORT: TypeAlias = Annotated[str, Field(max_length=3)]
SAID: Final[Message[SHORT]] = Message("Said", "#/t", payload=SHORT, content_type="text/plain")
QUOTED: Final[Message[str]] = Message("Quoted", "#/q", str, content_type="application/json")
BLOB: Final[Message[bytes]] = Message("Blob", "#/o", bytes, content_type="image/png")
NOTHING: Final[Message[None]] = Message("Nothing", "#/0")
FLAG: Final[Message[Literal[1, True]]] = Message("Flag", "#/1", payload=Literal[1, True])
FREE: Final[Message[Any]] = Message("Free", "#/*", payload=Any)
TABLE: Final[Message[dict[str, float]]] = Message("Table", "#/f", payload=dict[str, float])


@pytest.mark.parametrize(
    ("message", "data", "value"),
    [
        (LIGHTS, b'[{"text":"a"},{"sum":1}]', [Note(text="a"), Sum(sum=1)]),
        (MAYBE, b"null", None),
        (MAYBE, b'{"text":""}', Note(text="")),
        (SAID, b"abc", "abc"),
        (SAID, b'"a"', '"a"'),
        (SAID, "\u20ac".encode(), "\u20ac"),
        (QUOTED, b'"NaN"', "NaN"),
        (BLOB, b"\xff\x00", b"\xff\x00"),
        (NOTHING, b"", None),
        (FLAG, b"true", True),
        (FLAG, b"1", 1),
        (FREE, b'{"a":[null,-0.0,1e+300]}', {"a": [None, -0.0, 1e300]}),
        (FREE, b"123456789012345678901234567890", 123456789012345678901234567890),
        (
            TABLE,
            b'{"a":0.1,"b":9007199254740993,"c":-5e-324}',
            {"a": 0.1, "b": 2**53 + 1, "c": -5e-324},
        ),
    ],
)
def test_a_payload_of_any_type_crosses_the_wire(
    message: Message[Any], data: bytes, value: object
) -> None:
    found = message.decode(data)
    assert found == value
    assert type(found) is type(value)
    assert message.encode(found) in (data, data.replace(b"e+", b"e"))
    assert message.takes(found)


@pytest.mark.parametrize(
    ("message", "data", "problem"),
    [
        (LIGHTS, '[{"text":"a"},{}]', "[1].text: Field required; [1].sum: Field required"),
        (SAID, "abcd", "the message: String should have at most 3 characters"),
        (SAID, b"\xff", "the message: should be text in UTF-8"),
        (QUOTED, "abc", "the message: should be JSON: expected value at line 1 column 1"),
        (FLAG, "1.5", "the message: Input should be 1 or True"),
        (FREE, '{"a":[1e400]}', "should be JSON, which has no NaN, no Infinity and here no number beyond"),
        (FREE, "[" * 300, "the message: should be JSON: recursion limit exceeded"),
        (FREE, '"\\udc00"', "the message: should be JSON"),
        (FREE, "1" * 5000, "the message: should be JSON: number out of range"),
        (TABLE, '{"a":1e400}', "a: Input should be a finite number"),
        (TABLE, '{"a":true}', "a: Input should be a valid number"),
    ],
)  # fmt: skip
def test_a_payload_of_any_type_is_checked(
    message: Message[Any], data: bytes | str, problem: str
) -> None:
    with pytest.raises(BadMessage) as refused:
        message.decode(data)
    assert problem in refused.value.text


def test_a_quoted_text_is_taken_where_the_bare_one_does_not_fit() -> None:
    assert SAID.decode('"abc"') == "abc"


def test_what_is_no_payload_is_a_type_error() -> None:
    wrong: list[tuple[Message[Any], object, str]] = [
        (SAID, 3, "Said takes .*str.*, not int"),
        (BLOB, "x", "Blob takes bytes, not str"),
        (NOTHING, "", "Nothing takes None, not str"),
        (
            NUMBERS,
            [True],
            r"Numbers takes list\[int\], not list: \[0\]: Input should be a valid integer",
        ),
        (Message("Number", "#", int), True, "Number takes int, not bool"),
    ]
    for message, value, text in wrong:
        with pytest.raises(TypeError, match=text):
            message.encode(value)
    assert BLOB.decode("text") == b"text"
    assert NOTHING.decode(b"\xff whatever") is None
    assert Message("Ratio", "#", float).encode(1) == b"1"


def test_the_last_of_two_members_with_one_name_counts() -> None:
    data = b'{"type":"bye","type":"ping","number":"x","number":2}'
    assert PINGS.read(data) == (PING, Ping(number=2))
    assert FREE.decode(b'{"a":1,"a":2}') == {"a": 2}


class Trace(WireModel):
    trace_id: Annotated[str, Field(alias="x-trace")]
    kind: int | None = None


HEADED = Message("Headed", "#/h", payload=Note, headers=Trace)


def test_headers_are_typed() -> None:
    trace = HEADED.decode_headers({"x-trace": "a", "other": None})
    assert trace.trace_id == "a"
    assert HEADED.encode_headers(trace) == {"x-trace": "a", "other": None}
    assert HEADED.encode_headers(Trace(trace_id="b")) == {"x-trace": "b"}
    assert (PING.decode_headers({"x": 1}), PING.encode_headers(None)) == (None, {})
    for headers in ({}, {"x-trace": 1}, {"x-trace": "", "kind": None}, {"x-trace": b"\xff"}, None):
        with pytest.raises(BadMessage):
            HEADED.decode_headers(headers)
    for value in (None, Note(text="")):
        with pytest.raises(TypeError, match="Headed's headers takes Trace"):
            HEADED.encode_headers(value)
    with pytest.raises(TypeError, match="Ping has no headers"):
        PING.encode_headers(trace)


UNTOLD: Channel[Any] = Channel("untold", messages=(NOTHING, NOTE, SUM, NUMBERS))
CODES: Channel[Any] = Channel("codes", "/c", "code", {1: NOTE, False: SUM, "1": PING, None: BYE})
BY_HEADER: Channel[Any] = Channel("by-header", None, "kind", {"n": NOTE, 2: SUM}, in_headers=True)
MIXED: Channel[Any] = Channel("mixed", None, "type", {"ping": PING}, messages=(PING, NOTE, NOTHING))


@pytest.mark.parametrize(
    ("channel", "data", "expected"),
    [
        (UNTOLD, '{"text":"a","sum":1}', NOTE),
        (UNTOLD, '{"sum":1}', SUM),
        (UNTOLD, "[1]", NUMBERS),
        (UNTOLD, "", NOTHING),
        (UNTOLD, "[null]", NOTHING),
        (CODES, '{"code":1.0,"text":"a"}', NOTE),
        (CODES, '{"code":false,"sum":1}', SUM),
        (CODES, '{"code":"1","type":"ping","number":1}', PING),
        (CODES, '{"code":null,"kind":"bye"}', BYE),
        (CODES, '{"code":true}', "unsupported: code true is none of 1, false, 1, null"),
        (CODES, '{"code":2}', "unsupported: code 2 is none of 1, false, 1, null"),
        (CODES, '{"code":[]}', "code: should be a number or a boolean or text or null, not an array"),
        (CODES, '{"code":1,"text":1}', "not a Note: text: Input should be a valid string"),
        (MIXED, '{"type":"ping","number":1}', PING),
        (MIXED, '{"type":"other","text":"a"}', NOTE),
        (MIXED, "{", NOTHING),
        (MIXED, '{"type":"ping","text":"a"}', "not a Ping: number: Field required"),
    ],
)  # fmt: skip
def test_a_channel_finds_the_message(channel: Channel[Any], data: str, expected: object) -> None:
    if isinstance(expected, Message):
        assert channel.read(data)[0] is expected
        return
    kind = UnsupportedMessage if str(expected).startswith("unsupported: ") else BadMessage
    with pytest.raises(kind) as refused:
        channel.read(data)
    assert refused.value.text == str(expected).removeprefix("unsupported: ")


def test_a_channel_finds_the_message_by_its_headers() -> None:
    assert BY_HEADER.decode('{"text":"a"}', {"kind": "n"}) == Note(text="a")
    assert BY_HEADER.decode('{"sum":1}', {"kind": 2.0}) == Sum(sum=1)
    with pytest.raises(BadMessage, match="headers.kind: is required"):
        BY_HEADER.decode('{"sum":1}', {})
    assert BY_HEADER.decode('{"sum":1}') == Sum(sum=1)  # a transport that carries no headers
    with pytest.raises(UnsupportedMessage, match="kind 'x' is none of n, 2"):
        BY_HEADER.decode('{"sum":1}', {"kind": "x"})


def test_where_several_messages_could_be_meant_each_says_why_not() -> None:
    channel: Channel[Any] = Channel("two", messages=(NOTE, SUM))
    assert channel.messages == (NOTE, SUM)
    with pytest.raises(
        BadMessage, match="not a Note: text: Field required; not a Sum: sum: "
    ) as it:
        channel.decode("{}")
    assert [problem.path for problem in it.value.problems] == ["text", "sum"]
    with pytest.raises(BadMessage, match="^bad-request: the message: should be JSON: [^;]+$"):
        channel.decode("{")
