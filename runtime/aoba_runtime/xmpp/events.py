"""What a transport tells the application about its connection."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypeAlias

from .. import links
from ..links import Lost, Reconnecting

__all__ = ["Connected", "Event", "Lost", "Reconnecting", "Resumed"]


@dataclass(frozen=True, slots=True)
class Connected(links.Connected):
    """A new session is up, as the full JID `jid`. Peers that knew an earlier JID of ours must learn this one."""

    jid: str


@dataclass(frozen=True, slots=True)
class Resumed:
    """The session `jid` goes on where it broke off, nothing lost (XEP-0198, section 5)."""

    jid: str


Event: TypeAlias = Connected | Reconnecting | Resumed | Lost
