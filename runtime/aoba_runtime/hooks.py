"""Where handlers are added: a hook for what arrives, and one for requests whose handler returns the reply."""

from __future__ import annotations

import inspect
import re
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import Any, Generic, TypeAlias, TypeVar, overload

from .message import Message
from .transport import Incoming

T = TypeVar("T")
R = TypeVar("R")
A = TypeVar("A", bound=Awaitable[None] | None)
Handler: TypeAlias = Callable[[T, Incoming], Awaitable[None] | None]
"""Takes a payload, and the delivery that it came in."""
ShortHandler: TypeAlias = Callable[[T], Awaitable[None] | None]
"""Takes the payload alone."""


@dataclass(frozen=True, slots=True)
class Reply(Generic[R]):
    """What a handler of requests returns when its reply has headers."""

    payload: R
    headers: object


@dataclass(frozen=True, slots=True)
class Added:
    """A handler as it was added, and as it is called."""

    added: Any
    call: Callable[[Any, Incoming], object]
    is_coroutine: bool


class Handlers:
    """The handlers of one message, in the order added."""

    def __init__(self, message: Message[Any]) -> None:
        self.message = message
        self.added: list[Added] = []

    def sorted(self) -> tuple[list[Callable[..., object]], list[Callable[..., object]]]:
        """The plain functions and the coroutine functions."""
        return (
            [handler.call for handler in self.added if not handler.is_coroutine],
            [handler.call for handler in self.added if handler.is_coroutine],
        )


class _Hook:
    """What both kinds of hooks do; they differ in the types alone."""

    def __init__(self, parts: Sequence[Handlers]) -> None:
        self._parts = tuple(parts)

    @property
    def message(self) -> Message[Any]:
        """The message that the handlers take, the first where they take several."""
        return self._parts[0].message

    def _add(self, handler: Any) -> Any:
        if not callable(handler):
            raise TypeError(f"a handler is a function, not {handler!r}")
        added: Any = handler
        for part in self._parts:
            part.added.append(Added(added, _with_incoming(added), _is_coroutine(added)))
        return handler

    def _remove(self, handler: object) -> None:
        names = " or ".join(part.message.name for part in self._parts)
        places = [
            next((i for i, present in enumerate(part.added) if present.added == handler), None)
            for part in self._parts
        ]
        if None in places:
            raise ValueError(f"{handler!r} does not handle {names}")
        for part, place in zip(self._parts, places, strict=True):
            if place is not None:
                del part.added[place]


class Hook(_Hook, Generic[T]):
    """The handlers of one message, or of several that one operation receives.

    `client.on_x(handler)` adds one and returns it, so it is a decorator too; `client.on_x.remove(handler)` takes it
    off. A handler takes the payload, and the delivery too if it has a second positional parameter that has no default,
    is called `incoming` or is annotated `Incoming`.

    Messages are handled in the order of arrival: first the plain functions, in the order added, before the message is
    acknowledged; any of them may refuse it by raising a `Fault`, and then no later one is called. Then the coroutine
    functions start, in the order added, each as a task of its own. The acknowledgement does not wait for them, so they
    may send and await whatever they like; those of a client run side by side, and where they await, a later message
    may overtake an earlier one. What a plain function returns is awaited likewise if it can be, and else ignored. Any
    other exception goes to the event loop's exception handler and stops nobody else.
    """

    @overload
    def __call__(self, handler: Callable[[T], A]) -> Callable[[T], A]: ...
    @overload
    def __call__(self, handler: Callable[[T, Incoming], A]) -> Callable[[T, Incoming], A]: ...
    def __call__(self, handler: Any) -> Any:
        return self._add(handler)

    def remove(self, handler: Handler[T] | ShortHandler[T]) -> None:
        """Take a handler off; `ValueError` when it is not there."""
        self._remove(handler)

    @property
    def handlers(self) -> tuple[Handler[T], ...]:
        """The handlers as they are now, each taking payload and delivery."""
        calls: list[Any] = [handler.call for handler in self._parts[0].added]
        return tuple(calls)


class RequestHook(_Hook, Generic[T, R]):
    """The handlers of a request: what one returns is sent as the reply.

    As `Hook`, but that a handler, plain or a coroutine function, returns the reply's payload, or a `Reply` where the reply
    has headers. The first reply counts; `None` is none, and the requester then waits until its time is over.
    """

    @overload
    def __call__(
        self, handler: Callable[[T], Awaitable[R | Reply[R] | None]]
    ) -> Callable[[T], Awaitable[R | Reply[R] | None]]: ...
    @overload
    def __call__(
        self, handler: Callable[[T, Incoming], Awaitable[R | Reply[R] | None]]
    ) -> Callable[[T, Incoming], Awaitable[R | Reply[R] | None]]: ...
    @overload
    def __call__(
        self, handler: Callable[[T], R | Reply[R] | None]
    ) -> Callable[[T], R | Reply[R] | None]: ...
    @overload
    def __call__(
        self, handler: Callable[[T, Incoming], R | Reply[R] | None]
    ) -> Callable[[T, Incoming], R | Reply[R] | None]: ...
    def __call__(self, handler: Any) -> Any:
        return self._add(handler)

    def remove(self, handler: Callable[..., object]) -> None:
        """Take a handler off; `ValueError` when it is not there."""
        self._remove(handler)


def _with_incoming(handler: Any) -> Any:
    """`handler` as one that takes payload and delivery, whichever of the two forms it has."""
    if _takes_incoming(handler):
        return handler
    return lambda payload, incoming: handler(payload)


def _takes_incoming(handler: Any) -> bool:
    try:
        parameters = inspect.signature(handler).parameters.values()
    except (TypeError, ValueError):  # a builtin that does not tell
        return False
    positional = [
        parameter
        for parameter in parameters
        if parameter.kind in (parameter.POSITIONAL_ONLY, parameter.POSITIONAL_OR_KEYWORD)
    ]
    if len(positional) < 2:
        return False
    second = positional[1]
    if second.default is second.empty or second.name == "incoming":
        return True
    annotation = second.annotation
    text = annotation if isinstance(annotation, str) else inspect.formatannotation(annotation)
    return re.search(r"\bIncoming\b", text) is not None


def _is_coroutine(handler: Any) -> bool:
    return any(
        inspect.iscoroutinefunction(function) for function in (handler, type(handler).__call__)
    )
