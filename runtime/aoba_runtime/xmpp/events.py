"""What a transport tells the application about its connection."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypeAlias

from .errors import XmppError


@dataclass(frozen=True, slots=True)
class Connected:
    """A new session is up, as the full JID `jid`. Peers that knew an earlier JID of ours must learn this one."""

    jid: str


@dataclass(frozen=True, slots=True)
class Reconnecting:
    """The connection broke, or could not be made again; attempt number `attempt` follows in `delay` seconds."""

    attempt: int
    delay: float
    reason: str


@dataclass(frozen=True, slots=True)
class Resumed:
    """The session `jid` goes on where it broke off, nothing lost (XEP-0198, section 5)."""

    jid: str


@dataclass(frozen=True, slots=True)
class Lost:
    """The connection is gone for good: `error` says why, and every send fails from now on."""

    error: XmppError


Event: TypeAlias = Connected | Reconnecting | Resumed | Lost
