"""A 2.x document: its clients publish, operations without ids are named after what they do, servers have variables."""

from __future__ import annotations

from aoba_runtime import Incoming, loopback
from unnamed_operations import UnnamedOperationsClient as Broker, models as ours
from unnamed_operations_peer import OPERATIONS, SERVERS, UnnamedOperationsClient, models


async def main() -> None:
    found = {name: (made.action, made.method) for name, made in OPERATIONS.items()}
    assert found == {
        "publish light/{id}/measured": ("send", "publish_light_id_measured"),
        "onTurn": ("receive", "on_turn"),
        "publish /": ("send", "publish"),
    }
    security = [made.security for made in OPERATIONS.values()]
    assert security == [("password", "key"), (), ("key",)]
    doc = UnnamedOperationsClient.publish_light_id_measured.__doc__ or ""
    assert doc.strip() == "Needs the security scheme `password` or `key`."
    broker = SERVERS["broker"]
    assert (broker.url, broker.tls) == ("mqtts://{host}:8883/live", True)
    assert broker.security == ("password", "key")
    assert broker.url_with(host="h", port="1883") == "mqtts://h:1883/live"
    for values in ({}, {"host": "h", "port": "1"}, {"host": "h", "other": "x"}):
        try:
            raise AssertionError(broker.url_with(**values))
        except ValueError:
            pass
    said = " ".join((UnnamedOperationsClient.__doc__ or "").split())
    assert said.endswith("as one that talks to the application that the document describes.")
    link, other = loopback.pair()
    async with UnnamedOperationsClient(link) as client, Broker(other) as described:
        turns: list[models.OnPayload | models.OffPayload] = []

        @client.on_turn
        def turned(turn: models.OnPayload | models.OffPayload, incoming: Incoming) -> None:
            turns.append(turn)
            assert incoming.parameters == {"id": "7"}

        await described.on_turn(ours.OnPayload(), id="7")
        await described.on_turn(ours.OffPayload(), id="7")
        assert turns == [models.OnPayload(), models.OffPayload()]
        lumens: list[int] = []
        described.on_measured(lambda measured: lumens.append(measured.lumens))
        described.on_root_message(lambda message: lumens.append(message.n))
        await client.publish_light_id_measured(models.MeasuredPayload(lumens=3), id="7")
        await client.publish(models.RootMessagePayload(n=4))
        assert lumens == [3, 4]
