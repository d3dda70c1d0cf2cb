"""A TURN server for two clients (RFC 8656), over UDP or TCP: it relays through channels, and dies when told to."""

from __future__ import annotations

import asyncio
import struct
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import cast

from aioice import stun

Address = tuple[str, int]


class Allocation(asyncio.DatagramProtocol):
    """What the server does for one client: an address, and channels to those who may reach it."""

    def __init__(self) -> None:
        self.deaf = False
        self.send: Callable[[bytes], None] = lambda data: None
        self._peers: dict[int, Address] = {}

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.outside = cast(asyncio.DatagramTransport, transport)

    def take(self, data: bytes) -> None:
        """A message of the client's."""
        if self.deaf:
            return
        if data[0] & 0xC0 == 0x40:
            channel, size = struct.unpack("!HH", data[:4])
            self.outside.sendto(data[4 : 4 + size], self._peers[channel])
            return
        asked = stun.parse_message(data)
        reply = stun.Message(asked.message_method, stun.Class.RESPONSE, asked.transaction_id)
        reply.attributes["LIFETIME"] = 600
        if asked.message_method == stun.Method.ALLOCATE:
            reply.attributes["XOR-RELAYED-ADDRESS"] = self.outside.get_extra_info("sockname")
            reply.attributes["XOR-MAPPED-ADDRESS"] = ("203.0.113.9", 4444)
        elif asked.message_method == stun.Method.CHANNEL_BIND:
            peer = asked.attributes["XOR-PEER-ADDRESS"]
            self._peers[asked.attributes["CHANNEL-NUMBER"]] = peer
        self.send(bytes(reply))

    def datagram_received(self, data: bytes, addr: Address) -> None:
        for channel, peer in self._peers.items():
            if peer == addr and not self.deaf:
                padding = bytes(-len(data) % 4)  # over TCP there must be some, over UDP may
                self.send(struct.pack("!HH", channel, len(data)) + data + padding)


class Relay:
    """The server."""

    def __init__(self, allocations: list[Allocation]) -> None:
        self._allocations = allocations
        self._free = list(allocations)
        self.port = 0
        self.links: list[asyncio.WriteTransport] = []
        """To the clients, over TCP."""

    def admit(self, send: Callable[[bytes], None]) -> Allocation:
        """Another client, whom `send` reaches."""
        allocation = self._free.pop()
        allocation.send = send
        return allocation

    def fall_silent(self) -> None:
        """Answer nobody any more."""
        for allocation in self._allocations:
            allocation.deaf = True


class _Udp(asyncio.DatagramProtocol):
    def __init__(self, relay: Relay) -> None:
        self._relay = relay
        self._clients: dict[Address, Allocation] = {}

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.DatagramTransport, transport)

    def datagram_received(self, data: bytes, addr: Address) -> None:
        if addr not in self._clients:
            self._clients[addr] = self._relay.admit(
                lambda reply: self._transport.sendto(reply, addr)
            )
        self._clients[addr].take(data)


class _Tcp(asyncio.Protocol):
    def __init__(self, relay: Relay) -> None:
        self._relay = relay
        self._unread = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        link = cast(asyncio.WriteTransport, transport)
        self._relay.links.append(link)
        self._client = self._relay.admit(link.write)

    def data_received(self, data: bytes) -> None:
        self._unread += data
        while len(self._unread) >= 4:
            (size,) = struct.unpack("!H", self._unread[2:4])
            size += -size % 4 + (4 if self._unread[0] & 0xC0 == 0x40 else 20)
            if len(self._unread) < size:
                break
            self._client.take(self._unread[:size])
            self._unread = self._unread[size:]


@asynccontextmanager
async def relay(transport: str) -> AsyncIterator[Relay]:
    """A server on loopback, by `udp` or `tcp`."""
    loop = asyncio.get_running_loop()
    pairs = [
        await loop.create_datagram_endpoint(Allocation, local_addr=("127.0.0.1", 0))
        for _ in range(2)
    ]
    made = Relay([allocation for _, allocation in pairs])
    server: asyncio.BaseTransport | asyncio.Server
    if transport == "udp":
        server, _ = await loop.create_datagram_endpoint(
            lambda: _Udp(made), local_addr=("127.0.0.1", 0)
        )
        made.port = server.get_extra_info("sockname")[1]
    else:
        server = await loop.create_server(lambda: _Tcp(made), "127.0.0.1", 0)
        made.port = server.sockets[0].getsockname()[1]
    try:
        yield made
    finally:
        for link in made.links:
            link.abort()
        for outside, _ in pairs:
            outside.close()
        server.close()
