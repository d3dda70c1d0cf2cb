"""Why there is no connection: what `connect` raises, and what the event `Lost` carries."""

from __future__ import annotations


class XmppError(ConnectionError):
    """There is no XMPP session. Catch this one for all of them."""


class ConnectFailed(XmppError):
    """The server could not be reached, or did not speak XMPP over WebSocket; trying again may help."""


class AuthRefused(XmppError):
    """The server did not accept the token; trying again with the same one is useless, so nothing is retried.

    `condition` is the HTTP status ("401") or the SASL condition ("not-authorized", RFC 6120, 6.5).
    """

    def __init__(self, text: str, condition: str) -> None:
        super().__init__(text)
        self.condition = condition


class SessionReplaced(XmppError):
    """The server gave our place to another session of the same user (stream error `conflict`, RFC 6120, 4.9.3.3)."""


class InsecureUrl(ValueError):
    """A ws:// URL to another machine: the token would travel for everybody to read."""
