"""Signals over XMPP on a WebSocket (RFC 7395): `async with xmpp.connect(url, token) as transport`."""

try:
    import slixmpp as _slixmpp  # noqa: F401 (only: is it there?)
    import websockets as _websockets  # noqa: F401 (only: is it there?)
except ImportError as error:
    raise ImportError(
        f"aoba_runtime.xmpp needs {error.name}: pip install 'aoba-runtime[xmpp]'", name=error.name
    ) from error

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
