"""slixmpp's client on our connection: same handlers, plugins and rosters, but no socket and no login of its own."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import Callable
from typing import Any, Final

from slixmpp import JID, ClientXMPP

from . import xml
from .logs import withhold_stanzas
from .websocket import Frames, FrameTransport

# slixmpp would load the system's certificates for each client; our TLS happens below it.
_NO_TLS: Final = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)


class WebSocketClient(ClientXMPP):
    """A `slixmpp.ClientXMPP` whose stream is RFC 7395 frames of a `Connection`.

    Register plugins and handlers as usual, send as usual. Connecting, login, stream management and reconnecting are
    the connection's: `connect` is refused, `disconnect` closes the transport, `abort` and `reconnect` drop the link.
    Leans on slixmpp's private `_spawn_event`, `_run_out_filters` and `_start_keepalive`; a contract test watches them.
    """

    def __init__(self, domain: str) -> None:
        self._write: Callable[[str], None] | None = None
        self._schedules: dict[str, Callable[..., None]] = {}
        super().__init__(domain, "", ssl_context=_NO_TLS, loop=asyncio.get_running_loop())
        withhold_stanzas()
        self.stream_header = xml.open_stream(domain)
        self.stream_footer = xml.CLOSE
        self.on_disconnect: Callable[[], asyncio.Future[Any]] | None = None
        self.del_event_handler("session_start", self._start_keepalive)
        for plugin in ("xep_0030", "xep_0115", "xep_0199"):
            self.register_plugin(plugin)
        # Capabilities of peers are asked for when a call needs them, not of everyone who comes online.
        self.del_event_handler("entity_caps", self.plugin["xep_0115"]._process_caps)

    def begin(self) -> None:
        """Start the task that sends what handlers and plugins queue."""
        super().init_plugins()  # type: ignore[no-untyped-call]  # untyped in slixmpp
        self._run_out_filters = asyncio.ensure_future(self.run_filters())

    def link_up(self, frames: Frames, write: Callable[[str], None]) -> None:
        """Give slixmpp a fresh connection."""
        transport = FrameTransport(frames, write)
        self._write = write
        self.transport = transport
        self.socket = transport.get_extra_info("ssl_object") or transport.get_extra_info("socket")
        self.event("connected")
        self.authenticated = True
        self.features.update({"mechanisms", "bind"})

    def session_up(self, jid: str, resumed: bool) -> None:
        """Tell slixmpp's plugins that the session is there, as they expect it."""
        self.bound = self.sessionstarted = True
        if not resumed or self.boundjid.full != jid:
            self.boundjid = JID(jid)
        self.session_bind_event.set()
        if resumed:
            self.event("session_resumed")
        else:
            self.event("session_bind", self.boundjid)
            self.event("session_start")

    def link_down(self, reason: str, may_resume: bool) -> None:
        """Tell slixmpp's plugins that the connection is gone, and the session with it unless `may_resume`."""
        if self.transport is not None:
            self.end_session_on_disconnect = not may_resume
            self.disconnect_reason = reason
            self.connection_lost(None)

    async def announce(self) -> None:
        """Become available (RFC 6121, 4.2), with our capabilities (XEP-0115)."""
        await self.plugin["xep_0115"].update_caps(jid=self.boundjid, broadcast=False)
        self.send_presence()

    async def end(self) -> None:
        """Stop slixmpp's task and timers; requests that plugins still wait for time out now."""
        for name, callback in list(self._schedules.items()):
            if name.startswith("IqTimeout_") and name in self.scheduled_events:
                callback()
        for name in list(self.scheduled_events):
            self.cancel_schedule(name)
        self._schedules.clear()
        sender, self._run_out_filters = self._run_out_filters, None
        if sender is not None:
            sender.cancel()
            await asyncio.wait([sender])

    def send_raw(self, data: str | bytes) -> None:
        """Send one stanza; after the link broke it waits for the session to be resumed, if it can be."""
        frame = xml.frame(data if isinstance(data, str) else data.decode())
        if frame and self._write is not None:
            self._write(frame)

    def schedule(
        self,
        name: str,
        seconds: int,
        callback: Callable[..., None],
        args: tuple[Any, ...] = (),
        kwargs: dict[Any, Any] = {},
        repeat: bool = False,
    ) -> None:
        """As slixmpp's; remembers what is scheduled, so that `end` can finish it."""
        super().schedule(name, seconds, callback, args, kwargs, repeat)
        self._schedules[name] = callback

    def cancel_schedule(self, name: str) -> None:
        """As slixmpp's."""
        self._schedules.pop(name, None)
        if name in self.scheduled_events:
            super().cancel_schedule(name)

    def connect(self, host: str | None = None, port: int | None = None) -> asyncio.Future[Any]:
        """Refused: the connection is opened by `aoba_runtime.xmpp.connect`."""
        raise RuntimeError("this client is connected by aoba_runtime.xmpp.connect()")

    def reconnect(self, wait: float = 2.0, reason: str = "Reconnecting") -> None:
        """Drop the link; the connection makes a new one."""
        self.abort()

    def abort(self) -> None:
        """Drop the link; the connection makes a new one."""
        if self.transport is not None:
            self.transport.abort()

    def disconnect(
        self, wait: float = 2.0, reason: str | None = None, ignore_send_queue: bool = False
    ) -> asyncio.Future[Any]:
        """Close the transport that this client belongs to; the future is done when it is closed."""
        if self.on_disconnect is None:
            done: asyncio.Future[None] = asyncio.get_running_loop().create_future()
            done.set_result(None)
            return done
        return self.on_disconnect()
