"""devserver: which frames it takes, and where each stanza goes: IQ, forks, messages and presence."""

from __future__ import annotations

from contextlib import AsyncExitStack
from xml.etree import ElementTree
from xml.etree.ElementTree import Element

import pytest
from aoba_runtime import devserver_xml
from aoba_runtime.devserver import Server
from devserver_peer import (
    AUTH,
    CLOSE,
    JSON,
    NS,
    OPEN,
    Peer,
    call,
    devices,
    iq,
    peer,
    peers,
    refusal,
    refused,
    result,
    server,
    tag,
)
from websockets.exceptions import ConnectionClosed

# Frames


@pytest.mark.parametrize(
    ("frame", "condition"),
    [
        ("", "not-well-formed"),
        (" ", "not-well-formed"),
        ("\n" + iq("1", "<x/>"), "not-well-formed"),
        (iq("1", "<x/>") + "\n", "not-well-formed"),
        (iq("1", "<x/>") * 2, "not-well-formed"),
        ("<iq xmlns='jabber:client'>", "not-well-formed"),
        ("<a:iq/>", "not-well-formed"),
        (iq("1", "&bomb;"), "restricted-xml"),
        ('<!DOCTYPE iq [<!ENTITY a "b">]>' + iq("1", "&a;"), "restricted-xml"),
        ('<!DOCTYPE iq SYSTEM "file:///etc/passwd">' + iq("1", "<x/>"), "restricted-xml"),
        (iq("1", "<!-- hello -->"), "restricted-xml"),
        (iq("1", "<?php x?>"), "restricted-xml"),
        (iq("1", "<x>" * 200 + "</x>" * 200), "policy-violation"),
        (iq("1", "x" * 262_144), "policy-violation"),
        (iq("1", "\u00e9" * 140_000), "policy-violation"),
        (iq("1", "<x/>").replace("jabber:client", ""), "unsupported-stanza-type"),
        (iq("1", "<x/>").replace("jabber:client", "jabber:server"), "unsupported-stanza-type"),
        ("<call xmlns='jabber:client'/>", "unsupported-stanza-type"),
        (AUTH.format("="), "unsupported-stanza-type"),
        (OPEN, "bad-format"),
        ("<a xmlns='urn:xmpp:sm:3' h='0'/>", "unsupported-stanza-type"),
    ],
)
async def test_bad_frame(server: Server, frame: str, condition: str) -> None:
    async with await Peer.connect(server) as peer:
        await (await peer.login()).bind()
        await peer.send(frame)
        await peer.ended(condition)
    assert server.jids == []


async def test_binary_and_huge_frames(server: Server) -> None:
    for frame, code in ((b"<iq/>", 1003), ("x" * 600_000, 1009)):
        async with await Peer.connect(server) as peer:
            await (await peer.login()).bind()
            await peer.socket.send(frame)
            with pytest.raises(ConnectionClosed):
                await peer.recv()
            assert peer.socket.close_code == code


async def test_large_stanza_passes(server: Server, peers: AsyncExitStack) -> None:
    alice, bob = await peer(peers, server), await peer(peers, server, "bob")
    payload = "x" * 250_000
    await alice.send(call("big", bob.jid, payload))
    assert (await bob.recv("c:iq")).findtext("call:call", "", NS) == payload


# IQ


async def test_iq_there_and_back(server: Server, peers: AsyncExitStack) -> None:
    alice, bob = await peer(peers, server), await peer(peers, server, "bob")
    await alice.send(call("q1", bob.jid, more=' from="mallory@localhost/x" xml:lang="de"'))
    request = await bob.recv("c:iq")
    assert request.attrib == {
        "type": "set",
        "id": "q1",
        "from": alice.jid,
        "to": bob.jid,
        "{http://www.w3.org/XML/1998/namespace}lang": "de",
    }
    assert [child.tag for child in request] == [tag("call:call")]
    assert request[0].text == JSON
    await bob.send(result(request))
    answer = await alice.recv("c:iq")
    assert answer.attrib == {"type": "result", "id": "q1", "from": bob.jid, "to": alice.jid}
    await alice.send(call("q2", bob.jid))
    await bob.send(refusal(await bob.recv("c:iq"), "item-not-found"))
    answer = await alice.recv("c:iq")
    assert (answer.get("id"), answer.get("from")) == ("q2", bob.jid)
    refused(answer, "cancel", "item-not-found")
    assert await alice.barrier() == [] == await bob.barrier()


async def test_foreign_names_survive(server: Server, peers: AsyncExitStack) -> None:
    alice, bob = await peer(peers, server), await peer(peers, server, "bob")
    child = (
        '<p:x xmlns:p="urn:p" xmlns:q="urn:q" p:a="1" q:a="2&#10;&quot;" a="3">a<none xmlns=""/>'
        "b<q:y/>c&#13;<![CDATA[<&]]></p:x>"
    )
    await alice.send(iq("1", child, to=bob.jid))
    found = (await bob.recv("c:iq"))[0]
    assert flat(found) == flat(ElementTree.fromstring(child))


def flat(element: Element) -> object:
    children = [(flat(child), child.tail) for child in element]
    return element.tag, element.attrib, element.text, children


async def test_order_is_kept(server: Server, peers: AsyncExitStack) -> None:
    alice, bob = await peer(peers, server), await peer(peers, server, "bob")
    await alice.send(*(call(f"n{n}", bob.jid, str(n)) for n in range(500)))
    got = [(await bob.recv("c:iq")).findtext("call:call", "", NS) for _ in range(500)]
    assert got == [str(n) for n in range(500)]


@pytest.mark.parametrize(
    ("stanza", "kind", "condition"),
    [
        (call("1", "bob@localhost/nowhere"), "cancel", "service-unavailable"),
        (call("1", "bob@localhost"), "cancel", "service-unavailable"),
        (call("1", "alice@localhost"), "cancel", "service-unavailable"),
        (call("1", "localhost"), "cancel", "service-unavailable"),
        (call("1", ""), "cancel", "service-unavailable"),
        (call("1", "bob@elsewhere.example/x"), "cancel", "remote-server-not-found"),
        (call("1", "b b@localhost"), "modify", "jid-malformed"),
        (call("1", "@localhost"), "modify", "jid-malformed"),
        (iq("1", "", to="bob@localhost/x"), "modify", "bad-request"),
        (iq("1", "<a/><b/>"), "modify", "bad-request"),
        (iq("1", "<a/>", kind="sing"), "modify", "bad-request"),
        (iq("1", '<query xmlns="jabber:iq:version"/>'), "cancel", "service-unavailable"),
        (
            iq("1", f'<query xmlns="{NS["info"]}" node="n"/>', to="localhost"),
            "cancel",
            "item-not-found",
        ),
        (
            '<message xmlns="jabber:client" id="1" to="bob@localhost"><body>hi</body></message>',
            "cancel",
            "service-unavailable",
        ),
        (
            '<message xmlns="jabber:client" id="1" to="bob@localhost/x" type="normal"/>',
            "cancel",
            "service-unavailable",
        ),
        (
            '<message xmlns="jabber:client" id="1" to="bob@elsewhere.example"/>',
            "cancel",
            "remote-server-not-found",
        ),
    ],
)
async def test_refused_stanza(server: Server, stanza: str, kind: str, condition: str) -> None:
    async with await Peer.connect(server) as peer:
        await (await peer.login()).bind()
        await peer.send(stanza)
        [answer] = await peer.barrier()
        assert answer.get("id") == "1" and answer.get("to") == peer.jid
        refused(answer, kind, condition)


@pytest.mark.parametrize(
    "stanza",
    [
        iq("1", "", kind="result", to="bob@localhost/nowhere"),
        iq("1", "", kind="result"),
        iq("1", "<error/>", kind="error", to="bob@localhost"),
        '<message xmlns="jabber:client" type="error" to="bob@localhost"/>',
        '<message xmlns="jabber:client" type="headline" to="bob@localhost"/>',
        '<presence xmlns="jabber:client" to="bob@localhost"/>',
        '<presence xmlns="jabber:client" type="unavailable"/>',
    ],
)
async def test_unanswered_stanza(server: Server, stanza: str) -> None:
    """Answers are not answered: nothing may come back."""
    async with await Peer.connect(server) as peer:
        await (await peer.login()).bind()
        await peer.send(stanza)
        assert await peer.barrier() == []


async def test_disco(server: Server, peers: AsyncExitStack) -> None:
    alice = await peer(peers, server)
    await peer(peers, server, "bob")
    bob = await peer(peers, server, "bob", present=True)
    query = f'<query xmlns="{NS["info"]}"/>'

    async def features(to: str) -> tuple[str | None, set[str | None]]:
        await alice.send(iq("d", query, to=to))
        [answer] = await alice.barrier()
        assert answer.get("from") == to and answer.get("type") == "result"
        identity = answer.find("info:query/info:identity", NS)
        assert identity is not None
        return identity.get("category"), {f.get("var") for f in answer.iter(tag("info:feature"))}

    category, found = await features("bob@localhost")
    assert category == "account" and "urn:xmpp:call:0" in found
    category, found = await features("localhost")
    assert category == "server" and "urn:xmpp:call:0" not in found and "urn:xmpp:ping" in found
    await alice.send(iq("i", f'<query xmlns="{NS["items"]}"/>', to="bob@localhost"))
    [answer] = await alice.barrier()
    assert [item.get("jid") for item in answer.iter(tag("items:item"))] == [bob.jid]
    await alice.send(iq("r", '<query xmlns="jabber:iq:roster"/>'))
    [answer] = await alice.barrier()
    assert answer.get("type") == "result" and len(answer) == 1
    await alice.send(iq("d", query, to=bob.jid))
    assert (await bob.recv("c:iq"))[0].tag == tag("info:query")


# Fork


async def test_fork_first_result_wins(server: Server, peers: AsyncExitStack) -> None:
    caller, bobs = await devices(peers, server)
    await caller.send(call("f1", "bob@localhost"))
    requests = [await bob.recv("c:iq") for bob in bobs]
    for bob, request in zip(bobs, requests, strict=True):
        assert (request.get("from"), request.get("to")) == (caller.jid, bob.jid)
        assert request[0].text == JSON
    ids = {request.get("id") for request in requests}
    assert len(ids) == 3 and "f1" not in ids
    await bobs[0].send(refusal(requests[0], "service-unavailable"))
    await bobs[0].barrier()
    assert await caller.barrier() == []
    await bobs[2].send(result(requests[2]))
    await bobs[1].send(result(requests[1]), result(requests[1]))
    answer = await caller.recv("c:iq")
    assert answer.attrib == {
        "type": "result",
        "id": "f1",
        "from": "bob@localhost",
        "to": caller.jid,
    }
    await bobs[1].barrier()
    assert [seen.get("id") for seen in await caller.barrier()] == [requests[1].get("id")]


async def test_fork_all_refuse(server: Server, peers: AsyncExitStack) -> None:
    caller, bobs = await devices(peers, server)
    await caller.send(call("f1", "bob@localhost"))
    for bob in bobs[:2]:
        await bob.send(refusal(await bob.recv("c:iq"), "item-not-found"))
        await bob.barrier()
    assert await caller.barrier() == []
    await bobs[2].send(CLOSE)
    answer = await caller.recv("c:iq")
    assert (answer.get("id"), answer.get("from")) == ("f1", "bob@localhost")
    refused(answer, "cancel", "item-not-found")


async def test_fork_all_leave(server: Server, peers: AsyncExitStack) -> None:
    caller, bobs = await devices(peers, server)
    await caller.send(call("f1", "bob@localhost"))
    for bob in bobs:
        await bob.recv("c:iq")
        await bob.send(CLOSE)
    answer = await caller.recv("c:iq")
    refused(answer, "wait", "recipient-unavailable")
    assert await caller.barrier() == []


async def test_fork_answer_of_a_stranger(server: Server, peers: AsyncExitStack) -> None:
    """Nobody settles a fork by guessing: the answer counts only from the device that was asked."""
    caller, bobs = await devices(peers, server)
    mallory = await peer(peers, server, "mallory")
    await caller.send(call("f1", "bob@localhost"))
    requests = [await bob.recv("c:iq") for bob in bobs]
    await mallory.send(result(requests[0]))
    await mallory.barrier()
    [stray] = await caller.barrier()
    assert (stray.get("from"), stray.get("id")) == (mallory.jid, requests[0].get("id"))
    requests[0].set("from", mallory.jid)
    await bobs[0].send(result(requests[0]))
    assert (await mallory.recv("c:iq")).get("from") == bobs[0].jid
    assert await caller.barrier() == []
    await bobs[1].send(result(requests[1]))
    assert (await caller.recv("c:iq")).get("from") == "bob@localhost"


async def test_fork_not_to_oneself(server: Server, peers: AsyncExitStack) -> None:
    one = await peer(peers, server, present=True)
    two = await peer(peers, server, present=True)
    await one.recv("c:presence")
    await two.recv("c:presence")
    await one.send(call("f1", "alice@localhost"))
    request = await two.recv("c:iq")
    await two.send(result(request))
    assert (await one.recv("c:iq")).get("id") == "f1"
    assert await one.barrier() == []


# Messages and presence


async def test_messages(server: Server, peers: AsyncExitStack) -> None:
    alice, bobs = await devices(peers, server)
    message = '<message xmlns="jabber:client" type="{}" to="{}"><body>hi</body></message>'
    low = '<presence xmlns="jabber:client"><priority>-1</priority></presence>'
    await bobs[2].send(low)
    for bob in bobs:
        await bob.recv("c:presence")
    await alice.send(message.format("normal", bobs[2].jid))
    assert (await bobs[2].recv("c:message")).get("from") == alice.jid
    await alice.send(message.format("chat", "bob@localhost"))
    await alice.send(message.format("chat", "bob@localhost/gone"))
    await alice.barrier()
    for bob in bobs[:2]:
        first, second = await bob.barrier()
        assert first.findtext("c:body", "", NS) == "hi" and first.get("to") == "bob@localhost"
        assert second.get("to") == "bob@localhost/gone"
    assert await bobs[2].barrier() == []


async def test_presence(server: Server, peers: AsyncExitStack) -> None:
    alice = await peer(peers, server, present=True)
    bob = await peer(peers, server, "bob")
    show = (
        '<presence xmlns="jabber:client"><show>dnd</show><c xmlns="urn:caps" ver="1"/></presence>'
    )
    await bob.send(show)
    seen = {(await bob.recv("c:presence")).get("from") for _ in range(2)}
    assert seen == {alice.jid, bob.jid}
    there = await alice.recv("c:presence")
    assert (there.get("from"), there.get("to")) == (bob.jid, "alice@localhost")
    assert there.findtext("c:show", "", NS) == "dnd" and there.find("{urn:caps}c") is not None
    await bob.send('<presence xmlns="jabber:client" type="unavailable"/>')
    gone = await alice.recv("c:presence")
    assert (gone.get("from"), gone.get("type")) == (bob.jid, "unavailable")
    await bob.send(show)
    await alice.recv("c:presence")
    await bob.send(CLOSE)
    gone = await alice.recv("c:presence")
    assert (gone.get("from"), gone.get("type")) == (bob.jid, "unavailable")


async def test_directed_presence(server: Server, peers: AsyncExitStack) -> None:
    alice = await peer(peers, server, present=True)
    bob = await peer(peers, server, "bob")
    await bob.send(f'<presence xmlns="jabber:client" to="{alice.jid}"/>')
    assert (await alice.recv("c:presence")).get("from") == bob.jid
    await bob.send('<presence xmlns="jabber:client" type="probe" to="alice@localhost"/>')
    assert (await bob.recv("c:presence")).get("from") == alice.jid
    await bob.send('<presence xmlns="jabber:client" type="subscribe" to="alice@localhost"/>')
    answer = await bob.recv("c:presence")
    assert (answer.get("type"), answer.get("from")) == ("subscribed", "alice@localhost")
    assert await alice.barrier() == []


# Addresses


@pytest.mark.parametrize("text", ["alice@localhost/r", "localhost", "a@b/c d/e@f", "[::1]"])
def test_jid(text: str) -> None:
    jid = devserver_xml.Jid.parse(text)
    assert str(jid) == text and str(jid.bare) == text.partition("/")[0]


@pytest.mark.parametrize("text", ["", "@", "a@", "@b", "a@b/", "a b@c", "a@b@c", "/r", 'a"@b'])
def test_no_jid(text: str) -> None:
    with pytest.raises(ValueError):
        devserver_xml.Jid.parse(text)
