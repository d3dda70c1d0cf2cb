"""The `Transport` over a plain WebSocket: one frame is one message, as most public AsyncAPI documents have it.

    async with websocket.connect("wss://api.example.com/v1/events", token=read_token) as transport:
        client = EventsClient(transport)

What is text in UTF-8, as all JSON is, goes in a text frame, else in a binary one. There are no headers, and one address.
A plain WebSocket acknowledges nothing. `send` returns when the frame has left this program (the kernel has all of it), and
that is all it says: the server may never read it, and what it thinks of it comes as a message of its own, if at all. So no
send raises a `Fault` of the server's, nothing is sent twice, and a message that was on its way when a connection broke may be
lost. The other direction is alike: a message that a handler refuses is logged and counted, and the server is not told.
"""

from __future__ import annotations

import asyncio
import itertools
import logging
import ssl as tls
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from types import TracebackType
from typing import Final, Literal, Self, TypeAlias
from urllib.parse import unquote

from .extras import require_extra

require_extra("xmpp", __name__, "websockets")

from websockets.exceptions import ConnectionClosed
from websockets.protocol import State

from .addresses import Endpoint
from .errors import AckTimeout, Fault, LimitExceeded, PeerUnavailable
from .links import (
    FIRST_DELAY,
    LONGEST_DELAY,
    AuthRefused,
    Backoff,
    Connected,
    ConnectFailed,
    InsecureUrl,
    LinkError,
    Lost,
    Reconnecting,
    Token,
    check_url,
    place,
    report,
    tell,
)
from .sockets import WatchedSocket
from .transport import Incoming, Outgoing, Receiver
from .websocket_open import Settings, hang_up, is_text, open_websocket

__all__ = [
    "BAD_TOKEN",
    "FIRST_DELAY",
    "LONGEST_DELAY",
    "MAX_EARLY",
    "MAX_WAITING",
    "PING_AFTER",
    "PONG_WITHIN",
    "STEADY",
    "AuthRefused",
    "ConnectFailed",
    "Connected",
    "Event",
    "InsecureUrl",
    "LinkError",
    "Lost",
    "Reconnecting",
    "Token",
    "WebSocketTransport",
    "connect",
]

Event: TypeAlias = Connected | Reconnecting | Lost

BAD_TOKEN: Final = 4001
"""The close code by which a server says that the token is not, or no longer, good."""
STEADY: Final = 5.0
"""A connection that held this many seconds starts the delays anew."""
PING_AFTER: Final = WatchedSocket.ping_after
PONG_WITHIN: Final = WatchedSocket.dead_after - WatchedSocket.ping_after
"""A link that was silent for 2 s is pinged; if nothing at all arrives for 3 s more, it is dead."""
MAX_WAITING: Final = 1_000
"""Sends that may wait at once; one more raises `LimitExceeded`."""
MAX_EARLY: Final = 100
"""Messages kept for the first receiver; those that arrive past it, and after the receiver has left, count as `unheard`."""

_BROKE: Final = "the connection broke while the message was handed over"

log = logging.getLogger("aoba_runtime.websocket")


def connect(
    url: str,
    token: Token | None = None,
    *,
    auth: Literal["cookie", "query"] | None = "cookie",
    cookie_name: str = "auth_token",
    query_name: str = "token",
    headers: Mapping[str, str] | None = None,
    subprotocols: Sequence[str] = (),
    ssl: tls.SSLContext | None = None,
    proxy: str | bool | None = None,
    insecure: bool = False,
    ack_timeout: float = 10.0,
    open_timeout: float = 10.0,
    max_payload: int = 65_536,
    max_message: int = 1_048_576,
    address: str | None = None,
) -> WebSocketTransport:
    """A transport to the WebSocket at `url`, connected by `async with`.

    `token` travels in a cookie or, with `auth="query"`, in the URL; `headers` go along with each handshake. `ssl` replaces
    the default context, which verifies certificates; `proxy` is a URL, or True for the environment's. `insecure` allows
    ws:// to other machines and contexts that verify nothing. Times are in seconds; `max_payload` limits what is sent and
    `max_message` what arrives, both in bytes. `address` is that of the channel which is served there, if it is not the path.

    Entering raises `AuthRefused` (HTTP 401 or 403) or `ConnectFailed`; a URL that would show the token raises
    `InsecureUrl` at once, any other mistake in the arguments `ValueError`.
    """
    parts = check_url(url, insecure)
    if parts.fragment:
        raise ValueError("a WebSocket URL has no #fragment")
    if token is not None and auth is None:
        raise ValueError("auth=None sends no token; leave the token out")
    if parts.scheme == "ws" and ssl is not None:
        raise ValueError("ssl is for wss:// URLs")
    verifies = ssl is None or (ssl.verify_mode is tls.CERT_REQUIRED and ssl.check_hostname)
    if not insecure and not verifies:
        raise InsecureUrl("this SSL context verifies nothing; insecure=True allows it")
    if parts.scheme == "wss" and ssl is None:
        ssl = tls.create_default_context()
    settings = Settings(
        url,
        place(url),
        parts.hostname,
        Endpoint(address, unquote(parts.path)),
        token,
        auth if token is not None else None,
        cookie_name,
        query_name,
        dict(headers or {}),
        tuple(subprotocols),
        ssl,
        proxy,
        open_timeout,
        max_message,
    )
    return WebSocketTransport(settings, ack_timeout, max_payload)


class WebSocketTransport:
    """Messages over a plain WebSocket that is opened again whenever it breaks. Made by `connect`.

    `refused` counts the messages that a handler refused, `unheard` those that nobody was there to take.
    """

    def __init__(self, settings: Settings, ack_timeout: float, max_payload: int) -> None:
        self.refused = 0
        self.unheard = 0
        self._settings = settings
        self._ack_timeout = ack_timeout
        self._max_payload = max_payload
        self._ids = itertools.count(1)
        self._receiver: Receiver | None = None
        self._early: deque[Incoming] | None = deque()
        self._listeners: list[Callable[[Event], object]] = []
        self._socket: WatchedSocket | None = None
        self._up = asyncio.Event()
        self._turn = asyncio.Lock()
        self._waiting = 0
        self._error: Exception | None = None
        self._over = asyncio.Event()
        self._first: asyncio.Future[None] | None = None
        self._task: asyncio.Task[None] | None = None
        self._closing: asyncio.Future[None] | None = None

    async def __aenter__(self) -> Self:
        if self._task is not None:
            raise RuntimeError("a transport is entered once; make another one")
        self._first = asyncio.get_running_loop().create_future()
        self._task = asyncio.create_task(self._run(), name="aoba_runtime.websocket")
        try:
            await self._first
        except BaseException:
            await self.aclose()
            raise
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        await self.aclose()

    async def aclose(self) -> None:
        """Close the connection, within two seconds; sends that wait fail with `PeerUnavailable`."""
        if self._closing is None:
            self._closing = asyncio.ensure_future(self._close())
        await asyncio.shield(self._closing)

    async def send(self, message: Outgoing) -> None:
        """Send one message; return when all of its frame is handed to the network. `message.to` means nothing here.

        Raises `NotCarried` for another address than the connection's, `LimitExceeded` above `max_payload`, or when 1,000 sends wait already; `AckTimeout` when the frame was not
        handed over within `ack_timeout`, time without a connection included (it is not sent after that), or the
        connection broke meanwhile; `PeerUnavailable` once the transport is closed; what `Lost` carries once it is lost.
        """
        self._check()
        self._settings.endpoint.check(message.address)
        if len(message.data) > self._max_payload:
            raise LimitExceeded(f"{len(message.data)} bytes; at most {self._max_payload} are sent")
        if self._waiting >= MAX_WAITING:
            raise LimitExceeded(f"{self._waiting} messages wait already")
        self._waiting += 1
        writing: WatchedSocket | None = None
        try:
            async with asyncio.timeout(self._ack_timeout), self._turn:
                writing = await self._connection()
                await writing.send(message.data, text=is_text(message.data))
        except TimeoutError:
            if writing is None:
                raise AckTimeout(f"not sent: no connection for {self._ack_timeout:g} s") from None
            writing.transport.abort()  # or the rest of the frame would go out whenever the link recovers
            raise AckTimeout(
                f"the network did not take the message within {self._ack_timeout:g} s"
            ) from None
        except ConnectionClosed:
            raise AckTimeout(_BROKE) from None
        finally:
            self._waiting -= 1
        # A write that failed is silent, and a lost connection ends the wait for the buffer as if it had been written.
        if writing.is_closing():
            raise AckTimeout(_BROKE)

    def attach(self, receiver: Receiver) -> None:
        """Give every message that arrives to `receiver`, first those that came before there was one.

        `RuntimeError` when there is a receiver already.
        """
        if self._receiver is not None:
            raise RuntimeError("this transport has a receiver already")
        self._receiver = receiver
        if self._early is not None:
            # Later, so that the handlers can be added first.
            asyncio.get_running_loop().call_soon(self._deliver_early)

    def detach(self, receiver: Receiver) -> None:
        """Stop giving messages to `receiver`; what arrives later is dropped and counted."""
        if self._receiver == receiver:
            self._receiver = None

    def on_event(self, listener: Callable[[Event], object]) -> Callable[[Event], object]:
        """Call `listener` with each `Connected`, `Reconnecting` and `Lost` from now on; usable as a decorator."""
        self._listeners.append(listener)
        return listener

    async def wait(self) -> None:
        """Return when the transport is closed; raise what `Lost` carries when the connection is lost for good."""
        await self._over.wait()
        if self._error is not None and not isinstance(self._error, PeerUnavailable):
            raise self._error.with_traceback(None)

    # Sending

    def _check(self) -> None:
        if self._error is not None:
            raise self._error.with_traceback(None)
        if self._task is None:
            raise PeerUnavailable("the transport is not connected yet: use `async with`")

    async def _connection(self) -> WatchedSocket:
        while True:
            await self._up.wait()
            self._check()
            socket = self._socket
            if socket is not None and socket.state is State.OPEN:
                return socket
            self._up.clear()  # it is closing; the next one sets it

    # Connecting

    async def _run(self) -> None:
        try:
            await self._keep_up()
        except Exception as error:
            report("the connection's task failed", error)
            self._lose(ConnectFailed(f"internal error: {type(error).__name__}"))

    async def _keep_up(self) -> None:
        backoff = Backoff(steady=STEADY, least=0.5)
        loop = asyncio.get_running_loop()
        while True:
            began = loop.time()
            try:
                reason = await self._live()
                backoff.held(loop.time() - began)
            except AuthRefused as error:
                self._lose(error)
                return
            except ConnectFailed as error:
                if self._first is not None and not self._first.done():
                    self._lose(error)
                    return
                reason = str(error)
            again = backoff.next(reason)
            log.info(
                "connection to %s: %s; again in %.2f s", self._settings.place, reason, again.delay
            )
            tell(self._listeners, again)
            await asyncio.sleep(again.delay)

    async def _live(self) -> str:
        """One connection, from its handshake to its end; why it ended."""
        socket = await open_websocket(self._settings)
        try:
            self._socket = socket
            self._up.set()
            tell(self._listeners, Connected())
            if self._first is not None and not self._first.done():
                self._first.set_result(None)
            while True:
                self._take(await socket.recv(decode=False))
        except ConnectionClosed:
            if socket.close_code == BAD_TOKEN:
                raise AuthRefused(
                    f"{self._settings.place} refused the token (close code {BAD_TOKEN})",
                    str(BAD_TOKEN),
                ) from None
            return socket.why or f"closed with code {socket.close_code}"
        finally:
            self._socket = None
            if self._error is None:
                self._up.clear()
            await hang_up(socket)

    def _lose(self, error: LinkError) -> None:
        self._end(error)
        if self._first is not None and not self._first.done():
            self._first.set_exception(error)
            return
        log.error("connection given up: %s", error)
        tell(self._listeners, Lost(error))

    def _end(self, error: Exception) -> None:
        """From now on every send raises `error`, those that wait too."""
        if self._error is None:
            self._error = error
        self._up.set()
        self._over.set()

    async def _close(self) -> None:
        self._end(PeerUnavailable("the transport was closed"))
        if self._task is not None:
            self._task.cancel()
            await asyncio.wait([self._task])
            if not self._task.cancelled():
                self._task.exception()

    # Receiving

    def _take(self, data: bytes) -> None:
        here, number = self._settings, str(next(self._ids))
        incoming = Incoming(data, sender=here.host, id=number, address=here.endpoint.address)
        if self._early is None:
            self._deliver(incoming)
        elif len(self._early) < MAX_EARLY:
            self._early.append(incoming)
        else:
            self.unheard += 1

    def _deliver_early(self) -> None:
        early, self._early = self._early, None
        for incoming in early or ():
            self._deliver(incoming)

    def _deliver(self, incoming: Incoming) -> None:
        if self._receiver is None:
            self.unheard += 1
            return
        try:
            self._receiver(incoming)
        except Fault as fault:
            self.refused += 1
            log.warning(
                "message %s from %s was refused: %s", incoming.id, incoming.sender, fault.condition
            )
        except Exception as error:
            report("a receiver failed", error)
