"""devserver: its frames and answers as an independent client sees them, with plain websockets and ElementTree."""

from __future__ import annotations

import asyncio
import base64
import contextlib
import gc
import logging
import time
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Self
from xml.etree import ElementTree
from xml.etree.ElementTree import Element

import jwt
import pytest
import websockets
from websockets.asyncio.client import ClientConnection
from websockets.exceptions import ConnectionClosed, InvalidStatus
from websockets.typing import Subprotocol

from aoba_runtime import devserver, devserver_xml, tokens
from aoba_runtime.devserver import Limits, Server
from aoba_runtime.devserver_session import Session
from aoba_runtime.devserver_stream import Stream

SECRET = "0123456789abcdef0123456789abcdef"
OTHER_SECRET = SECRET[::-1]

NS = {
    "c": "jabber:client",
    "f": "urn:ietf:params:xml:ns:xmpp-framing",
    "stream": "http://etherx.jabber.org/streams",
    "se": "urn:ietf:params:xml:ns:xmpp-streams",
    "e": "urn:ietf:params:xml:ns:xmpp-stanzas",
    "sasl": "urn:ietf:params:xml:ns:xmpp-sasl",
    "bind": "urn:ietf:params:xml:ns:xmpp-bind",
    "sm": "urn:xmpp:sm:3",
    "call": "urn:xmpp:call:0",
    "info": "http://jabber.org/protocol/disco#info",
    "items": "http://jabber.org/protocol/disco#items",
}
OPEN = '<open xmlns="urn:ietf:params:xml:ns:xmpp-framing" to="localhost" version="1.0"/>'
CLOSE = '<close xmlns="urn:ietf:params:xml:ns:xmpp-framing"/>'
AUTH = '<auth xmlns="urn:ietf:params:xml:ns:xmpp-sasl" mechanism="EXTERNAL">{}</auth>'
SM = "urn:xmpp:sm:3"
JSON = '{"type":"call:offer","sdp":"v=0\\r\\n<&>]]>\u00e9\U0001f600"}'


def tag(name: str) -> str:
    prefix, _, local = name.partition(":")
    return f"{{{NS[prefix]}}}{local}"


def escape(text: str) -> str:
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


class Peer:
    """A client made of frames."""

    def __init__(self, socket: ClientConnection) -> None:
        self.socket = socket
        self.jid = ""
        self.sm_id = ""
        self.count = 0

    @classmethod
    async def connect(cls, server: Server, user: str = "alice", **extra: str) -> Self:
        return cls(
            await websockets.connect(
                server.url.replace("localhost", "127.0.0.1"),
                subprotocols=[Subprotocol("xmpp")],
                additional_headers={"Cookie": f"auth_token={server.token(user)}", **extra},
                proxy=None,
                max_queue=None,
            )
        )

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.socket.close()

    async def send(self, *frames: str) -> None:
        for frame in frames:
            await self.socket.send(frame)

    async def recv(self, expected: str | None = None) -> Element:
        """The next frame; a root, its namespace and its `expected` tag are looked at here."""
        async with asyncio.timeout(5):
            frame = await self.socket.recv()
        assert isinstance(frame, str)
        assert frame.startswith("<") and frame.endswith(">")
        element = ElementTree.fromstring(frame)
        assert element.tag.startswith("{")
        if expected is not None:
            assert element.tag == tag(expected), frame
        return element

    async def open(self) -> Element:
        """Start the stream and return its features."""
        await self.send(OPEN)
        opened = await self.recv("f:open")
        assert opened.get("from") == "localhost" and opened.get("version") == "1.0"
        assert opened.get("id") and opened.get("{http://www.w3.org/XML/1998/namespace}lang")
        return await self.recv("stream:features")

    async def login(self) -> Self:
        await self.open()
        await self.send(AUTH.format("="))
        await self.recv("sasl:success")
        features = await self.open()
        assert {child.tag for child in features} >= {tag("bind:bind"), tag("sm:sm")}
        return self

    async def bind(self, resource: str = "", *, present: bool = False, sm: bool = False) -> Self:
        wanted = f"<resource>{resource}</resource>" if resource else ""
        await self.send(iq("bind1", f'<bind xmlns="{NS["bind"]}">{wanted}</bind>', kind="set"))
        answer = await self.recv("c:iq")
        assert answer.get("type") == "result" and answer.get("id") == "bind1"
        self.jid = answer.findtext("bind:bind/bind:jid", "", NS)
        if sm:
            await self.send(f'<enable xmlns="{SM}" resume="true"/>')
            enabled = await self.recv("sm:enabled")
            assert enabled.get("resume") == "true"
            self.sm_id = enabled.get("id", "")
        if present:
            await self.send('<presence xmlns="jabber:client"/>')
            while (await self.recv("c:presence")).get("from") != self.jid:
                pass
        return self

    async def barrier(self) -> list[Element]:
        """What arrived until now: everything up to the answer to a ping of our own (XEP-0199)."""
        self.count += 1
        name = f"barrier{self.count}"
        await self.send(iq(name, '<ping xmlns="urn:xmpp:ping"/>'))
        seen = []
        while (element := await self.recv()).get("id") != name:
            seen.append(element)
        assert element.get("type") == "result"
        return seen

    async def resume(self, handled: int, previd: str) -> None:
        await self.send(f'<resume xmlns="{SM}" previd="{previd}" h="{handled}"/>')

    async def ended(self, condition: str) -> None:
        """The stream must end with this stream error, `<close/>` and a closed socket."""
        while (element := await self.recv()).tag != tag("stream:error"):
            pass
        assert element[0].tag == tag(f"se:{condition}")
        await self.recv("f:close")
        with pytest.raises(ConnectionClosed):
            await self.recv()


def iq(name: str, child: str, *, kind: str = "get", to: str = "", more: str = "") -> str:
    to = f' to="{to}"' if to else ""
    return f'<iq xmlns="jabber:client" type="{kind}" id="{name}"{to}{more}>{child}</iq>'


def call(name: str, to: str, payload: str = JSON, more: str = "") -> str:
    child = f'<call xmlns="urn:xmpp:call:0">{escape(payload)}</call>'
    return iq(name, child, kind="set", to=to, more=more)


def result(to: Element) -> str:
    return (
        f'<iq xmlns="jabber:client" type="result" id="{to.get("id")}" '
        f'from="mallory@evil.example" to="{to.get("from")}"/>'
    )


def refusal(to: Element, condition: str) -> str:
    return (
        f'<iq xmlns="jabber:client" type="error" id="{to.get("id")}" to="{to.get("from")}">'
        f'<error type="cancel"><{condition} xmlns="{NS["e"]}"/></error></iq>'
    )


def refused(stanza: Element, kind: str, condition: str) -> None:
    assert stanza.get("type") == "error"
    error = stanza.find("c:error", NS)
    assert error is not None and error.get("type") == kind
    assert [child.tag for child in error] == [tag(f"e:{condition}")]


@pytest.fixture
async def server() -> AsyncIterator[Server]:
    async with devserver.serve(port=0, secret=SECRET) as server:
        yield server
    assert [task for task in asyncio.all_tasks() if task is not asyncio.current_task()] == []


@pytest.fixture
async def peers(server: Server) -> AsyncIterator[AsyncExitStack]:
    async with AsyncExitStack() as stack:
        yield stack


async def peer(
    peers: AsyncExitStack,
    server: Server,
    user: str = "alice",
    resource: str = "",
    *,
    present: bool = False,
    sm: bool = False,
) -> Peer:
    made = await peers.enter_async_context(await Peer.connect(server, user))
    return await (await made.login()).bind(resource, present=present, sm=sm)


# The upgrade


def forged(algorithm: str = "HS256", key: str = SECRET, **claims: object) -> str:
    now = int(time.time())
    everything = {"sub": "alice", "iat": now, "exp": now + 60} | claims
    kept = {name: value for name, value in everything.items() if value is not None}
    return jwt.encode(kept, key if algorithm != "none" else "", algorithm=algorithm)


BAD_TOKENS = {
    "garbage": "garbage",
    "empty": "",
    "expired": forged(exp=int(time.time()) - 1),
    "from the future": forged(iat=int(time.time()) + 900),
    "alg none": forged("none"),
    "wrong key": forged(key=OTHER_SECRET),
    "other algorithm": forged("HS512", SECRET * 2),
    "other algorithm, same key": jwt.encode(
        {"sub": "alice", "iat": 1, "exp": 2**32}, SECRET * 2, algorithm="HS512"
    ),
    "no sub": forged(sub=None),
    "no iat": forged(iat=None),
    "no exp": forged(exp=None),
    "sub is no user": forged(sub="alice/phone"),
    "sub with blanks": forged(sub="al ice"),
    "cut short": forged()[:-4],
}


async def upgrade(server: Server, path: str = "/xmpp", **headers: str) -> int:
    """The HTTP status of an upgrade request that is refused."""
    with pytest.raises(InvalidStatus) as info:
        await websockets.connect(
            server.url.replace("/xmpp", path),
            subprotocols=[Subprotocol("xmpp")],
            additional_headers=headers,
            proxy=None,
        )
    return info.value.response.status_code


@pytest.mark.parametrize("token", BAD_TOKENS.values(), ids=BAD_TOKENS)
async def test_bad_token(server: Server, token: str, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    logging.getLogger("websockets.client").setLevel(logging.WARNING)
    assert await upgrade(server, Cookie=f"auth_token={token}") == 401
    assert server.handshakes == {401: 1}
    assert not token or token not in caplog.text


async def test_upgrade_refused(server: Server) -> None:
    good = f"auth_token={server.token('alice')}"
    assert await upgrade(server) == 401
    assert await upgrade(server, Cookie=f"token={server.token('alice')}") == 401
    assert await upgrade(server, Cookie=f"{good}; auth_token={server.token('bob')}") == 401
    assert await upgrade(server, "/", Cookie=good) == 404
    assert await upgrade(server, "/xmpp/", Cookie=good) == 404
    for origin in ("https://evil.example", "null", "http://localhost.evil.example", "http://[x"):
        assert await upgrade(server, Cookie=good, Origin=origin) == 403
    for offered in ([], [Subprotocol("xmpp2")]):
        with pytest.raises(InvalidStatus) as info:
            await websockets.connect(
                server.url, subprotocols=offered, additional_headers={"Cookie": good}, proxy=None
            )
        assert info.value.response.status_code == 400
    assert server.handshakes == {401: 3, 404: 2, 403: 4, 400: 2}


async def test_upgrade_accepted(server: Server) -> None:
    cookies = f'theme=dark; auth_token="{server.token("alice")}"; auth_token2=x'
    for origin in ("http://localhost:3000", "https://127.0.0.1"):
        async with await Peer.connect(server, Cookie=cookies, Origin=origin) as peer:
            assert peer.socket.subprotocol == "xmpp"
            await peer.login()
    async with devserver.serve(port=0, origins=["https://app.example"]) as other:
        async with await Peer.connect(other, Origin="https://app.example"):
            pass


# Login


async def test_login_frame_by_frame(server: Server) -> None:
    async with await Peer.connect(server) as peer:
        features = await peer.open()
        assert [m.text for m in features.iter(tag("sasl:mechanism"))] == ["EXTERNAL"]
        assert features.find("bind:bind", NS) is None
        await peer.send(AUTH.format("="))
        await peer.recv("sasl:success")
        features = await peer.open()
        assert features.find("sasl:mechanisms", NS) is None
        await peer.bind()
        assert peer.jid.startswith("alice@localhost/") and server.jids == [peer.jid]
        await peer.send(
            iq("s", '<session xmlns="urn:ietf:params:xml:ns:xmpp-session"/>', kind="set")
        )
        assert (await peer.recv("c:iq")).get("type") == "result"
        await peer.send(CLOSE)
        await peer.recv("f:close")
        with pytest.raises(ConnectionClosed):
            await peer.recv()
        assert peer.socket.close_code == 1000
        assert server.jids == []


async def test_prefix_of_features_and_errors(server: Server) -> None:
    """Browser clients compare names with their prefix."""
    async with await Peer.connect(server) as peer:
        await peer.send(OPEN)
        await peer.socket.recv()
        assert str(await peer.socket.recv()).startswith("<stream:features ")


@pytest.mark.parametrize("authzid", ["", "alice@localhost", "Alice@LOCALHOST"])
async def test_authzid_accepted(server: Server, authzid: str) -> None:
    async with await Peer.connect(server) as peer:
        await peer.open()
        await peer.send(AUTH.format(base64.b64encode(authzid.encode()).decode() or "="))
        await peer.recv("sasl:success")


async def test_sasl_without_initial_response(server: Server) -> None:
    async with await Peer.connect(server) as peer:
        await peer.open()
        await peer.send(AUTH.format(""))
        await peer.recv("sasl:challenge")
        await peer.send(f'<response xmlns="{NS["sasl"]}"/>')
        await peer.recv("sasl:success")


@pytest.mark.parametrize(
    ("frame", "condition"),
    [
        (AUTH.format(base64.b64encode(b"bob@localhost").decode()), "not-authorized"),
        (AUTH.format(base64.b64encode(b"alice@127.0.0.1").decode()), "not-authorized"),
        (AUTH.format("%%%"), "incorrect-encoding"),
        (AUTH.format("=").replace("EXTERNAL", "PLAIN"), "invalid-mechanism"),
        (f'<abort xmlns="{NS["sasl"]}"/>', "aborted"),
        (f'<response xmlns="{NS["sasl"]}"/>', "malformed-request"),
    ],
)
async def test_sasl_refused(server: Server, frame: str, condition: str) -> None:
    async with await Peer.connect(server) as peer:
        await peer.open()
        for _ in range(3):
            await peer.send(frame)
            failure = await peer.recv("sasl:failure")
            assert [child.tag for child in failure] == [tag(f"sasl:{condition}")]
        await peer.ended("policy-violation")
    async with await Peer.connect(server) as peer:
        await peer.open()
        await peer.send(frame)
        await peer.recv("sasl:failure")
        await peer.send(AUTH.format("="))
        await peer.recv("sasl:success")


@pytest.mark.parametrize(
    ("frames", "condition"),
    [
        ([iq("1", "<x/>")], "bad-format"),
        ([OPEN.replace("localhost", "elsewhere.example")], "host-unknown"),
        ([OPEN.replace('to="localhost"', "")], "host-unknown"),
        ([OPEN.replace("1.0", "0.9")], "unsupported-version"),
        ([OPEN, OPEN], "bad-format"),
        ([OPEN, iq("1", "<x/>")], "not-authorized"),
        ([OPEN, f'<enable xmlns="{SM}"/>'], "unsupported-stanza-type"),
        ([OPEN, AUTH.format("="), iq("1", "<x/>")], "bad-format"),
        ([OPEN, AUTH.format("="), OPEN, call("1", "bob@localhost/x")], "not-authorized"),
        ([OPEN, AUTH.format("="), OPEN.replace("localhost", "127.0.0.1")], "host-unknown"),
        ([OPEN, AUTH.format("="), OPEN, f'<r xmlns="{SM}"/>'], "unsupported-stanza-type"),
        ([OPEN, "<a>" + "x" * 10_000 + "</a>"], "policy-violation"),
    ],
)
async def test_stream_error_before_bind(server: Server, frames: list[str], condition: str) -> None:
    async with await Peer.connect(server) as peer:
        await peer.send(*frames)
        await peer.recv("f:open")
        await peer.ended(condition)


async def test_token_for_one_domain(server: Server) -> None:
    async with await Peer.connect(server, "Alice@LocalHost") as peer:
        await (await peer.login()).bind("r")
        assert peer.jid == "alice@localhost/r"
    async with await Peer.connect(server, "alice@127.0.0.1") as peer:
        await peer.send(OPEN)
        await peer.ended("not-authorized")


async def test_login_takes_too_long() -> None:
    async with devserver.serve(port=0, limits=Limits(login=0.05)) as server:
        async with await Peer.connect(server) as peer:
            await peer.send(OPEN)
            await peer.ended("connection-timeout")


async def test_bind(server: Server, peers: AsyncExitStack) -> None:
    one, two = await peer(peers, server), await peer(peers, server)
    assert one.jid != two.jid
    third = await peers.enter_async_context(await Peer.connect(server))
    await third.login()
    bad = iq("b", f'<bind xmlns="{NS["bind"]}"><resource>a&#9;b</resource></bind>', kind="set")
    await third.send(bad)
    refused(await third.recv("c:iq"), "modify", "bad-request")
    await third.bind("phone")
    assert third.jid == "alice@localhost/phone"
    fourth = await peer(peers, server, resource="phone")
    await third.ended("conflict")
    assert await fourth.barrier() == []
    assert sorted([one.jid, two.jid, fourth.jid]) == server.jids


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


async def devices(peers: AsyncExitStack, server: Server) -> tuple[Peer, list[Peer]]:
    """A caller, and three devices of bob's that have seen each other and lie still."""
    caller = await peer(peers, server)
    bobs = [await peer(peers, server, "bob", f"d{n}", present=True) for n in range(3)]
    await peer(peers, server, "bob", "hidden")
    for bob in bobs:
        await bob.barrier()
    return caller, bobs


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


# Stream management


async def again(peers: AsyncExitStack, server: Server, user: str = "bob") -> Peer:
    made = await peers.enter_async_context(await Peer.connect(server, user))
    return await made.login()


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
            devserver.serve(port=0, limits=Limits(hibernation=0.2))
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


# Limits


async def test_queue_limit() -> None:
    async with AsyncExitStack() as peers:
        server = await peers.enter_async_context(devserver.serve(port=0, limits=Limits(queue=5)))
        alice = await peer(peers, server)
        bob = await peer(peers, server, "bob", sm=True)
        server.cut(bob.jid)
        await bob.socket.wait_closed()
        await alice.send(*(call(f"n{n}", bob.jid) for n in range(7)))
        refusals = await alice.barrier()
        assert [answer.get("id") for answer in refusals] == ["n5", "n6"]
        for answer in refusals:
            refused(answer, "wait", "resource-constraint")
        back = await again(peers, server)
        await back.resume(0, bob.sm_id)
        await back.recv("sm:resumed")
        got = [(await back.recv("c:iq")).get("id") for _ in range(5)]
        assert got == [f"n{n}" for n in range(5)]


async def test_session_limit() -> None:
    async with AsyncExitStack() as peers:
        server = await peers.enter_async_context(devserver.serve(port=0, limits=Limits(sessions=2)))
        bob = await peer(peers, server, "bob", sm=True)
        await peer(peers, server)
        assert await upgrade(server, Cookie=f"auth_token={server.token('eve')}") == 503
        server.cut(bob.jid)
        await bob.socket.wait_closed()
        eve = await peers.enter_async_context(await Peer.connect(server, "eve"))
        await eve.login()
        await eve.send(iq("b", f'<bind xmlns="{NS["bind"]}"/>', kind="set"))
        refused(await eve.recv("c:iq"), "wait", "resource-constraint")


async def test_rate_delays_and_drops_nothing() -> None:
    async with devserver.serve(port=0, limits=Limits(rate=200)) as server:
        async with await Peer.connect(server) as peer:
            await (await peer.login()).bind()
            started = time.monotonic()
            pings = [iq(f"p{n}", '<ping xmlns="urn:xmpp:ping"/>') for n in range(480)]
            await peer.send(*pings)
            assert [(await peer.recv()).get("id") for _ in pings] == [f"p{n}" for n in range(480)]
            assert 0.25 < time.monotonic() - started < 4


async def test_client_that_does_not_read() -> None:
    """Its connection is cut after the stall, and nobody else waits for it."""
    async with AsyncExitStack() as peers:
        server = await peers.enter_async_context(
            devserver.serve(port=0, limits=Limits(stall=0.3, queue=100))
        )
        alice = await peer(peers, server)
        bob = await peer(peers, server, "bob")
        bob.socket.transport.pause_reading()
        await alice.send(*(call(f"n{n}", bob.jid, "x" * 200_000) for n in range(80)))
        answers = [await alice.recv("c:iq") for _ in range(3)]
        for answer in answers:
            refused(answer, "wait", "recipient-unavailable")
        assert server.jids == [alice.jid]
        bob.socket.transport.abort()


# The server


async def test_shutdown() -> None:
    async with AsyncExitStack() as stack:
        async with devserver.serve(port=0) as server:
            one = await peer(stack, server, sm=True)
            two = await peer(stack, server, "bob", sm=True)
            half = await stack.enter_async_context(await Peer.connect(server, "eve"))
            deaf = await stack.enter_async_context(await Peer.connect(server, "dave"))
            deaf.socket.transport.pause_reading()
            _, silent = await asyncio.open_connection("127.0.0.1", server.port)
            server.cut(two.jid)
            await two.socket.wait_closed()
            started = time.monotonic()
        assert time.monotonic() - started < 3
        await one.ended("system-shutdown")
        assert one.socket.close_code == 1001
        await half.ended("system-shutdown")
        deaf.socket.transport.abort()
        await deaf.socket.wait_closed()
        await asyncio.sleep(0)  # the client's own tasks end
        silent.close()
        await silent.wait_closed()
        assert [task for task in asyncio.all_tasks() if task is not asyncio.current_task()] == []
        with pytest.raises(OSError):
            await Peer.connect(server)


async def test_no_debug_lines_of_websockets(caplog: pytest.LogCaptureFixture) -> None:
    """They would hold cookies and payloads."""
    caplog.set_level(logging.DEBUG)
    logging.getLogger("websockets.client").setLevel(logging.WARNING)
    async with devserver.serve(port=0) as server:
        async with await Peer.connect(server) as alice:
            await (await alice.login()).bind(sm=True)
            await alice.send(call("1", alice.jid))
            await alice.recv("c:iq")
    for secret in ("auth_token", "call:offer", "eyJ"):
        assert secret not in caplog.text


async def test_addresses() -> None:
    async with devserver.serve(port=0) as server:
        assert server.url == f"ws://localhost:{server.port}/xmpp" and server.domain == "localhost"
        with pytest.raises(OSError):
            async with devserver.serve(port=server.port):
                pass
    with contextlib.suppress(OSError):  # a machine without IPv6
        async with devserver.serve("::1", 0) as server:
            assert server.url == f"ws://[::1]:{server.port}/xmpp"
            async with await Peer.connect(server) as peer:
                await peer.send(OPEN.replace("localhost", "::1"))
                assert (await peer.recv("f:open")).get("from") == "::1"
                await peer.recv("stream:features")
    with pytest.raises(ValueError, match="32"):
        async with devserver.serve(port=0, secret="short"):
            pass
    async with devserver.serve(port=0, domains=["aoba.example"]) as server:
        async with await Peer.connect(server) as peer:
            await peer.send(OPEN)
            assert (await peer.recv("f:open")).get("from") == "aoba.example"
            await peer.ended("host-unknown")


async def test_two_domains(server: Server, peers: AsyncExitStack) -> None:
    alice = await peer(peers, server)
    other = await peers.enter_async_context(await Peer.connect(server))
    there = OPEN.replace("localhost", "127.0.0.1")
    await other.send(there, AUTH.format("="), there)
    for expected in ("f:open", "stream:features", "sasl:success", "f:open", "stream:features"):
        await other.recv(expected)
    await other.bind("r")
    assert other.jid == "alice@127.0.0.1/r"
    await alice.send(call("x", other.jid))
    assert (await other.recv("c:iq")).get("from") == alice.jid


async def test_many_connections_leave_nothing() -> None:
    async def visit(server: Server, n: int) -> None:
        async with await Peer.connect(server, f"user{n}") as peer:
            await (await peer.login()).bind(sm=n % 2 == 0)
            await peer.send(CLOSE)
            await peer.recv("f:close")

    async with devserver.serve(port=0) as server:
        for n in range(10):
            await asyncio.gather(*(visit(server, 20 * n + k) for k in range(20)))
        assert server.jids == [] and server.handshakes == {101: 200}
    gc.collect()
    assert [left for left in gc.get_objects() if isinstance(left, (Stream, Session))] == []


# Tokens


def test_token_round_trip() -> None:
    token = tokens.make_token("alice", SECRET, ttl=60)
    assert tokens.check_token(token, SECRET.encode()) == "alice"
    claims = jwt.decode(token, options={"verify_signature": False})
    assert set(claims) == {"sub", "iat", "exp"} and claims["exp"] - claims["iat"] == 60
    assert jwt.get_unverified_header(token)["alg"] == "HS256"
    for user in ("", "a b", "alice/phone", "@x", "a@", "<a>"):
        with pytest.raises(ValueError, match="user name"):
            tokens.make_token(user, SECRET)
    for ttl in (0, -1, float("nan"), float("inf")):
        with pytest.raises(ValueError, match="lifetime"):
            tokens.make_token("alice", SECRET, ttl=ttl)


@pytest.mark.parametrize("token", BAD_TOKENS.values(), ids=BAD_TOKENS)
def test_check_token(token: str) -> None:
    with pytest.raises(tokens.BadToken) as info:
        tokens.check_token(token, SECRET)
    assert not token or token not in str(info.value)


def test_secret_file_is_made_once(tmp_path: Path) -> None:
    """Whoever comes second, even when it saw no file yet, uses what the first has made."""
    path = tmp_path / "sub" / "dev-secret"
    first = tokens.load_secret(path)
    tokens._create(path)
    assert tokens.load_secret(path) == first
    assert list(path.parent.iterdir()) == [path]


@pytest.mark.parametrize("text", ["alice@localhost/r", "localhost", "a@b/c d/e@f", "[::1]"])
def test_jid(text: str) -> None:
    jid = devserver_xml.Jid.parse(text)
    assert str(jid) == text and str(jid.bare) == text.partition("/")[0]


@pytest.mark.parametrize("text", ["", "@", "a@", "@b", "a@b/", "a b@c", "a@b@c", "/r", 'a"@b'])
def test_no_jid(text: str) -> None:
    with pytest.raises(ValueError):
        devserver_xml.Jid.parse(text)
