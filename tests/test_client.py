"""Client and Hook over loopback: dispatch, refusal, ownership of tasks."""

from __future__ import annotations

import asyncio
import functools
import json
from collections import deque
from collections.abc import AsyncIterator
from typing import Any, Literal
from unittest.mock import Mock

import pytest
from aoba_runtime import (
    AckTimeout,
    BadMessage,
    Channel,
    Client,
    Fault,
    Hook,
    Incoming,
    LimitExceeded,
    Message,
    NotAParty,
    Operation,
    Outgoing,
    PeerUnavailable,
    Transport,
    UnexpectedMessage,
    UnknownCall,
    UnsupportedMessage,
    WireModel,
    client as client_module,
    loopback,
)


class Ping(WireModel):
    type: Literal["ping"] = "ping"
    number: int


class Pong(WireModel):
    type: Literal["pong"] = "pong"


PING = Message("Ping", pointer="#/channels/c/messages/Ping", payload=Ping)
PONG = Message("Pong", pointer="#/channels/c/messages/Pong", payload=Pong)
CHANNEL: Channel[Ping | Pong] = Channel(
    "c", address="/c", discriminator="type", routes={"ping": PING, "pong": PONG}
)
SEND_PING: Operation[None] = Operation(
    "sendPing", action="send", channel="c", address="/c", messages=(PING,), method="send_ping"
)


class Small(Client):
    def __init__(self, transport: Transport) -> None:
        super().__init__(transport, [CHANNEL])

    async def send_ping(self, message: Ping, to: str | None = None) -> None:
        await self._send(SEND_PING, message, to)

    @property
    def on_ping(self) -> Hook[Ping]:
        return self._hook(PING)


class Ends:
    """Two clients on one link, and what the loop's exception handler was told."""

    def __init__(self) -> None:
        self.link, self.other_link = loopback.pair("alice@localhost/1", "bob@localhost/1")
        self.alice, self.bob = Small(self.link), Small(self.other_link)
        self.reported: asyncio.Queue[dict[str, Any]] = asyncio.Queue()


@pytest.fixture
async def ends() -> AsyncIterator[Ends]:
    ends = Ends()
    loop = asyncio.get_running_loop()
    loop.set_exception_handler(lambda _, context: ends.reported.put_nowait(context))
    async with ends.link, ends.other_link, ends.alice, ends.bob:
        yield ends
    assert ends.reported.empty()


async def test_handlers_get_payload_and_delivery_in_order(ends: Ends) -> None:
    seen: list[object] = []

    @ends.bob.on_ping
    def plain(ping: Ping) -> None:
        seen.append(("plain", ping.number))

    @ends.bob.on_ping
    async def tasked(ping: Ping, incoming: Incoming) -> None:
        seen.append(("tasked", ping.number, incoming.sender, incoming.recipient, incoming.address))

    for number in range(3):
        await ends.alice.send_ping(Ping(number=number), to="bob@localhost")
    who = ("alice@localhost/1", "bob@localhost/1", "/c")
    assert seen == [
        entry for number in range(3) for entry in (("plain", number), ("tasked", number, *who))
    ]


async def test_a_removed_handler_is_called_no_more(ends: Ends) -> None:
    seen: list[int] = []

    def first(ping: Ping) -> None:
        seen.append(ping.number)

    assert ends.bob.on_ping(first) is first
    await ends.alice.send_ping(Ping(number=1))
    ends.bob.on_ping.remove(first)
    with pytest.raises(ValueError, match="does not handle Ping"):
        ends.bob.on_ping.remove(first)
    with pytest.raises(UnsupportedMessage, match="Ping is not handled here") as refused:
        await ends.alice.send_ping(Ping(number=2))
    assert refused.value.remote
    assert seen == [1]


@pytest.mark.parametrize(
    "fault", [BadMessage, UnknownCall, UnexpectedMessage, NotAParty, LimitExceeded, PeerUnavailable]
)
async def test_a_plain_handler_refuses_with_a_fault(ends: Ends, fault: type[BadMessage]) -> None:
    @ends.bob.on_ping
    def refuse(ping: Ping) -> None:
        raise fault("because")

    with pytest.raises(fault, match="because") as refused:
        await ends.alice.send_ping(Ping(number=1))
    assert refused.value.remote


@pytest.mark.parametrize(
    ("data", "fault", "text"),
    [
        (b"{", BadMessage, "should be JSON"),
        (b"[1]", BadMessage, "should be an object, not an array"),
        (b"{}", BadMessage, "type: is required"),
        (b'{"type": 3}', BadMessage, "type: should be text, not a number"),
        (b'{"type": "ping"}', BadMessage, "number: Field required"),
        (b'{"type": "gone"}', UnsupportedMessage, "type 'gone' is none of ping, pong"),
        (b'{"type": "pong"}', UnsupportedMessage, "Pong is not handled here"),
    ],
)
async def test_rubbish_is_answered_and_harms_nobody(
    ends: Ends, data: bytes, fault: type[BadMessage], text: str
) -> None:
    seen: list[int] = []
    ends.bob.on_ping(lambda ping: seen.append(ping.number))
    with pytest.raises(fault, match=text):
        await ends.link.send(Outgoing(data, address="/c"))
    await ends.alice.send_ping(Ping(number=7))
    assert seen == [7]


async def test_an_exception_is_reported_and_the_next_handler_runs(ends: Ends) -> None:
    seen: list[int] = []

    @ends.bob.on_ping
    def broken(ping: Ping) -> None:
        raise ZeroDivisionError

    @ends.bob.on_ping
    async def broken_later(ping: Ping) -> None:
        raise LookupError

    ends.bob.on_ping(lambda ping: seen.append(ping.number))
    await ends.alice.send_ping(Ping(number=1))
    await ends.alice.send_ping(Ping(number=2))
    reported = [(await ends.reported.get())["exception"] for _ in range(4)]
    assert sorted(type(error).__name__ for error in reported) == 2 * ["LookupError"] + 2 * [
        "ZeroDivisionError"
    ]
    assert seen == [1, 2]


async def test_a_handler_may_send_and_wait(ends: Ends) -> None:
    done = asyncio.Event()

    @ends.bob.on_ping
    async def again(ping: Ping) -> None:
        await ends.bob.send_ping(Ping(number=ping.number + 1))

    @ends.alice.on_ping
    async def once_more(ping: Ping) -> None:
        if ping.number < 6:
            await ends.alice.send_ping(Ping(number=ping.number + 1))
        else:
            done.set()

    await ends.alice.send_ping(Ping(number=1))
    async with asyncio.timeout(30):
        await done.wait()


async def test_another_payload_is_a_type_error(ends: Ends) -> None:
    with pytest.raises(TypeError, match=r"send_ping\(\) takes Ping, not Pong"):
        await ends.alice.send_ping(Pong())  # type: ignore[arg-type]  # the mistake under test
    with pytest.raises(TypeError, match="a handler is a function"):
        ends.bob.on_ping(3)  # type: ignore[call-overload]  # the mistake under test


async def test_too_many_running_handlers_are_refused(
    ends: Ends, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(client_module, "MAX_RUNNING_HANDLERS", 2)
    release = asyncio.Event()

    @ends.bob.on_ping
    async def slow(ping: Ping) -> None:
        await release.wait()

    await ends.alice.send_ping(Ping(number=1))
    await ends.alice.send_ping(Ping(number=2))
    with pytest.raises(LimitExceeded):
        await ends.alice.send_ping(Ping(number=3))
    release.set()


async def test_plain_handlers_are_never_too_many(
    ends: Ends, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(client_module, "MAX_RUNNING_HANDLERS", 0)
    seen: list[int] = []
    ends.bob.on_ping(lambda ping: seen.append(ping.number))
    await ends.alice.send_ping(Ping(number=1))
    assert seen == [1]


async def test_a_refused_message_starts_no_coroutine(ends: Ends) -> None:
    seen: list[str] = []

    @ends.bob.on_ping
    async def tasked(ping: Ping) -> None:
        seen.append("tasked")

    class Called:
        async def __call__(self, ping: Ping) -> None:
            seen.append("called")

    async def two(mark: str, ping: Ping) -> None:
        seen.append(mark)

    ends.bob.on_ping(Called())
    ends.bob.on_ping(functools.partial(two, "partial"))
    ends.bob.on_ping(lambda ping: tasked(ping))

    @ends.bob.on_ping
    def refuse(ping: Ping) -> None:
        seen.append("plain")
        if ping.number == 1:
            raise NotAParty("because")

    with pytest.raises(NotAParty):
        await ends.alice.send_ping(Ping(number=1))
    await asyncio.sleep(0)
    assert seen == ["plain"]
    await ends.alice.send_ping(Ping(number=2))
    await asyncio.sleep(0)
    assert seen == ["plain", "plain", "tasked", "tasked", "called", "partial"]


async def test_what_a_handler_returns_is_ignored_unless_it_can_be_awaited(ends: Ends) -> None:
    mock, arrived = Mock(), deque[Ping]()
    ends.bob.on_ping(mock)
    ends.bob.on_ping(lambda ping: 5)  # type: ignore[type-var]  # the mistake under test
    ends.bob.on_ping(arrived.append)
    await ends.alice.send_ping(Ping(number=1))
    mock.assert_called_once_with(Ping(number=1))
    assert list(arrived) == [Ping(number=1)]


async def test_a_second_parameter_gets_the_delivery_when_it_is_meant_for_it(ends: Ends) -> None:
    seen: dict[str, object] = {}

    @ends.bob.on_ping
    def named(ping: Ping, incoming: Any = None) -> None:
        seen["named"] = incoming

    @ends.bob.on_ping
    def annotated(ping: Ping, delivery: Incoming | None = None) -> None:
        seen["annotated"] = delivery

    @ends.bob.on_ping
    def other(ping: Ping, retries: int = 3) -> None:
        seen["other"] = retries

    @ends.bob.on_ping
    def open_ended(*arguments: Any) -> None:
        seen["open"] = len(arguments)

    await ends.alice.send_ping(Ping(number=1))
    assert isinstance(seen.pop("named"), Incoming)
    assert isinstance(seen.pop("annotated"), Incoming)
    assert seen == {"other": 3, "open": 1}


@pytest.mark.parametrize(
    ("fault", "condition"),
    [
        (Fault("no"), "internal-server-error"),
        (AckTimeout("no"), "internal-server-error"),
        (Fault("no", condition="not-allowed", kind="cancel"), "not-allowed"),
    ],
)
async def test_a_fault_of_no_class_of_ours_travels(
    ends: Ends, fault: Fault, condition: str
) -> None:
    @ends.bob.on_ping
    def refuse(ping: Ping) -> None:
        raise fault

    with pytest.raises(Fault) as refused:
        await ends.alice.send_ping(Ping(number=1))
    assert type(refused.value) is Fault
    assert (refused.value.condition, refused.value.kind) == (condition, "cancel")
    assert str(refused.value) == f"the peer answered {condition}: no"


async def test_a_broken_receiver_is_answered_for_and_reported(ends: Ends) -> None:
    link, other = loopback.pair()

    def broken(incoming: Incoming) -> None:
        raise ZeroDivisionError

    other.attach(broken)
    with pytest.raises(Fault) as refused:
        await link.send(Outgoing(b""))
    assert refused.value.condition == "internal-server-error"
    assert isinstance((await ends.reported.get())["exception"], ZeroDivisionError)


async def test_closing_cancels_what_runs_and_lets_go_of_the_transport(ends: Ends) -> None:
    cancelled = asyncio.Event()

    @ends.bob.on_ping
    async def slow(ping: Ping) -> None:
        try:
            await asyncio.Event().wait()
        finally:
            cancelled.set()

    await ends.alice.send_ping(Ping(number=1))
    with pytest.raises(RuntimeError, match="has a receiver already"):
        Small(ends.other_link)
    await ends.bob.aclose()
    assert cancelled.is_set()
    with pytest.raises(PeerUnavailable):
        await ends.alice.send_ping(Ping(number=2))
    Small(ends.other_link)


async def test_the_link_drops_duplicates_delays_and_reorders_on_demand() -> None:
    link, other = loopback.pair(ack_timeout=0.5)
    seen: list[int] = []
    async with link, other, Small(link) as alice, Small(other) as bob:
        bob.on_ping(lambda ping: seen.append(ping.number))
        link.drop()
        with pytest.raises(AckTimeout, match="no answer from bob@localhost/1 within 0.5 s"):
            await alice.send_ping(Ping(number=0))
        link.duplicate()
        await alice.send_ping(Ping(number=1))
        assert seen == [1, 1]
        link.reorder(3)
        await asyncio.gather(*(alice.send_ping(Ping(number=number)) for number in (2, 3, 4)))
        assert seen[2:] == [4, 3, 2]
        link.delay = 0.02
        slow = asyncio.ensure_future(alice.send_ping(Ping(number=5)))
        await asyncio.sleep(0)
        link.delay = 0
        await asyncio.gather(slow, alice.send_ping(Ping(number=6)))
        assert seen[5:] == [5, 6]


async def test_a_stranger_on_the_link_is_unavailable(ends: Ends) -> None:
    with pytest.raises(PeerUnavailable, match="carol@localhost is not on this link"):
        await ends.alice.send_ping(Ping(number=1), to="carol@localhost")


async def test_closing_the_link_ends_what_waits() -> None:
    link, other = loopback.pair()
    async with Small(link) as alice:
        link.drop()
        waiting = asyncio.ensure_future(alice.send_ping(Ping(number=1)))
        await asyncio.sleep(0)
        await link.aclose()
        with pytest.raises(PeerUnavailable, match="was closed"):
            await waiting
        with pytest.raises(PeerUnavailable, match="is closed"):
            await alice.send_ping(Ping(number=2))
    await other.aclose()


async def test_everything_crosses_as_bytes(ends: Ends) -> None:
    arrived: list[Incoming] = []

    @ends.bob.on_ping
    def keep(ping: Ping, incoming: Incoming) -> None:
        arrived.append(incoming)

    await ends.alice.send_ping(Ping(number=1))
    assert json.loads(arrived[0].data) == {"type": "ping", "number": 1}
    assert "number" not in repr(arrived[0])
