"""Addresses with parameters, without an address, two channels at one, and a channel that describes no messages."""

from __future__ import annotations

from typing import Any

from aoba_runtime import Incoming, loopback
from parameters import ParametersClient, messages
from parameters.models import Depth, One, Two
from parameters_peer import OPERATIONS, ParametersClient as Server, models as peer


async def main() -> None:
    link, other = loopback.pair()
    async with ParametersClient(link) as client, Server(other) as server:
        arrived: list[tuple[str | None, dict[str, str]]] = []

        @server.on_depth
        def depth(depth: peer.Depth, incoming: Incoming) -> None:
            arrived.append((incoming.address, dict(incoming.parameters)))

        await client.send_depth(Depth(bids=1), symbol="btc-usd", to_="me")
        await client.send_depth(Depth(bids=1), symbol="1inch", levels="5", to_="a@b c")
        await client.tell(Depth(bids=1), address="/anywhere")
        await client.tell(Depth(bids=1))
        assert arrived == [
            ("market/btc-usd@depth20/me", {"symbol": "btc-usd", "levels": "20", "to": "me"}),
            ("market/1inch@depth5/a@b c", {"symbol": "1inch", "levels": "5", "to": "a@b c"}),
            ("/anywhere", {}),
            (None, {}),
        ]
        await what_is_refused(client)
        await what_is_raw(client, server)
        await two_at_one_address(client, server)


async def what_is_refused(client: ParametersClient) -> None:
    odd: Any = client.send_depth
    for error, said, arguments in (
        (ValueError, "'symbol' is one of btc-usd, 1inch, not 'x'", {"symbol": "x", "to_": "me"}),
        (TypeError, "'symbol' is text, not int", {"symbol": 5, "to_": "me"}),
        (ValueError, "'to' is text without '/'", {"symbol": "1inch", "to_": "a/b"}),
        (ValueError, "'to' is text without '/'", {"symbol": "1inch", "to_": ""}),
        (TypeError, "to_", {"symbol": "1inch"}),
    ):
        try:
            await odd(Depth(bids=1), **arguments)
            raise AssertionError(said)
        except (TypeError, ValueError) as found:
            assert type(found) is error and said in str(found), found


async def what_is_raw(client: ParametersClient, server: Server) -> None:
    heard: list[tuple[bytes, str]] = []

    @server.on_raw
    def raw(data: bytes, incoming: Incoming) -> None:
        heard.append((data, incoming.parameters["kind"]))

    await client.send_raw(b"\xff\x00", kind="odd")
    assert heard == [(b"\xff\x00", "odd")]
    assert OPERATIONS["sendRaw"].messages == ()
    assert getattr(server, OPERATIONS["sendRaw"].method) is server.on_raw


async def two_at_one_address(client: ParametersClient, server: Server) -> None:
    heard: list[object] = []
    server.on_one(heard.append)
    server.on_two(heard.append)
    await client.send_one(One(one=1))
    await client.send_two(Two(two=2))
    assert heard == [peer.One(one=1), peer.Two(two=2)]
    assert messages.decode(b'{"two": 2}') == Two(two=2)
