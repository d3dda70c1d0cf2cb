"""The embedded development server: XMPP over WebSocket (RFC 7395) in one process, for development and tests only.

    async with devserver.serve() as server:
        async with xmpp.connect(server.url, token=server.token("alice")) as transport:
            ...

What it is: a real socket and real XML that a client cannot tell from a small Prosody as long as it does what calls need.
The token is checked at the upgrade (`auth_token` cookie, HS256), SASL is EXTERNAL, then bind, session, presence, routing
of IQ, message and presence, `urn:xmpp:call:0` IQs for a bare JID forked to the account's available resources,
XEP-0030, XEP-0198 with resumption, XEP-0199. It is as strict about frames as Prosody.

What it is not: safe to put on a network, or a home for data. There is no TLS; every user name in a valid token exists;
everybody sees everybody's presence and there is no roster; nothing survives the process, a message for somebody who is
offline is refused; no federation, no other extension. A session outlives its token's expiry, as on Prosody. A resource
that is taken goes to the newcomer. Use a real server for everything else.
"""

from __future__ import annotations

import asyncio
import http
import logging
import secrets
import weakref
from collections.abc import AsyncIterator, Collection, MutableMapping
from contextlib import asynccontextmanager
from typing import Any, Final, cast
from urllib.parse import urlsplit

from .extras import require_extra

require_extra("xmpp", __name__, "websockets")

import websockets.asyncio.server as ws
from websockets.datastructures import Headers
from websockets.exceptions import InvalidHeader, InvalidHeaderFormat
from websockets.headers import parse_subprotocol
from websockets.http11 import Request, Response
from websockets.protocol import State
from websockets.typing import Subprotocol

from . import tokens
from .devserver_router import Router
from .devserver_session import Limits
from .devserver_stream import Stream
from .links import domain_of

__all__ = ["COOKIE", "DEFAULT_PORT", "PATH", "Limits", "Server", "serve"]

COOKIE: Final = "auth_token"
PATH: Final = "/xmpp"
DEFAULT_PORT: Final = 8082

_SUBPROTOCOL: Final = Subprotocol("xmpp")
_LOOPBACK: Final = frozenset({"localhost", "127.0.0.1", "::1"})
_ANY: Final = frozenset({"", "0.0.0.0", "::"})
# Not ::1, which localhost is not everywhere.
_NAMED_LOCALHOST: Final = _ANY | {"localhost", "127.0.0.1"}

log = logging.getLogger("aoba_runtime")


class _Quiet(logging.LoggerAdapter[logging.Logger]):
    """The logger of `websockets` without its debug lines, which hold cookies and payloads."""

    def isEnabledFor(self, level: int) -> bool:  # noqa: N802 (the library's name)
        return level > logging.INFO and super().isEnabledFor(level)

    def process(
        self, msg: Any, kwargs: MutableMapping[str, Any]
    ) -> tuple[Any, MutableMapping[str, Any]]:
        return msg, kwargs


class _Connection(ws.ServerConnection):
    """A connection that knows whom its cookie let in."""

    user = ""


class Server:
    """A running server; made by `serve`.

    `url` is what a client connects to, `domain` the domain of its JIDs, `handshakes` counts the upgrade requests by the
    HTTP status they were answered with.
    """

    def __init__(
        self,
        host: str,
        secret: bytes,
        domains: tuple[str, ...],
        origins: Collection[str],
        limits: Limits,
    ) -> None:
        self.domain = domains[0]
        self.handshakes: dict[int, int] = {}
        self._host = host
        self._secret = secret
        self._origins = frozenset(origin.lower() for origin in origins)
        self._limits = limits
        self._router = Router(domains, limits, asyncio.get_running_loop().time)
        self._connections = weakref.WeakSet[_Connection]()
        self._streams: dict[Stream, _Connection] = {}
        self._listener: ws.Server | None = None
        self.port = 0

    @property
    def url(self) -> str:
        """Where a client connects to, such as `ws://localhost:8082/xmpp`."""
        host = "localhost" if self._host in _NAMED_LOCALHOST else self._host
        return f"ws://{f'[{host}]' if ':' in host else host}:{self.port}{PATH}"

    @property
    def jids(self) -> list[str]:
        """The full JIDs that are bound, those that wait to be resumed among them."""
        return sorted(str(session.jid) for session in self._router.sessions)

    def token(self, user: str, *, ttl: float = tokens.DEFAULT_TTL) -> str:
        """A token that lets `user` in for `ttl` seconds."""
        return tokens.make_token(user, self._secret, ttl=ttl)

    def cut(self, jid: str | None = None) -> int:
        """Cut the TCP connections of one full JID, or all of them, as a broken network does; how many there were."""
        cut = 0
        for stream, connection in list(self._streams.items()):
            if jid is None or (stream.session is not None and str(stream.session.jid) == jid):
                connection.transport.abort()
                cut += 1
        return cut

    async def start(self, port: int) -> None:
        """Listen; `OSError` when the address cannot be had."""
        self._listener = await ws.serve(
            self._serve,
            self._host,
            port,
            process_request=self._admit,
            subprotocols=[_SUBPROTOCOL],
            create_connection=cast(type[_Connection], self._connection),
            server_header=None,
            compression=None,
            max_size=2 * self._limits.stanza,
            open_timeout=self._limits.login,
            ping_interval=5,
            ping_timeout=5,
            close_timeout=1,
            logger=_Quiet(logging.getLogger("websockets.server"), {}),
        )
        self.port = int(self._listener.sockets[0].getsockname()[1])

    async def aclose(self) -> None:
        """Stop listening, end every stream with `system-shutdown`, and wait, 2 s at most, until no connection is left."""
        if self._listener is None:
            return
        self._listener.close(close_connections=False)
        for stream in list(self._streams):
            stream.end("system-shutdown", code=1001)
        for connection in list(self._connections):
            if connection.state is State.CONNECTING:
                connection.transport.abort()
        try:
            async with asyncio.timeout(2):
                await self._listener.wait_closed()
        except TimeoutError:
            for connection in list(self._connections):
                connection.transport.abort()
            await self._listener.wait_closed()
        for session in self._router.sessions:
            session.wake(None)

    def _connection(self, *args: Any, **options: Any) -> _Connection:
        connection = _Connection(*args, **options)
        self._connections.add(connection)
        return connection

    def _admit(self, connection: ws.ServerConnection, request: Request) -> Response | None:
        """Answer an upgrade request: `None` lets it through."""
        assert isinstance(connection, _Connection)
        status, text = self._judge(connection, request)
        self.handshakes[int(status)] = self.handshakes.get(status, 0) + 1
        if status == http.HTTPStatus.SWITCHING_PROTOCOLS:
            return None
        log.info("refused an upgrade: %d, %s", status, text)
        return connection.respond(status, f"{text}\n")

    def _judge(self, connection: _Connection, request: Request) -> tuple[http.HTTPStatus, str]:
        if request.path.partition("?")[0] != PATH:
            return http.HTTPStatus.NOT_FOUND, f"there is nothing here but {PATH}"
        if not all(map(self._may_come_from, request.headers.get_all("Origin"))):
            return http.HTTPStatus.FORBIDDEN, "pages of this origin are not let in"
        try:
            connection.user = tokens.check_token(_cookie(request.headers), self._secret)
        except tokens.BadToken as error:
            return http.HTTPStatus.UNAUTHORIZED, str(error)
        if _SUBPROTOCOL not in _subprotocols(request.headers):
            return http.HTTPStatus.BAD_REQUEST, "the WebSocket subprotocol is xmpp"
        if len(self._streams) >= self._limits.sessions:
            return http.HTTPStatus.SERVICE_UNAVAILABLE, "too many connections"
        return http.HTTPStatus.SWITCHING_PROTOCOLS, ""

    def _may_come_from(self, origin: str) -> bool:
        if origin.lower() in self._origins:
            return True
        try:
            parts = urlsplit(origin)
            return parts.scheme in ("http", "https") and parts.hostname in _LOOPBACK
        except ValueError:
            return False

    async def _serve(self, connection: ws.ServerConnection) -> None:
        assert isinstance(connection, _Connection)
        if connection.state is not State.OPEN:
            return
        stream = Stream(connection, connection.user, self.domain, self._router, self._limits)
        self._streams[stream] = connection
        try:
            await stream.run()
        finally:
            del self._streams[stream]


@asynccontextmanager
async def serve(
    host: str = "127.0.0.1",
    port: int = DEFAULT_PORT,
    *,
    secret: str | bytes | None = None,
    domains: Collection[str] = (),
    origins: Collection[str] = (),
    limits: Limits | None = None,
) -> AsyncIterator[Server]:
    """Run the server while the `async with` block runs; port 0 takes a free one.

    `secret` (32 bytes or more) signs the tokens, a random one unless given. `domains` are the JID domains served, the first
    being the server's own: by default `localhost`, then the host it listens on. They are apart: `alice@localhost` and
    `alice@127.0.0.1` are two accounts, and a token for `alice` opens both. `origins` are let in besides the pages of
    this machine (`http://localhost:3000`); clients that are no browser send no origin. Raises `OSError` when the
    address cannot be had, `ValueError` for a secret that is too short.
    """
    key = secrets.token_bytes(32) if secret is None else tokens.usable_secret(secret)
    names = tuple(dict.fromkeys(domains or ["localhost", *map(domain_of, {host} - _ANY)]))
    server = Server(host, key, names, origins, limits or Limits())
    await server.start(port)
    try:
        yield server
    finally:
        await server.aclose()


def _cookie(headers: Headers) -> str:
    """The token in the request's cookies (RFC 6265, section 4.2.1); `BadToken` when there is none, or two."""
    found = set[str]()
    for header in headers.get_all("Cookie"):
        for pair in header.split(";"):
            name, _, value = pair.strip().partition("=")
            if name == COOKIE:
                found.add(value.strip('"'))
    if len(found) != 1:
        raise tokens.BadToken(f"there are {len(found)} {COOKIE} cookies; one is needed")
    return found.pop()


def _subprotocols(headers: Headers) -> list[Subprotocol]:
    offered = headers.get_all("Sec-WebSocket-Protocol")
    try:
        return [name for header in offered for name in parse_subprotocol(header)]
    except (InvalidHeader, InvalidHeaderFormat):
        return []
