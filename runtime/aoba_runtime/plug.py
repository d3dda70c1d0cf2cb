"""The border between a voice call and the API that carries its signals: `calls.py` of a generated package is one side."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Protocol, TypeAlias, TypeVar

from .client import Hook
from .errors import BadMessage
from .signals import Signal
from .transport import Incoming

T = TypeVar("T")

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)

Hear: TypeAlias = Callable[[Signal, Incoming], None]
"""Takes a signal, and the delivery that it came in; raises a `Fault` to refuse it. Never blocks."""


class CallPlug(Protocol):
    """Says the signals of calls in an API's own messages, by a generated client's methods and hooks."""

    async def send(self, signal: Signal, to: str | None) -> None:
        """Send `signal`; returns when the peer has taken it, and raises as `Transport.send` does."""

    def listen(self, hear: Hear) -> Callable[[], None]:
        """Give every signal that arrives to `hear`, before it is acknowledged; what is returned ends that."""
        ...


def heard(hook: Hook[T], read: Callable[[T], Signal], hear: Hear) -> Callable[[], None]:
    """Let `hear` have what the hook takes, as the signal that `read` makes of it; what is returned ends that."""

    def handle(message: T, incoming: Incoming) -> None:
        hear(read(message), incoming)

    hook(handle)
    return lambda: hook.remove(handle)


def together(*ends: Callable[[], None]) -> Callable[[], None]:
    """All of `ends` as one."""

    def end() -> None:
        for each in ends:
            each()

    return end


def date_time(milliseconds: int) -> str:
    """A signal's timestamp as a date-time (RFC 3339), in UTC."""
    moment = _EPOCH + timedelta(milliseconds=milliseconds)
    return moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")


def milliseconds(text: str) -> int:
    """A date-time (RFC 3339) as a signal's timestamp; raises `BadMessage` for what is none."""
    try:
        moment = datetime.fromisoformat(text)
        return (moment - _EPOCH) // timedelta(milliseconds=1)
    except (ValueError, TypeError, OverflowError):
        raise BadMessage(
            "the timestamp is no date-time with an offset, such as 2026-01-05T14:30:06.731Z"
        ) from None
