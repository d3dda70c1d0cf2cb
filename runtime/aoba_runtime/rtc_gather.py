"""Gathering our own ICE candidates: chosen addresses, every STUN and TURN server, an end at any moment, and reasons.

aioice leaves loopback out, asks one STUN and one TURN server, swallows why a server gave nothing and cannot be stopped:
closed meanwhile, it goes on sending through a closed socket and logs a traceback. So this step of its is done here.
"""

from __future__ import annotations

import asyncio
import contextlib
import functools
import ipaddress
import ssl
from collections.abc import Coroutine
from importlib.metadata import version
from typing import Final, TypeAlias

from aioice import Candidate, Connection, stun
from aioice.candidate import candidate_foundation, candidate_priority
from aioice.ice import (
    StunProtocol,
    get_host_addresses,
    relayed_candidate,
    server_reflexive_candidate,
)

from .links import is_loopback
from .rtc_guard import Protocol
from .rtc_options import IceServer, RtcOptions

TESTED: Final = "0.13."
"""The aioice whose `Connection.get_component_candidates` can be replaced by `Gatherer`."""
MAX_DATAGRAM: Final = 65_536
"""Bytes to make ready for a datagram; asyncio's 256 KiB are mapped and unmapped for each, which costs more than reading it."""
_Found: TypeAlias = tuple[Candidate, StunProtocol | None]


@functools.cache
def require(distribution: str, release: str) -> None:
    """Raise `ImportError` unless a release is installed whose inside is known."""
    if not version(distribution).startswith(release):
        raise ImportError(
            f"{distribution} {version(distribution)} is installed, and this runtime knows {release}*:"
            " install aoba-runtime[media] again"
        )


class Gatherer:
    """Stands in for `Connection.get_component_candidates` of one connection."""

    def __init__(self, connection: Connection, options: RtcOptions) -> None:
        require("aioice", TESTED)
        self._connection = connection
        self._options = options
        self._stopped = False
        self._deadline: asyncio.Timeout | None = None
        self.problems: list[str] = []
        """Why an address or a server gave no candidate, for a person."""
        self.lost = ""
        """How the way that was in use broke down on our side, for a person."""
        self._protocol_lost = connection.protocol_lost
        # Looked up on the instance, so only this connection is changed.
        setattr(connection, "get_component_candidates", self._candidates)
        setattr(connection, "protocol_lost", self._lose)

    def stop(self) -> None:
        """Have done with what was found so far."""
        self._stopped = True
        if self._deadline is not None:
            self._deadline.reschedule(asyncio.get_running_loop().time())

    def _lose(self, protocol: StunProtocol) -> None:
        """A socket is gone that we did not close; aioice says only that the connection is closed."""
        if any(pair.protocol is protocol for pair in self._connection._nominated.values()):
            is_relay = protocol.local_candidate.type == "relay"
            self.lost = f"the connection to the {'TURN server' if is_relay else 'peer'} was lost"
        self._protocol_lost(protocol)

    async def _candidates(
        self, component: int, addresses: list[str], timeout: int = 5
    ) -> list[Candidate]:
        """`addresses` are those of this host except loopback; none under the relay policy."""
        if self._options.local_addresses and not self._options.relay_only:
            addresses = list(self._options.local_addresses)
        hosts = [one for one in [await self._host(component, text) for text in addresses] if one]
        self._connection._protocols += hosts
        found = [protocol.local_candidate for protocol in hosts]
        for candidate, protocol in await self._ask_servers(component, hosts):
            if any((candidate.host, candidate.port) == (one.host, one.port) for one in found):
                continue  # without a NAT, what STUN sees is what we have
            found.append(candidate)
            if protocol is not None:
                self._connection._protocols.append(protocol)
        return found

    async def _host(self, component: int, address: str) -> StunProtocol | None:
        loop = asyncio.get_running_loop()
        try:
            transport, protocol = await loop.create_datagram_endpoint(
                functools.partial(Protocol, self._connection), local_addr=(address, 0)
            )
        except OSError as error:
            self.problems.append(f"{address} cannot be used: {error.strerror or error}")
            return None
        if hasattr(transport, "max_size"):  # asyncio's own event loop
            setattr(transport, "max_size", MAX_DATAGRAM)
        host, port = transport.get_extra_info("sockname")[:2]
        protocol.local_candidate = Candidate(
            foundation=candidate_foundation("host", "udp", host),
            component=component,
            transport="udp",
            priority=candidate_priority(component, "host"),
            host=host,
            port=port,
            type="host",
        )
        return protocol

    async def _ask_servers(self, component: int, hosts: list[StunProtocol]) -> list[_Found]:
        """What the servers gave, in their order; those too slow are left out."""
        asked: dict[asyncio.Task[_Found], IceServer] = {}
        for server in () if self._stopped else self._options.ice_servers:
            asked |= {
                asyncio.create_task(one): server for one in self._ask(component, hosts, server)
            }
        if not asked:
            return []
        try:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(self._options.gather_timeout) as self._deadline:
                    await asyncio.wait(asked)
        finally:
            self._deadline = None
            for task in asked:
                task.cancel()
            await asyncio.wait(asked)
        results = []
        for task, server in asked.items():
            if task.cancelled():
                if not self._stopped:
                    self._complain(server, "no answer")
            elif (error := task.exception()) is not None:
                self._complain(server, _why(error))
            else:
                results.append(task.result())
        return results

    def _ask(
        self, component: int, hosts: list[StunProtocol], server: IceServer
    ) -> list[Coroutine[None, None, _Found]]:
        if server.scheme == "stun":
            return [
                server_reflexive_candidate(protocol, server.address)
                for protocol in hosts
                if ipaddress.ip_address(protocol.local_candidate.host).version == 4
            ]
        return [
            relayed_candidate(
                component=component,
                hide_related_address=self._options.relay_only,
                protocol_factory=functools.partial(Protocol, self._connection),
                turn_server=server.address,
                turn_username=server.username,
                turn_password=server.password,
                turn_ssl=server.scheme == "turns",
                turn_transport=server.transport,
            )
        ]

    def _complain(self, server: IceServer, why: str) -> None:
        problem = f"{server.url}: {why}"
        if problem not in self.problems:
            self.problems.append(problem)


def _why(error: BaseException) -> str:
    if isinstance(error, stun.TransactionFailed):
        if error.response.attributes.get("ERROR-CODE", (0, ""))[0] == 401:
            return "the user name or the password is wrong"
        return str(error)
    if isinstance(error, stun.TransactionTimeout):
        return "no answer"
    if isinstance(error, ssl.SSLCertVerificationError):
        return f"its certificate is not trusted: {error.verify_message}"
    return str(error) or type(error).__name__


def addresses_for(url: str) -> tuple[str, ...]:
    """The `local_addresses` for calls by the server at `url`: if it is on this machine, so may peers be, and loopback counts.

    For any other server nothing, which means all addresses except loopback.
    """
    if not is_loopback(url):
        return ()
    return (*get_host_addresses(use_ipv4=True, use_ipv6=True), "127.0.0.1")
