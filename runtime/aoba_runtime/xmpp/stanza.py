"""The `<call/>` element as slixmpp knows it: `iq["call"]["json"]`."""

from __future__ import annotations

from slixmpp.xmlstream import ElementBase

from . import xml


class Call(ElementBase):
    """A signal in an IQ: `<call xmlns='urn:xmpp:call:0'>{JSON}</call>`.

    `json` is the JSON text; "" when there is none.
    """

    name = "call"
    namespace = xml.CALL
    plugin_attrib = "call"
    interfaces = {"json"}

    def get_json(self) -> str:
        """The JSON text."""
        return self.xml.text or ""

    def set_json(self, value: str) -> None:
        """Replace the JSON text."""
        self.xml.text = value

    def del_json(self) -> None:
        """Take the JSON text out."""
        self.xml.text = None
