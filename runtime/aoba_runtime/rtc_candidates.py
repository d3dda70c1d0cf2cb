"""Strict reading of the peer's ICE candidates: what could harm us or cannot work is dropped here, before any engine sees it.

One port above 65535 closes the engine's socket and so ends the call; a candidate also makes us send packets to wherever
it says. So only UDP, component 1, literal addresses or `<uuid>.local`, and no address that is no single host's.
"""

from __future__ import annotations

import ipaddress
import re
from dataclasses import dataclass
from typing import Final

from .rtc_options import Address, RtcOptions

_CANDIDATE: Final = re.compile(
    r"(?:candidate:)?(?P<foundation>[A-Za-z0-9+/]{1,32}) 1 (?i:udp) (?P<priority>[0-9]{1,10})"
    r" (?P<host>[0-9A-Za-z.:-]{1,64}) (?P<port>[0-9]{1,5}) typ (?P<kind>host|srflx|relay)(?: [!-~]+)*",
    re.ASCII,
)
_MDNS: Final = re.compile(r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}\.local")
LONGEST: Final = 512
"""Characters of a candidate; real ones have about 150."""


@dataclass(frozen=True, slots=True)
class RemoteCandidate:
    """A checked candidate (RFC 8839 section 5.1): UDP, component 1."""

    foundation: str
    priority: int
    host: str
    port: int
    kind: str

    @property
    def is_name(self) -> bool:
        """Whether its address must be asked for by multicast DNS, which takes up to a second."""
        return self.host.endswith(".local")

    @property
    def line(self) -> str:
        """As in a session description, without `a=candidate:`."""
        return f"{self.foundation} 1 udp {self.priority} {self.host} {self.port} typ {self.kind}"


def read_candidate(text: str, options: RtcOptions) -> RemoteCandidate | None:
    """The candidate, or `None` when it is not one we may try. `text` with or without the leading `candidate:`."""
    if len(text) > LONGEST:
        return None
    match = _CANDIDATE.fullmatch(text)
    if match is None:
        return None
    priority, port = int(match["priority"]), int(match["port"])
    if not 0 < priority < 1 << 31 or not 0 < port < 1 << 16:
        return None
    host = match["host"].lower()
    if not _MDNS.fullmatch(host):
        try:
            address = ipaddress.ip_address(host)
        except ValueError:
            return None
        if not may_be_tried(address, options):
            return None
        host = str(address)
    return RemoteCandidate(match["foundation"], priority, host, port, match["kind"])


def may_be_tried(address: Address, options: RtcOptions) -> bool:
    """Whether packets may be sent to this address because the peer wants them to."""
    if address.is_multicast or address.is_unspecified or address == _BROADCAST:
        return False
    mapped = getattr(address, "ipv4_mapped", None)
    if mapped is not None:  # an IPv4 address in disguise, which no peer has a reason to send
        return False
    # Services of this host that listen on loopback are no peer's business, unless calls are meant to stay on it.
    ours = any(ipaddress.ip_address(text).is_loopback for text in options.local_addresses)
    if address.is_loopback and not ours:
        return False
    return options.allow is None or options.allow(address)


_BROADCAST: Final = ipaddress.ip_address("255.255.255.255")
