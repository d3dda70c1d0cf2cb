"""Names that fall together are told apart by rule, and said."""

from __future__ import annotations

from aoba_runtime import loopback
from clashes import MESSAGES, OPERATIONS, ClashesClient, messages


async def main() -> None:
    assert list(MESSAGES) == ["Note", "a-b.Note", "お知らせ"]
    assert [message.pointer for message in MESSAGES.values()] == [
        "#/channels/a~1b/messages/Note",
        "#/channels/a-b/messages/Note",
        "#/channels/日本/messages/お知らせ",
    ]
    methods = {name: made.method for name, made in OPERATIONS.items()}
    assert methods == {
        "on_note": "on_note_a_b",
        "aclose": "aclose_a_b",
        "class": "class_",
        "models": "models_日本",
        "two words": "two_words",
        "two_words": "two_words_a_b",
    }
    link, other = loopback.pair()
    async with ClashesClient(link) as client, ClashesClient(other) as receiver:
        heard: list[int] = []
        receiver.on_note(lambda note: heard.append(note.one))
        receiver.on_a_b_note(lambda note: heard.append(note.two))
        await client.on_note_a_b(type(messages.A_B_CHANNEL.decode(b'{"one": 1}'))(one=1))
        await client.aclose_a_b(type(messages.A_B_CHANNEL_2.decode(b'{"two": 2}'))(two=2))
        assert heard == [1, 2]
