"""A WebSocket that carries XMPP (RFC 7395): handshake with the cookie, frames in order, a watch for dead links.

`FrameTransport` is the `asyncio.Transport` that slixmpp believes to be its socket.
"""

from __future__ import annotations

import asyncio
import socket
import ssl as tls
import struct
from collections import deque
from collections.abc import Callable
from typing import Any, Final

from websockets.frames import Frame, Opcode
from websockets.http11 import Response
from websockets.protocol import State

from ..links import ConnectFailed, cookie, is_loopback, place
from ..links import check_url as _check_url
from ..sockets import WatchedSocket, open_socket
from . import xml

__all__ = [
    "CLOSE_WITHIN",
    "DEAD_AFTER",
    "PING_AFTER",
    "FrameTransport",
    "Frames",
    "check_url",
    "is_loopback",
    "open_websocket",
]

PING_AFTER: Final = 2.0
"""Seconds of silence after which the other end is asked for a sign of life."""
DEAD_AFTER: Final = 4.0
"""Seconds of silence after which the link counts as dead."""
CLOSE_WITHIN: Final = 1.0
"""Seconds that the other end has to answer a close."""
_MAX_FRAME: Final = 2**20
_RESET_ON_CLOSE: Final = struct.pack("ii", 1, 0)


def check_url(url: str, insecure: bool) -> None:
    """Raise `InsecureUrl` for ws:// to another machine unless `insecure`, `ValueError` for what is no URL for XMPP."""
    parts = _check_url(url, insecure)
    if parts.username is not None or parts.password is not None:
        raise ValueError("credentials do not belong in a WebSocket URL; give a token")


class Frames(WatchedSocket):
    """A WebSocket connection that gives text messages away as they arrive, without a task in between.

    `on_frame` gets each; those that come before it is set wait in `backlog`. `ended` is done when the connection is
    gone, with the reason as its result.
    """

    ping_after = PING_AFTER
    dead_after = DEAD_AFTER
    silent = "nothing heard"

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        self.on_frame: Callable[[str], None] | None = None
        self.backlog: deque[str] = deque()
        self.arrived = asyncio.Event()
        self.ended: asyncio.Future[str] = self.loop.create_future()
        self._parts: list[bytes] = []
        self._gathering = self._urgent = False

    def write(self, frame: str, urgent: bool = True) -> None:
        """Send one text message in one frame; nothing happens when the connection is closing.

        What is written in one turn of the loop goes out together, at the end of the turn or, if any of it is `urgent`,
        as soon as all that has just arrived was dealt with.
        """
        if self.protocol.state is State.OPEN:
            self.protocol.send_text(frame.encode())
            self._urgent |= urgent
            self._gather()

    def data_received(self, data: bytes) -> None:
        """Take bytes from the network, and send the answers to all that is in them together."""
        self._gathering = True
        try:
            super().data_received(data)
        finally:
            self._gathering = False
        if self._urgent:
            self._flush()
        elif self.protocol.writes:
            self._gather()

    def _gather(self) -> None:
        if not self._gathering:
            self._gathering = True
            self.loop.call_soon(self._flush)

    def _flush(self) -> None:
        self._gathering = self._urgent = False
        self.send_data()

    def abort(self, why: str) -> None:
        """End the connection at once; what the kernel has not sent yet is thrown away, so that nothing comes late."""
        raw: socket.socket | None = self.transport.get_extra_info("socket")
        if raw is not None and raw.fileno() >= 0:
            try:
                raw.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET_ON_CLOSE)
            except OSError:
                pass
        super().abort(why)

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

    def connection_lost(self, exc: Exception | None) -> None:
        """Note that the socket is gone."""
        super().connection_lost(exc)
        self.arrived.set()
        if not self.ended.done():
            closed = f"closed by the server ({self.close_code})" if self.close_code else ""
            self.ended.set_result(self.why or (str(exc) if exc else "") or closed or "cut off")

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
        self.unwatch()
        self._watch = self.loop.call_later(CLOSE_WITHIN, self.abort, "the server did not close")


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
    frames = await open_socket(
        Frames,
        url,
        headers={"Cookie": cookie("auth_token", token)},
        subprotocols=["xmpp"],
        ssl=ssl,
        proxy=proxy,
        timeout=timeout,
        max_size=_MAX_FRAME,
        logger="aoba_runtime.xmpp.websocket",
    )
    if frames.subprotocol != "xmpp":
        frames.abort("never used")
        await frames.ended
        raise ConnectFailed(f"{place(url)} does not speak the WebSocket subprotocol xmpp")
    frames.watch()
    return frames


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
        return self._frames.protocol.state is not State.OPEN or self._frames.is_closing()

    def close(self) -> None:
        """Close the connection."""
        self._frames.transport.close()

    def abort(self) -> None:
        """Close the connection at once."""
        self._frames.abort("aborted")
