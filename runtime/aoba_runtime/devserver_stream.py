"""One client's stream at the development server: frames, login, stream management; routing is not done here.

Framing is RFC 7395, login RFC 6120 sections 6 and 7, stream management XEP-0198. `Stream.run` reads; one task writes,
and everything that is written goes through its queue.
"""

from __future__ import annotations

import asyncio
import base64
import binascii
import secrets
from collections import deque
from typing import Final
from xml.etree.ElementTree import Element

from websockets.asyncio.server import ServerConnection
from websockets.exceptions import ConnectionClosed

from . import devserver_xml as xml
from .devserver_router import Router
from .devserver_session import AckTooHigh, Limits, Session
from .devserver_xml import Jid, XmlRefused, make

MAX_LOGIN_FAILURES: Final = 3
ASK_AFTER: Final = 8
"""Stanzas sent until the client is asked what it has handled; it is asked after `ASK_DELAY` seconds anyway."""
ASK_DELAY: Final = 1.0

_STANZAS: Final = frozenset({"iq", "message", "presence"})


class Stream:
    """A connection whose token was good, from the upgrade to its end. `user` is the token's `sub`."""

    def __init__(
        self, socket: ServerConnection, user: str, domain: str, router: Router, limits: Limits
    ) -> None:
        self._socket = socket
        self._user = user
        self._default_domain = domain
        self._router = router
        self._limits = limits
        self._account: Jid | None = None
        self._authenticated = False
        self._greeted = False
        self._opened = False
        self._challenged = False
        self._failures = 0
        self.session: Session | None = None
        self._out: deque[tuple[str, bool]] = deque()
        self._wake = asyncio.Event()
        self._over = False
        self._close_code = 1000
        self._unasked = 0
        self._ask: asyncio.TimerHandle | None = None

    async def run(self) -> None:
        """Serve the client until the connection has ended, then hibernate or end its session."""
        loop = asyncio.get_running_loop()
        login = loop.call_later(self._limits.login, self._too_slow)
        writer = loop.create_task(self._write())
        try:
            await self._read()
        except ConnectionClosed:
            pass
        finally:
            login.cancel()
            if self._ask is not None:
                self._ask.cancel()
            self._over = True
            self._wake.set()
            self._leave()
            await writer

    # What the router calls

    def push(self, stanza: Element) -> None:
        """Write a stanza after all that was pushed before."""
        session = self.session
        managed = session is not None and session.managed
        self._put(stanza, counted=session is not None and not managed)
        if managed:
            self._unasked += 1
            self._ask_soon()

    def end(self, condition: str, *details: Element, code: int = 1000) -> None:
        """Let go of the session, and end the stream with a stream error; `code` closes the WebSocket."""
        self.session = None
        if self._over:
            return
        if not self._greeted:  # an error comes after the header (RFC 6120, section 4.9.1.2)
            self._greet(self._default_domain)
        self._put(xml.stream_error(condition, *details))
        self._close(code)

    def _fail(self, condition: str, *details: Element) -> None:
        """The client broke the rules: its session is over, and so is the stream (RFC 6120, section 4.9.1.1)."""
        self._end_session()
        self.end(condition, *details)

    def _end_session(self) -> None:
        session, self.session = self.session, None
        if session is not None:
            self._router.end(session)

    # Writing

    def _put(self, element: Element, *, counted: bool = False) -> None:
        if not self._over:
            self._out.append((xml.text_of(element), counted))
            self._wake.set()

    def _close(self, code: int = 1000) -> None:
        self._put(make(xml.FRAMING, "close"))
        self._over = True
        self._close_code = code
        self._wake.set()

    async def _write(self) -> None:
        try:
            while True:
                while self._out:
                    text, counted = self._out[0]
                    async with asyncio.timeout(self._limits.stall):
                        await self._socket.send(text)
                    self._out.popleft()
                    if counted and self.session is not None and self.session.unsent:
                        self.session.unsent.popleft()
                if self._over:
                    async with asyncio.timeout(2):
                        await self._socket.close(self._close_code)
                    return
                self._wake.clear()
                await self._wake.wait()
        except TimeoutError:
            self._socket.transport.abort()
        except ConnectionClosed:
            pass

    def _ask_soon(self) -> None:
        """Ask what the client has handled, now or in a while (XEP-0198, section 4)."""
        if self._unasked >= ASK_AFTER:
            self._ask_now()
        elif self._ask is None:
            self._ask = asyncio.get_running_loop().call_later(ASK_DELAY, self._ask_now)

    def _ask_now(self) -> None:
        if self._ask is not None:
            self._ask.cancel()
            self._ask = None
        self._unasked = 0
        self._put(make(xml.SM, "r"))

    # Reading

    async def _read(self) -> None:
        loop = asyncio.get_running_loop()
        rate = self._limits.rate
        budget, since = 2 * rate, loop.time()
        while True:
            frame = await self._socket.recv()
            if self._over:
                continue  # until the peer's end of the closing handshake
            if isinstance(frame, bytes):
                self._end_session()
                self._over, self._close_code = True, 1003  # RFC 7395, section 3.2
                self._wake.set()
                continue
            self._frame(frame)
            now = loop.time()
            budget, since = min(2 * rate, budget + (now - since) * rate) - 1, now
            if budget < 0:
                await asyncio.sleep(-budget / rate)

    def _frame(self, frame: str) -> None:
        limit = self._limits.stanza if self._authenticated else self._limits.early_stanza
        if len(frame) > limit or (not frame.isascii() and len(frame.encode()) > limit):
            self._fail("policy-violation")
            return
        try:
            element = xml.parse(frame)
        except XmlRefused as refused:
            self._fail(refused.condition)
            return
        namespace, name = xml.split(element)
        if namespace == xml.FRAMING:
            self._framing(name, element)
        elif not self._opened:
            self._fail("bad-format" if namespace != xml.STREAM else "invalid-namespace")
        elif namespace == xml.SASL and not self._authenticated:
            self._sasl(name, element)
        elif namespace == xml.SM and self._authenticated:
            self._stream_management(name, element)
        elif namespace == xml.CLIENT and name in _STANZAS:
            self._stanza(name, element)
        else:
            self._fail("unsupported-stanza-type")

    def _framing(self, name: str, element: Element) -> None:
        if name == "close":
            self._end_session()
            self._close()
            return
        domain = element.get("to", "").lower()
        served = domain in self._router.domains
        local, _, only = self._user.lower().partition("@")
        account = Jid(local, domain)
        if name != "open" or self._opened:
            self._fail("bad-format")
            return
        self._greet(domain if served else self._default_domain)
        if not served or (self._account is not None and account != self._account):
            self._fail("host-unknown")
        elif element.get("version") != "1.0":
            self._fail("unsupported-version")
        elif only and only != domain:
            self._fail("not-authorized")
        else:
            self._opened = True
            self._account = account
            self._put(self._features())

    def _greet(self, domain: str) -> None:
        self._greeted = True
        opened = make(xml.FRAMING, "open", from_=domain, id=secrets.token_hex(8), version="1.0")
        opened.set(f"{{{xml.XML}}}lang", "en")
        self._put(opened)

    def _features(self) -> Element:
        if not self._authenticated:
            mechanism = make(xml.SASL, "mechanism", text="EXTERNAL")
            return make(xml.STREAM, "features", make(xml.SASL, "mechanisms", mechanism))
        session = make(xml.SESSION, "session", make(xml.SESSION, "optional"))
        return make(xml.STREAM, "features", make(xml.BIND, "bind"), session, make(xml.SM, "sm"))

    # Login

    def _too_slow(self) -> None:
        if self.session is None:
            self._fail("connection-timeout")

    def _sasl(self, name: str, element: Element) -> None:
        """SASL EXTERNAL (RFC 6120, section 6; RFC 4422, appendix A): the cookie has proven who it is already."""
        data = element.text or ""
        if name == "auth" and element.get("mechanism") != "EXTERNAL":
            self._sasl_failed("invalid-mechanism")
        elif name == "auth" and not data:
            self._challenged = True
            self._put(make(xml.SASL, "challenge"))
        elif name == "auth" or (name == "response" and self._challenged):
            self._challenged = False
            self._authorize("" if data == "=" else data)
        else:
            self._sasl_failed("aborted" if name == "abort" else "malformed-request")

    def _authorize(self, data: str) -> None:
        try:
            authzid = base64.b64decode(data, validate=True).decode()
        except (binascii.Error, ValueError):
            self._sasl_failed("incorrect-encoding")
            return
        if authzid and authzid.lower() != str(self._account):
            self._sasl_failed("not-authorized")
            return
        self._authenticated = True
        self._opened = False  # the client starts the stream anew
        self._put(make(xml.SASL, "success"))

    def _sasl_failed(self, condition: str) -> None:
        self._challenged = False
        self._failures += 1
        self._put(make(xml.SASL, "failure", make(xml.SASL, condition)))
        if self._failures >= MAX_LOGIN_FAILURES:
            self._fail("policy-violation")

    def _bind(self, iq: Element) -> None:
        assert self._account is not None
        wanted = (iq[0].findtext(f"{{{xml.BIND}}}resource") or "").strip()
        try:
            Jid.parse(f"{self._account}/{wanted}" if wanted else str(self._account))
        except ValueError:
            self._put(xml.error_of(iq, "bad-request"))
            return
        session = self._router.bind(self._account, wanted, self)
        if session is None:
            self._put(xml.error_of(iq, "resource-constraint"))
            return
        self.session = session
        bound = make(xml.BIND, "bind", make(xml.BIND, "jid", text=str(session.jid)))
        self._put(make(xml.CLIENT, "iq", bound, type="result", id=iq.get("id", "")))

    # Stanzas

    def _stanza(self, name: str, element: Element) -> None:
        session = self.session
        if session is not None:
            session.count()
            self._router.take(session, element)
        elif (
            self._authenticated
            and name == "iq"
            and element.get("type") == "set"
            and element.get("id")
            and len(element) == 1
            and xml.split(element[0]) == (xml.BIND, "bind")
        ):
            self._bind(element)
        else:
            self._fail("not-authorized")  # RFC 6120, sections 4.9.3.12 and 7.1

    # Stream management

    def _stream_management(self, name: str, element: Element) -> None:
        session = self.session
        if name == "resume" and session is None:
            self._resume(element)
        elif name == "enable" and session is not None and not session.managed:
            session.manage(element.get("resume") in ("true", "1"))
            enabled = make(xml.SM, "enabled")
            if session.resume_id is not None:
                enabled.set("id", session.resume_id)
                enabled.set("resume", "true")
                enabled.set("max", f"{self._limits.hibernation:.0f}")
            self._put(enabled)
        elif name in ("enable", "resume"):
            self._sm_failed("unexpected-request")
        elif session is None or not session.managed or name not in ("r", "a"):
            self._fail("unsupported-stanza-type")
        elif name == "r":
            self._put(make(xml.SM, "a", h=str(session.received)))
        else:
            self._acknowledge(session, element)

    def _acknowledge(self, session: Session, element: Element) -> bool:
        handled = element.get("h", "")
        if not (handled.isascii() and handled.isdigit() and len(handled) <= 10):
            self._fail("bad-format")
            return False
        try:
            session.acknowledge(int(handled))
        except AckTooHigh as error:
            detail = make(xml.SM, "handled-count-too-high", h=handled)
            detail.set("send-count", str(error.sent))
            self._fail("undefined-condition", detail)
            return False
        return True

    def _resume(self, element: Element) -> None:
        assert self._account is not None
        session = self._router.resumable(self._account, element.get("previd", ""))
        if session is None:
            self._sm_failed("item-not-found")
            return
        if not self._acknowledge(session, element):
            return
        if session.link is not None:
            session.link.end("conflict")
        session.wake(self)
        self.session = session
        resumed = make(xml.SM, "resumed", h=str(session.received))
        resumed.set("previd", session.resume_id or "")
        self._put(resumed)
        for stanza in session.unacked:
            self.push(stanza)

    def _sm_failed(self, condition: str) -> None:
        self._put(make(xml.SM, "failed", make(xml.STANZA_ERRORS, condition)))

    def _leave(self) -> None:
        """The connection is over: the session waits to be resumed, or ends with it."""
        session, self.session = self.session, None
        if session is None:
            return
        if session.resume_id is None:
            self._router.end(session)
            return
        timer = asyncio.get_running_loop().call_later(
            self._limits.hibernation, self._router.end, session
        )
        session.hibernate(timer.cancel)
