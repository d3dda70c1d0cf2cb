"""What the tests of phones share: two phones on a loopback link with silent media, and links that note and hold back."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

from aoba_runtime import Outgoing, loopback
from aoba_runtime.fake_media import FakeMedia
from aoba_runtime.phone import Phone, VoiceCall
from aoba_runtime.phone_events import CallEvent, Party
from aoba_voice_call_signaling import AobaVoiceCallSignalingClient

LOCAL, REMOTE = Party.LOCAL, Party.REMOTE
BOB = "bob@localhost"


class Link(loopback.Endpoint):
    """An end of a link that notes which signals it sent, and can hold some back for ever."""

    def __init__(self, name: str) -> None:
        super().__init__(name)
        self.sent: list[str] = []
        self.cancelled: list[str] = []
        self.held: set[str] = set()

    async def send(self, message: Outgoing) -> None:
        signal = json.loads(message.data)
        kind = str(signal["type"]).removeprefix("call:")
        self.sent.append(kind)
        if kind in self.held:
            try:
                await asyncio.Future()
            except asyncio.CancelledError:
                self.cancelled.append(kind)
                raise
        await super().send(message)


@dataclass
class Pair:
    """Two phones, what is under them, and the calls that rang at Bob's."""

    alice: Phone
    bob: Phone
    near: Link
    far: Link
    voices: tuple[FakeMedia, FakeMedia]

    async def rung(self) -> VoiceCall:
        """The next call that rings at Bob's."""
        return await anext(aiter(self.bob))

    async def up(self) -> tuple[VoiceCall, VoiceCall]:
        """A call that is connected, at both ends."""
        ours = await self.alice.dial(BOB)
        theirs = await self.rung()
        theirs.accept()
        await asyncio.gather(ours.connected(), theirs.connected())
        return ours, theirs


@asynccontextmanager
async def phones(
    *, connects: bool = True, ring_time: float = 30.0, connect_time: float = 15.0, lines: int = 1
) -> AsyncIterator[Pair]:
    near, far = Link("alice@localhost/1"), Link("bob@localhost/1")
    near.join(far)
    voices = FakeMedia(connects=connects), FakeMedia()
    options: dict[str, Any] = {"ring_time": ring_time, "connect_time": connect_time}
    async with asyncio.timeout(30):
        async with (
            AobaVoiceCallSignalingClient(near) as alice,
            AobaVoiceCallSignalingClient(far) as bob,
            Phone(alice, voices[0], caller_name="Alice", max_calls=2, **options) as first,
            Phone(bob, voices[1], max_calls=lines, **options) as second,
        ):
            yield Pair(first, second, near, far, voices)
        assert asyncio.all_tasks() == {asyncio.current_task()}
    assert all(session.closed for media in voices for session in media.sessions.values())


async def told(call: VoiceCall) -> list[CallEvent]:
    return [event async for event in call]
