"""The slixmpp plugin for signals, in slixmpp's layout: the stanza, the feature, and the stream's side of an exchange."""

from __future__ import annotations

import xml.etree.ElementTree as ET
from collections.abc import Callable
from typing import Any, ClassVar

from slixmpp.plugins.base import BasePlugin, register_plugin
from slixmpp.stanza import Iq
from slixmpp.xmlstream import register_stanza_plugin
from slixmpp.xmlstream.handler import Callback
from slixmpp.xmlstream.matcher.base import MatcherBase

from .xml import CALL, CALL_TAG
from .stanza import Call


class _Concerns(MatcherBase):
    """Matches the IQs that hold a signal, and the answers to those that this plugin's user sent."""

    def match(self, xml: Any) -> bool:
        if not isinstance(xml, Iq):
            return False
        iq: ET.Element = xml.xml
        if iq.get("type") in ("result", "error"):
            return iq.get("id", "").startswith(self._criteria)
        return iq.find(CALL_TAG) is not None


class CallSignaling(BasePlugin):
    """Signals of calls over IQ (urn:xmpp:call:0): `client.register_plugin("call_signaling", module=aoba_runtime.xmpp.plugin)`.

    Registers the stanza, so that `iq["call"]["json"]` works, and announces the feature by disco and caps
    (XEP-0030, XEP-0115). Sending and acknowledging is `XmppTransport`'s, which gives `listen` its receiver; until
    then slixmpp answers a signal `feature-not-implemented`.
    """

    name = "call_signaling"
    description = "Call signaling (urn:xmpp:call:0)"
    dependencies: ClassVar[set[str]] = {"xep_0030", "xep_0115"}

    def plugin_init(self) -> None:
        """Called by slixmpp."""
        register_stanza_plugin(Iq, Call)

    def session_bind(self, jid: Any) -> None:
        """Called by slixmpp when the stream has its JID."""
        self.xmpp.plugin["xep_0030"].add_feature(CALL)

    def plugin_end(self) -> None:
        """Called by slixmpp."""
        self.xmpp.plugin["xep_0030"].del_feature(feature=CALL)
        self.unlisten()

    def unlisten(self) -> None:
        """Take the receiver of `listen` off."""
        self.xmpp.remove_handler(self.description)

    def listen(self, ids: str, take: Callable[[ET.Element], bool]) -> None:
        """Give `take` every IQ with a signal, and every answer whose id begins with `ids`."""
        self.xmpp.register_handler(
            Callback(self.description, _Concerns(ids), lambda stanza: take(stanza.xml))
        )


def on(client: Any) -> CallSignaling:
    """The plugin of a client, registered if it was not."""
    client.register_plugin(CallSignaling.name, module=__name__)
    found: CallSignaling = client.plugin[CallSignaling.name]
    return found


register_plugin(CallSignaling)
