"""Which channel, message and parameters a delivery is about, by its address, its payload and its headers."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final

from .errors import Fault
from .message import Channel, Message, read_first
from .transport import Incoming

_REMEMBERED: Final = 1000


@dataclass(frozen=True, slots=True)
class _At:
    """What may arrive at one address: the messages described there, each channel's parameters, else `raw` bytes."""

    address: str | None
    described: tuple[Channel[Any], ...]
    parameters: Mapping[Message[Any], Mapping[str, str]]
    raw: Message[bytes] | None


class Router:
    """Reads deliveries for the channels of one client."""

    def __init__(self, channels: Sequence[Channel[Any]]) -> None:
        self._channels = tuple(channels)
        self._known: dict[str | None, _At] = {}

    def read(self, incoming: Incoming) -> tuple[Message[Any], Any, Incoming]:
        """The message that arrived, its payload, and the delivery with what its address and headers say.

        Raises the `Fault` that says why it is none; what is no message of a channel that describes none is bytes.
        """
        at = self._known.get(incoming.address) or self._at(incoming.address)
        message: Message[Any]
        try:
            message, value = read_first(at.described, incoming.data, incoming.headers)
            headers = incoming.headers
            typed = None if headers is None else message.decode_headers(headers)
        except Fault:
            if at.raw is None:
                raise
            message, value, typed = at.raw, incoming.data, None
        parameters = at.parameters.get(message)
        if parameters or typed is not None or at.address != incoming.address:
            incoming = replace(
                incoming, address=at.address, parameters=parameters or {}, typed_headers=typed
            )
        return message, value, incoming

    def address(self, address: str | None) -> str | None:
        """The address of a channel that `address` is, or ends with."""
        return self._at(address).address

    def _at(self, address: str | None) -> _At:
        found = _matches(self._channels, address)
        short = address
        while not found and short and "/" in short[1:] and short.startswith("/"):
            # The path of a connection has that of the server before the channel's.
            short = short[short.index("/", 1) :]
            found = _matches(self._channels, short)
        channels = [channel for channel, _ in found] or self._channels
        parameters: dict[Message[Any], dict[str, str]] = {}
        for channel, values in found:
            for message in channel.messages or (channel.raw,):
                parameters.setdefault(message, values)
        at = _At(
            short if found else address,
            tuple(channel for channel in channels if channel.messages),
            parameters,
            next((channel.raw for channel in channels if not channel.messages), None),
        )
        if len(self._known) >= _REMEMBERED:
            self._known.clear()
        self._known[address] = at
        return at


def _matches(
    channels: Sequence[Channel[Any]], address: str | None
) -> list[tuple[Channel[Any], dict[str, str]]]:
    """The channels whose address it is, with its parameters."""
    if address is None:
        return []
    found = ((channel, channel.parameters_in(address)) for channel in channels)
    return [(channel, values) for channel, values in found if values is not None]
