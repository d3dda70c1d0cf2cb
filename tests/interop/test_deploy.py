"""The servers of deploy/ with an independent client: plain websockets, no slixmpp and nothing of ours."""

from __future__ import annotations

import asyncio
import base64
import time
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest
from websockets.exceptions import ConnectionClosed

from .raw import CALL, CLIENT, DISCO, SASL, SM, STANZAS
from .raw import Outcome, Raw, all_closed, dial, exchange, handshake, login, online, outcome
from .servers import RunningCluster, RunningServer, ejabberd, ejabberd_cluster, prosody

pytestmark = pytest.mark.interop

ALLOWED = "https://app.example"
WRONG_KEY = "not the secret of this server, but long enough"


@pytest.fixture(autouse=True)
async def no_socket_is_left() -> AsyncIterator[None]:
    async with all_closed():
        yield


@pytest.fixture(scope="module", params=[prosody, ejabberd], ids=["prosody", "ejabberd"])
def server(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[RunningServer]:
    with request.param(tmp_path_factory.mktemp("server"), origins=[ALLOWED]) as running:
        yield running
        logs = running.logs()
        signatures = [token.rpartition(".")[2] for token in running.tokens]
        assert not [signature for signature in signatures if signature and signature in logs]
        assert running.secret not in logs


@pytest.fixture(scope="module")
def calls(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningServer]:
    """A server that routes calls to bare JIDs."""
    with prosody(tmp_path_factory.mktemp("calls")) as running:
        yield running


@pytest.fixture(scope="module")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningCluster]:
    with ejabberd_cluster(tmp_path_factory.mktemp("cluster")) as running:
        yield running


def forged(server: RunningServer, case: str) -> str | None:
    """The tokens nobody may enter with."""
    now = int(time.time())
    unsigned = base64.urlsafe_b64encode(b'{"alg":"none"}').rstrip(b"=").decode()
    good = server.token("alice")
    cases: dict[str, str | None] = {
        "none": None,
        "empty": "",
        "garbage": "garbage",
        "three parts": "a.b.c",
        "not base64": "%%%.%%%.%%%",
        "expired": server.token("alice", exp=now - 1),
        "no exp": server.token("alice", exp=None),
        "exp is text": server.token("alice", exp="never"),
        "no iat": server.token("alice", iat=None),
        "not valid yet": server.token("alice", nbf=now + 600),
        "alg none": server.token("alice", key="", algorithm="none"),
        "alg none, old signature": f"{unsigned}.{good.partition('.')[2]}",
        "other alg": server.token("alice", algorithm="HS512"),
        "wrong key": server.token("alice", key=WRONG_KEY),
        "cut signature": good[:-4],
        "no sub": server.token("alice", sub=None),
        "other host": server.token("alice@elsewhere.example"),
        "full JID": server.token("alice@localhost/phone"),
        "for another": server.token("alice", aud="elsewhere"),
        "two cookies": f"{good}; auth_token={good}",
        "huge": server.token("alice", padding="x" * 5000),
    }
    return cases[case]


CASES = (
    "none, empty, garbage, three parts, not base64, expired, no exp, exp is text, no iat, not valid yet, "
    "alg none, other alg, wrong key, cut signature, no sub, other host, full JID, for another, two cookies, huge"
).split(", ") + ["alg none, old signature"]


@pytest.mark.parametrize("case", CASES)
async def test_a_bad_token_is_refused_at_the_upgrade(server: RunningServer, case: str) -> None:
    assert await handshake(server.url, forged(server, case)) == 401


@pytest.mark.parametrize("sub", ["alice", "alice@localhost"])
async def test_a_good_token_is_let_in(server: RunningServer, sub: str) -> None:
    assert await handshake(server.url, server.token(sub, nbf=int(time.time()), role="x")) == 101


async def test_a_page_needs_to_be_on_the_list(server: RunningServer) -> None:
    token = server.token("alice")
    assert await handshake(server.url, token, "https://evil.example") == 403
    assert await handshake(server.url, token, "null") == 403
    assert await handshake(server.url, token, f"{ALLOWED}.evil.example") == 403
    assert await handshake(server.url, None, "https://evil.example") == 403
    assert await handshake(server.url, token, ALLOWED) == 101
    assert await handshake(server.url, None, ALLOWED) == 401


@pytest.mark.parametrize(
    ("authzid", "answer"),
    [
        ("", "success"),
        ("alice@localhost", "success"),
        ("bob@localhost", "failure"),
        ("bob", "failure"),
    ],
)
async def test_nobody_acts_as_another(server: RunningServer, authzid: str, answer: str) -> None:
    client = await dial(server.url, server.token("alice"))
    await client.open()
    got = await client.authenticate(authzid)
    assert got.tag == f"{{{SASL}}}{answer}"
    if answer == "failure":
        assert got[0].tag == f"{{{SASL}}}not-authorized"
        assert (await client.authenticate()).tag == f"{{{SASL}}}success"


async def test_a_login_without_initial_response_is_challenged(server: RunningServer) -> None:
    client = await dial(server.url, server.token("alice"))
    await client.open()
    await client.send(f"<auth xmlns='{SASL}' mechanism='PLAIN'>AGEAYg==</auth>")
    assert (await client.receive()).tag == f"{{{SASL}}}failure"
    await client.send(f"<auth xmlns='{SASL}' mechanism='EXTERNAL'/>")
    assert (await client.receive()).tag == f"{{{SASL}}}challenge"
    await client.send(f"<response xmlns='{SASL}'/>")
    assert (await client.receive()).tag == f"{{{SASL}}}success"


async def test_signals_travel_both_ways(server: RunningServer) -> None:
    alice, bob = await online(server, "alice"), await online(server, "bob")
    for number in range(20):
        await exchange(alice, bob, f"there-{number}")
        await exchange(bob, alice, f"back-{number}")


async def test_a_peer_that_is_not_there(server: RunningServer) -> None:
    alice = await online(server, "alice")
    for to in ("bob@localhost/nowhere", "nobody@localhost/x", "nobody@localhost"):
        await alice.call(to, "lost")
        assert outcome(await alice.receive()) == (to, "lost", "cancel/service-unavailable")


async def test_a_lost_connection_is_resumed(server: RunningServer) -> None:
    alice, bob = await online(server, "alice"), await online(server, "bob")
    previous = await alice.enable()
    alice.socket.transport.abort()
    await bob.call(alice.jid, "meanwhile-1")
    await bob.call(alice.jid, "meanwhile-2")
    again = await login(server, "alice")
    resumed = await again.resume(previous, 0)
    assert resumed.tag == f"{{{SM}}}resumed" and resumed.get("previd") == previous
    for id in ("meanwhile-1", "meanwhile-2"):
        iq = await again.receive()
        assert (iq.get("id"), iq.get("to")) == (id, alice.jid)
        await again.answer(iq)
        assert outcome(await bob.receive()) == (alice.jid, id, "result")


async def test_a_connection_cut_within_a_frame_leaves_nothing_behind(server: RunningServer) -> None:
    alice, bob = await online(server, "alice"), await online(server, "bob")
    previous, id = await alice.enable(), alice.jid
    for cut in range(5):
        # A text frame of 256 bytes (RFC 6455, 5.2) that ends after 9 of them.
        alice.socket.transport.write(b"\x81\xfe\x01\x00\0\0\0\0<presence")
        alice.socket.transport.abort()
        handled, alice = alice.handled, await login(server, "alice")
        assert (await alice.resume(previous, handled)).tag == f"{{{SM}}}resumed"
        alice.jid = id
        async with asyncio.timeout(30):
            await (await alice.socket.ping())
        await exchange(alice, bob, f"there-{cut}")
        await exchange(bob, alice, f"back-{cut}")
    async with asyncio.timeout(30):
        await alice.socket.close()
    assert alice.socket.close_code == 1000


async def test_a_stranger_cannot_resume(server: RunningServer) -> None:
    alice = await online(server, "alice")
    previous = await alice.enable()
    mallory = await login(server, "mallory")
    assert (await mallory.resume(previous, 0)).tag == f"{{{SM}}}failed"


async def test_a_session_outlives_its_token(server: RunningServer) -> None:
    token = server.token("alice", exp=int(time.time()) + 2)
    alice, bob = await online(server, "alice", exp=int(time.time()) + 2), await online(
        server, "bob"
    )
    async with asyncio.timeout(30):
        while await handshake(server.url, token) == 101:
            pass
    await exchange(alice, bob, "after")


async def test_a_stanza_over_the_limit_ends_the_stream(server: RunningServer) -> None:
    alice, bob = await online(server, "alice"), await online(server, "bob")
    await alice.call(bob.jid, "large", "x" * 250_000)
    await bob.answer(await bob.receive())
    assert outcome(await alice.receive()) == (bob.jid, "large", "result")
    await alice.call(bob.jid, "too large", "x" * 270_000)
    assert (await alice.receive())[0].tag.endswith("}policy-violation")
    with pytest.raises(ConnectionClosed):
        while True:
            await alice.receive()


async def test_a_restart_forgets_sessions_but_not_the_secret(tmp_path: Path) -> None:
    async with prosody(tmp_path) as server:
        token = server.token("alice")
        alice = await online(server, "alice")
        previous = await alice.enable()
        await server.kill()
        await server.start()
        assert await handshake(server.url, token) == 101
        again = await login(server, "alice")
        failed = await again.resume(previous, 0)
        assert failed.tag == f"{{{SM}}}failed" and failed[0].tag == f"{{{STANZAS}}}item-not-found"
        await server.restart()
        assert await handshake(server.url, token) == 101


async def test_a_bare_jid_reaches_every_device(calls: RunningServer) -> None:
    alice = await online(calls, "alice")
    phone, laptop, silent = [await online(calls, "bob") for _ in range(3)]
    await phone.available()
    await laptop.available()
    await alice.call("bob@localhost", "ring")
    on_phone, on_laptop = await phone.iq(), await laptop.iq()
    assert [iq.get("from") for iq in (on_phone, on_laptop)] == [alice.jid] * 2
    assert len({on_phone.get("id"), on_laptop.get("id"), "ring"}) == 3
    await phone.answer(on_phone, "feature-not-implemented")
    await laptop.answer(on_laptop)
    assert outcome(await alice.receive()) == ("bob@localhost", "ring", "result")
    # One answer, and nothing for the device that never said it was there.
    await exchange(alice, silent, "next")


async def test_the_last_refusal_is_the_answer(calls: RunningServer) -> None:
    alice, carol = await online(calls, "alice"), await online(calls, "carol")
    await carol.available()
    await alice.call("carol@localhost", "refused")
    await carol.answer(await carol.receive(), "item-not-found")
    assert outcome(await alice.receive()) == ("carol@localhost", "refused", "cancel/item-not-found")
    await alice.call("carol@localhost", "dropped")
    await carol.receive()
    await carol.socket.close()
    assert outcome(await alice.receive()) == (
        "carol@localhost",
        "dropped",
        "wait/recipient-unavailable",
    )


async def test_only_the_device_that_was_asked_may_answer(calls: RunningServer) -> None:
    alice, dave, mallory = [await online(calls, name) for name in ("alice", "dave", "mallory")]
    await dave.available()
    await alice.call("dave@localhost", "mine")
    iq = await dave.receive()
    await mallory.answer(iq)
    assert (await alice.receive()).get("from") == mallory.jid
    await dave.answer(iq)
    assert outcome(await alice.receive()) == ("dave@localhost", "mine", "result")


@pytest.mark.parametrize("to", ["localhost", "erin@localhost"])
async def test_bare_jid_routing_is_announced(calls: RunningServer, to: str) -> None:
    erin = await online(calls, "erin")
    await erin.send(
        f"<iq xmlns='{CLIENT}' type='get' id='d' to='{to}'><query xmlns='{DISCO}'/></iq>"
    )
    features = [each.get("var") for each in (await erin.receive()).iter(f"{{{DISCO}}}feature")]
    assert CALL in features


async def answered_within(caller: Raw, to: str, seconds: float) -> Outcome | None:
    """The outcome of a signal, or None if there is none in time."""
    await caller.call(to, "probe")
    try:
        async with asyncio.timeout(seconds):
            return outcome(await caller.receive())
    except TimeoutError:
        return None


async def acquaint(caller: Raw, callee: Raw) -> None:
    """Return when a signal got through: nodes tell each other of new sessions without waiting for it."""
    async with asyncio.timeout(30):
        while True:
            await caller.call(callee.jid, "hello")
            heard = asyncio.create_task(callee.receive())
            said = asyncio.create_task(caller.receive())
            done, _ = await asyncio.wait({heard, said}, return_when=asyncio.FIRST_COMPLETED)
            if heard in done:
                await callee.answer(heard.result())
                assert outcome(await said) == (callee.jid, "hello", "result")
                return
            heard.cancel()
            assert outcome(said.result())[2] == "cancel/service-unavailable"


async def test_users_on_two_nodes_exchange_signals(cluster: RunningCluster) -> None:
    first, second = cluster.node_urls
    alice, bob = await online(cluster, "alice", first), await online(cluster, "bob", second)
    await acquaint(alice, bob)
    await exchange(alice, bob, "there")
    await exchange(bob, alice, "back")


async def test_one_node_dies_and_the_other_serves_on(cluster: RunningCluster) -> None:
    first, second = cluster.node_urls
    alice, bob = await online(cluster, "alice", first), await online(cluster, "bob", second)
    previous = await bob.enable()
    await cluster.kill_node(2)
    with pytest.raises(ConnectionClosed) as closed:
        await bob.receive()
    assert closed.value.rcvd is not None and closed.value.rcvd.code == 1012
    # What is sent before the living node has noticed is lost without an answer; then the answer is a clear one.
    async with asyncio.timeout(30):
        while (answer := await answered_within(alice, bob.jid, 0.2)) is None:
            pass
    assert answer == (bob.jid, "probe", "cancel/service-unavailable")
    # One address: whichever node's turn it is, the living one answers, and the old session is gone.
    for _ in range(3):
        again = await login(cluster, "bob")
        assert (await again.resume(previous, 0))[0].tag == f"{{{STANZAS}}}item-not-found"
        await again.socket.close()
    again = await online(cluster, "bob")
    await acquaint(alice, again)
    await cluster.start_node(2)
    third = await online(cluster, "carol", second)
    await acquaint(third, alice)
    await acquaint(alice, third)


async def test_a_user_comes_back_to_the_same_node(cluster: RunningCluster) -> None:
    alice, bob = await online(cluster, "alice"), await online(cluster, "bob")
    previous, id = await alice.enable(), alice.jid
    for cut in range(5):
        alice.socket.transport.abort()
        handled, alice = alice.handled, await login(cluster, "alice")
        assert (await alice.resume(previous, handled)).tag == f"{{{SM}}}resumed"
        alice.jid = id
        await acquaint(bob, alice)


async def test_a_session_is_resumed_through_the_other_node(cluster: RunningCluster) -> None:
    first, second = cluster.node_urls
    alice, bob = await online(cluster, "alice", second), await online(cluster, "bob", second)
    previous, id = await alice.enable(), alice.jid
    # ejabberd takes the resumed session for the older one if both began within one second of the clock.
    await asyncio.sleep(1.1)
    alice.socket.transport.abort()
    await bob.call(alice.jid, "meanwhile")
    again = await login(cluster, "alice", first)
    assert (await again.resume(previous, 0)).tag == f"{{{SM}}}resumed"
    iq = await again.receive()
    assert iq.get("id") == "meanwhile"
    await again.answer(iq)
    assert outcome(await bob.receive()) == (id, "meanwhile", "result")
