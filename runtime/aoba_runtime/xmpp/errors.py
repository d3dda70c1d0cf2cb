"""Why there is no connection: what `connect` raises, and what the event `Lost` carries."""

from __future__ import annotations

from ..links import AuthRefused, ConnectFailed, HostUnknown, InsecureUrl
from ..links import LinkError as XmppError

__all__ = [
    "AuthRefused",
    "ConnectFailed",
    "HostUnknown",
    "InsecureUrl",
    "SessionReplaced",
    "XmppError",
]


class SessionReplaced(XmppError):
    """The server gave our place to another session of the same user (stream error `conflict`, RFC 6120, 4.9.3.3)."""
