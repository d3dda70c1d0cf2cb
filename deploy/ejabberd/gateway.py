"""A gateway before ejabberd: checks the cookie, speaks SASL EXTERNAL to the client, then passes frames untouched.

ejabberd 23.01 cannot see the cookie of a WebSocket handshake, so the gateway checks it and logs in with PLAIN and a short-lived
token in the user's name. From the stream restart after SASL (RFC 6120, 6.4.6) on, every frame goes through as it came.
"""

from __future__ import annotations

import argparse
import asyncio
import base64
import binascii
import contextlib
import logging
import ssl
import sys
from pathlib import Path
from xml.etree import ElementTree
from xml.sax.saxutils import quoteattr

from websockets.asyncio.client import ClientConnection, connect
from websockets.asyncio.connection import Connection
from websockets.asyncio.server import ServerConnection, serve
from websockets.exceptions import ConnectionClosed, WebSocketException
from websockets.frames import CloseCode
from websockets.http11 import Request, Response
from websockets.typing import Subprotocol

from deploy import launch
from deploy.ejabberd.balance import Nodes, Throttle
from deploy.ejabberd.tokens import COOKIE, Gatekeeper, Refused

XMPP = Subprotocol("xmpp")
FRAMING = "urn:ietf:params:xml:ns:xmpp-framing"
SASL = "urn:ietf:params:xml:ns:xmpp-sasl"
STREAMS = "http://etherx.jabber.org/streams"
STREAM_ERRORS = "urn:ietf:params:xml:ns:xmpp-streams"

STANZA_LIMIT = 262_144
LOGIN_LIMIT = 10_000
FRAME_LIMIT = 1 << 20
QUEUE = 8
LOGIN_SECONDS = 10.0
CONNECT_SECONDS = 3.0
MAX_ATTEMPTS = 3

log = logging.getLogger("gateway")


class Rejected(Exception):
    """The client's stream ends with this stream error condition (RFC 6120, 4.9.3)."""


class Unavailable(Exception):
    """No ejabberd node took the login."""


class Client(ServerConnection):
    """A client whose handshake was admitted; `jid` is the bare JID of its token."""

    jid = ""


def parse(frame: str | bytes) -> ElementTree.Element:
    """One element of a login. Raises Rejected for what RFC 7395 or RFC 6120, 11.1 forbids."""
    if not isinstance(frame, str) or len(frame) > LOGIN_LIMIT:
        raise Rejected("policy-violation")
    if "<!" in frame or "<?" in frame:
        raise Rejected("restricted-xml")
    try:
        return ElementTree.fromstring(frame)
    except ElementTree.ParseError:
        raise Rejected("not-well-formed") from None


def failure(condition: str) -> str:
    """A SASL failure (RFC 6120, 6.5)."""
    return f"<failure xmlns='{SASL}'><{condition}/></failure>"


class Gateway:
    """One address before one or more nodes."""

    def __init__(self, gatekeeper: Gatekeeper, nodes: Nodes, rate: float) -> None:
        self._gatekeeper = gatekeeper
        self._nodes = nodes
        self._rate = rate
        self._open = f"<open xmlns='{FRAMING}' to={quoteattr(gatekeeper.domain)} version='1.0'/>"

    async def check(self, client: ServerConnection, request: Request) -> Response | None:
        """Answer the handshake: nothing to go on, or the refusal."""
        assert isinstance(client, Client)
        if request.path.partition("?")[0].rstrip("/") != launch.PATH:
            return client.respond(404, "Not found\n")
        headers = request.headers
        try:
            client.jid = self._gatekeeper.admit(
                headers.get_all("Cookie"), headers.get_all("Origin")
            )
        except Refused as refused:
            address = client.remote_address
            log.info("%s refused: %d, %s", address and address[0], refused.status, refused)
            response = client.respond(refused.status, f"{refused.status.phrase}\n")
            if refused.status == 401:
                realm = quoteattr(self._gatekeeper.domain)
                challenge = f'Cookie realm={realm}, cookie-name="{COOKIE}"'
                response.headers["WWW-Authenticate"] = challenge
            return response
        return None

    async def serve(self, client: ServerConnection) -> None:
        """One client's connection, from its stream header to its end."""
        assert isinstance(client, Client)
        try:
            async with asyncio.timeout(LOGIN_SECONDS):
                backend, url = await self._login(client)
        except TimeoutError:
            return await self._reject(client, "connection-timeout")
        except Rejected as rejected:
            return await self._reject(client, str(rejected))
        except Unavailable:
            return await client.close(CloseCode.TRY_AGAIN_LATER, "no node is reachable")
        except ConnectionClosed:
            return None
        self._nodes.joined(client.jid, url)
        try:
            await self._pass_frames(client, backend)
        finally:
            self._nodes.left(client.jid, url)
            backend.transport.abort()

    async def _login(self, client: Client) -> tuple[ClientConnection, str]:
        """SASL with the client, then with a node; EXTERNAL's authzid is empty or the client's own bare JID."""
        domain = self._gatekeeper.domain
        opened = parse(await client.recv())
        if opened.tag != f"{{{FRAMING}}}open":
            raise Rejected("bad-format")
        await client.send(
            f"<open xmlns='{FRAMING}' from={quoteattr(domain)} id={quoteattr(str(client.id))}"
            " version='1.0' xml:lang='en'/>"
        )
        if opened.get("to", "").lower() != domain:
            raise Rejected("host-unknown")
        await client.send(
            f"<stream:features xmlns:stream='{STREAMS}'><mechanisms xmlns='{SASL}'>"
            "<mechanism>EXTERNAL</mechanism></mechanisms></stream:features>"
        )
        for _ in range(MAX_ATTEMPTS):
            if condition := await self._authenticate(client):
                await client.send(failure(condition))
                continue
            backend, url = await self._connect(client.jid)
            try:
                await client.send(f"<success xmlns='{SASL}'/>")
            except ConnectionClosed:
                backend.transport.abort()
                raise
            return backend, url
        raise Rejected("policy-violation")

    async def _authenticate(self, client: Client) -> str | None:
        """One attempt; the condition of its failure, or None for success."""
        attempt = parse(await client.recv())
        if attempt.tag == f"{{{FRAMING}}}close":
            await client.send(f"<close xmlns='{FRAMING}'/>")
            await client.close()
        if attempt.tag != f"{{{SASL}}}auth":
            raise Rejected("not-authorized")
        if attempt.get("mechanism") != "EXTERNAL":
            return "invalid-mechanism"
        text = attempt.text
        if not text:
            await client.send(f"<challenge xmlns='{SASL}'>=</challenge>")
            answer = parse(await client.recv())
            if answer.tag != f"{{{SASL}}}response":
                return "aborted"
            text = answer.text or "="
        try:
            authzid = "" if text == "=" else base64.b64decode(text, validate=True).decode()
        except (binascii.Error, UnicodeDecodeError):
            return "incorrect-encoding"
        return None if authzid in ("", client.jid) else "not-authorized"

    async def _connect(self, jid: str) -> tuple[ClientConnection, str]:
        """A logged-in stream to the first node that takes it, and the node. Raises Unavailable."""
        for url in self._nodes.turn(jid):
            try:
                backend = await connect(
                    url,
                    subprotocols=[XMPP],
                    compression=None,
                    proxy=None,
                    open_timeout=CONNECT_SECONDS,
                    ping_interval=15,
                    ping_timeout=10,
                    close_timeout=1,
                    max_size=FRAME_LIMIT,
                    max_queue=QUEUE,
                )
            except (OSError, TimeoutError, WebSocketException) as error:
                self._nodes.failed(url)
                log.warning("%s is not reachable: %s", url, type(error).__name__)
                continue
            try:
                await self._plain(backend, jid)
            except (ConnectionClosed, Unavailable, Rejected) as error:
                backend.transport.abort()
                self._nodes.failed(url)
                log.warning("%s refused the login of %s: %s", url, jid, error)
            except BaseException:
                backend.transport.abort()
                raise
            else:
                log.info("%s is on %s", jid, url)
                return backend, url
        raise Unavailable("no node is reachable")

    async def _plain(self, backend: ClientConnection, jid: str) -> None:
        """PLAIN in the user's name (RFC 4616)."""
        user = jid.partition("@")[0]
        login = f"\0{user}\0{self._gatekeeper.login_token(jid)}".encode()
        await backend.send(self._open)
        await backend.recv()
        await backend.recv()
        await backend.send(
            f"<auth xmlns='{SASL}' mechanism='PLAIN'>{base64.b64encode(login).decode()}</auth>"
        )
        if (answer := parse(await backend.recv())).tag != f"{{{SASL}}}success":
            raise Unavailable(answer[0].tag.rpartition("}")[2] if len(answer) else answer.tag)

    async def _pass_frames(self, client: Client, backend: ClientConnection) -> None:
        """Frames both ways until one side ends, then end the other in the same manner."""
        upward = asyncio.create_task(self._upward(client, backend))
        downward = asyncio.create_task(self._downward(backend, client))
        try:
            await asyncio.wait({upward, downward}, return_when=asyncio.FIRST_COMPLETED)
            if backend.close_code is None:
                await self._client_ended(client, backend, upward)
            elif backend.close_code == CloseCode.NORMAL_CLOSURE:
                await client.close()
            else:
                await client.close(CloseCode.SERVICE_RESTART, "the node is gone")
        finally:
            for task in (upward, downward):
                task.cancel()
            for error in await asyncio.gather(upward, downward, return_exceptions=True):
                if isinstance(error, Exception) and not isinstance(
                    error, (ConnectionClosed, Rejected)
                ):
                    log.error("%s: a bug in the gateway", client.jid, exc_info=error)

    async def _client_ended(
        self, client: Client, backend: ClientConnection, upward: asyncio.Task[None]
    ) -> None:
        """A rejected client's stream is closed; any other stays open at the node, so that it can be resumed.

        The node always gets a closing frame. When a connection with a stanza on its way just breaks, ejabberd 23.01 may wait for
        itself for 15 s, and lose the session.
        """
        rejected = upward.exception() if upward.done() else None
        if isinstance(rejected, Rejected):
            with contextlib.suppress(ConnectionClosed):
                await backend.send(f"<close xmlns='{FRAMING}'/>")
            await self._reject(client, str(rejected))
        await backend.close()

    async def _upward(self, client: Client, backend: ClientConnection) -> None:
        """Client to node: text only, within the stanza limit and the rate."""
        throttle = Throttle(self._rate)
        async for frame in client:
            if not isinstance(frame, str):
                return await client.close(CloseCode.UNSUPPORTED_DATA, "only text frames")
            if (size := len(frame.encode())) > STANZA_LIMIT:
                raise Rejected("policy-violation")
            await throttle.spend(size)
            await backend.send(frame)
        return None

    async def _downward(self, source: Connection, sink: Connection) -> None:
        async for frame in source:
            await sink.send(frame)

    async def _reject(self, client: Client, condition: str) -> None:
        """A stream error, then the end (RFC 7395, 3.4)."""
        log.info("%s ended: %s", client.jid, condition)
        with contextlib.suppress(ConnectionClosed):
            await client.send(
                f"<stream:error xmlns:stream='{STREAMS}'><{condition} xmlns='{STREAM_ERRORS}'/>"
                "</stream:error>"
            )
            await client.send(f"<close xmlns='{FRAMING}'/>")
        await client.close()


def quiet_logger() -> logging.Logger:
    """websockets' own log without the noise of port scans; it never logs headers at this level."""
    logger = logging.getLogger("gateway.websockets")
    logger.setLevel(logging.WARNING)
    logger.addFilter(lambda record: record.msg != "opening handshake failed")
    return logger


async def main(arguments: argparse.Namespace) -> None:
    """Listen until a signal; then every client is told that we go (1001)."""
    launch.stop_on_signals()
    gatekeeper = Gatekeeper(
        key=launch.read_secret(arguments.secret_file),
        domain=arguments.domain.lower(),
        origins=frozenset(arguments.origin),
        issuer=arguments.issuer,
        audience=arguments.audience,
    )
    gateway = Gateway(gatekeeper, Nodes(arguments.node), arguments.rate * 1000)
    context = None
    if arguments.tls_cert:
        context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        context.load_cert_chain(arguments.tls_cert, arguments.tls_key)
    server = await serve(
        gateway.serve,
        arguments.bind,
        arguments.port,
        ssl=context,
        process_request=gateway.check,
        subprotocols=[XMPP],
        create_connection=Client,
        compression=None,
        server_header=None,
        ping_interval=15,
        ping_timeout=10,
        close_timeout=1,
        max_size=FRAME_LIMIT,
        max_queue=QUEUE,
        logger=quiet_logger(),
    )
    async with server:
        print("Ready", flush=True)
        await server.serve_forever()


def options() -> argparse.Namespace:
    """The command line; the secret is a file, never an argument."""
    parser = argparse.ArgumentParser(prog="gateway", description=__doc__)
    add = parser.add_argument
    add("--bind", default="127.0.0.1")
    add("--port", type=int, required=True)
    add("--node", action="append", required=True, help="WebSocket URL of a node, repeatable")
    add("--domain", default="localhost")
    add("--secret-file", type=Path, required=True)
    add("--origin", action="append", default=[], help="web page origin that may connect")
    add("--issuer")
    add("--audience")
    add("--rate", type=int, default=256, help="kB/s one client may send")
    add("--tls-cert", type=Path)
    add("--tls-key", type=Path)
    return parser.parse_args()


if __name__ == "__main__":
    logging.basicConfig(
        level=logging.INFO, stream=sys.stdout, format="%(asctime)s %(levelname)s %(message)s"
    )
    launch.run(main(options()))
