"""A scripted RFC 7395 server on plain websockets, for the other test_xmpp modules; and the proof that it works."""

from __future__ import annotations

import asyncio
import base64
import json
import re
import ssl
import xml.etree.ElementTree as ET
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from http import HTTPStatus
from types import TracebackType
from typing import Any, Self

from websockets.asyncio.server import Server, ServerConnection, serve
from websockets.exceptions import ConnectionClosed
from websockets.http11 import Request, Response

from aoba_runtime import xmpp
from aoba_runtime.transport import Incoming, Outgoing

FRAMING = "urn:ietf:params:xml:ns:xmpp-framing"
SASL = "urn:ietf:params:xml:ns:xmpp-sasl"
STREAM = "http://etherx.jabber.org/streams"
SM = "urn:xmpp:sm:3"
STANZAS = "urn:ietf:params:xml:ns:xmpp-stanzas"
CALL = "{urn:xmpp:call:0}call"
WITHIN = 30.0


def jwt_of(user: str) -> str:
    """A token in the form of a JWT; nobody checks it."""
    claims = base64.urlsafe_b64encode(json.dumps({"sub": user}).encode()).rstrip(b"=").decode()
    return f"eyJhbGciOiJIUzI1NiJ9.{claims}.c2lnbmF0dXJl"


TOKEN = jwt_of("alice")
BOB = "bob@localhost/1"


class Account:
    """One session as the server knows it, over all of its connections."""

    def __init__(self, jid: str) -> None:
        self.jid = jid
        self.handled = 0
        self.enabled = False
        self.socket: ServerConnection | None = None
        self.stanzas: asyncio.Queue[ET.Element] = asyncio.Queue()
        self.raw: list[str] = []

    async def send(self, frame: str) -> None:
        """Send one frame as it is."""
        assert self.socket is not None
        await self.socket.send(frame)

    async def request(
        self,
        payload: str = "{}",
        *,
        sender: str = BOB,
        id: str = "q1",
        inner: str | None = None,
        kind: str = "set",
    ) -> None:
        """Send a signal, as from a peer; `inner` replaces the whole <call/>."""
        if inner is None:
            text = payload.replace("&", "&amp;").replace("<", "&lt;")
            inner = f"<call xmlns='urn:xmpp:call:0'>{text}</call>"
        await self.send(
            f"<iq xmlns='jabber:client' type='{kind}' id='{id}' from='{sender}' to='{self.jid}'>{inner}</iq>"
        )

    async def next(self, tag: str = "iq") -> ET.Element:
        """The next stanza of one name; others are skipped."""
        async with asyncio.timeout(WITHIN):
            while True:
                stanza = await self.stanzas.get()
                if stanza.tag == "{jabber:client}" + tag:
                    return stanza

    async def answer(self, iq: ET.Element, sender: str | None = None) -> None:
        """Accept a request."""
        sender = sender or iq.get("to")
        await self.send(
            f"<iq xmlns='jabber:client' type='result' id='{iq.get('id')}' from='{sender}'/>"
        )

    async def refuse(self, iq: ET.Element, kind: str, condition: str, text: str = "no") -> None:
        """Refuse a request."""
        await self.send(
            f"<iq xmlns='jabber:client' type='error' id='{iq.get('id')}' from='{iq.get('to')}'>"
            f"<error type='{kind}'><{condition} xmlns='{STANZAS}'/><text xmlns='{STANZAS}'>{text}</text></error></iq>"
        )

    async def cut(self) -> None:
        """Break the connection without a word."""
        assert self.socket is not None
        self.socket.transport.abort()
        await self.socket.wait_closed()


class FakeServer:
    """Logs everybody in as told by its attributes; what happens then is the test's to say."""

    def __init__(self) -> None:
        self.mechanisms = ["EXTERNAL"]
        self.failure: str | None = None
        self.status: HTTPStatus | None = None
        self.managed = True
        self.resumes = True
        self.requests: list[Request] = []
        self.auths: list[tuple[str, str]] = []
        self.accounts: asyncio.Queue[Account] = asyncio.Queue()
        self.by_id: dict[str, Account] = {}
        self.resumptions: list[ET.Element] = []
        self.closes: list[str] = []
        self._server: Server | None = None
        self.port = 0
        self.tls: ssl.SSLContext | None = None

    @property
    def url(self) -> str:
        return f"{'wss' if self.tls else 'ws'}://127.0.0.1:{self.port}/xmpp"

    async def __aenter__(self) -> Self:
        await self.listen()
        return self

    async def listen(self) -> None:
        self._server = await serve(
            self._serve,
            "127.0.0.1",
            self.port,
            subprotocols=["xmpp"],  # type: ignore[list-item]
            process_request=self._admit,
            ssl=self.tls,
            compression=None,
            ping_interval=None,
            close_timeout=0.2,
        )
        self.port = next(iter(self._server.sockets)).getsockname()[1]

    async def close(self) -> None:
        assert self._server is not None
        for connection in list(self._server.connections):
            connection.transport.abort()
        self._server.close()
        await self._server.wait_closed()

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        await self.close()

    async def account(self) -> Account:
        """The next session that is up."""
        async with asyncio.timeout(WITHIN):
            return await self.accounts.get()

    def _admit(self, connection: ServerConnection, request: Request) -> Response | None:
        self.requests.append(request)
        if self.status is None or request.path != "/xmpp":
            return None
        response = connection.respond(self.status, "no\n")
        if self.status is HTTPStatus.FOUND:
            response.headers["Location"] = "/elsewhere"
        return response

    async def _serve(self, socket: ServerConnection) -> None:
        try:
            await self._session(socket)
        except ConnectionClosed:
            pass

    async def _open(self, socket: ServerConnection, features: str) -> None:
        opened = ET.fromstring(str(await socket.recv()))
        assert opened.tag == f"{{{FRAMING}}}open" and opened.get("version") == "1.0"
        await socket.send(f"<open xmlns='{FRAMING}' from='localhost' id='x' version='1.0'/>")
        await socket.send(f"<stream:features xmlns:stream='{STREAM}'>{features}</stream:features>")

    async def _session(self, socket: ServerConnection) -> None:
        names = "".join(f"<mechanism>{name}</mechanism>" for name in self.mechanisms)
        await self._open(socket, f"<mechanisms xmlns='{SASL}'>{names}</mechanisms>")
        auth = ET.fromstring(str(await socket.recv()))
        self.auths.append((auth.get("mechanism", ""), auth.text or ""))
        if self.failure is not None:
            await socket.send(f"<failure xmlns='{SASL}'><{self.failure}/></failure>")
            await socket.wait_closed()
            return
        await socket.send(f"<success xmlns='{SASL}'/>")
        sm = f"<sm xmlns='{SM}'/>" if self.managed else ""
        await self._open(socket, f"<bind xmlns='urn:ietf:params:xml:ns:xmpp-bind'/>{sm}")
        element = ET.fromstring(str(await socket.recv()))
        if element.tag == f"{{{SM}}}resume":
            self.resumptions.append(element)
            known = self.by_id.get(element.get("previd", "")) if self.resumes else None
            if known is not None:
                known.socket = socket
                await socket.send(
                    f"<resumed xmlns='{SM}' h='{known.handled}' previd='{element.get('previd')}'/>"
                )
                self.accounts.put_nowait(known)
                return await self._read(known, socket)
            await socket.send(f"<failed xmlns='{SM}'><item-not-found xmlns='{STANZAS}'/></failed>")
            element = ET.fromstring(str(await socket.recv()))
        account = Account(f"alice@localhost/{len(self.by_id) + 1}")
        account.socket = socket
        self.by_id[f"id{len(self.by_id)}"] = account
        await socket.send(
            f"<iq xmlns='jabber:client' type='result' id='{element.get('id')}'>"
            f"<bind xmlns='urn:ietf:params:xml:ns:xmpp-bind'><jid>{account.jid}</jid></bind></iq>"
        )
        if self.managed:
            assert ET.fromstring(str(await socket.recv())).tag == f"{{{SM}}}enable"
            name = next(name for name, known in self.by_id.items() if known is account)
            await socket.send(f"<enabled xmlns='{SM}' resume='true' id='{name}'/>")
        self.accounts.put_nowait(account)
        await self._read(account, socket)

    async def _read(self, account: Account, socket: ServerConnection) -> None:
        async for message in socket:
            frame = str(message)
            account.raw.append(frame)
            element = ET.fromstring(frame)
            if element.tag == f"{{{SM}}}r":
                await socket.send(f"<a xmlns='{SM}' h='{account.handled}'/>")
            elif element.tag == f"{{{FRAMING}}}close":
                self.closes.append(account.jid)
                await socket.send(f"<close xmlns='{FRAMING}'/>")
            elif element.tag.startswith("{jabber:client}"):
                account.handled += 1
                account.stanzas.put_nowait(element)


@asynccontextmanager
async def session(
    server: FakeServer, **options: Any
) -> AsyncIterator[tuple[xmpp.XmppTransport, Account]]:
    """A transport that is connected to the fake server, and the server's side of it."""
    async with xmpp.connect(
        server.url, options.pop("token", TOKEN), domain="localhost", **options
    ) as transport:
        yield transport, await server.account()


def numbered(number: int) -> Outgoing:
    return Outgoing(b'{"n":%d}' % number, BOB)


def number_of(iq: ET.Element) -> int:
    return int(json.loads(iq.findtext(CALL) or "")["n"])


class Inbox:
    """A receiver that remembers."""

    def __init__(self) -> None:
        self.got: asyncio.Queue[Incoming] = asyncio.Queue()
        self.fault: Exception | None = None

    def __call__(self, incoming: Incoming) -> None:
        self.got.put_nowait(incoming)
        if self.fault is not None:
            raise self.fault


async def test_the_fake_logs_a_plain_client_in() -> None:
    from websockets.asyncio.client import connect

    async with FakeServer() as server, connect(server.url, subprotocols=["xmpp"]) as socket:  # type: ignore[list-item]
        await socket.send(f"<open xmlns='{FRAMING}' to='localhost' version='1.0'/>")
        assert re.match("<open ", str(await socket.recv()))
        assert "EXTERNAL" in str(await socket.recv())
