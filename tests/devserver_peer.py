"""What the tests of the development server share: an independent client made of plain frames, and stanzas by hand."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from typing import Self
from xml.etree import ElementTree
from xml.etree.ElementTree import Element

import jwt
import pytest
import websockets
from aoba_runtime import devserver
from aoba_runtime.devserver import Server
from websockets.asyncio.client import ClientConnection
from websockets.exceptions import ConnectionClosed, InvalidStatus
from websockets.typing import Subprotocol

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
        async with asyncio.timeout(30):
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
    """A token made by hand, good for a day: longer than a run, so that it is refused for what is wrong with it only."""
    now = int(time.time())
    everything = {"sub": "alice", "iat": now, "exp": now + 86_400} | claims
    kept = {name: value for name, value in everything.items() if value is not None}
    return jwt.encode(kept, key if algorithm != "none" else "", algorithm=algorithm)


BAD_TOKENS = {
    "garbage": "garbage",
    "empty": "",
    "expired": forged(exp=int(time.time()) - 1),
    "from the future": forged(iat=int(time.time()) + 43_200),
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


# Fork


async def devices(peers: AsyncExitStack, server: Server) -> tuple[Peer, list[Peer]]:
    """A caller, and three devices of bob's that have seen each other and lie still."""
    caller = await peer(peers, server)
    bobs = [await peer(peers, server, "bob", f"d{n}", present=True) for n in range(3)]
    await peer(peers, server, "bob", "hidden")
    for bob in bobs:
        await bob.barrier()
    return caller, bobs


# Stream management


async def again(peers: AsyncExitStack, server: Server, user: str = "bob") -> Peer:
    made = await peers.enter_async_context(await Peer.connect(server, user))
    return await made.login()
