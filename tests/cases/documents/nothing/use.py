"""A document that describes nothing yet: a package with nothing in it."""

from __future__ import annotations

from aoba_runtime import loopback
from nothing import MESSAGES, OPERATIONS, SERVERS, NothingYetClient
from nothing_peer import NothingYetClient as Peer


async def main() -> None:
    link, other = loopback.pair()
    async with NothingYetClient(link), Peer(other):
        assert not [*MESSAGES, *OPERATIONS, *SERVERS]
