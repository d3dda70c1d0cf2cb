"""What can be chosen about the network and the voice of calls; checked when it is made, not when a call fails."""

from __future__ import annotations

import ipaddress
import math
import re
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Final, TypeAlias

Address: TypeAlias = ipaddress.IPv4Address | ipaddress.IPv6Address
_URL: Final = re.compile(
    r"(?P<scheme>stun|turns?):(?P<host>[A-Za-z0-9.-]+|\[[0-9A-Fa-f:.]+\])(?::(?P<port>[0-9]{1,5}))?"
    r"(?:\?transport=(?P<transport>udp|tcp))?"
)

FEW: Final = 8
"""Calls of one `RtcMedia` that may all have the better encoding."""
ALONE: Final = 5
"""Opus's complexity for those; more gains little for voice."""
TOGETHER: Final = 1
"""Opus's complexity for calls beyond: half of the work, and speech 0.2 worse on the scale of PESQ (`benchmarks/opus.py`)."""


@dataclass(frozen=True, slots=True)
class IceServer:
    """A STUN or TURN server (RFC 7064, RFC 7065): `stun:host:3478`, `turn:host:3478?transport=tcp`, `turns:host:5349`."""

    url: str
    username: str | None = None
    password: str | None = field(default=None, repr=False)

    def __post_init__(self) -> None:
        match = _URL.fullmatch(self.url)
        if match is None or not 0 < int(match["port"] or 1) < 65536:
            raise ValueError(
                f"{self.url!r} is no ICE server: expected stun:HOST[:PORT], turn:HOST[:PORT][?transport=udp|tcp]"
                " or turns:HOST[:PORT]"
            )
        if self.scheme == "stun" and match["transport"]:
            raise ValueError(f"{self.url!r}: a STUN server has no transport to choose (RFC 7064)")
        if self.scheme == "turns" and match["transport"] == "udp":
            raise ValueError(f"{self.url!r}: TURN over DTLS is not supported; leave transport out")
        if self.scheme != "stun" and (self.username is None or self.password is None):
            raise ValueError(f"{self.url!r}: a TURN server asks for a user name and a password")

    @property
    def scheme(self) -> str:
        """`stun`, `turn` or `turns`."""
        return self._match["scheme"]

    @property
    def address(self) -> tuple[str, int]:
        """Host and port; the port is the scheme's where the URL names none."""
        match = self._match
        return match["host"].strip("[]"), int(
            match["port"] or (5349 if self.scheme == "turns" else 3478)
        )

    @property
    def transport(self) -> str:
        """`udp` or `tcp`."""
        return self._match["transport"] or ("tcp" if self.scheme == "turns" else "udp")

    @property
    def _match(self) -> re.Match[str]:
        match = _URL.fullmatch(self.url)
        assert match is not None  # checked at construction
        return match


@dataclass(frozen=True, slots=True)
class RtcOptions:
    """How calls reach each other and sound.

    `ice_servers`: none unless given, all that are given are tried. `relay_only`: let nobody see our address, go through
    TURN only. `local_addresses`: our own addresses to be reached at; without any, all of this host except loopback.
    `allow`: a filter of the peer's addresses, since each is sent a few packets. Times are in seconds: `gather_timeout`
    bounds the wait for ICE servers, `stall_after` and `fail_after` how long the peer may be silent (its packets, not its
    voice). `bitrate` in bits a second; `complexity` of Opus in 0..10;
    without it the calls of one `RtcMedia` share out the processor, see `complexity_among`.
    """

    ice_servers: tuple[IceServer, ...] = ()
    relay_only: bool = False
    local_addresses: tuple[str, ...] = ()
    allow: Callable[[Address], bool] | None = None
    max_candidates: int = 64
    gather_timeout: float = 5.0
    stall_after: float = 5.0
    fail_after: float = 15.0
    bitrate: int = 32_000
    complexity: int | None = None

    def __post_init__(self) -> None:
        for text in self.local_addresses:
            try:
                ipaddress.ip_address(text)
            except ValueError:
                raise ValueError(
                    f"local address {text!r}: expected an IPv4 or IPv6 address of this host"
                ) from None
        if self.relay_only and not any(one.scheme != "stun" for one in self.ice_servers):
            raise ValueError(
                "to go through a relay only takes a TURN server, and no ICE server is one"
            )
        for name in ("gather_timeout", "stall_after", "fail_after"):
            if not 0 < getattr(self, name) < math.inf:
                raise ValueError(
                    f"{name} {getattr(self, name)}: expected a number of seconds above 0"
                )
        if self.max_candidates < 1:
            raise ValueError(f"max_candidates {self.max_candidates}: without any there is no call")
        if not 6_000 <= self.bitrate <= 256_000:  # libopus takes no more for one channel
            raise ValueError(f"bitrate {self.bitrate}: Opus takes 6000 to 256000 bits a second")
        if self.complexity is not None and not 0 <= self.complexity <= 10:
            raise ValueError(f"complexity {self.complexity}: Opus takes 0 to 10")

    def complexity_among(self, others: int) -> int:
        """Opus's complexity for a call that is made while so many others are held."""
        if self.complexity is not None:
            return self.complexity
        return ALONE if others < FEW else TOGETHER
