"""A WebSocket that carries XMPP (RFC 7395): handshake with the cookie, frames in order, a watch for dead links.

`FrameTransport` is the `asyncio.Transport` that slixmpp believes to be its socket.
"""

from __future__ import annotations

import asyncio
import logging
import socket
import ssl as tls
import struct
from collections import deque
from collections.abc import Callable
from ipaddress import ip_address
from typing import Any, Final, cast
from urllib.parse import urlsplit

from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import InvalidHandshake, InvalidStatus, InvalidURI, WebSocketException
from websockets.frames import Frame, Opcode
from websockets.http11 import Response
from websockets.protocol import State
from websockets.typing import Subprotocol

from . import xml
from .errors import AuthRefused, ConnectFailed, InsecureUrl

PING_AFTER: Final = 2.0
"""Seconds of silence after which the other end is asked for a sign of life."""
DEAD_AFTER: Final = 4.0
"""Seconds of silence after which the link counts as dead."""
CLOSE_WITHIN: Final = 1.0
"""Seconds that the other end has to answer a close."""
_TICK: Final = 0.5
_MAX_FRAME: Final = 2**20
_RESET_ON_CLOSE: Final = struct.pack("ii", 1, 0)
_COOKIE_OCTETS: Final = frozenset(
    map(chr, (0x21, *range(0x23, 0x2C), *range(0x2D, 0x3B), *range(0x3C, 0x5C), *range(0x5D, 0x7F)))
)


class _Discreet(logging.LoggerAdapter[logging.Logger]):
    """A logger for websockets, which at DEBUG would print the cookie and every frame."""

    def isEnabledFor(self, level: int) -> bool:
        return level > logging.DEBUG and super().isEnabledFor(level)


_log: Final = _Discreet(logging.getLogger("aoba_runtime.xmpp.websocket"), {})


def is_loopback(url: str) -> bool:
    """Whether a URL names this very machine: localhost, or a loopback address."""
    host = urlsplit(url).hostname or ""
    if host == "localhost" or host.endswith(".localhost"):
        return True
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return False


def check_url(url: str, insecure: bool) -> None:
    """Raise `InsecureUrl` for ws:// to another machine unless `insecure`, `ValueError` for what is no ws:// or wss:// URL."""
    parts = urlsplit(url)
    if parts.scheme not in ("ws", "wss") or not parts.hostname:
        raise ValueError(f"{parts.scheme}://{parts.hostname} is not a WebSocket URL")
    if parts.username is not None or parts.password is not None:
        raise ValueError("credentials do not belong in a WebSocket URL; give a token")
    if parts.scheme == "ws" and not insecure and not is_loopback(url):
        raise InsecureUrl(
            f"ws:// to {parts.hostname} would show the token to the network: use wss://, or insecure=True"
        )


class Frames(ClientConnection):
    """A WebSocket connection that gives text messages away as they arrive, without a task in between.

    `on_frame` gets each; those that come before it is set wait in `backlog`. `ended` is done when the connection is
    gone, with the reason as its result.
    """

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        self.on_frame: Callable[[str], None] | None = None
        self.backlog: deque[str] = deque()
        self.arrived = asyncio.Event()
        self.ended: asyncio.Future[str] = self.loop.create_future()
        self._parts: list[bytes] = []
        self._heard = self._ticked = self.loop.time()
        self._pinged = False
        self._watch: asyncio.TimerHandle | None = None
        self._why = ""

    def write(self, frame: str) -> None:
        """Send one text message at once, in one frame; nothing happens when the connection is closing."""
        if self.protocol.state is State.OPEN and not self.transport.is_closing():
            self.protocol.send_text(frame.encode())
            self.send_data()

    def watch(self) -> None:
        """Start looking for signs of life: after `PING_AFTER` of silence a ping, after `DEAD_AFTER` the end."""
        self._ticked = self.loop.time()
        self._watch = self.loop.call_later(_TICK, self._tick)

    def abort(self, why: str) -> None:
        """End the connection at once; what the kernel has not sent yet is thrown away, so that nothing comes late."""
        self._why = self._why or why
        raw: socket.socket | None = self.transport.get_extra_info("socket")
        if raw is not None and raw.fileno() >= 0:
            try:
                raw.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET_ON_CLOSE)
            except OSError:
                pass
        self.transport.abort()

    def finish(self, last: str) -> None:
        """Send `last` and close properly (RFC 6455, 7.1.1); `ended` follows within `CLOSE_WITHIN` seconds."""
        if self.protocol.state is State.OPEN:
            self.write(last)
            self.protocol.send_close(1000)
            self.send_data()
            self._watch_for_end()

    def process_event(self, event: Any) -> None:
        """Take one WebSocket frame, in order (overrides that of websockets, which queues)."""
        if self.response is None or isinstance(event, Response):
            super().process_event(event)
            return
        assert isinstance(event, Frame)
        if event.opcode is Opcode.TEXT and event.fin:
            self._deliver(event.data)
        elif event.opcode in (Opcode.TEXT, Opcode.CONT):
            self._parts.append(bytes(event.data))
            if event.fin:
                whole, self._parts = b"".join(self._parts), []
                self._deliver(whole)
        elif event.opcode is Opcode.BINARY:
            self.abort("the server sent a binary message")
        else:
            super().process_event(event)

    def data_received(self, data: bytes) -> None:
        """Take bytes from the socket: a sign of life whatever they are."""
        self._heard = self.loop.time()
        self._pinged = False
        super().data_received(data)

    def connection_lost(self, exc: Exception | None) -> None:
        """Note that the socket is gone."""
        super().connection_lost(exc)
        if self._watch is not None:
            self._watch.cancel()
        self.arrived.set()
        if not self.ended.done():
            closed = f"closed by the server ({self.close_code})" if self.close_code else ""
            self.ended.set_result(self._why or (str(exc) if exc else "") or closed or "cut off")

    def _deliver(self, data: bytes | bytearray | memoryview) -> None:
        try:
            frame = str(data, "utf-8")
        except UnicodeDecodeError:
            self.abort("the server sent text that is not UTF-8")
            return
        if self.on_frame is None:
            self.backlog.append(frame)
            self.arrived.set()
        else:
            self.on_frame(frame)

    def _watch_for_end(self) -> None:
        if self._watch is not None:
            self._watch.cancel()
        self._watch = self.loop.call_later(CLOSE_WITHIN, self.abort, "the server did not close")

    def _tick(self) -> None:
        now = self.loop.time()
        # When it is our own loop that was asleep, bytes may be waiting that we have not read yet.
        self._heard += max(0.0, now - self._ticked - 2 * _TICK)
        self._ticked = now
        silence = now - self._heard
        if silence >= DEAD_AFTER:
            self.abort(f"nothing heard for {silence:.1f} s")
            return
        if silence >= PING_AFTER and not self._pinged and self.protocol.state is State.OPEN:
            self._pinged = True
            self.protocol.send_ping(b"")
            self.send_data()
        self._watch = self.loop.call_later(_TICK, self._tick)


class _Connect(connect):
    """Opens a connection, and follows no redirect: the token is for the host that it was given for."""

    def process_redirect(self, exc: Exception) -> Exception | str:
        return exc


async def open_websocket(
    url: str,
    token: str,
    *,
    ssl: tls.SSLContext | None,
    proxy: str | bool | None,
    timeout: float,
) -> Frames:
    """A connection to `url` with the subprotocol `xmpp`, the token in the cookie `auth_token`.

    Raises `AuthRefused` when the server answers 401 or 403, `ConnectFailed` for anything else that goes wrong
    within `timeout` seconds.
    """
    if not token or not _COOKIE_OCTETS.issuperset(token):
        raise AuthRefused("the token is empty, or holds characters that no cookie may hold", "401")
    opened: list[Frames] = []

    def create(*args: Any, **options: Any) -> Frames:
        opened.append(Frames(*args, **options))
        return opened[-1]

    options: dict[str, Any] = {"ssl": ssl} if ssl is not None and url.startswith("wss:") else {}
    try:
        await _Connect(
            url,
            create_connection=cast(type[Frames], create),
            subprotocols=[Subprotocol("xmpp")],
            additional_headers={"Cookie": f"auth_token={token}"},
            compression=None,
            proxy=proxy if proxy else None,
            open_timeout=timeout,
            ping_interval=None,
            close_timeout=1.0,
            max_size=_MAX_FRAME,
            logger=_log,
            **options,
        )
        frames = opened[-1]
        if frames.subprotocol != "xmpp":
            raise ConnectFailed(f"{_place(url)} does not speak the WebSocket subprotocol xmpp")
    except BaseException as problem:
        for frames in opened:
            if getattr(frames, "transport", None) is not None:
                frames.abort("never used")
                await frames.ended
        if isinstance(problem, (OSError, TimeoutError, WebSocketException)):
            raise _explain(url, problem) from None
        raise
    frames.watch()
    return frames


def _place(url: str) -> str:
    parts = urlsplit(url)
    return f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}{parts.path}"


def _explain(url: str, problem: BaseException) -> Exception:
    if isinstance(problem, ConnectFailed):
        return problem
    if isinstance(problem, InvalidStatus):
        status = problem.response.status_code
        if status in (401, 403):
            return AuthRefused(
                f"{_place(url)} refused the token (HTTP {status}): it is missing, expired or not for this server",
                str(status),
            )
        return ConnectFailed(f"{_place(url)} answered HTTP {status} instead of opening a WebSocket")
    if isinstance(problem, tls.SSLCertVerificationError):
        return ConnectFailed(
            f"the certificate of {_place(url)} is not trusted: {problem.verify_message}"
        )
    if isinstance(problem, TimeoutError):
        return ConnectFailed(f"{_place(url)} did not answer in time")
    if isinstance(problem, (InvalidHandshake, InvalidURI)):
        return ConnectFailed(f"{_place(url)} does not open a WebSocket: {type(problem).__name__}")
    return ConnectFailed(f"{_place(url)} cannot be reached: {problem}")


class FrameTransport(asyncio.Transport):
    """What slixmpp writes to: every write is one frame, and TLS shows through."""

    def __init__(self, frames: Frames, write: Callable[[str], None]) -> None:
        super().__init__()
        self._frames = frames
        self._write = write

    def write(self, data: bytes | bytearray | memoryview) -> None:
        """Send one stanza; whitespace keepalives, which RFC 7395 (3.7) forbids, are left out."""
        frame = xml.frame(str(data, "utf-8"))
        if frame:
            self._write(frame)

    def get_extra_info(self, name: str, default: Any = None) -> Any:
        """What the socket below knows: `ssl_object`, `peername` and the like."""
        return self._frames.transport.get_extra_info(name, default)

    def is_closing(self) -> bool:
        """Whether the connection is on its way out."""
        return self._frames.protocol.state is not State.OPEN

    def close(self) -> None:
        """Close the connection."""
        self._frames.transport.close()

    def abort(self) -> None:
        """Close the connection at once."""
        self._frames.abort("aborted")
