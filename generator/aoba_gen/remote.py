"""Files from hosts that the user named: https, to a public address, and no more than the limits allow.

A name may resolve to any address and differently each time, and a host may redirect to anywhere. So each step looks the name
up once, refuses the whole answer if one address is not public, connects to an address of that answer, and demands
a certificate for the name.
"""

from __future__ import annotations

import http.client
import ipaddress
import socket
import ssl
import time
from collections.abc import Callable, Sequence
from typing import Final
from urllib.parse import SplitResult, urljoin, urlsplit

from .limits import Limits

_REDIRECTS: Final = 5
_MOVED: Final = frozenset({301, 302, 303, 307, 308})
_TRANSLATED: Final = tuple(map(ipaddress.ip_network, ("64:ff9b::/96", "64:ff9b:1::/48")))
"""A gateway turns these into addresses of IPv4, be they public or not (RFC 6052, RFC 8215)."""


class Unfetched(Exception):
    """A file could not be had; the message says why."""


def is_public(address: str) -> bool:
    """Whether an address is one of the internet, and not of this machine, a private network or a special use."""
    found = ipaddress.ip_address(address.partition("%")[0])
    inner = (found.ipv4_mapped or found.sixtofour) if found.version == 6 else None
    if any(found in network for network in _TRANSLATED if network.version == found.version):
        return False
    return found.is_global and not found.is_multicast and (inner is None or inner.is_global)


class Fetcher:
    """Fetches files, as many and as large as `limits` say, from `hosts`: names, each perhaps with a port."""

    def __init__(
        self,
        hosts: Sequence[str],
        limits: Limits,
        *,
        is_public: Callable[[str], bool] = is_public,
        context: ssl.SSLContext | None = None,
    ) -> None:
        self._hosts = frozenset(host.lower() for host in hosts)
        self._limits = limits
        self._is_public = is_public
        self._context = context or ssl.create_default_context()
        self._count = 0

    def allows(self, url: str) -> bool:
        """Whether the user named the host of that url, and it is to be reached by https."""
        try:
            parts = urlsplit(url)
            port = parts.port or 443
        except ValueError:  # such as 'http://['
            return False
        host = (parts.hostname or "").lower()
        named = host if port == 443 else f"{host}:{port}"
        return parts.scheme == "https" and not parts.username and named in self._hosts

    def fetch(self, url: str, most: int) -> bytes:
        """At most `most` bytes and one of what is at `url`; raises `Unfetched`."""
        self._count += 1
        if self._count > self._limits.remote:
            raise Unfetched(
                f"more than {self._limits.remote} files are to be fetched (--limit remote=N raises it)"
            )
        until = time.monotonic() + self._limits.wait
        for _ in range(_REDIRECTS):
            if not self.allows(url):
                raise Unfetched(f"it leads to {url!r}, which --allow-remote does not name")
            try:
                status, location, data = self._get(urlsplit(url), until, most)
            except (OSError, http.client.HTTPException, ValueError) as fault:
                raise Unfetched(str(fault) or type(fault).__name__) from fault
            if status in _MOVED and location:
                url = urljoin(url, location)
            elif status != 200:
                raise Unfetched(f"the host answers {status}")
            else:
                return data
        raise Unfetched(f"it is redirected more than {_REDIRECTS} times")

    def _get(self, parts: SplitResult, until: float, most: int) -> tuple[int, str | None, bytes]:
        host, port = parts.hostname or "", parts.port or 443
        connection = http.client.HTTPSConnection(host, port, context=self._context)
        raw = socket.create_connection((self._address(host, port), port), self._left(until))
        try:
            connection.sock = self._context.wrap_socket(raw, server_hostname=host)
            target = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
            connection.request("GET", target, headers={"Accept-Encoding": "identity"})
            answer = connection.getresponse()
            data = bytearray()
            while len(data) <= most and (part := answer.read1(65_536)):
                raw_sock = connection.sock
                if raw_sock is not None:
                    raw_sock.settimeout(self._left(until))
                data += part
            return answer.status, answer.headers.get("Location"), bytes(data)
        finally:
            connection.close()
            raw.close()

    def _address(self, host: str, port: int) -> str:
        """An address of the host, all of whose addresses are public."""
        found = [
            str(each[4][0]) for each in socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
        ]
        for address in found:
            if not self._is_public(address):
                raise Unfetched(f"{host} is at {address}, which is no public address")
        return found[0]

    def _left(self, until: float) -> float:
        left = until - time.monotonic()
        if left <= 0:
            raise TimeoutError(
                f"it takes longer than {self._limits.wait} seconds (--limit wait=N raises it)"
            )
        return left
