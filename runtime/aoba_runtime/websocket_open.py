"""How a plain WebSocket is opened, with the token in a cookie or in the URL, and closed again."""

from __future__ import annotations

import asyncio
import ssl as tls
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal
from urllib.parse import quote, urlsplit

from .addresses import Endpoint
from .links import Token, cookie, fresh_token
from .sockets import WatchedSocket, open_socket


@dataclass(frozen=True, slots=True)
class Settings:
    """Where and how to connect. Times are in seconds."""

    url: str
    place: str
    host: str | None
    endpoint: Endpoint
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


async def open_websocket(settings: Settings) -> WatchedSocket:
    """A new connection; raises `AuthRefused` or `ConnectFailed`, and then, or cancelled, leaves no socket."""
    token = await fresh_token(settings.token or "", settings.open_timeout)
    url, headers = settings.url, dict(settings.headers)
    if settings.auth == "query":
        mark = "&" if urlsplit(url).query else "?"
        url += f"{mark}{quote(settings.query_name, safe='')}={quote(token, safe='')}"
    elif settings.auth == "cookie":
        ours = cookie(settings.cookie_name, token)
        others = [headers.pop(name) for name in list(headers) if name.lower() == "cookie"]
        headers["Cookie"] = "; ".join([*others, ours])
    socket = await open_socket(
        WatchedSocket,
        url,
        headers=headers,
        subprotocols=settings.subprotocols,
        ssl=settings.ssl,
        proxy=settings.proxy,
        timeout=settings.open_timeout,
        max_size=settings.max_message,
        logger="websockets.client",
        write_limit=0,
    )
    socket.watch()
    return socket


async def hang_up(socket: WatchedSocket) -> None:
    """Close, politely if that works at once; nothing is left afterwards."""
    try:
        async with asyncio.timeout(1.5):
            await socket.close()
    except TimeoutError:
        pass
    finally:
        socket.transport.abort()
        await socket.wait_closed()


def is_text(data: bytes) -> bool:
    """Whether `data` may go in a text frame (RFC 6455, section 5.6)."""
    try:
        return data.isascii() or bool(data.decode())
    except UnicodeDecodeError:
        return False
