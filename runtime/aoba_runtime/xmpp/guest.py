"""Signals on a slixmpp client that somebody else owns, connects and reconnects."""

from __future__ import annotations

import asyncio
import xml.etree.ElementTree as ET
from typing import Any

from slixmpp import ClientXMPP
from slixmpp.stanza import Iq

from . import plugin, xml
from .connection import Handler
from .events import Connected, Reconnecting, Resumed
from .logs import withhold_stanzas

_iq: Any = Iq


class Guest:
    """Writes through the owner's client and listens to its events; closing takes only our handlers off."""

    def __init__(self, client: ClientXMPP, handler: Handler, ids: str) -> None:
        self.jid = ""
        self.up = False
        self._client = client
        self._handler = handler
        self._ids = ids
        self._plugin: plugin.CallSignaling | None = None
        self._ready: asyncio.Event | None = None

    async def start(self) -> None:
        """Hook into the client and wait until it has a session, which is its owner's business."""
        client = self._client
        self._ready = asyncio.Event()
        for name in ("xep_0030", "xep_0115", "xep_0198"):
            client.register_plugin(name)
        self._plugin = plugin.on(client)
        withhold_stanzas()
        self._plugin.listen(self._ids, self._handler.take)
        for event, act in self._events:
            client.add_event_handler(event, act)
        if client.is_connected() and client._session_started:
            self._started(None)
        try:
            await self._ready.wait()
        except BaseException:
            await self.close()
            raise

    async def close(self) -> None:
        """Let go of the client, which stays connected."""
        self.up = False
        for event, act in self._events:
            self._client.del_event_handler(event, act)
        if self._plugin is not None:
            self._plugin.unlisten()

    def write(self, stanza: str, waiter: asyncio.Future[ET.Element] | None = None) -> None:
        """Write one stanza through the client's own queue and stream management."""
        if not self.up:
            return
        iq = _iq(self._client, xml=ET.fromstring(stanza), recv=True)
        if waiter is not None:
            waiter.add_done_callback(lambda answer: _defuse(iq, self._client, answer))
        self._client.send(iq)

    @property
    def _events(self) -> tuple[tuple[str, Any], ...]:
        return (
            ("session_start", self._started),
            ("session_resumed", self._resumed),
            ("disconnected", self._broken),
            ("presence", self._presence),
        )

    def _started(self, _: Any) -> None:
        self._begin(False)
        self._handler.happened(Connected(self.jid))

    def _resumed(self, _: Any) -> None:
        self._begin(True)
        self._handler.happened(Resumed(self.jid))

    def _begin(self, resumed: bool) -> None:
        self.jid = self._client.boundjid.full
        self.up = True
        self._handler.up(resumed)
        if self._ready is not None:
            self._ready.set()

    def _broken(self, reason: Any) -> None:
        self.up = False
        self._handler.happened(Reconnecting(0, 0.0, str(reason or "disconnected")))

    def _presence(self, presence: Any) -> None:
        self._handler.seen(presence.xml)


def _defuse(iq: Iq, client: ClientXMPP, answer: asyncio.Future[ET.Element]) -> None:
    """Turn a request that nobody waits for any more into a ping of our own server.

    slixmpp writes what was not confirmed again when a stream is resumed, however old it is, and the counts of
    XEP-0198 must not change; so the stanza stays in its queue, but carries no signal.
    """
    if not answer.cancelled() and answer.exception() is None:
        return
    id, server = iq.xml.get("id", ""), client.boundjid.domain
    iq.xml.clear()
    iq.xml.tag = xml.IQ
    iq.xml.attrib.update({"type": "get", "id": id, "to": server})
    ET.SubElement(iq.xml, "{urn:xmpp:ping}ping")
