"""Which old thing is which new one: by name, else by what makes it alike; and which way messages go."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Hashable, Iterator, Sequence
from difflib import SequenceMatcher
from typing import Final, TypeVar

from .compare_model import Flow
from .model import Channel, Message, Model

T = TypeVar("T")
_NEAR: Final = 0.6
"""How alike two names have to be, of 1, for one to be the other renamed."""


def matched(
    old: Sequence[T],
    new: Sequence[T],
    name: Callable[[T], str],
    *alike: Callable[[T, bool], Hashable],
) -> list[tuple[T | None, T | None]]:
    """Pairs in the order of `new`, then what is gone; by `name`, then by each of `alike` where that is telling.

    `alike` is also told whether the thing is the old one; what it calls `None` is like nothing.
    """
    olds, news = {name(one): one for one in old}, {name(one): one for one in new}
    pairs = {key: key for key in news if key in olds}
    for key_of in alike:
        gone = _telling(
            {key: key_of(one, True) for key, one in olds.items() if key not in pairs.values()}
        )
        come = _telling({key: key_of(one, False) for key, one in news.items() if key not in pairs})
        pairs |= {come[key]: gone[key] for key in come if key in gone}
    found: list[tuple[T | None, T | None]] = [
        (olds[pairs[key]] if key in pairs else None, one) for key, one in news.items()
    ]
    taken = set(pairs.values())
    return found + [(one, None) for key, one in olds.items() if key not in taken]


def near(old: str, new: str) -> bool:
    """Whether one name may be the other, changed a little."""
    return SequenceMatcher(None, old.casefold(), new.casefold()).ratio() >= _NEAR


def flows(model: Model) -> dict[str, Flow]:
    """Which way each message goes, by its name.

    A channel without operations is used both ways. One on which some message goes both ways joins equals, as in a call,
    so all its messages do: what one of them sends, another one receives.
    """
    found: dict[str, Flow] = {}
    used: dict[str, list[Message]] = {}

    def note(channel: Channel, messages: Sequence[Message], flow: Flow) -> None:
        used.setdefault(channel.name, []).extend(messages)
        for message in messages:
            found[message.name] = found.get(message.name, Flow()) | flow

    for made in model.operations:
        sends = made.action == "send"
        note(made.channel, made.messages, Flow(sends, not sends))
        if made.reply:
            note(made.reply.channel, made.reply.messages, Flow(not sends, sends))
    for channel in model.channels:
        listed = used.get(channel.name)
        if listed is None or any(found[message.name] == Flow(True, True) for message in listed):
            for message in (*channel.messages, *(listed or ())):
                found[message.name] = Flow(True, True)
    return found


def tags(model: Model) -> dict[str, tuple[str, ...]]:
    """What each message goes by on the wire, by its name."""
    found: dict[str, tuple[str, ...]] = {}
    for channel in model.channels:
        for route in channel.routes:
            told = (channel.discriminator or "", str(route.tag.value))
            found[route.message.name] = (*found.get(route.message.name, ()), *told)
    return found


def both(pairs: Sequence[tuple[T | None, T | None]]) -> Iterator[tuple[T, T]]:
    """The pairs that have both sides."""
    return ((old, new) for old, new in pairs if old is not None and new is not None)


def _telling(keys: dict[str, Hashable]) -> dict[Hashable, str]:
    counts = Counter(keys.values())
    return {key: name for name, key in keys.items() if key is not None and counts[key] == 1}
