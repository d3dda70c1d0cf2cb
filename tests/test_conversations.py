"""Conversations: replies find the device that spoke last, strangers are kept out, memory is bounded."""

from __future__ import annotations

import pytest
from aoba_runtime import NotAParty, Outgoing, conversations, loopback
from aoba_runtime.conversations import Conversations
from aoba_voice_call_signaling import MESSAGES, AobaVoiceCallSignalingClient, models


def test_a_reply_goes_to_the_device_that_spoke_last() -> None:
    talks = Conversations()
    assert talks.address("1", "bob@localhost") == "bob@localhost"
    assert talks.address("1", None) == "bob@localhost"
    talks.heard("1", "bob@localhost/phone")
    assert talks.address("1", None) == "bob@localhost/phone"
    assert talks.address("1", "bob@localhost") == "bob@localhost/phone"
    assert talks.address("1", "bob@localhost/desk") == "bob@localhost/desk"
    talks.heard("1", "bob@localhost/desk")
    assert talks.address("1", None) == "bob@localhost/desk"
    assert talks.address("2", None) is None


def test_a_stranger_is_kept_out() -> None:
    talks = Conversations()
    talks.heard("1", "bob@localhost/phone")
    with pytest.raises(NotAParty, match="somebody else"):
        talks.heard("1", "eve@localhost/phone")
    assert talks.address("1", None) == "bob@localhost/phone"


def test_the_conversation_silent_for_longest_is_forgotten(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(conversations, "MAX_CONVERSATIONS", 2)
    talks = Conversations()
    talks.heard("1", "bob@localhost/1")
    talks.heard("2", "bob@localhost/1")
    talks.heard("1", "bob@localhost/1")
    talks.heard("3", "bob@localhost/1")
    assert [talks.address(name, None) is None for name in ("1", "2", "3")] == [False, True, False]


async def test_the_client_binds_a_call_to_its_peer() -> None:
    link, other = loopback.pair("alice@localhost/1", "bob@localhost/phone")
    async with link, other, AobaVoiceCallSignalingClient(link) as alice:
        async with AobaVoiceCallSignalingClient(other) as bob:
            heard: list[str | None] = []
            bob.on_call_initiate(lambda signal, incoming: heard.append(incoming.sender))
            alice.on_call_accept(lambda signal, incoming: heard.append(incoming.sender))
            call = models.CallInitiate()
            await alice.initiate_call(call, to="bob@localhost")
            await bob.accept_call(models.CallAccept(call_id=call.call_id))
            assert heard == ["alice@localhost/1", "bob@localhost/phone"]
            stolen = models.CallAccept(call_id=models.CallInitiate().call_id)
            await bob.accept_call(stolen, to="alice@localhost")
            with pytest.raises(NotAParty):
                alice._conversations.heard(stolen.call_id, "eve@localhost/1")
            await link.send(Outgoing(MESSAGES["CallInitiate"].encode(call), address="/xmpp"))
