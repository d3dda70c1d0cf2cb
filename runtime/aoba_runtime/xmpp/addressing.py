"""Who takes a signal for a bare JID: presence, capabilities, and what the server says that it routes."""

from __future__ import annotations

import asyncio
import xml.etree.ElementTree as ET
from collections import OrderedDict
from collections.abc import Awaitable, Callable
from functools import lru_cache
from typing import Final, Literal, TypeAlias

from slixmpp import JID, InvalidJID

from ..errors import Fault, PeerUnavailable
from . import xml

Route: TypeAlias = Literal["auto", "bare"]
"""What becomes of a bare JID: resolved here, or sent as it is for the server to route."""

Ask: TypeAlias = Callable[[str], Awaitable[frozenset[str]]]
"""Asks a JID for its features (XEP-0030); raises a `Fault` when it does not say."""

MAX_ACCOUNTS: Final = 10_000
"""How many accounts are remembered."""
MAX_RESOURCES: Final = 50
"""How many resources of one account are remembered, and so how far a signal is forked at most."""


@lru_cache(maxsize=1024)
def normal(jid: str) -> str:
    """A JID in normal form (RFC 7622), as servers stamp it; raises `PeerUnavailable` for what is none."""
    try:
        return str(JID(jid).full)
    except InvalidJID:
        raise PeerUnavailable(f"{jid!r} is no JID") from None


class Addressing:
    """The resources that are online, whether each takes signals, and whether servers route bare JIDs by themselves."""

    def __init__(self, ask: Ask, route: Route) -> None:
        self._ask = ask
        self._route = route
        self._online: OrderedDict[str, dict[str, str]] = OrderedDict()
        self._capable: dict[tuple[str, str], bool] = {}
        self._routed: dict[str, bool] = {}

    def reset(self) -> None:
        """Forget everything: a new session begins, and the server will tell who is online."""
        self._online.clear()
        self._capable.clear()
        self._routed.clear()

    def seen(self, presence: ET.Element) -> None:
        """Note who comes and goes (RFC 6121, section 4)."""
        sender, kind = presence.get("from", ""), presence.get("type")
        bare, _, resource = sender.partition("/")
        if kind is None and resource:
            caps = presence.find(f"{{{xml.CAPS}}}c")
            version = "" if caps is None else f"{caps.get('node')}#{caps.get('ver')}"
            known = self._online.setdefault(bare, {})
            self._online.move_to_end(bare)
            if len(known) < MAX_RESOURCES or sender in known:
                known[sender] = version
            if len(self._online) > MAX_ACCOUNTS:
                for gone, old in self._online.popitem(last=False)[1].items():
                    self._capable.pop((gone, old), None)
        elif kind in ("unavailable", "error"):
            known = self._online.get(bare, {})
            for gone in [sender] if resource else list(known):
                self._capable.pop((gone, known.pop(gone, "")), None)
            if not known:
                self._online.pop(bare, None)

    def at_once(self, to: str) -> tuple[str, ...] | None:
        """Where a signal to `to` goes, if that needs no asking."""
        if self._route == "bare" or "/" in to or "@" not in to:
            return (to,)
        return None

    async def resolve(self, to: str, own: str) -> tuple[str, ...]:
        """Where a signal to `to` goes: every resource that takes it, or the bare JID where a server routes it.

        `own` is our full JID. Raises `PeerUnavailable` when there is nobody.
        """
        if (known := self.at_once(to)) is not None:
            return known
        online = [(jid, version) for jid, version in self._online.get(to, {}).items() if jid != own]
        answers = await asyncio.gather(*(self._takes_calls(*each) for each in online))
        targets = tuple(jid for (jid, _), takes in zip(online, answers, strict=True) if takes)
        if targets:
            return targets
        for server in (own.partition("/")[0], to.partition("@")[2]):
            if await self._routes(server):
                return (to,)
        seen = f", only {len(online)} resources that take no calls" if online else ""
        raise PeerUnavailable(f"nobody is known to be online at {to}{seen}")

    async def _takes_calls(self, jid: str, version: str) -> bool:
        known = self._capable.get((jid, version))
        if known is None:
            try:
                known = xml.CALL in await self._ask(jid)
            except Fault:
                return False
            if jid in self._online.get(jid.partition("/")[0], {}):
                self._capable[jid, version] = known
        return known

    async def _routes(self, server: str) -> bool:
        known = self._routed.get(server)
        if known is None:
            try:
                known = xml.CALL in await self._ask(server)
            except Fault:
                return False
            if len(self._routed) < MAX_ACCOUNTS:
                self._routed[server] = known
        return known
