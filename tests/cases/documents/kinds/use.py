"""Payloads that are lists, numbers, text, nothing, one of several, and bytes; and headers."""

from __future__ import annotations

import inspect

from aoba_runtime import Incoming, NotCarried, loopback
from kinds import MESSAGES, KindsOfMessagesClient, models
from kinds.models import Item, ListHeaders, Other, SignedHeaders
from kinds_peer import KindsOfMessagesClient as Peer, models as peer

ITEM = Item(name="x")


async def main() -> None:
    link, other = loopback.pair()
    async with KindsOfMessagesClient(link) as client, Peer(other) as receiver:
        arrived: list[tuple[object, bytes]] = []

        def note(value: object, incoming: Incoming) -> None:
            arrived.append((value, incoming.data))

        for hook in (
            *(receiver.on_list, receiver.on_number, receiver.on_text, receiver.on_json_text),
            *(receiver.on_nothing, receiver.on_either, receiver.on_picture, receiver.on_foreign),
            receiver.on_patch,
        ):
            hook(note)
        await client.send_list([ITEM])
        await client.send_number(7)
        await client.send_text("as it is")
        await client.send_json_text("in quotes")
        await client.send_nothing()
        await client.send_either(Other())
        await client.send_picture(b"\x89PNG")
        await client.send_foreign(b"\x00")
        await client.send_patch(ITEM)
        item = peer.Item(name="x")
        assert arrived == [
            ([item], b'[{"kind":"item","name":"x"}]'),
            (7, b"7"),
            ("as it is", b"as it is"),
            ("in quotes", b'"in quotes"'),
            (None, b""),
            (peer.Other(), b'{"kind":"other"}'),
            (b"\x89PNG", b"\x89PNG"),
            (b"\x00", b"\x00"),
            (item, b'{"kind":"item","name":"x"}'),
        ]
        await headers(client, receiver)
    assert list(MESSAGES)[-1] == "Unused" and len(MESSAGES) == 11
    assert MESSAGES["List"].headers is models.ListHeaders


async def headers(client: KindsOfMessagesClient, receiver: Peer) -> None:
    got: list[peer.ListHeaders] = []

    @receiver.on_list
    def listed(items: list[peer.Item], incoming: Incoming) -> None:
        got.append(incoming.headers_as(peer.ListHeaders))
        assert incoming.headers == {"page": 2, "x-trace-id": "t"}

    await client.send_list([], headers=ListHeaders(page=2, x_trace_id="t"))
    assert got == [peer.ListHeaders(page=2, x_trace_id="t")]
    assert inspect.signature(client.send_list).parameters["headers"].default is None
    demanded = inspect.signature(client.send_signed).parameters["headers"]
    assert demanded.default is inspect.Parameter.empty
    receiver.on_signed(lambda text, incoming: None)
    await client.send_signed("x", headers=SignedHeaders(by="me"))
    mute, _ = loopback.pair()
    mute.carries_headers = False
    async with KindsOfMessagesClient(mute) as other:
        try:
            await other.send_list([], headers=ListHeaders(page=2))
            raise AssertionError
        except NotCarried as error:
            assert "carries no headers, and List has some" in str(error)
