"""WebSockets as our transports open them: no redirect, no log of secrets, a watch for dead links, errors that explain."""

from __future__ import annotations

import asyncio
import logging
import ssl as tls
from collections.abc import Mapping, MutableMapping, Sequence
from typing import Any, TypeVar, cast
from urllib.parse import urlsplit

from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import InvalidMessage, InvalidStatus, WebSocketException
from websockets.protocol import SEND_EOF, State
from websockets.typing import Subprotocol

from .links import AuthRefused, ConnectFailed, LinkError, place

_S = TypeVar("_S", bound="WatchedSocket")


class WatchedSocket(ClientConnection):
    """A connection that notices when its link is dead, whatever waits to be written; `why` says why we ended it.

    After `ping_after` seconds of silence the other end is asked for a sign of life, after `dead_after` the link is dead.
    """

    ping_after = 2.0
    dead_after = 5.0
    tick = 0.5
    silent = "nothing arrived"
    why = ""
    _heard = _ticked = 0.0
    _pinged = False
    _watch: asyncio.TimerHandle | None = None

    def watch(self) -> None:
        """Start to look whether anything arrives."""
        self._heard = self._ticked = self.loop.time()
        self._watch = self.loop.call_later(self.tick, self._tick)

    def unwatch(self) -> None:
        """Stop looking."""
        if self._watch is not None:
            self._watch.cancel()
            self._watch = None

    def abort(self, why: str) -> None:
        """End the connection at once."""
        self.why = self.why or why
        self.transport.abort()

    def is_closing(self) -> bool:
        """Whether what is written goes nowhere any more.

        Over TLS, Python 3.11 keeps to itself that the socket below has failed, so that one is asked too.
        """
        below = getattr(getattr(self.transport, "_ssl_protocol", None), "_transport", None)
        return self.transport.is_closing() or (below is not None and bool(below.is_closing()))

    def send_data(self) -> None:
        """Write what the protocol has to say, in one piece, unless it goes nowhere (asyncio would log each time)."""
        if SEND_EOF in self.protocol.writes and not self.is_closing():
            super().send_data()
            return
        frames = self.protocol.data_to_send()
        if frames and not self.is_closing():
            self.transport.write(frames[0] if len(frames) == 1 else b"".join(frames))

    def data_received(self, data: bytes) -> None:
        """Take bytes from the network: a sign of life whatever they are."""
        self._heard = self.loop.time()
        self._pinged = False
        super().data_received(data)

    def connection_lost(self, exc: Exception | None) -> None:
        """Note that the socket is gone."""
        self.unwatch()
        super().connection_lost(exc)

    def _tick(self) -> None:
        now = self.loop.time()
        # When it is our own loop that was asleep, bytes may be waiting that we have not read yet.
        self._heard += max(0.0, now - self._ticked - 2 * self.tick)
        self._ticked = now
        silence = now - self._heard
        if silence >= self.dead_after:
            self.abort(f"{self.silent} for {self.dead_after:g} s")
            return
        if silence >= self.ping_after and not self._pinged and self.protocol.state is State.OPEN:
            # Not ping(): it waits for room in the buffer, which a dead link never has.
            self._pinged = True
            self.protocol.send_ping(b"")
            self.send_data()
        self._watch = self.loop.call_later(self.tick, self._tick)


class _Connect(connect):
    """Follows no redirect: the token is for the host that it was given for."""

    def process_redirect(self, exc: Exception) -> Exception | str:
        return exc


class _Discreet(logging.LoggerAdapter[logging.Logger]):
    """The logger of `websockets` without its debug lines, which hold URLs, cookies and payloads."""

    def isEnabledFor(self, level: int) -> bool:  # noqa: N802 (the library's name)
        return level > logging.DEBUG and super().isEnabledFor(level)

    def process(
        self, msg: Any, kwargs: MutableMapping[str, Any]
    ) -> tuple[Any, MutableMapping[str, Any]]:
        return msg, kwargs


async def open_socket(
    kind: type[_S],
    url: str,
    *,
    headers: Mapping[str, str],
    subprotocols: Sequence[str],
    ssl: tls.SSLContext | None,
    proxy: str | bool | None,
    timeout: float,
    max_size: int,
    logger: str,
    write_limit: int = 32_768,
) -> _S:
    """A new connection, not yet watched.

    Raises `AuthRefused` when the server answers 401 or 403, `ConnectFailed` for anything else that goes wrong within
    `timeout` seconds; then, or when cancelled, it leaves no socket.
    """
    made: list[_S] = []

    def create(*args: Any, **options: Any) -> _S:
        made.append(kind(*args, **options))
        return made[-1]

    secure = ssl is not None and urlsplit(url).scheme == "wss"
    options: dict[str, Any] = {"ssl": ssl} if secure else {}
    try:
        await _Connect(
            url,
            create_connection=cast(type[ClientConnection], create),
            subprotocols=[Subprotocol(name) for name in subprotocols] or None,
            additional_headers=dict(headers),
            compression=None,
            proxy=proxy or None,
            open_timeout=timeout,
            ping_interval=None,
            close_timeout=1.0,
            max_size=max_size,
            write_limit=write_limit,
            logger=_Discreet(logging.getLogger(logger), {}),
            **options,
        )
    except BaseException as problem:
        for socket in made:
            if getattr(socket, "transport", None) is not None:
                socket.abort("never used")
                await socket.wait_closed()
        if isinstance(problem, (OSError, TimeoutError, WebSocketException)):
            raise explained(place(url), problem) from None
        raise
    return made[-1]


def explained(where: str, problem: BaseException) -> LinkError:
    """What went wrong with opening a WebSocket, in words that hold no secret."""
    if isinstance(problem, LinkError):
        return problem
    if isinstance(problem, InvalidStatus):
        status = problem.response.status_code
        if status in (401, 403):
            return AuthRefused(
                f"{where} refused the token (HTTP {status}): it is missing, expired or not for this server",
                str(status),
            )
        return ConnectFailed(f"{where} answered HTTP {status} instead of opening a WebSocket")
    if isinstance(problem, tls.SSLCertVerificationError):
        return ConnectFailed(f"the certificate of {where} is not trusted: {problem.verify_message}")
    if isinstance(problem, tls.SSLError) or (where.startswith("wss:") and _is_reset(problem)):
        return ConnectFailed(
            f"{where} does not speak TLS; a server without TLS is reached by ws://"
        )
    if isinstance(problem, InvalidMessage):
        return ConnectFailed(f"{where} does not speak HTTP; a server with TLS is reached by wss://")
    if isinstance(problem, TimeoutError):
        return ConnectFailed(f"{where} did not answer in time")
    if isinstance(problem, OSError):
        why = problem.strerror or str(problem) or "it closed the connection"
        return ConnectFailed(f"{where} cannot be reached: {why}")
    return ConnectFailed(f"{where} does not open a WebSocket: {type(problem).__name__}")


def _is_reset(problem: BaseException) -> bool:
    """Whether asyncio says that the peer closed the connection in the middle of the TLS handshake."""
    return isinstance(problem, ConnectionResetError) and not problem.args
