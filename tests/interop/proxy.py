"""A TCP proxy that does to connections what networks do: cuts, stalls, delays."""

from __future__ import annotations

import asyncio
from types import TracebackType
from typing import Self
from urllib.parse import urlsplit, urlunsplit


class Proxy:
    """Passes bytes between clients and one server, until told otherwise; `url` is the server's URL through it.

    `delay` is in seconds and holds for every chunk from then on. Stalled bytes are kept and pass on afterwards, as they
    do in a network that comes back. The next `refuses` connections are reset as they come.
    """

    def __init__(self, url: str) -> None:
        self._target = urlsplit(url)
        self.delay = 0.0
        self.refuses = 0
        self.cuts = 0
        self._flows = asyncio.Event()
        self._flows.set()
        self._pipes: set[asyncio.Task[None]] = set()
        self._writers: set[asyncio.StreamWriter] = set()
        self._server: asyncio.Server | None = None

    @property
    def url(self) -> str:
        """Where clients connect."""
        assert self._server is not None
        port = self._server.sockets[0].getsockname()[1]
        return urlunsplit(self._target._replace(netloc=f"127.0.0.1:{port}"))

    async def __aenter__(self) -> Self:
        self._server = await asyncio.start_server(self._accept, "127.0.0.1", 0)
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        assert self._server is not None
        self._server.close()
        self.cut()
        self._flows.set()
        while self._pipes:
            await asyncio.wait(self._pipes)
        await self._server.wait_closed()

    def cut(self) -> None:
        """Reset every connection, both ways, and lose what is on its way."""
        self.cuts += 1
        for writer in self._writers:
            writer.transport.abort()

    def stall(self) -> None:
        """Pass nothing on, in either direction, without closing anything; new connections hang as well."""
        self._flows.clear()

    def flow(self) -> None:
        """End a stall."""
        self._flows.set()

    async def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if self.refuses:
            self.refuses -= 1
            writer.transport.abort()
            return
        task = asyncio.current_task()
        assert task is not None
        self._pipes.add(task)
        task.add_done_callback(self._pipes.discard)
        self._writers.add(writer)
        try:
            server_reader, server_writer = await asyncio.open_connection(
                self._target.hostname, self._target.port
            )
        except OSError:
            writer.transport.abort()
            self._writers.discard(writer)
            return
        self._writers.add(server_writer)
        back = asyncio.create_task(self._pump(server_reader, writer))
        try:
            await self._pump(reader, server_writer)
            await back
        finally:
            self._writers -= {writer, server_writer}

    async def _pump(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while data := await reader.read(65536):
                if self.delay:
                    await asyncio.sleep(self.delay)
                await self._flows.wait()
                writer.write(data)
                await writer.drain()
            writer.close()
        except OSError:
            writer.transport.abort()
        try:
            await writer.wait_closed()
        except OSError:
            pass
