"""Generated clients of described servers over a plain WebSocket: typed messages, replies, refused tokens, broken connections."""

from __future__ import annotations

import asyncio
import importlib
import json
import sys
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from types import ModuleType
from typing import Any, Final

import pytest
from aoba_runtime import (
    BadMessage,
    Incoming,
    NotCarried,
    Outgoing,
    ReplyTimeout,
    websocket,
)
from click.testing import Result
from corpus import DOCUMENTS
from websocket_server import Server, serving
from websockets.asyncio.server import ServerConnection, serve

OURS: Final = Path(__file__).parent / "cases" / "documents" / "market" / "spec.yaml"
GEMINI: Final = DOCUMENTS / "asyncapi__spec" / "examples" / "websocket-gemini-asyncapi.yml"
TOKEN: Final = "a.b.c"


@pytest.fixture(scope="module")
def generate(
    tmp_path_factory: pytest.TempPathFactory, cli: Callable[..., Result]
) -> Iterator[Callable[[Path, str, str], ModuleType]]:
    """Generates a package for one side of a document, and imports it."""
    out = tmp_path_factory.mktemp("described")
    sys.path.insert(0, str(out))

    def call(spec: Path, name: str, side: str) -> ModuleType:
        result = cli(spec, "-o", out, "--package", name, "--side", side)
        assert result.exit_code == 0, result.stderr
        return importlib.import_module(name)

    yield call
    sys.path.remove(str(out))
    for name in [name for name in sys.modules if name.startswith("described_")]:
        del sys.modules[name]


@pytest.fixture(scope="module")
def market(generate: Callable[[Path, str, str], ModuleType]) -> Any:
    return generate(OURS, "described_market", "peer")


@pytest.fixture(scope="module")
def exchange(generate: Callable[[Path, str, str], ModuleType]) -> Any:
    return generate(OURS, "described_exchange", "described")


@pytest.fixture
async def server() -> AsyncIterator[Server]:
    async with serving() as server:
        server.url = f"ws://127.0.0.1:{server.port}/v1"
        yield server


async def test_typed_both_ways(market: Any, server: Server) -> None:
    url = server.url + market.messages.PRICES_CHANNEL.address_with({"symbol": "btcusd"})
    server.greet = ['{"type": "price", "price": 1.5}', '{"type": "price", "price": "x"}', "{}"]
    async with websocket.connect(url, TOKEN) as transport, market.MarketClient(transport) as client:
        prices: asyncio.Queue[Any] = asyncio.Queue()
        client.on_price(prices.put_nowait)
        assert await prices.get() == market.models.Price(price=1.5)
        assert server.requests[0].path == "/v1/prices/btcusd"
        assert server.requests[0].headers["Cookie"] == f"auth_token={TOKEN}"
        await client.receive_subscribe(market.models.Subscribe(depth=3), symbol="btcusd")
        assert json.loads(await server.next()) == {"type": "subscribe", "depth": 3}
        await server.connection.send('{"type": "price", "price": 2}')
        assert (await prices.get()).price == 2
        assert transport.refused == 2


async def test_the_address_tells_the_parameters(market: Any, server: Server) -> None:
    async with (
        websocket.connect(f"{server.url}/prices/ethusd", address="/prices/ethusd") as transport,
        market.MarketClient(transport) as client,
    ):
        heard: asyncio.Queue[Incoming] = asyncio.Queue()
        client.on_heartbeat(lambda message, incoming: heard.put_nowait(incoming))
        await (await server.connected()).send('{"type": "heartbeat"}')
        incoming = await heard.get()
        assert (incoming.address, incoming.parameters) == ("/prices/ethusd", {"symbol": "ethusd"})


async def test_another_address_is_another_connection(market: Any, server: Server) -> None:
    for address in (None, "/prices/btcusd"):
        async with (
            websocket.connect(f"{server.url}/prices/btcusd", address=address) as transport,
            market.MarketClient(transport) as client,
        ):
            with pytest.raises(NotCarried, match="is for '/prices/ethusd', but this connection"):
                await client.receive_subscribe(market.models.Subscribe(), symbol="ethusd")
            await client.receive_subscribe(market.models.Subscribe(), symbol="btcusd")
            if address is None:  # a name that is no path says nothing about the connection
                await transport.send(Outgoing(b"{}", address="a topic"))


async def test_a_request_is_answered_by_its_id(market: Any, server: Server) -> None:
    async with (
        websocket.connect(f"{server.url}/prices/btcusd") as transport,
        market.MarketClient(transport) as client,
    ):
        one = asyncio.ensure_future(client.ping(market.models.Ping(reqid=1), symbol="btcusd"))
        two = asyncio.ensure_future(client.ping(market.models.Ping(), symbol="btcusd"))
        first, second = json.loads(await server.next()), json.loads(await server.next())
        assert first["reqid"] == 1 != second["reqid"]
        for id in (second["reqid"], 1, 999, 1):  # the last two come late
            await server.connection.send(json.dumps({"type": "pong", "reqid": id}))
        assert ((await one).reqid, (await two).reqid) == (1, second["reqid"])
        bad = asyncio.ensure_future(client.ping(market.models.Ping(reqid=7), symbol="btcusd"))
        await server.next()
        await server.connection.send('{"type": "pong", "reqid": 7.5}')
        await server.connection.send('{"type": "pong", "reqid": "7"}')
        with pytest.raises(BadMessage, match="the reply is refused: not a pong: reqid"):
            await bad
        with pytest.raises(ReplyTimeout, match="no reply to ping within 0.01 s"):
            await client.ping(market.models.Ping(), symbol="btcusd", timeout=0.01)


@asynccontextmanager
async def relay() -> AsyncIterator[str]:
    """The URL of a server that gives each of its two connections what the other one sends."""
    ends: list[ServerConnection] = []

    async def handle(connection: ServerConnection) -> None:
        ends.append(connection)
        async for frame in connection:
            await ends[connection is ends[0]].send(frame)

    async with serve(handle, "127.0.0.1", 0, close_timeout=0.2) as listener:
        yield f"ws://127.0.0.1:{list(listener.sockets)[0].getsockname()[1]}/prices/btcusd"


async def test_the_other_side_answers(market: Any, exchange: Any) -> None:
    async with (
        relay() as url,
        websocket.connect(url) as near,
        websocket.connect(url) as far,
        market.MarketClient(near) as client,
        exchange.MarketClient(far) as described,
    ):

        async def pong(ping: Any) -> Any:
            return exchange.models.Pong()

        described.on_ping(pong)
        answers = [client.ping(market.models.Ping(), symbol="btcusd") for _ in range(3)]
        ids = [answer.reqid for answer in await asyncio.gather(*answers)]
        assert len(set(ids)) == 3


async def test_a_refused_token(market: Any, server: Server) -> None:
    url = f"{server.url}/prices/btcusd"
    server.refuse = [401]
    with pytest.raises(websocket.AuthRefused, match="HTTP 401"):
        async with websocket.connect(url, TOKEN):
            pass
    server.close_with = [4001]
    async with websocket.connect(url, TOKEN) as transport, market.MarketClient(transport) as client:
        with pytest.raises(websocket.AuthRefused, match="close code 4001"):
            await transport.wait()
        with pytest.raises(websocket.AuthRefused):
            await client.receive_subscribe(market.models.Subscribe(), symbol="btcusd")


async def test_a_broken_connection_is_opened_again(market: Any, server: Server) -> None:
    url = f"{server.url}/prices/btcusd"
    async with websocket.connect(url, TOKEN) as transport, market.MarketClient(transport) as client:
        prices: asyncio.Queue[Any] = asyncio.Queue()
        client.on_price(prices.put_nowait)
        (await server.connected()).transport.abort()
        again = await server.connected()
        await again.send('{"type": "price", "price": 3}')
        assert (await prices.get()).price == 3
        await client.receive_subscribe(market.models.Subscribe(), symbol="btcusd")
        assert json.loads(await server.next()) == {"type": "subscribe"}


@pytest.mark.skipif(
    not GEMINI.exists(),
    reason="no public documents at ../shared/corpus/documents beside the checkout",
)
async def test_a_public_document(
    generate: Callable[[Path, str, str], ModuleType], server: Server
) -> None:
    """The market data of an exchange, described by somebody else."""
    api: Any = generate(GEMINI, "described_gemini", "peer")
    assert api.SERVERS["public"].url == "wss://api.gemini.com"
    path = api.messages.MARKET_DATA_V1_CHANNEL.address_with({"symbol": "btcusd"})
    assert path == "/v1/marketdata/btcusd"
    change = {
        "type": "change",
        "side": "bid",
        "price": 5.5,
        "remaining": 1,
        "delta": 1,
        "reason": "place",
    }
    update = {
        "type": "update",
        "eventId": 1,
        "timestamp": 1,
        "timestampms": 1000,
        "socket_sequence": 0,
        "events": [change],
    }
    server.greet = [
        json.dumps(update),
        '{"type": "heartbeat", "socket_sequence": 1}',
        '{"type": "?"}',
    ]
    url = server.url.removesuffix("/v1") + path
    async with (
        websocket.connect(url, TOKEN, auth="query") as transport,
        api.GeminiMarketDataWebsocketClient(transport) as client,
    ):
        heard: asyncio.Queue[tuple[Any, Incoming]] = asyncio.Queue()
        client.on_market_data(lambda data, incoming: heard.put_nowait((data, incoming)))
        first, incoming = await heard.get()
        assert (first.event_id, first.events[0].price) == (1, 5.5)
        assert incoming.parameters == {"symbol": "btcusd"}
        assert (await heard.get())[0].socket_sequence == 1
        assert server.requests[0].path == f"{path}?token={TOKEN}"
        (await server.connected()).transport.abort()
        await (await server.connected()).close(4001)
        with pytest.raises(websocket.AuthRefused, match="close code 4001"):
            await transport.wait()
        assert transport.refused >= 1
