"""A phone used in a wrong way, or closed at a bad moment: told at once, and nobody waits for ever."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from aoba_runtime import loopback
from aoba_runtime.fake_media import FakeMedia
from aoba_runtime.phone import Ended, Phone
from aoba_runtime.phone_events import EndReason
from aoba_voice_call_signaling import AobaVoiceCallSignalingClient
from phone_pair import BOB, REMOTE, phones


async def test_whoever_handles_a_call_while_the_phone_is_closed_learns_it() -> None:
    async with phones() as pair:
        handled = asyncio.Event()

        async def answer() -> None:
            async for call in pair.bob:
                call.accept()
                await handled.wait()

        answering = asyncio.create_task(answer())
        await (await pair.alice.dial(BOB)).connected()
        await pair.bob.aclose()
        handled.set()
        async with asyncio.timeout(10):
            await answering


async def test_a_client_has_one_phone() -> None:
    """Each of two would refuse the signals of the other's calls."""
    near, _ = loopback.pair()
    async with AobaVoiceCallSignalingClient(near) as client:
        async with Phone(client, FakeMedia()):
            with pytest.raises(RuntimeError, match="this client has a phone already"):
                async with Phone(client, FakeMedia()):
                    pass
        async with Phone(client, FakeMedia()):
            pass


@pytest.mark.parametrize(
    ("limit", "words"),
    [
        ({"max_calls": 0}, "max_calls 0: without any there is no call"),
        ({"ring_time": -1.0}, "ring_time -1.0: expected a number of seconds above 0"),
        ({"connect_time": float("nan")}, "connect_time nan: expected a number of seconds above 0"),
    ],
)
async def test_limits_under_which_there_is_no_call(limit: dict[str, Any], words: str) -> None:
    async with AobaVoiceCallSignalingClient(loopback.pair()[0]) as client:
        with pytest.raises(ValueError, match=f"^{words}$"):
            Phone(client, FakeMedia(), **limit)


async def test_a_phone_is_entered_once_and_used_inside() -> None:
    near, _ = loopback.pair()
    async with AobaVoiceCallSignalingClient(near) as client:
        phone = Phone(client, FakeMedia())
        with pytest.raises(RuntimeError, match="inside 'async with phone:'"):
            async with asyncio.timeout(10):
                await anext(aiter(phone))
        async with phone:
            with pytest.raises(RuntimeError, match="entered once"):
                await phone.__aenter__()
        with pytest.raises(RuntimeError, match="entered once"):
            await phone.__aenter__()
        assert [call async for call in phone] == []


@pytest.mark.parametrize("name", ["", "x" * 256], ids=["empty", "long"])
async def test_a_name_that_the_document_does_not_allow(name: str) -> None:
    """The call ends at once and says why; it seemed to ring."""
    near, far = loopback.pair()
    async with (
        AobaVoiceCallSignalingClient(near) as client,
        AobaVoiceCallSignalingClient(far),
        Phone(client, FakeMedia(), caller_name=name) as phone,
    ):
        call = await phone.dial(BOB)
        async with asyncio.timeout(10):
            reason, duration, by, why = await call.ended
        assert Ended(reason, duration, by) == (EndReason.FAILED, None, REMOTE, "")
        assert why.startswith(
            "bad-request: this API cannot say it: caller_name: String should have"
        )


async def test_a_phone_that_may_not_take_its_time_to_close() -> None:
    """Its client can have another one, and whoever waits for calls learns it."""
    async with phones() as pair:
        answering = asyncio.create_task(anext(aiter(pair.alice), None))
        await pair.alice.dial(BOB)
        pair.near.held.add("hangup")
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.1):
                await pair.alice.aclose()
        async with asyncio.timeout(10):
            assert await answering is None
        async with Phone(pair.alice._client, FakeMedia()):
            pass
