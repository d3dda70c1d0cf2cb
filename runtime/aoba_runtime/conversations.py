"""Who takes part in which conversation: replies find the peer's device, and strangers are kept out."""

from __future__ import annotations

from collections import OrderedDict
from typing import Final

from .errors import NotAParty

MAX_CONVERSATIONS: Final = 1000
"""How many conversations one client remembers; the one silent for longest is forgotten first."""


class Conversations:
    """The peer of each conversation, by the id that its messages share.

    A peer is an address such as a JID: "bob@localhost" is the account, "bob@localhost/phone" one of its devices. The
    device that spoke last is where the next message goes.
    """

    def __init__(self) -> None:
        self._peers: OrderedDict[str, str] = OrderedDict()

    def address(self, conversation: str, to: str | None) -> str | None:
        """Where to send: to the device that spoke last if `to` is its account or `None`, else to `to` itself."""
        peer = self._peers.get(conversation)
        if peer is not None and (to is None or _account(peer) == to):
            to = peer
        if to is not None and (peer is None or _account(peer) != _account(to)):
            self._remember(conversation, to)
        return to

    def heard(self, conversation: str, sender: str) -> None:
        """Note that `sender` spoke; `NotAParty` when the conversation is with somebody else."""
        peer = self._peers.get(conversation)
        if peer is not None and _account(peer) != _account(sender):
            raise NotAParty("this conversation is with somebody else")
        self._remember(conversation, sender)

    def _remember(self, conversation: str, peer: str) -> None:
        self._peers[conversation] = peer
        self._peers.move_to_end(conversation)
        if len(self._peers) > MAX_CONVERSATIONS:
            self._peers.popitem(last=False)


def _account(address: str) -> str:
    return address.partition("/")[0]
