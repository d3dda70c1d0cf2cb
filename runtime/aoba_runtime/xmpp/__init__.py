"""Signals over XMPP on a WebSocket (RFC 7395): `async with xmpp.connect(url, token) as transport`."""

from ..extras import require_extra

require_extra("xmpp", __name__, "slixmpp", "websockets")

from ..links import Token
from .errors import AuthRefused, ConnectFailed, InsecureUrl, SessionReplaced, XmppError
from .events import Connected, Event, Lost, Reconnecting, Resumed
from .transport import XmppTransport, connect

__all__ = [
    "AuthRefused",
    "ConnectFailed",
    "Connected",
    "Event",
    "InsecureUrl",
    "Lost",
    "Reconnecting",
    "Resumed",
    "SessionReplaced",
    "Token",
    "XmppError",
    "XmppTransport",
    "connect",
]
