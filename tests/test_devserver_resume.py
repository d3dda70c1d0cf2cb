"""devserver: stream management (XEP-0198): counts, broken links, resumption and its refusals."""

from __future__ import annotations

from contextlib import AsyncExitStack
from xml.etree.ElementTree import Element

import pytest
from aoba_runtime import devserver
from aoba_runtime.devserver import Limits, Server
from devserver_peer import CLOSE, SM, again, call, iq, peer, peers, refused, result, server, tag


async def test_sm_counts(server: Server, peers: AsyncExitStack) -> None:
    bob = await peer(peers, server, "bob")
    await bob.barrier()
    await bob.send(f'<enable xmlns="{SM}"/>', f'<r xmlns="{SM}"/>')
    assert (await bob.recv("sm:enabled")).attrib == {}
    assert (await bob.recv("sm:a")).get("h") == "0"
    await bob.barrier()
    assert (await bob.recv("sm:r")).attrib == {}
    await bob.send(f'<a xmlns="{SM}" h="1"/>', f'<r xmlns="{SM}"/>')  # only what came since
    assert (await bob.recv("sm:a")).get("h") == "1"
    await bob.send(f'<enable xmlns="{SM}"/>')
    failed = await bob.recv("sm:failed")
    assert [child.tag for child in failed] == [tag("e:unexpected-request")]


@pytest.mark.parametrize("frame", [f'<a xmlns="{SM}" h="7"/>', f'<a xmlns="{SM}" h="-1"/>'])
async def test_sm_bad_count(server: Server, peers: AsyncExitStack, frame: str) -> None:
    bob = await peer(peers, server, "bob", sm=True)
    await bob.send(frame)
    error = await bob.recv("stream:error")
    if "7" in frame:
        assert error[0].tag == tag("se:undefined-condition")
        assert error[1].attrib == {"h": "7", "send-count": "0"}
    else:
        assert error[0].tag == tag("se:bad-format")
    await bob.recv("f:close")


async def test_resume_with_lost_acks(server: Server, peers: AsyncExitStack) -> None:
    """Ten are sent, six are read, four acknowledged, the link breaks, two more come: six come again, in order."""
    alice = await peer(peers, server)
    bob = await peer(peers, server, "bob", sm=True, present=True)
    await alice.send(*(call(f"n{n}", bob.jid, str(n)) for n in range(10)))
    for _ in range(6):
        await bob.recv("c:iq")
    # 1 presence and 4 of the 10; the fifth and sixth were read, but the acknowledgement is lost
    await bob.send(f'<a xmlns="{SM}" h="5"/>', iq("own", '<ping xmlns="urn:xmpp:ping"/>'))
    while (await bob.recv()).get("id") != "own":
        pass
    assert server.cut(bob.jid) == 1
    await bob.socket.wait_closed()
    await alice.send(*(call(f"n{n}", bob.jid, str(n)) for n in range(10, 12)))
    assert await alice.barrier() == []
    assert server.jids == sorted([alice.jid, bob.jid])
    back = await again(peers, server)
    await back.resume(5, bob.sm_id)
    resumed = await back.recv("sm:resumed")
    assert resumed.attrib == {"previd": bob.sm_id, "h": "2"}
    got: list[Element] = []
    while len(got) < 9:
        if (element := await back.recv()).tag == tag("c:iq"):
            got.append(element)
    expected = [f"n{n}" for n in range(4, 10)] + ["own", "n10", "n11"]
    assert [element.get("id") for element in got] == expected
    await back.send(result(got[0]))
    answer = await alice.recv("c:iq")
    assert (answer.get("id"), answer.get("from")) == ("n4", bob.jid)


async def test_resume_takes_over_a_half_open_link(server: Server, peers: AsyncExitStack) -> None:
    bob = await peer(peers, server, "bob", sm=True)
    back = await again(peers, server)
    await back.resume(0, bob.sm_id)
    await back.recv("sm:resumed")
    await bob.ended("conflict")
    assert server.jids == [bob.jid]
    assert await back.barrier() == []
    # and the end of the old link does not touch the session, which can be resumed once more
    server.cut()
    await back.socket.wait_closed()
    third = await again(peers, server)
    await third.resume(0, bob.sm_id)
    await third.recv("sm:resumed")
    assert server.jids == [bob.jid]


async def test_cut_while_much_is_written(
    server: Server, peers: AsyncExitStack, caplog: pytest.LogCaptureFixture
) -> None:
    """All of it comes again, and nothing was written to the dead socket, which asyncio would complain about."""
    alice = await peer(peers, server)
    bob = await peer(peers, server, "bob", sm=True)
    await alice.send(*(call(f"n{n}", bob.jid) for n in range(300)))
    first = await bob.recv("c:iq")
    server.cut(bob.jid)
    await alice.barrier()
    await bob.socket.wait_closed()
    back = await again(peers, server)
    await back.resume(1, bob.sm_id)
    await back.recv("sm:resumed")
    ids = [first.get("id")]
    while len(ids) < 300:
        if (element := await back.recv()).tag == tag("c:iq"):
            ids.append(element.get("id"))
    assert ids == [f"n{n}" for n in range(300)]
    assert [record for record in caplog.records if record.name == "asyncio"] == []


async def test_resume_refused(server: Server, peers: AsyncExitStack) -> None:
    bob = await peer(peers, server, "bob", sm=True)
    for user, previd in (("mallory", bob.sm_id), ("bob", "x"), ("bob", "")):
        other = await again(peers, server, user)
        await other.resume(0, previd)
        failed = await other.recv("sm:failed")
        assert [child.tag for child in failed] == [tag("e:item-not-found")]
        await other.bind()
    other = await again(peers, server, "bob")
    await other.resume(99, bob.sm_id)
    await other.ended("undefined-condition")
    assert await bob.barrier() == []


async def test_closed_stream_cannot_be_resumed(server: Server, peers: AsyncExitStack) -> None:
    bob = await peer(peers, server, "bob", sm=True)
    await bob.send(CLOSE)
    await bob.recv("f:close")
    other = await again(peers, server, "bob")
    await other.resume(0, bob.sm_id)
    await other.recv("sm:failed")
    assert server.jids == []


async def test_hibernation_ends() -> None:
    async with AsyncExitStack() as peers:
        server = await peers.enter_async_context(
            devserver.serve(port=0, limits=Limits(hibernation=1))
        )
        alice = await peer(peers, server, present=True)
        bob = await peer(peers, server, "bob", sm=True, present=True)
        await alice.recv("c:presence")
        server.cut(bob.jid)
        await bob.socket.wait_closed()
        await alice.send(call("held", bob.jid))
        assert await alice.barrier() == []
        answer = await alice.recv("c:iq")
        assert (answer.get("id"), answer.get("from")) == ("held", bob.jid)
        refused(answer, "wait", "recipient-unavailable")
        gone = await alice.recv("c:presence")
        assert (gone.get("type"), gone.get("from")) == ("unavailable", bob.jid)
        await alice.send(call("late", bob.jid))
        refused(await alice.recv("c:iq"), "cancel", "service-unavailable")
        other = await again(peers, server, "bob")
        await other.resume(0, bob.sm_id)
        await other.recv("sm:failed")


async def test_drop_without_sm(server: Server, peers: AsyncExitStack) -> None:
    alice = await peer(peers, server, present=True)
    bob = await peer(peers, server, "bob", present=True)
    await alice.recv("c:presence")
    server.cut(bob.jid)
    assert (await alice.recv("c:presence")).get("type") == "unavailable"
    assert server.jids == [alice.jid]
