"""The `Transport` over XMPP: what an application and a generated client see."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import ssl as tls
import xml.etree.ElementTree as ET
from collections import deque
from collections.abc import AsyncGenerator, Callable
from types import TracebackType
from typing import Final, Protocol, Self
from urllib.parse import urlsplit

from slixmpp import ClientXMPP

from ..errors import AckTimeout, Fault
from ..links import Token, domain_of, tell
from ..transport import Outgoing, Receiver
from . import plugin, xml
from .addressing import MAX_RESOURCES, Addressing, Route, normal
from .client import WebSocketClient
from .connection import Connection, Settings
from .delivery import Delivery, Link
from .events import Connected, Event, Lost
from .guest import Guest
from .websocket import check_url

_ASK_WITHIN: Final = 3.0
_EVENTS_KEPT: Final = 100

log = logging.getLogger("aoba_runtime.xmpp")


class _Line(Link, Protocol):
    async def start(self) -> None: ...
    async def close(self) -> None: ...


def connect(
    url: str,
    token: Token,
    *,
    domain: str | None = None,
    ssl: tls.SSLContext | None = None,
    proxy: str | bool | None = None,
    insecure: bool = False,
    ack_timeout: float = 10.0,
    open_timeout: float = 10.0,
    max_payload: int = 65536,
    route: Route = "auto",
) -> XmppTransport:
    """A transport to the XMPP server at `url`, connected by `async with`; called where an event loop runs.

    `token` is a JWT, or a function (plain or async) that gives a fresh one before each attempt to connect; it travels in
    the cookie `auth_token`. `domain` is the XMPP domain, the URL's host by default. `ssl` replaces the default context,
    which verifies certificates; `proxy` is a URL, or True for the environment's. `insecure` allows ws:// to other machines.
    Times are in seconds, `max_payload` in bytes of JSON. `route="bare"` leaves bare JIDs to the server.

    Entering raises `AuthRefused` or `ConnectFailed`; a URL that would show the token raises `InsecureUrl` at once.
    """
    check_url(url, insecure)
    if ssl is None and url.startswith("wss:"):
        ssl = tls.create_default_context()
    name = domain or domain_of(urlsplit(url).hostname or "")
    settings = Settings(url, name, token, ssl, proxy, open_timeout)
    transport = XmppTransport(ack_timeout=ack_timeout, max_payload=max_payload, route=route)
    client = WebSocketClient(name)
    plugin.on(client)
    transport._carry(client, Connection(settings, client, transport))
    client.on_disconnect = lambda: asyncio.ensure_future(transport.aclose())
    return transport


class XmppTransport:
    """Signals over XMPP, each an IQ that the peer's end answers. Made by `connect` or `XmppTransport.on`.

    `client` is the slixmpp client beneath: register other plugins and handlers on it, on one made by `connect` before
    `async with`.
    """

    client: ClientXMPP

    def __init__(self, *, ack_timeout: float, max_payload: int, route: Route) -> None:
        self._delivery = Delivery(ack_timeout=ack_timeout, max_payload=max_payload)
        self._addressing = Addressing(self._ask, route)
        self._locks: dict[str, asyncio.Lock] = {}
        self._line: _Line | None = None
        self._up = asyncio.Event()
        self._listeners: list[Callable[[Event], object]] = []
        self._entered = False
        self._closed: asyncio.Task[None] | None = None

    @classmethod
    def on(
        cls,
        client: ClientXMPP,
        *,
        ack_timeout: float = 10.0,
        max_payload: int = 65536,
        route: Route = "auto",
    ) -> XmppTransport:
        """A transport on your own slixmpp client, over whatever it is connected by; entering waits for its session.

        You connect it, and you reconnect it. Its plugins xep_0030, xep_0115 and xep_0198 are registered if they are not.
        """
        transport = cls(ack_timeout=ack_timeout, max_payload=max_payload, route=route)
        transport._carry(client, Guest(client, transport, transport._delivery.ids))
        return transport

    @property
    def jid(self) -> str:
        """Our full JID in the session that is up, or was last."""
        return self._line.jid if self._line is not None else ""

    async def __aenter__(self) -> Self:
        assert self._line is not None
        if self._entered:
            raise RuntimeError("a transport is entered once; connect again for another")
        self._entered = True
        await self._line.start()
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        await self.aclose()

    async def aclose(self) -> None:
        """End the session and close the connection; sends that wait fail with `PeerUnavailable`."""
        if self._closed is None:
            self._closed = asyncio.ensure_future(self._close())
        await asyncio.shield(self._closed)

    async def send(self, message: Outgoing) -> None:
        """Send one signal to the JID `message.to`; return when an endpoint there has accepted it.

        Raises the `Fault` that it answered with (`remote` is True), `LimitExceeded` above `max_payload` or when 1,000
        signals wait already, `PeerUnavailable` when nobody is there, `AckTimeout` when no answer came within
        `ack_timeout`, time without a connection included; nothing is sent after that. `ValueError` without a JID.
        """
        delivery = self._delivery
        if message.to is None:
            raise ValueError("over XMPP a message goes to a JID: give `to`")
        payload = delivery.payload(message.data)
        deadline = asyncio.get_running_loop().time() + delivery.ack_timeout
        to = normal(message.to)
        lock = self._locks.get(to)
        if lock is None and (targets := self._addressing.at_once(to)) is not None:
            await delivery.settle([delivery.signal(each, payload, deadline) for each in targets])
            return
        # Signals to one account stay in order, however long it takes to find out where they go.
        lock = lock or self._locks.setdefault(to, asyncio.Lock())
        try:
            async with asyncio.timeout_at(deadline), lock:
                await self._up.wait()
                delivery.check_open()
                targets = await self._addressing.resolve(to, self.jid)
                requests = [delivery.signal(each, payload, deadline) for each in targets]
        except TimeoutError:
            raise AckTimeout(
                f"not sent to {to}: no connection for {delivery.ack_timeout:g} s"
            ) from None
        finally:
            if not lock.locked() and self._locks.get(to) is lock:
                del self._locks[to]
        await delivery.settle(requests)

    async def devices(self, account: str) -> tuple[str, ...]:
        """The resources of a bare JID that take signals; itself where a server routes it, or for a full JID.

        Raises `PeerUnavailable` when there is nobody, `AckTimeout` when that could not be found out in time.
        """
        to = normal(account)
        try:
            async with asyncio.timeout(self._delivery.ack_timeout):
                await self._up.wait()
                self._delivery.check_open()
                found = await self._addressing.resolve(to, self.jid)
                if found == (to,) and "/" not in to:
                    # While the server was asked, presence may have come in; and it may know what we may not see.
                    found = await self._addressing.resolve(to, self.jid)
                    found = (await self._routed_to(to) or found) if found == (to,) else found
                return found
        except TimeoutError:
            raise AckTimeout(f"nobody said who is at {to}") from None

    def attach(self, receiver: Receiver) -> None:
        """Give every signal that arrives to `receiver`; `RuntimeError` when there is one already."""
        if self._delivery.receiver is not None:
            raise RuntimeError("this transport has a receiver already")
        self._delivery.receiver = receiver

    def detach(self, receiver: Receiver) -> None:
        """Stop giving signals to `receiver`; what arrives later is answered service-unavailable."""
        if self._delivery.receiver == receiver:
            self._delivery.receiver = None

    def on_event(self, listener: Callable[[Event], object]) -> Callable[[Event], object]:
        """Call `listener` with each `Connected`, `Reconnecting`, `Resumed` and `Lost` from now on; usable as a decorator."""
        self._listeners.append(listener)
        return listener

    def events(self) -> AsyncGenerator[Event, None]:
        """Each event from this call on, up to `Lost`; a slow reader misses all but the last 100.

        Close it with `aclose()` when you stop reading earlier.
        """
        kept: deque[Event] = deque(maxlen=_EVENTS_KEPT)
        news = asyncio.Event()

        def listener(event: Event) -> None:
            kept.append(event)
            news.set()

        self._listeners.append(listener)
        return self._read(kept, news, listener)

    async def _read(
        self, kept: deque[Event], news: asyncio.Event, listener: Callable[[Event], object]
    ) -> AsyncGenerator[Event, None]:
        try:
            while True:
                await news.wait()
                news.clear()
                while kept:
                    event = kept.popleft()
                    yield event
                    if isinstance(event, Lost):
                        return
        finally:
            self._listeners.remove(listener)

    def take(self, iq: ET.Element) -> bool:
        """Called by the link: an IQ has arrived."""
        return self._delivery.take(iq)

    def seen(self, presence: ET.Element) -> None:
        """Called by the link: somebody comes or goes."""
        self._addressing.seen(presence)

    def up(self, resumed: bool) -> None:
        """Called by the link: there is a session."""
        if not resumed:
            self._addressing.reset()
        self._delivery.up(resumed)
        self._up.set()

    def happened(self, event: Event) -> None:
        """Called by the link: pass an event on to the application."""
        if isinstance(event, Lost):
            self._delivery.fail(str(event.error))
            self._up.set()
        elif not isinstance(event, Connected) and not self._is_up():
            self._up.clear()
        tell(self._listeners, event)

    def _is_up(self) -> bool:
        return self._line is not None and self._line.up

    def _carry(self, client: ClientXMPP, line: _Line) -> None:
        self.client = client
        self._line = line
        self._delivery.link = line

    async def _ask(self, jid: str) -> frozenset[str]:
        return xml.features(await self._answer(jid, xml.disco_info))

    async def _routed_to(self, account: str) -> tuple[str, ...]:
        """The resources to which a server routes signals for `account`, if it tells."""
        try:
            listed = xml.items(await self._answer(account, xml.disco_devices))
        except Fault:
            return ()
        found = {jid for jid in map(normal, listed[:MAX_RESOURCES]) if jid != self.jid}
        return tuple(sorted(jid for jid in found if jid.partition("/")[0] == account))

    async def _answer(self, jid: str, ask: Callable[[str, str], str]) -> ET.Element:
        deadline = asyncio.get_running_loop().time() + min(_ASK_WITHIN, self._delivery.ack_timeout)
        request = self._delivery.question(jid, deadline, ask)
        with contextlib.suppress(asyncio.InvalidStateError):
            await self._delivery.settle([request])
        return request.answer.result()

    async def _close(self) -> None:
        self._delivery.fail("the transport was closed")
        self._up.set()
        if self._line is not None:
            await self._line.close()
