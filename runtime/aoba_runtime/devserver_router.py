"""The development server's core: who is online, and where each stanza goes; knows no socket, no clock and no task.

Routing is RFC 6120, section 10 and RFC 6121, section 8, with what a call server adds and a real one leaves to its
administrator: an IQ with a call for a bare JID is forked to the account's devices, and everybody sees everybody's
presence. `from` is always stamped with the sender's full JID, whatever the client wrote there.
"""

from __future__ import annotations

import logging
import secrets
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Final
from xml.etree.ElementTree import Element

from . import devserver_xml as xml
from .devserver_session import Limits, Link, Session, TooManyUnread
from .devserver_xml import Jid, addressed, error_of, make

log = logging.getLogger("aoba_runtime")

FORK_SECONDS: Final = 60.0
"""How long the devices of a forked IQ have to answer."""

_SERVER_FEATURES: Final = (xml.DISCO_INFO, xml.DISCO_ITEMS, xml.PING)
_ACCOUNT_FEATURES: Final = (xml.DISCO_INFO, xml.DISCO_ITEMS, xml.PING, xml.CALL)


@dataclass(eq=False)
class _Fork:
    """An IQ that went to every device of an account: the caller gets one answer, from the bare JID."""

    caller: Session
    request: Element
    until: float
    waiting: set[tuple[Jid, str]] = field(default_factory=set)
    error: Element | None = None
    settled: bool = False


class Router:
    """Every session of the server, and the way between them. `clock` counts seconds from anywhere, never back."""

    def __init__(self, domains: Iterable[str], limits: Limits, clock: Callable[[], float]) -> None:
        self.domains: Final = frozenset(domain.lower() for domain in domains)
        self._limits = limits
        self._clock = clock
        self._accounts: dict[Jid, dict[str, Session]] = {}
        self._count = 0
        self._forks: dict[tuple[Jid, str], _Fork] = {}

    @property
    def sessions(self) -> list[Session]:
        """The bound sessions, those that wait to be resumed among them."""
        return [session for account in self._accounts.values() for session in account.values()]

    def bind(self, account: Jid, resource: str, link: Link) -> Session | None:
        """A new session of `account`; `None` when the server is full.

        An empty `resource` lets the server choose. A taken one goes to the newcomer and the older stream ends with
        `conflict`, as Prosody and ejabberd do it (RFC 6120, section 7.7.2.2).
        """
        if resource and (older := self._accounts.get(account, {}).get(resource)):
            if older.link is not None:
                older.link.end("conflict")
            self.end(older)
        if self._count >= self._limits.sessions:
            return None
        jid = account._replace(resource=resource or f"dev-{secrets.token_hex(6)}")
        session = Session(jid, self._limits.queue, link)
        self._accounts.setdefault(account, {})[jid.resource] = session
        self._count += 1
        return session

    def resumable(self, account: Jid, resume_id: str) -> Session | None:
        """The account's session of that stream management id."""
        for session in self._accounts.get(account, {}).values():
            if session.resume_id is not None and secrets.compare_digest(
                session.resume_id.encode(), resume_id.encode()
            ):
                return session
        return None

    def end(self, session: Session) -> None:
        """Take a session off: it becomes unavailable, and what it still held is answered `recipient-unavailable`."""
        if session.ended:
            return
        session.ended = True
        account = self._accounts[session.jid.bare]
        del account[session.jid.resource]
        self._count -= 1
        if not account:
            del self._accounts[session.jid.bare]
        for key in [key for key, fork in self._forks.items() if fork.caller is session]:
            del self._forks[key]
        held = [*session.unsent, *session.unacked]
        session.wake(None)
        session.unacked.clear()
        for stanza in held:
            self._bounce(stanza, "recipient-unavailable")
        for key in [key for key in self._forks if key[0] == session.jid]:
            self._answer_fork(key, None)
        if session.presence is not None:
            gone = make(xml.CLIENT, "presence", type="unavailable", from_=str(session.jid))
            session.presence = None
            self._broadcast(gone)

    def take(self, session: Session, stanza: Element) -> None:
        """Route a stanza that a client sent."""
        stanza = addressed(stanza, from_=str(session.jid))
        _, kind = xml.split(stanza)
        try:
            to = Jid.parse(stanza.get("to", "")) if "to" in stanza.attrib else None
        except ValueError:
            self._refuse(session, stanza, "jid-malformed", from_=str(session.jid.bare))
            return
        {"iq": self._iq, "message": self._message, "presence": self._presence}[kind](
            session, stanza, to
        )

    # IQ

    def _iq(self, session: Session, iq: Element, to: Jid | None) -> None:
        kind = iq.get("type")
        request = kind in ("get", "set")
        if (
            not iq.get("id")
            or not (request or kind in ("result", "error"))
            or (request and len(iq) != 1)
        ):
            self._refuse(session, iq, "bad-request")
        elif not request:
            self._iq_answer(session, iq, to)
        elif to is None:
            self._iq_server(session, iq, session.jid.bare)
        elif to.domain not in self.domains:
            self._refuse(session, iq, "remote-server-not-found")
        elif not to.local:
            self._iq_server(session, iq, to)
        elif to.resource:
            self._to_full(session, iq, to)
        elif kind == "set" and xml.split(iq[0])[0] == xml.CALL:
            self._fork(session, iq, to)
        else:
            self._iq_server(session, iq, to)

    def _iq_answer(self, session: Session, iq: Element, to: Jid | None) -> None:
        key = (session.jid, iq.get("id", ""))
        if (fork := self._forks.get(key)) is not None and to == fork.caller.jid:
            self._answer_fork(key, iq)
        elif to is not None and to.resource and (peer := self._session(to)) is not None:
            self._hand(peer, iq)

    def _iq_server(self, session: Session, iq: Element, to: Jid) -> None:
        """Answer an IQ as the server (RFC 6120, section 10.5.1) or on behalf of the account `to`."""
        namespace, name = xml.split(iq[0])
        account = bool(to.local)
        payload: Element | None = None
        if iq.get("type") == "get" and (namespace, name) == (xml.DISCO_INFO, "query"):
            if iq[0].get("node"):
                self._refuse(session, iq, "item-not-found")
                return
            features = _ACCOUNT_FEATURES if account else _SERVER_FEATURES
            category, kind = ("account", "registered") if account else ("server", "im")
            identity = make(namespace, "identity", category=category, type=kind)
            payload = make(
                namespace, "query", identity, *(make(namespace, "feature", var=v) for v in features)
            )
        elif iq.get("type") == "get" and (namespace, name) == (xml.DISCO_ITEMS, "query"):
            devices = self._available(to) if account else []
            payload = make(
                namespace, "query", *(make(namespace, "item", jid=str(d.jid)) for d in devices)
            )
        elif iq.get("type") == "get" and (namespace, name) == (xml.ROSTER, "query"):
            payload = make(namespace, "query")
        elif (namespace, name) not in ((xml.PING, "ping"), (xml.SESSION, "session")):
            self._refuse(session, iq, "service-unavailable")
            return
        answer = make(xml.CLIENT, "iq", type="result", id=iq.get("id", ""), to=str(session.jid))
        if "to" in iq.attrib:
            answer.set("from", str(to))
        if payload is not None:
            answer.append(payload)
        self._hand(session, answer)

    def _fork(self, session: Session, iq: Element, to: Jid) -> None:
        now = self._clock()
        while self._forks and (oldest := next(iter(self._forks.items())))[1].until <= now:
            del self._forks[oldest[0]]
        devices = [device for device in self._available(to) if device is not session]
        if not devices:
            self._refuse(session, iq, "service-unavailable")
            return
        fork = _Fork(session, iq, now + FORK_SECONDS)
        copies = [(device, f"fork-{secrets.token_hex(8)}") for device in devices]
        for device, fresh in copies:
            fork.waiting.add((device.jid, fresh))
            self._forks[device.jid, fresh] = fork
        for device, fresh in copies:
            try:
                device.deliver(addressed(iq, to=str(device.jid), id=fresh))
            except TooManyUnread:
                self._answer_fork(
                    (device.jid, fresh), error_of(iq, "resource-constraint", from_=str(to))
                )

    def _answer_fork(self, key: tuple[Jid, str], answer: Element | None) -> None:
        """Take one device's answer (`None`: it left); the first result wins, an error when nobody has better."""
        fork = self._forks.pop(key)
        fork.waiting.discard(key)
        if fork.settled or fork.caller.ended:
            return
        bare = fork.request.get("to", "")
        if answer is not None and answer.get("type") == "error" and fork.error is None:
            fork.error = answer
        if answer is None or answer.get("type") == "error":
            if fork.waiting:
                return
            answer = fork.error or error_of(fork.request, "recipient-unavailable")
        fork.settled = True
        self._hand(
            fork.caller,
            addressed(answer, from_=bare, to=str(fork.caller.jid), id=fork.request.get("id", "")),
        )

    # Messages

    def _message(self, session: Session, message: Element, to: Jid | None) -> None:
        to = session.jid.bare if to is None else to
        kind = message.get("type", "normal")
        if to.domain not in self.domains:
            self._refuse(session, message, "remote-server-not-found")
        elif to.resource and self._session(to) is not None:
            self._to_full(session, message, to)
        elif not to.local or (to.resource and kind != "chat") or kind in ("groupchat", "error"):
            self._refuse(session, message, "service-unavailable")
        else:
            # Every device with a priority that is not negative (RFC 6121, section 8.5.2.1.1).
            devices = [d for d in self._available(to.bare) if (d.priority or 0) >= 0]
            if not devices and kind != "headline":
                self._refuse(session, message, "service-unavailable")
            for device in devices:
                self._hand(device, message)

    # Presence

    def _presence(self, session: Session, presence: Element, to: Jid | None) -> None:
        kind = presence.get("type")
        if to is not None:
            self._presence_to(session, presence, to, kind)
        elif kind == "unavailable":
            if session.presence is not None:
                self._broadcast(presence)
                session.presence = None
        elif kind is None:
            first = session.presence is None
            session.presence = presence
            self._broadcast(presence)
            if first:
                for other in self.sessions:
                    if other is not session and other.presence is not None:
                        self._hand(session, addressed(other.presence, to=str(session.jid.bare)))

    def _presence_to(self, session: Session, presence: Element, to: Jid, kind: str | None) -> None:
        if kind == "subscribe" and to.domain in self.domains:
            answer = make(
                xml.CLIENT, "presence", type="subscribed", from_=str(to.bare), to=str(session.jid)
            )
            self._hand(session, answer)
        elif kind == "probe":
            for device in self._available(to.bare):
                if device.presence is not None:
                    self._hand(session, addressed(device.presence, to=str(session.jid.bare)))
        elif kind in (None, "unavailable"):
            peer = self._session(to)
            for device in [peer] if peer else [] if to.resource else self._available(to):
                self._hand(device, presence)

    def _broadcast(self, presence: Element) -> None:
        for other in self.sessions:
            if other.presence is not None:
                self._hand(other, addressed(presence, to=str(other.jid.bare)))

    # Delivery

    def _session(self, jid: Jid) -> Session | None:
        return self._accounts.get(jid.bare, {}).get(jid.resource)

    def _available(self, account: Jid) -> list[Session]:
        return [s for s in self._accounts.get(account, {}).values() if s.presence is not None]

    def _to_full(self, session: Session, stanza: Element, to: Jid) -> None:
        peer = self._session(to)
        if peer is None:
            self._refuse(session, stanza, "service-unavailable")
            return
        try:
            peer.deliver(stanza)
        except TooManyUnread:
            self._refuse(session, stanza, "resource-constraint")

    def _hand(self, session: Session, stanza: Element) -> None:
        """Deliver what nobody waits for an answer to; dropped when the queue is full."""
        try:
            session.deliver(stanza)
        except TooManyUnread:
            log.warning("dropped a stanza for %s: it leaves too many unread", session.jid)

    def _refuse(
        self, session: Session, stanza: Element, condition: str, *, from_: str | None = None
    ) -> None:
        """Answer a stanza with an error, unless it is itself an answer or presence (RFC 6120, section 8.3.1)."""
        if stanza.get("type") in ("error", "result") or xml.split(stanza)[1] == "presence":
            return
        self._hand(
            session, addressed(error_of(stanza, condition, from_=from_), to=str(session.jid))
        )

    def _bounce(self, stanza: Element, condition: str) -> None:
        """Answer a stanza that could not be delivered after all, to whoever sent it."""
        try:
            sender = self._session(Jid.parse(stanza.get("from", "")))
            device = Jid.parse(stanza.get("to", ""))
        except ValueError:
            return  # the server's own
        if sender is not None and (device, stanza.get("id", "")) not in self._forks:
            self._refuse(sender, stanza, condition)
