"""Signals to a bare JID: to each device that takes calls, in order, or as they are where a server routes them."""

from __future__ import annotations

import asyncio
import xml.etree.ElementTree as ET
from collections.abc import Callable

import pytest
from aoba_runtime.errors import NotAParty, PeerUnavailable, UnsupportedMessage
from aoba_runtime.transport import Outgoing
from aoba_runtime.xmpp import xml
from test_xmpp_fake import CALL, Account, FakeServer, number_of, numbered, session

DISCO = "http://jabber.org/protocol/disco#info"


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
