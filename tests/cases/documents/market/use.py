"""The client of a described server: it hears what the server sends, and sends what the server receives."""

from __future__ import annotations

from aoba_runtime import loopback
from market import MarketClient as Server, models as ours
from market_peer import OPERATIONS, SERVERS, MarketClient, messages, models


async def main() -> None:
    assert SERVERS["public"].url == "wss://market.example.com/v1"
    assert SERVERS["public"].security == ("token",)
    assert OPERATIONS["ping"].security == ("token", "plain")
    address = messages.PRICES_CHANNEL.address_with({"symbol": "btcusd"})
    assert address == "/prices/btcusd"
    actions = {name: (made.action, made.method) for name, made in OPERATIONS.items()}
    assert actions == {
        "sendPrices": ("receive", "on_send_prices"),
        "receiveSubscribe": ("send", "receive_subscribe"),
        "ping": ("send", "ping"),
    }
    link, other = loopback.pair()
    async with Server(link) as server, MarketClient(other) as client:
        heard: list[models.Price | models.Heartbeat] = []

        @client.on_send_prices
        def either(message: models.Price | models.Heartbeat) -> None:
            heard.append(message)

        client.on_price(heard.append)
        await server.send_prices(ours.Price(price=1.5), symbol="btcusd")
        await server.send_prices(ours.Heartbeat(), symbol="btcusd")
        assert heard == [models.Price(price=1.5), models.Price(price=1.5), models.Heartbeat()]
        client.on_send_prices.remove(either)
        await server.send_prices(ours.Price(price=2), symbol="ethusd")
        assert len(heard) == 4
        server.on_ping(lambda ping: ours.Pong())
        assert isinstance(await client.ping(models.Ping(), symbol="ethusd"), models.Pong)
