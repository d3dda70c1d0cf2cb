"""One connection to one server, made again whenever it breaks: the only owner of the socket and of the task below it."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import ssl as tls
import xml.etree.ElementTree as ET
from dataclasses import dataclass, field
from typing import Any, Final, Protocol, cast
from urllib.parse import urlsplit

from ..links import FIRST_DELAY, LONGEST_DELAY, Backoff, Token, fresh_token, is_loopback
from . import xml
from .client import WebSocketClient
from .errors import AuthRefused, ConnectFailed, SessionReplaced, XmppError
from .events import Connected, Event, Lost, Resumed
from .login import Session, log_in, stream_problem
from .management import REQUEST, StreamManagement
from .websocket import Frames, open_websocket

__all__ = ["FIRST_DELAY", "LONGEST_DELAY", "Connection", "Handler", "Settings", "Token"]

_STEADY: Final = 1.0
_BRIEF: Final = 2
_MOST_UNCONFIRMED: Final = 10_000
_CLOSE_FRAME: Final = f"{{{xml.FRAMING}}}close"
_MANAGEMENT: Final = f"{{{xml.MANAGEMENT}}}"

log = logging.getLogger("aoba_runtime.xmpp")


@dataclass(frozen=True, slots=True)
class Settings:
    """Where and how to connect. Times are in seconds."""

    url: str
    domain: str
    token: Token = field(repr=False)
    ssl: tls.SSLContext | None = None
    proxy: str | bool | None = None
    open_timeout: float = 10.0

    @property
    def may_send_token(self) -> bool:
        """Whether the link is private enough for the token itself: TLS, or not leaving this machine."""
        return urlsplit(self.url).scheme == "wss" or is_loopback(self.url)


class Handler(Protocol):
    """Who uses a connection. Everything is called in order, from the event loop, and must not block."""

    def take(self, iq: ET.Element) -> bool:
        """An IQ has arrived; False leaves it to slixmpp."""
        ...

    def seen(self, presence: ET.Element) -> None:
        """A presence has arrived."""

    def up(self, resumed: bool) -> None:
        """The session is there; what waited can be written."""

    def happened(self, event: Event) -> None:
        """Something that the application wants to know."""


class Connection:
    """Logs in, reads, writes, and starts again with growing, random delays until it is closed or refused."""

    def __init__(self, settings: Settings, client: WebSocketClient, handler: Handler) -> None:
        self.jid = ""
        self.up = False
        self._settings = settings
        self._client = client
        self._handler = handler
        self._management = StreamManagement()
        self._frames: Frames | None = None
        self._task: asyncio.Task[None] | None = None
        self._first: asyncio.Future[None] | None = None
        self._problem: XmppError | None = None
        self._closing = False
        self._acknowledged = asyncio.Event()

    async def start(self) -> None:
        """Connect and log in; raises `XmppError` when the first attempt fails, and then nothing is left running."""
        self._client.begin()
        self._first = asyncio.get_running_loop().create_future()
        self._task = asyncio.create_task(self._run(), name="aoba_runtime.xmpp")
        try:
            await self._first
        except BaseException:
            await self.close()
            raise

    async def close(self) -> None:
        """End the session properly, within a second or so, and leave nothing behind."""
        task, self._task = self._task, None
        self._closing = True
        try:
            if self.up:
                with contextlib.suppress(TimeoutError):
                    async with asyncio.timeout(1.0):
                        await self._client.waiting_queue.join()
            if self._frames is not None:
                self.up = False
                self._frames.finish(xml.CLOSE)
                await asyncio.wait([self._frames.ended])
        finally:
            if task is not None:
                task.cancel()
                await asyncio.wait([task])
            await self._client.end()

    def write(self, stanza: str, waiter: asyncio.Future[Any] | None = None) -> None:
        """Write one stanza now; when the link breaks it is written again on resumption, unless `waiter` is done by then."""
        frames = self._frames
        if frames is None:
            return
        ask = self._management.sent(stanza, waiter)
        frames.write(stanza)
        if ask:
            frames.write(REQUEST)
            if len(self._management.unconfirmed) > _MOST_UNCONFIRMED:
                frames.abort("the server confirms nothing")

    def _write_for_slixmpp(self, frame: str) -> None:
        if not xml.is_stanza(frame):
            if self._frames is not None:
                self._frames.write(frame)
        elif self._frames is not None:
            self.write(frame)
        elif self._management.resumable:
            self._management.sent(frame)

    async def _run(self) -> None:
        try:
            await self._keep_up()
        except Exception as error:
            log.exception("the connection's task failed")
            self._lose(ConnectFailed(f"internal error: {type(error).__name__}"))

    async def _keep_up(self) -> None:
        loop = asyncio.get_running_loop()
        # A link that comes up but breaks soon is worth quick attempts, though not without any pause.
        backoff = Backoff(steady=_STEADY, brief=_BRIEF)
        while True:
            began = loop.time()
            try:
                reason = await self._live()
            except (AuthRefused, SessionReplaced) as error:
                self._lose(error)
                return
            except XmppError as error:
                if self._first is not None and not self._first.done():
                    self._lose(error)
                    return
                reason = str(error)
            else:
                if self._closing:
                    return
                backoff.held(loop.time() - began)
            again = backoff.next(reason)
            log.info(
                "connection lost (%s), attempt %d in %.2f s", reason, again.attempt, again.delay
            )
            self._handler.happened(again)
            await asyncio.sleep(again.delay)

    def _lose(self, error: XmppError) -> None:
        if self._first is not None and not self._first.done():
            self._first.set_exception(error)
            return
        log.error("connection given up: %s", error)
        self._handler.happened(Lost(error))

    async def _live(self) -> str:
        """One connection from handshake to end; the reason why it ended."""
        settings = self._settings
        token = await fresh_token(settings.token, settings.open_timeout)
        frames = await open_websocket(
            settings.url,
            token,
            ssl=settings.ssl,
            proxy=settings.proxy,
            timeout=settings.open_timeout,
        )
        self._problem = None
        try:
            previous = (self.jid, self._management) if self._management.resumable else None
            try:
                async with asyncio.timeout(settings.open_timeout):
                    session = await log_in(
                        frames,
                        settings.domain,
                        token,
                        may_send_token=settings.may_send_token,
                        previous=previous,
                    )
            except TimeoutError:
                raise ConnectFailed("the login took too long") from None
            if previous is not None and not session.resumed:
                self._client.event("session_end")
            self._begin(frames, session)
            if not session.resumed:
                await self._announce(frames)
            self._tell(session)
            reason = await frames.ended
            if self._problem is not None and not isinstance(self._problem, ConnectFailed):
                raise self._problem
            return str(self._problem or reason)
        finally:
            self.up = False
            self._frames = None
            self._client.link_down("disconnected", self._management.resumable)
            if not frames.ended.done():
                frames.abort("given up")
                await frames.ended

    async def _announce(self, frames: Frames) -> None:
        """Become available, and wait until the server has dealt with that, so that who is told our JID can use it."""
        await self._client.announce()
        await self._client.waiting_queue.join()
        if self._management.enabled:
            self._acknowledged.clear()
            frames.write(REQUEST)
            waiting: asyncio.Future[Any] = asyncio.ensure_future(self._acknowledged.wait())
            try:
                await asyncio.wait(
                    {waiting, cast(asyncio.Future[Any], frames.ended)},
                    timeout=self._settings.open_timeout,
                    return_when=asyncio.FIRST_COMPLETED,
                )
            finally:
                waiting.cancel()

    def _begin(self, frames: Frames, session: Session) -> None:
        """Go from login to session without a gap: first what was lost, then what waited, then what came in meanwhile."""
        self._frames = frames
        self._management = session.management
        self.jid = session.jid
        for frame in session.resend:
            frames.write(frame)
        self._client.link_up(frames, self._write_for_slixmpp)
        self.up = True
        self._handler.up(session.resumed)
        for element in session.early:
            self._element(element)
        while frames.backlog:
            self._frame(frames.backlog.popleft())
        frames.on_frame = self._frame
        self._client.session_up(session.jid, session.resumed)

    def _tell(self, session: Session) -> None:
        log.info("session %s as %s", "resumed" if session.resumed else "started", session.jid)
        self._handler.happened(Resumed(session.jid) if session.resumed else Connected(session.jid))
        if self._first is not None and not self._first.done():
            self._first.set_result(None)

    def _frame(self, frame: str) -> None:
        if frame == REQUEST:  # as most servers write it, after most stanzas: not worth a parser
            self._managed("r")
            return
        try:
            element = xml.parse(frame)
        except ValueError as problem:
            self._drop(f"the server sent what is not XMPP: {problem}")
            return
        self._element(element)

    def _element(self, element: ET.Element) -> None:
        tag = element.tag
        if tag.startswith(_MANAGEMENT):
            self._managed(tag[len(_MANAGEMENT) :], element)
        elif tag == xml.STREAM_ERROR:
            self._problem = stream_problem(element)
        elif tag == _CLOSE_FRAME:
            self._problem = self._problem or ConnectFailed("the server closed the stream")
            if self._frames is not None:
                self._frames.finish(xml.CLOSE)
        else:
            try:
                if tag == xml.PRESENCE:
                    self._handler.seen(element)
                if tag != xml.IQ or not self._handler.take(element):
                    self._client._spawn_event(element)
            except Exception as error:
                log.error("a stanza was not dealt with: %s", type(error).__name__)
            self._management.received()

    def _managed(self, name: str, element: ET.Element | None = None) -> None:
        if name == "a" and element is not None:
            self._management.confirmed(element)
            self._acknowledged.set()
        elif name == "r" and self._frames is not None:
            # Whoever waited for the stanza before may now send the next one: both go out together.
            self._frames.write(self._management.acknowledgement(), urgent=False)

    def _drop(self, why: str) -> None:
        if self._frames is not None:
            self._frames.abort(why)
