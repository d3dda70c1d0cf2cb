"""The echo bot of `aoba-call serve --echo`: somebody to call when there is nobody yet."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Final

from . import xmpp
from .audio import Voice
from .audio_tones import Echo
from .cli_options import DEFAULT_API, client_of
from .phone import Phone
from .rtc import RtcMedia, RtcOptions, addresses_for

USER: Final = "echo"
_CALLS: Final = 10


def _voice(call_id: str) -> Voice:
    echo = Echo()
    return Voice(echo, echo)


@asynccontextmanager
async def echo_bot(url: str, token: str) -> AsyncIterator[None]:
    """A phone at the server at `url` that takes every call and says what it hears."""
    media = RtcMedia(RtcOptions(local_addresses=addresses_for(url)), _voice)
    async with (
        xmpp.connect(url, token) as transport,
        client_of(DEFAULT_API)(transport) as client,
        Phone(client, media, max_calls=_CALLS) as phone,
    ):
        answering = asyncio.create_task(_answer(phone))
        try:
            yield
        finally:
            answering.cancel()
            await asyncio.wait([answering])


async def _answer(phone: Phone) -> None:
    async for call in phone:
        call.accept()
