"""What generated clients are built on: typed sending, and dispatch of what arrives to the hooks."""

from __future__ import annotations

import asyncio
import inspect
import logging
from collections.abc import Awaitable, Callable, Sequence
from types import TracebackType
from typing import Any, Final, Generic, Self, TypeAlias, TypeVar, overload

from .errors import Fault, LimitExceeded, UnsupportedMessage
from .message import Channel, Message, Operation
from .transport import Incoming, Outgoing, Transport

T = TypeVar("T")
Handler: TypeAlias = Callable[[T, Incoming], Awaitable[None] | None]
"""Takes a payload, and the delivery that it came in."""
ShortHandler: TypeAlias = Callable[[T], Awaitable[None] | None]
"""Takes the payload alone."""

MAX_RUNNING_HANDLERS: Final = 1000
"""How many coroutine handlers of one client may run at once; a message past that is answered `LimitExceeded`."""

log = logging.getLogger("aoba_runtime")
log.addHandler(logging.NullHandler())


class Hook(Generic[T]):
    """The handlers of one message.

    `client.on_x(handler)` adds one and returns it, so it is a decorator too; `client.on_x.remove(handler)` takes it
    off. Handlers are called in the order added, for messages in the order of arrival.

    A plain function runs before the message is acknowledged and may refuse it by raising a `Fault`. A coroutine
    function runs as a task of its own, and the acknowledgement does not wait for it, so it may send and await whatever
    it likes. Any other exception goes to the event loop's exception handler and stops nobody else.
    """

    def __init__(self, message: Message[T]) -> None:
        self.message: Final = message
        self._handlers: list[tuple[Handler[T] | ShortHandler[T], Handler[T]]] = []

    @overload
    def __call__(self, handler: ShortHandler[T]) -> ShortHandler[T]: ...
    @overload
    def __call__(self, handler: Handler[T]) -> Handler[T]: ...
    def __call__(self, handler: Any) -> Any:
        self._handlers.append((handler, _with_incoming(handler)))
        return handler

    def remove(self, handler: Handler[T] | ShortHandler[T]) -> None:
        """Take a handler off; `ValueError` when it is not there."""
        for index, (added, _) in enumerate(self._handlers):
            if added == handler:
                del self._handlers[index]
                return
        raise ValueError(f"{handler!r} does not handle {self.message.name}")

    @property
    def handlers(self) -> tuple[Handler[T], ...]:
        """The handlers as they are now, each taking payload and delivery."""
        return tuple(call for _, call in self._handlers)


def _with_incoming(handler: Any) -> Any:
    """`handler` as one that takes payload and delivery, whichever of the two forms it has."""
    if not callable(handler):
        raise TypeError(f"a handler is a function, not {handler!r}")
    try:
        inspect.signature(handler).bind(None)
    except TypeError:
        return handler
    return lambda payload, incoming: handler(payload)


class Client:
    """One end of an API: sends its messages, and gives those that arrive to hooks.

    A generated client adds one method per operation that sends and one hook per message. Leaving `async with client`
    cancels the handlers still running and lets go of the transport, which stays its owner's to close.
    """

    def __init__(self, transport: Transport, channels: Sequence[Channel[Any]]) -> None:
        self._transport = transport
        self._channels = {channel.address: channel for channel in channels}
        self._only = channels[0] if len(channels) == 1 else None
        self._hooks: dict[Message[Any], Hook[Any]] = {
            message: Hook(message) for channel in channels for message in channel.messages
        }
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

    def _hook(self, message: Message[T]) -> Hook[T]:
        return self._hooks[message]

    async def _send(self, operation: Operation, value: object, to: str | None) -> None:
        for message in operation.messages:
            if message.takes(value):
                return await self._transport.send(
                    Outgoing(message.encode(value), to, operation.address)
                )
        expected = " or ".join(message.payload.__name__ for message in operation.messages)
        raise TypeError(f"{operation.method}() takes {expected}, not {type(value).__name__}")

    def _receive(self, incoming: Incoming) -> None:
        try:
            self._route(incoming)
        except Fault as fault:
            log.warning("refused message %s from %s: %s", incoming.id, incoming.sender, fault)
            raise

    def _route(self, incoming: Incoming) -> None:
        channel = self._channels.get(incoming.address, self._only)
        if channel is None:
            raise UnsupportedMessage(f"no channel {incoming.address!r}")
        message, value = channel.read(incoming.data)
        handlers = self._hooks[message].handlers
        if not handlers:
            raise UnsupportedMessage(f"{message.name} is not handled here")
        if len(self._running) + len(handlers) > MAX_RUNNING_HANDLERS:
            raise LimitExceeded(f"{len(self._running)} handlers are still running")
        for handler in handlers:
            self._call(handler, message, value, incoming)

    def _call(
        self, handler: Handler[Any], message: Message[Any], value: object, incoming: Incoming
    ) -> None:
        try:
            result = handler(value, incoming)
        except Fault:
            raise
        except Exception as error:
            _report(message, error)
            return
        if result is None:
            return
        task = asyncio.ensure_future(result)
        self._running.add(task)
        task.add_done_callback(lambda done: self._ended(message, done))

    def _ended(self, message: Message[Any], task: asyncio.Future[None]) -> None:
        self._running.discard(task)
        if not task.cancelled() and (error := task.exception()) is not None:
            _report(message, error)


def _report(message: Message[Any], error: BaseException) -> None:
    asyncio.get_running_loop().call_exception_handler(
        {
            "message": f"a handler of {message.name} raised {type(error).__name__}",
            "exception": error,
        }
    )
