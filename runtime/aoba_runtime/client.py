"""What generated clients are built on: typed sending, requests, and dispatch of what arrives to the hooks."""

from __future__ import annotations

import asyncio
import inspect
import logging
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import replace
from types import TracebackType
from typing import TYPE_CHECKING, Any, Final, Self, TypeVar

from .api import Operation, answered
from .conversations import Conversations
from .errors import (
    Fault,
    LimitExceeded,
    NotCarried,
    PeerUnavailable,
    ReplyTimeout,
    UnsupportedMessage,
)
from .expressions import locate, put
from .hooks import Handler, Handlers, Hook, Reply, RequestHook, ShortHandler
from .message import Channel, Message
from .refusals import Refusals
from .replies import Request, Requests, with_id
from .routing import Router
from .transport import Incoming, Outgoing, Transport

if TYPE_CHECKING:
    from .plug import CallPlug

__all__ = ["MAX_RUNNING_HANDLERS", "Client", "Handler", "Hook", "ShortHandler"]

T = TypeVar("T")
R = TypeVar("R")

MAX_RUNNING_HANDLERS: Final = 1000
"""How many handlers of one client may run as tasks; a message for coroutine functions past that is answered
`LimitExceeded`."""

log = logging.getLogger("aoba_runtime")
log.addHandler(logging.NullHandler())


class Client:
    """One end of an API: sends its messages, and gives those that arrive to hooks.

    A generated client adds one method per operation that sends and one hook per message. Leaving `async with client`
    cancels the handlers still running, ends the wait for replies and lets go of the transport, which stays its owner's
    to close.
    """

    def __init__(
        self,
        transport: Transport,
        channels: Sequence[Channel[Any]],
        answers: Sequence[Operation[Any]] = (),
    ) -> None:
        self._transport = transport
        self._carries = bool(getattr(transport, "carries_headers", False))
        self._channels = tuple(channels)
        self._router = Router(channels)
        self._answers = tuple(answers)
        self._handlers: dict[Message[Any], Handlers] = {
            message: Handlers(message)
            for channel in channels
            for message in channel.messages or (channel.raw,)
        }
        self._hooks: dict[tuple[Message[Any], ...], Hook[Any]] = {}
        self._request_hooks: dict[tuple[Message[Any], ...], RequestHook[Any, Any]] = {}
        self._conversations = Conversations()
        self._requests = Requests()
        self._refusals = Refusals(log)
        self._running: set[asyncio.Future[Any]] = set()
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
        """Let go of the transport, cancel the handlers that still run and wait until they have ended.

        Requests that wait for their reply end with `PeerUnavailable`.
        """
        self._transport.detach(self._receive)
        self._requests.cancel(lambda: PeerUnavailable("the client was closed"))
        running = [task for task in self._running if task is not asyncio.current_task()]
        for task in running:
            task.cancel()
        await asyncio.gather(*running, return_exceptions=True)

    def _call_plug(self) -> CallPlug | None:
        """How this API says the signals of a voice call, where it does: what a `Phone` plugs into."""
        return None

    def _hook(self, *messages: Message[T]) -> Hook[T]:
        return self._hooks.setdefault(messages, Hook([self._handlers[one] for one in messages]))

    def _request_hook(self, *messages: Message[T]) -> RequestHook[T, Any]:
        parts = [self._handlers[message] for message in messages]
        return self._request_hooks.setdefault(messages, RequestHook(parts))

    # Sending

    async def _send(
        self,
        operation: Operation[Any],
        value: object,
        to: str | None,
        *,
        headers: object = None,
        parameters: Mapping[str, object] | None = None,
        address: str | None = None,
    ) -> None:
        message = self._message_for(operation, value)
        sent = self._outgoing(operation, message, value, to, headers, parameters, address)
        await self._transport.send(sent)

    async def _request(
        self,
        operation: Operation[R],
        value: object,
        to: str | None,
        *,
        timeout: float,
        headers: object = None,
        parameters: Mapping[str, object] | None = None,
        address: str | None = None,
    ) -> R:
        message = self._message_for(operation, value)
        sent = self._outgoing(operation, message, value, to, headers, parameters, address)
        data, wire, id = with_id(message, sent.data, sent.headers or {}, headers_too=self._carries)
        sent = Outgoing(data, sent.to, sent.address, wire or None)
        answer: asyncio.Future[R] = asyncio.get_running_loop().create_future()
        request = Request(
            operation, _reply_address(operation, sent, parameters or {}), id, sent.to, answer
        )
        self._requests.add(request)
        try:
            async with asyncio.timeout(timeout):
                await self._transport.send(sent)
                return await answer
        except TimeoutError:
            raise ReplyTimeout(f"no reply to {message.name} within {timeout:g} s") from None
        finally:
            self._requests.discard(request)
            answer.cancel()

    def _message_for(self, operation: Operation[Any], value: object) -> Message[Any]:
        if operation.messages:
            return operation.message_for(value)
        channels = (channel for channel in self._channels if channel.name == operation.channel)
        return next(channels).raw

    def _outgoing(
        self,
        operation: Operation[Any],
        message: Message[Any],
        value: object,
        to: str | None,
        headers: object,
        parameters: Mapping[str, object] | None,
        address: str | None,
    ) -> Outgoing:
        data = message.encode(value)
        if address is None:
            address = operation.address_with(parameters or {})
        wire = self._headers(message, headers)
        if wire is None and operation.reply and self._carries:
            *_, id = with_id(message, data, {}, headers_too=True)
            wire = (
                None if id is None else {}
            )  # the id, which is put in later, is all that is needed
        if wire is None and message.headers is not None:
            raise TypeError(f"{operation.method}() needs headers for {message.name}")
        conversation = message.conversation_of(value)
        if conversation is not None:
            to = self._conversations.address(conversation, to)
        return Outgoing(data, to, address, wire or None)

    def _headers(self, message: Message[Any], given: object) -> Mapping[str, object] | None:
        """The headers as JSON; where none are `given`, those that need nothing said; `None` if some have to be."""
        if message.headers is None and given is None:
            return {}
        wire = message.encode_headers(given) if given is not None else _default_headers(message)
        if wire != {} and not self._carries:
            raise NotCarried(f"this transport carries no headers, and {message.name} has some")
        return wire

    # Receiving

    def _receive(self, incoming: Incoming) -> None:
        try:
            self._route(incoming)
        except Fault as fault:
            self._refusals.add(incoming, fault)
            raise

    def _route(self, incoming: Incoming) -> None:
        try:
            message, value, incoming = self._router.read(incoming)
        except Fault as fault:
            at = replace(incoming, address=self._router.address(incoming.address))
            self._requests.refuse(fault, at)
            raise
        conversation = message.conversation_of(value)
        if conversation is not None and incoming.sender is not None:
            self._conversations.heard(conversation, incoming.sender)
        if self._requests.answer(message, value, incoming):
            return
        plain, coroutines = self._handlers[message].sorted()
        if not plain and not coroutines:
            if self._requests.recognize(incoming):
                return
            if self._requests.is_reply(message):
                log.debug("a late %s was dropped", message.name)
                return
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
        answer = self._answer_to(message, incoming)
        for result in results:
            self._start(message, result, answer)
        for handler in coroutines:
            self._start(message, _call(handler, message, value, incoming), answer)

    def _answer_to(self, message: Message[Any], incoming: Incoming) -> _Answer | None:
        """What sends the reply, where `incoming` is a request."""
        asked = (made for made in self._answers if message in made.messages)
        operations = tuple(made for made in asked if made.is_at(incoming.address))
        return _Answer(self, operations, message, incoming) if operations else None

    async def _reply(
        self,
        operations: Sequence[Operation[Any]],
        message: Message[Any],
        request: Incoming,
        result: object,
    ) -> None:
        payload, given = result, None
        if isinstance(result, Reply):
            payload, given = result.payload, result.headers
        operation, reply = answered(operations, payload)
        data, wire = reply.encode(payload), self._headers(reply, given) or {}
        id = message.correlation and locate(message.correlation, request.data, request.headers)
        if id and reply.correlation and (self._carries or "header" not in reply.correlation):
            data, wire = put(reply.correlation, id, data, wire)
        if self._carries:
            reply.decode_headers(wire)
        asked = Outgoing(request.data, address=request.address, headers=request.headers)
        address = _reply_address(operation, asked, request.parameters)
        await self._transport.send(Outgoing(data, request.sender, address, wire or None))

    def _start(self, message: Message[Any], result: object, answer: _Answer | None) -> None:
        if inspect.isawaitable(result):
            task = asyncio.ensure_future(answer.after(result) if answer else result)
        elif answer is not None and result is not None:
            task = asyncio.ensure_future(answer.send(result))
        else:
            return
        self._running.add(task)
        task.add_done_callback(lambda done: self._ended(message, done))

    def _ended(self, message: Message[Any], task: asyncio.Future[Any]) -> None:
        self._running.discard(task)
        if not task.cancelled() and (error := task.exception()) is not None:
            _report(message, error)


class _Answer:
    """The reply to one request; the first one counts."""

    def __init__(
        self,
        client: Client,
        operations: Sequence[Operation[Any]],
        message: Message[Any],
        request: Incoming,
    ) -> None:
        self._client = client
        self._operations = operations
        self._message = message
        self._request = request
        self._sent = False

    async def after(self, result: Awaitable[object]) -> None:
        """Wait for what a handler returns, and send it."""
        value = await result
        if value is not None:
            await self.send(value)

    async def send(self, value: object) -> None:
        """Send `value` unless the request is answered already."""
        if self._sent:
            log.debug("another reply to %s was dropped", self._message.name)
            return
        self._sent = True
        await self._client._reply(self._operations, self._message, self._request, value)


def _reply_address(
    operation: Operation[Any], request: Outgoing, parameters: Mapping[str, object]
) -> str | None:
    """Where the reply to `request` goes: where the request says, else to the address of the reply's channel."""
    if operation.reply_address is not None:
        found = locate(operation.reply_address, request.data, request.headers)
        if isinstance(found, str):
            return found
    channel = operation.reply_channel
    return None if channel is None else channel.address_with(parameters)


def _default_headers(message: Message[Any]) -> Mapping[str, object] | None:
    """The headers that need nothing said: constants and defaults; `None` where there are others."""
    try:
        return message.encode_headers(message.headers())
    except (TypeError, ValueError):
        return None


def _call(
    handler: Callable[..., object], message: Message[Any], value: object, incoming: Incoming
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
