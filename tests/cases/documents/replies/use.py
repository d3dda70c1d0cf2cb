"""Requests and replies over loopback, by a client of each side."""

from __future__ import annotations

import asyncio
import inspect
import json
from collections.abc import Awaitable

from aoba_runtime import (
    BadMessage,
    Fault,
    Incoming,
    Outgoing,
    PeerUnavailable,
    Reply,
    ReplyTimeout,
    loopback,
)
from replies import RepliesClient, models
from replies.models import (
    JoinPayload as Join,
    MomentPayload as Moment,
    NoMomentPayload as NoMoment,
    PingHeaders,
    PingPayload as Ping,
    SumPayload as Sum,
    TimePayload as Time,
    TotalPayload as Total,
)
from replies_peer import RepliesClient as Server, models as peer

ME = PingHeaders(reply_to="/inboxes/me")


async def main() -> None:
    link, other = loopback.pair()
    async with RepliesClient(link) as client, Server(other) as server:
        await by_a_header(client, server)
        await by_a_header_that_is_required(client, server)
        await by_the_payload(client, server)
        await by_order(client, server, other)
        await with_an_address(client, server)
        await when_nobody_answers(client, server)
        server.on_time(lambda time: None)
        waiting = asyncio.ensure_future(client.ask_time(Time()))
        await asyncio.sleep(0)
        await client.aclose()
        assert await refused(waiting) is PeerUnavailable


async def by_a_header(client: RepliesClient, server: Server) -> None:
    seen: list[Incoming] = []

    @server.on_ping
    def pong(ping: peer.PingPayload, incoming: Incoming) -> Reply[peer.PongPayload]:
        seen.append(incoming)
        id = incoming.headers_as(peer.PingHeaders).request_id or ""
        return Reply(peer.PongPayload(text=ping.type), peer.PongHeaders(request_id=id, hops=1))

    answer = await client.ping(Ping(), headers=ME)
    assert answer == models.PongPayload(text="ping")
    assert seen[0].headers is not None and len(str(seen[0].headers["requestId"])) == 36
    await client.ping(Ping(), headers=PingHeaders(reply_to="/x", request_id="mine"))
    assert seen[1].headers == {"replyTo": "/x", "requestId": "mine"}
    server.on_ping.remove(pong)

    @server.on_ping
    async def plain(ping: peer.PingPayload) -> peer.PongPayload:
        return peer.PongPayload(text="no headers: the id goes back by itself")

    assert (await client.ping(Ping(), headers=ME)).text.startswith("no headers")


async def by_a_header_that_is_required(client: RepliesClient, server: Server) -> None:
    """Who asks need not make up an id."""
    rung: list[str] = []

    @server.on_ring
    def ring(text: str, incoming: Incoming) -> int:
        rung.append(incoming.headers_as(peer.RingHeaders).request_id)
        return len(text)

    assert [*await asyncio.gather(client.ring("a"), client.ring("bcd"))] == [1, 3]
    assert await client.ring("ef", headers=models.RingHeaders(request_id="mine", loud=True)) == 2
    assert len(set(rung)) == 3 and rung[2] == "mine"
    server.on_buzz(lambda buzz: 7)
    assert await client.buzz(True, headers=models.BuzzHeaders(request_id="abc")) == 7
    no_room = inspect.signature(client.buzz).parameters["headers"]  # three characters are no id
    assert no_room.default is inspect.Parameter.empty


async def by_the_payload(client: RepliesClient, server: Server) -> None:
    asked: list[peer.SumPayload] = []
    both = asyncio.Event()

    @server.on_sum
    async def add(sum: peer.SumPayload) -> peer.TotalPayload:
        asked.append(sum)
        if len(asked) == 2:
            both.set()
        await both.wait()
        if sum is asked[0]:  # the first one asked is the last one answered
            await asyncio.sleep(0)
            await asyncio.sleep(0)
        return peer.TotalPayload(total=sum_of(sum.terms))

    first, second = await asyncio.gather(
        client.add(Sum(terms=[1, 2])), client.add(Sum(id=77, terms=[3, 4]))
    )
    assert (first.total, second.total) == (3, 7)
    assert second.id == 77 and first.id == asked[0].id is not None
    server.on_sum.remove(add)


async def by_order(client: RepliesClient, server: Server, link: loopback.Endpoint) -> None:
    @server.on_time
    def tell(time: peer.TimePayload) -> peer.MomentPayload | peer.NoMomentPayload:
        return peer.MomentPayload(seconds=5)

    answer = await client.ask_time(Time())
    match answer:
        case Moment():
            assert answer.seconds == 5
        case NoMoment():
            raise AssertionError
    server.on_time.remove(tell)
    unasked: list[Total] = []
    client.on_total(unasked.append)
    await link.send(Outgoing(b'{"type": "total", "id": 4711, "total": 0}', address="/calls"))
    assert [total.id for total in unasked] == [4711]


async def with_an_address(client: RepliesClient, server: Server) -> None:
    @server.on_join
    def joined(join: peer.JoinPayload, incoming: Incoming) -> peer.JoinedPayload:
        return peer.JoinedPayload(room=incoming.parameters["room"])

    answers = await asyncio.gather(
        client.join(Join(), room="red"), client.join(Join(), room="blue")
    )
    assert [answer.room for answer in answers] == ["red", "blue"]


async def when_nobody_answers(client: RepliesClient, server: Server) -> None:
    late: list[Incoming] = []

    @server.on_time
    async def never(time: peer.TimePayload, incoming: Incoming) -> None:
        late.append(incoming)

    try:
        await client.ask_time(Time(), timeout=0.01)
        raise AssertionError
    except ReplyTimeout as error:
        assert str(error) == "no reply to Time within 0.01 s"
    moment = json.dumps({"type": "moment", "seconds": 1}).encode()
    await server._transport.send(Outgoing(moment, address="/calls"))  # too late, and harms nobody
    server.on_time.remove(never)

    @server.on_sum
    async def wrong(sum: peer.SumPayload) -> None:
        bad = Outgoing(b'{"type": "total", "id": 1, "total": "x"}', address="/calls")
        assert await refused(server._transport.send(bad)) is BadMessage

    assert await refused(client.add(Sum(id=1, terms=[]))) is BadMessage
    assert await refused(client.add(Sum(id=2, terms=[]), timeout=0.01)) is ReplyTimeout


async def refused(sent: Awaitable[object]) -> type[BaseException]:
    """What `sent` raises."""
    try:
        await sent
    except Fault as error:
        return type(error)
    raise AssertionError


def sum_of(terms: list[int]) -> int:
    return sum(terms)
