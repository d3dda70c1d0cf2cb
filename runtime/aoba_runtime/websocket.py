"""The `Transport` over a plain WebSocket: one text frame is one JSON message, as most public AsyncAPI documents have it.

    async with websocket.connect("wss://api.example.com/v1/events", token=read_token) as transport:
        client = EventsClient(transport)

A plain WebSocket acknowledges nothing. `send` returns when the frame has left this program (the kernel has all of it), and
that is all it says: the server may never read it, and what it thinks of it comes as a message of its own, if at all. So no
send raises a `Fault` of the server's, nothing is sent twice, and a message that was on its way when a connection broke may be
lost. The other direction is alike: a message that a handler refuses is logged and counted, and the server is not told.
"""

from __future__ import annotations

import asyncio
import inspect
import ipaddress
import itertools
import logging
import random
import ssl as tls
from collections import deque
from collections.abc import Awaitable, Callable, Mapping, MutableMapping, Sequence
from dataclasses import dataclass, field
from types import TracebackType
from typing import Any, Final, Literal, Self, TypeAlias, cast
from urllib.parse import quote, urlsplit

from websockets.asyncio.client import ClientConnection
from websockets.asyncio.client import connect as _websockets_connect
from websockets.exceptions import ConnectionClosed, InvalidStatus, WebSocketException
from websockets.protocol import State
from websockets.typing import Subprotocol

from .errors import AckTimeout, Fault, LimitExceeded, PeerUnavailable
from .transport import Incoming, Outgoing, Receiver

Token: TypeAlias = str | Callable[[], str | Awaitable[str]]
"""A token, or a function (plain or async) that gives a fresh one; it is called before each attempt to connect."""

BAD_TOKEN: Final = 4001
"""The close code by which a server says that the token is not, or no longer, good."""

FIRST_DELAY: Final = 0.2
LONGEST_DELAY: Final = 5.0
STEADY: Final = 5.0
"""A connection that held this many seconds starts the delays anew."""

PING_AFTER: Final = 2.0
PONG_WITHIN: Final = 3.0
"""A link that was silent for 2 s is pinged; if nothing at all arrives for 3 s more, it is dead."""

MAX_WAITING: Final = 1_000
"""Sends that may wait at once; one more raises `LimitExceeded`."""

MAX_EARLY: Final = 100
"""Messages kept for the first receiver; those that arrive past it, and after the receiver has left, count as `unheard`."""

_BROKE: Final = "the connection broke while the message was handed over"
_COOKIE_OCTETS: Final = frozenset(map(chr, range(0x21, 0x7F))) - frozenset('",;\\')

log = logging.getLogger("aoba_runtime.websocket")


class ConnectFailed(ConnectionError):
    """The server cannot be reached, or does not open a WebSocket; trying again may help."""


class AuthRefused(ConnectionError):
    """The server did not accept the token; trying again with the same one is useless, so nothing is retried.

    `condition` is the HTTP status ("401", "403") or the close code ("4001").
    """

    def __init__(self, text: str, condition: str) -> None:
        super().__init__(text)
        self.condition = condition


class InsecureUrl(ValueError):
    """A connection that others could read: ws:// to another machine, or TLS that verifies nothing."""


@dataclass(frozen=True, slots=True)
class Connected:
    """A connection is up; what was sent over an earlier one is not sent again."""


@dataclass(frozen=True, slots=True)
class Reconnecting:
    """The connection broke, or could not be made again; attempt number `attempt` follows in `delay` seconds."""

    attempt: int
    delay: float
    reason: str


@dataclass(frozen=True, slots=True)
class Lost:
    """The connection is gone for good: `error` says why, and every send raises it from now on."""

    error: AuthRefused | ConnectFailed


Event: TypeAlias = Connected | Reconnecting | Lost


@dataclass(frozen=True, slots=True)
class _Settings:
    url: str
    place: str
    token: Token | None = field(repr=False)
    auth: Literal["cookie", "query"] | None
    cookie_name: str
    query_name: str
    headers: Mapping[str, str] = field(repr=False)
    subprotocols: Sequence[str]
    ssl: tls.SSLContext | None
    proxy: str | bool | None = field(repr=False)
    open_timeout: float
    max_message: int


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
    `max_message` what arrives, both in bytes. `address` is the channel's, where a client has several.

    Entering raises `AuthRefused` (HTTP 401 or 403) or `ConnectFailed`; a URL that would show the token raises
    `InsecureUrl` at once, any other mistake in the arguments `ValueError`.
    """
    parts = urlsplit(url)
    if parts.scheme not in ("ws", "wss") or not parts.hostname or parts.fragment:
        raise ValueError("a WebSocket URL is ws://host or wss://host, without #fragment")
    if token is not None and auth is None:
        raise ValueError("auth=None sends no token; leave the token out")
    if parts.scheme == "ws" and ssl is not None:
        raise ValueError("ssl is for wss:// URLs")
    verifies = ssl is None or (ssl.verify_mode is tls.CERT_REQUIRED and ssl.check_hostname)
    if not insecure and not verifies:
        raise InsecureUrl("this SSL context verifies nothing; insecure=True allows it")
    if not insecure and parts.scheme == "ws" and not _is_loopback(parts.hostname):
        raise InsecureUrl(
            f"ws:// to {parts.hostname} can be read on the way; use wss://, or insecure=True"
        )
    if parts.scheme == "wss" and ssl is None:
        ssl = tls.create_default_context()
    place = f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}{parts.path}"
    settings = _Settings(
        url,
        place,
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
    return WebSocketTransport(settings, ack_timeout, max_payload, address)


class WebSocketTransport:
    """Messages over a plain WebSocket that is opened again whenever it breaks. Made by `connect`.

    `refused` counts the messages that a handler refused, `unheard` those that nobody was there to take.
    """

    def __init__(
        self, settings: _Settings, ack_timeout: float, max_payload: int, address: str | None
    ) -> None:
        self.refused = 0
        self.unheard = 0
        self._settings = settings
        self._host = urlsplit(settings.url).hostname
        self._ack_timeout = ack_timeout
        self._max_payload = max_payload
        self._address = address
        self._ids = itertools.count(1)
        self._receiver: Receiver | None = None
        self._early: deque[Incoming] | None = deque()
        self._listeners: list[Callable[[Event], object]] = []
        self._socket: _Socket | None = None
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

        Raises `LimitExceeded` above `max_payload`, or when 1,000 sends wait already; `AckTimeout` when the frame was not
        handed over within `ack_timeout`, time without a connection included (it is not sent after that), or the
        connection broke meanwhile; `PeerUnavailable` once the transport is closed; what `Lost` carries once it is lost.
        """
        self._check()
        if len(message.data) > self._max_payload:
            raise LimitExceeded(f"{len(message.data)} bytes; at most {self._max_payload} are sent")
        if self._waiting >= MAX_WAITING:
            raise LimitExceeded(f"{self._waiting} messages wait already")
        self._waiting += 1
        writing: _Socket | None = None
        try:
            async with asyncio.timeout(self._ack_timeout), self._turn:
                writing = await self._connection()
                await writing.send(message.data, text=True)
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
        if writing.transport.is_closing():
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

    async def _connection(self) -> _Socket:
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
            _report("the connection's task failed", error)
            self._lose(ConnectFailed(f"internal error: {type(error).__name__}"))

    async def _keep_up(self) -> None:
        attempt = 0
        while True:
            began = asyncio.get_running_loop().time()
            try:
                reason = await self._live()
            except AuthRefused as error:
                self._lose(error)
                return
            except ConnectFailed as error:
                if self._first is not None and not self._first.done():
                    self._lose(error)
                    return
                reason = str(error)
            if asyncio.get_running_loop().time() - began > STEADY:
                attempt = 0
            ceiling = min(LONGEST_DELAY, FIRST_DELAY * 2**attempt)
            delay = random.uniform(ceiling / 2, ceiling)
            attempt = min(attempt + 1, 10)
            log.info("connection to %s: %s; again in %.2f s", self._settings.place, reason, delay)
            self._tell(Reconnecting(attempt, delay, reason))
            await asyncio.sleep(delay)

    async def _live(self) -> str:
        """One connection, from its handshake to its end; why it ended."""
        socket = await _open(self._settings)
        try:
            self._socket = socket
            self._up.set()
            self._tell(Connected())
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
            return socket.dead or f"closed with code {socket.close_code}"
        finally:
            self._socket = None
            if self._error is None:
                self._up.clear()
            await _hang_up(socket)

    def _lose(self, error: AuthRefused | ConnectFailed) -> None:
        self._end(error)
        if self._first is not None and not self._first.done():
            self._first.set_exception(error)
            return
        log.error("connection given up: %s", error)
        self._tell(Lost(error))

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

    def _tell(self, event: Event) -> None:
        for listener in list(self._listeners):
            try:
                listener(event)
            except Exception as error:
                _report("a listener to events failed", error)

    # Receiving

    def _take(self, data: bytes) -> None:
        incoming = Incoming(data, sender=self._host, id=str(next(self._ids)), address=self._address)
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
                "message %s from %s was refused: %s", incoming.id, self._host, fault.condition
            )
        except Exception as error:
            _report("a receiver failed", error)


class _Socket(ClientConnection):
    """A connection that notices when its link is dead, whatever waits to be written. `dead` says so."""

    dead = ""
    _pinged = False
    _heard = 0.0
    _watch: asyncio.TimerHandle | None = None

    def watch(self) -> None:
        """Start to look whether anything arrives."""
        self._heard = self.loop.time()
        self._watch = self.loop.call_later(PING_AFTER, self._look)

    def data_received(self, data: bytes) -> None:
        """Called by the event loop."""
        self._heard = self.loop.time()
        self._pinged = False
        super().data_received(data)

    def connection_lost(self, exc: Exception | None) -> None:
        """Called by the event loop."""
        if self._watch is not None:
            self._watch.cancel()
        super().connection_lost(exc)

    def _look(self) -> None:
        due = self._heard + PING_AFTER
        if self._pinged:
            self.dead = f"nothing arrived for {PING_AFTER + PONG_WITHIN:g} s"
            self.transport.abort()
            return
        if self.loop.time() >= due and self.protocol.state is State.OPEN:
            # Not ping(): it waits for room in the buffer, which a dead link never has.
            self.protocol.send_ping(b"")
            self.send_data()
            self._pinged = True
            due = self.loop.time() + PONG_WITHIN
        self._watch = self.loop.call_at(max(due, self.loop.time() + 0.05), self._look)


class _Connect(_websockets_connect):
    """Follows no redirect: the token is for the host that it was given for."""

    def process_redirect(self, exc: Exception) -> Exception | str:
        return exc


class _Quiet(logging.LoggerAdapter[logging.Logger]):
    """The logger of `websockets` without its debug lines, which hold URLs, cookies and payloads."""

    def isEnabledFor(self, level: int) -> bool:  # noqa: N802 (the library's name)
        return level > logging.DEBUG and super().isEnabledFor(level)

    def process(
        self, msg: Any, kwargs: MutableMapping[str, Any]
    ) -> tuple[Any, MutableMapping[str, Any]]:
        return msg, kwargs


async def _open(settings: _Settings) -> _Socket:
    """A new connection; raises `AuthRefused` or `ConnectFailed`, and then, or cancelled, leaves no socket."""
    token = await _token(settings)
    url, headers = settings.url, dict(settings.headers)
    if settings.auth == "query":
        mark = "&" if urlsplit(url).query else "?"
        url += f"{mark}{quote(settings.query_name, safe='')}={quote(token, safe='')}"
    elif settings.auth == "cookie":
        if not token or not _COOKIE_OCTETS.issuperset(token):
            raise AuthRefused("the token is empty, or holds what no cookie may hold", "401")
        others = [headers.pop(name) for name in list(headers) if name.lower() == "cookie"]
        headers["Cookie"] = "; ".join([*others, f"{settings.cookie_name}={token}"])
    made: list[_Socket] = []

    def create(*args: Any, **options: Any) -> _Socket:
        made.append(_Socket(*args, **options))
        return made[-1]

    options: dict[str, Any] = {} if settings.ssl is None else {"ssl": settings.ssl}
    try:
        await _Connect(
            url,
            create_connection=cast(type[ClientConnection], create),
            subprotocols=[Subprotocol(name) for name in settings.subprotocols] or None,
            additional_headers=headers,
            compression=None,
            proxy=settings.proxy or None,
            open_timeout=settings.open_timeout,
            ping_interval=None,
            close_timeout=1.0,
            max_size=settings.max_message,
            write_limit=0,
            logger=_Quiet(logging.getLogger("websockets.client"), {}),
            **options,
        )
    except BaseException as problem:
        for socket in made:
            if getattr(socket, "transport", None) is not None:
                socket.transport.abort()
                await socket.wait_closed()
        if isinstance(problem, (OSError, TimeoutError, WebSocketException)):
            raise _explained(settings.place, problem) from None
        raise
    made[-1].watch()
    return made[-1]


async def _token(settings: _Settings) -> str:
    source = settings.token
    if source is None or isinstance(source, str):
        return source or ""
    try:
        async with asyncio.timeout(settings.open_timeout):
            token = source()
            return await token if inspect.isawaitable(token) else token
    except (AuthRefused, ConnectFailed):
        raise
    except Exception as error:
        raise ConnectFailed(f"the token could not be had: {type(error).__name__}") from error


async def _hang_up(socket: _Socket) -> None:
    """Close, politely if that works at once; nothing is left afterwards."""
    try:
        async with asyncio.timeout(1.5):
            await socket.close()
    except TimeoutError:
        pass
    finally:
        socket.transport.abort()
        await socket.wait_closed()


def _explained(place: str, problem: BaseException) -> AuthRefused | ConnectFailed:
    if isinstance(problem, InvalidStatus):
        status = problem.response.status_code
        if status in (401, 403):
            return AuthRefused(f"{place} refused the token (HTTP {status})", str(status))
        return ConnectFailed(f"{place} answered HTTP {status} instead of opening a WebSocket")
    if isinstance(problem, tls.SSLCertVerificationError):
        return ConnectFailed(f"the certificate of {place} is not trusted: {problem.verify_message}")
    if isinstance(problem, TimeoutError):
        return ConnectFailed(f"{place} did not answer in time")
    if isinstance(problem, OSError):
        return ConnectFailed(f"{place} cannot be reached: {problem.strerror or problem}")
    return ConnectFailed(f"{place} does not open a WebSocket: {type(problem).__name__}")


def _is_loopback(host: str) -> bool:
    if host.lower().rstrip(".") == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def _report(message: str, error: Exception) -> None:
    asyncio.get_running_loop().call_exception_handler({"message": message, "exception": error})
