"""Signals over XMPP links that break: what is resumed, sent once more, given up, and put in order again."""

from __future__ import annotations

import asyncio

import pytest
from aoba_runtime import xmpp
from aoba_runtime.errors import AckTimeout
from aoba_runtime.transport import Outgoing
from aoba_runtime.xmpp import ordering, websocket
from test_xmpp_fake import BOB, FakeServer, Inbox, number_of, numbered, session


async def test_a_signal_that_expires_while_disconnected_is_never_sent() -> None:
    server = FakeServer()
    async with server:
        transport = xmpp.connect(server.url, "t", domain="localhost", ack_timeout=0.5)
        await transport.__aenter__()
        account = await server.account()
        events = transport.events()
        # Written, but the server does not take it: it waits for the resumption until its time is over.
        lost = asyncio.create_task(transport.send(numbered(1)))
        await account.next()
        account.handled -= 1
        await server.close()
        assert isinstance(await anext(events), xmpp.Reconnecting)
        with pytest.raises(AckTimeout, match="no answer"):
            await lost
        with pytest.raises(AckTimeout, match="not sent"):
            await transport.send(numbered(2))
        with pytest.raises(AckTimeout, match="not sent"):
            await transport.send(Outgoing(b"3", "bob@localhost"))
        cancelled = asyncio.create_task(transport.send(numbered(4)))
        await asyncio.sleep(0)
        cancelled.cancel()
        await server.listen()
        assert await server.account() is account
        last = asyncio.create_task(transport.send(numbered(5)))
        iq = await account.next()
        assert number_of(iq) == 5
        await account.answer(iq)
        await last
        await events.aclose()
        await transport.aclose()


async def test_a_resumed_session_loses_nothing_and_keeps_the_order() -> None:
    async with FakeServer() as server, session(server) as (transport, account):
        events = transport.events()
        tasks = [asyncio.create_task(transport.send(numbered(n))) for n in range(6)]
        iqs = [await account.next() for _ in tasks]
        account.handled -= 3  # the server says that it got three of the six
        await account.cut()
        assert isinstance(await anext(events), xmpp.Reconnecting)
        tasks += [asyncio.create_task(transport.send(numbered(n))) for n in range(6, 9)]
        assert await server.account() is account
        assert server.resumptions[0].get("h") == "0"
        again = [await account.next() for _ in range(6)]
        assert [number_of(iq) for iq in again] == [3, 4, 5, 6, 7, 8]
        assert [iq.get("id") for iq in again[:3]] == [iq.get("id") for iq in iqs[3:]]
        assert isinstance(await anext(events), xmpp.Resumed)
        for iq in iqs[:3] + again:
            await account.answer(iq)
        await asyncio.gather(*tasks)
        await events.aclose()


async def test_the_count_of_what_arrived_is_told_at_resumption() -> None:
    async with FakeServer() as server, session(server) as (transport, account):
        transport.attach(Inbox())
        for number in range(3):
            await account.request(f'{{"n":{number}}}', id=str(number))
            await account.next()
        await account.send("<r xmlns='urn:xmpp:sm:3'/>")
        await account.cut()
        await server.account()
        assert server.resumptions[0].get("h") == "3"


async def test_what_a_lost_session_may_have_lost_is_sent_once_more() -> None:
    async with FakeServer() as server, session(server) as (transport, first):
        events = transport.events()
        tasks = [asyncio.create_task(transport.send(numbered(n))) for n in range(3)]
        iqs = [await first.next() for _ in tasks]
        await first.answer(iqs[0])
        await tasks[0]
        server.resumes = False
        await first.cut()
        assert isinstance(await anext(events), xmpp.Reconnecting)
        tasks.append(asyncio.create_task(transport.send(numbered(3))))
        second = await server.account()
        assert await anext(events) == xmpp.Connected(second.jid)
        again = [await second.next() for _ in range(3)]
        assert [number_of(iq) for iq in again] == [1, 2, 3]
        assert [iq.get("id") for iq in again[:2]] == [iq.get("id") for iq in iqs[1:]]
        await second.cut()
        third = await server.account()
        last = [await third.next()]
        assert [number_of(iq) for iq in last] == [3]
        await third.answer(last[0])
        await tasks[3]
        for task in tasks[1:3]:
            with pytest.raises(AckTimeout, match="two sessions"):
                await task
        assert third.stanzas.qsize() <= 1  # presence
        await events.aclose()


@pytest.mark.parametrize("managed", [True, False])
async def test_reconnecting_again_and_again(managed: bool) -> None:
    async with FakeServer() as server:
        server.managed = managed
        async with session(server) as (transport, account):
            for number in range(4):
                await account.cut()
                sending = asyncio.create_task(transport.send(numbered(number)))
                account = await server.account()
                iq = await account.next()
                assert number_of(iq) == number
                await account.answer(iq)
                await sending


async def test_a_half_open_link_is_found_within_six_seconds() -> None:
    async with FakeServer() as server, session(server) as (transport, account):
        events = transport.events()
        assert account.socket is not None
        began = asyncio.get_running_loop().time()
        account.socket.transport.pause_reading()  # the server neither reads nor answers pings any more
        event = await anext(events)
        assert isinstance(event, xmpp.Reconnecting) and "nothing heard" in event.reason
        assert asyncio.get_running_loop().time() - began > 3.5
        assert (
            websocket.Frames.dead_after + websocket.Frames.tick < 6
        )  # a loop that slept adds its own
        account.socket.transport.abort()
        await server.account()
        await events.aclose()


async def test_a_quiet_link_that_answers_pings_stays(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(websocket.Frames, "ping_after", 0.05)
    monkeypatch.setattr(websocket.Frames, "dead_after", 0.4)
    monkeypatch.setattr(websocket.Frames, "tick", 0.05)
    async with FakeServer() as server, session(server) as (transport, _):
        events = transport.events()
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(1):
                await anext(events)
        assert len(server.requests) == 1


async def test_a_server_that_closes_properly_is_connected_to_again() -> None:
    async with FakeServer() as server, session(server) as (transport, account):
        events = transport.events()
        await account.send("<close xmlns='urn:ietf:params:xml:ns:xmpp-framing'/>")
        event = await anext(events)
        assert (
            isinstance(event, xmpp.Reconnecting) and event.reason == "the server closed the stream"
        )
        await server.account()
        await events.aclose()


@pytest.mark.parametrize("frame", ["<iq", "<!DOCTYPE x><x/>", "", "plain"])
async def test_rubbish_from_the_server_drops_the_link(frame: str) -> None:
    async with FakeServer() as server, session(server) as (_, account):
        await account.send(frame)
        assert await server.account() is account


def test_what_a_resumption_mixed_up_is_put_in_order() -> None:
    order: ordering.Ordering[int] = ordering.Ordering()

    def came(number: int, may_wait: bool = True, sender: str = BOB) -> list[int]:
        return order.arrived(sender, f"0123456789ab.1-{number}", number, may_wait)

    assert came(5) == [5] and came(6) == [6]
    assert came(8) == [] and came(10) == [] and order.waiting
    assert came(8, sender="carol@localhost/1") == [8]
    assert came(7) == [7, 8]
    assert came(6) == [6]  # sent again; what is known is not this module's business
    assert came(12) == [] and order.release() == [10, 12] and not order.waiting
    assert came(15, may_wait=False) == [15] and came(14) == [14]
    assert order.arrived(BOB, "17", 17, True) == [17] and order.arrived(BOB, "12", 12, True) == [12]
    assert came(18) == [] and came(20, may_wait=False) == [18, 20] and not order.waiting
    for number in range(22, 22 + ordering.MAX_HELD):
        assert came(number) == []
    assert len(came(500)) == ordering.MAX_HELD + 1


def test_our_ids_are_numbered_for_each_receiver() -> None:
    ids = ordering.Numbers("0123456789ab.")
    assert [ids.next(to) for to in "aabab"] == [
        f"0123456789ab.{end}" for end in ("1-1", "1-2", "2-1", "1-3", "2-2")
    ]
    for number in range(ordering.MAX_STREAMS):
        ids.next(str(number))
    assert ids.next("a") == f"0123456789ab.{ordering.MAX_STREAMS + 3}-1"


async def test_signals_wait_for_earlier_ones_after_a_resumption_only() -> None:
    async with FakeServer() as server, session(server) as (transport, account):
        inbox = Inbox()
        transport.attach(inbox)

        async def order(*numbers: int) -> list[str]:
            for number in numbers:
                await account.request(str(number), id=f"0123456789ab.1-{number}")
            answers = [await account.next() for _ in numbers]
            assert {answer.get("type") for answer in answers} == {"result"}
            return [inbox.got.get_nowait().data.decode() for _ in numbers]

        assert await order(1, 3, 2) == ["1", "3", "2"]
        await account.cut()
        await server.account()
        assert await order(4, 6, 7, 5) == ["4", "5", "6", "7"]
        assert await order(9, 10) == ["9", "10"]  # 8 never comes
