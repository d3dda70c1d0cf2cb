"""Schemas of other files have the names that they have there, whatever folder they lie in; inline ones that of their place."""

from __future__ import annotations

from aoba_runtime import Incoming, loopback
from files import MESSAGES, FilesClient, models
from files_peer import FilesClient as Door, models as theirs


async def main() -> None:
    assert MESSAGES["given"].pointer == "#/channels/tokens/messages/given"
    left, right = loopback.pair()
    async with FilesClient(left) as client, Door(right) as door:
        seen: list[object] = []

        @door.on_given
        def given(token: theirs.ProvidedToken, incoming: Incoming) -> None:
            seen.extend((token, incoming.headers))

        place = models.Place(floor=2)
        token = models.ProvidedToken(value="1", type=models.TokenType.CARD, seen=[place])
        await client.give(token, headers=models.Origin(door="north"))
        assert seen[0] == theirs.ProvidedToken(
            value="1", type=theirs.TokenType.CARD, seen=[theirs.Place(floor=2)]
        )
        assert seen[1] == {"door": "north"}
        client.on_refused(lambda refused: seen.append(refused.why))
        await door.refused(theirs.RefusedPayload(why="old"))
        assert seen[2] == "old"
