"""What generated clients are built on: typed sending, and dispatch of what arrives to the hooks."""

from __future__ import annotations

import asyncio
import inspect
import logging
import re
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from types import TracebackType
from typing import TYPE_CHECKING, Any, Final, Generic, Self, TypeAlias, TypeVar, overload

from .api import Operation
from .conversations import Conversations
from .errors import Fault, LimitExceeded, UnsupportedMessage
from .message import Channel, Message, read_first
from .transport import Incoming, Outgoing, Transport

if TYPE_CHECKING:
    from .plug import CallPlug

T = TypeVar("T")
R = TypeVar("R", bound=Awaitable[None] | None)
Handler: TypeAlias = Callable[[T, Incoming], Awaitable[None] | None]
"""Takes a payload, and the delivery that it came in."""
ShortHandler: TypeAlias = Callable[[T], Awaitable[None] | None]
"""Takes the payload alone."""

MAX_RUNNING_HANDLERS: Final = 1000
"""How many handlers of one client may run as tasks; a message for coroutine functions past that is answered
`LimitExceeded`."""

log = logging.getLogger("aoba_runtime")
log.addHandler(logging.NullHandler())


class Hook(Generic[T]):
    """The handlers of one message.

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

    def __init__(self, message: Message[T]) -> None:
        self.message: Final = message
        self._handlers: list[_Handler[T]] = []

    @overload
    def __call__(self, handler: Callable[[T], R]) -> Callable[[T], R]: ...
    @overload
    def __call__(self, handler: Callable[[T, Incoming], R]) -> Callable[[T, Incoming], R]: ...
    def __call__(self, handler: Any) -> Any:
        if not callable(handler):
            raise TypeError(f"a handler is a function, not {handler!r}")
        added: Any = handler
        self._handlers.append(_Handler(added, _with_incoming(added), _is_coroutine(added)))
        return handler

    def remove(self, handler: Handler[T] | ShortHandler[T]) -> None:
        """Take a handler off; `ValueError` when it is not there."""
        for index, present in enumerate(self._handlers):
            if present.added == handler:
                del self._handlers[index]
                return
        raise ValueError(f"{handler!r} does not handle {self.message.name}")

    @property
    def handlers(self) -> tuple[Handler[T], ...]:
        """The handlers as they are now, each taking payload and delivery."""
        return tuple(handler.call for handler in self._handlers)

    def _sorted(self) -> tuple[list[Handler[T]], list[Handler[T]]]:
        """The plain functions and the coroutine functions."""
        return (
            [handler.call for handler in self._handlers if not handler.is_coroutine],
            [handler.call for handler in self._handlers if handler.is_coroutine],
        )


@dataclass(frozen=True, slots=True)
class _Handler(Generic[T]):
    """A handler as it was added, and as it is called."""

    added: Handler[T] | ShortHandler[T]
    call: Handler[T]
    is_coroutine: bool


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


class Client:
    """One end of an API: sends its messages, and gives those that arrive to hooks.

    A generated client adds one method per operation that sends and one hook per message. Leaving `async with client`
    cancels the handlers still running and lets go of the transport, which stays its owner's to close.
    """

    def __init__(self, transport: Transport, channels: Sequence[Channel[Any]]) -> None:
        self._transport = transport
        self._channels = tuple(channels)
        self._hooks: dict[Message[Any], Hook[Any]] = {
            message: Hook(message) for channel in channels for message in channel.messages
        }
        self._conversations = Conversations()
        self._running: set[asyncio.Future[None]] = set()
        transport.attach(self._receive)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        await self.aclose()

    async def aclose(self) -> None:
        """Let go of the transport, cancel the handlers that still run and wait until they have ended."""
        self._transport.detach(self._receive)
        running = [task for task in self._running if task is not asyncio.current_task()]
        for task in running:
            task.cancel()
        await asyncio.gather(*running, return_exceptions=True)

    def _call_plug(self) -> CallPlug | None:
        """How this API says the signals of a voice call, where it does: what a `Phone` plugs into."""
        return None

    def _hook(self, message: Message[T]) -> Hook[T]:
        return self._hooks[message]

    async def _send(self, operation: Operation, value: object, to: str | None) -> None:
        message = operation.message_for(value)
        data = message.encode(value)
        conversation = message.conversation_of(value)
        if conversation is not None:
            to = self._conversations.address(conversation, to)
        await self._transport.send(Outgoing(data, to, operation.address))

    def _receive(self, incoming: Incoming) -> None:
        try:
            self._route(incoming)
        except Fault as fault:
            log.warning("refused message %s from %s: %s", incoming.id, incoming.sender, fault)
            raise

    def _route(self, incoming: Incoming) -> None:
        address = incoming.address
        named = [channel for channel in self._channels if address and channel.address == address]
        message, value = read_first(named or self._channels, incoming.data)
        conversation = message.conversation_of(value)
        if conversation is not None and incoming.sender is not None:
            self._conversations.heard(conversation, incoming.sender)
        plain, coroutines = self._hooks[message]._sorted()
        if not plain and not coroutines:
            raise UnsupportedMessage(f"{message.name} is not handled here")
        if coroutines and len(self._running) + len(coroutines) > MAX_RUNNING_HANDLERS:
            raise LimitExceeded(f"{len(self._running)} handlers are still running")
        results: list[object] = []
        try:
            for handler in plain:
                results.append(_call(handler, message, value, incoming))
        except Fault:
            for result in results:
                if inspect.iscoroutine(result):
                    result.close()  # refused, so it shall not start
            raise
        for result in results:
            self._start(message, result)
        for handler in coroutines:
            self._start(message, _call(handler, message, value, incoming))

    def _start(self, message: Message[Any], result: object) -> None:
        if not inspect.isawaitable(result):
            return
        task = asyncio.ensure_future(result)
        self._running.add(task)
        task.add_done_callback(lambda done: self._ended(message, done))

    def _ended(self, message: Message[Any], task: asyncio.Future[None]) -> None:
        self._running.discard(task)
        if not task.cancelled() and (error := task.exception()) is not None:
            _report(message, error)


def _call(
    handler: Handler[Any], message: Message[Any], value: object, incoming: Incoming
) -> object:
    try:
        return handler(value, incoming)
    except Fault:
        raise
    except Exception as error:
        _report(message, error)
        return None


def _report(message: Message[Any], error: BaseException) -> None:
    asyncio.get_running_loop().call_exception_handler(
        {
            "message": f"a handler of {message.name} raised {type(error).__name__}",
            "exception": error,
        }
    )
