"""A raw XMPP client for tests: plain websockets, no slixmpp and nothing of ours."""

from __future__ import annotations

import asyncio
import base64
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any
from xml.etree import ElementTree
from xml.etree.ElementTree import Element

from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import InvalidStatus
from websockets.typing import Origin, Subprotocol

from .servers import RunningServer

CALL = "urn:xmpp:call:0"
CLIENT = "jabber:client"
DISCO = "http://jabber.org/protocol/disco#info"
FRAMING = "urn:ietf:params:xml:ns:xmpp-framing"
SASL = "urn:ietf:params:xml:ns:xmpp-sasl"
SM = "urn:xmpp:sm:3"
STANZAS = "urn:ietf:params:xml:ns:xmpp-stanzas"


Outcome = tuple[str | None, str | None, str]
"""Sender, id, and what it said."""

_open: list[ClientConnection] = []


@asynccontextmanager
async def all_closed() -> AsyncIterator[None]:
    """Closes, at its end, every socket that was opened within."""
    try:
        yield
    finally:
        await asyncio.gather(*(socket.close() for socket in _open))
        _open.clear()


class Raw:
    """A WebSocket and the few frames a test needs; answers acknowledgement requests as it reads."""

    def __init__(self, socket: ClientConnection) -> None:
        self.socket = socket
        self.jid = ""
        self.handled = 0

    async def send(self, frame: str) -> None:
        await self.socket.send(frame)

    async def receive(self) -> Element:
        """The next frame that is not about acknowledgements."""
        while True:
            async with asyncio.timeout(30):
                element = ElementTree.fromstring(await self.socket.recv())
            if element.tag == f"{{{SM}}}r":
                await self.send(f"<a xmlns='{SM}' h='{self.handled}'/>")
            elif element.tag != f"{{{SM}}}a":
                self.handled += element.tag.startswith(f"{{{CLIENT}}}")
                return element

    async def iq(self) -> Element:
        """The next IQ; presence is passed over."""
        while (element := await self.receive()).tag != f"{{{CLIENT}}}iq":
            pass
        return element

    async def open(self) -> Element:
        """A stream header and what the server offers."""
        await self.send(f"<open xmlns='{FRAMING}' to='localhost' version='1.0'/>")
        assert (await self.receive()).tag == f"{{{FRAMING}}}open"
        return await self.receive()

    async def authenticate(self, authzid: str = "") -> Element:
        text = base64.b64encode(authzid.encode()).decode() or "="
        await self.send(f"<auth xmlns='{SASL}' mechanism='EXTERNAL'>{text}</auth>")
        return await self.receive()

    async def enable(self) -> str:
        """Stream management on; the id to resume by."""
        await self.send(f"<enable xmlns='{SM}' resume='true'/>")
        enabled = await self.receive()
        assert enabled.tag == f"{{{SM}}}enabled" and enabled.get("resume") in ("true", "1")
        self.handled = 0
        return enabled.attrib["id"]

    async def resume(self, previous: str, handled: int) -> Element:
        await self.send(f"<resume xmlns='{SM}' previd='{previous}' h='{handled}'/>")
        self.handled = handled
        return await self.receive()

    async def available(self) -> None:
        """Presence, seen back from the server."""
        await self.send(f"<presence xmlns='{CLIENT}'/>")
        assert (await self.receive()).tag == f"{{{CLIENT}}}presence"

    async def call(self, to: str, id: str, text: str = "{}") -> None:
        await self.send(
            f"<iq xmlns='{CLIENT}' type='set' to='{to}' id='{id}'><call xmlns='{CALL}'>{text}</call></iq>"
        )

    async def answer(self, iq: Element, condition: str = "") -> None:
        """A result, or an error of this condition."""
        kind = "error" if condition else "result"
        error = f"<error type='cancel'><{condition} xmlns='{STANZAS}'/></error>"
        await self.send(
            f"<iq xmlns='{CLIENT}' type='{kind}' to='{iq.attrib['from']}' id='{iq.attrib['id']}'>"
            f"{error if condition else ''}</iq>"
        )


async def dial(url: str, token: str | None, origin: str | None = None) -> Raw:
    """A socket. Raises InvalidStatus when the handshake is refused."""
    cookie = {} if token is None else {"Cookie": f"theme=dark; auth_token={token}"}
    socket = await connect(
        url,
        subprotocols=[Subprotocol("xmpp")],
        additional_headers=cookie,
        origin=None if origin is None else Origin(origin),
        compression=None,
        proxy=None,
    )
    _open.append(socket)
    return Raw(socket)


async def handshake(url: str, token: str | None, origin: str | None = None) -> int:
    """The HTTP status of a handshake."""
    try:
        client = await dial(url, token, origin)
    except InvalidStatus as refused:
        return refused.response.status_code
    await client.socket.close()
    return 101


async def login(server: RunningServer, user: str, url: str | None = None, **claims: Any) -> Raw:
    """Authenticated, the stream restarted, nothing bound."""
    client = await dial(url or server.url, server.token(user, **claims))
    offered = [each.text for each in (await client.open()).iter(f"{{{SASL}}}mechanism")]
    assert offered == ["EXTERNAL"]
    assert (await client.authenticate()).tag == f"{{{SASL}}}success"
    await client.open()
    return client


async def online(server: RunningServer, user: str, url: str | None = None, **claims: Any) -> Raw:
    """A bound session; the server chose the resource."""
    client = await login(server, user, url, **claims)
    bind = "<bind xmlns='urn:ietf:params:xml:ns:xmpp-bind'/>"
    await client.send(f"<iq xmlns='{CLIENT}' type='set' id='bind'>{bind}</iq>")
    client.jid = "".join((await client.receive()).itertext())
    assert client.jid.startswith(f"{user}@localhost/")
    return client


async def exchange(caller: Raw, callee: Raw, id: str) -> None:
    """One signal and its result."""
    text = '{"sdp": "a=ice-ufrag:\u00e9 &lt;&amp;&gt; \U0001f4de"}'
    await caller.call(callee.jid, id, text)
    iq = await callee.receive()
    assert (iq.get("from"), iq.get("id")) == (caller.jid, id)
    assert iq.findtext(f"{{{CALL}}}call") == '{"sdp": "a=ice-ufrag:\u00e9 <&> \U0001f4de"}'
    await callee.answer(iq)
    assert outcome(await caller.receive()) == (callee.jid, id, "result")


def outcome(iq: Element) -> Outcome:
    """Who answered what: its sender, id, and "result" or "type/condition"."""
    error = iq.find(f"{{{CLIENT}}}error")
    said = iq.attrib["type"]
    if error is not None:
        said = f"{error.get('type')}/{error[0].tag.rpartition('}')[2]}"
    return iq.get("from"), iq.get("id"), said
