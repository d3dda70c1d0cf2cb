"""Whether what a command is given is a JID, or the domain of one; only XMPP's library knows, which takes a while to import."""

from __future__ import annotations

from .cli_common import EXIT_BADLY, no_traceback
from .errors import PeerUnavailable


def is_jid(text: str) -> bool:
    """Whether it is an account or one device of it, and so has a local part."""
    with no_traceback(EXIT_BADLY):
        from .xmpp.addressing import normal

        try:
            return "@" in normal(text).partition("/")[0]
        except PeerUnavailable:
            return False


def is_domain(text: str) -> bool:
    """Whether it can stand behind the @ of a JID."""
    return "/" not in text and is_jid(f"somebody@{text}")
