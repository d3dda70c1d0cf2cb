"""Messages of one channel told apart by a header, by numbers, and by their shape alone."""

from __future__ import annotations

from aoba_runtime import loopback
from told_apart import MESSAGES, ToldApartClient, decode, messages
from told_apart.models import (
    FirstPayload,
    MinusHeaders,
    MinusPayload,
    MorePayload,
    NarrowPayload,
    PlusHeaders,
    PlusPayload,
    SecondPayload,
    WidePayload,
)
from told_apart_peer import ToldApartClient as Peer


async def main() -> None:
    link, other = loopback.pair()
    async with ToldApartClient(link) as client, Peer(other) as receiver:
        heard: list[str] = []
        receiver.on_plus(lambda plus: heard.append(f"+{plus.amount}"))
        receiver.on_minus(lambda minus: heard.append(f"-{minus.amount}"))
        await client.count(PlusPayload(amount=1), headers=PlusHeaders())
        await client.count(MinusPayload(amount=2), headers=MinusHeaders())
        assert heard == ["+1", "-2"]
    number = messages.BY_NUMBER_CHANNEL
    assert isinstance(number.decode(b'{"v": 1}'), FirstPayload)
    assert isinstance(number.decode(b'{"v": 2.0}'), SecondPayload)
    assert isinstance(number.decode(b'{"v": 4}'), MorePayload)
    shape = messages.BY_SHAPE_CHANNEL
    assert isinstance(shape.decode(b'{"a": "", "b": ""}'), WidePayload)
    assert isinstance(shape.decode(b'{"a": ""}'), NarrowPayload)
    assert shape.decode(b"1.5") == 1.5
    assert isinstance(decode(b'{"v": 2}'), SecondPayload)
    assert [message.name for message in messages.BY_HEADER_CHANNEL.messages] == ["Plus", "Minus"]
    assert list(MESSAGES)[:3] == ["Plus", "Minus", "First"]
