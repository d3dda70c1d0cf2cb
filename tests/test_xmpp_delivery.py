"""Signals over XMPP: one answer each, faults both ways, duplicates, deadlines, bounds, broken links, bare JIDs."""

from __future__ import annotations

import asyncio
import xml.etree.ElementTree as ET
from collections.abc import Callable

import pytest
from test_xmpp_fake import (
    BOB,
    CALL,
    STANZAS,
    WITHIN,
    Account,
    FakeServer,
    Inbox,
    number_of,
    numbered,
    session,
)
from websockets.frames import Frame, Opcode

from aoba_runtime import xmpp
from aoba_runtime.errors import (
    FAULTS,
    AckTimeout,
    BadMessage,
    Fault,
    LimitExceeded,
    NotAParty,
    PeerUnavailable,
    UnknownCall,
    UnsupportedMessage,
)
from aoba_runtime.transport import Outgoing
from aoba_runtime.xmpp import (
    connection,
    delivery,
    duplicates,
    management,
    ordering,
    websocket,
    xml,
)

DISCO = "http://jabber.org/protocol/disco#info"


def outcome(answer: ET.Element) -> tuple[str | None, str | None, str | None]:
    """(type, error type, condition) of an answer."""
    error = answer.find("{jabber:client}error")
    if error is None:
        return answer.get("type"), None, None
    condition = next(child.tag for child in error if not child.tag.endswith("}text"))
    return answer.get("type"), error.get("type"), condition.removeprefix(f"{{{STANZAS}}}")


async def test_a_send_ends_with_the_answer() -> None:
    async with FakeServer() as server, session(server) as (transport, account):
        data = '{"t":"é<&>]]>\'\\" \U0001f600"}\r\n'.encode() + b"\xef\xbf\xbf"
        sending = asyncio.create_task(transport.send(Outgoing(data, BOB)))
        iq = await account.next()
        assert (iq.get("type"), iq.get("to")) == ("set", BOB)
        assert (iq.findtext(CALL) or "").encode() == data.replace(b"\xef\xbf\xbf", b"\\uffff")
        assert not sending.done()
        await account.answer(iq)
        await sending


async def test_answers_find_their_request_in_any_order() -> None:
    async with FakeServer() as server, session(server) as (transport, account):
        tasks = [asyncio.create_task(transport.send(numbered(n))) for n in range(3)]
        iqs = [await account.next() for _ in tasks]
        assert [number_of(iq) for iq in iqs] == [0, 1, 2]
        await account.answer(iqs[2])
        await tasks[2]
        await account.refuse(iqs[0], "cancel", "item-not-found")
        with pytest.raises(UnknownCall):
            await tasks[0]
        assert not tasks[1].done()
        await account.answer(iqs[1])
        await tasks[1]


@pytest.mark.parametrize("kind", FAULTS.values())
async def test_each_fault_travels_both_ways(kind: type[Fault]) -> None:
    async with FakeServer() as server, session(server) as (transport, account):
        sending = asyncio.create_task(transport.send(numbered(1)))
        assert kind.kind and kind.condition
        await account.refuse(await account.next(), kind.kind, kind.condition, "why not")
        with pytest.raises(kind, match="why not") as info:
            await sending
        assert type(info.value) is kind and info.value.remote
        inbox = Inbox()
        inbox.fault = kind("be<cause")
        transport.attach(inbox)
        await account.request()
        answer = await account.next()
        assert outcome(answer) == ("error", kind.kind, kind.condition)
        assert (answer.get("id"), answer.get("to")) == ("q1", BOB)
        assert answer.findtext(f".//{{{STANZAS}}}text") == "be<cause"


@pytest.mark.parametrize(
    ("condition", "kind"),
    [
        ("recipient-unavailable", PeerUnavailable),
        ("remote-server-not-found", PeerUnavailable),
        ("policy-violation", LimitExceeded),
        ("internal-server-error", Fault),
    ],
)
async def test_conditions_of_servers(condition: str, kind: type[Fault]) -> None:
    async with FakeServer() as server, session(server) as (transport, account):
        sending = asyncio.create_task(transport.send(numbered(1)))
        await account.refuse(await account.next(), "wait", condition)
        with pytest.raises(kind) as info:
            await sending
        assert type(info.value) is kind and info.value.remote


async def test_answers_from_others_are_ignored() -> None:
    async with FakeServer() as server, session(server) as (transport, account):
        sending = asyncio.create_task(transport.send(numbered(1)))
        iq = await account.next()
        for stranger in ("mallory@localhost/1", "bob@localhost/2", "localhost"):
            await account.answer(iq, stranger)
        await account.request("{}", id="q1")  # comes after them
        await account.next()
        assert not sending.done()
        await account.answer(iq)
        await sending


@pytest.mark.parametrize(
    "inner",
    [
        "<call xmlns='urn:xmpp:call:0'>{}<x/></call>",
        "<call xmlns='urn:xmpp:call:0'>{}</call><call xmlns='urn:xmpp:call:0'>{}</call>",
        "<call xmlns='urn:xmpp:call:0'>{}</call><x xmlns='y'/>",
    ],
)
async def test_malformed_requests_are_answered_bad_request(inner: str) -> None:
    async with FakeServer() as server, session(server) as (transport, account):
        inbox = Inbox()
        transport.attach(inbox)
        await account.request(inner=inner)
        assert outcome(await account.next()) == ("error", "modify", "bad-request")
        assert inbox.got.empty()


async def test_get_is_refused_and_other_requests_are_left_to_slixmpp() -> None:
    async with FakeServer() as server, session(server) as (transport, account):
        transport.attach(Inbox())
        await account.request(kind="get")
        assert outcome(await account.next()) == ("error", "modify", "bad-request")
        await account.request(inner="<x xmlns='nobody:knows'/>")
        assert outcome(await account.next())[2] == "feature-not-implemented"


async def test_no_receiver_then_one_then_none() -> None:
    async with FakeServer() as server, session(server) as (transport, account):
        inbox = Inbox()
        await account.request(id="a")
        assert outcome(await account.next()) == ("error", "cancel", "service-unavailable")
        transport.attach(inbox)
        with pytest.raises(RuntimeError):
            transport.attach(Inbox())
        await account.request(id="b")
        assert outcome(await account.next()) == ("result", None, None)
        incoming = inbox.got.get_nowait()
        assert (incoming.sender, incoming.id, incoming.recipient) == (BOB, "b", account.jid)
        transport.detach(inbox)
        await account.request('{"n":2}', id="c")
        assert outcome(await account.next())[2] == "service-unavailable"


async def test_a_receiver_that_fails_is_an_internal_error() -> None:
    async with FakeServer() as server, session(server) as (transport, account):
        problems: list[str] = []
        asyncio.get_running_loop().set_exception_handler(
            lambda _, context: problems.append(context["message"])
        )
        inbox = Inbox()
        inbox.fault = ZeroDivisionError()
        transport.attach(inbox)
        await account.request()
        assert outcome(await account.next()) == ("error", "cancel", "internal-server-error")
        assert problems == ["the receiver of signals raised ZeroDivisionError"]


async def test_the_same_signal_is_acted_on_once() -> None:
    async with FakeServer() as server, session(server) as (transport, account):
        inbox = Inbox()
        transport.attach(inbox)
        for id, sender, fresh in (
            ("1", BOB, True),
            ("1", BOB, False),  # the same stanza
            ("2", BOB, False),  # the same content
            ("1", "bob@localhost/2", False),  # sent again by a session that was not resumed
            ("2", "bob@localhost/3", True),  # another device that says the same
            ("1", "carol@localhost/1", True),
        ):
            await account.request('{"n":1}', id=id, sender=sender)
            assert outcome(await account.next()) == ("result", None, None)
            assert inbox.got.qsize() == fresh, (id, sender)
            while not inbox.got.empty():
                inbox.got.get_nowait()
        await account.request('{"n":2}', id="1")
        await account.next()
        assert inbox.got.qsize() == 1


async def test_a_refused_signal_may_come_again() -> None:
    async with FakeServer() as server, session(server) as (transport, account):
        inbox = Inbox()
        transport.attach(inbox)
        inbox.fault = UnknownCall("too early")
        await account.request()
        assert outcome(await account.next())[2] == "item-not-found"
        inbox.fault = None
        await account.request()
        assert outcome(await account.next())[0] == "result"
        assert inbox.got.qsize() == 2


def test_duplicates_are_forgotten_in_time_and_bounded() -> None:
    known = duplicates.Duplicates()
    known.add(BOB, "1", b"x", 0.0)
    assert known.seen(BOB, "1", b"x", 60.0) and not known.seen(BOB, "1", b"x", 60.1)
    for number in range(duplicates.PER_SENDER):
        known.add(BOB, str(number), b"%d" % number, 1.0)
    assert known.seen(BOB, "0", b"0", 1.0) and not known.seen(BOB, "1", b"x", 1.0)
    for number in range(duplicates.SENDERS):
        known.add(f"u{number}@x/1", "1", b"x", 1.0)
    assert not known.seen(BOB, "0", b"0", 1.0) and known.seen("u0@x/1", "1", b"x", 1.0)


async def test_limits_are_checked_before_sending() -> None:
    async with FakeServer() as server, session(server, max_payload=100) as (transport, account):
        transport.attach(Inbox())
        with pytest.raises(LimitExceeded) as info:
            await transport.send(Outgoing(b'"' + b"x" * 99 + b'"', BOB))
        assert not info.value.remote
        for data in (b"\xff", b'"\x00"'):
            with pytest.raises(BadMessage):
                await transport.send(Outgoing(data, BOB))
        with pytest.raises(PeerUnavailable, match="no JID"):
            await transport.send(Outgoing(b"1", "a@b@c"))
        with pytest.raises(ValueError, match="`to`"):
            await transport.send(Outgoing(b"1"))
        await account.request('"' + "x" * 99 + '"')
        assert outcome(await account.next()) == ("error", "wait", "resource-constraint")


async def test_pending_signals_are_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(delivery, "MAX_PENDING", 3)
    async with FakeServer() as server, session(server) as (transport, account):
        tasks = [asyncio.create_task(transport.send(numbered(n))) for n in range(3)]
        iqs = [await account.next() for _ in tasks]
        with pytest.raises(LimitExceeded):
            await transport.send(numbered(3))
        for iq in iqs:
            await account.answer(iq)
        await asyncio.gather(*tasks)
        last = asyncio.create_task(transport.send(numbered(4)))
        await account.answer(await account.next())
        await last


async def test_no_answer_is_a_timeout_and_a_late_one_is_ignored() -> None:
    async with FakeServer() as server, session(server, ack_timeout=0.1) as (transport, account):
        with pytest.raises(AckTimeout, match="no answer from bob@localhost/1 within 0.1 s") as info:
            await transport.send(numbered(1))
        assert not info.value.remote
        await account.answer(await account.next())
        task = asyncio.create_task(transport.send(numbered(2)))
        await account.answer(await account.next())
        await task


async def test_a_signal_that_expires_while_disconnected_is_never_sent() -> None:
    server = FakeServer()
    async with server:
        transport = xmpp.connect(server.url, "t", domain="localhost", ack_timeout=0.1)
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
        assert 3.5 < asyncio.get_running_loop().time() - began < 6
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


async def online(account: Account, *jids: str) -> None:
    for jid in jids:
        await account.send(f"<presence xmlns='jabber:client' from='{jid}' to='{account.jid}'/>")
    await noticed(account)


async def noticed(account: Account) -> None:
    """Wait until the client has dealt with everything so far."""
    await account.request(inner="<ping xmlns='urn:xmpp:ping'/>", kind="get", id="noticed")
    while (await account.next()).get("id") != "noticed":
        pass


async def describe(account: Account, query: ET.Element, features: dict[str, str]) -> None:
    """Answer disco#info with the feature that `features` has for the JID."""
    if (feature := features.get(query.get("to", ""))) is None:
        await account.refuse(query, "cancel", "service-unavailable")
    else:
        await account.send(
            f"<iq xmlns='jabber:client' type='result' id='{query.get('id')}' from='{query.get('to')}'>"
            f"<query xmlns='{DISCO}'><feature var='{feature}'/></query></iq>"
        )


async def says(
    account: Account, features: dict[str, str], stop: Callable[[ET.Element], bool]
) -> ET.Element:
    """Answer disco#info until `stop` takes an IQ."""
    while True:
        iq = await account.next()
        if stop(iq):
            return iq
        if iq.find(f"{{{DISCO}}}query") is not None:
            await describe(account, iq, features)


def is_signal(iq: ET.Element) -> bool:
    return iq.find(CALL) is not None


PHONES = {
    "bob@localhost/1": "urn:xmpp:call:0",
    "bob@localhost/2": "urn:xmpp:call:0",
    "bob@localhost/tv": "x",
}


async def test_a_bare_jid_goes_to_each_capable_resource_in_order() -> None:
    async with FakeServer() as server, session(server) as (transport, account):
        await online(account, *PHONES)
        tasks = [
            asyncio.create_task(transport.send(Outgoing(b'{"n":%d}' % n, "bob@localhost")))
            for n in range(2)
        ]
        iqs = [await says(account, PHONES, is_signal) for _ in range(4)]
        assert [(number_of(iq), iq.get("to")) for iq in iqs] == [
            (number, f"bob@localhost/{resource}") for number in (0, 1) for resource in (1, 2)
        ]
        await account.answer(iqs[1])
        await tasks[0]  # the first that accepts is enough
        await account.refuse(iqs[0], "cancel", "item-not-found")
        await account.refuse(iqs[2], "auth", "forbidden")
        await noticed(account)
        assert not tasks[1].done()
        await account.refuse(iqs[3], "cancel", "service-unavailable")
        with pytest.raises(NotAParty):
            await tasks[1]


async def test_signals_to_a_bare_jid_stay_in_order_however_answers_come() -> None:
    async with FakeServer() as server, session(server) as (transport, account):
        await online(account, "bob@localhost/1")
        tasks = [
            asyncio.create_task(transport.send(Outgoing(b'{"n":%d}' % n, "bob@localhost")))
            for n in range(2)
        ]
        got: list[ET.Element] = []
        while len(got) < 2:
            queries: list[ET.Element] = []
            await account.request(
                inner="<ping xmlns='urn:xmpp:ping'/>", kind="get", id=f"p{len(got)}"
            )
            while (iq := await account.next()).get("type") != "result":
                (got if is_signal(iq) else queries).append(iq)
            for query in reversed(queries):
                await describe(account, query, PHONES)
        assert [number_of(iq) for iq in got] == [0, 1]
        for iq in got:
            await account.answer(iq)
        await asyncio.gather(*tasks)


async def test_our_own_account_means_our_other_devices() -> None:
    async with FakeServer() as server, session(server) as (transport, account):
        await online(account, account.jid, "alice@localhost/tablet")
        sending = asyncio.create_task(transport.send(Outgoing(b'{"n":1}', "alice@localhost")))
        can = {"alice@localhost/tablet": xml.CALL, account.jid: xml.CALL}
        iq = await says(account, can, is_signal)
        assert iq.get("to") == "alice@localhost/tablet"
        await account.answer(iq)
        await sending


async def test_resources_that_left_are_not_asked() -> None:
    async with FakeServer() as server, session(server) as (transport, account):
        await online(account, *PHONES)
        await account.send(
            "<presence xmlns='jabber:client' from='bob@localhost/1' type='unavailable'/>"
        )
        await noticed(account)
        sending = asyncio.create_task(transport.send(Outgoing(b'{"n":1}', "Bob@LOCALHOST")))
        iq = await says(account, PHONES, is_signal)
        assert iq.get("to") == "bob@localhost/2"
        await account.answer(iq)
        await sending


@pytest.mark.parametrize("announcer", ["alice@localhost", "localhost", None])
async def test_a_bare_jid_is_sent_as_it_is_where_that_is_announced(announcer: str | None) -> None:
    async with FakeServer() as server, session(server) as (transport, account):
        sending = asyncio.create_task(transport.send(Outgoing(b'{"n":1}', "bob@localhost")))
        if announcer is None:
            answering = asyncio.create_task(says(account, {}, is_signal))
            with pytest.raises(PeerUnavailable, match="nobody is known to be online") as info:
                await sending
            assert not info.value.remote
            answering.cancel()
            return
        iq = await says(account, {announcer: "urn:xmpp:call:0"}, is_signal)
        assert iq.get("to") == "bob@localhost"
        await account.answer(iq, "bob@localhost/77")
        await sending


async def test_route_bare_asks_nobody() -> None:
    async with FakeServer() as server, session(server, route="bare") as (transport, account):
        sending = asyncio.create_task(transport.send(Outgoing(b'{"n":1}', "bob@localhost")))
        iq = await account.next()
        assert is_signal(iq) and iq.get("to") == "bob@localhost"
        await account.refuse(iq, "cancel", "feature-not-implemented")
        with pytest.raises(UnsupportedMessage):
            await sending


async def test_cancelling_a_fork_withdraws_all_of_it() -> None:
    async with FakeServer() as server, session(server) as (transport, account):
        await online(account, *PHONES)
        sending = asyncio.create_task(transport.send(Outgoing(b'{"n":1}', "bob@localhost")))
        iqs = [await says(account, PHONES, is_signal) for _ in range(2)]
        sending.cancel()
        with pytest.raises(asyncio.CancelledError):
            await sending
        account.handled -= 2
        await account.cut()
        await server.account()
        for iq in iqs:
            await account.answer(iq)
        later = asyncio.create_task(transport.send(numbered(2)))
        iq = await account.next()
        assert number_of(iq) == 2
        await account.answer(iq)
        await later


async def test_each_request_is_answered_exactly_once() -> None:
    async with FakeServer() as server, session(server) as (transport, account):
        transport.attach(Inbox())
        for number in range(50):
            await account.request(f'{{"n":{number // 2}}}', id=f"q{number}")
        async with asyncio.timeout(WITHIN):
            answers = [(await account.next()).get("id") for _ in range(50)]
        assert answers == [f"q{number}" for number in range(50)]
        await account.request(inner="<ping xmlns='urn:xmpp:ping'/>", kind="get", id="end")
        assert (await account.next()).get("id") == "end"


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


def texts_in(data: bytes) -> list[str]:
    """The texts of the WebSocket frames that a client wrote (RFC 6455, 5.2)."""
    texts = []
    while data:
        size, start = data[1] & 0x7F, 2
        if size == 126:
            size, start = int.from_bytes(data[2:4]), 4
        mask, body = data[start : start + 4], data[start + 4 : start + 4 + size]
        texts.append(bytes(byte ^ mask[at % 4] for at, byte in enumerate(body)).decode())
        data = data[start + 4 + size :]
    return texts


async def test_what_is_said_together_is_written_together(monkeypatch: pytest.MonkeyPatch) -> None:
    async with FakeServer() as server, session(server) as (transport, _):
        transport.attach(inbox := Inbox())
        assert isinstance(transport._line, connection.Connection)
        assert (frames := transport._line._frames) is not None
        written: list[list[str]] = []

        def arrive(*texts: str) -> None:
            said = (Frame(Opcode.TEXT, text.encode()).serialize(mask=False) for text in texts)
            frames.data_received(b"".join(said))

        call = f"<iq xmlns='{xml.CLIENT}' type='set' id='1' from='{BOB}'><call xmlns='{xml.CALL}'>1</call></iq>"
        with monkeypatch.context() as patch:
            patch.setattr(frames.transport, "write", lambda data: written.append(texts_in(data)))
            arrive(call, management.REQUEST)
            assert inbox.got.get_nowait().data == b"1"
            ((answer, confirmation),) = written  # at once
            assert "type='result'" in answer
            assert confirmation.startswith("<a ")
            written.clear()
            sending = asyncio.create_task(transport.send(numbered(1)))
            arrive(management.REQUEST)  # can wait for what this turn of the loop has to say
            assert written == []
            await asyncio.sleep(0)
            ((confirmation, signal),) = written
            assert confirmation.startswith("<a ")
            assert "type='set'" in signal
            sending.cancel()
            await asyncio.wait([sending])
