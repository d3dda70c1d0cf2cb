"""Login on a fresh WebSocket: stream, SASL, then the old session again or a new one (RFC 6120, XEP-0198)."""

from __future__ import annotations

import base64
import binascii
import json
import logging
import xml.etree.ElementTree as ET
from dataclasses import dataclass, field
from typing import Final

from . import xml
from .errors import AuthRefused, ConnectFailed, HostUnknown, SessionReplaced, XmppError
from .management import ENABLE, StreamManagement
from .websocket import Frames

log = logging.getLogger("aoba_runtime.xmpp")

_OPEN: Final = f"{{{xml.FRAMING}}}open"
_CLOSE: Final = f"{{{xml.FRAMING}}}close"
_TEMPORARY: Final = frozenset({"temporary-auth-failure", "aborted"})


@dataclass(frozen=True, slots=True)
class Session:
    """What a login leads to: who we are, and what is to be done with what was sent before."""

    jid: str
    management: StreamManagement
    resumed: bool
    resend: list[str] = field(default_factory=list, repr=False)
    early: list[ET.Element] = field(default_factory=list, repr=False)
    """Stanzas that came in while the session was being set up."""


def stream_problem(element: ET.Element) -> XmppError:
    """The exception for a stream error (RFC 6120, 4.9.3)."""
    condition, text = xml.stream_error(element)
    words = f"the server ended the stream: {condition}" + (f" ({text})" if text else "")
    if condition == "conflict":
        return SessionReplaced(words)
    if condition == "not-authorized":
        return AuthRefused(words, condition)
    if condition == "host-unknown":
        return HostUnknown(f"{words}, so it does not serve this domain")
    return ConnectFailed(words)


async def log_in(
    frames: Frames,
    domain: str,
    token: str,
    *,
    may_send_token: bool,
    previous: tuple[str, StreamManagement] | None,
) -> Session:
    """Log in to `domain` and resume `previous` (its full JID and counters) or begin a new session.

    `may_send_token` is whether the link is private enough for SASL PLAIN. Raises `AuthRefused`, `SessionReplaced` or
    `ConnectFailed`; the caller limits the time.
    """
    stream = _Stream(frames)
    features = await stream.open(domain)
    await _authenticate(stream, features, token, may_send_token)
    features = await stream.open(domain)
    managed = features.find(f"{{{xml.MANAGEMENT}}}sm") is not None
    if previous is not None and managed:
        jid, management = previous
        stream.send(management.resumption())
        answer = await stream.next()
        if answer.tag == f"{{{xml.MANAGEMENT}}}resumed":
            return Session(jid, management, True, management.resume(answer))
        if answer.tag != f"{{{xml.MANAGEMENT}}}failed":
            raise ConnectFailed(f"the server answered <resume/> with {_name(answer)}")
        said = answer.findtext(f"./{{{xml.STANZAS}}}text") or ", ".join(map(_name, answer))
        log.warning("the session cannot be resumed: %s", said)
    return await _begin(stream, managed)


async def _authenticate(
    stream: _Stream, features: ET.Element, token: str, may_send_token: bool
) -> None:
    offered = {
        item.text
        for item in features.iterfind(f"./{{{xml.SASL}}}mechanisms/{{{xml.SASL}}}mechanism")
    }
    # RFC 6120, 6.4.2: "=" is a response of no bytes, here the empty authzid: whoever the cookie says.
    if "EXTERNAL" in offered:
        mechanism, response = "EXTERNAL", "="
    elif "PLAIN" in offered and may_send_token:
        mechanism = "PLAIN"
        response = base64.b64encode(f"\0{_user(token)}\0{token}".encode()).decode()
    elif "PLAIN" in offered:
        raise AuthRefused(
            "the server wants the token by SASL PLAIN, but the link is not private", ""
        )
    else:
        names = ", ".join(sorted(filter(None, offered))) or "nothing"
        raise AuthRefused(f"the server offers neither EXTERNAL nor PLAIN but {names}", "")
    stream.send(f"<auth xmlns='{xml.SASL}' mechanism='{mechanism}'>{response}</auth>")
    answer = await stream.next()
    if answer.tag == f"{{{xml.SASL}}}success":
        return
    if answer.tag != f"{{{xml.SASL}}}failure":
        raise ConnectFailed(f"the server answered SASL {mechanism} with {_name(answer)}")
    condition = next((_name(child) for child in answer if _name(child) != "text"), "unknown")
    words = f"the server refused the token (SASL {mechanism}: {condition})"
    raise ConnectFailed(words) if condition in _TEMPORARY else AuthRefused(words, condition)


async def _begin(stream: _Stream, managed: bool) -> Session:
    """Bind a resource of the server's choice (RFC 6120, 7.6), then turn stream management on."""
    stream.send(f"<iq xmlns='{xml.CLIENT}' type='set' id='bind'><bind xmlns='{xml.BIND}'/></iq>")
    answer = await stream.next()
    jid = answer.findtext(f"./{{{xml.BIND}}}bind/{{{xml.BIND}}}jid")
    if answer.get("type") != "result" or not jid:
        raise ConnectFailed(f"the server gave no resource: {xml.refusal(answer)[0]}")
    management = StreamManagement()
    early: list[ET.Element] = []
    if managed:
        stream.send(ENABLE)
        while (answer := await stream.next()).tag.startswith(f"{{{xml.CLIENT}}}"):
            early.append(answer)
        if answer.tag == f"{{{xml.MANAGEMENT}}}enabled":
            management.start(answer)
    return Session(jid, management, False, early=early)


class _Stream:
    """The frames of a login, one after the other."""

    def __init__(self, frames: Frames) -> None:
        self._frames = frames

    def send(self, frame: str) -> None:
        self._frames.write(frame)

    async def open(self, domain: str) -> ET.Element:
        """Open or restart the stream (RFC 7395, 3.4 and 3.8); the features that the server offers."""
        self.send(xml.open_stream(domain))
        if (answer := await self.next()).tag != _OPEN:
            raise ConnectFailed(f"the server opened no stream but sent {_name(answer)}")
        features = await self.next()
        if features.tag != f"{{{xml.STREAM}}}features":
            raise ConnectFailed(f"the server named no features but sent {_name(features)}")
        return features

    async def next(self) -> ET.Element:
        """The next element; a stream error, or the end of the stream, is raised."""
        frames = self._frames
        while not frames.backlog:
            if frames.ended.done():
                raise ConnectFailed(
                    f"the connection broke while logging in: {frames.ended.result()}"
                )
            frames.arrived.clear()
            await frames.arrived.wait()
        try:
            element = xml.parse(frames.backlog.popleft())
        except ValueError as problem:
            raise ConnectFailed(f"the server sent what is not XMPP: {problem}") from None
        if element.tag == xml.STREAM_ERROR:
            raise stream_problem(element)
        if element.tag == _CLOSE:
            raise ConnectFailed("the server closed the stream while logging in")
        return element


def _name(element: ET.Element) -> str:
    return element.tag.rpartition("}")[2]


def _user(token: str) -> str:
    """The local part of the JID that a JWT (RFC 7519) is for; its signature is the server's to check."""
    try:
        claims = token.split(".")[1]
        subject = json.loads(base64.urlsafe_b64decode(claims + "=" * (-len(claims) % 4)))["sub"]
        if isinstance(subject, str) and subject:
            return subject.partition("@")[0]
    except (IndexError, KeyError, TypeError, ValueError, binascii.Error):
        pass
    raise AuthRefused("the token names no user: it is no JWT with a `sub` claim", "")
