"""Requests whose operation only the reply tells, and a reply without an address that looks like its request."""

from __future__ import annotations

import asyncio
from typing import Any

from alike import AlikeClient, models
from alike_peer import AlikeClient as Server, models as peer
from aoba_runtime import loopback


async def main() -> None:
    link, other = loopback.pair()
    async with AlikeClient(link) as client, Server(other) as server:
        await what_is_returned_says_which(client, server)
        await what_is_no_reply(server, client)
        await the_id_says_what_it_is(client, server)


async def what_is_returned_says_which(client: AlikeClient, server: Server) -> None:
    @server.on_sum
    async def answer(sum: peer.SumPayload) -> peer.TotalPayload | peer.WordsPayload:
        return "nothing" if not sum else len(sum)

    assert await client.add([1, 2]) == 2
    assert await client.spell([]) == "nothing"
    server.on_sum.remove(answer)


async def what_is_no_reply(server: Server, client: AlikeClient) -> None:
    told: asyncio.Future[dict[str, Any]] = asyncio.get_running_loop().create_future()
    asyncio.get_running_loop().set_exception_handler(lambda _, context: told.set_result(context))
    odd: Any = server.on_sum
    odd(lambda sum: 1.5)
    waiting = asyncio.ensure_future(client.add([]))
    expected = "a handler of add or spell returns int or str, not float"
    assert str((await told)["exception"]) == expected
    waiting.cancel()
    asyncio.get_running_loop().set_exception_handler(None)


async def the_id_says_what_it_is(client: AlikeClient, server: Server) -> None:
    @server.on_ping
    def pong(ping: peer.PingPayload) -> peer.PongPayload:
        return peer.PongPayload(id=ping.id)

    answers = await asyncio.gather(*(client.ping(models.PingPayload(id=id)) for id in "ab"))
    assert answers == [models.PongPayload(id="a"), models.PongPayload(id="b")]
