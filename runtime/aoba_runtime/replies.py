"""Requests that wait for their reply: which one an arriving message answers, and what carries the id that says so."""

from __future__ import annotations

import asyncio
import uuid
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from .api import Operation
from .errors import BadMessage, Fault
from .expressions import locate, put
from .message import Message
from .transport import Incoming


@dataclass(frozen=True, slots=True, eq=False)
class Request:
    """A request that was sent: what answers it, where the answer goes, by which id, from whom."""

    operation: Operation[Any]
    address: str | None
    id: object
    to: str | None
    answer: asyncio.Future[Any]

    def may_come(self, incoming: Incoming) -> bool:
        """Whether `incoming` comes from where the answer has to come from."""
        if self.address is not None and incoming.address not in (None, self.address):
            return False
        return None in (self.to, incoming.sender) or _account(self.to) == _account(incoming.sender)


class Requests:
    """The requests of one client that wait, in the order sent.

    A reply that carries a correlation id answers the request of the same id; one that carries none answers the oldest
    request that carries none either, or whose replies describe none.
    """

    def __init__(self) -> None:
        self._waiting: list[Request] = []
        self._replies: set[Message[Any]] = set()

    def add(self, request: Request) -> None:
        """Let `request` wait."""
        self._waiting.append(request)
        self._replies.update(request.operation.reply or ())

    def discard(self, request: Request) -> None:
        """Let `request` wait no longer."""
        if request in self._waiting:
            self._waiting.remove(request)

    def cancel(self, fault: Callable[[], Fault]) -> None:
        """End every wait with a fault."""
        for request in self._waiting:
            if not request.answer.done():
                request.answer.set_exception(fault())

    def is_reply(self, message: Message[Any]) -> bool:
        """Whether `message` has ever been a reply to a request: it is late then when nothing waits for it."""
        return message in self._replies

    def answer(self, message: Message[Any], value: object, incoming: Incoming) -> bool:
        """Give `value` to the request that it answers; whether there is one."""
        id = self._id(message, incoming)
        for request in self._waiting:
            if (
                message in (request.operation.reply or ())
                and not request.answer.done()
                and request.may_come(incoming)
                and (_same(id, request.id) if id is not None else _by_order(message, request))
            ):
                request.answer.set_result(value)
                return True
        return False

    def recognize(self, incoming: Incoming) -> bool:
        """Give what looks like another message to the request whose id it carries; whether there is one.

        Where nothing says at which address it came, a reply may have been read as the request that it looks like.
        """
        for request in self._waiting:
            for message in request.operation.reply or ():
                id = self._id(message, incoming)
                if id is None or not _same(id, request.id):
                    continue
                try:
                    value = message.decode(incoming.data)
                except BadMessage:
                    continue
                if self.answer(message, value, incoming):
                    return True
        return False

    def refuse(self, fault: Fault, incoming: Incoming) -> None:
        """Tell the request that what arrived was meant to answer why it is no reply."""
        for request in self._waiting:
            replies = request.operation.reply or ()
            ids = [self._id(message, incoming) for message in replies]
            if request.id is not None:
                meant = any(id is not None and _same(id, request.id) for id in ids)
            else:  # by order: certain only where nothing but replies comes
                channel = request.operation.reply_channel
                meant = channel is not None and set(channel.messages) <= set(replies)
            if meant and request.may_come(incoming) and not request.answer.done():
                request.answer.set_exception(BadMessage(f"the reply is refused: {fault.text}"))
                return

    def _id(self, message: Message[Any], incoming: Incoming) -> object:
        return message.correlation and locate(message.correlation, incoming.data, incoming.headers)


def with_id(
    message: Message[Any], data: bytes, headers: Mapping[str, object], *, headers_too: bool
) -> tuple[bytes, Mapping[str, object], object]:
    """`message` with a correlation id, and that id: what it carries, else a new one where its schema allows one.

    `headers_too` says whether one may be put into the headers.
    """
    place = message.correlation
    if place is None:
        return data, headers, None
    present = locate(place, data, headers)
    if present is not None or (place.startswith("$message.header") and not headers_too):
        return data, headers, present
    new = uuid.uuid4()
    for id in (str(new), new.int >> 97):  # text, else a number of 31 bits
        filled, more = put(place, id, data, headers)
        try:
            message.decode(filled)
            message.decode_headers(more)
        except BadMessage:
            continue
        if locate(place, filled, more) is not None:
            return filled, more, id
    return data, headers, None


def _same(one: object, other: object) -> bool:
    """Whether two ids are the same; transports may turn numbers in headers into text."""
    return one is not None and other is not None and str(one) == str(other)


def _by_order(message: Message[Any], request: Request) -> bool:
    return message.correlation is None or request.id is None


def _account(address: str | None) -> str:
    return (address or "").partition("/")[0]
